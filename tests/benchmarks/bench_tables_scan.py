# SPDX-License-Identifier: MIT
"""What `scan`, `scan_columns` and `walk` cost, beside the plain loops they replace.

Run it by name, as nothing here is a test, for tables of pytest-benchmark or, as a
script, for a few ratios::

    pytest tests/benchmarks/bench_tables_scan.py --benchmark-columns=min,median,rounds
    python tests/benchmarks/bench_tables_scan.py

Each group is measured side by side, with the ratio to its quickest member in
parentheses: times of one machine compare with nothing else. The images are real bytes,
made before the clock starts.
"""

import random
import struct
from array import array
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest

from s2geom import (
    Geometry,
    Granule,
    Mapping,
    Memory,
    Translation,
    scan,
    scan_columns,
    walk,
)

SHAPE = Geometry(Granule.K4, 40, 1)
BASE = 0x1000_0000
PAGE = 0x7FF
TABLE = 0b11
ADDRESS = 0xFFFF_FFFF_F000

GIGABYTE = 1 << 30
Found = list[tuple[int, int, int, int]]


def image(pages: array) -> bytes:  # type: ignore[type-arg] # 3.11 has none at run time
    """Return PGD, level 2 and level 3 tables, one after the other, for page words."""
    last = -(-len(pages) // 512)
    second = -(-last // 512)
    first_second = BASE + 0x2000
    first_last = first_second + second * 0x1000
    pgd = array("Q", (first_second + at * 0x1000 | TABLE for at in range(second)))
    middle = array("Q", (first_last + at * 0x1000 | TABLE for at in range(last)))
    return (
        pgd.tobytes().ljust(0x2000, b"\0")
        + middle.tobytes().ljust(second * 0x1000, b"\0")
        + pages.tobytes()
    )


def whole(count: int, first: int) -> array:  # type: ignore[type-arg]
    """One contiguous piece."""
    return array("Q", range(first | PAGE, (first | PAGE) + count * 0x1000, 0x1000))


def pieces(count: int, sizes: list[int]) -> array:  # type: ignore[type-arg]
    """Contiguous runs of so many pages, all over memory."""
    rng = random.Random(0)  # noqa: S311 - nothing secret
    words = array("Q")
    while len(words) < count:
        words.extend(whole(rng.choice(sizes), rng.getrandbits(24) << 12))
    return words[:count]


RNG = random.Random(1)  # noqa: S311 - nothing secret


def permuted(count: int) -> array:  # type: ignore[type-arg]
    """Every page once, in any order."""
    frames = RNG.sample(range(count), count)
    return array("Q", (0x1_0000_0000 + (frame << 12) | PAGE for frame in frames))


def every_other(count: int) -> array:  # type: ignore[type-arg]
    """A page and a hole in turn."""
    words = whole(count, 0x1_0000_0000)
    words[1::2] = array("Q", bytes(8 * len(words[1::2])))
    return words


def mixed_attributes(count: int) -> array:  # type: ignore[type-arg]
    """One piece by its addresses, but of three kinds of memory in any order."""
    kinds = (0, 1 << 7, 0b10 << 53)
    return array("Q", (word ^ RNG.choice(kinds) for word in whole(count, 1 << 32)))


def ballooned(count: int) -> array:  # type: ignore[type-arg]
    """One piece, of which a guest has given back a page in forty."""
    words = whole(count, 1 << 32)
    for at in RNG.sample(range(count), count // 40):
        words[at] = 0
    return words


FRAGMENTED = {
    "permuted": permuted,
    "every other page": every_other,
    "mixed attributes": mixed_attributes,
    "ballooned": ballooned,
}
"""1 GiB each, for `scan_columns`."""

IMAGES: dict[str, tuple[int, Callable[[int], Any]]] = {
    "16 GiB in one piece": (16, lambda count: whole(count, 0x8000_0000)),
    "16 GiB, 4 KiB off a block": (16, lambda count: whole(count, 0x8000_1000)),
    "4 GiB in runs of 1 to 128 pages": (
        4,
        lambda count: pieces(count, [1, 4, 16, 64, 128]),
    ),
    "1 GiB of single pages": (1, lambda count: pieces(count, [1])),
    "4 GiB in runs of 512 pages": (4, lambda count: pieces(count, [512])),
}


@pytest.fixture(scope="module", params=IMAGES)
def tables(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    """One of the images, by its name."""
    gigabytes, words = IMAGES[request.param]
    return request.param, image(words(gigabytes * GIGABYTE >> 12))


def plain_loop(read: Callable[[int, int], bytes]) -> Found:
    """Visit every descriptor, as one writes it on a Friday; and merge what touches."""
    found: Found = []
    ipa = address = size = attributes = -1
    for first, top in enumerate(struct.unpack("<1024Q", read(BASE, 0x2000))):
        if top & 3 != TABLE:
            continue
        second = struct.unpack("<512Q", read(top & ADDRESS, 0x1000))
        for middle, word in enumerate(second):
            if word & 3 != TABLE:
                continue
            pages = struct.unpack("<512Q", read(word & ADDRESS, 0x1000))
            for last, page in enumerate(pages):
                if page & 3 != 3:
                    continue
                at = first << 30 | middle << 21 | last << 12
                to, same = page & ADDRESS, page & ~ADDRESS
                if at == ipa + size and to == address + size and same == attributes:
                    size += 0x1000
                    continue
                if size > 0:
                    found.append((ipa, address, size, attributes))
                ipa, address, size, attributes = at, to, 0x1000, same
    found.append((ipa, address, size, attributes))
    return found


def reading(read: Callable[[int, int], bytes], size: int) -> None:
    """Read the same bytes, table by table, and do nothing with them."""
    for address in range(BASE, BASE + size, 0x1000):
        read(address, 0x1000)


def test_scan(benchmark: Any, tables: tuple[str, bytes]) -> None:
    """Ours."""
    name, content = tables
    benchmark.group = f"scan of {name}"
    read = Memory({BASE: content}).read

    found: list[Mapping] = benchmark.pedantic(
        lambda: list(scan(SHAPE, BASE, read)), rounds=3, warmup_rounds=1
    )

    assert plain_loop(read) == [
        (at.ipa, at.output_address, at.size, int(at.attributes) | 3) for at in found
    ]


def test_plain_loop(benchmark: Any, tables: tuple[str, bytes]) -> None:
    """What one would write."""
    name, content = tables
    benchmark.group = f"scan of {name}"

    benchmark.pedantic(plain_loop, (Memory({BASE: content}).read,))


def test_reading(benchmark: Any, tables: tuple[str, bytes]) -> None:
    """The least that it can cost."""
    name, content = tables
    benchmark.group = f"scan of {name}"
    read = Memory({BASE: content}).read

    benchmark.pedantic(reading, (read, len(content)), rounds=5, warmup_rounds=1)


# One address

DEEP = Geometry(Granule.K4, 48, 0)
STEPS = ((0, 39), (1, 30), (2, 21), (3, 12))
IPA = 0x1234_5678_9ABC


def deep_image() -> bytes:
    """Four levels, one table each, that lead to one page."""
    content = bytearray(5 << 12)
    for level, shift in STEPS:
        at = (level << 12) + (IPA >> shift & 511) * 8
        word = 0x8000_0000 | PAGE if level == 3 else (level + 1 << 12) | TABLE
        struct.pack_into("<Q", content, at, word)
    return bytes(content)


def inlined(  # noqa: PLR0911
    root: int, ipa: int, read: Callable[[int, int], bytes]
) -> Any:
    """A walk of this shape alone, with the faults that a reader needs."""
    if ipa >> 48:
        return "translation", 0
    table = root
    for level, shift in STEPS:
        at = table + (ipa >> shift & 511) * 8
        word = int.from_bytes(read(at, 8), "little")
        if not word & 1:
            return "translation", level
        if level == 3 or not word & 2:
            if not word & 2 and level in {0, 3}:
                return "translation", level
            if not word & 1 << 10:
                return "access flag", level
            if not word & 1 << 6:
                return "permission", level
            return word & ADDRESS & -(1 << shift) | ipa & ((1 << shift) - 1), level
        table = word & ADDRESS
    return None


@pytest.mark.benchmark(group="walk of four levels")
def test_walk(benchmark: Any) -> None:
    """Ours."""
    read = Memory({0: deep_image()}).read

    found = benchmark(walk, DEEP, 0, IPA, read)

    assert isinstance(found, Translation)
    assert inlined(0, IPA, read) == (found.output_address, found.level)


@pytest.mark.benchmark(group="walk of four levels")
def test_inlined_walk(benchmark: Any) -> None:
    """What one would write for one shape."""
    read = Memory({0: deep_image()}).read

    assert benchmark(inlined, 0, IPA, read) == (0x8000_0ABC, 3)


# As a script


def best(*calls: Callable[[], object], rounds: int = 5) -> list[float]:
    """Return the shortest time of each call; they are called in turns."""
    times = [float("inf")] * len(calls)
    for _ in range(rounds):
        for at, call in enumerate(calls):
            start = process_time()
            result = call()
            times[at] = min(times[at], process_time() - start)
            del result  # not in the time of the next one
    return times


def main() -> None:
    """Print how much faster columns are than a plain loop, and than `scan`."""
    print(f"{'1 GiB':20} {'loop / columns':>15} {'scan / columns':>15}")  # noqa: T201
    for name, words in FRAGMENTED.items():
        read = Memory({BASE: image(words(GIGABYTE >> 12))}).read
        loop, scanned, columns = best(
            lambda: plain_loop(read),  # noqa: B023
            lambda: list(scan(SHAPE, BASE, read)),  # noqa: B023
            lambda: scan_columns(SHAPE, BASE, read),  # noqa: B023
        )
        print(f"{name:20} {loop / columns:15.2f} {scanned / columns:15.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
