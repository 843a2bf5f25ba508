# SPDX-License-Identifier: MIT
"""`TableBuilder`: stage-2 tables, made and changed as a hypervisor would.

The builder says which leaves a range gets, and what becomes of a block or a contiguous
group that a change cuts through; the tables themselves are the engine's (`_tree`).
"""

from collections.abc import Iterable, Iterator
from typing import cast

from attrs import evolve, frozen

from s2geom.build.cover import (
    LeafRun,
    cover,
    leaf_levels,
    page_multiple,
    page_range,
    span,
)
from s2geom.build.tree import Leaves, Tree
from s2geom.build.word_runs import IN_PLACE_BITS, WordRun
from s2geom.core.address_form import BASE_FLOOR
from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument, UnsupportedCombination
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import flag, integer
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import ANY_CPU
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.tables.attributes import Attributes
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.layout import AddressLayout

Piece = tuple[LeafRun, Attributes]
"""Leaves, and what they say about the memory that they map."""

Stretch = tuple[int, int, list[Piece]]
"""From one IPA to another, and what is to be there."""


@public
@frozen
class Step:
    """One step of a change to tables that a CPU may be walking.

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
    A table that becomes empty is freed. So what is unmapped leaves no trace: the images
    are as they were before it was mapped.

    Ranges are mapped by the largest blocks and contiguous groups that both addresses
    allow. A change that cuts through one splits it, its rest again into the largest
    leaves. Nothing ever merges leaves of two calls: that would take memory away, for a
    moment, from who uses it.

    Args:
        geometry: The shape of the tables, one that some CPU can walk.
        base: Physical address of the PGD in bytes, a multiple of its alignment.
        lpa: FEAT_LPA: whether 64K descriptors have 52-bit addresses, and level-1
            blocks. They do anyway where the IPA is wider than 48 bits; other granules
            do not depend on it.

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

    def __init__(self, geometry: Geometry, base: int, lpa: bool = False) -> None:
        layout = AddressLayout.of(geometry, lpa=lpa)
        broken = ANY_CPU.check(geometry)
        if broken:
            raise UnsupportedCombination(broken)
        self._geometry = geometry
        self._lpa = lpa
        self._levels = leaf_levels(geometry, lpa=lpa)
        self._tree = Tree(geometry, layout, _base(geometry, layout, base))

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

        The tables are made at once: ask `footprint` what they weigh, where a range is
        large and its addresses allow nothing but pages.

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
        start, end, pieces = self._asked(ipa, pa, size, attributes, blocks)
        found = next(self._tree.runs(start, end), None)
        if found is not None:
            there, _ = found
            raise InvalidArgument(
                f"{span(start, end)} overlaps {span(there.ipa, there.end)}, which is "
                f"mapped to {span(there.pa, there.pa + there.size)}; unmap that first, "
                "or use remap"
            )
        self._tree.replace(start, start, self._encode(pieces))

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
        self._replace([self._asked(ipa, pa, size, attributes, blocks)])

    def unmap(self, ipa: int, size: int) -> None:
        """Forget what a range maps; where nothing is mapped, nothing happens.

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

        Leaves inside the range keep their size. What has these attributes already is
        left alone. Every other descriptor is broken first, although the architecture
        asks for it only where the memory type, a block's size or a group changes.

        Args:
            ipa: First input address in bytes, a multiple of the page size.
            size: Bytes, likewise, at least a page.
            attributes: The new ones, all of them.

        Raises:
            InvalidArgument: A part of the range is not mapped; or the range is empty,
                not made of pages, or outside the IPA space; or there is no room for
                the tables that it takes to split. What was changed before the room
                ran out stays changed, and is in `changes`.
            TypeError: A value has the wrong type.
        """
        start, end = page_range(self._geometry, ipa, size)
        wanted = self._entering(attributes)
        hole, stretches = start, []
        for run, found in self._mapped(start, end):
            if hole < run.ipa:
                break
            first, hole = max(run.ipa, start), min(run.end, end)
            if found != wanted:
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
                space; or there is no room for tables. What was split before the room
                ran out stays split, and is in `changes`.
            TypeError: A value has the wrong type.
        """
        start, end = page_range(self._geometry, ipa, size)
        stretches = []
        for run, found in self._mapped(start, end):
            if run.level.number == LAST_LEVEL and not run.contiguous:
                continue
            first, last = max(run.ipa, start), min(run.end, end)
            pa = run.pa + first - run.ipa
            pages = cover(self._levels[-1:], first, pa, last - first, groups=False)
            stretches.append((first, last, [(part, _split(found)) for part in pages]))
        self._replace(_joined(stretches))

    # What comes of them

    def images(self) -> dict[int, bytes]:
        """Return each table by its physical address, the PGD first.

        Tables side by side in the PGD are one image.
        """
        tables = self._tree.tables
        return {address: bytes(tables[address]) for address in sorted(tables)}

    def changes(self) -> tuple[Step, ...]:
        """Return every step since the beginning, in break-before-make order.

        Followed in this order, a CPU may be walking the tables all the while. A
        descriptor that was valid is made invalid, and the TLB is invalidated, before
        it becomes another valid one. A table is filled before it is linked, and
        cleared when it is freed. Written to memory that is zero, the steps leave the
        images, and zero around them.
        """
        return tuple(
            Step(kind, address, len(what), what)
            if isinstance(what, bytes)
            else Step(kind, address, what)
            for kind, address, what in self._tree.changes
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

    def __repr__(self) -> str:
        return (
            f"<TableBuilder of {self._geometry!r}: {len(self._tree.tables)} images "
            f"from {self.root:#x}>"
        )

    # From ranges to leaves

    def _entering(self, attributes: object) -> Attributes:
        """Return attributes as a descriptor would give them back."""
        if not isinstance(attributes, Attributes):
            raise TypeError(f"attributes must be Attributes, got {quoted(attributes)}")
        if self._tree.layout is AddressLayout.LPA2:
            return evolve(attributes, sh=None)
        return attributes

    def _asked(
        self, ipa: int, pa: int, size: int, attributes: Attributes | None, blocks: bool
    ) -> Stretch:
        """Check what a call asks for, and return the leaves that it takes."""
        start, end = page_range(self._geometry, ipa, size)
        target = page_multiple(self._geometry, "pa", pa)
        bits = self._tree.layout.address_bits
        if target + end - start > 1 << bits:
            raise InvalidArgument(
                f"pa {span(target, target + end - start)} does not fit in the {bits} "
                "bits of a descriptor's address"
            )
        wanted = self._entering(Attributes() if attributes is None else attributes)
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
        leaf = Descriptor.leaf(
            self._geometry,
            run.level.number,
            run.pa,
            attributes,
            lpa=self._lpa,
            contiguous=run.contiguous,
        )
        return WordRun(run.ipa >> shift, leaf.word, shift, run.count)

    # What is there

    def _mapped(self, start: int, end: int) -> Iterator[Piece]:
        """Yield what maps a range, tables next to each other taken together."""
        layout = self._tree.layout
        last: LeafRun | None = None
        bits = 0
        for run, word in self._tree.runs(start, end):
            others = word & ~layout.word_mask(run.level.shift)
            if last is not None and last.goes_on_with(run) and bits == others:
                last = evolve(last, count=last.count + run.count)
                continue
            if last is not None:
                yield last, self._leaving(last, bits)
            last, bits = run, others
        if last is not None:
            yield last, self._leaving(last, bits)

    def _leaving(self, run: LeafRun, bits: int) -> Attributes:
        """Return the attributes in the bits of a leaf."""
        leaf = Descriptor(
            bits, run.level.number, self._geometry.granule, self._tree.layout
        )
        return cast(Attributes, leaf.attributes)

    def _around(self, start: int, end: int) -> tuple[int, int, list[Piece]]:
        """Widen a range to whole leaves and groups, and return what it has more."""
        page, rest = self._geometry.page_size, []
        first, last = start, end
        for run, attributes in self._mapped(start, start + page):
            whole = run.whole
            if whole.ipa < start:
                first = whole.ipa
                parts = self._smaller(whole, first, start)
                rest += [(part, _split(attributes)) for part in parts]
        for run, attributes in self._mapped(end - page, end):
            whole = run.whole
            if end < whole.end:
                last = whole.end
                parts = self._smaller(whole, end, last)
                rest += [(part, _split(attributes)) for part in parts]
        return first, last, rest

    def _replace(self, stretches: Iterable[Stretch]) -> None:
        """Let pieces take the place of everything in some ranges."""
        planned = []
        for start, end, pieces in stretches:
            first, last, rest = self._around(start, end)
            planned.append((first, last, self._encode([*rest, *pieces])))
        for first, last, leaves in planned:
            self._tree.replace(first, last, leaves)


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
