# SPDX-License-Identifier: MIT
"""`kdump`: compressed dumps, through libkdumpfile where that is installed."""

from struct import Struct
from typing import Any

from s2geom.core.errors import InvalidArgument, MemoryReadError, UnreadableInput
from s2geom.readers.image import FilePath, first_bytes, shown_path
from s2geom.readers.reader import Reader
from s2geom.tables.memory import address_and_size

KDUMP_MAGIC = b"KDUMP   "
BLOCK_SIZE = Struct("<428x i")
"""Where a kdump's header says how large its blocks are. QEMU's have 64 KiB for an arm64
guest, whatever its page size; libkdumpfile takes the page size instead."""

INSTALL = (
    "install libkdumpfile's Python module (Debian: python3-libkdumpfile, for the "
    "system's Python), or convert the file: makedumpfile -E KDUMP CORE"
)


class Kdump(Reader):
    """A kdump file that libkdumpfile reads.

    Args:
        name: Of the file.
        dump: libkdumpfile's object.
        space: Its address space of physical addresses.
        errors: The class of its exceptions.
    """

    __slots__ = ("_dump", "_errors", "_name", "_space")

    def __init__(
        self, name: str, dump: Any, space: int, errors: type[Exception]
    ) -> None:
        self._name, self._dump, self._space, self._errors = name, dump, space, errors

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; see `Reader.read`."""
        address, size = address_and_size(address, size)
        if self._dump is None:
            raise InvalidArgument(f"{self._name} is closed")
        if not size:
            return b""
        try:
            return bytes(self._dump.read(self._space, address, size))
        except (self._errors, OverflowError) as error:
            raise MemoryReadError(
                f"{self._name} has nothing at {address:#x}: {error}"
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._dump = None


def kdump(path: FilePath) -> Kdump:
    """Open a kdump file: makedumpfile's, or QEMU's after ``makedumpfile -R``.

    .. versionadded:: 0.2.0

    Args:
        path: The file.

    Raises:
        UnreadableInput: libkdumpfile is not installed or cannot read the file.
        TypeError: ``path`` is no path.
    """
    name = shown_path(path)
    header = first_bytes(path, BLOCK_SIZE.size)
    if not header.startswith(KDUMP_MAGIC) or len(header) < BLOCK_SIZE.size:
        raise UnreadableInput(f"{name} is no kdump file, or truncated")
    try:
        import kdumpfile  # noqa: PLC0415 - not a dependency
        from kdumpfile.exceptions import KDumpBaseException  # noqa: PLC0415
    except ImportError as error:
        raise UnreadableInput(f"cannot read {name}, a kdump: {INSTALL}") from error
    try:
        dump = kdumpfile.kdumpfile(name)
        [block_size] = BLOCK_SIZE.unpack(header)
        dump.attr["arch.page_size"] = block_size
    except (KDumpBaseException, ValueError, OverflowError) as error:
        raise UnreadableInput(f"libkdumpfile cannot read {name}: {error}") from error
    return Kdump(name, dump, kdumpfile.KDUMP_MACHPHYSADDR, KDumpBaseException)
