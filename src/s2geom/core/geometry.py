# SPDX-License-Identifier: MIT
"""`Geometry`: the shape of a stage-2 table tree, by arithmetic alone.

Four facts make a shape: granule, IPA bits, start level and whether the descriptors are
LPA2's. Everything else is derived from them here. Whether a kernel or a CPU allows the
shape is answered by `stage2` and `Cpu.check`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from attrs import field, frozen

from s2geom.core.address_form import NARROW, WIDE, AddressForm, address_form
from s2geom.core.display import Displayed, fields_repr
from s2geom.core.errors import InvalidArgument
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import flag, integer, integer_within
from s2geom.core.public import public
from s2geom.core.wording import quoted

CONTIGUOUS = {
    (Granule.K4, 1): 16,
    (Granule.K4, 2): 16,
    (Granule.K4, 3): 16,
    (Granule.K16, 2): 32,
    (Granule.K16, 3): 128,
    (Granule.K64, 2): 32,
    (Granule.K64, 3): 32,
}
"""Entries in a contiguous group (Arm ARM D8.7.1, pseudocode ContiguousSize)."""

SCHEMA = "s2geom.Geometry/1"


def _ipa_bits(value: int) -> int:
    return integer_within("ipa_bits", value, 1, 64)


def _start_level(value: int) -> int:
    return integer_within("start_level", value, -1, LAST_LEVEL)


def _lpa2(value: bool) -> bool:
    return flag("lpa2", value)


@public
@frozen(repr=False)
class Level:
    """One level of lookup in a `Geometry`.

    Args:
        number: Level of lookup, -1..3.
        shift: log2 of the bytes that one entry maps.
        index_bits: Bits of the IPA that select an entry, at the start level over all
            concatenated tables.
        tables: Tables side by side: more than 1 only at a concatenated start level.
        leaf: ``"page"`` at level 3, ``"block"`` where a block is allowed, else None.
        contiguous: Entries in a contiguous group, 0 where there is none.
    """

    __repr__ = fields_repr

    number: int
    shift: int
    index_bits: int
    tables: int
    leaf: str | None
    contiguous: int

    @property
    def entries(self) -> int:
        """Entries that the index selects from, over all tables of the level."""
        return 1 << self.index_bits

    @property
    def entry_size(self) -> int:
        """Bytes that one entry maps."""
        return 1 << self.shift


@public
@frozen(repr=False)
class Geometry(Displayed):
    """The shape of a stage-2 table tree.

    A shape may be held that no machine allows, as long as the arithmetic means
    something: a notebook can show a refused cell. Ask `check` or `Cpu.check`.

    Args:
        granule: Page size; its page shift is accepted too.
        ipa_bits: Width of the input address in bits, 1..64.
        start_level: Level of the first lookup, -1..3.
        lpa2: Whether the descriptors are FEAT_LPA2's (VTCR_EL2.DS).

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    Source: Arm ARM D8.2; pseudocode AArch64.S2SLTTEntryAddress.

    >>> Geometry(Granule.K16, 40, 2).pgd_size
    262144
    """

    __repr__ = fields_repr

    granule: Granule = field(converter=granule_of)
    ipa_bits: int = field(converter=_ipa_bits)
    start_level: int = field(converter=_start_level)
    lpa2: bool = field(default=False, converter=_lpa2)

    # What the granule gives

    @property
    def page_shift(self) -> int:
        """log2 of the page size in bytes."""
        return int(self.granule)

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        return self.granule.size

    @property
    def stride(self) -> int:
        """Index bits that one full table resolves."""
        return self.granule.stride

    # The input address space

    @property
    def t0sz(self) -> int:
        """VTCR_EL2.T0SZ: ``64 - ipa_bits``."""
        return 64 - self.ipa_bits

    @property
    def ipa_size(self) -> int:
        """Bytes of the IPA space."""
        return 1 << self.ipa_bits

    # The levels

    @property
    def levels(self) -> int:
        """Levels of lookup (the kernel's STAGE2_PGTABLE_LEVELS)."""
        return LAST_LEVEL + 1 - self.start_level

    @property
    def block_levels(self) -> frozenset[int]:
        """Levels of this tree at which a leaf may be a block.

        Source: pseudocode AArch64.BlockDescSupported. For 64K the level-1 block needs
        FEAT_LPA, which is taken to be there when the IPA is wider than 48 bits.
        """
        return self._address_form.blocks_from(self.start_level)

    @property
    def table_levels(self) -> tuple[Level, ...]:
        """Every level of the tree, start level first."""
        return tuple(self.level(n) for n in range(self.start_level, LAST_LEVEL + 1))

    def level(self, number: int) -> Level:
        """Return one level of the tree.

        Raises:
            InvalidArgument: The tree has no such level.
            TypeError: The number is no integer.
        """
        number = integer_within("level", number, self.start_level, LAST_LEVEL)
        is_start = number == self.start_level
        index_bits = self._start_index_bits if is_start else self.stride
        shift = self.granule.level_shift(number)
        group = CONTIGUOUS.get((self.granule, number), 0)
        leaf = "block" if number in self.block_levels else None
        return Level(
            number=number,
            shift=shift,
            index_bits=index_bits,
            tables=self.concatenation if is_start else 1,
            leaf="page" if number == LAST_LEVEL else leaf,
            # A group wider than the IPA space is misprogramming, so it is none.
            contiguous=group if group << shift <= self.ipa_size else 0,
        )

    # The start level: the PGD

    @property
    def pgdir_shift(self) -> int:
        """log2 of what one entry of the start level maps (S2_PGDIR_SHIFT)."""
        return self.granule.level_shift(self.start_level)

    @property
    def pgdir_size(self) -> int:
        """Bytes that one entry of the start level maps (S2_PGDIR_SIZE)."""
        return 1 << self.pgdir_shift

    @property
    def pgdir_mask(self) -> int:
        """The 64-bit mask of the bits that select a start-level entry's range."""
        return -self.pgdir_size & 0xFFFF_FFFF_FFFF_FFFF

    @property
    def _start_index_bits(self) -> int:
        # Nothing is left to select where one entry maps more than the IPA space.
        return max(0, self.ipa_bits - self.pgdir_shift)

    @property
    def pgd_entries(self) -> int:
        """Entries over all tables of the start level (PTRS_PER_S2_PGD)."""
        return 1 << self._start_index_bits

    @property
    def concatenation(self) -> int:
        """Tables side by side at the start level; 1 means no concatenation."""
        return 1 << max(0, self._start_index_bits - self.stride)

    @property
    def pgd_size(self) -> int:
        """Contiguous bytes that the PGD needs."""
        return self.pgd_entries << DESCRIPTOR_SHIFT

    @property
    def pgd_alignment(self) -> int:
        """Bytes that the PGD's base address is a multiple of.

        It is the PGD's own size, but at least 64 bytes where the base register holds
        52-bit addresses: with LPA2, and for 64K when the IPA is wider than 48 bits.

        Source: Arm ARM VTTBR_EL2.BADDR; pseudocode AArch64.S2TTBaseAddress.
        """
        return self._address_form.pgd_alignment(self.pgd_size)

    @property
    def _address_form(self) -> AddressForm:
        # FEAT_LPA is not a fact of a shape: it is taken to be there where the IPA is
        # wider than addresses without it.
        lpa = self.ipa_bits > NARROW
        return address_form(self.granule, self.lpa2, lpa, WIDE if lpa else NARROW)

    @property
    def pgd_pages(self) -> int:
        """Whole pages that the PGD occupies.

        KVM allocates whole pages since v5.10; before, exactly `pgd_size` bytes.
        """
        return -(-self.pgd_size // self.page_size)

    @property
    def min_cache_pages(self) -> int:
        """Tables below the PGD that one mapping needs (KVM_MMU_CACHE_MIN_PAGES)."""
        return self.levels - 1

    # Addresses in and out of it

    @property
    def paging_form(self) -> tuple[int, ...]:
        """Page bits, then index bits from leaf to root: 16K/40 is ``(14, 11, 15)``."""
        below = (self.stride,) * (self.levels - 1)
        return (self.page_shift, *below, self._start_index_bits)

    def split(self, ipa: int) -> "IpaIndex":
        """Take an IPA apart into table, indices and offset.

        Args:
            ipa: Address in bytes, 0 up to but not including `ipa_size`.

        Raises:
            InvalidArgument: The address is outside the IPA space.
            TypeError: The address is no integer.

        >>> Geometry(Granule.K4, 40, 1).split(0xFF_FFFF_F000).indices
        (511, 511, 511)
        """
        if type(ipa) is not int or ipa >> self.ipa_bits:
            ipa = integer("ipa", ipa)
            if not 0 <= ipa < self.ipa_size:
                raise InvalidArgument(
                    f"ipa must be inside the {self.ipa_bits}-bit IPA space, "
                    f"0..{self.ipa_size - 1:#x}, got {ipa:#x}"
                )
        table_shift, shifts, full, low = _splitting(self.granule, self.start_level)
        indices = tuple([ipa >> shift & full for shift in shifts])
        # What was just computed is right, and checking it would take most of the time.
        index = _new(IpaIndex)
        _set_geometry(index, self)
        _set_table(index, ipa >> table_shift)
        _set_indices(index, indices)
        _set_offset(index, ipa & low)
        return index

    def join(self, index: "IpaIndex") -> int:
        """Put an IPA together again: the inverse of `split`.

        Raises:
            InvalidArgument: The index belongs to another geometry.
            TypeError: It is no `IpaIndex`.
        """
        if not isinstance(index, IpaIndex):
            raise TypeError(f"index must be an IpaIndex, got {quoted(index)}")
        if index.geometry != self:
            raise InvalidArgument(f"index is of {index.geometry!r}, not of {self!r}")
        return index.ipa

    # Plain data

    def to_dict(self) -> dict[str, Any]:
        """Return the four facts as plain JSON types, with a ``schema`` key."""
        return {
            "schema": SCHEMA,
            "page_shift": self.page_shift,
            "ipa_bits": self.ipa_bits,
            "start_level": self.start_level,
            "lpa2": self.lpa2,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Geometry":
        """Make a geometry from what `to_dict` returned.

        Raises:
            InvalidArgument: A key is missing, unknown, of another schema or out of
                range.
            TypeError: ``data`` is no mapping, or a value has the wrong type.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"data must be a mapping, got {quoted(data)}")
        keys = {"schema", "page_shift", "ipa_bits", "start_level", "lpa2"}
        schema = data.get("schema")
        if not isinstance(schema, str) or schema != SCHEMA:  # an array equals in parts
            message = f"schema must be {SCHEMA!r}, got {quoted(schema)}"
            raise InvalidArgument(message)
        if data.keys() != keys:
            wrong = ", ".join(sorted(map(str, data.keys() ^ keys)))
            raise InvalidArgument(f"missing or unknown keys of a geometry: {wrong}")
        return cls(
            data["page_shift"], data["ipa_bits"], data["start_level"], data["lpa2"]
        )


@public
class Choices(tuple[Geometry, ...], Displayed):
    """Every legal shape for a width: a tuple of `Geometry`, shallowest tree last.

    It is a tuple in everything but what a notebook draws of it.

    .. versionadded:: 0.2.0
    """

    __slots__ = ()


def geometry_of(value: object) -> Geometry:
    """Return a geometry, or raise a `TypeError` that names the argument."""
    if isinstance(value, Geometry):
        return value
    message = f"geometry must be a Geometry, got {quoted(value)}"
    if not isinstance(value, type) and callable(getattr(value, "geometry", None)):
        message += "; its geometry() is one"
    raise TypeError(message)


@public
@frozen(repr=False)
class IpaIndex(Displayed):
    """An IPA, taken apart by a `Geometry`.

    Args:
        geometry: What it was taken apart by.
        table: Which of the concatenated tables of the start level, from 0.
        indices: The index into one table at each level, start level first.
        offset: Bytes into the page.

    Raises:
        InvalidArgument: A part is outside what the geometry has.
        TypeError: A part has the wrong type.
    """

    __repr__ = fields_repr

    geometry: Geometry
    table: int
    indices: tuple[int, ...]
    offset: int

    def __attrs_post_init__(self) -> None:
        shape = geometry_of(self.geometry)
        set_field = object.__setattr__
        table = integer_within("table", self.table, 0, shape.concatenation - 1)
        offset = integer_within("offset", self.offset, 0, shape.page_size - 1)
        if not isinstance(self.indices, tuple):
            raise TypeError(f"indices must be a tuple, got {quoted(self.indices)}")
        if len(self.indices) != shape.levels:
            raise InvalidArgument(
                f"indices must be {shape.levels} numbers, one a level, "
                f"got {len(self.indices)}"
            )
        first, full = min(shape.pgd_entries, shape.granule.entries), shape.stride
        indices = tuple(
            integer_within("index", index, 0, first - 1 if at == 0 else (1 << full) - 1)
            for at, index in enumerate(self.indices)
        )
        set_field(self, "table", table)
        set_field(self, "indices", indices)
        set_field(self, "offset", offset)
        # Possible where one entry of the start level maps more than the IPA space.
        if self.ipa >= shape.ipa_size:
            raise InvalidArgument(
                f"index must be inside the {shape.ipa_bits}-bit IPA space, got that of "
                f"{self.ipa:#x}"
            )

    @property
    def pgd_index(self) -> int:
        """The index into the whole PGD, all concatenated tables counted as one."""
        return self.table << self.geometry.stride | self.indices[0]

    @property
    def ipa(self) -> int:
        """The address in bytes."""
        number = self.pgd_index
        for index in self.indices[1:]:
            number = number << self.geometry.stride | index
        return number << self.geometry.page_shift | self.offset


_new = object.__new__
_set_geometry, _set_table, _set_indices, _set_offset = (
    vars(IpaIndex)[slot].__set__ for slot in ("geometry", "table", "indices", "offset")
)


@cache
def _splitting(
    granule: Granule, start_level: int
) -> tuple[int, tuple[int, ...], int, int]:
    """Return what takes an IPA apart.

    It is the shift of the table number, those of the indices, and the masks of an index
    and of an offset.
    """
    levels = range(start_level, LAST_LEVEL + 1)
    shifts = tuple(granule.level_shift(level) for level in levels)
    stride = granule.stride
    return shifts[0] + stride, shifts, (1 << stride) - 1, granule.size - 1
