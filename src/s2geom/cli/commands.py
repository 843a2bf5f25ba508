# SPDX-License-Identifier: MIT
"""The tables of options and commands, and the parser that is made from them.

A command is a row: its name, its options, and the function that answers. A new command
is a new row, and so are two options of which one would have no effect.
"""

import argparse
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import islice
from typing import Any

from attrs import frozen

from s2geom.cli.channels import STANDARD_INPUT
from s2geom.cli.options import (
    Option,
    address,
    is_given,
    load_address,
    number,
    option,
    read_page_sizes,
    read_release,
    read_scheme,
    size,
    switch,
    width,
    word,
)
from s2geom.cli.report import Refused, Report
from s2geom.core.errors import UnsupportedCombination
from s2geom.core.granule import Granule
from s2geom.core.units import parse_size
from s2geom.kernel.scheme import Scheme

WORD_KINDS = ("vtcr", "vttbr", "ste", "esr", *(f"mmfr{n}" for n in range(4)), "nested")
"""What can be decoded."""


@frozen
class Command:
    """A command of the program.

    Args:
        name: What is typed.
        help: One line about it.
        options: What it takes.
        runs: The function that answers, as ``module.function``. It is imported when it
            runs, so that a question about a shape does not wait for the walker to load.
        memory_advice: Advice for an out-of-memory error.
    """

    name: str
    help: str
    options: tuple[Option, ...]
    runs: str
    memory_advice: str = ""

    def run(self, args: argparse.Namespace) -> Report:
        """Return the answer."""
        module, function = self.runs.split(".")
        answer = getattr(import_module(f"s2geom.cli.{module}"), function)
        try:
            report: Report = answer(args)
        except UnsupportedCombination as refusal:
            report = Report({"scheme": None})
            report.refuse(refusal.violations)
        except Refused as refusal:
            report = refusal.report
        return report


# What several commands take

PAGE_SIZE = option(
    "--page-size",
    read=Granule.parse,
    required=True,
    metavar="SIZE",
    help="page size: 4K, 16KiB, 65536",
)
IPA = width("--ipa", "guest IPA width in bits", required=True)
VA = width("--va", "host VA width (default 48)")
HOST_PA = width("--host-pa", "the host's CONFIG_ARM64_PA_BITS, 48 or 52 (default 48)")
PA = width("--pa", "the CPU's PARange: 32, 36, 40, 42, 44, 48, 52; without it, any CPU")
LPA2 = switch("--lpa2", "the CPU has LPA2 (needs --pa)")
SCHEME = option(
    "--scheme",
    read=read_scheme,
    metavar="NAME",
    help="the formula: " + ", ".join(scheme.value for scheme in Scheme),
)
KERNEL = option(
    "--kernel",
    read=read_release,
    metavar="RELEASE",
    help="that release's own answer: 6.1, v4.7, 5.10.0-30-arm64",
)
JSON = switch("--json", "print JSON")

TTST = switch("--ttst", "the CPU has FEAT_TTST")
AARCH32 = switch("--aarch32", "EL1 can be AArch32")

CPU = (PA, LPA2)
NAMED_CPU = (PA.but(required=True, help="the CPU's PARange"), LPA2, TTST, AARCH32)
"""The CPU of a question that is about nothing but the architecture."""

PROTECTED = switch("--protected", "kvm-arm.mode=protected (needs --pa)")
HOST = (PAGE_SIZE, VA, HOST_PA, SCHEME, KERNEL, *CPU, PROTECTED)
VTCR = word("--vtcr", "the VTCR_EL2 that goes with it")
MAP = option(
    "map",
    metavar="MAP",
    help="memory map: lines of ADDRESS, LENGTH, TYPE, LABEL; or /proc/iomem, or "
    "memory nodes of a device tree or a kernel's log; - is standard input",
)

# What one command takes

RAM_BASE = address("--ram-base", "where the memory begins: 1G, 0x4000_0000")
RAM = size("--ram", "how much there is: 64G")

CSV = switch("--csv", "print CSV")
SUMMARY = switch("--summary", "count mappings and bytes by level and attributes")
INVALID_TOO = switch("--invalid", "list invalid descriptors that are not zero, too")
COMPARE = option(
    "--compare",
    metavar="FILE",
    help="compare with a stage2_page_tables of KVM's debugfs: 0 equal, 1 not",
)
FROM = address("--from", "where to begin", dest="start", metavar="IPA")
TO = address("--to", "where to end", dest="end", metavar="IPA")

ROOT = address("--root", "physical address of the start level's table")
VTTBR = word("--vttbr", "the VTTBR_EL2 that holds the root")
FWB = switch("--fwb", "HCR_EL2.FWB is set")
HCR = word("--hcr", "the HCR_EL2 that goes with the tables, for its FWB")
IMAGE = (
    option(
        "image",
        nargs="?",
        help="memory that holds the tables: an ELF core, a kdump, or raw with --load; "
        "- is standard input",
    ),
    option(
        "--load",
        read=load_address,
        metavar="ADDRESS[=FILE]",
        action="append",
        help="physical address of a raw file's first byte; with =FILE, a piece of "
        "memory, and may be given again",
    ),
    ROOT,
    VTTBR,
    VTCR,
    FWB,
    HCR,
    PAGE_SIZE.but(required=False),
    IPA.but(required=False),
    *HOST[1:],
)


@frozen
class Clash:
    """Two options of which one would have no effect.

    Args:
        option: The one that is refused.
        beside: The one that is given too, or (with ``missing``) is not.
        why: Why it would have no effect.
        missing: Whether ``option`` needs ``beside`` instead of excluding it.
    """

    option: Option
    beside: Option
    why: str
    missing: bool = False

    def fault(self, args: argparse.Namespace) -> str | None:
        """Return what is wrong with the arguments, or nothing."""
        is_there = is_given(args, self.option.dest)
        if not is_there or is_given(args, self.beside.dest) == self.missing:
            return None
        one, other = self.option.flags[0], self.beside.flags[0]
        joint = "without" if self.missing else "beside"
        return f"{one} has no effect {joint} {other}: {self.why}"


CLASHES = (
    Clash(SCHEME, KERNEL, "a release has its own limits"),
    Clash(LPA2, PA, "it is a fact about a CPU", missing=True),
    Clash(PROTECTED, PA, "every guest is as wide as the CPU allows", missing=True),
    *(Clash(unused, MAP, "the map has all memory") for unused in (RAM_BASE, RAM)),
    *(
        Clash(unused, VTCR, "the word has the shape itself")
        for unused in (SCHEME, KERNEL, VA, HOST_PA, PROTECTED)
    ),
    Clash(ROOT, VTTBR, "the word has the root itself"),
    Clash(FWB, HCR, "the word has FWB itself"),
    Clash(CSV, JSON, "both are the form of the answer"),
    Clash(CSV, SUMMARY, "a summary is no list of mappings"),
    *(
        Clash(unused, COMPARE, "the whole of the tables is compared")
        for unused in (CSV, SUMMARY, INVALID_TOO, FROM, TO)
    ),
)
"""Every command that takes the first option of a row refuses it as the row says."""

COMMANDS = (
    Command(
        "show",
        "the shape of stage 2 for a configuration, or why there is none",
        (*HOST, IPA),
        "shape_commands.show",
    ),
    Command(
        "config",
        "what a kernel .config allows: guest IPA sizes and their shapes",
        (
            option(
                "path",
                metavar="FILE",
                help=".config, /boot/config-* or /proc/config.gz; - is standard input",
            ),
            KERNEL.but(help="what uname -r prints, where the file does not say it"),
            IPA.but(required=False, help="ask about this guest IPA width alone"),
            PAGE_SIZE.but(required=False, help="page size, where the file has none"),
            VA.but(help="host VA width, where the file has none"),
            *CPU,
            PROTECTED,
        ),
        "config_command.config",
    ),
    Command(
        "split",
        "which table, indices and offset an IPA uses",
        (*HOST, IPA, option("address", read=parse_size, help="an IPA")),
        "shape_commands.split",
    ),
    Command(
        "fit",
        "the narrowest IPA that a guest's memory fits in, and whether it costs a level",
        (MAP.but(nargs="?"), *HOST, RAM_BASE, RAM),
        "map_commands.fit",
    ),
    Command(
        "macros",
        "the kernel's own macros: the fake levels beside the static scheme",
        (PAGE_SIZE, IPA, VA),
        "shape_commands.macros",
    ),
    Command(
        "choices",
        "every shape that the architecture allows on a CPU",
        (PAGE_SIZE, IPA, *NAMED_CPU),
        "shape_commands.choices",
    ),
    Command(
        "compare",
        "what KVM, io-pgtable and other hypervisors choose on a CPU",
        (PAGE_SIZE, IPA, *NAMED_CPU),
        "shape_commands.compare",
    ),
    Command(
        "decode",
        "what a register word means, and what is wrong with it",
        (
            option(
                "kind",
                choices=WORD_KINDS,
                help="which word; nested is the name of a dump in KVM's debugfs",
            ),
            option(
                "words", nargs="+", metavar="WORD", help="hexadecimal; STE takes two"
            ),
            VTCR,
            word("--hpfar", "the HPFAR_EL2 that goes with an esr"),
            word("--far", "the FAR_EL2 that goes with an esr"),
            width("--pa", "the CPU's PARange; for a ste, the SMMU's OAS"),
            switch("--lpa2", "the CPU has LPA2 (needs --pa); for a ste, IDR5.DS"),
            TTST,
            switch("--aarch32", "EL1 can be AArch32; for a ste, IDR0.TTF has AArch32"),
            switch("--stt", "for a ste: the SMMU has small tables, IDR3.STT"),
            switch("--vmid16", "for a ste: VMIDs have 16 bits, IDR0.VMID16"),
            option(
                "--granules",
                read=read_page_sizes,
                metavar="SIZES",
                help="for a ste: the SMMU's page sizes, such as 4K,64K (default all)",
            ),
        ),
        "decode_command.decode",
    ),
    Command(
        "build",
        "tables for a memory map, with the VTCR_EL2 and VTTBR_EL2 that go with them",
        (
            MAP,
            *HOST,
            IPA,
            address(
                "--base",
                "where the tables are: the PGD first, the others above it",
                required=True,
            ),
            switch("--pages", "pages alone, no blocks or groups"),
            option("--vmid", read=number, metavar="N", help="VMID (default 0)"),
            option(
                "--out",
                metavar="FILE",
                help="write the image of the tables; - writes it to standard output, "
                "and nothing else",
            ),
        ),
        "map_commands.build",
        memory_advice="what a map's tables take, s2geom footprint tells",
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
                help="the kind of access (default read)",
            ),
        ),
        "image_commands.walk_one",
    ),
    Command(
        "dump",
        "everything that an image of tables maps",
        (*IMAGE, FROM, TO, CSV, SUMMARY, INVALID_TOO, COMPARE),
        "image_commands.dump",
        memory_advice="--from and --to read a part of the tables",
    ),
    Command(
        "gdb-script",
        "the path of the file that gives gdb the commands s2 regs, s2 walk and s2 dump",
        (),
        "image_commands.gdb_script",
    ),
    Command(
        "footprint",
        "the memory that the tables for a memory map take",
        (
            MAP,
            *HOST,
            IPA,
            size("--backing", "how the host maps the guest's memory: 4K, 2M, 1G"),
        ),
        "map_commands.footprint_of_map",
    ),
)


# The parser


class UsageError(Exception):
    """The arguments are not understood; `args` holds the lines to print."""


class TextWanted(Exception):
    """The arguments ask for help, the version or a completion; it is the message."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of printing and exiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)
        self.color = False  # Python 3.14 would colour the help that is escaped later

    def error(self, message: str) -> Any:
        usage = self.format_usage().splitlines()
        raise UsageError(*usage, f"{self.prog}: error: {message}")

    def print_help(self, _: object = None) -> None:
        raise TextWanted(self.format_help())


class _CommandParser(_Parser):
    """A parser of what follows a command's name."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Move options to the front: after one, argparse skips optional arguments."""
        return super().parse_known_args([*self._options_first(args)], namespace)

    def _options_first(self, texts: Sequence[str]) -> Iterator[str]:
        command: Command = self.get_default("row")
        with_value = {row.flags[0] for row in command.options if row.has_value}
        rest: list[str] = []
        following = iter(texts)
        for text in following:
            if text == "--":
                rest += [text, *following]
            elif text in with_value:
                yield from (text, *islice(following, 1))
            elif self._is_option(text):
                yield text
            else:
                rest.append(text)
        yield from rest

    def _is_option(self, text: str) -> bool:
        if text == STANDARD_INPUT or not text.startswith("-"):
            return False
        if text.endswith("=--"):  # argparse fails on it up to Python 3.12
            self.error(f"argument {text[:-3]}: not a value: '--'")
        return True


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            raise TextWanted(f"s2geom {version('s2geom')}")
        except PackageNotFoundError:  # a copy of the sources alone
            raise TextWanted("s2geom, of unknown version") from None


SHELLS = ("bash", "zsh", "tcsh")
"""Shells that shtab completes for."""

FILES = {"image", "map", "path", "out", "compare"}
"""Arguments that name a file, by their attributes."""


class _Completion(argparse.Action):
    """Make the completion of a shell from the parser, with shtab."""

    def __call__(self, parser: Any, _: object, values: object, *__: object) -> None:
        try:
            import shtab  # noqa: PLC0415 - an extra
        except ImportError:
            why = "it needs shtab: pip install 's2geom[completion]'"
            raise argparse.ArgumentError(self, why) from None
        for action in _actions(parser):
            if action.dest in FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        raise TextWanted(shtab.complete(parser, shell=str(values)))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of the commands below it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other list
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield from _actions(below)


class _Once(argparse.Action):
    """Store an option that may be given once."""

    def __call__(self, _: object, namespace: Any, values: Any, *__: object) -> None:
        if getattr(namespace, self.dest) is not self.default:
            raise argparse.ArgumentError(self, "given twice")
        setattr(namespace, self.dest, True if self.nargs == 0 else values)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = _Parser(prog="s2geom", description="The geometry of Arm stage-2 page tables.")
    top.add_argument(
        "--version", action=_Version, nargs=0, help="print the version and leave"
    )
    top.add_argument(
        "--print-completion",
        action=_Completion,
        choices=SHELLS,
        help="print the completion for a shell and leave (needs shtab)",
    )
    below = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_CommandParser
    )
    for command in COMMANDS:
        sub = below.add_parser(
            command.name, help=command.help, description=command.help
        )
        for row in (*command.options, JSON):
            sub.add_argument(*row.flags, **_argparse_settings(row))
        sub.set_defaults(row=command, parser=sub)
    return top


def _argparse_settings(option: Option) -> dict[str, Any]:
    if option.is_flag:
        return option.settings | {"action": _Once, "nargs": 0, "default": False}
    return {"action": _Once} | option.settings if option.has_value else option.settings


def parse(arguments: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Return the command that is asked for, and its arguments.

    Raises:
        UsageError: They are not understood.
        TextWanted: They ask for help, the version or a completion.
    """
    args, unknown = parser().parse_known_args(arguments)
    if unknown:
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    command: Command = args.row
    for clash in CLASHES:
        if clash.option in command.options and (fault := clash.fault(args)):
            args.parser.error(fault)
    if _inputs(args).count(STANDARD_INPUT) > 1:
        args.parser.error("only one file can be -, standard input")
    return command, args


def _inputs(args: argparse.Namespace) -> list[str | None]:
    """Return the files that are read."""
    pieces = [load.file for load in getattr(args, "load", None) or ()]
    return pieces + [getattr(args, name, None) for name in FILES - {"out"}]
