# SPDX-License-Identifier: MIT
"""The options of the command line: each one once, with what it reads."""

import argparse
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from s2geom.core.errors import InvalidArgument, S2GeomError
from s2geom.core.granule import Granule
from s2geom.core.units import parse_size
from s2geom.core.wording import quoted
from s2geom.kernel.scheme import Scheme


def number(text: str) -> int:
    """Return a number in any of Python's spellings."""
    try:
        if text.isascii():  # int() takes every script's digits
            return int(text, 0)
    except ValueError:
        pass
    raise InvalidArgument(f"not a number: {quoted(text)}")


def _scheme(text: str) -> Scheme:
    try:
        return Scheme(text.lower())
    except ValueError:
        names = ", ".join(scheme.value for scheme in Scheme)
        raise InvalidArgument(
            f"scheme must be one of {names}, got {quoted(text)}"
        ) from None


def _reading(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let our own sentence reach the user: argparse hides that of a ValueError."""

    def typed(text: str) -> object:
        try:
            return read(text)
        except S2GeomError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


@frozen
class Option:
    """One argument, shared by the commands that take it.

    Args:
        flags: Its spellings.
        settings: What argparse wants to know.
    """

    flags: tuple[str, ...]
    settings: dict[str, Any]


def option(
    *flags: str, read: Callable[[str], Any] | None = None, **settings: Any
) -> Option:
    """Return a required option; `read` turns its text into a value."""
    if read is not None:
        settings["type"] = _reading(read)
    return Option(flags, settings)


def _optional(option: Option) -> Option:
    return evolve(option, settings=option.settings | {"required": False})


PAGE_SIZE = option(
    "--page-size",
    read=Granule.parse,
    required=True,
    metavar="SIZE",
    help="page size: 4K, 16KiB, 65536",
)
IPA = option(
    "--ipa", read=number, required=True, metavar="BITS", help="guest IPA width in bits"
)
VA = option(
    "--va", read=number, default=48, metavar="BITS", help="host VA width (default 48)"
)
HOST_PA = option(
    "--host-pa",
    read=number,
    default=48,
    metavar="BITS",
    help="the host's CONFIG_ARM64_PA_BITS, 48 or 52 (default 48)",
)
PA = option(
    "--pa",
    read=number,
    metavar="BITS",
    help="the CPU's physical address size (PARange); without it, any CPU",
)
LPA2 = option("--lpa2", action="store_true", help="the CPU has LPA2 (needs --pa)")
SCHEME = option(
    "--scheme",
    read=_scheme,
    metavar="NAME",
    help="how KVM chooses: " + ", ".join(scheme.value for scheme in Scheme),
)
KERNEL = option(
    "--kernel",
    read=Scheme.for_release,
    dest="scheme",
    metavar="RELEASE",
    help="the same by kernel release: 6.1, v4.7, 5.10.0-30-arm64",
)
JSON = option("--json", action="store_true", help="print JSON")

CPU = (PA, LPA2)
ANY_CPU = (
    option(
        "--pa",
        read=number,
        required=True,
        metavar="BITS",
        help="the CPU's physical address size (PARange)",
    ),
    LPA2,
    option("--ttst", action="store_true", help="the CPU has FEAT_TTST"),
    option("--aarch32", action="store_true", help="EL1 can be AArch32"),
)
HOST = (PAGE_SIZE, VA, HOST_PA, SCHEME, KERNEL, *CPU)

MAP = option("map", help="memory map: lines of ADDRESS, LENGTH, TYPE, LABEL")
IMAGE = (
    option("image", help="memory that holds the tables, as a plain file"),
    option(
        "--load",
        read=parse_size,
        required=True,
        metavar="ADDRESS",
        help="physical address of the file's first byte",
    ),
    option(
        "--root",
        read=parse_size,
        metavar="ADDRESS",
        help="physical address of the start level's table (default: --load)",
    ),
    option("--vtcr", metavar="WORD", help="the VTCR_EL2 that goes with them"),
    _optional(PAGE_SIZE),
    _optional(IPA),
    VA,
    HOST_PA,
    SCHEME,
    KERNEL,
    *CPU,
)
