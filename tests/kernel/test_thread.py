# SPDX-License-Identifier: MIT
"""The review of the 2016 patch: each claim as a test, with its numbers.

The patch, "kvm: arm64: Get rid of fake page table levels", was discussed before it
became v4.7. What was claimed, asked or left open there is named here one by one.
"""

from itertools import product

import pytest

from s2geom import (
    Cpu,
    Geometry,
    Granule,
    Host,
    Scheme,
    UnsupportedCombination,
    check,
    fake_pgd,
    hw_pgtable_levels,
    kernel_macros,
    leaf_size,
    stage2,
)

K = 1 << 10
M = 1 << 20

PAGE_SHIFTS = (12, 14, 16)
IPAS = range(32, 53)
HOSTS = [
    (12, 39),
    (12, 48),
    (12, 52),
    (14, 36),
    (14, 47),
    (14, 48),
    (14, 52),
    (16, 42),
    (16, 48),
    (16, 52),
]
"""What Kconfig offers today; at the time there were no 52-bit addresses."""


def test_a_full_table_resolves_more_than_four_bits() -> None:
    """PAGE_SHIFT - 3 > 4 for all page sizes: 9, 11 and 13 bits."""
    assert [9, 11, 13] == [granule.stride for granule in Granule]
    assert all(granule - 3 > 4 for granule in Granule)


def test_the_levels_for_four_bits_less_need_at_most_16_tables() -> None:
    """The formula of the patch resolves every IPA, with no table too many."""
    for page_shift, ipa_bits in product(PAGE_SHIFTS, IPAS):
        levels = hw_pgtable_levels(page_shift, ipa_bits - 4)
        shape = Geometry(Granule(page_shift), ipa_bits, 4 - levels)

        assert 1 <= shape.concatenation <= 16
        assert shape.pgd_entries > 1


def test_no_other_level_between_ipa_and_ipa_less_four_read_as_at_most_one() -> None:
    """As "the levels for IPA and for IPA - 4 differ by 0 or 1", it is true."""
    assert {0, 1} == {
        hw_pgtable_levels(page_shift, ipa_bits)
        - hw_pgtable_levels(page_shift, ipa_bits - 4)
        for page_shift, ipa_bits in product(PAGE_SHIFTS, IPAS)
    }


def test_no_other_level_between_ipa_and_ipa_less_four_read_as_none() -> None:
    """As "they are equal", it is false exactly where concatenation saves a level."""
    differ = {
        12: {*range(32, 35), *range(40, 44), *range(49, 53)},
        14: {*range(37, 41), *range(48, 52)},
        16: {*range(32, 34), *range(43, 47)},
    }

    assert differ == {
        page_shift: {
            ipa_bits
            for ipa_bits in IPAS
            if hw_pgtable_levels(page_shift, ipa_bits)
            > hw_pgtable_levels(page_shift, ipa_bits - 4)
        }
        for page_shift in PAGE_SHIFTS
    }
    assert differ == {
        page_shift: {
            ipa_bits
            for ipa_bits in IPAS
            if stage2(
                page_shift, ipa_bits, 52, scheme=Scheme.LPA2 if ipa_bits > 48 else None
            ).concatenation
            > 1
        }
        for page_shift in PAGE_SHIFTS
    }


def test_64k_needs_1_mib_contiguous_and_aligned_at_46_bits() -> None:
    """It is the most that any IPA width takes, and most take far less."""
    shape = stage2(16, 46, 48)

    assert (16, 1 * M, 1 * M) == (
        shape.concatenation,
        shape.pgd_size,
        shape.pgd_alignment,
    )
    assert {33, 46} == {
        ipa_bits for ipa_bits in IPAS if stage2(16, ipa_bits, 48).pgd_size == 1 * M
    }
    assert 1 * M == max(stage2(16, ipa_bits, 48).pgd_size for ipa_bits in IPAS)


def test_64k_needs_1_mib_at_33_bits_only_with_one_level() -> None:
    """Since v4.20 there are two levels there, and 128 bytes."""
    assert (1, 1 * M) == (stage2(16, 33, 48).levels, stage2(16, 33, 48).pgd_size)

    shape = stage2(16, 33, 48, scheme=Scheme.DYNAMIC)
    assert (2, 128) == (shape.levels, shape.pgd_size)


def test_64k_at_kvms_40_bits_is_16_kib_of_table() -> None:
    """A table has 16 KiB, and since v5.10 the whole page is allocated for it."""
    shape = stage2(16, 40, 48)

    assert (16 * K, 1) == (shape.pgd_size, shape.pgd_pages)
    independent = kernel_macros(16, 40, 48, scheme=Scheme.INDEPENDENT)
    assert 64 * K == independent["kvm_pgtable_stage2_pgd_size"]


def test_16k_needs_up_to_256_kib_for_example_at_40_bits() -> None:
    """The largest root is needed at 40 bits, and at 51 bits one level further up."""
    sizes = {
        ipa_bits: stage2(14, ipa_bits, 48, scheme=Scheme.LPA2).pgd_size
        for ipa_bits in IPAS
    }

    assert {40, 51} == {ipa_bits for ipa_bits in IPAS if sizes[ipa_bits] == 256 * K}
    assert 256 * K == max(sizes.values())


def test_4k_needs_up_to_64_kib() -> None:
    """Nobody asked; 8 KiB at 40 bits."""
    assert {34, 43, 52} == {
        ipa_bits
        for ipa_bits in IPAS
        if stage2(12, ipa_bits, 48, scheme=Scheme.LPA2).pgd_size == 64 * K
    }
    assert 8 * K == stage2(12, 40, 48).pgd_size


def test_the_alignment_is_the_size() -> None:
    """The PGD is a power of two, and its base is a multiple of it."""
    for page_shift, ipa_bits in product(PAGE_SHIFTS, IPAS):
        shape = stage2(page_shift, ipa_bits, 52, scheme=Scheme.LPA2)
        floor = 64 if shape.lpa2 else 1

        assert 1 == shape.pgd_size.bit_count()
        assert max(shape.pgd_size, floor) == shape.pgd_alignment


def test_16k_with_a_36_bit_va_runs_a_40_bit_guest() -> None:
    """A guest's address space may be wider than the host's virtual one."""
    shape = stage2(14, 40, 36)

    assert (2, 2, 16) == (shape.levels, shape.start_level, shape.concatenation)
    assert 2 == Host(14, 36).pgtable_levels


def test_16k_with_a_36_bit_va_refuses_a_41_bit_guest() -> None:
    """The moment we go above 40 bits, levels run out: three against two."""
    with pytest.raises(UnsupportedCombination) as caught:
        stage2(14, 41, 36)

    [violation] = caught.value.violations
    assert "levels-exceed-host" == violation.rule
    assert (3, 2) == (violation.given, violation.limit)
    assert (
        40 == Host(14, 36).max_ipa_bits() == Host(14, 36).max_ipa_bits(Scheme.DYNAMIC)
    )


def test_since_v5_10_it_is_refused_no_more() -> None:
    """The generic walker has its own levels, whatever the host's."""
    host = Host(14, 36)

    assert 48 == host.max_ipa_bits(Scheme.INDEPENDENT)
    assert (3, 2) == (
        host.stage2(41, scheme=Scheme.INDEPENDENT).levels,
        host.pgtable_levels,
    )


def test_the_same_cliff_elsewhere() -> None:
    """The first IPA width that each host refuses for its levels."""
    cliffs = {(12, 39): 44, (14, 36): 41, (14, 47): 52, (16, 42): 47}

    assert cliffs == {
        host: refused[0]
        for host in HOSTS
        for refused in [
            [
                ipa_bits
                for ipa_bits in IPAS
                if "levels-exceed-host"
                in {each.rule for each in check(host[0], ipa_bits, host[1])}
            ]
        ]
        if refused
    }


def test_a_guest_with_memory_at_0x70_0000_0000() -> None:
    """39 bits: above the host's 36-bit VA, inside the 40-bit IPA; it boots."""
    address = 0x70_0000_0000
    shape = stage2(14, 40, 36)

    assert 39 == address.bit_length()
    assert 36 < address.bit_length() <= shape.ipa_bits
    index = shape.split(address)
    assert (7, (0, 0), 0) == (index.table, index.indices, index.offset)
    assert address == shape.join(index)


def test_at_the_size_of_the_hosts_va_its_levels_suffice() -> None:
    """IPA <= VA never takes more levels than the host has, on any possible host."""
    for page_shift, va_bits in product(PAGE_SHIFTS, range(32, 53)):
        host = Host(page_shift, va_bits)
        for ipa_bits in range(32, va_bits + 1):
            for scheme in (Scheme.STATIC, Scheme.DYNAMIC):
                macros = kernel_macros(page_shift, ipa_bits, va_bits, scheme=scheme)
                name = {
                    Scheme.STATIC: "STAGE2_PGTABLE_LEVELS",
                    Scheme.DYNAMIC: "kvm_stage2_levels",
                }[scheme]

                assert macros[name] <= host.pgtable_levels
                assert "levels-exceed-host" not in {
                    violation.rule for violation in host.check(ipa_bits)
                }


def test_the_most_concatenation_is_a_choice() -> None:
    """The CPU also takes the shape without it, which has one level more to walk."""
    kernels = stage2(16, 43, 48)
    other = Geometry(Granule.K64, 43, 1)

    assert (2, 2) == (kernels.levels, kernels.concatenation)
    assert (3, 1) == (other.levels, other.concatenation)
    assert [other, kernels] == list(Cpu(48).choices(Granule.K64, 43))
    assert (128 * K, 16) == (kernels.pgd_size, other.pgd_size)


def test_16k_with_a_48_bit_va_needs_two_fake_levels() -> None:
    """The scheme has one, which is why there was no KVM with 16K pages."""
    old = fake_pgd(14, 40, 48)

    assert (4, 2, 2) == (
        old.host_levels,
        old.hardware_levels,
        old.fake_levels_needed,
    )
    assert (1, 2) == (old.prealloc_level, old.hardware_start_level)


def test_fake_levels_at_40_bits() -> None:
    """None, one or two by host; two also where 52-bit hosts came later."""
    expected = {
        0: {(12, 39), (14, 36), (16, 42)},
        1: {(12, 48), (14, 47), (16, 48), (16, 52)},
        2: {(14, 48), (12, 52), (14, 52)},
    }

    assert expected == {
        count: {
            host
            for host in HOSTS
            if fake_pgd(host[0], 40, host[1]).fake_levels_needed == count
        }
        for count in range(3)
    }


def test_without_fake_levels_64k_needs_a_quarter() -> None:
    """The same hardware table, allocated by its size and no more by whole pages."""
    assert 64 * K == fake_pgd(16, 40, 48).hardware_pgd_size
    assert 16 * K == stage2(16, 40, 48).pgd_size


@pytest.mark.parametrize(
    ("folded", "page_shift", "ipa_bits"),
    [
        ({"S2_PUD_SHIFT"}, 12, 40),
        ({"S2_PUD_SHIFT", "S2_PMD_SHIFT"}, 14, 40),
        ({"S2_PUD_SHIFT", "S2_PMD_SHIFT"}, 16, 40),
    ],
)
def test_a_level_that_is_not_folded_at_stage_2_is_not_folded_at_the_host(
    folded: set[str], page_shift: int, ipa_bits: int
) -> None:
    """That is why the host's own helpers may be used for it."""
    macros = kernel_macros(page_shift, ipa_bits, 48)

    assert folded == {"S2_PUD_SHIFT", "S2_PMD_SHIFT"} - macros.keys()
    for (_, va_bits), width in product(HOSTS, IPAS):
        host = Host(page_shift, va_bits)
        if not host.check(width):
            unfolded = kernel_macros(page_shift, width, va_bits)

            assert ("S2_PUD_SHIFT" not in unfolded) or host.pgtable_levels > 3
            assert ("S2_PMD_SHIFT" not in unfolded) or host.pgtable_levels > 2


@pytest.mark.parametrize(
    ("page_shift", "va_bits", "pmd"),
    [(12, 48, 2 * M), (14, 36, 32 * M), (14, 48, 32 * M), (16, 48, 512 * M)],
)
def test_a_huge_pmd_where_host_and_stage_2_differ_in_levels(
    page_shift: int, va_bits: int, pmd: int
) -> None:
    """Asked, and left open: a PMD of the host is a PMD of stage 2."""
    host = Host(page_shift, va_bits)
    for scheme in Scheme:
        for ipa_bits in (40, 48):
            if host.check(ipa_bits, scheme=scheme):
                continue
            shape = host.stage2(ipa_bits, scheme=scheme)

            assert pmd == leaf_size(shape, host, pmd, scheme=scheme)


def test_a_huge_pmd_where_stage_2_has_more_levels_than_the_host() -> None:
    """What the review worried about exists since v5.10, and the PMD stays whole."""
    host = Host(14, 36)
    shape = host.stage2(48, scheme=Scheme.INDEPENDENT)

    assert (3, 2) == (shape.levels, host.pgtable_levels)
    assert 32 * M == leaf_size(shape, host, 32 * M, scheme=Scheme.INDEPENDENT)


@pytest.mark.parametrize("ipa_bits", [32, 33])
def test_a_huge_pmd_where_stage_2_has_one_level(ipa_bits: int) -> None:
    """The one case that goes wrong: a PMD has no level there until v4.20."""
    host = Host(16, 42)
    one, two = (
        host.stage2(ipa_bits, scheme=scheme)
        for scheme in (Scheme.STATIC, Scheme.DYNAMIC)
    )

    assert (1, 64 * K) == (one.levels, leaf_size(one, host, 512 * M))
    assert (2, 512 * M) == (
        two.levels,
        leaf_size(two, host, 512 * M, scheme=Scheme.DYNAMIC),
    )


def test_the_floor_of_two_levels_changes_nothing_else() -> None:
    """Only 64K at 32 and 33 bits has one level by the formula."""
    assert {(16, 32), (16, 33)} == {
        (page_shift, ipa_bits)
        for page_shift, ipa_bits in product(PAGE_SHIFTS, IPAS)
        if hw_pgtable_levels(page_shift, ipa_bits - 4) < 2
    }


def test_the_error_line_is_the_later_limit() -> None:
    """The static #if of v4.7 and the run-time limit of v4.20 refuse the same widths."""
    for page_shift, va_bits in HOSTS:
        host = Host(page_shift, va_bits, pa_bits=52)

        assert host.max_ipa_bits(Scheme.STATIC) == host.max_ipa_bits(Scheme.DYNAMIC)
        for ipa_bits in IPAS:
            assert bool(host.check(ipa_bits)) == bool(
                host.check(ipa_bits, scheme=Scheme.DYNAMIC)
            )
