# SPDX-License-Identifier: MIT
"""`walk` against the architecture's answers, and against the emulated CPUs.

First the library takes the place of a CPU, and answers every question that those are
asked: raw registers, no exceptions. Then everything is the library's: shapes from
`Cpu.choices`, words of the registers, and the descriptors of tables for each shape.
Where output addresses go is said by the tests.
"""

import itertools
from collections.abc import Iterator

import attrs
import pytest

from emulated.cpu import RAM_BASE, EmulatedCpu, Faulted, Outcome, Probe, Translated
from emulated.library import (
    LibraryCpu,
    declared_cpu,
    outcome,
    table_memory,
    walking_cpu,
)
from emulated.limits import REFUSED, Case
from emulated.qemu_cpu import QemuCpu
from emulated.questions import (
    SHAPES,
    Question,
    Questions,
    beyond_stage_1,
    differences,
    questions_for,
)
from s2geom import (
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Descriptor,
    Fault,
    Geometry,
    Granule,
    Translation,
    walk,
)

# A bit pattern for output addresses: each 4-bit digit has another value, so that bits
# in a wrong place show.
PATTERN = 0xF_EDCB_A987_6543

# To the library the other CPUs are one of these again, maybe without a page size.
DISTINCT = [
    ("qemu_cpus", "cortex-a76"),
    ("unicorn_cpus", "cortex-a72"),
    ("qemu_cpus", "neoverse-n1"),
    ("qemu_cpus", "max,lpa2=off"),
    ("qemu_cpus", "max"),
]


@pytest.mark.parametrize("generate", SHAPES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("cpu", DISTINCT, ids="-".join, indirect=True)
def test_library_in_the_place_of_a_cpu(cpu: EmulatedCpu, generate: Questions) -> None:
    """Every question about shapes and addresses, with no limit to excuse anything."""
    questions = questions_for(cpu, generate)
    answers = LibraryCpu(cpu).run(question.probe for question in questions)

    wrong = [
        (question.what, question.case, answer)
        for question, answer in zip(questions, answers, strict=True)
        if question.right != answer
    ]

    assert questions
    assert not wrong, f"{len(wrong)} of {len(questions)} answers are wrong"


def test_distinct(emulated_cpus: list[EmulatedCpu]) -> None:
    """The library has been every CPU that is there, but for page sizes."""
    every = frozenset(Granule)
    everyone = {attrs.evolve(walking_cpu(cpu), granules=every) for cpu in emulated_cpus}
    asked_for = {
        attrs.evolve(walking_cpu(cpu), granules=every)
        for cpu in emulated_cpus
        if (f"{cpu.emulator}_cpus", cpu.model) in DISTINCT
    }

    assert everyone == asked_for


# Everything by the library


def legal_shapes(cpu: Cpu) -> Iterator[Geometry]:
    """Yield every legal shape, with and without LPA2."""
    for granule in sorted(cpu.granules):
        for lpa2 in sorted({False, granule in cpu.lpa2}):
            for ipa_bits in range(16, 53):
                yield from cpu.choices(granule, ipa_bits, lpa2)


def pages(shape: Geometry) -> list[int]:
    """List the first and the last page, and both sides of each seam."""
    span = shape.ipa_size // shape.concatenation
    ends = itertools.chain.from_iterable(
        (span * table, span * (table + 1) - 1) for table in range(shape.concatenation)
    )
    return sorted(ends)


@attrs.frozen
class Tables:
    """Tables for one address, made of the library's descriptors."""

    shape: Geometry
    vtcr: VTCR_EL2
    root: int
    ipa: int
    descriptors: tuple[tuple[int, int], ...]
    output_address: int
    leaf_level: int

    @property
    def case(self) -> Case:
        """Say what may make an emulator differ, but for the size of the CPU."""
        return Case(
            int(self.shape.granule),
            self.shape.ipa_bits,
            self.shape.start_level,
            0,
            self.shape.lpa2,
            ps=self.vtcr.ps,
            leaf_level=self.leaf_level,
            output_address=self.output_address,
        )


def make(cpu: Cpu, shape: Geometry, ipa: int, leaf_level: int = 3) -> Tables:
    """Lay out tables that lead to a large output address with a telling pattern.

    The root is at the second place that its alignment allows, and each table has a gap
    before it, so that nothing works by being next to something.
    """
    ps = min(cpu.pa_bits, 52 if shape.lpa2 or shape.granule is Granule.K64 else 48)
    root = RAM_BASE + cpu.pgd_alignment(shape, ps)
    address = RAM_BASE + (4 << 20)
    lpa = cpu.lpa
    index = shape.split(ipa)
    found = []
    table, entry = root, index.pgd_index
    for level in range(shape.start_level, leaf_level):
        word = Descriptor.table(shape, level, address, lpa=lpa)
        found.append((table + 8 * entry, int(word)))
        table, entry = address, index.indices[level + 1 - shape.start_level]
        address += 3 * shape.page_size
    size = 1 << shape.granule.level_shift(leaf_level)
    output = PATTERN & ((1 << ps) - 1) & -size
    leaf = Descriptor.leaf(shape, leaf_level, output, lpa=lpa)
    found.append((table + 8 * entry, int(leaf)))
    return Tables(
        shape=shape,
        vtcr=VTCR_EL2.for_geometry(shape, pa_bits=ps),
        root=root,
        ipa=ipa,
        descriptors=tuple(found),
        output_address=(output | ipa & (size - 1)) & ~0xFFF,
        leaf_level=leaf_level,
    )


def asked(
    emulated: EmulatedCpu,
    tables: Tables,
    right: Outcome,
    *,
    ipa: int | None = None,
    depth: int | None = None,
    junk: int = 0,
) -> Question:
    """Walk, hold what comes out to what is right, and make a question of it.

    Args:
        emulated: Who is going to be asked as well.
        tables: What to walk.
        right: What must come of it.
        ipa: Another address than the tables are for.
        depth: Leave only so many descriptors.
        junk: Bits to set in the root's address.
    """
    cpu, shape = walking_cpu(emulated), tables.shape
    ipa = tables.ipa if ipa is None else ipa
    descriptors = tables.descriptors[:depth]
    register = VTTBR_EL2.for_geometry(shape, tables.root, pa_bits=tables.vtcr.pa_bits)
    found = walk(
        shape,
        tables.root | junk,
        ipa,
        table_memory(descriptors),
        cpu=cpu,
        vtcr=tables.vtcr,
    )

    assert right == outcome(found), (shape, hex(ipa))
    if isinstance(found, Translation):
        assert found.level == tables.leaf_level
        assert found.output_address == tables.output_address | ipa & 0xFFF
    else:
        assert isinstance(found, Fault)
        assert found.address == ipa

    probe = Probe(int(tables.vtcr), int(register) | junk, ipa, "read", descriptors)
    case = attrs.evolve(tables.case, pa_bits=emulated.pa_bits)
    right = beyond_stage_1(emulated, ipa, right)
    return Question("walk", case, probe, right)


def test_every_legal_shape(cpu: EmulatedCpu) -> None:
    """First page, last page, both sides of each seam; one past the end."""
    known = walking_cpu(cpu)
    questions = []
    for shape in legal_shapes(known):
        for ipa in pages(shape):
            tables = make(known, shape, ipa)
            right = Translated(tables.output_address)
            questions.append(asked(cpu, tables, right))
        end = shape.ipa_size
        questions.append(asked(cpu, tables, REFUSED, ipa=end))

    assert not differences(cpu, questions)
    highest = max(question.case.output_address for question in questions)
    assert highest >> (min(known.pa_bits, 52) - 1) == 1


def test_holes_at_every_level(cpu: EmulatedCpu) -> None:
    """Without its last descriptors a walk faults where the first of them is missing."""
    known = walking_cpu(cpu)
    questions = []
    for shape in legal_shapes(known):
        for ipa in {0, shape.ipa_size - 1}:
            tables = make(known, shape, ipa)
            for depth in range(shape.levels):
                right = Faulted("translation", shape.start_level + depth)
                questions.append(asked(cpu, tables, right, depth=depth))

    assert not differences(cpu, questions)


def test_blocks_at_every_level(cpu: EmulatedCpu) -> None:
    """Where the library has blocks on this CPU, the last byte is the right one."""
    known = walking_cpu(cpu)
    questions = []
    for shape in legal_shapes(known):
        for level in sorted(known.block_levels(shape)):
            tables = make(known, shape, shape.ipa_size - 1, level)
            right = Translated(tables.output_address)
            questions.append(asked(cpu, tables, right))

    assert not differences(cpu, questions)
    assert {1, 2} <= {question.case.leaf_level for question in questions}


def test_misaligned_root(cpu: EmulatedCpu) -> None:
    """Each bit of VTTBR_EL2 below the root's alignment alone, and all of them."""
    known = walking_cpu(cpu)
    questions = []
    for shape in legal_shapes(known):
        tables = make(known, shape, shape.ipa_size - 1)
        alignment = known.pgd_alignment(shape, tables.vtcr.pa_bits)
        # Bit 0 is CnP, and bits 5:2 may be address bits 51:48.
        wide = shape.lpa2 or tables.vtcr.pa_bits == 52
        lowest = 6 if wide else 1
        bits = [1 << bit for bit in range(lowest, alignment.bit_length() - 1)]
        for junk in [*bits, sum(bits)] if bits else []:
            right = Translated(tables.output_address)
            questions.append(asked(cpu, tables, right, junk=junk))

    assert not differences(cpu, questions)


@pytest.mark.parametrize("model", ["max", "max,lpa2=off"])
def test_root_above_48_bits(qemu_cpus: dict[str, QemuCpu], model: str) -> None:
    """Address bits 51:48 of the root: there is no memory, and below them there is."""
    cpu = qemu_cpus[model]
    known = walking_cpu(cpu)
    questions = []
    for shape in legal_shapes(known):
        if not shape.lpa2 and shape.granule is not Granule.K64:
            continue
        for bit in range(48, 52):
            tables = attrs.evolve(make(known, shape, 0), root=RAM_BASE | 1 << bit)
            right = Faulted("external abort", shape.start_level)
            question = asked(cpu, tables, right)
            case = attrs.evolve(question.case, high=1 << bit, high_in="root")
            questions.append(attrs.evolve(question, case=case))

    assert not differences(cpu, questions)


def test_what_the_id_registers_say(cpu: EmulatedCpu) -> None:
    """The library and the harness read the same of them, each in its own way."""
    known = declared_cpu(cpu)
    registers = cpu.id_registers

    assert registers.pa_bits == known.pa_bits
    assert registers.granules == known.granules
    assert registers.lpa2 == (Granule.K4 in known.lpa2)
    assert registers.ttst == known.ttst
