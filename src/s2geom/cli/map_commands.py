# SPDX-License-Identifier: MIT
"""The commands about a guest's memory: fit, build, footprint."""

from argparse import Namespace
from bisect import bisect_left
from typing import Any

from attrs import asdict, evolve

from s2geom.build.builder import TableBuilder
from s2geom.build.footprint import TableCount, footprint
from s2geom.cli.channels import (
    STANDARD_INPUT,
    in_errors,
    name_of,
    read_text,
    write_file,
)
from s2geom.cli.image_commands import MAPPING_HEADER, mapping_row
from s2geom.cli.kernel_question import answer, host_of, question_of, shape_asked
from s2geom.cli.memory_map import Region, mapped_regions, parse_memory_map
from s2geom.cli.report import Report, address_span, picked
from s2geom.compare.shape_facts import geometry_data
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.core.wording import bits, counted
from s2geom.kernel.leaf import leaf_size
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.question import Question
from s2geom.tables.memory import Memory
from s2geom.tables.scan import scan

Regions = tuple[Region, ...]


def _regions_of(args: Namespace) -> Regions:
    text = read_text(args.map)
    with in_errors(name_of(args.map)):
        return parse_memory_map(text)


def _mapped(args: Namespace, report: Report) -> Regions:
    """Return the regions that tables map, and say where others are left out."""
    regions = _regions_of(args)
    mapped = mapped_regions(regions)
    if len(mapped) < len(regions):
        report.premises.append("of /proc/iomem only the RAM is mapped")
    return mapped


def _bytes(regions: Regions) -> int:
    return sum(region.size for region in regions)


# How wide


def fit(args: Namespace) -> Report:
    """Return the narrowest IPA that a guest's memory fits in, and what it costs."""
    regions = _memory_of(args)
    last = max(regions, key=lambda region: region.end)
    needed = max(IPA_MINIMUM, last.ipa_bits)
    question, premises = question_of(args, needed, newest=True)
    # Before v4.20, and on a protected host, there is one width alone.
    supported = question.supported()
    at = bisect_left(supported, needed)
    width = supported[at] if supported[at:] else needed
    question = question.at(width)
    report, shape = answer(question, premises)
    headroom = (1 << width) - last.end
    tell_memory = _tell_map if last.line else _tell_ram
    data, facts = tell_memory(report, regions, last)
    data |= {"end": last.end, "ipa_bits": needed, "headroom": headroom}
    report.data["fit"] = data
    if width > needed:
        facts["IPA"] = f"{bits(width)}, the narrowest of this kernel that has room"
    facts["headroom"] = f"{size_text(headroom)} to the end of the IPA space"
    if shape is not None:
        facts |= _cost(question, shape, data)
        report.data["geometry"] = geometry_data(shape)
    if at:
        narrower = supported[at - 1]
        facts[f"fits in {bits(narrower)}"] = _room_text(regions, narrower, data)
    report.facts(facts)
    return report


def _memory_of(args: Namespace) -> Regions:
    if args.map is not None:
        return _regions_of(args)
    base, size = args.ram_base, args.ram
    if base is None or size is None:
        raise InvalidArgument("give the memory: a map, or --ram-base and --ram")
    if size == 0:
        raise InvalidArgument("--ram must be at least 1 byte, got 0")
    return (Region(0, base, size, "NORMAL", "memory", base),)


Told = tuple[dict[str, Any], dict[str, object]]
"""What is said of a memory as data, and as facts."""


def _tell_ram(_: Report, regions: Regions, last: Region) -> Told:
    """Tell the one region that the options give."""
    first, end = address_span(last.ipa, last.size)
    return {"ram_base": last.ipa, "ram": last.size}, {
        "memory": f"{first} to {end}, {size_text(_bytes(regions))}",
        "IPA needed": bits(max(IPA_MINIMUM, last.ipa_bits)),
    }


def _tell_map(report: Report, regions: Regions, last: Region) -> Told:
    """Tell the regions of a map, and which of them costs the bits."""
    report.table(
        ("line", "region", "from", "to", "size", "IPA bits"),
        map(_region_row, regions),
    )
    needed = max(IPA_MINIMUM, last.ipa_bits)
    data: dict[str, Any] = {
        "regions": [*map(_region_data, regions)],
        "widest_region": _region_data(last),
    }
    size = size_text(_bytes(regions))
    facts: dict[str, object] = {
        "memory": f"{size} in {counted(len(regions), 'region')}",
        "IPA needed": f"{bits(needed)}, for {last.name}",
    }
    others = [region.ipa_bits for region in regions if region is not last]
    without = max(IPA_MINIMUM, *others) if others else needed
    if without < needed:
        data["without_it"] = without
        facts["without it"] = bits(without)
    return data, facts


def _region_row(region: Region) -> tuple[object, ...]:
    place = address_span(region.ipa, region.size)
    return region.line, region.label, *place, size_text(region.size), region.ipa_bits


def _region_data(region: Region) -> dict[str, Any]:
    return picked(region, "line", "label", "ipa", "size", "ipa_bits")


def _cost(
    question: Question, shape: Geometry, data: dict[str, Any]
) -> dict[str, object]:
    """Return what the width costs in levels, as facts; and put it in the data."""
    levels = {width: other.levels for width, other in question.shapes().items()}
    same = [width for width, count in levels.items() if count == shape.levels]
    narrower = levels.get(shape.ipa_bits - 1, shape.levels)
    data["same_levels"] = [same[0], same[-1]]
    data["costs_a_level"] = narrower < shape.levels
    widths = f", as for every IPA from {same[0]} to {same[-1]} bits"
    costs = "no: one bit less would not save one"
    if narrower < shape.levels:
        costs = f"yes: {shape.ipa_bits - 1} bits would take {narrower}"
    return {
        "levels": f"{shape.levels}{widths if len(same) > 1 else ''}",
        "root": f"{counted(shape.concatenation, 'table')}, "
        f"{size_text(shape.pgd_size)}, at level {shape.start_level}",
        "costs a level": costs,
    }


def _room_text(regions: Regions, width: int, data: dict[str, Any]) -> str:
    """Return how much of the memory a width has room for."""
    end = 1 << width
    if regions[0].line == 0:
        room = max(0, end - regions[0].ipa)
        text = f"{size_text(room)} from {regions[0].ipa:#x}"
    else:
        room = sum(max(0, min(region.end, end) - region.ipa) for region in regions)
        text = f"{size_text(room)} of {size_text(_bytes(regions))}"
        left = [region.label for region in regions if region.end > end]
        text += f"; beyond them: {', '.join(left)}" if left else ""
    data["room"] = {"ipa_bits": width, "bytes": room}
    return text


# Tables


def build(args: Namespace) -> Report:
    """Return the tables for a memory map, and the words that go with them."""
    report, shape = shape_asked(args, newest=True)
    if args.out == STANDARD_INPUT and args.json:
        raise InvalidArgument("--out - and --json both want standard output")
    tables = TableBuilder(shape, args.base)
    for region in _mapped(args, report):
        _map(tables, region, blocks=not args.pages)
    images = tables.images()
    vtcr, vttbr = tables.vtcr(), tables.vttbr(args.vmid or 0)
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
    mappings = scan(shape, tables.root, Memory(images).read, fwb=False)
    report.table(MAPPING_HEADER, map(mapping_row, mappings))
    report.premises.append("memory types are told as without HCR_EL2.FWB")
    if args.out is not None:
        _write(args, report, _flat(tables.root, images))
    return report


def _map(tables: TableBuilder, region: Region, *, blocks: bool) -> None:
    attributes = region.attributes
    if tables.geometry.lpa2:  # such a descriptor has no shareability of its own
        attributes = evolve(attributes, sh=None)
    with in_errors(region.name):
        tables.map(
            region.ipa, region.pa, region.size, attributes=attributes, blocks=blocks
        )


def _flat(base: int, images: dict[int, bytes]) -> bytearray:
    """Return the tables as one image that is loaded at the root's address."""
    flat = bytearray(max(at + len(image) for at, image in images.items()) - base)
    for address, image in images.items():
        flat[address - base : address - base + len(image)] = image
    return flat


def _write(args: Namespace, report: Report, image: bytearray) -> None:
    if args.out == STANDARD_INPUT:
        report.image = image
        return
    write_file(args.out, image, inputs=[args.map])
    report.data["image"] = args.out
    report.say(f"image for {report.data['root']:#x} written to {args.out}")


def footprint_of_map(args: Namespace) -> Report:
    """Return the tables and bytes that a memory map takes."""
    report, shape = shape_asked(args, newest=True)
    leaf = _leaf_of(args, shape)
    regions = _mapped(args, report)
    for region in regions:
        with in_errors(region.name):
            footprint(shape, [region.mapping])
    weight = footprint(shape, [region.mapping for region in regions], leaf=leaf)
    counts = {"worst: pages": weight.worst, "best: largest blocks": weight.best}
    if weight.kvm is not None:
        counts[f"KVM: leaves of {size_text(leaf or 0)}"] = weight.kvm
    report.data["mapped"] = weight.mapped
    report.data["footprint"] = dict(map(_count_data, counts.items()))
    report.say(f"{size_text(weight.mapped)} mapped")
    levels = [f"level {level.number}" for level in shape.table_levels]
    report.table(
        ("tables for", *levels, "all", "bytes"), map(_count_row, counts.items())
    )
    return report


def _count_row(row: tuple[str, TableCount]) -> tuple[object, ...]:
    name, count = row
    tables = [level.tables for level in count.levels]
    return name, *tables, count.tables, size_text(count.bytes)


def _leaf_of(args: Namespace, shape: Geometry) -> int | None:
    if args.backing is None:
        return None
    question, _ = question_of(args, args.ipa, newest=True)
    return leaf_size(shape, host_of(args), args.backing, scheme=question.kernel.scheme)


def _count_data(row: tuple[str, TableCount]) -> tuple[str, dict[str, Any]]:
    name, count = row
    counted = picked(count, "tables", "bytes", "pages")
    levels = {"levels": [*map(asdict, count.levels)]}
    return name.partition(":")[0].lower(), counted | levels
