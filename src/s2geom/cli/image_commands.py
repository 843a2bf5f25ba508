# SPDX-License-Identifier: MIT
"""The commands that read tables from a file: walk and dump."""

from argparse import Namespace
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from s2geom.cli.channels import progress_bar, read_bytes
from s2geom.cli.kernel_question import cpu_of, question_of
from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.kernel.scheme import Scheme
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import Attributes
from s2geom.tables.faults import Fault
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Mapping, scan
from s2geom.tables.walk import walk


def _tables(args: Namespace) -> tuple[Report, Geometry, int, Memory, VTCR_EL2 | None]:
    """Return a report, the shape, the root, the memory and VTCR_EL2, if given."""
    report = Report({"supported": True, "scheme": None})
    memory = Memory({args.load: read_bytes(args.image)})
    root = args.load if args.root is None else args.root
    if args.vtcr is not None:
        vtcr = VTCR_EL2.from_int(args.vtcr)
        shape = vtcr.geometry()
        for option, given, in_word in (
            ("--page-size", args.page_size, shape.granule),
            ("--ipa", args.ipa, shape.ipa_bits),
        ):
            if given not in {None, in_word}:
                raise InvalidArgument(
                    f"{option} {given} contradicts --vtcr, which says {in_word}"
                )
        return report, shape, root, memory, vtcr
    if args.page_size is None or args.ipa is None:
        raise InvalidArgument("give the shape: --vtcr, or --page-size and --ipa")
    question = question_of(args, Scheme.LPA2)
    report.data["scheme"] = question.scheme.value
    report.premises.extend(question.premises)
    report.premises.append(f"the shape is that of {question.kernel}")
    return report, question.stage2(args.ipa), root, memory, None


def walk_one(args: Namespace) -> Report:
    """Return where an IPA lands, or the fault."""
    report, shape, root, memory, vtcr = _tables(args)
    found = walk(
        shape,
        root,
        args.address,
        memory.read,
        cpu=cpu_of(args),
        vtcr=vtcr,
        access=args.access or "read",
    )
    report.data["ipa"] = args.address
    if isinstance(found, Fault):
        report.status = NOT_SUPPORTED
        report.data |= {
            "supported": False,
            "fault": {
                "kind": found.kind,
                "level": found.level,
                "status": found.status,
                "descriptor_address": found.descriptor_address,
            },
        }
        report.say(f"{args.address:#x}: {found.kind} fault, level {found.level}")
        if found.descriptor_address is not None:
            report.say(
                f"the walk stopped at the descriptor {found.descriptor_address:#x}"
            )
        return report
    report.data["translation"] = {
        "output_address": found.output_address,
        "level": found.level,
        "descriptor": hex(found.descriptor.word),
    }
    report.say(
        f"{args.address:#x} -> {found.output_address:#x}, "
        f"a {found.descriptor.kind} of level {found.level}"
    )
    report.say(*found.descriptor.explain())
    return report


MAPPING_HEADER = ("IPA", "to", "output address", "size", "level", "attributes")


def mapping_row(mapping: Mapping) -> tuple[object, ...]:
    """Return a mapping as a row of a table."""
    return (
        f"{mapping.ipa:#x}",
        f"{mapping.ipa + mapping.size - 1:#x}",
        f"{mapping.output_address:#x}",
        size_text(mapping.size),
        mapping.level,
        _attributes_text(mapping.attributes),
    )


@lru_cache(maxsize=256)
def _attributes_text(attributes: Attributes) -> str:
    return ", ".join(attributes.explain())


def _mapping_data(mapping: Mapping) -> dict[str, Any]:
    return {
        "ipa": mapping.ipa,
        "output_address": mapping.output_address,
        "size": mapping.size,
        "level": mapping.level,
        "attributes": hex(int(mapping.attributes)),
    }


def dump(args: Namespace) -> Report:
    """Return everything that an image of tables maps."""
    report, shape, root, memory, vtcr = _tables(args)
    mappings = scan(
        shape,
        root,
        memory.read,
        (
            0 if args.start is None else args.start,
            shape.ipa_size if args.end is None else args.end,
        ),
        cpu=cpu_of(args),
        vtcr=vtcr,
        progress=progress_bar(),
    )
    if args.json:
        report.data["mappings"] = map(_mapping_data, mappings)
    elif args.csv:
        report.lines = _csv(mappings)
    else:
        report.table(MAPPING_HEADER, map(mapping_row, mappings))
    return report


def _csv(mappings: Iterator[Mapping]) -> Iterator[str]:
    yield "ipa,output_address,size,level,attributes"
    for mapping in mappings:
        yield (
            f"{mapping.ipa:#x},{mapping.output_address:#x},{mapping.size:#x},"
            f"{mapping.level},{int(mapping.attributes):#x}"
        )
