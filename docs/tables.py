# SPDX-License-Identifier: MIT
"""The tables and pictures of the documentation, from what the code runs on.

A rule or a register field is written once, as a row that validates and explains. Here
the same rows become pages, so that no page can say something else than the code does.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import s2geom as s2
from s2geom import architecture, cli, descriptor, kvm, policies, registers, smmu
from s2geom.fields import Word
from s2geom.rules import Rule

PLAIN_RULES: dict[str, tuple[Rule[Any], ...]] = {
    "rules-architecture": architecture.RULES,
    "rules-vtcr": (*registers.SHAPELESS_RULES, *registers.VTCR_RULES),
    "rules-vttbr": (*registers.VTTBR_RULES, *registers.BASE_RULES),
    "rules-ste": (
        *smmu.SHAPELESS_RULES,
        *smmu.SHAPE_RULES,
        *smmu.ROOT_RULES,
        *smmu.WORD_RULES,
    ),
    "rules-policies": policies.RULES,
}
"""Rules that no kernel release changes, by the page that lists them."""

REGISTERS: dict[str, type[Word]] = {
    "fields-vtcr": s2.VTCR_EL2,
    "fields-vttbr": s2.VTTBR_EL2,
    "fields-ste": s2.STE,
    "fields-mmfr0": s2.ID_AA64MMFR0_EL1,
    "fields-mmfr1": s2.ID_AA64MMFR1_EL1,
    "fields-mmfr2": s2.ID_AA64MMFR2_EL1,
    "fields-mmfr3": s2.ID_AA64MMFR3_EL1,
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# Rules


class Rules:
    """The pages of rules; an id is the anchor of its first row."""

    def __init__(self) -> None:
        self._anchored: set[str] = set()

    def pages(self) -> dict[str, str]:
        """Return every page of rules by its name."""
        pages = {
            "rules-kvm": table(
                ("rule", "states", "limited by", "kernels", "source"),
                (
                    [*self._row(row.rule), _kernels(row), row.rule.source]
                    for row in kvm.RULES
                ),
            )
        }
        for name, rules in PLAIN_RULES.items():
            pages[name] = table(
                ("rule", "states", "limited by", "source"),
                ([*self._row(rule), rule.source] for rule in rules),
            )
        return pages

    def _row(self, rule: Rule[Any]) -> list[str]:
        # Two tables may know a limit by the same id, but a page has it once.
        anchor = "" if rule.id in self._anchored else f'<span id="{rule.id}"></span>'
        self._anchored.add(rule.id)
        return [f"{anchor}`{rule.id}`", rule.states, rule.limited_by]


def _kernels(row: kvm.KvmRule) -> str:
    names = "all"
    if row.schemes != frozenset(s2.Scheme):
        among = (scheme for scheme in s2.Scheme if scheme in row.schemes)
        names = ", ".join(f"`{scheme.name}`, {scheme.releases}" for scheme in among)
    return f"{names}; with a CPU" if row.needs_cpu else names


# Fields


def register_fields(register: type[Word]) -> str:
    """Return the fields of a register, highest first, as the manual draws them."""
    return table(
        ("bits", "field", "values", "feature"),
        (
            [row.bits, f"`{row.name}`", _values(row.values), row.feature or ""]
            for row in reversed(register.fields())
        ),
    )


def _values(values: Any) -> str:
    if not values:
        return "a number"
    return "; ".join(f"{value}: {meaning}" for value, meaning in values.items())


def descriptor_fields() -> str:
    """Return the fields of a leaf descriptor but address, type and contiguous bit."""
    return table(
        ("bits", "field", "means"),
        (
            [
                f"{row.low + row.width - 1}:{row.low}"
                if row.width > 1
                else f"{row.low}",
                f"`{row.name}`",
                _meaning(row),
            ]
            for row in sorted(descriptor.FIELDS.values(), key=lambda row: -row.low)
        ),
    )


def _meaning(row: descriptor.Field) -> str:
    if row.name == "memattr":
        return "memory type; with FEAT_S2FWB it has another encoding"
    if len(row.says) == 1:
        return row.says[0].partition("{")[0].strip()
    return "; ".join(f"{value}: {text}" for value, text in enumerate(row.says) if text)


# Schemes, policies, commands


def schemes() -> str:
    """Return the five schemes."""
    return table(
        ("scheme", "releases", "what it does", "source"),
        (
            [f"`{scheme.name}`", scheme.releases, scheme.summary, scheme.source]
            for scheme in s2.Scheme
        ),
    )


def known_policies() -> str:
    """Return who chooses a shape how."""
    return table(
        ("policy", "what it does", "source"),
        (
            [f"`{policy.name}`", policy.summary, policy.source]
            for policy in s2.POLICIES.values()
        ),
    )


def commands() -> str:
    """Return every command with its options."""
    return "\n".join(
        f"### {command.name}\n\n{command.help[0].upper()}{command.help[1:]}.\n\n"
        + table(
            ("argument", "means"),
            (
                [f"`{_spelling(option)}`", _help(option)]
                for option in (*command.options, cli.JSON)
            ),
        )
        for command in cli.COMMANDS
    )


def _spelling(option: cli.Option) -> str:
    name = ", ".join(option.flags)
    metavar = option.settings.get("metavar")
    return f"{name} {metavar}" if metavar else name


def _help(option: cli.Option) -> str:
    text = str(option.settings["help"])
    return f"{text} (required)" if option.settings.get("required") else text


# All of it


def pages() -> dict[str, str]:
    """Return every generated page by its name."""
    return {
        **Rules().pages(),
        **{name: register_fields(register) for name, register in REGISTERS.items()},
        "fields-descriptor": descriptor_fields(),
        "schemes": schemes(),
        "policies": known_policies(),
        "commands": commands(),
    }


def write(folder: Path) -> None:
    """Write every generated page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
