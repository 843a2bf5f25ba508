# SPDX-License-Identifier: MIT
"""The command: what it prints, what it returns, and how it refuses."""

import errno
import io
import json
import os
import runpy
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from s2geom.cli import decode
from s2geom.cli import main as cli

CONFIGS = Path(__file__).parents[1] / "data" / "configs"
DEBIAN_16K = str(CONFIGS / "debian-6.12-arm64-16k.config.gz")
DEBIAN_RT = str(CONFIGS / "debian-6.1-rt-arm64.config.gz")


class Ran:
    """What a run of the command left behind."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        """The output, read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command in this process."""

    def _run(line: str, *further: str) -> Ran:
        try:
            status = cli.main([*line.split(), *further])
        except SystemExit as left:  # argparse leaves this way
            status = int(str(left.code))
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return _run


def test_show_prints_the_shape_and_the_scheme(run: Any) -> None:
    """The seed's configuration, to the letter."""
    ran = run("show --page-size 16K --ipa 40 --va 36")

    assert (0, "") == (ran.status, ran.err)
    assert ran.out == (
        "16K pages, 40-bit IPA, 36-bit host VA; scheme static (Linux v4.7-v4.19)\n"
        "\n"
        "levels         2\n"
        "start level    2\n"
        "root tables    16 (concatenated)\n"
        "PGD entries    32768\n"
        "PGD size       256 KiB (16 pages)\n"
        "PGD alignment  256 KiB\n"
        "entry maps     32 MiB (shift 25)\n"
        "cache pages    1\n"
        "T0SZ           24\n"
        "paging form    14,11,15\n"
        "LPA2           no\n"
        "\n"
        "level  index bits  entries  tables  entry maps  leaf   contiguous\n"
        "    2          15    32768      16  32 MiB      block          32\n"
        "    3          11     2048       1  16 KiB      page          128\n"
    )


def test_a_refusal_begins_with_the_reason(run: Any) -> None:
    """One line first: which limit, whose, and what would fit; exit code 1."""
    ran = run("show --page-size 16K --ipa 41 --va 36")

    assert 1 == ran.status
    assert ran.out.splitlines()[:5] == [
        (
            "not supported: a 41-bit IPA needs 3 stage-2 levels, but a 16K host with a "
            "36-bit VA has 2; the largest IPA it supports is 40 bits "
            "(Linux v4.7-v5.9; not since v5.10)"
        ),
        "  limit   host kernel: 2, given 3",
        (
            "  fix     use an IPA of at most 40 bits, or a host kernel with a 47-bit "
            "VA, or Linux v5.10 or later"
        ),
        "  rule    levels-exceed-host",
        (
            "  source  Linux v4.7, kvm: arm64: Get rid of fake page table levels "
            "(da04fa04dc91)"
        ),
    ]


@pytest.mark.parametrize(
    ("scheme", "kernel"),
    [
        ("fake-pgd", "4.6"),
        ("static", "v4.7"),
        ("dynamic", "5.4.0-150-generic"),
        ("independent", "6.1.0-18-arm64"),
        ("lpa2", "6.8"),
    ],
)
def test_a_kernel_picks_its_scheme(run: Any, scheme: str, kernel: str) -> None:
    """``--kernel`` and ``--scheme`` are two spellings of one choice."""
    line = "show --page-size 4K --ipa 40 --json"
    by_release = run(f"{line} --kernel {kernel}").json

    assert scheme == by_release["scheme"]
    assert by_release == run(f"{line} --scheme {scheme}").json


def test_a_cpu_bounds_the_answer(run: Any) -> None:
    """``--pa`` is the CPU's PARange, ``--lpa2`` its feature."""
    narrow = run("show --page-size 4K --ipa 48 --pa 44 --kernel 6.8 --json")
    wide = run("show --page-size 4K --ipa 52 --pa 52 --lpa2 --kernel 6.8 --json")

    assert (1, ["ipa-above-parange"]) == (
        narrow.status,
        [why["rule"] for why in narrow.json["violations"]],
    )
    assert (0, True) == (wide.status, wide.json["geometry"]["lpa2"])


def test_a_width_that_the_default_kernels_never_had_is_remarked(run: Any) -> None:
    """They had 40 bits alone, so whoever asks for 44 means another kernel."""
    remark = (
        "No kernel was named, so this is how v4.7-v4.19 would do it, which had 40 bits "
        "alone; name yours: --kernel 6.12"
    )

    assert remark == run("show --page-size 4K --ipa 44").out.splitlines()[-1]
    assert remark not in run("show --page-size 4K --ipa 40").out
    assert remark not in run("show --page-size 4K --ipa 44 --kernel 6.12").out


def test_the_version_is_the_package_s(run: Any) -> None:
    """One line, and nothing else is asked."""
    ran = run("--version")

    assert (0, f"s2geom {version('s2geom')}\n") == (ran.status, ran.out)


def test_json_has_every_derived_number(run: Any) -> None:
    """A program need not parse the text."""
    data = run("show --page-size 16384 --ipa 40 --va 36 --json").json

    assert data["supported"] is True
    assert {"page_shift": 14, "va_bits": 36, "pa_bits": 48} == data["host"]
    assert (2, 2, 16, 262144, [14, 11, 15]) == tuple(
        data["geometry"][key]
        for key in (
            "levels",
            "start_level",
            "concatenation",
            "pgd_size",
            "paging_form",
        )
    )
    assert [2, 3] == [level["number"] for level in data["geometry"]["table_levels"]]


def test_split_shows_the_way_of_an_address(run: Any) -> None:
    """The last page of a concatenated space is in the last table."""
    ran = run("split --page-size 4K --ipa 40 0xff_ffff_f000")

    assert 0 == ran.status
    assert ran.out.splitlines()[2:] == [
        "IPA         0xfffffff000",
        "root table  1 of 2",
        "level 1     index 511 of 512, each 1 GiB",
        "level 2     index 511 of 512, each 2 MiB",
        "level 3     index 511 of 512, each 4 KiB",
        "offset      0x0 of 0x1000",
        "PGD index   1023 of 1024",
    ]


def test_split_refuses_like_show(run: Any) -> None:
    """Where there is no shape there is no way through it."""
    assert 1 == run("split --page-size 16K --ipa 41 --va 36 0").status


def test_split_says_which_space_an_address_misses(run: Any) -> None:
    """An address outside is a mistake in the question."""
    ran = run("split --page-size 4K --ipa 40 1T")

    assert 2 == ran.status
    assert "s2geom: error: ipa must be inside the 40-bit IPA space" in ran.err


def test_macros_puts_both_designs_side_by_side(run: Any) -> None:
    """What the patch changed for 64K pages and a 48-bit host."""
    ran = run("macros --page-size 64K --ipa 40 --va 48")

    assert 0 == ran.status
    assert ran.out.splitlines()[2:19] == [
        "macro                    fake-pgd (v3.18-v4.6)  static (v4.7-v4.19)",
        "KVM_PHYS_SHIFT           40                     40",
        "CONFIG_PGTABLE_LEVELS    3                      3",
        "PGDIR_SHIFT              42                     42",
        "PTRS_PER_S2_PGD_SHIFT    0                      -",
        "PTRS_PER_S2_PGD          1                      2048",
        "KVM_PREALLOC_LEVEL       2                      -",
        "KVM_MMU_CACHE_MIN_PAGES  1                      1",
        "STAGE2_PGTABLE_LEVELS    -                      2",
        "S2_PGDIR_SHIFT           -                      29",
        "S2_PGDIR_SIZE            -                      0x20000000",
        "S2_PGDIR_MASK            -                      0xffffffffe0000000",
        "S2_PGD_SIZE              -                      0x4000",
        "",
        "what the hardware sees  fake-pgd  static",
        "levels software walks   3         2",
        "hardware start level    2         2",
    ]
    assert ran.out.splitlines()[19:21] == [
        "hardware root           64 KiB    16 KiB",
        "fake PGD                8 B       none",
    ]
    assert ran.out.splitlines()[-3:] == [
        "fake-pgd: supported",
        "",
        "static: supported",
    ]


def test_macros_of_a_refused_configuration_are_shown_all_the_same(run: Any) -> None:
    """The numbers are arithmetic; the refusal is the exit code and a line."""
    ran = run("macros --page-size 16K --ipa 41 --va 36")

    assert 1 == ran.status
    assert "STAGE2_PGTABLE_LEVELS    -                      3" in ran.out
    assert "static: not supported: a 41-bit IPA needs 3 stage-2 levels" in ran.out
    assert "fake-pgd: not supported: a 16K host has no KVM" in ran.out


def test_config_reads_a_distribution_kernel(run: Any) -> None:
    """The README's first command."""
    ran = run("config", DEBIAN_16K)

    assert 0 == ran.status
    lines = ran.out.splitlines()
    assert "Linux 6.12.117; scheme lpa2 (Linux v6.8-today)" == lines[0]
    assert (
        "guest IPA: 32 to 52 bits, as far as the CPU's PARange goes (give it: --pa 44);"
        " above 48 only on a CPU with LPA2 (--lpa2)" in lines
    )
    assert "      40       2            2           16  256 KiB   256 KiB" in lines
    assert "      52       4            0            1  256 B     256 B" in lines


def test_config_with_a_cpu_leaves_no_question_open(run: Any) -> None:
    """PARange and LPA2 given, the answer is final."""
    data = run("config --pa 40 --json", DEBIAN_16K).json

    assert list(range(32, 41)) == data["ipa_sizes"]["widths"]
    assert data["ipa_sizes"]["needs_parange"] is False
    assert data["ipa_sizes"]["needs_lpa2"] is False
    assert 9 == len(data["shapes"])


def test_config_without_kvm_is_not_supported(run: Any) -> None:
    """Debian's rt kernel of that release has KVM off."""
    ran = run("config", DEBIAN_RT)

    assert 1 == ran.status
    assert "no guest: KVM is off in this configuration" == ran.out.splitlines()[-1]


def test_config_of_one_width_says_so(run: Any, tmp_path: Path) -> None:
    """Up to v4.19 there is 40 and nothing else."""
    path = tmp_path / "config"
    path.write_text(
        "# Linux/arm64 4.9.0 Kernel Configuration\n"
        "CONFIG_ARM64_64K_PAGES=y\nCONFIG_ARM64_VA_BITS=42\nCONFIG_KVM=y\n"
    )
    ran = run("config", str(path))

    assert 0 == ran.status
    assert "guest IPA: 40 bits" in ran.out.splitlines()


def test_config_of_a_kernel_without_16k_kvm(run: Any, tmp_path: Path) -> None:
    """v4.6 has KVM, but not for 16K pages."""
    path = tmp_path / "config"
    path.write_text(
        "# Linux/arm64 4.6.0 Kernel Configuration\n"
        "CONFIG_ARM64_16K_PAGES=y\nCONFIG_ARM64_VA_BITS=47\nCONFIG_KVM=y\n"
    )
    ran = run("config", str(path))

    assert 1 == ran.status
    assert ran.out.splitlines()[-1] == (
        "no guest: in Linux 4.6.0, 16K pages have no KVM as long as levels are faked"
    )


@pytest.mark.parametrize(
    ("release", "page", "va_bits", "options", "said"),
    [
        (
            "4.4",
            4,
            48,
            "--pa 36",
            (
                "the IPA is no wider than PARange: 36 bits here, and its smallest "
                "guest has 40 bits"
            ),
        ),
        (
            "5.10.100",
            4,
            48,
            "--pa 52 --lpa2",
            "a page size with LPA2 is taken for an unknown one",
        ),
    ],
)
def test_config_says_which_limit_leaves_no_guest(
    run: Any,
    tmp_path: Path,
    release: str,
    page: int,
    va_bits: int,
    options: str,
    said: str,
) -> None:
    """Whose limit it is, and by how much, is not the same in each release."""
    path = tmp_path / "config"
    path.write_text(
        f"CONFIG_ARM64_{page}K_PAGES=y\nCONFIG_ARM64_VA_BITS={va_bits}\nCONFIG_KVM=y\n"
    )
    ran = run(f"config --kernel {release} {options}", str(path))

    assert 1 == ran.status
    assert f"no guest: in Linux {release}, {said}" == ran.out.splitlines()[-1]


def test_config_leaves_out_shapes_that_only_an_early_release_took(
    run: Any, tmp_path: Path
) -> None:
    """v5.10 took widths above 48 that its scheme's last release refuses."""
    path = tmp_path / "config"
    path.write_text(
        "# Linux/arm64 5.10.0 Kernel Configuration\n"
        "CONFIG_ARM64_4K_PAGES=y\nCONFIG_ARM64_VA_BITS=48\nCONFIG_KVM=y\n"
    )
    data = run("config --json", str(path)).json

    assert list(range(32, 53)) == data["ipa_sizes"]["widths"]
    assert list(range(32, 49)) == [shape["ipa_bits"] for shape in data["shapes"]]


def test_config_needs_a_release(run: Any, tmp_path: Path) -> None:
    """A file without its header line can be given a release by hand."""
    path = tmp_path / "config"
    path.write_text("CONFIG_ARM64_4K_PAGES=y\nCONFIG_ARM64_VA_BITS=48\nCONFIG_KVM=y\n")
    without = run("config", str(path))
    given = run("config --kernel 6.1 --json", str(path))

    assert 2 == without.status
    assert "does not name its release; give it: --kernel 6.1" in without.err
    assert (0, "6.1") == (given.status, given.json["release"])
    assert "release         6.1 (given by --kernel; the file says none)" in (
        run("config --kernel 6.1", str(path)).out.splitlines()
    )


def test_fit_measures_a_memory_map(run: Any) -> None:
    """64 GiB from 1 GiB on need 37 bits, and no level more than 36 would."""
    data = run("fit --page-size 4K --ram-base 1G --ram 64G --json").json

    assert (37, 63 << 30, [35, 43], False) == tuple(
        data["fit"][key]
        for key in ("ipa_bits", "headroom", "same_levels", "costs_a_level")
    )


def test_fit_asks_the_newest_kernels_where_none_is_named(run: Any) -> None:
    """They never have fewer than two levels, so no bit costs 64K pages one here."""
    ran = run("fit --page-size 64K --ram-base 0 --ram 10G")

    assert "scheme lpa2 (Linux v6.8-today)" in ran.out.splitlines()[0]
    assert "costs a level  no: one bit less would not save one" in ran.out.splitlines()
    assert "root           1 table, 256 B, at level 2" in ran.out.splitlines()


def test_fit_says_when_a_bit_costs_a_level(run: Any) -> None:
    """Just above 34 bits a 4K tree grows a level."""
    ran = run("fit --page-size 4K --ram-base 0 --ram 17G")

    assert "costs a level  yes: 34 bits would take 2" in ran.out.splitlines()


def test_fit_never_asks_for_less_than_kvm_has(run: Any) -> None:
    """A small guest gets 32 bits."""
    data = run("fit --page-size 4K --ram-base 1G --ram 1M --json").json

    assert (32, False) == (data["fit"]["ipa_bits"], data["fit"]["costs_a_level"])


def test_fit_refuses_what_the_host_cannot_hold(run: Any) -> None:
    """Two TiB take 41 bits, which a 16K host with 36-bit addresses lacks."""
    ran = run("fit --page-size 16K --va 36 --ram-base 0 --ram 2T --scheme STATIC")

    assert 1 == ran.status
    assert ran.out.startswith("not supported: a 41-bit IPA needs 3 stage-2 levels")
    assert "IPA needed  41 bits" in ran.out


def test_choices_lists_every_legal_root(run: Any) -> None:
    """4K, 40 bits, a 44-bit CPU: level 0 with 2 entries, or level 1 with 2 tables."""
    ran = run("choices --page-size 4K --ipa 40 --pa 44")
    data = run("choices --page-size 4K --ipa 40 --pa 44 --json").json

    assert 0 == ran.status
    assert [(0, 1), (1, 2)] == [
        (shape["start_level"], shape["concatenation"]) for shape in data["choices"]
    ]
    assert "concatenation is a choice here" == ran.out.splitlines()[-1]


def test_choices_says_where_concatenation_is_mandatory(run: Any) -> None:
    """On a 40-bit CPU the architecture forbids level 0."""
    ran = run("choices --page-size 4K --ipa 40 --pa 40")

    assert (
        "concatenation is mandatory: no single table may start this IPA here"
        == ran.out.splitlines()[-1]
    )


def test_choices_without_any_gives_the_nearest_reasons(run: Any) -> None:
    """A 50-bit IPA on a 44-bit CPU."""
    ran = run("choices --page-size 64K --ipa 50 --pa 44")

    assert 1 == ran.status
    assert ran.out.startswith(
        "not supported: a 50-bit IPA is 6 bits above the CPU's 44-bit physical"
    )


def test_choices_names_the_features_of_the_cpu(run: Any) -> None:
    """What was asked stands above the answer."""
    ran = run("choices --page-size 4K --ipa 50 --pa 52 --lpa2 --ttst --aarch32")

    assert (
        "4K pages, 50-bit IPA, a CPU with 52 PA bits, LPA2, FEAT_TTST, AArch32 at EL1; "
        "whatever the scheme" == ran.out.splitlines()[0]
    )


def test_compare_shows_an_illegal_choice_with_its_reason(run: Any) -> None:
    """m1n1's rule starts at level 1, which a 40-bit CPU does not have for 16K."""
    ran = run("compare --page-size 16K --ipa 40 --pa 40")

    assert 0 == ran.status
    [line] = [row for row in ran.out.splitlines() if row.startswith("m1n1 ")]
    assert "no" == line.split()[-1]
    assert any(row.startswith("m1n1: ") for row in ran.out.splitlines())


def test_compare_where_nobody_has_a_shape(run: Any) -> None:
    """No policy has a 20-bit IPA."""
    ran = run("compare --page-size 16K --ipa 20 --pa 48")

    assert 1 == ran.status
    assert "kvm never" in ran.out or "a 20-bit IPA is 12 bits below" in ran.out


def test_compare_without_remarks(run: Any) -> None:
    """JSON carries each policy's source."""
    data = run("compare --page-size 4K --ipa 44 --pa 44 --json").json

    assert all(row["source"] for row in data["policies"])


def test_decode_explains_a_word(run: Any) -> None:
    """The word of a 4K kernel with a 40-bit guest."""
    ran = run("decode vtcr 0x80023558")

    assert 0 == ran.status
    assert ran.out.splitlines()[:3] == [
        "VTCR_EL2 = 0x80023558",
        "T0SZ = 24: the IPA has 40 bits.",
        "SL0 = 1: the walk starts at level 1, in 2 concatenated tables.",
    ]
    assert "nothing is wrong with it" == ran.out.splitlines()[-1]


def test_decode_takes_words_as_logs_print_them(run: Any) -> None:
    """With or without 0x, with underscores, in capitals."""
    expected = run("decode vtcr 0x80023558 --json").json

    for spelling in ("80023558", "0X80023558", "0x8002_3558"):
        assert expected == run(f"decode vtcr {spelling} --json").json


def test_decode_finds_a_misaligned_root(run: Any) -> None:
    """VTTBR_EL2 is judged by the VTCR_EL2 that goes with it."""
    ran = run("decode vttbr 0x1000040041000 --vtcr 0x80023558")

    assert 1 == ran.status
    assert "root at 0x40040000" in ran.out.splitlines()
    assert "the nearest that fit are 0x40040000 and 0x40042000" in ran.out


def test_decode_of_a_base_alone(run: Any) -> None:
    """Without VTCR_EL2 nobody knows the root's size."""
    ran = run("decode vttbr 0x1000040041000")

    assert 0 == ran.status
    assert "root at" not in ran.out
    assert (
        "nothing is wrong with it alone; --vtcr WORD judges the base"
        == ran.out.splitlines()[-1]
    )


def test_decode_of_a_word_without_a_shape(run: Any) -> None:
    """A reserved TG0 names no page size; the base is then judged without a shape."""
    ran = run("decode vttbr 0 --vtcr 0x8002f558")

    assert 1 == ran.status
    assert "TG0" in ran.out


def test_decode_of_a_nested_dump(run: Any) -> None:
    """KVM's debugfs names the dump after both words."""
    data = run(
        "decode nested 0x0001000040040000-0x0000000080023558-s2-enabled --json"
    ).json

    assert ["VTTBR_EL2", "VTCR_EL2"] == [word["register"] for word in data["words"]]
    assert (0x4004_0000, 40) == (data["root"], data["geometry"]["ipa_bits"])


def test_decode_of_an_smmu_entry(run: Any) -> None:
    """STE words 2 and 3; a CPU stands for the SMMU's output size."""
    good = ("0x000a555800000000", "0x40000000")
    data = run("decode ste --json", *good).json

    assert "STE" == data["words"][0]["register"]
    assert 1 == run("decode ste 0 0").status
    assert run("decode ste --pa 40 --json", *good).json["words"] == data["words"]


def test_decode_of_id_registers(run: Any) -> None:
    """They have no shape, and nothing to find fault with."""
    ran = run("decode mmfr0 0x1124")

    assert 0 == ran.status
    assert "PARange = 4: physical addresses have 44 bits." in ran.out


def test_decode_wants_the_right_number_of_words(run: Any) -> None:
    """An STE takes two."""
    ran = run("decode ste 0x0")

    assert (2, "s2geom: error: decode ste takes 2 word(s), got 1\n") == (
        ran.status,
        ran.err,
    )


def test_every_kind_of_word_is_offered() -> None:
    """The parser's list and the reader's table are the same."""
    assert cli.KINDS == tuple(decode.KINDS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("show --ipa 40", "the following arguments are required: --page-size"),
        ("show --page-size 13 --ipa 40", "page size must be 4K, 16K or 64K, got '13'"),
        ("show --page-size 16 --ipa 40", "page size 16 has two readings"),
        ("show --page-size 4K --ipa x", "argument --ipa: not a number: 'x'"),
        ("show --page-size 4K --ipa -1", "ipa_bits must not be negative, got -1"),
        ("show --page-size 4K --ipa 40 --va 99", "va_bits must be 25..52, got 99"),
        ("show --page-size 4K --ipa 40 --host-pa 50", "pa_bits must be 48 or 52"),
        ("show --page-size 4K --ipa 40 --pa 41", "pa_bits must be one of 32, 36"),
        ("show --page-size 4K --ipa 40 --lpa2", "give its --pa too"),
        ("show --page-size 4K --ipa 40 --scheme new", "scheme must be one of fake-pgd"),
        ("show --page-size 4K --ipa 40 --kernel x", "release must begin like '6.1'"),
        ("show --page-size 4K --ipa 40 --kernel 3.2", "older than the oldest scheme"),
        (
            "show --page-size 4K --ipa 40 --kernel 6.8 --scheme static",
            "argument --scheme: not allowed with argument --kernel",
        ),
        (
            "walk image --load 0 0 --scheme static --kernel 6.8",
            "argument --kernel: not allowed with argument --scheme",
        ),
        ("split --page-size 4K --ipa 40 far", "a size or address is written like"),
        ("decode vtcr what", "a register word is hexadecimal, like 0x80023558"),
        ("decode vtcr 1ffffffffffffffff", "word must be 0..0xffffffffffffffff"),
        ("config /nowhere/at/all", "/nowhere/at/all"),
        ("decode nested some-file", "a nested dump is named like"),
        (
            "decode vtcr 80023558 --vtcr 80028558",
            "--vtcr goes with a vttbr, and not with vtcr",
        ),
    ],
)
def test_a_mistake_is_explained_in_our_words(run: Any, line: str, said: str) -> None:
    """Exit code 2, a sentence on standard error, nothing on standard output."""
    ran = run(line)

    assert (2, "") == (ran.status, ran.out)
    assert said in ran.err


@pytest.mark.parametrize(("name", "out"), [("__main__", True), ("other", False)])
def test_the_module_runs_the_command(
    name: str,
    out: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``python -m s2geom`` is the command; an import of the module is not."""
    monkeypatch.setattr("sys.argv", ["s2geom", "--version"])
    with suppress(SystemExit):
        runpy.run_module("s2geom.__main__", run_name=name)

    assert out == capsys.readouterr().out.startswith("s2geom ")


class ClosedPipe(io.StringIO):
    """Standard output whose reader has gone."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def write(self, _: str) -> int:
        """Fail as a pipe does."""
        raise BrokenPipeError

    def fileno(self) -> int:
        """Give the descriptor that must not be written to at exit."""
        return self.descriptor


def test_a_closed_pipe_is_pointed_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What Python still flushes at exit goes nowhere, and nobody complains."""
    with (tmp_path / "pipe").open("wb") as stands_for_pipe:
        monkeypatch.setattr("sys.stdout", ClosedPipe(stands_for_pipe.fileno()))
        status = cli.main(["show", "--page-size", "4K", "--ipa", "40"])
        os.write(stands_for_pipe.fileno(), b"late")

    assert (0, b"") == (status, (tmp_path / "pipe").read_bytes())


def test_it_runs_as_a_module_and_ends_quietly_in_a_closed_pipe() -> None:
    """``python -m s2geom ... | head -0`` is no error of ours."""
    command = [sys.executable, "-m", "s2geom", "show", "--page-size", "4K", "--ipa"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        closed = subprocess.run(
            [*command, "40"], stdout=writer, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writer)
    shown = subprocess.run([*command, "40"], capture_output=True, check=False)

    assert (0, b"") == (closed.returncode, closed.stderr)
    assert 0 == shown.returncode
    assert shown.stdout.startswith(b"4K pages, 40-bit IPA")


class FullDisk(ClosedPipe):
    """Standard output to a file that cannot grow."""

    def write(self, _: str) -> int:
        """Fail as a full disk does."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_answer_that_cannot_be_written_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 would say that the configuration is not supported."""
    with (tmp_path / "full").open("wb") as stands_for_disk:
        monkeypatch.setattr("sys.stdout", FullDisk(stands_for_disk.fileno()))
        status = cli.main(["show", "--page-size", "4K", "--ipa", "40"])

    assert 2 == status
    assert (
        "s2geom: error: cannot write the answer: No space left on device\n"
    ) == capsys.readouterr().err


def test_without_standard_output_there_is_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``s2geom ... >&-`` asks for the exit code alone."""
    monkeypatch.setattr("sys.stdout", None)

    assert 0 == cli.main(["show", "--page-size", "16K", "--ipa", "40", "--va", "36"])
    assert 1 == cli.main(["show", "--page-size", "16K", "--ipa", "41", "--va", "36"])


def test_a_name_that_the_terminal_cannot_show_is_spelt_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The answer does not fail because of the name of a file."""
    (tmp_path / "map").write_text("0, 4K, NORMAL, page\n")
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", narrow)
    line = f"build {tmp_path / 'map'} --page-size 4K --ipa 40 --base 1G --out"
    status = cli.main([*line.split(), str(tmp_path / "\u00e9")])
    narrow.seek(0)

    assert 0 == status
    assert narrow.read().endswith("\\xe9\n")


def test_too_large_an_answer_is_an_error_with_advice(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `footprint` tells before, no traceback needs to tell afterwards."""

    def _too_much(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("s2geom.cli.kernel.show", _too_much)
    ran = run("show --page-size 4K --ipa 40")

    assert (2, "") == (ran.status, ran.out)
    assert "out of memory; what a map's tables take, s2geom footprint tells" in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show --page-size 4K --ipa \u0664\u0660", "not a number: '\u0664\u0660'"),
        ("decode vtcr \u0668", "a register word is hexadecimal, like 0x80023558, got"),
        ("fit --page-size 4K --ram-base 1G --ram 0", "--ram must be at least 1 byte"),
    ],
)
def test_what_only_looks_like_an_answer_is_a_usage_error(
    run: Any, line: str, said: str
) -> None:
    """Digits are 0 to 9, and no memory has no end."""
    ran = run(line)

    assert (2, "") == (ran.status, ran.out)
    assert said in ran.err
