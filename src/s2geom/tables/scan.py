# SPDX-License-Identifier: MIT
"""`scan`: every mapping of a tree, merged, in IPA order."""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias, TypeVar, overload

from attrs import field, fields, frozen

from s2geom.core.errors import (
    InvalidArgument,
    MemoryReadError,
    UnreadableInput,
    UnsupportedCombination,
)
from s2geom.core.geometry import Geometry
from s2geom.core.numbers import flag, integer, unsigned
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import Cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import (
    Attributes,
    fwb_field,
    fwb_or_none,
    leaf_attributes,
)
from s2geom.tables.memory import Read, checked_read
from s2geom.tables.regime import regime_of
from s2geom.tables.scan_engine import Scan


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


_new = object.__new__
_set_ipa, _set_address, _set_size, _set_attributes, _set_level, _set_fwb = (
    vars(Mapping)[row.name].__set__ for row in fields(Mapping)
)


def _mapping(
    ipa: int,
    address: int,
    size: int,
    attributes: Attributes,
    level: int,
    fwb: bool | None,
) -> Mapping:
    """Return a `Mapping`, in half the time: a fragmented scan makes many."""
    mapping = _new(Mapping)
    _set_ipa(mapping, ipa)
    _set_address(mapping, address)
    _set_size(mapping, size)
    _set_attributes(mapping, attributes)
    _set_level(mapping, level)
    _set_fwb(mapping, fwb)
    return mapping


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


Range: TypeAlias = tuple[int, int] | range
"""Addresses from a first up to, but not including, a last."""

NOTHING = -2
"""What no run continues: no IPA, address or level."""

Progress: TypeAlias = Callable[[int, int], object]
Unreadable: TypeAlias = Callable[[int, int, MemoryReadError], object]


@overload
def scan(
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: Range | None = None,
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
    ipa_range: Range | None = None,
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
    ipa_range: Range | None = None,
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
    engine = engine_of(
        Scan,
        geometry,
        root,
        read,
        ipa_range,
        cpu=cpu,
        vtcr=vtcr,
        progress=progress,
        unreadable=unreadable,
        invalid=flag("invalid", invalid),
    )
    return _merged(engine, fwb_or_none(fwb))


Engine = TypeVar("Engine", bound=Scan)


def engine_of(
    engine: type[Engine],
    geometry: Geometry,
    root: int,
    read: Read,
    ipa_range: object,
    *,
    cpu: Cpu | None,
    vtcr: VTCR_EL2 | int | None,
    progress: Progress | None,
    unreadable: Unreadable | None,
    invalid: bool = False,
) -> Engine:
    """Check the arguments of a scan, and return what reads the tables.

    Raises:
        S2GeomError: As `scan` says.
        TypeError: A value has the wrong type.
    """
    regime = regime_of(geometry, cpu, vtcr)
    root = unsigned("root", root) & regime.root_mask
    start, end = _start_and_end(ipa_range, geometry)
    read = checked_read(read)
    for name, callback in (("progress", progress), ("unreadable", unreadable)):
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be callable or None, got {quoted(callback)}")
    if regime.violations:
        raise UnsupportedCombination(regime.violations)
    if root >> regime.output_bits:
        raise UnreadableInput(
            f"root {root:#x} is beyond the {regime.output_bits} bits of an output "
            "address: every walk ends in an Address size fault at level 0"
        )
    return engine(regime, root, read, start, end, progress, unreadable, invalid)


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


def _merged(engine: Scan, fwb: bool | None) -> Iterator[Mapping | Invalid]:
    """Join the runs that touch, and cut what they have outside the range."""
    layout, sh = engine.regime.layout, engine.regime.leaf_sh
    start, end = engine.start, engine.end
    attributes = leaf_attributes(0, layout, sh)
    ipa = address = ipa_end = address_end = bits = level = NOTHING
    for run_ipa, run_address, size, run_bits, run_level in engine.runs():
        if (
            run_ipa == ipa_end
            and run_address == address_end
            and run_bits == bits
            and run_level == level
        ):
            ipa_end += size
            address_end += size
            continue
        if ipa_end > 0 and address >= 0:
            yield _mapping(ipa, address, ipa_end - ipa, attributes, level, fwb)
        elif ipa_end > 0:
            yield Invalid(ipa, ipa_end - ipa, bits, level)
        if run_bits != bits:
            attributes = leaf_attributes(run_bits, layout, sh)
        ipa, address, bits, level = run_ipa, run_address, run_bits, run_level
        ipa_end, address_end = ipa + size, address + size
        if ipa < start:  # only the first can begin outside
            ipa, address = start, address + start - ipa
    size = min(ipa_end, end) - ipa
    if ipa_end > 0 and address >= 0:
        yield _mapping(ipa, address, size, attributes, level, fwb)
    elif ipa_end > 0:
        yield Invalid(ipa, size, bits, level)
