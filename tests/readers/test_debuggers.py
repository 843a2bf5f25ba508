# SPDX-License-Identifier: MIT
"""Memory through debuggers and through a cache; the debuggers here are stand-ins.

`test_real_tools` asks the real ones.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

import s2geom as s2
from s2geom import readers
from s2geom.readers.qemu_monitor import ram_ranges

RAM = 0x4000_0000

# drgn


class FaultError(Exception):
    """Stands for drgn's."""


class Program:
    """Stands for a drgn program with a page of memory."""

    def read(self, address: int, size: int, physical: bool = False) -> bytes:
        """Return what drgn would."""
        assert physical
        if address != RAM:
            raise FaultError("could not find memory segment")
        return bytes(size)


@pytest.fixture
def _drgn(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("drgn")
    module.FaultError, module.Program = FaultError, Program
    monkeypatch.setitem(sys.modules, "drgn", module)


@pytest.mark.usefixtures("_drgn")
def test_drgn_reads_physical_memory() -> None:
    """A FaultError of drgn becomes a MemoryReadError."""
    with readers.drgn(Program()) as memory:
        assert bytes(8) == memory.read(RAM, 8)
        with pytest.raises(s2.MemoryReadError, match="address 0x8: could not find"):
            memory.read(8, 8)
    with pytest.raises(TypeError, match=r"must be a drgn\.Program"):
        readers.drgn("core")


def test_without_drgn_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyPI has drgn."""
    monkeypatch.setitem(sys.modules, "drgn", None)
    with pytest.raises(s2.UnreadableInput, match="pip install drgn"):
        readers.drgn(Program())


# gdb

MTREE = """\
FlatView #0
 AS "I/O", root: io
 Root memory region: io
  0000000000000000-000000000000ffff (prio 0, i/o): io

FlatView #1
 AS "memory", root: system
 AS "cpu-memory-0", root: system
 Root memory region: system
  0000000000000000-0000000003ffffff (prio 0, romd): virt.flash0
  0000000004000000-0000000007ffffff (prio 0, romd): virt.flash1
  0000000009000000-0000000009000fff (prio 0, i/o): pl011
  0000000040000000-000000004007ffff (prio 0, ram): mach-virt.ram
  0000000040080000-000000005fffffff (prio 0, nv-ram): other
  0000000100000000-00000001000fffff (prio 0, ramd): vfio

"""


class GdbError(RuntimeError):
    """Stands for gdb.error."""


class Gdb(types.ModuleType):
    """Stands for gdb's module, connected to QEMU."""

    error = GdbError

    def __init__(self, mode: str = "0", mtree: str = MTREE) -> None:
        super().__init__("gdb")
        self.mode, self.mtree, self.log = mode, mtree, list[str]()
        self.refuses = False

    def execute(self, command: str, *, to_string: bool) -> str:
        """Do a command, as gdb does with text for an answer."""
        assert to_string
        self.log.append(command)
        if command == "monitor info mtree -f":
            return self.mtree
        if command == "maintenance packet qqemu.PhyMemMode":
            return f'sending: "qqemu.PhyMemMode"\nreceived: "{self.mode}"\n'
        if command.startswith("maintenance packet Qqemu.PhyMemMode:"):
            if self.refuses:
                return 'sending: ""\nreceived: "E22"\n'
            self.mode = command[-1]
            return 'sending: ""\nreceived: "OK"\n'
        if command == "maintenance flush dcache":
            return "The dcache was flushed.\n"
        raise GdbError(f'"monitor" command not supported by this target: {command}')

    def selected_inferior(self) -> Gdb:
        """Return the machine, which is the same object here."""
        return self

    def read_memory(self, address: int, size: int) -> memoryview:
        """Return zeros; QEMU's physical mode has to be on."""
        assert self.mode == "1"
        if address == RAM + 0x1000:
            raise GdbError("Cannot access memory at address 0x40001000")
        return memoryview(bytes(size))


def test_gdb_reads_in_physical_mode_and_restores_the_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only RAM is read, and gdb's cache is flushed at both switches."""
    gdb = Gdb()
    monkeypatch.setitem(sys.modules, "gdb", gdb)
    with readers.gdb() as memory:
        assert gdb.mode == "1"
        assert ((0, 0x800_0000), (RAM, 0x6000_0000)) == memory.bounds
        assert bytes(8) == memory.read(RAM, 8)
        assert b"" == memory.read(RAM, 0)
        for address in (0x900_0000, 0x5FFF_FFFC, 0x1_0000_0000):
            with pytest.raises(s2.MemoryReadError, match="would answer zeros"):
                memory.read(address, 8)
        with pytest.raises(s2.MemoryReadError, match="gdb cannot read"):
            memory.read(RAM + 0x1000, 8)

    assert gdb.mode == "0"
    assert gdb.log.count("maintenance flush dcache") == 2
    assert gdb.log[-1] == "maintenance flush dcache"
    with pytest.raises(s2.InvalidArgument, match="closed"):
        memory.read(RAM, 8)
    memory.close()


def test_gdb_with_bounds_does_not_ask_qemu_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Physical mode stays on if it was on before."""
    gdb = Gdb(mode="1")
    monkeypatch.setitem(sys.modules, "gdb", gdb)
    with readers.gdb([(RAM, RAM + 16)]) as memory:
        assert bytes(16) == memory.read(RAM, 16)
        with pytest.raises(s2.MemoryReadError):
            memory.read(RAM, 17)

    assert gdb.mode == "1"
    assert "monitor info mtree -f" not in gdb.log


def test_bounds_must_be_pairs_of_addresses() -> None:
    """They are checked before gdb is imported."""
    for bounds in (3, [3], [(1, 2, 3)], [("a", 4)]):
        with pytest.raises(TypeError):
            readers.gdb(bounds)  # type: ignore[arg-type]
    for pair in ((4, 4), (-1, 4), (0, (1 << 65) + 1)):
        with pytest.raises(s2.InvalidArgument):
            readers.gdb([pair])


def test_gdb_that_is_not_connected_to_qemu_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another stub, no target, or no gdb at all."""
    gdb = Gdb(mode="")
    monkeypatch.setitem(sys.modules, "gdb", gdb)
    with pytest.raises(s2.UnreadableInput, match="does not know QEMU's physical"):
        readers.gdb()
    gdb.mode, gdb.refuses = "0", True
    with pytest.raises(s2.UnreadableInput, match="refused its physical memory mode 1"):
        readers.gdb()
    gdb.mtree = "HMP not available\n"
    with pytest.raises(s2.UnreadableInput, match="names no RAM"):
        readers.gdb()
    monkeypatch.setattr(gdb, "execute", gdb.read_memory)
    monkeypatch.setattr(gdb, "execute", lambda *_, **__: gdb.absent())
    gdb.absent = lambda: (_ for _ in ()).throw(GdbError("no target"))  # type: ignore[attr-defined]
    with pytest.raises(s2.UnreadableInput, match="not connected to QEMU: no target"):
        readers.gdb()
    monkeypatch.setitem(sys.modules, "gdb", None)
    with pytest.raises(s2.UnreadableInput, match="run this inside gdb"):
        readers.gdb()


def test_ram_ranges_without_a_cpu_view_are_of_the_first_view() -> None:
    """The first view is taken if none is that of a CPU."""
    view = " Root\n  0000000000000000-0000000000000fff (prio 0, ram): r\n"

    assert ((0, 0x1000),) == ram_ranges(f"FlatView #0\n{view}")


# A cache


class Source:
    """Two pages of memory and a half, which counts how often it is read."""

    def __init__(self) -> None:
        self.memory = s2.Memory({0x1000: bytes(range(256)) * 40})
        self.reads: list[tuple[int, int]] = []

    def read(self, address: int, size: int) -> bytes:
        """Return what is there."""
        self.reads.append((address, size))
        return self.memory.read(address, size)


def test_the_cache_reads_a_page_once() -> None:
    """Reads of parts of a page, and across its end, use the cached pages."""
    source = Source()
    with readers.cached(source.read) as memory:
        for address in (0x1008, 0x1FF0, 0x1000):
            assert source.memory.read(address, 16) == memory.read(address, 16)
        assert source.memory.read(0x1FF8, 16) == memory.read(0x1FF8, 16)
        assert source.memory.read(0x1000, 8192) == memory.read(0x1000, 8192)

        assert [(0x1000, 4096), (0x2000, 4096)] == source.reads


def test_the_cache_reads_a_partial_page_directly() -> None:
    """A page that cannot be read whole is not cached."""
    source = Source()
    with readers.cached(source.read) as memory:
        assert source.memory.read(0x3000, 8) == memory.read(0x3000, 8)
        assert source.memory.read(0x2FF8, 16) == memory.read(0x2FF8, 16)
        for address in (0x3800, 0x10, 0x37F8):
            with pytest.raises(s2.MemoryReadError):
                memory.read(address, 16)


def test_a_full_cache_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that is larger than the cache goes to the source."""
    monkeypatch.setattr("s2geom.readers.page_cache.MOST_KEPT", 4096)
    source = Source()
    with readers.cached(source.read) as memory:
        memory.read(0x1000, 8)
        memory.read(0x2000, 8)
        memory.read(0x1000, 8)
        assert source.memory.read(0x1000, 8192) == memory.read(0x1000, 8192)

    assert [0x1000, 0x2000, 0x1000, 0x1000] == [at for at, _ in source.reads]


def test_arguments_of_the_cache_are_checked() -> None:
    """The page size must be a power of two from 8 on."""
    for size in (0, 4, 24, 1 << 25):
        with pytest.raises(s2.InvalidArgument):
            readers.cached(Source().read, size)
    with pytest.raises(TypeError, match="read must be callable"):
        readers.cached(b"")  # type: ignore[arg-type]


def test_readers_lists_its_public_names() -> None:
    """`dir` shows the names of the reference and no modules."""
    assert dir(readers) == sorted(readers.__all__)
    assert {"open_image", "raw", "elf", "kdump", "drgn", "gdb", "cached"} < {
        *readers.__all__
    }
