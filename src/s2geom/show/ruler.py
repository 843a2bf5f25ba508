# SPDX-License-Identifier: MIT
"""`bit_ruler`: which bits of an IPA select an entry at which level.

A notebook shows an `IpaIndex` as this picture and as a table of the same parts.
"""

from collections.abc import Callable

from attrs import frozen

from s2geom.compare.shape_facts import heading
from s2geom.core.geometry import Geometry, IpaIndex, geometry_of
from s2geom.core.numbers import integer
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, Drawing, fit, width_of


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
    value: int | None

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
    fields = []
    if geometry.concatenation > 1:
        width = geometry.concatenation.bit_length() - 1
        fields.append(
            Part(
                role="table",
                name="table",
                short=("tbl", "T"),
                low=geometry.ipa_bits - width,
                width=width,
                meaning=f"which of {geometry.concatenation} tables side by side",
                value=None if index is None else index.table,
            )
        )
    for at, level in enumerate(geometry.table_levels):
        width = min(geometry.stride, geometry.ipa_bits - level.shift)
        if width > 0:
            fields.append(
                Part(
                    role=f"level{level.number}",
                    name=f"level {level.number} index",
                    short=(
                        f"level {level.number}",
                        f"L{level.number}",
                        str(level.number),
                    ),
                    low=level.shift,
                    width=width,
                    meaning=f"one of {1 << width} entries, each maps "
                    f"{size_text(level.entry_size)}",
                    value=None if index is None else index.indices[at],
                )
            )
    width = min(geometry.page_shift, geometry.ipa_bits)
    fields.append(
        Part(
            role="offset",
            name="byte in the page",
            short=("byte", "B"),
            low=0,
            width=width,
            meaning=f"one of {size_text(1 << width)}",
            value=None if index is None else index.offset,
        )
    )
    return tuple(fields)


RULER_BIT = 17
"""Width of one bit: two digits have room."""


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

    def left(bit: int) -> float:
        return MARGIN + (geometry.ipa_bits - 1 - bit) * RULER_BIT

    top = 64
    for part in fields:
        high, x = part.low + part.width - 1, left(part.low + part.width - 1)
        wide = part.width * RULER_BIT
        for bit in dict.fromkeys((high, part.low)):
            pen.words(
                left(bit) + RULER_BIT / 2,
                top - 6,
                str(bit),
                size=SMALL,
                anchor="middle",
                ink="muted",
            )
        pen.box(x, top, wide, 34, part.role)
        label = fit(wide - 2, part.name, *part.short)
        if part.role == "table":
            _hatched_label(pen, x, top, wide, 34, label, part.role)
        else:
            pen.words(x + wide / 2, top + 22, label, anchor="middle", on_box=True)
    below: float = top + 34
    if index is not None:
        below = _digits(pen, geometry, index.ipa, left, below)
    values = max(width_of(value_of(part)) for part in fields)
    meaning_left = MARGIN + 24 + width_of("39:36  ") + (values + 20 if values else 0)
    for row, part in enumerate(fields):
        y = below + 26 + row * 22
        pen.box(MARGIN, y - 11, 14, 14, part.role)
        if part.role == "table":
            pen.hatch(MARGIN, y - 11, 14, 14)
        pen.words(MARGIN + 24, y, part.bits)
        pen.words(meaning_left - 14, y, value_of(part), anchor="end", bold=True)
        pen.words(meaning_left, y, f"{part.name}: {part.meaning}")
    sentences = [part.sentence for part in fields]
    idle = _idle_levels(geometry)
    if idle:
        pen.words(MARGIN, below + 26 + len(fields) * 22, idle, ink="muted")
        sentences.append(f"{idle}.")
    pen.description = " ".join(sentences)
    return pen


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


def _hatched_label(
    pen: Drawing, x: float, y: float, wide: float, high: float, label: str, role: str
) -> None:
    # Hatching marks the field without colour; the label stands on plain ground.
    pen.hatch(x, y, wide, high)
    room = min(wide - 2, width_of(label) + 4)
    pen.box(x + (wide - room) / 2, y + high / 2 - 9, room, 18, role, stroke=None)
    pen.words(x + wide / 2, y + high / 2 + 5, label, anchor="middle", on_box=True)


def _digits(
    pen: Drawing,
    geometry: Geometry,
    ipa: int,
    left: Callable[[int], float],
    top: float,
) -> float:
    """Draw an address in binary and below it in hexadecimal; return where it ends."""
    for bit in range(geometry.ipa_bits):
        digit = str(ipa >> bit & 1)
        pen.box(left(bit), top, RULER_BIT, 20, "plain" if digit == "1" else "blank")
        pen.words(
            left(bit) + RULER_BIT / 2,
            top + 15,
            digit,
            anchor="middle",
            bold=digit == "1",
            on_box=True,
        )
    for bit in range(0, geometry.ipa_bits, 4):
        highest = min(bit + 3, geometry.ipa_bits - 1)
        x1, x2 = left(highest) + 2, left(bit) + RULER_BIT - 2
        pen.line(x1, top + 25, x2, top + 25)
        pen.words((x1 + x2) / 2, top + 39, f"{ipa >> bit & 0xF:x}", anchor="middle")
    return top + 46


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
