# SPDX-License-Identifier: MIT
"""The ID registers that say what a CPU's stage 2 can do, field by field.

Only the fields that matter to stage 2 have a name here; everything else in the word is
kept as it is. What follows from the words, `Cpu.from_id_registers` works out.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from s2geom.core.fields import Word, bits, rest
from s2geom.core.public import public
from s2geom.cpu.sizes import PA_BITS

OTHERS = "about something else than stage 2"


def _four(
    name: str, low: int, values: Mapping[int, str], feature: str | None = None
) -> Any:
    """Declare a field of an ID register: they are all four bits wide."""
    return bits(name, low + 3, low, values, feature=feature)


def _at_stage_2(pages: str, stage_1: str, *, lpa2: bool = True) -> dict[int, str]:
    values = {
        0: f"stage 2 has {pages} pages as {stage_1} says",
        1: f"stage 2 has no {pages} pages",
        2: f"stage 2 has {pages} pages",
    }
    if lpa2:
        values[3] = f"stage 2 has {pages} pages, with LPA2's 52-bit addresses"
    return values


@public
@frozen(kw_only=True, repr=False)
class ID_AA64MMFR0_EL1(Word):  # noqa: N801 - the register's name
    """ID_AA64MMFR0_EL1: physical address size and page sizes.

    Every attribute is an `int`, the field's value; ``others`` holds the rest, where it
    is in the word.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, ID_AA64MMFR0_EL1.

    >>> print(ID_AA64MMFR0_EL1.from_int(0x1124).explain()[0])
    PARange = 4: physical addresses have 44 bits.
    """

    parange: int = _four(
        "PARange",
        0,
        {
            code: f"physical addresses have {size} bits"
            for code, size in enumerate(PA_BITS)
        },
        "FEAT_LPA for 52 bits, FEAT_D128 for 56",
    )
    tgran16: int = _four(
        "TGran16",
        20,
        {
            0: "there are no 16K pages",
            1: "there are 16K pages",
            2: "there are 16K pages, with LPA2's 52-bit addresses",
        },
        "FEAT_LPA2 for 2",
    )
    tgran64: int = _four(
        "TGran64", 24, {0: "there are 64K pages", 15: "there are no 64K pages"}
    )
    tgran4: int = _four(
        "TGran4",
        28,
        {
            0: "there are 4K pages",
            1: "there are 4K pages, with LPA2's 52-bit addresses",
            15: "there are no 4K pages",
        },
        "FEAT_LPA2 for 1",
    )
    tgran16_2: int = _four(
        "TGran16_2", 32, _at_stage_2("16K", "TGran16"), "FEAT_LPA2 for 3"
    )
    tgran64_2: int = _four("TGran64_2", 36, _at_stage_2("64K", "TGran64", lpa2=False))
    tgran4_2: int = _four(
        "TGran4_2", 40, _at_stage_2("4K", "TGran4"), "FEAT_LPA2 for 3"
    )
    others: int = rest("others", OTHERS)


@public
@frozen(kw_only=True, repr=False)
class ID_AA64MMFR1_EL1(Word):  # noqa: N801 - the register's name
    """ID_AA64MMFR1_EL1: hardware updates, VMIDs, execute-never.

    Every attribute is an `int`, the field's value; ``others`` holds the rest, where it
    is in the word.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, ID_AA64MMFR1_EL1.

    >>> print(ID_AA64MMFR1_EL1.from_int(0x10212122).explain()[1])
    VMIDBits = 2: a VMID has 16 bits.
    """

    hafdbs: int = _four(
        "HAFDBS",
        0,
        {
            0: "hardware sets neither access flag nor dirty state",
            1: "hardware sets the access flag of blocks and pages",
            2: "hardware sets the access flag and dirty state of blocks and pages",
            3: "hardware sets these, and the access flag of tables",
            4: "hardware sets all these, and logs dirty pages",
        },
        "FEAT_HAFDBS; FEAT_HAFT for 3, FEAT_HDBSS for 4",
    )
    vmidbits: int = _four(
        "VMIDBits",
        4,
        {0: "a VMID has 8 bits", 2: "a VMID has 16 bits"},
        "FEAT_VMID16 for 2",
    )
    vh: int = _four(
        "VH",
        8,
        {0: "a host kernel runs at EL1", 1: "a host kernel may run at EL2"},
        "FEAT_VHE",
    )
    hpds: int = _four(
        "HPDS",
        12,
        {
            0: "table descriptors always limit permissions",
            1: "stage 1 may ignore the permissions of table descriptors",
            2: "so it may, and bits 62:59 of a leaf may be for the hardware",
        },
        "FEAT_HPDS; FEAT_HPDS2 for 2",
    )
    xnx: int = _four(
        "XNX",
        28,
        {
            0: "stage 2 makes memory executable for EL0 and EL1 alike",
            1: "stage 2 makes memory executable for EL0 and EL1 each",
        },
        "FEAT_XNX",
    )
    others: int = rest("others", OTHERS)


@public
@frozen(kw_only=True, repr=False)
class ID_AA64MMFR2_EL1(Word):  # noqa: N801 - the register's name
    """ID_AA64MMFR2_EL1: small tables, forced write-back, break-before-make.

    Every attribute is an `int`, the field's value; ``others`` holds the rest, where it
    is in the word.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, ID_AA64MMFR2_EL1.

    >>> print(ID_AA64MMFR2_EL1.from_int(0x1000_0000).explain()[2])
    ST = 1: T0SZ is at most 48, with 64K pages 47.
    """

    cnp: int = _four(
        "CnP",
        0,
        {0: "CPUs share no translations", 1: "CPUs may share translations"},
        "FEAT_TTCNP",
    )
    nv: int = _four(
        "NV",
        24,
        {
            0: "there is no nested virtualization, unless ID_AA64MMFR4_EL1 says so",
            1: "a hypervisor may run at EL1",
            2: "a hypervisor may run at EL1, its registers kept in memory",
        },
        "FEAT_NV; FEAT_NV2 for 2",
    )
    st: int = _four(
        "ST",
        28,
        {0: "T0SZ is at most 39", 1: "T0SZ is at most 48, with 64K pages 47"},
        "FEAT_TTST",
    )
    fwb: int = _four(
        "FWB",
        40,
        {0: "stage 2 cannot force write-back", 1: "stage 2 can force write-back"},
        "FEAT_S2FWB",
    )
    ttl: int = _four(
        "TTL",
        48,
        {
            0: "TLB maintenance takes no level",
            1: "TLB maintenance may say the level of the entry",
        },
        "FEAT_TTL",
    )
    bbm: int = _four(
        "BBM",
        52,
        {
            0: "a block is broken before it is remade in another size",
            1: "a block may change its size with nT set in between",
            2: "a block may change its size at once",
        },
        "FEAT_BBML1; FEAT_BBML2 for 2",
    )
    others: int = rest("others", OTHERS)


@public
@frozen(kw_only=True, repr=False)
class ID_AA64MMFR3_EL1(Word):  # noqa: N801 - the register's name
    """ID_AA64MMFR3_EL1: indirect permissions and VMSAv9-128.

    Every attribute is an `int`, the field's value; ``others`` holds the rest, where it
    is in the word.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, ID_AA64MMFR3_EL1.

    >>> print(ID_AA64MMFR3_EL1.from_int(1 << 36).explain()[3])
    D128_2 = 1: stage 2 may have VMSAv9-128's 16-byte descriptors.
    """

    s2pie: int = _four(
        "S2PIE",
        12,
        {
            0: "stage-2 permissions are direct",
            1: "stage-2 permissions may be indirect",
        },
        "FEAT_S2PIE",
    )
    s2poe: int = _four(
        "S2POE",
        20,
        {
            0: "stage-2 permissions have no overlay",
            1: "stage-2 permissions may have an overlay",
        },
        "FEAT_S2POE",
    )
    d128: int = _four(
        "D128",
        32,
        {
            0: "there are no 16-byte descriptors",
            1: "tables may have VMSAv9-128's 16-byte descriptors",
        },
        "FEAT_D128",
    )
    d128_2: int = _four(
        "D128_2",
        36,
        {
            0: "stage 2 has no 16-byte descriptors",
            1: "stage 2 may have VMSAv9-128's 16-byte descriptors",
        },
        "FEAT_D128",
    )
    others: int = rest("others", OTHERS)
