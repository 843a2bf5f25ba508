# SPDX-License-Identifier: MIT
"""What an option is, and how the text of one is read.

Every number of the command line is read here or by `parse_size`, and both bound its
length: a bit width by `number`, a register's word by `parse_word`, an address or a
size by `parse_size`. The options themselves stand in `commands`.
"""

import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from s2geom.core.errors import InvalidArgument, S2GeomError
from s2geom.core.granule import Granule
from s2geom.core.units import parse_size
from s2geom.core.wording import quoted
from s2geom.kernel.scheme import Scheme

_DIGITS = re.compile(r"0x([0-9a-f]{1,16})|([0-9]{1,19})", re.ASCII | re.IGNORECASE)
_REGISTER_WORD = re.compile(r"(?:0x)?([0-9a-f]{1,24})", re.ASCII | re.IGNORECASE)


def number(text: str) -> int:
    """Return a number of bits or a VMID: decimal, or hexadecimal with 0x.

    Raises:
        InvalidArgument: It is no such number.
    """
    match = _DIGITS.fullmatch(text)
    if match is None:
        raise InvalidArgument(f"not a number: {quoted(text)}")
    return int(match[1], 16) if match[1] else int(match[2])


def parse_word(text: str) -> int:
    """Return a register's word as logs print it: hexadecimal, with or without 0x.

    Raises:
        InvalidArgument: It is no such word.
    """
    match = _REGISTER_WORD.fullmatch(text.replace("_", ""))
    if match is None:
        raise InvalidArgument(
            f"a register word is hexadecimal, like 0x80023558, got {quoted(text)}"
        )
    return int(match[1], 16)


def read_scheme(text: str) -> Scheme:
    """Return the scheme of a name.

    Raises:
        InvalidArgument: There is none.
    """
    try:
        return Scheme(text.lower())
    except ValueError:
        names = ", ".join(scheme.value for scheme in Scheme)
        raise InvalidArgument(
            f"scheme must be one of {names}, got {quoted(text)}"
        ) from None


def read_release(text: str) -> str:
    """Return a release as it is written, if it is one.

    Raises:
        S2GeomError: It is none, or older than every scheme.
    """
    Scheme.for_release(text)  # a release that is none is a usage error
    return text


@frozen
class LoadAddress:
    """Where a raw file is in memory.

    Args:
        address: Physical address of its first byte.
        file: The file, or None for the one that the command reads.
    """

    address: int
    file: str | None


def load_address(text: str) -> LoadAddress:
    """Return ``ADDRESS`` or ``ADDRESS=FILE``.

    Raises:
        InvalidArgument: The address is none, or the file has no name.
    """
    address, equals, file = text.partition("=")
    if equals and not file:
        raise InvalidArgument(f"no file after = in {quoted(text)}")
    return LoadAddress(parse_size(address), file or None)


def read_page_sizes(text: str) -> frozenset[Granule]:
    """Return page sizes with commas between them.

    Raises:
        InvalidArgument: One is no page size.
    """
    return frozenset(map(Granule.parse, text.split(",")))


def telling(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader whose own sentence is told: argparse hides a ValueError's."""

    def read_argument(text: str) -> object:
        try:
            return read(text)
        except S2GeomError as error:
            raise ArgumentTypeError(str(error)) from None

    return read_argument


@frozen
class Option:
    """One argument of a command.

    Args:
        flags: Its spellings.
        settings: What argparse is told; without an ``action`` it may be given once.
        is_flag: Whether it takes no value.
    """

    flags: tuple[str, ...]
    settings: dict[str, Any]
    is_flag: bool = False

    @property
    def has_value(self) -> bool:
        """Whether it is an option with a value, and neither a flag nor an argument."""
        return not self.is_flag and self.flags[0].startswith("-")

    def but(self, **settings: Any) -> "Option":
        """Return the option with other settings."""
        return evolve(self, settings=self.settings | settings)

    @property
    def dest(self) -> str:
        """The attribute that its value becomes."""
        name = self.flags[0].lstrip("-").replace("-", "_")
        return str(self.settings.get("dest", name))


def is_given(args: Namespace, dest: str) -> bool:
    """Return whether an option is among the arguments."""
    value = getattr(args, dest, None)
    return value is not None and value is not False


def or_else(value: int | None, default: int) -> int:
    """Return the value of an option, or its default; 0 is a value."""
    return default if value is None else value


def option(
    *flags: str, read: Callable[[str], Any] | None = None, **settings: Any
) -> Option:
    """Return an option with a value, or an argument; `read` turns text into a value."""
    if read is not None:
        settings["type"] = telling(read)
    return Option(flags, settings)


def switch(name: str, help: str) -> Option:  # noqa: A002 - argparse's word
    """Return an option without a value."""
    return Option((name,), {"help": help}, is_flag=True)


def width(name: str, help: str, **settings: Any) -> Option:  # noqa: A002
    """Return an option for a width in bits."""
    return option(name, read=number, metavar="BITS", help=help, **settings)


def address(name: str, help: str, **settings: Any) -> Option:  # noqa: A002
    """Return an option for an address in bytes."""
    settings = {"metavar": "ADDRESS"} | settings
    return option(name, read=parse_size, help=help, **settings)


def size(name: str, help: str) -> Option:  # noqa: A002
    """Return an option for a size in bytes."""
    return address(name, help, metavar="SIZE")


def word(name: str, help: str) -> Option:  # noqa: A002
    """Return an option for a register's word."""
    return option(name, read=parse_word, metavar="WORD", help=help)
