# SPDX-License-Identifier: MIT
"""The engine of `scan`: every leaf of a tree, as runs, in IPA order.

*Speed.* Nearly all tables of a real guest are empty or map one contiguous piece: then
the words count up in equal steps. So a full table is compared as bytes with an image of
such a table (`Progression`), and only where that fails is it taken apart, word by word.
The image is kept from one table to the next. As their first words differ in a few
bits, one of eight byte columns is rewritten and 4 KiB are compared in C: about
a microsecond instead of 512 turns of a loop. Where the first address is not aligned to
what the table maps, columns do not help; one subtraction of big integers does.

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
from struct import unpack
from typing import TypeAlias

from attrs import define, field, frozen

from s2geom._regime import TABLE_OR_PAGE, Regime, Step
from s2geom.descriptor import (
    ATTRIBUTE_MASK,
    CONTIGUOUS_BIT,
    NT_BIT,
    AddressLayout,
)
from s2geom.errors import UnreadableInput
from s2geom.granule import DESCRIPTOR_SHIFT, LAST_LEVEL, Granule
from s2geom.memory import Read, read_exactly

AGAIN_LIMIT = 1 << 17
"""Descriptors that may be read more than once: 256 tables of 4K. It leaves room for an
alias, and keeps the worst of images below a second."""

PROGRESS_TABLES = 64
"""Tables between two calls of ``progress``."""

Run: TypeAlias = tuple[int, int, int, int, int]
"""IPA, output address, bytes, the attributes' bits, level."""


@lru_cache(maxsize=256)
def _setting(value: int) -> bytes:
    """Return the table by which `bytes.translate` sets bits in every byte."""
    return bytes(byte | value for byte in range(256))


@define(eq=False)
class Progression:
    """Recognises full tables in which each word is the one before plus a step.

    Args:
        entries: Words of the table.
        shift: log2 of the step.
        keep: The bits of a word that count.
    """

    entries: int
    shift: int
    keep: int
    _columns: tuple[bytes, ...] = field(init=False)
    _image: bytearray = field(init=False)
    _first: bytes = field(init=False, default=bytes(8))
    _ramp: int = field(init=False)
    _keep_all: int = field(init=False)
    _below_last: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        words = (entry << self.shift for entry in range(self.entries))
        self._image = bytearray(b"".join(word.to_bytes(8, "little") for word in words))
        self._columns = tuple(bytes(self._image[column::8]) for column in range(8))
        self._ramp = int.from_bytes(self._image, "little")
        self._keep_all = int.from_bytes(
            self.keep.to_bytes(8, "little") * self.entries, "little"
        )
        self._below_last = (1 << 64 * (self.entries - 1)) - 1

    def matches(self, table: bytes, first: int) -> bool:
        """Return whether a table, whose first word is given, is one progression."""
        last = int.from_bytes(table[-8:], "little") & self.keep
        if last != (first & self.keep) + (self.entries - 1 << self.shift):
            return False  # nearly every irregular table ends here
        if first >> self.shift & (self.entries - 1) == 0:
            # Nothing carries: column by column the image is what it was for 0, with
            # the bits of the first word set.
            self._begin_with(table[:8])
            if table == self._image:
                return True
        # Compared as one number: less the ramp, all words must be alike. A carry
        # between words cannot hide, as it would have to leave the last word.
        rest = (int.from_bytes(table, "little") & self._keep_all) - self._ramp
        return rest >> 64 == rest & self._below_last

    def _begin_with(self, first: bytes) -> None:
        for column, (old, new) in enumerate(zip(self._first, first, strict=True)):
            if old != new:
                self._image[column::8] = self._columns[column].translate(_setting(new))
        self._first = first


@frozen
class Shape:
    """A table of one level, as the scan sees it."""

    level: int
    shift: int
    entries: int
    leaf: int
    attribute_mask: int
    progression: Progression | None


def _shape(step: Step, granule: Granule, layout: AddressLayout) -> Shape:
    attributes = ATTRIBUTE_MASK & ~layout.moved_mask
    if step.level == LAST_LEVEL:
        attributes &= ~NT_BIT  # an address bit
    entries = min(step.entries, granule.entries)
    address = layout.word_mask(step.shift)
    # Only bits in place can count up.
    counts = step.shift + entries.bit_length() - 1 <= 48 and entries > 1
    keep = (address | attributes | TABLE_OR_PAGE) & ~CONTIGUOUS_BIT
    return Shape(
        level=step.level,
        shift=step.shift,
        entries=entries,
        leaf=step.leaf,
        attribute_mask=attributes,
        progression=Progression(entries, step.shift, keep) if counts else None,
    )


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
    _page_shift: int = field(init=False)
    _wrap: int = field(init=False)
    _limit: int = field(init=False)
    _tables: int = field(init=False, default=0)
    _reached: set[int] = field(init=False, factory=set)
    _again: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        regime = self.regime
        granule, layout = regime.geometry.granule, regime.layout
        self._shapes = tuple(_shape(step, granule, layout) for step in regime.steps)
        self._page_shift = int(granule)
        self._wrap = layout.word_mask(int(granule)) & ~layout.moved_mask
        self._limit = 1 << regime.output_bits

    def runs(self, root: int) -> Iterator[Run]:
        """Yield the leaves from a root, contiguous ones of a table together."""
        top = self._shapes[0]
        span = top.entries << top.shift
        for ipa in range(0, self.regime.geometry.ipa_size, span):
            if ipa < self.end and self.start < ipa + span:
                self._reached.add(root)
                yield from self._table(0, root, ipa, again=False)
            root += top.entries << DESCRIPTOR_SHIFT
        if self.progress is not None:
            self.progress(self.end - self.start, self.end - self.start)

    def _table(
        self, depth: int, address: int, ipa: int, *, again: bool
    ) -> Iterator[Run]:
        shape = self._shapes[depth]
        shift, count = shape.shift, shape.entries
        if again:
            self._count_again(shape, address, ipa)
        if self._tables % PROGRESS_TABLES == 0 and self.progress is not None:
            self.progress(max(ipa - self.start, 0), self.end - self.start)
        self._tables += 1

        low, high = 0, count
        if ipa < self.start:
            low = self.start - ipa >> shift
        if ipa + (count << shift) > self.end:
            high = (self.end - ipa - 1 >> shift) + 1
        whole = high - low == count
        size = high - low << DESCRIPTOR_SHIFT
        table = read_exactly(self.read, address + (low << DESCRIPTOR_SHIFT), size)
        if table == bytes(size):
            return
        first = int.from_bytes(table[:8], "little")
        progression = shape.progression
        if (
            first & TABLE_OR_PAGE == shape.leaf
            and whole
            and progression is not None
            and progression.matches(table, first)
        ):
            yield from self._leaves(shape, first, count, ipa)
            return
        words = unpack(f"<{high - low}Q", table)
        yield from self._words(depth, words, ipa + (low << shift), again=again)

    def _words(
        self, depth: int, words: tuple[int, ...], ipa: int, *, again: bool
    ) -> Iterator[Run]:
        """Yield what is under the words of a table, the first of which maps ``ipa``."""
        shape = self._shapes[depth]
        leaf, step = shape.leaf, 1 << shape.shift
        # Tables of the last level are compared within their parent: see above.
        reached = self._reached if shape.level < LAST_LEVEL - 1 else set()
        decode, page_shift = self.regime.layout.decode, self._page_shift
        begin = first = 0
        expected = -1  # the word that would continue the run; no word is negative
        for index, word in enumerate(words):
            if word == expected:
                expected += step
                continue
            if expected >= 0:
                at = ipa + begin * step
                yield from self._leaves(shape, first, index - begin, at)
                expected = -1
            kind = word & TABLE_OR_PAGE
            if kind == leaf:
                begin, first, expected = index, word, word + step
            elif kind == TABLE_OR_PAGE:
                child = decode(word, page_shift)
                if child < self._limit:
                    seen = again or child in reached
                    reached.add(child)
                    at = ipa + index * step
                    yield from self._table(depth + 1, child, at, again=seen)
        if expected >= 0:
            at = ipa + begin * step
            yield from self._leaves(shape, first, len(words) - begin, at)

    def _leaves(self, shape: Shape, word: int, count: int, ipa: int) -> Iterator[Run]:
        """Yield the runs of words that count up: mostly one."""
        shift, in_place = shape.shift, self._wrap
        while count:
            # The address in the words may wrap around within its field.
            fit = min(count, (in_place - (word & in_place) >> shift) + 1)
            address = self.regime.layout.decode(word, shift)
            # A leaf that begins beyond the output size faults.
            valid = min(fit, (self._limit - address - 1 >> shift) + 1)
            if valid > 0:
                bits = word & shape.attribute_mask
                yield ipa, address, valid << shift, bits, shape.level
            word += fit << shift
            ipa += fit << shift
            count -= fit

    def _count_again(self, shape: Shape, address: int, ipa: int) -> None:
        self._again += shape.entries
        if self._again > AGAIN_LIMIT:
            raise UnreadableInput(
                f"the tables are no tree: the one at {address:#x} (level "
                f"{shape.level}, for IPA {ipa:#x}) was reached before, and more than "
                f"{AGAIN_LIMIT} descriptors would be read again; give a smaller "
                "ipa_range to see a part"
            )
