# SPDX-License-Identifier: MIT
"""`STE`: stage 2 in the stream table entry of an Arm SMMUv3.

The fields of a stream table entry are those of VTCR_EL2 and VTTBR_EL2 in another
place, but an SMMU judges them itself: a combination that makes a CPU fault makes the
whole entry ILLEGAL, and every transaction of the device ends in C_BAD_STE.
"""

from collections.abc import Iterable
from struct import unpack_from

from attrs import frozen

from s2geom.core.errors import UnreadableInput, UnsupportedCombination, Violations
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.granule import Granule
from s2geom.core.numbers import flag, unsigned
from s2geom.core.public import public
from s2geom.core.rules import violations_of
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import ANY_CPU, Cpu
from s2geom.cpu.sizes import PARANGE, address_bits
from s2geom.registers.shape_fields import WalkFields, output_bits_of, vmid_bits_of
from s2geom.registers.ste_fields import StreamTableEntry
from s2geom.registers.ste_rules import (
    COMPANION_RULES,
    ROOT_RULES,
    SHAPE_RULES,
    STE_RULES,
    STE_SHAPELESS_RULES,
    EntryAndVtcr,
    EntryBase,
    EntryOnSmmu,
)
from s2geom.registers.vtcr import VTCR_EL2, vtcr_of

ENTRY_BYTES = 64
S2TTB_MASK = 0xFF_FFFF_FFFF_FFF0


@public
@frozen(kw_only=True, repr=False)
class STE(StreamTableEntry):
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
        cls,
        geometry: Geometry,
        root: int,
        pa_bits: int | None = None,
        vmid: int = 0,
    ) -> "STE":
        """Return the entry's stage 2 for tables at an address.

        Table walks are inner shareable and write-back, stage-1 tables in Device memory
        fault, and faults are recorded, as Linux has it on a coherent system.

        Args:
            geometry: The shape of the tables; ``lpa2`` becomes S2DS.
            root: Physical address of the first table in bytes, a multiple of the
                root's size.
            pa_bits: The S2PS field, as a size: 32, 36, 40, 42, 44, 48, 52 or 56 bits;
                None is 52 with LPA2, else 48. It bounds output addresses and ``root``,
                and never the IPA.
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
        size = output_bits_of(pa_bits, geometry)
        entry = cls(
            s2vmid=vmid,
            s2t0sz=walk.t0sz,
            s2sl0=walk.sl0,
            s2ir0=1,
            s2or0=1,
            s2sh0=3,
            s2tg=walk.tg,
            s2ps=PARANGE.index(size),
            s2aa64=1,
            s2ptw=1,
            s2r=1,
            s2sl0_2=walk.sl2,
            s2ds=walk.ds,
            s2ttb=address & S2TTB_MASK,
        )
        broken = violations_of(ROOT_RULES, EntryBase(address, geometry, size))
        if broken:
            raise UnsupportedCombination(broken)
        return entry

    def geometry(self) -> Geometry:
        """Return the shape that the entry describes.

        It is the shape that the fields name, legal or not: ask `lint`.

        Raises:
            UnsupportedCombination: No shape can be named: S2TG or the start level is
                reserved, or the tables are not VMSAv8-64.
        """
        broken = violations_of(STE_SHAPELESS_RULES, EntryOnSmmu(self, ANY_CPU, 16))
        shape = self.walk.geometry
        if broken or shape is None:
            raise UnsupportedCombination(broken)
        return shape

    def root(self) -> int:
        """Return the physical address at which the SMMU finds the first table.

        Bits below the root's alignment do not count; `lint` reports them.

        Raises:
            UnsupportedCombination: No shape can be named, as for `geometry`.
        """
        return EntryBase(self.s2ttb, self.geometry(), self.pa_bits).aligned

    def lint(
        self,
        *,
        oas: int = 52,
        granules: Iterable[Granule] = frozenset(Granule),
        ds: bool = False,
        stt: bool = False,
        aarch32: bool = False,
        vmid_bits: int = 8,
        vtcr: VTCR_EL2 | int | None = None,
    ) -> Violations:
        """Return everything that is wrong with the entry; empty if nothing is.

        The SMMU is an SMMUv3.1 or later with all page sizes and 52-bit output addresses
        and, as long as nothing else is said, none of its optional features: the
        plainest one, which ``s2geom decode ste`` takes too. Hardware updates
        (IDR0.HTTU), stalls and endianness are not judged.

        .. versionchanged:: 0.2.0
           Features that are not given are missing; they were all there.

        Args:
            oas: Output address size in bits, SMMU_IDR5.OAS: 32, 36, 40, 42, 44, 48, 52
                or 56.
            granules: Page sizes that it has, SMMU_IDR5.GRAN4K, GRAN16K and GRAN64K.
            ds: Whether 4K and 16K pages may have 52-bit addresses, SMMU_IDR5.DS.
            stt: Whether it has small translation tables, SMMU_IDR3.STT.
            aarch32: Whether it has AArch32 tables (SMMU_IDR0.TTF), which give it at
                least 40 bits of IPA.
            vmid_bits: 8, or 16 with SMMU_IDR0.VMID16.
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
        smmu = Cpu(
            address_bits("oas", oas),
            granules=granules,
            lpa2=flag("ds", ds),
            ttst=flag("stt", stt),
            aarch32_el1=flag("aarch32", aarch32),
        )
        case = EntryOnSmmu(self, smmu, vmid_bits_of(vmid_bits))
        broken = [*violations_of((*STE_SHAPELESS_RULES, *STE_RULES), case)]
        if case.has_shape:
            base = EntryBase(self.s2ttb, case.shape, self.pa_bits, smmu)
            broken += violations_of(SHAPE_RULES, case) + violations_of(ROOT_RULES, base)
        if vtcr is not None:
            control = vtcr_of(vtcr)
            pair = EntryAndVtcr(self, control)
            broken += control.lint() + violations_of(COMPANION_RULES, pair)
        return Violations(broken)
