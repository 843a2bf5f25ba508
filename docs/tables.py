# SPDX-License-Identifier: MIT
"""The tables and pictures of the documentation, from what the code runs on.

A rule or a register field is written once, as a row that validates and explains. Here
the same rows become pages, so that no page can say something else than the code does.
"""

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import reference_pages

import s2geom as s2
from s2geom.cli.commands import COMMANDS, JSON
from s2geom.cli.options import Option
from s2geom.compare import policies
from s2geom.core.fields import Word
from s2geom.core.rules import Rule
from s2geom.cpu import rules as cpu_rules
from s2geom.kconfig.options import FACTS, ConfigFact
from s2geom.kernel import changes, limits
from s2geom.registers import esr, ste_rules, vtcr, vttbr
from s2geom.tables import attributes

SOURCE = Path(s2.__file__).parent

PLAIN_RULES: dict[str, tuple[Rule[Any], ...]] = {
    "rules-architecture": cpu_rules.CPU_RULES,
    "rules-vtcr": (*vtcr.VTCR_SHAPELESS_RULES, *vtcr.VTCR_RULES),
    "rules-vttbr": (*vttbr.VTTBR_RULES, *vttbr.BASE_RULES),
    "rules-ste": (
        *ste_rules.STE_SHAPELESS_RULES,
        *ste_rules.SHAPE_RULES,
        *ste_rules.ROOT_RULES,
        *ste_rules.STE_RULES,
        *ste_rules.COMPANION_RULES,
    ),
    "rules-esr": (*esr.ESR_RULES, *esr.ESR_LEVEL_RULES),
    "rules-policies": policies.POLICY_RULES,
}
"""Rules that no kernel release changes, by the page that lists them."""

REGISTERS: dict[str, type[Word]] = {
    "fields-vtcr": s2.VTCR_EL2,
    "fields-vttbr": s2.VTTBR_EL2,
    "fields-ste": s2.STE,
    "fields-esr": s2.ESR_EL2,
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
                ("rule", "what it states, and where", "limited by", "kernels"),
                ([*self._row(row), _kernels(row)] for row in limits.LIMITS),
            )
        }
        for name, rules in PLAIN_RULES.items():
            pages[name] = table(
                ("rule", "what it states, and where", "limited by"),
                (self._row(rule) for rule in rules),
            )
        return pages

    def _row(self, rule: Rule[Any] | limits.KvmLimit) -> list[str]:
        # Two tables may know a limit by the same id, but a page has it once.
        anchor = "" if rule.id in self._anchored else f'<span id="{rule.id}"></span>'
        self._anchored.add(rule.id)
        states = f"{rule.states}<br>*{rule.source}*"
        return [f"{anchor}`{rule.id}`", states, rule.limited_by]


def _kernels(row: limits.KvmLimit) -> str:
    until = row.restated or row.until
    names = f"from {_releases(row.since)}"
    if row.since is changes.FAKE_LEVELS:
        names = "all" if until is None else ""
    names += f" until {_releases(until)}" if until else ""
    names += ", asked by release alone" if row.of_releases else ""
    return names.strip() + ("; with a CPU" if row.needs_cpu else "")


def _releases(change: changes.Change) -> str:
    stable = [f"v{'.'.join(map(str, first))}" for first in change.stable]
    return ", ".join([change.first, *stable])


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
            for row in sorted(
                attributes.ATTRIBUTE_FIELDS.values(), key=lambda row: -row.low
            )
        ),
    )


def _meaning(row: attributes.AttributeField) -> str:
    if row.name == "memattr":
        return "memory type; with FEAT_S2FWB it has another encoding"
    if len(row.says) == 1:
        return row.says[0].partition("{")[0].strip()
    return "; ".join(f"{value}: {text}" for value, text in enumerate(row.says) if text)


# Kernel configurations


def config_options() -> str:
    """Return the options that a fact is read from, in the order of belief."""
    return table(
        ("fact", "options, the first that is there", "otherwise"),
        (
            [
                fact.words,
                ", ".join(f"`{row.option}`" for row in fact.rows + fact.last_resort),
                _otherwise(fact),
            ]
            for fact in FACTS
        ),
    )


def _otherwise(fact: ConfigFact) -> str:
    if fact.default is not None:
        return fact.shown(fact.default)
    return f"from {fact.derived_from}" if fact.derived_from else "an error"


def config_limits() -> str:
    """Return the limits that KVM_CREATE_VM applies, with the releases that do."""
    return table(
        ("limit", "from", "until", "source"),
        (
            [
                f"{limit.states}{', with a CPU' if limit.needs_cpu else ''}",
                _releases(limit.since),
                _releases(limit.until) if limit.until else "today",
                limit.source,
            ]
            for limit in limits.LIMITS
            if limit.refuses_vm
        ),
    )


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
                for option in (*command.options, JSON)
            ),
        )
        for command in COMMANDS
    )


def _spelling(option: Option) -> str:
    name = ", ".join(option.flags)
    settings = option.settings
    if "choices" in settings:
        return f"{name}: {' | '.join(settings['choices'])}"
    metavar = settings.get("metavar")
    return f"{name} {metavar}" if metavar else name


def _help(option: Option) -> str:
    text = str(option.settings["help"])
    return f"{text} (required)" if option.settings.get("required") else text


# The house


def wings() -> str:
    """Return every wing with its rooms, by the first sentence of their docstrings."""
    found = ""
    for door in sorted(SOURCE.glob("*/__init__.py")):
        wing = door.parent.name
        rooms = (room for room in sorted(door.parent.glob("*.py")) if room != door)
        lines = table(
            ("room", "what it is for"),
            ([f"`{room.stem}`", _purpose(room)] for room in rooms),
        )
        found += f"### `{wing}`\n\n{_purpose(door)}\n\n{lines}\n"
    return found


def _purpose(module: Path) -> str:
    said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(said.partition("\n\n")[0].split())


# Pictures


def pictures() -> dict[str, str]:
    """Return the pictures that the pages show, by file name."""
    seed = s2.stage2(page_shift=14, ipa_bits=40, va_bits=36)
    return {
        "ruler-16k-40": s2.bit_ruler(seed, ipa=seed.ipa_size - seed.page_size),
        "tree-16k-40": s2.table_tree(seed),
        "tree-4k-40": s2.table_tree(s2.stage2(page_shift=12, ipa_bits=40)),
    }


# All of it


def pages() -> dict[str, str]:
    """Return every generated page by its name."""
    return {
        **Rules().pages(),
        **{name: register_fields(register) for name, register in REGISTERS.items()},
        "fields-descriptor": descriptor_fields(),
        "config-options": config_options(),
        "config-limits": config_limits(),
        "schemes": schemes(),
        "policies": known_policies(),
        "commands": commands(),
        "wings": wings(),
        "reference": reference_pages.table(),
    }


def write(folder: Path) -> None:
    """Write every generated page and picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    for name, picture in pictures().items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
