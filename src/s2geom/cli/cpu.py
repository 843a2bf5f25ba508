# SPDX-License-Identifier: MIT
"""The commands about the architecture: choices, compare, decode."""

from argparse import Namespace
from collections import defaultdict
from typing import Any

from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.compare.policies import POLICIES, compare_policies
from s2geom.compare.shape_facts import geometry_data
from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.cpu.cpu import Cpu


def _title(asked: Namespace) -> str:
    features = [
        name
        for name, there in (
            ("LPA2", asked.lpa2),
            ("FEAT_TTST", asked.ttst),
            ("AArch32 at EL1", asked.aarch32),
        )
        if there
    ]
    cpu = f"a CPU with {asked.pa} PA bits"
    return (
        f"{asked.page_size} pages, {asked.ipa}-bit IPA, {', '.join((cpu, *features))}; "
        "whatever the scheme"
    )


def _cpu_data(cpu: Cpu) -> dict[str, Any]:
    return {
        "pa_bits": cpu.pa_bits,
        "granules": sorted(map(str, cpu.granules)),
        "lpa": cpu.lpa,
        "lpa2": sorted(map(str, cpu.lpa2)),
        "ttst": cpu.ttst,
        "aarch32_el1": cpu.aarch32_el1,
    }


def _root(shape: Geometry) -> tuple[object, ...]:
    return (
        shape.levels,
        shape.start_level,
        shape.concatenation,
        shape.pgd_entries,
        size_text(shape.pgd_size),
        shape.lpa2,
    )


ROOT = ("levels", "start level", "root tables", "PGD entries", "PGD size", "LPA2")


def choices(asked: Namespace) -> Report:
    """Answer with every legal shape, deepest tree first."""
    cpu: Cpu = asked.cpu
    shapes = cpu.choices(asked.page_size, asked.ipa)
    mandatory = cpu.concatenation_is_mandatory(asked.page_size, asked.ipa)
    report = Report(
        {
            "supported": bool(shapes),
            "scheme": None,
            "cpu": _cpu_data(cpu),
            "choices": [geometry_data(shape) for shape in shapes],
            "concatenation_is_mandatory": mandatory,
        }
    )
    if not shapes:
        report.refuse(_why_no_choice(asked, cpu))
        report.say(_title(asked))
        return report
    report.say(_title(asked))
    chosen = defaultdict[Geometry | None, list[str]](list)
    for choice in compare_policies(cpu, asked.page_size, asked.ipa):
        chosen[choice.geometry].append(choice.policy)
    report.table(
        (*ROOT, "chosen by"),
        ((*_root(shape), ", ".join(chosen[shape])) for shape in shapes),
    )
    report.say(
        "concatenation is mandatory: no single table may start this IPA here"
        if mandatory
        else "concatenation is a choice here"
    )
    return report


def _why_no_choice(asked: Namespace, cpu: Cpu) -> tuple[Violation, ...]:
    # The start level that comes nearest: its reasons are the ones to remove.
    lpa2 = asked.page_size in cpu.lpa2
    return min(
        (
            cpu.check(Geometry(asked.page_size, asked.ipa, level, lpa2))
            for level in range(-1, 4)
        ),
        key=len,
    )


def compare(asked: Namespace) -> Report:
    """Answer with what each policy chooses, legal or not."""
    rows = compare_policies(asked.cpu, asked.page_size, asked.ipa)
    report = Report(
        {
            "supported": any(row.legal for row in rows),
            "scheme": None,
            "cpu": _cpu_data(asked.cpu),
            "policies": [
                {
                    "policy": row.policy,
                    "source": POLICIES[row.policy].source,
                    "legal": row.legal,
                    "geometry": row.geometry and geometry_data(row.geometry),
                    "violations": [reason.to_dict() for reason in row.violations],
                }
                for row in rows
            ],
        }
    )
    if not report.data["supported"]:
        report.status = NOT_SUPPORTED
    report.say(_title(asked))
    blank = (None,) * len(ROOT)
    report.table(
        ("policy", *ROOT, "legal here"),
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
