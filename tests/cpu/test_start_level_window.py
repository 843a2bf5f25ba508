# SPDX-License-Identifier: MIT
"""Every shape on every CPU, against the checks written down a second time.

The second derivation speaks in register fields, as the architecture's pseudocode does:
T0SZ, SL2:SL0, TG0 and DS. The package speaks in widths and levels. They share nothing.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest

from s2geom import Cpu, Geometry, Granule

GRANULE_BITS = {"4K": 12, "16K": 14, "64K": 16}
PA_SIZES = (32, 36, 40, 42, 44, 48, 52, 56)
LEVELS = (-1, 0, 1, 2, 3)
WIDTHS = range(16, 57)

# SL2:SL0 to start level, where the encoding is not reserved.
START_LEVELS = {
    "4K": {0b000: 2, 0b001: 1, 0b010: 0, 0b011: 3, 0b100: -1},
    "16K": {0b000: 3, 0b001: 2, 0b010: 1, 0b011: 0},
    "64K": {0b000: 3, 0b001: 2, 0b010: 1},
}


def txsz_faults(tg: str, t0sz: int, ds: bool, cpu: Cpu) -> bool:
    """T0SZ is outside the range in which nothing is IMPLEMENTATION DEFINED."""
    greatest = 39
    if cpu.ttst:
        greatest = 47 if tg == "64K" else 48
    addresses = min(cpu.pa_bits, 48 if tg != "64K" and not ds else 52)
    least = 64 - addresses
    if cpu.aarch32_el1:
        least = min(least, 24)
    return not least <= t0sz <= greatest


def invalid_sl(tg: str, sl: int, ds: bool, cpu: Cpu) -> bool:
    """The start level is reserved, or not one that this CPU has."""
    if sl not in START_LEVELS[tg]:
        return True
    if tg == "4K":
        return {
            0b010: cpu.pa_bits < 44,
            0b011: not cpu.ttst,
            0b100: not ds,
        }.get(sl, False)
    if tg == "16K":
        return {0b010: cpu.pa_bits < 42, 0b011: not ds}.get(sl, False)
    return sl == 0b010 and cpu.pa_bits < 44


def inconsistent_sl(tg: str, t0sz: int, sl: int) -> bool:
    """The start level is left with no bit, or with more than 16 tables."""
    page = GRANULE_BITS[tg]
    stride = page - 3
    below = 3 - START_LEVELS[tg][sl]
    smallest = below * stride + page + 1
    largest = smallest + (stride - 1) + 4
    return not smallest <= 64 - t0sz <= largest


def second_opinion(tg: str, ipa_bits: int, ds: bool, cpu: Cpu) -> set[int]:
    """Return the start levels that pass the three checks."""
    t0sz = 64 - ipa_bits
    if txsz_faults(tg, t0sz, ds, cpu):
        return set()
    return {
        START_LEVELS[tg][sl]
        for sl in range(8)
        if not invalid_sl(tg, sl, ds, cpu) and not inconsistent_sl(tg, t0sz, sl)
    }


@cache
def cpus() -> tuple[Cpu, ...]:
    """Return every CPU that the rules tell apart."""
    return tuple(
        Cpu(pa_bits, lpa2=lpa2, ttst=ttst, aarch32_el1=aarch32)
        for pa_bits, lpa2, ttst, aarch32 in product(
            PA_SIZES, (False, True), (False, True), (False, True)
        )
    )


def questions() -> Iterator[tuple[Cpu, str, int, bool]]:
    """Return every CPU, page size, width and descriptor format it has."""
    for cpu, tg, ipa_bits in product(cpus(), GRANULE_BITS, WIDTHS):
        yield cpu, tg, ipa_bits, False
        if tg != "64K" and cpu.lpa2:
            yield cpu, tg, ipa_bits, True


def test_choices_are_what_the_pseudocode_lets_through() -> None:
    """Every CPU, page size, IPA 16..56 and format has exactly the expected roots."""
    wrong = [
        (cpu, tg, ipa_bits, ds)
        for cpu, tg, ipa_bits, ds in questions()
        if [g.start_level for g in cpu.choices(GRANULE_BITS[tg], ipa_bits, ds)]
        != sorted(second_opinion(tg, ipa_bits, ds, cpu))
    ]

    assert [] == wrong


def test_lpa_makes_no_difference_to_shapes() -> None:
    """FEAT_LPA on a CPU with small addresses changes no verdict."""
    for pa_bits, granule, ipa_bits in product((40, 48), Granule, WIDTHS):
        shapes = Cpu(pa_bits).choices(granule, ipa_bits)

        assert shapes == Cpu(pa_bits, lpa=True).choices(granule, ipa_bits)


@pytest.mark.parametrize("ds", [False, True])
@pytest.mark.parametrize("tg", GRANULE_BITS)
def test_check_agrees_at_every_level(tg: str, ds: bool) -> None:
    """check() is empty for the legal start levels and for no other."""
    for pa_bits, ttst in product(PA_SIZES, (False, True)):
        cpu = Cpu(pa_bits, lpa2=True, ttst=ttst)
        for ipa_bits in WIDTHS:
            legal = second_opinion(tg, ipa_bits, ds, cpu)
            expected = set() if ds and tg == "64K" else legal

            assert expected == {
                level
                for level in LEVELS
                if not cpu.check(Geometry(GRANULE_BITS[tg], ipa_bits, level, ds))
            }


@pytest.mark.parametrize("ds", [False, True])
@pytest.mark.parametrize("granule", Granule)
def test_the_architecture_is_named_where_no_cpu_would_do(
    granule: Granule, ds: bool
) -> None:
    """A shape is legal on a CPU with everything, or else any CPU's answer says so."""
    everything = Cpu(56, lpa2=True, ttst=True, aarch32_el1=True)
    for ipa_bits, level in product(range(1, 65), LEVELS):
        shape = Geometry(granule, ipa_bits, level, ds)
        hopeless = everything.check(shape) != ()
        for cpu in (everything, Cpu(44), Cpu(32, granules=frozenset())):
            owners = {violation.limited_by for violation in cpu.check(shape)}

            assert hopeless is ("architecture" in owners)


def test_every_start_level_in_a_fix_is_legal() -> None:
    """Where a fix names start levels, each is legal and has the tables it says."""
    named = 0
    for cpu, granule, ipa_bits, level in product(
        [Cpu(36), Cpu(40), Cpu(44), Cpu(52, lpa2=True)], Granule, WIDTHS, LEVELS
    ):
        for violation in cpu.check(Geometry(granule, ipa_bits, level)):
            for number, tables in re.findall(
                r"at level (-?\d)(?: with (\d+) tables)?", violation.fix
            ):
                offered = Geometry(granule, ipa_bits, int(number))
                named += 1

                assert () == cpu.check(offered)
                assert int(tables or 1) == offered.concatenation

    assert named > 300


def test_ds_makes_no_difference_to_64k() -> None:
    """With 64K pages VTCR_EL2.DS is ignored, whatever it is."""
    for cpu, ipa_bits in product(cpus(), WIDTHS):
        plain = cpu.choices(Granule.K64, ipa_bits)

        assert plain == cpu.choices(Granule.K64, ipa_bits, lpa2=True)
        assert not any(shape.lpa2 for shape in plain)


def test_ds_is_on_where_the_cpu_has_it() -> None:
    """Without being told, choices() turns LPA2 on page size by page size."""
    for having in ((), (Granule.K4,), (Granule.K16,), (Granule.K4, Granule.K16)):
        cpu = Cpu(52, lpa2=frozenset(having))
        for granule, ipa_bits in product((Granule.K4, Granule.K16), WIDTHS):
            assert cpu.choices(granule, ipa_bits) == cpu.choices(
                granule, ipa_bits, granule in having
            )


def test_a_feature_takes_no_choice_away() -> None:
    """More physical addresses, TTST or AArch32 never make a legal shape illegal."""
    for granule, ipa_bits, ds in product(Granule, WIDTHS, (False, True)):
        smaller: set[Geometry] = set()
        for pa_bits in PA_SIZES:
            plain = set(Cpu(pa_bits, lpa2=True).choices(granule, ipa_bits, ds))
            small = Cpu(pa_bits, lpa2=True, ttst=True).choices(granule, ipa_bits, ds)
            both = Cpu(pa_bits, lpa2=True, aarch32_el1=True)

            assert smaller <= plain
            assert plain <= set(small)
            assert plain <= set(both.choices(granule, ipa_bits, ds))
            smaller = plain
