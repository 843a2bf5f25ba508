# SPDX-License-Identifier: MIT
"""What a notebook shows of a value: text, an HTML table, a picture.

The text is the ``repr``. The HTML has the picture, where there is one, above the table.
Which value is shown how is the table `VIEWS`, by the name of its class, so that asking
about one value does not load the classes of the others.
"""

from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen

from s2geom.show.choices import choice_html, choices_html, violations_html
from s2geom.show.footprint import footprint_html, footprint_svg
from s2geom.show.hosts import config_html, host_html, host_svg
from s2geom.show.register import register_word, word_html
from s2geom.show.ruler import bit_ruler, index_html, index_svg
from s2geom.show.tree import geometry_html, table_tree


@frozen
class View:
    """How values of a class are shown.

    Args:
        html: Makes the table.
        pictures: Make the pictures, the one that stands for the value alone first.
    """

    html: Callable[[Any], str]
    pictures: tuple[Callable[[Any], str], ...] = ()


VIEWS = {
    "Choices": View(choices_html),
    "Footprint": View(footprint_html, (footprint_svg,)),
    "Geometry": View(geometry_html, (bit_ruler, table_tree)),
    "Host": View(host_html, (host_svg,)),
    "IpaIndex": View(index_html, (index_svg,)),
    "KernelConfig": View(config_html, (lambda config: host_svg(config.host),)),
    "PolicyChoice": View(choice_html),
    "Violations": View(violations_html),
    "Word": View(word_html, (register_word,)),
}
"""What is shown of a value, by the name of its class or of one that it inherits."""


def mimebundle(
    value: object,
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> dict[str, str]:
    """Return a value in every form that a notebook asks for, by media type.

    Args:
        value: Of a class that `VIEWS` has.
        include: The media types that are wanted; None for all.
        exclude: Those that are not.
    """
    view = next(
        VIEWS[kind.__name__] for kind in type(value).__mro__ if kind.__name__ in VIEWS
    )
    forms: dict[str, Callable[[], str]] = {
        "text/plain": lambda: repr(value),
        "text/html": lambda: _page(view, value),
    }
    if view.pictures:
        forms["image/svg+xml"] = lambda: view.pictures[0](value)
    return {
        kind: make()
        for kind, make in forms.items()
        if (include is None or kind in include) and kind not in (exclude or ())
    }


def _page(view: View, value: object) -> str:
    pieces = [*(picture(value) for picture in view.pictures), view.html(value)]
    return "<div>\n" + "\n".join(pieces) + "\n</div>"
