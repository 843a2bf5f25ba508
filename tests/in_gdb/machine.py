# SPDX-License-Identifier: MIT
"""A QEMU at EL2 with stage-2 tables, and a decoy where forgetting its mode would look.

EL2's own MMU is on. It maps all memory to itself, but for the 2 MiB of the tables: at
their virtual address it has other tables, of the same shape, that lead elsewhere. So a
debugger that reads the root's address as a virtual one walks the wrong tree.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emulated.qemu_cpu import QEMU, build_program

import s2geom as s2

if TYPE_CHECKING:
    from collections.abc import Iterator

RAM, RAM_SIZE = 0x4000_0000, 0x2000_0000
WORDS, STAGE_1 = 0x4800_0000, 0x4800_1000
TABLES, DECOY = 0x5000_0000, 0x5020_0000
NO_RAM = 0x9000_0000
"""The machine has no memory there, and QEMU reads zeros."""

SHAPE = s2.Geometry(12, 40, 1)
MAPPED = ((0x4000_0000, 0x5800_0000, 2 << 20), (0x4020_0000, 0x5640_0000, 8 << 12))
"""IPA, output address and size of what the tables map: a block and eight pages."""
OTHERWISE = 0x5C00_0000
"""Where the decoy maps the same block."""
INTO_NOTHING = 0x80_0000_0000
"""An IPA in the second root table, whose entry points at a table without memory."""

VM, RW, FWB = 1 << 0, 1 << 31, 1 << 46
_SOURCE: Final = Path(__file__).parent / "guest" / "stage2.S"


def _tables(base_output: int) -> s2.TableBuilder:
    tables = s2.TableBuilder(SHAPE, TABLES)
    tables.map(MAPPED[0][0], base_output, MAPPED[0][2])
    tables.map(*MAPPED[1], attributes=s2.Attributes(s2ap=1, xn=2))
    return tables


def _flat(images: dict[int, bytes]) -> bytearray:
    flat = bytearray(max(at + len(data) for at, data in images.items()) - TABLES)
    for at, data in images.items():
        flat[at - TABLES : at - TABLES + len(data)] = data
    return flat


def _stage_1() -> bytes:
    """Return the tables of EL2 itself: RAM in 2 MiB blocks."""
    block, normal = 0b01 | 1 << 10, 1 << 2
    first = [0] * 512
    first[0] = block
    first[1] = STAGE_1 + 4096 | 0b11
    second = [
        (DECOY if at == TABLES else at) | block | normal
        for at in range(RAM, RAM + (1 << 30), 2 << 20)
    ]
    return struct.pack("<1024Q", *first, *second)


def _is_set(ram: Path) -> bool:
    """Return whether the program has set its registers: it writes a word then."""
    if not ram.exists():
        return False
    with ram.open("rb") as file:
        file.seek(WORDS - RAM + 256)
        return any(file.read(8))


def vtcr() -> s2.VTCR_EL2:
    """Return VTCR_EL2 of the guest."""
    return s2.VTCR_EL2.for_geometry(SHAPE, pa_bits=40)


class Machine:
    """A stopped QEMU, with sockets for gdb and QMP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gdb_socket, self._qmp_socket = folder / "gdb", folder / "qmp"

    def qmp(self, command: str, **arguments: Any) -> Any:
        """Do a command of QEMU's and return its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._qmp_socket))
            file = connection.makefile("rw")
            file.readline()
            for request in (
                {"execute": "qmp_capabilities"},
                {"execute": command, "arguments": arguments},
            ):
                file.write(json.dumps(request) + "\n")
                file.flush()
                answer = json.loads(file.readline())
                while "event" in answer:
                    answer = json.loads(file.readline())
            assert "return" in answer, answer
            return answer["return"]


@contextmanager
def machine(folder: Path, hcr: int = VM | RW | FWB) -> Iterator[Machine]:
    """Boot it, and end it afterwards.

    Args:
        folder: For its program, its memory (the file ``ram``, shared) and its sockets.
        hcr: HCR_EL2.
    """
    program = build_program(folder, sources=(_SOURCE,))
    vttbr = s2.VTTBR_EL2.for_geometry(SHAPE, TABLES, vmid=7)
    tcr = 1 << 31 | 1 << 23 | 2 << 16 | 25  # 39-bit addresses, 4K pages, 40-bit output
    words = (int(vtcr()), int(vttbr), hcr, 0xFF00, tcr, STAGE_1)
    real = _flat(_tables(MAPPED[0][1]).images())
    index = INTO_NOTHING >> 30
    real[8 * index : 8 * index + 8] = (NO_RAM | 0b11).to_bytes(8, "little")
    loads = []
    for name, at, data in (
        ("words", WORDS, struct.pack("<6Q", *words)),
        ("stage1", STAGE_1, _stage_1()),
        ("real", TABLES, real),
        ("decoy", DECOY, _flat(_tables(OTHERWISE).images())),
    ):
        (folder / name).write_bytes(data)
        loads += ["-device", f"loader,file={folder / name},addr={at:#x},force-raw=on"]
    this = Machine(folder)
    memory = f"memory-backend-file,id=ram,size=512M,mem-path={folder / 'ram'},share=on"
    process = subprocess.Popen(
        [
            QEMU,
            *("-machine", "virt,virtualization=on,highmem=off,memory-backend=ram"),
            *("-object", memory, "-cpu", "max", "-accel", "tcg", "-m", "512M"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-gdb", f"unix:{this.gdb_socket},server=on,wait=off"),
            *("-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"),
            *("-kernel", str(program), *loads),
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not ((folder / "qmp").exists() and _is_set(folder / "ram")):
            assert process.poll() is None, "QEMU ended"
            assert time.monotonic() < deadline, "QEMU does not get there"
            time.sleep(0.05)
        this.qmp("stop")
        yield this
    finally:
        process.kill()
        process.wait()
