# SPDX-License-Identifier: MIT
"""Hypothesis strategies for the values of this package.

They test other code against this one: a walker, a builder, a parser, a hypervisor's
own arithmetic. Where it makes sense they take ``legal``: True for what is allowed,
False for what is refused, None for both. They prefer the places where programs break:
the last page, the seams between tables, the ends of entries, reserved bits. And
they shrink to readable examples: 4K pages, 32 bits, one table, address 0.

`shapes` has hosts, CPUs, geometries and addresses; `words` registers; `tables`
descriptors and images of memory; `configs` the text of `.config` files. `by_type` says
which strategy hypothesis uses for a type. No other wing imports hypothesis.

New here: a strategy, in the room of its subject.
"""

from typing import TYPE_CHECKING

from s2geom.core.public import door

_ROOMS = {
    "by_type": ("register",),
    "configs": ("config_texts", "kernel_configs"),
    "shapes": (
        "configurations",
        "cpus",
        "fake_pgds",
        "geometries",
        "granules",
        "hosts",
        "ipa_indices",
        "ipas",
        "levels",
        "page_ranges",
        "schemes",
        "violations",
    ),
    "tables": (
        "TableImage",
        "address_layouts",
        "attributes",
        "descriptors",
        "footprints",
        "table_images",
        "walks",
    ),
    "words": ("register_words", "stes", "vtcrs", "vttbrs"),
}
_HOMES = {
    name: f"s2geom.strategies.{room}"
    for room, names in _ROOMS.items()
    for name in names
}

if TYPE_CHECKING:  # the same names once more, for tools that do not run the code
    from s2geom.strategies.by_type import register as register
    from s2geom.strategies.configs import config_texts as config_texts
    from s2geom.strategies.configs import kernel_configs as kernel_configs
    from s2geom.strategies.shapes import configurations as configurations
    from s2geom.strategies.shapes import cpus as cpus
    from s2geom.strategies.shapes import fake_pgds as fake_pgds
    from s2geom.strategies.shapes import geometries as geometries
    from s2geom.strategies.shapes import granules as granules
    from s2geom.strategies.shapes import hosts as hosts
    from s2geom.strategies.shapes import ipa_indices as ipa_indices
    from s2geom.strategies.shapes import ipas as ipas
    from s2geom.strategies.shapes import levels as levels
    from s2geom.strategies.shapes import page_ranges as page_ranges
    from s2geom.strategies.shapes import schemes as schemes
    from s2geom.strategies.shapes import violations as violations
    from s2geom.strategies.tables import TableImage as TableImage
    from s2geom.strategies.tables import address_layouts as address_layouts
    from s2geom.strategies.tables import attributes as attributes
    from s2geom.strategies.tables import descriptors as descriptors
    from s2geom.strategies.tables import footprints as footprints
    from s2geom.strategies.tables import table_images as table_images
    from s2geom.strategies.tables import walks as walks
    from s2geom.strategies.words import register_words as register_words
    from s2geom.strategies.words import stes as stes
    from s2geom.strategies.words import vtcrs as vtcrs
    from s2geom.strategies.words import vttbrs as vttbrs

    __all__: list[str]
else:
    __all__ = sorted(_HOMES)  # noqa: PLE0605 - made from the one list
    __getattr__ = door(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(_HOMES)
