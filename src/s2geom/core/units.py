# SPDX-License-Identifier: MIT
"""Sizes and addresses as people write them: ``64G``, ``0x4000_0000``, ``256 KiB``."""

import re

from s2geom.core.errors import InvalidArgument
from s2geom.core.wording import quoted

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_SIZE = re.compile(
    r"(0x[0-9a-f_]{1,24}|[0-9][0-9_]{0,24})\s*(?:([kmgtpe])(?:i?b)?|b)?",
    re.ASCII | re.IGNORECASE,
)


def size_text(size: int) -> str:
    """Return a number of bytes in the largest unit that leaves no fraction.

    >>> size_text(262144), size_text(1536), size_text(5)
    ('256 KiB', '1536 B', '5 B')
    """
    unit = 0
    while size and size % 1024 == 0 and unit < len(_UNITS) - 1:
        size //= 1024
        unit += 1
    return f"{size} {_UNITS[unit]}"


def parse_size(text: str) -> int:
    """Read a size or an address in bytes; K to E are powers of 1024.

    Raises:
        InvalidArgument: It is no such number.

    >>> parse_size("64G"), parse_size("0x4000_0000"), parse_size("4096")
    (68719476736, 1073741824, 4096)
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidArgument(
            "a size or address is written like 64G, 4096 or 0x4000_0000, got "
            f"{quoted(text)}"
        )
    try:
        # Base 0 would refuse 010, which a person means as ten.
        digits = match[1]
        number = int(digits, 16 if digits[:2].lower() == "0x" else 10)
    except ValueError:  # a doubled or trailing underscore
        raise InvalidArgument(f"misplaced underscore in {quoted(text)}") from None
    unit = (match[2] or "b").upper()
    return number << 10 * "BKMGTPE".index(unit)
