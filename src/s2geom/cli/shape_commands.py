# SPDX-License-Identifier: MIT
"""The commands about one shape or several: show, split, macros, choices, compare."""

from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from s2geom.cli.kernel_question import (
    cpu_asked,
    host_of,
    missing_features,
    scheme_text,
    shape_asked,
    tell_shape,
)
from s2geom.cli.report import Report, picked
from s2geom.compare.policies import POLICIES, PolicyChoice, compare_policies
from s2geom.compare.shape_facts import geometry_data, level_table
from s2geom.core.errors import Violations
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.units import size_text
from s2geom.cpu.cpu import Cpu
from s2geom.kernel.fake import FakePgd, fake_pgd
from s2geom.kernel.macros import kernel_macros
from s2geom.kernel.scheme import Scheme

# One shape


def show(args: Namespace) -> Report:
    """Return the shape of stage 2, or why there is none."""
    report, shape = shape_asked(args, newest=False)
    tell_shape(report, shape)
    report.table(*level_table(shape))
    return report


def split(args: Namespace) -> Report:
    """Return the way of an IPA through the tables."""
    report, shape = shape_asked(args, newest=False)
    index = shape.split(args.address)
    report.data["split"] = {
        "ipa": args.address,
        "table": index.table,
        "indices": list(index.indices),
        **picked(index, "offset", "pgd_index"),
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

OLD, NEW = Scheme.FAKE_PGD, Scheme.STATIC


def macros(args: Namespace) -> Report:
    """Return the kernel's macros before and after the fake levels went."""
    host = host_of(args)
    sizes = (host.page_shift, args.ipa, host.va_bits)
    before = kernel_macros(*sizes, scheme=OLD)
    after = kernel_macros(*sizes, scheme=NEW)
    fake = fake_pgd(*sizes)
    refusals = {scheme: host.check(args.ipa, scheme=scheme) for scheme in (OLD, NEW)}
    report = Report(
        {
            "supported": not refusals[NEW],
            "scheme": [OLD.value, NEW.value],
            "macros": {OLD.value: before, NEW.value: after},
            "fake_pgd": {
                "start_level": fake.geometry.start_level,
                **picked(fake, "hardware_pgd_size", "fake_pgd_size"),
                **picked(fake, "fake_levels_needed", "representable"),
            },
        },
        [f"the answer is that of {scheme_text(NEW)}"],
    )
    report.say(f"{host.granule} pages, {args.ipa}-bit IPA, {host.va_bits}-bit host VA")
    report.table(
        ("macro", f"{OLD.value} ({OLD.releases})", f"{NEW.value} ({NEW.releases})"),
        (
            (name, _macro_text(name, before), _macro_text(name, after))
            for name in dict.fromkeys((*before, *after))
        ),
    )
    report.table(
        ("what the hardware sees", OLD.value, NEW.value), _hardware_rows(fake, after)
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


def _hardware_rows(fake: FakePgd, after: dict[str, int]) -> list[tuple[object, ...]]:
    levels, start = after["STAGE2_PGTABLE_LEVELS"], fake.geometry.start_level
    root, new_root = size_text(fake.hardware_pgd_size), size_text(after["S2_PGD_SIZE"])
    return [
        ("levels software walks", fake.host_levels, levels),
        ("hardware start level", start, LAST_LEVEL + 1 - levels),
        ("hardware root", root, new_root),
        ("fake PGD", size_text(fake.fake_pgd_size), "none"),
    ]


# Every shape that a CPU allows, and who chooses which

ROOT_COLUMNS: dict[str, Callable[[Geometry], object]] = {
    "levels": lambda shape: shape.levels,
    "start level": lambda shape: shape.start_level,
    "root tables": lambda shape: shape.concatenation,
    "PGD entries": lambda shape: shape.pgd_entries,
    "PGD size": lambda shape: size_text(shape.pgd_size),
    "LPA2": lambda shape: shape.lpa2,
}
"""What is told of a shape in a row of a table; a dash where there is no shape."""


def _root_cells(shape: Geometry | None) -> tuple[object, ...]:
    return tuple(shape and cell(shape) for cell in ROOT_COLUMNS.values())


def _cpu_question(args: Namespace) -> tuple[Report, Cpu, str]:
    """Return a report about a CPU and an IPA, the CPU, and the title."""
    cpu = cpu_asked(args)
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
            "supported": True,
            "scheme": None,
            "cpu": {
                "pa_bits": cpu.pa_bits,
                "granules": sorted(map(str, cpu.granules)),
                "lpa": cpu.lpa,
                "lpa2": sorted(map(str, cpu.lpa2)),
                **picked(cpu, "ttst", "aarch32_el1"),
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
    report.data["choices"] = [*map(geometry_data, shapes)]
    report.data["concatenation_is_mandatory"] = mandatory
    if not shapes:
        report.refuse(_why_no_choice(args, cpu))
    report.say(title)
    if shapes:
        chosen = defaultdict[Geometry | None, list[str]](list)
        for choice in compare_policies(cpu, args.page_size, args.ipa):
            chosen[choice.geometry].append(choice.policy)
        report.table(
            (*ROOT_COLUMNS, "chosen by"),
            ((*_root_cells(shape), ", ".join(chosen[shape])) for shape in shapes),
        )
        report.say(_about_concatenation(shapes, mandatory=mandatory))
    return report


def _about_concatenation(shapes: Sequence[Geometry], *, mandatory: bool) -> str:
    if mandatory:
        return "concatenation is mandatory: no single table may start this IPA here"
    if all(shape.concatenation == 1 for shape in shapes):
        return "nothing is concatenated: every root is one table"
    return "concatenation is a choice here"


def _why_no_choice(args: Namespace, cpu: Cpu) -> Violations:
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
    report.data["supported"] = any(row.legal for row in rows)
    report.data["policies"] = [*map(_policy_data, rows)]
    report.say(title)
    report.table(
        ("policy", *ROOT_COLUMNS, "legal here"),
        map(_policy_row, rows),
    )
    report.say(*chain.from_iterable(map(_reasons, rows)))
    return report


def _policy_row(row: PolicyChoice) -> tuple[object, ...]:
    return row.policy, *_root_cells(row.geometry), row.legal if row.geometry else None


def _reasons(row: PolicyChoice) -> list[str]:
    # Where there is no shape, the reason names the policy itself.
    whose = f"{row.policy}: " if row.geometry else ""
    return [f"{whose}{reason.message}" for reason in row.violations]


def _policy_data(row: PolicyChoice) -> dict[str, Any]:
    return {
        "policy": row.policy,
        "source": POLICIES[row.policy].source,
        "legal": row.legal,
        "geometry": row.geometry and geometry_data(row.geometry),
        "violations": [reason.to_dict() for reason in row.violations],
    }
