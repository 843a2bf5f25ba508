# SPDX-License-Identifier: MIT
"""The shape of a table tree: numbers checked by hand, and hostile input."""

import json
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from s2geom import Choices, Cpu, Geometry, Granule, InvalidArgument, IpaIndex, Level

FOUR = Geometry(Granule.K4, 40, 1)
SIXTEEN = Geometry(Granule.K16, 40, 2)
SIXTY_FOUR = Geometry(Granule.K64, 46, 2)
TOO_HIGH = Geometry(Granule.K4, 30, 0)
"""One entry of its start level maps 512 GiB, and the IPA space has 1 GiB."""


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            SIXTEEN,
            {
                "page_shift": 14,
                "page_size": 16384,
                "stride": 11,
                "levels": 2,
                "pgdir_shift": 25,
                "pgdir_size": 32 << 20,
                "pgdir_mask": 0xFFFF_FFFF_FE00_0000,
                "pgd_entries": 32768,
                "concatenation": 16,
                "pgd_size": 262144,
                "pgd_alignment": 262144,
                "pgd_pages": 16,
                "min_cache_pages": 1,
                "t0sz": 24,
                "ipa_size": 1 << 40,
                "block_levels": {2},
                "paging_form": (14, 11, 15),
            },
        ),
        (
            FOUR,
            {
                "page_shift": 12,
                "page_size": 4096,
                "stride": 9,
                "levels": 3,
                "pgdir_shift": 30,
                "pgdir_size": 1 << 30,
                "pgdir_mask": 0xFFFF_FFFF_C000_0000,
                "pgd_entries": 1024,
                "concatenation": 2,
                "pgd_size": 8192,
                "pgd_alignment": 8192,
                "pgd_pages": 2,
                "min_cache_pages": 2,
                "t0sz": 24,
                "ipa_size": 1 << 40,
                "block_levels": {1, 2},
                "paging_form": (12, 9, 9, 10),
            },
        ),
        (
            Geometry(Granule.K64, 40, 2),
            {
                "pgd_entries": 2048,
                "concatenation": 1,
                "pgd_size": 16384,
                "pgd_alignment": 16384,
                "pgd_pages": 1,
                "paging_form": (16, 13, 11),
            },
        ),
        (
            SIXTY_FOUR,
            {
                "pgd_entries": 131072,
                "concatenation": 16,
                "pgd_size": 1 << 20,
                "pgd_alignment": 1 << 20,
                "pgd_pages": 16,
            },
        ),
        (
            Geometry(Granule.K4, 52, 0, lpa2=True),
            {
                "levels": 4,
                "concatenation": 16,
                "pgd_size": 65536,
                "block_levels": {0, 1, 2},
                "t0sz": 12,
            },
        ),
        (
            Geometry(Granule.K4, 52, -1, lpa2=True),
            {
                "levels": 5,
                "min_cache_pages": 4,
                "pgdir_shift": 48,
                "pgd_entries": 16,
                "concatenation": 1,
                "pgd_size": 128,
                "paging_form": (12, 9, 9, 9, 9, 4),
            },
        ),
        (
            TOO_HIGH,
            {
                "levels": 4,
                "pgd_entries": 1,
                "concatenation": 1,
                "pgd_size": 8,
                "pgd_pages": 1,
                "paging_form": (12, 9, 9, 9, 0),
            },
        ),
        (
            Geometry(Granule.K64, 33, 3),
            {
                "levels": 1,
                "min_cache_pages": 0,
                "concatenation": 16,
                "block_levels": set(),
                "paging_form": (16, 17),
            },
        ),
        (
            Geometry(Granule.K4, 64, 3),
            {"t0sz": 0, "pgd_entries": 1 << 52, "concatenation": 1 << 43},
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Geometry) else "",
)
def test_what_follows_from_a_shape(shape: Geometry, expected: dict[str, Any]) -> None:
    """Each derived number, for shapes that KVM uses and some that nobody does."""
    assert expected == {name: getattr(shape, name) for name in expected}


def test_a_granule_may_be_given_by_its_page_shift() -> None:
    """A page shift is stored as the granule."""
    shape = Geometry(14, 40, 2)

    assert SIXTEEN == shape
    assert Granule.K16 is shape.granule


@pytest.mark.parametrize(
    ("size", "alignment", "shape"),
    [
        (32, 32, Geometry(Granule.K4, 32, 1)),
        (32, 64, Geometry(Granule.K4, 32, 1, lpa2=True)),
        (16, 16, Geometry(Granule.K16, 37, 1)),
        (16, 64, Geometry(Granule.K16, 37, 1, lpa2=True)),
        (256, 256, Geometry(Granule.K16, 52, 0, lpa2=True)),
        (16, 16, Geometry(Granule.K4, 49, -1)),
        (8, 8, Geometry(Granule.K64, 47, 0)),
        (8, 8, Geometry(Granule.K64, 48, 0)),
        (8, 64, Geometry(Granule.K64, 49, 0)),
        (8192, 8192, Geometry(Granule.K64, 52, 1)),
    ],
    ids=str,
)
def test_a_small_table_base_has_a_floor_of_64_bytes(
    size: int, alignment: int, shape: Geometry
) -> None:
    """Where the base holds 52-bit addresses: with LPA2, and for 64K above 48 bits."""
    assert (size, alignment) == (shape.pgd_size, shape.pgd_alignment)


@pytest.mark.parametrize(
    ("levels", "shape"),
    [
        ({1, 2}, Geometry(Granule.K4, 48, 0)),
        ({0, 1, 2}, Geometry(Granule.K4, 48, 0, lpa2=True)),
        ({0, 1, 2}, Geometry(Granule.K4, 48, -1, lpa2=True)),
        ({2}, Geometry(Granule.K16, 48, 0)),
        ({1, 2}, Geometry(Granule.K16, 48, 0, lpa2=True)),
        ({2}, Geometry(Granule.K64, 47, 1)),
        ({2}, Geometry(Granule.K64, 48, 1)),
        ({1, 2}, Geometry(Granule.K64, 49, 1)),
        ({2}, Geometry(Granule.K64, 48, 1, lpa2=True)),
        ({2}, Geometry(Granule.K64, 52, 2)),
        (set(), Geometry(Granule.K16, 36, 3)),
    ],
    ids=str,
)
def test_levels_with_blocks(levels: set[int], shape: Geometry) -> None:
    """The top block level needs 52-bit addresses, and no level above the start."""
    assert levels == shape.block_levels
    assert levels == {
        level.number for level in shape.table_levels if level.leaf == "block"
    }


def test_the_levels_of_4k_at_40_bits() -> None:
    """1 GiB and 2 MiB blocks, 16 to a contiguous group; two tables at the start."""
    assert (
        Level(number=1, shift=30, index_bits=10, tables=2, leaf="block", contiguous=16),
        Level(number=2, shift=21, index_bits=9, tables=1, leaf="block", contiguous=16),
        Level(number=3, shift=12, index_bits=9, tables=1, leaf="page", contiguous=16),
    ) == FOUR.table_levels
    assert (1024, 1 << 30) == (FOUR.level(1).entries, FOUR.level(1).entry_size)
    assert (512, 1 << 12) == (FOUR.level(3).entries, FOUR.level(3).entry_size)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        (Geometry(Granule.K4, 48, 0, lpa2=True), (0, 16, 16, 16)),
        (Geometry(Granule.K16, 48, 0, lpa2=True), (0, 0, 32, 128)),
        (Geometry(Granule.K64, 52, 1), (0, 32, 32)),
        (Geometry(Granule.K64, 34, 2), (32, 32)),
        (Geometry(Granule.K64, 33, 2), (0, 32)),
        (Geometry(Granule.K4, 33, 1), (0, 16, 16)),
        (Geometry(Granule.K4, 34, 1), (16, 16, 16)),
    ],
    ids=str,
)
def test_contiguous_groups(shape: Geometry, groups: tuple[int, ...]) -> None:
    """Entries in a group; none where a group is wider than the IPA space."""
    assert groups == tuple(level.contiguous for level in shape.table_levels)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (
            "page_shift must be 12 (4K), 14 (16K) or 16 (64K), got 13",
            (13, 40, 1),
        ),
        ("ipa_bits must be 1..64, got 0", (12, 0, 1)),
        ("ipa_bits must be 1..64, got 65", (12, 65, 1)),
        ("ipa_bits must be 1..64, got -40", (12, -40, 1)),
        ("start_level must be -1..3, got -2", (12, 40, -2)),
        ("start_level must be -1..3, got 4", (12, 40, 4)),
    ],
    ids=["13", "0", "65", "-40", "-2", "4"],
)
def test_a_shape_without_meaning_is_refused(
    message: str, arguments: tuple[Any, ...]
) -> None:
    """The message gives the range."""
    with pytest.raises(InvalidArgument) as caught:
        Geometry(*arguments)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (
            (
                "page_shift must be an integer, got '4K' (str); Granule.parse('4K') "
                "reads a page size"
            ),
            ("4K", 40, 1),
        ),
        ("ipa_bits must be an integer, got 40.0 (float)", (12, 40.0, 1)),
        ("start_level must be an integer, got True (bool)", (12, 40, True)),
        ("lpa2 must be a bool, got 1 (int)", (12, 40, 1, 1)),
        ("lpa2 must be a bool, got None (NoneType)", (12, 40, 1, None)),
    ],
    ids=["granule", "ipa", "start", "lpa2=1", "lpa2=None"],
)
def test_a_shape_of_wrong_types_is_a_type_error(
    message: str, arguments: tuple[Any, ...]
) -> None:
    """The message names the argument, the value and its type."""
    with pytest.raises(TypeError) as caught:
        Geometry(*arguments)

    assert message == str(caught.value)


@pytest.mark.parametrize("number", [-1, 0, 4, 1 << 70])
def test_a_level_that_the_tree_lacks(number: int) -> None:
    """The message gives the levels that there are."""
    with pytest.raises(InvalidArgument) as caught:
        FOUR.level(number)

    assert f"level must be 1..3, got {number}" == str(caught.value)


class TestSplit:
    """Addresses in and out."""

    @pytest.mark.parametrize(
        ("shape", "ipa", "table", "indices", "offset"),
        [
            (FOUR, 0, 0, (0, 0, 0), 0),
            (FOUR, 0xFF_FFFF_F000, 1, (511, 511, 511), 0),
            (FOUR, 0x7F_FFFF_FFFF, 0, (511, 511, 511), 0xFFF),
            (FOUR, 0x80_0000_0000, 1, (0, 0, 0), 0),
            (FOUR, 0x4020_1234, 0, (1, 1, 1), 0x234),
            (SIXTEEN, 0x70_0000_0000, 7, (0, 0), 0),
            (SIXTEEN, 0xFF_FFFF_FFFF, 15, (2047, 2047), 0x3FFF),
            (SIXTY_FOUR, (1 << 46) - 1, 15, (8191, 8191), 0xFFFF),
            (TOO_HIGH, (1 << 30) - 1, 0, (0, 0, 511, 511), 0xFFF),
            (Geometry(Granule.K4, 5, 3), 31, 0, (0,), 31),
        ],
        ids=lambda value: f"{value:#x}" if type(value) is int else "",
    )
    def test_by_hand(
        self,
        shape: Geometry,
        ipa: int,
        table: int,
        indices: tuple[int, ...],
        offset: int,
    ) -> None:
        """The table of the PGD, the index at each level, the offset."""
        index = shape.split(ipa)

        assert IpaIndex(shape, table, indices, offset) == index
        assert ipa == index.ipa == shape.join(index)

    def test_the_index_into_the_whole_pgd(self) -> None:
        """All concatenated tables counted as one."""
        assert 7 * 2048 + 5 == SIXTEEN.split((7 * 2048 + 5) << 25).pgd_index

    @pytest.mark.parametrize(
        ("ipa", "got"),
        [(1 << 40, "0x10000000000"), (-1, "-0x1"), (1 << 64, "0x10000000000000000")],
        ids=["end", "negative", "far"],
    )
    def test_outside_the_ipa_space(self, ipa: int, got: str) -> None:
        """The message gives the width and both ends."""
        with pytest.raises(InvalidArgument) as caught:
            FOUR.split(ipa)

        assert (
            f"ipa must be inside the 40-bit IPA space, 0..0xffffffffff, got {got}"
            == str(caught.value)
        )

    @pytest.mark.parametrize("ipa", [None, 0.0, "0x1000", False])
    def test_an_address_is_an_integer(self, ipa: Any) -> None:
        """The message repeats what was given."""
        with pytest.raises(TypeError, match="ipa must be an integer"):
            FOUR.split(ipa)

    def test_join_takes_its_own_indices_alone(self) -> None:
        """The same numbers mean another address in another shape."""
        with pytest.raises(InvalidArgument) as caught:
            FOUR.join(SIXTEEN.split(0))

        assert f"index is of {SIXTEEN!r}, not of {FOUR!r}" == str(caught.value)

    def test_join_takes_the_indices_of_an_equal_shape(self) -> None:
        """It need not be the very object that took the address apart."""
        twin = Geometry.from_dict(FOUR.to_dict())

        assert 0x1234_5678 == twin.join(FOUR.split(0x1234_5678))

    @pytest.mark.parametrize("index", [None, 0, (0, (0, 0, 0), 0)], ids=repr)
    def test_join_takes_an_index(self, index: Any) -> None:
        """`join` refuses what is no `IpaIndex`, however much it looks like one."""
        with pytest.raises(TypeError) as caught:
            FOUR.join(index)

        assert f"index must be an IpaIndex, got {index!r}" == str(caught.value)


class TestIpaIndex:
    """An index that somebody made up."""

    @pytest.mark.parametrize(
        ("message", "parts"),
        [
            ("table must be 0..1, got 2", (FOUR, 2, (0, 0, 0), 0)),
            ("table must be 0..1, got -1", (FOUR, -1, (0, 0, 0), 0)),
            ("offset must be 0..4095, got 4096", (FOUR, 0, (0, 0, 0), 4096)),
            ("offset must be 0..4095, got -1", (FOUR, 0, (0, 0, 0), -1)),
            ("index must be 0..511, got 512", (FOUR, 0, (512, 0, 0), 0)),
            ("index must be 0..511, got 513", (FOUR, 0, (0, 513, 0), 0)),
            ("index must be 0..511, got -1", (FOUR, 0, (0, 0, -1), 0)),
            (
                "indices must be 3 numbers, one a level, got 2",
                (FOUR, 0, (0, 0), 0),
            ),
            (
                "indices must be 3 numbers, one a level, got 0",
                (FOUR, 0, (), 0),
            ),
            (
                "indices must be 3 numbers, one a level, got 4",
                (FOUR, 0, (0, 0, 0, 0), 0),
            ),
            (
                "index must be 0..2047, got 2048",
                (Geometry(Granule.K64, 40, 2), 0, (2048, 0), 0),
            ),
            ("index must be 0..0, got 1", (TOO_HIGH, 0, (1, 0, 0, 0), 0)),
            (
                "index must be inside the 30-bit IPA space, got that of 0x40000000",
                (TOO_HIGH, 0, (0, 1, 0, 0), 0),
            ),
            (
                "index must be inside the 5-bit IPA space, got that of 0x20",
                (Geometry(Granule.K4, 5, 3), 0, (0,), 32),
            ),
            (
                "offset must have at most 2048 bits, got a number of 5001 bits",
                (FOUR, 0, (0, 0, 0), 1 << 5000),
            ),
        ],
        ids=range(15),
    )
    def test_outside_its_shape(self, message: str, parts: tuple[Any, ...]) -> None:
        """Each part has a range, and all of them together have the IPA space."""
        with pytest.raises(InvalidArgument) as caught:
            IpaIndex(*parts)

        assert message == str(caught.value)

    @pytest.mark.parametrize(
        ("message", "parts"),
        [
            ("geometry must be a Geometry, got None", (None, 0, (0, 0, 0), 0)),
            ("geometry must be a Geometry, got 40", (40, 0, (0, 0, 0), 0)),
            (
                "table must be an integer, got None (NoneType)",
                (FOUR, None, (0, 0, 0), 0),
            ),
            (
                "offset must be an integer, got 0.0 (float)",
                (FOUR, 0, (0, 0, 0), 0.0),
            ),
            ("indices must be a tuple, got [0, 0, 0]", (FOUR, 0, [0, 0, 0], 0)),
            ("indices must be a tuple, got None", (FOUR, 0, None, 0)),
            (
                "index must be an integer, got True (bool)",
                (FOUR, 0, (0, True, 0), 0),
            ),
        ],
        ids=range(7),
    )
    def test_of_wrong_types(self, message: str, parts: tuple[Any, ...]) -> None:
        """The message names the part and repeats what was given."""
        with pytest.raises(TypeError) as caught:
            IpaIndex(*parts)

        assert message == str(caught.value)


class Hostile(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, **data: Any) -> None:
        self.data = data

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


class TestPlainData:
    """JSON in and out."""

    def test_through_json(self) -> None:
        """The four facts and a schema, and nothing derived."""
        data = json.loads(json.dumps(SIXTEEN.to_dict()))

        assert {
            "schema": "s2geom.Geometry/1",
            "page_shift": 14,
            "ipa_bits": 40,
            "start_level": 2,
            "lpa2": False,
        } == data
        assert SIXTEEN == Geometry.from_dict(data)
        assert SIXTEEN == Geometry.from_dict(Hostile(**data))

    @pytest.mark.parametrize(
        ("message", "change"),
        [
            ("schema must be 's2geom.Geometry/1', got None", {"schema": None}),
            (
                "schema must be 's2geom.Geometry/1', got 's2geom.Geometry/2'",
                {"schema": "s2geom.Geometry/2"},
            ),
            ("schema must be 's2geom.Geometry/1', got ''", {"schema": ""}),
            ("schema must be 's2geom.Geometry/1', got []", {"schema": []}),
            ("missing or unknown keys of a geometry: levels", {"levels": 2}),
            ("missing or unknown keys of a geometry: 5, a", {"a": 1, 5: 2}),
            ("start_level must be -1..3, got 9", {"start_level": 9}),
            ("ipa_bits must be 1..64, got -1", {"ipa_bits": -1}),
            (
                "page_shift must be 12 (4K), 14 (16K) or 16 (64K), got 13",
                {"page_shift": 13},
            ),
        ],
        ids=range(9),
    )
    def test_wrong_values(self, message: str, change: dict[Any, Any]) -> None:
        """What is wrong is named."""
        with pytest.raises(InvalidArgument) as caught:
            Geometry.from_dict(SIXTEEN.to_dict() | change)

        assert message == str(caught.value)

    @pytest.mark.parametrize(
        "missing", ["page_shift", "ipa_bits", "start_level", "lpa2"]
    )
    def test_a_missing_key(self, missing: str) -> None:
        """There is no default in stored data."""
        data = SIXTEEN.to_dict()
        del data[missing]

        with pytest.raises(InvalidArgument) as caught:
            Geometry.from_dict(data)

        assert f"missing or unknown keys of a geometry: {missing}" == str(caught.value)

    @pytest.mark.parametrize(
        ("message", "data"),
        [
            ("data must be a mapping, got None", None),
            ("data must be a mapping, got []", []),
            ("data must be a mapping, got '{}'", "{}"),
            (
                "lpa2 must be a bool, got 0 (int)",
                SIXTEEN.to_dict() | {"lpa2": 0},
            ),
            (
                "ipa_bits must be an integer, got 40.0 (float)",
                SIXTEEN.to_dict() | {"ipa_bits": 40.0},
            ),
            (
                (
                    "page_shift must be an integer, got '16K' (str); "
                    "Granule.parse('4K') reads a page size"
                ),
                SIXTEEN.to_dict() | {"page_shift": "16K"},
            ),
            (
                "start_level must be an integer, got None (NoneType)",
                SIXTEEN.to_dict() | {"start_level": None},
            ),
        ],
        ids=range(7),
    )
    def test_wrong_types(self, message: str, data: Any) -> None:
        """A float that JSON made of an integer is a mistake too."""
        with pytest.raises(TypeError) as caught:
            Geometry.from_dict(data)

        assert message == str(caught.value)


def test_t0sz_is_64_less_the_ipa_bits() -> None:
    """T0SZ is right for the narrowest and the widest IPA too."""
    expected = {1: 63, 16: 48, 25: 39, 32: 32, 33: 31, 40: 24, 52: 12, 64: 0}

    assert expected == {bits: Geometry(12, bits, 3).t0sz for bits in expected}


def test_a_schema_is_text() -> None:
    """A schema that is a number or an array is refused."""
    data = Geometry(12, 40, 1).to_dict()
    for wrong in (1, None, np.array([1, 2])):
        with pytest.raises(InvalidArgument, match="schema must be 's2geom"):
            Geometry.from_dict(data | {"schema": wrong})


def test_choices_are_a_tuple_in_everything_but_their_picture() -> None:
    """They equal a tuple, and pickle by their public name."""
    choices = Cpu(44).choices(12, 40)
    stored = pickle.dumps(choices)

    assert choices == (Geometry(Granule.K4, 40, 0), Geometry(Granule.K4, 40, 1))
    assert repr(tuple(choices)) == repr(choices)
    assert tuple is type(choices[:1])
    assert b"s2geom.core" not in stored
    assert Choices is type(pickle.loads(stored))  # noqa: S301 - our own
