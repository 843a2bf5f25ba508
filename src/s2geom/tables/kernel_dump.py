# SPDX-License-Identifier: MIT
"""KVM's own text about stage-2 tables: debugfs `stage2_page_tables`, read and written.

The file has no output addresses. It joins entries that touch and are alike in level and
flags, wherever they map to, and lists holes too. Its columns changed with Linux v6.19.
Before v7.3 nothing flushed the last run: it is missing, or, where the kernel made the
text twice, it is the first line and ends at 0.
"""

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from struct import unpack
from typing import NamedTuple

from attrs import evolve, field, frozen

from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL
from s2geom.core.numbers import integer_within, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.registers.nested_dump import NESTED_HEADER
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import ATTRIBUTE_FIELDS
from s2geom.tables.layout import BLOCK, TABLE_OR_PAGE, VALID
from s2geom.tables.memory import ADDRESSES, Read, checked_read, read_exactly
from s2geom.tables.regime import Regime, regime_of
from s2geom.tables.scan_engine import AGAIN_LIMIT, no_tree


@public
@frozen
class KernelRun:
    """One line of KVM's `stage2_page_tables`.

    .. versionadded:: 0.2.0

    Args:
        ipa: First address, in bytes.
        size: Bytes.
        level: Level of the entries, leaves or holes.
        flags: The words that the kernel printed, one blank between two; None for a
            hole. Up to Linux v6.18 the word ``X`` says that XN is *set*, so not
            executable; from v6.19 on it is ``px`` or ``PXN`` for EL1 and ``ux`` or
            ``UXN`` for EL0.
    """

    ipa: int = field(repr=hex)
    size: int = field(repr=hex)
    level: int
    flags: str | None


# What the kernel looks at in a descriptor


class DumpColumn(NamedTuple):
    """Text that the kernel prints if the bits under a mask have a value."""

    mask: int
    value: int
    set: str
    clear: str


S2AP, XN = ATTRIBUTE_FIELDS["s2ap"], ATTRIBUTE_FIELDS["xn"]
S2AP_READ, S2AP_WRITE = S2AP.place(0b01), S2AP.place(0b10)
AF = ATTRIBUTE_FIELDS["af"].mask


def _if_set(bits: int, text: str) -> DumpColumn:
    return DumpColumn(bits, bits, f" {text}", " " * len(f" {text}"))


def _xn(value: int, text: str) -> DumpColumn:
    return DumpColumn(XN.mask, XN.place(value), f" {text}", "")


COLUMNS: dict[tuple[int, int], tuple[DumpColumn, ...]] = {
    (6, 12): (
        DumpColumn(VALID, VALID, "  ", " F"),
        _if_set(S2AP_READ | VALID, "R"),
        _if_set(S2AP_WRITE | VALID, "W"),
        DumpColumn(XN.place(0b10) | VALID, VALID, "  ", " X"),
        _if_set(AF | VALID, "AF"),
        DumpColumn(TABLE_OR_PAGE, BLOCK, " BLK", "    "),
    ),
    (6, 19): (
        DumpColumn(VALID, VALID, "  ", " F"),
        _if_set(S2AP_READ, "R"),
        _if_set(S2AP_WRITE, "W"),
        _xn(0, "px ux "),
        _xn(1, "PXNux "),
        _xn(2, "PXNUXN"),
        _xn(3, "px UXN"),
        _if_set(AF, "AF"),
        DumpColumn(TABLE_OR_PAGE, BLOCK, " BLK", "    "),
    ),
}
"""The columns by the release that brought them.

Source: Linux arch/arm64/kvm/ptdump.c, stage2_pte_bits; 7c4f73548ed1 "KVM: arm64:
Register ptdump with debugfs on guest creation" (v6.12) and 81e9fe5c6f25 "KVM: arm64:
Teach ptdump about FEAT_XNX permissions" (v6.19). The last run: beca1b97a21d "KVM:
arm64: ptdump: Flush the last region" (v7.3).
"""

HEADING = "---[ Guest IPA ]---"
UNITS = "KMGTPE"


def _columns_of(release: object) -> tuple[DumpColumn, ...]:
    if not isinstance(release, str):
        raise TypeError(f"release must be text such as '6.12', got {quoted(release)}")
    numbers = re.match(r"v?(\d{1,4})\.(\d{1,4})(?!\d)", release)
    if numbers is None:
        raise InvalidArgument(
            f"release must begin with two numbers such as '6.12', got {quoted(release)}"
        )
    version = int(numbers[1]), int(numbers[2])
    eras = [era for era in COLUMNS if era <= version]
    if not eras:
        raise InvalidArgument(
            f"Linux {quoted(release)} has no stage2_page_tables; it came with v6.12"
        )
    return COLUMNS[max(eras)]


def columns_release(flags: str | None) -> str | None:
    """Return the release that brought the columns in which flags are printed.

    Args:
        flags: Of a `KernelRun`.

    Returns:
        ``"6.12"`` or ``"6.19"``; None for a hole, which has no columns.
    """
    if flags is None:
        return None
    return "6.19" if re.search("[up]x|[UP]XN", flags) else "6.12"


# Reading the text

RUN = re.compile(
    r"0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\s+(\d{1,20}[KMGTPE])\s(-1|[0-3])(\s.*)?"
)
NO_RUN = re.compile(r"\s*|---\[ .* \]---")


def _size_text(size: int) -> str:
    count, unit = size >> 10, 0
    while not count & 1023 and unit < len(UNITS) - 1:
        count >>= 10
        unit += 1
    return f"{count}{UNITS[unit]}"


def _runs(text: str) -> Iterator[tuple[int, KernelRun]]:
    """Yield every run with the number of its line. One may end at 0."""
    for number, line in enumerate(text.splitlines(), 1):
        if not (NO_RUN.fullmatch(line) or NESTED_HEADER.fullmatch(line)):
            yield number, _run_of(line, number)


def _run_of(line: str, number: int) -> KernelRun:
    row = RUN.fullmatch(line)
    if row is None:
        raise UnreadableInput(
            f"line {number} is no line of stage2_page_tables: {quoted(line)}"
        )
    start, end, size = int(row[1], 16), int(row[2], 16), row[3]
    if size != _size_text((end - start) % ADDRESSES):
        raise UnreadableInput(
            f"line {number} contradicts itself: {row[1]} to {row[2]} are not {size}"
        )
    flags = None if row[5] is None else " ".join(row[5].split())
    return KernelRun(start, end - start, int(row[4]), flags)


@public
def parse_kernel_dump(
    text: str, *, ipa_bits: int | None = None
) -> tuple[KernelRun, ...]:
    """Read what KVM prints in debugfs as `stage2_page_tables`.

    Dumps of nested guests are read too, with their line about VTCR and VTTBR.

    .. versionadded:: 0.2.0

    Args:
        text: The file.
        ipa_bits: Width of the IPA space, 1..64: debugfs has it as `ipa_range`. It is
            the end of a last run that the kernel printed as the first line with an end
            of 0. None is the narrowest space, of at least 32 bits, that has it.

    Returns:
        The runs, holes too, in IPA order. Such a first line stands last.

    Raises:
        UnreadableInput: A line is no line of that file, contradicts itself, or overlaps
            the one before.
        InvalidArgument: ``ipa_bits`` is out of range.
        TypeError: ``text`` is no text.

    Source: Linux arch/arm64/kvm/ptdump.c and arch/arm64/mm/ptdump.c, v6.12 to v7.3.

    >>> parse_kernel_dump('''---[ Guest IPA ]---
    ... 0x0000000000000000-0x0000000040000000           1G 1
    ... 0x0000000040000000-0x0000000040200000           2M 2   R W X AF BLK
    ... ''')[1]
    KernelRun(ipa=0x40000000, size=0x200000, level=2, flags='R W X AF BLK')
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be text, got {type(text).__name__}")
    if ipa_bits is not None:
        ipa_bits = integer_within("ipa_bits", ipa_bits, 1, 64)
    runs: list[KernelRun] = []
    end = 0
    for number, run in _runs(text):
        start, end_before, end = run.ipa, end, run.ipa + run.size
        is_last_run_first = not runs and end == 0
        if not (is_last_run_first or end_before <= start < end):
            raise UnreadableInput(
                f"line {number} is out of order: {start:#x} to {end:#x} after a run "
                f"that ends at {end_before:#x}"
            )
        runs.append(run)
    if runs and runs[0].size <= 0:
        runs.append(_last_run(runs.pop(0), end, ipa_bits))
    return tuple(runs)


def _last_run(run: KernelRun, end_before: int, ipa_bits: int | None) -> KernelRun:
    width = ipa_bits or max(32, run.ipa.bit_length())
    size = (1 << width) - run.ipa
    if run.ipa < end_before or size <= 0:
        raise UnreadableInput(
            f"the first line ends at 0, so it is the last run, but {run.ipa:#x} is not "
            f"between {end_before:#x} and the end of a {width}-bit IPA space"
        )
    return evolve(run, size=size)


# Writing the text


@public
def kernel_dump(
    geometry: Geometry,
    root: int,
    read: Read,
    *,
    release: str = "6.12",
    vtcr: VTCR_EL2 | int | None = None,
) -> Iterator[str]:
    """Yield the lines that KVM prints for tables as `stage2_page_tables`.

    Holes and their levels are there, runs are joined whatever their output address, and
    the last run stands last, where the kernel has lost it before v7.3. Blanks at the
    end of a line are left out.

    .. versionadded:: 0.2.0

    Args:
        geometry: The shape of the tables.
        root: Physical address of the start level's table, in bytes.
        read: As for `walk`.
        release: The kernel whose columns to print: v6.12 to v6.18, or v6.19 on.
        vtcr: As for `walk`.

    Raises:
        InvalidArgument: The release has no such file, an address is out of range, or
            ``vtcr`` contradicts the geometry or asks for another format.
        MemoryReadError: ``read`` raised it for a table; it passes through.
        UnreadableInput: ``read`` returned another number of bytes, a root or table is
            beyond the output size, or the tables are no tree, as for `scan`.
        TypeError: A value has the wrong type.

    Source: Linux arch/arm64/mm/ptdump.c, note_page.

    >>> from s2geom import Memory, TableBuilder
    >>> tables = TableBuilder(Geometry(12, 32, 2), 0x10000)
    >>> tables.map(0x4000_0000, 0x8000_0000, 2 << 20)
    >>> memory = Memory(tables.images())
    >>> for line in kernel_dump(tables.geometry, 0x10000, memory.read, release="7.3"):
    ...     print(line)
    ---[ Guest IPA ]---
    0x0000000000000000-0x0000000040000000           1G 2
    0x0000000040000000-0x0000000040200000           2M 2   R W px ux  AF BLK
    0x0000000040200000-0x0000000100000000        3070M 2
    """
    columns = _columns_of(release)
    regime = regime_of(geometry, None, vtcr)
    root = unsigned("root", root) & regime.root_mask
    return _dump_lines(_Entries(regime, checked_read(read), columns), root, columns)


def _dump_lines(
    entries: "_Entries", root: int, columns: tuple[DumpColumn, ...]
) -> Iterator[str]:
    yield HEADING
    visited = entries.under(0, root, 0)
    level, word, start = next(visited)
    for next_level, next_word, ipa in visited:
        if next_level != level or next_word != word:
            yield _line(start, ipa, level, word, columns)
            level, word, start = next_level, next_word, ipa
    yield _line(start, entries.regime.geometry.ipa_size, level, word, columns)


def _line(
    start: int, end: int, level: int, word: int, columns: tuple[DumpColumn, ...]
) -> str:
    line = f"0x{start:016x}-0x{end:016x}   {_size_text(end - start):>10} {level}"
    if word:
        for mask, value, present, absent in columns:
            line += present if word & mask == value else absent
    return line.rstrip()


class _Entries:
    """Every entry that is no table, as the kernel's walker visits them."""

    def __init__(
        self, regime: Regime, read: Read, columns: tuple[DumpColumn, ...]
    ) -> None:
        self.regime, self.read = regime, read
        self._mask = reduce(or_, (column.mask for column in columns))
        self._reached: set[int] = set()
        self._again = 0

    def under(self, depth: int, table: int, ipa: int) -> Iterator[tuple[int, int, int]]:
        """Yield level, the bits that are looked at, and IPA, in IPA order."""
        regime, mask = self.regime, self._mask
        level, shift, entries, _, _ = regime.steps[depth]
        self._count(table, entries, level, ipa)
        step = 1 << shift
        data = read_exactly(self.read, table, entries << DESCRIPTOR_SHIFT)
        for word in unpack(f"<{entries}Q", data):
            if word & TABLE_OR_PAGE == TABLE_OR_PAGE and level < LAST_LEVEL:
                below = regime.layout.decode(word, regime.geometry.page_shift)
                yield from self.under(depth + 1, below, ipa)
            else:
                yield level, word & mask, ipa
            ipa += step

    def _count(self, table: int, entries: int, level: int, ipa: int) -> None:
        if table >> self.regime.output_bits:
            raise UnreadableInput(
                f"the table for IPA {ipa:#x} at level {level} is at {table:#x}, beyond "
                f"the {self.regime.output_bits} bits of an output address"
            )
        if table in self._reached:
            self._again += entries
            if self._again > AGAIN_LIMIT:
                raise UnreadableInput(no_tree(table, level, ipa))
        self._reached.add(table)
