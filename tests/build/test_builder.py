# SPDX-License-Identifier: MIT
"""`TableBuilder`: what it makes of a call, word by word and step by step."""

import copy
import pickle
import re
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from struct import pack, unpack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_reader import Run, Shape, reader, runs, segments

from s2geom import (
    VTCR_EL2,
    VTTBR_EL2,
    Attributes,
    Cpu,
    Geometry,
    InvalidArgument,
    Memory,
    Step,
    TableBuilder,
    Translation,
    UnsupportedCombination,
    footprint,
    scan,
    walk,
)
from s2geom.build.word_runs import WordRun

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
BASE = 0x8000_0000

K4 = Geometry(12, 40, 1)  # two tables: the PGD is 8 KiB
K4_SHAPE = Shape(12, 40, 1, "48")

RW_NORMAL = 0x7FC
"""Read and write, executable, write-back, inner shareable, accessed."""

READ_ONLY = Attributes(s2ap=1)
READ_ONLY_BITS = 0x77C

SHAPES = (
    (Geometry(12, 25, 2), Shape(12, 25, 2, "48"), False),
    (Geometry(12, 34, 2), Shape(12, 34, 2, "48"), False),
    (K4, K4_SHAPE, False),
    (Geometry(12, 48, 0), Shape(12, 48, 0, "48"), False),
    (Geometry(12, 52, -1, lpa2=True), Shape(12, 52, -1, "lpa2"), False),
    (Geometry(12, 52, 0, lpa2=True), Shape(12, 52, 0, "lpa2"), False),
    (Geometry(14, 29, 3), Shape(14, 29, 3, "48"), False),
    (Geometry(14, 40, 2), Shape(14, 40, 2, "48"), False),
    (Geometry(14, 52, 0, lpa2=True), Shape(14, 52, 0, "lpa2"), False),
    (Geometry(16, 33, 2), Shape(16, 33, 2, "48"), False),
    (Geometry(16, 48, 1), Shape(16, 48, 1, "48"), False),
    (Geometry(16, 48, 1), Shape(16, 48, 1, "lpa"), True),
    (Geometry(16, 52, 1), Shape(16, 52, 1, "lpa"), False),
)
NAMES = [f"{shape}" for _, shape, _ in SHAPES]


def built(tables: TableBuilder, shape: Shape = K4_SHAPE) -> list[Run]:
    """Return the leaves of what was built, by the tests' own walk."""
    return list(runs(shape, tables.root, reader(tables.images())))


def words(image: bytes) -> dict[int, int]:
    """Return what is in a table, by index."""
    return {
        index: word
        for index, word in enumerate(unpack(f"<{len(image) // 8}Q", image))
        if word
    }


# What a call makes


def test_a_block_takes_one_descriptor_and_no_table_of_its_own() -> None:
    """2 MiB at 1 GiB: PGD entry 1 links to the next page, whose entry 0 is a block."""
    tables = TableBuilder(K4, BASE)
    tables.map(0x4000_0000, 0x9000_0000, 2 * MIB)
    images = tables.images()

    assert [BASE, BASE + 0x2000] == list(images)
    assert {1: BASE + 0x2000 | 0b11} == words(images[BASE])
    assert {0: 0x9000_0000 | RW_NORMAL | 0b01} == words(images[BASE + 0x2000])
    assert [8192, 4096] == [len(image) for image in images.values()]


def test_a_page_is_at_the_last_level() -> None:
    """The last page of the IPA space is mapped by the last entry of each table."""
    tables = TableBuilder(K4, BASE)
    tables.map(2**40 - 4096, 0x1234_5000, 4096)
    pgd, *others = (words(image) for image in tables.images().values())

    assert [1023] == list(pgd)
    assert [[511], [511]] == [list(table) for table in others]
    assert {0x1234_5000 | RW_NORMAL | 0b11} in [set(t.values()) for t in others]


def test_maps_with_the_largest_blocks_that_both_addresses_allow() -> None:
    """Leaf sizes grow from the ends of a range to its middle: pages, groups, blocks."""
    tables = TableBuilder(K4, BASE)
    tables.map(GIB - 2 * MIB - 68 * KIB, 5 * GIB - 2 * MIB - 68 * KIB, 2 * GIB)

    assert [
        (4 * KIB, 1, False),
        (4 * KIB, 16, True),
        (2 * MIB, 1, False),
        (GIB, 1, False),
        (2 * MIB, 496, True),
        (2 * MIB, 14, False),
        (4 * KIB, 480, True),
        (4 * KIB, 15, False),
    ] == [(run.leaf_size, run.many, run.contiguous) for run in built(tables)]


def test_no_blocks_where_the_addresses_differ_below_a_blocks_size() -> None:
    """IPA and PA that differ by 64 KiB get groups of pages, and no block."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 64 * KIB, 4 * MIB)

    assert {(4 * KIB, True)} == {
        (run.leaf_size, run.contiguous) for run in built(tables)
    }


def test_blocks_false_maps_pages_alone() -> None:
    """With ``blocks=False`` there is no block, and no contiguous bit is set."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 4 * MIB, blocks=False)

    assert [(0, 512, False), (2 * MIB, 512, False)] == [
        (run.ipa, run.many, run.contiguous) for run in built(tables)
    ]


def test_attributes_are_written_into_every_leaf() -> None:
    """Each leaf has the attributes given; the default is normal memory, all access."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 2 * MIB + 4096, attributes=Attributes(memattr=0, sh=0, xn=2))
    tables.map(GIB, 0, 4096)

    assert [2 << 53 | 0x4C0, 2 << 53 | 0x4C0, RW_NORMAL] == [
        run.attributes for run in built(tables)
    ]


@pytest.mark.parametrize(("geometry", "shape", "lpa"), SHAPES, ids=NAMES)
def test_walk_and_scan_read_back_what_was_built(
    geometry: Geometry, shape: Shape, lpa: bool
) -> None:
    """The tests' own walk, `walk` and `scan` agree about leaves of each kind."""
    bits = 48 if shape.layout == "48" else 52
    tables = TableBuilder(geometry, 1 << 40, lpa)
    page, last = geometry.page_size, geometry.ipa_size
    tables.map(0, 0, 16 * page)
    tables.map(last - 48 * page, (1 << bits) - 64 * page, 48 * page, blocks=False)
    half = last // 2
    size = min(1 << shape.shift(2), half // 4)
    tables.map(half - size, 3 << bits - 3, 2 * size)
    images, vtcr = tables.images(), tables.vtcr()
    memory = Memory(images)
    seen = segments(shape, tables.root, images)
    cpu = Cpu(bits, lpa2=geometry.lpa2, ttst=True)

    assert vtcr.geometry() == geometry
    assert tables.root == tables.vttbr().root(geometry, pa_bits=bits)
    for part in seen:
        for ipa in (part.ipa, part.end - 1):
            found = walk(
                geometry, tables.root, ipa, memory.read, cpu=cpu, vtcr=int(vtcr)
            )

            assert isinstance(found, Translation)
            assert part.pa + ipa - part.ipa == found.output_address
    scanned = list(scan(geometry, tables.root, memory.read, cpu=cpu, vtcr=int(vtcr)))
    assert sum(part.end - part.ipa for part in seen) == sum(m.size for m in scanned)
    assert {(m.ipa, m.output_address) for m in scanned} >= {
        (part.ipa, part.pa) for part in seen
    }


# What it weighs


@st.composite
def disjoint_ranges(draw: st.DrawFn, geometry: Geometry) -> list[tuple[int, int, int]]:
    """A few ranges near where entries of some level begin or end."""
    page, last = geometry.page_size, geometry.ipa_size
    sizes = [level.entry_size for level in geometry.table_levels]
    near = st.builds(
        lambda size, times, pages: min(max(size * times + pages * page, 0), last),
        st.sampled_from(sizes),
        st.integers(0, 3),
        st.sampled_from([0, 0, 1, -1, 16, -200]),
    )
    ends = sorted(set(draw(st.lists(near, min_size=2, max_size=6))))
    found = []
    for start, end in pairwise(ends):
        if draw(st.booleans()):
            far = draw(st.sampled_from([0, 1 << 46, 1 << 21]))
            if (end - start) // page > 20_000 and far == 1 << 21:
                far = 0
            if far + end > 1 << 48:
                far = 0
            found.append((start, end - start, start + far))
    return found


@pytest.mark.parametrize(("geometry", "shape", "lpa"), SHAPES, ids=NAMES)
@settings(max_examples=20)
@given(data=st.data())
def test_footprint_counts_what_the_builder_builds(
    geometry: Geometry, shape: Shape, lpa: bool, data: st.DataObject
) -> None:
    """Tables, bytes, leaves and groups of each level agree, with blocks and without."""
    ranges = data.draw(disjoint_ranges(geometry))
    weight = footprint(geometry, ranges, lpa=lpa)
    for blocks, count in ((True, weight.best), (False, weight.worst)):
        if count.tables > 300:
            continue
        tables = TableBuilder(geometry, 0, lpa)
        for ipa, size, pa in ranges:
            tables.map(ipa, pa, size, blocks=blocks)
        found = built(tables, shape)
        leaves = {level.level: [0, 0] for level in count.levels}
        for run in found:
            leaves[run.level][0] += run.many
            leaves[run.level][1] += run.many if run.contiguous else 0
        images = tables.images()

        assert count.bytes == sum(map(len, images.values()))
        assert count.tables == len(images) - 1 + geometry.concatenation
        assert [[c.leaves, c.contiguous] for c in count.levels] == list(leaves.values())


# Where tables are


def test_tables_are_put_at_the_lowest_free_addresses() -> None:
    """A table that is freed between others leaves its place to the next new table."""
    tables = TableBuilder(K4, BASE)
    for gigabyte in range(3):
        tables.map(gigabyte * GIB, 0, 2 * MIB)
    first, second, third = list(tables.images())[1:]
    tables.unmap(GIB, 2 * MIB)

    assert [BASE, first, third] == list(tables.images())
    tables.map(8 * GIB, 0, 2 * MIB)
    assert [BASE, first, second, third] == list(tables.images())
    assert {0: first, 2: third, 8: second} == {
        index: word & -4 for index, word in words(tables.images()[BASE]).items()
    }
    assert [BASE, BASE + 0x2000, BASE + 0x3000, BASE + 0x4000] == list(tables.images())


def test_the_lowest_of_several_free_addresses_is_used_first() -> None:
    """The order in which tables were freed does not matter."""
    tables = TableBuilder(K4, BASE)
    for at in range(4):
        tables.map(at * 2 * MIB, 0, 4096)
    before = list(tables.images())
    for at in (2, 0, 1):
        tables.unmap(at * 2 * MIB, 4096)
    for at, free in enumerate((before[1], before[3], before[4])):
        there = set(tables.images())
        tables.map((16 + at) * 2 * MIB, 0, 4096)

        assert {free} == set(tables.images()) - there


def test_no_table_shares_a_page_with_a_small_pgd() -> None:
    """Tables below a PGD smaller than a page are whole pages, on page boundaries."""
    tables = TableBuilder(Geometry(16, 40, 2), BASE + 16 * KIB)
    tables.map(0, 0, 64 * KIB)

    assert [(BASE + 16 * KIB, 16 * KIB), (BASE + 64 * KIB, 64 * KIB)] == [
        (address, len(image)) for address, image in tables.images().items()
    ]


def test_tables_may_be_above_48_bits_where_descriptors_hold_more() -> None:
    """Table addresses have the same layout as output addresses."""
    for geometry, shape, lpa in SHAPES:
        if shape.layout == "48":
            continue
        base = (5 << 48) - geometry.pgd_alignment
        tables = TableBuilder(geometry, base, lpa)
        tables.map(0, (3 << 48) - 16 * geometry.page_size, 4096 * geometry.page_size)
        [part] = segments(shape, base, tables.images())

        assert (3 << 48) - 16 * geometry.page_size == part.pa
        assert 4096 * geometry.page_size == part.end
        assert base == tables.vttbr().root(geometry, pa_bits=52)


@pytest.mark.parametrize(
    ("geometry", "shape"),
    [
        (Geometry(12, 40, 1, lpa2=True), Shape(12, 40, 1, "lpa2")),
        (Geometry(16, 44, 1), Shape(16, 44, 1, "lpa")),
    ],
)
def test_links_to_tables_on_both_sides_of_48_bits(
    geometry: Geometry, shape: Shape
) -> None:
    """Tables side by side in memory are not progressions of words across 2**48."""
    page = geometry.page_size
    tables = TableBuilder(geometry, (1 << 48) - 4 * page, lpa=True)
    size = 8 * page << geometry.stride
    tables.map(0, 0, size, blocks=False)
    [part] = segments(shape, tables.root, tables.images())
    above = [address >> 48 for address in tables.images()]

    assert (0, size, 0) == part[:3]
    # Eight tables of pages and the one that links to them, after the PGD.
    assert sorted(above) == above
    assert 7 - (geometry.pgd_size <= page) == sum(above)


# Changes


def test_unmapping_restores_the_images() -> None:
    """`unmap` undoes `map`, beside other mappings, in old tables and in new ones."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 4 * MIB + 8192)
    tables.map(GIB + 4096, 0, 4096)
    before = tables.images()
    tables.map(GIB + 8192, 0x4000_2000, 3 * GIB, attributes=READ_ONLY)

    assert before != tables.images()
    tables.unmap(GIB + 8192, 3 * GIB)
    assert before == tables.images()


def test_cutting_a_block_leaves_the_largest_leaves_around_the_hole() -> None:
    """A page unmapped from 1 GiB leaves 2 MiB blocks, groups of pages, and pages."""
    tables = TableBuilder(K4, BASE)
    tables.map(GIB, 0, GIB)
    tables.unmap(GIB + 2 * MIB + 4096, 4096)
    found = built(tables)

    assert [
        (2 * MIB, 1, False),
        (4 * KIB, 1, False),
        (4 * KIB, 14, False),
        (4 * KIB, 496, True),
        (2 * MIB, 14, False),
        (2 * MIB, 496, True),
    ] == [(run.leaf_size, run.many, run.contiguous) for run in found]
    assert GIB - 4096 == sum(run.end - run.ipa for run in found)


def test_cutting_a_group_clears_the_contiguous_bit_of_the_rest() -> None:
    """Groups that are not cut keep their contiguous bit."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 192 * KIB)
    tables.unmap(64 * KIB + 8192, 4096)

    assert [
        (0, 16, True),
        (64 * KIB, 2, False),
        (64 * KIB + 12 * KIB, 13, False),
        (128 * KIB, 16, True),
    ] == [(run.ipa, run.many, run.contiguous) for run in built(tables)]


def test_leaves_of_two_calls_are_not_merged() -> None:
    """The two halves of a block stay pages: merging would unmap memory in use."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, MIB)
    tables.map(MIB, MIB, MIB)

    assert {4 * KIB} == {run.leaf_size for run in built(tables)}


def test_remap_replaces_what_is_mapped() -> None:
    """`remap` replaces blocks, pages and holes, and keeps what a block maps outside."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 2 * MIB)
    tables.map(3 * MIB, 0x3000_0000, 64 * KIB, attributes=READ_ONLY)
    tables.remap(MIB, 0x8010_0000, 5 * MIB)

    assert [
        (0, MIB, 0, RW_NORMAL),
        (MIB, 6 * MIB, 0x8010_0000, RW_NORMAL),
    ] == segments(K4_SHAPE, BASE, tables.images())
    assert [4 * KIB, 4 * KIB, 2 * MIB] == [run.leaf_size for run in built(tables)]


def test_protecting_keeps_leaves_and_splits_those_it_cuts() -> None:
    """`protect` keeps a 1 GiB block whole, unless only a part of it changes."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 2 * GIB)
    tables.protect(0, GIB + 2 * MIB, attributes=READ_ONLY)

    assert [
        (GIB, 1, READ_ONLY_BITS),
        (2 * MIB, 1, READ_ONLY_BITS),
        (2 * MIB, 15, RW_NORMAL),
        (2 * MIB, 496, RW_NORMAL),
    ] == [(run.leaf_size, run.many, run.attributes) for run in built(tables)]


def test_protecting_keeps_the_size_of_each_leaf() -> None:
    """A block and pages side by side stay a block and pages."""
    tables = TableBuilder(K4, BASE)
    tables.map(GIB - 2 * MIB, GIB - 2 * MIB, GIB + 4 * MIB)
    tables.protect(GIB - 2 * MIB, GIB + 4 * MIB, attributes=READ_ONLY)

    assert [2 * MIB, GIB, 2 * MIB] == [run.leaf_size for run in built(tables)]
    assert {READ_ONLY_BITS} == {run.attributes for run in built(tables)}


def test_protecting_pages_does_not_make_blocks_of_them() -> None:
    """Pages that fill two tables stay pages after `protect`."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 4 * MIB, blocks=False)
    tables.protect(0, 4 * MIB, attributes=READ_ONLY)

    assert [(4 * KIB, 512, READ_ONLY_BITS)] * 2 == [
        (run.leaf_size, run.many, run.attributes) for run in built(tables)
    ]


def test_protecting_a_part_of_a_block_splits_it_on_both_sides() -> None:
    """A part whose ends are not on block boundaries gets the largest leaves inside."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 2 * MIB)
    tables.protect(60 * KIB, 128 * KIB, attributes=READ_ONLY)

    assert [
        (0, 15, RW_NORMAL),
        (60 * KIB, 1, READ_ONLY_BITS),
        (64 * KIB, 16, READ_ONLY_BITS),
        (128 * KIB, 15, READ_ONLY_BITS),
        (188 * KIB, 1, RW_NORMAL),
        (192 * KIB, 464, RW_NORMAL),
    ] == [(run.ipa, run.many, run.attributes) for run in built(tables)]


def test_protecting_all_of_a_table_replaces_it_by_a_new_one() -> None:
    """One write unlinks the old table, and the new one is put at its address."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0x4000_0000, MIB)
    tables.map(MIB, 0, MIB)
    before, done = list(tables.images()), len(tables.changes())
    tables.protect(0, 2 * MIB, attributes=READ_ONLY)

    assert before == list(tables.images())
    assert [
        (0, MIB, 0x4000_0000, READ_ONLY_BITS),
        (MIB, 2 * MIB, 0, READ_ONLY_BITS),
    ] == segments(K4_SHAPE, BASE, tables.images())
    link, table = before[2], before[1]
    assert [
        ("write", link, 8),
        ("write", table, 4096),
        ("invalidate", 0, 2 * MIB),
        ("write", table, 4096),
        ("barrier", 0, 0),
        ("write", link, 8),
    ] == [(step.kind, step.address, step.size) for step in tables.changes()[done:]]


def test_protecting_with_the_same_attributes_changes_nothing() -> None:
    """No step is recorded and no block is split where the attributes are the same."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0, 2 * MIB)
    steps = tables.changes()
    tables.protect(4096, 8192, attributes=Attributes())

    assert steps == tables.changes()


def test_shareability_is_ignored_with_lpa2() -> None:
    """With LPA2, VTCR_EL2.SH0 has the shareability, so another ``sh`` is no change."""
    tables = TableBuilder(Geometry(12, 40, 1, lpa2=True), BASE, record=True)
    tables.map(0, 0, 4096, attributes=Attributes(sh=0))
    steps = tables.changes()
    tables.protect(0, 4096, attributes=Attributes(sh=2))

    assert steps == tables.changes()


def test_split_makes_pages_of_the_range_alone() -> None:
    """`split` keeps the largest leaves for the rest of a block, and keeps pages."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0, 4 * MIB)
    tables.split(0, 128 * KIB)

    assert [
        (0, 4 * KIB, 32, False),
        (128 * KIB, 4 * KIB, 480, True),
        (2 * MIB, 2 * MIB, 1, False),
    ] == [(run.ipa, run.leaf_size, run.many, run.contiguous) for run in built(tables)]
    steps = tables.changes()
    tables.split(0, 128 * KIB)
    assert steps == tables.changes()


def test_split_ignores_holes() -> None:
    """`split` maps nothing where nothing was mapped."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 64 * KIB)
    tables.map(2 * MIB, 2 * MIB, 2 * MIB)
    tables.split(0, GIB)

    assert [(0, 16), (2 * MIB, 512)] == [(run.ipa, run.many) for run in built(tables)]
    assert not any(run.contiguous for run in built(tables))


def test_parts_of_a_split_block_have_no_nt() -> None:
    """Only blocks have nT: bit 16 of a page is an address bit."""
    tables = TableBuilder(K4, BASE)
    tables.map(0, 0, 2 * MIB, attributes=Attributes(nt=True))
    tables.unmap(0, 4096)

    assert [(4096, 2 * MIB, 4096, RW_NORMAL)] == segments(
        K4_SHAPE, BASE, tables.images()
    )


# Steps


def test_a_table_is_filled_and_seen_before_it_is_linked() -> None:
    """Tables are written from the last level up; only the last write links them."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0x1000, 4096)
    level_3 = pack("<Q", 0x1000 | RW_NORMAL | 3) + bytes(4088)
    level_2 = pack("<Q", BASE + 0x2000 | 3) + bytes(4088)

    assert (
        Step("write", BASE + 0x2000, 4096, level_3),
        Step("write", BASE + 0x3000, 4096, level_2),
        Step("barrier", 0, 0),
        Step("write", BASE, 8, pack("<Q", BASE + 0x3000 | 3)),
    ) == tables.changes()


def test_a_block_is_broken_before_a_table_takes_its_place() -> None:
    """The steps: make the block invalid, invalidate the TLB, fill tables, link them."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(GIB, 0, GIB)
    done = len(tables.changes())
    tables.unmap(GIB, 2 * MIB)
    level_2 = bytes(8) + b"".join(
        pack("<Q", n * 2 * MIB | RW_NORMAL | 1 | (n >= 16) << 52) for n in range(1, 512)
    )

    assert (
        Step("write", BASE + 8, 8, bytes(8)),
        Step("invalidate", GIB, GIB),
        Step("write", BASE + 0x2000, 4096, level_2),
        Step("barrier", 0, 0),
        Step("write", BASE + 8, 8, pack("<Q", BASE + 0x2000 | 3)),
    ) == tables.changes()[done:]


def test_a_table_that_would_be_empty_is_unlinked_and_cleared() -> None:
    """One write unlinks an empty table, and its memory is set to zero."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0, 8192, blocks=False)
    done = len(tables.changes())
    tables.unmap(0, 4 * GIB)

    assert (
        Step("write", BASE, 8, bytes(8)),
        Step("write", BASE + 0x2000, 4096, bytes(4096)),
        Step("write", BASE + 0x3000, 4096, bytes(4096)),
        Step("invalidate", 0, 4 * GIB),
    ) == tables.changes()[done:]


def test_unmapping_a_page_writes_its_entry_alone() -> None:
    """No other entry and no other table is written."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0, 8192, blocks=False)
    done = len(tables.changes())
    tables.unmap(4096, 4096)

    assert (
        Step("write", BASE + 0x2008, 8, bytes(8)),
        Step("invalidate", 4096, 4096),
    ) == tables.changes()[done:]


def test_unmapping_a_hole_records_no_step() -> None:
    """`unmap` of a range in which nothing is mapped needs no TLB maintenance."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.unmap(0, 2**40)

    assert () == tables.changes()


def test_a_step_is_a_value() -> None:
    """A `Step` is hashable, and its repr evaluates to it."""
    step = Step("write", BASE, 8, bytes(8))

    assert step == eval(repr(step), {"Step": Step})  # noqa: S307
    assert {step: 1}[Step("write", BASE, 8, bytes(8))] == 1


# The words that go with it


def test_vtcr_and_vttbr_describe_the_tables() -> None:
    """The words are those that KVM writes; PS is as wide as descriptors hold."""
    tables = TableBuilder(K4, BASE)
    wide = TableBuilder(Geometry(16, 48, 1), (7 << 48) + 0x1_0000, lpa=True)

    assert VTCR_EL2.for_geometry(K4, pa_bits=48) == tables.vtcr()
    assert VTTBR_EL2.for_geometry(K4, BASE, 5) == tables.vttbr(5)
    assert 6 == wide.vtcr().ps
    # BADDR bits 5:2 hold the address's bits 51:48.
    assert 0x1_0000 | 7 << 2 == int(wide.vttbr())


# What is refused


def raises(call: Callable[..., object], *arguments: object, **named: object) -> str:
    """Return the message of the `InvalidArgument` that a call ends in."""
    with pytest.raises(InvalidArgument) as refused:
        call(*arguments, **named)
    return str(refused.value)


def test_an_overlap_names_what_is_mapped() -> None:
    """The message says what to do, and no table has changed."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0x4020_0000, 0x9000_0000, 4 * MIB)
    images, steps = tables.images(), tables.changes()

    assert (
        "0x0..0x403fffff overlaps 0x40200000..0x403fffff, which is mapped to "
        "0x90000000..0x901fffff; unmap that first, or use remap"
        == raises(tables.map, 0, 0, 0x4040_0000)
    )
    assert (
        "0x40201000..0x40201fff overlaps 0x40200000..0x403fffff, which is mapped to "
        "0x90000000..0x901fffff; unmap that first, or use remap"
        == raises(tables.map, 0x4020_1000, 0, 4096, blocks=False)
    )
    assert (images, steps) == (tables.images(), tables.changes())
    # A hole with the same distance on both sides is a hole all the same.
    tables.map(0, 0, 4096)
    tables.map(0x2000, 0x2000, 4096)
    assert raises(tables.map, 0, 0, 0x3000).startswith(
        "0x0..0x2fff overlaps 0x0..0xfff, which is mapped to 0x0..0xfff;"
    )


def test_a_hole_cannot_be_protected() -> None:
    """A hole at the start, in the middle or at the end is refused; nothing changes."""
    tables = TableBuilder(K4, BASE)
    tables.map(0x2000, 0, 0x1000)
    tables.map(0x4000, 0, 0x1000)
    images = tables.images()
    not_all = "{} is not all mapped: nothing is at {}; map it first"

    for ipa, size, span, hole in (
        (0x1000, 0x2000, "0x1000..0x2fff", "0x1000"),
        (0x2000, 0x3000, "0x2000..0x4fff", "0x3000"),
        (0x4000, 0x2000, "0x4000..0x5fff", "0x5000"),
        (0x8000, 0x1000, "0x8000..0x8fff", "0x8000"),
    ):
        assert not_all.format(span, hole) == raises(
            tables.protect, ipa, size, attributes=READ_ONLY
        )
    assert images == tables.images()


def test_ranges_must_be_whole_pages_inside_the_ipa_space() -> None:
    """The message names the alignment that is needed, and by how much it is missed."""
    tables = TableBuilder(Geometry(14, 40, 2), 0)
    page = "a multiple of the 16K page size, 0x4000"

    assert f"ipa must be {page}; got 0x1000, 0x1000 past one" == raises(
        tables.map, 0x1000, 0, 0x4000
    )
    assert f"pa must be {page}; got 0x6000, 0x2000 past one" == raises(
        tables.map, 0, 0x6000, 0x4000
    )
    assert f"size must be {page}; got 0x4001, 0x1 past one" == raises(
        tables.unmap, 0, 0x4001
    )
    assert "size must be at least 0x4000, got 0" == raises(tables.split, 0, 0)
    assert (
        "0xffffffc000..0x10000003fff does not fit in the 40-bit IPA space, "
        "0x0..0xffffffffff" == raises(tables.remap, 2**40 - 0x4000, 0, 0x8000)
    )
    assert (
        "pa 0xfffffffff000..0x1000000000fff does not fit in the 48 bits of a "
        "descriptor's address" == raises(TableBuilder(K4, 0).map, 0, 2**48 - 4096, 8192)
    )


def test_base_has_the_alignment_of_the_pgd() -> None:
    """A root of 16 tables of 16K is aligned to the size of all of them."""
    pgd = Geometry(14, 40, 2)

    assert (
        "base must be a multiple of the PGD's alignment, 0x40000; got 0x84000, "
        "0x4000 past one" == raises(TableBuilder, pgd, 0x8_4000)
    )
    assert (
        "base must leave the 0x40000 bytes of the PGD within 0x0..0xffffffffffff, "
        "got 0x1000000000000" == raises(TableBuilder, pgd, 1 << 48)
    )
    assert raises(TableBuilder, pgd, -0x4_0000).endswith("got -0x40000")


def test_a_small_pgd_is_aligned_to_64_bytes_where_addresses_have_52_bits() -> None:
    """BADDR keeps address bits 51:48 in its bits 5:2."""
    shape = Geometry(16, 44, 1)  # four entries, 32 bytes

    assert TableBuilder(shape, 0x20).root == 0x20
    assert (
        "base must be a multiple of the PGD's alignment, 0x40; got 0x20, 0x20 past one"
        == raises(TableBuilder, shape, 0x20, lpa=True)
    )


def test_a_change_without_room_for_tables_changes_nothing() -> None:
    """Tables beyond the addresses of descriptors are refused; free places stay free."""
    tables = TableBuilder(K4, 2**48 - 0x8000, record=True)
    tables.map(0, 0, 4096)
    tables.map(4 * MIB, 0, 4096)
    before = tables.images()
    tables.unmap(0, 4096)
    images, steps = tables.images(), tables.changes()

    # Of six tables one has a place that was freed; there are three more.
    assert (
        "no room for 5 more tables: they would end at 0x1000000002000, but 48-bit "
        "addresses end at 0x1000000000000; use a lower base"
        == raises(tables.map, 32 * MIB, 0, 12 * MIB, blocks=False)
    )
    # There is room for these four, but not for the one that links to them.
    assert (
        "no room for 1 more tables: they would end at 0x1000000001000, but 48-bit "
        "addresses end at 0x1000000000000; use a lower base"
        == raises(tables.map, 32 * GIB, 0, 8 * MIB, blocks=False)
    )
    assert (images, steps) == (tables.images(), tables.changes())
    tables.map(0, 0, 4096)
    assert before == tables.images()
    tables.map(8 * MIB, 0, 6 * MIB, blocks=False)
    assert len(before) + 3 == len(tables.images())


def test_a_shape_that_no_cpu_walks_is_not_built() -> None:
    """The architecture concatenates at most 16 tables."""
    with pytest.raises(UnsupportedCombination) as refused:
        TableBuilder(Geometry(12, 40, 2), 0)

    assert "ipa-too-large-for-start-level" in [
        violation.rule for violation in refused.value.violations
    ]


def test_nt_pages_are_refused() -> None:
    """A range that is not all blocks cannot have nT; nothing has changed."""
    tables = TableBuilder(K4, BASE, record=True)
    message = raises(tables.map, 0, 0, 2 * MIB + 4096, attributes=Attributes(nt=True))

    assert "nt is for blocks; a page has an address bit there" == message
    assert () == tables.changes()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("shape", 0), "geometry"),
        ((K4, 0.0), "base"),
        ((K4, True), "base"),
        ((K4, 0, 1), "lpa"),
    ],
)
def test_wrong_types_of_a_builder_are_named(
    arguments: tuple[object, ...], named: str
) -> None:
    """The TypeError names the argument and the value."""
    with pytest.raises(TypeError, match=f"^{named} must be "):
        TableBuilder(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"ipa": 0.0}, "ipa"),
        ({"pa": None}, "pa"),
        ({"size": True}, "size"),
        ({"attributes": 0x7FC}, "attributes"),
        ({"blocks": 1}, "blocks"),
    ],
)
def test_wrong_types_of_a_mapping_are_named(
    arguments: dict[str, object], named: str
) -> None:
    """`map` and `remap` refuse wrong types by the same message."""
    tables = TableBuilder(K4, BASE, record=True)
    asked: dict[str, Any] = {"ipa": 0, "pa": 0, "size": 4096, **arguments}
    for call in (tables.map, tables.remap):
        with pytest.raises(TypeError, match=f"^{named} must be "):
            call(**asked)

    assert () == tables.changes()


def test_integers_of_other_types_are_accepted() -> None:
    """Whatever has `__index__`, such as a numpy integer, is an integer."""

    class Number:
        def __init__(self, value: int) -> None:
            self.value = value

        def __index__(self) -> int:
            return self.value

    ours, theirs = TableBuilder(K4, BASE), TableBuilder(K4, Number(BASE))  # type: ignore[arg-type]
    ours.map(0, 4096, 8192)
    theirs.map(Number(0), Number(4096), Number(8192))  # type: ignore[arg-type]

    assert ours.images() == theirs.images()


def test_repr_names_shape_images_and_root() -> None:
    """The repr of a builder is no expression, since a builder is no value."""
    assert (
        "<TableBuilder of Geometry(granule=Granule.K4, ipa_bits=40, start_level=1, "
        "lpa2=False): 1 images from 0x80000000>" == repr(TableBuilder(K4, BASE))
    )
    assert K4 == TableBuilder(K4, BASE).geometry


# Many mappings at once

END = ", which is mapped to 0x0..{}; unmap that first, or use remap"

PLACES = (0, 1, 511, 512, 513, 1 << 18, (1 << 28) - 512, (1 << 28) - 1)


@settings(max_examples=100)
@given(data=st.data())
def test_map_all_maps_what_single_calls_would(data: st.DataObject) -> None:
    """`map_all` of pages and larger ranges, in old tables and in new ones."""
    geometry = data.draw(st.sampled_from([K4, Geometry(12, 40, 1, lpa2=True)]))
    both = [TableBuilder(geometry, BASE) for _ in range(2)]
    for tables in both:
        tables.map(4096, 0, 4096)
    taken = {1}
    mappings: list[tuple[Any, ...]] = []
    for place in data.draw(st.lists(st.sampled_from(PLACES), max_size=8, unique=True)):
        pages = data.draw(st.sampled_from([1, 1, 2, 600]))
        there = set(range(place, place + pages))
        if there & taken or place + pages > 1 << 28:
            continue
        taken |= there
        attributes = data.draw(st.sampled_from([(), (None,), (READ_ONLY,)]))
        pa = data.draw(st.sampled_from([0, place, 512, (1 << 36) - 600]))
        mappings.append((place << 12, pa << 12, pages << 12, *attributes))
    both[0].map_all(iter(mappings))
    for ipa, pa, size, *rest in mappings:
        both[1].map(ipa, pa, size, attributes=rest[0] if rest else None)
    ours, theirs = (
        list(scan(geometry, BASE, Memory(tables.images()).read)) for tables in both
    )

    assert theirs == ours
    assert len(both[0].images()) == len(both[1].images())


def test_map_all_refuses_overlaps() -> None:
    """Overlaps of two mappings, or with what is mapped, change nothing."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(8 * MIB, 0, 2 * MIB)
    tables.map(12 * MIB, 0, 4096)
    images, steps = tables.images(), tables.changes()
    page, block = (4096, 0, 4096), (0, 0, 2 * MIB)
    many = (0, 4096, 4 * MIB)

    for mappings, message in (
        ([page, page], "0x1000..0x1fff and 0x1000..0x1fff overlap; map one of them"),
        ([block, page], "0x0..0x1fffff and 0x1000..0x1fff overlap; map one of them"),
        ([page, block], "0x0..0x1fffff and 0x1000..0x1fff overlap; map one of them"),
        ([many, page], "0x0..0x3fffff and 0x1000..0x1fff overlap; map one of them"),
        ([page, many], "0x0..0x3fffff and 0x1000..0x1fff overlap; map one of them"),
        (
            [page, (8 * MIB + 4096, 0, 4096)],
            f"0x801000..0x801fff overlaps 0x800000..0x9fffff{END.format('0x1fffff')}",
        ),
        (
            [page, (12 * MIB, 0, 4096)],
            f"0xc00000..0xc00fff overlaps 0xc00000..0xc00fff{END.format('0xfff')}",
        ),
        (
            [page, (12 * MIB - 4096, 4096, 16384)],
            f"0xbff000..0xc02fff overlaps 0xc00000..0xc00fff{END.format('0xfff')}",
        ),
    ):
        assert message == raises(tables.map_all, mappings)
        assert (images, steps) == (tables.images(), tables.changes())


def test_map_all_checks_each_mapping_as_map_does() -> None:
    """Wrong types and bad ranges get the message of `map`; nothing is mapped."""
    tables = TableBuilder(K4, BASE, record=True)
    wrong: Any
    for wrong, message in (
        (5, "mappings must be iterable, got 5"),
        ([5], "a mapping must be "),
        ([(0, 0)], "a mapping must be "),
        ([(0, 0, 4096, None, True)], "a mapping must be "),
        ([(0, 0.0, 4096)], "pa must be an integer"),
        ([(0, 0, 4096, 0x7FC)], "attributes must be Attributes"),
    ):
        with pytest.raises(TypeError, match="^" + re.escape(message)):
            tables.map_all(wrong)
    with pytest.raises(TypeError, match=r"^blocks must be a bool"):
        tables.map_all([], blocks=1)  # type: ignore[arg-type]
    assert raises(tables.map_all, [(0, 0, 4096), (1, 0, 4096)]).startswith(
        "ipa must be a multiple of the 4K page size, 0x1000; got 0x1, 0x1 past one"
    )
    assert raises(tables.map_all, [(0, 1 << 48, 4096)]).startswith("pa 0x1000000000000")
    assert () == tables.changes()


def test_steps_are_recorded_on_request_alone() -> None:
    """Without ``record=True``, `changes` says how to ask for steps."""
    message = raises(TableBuilder(K4, BASE).changes)

    assert "TableBuilder(geometry, base, record=True)" in message
    with pytest.raises(TypeError, match=r"^record must be a bool"):
        TableBuilder(K4, BASE, record=1)  # type: ignore[arg-type]


def test_steps_of_single_pages_in_one_call() -> None:
    """A page in an existing table is one write, after those of new tables."""
    tables = TableBuilder(K4, BASE, record=True)
    tables.map(0, 0, 4096)
    done = len(tables.changes())
    tables.map_all([(4096, 0x5000, 4096), (2 * MIB, 0x6000, 4096)])
    level_3 = pack("<Q", 0x6000 | RW_NORMAL | 3) + bytes(4088)

    assert (
        Step("write", BASE + 0x4000, 4096, level_3),
        Step("barrier", 0, 0),
        Step("write", BASE + 0x2008, 8, pack("<Q", 0x5000 | RW_NORMAL | 3)),
        Step("write", BASE + 0x3008, 8, pack("<Q", BASE + 0x4000 | 3)),
    ) == tables.changes()[done:]


# Builders as objects


def pickled(tables: TableBuilder) -> Any:
    """Return what a pickle gives back."""
    return pickle.loads(pickle.dumps(tables))  # noqa: S301


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, pickled],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_changes_by_itself(duplicate: Callable[[Any], Any]) -> None:
    """A copy has the tables, the steps and the free places, and shares none of them."""
    tables = TableBuilder(Geometry(16, 48, 1), BASE, lpa=True, record=True)
    for place in range(3):
        tables.map(place << 42, 0, 1 << 16)
    tables.unmap(1 << 42, 1 << 16)
    images, steps = tables.images(), tables.changes()
    other = duplicate(tables)
    other.map(5 << 42, 0, 1 << 42)
    other.map(6 << 42, 0, 1 << 16)

    assert (images, steps) == (tables.images(), tables.changes())
    assert steps == other.changes()[: len(steps)]
    assert set(images) < set(other.images())
    tables.map(5 << 42, 0, 1 << 42)
    tables.map(6 << 42, 0, 1 << 16)
    assert tables.images() == other.images()
    assert tables.vtcr() == other.vtcr()


def test_a_pickle_of_version_0_1_0_is_refused() -> None:
    """Its state was that of other classes; a sentence says what to do instead."""
    stored = b"\x80\x04\x8c\x06s2geom\x8c\x0cTableBuilder\x93)\x81N}."
    with pytest.raises(InvalidArgument, match="build its tables again"):
        pickle.loads(stored)  # noqa: S301


def test_memory_does_not_grow_with_changes() -> None:
    """10,000 changes keep less than 5 MiB."""
    tables = TableBuilder(K4, BASE)
    tracemalloc.start()
    for _ in range(500):
        tables.map(0, 0, 4096)
        tables.unmap(0, 4096)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(500):
        tables.map(0, 0, 4096)
        tables.unmap(0, 4096)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 5 * MIB // 10


# Words by the table


@pytest.mark.parametrize("entries", [512, 2048, 8192])
@pytest.mark.parametrize("shift", [12, 14, 16, 21, 25, 29])
@pytest.mark.parametrize(
    ("first", "tables"), [(0, 1), (0, 40), (1, 40), (-3, 40), (5 * 512, 23)]
)
def test_tables_of_a_run_are_equal_to_word_by_word(
    entries: int, shift: int, first: int, tables: int
) -> None:
    """Runs of all alignments and lengths, shorter and longer than the repetition."""
    if entries << shift > 1 << 40:
        tables = min(tables, 3)
    address = ((1 << 45 - shift) + first) << shift
    step, count = 1 << shift, entries * min(tables, 400_000 // entries)
    run = WordRun(0, address | RW_NORMAL | 1, shift, count)
    expected = pack(f"<{count}Q", *range(run.first, run.first + count * step, step))

    assert expected == b"".join(run.tables(entries))
    assert {entries * 8} == {len(table) for table in run.tables(entries)}
    assert expected == run.image()
