# SPDX-License-Identifier: MIT
"""`Descriptor`: one 64-bit entry of a stage-2 table, and the `Attributes` of a leaf.

A descriptor is a word, and what the word means depends on three things that are not in
it: the level it stands at, the granule, and where the bits of an address are kept. The
last is an `AddressLayout`, of which there are three. So a descriptor holds all four,
keeps every bit of the word, and everything else is derived.

The fields of a leaf are the rows of `FIELDS`: they decode, encode, check and explain.
"""

from enum import Enum
from typing import Any

from attrs import asdict, evolve, field, frozen

from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import (
    BLOCK_LEVELS,
    CONTIGUOUS,
    WIDE_BLOCK_LEVELS,
    Geometry,
    geometry_of,
)
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import flag, integer_within, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted

VALID = 1 << 0
TABLE_OR_PAGE = 1 << 1
CONTIGUOUS_BIT = 1 << 52
NT_BIT = 1 << 16
WORD_MASK = (1 << 64) - 1


@public
class AddressLayout(Enum):
    """Where the bits of an output address are kept in a descriptor.

    ``BITS48`` holds address bits 47 and below in place (4K and 16K without LPA2, 64K
    without FEAT_LPA). ``LPA`` is 64K's with FEAT_LPA, whatever VTCR_EL2.PS says: word
    bits 15:12 hold address bits 51:48. ``LPA2`` is 4K's and 16K's with VTCR_EL2.DS:
    bits 49:48 in place, and word bits 9:8, otherwise the shareability, hold 51:50.

    Source: Arm ARM D8.3; pseudocode AArch64.LeafBase, AArch64.NextTableBase.

    >>> hex(AddressLayout.LPA.decode(0x1234_5678_F000, shift=16))
    '0xf123456780000'
    """

    # Highest bit in place; then of the bits that are not: first bit in the word, first
    # bit in the address, and how many.
    BITS48 = (47, 0, 48, 0)
    LPA = (47, 12, 48, 4)
    LPA2 = (49, 8, 50, 2)

    def __init__(self, in_place: int, word: int, address: int, width: int) -> None:
        self.address_bits = address + width
        self.moved_mask = ((1 << width) - 1) << word
        self.in_place_mask = (2 << in_place) - 1
        self.move_up = address - word

    def word_mask(self, shift: int) -> int:
        """Return the bits of a word that hold an address.

        Args:
            shift: log2 of the address's alignment: the size that a leaf maps, or the
                page size for a table.
        """
        return self.in_place_mask & -(1 << shift) | self.moved_mask

    def decode(self, word: int, shift: int) -> int:
        """Return the address that a word holds.

        Args:
            word: The descriptor.
            shift: log2 of the address's alignment; bits below are not the address's.
        """
        moved = (word & self.moved_mask) << self.move_up
        return word & self.in_place_mask & -(1 << shift) | moved

    def encode(self, address: int, shift: int) -> int:
        """Return the bits of a word that hold an address.

        Args:
            address: In bytes, a multiple of ``1 << shift``.
            shift: log2 of the address's alignment.

        Raises:
            InvalidArgument: The address is negative, misaligned, or wider than this
                layout holds.
            TypeError: The address is no integer.
        """
        address = unsigned("address", address, self.address_bits)
        if address & ((1 << shift) - 1):
            raise InvalidArgument(
                f"address must be a multiple of {1 << shift:#x}, got {address:#x}"
            )
        return address & self.in_place_mask | (
            address >> self.move_up & self.moved_mask
        )

    @classmethod
    def of(cls, geometry: Geometry, *, lpa: bool = False) -> "AddressLayout":
        """Return the layout that a geometry's descriptors have.

        Args:
            geometry: LPA2 is a fact of its own.
            lpa: FEAT_LPA, which 64K descriptors follow; 64K geometries with more than
                48 bits of IPA have it anyway. 4K and 16K do not depend on it.

        Raises:
            TypeError: A value has the wrong type.
        """
        geometry = geometry_of(geometry)
        wide = flag("lpa", lpa) or geometry.ipa_bits > 48
        if geometry.granule is Granule.K64:
            return cls.LPA if wide else cls.BITS48
        return cls.LPA2 if geometry.lpa2 else cls.BITS48

    def __repr__(self) -> str:
        return f"AddressLayout.{self.name}"


_BITS48 = AddressLayout.BITS48

LAYOUT_GRANULES = {
    AddressLayout.LPA: frozenset({Granule.K64}),
    AddressLayout.LPA2: frozenset({Granule.K4, Granule.K16}),
}


def is_block_level(granule: Granule, layout: AddressLayout, level: int) -> bool:
    """Return whether a leaf may be a block there (AArch64.BlockDescSupported)."""
    if level in BLOCK_LEVELS[granule]:
        return True
    return layout is not AddressLayout.BITS48 and level in WIDE_BLOCK_LEVELS[granule]


# The fields of a leaf


@frozen
class Field:
    """One field of a leaf descriptor.

    Args:
        name: The attribute of `Attributes` that holds it.
        low: Its lowest bit in the word.
        width: Its bits.
        says: What each value means, or for a field without fixed meaning one text
            with ``{}`` for the value. A text that is empty is not worth saying.
    """

    name: str
    low: int
    width: int
    says: tuple[str, ...]

    @property
    def mask(self) -> int:
        """The bits of the word."""
        return ((1 << self.width) - 1) << self.low

    def explain(self, value: int) -> str:
        """Return the words for a value."""
        return self.says[value if len(self.says) > 1 else 0].format(value)


FIELDS = {
    row.name: row
    for row in (
        Field("memattr", 2, 4, ("",)),  # two encodings: see `explain_memattr`
        Field(
            "s2ap",
            6,
            2,
            ("no data access", "read-only", "write-only", "read and write"),
        ),
        Field(
            "sh",
            8,
            2,
            (
                "non-shareable",
                "reserved shareability",
                "outer shareable",
                "inner shareable",
            ),
        ),
        Field("af", 10, 1, ("access flag clear: the first access faults", "accessed")),
        Field("fnxs", 11, 1, ("", "FnXS: TLB maintenance with nXS skips it")),
        Field("nt", 16, 1, ("", "nT: a block that is about to be replaced")),
        Field("dbm", 51, 1, ("", "DBM: hardware may make it writable")),
        Field(
            "xn",
            53,
            2,
            ("executable", "executable at EL0", "not executable", "executable at EL1"),
        ),
        Field("ns", 55, 1, ("", "bit 55 set: NS in a Realm, else software's")),
        Field("software", 56, 3, ("software bits {:#05b}",)),
        Field("pbha", 59, 4, ("bits 62:59 are {:#06b}: PBHA, or overlay index",)),
        Field("amec", 63, 1, ("", "bit 63 set: AMEC in a Realm, else reserved")),
    )
}
"""Every field of a leaf but address, type and contiguous bit (Arm ARM D8.3.2)."""

ATTRIBUTE_MASK = sum(row.mask for row in FIELDS.values())

DEVICE = ("nGnRnE", "nGnRE", "nGRE", "GRE")
CACHING = ("reserved", "non-cacheable", "write-through", "write-back")
FORCED = (
    "Normal memory, reserved MemAttr",
    "Normal memory, non-cacheable",
    "Normal memory, write-back whatever stage 1 says",
    "Normal memory, cacheable as stage 1 says",
)


def explain_memattr(memattr: int, *, fwb: bool) -> str:
    """Return the memory type in words.

    Source: Arm ARM D8.6.6; pseudocode S2DecodeMemAttrs, S2CombineS1MemAttrs.
    """
    high, low = memattr >> 2, memattr & 0b11
    if fwb:
        kind = high & 1  # bit 5 of the word is reserved
        return FORCED[low] if kind else f"Device-{DEVICE[low]}"
    if high == 0:
        return f"Device-{DEVICE[low]}"
    if low == 0:
        # 0100 alone has a meaning, and only with FEAT_MTE_PERM.
        return "NoTagAccess, or reserved" if high == 1 else "reserved MemAttr"
    if high == low:
        return f"Normal memory, {CACHING[low]}"
    return f"Normal memory, outer {CACHING[high]}, inner {CACHING[low]}"


def _field(name: str, default: int | bool) -> Any:
    row = FIELDS[name]

    def enter(value: object) -> int | None:
        if row.width == 1:
            return flag(name, value)
        if name == "sh" and value is None:
            return None
        return integer_within(name, value, 0, (1 << row.width) - 1)

    return field(default=default, converter=enter)


@public
@frozen(kw_only=True)
class Attributes:
    """What a leaf says about the memory it maps, address and grouping aside.

    The default is normal memory, write-back, inner shareable, read-write-execute, with
    the access flag set. The contiguous bit is not here: it says how translations may
    be cached and nothing about the memory, so it is the `Descriptor`'s.

    Args:
        s2ap: Data access: bit 0 read, bit 1 write.
        memattr: Memory type, 4 bits. 0b1111 is write-back without FEAT_S2FWB; with
            it, 0b0110 is write-back.
        sh: Shareability: 0 non, 2 outer, 3 inner; None for a descriptor that has none,
            which is LPA2's (VTCR_EL2.SH0 holds for all of them).
        af: Access flag.
        xn: 0 executable, 1 at EL0 only, 2 not at all, 3 at EL1 only.
        dbm: Dirty bit modifier.
        fnxs: FnXS (FEAT_XS).
        nt: nT, of blocks alone (FEAT_BBM).
        ns: Bit 55.
        software: Bits 58:56, free for software.
        pbha: Bits 62:59.
        amec: Bit 63.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value has the wrong type; fields of one bit are a `bool`.

    Source: Arm ARM D8.3.2, "Block descriptor and Page descriptor formats".

    >>> hex(int(Attributes()))
    '0x7fc'
    >>> Attributes(s2ap=1, xn=2).explain()[1:3]
    ('read-only', 'inner shareable')
    """

    s2ap: int = _field("s2ap", 3)
    memattr: int = _field("memattr", 0b1111)
    sh: int | None = _field("sh", 3)
    af: bool = _field("af", True)
    xn: int = _field("xn", 0)
    dbm: bool = _field("dbm", False)
    fnxs: bool = _field("fnxs", False)
    nt: bool = _field("nt", False)
    ns: bool = _field("ns", False)
    software: int = _field("software", 0)
    pbha: int = _field("pbha", 0)
    amec: bool = _field("amec", False)

    @classmethod
    def from_int(cls, word: int) -> "Attributes":
        """Take the fields from a word; all its other bits are somebody else's.

        Every field is read, so this is for words of attributes alone. A descriptor's
        own bits 9:8 and 16 may belong to its address: ask `Descriptor.attributes`.

        Args:
            word: 64 bits.

        Raises:
            InvalidArgument: The word does not fit 64 bits.
            TypeError: It is no integer.
        """
        word = unsigned("word", word)
        values: dict[str, Any] = {}
        for row in FIELDS.values():
            value = (word & row.mask) >> row.low
            values[row.name] = bool(value) if row.width == 1 else value
        return cls(**values)

    def __int__(self) -> int:
        # A ``sh`` of None has no bits.
        values = asdict(self)
        return sum(int(values[row.name] or 0) << row.low for row in FIELDS.values())

    def explain(self, *, fwb: bool = False) -> tuple[str, ...]:
        """Return a few plain words for each field that says something.

        Args:
            fwb: Whether HCR_EL2.FWB is set, which gives ``memattr`` another meaning.

        Raises:
            TypeError: ``fwb`` is no bool.
        """
        values = asdict(self)
        said = [explain_memattr(self.memattr, fwb=flag("fwb", fwb))]
        for name, row in FIELDS.items():
            value = values[name]
            if value is None:
                said.append("shareable as VTCR_EL2.SH0 says")
            elif value or name in {"s2ap", "sh", "af", "xn"}:
                said.append(row.explain(int(value)))
        return tuple(text for text in said if text)


# The descriptor


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
        level: Level of lookup that it was found at, -1..3.
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
        if self.layout is _BITS48:  # every granule has it
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
            level: Level of the table it was found in.
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
        return cls(bits | TABLE_OR_PAGE | VALID, level, geometry.granule, layout)

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
        if attributes is None:
            attributes = Attributes()
        elif not isinstance(attributes, Attributes):
            raise TypeError(f"attributes must be Attributes, got {quoted(attributes)}")
        if level != LAST_LEVEL and not is_block_level(granule, layout, level):
            raise InvalidArgument(
                f"level {level} has no blocks with {granule} pages and "
                f"{layout.address_bits}-bit addresses"
            )
        if attributes.nt and level == LAST_LEVEL:
            raise InvalidArgument("nt is for blocks; a page has an address bit there")
        word = VALID | (TABLE_OR_PAGE if level == LAST_LEVEL else 0)
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
        if not self.word & VALID:
            return "invalid"
        if self.level == LAST_LEVEL:
            return "page" if self.word & TABLE_OR_PAGE else "reserved"
        if self.word & TABLE_OR_PAGE:
            return "table"
        allowed = is_block_level(self.granule, self.layout, self.level)
        return "block" if allowed else "reserved"

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
        moved = self.layout is AddressLayout.LPA2
        word = self.word & ~self.layout.moved_mask
        if self.level == LAST_LEVEL:
            word &= ~NT_BIT
        found = Attributes.from_int(word)
        return evolve(found, sh=None) if moved else found

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

    def explain(self, *, fwb: bool = False) -> tuple[str, ...]:
        """Return what it is and does, one plain sentence or a few words a field.

        Args:
            fwb: Whether HCR_EL2.FWB is set, which gives ``memattr`` another meaning.

        Raises:
            TypeError: ``fwb`` is no bool.
        """
        fwb = flag("fwb", fwb)
        kind, size = self.kind, 1 << self.granule.level_shift(self.level)
        attributes = self.attributes
        if attributes is not None:
            said = [f"{kind} at level {self.level}: {size:#x} bytes at {self._where}"]
            if self.contiguous:
                group = CONTIGUOUS[self.granule, self.level]
                said.append(f"one of a contiguous group of {group}")
            return (*said, *attributes.explain(fwb=fwb))
        if kind == "table":
            return (f"table at level {self.level}: the next is at {self._where}",)
        return (f"{kind} at level {self.level}: {size:#x} bytes are not mapped",)

    @property
    def _where(self) -> str:
        return f"{self.output_address:#x}"


_new = object.__new__
_set_word, _set_level, _set_granule, _set_layout = (
    vars(Descriptor)[slot].__set__ for slot in ("word", "level", "granule", "layout")
)


def found_descriptor(
    word: int, level: int, granule: Granule, layout: AddressLayout
) -> Descriptor:
    """Return a descriptor of values that cannot be wrong, in a quarter of the time.

    A walk's word is 64 bits that were read, and the rest its geometry's. Checking them
    once more would cost as much as the walk.
    """
    descriptor = _new(Descriptor)
    _set_word(descriptor, word)
    _set_level(descriptor, level)
    _set_granule(descriptor, granule)
    _set_layout(descriptor, layout)
    return descriptor
