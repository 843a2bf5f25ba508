# SPDX-License-Identifier: MIT
"""A failing example prints values that can be pasted."""

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import s2geom as s2
from s2geom import Geometry, Granule
from s2geom import strategies as s2st

THE_PATCH = Geometry(14, 40, 2)

NAMES = {
    **{name: getattr(s2, name) for name in s2.__all__},
    **{name: getattr(s2st, name) for name in s2st.__all__},
}

VALUES: dict[str, SearchStrategy[Any]] = {
    "address_layouts": s2st.address_layouts(Granule.K4),
    "attributes": s2st.attributes(),
    "config_texts": s2st.config_texts(),
    "configurations": s2st.configurations(),
    "corrupt_images": s2st.corrupt_images(),
    "cpus": s2st.cpus(),
    "descriptors": s2st.descriptors(),
    "fake_pgds": s2st.fake_pgds(),
    "footprints": s2st.footprints(),
    "geometries": s2st.geometries(),
    "granules": s2st.granules(),
    "hosts": s2st.hosts(),
    "ipa_indices": s2st.ipa_indices(),
    "ipas": s2st.ipas(THE_PATCH),
    "kernel_configs": s2st.kernel_configs(),
    "legal geometries": s2st.geometries(legal=True),
    "levels": s2st.levels(),
    "page_ranges": s2st.page_ranges(THE_PATCH),
    "register_words": s2st.register_words(s2.VTCR_EL2),
    "schemes": s2st.schemes(),
    "stes": s2st.stes(),
    "table_images": s2st.table_images(),
    "violations": s2st.violations(),
    "vtcrs": s2st.vtcrs(),
    "vttbrs": s2st.vttbrs(),
    "walks": s2st.walks(),
}
"""A strategy of each kind."""


def printed(strategy: SearchStrategy[Any], example: int) -> tuple[Any, str]:
    """Return the value of a failing example, and what hypothesis prints of it.

    The first example is the simplest one; others show more.
    """
    seen = []

    @settings(phases=(Phase.generate,))
    @given(strategy)
    def fails(value: Any) -> None:
        seen.append(value)
        assert len(seen) < example

    with pytest.raises(AssertionError) as caught:
        fails()

    [text] = [note for note in caught.value.__notes__ if "fails(" in note]
    return seen[-1], text[text.index("fails(") :]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_printed_as_python(name: str) -> None:
    """It makes the same value again, from public names alone."""
    for example in (1, 2):
        value, text = printed(VALUES[name], example)

        assert value == eval(text, {**NAMES, "fails": lambda value: value})  # noqa: S307


def test_every_strategy_is_printed() -> None:
    """The other public names are no strategies."""
    others = {"CorruptImage", "TableImage", "check_builder", "check_walker", "register"}

    assert {*s2st.__all__} - others == {name for name in VALUES if " " not in name}


def test_the_repr_of_an_image_leaves_out_defaults() -> None:
    """Attributes show only what is not the default."""
    image = s2st.TableImage(
        THE_PATCH, 0, ((0, 1 << 25, 1 << 25, s2.Attributes(s2ap=1, sh=None)),)
    )

    assert (
        "TableImage(Geometry(granule=Granule.K16, ipa_bits=40, start_level=2, "
        "lpa2=False), 0x0, ((0x0, 0x2000000, 0x2000000, "
        "Attributes(s2ap=1, sh=None)),))"
    ) == repr(image)
    _, text = printed(st.just(image), 1)
    assert repr(image) in text


def test_a_violation_is_printed_without_private_fields() -> None:
    """The functions that make its words late are not shown."""
    [violation] = s2.check(14, 41, 36)

    _, text = printed(st.just(violation), 1)

    assert repr(violation) in text
    assert "_message" not in text


def test_memory_is_printed_as_ranges() -> None:
    """The bytes are not shown."""
    _, text = printed(st.just(s2.Memory({0x1000: bytes(4096)})), 1)

    assert "<Memory 0x1000: 0x1000 bytes>" in text
