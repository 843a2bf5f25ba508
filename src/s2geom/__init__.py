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

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2geom.build.builder import Step, TableBuilder
    from s2geom.build.footprint import Footprint, LevelCount, TableCount, footprint
    from s2geom.compare.policies import (
        POLICIES,
        Policy,
        PolicyChoice,
        PolicyRow,
        compare_policies,
    )
    from s2geom.compare.survey import diff, survey
    from s2geom.core.errors import (
        InvalidArgument,
        MemoryReadError,
        S2GeomError,
        UnreadableInput,
        UnsupportedCombination,
        Violation,
    )
    from s2geom.core.geometry import Geometry, IpaIndex, Level
    from s2geom.core.granule import Granule
    from s2geom.core.levels import hw_pgtable_level_shift, hw_pgtable_levels
    from s2geom.cpu.cpu import Cpu
    from s2geom.cpu.id_registers import (
        ID_AA64MMFR0_EL1,
        ID_AA64MMFR1_EL1,
        ID_AA64MMFR2_EL1,
        ID_AA64MMFR3_EL1,
    )
    from s2geom.kconfig.config import IpaSizes, KernelConfig, Origin
    from s2geom.kernel.choose import Host, check, stage2
    from s2geom.kernel.fake import FakePgd, fake_pgd
    from s2geom.kernel.leaf import leaf_size
    from s2geom.kernel.macros import kernel_macros
    from s2geom.kernel.scheme import Scheme
    from s2geom.registers.nested_dump import parse_nested_name
    from s2geom.registers.ste import STE
    from s2geom.registers.vtcr import VTCR_EL2
    from s2geom.registers.vttbr import VTTBR_EL2
    from s2geom.show.chart import survey_chart
    from s2geom.show.register import register_word
    from s2geom.show.ruler import bit_ruler
    from s2geom.show.tree import table_tree
    from s2geom.tables.attributes import Attributes
    from s2geom.tables.descriptor import Descriptor
    from s2geom.tables.faults import Fault
    from s2geom.tables.layout import AddressLayout
    from s2geom.tables.memory import Memory
    from s2geom.tables.scan import Mapping, scan
    from s2geom.tables.walk import Translation, walk

_LATER = {
    "AddressLayout": "tables.layout",
    "Attributes": "tables.attributes",
    "Cpu": "cpu.cpu",
    "Descriptor": "tables.descriptor",
    "FakePgd": "kernel.fake",
    "Fault": "tables.faults",
    "Footprint": "build.footprint",
    "Geometry": "core.geometry",
    "Granule": "core.granule",
    "Host": "kernel.choose",
    "ID_AA64MMFR0_EL1": "cpu.id_registers",
    "ID_AA64MMFR1_EL1": "cpu.id_registers",
    "ID_AA64MMFR2_EL1": "cpu.id_registers",
    "ID_AA64MMFR3_EL1": "cpu.id_registers",
    "InvalidArgument": "core.errors",
    "IpaIndex": "core.geometry",
    "IpaSizes": "kconfig.config",
    "KernelConfig": "kconfig.config",
    "Level": "core.geometry",
    "LevelCount": "build.footprint",
    "Mapping": "tables.scan",
    "Memory": "tables.memory",
    "MemoryReadError": "core.errors",
    "Origin": "kconfig.config",
    "POLICIES": "compare.policies",
    "Policy": "compare.policies",
    "PolicyChoice": "compare.policies",
    "PolicyRow": "compare.policies",
    "S2GeomError": "core.errors",
    "STE": "registers.ste",
    "Scheme": "kernel.scheme",
    "Step": "build.builder",
    "TableBuilder": "build.builder",
    "TableCount": "build.footprint",
    "Translation": "tables.walk",
    "UnreadableInput": "core.errors",
    "UnsupportedCombination": "core.errors",
    "VTCR_EL2": "registers.vtcr",
    "VTTBR_EL2": "registers.vttbr",
    "Violation": "core.errors",
    "bit_ruler": "show.ruler",
    "check": "kernel.choose",
    "compare_policies": "compare.policies",
    "diff": "compare.survey",
    "fake_pgd": "kernel.fake",
    "footprint": "build.footprint",
    "hw_pgtable_level_shift": "core.levels",
    "hw_pgtable_levels": "core.levels",
    "kernel_macros": "kernel.macros",
    "leaf_size": "kernel.leaf",
    "parse_nested_name": "registers.nested_dump",
    "register_word": "show.register",
    "scan": "tables.scan",
    "stage2": "kernel.choose",
    "survey": "compare.survey",
    "survey_chart": "show.chart",
    "table_tree": "show.tree",
    "walk": "tables.walk",
}
"""Every public name and its module, which is loaded when the name is first used: a
debugger that only asks for a shape never pays for a parser, a walker or a picture."""

_MODULES = {"kconfig", "strategies"}
"""The modules that are promised by their own names."""

__all__ = [
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
]


def __getattr__(name: str) -> object:
    """Load the module of a public name at its first use."""
    if name in _MODULES:
        return import_module(f"s2geom.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 's2geom' has no attribute {name!r}")
    value = getattr(import_module(f"s2geom.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
