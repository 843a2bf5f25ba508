# SPDX-License-Identifier: MIT
"""Every configuration, derived a second time, in another way.

The package divides bit widths; here tables are stacked, page by page, until they cover
the address space. The limits are those of the eras' table: who bounds what, by name.
Nothing is shared but the types of question and answer.
"""

from functools import cache
from itertools import product

import pytest

from s2geom import (
    Cpu,
    Granule,
    Host,
    Scheme,
    UnsupportedCombination,
    check,
    fake_pgd,
    kernel_macros,
    stage2,
)

PAGE_SHIFTS = (12, 14, 16)
IPAS = (0, 31, *range(32, 53), 53, 64)
VAS = range(25, 53)
PAS = (48, 52)

CPUS = (
    None,
    Cpu(44, granules=[Granule.K4, Granule.K64]),
    Cpu(52, lpa2={Granule.K16}),
    Cpu(56),
)
"""One for each way in which a CPU says no, on every host there could be."""

MORE_CPUS = (
    *(Cpu(pa_bits) for pa_bits in (32, 36, 40, 42, 44, 48, 52)),
    *(Cpu(pa_bits, lpa2=True) for pa_bits in (40, 48, 52, 56)),
    Cpu(52, lpa2={Granule.K4}),
    Cpu(56, granules=[]),
)
"""Every PARange, on the hosts that Kconfig has."""

KCONFIG_VAS = {12: (39, 48, 52), 14: (36, 47, 48, 52), 16: (42, 48, 52)}

Shape = tuple[int, int, int, bool]
"""Page shift, IPA bits, start level, LPA2."""


@cache
def span(page_shift: int, levels: int) -> int:
    """Return the bytes that one table of so many levels maps."""
    size: int = 2**page_shift
    for _ in range(levels):
        size *= 2**page_shift // 8
    return size


@cache
def host_levels(page_shift: int, va_bits: int) -> int:
    """Return the levels of a host: one table at the top, as few levels as do."""
    levels = 0
    while span(page_shift, levels) < 2**va_bits:
        levels += 1
    return levels


@cache
def stage2_levels(page_shift: int, ipa_bits: int) -> int:
    """Return the fewest levels whose sixteen tables cover the IPA space."""
    levels = 0
    while 16 * span(page_shift, levels) < 2**ipa_bits:
        levels += 1
    return levels


@cache
def fake_shape(page_shift: int, ipa_bits: int, va_bits: int) -> tuple[int, int, int]:
    """Return KVM_PREALLOC_LEVEL, the start level that it implies, and its entries."""
    levels = host_levels(page_shift, va_bits)
    pgd_entries = max(1, 2**ipa_bits // span(page_shift, levels - 1))
    prealloc = 5 - levels if pgd_entries <= 16 else 0
    start = prealloc if prealloc > 0 else 4 - levels
    return prealloc, start, max(1, 2**ipa_bits // span(page_shift, 3 - start))


@cache
def refusals_of_the_era(
    page_shift: int, ipa_bits: int, va_bits: int, pa_bits: int, scheme: Scheme
) -> frozenset[str]:
    """Return who refuses, where the kernel alone is asked."""
    host = host_levels(page_shift, va_bits)
    # The macros of the fake levels have 32..52 bits, and are asked at the nearest.
    nearest = min(max(32, ipa_bits), 52)
    prealloc, start, entries = fake_shape(page_shift, nearest, va_bits)
    always = {"ipa-below-minimum": ipa_bits < 32, "ipa-above-maximum": ipa_bits > 52}
    eras = {
        "FAKE_PGD": {
            "fake-16k": page_shift == 14,
            "fake-prealloc-level": prealloc not in (0, 1, 2),
            "fake-root-too-large": 2**ipa_bits > 16 * span(page_shift, host),
            "fake-root-too-small": start < 0 or entries < 2,
        },
        "STATIC": {"levels-exceed-host": stage2_levels(page_shift, ipa_bits) > host},
        "DYNAMIC": {
            "ipa-above-va-limit": 2**ipa_bits > 16 * span(page_shift, host),
            "ipa-above-kernel-pa": ipa_bits > pa_bits,
        },
        "INDEPENDENT": {"ipa-above-48": ipa_bits > 48 and page_shift != 16},
        "LPA2": {},
    }
    limits = always | eras[scheme.name]
    return frozenset(rule for rule, broken in limits.items() if broken)


@cache
def refusals_of_the_cpu(
    page_shift: int, ipa_bits: int, scheme: Scheme, cpu: Cpu | None
) -> frozenset[str]:
    """Return what the CPU adds."""
    if cpu is None:
        return frozenset()
    broken = set()
    granule = Granule(page_shift)
    if (
        scheme.name == "LPA2"
        and ipa_bits > 48
        and granule not in {Granule.K64, *cpu.lpa2_both_stages}
    ):
        broken.add("ipa-needs-lpa2")
    if ipa_bits > cpu.pa_bits:
        broken.add("ipa-above-parange")
    if granule not in cpu.granules:
        broken.add("granule-not-at-stage-2")
    return frozenset(broken)


def refusals_of_the_architecture(
    page_shift: int, ipa_bits: int, va_bits: int, scheme: Scheme, cpu: Cpu | None
) -> frozenset[str]:
    """Return what no CPU translates, or this one does not, in KVM's shape of a width.

    A start level goes without saying where the width itself is refused.
    """
    if not 32 <= ipa_bits <= 52:
        return frozenset()
    granule = Granule(page_shift)
    with_lpa2 = scheme.name == "LPA2" and (
        cpu is None or granule in cpu.lpa2_both_stages
    )
    if ipa_bits > 48 and page_shift != 16 and not with_lpa2:
        return frozenset({"ipa-above-48-without-lpa2"})
    _, start, _ = fake_shape(page_shift, ipa_bits, va_bits)
    levels = host_levels(page_shift, va_bits)
    too_wide = 2**ipa_bits > 16 * span(page_shift, levels)
    if (
        scheme.name == "FAKE_PGD"
        and cpu is not None
        and not too_wide
        and ipa_bits
        <= cpu.pa_bits
        < {(12, 0): 44, (14, 1): 42, (16, 1): 44}.get((page_shift, start), 0)
    ):
        return frozenset({"start-level-needs-pa"})
    return frozenset()


@cache
def shape_of(
    page_shift: int, ipa_bits: int, va_bits: int, scheme: Scheme, lpa2: bool
) -> Shape:
    """Return the shape of what nobody refuses."""
    if scheme.name == "FAKE_PGD":
        _, start, _ = fake_shape(page_shift, ipa_bits, va_bits)
    else:
        levels = stage2_levels(page_shift, ipa_bits)
        if scheme.name != "STATIC" and levels == 1:
            levels = 2
        start = 4 - levels
    return page_shift, ipa_bits, start, lpa2


def lpa2_of(page_shift: int, ipa_bits: int, scheme: Scheme, cpu: Cpu | None) -> bool:
    """Return whether the descriptors are LPA2's: since v6.8, where the CPU has it.

    Without a CPU they are where the width needs it.
    """
    if scheme.name != "LPA2" or page_shift == 16:
        return False
    return ipa_bits > 48 if cpu is None else page_shift in cpu.lpa2_both_stages


@pytest.mark.parametrize("scheme", list(Scheme), ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("page_shift", PAGE_SHIFTS)
def test_every_configuration(page_shift: int, scheme: Scheme) -> None:
    """Refusals by their rules, and shapes by their four facts."""
    hosts = [
        *product(CPUS, VAS, PAS),
        *product(MORE_CPUS, KCONFIG_VAS[page_shift], PAS[:1]),
    ]
    for (cpu, va_bits, pa_bits), ipa_bits in product(hosts, IPAS):
        by_era = refusals_of_the_era(page_shift, ipa_bits, va_bits, pa_bits, scheme)
        by_cpu = refusals_of_the_cpu(page_shift, ipa_bits, scheme, cpu)
        answer = check(
            page_shift, ipa_bits, va_bits, pa_bits=pa_bits, scheme=scheme, cpu=cpu
        )

        by_arch = refusals_of_the_architecture(
            page_shift, ipa_bits, va_bits, scheme, cpu
        )
        found = [violation.rule for violation in answer]

        assert by_era | by_cpu | by_arch == set(found)
        assert len(found) == len(set(found))
        if answer:
            continue
        lpa2 = lpa2_of(page_shift, ipa_bits, scheme, cpu)
        shape = stage2(
            page_shift, ipa_bits, va_bits, pa_bits=pa_bits, scheme=scheme, cpu=cpu
        )

        assert shape_of(page_shift, ipa_bits, va_bits, scheme, lpa2) == (
            shape.page_shift,
            shape.ipa_bits,
            shape.start_level,
            shape.lpa2,
        )


@pytest.mark.parametrize("page_shift", PAGE_SHIFTS)
def test_a_refusal_raises_what_check_finds(page_shift: int) -> None:
    """`stage2` and `check` answer the same question."""
    for ipa_bits, va_bits, scheme in product(IPAS, (25, 36, 39, 42, 52), Scheme):
        answer = check(page_shift, ipa_bits, va_bits, scheme=scheme)
        if answer:
            for _ in range(2):
                with pytest.raises(UnsupportedCombination) as caught:
                    stage2(page_shift, ipa_bits, va_bits, scheme=scheme)

                assert answer == caught.value.violations


@pytest.mark.parametrize("page_shift", PAGE_SHIFTS)
def test_every_shape(page_shift: int) -> None:
    """The PGD of each shape that some kernel uses, counted out in tables and pages."""
    page = 2**page_shift
    shapes = {
        stage2(page_shift, ipa_bits, va_bits, scheme=scheme)
        for ipa_bits, va_bits, scheme in product(range(32, 53), VAS, Scheme)
        if not check(page_shift, ipa_bits, va_bits, scheme=scheme)
    }
    for shape in shapes:
        entry = span(page_shift, shape.levels - 1)
        tables = 1
        while tables * span(page_shift, shape.levels) < shape.ipa_size:
            tables *= 2
        entries = len(range(0, shape.ipa_size, entry))
        alignment = 1
        while alignment < 8 * entries:
            alignment *= 2

        assert tables == shape.concatenation
        assert entry == shape.pgdir_size
        assert entries == shape.pgd_entries
        assert 8 * entries == shape.pgd_size
        assert len(range(0, 8 * entries, page)) == shape.pgd_pages
        assert max(alignment, 64 if shape.lpa2 else 1) == shape.pgd_alignment
        assert sum(shape.paging_form) == shape.ipa_bits
        assert shape.min_cache_pages == len(shape.table_levels) - 1


@pytest.mark.parametrize("page_shift", PAGE_SHIFTS)
def test_every_fake_pgd(page_shift: int) -> None:
    """The design before v4.7, representable or not."""
    for ipa_bits, va_bits in product(range(32, 53), VAS):
        prealloc, start, _ = fake_shape(page_shift, ipa_bits, va_bits)
        levels = host_levels(page_shift, va_bits)
        entries = len(range(0, 2**ipa_bits, span(page_shift, levels - 1)))
        old = fake_pgd(page_shift, ipa_bits, va_bits)

        assert (prealloc, start, entries) == (
            old.prealloc_level,
            old.geometry.start_level,
            old.pgd_entries,
        )
        assert (prealloc in (0, 1, 2)) == old.representable
        assert entries * (2**page_shift if prealloc else 8) == old.hardware_pgd_size
        assert (8 * entries if prealloc else 0) == old.fake_pgd_size
        assert 4 - stage2_levels(page_shift, ipa_bits) == old.hardware_start_level
        assert old.fake_levels_needed == len(
            range(stage2_levels(page_shift, ipa_bits), levels)
        )


@pytest.mark.parametrize("page_shift", PAGE_SHIFTS)
def test_every_macro(page_shift: int) -> None:
    """Levels, shifts and sizes under the kernel's names, in all five spellings."""
    for ipa_bits, va_bits in product(range(32, 53), VAS):
        n = stage2_levels(page_shift, ipa_bits)
        host = host_levels(page_shift, va_bits)
        root = 8 * len(range(0, 2**ipa_bits, span(page_shift, max(n, 2) - 1)))
        macros = {
            scheme.name: kernel_macros(page_shift, ipa_bits, va_bits, scheme=scheme)
            for scheme in Scheme
        }

        for spelling in macros.values():
            assert host == spelling["CONFIG_PGTABLE_LEVELS"]
            assert span(page_shift, host - 1) == 1 << spelling["PGDIR_SHIFT"]
        static, dynamic = macros["STATIC"], macros["DYNAMIC"]
        assert n == static["STAGE2_PGTABLE_LEVELS"]
        assert span(page_shift, n - 1) == static["S2_PGDIR_SIZE"]
        assert 2**64 - span(page_shift, n - 1) == static["S2_PGDIR_MASK"]
        assert n == dynamic["stage2_pgtable_levels"]
        assert max(n, 2) == dynamic["kvm_stage2_levels"]
        assert root == dynamic["stage2_pgd_size"]
        assert root == 8 * dynamic["stage2_pgd_ptrs"]
        pages = len(range(0, root, 2**page_shift))
        assert macros["INDEPENDENT"] == macros["LPA2"]
        assert pages * 2**page_shift == macros["LPA2"]["kvm_pgtable_stage2_pgd_size"]
        assert (1 if page_shift == 16 else 2) == macros["FAKE_PGD"][
            "KVM_MMU_CACHE_MIN_PAGES"
        ]


@pytest.mark.parametrize("page_shift", PAGE_SHIFTS)
def test_every_host(page_shift: int) -> None:
    """Its levels, and what one entry of its PGD maps."""
    for va_bits in VAS:
        host = Host(page_shift, va_bits)

        assert host_levels(page_shift, va_bits) == host.pgtable_levels
        assert span(page_shift, host.pgtable_levels - 1) == 1 << host.pgdir_shift
