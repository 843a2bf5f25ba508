# SPDX-License-Identifier: MIT
"""s2geom as one more CPU: the words of a probe in, what the CPU would answer out.

So whatever is asked of the emulated CPUs can be asked of the library, raw: it has to
read VTCR_EL2 and VTTBR_EL2, refuse a shape, and walk.
"""

import functools
from collections.abc import Iterable

from attrs import evolve

from emulated.cpu import (
    RAM_BASE,
    RAM_SIZE,
    EmulatedCpu,
    Faulted,
    Outcome,
    Probe,
    Translated,
)
from s2geom import (
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Fault,
    Geometry,
    Granule,
    MemoryReadError,
    Translation,
    UnsupportedCombination,
    walk,
)
from s2geom.tables.memory import Read

HA = 1 << 21
HD = 1 << 22
DS = 1 << 32


def declared_cpu(cpu: EmulatedCpu) -> Cpu:
    """Return what the library makes of an emulated CPU's ID registers."""
    registers = cpu.id_registers
    return Cpu.from_id_registers(registers.mmfr0, registers.mmfr1, registers.mmfr2)


def walking_cpu(cpu: EmulatedCpu) -> Cpu:
    """Return it with the page sizes that the emulator takes without declaring them."""
    return evolve(declared_cpu(cpu), granules=frozenset(map(Granule, cpu.granules)))


def outcome(found: Translation | Fault) -> Outcome:
    """Say what PAR_EL1 would say of a walk: addresses in units of 4 KiB."""
    if isinstance(found, Translation):
        return Translated(found.output_address & ~0xFFF)
    return Faulted(found.kind, found.level)


def table_memory(descriptors: Iterable[tuple[int, int]]) -> Read:
    """Return a ``read`` of the emulated memory, all zero but for some descriptors."""
    words = dict(descriptors)

    def read(address: int, size: int) -> bytes:
        if not RAM_BASE <= address < RAM_BASE + RAM_SIZE:
            message = f"no memory at {address:#x}"
            raise MemoryReadError(message)
        return words.get(address, 0).to_bytes(size, "little")

    return read


class LibraryCpu:
    """The library in the place of an emulated CPU, with that one's ID registers."""

    def __init__(self, cpu: EmulatedCpu) -> None:
        self.cpu = walking_cpu(cpu)
        self._hafdbs = cpu.id_registers.hafdbs
        self._decoded = functools.cache(self._decode)

    def run(self, probes: Iterable[Probe]) -> list[Outcome]:
        """Ask every probe in turn."""
        return [self._ask(probe) for probe in probes]

    def _decode(self, word: int) -> tuple[VTCR_EL2, Geometry] | None:
        """Read VTCR_EL2; fields of what the CPU does not have are as good as zero."""
        vtcr = VTCR_EL2.from_int(word)
        if vtcr.walk.granule not in self.cpu.lpa2:
            word &= ~DS
        if self._hafdbs < 1:
            word &= ~HA
        if self._hafdbs < 2:
            word &= ~HD
        vtcr = VTCR_EL2.from_int(word)
        try:
            return vtcr, vtcr.geometry()
        except UnsupportedCombination:
            return None

    def _ask(self, probe: Probe) -> Outcome:
        # Stage 1 is off, and an address still has to be a physical one.
        if probe.ipa >> self.cpu.pa_bits:
            return Faulted("address size", 0, stage=1)
        decoded = self._decoded(probe.vtcr)
        if decoded is None:
            return Faulted("translation", 0)
        vtcr, geometry = decoded
        output_bits = min(vtcr.pa_bits, self.cpu.pa_bits)
        register = VTTBR_EL2.from_int(probe.vttbr)
        return outcome(
            walk(
                geometry,
                register.root(geometry, pa_bits=output_bits),
                probe.ipa,
                table_memory(probe.descriptors),
                cpu=self.cpu,
                vtcr=vtcr,
                access=probe.access,
            )
        )
