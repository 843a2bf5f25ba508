# SPDX-License-Identifier: MIT
"""`Base`: the address of the start-level table, and how a register holds it.

Its alignment, its largest value, and the rules about both, which are the same for
VTTBR_EL2 and an SMMU's STE: each passes its own words to `root_rules`.
"""

from collections.abc import Callable
from typing import NamedTuple

from attrs import evolve, frozen

from s2geom.core.address_form import AddressForm
from s2geom.core.geometry import Geometry
from s2geom.core.rules import Rule
from s2geom.cpu.cpu import ANY_CPU, Cpu, address_form_on

BADDR_MASK = 0xFFFF_FFFF_FFFE
WIDE_BADDR_MASK = 0xFFFF_FFFF_FFC0


@frozen
class Base:
    """A base address, where a geometry puts it.

    Args:
        address: The address in bytes, as requested or as the register holds it.
        geometry: The tables that it is the base of.
        pa_bits: The size that PS stands for.
        cpu: Who walks from it.
    """

    address: int
    geometry: Geometry
    pa_bits: int
    cpu: Cpu = ANY_CPU

    @property
    def form(self) -> AddressForm:
        """How physical addresses are held under PS."""
        return address_form_on(self.cpu, self.geometry, self.pa_bits)

    @property
    def output_bits(self) -> int:
        """Bits that an address may have before it faults."""
        return self.form.output_bits

    @property
    def alignment(self) -> int:
        """Bytes that the address must be a multiple of."""
        return self.form.pgd_alignment(self.geometry.pgd_size)

    @property
    def aligned(self) -> int:
        """The address at which the CPU walks: the low bits do not count."""
        return self.address & -self.alignment

    @property
    def baddr(self) -> int:
        """The register's bits for it, if it is aligned."""
        return self.address & BADDR_MASK | self.address >> 48 << 2

    @classmethod
    def read(
        cls, baddr: int, geometry: Geometry, pa_bits: int, cpu: Cpu = ANY_CPU
    ) -> "Base":
        """Return what the register's bits say."""
        base = cls(baddr, geometry, pa_bits, cpu)
        if not base.form.has_wide_base:
            return base
        return evolve(base, address=baddr & WIDE_BADDR_MASK | (baddr >> 2 & 0xF) << 48)

    # Phrases of the messages

    @property
    def size(self) -> str:
        """What the alignment comes from."""
        shape = self.geometry
        if shape.pgd_size < self.alignment:
            return "the least alignment of a 52-bit base"
        if shape.concatenation > 1:
            return f"the size of its {shape.concatenation} concatenated tables"
        return "the size of its table"

    @property
    def nearest(self) -> str:
        """The addresses that would do, as the end of a sentence."""
        below, above = self.aligned, self.aligned + self.alignment
        if above >> self.output_bits == 0:
            return f"; the nearest that fit are {below:#x} and {above:#x}"
        if below >> self.output_bits == 0:
            return f"; the nearest that fits is {below:#x}"
        return ""


class RootWords(NamedTuple):
    """What a rule about roots is called and how it is worded for one register."""

    id: str
    states: str
    says: Callable[[Base], str]
    source: str


def root_rules(misaligned: RootWords, outside: RootWords) -> tuple[Rule[Base], ...]:
    """Return the two rules of where a root may be, in a register's words."""
    return (
        Rule(
            id=misaligned.id,
            states=misaligned.states,
            limited_by="architecture",
            breaks=lambda base: base.address != base.aligned,
            given=lambda base: f"{base.address:#x}",
            limit=lambda base: base.alignment,
            says=lambda base: (
                f"a root at {base.address:#x} is not a multiple of "
                f"{base.alignment:#x} bytes, {misaligned.says(base)}"
            ),
            fix=lambda base: (
                f"use {base.aligned:#x}, or align to {base.alignment:#x} bytes"
            ),
            source=misaligned.source,
        ),
        Rule(
            id=outside.id,
            states=outside.states,
            limited_by="architecture",
            breaks=lambda base: bool(base.address >> base.output_bits),
            given=lambda base: f"{base.address:#x}",
            limit=lambda base: f"{(1 << base.output_bits) - 1:#x}",
            says=outside.says,
            fix=lambda base: f"put the root below {1 << base.output_bits:#x}",
            source=outside.source,
        ),
    )
