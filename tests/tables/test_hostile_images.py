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
from hostile_images import CPUS, MOST_BYTES, SHAPES, some_image

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

# What a scan may ask for: an image of 64 KiB has 16 tables of 4K. Each may be above
# the last level and have each as its child, and 2**16 descriptors may be read again.
MOST_DESCRIPTORS = 16 * 16 * 512 + 16 * 512 + (1 << 16) + 8192


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
def test_random_images_end_in_a_result_or_an_error(batch: int) -> None:
    """Scans and walks of random images end within bounds."""
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
def test_tables_that_point_at_themselves_are_bounded(shape: Geometry, low: int) -> None:
    """At every start level, all words of a table point at the table."""
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


def test_a_root_that_points_at_itself_is_bounded_by_its_entries() -> None:
    """Every entry of the root is the root; the number of entries decides."""
    small = Geometry(Granule.K4, 25, 2)  # 16 entries, so 16 tables of 512 pages
    memory = Memory({0: struct.pack("<Q", 0x403) * 512})
    large = Geometry(Granule.K4, 30, 2)  # 512 of them

    assert len(list(scan(small, 0, memory.read))) == 16 * 512
    with pytest.raises(s2.UnreadableInput, match="65536 descriptors"):
        list(scan(large, 0, memory.read))
