# SPDX-License-Identifier: MIT
"""What a notebook shows of a value: text, and HTML with a picture and tables.

The text is the ``repr``. In the HTML a picture is an image whose address is its
content, which a notebook that is not trusted keeps. SVG as a form of its own is given
only to those who ask for it by name: nbconvert cannot put it into LaTeX without other
programs. Which value is shown how is the table `VIEWS`, by the name of its class, so
that asking about one value does not load the classes of the others.
"""

from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen

from s2geom.show.chart import config_html, draw_config, draw_host, host_html
from s2geom.show.choices import choice_html, choices_html, draw_choice, draw_choices
from s2geom.show.footprint import draw_footprint, footprint_html
from s2geom.show.html import page
from s2geom.show.lookups import draw_result, draw_trace, result_html, trace_html
from s2geom.show.refusal import (
    draw_violation,
    draw_violations,
    violation_html,
    violations_html,
)
from s2geom.show.register import draw_register, word_html
from s2geom.show.ruler import draw_index, draw_ruler, index_html
from s2geom.show.space import (
    builder_html,
    columns_html,
    draw_builder,
    draw_columns,
)
from s2geom.show.svg import Drawing
from s2geom.show.tree import draw_tree, geometry_html

SVG = "image/svg+xml"


@frozen
class View:
    """How values of a class are shown.

    Args:
        html: Makes the tables.
        pictures: Make the pictures, or None where a value has nothing to draw. The
            title of the first is the heading of all, and the first alone is the value
            as SVG.
    """

    html: Callable[[Any], str]
    pictures: tuple[Callable[[Any], Drawing | None], ...]


VIEWS = {
    "Choices": View(choices_html, (draw_choices,)),
    "Columns": View(columns_html, (draw_columns,)),
    "Fault": View(result_html, (draw_result,)),
    "Footprint": View(footprint_html, (draw_footprint,)),
    "Geometry": View(geometry_html, (draw_ruler, draw_tree)),
    "Host": View(host_html, (draw_host,)),
    "IpaIndex": View(index_html, (draw_index,)),
    "KernelConfig": View(config_html, (draw_config,)),
    "PolicyChoice": View(choice_html, (draw_choice,)),
    "TableBuilder": View(builder_html, (draw_builder,)),
    "Trace": View(trace_html, (draw_trace,)),
    "Translation": View(result_html, (draw_result,)),
    "Violation": View(violation_html, (draw_violation,)),
    "Violations": View(violations_html, (draw_violations,)),
    "Word": View(word_html, (draw_register,)),
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
        include: The media types that are wanted; None for all but SVG.
        exclude: Those that are not.
    """
    wanted = {"text/plain", "text/html"} if include is None else {*include}
    wanted -= {*(exclude or ())}
    forms = {kind: write(value) for kind, write in FORMS.items() if kind in wanted}
    return {kind: text for kind, text in forms.items() if text}


def _view(value: object) -> View:
    names = [kind.__name__ for kind in type(value).__mro__]
    return next(VIEWS[name] for name in names if name in VIEWS)


def _drawn(value: object) -> list[Drawing]:
    pictures = (draw(value) for draw in _view(value).pictures)
    return [picture for picture in pictures if picture is not None]


FORMS: dict[str, Callable[[Any], str]] = {
    "text/plain": repr,
    "text/html": lambda value: page(_drawn(value), _view(value).html(value)),
    SVG: lambda value: next((picture.svg() for picture in _drawn(value)), ""),
}
"""What writes a value, by media type; an empty text is no form."""
