# SPDX-License-Identifier: MIT
"""What KVM chooses and refuses: every rule, its words, and its limit."""

import copy
import inspect
import pickle
import re
import typing
from itertools import product
from typing import Any

import numpy as np
import pytest
from attrs import evolve, frozen

from s2geom import (
    Cpu,
    Geometry,
    Granule,
    Host,
    InvalidArgument,
    Scheme,
    UnsupportedCombination,
    Violation,
    check,
    stage2,
)
from s2geom.core.errors import LimitedBy
from s2geom.kernel import limits as kvm_limits

S = Scheme
K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64


@frozen
class Refusal:
    """A question, and one of the reasons why the answer is no."""

    question: dict[str, Any]
    rule: str
    limited_by: LimitedBy
    given: int | str
    limit: int | str
    message: str
    fix: str
    source: str


def ask(page_shift: int, ipa_bits: int, va_bits: int = 48, **others: Any) -> Any:
    """Return the arguments of a question."""
    return {
        "page_shift": page_shift,
        "ipa_bits": ipa_bits,
        "va_bits": va_bits,
        **others,
    }


REFUSALS = [
    Refusal(
        ask(12, 31),
        "ipa-below-minimum",
        "host kernel",
        31,
        32,
        "a 31-bit IPA is 1 bit below KVM's minimum; the smallest IPA it supports is 32 "
        "bits",
        "use an IPA of at least 32 bits",
        "Linux v4.20, kvm: arm64: Allow tuning the physical address size for VM",
    ),
    Refusal(
        ask(12, 8, scheme=S.FAKE_PGD),
        "ipa-below-minimum",
        "host kernel",
        8,
        32,
        "an 8-bit IPA is 24 bits below KVM's minimum; the smallest IPA it supports is "
        "32 bits",
        "use an IPA of at least 32 bits",
        "Linux v4.20, kvm: arm64: Allow tuning the physical address size for VM",
    ),
    Refusal(
        ask(12, 110),
        "ipa-above-maximum",
        "architecture",
        110,
        52,
        "a 110-bit IPA is 58 bits above what VMSAv8-64 translates; the largest IPA it "
        "supports is 52 bits",
        "use an IPA of at most 48 bits",
        "Arm ARM D8.1; pseudocode AArch64.S2MinTxSZ",
    ),
    Refusal(
        ask(12, 42, 30),
        "levels-exceed-host",
        "host kernel",
        3,
        2,
        "a 42-bit IPA needs 3 stage-2 levels, but a 4K host with a 30-bit VA has 2; "
        "the largest IPA it supports is 34 bits (Linux v4.7-v5.9; not since v5.10)",
        "use an IPA of at most 34 bits, or a host kernel with a 39-bit VA, or Linux "
        "v5.10 or later",
        "Linux v4.7, kvm: arm64: Get rid of fake page table levels (da04fa04dc91)",
    ),
    Refusal(
        ask(12, 48, 39),
        "levels-exceed-host",
        "host kernel",
        4,
        3,
        "a 48-bit IPA needs 4 stage-2 levels, but a 4K host with a 39-bit VA has 3; "
        "the largest IPA it supports is 43 bits (Linux v4.7-v5.9; not since v5.10)",
        "use an IPA of at most 43 bits, or a host kernel with a 48-bit VA, or Linux "
        "v5.10 or later",
        "Linux v4.7, kvm: arm64: Get rid of fake page table levels (da04fa04dc91)",
    ),
    Refusal(
        ask(12, 33, cpu=Cpu(32)),
        "ipa-above-parange",
        "cpu",
        33,
        32,
        "a 33-bit IPA is 1 bit above the CPU's 32-bit physical addresses (PARange); "
        "the largest IPA it supports is 32 bits",
        "use an IPA of at most 32 bits, or a CPU with a larger PARange",
        "Linux v4.20, kvm: arm64: Set a limit on the IPA size",
    ),
    Refusal(
        ask(16, 53, scheme=S.LPA2),
        "ipa-above-maximum",
        "architecture",
        53,
        52,
        "a 53-bit IPA is 1 bit above what VMSAv8-64 translates; the largest IPA it "
        "supports is 52 bits",
        "use an IPA of at most 52 bits",
        "Arm ARM D8.1; pseudocode AArch64.S2MinTxSZ",
    ),
    Refusal(
        ask(14, 41, 36),
        "levels-exceed-host",
        "host kernel",
        3,
        2,
        "a 41-bit IPA needs 3 stage-2 levels, but a 16K host with a 36-bit VA has 2; "
        "the largest IPA it supports is 40 bits (Linux v4.7-v5.9; not since v5.10)",
        "use an IPA of at most 40 bits, or a host kernel with a 47-bit VA, or Linux "
        "v5.10 or later",
        "Linux v4.7, kvm: arm64: Get rid of fake page table levels (da04fa04dc91)",
    ),
    Refusal(
        ask(12, 52, 39),
        "levels-exceed-host",
        "host kernel",
        4,
        3,
        "a 52-bit IPA needs 4 stage-2 levels, but a 4K host with a 39-bit VA has 3; "
        "the largest IPA it supports is 43 bits (Linux v4.7-v5.9; not since v5.10)",
        "use an IPA of at most 43 bits, or a host kernel with a 48-bit VA, or Linux "
        "v6.8 or later on a CPU with LPA2",
        "Linux v4.7, kvm: arm64: Get rid of fake page table levels (da04fa04dc91)",
    ),
    Refusal(
        ask(14, 32, 25),
        "levels-exceed-host",
        "host kernel",
        2,
        1,
        "a 32-bit IPA needs 2 stage-2 levels, but a 16K host with a 25-bit VA has 1; "
        "it supports no IPA of 32 bits or more (Linux v4.7-v5.9; not since v5.10)",
        "use a host kernel with a 36-bit VA, or Linux v5.10 or later",
        "Linux v4.7, kvm: arm64: Get rid of fake page table levels (da04fa04dc91)",
    ),
    Refusal(
        ask(16, 48, 42, pa_bits=52, scheme=S.DYNAMIC),
        "ipa-above-va-limit",
        "host kernel",
        48,
        46,
        "a 48-bit IPA is 2 bits above the virtual-address limit of a 64K host with a "
        "42-bit VA; the largest IPA it supports is 46 bits (Linux v4.20-v5.9; not "
        "since v5.10)",
        "use an IPA of at most 46 bits, or a host kernel with a 48-bit VA, or Linux "
        "v5.10 or later",
        "Linux v4.20, kvm: arm64: Set a limit on the IPA size",
    ),
    Refusal(
        ask(16, 50, 48, scheme=S.DYNAMIC),
        "ipa-above-kernel-pa",
        "host kernel",
        50,
        48,
        "a 50-bit IPA is 2 bits above the host kernel's 48-bit physical addresses "
        "(CONFIG_ARM64_PA_BITS); the largest IPA it supports is 48 bits (Linux "
        "v4.20-v5.9; not since v5.10)",
        "use an IPA of at most 48 bits, or Linux v5.10 or later",
        "Linux v4.20, kvm: arm64: Set a limit on the IPA size",
    ),
    Refusal(
        ask(12, 49, 48, scheme=S.DYNAMIC),
        "ipa-above-kernel-pa",
        "host kernel",
        49,
        48,
        "a 49-bit IPA is 1 bit above the host kernel's 48-bit physical addresses "
        "(CONFIG_ARM64_PA_BITS); the largest IPA it supports is 48 bits (Linux "
        "v4.20-v5.9; not since v5.10)",
        "use an IPA of at most 48 bits, or Linux v6.8 or later on a CPU with LPA2",
        "Linux v4.20, kvm: arm64: Set a limit on the IPA size",
    ),
    Refusal(
        ask(14, 50, 47, scheme=S.INDEPENDENT),
        "ipa-above-48",
        "host kernel",
        50,
        48,
        "a 50-bit IPA is 2 bits above what a 16K kernel has without LPA2; the largest "
        "IPA it supports is 48 bits (Linux v5.15-v6.7; not since v6.8 on a CPU with "
        "LPA2)",
        "use an IPA of at most 48 bits, or 64K pages, or Linux v6.8 or later on a CPU "
        "with LPA2",
        "Linux v5.15, KVM: arm64: Restrict IPA size to maximum 48 bits on 4K and 16K "
        "page size (5e5df9571c31)",
    ),
    Refusal(
        ask(12, 52, scheme=S.LPA2, cpu=Cpu(52)),
        "ipa-needs-lpa2",
        "cpu",
        52,
        48,
        "a 52-bit IPA is 4 bits above what the CPU translates without LPA2 for 4K "
        "pages; the largest IPA it supports is 48 bits",
        "use an IPA of at most 48 bits, or a CPU with LPA2, or 64K pages",
        "Linux v6.8, KVM: arm64: Allow guests with >48-bit IPA size on FEAT_LPA2 "
        "systems (d4fbbb26da52)",
    ),
    Refusal(
        ask(12, 40, cpu=Cpu(36)),
        "ipa-above-parange",
        "cpu",
        40,
        36,
        "a 40-bit IPA is 4 bits above the CPU's 36-bit physical addresses (PARange); "
        "the largest IPA it supports is 36 bits",
        "use an IPA of at most 36 bits, or a CPU with a larger PARange",
        "Linux v4.20, kvm: arm64: Set a limit on the IPA size",
    ),
    Refusal(
        ask(14, 40, cpu=Cpu(48, granules=[K64, K4])),
        "granule-not-at-stage-2",
        "cpu",
        "16K",
        "4K, 64K",
        "the CPU does not implement 16K pages at stage 2; it implements 4K, 64K",
        "use 4K or 64K pages, or a CPU with 16K pages at stage 2",
        "Linux v5.9, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2",
    ),
    Refusal(
        ask(14, 36, cpu=Cpu(48, granules=[])),
        "granule-not-at-stage-2",
        "cpu",
        "16K",
        "none",
        "the CPU does not implement 16K pages at stage 2; it implements none",
        "use a CPU with 16K pages at stage 2",
        "Linux v5.9, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2",
    ),
    Refusal(
        ask(14, 40, 48, scheme=S.FAKE_PGD),
        "fake-16k",
        "host kernel",
        "16K",
        "4K, 64K",
        "a 16K host has no KVM as long as it fakes page-table levels (Linux before "
        "v4.7)",
        "use 4K or 64K pages, or Linux v4.7 or later",
        "Linux v4.7, the commit that allows 16K pages (02e0b7600f83)",
    ),
    Refusal(
        ask(16, 33, 42, scheme=S.FAKE_PGD),
        "fake-prealloc-level",
        "host kernel",
        3,
        2,
        "a 64K host with a 42-bit VA would put the root of a 33-bit IPA at level 3 "
        "below a fake PGD, but the kernel has code for levels 1 and 2; the smallest "
        "IPA it supports is 34 bits (Linux before v4.7)",
        "use an IPA of at least 34 bits, or Linux v4.20 or later",
        "Linux v3.18, arm64: KVM: Implement 48 VA support for KVM EL2 and Stage-2 "
        "(38f791a4e499)",
    ),
    Refusal(
        ask(12, 45, 39, scheme=S.FAKE_PGD),
        "fake-root-too-large",
        "architecture",
        64,
        16,
        "a 45-bit IPA takes 64 tables at level 1, where a 4K host with a 39-bit VA "
        "starts, but the architecture concatenates at most 16; the largest IPA it "
        "supports is 43 bits (Linux before v4.7)",
        "use an IPA of at most 43 bits, or a host kernel with a 48-bit VA, or Linux "
        "v5.10 or later",
        "Arm ARM D8.2, concatenated translation tables; pseudocode "
        "AArch64.S2InconsistentSL",
    ),
    Refusal(
        ask(12, 40, 52, scheme=S.FAKE_PGD),
        "fake-root-too-small",
        "architecture",
        -1,
        1,
        "a 4K host with a 52-bit VA would start a 40-bit IPA at level -1, but the CPU "
        "starts it at level 1: that takes 2 fake levels and the scheme has one (Linux "
        "before v4.7)",
        "use a host kernel with a 39-bit VA, or Linux v4.7 or later",
        "Arm ARM D8.2, stage 2 start levels; pseudocode AArch64.S2InconsistentSL",
    ),
    Refusal(
        ask(12, 48, 52, scheme=S.FAKE_PGD),
        "fake-root-too-small",
        "architecture",
        -1,
        0,
        "a 4K host with a 52-bit VA would start a 48-bit IPA at level -1, but the CPU "
        "starts it at level 0: that takes a fake level above level 0, which the scheme "
        "cannot express (Linux before v4.7)",
        "use a host kernel with a 48-bit VA, or Linux v4.20 or later",
        "Arm ARM D8.2, stage 2 start levels; pseudocode AArch64.S2InconsistentSL",
    ),
    Refusal(
        ask(12, 42, release="4.15.0-112-generic"),
        "ipa-not-40",
        "host kernel",
        42,
        40,
        "a 42-bit IPA is not what Linux 4.15.0-112-generic gives: every guest has 40 "
        "bits (KVM_PHYS_SHIFT) (Linux before v4.20)",
        "use an IPA of 40 bits, or Linux v4.20 or later",
        "Linux v4.20, kvm: arm64: Allow tuning the physical address size for VM "
        "(233a7cb23531)",
    ),
    Refusal(
        ask(12, 40, release="5.10.152", cpu=Cpu(48, lpa2=True)),
        "lpa2-granule-unknown",
        "host kernel",
        "4K",
        "a page size without LPA2",
        "Linux 5.10.152 takes 4K pages with LPA2 for pages that the CPU does not have, "
        "and has no KVM (Linux v5.9-v5.11; not since v5.10.153, v5.12)",
        "use Linux v5.12 or later, or a CPU without LPA2, or 64K pages",
        "Linux v5.12, arm64/mm: Fix __enable_mmu() for new TGRAN range values "
        "(26f55386f964)",
    ),
    Refusal(
        ask(12, 40, release="6.1", protected=True, cpu=Cpu(48)),
        "protected-before-v6.2",
        "host kernel",
        "v6.1",
        "v6.2",
        "kvm-arm.mode=protected has no stage-2 tables for protected guests (Linux "
        "before v6.2)",
        "use Linux v6.2 or later",
        "Linux v6.2, KVM: arm64: Instantiate guest stage-2 page-tables at EL2",
    ),
]


@pytest.mark.parametrize(
    "refusal",
    REFUSALS,
    ids=lambda refusal: f"{refusal.rule}-{refusal.question['ipa_bits']}",
)
def test_each_rule_in_its_own_words(refusal: Refusal) -> None:
    """Who limits, what was given, the limit, what would fit, and where that is from."""
    expected = Violation(
        rule=refusal.rule,
        message=refusal.message,
        limited_by=refusal.limited_by,
        given=refusal.given,
        limit=refusal.limit,
        fix=refusal.fix,
        source=refusal.source,
    )
    [broken] = [
        violation
        for violation in check(**refusal.question)
        if violation.rule == refusal.rule
    ]

    assert expected == evolve(broken, ways=())
    with pytest.raises(UnsupportedCombination) as caught:
        stage2(**refusal.question)
    assert broken in caught.value.violations
    assert refusal.message.split(" (Linux")[0] in str(caught.value)


def test_no_rule_is_forgotten_above() -> None:
    """A new row of the table needs its words here."""
    assert {row.id for row in kvm_limits.LIMITS} == {
        refusal.rule for refusal in REFUSALS
    }


def test_the_rules_document_themselves() -> None:
    """Stable ids, one sentence, one of three owners, and a source."""
    ids = [row.id for row in kvm_limits.LIMITS]

    assert len(ids) == len(set(ids))
    for row in kvm_limits.LIMITS:
        assert row.limited_by in {"host kernel", "cpu", "architecture"}
        assert row.states
        assert not row.states.endswith(".")
        assert row.source.startswith(("Linux v", "Arm ARM D"))
        assert row.ways
        assert row.needs_cpu or row.limited_by != "cpu"


def test_every_violation_is_reported() -> None:
    """Three owners refuse this one, and KVM's table comes first."""
    cpu = Cpu(40, granules=[K4])
    rules = [
        violation.rule for violation in check(14, 52, 36, scheme=S.DYNAMIC, cpu=cpu)
    ]

    assert [
        "ipa-above-va-limit",
        "ipa-above-kernel-pa",
        "ipa-above-parange",
        "granule-not-at-stage-2",
        "ipa-above-48-without-lpa2",
    ] == rules
    with pytest.raises(UnsupportedCombination) as caught:
        stage2(14, 52, 36, scheme=S.DYNAMIC, cpu=cpu)
    assert 5 == len(str(caught.value).split("\nalso: "))
    assert "Linux" not in str(caught.value)


def test_outside_the_domain_the_limits_of_the_width_speak() -> None:
    """No shape is asked for; but what ends below 52 bits is told too, at 1000."""
    wide = {"ipa-above-maximum", "fake-root-too-large"}
    for ipa_bits in (0, 31, 53, 60, 64, 1000):
        broken = check(12, ipa_bits, 39, scheme=S.FAKE_PGD)
        rules = {violation.rule for violation in broken}

        assert ({"ipa-below-minimum"} if ipa_bits < 32 else wide) == rules
        assert all(violation.message for violation in broken)


@pytest.mark.parametrize("va_bits", [25, 36, 39, 42, 47, 48, 52])
@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_what_a_message_says_would_fit_fits(page_shift: int, va_bits: int) -> None:
    """The largest or smallest IPA of a message breaks that rule no more."""
    for scheme in Scheme:
        for ipa_bits in range(28, 58):
            for violation in check(page_shift, ipa_bits, va_bits, scheme=scheme):
                _, found, would_fit = violation.summary.partition("IPA it supports is ")
                if not found:
                    continue
                bits = int(would_fit.split()[0])
                side = 1 if "largest" in violation.summary else -1
                again = check(page_shift, bits, va_bits, scheme=scheme)
                beyond = check(page_shift, bits + side, va_bits, scheme=scheme)

                assert violation.rule not in {other.rule for other in again}
                assert 32 <= bits <= 52
                assert beyond


def test_what_a_fix_proposes_works() -> None:
    """The host and the newer kernel that a fix names break that rule no more."""
    proposals = 0
    for page_shift in (12, 14, 16):
        for va_bits in range(25, 53):
            for ipa_bits in range(32, 53):
                for scheme in (S.FAKE_PGD, S.STATIC, S.DYNAMIC):
                    for violation in check(
                        page_shift, ipa_bits, va_bits, pa_bits=52, scheme=scheme
                    ):
                        _, host, wider = violation.fix.partition(
                            "a host kernel with a "
                        )
                        if not host:
                            continue
                        proposals += 1
                        later = S.LPA2 if "v6.8" in violation.fix else S.INDEPENDENT
                        again = check(
                            page_shift,
                            ipa_bits,
                            int(wider.split("-")[0]),
                            pa_bits=52,
                            scheme=scheme,
                        )

                        assert violation.rule not in {other.rule for other in again}
                        assert () == check(page_shift, ipa_bits, va_bits, scheme=later)

    assert proposals > 1000


def test_a_fix_is_imperative() -> None:
    """Each begins with what to do."""
    for scheme in Scheme:
        for page_shift in (12, 14, 16):
            for va_bits in (25, 30, 36, 42, 52):
                for ipa_bits in (20, 32, 41, 48, 52, 60):
                    for cpu in (None, Cpu(32, granules=[])):
                        for violation in check(
                            page_shift, ipa_bits, va_bits, scheme=scheme, cpu=cpu
                        ):
                            assert violation.fix.startswith("use ")


@pytest.mark.parametrize(
    ("lpa2", "question"),
    [
        (False, ask(12, 40, scheme=S.LPA2)),
        (False, ask(14, 48, scheme=S.LPA2)),
        (True, ask(14, 49, scheme=S.LPA2)),
        (False, ask(16, 52, scheme=S.LPA2)),
        (False, ask(12, 40, scheme=S.INDEPENDENT)),
        (False, ask(12, 40, scheme=S.LPA2, cpu=Cpu(52))),
        (True, ask(12, 40, scheme=S.LPA2, cpu=Cpu(40, lpa2=True))),
        (True, ask(12, 40, scheme=S.LPA2, cpu=Cpu(52, lpa2={K4}))),
        (False, ask(14, 40, scheme=S.LPA2, cpu=Cpu(52, lpa2={K4}))),
        (False, ask(12, 40, scheme=S.INDEPENDENT, cpu=Cpu(52, lpa2=True))),
    ],
    ids=range(10),
)
def test_lpa2_descriptors(lpa2: bool, question: dict[str, Any]) -> None:
    """Since v6.8 whatever the IPA, where the CPU has LPA2; else where it is needed."""
    assert lpa2 is stage2(**question).lpa2


def test_positions_and_names_are_the_same() -> None:
    """Page shift, IPA and VA may be given by position; the rest by name alone."""
    expected = stage2(page_shift=14, ipa_bits=40, va_bits=36)

    assert expected == stage2(14, 40, 36)
    assert stage2(14, 40) == stage2(14, 40, 48)
    with pytest.raises(TypeError):
        stage2(14, 40, 36, 48)  # type: ignore[call-arg]


@pytest.mark.parametrize("width", [128, 300, 1 << 70])
def test_a_numpy_page_shift_beside_a_width_that_numpy_cannot_hold(width: int) -> None:
    """It is the same question as with a plain integer, not an OverflowError."""
    page_shift: Any = np.int8(12)

    assert ["ipa-above-maximum"] == [
        violation.rule
        for violation in check(page_shift, width)
        if violation.limited_by == "architecture"
    ]
    with pytest.raises(UnsupportedCombination):
        stage2(page_shift, width)
    with pytest.raises(InvalidArgument, match="must not be negative"):
        stage2(page_shift, -width - 1)


@pytest.mark.parametrize("function", [stage2, check])
def test_the_signature_is_the_contract(function: Any) -> None:
    """What remembers the answers must not hide names, defaults and types."""
    signature = inspect.signature(function)
    types = typing.get_type_hints(function)

    assert {
        "page_shift": inspect.Parameter.empty,
        "ipa_bits": inspect.Parameter.empty,
        "va_bits": 48,
        "pa_bits": 48,
        "scheme": None,
        "release": None,
        "protected": False,
        "cpu": None,
    } == {name: each.default for name, each in signature.parameters.items()}
    assert ["pa_bits", "scheme", "release", "protected", "cpu"] == [
        name
        for name, each in signature.parameters.items()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    assert (int, Scheme | None, Cpu | None) == (
        types["page_shift"],
        types["scheme"],
        types["cpu"],
    )


class TestHost:
    """A host kernel, as far as stage 2 depends on it."""

    @pytest.mark.parametrize(
        ("host", "levels", "pgdir_shift"),
        [
            (Host(12, 39), 3, 30),
            (Host(12, 48), 4, 39),
            (Host(12, 52, 52), 5, 48),
            (Host(14, 36), 2, 25),
            (Host(14, 47), 3, 36),
            (Host(14, 48), 4, 47),
            (Host(16, 42), 2, 29),
            (Host(16, 48), 3, 42),
            (Host(12, 25), 2, 21),
            (Host(16, 25), 1, 16),
        ],
        ids=str,
    )
    def test_its_own_tables(self, host: Host, levels: int, pgdir_shift: int) -> None:
        """CONFIG_PGTABLE_LEVELS and PGDIR_SHIFT, for any VA width."""
        assert (levels, pgdir_shift) == (host.pgtable_levels, host.pgdir_shift)
        assert host.page_shift == host.granule

    def test_what_kconfig_offered(self) -> None:
        """Thirteen of all the hosts: 52-bit PA comes with 52-bit VA, free for 64K."""
        expected = {
            (12, 39, 48),
            (12, 48, 48),
            (12, 52, 52),
            (14, 36, 48),
            (14, 47, 48),
            (14, 48, 48),
            (14, 52, 52),
            (16, 42, 48),
            (16, 42, 52),
            (16, 48, 48),
            (16, 48, 52),
            (16, 52, 48),
            (16, 52, 52),
        }

        assert expected == {
            (page_shift, va_bits, pa_bits)
            for page_shift in (12, 14, 16)
            for va_bits in range(25, 53)
            for pa_bits in (48, 52)
            if Host(page_shift, va_bits, pa_bits).kconfig_legal
        }

    @pytest.mark.parametrize(
        ("widest", "host", "scheme", "cpu"),
        [
            (40, Host(14, 36), S.STATIC, None),
            (48, Host(14, 47), S.STATIC, None),
            (48, Host(14, 48), S.STATIC, None),
            (43, Host(12, 39), S.STATIC, None),
            (48, Host(12, 48), S.STATIC, None),
            (46, Host(16, 42), S.STATIC, None),
            (52, Host(16, 48), S.STATIC, None),
            (40, Host(14, 36), S.DYNAMIC, None),
            (48, Host(14, 47), S.DYNAMIC, None),
            (48, Host(14, 47, 52), S.DYNAMIC, None),
            (48, Host(14, 36), S.INDEPENDENT, None),
            (52, Host(16, 42), S.INDEPENDENT, None),
            (52, Host(14, 36), S.LPA2, None),
            (48, Host(14, 36), S.LPA2, Cpu(52)),
            (52, Host(14, 36), S.LPA2, Cpu(52, lpa2=True)),
            (44, Host(14, 36), S.LPA2, Cpu(44, lpa2=True)),
            (52, Host(16, 42), S.LPA2, Cpu(56)),
            (40, Host(12, 39), S.STATIC, Cpu(40)),
            (43, Host(12, 39), S.FAKE_PGD, None),
            (48, Host(12, 48), S.FAKE_PGD, None),
            (None, Host(12, 52), S.FAKE_PGD, None),
            (None, Host(14, 48), S.FAKE_PGD, None),
            (46, Host(16, 42), S.FAKE_PGD, None),
            (None, Host(16, 42), S.FAKE_PGD, Cpu(32)),
            (36, Host(16, 42), S.FAKE_PGD, Cpu(36)),
            (None, Host(14, 25), S.STATIC, None),
            (None, Host(14, 25), S.DYNAMIC, None),
            (None, Host(14, 36), S.STATIC, Cpu(48, granules=[K4])),
            (32, Host(12, 48), S.LPA2, Cpu(32)),
        ],
        ids=range(29),
    )
    def test_the_widest_ipa(
        self, widest: int | None, host: Host, scheme: Scheme, cpu: Cpu | None
    ) -> None:
        """At most 52 bits; None where no width from 32 bits on fits."""
        assert widest == host.max_ipa_bits(scheme, cpu)

    def test_it_asks_for_its_own_tables(self) -> None:
        """The methods are the functions, with the host's own numbers."""
        host = Host(16, 42, 52)
        cpu = Cpu(44)

        assert Geometry(K64, 40, 2) == host.stage2(40)
        assert stage2(16, 44, 42, pa_bits=52, scheme=S.DYNAMIC, cpu=cpu) == host.stage2(
            44, scheme=S.DYNAMIC, cpu=cpu
        )
        assert check(16, 47, 42, pa_bits=52, scheme=S.DYNAMIC, cpu=cpu) == host.check(
            47, scheme=S.DYNAMIC, cpu=cpu
        )
        assert ["ipa-above-va-limit", "ipa-above-parange"] == [
            violation.rule for violation in host.check(47, scheme=S.DYNAMIC, cpu=cpu)
        ]

    def test_it_is_a_value(self) -> None:
        """Equal, hashable, picklable, read back from its repr, and plain as data."""
        host = Host(14, 36)

        assert {"page_shift": 14, "va_bits": 36, "pa_bits": 48} == host.to_dict()
        for other in (
            Host(K16, 36, 48),
            Host(**host.to_dict()),
            pickle.loads(pickle.dumps(host)),  # noqa: S301
            copy.deepcopy(host),
            eval(repr(host)),  # noqa: S307
        ):
            assert (host, hash(host)) == (other, hash(other))
        with pytest.raises(AttributeError):
            host.va_bits = 48  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("message", "arguments"),
        [
            ("page_shift must be 12 (4K), 14 (16K) or 16 (64K), got 13", (13, 48)),
            ("va_bits must be 25..52, got 24", (12, 24)),
            ("va_bits must be 25..52, got 53", (12, 53)),
            ("pa_bits must be 48 or 52, got 40", (12, 48, 40)),
        ],
        ids=["13", "24", "53", "40"],
    )
    def test_values_that_no_host_has(
        self, message: str, arguments: tuple[int, ...]
    ) -> None:
        """A mistake in the call, not a fact about machines."""
        with pytest.raises(InvalidArgument) as caught:
            Host(*arguments)

        assert message == str(caught.value)

    @pytest.mark.parametrize(
        ("message", "arguments"),
        [
            ("page_shift must be an integer, got 14.0 (float)", (14.0, 48)),
            ("va_bits must be an integer, got '48' (str)", (14, "48")),
            ("pa_bits must be an integer, got True (bool)", (14, 48, True)),
        ],
        ids=["page shift", "VA", "PA"],
    )
    def test_values_of_wrong_types(
        self, message: str, arguments: tuple[Any, ...]
    ) -> None:
        """The message names the argument."""
        with pytest.raises(TypeError) as caught:
            Host(*arguments)

        assert message == str(caught.value)

    @pytest.mark.parametrize(
        "arguments", [{"scheme": "static"}, {"cpu": 48}, {"release": 6}]
    )
    def test_the_widest_ipa_of_wrong_types(self, arguments: dict[str, Any]) -> None:
        """Schemes and CPUs have their types here too."""
        with pytest.raises(TypeError, match="must be"):
            Host(14, 36).max_ipa_bits(**arguments)


def test_kconfig_has_offered_each_va_width_since_a_release() -> None:
    """Ten rows: page size and width, and the first release with both."""
    expected = {
        (12, 39): (3, 18),
        (12, 48): (3, 18),
        (12, 52): (6, 9),
        (14, 36): (4, 4),
        (14, 47): (4, 4),
        (14, 48): (4, 4),
        (14, 52): (6, 9),
        (16, 42): (3, 18),
        (16, 48): (3, 18),
        (16, 52): (5, 4),
    }

    assert expected == kvm_limits.KCONFIG_VA_BITS


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("cpu", [None, Cpu(32), Cpu(48), Cpu(52, lpa2={K16})], ids=str)
def test_a_way_out_leads_out(scheme: Scheme, cpu: Cpu | None) -> None:
    """What a fix proposes is done, and its rule is content."""
    for page_shift, ipa_bits, va_bits in product(
        (12, 14, 16), range(28, 53), (25, 30, 36, 39, 42, 47, 48, 52)
    ):
        for broken in check(page_shift, ipa_bits, va_bits, scheme=scheme, cpu=cpu):
            if found := re.search(r"an IPA of at (most|least) (\d+) bits", broken.fix):
                left = check(page_shift, int(found[2]), va_bits, scheme=scheme, cpu=cpu)

                assert broken.rule not in {other.rule for other in left}
            if found := re.search(r"a host kernel with a (\d+)-bit VA", broken.fix):
                host = int(found[1])
                left = check(page_shift, ipa_bits, host, scheme=scheme, cpu=cpu)

                assert (Granule(page_shift), host) in (kvm_limits.KCONFIG_VA_BITS)
                assert broken.rule not in {other.rule for other in left}
