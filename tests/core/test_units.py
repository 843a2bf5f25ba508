# SPDX-License-Identifier: MIT
"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2geom import InvalidArgument
from s2geom.core.units import parse_size, size_text


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (0, "0"),
        (4096, "4096"),
        (10, "010"),
        (1 << 12, "4K"),
        (1 << 12, "4 KiB"),
        (1 << 12, " 4kb "),
        (12, "12B"),
        (64 << 30, "64G"),
        (1 << 50, "1PiB"),
        (1 << 60, "1E"),
        (0x4000_0000, "0x4000_0000"),
        (0xFF_FFFF_F000, "0xff_ffff_f000"),
        (2 << 20, "0x2M"),
        (4096, "4_096"),
    ],
)
def test_reads_what_people_write(expected: int, text: str) -> None:
    """Decimal and hexadecimal, powers of 1024, underscores between digits."""
    assert expected == parse_size(text)


@pytest.mark.parametrize(
    "text",
    ["", "G", "1.5G", "-1", "0x", "1__0", "1_", "12X", "\u0661K", "1 0", "9" * 40],
)
def test_refuses_anything_else_with_the_text_in_the_message(text: str) -> None:
    """A mistake in a size names the text, and shows the form."""
    with pytest.raises(InvalidArgument) as caught:
        parse_size(text)

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("expected", "size"),
    [
        ("0 B", 0),
        ("1 B", 1),
        ("1023 B", 1023),
        ("1 KiB", 1024),
        ("1536 B", 1536),
        ("64 KiB", 65536),
        ("512 GiB", 512 << 30),
        ("16 EiB", 1 << 64),
        ("1024 EiB", 1 << 70),
    ],
)
def test_writes_the_largest_unit_without_a_fraction(expected: str, size: int) -> None:
    """A size is written exactly, in the largest unit without a fraction."""
    assert expected == size_text(size)


@given(st.integers(0, 1 << 80))
def test_what_is_written_can_be_read(size: int) -> None:
    """A size that was written is read back as the same number."""
    assert size == parse_size(size_text(size))
