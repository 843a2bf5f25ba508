# SPDX-License-Identifier: MIT
"""`survey`: the same question over a grid, as rows for a data frame or a picture.

A row is a flat dict of plain values, and all rows have the same keys, so that
``pandas.DataFrame(rows)``, ``polars.DataFrame(rows)`` and ``json.dumps(rows)`` work as
they are; none of them is imported here. The columns are the table `COLUMNS`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TypeVar

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violation
from s2geom.core.geometry import Geometry
from s2geom.core.granule import Granule, granule_of
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.core.wording import counted, quoted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.choose import stage2
from s2geom.kernel.limits import IPA_MINIMUM, KCONFIG_VA_BITS
from s2geom.kernel.scheme import Scheme
from s2geom.svg import LARGE, MARGIN, SMALL, Drawing, shorten, width_of

Value = str | int | bool | None
Row = dict[str, Value]

ANY_CPU = "any"
"""The name of the CPU that can do anything."""


@frozen
class _Question:
    """A configuration: one cell of the grid."""

    granule: Granule
    va_bits: int
    pa_bits: int
    scheme: Scheme
    cpu: Cpu | None
    ipa_bits: int

    def answer(self) -> Geometry | tuple[Violation, ...]:
        """Return the shape that KVM uses, or every limit in its way."""
        try:
            return stage2(
                self.granule,
                self.ipa_bits,
                self.va_bits,
                pa_bits=self.pa_bits,
                scheme=self.scheme,
                cpu=self.cpu,
            )
        except UnsupportedCombination as refusal:
            return refusal.violations

    def under(self, scheme: Scheme) -> "_Question":
        """Return the same question to another kernel."""
        return _Question(
            self.granule, self.va_bits, self.pa_bits, scheme, self.cpu, self.ipa_bits
        )

    @property
    def asked(self) -> Row:
        """The columns that say what was asked, the scheme left out."""
        return {
            "granule": str(self.granule),
            "page_shift": int(self.granule),
            "ipa_bits": self.ipa_bits,
            "va_bits": self.va_bits,
            "pa_bits": self.pa_bits,
            "cpu": _cpu_name(self.cpu),
        }


SHAPE = (
    "levels",
    "start_level",
    "concatenation",
    "pgd_entries",
    "pgd_size",
    "pgd_alignment",
    "pgd_pages",
    "min_cache_pages",
    "t0sz",
    "lpa2",
)
"""The columns of a shape, by the names that `Geometry` has for them."""


def _cpu_name(cpu: Cpu | None) -> str:
    """Return a CPU in a few words, differently for every two that differ."""
    if cpu is None:
        return ANY_CPU
    said = [f"PA {cpu.pa_bits}"]
    if cpu.granules != frozenset(Granule):
        said.append(f"stage 2 has {_names(cpu.granules)}")
    if cpu.lpa and cpu.pa_bits <= 48:
        said.append("LPA")
    if cpu.lpa2:
        said.append(f"LPA2 for {_names(cpu.lpa2)}")
    said += ["TTST"] * cpu.ttst + ["AArch32 at EL1"] * cpu.aarch32_el1
    return ", ".join(said)


def _names(granules: Iterable[Granule]) -> str:
    return " and ".join(map(str, sorted(granules))) or "none"


Item = TypeVar("Item")


def _several(name: str, values: Iterable[Item]) -> tuple[Item, ...]:
    """Return the values of an argument, each once, in their order."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be an iterable of values, got {quoted(values)}")
    return tuple(dict.fromkeys(values))


def _questions(
    granules: Iterable[int] | None,
    ipa_bits: Iterable[int] | None,
    va_bits: Iterable[int] | None,
    pa_bits: Iterable[int],
    schemes: Iterable[Scheme],
    cpus: Iterable[Cpu | None],
) -> Iterator[_Question]:
    """Lay out the grid; the IPA is its innermost axis."""
    sizes = [
        granule_of(value)
        for value in (
            _several("granules", granules) if granules is not None else Granule
        )
    ]
    ipas = (
        range(IPA_MINIMUM, IPA_MAXIMUM + 1)
        if ipa_bits is None
        else _several("ipa_bits", ipa_bits)
    )
    vas = None if va_bits is None else _several("va_bits", va_bits)
    axes = (
        _several("pa_bits", pa_bits),
        _several("schemes", schemes),
        _several("cpus", cpus),
        ipas,
    )
    for granule in sizes:
        offered = [va for size, va in KCONFIG_VA_BITS if size is granule]
        for va, (pa, scheme, cpu, ipa) in product(
            offered if vas is None else vas, product(*axes)
        ):
            yield _Question(granule, va, pa, scheme, cpu, ipa)


@public
def survey(
    *,
    granules: Iterable[int] | None = None,
    ipa_bits: Iterable[int] | None = None,
    va_bits: Iterable[int] | None = None,
    pa_bits: Iterable[int] = (48,),
    schemes: Iterable[Scheme] = tuple(Scheme),
    cpus: Iterable[Cpu | None] = (None,),
) -> list[dict[str, str | int | bool | None]]:
    """Return what KVM makes of every combination of some values, one row each.

    Args:
        granules: Page sizes, or page shifts; None for all three.
        ipa_bits: Widths of the guest's addresses in bits; None for 32..52.
        va_bits: Widths of the host's virtual addresses in bits, 25..52; None for those
            that Kconfig has offered with the page size.
        pa_bits: CONFIG_ARM64_PA_BITS: 48, 52 or both.
        schemes: How the kernels choose.
        cpus: What bounds the answers; None among them asks for the kernel's own rules.

    Returns:
        Flat dicts that all have the same keys: what was asked, whether it is
        ``supported``, the numbers of the shape (None where it is refused), and for a
        refusal the id of the first ``rule``, who it is ``limited_by`` and the whole
        ``reason`` (empty where it is supported). Supported rows come first, and
        otherwise rows are in the order of the grid: a data frame takes a column's
        type from its first values.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    >>> rows = survey(granules=[14], va_bits=[36], schemes=[Scheme.STATIC])
    >>> max(row["ipa_bits"] for row in rows if row["supported"])
    40
    >>> rows[-1]["rule"]
    'levels-exceed-host'
    """
    rows = [
        _row(question)
        for question in _questions(granules, ipa_bits, va_bits, pa_bits, schemes, cpus)
    ]
    return sorted(rows, key=lambda row: not row["supported"])


def _row(question: _Question) -> Row:
    answer = question.answer()
    refused = isinstance(answer, tuple)
    return {
        **question.asked,
        "scheme": question.scheme.value,
        "supported": not refused,
        **{name: None if refused else getattr(answer, name) for name in SHAPE},
        # Never None: a column of text that begins with gaps has no type.
        "rule": answer[0].rule if isinstance(answer, tuple) else "",
        "limited_by": answer[0].limited_by if isinstance(answer, tuple) else "",
        "reason": _reason(answer) if isinstance(answer, tuple) else "",
    }


def _reason(violations: Sequence[Violation]) -> str:
    return "; also: ".join(violation.message for violation in violations)


# From one kernel to another


@public
def diff(
    before: Scheme,
    after: Scheme,
    *,
    granules: Iterable[int] | None = None,
    ipa_bits: Iterable[int] | None = None,
    va_bits: Iterable[int] | None = None,
    pa_bits: Iterable[int] = (48,),
    cpus: Iterable[Cpu | None] = (None,),
) -> list[dict[str, str | int | bool | None]]:
    """Return what changes from one kernel to another, one row a configuration.

    Args:
        before: How the old kernel chooses.
        after: How the new kernel does.
        granules: Page sizes, or page shifts; None for all three.
        ipa_bits: Widths of the guest's addresses in bits; None for 32..52.
        va_bits: Widths of the host's virtual addresses in bits, 25..52; None for those
            that Kconfig has offered with the page size.
        pa_bits: CONFIG_ARM64_PA_BITS: 48, 52 or both.
        cpus: What bounds the answers; None among them asks for the kernel's own rules.

    Returns:
        Flat dicts for the configurations whose answer is another one: what was asked,
        the two schemes, the ``change`` (``"now supported"``, ``"now refused"``,
        ``"another shape"`` or ``"another reason"``), and what was said ``before`` and
        ``after``. What stays as it was has no row.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    >>> [row] = diff(Scheme.STATIC, Scheme.LPA2, granules=[14], ipa_bits=[41],
    ...              va_bits=[36])
    >>> row["change"], row["after"]
    ('now supported', '3 levels from level 1, 1 table, 256 B, LPA2')
    """
    rows = []
    for question in _questions(granules, ipa_bits, va_bits, pa_bits, (before,), cpus):
        old, new = question.answer(), question.under(after).answer()
        change = _change(old, new)
        if change:
            rows.append(
                {
                    **question.asked,
                    "scheme_before": before.value,
                    "scheme_after": after.value,
                    "change": change,
                    "before": _said(old),
                    "after": _said(new),
                }
            )
    return rows


Answer = Geometry | tuple[Violation, ...]


def _change(old: Answer, new: Answer) -> str:
    """Return what kind of change there is, or nothing."""
    if isinstance(old, tuple) and isinstance(new, tuple):
        rules = ([each.rule for each in answer] for answer in (old, new))
        return "" if next(rules) == next(rules) else "another reason"
    if isinstance(old, tuple):
        return "now supported"
    if isinstance(new, tuple):
        return "now refused"
    return "" if old == new else "another shape"


def _said(answer: Answer) -> str:
    if isinstance(answer, tuple):
        return _reason(answer)
    return _shape_text({name: getattr(answer, name) for name in SHAPE})


def _shape_text(row: Mapping[str, object]) -> str:
    """Return the shape of a supported row in a few words."""
    levels, tables, size = (
        _whole(row, name) for name in ("levels", "concatenation", "pgd_size")
    )
    return (
        f"{counted(levels, 'level')} from level {4 - levels}, "
        f"{counted(tables, 'table')}, {size_text(size)}"
        + (", LPA2" if row.get("lpa2") else "")
    )


def _whole(row: Mapping[str, object], name: str) -> int:
    """Return a number of a row; a data frame with gaps has made it a float."""
    value = row.get(name)
    try:
        number = int(value)  # type: ignore[call-overload]
        if number == value and number >= 0:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidArgument(f"a row's {name} must be a whole number, got {quoted(value)}")


# The picture


CELL = 24
MOST_LABEL = 380

LINE = ("granule", "va_bits", "pa_bits", "scheme", "cpu")
"""The columns that make a line of the chart; the IPA is the axis."""

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
    cells = _cells(rows)
    lines = _in_order(dict.fromkeys(line for line, _ in cells))
    widths = sorted({ipa_bits for _, ipa_bits in cells})
    labels = {line: _label(line, lines) for line in lines}
    left = MARGIN + min(
        MOST_LABEL, max(90.0, *(width_of(label) for label in labels.values())) + 12
    )
    title = "What KVM supports: " + _counted(cells)
    pen = Drawing()
    pen.words(MARGIN, 30, title, size=LARGE, bold=True)
    y = 76.0
    pen.words(MARGIN, y - 8, "IPA bits", size=SMALL, ink="muted")
    for at, ipa_bits in enumerate(widths):
        x = left + at * CELL + CELL / 2
        pen.words(x, y - 8, str(ipa_bits), size=SMALL, anchor="middle", ink="muted")
    said, page = [], None
    for line in lines:
        if line[0] != page:
            page = line[0]
            y += 24
            pen.words(MARGIN, y - 7, f"{page} pages", bold=True)
        pen.words(MARGIN + 8, y + 16, shorten(labels[line], left - MARGIN - 12))
        fits = []
        for at, ipa_bits in enumerate(widths):
            row = cells.get((line, ipa_bits))
            if row is not None:
                _draw(pen, left + at * CELL, y, row)
                fits += [ipa_bits] * bool(row["supported"])
        said.append(f"{page} pages, {labels[line]}: {ranges(fits)}.")
        y += CELL
    _legend(pen, y + 20)
    return pen.finish(title, "Supported IPA widths. " + " ".join(said))


Line = tuple[str, ...]


def _cells(
    rows: Iterable[Mapping[str, object]],
) -> dict[tuple[Line, int], Mapping[str, object]]:
    """Sort rows into the cells of the chart."""
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise TypeError(f"rows must be an iterable of mappings, got {quoted(rows)}")
    cells = {}
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"a row must be a mapping, got {quoted(row)}")
        missing = {*LINE, "ipa_bits", "supported"} - row.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise InvalidArgument(
                f"a row of a survey also has {names}, got {quoted(row)}"
            )
        line = tuple(str(row[name]) for name in LINE)
        cells[line, _whole(row, "ipa_bits")] = row
    if not cells:
        raise InvalidArgument("rows must have at least one row")
    return cells


def _in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Put lines that share a page size side by side, and under it a host's."""
    lines = tuple(lines)
    # Schemes in the order of history; a name that is none, as it first appears.
    known = {scheme.value: at for at, scheme in enumerate(Scheme)}
    for line in lines:
        for name in line:
            known.setdefault(name, len(known))

    def rank(line: Line) -> list[int]:
        granule, va_bits, pa_bits, scheme, cpu = line
        numbers = [
            int(bits) if bits.isdecimal() and len(bits) < 5 else known[bits]
            for bits in (va_bits, pa_bits)
        ]
        return [known[granule], *numbers, known[scheme], known[cpu]]

    return tuple(sorted(lines, key=rank))


def _label(line: Line, lines: Sequence[Line]) -> str:
    """Return a line's name: what always matters, and what differs between lines."""
    _, va_bits, pa_bits, scheme, cpu = line
    label = f"VA {va_bits} {scheme}"
    if len({other[2] for other in lines}) > 1:
        label += f", kernel PA {pa_bits}"
    if {other[4] for other in lines} != {ANY_CPU}:
        label += f", CPU {cpu}"
    return label


def _counted(cells: Mapping[tuple[Line, int], Mapping[str, object]]) -> str:
    supported = sum(bool(row["supported"]) for row in cells.values())
    return f"{supported} of {len(cells)} combinations"


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers in words: ``"32 to 40, 48"``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return (
        ", ".join(
            f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs
        )
        or "none"
    )


def _draw(pen: Drawing, x: float, y: float, row: Mapping[str, object]) -> None:
    where = f"{row['ipa_bits']}-bit IPA"
    if row["supported"]:
        with pen.tip(f"{where}: {_shape_text(row)}"):
            _supported(pen, x, y, _whole(row, "levels"), _whole(row, "pgd_size"))
    else:
        with pen.tip(f"{where}: {row.get('reason') or 'refused'}"):
            _refused(pen, x, y)


def _supported(pen: Drawing, x: float, y: float, levels: int, pgd_size: int) -> None:
    filled = min(1.0, pgd_size.bit_length() / (FULL_SHIFT + 1)) * (CELL - 4)
    pen.box(x, y, CELL, CELL, "yes")
    pen.box(x + 3, y + CELL - 2 - filled, 5, filled, "bar", stroke=None)
    pen.words(x + CELL / 2 + 4, y + 17, str(levels), anchor="middle", bold=True)


def _refused(pen: Drawing, x: float, y: float) -> None:
    pen.box(x, y, CELL, CELL, "no")
    pen.words(x + CELL / 2, y + 17, "\u00d7", anchor="middle", ink="muted")


def _legend(pen: Drawing, y: float) -> None:
    _supported(pen, MARGIN, y, 3, 1 << 12)
    pen.words(MARGIN + CELL + 10, y + 10, "supported, with so many levels; the bar")
    pen.words(MARGIN + CELL + 10, y + 25, "is the PGD's size (log2, full is 1 MiB)")
    _refused(pen, MARGIN, y + 36)
    pen.words(MARGIN + CELL + 10, y + 52, "refused; the reason is the cell's tip")
