# SPDX-License-Identifier: MIT
"""The engine of `TableBuilder`: tables as they lie in memory, and changes to them.

*State.* One dict, `Tree.state`, has the tables by their addresses; what is mapped is
read from them. The PGD is in it by pages, so that changing it costs no more than
changing another table. No table but the PGD is ever empty.

*All or nothing.* A change is a `Draft`: it writes to copies of the tables, and reads
them before the tree's own. `Draft.publish` puts all of them into the tree by one
`dict.update`. A draft that ends in an exception leaves the tree as it was.

*Order.* A draft makes descriptors invalid, invalidates the TLB, fills new tables, and
links them last. So every change breaks before it makes, and no table can be reached
before it is complete.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from struct import pack, pack_into
from typing import Any, TypeAlias

from attrs import define, field

from s2geom.build.cover import LeafRun
from s2geom.build.word_runs import IN_PLACE_BITS, WORD_BYTES, WordRun, read
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry, Level
from s2geom.core.granule import LAST_LEVEL
from s2geom.tables.descriptor import CONTIGUOUS_BIT
from s2geom.tables.layout import TABLE_OR_PAGE, AddressLayout

WRITE = "write"
INVALIDATE = "invalidate"
BARRIER = "barrier"

RecordedStep: TypeAlias = tuple[str, int, bytes | int]
"""A kind, where, and what: bytes to write, or how many bytes of IPA to invalidate."""

Leaves: TypeAlias = tuple[Level, WordRun]
"""Leaves to install: the level they stand at, and their descriptors."""

Words: TypeAlias = dict[int, dict[int, int]]
"""Descriptors of one level: by the number of their table, then by their index in it."""

LevelWords: TypeAlias = dict[int, Words]
"""Descriptors by the number of their level."""

Address: TypeAlias = int
Table: TypeAlias = bytes | bytearray
"""A published table never changes; a draft changes a copy."""

NEXT, STEPS = -1, -2
"""Keys of the state besides addresses: the first address above all tables that there
have been, and the number of recorded steps."""


class OverlapError(Exception):
    """A descriptor is to be written where there is one."""


@define(eq=False)
class Tree:
    """Tables in memory.

    Args:
        geometry: Their shape.
        layout: Where descriptors keep addresses.
        root: Address of the PGD; the other tables are above it.
        record: Whether to keep the steps of every change.
    """

    geometry: Geometry
    layout: AddressLayout
    root: Address
    record: bool
    levels: tuple[Level, ...] = field(init=False)
    state: dict[int, Any] = field(init=False)
    steps: list[RecordedStep] = field(init=False, factory=list)
    # A heap with every address below `NEXT` that has no table. It may have others too:
    # what it has is looked up in the state before it is used.
    free: list[Address] = field(init=False, factory=list)
    taken: list[Address] = field(init=False, factory=list)  # off the heap, by a draft

    def __attrs_post_init__(self) -> None:
        size, page = self.geometry.pgd_size, self.geometry.page_size
        self.levels = self.geometry.table_levels
        piece = bytes(min(size, page))
        pieces = range(self.root, self.root + size, page)
        self.state = dict.fromkeys(pieces, piece)
        self.state |= {NEXT: -(-(self.root + size) // page) * page, STEPS: 0}

    def copy(self) -> "Tree":
        """Return a tree that shares nothing that changes with this one."""
        other = Tree(self.geometry, self.layout, self.root, self.record)
        other.state, other.steps = self.state.copy(), self.steps.copy()
        other.free = sorted(self.free + self.taken)
        return other

    def images(self) -> dict[Address, bytes]:
        """Return the tables by address; the pieces of the PGD are one."""
        state, page = self.state, self.geometry.page_size
        end = self.root + self.geometry.pgd_size
        pgd = b"".join(state[at] for at in range(self.root, end, page))
        others = (at for at in sorted(state) if at >= end and state[at])
        return {self.root: pgd} | {at: bytes(state[at]) for at in others}

    def recorded(self) -> list[RecordedStep]:
        """Return the steps of all changes that were published."""
        return self.steps[: self.state[STEPS]]

    def draft(self) -> "Draft":
        """Begin a change."""
        while self.taken:  # by a draft that was not published
            heappush(self.free, self.taken[-1])
            self.taken.pop()
        return Draft(self, self.state[NEXT])


@define(eq=False)
class Draft:
    """A change that nobody sees until it is published.

    Args:
        tree: What it changes.
        next: The first address above all tables.
    """

    tree: Tree
    next: Address
    new: dict[int, Any] = field(init=False, factory=dict)
    """Tables of this change by address, None for one that is freed."""
    steps: list[RecordedStep] = field(init=False, factory=list)

    def publish(self) -> None:
        """Make the change: all of it, or nothing where an exception comes between."""
        tree, new = self.tree, self.new
        state = tree.state
        if tree.record:
            del tree.steps[state[STEPS] :]  # of a change that was not published
            tree.steps += self.steps
            new[STEPS] = len(tree.steps)
        new[NEXT] = self.next
        # With a place for each key, the update that makes the change allocates nothing.
        state.update(dict.fromkeys(new.keys() - state.keys()))
        state.update(new)
        tree.taken.clear()

    # Reading

    def _table(self, address: Address) -> Table:
        table: Table | None = self.new.get(address)
        return self.tree.state[address] if table is None else table

    def _roots(self, start: int, end: int) -> Iterator[tuple[Address, int]]:
        """Yield the tables of the PGD for a range, and the first IPA of each."""
        geometry = self.tree.geometry
        shift = geometry.pgdir_shift + geometry.stride
        for number in range(start >> shift, (end - 1 >> shift) + 1):
            yield self.tree.root + number * geometry.page_size, number << shift

    def leaf_at(self, ipa: int) -> tuple[Level, int] | None:
        """Return the level and the descriptor of the leaf that maps an address."""
        [(address, base)] = self._roots(ipa, ipa + 1)
        for level in self.tree.levels:
            index = ipa - base >> level.shift
            (word,) = read(self._table(address), index, index + 1)
            if not _is_link(level, word):
                return (level, word) if word else None
            address, base = self._linked(word), ipa & -level.entry_size
        raise AssertionError  # pragma: no cover - the last level has no links

    def runs(self, start: int, end: int) -> Iterator[tuple[LeafRun, int]]:
        """Yield the leaves that map a part of a range, and each run's first word.

        Leaves are whole, but a contiguous group is cut where the range ends.
        """
        for address, base in self._roots(start, end):
            yield from self._runs(0, address, base, start, end)

    def _runs(
        self, depth: int, address: Address, base: int, start: int, end: int
    ) -> Iterator[tuple[LeafRun, int]]:
        level, table = self.tree.levels[depth], self._table(address)
        index, last = _entries(level, table, base, start, end)
        words = read(table, index, last)
        at = 0
        while at < len(words):
            word, count = words[at], 1
            ipa = base + ((index + at) << level.shift)
            if _is_link(level, word):
                yield from self._runs(depth + 1, self._linked(word), ipa, start, end)
            elif word:
                count = _alike(table, words, index, at, level.shift)
                pa = self.tree.layout.decode(word, level.shift)
                grouped = bool(level.contiguous and word & CONTIGUOUS_BIT)
                yield LeafRun(level, ipa, pa, count, grouped), word
            at += count

    def _linked(self, word: int) -> Address:
        return self.tree.layout.decode(word, self.tree.geometry.page_shift)

    def _find(self, depth: int, number: int) -> Address | None:
        """Return the table of a level with a number, or None if there is none.

        Raises:
            OverlapError: A leaf is in its place.
        """
        geometry = self.tree.geometry
        region = self.tree.levels[depth].shift + geometry.stride
        [(address, base)] = self._roots(number << region, (number << region) + 1)
        for above in self.tree.levels[:depth]:
            index = (number << region) - base >> above.shift
            (word,) = read(self._table(address), index, index + 1)
            if not word:
                return None
            if not _is_link(above, word):
                raise OverlapError
            address, base = self._linked(word), base + (index << above.shift)
        return address

    # Clearing

    def replace(self, start: int, end: int, leaves: Sequence[Leaves]) -> None:
        """Let leaves take the place of everything in a range.

        Args:
            start: The range's first IPA. No leaf or contiguous group reaches from the
                range over one of its ends.
            end: The IPA after it.
            leaves: What takes its place, within it.

        Raises:
            InvalidArgument: There is no room for tables.
        """
        kept = [
            (level.number, words.index << level.shift, words.end << level.shift)
            for level, words in leaves
        ]
        before, unlinked = len(self.steps), list[Address]()
        for address, base in self._roots(start, end):
            self._clear(0, address, base, (start, end), kept, unlinked)
        empty = bytes(self.tree.geometry.page_size)
        for address in sorted(unlinked):
            # Nothing leads here any more. It is cleared for whoever has it next.
            self.new[address] = None
            heappush(self.tree.free, address)
            self.steps.append((WRITE, address, empty))
        if len(self.steps) > before:
            self.steps.append((INVALIDATE, start, end - start))
        self.fill(leaves, {})

    def _clear(
        self,
        depth: int,
        address: Address,
        base: int,
        gone: tuple[int, int],
        kept: list[tuple[int, int, int]],
        unlinked: list[Address],
    ) -> bool:
        """Clear a range of a table, and of those below; return whether it is needed.

        A table in which nothing is left, and nothing will be, is not changed.
        """
        level, table = self.tree.levels[depth], self._table(address)
        first, last = _entries(level, table, base, *gone)
        end = base + (len(table) // WORD_BYTES << level.shift)
        needed = (
            depth == 0
            or table[: first * WORD_BYTES] != bytes(first * WORD_BYTES)
            or table[last * WORD_BYTES :] != bytes(len(table) - last * WORD_BYTES)
            or any(
                number >= level.number and start < end and base < stop
                for number, start, stop in kept
            )
        )
        begin, stop = first, last
        # Tables below the first and the last entry may reach out of the range.
        for index in sorted({first, last - 1}):
            (word,) = read(table, index, index + 1)
            ipa = base + (index << level.shift)
            inside = gone[0] <= ipa and ipa + level.entry_size <= gone[1]
            if _is_link(level, word) and not inside:
                below = self._linked(word)
                if self._clear(depth + 1, below, ipa, gone, kept, unlinked):
                    needed = True
                    if index == first:
                        begin = index + 1
                    else:
                        stop = index
        if needed:
            self._empty(depth, address, begin, stop, unlinked)
        return needed

    def _empty(
        self,
        depth: int,
        address: Address,
        begin: int,
        stop: int,
        unlinked: list[Address],
    ) -> None:
        """Clear some entries of a table, and list the tables that they lead to."""
        words = read(self._table(address), begin, stop)
        used = [at for at, word in enumerate(words) if word]
        if not used:
            return
        for at in used:
            if _is_link(self.tree.levels[depth], words[at]):
                unlinked += self._below(depth + 1, self._linked(words[at]))
        at = (begin + used[0]) * WORD_BYTES
        zeros = bytes((used[-1] + 1 - used[0]) * WORD_BYTES)
        self._open(address)[at : at + len(zeros)] = zeros
        self.steps.append((WRITE, address + at, zeros))

    def _below(self, depth: int, address: Address) -> Iterator[Address]:
        """Yield a table and all that it leads to."""
        yield address
        level, table = self.tree.levels[depth], self._table(address)
        if level.number < LAST_LEVEL:
            for word in read(table, 0, len(table) // WORD_BYTES):
                if _is_link(level, word):
                    yield from self._below(depth + 1, self._linked(word))

    # Filling

    def fill(self, leaves: Sequence[Leaves], words: LevelWords) -> None:
        """Install leaves where nothing is.

        Args:
            leaves: Runs of them.
            words: Further leaves, one by one.

        Raises:
            InvalidArgument: There is no room for tables.
            OverlapError: Something is there, or two of the leaves overlap.
        """
        links: list[WordRun] = []
        link_words: Words = {}
        writes: list[RecordedStep] = []
        before = len(self.steps)
        for depth in reversed(range(len(self.tree.levels))):
            number = self.tree.levels[depth].number
            here = [run for level, run in leaves if level.number == number]
            here = sorted(here + links, key=lambda run: run.index)
            links, parts = self._whole_tables(depth, here)
            some = words.get(number, {})
            for table, indices in link_words.items():
                _add_words(some.setdefault(table, {}), indices)
            link_words = self._part_tables(depth, parts, some, writes)
        if len(self.steps) > before:
            self.steps.append((BARRIER, 0, 0))
        self.steps += writes

    def _whole_tables(
        self, depth: int, runs: Iterable[WordRun]
    ) -> tuple[list[WordRun], dict[int, list[WordRun]]]:
        """Make the tables that one run fills.

        Returns:
            The links to them, and the rest of the runs by the number of its table.
        """
        entries = self.tree.geometry.granule.entries
        links: list[WordRun] = []
        parts: dict[int, list[WordRun]] = {}
        for run in runs:
            start = run.index
            while start < run.end:
                number, offset = divmod(start, entries)
                whole = 0 if offset or depth == 0 else (run.end - start) // entries
                end = min(start + max(whole, 1) * entries - offset, run.end)
                part = run.part(start, end)
                if whole:
                    addresses = self._take(whole)
                    tables = part.tables(entries)
                    self.new.update(zip(addresses, tables, strict=True))
                    if self.tree.record:
                        self.steps += [
                            (WRITE, *new) for new in zip(addresses, tables, strict=True)
                        ]
                    links += self._links(number, addresses)
                else:
                    parts.setdefault(number, []).append(part)
                start = end
        return links, parts

    def _part_tables(
        self,
        depth: int,
        parts: dict[int, list[WordRun]],
        words: Words,
        writes: list[RecordedStep],
    ) -> Words:
        """Write into tables that are there, or make them; return the links to new ones.

        What is written into tables that a CPU may read is added to ``writes``.
        """
        stride, page_shift = self.tree.geometry.stride, self.tree.geometry.page_shift
        encode = self.tree.layout.encode
        mask = (1 << stride) - 1
        links: Words = {}
        for number in sorted({*parts, *words}):
            address = self._find(depth, number)
            is_new = address is None
            if address is None:
                [address] = self._take(1)
                self.new[address] = bytearray(self.tree.geometry.page_size)
                link = encode(address, page_shift) | TABLE_OR_PAGE
                links.setdefault(number >> stride, {})[number & mask] = link
            late = self._write(address, parts.get(number, ()), words.get(number, {}))
            if is_new:
                self.steps.append((WRITE, address, self.new[address]))
            else:
                writes += late
        return links

    def _write(
        self, address: Address, runs: Iterable[WordRun], words: dict[int, int]
    ) -> list[RecordedStep]:
        """Write descriptors into empty entries of a table, and return the steps."""
        table = self._open(address)
        steps: list[RecordedStep] = []
        for run in runs:
            at, image = run.index * WORD_BYTES % len(table), run.image()
            if table[at : at + len(image)] != bytes(len(image)):
                raise OverlapError
            table[at : at + len(image)] = image
            steps.append((WRITE, address + at, image))
        for index, word in words.items():
            if read(table, index, index + 1) != (0,):
                raise OverlapError
            pack_into("<Q", table, index * WORD_BYTES, word)
        if self.tree.record:
            steps += [
                (WRITE, address + index * WORD_BYTES, pack("<Q", word))
                for index, word in words.items()
            ]
        return steps

    def _open(self, address: Address) -> bytearray:
        """Return a table of this change, to be written."""
        table = self._table(address)
        if address not in self.new or isinstance(table, bytes):
            table = self.new[address] = bytearray(table)
        return table

    def _take(self, count: int) -> list[Address]:
        """Take the lowest free places for tables."""
        tree, page = self.tree, self.tree.geometry.page_size
        addresses: list[Address] = []
        while tree.free and len(addresses) < count:
            address = tree.free[0]
            tree.taken.append(address)  # first, so that an exception loses no address
            heappop(tree.free)
            if self._is_free(address):
                self.new[address] = b""  # taken, and not filled yet
                addresses.append(address)
        fresh = count - len(addresses)
        end, limit = self.next + fresh * page, 1 << tree.layout.address_bits
        if end > limit:
            raise InvalidArgument(
                f"no room for {fresh} more tables: they would end at {end:#x}, but "
                f"{tree.layout.address_bits}-bit addresses end at {limit:#x}; "
                "use a lower base"
            )
        addresses += range(self.next, end, page)
        self.next = end
        return addresses

    def _is_free(self, address: Address) -> bool:
        if address in self.new:
            return self.new[address] is None
        state = self.tree.state
        return address < state[NEXT] and state.get(address) is None

    def _links(self, number: int, addresses: Sequence[Address]) -> Iterator[WordRun]:
        """Yield the descriptors of new tables, as few runs of words as they can be."""
        layout, shift = self.tree.layout, self.tree.geometry.page_shift
        start = 0
        while start < len(addresses):
            first, count = addresses[start], len(addresses) - start
            # Addresses ascend, so the distance of two shows whether there is a gap.
            while (
                addresses[start + count - 1] - first >> shift >= count
                or (addresses[start + count - 1] ^ first) >> IN_PLACE_BITS
            ):
                count = -(-count // 2)
            bits = layout.encode(first, shift) | TABLE_OR_PAGE
            yield WordRun(number + start, bits, shift, count)
            start += count


def _add_words(words: dict[int, int], more: dict[int, int]) -> None:
    """Add descriptors of a table to others, none of them in the place of another."""
    if words.keys() & more.keys():
        raise OverlapError
    words.update(more)


def _is_link(level: Level, word: int) -> bool:
    return word & TABLE_OR_PAGE == TABLE_OR_PAGE and level.number < LAST_LEVEL


def _entries(
    level: Level, table: Table, base: int, start: int, end: int
) -> tuple[int, int]:
    """Return the entries of a table, the first and the one after the last, of a range.

    Args:
        level: The table's level.
        table: The table.
        base: The IPA that its first entry maps.
        start: First IPA of the range, which must not be empty.
        end: The IPA after it.
    """
    first = max(start - base, 0) >> level.shift
    last = ((end - 1 - base) >> level.shift) + 1
    return first, min(last, len(table) // WORD_BYTES)


def _alike(
    table: Table, words: tuple[int, ...], index: int, at: int, shift: int
) -> int:
    """Return how many words from one on are leaves side by side."""
    word, rest = words[at], len(words) - at
    # A whole table of them, or a whole range, is by far the most common.
    if words[-1] == word + (rest - 1 << shift):
        start = (index + at) * WORD_BYTES
        image = WordRun(0, word, shift, rest).image()
        if table[start : start + len(image)] == image:
            return rest
    count = 1
    while count < rest and words[at + count] == word + (count << shift):
        count += 1
    return count
