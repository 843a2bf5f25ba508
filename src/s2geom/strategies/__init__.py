# SPDX-License-Identifier: MIT
"""Hypothesis strategies for the values of this package, to test other code.

New here: a strategy, in the module of its subject, and its line in `by_type`.

Many strategies take ``legal``: True for what is allowed, False for what is refused,
None for both. They prefer what programs get wrong: the last page, the seams between
tables, the ends of entries, high address bits. They shrink to 4K pages, 32 bits and
address 0, and a failing example prints values that can be pasted.

`machines` has kernels and CPUs, `shapes` geometries, `addresses` IPAs and physical
addresses, `words` registers, `entries` descriptors, `images` tables with what they map,
`differences` compares tables with what they must map, `damage` has corrupt tables,
`results` what `walk` and the like return, `configs` the text of a ``.config``.
`by_type` gives each public type its strategy. `suites` are whole tests of walkers and
builders.
"""

from typing import TYPE_CHECKING

from s2geom.core.public import door, homes

_ROOMS = {
    "addresses": ("ipa_indices", "ipas", "page_ranges"),
    "by_type": ("register",),
    "configs": ("config_texts", "kernel_configs"),
    "damage": ("CorruptImage", "corrupt_images"),
    "entries": ("address_layouts", "attributes", "descriptors"),
    "images": ("TableImage", "table_images"),
    "machines": (
        "configurations",
        "cpus",
        "fake_pgds",
        "granules",
        "hosts",
        "schemes",
        "violations",
    ),
    "results": ("footprints", "walks"),
    "shapes": ("geometries", "levels"),
    "suites": ("check_builder", "check_walker"),
    "words": ("register_words", "stes", "vtcrs", "vttbrs"),
}
_HOMES = homes(__name__, _ROOMS)

if TYPE_CHECKING:  # the same names once more, for tools that do not run the code
    from s2geom.strategies.addresses import ipa_indices as ipa_indices
    from s2geom.strategies.addresses import ipas as ipas
    from s2geom.strategies.addresses import page_ranges as page_ranges
    from s2geom.strategies.by_type import register as register
    from s2geom.strategies.configs import config_texts as config_texts
    from s2geom.strategies.configs import kernel_configs as kernel_configs
    from s2geom.strategies.damage import CorruptImage as CorruptImage
    from s2geom.strategies.damage import corrupt_images as corrupt_images
    from s2geom.strategies.entries import address_layouts as address_layouts
    from s2geom.strategies.entries import attributes as attributes
    from s2geom.strategies.entries import descriptors as descriptors
    from s2geom.strategies.images import TableImage as TableImage
    from s2geom.strategies.images import table_images as table_images
    from s2geom.strategies.machines import configurations as configurations
    from s2geom.strategies.machines import cpus as cpus
    from s2geom.strategies.machines import fake_pgds as fake_pgds
    from s2geom.strategies.machines import granules as granules
    from s2geom.strategies.machines import hosts as hosts
    from s2geom.strategies.machines import schemes as schemes
    from s2geom.strategies.machines import violations as violations
    from s2geom.strategies.results import footprints as footprints
    from s2geom.strategies.results import walks as walks
    from s2geom.strategies.shapes import geometries as geometries
    from s2geom.strategies.shapes import levels as levels
    from s2geom.strategies.suites import check_builder as check_builder
    from s2geom.strategies.suites import check_walker as check_walker
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
