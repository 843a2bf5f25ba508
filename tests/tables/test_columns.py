# SPDX-License-Identifier: MIT
"""`scan_columns`: the mappings of `scan`, as arrays."""

import pickle
import random
import struct
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hostile_images import CPUS, SHAPES, some_image
from hypothesis import given

import s2geom as s2
from s2geom import Attributes, Columns, Geometry, Memory, scan, scan_columns
from s2geom.strategies import table_images

SHAPE = Geometry(12, 39, 1)
ROOT, SECOND, FIRST_LAST = 0x1000, 0x2000, 0x10_0000
PAGE = int(Attributes()) | 0b11
READ_ONLY = int(Attributes(s2ap=1)) | 0b11


def tables(*last: list[int], second: list[int] | None = None) -> Memory:
    """Return tables of the last level side by side, and those above them."""
    links = [FIRST_LAST + 0x1000 * index | 0b11 for index in range(len(last))]
    contents = [links if second is None else second, *last]
    return Memory(
        {
            ROOT: struct.pack("<512Q", SECOND | 0b11, *[0] * 511),
            SECOND: struct.pack("<512Q", *contents[0], *[0] * (512 - len(contents[0]))),
            FIRST_LAST: b"".join(struct.pack("<512Q", *words) for words in last),
        }
    )


def pages(of: Callable[[int], int], count: int = 512) -> list[int]:
    """Return as many words, each made of its index."""
    return [of(index) for index in range(count)]


rng = random.Random(5)  # noqa: S311 - nothing secret
SOMEWHERE = pages(lambda _: rng.getrandbits(28) << 12 | PAGE, 1024)
ONE_PIECE = pages(lambda index: index << 12 | PAGE, 1024)
CASES = {
    "nothing": tables([0] * 512),
    "one piece over two tables": tables(ONE_PIECE[:512], ONE_PIECE[512:]),
    "no two together": tables(SOMEWHERE[:512], SOMEWHERE[512:]),
    "every other page": tables(
        pages(lambda at: (at % 2) * (at << 12 | PAGE)),
        pages(lambda at: (1 - at % 2) * (512 + at << 12 | PAGE)),
    ),
    "pairs": tables(pages(lambda at: (at // 2 * 5 + at % 2) << 12 | PAGE)),
    "a few runs": tables([*ONE_PIECE[:200], 0, 0, *ONE_PIECE[300:609], 0]),
    "two kinds of attributes": tables(
        pages(lambda at: at << 12 | (PAGE if at % 3 else READ_ONLY)),
        pages(lambda at: 512 + at << 12 | (PAGE if at % 3 else READ_ONLY)),
    ),
    "a piece that goes on in a table of fragments": tables(
        ONE_PIECE[:512], [*ONE_PIECE[512:700], *SOMEWHERE[:324]]
    ),
    "fragments that go on in a piece": tables(
        [*SOMEWHERE[:324], *ONE_PIECE[:188]], ONE_PIECE[188:700]
    ),
    "invalid words that are not zero": tables(
        pages(lambda at: 0b10 if at % 2 else at << 14 | PAGE)
    ),
    "invalid words alone": tables([0b10] * 512),
    "blocks that do not touch": tables(
        second=pages(lambda at: (at * 7 % 512) << 21 | PAGE & ~0b10)
    ),
    "blocks and links": tables(
        SOMEWHERE[:512],
        second=[FIRST_LAST | 0b11, *pages(lambda at: (at * 3) << 21 | PAGE - 2, 511)],
    ),
    "no leaves at a level that links": tables(second=[0b10] * 512),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("part", [None, (0x1234, 0x3F_0567), (0x80_0000, 0x80_0001)])
def test_columns_are_what_scan_yields(name: str, part: tuple[int, int] | None) -> None:
    """The same mappings in the same order, for the whole space and for a range."""
    read = CASES[name].read

    assert list(scan(SHAPE, ROOT, read, part)) == list(
        scan_columns(SHAPE, ROOT, read, part)
    )


def outcome(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return the mappings of a call, or the error of ours that it ends in."""
    try:
        return list(call(*arguments, **options))
    except s2.S2GeomError as error:
        return type(error), str(error)


@pytest.mark.parametrize("seed", range(8))
def test_columns_of_hostile_images_are_what_scan_yields(seed: int) -> None:
    """The same mappings and errors, for any shape, CPU and range."""
    for number in range(40):
        some = random.Random(f"{seed} {number}")  # noqa: S311
        shape, cpu = some.choice(SHAPES), some.choice(CPUS)
        base = some.choice([0, 1 << 16, 5 << 20])
        read = Memory({base: some_image(some, shape, base)}).read
        part = None
        if some.random() < 0.5:
            start = some.randrange(1 << 20) % shape.ipa_size
            size = some.randrange(1 << some.randrange(40))
            part = start, min(shape.ipa_size, start + size)
        options: Any = {"cpu": cpu}
        if some.random() < 0.5:
            options["unreadable"] = lambda *_: None

        arguments = shape, base, read, part

        assert outcome(scan, *arguments, **options) == outcome(
            scan_columns, *arguments, **options
        )


@given(image=table_images())
def test_columns_of_built_tables_are_what_scan_yields(image: Any) -> None:
    """With VTCR_EL2, so that LPA2 leaves have a shareability."""
    vtcr = image.builder().vtcr()
    arguments = image.geometry, image.root, image.memory.read

    assert list(scan(*arguments, vtcr=vtcr)) == list(
        scan_columns(*arguments, vtcr=vtcr)
    )


def fragments() -> Columns:
    """Return 512 mappings, one of a page each."""
    return scan_columns(SHAPE, ROOT, tables(SOMEWHERE[:512]).read, fwb=True)


def test_columns_are_a_sequence_of_mappings() -> None:
    """They have length, iteration, items, slices and membership."""
    columns = fragments()
    first = s2.Mapping(0, SOMEWHERE[0] - PAGE, 4096, Attributes(), 3)

    assert (512, first, first) == (len(columns), columns[0], next(iter(columns)))
    assert columns[-1] == list(columns)[-1]
    assert columns[0].fwb is columns[:1].fwb is True
    assert first in columns
    assert Columns is type(columns[10:20:3])
    assert list(columns)[10:20:3] == list(columns[10:20:3])
    with pytest.raises(IndexError):
        columns[512]
    assert repr(columns) == "<Columns of 512 mappings>"


def test_columns_are_equal_by_content_and_unhashable() -> None:
    """The arrays are compared, and for LPA2 leaves the shareability."""
    columns = fragments()
    wide = Geometry(12, 40, 1, lpa2=True)
    built = s2.TableBuilder(wide, 0)
    built.map(0, 0, 4096)
    read = Memory(built.images()).read

    assert fragments() == columns
    assert columns[:5] != columns
    assert columns != list(columns)
    assert columns == pickle.loads(pickle.dumps(columns))  # noqa: S301
    assert scan_columns(wide, 0, read) != scan_columns(wide, 0, read, vtcr=built.vtcr())
    with pytest.raises(TypeError, match="unhashable"):
        hash(columns)


def test_numpy_and_pandas_take_columns() -> None:
    """By name, 64-bit integers and bytes for the level; numpy shares the memory."""
    columns = fragments()
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(columns.to_dict())
    view = np.asarray(columns.ipa)

    assert ["Q", "Q", "Q", "Q", "b"] == [
        column.typecode for column in columns.to_dict().values()
    ]
    assert isinstance(columns.size, array)
    assert ["ipa", "output_address", "size", "bits", "level"] == list(frame.columns)
    assert [mapping.ipa for mapping in columns] == list(frame["ipa"])
    assert {PAGE & ~0b11} == set(frame["bits"])
    columns.ipa[0] = 7
    assert view[0] == 7


def test_at_output_finds_the_mappings_of_a_frame() -> None:
    """It returns all mappings whose output addresses include the frame."""
    words = [0x5000 | PAGE, 0x9000 | PAGE, 0x5000 | READ_ONLY] + [0] * 509
    columns = scan_columns(SHAPE, ROOT, tables(words).read)

    assert (columns[0], columns[2]) == columns.at_output(0x5FFF)
    assert (columns[1],) == columns.at_output(0x9000)
    assert () == columns.at_output(0xA000)
    with pytest.raises(s2.InvalidArgument, match="address must be 0"):
        columns.at_output(-1)


def test_progress_is_called_as_by_scan() -> None:
    """`progress` gets the same calls."""
    ours: list[tuple[int, int]] = []
    theirs: list[tuple[int, int]] = []
    read = CASES["no two together"].read
    scan_columns(SHAPE, ROOT, read, progress=lambda *done: ours.append(done))
    list(scan(SHAPE, ROOT, read, progress=lambda *done: theirs.append(done)))

    assert theirs == ours
    assert ours[-1] == (1 << 39, 1 << 39)
