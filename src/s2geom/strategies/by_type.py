# SPDX-License-Identifier: MIT
"""`register`: the strategy that hypothesis uses for each public type."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from s2geom.build.builder import Step, TableBuilder
from s2geom.build.footprint import Footprint, LevelCount, TableCount
from s2geom.compare.policies import POLICIES, Policy, PolicyChoice, PolicyRow
from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry, IpaIndex, Level
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.id_registers import (
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
)
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kconfig.config import IpaSizes, KernelConfig, Origin
from s2geom.kernel.choose import Host
from s2geom.kernel.fake import FakePgd
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.scheme import Scheme
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.strategies.configs import ipa_sizes, kernel_configs
from s2geom.strategies.shapes import (
    cpus,
    fake_pgds,
    geometries,
    granules,
    hosts,
    ipa_indices,
    levels,
    schemes,
    violations,
)
from s2geom.strategies.tables import (
    TableImage,
    address_layouts,
    attributes,
    descriptors,
    footprints,
    mapped,
    table_images,
    traces,
    walks,
)
from s2geom.strategies.words import Value, any_bits, register_words, stes, vtcrs, vttbrs
from s2geom.tables.attributes import Attributes
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Invalid, Mapping
from s2geom.tables.trace import Trace, TraceStep
from s2geom.tables.walk import Translation


def _kept(kind: type[Value], values: SearchStrategy[Any]) -> SearchStrategy[Value]:
    return values.filter(lambda value: isinstance(value, kind))


def _counts() -> SearchStrategy[TableCount]:
    return footprints().flatmap(
        lambda found: st.sampled_from((found.worst, found.best))
    )


_BY_TYPE: dict[type, Callable[[], SearchStrategy[Any]]] = {
    AddressLayout: lambda: granules().flatmap(address_layouts),
    Attributes: attributes,
    Cpu: cpus,
    Descriptor: descriptors,
    FakePgd: fake_pgds,
    Fault: lambda: _kept(Fault, walks()),
    Footprint: footprints,
    Geometry: geometries,
    Granule: granules,
    Host: hosts,
    ID_AA64MMFR0_EL1: lambda: register_words(ID_AA64MMFR0_EL1),
    ID_AA64MMFR1_EL1: lambda: register_words(ID_AA64MMFR1_EL1),
    ID_AA64MMFR2_EL1: lambda: register_words(ID_AA64MMFR2_EL1),
    ID_AA64MMFR3_EL1: lambda: register_words(ID_AA64MMFR3_EL1),
    Invalid: lambda: st.builds(
        Invalid,
        st.integers(0, 1 << 40),
        st.integers(1, 1 << 40),
        any_bits(64).map(lambda word: word & ~1 or 2),
        st.integers(-1, LAST_LEVEL),
    ),
    IpaIndex: ipa_indices,
    IpaSizes: ipa_sizes,
    KernelConfig: kernel_configs,
    Level: levels,
    LevelCount: lambda: _counts().flatmap(lambda count: st.sampled_from(count.levels)),
    Mapping: mapped,
    Memory: lambda: table_images().map(lambda image: image.memory),
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
            image.builder().changes() or [Step("barrier", 0, 0)]
        )
    ),
    TableBuilder: lambda: table_images().map(TableImage.builder),
    TableCount: _counts,
    TableImage: table_images,
    Trace: traces,
    TraceStep: lambda: (
        traces()
        .filter(lambda found: found.steps)
        .flatmap(lambda found: st.sampled_from(found.steps))
    ),
    Translation: lambda: _kept(Translation, walks()),
    VTCR_EL2: vtcrs,
    VTTBR_EL2: vttbrs,
    Violation: violations,
}
"""How each public value is made where a test only names its type."""


def register() -> None:
    """Tell hypothesis how to make the values of this package from their types.

    Hypothesis calls this through its entry point. Nothing is made before a test asks.
    """
    for kind, make in _BY_TYPE.items():
        st.register_type_strategy(kind, _maker(make))


def _maker(
    make: Callable[[], SearchStrategy[Any]],
) -> Callable[[type], SearchStrategy[Any]]:
    return lambda _: make()
