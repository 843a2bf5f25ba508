# SPDX-License-Identifier: MIT
"""The commands about tables: build, walk, dump, footprint."""

import stat
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import evolve

from s2geom.build.builder import TableBuilder
from s2geom.build.footprint import TableCount, footprint
from s2geom.cli.decode import register_word
from s2geom.cli.memory_map import Region, parse_memory_map
from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.cli.which_kernel import host_of, question, scheme_of, scheme_text
from s2geom.compare.shape_facts import geometry_data
from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.kernel.leaf import leaf_size
from s2geom.kernel.scheme import Scheme
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.faults import Fault
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Mapping, scan
from s2geom.tables.walk import walk


def _bytes_of(path: str) -> bytes:
    try:
        if stat.S_ISCHR(Path(path).stat().st_mode):  # /dev/zero has no end
            raise UnreadableInput(f"cannot read {path}: it is a device, not a file")
        return Path(path).read_bytes()
    except OSError as error:
        raise UnreadableInput(f"cannot read {path}: {error.strerror}") from error


def _regions(asked: Namespace) -> tuple[Region, ...]:
    try:
        text = _bytes_of(asked.map).decode()
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"{asked.map} is no text: {error}") from error
    return parse_memory_map(text)


# Making tables


def build(asked: Namespace) -> Report:
    """Answer with the tables for a memory map, and the words that go with them."""
    report, shape = question(asked, asked.ipa)
    if shape is None:
        return report
    tables = TableBuilder(shape, asked.base)
    for region in _regions(asked):
        attributes = region.attributes
        if shape.lpa2:  # such a descriptor has no shareability of its own
            attributes = evolve(attributes, sh=None)
        try:
            tables.map(
                region.ipa,
                region.pa,
                region.size,
                attributes=attributes,
                blocks=not asked.pages,
            )
        except InvalidArgument as error:
            raise InvalidArgument(
                f"line {region.line} ({region.label}): {error}"
            ) from error
    images = tables.images()
    vtcr, vttbr = tables.vtcr(), tables.vttbr(asked.vmid)
    report.data |= {
        "geometry": geometry_data(shape),
        "root": tables.root,
        "vtcr": hex(vtcr),
        "vttbr": hex(vttbr),
        "tables": [
            {"address": address, "size": len(image)}
            for address, image in images.items()
        ],
    }
    total = sum(map(len, images.values()))
    report.facts(
        {
            "root": f"{tables.root:#x}",
            "VTCR_EL2": f"{int(vtcr):#x}",
            "VTTBR_EL2": f"{int(vttbr):#x}",
            "tables": f"{len(images) - 1} and the PGD, {size_text(total)}",
        }
    )
    report.table(
        MAPPING_HEADER, map(_mapping_row, scan(shape, tables.root, Memory(images).read))
    )
    if asked.out is not None:
        _write(asked.out, tables.root, images)
        report.data["image"] = asked.out
        report.say(f"image for {tables.root:#x} written to {asked.out}")
    return report


def _write(path: str, base: int, images: dict[int, bytes]) -> None:
    """Write the tables as one file that is loaded at the root's address."""
    end = max(address + len(image) for address, image in images.items())
    flat = bytearray(end - base)
    for address, image in images.items():
        flat[address - base : address - base + len(image)] = image
    try:
        Path(path).write_bytes(flat)
    except OSError as error:
        raise UnreadableInput(f"cannot write {path}: {error.strerror}") from error


# Reading tables


def _tables(asked: Namespace) -> tuple[Geometry, int, Memory, VTCR_EL2 | None]:
    """Return the shape, the root, the memory and VTCR_EL2, if that was given."""
    memory = Memory({asked.load: _bytes_of(asked.image)})
    root = asked.load if asked.root is None else asked.root
    if asked.vtcr is not None:
        vtcr = VTCR_EL2.from_int(register_word(asked.vtcr))
        shape = vtcr.geometry()
        for option, given, said in (
            ("--page-size", asked.page_size, shape.granule),
            ("--ipa", asked.ipa, shape.ipa_bits),
        ):
            if given not in {None, said}:
                raise InvalidArgument(
                    f"{option} {given} contradicts --vtcr, which says {said}"
                )
        return shape, root, memory, vtcr
    if asked.page_size is None or asked.ipa is None:
        raise InvalidArgument("give the shape: --vtcr, or --page-size and --ipa")
    shape = host_of(asked).stage2(asked.ipa, scheme=scheme_of(asked), cpu=asked.cpu)
    return shape, root, memory, None


def _shape_scheme(asked: Namespace) -> Scheme | None:
    """Return the scheme that the shape comes from; VTCR_EL2 needs none."""
    return scheme_of(asked) if asked.vtcr is None else None


def walk_one(asked: Namespace) -> Report:
    """Answer with where an IPA lands, or with the fault."""
    report = _walked(asked)
    scheme = _shape_scheme(asked)
    report.data["scheme"] = None if scheme is None else scheme.value
    if scheme is not None:
        report.say(f"the shape is that of {scheme_text(scheme)}")
    return report


def _walked(asked: Namespace) -> Report:
    shape, root, memory, vtcr = _tables(asked)
    found = walk(
        shape,
        root,
        asked.address,
        memory.read,
        cpu=asked.cpu,
        vtcr=vtcr,
        access=asked.access,
    )
    report = Report({"supported": True, "ipa": asked.address})
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
        report.say(f"{asked.address:#x}: {found.kind} fault, level {found.level}")
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
        f"{asked.address:#x} -> {found.output_address:#x}, "
        f"a {found.descriptor.kind} of level {found.level}"
    )
    report.say(*found.descriptor.explain(fwb=False))
    return report


MAPPING_HEADER = ("IPA", "to", "output address", "size", "level", "attributes")


def _mapping_row(mapping: Mapping) -> tuple[object, ...]:
    return (
        f"{mapping.ipa:#x}",
        f"{mapping.ipa + mapping.size - 1:#x}",
        f"{mapping.output_address:#x}",
        size_text(mapping.size),
        mapping.level,
        ", ".join(mapping.attributes.explain(fwb=False)),
    )


def _mapping_data(mapping: Mapping) -> dict[str, Any]:
    return {
        "ipa": mapping.ipa,
        "output_address": mapping.output_address,
        "size": mapping.size,
        "level": mapping.level,
        "attributes": hex(int(mapping.attributes)),
    }


def dump(asked: Namespace) -> Report:
    """Answer with everything that an image of tables maps."""
    shape, root, memory, vtcr = _tables(asked)
    start = 0 if asked.start is None else asked.start
    end = shape.ipa_size if asked.end is None else asked.end
    mappings = scan(
        shape,
        root,
        memory.read,
        (start, end),
        cpu=asked.cpu,
        vtcr=vtcr,
        progress=_progress_bar(),
    )
    scheme = _shape_scheme(asked)
    report = Report(
        {"supported": True, "scheme": None if scheme is None else scheme.value}
    )
    if asked.json:
        report.data["mappings"] = list(map(_mapping_data, mappings))
    elif asked.csv:
        report.lines = _csv(mappings)
    else:
        report.table(MAPPING_HEADER, map(_mapping_row, mappings))
        if scheme is not None:
            report.say(f"the shape is that of {scheme_text(scheme)}")
    return report


def _csv(mappings: Iterator[Mapping]) -> Iterator[str]:
    """Yield lines as they are found: a dump may be larger than memory."""
    yield "ipa,output_address,size,level,attributes"
    for mapping in mappings:
        yield (
            f"{mapping.ipa:#x},{mapping.output_address:#x},{mapping.size:#x},"
            f"{mapping.level},{int(mapping.attributes):#x}"
        )


BAR = 40


def _progress_bar() -> Callable[[int, int], object] | None:
    """Return what draws a bar on a terminal; elsewhere there is none."""
    stream = sys.stderr
    if not stream.isatty():
        return None
    drawn = -1

    def draw(done: int, total: int) -> None:
        nonlocal drawn
        filled = BAR * done // total if total else BAR
        if filled > drawn:
            drawn = filled
            stream.write(f"\r[{'#' * filled:<{BAR}}]")
            if done == total:  # leave the line as it was found
                stream.write("\r" + " " * (BAR + 2) + "\r")
            stream.flush()

    return draw


# Weighing tables


def weigh(asked: Namespace) -> Report:
    """Answer with the tables and bytes that a memory map takes."""
    report, shape = question(asked, asked.ipa)
    if shape is None:
        return report
    leaf = None
    if asked.backing is not None:
        leaf = leaf_size(shape, host_of(asked), asked.backing, scheme=scheme_of(asked))
    found = footprint(
        shape,
        [(region.ipa, region.size, region.pa) for region in _regions(asked)],
        leaf=leaf,
    )
    counts = {"worst: pages": found.worst, "best: largest blocks": found.best}
    if found.kvm is not None and leaf is not None:
        counts[f"KVM: leaves of {size_text(leaf)}"] = found.kvm
    report.data["mapped"] = found.mapped
    report.data["footprint"] = {
        name.partition(":")[0].lower(): _count_data(count)
        for name, count in counts.items()
    }
    report.say(f"{size_text(found.mapped)} mapped")
    levels = [f"level {level.number}" for level in shape.table_levels]
    report.table(
        ("tables for", *levels, "all", "bytes"),
        (
            (
                name,
                *(level.tables for level in count.levels),
                count.tables,
                size_text(count.bytes),
            )
            for name, count in counts.items()
        ),
    )
    return report


def _count_data(count: TableCount) -> dict[str, Any]:
    return {
        "tables": count.tables,
        "bytes": count.bytes,
        "pages": count.pages,
        "levels": [
            {
                "level": level.level,
                "tables": level.tables,
                "bytes": level.bytes,
                "leaves": level.leaves,
                "leaf_size": level.leaf_size,
                "contiguous": level.contiguous,
            }
            for level in count.levels
        ],
    }
