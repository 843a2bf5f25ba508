# SPDX-License-Identifier: MIT
"""The smallest tables that translate one IPA, for any geometry an emulator can be told.

Arm's numbers are written out here once more, on purpose: these tables are held against
what s2geom computes, so they share nothing with it. Shapes the architecture refuses can
be laid out too, since the refusal is what a test wants to see.
"""

from __future__ import annotations

from typing import Final

import attrs

from emulated.cpu import RAM_BASE, RAM_SIZE, Access, Probe

# log2 of what one entry covers, by page shift and level. 16K has no level -1, and 64K
# no level 0; the latter stands here since VTCR_EL2 has a reserved value in its place.
ENTRY_SHIFT: Final = {
    12: {-1: 48, 0: 39, 1: 30, 2: 21, 3: 12},
    14: {0: 47, 1: 36, 2: 25, 3: 14},
    16: {0: 55, 1: 42, 2: 29, 3: 16},
}
# log2 of the entries of one full table.
TABLE_BITS: Final = {12: 9, 14: 11, 16: 13}
# VTCR_EL2: TG0 (15:14), and SL0 (7:6) with SL2 (33) for each start level.
TG0: Final = {12: 0 << 14, 14: 2 << 14, 16: 1 << 14}
START_LEVEL: Final = {
    12: {-1: 1 << 33, 0: 2 << 6, 1: 1 << 6, 2: 0 << 6, 3: 3 << 6},
    14: {0: 3 << 6, 1: 2 << 6, 2: 1 << 6, 3: 0 << 6},
    16: {0: 3 << 6, 1: 2 << 6, 2: 1 << 6, 3: 0 << 6},
}
RES1: Final = 1 << 31
DS: Final = 1 << 32
PS_LARGEST: Final = 6  # 52 bits; a CPU that has fewer takes its own

# Descriptors.
VALID: Final = 1 << 0
TABLE_OR_PAGE: Final = 1 << 1
NORMAL: Final = 0xF << 2
READ: Final = 1 << 6
WRITE: Final = 1 << 7
ACCESSED: Final = 1 << 10
LEAF: Final = NORMAL | READ | WRITE | ACCESSED

# Page aligned for every granule, within 40 bits, and with a pattern worth losing.
OUTPUT: Final = 0x5A_1234_0000


@attrs.frozen
class Layout:
    """Registers and descriptors that lead one IPA through every level to a leaf.

    Attributes:
        vtcr: VTCR_EL2.
        vttbr: VTTBR_EL2.
        ipa: What they translate.
        descriptors: From the start level to the leaf: (physical address, value).
        output_address: Where the IPA goes, as PAR_EL1 reports it: in 4 KiB units.
        leaf_level: The level of the last descriptor.
        fits: Whether memory has room for all of it. Where not, as for an absurdly
            large root, there are no descriptors and the walk must not get that far.
    """

    vtcr: int = attrs.field(repr=hex)
    vttbr: int = attrs.field(repr=hex)
    ipa: int = attrs.field(repr=hex)
    descriptors: tuple[tuple[int, int], ...]
    output_address: int = attrs.field(repr=hex)
    leaf_level: int
    fits: bool

    def probe(self, access: Access = "read", depth: int | None = None) -> Probe:
        """Ask for the translation; with `depth`, leave only so many descriptors."""
        descriptors = self.descriptors[:depth]
        return Probe(self.vtcr, self.vttbr, self.ipa, access, descriptors)


def can_encode(granule: int, start_level: int, *, lpa2: bool = False) -> bool:
    """Whether VTCR_EL2 has bits for a start level, if only reserved ones."""
    # SL2, which level -1 needs, does not exist without DS.
    return start_level in START_LEVEL[granule] and (start_level >= 0 or lpa2)


def root_bytes(granule: int, ipa_bits: int, start_level: int) -> int:
    """Tell the size of all tables of the start level; at least one entry."""
    return 8 << max(0, ipa_bits - ENTRY_SHIFT[granule][start_level])


def address_field(granule: int, address: int, *, lpa2: bool = False) -> int:
    """Put an address into a descriptor: in place, and bits 51:48 where they go."""
    if lpa2:
        return (address & ~(3 << 50)) | (address >> 50 & 3) << 8
    if granule == 16:
        return (address & ~(0xF << 48)) | (address >> 48 & 0xF) << 12
    return address


def layout(
    granule: int,
    ipa_bits: int,
    start_level: int,
    ipa: int,
    *,
    lpa2: bool = False,
    ps: int = PS_LARGEST,
    output: int = OUTPUT,
    leaf_level: int = 3,
    leaf: int = LEAF,
    root: int = RAM_BASE,
    misalignment: int = 0,
) -> Layout:
    """Lay out the smallest tables for one IPA.

    Args:
        granule: The page shift: 12, 14 or 16.
        ipa_bits: 64 - T0SZ.
        start_level: The level of the root; see `can_encode`.
        ipa: The address to translate. Its bits at and above `ipa_bits` index nothing.
        lpa2: Set VTCR_EL2.DS (which is not for 64K) and use its descriptors.
        ps: The PS field of VTCR_EL2.
        output: Where the leaf leads; rounded down to the size of the leaf.
        leaf_level: Where to put the leaf: a page at level 3, a block above.
        leaf: The leaf's bits besides its address, its kind and VALID.
        root: Where the root goes. The other tables follow it.
        misalignment: Bits to set in VTTBR_EL2 below the root's alignment.

    Raises:
        ValueError: VTCR_EL2 has no bits for this start level, the leaf is above it, or
            the root is not aligned to its size.
    """
    if not can_encode(granule, start_level, lpa2=lpa2):
        message = f"no encoding of start level {start_level} for page shift {granule}"
        raise ValueError(message)
    if leaf_level < start_level:
        message = f"a leaf at level {leaf_level} is above the root, {start_level}"
        raise ValueError(message)
    size = root_bytes(granule, ipa_bits, start_level)
    fits = root + max(size, 1 << granule) + (4 << granule) <= RAM_BASE + RAM_SIZE
    if fits and root % size:
        message = f"the root at {root:#x} is not aligned to its {size} bytes"
        raise ValueError(message)

    vtcr = RES1 | ps << 16 | TG0[granule] | START_LEVEL[granule][start_level]
    vtcr |= 64 - ipa_bits | (DS if lpa2 else 0)
    leaf_size = 1 << ENTRY_SHIFT[granule][leaf_level]
    output -= output % leaf_size

    descriptors = []
    table, index_bits = root, max(0, ipa_bits - ENTRY_SHIFT[granule][start_level])
    following = root + max(size, 1 << granule)
    for level in range(start_level, leaf_level + 1):
        index = (ipa >> ENTRY_SHIFT[granule][level]) % (1 << index_bits)
        if level == leaf_level:
            word = address_field(granule, output, lpa2=lpa2) | leaf | VALID
            word |= TABLE_OR_PAGE if level == 3 else 0
        else:
            word = address_field(granule, following, lpa2=lpa2) | VALID | TABLE_OR_PAGE
        descriptors.append((table + 8 * index, word))
        table, index_bits = following, TABLE_BITS[granule]
        following += 1 << granule

    return Layout(
        vtcr=vtcr,
        vttbr=root | misalignment,
        ipa=ipa,
        descriptors=tuple(descriptors) if fits else (),
        output_address=(output | ipa % leaf_size) & ~0xFFF,
        leaf_level=leaf_level,
        fits=fits,
    )
