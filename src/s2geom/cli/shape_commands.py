# SPDX-License-Identifier: MIT
"""The commands about one shape or several: show, split, macros, choices, compare."""

from argparse import Namespace
from collections import defaultdict
from typing import Any

from s2geom.cli.kernel_question import (
    VA_BITS,
    answer,
    cpu_of,
    missing_features,
    question_of,
    scheme_text,
)
from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.compare.policies import POLICIES, PolicyChoice, compare_policies
from s2geom.compare.shape_facts import geometry_data, geometry_facts, level_table
from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.units import size_text
from s2geom.cpu.cpu import Cpu
from s2geom.kernel.choose import Host
from s2geom.kernel.fake import fake_pgd
from s2geom.kernel.macros import kernel_macros
from s2geom.kernel.scheme import Scheme

# One shape


def show(args: Namespace) -> Report:
    """Return the shape of stage 2, or why there is none."""
    report, shape = answer(*question_of(args, args.ipa, newest=False))
    if shape is not None:
        report.data["geometry"] = geometry_data(shape)
        report.facts(geometry_facts(shape))
        report.table(*level_table(shape))
    return report


def split(args: Namespace) -> Report:
    """Return the way of an IPA through the tables."""
    report, shape = answer(*question_of(args, args.ipa, newest=False))
    if shape is None:
        return report
    index = shape.split(args.address)
    report.data["split"] = {
        "ipa": args.address,
        "table": index.table,
        "indices": list(index.indices),
        "offset": index.offset,
        "pgd_index": index.pgd_index,
    }
    report.facts(
        {
            "IPA": f"{args.address:#x}",
            "root table": f"{index.table} of {shape.concatenation}",
            **{
                f"level {level.number}": f"index {number} of "
                f"{level.entries // level.tables}, each {size_text(level.entry_size)}"
                for level, number in zip(shape.table_levels, index.indices, strict=True)
            },
            "offset": f"{index.offset:#x} of {shape.page_size:#x}",
            "PGD index": f"{index.pgd_index} of {shape.pgd_entries}",
        }
    )
    return report


# The kernel's macros


def macros(args: Namespace) -> Report:
    """Return the kernel's macros before and after the fake levels went."""
    host = Host(args.page_size, VA_BITS if args.va is None else args.va)
    sizes = (host.page_shift, args.ipa, host.va_bits)
    old, new = Scheme.FAKE_PGD, Scheme.STATIC
    before, after = (kernel_macros(*sizes, scheme=scheme) for scheme in (old, new))
    fake = fake_pgd(*sizes)
    refusals = {scheme: host.check(args.ipa, scheme=scheme) for scheme in (old, new)}
    report = Report(
        {
            "supported": not refusals[new],
            "scheme": [old.value, new.value],
            "macros": {old.value: before, new.value: after},
            "fake_pgd": {
                "start_level": fake.geometry.start_level,
                "hardware_pgd_size": fake.hardware_pgd_size,
                "fake_pgd_size": fake.fake_pgd_size,
                "fake_levels_needed": fake.fake_levels_needed,
                "representable": fake.representable,
            },
        },
        [f"the answer is that of {scheme_text(new)}"],
        NOT_SUPPORTED if refusals[new] else 0,
    )
    report.say(f"{host.granule} pages, {args.ipa}-bit IPA, {host.va_bits}-bit host VA")
    report.table(
        ("macro", f"{old.value} ({old.releases})", f"{new.value} ({new.releases})"),
        (
            (name, _macro_text(name, before), _macro_text(name, after))
            for name in dict.fromkeys((*before, *after))
        ),
    )
    levels = after["STAGE2_PGTABLE_LEVELS"]
    report.table(
        ("what the hardware sees", old.value, new.value),
        (
            ("levels software walks", fake.host_levels, levels),
            (
                "hardware start level",
                fake.geometry.start_level,
                LAST_LEVEL + 1 - levels,
            ),
            (
                "hardware root",
                size_text(fake.hardware_pgd_size),
                size_text(after["S2_PGD_SIZE"]),
            ),
            ("fake PGD", size_text(fake.fake_pgd_size), "none"),
        ),
    )
    for scheme, broken in refusals.items():
        verdict = f"not supported: {broken[0].message}" if broken else "supported"
        report.say(f"{scheme.value}: {verdict}")
    return report


def _macro_text(name: str, macros: dict[str, int]) -> str | None:
    if name not in macros:
        return None
    value = macros[name]
    return f"{value:#x}" if name.endswith(("_SIZE", "_MASK")) else str(value)


# Every shape that a CPU allows, and who chooses which

ROOT_COLUMNS = (
    "levels",
    "start level",
    "root tables",
    "PGD entries",
    "PGD size",
    "LPA2",
)


def _root(shape: Geometry) -> tuple[object, ...]:
    return (
        shape.levels,
        shape.start_level,
        shape.concatenation,
        shape.pgd_entries,
        size_text(shape.pgd_size),
        shape.lpa2,
    )


def _cpu_question(args: Namespace) -> tuple[Report, Cpu, str]:
    """Return a report about a CPU and an IPA, the CPU, and the title."""
    cpu = cpu_of(args)
    assert cpu is not None  # noqa: S101 - argparse has required --pa
    features = {
        "LPA2": args.lpa2,
        "FEAT_TTST": args.ttst,
        "AArch32 at EL1": args.aarch32,
    }
    there = [name for name, given in features.items() if given]
    title = (
        f"{args.page_size} pages, {args.ipa}-bit IPA, "
        + ", ".join((f"a CPU with {args.pa} PA bits", *there))
        + "; whatever the scheme"
    )
    report = Report(
        {
            "scheme": None,
            "cpu": {
                "pa_bits": cpu.pa_bits,
                "granules": sorted(map(str, cpu.granules)),
                "lpa": cpu.lpa,
                "lpa2": sorted(map(str, cpu.lpa2)),
                "ttst": cpu.ttst,
                "aarch32_el1": cpu.aarch32_el1,
            },
        },
        missing_features("CPU", features),
    )
    return report, cpu, title


def choices(args: Namespace) -> Report:
    """Return every legal shape, the deepest tree first."""
    report, cpu, title = _cpu_question(args)
    shapes = cpu.choices(args.page_size, args.ipa)
    mandatory = cpu.concatenation_is_mandatory(args.page_size, args.ipa)
    report.data = {"supported": bool(shapes)} | report.data
    report.data["choices"] = [geometry_data(shape) for shape in shapes]
    report.data["concatenation_is_mandatory"] = mandatory
    if not shapes:
        report.refuse(_why_no_choice(args, cpu))
    report.say(title)
    if not shapes:
        return report
    chosen = defaultdict[Geometry | None, list[str]](list)
    for choice in compare_policies(cpu, args.page_size, args.ipa):
        chosen[choice.geometry].append(choice.policy)
    report.table(
        (*ROOT_COLUMNS, "chosen by"),
        ((*_root(shape), ", ".join(chosen[shape])) for shape in shapes),
    )
    tables = [shape.concatenation for shape in shapes]
    if mandatory:
        report.say(
            "concatenation is mandatory: no single table may start this IPA here"
        )
    elif max(tables) == 1:
        report.say("nothing is concatenated: every root is one table")
    else:
        report.say("concatenation is a choice here")
    return report


def _why_no_choice(args: Namespace, cpu: Cpu) -> tuple[Violation, ...]:
    # The start level with the fewest reasons: they are what has to be changed.
    lpa2 = args.page_size in cpu.lpa2
    return min(
        (
            cpu.check(Geometry(args.page_size, args.ipa, level, lpa2))
            for level in range(-1, LAST_LEVEL + 1)
        ),
        key=len,
    )


def compare(args: Namespace) -> Report:
    """Return what each policy chooses, legal or not."""
    report, cpu, title = _cpu_question(args)
    rows = compare_policies(cpu, args.page_size, args.ipa)
    report.data = {"supported": any(row.legal for row in rows)} | report.data
    report.data["policies"] = [_policy_data(row) for row in rows]
    if not report.data["supported"]:
        report.status = NOT_SUPPORTED
    report.say(title)
    blank = (None,) * len(ROOT_COLUMNS)
    report.table(
        ("policy", *ROOT_COLUMNS, "legal here"),
        (
            (
                row.policy,
                *(_root(row.geometry) if row.geometry else blank),
                row.legal if row.geometry else None,
            )
            for row in rows
        ),
    )
    report.say(
        *(
            # Where there is no shape, the reason names the policy itself.
            f"{row.policy}: {reason.message}" if row.geometry else reason.message
            for row in rows
            for reason in row.violations
        )
    )
    return report


def _policy_data(row: PolicyChoice) -> dict[str, Any]:
    return {
        "policy": row.policy,
        "source": POLICIES[row.policy].source,
        "legal": row.legal,
        "geometry": row.geometry and geometry_data(row.geometry),
        "violations": [reason.to_dict() for reason in row.violations],
    }
