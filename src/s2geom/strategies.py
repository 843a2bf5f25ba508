# SPDX-License-Identifier: MIT
"""Hypothesis strategies for the values of this package.

They are made for testing other code against this one: a walker, a builder, a parser, a
hypervisor's own arithmetic. Each takes ``legal``: True for what is allowed, False for
what is refused, None for both. They love the places where programs break: the last
page, the seams between concatenated tables, the ends of entries, reserved bits. And
they shrink to examples that can be read: 4K pages, 32 bits, one table, address 0.

This module is hypothesis' own entry point, and registers its strategies when it is
loaded. So ``st.from_type(Geometry)`` and the annotations of a test's arguments work as
soon as both packages are installed.

This is the one module that imports hypothesis.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.build.builder import Step, TableBuilder
from s2geom.build.footprint import Footprint, LevelCount, TableCount, footprint
from s2geom.compare.policies import POLICIES, Policy, PolicyChoice, PolicyRow
from s2geom.core.errors import InvalidArgument, Violation
from s2geom.core.fields import Word
from s2geom.core.geometry import Geometry, IpaIndex, Level
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.cpu.cpu import ANY_CPU, Cpu
from s2geom.cpu.id_registers import (
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
)
from s2geom.cpu.sizes import CHOICE_IPA_BITS, IPA_MAXIMUM, PA_BITS
from s2geom.kconfig.config import IpaSizes, KernelConfig, Origin
from s2geom.kernel.choose import Host, check
from s2geom.kernel.fake import FakePgd, fake_pgd
from s2geom.kernel.limits import IPA_MINIMUM, KCONFIG_VA_BITS, VA_MAXIMUM, VA_MINIMUM
from s2geom.kernel.limits import PA_BITS as KERNEL_PA_BITS
from s2geom.kernel.scheme import Scheme
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.tables.attributes import Attributes
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.scan import Mapping, scan
from s2geom.tables.walk import Translation, walk

__all__ = [
    "TableImage",
    "address_layouts",
    "attributes",
    "config_texts",
    "configurations",
    "cpus",
    "descriptors",
    "fake_pgds",
    "footprints",
    "geometries",
    "granules",
    "hosts",
    "ipa_indices",
    "ipas",
    "kernel_configs",
    "levels",
    "page_ranges",
    "register",
    "register_words",
    "schemes",
    "stes",
    "table_images",
    "violations",
    "vtcrs",
    "vttbrs",
    "walks",
]

Value = TypeVar("Value")
Register = TypeVar("Register", bound=Word)

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


# Words


def register_words(register: type[Register]) -> SearchStrategy[Register]:
    """Return a strategy for any word of a register, reserved bits and all.

    Args:
        register: `VTCR_EL2`, `VTTBR_EL2`, `STE` or another register of this package.
    """
    fields = st.fixed_dictionaries(
        {row.low: st.integers(0, row.mask >> row.low) for row in register.fields()}
    ).map(lambda values: sum(value << low for low, value in values.items()))
    return (fields | _bits(register.WIDTH)).map(register.from_int)


def _bits(width: int) -> SearchStrategy[int]:
    # Integers are mostly small, but each bit of a word is as good as another.
    size = width // 8
    return st.binary(min_size=size, max_size=size).map(int.from_bytes)


def vtcrs(*, legal: bool | None = None) -> SearchStrategy[VTCR_EL2]:
    """Return a strategy for VTCR_EL2.

    Args:
        legal: Whether `VTCR_EL2.lint` has nothing to say; None for any word.
    """
    right = st.builds(
        VTCR_EL2.for_geometry,
        geometries(legal=True),
        st.sampled_from(PA_BITS[::-1]),
        ha=st.booleans(),
        vs=st.booleans(),
    )
    if legal:
        return right
    wrong = _nearly(right) | register_words(VTCR_EL2)
    return right | wrong if legal is None else wrong.filter(lambda word: word.lint())


def _nearly(words: SearchStrategy[Register]) -> SearchStrategy[Register]:
    """Change one bit: a mistake is hardest to see where all else is right."""
    return words.flatmap(
        lambda word: st.integers(0, word.WIDTH - 1).map(
            lambda bit: type(word).from_int(int(word) ^ 1 << bit)
        )
    )


def _roots(geometry: Geometry) -> SearchStrategy[int]:
    # A page at least, so that what is built there begins a page.
    alignment = max(geometry.pgd_alignment, geometry.page_size)
    return st.integers(0, (1 << 40) // alignment - 1).map(
        lambda number: number * alignment
    )


def vttbrs(
    geometry: Geometry | None = None, *, legal: bool | None = None
) -> SearchStrategy[VTTBR_EL2]:
    """Return a strategy for VTTBR_EL2.

    Args:
        geometry: The tables it points at; None for those of any legal shape.
        legal: Whether the root is where such tables can be; None for any word. What is
            refused depends on the tables, so False takes a ``geometry``.

    Raises:
        InvalidArgument: ``legal`` is False without a ``geometry``.
    """
    if legal is False and geometry is None:
        raise InvalidArgument(
            "legal=False needs a geometry: what is refused depends on the tables"
        )
    shapes = geometries(legal=True) if geometry is None else st.just(geometry)
    right = shapes.flatmap(
        lambda shape: st.builds(
            VTTBR_EL2.for_geometry, st.just(shape), _roots(shape), st.integers(0, 255)
        )
    )
    if legal:
        return right
    wrong = _nearly(right) | register_words(VTTBR_EL2)
    return (
        right | wrong
        if legal is None
        else wrong.filter(lambda word: word.lint(geometry=geometry))
    )


def stes(*, legal: bool | None = None) -> SearchStrategy[STE]:
    """Return a strategy for words 2 and 3 of an SMMU's stream table entry.

    Args:
        legal: Whether `STE.lint` has nothing to say; None for any words.
    """
    right = geometries(legal=True).flatmap(
        lambda shape: st.builds(
            STE.for_geometry, st.just(shape), _roots(shape), vmid=st.integers(0, 255)
        )
    )
    if legal:
        return right.filter(lambda entry: not entry.lint())
    wrong = _nearly(right) | register_words(STE)
    return right | wrong if legal is None else wrong.filter(lambda entry: entry.lint())


# Descriptors


def address_layouts(granule: Granule) -> SearchStrategy[AddressLayout]:
    """Return a strategy for the address layouts that a page size has.

    Args:
        granule: The page size.
    """
    wide = AddressLayout.LPA if granule is Granule.K64 else AddressLayout.LPA2
    return st.sampled_from((AddressLayout.BITS48, wide))


def attributes() -> SearchStrategy[Attributes]:
    """Return a strategy for the attributes of a leaf, from the default on."""
    return st.builds(
        Attributes,
        s2ap=st.sampled_from((3, 1, 2, 0)),
        memattr=st.sampled_from(range(15, -1, -1)),
        sh=st.sampled_from((3, 2, 1, 0, None)),
        af=st.sampled_from((True, False)),
        xn=st.integers(0, 3),
        dbm=st.booleans(),
        fnxs=st.booleans(),
        nt=st.booleans(),
        ns=st.booleans(),
        software=st.integers(0, 7),
        pbha=st.integers(0, 15),
        amec=st.booleans(),
    )


def descriptors(geometry: Geometry | None = None) -> SearchStrategy[Descriptor]:
    """Return a strategy for descriptors: leaves, tables, and any word at all.

    Args:
        geometry: The shape whose tables they are from; None for any legal one.
    """
    return _descriptors(geometry)


@st.composite
def _descriptors(draw: DrawFn, geometry: Geometry | None) -> Descriptor:
    shape = geometry or draw(geometries(legal=True))
    level = draw(st.sampled_from(shape.table_levels[::-1]))
    choices = [_bits(64)]
    if level.leaf:
        choices.append(_leaves(shape, level))
    if level.number != LAST_LEVEL:
        choices.append(
            _multiples(shape.page_size).map(
                lambda address: int(Descriptor.table(shape, level.number, address))
            )
        )
    # What is right first: a reader sees more in a page than in a word of noise.
    word = draw(st.one_of(choices[::-1]))
    return Descriptor.from_int(word, shape, level.number)


def _leaves(geometry: Geometry, level: Level) -> SearchStrategy[int]:
    return st.builds(
        lambda address, given, group: int(
            Descriptor.leaf(geometry, level.number, address, given, contiguous=group)
        ),
        _multiples(level.entry_size),
        attributes().filter(lambda given: not given.nt),
        st.booleans() if level.contiguous else st.just(False),
    )


def _multiples(unit: int) -> SearchStrategy[int]:
    # Below 2^48, which every layout holds.
    return st.integers(0, (1 << 48) // unit - 1).map(lambda number: number * unit)


# Tables with their truth


Placement = tuple[int, int, int, Attributes]
"""``(ipa, pa, size, attributes)``."""


@frozen
class TableImage:
    """Tables in memory, and what they were made to map.

    Args:
        geometry: Their shape.
        root: Physical address of the PGD, in bytes.
        mappings: What is mapped, as ``(ipa, pa, size, attributes)``, in the order in
            which it was; none of them overlap.
    """

    geometry: Geometry
    root: int
    mappings: tuple[Placement, ...]

    def builder(self) -> TableBuilder:
        """Return a new builder that has mapped it all."""
        tables = TableBuilder(self.geometry, self.root)
        for ipa, pa, size, given in self.mappings:
            tables.map(ipa, pa, size, attributes=given)
        return tables

    @property
    def images(self) -> dict[int, bytes]:
        """The tables, as `TableBuilder.images` gives them."""
        return self.builder().images()

    @property
    def memory(self) -> Memory:
        """The tables, as what `walk` and `scan` read from."""
        return Memory(self.images)

    def output_address(self, ipa: int) -> int | None:
        """Return where an IPA is, by what was asked for; None where nothing is."""
        for start, pa, size, _ in self.mappings:
            if start <= ipa < start + size:
                return pa + ipa - start
        return None


def table_images(
    geometry: Geometry | None = None, *, least: int = 0, most: int = 4
) -> SearchStrategy[TableImage]:
    """Return a strategy for table images with their truth.

    They have pages, blocks, contiguous groups and ranges that end in the middle of
    one, at both ends of the IPA space and across the seams of the root.

    Args:
        geometry: The shape of the tables; None for any legal one.
        least: Fewest ranges that are mapped, 0 or 1; 0 allows for empty tables.
        most: Most ranges that are mapped.
    """
    return _table_images(geometry, least, most)


@st.composite
def _table_images(
    draw: DrawFn, geometry: Geometry | None, least: int, most: int
) -> TableImage:
    shape = geometry or draw(geometries(legal=True))
    root = draw(_roots(shape))
    mappings: list[Placement] = []
    asked = st.lists(_placements(shape), min_size=least, max_size=most)
    for ipa, pa, size, given in draw(asked):
        if all(
            ipa + size <= other or other + length <= ipa
            for other, _, length, _ in mappings
        ):
            mappings.append((ipa, pa, size, given))
    return TableImage(shape, root, tuple(mappings))


_READABLE = (
    Attributes(),
    Attributes(s2ap=1),
    Attributes(xn=2),
    Attributes(memattr=1, xn=2),
)
"""Normal memory, read-only, never executable, a device: a read succeeds in all."""


@st.composite
def _placements(draw: DrawFn, geometry: Geometry) -> Placement:
    """Draw a range that takes few tables, however large it is.

    The draws are equally many whatever the shape: of two failures, hypothesis takes the
    one with fewer draws for the simpler, and that shall not be the one with fewer
    levels.
    """
    page = geometry.page_size
    leaves = [each for each in geometry.table_levels[::-1] if each.leaf]
    level = leaves[draw(st.integers(0, 3)) % len(leaves)]
    unit = level.entry_size
    slots = geometry.ipa_size // unit
    most = min(slots, max(2, level.contiguous + 1))
    count = draw(st.integers(1, most) | st.sampled_from((1, most)))
    seam = (geometry.pgdir_size << geometry.stride) // unit
    last = slots - count
    edges = sorted({0, min(max(0, seam - 1), last), last})
    first = draw(st.integers(0, last) | st.sampled_from(edges))
    target = draw(st.integers(0, (1 << 40) // unit))
    before, after = (draw(st.sampled_from((0, 0, 1, 3))) * page for _ in range(2))
    given = draw(st.sampled_from(_READABLE))
    if unit == page:
        before = after = 0
    # In blocks, both addresses have the same place.
    return (
        first * unit + before,
        target * unit + before,
        count * unit - before - after,
        given,
    )


def walks() -> SearchStrategy[Translation | Fault]:
    """Return a strategy for what `walk` returns, from images and addresses."""
    return _walks()


@st.composite
def _walks(draw: DrawFn) -> Translation | Fault:
    image = draw(table_images())
    mapped = draw(st.booleans())
    if mapped and image.mappings:
        start, _, size, _ = draw(st.sampled_from(image.mappings))
        ipa = start + draw(st.integers(0, size - 1))
    else:
        ipa = draw(ipas(image.geometry))
    return walk(image.geometry, image.root, ipa, image.memory.read)


@st.composite
def _mapped(draw: DrawFn) -> Mapping:
    image = draw(table_images(least=1))
    found = scan(image.geometry, image.root, image.memory.read)
    return draw(st.sampled_from(tuple(found)))


def footprints(geometry: Geometry | None = None) -> SearchStrategy[Footprint]:
    """Return a strategy for the weight of the tables for a few ranges.

    Args:
        geometry: The shape of the tables; None for any legal one.
    """
    shapes = geometries(legal=True) if geometry is None else st.just(geometry)
    return shapes.flatmap(
        lambda shape: st.builds(
            footprint, st.just(shape), st.lists(page_ranges(shape), max_size=4)
        )
    )


# Kernel configurations


RELEASES = (
    "6.12.0",
    "6.8.0-31-generic",
    "6.1.0-18-arm64",
    "5.15.0",
    "5.10.0-30-arm64",
    "5.4.0",
    "4.19.0",
    "4.7.0",
    "4.4.0",
    "3.18.0",
)

NOISE = (
    "",
    "#",
    "# General setup",
    "CONFIG_SMP=y",
    "CONFIG_HZ=250",
    "CONFIG_XEN=m",
    "# CONFIG_CPU_BIG_ENDIAN is not set",
    'CONFIG_LOCALVERSION="-16K # not a remark"',
    "CONFIG_TEXT_OFFSET=0x80000",
)
"""Lines that say nothing here."""


def _settings(host: Host) -> list[str]:
    """Return the lines of a host's configuration, and of options not taken."""
    lines = ["CONFIG_ARM64=y"]
    for granule in Granule:
        option = f"CONFIG_ARM64_{granule}_PAGES"
        taken = granule is host.granule
        lines.append(f"{option}=y" if taken else f"# {option} is not set")
    lines += [
        f"CONFIG_ARM64_VA_BITS_{host.va_bits}=y",
        f"CONFIG_ARM64_VA_BITS={host.va_bits}",
        f"CONFIG_ARM64_PA_BITS_{host.pa_bits}=y",
        f"CONFIG_ARM64_PA_BITS={host.pa_bits}",
        f"CONFIG_PGTABLE_LEVELS={host.pgtable_levels}",
        "CONFIG_VIRTUALIZATION=y",
    ]
    return lines


def _damaged(host: Host) -> dict[str, Callable[[str], str]]:
    """Return ways to spoil a configuration, by what is wrong then."""
    page, va = f"CONFIG_ARM64_{host.granule}_PAGES=y\n", f"VA_BITS_{host.va_bits}=y\n"
    levels = f"PGTABLE_LEVELS={host.pgtable_levels}\n"
    wrong = host.pgtable_levels % 4 + 2
    return {
        "no page size": lambda text: text.replace(page, ""),
        "levels that do not fit": lambda text: text.replace(
            levels, f"PGTABLE_LEVELS={wrong}\n"
        ),
        "two VA widths": lambda text: text.replace(va, "VA_BITS_35=y\n").replace(
            f"VA_BITS={host.va_bits}\n", "VA_BITS=35\n"
        ),
        "another architecture": lambda text: f"CONFIG_X86_64=y\n{text}",
        "a value that is none": lambda text: text + "CONFIG_KVM=maybe\n",
    }


def config_texts(
    host: Host | None = None, *, legal: bool | None = True
) -> SearchStrategy[str]:
    """Return a strategy for the text of a kernel's ``.config``.

    Args:
        host: Whose configuration; None for any that Kconfig has offered.
        legal: Whether `KernelConfig.from_text` can read it; None for both.
    """
    return _config_texts(host, legal)


@st.composite
def _config_texts(draw: DrawFn, host: Host | None, legal: bool | None) -> str:
    kernel = host or draw(hosts(legal=True))
    release = draw(st.none() | st.sampled_from(RELEASES))
    kvm = draw(st.sampled_from(("CONFIG_KVM=y", "# CONFIG_KVM is not set")))
    lines = _settings(kernel)
    # Kconfig's order depends on the release, and the reader must not.
    for line in draw(st.lists(st.sampled_from(NOISE), max_size=5)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    header = (
        [] if release is None else [f"# Linux/arm64 {release} Kernel Configuration"]
    )
    text = "".join(f"{line}\n" for line in (*header, *lines, kvm))
    if legal or (legal is None and draw(st.booleans())):
        return text
    ways = _damaged(kernel)
    return ways[draw(st.sampled_from(sorted(ways)))](text)


def kernel_configs() -> SearchStrategy[KernelConfig]:
    """Return a strategy for kernel configurations, read from text."""
    return config_texts().map(KernelConfig.from_text)


# Every type, for `st.from_type`


def _ipa_sizes() -> SearchStrategy[IpaSizes]:
    return st.builds(
        KernelConfig.ipa_sizes,
        kernel_configs(),
        st.none() | cpus(),
        release=st.sampled_from(RELEASES),
    )


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
    IpaIndex: ipa_indices,
    IpaSizes: _ipa_sizes,
    KernelConfig: kernel_configs,
    Level: levels,
    LevelCount: lambda: _counts().flatmap(lambda count: st.sampled_from(count.levels)),
    Mapping: _mapped,
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
    Translation: lambda: _kept(Translation, walks()),
    VTCR_EL2: vtcrs,
    VTTBR_EL2: vttbrs,
    Violation: violations,
}
"""How each public value is made where a test only names its type."""


def register() -> None:
    """Tell hypothesis how to make the values of this package from their types.

    It is done when this module is loaded, by whoever loads it first: hypothesis, or a
    test. Nothing is made before a test asks.
    """
    for kind, make in _BY_TYPE.items():
        st.register_type_strategy(kind, _maker(make))


def _maker(
    make: Callable[[], SearchStrategy[Any]],
) -> Callable[[type], SearchStrategy[Any]]:
    return lambda _: make()


# The entry point is the module and not this function: where a test imports this module
# first, hypothesis is imported by it, and asks for the entry point in its turn before
# there is any function to call.
register()
