# SPDX-License-Identifier: MIT
"""`bit_ruler`: which bits of an IPA select an entry at which level.

A notebook shows an `IpaIndex` as this picture and as a table of the same parts.
"""

from collections.abc import Sequence

from attrs import evolve, frozen

from s2geom.compare.shape_facts import heading
from s2geom.core.geometry import Geometry, IpaIndex, geometry_of
from s2geom.core.numbers import integer
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, BitRow, Drawing, first_fit, width_of


@frozen
class Part:
    """A run of bits of an IPA, and what it selects.

    Args:
        role: Its colour.
        name: What it is called.
        short: Ever shorter names, for narrow places.
        low: Its lowest bit.
        width: Its bits.
        meaning: What it selects.
        value: What an IPA has there; None without an IPA.
    """

    role: str
    name: str
    short: tuple[str, ...]
    low: int
    width: int
    meaning: str
    value: int | None = None

    @property
    def bits(self) -> str:
        """Its place, as the manual writes it."""
        high = self.low + self.width - 1
        return f"{high}:{self.low}" if self.width > 1 else f"{self.low}"

    @property
    def sentence(self) -> str:
        """Place, name, meaning and value as a sentence."""
        value = "" if self.value is None else f", here {self.value:#x}"
        plural = "s" if self.width > 1 else ""
        return f"Bit{plural} {self.bits}: {self.name}, {self.meaning}{value}."


def parts(geometry: Geometry, index: IpaIndex | None = None) -> tuple[Part, ...]:
    """Return the runs of bits of an IPA, highest first; together they are all of it.

    A level without index bits, which no legal shape has, has no part.
    """
    bits, stride, tables = geometry.ipa_bits, geometry.stride, geometry.concatenation
    width = tables.bit_length() - 1
    which = f"which of {tables} tables side by side"
    fields = [Part("table", "table", ("tbl", "T"), bits - width, width, which)]
    for level in geometry.table_levels:
        name, width = f"level {level.number}", min(stride, bits - level.shift)
        short = name, f"L{level.number}", f"{level.number}"
        role, size = f"level{level.number}", size_text(level.entry_size)
        which = f"one of {1 << max(width, 0)} entries, each maps {size}"
        fields.append(Part(role, f"{name} index", short, level.shift, width, which))
    width = min(geometry.page_shift, bits)
    which = f"one of {size_text(1 << width)}"
    fields.append(Part("offset", "byte in the page", ("byte", "B"), 0, width, which))
    if index is not None:
        values = index.table, *index.indices, index.offset
        fields = [
            evolve(part, value=value)
            for part, value in zip(fields, values, strict=True)
        ]
    return tuple(part for part in fields if part.width > 0)


RULER_BIT = 17
"""Width of one bit: two digits have room."""

TOP = 64
"""Where the boxes of the parts begin, below the numbers of the bits."""


@public
def bit_ruler(geometry: Geometry, ipa: int | None = None) -> str:
    """Return an SVG picture of an IPA's bits and what each of them selects.

    The bits that select one of the concatenated tables are marked on their own.

    Args:
        geometry: The shape that takes the address apart.
        ipa: An address in bytes, to be shown in its place; None for the fields alone.

    Raises:
        InvalidArgument: The address is outside the IPA space.
        TypeError: A value has the wrong type.

    >>> bit_ruler(Geometry(14, 40, 2))[:4]
    '<svg'
    """
    geometry = geometry_of(geometry)
    index = None if ipa is None else geometry.split(integer("ipa", ipa))
    return draw_ruler(geometry, index).svg()


def draw_ruler(geometry: Geometry, index: IpaIndex | None = None) -> Drawing:
    """Draw the bits of an IPA, with an address in them or without."""
    fields = parts(geometry, index)
    pen = Drawing(heading(geometry) if index is None else _index_title(index))
    bits = BitRow(pen, geometry.ipa_bits - 1, RULER_BIT)
    for part in fields:
        bits.number_ends(part.low + part.width - 1, part.low, TOP - 6)
        _draw_part(pen, part, bits.left(part.low + part.width - 1))
    below = TOP + 34
    if index is not None:
        below = _draw_address(bits, index, below)
    _draw_meanings(pen, fields, below + 26)
    sentences = [part.sentence for part in fields]
    idle = _idle_levels(geometry)
    if idle:
        pen.words(MARGIN, below + 26 + len(fields) * 22, idle, ink="muted")
        sentences.append(f"{idle}.")
    pen.description = " ".join(sentences)
    return pen


def _draw_part(pen: Drawing, part: Part, x: float) -> None:
    """Draw the name of a part of an address in its bits."""
    wide, middle = part.width * RULER_BIT, x + part.width * RULER_BIT / 2
    pen.box(x, TOP, wide, 34, part.role)
    label = first_fit(wide - 2, part.name, *part.short)
    if part.role == "table":
        # Hatching marks the field without colour; the label stands on plain ground.
        pen.hatch(x, TOP, wide, 34)
        room = min(wide - 2, width_of(label) + 4)
        left = x + (wide - room) / 2
        pen.box(left, TOP + 8, room, 18, part.role, stroke=None)
    pen.words(middle, TOP + 22, label, anchor="middle", on_box=True)


def _draw_meanings(pen: Drawing, fields: Sequence[Part], y: float) -> None:
    """Draw a line for each part of an address: place, value and what it selects."""
    values = max(width_of(value_of(part)) for part in fields)
    left = MARGIN + 24 + width_of("39:36  ") + (values + 20 if values else 0)
    for part in fields:
        pen.box(MARGIN, y - 11, 14, 14, part.role)
        if part.role == "table":
            pen.hatch(MARGIN, y - 11, 14, 14)
        pen.words(MARGIN + 24, y, part.bits)
        pen.words(left - 14, y, value_of(part), anchor="end", bold=True)
        pen.words(left, y, f"{part.name}: {part.meaning}")
        y += 22


def _idle_levels(geometry: Geometry) -> str:
    """Return a sentence about levels without index bits, which no legal shape has."""
    idle = [
        f"level {level.number}"
        for level in geometry.table_levels
        if level.shift >= geometry.ipa_bits
    ]
    if not idle:
        return ""
    return f"no bit is left for {' and '.join(idle)}: the only entry there is 0"


def value_of(part: Part) -> str:
    """Return the value of a part of an address, empty where it has none."""
    if part.value is None:
        return ""
    return f"{part.value:#x}" if part.role == "offset" else f"{part.value}"


def _draw_address(bits: BitRow, index: IpaIndex, y: int) -> int:
    """Draw an address in binary and below it in hexadecimal; return where it ends."""
    bits.digits(index.ipa, bits.highest, 0, y)
    for bit in range(0, bits.highest + 1, 4):
        x1 = bits.left(min(bit + 3, bits.highest)) + 2
        x2 = bits.left(bit) + RULER_BIT - 2
        bits.pen.line(x1, y + 25, x2, y + 25)
        digit = f"{index.ipa >> bit & 0xF:x}"
        bits.pen.words((x1 + x2) / 2, y + 39, digit, anchor="middle")
    return y + 46


def index_html(index: IpaIndex) -> str:
    """Return the parts of an address as an HTML table."""
    return table(
        "The parts of the address",
        ("bits", "part", "value", "selects"),
        (
            (part.bits, part.name, value_of(part), part.meaning)
            for part in parts(index.geometry, index)
        ),
    )


def draw_index(index: IpaIndex) -> Drawing:
    """Draw the ruler with the address in it."""
    return draw_ruler(index.geometry, index)


def _index_title(index: IpaIndex) -> str:
    return f"IPA {index.ipa:#x} in {heading(index.geometry)}"
