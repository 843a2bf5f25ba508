# SPDX-License-Identifier: MIT
"""`register_word`: a register's bits, field by field."""

from attrs import frozen

from s2geom.core.fields import Word
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.show.svg import LARGE, MARGIN, SMALL, Drawing, fit, shorten, width_of

BIT = 23
"""Width of one bit of a register."""

ROW = 32
"""Bits of a register that stand in one line."""


@public
def register_word(word: Word) -> str:
    """Return an SVG picture of a register: each field in its bits.

    Args:
        word: A `VTCR_EL2`, `VTTBR_EL2`, `STE` or another register of this package.

    Raises:
        TypeError: It is none.

    >>> from s2geom import VTCR_EL2
    >>> "SL0" in register_word(VTCR_EL2.from_int(0x80023558))
    True
    """
    if not isinstance(word, Word):
        raise TypeError(f"word must be a register of this package, got {quoted(word)}")
    number = int(word)
    title = word_title(word)
    pen = Drawing()
    shown = shorten(title, ROW * BIT, LARGE)
    pen.words(MARGIN, 30, shown, size=LARGE, bold=True)
    y: float = 66
    for low in reversed(range(0, word.WIDTH, ROW)):
        y = _word_row(pen, word, number, low, y)
    return pen.finish(title, " ".join(word.explain()))


def word_title(word: Word) -> str:
    """Return a register's name and value."""
    return f"{type(word).__name__} = {int(word):#x}"


@frozen
class _Cut:
    """The part of a field that stands in one line; no name where bits have none."""

    name: str
    high: int
    low: int
    value: str = ""


def _cuts(word: Word, low: int) -> list[_Cut]:
    """Cut a line of a register into fields and the bits between them."""
    high, cuts = low + ROW - 1, []
    at = low
    for row in word.fields():
        if row.low <= high and row.high >= low:
            first, last = max(row.low, low), min(row.high, high)
            if first > at:
                cuts.append(_Cut("", first - 1, at))
            # Once, at the end of a field that is longer than the line.
            value = row.spell(row.take(int(word))) if row.low >= low else ""
            cuts.append(_Cut(row.name, last, first, value))
            at = last + 1
    if at <= high:
        cuts.append(_Cut("", high, at))
    return cuts


def _word_row(pen: Drawing, word: Word, number: int, low: int, y: float) -> float:
    cuts = _cuts(word, low)
    if not any(cut.name for cut in cuts) and not number >> low & ((1 << ROW) - 1):
        first = word.FIRST_BIT + low
        text = f"bits {first + ROW - 1}:{first}: no field, all 0"
        pen.words(MARGIN, y, text, ink="muted")
        return y + 26

    def left(bit: int) -> float:
        return MARGIN + (low + ROW - 1 - bit) * BIT

    upright = [cut.name for cut in cuts if not _lies(cut)]
    high = max([34.0, *(width_of(name, SMALL) + 12 for name in upright)])
    for cut in cuts:
        x, wide = left(cut.high), (cut.high - cut.low + 1) * BIT
        for bit in dict.fromkeys((cut.high, cut.low)):
            middle = left(bit) + BIT / 2
            place = str(word.FIRST_BIT + bit)
            pen.words(middle, y - 6, place, size=SMALL, anchor="middle", ink="muted")
        if not cut.name:
            pen.box(x, y, wide, high)
            pen.hatch(x, y, wide, high)
        else:
            pen.box(x, y, wide, high, "level1")
            value = cut.value if cut.high > cut.low else ""
            pen.words(x + wide / 2, y + high + 35, fit(wide, value), anchor="middle")
            if _lies(cut):
                pen.words(x + wide / 2, y + high / 2 + 4, cut.name, anchor="middle")
            else:
                pen.words(
                    x + BIT / 2 + 4, y + high - 6, cut.name, size=SMALL, upright=True
                )
        for bit in range(cut.low, cut.high + 1):
            digit = str(number >> bit & 1)
            pen.box(left(bit), y + high, BIT, 20, "plain" if digit == "1" else None)
            pen.words(
                left(bit) + BIT / 2,
                y + high + 15,
                digit,
                anchor="middle",
                bold=digit == "1",
            )
    return y + high + 56


def _lies(cut: _Cut) -> bool:
    """Whether a name has room along its bits; otherwise it stands upright."""
    return width_of(cut.name) <= (cut.high - cut.low + 1) * BIT - 2
