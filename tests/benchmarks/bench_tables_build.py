# SPDX-License-Identifier: MIT
"""What `TableBuilder` and `footprint` cost, beside the plain loops that they replace.

A time depends on the machine, a ratio much less so. Nothing here fails for being slow.
Run it as ``python tests/benchmarks/bench_tables_build.py`` for a table of the ratios,
or with ``python -m pytest`` before the same path for pytest-benchmark's own. Whatever
builds ends with images: real bytes, each table by its address.
"""

import struct
from array import array
from collections.abc import Callable
from time import process_time
from typing import Any, NamedTuple

import pytest

from s2geom import Attributes, Footprint, Geometry, TableBuilder, footprint
from s2geom.build.tree import NEXT, Draft, Tree

MIB, GIB, PIB = 1 << 20, 1 << 30, 1 << 50
BASE = 0x8000_0000
PAGE = 0x7FF
TABLE = 0b11

Images = dict[int, bytes]


class Case(NamedTuple):
    """A range from IPA 0, to be mapped by pages alone, whole tables of them."""

    geometry: Geometry
    size: int
    pa: int


CASES = {
    "16 GiB of 4K pages": Case(Geometry(12, 40, 1), 16 * GIB, 1 << 36),
    "16 GiB of 4K pages, one page off": Case(
        Geometry(12, 40, 1), 16 * GIB, (1 << 36) + 4096
    ),
    "64 GiB of 16K pages": Case(Geometry(14, 40, 2), 64 * GIB, 1 << 36),
    "256 GiB of 64K pages": Case(Geometry(16, 40, 2), 256 * GIB, 1 << 38),
}
"""Four million descriptors each."""


def ours(case: Case) -> Images:
    """The builder."""
    tables = TableBuilder(case.geometry, BASE)
    tables.map(0, case.pa, case.size, blocks=False)
    return tables.images()


def entry_by_entry(case: Case) -> Images:
    """Put each descriptor into its table, as one writes it on a Friday."""
    shape = case.geometry
    tables = [bytearray(shape.page_size) for _ in range(whole_tables(case))]
    shift, stride, mask = shape.page_shift, shape.stride, (1 << shape.stride) - 1
    for page in range(case.size >> shift):
        word = case.pa + (page << shift) | PAGE
        struct.pack_into("<Q", tables[page >> stride], 8 * (page & mask), word)
    return linked(shape, [bytes(table) for table in tables])


def table_by_table(case: Case) -> Images:
    """Let `array` and `range` do it, as one writes it on a Monday."""
    shape = case.geometry
    covers = shape.page_size << shape.stride
    words = case.pa | PAGE
    return linked(
        shape,
        [
            array("Q", range(at, at + covers, shape.page_size)).tobytes()
            for at in range(words, words + case.size, covers)
        ],
    )


def copies(case: Case) -> Images:
    """Copy bytes of as many tables, and be wrong: the least that it can cost."""
    size = case.geometry.page_size
    image = bytes(range(256)) * (2 * size // 256)
    return linked(
        case.geometry, [image[at : at + size] for at in range(whole_tables(case))]
    )


def whole_tables(case: Case) -> int:
    """Return how many tables of pages it takes."""
    return case.size >> case.geometry.page_shift + case.geometry.stride


def linked(shape: Geometry, tables: list[bytes]) -> Images:
    """Return the images of tables of pages and of the few tables above them."""
    images: Images = {}
    page = shape.page_size
    address = -(-(BASE + shape.pgd_size) // page) * page
    for _ in range(shape.levels - 1):
        links = [address + at * page | TABLE for at in range(len(tables))]
        images.update(zip(range(address, 1 << 48, page), tables, strict=False))
        address += len(tables) * page
        groups = range(0, len(links), 1 << shape.stride)
        parts = [links[at : at + (1 << shape.stride)] for at in groups]
        tables = [struct.pack(f"<{len(part)}Q", *part) for part in parts]
        tables = [table.ljust(page, b"\0") for table in tables]
    return {
        BASE: b"".join(tables)[: shape.pgd_size].ljust(shape.pgd_size, b"\0")
    } | images


BUILDERS = (ours, entry_by_entry, table_by_table, copies)


@pytest.mark.parametrize("name", CASES)
def test_all_of_them_build_the_same(name: str) -> None:
    """All ways that are compared build the same tables."""
    case = CASES[name]

    assert entry_by_entry(case) == table_by_table(case) == ours(case)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("name", CASES)
def test_build(benchmark: Any, name: str, build: Callable[[Case], Images]) -> None:
    """From nothing to images."""
    benchmark.group = f"build {name}"
    rounds = 2 if build is entry_by_entry else 5

    benchmark.pedantic(build, (CASES[name],), rounds=rounds, warmup_rounds=1)


# What changes what is there


def mapped(case: Case) -> tuple[tuple[TableBuilder], dict[str, Any]]:
    """Return a builder with everything mapped, as pytest-benchmark's setup does."""
    tables = TableBuilder(case.geometry, BASE)
    tables.map(0, case.pa, case.size, blocks=False)
    return (tables,), {}


def protect(tables: TableBuilder) -> Images:
    """Make everything read-only."""
    tables.protect(0, 16 * GIB, attributes=Attributes(s2ap=1))
    return tables.images()


def unmap(tables: TableBuilder) -> Images:
    """Forget everything."""
    tables.unmap(0, 16 * GIB)
    return tables.images()


@pytest.mark.parametrize("change", [protect, unmap])
@pytest.mark.benchmark(group="change 16 GiB of 4K pages")
def test_change(benchmark: Any, change: Callable[[TableBuilder], Images]) -> None:
    """Every leaf changes."""
    case = CASES["16 GiB of 4K pages"]

    benchmark.pedantic(change, setup=lambda: mapped(case), rounds=3)


# What is only counted


def weigh(size: int) -> Footprint:
    """Count the tables of one range that is a page off everything."""
    shape = Geometry(12, 52, 0, lpa2=True)
    return footprint(shape, [(GIB - 4096, size)], leaf=2 * MIB)


@pytest.mark.parametrize("size", [MIB, GIB, PIB])
@pytest.mark.benchmark(group="footprint of 1 MiB, 1 GiB, 1 PiB")
def test_footprint(benchmark: Any, size: int) -> None:
    """It is in closed form, whatever the size."""
    weight: Footprint = benchmark(weigh, size)

    assert size == weight.mapped


# Single changes


SCATTERED = [(at << 12, (at * 7919 % 100_000) << 12, 4096) for at in range(16_000)]
"""Pages of which no two touch in their output addresses."""


def plain_bytearrays() -> dict[int, bytearray]:
    """Put each scattered page into a table, without a check or a table above."""
    tables: dict[int, bytearray] = {}
    for ipa, pa, _ in SCATTERED:
        table = tables.get(ipa >> 21)
        if table is None:
            table = tables[ipa >> 21] = bytearray(4096)
        struct.pack_into("<Q", table, (ipa >> 12 & 511) * 8, pa | PAGE)
    return tables


def all_scattered() -> TableBuilder:
    """Map them by one call."""
    tables = TableBuilder(Geometry(12, 40, 1), BASE)
    tables.map_all(SCATTERED)
    return tables


class InPlace(Draft):
    """A change of the tables themselves: what all or nothing would cost without."""

    __slots__ = ()

    def _open(self, address: int) -> bytearray:
        table = self._table(address)
        if isinstance(table, bytes):
            table = bytearray(table)
        self.tree.state[address] = self.new[address] = table
        return table


def in_place(tables: TableBuilder) -> None:
    """Let a builder change its tables in place."""
    tree = tables._tree  # noqa: SLF001

    class PlainTree(Tree):
        __slots__ = ()

        def draft(self) -> Draft:
            return InPlace(self, self.state[NEXT])

    tables._tree = PlainTree(tree.geometry, tree.layout, tree.root, tree.record)  # noqa: SLF001


def mapped_and_unmapped(geometry: Geometry, size: int, *, plain: bool) -> Any:
    """Return what maps and unmaps 50 ranges, in tables that stay."""
    tables = TableBuilder(geometry, 1 << 36)
    if plain:
        in_place(tables)
    tables.map(51 * size, 0, size)

    def change() -> None:
        for at in range(50):
            tables.map(at * size, at * size, size)
        for at in range(50):
            tables.unmap(at * size, size)

    return change


def unmapped_from(count: int) -> float:
    """Return the seconds of unmapping one of so many single pages."""
    tables = TableBuilder(Geometry(12, 40, 1), BASE)
    tables.map_all(
        (at * 7 << 12, (at * 7919 % 100_000) << 12, 4096) for at in range(count)
    )
    start = process_time()
    for at in range(300):
        tables.unmap(at * 7 << 12, 4096)
    return (process_time() - start) / 300


def mapped_singly(count: int) -> float:
    """Return the seconds of mapping one page."""
    tables = TableBuilder(Geometry(12, 40, 1), BASE)
    start = process_time()
    for at in range(count):
        tables.map(at * 7 << 12, (at * 7919 % 100_000) << 12, 4096)
    return (process_time() - start) / count


def splits(geometry: Geometry) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return `Geometry.split` and bare shifts, for the same addresses."""
    addresses = range(0, geometry.ipa_size, geometry.ipa_size // 1000 + 12_345)
    top, middle, last = (level.shift for level in geometry.table_levels)
    table, mask, page = top + geometry.stride, (1 << geometry.stride) - 1, last

    def bare(ipa: int) -> tuple[int, tuple[int, int, int], int]:
        indices = (ipa >> top & mask, ipa >> middle & mask, ipa >> last & mask)
        return ipa >> table, indices, ipa & (1 << page) - 1

    return (
        lambda: [geometry.split(ipa) for ipa in addresses],
        lambda: [bare(ipa) for ipa in addresses],
    )


# As a script


def changes() -> None:
    """Print what single changes cost."""
    k4, k64 = Geometry(12, 40, 1), Geometry(16, 46, 2)  # the PGD of k64 has 1 MiB
    report = "{:58} {:14.2f}"
    times = ratio(plain_bytearrays, all_scattered, 7)
    print(report.format("map_all of scattered pages / bytearrays", times))  # noqa: T201
    for name, geometry, size in (
        ("a page", k4, 4096),
        ("a block in a PGD of 1 MiB", k64, 1 << 29),
    ):
        plain, ours = (
            mapped_and_unmapped(geometry, size, plain=value) for value in (True, False)
        )
        label = f"map and unmap {name}: all or nothing / in place"
        print(report.format(label, ratio(plain, ours, 15)))  # noqa: T201
    few, many = (min(unmapped_from(n) for _ in range(5)) for n in (500, 4000))
    one = min(mapped_singly(500) for _ in range(5))
    print(report.format("unmap of a page / map of a page", few / one))  # noqa: T201
    print(report.format("unmap with 4,000 pages / with 500", many / few))  # noqa: T201
    ours, bare = splits(k4)
    print(report.format("Geometry.split / bare shifts", ratio(bare, ours, 30)))  # noqa: T201


def ratio(
    measured: Callable[[], object], reference: Callable[[], object], rounds: int
) -> float:
    """Return how much longer a reference takes, at its best and in turns."""
    best = [float("inf")] * 2
    for _ in range(rounds):
        for at, run in enumerate((measured, reference)):
            start = process_time()
            result = run()
            best[at] = min(best[at], process_time() - start)
            del result  # not in the time of the next one
    return best[1] / best[0]


def main() -> None:
    """Print the ratios."""
    print(f"{'best of runs in turns':58} {'times as quick':>14}")  # noqa: T201
    for name, case in CASES.items():
        for other in (entry_by_entry, table_by_table, copies):
            times = ratio(lambda: ours(case), lambda: other(case), 4)  # noqa: B023
            label = f"{name} / {other.__name__.replace('_', ' ')}"
            print(f"{label:58} {times:14.2f}")  # noqa: T201
    changes()
    times = ratio(lambda: weigh(PIB), lambda: weigh(MIB), 300)
    print(f"{'footprint of 1 PiB / of 1 MiB':58} {times:14.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
