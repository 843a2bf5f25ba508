# SPDX-License-Identifier: MIT
"""Damaged configurations: they give our own error, or a sound answer."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2geom import Cpu, Host, KernelConfig, UnreadableInput, UnsupportedCombination

DEBIAN = Path(__file__).parents[1] / "data" / "configs" / "debian-5.10-arm64.config.gz"
PACKED = DEBIAN.read_bytes()
KVM_LINE = 718

SMALL = """\
#
# Automatically generated file; DO NOT EDIT.
# Linux/arm64 5.10.223 Kernel Configuration
#
CONFIG_CC_VERSION_TEXT="gcc-10 (Debian \\"10.2\\") 10.2.1"
CONFIG_ARM64=y
CONFIG_ARM64_PAGE_SHIFT=12
CONFIG_PGTABLE_LEVELS=4
CONFIG_ARM64_4K_PAGES=y
# CONFIG_ARM64_16K_PAGES is not set
# CONFIG_ARM64_64K_PAGES is not set
# CONFIG_ARM64_VA_BITS_39 is not set
CONFIG_ARM64_VA_BITS_48=y
CONFIG_ARM64_VA_BITS=48
CONFIG_ARM64_PA_BITS_48=y
CONFIG_ARM64_PA_BITS=48
CONFIG_VIRTUALIZATION=y
CONFIG_KVM=y
# end of Virtualization
"""
LINES = SMALL.splitlines(keepends=True)

ODD_LINES = [
    "CONFIG_ARM64_64K_PAGES=y",
    "CONFIG_ARM64_VA_BITS=52",
    "CONFIG_ARM64_VA_BITS_39=y",
    "CONFIG_ARM64_USER_VA_BITS_52=y",
    "CONFIG_PAGE_SHIFT=" + "1" * 5000,
    "CONFIG_PAGE_SIZE_64KB=y",
    "CONFIG_PGTABLE_LEVELS=-4",
    "CONFIG_ARM64_LPA2=y",
    "CONFIG_KVM=m",
    "# CONFIG_KVM is not set",
    "CONFIG_X86=y",
    "# Linux/x86 6.1.0 Kernel Configuration",
    "# Linux/arm64 6.12.1-rc1+ Kernel Configuration",
    "# Linux/arm64 " + "9" * 5000 + ".1 Kernel Configuration",
    "# Linux/arm64 0.0 Kernel Configuration",
    'CONFIG_TEXT="',
    "=",
    "#",
    "\r",
    "\u2028",
    "\ud800",
    "\0",
]


def read(given: str | bytes) -> KernelConfig | None:
    """Read a configuration, or be told why not; whatever is read is of use."""
    said = None
    try:
        kernel = KernelConfig.from_text(given)
    except UnreadableInput as refused:
        said = str(refused)
    if said is not None:
        assert 0 < len(said) < 1000
        return None
    assert kernel.host.kconfig_legal or kernel.host.pa_bits == 52
    assert kernel.to_dict()["host"] == kernel.host.to_dict()
    for cpu in (None, Cpu(44)):
        try:
            widths = kernel.ipa_sizes(cpu, release=kernel.release or "6.12").widths
        except UnsupportedCombination:
            assert kernel.scheme is None
        else:
            assert bool(widths) <= kernel.kvm
            assert set(widths) <= set(range(32, 53))
    return kernel


@given(st.text())
def test_any_text(text: str) -> None:
    """A text without the options is refused."""
    assert read(text) is None


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """They are refused, also behind the first bytes of gzip."""
    assert read(data) is None
    assert read(b"\x1f\x8b\x08\0" + data) is None


@pytest.mark.parametrize("cut", range(len(SMALL) + 1))
def test_cut_anywhere(cut: int) -> None:
    """The beginning of a file is refused, or has the facts of the whole."""
    kernel = read(SMALL[:cut])
    if kernel is not None:
        assert Host(12, 48) == kernel.host
        assert "5.10.223" == kernel.release
        assert kernel.kvm is ("CONFIG_KVM=y" in SMALL[:cut])


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LINES)),
            st.sampled_from(ODD_LINES) | st.sampled_from(LINES) | st.text(max_size=30),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_lines_put_in_and_taken_out(changes: list[tuple[int, str, bool]]) -> None:
    """Duplicated, contradictory, foreign and senseless lines give a sound answer."""
    lines = list(LINES)
    for place, line, replaces in changes:
        lines[place : place + replaces] = [line.rstrip("\n") + "\n"]

    read("".join(lines))


@given(st.permutations(LINES))
def test_the_order_of_lines_does_not_matter(lines: list[str]) -> None:
    """All facts are the same; only the line numbers of origins differ."""
    kernel = read("".join(lines))

    assert kernel is not None
    assert (Host(12, 48), "5.10.223", True) == (
        kernel.host,
        kernel.release,
        kernel.kvm,
    )


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 255))
def test_one_byte_changed(place: int, byte: int) -> None:
    """It is read or refused with an error of ours."""
    data = bytearray(SMALL.encode())
    data[place] = byte

    read(bytes(data))


@given(st.integers(0, len(PACKED) - 1))
def test_gzip_cut_anywhere(cut: int) -> None:
    """A packed file that is cut is refused."""
    assert read(PACKED[:cut]) is None


@given(st.integers(10, len(PACKED) - 1), st.integers(1, 255))
def test_gzip_with_one_byte_changed(place: int, flip: int) -> None:
    """The checksum finds every change behind the header of gzip."""
    data = bytearray(PACKED)
    data[place] ^= flip

    assert read(bytes(data)) is None


@given(st.data())
def test_a_real_file_cut_anywhere(data: st.DataObject) -> None:
    """It is refused before the line about KVM; after it, all facts are there."""
    text = gzip.decompress(PACKED).decode()
    kernel = read(text[: data.draw(st.integers(0, len(text)))])
    if kernel is not None:
        assert (Host(12, 48), "5.10.223", True) == (
            kernel.host,
            kernel.release,
            kernel.kvm,
        )
        assert KVM_LINE == kernel.origins["kvm"].line


@pytest.mark.parametrize(
    "piece",
    [
        "\n",
        "#\n",
        "\\",
        "CONFIG_A=y\n",
        '"',
        "# CONFIG_A is not set\n",
        "CONFIG_B",
        " ",
    ],
)
def test_a_huge_file(piece: str) -> None:
    """1 MiB of one kind of line takes little time, and memory of a few MiB."""
    kernel = read(f"{SMALL}{piece * ((1 << 20) // len(piece))}")
    quoted = read(f'{SMALL}CONFIG_TEXT="{piece * ((1 << 20) // len(piece))}')

    assert (kernel is None) is (piece in {"\\", '"', "CONFIG_B"})
    assert quoted is None
