# SPDX-License-Identifier: MIT
"""The three page sizes, and how people write them."""

import copy
import pickle
from typing import Any

import pytest

from s2geom import Granule, InvalidArgument, stage2
from s2geom.core.granule import granule_of


@pytest.mark.parametrize(
    ("granule", "shift", "size", "stride", "entries"),
    [
        (Granule.K4, 12, 4096, 9, 512),
        (Granule.K16, 14, 16384, 11, 2048),
        (Granule.K64, 16, 65536, 13, 8192),
    ],
)
def test_a_full_table_is_a_page_of_8_byte_descriptors(
    granule: Granule, shift: int, size: int, stride: int, entries: int
) -> None:
    """Page shift, page size, index bits and entries belong together."""
    assert (shift, size, stride, entries) == (
        granule,
        granule.size,
        granule.stride,
        granule.entries,
    )


def test_there_are_three() -> None:
    """VMSAv8-64 has 4K, 16K and 64K granules and no others."""
    assert ["K4", "K16", "K64"] == [granule.name for granule in Granule]


@pytest.mark.parametrize(
    ("granule", "shifts"),
    [
        (Granule.K4, {3: 12, 2: 21, 1: 30, 0: 39, -1: 48}),
        (Granule.K16, {3: 14, 2: 25, 1: 36, 0: 47, -1: 58}),
        (Granule.K64, {3: 16, 2: 29, 1: 42, 0: 55, -1: 68}),
    ],
)
def test_what_an_entry_maps_at_each_level(
    granule: Granule, shifts: dict[int, int]
) -> None:
    """4 KiB, 2 MiB, 1 GiB, 512 GiB with 4K pages; 32 MiB with 16K; 512 MiB with 64K."""
    assert shifts == {level: granule.level_shift(level) for level in shifts}


@pytest.mark.parametrize(
    ("granule", "bits", "levels", "stage2_levels"),
    [
        (Granule.K4, 39, 3, 3),
        (Granule.K4, 40, 4, 3),
        (Granule.K4, 43, 4, 3),
        (Granule.K4, 44, 4, 4),
        (Granule.K16, 40, 3, 2),
        (Granule.K16, 41, 3, 3),
        (Granule.K64, 42, 2, 2),
        (Granule.K64, 46, 3, 2),
        (Granule.K64, 47, 3, 3),
    ],
)
def test_stage_2_needs_the_levels_of_four_bits_less(
    granule: Granule, bits: int, levels: int, stage2_levels: int
) -> None:
    """16 concatenated tables resolve four bits at the start level."""
    assert levels == granule.levels_for(bits)
    assert stage2_levels == granule.stage2_levels_for(bits)


@pytest.mark.parametrize(
    ("granule", "widest"),
    [
        (Granule.K4, {2: 34, 1: 43, 0: 52}),
        (Granule.K16, {3: 29, 2: 40, 1: 51}),
        (Granule.K64, {3: 33, 2: 46, 1: 59}),
    ],
)
def test_the_widest_ipa_of_a_start_level(
    granule: Granule, widest: dict[int, int]
) -> None:
    """A full table's bits and four more; one bit more needs another level."""
    assert widest == {level: granule.widest_ipa(level) for level in widest}
    for level, bits in widest.items():
        assert 4 - level == granule.stage2_levels_for(bits)
        assert 5 - level == granule.stage2_levels_for(bits + 1)


@pytest.mark.parametrize(
    ("granule", "text"),
    [
        (Granule.K4, "4K"),
        (Granule.K4, " 4K "),
        (Granule.K4, "4k"),
        (Granule.K4, "4KB"),
        (Granule.K4, "4 KiB"),
        (Granule.K4, "4096"),
        (Granule.K4, "004K"),
        (Granule.K4, "4K\n"),
        (Granule.K16, "16K"),
        (Granule.K16, "16k"),
        (Granule.K16, "16 KiB"),
        (Granule.K16, "16KIB"),
        (Granule.K16, "16kb"),
        (Granule.K16, "16384"),
        (Granule.K64, "64K"),
        (Granule.K64, "64KiB"),
        (Granule.K64, "65536"),
        (Granule.K4, 4096),
        (Granule.K16, 16384),
        (Granule.K64, 65536),
        (Granule.K64, Granule.K64),
    ],
    ids=repr,
)
def test_reads_what_people_write(granule: Granule, text: str | int) -> None:
    """Kilobytes with a unit, bytes without one."""
    assert granule is Granule.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "K",
        "0",
        "4",
        "64",
        "8K",
        "32K",
        "-4K",
        "+4K",
        "4.0K",
        "4_096",
        "4M",
        "4KBB",
        "4Ki",
        "4096K",
        "4096B",
        "0x1000",
        "4K 16K",
        "\uff11\uff16K",  # fullwidth digits
        "\u0664K",  # an Arabic-Indic digit
        "9" * 100,
    ],
)
def test_refuses_any_other_text(text: str) -> None:
    """The message lists the three sizes and repeats what was given."""
    with pytest.raises(InvalidArgument) as caught:
        Granule.parse(text)

    assert f"page size must be 4K, 16K or 64K, got {text!r}" == str(caught.value)


@pytest.mark.parametrize("number", [0, 1, -4096, 4, 64, 4095, 1 << 32])
def test_refuses_any_other_number(number: int) -> None:
    """A number is read as bytes, never as kilobytes."""
    with pytest.raises(InvalidArgument, match="page size must be 4K, 16K or 64K"):
        Granule.parse(number)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            12,
            (
                "12 has two readings: page shift 12 is 4K, and 12 kilobytes is "
                "12K, which is no page size; write 4K"
            ),
        ),
        (
            "14",
            (
                "14 has two readings: page shift 14 is 16K, and 14 kilobytes is "
                "14K, which is no page size; write 16K"
            ),
        ),
        (
            16,
            (
                "16 has two readings: page shift 16 is 64K, and 16 kilobytes is "
                "16K; write 64K or 16K"
            ),
        ),
        (
            " 16 ",
            (
                "16 has two readings: page shift 16 is 64K, and 16 kilobytes is "
                "16K; write 64K or 16K"
            ),
        ),
    ],
)
def test_a_bare_page_shift_has_two_readings(given: str | int, message: str) -> None:
    """A bare 16 is refused: it may be the page shift of 64K or 16 kilobytes."""
    with pytest.raises(InvalidArgument) as caught:
        Granule.parse(given)

    assert f"page size {message}" == str(caught.value)


@pytest.mark.parametrize("given", [True, 4096.0, None, b"4K", ["4K"]])
def test_what_is_neither_text_nor_number_is_a_type_error(given: Any) -> None:
    """The message says what it was."""
    with pytest.raises(TypeError) as caught:
        Granule.parse(given)

    assert (
        f"page size must be an integer, got {given!r} ({type(given).__name__})"
        == str(caught.value)
    )


@pytest.mark.parametrize(
    ("granule", "text"),
    [(Granule.K4, "4K"), (Granule.K16, "16K"), (Granule.K64, "64K")],
)
def test_it_is_written_as_it_is_read(granule: Granule, text: str) -> None:
    """`str` is for people, `repr` is for Python."""
    assert text == str(granule)
    assert granule is Granule.parse(str(granule))
    assert granule is eval(repr(granule))  # noqa: S307  (that is what repr promises)
    assert f"Granule.{granule.name}" == repr(granule)


@pytest.mark.parametrize("granule", list(Granule))
def test_copies_are_the_same_member(granule: Granule) -> None:
    """Pickled and copied members keep their identity."""
    assert granule is pickle.loads(pickle.dumps(granule))  # noqa: S301
    assert granule is copy.deepcopy(granule)


@pytest.mark.parametrize("shift", [12, 14, 16])
def test_a_page_shift_becomes_its_granule(shift: int) -> None:
    """A plain shift and the granule itself are both taken."""
    assert Granule(shift) is granule_of(shift)
    assert Granule(shift) is granule_of(Granule(shift))


@pytest.mark.parametrize(("size", "shift"), [(4096, 12), (16384, 14), (65536, 16)])
def test_a_page_size_is_no_page_shift(size: int, shift: int) -> None:
    """A page size in bytes is refused with the page shift that was probably meant."""
    with pytest.raises(InvalidArgument) as caught:
        granule_of(size)

    assert str(caught.value) == (
        f"page_shift must be 12 (4K), 14 (16K) or 16 (64K), got {size}, a size in "
        f"bytes: its shift is {shift}"
    )


@pytest.mark.parametrize(("kilobytes", "shift"), [(4, 12), (64, 16)])
def test_a_page_size_in_kilobytes_is_no_page_shift(kilobytes: int, shift: int) -> None:
    """A size in kilobytes is refused; 16 is taken as the page shift of 64K."""
    with pytest.raises(InvalidArgument) as caught:
        granule_of(kilobytes)

    assert str(caught.value) == (
        f"page_shift must be 12 (4K), 14 (16K) or 16 (64K), got {kilobytes}, a size in "
        f"kilobytes: its shift is {shift}"
    )


@pytest.mark.parametrize("width", [25, 36, 40, 48, 52, 63])
def test_a_width_in_the_place_of_the_page_shift_is_named(width: int) -> None:
    """A width given as the page shift is refused with the order of the arguments."""
    with pytest.raises(InvalidArgument) as caught:
        stage2(width, 14)

    assert str(caught.value) == (
        f"page_shift must be 12 (4K), 14 (16K) or 16 (64K), got {width}, which looks "
        "like an address width: page_shift comes before the widths"
    )


def test_a_size_as_text_is_read_by_another_call() -> None:
    """Granule is an enum of page shifts, and says what reads a size."""
    with pytest.raises(InvalidArgument) as caught:
        Granule("4K")  # type: ignore[arg-type]

    assert str(caught.value) == (
        "Granule takes a page shift, 12, 14 or 16, got '4K'; Granule.parse('4K') reads "
        "a page size"
    )


@pytest.mark.parametrize("size", [4096, 4, 13])
def test_the_enum_refuses_a_number_as_every_call_does(size: int) -> None:
    """A ValueError, as of any enum, with the three shifts."""
    with pytest.raises(InvalidArgument, match=r"^page_shift must be 12 \(4K\)"):
        Granule(size)


@pytest.mark.parametrize("shift", [13, 0, -12, 11, 15, 17, 24, 65, 8192])
def test_another_page_shift_is_a_mistake(shift: int) -> None:
    """The message lists the three, with their sizes."""
    with pytest.raises(InvalidArgument) as caught:
        granule_of(shift)

    assert f"page_shift must be 12 (4K), 14 (16K) or 16 (64K), got {shift}" == str(
        caught.value
    )
