# SPDX-License-Identifier: MIT
"""What to ask about shapes and addresses, and what the architecture answers.

The architecture's rule is derived here a second time, as a table of what is legal, and
shares no number with s2geom. So the same questions do for the emulated CPUs, whose
differences are the rows of `limits`, and for s2geom, which must have none.
"""

import functools
import itertools
from collections.abc import Callable, Iterator

import attrs

from emulated.cpu import EmulatedCpu, Faulted, Outcome, Probe, Translated
from emulated.layout import DS, address_field, can_encode, layout, root_bytes
from emulated.limits import KILLED, PS_BITS, Case, predict
from emulated.qemu_cpu import QemuCpu

# IPA bits that a start level can resolve: the fewest, the most with one table at the
# root, and the most with sixteen tables or within 52 bits.
WINDOW = {
    (12, -1): (49, 52, 52),
    (12, 0): (40, 48, 52),
    (12, 1): (31, 39, 43),
    (12, 2): (22, 30, 34),
    (12, 3): (16, 21, 25),
    (14, 0): (48, 52, 52),
    (14, 1): (37, 47, 51),
    (14, 2): (26, 36, 40),
    (14, 3): (16, 25, 29),
    (16, 1): (43, 52, 52),
    (16, 2): (30, 42, 46),
    (16, 3): (17, 29, 33),
}
# Levels at which a leaf may be a block.
BLOCKS = {
    (12, False): {1, 2},
    (12, True): {0, 1, 2},
    (14, False): {2},
    (14, True): {1, 2},
    (16, False): {2},
}
# Address bits on both sides of each size that PS can say, and all of 51:48.
EDGES = (32, 35, 36, 39, 40, 41, 42, 43, 44, 47, 48, 49, 50, 51)
# A page that every CPU can put out, whatever PS says.
LOW_OUTPUT = 0x2345_0000


def is_legal(
    cpu: EmulatedCpu, granule: int, ipa_bits: int, start_level: int, *, lpa2: bool
) -> bool:
    """Decide by the architecture's three checks: T0SZ, start level, their fit."""
    fewest = {12: 16, 14: 16, 16: 17}[granule] if cpu.ttst else 25
    most = min(cpu.pa_bits, 52 if lpa2 or granule == 16 else 48)
    start_level_allowed = {
        (12, -1): lpa2,
        (12, 0): cpu.pa_bits >= 44,
        (12, 3): cpu.ttst,
        (14, 0): lpa2,
        (14, 1): cpu.pa_bits >= 42,
        (16, 1): cpu.pa_bits >= 44,
    }.get((granule, start_level), True)
    if (granule, start_level) not in WINDOW or not start_level_allowed:
        return False
    low, _, high = WINDOW[granule, start_level]
    return max(fewest, low) <= ipa_bits <= min(most, high)


def leaf_levels(cpu: EmulatedCpu, granule: int, *, lpa2: bool) -> set[int]:
    """Return the levels at which there may be a leaf: a page, or a block."""
    allowed = {3, *BLOCKS[granule, lpa2]}
    if granule == 16 and cpu.pa_bits == 52:
        allowed.add(1)
    return allowed


@attrs.frozen
class Question:
    """A probe, what the architecture answers, and what may make an emulator differ."""

    what: str
    case: Case
    probe: Probe
    right: Outcome


def beyond_stage_1(cpu: EmulatedCpu, ipa: int, right: Outcome) -> Outcome:
    """Correct an answer for stage 1, which is off but refuses what exceeds PARange."""
    return Faulted("address size", 0, stage=1) if ipa >> cpu.pa_bits else right


def shapes(cpu: EmulatedCpu) -> Iterator[tuple[int, int, int, bool]]:
    """All that VTCR_EL2 can say: granule, IPA bits 1 to 64, start level, DS."""
    for granule in sorted(cpu.granules):
        for lpa2 in (False, True) if cpu.lpa2 and granule != 16 else (False,):
            for start_level in range(-1, 4):
                if can_encode(granule, start_level, lpa2=lpa2):
                    for ipa_bits in range(1, 65):
                        yield granule, ipa_bits, start_level, lpa2


def legal_shapes(cpu: EmulatedCpu) -> Iterator[tuple[int, int, int, bool]]:
    """Those of them that the CPU has to accept."""
    for granule, ipa_bits, start_level, lpa2 in shapes(cpu):
        if is_legal(cpu, granule, ipa_bits, start_level, lpa2=lpa2):
            yield granule, ipa_bits, start_level, lpa2


def ends_and_seams(granule: int, ipa_bits: int, start_level: int) -> list[int]:
    """The first and the last page, and both sides of each seam between root tables."""
    _, one_table, _ = WINDOW[granule, start_level]
    seams = range(1 << one_table, 1 << ipa_bits, 1 << one_table)
    pages = {0, (1 << ipa_bits) - 1}.union(*({seam - 1, seam} for seam in seams))
    return sorted(pages)


def window(cpu: EmulatedCpu) -> Iterator[Question]:
    """Every shape: does it translate, where to, and how does it fault?"""
    for granule, ipa_bits, start_level, lpa2 in shapes(cpu):
        legal = is_legal(cpu, granule, ipa_bits, start_level, lpa2=lpa2)
        case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2)
        pages = [0, (1 << ipa_bits) - 1]
        if legal:
            pages = ends_and_seams(granule, ipa_bits, start_level)
        for ipa in pages:
            laid = layout(granule, ipa_bits, start_level, ipa, lpa2=lpa2)
            case = attrs.evolve(case, output_address=laid.output_address)
            right: Outcome = Faulted("translation", 0)
            if legal:
                right = Translated(laid.output_address)
            right = beyond_stage_1(cpu, ipa, right)
            yield Question("page", case, laid.probe(), right)
            for depth in range(len(laid.descriptors)) if legal else ():
                hole = Faulted("translation", start_level + depth)
                yield Question("hole", case, laid.probe(depth=depth), hole)
        if legal:
            laid = layout(granule, ipa_bits, start_level, 1 << ipa_bits, lpa2=lpa2)
            end = beyond_stage_1(cpu, laid.ipa, Faulted("translation", 0))
            yield Question("one past the end", case, laid.probe(), end)


def misaligned_roots(cpu: EmulatedCpu) -> Iterator[Question]:
    """Every legal shape with every bit of BADDR set that its root has no use for."""
    for granule, ipa_bits, start_level, lpa2 in legal_shapes(cpu):
        unused = root_bytes(granule, ipa_bits, start_level) - 1
        unused &= ~1  # not CnP
        if lpa2 or (granule == 16 and cpu.pa_bits == 52):
            unused &= ~0x3F  # there the address bits 51:48 are
        for ipa in (0, (1 << ipa_bits) - 1):
            laid = layout(
                granule, ipa_bits, start_level, ipa, lpa2=lpa2, misalignment=unused
            )
            case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2)
            right = Translated(laid.output_address)
            yield Question("misaligned root", case, laid.probe(), right)


def small_ps(cpu: EmulatedCpu) -> Iterator[Question]:
    """Every legal shape with every PS, which limits the output and not the IPA."""
    for granule, ipa_bits, start_level, lpa2 in legal_shapes(cpu):
        for ps in range(len(PS_BITS)):
            laid = layout(
                granule, ipa_bits, start_level, 0, lpa2=lpa2, ps=ps, output=LOW_OUTPUT
            )
            case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2, ps)
            right = Translated(laid.output_address)
            yield Question("PS", case, laid.probe(), right)


def blocks(cpu: EmulatedCpu) -> Iterator[Question]:
    """Every legal shape with a leaf at every level."""
    for granule, ipa_bits, start_level, lpa2 in legal_shapes(cpu):
        allowed = leaf_levels(cpu, granule, lpa2=lpa2)
        for leaf_level in range(start_level, 4):
            laid = layout(
                granule,
                ipa_bits,
                start_level,
                (1 << ipa_bits) - 1,
                lpa2=lpa2,
                leaf_level=leaf_level,
            )
            case = Case(
                granule,
                ipa_bits,
                start_level,
                cpu.pa_bits,
                lpa2,
                leaf_level=leaf_level,
                output_address=laid.output_address,
            )
            if leaf_level not in allowed:
                fault = Faulted("translation", leaf_level)
                case = attrs.evolve(case, wrong=(("block", fault),))
            yield Question("leaf", case, laid.probe(), case.right)


def large_addresses(cpu: EmulatedCpu) -> Iterator[Question]:
    """A large address bit in the root, a table or a leaf, for every PS."""
    for granule, ipa_bits, start_level, lpa2 in legal_shapes(cpu):
        if ipa_bits % 3:  # the IPA size matters little here
            continue
        for ps in range(len(PS_BITS)):
            case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2, ps)
            # The format of a descriptor follows the CPU, that of BADDR also PS.
            wide = lpa2 or (granule == 16 and cpu.pa_bits == 52)
            wide_root = lpa2 or case.output_bits == 52
            for bit in EDGES:
                if bit >= 48 and not wide:
                    break
                yield from large_address(case, 1 << bit, root=bit < 48 or wide_root)


def large_address(case: Case, high: int, *, root: bool) -> Iterator[Question]:
    """Set one address bit, in three places; in the root only where it can be."""
    arguments = (case.granule, case.ipa_bits, case.start_level, 0)
    laid = layout(*arguments, lpa2=case.lpa2, ps=case.ps, output=LOW_OUTPUT)
    case = attrs.evolve(case, high=high, output_address=laid.output_address)
    fits = high >> case.output_bits == 0
    right: Outcome
    if root:
        register = laid.vttbr | (high if high < 1 << 48 else high >> 46)
        right = Faulted("address size", 0)
        if fits:
            right = Faulted("external abort", case.start_level)
        yield Question(
            "large root",
            attrs.evolve(case, high_in="root"),
            attrs.evolve(laid.probe(), vttbr=register),
            right,
        )
    if case.start_level < 3:
        (address, word), *others = laid.descriptors
        word |= address_field(case.granule, high, lpa2=case.lpa2)
        right = Faulted("address size", case.start_level)
        if fits:
            right = Faulted("external abort", case.start_level + 1)
        yield Question(
            "large table",
            attrs.evolve(case, high_in="table"),
            attrs.evolve(laid.probe(), descriptors=((address, word), *others)),
            right,
        )
    output = LOW_OUTPUT | high
    laid = layout(*arguments, lpa2=case.lpa2, ps=case.ps, output=output)
    case = attrs.evolve(case, output_address=laid.output_address, high_in="leaf")
    if not fits:
        too_large = Faulted("address size", 3)
        case = attrs.evolve(case, wrong=(("output size", too_large),))
    yield Question("large output", case, laid.probe(), case.right)


def reserved_bits(cpu: EmulatedCpu) -> Iterator[Question]:
    """DS and SL2 where the CPU has to ignore them, and SL2 where it must not."""
    sl2 = 1 << 33
    for granule, ipa_bits, start_level, lpa2 in legal_shapes(cpu):
        laid = layout(granule, ipa_bits, start_level, (1 << ipa_bits) - 1, lpa2=lpa2)
        case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2)
        right: Outcome = Translated(laid.output_address)
        if granule == 16 or not cpu.lpa2:
            probe = attrs.evolve(laid.probe(), vtcr=laid.vtcr | DS)
            yield Question("DS without meaning", case, probe, right)
        if granule != 12 or not lpa2:
            probe = attrs.evolve(laid.probe(), vtcr=laid.vtcr | sl2)
            yield Question("SL2 without meaning", case, probe, right)
        elif start_level in (0, 1, 3):
            probe = attrs.evolve(laid.probe(), vtcr=laid.vtcr | sl2)
            yield Question("SL2 reserved", case, probe, Faulted("translation", 0))


Questions = Callable[[EmulatedCpu], Iterator[Question]]

SHAPES: tuple[Questions, ...] = (
    window,
    misaligned_roots,
    small_ps,
    blocks,
    large_addresses,
    reserved_bits,
)


@functools.cache
def questions_for(cpu: EmulatedCpu, generate: Questions) -> list[Question]:
    """List what to ask; more than one test wants the same list."""
    return list(generate(cpu))


def differences(cpu: EmulatedCpu, questions: list[Question]) -> list[object]:
    """Ask an emulated CPU, and list the answers that are not as foretold."""
    foretold = [predict(cpu, question.case, question.right) for question in questions]
    harmless = [answer != KILLED for answer, _ in foretold]
    probes = (question.probe for question in itertools.compress(questions, harmless))
    answers = iter(cpu.run(probes))
    wrong: list[object] = []
    for question, (expected, limit), survives in zip(
        questions, foretold, harmless, strict=True
    ):
        answer = next(answers) if survives else ask_to_death(cpu, question.probe)
        if answer != expected:
            because = limit and limit.id
            wrong.append((question.what, question.case, expected, because, answer))
    assert questions
    return wrong


def ask_to_death(cpu: EmulatedCpu, probe: Probe) -> Outcome:
    """Ask what the emulator is said not to survive, in a process of its own."""
    assert isinstance(cpu, QemuCpu)
    return KILLED if cpu.is_killed_by(probe) else cpu.run([probe])[0]
