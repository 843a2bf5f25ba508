# SPDX-License-Identifier: MIT
"""`scan`: every mapping of a tree, merged, in IPA order."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TypeAlias

from attrs import evolve, field, frozen

from s2geom.core.errors import (
    InvalidArgument,
    UnreadableInput,
    UnsupportedCombination,
)
from s2geom.core.geometry import Geometry
from s2geom.core.numbers import integer, unsigned
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import Cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import Attributes
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Read
from s2geom.tables.regime import Regime, regime_of
from s2geom.tables.scan_engine import ScanRun, Scan


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
    runs: Iterator[ScanRun], start: int, end: int, regime: Regime
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
