# SPDX-License-Identifier: MIT
"""`scan_columns`: what `scan` yields, as arrays instead of values.

In fragmented memory a row made in Python costs more than reading it. So a whole table
is one integer of 64-bit lanes, a lane for each descriptor, and each question about its
descriptors is a few operations on that integer: which are leaves, what are their
addresses, which of them continue the one before.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, starmap
from struct import Struct, pack
from typing import Any, NamedTuple, overload

from attrs import define, evolve, field, frozen

from s2geom.core.display import Displayed
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL
from s2geom.core.numbers import unsigned
from s2geom.core.public import public
from s2geom.cpu.cpu import Cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import fwb_field, fwb_or_none, leaf_attributes
from s2geom.tables.descriptor import WORD_MASK
from s2geom.tables.layout import NO_LEAF, AddressLayout
from s2geom.tables.memory import Read
from s2geom.tables.regime import regime_of
from s2geom.tables.scan import IpaRange, Mapping
from s2geom.tables.scan_engine import (
    CountingWords,
    Progress,
    Scan,
    Shape,
    Unreadable,
)

CODES = {"ipa": "Q", "output_address": "Q", "size": "Q", "bits": "Q", "level": "b"}
"""The columns, and what the items of their arrays are."""


@public
@frozen(eq=False, repr=False)
class Columns(Sequence[Mapping], Displayed):  # noqa: PLW1641 - arrays can be changed
    """Mappings as columns: the same ones that `scan` yields, in the same order.

    Its length, its iteration and its items are those of a sequence of `Mapping`; a
    slice is a `Columns`. Two are equal if they hold the same mappings. The arrays have
    the buffer protocol, so ``numpy.asarray(columns.ipa)`` does not copy.

    Args:
        ipa: First IPA of each mapping, an ``array('Q')``.
        output_address: Physical address that it maps to, an ``array('Q')``.
        size: Bytes, an ``array('Q')``.
        bits: The leaf's attribute bits, in place, an ``array('Q')``. Of LPA2 leaves the
            shareability is not in them.
        level: Level of the leaf, an ``array('b')``.
        layout: Where the descriptors keep an address.
        sh: VTCR_EL2.SH0, which LPA2 leaves have as shareability; None if not known.
        fwb: HCR_EL2.FWB, as it was given. Not compared.

    .. versionadded:: 0.2.0
    """

    ipa: "array[int]"
    output_address: "array[int]"
    size: "array[int]"
    bits: "array[int]"
    level: "array[int]"
    layout: AddressLayout = field(default=AddressLayout.BITS48, kw_only=True)
    sh: int | None = field(default=None, kw_only=True)
    fwb: bool | None = fwb_field()

    def __len__(self) -> int:
        return len(self.ipa)

    @overload
    def __getitem__(self, index: int) -> Mapping: ...

    @overload
    def __getitem__(self, index: slice) -> "Columns": ...

    def __getitem__(self, index: int | slice) -> "Mapping | Columns":
        if isinstance(index, slice):
            parts: dict[str, Any] = {
                name: column[index] for name, column in self.to_dict().items()
            }
            return evolve(self, **parts)
        return self._mapping(*(column[index] for column in self.to_dict().values()))

    def __iter__(self) -> Iterator[Mapping]:
        return starmap(self._mapping, zip(*self.to_dict().values(), strict=True))

    def _mapping(
        self, ipa: int, address: int, size: int, bits: int, level: int
    ) -> Mapping:
        attributes = leaf_attributes(bits, self.layout, self.sh)
        return Mapping(ipa, address, size, attributes, level, fwb=self.fwb)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Columns):
            return NotImplemented
        own, others = (
            (one.to_dict(), one.layout is AddressLayout.LPA2, one.sh)
            for one in (self, other)
        )
        return own == others

    def to_dict(self) -> "dict[str, array[int]]":
        """Return the arrays by their names, as a data frame takes them."""
        return {name: getattr(self, name) for name in CODES}

    def at_output(self, address: int) -> tuple[Mapping, ...]:
        """Return the mappings whose output addresses include a physical address.

        Args:
            address: In bytes.

        Raises:
            InvalidArgument: It is negative or wider than 64 bits.
            TypeError: It is no integer.
        """
        address = unsigned("address", address)
        return tuple(
            self[index]
            for index, first in enumerate(self.output_address)
            if first <= address < first + self.size[index]
        )

    def __repr__(self) -> str:
        return f"<Columns of {len(self)} mappings>"


@public
def scan_columns(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: IpaRange | None = None,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    progress: Progress | None = None,
    fwb: bool | None = None,
    unreadable: Unreadable | None = None,
) -> Columns:
    """Return everything that is mapped, in IPA order, as columns.

    The arguments and the errors are those of `scan`, and so are the mappings. Where no
    two pages touch, it is many times faster.

    .. versionadded:: 0.2.0

    >>> from s2geom import Memory, TableBuilder
    >>> tables = TableBuilder(Geometry(12, 40, 1), base=0x8000_0000)
    >>> for page in range(4):
    ...     tables.map(page << 12, (9 - page) << 30, 4096)
    >>> read = Memory(tables.images()).read
    >>> columns = scan_columns(tables.geometry, tables.root, read)
    >>> columns, [hex(ipa) for ipa in columns.ipa[1:3]]
    (<Columns of 4 mappings>, ['0x1000', '0x2000'])
    """
    regime = regime_of(geometry, cpu, vtcr)
    engine = ColumnScan(regime, root, read, ipa_range, progress, unreadable)
    return engine.columns(fwb_or_none(fwb))


# Tables as integers


class Lanes(NamedTuple):
    """Constants for the tables of a level: a lane of 64 bits for each entry."""

    ones: int  # bit 0 of every lane
    low: int  # bits 62:0
    high: int  # bit 63
    step: int  # what one entry maps
    ramp: int  # 0, one step, two steps, ...
    address: int  # the bits that hold an address in place
    moved: int  # the bits that hold an address elsewhere
    beyond: int  # address bits above the output size
    bits: int  # attribute bits
    offsets: tuple[bytes, ...]  # the lanes of `ramp`
    sizes: bytes  # the lanes of `step`
    words: Struct  # takes a table apart into 8 bytes each


FEW_ROWS = 24
"""Rows of a table up to which each is added by itself."""


@lru_cache(maxsize=32)
def _lanes(
    count: int, shift: int, address: int, moved: int, output_bits: int, bits: int
) -> Lanes:
    offsets = tuple(pack("<Q", index << shift) for index in range(count))
    ones = int.from_bytes(pack("<Q", 1) * count, "little")
    return Lanes(
        ones=ones,
        low=ones * (WORD_MASK >> 1),
        high=ones << 63,
        step=ones << shift,
        ramp=int.from_bytes(b"".join(offsets), "little"),
        address=ones * address,
        moved=ones * moved,
        beyond=ones * (WORD_MASK >> output_bits << output_bits),
        bits=ones * bits,
        offsets=offsets,
        sizes=pack("<Q", 1 << shift) * count,
        words=Struct("8s" * count),
    )


def _lane_bytes(lanes: int, count: int) -> bytes:
    return lanes.to_bytes(count << DESCRIPTOR_SHIFT, "little")


NO_ROW = (-1, -1, -1, -1, -1, -2)
"""What no mapping continues."""


@define(eq=False)
class ColumnScan(Scan):
    """A scan that fills columns: little-endian bytes, joined at the end."""

    _chunks: tuple[list[bytes], ...] = field(
        init=False, factory=lambda: tuple([] for _ in CODES)
    )
    _rows: list[tuple[int, int, int, int, int]] = field(init=False, factory=list)
    """Rows that are not in the chunks yet."""
    _last: list[int] = field(init=False, factory=lambda: [*NO_ROW])
    """The row after those, which the next may continue: IPA, output address, the ends
    of both, attribute bits and level."""
    _stored: tuple[int, ...] = field(init=False, default=())
    """Of the last row in the chunks, where nothing was added since: the same without
    its IPA and output address."""

    def columns(self, fwb: bool | None) -> Columns:
        """Read all tables."""
        self._read_tables()
        ipas, addresses, sizes, bits, levels = columns = [
            array(code, b"".join(chunks))
            for code, chunks in zip(CODES.values(), self._chunks, strict=True)
        ]
        if sys.byteorder == "big":  # pragma: no cover - the chunks are little-endian
            for column in columns:
                column.byteswap()
        if ipas:  # what the first and the last have outside the range
            before = max(self.start - ipas[0], 0)
            ipas[0] += before
            addresses[0] += before
            sizes[0] -= before
            sizes[-1] -= max(ipas[-1] + sizes[-1] - self.end, 0)
        layout, sh = self.regime.layout, self.regime.leaf_sh
        return Columns(
            *(ipas, addresses, sizes, bits, levels), layout=layout, sh=sh, fwb=fwb
        )

    def _read_tables(self) -> None:
        last = self._last
        for ipa, address, size, bits, level in self.runs():
            if (  # as `_add`, of which a call would be a tenth of the time
                ipa == last[2]
                and address == last[3]
                and bits == last[4]
                and level == last[5]
            ):
                last[2] += size
                last[3] += size
            else:
                self._begin(ipa, address, size, bits, level)
        self._close()
        self._store()

    def _add(self, ipa: int, address: int, size: int, bits: int, level: int) -> None:
        """Add a row, or let it continue the last one."""
        last = self._last
        if [ipa, address, bits, level] == last[2:]:
            last[2] += size
            last[3] += size
        else:
            self._begin(ipa, address, size, bits, level)

    def _begin(self, ipa: int, address: int, size: int, bits: int, level: int) -> None:
        """Close the last row and begin another, or take one back that it continues."""
        if self._stored == (ipa, address, bits, level):
            sizes = self._chunks[2][-1]
            size += int.from_bytes(sizes[-8:], "little")
            ipa, address = (
                int.from_bytes(chunks[-1][-8:], "little") for chunks in self._chunks[:2]
            )
            for chunks in self._chunks[:-1]:
                chunks[-1] = chunks[-1][:-8]
            self._chunks[-1][-1] = self._chunks[-1][-1][:-1]
        self._close()
        self._last[:] = ipa, address, ipa + size, address + size, bits, level

    def _close(self) -> None:
        ipa, address, end, _, bits, level = self._last
        if end > 0:
            self._rows.append((ipa, address, end - ipa, bits, level))
        self._last[:] = NO_ROW
        self._stored = ()

    def _store(self) -> None:
        """Move the rows into the chunks."""
        if self._rows:
            *words, levels = zip(*self._rows, strict=True)
            for chunks, column in zip(self._chunks, words, strict=False):
                chunks.append(pack(f"<{len(column)}Q", *column))
            self._chunks[-1].append(bytes(level & 0xFF for level in levels))
            self._rows.clear()

    def _words(
        self, depth: int, table: bytes, ipa: int, *, again: bool
    ) -> Iterator[CountingWords]:
        if self._whole(self._shapes[depth], table, ipa):
            return iter(())
        return super()._words(depth, table, ipa, again=again)

    def _whole(self, shape: Shape, table: bytes, ipa: int) -> bool:
        """Add all leaves of a table at once, if it links to no other table."""
        if shape.leaf == NO_LEAF:
            return False
        layout, count = self.regime.layout, len(table) >> DESCRIPTOR_SHIFT
        lanes = _lanes(
            count,
            shape.shift,
            shape.address,
            layout.moved_mask,
            self.regime.output_bits,
            shape.attributes,
        )
        words = int.from_bytes(table, "little")
        leaves = words & words >> 1 & lanes.ones  # bits 1:0 are both set
        if shape.level != LAST_LEVEL:
            if leaves:  # they are links
                return False
            leaves = words & lanes.ones
        beyond = self._addresses(words, lanes) & lanes.beyond
        if beyond:
            leaves &= ~_lanes_with_bits(beyond, lanes)
        if leaves:
            self._add_leaves(shape, lanes, table, ipa, words, leaves)
        return True

    def _add_leaves(
        self,
        shape: Shape,
        lanes: Lanes,
        table: bytes,
        ipa: int,
        words: int,
        leaves: int,
    ) -> None:
        """Add the leaves of a table, which are in some of its lanes."""
        ones, shift, count = lanes.ones, shape.shift, len(table) >> DESCRIPTOR_SHIFT
        address = self._addresses(words, lanes)
        # A leaf continues the leaf in the lane below if its lane is zero here.
        bits = words & lanes.bits
        differ = address ^ ((address << 64) + lanes.step) | bits ^ bits << 64
        starts = leaves & (_lanes_with_bits(differ, lanes) | ones ^ leaves << 64 | 1)
        if starts == ones and count > FEW_ROWS:
            sizes = lanes.sizes
            self._add_words(shape, lanes, count, ones * ipa + lanes.ramp, words, sizes)
            return
        chosen = chosen_ends = _lane_bytes(starts, count)[::8]
        if starts != leaves:  # some leaves continue others
            chosen_ends = _lane_bytes(leaves ^ (leaves ^ starts) >> 64, count)[::8]
        rows = chosen.count(1)
        if rows <= FEW_ROWS:
            self._add_few(shape, table, ipa, rows, chosen, chosen_ends)
            return
        some = ones & (1 << (rows << 6)) - 1
        sizes = lanes.sizes[: rows << DESCRIPTOR_SHIFT]
        first = chosen.index(1)
        step = chosen.index(1, first + 1) - first
        if chosen[first::step][:rows] == b"\1" * rows:  # every other page, or the like
            firsts = (lanes.ramp & some * WORD_MASK) * step + (some * first << shift)
            part = memoryview(table).cast("Q")[first::step][:rows]
            words = int.from_bytes(part.tobytes(), "little")
        else:
            firsts = _compressed(lanes.offsets, chosen)
            words = _compressed(lanes.words.unpack(table), chosen)
        if starts != leaves:
            lasts = _compressed(lanes.offsets, chosen_ends)
            sizes = _lane_bytes(lasts - firsts + (some << shift), rows)
        self._add_words(shape, lanes, rows, some * ipa + firsts, words, sizes)

    def _addresses(self, words: int, lanes: Lanes) -> int:
        address = words & lanes.address
        if lanes.moved:
            address |= (words & lanes.moved) << self.regime.layout.move_up
        return address

    def _add_few(
        self,
        shape: Shape,
        table: bytes,
        ipa: int,
        rows: int,
        chosen: bytes,
        chosen_ends: bytes,
    ) -> None:
        """Add rows one by one; above `FEW_ROWS` that takes longer than all at once."""
        layout, shift, end = self.regime.layout, shape.shift, -1
        moved, move_up = layout.moved_mask, layout.move_up
        added = []
        for _ in range(rows):
            first = chosen.index(1, end + 1)
            end = chosen_ends.index(1, first)
            word = int.from_bytes(table[first << 3 : (first << 3) + 8], "little")
            added.append(
                (
                    ipa + (first << shift),
                    word & shape.address | (word & moved) << move_up,
                    end + 1 - first << shift,
                    word & shape.attributes,
                    shape.level,
                )
            )
        self._add(*added[0])
        if rows > 1:  # none but the first continues another
            self._close()
            self._rows += added[1:-1]
            self._begin(*added[-1])

    def _add_words(
        self, shape: Shape, lanes: Lanes, rows: int, ipa: int, words: int, sizes: bytes
    ) -> None:
        """Add a row for each lane; none but the first continues another."""
        level = shape.level
        columns = [
            _lane_bytes(ipa, rows),
            _lane_bytes(self._addresses(words, lanes), rows),
            sizes,
            _lane_bytes(words & lanes.bits, rows),
        ]
        first = [int.from_bytes(column[:8], "little") for column in columns]
        begins = first[0], first[1], first[3], level
        if begins in (self._stored, tuple(self._last[2:])):
            self._add(first[0], first[1], first[2], first[3], level)
            rows, columns = rows - 1, [column[8:] for column in columns]
        self._close()
        self._store()
        for chunks, column in zip(self._chunks, columns, strict=False):
            chunks.append(column)
        self._chunks[-1].append(bytes([level & 0xFF]) * rows)
        last = [int.from_bytes(column[-8:], "little") for column in columns]
        self._stored = last[0] + last[2], last[1] + last[2], last[3], level


def _compressed(words: Iterable[bytes], chosen: bytes) -> int:
    """Return the lanes of some words, given as 8 bytes each."""
    return int.from_bytes(b"".join(compress(words, chosen)), "little")


def _lanes_with_bits(words: int, lanes: Lanes) -> int:
    """Return bit 0 of every lane that is not zero.

    The sum of two numbers of 63 bits carries into bit 63 and no further.
    """
    return (((words & lanes.low) + lanes.low | words) & lanes.high) >> 63
