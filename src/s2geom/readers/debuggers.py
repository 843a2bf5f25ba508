# SPDX-License-Identifier: MIT
"""`drgn` and `gdb`: memory through a debugger that has it."""

from collections.abc import Iterable
from typing import Any

from s2geom.core.errors import InvalidArgument, MemoryReadError, UnreadableInput
from s2geom.core.numbers import unsigned
from s2geom.core.wording import quoted
from s2geom.readers.qemu_monitor import PhysicalMode, RamRange, ram_ranges
from s2geom.readers.reader import Reader
from s2geom.tables.memory import address_and_size


class DrgnMemory(Reader):
    """Physical memory of a drgn program.

    Args:
        program: drgn's `Program`.
        fault: Its class of memory faults.
    """

    __slots__ = ("_fault", "_program")

    def __init__(self, program: Any, fault: type[Exception]) -> None:
        self._program, self._fault = program, fault

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; see `Reader.read`."""
        address, size = address_and_size(address, size)
        try:
            content: bytes = self._program.read(address, size, physical=True)
        except (self._fault, OverflowError, ValueError) as error:
            raise MemoryReadError(
                f"drgn has nothing at physical address {address:#x}: {error}"
            ) from error
        return content


def drgn(prog: Any) -> DrgnMemory:
    """Read the physical memory of a drgn program: a core, or QEMU by its QMP socket.

    .. versionadded:: 0.2.0

    Args:
        prog: A `drgn.Program` that has a core or another target.

    Raises:
        UnreadableInput: drgn is not installed.
        TypeError: ``prog`` is no program of drgn's.
    """
    try:
        from drgn import FaultError, Program  # noqa: PLC0415 - not a dependency
    except ImportError as error:
        raise UnreadableInput("drgn is not installed: pip install drgn") from error
    if not isinstance(prog, Program):
        raise TypeError(f"prog must be a drgn.Program, got {quoted(prog)}")
    return DrgnMemory(prog, FaultError)


class GdbMemory(Reader):
    """Physical memory of a QEMU that gdb is connected to.

    Args:
        gdb: gdb's own Python module.
        bounds: Where there is memory; elsewhere QEMU would answer zeros.
        mode: QEMU's physical mode, which is on.
    """

    __slots__ = ("_gdb", "_mode", "bounds")

    def __init__(
        self, gdb: Any, bounds: tuple[RamRange, ...], mode: PhysicalMode | None
    ) -> None:
        self.bounds: tuple[RamRange, ...] = bounds
        self._gdb, self._mode = gdb, mode

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; see `Reader.read`."""
        address, size = address_and_size(address, size)
        if self._mode is None:
            raise InvalidArgument("this reader is closed; QEMU's mode is restored")
        if not self._has_ram(address, address + size):
            raise MemoryReadError(
                f"the machine has no RAM at {address:#x} to {address + size:#x}, where "
                "QEMU would answer zeros"
            )
        if not size:
            return b""
        try:
            return bytes(self._gdb.selected_inferior().read_memory(address, size))
        except self._gdb.error as error:  # its MemoryError is one of them
            raise MemoryReadError(
                f"gdb cannot read physical address {address:#x}: {error}"
            ) from error

    def _has_ram(self, start: int, end: int) -> bool:
        return any(first <= start and end <= last for first, last in self.bounds)

    def close(self) -> None:
        """Restore the mode that QEMU was in."""
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.leave()


def _bounds(value: object) -> tuple[RamRange, ...]:
    if not isinstance(value, Iterable):
        raise TypeError(f"bounds must be pairs of addresses, got {quoted(value)}")
    return tuple(map(_bound, value))


def _bound(pair: object) -> RamRange:
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise TypeError(f"bounds must be pairs of addresses, got {quoted(pair)}")
    start, end = unsigned("start", pair[0]), unsigned("end", pair[1], 65)
    if start >= end:
        raise InvalidArgument(f"bounds must not be empty, got {start:#x}, {end:#x}")
    return start, end


def gdb(bounds: Iterable[RamRange] | None = None) -> GdbMemory:
    """Read the physical memory of the QEMU that this gdb is connected to.

    It switches QEMU to physical addresses at once, and `Reader.close` restores the mode
    and flushes what gdb has kept. A read costs some 0.3 ms: `cached` helps.

    .. versionadded:: 0.2.0

    Args:
        bounds: (start, end) of the machine's memory, the end not in it; nothing is read
            elsewhere, as QEMU answers zeros there. None asks QEMU
            (``info mtree -f``).

    Raises:
        UnreadableInput: This is no gdb's Python, gdb is older than 12, or it is not
            connected to QEMU.
        InvalidArgument: A range of ``bounds`` is empty or out of range.
        TypeError: ``bounds`` are no pairs of integers.
    """
    ranges = None if bounds is None else _bounds(bounds)
    try:
        import gdb as module  # noqa: PLC0415 - only gdb's own Python has it
    except ImportError as error:
        raise UnreadableInput(
            "there is no module gdb: run this inside gdb (source FILE)"
        ) from error
    try:
        if ranges is None:
            views = module.execute("monitor info mtree -f", to_string=True)
            ranges = ram_ranges(views)
        return GdbMemory(module, ranges, PhysicalMode(module))
    except module.error as error:
        raise UnreadableInput(f"gdb is not connected to QEMU: {error}") from error
