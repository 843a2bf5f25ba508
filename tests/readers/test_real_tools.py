# SPDX-License-Identifier: MIT
"""Memory that QEMU wrote, as ELF, as kdump and shared, read by the real tools.

The machine is that of `in_gdb.machine`. Needed besides QEMU: drgn from PyPI, and
libkdumpfile's module in the system's Python.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from emulated.availability import SYSTEM_PYTHON, require
from in_gdb.machine import MAPPED, NO_RAM, RAM, SHAPE, TABLES, Machine, machine, vtcr

import s2geom as s2
from s2geom import readers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BELOW_THE_HOLE = (0, 0x80_0000_0000)


@pytest.fixture(scope="module")
def qemu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with stage-2 tables, and its memory as ``elf`` and ``kdump``."""
    require("qemu")
    with machine(tmp_path_factory.mktemp("machine")) as found:
        for name, arguments in (("elf", {}), ("kdump", {"format": "kdump-zlib"})):
            found.qmp(
                "dump-guest-memory",
                paging=False,
                protocol=f"file:{found.folder / name}",
                **arguments,
            )
        yield found


def check(memory: readers.Reader) -> None:
    """Find the real tables in it, and nothing where the machine has no RAM."""
    found = s2.scan(SHAPE, TABLES, memory.read, BELOW_THE_HOLE, vtcr=vtcr())

    assert list(MAPPED) == [(one.ipa, one.output_address, one.size) for one in found]
    with pytest.raises(s2.MemoryReadError):
        memory.read(NO_RAM, 8)


def test_an_elf_core_of_qemu(qemu: Machine) -> None:
    """The file has the physical addresses."""
    with readers.open_image(qemu.folder / "elf") as memory:
        check(memory)


def test_shared_memory_of_qemu(qemu: Machine) -> None:
    """The file exists as long as the machine; it needs its load address."""
    with readers.open_image(qemu.folder / "ram", RAM) as memory:
        check(memory)


def test_drgn_on_an_elf_core(qemu: Machine) -> None:
    """No debug information is needed to read physical memory."""
    require("drgn")
    drgn = importlib.import_module("drgn")
    prog = drgn.Program()
    prog.set_core_dump(str(qemu.folder / "elf"))
    with readers.drgn(prog) as memory:
        check(memory)


def test_the_example_for_kvm_hosts_starts() -> None:
    """With drgn installed it prints its help."""
    require("drgn")
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "examples" / "kvm_vms.py", "--help"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "--memslots" in done.stdout


WALK = """
import sys
import s2geom as s2
from s2geom import readers
shape, root, ipa = s2.Geometry(12, 40, 1), int(sys.argv[2]), int(sys.argv[3])
with readers.open_image(sys.argv[1]) as memory:
    print(s2.walk(shape, root, ipa, memory.read).output_address)
    try:
        memory.read(int(sys.argv[4]), 8)
    except s2.MemoryReadError as error:
        print(error)
"""


def test_libkdumpfile_of_the_system(qemu: Machine, tmp_path: Path) -> None:
    """QEMU writes a flattened kdump, and makedumpfile converts it."""
    require("libkdumpfile")
    flat, kdump = qemu.folder / "kdump", tmp_path / "kdump"
    with pytest.raises(s2.UnreadableInput, match="makedumpfile -R"):
        readers.open_image(flat)
    with flat.open("rb") as file:
        subprocess.run(
            ["makedumpfile", "-R", kdump], stdin=file, check=True, capture_output=True
        )
    ipa, output, _ = MAPPED[1]
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", WALK, kdump, str(TABLES), str(ipa + 0x10), str(NO_RAM)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    address, nothing = done.stdout.splitlines()

    assert output + 0x10 == int(address)
    assert "has nothing at 0x90000000" in nothing
