# SPDX-License-Identifier: MIT
"""`CorruptImage`: tables in which one entry is spoiled, and the right answers."""

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.core.display import PrintedAsRepr
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL
from s2geom.registers.fault_status import ACCESS_FLAG, PERMISSION
from s2geom.strategies.images import TableImage, table_images, whole_pages
from s2geom.tables.descriptor import Descriptor
from s2geom.tables.layout import BLOCK, TABLE_OR_PAGE, AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.trace import trace
from s2geom.tables.walk import Translation, walk

RESERVED = "reserved descriptor"
TRUNCATED = "truncated table"
LOOP = "table loop"
FAR_TABLE = "table out of range"
FAR_OUTPUT = "output out of range"

LIKELY = (*[RESERVED] * 4, LOOP, FAR_TABLE, TRUNCATED, FAR_OUTPUT)
"""How often each is drawn: most walkers that fail take a reserved descriptor."""

PLACES = {
    RESERVED: "the reserved descriptor (0b01) at level {}",
    TRUNCATED: "the level {} descriptor where memory ends",
    LOOP: "the level {} descriptor that points at its own page",
    FAR_TABLE: "the level {} descriptor of a table out of memory",
    FAR_OUTPUT: "the level {} leaf with the highest output address",
}
"""What is said of a place in a spoiled image, by kind."""

ENTRY_SIZE = 1 << DESCRIPTOR_SHIFT


@frozen(repr=False)
class CorruptImage(PrintedAsRepr):
    """A `TableImage` in which one descriptor is spoiled, or the table that it is in.

    The ``repr`` is Python that makes the image again. The kinds are:

    - ``"reserved descriptor"``: bits 1:0 are 0b01 at level 3, or where there are no
      blocks. Nothing is mapped.
    - ``"truncated table"``: memory ends where the descriptor begins.
    - ``"table loop"``: the descriptor points at the page that it is in.
    - ``"table out of range"``: the next table is at the highest page that descriptors
      can hold, where there is no memory.
    - ``"output out of range"``: the leaf maps to the highest address that descriptors
      can hold. A CPU with fewer bits gives an Address size fault.

    Args:
        image: The tables before.
        kind: What is wrong.
        ipa: An address whose walk reads the descriptor.
        level: The level of the descriptor.

    Raises:
        InvalidArgument: The walk reads no descriptor that can be spoiled in this way.

    .. versionadded:: 0.2.0
    """

    image: TableImage
    kind: str
    ipa: int
    level: int

    def __attrs_post_init__(self) -> None:
        if (self.kind, self.level) not in damages(self.image, self.ipa):
            raise InvalidArgument(
                f"the walk of {self.ipa:#x} reads no descriptor at level {self.level} "
                f"that can become a {self.kind}"
            )

    @property
    def geometry(self) -> Geometry:
        """The shape of the tables."""
        return self.image.geometry

    @property
    def root(self) -> int:
        """Physical address of the PGD, in bytes."""
        return self.image.root

    @property
    def images(self) -> dict[int, bytes]:
        """The tables, spoiled, and cut off where memory ends."""
        images = whole_pages(self.geometry, self.image.images)
        address, entry = lookups(self.image, self.ipa)[self.level]
        table = max(start for start in images if start <= address)
        at = address - table
        before, after = images[table][:at], images[table][at + ENTRY_SIZE :]
        spoiled = self._spoiled(address, entry).to_bytes(ENTRY_SIZE, "little")
        cut_off = self.kind == TRUNCATED
        return images | {table: before if cut_off else before + spoiled + after}

    def _spoiled(self, address: int, entry: Descriptor) -> int:
        shape, layout = self.geometry, AddressLayout.of(self.geometry)
        if self.kind == RESERVED:
            return entry.word & ~TABLE_OR_PAGE | BLOCK
        if self.kind == LOOP:
            return int(Descriptor.table(shape, self.level, address & -shape.page_size))
        level = LAST_LEVEL if self.kind == FAR_TABLE else self.level
        shift = shape.granule.level_shift(level)
        highest = (1 << layout.address_bits) - (1 << shift)
        return entry.word & ~layout.word_mask(shift) | layout.encode(highest, shift)

    @property
    def memory(self) -> Memory:
        """The tables, as what `walk` and `scan` read from."""
        return Memory(self.images)

    @property
    def places(self) -> dict[int, str]:
        """Addresses whose walk reads what is spoiled, and where they are."""
        size = self.geometry.level(self.level).entry_size
        last = min(self.ipa | (size - 1), self.geometry.ipa_size - 1)
        spoiled = PLACES[self.kind].format(self.level)
        return {
            self.ipa & -size: f"the first byte under {spoiled}",
            last: f"the last byte under {spoiled}",
            self.ipa: f"under {spoiled}",
        }

    def addresses(self) -> SearchStrategy[int]:
        """Return a strategy for IPAs: half are `places`, half are the image's."""
        return st.sampled_from([*self.places]) | self.image.addresses()

    def output_addresses(self, ipa: int) -> tuple[int | None, ...]:
        """Return what a walker may answer: physical addresses, or None for a fault.

        The first is the answer of a CPU that has everything. There is a second where
        right walkers differ: one that reads whole tables fails in a table that is cut
        off, and one that reports addresses may ignore the access flag and permissions,
        which a table that is read as a leaf has by accident.
        """
        shape = self.geometry
        answer = walk(shape, self.root, ipa, self.memory.read)
        if isinstance(answer, Translation):
            fails = self.kind == TRUNCATED and self._is_in_cut_table(ipa)
            return (answer.output_address, None) if fails else (answer.output_address,)
        leaf = answer.descriptor
        if leaf is None or answer.kind not in {ACCESS_FLAG, PERMISSION}:
            return (None,)
        offset = ipa & (shape.level(answer.level).entry_size - 1)
        return None, (leaf.output_address or 0) | offset

    def _is_in_cut_table(self, ipa: int) -> bool:
        """Return whether a walk fails that reads the table whole that is cut off."""
        images, whole = self.images, whole_pages(self.geometry, self.image.images)
        uncut = {at: table for at, table in whole.items() if table == images[at]}
        answer = walk(self.geometry, self.root, ipa, Memory(uncut).read)
        return not isinstance(answer, Translation)

    def __repr__(self) -> str:
        where = f"ipa={self.ipa:#x}, level={self.level}"
        return f"CorruptImage({self.image!r}, {self.kind!r}, {where})"


def lookups(image: TableImage, ipa: int) -> dict[int, tuple[int, Descriptor]]:
    """Return what the walk of an address reads: by level, where, and what is there."""
    steps = trace(image.geometry, image.root, ipa, image.memory.read).steps
    return {
        step.level: (step.address, step.descriptor) for step in steps if step.descriptor
    }


def damages(image: TableImage, ipa: int) -> list[tuple[str, int]]:
    """Return what can be spoiled on the walk of an address, as ``(kind, level)``."""
    shape, found = image.geometry, []
    for level, (_, entry) in reversed(lookups(image, ipa).items()):
        found.append((TRUNCATED, level))
        # Whether 64K pages have blocks at level 1 is not told by the shape alone.
        spoiled = entry.word & ~TABLE_OR_PAGE | BLOCK
        if Descriptor.from_int(spoiled, shape, level, lpa=True).kind == "reserved":
            found.append((RESERVED, level))
        if entry.kind == "table":
            found += [(LOOP, level), (FAR_TABLE, level)]
        if entry.is_leaf:
            found.append((FAR_OUTPUT, level))
    return found


@st.composite
def corrupt_images(draw: DrawFn, geometry: Geometry | None = None) -> CorruptImage:
    """Return a strategy for tables in which one entry is spoiled: see `CorruptImage`.

    Half of them have a reserved descriptor, where the shape can have one.

    Args:
        geometry: The shape of the tables; None for any legal one.

    .. versionadded:: 0.2.0
    """
    image = draw(table_images(geometry))
    number = draw(st.integers(0, 9)) % len(image.mappings)
    ipa, _, size, _ = image.mappings[number]
    ipa = draw(st.sampled_from((ipa, ipa + size - 1, ipa + size // 2)))
    levels: dict[str, list[int]] = {}
    for kind, level in damages(image, ipa):
        levels.setdefault(kind, []).append(level)
    kind = draw(st.sampled_from([kind for kind in LIKELY if kind in levels]))
    level = draw(st.sampled_from(levels[kind]))
    return CorruptImage(image, kind, ipa, level)
