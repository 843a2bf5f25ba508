# SPDX-License-Identifier: MIT
"""`trace`: a walk with every lookup that it makes."""

from attrs import field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import MemoryReadError
from s2geom.core.geometry import Geometry
from s2geom.core.granule import DESCRIPTOR_SHIFT
from s2geom.core.numbers import unsigned
from s2geom.core.public import public
from s2geom.cpu.cpu import Cpu
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.tables.attributes import fwb_field
from s2geom.tables.descriptor import Descriptor, trusted_descriptor
from s2geom.tables.faults import Fault
from s2geom.tables.memory import Read, checked_read, read_exactly
from s2geom.tables.regime import regime_of
from s2geom.tables.walk import Translation, walk


@public
@frozen
class TraceStep:
    """One lookup of a walk.

    Args:
        level: Level of the table.
        table: Physical address of the table, in bytes. At a concatenated start level it
            is the one of the tables side by side in which ``index`` counts.
        index: The entry of that table.
        address: Physical address of the descriptor, ``table + 8 * index``.
        descriptor: What was read there, or None if it could not be read.

    .. versionadded:: 0.2.0
    """

    level: int
    table: int = field(repr=hex)
    index: int
    address: int = field(repr=hex)
    descriptor: Descriptor | None


@public
@frozen
class Trace(Displayed):
    """What `trace` returns: a walk's lookups and its result.

    Args:
        steps: One for each lookup, start level first. Empty if the walk ended before
            its first lookup.
        result: What `walk` returns.
        fwb: HCR_EL2.FWB, as it was given. Not compared.

    .. versionadded:: 0.2.0
    """

    steps: tuple[TraceStep, ...]
    result: Translation | Fault
    fwb: bool | None = fwb_field()


@public
def trace(
    geometry: Geometry,
    root: int,
    ipa: int,
    read: Read,
    *,
    cpu: Cpu | None = None,
    vtcr: VTCR_EL2 | int | None = None,
    access: str = "read",
    fwb: bool | None = None,
) -> Trace:
    """Translate one address as `walk` does, and tell every lookup.

    The arguments and the errors are those of `walk`.

    .. versionadded:: 0.2.0

    >>> from s2geom import Memory
    >>> shape = Geometry(12, 31, 2)  # two tables at level 2
    >>> block = Descriptor.leaf(shape, 2, 0x8000_0000)
    >>> last = Memory({0x1FF8: int(block).to_bytes(8, "little")})
    >>> [step] = trace(shape, 0, 0x7FFF_F123, last.read).steps
    >>> step.level, hex(step.table), step.index, step.descriptor == block
    (2, '0x1000', 511, True)
    """
    caller_read, lookups = checked_read(read), list[tuple[int, int | None]]()

    def recording(address: int, size: int) -> bytes:
        try:
            content = read_exactly(caller_read, address, size)
        except MemoryReadError:
            lookups.append((address, None))
            raise
        lookups.append((address, int.from_bytes(content, "little")))
        return content

    result = walk(
        geometry, root, ipa, recording, cpu=cpu, vtcr=vtcr, access=access, fwb=fwb
    )
    regime, granule = regime_of(geometry, cpu, vtcr), geometry.granule
    ipa = unsigned("ipa", ipa)
    steps = []
    for (address, word), step in zip(lookups, regime.steps, strict=False):
        index = ipa >> step.shift & (min(step.entries, granule.entries) - 1)
        descriptor = None
        if word is not None:
            descriptor = trusted_descriptor(word, step.level, granule, regime.layout)
        table = address - (index << DESCRIPTOR_SHIFT)
        steps.append(TraceStep(step.level, table, index, address, descriptor))
    return Trace(tuple(steps), result, fwb=fwb)
