# SPDX-License-Identifier: MIT
"""`cached`: a slow source, asked for each page once."""

from s2geom.core.errors import InvalidArgument, MemoryReadError
from s2geom.core.numbers import integer_within
from s2geom.readers.reader import Reader
from s2geom.tables.memory import Read, address_and_size, checked_read, read_exactly

MOST_KEPT = 1 << 26
"""Bytes of pages that a cache holds before it is emptied. 64 MiB of last-level tables
map 32 GiB."""


class PageCache(Reader):
    """Pages of another source, read when one of their bytes is.

    Args:
        read: The source.
        page_size: Bytes read at once.
    """

    __slots__ = ("_page_size", "_pages", "_read")

    def __init__(self, read: Read, page_size: int) -> None:
        self._read, self._page_size = read, page_size
        self._pages: dict[int, bytes] = {}

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory; see `Reader.read`."""
        address, size = address_and_size(address, size)
        if size > MOST_KEPT:
            return read_exactly(self._read, address, size)
        within = address % self._page_size
        pages = []
        for at in range(address - within, address + size, self._page_size):
            page = self._page(at)
            if page is None:  # the part that is asked for may be there all the same
                return read_exactly(self._read, address, size)
            pages.append(page)
        return b"".join(pages)[within : within + size]

    def _page(self, address: int) -> bytes | None:
        page = self._pages.get(address)
        if page is None:
            try:
                page = read_exactly(self._read, address, self._page_size)
            except MemoryReadError:
                return None
            if len(self._pages) * self._page_size >= MOST_KEPT:
                self._pages.clear()
            self._pages[address] = page
        return page

    def close(self) -> None:
        """Forget what was read. The source stays open: it is the caller's."""
        self._pages.clear()


def cached(read: Read, size: int = 4096) -> PageCache:
    """Keep pages of a source for which a read costs a round trip, as through gdb.

    .. versionadded:: 0.2.0

    Args:
        read: The source, ``read(physical_address, size)``. What it gives must not
            change meanwhile.
        size: Bytes to read at once, a power of two from 8 to 2**24.

    Raises:
        InvalidArgument: ``size`` is out of range or no power of two.
        TypeError: A value has the wrong type.

    >>> from s2geom import Memory
    >>> with cached(Memory({0x1000: bytes(4096)}).read) as memory:
    ...     memory.read(0x1008, 4).hex()
    '00000000'
    """
    source = checked_read(read)
    size = integer_within("size", size, 8, 1 << 24)
    if size & (size - 1):
        raise InvalidArgument(f"size must be a power of two, got {size}")
    return PageCache(source, size)
