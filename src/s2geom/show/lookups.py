# SPDX-License-Identifier: MIT
"""One address on its way: the lookups of a walk, a translation, a fault."""

from s2geom.core.units import size_text
from s2geom.show.html import table
from s2geom.show.svg import MARGIN, SMALL, Drawing, width_of
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.trace import Trace, TraceStep
from s2geom.tables.walk import Translation

STEP = 92
"""Pixels from one lookup to the next, downwards."""

TABLE_WIDTH = 190


def draw_trace(trace: Trace) -> Drawing:
    """Draw each lookup: its table, the entry in it and what was read there."""
    result = trace.result
    pen = Drawing(result_title(result))
    sentences = []
    for at, step in enumerate(trace.steps):
        y = 52 + at * STEP
        _draw_step(pen, y, step)
        pen.arrow(MARGIN + TABLE_WIDTH / 2, y + 44, MARGIN + TABLE_WIDTH / 2, y + 76)
        sentences.append(
            f"Level {step.level}: table {step.table:#x}, index {step.index}, "
            f"{_said(step.descriptor)}."
        )
    _draw_result(pen, 52 + len(trace.steps) * STEP, result)
    pen.description = " ".join([*sentences, f"{result_title(result)}."])
    return pen


def draw_result(result: Translation | Fault) -> Drawing:
    """Draw where an address ended, and the descriptor that says so."""
    pen = Drawing(result_title(result), f"{result_title(result)}.")
    y = 52.0
    if result.descriptor is not None:
        pen.words(MARGIN, y, f"level {result.level}", bold=True)
        _draw_word(pen, MARGIN, y + 8, result.descriptor)
        middle = MARGIN + TABLE_WIDTH / 2
        pen.arrow(middle, y + 34, middle, y + 54)
        y += 66
    _draw_result(pen, y, result)
    return pen


def result_title(result: Translation | Fault) -> str:
    """Return the end of a walk in one line."""
    if isinstance(result, Fault):
        return f"IPA {result.address:#x}: {result.kind} fault, level {result.level}"
    leaf = result.descriptor
    return (
        f"Output address {result.output_address:#x}: {leaf.kind} of "
        f"{size_text(leaf.size or 0)}, level {result.level}"
    )


def _said(descriptor: Descriptor | None) -> str:
    if descriptor is None:
        return "memory could not be read"
    return f"descriptor {descriptor.word:#018x}, {descriptor.kind}"


def _draw_step(pen: Drawing, y: float, step: TraceStep) -> None:
    colour = f"level{step.level}"
    pen.words(MARGIN, y, f"level {step.level}, table at {step.table:#x}", bold=True)
    pen.box(MARGIN, y + 8, TABLE_WIDTH, 36, colour)
    pen.box(MARGIN, y + 18, TABLE_WIDTH, 18, "blank")
    entry = f"index {step.index}"
    pen.words(
        MARGIN + TABLE_WIDTH / 2, y + 31, entry, anchor="middle", bold=True, on_box=True
    )
    left = MARGIN + TABLE_WIDTH
    pen.arrow(left, y + 27, left + 40, y + 27)
    if step.descriptor is None:
        pen.words(left + 48, y + 31, "memory could not be read")
    else:
        _draw_word(pen, left + 40, y + 16, step.descriptor)
    pen.words(left + 44, y + 54, f"at {step.address:#x}", size=SMALL, ink="muted")


def _draw_word(pen: Drawing, x: float, y: float, descriptor: Descriptor) -> None:
    """Draw a descriptor's word in a box, and its kind beside it."""
    word = f"{descriptor.word:#018x}"
    wide = width_of(word) + 16
    pen.box(x, y, wide, 22, "blank")
    pen.words(x + 8, y + 15, word, on_box=True)
    pen.words(x + wide + 8, y + 15, descriptor.kind)


def _draw_result(pen: Drawing, y: float, result: Translation | Fault) -> None:
    if isinstance(result, Fault):
        text, fill = f"{result.kind} fault, level {result.level}", "table"
    else:
        text, fill = f"output address {result.output_address:#x}", "yes"
    wide = max(TABLE_WIDTH, width_of(text) + 16)
    pen.box(MARGIN, y - 8, wide, 26, fill)
    if fill == "table":
        pen.hatch(MARGIN, y - 8, wide, 26)
        pen.box(MARGIN + 4, y - 4, wide - 8, 18, "blank", stroke=None)
    pen.words(MARGIN + wide / 2, y + 9, text, anchor="middle", bold=True, on_box=True)


def trace_html(trace: Trace) -> str:
    """Return the lookups of a walk, and its result, as HTML tables."""
    lookups = table(
        "Lookups",
        ("level", "table", "index", "descriptor at", "descriptor", "kind"),
        (
            (
                step.level,
                f"{step.table:#x}",
                step.index,
                f"{step.address:#x}",
                None if step.descriptor is None else f"{step.descriptor.word:#018x}",
                None if step.descriptor is None else step.descriptor.kind,
            )
            for step in trace.steps
        ),
        empty="The walk ended before its first lookup.",
    )
    return f"{lookups}\n{result_html(trace.result)}"


def result_html(result: Translation | Fault) -> str:
    """Return what the descriptor at the end of a walk says, as an HTML table."""
    descriptor, fwb = result.descriptor, result.fwb
    texts = () if descriptor is None else descriptor.explain(fwb=fwb)
    return table(
        "The descriptor that ended the walk",
        ("descriptor", "what it says"),
        [] if descriptor is None else [(f"{descriptor.word:#018x}", "; ".join(texts))],
        empty="No descriptor was read.",
    )
