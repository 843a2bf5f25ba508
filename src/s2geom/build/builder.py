# SPDX-License-Identifier: MIT
"""`TableBuilder`: stage-2 tables, made and changed as a hypervisor would.

The builder decides which leaves a range gets, and what becomes of a block or a
contiguous group that a change cuts through. The tables are in `tree`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from inspect import Signature, signature
from itertools import pairwise
from typing import Any, Self

from attrs import evolve, frozen

from s2geom.build.cover import (
    LeafRun,
    cover,
    leaf_levels,
    page_multiple,
    page_range,
    span,
)
from s2geom.build.tree import Draft, Leaves, LevelWords, OverlapError, Tree
from s2geom.build.word_runs import IN_PLACE_BITS, WordRun
from s2geom.core.address_form import BASE_FLOOR
from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument, UnsupportedCombination
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import flag, integer
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import ANY_CPU
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.tables.attributes import Attributes, attribute_mask, leaf_attributes
from s2geom.tables.descriptor import CONTIGUOUS_BIT, Descriptor
from s2geom.tables.layout import AddressLayout

Piece = tuple[LeafRun, Attributes]
"""Leaves, and what they say about the memory that they map."""

Stretch = tuple[int, int, list[Piece]]
"""From one IPA to another, and what is to be there."""

DEFAULT_ATTRIBUTES = Attributes()


@public
@frozen
class Step:
    """One step of a change to tables that a CPU may be walking.

    `TableBuilder.changes` has them, of a builder that was made with ``record=True``.

    Args:
        kind: ``"write"``: store descriptors. Each of them is one store of 64 bits, and
            they may be stored in any order. ``"invalidate"``: wait until the stores are
            seen, invalidate what the TLB holds for a range of IPA, wait until that is
            done (DSB ISHST; TLBI IPAS2E1IS for each leaf or a range; DSB ISH; TLBI
            VMALLE1IS; DSB ISH). ``"barrier"``: wait until the stores are seen (DSB
            ISHST).
        address: Of the first descriptor, in bytes; for ``"invalidate"`` the first
            IPA; 0 for ``"barrier"``.
        size: Bytes that are written or, of IPA, invalidated.
        data: The bytes to write; empty but for ``"write"``.
    """

    kind: str
    address: int
    size: int
    data: bytes = b""


@public
class TableBuilder(Displayed):
    """Tables that map, change and forget ranges of IPA.

    The PGD is at ``base``, and each further table takes the lowest free page above it.
    A table that becomes empty is freed, so the images after `unmap` are those before
    `map`.

    Ranges are mapped by the largest blocks and contiguous groups that both addresses
    allow. A change that cuts through one splits it, its rest again into the largest
    leaves. Leaves of two calls are never merged: merging would unmap memory for a
    moment that a guest may be using.

    Every change is made as a whole, or not at all where an exception ends it,
    KeyboardInterrupt and MemoryError included.

    Args:
        geometry: The shape of the tables, one that some CPU can walk.
        base: Physical address of the PGD in bytes, a multiple of its alignment.
        lpa: FEAT_LPA: whether 64K descriptors have 52-bit addresses, and level-1
            blocks. They do anyway where the IPA is wider than 48 bits; other granules
            do not depend on it.
        record: Whether to keep the steps of every change, for `changes`. Without it,
            memory does not grow with the number of changes.

            .. versionadded:: 0.2.0

    Raises:
        InvalidArgument: ``base`` is negative, misaligned, or wider than descriptors
            hold.
        TypeError: A value has the wrong type.
        UnsupportedCombination: No CPU can walk tables of this shape.

    Source: Arm ARM D8.2, D8.3; D8.17.1, "Using break-before-make when updating
    translation table entries".

    >>> tables = TableBuilder(Geometry(12, 40, 1), base=0x8000_0000)
    >>> tables.map(0x4000_0000, 0x9000_0000, 2 << 20)
    >>> [(hex(at), len(table)) for at, table in tables.images().items()]
    [('0x80000000', 8192), ('0x80002000', 4096)]
    """

    __slots__ = ("_geometry", "_levels", "_lpa", "_tree")

    def __new__(cls, *arguments: object, **named: object) -> Self:
        """Refuse to be made of nothing, as pickles of 0.1.0 ask for."""
        if not arguments and not named:
            raise InvalidArgument(
                "a TableBuilder needs a geometry and a base; one that 0.1.0 pickled "
                "cannot be restored: build its tables again"
            )
        return super().__new__(cls)

    def __init__(
        self, geometry: Geometry, base: int, lpa: bool = False, *, record: bool = False
    ) -> None:
        layout = AddressLayout.of(geometry, lpa=lpa)
        broken = ANY_CPU.check(geometry)
        if broken:
            raise UnsupportedCombination(broken)
        self._geometry = geometry
        self._lpa = lpa
        self._levels = leaf_levels(geometry, lpa=lpa)
        root = _base(geometry, layout, base)
        self._tree = Tree(geometry, layout, root, flag("record", record))

    @property
    def geometry(self) -> Geometry:
        """The shape of the tables."""
        return self._geometry

    @property
    def root(self) -> int:
        """Physical address of the PGD, in bytes."""
        return self._tree.root

    # Changes

    def map(
        self,
        ipa: int,
        pa: int,
        size: int,
        *,
        attributes: Attributes | None = None,
        blocks: bool = True,
    ) -> None:
        """Map a range in which nothing is mapped.

        The tables are made at once. Where a range is large and its addresses allow
        nothing but pages, `footprint` tells beforehand how many bytes they take. For
        many ranges, `map_all` is faster.

        Args:
            ipa: First input address in bytes, a multiple of the page size.
            pa: First output address in bytes, likewise.
            size: Bytes, likewise, at least a page.
            attributes: None for normal memory, read-write-execute, accessed.
            blocks: Whether to use blocks and contiguous groups; pages alone if not.

        Raises:
            InvalidArgument: A part of the range is mapped; or the range is empty, not
                made of pages, or outside the input or output addresses; or there is no
                room for tables.
            TypeError: A value has the wrong type.
        """
        self.map_all([(ipa, pa, size, attributes)], blocks=blocks)

    def map_all(
        self, mappings: Iterable[Sequence[Any]], *, blocks: bool = True
    ) -> None:
        """Map many ranges in which nothing is mapped, as one change.

        It maps what one call of `map` for each would map, much faster, and all of it or
        nothing.

        .. versionadded:: 0.2.0

        Args:
            mappings: ``(ipa, pa, size)`` or ``(ipa, pa, size, attributes)``, each value
                as for `map`.
            blocks: Whether to use blocks and contiguous groups; pages alone if not.

        Raises:
            InvalidArgument: As for `map`; or two of the ranges overlap.
            TypeError: A value has the wrong type.

        >>> tables = TableBuilder(Geometry(12, 40, 1), base=0x8000_0000)
        >>> tables.map_all((page << 12, (9 - page) << 12, 4096) for page in range(9))
        >>> len(tables.images())
        3
        """
        if not isinstance(mappings, Iterable):
            raise TypeError(f"mappings must be iterable, got {quoted(mappings)}")
        wanted = list(mappings)
        draft = self._tree.draft()
        try:
            draft.fill(*self._leaves(wanted, flag("blocks", blocks)))
        except OverlapError:
            raise InvalidArgument(self._overlap(wanted)) from None
        draft.publish()

    def _leaves(
        self, mappings: list[Sequence[Any]], blocks: bool
    ) -> tuple[list[Leaves], LevelWords]:
        """Return the leaves of some mappings: runs, and the words of single leaves.

        Single leaves are told apart first: there may be many, and a run of one leaf
        costs as much as a run of thousands.
        """
        geometry, layout = self._geometry, self._tree.layout
        stride, mask = geometry.stride, (1 << geometry.stride) - 1
        ipa_end, pa_end = geometry.ipa_size, 1 << layout.address_bits
        levels = self._levels if blocks else self._levels[-1:]
        level_of = {level.entry_size: level for level in levels}
        leaves: list[Leaves] = []
        words: LevelWords = {level.number: {} for level in levels}
        bits_of: dict[tuple[int, int], int] = {}  # by size and identity of attributes
        moved = bool(layout.moved_mask)
        for mapping in mappings:
            attributes = None
            try:
                ipa, pa, size = mapping
            except (TypeError, ValueError):
                ipa, pa, size, attributes = _four(mapping)
            if not (
                type(ipa) is type(pa) is type(size) is int
                and size in level_of
                and 0 <= ipa <= ipa_end - size
                and 0 <= pa < pa_end
                and not (ipa | pa) & (size - 1)
            ):
                _, _, pieces = self._stretch(ipa, pa, size, attributes, blocks)
                leaves += self._encode(pieces)
                continue
            level = level_of[size]
            shift = level.shift
            bits = bits_of.get((size, id(attributes)))
            if bits is None:
                given = _attributes_or_default(attributes)
                bits = bits_of[size, id(attributes)] = self._leaf(level.number, given)
            tables = words[level.number]
            index = ipa >> shift
            table = tables.get(index >> stride)
            if table is None:
                table = tables[index >> stride] = {}
            index &= mask
            if index in table:
                raise OverlapError
            table[index] = bits | (layout.encode(pa, shift) if moved else pa)
        return leaves, words

    def _overlap(self, mappings: list[Sequence[Any]]) -> str:
        """Return why some mappings, each of them right by itself, cannot be made."""
        ranges = sorted(
            page_range(self._geometry, ipa, size) for ipa, _, size, *_ in mappings
        )
        for before, after in pairwise(ranges):
            if after[0] < before[1]:
                return f"{span(*before)} and {span(*after)} overlap; map one of them"
        draft = self._tree.draft()
        start, end, there = next(
            (start, end, run)
            for start, end in ranges
            for run, _ in draft.runs(start, end)
        )
        return (
            f"{span(start, end)} overlaps {span(there.ipa, there.end)}, which is "
            f"mapped to {span(there.pa, there.pa + there.size)}; unmap that first, "
            "or use remap"
        )

    def remap(
        self,
        ipa: int,
        pa: int,
        size: int,
        *,
        attributes: Attributes | None = None,
        blocks: bool = True,
    ) -> None:
        """Map a range, whatever is mapped in it.

        Args:
            ipa: First input address in bytes, a multiple of the page size.
            pa: First output address in bytes, likewise.
            size: Bytes, likewise, at least a page.
            attributes: None for normal memory, read-write-execute, accessed.
            blocks: Whether to use blocks and contiguous groups; pages alone if not.

        Raises:
            InvalidArgument: The range is empty, not made of pages, or outside the
                input or output addresses; or there is no room for tables.
            TypeError: A value has the wrong type.
        """
        self._replace([self._stretch(ipa, pa, size, attributes, blocks)])

    def unmap(self, ipa: int, size: int) -> None:
        """Unmap a range; where nothing is mapped, nothing happens.

        Args:
            ipa: First input address in bytes, a multiple of the page size.
            size: Bytes, likewise, at least a page.

        Raises:
            InvalidArgument: The range is empty, not made of pages, or outside the IPA
                space; or there is no room for the tables that it takes to split.
            TypeError: A value has the wrong type.
        """
        start, end = page_range(self._geometry, ipa, size)
        self._replace([(start, end, [])])

    def protect(self, ipa: int, size: int, *, attributes: Attributes) -> None:
        """Give a range, all of which is mapped, other attributes.

        Leaves inside the range keep their size. Leaves that have these attributes
        already are not written. Every other descriptor is made invalid first, although
        the architecture asks for that only where the memory type, a block's size or a
        group changes.

        Args:
            ipa: First input address in bytes, a multiple of the page size.
            size: Bytes, likewise, at least a page.
            attributes: The new ones, all of them.

        Raises:
            InvalidArgument: A part of the range is not mapped; or the range is empty,
                not made of pages, or outside the IPA space; or there is no room for
                the tables that it takes to split.
            TypeError: A value has the wrong type.
        """
        start, end = page_range(self._geometry, ipa, size)
        wanted = self._as_read(_attributes_or_default(attributes, required=True))
        hole, stretches = start, []
        for run, present in self._mapped(self._tree.draft(), start, end):
            if hole < run.ipa:
                break
            first, hole = max(run.ipa, start), min(run.end, end)
            if present != wanted:
                parts = self._part(run, first, hole)
                stretches.append((first, hole, [(part, wanted) for part in parts]))
        if hole < end:
            raise InvalidArgument(
                f"{span(start, end)} is not all mapped: nothing is at {hole:#x}; map "
                "it first"
            )
        self._replace(_joined(stretches))

    def split(self, ipa: int, size: int) -> None:
        """Make pages of all blocks and contiguous groups in a range.

        Translations stay as they are. It is what dirty logging needs.

        Args:
            ipa: First input address in bytes, a multiple of the page size.
            size: Bytes, likewise, at least a page.

        Raises:
            InvalidArgument: The range is empty, not made of pages, or outside the IPA
                space; or there is no room for tables.
            TypeError: A value has the wrong type.
        """
        start, end = page_range(self._geometry, ipa, size)
        stretches = []
        for run, present in self._mapped(self._tree.draft(), start, end):
            if run.level.number == LAST_LEVEL and not run.contiguous:
                continue
            first, last = max(run.ipa, start), min(run.end, end)
            pa = run.pa + first - run.ipa
            pages = cover(self._levels[-1:], first, pa, last - first, groups=False)
            stretches.append((first, last, [(part, _split(present)) for part in pages]))
        self._replace(_joined(stretches))

    # What comes of them

    def images(self) -> dict[int, bytes]:
        """Return each table by its physical address, the PGD first.

        Tables side by side in the PGD are one image.
        """
        return self._tree.images()

    def changes(self) -> tuple[Step, ...]:
        """Return every step since the beginning, in break-before-make order.

        Followed in this order, a CPU may be walking the tables all the while. A
        descriptor that was valid is made invalid, and the TLB is invalidated, before
        it becomes another valid one. A table is filled before it is linked, and
        cleared when it is freed. Written to memory that is zero, the steps leave the
        images, and zero around them.

        Raises:
            InvalidArgument: The builder was made without ``record=True``.
        """
        if not self._tree.record:
            raise InvalidArgument(
                "steps are recorded only on request: make the builder with "
                "TableBuilder(geometry, base, record=True)"
            )
        return tuple(
            Step(kind, address, what)
            if isinstance(what, int)
            else Step(kind, address, len(what), bytes(what))
            for kind, address, what in self._tree.recorded()
        )

    def vtcr(self) -> VTCR_EL2:
        """Return the VTCR_EL2 that goes with the tables, as KVM sets it.

        PS is 52 bits where descriptors hold that much, 48 bits otherwise; a CPU with
        less takes it as its own.
        """
        return VTCR_EL2.for_geometry(
            self._geometry, pa_bits=self._tree.layout.address_bits
        )

    def vttbr(self, vmid: int = 0) -> VTTBR_EL2:
        """Return the VTTBR_EL2 that goes with `vtcr`.

        Args:
            vmid: 0..65535; above 255 it needs VTCR_EL2.VS.

        Raises:
            InvalidArgument: ``vmid`` is out of range.
            TypeError: It is no integer.
        """
        return VTTBR_EL2.for_geometry(
            self._geometry, self.root, vmid, pa_bits=self._tree.layout.address_bits
        )

    def __copy__(self) -> "TableBuilder":
        """Return a builder with the same tables, which then changes by itself."""
        other = TableBuilder(self._geometry, self.root, self._lpa)
        other._tree = self._tree.copy()
        return other

    def __deepcopy__(self, _: object) -> "TableBuilder":
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        tree = self._tree.copy()
        state = tree.record, tree.state, tree.recorded(), tree.free
        return TableBuilder, (self._geometry, self.root, self._lpa), state

    def __setstate__(self, stored: tuple[Any, ...]) -> None:
        tree = self._tree
        tree.record, tree.state, tree.steps, tree.free = stored

    def __repr__(self) -> str:
        return (
            f"<TableBuilder of {self._geometry!r}: {len(self.images())} images "
            f"from {self.root:#x}>"
        )

    # From ranges to leaves

    def _as_read(self, attributes: Attributes) -> Attributes:
        """Return attributes as a descriptor would give them back."""
        if self._tree.layout is AddressLayout.LPA2:
            return evolve(attributes, sh=None)
        return attributes

    def _stretch(
        self, ipa: int, pa: int, size: int, attributes: Attributes | None, blocks: bool
    ) -> Stretch:
        """Check the arguments of a call, and return the leaves that it takes."""
        start, end = page_range(self._geometry, ipa, size)
        target = page_multiple(self._geometry, "pa", pa)
        bits = self._tree.layout.address_bits
        if target + end - start > 1 << bits:
            raise InvalidArgument(
                f"pa {span(target, target + end - start)} does not fit in the {bits} "
                "bits of a descriptor's address"
            )
        wanted = _attributes_or_default(attributes)
        groups = flag("blocks", blocks)
        levels = self._levels if groups else self._levels[-1:]
        runs = cover(levels, start, target, end - start, groups=groups)
        return start, end, [(run, wanted) for run in runs]

    def _part(self, run: LeafRun, first: int, last: int) -> list[LeafRun]:
        """Return what a run maps from one page to another; leaves cut are split."""
        inner = -(-first // run.unit) * run.unit
        outer = last // run.unit * run.unit
        if inner >= outer:  # not one whole leaf or group
            return self._smaller(run, first, last)
        middle = run.part(inner, outer)
        return [
            *self._smaller(run, first, inner),
            middle,
            *self._smaller(run, outer, last),
        ]

    def _smaller(self, run: LeafRun, start: int, end: int) -> list[LeafRun]:
        pa = run.pa + start - run.ipa
        return cover(self._levels, start, pa, end - start, groups=True)

    def _encode(self, pieces: Iterable[Piece]) -> list[Leaves]:
        return [
            (part.level, self._words(part, attributes))
            for run, attributes in pieces
            for part in _in_place(run)
        ]

    def _words(self, run: LeafRun, attributes: Attributes) -> WordRun:
        shift = run.level.shift
        bits = self._leaf(run.level.number, attributes, run.contiguous)
        word = bits | self._tree.layout.encode(run.pa, shift)
        return WordRun(run.ipa >> shift, word, shift, run.count)

    def _leaf(
        self, level: int, attributes: Attributes, contiguous: bool = False
    ) -> int:
        """Return the word of a leaf, without its address."""
        return _leaf_bits(self._geometry, level, attributes, self._lpa, contiguous)

    # What is there

    def _mapped(self, draft: Draft, start: int, end: int) -> Iterator[Piece]:
        """Yield what maps a range, tables next to each other taken together."""
        layout = self._tree.layout
        last: LeafRun | None = None
        bits = 0
        for run, word in draft.runs(start, end):
            others = word & ~layout.word_mask(run.level.shift)
            if last is not None and last.goes_on_with(run) and bits == others:
                last = evolve(last, count=last.count + run.count)
                continue
            if last is not None:
                yield last, self._attributes(last.level, bits)
            last, bits = run, others
        if last is not None:
            yield last, self._attributes(last.level, bits)

    def _attributes(self, level: Level, word: int) -> Attributes:
        """Return the attributes of a leaf."""
        layout = self._tree.layout
        return leaf_attributes(word & attribute_mask(layout, level.number), layout)

    def _around(
        self, draft: Draft, start: int, end: int
    ) -> tuple[int, int, list[Piece]]:
        """Widen a range to whole leaves and groups, and return what it has more."""
        rest: list[Piece] = []
        before = self._cut(draft, start, start, end)
        last_page = end - self._geometry.page_size
        after = before
        if last_page != start:
            after = self._cut(draft, last_page, start, end)
        first, last = start, end
        if before is not None and before[0].ipa < start:
            whole, attributes = before
            first = whole.ipa
            parts = self._smaller(whole, first, start)
            rest += [(part, attributes) for part in parts]
        if after is not None and end < after[0].end:
            whole, attributes = after
            last = whole.end
            parts = self._smaller(whole, end, last)
            rest += [(part, attributes) for part in parts]
        return first, last, rest

    def _cut(self, draft: Draft, page: int, start: int, end: int) -> Piece | None:
        """Return the leaf or group that maps a page, if it reaches out of a range."""
        leaf = draft.leaf_at(page)
        if leaf is None:
            return None
        level, word = leaf
        grouped = bool(level.contiguous and word & CONTIGUOUS_BIT)
        unit = (level.contiguous if grouped else 1) << level.shift
        if start <= page & -unit and (page & -unit) + unit <= end:
            return None
        pa = self._tree.layout.decode(word, level.shift)
        run = LeafRun(level, page & -level.entry_size, pa, 1, grouped)
        return run.whole, _split(self._attributes(level, word))

    def _replace(self, stretches: Iterable[Stretch]) -> None:
        """Let pieces take the place of everything in some ranges, as one change."""
        draft = self._tree.draft()
        for start, end, pieces in stretches:
            first, last, rest = self._around(draft, start, end)
            draft.replace(first, last, self._encode([*rest, *pieces]))
        draft.publish()


def _base(geometry: Geometry, layout: AddressLayout, base: object) -> int:
    address, limit = integer("base", base), 1 << layout.address_bits
    wide = layout is not AddressLayout.BITS48
    alignment = max(geometry.pgd_alignment, BASE_FLOOR if wide else 0)
    if not 0 <= address <= limit - geometry.pgd_size:
        raise InvalidArgument(
            f"base must leave the {geometry.pgd_size:#x} bytes of the PGD within "
            f"{span(0, limit)}, got {address:#x}"
        )
    if address % alignment:
        raise InvalidArgument(
            f"base must be a multiple of the PGD's alignment, {alignment:#x}; got "
            f"{address:#x}, {address % alignment:#x} past one"
        )
    return address


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the stretches, those that touch as one."""
    joined: list[Stretch] = []
    for start, end, pieces in stretches:
        if joined and joined[-1][1] == start:
            before, _, others = joined.pop()
            joined.append((before, end, others + pieces))
        else:
            joined.append((start, end, pieces))
    return joined


def _in_place(run: LeafRun) -> Iterator[LeafRun]:
    """Yield the parts of a run that are progressions of words."""
    start = run.ipa
    while start < run.end:
        pa = run.pa + start - run.ipa
        end = min(run.end, start + (1 << IN_PLACE_BITS) - pa % (1 << IN_PLACE_BITS))
        yield run.part(start, end)
        start = end


def _split(attributes: Attributes) -> Attributes:
    """Return what the parts of a block say: none of them is about to be replaced."""
    return evolve(attributes, nt=False)


def _four(mapping: object) -> tuple[Any, Any, Any, Any]:
    """Return a mapping with its attributes."""
    if not isinstance(mapping, Sequence) or len(mapping) != 4:
        raise TypeError(
            "a mapping must be (ipa, pa, size) or (ipa, pa, size, attributes), got "
            f"{quoted(mapping)}"
        )
    ipa, pa, size, attributes = mapping
    return ipa, pa, size, attributes


def _attributes_or_default(value: object, *, required: bool = False) -> Attributes:
    if isinstance(value, Attributes):
        return value
    if value is None and not required:
        return DEFAULT_ATTRIBUTES
    raise TypeError(f"attributes must be Attributes, got {quoted(value)}")


@lru_cache(maxsize=256)
def _leaf_bits(
    geometry: Geometry, level: int, attributes: Attributes, lpa: bool, contiguous: bool
) -> int:
    leaf = Descriptor.leaf(
        geometry, level, 0, attributes, lpa=lpa, contiguous=contiguous
    )
    return leaf.word


# `inspect.signature` would else show the arguments of `__new__`.
_SELF, *_PARAMETERS = signature(TableBuilder.__init__).parameters.values()
TableBuilder.__signature__ = Signature(_PARAMETERS)  # type: ignore[attr-defined]
