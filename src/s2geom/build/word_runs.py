# SPDX-License-Identifier: MIT
"""`WordRun`: consecutive descriptors that differ by their address alone, as bytes.

The words of a run of pages or blocks, and those of links to tables side by side, count
up in equal steps. One long integer holds hundreds of them. Where many tables follow
each other, most of their bytes repeat, so a long mapping is mostly copying.
"""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from struct import pack, unpack_from

from attrs import frozen

WORD_BYTES = 8
WORD_BITS = 64

IN_PLACE_BITS = 48
"""Address bits below are in place in every layout: what crosses no multiple of
``1 << 48`` is a progression of words too."""

CHUNK = 512
"""Words that one integer holds: a 4K table, and a part of every larger one."""


@frozen
class WordRun:
    """Descriptors at consecutive entries of a level.

    Args:
        index: The first's entry, counted over all tables of the level.
        first: The first's word.
        shift: log2 of the difference between neighbours.
        count: How many they are.
    """

    index: int
    first: int
    shift: int
    count: int

    @property
    def end(self) -> int:
        """The entry after the last."""
        return self.index + self.count

    def part(self, start: int, end: int) -> "WordRun":
        """Return the descriptors from one entry to another."""
        first = self.first + ((start - self.index) << self.shift)
        return WordRun(start, first, self.shift, end - start)

    def spans(self, entries: int) -> Iterator[tuple[int, int]]:
        """Yield the run's entries in whole tables apart from those before and after.

        Args:
            entries: Entries of a table.
        """
        first = min(-(-self.index // entries) * entries, self.end)
        last = max(self.end // entries * entries, first)
        cuts = pairwise((self.index, first, last, self.end))
        return (span for span in cuts if span[0] < span[1])

    def image(self) -> bytes:
        """Return the descriptors as they lie in memory."""
        return _image(self.first, self.shift, self.count)

    def tables(self, entries: int) -> list[bytes]:
        """Return the descriptors table by table; they fill a whole number of tables.

        Args:
            entries: Entries of a table, a power of two.
        """
        count = self.count // entries
        table_shift = self.shift + entries.bit_length() - 1
        column = table_shift // 8  # of bytes, the lowest that tells tables apart
        repeat = 1 << 8 * (column + 1) - table_shift  # tables until it is back
        if count > repeat:
            return self._repeating(entries, repeat, column)
        return [
            _image(self.first + (number << table_shift), self.shift, entries)
            for number in range(count)
        ]

    def _repeating(self, entries: int, repeat: int, column: int) -> list[bytes]:
        """Return tables cut from a buffer in which only the upper bytes change."""
        size, words = entries * WORD_BYTES, repeat * entries
        before = self.first >> self.shift & (words - 1)
        word = self.first - (before << self.shift)
        buffer = bytearray(_image(word, self.shift, words))
        view, end = memoryview(buffer), len(buffer)
        tables: list[bytes] = []
        start, rest = before * WORD_BYTES, b""  # of a table that the next buffer ends
        while True:
            if rest:
                start = size - len(rest)
                tables.append(rest + view[:start])
            whole = end - (end - start) % size
            tables += [bytes(view[at : at + size]) for at in range(start, whole, size)]
            if len(tables) * entries >= self.count:
                return tables[: self.count // entries]
            start, rest = 0, bytes(view[whole:])
            word += words << self.shift
            for high in range(column + 1, IN_PLACE_BITS // 8):
                value = word >> 8 * high & 0xFF
                if buffer[high] != value:
                    buffer[high::WORD_BYTES] = bytes([value]) * words


def _image(first: int, shift: int, count: int) -> bytes:
    ones, ramp = _pattern(shift)
    chunks = []
    while count > CHUNK:
        chunks.append((first * ones + ramp).to_bytes(CHUNK * WORD_BYTES, "little"))
        first += CHUNK << shift
        count -= CHUNK
    if count < CHUNK:
        mask = (1 << WORD_BITS * count) - 1
        ones, ramp = ones & mask, ramp & mask
    chunks.append((first * ones + ramp).to_bytes(count * WORD_BYTES, "little"))
    return b"".join(chunks)


@cache  # one a size of leaf, of which there are ten
def _pattern(shift: int) -> tuple[int, int]:
    """Return a chunk of ones, and one of the multiples of ``1 << shift``."""
    ones = pack(f"<{CHUNK}Q", *[1] * CHUNK)
    ramp = pack(f"<{CHUNK}Q", *range(0, CHUNK << shift, 1 << shift))
    return int.from_bytes(ones, "little"), int.from_bytes(ramp, "little")


def read(image: bytes | bytearray, start: int, end: int) -> tuple[int, ...]:
    """Return the words of some entries of a table."""
    return unpack_from(f"<{end - start}Q", image, start * WORD_BYTES)
