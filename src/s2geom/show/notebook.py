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
from s2geom.core.geometry import Geometry, IpaIndex
from s2geom.core.units import size_text
from s2geom.core.wording import counted, ranges
from s2geom.kernel.choose import Host
from s2geom.kernel.scheme import Scheme
from s2geom.show.chart import survey_chart
from s2geom.show.facts import heading
from s2geom.show.html import table
from s2geom.show.register import register_word, word_title
from s2geom.show.ruler import bit_ruler, parts, value_of
from s2geom.show.svg import LARGE, MARGIN, Drawing
from s2geom.show.tree import table_tree

if TYPE_CHECKING:
    from s2geom.build.footprint import Footprint, TableCount
    from s2geom.compare.policies import PolicyChoice
    from s2geom.kconfig.config import KernelConfig


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
            (part.bits, part.name, value_of(part), part.says)
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
        word_title(word), ("bits", "field", "value", "meaning"), (*rows, *others)
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
