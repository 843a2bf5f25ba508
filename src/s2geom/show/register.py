# SPDX-License-Identifier: MIT
"""`register_word`: a register's bits, field by field.

A notebook shows a register with this picture and with a table of its fields.
"""

from attrs import frozen

from s2geom.core.fields import Field, Word
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, BitRow, Drawing, first_fit, width_of

REGISTER_BIT = 23
"""Width of one bit of a register."""

ROW = 32
"""Bits of a register in one line."""


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
    pen = Drawing(word_title(word), " ".join(word.explain()))
    y: float = 66
    for low in reversed(range(0, word.WIDTH, ROW)):
        y = _word_row(pen, word, low, y)
    return pen


def word_title(word: Word) -> str:
    """Return a register's name and value."""
    return f"{type(word).__name__} = {int(word):#x}"


@frozen
class _Cut:
    """The part of a field that is in one line; without a name, bits of no field."""

    name: str
    high: int
    low: int
    value: str = ""

    @property
    def width(self) -> int:
        """Its bits."""
        return self.high - self.low + 1


def _cuts(word: Word, low: int) -> list[_Cut]:
    """Cut a line of a register into fields and the bits between them."""
    end, cuts = low + ROW, []
    at = low
    for row in word.fields():
        first, after = max(row.low, low), min(row.high + 1, end)
        if first >= after:
            continue  # it is in another line
        # A field that spans two lines has its value at its lower end alone.
        value = row.spell(row.take(int(word))) if row.low >= low else ""
        cuts += [_Cut("", first - 1, at), _Cut(row.name, after - 1, first, value)]
        at = after
    cuts.append(_Cut("", end - 1, at))
    return [cut for cut in cuts if cut.width]


def _word_row(pen: Drawing, word: Word, low: int, y: float) -> float:
    """Draw a line of a register; return where the next one stands."""
    cuts, number = _cuts(word, low), int(word)
    if not any(cut.name for cut in cuts) and not number >> low & ((1 << ROW) - 1):
        first = word.FIRST_BIT + low
        text = f"bits {first + ROW - 1}:{first}: no field, all 0"
        pen.words(MARGIN, y, text, ink="muted")
        return y + 26
    bits = BitRow(pen, low + ROW - 1, REGISTER_BIT)
    upright = [cut.name for cut in cuts if not _fits(cut)]
    high = max([34.0, *(width_of(name, SMALL) + 12 for name in upright)])
    for cut in cuts:
        bits.number_ends(cut.high, cut.low, y - 6, word.FIRST_BIT)
        _draw_cut(pen, cut, bits.left(cut.high), y, high)
        bits.digits(number, cut.high, cut.low, y + high)
    return y + high + 56


def _draw_cut(pen: Drawing, cut: _Cut, x: float, y: float, high: float) -> None:
    """Draw a field and its value, or hatch the bits that have none."""
    wide = cut.width * REGISTER_BIT
    if not cut.name:
        pen.box(x, y, wide, high)
        pen.hatch(x, y, wide, high)
        return
    pen.box(x, y, wide, high, "level1")
    middle, value = x + wide / 2, cut.value if cut.width > 1 else ""
    pen.words(middle, y + high + 35, first_fit(wide, value), anchor="middle")
    if _fits(cut):
        pen.words(middle, y + high / 2 + 4, cut.name, anchor="middle", on_box=True)
    else:
        left, low = x + REGISTER_BIT / 2 + 4, y + high - 6
        pen.words(left, low, cut.name, size=SMALL, upright=True, on_box=True)


def _fits(cut: _Cut) -> bool:
    """Whether a name has room above its bits; if not, it is written upwards."""
    return width_of(cut.name) <= cut.width * REGISTER_BIT - 2


def word_html(word: Word) -> str:
    """Return the fields of a register, with their values, as an HTML table."""
    fields = [(_place(word, row), row.name) for row in word.fields()]
    # Of the bits without a field there is a sentence only where one is set.
    rows = zip([*fields, (None, "no field")], word.explain(), strict=False)
    return table(
        "Fields, lowest first",
        ("bits", "field", "value", "meaning"),
        ((*field, *_value_and_meaning(sentence)) for field, sentence in rows),
    )


def _place(word: Word, row: Field) -> str:
    high, low = row.high + word.FIRST_BIT, row.low + word.FIRST_BIT
    return f"{high}:{low}" if high > low else f"{low}"


def _value_and_meaning(sentence: str) -> tuple[str, str]:
    """Take a sentence such as "SL0 = 1: the walk starts at level 1." apart."""
    value, _, meaning = sentence.partition(" = ")[2].partition(": ")
    return value, meaning.removesuffix(".")
