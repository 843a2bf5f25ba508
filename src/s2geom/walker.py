# SPDX-License-Identifier: MIT
"""`walk` and `scan`: read tables as the CPU does, one address or all of them.

Nothing here does I/O. The caller brings ``read(physical_address, size) -> bytes``: a
dump, a debugger, a `Memory`. What comes back is what the hardware would give, a fault
with its kind and level included.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

from attrs import evolve, field, frozen

from s2geom._regime import TABLE_OR_PAGE, Regime, regime_of
from s2geom._scan import Run, Scan
from s2geom.core.errors import (
    InvalidArgument,
    MemoryReadError,
    UnreadableInput,
    UnsupportedCombination,
)
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT, LAST_LEVEL
from s2geom.core.numbers import integer, integer_within, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import Cpu
from s2geom.descriptor import (
    AddressLayout,
    Attributes,
    Descriptor,
    found_descriptor,
)
from s2geom.memory import Read, exactly
from s2geom.registers.vtcr import VTCR_EL2

# Faults

TRANSLATION = "translation"
ADDRESS_SIZE = "address size"
ACCESS_FLAG = "access flag"
PERMISSION = "permission"
EXTERNAL_ABORT = "external abort"


@frozen
class FaultStatus:
    """How a kind of fault is encoded in ESR_EL2.

    Args:
        at_zero: The status code at level 0; a level is added to it.
        at_minus_one: The code at level -1, or None if it cannot happen there.
    """

    at_zero: int
    at_minus_one: int | None


FAULTS = {
    ADDRESS_SIZE: FaultStatus(0b000000, 0b101001),
    TRANSLATION: FaultStatus(0b000100, 0b101011),
    ACCESS_FLAG: FaultStatus(0b001000, None),
    PERMISSION: FaultStatus(0b001100, None),
    EXTERNAL_ABORT: FaultStatus(0b010100, 0b010011),
}
"""Every kind of fault (Arm ARM D24, ESR_EL2.ISS; pseudocode EncodeLDFSC)."""


@frozen
class Access:
    """Which descriptors allow a kind of access.

    Args:
        mask: The bits of the descriptor that decide.
        values: Their values that allow it.
    """

    mask: int
    values: frozenset[int]


S2AP_READ = 1 << 6
S2AP_WRITE = 1 << 7
ACCESS_FLAG_BIT = 1 << 10
DBM_BIT = 1 << 51
XN_SHIFT = 53

ACCESSES = {
    "read": Access(S2AP_READ, frozenset({S2AP_READ})),
    "write": Access(S2AP_WRITE, frozenset({S2AP_WRITE})),
    # XN: 0 executable, 1 at EL0 only, 2 not at all, 3 at EL1 only (FEAT_XNX)
    "execute": Access(3 << XN_SHIFT, frozenset({0 << XN_SHIFT, 3 << XN_SHIFT})),
    "execute at EL0": Access(3 << XN_SHIFT, frozenset({0 << XN_SHIFT, 1 << XN_SHIFT})),
}
"""What a walk may be for (Arm ARM D8.4; pseudocode AArch64.S2DirectBasePermissions)."""

WRITE_WITH_DBM = Access(
    S2AP_WRITE | DBM_BIT, frozenset({S2AP_WRITE, DBM_BIT, S2AP_WRITE | DBM_BIT})
)
"""A write where hardware manages the dirty state."""


# What comes back


def _spell(address: int | None) -> str:
    return f"{address:#x}" if address is not None else "None"


@public
@frozen
class Translation:
    """What a walk found.

    Args:
        output_address: Physical address of the byte that the IPA names.
        level: Level of the leaf.
        descriptor: The leaf.
    """

    output_address: int = field(repr=hex)
    level: int
    descriptor: Descriptor


@public
@frozen
class Fault:
    """Why a walk found nothing.

    Args:
        kind: ``"translation"``, ``"address size"``, ``"access flag"``,
            ``"permission"`` or ``"external abort"`` (on the walk).
        level: Level that the CPU reports, -1..3.
        address: The IPA that was walked.
        descriptor_address: Where the descriptor is that the walk stopped at, or None
            if it stopped before there was one. It is told, and not compared.

    Raises:
        InvalidArgument: There is no such fault.
        TypeError: A number is no integer.

    >>> Fault("translation", 0, 1 << 40).status
    4
    """

    kind: str
    level: int
    address: int = field(repr=hex)
    descriptor_address: int | None = field(default=None, eq=False, repr=_spell)

    def __attrs_post_init__(self) -> None:
        if self.kind not in FAULTS:
            kinds = ", ".join(FAULTS)
            raise InvalidArgument(
                f"kind must be one of {kinds}, got {quoted(self.kind)}"
            )
        lowest = 0 if FAULTS[self.kind].at_minus_one is None else -1
        numbers = {
            "level": integer_within("level", self.level, lowest, LAST_LEVEL),
            "address": unsigned("address", self.address),
        }
        if self.descriptor_address is not None:
            where = unsigned("descriptor_address", self.descriptor_address)
            numbers["descriptor_address"] = where
        for name, number in numbers.items():
            object.__setattr__(self, name, number)

    @property
    def status(self) -> int:
        """The fault status code, bits 5:0 of ESR_EL2.ISS (DFSC and IFSC)."""
        codes = FAULTS[self.kind]
        if self.level == -1 and codes.at_minus_one is not None:
            return codes.at_minus_one
        return codes.at_zero + self.level


@public
@frozen
class Mapping:
    """A contiguous piece of IPA space that is mapped alike.

    Args:
        ipa: First address, in bytes.
        output_address: Physical address that it maps to.
        size: Bytes.
        attributes: Of every leaf in it. With LPA2 its ``sh`` is VTCR_EL2.SH0, or None
            where no ``vtcr`` was given.
        level: Of every leaf in it.
    """

    ipa: int = field(repr=hex)
    output_address: int = field(repr=hex)
    size: int = field(repr=hex)
    attributes: Attributes
    level: int


# One address


@public
def walk(
    geometry: Geometry,
    root: int,
    ipa: int,
    read: Read,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    access: str = "read",
) -> Translation | Fault:
    """Translate one address as the CPU would.

    What the architecture leaves to an implementation does not fault here: a contiguous
    group wider than the IPA space, nT, and bits of the root below its alignment, which
    count as clear.

    Args:
        geometry: The shape of the tables.
        root: Physical address of the start level's table, in bytes.
        ipa: The address to translate, 0..2**64 - 1; one outside the IPA space is a
            Translation fault at level 0.
        read: ``read(physical_address, size)`` returns that many bytes. If it raises
            `MemoryReadError`, the walk ends in an external abort; anything else that it
            raises is the caller's.
        cpu: Bounds addresses and says which shapes and blocks are legal. None is a CPU
            that can do anything, except that 64K blocks at level 1 are taken as
            `Geometry.block_levels` has them.
        vtcr: VTCR_EL2, for the output size (PS) and for who sets the access flag and
            dirty state (HA, HD). None is the widest output, and software sets them.
        access: ``"read"``, ``"write"``, ``"execute"`` (at EL1) or
            ``"execute at EL0"``.

    Raises:
        InvalidArgument: An address is negative or wider than 64 bits, ``access`` is
            unknown, or ``vtcr`` contradicts the geometry or asks for another format.
        UnreadableInput: ``read`` returned another number of bytes.
        TypeError: A value has the wrong type.

    Source: Arm ARM D8.2 and D8.3; pseudocode AArch64.S2Translate, AArch64.S2Walk.

    >>> from s2geom import Memory
    >>> shape = Geometry(12, 31, 2)  # two tables at level 2
    >>> block = Descriptor.leaf(shape, 2, 0x8000_0000)
    >>> last = Memory({0x1FF8: int(block).to_bytes(8, "little")})
    >>> hex(walk(shape, 0, 0x7FFF_F123, last.read).output_address)
    '0x801ff123'
    >>> walk(shape, 0, 0, last.read)
    Fault(kind='external abort', level=2, address=0x0, descriptor_address=0x0)
    """
    regime = regime_of(geometry, cpu, vtcr)
    root = unsigned("root", root) & regime.root_mask
    ipa = unsigned("ipa", ipa)
    if not callable(read):
        raise TypeError(f"read must be callable, got {quoted(read)}")
    if not isinstance(access, str):
        raise TypeError(f"access must be text, got {quoted(access)}")
    allowed_by = ACCESSES.get(access)
    if allowed_by is None:
        accesses = ", ".join(ACCESSES)
        raise InvalidArgument(f"access must be one of {accesses}, got {quoted(access)}")
    if access == "write" and regime.sets_dirty:
        allowed_by = WRITE_WITH_DBM
    if regime.violations or ipa >> geometry.ipa_bits:
        return Fault(TRANSLATION, 0, ipa)
    if root >> regime.output_bits:
        return Fault(ADDRESS_SIZE, 0, ipa)
    return _from_root(regime, root, ipa, read, allowed_by)


def _from_root(
    regime: Regime, table: int, ipa: int, read: Read, allowed_by: Access
) -> Translation | Fault:
    layout, steps, depth = regime.layout, regime.steps, 0
    moved, move_up = layout.moved_mask, layout.move_up
    while True:
        level, shift, entries, leaf, in_place = steps[depth]
        # Every bit of the start level's index counts: its tables are one array.
        at = table + ((ipa >> shift & (entries - 1)) << DESCRIPTOR_SHIFT)
        try:
            found = read(at, 1 << DESCRIPTOR_SHIFT)
        except MemoryReadError:
            return Fault(EXTERNAL_ABORT, level, ipa, at)
        if type(found) is not bytes or len(found) != 1 << DESCRIPTOR_SHIFT:
            found = exactly(found, at, 1 << DESCRIPTOR_SHIFT)
        word = int.from_bytes(found, "little")
        kind = word & TABLE_OR_PAGE
        if kind == leaf:
            break
        if kind != TABLE_OR_PAGE:
            return Fault(TRANSLATION, level, ipa, at)
        # As AddressLayout.decode, whose call would cost as much as all the rest here.
        table = word & regime.table_address | (word & moved) << move_up
        if table >> regime.output_bits:
            return Fault(ADDRESS_SIZE, level, ipa, at)
        depth += 1

    address = word & in_place | (word & moved) << move_up
    wrong = _leaf_fault(regime, word, address, allowed_by)
    if wrong is not None:
        return Fault(wrong, level, ipa, at)
    address |= ipa & ((1 << shift) - 1)
    leaf_found = found_descriptor(word, level, regime.geometry.granule, layout)
    return Translation(address, level, leaf_found)


def _leaf_fault(
    regime: Regime, word: int, address: int, allowed_by: Access
) -> str | None:
    if address >> regime.output_bits:
        return ADDRESS_SIZE
    if not (word & ACCESS_FLAG_BIT or regime.sets_access_flag):
        return ACCESS_FLAG
    return None if word & allowed_by.mask in allowed_by.values else PERMISSION


# All of them


Range: TypeAlias = tuple[int, int] | range
"""Addresses from a first up to, but not including, a last."""


@public
def scan(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: Range | None = None,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Iterator[Mapping]:
    """Yield everything that is mapped, in IPA order.

    What touches in IPA and in output address is one mapping, also across tables, unless
    it differs in level or attributes. Wherever a walk would end in a Translation or
    Address size fault there is a hole. The access flag and the permissions are
    attributes: what they forbid is mapped all the same. Memory that cannot be read is
    not a hole, as nobody knows what it holds: it is an error.

    Tables may be read in part, and each is read once, when the iteration comes to it.
    Memory does not grow with what is mapped.

    Args:
        geometry: The shape of the tables.
        root: Physical address of the start level's table, in bytes.
        read: As for `walk`.
        ipa_range: The part of the IPA space to look at, (start, end) or a `range`; the
            end is not in it. Mappings are clipped to it. None is all of it.
        cpu: As for `walk`.
        vtcr: As for `walk`.
        progress: Called as ``progress(done, total)``, in bytes of IPA space: before the
            first table, after every 64 tables, and with ``done == total`` at the end.

    Raises:
        UnsupportedCombination: The CPU refuses the shape, so nothing is mapped.
        InvalidArgument: An address or ``ipa_range`` is out of range, or ``vtcr``
            contradicts the geometry or asks for another format.
        MemoryReadError: ``read`` raised it for a table; it passes through.
        UnreadableInput: ``read`` returned another number of bytes; the root is beyond
            the output size; or the tables are no tree, as entries point at tables
            reached before, and more than 2**16 descriptors would be read again.
        TypeError: A value has the wrong type.

    Source: Arm ARM D8.2 and D8.3; pseudocode AArch64.S2Walk.

    >>> from s2geom import Memory
    >>> shape = Geometry(12, 31, 2)  # two tables at level 2
    >>> blocks = (Descriptor.leaf(shape, 2, block << 21) for block in range(7, 1031))
    >>> pgd = b"".join(int(block).to_bytes(8, "little") for block in blocks)
    >>> [found] = scan(shape, 0x4000, Memory({0x4000: pgd}).read)
    >>> found.ipa, hex(found.output_address), hex(found.size), found.level
    (0, '0xe00000', '0x80000000', 2)
    """
    regime = regime_of(geometry, cpu, vtcr)
    root = unsigned("root", root) & regime.root_mask
    start, end = _start_and_end(ipa_range, geometry)
    if not callable(read):
        raise TypeError(f"read must be callable, got {quoted(read)}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable or None, got {quoted(progress)}")
    if regime.violations:
        raise UnsupportedCombination(regime.violations)
    if root >> regime.output_bits:
        raise UnreadableInput(
            f"root {root:#x} is beyond the {regime.output_bits} bits of an output "
            "address: every walk ends in an Address size fault at level 0"
        )
    runs = Scan(regime, read, start, end, progress).runs(root)
    return _merged(runs, start, end, regime)


def _start_and_end(ipa_range: object, geometry: Geometry) -> tuple[int, int]:
    if ipa_range is None:
        return 0, geometry.ipa_size
    if isinstance(ipa_range, range):
        if ipa_range.step != 1:
            raise InvalidArgument(
                f"ipa_range must have step 1, got {quoted(ipa_range)}"
            )
        ipa_range = ipa_range.start, ipa_range.stop
    if not isinstance(ipa_range, tuple) or len(ipa_range) != 2:
        message = f"ipa_range must be (start, end) or a range, got {quoted(ipa_range)}"
        raise TypeError(message)
    start = integer("start of ipa_range", ipa_range[0])
    end = integer("end of ipa_range", ipa_range[1])
    if not 0 <= start <= end <= geometry.ipa_size:
        raise InvalidArgument(
            f"ipa_range must be inside the {geometry.ipa_bits}-bit IPA space, "
            f"0..{geometry.ipa_size:#x}, and not end before it starts; got "
            f"{start:#x} to {end:#x}"
        )
    return start, end


def _merged(
    runs: Iterator[Run], start: int, end: int, regime: Regime
) -> Iterator[Mapping]:
    """Join the runs that touch, and cut what they have outside the range."""
    layout, sh = regime.layout, regime.leaf_sh
    ipa = address = ipa_end = address_end = bits = level = -2  # continues nothing
    attributes = _attributes(0, layout, sh)
    for run_ipa, run_address, size, run_bits, run_level in runs:
        if (
            run_ipa == ipa_end
            and run_address == address_end
            and run_bits == bits
            and run_level == level
        ):
            ipa_end += size
            address_end += size
            continue
        if ipa_end > 0:
            yield Mapping(ipa, address, ipa_end - ipa, attributes, level)
        if run_bits != bits:
            attributes = _attributes(run_bits, layout, sh)
        ipa, address, bits, level = run_ipa, run_address, run_bits, run_level
        ipa_end, address_end = ipa + size, address + size
        if ipa < start:  # only the first can begin outside
            ipa, address = start, address + start - ipa
    if ipa_end > 0:
        yield Mapping(ipa, address, min(ipa_end, end) - ipa, attributes, level)


@lru_cache(maxsize=256)
def _attributes(bits: int, layout: AddressLayout, sh: int | None) -> Attributes:
    found = Attributes.from_int(bits)
    return evolve(found, sh=sh) if layout is AddressLayout.LPA2 else found
