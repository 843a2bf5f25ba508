# SPDX-License-Identifier: MIT
"""`address_form`: where physical addresses have 52 bits, and what follows from that.

The page size, VTCR_EL2.DS, FEAT_LPA and the size of physical addresses decide how wide
an address in a descriptor is, whether the base register holds 52-bit addresses, how the
base is aligned and at which levels a leaf may be a block. Callers differ only in what
they know of the four.
"""

from functools import cache
from typing import NamedTuple

from s2geom.core.granule import Granule

NARROW = 48
"""Address bits of a descriptor without LPA2, and without FEAT_LPA with 64K pages."""

WIDE = 52
"""Address bits of a descriptor with them. VMSAv8-64 has no wider address."""

BASE_FLOOR = 64
"""Alignment of a table base that holds 52-bit addresses, in bytes: BADDR keeps bits 5:2
for address bits 51:48, so a smaller table starts on a 64-byte boundary too."""

BLOCK_LEVELS = {
    (Granule.K4, False): frozenset({1, 2}),
    (Granule.K4, True): frozenset({0, 1, 2}),
    (Granule.K16, False): frozenset({2}),
    (Granule.K16, True): frozenset({1, 2}),
    (Granule.K64, False): frozenset({2}),
    (Granule.K64, True): frozenset({1, 2}),
}
"""Levels at which a leaf may be a block, by page size and by whether physical addresses
have 52 bits (Arm ARM D8.3, pseudocode AArch64.BlockDescSupported)."""


class AddressForm(NamedTuple):
    """How physical addresses are held in tables and in their base register."""

    descriptor_bits: int  # address bits that a descriptor can hold
    output_bits: int  # address bits above which an access faults
    has_wide_base: bool  # whether BADDR bits 5:2 are address bits 51:48
    block_levels: frozenset[int]  # levels at which a leaf may be a block

    def blocks_from(self, start_level: int) -> frozenset[int]:
        """Return the levels of a tree at which a leaf may be a block."""
        return frozenset(level for level in self.block_levels if level >= start_level)

    def pgd_alignment(self, pgd_size: int) -> int:
        """Return the alignment of a PGD in bytes: its size, or 64 if that is more."""
        return max(pgd_size, BASE_FLOOR) if self.has_wide_base else pgd_size


@cache
def address_form(
    granule: Granule, ds: bool, lpa: bool, pa_bits: int, ps_bits: int = WIDE
) -> AddressForm:
    """Return how physical addresses are held.

    Args:
        granule: The page size.
        ds: Whether VTCR_EL2.DS takes effect.
        lpa: Whether there is FEAT_LPA, which 64K descriptors follow.
        pa_bits: Physical address size of the CPU in bits.
        ps_bits: The size that VTCR_EL2.PS asks for in bits.

    Source: Arm ARM D8.2 and D8.3; pseudocode AArch64.S2TTBaseAddress,
    AArch64.BlockDescSupported and AArch64.LeafBase.
    """
    is_64k = granule is Granule.K64
    descriptor_bits = WIDE if (lpa if is_64k else ds) else NARROW
    return AddressForm(
        descriptor_bits,
        min(pa_bits, ps_bits, descriptor_bits),
        ds or (is_64k and lpa and ps_bits >= WIDE),
        BLOCK_LEVELS[granule, pa_bits >= WIDE if is_64k else ds],
    )
