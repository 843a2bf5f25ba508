# SPDX-License-Identifier: MIT
"""A kernel's configuration: what is read, what is derived, what is refused."""

import csv
import gzip
import json
import pickle
import re
from pathlib import Path

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError

from s2geom import (
    Cpu,
    Granule,
    Host,
    InvalidArgument,
    IpaSizes,
    KernelConfig,
    Origin,
    Scheme,
    UnreadableInput,
    UnsupportedCombination,
    check,
    stage2,
)

ROOT = Path(__file__).parents[2]
OURS = Path(__file__).parents[1] / "data" / "configs"
SHARED = ROOT.parent / "shared" / "data" / "configs"

SHIFTS = {"4K": 12, "16K": 14, "64K": 16}

DEBIAN = {
    "debian-5.10-arm64.config.gz": ("5.10.223", Host(12, 48, 48), 4, True),
    "debian-6.1-rt-arm64.config.gz": ("6.1.192", Host(12, 48, 48), 4, False),
    "debian-6.12-arm64-16k.config.gz": ("6.12.117", Host(14, 52, 52), 4, True),
}
"""What a person reads in them: release, host, level count, KVM."""

KCONFIG_HOSTS = [
    (page_shift, va_bits)
    for page_shift, widths in {
        12: (39, 48, 52),
        14: (36, 47, 48, 52),
        16: (42, 48, 52),
    }.items()
    for va_bits in widths
]


CONFIGS = {
    path: row
    for folder in (OURS, SHARED)
    if folder.is_dir()
    for row in csv.DictReader((folder / "configs.csv").read_text().splitlines())
    if not (path := folder / row["file"]).name.startswith("debian") or folder is OURS
}
"""Configurations, and what people read in them; a defconfig has no page size."""


def small(*lines: str, page: int = 4, va_bits: int = 48) -> KernelConfig:
    """Read a configuration of two lines, and more."""
    text = [f"CONFIG_ARM64_{page}K_PAGES=y", f"CONFIG_ARM64_VA_BITS={va_bits}", *lines]
    return KernelConfig.from_text("\n".join(text) + "\n")


def refusal(text: str | bytes) -> str:
    """Return what is said about a text that cannot be read."""
    with pytest.raises(UnreadableInput) as refused:
        KernelConfig.from_text(text)
    return str(refused.value)


# Real files


@pytest.mark.parametrize("name", DEBIAN)
def test_reads_debians_configurations(name: str) -> None:
    """Three releases, two page sizes, KVM on and off."""
    release, host, levels, kvm = DEBIAN[name]

    kernel = KernelConfig.from_path(OURS / name)

    assert (release, host, kvm) == (kernel.release, kernel.host, kernel.kvm)
    assert levels == kernel.host.pgtable_levels
    assert not any(origin.derived for origin in kernel.origins.values())


@pytest.mark.parametrize(
    "path",
    [path for path in CONFIGS if CONFIGS[path]["page"] in SHIFTS],
    ids=lambda p: p.name,
)
def test_reads_configurations_of_every_era(path: Path) -> None:
    """From v3.18 to today, with and without a header, as people read them by hand."""
    row, kernel = CONFIGS[path], KernelConfig.from_path(path)
    levels = row["pgtable_levels"]

    assert (None if row["version"] == "-" else row["version"]) == kernel.release
    assert Host(
        SHIFTS[row["page"]], int(row["va_bits"]), int(row["pa_bits"] or 48)
    ) == (kernel.host)
    assert int(levels.strip("[]")) == kernel.host.pgtable_levels
    assert levels.startswith("[") == kernel.origins["pgtable_levels"].derived
    assert (not row["pa_bits"]) == kernel.origins["pa_bits"].derived
    assert (row["kvm"] == "y") == kernel.kvm


def without_page_size(path: Path) -> str:
    """Return a configuration without what is the default, as a defconfig is."""
    said = gzip.decompress(path.read_bytes()).decode()
    telling = re.compile(r"CONFIG_(ARM64_)?(PAGE_SHIFT|\d+K_PAGES|PAGE_SIZE_\d+KB)\b")
    return "".join(line for line in said.splitlines(True) if not telling.search(line))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_refuses_a_defconfig(path: Path) -> None:
    """A defconfig leaves the page size out; the error says which options have it."""
    text = without_page_size(path)

    assert refusal(text).startswith(
        f"no page size in {text.count(chr(10))} lines: CONFIG_PAGE_SHIFT, "
    )


def cuts(lines: list[str]) -> list[int]:
    """Return where to cut a file: at whatever is about stage 2, and here and there."""
    telling = ("PAGE", "_BITS", "LEVELS", "VIRTUALIZATION", "KVM", "ARM64=", "LPA2")
    near = {
        number + step
        for number, line in enumerate(lines)
        if any(word in line for word in telling) and len(line) < 50
        for step in (0, 1)
    }
    wanted = sorted(near | set(range(0, len(lines), 997)))
    return wanted[:: max(1, len(wanted) // 40)]


@pytest.mark.parametrize("name", DEBIAN)
def test_a_cut_file_never_gives_another_answer(name: str) -> None:
    """Cut between two lines, it is refused, or all the facts were there already."""
    release, host, _, kvm = DEBIAN[name]
    lines = gzip.decompress((OURS / name).read_bytes()).decode().splitlines()
    refused = 0
    for cut in cuts(lines):
        try:
            kernel = KernelConfig.from_text("\n".join(lines[:cut]) + "\n")
        except UnreadableInput:
            refused += 1
        else:
            assert (release, host, kvm) == (kernel.release, kernel.host, kernel.kvm)

    assert refused > 5


# What gives a fact


@pytest.mark.parametrize("expected", [12, 14, 16])
@pytest.mark.parametrize(
    "spelling",
    [
        "CONFIG_PAGE_SHIFT={shift}",
        "CONFIG_ARM64_PAGE_SHIFT={shift}",
        "CONFIG_ARM64_{kilo}K_PAGES=y",
        "CONFIG_PAGE_SIZE_{kilo}KB=y",
    ],
)
def test_every_spelling_of_the_page_size(expected: int, spelling: str) -> None:
    """Each option that has named it since v3.18 gives the page size."""
    line = spelling.format(shift=expected, kilo=1 << expected - 10)

    kernel = KernelConfig.from_text(f"{line}\nCONFIG_ARM64_VA_BITS=48\n")

    assert expected == kernel.host.page_shift
    assert f"{expected} (read from {line}, line 1)" == str(kernel.origins["page_shift"])


@pytest.mark.parametrize(("page_shift", "va_bits"), KCONFIG_HOSTS)
@pytest.mark.parametrize(
    "spelling", ["CONFIG_ARM64_VA_BITS={}", "CONFIG_ARM64_VA_BITS_{}=y"]
)
def test_every_spelling_of_the_va_width(
    page_shift: int, va_bits: int, spelling: str
) -> None:
    """Number and choice give the same width, for every host of Kconfig."""
    line = spelling.format(va_bits)

    kernel = KernelConfig.from_text(f"CONFIG_PAGE_SHIFT={page_shift}\n{line}\n")

    assert Host(page_shift, va_bits) == kernel.host
    assert f"read from {line}, line 2" == kernel.origins["va_bits"].words


@pytest.mark.parametrize(
    "lines",
    [
        ["CONFIG_ARM64_USER_VA_BITS_52=y"],
        ["CONFIG_ARM64_USER_VA_BITS_52=y", "CONFIG_ARM64_VA_BITS_48=y"],
        [
            "# CONFIG_ARM64_VA_BITS_48 is not set",
            "CONFIG_ARM64_USER_VA_BITS_52=y",
            "CONFIG_ARM64_VA_BITS=48",
        ],
    ],
)
def test_52_bits_for_user_space_leave_the_kernel_48(lines: list[str]) -> None:
    """From v5.0 to v5.3 the choice named the width of user space alone."""
    text = "\n".join(["CONFIG_ARM64_64K_PAGES=y", *lines])

    assert 48 == KernelConfig.from_text(text).host.va_bits


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (48, "CONFIG_ARM64_PA_BITS=48"),
        (52, "CONFIG_ARM64_PA_BITS=52"),
        (48, "CONFIG_ARM64_PA_BITS_48=y"),
        (52, "CONFIG_ARM64_PA_BITS_52=y"),
        (52, "CONFIG_ARM64_LPA2=y"),
    ],
)
def test_every_spelling_of_the_pa_width(expected: int, line: str) -> None:
    """CONFIG_ARM64_LPA2 gives it too, as it exists only with 52 bits."""
    kernel = small(line)

    assert expected == kernel.host.pa_bits
    assert (line.partition("=")[0], 3) == (
        kernel.origins["pa_bits"].option,
        kernel.origins["pa_bits"].line,
    )


@pytest.mark.parametrize(
    "name", ["CONFIG_PGTABLE_LEVELS", "CONFIG_ARM64_PGTABLE_LEVELS"]
)
@pytest.mark.parametrize(
    ("levels", "page", "va_bits"),
    [(3, 4, 39), (4, 4, 48), (5, 4, 52), (2, 16, 36), (3, 16, 47), (2, 64, 42)],
)
def test_a_level_count_that_agrees_is_read(
    name: str, levels: int, page: int, va_bits: int
) -> None:
    """Where the file agrees with the formula, the origin is the file."""
    kernel = small(f"{name}={levels}", page=page, va_bits=va_bits)

    assert (
        Origin(levels, name, 3, f"read from {name}={levels}, line 3")
        == (kernel.origins["pgtable_levels"])
    )


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        (True, ["CONFIG_KVM=y"]),
        (True, ["CONFIG_VIRTUALIZATION=y", "CONFIG_KVM=y"]),
        (True, ["CONFIG_KVM_ARM_HOST=y"]),
        (False, ["# CONFIG_KVM is not set"]),
        (False, ["CONFIG_KVM=n"]),
        (False, ["# CONFIG_VIRTUALIZATION is not set"]),
        (False, ["CONFIG_VIRTUALIZATION=y"]),
        (False, []),
    ],
)
def test_kvm_is_on_or_off(expected: bool, lines: list[str]) -> None:
    """KVM is off where it, or what it needs, is not set or has no line."""
    assert expected is small(*lines).kvm


def test_the_first_option_is_the_origin() -> None:
    """Where several options agree, the origin is the newest one."""
    kernel = KernelConfig.from_text(
        "CONFIG_ARM64_16K_PAGES=y\n"
        "CONFIG_ARM64_VA_BITS_47=y\n"
        "CONFIG_ARM64_VA_BITS=47\n"
        "CONFIG_PAGE_SHIFT=14\n"
    )

    assert "CONFIG_PAGE_SHIFT" == kernel.origins["page_shift"].option
    assert "CONFIG_ARM64_VA_BITS" == kernel.origins["va_bits"].option


def test_stray_page_sizes_are_ignored_beside_the_real_one() -> None:
    """A distribution's 64K file can have CONFIG_PAGE_SIZE_4KB=y as well."""
    kernel = small("CONFIG_PAGE_SIZE_4KB=y", "CONFIG_PAGE_SIZE_16KB=m", page=64)

    assert 16 == kernel.host.page_shift


def test_the_origin_of_a_default_is_derived() -> None:
    """All facts but page size and VA width have a default."""
    kernel = KernelConfig.from_text("CONFIG_ARM64_16K_PAGES=y\nCONFIG_ARM64_VA_BITS=36")

    assert {
        "release": "unknown (derived from the absence of a header line with a release)",
        "page_shift": "14 (read from CONFIG_ARM64_16K_PAGES=y, line 1)",
        "va_bits": "36 (read from CONFIG_ARM64_VA_BITS=36, line 2)",
        "pa_bits": "48 (derived from the absence of an option for it)",
        "pgtable_levels": "2 (derived from page size and VA width)",
        "kvm": "off (derived from the absence of CONFIG_KVM)",
    } == {name: str(origin) for name, origin in kernel.origins.items()}
    assert ["page_shift", "va_bits"] == [
        name for name, origin in kernel.origins.items() if not origin.derived
    ]


def test_the_header_line_names_the_release() -> None:
    """The release keeps what a distribution appends to the number."""
    kernel = small("# Linux/arm64 4.9.219-1 Kernel Configuration", "CONFIG_KVM=y")

    assert "4.9.219-1" == kernel.release
    assert Scheme.STATIC is kernel.scheme
    assert "4.9.219-1 (read from the header line, line 3)" == str(
        kernel.origins["release"]
    )
    assert "on (read from CONFIG_KVM=y, line 4)" == str(kernel.origins["kvm"])


@pytest.mark.parametrize("header", ["", "# Linux/arm64  Kernel Configuration"])
def test_without_a_release_there_is_no_scheme(header: str) -> None:
    """A distribution's own files have no header line, and a fragment's may be empty."""
    kernel = small(header)

    assert kernel.release is None
    assert kernel.scheme is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "#",
        "# end of Kernel hacking",
        "# CONFIG_KVM=y",
        '# CONFIG_LOCALVERSION="',
        "CONFIG_R8723AU=m # a remark",
        'CONFIG_CC_VERSION_TEXT="gcc (GCC) \\"16\\" = # x"  # a remark',
        'CONFIG_LOCALVERSION=""',
        "CONFIG_SOME_NUMBER=-1",
        "CONFIG_SOME_ADDRESS=0xffff000000000000",
        "CONFIG_EMPTY=",
        "CONFIG_TEXT=\u00e9",
        "CONFIG_FORM=a\u2028b",
        "  CONFIG_INDENTED=y\t",
        "CONFIG_DOS=y\r",
    ],
)
def test_lines_that_are_accepted(line: str) -> None:
    """Comments, empty lines, spaces and values of every type are read."""
    kernel = small(line, "CONFIG_KVM=y")

    assert kernel.kvm
    assert 4 == kernel.origins["kvm"].line


def test_an_option_may_stand_twice_with_one_value() -> None:
    """Fragments overlap; the origin is the first line."""
    assert 3 == small("CONFIG_KVM=y", "CONFIG_KVM=y").origins["kvm"].line


# What is refused, and how it is said


@pytest.mark.parametrize(
    ("expected", "lines"),
    [
        (
            (
                "CONFIG_ARM64_64K_PAGES=y (line 3) contradicts CONFIG_ARM64_4K_PAGES=y "
                "(line 1): page size 64K against 4K"
            ),
            ["CONFIG_ARM64_64K_PAGES=y"],
        ),
        (
            (
                "CONFIG_ARM64_4K_PAGES=y (line 1) contradicts CONFIG_PAGE_SHIFT=14 "
                "(line 3): page size 4K against 16K"
            ),
            ["CONFIG_PAGE_SHIFT=14"],
        ),
        (
            (
                "CONFIG_ARM64_VA_BITS_39=y (line 3) contradicts "
                "CONFIG_ARM64_VA_BITS=48 (line 2): VA width 39 bits against 48 bits"
            ),
            ["CONFIG_ARM64_VA_BITS_39=y"],
        ),
        (
            (
                "# CONFIG_ARM64_VA_BITS_48 is not set (line 3) contradicts "
                "CONFIG_ARM64_VA_BITS=48 (line 2): VA width 48 bits"
            ),
            ["# CONFIG_ARM64_VA_BITS_48 is not set"],
        ),
        (
            (
                "CONFIG_ARM64_PA_BITS_48=y (line 4) contradicts "
                "CONFIG_ARM64_PA_BITS=52 (line 3): PA width 48 bits against 52 bits"
            ),
            ["CONFIG_ARM64_PA_BITS=52", "CONFIG_ARM64_PA_BITS_48=y"],
        ),
        (
            (
                "# CONFIG_ARM64_PA_BITS_48 is not set (line 3) has nothing in its "
                "place: PA width 48 bits"
            ),
            ["# CONFIG_ARM64_PA_BITS_48 is not set"],
        ),
        (
            (
                "CONFIG_PGTABLE_LEVELS=3 (line 3) contradicts CONFIG_ARM64_4K_PAGES=y "
                "(line 1) and CONFIG_ARM64_VA_BITS=48 (line 2): these need 4 levels"
            ),
            ["CONFIG_PGTABLE_LEVELS=3"],
        ),
        (
            (
                "# CONFIG_VIRTUALIZATION is not set (line 3) contradicts CONFIG_KVM=y "
                "(line 4): KVM off against on"
            ),
            ["# CONFIG_VIRTUALIZATION is not set", "CONFIG_KVM=y"],
        ),
        (
            (
                "CONFIG_KVM_ARM_HOST=y (line 4) contradicts # CONFIG_KVM is not set "
                "(line 3): KVM on against off"
            ),
            ["# CONFIG_KVM is not set", "CONFIG_KVM_ARM_HOST=y"],
        ),
        (
            (
                "CONFIG_USB=m (line 5) contradicts CONFIG_USB=y (line 3): it is given "
                "twice"
            ),
            ["CONFIG_USB=y", "", "CONFIG_USB=m"],
        ),
        (
            (
                "# Linux/arm64 6.2.0 Kernel Configuration (line 4) contradicts # Linux/"
                "arm64 6.1.0 Kernel Configuration (line 3): it is given twice"
            ),
            [
                "# Linux/arm64 6.1.0 Kernel Configuration",
                "# Linux/arm64 6.2.0 Kernel Configuration",
            ],
        ),
    ],
)
def test_contradictions_name_both_options_and_lines(
    expected: str, lines: list[str]
) -> None:
    """The reader has to find out which of the two is wrong."""
    with pytest.raises(UnreadableInput) as refused:
        small(*lines)

    assert expected == str(refused.value)


def test_two_stray_page_sizes_contradict_where_nothing_else_gives_one() -> None:
    """Two options of the last resort contradict each other."""
    assert (
        "CONFIG_PAGE_SIZE_64KB=y (line 2) contradicts CONFIG_PAGE_SIZE_4KB=y (line 1): "
        "page size 64K against 4K"
    ) == refusal(
        "CONFIG_PAGE_SIZE_4KB=y\nCONFIG_PAGE_SIZE_64KB=y\nCONFIG_ARM64_VA_BITS=48\n"
    )


@pytest.mark.parametrize("page_shift", [12, 14, 16])
@pytest.mark.parametrize("va_bits", [36, 39, 42, 47, 48, 52])
def test_a_va_width_of_another_page_size_is_refused(
    page_shift: int, va_bits: int
) -> None:
    """Kconfig never offered the two together, so the file is damaged."""
    text = f"CONFIG_PAGE_SHIFT={page_shift}\nCONFIG_ARM64_VA_BITS={va_bits}\n"
    if (page_shift, va_bits) in KCONFIG_HOSTS:
        assert Host(page_shift, va_bits) == KernelConfig.from_text(text).host
    else:
        said = refusal(text)
        assert said.startswith(
            f"CONFIG_ARM64_VA_BITS={va_bits} (line 2) contradicts CONFIG_PAGE_SHIFT="
            f"{page_shift} (line 1): {Granule(page_shift)} pages come with a VA of "
        )


def test_the_va_widths_of_a_page_size_are_listed() -> None:
    """The message ends with what would be accepted."""
    assert (
        "CONFIG_ARM64_VA_BITS=39 (line 2) contradicts CONFIG_PAGE_SHIFT=14 (line 1): "
        "16K pages come with a VA of 36, 47, 48 or 52 bits"
    ) == refusal("CONFIG_PAGE_SHIFT=14\nCONFIG_ARM64_VA_BITS=39")


def test_lpa2_contradicts_64k_pages() -> None:
    """LPA2 gives 52 bits to 4K and 16K pages alone."""
    with pytest.raises(UnreadableInput) as refused:
        small("CONFIG_ARM64_LPA2=y", page=64)

    assert (
        "CONFIG_ARM64_LPA2=y (line 3) contradicts CONFIG_ARM64_64K_PAGES=y (line 1): "
        "LPA2 is for 4K and 16K pages"
    ) == str(refused.value)


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("CONFIG_PAGE_SHIFT=13 (line 3) must be 12, 14 or 16", "CONFIG_PAGE_SHIFT=13"),
        (
            "CONFIG_PAGE_SHIFT=012 (line 3) must be 12, 14 or 16",
            "CONFIG_PAGE_SHIFT=012",
        ),
        (
            "CONFIG_ARM64_PA_BITS=40 (line 3) must be 48 or 52",
            "CONFIG_ARM64_PA_BITS=40",
        ),
        ("CONFIG_ARM64_PA_BITS= (line 3) must be 48 or 52", "CONFIG_ARM64_PA_BITS="),
        (
            'CONFIG_PGTABLE_LEVELS="4" (line 3) must be 2, 3, 4 or 5',
            'CONFIG_PGTABLE_LEVELS="4"',
        ),
        (
            "CONFIG_PGTABLE_LEVELS='\\ud800' (line 3) must be 2, 3, 4 or 5",
            "CONFIG_PGTABLE_LEVELS=\ud800",
        ),
        (
            f"CONFIG_PGTABLE_LEVELS={'4' * 57}... (line 3) must be 2, 3, 4 or 5",
            "CONFIG_PGTABLE_LEVELS=" + "4" * 5000,
        ),
        (
            (
                "CONFIG_KVM=m (line 3) must be y or not set; arm64 has it built in "
                "or not at all"
            ),
            "CONFIG_KVM=m",
        ),
        (
            (
                "CONFIG_ARM64_16K_PAGES=1 (line 3) must be y or not set; arm64 has it "
                "built in or not at all"
            ),
            "CONFIG_ARM64_16K_PAGES=1",
        ),
    ],
)
def test_a_value_out_of_range_says_what_is_accepted(expected: str, line: str) -> None:
    """The message has option, line and range, and a value of any length cut short."""
    with pytest.raises(UnreadableInput) as refused:
        small(line)

    assert expected == str(refused.value)


def test_an_invisible_character_is_escaped_once() -> None:
    """A byte order mark is the mistake here, so the message must show it."""
    assert (
        "line 1 is neither CONFIG_X=value nor a comment: '\\ufeffCONFIG_ARM64=y'"
    ) == refusal("\ufeffCONFIG_ARM64=y\nCONFIG_ARM64_4K_PAGES=y\n")


def test_a_va_width_out_of_range_says_what_is_accepted() -> None:
    """A 48 that was cut after its first digit is out of range."""
    assert (
        "CONFIG_ARM64_VA_BITS=4 (line 2) must be 36, 39, 42, 47, 48 or 52"
    ) == refusal("CONFIG_PAGE_SHIFT=12\nCONFIG_ARM64_VA_BITS=4")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("0 lines", ""),
        ("1 line", "CONFIG_ARM64_VA_BITS=48"),
        ("2 lines", "CONFIG_ARM64=y\nCONFIG_ARM64_VA_BITS=48\n"),
        ("2 lines", "# CONFIG_ARM64_4K_PAGES is not set\nCONFIG_ARM64_VA_BITS=48\n"),
    ],
)
def test_without_a_page_size_the_error_says_what_would_give_it(
    lines: str, text: str
) -> None:
    """A defconfig leaves it out; the message lists every option that has it."""
    assert (
        f"no page size in {lines}: CONFIG_PAGE_SHIFT, CONFIG_ARM64_PAGE_SHIFT, "
        "CONFIG_ARM64_4K_PAGES, CONFIG_ARM64_16K_PAGES, CONFIG_ARM64_64K_PAGES, "
        "CONFIG_PAGE_SIZE_4KB, CONFIG_PAGE_SIZE_16KB or CONFIG_PAGE_SIZE_64KB would "
        "give it; a defconfig leaves out what is the default, the .config made from it "
        "does not"
    ) == refusal(text)


def test_without_a_va_width_the_error_says_what_would_give_it() -> None:
    """The page size does not give it: 4K pages come with more than one width."""
    said = refusal("CONFIG_ARM64_4K_PAGES=y\n")

    assert said.startswith("no VA width in 1 line: CONFIG_ARM64_VA_BITS, CONFIG_ARM64_")


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (
            (
                "line 3, '# Linux/x86 6.1.0 Kernel Configuration', is for x86, "
                "not for arm64"
            ),
            "# Linux/x86 6.1.0 Kernel Configuration",
        ),
        (
            "line 3, '# Linux/arm Kernel Configuration', is for arm, not for arm64",
            "# Linux/arm Kernel Configuration",
        ),
        ("CONFIG_X86=y (line 3) is for x86, not for arm64", "CONFIG_X86=y"),
        ("CONFIG_ARM=y (line 3) is for arm, not for arm64", "CONFIG_ARM=y"),
        ("CONFIG_RISCV=y (line 3) is for riscv, not for arm64", "CONFIG_RISCV=y"),
        ("CONFIG_PPC64=y (line 3) is for ppc64, not for arm64", "CONFIG_PPC64=y"),
        ("CONFIG_S390=y (line 3) is for s390, not for arm64", "CONFIG_S390=y"),
        (
            (
                "# CONFIG_ARM64 is not set (line 3): this is for another architecture "
                "than arm64"
            ),
            "# CONFIG_ARM64 is not set",
        ),
    ],
)
def test_another_architecture_is_named(expected: str, line: str) -> None:
    """By its header line or by its own option."""
    with pytest.raises(UnreadableInput) as refused:
        small(line)

    assert expected == str(refused.value)


def test_another_architecture_comes_before_what_is_missing() -> None:
    """An x86 configuration has no arm64 page size, but that is not what is wrong."""
    assert "CONFIG_X86_64=y (line 1) is for x86_64, not for arm64" == refusal(
        "CONFIG_X86_64=y\nCONFIG_PGTABLE_LEVELS=5\n"
    )


def test_options_of_other_architectures_may_be_off() -> None:
    """A name that only begins like one of them is accepted too."""
    kernel = small("# CONFIG_X86 is not set", "CONFIG_ARM_GIC=y", "CONFIG_ARM64=y")

    assert 12 == kernel.host.page_shift


def test_a_header_line_without_a_release_number() -> None:
    """A header line with another word in its place is refused."""
    with pytest.raises(UnreadableInput) as refused:
        small("# Linux/arm64 next Kernel Configuration")

    assert (
        "the header line (line 3) has 'next' where the release belongs, such as '6.1.0'"
    ) == str(refused.value)


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ("is neither CONFIG_X=value nor a comment: 'KVM=y'", "KVM=y"),
        ("is neither CONFIG_X=value nor a comment: 'CONFIG_KVM'", "CONFIG_KVM"),
        ("is neither CONFIG_X=value nor a comment: 'CONFIG_=y'", "CONFIG_=y"),
        ("is neither CONFIG_X=value nor a comment: 'CONFIG_K VM=y'", "CONFIG_K VM=y"),
        (
            "is neither CONFIG_X=value nor a comment: 'CONFIG_\u00c9=y'",
            "CONFIG_\u00c9=y",
        ),
        ("is neither CONFIG_X=value nor a comment: '<html>'", "<html>"),
        ("has a quotation that does not end: 'CONFIG_S=\"a'", 'CONFIG_S="a'),
        ('has a quotation that does not end: \'CONFIG_S="a"b"\'', 'CONFIG_S="a"b"'),
        (
            "has a quotation that does not end: 'CONFIG_S=\"a\\\\\"'",
            'CONFIG_S="a\\"',
        ),
    ],
)
def test_a_malformed_line_is_shown_with_its_number(expected: str, line: str) -> None:
    """The first line that Kconfig never writes ends the reading."""
    with pytest.raises(UnreadableInput) as refused:
        small(line, "CONFIG_KVM=y")

    assert f"line 3 {expected}" == str(refused.value)


@pytest.mark.parametrize(
    "end",
    [
        "CONF",
        "CONFIG_K",
        "CONFIG_KVM=",
        'CONFIG_LOCALVERSION="-am',
        "# CONFIG_KV",
        "# CONFIG_KVM is n",
        "# CONFIG_KVM is not se",
    ],
)
def test_a_text_that_ends_in_the_middle_of_a_line_is_cut_short(end: str) -> None:
    """The last line has no newline, and it is not whole."""
    said = refusal(f"CONFIG_PAGE_SHIFT=12\nCONFIG_ARM64_VA_BITS=48\n{end}")

    assert said.startswith("line 3 ")
    assert "cut short" in said
    assert repr(end) in said


@pytest.mark.parametrize(
    "end", ["CONFIG_KVM=y", "# CONFIG_KVM is not set", "# the end"]
)
def test_a_last_line_needs_no_newline(end: str) -> None:
    """A text that a person wrote may end without one."""
    text = f"CONFIG_PAGE_SHIFT=12\nCONFIG_ARM64_VA_BITS=48\n{end}"

    assert ("KVM=y" in end) is KernelConfig.from_text(text).kvm


def many(count: int, *, value: str = "y") -> list[str]:
    """Return as many settings of some drivers, of which one is off."""
    return ["# CONFIG_DRIVER is not set"] + [
        f"CONFIG_DRIVER_{number}={value}" for number in range(count - 1)
    ]


@pytest.mark.parametrize(
    "mark", ["# Linux/arm64 6.1.0 Kernel Configuration", "CONFIG_ARM64=y"]
)
@pytest.mark.parametrize(
    ("missing", "last"),
    [("CONFIG_VIRTUALIZATION", ""), ("CONFIG_KVM", "CONFIG_VIRTUALIZATION=y")],
)
def test_a_file_of_kconfigs_own_has_a_line_about_kvm(
    mark: str, missing: str, last: str
) -> None:
    """Without it, the file ended too early for an answer about KVM."""
    with pytest.raises(
        UnreadableInput, match=rf"no line about {missing}, set or not, in"
    ):
        small(mark, *many(300), last)


@pytest.mark.parametrize(
    "lines",
    [
        ["CONFIG_ARM64=y", *many(50)],  # a text by hand
        many(300),  # a defconfig
        ["CONFIG_ARM64=y", *many(300)[1:]],  # only what is on
        ["CONFIG_ARM64=y", *many(300), "# CONFIG_VIRTUALIZATION is not set"],
        ["CONFIG_ARM64=y", "CONFIG_VIRTUALIZATION=y", *many(300)],
    ],
)
def test_other_files_need_no_line_about_kvm(lines: list[str]) -> None:
    """A text by hand, a defconfig and a list of what is on leave out what is off."""
    assert not small(*lines).kvm


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ("line 2 has the control character 0x00: ", b"# a\n\0"),
        ("line 1 has the control character 0x7f: ", b"\x7fELF"),
        ("byte 0xff at offset 5, line 2, is no UTF-8: ", b"# a\n#\xff"),
        ("byte 0x8b at offset 1, line 1, is no UTF-8: ", b"(\x8b"),
        ("line 1 has the control character 0x00: ", "CONFIG".encode("utf-16-le")),
    ],
)
def test_binary_data_are_no_configuration(expected: str, data: bytes) -> None:
    """The message has the first place that is no text."""
    said = refusal(data)

    assert f"{expected}this is binary, not a kernel's .config" == said


def test_text_with_control_characters_is_refused() -> None:
    """Binary data that were decoded as text are still binary."""
    assert refusal("# a\n#\x1b").startswith("line 2 has the control character 0x1b")


# gzip and paths

TEXT = (
    "# Linux/arm64 6.6.0 Kernel Configuration\n"
    "CONFIG_ARM64_4K_PAGES=y\n"
    "CONFIG_ARM64_VA_BITS=39\n"
    "CONFIG_KVM=y\n"
)
PACKED = gzip.compress(TEXT.encode(), mtime=0)


@pytest.mark.parametrize("given", [TEXT, TEXT.encode(), PACKED])
def test_text_bytes_and_gzip_are_read_alike(given: str | bytes) -> None:
    """Packed data are recognized by their first bytes, not by a name."""
    assert KernelConfig.from_text(TEXT) == KernelConfig.from_text(given)


@pytest.mark.parametrize("kept", [2, 5, 10, 20, len(PACKED) - 1])
def test_gzip_that_is_cut_short(kept: int) -> None:
    """It is refused wherever it is cut, even if all of the text is there."""
    assert f"the gzip data are cut short after {kept} bytes" == refusal(PACKED[:kept])


@pytest.mark.parametrize(
    "data",
    [
        PACKED[:12] + b"\xff\xff\xff" + PACKED[15:],
        PACKED[:-6] + b"\0\0\0\0\0\0",
        PACKED + b"more",
        b"\x1f\x8b\x09" + PACKED[3:],
    ],
)
def test_gzip_that_is_damaged(data: bytes) -> None:
    """A wrong checksum alone is refused."""
    assert refusal(data).startswith("the gzip data are damaged: ")


MIB = 1 << 20


@pytest.mark.parametrize(
    "given",
    [
        "#" * (16 * MIB + 1),
        b"#" * (16 * MIB + 1),
        gzip.compress(b"#" * (17 * MIB), 1),
    ],
    ids=["text", "bytes", "bomb"],
)
def test_too_much_is_refused_before_it_is_read(given: str | bytes) -> None:
    """Text, bytes and a gzip bomb of more than 16 MiB are not parsed."""
    assert (
        "a kernel's .config has at most 16 MiB, unpacked; this has more"
    ) == refusal(given)


def test_a_path_may_be_text_or_a_path(tmp_path: Path) -> None:
    """The file may be plain or packed, whatever its name."""
    plain, packed = tmp_path / "config-6.6.0", tmp_path / "config.gz"
    plain.write_text(TEXT)
    packed.write_bytes(PACKED)

    expected = KernelConfig.from_text(TEXT)

    assert (
        expected == KernelConfig.from_path(plain) == KernelConfig.from_path(str(packed))
    )


def test_a_message_about_a_file_begins_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads many files sees which one it was."""
    monkeypatch.chdir(tmp_path)
    Path("config").write_text("KVM=y\n")
    with pytest.raises(UnreadableInput) as refused:
        KernelConfig.from_path("config")

    assert "config: line 1 is neither CONFIG_X=value nor a comment: 'KVM=y'" == str(
        refused.value
    )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The cause is the system's error; callers catch ours alone."""
    with pytest.raises(UnreadableInput, match="No such file") as refused:
        KernelConfig.from_path(tmp_path / "absent")

    assert isinstance(refused.value.__cause__, FileNotFoundError)
    with pytest.raises(UnreadableInput):
        KernelConfig.from_path(tmp_path)
    with pytest.raises(UnreadableInput):
        KernelConfig.from_path("a\0b")


@pytest.mark.parametrize("value", [None, 3, ["CONFIG_KVM=y"], bytearray(b"#")])
def test_text_of_a_wrong_type(value: object) -> None:
    """A wrong type is a TypeError."""
    with pytest.raises(TypeError, match="text must be str or bytes, got "):
        KernelConfig.from_text(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, 0, b"/proc/config.gz"])
def test_a_path_of_a_wrong_type(value: object) -> None:
    """A number is a TypeError: `open(0)` would read the standard input."""
    with pytest.raises(TypeError, match="path must be text or a path, got "):
        KernelConfig.from_path(value)  # type: ignore[arg-type]


# Which guests a release accepts

NOTHING: tuple[int, ...] = ()
ONLY_40 = (40,)


def upto(last: int, *more: int) -> tuple[int, ...]:
    """Return the widths from 32 bits to the last, and more."""
    return (*range(32, last + 1), *more)


def sizes(
    release: str,
    page_shift: int,
    va_bits: int,
    pa_bits: int = 48,
    cpu: Cpu | None = None,
) -> tuple[int, ...]:
    """Return the widths that a release with KVM accepts."""
    host = Host(page_shift, va_bits, pa_bits)
    return KernelConfig(host, release, kvm=True).ipa_sizes(cpu).accepted


@pytest.mark.parametrize(("page_shift", "va_bits"), KCONFIG_HOSTS)
@pytest.mark.parametrize("release", ["3.18.0-12", "4.4.193-1", "4.6", "4.6.7"])
def test_before_v4_7_guests_have_40_bits(
    release: str, page_shift: int, va_bits: int
) -> None:
    """There is none with 16K pages, and none on a CPU with a smaller PARange."""
    expected = NOTHING if page_shift == 14 else ONLY_40

    assert expected == sizes(release, page_shift, va_bits)
    assert expected == sizes(release, page_shift, va_bits, cpu=Cpu(40))
    assert NOTHING == sizes(release, page_shift, va_bits, cpu=Cpu(36))


@pytest.mark.parametrize(("page_shift", "va_bits"), KCONFIG_HOSTS)
@pytest.mark.parametrize("release", ["4.7", "4.9.219-1", "4.19.325"])
@pytest.mark.parametrize("cpu", [None, Cpu(32), Cpu(48), Cpu(52, lpa2=True)])
def test_from_v4_7_to_v4_19_guests_have_40_bits(
    release: str, page_shift: int, va_bits: int, cpu: Cpu | None
) -> None:
    """On a CPU with fewer bits KVM warns, and accepts the guest."""
    assert ONLY_40 == sizes(release, page_shift, va_bits, cpu=cpu)


@pytest.mark.parametrize("release", ["4.20", "5.0.1", "5.4.18", "5.8.18"])
@pytest.mark.parametrize(
    ("expected", "page_shift", "va_bits", "pa_bits"),
    [
        (43, 12, 39, 48),
        (48, 12, 48, 48),
        (40, 14, 36, 48),
        (48, 14, 47, 48),
        (48, 14, 48, 48),
        (46, 16, 42, 48),
        (46, 16, 42, 52),
        (48, 16, 48, 48),
        (52, 16, 48, 52),
        (52, 16, 52, 52),
    ],
)
def test_from_v4_20_to_v5_9_the_host_limits_its_guests(
    release: str, expected: int, page_shift: int, va_bits: int, pa_bits: int
) -> None:
    """The limits are the host's levels, its PA width and the CPU's PARange."""
    assert upto(expected) == sizes(release, page_shift, va_bits, pa_bits)
    assert upto(min(expected, 44)) == sizes(
        release, page_shift, va_bits, pa_bits, Cpu(44)
    )
    assert upto(36, 40) == sizes(release, page_shift, va_bits, pa_bits, Cpu(36))


@pytest.mark.parametrize(
    ("expected", "release"),
    [
        ((52, 40), "5.10"),
        ((52, 40), "5.10.23"),
        ((52, 0), "5.10.24"),
        ((52, 0), "5.10.67"),
        ((48, 0), "5.10.68"),
        ((48, 0), "5.10.198"),
        ((48, 0), "5.10.223"),
        ((52, 40), "5.11"),
        ((52, 0), "5.11.7"),
        ((52, 0), "5.12"),
        ((52, 0), "5.13.13"),
        ((52, 0), "5.14.6"),
        ((48, 0), "5.14.7"),
        ((48, 0), "5.15.100"),
        ((48, 0), "6.1.0-18-arm64"),
        ((48, 0), "6.7.12"),
    ],
)
def test_from_v5_10_to_v6_7_the_cpu_alone_limits_guests(
    expected: tuple[int, int], release: str
) -> None:
    """Two fixes came later: 48 bits for 4K and 16K, and no default above PARange.

    Stable branches have them from the release on whose review announced the patch.
    """
    widest, default = expected
    narrow = upto(36, 40) if default else upto(36)
    for page_shift, va_bits in KCONFIG_HOSTS:
        most = 52 if page_shift == 16 else widest

        assert upto(most) == sizes(release, page_shift, va_bits)
        assert upto(most) == sizes(release, page_shift, va_bits, cpu=Cpu(52))
        assert upto(44) == sizes(release, page_shift, va_bits, cpu=Cpu(44))
        assert narrow == sizes(release, page_shift, va_bits, cpu=Cpu(36))


def test_v5_4_has_the_default_fixed_from_5_4_106() -> None:
    """The stable branches between v5.4 and v5.10 ended before the fix."""
    expected = {
        "5.4.105": upto(36, 40),
        "5.4.106": upto(36),
        "5.5": upto(36, 40),
        "5.9.16": upto(36, 40),
    }

    assert expected == {
        release: sizes(release, 12, 48, cpu=Cpu(36)) for release in expected
    }


@pytest.mark.parametrize("release", ["6.8", "6.12.117", "7.2.0-rc5"])
@pytest.mark.parametrize(("page_shift", "va_bits"), KCONFIG_HOSTS)
def test_from_v6_8_lpa2_lifts_the_cap(
    release: str, page_shift: int, va_bits: int
) -> None:
    """It does for each page size alone, whatever the host's own tables are."""
    granule = Granule(page_shift)
    without = 52 if granule is Granule.K64 else 48
    others = frozenset({Granule.K4, Granule.K16} - {granule})

    assert upto(52) == sizes(release, page_shift, va_bits)
    assert upto(52) == sizes(release, page_shift, va_bits, cpu=Cpu(52, lpa2=True))
    assert upto(52) == sizes(release, page_shift, va_bits, cpu=Cpu(56, lpa2=True))
    assert upto(without) == sizes(release, page_shift, va_bits, cpu=Cpu(52))
    assert upto(without) == sizes(
        release, page_shift, va_bits, cpu=Cpu(52, lpa2=others)
    )
    assert upto(42) == sizes(release, page_shift, va_bits, cpu=Cpu(42, lpa2=True))


@pytest.mark.parametrize("granule", list(Granule))
@pytest.mark.parametrize(
    ("refused", "release"),
    [
        (False, "4.7"),
        (False, "5.8"),
        (True, "5.9"),
        (True, "5.10.198"),
        (True, "6.8"),
    ],
)
def test_from_v5_9_the_cpu_needs_the_granule_at_stage_2(
    granule: Granule, refused: bool, release: str
) -> None:
    """Before v5.9 KVM did not look at it."""
    cpu = Cpu(48, granules=set(Granule) - {granule})

    assert refused is (sizes(release, granule, 48, cpu=cpu) == NOTHING)
    assert sizes(release, granule, 48, cpu=Cpu(48, granules={granule}))


@pytest.mark.parametrize(
    ("refused", "release"),
    [
        (False, "5.8"),
        (True, "5.9"),
        (True, "5.10.152"),
        (False, "5.10.153"),
        (True, "5.11.22"),
        (False, "5.12"),
    ],
)
def test_v5_9_to_v5_11_take_an_lpa2_granule_for_an_unknown_one(
    refused: bool, release: str
) -> None:
    """ID_AA64MMFR0_EL1.TGran4_2 is 3 there; 64K has no such value."""
    cpu = Cpu(48, lpa2={Granule.K4})

    assert refused is (sizes(release, 12, 48, cpu=cpu) == NOTHING)
    assert sizes(release, 14, 48, cpu=cpu)
    assert sizes(release, 16, 48, cpu=Cpu(48, lpa2=True))


CPUS = [
    None,
    *(
        Cpu(pa_bits, lpa2=lpa2)
        for pa_bits in (32, 40, 44, 48, 52)
        for lpa2 in (False, True)
    ),
    Cpu(48, granules={Granule.K4}),
]


@pytest.mark.parametrize("release", ["6.7", "7.1.5"])
@pytest.mark.parametrize(("page_shift", "va_bits"), KCONFIG_HOSTS)
def test_the_last_release_of_a_scheme_is_what_the_scheme_says(
    release: str, page_shift: int, va_bits: int
) -> None:
    """`Host.check` and `ipa_sizes` agree on every width, with every CPU."""
    host = Host(page_shift, va_bits)
    scheme = Scheme.for_release(release)
    for cpu in CPUS:
        expected = tuple(
            ipa_bits
            for ipa_bits in range(25, 56)
            if not host.check(ipa_bits, scheme=scheme, cpu=cpu)
        )

        assert expected == sizes(release, page_shift, va_bits, cpu=cpu)


@pytest.mark.parametrize(
    ("expected", "release", "page"),
    [
        ((False, False), "4.6", 4),
        ((False, False), "4.6", 16),
        ((False, False), "4.19", 4),
        ((True, False), "4.20", 4),
        ((True, False), "5.9", 16),
        ((True, False), "6.7", 4),
        ((True, True), "6.8", 4),
        ((True, True), "6.8", 16),
        ((True, False), "6.8", 64),
    ],
)
def test_needs_parange_and_needs_lpa2(
    expected: tuple[bool, bool], release: str, page: int
) -> None:
    """They say what a CPU would decide; with a CPU both are False."""
    kernel = small("CONFIG_KVM=y", page=page)

    open_ = kernel.ipa_sizes(release=release)
    closed = kernel.ipa_sizes(Cpu(48), release=release)

    assert expected == (open_.needs_parange, open_.needs_lpa2)
    assert (False, False) == (closed.needs_parange, closed.needs_lpa2)


@pytest.mark.parametrize("release", ["4.6", "4.19", "5.9", "5.10", "6.12"])
def test_without_kvm_there_is_no_guest(release: str) -> None:
    """There are no widths, and no CPU could change that."""
    assert IpaSizes((), needs_parange=False, needs_lpa2=False) == small().ipa_sizes(
        release=release
    )


def test_a_release_may_be_given_instead() -> None:
    """It takes the place of the release in the header line."""
    kernel = KernelConfig.from_text(TEXT)

    assert 48 == kernel.ipa_sizes().widths[-1]
    assert ONLY_40 == kernel.ipa_sizes(release="v4.18").widths


def test_sizes_need_a_release() -> None:
    """The answer depends on it, so there is no default."""
    with pytest.raises(UnreadableInput) as refused:
        small("CONFIG_KVM=y").ipa_sizes()

    assert (
        "the configuration has no header line with the release, and which IPA sizes "
        'KVM accepts depends on it; give it: ipa_sizes(release="6.1")'
    ) == str(refused.value)


def test_a_release_before_v3_18() -> None:
    """The configuration is read, but has no scheme, and widths are refused."""
    kernel = small("# Linux/arm64 3.17.8 Kernel Configuration", "CONFIG_KVM=y")

    assert "3.17.8" == kernel.release
    assert kernel.scheme is None
    with pytest.raises(UnsupportedCombination, match=r"3\.17\.8 is older than"):
        kernel.ipa_sizes()


def test_a_release_without_a_number() -> None:
    """It is an InvalidArgument."""
    kernel = small("CONFIG_KVM=y")
    with pytest.raises(InvalidArgument):
        kernel.ipa_sizes(release="next")
    with pytest.raises(TypeError):
        kernel.ipa_sizes(release=6)  # type: ignore[arg-type]


def test_a_cpu_of_a_wrong_type() -> None:
    """A number of bits is a TypeError."""
    with pytest.raises(TypeError, match="cpu must be a Cpu or None, got 48"):
        small("CONFIG_KVM=y").ipa_sizes(48, release="6.1")  # type: ignore[arg-type]


# The values


def test_a_configuration_is_a_value() -> None:
    """Frozen, hashable, picklable, and its repr makes it again."""
    kernel = KernelConfig.from_text(TEXT)
    names = {
        "KernelConfig": KernelConfig,
        "Host": Host,
        "Origin": Origin,
        "IpaSizes": IpaSizes,
    }
    found = kernel.ipa_sizes()

    assert kernel == pickle.loads(pickle.dumps(kernel))  # noqa: S301
    assert kernel == eval(repr(kernel), names)  # noqa: S307
    assert found == eval(repr(found), names)  # noqa: S307
    assert 1 == len({kernel, KernelConfig.from_text(TEXT)})
    assert kernel != evolve(kernel, release="6.7")
    assert kernel == evolve(kernel, origins=kernel.origins)
    with pytest.raises(FrozenInstanceError):
        kernel.kvm = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        kernel.origins["kvm"] = kernel.origins["va_bits"]  # type: ignore[index]


def test_a_configuration_may_be_made_by_hand() -> None:
    """It has no origins; everything else works."""
    kernel = KernelConfig(Host(12, 48), "6.1", kvm=True)

    assert {} == kernel.origins
    assert Scheme.INDEPENDENT is kernel.scheme
    assert 48 == kernel.ipa_sizes().widths[-1]


@pytest.mark.parametrize(
    ("error", "host", "release", "kvm"),
    [
        (TypeError, (12, 48), "6.1", True),
        (TypeError, Host(12, 48), 6, True),
        (InvalidArgument, Host(12, 48), "next", True),
        (TypeError, Host(12, 48), "6.1", 1),
    ],
)
def test_a_configuration_by_hand_is_checked(
    error: type[Exception], host: object, release: object, kvm: object
) -> None:
    """A wrong type and a release without a number are refused."""
    with pytest.raises(error):
        KernelConfig(host, release, kvm)  # type: ignore[arg-type]


def test_a_host_that_kconfig_never_offered_may_have_no_width_but_the_default() -> None:
    """25 bits of 16K pages reach 29 bits of IPA: v4.20 then had the default alone."""
    assert ONLY_40 == sizes("4.20", 14, 25)


def test_plain_data() -> None:
    """What the command line prints with --json."""
    data = json.loads(json.dumps(KernelConfig.from_text(TEXT).to_dict()))

    assert {
        "host": {"page_shift": 12, "va_bits": 39, "pa_bits": 48},
        "release": "6.6.0",
        "scheme": "independent",
        "kvm": True,
    } == {name: value for name, value in data.items() if name != "origins"}
    assert {
        "value": True,
        "option": "CONFIG_KVM",
        "line": 4,
        "words": "read from CONFIG_KVM=y, line 4",
    } == data["origins"]["kvm"]
    assert {
        "value": 3,
        "option": None,
        "line": None,
        "words": "derived from page size and VA width",
    } == data["origins"]["pgtable_levels"]


def test_plain_data_without_a_release() -> None:
    """Neither release nor scheme."""
    data = small().to_dict()

    assert (None, None) == (data["release"], data["scheme"])


# What such a kernel answers


def test_a_kernel_answers_as_its_release() -> None:
    """`stage2`, `check` and `max_ipa_bits` are those of the release, for its host."""
    kernel = KernelConfig(Host(14, 36), "5.4", kvm=True)

    assert stage2(14, 40, 36, release="5.4") == kernel.stage2(40)
    assert check(14, 41, 36, release="5.4") == kernel.check(41)
    assert () == kernel.check(41, release="6.1")
    assert (40, 36) == (kernel.max_ipa_bits(), kernel.max_ipa_bits(Cpu(36)))
    with pytest.raises(UnsupportedCombination) as refused:
        kernel.stage2(41)
    assert 40 == refused.value.widest_ipa_bits
    assert kernel.check(41) == refused.value.violations


def test_without_kvm_every_width_is_refused() -> None:
    """The other limits that are broken are reported too."""
    kernel = KernelConfig(Host(14, 36), "5.4", kvm=False)
    with pytest.raises(UnsupportedCombination) as refused:
        kernel.stage2(41)

    assert ["kvm-not-built"] == [why.rule for why in kernel.check(40)]
    assert ["kvm-not-built", "ipa-above-va-limit"] == [
        why.rule for why in kernel.check(41)
    ]
    assert kernel.check(41) == refused.value.violations
    assert refused.value.widest_ipa_bits is None
    assert kernel.max_ipa_bits() is None
    with pytest.raises(UnsupportedCombination):
        kernel.stage2(40)
    assert ["kvm-not-built", "release-before-3.18"] == [
        why.rule for why in kernel.check(40, release="3.10")
    ]


def test_premises_of_a_configuration() -> None:
    """They say once what the release assumes, and are not compared."""
    kernel = KernelConfig(Host(12, 48), "5.10.0-32-arm64", kvm=True)
    premise = "5.10.0-32-arm64 has every stable back-port of v5.10"

    assert (premise,) == kernel.premises
    assert premise == kernel.ipa_sizes().premises[0]
    assert (premise,) == kernel.ipa_sizes(Cpu(44)).premises
    for same in (
        pickle.loads(pickle.dumps(kernel)),  # noqa: S301
        evolve(kernel),
        eval(repr(kernel)),  # noqa: S307
    ):
        assert kernel == same
        assert (premise,) == same.premises
    assert kernel == evolve(kernel, premises=("more",))
    assert () == KernelConfig(Host(12, 48), "3.10", kvm=True).premises


EL8 = (
    "# Linux/arm64 4.18.0 Kernel Configuration",
    "CONFIG_ARM64_USER_VA_BITS_52=y",
    "CONFIG_ARM64_PA_BITS=52",
    "CONFIG_KVM=y",
)


def test_an_option_shows_a_vendors_newer_code() -> None:
    """ARM64_USER_VA_BITS_52 came with v5.0, so EL8's 4.18 has that code."""
    kernel = small(*EL8, page=64)

    assert "4.18.0" == kernel.release
    assert Scheme.DYNAMIC is kernel.scheme
    assert "5.0 (shown by CONFIG_ARM64_USER_VA_BITS_52=y, line 4)" == str(
        kernel.origins["code"]
    )
    assert (
        "v4.18 with CONFIG_ARM64_USER_VA_BITS_52 is code of v5.0 or later",
    ) == kernel.premises
    assert upto(52) == kernel.ipa_sizes().widths
    assert ONLY_40 == kernel.ipa_sizes(release="4.19").widths


@pytest.mark.parametrize(
    "lines",
    [
        ("# Linux/arm64 4.18.0 Kernel Configuration", "CONFIG_KVM=y"),
        ("# Linux/arm64 5.0.1 Kernel Configuration", EL8[1], "CONFIG_KVM=y"),
    ],
    ids=["without it", "upstream"],
)
def test_an_option_under_another_number_changes_nothing(lines: tuple[str, ...]) -> None:
    """CONFIG_ARM64_USER_VA_BITS_52 counts under 4.18 alone."""
    kernel = small(*lines, page=64)

    assert "code" not in kernel.origins
    assert () == kernel.premises


def test_an_option_counts_under_a_release_that_is_named_later() -> None:
    """A distribution's own file has no header line, and 4.18.0 is given beside it."""
    kernel = small(*EL8[1:], page=64)

    assert kernel.release is None
    assert () == kernel.premises
    assert upto(52) == kernel.ipa_sizes(release="4.18.0").widths
    assert upto(52)[-1] == kernel.max_ipa_bits(release="4.18")
    assert () == kernel.check(44, release="4.18.0")
    assert (
        "v4.18 with CONFIG_ARM64_USER_VA_BITS_52 is code of v5.0 or later"
        in kernel.ipa_sizes(release="4.18.0").premises
    )
    assert ONLY_40 == kernel.ipa_sizes(release="4.19").widths


def test_a_defconfig_with_what_it_leaves_out() -> None:
    """Page size and VA width can be given where no option has them."""
    text = "CONFIG_KVM=y\n"
    kernel = KernelConfig.from_text(text, page_shift=12, va_bits=48)

    assert Host(12, 48) == kernel.host
    assert (
        "page size 4K was given, not read",
        "VA width 48 bits was given, not read",
    ) == kernel.premises
    assert "12 (derived from what the caller gave)" == str(kernel.origins["page_shift"])
    whole = KernelConfig.from_text(TEXT, page_shift=12, va_bits=39)
    assert KernelConfig.from_text(TEXT) == whole
    assert () == whole.premises


@pytest.mark.parametrize(
    ("message", "given"),
    [
        (
            "contradicts the page size that was given: 4K against 16K",
            {"page_shift": 14},
        ),
        ("contradicts the VA width that was given: 39 bits against", {"va_bits": 48}),
    ],
)
def test_what_is_given_may_not_contradict_the_file(
    message: str, given: dict[str, int]
) -> None:
    """A given value that differs from the file's is an error."""
    with pytest.raises(UnreadableInput, match=message):
        KernelConfig.from_text(TEXT, **given)


def test_given_values_are_checked(tmp_path: Path) -> None:
    """`from_text` and `from_path` refuse wrong types and values out of range."""
    path = tmp_path / "config"
    path.write_text("CONFIG_KVM=y\n")

    assert Host(16, 42) == KernelConfig.from_path(path, page_shift=16, va_bits=42).host
    with pytest.raises(InvalidArgument, match="page_shift must be 12"):
        KernelConfig.from_path(path, page_shift=13)
    with pytest.raises(InvalidArgument, match=r"va_bits must be 25\.\.52"):
        KernelConfig.from_path(path, va_bits=64)
    with pytest.raises(UnreadableInput) as refused:
        KernelConfig.from_path(path, page_shift=16, va_bits=45)
    assert str(refused.value).endswith(
        "the VA width 45 bits that was given contradicts the page size 64K that was "
        "given: 64K pages come with a VA of 42, 48 or 52 bits"
    )


def test_a_configuration_before_v3_18_is_too_old() -> None:
    """Linux v3.16 had no option for the VA width: it is no defconfig."""
    with pytest.raises(UnreadableInput) as refused:
        KernelConfig.from_text(
            "# Linux/arm64 3.16.7 Kernel Configuration\n"
            "# CONFIG_ARM64_64K_PAGES is not set\nCONFIG_ARM64_4K_PAGES=y\n"
        )

    assert (
        "Linux 3.16.7 (line 1) is older than v3.18, the oldest kernel whose "
        "configuration is read here: its VA width has no option"
    ) == str(refused.value)


def test_ipa_sizes_without_accepted() -> None:
    """They are the widths, as in a pickle of 0.1.0."""
    stored = (
        b"\x80\x04\x95K\x00\x00\x00\x00\x00\x00\x00\x8c\x06s2geom\x94\x8c\x08IpaSizes"
        b"\x94\x93\x94)\x81\x94}\x94(\x8c\x06widths\x94K(\x85\x94\x8c\rneeds_parange"
        b"\x94\x89\x8c\nneeds_lpa2\x94\x89ub."
    )
    sizes = pickle.loads(stored)  # noqa: S301

    assert IpaSizes((40,), needs_parange=False, needs_lpa2=False) == sizes
    assert ((40,), ()) == (sizes.accepted, sizes.premises)
