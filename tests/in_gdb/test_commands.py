# SPDX-License-Identifier: MIT
"""The commands for gdb with a stand-in for it; `test_real_gdb` asks the real one."""

from __future__ import annotations

import runpy
import sys
import types
from typing import Any

import pytest

import s2geom as s2
from s2geom.in_gdb.commands import SCRIPT

ROOT = 0x4100_0000
SHAPE = s2.Geometry(12, 40, 1)
HCR = 1 << 46 | 1 << 31 | 1
RAM = "FlatView #0\n  0000000040000000-000000005fffffff (prio 0, ram): ram\n"


class GdbError(RuntimeError):
    """Stands for gdb.error and gdb.GdbError."""


class Gdb(types.ModuleType):
    """Stands for gdb's module, connected to a QEMU with tables."""

    error = GdbError
    GdbError = GdbError
    COMMAND_DATA = 1

    def __init__(self, registers: dict[str, int]) -> None:
        super().__init__("gdb")
        tables = s2.TableBuilder(SHAPE, ROOT)
        tables.map(0x4000_0000, 0x8000_0000, 2 << 20)
        tables.map(0x4020_0000, 0x1234_5000, 4096)
        self.memory = s2.Memory(tables.images())
        self.registers, self.mode, self.text = registers, "0", ""
        self.commands: dict[str, Any] = {}
        this = self

        class Command:
            def __init__(self, name: str, kind: int, *, prefix: bool = False) -> None:
                assert kind == 1
                assert prefix == (name == "s2")
                this.commands[name] = self

        self.Command = Command

    def parse_and_eval(self, text: str) -> int:
        """Return a register, signed, or a number."""
        if not text.startswith("$"):
            return int(text, 0)
        if text[1:] not in self.registers:
            raise GdbError("Value can't be converted to integer.")
        word = self.registers[text[1:]]
        return word - (1 << 64) if word >> 63 else word

    def string_to_argv(self, text: str) -> list[str]:
        """Split."""
        return text.split()

    def execute(self, command: str, *, to_string: bool) -> str:
        """Answer as gdb does with QEMU behind it."""
        assert to_string
        if command == "monitor info mtree -f":
            return RAM
        if "PhyMemMode:" in command:
            self.mode = command[-1]
            return 'received: "OK"\n'
        return f'received: "{self.mode}"\n'

    def selected_inferior(self) -> Gdb:
        """Return the machine."""
        return self

    def read_memory(self, address: int, size: int) -> memoryview:
        """Read physical memory; what no table is in is zeros."""
        assert self.mode == "1"
        found = bytearray(size)
        for at in range(0, size, 8):
            try:
                found[at : at + 8] = self.memory.read(address + at, 8)
            except s2.MemoryReadError:
                continue
        return memoryview(found)

    def write(self, text: str) -> None:
        """Keep what is printed."""
        self.text += text

    def do(self, name: str, argument: str = "") -> str:
        """Run a command and return what it printed."""
        self.text = ""
        self.commands[f"s2 {name}"].invoke(argument, False)
        assert self.mode == "0"
        return self.text


def words(hcr: int = HCR, vttbr: int | None = None) -> dict[str, int]:
    """Return the registers of a CPU that runs a guest with VMID 0x8007."""
    if vttbr is None:
        vttbr = 0x8007 << 48 | ROOT
    vtcr = int(s2.VTCR_EL2.for_geometry(SHAPE)) | 1 << 19  # VS: VMIDs of 16 bits
    return {"VTCR_EL2": vtcr, "VTTBR_EL2": vttbr, "HCR_EL2": hcr}


def sourced(monkeypatch: pytest.MonkeyPatch, registers: dict[str, int]) -> Gdb:
    """Return the stand-in after ``source``."""
    gdb = Gdb(registers)
    monkeypatch.setitem(sys.modules, "gdb", gdb)
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return gdb


def test_regs_prints_the_registers_and_the_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It prints the words, what they mean, and the shape."""
    said = sourced(monkeypatch, words()).do("regs")

    assert "VTTBR_EL2 0x8007000041000000" in said
    assert "root at 0x41000000" in said
    assert "VM = 1: stage 2 is on" in said
    assert "FWB = 1: MemAttr 6 is write-back" in said
    assert "warning" not in said


def test_walk_prints_every_lookup_and_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It prints where the address ends, or how the walk fails."""
    gdb = sourced(monkeypatch, words())
    said = gdb.do("walk", "0x40200123")

    assert said.startswith("level 1: table 0x41000000, index 1, descriptor at ")
    assert said.count("level ") == 3
    assert "0x40200123 -> 0x12345123\n  normal" in said.lower()
    assert gdb.do("walk", "0x80000000").endswith("translation fault, level 1\n")


def test_dump_prints_all_mappings_or_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments, with a first address, and with a range."""
    gdb = sourced(monkeypatch, words())

    assert gdb.do("dump").endswith("2 mappings, 2052 KiB\n")
    assert gdb.do("dump", "0x40200000").endswith("1 mapping, 4 KiB\n")
    assert gdb.do("dump", "0x40000000 0x40001000").endswith("1 mapping, 4 KiB\n")


def test_a_clear_hcr_vm_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """With HCR_EL2.VM clear the tables and FWB may not be those of the VM."""
    gdb = sourced(monkeypatch, words(hcr=1 << 31))

    assert gdb.do("walk", "0x40000000").startswith("warning: HCR_EL2.VM is 0")
    assert "FWB = 0: MemAttr 15 is write-back" in gdb.do("regs")


def test_violations_of_the_registers_are_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What `lint` finds is printed before the result."""
    registers = words(vttbr=ROOT | 0x80)

    assert "warning: " in sourced(monkeypatch, registers).do("walk", "0x40000000")

    registers = words()
    registers["VTCR_EL2"] &= ~(1 << 31)  # RES1
    said = sourced(monkeypatch, registers).do("walk", "0x40000000")

    assert said.count("warning: ") == 1


def test_errors_are_gdb_errors_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are printed as gdb prints its own errors."""
    gdb = sourced(monkeypatch, words(vttbr=0))
    for name, argument, match in (
        ("regs", "", "VTTBR_EL2 is 0"),
        ("walk", " ", "give an IPA"),
        ("dump", "1 2 3", "VTTBR_EL2 is 0|at most two"),
    ):
        with pytest.raises(GdbError, match=match):
            gdb.do(name, argument)
    with pytest.raises(GdbError, match="connect gdb to a QEMU with EL2"):
        sourced(monkeypatch, {}).do("regs")


def test_a_descriptor_outside_ram_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The step says so, and the walk ends in an external abort."""
    said = sourced(monkeypatch, words(vttbr=0x9000_0000)).do("walk", "0")

    assert said.startswith("level 1: table 0x90000000, index 0, descriptor at 0x90000")
    assert ": cannot be read\n0x0: external abort fault, level 1\n" in said


def test_a_python_without_attrs_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the package to install, without a traceback."""
    monkeypatch.setitem(sys.modules, "s2geom.in_gdb.commands", None)
    runpy.run_path(str(SCRIPT), run_name="__main__")

    assert "python3-attr" in capsys.readouterr().err


def test_the_package_folder_is_added_to_the_path_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is added last, so that it hides nothing of gdb's."""
    folder = str(SCRIPT.parents[2])
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != folder])
    monkeypatch.setitem(sys.modules, "s2geom.in_gdb.commands", None)
    for _ in range(2):
        runpy.run_path(str(SCRIPT), run_name="__main__")

    assert folder == sys.path[-1]
    assert sys.path.count(folder) == 1
