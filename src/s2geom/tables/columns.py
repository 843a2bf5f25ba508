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
from itertools import compress
from struct import Struct, pack
from typing import NamedTuple, cast, overload

from attrs import define, field, frozen

from s2geom.core.display import Displayed
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL
from s2geom.core.numbers import unsigned
from s2geom.core.public import public
from s2geom.cpu.cpu import Cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import fwb_field, fwb_or_none, leaf_attributes
from s2geom.tables.descriptor import WORD_MASK
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Read
from s2geom.tables.regime import NO_LEAF
from s2geom.tables.scan import Mapping, Progress, Range, Unreadable, engine_of
from s2geom.tables.scan_engine import CountingWords, Scan, Shape

NAMES = ("ipa", "output_address", "size", "bits", "level")


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
            parts = {name: column[index] for name, column in self.to_dict().items()}
            shared = {"layout": self.layout, "sh": self.sh, "fwb": self.fwb}
            return Columns(**parts, **shared)  # type: ignore[arg-type]
        ipa, address, size, bits, level = (
            column[index] for column in self.to_dict().values()
        )
        attributes = leaf_attributes(bits, self.layout, self.sh)
        return Mapping(ipa, address, size, attributes, level, fwb=self.fwb)

    def __iter__(self) -> Iterator[Mapping]:
        layout, sh, fwb = self.layout, self.sh, self.fwb
        for ipa, address, size, bits, level in zip(
            *self.to_dict().values(), strict=True
        ):
            attributes = leaf_attributes(bits, layout, sh)
            yield Mapping(ipa, address, size, attributes, level, fwb=fwb)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Columns):
            return NotImplemented
        return self.to_dict() == other.to_dict() and (self._has_sh, self.sh) == (
            other._has_sh,
            other.sh,
        )

    @property
    def _has_sh(self) -> bool:
        return self.layout is not AddressLayout.LPA2

    def to_dict(self) -> "dict[str, array[int]]":
        """Return the arrays by their names, as a data frame takes them."""
        return {name: getattr(self, name) for name in NAMES}

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
            for index, (first, size) in enumerate(
                zip(self.output_address, self.size, strict=True)
            )
            if first <= address < first + size
        )

    def __repr__(self) -> str:
        return f"<Columns of {len(self)} mappings>"


@public
def scan_columns(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: Range | None = None,
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
    engine = engine_of(
        ColumnScan,
        geometry,
        root,
        read,
        ipa_range,
        cpu=cpu,
        vtcr=vtcr,
        progress=progress,
        unreadable=unreadable,
    )
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


def _bytes(lanes: int, count: int) -> bytes:
    return lanes.to_bytes(count << DESCRIPTOR_SHIFT, "little")


Row = tuple[int, int, int, int, int]
"""IPA, output address, size, attribute bits and level of one mapping."""

NO_ROW = (-1, -1, 0, -1, -1)
"""What no mapping continues."""


@define(eq=False)
class ColumnScan(Scan):
    """A scan that fills columns: little-endian bytes, joined at the end."""

    _chunks: tuple[list[bytes], ...] = field(
        init=False, factory=lambda: tuple([] for _ in NAMES)
    )
    _rows: list[Row] = field(init=False, factory=list)  # not in the chunks yet
    _last: Row = field(init=False, default=NO_ROW)  # the next may continue it

    def columns(self, fwb: bool | None) -> Columns:
        """Read all tables."""
        for run in self.runs():
            self._add(*run)
        self._close()
        self._store()
        ipa, address, size, bits, level = (
            array("b" if name == "level" else "Q", b"".join(chunks))
            for name, chunks in zip(NAMES, self._chunks, strict=True)
        )
        if sys.byteorder == "big":  # pragma: no cover - the chunks are little-endian
            for column in (ipa, address, size, bits):
                column.byteswap()
        if ipa:
            before = max(self.start - ipa[0], 0)
            ipa[0] += before
            address[0] += before
            size[0] -= before
            size[-1] -= max(ipa[-1] + size[-1] - self.end, 0)
        regime = self.regime
        return Columns(
            ipa,
            address,
            size,
            bits,
            level,
            layout=regime.layout,
            sh=regime.leaf_sh,
            fwb=fwb,
        )

    def _add(self, ipa: int, address: int, size: int, bits: int, level: int) -> None:
        """Add a row, or let it continue the last one."""
        last_ipa, last_address, last_size, last_bits, last_level = self._last
        if (
            last_ipa + last_size == ipa
            and last_address + last_size == address
            and last_bits == bits
            and last_level == level
        ):
            self._last = last_ipa, last_address, last_size + size, bits, level
        else:
            self._close()
            self._last = ipa, address, size, bits, level

    def _close(self) -> None:
        if self._last[2]:
            self._rows.append(self._last)
            self._last = NO_ROW

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
        ones = lanes.ones
        words = int.from_bytes(table, "little")
        leaves = words & words >> 1 & ones  # bits 1:0 are both set
        if shape.level != LAST_LEVEL:
            if leaves:  # they are links
                return False
            leaves = words & ones
        address = self._addresses(words, lanes)
        beyond = address & lanes.beyond
        if beyond:
            leaves &= ~_lanes_with_bits(beyond, lanes)
        if not leaves:
            return True
        # A leaf continues the leaf in the lane below if its lane is zero here.
        bits = words & lanes.bits
        differ = address ^ ((address << 64) + lanes.step) | bits ^ bits << 64
        starts = leaves & (_lanes_with_bits(differ, lanes) | ones ^ leaves << 64 | 1)
        if starts == ones and count > FEW_ROWS:
            sizes = lanes.sizes
            self._add_words(shape, lanes, count, ones * ipa + lanes.ramp, words, sizes)
            return True
        ends = leaves ^ (leaves ^ starts) >> 64
        chosen = chosen_ends = _bytes(starts, count)[::8]
        if ends != starts:
            chosen_ends = _bytes(ends, count)[::8]
        rows = chosen.count(1)
        if rows <= FEW_ROWS:
            self._add_few(shape, table, ipa, rows, chosen, chosen_ends)
            return True
        some = ones & (1 << (rows << 6)) - 1
        firsts = _chosen(lanes.offsets, chosen)
        sizes = lanes.sizes[: rows << DESCRIPTOR_SHIFT]
        if ends != starts:
            lasts = _chosen(lanes.offsets, chosen_ends)
            sizes = _bytes(lasts - firsts + (some << shape.shift), rows)
        words = _chosen(lanes.words.unpack(table), chosen)
        self._add_words(shape, lanes, rows, some * ipa + firsts, words, sizes)
        return True

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
        end, decode = -1, self.regime.layout.decode
        for _ in range(rows):
            first = chosen.index(1, end + 1)
            end = chosen_ends.index(1, first)
            at = first << DESCRIPTOR_SHIFT
            word = int.from_bytes(table[at : at + 8], "little")
            self._add(
                ipa + (first << shape.shift),
                decode(word, shape.shift),
                end + 1 - first << shape.shift,
                word & shape.attributes,
                shape.level,
            )

    def _add_words(
        self, shape: Shape, lanes: Lanes, rows: int, ipa: int, words: int, sizes: bytes
    ) -> None:
        """Add a row for each lane; none but the first continues another."""
        address, bits = self._addresses(words, lanes), words & lanes.bits
        level = shape.level
        columns = (_bytes(ipa, rows), _bytes(address, rows), sizes, _bytes(bits, rows))
        first, last = (
            cast(Row, (*(int.from_bytes(c[end], "little") for c in columns), level))
            for end in (slice(8), slice(-8, None))
        )
        self._add(*first)
        self._close()
        self._store()
        for chunks, column in zip(self._chunks, columns, strict=False):
            chunks.append(column[8:-8])
        self._chunks[-1].append(bytes([level & 0xFF]) * (rows - 2))
        self._last = last


def _chosen(words: Iterable[bytes], chosen: bytes) -> int:
    """Return the lanes of some words, given as 8 bytes each."""
    return int.from_bytes(b"".join(compress(words, chosen)), "little")


def _lanes_with_bits(words: int, lanes: Lanes) -> int:
    """Return bit 0 of every lane that is not zero.

    The sum of two numbers of 63 bits carries into bit 63 and no further.
    """
    return (((words & lanes.low) + lanes.low | words) & lanes.high) >> 63
