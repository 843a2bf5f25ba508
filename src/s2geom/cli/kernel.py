# SPDX-License-Identifier: MIT
"""The commands about a kernel: show, config, split, macros, fit."""

from argparse import Namespace

from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.cli.which_kernel import (
    default_remark,
    host_of,
    question,
    scheme_of,
    scheme_text,
)
from s2geom.compare.shape_facts import geometry_data, geometry_facts, level_table
from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kconfig.config import IpaSizes, KernelConfig
from s2geom.kernel.changes import reasons_for_none
from s2geom.kernel.choose import Host
from s2geom.kernel.fake import fake_pgd
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.macros import kernel_macros
from s2geom.kernel.scheme import Scheme, parse_release


def show(asked: Namespace) -> Report:
    """Answer with the shape of stage 2, or why there is none."""
    report, shape = question(asked, asked.ipa)
    if shape is not None:
        report.data["geometry"] = geometry_data(shape)
        report.facts(geometry_facts(shape))
        report.table(*level_table(shape))
        remark = default_remark(asked, asked.ipa)
        if remark is not None:
            report.say(remark)
    return report


def split(asked: Namespace) -> Report:
    """Answer with the way of an IPA through the tables."""
    report, shape = question(asked, asked.ipa)
    if shape is None:
        return report
    index = shape.split(asked.address)
    report.data["split"] = {
        "ipa": asked.address,
        "table": index.table,
        "indices": list(index.indices),
        "offset": index.offset,
        "pgd_index": index.pgd_index,
    }
    report.facts(
        {
            "IPA": f"{asked.address:#x}",
            "root table": f"{index.table} of {shape.concatenation}",
            **{
                f"level {level.number}": f"index {number} of {count}, "
                f"each {size_text(level.entry_size)}"
                for level, number, count in zip(
                    shape.table_levels,
                    index.indices,
                    _entries_of_one_table(shape),
                    strict=True,
                )
            },
            "offset": f"{index.offset:#x} of {shape.page_size:#x}",
            "PGD index": f"{index.pgd_index} of {shape.pgd_entries}",
        }
    )
    return report


def _entries_of_one_table(shape: Geometry) -> list[int]:
    return [level.entries // level.tables for level in shape.table_levels]


def macros(asked: Namespace) -> Report:
    """Answer with the kernel's macros before and after the fake levels went."""
    sizes = (asked.page_size, asked.ipa, asked.va)
    host = Host(asked.page_size, asked.va)
    old, new = Scheme.FAKE_PGD, Scheme.STATIC
    before = kernel_macros(*sizes, scheme=old)
    after = kernel_macros(*sizes, scheme=new)
    fake = fake_pgd(*sizes)
    report = Report(
        {
            "supported": not host.check(asked.ipa, scheme=new),
            "scheme": [old.value, new.value],
            "macros": {old.value: before, new.value: after},
            "fake_pgd": {
                "start_level": fake.geometry.start_level,
                "hardware_pgd_size": fake.hardware_pgd_size,
                "fake_pgd_size": fake.fake_pgd_size,
                "fake_levels_needed": fake.fake_levels_needed,
                "representable": fake.representable,
            },
        }
    )
    report.say(f"{host.granule} pages, {asked.ipa}-bit IPA, {asked.va}-bit host VA")
    report.table(
        ("macro", f"{old.value} ({old.releases})", f"{new.value} ({new.releases})"),
        (
            (name, _macro(name, before), _macro(name, after))
            for name in dict.fromkeys((*before, *after))
        ),
    )
    changed = {
        "levels software walks": (fake.host_levels, after["STAGE2_PGTABLE_LEVELS"]),
        "hardware start level": (
            fake.geometry.start_level,
            4 - after["STAGE2_PGTABLE_LEVELS"],
        ),
        "hardware root": (
            size_text(fake.hardware_pgd_size),
            size_text(after["S2_PGD_SIZE"]),
        ),
        "fake PGD": (size_text(fake.fake_pgd_size), "none"),
    }
    report.table(
        ("what the hardware sees", old.value, new.value),
        ((name, *values) for name, values in changed.items()),
    )
    for scheme in (old, new):
        refusals = host.check(asked.ipa, scheme=scheme)
        answer = "supported"
        if refusals:
            answer = "not supported: " + refusals[0].message
        report.say(f"{scheme.value}: {answer}")
        if scheme is new and refusals:
            report.status = NOT_SUPPORTED
    return report


def _macro(name: str, macros: dict[str, int]) -> str | None:
    if name not in macros:
        return None
    value = macros[name]
    return f"{value:#x}" if name.endswith(("_SIZE", "_MASK")) else str(value)


def config(asked: Namespace) -> Report:
    """Answer with what a kernel's configuration allows."""
    read = KernelConfig.from_path(asked.path)
    release = asked.kernel or read.release
    if release is None:
        raise UnreadableInput(
            f"{asked.path} does not name its release; give it: --kernel 6.1"
        )
    scheme = Scheme.for_release(release)
    sizes = read.ipa_sizes(asked.cpu, release=release)
    host = read.host
    report = Report(
        {
            "supported": bool(sizes.widths),
            "scheme": scheme.value,
            "release": release,
            "config": read.to_dict(),
            "ipa_sizes": {
                "widths": list(sizes.widths),
                "needs_parange": sizes.needs_parange,
                "needs_lpa2": sizes.needs_lpa2,
            },
        }
    )
    report.say(f"Linux {release}; {scheme_text(scheme)}")
    facts = {name: str(origin) for name, origin in read.origins.items()}
    if asked.kernel:
        said = read.release or "none"
        facts["release"] = f"{release} (given by --kernel; the file says {said})"
    report.facts(facts)
    if not sizes.widths:
        report.status = NOT_SUPPORTED
        report.say("no guest: " + _why_none(read, release, asked.cpu))
        return report
    report.say(_widths_text(sizes))
    report.data["shapes"] = []
    rows = []
    for width in sizes.widths:
        if host.check(width, scheme=scheme, cpu=asked.cpu):
            continue  # an early release of the scheme accepted what the last refuses
        shape = host.stage2(width, scheme=scheme, cpu=asked.cpu)
        report.data["shapes"].append(geometry_data(shape))
        rows.append(
            (
                width,
                shape.levels,
                shape.start_level,
                shape.concatenation,
                size_text(shape.pgd_size),
                size_text(shape.pgd_alignment),
            )
        )
    report.table(
        ("IPA bits", "levels", "start level", "root tables", "PGD size", "alignment"),
        rows,
    )
    return report


def _widths_text(sizes: IpaSizes) -> str:
    first, last = sizes.widths[0], sizes.widths[-1]
    text = f"guest IPA: {first} bits"
    if first != last:
        text = f"guest IPA: {first} to {last} bits"
    if sizes.needs_parange:
        text += ", as far as the CPU's PARange goes (give it: --pa 44)"
    if sizes.needs_lpa2:
        text += "; above 48 only on a CPU with LPA2 (--lpa2)"
    return text


def _why_none(read: KernelConfig, release: str, cpu: Cpu | None) -> str:
    if not read.kvm:
        return "KVM is off in this configuration"
    reasons = reasons_for_none(read.host, parse_release(release), cpu)
    return f"in Linux {release}, " + "; ".join(reasons)


def fit(asked: Namespace) -> Report:
    """Answer with the narrowest IPA that a memory map fits in, and what it costs."""
    if asked.scheme is None:
        # A map is fitted to a width that can be chosen, which the oldest kernels lack.
        asked.scheme = Scheme.LPA2
    if asked.ram == 0:
        raise InvalidArgument("--ram must be at least 1 byte, got 0")
    end = asked.ram_base + asked.ram
    needed = max(IPA_MINIMUM, (end - 1).bit_length())
    report, shape = question(asked, needed)
    report.data["fit"] = {
        "ram_base": asked.ram_base,
        "ram": asked.ram,
        "end": end,
        "ipa_bits": needed,
        "headroom": (1 << needed) - end,
    }
    facts: dict[str, object] = {
        "memory": f"{asked.ram_base:#x} to {end - 1:#x}, {size_text(asked.ram)}",
        "IPA needed": f"{needed} bits",
        "headroom": f"{size_text((1 << needed) - end)} to the end of the IPA space",
    }
    if shape is not None:
        same = [
            width
            for width in range(IPA_MINIMUM, IPA_MAXIMUM + 1)
            if not host_of(asked).check(width, scheme=scheme_of(asked), cpu=asked.cpu)
            and _levels(asked, width) == shape.levels
        ]
        report.data["fit"]["same_levels"] = [same[0], same[-1]]
        report.data["geometry"] = geometry_data(shape)
        facts["levels"] = (
            f"{shape.levels}, as for every IPA from {same[0]} to {same[-1]} bits"
        )
        facts["root"] = (
            f"{counted(shape.concatenation, 'table')}, {size_text(shape.pgd_size)}, "
            f"at level {shape.start_level}"
        )
        narrower = needed - 1
        costs = narrower >= IPA_MINIMUM and _levels(asked, narrower) < shape.levels
        report.data["fit"]["costs_a_level"] = costs
        facts["costs a level"] = (
            f"yes: {narrower} bits would take {_levels(asked, narrower)}"
            if costs
            else "no: one bit less would not save one"
        )
    report.facts(facts)
    return report


def _levels(asked: Namespace, ipa_bits: int) -> int:
    return (
        host_of(asked).stage2(ipa_bits, scheme=scheme_of(asked), cpu=asked.cpu).levels
    )
