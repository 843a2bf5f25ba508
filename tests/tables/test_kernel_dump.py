# SPDX-License-Identifier: MIT
"""KVM's `stage2_page_tables`: what real kernels printed, line by line."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_guests import REAL, real_guest

import s2geom as s2
from s2geom.tables.kernel_dump import columns_release

DUMPED = ("4k-40-ptdump", "64k-40")
"""Guests of Linux 6.12.117, which printed its own dump of them."""

READ, WRITE, AF, XN = 1 << 6, 1 << 7, 1 << 10, 0b10 << 53
PAGE, BLOCK = 0b11, 0b01


def real(name: str) -> tuple[s2.VTCR_EL2, int, s2.Memory]:
    """Return the registers and the memory of one of the real guests."""
    guest = real_guest(name)
    return guest.vtcr, guest.root, guest.memory


def printed(name: str) -> list[str]:
    """Return the lines of the kernel's own dump."""
    return (REAL / name / "stage2_page_tables.txt").read_text().splitlines()


def table(words: dict[int, int], entries: int = 512) -> bytes:
    """Return a table with some words, by index."""
    return b"".join(
        words.get(index, 0).to_bytes(8, "little") for index in range(entries)
    )


# Real kernels


@pytest.mark.parametrize("name", DUMPED)
def test_lines_equal_those_of_the_kernel(name: str) -> None:
    """All lines that the kernel printed, and the last run, which it lost."""
    vtcr, root, memory = real(name)
    ours = list(s2.kernel_dump(vtcr.geometry(), root, memory.read, vtcr=vtcr))
    theirs = printed(name)

    if name == "4k-40-ptdump":  # the run it printed first, with an end of 0
        assert theirs[0].startswith("0x000000fffffff000-0x0000000000000000 ")
        assert theirs[1:] == ours[1:-1]
    else:
        assert theirs == ours[:-1]
    assert ours[0] == "---[ Guest IPA ]---"
    assert ours[-1].endswith("3   R W X AF")
    assert "-0x0000010000000000 " in ours[-1]


def test_a_first_line_that_ends_at_0_is_the_last_run() -> None:
    """The guest used that page; its end is the end of the IPA space."""
    vtcr, root, memory = real("4k-40-ptdump")
    theirs = s2.parse_kernel_dump("\n".join(printed("4k-40-ptdump")))
    lines = s2.kernel_dump(vtcr.geometry(), root, memory.read)

    assert s2.KernelRun(0xFF_FFFF_F000, 0x1000, 3, "R W X AF") == theirs[-1]
    assert theirs == s2.parse_kernel_dump("\n".join(lines))


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in REAL.glob("*/tables.csv"))
)
@pytest.mark.parametrize("release", ["6.12", "7.3"])
def test_runs_cover_what_scan_finds(name: str, release: str) -> None:
    """Runs tile the IPA space, and those that are no holes are what `scan` finds."""
    vtcr, root, memory = real(name)
    shape = vtcr.geometry()
    lines = s2.kernel_dump(shape, root, memory.read, release=release, vtcr=vtcr)
    runs = s2.parse_kernel_dump("\n".join(lines))

    assert runs[0].ipa == 0
    assert all(run.ipa + run.size == after.ipa for run, after in pairwise(runs))
    assert runs[-1].ipa + runs[-1].size == shape.ipa_size
    for level in (1, 2, 3):
        mapped = sum(
            found.size
            for found in s2.scan(shape, root, memory.read, vtcr=vtcr)
            if found.level == level
        )
        assert mapped == sum(
            run.size
            for run in runs
            if run.level == level and "F" not in (run.flags or "F").split()
        )


# Columns

WORDS = [
    (0, "", ""),
    (PAGE, "", "       px ux"),
    (PAGE | READ, "   R", "   R   px ux"),
    (PAGE | READ | WRITE | AF, "   R W   AF", "   R W px ux  AF"),
    (PAGE | READ | XN, "   R   X", "   R   PXNUXN"),
    (PAGE | READ | 0b01 << 53, "   R", "   R   PXNux"),
    (PAGE | READ | 0b11 << 53, "   R   X", "   R   px UXN"),
    (READ | AF, " F     X", " F R   px ux  AF"),
]
"""A word of the last level, and what v6.12 and v6.19 print of it."""


@pytest.mark.parametrize(("word", "v6_12", "v6_19"), WORDS)
def test_columns_by_release(word: int, v6_12: str, v6_19: str) -> None:
    """The kernel masks a word and prints what is left; 0 is a hole."""
    shape = s2.Geometry(12, 32, 2)
    memory = s2.Memory(
        {0x4000: table({0: 0x9000 | 0b11}, 2048), 0x9000: table({1: word | 0x7000})}
    )

    def second(release: str) -> str:
        lines = [*s2.kernel_dump(shape, 0x4000, memory.read, release=release)]
        found = [line for line in lines if line.startswith("0x0000000000001000-")]
        return found[0].partition("4K 3")[2] if found else ""

    assert v6_12 == second("6.12")
    assert v6_12 == second("6.18.3")
    assert v6_19 == second("6.19-rc1")
    assert v6_19 == second("7.3.4+deb13-arm64")


def test_runs_join_by_level_and_flags() -> None:
    """Output addresses do not matter; a block has BLK."""
    shape = s2.Geometry(12, 32, 2)
    words = {0: BLOCK | READ | AF | 0x4020_0000, 1: BLOCK | READ | AF, 2: BLOCK | READ}
    memory = s2.Memory({0x4000: table(words, 2048)})

    assert [
        "---[ Guest IPA ]---",
        "0x0000000000000000-0x0000000000400000           4M 2   R     AF BLK",
        "0x0000000000400000-0x0000000000600000           2M 2   R        BLK",
        "0x0000000000600000-0x0000000100000000        4090M 2",
    ] == list(s2.kernel_dump(shape, 0x4000, memory.read))


def test_the_columns_tell_their_release() -> None:
    """A dump of an unknown kernel can be compared too."""
    assert columns_release(None) is None
    assert columns_release("R W X AF") == "6.12"
    assert columns_release("R W PXNUXN AF") == "6.19"
    assert columns_release("px UXN") == "6.19"


# Text


NESTED = """\
VTCR: 0x0000000080023558 VTTBR: 0x0000000040d1c000 s2: enabled
---[ Guest IPA ]---
0x0000000000000000-0x0000000040000000           1G 1
0x0000000040000000-0x0000000040001000           4K 3   R W px ux  AF
"""


def test_the_header_of_a_nested_dump_is_no_run() -> None:
    """It has the registers of the guest hypervisor."""
    assert (
        s2.KernelRun(0, 1 << 30, 1, None),
        s2.KernelRun(1 << 30, 4096, 3, "R W px ux AF"),
    ) == s2.parse_kernel_dump(NESTED)
    assert s2.parse_kernel_dump("") == ()


WRONG = [
    ("0x0000000000000000-0x0000000040000000", "is no line of"),
    ("hello", "is no line of"),
    ("0x0000000000000000-0x0000000040000000 2G 1", "are not 2G"),
    ("0x0000000040000000-0x0000000000001000   18014398508433412K 1", "out of order"),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_a_wrong_line_is_named(line: str, message: str) -> None:
    """The error has the number of the line and its text."""
    with pytest.raises(s2.UnreadableInput, match=message) as caught:
        s2.parse_kernel_dump(f"---[ Guest IPA ]---\n{line}")

    assert "line 2" in str(caught.value)


def test_runs_that_overlap_are_refused() -> None:
    """They may be two dumps in one file."""
    with pytest.raises(s2.UnreadableInput, match="after a run that ends at 0x40001000"):
        s2.parse_kernel_dump(NESTED + NESTED)


LAST_FIRST = "0x0000000080000000-0x0000000000000000   17179869182G 1\n"


def test_the_ipa_width_ends_the_last_run() -> None:
    """Without a width it is the narrowest space that fits, from 32 bits on."""
    [narrow] = s2.parse_kernel_dump(LAST_FIRST)
    [wide] = s2.parse_kernel_dump(LAST_FIRST, ipa_bits=40)

    assert narrow == s2.KernelRun(1 << 31, 1 << 31, 1, None)
    assert wide == s2.KernelRun(1 << 31, (1 << 40) - (1 << 31), 1, None)
    for bits, match in ((31, "a 31-bit IPA space"), (65, "must be 1..64")):
        with pytest.raises(s2.S2GeomError, match=match):
            s2.parse_kernel_dump(LAST_FIRST, ipa_bits=bits)
    with pytest.raises(s2.UnreadableInput, match="is not between 0x100000000 and"):
        s2.parse_kernel_dump(
            f"{LAST_FIRST}0x0000000000000000-0x0000000100000000           4G 1\n"
        )


@given(st.text(alphabet="0123456789abcdefx- KMG\n[]", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text gives runs or UnreadableInput."""
    with suppress(s2.UnreadableInput):
        s2.parse_kernel_dump(text)


# Arguments


def test_bytes_instead_of_text_are_a_type_error() -> None:
    """Only `str` is accepted."""
    with pytest.raises(TypeError, match="text must be text, got bytes"):
        s2.parse_kernel_dump(b"")  # type: ignore[arg-type]


def test_releases_without_stage2_page_tables_are_refused() -> None:
    """The file came with v6.12."""
    shape = s2.Geometry(12, 32, 2)
    read = s2.Memory({}).read
    for release, error, match in (
        ("6.11.9", s2.InvalidArgument, "came with v6.12"),
        ("newest", s2.InvalidArgument, "must begin with two numbers"),
        (6.12, TypeError, "must be text"),
    ):
        with pytest.raises(error, match=match):
            s2.kernel_dump(shape, 0x4000, read, release=release)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="read must be callable"):
        s2.kernel_dump(shape, 0x4000, {})  # type: ignore[arg-type]


def test_missing_memory_is_an_error() -> None:
    """A table that cannot be read is not printed as a hole."""
    lines = s2.kernel_dump(s2.Geometry(12, 32, 2), 0x4000, s2.Memory({}).read)

    assert next(lines) == "---[ Guest IPA ]---"
    with pytest.raises(s2.MemoryReadError):
        next(lines)


def test_tables_that_are_no_tree_are_refused() -> None:
    """A table that points at itself has too many entries to read."""
    memory = s2.Memory({0x4000: table(dict.fromkeys(range(512), 0x4000 | 0b11))})
    shape = s2.Geometry(12, 48, 0)
    with pytest.raises(s2.UnreadableInput, match="the tables are no tree"):
        list(s2.kernel_dump(shape, 0x4000, memory.read))


def test_a_table_above_the_output_size_is_refused() -> None:
    """The CPU would report an Address size fault."""
    vtcr = s2.VTCR_EL2.for_geometry(s2.Geometry(12, 32, 2), pa_bits=32)
    memory = s2.Memory({0x4000: table({5: 1 << 40 | 0b11}, 2048)})
    lines = s2.kernel_dump(vtcr.geometry(), 0x4000, memory.read, vtcr=vtcr)
    with pytest.raises(s2.UnreadableInput, match="beyond the 32 bits"):
        list(lines)


def test_holes_at_level_minus_1_are_printed() -> None:
    """An empty root of five levels has holes of 256T."""
    root = s2.Memory({0: bytes(128)})
    lines = s2.kernel_dump(s2.Geometry(12, 52, -1, lpa2=True), 0, root.read)
    runs = s2.parse_kernel_dump("\n".join(lines))

    assert {-1} == {run.level for run in runs}
    assert {None} == {run.flags for run in runs}


def test_a_hole_at_level_minus_1_before_a_mapping_is_printed() -> None:
    """Four empty entries of the root come first, as a run of 1P."""
    tables = s2.TableBuilder(s2.Geometry(12, 52, -1, lpa2=True), 0x10000)
    tables.map(1 << 50, 0x8000_0000, 4096)
    read = s2.Memory(tables.images()).read
    _, first, second, *_ = s2.kernel_dump(tables.geometry, tables.root, read)

    assert "0x0000000000000000-0x0004000000000000           1P -1" == first
    assert second.startswith("0x0004000000000000-0x0004000000001000           4K 3")
