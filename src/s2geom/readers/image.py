# SPDX-License-Identifier: MIT
"""`raw` and `elf`: files of memory, mapped into this process and never read whole."""

import mmap
import os
import stat
from bisect import bisect_right
from pathlib import Path

from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.core.numbers import unsigned
from s2geom.readers.elf_core import Segment, core_segments
from s2geom.readers.reader import Reader
from s2geom.tables.memory import (
    ADDRESSES,
    address_and_size,
    parts_of_range,
    ranges_text,
)

FilePath = str | os.PathLike[str]


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
        # Asked before it is opened: a pipe would wait, and a device may have no end.
        if stat.S_ISREG(Path(name).stat().st_mode):
            with Path(name).open("rb") as file:
                return file.read(count)
    except OSError as error:
        raise UnreadableInput(f"cannot read {name}: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableInput(f"cannot read {name!r}: {error}") from error
    raise UnreadableInput(f"cannot read {name}: it is no regular file")


def _memory_map(path: FilePath) -> mmap.mmap:
    name = shown_path(path)
    if not first_bytes(path, 1):
        raise UnreadableInput(f"{name} is empty")
    try:
        with Path(name).open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"cannot map {name}: {error}") from error


class MappedFile(Reader):
    """A file of physical memory, mapped into this process.

    Args:
        name: Of the file.
        mapped: The mapping.
        segments: Where the file holds which memory, sorted, without overlaps.
    """

    __slots__ = ("_file", "_name", "_segments", "_starts")

    def __init__(
        self, name: str, mapped: mmap.mmap, segments: tuple[Segment, ...]
    ) -> None:
        self._name, self._file, self._segments = name, mapped, segments
        self._starts = [segment.address for segment in segments]

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; see `Reader.read`."""
        if type(address) is not int or type(size) is not int:
            address, size = address_and_size(address, size)
        if self._file.closed:
            raise InvalidArgument(f"{self._name} is closed")
        at = bisect_right(self._starts, address) - 1
        if at >= 0:  # nearly every read is inside one segment
            start, offset, length = self._segments[at]
            first = offset + address - start
            if first <= first + size <= offset + length:
                return self._file[first : first + size]
        return self._read_across(at, *address_and_size(address, size))

    def _read_across(self, at: int, address: int, size: int) -> bytes:
        segments = self._segments[max(at, 0) :]
        rows = ((segment.address, segment.size) for segment in segments)
        places = parts_of_range(rows, address, size, f"{self._name} has nothing")
        return b"".join(
            self._file[segment.offset + first : segment.offset + end]
            for segment, (first, end) in zip(segments, places, strict=False)
        )

    def close(self) -> None:
        """Unmap the file."""
        self._file.close()

    def __repr__(self) -> str:
        rows = [(segment.address, segment.size) for segment in self._segments]
        return f"<{self._name}: {ranges_text(rows)}>"


def raw(path: FilePath, load: int) -> MappedFile:
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
    mapped = _memory_map(path)
    if load + len(mapped) > ADDRESSES:
        size = len(mapped)
        mapped.close()
        raise InvalidArgument(
            f"load must leave room for the file's {size:#x} bytes within 64 bits, got "
            f"{load:#x}"
        )
    segment = Segment(load, 0, len(mapped))
    return MappedFile(shown_path(path), mapped, (segment,))


def elf(path: FilePath) -> MappedFile:
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
    mapped = _memory_map(path)
    try:
        segments = core_segments(
            name, lambda at, size: mapped[at : at + size], len(mapped)
        )
    except BaseException:
        mapped.close()
        raise
    return MappedFile(name, mapped, segments)
