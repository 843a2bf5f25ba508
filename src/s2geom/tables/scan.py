# SPDX-License-Identifier: MIT
"""`scan`: every mapping of a tree, merged, in IPA order."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Literal, TypeAlias, overload

from attrs import field, fields, frozen

from s2geom.core.geometry import Geometry
from s2geom.core.numbers import flag
from s2geom.core.public import loads_older_pickles, public
from s2geom.cpu.cpu import Cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import (
    Attributes,
    fwb_field,
    fwb_or_none,
    leaf_attributes,
)
from s2geom.tables.memory import Read
from s2geom.tables.regime import regime_of
from s2geom.tables.scan_engine import (
    Progress,
    Scan,
    ScanRun,
    Unreadable,
)


@public
@loads_older_pickles
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
        fwb: HCR_EL2.FWB, as it was given to the scan: ``attributes.explain(fwb=fwb)``.
            Not compared.

            .. versionadded:: 0.2.0
    """

    ipa: int = field(repr=hex)
    output_address: int = field(repr=hex)
    size: int = field(repr=hex)
    attributes: Attributes
    level: int
    fwb: bool | None = fwb_field()


_blank_mapping = partial(object.__new__, Mapping)
_set_ipa, _set_mapped_address, _set_size, _set_attributes, _set_level, _set_fwb = (
    vars(Mapping)[row.name].__set__ for row in fields(Mapping)
)


@public
@frozen
class Invalid:
    """IPA space under equal descriptors that are invalid but not zero.

    A CPU ignores all bits of a descriptor whose bit 0 is clear, so software may keep
    something there: KVM the owner of a page that is not mapped.

    Args:
        ipa: First address, in bytes.
        size: Bytes.
        word: Each of the descriptors: 64 bits, of which bit 0 is clear.
        level: Level of the table that they are in.

    .. versionadded:: 0.2.0
    """

    ipa: int = field(repr=hex)
    size: int = field(repr=hex)
    word: int = field(repr=hex)
    level: int


IpaRange: TypeAlias = tuple[int, int] | range
"""Addresses from a first up to, but not including, a last."""


@overload
def scan(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: IpaRange | None = None,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    progress: Progress | None = None,
    fwb: bool | None = None,
    invalid: Literal[False] = False,
    unreadable: Unreadable | None = None,
) -> Iterator[Mapping]: ...


@overload
def scan(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: IpaRange | None = None,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    progress: Progress | None = None,
    fwb: bool | None = None,
    invalid: bool,
    unreadable: Unreadable | None = None,
) -> Iterator[Mapping | Invalid]: ...


@public
def scan(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: IpaRange | None = None,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    progress: Progress | None = None,
    fwb: bool | None = None,
    invalid: bool = False,
    unreadable: Unreadable | None = None,
) -> Iterator[Mapping | Invalid]:
    """Yield everything that is mapped, in IPA order.

    What touches in IPA and in output address is one mapping, also across tables, unless
    it differs in level or attributes. Where a walk would end in a Translation or
    Address size fault there is a hole. The access flag and the permissions are
    attributes: what they forbid is mapped all the same. A table that cannot be read is
    an error, unless ``unreadable`` is given.

    Tables may be read in part, and each is read once, when the iteration comes to it.
    Memory does not grow with what is mapped. For fragmented memory, `scan_columns` is
    faster.

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
        fwb: HCR_EL2.FWB, kept in the mappings, as it decides how MemAttr reads.

            .. versionadded:: 0.2.0
        invalid: Whether to yield `Invalid` too: descriptors whose bit 0 is clear and
            that are not zero.

            .. versionadded:: 0.2.0
        unreadable: Called as ``unreadable(ipa, size, error)`` where ``read`` raises
            `MemoryReadError` for a table; the IPA space that the table is for is then a
            hole. None lets the error pass through.

            .. versionadded:: 0.2.0

    Raises:
        UnsupportedCombination: The CPU refuses the shape, so nothing is mapped.
        InvalidArgument: An address or ``ipa_range`` is out of range, or ``vtcr``
            contradicts the geometry or asks for another format.
        MemoryReadError: ``read`` raised it for a table, and ``unreadable`` is None.
        UnreadableInput: ``read`` returned another number of bytes; the root is beyond
            the output size; or the tables are no tree, as entries point at tables
            reached before, and more than 2**16 descriptors would be read again.
        TypeError: A value has the wrong type.

    Source: Arm ARM D8.2 and D8.3; pseudocode AArch64.S2Walk.

    >>> from s2geom import Memory
    >>> shape = Geometry(12, 31, 2)  # two tables at level 2
    >>> blocks = (Descriptor.leaf(shape, 2, block << 21) for block in range(7, 1031))
    >>> pgd = b"".join(int(block).to_bytes(8, "little") for block in blocks)
    >>> [mapping] = scan(shape, 0x4000, Memory({0x4000: pgd}).read)
    >>> mapping.ipa, hex(mapping.output_address), hex(mapping.size), mapping.level
    (0, '0xe00000', '0x80000000', 2)
    """
    invalid, fwb = flag("invalid", invalid), fwb_or_none(fwb)
    regime = regime_of(geometry, cpu, vtcr)
    engine = Scan(regime, root, read, ipa_range, progress, unreadable, invalid)
    return _merged(engine, fwb)


AFTER_LAST: ScanRun = (-1, -1, 0, 0, -1)
"""What continues no run, so the last one is closed."""


def _merged(engine: Scan, fwb: bool | None) -> Iterator[Mapping | Invalid]:
    """Join the runs that touch, and cut what they have outside the range."""
    layout, sh, range_end = engine.regime.layout, engine.regime.leaf_sh, engine.end
    runs = chain(engine.runs(), (AFTER_LAST,))
    ipa, address, size, bits, level = next(runs)
    ipa_end, address_end = ipa + size, address + size
    before = max(engine.start - ipa, 0)  # only the first can begin outside
    ipa, address = ipa + before, address + before
    attributes = leaf_attributes(bits, layout, sh)
    for next_ipa, next_address, size, next_bits, next_level in runs:
        if (
            next_ipa == ipa_end
            and next_address == address_end
            and next_bits == bits
            and next_level == level
        ):
            ipa_end += size
            address_end += size
            continue
        if ipa_end > range_end:  # noqa: PLR1730 - a call for each mapping costs more
            ipa_end = range_end
        if address < 0:
            yield Invalid(ipa, ipa_end - ipa, bits, level)
        else:
            yield _mapping(ipa, address, ipa_end - ipa, attributes, level, fwb)
        if next_bits != bits:
            attributes = leaf_attributes(next_bits, layout, sh)
        ipa, address, bits, level = next_ipa, next_address, next_bits, next_level
        ipa_end, address_end = ipa + size, address + size


def _mapping(
    ipa: int,
    address: int,
    size: int,
    attributes: Attributes,
    level: int,
    fwb: bool | None,
) -> Mapping:
    """Return a `Mapping`, in half the time: a fragmented scan makes many."""
    mapping = _blank_mapping()
    _set_ipa(mapping, ipa)
    _set_mapped_address(mapping, address)
    _set_size(mapping, size)
    _set_attributes(mapping, attributes)
    _set_level(mapping, level)
    _set_fwb(mapping, fwb)
    return mapping
