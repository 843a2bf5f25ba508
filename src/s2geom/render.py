# SPDX-License-Identifier: MIT
"""What a notebook shows of a value: text, an HTML table, a picture.

The text is the ``repr``. The HTML is a table, and the picture above it where there is
one, since a notebook that has both shows the HTML alone. Which value has which is the
table `VIEWS`, by the name of its class: no module is loaded to ask about a value that
nobody has made.

The pictures: the *bit ruler* cuts an IPA into the fields that walk it, the *table tree*
shows the tables and what one entry of each maps, and the *register word* its fields.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from s2geom.compare.survey import survey
from s2geom.core.errors import S2GeomError
from s2geom.core.fields import Field, Word
from s2geom.core.geometry import Geometry, IpaIndex, Level, geometry_of
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import integer
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.core.wording import counted, quoted, ranges
from s2geom.kernel.choose import Host
from s2geom.kernel.scheme import Scheme
from s2geom.show.chart import survey_chart
from s2geom.svg import (
    LARGE,
    MARGIN,
    SMALL,
    Drawing,
    fit,
    safe,
    shorten,
    width_of,
)

if TYPE_CHECKING:
    from s2geom.build.footprint import Footprint, TableCount
    from s2geom.compare.policies import PolicyChoice
    from s2geom.kconfig.config import KernelConfig

MOST_TABLES_DRAWN = 16
"""As many as the architecture concatenates; more are a number."""


# The parts of an IPA


@frozen
class Part:
    """A run of bits of an IPA, and what it selects.

    Args:
        role: Its colour.
        name: What it is called.
        short: Ever shorter names, for narrow places.
        low: Its lowest bit.
        width: Its bits.
        says: What it selects.
        value: What an IPA has there; None without an IPA.
    """

    role: str
    name: str
    short: tuple[str, ...]
    low: int
    width: int
    says: str
    value: int | None

    @property
    def bits(self) -> str:
        """Its place, as the manual writes it."""
        high = self.low + self.width - 1
        return f"{high}:{self.low}" if self.width > 1 else f"{self.low}"

    @property
    def spoken(self) -> str:
        """Place, name, meaning and value as a sentence."""
        value = "" if self.value is None else f", here {self.value:#x}"
        plural = "s" if self.width > 1 else ""
        return f"Bit{plural} {self.bits}: {self.name}, {self.says}{value}."


def parts(geometry: Geometry, index: IpaIndex | None = None) -> tuple[Part, ...]:
    """Return the runs of bits of an IPA, highest first; together they are all of it.

    A level that has no bit left, as in a shape that no CPU allows, has no part.
    """
    found = []
    if geometry.concatenation > 1:
        width = geometry.concatenation.bit_length() - 1
        found.append(
            Part(
                role="table",
                name="table",
                short=("tbl", "T"),
                low=geometry.ipa_bits - width,
                width=width,
                says=f"which of {geometry.concatenation} tables side by side",
                value=None if index is None else index.table,
            )
        )
    for at, level in enumerate(geometry.table_levels):
        width = min(geometry.stride, geometry.ipa_bits - level.shift)
        if width > 0:
            found.append(
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
                    says=f"one of {1 << width} entries, each maps "
                    f"{size_text(level.entry_size)}",
                    value=None if index is None else index.indices[at],
                )
            )
    width = min(geometry.page_shift, geometry.ipa_bits)
    found.append(
        Part(
            role="offset",
            name="byte in the page",
            short=("byte", "B"),
            low=0,
            width=width,
            says=f"one of {size_text(1 << width)}",
            value=None if index is None else index.offset,
        )
    )
    return tuple(found)


def heading(geometry: Geometry) -> str:
    """Return a shape as one line."""
    root = counted(geometry.concatenation, "table")
    lpa2 = ", LPA2" if geometry.lpa2 else ""
    start = geometry.start_level
    levels = f"levels {start} to {LAST_LEVEL}" if start < LAST_LEVEL else "one level"
    return (
        f"{geometry.granule} pages, {geometry.ipa_bits}-bit IPA{lpa2}: {levels}, "
        f"root of {root}, {size_text(geometry.pgd_size)}"
    )


# Pictures


CELL = 17
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
    found = parts(geometry, index)
    title = heading(geometry)
    if ipa is not None:
        title = f"IPA {ipa:#x} in {title}"
    pen = Drawing()
    pen.words(MARGIN, 30, title, size=LARGE, bold=True)

    def left(bit: int) -> float:
        return MARGIN + (geometry.ipa_bits - 1 - bit) * CELL

    top = 64
    for part in found:
        high, x = part.low + part.width - 1, left(part.low + part.width - 1)
        wide = part.width * CELL
        for bit in dict.fromkeys((high, part.low)):
            pen.words(
                left(bit) + CELL / 2,
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
            pen.words(x + wide / 2, top + 22, label, anchor="middle")
    below: float = top + 34
    if ipa is not None:
        below = _digits(pen, geometry, int(ipa), left, below)
    values = max(width_of(_value(part)) for part in found)
    says = MARGIN + 24 + width_of("39:36  ") + (values + 20 if values else 0)
    for row, part in enumerate(found):
        y = below + 26 + row * 22
        pen.box(MARGIN, y - 11, 14, 14, part.role)
        if part.role == "table":
            pen.hatch(MARGIN, y - 11, 14, 14)
        pen.words(MARGIN + 24, y, part.bits)
        pen.words(says - 14, y, _value(part), anchor="end", bold=True)
        pen.words(says, y, f"{part.name}: {part.says}")
    said = [part.spoken for part in found]
    idle = _idle_levels(geometry)
    if idle:
        pen.words(MARGIN, below + 26 + len(found) * 22, idle, ink="muted")
        said.append(f"{idle}.")
    return pen.finish(title, " ".join(said))


def _idle_levels(geometry: Geometry) -> str:
    """Say which levels have no bit to index with, as in shapes that no CPU takes."""
    idle = [
        f"level {level.number}"
        for level in geometry.table_levels
        if level.shift >= geometry.ipa_bits
    ]
    if not idle:
        return ""
    return f"no bit is left for {' and '.join(idle)}: the only entry there is 0"


def _value(part: Part) -> str:
    if part.value is None:
        return ""
    return f"{part.value:#x}" if part.role == "offset" else f"{part.value}"


def _hatched_label(
    pen: Drawing, x: float, y: float, wide: float, high: float, label: str, role: str
) -> None:
    # The hatching sets it off without colour; the label keeps a clear ground.
    pen.hatch(x, y, wide, high)
    room = min(wide - 2, width_of(label) + 4)
    pen.box(x + (wide - room) / 2, y + high / 2 - 9, room, 18, role, stroke=None)
    pen.words(x + wide / 2, y + high / 2 + 5, label, anchor="middle")


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
        pen.box(left(bit), top, CELL, 20, "plain" if digit == "1" else None)
        pen.words(
            left(bit) + CELL / 2, top + 15, digit, anchor="middle", bold=digit == "1"
        )
    for bit in range(0, geometry.ipa_bits, 4):
        highest = min(bit + 3, geometry.ipa_bits - 1)
        x1, x2 = left(highest) + 2, left(bit) + CELL - 2
        pen.line(x1, top + 25, x2, top + 25, "muted")
        pen.words((x1 + x2) / 2, top + 39, f"{ipa >> bit & 0xF:x}", anchor="middle")
    return top + 46


@public
def table_tree(geometry: Geometry) -> str:
    """Return an SVG picture of the tables and of what one entry of each maps.

    On the left the tables, those of the root side by side. On the right, on a scale
    that doubles at each step, what one entry of each level maps, and what a contiguous
    group of them does.

    Args:
        geometry: The shape.

    Raises:
        TypeError: It is no `Geometry`.

    >>> "32 MiB" in table_tree(Geometry(14, 40, 2))
    True
    """
    geometry = geometry_of(geometry)
    title = heading(geometry)
    pen = Drawing()
    pen.words(MARGIN, 30, title, size=LARGE, bold=True)
    levels = geometry.table_levels
    top, row_height = 84, 104
    bottom = top + len(levels) * row_height
    _scale(pen, geometry, top - 22, bottom)
    said = []
    for at, level in enumerate(levels):
        y = top + at * row_height
        tables = _about_tables(geometry, level)
        for line, text in enumerate(tables):
            pen.words(MARGIN, y + line * 16, text, bold=line == 0)
        count = min(level.tables, MOST_TABLES_DRAWN)
        middle = _tables(pen, level, y + 24, count)
        if at + 1 < len(levels):
            _arrow(pen, middle, y + 64, y + row_height - 14)
        said.append(". ".join((*tables, *_span(pen, geometry, level, y))))
    return pen.finish(title, ". ".join(said) + ".")


AXIS_LEFT, AXIS_WIDTH = 440, 320
TABLES_WIDTH = 376


def _along(geometry: Geometry, bits: int) -> float:
    """Return where a size stands on the scale; what is beyond the IPA, at its end."""
    return AXIS_LEFT + AXIS_WIDTH * min(bits, geometry.ipa_bits) / geometry.ipa_bits


def _scale(pen: Drawing, geometry: Geometry, top: float, bottom: float) -> None:
    marks = {
        bits: unit
        for bits, unit in zip(
            range(0, 70, 10),
            ("1 B", "1 KiB", "1 MiB", "1 GiB", "1 TiB", "1 PiB", "1 EiB"),
            strict=True,
        )
        if _along(geometry, bits) < AXIS_LEFT + AXIS_WIDTH - 60
    }
    marks[geometry.ipa_bits] = size_text(geometry.ipa_size)
    for bits, label in marks.items():
        x = _along(geometry, bits)
        last = bits == geometry.ipa_bits
        pen.line(x, top + 6, x, bottom - 20, "line" if last else "faint")
        pen.words(
            x,
            top,
            label,
            size=SMALL,
            anchor="end" if last else "middle",
            ink="muted",
        )


def _about_tables(geometry: Geometry, level: Level) -> tuple[str, str]:
    entries = f"{level.entries} entries" if level.entries > 1 else "1 entry"
    if level.number != geometry.start_level:
        return (
            f"level {level.number}: a table for each entry above",
            f"{entries}, {size_text(geometry.page_size)}",
        )
    tables = f"{level.tables} tables side by side" if level.tables > 1 else "1 table"
    size, alignment = size_text(geometry.pgd_size), size_text(geometry.pgd_alignment)
    return (
        f"level {level.number}: the root, {tables}",
        f"{entries}, {size}, aligned to {alignment}",
    )


def _tables(pen: Drawing, level: Level, y: float, count: int) -> float:
    """Draw the tables of a level; return where the entry is that leads on."""
    room = min(52.0, (TABLES_WIDTH - 16) / count)
    for at in range(count):
        x = MARGIN + at * room
        pen.box(x, y, room, 40, f"level{level.number}")
        for entry in (10, 20, 30):
            pen.line(x, y + entry, x + room, y + entry)
    if level.tables > count:
        pen.words(MARGIN + count * room + 4, y + 25, "\u2026")
    # One entry of the first table stands for all: the level below is drawn once.
    pen.box(MARGIN, y + 30, room, 10, "plain")
    return MARGIN + room / 2


def _arrow(pen: Drawing, x: float, top: float, bottom: float) -> None:
    pen.line(x, top, x, bottom - 6, "ink")
    pen.path(f"M{x - 4:.1f} {bottom - 7:.1f}h8l-4 7z", stroke="ink", fill="ink")


def _span(pen: Drawing, geometry: Geometry, level: Level, y: float) -> tuple[str, ...]:
    """Draw what one entry of a level maps; return it in words."""
    end = _along(geometry, level.shift)
    size = size_text(level.entry_size)
    said = [f"{level.leaf}: {size}" if level.leaf else f"table only: {size}"]
    pen.box(
        AXIS_LEFT,
        y + 24,
        end - AXIS_LEFT,
        22,
        f"level{level.number}" if level.leaf else None,
        dashed=not level.leaf,
    )
    if level.leaf and level.contiguous:
        group = level.contiguous << level.shift
        wide = _along(geometry, group.bit_length() - 1) - end
        pen.box(end, y + 24, wide, 22, None)
        pen.hatch(end, y + 24, wide, 22)
        said.append(f"{level.contiguous} contiguous: {size_text(group)}")
    pen.box(AXIS_LEFT + 1, y - 11, width_of(said[0]) + 8, 16, "paper", stroke=None)
    pen.words(AXIS_LEFT + 4, y + 1, said[0], bold=True)
    if len(said) > 1:
        pen.box(AXIS_LEFT + 1, y + 5, width_of(said[1]) + 8, 16, "paper", stroke=None)
        pen.words(AXIS_LEFT + 4, y + 17, said[1])
    return tuple(said)


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
    title = _word_title(word)
    pen = Drawing()
    shown = shorten(title, ROW * BIT, LARGE)
    pen.words(MARGIN, 30, shown, size=LARGE, bold=True)
    y: float = 66
    for low in reversed(range(0, word.WIDTH, ROW)):
        y = _word_row(pen, word, number, low, y)
    return pen.finish(title, " ".join(word.explain()))


def _word_title(word: Word) -> str:
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


# Tables of HTML


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table: the first cell of each row is the row's header."""
    head = "".join(f'<th scope="col">{safe(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{_cell(first)}</th>'
        + "".join(f"<td>{_cell(value)}</td>" for value in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        '<table style="border-spacing:.8em .1em;text-align:left">\n'
        f"<caption>{safe(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _cell(value: object) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe(value)


def _geometry_html(geometry: Geometry) -> str:
    facts = (
        "levels",
        "start_level",
        "concatenation",
        "pgd_entries",
        "pgd_size",
        "pgd_alignment",
        "pgdir_shift",
        "min_cache_pages",
        "t0sz",
        "paging_form",
        "lpa2",
    )
    levels = table(
        heading(geometry),
        ("level", "tables", "index bits", "entries", "entry maps", "leaf", "group"),
        (
            (
                level.number,
                level.tables,
                level.index_bits,
                level.entries,
                size_text(level.entry_size),
                level.leaf,
                f"{level.contiguous} contiguous" if level.contiguous else None,
            )
            for level in geometry.table_levels
        ),
    )
    numbers = table(
        "What follows from it, in bits and bytes",
        ("property", "value"),
        ((name, getattr(geometry, name)) for name in facts),
    )
    return f"{levels}\n{numbers}"


def _index_html(index: IpaIndex) -> str:
    return table(
        f"IPA {index.ipa:#x} in {heading(index.geometry)}",
        ("bits", "part", "value", "selects"),
        (
            (part.bits, part.name, _value(part), part.says)
            for part in parts(index.geometry, index)
        ),
    )


def _index_svg(index: IpaIndex) -> str:
    return bit_ruler(index.geometry, index.ipa)


def _host_rows(host: Host) -> Iterable[Sequence[object]]:
    for scheme in Scheme:
        widest = host.max_ipa_bits(scheme)
        if widest is None:
            [why, *_] = host.check(40, scheme=scheme)
            shape = why.summary
        else:
            shape = heading(host.stage2(widest, scheme=scheme))
        yield scheme.value, scheme.releases, widest, shape


def _host_html(host: Host) -> str:
    kconfig = "" if host.kconfig_legal else "; Kconfig never offered it"
    return table(
        f"{host.granule} host, {host.va_bits}-bit VA, {host.pa_bits}-bit PA: "
        f"{host.pgtable_levels} levels of its own{kconfig}",
        ("scheme", "releases", "widest IPA", "its shape"),
        _host_rows(host),
    )


def _host_svg(host: Host) -> str:
    return survey_chart(
        survey(
            granules=(host.granule,), va_bits=(host.va_bits,), pa_bits=(host.pa_bits,)
        )
    )


def _word_html(word: Word) -> str:
    rows = (
        (_place(word, row), row.name, *_value_and_meaning(said))
        for row, said in zip(word.fields(), word.explain(), strict=False)
    )
    others = (
        (None, "no field", *_value_and_meaning(said))
        for said in word.explain()[len(word.fields()) :]
    )
    return table(
        _word_title(word), ("bits", "field", "value", "meaning"), (*rows, *others)
    )


def _place(word: Word, row: Field) -> str:
    high, low = row.high + word.FIRST_BIT, row.low + word.FIRST_BIT
    return f"{high}:{low}" if high > low else f"{low}"


def _value_and_meaning(said: str) -> tuple[str, str]:
    """Take a sentence such as "SL0 = 1: the walk starts at level 1." apart."""
    value, _, meaning = said.partition(" = ")[2].partition(": ")
    return value, meaning.removesuffix(".")


def _choice_html(choice: "PolicyChoice") -> str:
    shape = choice.geometry
    made = table(
        f"What {choice.policy} chooses",
        ("question", "answer"),
        (
            ("shape", None if shape is None else heading(shape)),
            ("legal on the CPU", choice.legal),
        ),
    )
    if not choice.violations:
        return made
    broken = table(
        "What is against it",
        ("rule", "whose limit", "message", "what to change"),
        (
            (each.rule, each.limited_by, each.message, each.fix)
            for each in choice.violations
        ),
    )
    return f"{made}\n{broken}"


def _ways(weight: "Footprint") -> dict[str, "TableCount"]:
    """Return the ways to map that were counted, by what they are called."""
    ways = {"pages alone": weight.worst, "KVM's leaves": weight.kvm}
    ways |= {"largest blocks": weight.best}
    return {name: count for name, count in ways.items() if count is not None}


def _weight_title(weight: "Footprint") -> str:
    return f"Tables for {size_text(weight.mapped)} in {heading(weight.geometry)}"


def _footprint_html(weight: "Footprint") -> str:
    ways = _ways(weight)
    header = ["level"]
    for name in ways:
        header += [f"tables, {name}", f"leaves, {name}"]
    rows = [
        [level.number]
        + [
            number
            for count in ways.values()
            for number in (count.levels[at].tables, count.levels[at].leaves)
        ]
        for at, level in enumerate(weight.geometry.table_levels)
    ]
    totals: list[object] = ["all"]
    for count in ways.values():
        totals += [f"{count.tables} ({size_text(count.bytes)})", None]
    return table(_weight_title(weight), header, (*rows, totals))


def _footprint_svg(weight: "Footprint") -> str:
    """Draw the bytes of the tables as bars, each way to map beside the others."""
    title = _weight_title(weight)
    pen = Drawing()
    pen.words(MARGIN, 30, title, size=LARGE, bold=True)
    ways = _ways(weight)
    most = max(1, *(count.bytes for count in ways.values()))
    said = []
    for at, (name, count) in enumerate(ways.items()):
        y = 56 + at * 46
        tables = counted(count.tables, "table")
        text = f"{name}: {tables}, {size_text(count.bytes)}"
        pen.words(MARGIN, y + 8, text)
        pen.box(MARGIN, y + 14, max(1.0, count.bytes / most * 600), 16, "bar")
        said.append(f"{text}.")
    return pen.finish(title, " ".join(said))


def _config_html(config: "KernelConfig") -> str:
    facts = table(
        f"Linux {config.release or 'of an unknown release'}: {config.host.granule} "
        f"pages, {config.host.va_bits}-bit VA, {config.host.pa_bits}-bit PA",
        ("fact", "value", "read from"),
        _config_rows(config),
    )
    return f"{facts}\n{_host_html(config.host)}"


def _config_rows(config: "KernelConfig") -> Iterable[Sequence[object]]:
    for name, origin in config.origins.items():
        yield name, origin.value, origin.words
    scheme = config.scheme
    yield "scheme", None if scheme is None else scheme.value, "the release"
    try:
        widths = ranges(config.ipa_sizes().widths)
    except S2GeomError as unknown:
        yield "guest IPA bits", None, str(unknown)
    else:
        yield "guest IPA bits", widths, "the release's own rule, on the widest CPU"


def _config_svg(config: "KernelConfig") -> str:
    return _host_svg(config.host)


# Who shows what


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
    "Footprint": View(_footprint_html, (_footprint_svg,)),
    "Geometry": View(_geometry_html, (bit_ruler, table_tree)),
    "Host": View(_host_html, (_host_svg,)),
    "IpaIndex": View(_index_html, (_index_svg,)),
    "KernelConfig": View(_config_html, (_config_svg,)),
    "PolicyChoice": View(_choice_html),
    "Word": View(_word_html, (register_word,)),
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
