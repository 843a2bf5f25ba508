# SPDX-License-Identifier: MIT
"""`walk` gives what the CPU would: the address, or the fault with kind and level."""

import pickle
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest

import s2geom as s2
from s2geom import (
    VTCR_EL2,
    AddressLayout,
    Attributes,
    Cpu,
    Descriptor,
    Fault,
    Geometry,
    Granule,
    Memory,
    walk,
)
from s2geom.registers.fault_status import FaultKind

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64

# Arm ARM D8.2: index bits of a table, and the first start level with DS 0 and 1.
STRIDE = {K4: 9, K16: 11, K64: 13}
TOP = {(K4, 0): 0, (K4, 1): -1, (K16, 0): 1, (K16, 1): 0, (K64, 0): 1}

# What no CPU can do more than.
ANY = Cpu(52, lpa2=True, ttst=True)

PAGE_BITS = 0x4FF  # normal memory, read-write-execute, accessed; 9:8 may be address
XN_NONE, XN_EL0, XN_NEVER, XN_EL1 = (xn << 53 for xn in range(4))


def shift_of(granule: Granule, level: int) -> int:
    """log2 of what an entry maps, by the formula of the manual."""
    return granule + STRIDE[granule] * (3 - level)


def legal_shapes() -> Iterator[Geometry]:
    """Every shape that some CPU has: the start level resolves 1 to stride + 4 bits."""
    for (granule, ds), top in TOP.items():
        narrow = 48 if granule is not K64 and not ds else 52
        for level in range(top, 4):
            low = shift_of(granule, level) + 1
            high = shift_of(granule, level) + STRIDE[granule] + 4
            for bits in range(low, min(high, narrow) + 1):
                if bits >= (17 if granule is K64 else 16):
                    yield Geometry(granule, bits, level, lpa2=bool(ds))


class Words:
    """A memory of words by address; what is not there cannot be read."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}
        self.asked: list[int] = []

    def read(self, address: int, size: int) -> bytes:
        """Return a word, and remember that it was asked for."""
        self.asked.append(address)
        assert size == 8
        if address not in self.words:
            raise s2.MemoryReadError(hex(address))
        return self.words[address].to_bytes(8, "little")


def path(
    shape: Geometry, root: int, ipa: int, leaf: int, leaf_level: int = 3
) -> tuple[Words, list[int]]:
    """Write the tables that lead to one leaf, and say where the descriptors are."""
    memory, places = Words(), []
    table = root
    bits_left = shape.ipa_bits
    for level in range(shape.start_level, leaf_level + 1):
        shift = shift_of(shape.granule, level)
        index = (ipa & ((1 << bits_left) - 1)) >> shift
        at = table + 8 * index
        places.append(at)
        table = (level + 2) << 24
        memory.words[at] = leaf if level == leaf_level else table | 0b11
        bits_left = shift
    return memory, places


# Translation


def test_walk_reaches_the_last_page_of_every_shape() -> None:
    """No bit of an index is lost, those of concatenated root tables included."""
    count = 0
    for shape in legal_shapes():
        root = 1 << 21
        ipa = (1 << shape.ipa_bits) - 1
        page = 5 << 20
        memory, places = path(shape, root, ipa, page | PAGE_BITS)

        found = walk(shape, root, ipa, memory.read, cpu=ANY)

        assert isinstance(found, s2.Translation), shape
        offset = (1 << shape.granule) - 1
        assert (page + offset, 3) == (found.output_address, found.level)
        assert places == memory.asked
        entries = 1 << shape.ipa_bits - shift_of(shape.granule, shape.start_level)
        assert root + 8 * (entries - 1) == memory.asked[0]
        count += 1
    # IPA sizes by start level, counted from the tables of the manual.
    assert count == 45 + 53 + 41 + 49 + 44


def test_a_translation_has_the_leaf_descriptor() -> None:
    """A translation holds the leaf, with its attributes."""
    shape = Geometry(K4, 40, 1)
    leaf = Descriptor.leaf(shape, 2, 0x4020_0000, Attributes(s2ap=1, xn=2))
    memory, _ = path(shape, 0x2000, 0x12_3456_789A, int(leaf), leaf_level=2)

    found = walk(shape, 0x2000, 0x12_3456_789A, memory.read)

    assert s2.Translation(0x4020_0000 | 0x5_6789A & 0x1F_FFFF, 2, leaf) == found


@pytest.mark.parametrize(
    ("shape", "level", "kinds"),
    [
        (Geometry(K4, 48, 0), 0, False),
        (Geometry(K4, 48, 0), 1, True),
        (Geometry(K4, 48, 0), 2, True),
        (Geometry(K4, 48, 0, lpa2=True), 0, True),
        (Geometry(K4, 52, -1, lpa2=True), -1, False),
        (Geometry(K4, 52, -1, lpa2=True), 0, True),
        (Geometry(K16, 47, 1), 1, False),
        (Geometry(K16, 47, 1), 2, True),
        (Geometry(K16, 52, 0, lpa2=True), 0, False),
        (Geometry(K16, 52, 0, lpa2=True), 1, True),
        (Geometry(K64, 48, 1), 1, False),
        (Geometry(K64, 48, 1), 2, True),
        (Geometry(K64, 52, 1), 1, True),
    ],
)
def test_blocks_translate_only_at_levels_that_allow_them(
    shape: Geometry, level: int, kinds: bool
) -> None:
    """A block at any other level is a Translation fault at that level."""
    ipa = (1 << shape.ipa_bits) - 1
    memory, places = path(shape, 0, ipa, 0x401 | 3 << 6, leaf_level=level)

    found = walk(shape, 0, ipa, memory.read)

    size = 1 << shift_of(shape.granule, level)
    if kinds:
        assert isinstance(found, s2.Translation)
        assert (ipa % size, level) == (found.output_address, found.level)
    else:
        assert Fault("translation", level, ipa, places[-1]) == found


def test_64k_level_1_blocks_need_52_bit_physical_addresses() -> None:
    """The CPU or VTCR_EL2.PS decides; the pseudocode asks for the PA size."""
    shape = Geometry(K64, 48, 1)
    memory, _ = path(shape, 0, 0, 0x401 | 3 << 6, leaf_level=1)
    wide = VTCR_EL2.for_geometry(shape, pa_bits=52)

    assert walk(shape, 0, 0, memory.read, cpu=Cpu(48)) == Fault("translation", 1, 0)
    assert walk(shape, 0, 0, memory.read, cpu=Cpu(48, lpa=True)) == (
        Fault("translation", 1, 0)
    )
    assert isinstance(walk(shape, 0, 0, memory.read, cpu=Cpu(52)), s2.Translation)
    assert isinstance(walk(shape, 0, 0, memory.read, vtcr=wide), s2.Translation)


def test_64k_descriptors_have_52_bit_addresses_with_lpa() -> None:
    """With FEAT_LPA, and where no CPU is given, bits 15:12 are address bits 51:48."""
    shape = Geometry(K64, 42, 2)
    memory, _ = path(shape, 0, 0x1234, 7 << 16 | 0xA << 12 | 0x7C3)
    at_52 = walk(shape, 0, 0x1234, memory.read, cpu=Cpu(52))
    at_48 = walk(shape, 0, 0x1234, memory.read, cpu=Cpu(48))
    unknown = walk(shape, 0, 0x1234, memory.read)

    assert isinstance(at_52, s2.Translation)
    assert isinstance(at_48, s2.Translation)
    assert isinstance(unknown, s2.Translation)
    assert at_52.output_address == 0xA_0000_0007_1234
    assert at_48.output_address == 0x7_1234
    assert unknown.output_address == 0xA_0000_0007_1234
    # The layout follows FEAT_LPA even where the output size does not.
    narrow = walk(shape, 0, 0x1234, memory.read, cpu=Cpu(48, lpa=True))
    assert narrow == Fault("address size", 3, 0x1234)


@pytest.mark.parametrize(
    ("cpu", "layout"),
    [
        (None, AddressLayout.LPA),
        (Cpu(48), AddressLayout.BITS48),
        (Cpu(52), AddressLayout.LPA),
    ],
)
def test_64k_descriptors_of_48_bits_are_read_alike_with_and_without_lpa(
    cpu: Cpu | None, layout: AddressLayout
) -> None:
    """Descriptors are made for 48 bits; without a CPU they are read with FEAT_LPA."""
    shape = Geometry(K64, 42, 2)
    leaf = Descriptor.leaf(shape, 3, 0xFFFF_FFFF_0000)
    memory, _ = path(shape, 0, 8, int(leaf))

    found = walk(shape, 0, 8, memory.read, cpu=cpu)

    assert isinstance(found, s2.Translation)
    assert (0xFFFF_FFFF_0008, layout) == (found.output_address, found.descriptor.layout)
    assert AddressLayout.BITS48 is leaf.layout


def test_lpa2_descriptors_have_52_bit_addresses() -> None:
    """The root, tables and leaves may be above 48 bits."""
    shape = Geometry(K4, 40, 1, lpa2=True)
    root, table, page = 0xC_0000_0000_2000, 0x7_0000_0000_1000, 0xF_0000_0000_3000
    memory = Words()
    memory.words[root] = 0x3_0000_0000_1000 | 1 << 8 | 0b11
    memory.words[table] = 0x3_0000_0000_1000 | 1 << 8 | 0b11
    memory.words[table + 8] = 0x3_0000_0000_3000 | 3 << 8 | 0x4C3
    memory.words[table + 8 * 2] = 0

    # The table is its own next one; entry 0 leads back, entry 1 is a page.
    found = walk(shape, root, 0x1018, memory.read)

    assert isinstance(found, s2.Translation)
    assert found.output_address == page | 0x18


def test_root_bits_below_its_alignment_are_ignored() -> None:
    """The CPU clears them: a VTTBR_EL2 with CnP set still walks."""
    shape = Geometry(K4, 40, 1)
    memory, places = path(shape, 0x4000, 0, 0x9000 | PAGE_BITS)

    assert isinstance(walk(shape, 0x5FFF, 0, memory.read), s2.Translation)
    assert places == memory.asked


def test_a_small_64k_root_is_aligned_to_64_bytes_with_52_bit_outputs() -> None:
    """With PS 52 a 64K root of two entries is aligned to 64 bytes, else to 16."""
    shape = Geometry(K64, 30, 2)
    wide = VTCR_EL2.for_geometry(shape, pa_bits=52)
    narrow = VTCR_EL2.for_geometry(shape, pa_bits=48)

    for vtcr, expected in ((None, 0x70), (narrow, 0x70), (wide, 0x40)):
        memory = Words()
        walk(shape, 0x70, 0, memory.read, vtcr=vtcr)

        assert [expected] == memory.asked


# Faults, in their order


def test_an_ipa_outside_the_ipa_space_faults_at_level_0() -> None:
    """The start level does not matter, and nothing is read."""
    for shape in legal_shapes():
        memory = Words()
        ipa = 1 << shape.ipa_bits

        assert walk(shape, 0, ipa, memory.read) == Fault("translation", 0, ipa)
        assert not memory.asked


@pytest.mark.parametrize(
    ("shape", "cpu"),
    [
        (Geometry(K4, 40, 0), Cpu(40)),
        (Geometry(K4, 48, 0), Cpu(44)),
        (Geometry(K4, 40, 2), None),
        (Geometry(K4, 40, 1, lpa2=True), Cpu(48)),
        (Geometry(K16, 40, 2), Cpu(48, granules={K4, K64})),
        (Geometry(K4, 21, 3), Cpu(48)),
        (Geometry(K4, 52, 0), None),
    ],
)
def test_a_refused_shape_faults_at_level_0(shape: Geometry, cpu: Cpu | None) -> None:
    """A shape that the CPU refuses faults before the root is looked at."""
    memory = Words()
    root = 1 << 60

    assert walk(shape, root, 0, memory.read, cpu=cpu) == Fault("translation", 0, 0)
    assert not memory.asked


@pytest.mark.parametrize(
    ("shape", "pa_bits", "output"),
    [
        (Geometry(K4, 32, 1), 32, 32),
        (Geometry(K4, 36, 1), 36, 36),
        (Geometry(K4, 40, 1), 40, 40),
        (Geometry(K16, 42, 1), 42, 42),
        (Geometry(K64, 44, 1), 44, 44),
        (Geometry(K4, 40, 1), 52, 48),
        (Geometry(K16, 40, 2), 52, 48),
        (Geometry(K64, 40, 2), 52, 52),
        (Geometry(K64, 40, 2), 56, 52),
        (Geometry(K4, 40, 1, lpa2=True), 52, 52),
        (Geometry(K4, 40, 1, lpa2=True), 56, 52),
    ],
)
def test_addresses_above_the_output_size_fault(
    shape: Geometry, pa_bits: int, output: int
) -> None:
    """The root faults at level 0, tables and leaves at theirs; a bit less is valid."""
    cpu = Cpu(pa_bits, lpa2=shape.lpa2)
    ipa = 0x3_4567
    most = 52 if cpu.lpa and (shape.granule is K64 or shape.lpa2) else 48
    top = 1 << output - 1

    def root_at(root: int) -> s2.Translation | Fault:
        return walk(shape, root, ipa, Words().read, cpu=cpu)

    assert root_at(1 << output) == Fault("address size", 0, ipa)
    assert root_at(top) == Fault("external abort", shape.start_level, ipa)
    for level in range(shape.start_level, 4):
        for bit in range(output, most):
            if level == 3:
                word = int(Descriptor.leaf(shape, 3, 1 << bit, lpa=cpu.lpa))
            else:
                word = int(Descriptor.table(shape, level, 1 << bit, lpa=cpu.lpa))
            memory, places = path(shape, 0, ipa, word, leaf_level=level)
            found = walk(shape, 0, ipa, memory.read, cpu=cpu)

            assert isinstance(found, Fault)
            assert found == Fault("address size", level, ipa)
            assert found.descriptor_address == places[-1]
    word = int(Descriptor.leaf(shape, 3, top, lpa=cpu.lpa))
    memory, _ = path(shape, 0, ipa, word)
    page = (1 << shape.granule) - 1
    fine = walk(shape, 0, ipa, memory.read, cpu=cpu)
    assert isinstance(fine, s2.Translation)
    assert top | ipa & page == fine.output_address


@pytest.mark.parametrize(
    ("ps", "output"),
    [(0, 32), (1, 36), (2, 40), (3, 42), (4, 44), (5, 48), (6, 52), (7, 52)],
)
@pytest.mark.parametrize("cpu_bits", [None, 40, 52])
def test_output_size_is_the_minimum_of_ps_and_parange(
    ps: int, output: int, cpu_bits: int | None
) -> None:
    """VTCR_EL2.PS and the CPU bound addresses; only 64K pages have 52 bits."""
    for shape in (Geometry(K64, 40, 2), Geometry(K4, 39, 1)):
        cpu = None if cpu_bits is None else Cpu(cpu_bits)
        limit = min(output, cpu_bits or 52, 52 if shape.granule is K64 else 48)
        vtcr = attrs.evolve(VTCR_EL2.for_geometry(shape), ps=ps)

        for bits in (limit - 1, limit):
            found = walk(shape, 1 << bits, 0, Words().read, cpu=cpu, vtcr=vtcr)
            expected = "address size" if bits == limit else "external abort"

            assert isinstance(found, Fault)
            assert expected == found.kind


def test_faults_have_the_level_of_their_descriptor() -> None:
    """A fetch that fails and an invalid descriptor fault at their level."""
    for shape in (Geometry(K4, 52, -1, lpa2=True), Geometry(K16, 47, 1)):
        ipa = (1 << shape.ipa_bits) - 1
        for level in range(shape.start_level, 4):
            for word in (0b00, 0b10) if level < 3 else (0b00, 0b01, 0b10):
                memory, places = path(shape, 0, ipa, word, leaf_level=level)
                found = walk(shape, 0, ipa, memory.read)

                assert isinstance(found, Fault)
                assert found == Fault("translation", level, ipa)
                assert found.descriptor_address == places[-1]
            del memory.words[places[-1]]
            found = walk(shape, 0, ipa, memory.read)

            assert isinstance(found, Fault)
            assert found == Fault("external abort", level, ipa)
            assert found.descriptor_address == places[-1]


VALID_READABLE = 0b11 | 1 << 6 | 1 << 10


@pytest.mark.parametrize(
    ("word", "access", "expected"),
    [
        (VALID_READABLE, "read", None),
        (VALID_READABLE, "write", "permission"),
        (VALID_READABLE, "execute", None),
        (0b11 | 2 << 6 | 1 << 10, "read", "permission"),
        (0b11 | 2 << 6 | 1 << 10, "write", None),
        (0b11 | 1 << 10, "read", "permission"),
        (0b11 | 1 << 10, "execute", None),
        (VALID_READABLE | XN_EL0, "execute", "permission"),
        (VALID_READABLE | XN_EL0, "execute at EL0", None),
        (VALID_READABLE | XN_NEVER, "execute", "permission"),
        (VALID_READABLE | XN_NEVER, "execute at EL0", "permission"),
        (VALID_READABLE | XN_NEVER, "read", None),
        (VALID_READABLE | XN_EL1, "execute", None),
        (VALID_READABLE | XN_EL1, "execute at EL0", "permission"),
        (0b11 | 1 << 6, "read", "access flag"),
        (0b11, "write", "access flag"),
        (1 << 40 | 0b11, "write", "address size"),
        (VALID_READABLE | 1 << 51, "write", "permission"),
    ],
)
def test_leaf_faults_in_order_of_priority(
    word: int, access: str, expected: FaultKind | None
) -> None:
    """Address size comes before access flag, and access flag before permission."""
    shape = Geometry(K4, 39, 1)
    memory, _ = path(shape, 0, 0x1000, word)

    found = walk(shape, 0, 0x1000, memory.read, cpu=Cpu(40), access=access)

    if expected is None:
        assert isinstance(found, s2.Translation)
    else:
        assert Fault(expected, 3, 0x1000) == found


@pytest.mark.parametrize(
    ("ha", "hd", "word", "access", "expected"),
    [
        (0, 0, 0b11 | 3 << 6, "read", "access flag"),
        (0, 1, 0b11 | 3 << 6, "read", "access flag"),
        (1, 0, 0b11 | 3 << 6, "read", None),
        (1, 0, 0b11 | 1 << 6, "write", "permission"),
        (1, 0, 0b11 | 1 << 6 | 1 << 51, "write", "permission"),
        (0, 1, VALID_READABLE | 1 << 51, "write", "permission"),
        (1, 1, 0b11 | 1 << 6 | 1 << 51, "write", None),
        (1, 1, 0b11 | 1 << 6, "write", "permission"),
        (1, 1, 0b11 | 2 << 6 | 1 << 51, "read", "permission"),
    ],
)
def test_hardware_managed_access_flag_and_dirty_state(
    ha: int, hd: int, word: int, access: str, expected: FaultKind | None
) -> None:
    """With HA no access flag fault; with HA and HD, DBM allows writes."""
    shape = Geometry(K4, 39, 1)
    memory, _ = path(shape, 0, 0, word)
    vtcr = attrs.evolve(VTCR_EL2.for_geometry(shape), ha=ha, hd=hd)

    for given in (vtcr, int(vtcr)):
        found = walk(shape, 0, 0, memory.read, vtcr=given, access=access)

        if expected is None:
            assert isinstance(found, s2.Translation)
        else:
            assert Fault(expected, 3, 0) == found


# The caller's part


def test_other_exceptions_of_read_pass_through() -> None:
    """Only `MemoryReadError` is an external abort."""

    def broken(address: int, size: int) -> bytes:
        raise OSError(f"cannot seek to {address} for {size}")

    with pytest.raises(OSError, match=r"cannot seek to 0"):
        walk(Geometry(K4, 39, 1), 0, 0, broken)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_read_of_the_wrong_size_is_refused(size: int) -> None:
    """A read of the wrong size is no external abort."""
    with pytest.raises(
        s2.UnreadableInput, match=rf"read\(0x10, 8\) must return 8 bytes, got {size}"
    ):
        walk(Geometry(K4, 39, 1), 0, 2 << 30, lambda _, __: bytes(size))


def test_read_may_return_any_buffer() -> None:
    """A bytearray or a memoryview is as good as bytes."""
    shape = Geometry(K4, 39, 1)
    for empty in (bytes(8), bytearray(8), memoryview(bytes(8))):
        memory: dict[int, Any] = {0: empty}

        found = walk(shape, 0, 0, lambda address, _: memory[address])  # noqa: B023

        assert found == Fault("translation", 1, 0)


def test_words_are_little_endian() -> None:
    """Descriptors are read as little-endian words."""
    word = (0x4000_0000 | 0x7FD).to_bytes(8, "little")
    found = walk(Geometry(K4, 39, 1), 0, 0x123, lambda _, __: word)

    assert isinstance(found, s2.Translation)
    assert found.output_address == 0x4000_0123


def test_arguments_are_checked() -> None:
    """Each mistake in a call is named."""
    shape, memory = Geometry(K4, 39, 1), s2.Memory({})
    wrong: Any = "x"
    for bad in (-1, 1 << 64):
        with pytest.raises(s2.InvalidArgument, match=r"root must be 0\.\."):
            walk(shape, bad, 0, memory.read)
        with pytest.raises(s2.InvalidArgument, match=r"ipa must be 0\.\."):
            walk(shape, 0, bad, memory.read)
        with pytest.raises(s2.InvalidArgument, match=r"vtcr must be 0\.\."):
            walk(shape, 0, 0, memory.read, vtcr=bad)
    with pytest.raises(
        s2.InvalidArgument,
        match="access must be one of read, write, execute, execute at EL0, got 'fly'",
    ):
        walk(shape, 0, 0, memory.read, access="fly")
    with pytest.raises(TypeError, match="geometry must be a Geometry"):
        walk(wrong, 0, 0, memory.read)
    with pytest.raises(TypeError, match="cpu must be a Cpu or None"):
        walk(shape, 0, 0, memory.read, cpu=wrong)
    with pytest.raises(TypeError, match="vtcr must be an integer"):
        walk(shape, 0, 0, memory.read, vtcr=wrong)
    with pytest.raises(TypeError, match="ipa must be an integer"):
        walk(shape, 0, wrong, memory.read)
    with pytest.raises(TypeError, match=r"read\(0x0, 8\) must return bytes, got str"):
        walk(shape, 0, 0, lambda _, __: wrong)
    with pytest.raises(TypeError, match="read must be callable, got 'x'"):
        walk(shape, 0, 1 << 39, wrong)
    with pytest.raises(TypeError, match="read must be callable, got 'x'"):
        s2.scan(shape, 0, wrong)
    no_text: Any = ["read"]
    with pytest.raises(TypeError, match=r"access must be text, got \['read'\]"):
        walk(shape, 0, 0, memory.read, access=no_text)


def test_read_may_return_a_view_that_is_not_contiguous() -> None:
    """A memoryview with a step is read by its items."""
    shape = Geometry(K4, 31, 2)
    block = int(s2.Descriptor.leaf(shape, 2, 0x8000_0000)).to_bytes(8, "little")
    sparse = memoryview(bytes(byte for each in block for byte in (each, 0xFF)))[::2]

    found = walk(shape, 0, 0, lambda _, __: sparse)

    assert isinstance(found, s2.Translation)
    assert 0x8000_0000 == found.output_address


def test_d128_and_s2pie_are_refused() -> None:
    """Under D128 or S2PIE the bits of a descriptor mean something else."""
    shape, memory = Geometry(K4, 39, 1), s2.Memory({})
    vtcr = int(VTCR_EL2.for_geometry(shape))
    with pytest.raises(s2.InvalidArgument, match="vtcr has D128=1, which makes"):
        walk(shape, 0, 0, memory.read, vtcr=vtcr | 1 << 38)
    with pytest.raises(s2.InvalidArgument, match="vtcr has S2PIE=1, which makes"):
        walk(shape, 0, 0, memory.read, vtcr=vtcr | 1 << 36)


@pytest.mark.parametrize(
    ("change", "described"),
    [
        ({"t0sz": 24}, "Geometry(granule=Granule.K4, ipa_bits=40, start_level=1, "),
        ({"sl0": 0}, "Geometry(granule=Granule.K4, ipa_bits=39, start_level=2, "),
        ({"tg0": 2}, "Geometry(granule=Granule.K16, ipa_bits=39, start_level=2, "),
        ({"ds": 1}, "Geometry(granule=Granule.K4, ipa_bits=39, start_level=1, lpa2=T"),
        ({"tg0": 3}, "no shape, as its lint() says"),
    ],
    ids=["width", "start", "granule", "layout", "nothing"],
)
def test_a_vtcr_that_contradicts_the_geometry_is_refused(
    change: dict[str, int], described: str
) -> None:
    """The message names the shape that the register describes, and the geometry."""
    shape, memory = Geometry(K4, 39, 1), s2.Memory({})
    vtcr = attrs.evolve(VTCR_EL2.for_geometry(shape), **change)
    with pytest.raises(s2.InvalidArgument) as caught:
        walk(shape, 0, 0, memory.read, vtcr=vtcr)

    assert str(caught.value).startswith(f"vtcr describes {described}")
    assert str(caught.value).endswith(f", but the geometry is {shape}")


# Faults as values

# Arm ARM, ESR_EL2.ISS: the status codes, by level from -1.
STATUS = {
    "address size": (0b101001, 0b000000, 0b000001, 0b000010, 0b000011),
    "translation": (0b101011, 0b000100, 0b000101, 0b000110, 0b000111),
    "access flag": (None, 0b001000, 0b001001, 0b001010, 0b001011),
    "permission": (None, 0b001100, 0b001101, 0b001110, 0b001111),
    "external abort": (0b010011, 0b010100, 0b010101, 0b010110, 0b010111),
}


@pytest.mark.parametrize("kind", STATUS)
def test_fault_status_codes(kind: FaultKind) -> None:
    """Every kind at every level, as in ESR_EL2.ISS."""
    for level, code in zip(range(-1, 4), STATUS[kind], strict=True):
        if code is None:
            with pytest.raises(s2.InvalidArgument, match=r"level must be 0\.\.3"):
                Fault(kind, level, 0)
        else:
            assert code == Fault(kind, level, 0).status


def test_faults_compare_without_the_descriptor_address() -> None:
    """Two faults are equal wherever their descriptors are."""
    fault = Fault("translation", 2, 0x1000, 0x4000)

    assert Fault("translation", 2, 0x1000) == fault
    assert repr(fault) == (
        "Fault(kind='translation', level=2, address=0x1000, descriptor_address=0x4000)"
    )
    assert "descriptor_address=None" in repr(Fault("translation", 2, 0x1000))
    assert fault == pickle.loads(pickle.dumps(fault))  # noqa: S301
    with pytest.raises(s2.InvalidArgument, match="kind must be one of address size"):
        Fault("bus", 2, 0)  # type: ignore[arg-type]


def test_a_fault_stores_plain_integers() -> None:
    """Numpy integers are converted."""
    numbers: list[Any] = [np.int8(1), np.uint64(4096), np.int64(8)]
    fault = Fault("translation", *numbers)

    assert Fault("translation", 1, 4096) == fault
    assert {int} == {
        type(number)
        for number in (fault.level, fault.address, fault.descriptor_address)
    }
    wrong: Any = [1]
    with pytest.raises(TypeError, match="descriptor_address must be an integer"):
        Fault("translation", 1, 0, wrong)


def test_a_fault_holds_the_descriptor_it_stopped_at() -> None:
    """It is None if none was fetched, is not compared and is not in the repr."""
    shape = Geometry(12, 39, 1)
    words = [0, 0b10, 0, 0x2000 | 0b11]
    memory = Memory({0: b"".join(word.to_bytes(8, "little") for word in words)})

    for index, word in enumerate(words[:2]):
        fault = walk(shape, 0, index << 30, memory.read)

        assert Fault("translation", 1, index << 30, 8 * index) == fault
        assert Descriptor(word, 1, shape.granule, AddressLayout.BITS48) == (
            fault.descriptor
        )
        assert "Descriptor(" not in repr(fault)
    unread = walk(shape, 0, 3 << 30, memory.read)

    assert Fault("external abort", 2, 3 << 30) == unread
    assert unread.descriptor is None
    wrong: Any = 0
    with pytest.raises(TypeError, match="descriptor must be a Descriptor or None"):
        Fault("translation", 1, 0, 0, wrong)


def test_results_keep_fwb() -> None:
    """Translations and faults keep FWB as it was given."""
    shape = Geometry(12, 39, 1)
    block = Descriptor.leaf(shape, 1, 0)
    memory = Memory({0: int(block).to_bytes(8, "little") + bytes(8)})
    for fwb in (None, False, True):
        for ipa in (0, 1 << 30, 1 << 31, 1 << 39):
            answer = walk(shape, 0, ipa, memory.read, fwb=fwb)

            assert fwb is answer.fwb
            assert walk(shape, 0, ipa, memory.read) == answer
            assert fwb is pickle.loads(pickle.dumps(answer)).fwb  # noqa: S301
    wrong: Any = 1
    with pytest.raises(TypeError, match="fwb must be a bool"):
        walk(shape, 0, 0, memory.read, fwb=wrong)
