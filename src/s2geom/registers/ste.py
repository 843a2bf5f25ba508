# SPDX-License-Identifier: MIT
"""`STE`: stage 2 in the stream table entry of an Arm SMMUv3.

The fields of a stream table entry are those of VTCR_EL2 and VTTBR_EL2 in another
place, but an SMMU judges them itself: a combination that makes a CPU fault makes the
whole entry ILLEGAL, and every transaction of the device ends in C_BAD_STE.
"""

from collections.abc import Callable, Iterable, Mapping
from struct import unpack_from
from typing import Any, ClassVar, cast

from attrs import define, field, frozen

from s2geom.core.address_form import WIDE, AddressForm, address_form
from s2geom.core.errors import (
    UnreadableInput,
    UnsupportedCombination,
    Violation,
    Violations,
)
from s2geom.core.fields import Reading, Word, bit, bits, rest
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.granule import Granule
from s2geom.core.numbers import flag, unsigned
from s2geom.core.public import public
from s2geom.core.rules import Rule, violations
from s2geom.core.wording import counted, quoted
from s2geom.cpu.cpu import ANY_CPU, Cpu
from s2geom.cpu.rules import ShapeOnCpu
from s2geom.cpu.sizes import (
    PARANGE,
    START_LEVEL_PA_BITS,
    a_page_size,
    address_bits,
    page_sizes,
)
from s2geom.registers.root import Base, RootWords, root_rules
from s2geom.registers.shape_fields import (
    SHAREABILITY,
    WALK_SHAREABILITY,
    FieldWords,
    WalkFields,
    reserved_rules,
    shapeless_rules,
    vmid_bits_of,
    walks_are,
)
from s2geom.registers.vtcr import VTCR_EL2, vtcr_of

ENTRY_BYTES = 64
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
    return bits(
        name, high - FIRST_BIT, low - FIRST_BIT, values, reads=reads, moved=moved
    )


def _bit(
    name: str, place: int, clear: str, sets: str, *, reads: Reading | None = None
) -> Any:
    return bit(name, place - FIRST_BIT, clear, sets, reads=reads)


def _says_s2sl0(word: "STE") -> str:
    if not word.s2aa64:
        return "the start level of tables that are not VMSAv8-64, since S2AA64 = 0"
    return word.walk.says_start_level(STE_NAMES)


def _says_s2t0sz(word: "STE") -> str:
    if not word.s2aa64:
        return "the width of tables that are not VMSAv8-64, since S2AA64 = 0"
    return word.walk.says_width


def _says_s2hd(word: "STE") -> str:
    if word.s2hd and not word.s2ha:
        return "reserved with S2HA = 0"
    return "the SMMU tracks dirty state" if word.s2hd else "software tracks dirty state"


def _says_s2affd(word: "STE") -> str:
    if word.s2ha:
        return "ignored, since S2HA = 1"
    faults = "never faults" if word.s2affd else "faults"
    return f"memory with the access flag clear {faults}"


@public
@frozen(kw_only=True, repr=False)
class STE(Word):
    """Words 2 and 3 of a stream table entry, stage 2's: one attribute a field.

    Every attribute is an `int`, the field's value; ``s2ttb`` is an address, and
    ``reserved`` holds the bits that have no field, where they are in the two words
    (word 3 above word 2).

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: SMMUv3 architecture (IHI 0070) 5.2, STE.

    >>> entry = STE.for_geometry(Geometry(14, 40, 2), 0x4004_0000, vmid=1)
    >>> [hex(word) for word in entry.words]
    ['0x44db55800000001', '0x40040000']
    """

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

    @classmethod
    def from_words(cls, word2: int, word3: int) -> "STE":
        """Take an entry's stage 2 apart; every bit of it is kept.

        Args:
            word2: The entry's bits 191:128.
            word3: The entry's bits 255:192.

        Raises:
            InvalidArgument: A word is negative or has more than 64 bits.
            TypeError: A word is no integer.
        """
        whole = 0
        for name, value in (("word3", word3), ("word2", word2)):
            whole = whole << 64 | unsigned(name, value)
        return cls.from_int(whole)

    @classmethod
    def from_bytes(cls, entry: bytes) -> "STE":
        """Read the stage 2 of a whole entry, as it is in memory.

        Args:
            entry: The 64 bytes of the entry.

        Raises:
            TypeError: It is no bytes.
            UnreadableInput: It is not 64 bytes, not valid (V), or has no stage 2
                (Config); `from_words` reads the words even so.

        Source: SMMUv3 architecture (IHI 0070) 5.2, STE.V and STE.Config.
        """
        if not isinstance(entry, bytes | bytearray | memoryview):
            raise TypeError(f"entry must be bytes, got {quoted(entry)}")
        data = bytes(entry)
        if len(data) != ENTRY_BYTES:
            message = f"a stream table entry has {ENTRY_BYTES} bytes, got {len(data)}"
            raise UnreadableInput(message)
        word0, _, word2, word3 = unpack_from("<4Q", data)
        if not word0 & 1:
            raise UnreadableInput("the stream table entry is not valid: V = 0")
        config = word0 >> 1 & 7
        if config & 0b110 != 0b110:
            raise UnreadableInput(
                f"the stream table entry has no stage 2: Config = {config:#05b}, where "
                "stage 2 is 0b110 or 0b111"
            )
        return cls.from_words(word2, word3)

    @classmethod
    def for_geometry(
        cls, geometry: Geometry, root: int, pa_bits: int = 48, vmid: int = 0
    ) -> "STE":
        """Return the entry's stage 2 for tables at an address.

        Table walks are inner shareable and write-back, stage-1 tables in Device memory
        fault, and faults are recorded, as Linux has it on a coherent system.

        Args:
            geometry: The shape of the tables; ``lpa2`` becomes S2DS.
            root: Physical address of the first table in bytes, a multiple of the
                root's size.
            pa_bits: The S2PS field, as a size: 32, 36, 40, 42, 44, 48, 52 or 56 bits.
                It bounds output addresses and ``root``, and never the IPA.
            vmid: 0..65535; above 255 for SMMUs with 16-bit VMIDs.

        Raises:
            InvalidArgument: A number is outside its range.
            TypeError: A value has the wrong type.
            UnsupportedCombination: S2SL0 has no encoding for the start level, or the
                root is misaligned or outside S2PS.

        Source: SMMUv3 architecture (IHI 0070) 5.2; Linux, arm_smmu_make_s2_domain_ste.
        """
        walk = WalkFields.of(geometry_of(geometry))
        address = unsigned("root", root)
        entry = cls(
            s2vmid=vmid,
            s2t0sz=walk.t0sz,
            s2sl0=walk.sl0,
            s2ir0=1,
            s2or0=1,
            s2sh0=3,
            s2tg=walk.tg,
            s2ps=PARANGE.index(address_bits("pa_bits", pa_bits)),
            s2aa64=1,
            s2ptw=1,
            s2r=1,
            s2sl0_2=walk.sl2,
            s2ds=walk.ds,
            s2ttb=address & S2TTB_MASK,
        )
        broken = violations(ROOT_RULES, _EntryBase(address, geometry, pa_bits))
        if broken:
            raise UnsupportedCombination(broken)
        return entry

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

    def geometry(self) -> Geometry:
        """Return the shape that the entry describes.

        It is the shape that the fields name, legal or not: ask `lint`.

        Raises:
            UnsupportedCombination: No shape can be named: S2TG or the start level is
                reserved, or the tables are not VMSAv8-64.
        """
        broken = violations(STE_SHAPELESS_RULES, _EntryOnSmmu(self, ANY_CPU, 16))
        shape = self.walk.geometry
        if broken or shape is None:
            raise UnsupportedCombination(broken)
        return shape

    def root(self) -> int:
        """Return the physical address at which the SMMU finds the first table.

        Bits below the root's alignment do not count; `lint` tells of them.

        Raises:
            UnsupportedCombination: No shape can be named, as for `geometry`.
        """
        return _EntryBase(self.s2ttb, self.geometry(), self.pa_bits).aligned

    def lint(
        self,
        *,
        oas: int | None = None,
        granules: Iterable[Granule] | None = None,
        ds: bool | None = None,
        stt: bool | None = None,
        aarch32: bool | None = None,
        vmid_bits: int | None = None,
        vtcr: VTCR_EL2 | int | None = None,
    ) -> Violations:
        """Return everything that is wrong with the entry; empty if nothing is.

        The SMMU is an SMMUv3.1 or later. Where nothing is said about it, only what no
        SMMU accepts is found. As soon as one of its features is given, the others are
        those of the plainest SMMU. Hardware updates (IDR0.HTTU), stalls and endianness
        are not judged.

        Args:
            oas: Output address size in bits, SMMU_IDR5.OAS: 32, 36, 40, 42, 44, 48, 52
                or 56; 52 unless it is given.
            granules: Page sizes that it has, SMMU_IDR5.GRAN4K, GRAN16K and GRAN64K; all
                unless they are given.
            ds: Whether 4K and 16K pages may have 52-bit addresses, SMMU_IDR5.DS; plain
                is False.
            stt: Whether it has small translation tables, SMMU_IDR3.STT; plain is False.
            aarch32: Whether it has AArch32 tables (SMMU_IDR0.TTF), which give it at
                least 40 bits of IPA; plain is False.
            vmid_bits: 8, or 16 with SMMU_IDR0.VMID16; plain is 8.
            vtcr: The VTCR_EL2 of a CPU that uses the same tables, or its number: the
                two must describe one shape.

                .. versionadded:: 0.2.0

        Raises:
            InvalidArgument: ``oas`` is no size, or ``vmid_bits`` not 8 or 16.
            TypeError: A value has the wrong type.

        Source: SMMUv3 architecture (IHI 0070) 5.2, STE.

        >>> entry = STE.for_geometry(Geometry(12, 40, 0), 0x4000_0000)
        >>> [broken.rule for broken in entry.lint(oas=40)]
        ['s2sl0-needs-oas']
        """
        features = (oas, granules, ds, stt, aarch32, vmid_bits)
        rich = all(feature is None for feature in features)
        smmu = Cpu(
            52 if oas is None else address_bits("oas", oas),
            granules=frozenset(Granule) if granules is None else granules,
            lpa2=rich if ds is None else flag("ds", ds),
            ttst=rich if stt is None else flag("stt", stt),
            aarch32_el1=rich if aarch32 is None else flag("aarch32", aarch32),
        )
        if vmid_bits is None:
            vmid_bits = 16 if rich else 8
        case = _EntryOnSmmu(self, smmu, vmid_bits_of(vmid_bits))
        broken = [*violations((*STE_SHAPELESS_RULES, *STE_RULES), case)]
        if case.has_shape:
            base = _EntryBase(self.s2ttb, case.shape, self.pa_bits, smmu)
            broken += violations(SHAPE_RULES, case) + violations(ROOT_RULES, base)
        if vtcr is not None:
            broken += _beside(self, vtcr_of(vtcr))
        return Violations(broken)


def _beside(entry: STE, vtcr: VTCR_EL2) -> tuple[Violation, ...]:
    """Return what is wrong with VTCR_EL2, and where an entry does not agree with it."""
    pair = _EntryAndVtcr(entry, vtcr)
    return vtcr.lint() + violations(COMPANION_RULES, pair)


S2TTB_MASK = 0xFF_FFFF_FFFF_FFF0


# Legality


class _EntryBase(Base):
    """The base of an entry's tables, as an SMMU finds it."""

    @property
    def form(self) -> AddressForm:
        """How addresses are held: the floor of the base follows S2PS alone."""
        shape = self.geometry
        ps_bits = min(self.pa_bits, self.cpu.pa_bits)
        form = address_form(shape.granule, shape.lpa2, True, ps_bits)
        return form._replace(has_wide_base=ps_bits >= WIDE)


@define(eq=False)
class _EntryOnSmmu:
    """An entry and the SMMU that it is for.

    What an SMMU can do are a CPU's capabilities, so the architecture's rules of a CPU
    say which shapes it refuses; the rows below are their words for an entry.
    """

    entry: STE
    smmu: Cpu
    vmid_bits: int
    refused: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        broken = self.smmu.check(self.shape) if self.has_shape else ()
        self.refused = frozenset(why.rule for why in broken)

    @property
    def has_shape(self) -> bool:
        """Whether the entry names a shape: the properties below need one."""
        return bool(self.entry.s2aa64) and self.entry.walk.geometry is not None

    @property
    def shape(self) -> Geometry:
        return cast(Geometry, self.entry.walk.geometry)

    @property
    def on_cpu(self) -> ShapeOnCpu:
        return ShapeOnCpu(self.smmu, self.shape)

    @property
    def t0sz_minimum(self) -> int:
        return 64 - self.on_cpu.largest

    @property
    def t0sz_maximum(self) -> int:
        return 64 - self.on_cpu.smallest_here

    @property
    def ipa_range(self) -> tuple[int, int]:
        """The narrowest and the widest IPA that the start level resolves, in bits."""
        return self.on_cpu.narrowest, self.on_cpu.widest

    @property
    def start_level(self) -> str:
        return f"start level {self.shape.start_level} with {self.shape.granule} pages"

    @property
    def ipa(self) -> str:
        t0sz = self.entry.s2t0sz
        return f"S2T0SZ = {t0sz}, {counted(64 - t0sz, 'bit')} of IPA,"


def _refused(*cpu_rules: str) -> Callable[[_EntryOnSmmu], bool]:
    """Return what asks whether the architecture refuses an entry's shape by a rule."""
    return lambda case: not case.refused.isdisjoint(cpu_rules)


@frozen
class _EntryAndVtcr:
    """An entry, and the VTCR_EL2 of a CPU that uses the same tables."""

    entry: STE
    vtcr: VTCR_EL2

    @property
    def shapes(self) -> tuple[Geometry, Geometry] | None:
        """The shapes of the two, or None where one of them names none."""
        here = self.entry.walk.geometry if self.entry.s2aa64 else None
        there = self.vtcr.named_shape
        return None if here is None or there is None else (here, there)

    @property
    def differs(self) -> bool:
        return self.shapes is not None and self.shapes[0] != self.shapes[1]

    @property
    def in_words(self) -> tuple[str, ...]:
        return tuple(map(_in_words, self.shapes or ()))


def _in_words(shape: Geometry) -> str:
    lpa2 = ", LPA2" if shape.lpa2 else ""
    return (
        f"{shape.granule} pages, {counted(shape.ipa_bits, 'bit')} of IPA, start level "
        f"{shape.start_level}{lpa2}"
    )


COMPANION_RULES: tuple[Rule[_EntryAndVtcr], ...] = (
    Rule(
        id="ste-shape-is-not-vtcrs",
        states="an entry and a VTCR_EL2 that share tables describe one shape",
        limited_by="architecture",
        breaks=lambda pair: pair.differs,
        given=lambda pair: pair.in_words[0],
        limit=lambda pair: pair.in_words[1],
        says=lambda pair: (
            "the STE and VTCR_EL2 do not describe the same tables: the STE has {}, "
            "VTCR_EL2 has {}".format(*pair.in_words)
        ),
        fix=lambda _: (
            "give the SMMU the page size, width and start level of VTCR_EL2, or tables "
            "of its own"
        ),
        source=f"{STE_SOURCE}; Arm ARM D24, VTCR_EL2",
    ),
)
"""Where an entry does not agree with the VTCR_EL2 beside it."""


STE_SHAPELESS_RULES: tuple[Rule[_EntryOnSmmu], ...] = (
    Rule(
        id="s2aa64-clear",
        states="the tables are VMSAv8-64; others are recognised, not modelled",
        limited_by="architecture",
        breaks=lambda case: not case.entry.s2aa64,
        given=lambda case: case.entry.s2aa64,
        limit=lambda _: 1,
        says=lambda _: (
            "S2AA64 = 0: the tables are VMSAv8-32, or VMSAv9-128 on an SMMU that has "
            "it; only the shapes of VMSAv8-64 are modelled here"
        ),
        fix=lambda _: "set S2AA64, or read these tables by their own rules",
        source=f"{STE_SOURCE}.S2AA64",
    ),
    *shapeless_rules(
        STE_NAMES, lambda case: case.entry.walk, lambda case: bool(case.entry.s2aa64)
    ),
)
"""Entries that name no shape."""


SHAPE_RULES: tuple[Rule[_EntryOnSmmu], ...] = (
    Rule(
        id="s2tg-not-implemented",
        states="the SMMU has the page size",
        limited_by="smmu",
        breaks=_refused("granule-not-implemented"),
        given=lambda case: str(case.shape.granule),
        limit=lambda case: page_sizes(case.smmu.granules),
        says=lambda case: (
            f"the SMMU has no {case.shape.granule} pages, so {ILLEGAL}; it has "
            f"{page_sizes(case.smmu.granules)}"
        ),
        fix=lambda case: (
            f"use {a_page_size(case.smmu.granules)} pages"
            if case.smmu.granules
            else "use an SMMU that has stage 2"
        ),
        source=f"{STE_SOURCE}.S2TG; SMMU_IDR5",
    ),
    Rule(
        id="s2t0sz-above-maximum",
        states="S2T0SZ is at most 39, or with small translation tables 48 (64K: 47)",
        limited_by="smmu",
        breaks=_refused("t0sz-above-maximum", "t0sz-needs-ttst"),
        given=lambda case: case.entry.s2t0sz,
        limit=lambda case: case.t0sz_maximum,
        says=lambda case: (
            f"{case.ipa} is above the maximum of {case.t0sz_maximum}, so {ILLEGAL}; "
            f"the smallest IPA has {64 - case.t0sz_maximum} bits"
        ),
        fix=lambda case: f"use S2T0SZ of at most {case.t0sz_maximum}",
        source=f"{STE_SOURCE}.S2T0SZ; SMMU_IDR3.STT",
    ),
    Rule(
        id="s2t0sz-below-minimum",
        states="S2T0SZ is at least 64 - IAS, and 16 with 48-bit descriptors, else 12",
        limited_by="smmu",
        breaks=_refused("ipa-above-52", "ipa-above-48-without-lpa2", "ipa-exceeds-pa"),
        given=lambda case: case.entry.s2t0sz,
        limit=lambda case: case.t0sz_minimum,
        says=lambda case: (
            f"{case.ipa} is below the minimum of {case.t0sz_minimum}, so {ILLEGAL}; "
            f"the largest IPA has {64 - case.t0sz_minimum} bits"
        ),
        fix=lambda case: f"use S2T0SZ of at least {case.t0sz_minimum}",
        source=f"{STE_SOURCE}.S2T0SZ; SMMU_IDR5.OAS",
    ),
    Rule(
        id="s2sl0-needs-oas",
        states="4K start level 0 and 64K level 1 take 44 bits of output address, 16K "
        "level 1 takes 42",
        limited_by="smmu",
        breaks=_refused("start-level-needs-pa"),
        given=lambda case: case.shape.start_level,
        limit=lambda case: case.shape.start_level + 1,
        says=lambda case: (
            f"{case.start_level} takes an output address size of "
            f"{START_LEVEL_PA_BITS[case.on_cpu.start]} bits, but the SMMU has "
            f"{case.smmu.pa_bits}, so {ILLEGAL}"
        ),
        fix=lambda case: (
            f"start at level {case.shape.start_level + 1}, with concatenated tables "
            "if need be"
        ),
        source=f"{STE_SOURCE}.S2SL0; pseudocode AArch64.S2InvalidSL",
    ),
    Rule(
        id="s2sl0-needs-stt",
        states="4K pages start at level 3 only with small translation tables",
        limited_by="smmu",
        breaks=_refused("start-level-needs-ttst"),
        given=lambda case: case.shape.start_level,
        limit=lambda _: 2,
        says=lambda _: (
            "start level 3 with 4K pages takes small translation tables, which the "
            f"SMMU does not have (IDR3.STT), so {ILLEGAL}"
        ),
        fix=lambda _: "start at level 2",
        source=f"{STE_SOURCE}.S2SL0; SMMU_IDR3.STT",
    ),
    Rule(
        id="s2sl0-does-not-fit",
        states="the start level resolves one bit of the IPA up to four more than a "
        "full table does",
        limited_by="architecture",
        breaks=_refused(
            "ipa-too-large-for-start-level", "ipa-too-small-for-start-level"
        ),
        given=lambda case: case.shape.ipa_bits,
        limit=lambda case: "{}..{}".format(*case.ipa_range),
        says=lambda case: (
            f"{case.ipa} does not fit S2SL0 = {case.entry.s2sl0}, so {ILLEGAL}; "
            f"{case.start_level} is for {{}} to {{}} bits".format(*case.ipa_range)
        ),
        fix=lambda case: "use S2T0SZ of {1} to {0}, or another start level".format(
            *(64 - bits for bits in case.ipa_range)
        ),
        source=f"{STE_SOURCE}.S2T0SZ; pseudocode AArch64.S2InconsistentSL",
    ),
    Rule(
        id="s2ds-not-implemented",
        states="S2DS is set only on an SMMU with 52-bit addresses for 4K and 16K",
        limited_by="smmu",
        breaks=_refused("lpa2-not-implemented"),
        given=lambda case: case.entry.s2ds,
        limit=lambda _: 0,
        says=lambda case: (
            f"S2DS = 1 is reserved, since the SMMU has no 52-bit addresses for "
            f"{case.shape.granule} pages (IDR5.DS)"
        ),
        fix=lambda _: "clear S2DS",
        source=f"{STE_SOURCE}.S2DS; SMMU_IDR5.DS",
    ),
    *reserved_rules(
        STE_NAMES, lambda case: case.entry.walk, lambda case: bool(case.entry.s2aa64)
    ),
)
"""What makes a shape illegal."""


ROOT_RULES = root_rules(
    misaligned=RootWords(
        id="s2ttb-misaligned",
        states="the base is a multiple of the size of the root, and of 64 bytes where "
        "the effective S2PS is 52 bits",
        says=lambda base: f"and the SMMU walks from {base.aligned:#x} instead",
        source=f"{STE_SOURCE}.S2TTB",
    ),
    outside=RootWords(
        id="s2ttb-outside-output-size",
        states="the base is within the effective S2PS, and within 48 bits for 4K and "
        "16K pages without S2DS",
        says=lambda base: (
            f"S2TTB = {base.address:#x} is outside the {base.output_bits}-bit output "
            f"addresses, so {ILLEGAL}"
        ),
        source=f"{STE_SOURCE}.S2TTB",
    ),
)
"""Where a root may be."""


STE_RULES: tuple[Rule[_EntryOnSmmu], ...] = (
    Rule(
        id="s2vmid-above-8-bits",
        states="S2VMID has 8 bits on an SMMU without 16-bit VMIDs",
        limited_by="smmu",
        breaks=lambda case: bool(case.entry.s2vmid >> case.vmid_bits),
        given=lambda case: case.entry.s2vmid,
        limit=lambda case: (1 << case.vmid_bits) - 1,
        says=lambda case: (
            f"S2VMID = {case.entry.s2vmid} has more than the 8 bits of this SMMU's "
            f"VMIDs, so {ILLEGAL}"
        ),
        fix=lambda _: "use a VMID up to 255",
        source=f"{STE_SOURCE}.S2VMID; SMMU_IDR0.VMID16",
    ),
    Rule(
        id="s2sh0-reserved",
        states="S2SH0 is 0 (non-shareable), 2 (outer) or 3 (inner shareable)",
        limited_by="architecture",
        breaks=lambda case: case.entry.s2sh0 not in SHAREABILITY,
        given=lambda case: case.entry.s2sh0,
        limit=lambda _: "0, 2, 3",
        says=lambda _: "S2SH0 = 1 is reserved, and acts as 0, non-shareable",
        fix=lambda _: "set S2SH0 to 0, 2 or 3",
        source=f"{STE_SOURCE}.S2SH0",
    ),
    Rule(
        id="s2hd-without-s2ha",
        states="S2HD is set only with S2HA",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.s2hd) and not case.entry.s2ha,
        given=lambda case: case.entry.s2hd,
        limit=lambda _: 0,
        says=lambda _: "S2HD = 1 is reserved with S2HA = 0, and acts as 0",
        fix=lambda _: "set S2HA, or clear S2HD",
        source=f"{STE_SOURCE}.S2HA",
    ),
    Rule(
        id="s2haft-without-s2ha",
        states="S2HAFT is set only with S2HA",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.s2haft) and not case.entry.s2ha,
        given=lambda case: case.entry.s2haft,
        limit=lambda _: 0,
        says=lambda _: f"S2HAFT = 1 with S2HA = 0, so {ILLEGAL}",
        fix=lambda _: "set S2HA, or clear S2HAFT",
        source=f"{STE_SOURCE}.S2HAFT",
    ),
    Rule(
        id="s2poe-without-s2pie",
        states="S2POE is set only with indirect permissions",
        limited_by="architecture",
        breaks=lambda case: (
            bool(case.entry.s2aa64 and case.entry.s2poe) and not case.entry.s2pie
        ),
        given=lambda case: case.entry.s2poe,
        limit=lambda _: 0,
        says=lambda _: f"S2POE = 1 with S2PIE = 0, so {ILLEGAL}",
        fix=lambda _: "set S2PIE, or clear S2POE",
        source=f"{STE_SOURCE}.S2POE",
    ),
    Rule(
        id="s2skl-set",
        states="S2SKL is RES0 with VMSAv8-64 tables",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.s2aa64 and case.entry.s2skl),
        given=lambda case: case.entry.s2skl,
        limit=lambda _: 0,
        says=lambda case: (
            f"S2SKL = {case.entry.s2skl} is reserved, since only VMSAv9-128 tables "
            "skip levels"
        ),
        fix=lambda _: "clear S2SKL",
        source=f"{STE_SOURCE}.S2SKL",
    ),
    Rule(
        id="ste-res0-set",
        states="bits 252:248 and 255 of the entry are RES0",
        limited_by="architecture",
        breaks=lambda case: bool(case.entry.reserved),
        given=lambda case: f"{case.entry.reserved >> 64:#x}",
        limit=lambda _: 0,
        says=lambda case: (
            f"bits {case.entry.reserved >> 64:#x} of word 3 are RES0, but they are set"
        ),
        fix=lambda case: (
            f"use {case.entry.words[1] ^ case.entry.reserved >> 64:#x} as word 3"
        ),
        source=STE_SOURCE,
    ),
)
"""What is wrong with an entry whatever its shape is."""
