# SPDX-License-Identifier: MIT
"""Images that mean harm: whatever the bytes, a scan ends soon and with our errors.

Some hundreds of images are tried always, as many as ``S2GEOM_IMAGES`` says if it is
set: the gate tries 100,000, in a run of their own. Soon is not measured by a clock: it
is the number of descriptors that are asked for.
"""

import os
import random
import struct
from itertools import islice

import pytest

import s2geom as s2
from s2geom import (
    AddressLayout,
    Cpu,
    Fault,
    Geometry,
    Granule,
    Mapping,
    Memory,
    Translation,
    scan,
    walk,
)

IMAGES = 100  # a batch
BATCHES = int(os.environ.get("S2GEOM_IMAGES", "400")) // IMAGES

MOST_BYTES = 1 << 16

# What a scan may ask for: an image of 64 KiB has 16 tables of 4K. Each may be above
# the last level and have each as its child, and 2**16 descriptors may be read again.
MOST_DESCRIPTORS = 16 * 16 * 512 + 16 * 512 + (1 << 16) + 8192

SHAPES = [
    Geometry(Granule.K4, 48, 0),
    Geometry(Granule.K4, 52, -1, lpa2=True),
    Geometry(Granule.K4, 43, 1),
    Geometry(Granule.K4, 34, 2),
    Geometry(Granule.K4, 25, 3),
    Geometry(Granule.K16, 47, 1),
    Geometry(Granule.K16, 52, 0, lpa2=True),
    Geometry(Granule.K16, 38, 2),
    Geometry(Granule.K16, 29, 3),
    Geometry(Granule.K64, 48, 1),
    Geometry(Granule.K64, 52, 1),
    Geometry(Granule.K64, 42, 2),
    Geometry(Granule.K64, 33, 3),
    Geometry(Granule.K4, 52, 0),  # no CPU has it
]
CPUS = [None, None, Cpu(52, lpa2=True, ttst=True), Cpu(48, lpa=True), Cpu(40)]


def some_word(rng: random.Random, shape: Geometry, base: int, size: int) -> int:
    """One of the words that make trouble."""
    table = base + rng.randrange(size) & -shape.page_size
    near = rng.choice([1 << 32, 1 << 40, 1 << 48, 1 << 50, 1 << 52])
    near += rng.randrange(-3, 3) << rng.choice([shape.page_shift, 21, 30])
    low = rng.choice([0b00, 0b01, 0b10, 0b11, 0x7FF, 0x7FD, 0x7C3])
    return rng.choice(
        [
            table | 0b11,  # back into the image, most of all
            table | 0b11,
            table | 0x7FF,
            0,
            rng.getrandbits(64) & ~0b10,
            rng.getrandbits(64) & 0xFFF0_0000_0000_0FFF | table,
            rng.getrandbits(30) << shape.page_shift | 0x7FF,
            near & (1 << 52) - 1 | low,
            (1 << 64) - 3,
            (1 << 64) - 4 | low,
        ]
    )


def some_image(rng: random.Random, shape: Geometry, base: int) -> bytes:
    """Noise, repetition, chains and progressions, cut anywhere."""
    size = min(MOST_BYTES, 1 << rng.randrange(3, 18))
    count = size // 8
    words = [some_word(rng, shape, base, size) for _ in range(rng.choice([1, 2, 8]))]
    kind = rng.randrange(8)
    if kind == 0:
        image = rng.randbytes(size)
    elif kind == 1:
        image = struct.pack("<Q", words[0]) * count
    elif kind == 2:
        image = struct.pack(f"<{count}Q", *rng.choices(words, k=count))
    elif kind == 3:  # each table points at the next one, all around
        page = shape.page_size
        tables = max(size // page, 1)
        image = b"".join(
            struct.pack("<Q", base + (at + 1) % tables * page | 0x403) * (page // 8)
            for at in range(tables)
        )
    elif kind == 4:  # words count up, through the ends of their fields too
        step = 1 << rng.choice([level.shift for level in shape.table_levels])
        first = words[0]
        numbers = range(first, first + count * step, step)
        image = struct.pack(f"<{count}Q", *(number % (1 << 64) for number in numbers))
    else:  # little in a lot of nothing
        holes = bytearray(size)
        for word in words * 4:
            struct.pack_into("<Q", holes, rng.randrange(count) * 8, word)
        image = bytes(holes)
    if rng.random() < 0.1:
        return image[: rng.randrange(size)]
    # Mostly there is something behind it, so that the root at least can be read.
    return image.ljust(MOST_BYTES if rng.random() < 0.8 else 0, b"\0")


class Reader:
    """A memory that counts, and now and then lies."""

    def __init__(self, rng: random.Random, base: int, image: bytes) -> None:
        self.memory = Memory({base: image})
        self.short = rng.random() < 0.05
        self.descriptors = 0

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes, or too few of them."""
        self.descriptors += size // 8
        assert self.descriptors <= MOST_DESCRIPTORS
        found = self.memory.read(address, size)
        return found[:-1] if self.short else found


def agrees(shape: Geometry, root: int, reader: Reader, cpu: Cpu | None) -> None:
    """What was found is what a walk finds."""
    found: list[Mapping] = []
    try:
        for mapping in scan(shape, root, reader.read, cpu=cpu):
            found.append(mapping)  # noqa: PERF402 - what came before an error counts
    except s2.S2GeomError:
        pass
    reader.descriptors = 0
    for mapping in islice(found, 0, None, len(found) // 5 + 1):
        for offset in (0, mapping.size - 1):
            answer = walk(shape, root, mapping.ipa + offset, reader.read, cpu=cpu)
            if isinstance(answer, Translation):
                expected = (mapping.output_address + offset, mapping.level)

                assert expected == (answer.output_address, answer.level)
            else:
                assert answer.kind in {"access flag", "permission"}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_the_bytes(batch: int) -> None:
    """Scans and walks end, within bounds, in a result or in an error of ours."""
    for seed in range(batch * IMAGES, (batch + 1) * IMAGES):
        rng = random.Random(seed)  # noqa: S311 - nothing secret
        shape, cpu = rng.choice(SHAPES), rng.choice(CPUS)
        base = rng.choice([0, 1 << 16, 5 << 20, (1 << 40) - (1 << 16)])
        reader = Reader(rng, base, some_image(rng, shape, base))
        root = base + (rng.randrange(MOST_BYTES) if rng.random() < 0.1 else 0)

        agrees(shape, root, reader, cpu)
        for _ in range(5):
            ipa = rng.getrandbits(rng.randrange(1, 65))
            try:
                answer = walk(shape, root, ipa, reader.read, cpu=cpu)
            except s2.UnreadableInput:
                assert reader.short
            else:
                assert isinstance(answer, Translation | Fault)


@pytest.mark.parametrize("shape", SHAPES[:-1], ids=str)
@pytest.mark.parametrize("low", [0x403, 0x401, 0x402, 0x400])
def test_every_entry_leads_back(shape: Geometry, low: int) -> None:
    """The worst of images, at every start level: all words point at the table."""
    word = struct.pack("<Q", low)
    root_size = max(shape.pgd_size, shape.page_size)
    reader = Reader(random.Random(4), 0, word * (root_size // 8))  # noqa: S311
    reader.short = False
    layout = AddressLayout.of(shape)
    last = low == 0x403 and shape.start_level == 3

    if low == 0x403 and shape.levels > 2:
        with pytest.raises(s2.UnreadableInput, match="the tables are no tree"):
            list(scan(shape, 0, reader.read))
    elif last or (low == 0x401 and shape.start_level in shape.block_levels):
        expected = shape.pgd_entries
        address = layout.decode(low, shape.level(shape.start_level).shift)

        found = list(scan(shape, 0, reader.read))

        assert expected == len(found)
        assert {address} == {mapping.output_address for mapping in found}
    elif low != 0x403:
        assert not list(scan(shape, 0, reader.read))


def test_two_levels_that_lead_back_are_bounded_by_the_root() -> None:
    """Every entry of the root is the root: few or many, the count decides."""
    small = Geometry(Granule.K4, 25, 2)  # 16 entries, so 16 tables of 512 pages
    memory = Memory({0: struct.pack("<Q", 0x403) * 512})
    large = Geometry(Granule.K4, 30, 2)  # 512 of them

    assert len(list(scan(small, 0, memory.read))) == 16 * 512
    with pytest.raises(s2.UnreadableInput, match="65536 descriptors"):
        list(scan(large, 0, memory.read))
