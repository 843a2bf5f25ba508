# SPDX-License-Identifier: MIT
"""The reference: a page for each public name, and the tables that lead to them.

Nothing is listed by hand. A name is in the section of its wing, with the first sentence
of its docstring; so a new public name has its page with the next build.
"""

import enum
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from attrs import frozen

import s2geom as s2

SECTIONS = {
    "kernel": "What KVM chooses",
    "kconfig": "Kernel configurations",
    "core": "Shapes",
    "cpu": "CPUs",
    "registers": "Registers",
    "tables": "Reading tables",
    "build": "Making tables",
    "compare": "Many answers beside each other",
    "show": "Pictures",
    "errors": "Errors",
}
"""The sections of the page, by the wing whose names are in them."""

PROMISED = {
    "readers": "Where memory comes from: `s2geom.readers`",
    "strategies": "Hypothesis: `s2geom.strategies`",
}
"""Modules that are public by name, with names of their own."""


FIRST = frozenset(
    [
        "ID_AA64MMFR0_EL1",
        "ID_AA64MMFR1_EL1",
        "ID_AA64MMFR2_EL1",
        "ID_AA64MMFR3_EL1",
        "POLICIES",
        "STE",
        "VTCR_EL2",
        "VTTBR_EL2",
        "AddressLayout",
        "Attributes",
        "Cpu",
        "Descriptor",
        "FakePgd",
        "Fault",
        "Footprint",
        "Geometry",
        "Granule",
        "Host",
        "InvalidArgument",
        "IpaIndex",
        "IpaSizes",
        "KernelConfig",
        "Level",
        "LevelCount",
        "Mapping",
        "Memory",
        "MemoryReadError",
        "Origin",
        "Policy",
        "PolicyChoice",
        "PolicyRow",
        "S2GeomError",
        "Scheme",
        "Step",
        "TableBuilder",
        "TableCount",
        "Translation",
        "UnreadableInput",
        "UnsupportedCombination",
        "Violation",
        "bit_ruler",
        "check",
        "compare_policies",
        "diff",
        "fake_pgd",
        "footprint",
        "hw_pgtable_level_shift",
        "hw_pgtable_levels",
        "kernel_macros",
        "leaf_size",
        "parse_nested_name",
        "register_word",
        "scan",
        "stage2",
        "survey",
        "survey_chart",
        "table_tree",
        "walk",
        "strategies.TableImage",
        "strategies.address_layouts",
        "strategies.attributes",
        "strategies.config_texts",
        "strategies.configurations",
        "strategies.cpus",
        "strategies.descriptors",
        "strategies.fake_pgds",
        "strategies.footprints",
        "strategies.geometries",
        "strategies.granules",
        "strategies.hosts",
        "strategies.ipa_indices",
        "strategies.ipas",
        "strategies.kernel_configs",
        "strategies.levels",
        "strategies.page_ranges",
        "strategies.register",
        "strategies.register_words",
        "strategies.schemes",
        "strategies.stes",
        "strategies.table_images",
        "strategies.violations",
        "strategies.vtcrs",
        "strategies.vttbrs",
        "strategies.walks",
    ]
)
"""The names of 0.1.0. A newer one says in its docstring which release added it."""

VERSION_ADDED = ".. versionadded:: "


@frozen
class Entry:
    """A public name: where it is imported from, and what it is."""

    module: str
    name: str
    section: str

    @property
    def thing(self) -> object:
        """The class, function or value itself."""
        return getattr(import_module(self.module), self.name)

    @property
    def full_name(self) -> str:
        """The name with its module, as Sphinx knows it."""
        return f"{self.module}.{self.name}"

    @property
    def page(self) -> str:
        """The page's name: no two differ in capitals alone, which some disks ignore."""
        short = self.full_name.removeprefix("s2geom.")
        is_class = isinstance(self.thing, type)
        others = {name.lower() for name in s2.__all__ if name != self.name}
        return f"{short}-class" if is_class and short.lower() in others else short

    @property
    def docstring(self) -> str:
        """The docstring of a class or a function."""
        return (callable(self.thing) and inspect.getdoc(self.thing)) or ""

    @property
    def summary(self) -> str:
        """The first sentence of its docstring, on one line."""
        text = self.docstring or SUMMARIES[self.name]
        first = " ".join(text.partition("\n\n")[0].split())
        return re.sub(r"``(.*?)``", r"`\1`", first)

    @property
    def is_of_first_release(self) -> bool:
        """Whether 0.1.0 had it."""
        return self.full_name.removeprefix("s2geom.") in FIRST

    def text(self) -> str:
        """Return the page."""
        directive = "autodata"
        options = ["no-value"]
        if isinstance(self.thing, type):
            is_error = issubclass(self.thing, BaseException)
            directive = "autoexception" if is_error else "autoclass"
            options = ["members", *_inherited(self.thing)]
        elif callable(self.thing):
            directive, options = "autofunction", []
        lines = "".join(f"   :{option}:\n" for option in options)
        added = f"\n{VERSION_ADDED}0.1.0\n" if self.is_of_first_release else ""
        return (
            f"# {self.name}\n\n```{{eval-rst}}\n.. currentmodule:: {self.module}\n\n"
            f".. {directive}:: {self.name}\n{lines}{added}```\n"
        )


SUMMARIES = {
    "POLICIES": "The policies that are known, by name: who chooses a shape how.",
}
"""What is said of a value, which has no docstring of its own."""


def _inherited(thing: type) -> list[str]:
    """Return the option for members of a base of ours, which no page of its own has."""
    if issubclass(thing, enum.Enum | BaseException | tuple):
        return []
    bases = [base for base in thing.__mro__[1:] if base.__module__.startswith("s2geom")]
    return ["inherited-members"] if any(vars(base) for base in bases) else []


def entries() -> Iterator[Entry]:
    """Yield every public name in the order of the sections."""
    homes: dict[str, str] = s2._HOMES  # noqa: SLF001 - the one list
    of_section: dict[str, list[Entry]] = {section: [] for section in SECTIONS}
    for name, home in homes.items():
        _, wing, room = home.split(".")
        section = room if room in SECTIONS else wing
        of_section.setdefault(section, []).append(Entry("s2geom", name, section))
    for each in of_section.values():
        yield from each
    import_module("hypothesis")  # which itself loads the strategies, by its plug-in
    for promised in PROMISED:
        module = import_module(f"s2geom.{promised}")
        for name in module.__all__:
            yield Entry(module.__name__, name, promised)


def table() -> str:
    """Return the sections with their names, each linked to its page."""
    text = ""
    section = ""
    for entry in entries():
        if entry.section != section:
            section = entry.section
            title = {**SECTIONS, **PROMISED}[section]
            text += f"\n## {title}\n\n| name | what it is |\n| --- | --- |\n"
        summary = entry.summary.replace("|", "\\|")
        text += f"| [`{entry.name}`](api/{entry.page}.md) | {summary} |\n"
    return text.lstrip()


def write(folder: Path) -> None:
    """Write the pages into a folder, and remove those of names that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{entry.page}.md": entry.text() for entry in entries()}
    for old in folder.glob("*.md"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
