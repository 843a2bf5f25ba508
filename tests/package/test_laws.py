# SPDX-License-Identifier: MIT
"""Laws: what holds for every shape, every host and every value."""

import copy
import pickle
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom
from s2geom import (
    Cpu,
    Geometry,
    Granule,
    Host,
    InvalidArgument,
    IpaIndex,
    Scheme,
    check,
    fake_pgd,
    hw_pgtable_levels,
    stage2,
)

PAGE_SHIFTS = (12, 14, 16)
IPAS = range(32, 53)
VAS = range(25, 53)

HOSTS = [
    Host(page_shift, va_bits, pa_bits)
    for page_shift, va_bits, pa_bits in product(PAGE_SHIFTS, VAS, (48, 52))
]

CPUS = (
    None,
    Cpu(32),
    Cpu(44),
    Cpu(56, lpa2={Granule.K4}),
    Cpu(52, granules=[Granule.K64]),
)

SHAPES = sorted(
    {
        host.stage2(ipa_bits, scheme=scheme)
        for host, ipa_bits, scheme in product(HOSTS, IPAS, Scheme)
        if not host.check(ipa_bits, scheme=scheme)
    },
    key=repr,
)
"""Every shape that some kernel uses."""

shapes = st.builds(
    Geometry,
    st.sampled_from(Granule),
    st.integers(1, 64),
    st.integers(-1, 3),
    st.booleans(),
)
"""Every shape that means something, used or not."""


@st.composite
def shapes_and_ipas(draw: st.DrawFn, count: int = 1) -> tuple[Geometry, list[int]]:
    """Draw a shape and addresses inside it."""
    shape = draw(shapes)
    inside = st.integers(0, shape.ipa_size - 1)
    return shape, draw(st.lists(inside, min_size=count, max_size=count))


@st.composite
def parts(draw: st.DrawFn) -> tuple[Geometry, int, tuple[int, ...], int]:
    """Draw a shape and an index's parts, each inside its own range."""
    shape = draw(shapes)
    table = draw(st.integers(0, shape.concatenation - 1))
    first = draw(st.integers(0, min(shape.pgd_entries, shape.granule.entries) - 1))
    below = st.integers(0, shape.granule.entries - 1)
    rest = draw(st.tuples(*[below] * (shape.levels - 1)))
    offset = draw(st.integers(0, shape.page_size - 1))
    return shape, table, (first, *rest), offset


class TestAddresses:
    """`Geometry.split` and `Geometry.join`."""

    @given(shapes_and_ipas())
    def test_join_undoes_split(self, drawn: tuple[Geometry, list[int]]) -> None:
        """An address comes back as it went in."""
        shape, [ipa] = drawn

        assert ipa == shape.join(shape.split(ipa))

    @given(parts())
    def test_split_undoes_join(
        self, drawn: tuple[Geometry, int, tuple[int, ...], int]
    ) -> None:
        """An index is either the one of its address, or refused as outside."""
        shape, table, indices, offset = drawn
        try:
            index = IpaIndex(shape, table, indices, offset)
        except InvalidArgument:
            # Only where one entry of the start level maps more than there is.
            assert shape.pgdir_shift > shape.ipa_bits
            return

        assert index == shape.split(shape.join(index))

    @given(shapes_and_ipas())
    def test_an_address_is_the_sum_of_its_parts(
        self, drawn: tuple[Geometry, list[int]]
    ) -> None:
        """Each index counts what one entry of its level maps."""
        shape, [ipa] = drawn
        index = shape.split(ipa)
        sizes = [level.entry_size for level in shape.table_levels]
        below = zip(index.indices[1:], sizes[1:], strict=True)

        assert ipa == (
            index.pgd_index * shape.pgdir_size
            + sum(number * size for number, size in below)
            + index.offset
        )

    @given(shapes_and_ipas(count=2))
    def test_indices_are_ordered_as_addresses_are(
        self, drawn: tuple[Geometry, list[int]]
    ) -> None:
        """Table first, then level by level, then offset."""
        shape, ipas = drawn
        low, high = sorted(ipas)
        first, second = shape.split(low), shape.split(high)

        assert (first.table, first.indices, first.offset) <= (
            second.table,
            second.indices,
            second.offset,
        )
        assert (low == high) == (first == second)

    def test_the_last_page_is_the_last_entry_of_everything(self) -> None:
        """The last table, the last index at each level, and offset 0."""
        for shape in SHAPES:
            index = shape.split(shape.ipa_size - shape.page_size)
            full = shape.granule.entries - 1

            assert shape.concatenation - 1 == index.table
            assert shape.pgd_entries - 1 == index.pgd_index
            assert {full} >= set(index.indices[1:])
            assert 0 == index.offset
            assert shape.page_size - 1 == shape.split(shape.ipa_size - 1).offset

    def test_both_sides_of_every_seam(self) -> None:
        """Between two tables side by side, the walk goes from all ones to all zeros."""
        for shape in SHAPES:
            one_table = shape.ipa_size // shape.concatenation
            full = shape.granule.entries - 1
            for table in range(1, shape.concatenation):
                seam = table * one_table
                before, after = shape.split(seam - 1), shape.split(seam)

                assert (table - 1, (full,) * shape.levels, shape.page_size - 1) == (
                    before.table,
                    before.indices,
                    before.offset,
                )
                assert (table, (0,) * shape.levels, 0) == (
                    after.table,
                    after.indices,
                    after.offset,
                )
                assert before.pgd_index + 1 == after.pgd_index


class TestShapes:
    """What follows from the four facts."""

    @given(shapes)
    def test_the_levels_are_a_chain(self, shape: Geometry) -> None:
        """A full table of one level maps what one entry of the level above does."""
        levels = shape.table_levels

        assert shape.levels == len(levels)
        assert [shape.start_level, 3] == [levels[0].number, levels[-1].number]
        for above, below in pairwise(levels):
            assert above.entry_size == below.entry_size * below.entries
            assert 1 == below.tables
        assert shape.page_size == levels[-1].entry_size
        assert shape.pgdir_size == levels[0].entry_size
        assert shape.pgd_entries == levels[0].entries
        assert shape.concatenation == levels[0].tables

    @given(shapes)
    def test_the_start_level_covers_the_ipa_space(self, shape: Geometry) -> None:
        """All of it, and none of its entries is beyond it unless there is just one."""
        covered = shape.pgd_entries * shape.pgdir_size

        assert covered >= shape.ipa_size
        assert covered == shape.ipa_size or 1 == shape.pgd_entries

    @given(shapes)
    def test_the_pgd_is_a_power_of_two_and_aligned(self, shape: Geometry) -> None:
        """To its size; to 64 bytes where addresses are wide; in whole pages."""
        assert 1 == shape.pgd_size.bit_count()
        assert shape.pgd_alignment in {shape.pgd_size, 64}
        assert shape.pgd_alignment >= shape.pgd_size
        assert 0 <= shape.pgd_pages * shape.page_size - shape.pgd_size < shape.page_size

    @given(shapes)
    def test_contiguous_groups_fit(self, shape: Geometry) -> None:
        """In one table, and in the IPA space; there is none where there is no leaf."""
        for level in shape.table_levels:
            group = level.contiguous

            assert group <= shape.granule.entries
            assert group * level.entry_size <= shape.ipa_size
            assert not group or level.leaf

    def test_the_paging_form_spends_every_bit(self) -> None:
        """Page bits and index bits add up to the IPA width, for each shape in use."""
        for shape in SHAPES:
            assert shape.ipa_bits == sum(shape.paging_form)
            assert shape.levels + 1 == len(shape.paging_form)

    @given(shapes)
    def test_plain_data_round_trips(self, shape: Geometry) -> None:
        """`from_dict` undoes `to_dict`."""
        assert shape == Geometry.from_dict(shape.to_dict())


class TestLimits:
    """What kernels and CPUs allow."""

    def test_the_static_rule_is_the_va_limit(self) -> None:
        """The #if of v4.7 and the limit of v4.20 refuse the same, on every host."""
        for host, ipa_bits in product(HOSTS, range(20, 70)):
            static = {violation.rule for violation in host.check(ipa_bits)}
            dynamic = {
                violation.rule
                for violation in host.check(ipa_bits, scheme=Scheme.DYNAMIC)
            }

            assert ("levels-exceed-host" in static) == ("ipa-above-va-limit" in dynamic)

    def test_the_static_rule_is_about_levels_before_the_floor(self) -> None:
        """The formula's own levels, before any floor of two is put under them."""
        for host, ipa_bits in product(HOSTS, IPAS):
            levels = hw_pgtable_levels(host.page_shift, ipa_bits - 4)
            rules = {violation.rule for violation in host.check(ipa_bits)}

            assert (levels > host.pgtable_levels) == ("levels-exceed-host" in rules)

    @pytest.mark.parametrize("scheme", list(Scheme), ids=repr)
    @pytest.mark.parametrize("cpu", CPUS, ids=range(len(CPUS)))
    def test_the_widest_ipa_is_what_trying_every_width_finds(
        self, cpu: Cpu | None, scheme: Scheme
    ) -> None:
        """The closed form, for every host; and no width above it is supported."""
        for host in HOSTS:
            supported = [
                ipa_bits
                for ipa_bits in range(31, 54)
                if not host.check(ipa_bits, scheme=scheme, cpu=cpu)
            ]

            assert max(supported, default=None) == host.max_ipa_bits(scheme, cpu)

    @pytest.mark.parametrize("scheme", list(Scheme), ids=repr)
    def test_supported_widths_have_no_gap(self, scheme: Scheme) -> None:
        """From the narrowest to the widest; 32 is the narrowest but for one host."""
        for host in HOSTS:
            supported = [
                ipa_bits for ipa_bits in IPAS if not host.check(ipa_bits, scheme=scheme)
            ]
            two_levels_fake = scheme is Scheme.FAKE_PGD and host.pgtable_levels == 2
            if supported:
                lowest = 34 if two_levels_fake and host.page_shift == 16 else 32

                assert [*range(lowest, supported[-1] + 1)] == supported

    def test_a_wider_host_supports_no_less(self) -> None:
        """One more bit of VA, or of PA, takes nothing away since v4.7."""
        for scheme in list(Scheme)[1:]:
            for page_shift, pa_bits in product(PAGE_SHIFTS, (48, 52)):
                widest = [
                    Host(page_shift, va_bits, pa_bits).max_ipa_bits(scheme) or 0
                    for va_bits in VAS
                ]

                assert sorted(widest) == widest
            for page_shift, va_bits in product(PAGE_SHIFTS, VAS):
                narrow = Host(page_shift, va_bits, 48).max_ipa_bits(scheme) or 0
                wide = Host(page_shift, va_bits, 52).max_ipa_bits(scheme) or 0

                assert narrow <= wide

    def test_a_cpu_only_takes_away(self) -> None:
        """What a CPU allows, the kernel alone allows too."""
        for host, scheme, cpu in product(HOSTS, Scheme, CPUS):
            with_cpu = host.max_ipa_bits(scheme, cpu) or 0

            assert with_cpu <= (host.max_ipa_bits(scheme) or 0)

    def test_a_wider_ipa_needs_no_fewer_levels_and_no_smaller_tree(self) -> None:
        """Levels never fall; the PGD doubles with each bit until a level is added."""
        for page_shift, scheme in product(PAGE_SHIFTS, (Scheme.STATIC, Scheme.LPA2)):
            trees = [
                stage2(page_shift, ipa_bits, 52, scheme=scheme)
                for ipa_bits in IPAS
                if not check(page_shift, ipa_bits, 52, scheme=scheme)
            ]
            for narrow, wide in pairwise(trees):
                assert narrow.levels <= wide.levels <= narrow.levels + 1
                if narrow.levels == wide.levels:
                    assert 2 * narrow.pgd_size == wide.pgd_size
                else:
                    assert 16 == narrow.concatenation
                    assert 1 == wide.concatenation

    def test_every_kernel_shape_has_at_most_16_tables(self) -> None:
        """It has more than one entry too, and a start level that KVM programs."""
        for shape in SHAPES:
            assert 1 <= shape.concatenation <= 16
            assert 1 < shape.pgd_entries
            assert 0 <= shape.start_level <= 3


def values() -> Iterator[Any]:
    """Yield public values, some of each kind."""
    yield from Granule
    yield from Scheme
    yield from CPUS[1:]
    for host in HOSTS[::60]:
        yield host
        yield from host.check(60)
    for shape in (
        *SHAPES[::40],
        Geometry(Granule.K4, 64, -1),
        Geometry(Granule.K64, 1, 3, lpa2=True),
    ):
        yield shape
        yield from shape.table_levels
        yield shape.split(shape.ipa_size - 1)
    yield fake_pgd(14, 40, 48)
    yield from check(14, 52, 36, scheme=Scheme.DYNAMIC, cpu=Cpu(32, granules=[]))


VALUES = [*values()]

NAMES = {
    type(value).__name__: getattr(s2geom, type(value).__name__) for value in VALUES
}


@pytest.mark.parametrize(
    "value",
    VALUES,
    ids=[f"{type(value).__name__}{n}" for n, value in enumerate(VALUES)],
)
class TestValues:
    """What holds for every public value."""

    def test_its_repr_reads_back(self, value: Any) -> None:
        """With the public names alone."""
        assert value == eval(repr(value), NAMES)  # noqa: S307

    def test_it_can_be_pickled(self, value: Any) -> None:
        """In every protocol; and what is stored names no module of ours."""
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            stored = pickle.dumps(value, protocol)

            assert value == pickle.loads(stored)  # noqa: S301
            for module in (b"geometry", b"granule", b"kvm", b"errors", b"architecture"):
                assert b"s2geom." + module not in stored

    def test_it_can_be_copied(self, value: Any) -> None:
        """Shallow and deep."""
        assert value == copy.copy(value)
        assert value == copy.deepcopy(value)

    def test_it_can_be_a_key(self, value: Any) -> None:
        """Equal values have equal hashes."""
        assert {value: 1} == {copy.deepcopy(value): 1}

    def test_it_cannot_be_changed(self, value: Any) -> None:
        """No attribute can be set, and none can be added."""
        for name in ("ipa_bits", "rule", "surprise"):
            if isinstance(value, Granule | Scheme):
                continue
            with pytest.raises(AttributeError):
                setattr(value, name, 1)

    def test_it_equals_nothing_else(self, value: Any) -> None:
        """A value of another type is not equal, however much it looks like this one."""
        assert value != repr(value)
        assert value != (value,)
