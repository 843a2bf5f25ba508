# SPDX-License-Identifier: MIT
"""`raw` and `elf`: files of memory, mapped into this process and never read whole."""

import mmap
import os
import stat
from bisect import bisect_right
from pathlib import Path

from s2geom.core.errors import InvalidArgument, MemoryReadError, UnreadableInput
from s2geom.core.numbers import unsigned
from s2geom.readers.elf_core import Piece, core_pieces
from s2geom.readers.reader import Reader, address_and_size

FilePath = str | os.PathLike[str]
ADDRESSES = 1 << 64


def shown_path(path: object) -> str:
    """Return a path as text for messages.

    Raises:
        TypeError: It is no path.
    """
    name = os.fspath(path)  # type: ignore[call-overload]
    if not isinstance(name, str):
        raise TypeError(f"path must be text or a Path, got {type(name).__name__}")
    return name


def first_bytes(path: FilePath, count: int) -> bytes:
    """Return the beginning of a regular file.

    Raises:
        UnreadableInput: There is no such file, or it is no regular one.
    """
    name = shown_path(path)
    try:
        if not stat.S_ISREG(Path(name).stat().st_mode):  # a device may have no end
            raise UnreadableInput(f"cannot read {name}: it is no regular file")
        with Path(name).open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise UnreadableInput(f"cannot read {name}: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, UnreadableInput):
            raise
        raise UnreadableInput(f"cannot read {name!r}: {error}") from error


def _mapped(path: FilePath) -> mmap.mmap:
    name = shown_path(path)
    if not first_bytes(path, 1):
        raise UnreadableInput(f"{name} is empty")
    try:
        with Path(name).open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"cannot map {name}: {error}") from error


class Image(Reader):
    """A file of physical memory, mapped.

    Args:
        name: Of the file.
        mapped: The mapping.
        pieces: What of it is which memory, sorted, without overlaps.
    """

    __slots__ = ("_file", "_name", "_pieces", "_starts")

    def __init__(self, name: str, mapped: mmap.mmap, pieces: tuple[Piece, ...]) -> None:
        self._name, self._file, self._pieces = name, mapped, pieces
        self._starts = [piece.address for piece in pieces]

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; see `Reader.read`."""
        if type(address) is not int or type(size) is not int or address | size < 0:
            address, size = address_and_size(address, size)
        if self._file.closed:
            raise InvalidArgument(f"{self._name} is closed")
        at = bisect_right(self._starts, address) - 1
        if at >= 0:  # nearly every read is inside one piece
            start, offset, length = self._pieces[at]
            skip = address - start
            if skip + size <= length:
                return self._file[offset + skip : offset + skip + size]
        return self._read_across(at, address, size)

    def _read_across(self, at: int, address: int, size: int) -> bytes:
        missing, end = address, address + size
        parts = []
        for start, offset, length in self._pieces[max(at, 0) :]:
            if start > missing or missing >= end:
                break
            skip = missing - start
            if skip < length:
                part = self._file[offset + skip : offset + min(length, end - start)]
                parts.append(part)
                missing += len(part)
        if missing < end:
            raise MemoryReadError(
                f"{self._name} has nothing at {missing:#x}: {missing - address} of the "
                f"{size} bytes at {address:#x} are there"
            )
        return b"".join(parts)

    def close(self) -> None:
        """Unmap the file."""
        self._file.close()

    def __repr__(self) -> str:
        ranges = ", ".join(
            f"{piece.address:#x}: {piece.size:#x} bytes" for piece in self._pieces[:4]
        )
        more = len(self._pieces) - 4
        return f"<{self._name}: {ranges}{f', {more} more' if more > 0 else ''}>"


def raw(path: FilePath, load: int) -> Image:
    """Open memory as it is, from one address on: a QEMU shared-memory file too.

    .. versionadded:: 0.2.0

    Args:
        path: The file. It is mapped, so its size does not matter, and of memory that a
            running machine shares the present bytes are read.
        load: Physical address of its first byte.

    Raises:
        UnreadableInput: It is no regular file, empty, or cannot be mapped.
        InvalidArgument: ``load`` is negative, or the file ends beyond 64 bits.
        TypeError: A value has the wrong type.
    """
    load = unsigned("load", load)
    mapped = _mapped(path)
    if load + len(mapped) > ADDRESSES:
        size = len(mapped)
        mapped.close()
        raise InvalidArgument(
            f"load must leave room for the file's {size:#x} bytes within 64 bits, got "
            f"{load:#x}"
        )
    return Image(shown_path(path), mapped, (Piece(load, 0, len(mapped)),))


def elf(path: FilePath) -> Image:
    """Open an ELF core of a machine: QEMU's ``dump-guest-memory``, /proc/vmcore.

    All its PT_LOAD segments are read at their physical addresses.

    .. versionadded:: 0.2.0

    Args:
        path: The file.

    Raises:
        UnreadableInput: It is no core of a 64-bit little-endian Arm machine, has no
            physical addresses, or is truncated or damaged.
        TypeError: ``path`` is no path.
    """
    name = shown_path(path)
    mapped = _mapped(path)
    try:
        pieces = core_pieces(name, lambda at, size: mapped[at : at + size], len(mapped))
    except BaseException:
        mapped.close()
        raise
    return Image(name, mapped, pieces)
