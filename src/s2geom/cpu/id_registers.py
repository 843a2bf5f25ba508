# SPDX-License-Identifier: MIT
"""The ID registers that say what a CPU's stage 2 can do, field by field.

Only the fields that matter to stage 2 have a name here; all other bits of a word are
kept as they are. `capabilities` takes the arguments of a `Cpu` from the words.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from attrs import frozen

from s2geom.core.errors import UnreadableInput
from s2geom.core.fields import Word, bit_range, rest
from s2geom.core.granule import Granule
from s2geom.core.numbers import unsigned
from s2geom.core.public import public
from s2geom.cpu.sizes import PARANGE

OTHERS = "not about stage 2"


def _four(
    name: str, low: int, values: Mapping[int, str], feature: str | None = None
) -> Any:
    """Declare a field of an ID register: they are all four bits wide."""
    return bit_range(name, low + 3, low, values, feature=feature)


class PageSupport(Enum):
    """What a TGran field says of a page size, as a sentence about ``{}`` pages."""

    ABSENT = "there are no {} pages"
    PRESENT = "there are {} pages"
    LPA2 = "there are {} pages, with LPA2's 52-bit addresses"


TGRAN = {
    Granule.K4: {0: PageSupport.PRESENT, 1: PageSupport.LPA2, 15: PageSupport.ABSENT},
    Granule.K16: {0: PageSupport.ABSENT, 1: PageSupport.PRESENT, 2: PageSupport.LPA2},
    Granule.K64: {0: PageSupport.PRESENT, 15: PageSupport.ABSENT},
}
"""Page sizes by encoding: TGran4, TGran16 and TGran64."""

LPA2_AT_STAGE_2 = 3
"""The encoding of TGran4_2 and TGran16_2 by which KVM finds LPA2: 0 is not enough."""

TGRAN_2 = {
    1: PageSupport.ABSENT,
    2: PageSupport.PRESENT,
    LPA2_AT_STAGE_2: PageSupport.LPA2,
}
"""The same at stage 2: TGran4_2, TGran16_2 and TGran64_2; 0 is as stage 1. TGran64_2
has no 3, since 64K pages have no LPA2."""


def _tgran(granule: Granule, low: int) -> Any:
    values = {
        code: support.value.format(granule) for code, support in TGRAN[granule].items()
    }
    lpa2 = [code for code in TGRAN[granule] if TGRAN[granule][code] is PageSupport.LPA2]
    feature = f"FEAT_LPA2 for {lpa2[0]}" if lpa2 else None
    return _four(f"TGran{granule.size >> 10}", low, values, feature)


def _tgran_2(granule: Granule, low: int) -> Any:
    name = f"TGran{granule.size >> 10}"
    values = {0: f"stage 2 has {granule} pages as {name} says"}
    for code, support in TGRAN_2.items():
        if granule is not Granule.K64 or support is not PageSupport.LPA2:
            text = support.value.format(granule)
            values[code] = text.replace("there are", "stage 2 has")
    feature = None if granule is Granule.K64 else "FEAT_LPA2 for 3"
    return _four(f"{name}_2", low, values, feature)


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
            for code, size in enumerate(PARANGE)
        },
        "FEAT_LPA for 52 bits, FEAT_D128 for 56",
    )
    tgran16: int = _tgran(Granule.K16, 20)
    tgran64: int = _tgran(Granule.K64, 24)
    tgran4: int = _tgran(Granule.K4, 28)
    tgran16_2: int = _tgran_2(Granule.K16, 32)
    tgran64_2: int = _tgran_2(Granule.K64, 36)
    tgran4_2: int = _tgran_2(Granule.K4, 40)
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
            3: "hardware sets the access flag and dirty state of blocks and pages, and "
            "the access flag of tables",
            4: "hardware sets the access flag and dirty state of blocks and pages and "
            "the access flag of tables, and logs dirty pages",
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
            2: "stage 1 may ignore the permissions of table descriptors, and bits "
            "62:59 of a leaf may be for the hardware",
        },
        "FEAT_HPDS; FEAT_HPDS2 for 2",
    )
    xnx: int = _four(
        "XNX",
        28,
        {
            0: "stage 2 has one execute-never bit for EL0 and EL1",
            1: "stage 2 has execute-never bits for EL0 and EL1 apart",
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
            0: "changing the size of a block takes break-before-make",
            1: "changing the size of a block takes nT = 1 in between",
            2: "a block may change its size at once, which may end in a TLB conflict "
            "abort",
            3: "a block may change its size at once, without a TLB conflict abort",
        },
        "FEAT_BBML1; FEAT_BBML2 for 2, FEAT_BBML3 for 3",
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


@frozen(kw_only=True, repr=False)
class _ProcessorFeatures(Word):
    """ID_AA64PFR0_EL1, as far as stage 2 depends on it."""

    el1: int = _four(
        "EL1",
        4,
        {
            0: "the register does not say",
            1: "EL1 is AArch64 alone",
            2: "EL1 may be AArch32 too",
        },
    )
    others: int = rest("others", OTHERS)


# What follows from the words


def _encoding(name: str, register: type[Word], field: str, word: int) -> int:
    [row] = (row for row in register.fields() if row.name == field)
    value = row.take(word)
    if value in row.values:
        return value
    encodings = ", ".join(map(str, sorted(row.values)))
    raise UnreadableInput(
        f"{name}.{field}, bits {row.bits}, is {value}, which is reserved; the "
        f"encodings are {encodings}"
    )


def capabilities(
    mmfr0: int, mmfr1: int, mmfr2: int, mmfr3: int, pfr0: int
) -> dict[str, Any]:
    """Return the arguments of a `Cpu` as its ID registers have them.

    Raises:
        UnreadableInput: A field has a reserved encoding.
        InvalidArgument: A word is not 0 to 2^64 - 1.
        TypeError: A word is no integer.
    """
    mmfr0, mmfr2 = unsigned("mmfr0", mmfr0), unsigned("mmfr2", mmfr2)
    mmfr3, pfr0 = unsigned("mmfr3", mmfr3), unsigned("pfr0", pfr0)
    unsigned("mmfr1", mmfr1)  # no field of it decides about shapes

    def size(field: str) -> int:
        return _encoding("ID_AA64MMFR0_EL1", ID_AA64MMFR0_EL1, field, mmfr0)

    stage_2, both_stages = {}, set()
    for granule, encodings in TGRAN.items():
        name = f"TGran{granule.size >> 10}"
        stage_1, code = encodings[size(name)], size(f"{name}_2")
        stage_2[granule] = TGRAN_2.get(code, stage_1)
        if stage_1 is PageSupport.LPA2 and code == LPA2_AT_STAGE_2:
            both_stages.add(granule)
    st = _encoding("ID_AA64MMFR2_EL1", ID_AA64MMFR2_EL1, "ST", mmfr2)
    _encoding("ID_AA64MMFR3_EL1", ID_AA64MMFR3_EL1, "D128", mmfr3)  # not modelled
    el1 = _encoding("ID_AA64PFR0_EL1", _ProcessorFeatures, "EL1", pfr0)
    return {
        "pa_bits": PARANGE[size("PARange")],
        "granules": {g for g in TGRAN if stage_2[g] is not PageSupport.ABSENT},
        "lpa2": {g for g in TGRAN if stage_2[g] is PageSupport.LPA2},
        "ttst": st == 1,
        "aarch32_el1": el1 == 2,
        "lpa2_both_stages": both_stages,
    }
