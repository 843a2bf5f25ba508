# SPDX-License-Identifier: MIT
"""Tables that `TableBuilder` made, walked by three who do not know each other.

Hypothesis makes the maps: ranges at the bottom, at the top, across the seams between
root tables and anywhere else, of pages, blocks and contiguous groups, with holes, cut
by later calls. What is mapped is kept in a plain list as well. Then `walk`, Unicorn and
QEMU are asked at the edges of everything, and have to agree with that list and with
each other on addresses, faults and levels; and `scan` has to find the list again.
"""

import itertools
from collections.abc import Iterable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulated.availability import require
from emulated.cpu import (
    RAM_BASE,
    Access,
    EmulatedCpu,
    Faulted,
    Outcome,
    Probe,
    Translated,
)
from emulated.library import HA, outcome, walking_cpu
from emulated.limits import REFUSED, Case, predict
from emulated.questions import beyond_stage_1
from s2geom import (
    AddressLayout,
    Attributes,
    Cpu,
    Geometry,
    Granule,
    Memory,
    TableBuilder,
    Translation,
    scan,
    walk,
)

# A CPU on which every shape is legal that is legal on any.
WIDEST = Cpu(52, lpa2=True, ttst=True)
# Granule, LPA2 and LPA: every combination that makes other descriptors.
FORMATS = {
    "4K": (Granule.K4, False, False),
    "16K": (Granule.K16, False, False),
    "64K": (Granule.K64, False, False),
    "4K-lpa2": (Granule.K4, True, False),
    "16K-lpa2": (Granule.K16, True, False),
    "64K-lpa": (Granule.K64, False, True),
}
# Of what is mapped at once: this many leaves, or groups of leaves, of one size.
MOST_UNITS = 20
MOST_PROBES = 160


def shapes_of(name: str) -> list[Geometry]:
    """List the legal shapes of a format."""
    granule, lpa2, lpa = FORMATS[name]
    return [
        shape
        for ipa_bits in range(16, 53)
        for shape in WIDEST.choices(granule, ipa_bits, lpa2)
        if lpa or granule is not Granule.K64 or ipa_bits <= 48
    ]


@attrs.frozen
class Piece:
    """What is mapped from one IPA to another."""

    start: int
    end: int
    pa: int
    attributes: Attributes

    def part(self, start: int, end: int) -> "Piece":
        """Return what of it lies between two addresses."""
        start, end = max(start, self.start), min(end, self.end)
        return Piece(start, end, self.pa + start - self.start, self.attributes)


Pieces = list[Piece]


def overlapping(pieces: Pieces, start: int, end: int) -> Pieces:
    """Return what is mapped in a range."""
    return [
        piece.part(start, end)
        for piece in pieces
        if start < piece.end and piece.start < end
    ]


def without(pieces: Pieces, start: int, end: int) -> Pieces:
    """Return what is mapped outside a range."""
    return overlapping(pieces, 0, start) + overlapping(pieces, end, 1 << 64)


def joined(pieces: Iterable[Piece]) -> Pieces:
    """Return the same map as few pieces, in order."""
    result: Pieces = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        last = result[-1] if result else None
        if (
            last is not None
            and last.end == piece.start
            and last.attributes == piece.attributes
            and last.pa + last.end - last.start == piece.pa
        ):
            result[-1] = attrs.evolve(last, end=piece.end)
        else:
            result.append(piece)
    return result


@attrs.frozen
class Built:
    """A builder, and what it was told to map."""

    builder: TableBuilder
    pieces: Pieces
    lpa: bool

    @property
    def shape(self) -> Geometry:
        """The shape of its tables."""
        return self.builder.geometry

    @property
    def vtcr(self) -> int:
        """VTCR_EL2; software sets the access flag, since not every CPU does."""
        return int(self.builder.vtcr()) & ~HA

    @property
    def highest(self) -> int:
        """The highest output address."""
        return max(
            (piece.pa + piece.end - piece.start - 1 for piece in self.pieces), default=0
        )

    def foretold(self, ipa: int, access: Access) -> Outcome:
        """Say what comes of an access, but for the level of a fault."""
        if ipa >> self.shape.ipa_bits:
            return REFUSED
        found = overlapping(self.pieces, ipa, ipa + 1)
        if not found:
            return Faulted("translation", 0)
        (piece,) = found
        if not piece.attributes.af:
            return Faulted("access flag", 0)
        if not piece.attributes.s2ap & {"read": 1, "write": 2}[access]:
            return Faulted("permission", 0)
        return Translated(piece.pa & ~0xFFF)


# Making them


@st.composite
def attributes(draw: st.DrawFn) -> Attributes:
    """Return attributes; most of them such that data can be accessed."""
    return Attributes(
        s2ap=draw(st.sampled_from((3, 3, 3, 1, 2, 0))),
        af=draw(st.sampled_from((True, True, True, False))),
        memattr=draw(st.sampled_from((0b1111, 0b0101, 0b0001))),
        xn=draw(st.integers(0, 3)),
        software=draw(st.integers(0, 7)),
    )


@st.composite
def shapes(draw: st.DrawFn, name: str, pa_bits: int) -> Geometry:
    """Return a shape for a CPU of some size.

    Any start level is as likely as any other, and more than one table there likely.
    """
    legal = [
        shape
        for shape in shapes_of(name)
        if not attrs.evolve(WIDEST, pa_bits=pa_bits).check(shape)
    ]
    start_level = draw(st.sampled_from(sorted({shape.start_level for shape in legal})))
    alike = [shape for shape in legal if shape.start_level == start_level]
    folded = [shape for shape in alike if shape.concatenation > 1]
    return draw(st.sampled_from(draw(st.sampled_from((alike, folded or alike)))))


@st.composite
def ranges(
    draw: st.DrawFn, shape: Geometry, pa_bits: int, lpa: bool
) -> tuple[int, int, int]:
    """Return IPA, output address and size of a range of some kind of leaf."""
    page, top = shape.page_size, shape.ipa_size
    levels = [
        level
        for level in shape.table_levels
        if level.leaf or (lpa and level.number == 1)
    ]
    level = draw(st.sampled_from(levels))
    unit = level.entry_size * draw(st.sampled_from((1, level.contiguous or 1)))
    seam = top // shape.concatenation
    anchor = draw(
        st.sampled_from((0, top))
        | st.integers(1, shape.concatenation).map(lambda table: table * seam)
        | st.integers(0, top // unit).map(lambda index: index * unit)
    )
    size = unit * draw(st.integers(1, MOST_UNITS))
    before = (0, size, unit, size // 2 & -page, page, -page)
    start = anchor - draw(st.sampled_from(before))
    end = start + size + page * draw(st.sampled_from((0, 0, 0, 1, -1)))
    start = min(max(start, 0), top - page)
    end = min(max(end, start + page), top)
    # Output addresses that share the low bits let large leaves be used. With a skew the
    # next smaller ones have to do, which are a table for each of the large.
    below = [level.entry_size // 2]
    if level.number < 3:
        below.append(shape.level(level.number + 1).entry_size)
    skew = draw(st.sampled_from((0, 0, *below))) & -page
    room = max(1, ((1 << pa_bits) - (end - start)) // unit - 1)
    pa = draw(st.sampled_from((0, room - 1)) | st.integers(0, room - 1)) * unit
    pa += (start + skew) % unit
    if pa + end - start > 1 << pa_bits:
        end = start + page
    return start, pa, end - start


@st.composite
def built(draw: st.DrawFn, name: str) -> Built:
    """Return tables after a few calls, and what they map."""
    _, lpa2, lpa = FORMATS[name]
    # The sizes of Unicorn's CPUs, and what else there is.
    pa_bits = 52 if lpa or lpa2 else draw(st.sampled_from((40, 44, 48)))
    shape = draw(shapes(name, pa_bits))
    alignment = max(shape.pgd_alignment, 64)
    base = RAM_BASE + alignment * draw(st.integers(0, 3))
    builder = TableBuilder(shape, base, lpa=lpa)
    pieces: Pieces = []

    for _ in range(draw(st.integers(1, 6))):
        start, pa, size = draw(ranges(shape, pa_bits, lpa))
        end, wanted = start + size, draw(attributes())
        blocks = size > MOST_UNITS * shape.page_size or draw(st.booleans())
        kept = attrs.evolve(wanted, sh=None) if lpa2 else wanted
        new = [Piece(start, end, pa, kept)]
        there = joined(overlapping(pieces, start, end))
        action = draw(st.sampled_from(("map", "map", "map", "unmap", "protect")))
        if action == "unmap":
            builder.unmap(start, size)
            new = []
        elif action == "protect" and sum(p.end - p.start for p in there) == size:
            builder.protect(start, size, attributes=wanted)
            new = [attrs.evolve(piece, attributes=kept) for piece in there]
        elif there:
            builder.remap(start, pa, size, attributes=wanted, blocks=blocks)
        else:
            builder.map(start, pa, size, attributes=wanted, blocks=blocks)
        pieces = without(pieces, start, end) + new

    if pieces and draw(st.sampled_from((True, False))):
        some = pieces[0]
        builder.split(some.start, min(some.end - some.start, 8 * shape.page_size))
    return Built(builder, joined(pieces), lpa)


# Asking


def places(made: Built) -> list[int]:
    """List the addresses to ask for, the most telling first."""
    shape, page = made.shape, made.shape.page_size
    seam = shape.ipa_size // shape.concatenation
    edges = [edge for piece in made.pieces for edge in (piece.start, piece.end)]
    edges += range(0, shape.ipa_size + 1, seam)
    # Where one size of leaf ends and another begins, and the edges of the first and
    # the last leaf and group.
    for piece in made.pieces:
        for level in shape.table_levels:
            for unit in {level.entry_size, level.entry_size * (level.contiguous or 1)}:
                edges += (-(-piece.start // unit) * unit, piece.end // unit * unit)
    around = [place for edge in edges for place in (edge, edge - 1, edge + page)]
    inside = [place for place in around if 0 <= place < shape.ipa_size]
    return [*list(dict.fromkeys(inside))[:MOST_PROBES], shape.ipa_size]


def can_walk(cpu: EmulatedCpu, made: Built) -> bool:
    """Whether the CPU takes the shape, and the descriptors and addresses fit it."""
    known = walking_cpu(cpu)
    return (
        not known.check(made.shape)
        and not made.highest >> known.pa_bits
        and (known.lpa or not made.lpa)
    )


def as_one(images: dict[int, bytes]) -> dict[int, bytes]:
    """Join the images of tables side by side: fewer things to load."""
    chunks: dict[int, bytearray] = {}
    first = end = -1
    for address, table in images.items():
        if address != end:
            first = address
            chunks[first] = bytearray()
        chunks[first] += table
        end = address + len(table)
    return {address: bytes(chunk) for address, chunk in chunks.items()}


def walked(
    cpu: EmulatedCpu, made: Built, asked: list[tuple[int, Access]]
) -> list[Outcome]:
    """Walk by the library, and hold kinds and addresses to what was mapped."""
    known, builder = walking_cpu(cpu), made.builder
    memory = Memory(builder.images())
    answers = []
    for ipa, access in asked:
        found = walk(
            made.shape,
            builder.root,
            ipa,
            memory.read,
            cpu=known,
            vtcr=made.vtcr,
            access=access,
        )
        answer, foretold = outcome(found), made.foretold(ipa, access)
        is_walked = not ipa >> made.shape.ipa_bits
        if is_walked and isinstance(answer, Faulted) and isinstance(foretold, Faulted):
            # The level is for the emulators to judge.
            foretold = attrs.evolve(foretold, level=answer.level)
        if isinstance(found, Translation):
            assert ipa & 0xFFF == found.output_address & 0xFFF

        assert foretold == answer, (hex(ipa), access)
        answers.append(answer)
    return answers


def compare(cpus: list[EmulatedCpu], made: Built) -> int:
    """Let every CPU that can walk the tables; return how many questions it took."""
    accesses: tuple[Access, ...] = ("read", "write", "read")
    asked = [(ipa, accesses[at % 3]) for at, ipa in enumerate(places(made))]
    vttbr = int(made.builder.vttbr())
    image = as_one(made.builder.images())
    shape, number = made.shape, 0
    case = Case(int(shape.granule), shape.ipa_bits, shape.start_level, 0, shape.lpa2)
    for cpu in cpus:
        if not can_walk(cpu, made):
            continue
        here = attrs.evolve(case, pa_bits=cpu.pa_bits, ps=made.vtcr >> 16 & 7)
        expected = [
            predict(cpu, here, beyond_stage_1(cpu, ipa, answer))[0]
            for (ipa, _), answer in zip(asked, walked(cpu, made, asked), strict=True)
        ]
        probes = [Probe(made.vtcr, vttbr, ipa, access) for ipa, access in asked]
        answers = cpu.run(probes, image)

        assert expected == answers, cpu.name
        number += len(asked)
    return number


@pytest.fixture(scope="session")
def all_cpus(emulated_cpus: list[EmulatedCpu]) -> list[EmulatedCpu]:
    """Every CPU there is, and QEMU at least: only that knows large addresses."""
    require("qemu")
    return emulated_cpus


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=settings().max_examples // 3)
@given(data=st.data())
def test_three_walkers(
    all_cpus: list[EmulatedCpu], name: str, data: st.DataObject
) -> None:
    """Whatever is built, everybody walks it alike, and a scan finds what was mapped."""
    made = data.draw(built(name))

    assert compare(all_cpus, made)
    assert made.pieces == scanned(made)


def scanned(made: Built) -> Pieces:
    """Return what a scan finds, whatever leaves it is mapped by."""
    memory = Memory(made.builder.images())
    found = scan(made.shape, made.builder.root, memory.read, cpu=WIDEST)
    return joined(
        Piece(one.ipa, one.ipa + one.size, one.output_address, one.attributes)
        for one in found
    )


def kinds_of_leaf(shape: Geometry, *, lpa: bool) -> list[tuple[int, int]]:
    """List the level and the number of leaves of every leaf and contiguous group."""
    kinds = []
    for level in shape.table_levels:
        if level.leaf or (lpa and level.number == 1):
            kinds.append((level.number, 1))
            if level.contiguous:
                kinds.append((level.number, level.contiguous))
    return kinds


def roots_of(name: str) -> list[Geometry]:
    """List the narrowest and the widest shape of every kind of root."""
    shapes = sorted(shapes_of(name), key=lambda shape: shape.start_level)
    extremes: list[Geometry] = []
    for _, same in itertools.groupby(shapes, key=lambda shape: shape.start_level):
        widths = list(same)
        extremes += {widths[0]: None, widths[-1]: None}
    return extremes


@pytest.mark.parametrize("name", FORMATS)
def test_every_kind_of_leaf(all_cpus: list[EmulatedCpu], name: str) -> None:
    """One leaf or group of each kind, at the end of each kind of root."""
    _, lpa2, lpa = FORMATS[name]
    wanted = Attributes(sh=None) if lpa2 else Attributes()
    seen = set()
    for shape in roots_of(name):
        for number, count in kinds_of_leaf(shape, lpa=lpa):
            size = count << shape.granule.level_shift(number)
            start = shape.ipa_size - size
            pa = size * 3 if size <= 1 << 36 else 0
            builder = TableBuilder(shape, RAM_BASE, lpa=lpa)
            builder.map(start, pa, size)
            pieces = [Piece(start, shape.ipa_size, pa, wanted)]
            made = Built(builder, pieces, lpa)
            memory = Memory(builder.images())
            found = walk(shape, builder.root, start, memory.read, cpu=WIDEST)

            assert isinstance(found, Translation)
            assert number == found.level
            assert (count > 1) == found.descriptor.contiguous
            assert compare(all_cpus, made)
            assert pieces == scanned(made)
            seen.add((number, count > 1))

    granule = FORMATS[name][0]
    levels = {Granule.K4: {1, 2, 3}, Granule.K16: {2, 3}, Granule.K64: {2, 3}}[granule]
    assert seen >= {(level, grouped) for level in levels for grouped in (False, True)}
    large = {"4K-lpa2": (0, False), "16K-lpa2": (1, False), "64K-lpa": (1, False)}
    assert name not in large or large[name] in seen


@pytest.mark.parametrize("name", FORMATS)
def test_whole_space(all_cpus: list[EmulatedCpu], name: str) -> None:
    """All of the IPA space at once, as it is: both ends and every seam."""
    _, lpa2, lpa = FORMATS[name]
    wanted = Attributes(sh=None) if lpa2 else Attributes()
    for shape in roots_of(name):
        largest = kinds_of_leaf(shape, lpa=lpa)[0][0]
        if shape.ipa_size >> shape.granule.level_shift(largest) > 1 << 13:
            continue  # so many tables that nobody would wait for them
        builder = TableBuilder(shape, RAM_BASE, lpa=lpa)
        builder.map(0, 0, shape.ipa_size)
        made = Built(builder, [Piece(0, shape.ipa_size, 0, wanted)], lpa)

        assert compare(all_cpus, made)
        assert made.pieces == scanned(made)


def test_five_levels(all_cpus: list[EmulatedCpu]) -> None:
    """4K pages, 52 bits, level -1: a page at the very top, to the very top."""
    shape = Geometry(Granule.K4, 52, -1, lpa2=True)
    builder = TableBuilder(shape, RAM_BASE)
    top = (1 << 52) - 0x1000
    builder.map(top, top, 0x1000)
    made = Built(builder, [Piece(top, 1 << 52, top, Attributes(sh=None))], lpa=False)
    tables = builder.images()

    assert 5 == len(tables)
    assert AddressLayout.LPA2 is AddressLayout.of(shape)
    assert compare(all_cpus, made)
    assert made.pieces == scanned(made)
