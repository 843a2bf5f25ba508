# SPDX-License-Identifier: MIT
"""What each command of ``s2geom`` answers: parsed arguments in, a report out.

A command asks the library, and lays its answer out as text and as plain data. It knows
no exit codes but the report's, and prints nothing.
"""

from argparse import Namespace
from typing import Any

from s2geom.errors import UnreadableInput
from s2geom.fake import fake_pgd
from s2geom.geometry import Geometry
from s2geom.kconfig import IpaSizes, KernelConfig
from s2geom.kvm import Host
from s2geom.macros import kernel_macros
from s2geom.report import (
    NOT_SUPPORTED,
    Report,
    geometry_data,
    geometry_facts,
)
from s2geom.scheme import Scheme
from s2geom.units import size_text

# Asking


def _scheme(asked: Namespace) -> Scheme:
    # STATIC is the library's default too: the design this project starts from.
    return Scheme.STATIC if asked.scheme is None else Scheme(asked.scheme)


def _host(asked: Namespace) -> Host:
    return Host(asked.page_size, asked.va, asked.host_pa)


def _title(host: Host, ipa_bits: int, scheme: Scheme) -> str:
    return (
        f"{host.granule} pages, {ipa_bits}-bit IPA, {host.va_bits}-bit host VA; "
        f"{_scheme_text(scheme)}"
    )


def _scheme_text(scheme: Scheme) -> str:
    return f"scheme {scheme.value} (Linux {scheme.releases})"


def _question(asked: Namespace) -> tuple[Report, Geometry | None]:
    """Ask for a shape; the report begins with the question or ends in the refusal."""
    scheme, host = _scheme(asked), _host(asked)
    data: dict[str, Any] = {
        "supported": True,
        "scheme": scheme.value,
        "host": host.to_dict(),
        "ipa_bits": asked.ipa,
    }
    report = Report(data)
    broken = host.check(asked.ipa, scheme=scheme, cpu=asked.cpu)
    if broken:
        report.refuse(broken)
        report.say(_title(host, asked.ipa, scheme))
        return report, None
    report.say(_title(host, asked.ipa, scheme))
    return report, host.stage2(asked.ipa, scheme=scheme, cpu=asked.cpu)


# The kernel's side


def show(asked: Namespace) -> Report:
    """Answer with the shape of stage 2, or why there is none."""
    report, shape = _question(asked)
    if shape is not None:
        report.data["geometry"] = geometry_data(shape)
        report.facts(geometry_facts(shape))
        _level_table(report, shape)
    return report


def _level_table(report: Report, shape: Geometry) -> None:
    report.table(
        (
            "level",
            "index bits",
            "entries",
            "tables",
            "entry maps",
            "leaf",
            "contiguous",
        ),
        (
            (
                level.number,
                level.index_bits,
                level.entries,
                level.tables,
                size_text(level.entry_size),
                level.leaf,
                level.contiguous or None,
            )
            for level in shape.table_levels
        ),
    )


def split(asked: Namespace) -> Report:
    """Answer with the way of an IPA through the tables."""
    report, shape = _question(asked)
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
    report.say(f"Linux {release}; {_scheme_text(scheme)}")
    report.facts({name: str(origin) for name, origin in read.origins.items()})
    if not sizes.widths:
        report.status = NOT_SUPPORTED
        report.say("no guest: " + _why_none(read))
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


def _why_none(read: KernelConfig) -> str:
    if not read.kvm:
        return "KVM is off in this configuration"
    return f"this release has no KVM for {read.host.granule} pages on this CPU"
