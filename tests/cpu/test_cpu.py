# SPDX-License-Identifier: MIT
"""`Cpu`: what it is made of, its answers in the manual's tables, its words."""

import base64
import copy
import pickle
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import s2geom
from s2geom import Cpu, Geometry, Granule, InvalidArgument, UnreadableInput
from s2geom.cpu.cpu import ANY_CPU, cpu_of, optional_cpu
from s2geom.cpu.rules import CPU_RULES
from s2geom.cpu.sizes import a_page_size

ALL = frozenset(Granule)
WIDTHS = range(16, 57)
LEVELS = range(-1, 4)
PA_SIZES = (32, 36, 40, 42, 44, 48, 52, 56)


# The value


def test_a_plain_cpu_has_every_granule_and_no_feature() -> None:
    """Cpu(48) implements all page sizes, without LPA, LPA2, TTST or AArch32."""
    cpu = Cpu(48)

    assert 48 == cpu.pa_bits
    assert ALL == cpu.granules
    assert frozenset() == cpu.lpa2
    assert (False, False, False) == (cpu.lpa, cpu.ttst, cpu.aarch32_el1)


@pytest.mark.parametrize("pa_bits", PA_SIZES)
def test_lpa_is_as_the_physical_addresses_say(pa_bits: int) -> None:
    """FEAT_LPA is taken to be there where physical addresses have more than 48 bits."""
    assert (pa_bits > 48) is Cpu(pa_bits).lpa
    assert Cpu(pa_bits) == Cpu(pa_bits, lpa=None) == Cpu(pa_bits, lpa=pa_bits > 48)


def test_lpa_may_be_there_with_small_addresses() -> None:
    """Features are independent of the implemented size."""
    assert Cpu(44, lpa=True).lpa
    assert Cpu(44, lpa=True) != Cpu(44)


@pytest.mark.parametrize("pa_bits", [52, 56])
def test_large_addresses_are_lpa(pa_bits: int) -> None:
    """More than 48 bits without FEAT_LPA is a contradiction in the call."""
    expected = (
        f"lpa=False contradicts pa_bits={pa_bits}: FEAT_LPA is what gives more than 48 "
        "bits"
    )
    with pytest.raises(InvalidArgument) as caught:
        Cpu(pa_bits, lpa=False)

    assert expected == str(caught.value)


def test_lpa2_is_a_bool_or_the_page_sizes_that_have_it() -> None:
    """LPA2 may be there for one page size alone."""
    assert frozenset({Granule.K4, Granule.K16}) == Cpu(52, lpa2=True).lpa2
    assert frozenset() == Cpu(52, lpa2=False).lpa2
    assert frozenset({Granule.K16}) == Cpu(52, lpa2={Granule.K16}).lpa2
    assert frozenset({Granule.K4}) == Cpu(44, lpa2=[Granule.K4]).lpa2


@pytest.mark.parametrize(
    ("word", "both"),
    [
        (6 | 1 << 28 | 3 << 40, {Granule.K4}),
        (6 | 2 << 20 | 15 << 28 | 3 << 32, {Granule.K16}),
        (6 | 1 << 28, set()),
        (6 | 2 << 20, set()),
        (6 | 3 << 40, set()),
        (6 | 1 << 28 | 2 << 40, set()),
    ],
)
def test_kvm_asks_the_id_registers_for_lpa2_of_both_stages(
    word: int, both: set[Granule]
) -> None:
    """TGran says LPA2 and TGran_2 is 3; "as stage 1 says" (0) is not enough."""
    assert both == Cpu.from_id_registers(word).lpa2_both_stages


def test_lpa2_of_both_stages_follows_lpa2() -> None:
    """It is stored resolved, so CPUs that are the same are equal."""
    cpu = Cpu(52, lpa2={Granule.K4})

    assert {Granule.K4} == cpu.lpa2_both_stages
    assert cpu == Cpu(52, lpa2={Granule.K4}, lpa2_both_stages={Granule.K4})
    assert cpu != Cpu(52, lpa2={Granule.K4}, lpa2_both_stages=set())


OLD_PICKLE = (
    "gASVggAAAAAAAACMBnMyZ2VvbZSMA0NwdZSTlCmBlH2UKIwHcGFfYml0c5RLNIwIZ3JhbnVsZXOUKGgA"
    "jAdHcmFudWxllJOUSxCFlFKUaAhLDIWUUpRoCEsOhZRSlJGUjANscGGUiIwEbHBhMpQoaA6RlIwEdHRz"
    "dJSIjAthYXJjaDMyX2VsMZSJdWIu"
)
"""What 0.1.0 wrote for Cpu(52, lpa2={Granule.K16}, ttst=True)."""


def test_a_pickle_of_0_1_0_loads() -> None:
    """The field that it does not have gets its default."""
    old = pickle.loads(base64.b64decode(OLD_PICKLE))  # noqa: S301 - our own

    assert Cpu(52, lpa2={Granule.K16}, ttst=True) == old
    assert {Granule.K16} == old.lpa2_both_stages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"pa_bits": 45},
            "pa_bits must be one of 32, 36, 40, 42, 44, 48, 52, 56, got 45",
        ),
        (
            {"pa_bits": -48},
            "pa_bits must be one of 32, 36, 40, 42, 44, 48, 52, 56, got -48",
        ),
        (
            {"pa_bits": 48, "lpa2": {Granule.K64}},
            "lpa2 is for 4K and 16K granules; 64K has 52 bits by lpa",
        ),
        (
            {"pa_bits": 52, "lpa2": {Granule.K4}, "lpa2_both_stages": set(Granule)},
            "lpa2_both_stages must be page sizes that lpa2 has, 4K, got 4K, 16K, 64K",
        ),
    ],
)
def test_impossible_cpus_are_refused(arguments: dict[str, Any], message: str) -> None:
    """A size that no PARange encodes, and LPA2 for 64K, are mistakes in the call."""
    with pytest.raises(InvalidArgument) as caught:
        Cpu(**arguments)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pa_bits": True}, "pa_bits must be an integer, got True (bool)"),
        ({"pa_bits": 48.0}, "pa_bits must be an integer, got 48.0 (float)"),
        ({"pa_bits": "48"}, "pa_bits must be an integer, got '48' (str)"),
        ({"pa_bits": 48, "lpa": 1}, "lpa must be a bool, got 1 (int)"),
        ({"pa_bits": 48, "ttst": 1}, "ttst must be a bool, got 1 (int)"),
        (
            {"pa_bits": 48, "aarch32_el1": None},
            "aarch32_el1 must be a bool, got None (NoneType)",
        ),
        ({"pa_bits": 48, "lpa2": 1}, "lpa2 must be a set of Granule, got 1"),
        ({"pa_bits": 48, "lpa2": {12}}, "lpa2 must be a set of Granule, got {12}"),
        (
            {"pa_bits": 52, "lpa2_both_stages": True},
            "lpa2_both_stages must be a set of Granule, got True",
        ),
        (
            {"pa_bits": 48, "granules": "4K"},
            "granules must be a set of Granule, got '4K'",
        ),
        (
            {"pa_bits": 48, "granules": [12, 16]},
            "granules must be a set of Granule, got [12, 16]",
        ),
    ],
)
def test_wrong_types(arguments: dict[str, Any], message: str) -> None:
    """Bools, floats and bare numbers are a TypeError, even where they look right."""
    with pytest.raises(TypeError) as caught:
        Cpu(**arguments)

    assert message == str(caught.value)


def test_numpy_integers_are_stored_as_int() -> None:
    """Whatever has __index__ is a number, and it is a plain int afterwards."""
    pa_bits: Any = np.int64(48)

    cpu = Cpu(pa_bits)

    assert Cpu(48) == cpu
    assert int is type(cpu.pa_bits)
    assert cpu.choices(np.uint8(12), np.int32(40)) == cpu.choices(12, 40)  # type: ignore[arg-type]


CPUS = [
    Cpu(32),
    Cpu(40, aarch32_el1=True, granules=frozenset({Granule.K64})),
    Cpu(48, lpa=True, ttst=True),
    Cpu(56, lpa2={Granule.K4}, granules=frozenset()),
]


@pytest.mark.parametrize("cpu", CPUS)
def test_a_cpu_is_a_value(cpu: Cpu) -> None:
    """Its repr evaluates to it, and pickling and copying keep it equal."""
    same = eval(repr(cpu), {"Cpu": Cpu, "Granule": Granule})  # noqa: S307

    for twin in (
        same,
        pickle.loads(pickle.dumps(cpu)),  # noqa: S301
        copy.copy(cpu),
        copy.deepcopy(cpu),
    ):
        assert cpu == twin
        assert hash(cpu) == hash(twin)


def test_a_cpu_is_frozen_and_has_module_s2geom() -> None:
    """It cannot change, has no room for other attributes, and is s2geom.Cpu."""
    cpu = Cpu(48)

    with pytest.raises(AttributeError):
        cpu.pa_bits = 52  # type: ignore[misc]
    with pytest.raises(AttributeError):
        cpu.other = 1  # type: ignore[attr-defined]
    assert "s2geom" == Cpu.__module__
    assert s2geom.Cpu is Cpu


def test_everything_but_the_physical_addresses_is_named() -> None:
    """A second positional argument would say nothing to a reader."""
    with pytest.raises(TypeError):
        Cpu(48, ALL)  # type: ignore[call-arg]


# ID registers

PA_BY_PARANGE = {0: 32, 1: 36, 2: 40, 3: 42, 4: 44, 5: 48, 6: 52, 7: 56}


@pytest.mark.parametrize(("parange", "pa_bits"), PA_BY_PARANGE.items())
def test_parange(parange: int, pa_bits: int) -> None:
    """ID_AA64MMFR0_EL1.PARange gives the size, and with it FEAT_LPA."""
    cpu = Cpu.from_id_registers(parange)

    assert pa_bits == cpu.pa_bits
    assert (parange >= 6) is cpu.lpa


def test_an_all_zero_word_is_a_cpu_without_16k() -> None:
    """Zero means yes for 4K and 64K, but no for 16K."""
    assert Cpu(32, granules={Granule.K4, Granule.K64}) == Cpu.from_id_registers(0)


def test_a_cpu_with_everything() -> None:
    """52 bits, LPA2 for both page sizes at stage 2, TTST and AArch32 at EL1."""
    cpu = Cpu.from_id_registers(
        0x0000_0323_1020_0006, 0, 1 << 28, mmfr3=1 << 32, pfr0=0x22
    )

    assert Cpu(52, lpa2=True, ttst=True, aarch32_el1=True) == cpu


# Stage 1 field: lowest bit, and meaning by encoding. None is no, True has LPA2.
STAGE_1 = {
    Granule.K4: (28, {0: False, 1: True, 15: None}),
    Granule.K16: (20, {0: None, 1: False, 2: True}),
    Granule.K64: (24, {0: False, 15: None}),
}
STAGE_2_BIT = {Granule.K4: 40, Granule.K16: 32, Granule.K64: 36}
STAGE_2 = {1: None, 2: False, 3: True}


@pytest.mark.parametrize("granule", Granule)
def test_granules_at_stage_2(granule: Granule) -> None:
    """The stage-2 field decides; zero means as the stage-1 field says."""
    lowest, stage_1 = STAGE_1[granule]
    for first, second in product(range(16), range(16)):
        word = first << lowest | second << STAGE_2_BIT[granule]
        known = first in stage_1 and (second == 0 or second in STAGE_2)
        if not known or (second == 3 and granule is Granule.K64):
            with pytest.raises(UnreadableInput):
                Cpu.from_id_registers(word)
        else:
            cpu = Cpu.from_id_registers(word)
            meaning = STAGE_2[second] if second else stage_1[first]

            both = stage_1[first] is True and second == 3

            assert (meaning is not None) is (granule in cpu.granules)
            assert (meaning is True) is (granule in cpu.lpa2)
            assert both is (granule in cpu.lpa2_both_stages)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"mmfr0": 0x9},
            (
                "ID_AA64MMFR0_EL1.PARange, bits 3:0, is 9, which is reserved; the "
                "encodings are 0, 1, 2, 3, 4, 5, 6, 7"
            ),
        ),
        (
            {"mmfr0": 2 << 28},
            (
                "ID_AA64MMFR0_EL1.TGran4, bits 31:28, is 2, which is reserved; the "
                "encodings are 0, 1, 15"
            ),
        ),
        (
            {"mmfr0": 3 << 36},
            (
                "ID_AA64MMFR0_EL1.TGran64_2, bits 39:36, is 3, which is reserved; the "
                "encodings are 0, 1, 2"
            ),
        ),
        (
            {"mmfr0": 4 << 32},
            (
                "ID_AA64MMFR0_EL1.TGran16_2, bits 35:32, is 4, which is reserved; the "
                "encodings are 0, 1, 2, 3"
            ),
        ),
        (
            {"mmfr0": 0, "mmfr2": 2 << 28},
            (
                "ID_AA64MMFR2_EL1.ST, bits 31:28, is 2, which is reserved; the "
                "encodings are 0, 1"
            ),
        ),
        (
            {"mmfr0": 0, "mmfr3": 15 << 32},
            (
                "ID_AA64MMFR3_EL1.D128, bits 35:32, is 15, which is reserved; the "
                "encodings are 0, 1"
            ),
        ),
        (
            {"mmfr0": 0, "pfr0": 3 << 4},
            (
                "ID_AA64PFR0_EL1.EL1, bits 7:4, is 3, which is reserved; the encodings "
                "are 0, 1, 2"
            ),
        ),
    ],
)
def test_reserved_encodings(words: dict[str, int], message: str) -> None:
    """A reserved field is named with its register, bits and value."""
    with pytest.raises(UnreadableInput) as caught:
        Cpu.from_id_registers(**words)

    assert message == str(caught.value)


@pytest.mark.parametrize(("el1", "expected"), [(0, False), (1, False), (2, True)])
def test_aarch32_at_el1(el1: int, expected: bool) -> None:
    """Only the encoding for both states means AArch32."""
    assert expected is Cpu.from_id_registers(0, pfr0=el1 << 4).aarch32_el1


def test_other_fields_do_not_matter() -> None:
    """Every bit that no field of ours has may be set."""
    ours = 0xF << 0 | 0xFFF << 20 | 0xFFF << 32
    cpu = Cpu.from_id_registers(
        ~ours & 0xFFFF_FFFF_FFFF_FFFF | 5,
        0xFFFF_FFFF_FFFF_FFFF,
        0xFFFF_FFFF_0FFF_FFFF,
        mmfr3=0xFFFF_FFF0_FFFF_FFFF,
        pfr0=0xFFFF_FFFF_FFFF_FF0F,
    )

    assert Cpu.from_id_registers(5) == cpu


@pytest.mark.parametrize("name", ["mmfr0", "mmfr1", "mmfr2", "mmfr3", "pfr0"])
def test_words_are_64_bits(name: str) -> None:
    """Each word is an integer from 0 to 2^64 - 1, numpy's too."""
    words: dict[str, Any] = {"mmfr0": 5}
    for bad in (-1, 1 << 64):
        with pytest.raises(
            InvalidArgument, match=f"{name} must be 0..0xffffffffffffffff"
        ):
            Cpu.from_id_registers(**{**words, name: bad})
    for bad_type in (True, 1.0, "0x5", None):
        with pytest.raises(TypeError, match=f"{name} must be an integer"):
            Cpu.from_id_registers(**{**words, name: bad_type})

    assert Cpu.from_id_registers(5) == Cpu.from_id_registers(
        **{**words, name: np.uint64(words.get(name, 0))}
    )


# The manual's tables

# Start level: widths with one table, and with 2 to 16, on a CPU with TTST and 56 bits.
WITHOUT_LPA2 = {
    Granule.K4: {0: (40, 48, 48), 1: (31, 39, 43), 2: (22, 30, 34), 3: (16, 21, 25)},
    Granule.K16: {1: (37, 47, 48), 2: (26, 36, 40), 3: (16, 25, 29)},
    Granule.K64: {1: (43, 52, 52), 2: (30, 42, 46), 3: (17, 29, 33)},
}
WITH_LPA2 = {
    Granule.K4: {**WITHOUT_LPA2[Granule.K4], -1: (49, 52, 52), 0: (40, 48, 52)},
    Granule.K16: {**WITHOUT_LPA2[Granule.K16], 0: (48, 52, 52), 1: (37, 47, 51)},
    Granule.K64: WITHOUT_LPA2[Granule.K64],
}


@pytest.mark.parametrize("lpa2", [False, True])
@pytest.mark.parametrize("granule", Granule)
def test_widths_by_start_level(granule: Granule, lpa2: bool) -> None:
    """Each start level resolves the widths of tables D8-20 to D8-41 and no others."""
    cpu = Cpu(56, lpa2=True, ttst=True)
    table = (WITH_LPA2 if lpa2 else WITHOUT_LPA2)[granule]
    for ipa_bits in WIDTHS:
        expected = {
            level: ipa_bits > one_table
            for level, (first, one_table, last) in table.items()
            if first <= ipa_bits <= last
        }
        shapes = cpu.choices(granule, ipa_bits, lpa2)

        assert expected == {g.start_level: g.concatenation > 1 for g in shapes}


@pytest.mark.parametrize(("granule", "smallest"), [(12, 25), (14, 25), (16, 25)])
def test_smallest_width_without_ttst(granule: int, smallest: int) -> None:
    """Without FEAT_TTST the IPA has 25 bits or more, and 4K has no level 3."""
    widths = [i for i in WIDTHS if Cpu(48).choices(granule, i)]
    levels = {g.start_level for i in widths for g in Cpu(48).choices(granule, i)}

    assert list(range(smallest, 49)) == widths
    assert (3 in levels) is (granule != 12)


@pytest.mark.parametrize(
    ("granule", "pa_bits", "lpa2", "without_ttst", "with_ttst"),
    [
        (12, 48, False, 32, 45),
        (12, 52, False, 32, 45),
        (12, 52, True, 40, 53),
        (14, 48, False, 32, 41),
        (14, 52, False, 32, 41),
        (14, 52, True, 40, 49),
        (16, 48, False, 32, 40),
        (16, 52, False, 36, 44),
        (16, 52, True, 36, 44),
    ],
)
def test_number_of_legal_roots(
    granule: int, pa_bits: int, lpa2: bool, without_ttst: int, with_ttst: int
) -> None:
    """As many (width, start level) pairs are legal as the manual's tables have."""
    plain, small = (
        sum(
            len(Cpu(pa_bits, lpa2=lpa2, ttst=ttst).choices(granule, ipa_bits))
            for ipa_bits in WIDTHS
        )
        for ttst in (False, True)
    )

    assert (without_ttst, with_ttst) == (plain, small)


# The constant of x = constant - T0SZ, tables D8-25, D8-34 and D8-42.
ALIGNMENT = {
    Granule.K4: {-1: 19, 0: 28, 1: 37, 2: 46, 3: 55},
    Granule.K16: {0: 20, 1: 31, 2: 42, 3: 53},
    Granule.K64: {1: 25, 2: 38, 3: 51},
}


@pytest.mark.parametrize("granule", Granule)
def test_base_alignment(granule: Granule) -> None:
    """The base is aligned to 2^x, and to 64 bytes where BADDR holds 52 bits."""
    cpu = Cpu(52, lpa2=True, ttst=True)
    seen = set()
    for ipa_bits, lpa2 in product(WIDTHS, (False, True)):
        for shape in cpu.choices(granule, ipa_bits, lpa2):
            x = ALIGNMENT[granule][shape.start_level] - (64 - ipa_bits)
            floor = 6 if granule is Granule.K64 or lpa2 else 0
            seen.add(shape.start_level)

            assert 1 << max(x, floor) == cpu.pgd_alignment(shape)
            assert 1 << x == cpu.pgd_alignment(Geometry(*facts(shape)), 48) or lpa2

    assert set(ALIGNMENT[granule]) == seen


def facts(shape: Geometry) -> tuple[Granule, int, int]:
    """Return a shape's facts without LPA2."""
    return shape.granule, shape.ipa_bits, shape.start_level


def test_a_kernel_with_48_bits_needs_no_floor() -> None:
    """BADDR holds 52 bits for 64K only where VTCR_EL2.PS asks for 52 bits."""
    small = Geometry(Granule.K64, 31, 2)

    assert 32 == small.pgd_size
    assert 64 == Cpu(52).pgd_alignment(small)
    assert 64 == Cpu(56).pgd_alignment(small)
    assert 64 == Cpu(52).pgd_alignment(small, 52)
    assert 32 == Cpu(52).pgd_alignment(small, 48)
    assert 32 == Cpu(48).pgd_alignment(small)
    assert 32 == Cpu(48).pgd_alignment(small, 52)
    assert 64 == Cpu(48, lpa=True).pgd_alignment(small, 52)


def test_lpa2_without_the_feature_has_no_floor() -> None:
    """VTCR_EL2.DS is RES0 on a CPU without LPA2, so BADDR is as ever."""
    shape = Geometry(Granule.K4, 40, 0, lpa2=True)

    assert 64 == Cpu(48, lpa2=True).pgd_alignment(shape)
    assert 16 == Cpu(48).pgd_alignment(shape)


@pytest.mark.parametrize("pa_bits", [0, 47, 56, 64])
def test_output_sizes_that_ps_cannot_ask_for(pa_bits: int) -> None:
    """VMSAv8-64 has seven output sizes; 56 bits are VMSAv9-128's."""
    with pytest.raises(InvalidArgument, match="pa_bits must be"):
        Cpu(56).pgd_alignment(Geometry(16, 40, 2), pa_bits)


# Where concatenation is mandatory: widths by (physical address bits, AArch32 at EL1).
MANDATORY = {
    Granule.K4: {
        (32, True): {40},
        (36, True): {40},
        (40, False): {40},
        (40, True): {40},
        (42, False): {40, 41, 42},
        (42, True): {40, 41, 42},
    },
    Granule.K16: {
        (32, True): {37, 38, 39, 40},
        (36, True): {37, 38, 39, 40},
        (40, False): {37, 38, 39, 40},
        (40, True): {37, 38, 39, 40},
        **{(pa, aarch32): {48} for pa in (48, 52, 56) for aarch32 in (False, True)},
    },
    Granule.K64: {},
}


@pytest.mark.parametrize("lpa2", [False, True])
@pytest.mark.parametrize("granule", Granule)
def test_where_concatenation_is_mandatory(granule: Granule, lpa2: bool) -> None:
    """It is mandatory in these rows and, on any CPU, nowhere else."""
    for pa_bits, aarch32, ttst in product(PA_SIZES, (False, True), (False, True)):
        cpu = Cpu(pa_bits, aarch32_el1=aarch32, ttst=ttst, lpa2=lpa2)
        expected = MANDATORY[granule].get((pa_bits, aarch32), set())
        if lpa2:
            expected = expected - {48}  # level 0 is there with DS=1

        assert expected == {
            ipa_bits
            for ipa_bits in WIDTHS
            if cpu.concatenation_is_mandatory(granule, ipa_bits)
        }


def test_the_root_where_concatenation_is_mandatory() -> None:
    """The roots are L1 x 2, 4, 8 for 4K and L2 x 2, 4, 8, 16 or L1 x 2 for 16K."""

    def roots(cpu: Cpu, granule: int, first: int, last: int) -> list[tuple[int, int]]:
        shapes = [cpu.choices(granule, i) for i in range(first, last + 1)]
        return [(g.start_level, g.concatenation) for [g] in shapes]

    assert [(1, 2), (1, 4), (1, 8)] == roots(Cpu(42), 12, 40, 42)
    assert [(2, 2), (2, 4), (2, 8), (2, 16)] == roots(Cpu(40), 14, 37, 40)
    assert [(1, 2)] == roots(Cpu(48), 14, 48, 48)


def test_kvm_is_legal_on_the_smallest_cpu_that_holds_the_ipa() -> None:
    """For every page size and IPA 32..48, KVM's shape is legal where PA just fits."""
    legal = 0
    for granule, ipa_bits in product(Granule, range(32, 49)):
        cpu = Cpu(min(pa for pa in PA_SIZES if pa >= ipa_bits))
        shape = s2geom.stage2(
            granule, ipa_bits, scheme=s2geom.Scheme.INDEPENDENT, cpu=cpu
        )
        legal += shape in cpu.choices(granule, ipa_bits)

    assert 51 == legal


def test_the_two_roots_of_the_widest_4k() -> None:
    """52 bits of 4K pages may start at level -1, or at level 0 with 16 tables."""
    deep, shallow = Cpu(52, lpa2=True).choices(12, 52)

    assert (-1, 1, 16) == (deep.start_level, deep.concatenation, deep.pgd_entries)
    assert (0, 16, 8192) == (
        shallow.start_level,
        shallow.concatenation,
        shallow.pgd_entries,
    )


def test_there_is_no_choice_that_the_cpu_cannot_walk() -> None:
    """A page size that is missing, LPA2 that is missing and too wide an IPA: none."""
    assert () == Cpu(48, granules={Granule.K4}).choices(16, 40)
    assert () == Cpu(48).choices(12, 40, lpa2=True)
    assert () == Cpu(40).choices(12, 41)
    assert () == Cpu(56, lpa2=True).choices(12, 53)
    assert not Cpu(40).concatenation_is_mandatory(12, 41)


@pytest.mark.parametrize("ipa_bits", [-1, 0, 15, 57, 64])
def test_widths_out_of_the_question(ipa_bits: int) -> None:
    """Choices are for 16..56 bits."""
    with pytest.raises(InvalidArgument) as caught:
        Cpu(48).choices(12, ipa_bits)

    assert f"ipa_bits must be 16..56, got {ipa_bits}" == str(caught.value)


def test_wrong_types_in_questions() -> None:
    """The answers take a Geometry, integers and a bool, and nothing alike."""
    cpu, shape = Cpu(48), Geometry(12, 40, 1)
    questions: list[Any] = [
        lambda: cpu.check((12, 40, 1)),  # type: ignore[arg-type]
        lambda: cpu.block_levels(None),  # type: ignore[arg-type]
        lambda: cpu.table_levels(12),  # type: ignore[arg-type]
        lambda: cpu.pgd_alignment("4K"),  # type: ignore[arg-type]
        lambda: cpu.pgd_alignment(shape, True),
        lambda: cpu.choices(12, 40.0),  # type: ignore[arg-type]
        lambda: cpu.choices(12, True),
        lambda: cpu.choices(12.0, 40),  # type: ignore[arg-type]
        lambda: cpu.choices(12, 40, 1),  # type: ignore[arg-type]
        lambda: cpu.choices(16, 40, 1),  # type: ignore[arg-type]
        lambda: cpu.concatenation_is_mandatory(12, 40, "yes"),  # type: ignore[arg-type]
    ]
    for question in questions:
        with pytest.raises(TypeError):
            question()


# Blocks


@pytest.mark.parametrize(
    ("cpu", "shape", "blocks"),
    [
        (Cpu(48), Geometry(12, 48, 0), {1, 2}),
        (Cpu(48), Geometry(12, 34, 2), {2}),
        (Cpu(48, lpa2=True), Geometry(12, 48, 0, lpa2=True), {0, 1, 2}),
        (Cpu(52, lpa2=True), Geometry(12, 52, -1, lpa2=True), {0, 1, 2}),
        (Cpu(52, lpa2=True), Geometry(12, 48, 0), {1, 2}),
        (Cpu(48), Geometry(12, 48, 0, lpa2=True), {1, 2}),
        (Cpu(48), Geometry(14, 47, 1), {2}),
        (Cpu(48, lpa2=True), Geometry(14, 47, 1, lpa2=True), {1, 2}),
        (Cpu(52, lpa2={Granule.K4}), Geometry(14, 47, 1, lpa2=True), {2}),
        (Cpu(52), Geometry(16, 46, 2), {2}),
        (Cpu(52), Geometry(16, 43, 1), {1, 2}),
        (Cpu(56), Geometry(16, 43, 1), {1, 2}),
        (Cpu(48), Geometry(16, 48, 1), {2}),
        (Cpu(48), Geometry(16, 33, 3), set()),
    ],
)
def test_block_levels(cpu: Cpu, shape: Geometry, blocks: set[int]) -> None:
    """Blocks are where the CPU has them, in the levels that the tree has."""
    levels = cpu.table_levels(shape)

    assert blocks == cpu.block_levels(shape)
    assert blocks == {level.number for level in levels if level.leaf == "block"}
    assert [3] == [level.number for level in levels if level.leaf == "page"]


def test_levels_differ_from_the_shape_in_their_leaf_alone() -> None:
    """Sizes and contiguous groups are the shape's; a 4 TiB block has no group."""
    shape = Geometry(16, 48, 1)
    top, middle, last = Cpu(52).table_levels(shape)

    assert (None, "block") == (shape.level(1).leaf, top.leaf)
    assert (1 << 42, 0) == (top.entry_size, top.contiguous)
    assert (shape.level(2), shape.level(3)) == (middle, last)
    assert (32, 32) == (middle.contiguous, last.contiguous)


# The words

FULL = Cpu(56, lpa2=True, ttst=True)

MESSAGES = [
    (
        Cpu(48, granules={Granule.K4, Granule.K64}),
        Geometry(14, 40, 2),
        ("granule-not-implemented", "cpu", "16K", "4K, 64K"),
        "the CPU does not implement 16K pages at stage 2; it implements 4K, 64K",
        "use 4K or 64K pages, or a CPU with 16K",
    ),
    (
        Cpu(48, granules=frozenset()),
        Geometry(14, 40, 2),
        ("granule-not-implemented", "cpu", "16K", "none"),
        "the CPU does not implement 16K pages at stage 2; it implements none",
        "use a CPU that has 16K pages at stage 2",
    ),
    (
        FULL,
        Geometry(16, 40, 2, lpa2=True),
        ("lpa2-with-64k", "architecture", "64K", "4K, 16K"),
        (
            "64K pages have no LPA2: VTCR_EL2.DS is RES0, and 52-bit addresses come "
            "with FEAT_LPA; LPA2 is for 4K and 16K pages"
        ),
        "turn LPA2 off",
    ),
    (
        Cpu(52, lpa2={Granule.K4}),
        Geometry(14, 40, 2, lpa2=True),
        ("lpa2-not-implemented", "cpu", "16K", "4K"),
        (
            "the CPU has no LPA2 for 16K pages at stage 2, so VTCR_EL2.DS is RES0; "
            "page sizes it has LPA2 for: 4K"
        ),
        "turn LPA2 off, or use a CPU with LPA2 for 16K",
    ),
    (
        Cpu(52, lpa2={Granule.K4}),
        Geometry(14, 48, 0, lpa2=True),
        ("lpa2-not-implemented", "cpu", "16K", "4K"),
        (
            "the CPU has no LPA2 for 16K pages at stage 2, so VTCR_EL2.DS is RES0; "
            "page sizes it has LPA2 for: 4K"
        ),
        "use a CPU with LPA2 for 16K",
    ),
    (
        Cpu(52),
        Geometry(12, 48, 0, lpa2=True),
        ("lpa2-not-implemented", "cpu", "4K", "none"),
        (
            "the CPU has no LPA2 for 4K pages at stage 2, so VTCR_EL2.DS is RES0; "
            "page sizes it has LPA2 for: none"
        ),
        "turn LPA2 off, or use a CPU with LPA2 for 4K",
    ),
    (
        Cpu(52),
        Geometry(12, 49, 0, lpa2=True),
        ("lpa2-not-implemented", "cpu", "4K", "none"),
        (
            "the CPU has no LPA2 for 4K pages at stage 2, so VTCR_EL2.DS is RES0; "
            "page sizes it has LPA2 for: none"
        ),
        "use a CPU with LPA2 for 4K",
    ),
    (
        FULL,
        Geometry(12, 15, 3),
        ("t0sz-above-maximum", "architecture", 49, 48),
        (
            "a 15-bit IPA (T0SZ 49) is 1 bit below what 4K pages translate on any "
            "CPU; the smallest IPA they support is 16 bits (T0SZ 48), with FEAT_TTST"
        ),
        "use an IPA of at least 16 bits",
    ),
    (
        FULL,
        Geometry(12, 5, 3),
        ("t0sz-above-maximum", "architecture", 59, 48),
        (
            "a 5-bit IPA (T0SZ 59) is 11 bits below what 4K pages translate on any "
            "CPU; the smallest IPA they support is 16 bits (T0SZ 48), with FEAT_TTST"
        ),
        "use an IPA of at least 16 bits",
    ),
    (
        Cpu(48),
        Geometry(14, 15, 3),
        ("t0sz-above-maximum", "architecture", 49, 48),
        (
            "a 15-bit IPA (T0SZ 49) is 1 bit below what 16K pages translate on any "
            "CPU; the smallest IPA they support is 16 bits (T0SZ 48), with FEAT_TTST"
        ),
        "use an IPA of at least 25 bits, or of 16 bits on a CPU with FEAT_TTST",
    ),
    (
        Cpu(48),
        Geometry(14, 18, 3),
        ("t0sz-needs-ttst", "cpu", 46, 39),
        (
            "an 18-bit IPA (T0SZ 46) is 7 bits below what the CPU translates without "
            "FEAT_TTST; the smallest IPA it supports is 25 bits (T0SZ 39)"
        ),
        "use an IPA of at least 25 bits, or a CPU with FEAT_TTST",
    ),
    (
        FULL,
        Geometry(16, 54, 1),
        ("ipa-above-52", "architecture", 54, 52),
        (
            "a 54-bit IPA is 2 bits above what VMSAv8-64 translates; the largest IPA "
            "it supports is 52 bits"
        ),
        "use an IPA of at most 52 bits",
    ),
    (
        FULL,
        Geometry(16, 64, 1),
        ("ipa-above-52", "architecture", 64, 52),
        (
            "a 64-bit IPA is 12 bits above what VMSAv8-64 translates; the largest IPA "
            "it supports is 52 bits"
        ),
        "use an IPA of at most 52 bits",
    ),
    (
        FULL,
        Geometry(14, 49, 2),
        ("ipa-above-48-without-lpa2", "architecture", 49, 48),
        (
            "a 49-bit IPA is 1 bit above what 16K pages translate without LPA2 "
            "(VTCR_EL2.DS=0); the largest IPA they support is 48 bits"
        ),
        "use an IPA of at most 48 bits, or LPA2, or 64K pages",
    ),
    (
        FULL,
        Geometry(14, 64, 1),
        ("ipa-above-48-without-lpa2", "architecture", 64, 48),
        (
            "a 64-bit IPA is 16 bits above what 16K pages translate without LPA2 "
            "(VTCR_EL2.DS=0); the largest IPA they support is 48 bits"
        ),
        "use an IPA of at most 48 bits, or LPA2, or 64K pages",
    ),
    (
        FULL,
        Geometry(14, 51, 1),
        ("ipa-above-48-without-lpa2", "architecture", 51, 48),
        (
            "a 51-bit IPA is 3 bits above what 16K pages translate without LPA2 "
            "(VTCR_EL2.DS=0); the largest IPA they support is 48 bits"
        ),
        ("use an IPA of at most 48 bits, or LPA2, or 64K pages"),
    ),
    (
        Cpu(52, granules={Granule.K4, Granule.K16}),
        Geometry(14, 51, 1),
        ("ipa-above-48-without-lpa2", "architecture", 51, 48),
        (
            "a 51-bit IPA is 3 bits above what 16K pages translate without LPA2 "
            "(VTCR_EL2.DS=0); the largest IPA they support is 48 bits"
        ),
        "use an IPA of at most 48 bits, or LPA2 on a CPU that has it for 16K",
    ),
    (
        Cpu(44),
        Geometry(12, 45, 0),
        ("ipa-exceeds-pa", "cpu", 45, 44),
        (
            "a 45-bit IPA is 1 bit above the CPU's 44-bit physical addresses "
            "(PARange); the largest IPA it supports is 44 bits"
        ),
        "use an IPA of at most 44 bits, or a CPU with a larger PARange",
    ),
    (
        Cpu(32),
        Geometry(12, 64, 1),
        ("ipa-exceeds-pa", "cpu", 64, 32),
        (
            "a 64-bit IPA is 32 bits above the CPU's 32-bit physical addresses "
            "(PARange); the largest IPA it supports is 32 bits"
        ),
        "use an IPA of at most 32 bits, or a CPU with a larger PARange",
    ),
    (
        Cpu(36, aarch32_el1=True),
        Geometry(12, 42, 1),
        ("ipa-exceeds-pa", "cpu", 42, 40),
        (
            "a 42-bit IPA is 2 bits above the 40 bits that AArch32 at EL1 has on a "
            "CPU with 36-bit physical addresses (PARange); the largest IPA it "
            "supports is 40 bits"
        ),
        "use an IPA of at most 40 bits, or a CPU with a larger PARange",
    ),
    (
        Cpu(48),
        Geometry(16, 46, 0),
        ("start-level-does-not-exist", "architecture", 0, 1),
        "64K pages have no start level 0: VTCR_EL2 encodes 1..3 for them",
        "start at level 2 with 16 tables or at level 1, or use a start level of 1..3",
    ),
    (
        Cpu(48),
        Geometry(14, 48, 0),
        ("start-level-needs-lpa2", "architecture", 0, 1),
        (
            "16K pages start at level 0 only with LPA2 (VTCR_EL2.DS=1); the first "
            "start level without it is 1"
        ),
        "start at level 1 with 2 tables, or use LPA2 on a CPU that has it for 16K",
    ),
    (
        FULL,
        Geometry(12, 49, -1),
        ("ipa-above-48-without-lpa2", "architecture", 49, 48),
        (
            "a 49-bit IPA is 1 bit above what 4K pages translate without LPA2 "
            "(VTCR_EL2.DS=0); the largest IPA they support is 48 bits"
        ),
        "use an IPA of at most 48 bits, or LPA2",
    ),
    (
        FULL,
        Geometry(12, 49, -1),
        ("start-level-needs-lpa2", "architecture", -1, 0),
        (
            "4K pages start at level -1 only with LPA2 (VTCR_EL2.DS=1); the first "
            "start level without it is 0"
        ),
        "use LPA2",
    ),
    (
        Cpu(42),
        Geometry(12, 42, 0),
        ("start-level-needs-pa", "cpu", 0, 1),
        (
            "4K pages start at level 0 only on a CPU with 44 or more bits of physical "
            "address, but this one has 42 (PARange); the first start level it has is 1"
        ),
        (
            "start at level 1 with 8 tables, or use a CPU with 44 or more bits of "
            "physical address"
        ),
    ),
    (
        Cpu(42),
        Geometry(16, 42, 1),
        ("start-level-needs-pa", "cpu", 1, 2),
        (
            "64K pages start at level 1 only on a CPU with 44 or more bits of physical "
            "address, but this one has 42 (PARange); the first start level it has is 2"
        ),
        "start at level 2, or use a CPU with 44 or more bits of physical address",
    ),
    (
        Cpu(40),
        Geometry(14, 40, 1),
        ("start-level-needs-pa", "cpu", 1, 2),
        (
            "16K pages start at level 1 only on a CPU with 42 or more bits of "
            "physical address, but this one has 40 (PARange); the first start level "
            "it has is 2"
        ),
        (
            "start at level 2 with 16 tables, or use a CPU with 42 or more bits of "
            "physical address"
        ),
    ),
    (
        Cpu(48),
        Geometry(12, 25, 3),
        ("start-level-needs-ttst", "cpu", 3, 2),
        (
            "4K pages start at level 3 only on a CPU with FEAT_TTST; the last start "
            "level without it is 2"
        ),
        "start at level 2, or use a CPU with FEAT_TTST",
    ),
    (
        Cpu(48),
        Geometry(16, 47, 2),
        ("ipa-too-large-for-start-level", "architecture", 47, 46),
        (
            "a 47-bit IPA takes 32 tables at level 2, but the architecture "
            "concatenates at most 16; the largest IPA that 64K pages start there is "
            "46 bits"
        ),
        "start at level 1, or use an IPA of at most 46 bits",
    ),
    (
        Cpu(40),
        Geometry(12, 32, 0),
        ("ipa-too-small-for-start-level", "architecture", 32, 40),
        (
            "a 32-bit IPA leaves level 0 no bit to index with: one entry there maps "
            "39 bits; the smallest IPA that 4K pages start there is 40 bits"
        ),
        (
            "start at level 2 with 4 tables or at level 1, or use an IPA of at least "
            "40 bits"
        ),
    ),
    (
        Cpu(36),
        Geometry(12, 40, 0),
        ("start-level-needs-pa", "cpu", 0, 1),
        (
            "4K pages start at level 0 only on a CPU with 44 or more bits of physical "
            "address, but this one has 36 (PARange); the first start level it has is 1"
        ),
        "use a CPU with 44 or more bits of physical address",
    ),
    (
        Cpu(48),
        Geometry(12, 16, 0),
        ("ipa-too-small-for-start-level", "architecture", 16, 40),
        (
            "a 16-bit IPA leaves level 0 no bit to index with: one entry there maps "
            "39 bits; the smallest IPA that 4K pages start there is 40 bits"
        ),
        "use an IPA of at least 40 bits",
    ),
    (
        Cpu(36),
        Geometry(12, 16, 0),
        ("ipa-too-small-for-start-level", "architecture", 16, 40),
        (
            "a 16-bit IPA leaves level 0 no bit to index with: one entry there maps "
            "39 bits; the smallest IPA that 4K pages start there is 40 bits"
        ),
        "use a start level above 0",
    ),
    (
        Cpu(48),
        Geometry(12, 32, 0),
        ("ipa-too-small-for-start-level", "architecture", 32, 40),
        (
            "a 32-bit IPA leaves level 0 no bit to index with: one entry there maps "
            "39 bits; the smallest IPA that 4K pages start there is 40 bits"
        ),
        (
            "start at level 2 with 4 tables or at level 1, or use an IPA of at least "
            "40 bits"
        ),
    ),
]


@pytest.mark.parametrize(("cpu", "shape", "data", "message", "fix"), MESSAGES)
def test_words_of_each_rule(
    cpu: Cpu, shape: Geometry, data: tuple[object, ...], message: str, fix: str
) -> None:
    """Which limit, whose, how far over, what would fit, and what to change."""
    [broken] = [found for found in cpu.check(shape) if found.rule == data[0]]

    assert data == (broken.rule, broken.limited_by, broken.given, broken.limit)
    assert message == broken.message
    assert fix == broken.fix


RANGE_RULES = {
    "t0sz-above-maximum",
    "t0sz-needs-ttst",
    "ipa-above-52",
    "ipa-above-48-without-lpa2",
    "ipa-exceeds-pa",
}
WIDTH_OF_LEVEL = {"ipa-too-large-for-start-level", "ipa-too-small-for-start-level"}
"""A width that a CPU has may still be wrong for a start level: that is said apart."""

REMEDY_CPUS = [
    Cpu(32),
    Cpu(36, aarch32_el1=True),
    Cpu(40, granules={Granule.K4, Granule.K16}),
    Cpu(44, ttst=True),
    Cpu(48),
    Cpu(52, lpa2={Granule.K16}, granules={Granule.K4, Granule.K16}),
    FULL,
]


def rules_of(broken: tuple[s2geom.Violation, ...]) -> set[str]:
    """Return the names of what is broken."""
    return {violation.rule for violation in broken}


@pytest.mark.parametrize("cpu", REMEDY_CPUS, ids=str)
def test_a_fix_passes_every_other_limit(cpu: Cpu) -> None:
    """What a fix proposes is done: its rule is content, and no new one objects."""
    done = set()
    for granule, bits, level, lpa2 in product(Granule, WIDTHS, LEVELS, (False, True)):
        shape = Geometry(granule, bits, level, lpa2=lpa2)
        before = cpu.check(shape)
        for broken in before:
            for kind, other in tried(shape, broken.fix):
                # A width is named with all of a CPU's ranges in mind.
                allowed = rules_of(before) | WIDTH_OF_LEVEL
                allowed -= {broken.rule} | (RANGE_RULES if kind == "width" else set())
                assert rules_of(cpu.check(other)) <= allowed, (shape, broken.fix)
                done.add(kind)
            for start, tables in re.findall(
                r"at level (-?\d)(?: with (\d+) tables)?", broken.fix
            ):
                other = evolve(shape, start_level=int(start))
                assert not rules_of(cpu.check(other))
                assert int(tables or 1) == other.concatenation
                done.add("start")

    assert {"width", "lpa2", "start"} == done


def tried(shape: Geometry, fix: str) -> Iterator[tuple[str, Geometry]]:
    """Return the shapes that a fix proposes, those for another CPU left out."""
    if found := re.search(r"use an IPA of at (?:most|least) (\d+) bits", fix):
        yield "width", evolve(shape, ipa_bits=int(found[1]))
    if "turn LPA2 off" in fix:
        yield "lpa2", evolve(shape, lpa2=False)
    if re.search(r"or LPA2(?! on)", fix):
        yield "lpa2", evolve(shape, lpa2=True)


def test_every_rule_has_its_words_tested() -> None:
    """The ids are part of the public interface; each has a row above."""
    assert {data[0] for _, _, data, _, _ in MESSAGES} == {rule.id for rule in CPU_RULES}


def test_rules_say_where_they_are_written_down() -> None:
    """Each rule has one id, a sentence for the documentation, and a source."""
    assert len(CPU_RULES) == len({rule.id for rule in CPU_RULES})
    assert len(CPU_RULES) == len({rule.states for rule in CPU_RULES})
    for rule in CPU_RULES:
        assert rule.source.startswith("Arm ARM ")
        assert rule.limited_by in {"cpu", "architecture"}


def test_every_broken_rule_is_reported() -> None:
    """A shape that breaks several rules gets all of them, in the CPU's own order."""
    broken = Cpu(40).check(Geometry(12, 53, -1))

    assert [
        "ipa-above-52",
        "ipa-above-48-without-lpa2",
        "ipa-exceeds-pa",
        "start-level-needs-lpa2",
    ] == [violation.rule for violation in broken]


def test_a_width_may_be_wrong_in_itself_and_for_its_level() -> None:
    """16 bits of 64K pages are below the smallest T0SZ, and below one entry of L3."""
    first, second = FULL.check(Geometry(16, 16, 3))

    assert ("t0sz-above-maximum", 48, 47) == (first.rule, first.given, first.limit)
    assert ("ipa-too-small-for-start-level", 17) == (second.rule, second.limit)


def test_a_start_level_that_no_word_encodes_is_named_as_such() -> None:
    """4K begins at -1, 16K at 0 and 64K at 1; what is above is no level at all."""
    unnamed = {
        (granule, level)
        for granule in (12, 14, 16)
        for level in range(-1, 4)
        if "start-level-does-not-exist"
        in {why.rule for why in Cpu(52, lpa2=True).check(Geometry(granule, 48, level))}
    }

    assert {(14, -1), (16, -1), (16, 0)} == unnamed


def test_page_sizes_to_choose_from() -> None:
    """Page sizes are joined by commas and a last "or"."""
    assert "4K, 16K or 64K" == a_page_size(ALL)
    assert "4K or 64K" == a_page_size({Granule.K64, Granule.K4})
    assert "16K" == a_page_size([Granule.K16])


def test_none_is_a_cpu_with_every_feature() -> None:
    """None stands for a CPU with every feature; any other value is a `TypeError`."""
    assert cpu_of(None) is ANY_CPU
    assert ANY_CPU == Cpu(56, lpa2=True, ttst=True, aarch32_el1=True)
    assert optional_cpu(None) is None
    for cpu in (Cpu(40), FULL):
        assert cpu is cpu_of(cpu)
        assert cpu is optional_cpu(cpu)
    for wrong in (0, False, "48", Cpu):
        for ask in (cpu_of, optional_cpu):
            with pytest.raises(TypeError, match="cpu must be a Cpu or None, got "):
                ask(wrong)
