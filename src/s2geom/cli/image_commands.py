# SPDX-License-Identifier: MIT
"""The commands that read tables from files of memory: walk, dump and gdb-script."""

import mmap
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from s2geom.cli.channels import (
    image_path,
    in_errors,
    name_of,
    naming,
    progress_bar,
    read_text,
)
from s2geom.cli.kernel_question import cpu_asked, kernel_text, question_of
from s2geom.cli.options import LoadAddress, or_else
from s2geom.cli.report import Refused, Report, address_span, picked
from s2geom.core.errors import InvalidArgument, MemoryReadError, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.numbers import unsigned
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.in_gdb.commands import HCR_FWB, HCR_VM, SCRIPT
from s2geom.readers.formats import open_image
from s2geom.registers.root import Base
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.tables.attributes import Attributes
from s2geom.tables.faults import Fault
from s2geom.tables.kernel_dump import (
    KernelRun,
    columns_release,
    kernel_dump,
    parse_kernel_dump,
)
from s2geom.tables.memory import Memory, Read
from s2geom.tables.scan import Invalid, Mapping, scan
from s2geom.tables.walk import Translation, walk


@frozen
class Tables:
    """Tables in memory, as the options describe them.

    Args:
        report: The report of the command, with the premises so far.
        geometry: The shape.
        root: Physical address of the start level's table.
        read: The memory.
        vtcr: VTCR_EL2, or None where the shape was given instead.
        fwb: HCR_EL2.FWB, or None where nobody says.
    """

    report: Report
    geometry: Geometry
    root: int
    read: Read
    vtcr: VTCR_EL2 | None
    fwb: bool | None


def _tables_asked(args: Namespace) -> Tables:
    report = Report({"supported": True, "scheme": None})
    vtcr = None if args.vtcr is None else VTCR_EL2.from_int(args.vtcr)
    if vtcr is None:
        geometry = _geometry_of_kernel(args, report)
        pa_bits = 52 if geometry.lpa2 else 48
    else:
        geometry, pa_bits = _geometry_of_word(args, vtcr), vtcr.pa_bits
    read, load = _memory(args, report)
    base_of = partial(_root_of_word, geometry, pa_bits)
    root = _root_address(args, base_of, load, report)
    base = Base(unsigned("root", root), geometry, pa_bits)
    report.premises += _doubts(args, vtcr, base)
    tables = Tables(report, geometry, base.aligned, read, vtcr, _fwb(args, report))
    try:
        _refuse_empty(tables)
    except MemoryReadError as error:  # the walk or the scan says what of it is there
        _refuse_vttbr(args.root, base_of, error)
    return tables


def _doubts(args: Namespace, vtcr: VTCR_EL2 | None, base: Base) -> list[str]:
    """Return what is wrong with the words and the root, which are taken all the same.

    A walk gives what the CPU would do with them, and does not say why.
    """
    cpu = cpu_asked(args)
    broken = [] if vtcr is None else [*vtcr.lint(cpu)]
    vmid_bits = 16 if vtcr is None else vtcr.vmid_bits
    if args.vttbr is not None:
        shape, word = base.geometry, VTTBR_EL2.from_int(args.vttbr)
        broken += word.lint(
            cpu, geometry=shape, pa_bits=base.pa_bits, vmid_bits=vmid_bits
        )
    told = [f"taken as it is, though wrong: {why}" for why in broken]
    if base.address != base.aligned:
        told.append(
            f"the root is read at {base.aligned:#x}: the bits of {base.address:#x} "
            f"below its alignment, {base.alignment:#x} bytes, do not count"
        )
    return told


def _refuse_empty(tables: Tables) -> None:
    """Say that nothing is mapped, if bit 0 of every descriptor is clear."""
    words = tables.read(tables.root, tables.geometry.pgd_size)
    if not any(byte & 1 for byte in words[::8]):
        tables.report.data["supported"] = False
        tables.report.say(
            f"the root at {tables.root:#x} is empty: none of its "
            f"{tables.geometry.pgd_entries} entries is valid"
        )


def _geometry_of_word(args: Namespace, vtcr: VTCR_EL2) -> Geometry:
    geometry = vtcr.geometry()
    for option, given, in_word in (
        ("--page-size", args.page_size, geometry.granule),
        ("--ipa", args.ipa, geometry.ipa_bits),
    ):
        if given not in {None, in_word}:
            raise InvalidArgument(
                f"{option} {given} contradicts --vtcr, which says {in_word}"
            )
    return geometry


def _geometry_of_kernel(args: Namespace, report: Report) -> Geometry:
    if args.page_size is None or args.ipa is None:
        raise InvalidArgument("give the shape: --vtcr, or --page-size and --ipa")
    question, premises = question_of(args, args.ipa, newest=True)
    report.data["scheme"] = question.kernel.scheme.value
    report.data["release"] = question.kernel.release
    report.premises.extend(premises)
    report.premises.append(f"the shape is that of {kernel_text(question.kernel)}")
    shape = question.answer()
    if not isinstance(shape, Geometry):
        report.refuse(shape)
        raise Refused(report)
    return shape


OPTION_WORDS = {
    "leave load out; readers.raw takes any file as it is": "leave --load out",
    "byte (load)": "byte: --load ADDRESS",
    "load must": "--load must",
}
"""What the library calls an argument, and what the command does."""


def _memory(args: Namespace, report: Report) -> tuple[Read, int | None]:
    """Return what reads the memory, and the address of the one raw file."""
    loads: list[LoadAddress] = args.load or []
    address = loads[0].address if len(loads) == 1 else None
    if args.image is None:
        return _read_of_pieces(loads, report), address
    if loads[1:] or any(load.file for load in loads):
        raise InvalidArgument(
            f"{name_of(args.image)} is one file, so it takes one --load ADDRESS at "
            "most; several files are pieces, each as --load ADDRESS=FILE"
        )
    return _read_of_file(args.image, address, report), address


def _read_of_file(name: str, address: int | None, report: Report) -> Read:
    path = report.resources.enter_context(image_path(name))
    try:
        reader = open_image(path, address)
    except (InvalidArgument, UnreadableInput) as error:
        told = str(error).replace(path, name_of(name))
        for theirs, ours in OPTION_WORDS.items():
            told = told.replace(theirs, ours)
        raise type(error)(told) from error
    return report.resources.enter_context(reader).read


def _read_of_pieces(loads: list[LoadAddress], report: Report) -> Read:
    if not loads or not all(load.file for load in loads):
        raise InvalidArgument(
            "give the memory: a file, or pieces as --load ADDRESS=FILE"
        )
    chunks: dict[int, mmap.mmap] = {}
    for load in loads:
        if load.address in chunks:
            raise InvalidArgument(f"two pieces are loaded at {load.address:#x}")
        file = str(load.file)
        path = Path(report.resources.enter_context(image_path(file)))
        with path.open("rb") as opened, naming("map", file):
            chunks[load.address] = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    return Memory(chunks).read


BaseOf = Callable[[int], int]
"""The root that a VTTBR_EL2 names, in this geometry."""


def _root_of_word(geometry: Geometry, pa_bits: int, word: int) -> int:
    return VTTBR_EL2.from_int(word).root(geometry, pa_bits=pa_bits)


def _root_address(
    args: Namespace, base_of: BaseOf, load: int | None, report: Report
) -> int:
    if args.root is not None:
        return int(args.root)
    if args.vttbr is not None:
        return base_of(args.vttbr)
    if load is None:
        raise InvalidArgument("give the root: --vttbr WORD, or --root ADDRESS")
    report.premises.append(f"the root is at {load:#x}, the address of --load")
    return load


def _refuse_vttbr(root: int | None, base_of: BaseOf, error: MemoryReadError) -> None:
    """Refuse a VTTBR_EL2 that was given as the root's address."""
    if root is not None and root != base_of(root):
        raise InvalidArgument(
            f"--root {root:#x} is no address of this memory, and looks like a "
            f"VTTBR_EL2 with VMID {VTTBR_EL2.from_int(root).vmid} and the root at "
            f"{base_of(root):#x}: give it as --vttbr {root:#x}"
        ) from error


def _fwb(args: Namespace, report: Report) -> bool | None:
    if args.fwb:
        return True
    if args.hcr is None:
        report.premises.append(
            "HCR_EL2.FWB is not known (--fwb, --hcr WORD), so a memory type that "
            "depends on it is told both ways"
        )
        return None
    if not args.hcr & HCR_VM:
        report.premises.append("HCR_EL2.VM is 0: stage 2 was off with this word")
    return bool(args.hcr & HCR_FWB)


# One address


def walk_one(args: Namespace) -> Report:
    """Return where an IPA lands, or the fault."""
    tables = _tables_asked(args)
    report = tables.report
    result = walk(
        tables.geometry,
        tables.root,
        args.address,
        tables.read,
        cpu=cpu_asked(args),
        vtcr=tables.vtcr,
        access=args.access or "read",
        fwb=tables.fwb,
    )
    report.data |= {"ipa": args.address, "root": tables.root}
    if isinstance(result, Fault):
        _say_walk_fault(report, args.address, result)
    else:
        _say_translation(report, args.address, result)
    return report


def _say_walk_fault(report: Report, ipa: int, fault: Fault) -> None:
    word = fault.descriptor and hex(fault.descriptor.word)
    report.data |= {
        "supported": False,
        "fault": {
            **picked(fault, "kind", "level", "status", "descriptor_address"),
            "descriptor": word,
        },
    }
    lines = [f"{ipa:#x}: {fault.kind} fault, level {fault.level}"]
    if fault.descriptor_address is not None:
        shown = f" = {word}" if word else ""
        lines.append(
            f"the walk stopped at the descriptor {fault.descriptor_address:#x}{shown}"
        )
    report.paragraphs.insert(0, lines)


def _say_translation(report: Report, ipa: int, found: Translation) -> None:
    report.data["translation"] = {
        **picked(found, "output_address", "level"),
        "descriptor": hex(found.descriptor.word),
    }
    report.say(
        f"{ipa:#x} -> {found.output_address:#x}, "
        f"a {found.descriptor.kind} of level {found.level}"
    )
    report.say(*found.descriptor.explain(fwb=found.fwb))


# All of them

MAPPING_HEADER = ("IPA", "to", "output address", "size", "level", "attributes")


def mapping_row(run: Mapping | Invalid) -> tuple[object, ...]:
    """Return a mapping, or invalid descriptors, as a row of a table."""
    output = None if isinstance(run, Invalid) else f"{run.output_address:#x}"
    place = address_span(run.ipa, run.size)
    return (*place, output, size_text(run.size), run.level, _run_text(run))


def _run_text(run: Mapping | Invalid) -> str:
    if isinstance(run, Invalid):
        return f"invalid descriptors, {run.word:#x}"
    return _attributes_text(run.attributes, run.fwb)


@lru_cache(maxsize=256)
def _attributes_text(attributes: Attributes, fwb: bool | None) -> str:
    return ", ".join(attributes.explain(fwb=fwb))


def _data(run: Mapping | Invalid) -> dict[str, Any]:
    if isinstance(run, Invalid):
        return {**picked(run, "ipa", "size", "level"), "invalid": hex(run.word)}
    return {
        **picked(run, "ipa", "output_address", "size", "level"),
        "attributes": hex(int(run.attributes)),
    }


def dump(args: Namespace) -> Report:
    """Return everything that tables map, a summary, or how a kernel's text differs."""
    tables = _tables_asked(args)
    report = tables.report
    report.data["root"] = tables.root
    if args.compare is not None:
        _compare(report, tables, args.compare)
        return report
    runs = scan(
        tables.geometry,
        tables.root,
        tables.read,
        (or_else(args.start, 0), or_else(args.end, tables.geometry.ipa_size)),
        cpu=cpu_asked(args),
        vtcr=tables.vtcr,
        progress=progress_bar(streams=not args.summary),
        fwb=tables.fwb,
        invalid=args.invalid,
    )
    form = next((form for name, form in DUMP_FORMS if getattr(args, name)), _list)
    form(report, runs)
    return report


Runs = Iterator[Mapping | Invalid]


def _list(report: Report, runs: Runs) -> None:
    report.table(MAPPING_HEADER, map(mapping_row, runs))


def _list_as_json(report: Report, runs: Runs) -> None:
    report.data["mappings"] = map(_data, runs)


def _list_as_csv(report: Report, runs: Runs) -> None:
    header = "ipa,output_address,size,level,attributes,invalid"
    report.lines = chain([header], map(_csv_line, runs))


def _csv_line(run: Mapping | Invalid) -> str:
    if isinstance(run, Invalid):
        return f"{run.ipa:#x},,{run.size:#x},{run.level},,{run.word:#x}"
    return (
        f"{run.ipa:#x},{run.output_address:#x},{run.size:#x},{run.level},"
        f"{int(run.attributes):#x},"
    )


def _summarize(report: Report, runs: Runs) -> None:
    """Count mappings and bytes by level and attributes."""
    counts, sizes = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    mapped = 0
    for run in runs:
        key = run.level, _run_text(run)
        counts[key] += 1
        sizes[key] += run.size
        mapped += 0 if isinstance(run, Invalid) else run.size
    report.data |= {"mapped": mapped, "summary": []}
    rows: list[tuple[object, ...]] = []
    for level, text in sorted(counts):
        count, size = counts[level, text], sizes[level, text]
        row = {"level": level, "attributes": text, "runs": count, "bytes": size}
        report.data["summary"].append(row)
        rows.append((level, count, size_text(size), text))
    report.say(f"{size_text(mapped)} mapped")
    report.table(("level", "runs", "size", "attributes"), rows)


DUMP_FORMS = (("summary", _summarize), ("json", _list_as_json), ("csv", _list_as_csv))
"""Options that ask for another form than a table; the first that is given."""


# A kernel's own text


def _compare(report: Report, tables: Tables, path: str) -> None:
    """Compare the tables with what a kernel printed about them."""
    text, width = read_text(path), tables.geometry.ipa_bits
    with in_errors(name_of(path)):
        theirs = parse_kernel_dump(text, ipa_bits=width)
    release = _release_of_columns(theirs)
    lines = kernel_dump(
        tables.geometry, tables.root, tables.read, release=release, vtcr=tables.vtcr
    )
    ours = parse_kernel_dump("\n".join(lines), ipa_bits=width)
    forgiven = not theirs or theirs[-1].ipa + theirs[-1].size <= ours[-1].ipa
    differences = _differences(theirs, ours[:-1] if forgiven else ours)
    report.premises.append(f"the columns are those of Linux v{release}")
    if forgiven:
        report.premises.append(
            "the file lacks the last run, as kernels before v7.3 never print it"
        )
    report.data["compare"] = {
        "runs": len(theirs),
        "last_run_missing": forgiven,
        "differences": [{"in": side, **asdict(run)} for side, run in differences],
    }
    _say_differences(report, len(theirs), differences)


def _release_of_columns(runs: Sequence[KernelRun]) -> str:
    releases = (columns_release(run.flags) for run in runs)
    return next(filter(None, releases), "6.12")


def _differences(
    theirs: Sequence[KernelRun], ours: Sequence[KernelRun]
) -> list[tuple[str, KernelRun]]:
    """Return the runs of one side alone, by address."""
    in_both = {*theirs} & {*ours}
    sides = (*zip(repeat("kernel"), theirs), *zip(repeat("tables"), ours))
    alone = (pair for pair in sides if pair[1] not in in_both)
    return sorted(alone, key=lambda pair: (pair[1].ipa, pair[0]))


def _say_differences(
    report: Report, runs: int, differences: Sequence[tuple[str, KernelRun]]
) -> None:
    if not differences:
        report.say(f"equal: {counted(runs, 'run')}")
        return
    report.data["supported"] = False
    report.say(f"not equal: {counted(len(differences), 'run')} of one side alone")
    report.table(
        ("in", "IPA", "to", "size", "level", "flags"),
        map(_difference_row, differences),
    )


def _difference_row(difference: tuple[str, KernelRun]) -> tuple[object, ...]:
    side, run = difference
    place, flags = address_span(run.ipa, run.size), run.flags or "hole"
    return side, *place, size_text(run.size), run.level, flags


# In gdb


def gdb_script(_: Namespace) -> Report:
    """Return the path of the file that is given to gdb's ``source``."""
    if not SCRIPT.is_file():  # in an archive, where gdb cannot read it
        raise UnreadableInput(
            f"{SCRIPT} is no file of its own: unpack the archive, or install the "
            "package"
        )
    report = Report({"supported": True, "scheme": None, "script": str(SCRIPT)})
    report.say(str(SCRIPT))
    return report
