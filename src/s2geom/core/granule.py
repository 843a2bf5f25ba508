# SPDX-License-Identifier: MIT
"""`Granule`: the three page sizes, and the arithmetic that follows from one alone.

Two formulas of Linux are here too, since they have not changed from v4.4 to today:
ARM64_HW_PGTABLE_LEVELS and ARM64_HW_PGTABLE_LEVEL_SHIFT.
"""

import re
from enum import IntEnum

from s2geom.core.errors import InvalidArgument
from s2geom.core.numbers import integer, integer_within
from s2geom.core.public import public
from s2geom.core.wording import quoted

DESCRIPTOR_SHIFT = 3
"""log2 of a descriptor's bytes. VMSAv9-128 would make it 4, so it has a name."""

LAST_LEVEL = 3
"""The level of the page descriptors, in every granule."""

MOST_TABLES_SHIFT = 4
"""log2 of the most tables that may stand side by side at the start level."""

# Compiled at first use: most programs never read a page size as text.
_TEXT = r"(\d{1,9})\s*(k(?:i?b)?)?"


@public
class Granule(IntEnum):
    """A translation granule: the size of a page and of every full table.

    The value is log2 of the size in bytes, the kernel's PAGE_SHIFT.

    Source: Arm ARM D8.2, "Translation granules".

    >>> Granule.K16.size, Granule.K16.stride, Granule.K16.entries
    (16384, 11, 2048)
    """

    K4 = 12
    K16 = 14
    K64 = 16

    @property
    def size(self) -> int:
        """Bytes of a page, and of one full table."""
        return 1 << self

    @property
    def stride(self) -> int:
        """Index bits that one full table resolves: 9, 11 or 13."""
        return self - DESCRIPTOR_SHIFT

    @property
    def entries(self) -> int:
        """Descriptors in one full table."""
        return 1 << self.stride

    def level_shift(self, level: int) -> int:
        """Return log2 of the bytes that one entry at a level maps.

        Args:
            level: Level of lookup, -1..3.

        Source: Arm ARM D8.2; pseudocode TranslationSize.
        """
        return self + self.stride * (LAST_LEVEL - level)

    def levels_for(self, bits: int) -> int:
        """Return the levels of lookup that an address width needs.

        It is the number of strides above the page offset, rounded up: the kernel's
        ARM64_HW_PGTABLE_LEVELS.

        Args:
            bits: Width of the address in bits, `DESCRIPTOR_SHIFT` or more.

        .. versionadded:: 0.2.0
        """
        return (bits - DESCRIPTOR_SHIFT - 1) // self.stride

    def stage2_levels_for(self, ipa_bits: int) -> int:
        """Return the fewest levels of lookup that an IPA width needs.

        Up to 16 concatenated tables resolve four bits at the start level, so the
        levels are those of an address four bits narrower.

        Args:
            ipa_bits: Width of the IPA in bits, 8 or more.

        Source: Linux v4.7 to today, STAGE2_PGTABLE_LEVELS.

        .. versionadded:: 0.2.0

        >>> Granule.K16.levels_for(40), Granule.K16.stage2_levels_for(40)
        (3, 2)
        """
        return self.levels_for(ipa_bits - MOST_TABLES_SHIFT)

    def widest_ipa(self, start_level: int) -> int:
        """Return the widest IPA that 16 tables at a start level resolve, in bits.

        Args:
            start_level: Level of the first lookup, -1..3.

        .. versionadded:: 0.2.0

        >>> Granule.K4.widest_ipa(1)
        43
        """
        return self.level_shift(start_level) + self.stride + MOST_TABLES_SHIFT

    @classmethod
    def parse(cls, text: str | int) -> "Granule":
        """Read a page size: ``"16K"``, ``"16KiB"``, ``"65536"`` or 16384.

        A bare 12, 14 or 16 is refused, since it might be a page shift or a number of
        kilobytes, and 16 is a different granule in each reading.

        Args:
            text: The size as text, or in bytes.

        Raises:
            InvalidArgument: It is not one of the three sizes, or has two readings.
            TypeError: It is neither text nor an integer.

        >>> Granule.parse("16KiB")
        Granule.K16
        """
        if isinstance(text, Granule):
            return text
        given = text if isinstance(text, str) else str(integer("page size", text))
        match = re.fullmatch(_TEXT, given.strip(), re.ASCII | re.IGNORECASE)
        if match:
            number, unit = int(match[1]), match[2]
            size = number << 10 if unit else number
            for granule in cls:
                if granule.size == size:
                    return granule
            if not unit and number in {12, 14, 16}:
                raise InvalidArgument(_two_readings(number))
        raise InvalidArgument(f"page size must be 4K, 16K or 64K, got {quoted(given)}")

    @classmethod
    def _missing_(cls, value: object) -> "Granule":
        # Enum's own message names neither the shifts nor what reads a size.
        if isinstance(value, str):
            raise InvalidArgument(
                f"Granule takes a page shift, 12, 14 or 16, got {quoted(value)}; "
                f"Granule.parse({quoted(value)}) reads a page size"
            )
        return granule_of(value)  # type: ignore[arg-type]  # it raises

    def __repr__(self) -> str:
        return f"Granule.{self.name}"

    def __str__(self) -> str:
        return f"{self.size >> 10}K"


def _two_readings(number: int) -> str:
    size = f"{(1 << number) >> 10}K"
    kilobytes = f"{number}K" + ("" if number == 16 else ", which is no page size")
    return (
        f"page size {number} has two readings: page shift {number} is {size}, and "
        f"{number} kilobytes is {kilobytes}; write {size}"
        + (" or 16K" if number == 16 else "")
    )


def granule_of(page_shift: int) -> Granule:
    """Return the granule with a page shift.

    Raises:
        InvalidArgument: The shift is not 12, 14 or 16.
        TypeError: It is no integer.
    """
    if type(page_shift) is Granule:
        return page_shift
    if isinstance(page_shift, str):
        message = f"page_shift must be an integer, got {quoted(page_shift)} (str)"
        raise TypeError(f"{message}; Granule.parse('4K') reads a page size")
    number = integer("page_shift", page_shift)
    granule = _BY_SHIFT.get(number)
    if granule is None:
        message = f"page_shift must be 12 (4K), 14 (16K) or 16 (64K), got {number}"
        raise InvalidArgument(message + _meant_instead(number))
    return granule


def _meant_instead(number: int) -> str:
    """Return what a wrong page shift was probably meant to be; nothing if unknown."""
    if number in _SHIFT_OF_SIZE:
        return f", a size in bytes: its shift is {_SHIFT_OF_SIZE[number]}"
    if number << 10 in _SHIFT_OF_SIZE:
        shift = _SHIFT_OF_SIZE[number << 10]
        return f", a size in kilobytes: its shift is {shift}"
    if 24 < number < 64:
        return ", which looks like an address width: page_shift comes before the widths"
    return ""


_BY_SHIFT = {int(granule): granule for granule in Granule}
_SHIFT_OF_SIZE = {granule.size: int(granule) for granule in Granule}


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
