# SPDX-License-Identifier: MIT
"""`footprint`: what a memory map's tables weigh, held against counting page by page."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2geom import Footprint, Geometry, Host, InvalidArgument, footprint, leaf_size
from s2geom.build.footprint import LevelCount, TableCount

KIB, MIB, GIB, TIB, PIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40, 1 << 50

# What one entry maps, by page shift and level, from the manual's table of sizes.
ENTRY = {
    12: {-1: 256 * TIB, 0: 512 * GIB, 1: GIB, 2: 2 * MIB, 3: 4 * KIB},
    14: {0: 128 * TIB, 1: 64 * GIB, 2: 32 * MIB, 3: 16 * KIB},
    16: {1: 4 * TIB, 2: 512 * MIB, 3: 64 * KIB},
}
BLOCKS = {12: {1, 2}, 14: {2}, 16: {2}}
GROUP = {
    (12, 1): 16 * GIB,
    (12, 2): 32 * MIB,
    (12, 3): 64 * KIB,
    (14, 2): GIB,
    (14, 3): 2 * MIB,
    (16, 2): 16 * GIB,
    (16, 3): 2 * MIB,
}

K4_40 = Geometry(12, 40, 1)
K4_52 = Geometry(12, 52, -1, lpa2=True)


def tables_by_hand(
    geometry: Geometry,
    ranges: Sequence[tuple[int, int, int]],
    blocks: set[int],
) -> tuple[dict[int, int], dict[int, int]]:
    """Count tables and leaves entry by entry, from the root down."""
    sizes = ENTRY[geometry.page_shift]
    tables = dict.fromkeys(range(geometry.start_level, 4), 0)
    leaves = dict.fromkeys(range(geometry.start_level, 4), 0)

    def visit(level: int, entries: range) -> None:
        for ipa in entries:
            end = ipa + sizes[level]
            hit = [r for r in ranges if r[0] < end and ipa < r[0] + r[1]]
            if not hit:
                continue
            start, size, pa = hit[0]
            whole = start <= ipa and end <= start + size
            aligned = (pa + ipa - start) % sizes[level] == 0
            if level == 3 or (level in blocks and whole and aligned):
                leaves[level] += 1
            else:
                tables[level + 1] += 1
                visit(level + 1, range(ipa, end, sizes[level + 1]))

    tables[geometry.start_level] = geometry.concatenation
    visit(
        geometry.start_level,
        range(0, geometry.ipa_size, sizes[geometry.start_level]),
    )
    return tables, leaves


def counted(count: TableCount) -> tuple[dict[int, int], dict[int, int]]:
    return (
        {level.level: level.tables for level in count.levels},
        {level.level: level.leaves for level in count.levels},
    )


def test_says_what_64_gib_of_ram_costs_at_its_worst_and_best() -> None:
    """Pages take 1/512 and the tables above them; 1 GiB blocks take the PGD alone."""
    ram = footprint(K4_40, [(GIB, 64 * GIB)])

    assert 64 * GIB == ram.mapped
    # 32768 tables of pages, 64 of level 2, and two of the PGD.
    assert 2 + 64 + 32768 == ram.worst.tables
    assert (2 + 64 + 32768) * 4096 == ram.worst.bytes
    assert {4096: 16 << 20} == ram.worst.leaves
    assert 2 == ram.best.tables
    assert 8192 == ram.best.bytes
    assert {GIB: 64} == ram.best.leaves
    assert ram.kvm is None


def test_counts_level_by_level() -> None:
    """Ends that are not aligned take tables on the way down to them."""
    ram = footprint(K4_40, [(GIB - 4096, 2 * GIB + 8192)])

    assert (
        LevelCount(1, tables=2, bytes=8192, leaves=2, leaf_size=GIB, contiguous=0),
        LevelCount(2, tables=2, bytes=8192, leaves=0, leaf_size=2 * MIB, contiguous=0),
        LevelCount(3, tables=2, bytes=8192, leaves=2, leaf_size=4096, contiguous=0),
    ) == ram.best.levels
    assert 6 == ram.best.pages
    assert 6 == ram.best.tables


def test_an_empty_map_has_a_pgd_and_nothing_else() -> None:
    """The PGD is allocated with the machine, before any memory."""
    empty = footprint(K4_40, [])

    assert 0 == empty.mapped
    assert (8192, 2, {}) == (empty.worst.bytes, empty.worst.tables, empty.worst.leaves)
    assert empty.worst.bytes == empty.best.bytes


def test_a_pgd_smaller_than_a_page_counts_its_own_bytes_and_takes_a_page() -> None:
    """KVM gave exactly `pgd_size` bytes before v5.10, and whole pages since."""
    shape = Geometry(16, 40, 2)  # 2048 entries: 16 KiB
    ram = footprint(shape, [(0, 64 * KIB)])

    assert 16 * KIB + 64 * KIB == ram.worst.bytes
    assert 2 == ram.worst.pages
    assert 2 == ram.worst.tables


@pytest.mark.parametrize(
    ("geometry", "ranges"),
    [
        # The bottom and the top page, alone and both
        (Geometry(12, 32, 1), [(0, 4096)]),
        (Geometry(12, 32, 1), [(2**32 - 4096, 4096)]),
        (Geometry(12, 32, 1), [(0, 4096), (2**32 - 4096, 4096)]),
        # All of the space
        (Geometry(12, 25, 2), [(0, 2**25)]),
        (Geometry(14, 26, 3), [(0, 2**26)]),
        (Geometry(16, 33, 2), [(0, 2**33)]),
        # Over the seam between two concatenated tables
        (Geometry(12, 31, 2), [(GIB - 4096, 8192)]),
        (Geometry(12, 34, 2), [(GIB - 2 * MIB, 4 * MIB)]),
        (Geometry(14, 27, 3), [(2**26 - 2**21, 2**22)]),
        # Ranges that share a table, that touch, and that leave one page between
        (Geometry(12, 32, 1), [(0, 4096), (8192, 4096)]),
        (Geometry(12, 32, 1), [(0, MIB), (MIB, MIB)]),
        (Geometry(12, 32, 1), [(0, 2 * MIB - 4096), (2 * MIB, 2 * MIB)]),
        (Geometry(12, 32, 1), [(GIB - 4096, 8192), (GIB + 4096, MIB)]),
        # Output addresses that allow a block, and that do not
        (Geometry(12, 32, 1), [(0, 4 * MIB, 2 * MIB)]),
        (Geometry(12, 32, 1), [(0, 4 * MIB, MIB)]),
        (Geometry(12, 32, 1), [(MIB, 4 * MIB, 3 * MIB)]),
        (Geometry(12, 32, 1), [(0, 2 * GIB, 2 * MIB)]),
        (Geometry(16, 33, 2), [(0, 2**30, 2**16)]),
    ],
)
def test_range_ends_and_table_boundaries_are_exact(
    geometry: Geometry, ranges: list[tuple[int, ...]]
) -> None:
    """A table at the end of a range, or shared by two ranges, is counted once."""
    whole = [(r[0], r[1], r[2] if len(r) > 2 else r[0]) for r in ranges]
    weight = footprint(geometry, ranges)

    assert tables_by_hand(geometry, whole, set()) == counted(weight.worst)
    assert tables_by_hand(geometry, whole, BLOCKS[geometry.page_shift]) == counted(
        weight.best
    )


SMALL = (
    Geometry(12, 32, 1),
    Geometry(12, 34, 2),
    Geometry(14, 32, 2),
    Geometry(14, 29, 3),
    Geometry(16, 33, 2),
)


@st.composite
def memory_maps(
    draw: st.DrawFn,
) -> tuple[Geometry, list[tuple[int, int, int]]]:
    """A small space, and a few ranges in it that do not overlap."""
    geometry = draw(st.sampled_from(SMALL))
    page = geometry.page_size
    last = geometry.ipa_size // page
    near = st.builds(
        lambda block, pages: min(max(block * (1 << 21) // page + pages, 0), last),
        st.integers(0, geometry.ipa_size >> 21),
        st.integers(-2, 2),
    )
    ends = sorted(set(draw(st.lists(near, min_size=2, max_size=8))))
    offsets = st.sampled_from([0, 1 << 40, 1 << 21, page, 512 * page])
    ranges = []
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        pages = min(end - start, 4_000)  # by hand costs what there are pages
        ranges.append((start * page, pages * page, start * page + draw(offsets)))
    return geometry, ranges


@given(memory_maps())
def test_agrees_with_counting_entry_by_entry(
    case: tuple[Geometry, list[tuple[int, int, int]]],
) -> None:
    """The closed form gives the number that enumeration gives, worst and best."""
    geometry, ranges = case
    weight = footprint(geometry, ranges)

    assert tables_by_hand(geometry, ranges, set()) == counted(weight.worst)
    assert tables_by_hand(geometry, ranges, BLOCKS[geometry.page_shift]) == counted(
        weight.best
    )


def test_many_ranges_that_share_tables_are_not_counted_twice() -> None:
    """Every other page of 4 MiB: 512 ranges in two tables of pages."""
    ranges = [(page * 8192, 4096) for page in range(512)]
    weight = footprint(Geometry(12, 32, 1), ranges)

    assert {1: 1, 2: 1, 3: 2} == counted(weight.worst)[0]
    assert weight.worst.bytes == weight.best.bytes


@pytest.mark.parametrize(("page_shift", "level"), sorted(GROUP))
def test_counts_the_leaves_in_contiguous_groups(page_shift: int, level: int) -> None:
    """Only whole groups, with both addresses aligned to the group, count."""
    group, entry = GROUP[page_shift, level], ENTRY[page_shift][level]
    shape = Geometry(page_shift, 40, 2 if page_shift == 16 else 1)

    def in_groups(ipa: int, size: int, pa: int) -> int:
        weight = footprint(shape, [(ipa, size, pa)])
        return next(
            each.contiguous for each in weight.best.levels if each.level == level
        )

    assert group // entry == in_groups(group, group, 0)
    assert group // entry == in_groups(
        group - entry, group + 2 * entry, 0 - entry + group
    )
    assert 0 == in_groups(group, group - entry, 0)
    assert 0 == in_groups(group, group, entry)


@pytest.mark.parametrize(
    ("geometry", "lpa", "size"),
    [
        (K4_52, False, 512 * GIB),
        (Geometry(14, 52, 1, lpa2=True), False, 64 * GIB),
        (Geometry(16, 52, 1), False, 4 * TIB),
        (Geometry(16, 48, 1), True, 4 * TIB),
    ],
)
def test_the_largest_blocks_come_with_52_bit_addresses(
    geometry: Geometry, lpa: bool, size: int
) -> None:
    """LPA2 and LPA bring a block one level up; it has no contiguous groups."""
    weight = footprint(geometry, [(0, 4 * size)], lpa=lpa)

    assert {size: 4} == weight.best.leaves
    assert 0 == sum(level.contiguous for level in weight.best.levels)


def test_without_lpa_64k_has_no_level_1_block() -> None:
    """A 48-bit IPA does not say whether the CPU has FEAT_LPA, so it is asked."""
    weight = footprint(Geometry(16, 48, 1), [(0, 4 * TIB)])

    assert {512 * MIB: 8192} == weight.best.leaves


def test_a_pebibyte_is_counted_exactly() -> None:
    """The numbers are far beyond what could be enumerated."""
    weight = footprint(K4_52, [(0, PIB)])

    assert PIB // (4 * KIB) == weight.worst.leaves[4096]
    # Level 3 to 0: a table for each 2 MiB, 1 GiB, 512 GiB, 256 TiB; and the PGD.
    tables = PIB // (2 * MIB) + PIB // GIB + PIB // (512 * GIB) + 4 + 1
    assert tables == weight.worst.tables
    # Blocks of 512 GiB need the four tables that they stand in.
    assert 5 == weight.best.tables
    assert 16 * 8 + 4 * 4096 == weight.best.bytes
    assert 5 == weight.best.pages


# What KVM would map


@pytest.mark.parametrize(
    ("backing", "leaves"),
    [(4 * KIB, {4 * KIB: 16 << 20}), (2 * MIB, {2 * MIB: 32768}), (GIB, {GIB: 64})],
)
def test_kvm_maps_with_the_leaf_that_the_host_page_gives(
    backing: int, leaves: dict[int, int]
) -> None:
    """`leaf_size` answers what a leaf is; this counts how many."""
    host = Host(12, 48)
    leaf = leaf_size(host.stage2(40), host, backing)
    if backing == GIB:
        leaf = GIB  # Linux v5.0 on
    weight = footprint(K4_40, [(GIB, 64 * GIB)], leaf=leaf)

    assert weight.kvm is not None
    assert leaves == weight.kvm.leaves


def test_a_leaf_of_a_page_is_the_worst_case() -> None:
    """With a leaf of one page, ``kvm`` equals ``worst``, as with dirty logging."""
    weight = footprint(K4_40, [(GIB - 8192, 3 * GIB)], leaf=4096)

    assert weight.worst == weight.kvm


def test_kvm_sets_no_contiguous_bit() -> None:
    """``kvm`` has the blocks of ``best``, without contiguous groups."""
    weight = footprint(K4_40, [(0, 64 * GIB)], leaf=GIB)

    assert weight.kvm is not None
    assert weight.best.leaves == weight.kvm.leaves
    assert 64 == weight.best.levels[0].contiguous
    assert 0 == weight.kvm.levels[0].contiguous


def test_a_mixed_host_gives_a_leaf_for_each_range() -> None:
    """Firmware is mapped by pages, RAM by 1 GiB pages."""
    weight = footprint(
        K4_40, [(0, 2 * MIB), (GIB, 2 * GIB), (4 * GIB, GIB)], leaf=[4096, GIB, 2 * MIB]
    )

    assert weight.kvm is not None
    assert {GIB: 2, 2 * MIB: 512, 4096: 512} == weight.kvm.leaves
    assert {1: 2, 2: 2, 3: 1} == counted(weight.kvm)[0]


# Overlaps


def test_ranges_that_overlap_are_counted_once() -> None:
    """Memory that is named twice, in any order, is counted once."""
    one = footprint(K4_40, [(0, 4 * MIB)])

    assert one == footprint(K4_40, [(MIB, 3 * MIB), (0, 2 * MIB), (0, 4096)])
    assert one == footprint(K4_40, [(0, 4 * MIB), (0, 4 * MIB, 0)])


def test_ranges_that_touch_stay_two() -> None:
    """No block reaches from one memory slot into the next one."""
    weight = footprint(K4_40, [(0, MIB), (MIB, MIB)])

    assert {4096: 512} == weight.best.leaves


def test_overlaps_that_contradict_are_refused() -> None:
    """Overlapping ranges with two output addresses or two leaf sizes are refused."""
    with pytest.raises(InvalidArgument) as two_places:
        footprint(K4_40, [(0, 0x4000, 0x8000_0000), (0x2000, 0x4000, 0x8000_0000)])
    with pytest.raises(InvalidArgument) as two_leaves:
        footprint(K4_40, [(0, 0x4000), (0x2000, 0x4000)], leaf=(4096, 2 * MIB))

    assert (
        "0x0..0x3fff and 0x2000..0x5fff overlap, but 0x2000 is 0x80002000 by the one "
        "and 0x80000000 by the other" == str(two_places.value)
    )
    assert (
        "0x0..0x3fff and 0x2000..0x5fff overlap, but have leaves of 4096 and 2097152 "
        "bytes" == str(two_leaves.value)
    )


# What makes no sense


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (
            [(0x1800, 0x1000)],
            (
                "ipa must be a multiple of the 4K page size, 0x1000; "
                "got 0x1800, 0x800 past one"
            ),
        ),
        (
            [(0, 0x1001)],
            (
                "size must be a multiple of the 4K page size, 0x1000; got 0x1001, 0x1 "
                "past one"
            ),
        ),
        (
            [(0, 0x1000, 0x10)],
            (
                "pa must be a multiple of the 4K page size, 0x1000; got 0x10, 0x10 "
                "past one"
            ),
        ),
        ([(0, 0)], "size must be at least 0x1000, got 0"),
        ([(-4096, 4096)], "ipa must not be negative, got -4096"),
        (
            [(2**40 - 4096, 8192)],
            (
                "0xfffffff000..0x10000000fff does not fit in the 40-bit IPA space, "
                "0x0..0xffffffffff"
            ),
        ),
    ],
)
def test_ranges_are_whole_pages_inside_the_space(
    ranges: list[tuple[int, ...]], message: str
) -> None:
    """The message names the value, what it must be, and by how much it is off."""
    with pytest.raises(InvalidArgument) as refused:
        footprint(K4_40, ranges)

    assert message == str(refused.value)


def test_a_leaf_must_be_a_size_that_the_tree_has() -> None:
    """A tree of two levels has no 1 GiB block."""
    with pytest.raises(InvalidArgument) as refused:
        footprint(Geometry(12, 34, 2), [(0, GIB)], leaf=GIB)
    with pytest.raises(InvalidArgument) as too_few:
        footprint(K4_40, [(0, GIB), (GIB, GIB)], leaf=[GIB])

    assert (
        "leaf must be what one entry of this tree maps, 4096, 2097152 bytes, got "
        "1073741824" == str(refused.value)
    )
    assert "leaf must be one size, or one for each of 2 ranges, got 1" == str(
        too_few.value
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("a shape", []), "geometry"),
        ((K4_40, None), "ranges"),
        ((K4_40, "ranges"), "ranges"),
        ((K4_40, [4096]), "a range"),
        ((K4_40, ["a"]), "a range"),
        ((K4_40, [(0,)]), "a range"),
        ((K4_40, [(0, 4096, 0, 0)]), "a range"),
        ((K4_40, [(0.0, 4096)]), "ipa"),
        ((K4_40, [(0, True)]), "size"),
    ],
)
def test_wrong_types_are_named(arguments: tuple[object, object], named: str) -> None:
    """The TypeError names the argument and the value."""
    with pytest.raises(TypeError, match=f"^{named} must be "):
        footprint(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("leaf", ["4096", 4096.0, True])
def test_a_leaf_is_an_integer(leaf: object) -> None:
    """Text is not a sequence of sizes."""
    with pytest.raises(TypeError, match=r"^leaf must be an integer"):
        footprint(K4_40, [(0, 4096)], leaf=leaf)  # type: ignore[arg-type]


def test_lpa_is_a_bool() -> None:
    """0 and 1 are refused, since they are integers."""
    with pytest.raises(TypeError, match=r"^lpa must be a bool"):
        footprint(K4_40, [], lpa=1)  # type: ignore[arg-type]


def test_a_footprint_is_a_value() -> None:
    """A `Footprint` is hashable, and its repr evaluates to it."""
    weight = footprint(K4_40, [(0, GIB)], leaf=4096)
    names = {
        "Footprint": Footprint,
        "Geometry": Geometry,
        "Granule": type(K4_40.granule),
        "TableCount": TableCount,
        "LevelCount": LevelCount,
    }

    assert weight == eval(repr(weight), names)  # noqa: S307
    assert {weight: 1}[footprint(K4_40, [(0, GIB)], leaf=4096)] == 1
