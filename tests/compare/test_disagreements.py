# SPDX-License-Identifier: MIT
"""Where implementations, or the manual and itself, disagree: whose side we are on.

One test for each disagreement that can change a verdict. We follow the architecture's
own pseudocode (the Armv9.4-A release); each test names who differs.
"""

from itertools import product

import pytest

from s2geom import POLICIES, Cpu, Geometry, Granule

PA_SIZES = (32, 36, 40, 42, 44, 48, 52, 56)


def start_levels(cpu: Cpu, granule: int, ipa_bits: int, lpa2: bool) -> list[int]:
    return [shape.start_level for shape in cpu.choices(granule, ipa_bits, lpa2)]


def rules(cpu: Cpu, shape: Geometry) -> list[str]:
    return [violation.rule for violation in cpu.check(shape)]


@pytest.mark.parametrize("pa_bits", [32, 36, 40, 42, 44])
@pytest.mark.parametrize("granule", Granule)
def test_an_ipa_wider_than_the_physical_addresses_is_refused(
    granule: Granule, pa_bits: int
) -> None:
    """Against QEMU from 8 on, Linux's nested KVM and gem5, which accept it."""
    cpu = Cpu(pa_bits)

    assert cpu.choices(granule, pa_bits)
    assert () == cpu.choices(granule, pa_bits + 1)


def test_an_ipa_wider_than_the_physical_addresses_relies_on_no_clamping() -> None:
    """Without FEAT_LPA a CPU may clamp T0SZ or fault; what it may refuse is illegal."""
    shape = Geometry(Granule.K4, 45, 0)

    assert ["ipa-exceeds-pa"] == rules(Cpu(44), shape)
    assert ["ipa-exceeds-pa"] == rules(Cpu(44, lpa=True), shape)


@pytest.mark.parametrize("ipa_bits", [40, 41, 42])
def test_a_large_cpu_may_start_4k_at_level_0_for_a_small_ipa(ipa_bits: int) -> None:
    """Against Linux's nested KVM, which takes the IPA for the physical size."""
    assert () == Cpu(48).check(Geometry(Granule.K4, ipa_bits, 0))


@pytest.mark.parametrize("ipa_bits", [37, 38, 39, 40])
def test_a_large_cpu_may_start_16k_at_level_1_for_a_small_ipa(ipa_bits: int) -> None:
    """Against Linux's nested KVM, which takes the IPA for the physical size."""
    assert () == Cpu(48).check(Geometry(Granule.K16, ipa_bits, 1))


@pytest.mark.parametrize("pa_bits", [32, 36, 40, 42])
def test_a_small_cpu_has_no_level_0(pa_bits: int) -> None:
    """Against Linux's nested KVM, which takes level 0 for 43 bits on any CPU."""
    for ipa_bits in range(43, 49):
        broken = rules(Cpu(pa_bits), Geometry(Granule.K4, ipa_bits, 0))

        assert ["ipa-exceeds-pa", "start-level-needs-pa"] == broken


@pytest.mark.parametrize("ipa_bits", [49, 50, 51, 52])
def test_level_minus_1_is_for_49_bits_and_more(ipa_bits: int) -> None:
    """Against QEMU 7, which allows it for exactly 52 bits."""
    assert [-1, 0] == start_levels(Cpu(52, lpa2=True), 12, ipa_bits, lpa2=True)


@pytest.mark.parametrize("ipa_bits", [48, 49, 50, 51, 52])
def test_16k_has_level_0_with_lpa2(ipa_bits: int) -> None:
    """Against QEMU 7, which refuses it altogether."""
    assert 0 in start_levels(Cpu(52, lpa2=True), 14, ipa_bits, lpa2=True)


def test_16k_level_0_does_not_ask_for_52_physical_bits() -> None:
    """Against the manual's table D8-9, which lists it for 52 bits alone."""
    cpu = Cpu(48, lpa2=True)

    assert [0, 1] == start_levels(cpu, 14, 48, lpa2=True)
    assert not cpu.concatenation_is_mandatory(14, 48)
    assert [1] == start_levels(cpu, 14, 48, lpa2=False)


@pytest.mark.parametrize(
    ("granule", "start_level", "tables_by_width"),
    [
        (12, 0, {49: 2, 50: 4, 51: 8, 52: 16}),
        (14, 1, {48: 2, 49: 4, 50: 8, 51: 16}),
    ],
)
def test_wide_ipas_need_not_start_at_the_top(
    granule: int, start_level: int, tables_by_width: dict[int, int]
) -> None:
    """Against the note under VTCR_EL2.T0SZ, with tables D8-21 and D8-31."""
    for ipa_bits, tables in tables_by_width.items():
        *_, shallow = Cpu(52, lpa2=True).choices(granule, ipa_bits)

        assert (start_level, tables) == (shallow.start_level, shallow.concatenation)


def test_xen_has_48_bits_on_a_cpu_with_52() -> None:
    """Its row for 52 bits, 16 tables at level 0 without DS, is never reached."""
    cpu = Cpu(52, lpa2=True)
    choice = POLICIES["xen"].choose(cpu, 12, 48)
    row_for_52 = Geometry(Granule.K4, 52, 0, lpa2=False)

    assert Geometry(Granule.K4, 48, 0) == choice.geometry
    assert choice.legal
    assert POLICIES["xen"].choose(cpu, 12, 52).geometry is None
    assert ["ipa-above-48-without-lpa2"] == rules(cpu, row_for_52)


def test_bhyve_with_16k_pages_is_illegal_on_a_cpu_with_40_bits() -> None:
    """It starts 39 bits at level 1, which needs a CPU with 42 physical bits."""
    cpu = Cpu(40)
    choice = POLICIES["bhyve"].choose(cpu, 14, 39)

    assert Geometry(Granule.K16, 39, 1) == choice.geometry
    assert ["start-level-needs-pa"] == [why.rule for why in choice.violations]
    assert [(2, 8)] == [
        (shape.start_level, shape.concatenation) for shape in cpu.choices(14, 39)
    ]
    assert POLICIES["bhyve"].choose(cpu, 12, 39).legal
    assert POLICIES["bhyve"].choose(Cpu(42), 14, 39).legal


def test_bao_is_illegal_on_a_cpu_with_32_bits() -> None:
    """T0SZ of 32 does not fit five bits, so 0 is written: a 64-bit IPA."""
    choice = POLICIES["bao"].choose(Cpu(32), 12, 32)

    assert Geometry(Granule.K4, 64, 1) == choice.geometry
    assert "ipa-exceeds-pa" in [why.rule for why in choice.violations]
    assert POLICIES["bao"].choose(Cpu(36), 12, 36).legal


def test_a_level_0_root_is_concatenated_with_lpa2_alone() -> None:
    """Xen's assertion that it cannot be is right for DS=0, and wrong for DS=1."""
    at_level_0 = {
        lpa2: max(
            shape.concatenation
            for ipa_bits in range(40, 53)
            for shape in Cpu(52, lpa2=True).choices(12, ipa_bits, lpa2)
            if shape.start_level == 0
        )
        for lpa2 in (False, True)
    }

    assert {False: 1, True: 16} == at_level_0


def test_m1n1_is_illegal_on_a_cpu_with_40_bits() -> None:
    """It starts 16K at level 1 above 36 bits, which needs 42 physical bits."""
    verdicts = {
        pa_bits: POLICIES["m1n1"].choose(Cpu(pa_bits), 14, min(44, pa_bits)).legal
        for pa_bits in (32, 36, 40, 42, 44, 48, 52)
    }

    assert [40] == [pa_bits for pa_bits, legal in verdicts.items() if not legal]


@pytest.mark.parametrize("ps", [32, 36, 40, 42, 44, 48, 52])
def test_baddr_has_52_bits_with_lpa2_whatever_ps_is(ps: int) -> None:
    """Against QEMU, which goes by PS and has no floor for roots of few entries."""
    small = Geometry(Granule.K4, 40, 0, lpa2=True)

    assert 16 == small.pgd_size
    assert 64 == Cpu(52, lpa2=True).pgd_alignment(small, ps)
    assert 64 == Cpu(44, lpa2=True).pgd_alignment(small, ps)


@pytest.mark.parametrize("ps", [32, 36, 40, 42, 44, 48, 52])
def test_baddr_has_48_bits_for_4k_without_lpa2(ps: int) -> None:
    """Against gem5, where PS alone decides, whatever the page size."""
    small = Geometry(Granule.K4, 40, 0)

    assert 16 == Cpu(52).pgd_alignment(small, ps)


@pytest.mark.parametrize("pa_bits", PA_SIZES)
def test_64k_level_1_blocks_go_by_the_physical_addresses(pa_bits: int) -> None:
    """With QEMU; the manual's text asks for FEAT_LPA, and no real CPU differs."""
    shape = Geometry(Granule.K64, 44, 1)
    expected = {1, 2} if pa_bits >= 52 else {2}

    assert expected == Cpu(pa_bits).block_levels(shape)
    assert expected == Cpu(pa_bits, lpa=True).block_levels(shape)


def test_mandatory_concatenation_follows_from_the_start_levels() -> None:
    """As a rule on T0SZ and page size alone, only 16K with 48 bits and DS=0 is left."""
    on_every_cpu = [
        (granule, ipa_bits)
        for granule, ipa_bits in product(Granule, range(25, 53))
        if all(
            cpu.concatenation_is_mandatory(granule, ipa_bits)
            for cpu in map(Cpu, PA_SIZES)
            if cpu.choices(granule, ipa_bits)
        )
        and any(cpu.choices(granule, ipa_bits) for cpu in map(Cpu, PA_SIZES))
    ]

    assert [(Granule.K16, 48)] == on_every_cpu


@pytest.mark.parametrize("granule", Granule)
@pytest.mark.parametrize("pa_bits", PA_SIZES)
def test_io_pgtable_concatenates_where_it_is_mandatory(
    granule: Granule, pa_bits: int
) -> None:
    """For an input as wide as the output, its conditions equal the architecture's."""
    ipa_bits = min(pa_bits, 52 if granule is Granule.K64 else 48)
    shape = POLICIES["io_pgtable"].choose(Cpu(pa_bits), granule, ipa_bits).geometry

    assert shape is not None
    assert (shape.concatenation > 1) is Cpu(pa_bits).concatenation_is_mandatory(
        granule, ipa_bits
    )
