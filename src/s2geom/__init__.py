# SPDX-License-Identifier: MIT
"""The geometry of Arm stage-2 page tables.

How many levels, which start level, how many concatenated tables, how big and how
aligned the PGD is, for a page size, an IPA width and a host VA width; whether a kernel
or a CPU allows it; and if not, whose limit, by how much, and what would fit.

>>> import s2geom as s2
>>> g = s2.stage2(page_shift=14, ipa_bits=40, va_bits=36)
>>> g.levels, g.start_level, g.concatenation, g.pgd_size
(2, 2, 16, 262144)
"""

from collections.abc import Collection
from importlib import import_module
from typing import TYPE_CHECKING

from s2geom.core.display import hand_down
from s2geom.core.public import door, homes

_ROOMS = {
    "build.builder": ("Step", "TableBuilder"),
    "build.footprint": ("Footprint", "LevelCount", "TableCount", "footprint"),
    "compare.policies": (
        "POLICIES",
        "Policy",
        "PolicyChoice",
        "PolicyRow",
        "compare_policies",
    ),
    "compare.survey": ("DiffRow", "SurveyRow", "diff", "survey"),
    "core.errors": (
        "InvalidArgument",
        "MemoryReadError",
        "S2GeomError",
        "UnreadableInput",
        "UnsupportedCombination",
        "Violation",
        "Violations",
    ),
    "core.geometry": ("Choices", "Geometry", "IpaIndex", "Level"),
    "core.granule": ("Granule", "hw_pgtable_level_shift", "hw_pgtable_levels"),
    "cpu.cpu": ("Cpu",),
    "cpu.id_registers": (
        "ID_AA64MMFR0_EL1",
        "ID_AA64MMFR1_EL1",
        "ID_AA64MMFR2_EL1",
        "ID_AA64MMFR3_EL1",
    ),
    "kconfig.ipa_sizes": ("IpaSizes",),
    "kconfig.kernel_config": ("KernelConfig",),
    "kconfig.origins": ("Origin",),
    "kernel.choose": ("check", "stage2"),
    "kernel.fake": ("FakePgd", "fake_pgd"),
    "kernel.host": ("Host",),
    "kernel.leaf": ("leaf_size",),
    "kernel.macros": ("kernel_macros",),
    "kernel.scheme": ("Scheme",),
    "registers.esr": ("ESR_EL2", "GuestFault"),
    "registers.nested_dump": ("NestedDump", "parse_nested_name"),
    "registers.ste": ("STE",),
    "registers.vtcr": ("VTCR_EL2",),
    "registers.vttbr": ("VTTBR_EL2",),
    "show.chart": ("survey_chart",),
    "show.register": ("register_word",),
    "show.ruler": ("bit_ruler",),
    "show.tree": ("table_tree",),
    "tables.attributes": ("Attributes",),
    "tables.columns": ("Columns", "scan_columns"),
    "tables.descriptor": ("Descriptor",),
    "tables.faults": ("Fault",),
    "tables.kernel_dump": ("KernelRun", "kernel_dump", "parse_kernel_dump"),
    "tables.layout": ("AddressLayout",),
    "tables.memory": ("Memory",),
    "tables.scan": ("Invalid", "Mapping", "scan"),
    "tables.trace": ("Trace", "TraceStep", "trace"),
    "tables.walk": ("Translation", "walk"),
}
"""Every public name, by the module that defines it."""

_HOMES = homes(__name__, _ROOMS)

if TYPE_CHECKING:  # the same names once more, for tools that do not run the code
    from s2geom.build.builder import Step as Step
    from s2geom.build.builder import TableBuilder as TableBuilder
    from s2geom.build.footprint import Footprint as Footprint
    from s2geom.build.footprint import LevelCount as LevelCount
    from s2geom.build.footprint import TableCount as TableCount
    from s2geom.build.footprint import footprint as footprint
    from s2geom.compare.policies import POLICIES as POLICIES
    from s2geom.compare.policies import Policy as Policy
    from s2geom.compare.policies import PolicyChoice as PolicyChoice
    from s2geom.compare.policies import PolicyRow as PolicyRow
    from s2geom.compare.policies import compare_policies as compare_policies
    from s2geom.compare.survey import DiffRow as DiffRow
    from s2geom.compare.survey import SurveyRow as SurveyRow
    from s2geom.compare.survey import diff as diff
    from s2geom.compare.survey import survey as survey
    from s2geom.core.errors import InvalidArgument as InvalidArgument
    from s2geom.core.errors import MemoryReadError as MemoryReadError
    from s2geom.core.errors import S2GeomError as S2GeomError
    from s2geom.core.errors import UnreadableInput as UnreadableInput
    from s2geom.core.errors import UnsupportedCombination as UnsupportedCombination
    from s2geom.core.errors import Violation as Violation
    from s2geom.core.errors import Violations as Violations
    from s2geom.core.geometry import Choices as Choices
    from s2geom.core.geometry import Geometry as Geometry
    from s2geom.core.geometry import IpaIndex as IpaIndex
    from s2geom.core.geometry import Level as Level
    from s2geom.core.granule import Granule as Granule
    from s2geom.core.granule import hw_pgtable_level_shift as hw_pgtable_level_shift
    from s2geom.core.granule import hw_pgtable_levels as hw_pgtable_levels
    from s2geom.cpu.cpu import Cpu as Cpu
    from s2geom.cpu.id_registers import ID_AA64MMFR0_EL1 as ID_AA64MMFR0_EL1
    from s2geom.cpu.id_registers import ID_AA64MMFR1_EL1 as ID_AA64MMFR1_EL1
    from s2geom.cpu.id_registers import ID_AA64MMFR2_EL1 as ID_AA64MMFR2_EL1
    from s2geom.cpu.id_registers import ID_AA64MMFR3_EL1 as ID_AA64MMFR3_EL1
    from s2geom.kconfig.ipa_sizes import IpaSizes as IpaSizes
    from s2geom.kconfig.kernel_config import KernelConfig as KernelConfig
    from s2geom.kconfig.origins import Origin as Origin
    from s2geom.kernel.choose import check as check
    from s2geom.kernel.choose import stage2 as stage2
    from s2geom.kernel.fake import FakePgd as FakePgd
    from s2geom.kernel.fake import fake_pgd as fake_pgd
    from s2geom.kernel.host import Host as Host
    from s2geom.kernel.leaf import leaf_size as leaf_size
    from s2geom.kernel.macros import kernel_macros as kernel_macros
    from s2geom.kernel.scheme import Scheme as Scheme
    from s2geom.registers.esr import ESR_EL2 as ESR_EL2
    from s2geom.registers.esr import GuestFault as GuestFault
    from s2geom.registers.nested_dump import NestedDump as NestedDump
    from s2geom.registers.nested_dump import parse_nested_name as parse_nested_name
    from s2geom.registers.ste import STE as STE
    from s2geom.registers.vtcr import VTCR_EL2 as VTCR_EL2
    from s2geom.registers.vttbr import VTTBR_EL2 as VTTBR_EL2
    from s2geom.show.chart import survey_chart as survey_chart
    from s2geom.show.register import register_word as register_word
    from s2geom.show.ruler import bit_ruler as bit_ruler
    from s2geom.show.tree import table_tree as table_tree
    from s2geom.tables.attributes import Attributes as Attributes
    from s2geom.tables.columns import Columns as Columns
    from s2geom.tables.columns import scan_columns as scan_columns
    from s2geom.tables.descriptor import Descriptor as Descriptor
    from s2geom.tables.faults import Fault as Fault
    from s2geom.tables.kernel_dump import KernelRun as KernelRun
    from s2geom.tables.kernel_dump import kernel_dump as kernel_dump
    from s2geom.tables.kernel_dump import parse_kernel_dump as parse_kernel_dump
    from s2geom.tables.layout import AddressLayout as AddressLayout
    from s2geom.tables.memory import Memory as Memory
    from s2geom.tables.scan import Invalid as Invalid
    from s2geom.tables.scan import Mapping as Mapping
    from s2geom.tables.scan import scan as scan
    from s2geom.tables.trace import Trace as Trace
    from s2geom.tables.trace import TraceStep as TraceStep
    from s2geom.tables.trace import trace as trace
    from s2geom.tables.walk import Translation as Translation
    from s2geom.tables.walk import walk as walk

    __all__: list[str]
else:
    __all__ = sorted(_HOMES)  # noqa: PLE0605 - made from the one list

    def __getattr__(name: str) -> object:
        """Load a public name at its first use, or a module that is promised by name."""
        if name in {"kconfig", "readers", "strategies"}:
            return import_module(f"s2geom.{name}")
        return _load(name)


def __dir__() -> list[str]:
    return sorted(_HOMES)


def _draw(
    value: object, include: Collection[str] | None, exclude: Collection[str] | None
) -> dict[str, str]:
    from s2geom.show.notebook import mimebundle  # noqa: PLC0415 - when a notebook asks

    return mimebundle(value, include, exclude)


_load = door(__name__, _HOMES)
hand_down(_draw)
