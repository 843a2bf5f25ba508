# SPDX-License-Identifier: MIT
"""`Memory`: pieces of physical memory that a table walk can read.

`Memory` holds the pieces without copying them, and a read may cross from one piece into
the next where they touch.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, starmap
from operator import itemgetter
from typing import TypeAlias

from attrs import field, frozen

from s2geom.core.display import PrintedAsRepr
from s2geom.core.errors import InvalidArgument, MemoryReadError, UnreadableInput
from s2geom.core.numbers import integer, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted

ADDRESSES = 1 << 64
"""How many physical addresses there are."""

Read: TypeAlias = Callable[[int, int], bytes | bytearray | memoryview]
"""Takes physical address and size; raises `MemoryReadError` where there is nothing."""


def _chunk(key: object, content: object) -> tuple[int, bytes | memoryview]:
    address = unsigned("address", key)
    if type(content) is bytes:  # quicker to slice than a view of it
        view: bytes | memoryview = content
    else:
        try:
            view = memoryview(content).cast("B")  # type: ignore[arg-type]
        except TypeError:
            kind = type(content).__name__
            message = f"what is at {address:#x} must be bytes, got {kind}"
            raise TypeError(message) from None
    if address + len(view) > ADDRESSES:
        raise InvalidArgument(
            f"chunk at {address:#x} must end within 64 bits of address, but it has "
            f"{len(view):#x} bytes"
        )
    return address, view


def _chunks(value: object) -> tuple[tuple[int, bytes | memoryview], ...]:
    """Sort the chunks, leave out the empty ones, and refuse what overlaps."""
    if not isinstance(value, Mapping):
        raise TypeError(
            f"chunks must be a mapping of address to bytes, got {quoted(value)}"
        )
    chunks = sorted(
        (chunk for chunk in starmap(_chunk, value.items()) if chunk[1]),
        key=itemgetter(0),
    )
    for (below, view), (above, _) in pairwise(chunks):
        if below + len(view) > above:
            raise InvalidArgument(
                f"chunks must not overlap, but the one at {below:#x} ends at "
                f"{below + len(view):#x}, after the one at {above:#x} begins"
            )
    return tuple(chunks)


@public
@frozen(repr=False, eq=False)
class Memory(PrintedAsRepr):
    """Chunks of physical memory, by address.

    The chunks are not copied: one that changes changes what is read. `Memory.read` is
    what `walk` and `scan` want as their ``read``.

    Args:
        chunks: Bytes by the physical address of their first; anything with the buffer
            protocol will do, so a dump can be mapped instead of read.

    Raises:
        InvalidArgument: Two chunks overlap, or one leaves the 64-bit address space.
        TypeError: An address is no integer or a chunk no bytes.

    >>> memory = Memory({0x1000: b"table", 0x1005: b"s"})
    >>> memory.read(0x1002, 4)
    b'bles'
    >>> memory.read(0x1004, 4)
    Traceback (most recent call last):
    s2geom.MemoryReadError: nothing at 0x1006: 2 of the 4 bytes at 0x1004 are there
    """

    _chunks: tuple[tuple[int, bytes | memoryview], ...] = field(
        alias="chunks", converter=_chunks
    )
    _starts: list[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        starts = [address for address, _ in self._chunks]
        object.__setattr__(self, "_starts", starts)

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of memory.

        Args:
            address: Physical address of the first byte.
            size: How many, 0 or more.

        Raises:
            MemoryReadError: A byte is in no chunk; the message names the first.
            InvalidArgument: The address or the size is negative.
            TypeError: One of them is no integer.
        """
        if type(address) is not int or type(size) is not int:
            address, size = address_and_size(address, size)
        at = bisect_right(self._starts, address) - 1
        if at >= 0:  # nearly every read is inside one chunk
            start, chunk = self._chunks[at]
            content = chunk[address - start : address - start + size]
            if len(content) == size:
                return bytes(content)
        # No chunk begins below 0 nor has a negative length, so that is refused here.
        return self._read_across(at, *address_and_size(address, size))

    def _read_across(self, at: int, address: int, size: int) -> bytes:
        chunks = self._chunks[max(at, 0) :]
        rows = ((start, len(chunk)) for start, chunk in chunks)
        places = parts_of_range(rows, address, size)
        return b"".join(
            bytes(chunk[first:end])
            for (_, chunk), (first, end) in zip(chunks, places, strict=False)
        )

    def __repr__(self) -> str:
        rows = [(start, len(chunk)) for start, chunk in self._chunks]
        return f"<Memory {ranges_text(rows)}>"


def address_and_size(address: object, size: object) -> tuple[int, int]:
    """Return what to read as plain integers, which a message can show.

    Raises:
        InvalidArgument: One is negative, or has more than 2048 bits.
        TypeError: One is no integer.
    """
    if type(address) is not int or type(size) is not int:
        address, size = integer("address", address), integer("size", size)
    if address < 0 or size < 0:
        raise InvalidArgument(
            "address and size must not be negative, got "
            f"{quoted(address)} and {quoted(size)}"
        )
    return integer("address", address), integer("size", size)


def parts_of_range(
    pieces: Iterable[tuple[int, int]], address: int, size: int, nothing: str = "nothing"
) -> list[tuple[int, int]]:
    """Return which bytes of each piece make up a range that crosses pieces.

    Args:
        pieces: First address and number of bytes of each, in order, from the one in
            which the range begins.
        address: Of the first byte of the range.
        size: How many bytes it has.
        nothing: How the message of the error begins.

    Raises:
        MemoryReadError: A byte is in no piece; the message names the first.
    """
    found = []
    missing, end = address, address + size
    for start, length in pieces:
        if start > missing or missing >= end:
            break
        found.append((missing - start, min(length, end - start)))
        missing = max(missing, min(start + length, end))
    if missing < end:
        raise MemoryReadError(
            f"{nothing} at {missing:#x}: {missing - address} of the {size} bytes at "
            f"{address:#x} are there"
        )
    return found


def ranges_text(pieces: Sequence[tuple[int, int]]) -> str:
    """Return pieces, given as for `parts_of_range`, as text for a ``repr``."""
    shown = [f"{start:#x}: {length:#x} bytes" for start, length in pieces[:4]]
    if len(pieces) > len(shown):
        shown.append(f"{len(pieces) - len(shown)} more")
    return ", ".join(shown)


RIGHT_CALLS = (
    (Memory, "; pass its method, memory.read"),
    (Mapping, "; pass Memory(chunks).read"),
    (
        (bytes, bytearray, memoryview),
        "; pass Memory({address: data}).read, with the address of its first byte",
    ),
)
"""What was meant instead of a ``read`` that cannot be called, by its type."""


def checked_read(read: object) -> Read:
    """Return a caller's ``read``, if it can be called.

    Raises:
        TypeError: It cannot; for memory itself, the message has the right call.
    """
    if callable(read):
        return read
    hint = next((hint for kind, hint in RIGHT_CALLS if isinstance(read, kind)), "")
    raise TypeError(f"read must be callable, got {quoted(read)}{hint}")


def read_exactly(read: Read, address: int, size: int) -> bytes:
    """Call a caller's ``read``, and check that it returned as many bytes as asked.

    Raises:
        UnreadableInput: It returned another number of bytes.
        TypeError: It returned something that is no bytes.
    """
    content = read(address, size)
    if type(content) is bytes and len(content) == size:  # nearly always
        return content
    return exactly(content, address, size)


def exactly(content: object, address: int, size: int) -> bytes:
    """Return what a caller's ``read`` returned as bytes, if it has the size asked."""
    try:
        data = bytes(memoryview(content))  # type: ignore[arg-type]
    except TypeError:
        kind = type(content).__name__
        message = f"read({address:#x}, {size}) must return bytes, got {kind}"
        raise TypeError(message) from None
    if len(data) != size:
        raise UnreadableInput(
            f"read({address:#x}, {size}) must return {size} bytes, got {len(data)}"
        )
    return data
