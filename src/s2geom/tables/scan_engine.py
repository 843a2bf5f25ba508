# SPDX-License-Identifier: MIT
"""The engine of `scan`: every leaf of a tree, as runs, in IPA order.

*Speed.* Nearly all tables of a real guest are empty or map one contiguous piece: then
the words count up in equal steps. So a full table is compared as bytes with an image of
such a table (`Progression`), and only where that fails is it taken apart, word by word.
The image is kept from one table to the next: as a rule their words differ in one of
eight bytes, so one column of it is rewritten and 4 KiB are compared in C. That is about
two microseconds instead of 512 turns of a loop.
Where no two pages touch there is nothing to be quick about: a word costs a turn of the
loop, and its `Mapping` several times that.

*Bounds.* A CPU is content with a table that two entries point at, or that points at
itself; a scan of it has exponentially many leaves. In a tree every table has one
parent, so what is reached again is counted, and more than `AGAIN_LIMIT` descriptors of
it are refused. To know what was reached, only tables above the last level are
remembered, one in 512 of a full tree. Those of the last level are compared within
their parent alone: what that lets pass is no more than a real tree could have with so
many parents.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import pack, unpack
from typing import NamedTuple, TypeAlias

from attrs import define, field

from s2geom.core.errors import UnreadableInput
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL, Granule
from s2geom.tables.attributes import ATTRIBUTE_MASK
from s2geom.tables.descriptor import NT_BIT, WORD_MASK
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Read, read_exactly
from s2geom.tables.regime import TABLE_OR_PAGE, Regime, LevelStep

AGAIN_LIMIT = 1 << 16
"""Descriptors that may be read more than once: 128 tables of 4K. It leaves room for an
alias, and keeps the worst of images below a second."""

PROGRESS_TABLES = 64
"""Tables between two calls of ``progress``."""

ScanRun: TypeAlias = tuple[int, int, int, int, int]
"""IPA, output address, bytes, the attributes' bits, level."""


@lru_cache(maxsize=256)
def _setting(value: int) -> bytes:
    """Return the table by which `bytes.translate` sets bits in every byte."""
    return bytes(byte | value for byte in range(256))


@lru_cache(maxsize=32)
def _columns(entries: int, shift: int) -> tuple[bytes, ...]:
    """Return the table of 0, one step, two steps and so on, the first bytes first."""
    words = pack(f"<{entries}Q", *range(0, entries << shift, 1 << shift))
    return tuple(words[column::8] for column in range(8))


@define(eq=False)
class Progression:
    """Recognises full tables in which each word is the one before plus a step.

    The words of such a table have a part that counts up modulo the number of entries,
    and above it a part that is the same in all of them until the count wraps around,
    and one more from there.

    Args:
        entries: CountingWords of the table, a power of two.
        shift: log2 of the step.
    """

    entries: int
    shift: int
    _image: bytearray = field(init=False, factory=bytearray)
    _offset: int = field(init=False, default=0)  # where the image's count begins
    _before: int = field(init=False, default=0)  # its upper part, until the wrap
    _after: int = field(init=False, default=0)  # and from there

    def matches(self, table: bytes, first: int) -> bool:
        """Return whether a table, whose first word is given, is one progression."""
        shift, span = self.shift, self.entries << self.shift
        offset = first >> shift & (self.entries - 1)
        if offset:
            # The compare costs more here, and the last word tells nearly as much.
            last = int.from_bytes(table[-8:], "little")
            if last != first + span - (1 << shift):
                return False
        before = first - (offset << shift)
        after = before + span
        changed = before ^ self._before
        if offset:
            changed |= after ^ self._after
        if offset != self._offset:
            # The bytes that count, and those in which the parts differ
            changed |= span - (1 << shift)
            changed |= before ^ after | self._before ^ self._after
        if not self._image:
            self._image = bytearray(self.entries << DESCRIPTOR_SHIFT)
            changed = WORD_MASK
        self._offset, self._before, self._after = offset, before, after
        self._rewrite(changed & WORD_MASK)
        return table == self._image

    def _rewrite(self, changed: int) -> None:
        """Make anew each column of the image in which a bit of the words changed."""
        columns, offset = _columns(self.entries, self.shift), self._offset
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
    """The tables of one level, as a scan sees them."""

    level: int
    shift: int  # log2 of the bytes that one entry maps
    address: int  # the bits of a leaf that hold its address in place
    attributes: int  # the bits that hold its attributes
    leaf: int  # its two lowest bits
    entries: int  # of one table
    progression: Progression | None


def _shape(step: LevelStep, granule: Granule, layout: AddressLayout) -> Shape:
    attributes = ATTRIBUTE_MASK & ~layout.moved_mask
    if step.level == LAST_LEVEL:
        attributes &= ~NT_BIT  # an address bit
    entries = min(step.entries, granule.entries)
    progression = None
    if entries << step.shift <= 1 << 48:  # only bits that are in place count up
        progression = Progression(entries, step.shift)
    return Shape(
        level=step.level,
        shift=step.shift,
        address=step.address,
        attributes=attributes,
        leaf=step.leaf,
        entries=entries,
        progression=progression,
    )


CountingWords: TypeAlias = tuple[Shape, int, int, int]
"""Leaf descriptors that count up: the level's shape, the first, how many, the IPA."""


@define(eq=False)
class Scan:
    """One pass over a tree.

    Args:
        regime: How it is walked.
        read: The caller's.
        start: First byte of the IPA range.
        end: The byte after its last.
        progress: The caller's, or None.
    """

    regime: Regime
    read: Read
    start: int
    end: int
    progress: Callable[[int, int], object] | None
    _shapes: tuple[Shape, ...] = field(init=False)
    _tables: int = field(init=False, default=0)
    _reached: set[int] = field(init=False, factory=set)
    _again: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        regime = self.regime
        granule, layout = regime.geometry.granule, regime.layout
        self._shapes = tuple(_shape(step, granule, layout) for step in regime.steps)

    def runs(self, root: int) -> Iterator[ScanRun]:
        """Yield the leaves from a root; those of one table together if they touch."""
        limit = 1 << self.regime.output_bits
        layout = self.regime.layout
        moved, move_up = layout.moved_mask, layout.move_up
        last = layout.in_place_mask
        for shape, word, count, ipa in self._root(root):
            level, shift, in_place, attributes, _, _, _ = shape
            size = count << shift
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

        The address may wrap around within its field, and even carry into attributes; or
        leave the output size, where each leaf faults.
        """
        step = 1 << shape.shift
        for word in range(first, first + count * step, step):
            address = self.regime.layout.decode(word, shape.shift)
            if not address >> self.regime.output_bits:
                yield ipa, address, step, word & shape.attributes, shape.level
            ipa += step

    def _root(self, root: int) -> Iterator[CountingWords]:
        top = self._shapes[0]
        span = top.entries << top.shift
        for ipa in range(0, self.regime.geometry.ipa_size, span):
            if max(ipa, self.start) < min(ipa + span, self.end):
                self._reached.add(root)
                yield from self._table(0, root, ipa, again=False)
            root += top.entries << DESCRIPTOR_SHIFT
        if self.progress is not None:
            self.progress(self.end - self.start, self.end - self.start)

    def _table(
        self, depth: int, address: int, ipa: int, *, again: bool
    ) -> Iterator[CountingWords]:
        """Return what is under a table of which the first word maps ``ipa``."""
        shape = self._shapes[depth]
        shift, count = shape.shift, shape.entries
        if again:
            self._count_again(shape, address, ipa)
        if self.progress is not None and self._tables % PROGRESS_TABLES == 0:
            self.progress(max(ipa - self.start, 0), self.end - self.start)
        self._tables += 1

        # Of the tables at the ends of the range, only what is in it.
        low, high = 0, count
        if ipa < self.start:
            low = self.start - ipa >> shift
        if ipa + (count << shift) > self.end:
            high = (self.end - ipa - 1 >> shift) + 1
        size = high - low << DESCRIPTOR_SHIFT
        table = read_exactly(self.read, address + (low << DESCRIPTOR_SHIFT), size)
        first = int.from_bytes(table[:8], "little")
        if not first and table == bytes(size):
            return iter(())
        if (
            first & TABLE_OR_PAGE == shape.leaf
            and high - low == count
            and shape.progression is not None
            and shape.progression.matches(table, first)
        ):
            return iter(((shape, first, count, ipa),))
        words = unpack(f"<{high - low}Q", table)
        return self._words(depth, words, ipa + (low << shift), again=again)

    def _words(
        self, depth: int, words: tuple[int, ...], ipa: int, *, again: bool
    ) -> Iterator[CountingWords]:
        shape = self._shapes[depth]
        leaf, step = shape.leaf, 1 << shape.shift
        # Tables of the last level are compared within their parent: see above.
        reached = self._reached if shape.level < LAST_LEVEL - 1 else set()
        decode, page_shift = self.regime.layout.decode, self.regime.geometry.page_shift
        begin = first = 0
        expected = -1  # the word that would continue the run; no word is negative
        for index, word in enumerate(words):
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
                child = decode(word, page_shift)
                if not child >> self.regime.output_bits:
                    seen = again or child in reached
                    reached.add(child)
                    at = ipa + index * step
                    yield from self._table(depth + 1, child, at, again=seen)
        if expected >= 0:
            yield shape, first, len(words) - begin, ipa + begin * step

    def _count_again(self, shape: Shape, address: int, ipa: int) -> None:
        self._again += shape.entries
        if self._again > AGAIN_LIMIT:
            raise UnreadableInput(
                f"the tables are no tree: the one at {address:#x} (level "
                f"{shape.level}, for IPA {ipa:#x}) was reached before, and more than "
                f"{AGAIN_LIMIT} descriptors would be read again; give a smaller "
                "ipa_range to see a part"
            )
