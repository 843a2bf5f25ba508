# SPDX-License-Identifier: MIT
"""Unicorn as an oracle: QEMU 5's page table walker inside this process.

Knows no LPA2, no 52-bit addresses and no small translation tables; for those there is
`qemu_cpu`. Needs the unicorn package, so import this module only after
`availability.require("unicorn")`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import unicorn as untyped_unicorn
from unicorn import arm64_const as arm64

from emulated.cpu import (
    RAM_BASE,
    RAM_SIZE,
    IdRegisters,
    Outcome,
    Probe,
    check_window,
    decode_par,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The package has no types; to a checker it is whatever it is used as.
unicorn: Any = untyped_unicorn

MODELS: Final = {
    "cortex-a53": arm64.UC_CPU_ARM64_A53,
    "cortex-a57": arm64.UC_CPU_ARM64_A57,
    "cortex-a72": arm64.UC_CPU_ARM64_A72,
    "max": arm64.UC_CPU_ARM64_MAX,
}

# System registers as Unicorn wants them: (CRn, CRm, op0, op1, op2).
_SCR_EL3: Final = (1, 1, 3, 6, 0)
_HCR_EL2: Final = (1, 1, 3, 4, 0)
_VTTBR_EL2: Final = (2, 1, 3, 4, 0)
_VTCR_EL2: Final = (2, 1, 3, 4, 2)
_ID_AA64MMFR: Final = tuple((0, 7, 3, 0, n) for n in range(3))

_SCR_NS_RW: Final = 1 << 10 | 1 << 0
_HCR_RW_VM: Final = 1 << 31 | 1 << 0
_EL2H_MASKED: Final = 0x3C9  # D, A, I, F masked, EL2, its own stack pointer

_CODE: Final = 0x1000
_BEFORE: Final = (
    0xD50C83DF,  # TLBI VMALLS12E1
    0xD5033F9F,  # DSB SY
    0xD5033FDF,  # ISB
)
_AFTER: Final = (
    0xD5033FDF,  # ISB
    0xD5387401,  # MRS X1, PAR_EL1
)
_AT: Final = {
    "read": 0xD50C7880,  # AT S12E1R, X0
    "write": 0xD50C78A0,  # AT S12E1W, X0
}


class UnicornCpu:
    """One Unicorn engine, made once and used for any number of probes."""

    emulator: Final = "unicorn"
    version: Final[str] = unicorn.__version__
    ram_base: Final = RAM_BASE
    ram_size: Final = RAM_SIZE
    lpa2: Final = False
    ttst: Final = False
    # None of the models declares 16K, and the walker does it all the same.
    granules: Final = frozenset({12, 14, 16})

    def __init__(self, model: str) -> None:
        self.model: Final = model
        self.name: Final = f"{self.emulator}/{model}"
        self._engine = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self._engine.ctl_set_cpu_model(MODELS[model])
        self._engine.mem_map(RAM_BASE, RAM_SIZE)
        self._engine.mem_map(_CODE, 0x1000, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._code: dict[str, tuple[int, int]] = {}
        start = _CODE
        for access, at in _AT.items():
            words = (*_BEFORE, at, *_AFTER)
            self._engine.mem_write(start, b"".join(_little(w, 4) for w in words))
            self._code[access] = start, start + 4 * len(words)
            start += 4 * len(words)
        # The engine starts at EL1. HCR_EL2 comes after PSTATE because the write of a
        # system register is what makes it notice the new exception level.
        self._write(_SCR_EL3, _SCR_NS_RW)
        self._engine.reg_write(arm64.UC_ARM64_REG_PSTATE, _EL2H_MASKED)
        self._write(_HCR_EL2, _HCR_RW_VM)
        self.id_registers: Final = IdRegisters(*map(self._read, _ID_AA64MMFR))
        self.pa_bits: Final = self.id_registers.pa_bits

    def run(
        self, probes: Iterable[Probe], image: Mapping[int, bytes] | None = None
    ) -> list[Outcome]:
        """Ask every probe in turn; see `EmulatedCpu.run`."""
        image = image or {}
        for address, contents in image.items():
            check_window(address, len(contents))
        try:
            for address, contents in image.items():
                self._engine.mem_write(address, bytes(contents))
            return [self._ask(probe) for probe in probes]
        finally:
            for address, contents in image.items():
                self._engine.mem_write(address, bytes(len(contents)))

    def _ask(self, probe: Probe) -> Outcome:
        engine = self._engine
        covered = []
        for address, descriptor in probe.descriptors:
            covered.append((address, engine.mem_read(address, 8)))
            engine.mem_write(address, _little(descriptor, 8))
        try:
            self._write(_VTCR_EL2, probe.vtcr)
            self._write(_VTTBR_EL2, probe.vttbr)
            engine.reg_write(arm64.UC_ARM64_REG_X0, probe.ipa)
            # An answer that is not overwritten must not look like one.
            engine.reg_write(arm64.UC_ARM64_REG_X1, (1 << 64) - 1)
            begin, end = self._code[probe.access]
            engine.emu_start(begin, end)
            return decode_par(engine.reg_read(arm64.UC_ARM64_REG_X1))
        finally:
            for address, contents in reversed(covered):
                engine.mem_write(address, bytes(contents))

    def _write(self, register: tuple[int, ...], value: int) -> None:
        self._engine.reg_write(arm64.UC_ARM64_REG_CP_REG, (*register, value))

    def _read(self, register: tuple[int, ...]) -> int:
        value: int = self._engine.reg_read(arm64.UC_ARM64_REG_CP_REG, register)
        return value


def _little(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")
