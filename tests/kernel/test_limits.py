# SPDX-License-Identifier: MIT
"""The laws of KVM's answers, over hosts, schemes, releases, CPUs and widths."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from s2geom import (
    Cpu,
    Geometry,
    Granule,
    Host,
    InvalidArgument,
    KernelConfig,
    Scheme,
    UnsupportedCombination,
    check,
    stage2,
)
from s2geom.kernel.changes import CHANGES
from s2geom.kernel.limits import LIMITS
from s2geom.kernel.question import question

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64

HOSTS = [
    host
    for page_shift, va_bits, pa_bits in product((12, 14, 16), range(25, 53), (48, 52))
    if (host := Host(page_shift, va_bits, pa_bits)).kconfig_legal
]

RELEASES = (
    *("3.18", "4.6", "4.7", "4.19", "4.20", "5.4.105", "5.4.106", "5.8", "5.9"),
    *("5.10", "5.10.24", "5.10.67", "5.10.68", "5.10.152", "5.10.153"),
    *("5.10.0-32-arm64", "5.11", "5.11.7", "5.12", "5.14.6", "5.14.7", "5.15"),
    *("6.1", "6.2", "6.7", "6.8", "6.12", "7.3", "8.0", "4.18.0-305.el8.aarch64"),
)
"""Each era, and both sides of each change and of its stable back-ports."""

KERNELS: list[dict[str, Any]] = [
    *({"scheme": scheme} for scheme in Scheme),
    *({"release": release} for release in RELEASES),
]

CPUS = [
    *(
        Cpu(pa_bits, lpa2=lpa2, aarch32_el1=aarch32_el1)
        for pa_bits in (32, 36, 40, 42, 44, 48, 52, 56)
        for lpa2 in (False, True)
        for aarch32_el1 in (False, True)
    ),
    Cpu(52, lpa2={K4}),
    Cpu(52, lpa2=True, lpa2_both_stages=[]),
    Cpu(48, granules=[K4]),
    Cpu(52, granules=[]),
]

FEW_CPUS = [None, Cpu(36), Cpu(48, lpa2=True), *CPUS[-3:]]


def supported(host: Host, kernel: dict[str, Any], cpu: Cpu | None) -> list[int]:
    """Return the widths that break no limit; each shape passes the CPU's rules."""
    widths = []
    for width in range(25, 60):
        broken = [why.rule for why in host.check(width, cpu=cpu, **kernel)]

        assert len(broken) == len(set(broken))
        if not broken:
            widths.append(width)
            shape = host.stage2(width, cpu=cpu, **kernel)
            legal = cpu or Cpu(56, lpa2=True)

            assert () == legal.check(shape)
    return widths


def hold(host: Host, kernel: dict[str, Any], cpus: list[Cpu | None]) -> None:
    """Assert the laws of the answers for a host and a kernel."""
    for cpu in cpus:
        widths = supported(host, kernel, cpu)

        assert max(widths, default=None) == host.max_ipa_bits(cpu=cpu, **kernel)
        if "release" in kernel:
            built = KernelConfig(host, kernel["release"], kvm=True)
            sizes = built.ipa_sizes(cpu)

            assert tuple(widths) == sizes.widths
            assert set(widths) <= set(sizes.accepted)
            assert max(widths, default=None) == built.max_ipa_bits(cpu)


@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_answers_agree_with_the_cpu_and_with_each_other(host: Host) -> None:
    """A supported shape is legal, and every way to ask for widths gives the same."""
    for kernel in KERNELS:
        hold(host, kernel, FEW_CPUS)


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_answers_agree_on_every_cpu(host: Host) -> None:
    """Every PARange with and without LPA2 and AArch32; and some CPU means some."""
    for kernel in KERNELS:
        hold(host, kernel, [*CPUS])
        for width in range(32, 53):
            some = any(not host.check(width, cpu=cpu, **kernel) for cpu in CPUS)

            assert some == (not host.check(width, **kernel))


def refusals(
    host: Host, cpus: list[Cpu | None], widths: range
) -> Iterator[tuple[Any, Any]]:
    """Yield questions that are refused, and the violations."""
    for kernel, cpu, width in product(KERNELS, cpus, widths):
        asked = question(
            host.page_shift,
            width,
            host.va_bits,
            pa_bits=host.pa_bits,
            cpu=cpu,
            **kernel,
        )
        if broken := asked.violations():
            yield asked, broken


def ways_lead_out(host: Host, cpus: list[Cpu | None], widths: range) -> None:
    """Assert that each way removes its violation and adds none."""
    for asked, broken in refusals(host, cpus, widths):
        listed = {why.rule for why in broken}
        for why in broken:
            for what, value in why.ways:
                left = asked.with_(what, value).rules()

                assert why.rule not in left
                assert left <= listed
            assert why.fix.startswith("use ")


@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_every_way_leads_out(host: Host) -> None:
    """Applied, it removes the violation and adds none that was not listed."""
    ways_lead_out(host, [None], range(25, 60, 5))


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_every_way_leads_out_on_every_cpu(host: Host) -> None:
    """The same for all widths and more CPUs."""
    ways_lead_out(host, [*FEW_CPUS], range(25, 60))


@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_the_widest_ipa_of_a_refusal_passes(host: Host) -> None:
    """`widest_ipa_bits` passes all limits, and is told last."""
    for kernel, cpu in product(KERNELS, FEW_CPUS):
        widest = host.max_ipa_bits(cpu=cpu, **kernel)
        with pytest.raises(UnsupportedCombination) as caught:
            host.stage2(59, cpu=cpu, **kernel)

        assert widest == caught.value.widest_ipa_bits
        if widest is not None:
            assert str(caught.value).endswith(f"{widest} bits")


def test_the_seed_s_refusal_names_its_ways() -> None:
    """A narrower guest, a host with another level, or a later kernel."""
    [why] = check(14, 41, 36)

    assert (("ipa_bits", 40), ("va_bits", 47), ("release", "5.10")) == why.ways


def test_a_way_may_be_a_cpu() -> None:
    """It is one that has what the other lacks, and differs in nothing else."""
    [why, _] = check(12, 50, scheme=Scheme.LPA2, cpu=Cpu(52, ttst=True))

    assert dict(why.ways)["cpu"] == Cpu(52, lpa2={K4}, ttst=True)


@pytest.mark.parametrize(
    ("rules", "arguments", "kernel"),
    [
        (["ipa-above-48-without-lpa2"], (12, 52), {"cpu": Cpu(52)}),
        (["ipa-above-48-without-lpa2"], (14, 49, 48), {}),
        (
            ["ipa-above-48", "ipa-above-48-without-lpa2"],
            (12, 49),
            {"scheme": Scheme.INDEPENDENT},
        ),
        (["ipa-above-48-without-lpa2"], (12, 49), {"release": "5.14.6"}),
        (
            ["ipa-above-48", "ipa-above-48-without-lpa2"],
            (12, 49),
            {"release": "5.14.7"},
        ),
        (
            ["ipa-needs-lpa2", "ipa-above-48-without-lpa2"],
            (12, 49),
            {"scheme": Scheme.LPA2, "cpu": Cpu(52)},
        ),
        (["ipa-above-parange"], (12, 40), {"release": "4.19", "cpu": Cpu(36)}),
        (
            ["ipa-above-parange"],
            (12, 40),
            {"scheme": Scheme.STATIC, "cpu": Cpu(36, aarch32_el1=True)},
        ),
        (["ipa-not-40"], (12, 42), {"release": "4.15.0-112-generic"}),
        (["ipa-not-40", "ipa-above-maximum"], (16, 53), {"release": "4.15"}),
        (["ipa-not-40"], (16, 31), {"release": "4.15"}),
        (
            ["fake-16k", "start-level-needs-pa"],
            (14, 40, 48),
            {"scheme": Scheme.FAKE_PGD, "cpu": Cpu(40)},
        ),
        (["release-before-3.18"], (12, 40), {"release": "3.17.8"}),
    ],
    ids=range(13),
)
def test_who_refuses(
    rules: list[str], arguments: tuple[int, ...], kernel: dict[str, Any]
) -> None:
    """KVM's rows come first, each thing is told once, and by every owner."""
    broken = check(*arguments, **kernel)

    assert sorted(rules) == sorted(why.rule for why in broken)
    with pytest.raises(UnsupportedCombination) as caught:
        stage2(*arguments, **kernel)
    assert broken == caught.value.violations


def test_a_release_has_its_own_limits() -> None:
    """Where a scheme is a formula."""
    assert 3 == stage2(12, 40, release="4.15").levels
    assert 40 == Host(12, 48).max_ipa_bits(release="4.19")
    assert 48 == Host(12, 48).max_ipa_bits(Scheme.STATIC)
    assert "(Linux v5.14.7, v5.15-v6.7; not since" in (
        check(12, 49, release="5.14.7")[0].message
    )


def test_a_scheme_and_a_release_exclude_each_other() -> None:
    """They are two kernels."""
    for ask in (stage2, check):
        with pytest.raises(InvalidArgument, match="exclude each other"):
            ask(12, 40, scheme=Scheme.LPA2, release="6.12")


@pytest.mark.parametrize(
    ("lpa2", "limit", "cpu"),
    [
        (False, 48, Cpu.from_id_registers(6 | 3 << 40)),
        (False, 48, Cpu.from_id_registers(6 | 1 << 28)),
        (True, 52, Cpu.from_id_registers(6 | 1 << 28 | 3 << 40)),
    ],
)
def test_kvm_asks_both_stages_for_lpa2(lpa2: bool, limit: int, cpu: Cpu) -> None:
    """TGran is LPA2 and TGran_2 is 3; "as stage 1" is not enough."""
    host = Host(12, 48)

    assert limit == host.max_ipa_bits(Scheme.LPA2, cpu)
    assert lpa2 is host.stage2(40, scheme=Scheme.LPA2, cpu=cpu).lpa2
    if not lpa2:
        [why, _] = host.check(52, scheme=Scheme.LPA2, cpu=cpu)
        assert "KVM uses here: the ID registers tell of LPA2" in why.message
        assert "a CPU with LPA2 at both stages" in why.fix


class TestProtected:
    """kvm-arm.mode=protected: every guest is as wide as KVM's limit."""

    @pytest.mark.parametrize(
        ("limit", "page_shift", "cpu", "kernel"),
        [
            (48, 12, Cpu(48), {}),
            (44, 12, Cpu(44), {"release": "6.12.117"}),
            (48, 12, Cpu(52), {"release": "6.2"}),
            (52, 12, Cpu(52, lpa2=True), {}),
            (48, 14, Cpu(52, lpa2=True), {"scheme": Scheme.INDEPENDENT}),
            (52, 16, Cpu(56), {}),
            (36, 12, Cpu(36), {}),
        ],
        ids=range(7),
    )
    def test_the_width_that_was_asked_for_is_ignored(
        self, limit: int, page_shift: int, cpu: Cpu, kernel: dict[str, Any]
    ) -> None:
        """The geometry has the limit, and is the one of an ordinary guest of it."""
        for width in (32, 36):
            shape = stage2(page_shift, width, protected=True, cpu=cpu, **kernel)
            ordinary = kernel or {"scheme": Scheme.LPA2}

            assert limit == shape.ipa_bits
            assert stage2(page_shift, limit, cpu=cpu, **ordinary) == shape
        host = Host(page_shift, 48)
        assert limit == host.max_ipa_bits(protected=True, cpu=cpu, **kernel)
        for width in (31, limit + 1):
            assert host.check(width, protected=True, cpu=cpu, **kernel)

    def test_before_v6_2_there_is_none(self) -> None:
        """Protected guests had no tables of their own."""
        for kernel in ({"release": "6.1"}, {"scheme": Scheme.STATIC}):
            [why] = check(12, 40, protected=True, cpu=Cpu(48), **kernel)

            assert "protected-before-v6.2" == why.rule
            assert (("release", "6.2"),) == why.ways
            assert None is Host(12, 48).max_ipa_bits(
                protected=True,
                cpu=Cpu(48),
                **kernel,
            )

    def test_it_needs_a_cpu(self) -> None:
        """KVM's limit is the CPU's."""
        for ask in (stage2, check):
            with pytest.raises(InvalidArgument, match="protected=True needs a cpu"):
                ask(12, 40, protected=True)

    def test_an_ordinary_answer_is_not_taken_for_it(self) -> None:
        """What is remembered is of ordinary guests."""
        shape = stage2(12, 40, scheme=Scheme.LPA2, cpu=Cpu(48))
        protected = stage2(12, 40, scheme=Scheme.LPA2, cpu=Cpu(48), protected=True)

        assert (40, 48) == (shape.ipa_bits, protected.ipa_bits)

    def test_kvm_accepts_any_width(self) -> None:
        """KVM accepts every width on a protected host, and gives its limit."""
        kernel = KernelConfig(Host(12, 48), "6.12", kvm=True)
        sizes = kernel.ipa_sizes(Cpu(44), protected=True)

        assert ((44,), tuple(range(32, 53))) == (sizes.widths, sizes.accepted)
        assert 44 == kernel.stage2(40, Cpu(44), protected=True).ipa_bits
        old = kernel.ipa_sizes(Cpu(44), release="6.1", protected=True)
        assert ((), ()) == (old.widths, old.accepted)


def test_the_premises_of_an_answer() -> None:
    """What is not known about the kernel or the CPU is told."""
    asked = question(12, 40, release="5.10.0-32-arm64", cpu=Cpu(48))

    assert ("5.10.0-32-arm64 has every stable back-port of v5.10",) == asked.premises
    assert (
        "v9.1 decides as v7.3, the newest that was read",
        (
            "no CPU was named: its PARange and page sizes are taken to suffice, and "
            "LPA2 to be used above 48 bits alone"
        ),
    ) == question(12, 40, release="9.1").premises
    assert (
        "v4.18 with .el8 is code of v4.20 or later",
        "no CPU was named: its PARange and page sizes are taken to suffice",
    ) == question(16, 40, release="4.18.0-305.el8.aarch64").premises
    assert () == question(12, 40, release="5.10.1", cpu=Cpu(48)).premises


def test_el8_has_per_vm_sizes() -> None:
    """Its 4.18 has the code of v4.20."""
    assert Scheme.DYNAMIC is Scheme.for_release("4.18.0-305.el8.aarch64")
    assert Scheme.STATIC is Scheme.for_release("4.18.0-2-arm64")
    assert 48 == stage2(16, 48, release="4.18.0-305.el8.aarch64").ipa_bits


def test_a_flood_of_cpus_keeps_the_places_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the bound they start anew."""
    from s2geom.kernel import question as room  # noqa: PLC0415

    monkeypatch.setattr(room, "_MOST_PLACES", len(room._PLACES) + 3)  # noqa: SLF001
    for ttst, pa_bits in product((False, True), (32, 36, 40, 42, 44, 48, 52, 56)):
        cpu = Cpu(pa_bits, ttst=ttst, granules=[K64])

        assert Geometry(K64, 32, 2) == stage2(16, 32, scheme=Scheme.LPA2, cpu=cpu)
        assert len(room._PLACES) <= room._MOST_PLACES  # noqa: SLF001


def test_a_limit_ends_after_it_began() -> None:
    """Each change is in its own mainline release, and in none before it."""
    for row in LIMITS:
        for end in (row.until, row.restated):
            assert end is None or row.since.mainline < end.mainline
    assert sorted(change.mainline for change in CHANGES) == [
        change.mainline for change in CHANGES
    ]
    for change in CHANGES:
        major, minor = change.mainline
        assert change.is_in((major, minor, 0))
        assert not change.is_in((major, minor - 1, 0))
        for stable in change.stable:
            assert change.is_in(stable)
            assert not change.is_in((*stable[:2], stable[2] - 1))
