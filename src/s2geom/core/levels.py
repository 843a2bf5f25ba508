# SPDX-License-Identifier: MIT
"""The two formulas that never changed, from Linux v4.4 to today.

ARM64_HW_PGTABLE_LEVELS counts the levels that an address width needs, and
ARM64_HW_PGTABLE_LEVEL_SHIFT says what one entry at a level maps. The kernel uses both
for its own tables and, four bits narrower, for the guest's stage 2.
"""

from s2geom.core.granule import LAST_LEVEL, granule_of
from s2geom.core.numbers import integer_within
from s2geom.core.public import public


@public
def hw_pgtable_levels(page_shift: int, va_bits: int) -> int:
    """Return ARM64_HW_PGTABLE_LEVELS: levels that an address width needs.

    Args:
        page_shift: log2 of the page size: 12, 14 or 16.
        va_bits: Width of the address in bits, 1..64.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value is no integer.

    Source: Linux v4.4 to today, arch/arm64/include/asm/pgtable-hwdef.h.

    >>> hw_pgtable_levels(14, 36), hw_pgtable_levels(12, 48)
    (2, 4)
    """
    granule = granule_of(page_shift)
    bits = integer_within("va_bits", va_bits, 1, 64)
    return max(0, granule.levels_for(bits))  # below 4 bits, C rounds up to 0


@public
def hw_pgtable_level_shift(page_shift: int, level: int) -> int:
    """Return ARM64_HW_PGTABLE_LEVEL_SHIFT: log2 of what one entry at a level maps.

    Args:
        page_shift: log2 of the page size: 12, 14 or 16.
        level: Level of lookup, -1..3.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value is no integer.

    Source: Linux v4.4 to today, arch/arm64/include/asm/pgtable-hwdef.h.

    >>> hw_pgtable_level_shift(12, 2)
    21
    """
    granule = granule_of(page_shift)
    return granule.level_shift(integer_within("level", level, -1, LAST_LEVEL))
