# SPDX-License-Identifier: MIT
"""`Attributes`: the bits of a leaf that say what memory it maps and who may use it.

Each field is a row of `ATTRIBUTE_FIELDS`. The rows decode, encode, check and explain,
and every mask of attribute bits in the package is made from them.
"""

from functools import lru_cache
from typing import Any

from attrs import evolve, field, frozen

from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import flag, integer_within, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.tables.layout import AddressLayout

# The fields of a leaf


@frozen
class AttributeField:
    """One field of a leaf descriptor.

    Args:
        name: The attribute of `Attributes` that holds it.
        low: Its lowest bit in the word.
        width: How many bits it has.
        says: What each value means, or for a field without fixed meaning one text
            with ``{}`` for the value, which is said of any value but 0. An empty text
            is left out of `Attributes.explain`.
    """

    name: str
    low: int
    width: int
    says: tuple[str, ...]

    @property
    def mask(self) -> int:
        """The bits of the word that hold it."""
        return ((1 << self.width) - 1) << self.low

    def place(self, value: int) -> int:
        """Return the word that has a value in the field and no other bit."""
        return value << self.low

    def explain(self, value: int | None) -> str:
        """Return what a value means; None is the shareability that LPA2 leaves lack."""
        if value is None:
            return "shareable as VTCR_EL2.SH0 says"
        if len(self.says) > 1:
            return self.says[value]
        return self.says[0].format(value) if value else ""


ATTRIBUTE_FIELDS = {
    row.name: row
    for row in (
        AttributeField("memattr", 2, 4, ("",)),  # two encodings: see `explain_memattr`
        AttributeField(
            "s2ap",
            6,
            2,
            ("no data access", "read-only", "write-only", "read and write"),
        ),
        AttributeField(
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
        AttributeField(
            "af", 10, 1, ("access flag clear: the first access faults", "accessed")
        ),
        AttributeField("fnxs", 11, 1, ("", "FnXS: TLB maintenance with nXS skips it")),
        AttributeField("nt", 16, 1, ("", "nT: a block that is about to be replaced")),
        AttributeField("dbm", 51, 1, ("", "DBM: hardware may make it writable")),
        AttributeField(
            "xn",
            53,
            2,
            ("executable", "executable at EL0", "not executable", "executable at EL1"),
        ),
        AttributeField("ns", 55, 1, ("", "bit 55 set: NS in a Realm, else software's")),
        AttributeField("software", 56, 3, ("software bits {:#05b}",)),
        AttributeField(
            "pbha", 59, 4, ("bits 62:59 are {:#06b}: PBHA, or overlay index",)
        ),
        AttributeField(
            "amec", 63, 1, ("", "bit 63 set: AMEC in a Realm, else reserved")
        ),
    )
}
"""Every field of a leaf but address, type and contiguous bit (Arm ARM D8.3.2)."""

ATTRIBUTE_MASK = sum(row.mask for row in ATTRIBUTE_FIELDS.values())


def attribute_mask(layout: AddressLayout, level: int) -> int:
    """Return the bits of a leaf that hold attributes, at a level of a layout.

    LPA2 keeps an address in the bits of SH; a page has an address bit where a block has
    nT.
    """
    mask = ATTRIBUTE_MASK & ~layout.moved_mask
    return mask & ~ATTRIBUTE_FIELDS["nt"].mask if level == LAST_LEVEL else mask


_DEVICES = tuple(f"Device-{kind}" for kind in ("nGnRnE", "nGnRE", "nGRE", "GRE"))
_FORCED = (
    "Normal memory, reserved MemAttr",
    "Normal memory, non-cacheable",
    "Normal memory, write-back whatever stage 1 says",
    "Normal memory, cacheable as stage 1 says",
)
MEMORY_TYPES: dict[bool, tuple[str, ...]] = {
    False: (
        *_DEVICES,
        "NoTagAccess, or reserved",  # a meaning with FEAT_MTE_PERM alone
        "Normal memory, non-cacheable",
        "Normal memory, outer non-cacheable, inner write-through",
        "Normal memory, outer non-cacheable, inner write-back",
        "reserved MemAttr",
        "Normal memory, outer write-through, inner non-cacheable",
        "Normal memory, write-through",
        "Normal memory, outer write-through, inner write-back",
        "reserved MemAttr",
        "Normal memory, outer write-back, inner non-cacheable",
        "Normal memory, outer write-back, inner write-through",
        "Normal memory, write-back",
    ),
    True: (
        *_DEVICES,
        *_FORCED,
        *_DEVICES,  # bit 5 of the descriptor is reserved
        *_FORCED[:2],
        *(f"{text} (NoTagAccess with FEAT_MTE_PERM)" for text in _FORCED[2:]),
    ),
}
"""What MemAttr 0 to 15 means, by HCR_EL2.FWB.

Source: Arm ARM D8.6.6; pseudocode S2DecodeMemAttrs, S2CombineS1MemAttrs.
"""


def fwb_or_none(value: bool | None) -> bool | None:
    """Return HCR_EL2.FWB as an argument gives it: a bool, or None if not known."""
    return None if value is None else flag("fwb", value)


def fwb_field() -> Any:
    """Declare what a result keeps of HCR_EL2.FWB: it decides how MemAttr reads."""
    return field(default=None, eq=False, repr=False, kw_only=True)


def explain_memattr(memattr: int, *, fwb: bool | None) -> str:
    """Return the memory type in words; both types if ``fwb`` decides and is None."""
    if fwb is not None:
        return MEMORY_TYPES[fwb][memattr]
    clear, sets = (texts[memattr] for texts in MEMORY_TYPES.values())
    return clear if clear == sets else f"without HCR_EL2.FWB: {clear}; with it: {sets}"


def _field(name: str, default: int | bool) -> Any:
    row = ATTRIBUTE_FIELDS[name]

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
    the access flag set; where HCR_EL2.FWB is set, it is cacheable as stage 1 says. The
    contiguous bit is a property of `Descriptor`: it says how translations may be
    cached, and nothing about the memory.

    Args:
        s2ap: Data access: bit 0 read, bit 1 write.
        memattr: Memory type, 4 bits. 0b1111 is write-back without HCR_EL2.FWB; with
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
        """Take the fields from a word, and ignore all its other bits.

        This is for words of attributes. In a descriptor, bits 9:8 and 16 may belong to
        the address: there, use `Descriptor.attributes`.

        Args:
            word: 64 bits.

        Raises:
            InvalidArgument: The word does not fit 64 bits.
            TypeError: It is no integer.
        """
        word = unsigned("word", word)
        values: dict[str, Any] = {}
        for name, row in ATTRIBUTE_FIELDS.items():
            value = (word & row.mask) >> row.low
            values[name] = bool(value) if row.width == 1 else value
        return cls(**values)

    def __int__(self) -> int:
        values = ((row, getattr(self, row.name)) for row in ATTRIBUTE_FIELDS.values())
        return sum(row.place(value or 0) for row, value in values)  # ``sh`` may be None

    def explain(self, *, fwb: bool | None = None) -> tuple[str, ...]:
        """Return a few plain words for each field that says something.

        Args:
            fwb: Whether HCR_EL2.FWB is set, which gives ``memattr`` another meaning.
                None is not known: both meanings are given where they differ.

        Raises:
            TypeError: ``fwb`` is neither a bool nor None.

        >>> Attributes(memattr=6).explain(fwb=True)[0]
        'Normal memory, write-back whatever stage 1 says'
        """
        memory = explain_memattr(self.memattr, fwb=fwb_or_none(fwb))
        texts = (
            row.explain(getattr(self, name)) for name, row in ATTRIBUTE_FIELDS.items()
        )
        return (memory, *filter(None, texts))


DEFAULT_ATTRIBUTES = Attributes()


def attributes_or_default(value: object, *, required: bool = False) -> Attributes:
    """Return attributes, the default ones for None unless they are required.

    Raises:
        TypeError: It is anything else.
    """
    if isinstance(value, Attributes):
        return value
    if value is None and not required:
        return DEFAULT_ATTRIBUTES
    raise TypeError(f"attributes must be Attributes, got {quoted(value)}")


@lru_cache(maxsize=256)
def leaf_attributes(
    bits: int, layout: AddressLayout, sh: int | None = None
) -> Attributes:
    """Return the attributes in the attribute bits of a leaf.

    Args:
        bits: The word's bits of `attribute_mask`.
        layout: LPA2 leaves have no shareability of their own.
        sh: VTCR_EL2.SH0, which LPA2 leaves have then; None if it is not known.
    """
    attributes = Attributes.from_int(bits)
    return evolve(attributes, sh=sh) if layout is AddressLayout.LPA2 else attributes
