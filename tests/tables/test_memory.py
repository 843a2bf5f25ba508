# SPDX-License-Identifier: MIT
"""`Memory` reads what it was given, across seams, and says what is missing."""

import mmap
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom as s2
from s2geom import Memory


def test_reads_inside_a_chunk() -> None:
    """Any part of a chunk can be read, and 0 bytes."""
    memory = Memory({0x1000: b"abcdef", 0x2000: b"gh"})

    assert memory.read(0x1000, 6) == b"abcdef"
    assert memory.read(0x1002, 3) == b"cde"
    assert memory.read(0x2001, 1) == b"h"
    assert memory.read(0x1003, 0) == b""


def test_reads_across_chunks_that_touch() -> None:
    """Adjacent chunks are read as one, in whatever order they are given."""
    memory = Memory({0x1004: b"ef", 0x1000: b"abcd", 0x1006: b"", 0x1007: b"h"})

    assert memory.read(0x1000, 6) == b"abcdef"
    assert memory.read(0x1003, 2) == b"de"
    with pytest.raises(s2.MemoryReadError, match="nothing at 0x1006: 5 of the 7 bytes"):
        memory.read(0x1001, 7)


@pytest.mark.parametrize(
    ("address", "size", "missing"),
    [
        (0, 1, "0x0"),
        (0xFFF, 2, "0xfff"),
        (0x1004, 1, "0x1004"),
        (0x1003, 2, "0x1004"),
        (0x1FFF, 8, "0x1fff"),
        (1 << 70, 1, "0x400000000000000000"),
    ],
)
def test_the_first_missing_address_is_named(
    address: int, size: int, missing: str
) -> None:
    """Before, between and after the chunks."""
    memory = Memory({0x1000: b"abcd", 0x2000: b"efgh"})

    with pytest.raises(s2.MemoryReadError, match=rf"nothing at {missing}: "):
        memory.read(address, size)


def test_an_empty_memory_has_no_bytes() -> None:
    """Without chunks nothing can be read."""
    with pytest.raises(s2.MemoryReadError, match="nothing at 0x0: 0 of the 8 bytes"):
        Memory({}).read(0, 8)


@given(
    chunks=st.dictionaries(
        st.integers(0, 40), st.binary(min_size=0, max_size=12), max_size=5
    ),
    address=st.integers(0, 50),
    size=st.integers(0, 20),
)
def test_memory_is_bytes_by_address(
    chunks: dict[int, bytes], address: int, size: int
) -> None:
    """Reading gives the byte that is at each address, however chunks are cut."""
    places = [start + at for start, chunk in chunks.items() for at in range(len(chunk))]
    content = {
        start + at: byte
        for start, chunk in chunks.items()
        for at, byte in enumerate(chunk)
    }
    if len(places) > len(content):
        with pytest.raises(s2.InvalidArgument, match="must not overlap"):
            Memory(chunks)
        return
    memory = Memory(chunks)
    wanted = range(address, address + size)
    missing = [at for at in wanted if at not in content]

    if missing:
        with pytest.raises(s2.MemoryReadError, match=f"nothing at {missing[0]:#x}:"):
            memory.read(address, size)
    else:
        assert bytes(content[at] for at in wanted) == memory.read(address, size)


@pytest.mark.parametrize(
    "chunk",
    [bytearray(b"abcdefgh"), memoryview(b"abcdefgh"), array("Q", b"abcdefgh")],
)
def test_chunks_may_be_any_buffer(chunk: Any) -> None:
    """Chunks are read as bytes, whatever their item type."""
    found = Memory({8: chunk}).read(9, 3)

    assert found == b"bcd"
    assert type(found) is bytes


def test_a_chunk_may_be_a_memory_map() -> None:
    """A dump need not be loaded: a memory map is a buffer."""
    with mmap.mmap(-1, 4096) as mapped:
        mapped[:4] = b"dump"
        memory = Memory({0x8000: mapped})

        assert memory.read(0x8000, 4) == b"dump"
        mapped[:4] = b"live"
        assert memory.read(0x8000, 4) == b"live"
        del memory


def test_invalid_chunks_are_refused() -> None:
    """Chunks that overlap or leave 64 bits are refused, with both ends named."""
    with pytest.raises(
        s2.InvalidArgument, match="the one at 0x10 ends at 0x14, after the one at 0x13"
    ):
        Memory({0x13: b"x", 0x10: b"abcd"})
    with pytest.raises(s2.InvalidArgument, match="end within 64 bits of address"):
        Memory({(1 << 64) - 2: b"abc"})
    with pytest.raises(s2.InvalidArgument, match=r"address must be 0\.\."):
        Memory({-1: b"a"})


def test_types_are_checked() -> None:
    """The error names the value of the wrong type."""
    wrong: Any = [b"a"]
    with pytest.raises(TypeError, match="chunks must be a mapping"):
        Memory(wrong)
    wrong = {0x10: "text"}
    with pytest.raises(TypeError, match="what is at 0x10 must be bytes, got str"):
        Memory(wrong)
    wrong = {True: b"a"}
    with pytest.raises(TypeError, match="address must be an integer"):
        Memory(wrong)
    wrong = 1.0
    with pytest.raises(TypeError, match="size must be an integer"):
        Memory({}).read(0, wrong)
    with pytest.raises(s2.InvalidArgument, match="must not be negative, got -1 and 1"):
        Memory({}).read(-1, 1)
    with pytest.raises(s2.InvalidArgument, match="must not be negative, got 1 and -1"):
        Memory({}).read(1, -1)


def test_addresses_may_be_any_integer() -> None:
    """An object with __index__ is an address."""

    class Address:
        def __index__(self) -> int:
            return 0x11

    address: Any = Address()

    assert Memory({0x10: b"abc"}).read(address, 1) == b"b"


def test_repr_is_short() -> None:
    """The repr of many chunks is one line."""
    few = Memory({0x10: b"abc"})
    many = Memory({at * 16: b"abc" for at in range(6)})

    assert repr(few) == "<Memory 0x10: 0x3 bytes>"
    assert repr(many).endswith("0x30: 0x3 bytes, 2 more>")


def test_a_number_that_is_too_long_for_a_message_is_refused() -> None:
    """Python may refuse to write long numbers, which would hide the mistake."""
    memory = s2.Memory({0x1000: b"table"})
    for address, size in ((10**5000, 1), (0x1000, 10**5000)):
        with pytest.raises(s2.InvalidArgument, match="must have at most 2048 bits"):
            memory.read(address, size)
    with pytest.raises(s2.InvalidArgument, match="not be negative, got <int> and 1"):
        memory.read(-(10**5000), 1)
