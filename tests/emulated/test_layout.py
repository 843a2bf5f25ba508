# SPDX-License-Identifier: MIT
"""The minimal tables of `layout`, against words worked out by hand."""

from __future__ import annotations

import pytest

from emulated.cpu import RAM_BASE, Probe
from emulated.layout import DS, Layout, address_field, layout, root_bytes


def test_sixteen_root_tables() -> None:
    """16K pages, 40 bits, level 2: the last page is in the last of 256 KiB."""
    laid = layout(14, 40, 2, (1 << 40) - 1, output=0x12_3456_8000)

    expected = Layout(
        vtcr=0x8006_8058,
        vttbr=0x5000_0000,
        ipa=0xFF_FFFF_FFFF,
        descriptors=(
            (0x5003_FFF8, 0x5004_0003),
            (0x5004_3FF8, 0x12_3456_84FF),
        ),
        output_address=0x12_3456_B000,
        leaf_level=3,
        fits=True,
    )

    assert expected == laid


def test_five_levels() -> None:
    """4K pages, 52 bits, level -1: each table follows the one before."""
    laid = layout(12, 52, -1, 0xF_0000_0000_0000, lpa2=True, output=0xF_0000_0000_0000)

    assert laid.vtcr == 0x3_8006_000C
    assert laid.descriptors == (
        (0x5000_0078, 0x5000_1003),
        (0x5000_1000, 0x5000_2003),
        (0x5000_2000, 0x5000_3003),
        (0x5000_3000, 0x5000_4003),
        (0x5000_4000, 0x3_0000_0000_07FF),
    )


def test_block() -> None:
    """A leaf above level 3 ends the walk there and is aligned to its size."""
    laid = layout(16, 42, 2, 0x2345_6789, leaf_level=2, output=0x7FFF_FFFF)

    assert laid.descriptors == ((0x5000_0008, 0x6000_04FD),)
    assert laid.output_address == 0x6345_6000


def test_probe() -> None:
    """With a depth, the walk finds a hole where the rest would have been."""
    laid = layout(12, 39, 1, 0)

    whole = Probe(laid.vtcr, laid.vttbr, 0, "read", laid.descriptors)
    torn = Probe(laid.vtcr, laid.vttbr, 0, "write", laid.descriptors[:1])

    assert whole == laid.probe()
    assert torn == laid.probe("write", depth=1)


def test_root_too_large_for_memory() -> None:
    """A shape of absurd size has registers, and no descriptors."""
    laid = layout(12, 52, 3, 0)

    assert not laid.fits
    assert not laid.descriptors
    assert root_bytes(12, 52, 3) == 8 << 40


@pytest.mark.parametrize(
    ("granule", "lpa2", "field"),
    [
        (12, False, 0x1234_5678_0000),
        (12, True, 0x1_1234_5678_0200),
        (14, True, 0x1_1234_5678_0200),
        (16, False, 0x1234_5678_9000),
    ],
)
def test_large_addresses(granule: int, lpa2: bool, field: int) -> None:
    """Bits 51:48 are in place, in bits 9:8, or in bits 15:12."""
    high = 9 << 48 if lpa2 or granule == 16 else 0

    assert field == address_field(granule, high | 0x1234_5678_0000, lpa2=lpa2)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((12, 52, -1, 0), {}, "no encoding of start level -1"),
        ((14, 48, -1, 0), {"lpa2": True}, "no encoding of start level -1"),
        ((12, 39, 1, 0), {"leaf_level": 0}, "above the root"),
        ((12, 40, 1, 0), {"root": RAM_BASE + 0x1000}, "not aligned to its 8192 bytes"),
    ],
)
def test_what_cannot_be_laid_out(
    arguments: tuple[int, int, int, int], options: dict[str, int], message: str
) -> None:
    """A mistake in a test, not a shape that a CPU refuses."""
    with pytest.raises(ValueError, match=message):
        layout(*arguments, **options)  # type: ignore[arg-type]


def test_ds_is_where_the_manual_says() -> None:
    """VTCR_EL2 bit 32."""
    assert layout(12, 48, 0, 0, lpa2=True).vtcr == layout(12, 48, 0, 0).vtcr | DS
