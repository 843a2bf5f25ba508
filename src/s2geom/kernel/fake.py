# SPDX-License-Identifier: MIT
"""`fake_pgd`: stage 2 before Linux v4.7, when software walked the host's level count.

Where the hardware needs fewer levels than the host has, the kernel put a *fake* PGD of
at most 16 entries above the hardware's root, so that the host's page-table macros would
work. One fake level is all that this could express.
"""

from functools import cache

from attrs import frozen

from s2geom.core.geometry import Geometry
from s2geom.core.granule import (
    DESCRIPTOR_SHIFT,
    LAST_LEVEL,
    MOST_TABLES_SHIFT,
    Granule,
    granule_of,
)
from s2geom.core.numbers import integer_within
from s2geom.core.public import public

PREALLOC_LEVELS = range(3)
"""What KVM_PREALLOC_LEVEL may be: the kernel had code for 0 (none), 1 and 2."""


@public
@frozen
class FakePgd:
    """Stage 2 as Linux before v4.7 built it.

    Args:
        geometry: The table that the macros imply. It may be illegal.
        host_levels: The host's CONFIG_PGTABLE_LEVELS.
        host_pgdir_shift: The host's PGDIR_SHIFT, in bits.
        pgd_shift: PTRS_PER_S2_PGD_SHIFT, log2 of the PGD's entries.
        prealloc_level: KVM_PREALLOC_LEVEL, the level of the hardware's root below a
            fake PGD; 0 where there is no fake PGD.

    Source: Linux v3.18, arm64: KVM: Implement 48 VA support for KVM EL2 and Stage-2.
    """

    geometry: Geometry
    host_levels: int
    host_pgdir_shift: int
    pgd_shift: int
    prealloc_level: int

    @property
    def pgd_entries(self) -> int:
        """PTRS_PER_S2_PGD: entries of the PGD that software walks."""
        return 1 << self.pgd_shift

    @property
    def fake_pgd_size(self) -> int:
        """Bytes of the fake PGD; 0 when there is none."""
        return self.pgd_entries << DESCRIPTOR_SHIFT if self.prealloc_level else 0

    @property
    def hardware_pgd_size(self) -> int:
        """Bytes allocated for the hardware's root: whole pages below a fake PGD."""
        unit = self.geometry.page_size if self.prealloc_level else 1 << DESCRIPTOR_SHIFT
        return unit << self.pgd_shift

    @property
    def representable(self) -> bool:
        """Whether the kernel's BUG_ON would pass: a fake level at 1 or 2, or none."""
        return self.prealloc_level in PREALLOC_LEVELS

    @property
    def hardware_levels(self) -> int:
        """Levels that the CPU needs, with as much concatenation as it has."""
        return self.geometry.granule.stage2_levels_for(self.geometry.ipa_bits)

    @property
    def hardware_start_level(self) -> int:
        """The start level that the CPU needs."""
        return LAST_LEVEL + 1 - self.hardware_levels

    @property
    def fake_levels_needed(self) -> int:
        """Levels that software would have to fake; the scheme could fake one."""
        return max(0, self.host_levels - self.hardware_levels)


@public
def fake_pgd(page_shift: int, ipa_bits: int, va_bits: int) -> FakePgd:
    """Return stage 2 as Linux before v4.7 built it, representable or not.

    Args:
        page_shift: log2 of the page size: 12, 14 or 16.
        ipa_bits: KVM_PHYS_SHIFT, 32..52 bits; released kernels had 40.
        va_bits: The host's VA_BITS, 25..52.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value is no integer.

    Source: Linux v4.5, arch/arm64/include/asm/kvm_mmu.h.

    >>> old = fake_pgd(16, 40, 48)
    >>> old.prealloc_level, old.hardware_pgd_size, old.fake_pgd_size
    (2, 65536, 8)
    """
    granule = granule_of(page_shift)
    ipa_bits = integer_within("ipa_bits", ipa_bits, 32, 52)
    va_bits = integer_within("va_bits", va_bits, 25, 52)
    return fake_pgd_below(granule, ipa_bits, granule.levels_for(va_bits))


@cache  # page sizes, IPA widths and levels: some 300 in all
def fake_pgd_below(granule: Granule, ipa_bits: int, host_levels: int) -> FakePgd:
    """Return the same by the host's levels, which is all that it depends on."""
    first_level = LAST_LEVEL + 1 - host_levels
    pgdir_shift = granule.level_shift(first_level)
    pgd_shift = max(0, ipa_bits - pgdir_shift)
    prealloc = first_level + 1 if pgd_shift <= MOST_TABLES_SHIFT else 0
    start_level = prealloc or first_level
    return FakePgd(
        geometry=Geometry(granule, ipa_bits, start_level),
        host_levels=host_levels,
        host_pgdir_shift=pgdir_shift,
        pgd_shift=pgd_shift,
        prealloc_level=prealloc,
    )
