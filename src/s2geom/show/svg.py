# SPDX-License-Identifier: MIT
"""`Drawing`: the pen of every picture here. It knows shapes and colours, no tables.

A picture is one string that needs nothing else: no style sheet, script, font or file.
It brings its own ground, so it can be read wherever it stands, and it follows the
reader's light or dark preference where the viewer has one. Viewers that know no style
sheets find the light colours on each shape. Colour never says anything alone: there is
a word, a number or a hatching beside it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import escape

from attrs import define, field

INKS = {
    # role: light, dark
    "paper": ("#ffffff", "#15181c"),
    "ink": ("#1b1f24", "#eceff2"),
    "muted": ("#57606a", "#a9b2bc"),
    "line": ("#7d8590", "#8b949e"),
    "faint": ("#d5dae0", "#3a424b"),
    "plain": ("#eef1f4", "#2a3038"),
    "table": ("#ffd9b0", "#6f4410"),
    "level-1": ("#f3d1e6", "#6d2b56"),
    "level0": ("#dccfff", "#4a378a"),
    "level1": ("#bfe0ff", "#174a76"),
    "level2": ("#c3efc9", "#1d5530"),
    "level3": ("#fdf0ae", "#544808"),
    "offset": ("#e3e7eb", "#363d46"),
    "yes": ("#b9dcff", "#1b4f80"),
    "no": ("#f3f4f6", "#22272d"),
    "bar": ("#0a5cb8", "#6cb6ff"),
}
"""What a colour is for, and its two values."""

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

ADVANCE = 0.61
"""Width of a letter in parts of its size: all of them are equally wide."""

SMALL, NORMAL, LARGE = 11, 12, 14
"""The three sizes of letters; nothing is smaller."""

MARGIN = 24

_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to write, not even escaped."""


def safe(text: object) -> str:
    """Return text as XML and HTML can hold it, whatever it was."""
    return escape(_UNSPEAKABLE.sub("\ufffd", str(text)))


def width_of(text: str, size: int = NORMAL) -> float:
    """Return how wide a text is drawn."""
    return len(text) * size * ADVANCE


def fit(room: float, *texts: str, size: int = NORMAL) -> str:
    """Return the first of some texts that has room; none of them is the empty one."""
    return next((text for text in texts if width_of(text, size) <= room), "")


def shorten(text: str, room: float, size: int = NORMAL) -> str:
    """Return a text, or its beginning and an ellipsis where it has no room."""
    if width_of(text, size) <= room:
        return text
    return text[: max(0, int(room / (size * ADVANCE)) - 1)] + "\u2026"


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


@define
class Drawing:
    """A picture in the making: shapes in, one string out.

    Coordinates are pixels from the upper left corner.
    """

    width: float = 0
    height: float = 0
    _shapes: list[str] = field(factory=list, init=False)

    def _reach(self, x: float, y: float) -> None:
        self.width = max(self.width, x + MARGIN)
        self.height = max(self.height, y + MARGIN)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str | None = None,
        *,
        stroke: str | None = "line",
        dashed: bool = False,
    ) -> None:
        """Draw a rectangle."""
        self._reach(x + width, y + height)
        paint = _paint("fill", fill) + _paint("stroke", stroke)
        if dashed:
            paint += ' stroke-dasharray="4 3"'
        place = (
            f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" '
            f'height="{_number(height)}"'
        )
        self._shapes.append(f"<rect {place}{_classes(fill, stroke)}{paint}/>")

    @contextmanager
    def tip(self, text: str) -> Iterator[None]:
        """Give the shapes inside a text that is shown under the pointer."""
        self._shapes.append(f"<g><title>{safe(text)}</title>")
        yield
        self._shapes.append("</g>")

    def hatch(
        self, x: float, y: float, width: float, height: float, step: float = 7
    ) -> None:
        """Draw diagonals through a rectangle, cut off at its edges."""
        strokes = []
        along = step
        while along < width + height:
            x1, y1 = x + min(along, width), y + max(0, along - width)
            x2, y2 = x + max(0, along - height), y + min(along, height)
            strokes.append(f"M{_number(x1)} {_number(y1)}L{_number(x2)} {_number(y2)}")
            along += step
        self.path("".join(strokes))

    def path(self, steps: str, stroke: str = "line", fill: str | None = None) -> None:
        """Draw lines, in the picture language's own letters."""
        paint = _paint("fill", fill) + _paint("stroke", stroke)
        self._shapes.append(f'<path d="{steps}"{_classes(fill, stroke)}{paint}/>')

    def line(
        self, x1: float, y1: float, x2: float, y2: float, stroke: str = "line"
    ) -> None:
        """Draw one line."""
        self._reach(max(x1, x2), max(y1, y2))
        self.path(f"M{_number(x1)} {_number(y1)}L{_number(x2)} {_number(y2)}", stroke)

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
    ) -> None:
        """Write a text whose line stands at ``y``; upright ones run from below."""
        if not text:
            return
        reach = {"start": 1, "middle": 0.5, "end": 0}[anchor]
        self._reach(x + (0 if upright else width_of(text, size) * reach), y)
        turn = f' transform="rotate(-90 {_number(x)} {_number(y)})"' if upright else ""
        # Most words look alike: what all shapes share stands around them once.
        style = "" if ink == "ink" else f"{_classes(ink, None)}{_paint('fill', ink)}"
        style += "" if size == NORMAL else f' font-size="{size}"'
        style += "" if anchor == "start" else f' text-anchor="{anchor}"'
        style += ' font-weight="bold"' if bold else ""
        self._shapes.append(
            f'<text x="{_number(x)}" y="{_number(y)}"{style}{turn}>{safe(text)}</text>'
        )

    def finish(self, title: str, description: str) -> str:
        """Return the picture.

        Args:
            title: What it shows, in one line: the picture's name.
            description: The same in words, for who cannot see it.
        """
        shapes = "\n".join(self._shapes)
        width, height = _number(self.width), _number(self.height)
        # Two pictures on one page need two names, and the same picture one.
        said = f"{title}\n{description}\n{shapes}"
        name = sha256(said.encode("utf-8", "replace")).hexdigest()[:10]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="s2geom" role="img"'
            f' viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' aria-labelledby="s2t-{name} s2d-{name}" font-family="{FONT}"'
            ' style="max-width:100%;height:auto">\n'
            f'<title id="s2t-{name}">{safe(title)}</title>\n'
            f'<desc id="s2d-{name}">{safe(description)}</desc>\n'
            f"<style>{_STYLE}</style>\n"
            f'<rect width="{width}" height="{height}" rx="6"'
            f"{_classes('paper', None)}{_paint('fill', 'paper')}/>\n"
            f'<g font-size="{NORMAL}"{_classes("ink", None)}{_paint("fill", "ink")}>\n'
            f"{shapes}\n</g>\n</svg>"
        )


def _classes(fill: str | None, stroke: str | None) -> str:
    names = [f"f-{fill}"] * bool(fill) + [f"s-{stroke}"] * bool(stroke)
    return f' class="{" ".join(names)}"' if names else ""


def _paint(what: str, role: str | None) -> str:
    if role is None:
        return ' fill="none"' if what == "fill" else ""
    return f' {what}="{INKS[role][0]}"'


_STYLE = (
    "@media (prefers-color-scheme:dark){"
    + "".join(
        f".s2geom .f-{role}{{fill:{dark}}}.s2geom .s-{role}{{stroke:{dark}}}"
        for role, (_, dark) in INKS.items()
    )
    + "}"
)
"""Only the dark colours: the light ones stand on the shapes."""
