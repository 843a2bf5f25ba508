# SPDX-License-Identifier: MIT
"""`StreamTableEntry`: the fields of stage 2 in an SMMU's stream table entry."""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from s2geom.core.fields import Reading, Word, bit, bit_range, rest
from s2geom.cpu.sizes import PARANGE
from s2geom.registers.shape_fields import (
    WALK_SHAREABILITY,
    FieldWords,
    WalkFields,
    walks_are,
)

FIRST_BIT = 128
"""Where stage 2 begins in the entry: with its third 64-bit word."""


ILLEGAL = "the STE is ILLEGAL (C_BAD_STE)"
STE_SOURCE = "SMMUv3 architecture (IHI 0070) 5.2, STE"

STE_NAMES = FieldWords(
    tg="S2TG",
    sl0="S2SL0",
    sl2="S2SL0_2",
    ds="S2DS",
    source=STE_SOURCE,
    then_tg=f"so {ILLEGAL}",
    then_sl0=f", so {ILLEGAL}",
    then_sl2="has no effect",
)


def _bits(
    name: str,
    high: int,
    low: int,
    values: Mapping[int, str] | None = None,
    *,
    reads: Reading | None = None,
    moved: int | None = None,
) -> Any:
    """Declare a field by its place in the whole entry, as the manual gives it."""
    return bit_range(
        name, high - FIRST_BIT, low - FIRST_BIT, values, reads=reads, moved=moved
    )


def _bit(
    name: str, place: int, clear: str, sets: str, *, reads: Reading | None = None
) -> Any:
    return bit(name, place - FIRST_BIT, clear, sets, reads=reads)


def _says_s2sl0(word: "StreamTableEntry") -> str:
    if not word.s2aa64:
        return "the start level of tables that are not VMSAv8-64, since S2AA64 = 0"
    return word.walk.says_start_level(STE_NAMES)


def _says_s2t0sz(word: "StreamTableEntry") -> str:
    if not word.s2aa64:
        return "the width of tables that are not VMSAv8-64, since S2AA64 = 0"
    return word.walk.says_width


def _says_s2hd(word: "StreamTableEntry") -> str:
    if word.s2hd and not word.s2ha:
        return "reserved with S2HA = 0"
    return "the SMMU tracks dirty state" if word.s2hd else "software tracks dirty state"


def _says_s2affd(word: "StreamTableEntry") -> str:
    if word.s2ha:
        return "ignored, since S2HA = 1"
    faults = "never faults" if word.s2affd else "faults"
    return f"memory with the access flag clear {faults}"


@frozen(kw_only=True, repr=False)
class StreamTableEntry(Word):
    """Words 2 and 3 of an entry, the table of its fields; users have `STE`."""

    WIDTH: ClassVar[int] = 128
    FIRST_BIT: ClassVar[int] = FIRST_BIT

    s2vmid: int = _bits(
        "S2VMID", 143, 128, reads=lambda _: "what tags the TLB entries of this VM"
    )
    impdef: int = _bits("IMPDEF", 159, 144, reads=lambda _: "IMPLEMENTATION DEFINED")
    s2t0sz: int = _bits("S2T0SZ", 165, 160, reads=_says_s2t0sz)
    s2sl0: int = _bits("S2SL0", 167, 166, reads=_says_s2sl0)
    s2ir0: int = _bits("S2IR0", 169, 168, walks_are("inner"))
    s2or0: int = _bits("S2OR0", 171, 170, walks_are("outer"))
    s2sh0: int = _bits("S2SH0", 173, 172, WALK_SHAREABILITY)
    s2tg: int = _bits(
        "S2TG", 175, 174, {0: "pages are 4K", 1: "pages are 64K", 2: "pages are 16K"}
    )
    s2ps: int = _bits(
        "S2PS",
        178,
        176,
        {
            value: f"physical addresses have {size} bits, or as many as the SMMU has"
            for value, size in enumerate(PARANGE)
        },
    )
    s2aa64: int = _bit(
        "S2AA64",
        179,
        "the tables are VMSAv8-32, or VMSAv9-128 if the SMMU has it",
        "the tables are VMSAv8-64",
    )
    s2endi: int = _bit(
        "S2ENDI", 180, "descriptors are little-endian", "descriptors are big-endian"
    )
    s2affd: int = _bit(
        "S2AFFD",
        181,
        "memory with the access flag clear faults",
        "memory with the access flag clear never faults",
        reads=_says_s2affd,
    )
    s2ptw: int = _bit(
        "S2PTW",
        182,
        "stage-1 tables may be in Device memory",
        "stage-1 tables in Device memory fault",
    )
    s2hd: int = _bit(
        "S2HD",
        183,
        "software tracks dirty state",
        "the SMMU tracks dirty state, with S2HA = 1",
        reads=_says_s2hd,
    )
    s2ha: int = _bit(
        "S2HA", 184, "software sets the access flag", "the SMMU sets the access flag"
    )
    s2s: int = _bit(
        "S2S", 185, "a faulting transaction ends", "a faulting transaction may stall"
    )
    s2r: int = _bit("S2R", 186, "faults are not recorded", "faults are recorded")
    s2haft: int = _bit(
        "S2HAFT",
        187,
        "the SMMU leaves the access flag of table descriptors alone",
        "the SMMU sets the access flag of table descriptors",
    )
    s2pie: int = _bit(
        "S2PIE", 188, "permissions are direct", "permissions are indirect"
    )
    s2poe: int = _bit(
        "S2POE",
        189,
        "there is no permission overlay",
        "there is a permission overlay",
    )
    dpt_vmatch: int = _bits(
        "DPT_VMATCH",
        191,
        190,
        {
            0: "a device permission entry matches this VM, or allows any",
            1: "a device permission entry matches this VM, or allows some others",
            2: "a device permission entry need not match this VM",
        },
    )
    s2nsw: int = _bit(
        "S2NSW",
        192,
        "in Secure state, walks for Non-secure IPAs are to Secure memory",
        "in Secure state, walks for Non-secure IPAs are to Non-secure memory",
    )
    s2nsa: int = _bit(
        "S2NSA",
        193,
        "in Secure state, Non-secure IPAs map to Secure memory",
        "in Secure state, Non-secure IPAs map to Non-secure memory",
    )
    s2sl0_2: int = _bit(
        "S2SL0_2",
        194,
        "S2SL0 alone gives the start level",
        "with S2DS = 1, S2SL0 = 0 and 4K pages, the walk starts at level -1",
    )
    s2ds: int = _bit(
        "S2DS",
        195,
        "descriptors of 4K and 16K pages hold 48-bit addresses",
        "descriptors of 4K and 16K pages hold 52-bit addresses",
    )
    s2ttb: int = _bits(
        "S2TTB", 247, 196, reads=lambda _: "where the tables are", moved=64
    )
    s2skl: int = _bits(
        "S2SKL", 254, 253, reads=lambda _: "levels to skip, for VMSAv9-128 alone"
    )
    reserved: int = rest("reserved", "reserved, and must be 0")

    @property
    def words(self) -> tuple[int, int]:
        """Words 2 and 3 of the entry."""
        whole = int(self)
        return whole & (1 << 64) - 1, whole >> 64

    @property
    def walk(self) -> WalkFields:
        """The fields that make a shape."""
        return WalkFields(self.s2t0sz, self.s2sl0, self.s2tg, self.s2ds, self.s2sl0_2)

    @property
    def pa_bits(self) -> int:
        """The size that S2PS stands for, in bits; the SMMU may have less."""
        return PARANGE[self.s2ps]
