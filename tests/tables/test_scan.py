# SPDX-License-Identifier: MIT
"""`scan` yields all that `walk` would translate, in as few pieces as it can."""

import pickle
import random
import struct
import tracemalloc
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom as s2
from s2geom import (
    VTCR_EL2,
    Attributes,
    Cpu,
    Fault,
    Geometry,
    Granule,
    Invalid,
    Mapping,
    Memory,
    Translation,
    scan,
    walk,
)

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64

NORMAL = Attributes()
PAGE = int(NORMAL) | 0b11
BLOCK = int(NORMAL) | 0b01
TABLE = 0b11
CONTIGUOUS = 1 << 52


def packed(words: list[int]) -> bytes:
    """Words as they are in memory."""
    return struct.pack(f"<{len(words)}Q", *words)


def counting(first: int, step: int, count: int) -> list[int]:
    """Words that count up."""
    return [first + step * index for index in range(count)]


def mapped(*given: Any, **options: Any) -> list[tuple[int, int, int, int]]:
    """What a scan finds, without the attributes."""
    return [
        (found.ipa, found.output_address, found.size, found.level)
        for found in scan(*given, **options)
    ]


# A tree of three levels: 39 bits of 4K, one table a level
SHAPE = Geometry(K4, 39, 1)
ROOT, SECOND, THIRD, FOURTH = 0x1000, 0x2000, 0x3000, 0x4000


def tree(
    second: dict[int, int], third: list[int], fourth: list[int] | None = None
) -> Memory:
    """Level 2 as given; level 3 at its entries 0 and, where given, 1."""
    words = [0] * 512
    for index, word in second.items():
        words[index] = word
    words[0] = THIRD | TABLE
    if fourth is not None:
        words[1] = FOURTH | TABLE
    return Memory(
        {
            ROOT: packed([SECOND | TABLE] + [0] * 511),
            SECOND: packed(words),
            THIRD: packed(third),
            FOURTH: packed(fourth or [0] * 512),
        }
    )


# Merging


@pytest.mark.parametrize("first", [0x8000_0000, 0x8000_3000, 0x7FFF_F000])
@pytest.mark.parametrize("hint", [0, CONTIGUOUS])
def test_adjacent_tables_merge_into_one_mapping(first: int, hint: int) -> None:
    """Two full tables merge, whether or not they are aligned to what they map."""
    words = counting(first | PAGE | hint, 0x1000, 1024)
    memory = tree({}, words[:512], words[512:])

    assert [Mapping(0, first, 4 << 20, NORMAL, 3)] == list(
        scan(SHAPE, ROOT, memory.read)
    )


def test_the_contiguous_bit_does_not_split_a_mapping() -> None:
    """It says how translations may be cached, not what is mapped."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    words[16:32] = [word | CONTIGUOUS for word in words[16:32]]

    assert [(0, 0x8000_0000, 2 << 20, 3)] == mapped(SHAPE, ROOT, tree({}, words).read)


def test_leaves_of_different_levels_do_not_merge() -> None:
    """A block after pages is another mapping, as its leaf is larger."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    blocks = {1: 0x8020_0000 | BLOCK, 2: 0x8040_0000 | BLOCK, 4: 0x8060_0000 | BLOCK}

    assert [
        (0, 0x8000_0000, 2 << 20, 3),
        (2 << 20, 0x8020_0000, 4 << 20, 2),
        (8 << 20, 0x8060_0000, 2 << 20, 2),
    ] == mapped(SHAPE, ROOT, tree(blocks, words).read)


@pytest.mark.parametrize("bit", [2, 6, 8, 10, 11, 51, 53, 54, 55, 56, 58, 59, 63])
def test_leaves_with_different_attributes_do_not_merge(bit: int) -> None:
    """One differing bit of the attributes makes three mappings."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    words[100] ^= 1 << bit
    changed = Attributes.from_int((PAGE ^ 1 << bit) & ~0b11)

    assert [
        Mapping(0, 0x8000_0000, 100 << 12, NORMAL, 3),
        Mapping(100 << 12, 0x8006_4000, 1 << 12, changed, 3),
        Mapping(101 << 12, 0x8006_5000, 411 << 12, NORMAL, 3),
    ] == list(scan(SHAPE, ROOT, tree({}, words).read))


def test_the_same_output_page_twice_is_two_mappings() -> None:
    """Leaves merge only where their output addresses touch."""
    words = [0x8000_0000 | PAGE] * 3 + [0] * 509

    assert [(at << 12, 0x8000_0000, 0x1000, 3) for at in range(3)] == mapped(
        SHAPE, ROOT, tree({}, words).read
    )


def one_by_one(words: list[int]) -> list[tuple[int, int, int, int]]:
    """A table of 4K pages, merged in the plainest way: address, bytes, attributes."""
    found: list[tuple[int, int, int, int]] = []
    for index, word in enumerate(words):
        ipa, address = index << 12, word & 0xFFFF_FFFF_F000
        attributes = word & ~0xFFFF_FFFF_F003
        if found:
            at, to, size, same = found[-1]
            if (at + size, to + size, same) == (ipa, address, attributes):
                found[-1] = at, to, size + 0x1000, same
                continue
        found.append((ipa, address, 0x1000, attributes))
    return found


@pytest.mark.parametrize("first", [0x8000_0000, 0x8000_3000])
def test_one_wrong_bit_in_a_full_table_is_seen(first: int) -> None:
    """The bit may be in any byte of any word of a table that counts up."""
    words = counting(first | PAGE, 0x1000, 512)
    bits = (2, 11, 12, 20, 28, 36, 47, 55, 63)

    assert [(0, first, 2 << 20, int(NORMAL))] == one_by_one(words)
    for turn, index in enumerate([*range(0, 512, 7), 1, 2, 509, 510, 511]):
        changed = words.copy()
        changed[index] ^= 1 << bits[turn % len(bits)]
        memory = Memory({0: packed(changed)})

        assert one_by_one(changed) == [
            (found.ipa, found.output_address, found.size, int(found.attributes))
            for found in scan(Geometry(K4, 21, 3), 0, memory.read)
        ]


@pytest.mark.parametrize("seed", range(3))
def test_the_image_of_one_table_does_not_match_another(seed: int) -> None:
    """Full tables begin anywhere, follow one another, and some have a wrong word."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    words: list[int] = []
    for _ in range(60):
        offset = rng.choice([0, 0, 1, 255, 511, rng.randrange(512)])
        upper = rng.choice([0, 0x7F, 0x7FFF, rng.getrandbits(20), rng.getrandbits(27)])
        first = (upper << 9 | offset) << 12 | rng.choice([PAGE, PAGE, 0x443])
        table = [word % (1 << 64) for word in counting(first, 0x1000, 512)]
        if rng.random() < 0.3:
            table[rng.randrange(512)] ^= 1 << rng.choice([7, 12, 20, 21, 30, 47])
        words += table
    chunks = {
        0x10_0000: packed(counting(0x20_0000 | TABLE, 0x1000, 60) + [0] * 452),
        0x20_0000: packed(words),
    }
    shape = Geometry(K4, 30, 2)

    assert one_by_one(words) == [
        (found.ipa, found.output_address, found.size, int(found.attributes))
        for found in scan(shape, 0x10_0000, Memory(chunks).read)
    ]


def test_reserved_bits_do_not_split_a_mapping() -> None:
    """A scan ignores what a CPU ignores."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    for index in (3, 4, 9, 500):
        words[index] |= 1 << 48 | 1 << 50

    assert [(0, 0x8000_0000, 2 << 20, 3)] == mapped(SHAPE, ROOT, tree({}, words).read)


# Every page, against walk


def expanded(shape: Geometry, found: list[Mapping]) -> dict[int, tuple[int, int, int]]:
    """Mappings as pages: output address, level and attributes by IPA."""
    pages = {}
    for mapping in found:
        for offset in range(0, mapping.size, shape.page_size):
            assert mapping.ipa + offset not in pages
            pages[mapping.ipa + offset] = (
                mapping.output_address + offset,
                mapping.level,
                int(mapping.attributes),
            )
    return pages


def some_words(rng: random.Random, count: int, step: int, top: int) -> list[int]:
    """Runs of leaves, holes and noise, with addresses near the edges of their field."""
    words: list[int] = []
    while len(words) < count:
        run = rng.choice([1, 1, 2, 5, 40, count])
        kind = rng.randrange(6)
        if kind == 0:
            words += [0] * run
        elif kind == 1:
            words += [rng.getrandbits(64) for _ in range(min(run, 20))]
        else:
            start = rng.choice([0, 1 << 32, 1 << top, 1 << top - 1])
            near = rng.randrange(-20, 20) * step
            first = (start + near) % (1 << top) | rng.choice([PAGE, PAGE, 0x443, BLOCK])
            first |= rng.choice([0, 0, CONTIGUOUS, 1 << 48, 0b111 << 48, 1 << 51])
            words += [word % (1 << 64) for word in counting(first, step, run)]
    return words[:count]


SMALL = [
    (Geometry(K4, 22, 2), Cpu(40, ttst=True), 40),
    (Geometry(K4, 23, 2), Cpu(48, ttst=True), 48),
    (Geometry(K4, 22, 3, lpa2=True), Cpu(52, lpa2=True, ttst=True), 50),
    (Geometry(K16, 26, 2), Cpu(36), 48),
    (Geometry(K16, 25, 3, lpa2=True), Cpu(52, lpa2=True), 50),
    (Geometry(K64, 26, 3), Cpu(52), 48),
    (Geometry(K64, 30, 2), Cpu(48), 48),
]


@pytest.mark.parametrize(("shape", "cpu", "top"), SMALL)
@pytest.mark.parametrize("seed", range(2))
def test_scan_finds_what_walk_finds(
    shape: Geometry, cpu: Cpu, top: int, seed: int
) -> None:
    """Page by page on tables of edge cases; in the largest space, some pages."""
    rng = random.Random(f"{shape}{cpu}{seed}")  # noqa: S311 - nothing secret
    levels = shape.table_levels
    step = levels[0].entry_size
    base, below = 1 << 22, 1 << 24
    root = some_words(rng, levels[0].entries, step, top)
    chunks = {base: root}
    if len(levels) > 1:
        for index in rng.sample(range(levels[0].entries), min(4, levels[0].entries)):
            chunks[below] = some_words(rng, levels[1].entries, shape.page_size, top)
            root[index] = below | TABLE
            below += shape.page_size
    # Tables that only noise points at are not there, so noise must not point.
    known = {word for word in root if word & 0b11 == 0b11 and word >> 2 << 2 in chunks}
    if len(levels) > 1:
        chunks[base] = [
            0 if word & 0b11 == 0b11 and word not in known else word for word in root
        ]
    memory = Memory({at: packed(words) for at, words in chunks.items()})

    found = list(scan(shape, base, memory.read, cpu=cpu))

    pages = expanded(shape, found)
    some = max(1, shape.ipa_size // shape.page_size // 1500) * shape.page_size
    edges = {at.ipa + offset for at in found for offset in (0, at.size - some)}
    for ipa in {*range(0, shape.ipa_size, some), *(edges & pages.keys())}:
        answer = walk(shape, base, ipa, memory.read, cpu=cpu)
        if isinstance(answer, Translation):
            attributes = answer.descriptor.attributes
            assert attributes is not None
            expected = (answer.output_address, answer.level, int(attributes))

            assert expected == pages[ipa]
        elif answer.kind in {"access flag", "permission"}:
            assert answer.level == pages[ipa][1]
        else:
            assert ipa not in pages
    for one, other in pairwise(found):
        touch = (
            one.ipa + one.size == other.ipa
            and one.output_address + one.size == other.output_address
        )

        assert one.ipa < other.ipa
        assert not (touch and one.level == other.level) or (
            one.attributes != other.attributes
        )


def test_scan_reads_every_concatenated_root_table() -> None:
    """The last page of each of sixteen root tables is found."""
    for shape in (Geometry(K4, 34, 2), Geometry(K16, 40, 2), Geometry(K64, 46, 2)):
        entries = shape.pgd_entries
        size = shape.pgdir_size
        words = [0] * entries
        for table in range(16):
            words[(table + 1) * entries // 16 - 1] = (table * 2 * size) | BLOCK
        memory = Memory({0: packed(words)})

        assert [
            ((table + 1) * shape.ipa_size // 16 - size, table * 2 * size, size, 2)
            for table in range(16)
        ] == mapped(shape, 0, memory.read)


def test_leaves_above_the_output_size_are_holes() -> None:
    """Leaves and tables that would fault are not mapped; a leaf below the end is."""
    shape = Geometry(K4, 32, 1)
    words = counting((1 << 32) - 0x3000 | PAGE, 0x1000, 512)
    memory = Memory(
        {
            0: packed([0x1000 | TABLE, 1 << 32 | BLOCK, 1 << 32 | TABLE, BLOCK]),
            0x1000: packed([0x2000 | TABLE] + [0] * 511),
            0x2000: packed(words),
        }
    )

    assert [
        (0, (1 << 32) - 0x3000, 0x3000, 3),
        (3 << 30, 0, 1 << 30, 1),
    ] == mapped(shape, 0, memory.read, cpu=Cpu(32))
    narrow = VTCR_EL2.for_geometry(shape, pa_bits=32)
    assert mapped(shape, 0, memory.read, cpu=Cpu(32)) == mapped(
        shape, 0, memory.read, vtcr=narrow
    )


def test_a_leaf_that_ends_above_the_output_size_is_mapped() -> None:
    """The CPU looks at where a leaf begins: a 512 GiB block at 0 fits 32 bits."""
    shape = Geometry(K4, 41, 0, lpa2=True)
    memory = Memory({0: packed([0x401, 1 << 39 | 0x401, 0, 0] + [0] * 4)})
    vtcr = VTCR_EL2.for_geometry(shape, pa_bits=32)

    assert [(0, 0, 1 << 39, 0)] == mapped(shape, 0, memory.read, vtcr=vtcr)


def test_mappings_merge_across_moved_address_bits() -> None:
    """64K blocks of level 1 up to 52 bits: from bit 48 on the address is elsewhere."""
    shape = Geometry(K64, 52, 1)
    words = [(at % 64) << 42 | (at // 64) << 12 | 0x7C1 for at in range(1024)]
    memory = Memory({0: packed(words)})

    assert [(0, 0, 1 << 52, 1)] == mapped(shape, 0, memory.read, cpu=Cpu(52))


def test_lpa2_mappings_have_the_shareability_of_vtcr() -> None:
    """Bits 9:8 are address bits; VTCR_EL2.SH0 holds for all leaves, if it is known."""
    shape = Geometry(K4, 21, 3, lpa2=True)
    words = counting(0x3_FFFF_FFFF_F000 | 1 << 8 | 0x4FF, 0x1000, 1) + counting(
        2 << 8 | 0x4FF, 0x1000, 511
    )
    memory = Memory({0: packed(words)})

    # Bit 50 counts on from bit 49, in another place of the word.
    [found] = scan(shape, 0, memory.read)

    assert (0, 0x7_FFFF_FFFF_F000, 2 << 20) == (
        found.ipa,
        found.output_address,
        found.size,
    )
    assert found.attributes == Attributes(sh=None)
    for sh0 in (0, 2, 3):
        vtcr = attrs.evolve(VTCR_EL2.for_geometry(shape, pa_bits=52), sh0=sh0)
        [found] = scan(shape, 0, memory.read, vtcr=vtcr)

        assert found.attributes == Attributes(sh=sh0)


# A part of the space


@given(
    start=st.integers(0, 8 << 20),
    size=st.integers(0, 8 << 20),
    skip=st.integers(0, 600),
)
def test_a_range_clips_mappings(start: int, size: int, skip: int) -> None:
    """A range clips the mappings of the whole space, to the byte."""
    end = start + size
    words = counting(0x8000_0000 | PAGE, 0x1000, 1024)
    words[skip : skip + 7] = [0x9000_0000 | PAGE] * 7
    memory = tree({2: 0xA000_0000 | BLOCK}, words[:512], words[512:])
    whole = list(scan(SHAPE, ROOT, memory.read))

    expected = []
    for mapping in whole:
        low = max(mapping.ipa, start)
        high = min(mapping.ipa + mapping.size, end)
        if low < high:
            address = mapping.output_address + low - mapping.ipa
            expected.append((low, address, high - low, mapping.level))

    assert expected == mapped(SHAPE, ROOT, memory.read, (start, end))
    assert expected == mapped(SHAPE, ROOT, memory.read, range(start, end))


def test_scan_of_a_range_reads_only_the_words_it_needs() -> None:
    """Two pages take two words of the last table, and one of each above."""
    memory = tree({}, counting(0x8000_0000 | PAGE, 0x1000, 512))
    reads = []

    def read(address: int, size: int) -> bytes:
        reads.append((address, size))
        return memory.read(address, size)

    assert [(0x3800, 0x8000_3800, 0x1000, 3)] == mapped(
        SHAPE, ROOT, read, (0x3800, 0x4800)
    )
    assert [(ROOT, 8), (SECOND, 8), (THIRD + 24, 16)] == reads


def test_tables_are_read_once_and_lazily() -> None:
    """A mapping is yielded before the tables after it are read."""
    second = {2: 0xA000_0000 | BLOCK, 3: 0x5000 | TABLE}
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    memory = tree(second, words, words)
    reads = []

    def read(address: int, size: int) -> bytes:
        reads.append(address)
        return memory.read(address, size)

    found = scan(SHAPE, ROOT, read)

    assert not reads
    next(found)
    assert [ROOT, SECOND, THIRD, FOURTH] == reads
    next(found)
    with pytest.raises(s2.MemoryReadError, match="nothing at 0x5000"):
        next(found)


@pytest.mark.parametrize(
    ("ipa_range", "error", "says"),
    [
        ((-1, 5), s2.InvalidArgument, "ipa_range must be inside the 39-bit IPA space"),
        ((5, 4), s2.InvalidArgument, "not end before it starts; got 0x5 to 0x4"),
        ((0, (1 << 39) + 1), s2.InvalidArgument, r"0\.\.0x8000000000"),
        (range(0, 8, 2), s2.InvalidArgument, "ipa_range must have step 1"),
        ((1, 2, 3), TypeError, r"ipa_range must be \(start, end\) or a range"),
        (7, TypeError, r"ipa_range must be \(start, end\) or a range, got 7"),
        ((0, 1.0), TypeError, "end of ipa_range must be an integer"),
        ((True, 1), TypeError, "start of ipa_range must be an integer"),
    ],
)
def test_invalid_ranges_are_refused(
    ipa_range: Any, error: type[Exception], says: str
) -> None:
    """A range outside the IPA space is refused at the call, not at the first item."""
    with pytest.raises(error, match=says):
        scan(SHAPE, ROOT, Memory({}).read, ipa_range)


# Progress


def counted(
    tables: int, ipa_range: tuple[int, int] | None = None
) -> tuple[list[tuple[int, int]], list[Mapping]]:
    """Scan so many full tables, and return what progress was told."""
    second = {index: (0x10_0000 + index * 0x1000) | TABLE for index in range(tables)}
    chunks = {
        0x10_0000 + index * 0x1000: packed(
            counting(index << 21 | 1 << 40 | PAGE, 0x1000, 512)
        )
        for index in range(tables)
    }
    words = [second.get(index, 0) for index in range(512)]
    chunks |= {ROOT: packed([SECOND | TABLE] + [0] * 511), SECOND: packed(words)}
    calls: list[tuple[int, int]] = []
    found = list(
        scan(
            SHAPE,
            ROOT,
            Memory(chunks).read,
            ipa_range,
            progress=lambda done, total: calls.append((done, total)),
        )
    )
    return calls, found


def test_progress_counts_bytes_of_ipa_space() -> None:
    """From 0, after every 64 tables, and once at the end."""
    calls, found = counted(400)

    assert [Mapping(0, 1 << 40, 400 << 21, NORMAL, 3)] == found
    assert [
        (0, 1 << 39),
        *((tables - 2 << 21, 1 << 39) for tables in range(64, 401, 64)),
        (1 << 39, 1 << 39),
    ] == calls


def test_progress_of_a_range_counts_within_the_range() -> None:
    """Done and total are those of the given range."""
    calls, _ = counted(200, (5 << 20, 155 << 20))

    assert (0, 150 << 20) == calls[0]
    assert (150 << 20, 150 << 20) == calls[-1]
    assert sorted(set(calls)) == calls
    assert ([(0, 0)], []) == counted(1, (7, 7))


def test_progress_must_be_callable() -> None:
    """It is refused at the call."""
    wrong: Any = True
    with pytest.raises(TypeError, match="progress must be callable or None, got True"):
        scan(SHAPE, ROOT, Memory({}).read, progress=wrong)


# What cannot be scanned


def test_a_refused_shape_is_an_error() -> None:
    """The error has the violations of the CPU."""
    with pytest.raises(s2.UnsupportedCombination) as caught:
        scan(Geometry(K4, 40, 0), 0, Memory({}).read, cpu=Cpu(40))

    assert Cpu(40).check(Geometry(K4, 40, 0)) == caught.value.violations


def test_a_root_above_the_output_size_is_an_error() -> None:
    """Every walk would fault, so an empty result would mislead."""
    with pytest.raises(
        s2.UnreadableInput, match="root 0x10000000000 is beyond the 40 bits of an"
    ):
        scan(SHAPE, 1 << 40, Memory({}).read, cpu=Cpu(40))


def test_missing_memory_is_an_error() -> None:
    """What a table maps is not known if it cannot be read."""
    memory = Memory({ROOT: packed([SECOND | TABLE] + [0] * 511)})

    with pytest.raises(s2.MemoryReadError, match="nothing at 0x2000"):
        list(scan(SHAPE, ROOT, memory.read))


@pytest.mark.parametrize("size", [0, 8, 4095, 4097])
def test_a_read_of_the_wrong_size_is_refused(size: int) -> None:
    """A short read is not taken for an empty table."""
    with pytest.raises(s2.UnreadableInput, match=f"return 4096 bytes, got {size}"):
        list(scan(SHAPE, ROOT, lambda _, __: bytes(size)))


def test_arguments_are_checked_at_the_call() -> None:
    """Errors are raised before anything is read."""
    wrong: Any = "x"
    read = Memory({}).read
    with pytest.raises(TypeError, match="geometry must be a Geometry"):
        scan(wrong, ROOT, read)
    with pytest.raises(TypeError, match="root must be an integer"):
        scan(SHAPE, wrong, read)
    with pytest.raises(s2.InvalidArgument, match=r"root must be 0\.\."):
        scan(SHAPE, -1, read)


# Tables that are no tree


def test_a_table_that_is_linked_twice_is_mapped_twice() -> None:
    """Two entries may point at one table, as for a CPU."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    memory = tree({7: THIRD | TABLE}, words)

    assert [
        (0, 0x8000_0000, 2 << 20, 3),
        (14 << 20, 0x8000_0000, 2 << 20, 3),
    ] == mapped(SHAPE, ROOT, memory.read)


def test_a_recursive_entry_maps_the_tables_as_pages() -> None:
    """With a recursive entry the tables appear as pages of the last level."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    second = {511: SECOND | TABLE}
    memory = tree(second, words)
    last = 511 << 21

    # The entries of level 2 are read as pages: a table's descriptor has the bits.
    assert [
        (0, 0x8000_0000, 2 << 20, 3),
        (last, THIRD, 0x1000, 3),
        (last + (511 << 12), SECOND, 0x1000, 3),
    ] == mapped(SHAPE, ROOT, memory.read)
    vtcr = attrs.evolve(VTCR_EL2.for_geometry(SHAPE), ha=1)
    again = walk(SHAPE, ROOT, last, memory.read, vtcr=vtcr)
    assert again == Fault("permission", 3, last)


def test_tables_that_are_no_tree_are_refused() -> None:
    """Where every entry leads back, the error says so and what to do."""
    memory = Memory({0x1000: packed([0x1000 | TABLE] * 512)})

    with pytest.raises(
        s2.UnreadableInput,
        match=r"the tables are no tree: the one at 0x1000 \(level 3, for IPA "
        r"0x[0-9a-f]+\) was reached before, and more than 65536 descriptors would be "
        "read again; give a smaller ipa_range to see a part",
    ):
        list(scan(SHAPE, 0x1000, memory.read))
    part = mapped(SHAPE, 0x1000, memory.read, (0, 1 << 21))
    assert [(at << 12, 0x1000, 0x1000, 3) for at in range(512)] == part


# Costs that are promises


def test_memory_use_does_not_grow_with_the_image() -> None:
    """Eight times as many tables need almost no more memory."""
    second = {
        0x1000 * (index + 1): packed(counting(index << 40 | TABLE, 0x1000, 512))
        for index in range(16)
    }
    chunks = {0: packed(counting(0x1000 | TABLE, 0x1000, 512)), **second}
    pages = packed(counting(PAGE, 0x1000, 512))

    def read(address: int, size: int) -> bytes:
        return chunks.get(address, pages)[:size]

    def peak(gigabytes: int) -> int:
        tracemalloc.start()
        pieces = sum(1 for _ in scan(SHAPE, 0, read, (0, gigabytes << 30)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert gigabytes * 512 == pieces
        return most

    peak(2)  # whatever is remembered for the next time

    assert peak(16) < peak(2) + 4096


def test_mappings_are_values() -> None:
    """They are equal, hashable and picklable, with hexadecimal numbers in the repr."""
    [found] = scan(
        SHAPE, ROOT, tree({}, counting(PAGE, 0x1000, 512)).read, (0, 1 << 21)
    )

    assert found == pickle.loads(pickle.dumps(found))  # noqa: S301
    assert repr(found).startswith(
        "Mapping(ipa=0x0, output_address=0x0, size=0x200000, attributes=Attributes("
    )


# What is invalid, and what cannot be read


def everything(*given: Any, **options: Any) -> list[Mapping | Invalid]:
    """What a scan finds, invalid descriptors included."""
    return list(scan(*given, invalid=True, **options))


def test_invalid_descriptors_that_are_not_zero_are_yielded() -> None:
    """In IPA order, joined where word and level are equal, across tables too."""
    third = [0x8000_0000 | PAGE, 4, 4, 8, 0, 4, *[0] * 504, 4, 4]
    fourth = [4, 8 | 2, *[0] * 510]
    memory = tree({2: 4, 3: 4}, third, fourth)
    page = 0x1000

    assert [
        Mapping(0, 0x8000_0000, page, NORMAL, 3),
        Invalid(page, 2 * page, 4, 3),
        Invalid(3 * page, page, 8, 3),
        Invalid(5 * page, page, 4, 3),
        Invalid(510 * page, 3 * page, 4, 3),
        Invalid(513 * page, page, 10, 3),
        Invalid(4 << 20, 4 << 20, 4, 2),
    ] == everything(SHAPE, ROOT, memory.read)
    assert [(0, 0x8000_0000, page, 3)] == mapped(SHAPE, ROOT, memory.read)


def test_invalid_descriptors_are_clipped_to_the_range() -> None:
    """At both ends, whether or not mappings are beside them."""
    memory = tree({2: 4, 3: 4}, [0] * 512)
    part = ((4 << 20) + 0x1234, (8 << 20) - 0x10)

    assert [Invalid(part[0], part[1] - part[0], 4, 2)] == everything(
        SHAPE, ROOT, memory.read, part
    )
    third = [0x8000_0000 | PAGE, *[4] * 511]

    assert [
        Mapping(0x800, 0x8000_0800, 0x800, NORMAL, 3),
        Invalid(0x1000, 0x800, 4, 3),
    ] == everything(SHAPE, ROOT, tree({}, third).read, (0x800, 0x1800))


def test_an_invalid_descriptor_does_not_join_a_mapping_with_equal_bits() -> None:
    """Attributes may have the same bits as an invalid descriptor."""
    attributes = Attributes.from_int(0x40)
    third = [0x40 | 0b11, 0x40, 0x1000 | 0x40 | 0b11, *[0] * 509]

    assert [
        Mapping(0, 0, 0x1000, attributes, 3),
        Invalid(0x1000, 0x1000, 0x40, 3),
        Mapping(0x2000, 0x1000, 0x1000, attributes, 3),
    ] == everything(SHAPE, ROOT, tree({}, third).read)


def test_unreadable_tables_are_holes_if_a_callback_is_given() -> None:
    """It gets the IPA space of the table; without it, the error passes through."""
    words = counting(0x8000_0000 | PAGE, 0x1000, 512)
    memory = tree({1: 0xDEAD_0000 | TABLE, 2: 0x8020_0000 | BLOCK}, words)
    told: list[tuple[int, int, str]] = []

    def unreadable(ipa: int, size: int, error: s2.MemoryReadError) -> None:
        told.append((ipa, size, str(error)))

    assert [(0, 0x8000_0000, 2 << 20, 3), (4 << 20, 0x8020_0000, 2 << 20, 2)] == mapped(
        SHAPE, ROOT, memory.read, unreadable=unreadable
    )
    assert [(2 << 20, 2 << 20)] == [call[:2] for call in told]
    assert "nothing at 0xdead0000" in told[0][2]
    with pytest.raises(s2.MemoryReadError, match="nothing at 0xdead0000"):
        mapped(SHAPE, ROOT, memory.read)


def test_unreadable_tables_are_clipped_to_the_range() -> None:
    """At both ends, for the root as for a table of the last level."""
    told: list[tuple[int, int]] = []
    memory = tree({1: 0xDEAD_0000 | TABLE}, [0] * 512)
    part = (2 << 20) + 0x800, (3 << 20) + 0x800

    for read in (memory.read, Memory({}).read):
        assert [] == mapped(
            SHAPE, ROOT, read, part, unreadable=lambda *call: told.append(call[:2])
        )
    assert [(part[0], 1 << 20)] * 2 == told


def test_options_are_type_checked() -> None:
    """A flag must be a bool, and a callback must be callable."""
    wrong: Any = 1
    with pytest.raises(TypeError, match="invalid must be a bool"):
        scan(SHAPE, ROOT, Memory({}).read, invalid=wrong)
    with pytest.raises(TypeError, match="unreadable must be callable or None"):
        scan(SHAPE, ROOT, Memory({}).read, unreadable=wrong)
    with pytest.raises(TypeError, match="fwb must be a bool"):
        scan(SHAPE, ROOT, Memory({}).read, fwb=wrong)


def test_mappings_keep_fwb() -> None:
    """FWB is kept as it was given; it is not compared and not in the repr."""
    memory = tree({}, [0x8000_0000 | PAGE, *[0] * 511])
    for fwb in (None, False, True):
        [found] = scan(SHAPE, ROOT, memory.read, fwb=fwb)

        assert fwb is found.fwb
        assert fwb is pickle.loads(pickle.dumps(found)).fwb  # noqa: S301
        assert Mapping(0, 0x8000_0000, 0x1000, NORMAL, 3) == found
        assert "fwb" not in repr(found)
