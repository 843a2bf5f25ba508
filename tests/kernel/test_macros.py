# SPDX-License-Identifier: MIT
"""The kernel's own names."""

from typing import Any

import pytest

from s2geom import Scheme, kernel_macros

S = Scheme

SPELLINGS = {
    (S.FAKE_PGD, 12, 40, 48): {
        "KVM_PHYS_SHIFT": 40,
        "CONFIG_PGTABLE_LEVELS": 4,
        "PGDIR_SHIFT": 39,
        "PTRS_PER_S2_PGD_SHIFT": 1,
        "PTRS_PER_S2_PGD": 2,
        "KVM_PREALLOC_LEVEL": 1,
        "KVM_MMU_CACHE_MIN_PAGES": 2,
    },
    (S.FAKE_PGD, 16, 40, 42): {
        "KVM_PHYS_SHIFT": 40,
        "CONFIG_PGTABLE_LEVELS": 2,
        "PGDIR_SHIFT": 29,
        "PTRS_PER_S2_PGD_SHIFT": 11,
        "PTRS_PER_S2_PGD": 2048,
        "KVM_PREALLOC_LEVEL": 0,
        "KVM_MMU_CACHE_MIN_PAGES": 1,
    },
    (S.STATIC, 14, 40, 36): {
        "KVM_PHYS_SHIFT": 40,
        "CONFIG_PGTABLE_LEVELS": 2,
        "PGDIR_SHIFT": 25,
        "STAGE2_PGTABLE_LEVELS": 2,
        "S2_PGDIR_SHIFT": 25,
        "S2_PGDIR_SIZE": 0x200_0000,
        "S2_PGDIR_MASK": 0xFFFF_FFFF_FE00_0000,
        "PTRS_PER_S2_PGD": 32768,
        "S2_PGD_SIZE": 262144,
        "KVM_MMU_CACHE_MIN_PAGES": 1,
    },
    (S.STATIC, 12, 48, 48): {
        "KVM_PHYS_SHIFT": 48,
        "CONFIG_PGTABLE_LEVELS": 4,
        "PGDIR_SHIFT": 39,
        "STAGE2_PGTABLE_LEVELS": 4,
        "S2_PGDIR_SHIFT": 39,
        "S2_PGDIR_SIZE": 0x80_0000_0000,
        "S2_PGDIR_MASK": 0xFFFF_FF80_0000_0000,
        "PTRS_PER_S2_PGD": 512,
        "S2_PGD_SIZE": 4096,
        "KVM_MMU_CACHE_MIN_PAGES": 3,
        "S2_PUD_SHIFT": 30,
        "S2_PMD_SHIFT": 21,
    },
    (S.STATIC, 16, 33, 42): {
        "KVM_PHYS_SHIFT": 33,
        "CONFIG_PGTABLE_LEVELS": 2,
        "PGDIR_SHIFT": 29,
        "STAGE2_PGTABLE_LEVELS": 1,
        "S2_PGDIR_SHIFT": 16,
        "S2_PGDIR_SIZE": 0x1_0000,
        "S2_PGDIR_MASK": 0xFFFF_FFFF_FFFF_0000,
        "PTRS_PER_S2_PGD": 131072,
        "S2_PGD_SIZE": 1048576,
        "KVM_MMU_CACHE_MIN_PAGES": 0,
    },
    (S.DYNAMIC, 16, 33, 42): {
        "kvm_phys_shift": 33,
        "CONFIG_PGTABLE_LEVELS": 2,
        "PGDIR_SHIFT": 29,
        "stage2_pgtable_levels": 1,
        "kvm_stage2_levels": 2,
        "stage2_pgdir_shift": 29,
        "stage2_pgdir_size": 0x2000_0000,
        "stage2_pgdir_mask": 0xFFFF_FFFF_E000_0000,
        "stage2_pgd_ptrs": 16,
        "stage2_pgd_size": 128,
        "kvm_mmu_cache_min_pages": 1,
    },
    (S.DYNAMIC, 12, 40, 48): {
        "kvm_phys_shift": 40,
        "CONFIG_PGTABLE_LEVELS": 4,
        "PGDIR_SHIFT": 39,
        "stage2_pgtable_levels": 3,
        "kvm_stage2_levels": 3,
        "stage2_pgdir_shift": 30,
        "stage2_pgdir_size": 0x4000_0000,
        "stage2_pgdir_mask": 0xFFFF_FFFF_C000_0000,
        "stage2_pgd_ptrs": 1024,
        "stage2_pgd_size": 8192,
        "kvm_mmu_cache_min_pages": 2,
        "S2_PMD_SHIFT": 21,
    },
    (S.INDEPENDENT, 16, 40, 48): {
        "kvm_phys_shift": 40,
        "CONFIG_PGTABLE_LEVELS": 3,
        "PGDIR_SHIFT": 42,
        "stage2_pgtable_levels": 2,
        "kvm_stage2_levels": 2,
        "kvm_granule_shift": 29,
        "kvm_pgtable_stage2_pgd_size": 65536,
        "kvm_mmu_cache_min_pages": 1,
    },
    (S.LPA2, 14, 52, 36): {
        "kvm_phys_shift": 52,
        "CONFIG_PGTABLE_LEVELS": 2,
        "PGDIR_SHIFT": 25,
        "stage2_pgtable_levels": 4,
        "kvm_stage2_levels": 4,
        "kvm_granule_shift": 47,
        "kvm_pgtable_stage2_pgd_size": 16384,
        "kvm_mmu_cache_min_pages": 3,
    },
}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    SPELLINGS.items(),
    ids=["-".join(map(str, configuration)) for configuration in SPELLINGS],
)
def test_each_era_spells_the_numbers_its_own_way(
    configuration: tuple[Scheme, int, int, int], expected: dict[str, int]
) -> None:
    """All names of the era, and no others, supported or not."""
    scheme, *widths = configuration

    assert expected == kernel_macros(*widths, scheme=scheme)


@pytest.mark.parametrize(
    ("folded", "ipa_bits", "levels"),
    [
        ({"S2_PUD_SHIFT", "S2_PMD_SHIFT"}, 34, 2),
        ({"S2_PUD_SHIFT"}, 35, 3),
        ({"S2_PUD_SHIFT"}, 43, 3),
        (set(), 44, 4),
    ],
)
def test_a_folded_level_has_no_shift_of_its_own(
    folded: set[str], ipa_bits: int, levels: int
) -> None:
    """With three levels the PUD is folded into the PGD, with two the PMD as well."""
    macros = kernel_macros(12, ipa_bits, 48)

    assert levels == macros["STAGE2_PGTABLE_LEVELS"]
    assert folded == {"S2_PUD_SHIFT", "S2_PMD_SHIFT"} - macros.keys()


def test_the_static_scheme_is_the_default() -> None:
    """The design that this project started from."""
    assert kernel_macros(14, 40, 36, scheme=Scheme.STATIC) == kernel_macros(14, 40, 36)


def test_each_answer_is_a_dict_of_its_own() -> None:
    """What a caller does with it changes nobody else's."""
    kernel_macros(14, 40, 36).clear()

    assert 2 == kernel_macros(14, 40, 36)["STAGE2_PGTABLE_LEVELS"]


def test_the_whole_domain_has_an_answer() -> None:
    """`kernel_macros` refuses no integer of it, and gives plain numbers."""
    for scheme in Scheme:
        for page_shift in (12, 14, 16):
            for ipa_bits in range(32, 53):
                for va_bits in range(25, 53):
                    macros = kernel_macros(page_shift, ipa_bits, va_bits, scheme=scheme)

                    assert {int} == set(map(type, macros.values()))


@pytest.mark.parametrize("scheme", [b"static", None, 1])
def test_a_scheme_is_a_scheme(scheme: Any) -> None:
    """The message repeats what was given."""
    with pytest.raises(TypeError) as caught:
        kernel_macros(14, 40, 36, scheme=scheme)

    assert f"scheme must be a Scheme, got {scheme!r}" == str(caught.value)
