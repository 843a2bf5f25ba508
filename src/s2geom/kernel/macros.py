# SPDX-License-Identifier: MIT
"""`kernel_macros`: the kernel's own names for the numbers, as each era spelt them.

This is the one place where the kernel's spellings live; everywhere else a thing has
one name. A number that an era gave no name is not in that era's dict.
"""

from collections.abc import Callable, Mapping

from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import integer_within
from s2geom.core.public import public
from s2geom.kernel.fake import fake_pgd
from s2geom.kernel.scheme import Scheme, scheme_of


@public
def kernel_macros(
    page_shift: int, ipa_bits: int, va_bits: int, *, scheme: Scheme = Scheme.STATIC
) -> dict[str, int]:
    """Return the kernel's macros for a configuration, supported or not.

    Args:
        page_shift: log2 of the page size: 12, 14 or 16.
        ipa_bits: Width of the guest's addresses, 32..52 bits (KVM_PHYS_SHIFT).
        va_bits: Width of the host's virtual addresses, 25..52 bits.
        scheme: Whose spelling; each models its last release.

    Returns:
        Names to numbers. ``S2_PUD_SHIFT`` and ``S2_PMD_SHIFT`` are there only where
        that level is not folded into the one above.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    Source: arch/arm64/include/asm/kvm_mmu.h (Linux v4.5), stage2_pgtable.h (v4.7,
    v5.9, v6.7, v6.8), kvm_pgtable.h (v6.7).

    >>> kernel_macros(14, 40, 36)["PTRS_PER_S2_PGD"]
    32768
    >>> kernel_macros(12, 40, 48, scheme=Scheme.FAKE_PGD)["KVM_PREALLOC_LEVEL"]
    1
    """
    granule = granule_of(page_shift)
    ipa_bits = integer_within("ipa_bits", ipa_bits, 32, 52)
    va_bits = integer_within("va_bits", va_bits, 25, 52)
    return dict(_SPELLINGS[scheme_of(scheme)](granule, ipa_bits, va_bits))


def _host(granule: Granule, va_bits: int) -> dict[str, int]:
    levels = granule.levels_for(va_bits)
    return {
        "CONFIG_PGTABLE_LEVELS": levels,
        "PGDIR_SHIFT": granule.level_shift(LAST_LEVEL + 1 - levels),
    }


def _geometry(granule: Granule, ipa_bits: int, minimum_levels: int) -> Geometry:
    levels = granule.stage2_levels_for(ipa_bits)
    start_level = LAST_LEVEL + 1 - max(levels, minimum_levels)
    return Geometry(granule, ipa_bits, start_level)


def _unfolded(shape: Geometry) -> dict[str, int]:
    # The PUD is level 1 and the PMD is level 2: each is a level of its own only below
    # the PGD, and is folded into it otherwise.
    names = {"S2_PUD_SHIFT": 1, "S2_PMD_SHIFT": 2}
    return {
        name: shape.level(level).shift
        for name, level in names.items()
        if level > shape.start_level
    }


def _fake(granule: Granule, ipa_bits: int, va_bits: int) -> Mapping[str, int]:
    old = fake_pgd(granule, ipa_bits, va_bits)
    return {
        "KVM_PHYS_SHIFT": ipa_bits,
        **_host(granule, va_bits),
        "PTRS_PER_S2_PGD_SHIFT": old.pgd_shift,
        "PTRS_PER_S2_PGD": old.pgd_entries,
        "KVM_PREALLOC_LEVEL": old.prealloc_level,
        # A constant of the page size then, not of the tree.
        "KVM_MMU_CACHE_MIN_PAGES": 1 if granule is Granule.K64 else 2,
    }


def _static(granule: Granule, ipa_bits: int, va_bits: int) -> Mapping[str, int]:
    shape = _geometry(granule, ipa_bits, Scheme.STATIC.minimum_levels)
    return {
        "KVM_PHYS_SHIFT": ipa_bits,
        **_host(granule, va_bits),
        "STAGE2_PGTABLE_LEVELS": shape.levels,
        "S2_PGDIR_SHIFT": shape.pgdir_shift,
        "S2_PGDIR_SIZE": shape.pgdir_size,
        "S2_PGDIR_MASK": shape.pgdir_mask,
        "PTRS_PER_S2_PGD": shape.pgd_entries,
        "S2_PGD_SIZE": shape.pgd_size,
        "KVM_MMU_CACHE_MIN_PAGES": shape.min_cache_pages,
        **_unfolded(shape),
    }


def _dynamic(granule: Granule, ipa_bits: int, va_bits: int) -> Mapping[str, int]:
    shape = _geometry(granule, ipa_bits, Scheme.DYNAMIC.minimum_levels)
    return {
        "kvm_phys_shift": ipa_bits,
        **_host(granule, va_bits),
        "stage2_pgtable_levels": granule.stage2_levels_for(ipa_bits),
        "kvm_stage2_levels": shape.levels,
        "stage2_pgdir_shift": shape.pgdir_shift,
        "stage2_pgdir_size": shape.pgdir_size,
        "stage2_pgdir_mask": shape.pgdir_mask,
        "stage2_pgd_ptrs": shape.pgd_entries,
        "stage2_pgd_size": shape.pgd_size,
        "kvm_mmu_cache_min_pages": shape.min_cache_pages,
        **_unfolded(shape),
    }


def _independent(granule: Granule, ipa_bits: int, va_bits: int) -> Mapping[str, int]:
    shape = _geometry(granule, ipa_bits, Scheme.INDEPENDENT.minimum_levels)
    return {
        "kvm_phys_shift": ipa_bits,
        **_host(granule, va_bits),
        "stage2_pgtable_levels": granule.stage2_levels_for(ipa_bits),
        "kvm_stage2_levels": shape.levels,
        "kvm_granule_shift": shape.pgdir_shift,
        # Whole pages: the generic walker's root is allocated in pages.
        "kvm_pgtable_stage2_pgd_size": shape.pgd_pages << granule,
        "kvm_mmu_cache_min_pages": shape.min_cache_pages,
    }


_SPELLINGS: dict[Scheme, Callable[[Granule, int, int], Mapping[str, int]]] = {
    Scheme.FAKE_PGD: _fake,
    Scheme.STATIC: _static,
    Scheme.DYNAMIC: _dynamic,
    Scheme.INDEPENDENT: _independent,
    Scheme.LPA2: _independent,
}
