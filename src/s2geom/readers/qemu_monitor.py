# SPDX-License-Identifier: MIT
"""What QEMU tells a gdb that is connected to it: RAM, and its physical memory mode."""

import re
from typing import Any

from s2geom.core.errors import UnreadableInput

RamRange = tuple[int, int]
"""First address, and the byte after the last."""

RAM_LINE = re.compile(
    r"^[ \t]+([0-9a-f]{1,16})-([0-9a-f]{1,16}) "
    r"\(prio -?\d+, (?:nv-)?(?:ram|romd?)\): ",
    re.MULTILINE,
)


def ram_ranges(text: str) -> tuple[RamRange, ...]:
    """Return where there is memory, from the text of ``info mtree -f``.

    Args:
        text: Flat views, one below the other. That of the CPUs is the first whose list
            of roots has ``cpu-memory``; the first of all where none has.

    Returns:
        Ranges of RAM and ROM, sorted, joined where they touch.

    Raises:
        UnreadableInput: There is no memory in it.
    """
    found: list[RamRange] = []
    for first, last in RAM_LINE.findall(_cpu_view(text)):
        start, end = int(first, 16), int(last, 16) + 1
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, end))
    if not found:
        raise UnreadableInput(
            "info mtree -f names no RAM: is gdb connected to QEMU? Else give the "
            "memory's ranges as bounds"
        )
    return tuple(sorted(found))


def _cpu_view(text: str) -> str:
    views = re.split(r"(?m)^FlatView #\d+.*$", text)[1:]
    of_cpus = [view for view in views if "cpu-memory" in view] or views
    return of_cpus[0] if of_cpus else ""


class PhysicalMode:
    """QEMU's physical memory mode: on while the object is in use.

    In that mode gdb's addresses are physical, otherwise the CPU's virtual ones.

    Args:
        gdb: gdb's own Python module.
    """

    __slots__ = ("_before", "_gdb")

    def __init__(self, gdb: Any) -> None:
        self._gdb = gdb
        self._before = self._packet("qqemu.PhyMemMode")
        if self._before not in {"0", "1"}:
            raise UnreadableInput(
                "gdb's target does not know QEMU's physical memory mode: connect gdb "
                "to QEMU (target remote :1234)"
            )
        self._set("1")

    def leave(self) -> None:
        """Restore the mode that QEMU was in."""
        self._set(self._before)

    def _set(self, mode: str) -> None:
        answer = self._packet(f"Qqemu.PhyMemMode:{mode}")
        if answer != "OK":
            raise UnreadableInput(
                f"QEMU refused its physical memory mode {mode}: {answer!r}"
            )
        # gdb caches memory by address, and does not know that addresses change.
        self._gdb.execute("maintenance flush dcache", to_string=True)

    def _packet(self, packet: str) -> str:
        text = self._gdb.execute(f"maintenance packet {packet}", to_string=True)
        answer = re.search(r'received: "(.*)"', text)
        return answer[1] if answer else ""
