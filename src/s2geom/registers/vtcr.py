# SPDX-License-Identifier: MIT
"""`VTCR_EL2`: the word that gives a CPU the shape of the tables.

Reading is separate from judging. `geometry` names the shape that a word describes, as
long as there is one to name, whether or not a CPU allows it; `lint` says what is wrong
with it. Fields that the manual makes reserved in a word are read as the hardware reads
them: as if they were clear.
"""

from typing import Any

from attrs import frozen

from s2geom.core.errors import UnsupportedCombination, Violations
from s2geom.core.fields import Word, bit, bit_range, rest
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.granule import Granule
from s2geom.core.numbers import flag, unsigned
from s2geom.core.public import public
from s2geom.core.rules import Rule, violations_of
from s2geom.core.wording import bits, quoted
from s2geom.cpu.cpu import Cpu, cpu_of
from s2geom.cpu.sizes import IPA_MAXIMUM, IPA_WITHOUT_LPA2, PARANGE
from s2geom.registers.shape_fields import (
    SHAREABILITY,
    WALK_SHAREABILITY,
    FieldWords,
    WalkFields,
    output_bits_of,
    reserved_rules,
    shapeless_rules,
    walks_are,
)

VTCR_NAMES = FieldWords(
    tg="TG0",
    sl0="SL0",
    sl2="SL2",
    ds="DS",
    source="Arm ARM D24, VTCR_EL2",
    then_tg="and each CPU takes a page size of its own for it",
    then_sl0="; an access gives a Translation fault, level 0",
    then_sl2="is reserved",
)


def _says_sl0(word: "VTCR_EL2") -> str:
    if word.d128:
        return "ignored, since D128 = 1"
    return word.walk.says_start_level(VTCR_NAMES)


def _says_sh0(word: "VTCR_EL2") -> str:
    if word.walk.lpa2 and word.sh0 in SHAREABILITY:
        return f"table walks and all mapped memory are {SHAREABILITY[word.sh0]}"
    return WALK_SHAREABILITY.get(word.sh0, "reserved")


def _says_tg0(word: "VTCR_EL2") -> str:
    granule = word.walk.granule
    return f"pages are {granule}" if granule is not None else "reserved"


def _says_ps(word: "VTCR_EL2") -> str:
    limit = 56 if word.d128 else IPA_MAXIMUM
    if not (word.d128 or word.walk.lpa2 or word.walk.granule is Granule.K64):
        limit = IPA_WITHOUT_LPA2
    if word.pa_bits <= limit:
        return f"physical addresses have {word.pa_bits} bits"
    return (
        f"physical addresses have {limit} bits, the most that descriptors hold, not "
        f"{word.pa_bits}"
    )


def _says_hd(word: "VTCR_EL2") -> str:
    if word.hd and not word.ha:
        return "without effect, since HA = 0"
    return "hardware tracks dirty state" if word.hd else "software tracks dirty state"


def _says_ds(word: "VTCR_EL2") -> str:
    if word.d128:
        return "ignored, since D128 = 1"
    if word.walk.granule is Granule.K64:
        return "reserved with 64K pages" if word.ds else "reserved as 0 with 64K pages"
    return f"descriptors hold {52 if word.ds else 48}-bit addresses"


def _says_sl2(word: "VTCR_EL2") -> str:
    if word.d128:
        return "ignored, since D128 = 1"
    if not word.sl2:
        return "SL0 alone gives the start level"
    if not word.walk.uses_sl2:
        return "without effect, since it takes DS = 1 and 4K pages"
    return (
        "the walk starts at level -1"
        if word.sl0 == 0
        else f"reserved with SL0 = {word.sl0}"
    )


def _hardware_use(number: int) -> Any:
    return bit(
        f"HWU{number}",
        number - 34,
        f"bit {number} of a leaf is not for the hardware",
        f"bit {number} of a leaf is for the hardware",
        feature="FEAT_HPDS2",
    )


@public
@frozen(kw_only=True, repr=False)
class VTCR_EL2(Word):  # noqa: N801 - the register's name
    """VTCR_EL2, which controls stage 2: one attribute a field.

    Every attribute is an `int`, the field's value; ``reserved`` holds the bits that
    have no field, where they are in the word. RES1 is 1 unless it is given, all the
    rest 0. The VTCR of AArch32 is another register, with a signed T0SZ.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, VTCR_EL2.

    >>> word = VTCR_EL2.from_int(0x80023558)
    >>> word
    VTCR_EL2(t0sz=24, sl0=1, irgn0=1, orgn0=1, sh0=3, ps=2)
    >>> word.geometry()
    Geometry(granule=Granule.K4, ipa_bits=40, start_level=1, lpa2=False)
    """

    t0sz: int = bit_range("T0SZ", 5, 0, reads=lambda word: word.walk.says_width)
    sl0: int = bit_range("SL0", 7, 6, reads=_says_sl0)
    irgn0: int = bit_range("IRGN0", 9, 8, walks_are("inner"))
    orgn0: int = bit_range("ORGN0", 11, 10, walks_are("outer"))
    sh0: int = bit_range("SH0", 13, 12, WALK_SHAREABILITY, reads=_says_sh0)
    tg0: int = bit_range("TG0", 15, 14, {0: "4K", 1: "64K", 2: "16K"}, reads=_says_tg0)
    ps: int = bit_range(
        "PS",
        18,
        16,
        {value: f"{size} bits" for value, size in enumerate(PARANGE)},
        reads=_says_ps,
    )
    vs: int = bit(
        "VS", 19, "a VMID has 8 bits", "a VMID has 16 bits", feature="FEAT_VMID16"
    )
    ha: int = bit(
        "HA",
        21,
        "software sets the access flag",
        "hardware sets the access flag",
        feature="FEAT_HAFDBS",
    )
    hd: int = bit(
        "HD",
        22,
        "software tracks dirty state",
        "hardware tracks dirty state, with HA = 1",
        reads=_says_hd,
        feature="FEAT_HAFDBS",
    )
    hwu59: int = _hardware_use(59)
    hwu60: int = _hardware_use(60)
    hwu61: int = _hardware_use(61)
    hwu62: int = _hardware_use(62)
    nsw: int = bit(
        "NSW",
        29,
        "in Secure state, walks for Non-secure IPAs are to Secure memory",
        "in Secure state, walks for Non-secure IPAs are to Non-secure memory",
        feature="FEAT_SEL2",
    )
    nsa: int = bit(
        "NSA",
        30,
        "in Secure state, Non-secure IPAs map to Secure memory",
        "in Secure state, Non-secure IPAs map to Non-secure memory",
        feature="FEAT_SEL2",
    )
    res1: int = bit(
        "RES1", 31, "wrong, since it is reserved as 1", "reserved as 1", default=1
    )
    ds: int = bit(
        "DS",
        32,
        "descriptors hold 48-bit addresses",
        "descriptors of 4K and 16K pages hold 52-bit addresses",
        reads=_says_ds,
        feature="FEAT_LPA2",
    )
    sl2: int = bit(
        "SL2",
        33,
        "SL0 alone gives the start level",
        "with DS = 1, SL0 = 0 and 4K pages, the walk starts at level -1",
        reads=_says_sl2,
        feature="FEAT_LPA2",
    )
    assured_only: int = bit(
        "AssuredOnly",
        34,
        "bit 58 of a leaf does not say AssuredOnly",
        "bit 58 of a leaf says AssuredOnly",
        feature="FEAT_THE",
        attribute="assured_only",
    )
    tl1: int = bit(
        "TL1",
        35,
        "the TopLevel1 permission is not checked",
        "the TopLevel1 permission is checked",
        feature="FEAT_THE",
    )
    s2pie: int = bit(
        "S2PIE",
        36,
        "permissions are direct",
        "permissions are indirect",
        feature="FEAT_S2PIE",
    )
    s2poe: int = bit(
        "S2POE",
        37,
        "there is no permission overlay",
        "there is a permission overlay",
        feature="FEAT_S2POE",
    )
    d128: int = bit(
        "D128",
        38,
        "the tables are VMSAv8-64",
        "the tables are VMSAv9-128, with 16-byte descriptors",
        feature="FEAT_D128",
    )
    gcsh: int = bit(
        "GCSH",
        40,
        "Guarded Control Stacks need no AssuredOnly",
        "privileged Guarded Control Stacks need AssuredOnly",
        feature="FEAT_THE and FEAT_GCS",
    )
    tl0: int = bit(
        "TL0",
        41,
        "the TopLevel0 permission is not checked",
        "the TopLevel0 permission is checked",
        feature="FEAT_THE",
    )
    haft: int = bit(
        "HAFT",
        44,
        "hardware leaves the access flag of table descriptors alone",
        "hardware sets the access flag of table descriptors",
        feature="FEAT_HAFT",
    )
    hdbss: int = bit(
        "HDBSS",
        45,
        "dirty pages are not logged",
        "hardware logs dirty pages in a structure",
        feature="FEAT_HDBSS",
    )
    reserved: int = rest("reserved", "reserved, and must be 0")

    @classmethod
    def for_geometry(
        cls,
        geometry: Geometry,
        pa_bits: int | None = None,
        *,
        ha: bool = True,
        vs: bool = False,
    ) -> "VTCR_EL2":
        """Return the word that KVM writes for a geometry.

        Table walks are inner shareable and write-back. The geometry need not be
        allowed, only have an encoding: ask `lint`.

        Args:
            geometry: The shape; ``lpa2`` becomes DS.
            pa_bits: The PS field, as a size: 32, 36, 40, 42, 44, 48, 52 or 56 bits;
                None is 52 with LPA2, else 48. It bounds output addresses and never the
                IPA.
            ha: Whether hardware sets the access flag.
            vs: Whether a VMID has 16 bits.

        Raises:
            InvalidArgument: ``pa_bits`` is none of the sizes.
            TypeError: A value has the wrong type.
            UnsupportedCombination: SL0 and SL2 have no encoding for the start level.

        Source: Linux v5.13 to today, kvm_get_vtcr; the same bits since v5.0.

        >>> hex(VTCR_EL2.for_geometry(Geometry(12, 40, 1), pa_bits=40))
        '0x80223558'
        """
        walk = WalkFields.of(geometry_of(geometry))
        return cls(
            t0sz=walk.t0sz,
            sl0=walk.sl0,
            irgn0=1,
            orgn0=1,
            sh0=3,
            tg0=walk.tg,
            ps=PARANGE.index(output_bits_of(pa_bits, geometry)),
            vs=int(flag("vs", vs)),
            ha=int(flag("ha", ha)),
            ds=walk.ds,
            sl2=walk.sl2,
        )

    @property
    def walk(self) -> WalkFields:
        """The fields that make a shape."""
        return WalkFields(self.t0sz, self.sl0, self.tg0, self.ds, self.sl2)

    @property
    def pa_bits(self) -> int:
        """The size that PS stands for, in bits; descriptors may hold less of it."""
        return PARANGE[self.ps]

    @property
    def vmid_bits(self) -> int:
        """Bits of a VMID in VTTBR_EL2: 8, or 16 with VS."""
        return 16 if self.vs else 8

    def geometry(self) -> Geometry:
        """Return the shape that the word describes.

        It is the shape that the fields name, allowed or not: ask `lint`.

        Raises:
            UnsupportedCombination: No shape can be named: TG0 or the start level is
                reserved, or the tables are VMSAv9-128.

        Source: pseudocode AArch64.S2StartLevel, AArch64.S2TTWParams.
        """
        broken = violations_of(VTCR_SHAPELESS_RULES, self)
        shape = self.walk.geometry
        if broken or shape is None:
            raise UnsupportedCombination(broken)
        return shape

    @property
    def named_shape(self) -> Geometry | None:
        """The shape that the word describes, or None where it names none.

        .. versionadded:: 0.2.0
        """
        return None if violations_of(VTCR_SHAPELESS_RULES, self) else self.walk.geometry

    def lint(self, cpu: Cpu | None = None) -> Violations:
        """Return everything that is wrong with the word; empty if nothing is.

        Args:
            cpu: The CPU that would walk by it; None asks what any CPU would refuse.

        Raises:
            TypeError: ``cpu`` is no `Cpu`.

        Source: Arm ARM D24, VTCR_EL2, and D8.2.

        >>> VTCR_EL2.from_int(0x80023558).lint()
        ()
        >>> [broken.rule for broken in VTCR_EL2.from_int(0x23558).lint()]
        ['vtcr-res1-clear']
        """
        broken = violations_of((*VTCR_SHAPELESS_RULES, *VTCR_RULES), self)
        machine, shape = cpu_of(cpu), self.named_shape
        if shape is None:
            return broken
        unfit = machine.check(shape)
        if cpu is None:  # a CPU's own limits do not count
            unfit = Violations(why for why in unfit if why.limited_by == "architecture")
        return Violations(broken + unfit)


def vtcr_of(value: object) -> VTCR_EL2:
    """Return VTCR_EL2, from itself or from its number.

    Raises:
        InvalidArgument: The number is not 0 to 2^64 - 1.
        TypeError: It is neither.
    """
    if isinstance(value, VTCR_EL2):
        return value
    if isinstance(value, Geometry):
        raise TypeError(
            f"vtcr must be a VTCR_EL2 or its number, got {quoted(value)}; "
            "VTCR_EL2.for_geometry makes one of a geometry"
        )
    return VTCR_EL2.from_int(unsigned("vtcr", value))


UPPER_HALF = 0xFFFF_FFFF << 32


def _is_sign_extended(word: VTCR_EL2) -> bool:
    return int(word) & UPPER_HALF == UPPER_HALF


def _as_meant(word: VTCR_EL2) -> str:
    return f"{int(word) & ~UPPER_HALF:#x}"


AARCH32_FIELDS = 0x9E00_3FCF
"""What AArch32's VTCR has: RES1, HWU62 to HWU59, SH0, ORGN0, IRGN0, SL0 and T0SZ; S,
bit 4, is clear where T0SZ is not negative."""


def _is_of_aarch32(word: VTCR_EL2) -> bool:
    return word.t0sz < 8 and bool(word.res1) and not int(word) & ~AARCH32_FIELDS


def _sets_res1(word: VTCR_EL2) -> str:
    """Return the word with RES1, and what was meant where a digit slipped."""
    number = int(word)
    plain = f"{number | 1 << 31:#x}"
    # A zero too many or too few moves bit 31, and DS above it, by whole digits.
    digit, lowest = ("many", 32) if number >> 32 else ("few", 27)
    moved = number >> lowest << lowest
    place = (moved & -moved).bit_length() - 1
    if not moved or (place - 31) % 4 or moved not in {0b1 << place, 0b11 << place}:
        return f"use {plain}"
    meant = number ^ moved | moved >> place << 31
    both = moved != 1 << place
    name = f"bits {place + 1}:{place} are" if both else f"bit {place} is"
    return f"use {meant:#x} if {name} a zero too {digit}, or else {plain}"


VTCR_SHAPELESS_RULES: tuple[Rule[VTCR_EL2], ...] = (
    Rule(
        id="vtcr-sign-extended",
        states="bits 63:32 are not all ones, which no CPU has a meaning for",
        limited_by="host kernel",
        breaks=_is_sign_extended,
        given=lambda word: f"{int(word):#x}",
        limit=_as_meant,
        says=lambda word: (
            f"bits 63:32 of VTCR_EL2 are all ones, as some kernels wrote them by "
            f"mistake; what they meant is {_as_meant(word)} "
            "(Linux v4.7-v4.20)"
        ),
        fix=lambda word: f"read it as {_as_meant(word)}",
        source="Linux v5.0, KVM: arm64: Avoid setting the upper 32 bits of VTCR_EL2 "
        "to 1 (df655b75c43f)",
    ),
    Rule(
        id="d128-not-modelled",
        states="the tables are VMSAv8-64; VMSAv9-128 is recognised, not modelled",
        limited_by="architecture",
        breaks=lambda word: bool(word.d128) and not _is_sign_extended(word),
        given=lambda word: word.d128,
        limit=lambda _: 0,
        says=lambda _: (
            "VTCR_EL2.D128 = 1: the tables are VMSAv9-128, with 16-byte descriptors "
            "and a start level that T0SZ and VTTBR_EL2.SKL give; only the shapes of "
            "VMSAv8-64 are modelled here"
        ),
        fix=lambda _: "clear D128, or read these tables by the rules of VMSAv9-128",
        source="Arm ARM D8.2, VMSAv9-128; VTCR_EL2.D128",
    ),
    *shapeless_rules(VTCR_NAMES, lambda word: word.walk, lambda word: not word.d128),
)
"""Words that name no shape."""


VTCR_RULES: tuple[Rule[VTCR_EL2], ...] = (
    Rule(
        id="vtcr-res1-clear",
        states="bit 31 is RES1",
        limited_by="architecture",
        breaks=lambda word: not word.res1,
        given=lambda word: word.res1,
        limit=lambda _: 1,
        says=lambda _: "bit 31 of VTCR_EL2 is RES1, but it is 0",
        fix=_sets_res1,
        source="Arm ARM D24, VTCR_EL2, bit 31",
    ),
    Rule(
        id="vtcr-of-aarch32",
        states="T0SZ has six bits; AArch32's VTCR has a signed one of four",
        limited_by="architecture",
        breaks=_is_of_aarch32,
        given=lambda word: f"{int(word):#x}",
        limit=lambda _: f"T0SZ of {64 - IPA_MAXIMUM} or more",
        says=lambda word: (
            f"T0SZ = {word.t0sz} would be an IPA of {bits(64 - word.t0sz)} in "
            "VTCR_EL2; the word looks like the VTCR of AArch32, where it is an IPA of "
            f"{bits(32 - word.t0sz)}"
        ),
        fix=lambda _: (
            "read VTCR_EL2, the register of AArch64; the VTCR of AArch32 is not "
            "modelled"
        ),
        source="Arm ARM G8.2, VTCR.T0SZ",
    ),
    Rule(
        id="vtcr-res0-set",
        states="bits 63:46, 43:42, 39, 24:23 and 20 are RES0",
        limited_by="architecture",
        breaks=lambda word: bool(word.reserved) and not _is_sign_extended(word),
        given=lambda word: f"{word.reserved:#x}",
        limit=lambda _: 0,
        says=lambda word: (
            f"bits {word.reserved:#x} of VTCR_EL2 are RES0, but they are set"
        ),
        fix=lambda word: f"use {int(word) ^ word.reserved | 1 << 31:#x}",
        source="Arm ARM D24, VTCR_EL2",
    ),
    Rule(
        id="sh0-reserved",
        states="SH0 is 0 (non-shareable), 2 (outer) or 3 (inner shareable)",
        limited_by="architecture",
        breaks=lambda word: word.sh0 not in SHAREABILITY,
        given=lambda word: word.sh0,
        limit=lambda _: "0, 2, 3",
        says=lambda _: (
            "SH0 = 1 is reserved, with unpredictable effect; 0 is non-shareable, "
            "2 outer and 3 inner shareable"
        ),
        fix=lambda _: "set SH0 to 0, 2 or 3",
        source="Arm ARM D24, VTCR_EL2.SH0",
    ),
    *reserved_rules(VTCR_NAMES, lambda word: word.walk, lambda word: not word.d128),
    Rule(
        id="hd-without-ha",
        states="HD acts only with HA = 1",
        limited_by="architecture",
        breaks=lambda word: bool(word.hd) and not word.ha,
        given=lambda word: word.hd,
        limit=lambda _: 0,
        says=lambda _: "HD = 1 has no effect with HA = 0",
        fix=lambda _: "set HA, or clear HD",
        source="Arm ARM D24, VTCR_EL2.HD",
    ),
    Rule(
        id="hdbss-without-hd",
        states="HDBSS acts only with HA = 1 and HD = 1",
        limited_by="architecture",
        breaks=lambda word: (
            bool(word.hdbss)
            and not (word.ha and word.hd)
            and not _is_sign_extended(word)
        ),
        given=lambda word: word.hdbss,
        limit=lambda _: 0,
        says=lambda word: (
            f"HDBSS = 1 has no effect with HA = {word.ha} and HD = {word.hd}"
        ),
        fix=lambda _: "set HA and HD, or clear HDBSS",
        source="Arm ARM D24, VTCR_EL2.HDBSS",
    ),
)
"""What is wrong with a word, whatever its shape is."""
