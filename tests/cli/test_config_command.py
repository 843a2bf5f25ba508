# SPDX-License-Identifier: MIT
"""What `s2geom config` says of a kernel's configuration."""

import gzip
import io
from pathlib import Path

import pytest
from cli.running import Run

CONFIGS = Path(__file__).parents[1] / "data" / "configs"
DEBIAN_16K = str(CONFIGS / "debian-6.12-arm64-16k.config.gz")
DEBIAN_RT = str(CONFIGS / "debian-6.1-rt-arm64.config.gz")


def test_config_reads_a_distribution_kernel(run: Run) -> None:
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


def test_config_with_a_cpu_leaves_no_question_open(run: Run) -> None:
    """PARange and LPA2 given, the answer is final."""
    data = run("config --pa 40 --json", DEBIAN_16K).json

    assert list(range(32, 41)) == data["ipa_sizes"]["widths"]
    assert data["ipa_sizes"]["needs_parange"] is False
    assert data["ipa_sizes"]["needs_lpa2"] is False
    assert 9 == len(data["shapes"])


def test_config_without_kvm_is_not_supported(run: Run) -> None:
    """Debian's rt kernel of that release has KVM off."""
    ran = run("config", DEBIAN_RT)

    assert 1 == ran.status
    assert "no guest: KVM is off in this configuration" == ran.answer[-1]


@pytest.mark.parametrize(
    ("line", "is_told"),
    [
        ("--pa 36", True),
        ("--pa 36 --ipa 36", True),
        ("--pa 36 --ipa 37", True),
        ("--pa 40 --ipa 36", False),
        ("--pa 40", False),
        ("--pa 36 --kernel 5.4", False),  # which gave 40 bits to any CPU
    ],
)
def test_config_tells_where_the_default_of_a_vmm_is_refused(
    run: Run, line: str, is_told: bool
) -> None:
    """A narrow guest fails too, if its VMM asks for machine type 0."""
    told = "a VMM that names no width asks for 40 bits, which KVM refuses"

    assert is_told == (told in run("config", DEBIAN_16K, line).out.splitlines())


def test_config_of_one_width_says_so(run: Run, tmp_path: Path) -> None:
    """Up to v4.19 there is 40 and nothing else."""
    path = tmp_path / "config"
    path.write_text(
        "# Linux/arm64 4.9.0 Kernel Configuration\n"
        "CONFIG_ARM64_64K_PAGES=y\nCONFIG_ARM64_VA_BITS=42\nCONFIG_KVM=y\n"
    )
    ran = run("config", str(path))

    assert 0 == ran.status
    assert "guest IPA: 40 bits" in ran.out.splitlines()


def test_config_of_a_kernel_without_16k_kvm(run: Run, tmp_path: Path) -> None:
    """v4.6 has KVM, but not for 16K pages."""
    path = tmp_path / "config"
    path.write_text(
        "# Linux/arm64 4.6.0 Kernel Configuration\n"
        "CONFIG_ARM64_16K_PAGES=y\nCONFIG_ARM64_VA_BITS=47\nCONFIG_KVM=y\n"
    )
    ran = run("config", str(path))

    assert 1 == ran.status
    assert ran.answer[-1] == (
        "no guest: in Linux 4.6.0, a 16K host has no KVM as long as it fakes "
        "page-table levels"
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
                "a 40-bit IPA is 4 bits above the CPU's 36-bit physical addresses "
                "(PARange); the largest IPA it supports is 36 bits"
            ),
        ),
        (
            "5.10.100",
            4,
            48,
            "--pa 52 --lpa2",
            (
                "Linux 5.10.100 takes 4K pages with LPA2 for pages that the CPU does "
                "not have, and has no KVM"
            ),
        ),
    ],
)
def test_config_says_which_limit_leaves_no_guest(
    run: Run,
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
    assert f"no guest: in Linux {release}, {said}" == ran.answer[-1]


def test_config_leaves_out_widths_that_no_guest_can_run_with(
    run: Run, tmp_path: Path
) -> None:
    """v5.10 accepted widths above 48 that no CPU translates."""
    path = tmp_path / "config"
    path.write_text(
        "# Linux/arm64 5.10.0 Kernel Configuration\n"
        "CONFIG_ARM64_4K_PAGES=y\nCONFIG_ARM64_VA_BITS=48\nCONFIG_KVM=y\n"
    )
    data = run("config --json", str(path)).json

    assert list(range(32, 49)) == data["ipa_sizes"]["widths"]
    assert list(range(32, 49)) == [shape["ipa_bits"] for shape in data["shapes"]]


def test_config_needs_a_release(run: Run, tmp_path: Path) -> None:
    """A file without its header line can be given a release by hand."""
    path = tmp_path / "config"
    path.write_text("CONFIG_ARM64_4K_PAGES=y\nCONFIG_ARM64_VA_BITS=48\nCONFIG_KVM=y\n")
    without = run("config", str(path))
    given = run("config --kernel 6.1 --json", str(path))

    assert 2 == without.status
    assert (
        "does not name its release; give what uname -r prints on that host: "
        in without.err
    )
    assert (0, "6.1") == (given.status, given.json["release"])
    assert "release         6.1 (given by --kernel; the file says none)" in (
        run("config --kernel 6.1", str(path)).out.splitlines()
    )


# One width


def test_config_of_one_width_gives_its_shape(run: Run) -> None:
    """Yes, and what it looks like."""
    ran = run("config --ipa 40 --pa 48", DEBIAN_16K)
    data = run("config --ipa 40 --pa 48 --json", DEBIAN_16K).json

    assert 0 == ran.status
    assert "a guest can have an IPA of 40 bits" in ran.answer
    assert (True, 40) == (data["supported"], data["geometry"]["ipa_bits"])
    assert "shapes" not in data


def test_config_of_one_width_names_the_owner_of_the_bound(run: Run) -> None:
    """No, whose limit it is, and which widths there are."""
    ran = run("config --ipa 44 --pa 40", DEBIAN_16K)

    assert 1 == ran.status
    assert "  limit   cpu: 40, given 44" == ran.answer[1]
    assert "guest IPA: 32 to 40 bits" in ran.answer
    assert "kvm-not-built" in run("config --ipa 40", DEBIAN_RT).out


def test_config_says_what_is_accepted_and_cannot_be_used(
    run: Run, tmp_path: Path
) -> None:
    """v5.10 takes 52 bits, which no CPU translates."""
    (tmp_path / "config").write_text(WHOLE.replace("6.1.0", "5.10.0"))
    ran = run("config", str(tmp_path / "config"))

    assert (
        "KVM_CREATE_VM accepts 32 to 52 bits, but a guest cannot use the others"
        in ran.answer
    )


# Files of other kinds

WHOLE = """\
# Linux/arm64 6.1.0 Kernel Configuration
CONFIG_ARM64_4K_PAGES=y
CONFIG_ARM64_VA_BITS=48
CONFIG_KVM=y
"""


def test_config_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed as /proc/config.gz, or with a byte order mark."""
    for data in (gzip.compress(WHOLE.encode()), b"\xef\xbb\xbf" + WHOLE.encode()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        ran = run("config -")

        assert 0 == ran.status
        assert "Linux 6.1.0; scheme independent (Linux v5.10-v6.7)" == ran.answer[0]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"nothing")))

    assert "s2geom: error: standard input: " in run("config -").err


def test_config_of_what_savedefconfig_leaves(run: Run, tmp_path: Path) -> None:
    """Page size and VA width are left out where they are the default."""
    path = tmp_path / "defconfig"
    path.write_text("CONFIG_ARM64=y\nCONFIG_KVM=y\n")
    without = run(f"config {path} --kernel 6.1")
    given = run(f"config {path} --kernel 6.1 --page-size 4K --va 48 --json")

    assert (2, "") == (without.status, without.out)
    assert "or give it by hand: --page-size, --va" in without.err
    assert {"page_shift": 12, "va_bits": 48, "pa_bits": 48} == given.json["config"][
        "host"
    ]
    assert any("was given" in premise for premise in given.json["premises"])


def test_config_of_a_protected_host(run: Run) -> None:
    """Every guest is as wide as KVM's limit."""
    data = run("config --protected --pa 44 --json", DEBIAN_16K).json

    assert [44] == data["ipa_sizes"]["widths"]
    assert list(range(32, 53)) == data["ipa_sizes"]["accepted"]


def test_config_of_vendor_code(run: Run, tmp_path: Path) -> None:
    """A release number is not always its code."""
    path = tmp_path / "config"
    path.write_text(
        WHOLE.replace("6.1.0", "4.18.0") + "CONFIG_ARM64_USER_VA_BITS_52=y\n"
    )

    assert "guest IPA: 32 to 48 bits" in run(f"config {path}").out
