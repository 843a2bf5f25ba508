# SPDX-License-Identifier: MIT
"""What the pictures of refusals, choices, walks and mappings say."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import s2geom as s2
from s2geom import Cpu, Geometry
from s2geom.core.errors import Violation
from s2geom.show.choices import draw_choices
from s2geom.show.lookups import draw_result, draw_trace
from s2geom.show.refusal import draw_violation, draw_violations
from s2geom.show.space import CELLS, draw_builder, draw_columns, draw_space
from s2geom.show.svg import Drawing

SVG = "{http://www.w3.org/2000/svg}"


def boxes(drawing: Drawing, kind: str) -> list[dict[str, float]]:
    """Return place and size of each box of a kind, in the order of drawing."""
    names = ("x", "y", "width", "height")
    return [
        {name: float(box.get(name, "0")) for name in names}
        for box in ET.fromstring(drawing.svg()).iter(f"{SVG}rect")  # noqa: S314 - ours
        if box.get("class") == kind
    ]


def texts(drawing: Drawing) -> list[str]:
    """Return every text of a picture."""
    root = ET.fromstring(drawing.svg())  # noqa: S314 - ours
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def drawn(drawing: Drawing | None) -> Drawing:
    """Return a picture that has to be there."""
    assert drawing is not None
    return drawing


# Pictures as they are returned


def test_a_picture_is_text_that_a_notebook_shows() -> None:
    """A picture is a `str` of SVG that a notebook draws as an image with its text."""
    picture = s2.table_tree(Geometry(14, 40, 2))
    forms = picture._repr_mimebundle_()  # type: ignore[attr-defined]

    assert isinstance(picture, str)
    assert picture.startswith("<svg")
    assert {"text/plain", "text/html"} == {*forms}
    assert forms["text/plain"].startswith("<SVG: 16K pages, 40-bit IPA: levels 2 to 3")
    assert 'alt="level 2: the root, 16 tables side by side' in forms["text/html"]


# Refusals


def limited(given: int | str, limit: int | str) -> Violation:
    """Return a violation with a number and a limit."""
    return Violation("some-rule", "a message", "cpu", given, limit, "use less", "here")


@given(st.integers(-1, 256), st.integers(-1, 256))
@example(-1, 2)
def test_a_scale_shows_how_far_over_a_number_is(given: int, limit: int) -> None:
    """The allowed part and the excess touch, and the excess is to scale."""
    if given == limit:
        return
    drawing = drawn(draw_violation(limited(given, limit)))
    [allowed], [excess] = boxes(drawing, "yes"), boxes(drawing, "table")
    [scale, *_] = boxes(drawing, "blank")
    low = min(given, limit) - 8
    low = max(low, 0) if min(given, limit) >= 0 else low
    step = scale["width"] / (max(given, limit) + 8 + 1 - low)

    assert abs(given - limit) * step == pytest.approx(excess["width"], abs=0.2)
    if given > limit:
        assert allowed["x"] + allowed["width"] == pytest.approx(excess["x"], abs=0.2)
    else:
        assert excess["x"] + excess["width"] == pytest.approx(allowed["x"], abs=0.2)
    assert {f"given {given}", f"limit {limit}"} <= {*texts(drawing)}


@pytest.mark.parametrize(
    ("given", "limit"), [("4K", "16K, 64K"), (3, "0, 1, 2"), (0x1234, 0x1000)]
)
def test_large_numbers_and_texts_are_drawn_as_words(
    given: int | str, limit: int | str
) -> None:
    """Page sizes and addresses stand in two boxes, given and limit."""
    found = texts(drawn(draw_violation(limited(given, limit))))

    assert f"given: {given}" in found
    assert f"limit: {limit}" in found


def test_a_refusal_names_owner_and_way_out() -> None:
    """Rule, owner and remedy of each limit are in the picture and its description."""
    violations = s2.check(14, 41, 36, scheme=s2.Scheme.STATIC)
    drawing = drawn(draw_violations(violations))

    assert "Refused: 1 limit is broken" == drawing.title
    assert "levels-exceed-host, a limit of the host kernel" in texts(drawing)
    assert any("an IPA of at most 40 bits" in text for text in texts(drawing))
    assert violations[0].fix in drawing.description
    assert "a limit of the CPU" in drawn(draw_violation(limited(1, 0))).description
    assert draw_violations(()) is None


# Choices


def test_each_choice_has_its_root_tables() -> None:
    """There is a line for each shape, with up to 16 root tables."""
    choices = Cpu(52, lpa2=True).choices(12, 52)
    drawing = drawn(draw_choices(choices))

    assert [(-1, 1), (0, 16)] == [(g.start_level, g.concatenation) for g in choices]
    assert 1 == len(boxes(drawing, "level-1"))
    assert 1 + 16 == len(boxes(drawing, "level0"))
    assert 2 == len(boxes(drawing, "level3"))
    assert "4K pages, 52-bit IPA: 2 legal shapes" == drawing.title
    assert draw_choices(()) is None


# Walks


def tables() -> s2.TableBuilder:
    """Return tables with a block and a page."""
    builder = s2.TableBuilder(Geometry(12, 40, 1), 0x10000)
    builder.map(0x4000_0000, 0x8000_0000, 2 << 20)
    builder.map(0xFF_FFFF_F000, 0x9000_0000, 0x1000)
    return builder


def test_a_trace_shows_every_lookup() -> None:
    """Table, index, descriptor and its address, level by level, and the result."""
    builder = tables()
    read = s2.Memory(builder.images()).read
    trace = s2.trace(builder.geometry, builder.root, 0xFF_FFFF_F123, read)
    drawing = draw_trace(trace)
    found = texts(drawing)

    assert [1, 2, 3] == [step.level for step in trace.steps]
    for step in trace.steps:
        assert step.descriptor is not None
        assert f"level {step.level}, table at {step.table:#x}" in found
        assert f"at {step.address:#x}" in found
        assert f"{step.descriptor.word:#018x}" in found
    assert 3 == found.count("index 511")
    assert "output address 0x90000123" in found
    assert "Output address 0x90000123: page of 4 KiB, level 3" == drawing.title


def test_a_fault_is_drawn_with_its_descriptor() -> None:
    """Kind, level and address are drawn, and the descriptor if one was read."""
    builder = tables()
    read = s2.Memory(builder.images()).read
    hole = s2.walk(builder.geometry, builder.root, 0xFF_FFFF_E000, read)
    outside = s2.Fault("translation", 0, 1 << 40)

    assert "IPA 0xffffffe000: translation fault, level 3" == draw_result(hole).title
    assert "0x0000000000000000" in texts(draw_result(hole))
    assert ["translation fault, level 0"] == [
        text for text in texts(draw_result(outside)) if "IPA" not in text
    ]


# Mappings


def shares(drawing: Drawing) -> list[int]:
    """Return 2 for a full cell of the map, 1 for a partial and 0 for a blank one."""
    root = ET.fromstring(drawing.svg())  # noqa: S314 - ours
    cells = []
    for box in root.iter(f"{SVG}rect"):
        kind, high = box.get("class"), box.get("height")
        if high == "18" and box.get("width") == "9":
            cells.append(1 if kind == "table" else 0)
        elif kind == "bar" and high == "16":
            cells[-1] = 2
    return cells


pages = st.lists(st.integers(0, 5000), unique=True, min_size=1, max_size=60).map(sorted)


@given(pages, st.sampled_from([0, 1 << 20, 1 << 35]))
def test_a_map_shows_what_is_mapped(numbers: list[int], base: int) -> None:
    """Each cell is full, partial or blank as its pages are, in at most 16 lines."""
    mapped = {base + number for number in numbers}
    drawing = draw_space((number << 12, 0x1000) for number in sorted(mapped))
    labels = [text for text in texts(drawing) if re.fullmatch("0x[0-9a-f]+", text)]
    cells = shares(drawing)
    [cell_text] = [text for text in texts(drawing) if text.endswith("of a cell")]
    size, unit = cell_text.split()[3:5]
    per_cell = (int(size) << {"KiB": 10, "MiB": 20, "GiB": 30}[unit]) >> 12

    assert len(cells) == CELLS * len(labels) <= CELLS * 16
    counted = 0
    for at, share in enumerate(cells):
        line, column = divmod(at, CELLS)
        first = (int(labels[line], 16) >> 12) + column * per_cell
        here = sum(first <= number < first + per_cell for number in mapped)
        counted += here

        assert share == (2 if here == per_cell else 1 if here else 0)
    assert len(mapped) == counted


def test_a_map_joins_touching_ranges_and_names_twenty() -> None:
    """Ranges are counted; the description names the first twenty."""
    joined = draw_space([(0, 0x1000), (0x1000, 0x1000)])
    many = draw_space((number << 13, 0x1000) for number in range(25))

    assert "8 KiB mapped in 1 range" == joined.title
    assert "Mapped: 0x0 to 0x1fff." == joined.description
    assert many.description.endswith(" and 5 more.")
    assert "nothing is mapped" in texts(draw_space([]))


def test_columns_are_drawn_as_a_map() -> None:
    """The picture shows what was found, the table how much at each level."""
    builder = tables()
    read = s2.Memory(builder.images()).read
    columns = s2.scan_columns(builder.geometry, builder.root, read)
    forms = columns._repr_mimebundle_()

    assert draw_builder(builder).svg() == draw_columns(columns).svg()
    assert ">1</td>" in forms["text/html"]
    assert ">2 MiB</td>" in forms["text/html"]


def test_a_builder_shows_its_map() -> None:
    """A builder is drawn as what its tables map now."""
    builder = tables()

    assert "2052 KiB mapped in 2 ranges" == draw_builder(builder).title
    builder.unmap(0x4000_0000, 2 << 20)
    assert "4 KiB mapped in 1 range" == draw_builder(builder).title
