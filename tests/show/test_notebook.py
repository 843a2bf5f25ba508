# SPDX-License-Identifier: MIT
"""What a notebook shows: readable, self-contained, and true to the value.

Every picture is parsed and measured: nothing overlaps, nothing leaves the frame,
nothing is small, faint or said by colour alone. A few are kept as snapshots in
``tests/snapshots``; ``S2GEOM_SNAPSHOTS=write`` writes them anew, and the difference is
for a person to look at.
"""

import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keeping import kept

import s2geom as s2
from s2geom import (
    STE,
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Geometry,
    Host,
    KernelConfig,
    bit_ruler,
    footprint,
    register_word,
    survey,
    survey_chart,
    table_tree,
)
from s2geom import strategies as s2st
from s2geom.show.notebook import VIEWS
from s2geom.show.svg import Drawing, first_fit, safe, shorten

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
SVG = "{http://www.w3.org/2000/svg}"

LETTER = 0.6
"""Width of a letter of a usual fixed-width font, in parts of its size."""

SMALLEST = 11
"""No letters are smaller than this, in pixels."""

LARGEST_TABLES = 16
BIT = 17  # pixels of one bit on the ruler
REGISTER_BIT = 23  # and in a register

THE_PATCH = Geometry(14, 40, 2)
WIDE = Geometry(12, 52, -1, lpa2=True)
NO_BIT_LEFT = Geometry(12, 30, 0)
TOO_MANY_TABLES = Geometry(12, 50, 3)
NARROWER_THAN_A_PAGE = Geometry(16, 9, 1)

CONFIG = """\
# Linux/arm64 6.1.0-18-arm64 Kernel Configuration
CONFIG_ARM64_16K_PAGES=y
CONFIG_ARM64_VA_BITS=36
CONFIG_KVM=y
"""


def footprint_of_a_guest() -> Any:
    """Return the weight of a guest's tables."""
    return footprint(Geometry(12, 40, 1), [(1 << 30, 64 << 30)], leaf=2 << 20)


def some_tables() -> s2.TableBuilder:
    """Return tables of memory, a device and a page at the top of the IPA space."""
    builder = s2.TableBuilder(Geometry(12, 40, 1), 0x10000)
    builder.map(0x4000_0000, 0x8000_0000, 64 << 20)
    builder.map(0x900_0000, 0x900_0000, 0x1000)
    builder.map(0xFF_FFFF_F000, 0x9000_0000, 0x1000)
    return builder


def columns_of(builder: s2.TableBuilder) -> s2.Columns:
    """Return what a scan of some tables finds."""
    read = s2.Memory(builder.images()).read
    return s2.scan_columns(builder.geometry, builder.root, read)


def trace_of(ipa: int) -> s2.Trace:
    """Return the way of an address through some tables."""
    builder = some_tables()
    read = s2.Memory(builder.images()).read
    return s2.trace(builder.geometry, builder.root, ipa, read)


def unreadable(address: int, size: int) -> bytes:
    """Read nothing."""
    raise s2.MemoryReadError(f"no memory at {address:#x}, {size} bytes")


BROKEN: dict[str, Callable[[], Any]] = {
    "a-number-too-large": lambda: s2.check(14, 41, 36, scheme=s2.Scheme.STATIC),
    "a-number-too-small": lambda: s2.check(12, 31),
    "three-limits": lambda: Cpu(40).check(Geometry(12, 50, 0)),
    "words": lambda: VTCR_EL2.from_int(0xC000).lint(),
}

PICTURES: dict[str, Callable[[], str]] = {
    "refusal-too-large": lambda: picture(BROKEN["a-number-too-large"]()),
    "refusal-too-small": lambda: picture(BROKEN["a-number-too-small"]()),
    "refusal-three-limits": lambda: picture(BROKEN["three-limits"]()),
    "refusal-words": lambda: picture(BROKEN["words"]()),
    "choices": lambda: picture(Cpu(52, lpa2=True).choices(12, 52)),
    "trace": lambda: picture(trace_of(0xFF_FFFF_F123)),
    "trace-of-a-hole": lambda: picture(trace_of(0x900_1000)),
    "translation": lambda: picture(trace_of(0x4000_0000).result),
    "space": lambda: picture(some_tables()),
    "ruler": lambda: bit_ruler(THE_PATCH),
    "ruler-of-an-ipa": lambda: bit_ruler(THE_PATCH, 0xFF_FFFF_F123),
    "ruler-lpa2": lambda: bit_ruler(WIDE, 0x8_1234_5678_9ABC),
    "ruler-one-bit-table": lambda: bit_ruler(Geometry(12, 40, 1), 1 << 39),
    "ruler-no-bit-left": lambda: bit_ruler(NO_BIT_LEFT),
    "ruler-narrower-than-a-page": lambda: bit_ruler(NARROWER_THAN_A_PAGE, 5),
    "tree": lambda: table_tree(THE_PATCH),
    "tree-lpa2": lambda: table_tree(WIDE),
    "tree-no-bit-left": lambda: table_tree(NO_BIT_LEFT),
    "tree-too-many-tables": lambda: table_tree(TOO_MANY_TABLES),
    "tree-narrower-than-a-page": lambda: table_tree(NARROWER_THAN_A_PAGE),
    "vtcr": lambda: register_word(VTCR_EL2.from_int(0x80023558)),
    "vtcr-all-ones": lambda: register_word(VTCR_EL2.from_int((1 << 64) - 1)),
    "vttbr": lambda: register_word(
        VTTBR_EL2.for_geometry(THE_PATCH, 0x4004_0000, vmid=7)
    ),
    "ste": lambda: register_word(STE.for_geometry(THE_PATCH, 0x4004_0000, vmid=7)),
    "chart": lambda: picture(Host(14, 36)),
    "chart-cpus": lambda: survey_chart(
        survey(
            granules=[12],
            va_bits=[48],
            schemes=[s2.Scheme.LPA2],
            cpus=[None, Cpu(40), Cpu(52, lpa2=True, ttst=True, aarch32_el1=True)],
        )
    ),
    "footprint": lambda: picture(footprint_of_a_guest()),
}


def bundle(value: Any, *args: Any) -> dict[str, str]:
    """Return what a notebook is given."""
    forms: dict[str, str] = value._repr_mimebundle_(*args)
    return forms


def picture(value: Any) -> str:
    """Return the picture of a value, which is made for who asks for SVG."""
    return bundle(value, {"image/svg+xml"})["image/svg+xml"]


def images(html: str) -> list[str]:
    """Return the pictures in a page, as SVG."""
    found = []
    for image in parsed(html).iter("img"):
        kind, _, data = image.get("src", "").partition(",")

        assert "data:image/svg+xml;base64" == kind
        found.append(b64decode(data).decode())
    return found


def parsed(markup: str) -> ET.Element:
    """Return a picture or a table as a tree."""
    return ET.fromstring(markup)  # noqa: S314 - our own


def number(element: ET.Element, name: str) -> float:
    """Return an attribute as a number."""
    return float(element.get(name, "0"))


def is_upright(text: ET.Element) -> bool:
    """Return whether a text is turned."""
    return "rotate(-90" in text.get("transform", "")


def extent(text: ET.Element) -> tuple[float, float, float, float]:
    """Return the left, right, upper and lower edge of a text."""
    size = float(text.get("font-size", "12"))
    long = len("".join(text.itertext())) * size * LETTER
    x, y = number(text, "x"), number(text, "y")
    if is_upright(text):
        return x - size, x, y - long, y
    start = (
        x
        - {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "start")] * long
    )
    return start, start + long, y - size, y


def texts(svg: str) -> list[str]:
    """Return every text of a picture."""
    return ["".join(text.itertext()) for text in parsed(svg).iter(f"{SVG}text")]


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.1)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.1)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


# Every picture


@pytest.fixture(params=PICTURES, scope="module")
def svg(request: pytest.FixtureRequest) -> str:
    """Return each picture in turn."""
    return PICTURES[request.param]()


def test_each_picture_has_a_title_and_a_description(svg: str) -> None:
    """Screen readers get a title and sentences."""
    root = parsed(svg)
    title, said = root.find(f"{SVG}title"), root.find(f"{SVG}desc")

    assert title is not None
    assert said is not None
    assert "img" == root.get("role")
    assert f"{title.get('id')} {said.get('id')}" == root.get("aria-labelledby")
    assert len(title.text or "") > 10
    assert len(said.text or "") > 20


def test_every_label_is_in_the_frame(svg: str) -> None:
    """No text of a picture is cut off at the edge."""
    root = parsed(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    for text in root.iter(f"{SVG}text"):
        left, right, top, bottom = extent(text)

        assert left >= 0
        assert right <= width
        assert top >= 0
        assert bottom <= height


def test_every_shape_is_in_the_frame(svg: str) -> None:
    """No box of a picture is cut off at the edge."""
    root = parsed(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    for box in root.iter(f"{SVG}rect"):
        assert 0 <= number(box, "x") <= number(box, "x") + number(box, "width") <= width
        assert (
            0 <= number(box, "y") <= number(box, "y") + number(box, "height") <= height
        )


def test_no_two_labels_overlap(svg: str) -> None:
    """Texts on one line stand side by side."""
    lines: dict[float, list[tuple[float, float]]] = {}
    for text in parsed(svg).iter(f"{SVG}text"):
        if not is_upright(text):
            left, right, _, bottom = extent(text)
            lines.setdefault(bottom, []).append((left, right))
    for line in lines.values():
        for (_, right), (left, _) in pairwise(sorted(line)):
            assert right <= left + 0.5


def test_letters_have_at_least_11_pixels(svg: str) -> None:
    """No text of a picture is smaller."""
    sizes = [float(size) for size in re.findall(r'font-size="([^"]*)"', svg)]

    assert min(sizes) >= SMALLEST


def test_pictures_need_no_other_file(svg: str) -> None:
    """There is no link, script, font, image or style sheet."""
    inner = svg.replace("http://www.w3.org/2000/svg", "", 1)

    assert not re.search(r"https?:|//|<script|href|@import|@font-face|url\(", inner)


GROUNDS = ("#ffffff", "#111111")
"""Pages that a picture may stand on: JupyterLab's are these."""


def boxes_below(shapes: list[ET.Element], at: int, x: float, y: float) -> list[str]:
    """Return the fills of the boxes that lie under a point, the upper one first."""
    return [
        shape.get("fill", "")
        for shape in reversed(shapes[:at])
        if shape.tag == f"{SVG}rect"
        and -0.2 <= x - number(shape, "x") <= number(shape, "width") + 0.2
        and -0.2 <= y - number(shape, "y") <= number(shape, "height") + 0.2
    ]


def in_order(svg: str) -> list[ET.Element]:
    """Return what is drawn in the order of drawing."""
    kinds = {f"{SVG}{kind}" for kind in ("rect", "path", "text")}
    return [shape for shape in parsed(svg).iter() if shape.tag in kinds]


def stands_out(colours: set[str], ground: str) -> bool:
    """Return whether one of a shape's colours has a contrast of 4.5 with a ground."""
    return any(contrast(colour, ground) >= 4.5 for colour in colours)


def test_text_is_readable_on_light_and_dark_pages(svg: str) -> None:
    """All words stand on a box or plate, with a contrast of 4.5 at both their ends."""
    ink = re.search(r'<g font-size="12" fill="(#\w+)">', svg)
    shapes = in_order(svg)
    assert ink
    for at, text in enumerate(shapes):
        if text.tag == f"{SVG}text":
            left, right, top, bottom = extent(text)
            for x in (left + 1, right - 1):
                [box, *_] = boxes_below(shapes, at, x, (top + bottom) / 2)

                assert contrast(text.get("fill", ink[1]), box) >= 4.5
                assert all(stands_out({box, ink[1]}, page) for page in GROUNDS)


def test_lines_and_boxes_stand_out_on_light_and_dark_pages(svg: str) -> None:
    """A line has a light edge below it or is on a box; a box has fill and border."""
    edges: set[str | None] = set()
    shapes = in_order(svg)
    for at, shape in enumerate(shapes):
        fill, stroke = shape.get("fill", "none"), shape.get("stroke", "")
        if shape.tag == f"{SVG}rect":
            assert "none" != fill
            if stroke:
                assert contrast(fill, stroke) >= 4.5
                assert all(stands_out({fill, stroke}, page) for page in GROUNDS)
        elif shape.tag == f"{SVG}path":
            steps = shape.get("d", "")
            if shape.get("stroke-width") == "4":
                edges.add(steps)
                assert contrast(stroke, "#111111") >= 4.5
            else:
                assert contrast(stroke, "#ffffff") >= 4.5
                for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", steps):
                    under = boxes_below(shapes, at, float(x), float(y))

                    assert steps in edges or contrast(stroke, under[0]) >= 4.5


def test_pictures_are_transparent(svg: str) -> None:
    """No box fills the frame, so the page shows through."""
    root = parsed(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())

    assert not any(
        number(box, "width") > width - 8 and number(box, "height") > height / 2
        for box in root.iter(f"{SVG}rect")
    )
    assert "<style" not in svg


def test_two_pictures_have_different_ids() -> None:
    """Different pictures may stand on one page; equal ones have equal ids."""
    made = [make() for make in PICTURES.values()]
    names = [re.findall(r'id="([^"]*)"', svg) for svg in made]

    assert 2 * len(made) == len({name for pair in names for name in pair})
    assert made == [make() for make in PICTURES.values()]


@pytest.mark.parametrize("name", ["geometry", "ipa", "vtcr", "host", "footprint"])
def test_a_heading_stands_once_on_a_page(name: str) -> None:
    """The heading is above the pictures, and in no caption or picture again."""
    html = bundle(VALUES[name]())["text/html"]
    heading = parsed(html).findtext("p/strong")
    svg = images(html)[0]

    assert heading
    assert 1 == html.count(safe(heading))
    assert heading == parsed(svg).findtext(f"{SVG}title")
    assert heading not in texts(svg)


# The bit ruler


def shapes() -> Iterator[Geometry]:
    """Yield every shape that some CPU takes, and some that none does."""
    cpu = Cpu(56, lpa2=True, ttst=True, aarch32_el1=True)
    for page_shift in (12, 14, 16):
        for ipa_bits in range(16, 53):
            for lpa2 in (False, True):
                yield from cpu.choices(page_shift, ipa_bits, lpa2=lpa2)
    yield from (NO_BIT_LEFT, TOO_MANY_TABLES, NARROWER_THAN_A_PAGE)
    yield from (Geometry(12, 64, 3), Geometry(16, 64, -1), Geometry(14, 1, 0))


def fields(svg: str) -> list[tuple[str, float, float]]:
    """Return role, left edge and width of each field of a ruler."""
    found = []
    for box in parsed(svg).iter(f"{SVG}rect"):
        role = re.search(r"(table|offset|level-?\d)", box.get("class", ""))
        # The legend's samples and a label's clear ground are not as high.
        if role and number(box, "height") == 34:
            found.append((role[1], number(box, "x"), number(box, "width")))
    return found


def test_the_parts_of_a_ruler_are_the_whole_ipa() -> None:
    """Parts touch from the highest bit to bit 0, and are as wide as they have bits."""
    for shape in shapes():
        found = fields(bit_ruler(shape))
        edges = [left for _, left, _ in found] + [found[-1][1] + found[-1][2]]

        assert shape.ipa_bits * BIT == sum(width for *_, width in found)
        assert edges == sorted(edges)
        assert all(
            left + width == right
            for (_, left, width), right in zip(found, edges[1:], strict=True)
        )


def test_the_bits_of_concatenation_are_a_part_of_their_own() -> None:
    """16 tables take four bits; a single table takes none."""
    four = [width for role, _, width in fields(bit_ruler(THE_PATCH)) if role == "table"]

    assert [4 * BIT] == four
    assert "table" not in {role for role, *_ in fields(bit_ruler(WIDE))}


def test_widths_in_bits_are_the_paging_form() -> None:
    """The parts of a legal shape are its paging form, with the root's tables apart."""
    roles = {role: width / BIT for role, _, width in fields(bit_ruler(THE_PATCH))}

    assert {"table": 4, "level2": 11, "level3": 11, "offset": 14} == roles


def test_an_address_is_shown_bit_by_bit() -> None:
    """Its binary digits, its hexadecimal ones, and the value of each field."""
    ipa = 0xA5_1234_F123
    found = texts(bit_ruler(THE_PATCH, ipa))
    digits = [text for text in found if len(text) == 1]  # the number of bit 0 first

    assert [*f"{ipa:040b}"[::-1], *f"{ipa:010x}"[::-1]] == digits[1:51]
    index = THE_PATCH.split(ipa)
    assert f"{index.table}" in found
    assert all(f"{value}" in found for value in index.indices)
    assert f"{index.offset:#x}" in found


def test_a_level_without_bits_is_mentioned() -> None:
    """Shapes that no CPU accepts are drawn too."""
    svg = bit_ruler(NO_BIT_LEFT)

    assert "no bit is left for level 0 and level 1: the only entry there is 0" in texts(
        svg
    )
    assert "no bit is left for level 0 and level 1" in svg.partition("</desc>")[0]


def test_a_narrow_field_has_a_narrow_name() -> None:
    """A part of one bit has a short name, and the legend has the long one."""
    found = texts(bit_ruler(Geometry(12, 49, -1, lpa2=True)))

    assert "-1" in found
    assert "level -1 index: one of 2 entries, each maps 256 TiB" in found


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ((1,), TypeError),
        ((THE_PATCH, 1.0), TypeError),
        ((THE_PATCH, True), TypeError),
        ((THE_PATCH, 1 << 40), s2.InvalidArgument),
        ((THE_PATCH, -1), s2.InvalidArgument),
    ],
)
def test_bit_ruler_checks_its_arguments(
    wrong: tuple[Any, ...], kind: type[Exception]
) -> None:
    """A wrong type is a TypeError, an address outside an InvalidArgument."""
    with pytest.raises(kind):
        bit_ruler(*wrong)


# The table tree


def test_the_root_has_its_tables_side_by_side() -> None:
    """As many boxes as tables, up to the 16 that there can be."""
    for shape in shapes():
        svg = table_tree(shape)
        root = f"level{shape.start_level}"
        tables = [
            box
            for box in parsed(svg).iter(f"{SVG}rect")
            if root == box.get("class", "") and number(box, "height") == 40
        ]

        assert min(shape.concatenation, LARGEST_TABLES) == len(tables)
        assert (shape.concatenation > LARGEST_TABLES) == ("\u2026" in texts(svg))


def test_what_an_entry_maps_is_to_scale() -> None:
    """Bars are as long as the binary logarithm of what an entry maps."""
    for shape in shapes():
        per_bit = 320 / shape.ipa_bits
        bars = [
            box
            for box in parsed(table_tree(shape)).iter(f"{SVG}rect")
            if number(box, "height") == 22
        ]
        spans = [number(box, "width") for box in bars if number(box, "x") == 440]
        groups = [number(box, "width") for box in bars if number(box, "x") != 440]

        assert spans == pytest.approx(
            [
                per_bit * min(level.shift, shape.ipa_bits)
                for level in shape.table_levels
            ],
            abs=0.1,
        )
        assert groups == pytest.approx(
            [
                per_bit * (level.contiguous.bit_length() - 1)
                for level in shape.table_levels
                if level.leaf and level.contiguous
            ],
            abs=0.1,
        )


def test_a_level_without_leaves_has_a_dashed_bar() -> None:
    """The label says that the level has tables alone."""
    svg = table_tree(Geometry(16, 48, 1))

    assert 1 == svg.count("stroke-dasharray")
    assert "table only: 4 TiB" in texts(svg)
    assert "block: 512 MiB" in texts(svg)
    assert "page: 64 KiB" in texts(svg)


def test_table_tree_needs_a_geometry() -> None:
    """Anything else is a TypeError."""
    wrong: Any = "16K"
    with pytest.raises(TypeError):
        table_tree(wrong)


# The register word


@pytest.mark.parametrize("register", [VTCR_EL2, VTTBR_EL2, STE])
@given(data=st.data())
def test_every_bit_of_a_word_is_in_its_place(
    register: type[Any], data: st.DataObject
) -> None:
    """Read from left to right, line by line, the digits are the word."""
    word = data.draw(s2st.register_words(register))
    boxes = parsed(register_word(word)).iter(f"{SVG}text")
    cells = [
        (number(text, "y"), number(text, "x"), "".join(text.itertext()))
        for text in boxes
        if text.text in {"0", "1"}
        and (number(text, "x") - 24 - REGISTER_BIT / 2) % REGISTER_BIT < 0.2
    ]
    lines: dict[float, list[tuple[float, str]]] = {}
    for y, x, digit in cells:
        lines.setdefault(y, []).append((x, digit))
    rows = ["".join(digit for _, digit in sorted(line)) for line in lines.values()]
    # A value below its field, and the number of bit 0 or 1, stand in shorter lines.
    digits = "".join(row for row in rows if len(row) == 32)

    assert int(word) == int(digits or "0", 2)


def test_every_field_is_named_in_its_bits() -> None:
    """Each field's name is there, and the bits without a field are hatched."""
    svg = register_word(VTCR_EL2.from_int(0))
    found = texts(svg)

    assert all(row.name in found for row in VTCR_EL2.fields())
    assert 5 == svg.count("<path")  # 63:46, 43:42, 39, 24:23 and 20


def test_an_empty_line_of_a_register_is_one_sentence() -> None:
    """Where no field is and no bit is set, no bits are drawn."""
    mmfr1, line = s2.ID_AA64MMFR1_EL1, "bits 63:32: no field, all 0"

    assert line in texts(register_word(mmfr1.from_int(1)))
    assert line not in texts(register_word(mmfr1.from_int(1 << 40)))


def test_a_value_is_under_its_field() -> None:
    """24 is drawn below T0SZ, for 40 bits of IPA."""
    found = texts(register_word(VTCR_EL2.from_int(0x80023558)))

    assert "24" in found
    assert "VTCR_EL2 = 0x80023558" in found


def test_a_stream_table_entry_counts_as_its_manual_does() -> None:
    """Words 2 and 3 begin at bit 128 of the entry."""
    entry = STE.from_int(0)
    found = texts(register_word(entry))

    assert {"255", "128", "165"} <= {*found}
    html = bundle(entry)["text/html"]
    assert ">165:160</th>" in html
    assert ">S2T0SZ</td>" in html


def test_register_word_needs_a_register() -> None:
    """A number is refused: it does not say which register it is of."""
    wrong: Any = 0x80023558
    with pytest.raises(TypeError):
        register_word(wrong)


# What a notebook gets


VALUES: dict[str, Callable[[], Any]] = {
    "violations": BROKEN["three-limits"],
    "violation": lambda: BROKEN["a-number-too-large"]()[0],
    "violations-none": lambda: s2.check(14, 40, 36),
    "choices": lambda: Cpu(48).choices(14, 40),
    "choices-none": lambda: Cpu(32).choices(14, 40),
    "trace": lambda: trace_of(0xFF_FFFF_F123),
    "trace-unreadable": lambda: s2.trace(THE_PATCH, 0, 0, unreadable),
    "trace-not-begun": lambda: s2.trace(THE_PATCH, 0, 1 << 40, unreadable),
    "translation": lambda: trace_of(0x4000_0000).result,
    "fault": lambda: trace_of(0x900_1000).result,
    "builder": some_tables,
    "columns": lambda: columns_of(some_tables()),
    "columns-empty": lambda: columns_of(s2.TableBuilder(THE_PATCH, 0x10_0000)),
    "builder-empty": lambda: s2.TableBuilder(THE_PATCH, 0x10_0000),
    "geometry": lambda: THE_PATCH,
    "ipa": lambda: THE_PATCH.split(0xFF_FFFF_F123),
    "host": lambda: Host(14, 36),
    "host-kconfig-never-had": lambda: Host(16, 25, 52),
    "vtcr": lambda: VTCR_EL2.from_int(0x80023558),
    "vtcr-reserved": lambda: VTCR_EL2.from_int(1 << 63),
    "vttbr": lambda: VTTBR_EL2.from_int(0x1_0000_4004_0000),
    "ste": lambda: STE.from_int(0),
    "mmfr0": lambda: s2.ID_AA64MMFR0_EL1.from_int(0x1124),
    "config": lambda: KernelConfig.from_text(CONFIG),
    "config-without-release": lambda: KernelConfig(Host(12, 48), None, kvm=False),
    "footprint": footprint_of_a_guest,
    "footprint-of-nothing": lambda: footprint(THE_PATCH, []),
    "choice": lambda: s2.POLICIES["kvm"].choose(Cpu(48), 14, 40),
    "choice-illegal": lambda: s2.POLICIES["m1n1"].choose(Cpu(40), 14, 40),
    "choice-none": lambda: s2.POLICIES["kvm"].choose(Cpu(40), 12, 48),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_shown_in_every_media_type(name: str) -> None:
    """Text is the repr, HTML has the tables, and the picture is in it."""
    value = VALUES[name]()
    forms = bundle(value)

    assert repr(value) == forms["text/plain"]
    html = parsed(forms["text/html"])
    assert html.find("table") is not None or html.find("p") is not None
    pictures = images(forms["text/html"])
    undrawn = {"choice", "violations-none", "choices-none"}
    assert bool(pictures) is (name not in undrawn)
    for svg, image in zip(pictures, html.iter("img"), strict=True):
        assert parsed(svg).findtext(f"{SVG}desc") == image.get("alt")


@pytest.mark.parametrize("name", VALUES)
def test_tables_have_captions_and_scopes(name: str) -> None:
    """Rows are as long as the header."""
    for table in parsed(bundle(VALUES[name]())["text/html"]).findall("table"):
        assert table.findtext("caption")
        assert {"col"} == {cell.get("scope") for cell in table.findall("thead/tr/th")}
        assert {"row"} == {cell.get("scope") for cell in table.findall("tbody/tr/th")}
        assert {len(table.findall("thead/tr/th"))} == {
            len(row) for row in table.findall("tbody/tr")
        }


def test_include_and_exclude_select_media_types() -> None:
    """``include`` and ``exclude`` are sets of media types."""
    every = {"text/plain", "text/html"}

    assert every == {*bundle(THE_PATCH)}
    assert {"image/svg+xml"} == {*bundle(THE_PATCH, {"image/svg+xml"})}
    assert {"text/html"} == {*bundle(THE_PATCH, {"text/html", "text/latex"})}
    assert {"text/plain"} == {*bundle(THE_PATCH, None, every - {"text/plain"})}
    assert set() == {*bundle(THE_PATCH, {"text/html"}, {"text/html"})}
    assert set() == {*bundle(THE_PATCH, set())}


def test_each_displayed_class_has_a_view() -> None:
    """A class that draws itself is in `VIEWS`, or inherits from one that is."""
    shown = [
        kind
        for kind in (getattr(s2, name) for name in s2.__all__)
        if isinstance(kind, type) and hasattr(kind, "_repr_mimebundle_")
    ]

    assert {"Geometry", "Host", "IpaIndex", "VTCR_EL2", "VTTBR_EL2", "STE"} <= {
        kind.__name__ for kind in shown
    }
    assert all({base.__name__ for base in kind.__mro__} & {*VIEWS} for kind in shown)


def test_violations_and_choices_show_a_table() -> None:
    """There is a row for each; an empty one has a sentence instead."""
    broken = bundle(s2.check(14, 41, 36))["text/html"]
    choices = bundle(s2.Cpu(44).choices(12, 40))["text/html"]

    assert "levels-exceed-host" in broken
    assert "No limit is broken" in bundle(s2.check(14, 40, 36))["text/html"]
    assert "Legal shapes" in choices
    assert "No shape is legal" in bundle(s2.Cpu(44).choices(12, 56))["text/html"]


def test_a_geometry_page_has_the_numbers() -> None:
    """The properties have the names that they have in Python."""
    html = parsed(bundle(THE_PATCH)["text/html"])
    rows = {
        row[0].text: row[1].text for row in html.findall("table")[1].findall("tbody/tr")
    }

    assert ("262144", "16", "(14, 11, 15)", "no") == (
        rows["pgd_size"],
        rows["concatenation"],
        rows["paging_form"],
        rows["lpa2"],
    )


def test_a_host_page_has_each_scheme() -> None:
    """The widest IPA of each kernel, or why there is none."""
    html = parsed(bundle(Host(14, 36))["text/html"])
    rows = [[cell.text for cell in row] for row in html.findall("table/tbody/tr")]

    assert [None, "40", "40", "48", "52"] == [
        None if widest == "-" else widest for _, _, widest, _ in rows
    ]
    assert "a 16K host has no KVM" in str(rows[0][3])
    assert "levels 2 to 3, root of 16 tables, 256 KiB" in str(rows[1][3])


def test_a_host_that_kconfig_never_had_says_so() -> None:
    """The caption says that Kconfig never offered the host."""
    assert "Kconfig never offered it" in bundle(Host(16, 25, 52))["text/html"]
    assert "Kconfig never offered it" not in bundle(Host(14, 36))["text/html"]


def test_a_configuration_page_says_where_a_fact_is_from() -> None:
    """Each fact has the option that it was read from, and the widths are there."""
    html = bundle(KernelConfig.from_text(CONFIG))["text/html"]
    unknown = bundle(KernelConfig(Host(12, 48), None, kvm=True))["text/html"]

    assert "read from CONFIG_ARM64_VA_BITS=36, line 3" in html
    assert "32 to 48" in html
    assert "the configuration has no header line with the release" in unknown


def test_a_configuration_marks_its_era_and_its_own_line() -> None:
    """Below the schemes is a line of the kernel itself, with its own limits."""
    found = texts(picture(KernelConfig.from_text(CONFIG)))
    old = texts(picture(KernelConfig(Host(12, 48), "4.19", kvm=True)))

    assert "VA 36 independent, its era" in found
    assert "VA 36 Linux 6.1.0-18-arm64, this kernel" in found
    assert "VA 48 static, its era" in old
    assert "What KVM supports: 90 of 126 combinations" == old[-1]


def test_a_footprint_page_counts_each_way_to_map() -> None:
    """Pages alone, KVM's leaves, the largest blocks, and an empty map."""
    html = bundle(footprint_of_a_guest())["text/html"]

    assert "pages alone: 32834 tables, 131336 KiB" in html
    assert "KVM&#x27;s leaves: 66 tables, 264 KiB" in html
    assert "largest blocks: 2 tables, 8 KiB" in html
    assert "KVM" not in bundle(footprint(THE_PATCH, []))["text/html"]


def test_a_policy_choice_shows_its_violations() -> None:
    """The page says whether the choice is legal, and lists every violation."""
    legal = bundle(s2.POLICIES["kvm"].choose(Cpu(48), 14, 40))["text/html"]
    illegal = bundle(s2.POLICIES["m1n1"].choose(Cpu(40), 14, 40))["text/html"]

    assert ">yes</td>" in legal
    assert "What is against it" not in legal
    assert ">no</td>" in illegal
    assert "start-level-needs-pa" in illegal


# What comes from outside


HOSTILE = "6.1</title></desc><script>alert('&\"')</script>\x00\ud800"


def test_text_from_outside_is_escaped() -> None:
    """A release is text that somebody else wrote."""
    config = KernelConfig(Host(12, 48), HOSTILE, kvm=True)
    forms = bundle(config)

    assert "<script" not in forms["text/html"] + picture(config)
    caption = parsed(forms["text/html"]).findtext("table/caption", "")
    assert "alert('&\"')</script>\ufffd\ufffd" in caption


@given(st.text())
def test_any_text_can_be_drawn(text: str) -> None:
    """Characters that XML does not allow are replaced, and all others come back."""
    pen = Drawing(text, text)
    pen.words(24, 24, text)
    with pen.tip(text):
        pen.box(0, 0, 9, 9)
    root = parsed(pen.svg(titled=False))
    kept = parsed(f"<t>{safe(text)}</t>").text or ""

    assert [kept] * bool(text) == [
        "".join(found.itertext()) for found in root.iter(f"{SVG}text")
    ]
    assert (
        kept
        == (root.findtext(f"{SVG}title") or "")
        == (root.findtext(f"{SVG}desc") or "")
    )
    plain = re.sub("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    if "\r" not in text:  # which every reader of XML makes a line feed
        assert plain == kept


def test_a_text_without_room_is_shortened() -> None:
    """`fit` takes the first text that has room, `shorten` the beginning of one."""
    assert "level 2" == first_fit(60, "level 2 index", "level 2", "2")
    assert "" == first_fit(3, "level 2 index", "level 2", "2")
    assert "level 2 index" == shorten("level 2 index", 120)
    assert "level\u2026" == shorten("level 2 index", 50)
    assert "\u2026" == shorten("level 2 index", 0)


# Snapshots


def page(make: Callable[[], Any]) -> Callable[[], str]:
    """Return what makes the HTML of a value, without the pictures in it."""
    return lambda: re.sub('src="[^"]*"', 'src=""', bundle(make())["text/html"])


KEPT = {
    **{f"{name}.svg": make for name, make in PICTURES.items()},
    **{f"{name}.html": page(make) for name, make in VALUES.items()},
}


@pytest.mark.parametrize("name", KEPT)
def test_pictures_are_those_of_the_snapshots(name: str) -> None:
    """A picture changes only when somebody has looked at the change."""
    path = SNAPSHOTS / name
    shown = KEPT[name]() + "\n"

    assert kept(path, shown) == shown


def test_no_snapshot_is_left_over() -> None:
    """Each kept snapshot is compared with something."""
    assert sorted(KEPT) == sorted(path.name for path in SNAPSHOTS.iterdir())


# When it is loaded


def test_pictures_are_loaded_when_a_notebook_asks() -> None:
    """Importing the package, or making a value, loads neither pictures nor HTML."""
    code = (
        "import sys, s2geom; g = s2geom.stage2(14, 40, 36); repr(g);"
        "print(sorted({'html', 's2geom.show.svg', 's2geom.show.notebook'}"
        " & {*sys.modules}));"
        "g._repr_mimebundle_();"
        "print(sorted({'html', 's2geom.show.svg', 's2geom.show.notebook',"
        " 's2geom.kconfig'}"
        " & {*sys.modules}))"
    )
    before, after = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.splitlines()

    assert "[]" == before
    assert "['html', 's2geom.show.notebook', 's2geom.show.svg']" == after
