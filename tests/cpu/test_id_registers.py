# SPDX-License-Identifier: MIT
"""The ID registers: the fields that matter to stage 2, and every other bit kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom
from s2geom import (
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
    Cpu,
    Granule,
    InvalidArgument,
)

REGISTERS: list[Any] = [
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
]

LOWEST_BITS: dict[Any, dict[str, int]] = {
    ID_AA64MMFR0_EL1: {
        "parange": 0,
        "tgran16": 20,
        "tgran64": 24,
        "tgran4": 28,
        "tgran16_2": 32,
        "tgran64_2": 36,
        "tgran4_2": 40,
    },
    ID_AA64MMFR1_EL1: {"hafdbs": 0, "vmidbits": 4, "vh": 8, "hpds": 12, "xnx": 28},
    ID_AA64MMFR2_EL1: {
        "cnp": 0,
        "nv": 24,
        "st": 28,
        "fwb": 40,
        "ttl": 48,
        "bbm": 52,
    },
    ID_AA64MMFR3_EL1: {"s2pie": 12, "s2poe": 20, "d128": 32, "d128_2": 36},
}


DIRTY_STATE = "hardware sets the access flag and dirty state of blocks and pages"
AT_ONCE = "a block may change its size at once"


@pytest.mark.parametrize("register", REGISTERS)
@given(word=st.integers(0, (1 << 64) - 1))
def test_no_bit_of_an_id_register_is_lost(register: Any, word: int) -> None:
    """What is about other things than stage 2 stays where it is."""
    read = register.from_int(word)
    named = sum(0xF << low for low in LOWEST_BITS[register].values())

    assert word == int(read)
    assert word & ~named == read.others
    assert read == eval(repr(read), vars(s2geom))  # noqa: S307 - our own repr


@pytest.mark.parametrize("register", REGISTERS)
def test_each_field_is_its_own_four_bits(register: Any) -> None:
    """One attribute a field, at the place that the manual gives it."""
    for attribute, low in LOWEST_BITS[register].items():
        assert 0xA == getattr(register.from_int(0xA << low), attribute)
        assert 0xA << low == int(register(**{attribute: 0xA}))
        with pytest.raises(InvalidArgument, match=rf"^{attribute} must be 0..15, got"):
            register(**{attribute: 16})


def test_a_cpu_explains_itself() -> None:
    """The sentences for a Cortex-A72, which has 44 bits and no 16K pages."""
    assert ID_AA64MMFR0_EL1.from_int(0x1124).explain() == (
        "PARange = 4: physical addresses have 44 bits.",
        "TGran16 = 0: there are no 16K pages.",
        "TGran64 = 0: there are 64K pages.",
        "TGran4 = 0: there are 4K pages.",
        "TGran16_2 = 0: stage 2 has 16K pages as TGran16 says.",
        "TGran64_2 = 0: stage 2 has 64K pages as TGran64 says.",
        "TGran4_2 = 0: stage 2 has 4K pages as TGran4 says.",
        "Other bits = 0x1120: not about stage 2.",
    )


@pytest.mark.parametrize(
    ("expected", "word"),
    [
        (
            "HAFDBS = 3: " + DIRTY_STATE + ", and the access flag of tables.",
            3,
        ),
        ("VMIDBits = 2: a VMID has 16 bits.", 0x20),
        ("VMIDBits = 1: reserved.", 0x10),
        (
            "XNX = 1: stage 2 has execute-never bits for EL0 and EL1 apart.",
            1 << 28,
        ),
    ],
)
def test_a_field_of_the_second_register_in_words(expected: str, word: int) -> None:
    """A value without a meaning is called reserved."""
    assert expected in ID_AA64MMFR1_EL1.from_int(word).explain()


@pytest.mark.parametrize(
    ("expected", "word"),
    [
        ("ST = 1: T0SZ is at most 48, with 64K pages 47.", 1 << 28),
        (
            "BBM = 2: " + AT_ONCE + ", which may end in a TLB conflict abort.",
            2 << 52,
        ),
        ("BBM = 3: " + AT_ONCE + ", without a TLB conflict abort.", 3 << 52),
        ("FWB = 1: stage 2 can force write-back.", 1 << 40),
    ],
)
def test_a_field_of_the_third_register_in_words(expected: str, word: int) -> None:
    """What decides about shapes is ST alone; the rest is about their use."""
    assert expected in ID_AA64MMFR2_EL1.from_int(word).explain()


def test_a_field_of_the_fourth_register_in_words() -> None:
    """Stage 2 has a field of its own for VMSAv9-128."""
    said = ID_AA64MMFR3_EL1.from_int(1 << 32 | 1 << 36).explain()

    assert "D128 = 1: tables may have VMSAv9-128's 16-byte descriptors." in said
    assert "D128_2 = 1: stage 2 may have VMSAv9-128's 16-byte descriptors." in said


@pytest.mark.parametrize("stage_1", [0, 1, 2, 15])
@pytest.mark.parametrize("stage_2", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("granule", "first", "second"),
    [(Granule.K4, "tgran4", "tgran4_2"), (Granule.K16, "tgran16", "tgran16_2")],
)
def test_explain_agrees_with_the_cpu_of_the_same_words(
    stage_1: int, stage_2: int, granule: Granule, first: str, second: str
) -> None:
    """Sentence and `Cpu.from_id_registers` agree about every pair of encodings."""
    register: Any = ID_AA64MMFR0_EL1
    word = register(parange=6, **{first: stage_1, second: stage_2})
    said = {line.split(" = ")[0].lower(): line for line in word.explain()}
    deciding = said[first] if stage_2 == 0 else said[second]
    if "reserved" in said[first]:
        with pytest.raises(s2geom.UnreadableInput):
            Cpu.from_id_registers(int(word))
        return
    cpu = Cpu.from_id_registers(int(word))

    assert (" no " not in deciding) is (granule in cpu.granules)
    assert ("52-bit" in deciding) is (granule in cpu.lpa2)
