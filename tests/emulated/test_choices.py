# SPDX-License-Identifier: MIT
"""`Cpu.check` and `Cpu.choices`: what they call legal translates, and nothing else.

The CPU is what the library reads from the emulated one's ID registers, and the words
of VTCR_EL2 and VTTBR_EL2 are the library's. The tables are not: they are `layout`'s.
"""

import functools
import itertools
from collections.abc import Iterator

import attrs
import pytest

from emulated.cpu import RAM_BASE, EmulatedCpu, Outcome, Probe, Translated
from emulated.layout import DS, RES1, TG0, can_encode, layout
from emulated.library import declared_cpu
from emulated.limits import PS_BITS, REFUSED, STAND_INS, Case, limits_of
from emulated.qemu_cpu import QemuCpu
from emulated.questions import LOW_OUTPUT, Question, beyond_stage_1, differences
from s2geom import (
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Geometry,
    Granule,
    UnsupportedCombination,
)

IPA_BITS = range(25, 53)
LEVELS = range(-1, 4)
SL2 = 1 << 33
# T0SZ, SL0, TG0 and the bits that are not fields of the shape but have to be right.
SHAPE_FIELDS = 0x3F | 3 << 6 | 3 << 14 | DS | SL2 | RES1 | 0xFFFF_FFFC_0000_0000


@functools.cache
def shapes() -> tuple[Geometry, ...]:
    """List every shape there is to be legal or not."""
    return tuple(
        Geometry(granule, ipa_bits, level, lpa2)
        for granule, ipa_bits, level, lpa2 in itertools.product(
            Granule, IPA_BITS, LEVELS, (False, True)
        )
    )


def words(shape: Geometry, cpu: Cpu) -> tuple[int, int] | None:
    """Return the library's VTCR_EL2 and VTTBR_EL2; None where it has no encoding.

    PS is the CPU's own size, as KVM has it. For every legal shape that is also what the
    limits of the emulators ask for: at least the IPA's size.
    """
    # The root's size is not always a size that there could be a table of.
    root = RAM_BASE if shape.pgd_size <= 1 << 28 else 0
    pa_bits = min(cpu.pa_bits, 52)
    try:
        vtcr = VTCR_EL2.for_geometry(shape, pa_bits=pa_bits)
        vttbr = VTTBR_EL2.for_geometry(shape, root, pa_bits=pa_bits)
    except UnsupportedCombination:
        return None
    return int(vtcr), int(vttbr)


def test_what_has_no_encoding_is_not_legal() -> None:
    """No words for a shape: 64K with LPA2 or above level 1, 16K above level 0..."""
    widest = Cpu(52, lpa2=True, ttst=True)

    without = {shape for shape in shapes() if words(shape, widest) is None}

    assert without == {
        shape
        for shape in shapes()
        if (shape.granule == 16 and (shape.lpa2 or shape.start_level < 1))
        or shape.start_level < {12: 0, 14: 1, 16: 1}[shape.granule] - shape.lpa2
    }
    assert all(widest.check(shape) for shape in without)


def judged(emulated: EmulatedCpu, shape: Geometry) -> Iterator[Question]:
    """Ask for the ends of the IPA space; what is right is what the library says."""
    cpu = declared_cpu(emulated)
    if shape.granule not in cpu.granules:
        return
    both = words(shape, cpu)
    if both is None:
        return
    case = Case(
        int(shape.granule),
        shape.ipa_bits,
        shape.start_level,
        cpu.pa_bits,
        shape.lpa2,
        ps=both[0] >> 16 & 7,
    )
    legal = not cpu.check(shape)
    for ipa in (0, shape.ipa_size - 1):
        laid = layout(*case.shape, ipa, lpa2=shape.lpa2)
        case = attrs.evolve(case, output_address=laid.output_address)
        right: Outcome = Translated(laid.output_address) if legal else REFUSED
        right = beyond_stage_1(emulated, ipa, right)
        probe = Probe(*both, ipa, "read", laid.descriptors)
        yield Question("choice", case, probe, right)


def test_legal_is_what_translates(cpu: EmulatedCpu) -> None:
    """For every page size, IPA size, start level and DS that the CPU has."""
    with_ds = [shape for shape in shapes() if shape.granule in declared_cpu(cpu).lpa2]
    asked = [shape for shape in shapes() if not shape.lpa2] + [
        shape for shape in with_ds if shape.lpa2
    ]

    questions = [question for shape in asked for question in judged(cpu, shape)]
    wrong = differences(cpu, questions)

    assert not wrong, f"{len(wrong)} of {len(questions)} verdicts are wrong"
    assert {True, False} == {
        isinstance(question.right, Translated) for question in questions
    }


def test_ds_without_lpa2_is_as_good_as_zero(cpu: EmulatedCpu) -> None:
    """A CPU without LPA2 refuses DS in the library, and ignores it in a register.

    What then happens is what the word means without DS, and without SL2 as well: the
    library has that shape's verdict.
    """
    known = declared_cpu(cpu)
    questions = []
    for shape in shapes():
        if not shape.lpa2 or shape.granule not in known.granules - known.lpa2:
            continue
        both = words(shape, known)
        if both is None:
            continue
        vtcr, vttbr = both
        try:
            acts_as = VTCR_EL2.from_int(vtcr & ~(DS | SL2)).geometry()
        except UnsupportedCombination:
            case = Case(int(shape.granule), shape.ipa_bits, 3, known.pa_bits)
            probe = Probe(vtcr, vttbr, 0)
            questions.append(Question("reserved without DS", case, probe, REFUSED))
        else:
            for question in judged(cpu, acts_as):
                probe = attrs.evolve(question.probe, vtcr=vtcr)
                questions.append(attrs.evolve(question, probe=probe))
        rules = [why.rule for why in known.check(shape)]

        assert "lpa2-not-implemented" in rules

    assert bool(questions) == bool(known.granules - known.lpa2 - {Granule.K64})
    assert not questions or not differences(cpu, questions)


@pytest.mark.parametrize("ps", range(6), ids=lambda ps: f"{PS_BITS[ps]}-bits")
def test_sizes_that_no_emulated_cpu_has(qemu_cpu: QemuCpu, ps: int) -> None:
    """QEMU 7 takes a small PS for a small CPU, and so stands for every PARange.

    Its limits 'ipa-wider-than-ps' and 'start-level-by-ps' say so, in its numbers. Here
    they are not used: the verdict of the library on the small CPU has to do. Where QEMU
    has got over them, PS must change nothing.
    """
    known = declared_cpu(qemu_cpu)
    limited = {"ipa-wider-than-ps", "start-level-by-ps"} <= {
        limit.id for limit in limits_of(qemu_cpu)
    }
    small = Cpu(PS_BITS[ps], lpa2=known.lpa2, ttst=known.ttst) if limited else known
    questions = []
    for shape in shapes():
        both = words(shape, known)
        if both is None:
            continue
        vtcr = both[0] & ~(7 << 16) | ps << 16
        laid = layout(
            int(shape.granule),
            shape.ipa_bits,
            shape.start_level,
            shape.ipa_size - 1,
            lpa2=shape.lpa2,
            output=LOW_OUTPUT,
        )
        right: Outcome = REFUSED
        if not small.check(shape):
            right = Translated(laid.output_address)
        case = Case(
            int(shape.granule),
            shape.ipa_bits,
            shape.start_level,
            known.pa_bits,
            shape.lpa2,
        )
        probe = attrs.evolve(laid.probe(), vtcr=vtcr)
        questions.append(Question("small PS", case, probe, right))

    assert not differences(qemu_cpu, questions)


def test_choices_are_the_legal_shapes(cpu: EmulatedCpu) -> None:
    """`choices` lists what `check` lets pass, and so what was seen to translate."""
    known = declared_cpu(cpu)
    for granule, ipa_bits, lpa2 in itertools.product(Granule, IPA_BITS, (False, True)):
        if granule is Granule.K64 and lpa2:
            continue
        legal = [
            shape
            for shape in shapes()
            if (shape.granule, shape.ipa_bits, shape.lpa2) == (granule, ipa_bits, lpa2)
            and not known.check(shape)
        ]

        assert legal == list(known.choices(granule, ipa_bits, lpa2))


def test_page_size_that_is_not_there(cpu: EmulatedCpu) -> None:
    """TG0 names a size the CPU lacks, or none: the library says so, and names no other.

    The emulators each take one of theirs, as the architecture allows.
    """
    known = declared_cpu(cpu)
    for row in STAND_INS:
        if not row.concerns(cpu) or row.named in known.granules:
            continue
        tg0 = 3 << 14 if row.named is None else TG0[row.named]
        stand_in = attrs.evolve(known, granules={Granule(row.taken)})
        questions = []
        for ipa_bits, level in itertools.product(IPA_BITS, range(4)):
            taken = Geometry(row.taken, ipa_bits, level)
            if stand_in.check(taken) or not can_encode(row.taken, level):
                continue
            laid = layout(row.taken, ipa_bits, level, taken.ipa_size - 1)
            vtcr = laid.vtcr & ~(3 << 14) | tg0
            case = Case(row.taken, ipa_bits, level, known.pa_bits)
            probe = attrs.evolve(laid.probe(), vtcr=vtcr)
            right = Translated(laid.output_address)
            questions.append(Question("stand-in", case, probe, right))

            word = VTCR_EL2.from_int(vtcr)
            rules = {why.rule for why in word.lint(known)}
            if row.named is None:
                assert "tg0-reserved" in rules
                with pytest.raises(UnsupportedCombination):
                    word.geometry()
            else:
                assert rules & {"granule-not-implemented", "sl0-reserved"}

        assert not differences(cpu, questions)


def test_words_are_what_the_tables_need(cpu: EmulatedCpu) -> None:
    """For a legal shape the library's words and `layout`'s make the same walk."""
    known = declared_cpu(cpu)
    for shape in shapes():
        both = words(shape, known)
        if known.check(shape) or both is None:
            continue
        laid = layout(
            int(shape.granule), shape.ipa_bits, shape.start_level, 0, lpa2=shape.lpa2
        )

        assert laid.vtcr & SHAPE_FIELDS == both[0] & SHAPE_FIELDS
        assert laid.vttbr == both[1]
