# SPDX-License-Identifier: MIT
"""Stage 2 before v4.7: a fake PGD above the hardware's root."""

import copy
import pickle

import pytest

from s2geom import FakePgd, Geometry, Granule, fake_pgd

AT_40 = [
    # page shift, VA, host levels, entries, prealloc, hardware root, fake PGD
    (12, 39, 3, 1024, 0, 8192, 0),
    (12, 48, 4, 2, 1, 8192, 16),
    (16, 42, 2, 2048, 0, 16384, 0),
    (16, 48, 3, 1, 2, 65536, 8),
]
"""The real configurations: KVM_PHYS_SHIFT was 40, and there was no KVM with 16K."""


@pytest.mark.parametrize("row", AT_40, ids=lambda row: f"{row[0]}-{row[1]}")
def test_the_configurations_that_were_built(row: tuple[int, ...]) -> None:
    """Sizes in bytes, as the kernel allocated them."""
    page_shift, va_bits, levels, entries, prealloc, root, fake = row
    old = fake_pgd(page_shift, 40, va_bits)

    assert levels == old.host_levels
    assert entries == old.pgd_entries
    assert entries == 1 << old.pgd_shift
    assert prealloc == old.prealloc_level
    assert root == old.hardware_pgd_size
    assert fake == old.fake_pgd_size
    assert old.representable


@pytest.mark.parametrize(
    ("page_shift", "va_bits", "pgdir_shift"),
    [(12, 39, 30), (12, 48, 39), (14, 48, 47), (16, 42, 29), (16, 48, 42)],
)
def test_the_hosts_pgdir_shift(page_shift: int, va_bits: int, pgdir_shift: int) -> None:
    """The entries are counted in what one entry of the host's PGD maps."""
    assert pgdir_shift == fake_pgd(page_shift, 40, va_bits).host_pgdir_shift


@pytest.mark.parametrize(
    ("expected", "arguments"),
    [
        (Geometry(Granule.K4, 40, 1), (12, 40, 39)),
        (Geometry(Granule.K4, 40, 1), (12, 40, 48)),
        (Geometry(Granule.K64, 40, 2), (16, 40, 48)),
        (Geometry(Granule.K64, 33, 3), (16, 33, 42)),
        (Geometry(Granule.K16, 40, 1), (14, 40, 48)),
        (Geometry(Granule.K4, 40, -1), (12, 40, 52)),
        (Geometry(Granule.K4, 44, 1), (12, 44, 39)),
    ],
)
def test_the_table_that_the_macros_imply(
    expected: Geometry, arguments: tuple[int, int, int]
) -> None:
    """KVM_PREALLOC_LEVEL, or 4 less the host's levels where that is 0; legal or not."""
    assert expected == fake_pgd(*arguments).geometry


@pytest.mark.parametrize(
    ("representable", "ipa_bits", "prealloc"),
    [(False, 32, 3), (False, 33, 3), (True, 34, 0), (True, 40, 0)],
)
def test_a_two_level_host_has_no_room_for_a_fake_pgd(
    representable: bool, ipa_bits: int, prealloc: int
) -> None:
    """64K and a 42-bit VA, up to 33 bits: a root at level 3 is a BUG."""
    old = fake_pgd(16, ipa_bits, 42)

    assert prealloc == old.prealloc_level
    assert representable is old.representable


@pytest.mark.parametrize(
    ("needed", "page_shift", "va_bits"),
    [
        (0, 12, 39),
        (1, 12, 48),
        (2, 12, 52),
        (0, 14, 36),
        (1, 14, 47),
        (2, 14, 48),
        (2, 14, 52),
        (0, 16, 42),
        (1, 16, 48),
        (1, 16, 52),
    ],
)
def test_fake_levels_needed_at_40_bits(
    needed: int, page_shift: int, va_bits: int
) -> None:
    """The host's levels less the hardware's; never less than none."""
    assert needed == fake_pgd(page_shift, 40, va_bits).fake_levels_needed


def test_no_fake_level_where_the_host_has_too_few() -> None:
    """4K, a 39-bit VA, a 48-bit IPA: the host has a level less than the CPU needs."""
    old = fake_pgd(12, 48, 39)

    assert (4, 0) == (old.hardware_levels, old.hardware_start_level)
    assert 0 == old.fake_levels_needed


def test_the_whole_domain_has_an_answer() -> None:
    """No integer of it is refused; what is 0 is 0 together."""
    for page_shift in (12, 14, 16):
        for ipa_bits in range(32, 53):
            for va_bits in range(25, 53):
                old = fake_pgd(page_shift, ipa_bits, va_bits)

                assert (old.fake_pgd_size == 0) == (old.prealloc_level == 0)
                assert old.geometry.levels + old.geometry.start_level == 4
                assert old.hardware_levels == 4 - old.hardware_start_level
                assert 1 << ipa_bits <= old.pgd_entries << old.host_pgdir_shift


def test_it_is_a_value() -> None:
    """Equal, hashable, picklable, and read back from its repr."""
    old = fake_pgd(12, 40, 48)

    for other in (
        fake_pgd(12, 40, 48),
        pickle.loads(pickle.dumps(old)),  # noqa: S301
        copy.deepcopy(old),
        eval(repr(old)),  # noqa: S307
    ):
        assert isinstance(other, FakePgd)
        assert (old, hash(old)) == (other, hash(other))
