# SPDX-License-Identifier: MIT
"""Files of memory: raw, ELF cores, kdumps, and what is none of these."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers.elf_files import elf_core

import s2geom as s2
from s2geom import readers

LOW, HIGH = 0x4000_0000, 0x8_8000_0000
"""Two pieces of RAM, as a machine with a hole has."""


def written(folder: Path, data: bytes, name: str = "image") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(data)
    return path


# Raw memory


def test_raw_memory_begins_at_its_load_address(tmp_path: Path) -> None:
    """Below it and after the end of the file nothing can be read."""
    with readers.raw(written(tmp_path, bytes(range(256))), LOW) as memory:
        assert b"\x10\x11\x12" == memory.read(LOW + 0x10, 3)
        assert b"" == memory.read(LOW, 0)
        for address in (LOW - 1, LOW + 255, 0, 1 << 70):
            with pytest.raises(s2.MemoryReadError, match="has nothing at"):
                memory.read(address, 2)
        with pytest.raises(s2.MemoryReadError, match="at 0x40000100: 1 of the 2"):
            memory.read(LOW + 255, 2)


def test_invalid_addresses_and_sizes_are_refused(tmp_path: Path) -> None:
    """A mapped file has the same messages as `Memory`."""
    with readers.raw(written(tmp_path, bytes(16)), 0) as memory:
        with pytest.raises(s2.InvalidArgument, match="must not be negative"):
            memory.read(-1, 1)
        with pytest.raises(s2.InvalidArgument, match="must not be negative"):
            memory.read(0, -1)
        with pytest.raises(TypeError):
            memory.read(0.0, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            memory.read(True, 1)
    with pytest.raises(s2.InvalidArgument, match="is closed"):
        memory.read(0, 1)
    memory.close()


def test_writes_of_another_process_are_seen(tmp_path: Path) -> None:
    """QEMU's shared-memory file changes while it is open."""
    path = written(tmp_path, bytes(8192))
    with readers.raw(path, LOW) as memory, path.open("r+b") as file:
        assert bytes(4) == memory.read(LOW + 4096, 4)
        file.seek(4096)
        file.write(b"here")
        file.flush()

        assert b"here" == memory.read(LOW + 4096, 4)


def test_load_must_be_an_address(tmp_path: Path) -> None:
    """The file must end within 64 bits."""
    path = written(tmp_path, bytes(16))
    with pytest.raises(s2.InvalidArgument, match="load must be"):
        readers.raw(path, -1)
    with pytest.raises(s2.InvalidArgument, match="load must leave room"):
        readers.raw(path, (1 << 64) - 8)
    with pytest.raises(TypeError):
        readers.raw(path, "0x40000000")  # type: ignore[arg-type]


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    """Each has its reason, and opening a pipe does not wait."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, match in (
        (tmp_path / "nowhere", "No such file"),
        (tmp_path, "no regular file"),
        (fifo, "no regular file"),
        (Path("/dev/zero"), "no regular file"),
        (written(tmp_path, b"", "empty"), "is empty"),
        ("a\0b", "null"),
    ):
        with pytest.raises(s2.UnreadableInput, match=match):
            readers.raw(path, LOW)
    for no_path in (3, b"bytes"):
        with pytest.raises(TypeError):
            readers.raw(no_path, LOW)  # type: ignore[arg-type]


def test_a_file_that_cannot_be_mapped_is_refused() -> None:
    """Files of /proc have no size."""
    with pytest.raises(s2.UnreadableInput, match="cannot map /proc/self/status"):
        readers.raw("/proc/self/status", LOW)


# ELF cores


def test_segments_of_a_core_are_read_at_physical_addresses(tmp_path: Path) -> None:
    """Virtual addresses do not matter."""
    core = elf_core(
        [(HIGH, b"high" * 4), (LOW, b"low." * 4)], virtual=0xFFFF << 48, note=b"note"
    )
    with readers.elf(written(tmp_path, core)) as memory:
        assert b"low." == memory.read(LOW, 4)
        assert b"high" == memory.read(HIGH + 12, 4)
        with pytest.raises(s2.MemoryReadError, match="nothing at 0x40000010"):
            memory.read(LOW + 12, 8)
        with pytest.raises(s2.MemoryReadError, match="nothing at 0x880000010"):
            memory.read(HIGH + 16, 1)

    assert repr(memory).endswith("0x40000000: 0x10 bytes, 0x880000000: 0x10 bytes>")


def test_reads_across_segments_that_touch_or_overlap(tmp_path: Path) -> None:
    """Of two segments with the same address the one that begins first is taken."""
    low, inside = b"AAAAAAAAAAAA", b"CC"
    core = elf_core([(8, b"BBBBBBBB"), (0, low), (2, inside), (16, b"DD"), (4, b"")])
    with readers.elf(written(tmp_path, core)) as memory:
        assert b"AAAAAAAAAAAABBBBDD" == memory.read(0, 18)
        assert b"ABBBBD" == memory.read(11, 6)


def test_the_repr_of_many_segments_is_short(tmp_path: Path) -> None:
    """It shows four ranges and how many more there are."""
    core = elf_core([(index << 12, b"x") for index in range(6)])
    with readers.elf(written(tmp_path, core)) as memory:
        assert repr(memory).endswith("0x3000: 0x1 bytes, 2 more>")


def test_a_core_with_more_than_65534_program_headers_is_read(tmp_path: Path) -> None:
    """Section 0 then has their number; QEMU writes such files."""
    segments = [(index << 12, bytes([index % 256])) for index in range(66_000)]
    core = elf_core(segments, count_in_section=True)
    with readers.elf(written(tmp_path, core)) as memory:
        assert bytes([65_999 % 256]) == memory.read(65_999 << 12, 1)


GOOD = elf_core([(LOW, bytes(64))])
WRONG = [
    (elf_core([(LOW, b"x")], elf_class=1), "not a 64-bit"),
    (elf_core([(LOW, b"x")], data=2), "not a little-endian"),
    (elf_core([(LOW, b"x")], kind=2), "no core but ELF of type 2"),
    (elf_core([(LOW, b"x")], machine=62), "of machine 62, not of AArch64"),
    (elf_core([]), "without memory"),
    (elf_core([(0, b"x"), (0, b"y")], virtual=1 << 40), "virtual addresses alone"),
    (elf_core([((1 << 64) - 1, b"xx")]), "ends beyond 64 bits"),
    (GOOD[:-1], "truncated: the memory at 0x40000000 ends at byte"),
    (GOOD[:100], "no whole table of 2 program headers"),
    (GOOD[:63], "no whole ELF header"),
    (b"\x7fELG" + GOOD[4:], "no ELF file"),
    (GOOD[:54] + b"\x20\0" + GOOD[56:], "program headers of 32 bytes"),
    (GOOD[:56] + b"\xff\xff" + GOOD[58:], "section 0"),
    (
        elf_core([(LOW, b"x")], count_in_section=True).replace(
            struct.pack("<IIQ", 0, 2, 0), struct.pack("<IIQ", 0, 1 << 30, 0)
        ),
        f"{1 << 30} program headers",
    ),
]


@pytest.mark.parametrize(("core", "match"), WRONG)
def test_files_that_are_no_arm_core_are_refused(
    tmp_path: Path, core: bytes, match: str
) -> None:
    """The error says what is wrong; truncated files are refused too."""
    with pytest.raises(s2.UnreadableInput, match=match):
        readers.elf(written(tmp_path, core))


@given(st.data())
def test_hostile_headers_are_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Changed bytes and cuts give memory or an UnreadableInput."""
    in_section = data.draw(st.booleans())
    core = bytearray(elf_core([(LOW, bytes(32))], count_in_section=in_section))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, 239))
        new = data.draw(
            st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f", b"\1", b"\x80"])
        )
        core[at : at + len(new)] = new
    cut = data.draw(st.integers(1, len(core)))
    path = written(tmp_path_factory.mktemp("cores"), bytes(core[:cut]))
    with suppress(s2.UnreadableInput), readers.elf(path) as memory:
        assert len(memory.read(LOW, 32)) == 32


# By magic


def test_open_image_chooses_the_reader_by_magic(tmp_path: Path) -> None:
    """An ELF core needs no address, and raw memory needs one."""
    core = written(tmp_path, elf_core([(LOW, b"core")]), "core")
    plain = written(tmp_path, b"plain memory", "plain")

    with readers.open_image(core) as memory:
        assert b"core" == memory.read(LOW, 4)
    with readers.open_image(str(plain), HIGH) as memory:
        assert b"plain" == memory.read(HIGH, 5)
    with pytest.raises(s2.UnreadableInput, match="say the physical address"):
        readers.open_image(plain)
    with pytest.raises(s2.InvalidArgument, match="leave load out"):
        readers.open_image(core, LOW)
    with readers.raw(core, LOW) as memory:
        assert b"\x7fELF" == memory.read(LOW, 4)


@pytest.mark.parametrize(
    ("head", "match"),
    [
        (b"makedumpfile\0\0\0\0\1", "makedumpfile -R"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"\xfd7zXZ\0", "unxz"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"QEVM\0\0\0\3", "dump-guest-memory"),
        (b"LibvirtQemudSave", "dump-guest-memory"),
        (b"QFI\xfb", "dump-guest-memory"),
        (b"EMiL\1", "format=raw"),
    ],
)
@pytest.mark.parametrize("load", [None, LOW])
def test_formats_that_are_not_read_are_refused_with_an_alternative(
    tmp_path: Path, head: bytes, match: str, load: int | None
) -> None:
    """An address does not turn them into raw memory."""
    with pytest.raises(s2.UnreadableInput, match=match):
        readers.open_image(written(tmp_path, head + bytes(64)), load)


# kdump


class KDumpBaseException(Exception):
    """Stands for libkdumpfile's."""


@pytest.fixture
def libkdumpfile(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """A stand-in for libkdumpfile's module; the real one has a test of its own."""
    seen: list[dict[str, int]] = []

    class Dump:
        def __init__(self, name: str) -> None:
            if Path(name).stat().st_size < 1000:
                raise KDumpBaseException("too short")
            self.attr: dict[str, int] = {}
            seen.append(self.attr)

        def read(self, space: int, address: int, size: int) -> bytearray:
            assert space == 2
            if address >= 1 << 40:
                raise KDumpBaseException("Out-of-bounds PFN")
            return bytearray(size)

    module: Any = types.ModuleType("kdumpfile")
    module.kdumpfile, module.KDUMP_MACHPHYSADDR = Dump, 2
    exceptions: Any = types.ModuleType("kdumpfile.exceptions")
    exceptions.KDumpBaseException = KDumpBaseException
    monkeypatch.setitem(sys.modules, "kdumpfile", module)
    monkeypatch.setitem(sys.modules, "kdumpfile.exceptions", exceptions)
    return seen


def kdump_file(folder: Path, size: int = 4096) -> Path:
    """Write the beginning of a kdump with blocks of 64 KiB."""
    head = b"KDUMP   ".ljust(428, b"\0") + struct.pack("<i", 65536)
    return written(folder, head.ljust(size, b"\0"), "kdump")


def test_libkdumpfile_is_told_the_block_size_of_a_kdump(
    tmp_path: Path, libkdumpfile: list[dict[str, int]]
) -> None:
    """The block size is in the header of the file."""
    with readers.open_image(kdump_file(tmp_path)) as memory:
        assert [{"arch.page_size": 65536}] == libkdumpfile
        found = memory.read(LOW, 8)

        assert type(found) is bytes
        assert bytes(8) == found
        assert b"" == memory.read(LOW, 0)
        with pytest.raises(s2.MemoryReadError, match="at 0x10000000000: Out-of-b"):
            memory.read(1 << 40, 8)
    with pytest.raises(s2.InvalidArgument, match="is closed"):
        memory.read(LOW, 8)


@pytest.mark.usefixtures("libkdumpfile")
def test_a_damaged_kdump_is_refused(tmp_path: Path) -> None:
    """The error has the words of the library, if it was asked."""
    with pytest.raises(
        s2.UnreadableInput, match=r"libkdumpfile cannot read .*too short"
    ):
        readers.kdump(kdump_file(tmp_path, 500))
    with pytest.raises(s2.UnreadableInput, match="or truncated"):
        readers.kdump(written(tmp_path, b"KDUMP   "))


def test_without_libkdumpfile_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install, or how to convert the file."""
    monkeypatch.setitem(sys.modules, "kdumpfile", None)
    with pytest.raises(s2.UnreadableInput, match=r"python3-libkdumpfile.*makedumpfile"):
        readers.open_image(kdump_file(tmp_path))


# Weight

WALK = r"""
import re, sys
import s2geom as s2
from s2geom import readers
shape = s2.Geometry(12, 40, 1)
with readers.open_image(sys.argv[1], 0x4000_0000) as memory:
    found = s2.walk(shape, 0x4000_0000, 0x8000_0000, memory.read)
most = re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]
print(found.output_address, most)
"""
MOST_KIB = 60 << 10


def test_a_walk_in_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    """A walk in a sparse file of 1 GiB needs no more than 60 MiB."""
    path = tmp_path / "ram"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(2 * 8)
        file.write((0x9000_0000 << 0 | 1 << 10 | 3 << 6 | 1).to_bytes(8, "little"))
    done = subprocess.run(
        [sys.executable, "-c", WALK, path], check=True, capture_output=True, text=True
    )
    address, resident = map(int, done.stdout.split())

    assert 0x8000_0000 == address
    assert MOST_KIB > resident
