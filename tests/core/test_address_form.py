# SPDX-License-Identifier: MIT
"""Where physical addresses have 52 bits: one table for geometry, CPU and registers."""

import pytest

from s2geom import Granule
from s2geom.core.address_form import address_form


@pytest.mark.parametrize(
    ("granule", "ds", "lpa", "pa_bits", "ps_bits", "expected"),
    [
        (Granule.K4, False, True, 52, 52, (48, 48, False, {1, 2})),
        (Granule.K4, True, True, 52, 52, (52, 52, True, {0, 1, 2})),
        (Granule.K4, True, False, 48, 44, (52, 44, True, {0, 1, 2})),
        (Granule.K16, False, True, 52, 52, (48, 48, False, {2})),
        (Granule.K16, True, True, 52, 48, (52, 48, True, {1, 2})),
        (Granule.K64, False, False, 48, 52, (48, 48, False, {2})),
        (Granule.K64, False, True, 48, 48, (52, 48, False, {2})),
        (Granule.K64, False, True, 52, 48, (52, 48, False, {1, 2})),
        (Granule.K64, False, True, 52, 52, (52, 52, True, {1, 2})),
        (Granule.K64, False, True, 56, 56, (52, 52, True, {1, 2})),
    ],
)
def test_what_follows_from_the_four_facts(
    granule: Granule,
    ds: bool,
    lpa: bool,
    pa_bits: int,
    ps_bits: int,
    expected: tuple[int, int, bool, set[int]],
) -> None:
    """64K follows FEAT_LPA, PS and the CPU's size; 4K and 16K follow DS alone."""
    form = address_form(granule, ds, lpa, pa_bits, ps_bits)

    assert expected == tuple(form)


def test_a_wide_base_is_a_multiple_of_64_bytes() -> None:
    """BADDR bits 5:2 are address bits 51:48; a narrow base has the table's size."""
    narrow = address_form(Granule.K4, False, False, 48)
    wide = address_form(Granule.K4, True, True, 52)

    assert [16, 64, 4096] == [narrow.pgd_alignment(size) for size in (16, 64, 4096)]
    assert [64, 64, 4096] == [wide.pgd_alignment(size) for size in (16, 64, 4096)]


def test_blocks_begin_at_the_start_level() -> None:
    """A level above the root is no level of the tree."""
    form = address_form(Granule.K4, True, True, 52)

    assert [{0, 1, 2}, {1, 2}, set()] == [form.blocks_from(n) for n in (-1, 1, 3)]
