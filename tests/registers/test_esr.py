# SPDX-License-Identifier: MIT
"""`ESR_EL2`: which words tell of a guest's stage-2 fault, and what they tell."""

import pickle
from typing import Any

import pytest

import s2geom as s2
from s2geom import ESR_EL2, Geometry, GuestFault
from s2geom.registers.fault_status import OTHER_STATUS, fault_of, status_of

DATA, FETCH = 0x24 << 26 | 1 << 25, 0x20 << 26 | 1 << 25
"""A data abort and an instruction abort of a guest, of a 32-bit instruction."""

WRITE, S1PTW, CM, FNV = 1 << 6, 1 << 7, 1 << 8, 1 << 10

CODES = {
    ("translation", -1): 0b101011,
    ("translation", 0): 0b000100,
    ("translation", 3): 0b000111,
    ("address size", -1): 0b101001,
    ("address size", 0): 0b000000,
    ("address size", 2): 0b000010,
    ("access flag", 1): 0b001001,
    ("permission", 3): 0b001111,
    ("external abort", -1): 0b010011,
    ("external abort", 2): 0b010110,
}
"""Status codes as the manual's table of DFSC has them."""


@pytest.mark.parametrize(("fault", "code"), CODES.items())
def test_a_status_code_has_a_kind_and_a_level(
    fault: tuple[Any, int], code: int
) -> None:
    """Codes at level -1 follow no formula; decoding and encoding agree."""
    assert fault == fault_of(code)
    assert code == status_of(*fault)


def test_each_status_code_stands_for_one_fault() -> None:
    """23 codes are a walk's, and none of them is in the table of other faults."""
    walks = {code for code in range(64) if fault_of(code) is not None}

    assert 23 == len(walks)
    assert not walks & OTHER_STATUS.keys()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (DATA | 0x07, ("translation", 3, "read", False)),
        (DATA | WRITE | 0x07, ("translation", 3, "write", False)),
        (DATA | WRITE | CM | 0x05, ("translation", 1, "maintenance", False)),
        (FETCH | 0x0F, ("permission", 3, "execute", False)),
        (FETCH | S1PTW | 0x2B, ("translation", -1, "execute", True)),
        (DATA | S1PTW | 0x09, ("access flag", 1, "read", True)),
        (DATA | 0x14, ("external abort", 0, "read", False)),
    ],
)
def test_a_fault_has_kind_level_and_access(
    word: int, expected: tuple[str, int, str, bool]
) -> None:
    """Kind, level, access, and whether the stage-1 walk faulted, of real syndromes."""
    fault = ESR_EL2.from_int(word).stage2_fault()

    assert expected == (fault.kind, fault.level, fault.access, fault.s1ptw)
    assert fault.ipa is None
    assert fault.va is None
    assert fault == pickle.loads(pickle.dumps(fault))  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("word", "far", "ipa", "has_offset"),
    [
        (DATA | 0x07, 0xFFFF_0000_0000_1234, 0x8_0000_5234, True),
        (DATA | 0x07, None, 0x8_0000_5000, False),
        (DATA | FNV | 0x07, 0x1234, 0x8_0000_5000, False),
        (DATA | S1PTW | 0x0F, 0x1234, 0x8_0000_5000, False),
        (DATA | 0x0F, 0x1234, None, False),
        (DATA | S1PTW | 0x14, 0x1234, None, False),
    ],
)
def test_where_the_address_comes_from(
    word: int, far: int | None, ipa: int | None, has_offset: bool
) -> None:
    """The page is HPFAR_EL2's and the offset FAR_EL2's, where they hold them.

    HPFAR_EL2 is not written for a permission fault of an access nor for an External
    abort, and FAR_EL2 never has the address of a stage-1 table.
    """
    fault = ESR_EL2.from_int(word).stage2_fault(hpfar=0x800_0050 | 1 << 63, far=far)

    assert ipa == fault.ipa
    assert has_offset is fault.has_offset


def test_far_is_ignored_where_fnv_is_set() -> None:
    """FnV = 1 says that FAR_EL2 is not valid."""
    assert 0x1234 == ESR_EL2.from_int(DATA | 4).stage2_fault(far=0x1234).va
    assert ESR_EL2.from_int(DATA | FNV | 4).stage2_fault(far=0x1234).va is None


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            GuestFault("translation", 3, "write", False, 0x4000_0234, True, 0x1234),
            (
                "A translation fault, level 3, on a write.",
                "The IPA is 0x40000234.",
                "The guest used the virtual address 0x1234.",
            ),
        ),
        (
            GuestFault("access flag", -1, "execute", True, 0x4000_0000),
            (
                (
                    "An access flag fault, level -1, on the stage-1 table walk of an "
                    "instruction fetch."
                ),
                "The IPA is 0x40000000, within 4 KiB.",
                "No virtual address is known.",
            ),
        ),
        (
            GuestFault("external abort", 0, "read"),
            (
                "An External abort on a table walk, level 0, on a read.",
                "The IPA is not known: HPFAR_EL2 is not written for this abort.",
                "No virtual address is known.",
            ),
        ),
        (
            GuestFault("permission", 2, "maintenance"),
            (
                (
                    "A permission fault, level 2, on cache maintenance or address "
                    "translation."
                ),
                (
                    "The IPA is not known: HPFAR_EL2 is not written for a permission "
                    "fault "
                    "of an access; translate FAR_EL2 by the guest's stage 1."
                ),
                "No virtual address is known.",
            ),
        ),
        (
            GuestFault("permission", 2, "read", s1ptw=True),
            (
                "A permission fault, level 2, on the stage-1 table walk of a read.",
                "The IPA is not known: it takes HPFAR_EL2.",
                "No virtual address is known.",
            ),
        ),
    ],
)
def test_a_fault_explains_itself(fault: GuestFault, expected: tuple[str, ...]) -> None:
    """Sentences say what happened, where, and what is not known and why."""
    assert expected == fault.explain()


NO_GUEST = (
    "so the word tells of no stage-2 fault of a guest, which has EC 0x20 (instruction "
    "abort) or 0x24 (data abort)"
)
NO_WALK = "so the tables of stage 2 do not tell why"


@pytest.mark.parametrize(
    ("word", "rule", "reason", "consequence"),
    [
        (
            0x9600_0047,
            "esr-not-a-guest-abort",
            "EC 0x25 is a data abort at the same exception level",
            NO_GUEST,
        ),
        (
            0x5A00_0000,
            "esr-not-a-guest-abort",
            "EC 0x16 is an HVC instruction",
            NO_GUEST,
        ),
        (0x3F << 26, "esr-not-a-guest-abort", "EC 0x3f is another class", NO_GUEST),
        (
            DATA | 0x21,
            "esr-not-a-walk-fault",
            "DFSC = 0x21 is an alignment fault",
            NO_WALK,
        ),
        (
            DATA | 0x3F,
            "esr-not-a-walk-fault",
            "DFSC = 0x3f is no code of a fault of a walk",
            NO_WALK,
        ),
    ],
)
def test_other_exceptions_are_no_stage_2_fault(
    word: int, rule: str, reason: str, consequence: str
) -> None:
    """The class is judged first: in other classes the low bits mean something else."""
    syndrome = ESR_EL2.from_int(word)
    [broken] = syndrome.lint()

    assert (rule, f"{reason}, {consequence}") == (broken.rule, broken.message)
    assert broken.fix
    with pytest.raises(s2.UnsupportedCombination) as caught:
        syndrome.stage2_fault()
    assert (broken,) == caught.value.violations


@pytest.mark.parametrize(
    ("status", "rules"),
    [
        (0x07, []),
        (0x05, []),
        (0x04, []),  # translation, level 0: before the walk starts
        (0x00, []),  # address size, level 0: the root
        (0x08, ["esr-level-above-start"]),
        (0x14, ["esr-level-above-start"]),
        (0x2B, ["esr-level-above-start"]),
        (0x21, ["esr-not-a-walk-fault"]),
    ],
)
def test_a_fault_above_the_start_level_is_found(status: int, rules: list[str]) -> None:
    """With 4K pages and 40 bits, which start at level 1, level 0 is not reached."""
    broken = ESR_EL2.from_int(DATA | status).lint(geometry=Geometry(12, 40, 1))

    assert rules == [why.rule for why in broken]


def test_the_message_names_fault_level_and_start_level() -> None:
    """A wrong VTCR_EL2 shows by the two numbers."""
    [broken] = ESR_EL2.from_int(DATA | 0x08).lint(geometry=Geometry(12, 40, 1))

    assert broken.message == (
        "DFSC = 0x8 is a fault at level 0, but the walk starts at level 1; the fault "
        "is of other tables"
    )
    assert (0, 1) == (broken.given, broken.limit)
    assert broken.fix == "use the VTCR_EL2 that was in force when the guest exited"


@pytest.mark.parametrize(
    ("status", "hpfar", "rules"),
    [
        (0x07, 0xFFFF_FFF0, []),  # the last page of 40 bits
        (0x07, 0x1_0000_0000, ["esr-ipa-outside"]),
        (0x09, 0x1_0000_0000, ["esr-ipa-outside"]),
        (0x00, 0x1_0000_0000, ["esr-ipa-outside"]),  # the root's address comes after
        (0x04, 0x1_0000_0000, []),  # translation, level 0: as it must be
        (0x0F, 0x1_0000_0000, []),  # HPFAR_EL2 is not written for a permission fault
        (0x0F | 1 << 7, 0x1_0000_0000, ["esr-ipa-outside"]),  # but for its table walk
        (0x15, 0x1_0000_0000, []),  # nor for an External abort
        (0x21, 0x1_0000_0000, ["esr-not-a-walk-fault"]),
    ],
)
def test_a_walk_outside_the_ipa_space_is_of_other_tables(
    status: int, hpfar: int, rules: list[str]
) -> None:
    """With 40 bits, a wider address faults at level 0, before any lookup."""
    word = ESR_EL2.from_int(DATA | status)
    broken = word.lint(geometry=Geometry(12, 40, 1), hpfar=hpfar)

    assert rules == [why.rule for why in broken]
    assert () == ESR_EL2.from_int(DATA | 7).lint(hpfar=hpfar)


def test_the_message_names_the_address_and_the_space() -> None:
    """The VTCR_EL2 was another one."""
    word = ESR_EL2.from_int(DATA | 0x0A)
    [broken] = word.lint(geometry=Geometry(14, 36, 2), hpfar=0x1000_0000)

    assert broken.message == (
        "the IPA 0x1000000000 is outside the 36-bit IPA space, but DFSC = 0xa is an "
        "access flag fault, level 2, of a walk; the fault is of other tables"
    )
    assert ("0x1000000000", "0xfffffffff") == (broken.given, broken.limit)
    assert broken.fix == "use the VTCR_EL2 that was in force when the guest exited"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (DATA | 0x47, "DFSC = 7: a translation fault, level 3."),
        (DATA | 0x14, "DFSC = 20: an External abort on a table walk, level 0."),
        (DATA | 0x30, "DFSC = 48: a TLB conflict abort."),
        (DATA | 0x3E, "DFSC = 62: another fault."),
        (0x16 << 26, "DFSC = 0: without this meaning in the class."),
        (DATA | 0x47, "WnR = 1: the access was a write."),
        (FETCH | 0x47, "WnR = 1: without this meaning in the class."),
        (DATA | 0x80, ("S1PTW = 1: the stage-1 table walk for the access faulted at "
        "stage 2.")),
        (DATA | FNV, "FnV = 1: FAR_EL2 is not valid."),
        (DATA, "SRT = 0: without meaning, since ISV = 0."),
        (DATA | 1 << 24 | 5 << 16, "SRT = 5: the register is X5."),
        (DATA | 1 << 24 | 2 << 22, "SAS = 2: the access has 4 B."),
        (DATA | 1 << 24 | 1 << 15, "SF = 1: the register has 64 bits."),
        (DATA | 1 << 24, "AR = 0: plain ordering."),
        (DATA | 1 << 24 | 1 << 21, "SSE = 1: the value is sign-extended."),
        (DATA, "EC = 36: a data abort from a lower exception level (0x24)."),
        (0x3F << 26, "EC = 63: another exception class (0x3f)."),
    ],
)  # fmt: skip
def test_fields_are_explained_by_exception_class(word: int, sentence: str) -> None:
    """Bits 24:0 are those of an abort in the exception classes of aborts alone."""
    assert sentence in ESR_EL2.from_int(word).explain()


def test_wrong_words_are_named() -> None:
    """HPFAR_EL2 and FAR_EL2 are 64-bit words."""
    word = ESR_EL2.from_int(DATA | 7)
    with pytest.raises(s2.InvalidArgument, match=r"^hpfar must be 0"):
        word.stage2_fault(hpfar=-1)
    with pytest.raises(TypeError, match=r"^far must be an integer"):
        word.stage2_fault(far="1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^geometry must be a Geometry"):
        word.lint(geometry=12)  # type: ignore[arg-type]
    with pytest.raises(s2.InvalidArgument, match=r"^hpfar must be 0"):
        word.lint(hpfar=1 << 64)
