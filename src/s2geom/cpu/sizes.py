# SPDX-License-Identifier: MIT
"""Sizes that the architecture fixes: address widths, T0SZ, start levels."""

from collections.abc import Iterable

from s2geom.core.errors import InvalidArgument
from s2geom.core.granule import Granule
from s2geom.core.numbers import integer

PARANGE = (32, 36, 40, 42, 44, 48, 52, 56)
"""ID_AA64MMFR0_EL1.PARange, by its encoding."""

IPA_MAXIMUM = 52
"""The widest IPA of VMSAv8-64, however large the physical addresses are."""

IPA_WITHOUT_LPA2 = 48
"""The widest IPA of 4K and 16K pages with VTCR_EL2.DS=0."""

IPA_AARCH32 = 40
"""A guest in AArch32 has 40 bits of IPA, even on a CPU with fewer physical ones."""

T0SZ_MAXIMUM = 39
"""The largest T0SZ without FEAT_TTST."""

IPA_WITHOUT_TTST = 64 - T0SZ_MAXIMUM
"""The narrowest IPA without FEAT_TTST."""

T0SZ_MAXIMUM_TTST = {Granule.K4: 48, Granule.K16: 48, Granule.K64: 47}
"""The largest T0SZ with FEAT_TTST."""

TOP_LEVEL = {Granule.K4: -1, Granule.K16: 0, Granule.K64: 1}
"""The first start level that VTCR_EL2 can encode."""

LPA2_START_LEVELS = frozenset({(Granule.K4, -1), (Granule.K16, 0)})
"""Start levels that need VTCR_EL2.DS=1."""

TTST_START_LEVELS = frozenset({(Granule.K4, 3)})
"""Start levels that need FEAT_TTST."""

START_LEVEL_PA_BITS = {
    (Granule.K4, 0): 44,
    (Granule.K16, 1): 42,
    (Granule.K64, 1): 44,
}
"""Fewest physical address bits of a CPU that has a start level."""

CHOICE_IPA_BITS = (16, 56)
"""The widths one may ask choices for: all T0SZ that any CPU has, VMSAv9-128's too."""


def address_bits(name: str, value: object) -> int:
    """Return a size of physical addresses in bits, one that PARange encodes.

    Raises:
        InvalidArgument: It is none of the sizes.
        TypeError: It is no integer.
    """
    number = integer(name, value)
    if number not in PARANGE:
        sizes = ", ".join(map(str, PARANGE))
        raise InvalidArgument(f"{name} must be one of {sizes}, got {number}")
    return number


def page_sizes(granules: Iterable[Granule]) -> str:
    """Return page sizes in words, smallest first."""
    return ", ".join(map(str, sorted(granules))) or "none"


def a_page_size(granules: Iterable[Granule]) -> str:
    """Return page sizes to choose one of in words, smallest first."""
    return " or ".join(page_sizes(granules).rsplit(", ", 1))
