# SPDX-License-Identifier: MIT
"""The real gdb on a real QEMU: registers, one address, all mappings, and the decoy."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from emulated.availability import GDB, require
from in_gdb.machine import (
    INTO_NOTHING,
    MAPPED,
    OTHERWISE,
    RW,
    TABLES,
    Machine,
    machine,
)

from s2geom.in_gdb.commands import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def qemu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine whose stage 2 is on."""
    require("gdb")
    with machine(tmp_path_factory.mktemp("on")) as found:
        yield found


def gdb(this: Machine, *commands: str) -> str:
    """Return what gdb prints for commands, connected and with the script sourced."""
    arguments = [f"target remote {this.gdb_socket}", f"source {SCRIPT}", *commands]
    done = subprocess.run(
        [GDB, "-nx", "-batch", *(part for one in arguments for part in ("-ex", one))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_the_registers_are_read_from_the_target(qemu: Machine) -> None:
    """Nobody types a word, and VTTBR_EL2, which gdb takes for signed, is none."""
    said = gdb(qemu, "s2 regs")

    assert "stage 2 is off" not in said
    assert said.count("warning: ") == 1  # gdb's own: it has no program
    assert "4K pages, 40-bit IPA, 3 levels from level 1, 2 root tables" in said
    assert f"root at {TABLES:#x}" in said
    assert f"VTTBR_EL2 {7 << 48 | TABLES:#x}" in said
    assert "VM = 1: stage 2 is on" in said
    assert "FWB = 1: MemAttr 6 is write-back" in said


def test_a_walk_reads_physical_memory(qemu: Machine) -> None:
    """Not what EL2 sees at that address, which is the decoy."""
    ipa, output, _ = MAPPED[0]
    said = gdb(qemu, f"x/gx {TABLES + 8 * 1:#x}", f"s2 walk {ipa:#x} + 0x123")

    assert f"{ipa + 0x123:#x} -> {output + 0x123:#x}" in said
    assert f"{OTHERWISE:x}" not in said
    assert f"level 1: table {TABLES:#x}, index 1" in said


def test_the_decoy_is_there(qemu: Machine) -> None:
    """Without physical mode gdb reads it, also after our commands: the mode is back."""
    _, _, level_2 = MAPPED[0]
    at = TABLES + 0x2000  # the table of level 2: the block is its first entry
    said = gdb(
        qemu,
        f"x/gx {at:#x}",
        "s2 walk 0x40000000",
        "maintenance packet qqemu.PhyMemMode",
        f"x/gx {at:#x}",
    )

    assert level_2 == 2 << 20
    assert said.count(f"{OTHERWISE | 0x7FD:#018x}") == 2
    assert 'received: "0"' in said


def test_no_ram_is_no_zeros(qemu: Machine) -> None:
    """QEMU answers zeros there, which would be a hole; a CPU would abort."""
    said = gdb(qemu, f"s2 walk {INTO_NOTHING:#x}")

    assert "external abort fault, level 2" in said
    assert "index 0, descriptor at 0x90000000: cannot be read" in said


def test_a_dump_lists_what_is_mapped(qemu: Machine) -> None:
    """All of it below the hole, and a part on request."""
    said = gdb(qemu, "s2 dump 0 0x8000000000", "s2 dump 0x40201000 0x40203000")

    for ipa, output, size in MAPPED:
        assert f"{ipa:#x} to {ipa + size - 1:#x} -> {output:#x}" in said
    assert "2 mappings, 2080 KiB" in said
    assert "0x40201000 to 0x40202fff -> 0x56401000, 8 KiB, level 3: " in said
    assert "1 mapping, 8 KiB" in said
    assert "read-only" in said


def test_a_mistake_is_a_line_and_no_traceback(qemu: Machine) -> None:
    """In the dump, the table without memory; in a walk, no address."""
    said = gdb(qemu, "s2 walk", "s2 dump 1 2 3", "s2 walk 1 +", "s2 dump")

    assert "give an IPA: s2 walk 0x40000000" in said
    assert "give at most two addresses" in said
    assert "the machine has no RAM at 0x90000000" in said
    assert "Traceback" not in said


def test_stage_2_that_is_off_is_told(tmp_path: Path) -> None:
    """The host runs: the tables are those of the VM that ran last."""
    require("gdb")
    with machine(tmp_path, hcr=RW) as off:
        said = gdb(off, "s2 regs", "s2 walk 0x40000000")

    assert said.count("warning: HCR_EL2.VM is 0, so stage 2 is off") == 2
    assert "VM = 0: stage 2 is off" in said
    assert "0x40000000 -> 0x58000000" in said


def test_a_target_without_el2_is_told() -> None:
    """A program of the host, or nothing at all."""
    require("gdb")
    done = subprocess.run(
        [GDB, "-nx", "-batch", "-ex", f"source {SCRIPT}", "-ex", "s2 regs"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "connect gdb to a QEMU with EL2" in done.stderr
    assert "Traceback" not in done.stderr
