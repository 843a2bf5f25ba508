# SPDX-License-Identifier: MIT
"""Images that mean harm: noise, loops, progressions, cut anywhere."""

import random
import struct

from s2geom import Cpu, Geometry, Granule

MOST_BYTES = 1 << 16

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
