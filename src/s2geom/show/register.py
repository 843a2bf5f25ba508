# SPDX-License-Identifier: MIT
"""`register_word`: a register's bits, field by field.

A notebook shows a register with this picture and with a table of its fields.
"""

from attrs import frozen

from s2geom.core.fields import Field, Word
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, Drawing, fit, width_of

REGISTER_BIT = 23
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
    return draw_register(word).svg()


def draw_register(word: Word) -> Drawing:
    """Draw a register's fields in their bits."""
    number = int(word)
    pen = Drawing(word_title(word), " ".join(word.explain()))
    y: float = 66
    for low in reversed(range(0, word.WIDTH, ROW)):
        y = _word_row(pen, word, number, low, y)
    return pen


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
            # A field that spans two lines has its value at its lower end alone.
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
        return MARGIN + (low + ROW - 1 - bit) * REGISTER_BIT

    upright = [cut.name for cut in cuts if not _fits(cut)]
    high = max([34.0, *(width_of(name, SMALL) + 12 for name in upright)])
    for cut in cuts:
        x, wide = left(cut.high), (cut.high - cut.low + 1) * REGISTER_BIT
        for bit in dict.fromkeys((cut.high, cut.low)):
            middle = left(bit) + REGISTER_BIT / 2
            place = str(word.FIRST_BIT + bit)
            pen.words(middle, y - 6, place, size=SMALL, anchor="middle", ink="muted")
        if not cut.name:
            pen.box(x, y, wide, high)
            pen.hatch(x, y, wide, high)
        else:
            pen.box(x, y, wide, high, "level1")
            value = cut.value if cut.high > cut.low else ""
            pen.words(x + wide / 2, y + high + 35, fit(wide, value), anchor="middle")
            if _fits(cut):
                middle = y + high / 2 + 4
                pen.words(x + wide / 2, middle, cut.name, anchor="middle", on_box=True)
            else:
                pen.words(
                    x + REGISTER_BIT / 2 + 4,
                    y + high - 6,
                    cut.name,
                    size=SMALL,
                    upright=True,
                    on_box=True,
                )
        for bit in range(cut.low, cut.high + 1):
            digit = str(number >> bit & 1)
            fill = "plain" if digit == "1" else "blank"
            pen.box(left(bit), y + high, REGISTER_BIT, 20, fill)
            pen.words(
                left(bit) + REGISTER_BIT / 2,
                y + high + 15,
                digit,
                anchor="middle",
                bold=digit == "1",
                on_box=True,
            )
    return y + high + 56


def _fits(cut: _Cut) -> bool:
    """Whether a name has room above its bits; if not, it is written upwards."""
    return width_of(cut.name) <= (cut.high - cut.low + 1) * REGISTER_BIT - 2


def word_html(word: Word) -> str:
    """Return the fields of a register, with their values, as an HTML table."""
    rows = (
        (_place(word, row), row.name, *_value_and_meaning(sentence))
        for row, sentence in zip(word.fields(), word.explain(), strict=False)
    )
    others = (
        (None, "no field", *_value_and_meaning(sentence))
        for sentence in word.explain()[len(word.fields()) :]
    )
    return table(
        "Fields, lowest first", ("bits", "field", "value", "meaning"), (*rows, *others)
    )


def _place(word: Word, row: Field) -> str:
    high, low = row.high + word.FIRST_BIT, row.low + word.FIRST_BIT
    return f"{high}:{low}" if high > low else f"{low}"


def _value_and_meaning(sentence: str) -> tuple[str, str]:
    """Take a sentence such as "SL0 = 1: the walk starts at level 1." apart."""
    value, _, meaning = sentence.partition(" = ")[2].partition(": ")
    return value, meaning.removesuffix(".")
