# SPDX-License-Identifier: MIT
"""`walk`: translate one address as the CPU would, or fail as it would.

Nothing here does I/O. The caller brings ``read(physical_address, size) -> bytes``: a
dump, a debugger, a `Memory`.
"""

from functools import partial

from attrs import field, fields, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument, MemoryReadError
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT
from s2geom.core.numbers import flag, unsigned
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import Cpu
from s2geom.registers.fault_status import (
    ACCESS_FLAG,
    ADDRESS_SIZE,
    EXTERNAL_ABORT,
    PERMISSION,
    TRANSLATION,
    FaultKind,
)
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import ATTRIBUTE_FIELDS, fwb_field
from s2geom.tables.descriptor import Descriptor, trusted_descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.layout import TABLE_OR_PAGE
from s2geom.tables.memory import Read, checked_read, exactly
from s2geom.tables.regime import ACCESSES, Access, Regime, regime_of

_ACCESSED = ATTRIBUTE_FIELDS["af"].mask


@public
@loads_older_pickles
@frozen
class Translation(Displayed):
    """Where an IPA is.

    Args:
        output_address: Physical address of the byte that the IPA names.
        level: Level of the leaf.
        descriptor: The leaf.
        fwb: HCR_EL2.FWB, as it was given to the walk: ``descriptor.explain(fwb=fwb)``.
            Not compared.

            .. versionadded:: 0.2.0
    """

    output_address: int = field(repr=hex)
    level: int
    descriptor: Descriptor
    fwb: bool | None = fwb_field()


_blank_translation = partial(object.__new__, Translation)
_set_output_address, _set_leaf_level, _set_descriptor, _set_translation_fwb = (
    vars(Translation)[row.name].__set__ for row in fields(Translation)
)


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
    fwb: bool | None = None,
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
            that can do anything. What it then assumes is about 64K pages alone: bits
            15:12 of a descriptor are address bits 51:48, as with FEAT_LPA, where a CPU
            without it has zeros; blocks at level 1 and the root's alignment are as in
            `Geometry.block_levels` and `Geometry.pgd_alignment`, unless ``vtcr`` asks
            for an output of 52 bits.
        vtcr: VTCR_EL2, for the output size (PS) and for who sets the access flag and
            dirty state (HA, HD). None is the widest output, and software sets them.
        access: ``"read"``, ``"write"``, ``"execute"`` (at EL1) or
            ``"execute at EL0"``.
        fwb: HCR_EL2.FWB, kept in the result, as it decides how MemAttr reads. It does
            not change where an address leads. None is not known.

            .. versionadded:: 0.2.0

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
    >>> fault = walk(shape, 0, 0, last.read)
    >>> fault.kind, fault.level, fault.descriptor_address, fault.descriptor
    ('external abort', 2, 0, None)
    """
    regime = regime_of(geometry, cpu, vtcr)
    root = unsigned("root", root) & regime.root_mask
    ipa = unsigned("ipa", ipa)
    if not callable(read):
        checked_read(read)
    if fwb is not None:
        flag("fwb", fwb)
    try:
        allowed_by = regime.accesses[access]
    except (KeyError, TypeError):
        raise _no_access(access) from None
    if ipa >= regime.ipa_end:
        return Fault(TRANSLATION, 0, ipa, fwb=fwb)
    if root >> regime.output_bits:
        return Fault(ADDRESS_SIZE, 0, ipa, fwb=fwb)
    return _from_root(regime, root, ipa, read, allowed_by, fwb)


def _no_access(access: object) -> Exception:
    if not isinstance(access, str):
        return TypeError(f"access must be text, got {quoted(access)}")
    accesses = ", ".join(ACCESSES)
    return InvalidArgument(f"access must be one of {accesses}, got {quoted(access)}")


def _from_root(
    regime: Regime,
    table: int,
    ipa: int,
    read: Read,
    allowed_by: Access,
    fwb: bool | None,
) -> Translation | Fault:
    layout, steps, depth = regime.layout, regime.steps, 0
    moved, move_up = layout.moved_mask, layout.move_up
    while True:
        level, shift, entries, leaf, in_place = steps[depth]
        # Every bit of the start level's index counts: its tables are one array.
        at = table + ((ipa >> shift & (entries - 1)) << DESCRIPTOR_SHIFT)
        try:
            content = read(at, 1 << DESCRIPTOR_SHIFT)
        except MemoryReadError:
            return Fault(EXTERNAL_ABORT, level, ipa, at, fwb=fwb)
        if type(content) is not bytes or len(content) != 1 << DESCRIPTOR_SHIFT:
            content = exactly(content, at, 1 << DESCRIPTOR_SHIFT)
        word = int.from_bytes(content, "little")
        kind = word & TABLE_OR_PAGE
        # As AddressLayout.decode, whose call would cost as much as all the rest here.
        high = (word & moved) << move_up
        if kind == leaf:
            address = word & in_place | high
            fault = _leaf_fault(regime, word, address, allowed_by)
            break
        address = table = word & regime.table_address | high
        if kind != TABLE_OR_PAGE:
            fault = TRANSLATION
            break
        if table >> regime.output_bits:
            fault = ADDRESS_SIZE
            break
        depth += 1

    descriptor = trusted_descriptor(word, level, regime.geometry.granule, layout)
    if fault is not None:
        return Fault(fault, level, ipa, at, descriptor, fwb=fwb)
    # As Translation(...), which would take a twentieth of the walk longer.
    translation = _blank_translation()
    _set_output_address(translation, address | ipa & ((1 << shift) - 1))
    _set_leaf_level(translation, level)
    _set_descriptor(translation, descriptor)
    _set_translation_fwb(translation, fwb)
    return translation


def _leaf_fault(
    regime: Regime, word: int, address: int, allowed_by: Access
) -> FaultKind | None:
    if address >> regime.output_bits:
        return ADDRESS_SIZE
    if not (word & _ACCESSED or regime.sets_access_flag):
        return ACCESS_FLAG
    return None if word & allowed_by.mask in allowed_by.values else PERMISSION
