# SPDX-License-Identifier: MIT
"""The ``s2geom`` command: arguments in, a report out.

Here stands only how a question is asked; what answers is in the rooms beside it. Exit
code 0 means supported, 1 not supported (with the reason), 2 that the question could not
be understood or the input not read.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper

from attrs import frozen

from s2geom.cli.options import (
    ANY_CPU,
    CPU,
    HOST,
    IMAGE,
    IPA,
    JSON,
    KERNEL,
    MAP,
    PAGE_SIZE,
    SCHEME,
    VA,
    Option,
    number,
    option,
)
from s2geom.cli.report import Report
from s2geom.core.errors import InvalidArgument, S2GeomError, UnsupportedCombination
from s2geom.core.units import parse_size
from s2geom.cpu.cpu import Cpu

USAGE_ERROR = 2

KINDS = ("vtcr", "vttbr", "ste", "mmfr0", "mmfr1", "mmfr2", "mmfr3", "nested")
"""What can be decoded."""


@frozen
class Command:
    """A command of the program.

    Args:
        name: What is typed.
        help: One line about it.
        options: What it takes.
        runs: What answers: a module of ours and a function. Named and not imported, so
            that a question about a shape does not wait for the walker to load.
    """

    name: str
    help: str
    options: tuple[Option, ...]
    runs: str

    def run(self, asked: argparse.Namespace) -> Report:
        """Answer."""
        module, function = self.runs.split(".")
        report: Report = getattr(import_module(f"s2geom.cli.{module}"), function)(asked)
        return report


COMMANDS = (
    Command(
        "show",
        "the shape of stage 2 for a configuration, or why there is none",
        (*HOST, IPA),
        "kernel.show",
    ),
    Command(
        "config",
        "what a kernel .config allows: guest IPA sizes and their shapes",
        (
            option("path", help=".config, /boot/config-* or /proc/config.gz"),
            option("--kernel", metavar="RELEASE", help="release, where it has none"),
            *CPU,
        ),
        "kernel.config",
    ),
    Command(
        "split",
        "which table, indices and offset an IPA uses",
        (*HOST, IPA, option("address", read=parse_size, help="an IPA")),
        "kernel.split",
    ),
    Command(
        "fit",
        "the narrowest IPA that a guest's memory fits in, and whether it costs a level",
        (
            *HOST,
            option(
                "--ram-base",
                read=parse_size,
                required=True,
                metavar="ADDRESS",
                help="where the memory begins: 1G, 0x4000_0000",
            ),
            option(
                "--ram",
                read=parse_size,
                required=True,
                metavar="SIZE",
                help="how much there is: 64G",
            ),
        ),
        "kernel.fit",
    ),
    Command(
        "macros",
        "the kernel's own macros: the fake levels beside the static scheme",
        (PAGE_SIZE, IPA, VA),
        "kernel.macros",
    ),
    Command(
        "choices",
        "every shape that the architecture allows on a CPU",
        (PAGE_SIZE, IPA, *ANY_CPU),
        "cpu.choices",
    ),
    Command(
        "compare",
        "what KVM, io-pgtable, Xen, Hafnium and m1n1 choose on a CPU",
        (PAGE_SIZE, IPA, *ANY_CPU),
        "cpu.compare",
    ),
    Command(
        "decode",
        "what a register word means, and what is wrong with it",
        (
            option(
                "kind",
                choices=KINDS,
                help="which word; nested is the name of a dump in KVM's debugfs",
            ),
            option(
                "words", nargs="+", metavar="WORD", help="hexadecimal; STE takes two"
            ),
            option(
                "--vtcr", metavar="WORD", help="the VTCR_EL2 that goes with a vttbr"
            ),
            *CPU,
        ),
        "decode.decode",
    ),
    Command(
        "build",
        "tables for a memory map, with the VTCR_EL2 and VTTBR_EL2 that go with them",
        (
            MAP,
            *HOST,
            IPA,
            option(
                "--base",
                read=parse_size,
                required=True,
                metavar="ADDRESS",
                help="where the tables are: the PGD first, the others above it",
            ),
            option(
                "--pages", action="store_true", help="pages alone, no blocks or groups"
            ),
            option("--vmid", read=number, default=0, metavar="N", help="VMID"),
            option("--out", metavar="FILE", help="write the image of the tables"),
        ),
        "tables.build",
    ),
    Command(
        "walk",
        "where an IPA lands in an image of tables, or the fault",
        (
            *IMAGE,
            option("address", read=parse_size, help="an IPA"),
            option(
                "--access",
                choices=("read", "write", "execute"),
                default="read",
                help="the kind of access (default read)",
            ),
        ),
        "tables.walk_one",
    ),
    Command(
        "dump",
        "everything that an image of tables maps",
        (
            *IMAGE,
            option(
                "--from",
                dest="start",
                read=parse_size,
                metavar="IPA",
                help="where to begin",
            ),
            option(
                "--to", dest="end", read=parse_size, metavar="IPA", help="where to end"
            ),
            option("--csv", action="store_true", help="print CSV"),
        ),
        "tables.dump",
    ),
    Command(
        "footprint",
        "the memory that the tables for a memory map take",
        (
            MAP,
            *HOST,
            IPA,
            option(
                "--backing",
                read=parse_size,
                metavar="SIZE",
                help="how the host maps the guest's memory: 4K, 2M, 1G",
            ),
        ),
        "tables.weigh",
    ),
)


class _Version(argparse.Action):
    """Look the version up when it is asked for, and not for every command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"s2geom {version('s2geom')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="s2geom", description="The geometry of Arm stage-2 page tables."
    )
    top.add_argument(
        "--version", action=_Version, nargs=0, help="print the version and leave"
    )
    below = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        sub = below.add_parser(
            command.name, help=command.help, description=command.help
        )
        # --scheme and --kernel share a destination: make them exclusive. An empty
        # group breaks argparse's usage, so there is none where neither is an option.
        exclusive = [each for each in command.options if each in (SCHEME, KERNEL)]
        group = sub.add_mutually_exclusive_group() if exclusive else sub
        for each in (*command.options, JSON):
            among = group if each in exclusive else sub
            among.add_argument(*each.flags, **each.settings)
        sub.set_defaults(run=command.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    asked = parser().parse_args(arguments)
    try:
        asked.cpu = _cpu(asked)
        report = asked.run(asked)
    except UnsupportedCombination as refusal:
        report = Report({})
        report.refuse(refusal.violations)
    except S2GeomError as error:
        return _failed(str(error))
    except MemoryError:
        return _failed(OUT_OF_MEMORY)
    try:
        _print(report, as_json=asked.json)
    except BrokenPipeError:  # the reader has seen enough
        _print_no_more()
    except OSError as error:
        _print_no_more()
        return _failed(f"cannot write the answer: {error.strerror}")
    except S2GeomError as error:  # found while lines were already printed
        return _failed(str(error))
    return int(report.status)


OUT_OF_MEMORY = "out of memory; what a map's tables take, s2geom footprint tells"


def _print(report: Report, *, as_json: bool) -> None:
    if isinstance(sys.stdout, TextIOWrapper):  # a file's name may be in any encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    if report.lines is not None:
        for line in report.lines:
            print(line)
    else:
        print(report.json() if as_json else report.text())
    print(end="", flush=True)  # where there is no standard output, a print is none


def _print_no_more() -> None:
    """Let Python not complain at exit either, when it flushes what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: str) -> int:
    print(f"s2geom: error: {error}", file=sys.stderr)
    return USAGE_ERROR


def _cpu(asked: argparse.Namespace) -> Cpu | None:
    bits = getattr(asked, "pa", None)
    if bits is not None:
        return Cpu(
            bits,
            lpa2=asked.lpa2,
            ttst=getattr(asked, "ttst", False),
            aarch32_el1=getattr(asked, "aarch32", False),
        )
    if getattr(asked, "lpa2", False):
        raise InvalidArgument("--lpa2 is a fact about a CPU: give its --pa too")
    return None
