# SPDX-License-Identifier: MIT
"""`Drawing`: shapes, rows of bits and colours of every picture.

A picture is one string that needs no style sheet, script, font or file. It is
transparent, and it cannot know whether the page behind it is light or dark. No colour
has a contrast of 4.5 with both white and JupyterLab's dark page, so all words are dark
on a light box, those outside of boxes on a plate as large as they are, and a line has
a light edge. Colour never says anything alone: there is a word, a number or a hatching
beside it.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import escape

from attrs import define, evolve, field, frozen

COLOURS = {
    "ink": "#1b1f24",
    "muted": "#4b535c",
    "line": "#4b535c",
    "edge": "#ffffff",
    "blank": "#ffffff",
    "plain": "#e6eaee",
    "table": "#ffd9b0",
    "level-1": "#f3d1e6",
    "level0": "#dccfff",
    "level1": "#bfe0ff",
    "level2": "#c3efc9",
    "level3": "#fdf0ae",
    "offset": "#e3e7eb",
    "yes": "#b9dcff",
    "no": "#f3f4f6",
    "bar": "#0a4f9e",
}
"""What a colour is for, and the colour. The first three are for words and lines."""

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

ADVANCE = 0.61
"""Width of a letter in parts of its size: all of them are equally wide."""

SMALL, NORMAL, LARGE = 11, 12, 14
"""The three sizes of letters; nothing is smaller."""

MARGIN = 24

REACH: dict[str, float] = {"start": 1, "middle": 0.5, "end": 0}
"""How much of a text is to the right of its place, by its anchor."""

TITLE_HEIGHT = 34
"""Room above a picture for its title."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow."""


def safe(text: object) -> str:
    """Return text escaped for XML and HTML; what they do not allow is replaced."""
    return escape(_NOT_XML.sub("\ufffd", str(text)))


def width_of(text: str, size: int = NORMAL) -> float:
    """Return how wide a text is drawn."""
    return len(text) * size * ADVANCE


def first_fit(room: float, *texts: str, size: int = NORMAL) -> str:
    """Return the first of some texts that has room, or an empty one."""
    return next((text for text in texts if width_of(text, size) <= room), "")


def shorten(text: str, room: float, size: int = NORMAL) -> str:
    """Return a text, or its beginning and an ellipsis where it has no room."""
    if width_of(text, size) <= room:
        return text
    return text[: max(0, int(room / (size * ADVANCE)) - 1)] + "\u2026"


def _attributes(*attributes: tuple[str, object, object]) -> str:
    """Return XML attributes, given as name, value and what holds without them."""
    return "".join(
        f' {name}="{value}"' for name, value, plain in attributes if value != plain
    )


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


@define
class Drawing:
    """A picture: shapes are added, and `svg` or `img` writes it.

    Coordinates are pixels from the upper left corner. The first `TITLE_HEIGHT` of them
    are left to the title, which is cut off where a heading stands above the picture.

    Args:
        title: What the picture shows, in one line.
        description: The same in sentences, for readers who cannot see it.
    """

    title: str
    description: str = ""
    width: float = 0
    height: float = 0
    shapes: list[str] = field(factory=list)

    def _reach(self, x: float, y: float) -> None:
        self.width = max(self.width, x + MARGIN)
        self.height = max(self.height, y + MARGIN)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = "blank",
        *,
        stroke: str | None = "line",
        dashed: bool = False,
    ) -> None:
        """Draw a rectangle; a stroke of None is for one inside of another."""
        self._reach(x + width, y + height)
        paint = _attributes(
            ("fill", COLOURS[fill], ""),
            ("stroke", COLOURS[stroke] if stroke else "", ""),
            ("stroke-dasharray", "4 3" if dashed else "", ""),
        )
        self.shapes.append(
            f'<rect class="{fill}" x="{_number(x)}" y="{_number(y)}" '
            f'width="{_number(width)}" height="{_number(height)}"{paint}/>'
        )

    @contextmanager
    def tip(self, text: str) -> Iterator[None]:
        """Give the shapes inside a text that is shown under the pointer."""
        self.shapes.append(f"<g><title>{safe(text)}</title>")
        yield
        self.shapes.append("</g>")

    def hatch(
        self, x: float, y: float, width: float, height: float, step: float = 7
    ) -> None:
        """Draw diagonals through a box, cut off at its edges."""
        strokes = []
        along = step
        while along < width + height:
            x1, y1 = x + min(along, width), y + max(0, along - width)
            x2, y2 = x + max(0, along - height), y + min(along, height)
            strokes.append(f"M{_number(x1)} {_number(y1)}L{_number(x2)} {_number(y2)}")
            along += step
        self._path("".join(strokes), "line")

    def _path(self, steps: str, colour: str, width: float = 1, fill: str = "") -> None:
        paint = _attributes(
            ("fill", COLOURS[fill] if fill else "none", ""),
            ("stroke", COLOURS[colour], ""),
            ("stroke-width", _number(width), "1"),
        )
        self.shapes.append(f'<path class="{colour}" d="{steps}"{paint}/>')

    def line(
        self, x1: float, y1: float, x2: float, y2: float, *, on_box: bool = False
    ) -> None:
        """Draw one line, with a light edge unless it is on a box."""
        self._reach(max(x1, x2), max(y1, y2))
        steps = f"M{_number(x1)} {_number(y1)}L{_number(x2)} {_number(y2)}"
        if not on_box:
            self._path(steps, "edge", 4)
        self._path(steps, "line")

    def arrow(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """Draw an arrow that goes straight down, or to the right, to its second end."""
        if x1 == x2:  # down
            self.line(x1, y1, x2, y2 - 6)
            head = f"M{_number(x2 - 4)} {_number(y2 - 7)}h8l-4 7z"
        else:
            self.line(x1, y1, x2 - 6, y2)
            head = f"M{_number(x2 - 7)} {_number(y2 - 4)}v8l7 -4z"
        self._path(head, "edge", 4)
        self._path(head, "line", fill="ink")

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = NORMAL,
        anchor: str = "start",
        ink: str = "ink",
        bold: bool = False,
        upright: bool = False,
        on_box: bool = False,
    ) -> None:
        """Write a text whose line stands at ``y``; an upright one runs upwards."""
        if not text:
            return
        reach = REACH[anchor]
        self._reach(x + (0 if upright else width_of(text, size) * reach), y)
        style = _attributes(
            ("fill", COLOURS[ink], COLOURS["ink"]),
            ("font-size", size, NORMAL),
            ("text-anchor", anchor, "start"),
            ("font-weight", "bold" if bold else "normal", "normal"),
        )
        if not on_box:
            wide = width_of(text, size)
            left = x - wide * (1 - reach) - 1.5
            self.shapes.append(
                f'<rect class="plate" x="{_number(left)}" y="{_number(y - size)}" '
                f'width="{_number(wide + 3)}" height="{_number(size + 4)}" rx="3" '
                f'fill="{COLOURS["blank"]}"/>'
            )
        if upright:
            style += f' transform="rotate(-90 {_number(x)} {_number(y)})"'
        self.shapes.append(
            f'<text x="{_number(x)}" y="{_number(y)}"{style}>{safe(text)}</text>'
        )

    def svg(self, *, titled: bool = True) -> "Picture":
        """Return the picture as SVG, with its title above it unless told otherwise."""
        drawn, top = self, TITLE_HEIGHT
        if titled:
            drawn, top = evolve(self, shapes=[*self.shapes]), 0
            drawn.words(MARGIN, 26, self.title, size=LARGE, bold=True)
        shapes = "\n".join(drawn.shapes)
        width, height = _number(drawn.width), _number(drawn.height - top)
        # Two pictures on one page need two names, and the same picture one.
        content = f"{self.title}\n{self.description}\n{shapes}"
        name = sha256(content.encode("utf-8", "replace")).hexdigest()[:10]
        return Picture(
            f'<svg xmlns="http://www.w3.org/2000/svg" class="s2geom" role="img"'
            f' viewBox="0 {top} {width} {height}" width="{width}" height="{height}"'
            f' aria-labelledby="s2t-{name} s2d-{name}" font-family="{FONT}"'
            ' style="max-width:100%;height:auto">\n'
            f'<title id="s2t-{name}">{safe(self.title)}</title>\n'
            f'<desc id="s2d-{name}">{safe(self.description)}</desc>\n'
            f'<g font-size="{NORMAL}" fill="{COLOURS["ink"]}">\n'
            f"{shapes}\n</g>\n</svg>"
        )

    def img(self) -> str:
        """Return the picture without its title as HTML: an image and its text."""
        return self.svg(titled=False).img()


@frozen
class BitRow:
    """Where the bits of a word or an address are drawn, the highest on the left.

    Args:
        pen: The picture.
        highest: The bit at the left margin.
        width: Pixels of a bit.
    """

    pen: Drawing
    highest: int
    width: int

    def left(self, bit: int) -> int:
        """Return where a bit begins."""
        return MARGIN + (self.highest - bit) * self.width

    def number_ends(self, high: int, low: int, y: float, first: int = 0) -> None:
        """Write the numbers of two bits, counted from ``first``; of one bit, once."""
        for bit in dict.fromkeys((high, low)):
            x, number = self.left(bit) + self.width / 2, str(first + bit)
            self.pen.words(x, y, number, size=SMALL, anchor="middle", ink="muted")

    def digits(self, number: int, high: int, low: int, y: float) -> None:
        """Draw what is in some bits of a number, each in a box."""
        for bit in range(low, high + 1):
            digit = number >> bit & 1
            fill = "plain" if digit else "blank"
            self.pen.box(self.left(bit), y, self.width, 20, fill)
            self.pen.words(
                self.left(bit) + self.width / 2,
                y + 15,
                str(digit),
                anchor="middle",
                bold=digit == 1,
                on_box=True,
            )


class Picture(str):
    """A picture as SVG, which a notebook shows as an image.

    It is the text of the SVG in everything but what a notebook draws of it.
    """

    __slots__ = ()

    def img(self) -> str:
        """Return an HTML image whose address is the picture, with a text alternative.

        Notebooks that are not trusted drop SVG, and keep such an image.
        """
        drawn = re.sub("<g><title>[^<]*</title>", "<g>", self)  # no pointer gets there
        data = b64encode(drawn.encode("utf-8", "replace")).decode()
        [size] = re.findall(r'width="[^"]*" height="[^"]*"', self)[:1]
        return (
            f'<img alt="{self._part("desc") or self._part("title")}" {size} '
            'style="max-width:100%;height:auto;display:block" '
            f'src="data:image/svg+xml;base64,{data}"/>'
        )

    def _part(self, name: str) -> str:
        """Return the text of an element that is there once, escaped as it is."""
        return self.partition(f"<{name} ")[2].partition(">")[2].partition("</")[0]

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": f"<SVG: {self._part('title')}>", "text/html": self.img()}
