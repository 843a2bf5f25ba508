# SPDX-License-Identifier: MIT
"""`VTTBR_EL2`: the root of the tables and the VMID, as a CPU holds them."""

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violations
from s2geom.core.fields import Word, bit, bit_range, rest
from s2geom.core.geometry import Geometry, geometry_of
from s2geom.core.numbers import flag, unsigned
from s2geom.core.public import public
from s2geom.core.rules import Rule, violations_of
from s2geom.cpu.cpu import Cpu, cpu_of
from s2geom.registers.root import Base, RootWords, root_rules
from s2geom.registers.shape_fields import output_bits_of, vmid_bits_of
from s2geom.registers.vtcr import VTCR_EL2, vtcr_of


@frozen
class _Vttbr:
    """VTTBR_EL2, and the size of a VMID that VTCR_EL2.VS gives."""

    word: "VTTBR_EL2"
    vmid_bits: int


VTTBR_RULES: tuple[Rule[_Vttbr], ...] = (
    Rule(
        id="vttbr-bit-1-set",
        states="bit 1 of VTTBR_EL2 is RES0 in VMSAv8-64",
        limited_by="architecture",
        breaks=lambda case: bool(case.word.baddr & 2),
        given=lambda _: 1,
        limit=lambda _: 0,
        says=lambda _: "bit 1 of VTTBR_EL2 is RES0, but it is set",
        fix=lambda case: f"use {int(case.word) ^ 2:#x}",
        source="Arm ARM D24, VTTBR_EL2.BADDR",
    ),
    Rule(
        id="vmid-above-8-bits",
        states="a VMID has 8 bits unless VTCR_EL2.VS is set",
        limited_by="architecture",
        breaks=lambda case: bool(case.word.vmid >> case.vmid_bits),
        given=lambda case: case.word.vmid,
        limit=lambda case: (1 << case.vmid_bits) - 1,
        says=lambda case: (
            f"VMID {case.word.vmid} has more than 8 bits, but VTCR_EL2.VS is clear, so "
            f"it acts as VMID {case.word.vmid & 0xFF}"
        ),
        fix=lambda _: "use a VMID up to 255, or set VTCR_EL2.VS",
        source="Arm ARM D24, VTTBR_EL2.VMID and VTCR_EL2.VS",
    ),
)
"""What is wrong with the word whatever its tables are."""

BASE_RULES = root_rules(
    misaligned=RootWords(
        id="root-misaligned",
        states="the base is a multiple of the size of the root, all its concatenated "
        "tables together",
        says=lambda base: f"{base.size}{base.nearest}",
        source="Arm ARM D24, VTTBR_EL2.BADDR; pseudocode AArch64.S2TTBaseAddress",
    ),
    outside=RootWords(
        id="root-above-output-size",
        states="the base is within the output size: PS, the CPU's PARange, and 48 "
        "bits where descriptors hold no more",
        says=lambda base: (
            f"a root at {base.address:#x} is outside the {base.output_bits}-bit output "
            "addresses; an access gives an Address size fault, level 0"
        ),
        source="Arm ARM D8.2; pseudocode AArch64.S2Walk",
    ),
)
"""Where a root may be."""


@public
@frozen(kw_only=True, repr=False)
class VTTBR_EL2(Word):  # noqa: N801 - the register's name
    """VTTBR_EL2, the base of the tables: one attribute a field, in its 64-bit form.

    Where the base is depends on the tables and on VTCR_EL2.PS, so it takes a geometry:
    `root`. ``baddr`` is the field where it stands in the word, bits 47:1.

    Raises:
        InvalidArgument: A value does not fit its field.
        TypeError: A value is no integer; a bool is none.

    Source: Arm ARM D24, VTTBR_EL2.

    >>> word = VTTBR_EL2.for_geometry(Geometry(14, 40, 2), 0x4004_0000, vmid=1)
    >>> word
    VTTBR_EL2(baddr=0x40040000, vmid=1)
    >>> hex(word)
    '0x1000040040000'
    """

    cnp: int = bit(
        "CnP",
        0,
        "the tables are this CPU's",
        "the tables are common to CPUs of the inner shareable domain",
        feature="FEAT_TTCNP",
    )
    baddr: int = bit_range(
        "BADDR",
        47,
        1,
        reads=lambda _: (
            "the base of the tables, with address bits 51:48 in bits 5:2 "
            "where addresses have 52"
        ),
        moved=0,
    )
    vmid: int = bit_range(
        "VMID", 63, 48, reads=lambda _: "what tags the TLB entries of this VM"
    )
    reserved: int = rest("reserved", "reserved, and must be 0")

    @classmethod
    def for_geometry(
        cls,
        geometry: Geometry,
        root: int,
        vmid: int = 0,
        *,
        cnp: bool = False,
        pa_bits: int | None = None,
    ) -> "VTTBR_EL2":
        """Return the word for tables at an address.

        Args:
            geometry: The shape of the tables.
            root: Physical address of the first table in bytes, a multiple of the
                root's size.
            vmid: 0..65535; above 255 it needs VTCR_EL2.VS.
            cnp: Whether other CPUs use the same tables under the same VMID.
            pa_bits: VTCR_EL2.PS, as a size in bits; None is 52 with LPA2, else 48. It
                bounds ``root``, and with 64K pages 52 makes the register hold 52-bit
                addresses.

        Raises:
            InvalidArgument: A number is outside its range.
            TypeError: A value has the wrong type.
            UnsupportedCombination: The root is misaligned, or outside PS.

        Source: Arm ARM D24, VTTBR_EL2.BADDR; pseudocode AArch64.S2TTBaseAddress.
        """
        shape = geometry_of(geometry)
        size = output_bits_of(pa_bits, shape)
        base = Base(unsigned("root", root), shape, size)
        broken = violations_of(BASE_RULES, base)
        if broken:
            raise UnsupportedCombination(broken)
        return cls(cnp=int(flag("cnp", cnp)), baddr=base.baddr, vmid=vmid)

    @property
    def skl(self) -> int:
        """Bits 2:1: with VTCR_EL2.D128, the levels to skip; else part of BADDR."""
        return self.baddr >> 1 & 3

    def root(self, geometry: Geometry, *, pa_bits: int | None = None) -> int:
        """Return the physical address at which the CPU finds the first table.

        Bits below the root's alignment do not count; `lint` reports them.

        Args:
            geometry: The shape of the tables.
            pa_bits: VTCR_EL2.PS, as a size in bits; None is 52 with LPA2, else 48.

        Raises:
            InvalidArgument: ``pa_bits`` is no size of PS.
            TypeError: A value has the wrong type.

        Source: Arm ARM D24, VTTBR_EL2.BADDR; pseudocode AArch64.S2TTBaseAddress.

        >>> hex(VTTBR_EL2.from_int(0x4000_2040).root(Geometry(12, 40, 1)))
        '0x40002000'
        """
        shape = geometry_of(geometry)
        size = output_bits_of(pa_bits, shape)
        return Base.read(self.baddr, shape, size).aligned

    def lint(
        self,
        cpu: Cpu | None = None,
        *,
        geometry: Geometry | None = None,
        pa_bits: int | None = None,
        vmid_bits: int = 16,
        vtcr: VTCR_EL2 | int | None = None,
    ) -> Violations:
        """Return everything that is wrong with the word; empty if nothing is.

        Args:
            cpu: The CPU that would walk by it, which bounds the base by its PARange.
            geometry: The shape of the tables; None leaves the base unjudged.
            pa_bits: VTCR_EL2.PS, as a size in bits: `VTCR_EL2.pa_bits`; None is 52 with
                LPA2, else 48.
            vmid_bits: 8, or 16 with VTCR_EL2.VS: `VTCR_EL2.vmid_bits`.
            vtcr: The VTCR_EL2 beside it, or its number: it has the shape, PS and VS,
                which need not be given then, and it is judged too.

                .. versionadded:: 0.2.0

        Raises:
            InvalidArgument: ``pa_bits`` is no size of PS, ``vmid_bits`` not 8 or 16, or
                both ``geometry`` and ``vtcr`` are given.
            TypeError: A value has the wrong type.

        Source: Arm ARM D24, VTTBR_EL2.

        >>> word = VTTBR_EL2.from_int(0x4000_1000)
        >>> print(word.lint(geometry=Geometry(12, 40, 1))[0].message)
        a root at 0x40001000 is not a multiple of 0x2000 bytes, the size of its 2 \
concatenated tables; the nearest that fit are 0x40000000 and 0x40002000
        """
        if vtcr is not None:
            if geometry is not None:
                raise InvalidArgument("give geometry or vtcr: a VTCR_EL2 names a shape")
            control = vtcr_of(vtcr)
            broken = self.lint(
                cpu,
                geometry=control.named_shape,
                pa_bits=control.pa_bits,
                vmid_bits=control.vmid_bits,
            )
            return Violations(control.lint(cpu) + broken)
        machine = cpu_of(cpu)
        shape = None if geometry is None else geometry_of(geometry)
        size = output_bits_of(pa_bits, shape)
        broken = violations_of(VTTBR_RULES, _Vttbr(self, vmid_bits_of(vmid_bits)))
        if shape is None:
            return broken
        baddr = self.baddr & ~2  # bit 1 has a rule of its own
        base = Base.read(baddr, shape, size, machine)
        return Violations(broken + violations_of(BASE_RULES, base))
