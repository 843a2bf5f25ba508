# SPDX-License-Identifier: MIT
"""What is asked of an emulated CPU, what it answers, and the common interface.

A `Probe` is one question: with these stage-2 registers and these descriptors in
memory, where does this IPA go? The CPU answers with its own address translation
instruction (AT S12E1R or AT S12E1W, stage 1 off), and `decode_par` turns PAR_EL1
into `Translated` or `Faulted`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Access = Literal["read", "write"]

# Every emulated machine has memory for tables here and nowhere else. One window for
# all, so that a table image made once can be walked by each of them. It is aligned to
# its size, which is far above the largest root (1 MiB).
RAM_BASE: Final = 0x5000_0000
RAM_SIZE: Final = 0x1000_0000

PARANGE: Final = {0: 32, 1: 36, 2: 40, 3: 42, 4: 44, 5: 48, 6: 52, 7: 56}


def _word(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not 0 <= value < 1 << 64:
        message = f"{attribute.name} must be a 64-bit word, got {value:#x}"
        raise ValueError(message)


@attrs.frozen
class Probe:
    """One question to an emulated CPU.

    Attributes:
        vtcr: VTCR_EL2, written raw.
        vttbr: VTTBR_EL2, written raw.
        ipa: The address to translate; stage 1 is off, so it goes in as it is.
        access: What the translation is for.
        descriptors: (physical address, value) pairs stored before the probe and
            taken away after it. All other memory is zero, but for a run's image.
    """

    vtcr: int = attrs.field(validator=_word)
    vttbr: int = attrs.field(validator=_word)
    ipa: int = attrs.field(validator=_word)
    access: Access = attrs.field(
        default="read", validator=attrs.validators.in_(("read", "write"))
    )
    descriptors: tuple[tuple[int, int], ...] = attrs.field(default=())

    @descriptors.validator
    def _in_memory(
        self,
        _: attrs.Attribute[tuple[tuple[int, int], ...]],
        value: tuple[tuple[int, int], ...],
    ) -> None:
        for address, word in value:
            if address % 8:
                message = f"a descriptor's address must be 8-byte aligned: {address:#x}"
                raise ValueError(message)
            check_window(address, 8)
            if not 0 <= word < 1 << 64:
                message = f"a descriptor must be a 64-bit word, got {word:#x}"
                raise ValueError(message)


@attrs.frozen
class Translated:
    """The IPA translates.

    The output address is what PAR_EL1 holds, bits 51:12: in units of 4 KiB whatever
    the granule. `par` is the raw register and does not take part in comparisons.
    """

    output_address: int
    par: int = attrs.field(default=0, eq=False, repr=hex)


@attrs.frozen
class Faulted:
    """The IPA does not translate: why, at which level, in which stage.

    `par` is the raw register and does not take part in comparisons; it is 0 where the
    CPU took an exception instead of filling it, as it does for an external abort.
    """

    kind: str
    level: int
    stage: int = 2
    par: int = attrs.field(default=0, eq=False, repr=hex)


Outcome = Translated | Faulted

DATA_ABORT_SAME_EL: Final = 0x25  # an exception class, ESR_EL2.EC

# A fault status for levels 0..3 is a kind and, in its low two bits, a level. Level -1
# came later and has codes of its own, for the kinds that can happen there.
_KINDS: Final = {
    0b0000: "address size",
    0b0001: "translation",
    0b0010: "access flag",
    0b0011: "permission",
    0b0101: "external abort",
}
_LEVEL_MINUS_ONE: Final = {
    0b101001: "address size",
    0b101011: "translation",
    0b010011: "external abort",
}


def decode_par(par: int) -> Outcome:
    """Read a PAR_EL1 that an AT instruction left behind.

    Raises:
        ValueError: PAR_EL1 holds a fault that no table walk gives.
    """
    if not par & 1:
        return Translated(par & 0x000F_FFFF_FFFF_F000, par)
    kind, level = decode_status(par >> 1 & 0x3F)
    return Faulted(kind, level, 2 if par >> 9 & 1 else 1, par)


def decode_esr(esr: int) -> Faulted:
    """Read an ESR_EL2 with which an AT instruction ended.

    The stage is not in it. It is 2, since no tables of stage 1 are ever walked.

    Raises:
        ValueError: It is not a data abort from EL2 itself, or not one of a walk.
    """
    if esr >> 26 != DATA_ABORT_SAME_EL:
        message = f"ESR_EL2 {esr:#x} is not of a data abort"
        raise ValueError(message)
    return Faulted(*decode_status(esr & 0x3F))


def decode_status(status: int) -> tuple[str, int]:
    """Read the six bits that PAR_EL1 and ESR_EL2 have in common: kind and level.

    Raises:
        ValueError: No table walk gives this status.
    """
    if status in _LEVEL_MINUS_ONE:
        return _LEVEL_MINUS_ONE[status], -1
    if status >> 2 in _KINDS:
        return _KINDS[status >> 2], status & 3
    message = f"fault status {status:#08b} is not one of a table walk"
    raise ValueError(message)


def check_window(address: int, size: int) -> None:
    """Refuse what lies outside the memory that the emulated machines have.

    Raises:
        ValueError: The bytes are not all in the window.
    """
    if not RAM_BASE <= address <= address + size <= RAM_BASE + RAM_SIZE:
        message = (
            f"{size} bytes at {address:#x} are outside the memory for tables, "
            f"{RAM_BASE:#x} to {RAM_BASE + RAM_SIZE - 1:#x}"
        )
        raise ValueError(message)


@attrs.frozen
class IdRegisters:
    """The ID registers that describe translation, read from inside the emulator."""

    mmfr0: int = attrs.field(repr=hex)
    mmfr1: int = attrs.field(repr=hex)
    mmfr2: int = attrs.field(repr=hex)

    @property
    def pa_bits(self) -> int:
        """Physical address bits, by PARange."""
        return PARANGE[self.mmfr0 & 0xF]

    @property
    def lpa2(self) -> bool:
        """Whether stage 2 has 52-bit addresses with 4K pages (TGran4, TGran4_2)."""
        stage1, stage2 = self.mmfr0 >> 28 & 0xF, self.mmfr0 >> 40 & 0xF
        return (stage1 if stage2 == 0 else stage2) == (1 if stage2 == 0 else 3)

    @property
    def ttst(self) -> bool:
        """Whether tables may be smaller than 25 bits (FEAT_TTST)."""
        return self.mmfr2 >> 28 & 0xF == 1

    @property
    def hafdbs(self) -> int:
        """Hardware updates of descriptors: 0 none, 1 access flag, 2 also dirty."""
        return self.mmfr1 & 0xF

    @property
    def granules(self) -> frozenset[int]:
        """The stage-2 page shifts that the registers declare."""
        # By granule: the stage-1 field, what "no" is there, the stage-2 field.
        fields = {12: (28, 15, 40), 14: (20, 0, 32), 16: (24, 15, 36)}
        found = set()
        for page_shift, (stage1, absent, stage2) in fields.items():
            own = self.mmfr0 >> stage2 & 0xF
            if own >= 2 or (own == 0 and self.mmfr0 >> stage1 & 0xF != absent):
                found.add(page_shift)
        return frozenset(found)


class EmulatedCpu(Protocol):
    """An emulated CPU at EL2 with stage 2 on, stage 1 off, and memory for tables."""

    @property
    def emulator(self) -> str:
        """Who emulates: "unicorn" or "qemu"."""

    @property
    def model(self) -> str:
        """The emulator's own name of the CPU, such as "cortex-a53"."""

    @property
    def name(self) -> str:
        """Emulator and model, such as "qemu/max"."""

    @property
    def version(self) -> str:
        """The emulator's version, such as "7.2.22"."""

    @property
    def id_registers(self) -> IdRegisters:
        """What the emulated CPU says it is."""

    @property
    def pa_bits(self) -> int:
        """Physical address bits."""

    @property
    def lpa2(self) -> bool:
        """Whether VTCR_EL2.DS works."""

    @property
    def ttst(self) -> bool:
        """Whether IPA spaces below 25 bits work."""

    @property
    def granules(self) -> frozenset[int]:
        """Page shifts that the walker takes, which may be more than it declares."""

    @property
    def ram_base(self) -> int:
        """Where memory for tables begins."""

    @property
    def ram_size(self) -> int:
        """How many bytes of it there are; a walk outside them finds no table."""

    def __hash__(self) -> int:
        """A CPU equals itself alone, so what is known about it can be kept by it."""

    def run(
        self, probes: Iterable[Probe], image: Mapping[int, bytes] | None = None
    ) -> list[Outcome]:
        """Ask every probe in turn.

        Args:
            probes: The questions.
            image: Larger contents of memory by physical address, there for all the
                probes of this run and zero again after it.

        Returns:
            The answers, in the order of the questions.
        """


def version_tuple(version: str) -> tuple[int, ...]:
    """Turn "7.2.22" into numbers, to compare."""
    return tuple(int(part) for part in version.split("."))
