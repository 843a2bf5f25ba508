# SPDX-License-Identifier: MIT
"""The strategies make what they say, reach where programs break, and shrink."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any, is_typeddict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from strategies.drawing import drawn, smallest

import s2geom as s2
from s2geom import (
    STE,
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Fault,
    Geometry,
    Granule,
    Host,
    IpaIndex,
    KernelConfig,
    Scheme,
    Translation,
    UnreadableInput,
)
from s2geom import strategies as s2st
from s2geom.strategies.by_type import BY_TYPE

ANYTHING = Cpu(56, lpa2=True, ttst=True, aarch32_el1=True)
THE_PATCH = Geometry(14, 40, 2)

KCONFIG = {
    (12, 39, 48),
    (12, 48, 48),
    (12, 52, 52),
    (14, 36, 48),
    (14, 47, 48),
    (14, 48, 48),
    (14, 52, 52),
    *((16, va_bits, pa_bits) for va_bits in (42, 48, 52) for pa_bits in (48, 52)),
}
"""Page shift, VA and PA widths that Kconfig has offered together."""

# What they make


@pytest.mark.parametrize("name", s2st.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """Every name of the module exists and has a docstring."""
    assert getattr(s2st, name).__doc__
    assert name in dir(s2st)


@given(s2st.hosts(), s2st.hosts(legal=True), s2st.hosts(legal=False))
def test_hosts(anything: Host, legal: Host, illegal: Host) -> None:
    """Legal hosts are those that Kconfig has offered."""
    assert isinstance(anything, Host)
    assert (legal.page_shift, legal.va_bits, legal.pa_bits) in KCONFIG
    assert (illegal.page_shift, illegal.va_bits, illegal.pa_bits) not in KCONFIG


def test_every_host_of_kconfig_is_reached() -> None:
    """A run of 200 examples has all of them."""
    found = drawn(s2st.hosts(legal=True))

    assert KCONFIG == {(host.page_shift, host.va_bits, host.pa_bits) for host in found}


@settings(max_examples=25)
@given(
    s2st.configurations(),
    s2st.configurations(legal=True),
    s2st.configurations(legal=False),
)
def test_configurations(
    anything: dict[str, Any], legal: dict[str, Any], illegal: dict[str, Any]
) -> None:
    """They are arguments of `stage2` and `check`."""
    assert isinstance(s2.check(**anything), tuple)
    assert isinstance(s2.stage2(**legal), Geometry)
    with pytest.raises(s2.UnsupportedCombination):
        s2.stage2(**illegal)


def test_configurations_ask_about_every_kind_of_kernel() -> None:
    """A scheme or a release, and protected hosts where there is a CPU."""
    found = drawn(s2st.configurations())

    assert {*s2.Scheme} == {asked["scheme"] for asked in found if asked["scheme"]}
    assert all(
        (asked["scheme"] is None) != (asked["release"] is None) for asked in found
    )
    assert 8 < len({asked["release"] for asked in found})
    assert {(True, True), (False, True), (False, False)} == {
        (asked["protected"], asked["cpu"] is not None) for asked in found
    }


@given(s2st.geometries(), s2st.geometries(legal=True), s2st.geometries(legal=False))
def test_geometries(anything: Geometry, legal: Geometry, illegal: Geometry) -> None:
    """Without a CPU, legal is what some CPU takes."""
    assert isinstance(anything, Geometry)
    assert () == ANYTHING.check(legal)
    assert ANYTHING.check(illegal)


@settings(max_examples=25)
@given(s2st.cpus(), st.data())
def test_geometries_of_a_cpu(cpu: Cpu, data: st.DataObject) -> None:
    """With a CPU, legal is what this one takes; a CPU without stage 2 takes none."""
    strategy = s2st.geometries(cpu, legal=True)
    if strategy.is_empty:
        assert not cpu.granules
    else:
        assert () == cpu.check(data.draw(strategy))
    assert cpu.check(data.draw(s2st.geometries(cpu, legal=False)))


def test_every_page_size_and_start_level_is_reached() -> None:
    """Level -1 and LPA2 are drawn often."""
    found = drawn(s2st.geometries(legal=True))

    assert {(shape.granule, shape.start_level) for shape in found} == {
        *((Granule.K4, level) for level in (-1, 0, 1, 2, 3)),
        *((Granule.K16, level) for level in (0, 1, 2, 3)),
        *((Granule.K64, level) for level in (1, 2, 3)),
    }
    assert {1, 2, 4, 8, 16} == {shape.concatenation for shape in found}
    assert {False, True} == {shape.lpa2 for shape in found}


@given(s2st.geometries(), st.data())
def test_addresses(shape: Geometry, data: st.DataObject) -> None:
    """They are inside of the IPA space, whatever the shape."""
    ipa = data.draw(s2st.ipas(shape))
    index = data.draw(s2st.ipa_indices(shape))
    start, size = data.draw(s2st.page_ranges(shape))

    assert 0 <= ipa < 1 << shape.ipa_bits
    assert index.geometry == shape
    assert 0 == start % shape.page_size == size % shape.page_size
    assert shape.page_size <= size
    assert start + size <= max(1 << shape.ipa_bits, shape.page_size)


def test_every_seam_is_reached() -> None:
    """Both ends of the space and both sides of tables, entries and pages are drawn."""
    found = {*drawn(s2st.ipas(THE_PATCH), 500)}
    table, entry, page = 1 << 36, 1 << 25, 1 << 14

    def either_side(unit: int) -> set[int]:
        sides = {0: 0, 1: 1, unit - 1: -1}
        return {sides[ipa % unit] for ipa in found if ipa % unit in sides}

    assert {0, (1 << 40) - 1, (1 << 40) - page} <= found
    assert {-1, 0, 1} == either_side(table)
    assert {-1, 0, 1} == either_side(entry)
    assert {-1, 0, 1} == either_side(page)
    assert len({ipa // table for ipa in found if ipa % table == 0}) > 4


# Words


@pytest.mark.parametrize("register", [VTCR_EL2, VTTBR_EL2, STE, s2.ID_AA64MMFR0_EL1])
def test_any_word_has_every_bit(register: Any) -> None:
    """Reserved bits are set too: no bit of a word is always the same."""
    found = [int(word) for word in drawn(s2st.register_words(register))]
    ones = zeros = 0
    for word in found:
        ones, zeros = ones | word, zeros | ~word
    every = (1 << register.WIDTH) - 1

    assert every == ones == zeros & every


@settings(max_examples=25)
@given(s2st.vtcrs(), s2st.vtcrs(legal=True), s2st.vtcrs(legal=False))
def test_vtcrs(anything: VTCR_EL2, legal: VTCR_EL2, illegal: VTCR_EL2) -> None:
    """For legal words `lint` finds nothing."""
    assert isinstance(anything, VTCR_EL2)
    assert () == legal.lint()
    assert illegal.lint()


@settings(max_examples=25)
@given(s2st.stes(), s2st.stes(legal=True), s2st.stes(legal=False))
def test_stes(anything: STE, legal: STE, illegal: STE) -> None:
    """For legal entries `lint` finds nothing, with an SMMU that has every feature."""
    features: dict[str, Any] = {"ds": True, "stt": True, "aarch32": True}

    assert isinstance(anything, STE)
    assert () == legal.lint(**features, vmid_bits=16)
    assert illegal.lint(**features, vmid_bits=16)


@settings(max_examples=25)
@given(
    s2st.vttbrs(),
    s2st.vttbrs(THE_PATCH, legal=True),
    s2st.vttbrs(THE_PATCH, legal=False),
)
def test_vttbrs(anything: VTTBR_EL2, legal: VTTBR_EL2, illegal: VTTBR_EL2) -> None:
    """Whether a base is legal depends on the tables."""
    assert isinstance(anything, VTTBR_EL2)
    assert () == legal.lint(geometry=THE_PATCH)
    assert illegal.lint(geometry=THE_PATCH)


def test_an_illegal_base_needs_tables() -> None:
    """`legal=False` without a geometry is an InvalidArgument."""
    with pytest.raises(s2.InvalidArgument, match="geometry"):
        s2st.vttbrs(legal=False)


def test_a_single_mistake_is_among_the_mistakes() -> None:
    """Some illegal words differ from a legal one in a single bit."""
    found = [word.lint() for word in drawn(s2st.vtcrs(legal=False))]

    assert 1 in {len(broken) for broken in found}
    assert len({broken[0].rule for broken in found}) > 3


def test_descriptors_of_every_kind() -> None:
    """Leaves, tables and invalid words are drawn, for the geometry that is given."""
    found = drawn(s2st.descriptors())
    blocks = [descriptor for descriptor in found if descriptor.kind == "block"]

    assert {"invalid", "reserved", "table", "block", "page"} == {
        descriptor.kind for descriptor in found
    }
    assert {False, True} == {descriptor.contiguous for descriptor in blocks}
    assert {Granule.K16} == {
        descriptor.granule for descriptor in drawn(s2st.descriptors(THE_PATCH), 20)
    }


# Tables


@given(s2st.table_images(), st.data())
def test_an_image_tells_the_truth(image: s2st.TableImage, data: st.DataObject) -> None:
    """`output_address` and `walk` agree at every address."""
    ipa = data.draw(s2st.ipas(image.geometry))
    found = s2.walk(image.geometry, image.root, ipa, image.memory.read)
    expected = image.output_address(ipa)

    if expected is None:
        assert isinstance(found, Fault)
    else:
        assert isinstance(found, Translation)
        assert expected == found.output_address


@given(s2st.table_images())
def test_an_image_is_all_that_is_mapped(image: s2st.TableImage) -> None:
    """`scan` finds exactly the bytes that were mapped."""
    found = s2.scan(image.geometry, image.root, image.memory.read)

    assert sum(size for _, _, size, _ in image.mappings) == sum(
        mapping.size for mapping in found
    )


@pytest.mark.slow
def test_images_are_of_every_kind() -> None:
    """Images have pages, blocks and groups, at both ends and across a seam."""
    found = drawn(s2st.table_images(THE_PATCH), 300)
    ranges = [mapping for image in found for mapping in image.mappings]
    sizes = {size for _, _, size, _ in ranges}
    table = 1 << 36

    assert {1, 2, 3, 4} == {len(image.mappings) for image in found}
    assert 1 << 14 in sizes
    assert 1 << 25 in sizes
    assert any(size >= 1 << 30 for size in sizes)
    assert any(size > 1 << 25 and size % (1 << 25) for size in sizes)
    assert 0 in {ipa for ipa, *_ in ranges}
    assert 1 << 40 in {ipa + size for ipa, _, size, _ in ranges}
    assert any(ipa // table < (ipa + size - 1) // table for ipa, _, size, _ in ranges)


def test_walks_end_both_ways() -> None:
    """Translations and faults are about as likely."""
    found = drawn(s2st.walks(), 100)

    assert (
        min(
            sum(isinstance(each, kind) for each in found)
            for kind in (Fault, Translation)
        )
        > 10
    )


@given(s2st.footprints(THE_PATCH))
def test_footprints(found: s2.Footprint) -> None:
    """They are for the geometry that was asked for; the best is at most the worst."""
    assert THE_PATCH == found.geometry
    assert found.best.bytes <= found.worst.bytes


# Configurations


@given(s2st.hosts(legal=True), st.data())
def test_configuration_texts_are_read(host: Host, data: st.DataObject) -> None:
    """The host that is read is the host that was written."""
    text = data.draw(s2st.config_texts(host))

    assert host == KernelConfig.from_text(text).host


@given(s2st.config_texts(legal=False))
def test_damaged_configuration_texts_are_refused(text: str) -> None:
    """Each kind of damage is an UnreadableInput."""
    with pytest.raises(UnreadableInput):
        KernelConfig.from_text(text)


def test_configuration_texts_of_every_kind() -> None:
    """They come with and without a release, with KVM on and off, readable and not."""

    def reading(text: str) -> object:
        try:
            found = KernelConfig.from_text(text)
        except UnreadableInput:
            return None
        return found.release is None, found.kvm

    found = {reading(text) for text in drawn(s2st.config_texts(legal=None))}

    assert {
        None,
        *((known, kvm) for known in (False, True) for kvm in (False, True)),
    } == found


# Types


VALUES = [
    kind
    for kind in (getattr(s2, name) for name in s2.__all__)
    if isinstance(kind, type) and not issubclass(kind, Exception)
]


@pytest.mark.parametrize("kind", [*VALUES, s2st.TableImage])
def test_each_public_value_comes_from_its_type(kind: type) -> None:
    """`st.from_type` uses the strategy of this package."""
    found: list[object] = drawn(st.from_type(kind), 5)

    assert kind in BY_TYPE

    assert found
    made = dict if is_typeddict(kind) else kind
    assert {made} == {type(value) for value in found}


@given(...)
def test_annotations_are_enough(
    shape: Geometry, scheme: Scheme, index: IpaIndex
) -> None:
    """A test with annotations names no strategy."""
    assert 1 <= shape.ipa_bits <= 64
    assert scheme in Scheme
    assert index.ipa == index.geometry.join(index)


def test_the_package_needs_no_hypothesis() -> None:
    """Everything but the strategies works where it is not installed."""
    code = (
        "import sys; sys.modules['hypothesis'] = None; import s2geom;"
        "[getattr(s2geom, name) for name in s2geom.__all__];"
        "s2geom.stage2(14, 40, 36)._repr_mimebundle_();"
        "print('s2geom.strategies' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert "False" == shown.strip()


# Shrinking


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expected", "strategy", "condition"),
    [
        (Granule.K16, s2st.granules(), lambda granule: granule > 12),
        (Scheme.DYNAMIC, s2st.schemes(), lambda scheme: scheme.minimum_levels == 2),
        (Host(12, 48), s2st.hosts(), lambda host: host.va_bits > 39),
        (Cpu(48), s2st.cpus(), lambda cpu: cpu.pa_bits > 44),
        (
            Geometry(12, 41, 1),
            s2st.geometries(),
            lambda shape: shape.ipa_bits > 40 and shape.concatenation > 2,
        ),
        (
            Geometry(12, 49, -1, lpa2=True),
            s2st.geometries(legal=True),
            lambda shape: shape.ipa_bits > 48,
        ),
        (0, s2st.ipas(THE_PATCH), lambda ipa: ipa < 100),
        (3 << 36, s2st.ipas(THE_PATCH), lambda ipa: ipa >> 36 == 3),
        (15 << 36, s2st.ipas(THE_PATCH), lambda ipa: THE_PATCH.split(ipa).table > 14),
        ((0, 2 << 14), s2st.page_ranges(THE_PATCH), lambda pages: pages[1] > 1 << 14),
        (VTCR_EL2(res1=0), s2st.vtcrs(legal=False), lambda word: not word.res1),
        (
            (Geometry(12, 32, 1), 0, ((0, 0, 4096, s2.Attributes()),)),
            s2st.table_images(Geometry(12, 32, 1)).map(
                lambda image: (image.geometry, image.root, image.mappings)
            ),
            lambda image: image[2],
        ),
    ],
)
def test_examples_shrink_to_what_can_be_read(
    expected: object, strategy: SearchStrategy[Any], condition: Callable[[Any], object]
) -> None:
    """4K pages, the narrowest width, one table, address 0, one page."""
    assert expected == smallest(strategy, condition)


@pytest.mark.slow
def test_a_configuration_shrinks_to_a_few_lines() -> None:
    """The simplest text has no other options and no release."""
    text = smallest(s2st.config_texts(), lambda text: "16K_PAGES=y" in text)

    assert text.splitlines() == [
        "CONFIG_ARM64=y",
        "# CONFIG_ARM64_4K_PAGES is not set",
        "CONFIG_ARM64_16K_PAGES=y",
        "# CONFIG_ARM64_64K_PAGES is not set",
        "CONFIG_ARM64_VA_BITS_36=y",
        "CONFIG_ARM64_VA_BITS=36",
        "CONFIG_ARM64_PA_BITS_48=y",
        "CONFIG_ARM64_PA_BITS=48",
        "CONFIG_PGTABLE_LEVELS=2",
        "CONFIG_VIRTUALIZATION=y",
        "CONFIG_KVM=y",
    ]


def test_an_image_shows_what_it_maps_and_no_bytes() -> None:
    """The `repr`, which a failing test prints, has no bytes."""
    image = s2st.TableImage(THE_PATCH, 0, ((0, 1 << 25, 1 << 25, s2.Attributes()),))

    assert len(repr(image)) < 400
    assert "((0x0, 0x2000000, 0x2000000, Attributes()),)" in repr(image)
    assert {0: 262144} == {at: len(table) for at, table in image.images.items()}
