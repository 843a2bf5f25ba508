# SPDX-License-Identifier: MIT
"""Words of messages: numbers, runs of numbers and quoted values."""

from collections.abc import Sequence


def article(number: int) -> str:
    """Return "a" or "an", as the number is spoken: a 41-bit, an 80-bit IPA."""
    spoken = str(number)
    eleven_or_eighteen = len(spoken) % 3 == 2 and spoken[:2] in {"11", "18"}
    return "an" if spoken[0] == "8" or eleven_or_eighteen else "a"


def counted(number: int, thing: str) -> str:
    """Return a number of things in words: 1 table, 16 tables."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def cell_text(value: object) -> str:
    """Return what the cell of a table shows: a dash for None, yes or no for a bool."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def bits(number: int) -> str:
    """Return a number of bits in words: 1 bit, 40 bits."""
    return counted(number, "bit")


MOST_SHOWN = 120
"""Characters of a value that a message quotes. A whole memory dump may have been given
where its address was wanted."""


def quoted(value: object) -> str:
    """Return what a message shows of any value: its `repr`, cut short.

    A value that has none, such as an `int` of more digits than Python writes out, is
    shown by its type.
    """
    try:
        if isinstance(value, str | bytes | bytearray):
            value = value[:MOST_SHOWN]  # before its repr is four times as long
        text = repr(value)
    except Exception:  # noqa: BLE001  (a repr is the caller's code)
        return f"<{type(value).__name__}>"
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."


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
