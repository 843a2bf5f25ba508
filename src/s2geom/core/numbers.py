# SPDX-License-Identifier: MIT
"""Check the integers and bools that callers pass.

Whatever has ``__index__`` is an integer (numpy's too) and is stored as `int`. A `bool`
or a `float` is a `TypeError`, even where it equals an accepted integer.
"""

from operator import index

from s2geom.core.errors import InvalidArgument
from s2geom.core.wording import quoted

MOST_BITS = 2048
"""The largest number that a message can name: Python may be set to write out no more
than 640 decimal digits."""

_TOO_LARGE = 1 << MOST_BITS
_TOO_SMALL = -_TOO_LARGE


def integer(name: str, value: object) -> int:
    """Return ``value`` as a plain `int`.

    Raises:
        TypeError: It is no integer; the message names the argument and the value.
        InvalidArgument: It is too large to be written out.
    """
    number = value if type(value) is int else _number(name, value)
    if _TOO_SMALL < number < _TOO_LARGE:
        return number
    raise InvalidArgument(
        f"{name} must have at most {MOST_BITS} bits, got a number of "
        f"{number.bit_length()} bits"
    )


def _number(name: str, value: object) -> int:
    if not isinstance(value, bool):
        try:
            return int(index(value))  # type: ignore[arg-type]
        except TypeError:
            pass
    message = f"{name} must be an integer, got {quoted(value)} ({type(value).__name__})"
    raise TypeError(message)


def integer_within(name: str, value: object, lowest: int, highest: int) -> int:
    """Return ``value`` as a plain `int` from ``lowest`` to ``highest``.

    Raises:
        TypeError: It is no integer.
        InvalidArgument: It is outside the range.
    """
    if type(value) is int and lowest <= value <= highest:
        return value  # the common case
    number = integer(name, value)
    if lowest <= number <= highest:
        return number
    raise InvalidArgument(f"{name} must be {lowest}..{highest}, got {number}")


def unsigned(name: str, value: object, bits: int = 64) -> int:
    """Return a register's word or an address as a plain `int` of at most ``bits`` bits.

    Raises:
        TypeError: It is no integer.
        InvalidArgument: It is negative or has more bits.
    """
    if type(value) is int and not value >> bits:
        return value  # the common case
    number = integer(name, value)
    if not number >> bits:  # a negative number has such bits too
        return number
    raise InvalidArgument(f"{name} must be 0..{(1 << bits) - 1:#x}, got {number:#x}")


def flag(name: str, value: object) -> bool:
    """Return ``value`` if it is a `bool`.

    Raises:
        TypeError: It is anything else, 0 and 1 included.
    """
    if isinstance(value, bool):
        return value
    message = f"{name} must be a bool, got {quoted(value)} ({type(value).__name__})"
    raise TypeError(message)
