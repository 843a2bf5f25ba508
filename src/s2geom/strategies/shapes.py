# SPDX-License-Identifier: MIT
"""Strategies for hosts, CPUs, geometries and the addresses in them."""

from functools import lru_cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry, IpaIndex, Level
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.cpu.cpu import ANY_CPU, Cpu
from s2geom.cpu.sizes import CHOICE_IPA_BITS, IPA_MAXIMUM, PA_BITS
from s2geom.kernel.choose import Host, check
from s2geom.kernel.fake import FakePgd, fake_pgd
from s2geom.kernel.limits import IPA_MINIMUM, KCONFIG_VA_BITS, VA_MAXIMUM, VA_MINIMUM
from s2geom.kernel.limits import PA_BITS as KERNEL_PA_BITS
from s2geom.kernel.scheme import Scheme

# Kernels and CPUs


def granules() -> SearchStrategy[Granule]:
    """Return a strategy for the three page sizes."""
    return st.sampled_from(Granule)


def schemes() -> SearchStrategy[Scheme]:
    """Return a strategy for the five schemes."""
    return st.sampled_from(Scheme)


def hosts(*, legal: bool | None = None) -> SearchStrategy[Host]:
    """Return a strategy for host kernels.

    Args:
        legal: Whether Kconfig has offered them; None for any arithmetic.
    """
    offered = st.sampled_from(sorted(KCONFIG_VA_BITS)).flatmap(
        lambda size: st.builds(
            Host, st.just(size[0]), st.just(size[1]), st.sampled_from(KERNEL_PA_BITS)
        )
    )
    if legal:
        return offered.filter(lambda host: host.kconfig_legal)
    anything = st.builds(
        Host,
        granules(),
        st.integers(VA_MINIMUM, VA_MAXIMUM),
        st.sampled_from(KERNEL_PA_BITS),
    )
    if legal is None:
        return offered | anything
    return anything.filter(lambda host: not host.kconfig_legal)


def cpus() -> SearchStrategy[Cpu]:
    """Return a strategy for CPUs, from one with 32 bits to those with everything."""
    return st.builds(
        Cpu,
        st.sampled_from(PA_BITS),
        granules=st.just(frozenset(Granule)) | st.frozensets(granules()),
        lpa2=st.frozensets(st.sampled_from((Granule.K4, Granule.K16))),
        ttst=st.booleans(),
        aarch32_el1=st.booleans(),
    )


def configurations(*, legal: bool | None = None) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for the arguments of `stage2` and `check`.

    Args:
        legal: Whether KVM supports them; None for both.
    """
    asked = hosts().flatmap(
        lambda host: st.fixed_dictionaries(
            {
                "page_shift": st.just(host.page_shift),
                "ipa_bits": _ipa_widths(),
                "va_bits": st.just(host.va_bits),
                "pa_bits": st.just(host.pa_bits),
                "scheme": schemes(),
                "cpu": st.none() | cpus(),
            }
        )
    )
    if legal is None:
        return asked

    def fits(question: dict[str, Any]) -> bool:
        return legal is not bool(check(**question))

    return asked.filter(fits)


def _ipa_widths() -> SearchStrategy[int]:
    # Mostly what KVM has, and now and then what it does not.
    return st.integers(IPA_MINIMUM, IPA_MAXIMUM) | st.integers(0, 64)


def violations() -> SearchStrategy[Violation]:
    """Return a strategy for violations, as KVM's and the architecture's rules make."""
    kernel = configurations(legal=False).map(lambda question: check(**question))
    arch = st.tuples(cpus(), geometries()).map(lambda pair: pair[0].check(pair[1]))
    return (kernel | arch.filter(bool)).flatmap(st.sampled_from)


def fake_pgds() -> SearchStrategy[FakePgd]:
    """Return a strategy for the design before v4.7, representable or not."""
    return st.builds(
        fake_pgd,
        granules(),
        st.integers(IPA_MINIMUM, IPA_MAXIMUM),
        st.integers(VA_MINIMUM, VA_MAXIMUM),
    )


# Shapes


def _readable_first(ipa_bits: int) -> tuple[bool, int]:
    # From what KVM has, 32 bits, upward; and then from there downward.
    return ipa_bits < IPA_MINIMUM, abs(ipa_bits - IPA_MINIMUM)


Grid = dict[Granule, dict[int, tuple[Geometry, ...]]]


@lru_cache(maxsize=1)
def _every_shape() -> tuple[Geometry, ...]:
    """Return every shape there is, the most readable first."""
    return tuple(
        sorted(
            (
                Geometry(granule, ipa_bits, start_level, lpa2)
                for granule in Granule
                for ipa_bits in range(1, 65)
                for start_level in range(LAST_LEVEL, -2, -1)
                for lpa2 in (False, True)
            ),
            key=lambda shape: (shape.lpa2, shape.concatenation),
        )
    )


@lru_cache(maxsize=64)
def _legal(cpu: Cpu) -> frozenset[Geometry]:
    return frozenset(
        shape
        for granule in Granule
        for ipa_bits in range(CHOICE_IPA_BITS[0], CHOICE_IPA_BITS[1] + 1)
        for lpa2 in (False, True)
        for shape in cpu.choices(granule, ipa_bits, lpa2)
    )


@lru_cache(maxsize=64)
def _grid(cpu: Cpu, legal: bool | None) -> Grid:
    """Return shapes by page size and width.

    Drawn in three steps, a failing shape shrinks in each: towards 4K pages, 32 bits,
    and a root of one table.
    """
    allowed = _legal(cpu)
    grid: Grid = {}
    for shape in _every_shape():
        if legal is None or legal is (shape in allowed):
            widths = grid.setdefault(shape.granule, {})
            widths[shape.ipa_bits] = (*widths.get(shape.ipa_bits, ()), shape)
    return {
        granule: {
            ipa_bits: grid[granule][ipa_bits]
            for ipa_bits in sorted(grid[granule], key=_readable_first)
        }
        for granule in Granule
        if granule in grid
    }


def geometries(
    cpu: Cpu | None = None, *, legal: bool | None = None
) -> SearchStrategy[Geometry]:
    """Return a strategy for shapes.

    Args:
        cpu: Whose rules decide; None for the CPU that refuses the least.
        legal: Whether the CPU takes them; None for every shape there is.
    """
    grid = _grid(ANY_CPU if cpu is None else cpu, legal)
    if legal is None:
        return _shapes(grid) | geometries(cpu, legal=True)
    return _shapes(grid)


def _shapes(grid: Grid) -> SearchStrategy[Geometry]:
    if not grid:
        return st.nothing()
    return st.sampled_from([*grid]).flatmap(
        lambda granule: st.sampled_from([*grid[granule]]).flatmap(
            lambda ipa_bits: _one_of(grid[granule][ipa_bits])
        )
    )


def _one_of(shapes: tuple[Geometry, ...]) -> SearchStrategy[Geometry]:
    # A choice even where there is one: hypothesis takes the failure with fewer choices
    # for the simpler, and what has no alternative is not what is easiest to read.
    return st.integers(0, 9).map(lambda at: shapes[at % len(shapes)])


def levels() -> SearchStrategy[Level]:
    """Return a strategy for the levels of all shapes."""
    return geometries().flatmap(lambda shape: st.sampled_from(shape.table_levels))


# Addresses


def ipas(geometry: Geometry) -> SearchStrategy[int]:
    """Return a strategy for the addresses of a shape, in bytes.

    Half of them are where programs break: the two ends of the IPA space, of entries at
    each level, and of the concatenated tables, a byte or a page to either side.

    Args:
        geometry: Whose addresses.
    """
    last = geometry.ipa_size - 1
    return st.one_of(
        st.integers(0, last),
        st.sampled_from(_units(geometry)).flatmap(
            lambda unit: st.builds(
                lambda count, aside: min(max(0, count * unit + aside), last),
                st.integers(0, geometry.ipa_size // unit),
                st.sampled_from((0, -1, 1, -geometry.page_size)),
            )
        ),
        st.sampled_from((0, last, last & -geometry.page_size)),
    )


def _units(geometry: Geometry) -> list[int]:
    """Return what an address may be at the edge of: tables, entries and pages."""
    table = geometry.pgdir_size << geometry.stride
    entries = [level.entry_size for level in geometry.table_levels]
    return [unit for unit in (table, *entries) if unit < geometry.ipa_size] or [1]


def ipa_indices(geometry: Geometry | None = None) -> SearchStrategy[IpaIndex]:
    """Return a strategy for addresses, taken apart.

    Args:
        geometry: Whose addresses; None for those of any shape.
    """
    shapes = geometries() if geometry is None else st.just(geometry)
    return shapes.flatmap(lambda shape: ipas(shape).map(shape.split))


def page_ranges(geometry: Geometry) -> SearchStrategy[tuple[int, int]]:
    """Return a strategy for ranges ``(ipa, size)`` in bytes, made of whole pages.

    Args:
        geometry: Whose addresses; it has at least one page.
    """
    return st.tuples(ipas(geometry), ipas(geometry)).map(
        lambda ends: (
            min(ends) & -geometry.page_size,
            (max(ends) & -geometry.page_size)
            + geometry.page_size
            - (min(ends) & -geometry.page_size),
        )
    )
