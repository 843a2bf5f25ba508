# SPDX-License-Identifier: MIT
"""`Descriptor`: one 64-bit entry of a stage-2 table.

What the word means depends on three things that are not in it: its level, the granule,
and where the bits of an address are kept (`AddressLayout`). A `Descriptor` holds all
four, keeps every bit of the word, and derives everything else.
"""

from functools import partial

from attrs import field, fields, frozen

from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import CONTIGUOUS, Geometry
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import flag, integer_within, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.tables.attributes import (
    Attributes,
    attribute_mask,
    attributes_or_default,
    fwb_or_none,
    leaf_attributes,
)
from s2geom.tables.layout import (
    BITS48,
    BLOCK,
    LAYOUT_GRANULES,
    TABLE_OR_PAGE,
    AddressLayout,
    is_block_level,
)

CONTIGUOUS_BIT = 1 << 52
DESCRIPTOR_KINDS = {
    0b00: ("invalid", "invalid"),
    0b10: ("invalid", "invalid"),
    BLOCK: ("block", "reserved"),
    TABLE_OR_PAGE: ("table", "page"),
}
"""What the two lowest bits make of a descriptor, above the last level and at it."""

WORD_MASK = (1 << 64) - 1


def _word(value: object) -> int:
    return unsigned("word", value)


def _level(value: object) -> int:
    return integer_within("level", value, -1, LAST_LEVEL)


@public
@frozen
class Descriptor:
    """One 64-bit stage-2 descriptor, at its level.

    Args:
        word: The 64 bits, all of them kept.
        level: Level of the table that it stands in, -1..3.
        granule: Page size; its page shift is accepted too.
        layout: Where it keeps its address.

    Raises:
        InvalidArgument: A value is outside its range, or the granule has no such
            layout.
        TypeError: A value has the wrong type.

    Source: Arm ARM D8.3, "Translation table descriptor formats".

    >>> entry = Descriptor(0x8000_07FF, 3, Granule.K4)
    >>> entry.kind, hex(entry.output_address), entry.attributes == Attributes()
    ('page', '0x80000000', True)
    """

    word: int = field(converter=_word, repr=hex)
    level: int = field(converter=_level)
    granule: Granule = field(converter=granule_of)
    layout: AddressLayout = AddressLayout.BITS48

    def __attrs_post_init__(self) -> None:
        if self.layout is BITS48:  # every granule has it
            return
        if not isinstance(self.layout, AddressLayout):
            raise TypeError(
                f"layout must be an AddressLayout, got {quoted(self.layout)}"
            )
        if self.granule not in LAYOUT_GRANULES[self.layout]:
            raise InvalidArgument(
                f"layout {self.layout.name} is not for {self.granule} pages"
            )

    @classmethod
    def from_int(
        cls, word: int, geometry: Geometry, level: int, *, lpa: bool = False
    ) -> "Descriptor":
        """Take a word as a descriptor of a geometry.

        Args:
            word: 64 bits.
            geometry: The shape of the tables it is from.
            level: Level of the table that it stands in.
            lpa: FEAT_LPA: whether 64K descriptors have the 52-bit layout, as they also
                do where the IPA is wider than 48 bits.

        Raises:
            InvalidArgument: The word does not fit 64 bits, or the tree has no such
                level.
            TypeError: A value has the wrong type.
        """
        layout = AddressLayout.of(geometry, lpa=lpa)
        level = integer_within("level", level, geometry.start_level, LAST_LEVEL)
        return cls(word, level, geometry.granule, layout)

    @classmethod
    def table(
        cls, geometry: Geometry, level: int, address: int, *, lpa: bool = False
    ) -> "Descriptor":
        """Make a table descriptor: it points at a table of the next level.

        Args:
            geometry: The shape of the tables.
            level: Level of the table that it will stand in, not the last.
            address: Of the next table, in bytes, a multiple of the page size.
            lpa: FEAT_LPA, see `from_int`.

        Raises:
            InvalidArgument: A value is outside its range, or the address misaligned.
            TypeError: A value has the wrong type.
        """
        layout = AddressLayout.of(geometry, lpa=lpa)
        level = integer_within("level", level, geometry.start_level, LAST_LEVEL - 1)
        bits = layout.encode(address, geometry.page_shift)
        return cls(bits | TABLE_OR_PAGE, level, geometry.granule, layout)

    @classmethod
    def leaf(
        cls,
        geometry: Geometry,
        level: int,
        address: int,
        attributes: Attributes | None = None,
        *,
        lpa: bool = False,
        contiguous: bool = False,
    ) -> "Descriptor":
        """Make a page or block descriptor.

        Args:
            geometry: The shape of the tables.
            level: Level of the table that it will stand in: the last for a page, a
                level that may have blocks for a block.
            address: That it maps to, in bytes, a multiple of what it maps.
            attributes: None for the default `Attributes`. LPA2 descriptors have no
                room for ``sh``, so it is left out there.
            lpa: FEAT_LPA, see `from_int`.
            contiguous: Whether it is one of a contiguous group.

        Raises:
            InvalidArgument: A value is outside its range, the address is misaligned,
                or the level has no leaves or no contiguous groups.
            TypeError: A value has the wrong type.

        >>> shape = Geometry(Granule.K4, 40, 1)
        >>> Descriptor.leaf(shape, 2, 0x4020_0000).explain()[0]
        'block at level 2: 0x200000 bytes at 0x40200000'
        """
        layout = AddressLayout.of(geometry, lpa=lpa)
        granule = geometry.granule
        level = integer_within("level", level, geometry.start_level, LAST_LEVEL)
        attributes = attributes_or_default(attributes)
        word = TABLE_OR_PAGE if level == LAST_LEVEL else BLOCK
        if word == BLOCK and not is_block_level(granule, layout, level):
            raise InvalidArgument(
                f"level {level} has no blocks with {granule} pages and "
                f"{layout.address_bits}-bit addresses"
            )
        if word == TABLE_OR_PAGE and attributes.nt:
            raise InvalidArgument("nt is for blocks; a page has an address bit there")
        word |= int(attributes) & ~layout.moved_mask
        word |= layout.encode(address, granule.level_shift(level))
        if flag("contiguous", contiguous):
            if not geometry.level(level).contiguous:
                raise InvalidArgument(
                    f"level {level} of this {granule} geometry has no contiguous groups"
                )
            word |= CONTIGUOUS_BIT
        return cls(word, level, granule, layout)

    @property
    def kind(self) -> str:
        """``"invalid"``, ``"table"``, ``"block"``, ``"page"`` or ``"reserved"``.

        Source: pseudocode AArch64.DecodeDescriptorType, AArch64.BlockDescSupported.
        """
        level = self.level
        kind = DESCRIPTOR_KINDS[self.word & TABLE_OR_PAGE][level == LAST_LEVEL]
        if kind == "block" and not is_block_level(self.granule, self.layout, level):
            return "reserved"
        return kind

    @property
    def is_leaf(self) -> bool:
        """Whether it maps memory: a block or a page."""
        return self.kind in {"block", "page"}

    @property
    def output_address(self) -> int | None:
        """What a leaf maps to, or where the next table is; None if it is neither."""
        kind = self.kind
        if kind in {"invalid", "reserved"}:
            return None
        level = LAST_LEVEL if kind == "table" else self.level
        return self.layout.decode(self.word, self.granule.level_shift(level))

    @property
    def attributes(self) -> Attributes | None:
        """The attributes of a leaf; None for anything else."""
        if not self.is_leaf:
            return None
        bits = self.word & attribute_mask(self.layout, self.level)
        return leaf_attributes(bits, self.layout)

    @property
    def contiguous(self) -> bool:
        """Whether it is a leaf in a contiguous group.

        The bit is reserved, and means nothing, where a level has no groups.

        Source: Arm ARM D8.7.1; pseudocode ContiguousSize.
        """
        grouped = (self.granule, self.level) in CONTIGUOUS
        return grouped and self.is_leaf and bool(self.word & CONTIGUOUS_BIT)

    @property
    def size(self) -> int | None:
        """Bytes that a leaf maps; None for anything else."""
        return 1 << self.granule.level_shift(self.level) if self.is_leaf else None

    def __int__(self) -> int:
        return self.word

    def explain(self, *, fwb: bool | None = None) -> tuple[str, ...]:
        """Return what it is and does, one plain sentence or a few words a field.

        Args:
            fwb: As for `Attributes.explain`.

        Raises:
            TypeError: ``fwb`` is neither a bool nor None.
        """
        fwb = fwb_or_none(fwb)
        kind, size = self.kind, 1 << self.granule.level_shift(self.level)
        is_what, attributes = f"{kind} at level {self.level}", self.attributes
        if kind == "table":
            return (f"{is_what}: the next is at {self.output_address:#x}",)
        if attributes is None:
            return (f"{is_what}: {size:#x} bytes are not mapped",)
        texts = [f"{is_what}: {size:#x} bytes at {self.output_address:#x}"]
        if self.contiguous:
            group = CONTIGUOUS[self.granule, self.level]
            texts.append(f"one of a contiguous group of {group}")
        return (*texts, *attributes.explain(fwb=fwb))


_blank_descriptor = partial(object.__new__, Descriptor)
_set_word, _set_descriptor_level, _set_granule, _set_layout = (
    vars(Descriptor)[row.name].__set__ for row in fields(Descriptor)
)


def trusted_descriptor(
    word: int, level: int, granule: Granule, layout: AddressLayout
) -> Descriptor:
    """Return a descriptor of values that cannot be wrong, without checking them.

    A walk's word is 64 bits that were read, and the rest comes from its geometry.
    Checking them would cost as much as the walk.
    """
    descriptor = _blank_descriptor()
    _set_word(descriptor, word)
    _set_descriptor_level(descriptor, level)
    _set_granule(descriptor, granule)
    _set_layout(descriptor, layout)
    return descriptor
