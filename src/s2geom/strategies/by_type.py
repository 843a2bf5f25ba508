# SPDX-License-Identifier: MIT
"""The strategy of each public type, for ``st.from_type`` and annotations."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from s2geom.build.builder import Step, TableBuilder
from s2geom.build.footprint import Footprint, LevelCount, TableCount
from s2geom.compare.policies import POLICIES, Policy, PolicyChoice, PolicyRow
from s2geom.compare.survey import DiffRow, SurveyRow
from s2geom.core.errors import Violation, Violations
from s2geom.core.geometry import Choices, Geometry, IpaIndex, Level
from s2geom.core.granule import Granule
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.id_registers import (
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
)
from s2geom.cpu.sizes import CHOICE_IPA_BITS, IPA_MAXIMUM
from s2geom.kconfig.ipa_sizes import IpaSizes
from s2geom.kconfig.kernel_config import KernelConfig
from s2geom.kconfig.origins import Origin
from s2geom.kernel.fake import FakePgd
from s2geom.kernel.host import Host
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.scheme import Scheme
from s2geom.registers.esr import ESR_EL2, GuestFault
from s2geom.registers.nested_dump import NestedDump
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.strategies.addresses import ipa_indices
from s2geom.strategies.configs import ipa_sizes, kernel_configs
from s2geom.strategies.damage import CorruptImage, corrupt_images
from s2geom.strategies.entries import address_layouts, attributes, descriptors
from s2geom.strategies.images import TableImage, table_images
from s2geom.strategies.machines import (
    broken_limits,
    cpus,
    diff_rows,
    fake_pgds,
    granules,
    hosts,
    schemes,
    survey_rows,
    violations,
)
from s2geom.strategies.results import (
    columns,
    footprints,
    invalid_runs,
    kernel_runs,
    scanned,
    traces,
    walks,
)
from s2geom.strategies.shapes import geometries, levels
from s2geom.strategies.words import guest_faults, register_words, stes, vtcrs, vttbrs
from s2geom.tables.attributes import Attributes
from s2geom.tables.columns import Columns
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.kernel_dump import KernelRun
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Invalid, Mapping
from s2geom.tables.trace import Trace, TraceStep
from s2geom.tables.walk import Translation


def _counts() -> SearchStrategy[TableCount]:
    return footprints().flatmap(
        lambda weight: st.sampled_from((weight.worst, weight.best))
    )


BY_TYPE: dict[type, Callable[[], SearchStrategy[Any]]] = {
    AddressLayout: lambda: granules().flatmap(address_layouts),
    Attributes: attributes,
    Choices: lambda: st.builds(
        Cpu.choices, cpus(), granules(), st.integers(*CHOICE_IPA_BITS)
    ),
    CorruptImage: corrupt_images,
    Cpu: cpus,
    Columns: columns,
    Descriptor: descriptors,
    FakePgd: fake_pgds,
    DiffRow: diff_rows,
    ESR_EL2: lambda: register_words(ESR_EL2),
    Fault: lambda: walks().filter(lambda answer: isinstance(answer, Fault)),
    Footprint: footprints,
    Geometry: geometries,
    Granule: granules,
    GuestFault: guest_faults,
    Host: hosts,
    ID_AA64MMFR0_EL1: lambda: register_words(ID_AA64MMFR0_EL1),
    ID_AA64MMFR1_EL1: lambda: register_words(ID_AA64MMFR1_EL1),
    ID_AA64MMFR2_EL1: lambda: register_words(ID_AA64MMFR2_EL1),
    ID_AA64MMFR3_EL1: lambda: register_words(ID_AA64MMFR3_EL1),
    Invalid: invalid_runs,
    IpaIndex: ipa_indices,
    IpaSizes: ipa_sizes,
    KernelConfig: kernel_configs,
    KernelRun: kernel_runs,
    Level: levels,
    LevelCount: lambda: _counts().flatmap(lambda count: st.sampled_from(count.levels)),
    Mapping: scanned,
    Memory: lambda: table_images().map(lambda image: image.memory),
    NestedDump: lambda: st.builds(
        NestedDump, vttbrs(), vtcrs(), st.sampled_from((None, False, True))
    ),
    Origin: lambda: kernel_configs().flatmap(
        lambda config: st.sampled_from(list(config.origins.values()))
    ),
    Policy: lambda: st.sampled_from(list(POLICIES.values())),
    PolicyChoice: lambda: st.builds(
        Policy.choose,
        st.sampled_from(list(POLICIES.values())),
        cpus(),
        granules(),
        st.integers(IPA_MINIMUM, IPA_MAXIMUM),
    ),
    PolicyRow: lambda: st.sampled_from(
        [row for policy in POLICIES.values() for row in policy.rows]
    ),
    STE: stes,
    Scheme: schemes,
    Step: lambda: table_images().flatmap(
        lambda image: st.sampled_from(
            image.builder(record=True).changes() or [Step("barrier", 0, 0)]
        )
    ),
    SurveyRow: survey_rows,
    TableBuilder: lambda: table_images().map(TableImage.builder),
    TableCount: _counts,
    TableImage: table_images,
    Trace: traces,
    TraceStep: lambda: traces().flatmap(lambda walk: st.sampled_from(walk.steps)),
    Translation: lambda: walks().filter(lambda answer: isinstance(answer, Translation)),
    VTCR_EL2: vtcrs,
    VTTBR_EL2: vttbrs,
    Violation: violations,
    Violations: broken_limits,
}
"""How each public value is made where a test only names its type."""


def register() -> None:
    """Tell hypothesis how to make the values of this package from their types.

    Where the package is installed, hypothesis does so by itself. Call this where the
    package is only on the path, or where HYPOTHESIS_NO_PLUGINS is set.
    """
    for kind in BY_TYPE:
        st.register_type_strategy(kind, strategy_of)


def strategy_of(kind: type) -> SearchStrategy[Any]:
    """Return the strategy of a public type.

    Args:
        kind: The type. ``NotImplemented`` is returned for one that has no strategy;
            hypothesis then makes its values from the arguments.
    """
    make = BY_TYPE.get(kind)
    return NotImplemented if make is None else make()
