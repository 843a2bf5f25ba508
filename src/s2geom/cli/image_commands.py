# SPDX-License-Identifier: MIT
"""The commands that read tables from files of memory: walk, dump and gdb-script."""

import mmap
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import frozen

from s2geom.cli.channels import image_path, name_of, progress_bar, read_text
from s2geom.cli.kernel_question import cpu_of, kernel_text, question_of
from s2geom.cli.options import LoadAddress
from s2geom.cli.report import NOT_SUPPORTED, NoTables, Report
from s2geom.core.errors import InvalidArgument, MemoryReadError, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.in_gdb.commands import HCR_FWB, HCR_VM, SCRIPT
from s2geom.readers.formats import open_image
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
from s2geom.tables.walk import walk


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
        empty: Whether no entry of the root is valid.
    """

    report: Report
    geometry: Geometry
    root: int
    read: Read
    vtcr: VTCR_EL2 | None
    fwb: bool | None
    empty: bool


def _tables(args: Namespace) -> Tables:
    report = Report({"supported": True, "scheme": None})
    vtcr = None if args.vtcr is None else VTCR_EL2.from_int(args.vtcr)
    geometry = _geometry(args, vtcr, report)
    read, load = _memory(args, report)
    root = _root(args, geometry, vtcr, load, report)
    try:
        words = read(root, geometry.pgd_size)
        empty = not any(byte & 1 for byte in words[::8])
    except MemoryReadError as error:
        _refuse_vttbr(args, geometry, vtcr, error)
        empty = False  # the walk or the scan says how much of it is there
    if empty:
        report.status = NOT_SUPPORTED
        report.data["supported"] = False
        report.say(
            f"the root at {root:#x} is empty: none of its {geometry.pgd_entries} "
            "entries is valid"
        )
    return Tables(report, geometry, root, read, vtcr, _fwb(args, report), empty)


def _geometry(args: Namespace, vtcr: VTCR_EL2 | None, report: Report) -> Geometry:
    if vtcr is not None:
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
        raise NoTables(report)
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
    pieces = [load for load in loads if load.file is not None]
    if args.image is None:
        if not loads or len(pieces) < len(loads):
            raise InvalidArgument(
                "give the memory: a file, or pieces as --load ADDRESS=FILE"
            )
        return _read_of_pieces(pieces, report), pieces[0].address if len(
            pieces
        ) == 1 else None
    if pieces or len(loads) > 1:
        raise InvalidArgument(
            f"{name_of(args.image)} is one file, so it takes one --load ADDRESS at "
            "most; several files are pieces, each as --load ADDRESS=FILE"
        )
    load = loads[0].address if loads else None
    path = report.resources.enter_context(image_path(args.image))
    try:
        reader = open_image(path, load)
    except (InvalidArgument, UnreadableInput) as error:
        told = str(error).replace(path, name_of(args.image))
        for theirs, ours in OPTION_WORDS.items():
            told = told.replace(theirs, ours)
        raise type(error)(told) from error
    return report.resources.enter_context(reader).read, load


def _read_of_pieces(pieces: list[LoadAddress], report: Report) -> Read:
    chunks: dict[int, mmap.mmap] = {}
    for address, file in ((piece.address, str(piece.file)) for piece in pieces):
        if address in chunks:
            raise InvalidArgument(f"two pieces are loaded at {address:#x}")
        path = Path(report.resources.enter_context(image_path(file)))
        with path.open("rb") as opened:
            try:
                chunks[address] = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
            except (OSError, ValueError) as error:
                raise UnreadableInput(f"cannot map {name_of(file)}: {error}") from error
    return Memory(chunks).read


def _root(
    args: Namespace,
    geometry: Geometry,
    vtcr: VTCR_EL2 | None,
    load: int | None,
    report: Report,
) -> int:
    if args.root is not None:
        return int(args.root)
    if args.vttbr is not None:
        return _base(args.vttbr, geometry, vtcr)
    if load is None:
        raise InvalidArgument("give the root: --vttbr WORD, or --root ADDRESS")
    report.premises.append(f"the root is at {load:#x}, the address of --load")
    return load


def _base(word: int, geometry: Geometry, vtcr: VTCR_EL2 | None) -> int:
    widest = 52 if geometry.lpa2 else 48
    pa_bits = widest if vtcr is None else vtcr.pa_bits
    return VTTBR_EL2.from_int(word).root(geometry, pa_bits=pa_bits)


def _refuse_vttbr(
    args: Namespace,
    geometry: Geometry,
    vtcr: VTCR_EL2 | None,
    error: MemoryReadError,
) -> None:
    """Refuse a VTTBR_EL2 that was given as the root's address."""
    root = args.root
    if root is not None and not root >> 64 and root != _base(root, geometry, vtcr):
        word = VTTBR_EL2.from_int(root)
        raise InvalidArgument(
            f"--root {root:#x} is no address of this memory, and looks like a "
            f"VTTBR_EL2 with VMID {word.vmid} and the root at "
            f"{_base(root, geometry, vtcr):#x}: give it as --vttbr {root:#x}"
        ) from error


def _fwb(args: Namespace, report: Report) -> bool | None:
    if args.hcr is None:
        if not args.fwb:
            report.premises.append(
                "HCR_EL2.FWB is not known (--fwb, --hcr WORD), so a memory type that "
                "depends on it is told both ways"
            )
        return args.fwb or None
    if not args.hcr & HCR_VM:
        report.premises.append("HCR_EL2.VM is 0: stage 2 was off with this word")
    return bool(args.hcr & HCR_FWB)


# One address


def walk_one(args: Namespace) -> Report:
    """Return where an IPA lands, or the fault."""
    tables = _tables(args)
    report = tables.report
    result = walk(
        tables.geometry,
        tables.root,
        args.address,
        tables.read,
        cpu=cpu_of(args),
        vtcr=tables.vtcr,
        access=args.access or "read",
        fwb=tables.fwb,
    )
    report.data |= {"ipa": args.address, "root": tables.root}
    if isinstance(result, Fault):
        report.status = NOT_SUPPORTED
        report.data |= {
            "supported": False,
            "fault": {
                "kind": result.kind,
                "level": result.level,
                "status": result.status,
                "descriptor_address": result.descriptor_address,
                "descriptor": result.descriptor and hex(result.descriptor.word),
            },
        }
        lines = [f"{args.address:#x}: {result.kind} fault, level {result.level}"]
        if result.descriptor_address is not None:
            lines.append(
                f"the walk stopped at the descriptor {result.descriptor_address:#x}"
                + (f" = {result.descriptor.word:#x}" if result.descriptor else "")
            )
        report.paragraphs.insert(0, lines)
        return report
    report.data["translation"] = {
        "output_address": result.output_address,
        "level": result.level,
        "descriptor": hex(result.descriptor.word),
    }
    report.say(
        f"{args.address:#x} -> {result.output_address:#x}, "
        f"a {result.descriptor.kind} of level {result.level}"
    )
    report.say(*result.descriptor.explain(fwb=tables.fwb))
    return report


# All of them

MAPPING_HEADER = ("IPA", "to", "output address", "size", "level", "attributes")


def mapping_row(run: Mapping | Invalid) -> tuple[object, ...]:
    """Return a mapping, or invalid descriptors, as a row of a table."""
    place = (f"{run.ipa:#x}", f"{run.ipa + run.size - 1:#x}")
    size = size_text(run.size)
    if isinstance(run, Invalid):
        return (*place, None, size, run.level, _invalid_text(run))
    return (
        *place,
        f"{run.output_address:#x}",
        size,
        run.level,
        _attributes_text(run.attributes, run.fwb),
    )


@lru_cache(maxsize=256)
def _attributes_text(attributes: Attributes, fwb: bool | None) -> str:
    return ", ".join(attributes.explain(fwb=fwb))


def _invalid_text(run: Invalid) -> str:
    return f"invalid descriptors, {run.word:#x}"


def _data(run: Mapping | Invalid) -> dict[str, Any]:
    if isinstance(run, Invalid):
        return {
            "ipa": run.ipa,
            "size": run.size,
            "level": run.level,
            "invalid": hex(run.word),
        }
    return {
        "ipa": run.ipa,
        "output_address": run.output_address,
        "size": run.size,
        "level": run.level,
        "attributes": hex(int(run.attributes)),
    }


def dump(args: Namespace) -> Report:
    """Return everything that tables map, a summary, or how a kernel's text differs."""
    tables = _tables(args)
    report = tables.report
    report.data["root"] = tables.root
    if args.compare is not None:
        return _compared(args, tables)
    runs = scan(
        tables.geometry,
        tables.root,
        tables.read,
        (
            0 if args.start is None else args.start,
            tables.geometry.ipa_size if args.end is None else args.end,
        ),
        cpu=cpu_of(args),
        vtcr=tables.vtcr,
        progress=progress_bar(streams=not args.summary),
        fwb=tables.fwb,
        invalid=args.invalid,
    )
    if args.summary:
        _summarize(report, runs)
    elif args.json:
        report.data["mappings"] = map(_data, runs)
    elif args.csv:
        report.lines = _csv(runs)
    else:
        report.table(MAPPING_HEADER, map(mapping_row, runs))
    return report


def _csv(runs: Iterator[Mapping | Invalid]) -> Iterator[str]:
    yield "ipa,output_address,size,level,attributes,invalid"
    for run in runs:
        if isinstance(run, Invalid):
            yield f"{run.ipa:#x},,{run.size:#x},{run.level},,{run.word:#x}"
        else:
            yield (
                f"{run.ipa:#x},{run.output_address:#x},{run.size:#x},{run.level},"
                f"{int(run.attributes):#x},"
            )


def _summarize(report: Report, runs: Iterator[Mapping | Invalid]) -> None:
    """Count mappings and bytes by level and attributes."""
    counts, sizes = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    mapped = 0
    for run in runs:
        if isinstance(run, Invalid):
            text = _invalid_text(run)
        else:
            text = _attributes_text(run.attributes, run.fwb)
            mapped += run.size
        counts[run.level, text] += 1
        sizes[run.level, text] += run.size
    rows = sorted(counts)
    report.data["mapped"] = mapped
    report.data["summary"] = [
        {
            "level": level,
            "attributes": text,
            "runs": counts[level, text],
            "bytes": sizes[level, text],
        }
        for level, text in rows
    ]
    report.say(f"{size_text(mapped)} mapped")
    report.table(
        ("level", "runs", "size", "attributes"),
        (
            (level, counts[level, text], size_text(sizes[level, text]), text)
            for level, text in rows
        ),
    )


def _compared(args: Namespace, tables: Tables) -> Report:
    """Compare the tables with what a kernel printed about them."""
    report, geometry = tables.report, tables.geometry
    text = read_text(args.compare)
    try:
        kernel = parse_kernel_dump(text, ipa_bits=geometry.ipa_bits)
    except UnreadableInput as error:
        raise UnreadableInput(f"{name_of(args.compare)}: {error}") from error
    releases = (columns_release(run.flags) for run in kernel)
    release = next((release for release in releases if release), "6.12")
    lines = kernel_dump(
        geometry, tables.root, tables.read, release=release, vtcr=tables.vtcr
    )
    ours = parse_kernel_dump("\n".join(lines), ipa_bits=geometry.ipa_bits)
    end = kernel[-1].ipa + kernel[-1].size if kernel else 0
    forgiven = end <= ours[-1].ipa
    in_both = {*kernel} & {*ours}
    sides = ("kernel", kernel), ("tables", ours[: len(ours) - forgiven])
    differences = sorted(
        ((run, name) for name, runs in sides for run in runs if run not in in_both),
        key=lambda pair: (pair[0].ipa, pair[1]),
    )
    report.premises.append(f"the columns are those of Linux v{release}")
    if forgiven:
        report.premises.append(
            "the file lacks the last run, as kernels before v7.3 never print it"
        )
    report.data["compare"] = {
        "runs": len(kernel),
        "last_run_missing": forgiven,
        "differences": [{"in": name, **_run_data(run)} for run, name in differences],
    }
    if not differences:
        report.say(f"equal: {counted(len(kernel), 'run')}")
        return report
    report.status = NOT_SUPPORTED
    report.data["supported"] = False
    report.say(f"not equal: {counted(len(differences), 'run')} of one side alone")
    report.table(
        ("in", "IPA", "to", "size", "level", "flags"),
        (
            (
                name,
                f"{run.ipa:#x}",
                f"{run.ipa + run.size - 1:#x}",
                size_text(run.size),
                run.level,
                run.flags or "hole",
            )
            for run, name in differences
        ),
    )
    return report


def _run_data(run: KernelRun) -> dict[str, Any]:
    return {
        "ipa": run.ipa,
        "size": run.size,
        "level": run.level,
        "flags": run.flags,
    }


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
