# SPDX-License-Identifier: MIT
"""The tables of docs/explanation/emulators.md, from the rows that the tests run on.

The page is kept by hand, and a test compares it: a limit cannot be added, or a family
of questions grow, without the page saying so.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from emulated.bad_descriptors import BAD_DESCRIPTORS
from emulated.cpu import EmulatedCpu
from emulated.limits import ANY_VERSION, LIMITS, STAND_INS
from emulated.questions import SHAPES, questions_for

PAGE = Path(__file__).parents[2] / "docs/explanation/emulators.md"
PAGE_SIZES = {12: "4K", 14: "16K", 16: "64K", None: "reserved"}
FEATURES = ("lpa2", "ttst")


def limits() -> str:
    """Return the table of known limits."""
    rows = (
        (
            row.emulator,
            versions(row.since, row.before),
            f"`{row.id}`",
            row.reason,
        )
        for row in LIMITS
    )
    return table(
        ("emulator", "versions", "limit", "what it does, how it is known"), rows
    )


def stand_ins() -> str:
    """Return the table of page sizes that are taken for others."""
    rows = (
        (
            row.emulator,
            versions(row.since, row.before),
            PAGE_SIZES[row.named],
            PAGE_SIZES[row.taken],
            row.reason,
        )
        for row in STAND_INS
    )
    header = ("emulator", "versions", "TG0 names", "it walks", "how that is known")
    return table(header, rows)


def cpus(emulated: Iterable[EmulatedCpu]) -> str:
    """Return the table of CPUs and of how much each is asked."""
    rows = []
    for cpu in emulated:
        counts = [
            sum(len(questions_for(cpu, generate)) for generate in family)
            for family in (SHAPES, BAD_DESCRIPTORS)
        ]
        knows = [name.upper() for name in FEATURES if getattr(cpu, name)]
        sizes = [PAGE_SIZES[page_shift] for page_shift in sorted(cpu.granules)]
        rows.append(
            (
                f"{cpu.emulator} `{cpu.model}`",
                str(cpu.pa_bits),
                ", ".join([*sizes, *knows]),
                *(f"{count:,}" for count in counts),
            )
        )
    header = ("CPU", "PA bits", "has", "shapes and addresses", "bad descriptors")
    return table(header, rows)


def versions(since: tuple[int, ...], before: tuple[int, ...]) -> str:
    """Say which versions a row is for."""
    first = ".".join(map(str, since))
    if before == ANY_VERSION:
        return f"{first} on"
    return f"{first} to before {'.'.join(map(str, before))}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
