# SPDX-License-Identifier: MIT
"""The policies of kernels and hypervisors, against what each program computes."""

import pickle
from itertools import product
from typing import Any

import numpy as np
import pytest

import s2geom
from s2geom import (
    POLICIES,
    Cpu,
    Geometry,
    Granule,
    InvalidArgument,
    Policy,
    PolicyChoice,
    PolicyRow,
    compare_policies,
)

PA_SIZES = (32, 36, 40, 42, 44, 48, 52, 56)
WIDTHS = range(16, 57)
NAMES = [
    "kvm",
    "io_pgtable",
    "io_pgtable_before_v6_14",
    "xen",
    "hafnium",
    "m1n1",
    "jailhouse",
    "bao",
    "bhyve",
    "gunyah",
    "pkvm_host",
]


def root(choice: PolicyChoice) -> tuple[int, int, int] | None:
    """Return width, start level and tables; None where the policy is silent."""
    shape = choice.geometry
    if shape is None:
        return None
    return shape.ipa_bits, shape.start_level, shape.concatenation


def roots(name: str) -> dict[tuple[int, int, int], tuple[int, int, int]]:
    """Return every answer of a policy, by page shift, physical bits and IPA bits."""
    answers = {
        (int(granule), pa_bits, ipa_bits): root(
            POLICIES[name].choose(Cpu(pa_bits, lpa2=True), granule, ipa_bits)
        )
        for granule, pa_bits, ipa_bits in product(Granule, PA_SIZES, WIDTHS)
    }
    return {question: answer for question, answer in answers.items() if answer}


def test_the_policies_by_name() -> None:
    """The key is the name; each has a summary and a source."""
    assert NAMES == list(POLICIES)
    for name, policy in POLICIES.items():
        assert name == policy.name
        assert policy.summary
        assert policy.source
    with pytest.raises(TypeError):
        POLICIES["mine"] = POLICIES["kvm"]  # type: ignore[index]


# What each program computes


def test_kvm_takes_the_levels_of_four_bits_less() -> None:
    """Start level 4 - max(2, (IPA - 8) div stride), for 32 bits up to PARange."""
    expected = {}
    for page, pa_bits, ipa_bits in product((12, 14, 16), PA_SIZES, range(32, 53)):
        if ipa_bits <= pa_bits:
            stride = page - 3
            start = 4 - max(2, -(-(ipa_bits - 4 - page) // stride))
            index_bits = ipa_bits - (page + stride * (3 - start))
            tables = 1 << max(0, index_bits - stride)
            expected[page, pa_bits, ipa_bits] = (ipa_bits, start, tables)

    assert expected == roots("kvm")


def unfolded(page: int, ipa_bits: int) -> tuple[int, int]:
    """Start level and entries of io-pgtable's root before any folding."""
    stride = page - 3
    levels = -(-(ipa_bits - page) // stride)
    return 4 - levels, 1 << (ipa_bits - page - stride * (levels - 1))


def test_io_pgtable_concatenates_where_it_must() -> None:
    """16K: no level 0 for 48 bits, no level 1 for 40; 4K: no level 0 for 40 and 42."""
    expected = {}
    for page, pa_bits, asked in product((12, 14, 16), PA_SIZES, range(32, 57)):
        most = 52 if page == 16 else 48
        ias, oas = min(asked, most), min(pa_bits, most)
        start, entries = unfolded(page, ias)
        must = (
            (page == 14 and start == 0 and 48 in {ias, oas})
            or (page == 12 and start == 0 and oas in {40, 42})
            or (page == 14 and start == 1 and oas == 40)
        )
        if must and entries > 16:
            continue  # it warns and gives up
        expected[page, pa_bits, asked] = (
            (ias, start + 1, entries) if must else (ias, start, 1)
        )

    assert expected == roots("io_pgtable")


def test_io_pgtable_used_to_fold_a_small_level_0() -> None:
    """Before v6.14 it concatenated in place of a level 0 of at most 16 entries."""
    expected = {}
    for page, pa_bits, asked in product((12, 14, 16), PA_SIZES, range(32, 57)):
        ias = min(asked, 52 if page == 16 else 48)
        start, entries = unfolded(page, ias)
        folds = start == 0 and entries <= 16
        expected[page, pa_bits, asked] = (ias, 1, entries) if folds else (ias, start, 1)

    assert expected == roots("io_pgtable_before_v6_14")


def test_xen_has_a_row_for_each_parange() -> None:
    """Physical bits to T0SZ, tables and SL0, as its own table has them."""
    table = {
        32: (32, 1, 1),
        36: (28, 1, 1),
        40: (24, 2, 1),
        42: (22, 8, 1),
        44: (20, 1, 2),
        48: (16, 1, 2),
        52: (16, 1, 2),  # Xen's p2m_ipa_bits is at most PADDR_BITS, which is 48
    }

    assert {
        (12, pa_bits, 64 - t0sz): (64 - t0sz, 2 - sl0, tables)
        for pa_bits, (t0sz, tables, sl0) in table.items()
    } == roots("xen")


def test_hafnium_uses_as_many_tables_as_it_can() -> None:
    """Level 0 from 44 bits, 1 from 35, else 2; tables by the remainder of nine."""
    expected = {}
    for pa_bits in (32, 36, 40, 42, 44, 48, 52):
        bits = min(pa_bits, 48)
        start = 0 if bits >= 44 else 1 if bits >= 35 else 2
        rest = (bits - 12) % 9
        expected[12, pa_bits, bits] = (bits, start, 1 << rest if rest <= 4 else 1)

    assert expected == roots("hafnium")


def test_m1n1_never_concatenates() -> None:
    """At most 44 bits of 16K pages, from level 2 up to 36 bits, else from level 1."""
    expected = {}
    for pa_bits in (32, 36, 40, 42, 44, 48, 52):
        bits = min(44, pa_bits)
        expected[14, pa_bits, bits] = (bits, 2 if bits <= 36 else 1, 1)

    assert expected == roots("m1n1")


def test_jailhouse_starts_at_level_0_from_44_bits() -> None:
    """SL0 is 2 from 44 bits and else 1; PARange is cut at 48 bits."""
    expected = {}
    for pa_bits in PA_SIZES:
        bits = min(48, pa_bits)
        start = 0 if bits >= 44 else 1
        tables = 1 << (bits - 39) if 39 < bits < 44 else 1
        expected[12, pa_bits, bits] = (bits, start, tables)

    assert expected == roots("jailhouse")


def test_bao_has_a_table_of_six_sizes() -> None:
    """64 less the size, cut to five bits, is T0SZ: 32 bits give 0, which is 64 bits."""
    expected = {}
    for pa_bits in (32, 36, 40, 42, 44, 48):
        programmed = 64 - ((64 - pa_bits) & 0x1F)
        start = 1 if pa_bits < 44 else 0
        index_bits = programmed - 30 - (9 if start == 0 else 0)
        tables = 1 << max(0, index_bits - 9)
        expected[12, pa_bits, pa_bits] = (programmed, start, tables)

    assert (64, 1, 1 << 25) == expected[12, 32, 32]
    assert expected == roots("bao")


def test_bhyve_has_39_bits_whatever_the_page_size() -> None:
    """Three levels but for 16K with 36 bits; a CPU with 32 bits is refused."""
    expected = {(12, 36, 36): (36, 1, 1), (14, 36, 36): (36, 2, 1)}
    for page, pa_bits in product((12, 14), (40, 42, 44, 48, 52, 56)):
        expected[page, pa_bits, 39] = (39, 1, 1)

    assert expected == roots("bhyve")


def test_gunyah_starts_as_deep_as_16_tables_allow() -> None:
    """It starts at the deepest level whose index has all but four bits."""
    expected = {}
    for pa_bits, bits in product((32, 36, 40, 42, 44, 48, 52), range(26, 49)):
        if bits <= pa_bits:
            start = next(level for level in (2, 1, 0) if bits <= 34 + 9 * (2 - level))
            size = 30 + 9 * (2 - start)
            expected[12, pa_bits, bits] = (bits, start, 1 << max(0, bits - size))

    assert expected == roots("gunyah")


@pytest.mark.parametrize("lpa2", [False, True])
def test_the_protected_host_has_an_identity_map(lpa2: bool) -> None:
    """Start level and tables by PARange, as KVM programs them for the host itself."""
    table = {
        12: {32: (2, 4), 36: (1, 1), 40: (1, 2), 42: (1, 8), 44: (0, 1), 48: (0, 1)},
        14: {32: (2, 1), 36: (2, 1), 40: (2, 16), 42: (1, 1), 44: (1, 1), 48: (1, 2)},
        16: {32: (2, 1), 36: (2, 1), 40: (2, 1), 42: (2, 1), 44: (2, 4), 48: (1, 1)},
    }
    wide = {12: (0, 16), 14: (0, 1), 16: (1, 1)}
    for page, pa_bits in product((12, 14, 16), PA_SIZES):
        cpu = Cpu(pa_bits, lpa2=lpa2)
        most = 52 if lpa2 and page != 16 else 48
        bits = min(most, pa_bits)
        choice = POLICIES["pkvm_host"].choose(cpu, page, bits)
        start, tables = wide[page] if bits == 52 else table[page][bits]

        assert (bits, start, tables) == root(choice)
        assert choice.geometry is not None
        assert (lpa2 and page != 16) is choice.geometry.lpa2
        assert choice.legal
        if page != 16 and pa_bits > 48:
            other = POLICIES["pkvm_host"].choose(cpu, page, 100 - most)
            assert root(other) is None

    choice = POLICIES["pkvm_host"].choose(Cpu(52), 16, 52)
    assert (52, 1, 1) == root(choice)  # with CONFIG_ARM64_PA_BITS=52


def test_a_row_of_an_older_pickle_is_for_every_cpu() -> None:
    """Rows that were stored before ``lpa2`` came load with its default."""
    row: Any = PolicyRow(Granule.K4, 32, 39, start_level=1)
    older = {
        name: value for name, value in row.__getstate__().items() if name != "lpa2"
    }
    restored: Any = PolicyRow.__new__(PolicyRow)
    restored.__setstate__(older)

    assert row == restored


def test_only_kvm_uses_lpa2() -> None:
    """No other policy sets VTCR_EL2.DS, but KVM's for its own host."""
    cpu = Cpu(52, lpa2=True)
    users = {
        choice.policy
        for granule, ipa_bits in product(Granule, WIDTHS)
        for choice in compare_policies(cpu, granule, ipa_bits)
        if choice.geometry and choice.geometry.lpa2
    }

    assert {"kvm", "pkvm_host"} == users


# What the architecture says to it


def test_kvm_is_always_legal() -> None:
    """On every CPU KVM refuses, or its shape is legal."""
    for pa_bits, lpa2, granule, ipa_bits in product(
        PA_SIZES, (False, True), Granule, WIDTHS
    ):
        choice = POLICIES["kvm"].choose(Cpu(pa_bits, lpa2=lpa2), granule, ipa_bits)

        assert (choice.geometry is not None) is choice.legal


# Where a policy is illegal although the IPA is no wider than the physical addresses:
# page shift, physical bits and IPA bits.
ILLEGAL: dict[str, set[tuple[int, int, int]]] = {
    "kvm": set(),
    "io_pgtable": set(),
    "io_pgtable_before_v6_14": {
        (14, 40, 37),
        (14, 40, 38),
        (14, 40, 39),
        (14, 40, 40),
    },
    "xen": set(),
    "hafnium": set(),
    "m1n1": {(14, 40, 40)},
    "jailhouse": set(),
    "bao": {(12, 32, 32)},
    "bhyve": {(14, 40, 39)},
    "gunyah": set(),
    "pkvm_host": set(),
}


@pytest.mark.parametrize("name", NAMES)
def test_where_a_policy_is_illegal(name: str) -> None:
    """These are all its illegal shapes on CPUs with every page size and LPA2."""
    found = {
        (int(granule), pa_bits, ipa_bits)
        for granule, pa_bits in product(Granule, PA_SIZES)
        for ipa_bits in range(32, min(pa_bits, 52) + 1)
        for choice in [
            POLICIES[name].choose(Cpu(pa_bits, lpa2=True), granule, ipa_bits)
        ]
        if choice.geometry and not choice.legal
    }

    assert ILLEGAL[name] == found


def test_the_verdict_is_the_cpus_own() -> None:
    """A shape's violations are those of Cpu.check, whatever the CPU lacks."""
    for cpu in (Cpu(36, aarch32_el1=True), Cpu(44, granules={Granule.K64})):
        for granule, ipa_bits in product(Granule, (32, 40, 44)):
            for choice in compare_policies(cpu, granule, ipa_bits):
                if choice.geometry:
                    assert cpu.check(choice.geometry) == choice.violations


def test_io_pgtable_with_an_input_wider_than_the_output() -> None:
    """40 bits for AArch32 on a 36-bit SMMU: level 0, which such a CPU lacks."""
    choice = POLICIES["io_pgtable"].choose(Cpu(36, aarch32_el1=True), 12, 40)

    assert Geometry(Granule.K4, 40, 0) == choice.geometry
    assert ["start-level-needs-pa"] == [v.rule for v in choice.violations]
    assert Cpu(36, aarch32_el1=True).concatenation_is_mandatory(12, 40)


# Silence


@pytest.mark.parametrize(
    ("name", "pa_bits", "granule", "ipa_bits", "data", "message", "fix"),
    [
        (
            "xen",
            44,
            14,
            44,
            ("policy-without-granule", "16K", "4K"),
            "xen has no 16K pages at stage 2; it has 4K",
            "ask for 4K pages",
        ),
        (
            "xen",
            44,
            12,
            40,
            ("policy-without-width", 40, "44"),
            (
                "xen never programs a 40-bit IPA on a CPU with 44-bit physical "
                "addresses; widths it has there: 44"
            ),
            "ask for a width of 44 bits",
        ),
        (
            "io_pgtable",
            40,
            14,
            44,
            ("policy-without-width", 44, "32 to 40, 48 to 56"),
            (
                "io_pgtable never programs a 44-bit IPA on a CPU with 40-bit physical "
                "addresses; widths it has there: 32 to 40, 48 to 56"
            ),
            "ask for a width of 32 to 40, 48 to 56 bits",
        ),
        (
            "m1n1",
            56,
            14,
            18,
            ("policy-without-width", 18, "none"),
            (
                "m1n1 never programs an 18-bit IPA on a CPU with 56-bit physical "
                "addresses; widths it has there: none"
            ),
            "ask about a CPU that m1n1 knows",
        ),
    ],
)
def test_why_a_policy_has_no_shape(
    name: str,
    pa_bits: int,
    granule: int,
    ipa_bits: int,
    data: tuple[object, ...],
    message: str,
    fix: str,
) -> None:
    """The violation says what the software has instead, and the source."""
    choice = POLICIES[name].choose(Cpu(pa_bits), granule, ipa_bits)
    [why] = choice.violations

    assert choice.geometry is None
    assert not choice.legal
    assert data == (why.rule, why.given, why.limit)
    assert message == why.message
    assert fix == why.fix
    assert "host kernel" == why.limited_by
    assert POLICIES[name].source == why.source


def test_the_widths_in_a_reason_are_the_ones_it_takes() -> None:
    """Each width in the limit of such a violation has a shape, and no other has."""
    for name, pa_bits, granule in product(NAMES[1:], PA_SIZES, Granule):
        policy, cpu = POLICIES[name], Cpu(pa_bits)
        choices = {i: policy.choose(cpu, granule, i) for i in WIDTHS}
        taken = {i for i, choice in choices.items() if choice.geometry}
        for ipa_bits in set(WIDTHS) - taken:
            [why] = choices[ipa_bits].violations
            if why.rule == "policy-without-width" and taken:
                runs = [run.split(" to ") for run in str(why.limit).split(", ")]

                assert taken == {
                    i for run in runs for i in range(int(run[0]), int(run[-1]) + 1)
                }


def test_kvm_refuses_in_its_own_words() -> None:
    """Where KVM has no shape, its reasons are those of s2geom.check()."""
    cpu = Cpu(44)
    choice = POLICIES["kvm"].choose(cpu, 12, 45)

    assert choice.geometry is None
    assert s2geom.check(12, 45, scheme=s2geom.Scheme.LPA2, cpu=cpu) == choice.violations
    assert ["ipa-above-parange"] == [why.rule for why in choice.violations]


# The comparison


def test_every_policy_has_a_row() -> None:
    """For any input each policy has one answer, in the order of POLICIES."""
    for granule, ipa_bits in product(Granule, WIDTHS):
        rows = compare_policies(Cpu(44), granule, ipa_bits)

        assert NAMES == [row.policy for row in rows]
        assert all(row.geometry or row.violations for row in rows)


def test_four_answers_to_the_same_question() -> None:
    """40 bits of 4K pages on a CPU with 44 bits: the policies differ."""
    answers = {row.policy: root(row) for row in compare_policies(Cpu(44), 12, 40)}

    assert {
        "kvm": (40, 1, 2),
        "io_pgtable": (40, 0, 1),
        "io_pgtable_before_v6_14": (40, 1, 2),
        "xen": None,
        "hafnium": None,
        "m1n1": None,
        "jailhouse": None,
        "bao": None,
        "bhyve": None,
        "gunyah": (40, 1, 2),
        "pkvm_host": None,
    } == answers


@pytest.mark.parametrize("ipa_bits", [15, 57, -1])
def test_widths_out_of_range(ipa_bits: int) -> None:
    """Policies answer for 16..56 bits."""
    with pytest.raises(InvalidArgument, match=r"ipa_bits must be 16\.\.56"):
        compare_policies(Cpu(48), 12, ipa_bits)


@pytest.mark.parametrize(
    "arguments",
    [
        (48, 12, 40),
        (None, 12, 40),
        (Cpu(48), 12.0, 40),
        (Cpu(48), 12, 40.0),
        (Cpu(48), 12, True),
    ],
)
def test_wrong_types(arguments: tuple[Any, Any, Any]) -> None:
    """Anything but a CPU and two integers is a TypeError."""
    with pytest.raises(TypeError):
        compare_policies(*arguments)


def test_numpy_integers() -> None:
    """Whatever has __index__ is accepted as an integer."""
    assert compare_policies(Cpu(48), 12, 40) == compare_policies(
        Cpu(48),
        np.int64(12),  # type: ignore[arg-type]
        np.uint8(40),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_is_a_value(name: str) -> None:
    """Policies and their answers evaluate from their repr, pickle, hash and compare."""
    policy = POLICIES[name]
    names = {each: getattr(s2geom, each) for each in ("Policy", "PolicyRow", "Granule")}
    names["Scheme"] = s2geom.Scheme
    choice = policy.choose(Cpu(44), 12, 44)

    assert policy == eval(repr(policy), names)  # noqa: S307
    assert policy == pickle.loads(pickle.dumps(policy))  # noqa: S301
    assert choice == pickle.loads(pickle.dumps(choice))  # noqa: S301
    assert hash(policy) == hash(pickle.loads(pickle.dumps(policy)))  # noqa: S301
    assert {"s2geom"} == {
        kind.__module__ for kind in (Policy, PolicyChoice, PolicyRow, compare_policies)
    }


def test_a_policy_of_ones_own() -> None:
    """A policy needs rows alone; the first that fits decides."""
    mine = Policy(
        name="mine",
        summary="level 2 up to 34 bits of 4K pages, else level 1",
        source="a notebook",
        rows=(
            PolicyRow(Granule.K4, 25, 34, start_level=2),
            PolicyRow(Granule.K4, 25, 48, start_level=1),
        ),
    )

    assert (34, 2, 16) == root(mine.choose(Cpu(48), 12, 34))
    assert (35, 1, 1) == root(mine.choose(Cpu(48), 12, 35))
    assert not mine.choose(Cpu(48), 12, 44).legal
