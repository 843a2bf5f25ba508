# SPDX-License-Identifier: MIT
"""The commands about a guest's memory: fit, build, footprint."""

from argparse import Namespace
from typing import Any

from attrs import evolve

from s2geom.build.builder import TableBuilder
from s2geom.build.footprint import TableCount, footprint
from s2geom.cli.channels import STANDARD_INPUT, name_of, read_text, write_file
from s2geom.cli.image_commands import MAPPING_HEADER, mapping_row
from s2geom.cli.kernel_question import answer, host_of, question_of
from s2geom.cli.memory_map import Region, mapped_regions, parse_memory_map
from s2geom.cli.report import Report
from s2geom.compare.shape_facts import geometry_data
from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.core.wording import bits, counted
from s2geom.kernel.leaf import leaf_size
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.question import Question
from s2geom.tables.memory import Memory
from s2geom.tables.scan import scan


def _regions_of(args: Namespace) -> tuple[Region, ...]:
    text = read_text(args.map)
    try:
        return parse_memory_map(text)
    except UnreadableInput as error:
        raise UnreadableInput(f"{name_of(args.map)}: {error}") from error


def _mapped(args: Namespace, report: Report) -> tuple[Region, ...]:
    """Return the regions that tables map, and say where others are left out."""
    regions = _regions_of(args)
    mapped = mapped_regions(regions)
    if len(mapped) < len(regions):
        report.premises.append("of /proc/iomem only the RAM is mapped")
    return mapped


# How wide


def fit(args: Namespace) -> Report:
    """Return the narrowest IPA that a guest's memory fits in, and what it costs."""
    if args.map is None:
        if args.ram_base is None or args.ram is None:
            raise InvalidArgument("give the memory: a map, or --ram-base and --ram")
        if args.ram == 0:
            raise InvalidArgument("--ram must be at least 1 byte, got 0")
        base, size = args.ram_base, args.ram
        regions: tuple[Region, ...] = (Region(0, base, size, "NORMAL", "memory", base),)
    else:
        regions = _regions_of(args)
    last = max(regions, key=lambda region: region.end)
    needed = max(IPA_MINIMUM, last.ipa_bits)
    question, premises = question_of(args, needed, newest=True)
    # Before v4.20, and on a protected host, there is one width alone.
    supported = question.supported()
    width = next((wide for wide in supported if wide >= needed), needed)
    question = question.at(width)
    report, shape = answer(question, premises)
    total = sum(region.size for region in regions)
    headroom = (1 << width) - last.end
    report.data["fit"] = (
        {"ram_base": args.ram_base, "ram": args.ram}
        if last.line == 0
        else {
            "regions": [_region_data(region) for region in regions],
            "widest_region": _region_data(last),
        }
    )
    report.data["fit"] |= {
        "end": last.end,
        "ipa_bits": needed,
        "headroom": headroom,
    }
    facts: dict[str, object] = {}
    if last.line:
        report.table(
            ("line", "region", "from", "to", "size", "IPA bits"),
            (
                (
                    region.line,
                    region.label,
                    f"{region.ipa:#x}",
                    f"{region.end - 1:#x}",
                    size_text(region.size),
                    region.ipa_bits,
                )
                for region in regions
            ),
        )
        facts["memory"] = f"{size_text(total)} in {counted(len(regions), 'region')}"
        facts["IPA needed"] = f"{bits(needed)}, for {last.name}"
        others = [region.ipa_bits for region in regions if region is not last]
        without = max(IPA_MINIMUM, *others) if others else needed
        if without < needed:
            facts["without it"] = bits(without)
            report.data["fit"]["without_it"] = without
    else:
        facts["memory"] = f"{last.ipa:#x} to {last.end - 1:#x}, {size_text(total)}"
        facts["IPA needed"] = bits(needed)
    if width > needed:
        facts["IPA"] = f"{bits(width)}, the narrowest of this kernel that has room"
    facts["headroom"] = f"{size_text(headroom)} to the end of the IPA space"
    if shape is not None:
        facts |= _cost(question, shape, report.data)
    room = max((narrow for narrow in supported if narrow < width), default=None)
    if room is not None:
        facts[f"fits in {bits(room)}"] = _room_text(regions, room, report.data)
    report.facts(facts)
    return report


def _region_data(region: Region) -> dict[str, Any]:
    return {
        "line": region.line,
        "label": region.label,
        "ipa": region.ipa,
        "size": region.size,
        "ipa_bits": region.ipa_bits,
    }


def _cost(
    question: Question, shape: Geometry, data: dict[str, Any]
) -> dict[str, object]:
    """Return what the width costs in levels, as facts; and put it in the data."""
    narrower = shape.ipa_bits - 1
    levels = {width: other.levels for width, other in question.shapes().items()}
    same = [width for width, count in levels.items() if count == shape.levels]
    costs = narrower in levels and levels[narrower] < shape.levels
    data["fit"] |= {"same_levels": [same[0], same[-1]], "costs_a_level": costs}
    data["geometry"] = geometry_data(shape)
    widths = f", as for every IPA from {same[0]} to {same[-1]} bits"
    return {
        "levels": f"{shape.levels}{widths if len(same) > 1 else ''}",
        "root": f"{counted(shape.concatenation, 'table')}, "
        f"{size_text(shape.pgd_size)}, at level {shape.start_level}",
        "costs a level": f"yes: {narrower} bits would take {levels[narrower]}"
        if costs
        else "no: one bit less would not save one",
    }


def _room_text(regions: tuple[Region, ...], width: int, data: dict[str, Any]) -> str:
    """Return how much of the memory a width has room for."""
    end = 1 << width
    if regions[0].line == 0:
        room = max(0, end - regions[0].ipa)
        data["fit"]["room"] = {"ipa_bits": width, "bytes": room}
        return f"{size_text(room)} from {regions[0].ipa:#x}"
    inside = {region: max(0, min(region.end, end) - region.ipa) for region in regions}
    room = sum(inside.values())
    data["fit"]["room"] = {"ipa_bits": width, "bytes": room}
    left = [region.label for region, size in inside.items() if size < region.size]
    total = sum(region.size for region in regions)
    text = f"{size_text(room)} of {size_text(total)}"
    return text + (f"; beyond them: {', '.join(left)}" if left else "")


# Tables


def build(args: Namespace) -> Report:
    """Return the tables for a memory map, and the words that go with them."""
    report, shape = answer(*question_of(args, args.ipa, newest=True))
    if shape is None:
        return report
    if args.out == STANDARD_INPUT and args.json:
        raise InvalidArgument("--out - and --json both want standard output")
    tables = TableBuilder(shape, args.base)
    for region in _mapped(args, report):
        attributes = region.attributes
        if shape.lpa2:  # such a descriptor has no shareability of its own
            attributes = evolve(attributes, sh=None)
        try:
            tables.map(
                region.ipa,
                region.pa,
                region.size,
                attributes=attributes,
                blocks=not args.pages,
            )
        except InvalidArgument as error:
            raise InvalidArgument(f"{region.name}: {error}") from error
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
        flat = _flat(tables.root, images)
        if args.out == STANDARD_INPUT:
            report.image = flat
        else:
            write_file(args.out, flat, inputs=[args.map])
            report.data["image"] = args.out
            report.say(f"image for {tables.root:#x} written to {args.out}")
    return report


def _flat(base: int, images: dict[int, bytes]) -> bytearray:
    """Return the tables as one image that is loaded at the root's address."""
    flat = bytearray(max(at + len(image) for at, image in images.items()) - base)
    for address, image in images.items():
        flat[address - base : address - base + len(image)] = image
    return flat


def weigh(args: Namespace) -> Report:
    """Return the tables and bytes that a memory map takes."""
    question, premises = question_of(args, args.ipa, newest=True)
    report, shape = answer(question, premises)
    if shape is None:
        return report
    leaf = None
    if args.backing is not None:
        leaf = leaf_size(
            shape, host_of(args), args.backing, scheme=question.kernel.scheme
        )
    regions = _mapped(args, report)
    for region in regions:
        try:
            footprint(shape, [(region.ipa, region.size, region.pa)])
        except InvalidArgument as error:
            raise InvalidArgument(f"{region.name}: {error}") from error
    weight = footprint(
        shape, [(region.ipa, region.size, region.pa) for region in regions], leaf=leaf
    )
    counts = {"worst: pages": weight.worst, "best: largest blocks": weight.best}
    if weight.kvm is not None and leaf is not None:
        counts[f"KVM: leaves of {size_text(leaf)}"] = weight.kvm
    report.data["mapped"] = weight.mapped
    report.data["footprint"] = {
        name.partition(":")[0].lower(): _count_data(count)
        for name, count in counts.items()
    }
    report.say(f"{size_text(weight.mapped)} mapped")
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
