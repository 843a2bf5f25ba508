# SPDX-License-Identifier: MIT
"""`survey_chart`: what is supported, of a survey, a host or a configuration."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from s2geom.compare.shape_facts import heading
from s2geom.compare.survey import (
    NO_CPU,
    AskedColumns,
    SurveyRow,
    shape_text,
    survey,
    survey_row,
    whole,
)
from s2geom.core.errors import InvalidArgument, S2GeomError
from s2geom.core.public import public
from s2geom.core.wording import quoted, ranges
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.host import Host
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.scheme import Scheme
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, Drawing, shorten, width_of

if TYPE_CHECKING:  # a host is drawn without loading the parser of configurations
    from s2geom.kconfig.kernel_config import KernelConfig

Line = tuple[str, ...]
Row = Mapping[str, object]
Cells = Mapping[tuple[Line, int], Row]

CELL_SIDE = 24
MOST_LABEL = 380

LINE_COLUMNS = ("granule", "va_bits", "pa_bits", "scheme", "release", "cpu")
"""The columns that make a line of the chart; the IPA is the axis."""

NOTHING: Mapping[str, str] = MappingProxyType({})

FULL_SHIFT = 20
"""log2 of the PGD that fills a cell: 1 MiB, the largest that KVM has."""


@public
def survey_chart(rows: Iterable[Mapping[str, object]]) -> str:
    """Return an SVG map of what is supported and at what cost.

    A line is a host, a scheme and a CPU; a column is a width of the IPA. A supported
    cell has the number of levels and a bar as high as its PGD is large; a refused one
    has a cross, and the reason as its tip.

    Args:
        rows: What `survey` returned, or some of it, also by way of JSON or a data
            frame.

    Raises:
        InvalidArgument: There is no row, or one is no row of a survey.
        TypeError: ``rows`` is no iterable of mappings.

    >>> survey_chart(survey(granules=[14], va_bits=[36]))[:4]
    '<svg'
    """
    return draw_chart(rows).svg()


def draw_chart(
    rows: Iterable[Mapping[str, object]], marked: Mapping[str, str] = NOTHING
) -> Drawing:
    """Draw what is supported of the rows of a survey.

    Args:
        rows: The rows.
        marked: What is said beside the lines of some schemes and releases, by their
            names.
    """
    cells = _cells(rows)
    lines = _in_order(dict.fromkeys(line for line, _ in cells))
    widths = sorted({ipa_bits for _, ipa_bits in cells})
    labels = {line: _label(line, lines, marked) for line in lines}
    longest = max(90.0, *map(width_of, labels.values()))
    left = MARGIN + min(MOST_LABEL, longest + 12)
    columns = {bits: left + at * CELL_SIDE for at, bits in enumerate(widths)}
    pen = Drawing("What KVM supports: " + _counted(cells))
    y = 76.0
    pen.words(MARGIN, y - 8, "IPA bits", size=SMALL, ink="muted")
    for bits, x in columns.items():
        middle = x + CELL_SIDE / 2
        pen.words(middle, y - 8, str(bits), size=SMALL, anchor="middle", ink="muted")
    sentences = []
    for page, group in groupby(lines, key=itemgetter(0)):
        y += 24
        pen.words(MARGIN, y - 7, f"{page} pages", bold=True)
        for line in group:
            label = shorten(labels[line], left - MARGIN - 12)
            pen.words(MARGIN + 8, y + 16, label, bold=_mark(line, marked) != "")
            fits = _draw_line(pen, y, columns, line, cells)
            sentences.append(f"{page} pages, {labels[line]}: {ranges(fits)}.")
            y += CELL_SIDE
    _legend(pen, y + 20)
    pen.description = "Supported IPA widths. " + " ".join(sentences)
    return pen


def _draw_line(
    pen: Drawing,
    y: float,
    columns: Mapping[int, float],
    line: Line,
    cells: Cells,
) -> list[int]:
    """Draw the cells of a line; return the widths that are supported."""
    row = {bits: cells[line, bits] for bits in columns if (line, bits) in cells}
    for bits, cell in row.items():
        _draw(pen, columns[bits], y, cell)
    return [bits for bits, cell in row.items() if cell["supported"]]


def _cells(rows: Iterable[Row]) -> Cells:
    """Sort rows into the cells of the chart."""
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise TypeError(f"rows must be an iterable of mappings, got {quoted(rows)}")
    cells = {(_line_of(row), whole(row, "ipa_bits")): row for row in rows}
    if not cells:
        raise InvalidArgument("rows must have at least one row")
    return cells


def _line_of(row: Row) -> Line:
    """Return the line that a row of a survey belongs to."""
    if not isinstance(row, Mapping):
        raise TypeError(f"a row must be a mapping, got {quoted(row)}")
    missing = {*LINE_COLUMNS, "ipa_bits", "supported"} - {*row, "release"}
    if missing:
        names = ", ".join(sorted(missing))
        raise InvalidArgument(f"a row of a survey also has {names}, got {quoted(row)}")
    return tuple(str(row.get(name) or "") for name in LINE_COLUMNS)


def _in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Sort lines by page size, then by host, then by scheme."""
    lines = tuple(lines)
    # Schemes in the order of history; a name that is none, as it first appears.
    names = chain((scheme.value for scheme in Scheme), *lines)
    order = {name: at for at, name in enumerate(dict.fromkeys(names))}

    def rank(line: Line) -> list[int]:
        granule, va_bits, pa_bits, scheme, release, cpu = line
        numbers = [
            int(bits) if bits.isdecimal() and len(bits) < 5 else order[bits]
            for bits in (va_bits, pa_bits)
        ]
        kernel = order[scheme], order[release]
        return [order[granule], *numbers, *kernel, order[cpu]]

    return tuple(sorted(lines, key=rank))


def _mark(line: Line, marked: Mapping[str, str]) -> str:
    """Return what is said beside a line, empty where it is not marked."""
    *_, scheme, release, _ = line
    return marked.get(release or scheme, "")


def _label(line: Line, lines: Sequence[Line], marked: Mapping[str, str]) -> str:
    """Return the name of a line: VA and kernel, and what differs between lines."""
    _, va_bits, pa_bits, scheme, release, cpu = line
    label = f"VA {va_bits} " + (f"Linux {release}" if release else scheme)
    if len({other[2] for other in lines}) > 1:
        label += f", kernel PA {pa_bits}"
    if {other[-1] for other in lines} != {NO_CPU}:
        label += f", CPU {cpu}"
    return label + _mark(line, marked)


def _counted(cells: Cells) -> str:
    supported = sum(bool(row["supported"]) for row in cells.values())
    return f"{supported} of {len(cells)} combinations"


def _draw(pen: Drawing, x: float, y: float, row: Row) -> None:
    where = f"{row['ipa_bits']}-bit IPA"
    if row["supported"]:
        with pen.tip(f"{where}: {shape_text(row)}"):
            _supported(pen, x, y, whole(row, "levels"), whole(row, "pgd_size"))
    else:
        with pen.tip(f"{where}: {row.get('reason') or 'refused'}"):
            _refused(pen, x, y)


def _supported(pen: Drawing, x: float, y: float, levels: int, pgd_size: int) -> None:
    filled = min(1.0, pgd_size.bit_length() / (FULL_SHIFT + 1)) * (CELL_SIDE - 4)
    pen.box(x, y, CELL_SIDE, CELL_SIDE, "yes")
    pen.box(x + 3, y + CELL_SIDE - 2 - filled, 5, filled, "bar", stroke=None)
    middle = x + CELL_SIDE / 2 + 4
    pen.words(middle, y + 17, str(levels), anchor="middle", bold=True, on_box=True)


def _refused(pen: Drawing, x: float, y: float) -> None:
    pen.box(x, y, CELL_SIDE, CELL_SIDE, "no")
    middle = x + CELL_SIDE / 2
    pen.words(middle, y + 17, "\u00d7", anchor="middle", ink="muted", on_box=True)


def _legend(pen: Drawing, y: float) -> None:
    _supported(pen, MARGIN, y, 3, 1 << 12)
    pen.words(
        MARGIN + CELL_SIDE + 10, y + 10, "supported, with so many levels; the bar"
    )
    pen.words(
        MARGIN + CELL_SIDE + 10, y + 25, "is the PGD's size (log2, full is 1 MiB)"
    )
    _refused(pen, MARGIN, y + 36)
    pen.words(MARGIN + CELL_SIDE + 10, y + 52, "refused")


# A host, and a configuration


def _host_rows(host: Host) -> Iterable[Sequence[object]]:
    for scheme in Scheme:
        widest = host.max_ipa_bits(scheme)
        if widest is None:
            [why, *_] = host.check(40, scheme=scheme)
            shape = why.summary
        else:
            shape = heading(host.stage2(widest, scheme=scheme))
        yield scheme.value, scheme.releases, widest, shape


def host_html(host: Host) -> str:
    """Return the widest IPA of a host under each scheme as an HTML table."""
    kconfig = "" if host.kconfig_legal else "; Kconfig never offered it"
    return table(
        f"{host.granule} host, {host.va_bits}-bit VA, {host.pa_bits}-bit PA: "
        f"{host.pgtable_levels} levels of its own{kconfig}",
        ("scheme", "releases", "widest IPA", "its shape"),
        _host_rows(host),
    )


def draw_host(host: Host) -> Drawing:
    """Draw the widths that a host supports under each scheme."""
    return draw_chart(_host_survey(host))


def _host_survey(host: Host) -> list[SurveyRow]:
    """Return what each scheme supports on a host."""
    return survey(
        granules=(host.granule,), va_bits=(host.va_bits,), pa_bits=(host.pa_bits,)
    )


def draw_config(config: "KernelConfig") -> Drawing:
    """Draw the widths that the kernel supports, below those of each scheme."""
    host, scheme = config.host, config.scheme
    if config.release is None or scheme is None:
        return draw_host(host)
    columns = AskedColumns(
        granule=str(host.granule),
        page_shift=host.page_shift,
        ipa_bits=0,
        va_bits=host.va_bits,
        pa_bits=host.pa_bits,
        cpu=NO_CPU,
    )
    kernel = ("", config.release)
    own = []
    for width in range(IPA_MINIMUM, IPA_MAXIMUM + 1):
        columns["ipa_bits"] = width
        answer = config.check(width) or config.stage2(width)
        own.append(survey_row(columns, kernel, answer, config.premises))
    marked = {config.release: ", this kernel", scheme.value: ", its era"}
    return draw_chart([*_host_survey(host), *own], marked)


def config_html(config: "KernelConfig") -> str:
    """Return what a configuration says, and what its host supports."""
    facts = table(
        f"Linux {config.release or 'of an unknown release'}: {config.host.granule} "
        f"pages, {config.host.va_bits}-bit VA, {config.host.pa_bits}-bit PA",
        ("fact", "value", "read from"),
        _config_rows(config),
    )
    return f"{facts}\n{host_html(config.host)}"


def _config_rows(config: "KernelConfig") -> Iterable[Sequence[object]]:
    for name, origin in config.origins.items():
        yield name, origin.value, origin.words
    scheme = config.scheme
    yield "scheme", None if scheme is None else scheme.value, "the release"
    try:
        sizes = config.ipa_sizes()
    except S2GeomError as unknown:
        yield "guest IPA bits", None, str(unknown)
    else:
        words = "the release's own limits, on the widest CPU"
        yield "guest IPA bits", ranges(sizes.widths), words
        for premise in sizes.premises:
            yield "premise", premise, "not in the file"
