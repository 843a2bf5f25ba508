# SPDX-License-Identifier: MIT
"""`AddressLayout`: which bits of a descriptor hold which bits of an address."""

from enum import Enum

from s2geom.core.address_form import BLOCK_LEVELS, NARROW
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.core.numbers import flag, unsigned
from s2geom.core.public import public

VALID = 0b01
BLOCK = 0b01
TABLE_OR_PAGE = 0b11
"""The two lowest bits of a descriptor: bit 0 makes it valid, and both of them a page at
the last level and a table at any other (Arm ARM D8.3)."""

NO_LEAF = -1
"""In place of the two lowest bits of a leaf, where a level has no leaves."""


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
        self.address_bits: int = address + width
        self.moved_mask: int = ((1 << width) - 1) << word
        self.in_place_mask: int = (2 << in_place) - 1
        self.move_up: int = address - word

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

        Descriptors that are made for it are right on every CPU that has the geometry:
        64K pages keep 48 bits as long as the IPA has no more. `walk` and `scan` read
        64K descriptors as ``LPA`` where no ``cpu`` is given, as that reads both.

        Args:
            geometry: Its ``lpa2`` decides for 4K and 16K pages.
            lpa: FEAT_LPA, which 64K descriptors follow; 64K geometries with more than
                48 bits of IPA have it anyway. 4K and 16K do not depend on it.

        Raises:
            TypeError: A value has the wrong type.
        """
        geometry = geometry_of(geometry)
        wide = flag("lpa", lpa) or geometry.ipa_bits > NARROW
        if geometry.granule is Granule.K64:
            return cls.LPA if wide else cls.BITS48
        return cls.LPA2 if geometry.lpa2 else cls.BITS48

    def __repr__(self) -> str:
        return f"AddressLayout.{self.name}"


BITS48 = AddressLayout.BITS48

LAYOUT_GRANULES = {
    AddressLayout.LPA: frozenset({Granule.K64}),
    AddressLayout.LPA2: frozenset({Granule.K4, Granule.K16}),
}


def leaf_type(level: int, block_levels: frozenset[int]) -> int:
    """Return the two lowest bits that a leaf has at a level, or `NO_LEAF`."""
    if level == LAST_LEVEL:
        return TABLE_OR_PAGE
    return BLOCK if level in block_levels else NO_LEAF


def is_block_level(granule: Granule, layout: AddressLayout, level: int) -> bool:
    """Return whether a leaf may be a block there (AArch64.BlockDescSupported)."""
    return level in BLOCK_LEVELS[granule, layout is not BITS48]
