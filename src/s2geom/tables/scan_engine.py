# SPDX-License-Identifier: MIT
"""The engine of `scan`: every leaf of a tree, as runs, in IPA order.

*Speed.* A table that maps one contiguous piece has words that count up in equal steps.
So a full table is compared as bytes with an image of such a table (`Progression`), and
only where that fails is it read word by word. The image is kept from one table to the
next: as a rule only one of the eight bytes of a word differs.

*Bounds.* A table may be linked twice, or link to itself, and then a tree has
exponentially many leaves. So tables that are reached again are counted, and more than
`AGAIN_LIMIT` descriptors of them are refused. Only tables above the last level are
remembered; those of the last level are compared within their parent.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct, pack, unpack
from typing import Any, NamedTuple, TypeAlias

from attrs import define, field

from s2geom.core.errors import (
    InvalidArgument,
    MemoryReadError,
    UnreadableInput,
    UnsupportedCombination,
)
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL
from s2geom.core.numbers import integer, unsigned
from s2geom.core.wording import quoted
from s2geom.tables.attributes import attribute_mask
from s2geom.tables.descriptor import WORD_MASK
from s2geom.tables.layout import TABLE_OR_PAGE, VALID
from s2geom.tables.memory import Read, checked_read, read_exactly
from s2geom.tables.regime import LevelStep, Regime

AGAIN_LIMIT = 1 << 16
"""Descriptors that may be read more than once: 128 tables of 4K. It leaves room for an
alias, and keeps the worst of images below a second."""

PROGRESS_TABLES = 64
"""Tables between two calls of ``progress``."""

ScanRun: TypeAlias = tuple[int, int, int, int, int]
"""IPA, output address, bytes, the attributes' bits, level. Of an invalid descriptor the
output address is ``ipa - INVALID``, which is negative, and the bits are its word: so
invalid descriptors continue each other as mappings do."""

INVALID = 1 << 64
"""How far the output address of an invalid descriptor is below its IPA."""


def no_tree(table: int, level: int, ipa: int) -> str:
    """Return why tables are refused of which too many were reached before."""
    return (
        f"the tables are no tree: the one at {table:#x} (level {level}, for IPA "
        f"{ipa:#x}) was reached before, and more than {AGAIN_LIMIT} descriptors would "
        "be read again"
    )


Progress: TypeAlias = Callable[[int, int], object]
Unreadable: TypeAlias = Callable[[int, int, MemoryReadError], object]


def _no_progress(_done: int, _total: int) -> None:
    pass


def _not_handled(_ipa: int, _size: int, error: MemoryReadError) -> None:
    raise error


_first_word = Struct("<Q").unpack_from
AFTER_TABLE = bytes(1 << DESCRIPTOR_SHIFT)


@lru_cache(maxsize=256)
def _setting(value: int) -> bytes:
    """Return the table by which `bytes.translate` sets bits in every byte."""
    return bytes(byte | value for byte in range(256))


@lru_cache(maxsize=32)
def _counting_columns(entries: int, shift: int) -> tuple[bytes, ...]:
    """Return the table of 0, one step, two steps and so on, the first bytes first."""
    words = pack(f"<{entries}Q", *range(0, entries << shift, 1 << shift))
    return tuple(words[column::8] for column in range(8))


@define(eq=False)
class Progression:
    """Recognises full tables in which each word is the one before plus a step.

    A word of such a table has a lower part that counts up modulo the number of entries,
    and an upper part that is constant, but one more after the count has wrapped.

    Args:
        entries: Words of a table, a power of two; 0 if no table may be one.
        shift: log2 of the step.
    """

    entries: int
    shift: int
    _image: bytearray = field(init=False, factory=bytearray)
    _counts: tuple[bytes, ...] = field(init=False, default=())  # columns from 0 on
    _offset: int = field(init=False, default=0)  # where the image's count begins
    _before: int = field(init=False, default=0)  # its upper part, until the wrap
    _after: int = field(init=False, default=0)  # and from there
    _missed: bool = field(init=False, default=False)  # whether the last table was none

    def matches(self, table: bytes, first: int) -> bool:
        """Return whether a table, whose first word is given, is one progression."""
        if len(table) != self.entries << DESCRIPTOR_SHIFT:
            return False
        step, span = 1 << self.shift, self.entries << self.shift
        offset = first >> self.shift & (self.entries - 1)
        # One word tells nearly as much as the compare, and costs less: the second where
        # tables are fragmented, the last where the count wraps.
        if self._missed and int.from_bytes(table[8:16], "little") != first + step:
            return False
        self._missed = True
        if offset and int.from_bytes(table[-8:], "little") != first + span - step:
            return False
        self._renew(offset, first - (offset << self.shift), span)
        self._missed = table != self._image
        return not self._missed

    def _renew(self, offset: int, before: int, span: int) -> None:
        after = before + span
        changed = before ^ self._before
        if offset:
            changed |= after ^ self._after
        if offset != self._offset:
            # The bytes that count, and those in which the parts differ
            changed |= span - (1 << self.shift)
            changed |= before ^ after | self._before ^ self._after
        if not self._image:
            self._image = bytearray(self.entries << DESCRIPTOR_SHIFT)
            self._counts = _counting_columns(self.entries, self.shift)
            changed = WORD_MASK
        self._offset, self._before, self._after = offset, before, after
        self._rewrite(changed & WORD_MASK)

    def _rewrite(self, changed: int) -> None:
        """Make anew each column of the image in which a bit of the words changed."""
        columns, offset = self._counts, self._offset
        while changed:
            low = (changed & -changed).bit_length() - 1 & ~7
            changed &= ~(0xFF << low)
            counts = columns[low >> 3]
            column = counts[offset:].translate(_setting(self._before >> low & 0xFF))
            if offset:
                after = _setting(self._after >> low & 0xFF)
                column += counts[:offset].translate(after)
            self._image[low >> 3 :: 8] = column


class Shape(NamedTuple):
    """What a scan knows about the tables of one level."""

    level: int
    shift: int  # log2 of the bytes that one entry maps
    address: int  # the bits of a leaf that hold its address in place
    attributes: int  # the bits that hold its attributes
    leaf: int  # its two lowest bits
    entries: int  # of one table
    progression: Progression


def _level_shape(step: LevelStep, regime: Regime) -> Shape:
    level, shift, entries, leaf, address = step
    entries = min(entries, regime.geometry.granule.entries)
    attributes = attribute_mask(regime.layout, level)
    in_place = entries << shift <= 1 << 48  # bits elsewhere do not count up
    progression = Progression(entries if in_place else 0, shift)
    return Shape(level, shift, address, attributes, leaf, entries, progression)


CountingWords: TypeAlias = tuple[Shape, int, int, int]
"""Leaf descriptors that count up, or one invalid descriptor: the level's shape, the
first word, how many, the IPA."""


def _callback(name: str, value: object, default: Callable[..., object]) -> Any:
    if value is None:
        return default
    if not callable(value):
        raise TypeError(f"{name} must be callable or None, got {quoted(value)}")
    return value


def _start_and_end(ipa_range: object, geometry: Geometry) -> tuple[int, int]:
    if ipa_range is None:
        return 0, geometry.ipa_size
    if isinstance(ipa_range, range):
        if ipa_range.step != 1:
            raise InvalidArgument(
                f"ipa_range must have step 1, got {quoted(ipa_range)}"
            )
        ipa_range = ipa_range.start, ipa_range.stop
    if not isinstance(ipa_range, tuple) or len(ipa_range) != 2:
        message = f"ipa_range must be (start, end) or a range, got {quoted(ipa_range)}"
        raise TypeError(message)
    start = integer("start of ipa_range", ipa_range[0])
    end = integer("end of ipa_range", ipa_range[1])
    if not 0 <= start <= end <= geometry.ipa_size:
        raise InvalidArgument(
            f"ipa_range must be inside the {geometry.ipa_bits}-bit IPA space, "
            f"0..{geometry.ipa_size:#x}, and not end before it starts; got "
            f"{start:#x} to {end:#x}"
        )
    return start, end


@define(eq=False)
class Scan:
    """One pass over a tree.

    Args:
        regime: How it is walked.
        root: Physical address of the start level's table, in bytes.
        read: The caller's.
        ipa_range: The part of the IPA space to look at; None is all of it.
        progress: The caller's, or None.
        unreadable: The caller's, or None.
        invalid: Whether to yield invalid descriptors that are not zero.

    Raises:
        S2GeomError: As `scan` says.
        TypeError: A value has the wrong type.
    """

    regime: Regime
    root: int
    read: Read
    ipa_range: object
    progress: Progress | None
    unreadable: Unreadable | None
    invalid: bool = False
    start: int = field(init=False)
    end: int = field(init=False)
    _tell_progress: Progress = field(init=False)
    _tell_unreadable: Unreadable = field(init=False)
    _shapes: tuple[Shape, ...] = field(init=False)
    _tables: int = field(init=False, default=0)
    _reached: set[int] = field(init=False, factory=set)
    _again: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        regime = self.regime
        self.root = unsigned("root", self.root) & regime.root_mask
        self.start, self.end = _start_and_end(self.ipa_range, regime.geometry)
        self.read = checked_read(self.read)
        self._tell_progress = _callback("progress", self.progress, _no_progress)
        self._tell_unreadable = _callback("unreadable", self.unreadable, _not_handled)
        if regime.violations:
            raise UnsupportedCombination(regime.violations)
        if self.root >> regime.output_bits:
            raise UnreadableInput(
                f"root {self.root:#x} is beyond the {regime.output_bits} bits of an "
                "output address: every walk ends in an Address size fault at level 0"
            )
        self._shapes = tuple(_level_shape(step, regime) for step in regime.steps)

    def runs(self) -> Iterator[ScanRun]:
        """Yield all leaves; those of one table together if they touch."""
        limit = 1 << self.regime.output_bits
        layout = self.regime.layout
        moved, move_up = layout.moved_mask, layout.move_up
        invalid = self.invalid
        last = layout.in_place_mask
        for shape, word, count, ipa in self._tables_from_root():
            level, shift, in_place, attributes, _, _, _ = shape
            size = count << shift
            if invalid and not word & VALID:
                yield ipa, ipa - INVALID, size, word, level
                continue
            # As AddressLayout.decode, of which a call would be a tenth of the time.
            address = word & in_place | (word & moved) << move_up
            if address + size <= limit and (word & in_place) + size <= last:
                yield ipa, address, size, word & attributes, level
            else:
                yield from self._one_by_one(shape, word, count, ipa)

    def _one_by_one(
        self, shape: Shape, first: int, count: int, ipa: int
    ) -> Iterator[ScanRun]:
        """Yield leaves whose words count up, but whose addresses may not.

        The address may wrap around in its field, and carry into attributes; or exceed
        the output size, where each leaf faults.
        """
        step = 1 << shape.shift
        for word in range(first, first + count * step, step):
            address = self.regime.layout.decode(word, shape.shift)
            if not address >> self.regime.output_bits:
                yield ipa, address, step, word & shape.attributes, shape.level
            ipa += step

    def _tables_from_root(self) -> Iterator[CountingWords]:
        top, root = self._shapes[0], self.root
        span = top.entries << top.shift
        for ipa in range(0, self.regime.geometry.ipa_size, span):
            if max(ipa, self.start) < min(ipa + span, self.end):
                self._reached.add(root)
                yield from self._table(0, root, ipa, again=False)
            root += top.entries << DESCRIPTOR_SHIFT
        self._tell_progress(self.end - self.start, self.end - self.start)

    def _table(
        self, depth: int, address: int, ipa: int, *, again: bool
    ) -> Iterator[CountingWords]:
        """Return what is under a table of which the first word maps ``ipa``."""
        shape = self._shapes[depth]
        if again:
            self._count_again(shape, address, ipa)
        if not self._tables % PROGRESS_TABLES:
            self._tell_progress(max(ipa - self.start, 0), self.end - self.start)
        self._tables += 1

        # Of the tables at the ends of the range, only what is in it.
        shift, count = shape.shift, shape.entries
        low, high = 0, count
        if ipa < self.start:
            low = self.start - ipa >> shift
        if ipa + (count << shift) > self.end:
            high = (self.end - ipa - 1 >> shift) + 1
        size = high - low << DESCRIPTOR_SHIFT
        try:
            table = read_exactly(self.read, address + (low << DESCRIPTOR_SHIFT), size)
        except MemoryReadError as error:
            start, end = max(ipa, self.start), min(ipa + (count << shift), self.end)
            self._tell_unreadable(start, end - start, error)
            return iter(())
        [first] = _first_word(table)
        if not first and table == bytes(size):
            return iter(())
        if first & TABLE_OR_PAGE == shape.leaf and shape.progression.matches(
            table, first
        ):
            return iter(((shape, first, count, ipa),))
        return self._words(depth, table, ipa + (low << shift), again=again)

    def _words(
        self, depth: int, table: bytes, ipa: int, *, again: bool
    ) -> Iterator[CountingWords]:
        """Yield what is in and under a part of a table of which a word maps ``ipa``."""
        shape = self._shapes[depth]
        leaf, step = shape.leaf, 1 << shape.shift
        # Tables of the last level are compared within their parent.
        reached = self._reached if shape.level < LAST_LEVEL - 1 else set()
        count = len(table) >> DESCRIPTOR_SHIFT
        begin = first = 0
        expected = -1  # the word that would continue the run; no word is negative
        # A word of 0 follows the last one, and ends its run.
        for index, word in enumerate(unpack(f"<{count + 1}Q", table + AFTER_TABLE)):
            if word == expected:
                expected += step
                continue
            if expected >= 0:
                yield shape, first, index - begin, ipa + begin * step
                expected = -1
            kind = word & TABLE_OR_PAGE
            if kind == leaf:
                begin, first, expected = index, word, word + step
            elif kind == TABLE_OR_PAGE:
                at = ipa + index * step
                yield from self._linked(depth, word, at, reached, again=again)
            elif self.invalid and word and not word & VALID:
                yield shape, word, 1, ipa + index * step

    def _linked(
        self, depth: int, word: int, ipa: int, reached: set[int], *, again: bool
    ) -> Iterator[CountingWords]:
        """Return what is under a link; nothing if it leads beyond the output size."""
        regime, layout = self.regime, self.regime.layout
        # As AddressLayout.decode, whose call costs as much as the rest here.
        table = (
            word & regime.table_address | (word & layout.moved_mask) << layout.move_up
        )
        if table >> regime.output_bits:
            return iter(())
        again = again or table in reached
        reached.add(table)
        return self._table(depth + 1, table, ipa, again=again)

    def _count_again(self, shape: Shape, address: int, ipa: int) -> None:
        self._again += shape.entries
        if self._again > AGAIN_LIMIT:
            raise UnreadableInput(
                f"{no_tree(address, shape.level, ipa)}; give a smaller ipa_range to "
                "see a part"
            )
