# SPDX-License-Identifier: MIT
"""`TableBuilder`: stage-2 tables, made and changed as a hypervisor would.

The builder checks arguments, and decides what replaces a block or a contiguous group
that a change cuts through. `cover` chooses the leaves, and the tables are in `tree`.
"""

from collections.abc import Iterable, Iterator, Sequence
from inspect import Signature, signature
from itertools import pairwise
from typing import Any, Self

from attrs import evolve, frozen

from s2geom.build.cover import (
    cover,
    cover_part,
    cut,
    leaf_levels,
    page_multiple,
    page_range,
    span,
)
from s2geom.build.leaf_words import Leaves, encoded, leaf_bits
from s2geom.build.leaves import LeafRun, divided, joined
from s2geom.build.tree import (
    Draft,
    LevelWords,
    OverlapError,
    Tree,
    Words,
    no_words,
)
from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument, UnsupportedCombination
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import flag, integer
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import ANY_CPU
from s2geom.registers.root import Base
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.tables.attributes import Attributes, attributes_or_default
from s2geom.tables.layout import AddressLayout

Stretch = tuple[int, int, list[LeafRun]]
"""From one IPA to another, and what is to be there."""

FullMapping = tuple[Any, Any, Any, Any]
"""IPA, output address, size and attributes, as they were given."""

_Kind = tuple[Words, int, int]
"""Where leaves of one level with the same attributes go, log2 of the size, and bits."""


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

    __slots__ = ("_level_of", "_levels", "_page_level_of", "_tree")

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
        self._levels = leaf_levels(geometry, lpa=lpa)
        self._level_of = {level.entry_size: level for level in self._levels}
        self._page_level_of = {geometry.page_size: self._levels[-1]}
        root = _base(geometry, layout, base)
        self._tree = Tree(geometry, layout, root, flag("record", record))

    @property
    def geometry(self) -> Geometry:
        """The shape of the tables."""
        return self._tree.geometry

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
        wanted = list(_full(mappings))
        draft = self._tree.draft()
        try:
            draft.fill(*self._leaves(wanted, flag("blocks", blocks)))
        except OverlapError:
            raise InvalidArgument(self._overlap(wanted)) from None
        draft.publish()

    def _leaves(
        self, mappings: list[FullMapping], blocks: bool
    ) -> tuple[list[Leaves], LevelWords]:
        """Return the leaves of some mappings: runs, and the words of single leaves.

        Mappings of one leaf are handled apart: there may be many, and a run of one leaf
        costs as much as a run of thousands.
        """
        geometry, layout = self._tree.geometry, self._tree.layout
        level_of = self._level_of if blocks else self._page_level_of
        ipa_end, pa_end = geometry.ipa_size, 1 << layout.address_bits
        stride, mask = geometry.stride, self._tree.entries - 1
        moved = bool(layout.moved_mask)
        kinds: dict[tuple[int, int], _Kind] = {}  # by size and identity of attributes
        runs, words = list[LeafRun](), no_words()
        singles = len(mappings)
        for ipa, pa, size, attributes in mappings:
            if not (
                type(ipa) is type(pa) is type(size) is int
                and size in level_of
                and not (ipa | pa) & (size - 1)
                and 0 <= ipa < ipa_end
                and 0 <= pa < pa_end
            ):
                singles -= 1
                runs += self._stretch(ipa, pa, size, attributes, blocks)[-1]
                continue
            kind = kinds.get((size, id(attributes)))
            if kind is None:
                kind = self._kind(words, level_of[size], attributes)
                kinds[size, id(attributes)] = kind
            tables, shift, bits = kind
            index = ipa >> shift
            word = bits | (layout.encode(pa, shift) if moved else pa)
            tables[index >> stride][index & mask] = word
        _check_apart(words, singles)
        return self._encoded(runs), words

    def _kind(self, words: LevelWords, level: Level, attributes: object) -> _Kind:
        """Return what leaves of one level and with the same attributes share."""
        tree, wanted = self._tree, attributes_or_default(attributes)
        lpa = tree.layout is AddressLayout.LPA
        bits = leaf_bits(tree.geometry, level.number, wanted, lpa)
        return words[level.number], level.shift, bits

    def _overlap(self, mappings: list[FullMapping]) -> str:
        """Return why some mappings, each of them valid alone, overlap something."""
        ranges = sorted(
            page_range(self.geometry, ipa, size) for ipa, _, size, _ in mappings
        )
        for before, after in pairwise(ranges):
            if after[0] < before[1]:
                return f"{span(*before)} and {span(*after)} overlap; map one of them"
        draft = self._tree.draft()
        start, end, there = next(
            (start, end, run) for start, end in ranges for run in draft.runs(start, end)
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
        start, end = page_range(self.geometry, ipa, size)
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
        start, end = page_range(self.geometry, ipa, size)
        wanted = attributes_or_default(attributes, required=True)
        if self._tree.layout is AddressLayout.LPA2:
            wanted = evolve(wanted, sh=None)  # as a descriptor gives it back
        hole, runs = start, []
        for run in joined(self._tree.draft().runs(start, end)):
            if hole < run.ipa:
                break
            first, hole = max(run.ipa, start), min(run.end, end)
            if run.attributes != wanted:
                runs += cut(self._levels, evolve(run, attributes=wanted), first, hole)
        if hole < end:
            raise InvalidArgument(
                f"{span(start, end)} is not all mapped: nothing is at {hole:#x}; map "
                "it first"
            )
        self._replace(_stretches(runs))

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
        start, end = page_range(self.geometry, ipa, size)
        runs, pages = [], self._levels[-1:]
        for run in joined(self._tree.draft().runs(start, end)):
            if run.level.number < LAST_LEVEL or run.contiguous:
                first, last = max(run.ipa, start), min(run.end, end)
                runs += cover_part(pages, divided(run), first, last, groups=False)
        self._replace(_stretches(runs))

    # The tables and their registers

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
            self.geometry, pa_bits=self._tree.layout.address_bits
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
            self.geometry, self.root, vmid, pa_bits=self._tree.layout.address_bits
        )

    def __reduce__(self) -> tuple[Any, ...]:
        tree = self._tree
        made_of = tree.geometry, tree.root, tree.layout is AddressLayout.LPA
        return TableBuilder, made_of, tree.stored()

    def __setstate__(self, stored: tuple[Any, ...]) -> None:
        tree = self._tree
        tree.record, tree.state, tree.steps, tree.free = stored

    def __repr__(self) -> str:
        return (
            f"<TableBuilder of {self.geometry!r}: {len(self.images())} images "
            f"from {self.root:#x}>"
        )

    # From ranges to leaves

    def _stretch(
        self, ipa: int, pa: int, size: int, attributes: Attributes | None, blocks: bool
    ) -> Stretch:
        """Check the arguments of a call, and return the leaves that it takes."""
        start, end = page_range(self.geometry, ipa, size)
        target = page_multiple(self.geometry, "pa", pa)
        bits = self._tree.layout.address_bits
        if target + end - start > 1 << bits:
            raise InvalidArgument(
                f"pa {span(target, target + end - start)} does not fit in the {bits} "
                "bits of a descriptor's address"
            )
        wanted = attributes_or_default(attributes)
        groups = flag("blocks", blocks)
        levels = self._levels if groups else self._levels[-1:]
        runs = cover(
            levels, start, target, end - start, groups=groups, attributes=wanted
        )
        return start, end, runs

    def _encoded(self, runs: Iterable[LeafRun]) -> list[Leaves]:
        layout = self._tree.layout
        return [part for run in runs for part in encoded(self.geometry, layout, run)]

    # Cutting leaves

    def _widened(self, draft: Draft, start: int, end: int) -> Stretch:
        """Widen a range to whole leaves and groups, and return what it has more."""
        first, last = start, end
        rest: list[LeafRun] = []
        for page in dict.fromkeys((start, end - self.geometry.page_size)):
            leaf = draft.cut_leaf(page, first, last)
            if leaf is not None:
                leaf = divided(leaf)
                rest += cover_part(self._levels, leaf, leaf.ipa, start)
                rest += cover_part(self._levels, leaf, end, leaf.end)
                first, last = min(first, leaf.ipa), max(last, leaf.end)
        return first, last, rest

    def _replace(self, stretches: Iterable[Stretch]) -> None:
        """Let leaves take the place of everything in some ranges, as one change."""
        draft = self._tree.draft()
        for start, end, runs in stretches:
            first, last, rest = self._widened(draft, start, end)
            draft.replace(first, last, self._encoded(rest + runs))
        draft.publish()


def _base(geometry: Geometry, layout: AddressLayout, base: object) -> int:
    address, limit = integer("base", base), 1 << layout.address_bits
    alignment = Base(address, geometry, layout.address_bits).alignment
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


def _stretches(runs: Iterable[LeafRun]) -> list[Stretch]:
    """Return leaves in the order of their addresses, those that touch together."""
    stretches: list[Stretch] = []
    for run in runs:
        if stretches and stretches[-1][1] == run.ipa:
            start, _, before = stretches.pop()
            before.append(run)
            stretches.append((start, run.end, before))
        else:
            stretches.append((run.ipa, run.end, [run]))
    return stretches


def _check_apart(words: LevelWords, count: int) -> None:
    """Refuse leaves of which one took the place of another."""
    tables = (table for level in words.values() for table in level.values())
    if sum(map(len, tables)) < count:
        raise OverlapError


def _full(mappings: Iterable[Any]) -> Iterator[FullMapping]:
    """Yield mappings with their attributes, None where they have none."""
    for mapping in mappings:
        try:
            if len(mapping) == 3:
                ipa, pa, size = mapping
                yield ipa, pa, size, None
            else:
                ipa, pa, size, attributes = mapping
                yield ipa, pa, size, attributes
        except (TypeError, ValueError):
            raise TypeError(
                "a mapping must be (ipa, pa, size) or (ipa, pa, size, attributes), "
                f"got {quoted(mapping)}"
            ) from None


# `inspect.signature` would else show the arguments of `__new__`.
_SELF, *_PARAMETERS = signature(TableBuilder.__init__).parameters.values()
TableBuilder.__signature__ = Signature(_PARAMETERS)  # type: ignore[attr-defined]
