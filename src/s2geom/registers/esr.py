# SPDX-License-Identifier: MIT
"""`ESR_EL2`: how a CPU tells a hypervisor of a guest's stage-2 fault.

The exception class says whose abort it is, the fault status code says kind and level.
Where the guest's address is comes from two more registers: HPFAR_EL2 has the IPA of the
page for some faults only, and FAR_EL2 has the virtual address.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from attrs import frozen

from s2geom.core.errors import UnsupportedCombination, Violations
from s2geom.core.fields import Reading, Word, bit, bit_range, rest
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.numbers import unsigned
from s2geom.core.public import public
from s2geom.core.rules import Rule, violations_of
from s2geom.core.units import size_text
from s2geom.registers.fault_status import (
    ADDRESS_SIZE,
    EXTERNAL_ABORT,
    OTHER_STATUS,
    PERMISSION,
    TRANSLATION,
    FaultKind,
    fault_of,
)

AccessKind = Literal["execute", "read", "write", "maintenance"]

ACCESS_WORDS: dict[AccessKind, str] = {
    "execute": "an instruction fetch",
    "read": "a read",
    "write": "a write",
    "maintenance": "cache maintenance or address translation",
}
"""What a guest does, in words."""

INSTRUCTION_ABORT = 0x20
DATA_ABORT = 0x24
"""The exception classes of a guest's aborts: from a lower exception level."""

CLASSES = {
    0x00: "an unknown reason",
    0x01: "a trapped WFI or WFE",
    0x07: "a trapped access to SVE, SIMD or floating point",
    0x15: "an SVC instruction",
    0x16: "an HVC instruction",
    0x17: "an SMC instruction",
    0x18: "a trapped MSR, MRS or System instruction",
    INSTRUCTION_ABORT: "an instruction abort from a lower exception level",
    0x21: "an instruction abort at the same exception level",
    0x22: "a misaligned PC",
    DATA_ABORT: "a data abort from a lower exception level",
    0x25: "a data abort at the same exception level",
    0x26: "a misaligned SP",
    0x2F: "an SError interrupt",
    0x3C: "a BRK instruction",
}
"""Exception classes in words, as far as a hypervisor meets them often."""

ABORTS = frozenset({INSTRUCTION_ABORT, 0x21, DATA_ABORT, 0x25})
DATA_ABORTS = frozenset({DATA_ABORT, 0x25})

PAGE_BYTES = 4096
"""HPFAR_EL2 has the IPA in units of 4 KiB, whatever the page size."""


def _class_of(word: "ESR_EL2") -> str:
    return f"{CLASSES.get(word.ec, 'another exception class')} ({word.ec:#x})"


def _of(classes: frozenset[int], read: Callable[["ESR_EL2"], str]) -> Reading:
    """Return the reading of a field that only some exception classes have."""

    def reading(word: "ESR_EL2") -> str:
        return read(word) if word.ec in classes else "without this meaning in the class"

    return reading


def _reads_status(word: "ESR_EL2") -> str:
    fault = fault_of(word.dfsc)
    if fault is not None:
        kind, level = fault
        return f"{_named(kind)}, level {level}"
    return OTHER_STATUS.get(word.dfsc, "another fault")


def _named(kind: FaultKind) -> str:
    if kind == EXTERNAL_ABORT:
        return "an External abort on a table walk"
    return f"{'an' if kind[0] == 'a' else 'a'} {kind} fault"


def _abort_bit(
    name: str, place: int, clear: str, sets: str, classes: frozenset[int] = ABORTS
) -> Any:
    """Declare a bit that the syndromes of some exception classes have."""

    def reads(word: "ESR_EL2") -> str:
        return sets if getattr(word, name.lower()) else clear

    return bit(name, place, clear, sets, reads=_of(classes, reads))


_data_bit = partial(_abort_bit, classes=DATA_ABORTS)


def _register_field(name: str, high: int, low: int, read: Callable[[int], str]) -> Any:
    """Declare a field about the register that is loaded or stored."""

    def reads(word: "ESR_EL2") -> str:
        if not word.isv:
            return "without meaning, since ISV = 0"
        return read(getattr(word, name.lower()))

    return bit_range(name, high, low, reads=_of(DATA_ABORTS, reads))


@public
@frozen(kw_only=True, repr=False)
class ESR_EL2(Word):  # noqa: N801 - the register's name
    """ESR_EL2, the syndrome of an exception to EL2: the fields of an abort.

    Every attribute is an `int`, the field's value; ``others`` holds the rest, where it
    is in the word. Bits 24:0 have these names for instruction and data aborts alone.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, ESR_EL2.

    .. versionadded:: 0.2.0

    >>> word = ESR_EL2.from_int(0x9200_0047)
    >>> fault = word.stage2_fault(hpfar=0x40_0000, far=0xFFFF_0000_1234)
    >>> fault.kind, fault.level, fault.access, hex(fault.ipa)
    ('translation', 3, 'write', '0x40000234')
    """

    dfsc: int = bit_range("DFSC", 5, 0, reads=_of(ABORTS, _reads_status))
    wnr: int = _data_bit("WnR", 6, "the access was a read", "the access was a write")
    s1ptw: int = _abort_bit(
        "S1PTW",
        7,
        "the access itself faulted",
        "the stage-1 table walk for the access faulted at stage 2",
    )
    cm: int = _data_bit(
        "CM",
        8,
        "the access was a load, a store or the like",
        "the access was cache maintenance or an address translation instruction",
    )
    ea: int = _abort_bit(
        "EA",
        9,
        "External abort type 0, which is IMPLEMENTATION DEFINED",
        "External abort type 1, which is IMPLEMENTATION DEFINED",
    )
    fnv: int = _abort_bit(
        "FnV", 10, "FAR_EL2 holds the virtual address", "FAR_EL2 is not valid"
    )
    set: int = bit_range(
        "SET",
        12,
        11,
        reads=_of(ABORTS, lambda _: "how a synchronous error can be recovered from"),
    )
    vncr: int = _data_bit(
        "VNCR",
        13,
        "the access was not made for VNCR_EL2",
        "the access was made for VNCR_EL2",
    )
    ar: int = _register_field(
        "AR", 14, 14, lambda ar: "acquire or release" if ar else "plain ordering"
    )
    sf: int = _register_field(
        "SF", 15, 15, lambda sf: f"the register has {64 if sf else 32} bits"
    )
    srt: int = _register_field(
        "SRT",
        20,
        16,
        lambda srt: "the register is " + ("XZR" if srt == 31 else f"X{srt}"),
    )
    sse: int = _register_field(
        "SSE",
        21,
        21,
        lambda sse: "the value is sign-extended" if sse else "no sign extension",
    )
    sas: int = _register_field(
        "SAS", 23, 22, lambda sas: f"the access has {size_text(1 << sas)}"
    )
    isv: int = _data_bit(
        "ISV",
        24,
        "bits 23:14 do not describe the instruction",
        "bits 23:14 describe a load or store of one register",
    )
    il: int = bit(
        "IL", 25, "the instruction has 16 bits", "the instruction has 32 bits"
    )
    ec: int = bit_range("EC", 31, 26, reads=_class_of)
    others: int = rest("others", "ISS2, or reserved")

    def lint(
        self, *, geometry: Geometry | None = None, hpfar: int | None = None
    ) -> Violations:
        """Return why the word is no stage-2 fault of a guest; empty if it is one.

        EL2 gets the aborts of a guest and, where HCR_EL2.TGE is set, those of its own
        user space in the same exception classes; a word alone cannot tell which.

        Args:
            geometry: The tables of the guest: a fault has a level that their walk
                reaches.
            hpfar: HPFAR_EL2: an IPA outside the space of the tables is not walked.

        Raises:
            InvalidArgument: ``hpfar`` is not 0 to 2^64 - 1.
            TypeError: ``geometry`` is no `Geometry`, or ``hpfar`` no integer.

        >>> [why.rule for why in ESR_EL2.from_int(0x9600_0047).lint()]
        ['esr-not-a-guest-abort']
        """
        hpfar = _optional_word("hpfar", hpfar)
        broken = violations_of(ESR_RULES, self)
        fault = fault_of(self.dfsc)
        if geometry is None or broken or fault is None:
            return broken
        page = _page_of(self, fault[0], hpfar)
        case = _Syndrome(self, geometry_of(geometry), *fault, page or 0)
        return violations_of(ESR_LEVEL_RULES, case)

    def stage2_fault(
        self, *, hpfar: int | None = None, far: int | None = None
    ) -> "GuestFault":
        """Return the stage-2 fault that the word reports.

        Args:
            hpfar: HPFAR_EL2, which has the IPA of the page.
            far: FAR_EL2, which has the virtual address, and with it the offset into
                the page.

        Raises:
            UnsupportedCombination: It reports no stage-2 fault of a guest; see `lint`.
            InvalidArgument: A word is not 0 to 2^64 - 1.
            TypeError: A word is no integer.

        Source: Arm ARM D24, ESR_EL2, HPFAR_EL2 and FAR_EL2.
        """
        broken = self.lint()
        fault = fault_of(self.dfsc)
        if broken or fault is None:
            raise UnsupportedCombination(broken)
        kind, level = fault
        s1ptw = bool(self.s1ptw)
        page = _page_of(self, kind, _optional_word("hpfar", hpfar))
        va = _optional_word("far", far)
        if self.fnv:
            va = None
        # FAR_EL2 is the address of the access, not of the stage-1 table.
        offset = None if va is None or s1ptw else va % PAGE_BYTES
        if page is None:
            return GuestFault(kind, level, _access_of(self), s1ptw, va=va)
        ipa = page | (offset or 0)
        has_offset = offset is not None
        return GuestFault(kind, level, _access_of(self), s1ptw, ipa, has_offset, va)


HPFAR_FIPA = 0xFFFF_FFFF_FFF0
"""HPFAR_EL2.FIPA, which is the IPA without its lowest 12 bits, 8 bits lower."""


def _optional_word(name: str, value: int | None) -> int | None:
    return None if value is None else unsigned(name, value)


def _page_of(word: ESR_EL2, kind: FaultKind, hpfar: int | None) -> int | None:
    """Return the IPA without its lowest 12 bits; None where HPFAR_EL2 has none."""
    if hpfar is None or _why_no_ipa(kind, bool(word.s1ptw)):
        return None
    return (hpfar & HPFAR_FIPA) << 8


def _access_of(word: ESR_EL2) -> AccessKind:
    """Return what the guest did, of the syndrome of an abort."""
    if word.ec == INSTRUCTION_ABORT:
        return "execute"
    if word.cm:
        return "maintenance"
    return "write" if word.wnr else "read"


def _why_no_ipa(kind: FaultKind, s1ptw: bool) -> str:
    """Return why HPFAR_EL2 is UNKNOWN, or nothing where it has the IPA."""
    if kind == EXTERNAL_ABORT:
        return "HPFAR_EL2 is not written for this abort"
    if kind == PERMISSION and not s1ptw:
        return (
            "HPFAR_EL2 is not written for a permission fault of an access; translate "
            "FAR_EL2 by the guest's stage 1"
        )
    return ""


@public
@frozen
class GuestFault:
    """A guest's stage-2 fault, as the registers of EL2 report it.

    Args:
        kind: ``"translation"``, ``"address size"``, ``"access flag"``,
            ``"permission"`` or ``"external abort"`` (on the walk).
        level: Level of lookup, -1..3.
        access: What the guest did: ``"execute"``, ``"read"``, ``"write"``, or
            ``"maintenance"`` of caches, address translation instructions included.
        s1ptw: Whether the guest's stage-1 table walk faulted, rather than the access.
        ipa: The address that faulted, or None where HPFAR_EL2 was not given or does
            not hold it.
        has_offset: Whether ``ipa`` has its lowest 12 bits; else it is that of the 4 KiB
            around it.
        va: The virtual address, or None where FAR_EL2 was not given or is not valid.

    .. versionadded:: 0.2.0
    """

    kind: FaultKind
    level: int
    access: AccessKind
    s1ptw: bool = False
    ipa: int | None = None
    has_offset: bool = False
    va: int | None = None

    def explain(self) -> tuple[str, ...]:
        """Return what happened, one plain sentence for each thing that is known."""
        what = ACCESS_WORDS[self.access]
        if self.s1ptw:
            what = f"the stage-1 table walk of {what}"
        return (
            f"{_named(self.kind)}, level {self.level}, on {what}.".replace("a", "A", 1),
            self._where,
            "No virtual address is known."
            if self.va is None
            else f"The guest used the virtual address {self.va:#x}.",
        )

    @property
    def _where(self) -> str:
        if self.ipa is not None:
            place = "" if self.has_offset else ", within 4 KiB"
            return f"The IPA is {self.ipa:#x}{place}."
        why = _why_no_ipa(self.kind, self.s1ptw) or "it takes HPFAR_EL2"
        return f"The IPA is not known: {why}."


# What is no fault of a guest


@frozen
class _Syndrome:
    """A word that reports a fault, the tables of the guest, and the page's address."""

    word: ESR_EL2
    shape: Geometry

    kind: FaultKind
    level: int
    page: int

    @property
    def is_reached(self) -> bool:
        """Whether the walk comes to the level, or reports level 0 before it starts."""
        before = self.level == 0 and self.kind in {TRANSLATION, ADDRESS_SIZE}
        return before or self.level >= self.shape.start_level

    @property
    def walks_outside(self) -> bool:
        """Whether the address is outside the IPA space, but the walk has started."""
        outside = bool(self.page >> self.shape.ipa_bits)
        return outside and (self.level, self.kind) != (0, TRANSLATION)


ESR_RULES: tuple[Rule[ESR_EL2], ...] = (
    Rule(
        id="esr-not-a-guest-abort",
        states="a guest's stage-2 fault has the exception class 0x20 or 0x24",
        limited_by="architecture",
        breaks=lambda word: word.ec not in {INSTRUCTION_ABORT, DATA_ABORT},
        given=lambda word: f"{word.ec:#x}",
        limit=lambda _: "0x20, 0x24",
        says=lambda word: (
            f"EC {word.ec:#x} is {CLASSES.get(word.ec, 'another class')}, so the word "
            "tells of no stage-2 fault of a guest, which has EC 0x20 (instruction "
            "abort) or 0x24 (data abort)"
        ),
        fix=lambda _: "decode ESR_EL2 as it was when the guest exited",
        source="Arm ARM D24, ESR_EL2.EC",
    ),
    Rule(
        id="esr-not-a-walk-fault",
        states="the fault status code is that of a fault of a walk",
        limited_by="architecture",
        breaks=lambda word: (
            word.ec in {INSTRUCTION_ABORT, DATA_ABORT} and fault_of(word.dfsc) is None
        ),
        given=lambda word: f"{word.dfsc:#x}",
        limit=lambda _: "a code of a walk",
        says=lambda word: (
            f"DFSC = {word.dfsc:#x} is "
            f"{OTHER_STATUS.get(word.dfsc, 'no code of a fault of a walk')}, so the "
            "tables of stage 2 do not tell why"
        ),
        fix=lambda _: "look for the cause outside the tables",
        source="Arm ARM D24, ESR_EL2.ISS; pseudocode EncodeLDFSC",
    ),
)
"""Words that report no stage-2 fault of a guest."""


ESR_LEVEL_RULES: tuple[Rule[_Syndrome], ...] = (
    Rule(
        id="esr-level-above-start",
        states="a walk faults at a level that it reaches, or at level 0 before it "
        "starts",
        limited_by="architecture",
        breaks=lambda case: not case.is_reached,
        given=lambda case: case.level,
        limit=lambda case: case.shape.start_level,
        says=lambda case: (
            f"DFSC = {case.word.dfsc:#x} is a fault at level {case.level}, but the "
            f"walk starts at level {case.shape.start_level}; the fault is of other "
            "tables"
        ),
        fix=lambda _: "use the VTCR_EL2 that was in force when the guest exited",
        source="Arm ARM D8.2; pseudocode AArch64.S2Walk",
    ),
    Rule(
        id="esr-ipa-outside",
        states="an address outside the IPA space is a Translation fault at level 0, "
        "and is not walked",
        limited_by="architecture",
        breaks=lambda case: case.walks_outside,
        given=lambda case: f"{case.page:#x}",
        limit=lambda case: f"{case.shape.ipa_size - 1:#x}",
        says=lambda case: (
            f"the IPA {case.page:#x} is outside the {case.shape.ipa_bits}-bit IPA "
            f"space, but DFSC = {case.word.dfsc:#x} is {_named(case.kind)}, level "
            f"{case.level}, of a walk; the fault is of other tables"
        ),
        fix=lambda _: "use the VTCR_EL2 that was in force when the guest exited",
        source="Arm ARM D8.2; pseudocode AArch64.S2Translate",
    ),
)
"""Where a word and the tables do not belong together."""
