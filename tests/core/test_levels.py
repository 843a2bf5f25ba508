# SPDX-License-Identifier: MIT
"""The two formulas that never changed."""

from typing import Any

import pytest

from s2geom import InvalidArgument, hw_pgtable_level_shift, hw_pgtable_levels

KCONFIG = {
    (12, 39): 3,
    (12, 48): 4,
    (12, 52): 5,
    (14, 36): 2,
    (14, 47): 3,
    (14, 48): 4,
    (14, 52): 4,
    (16, 42): 2,
    (16, 48): 3,
    (16, 52): 3,
}
"""CONFIG_PGTABLE_LEVELS by page shift and VA bits, as Kconfig spells them out."""


@pytest.mark.parametrize(("host", "levels"), KCONFIG.items())
def test_the_formula_gives_what_kconfig_spells_out(
    host: tuple[int, int], levels: int
) -> None:
    """All ten rows of arch/arm64/Kconfig."""
    assert levels == hw_pgtable_levels(*host)


@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_levels_cover_all_address_bits(page_shift: int) -> None:
    """Page by page: each level takes a full table's bits until none is left."""
    for bits in range(1, 65):
        left, levels = bits - page_shift, 0
        while left > 0:
            left -= page_shift - 3
            levels += 1

        assert levels == hw_pgtable_levels(page_shift, bits)


@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_an_entry_maps_a_full_table_of_the_next_level(page_shift: int) -> None:
    """A page at level 3, and as many of the next level's entries as a table holds."""
    maps = 1 << page_shift
    for level in (3, 2, 1, 0, -1):
        assert maps == 1 << hw_pgtable_level_shift(page_shift, level)
        maps *= (1 << page_shift) // 8


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        (hw_pgtable_levels, (14, 0), "va_bits must be 1..64, got 0"),
        (hw_pgtable_levels, (14, 65), "va_bits must be 1..64, got 65"),
        (
            hw_pgtable_levels,
            (13, 48),
            "page_shift must be 12 (4K), 14 (16K) or 16 (64K), got 13",
        ),
        (hw_pgtable_level_shift, (14, -2), "level must be -1..3, got -2"),
        (hw_pgtable_level_shift, (14, 4), "level must be -1..3, got 4"),
    ],
    ids=["no bits", "65 bits", "page shift", "level -2", "level 4"],
)
def test_arguments_outside_the_domain_are_refused(
    call: Any, arguments: tuple[int, int], message: str
) -> None:
    """A level or a width that no table has."""
    with pytest.raises(InvalidArgument) as caught:
        call(*arguments)

    assert message == str(caught.value)


@pytest.mark.parametrize("call", [hw_pgtable_levels, hw_pgtable_level_shift])
@pytest.mark.parametrize("value", [True, 2.0, None])
def test_only_integers_are_taken(call: Any, value: Any) -> None:
    """Levels and bits are integers: other types are a `TypeError`."""
    with pytest.raises(TypeError, match="must be an integer"):
        call(14, value)
