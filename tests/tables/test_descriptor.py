# SPDX-License-Identifier: MIT
"""Stage-2 descriptors: every bit of them, at every level, in all three layouts."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom as s2
from s2geom import AddressLayout, Attributes, Descriptor, Geometry, Granule

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64
BITS48, LPA, LPA2 = AddressLayout.BITS48, AddressLayout.LPA, AddressLayout.LPA2

# Arm ARM D8.2: log2 of what an entry maps, by level.
SHIFT = {
    (K4, -1): 48,
    (K4, 0): 39,
    (K4, 1): 30,
    (K4, 2): 21,
    (K4, 3): 12,
    (K16, 0): 47,
    (K16, 1): 36,
    (K16, 2): 25,
    (K16, 3): 14,
    (K64, 1): 42,
    (K64, 2): 29,
    (K64, 3): 16,
}

# Arm ARM D8.3: where blocks are allowed.
BLOCKS = {
    (K4, BITS48): {1, 2},
    (K4, LPA2): {0, 1, 2},
    (K16, BITS48): {2},
    (K16, LPA2): {1, 2},
    (K64, BITS48): {2},
    (K64, LPA): {1, 2},
}

# Arm ARM D8.7.1: entries of a contiguous group.
GROUPS = {
    (K4, 1): 16,
    (K4, 2): 16,
    (K4, 3): 16,
    (K16, 2): 32,
    (K16, 3): 128,
    (K64, 2): 32,
    (K64, 3): 32,
}

PLACES = [
    (granule, layout, level)
    for granule, layout in BLOCKS
    for known, level in SHIFT
    if known is granule
]
LEAVES = [
    (granule, layout, level)
    for granule, layout, level in PLACES
    if level == 3 or level in BLOCKS[granule, layout]
]


def geometry(granule: Granule, layout: AddressLayout) -> Geometry:
    """The widest shape that has the layout, so that it has every level."""
    start = {K4: -1, K16: 0, K64: 1}[granule]
    bits = 48 if layout is BITS48 else 52
    return Geometry(granule, bits, start, lpa2=layout is LPA2)


def word_bit(layout: AddressLayout, bit: int) -> int:
    """Where a layout keeps an address bit, as the manual draws it."""
    if layout is LPA and bit >= 48:
        return bit - 48 + 12
    if layout is LPA2 and bit >= 50:
        return bit - 50 + 8
    return bit


# Addresses


@pytest.mark.parametrize(("granule", "layout", "level"), LEAVES)
def test_each_bit_of_a_leaf_address_has_its_place(
    granule: Granule, layout: AddressLayout, level: int
) -> None:
    """Every address bit is written where the manual has it, and is read back."""
    shape = geometry(granule, layout)
    bare = int(Descriptor.leaf(shape, level, 0))
    top = 48 if layout is BITS48 else 52

    for bit in range(SHIFT[granule, level], top):
        leaf = Descriptor.leaf(shape, level, 1 << bit)

        assert 1 << word_bit(layout, bit) == int(leaf) ^ bare
        assert 1 << bit == leaf.output_address


@pytest.mark.parametrize(("granule", "layout"), BLOCKS)
def test_each_bit_of_a_table_address_has_its_place(
    granule: Granule, layout: AddressLayout
) -> None:
    """A table is aligned to the page size, at any level."""
    shape = geometry(granule, layout)
    top = 48 if layout is BITS48 else 52

    for level in range(shape.start_level, 3):
        for bit in range(granule, top):
            table = Descriptor.table(shape, level, 1 << bit)

            assert 1 << word_bit(layout, bit) | 0b11 == int(table)
            assert ("table", 1 << bit) == (table.kind, table.output_address)


@pytest.mark.parametrize(("granule", "layout", "level"), LEAVES)
def test_other_bits_do_not_change_the_address(
    granule: Granule, layout: AddressLayout, level: int
) -> None:
    """Bits below a block, and reserved bits, are not part of the address."""
    low = 0b11 if level == 3 else 0b01
    top = 48 if layout is BITS48 else 52
    address = {word_bit(layout, bit) for bit in range(SHIFT[granule, level], top)}

    for bit in set(range(2, 64)) - address:
        leaf = Descriptor(1 << bit | low, level, granule, layout)

        assert leaf.output_address == 0


def test_word_mask_has_the_address_bits() -> None:
    """The mask depends on the size that a leaf maps."""
    assert BITS48.word_mask(12) == 0xFFFF_FFFF_F000
    assert BITS48.word_mask(21) == 0xFFFF_FFE0_0000
    assert LPA.word_mask(29) == 0xFFFF_E000_F000
    assert LPA2.word_mask(14) == 0x3_FFFF_FFFF_C300


@pytest.mark.parametrize(
    ("granule", "layout", "address", "says"),
    [
        (K4, BITS48, 1 << 48, "address must be 0..0xffffffffffff"),
        (K64, BITS48, 1 << 48, "address must be 0..0xffffffffffff"),
        (K64, LPA, 1 << 52, "address must be 0..0xfffffffffffff"),
        (K16, LPA2, -(1 << 14), "address must be 0..0xfffffffffffff"),
        (K16, LPA2, 0x5000, "address must be a multiple of 0x4000, got 0x5000"),
    ],
)
def test_an_address_that_does_not_fit_is_refused(
    granule: Granule, layout: AddressLayout, address: int, says: str
) -> None:
    """An address that a descriptor cannot hold is refused, not truncated."""
    with pytest.raises(s2.InvalidArgument, match=says):
        Descriptor.leaf(geometry(granule, layout), 3, address)


@pytest.mark.parametrize(
    ("shape", "lpa", "expected"),
    [
        (Geometry(K4, 40, 1), False, BITS48),
        (Geometry(K4, 40, 1), True, BITS48),
        (Geometry(K4, 40, 1, lpa2=True), False, LPA2),
        (Geometry(K16, 40, 2, lpa2=True), True, LPA2),
        (Geometry(K64, 48, 1), False, BITS48),
        (Geometry(K64, 48, 1), True, LPA),
        (Geometry(K64, 49, 1), False, LPA),
        (Geometry(K64, 48, 1, lpa2=True), False, BITS48),
    ],
)
def test_the_layout_follows_lpa2_or_lpa(
    shape: Geometry, lpa: bool, expected: AddressLayout
) -> None:
    """64K follows FEAT_LPA, which more than 48 bits of IPA need; 4K and 16K LPA2."""
    assert expected is AddressLayout.of(shape, lpa=lpa)
    assert expected is Descriptor.from_int(0, shape, 3, lpa=lpa).layout


def test_a_layout_of_another_granule_is_refused() -> None:
    """LPA is for 64K pages alone, LPA2 for 4K and 16K."""
    with pytest.raises(s2.InvalidArgument, match="layout LPA is not for 4K pages"):
        Descriptor(0, 3, K4, LPA)
    with pytest.raises(s2.InvalidArgument, match="layout LPA2 is not for 64K pages"):
        Descriptor(0, 3, K64, LPA2)


# Kinds


@pytest.mark.parametrize(("granule", "layout", "level"), PLACES)
def test_kind_follows_the_two_lowest_bits(
    granule: Granule, layout: AddressLayout, level: int
) -> None:
    """At every level of every layout."""
    block = "block" if level in BLOCKS[granule, layout] else "reserved"
    expected = ["invalid", block, "invalid", "table"]
    if level == 3:
        expected = ["invalid", "reserved", "invalid", "page"]

    found = [Descriptor(low, level, granule, layout) for low in range(4)]

    assert expected == [descriptor.kind for descriptor in found]
    assert [kind in {"block", "page"} for kind in expected] == [
        descriptor.is_leaf for descriptor in found
    ]


def test_only_leaves_have_a_size_and_attributes() -> None:
    """A table has an address alone; an invalid or reserved descriptor has nothing."""
    table = Descriptor(0x4003, 1, K4)
    invalid = Descriptor(0x4000, 1, K4)
    reserved = Descriptor(0x4001, 3, K4)

    assert (0x4000, None, None) == (table.output_address, table.attributes, table.size)
    assert (None, None) == (invalid.output_address, invalid.attributes)
    assert (None, None) == (reserved.output_address, reserved.size)
    assert Descriptor(0x401, 1, K4).size == 1 << 30


@pytest.mark.parametrize(("granule", "layout", "level"), LEAVES)
def test_contiguous_only_at_levels_with_groups(
    granule: Granule, layout: AddressLayout, level: int
) -> None:
    """Bit 52 counts only where the level has contiguous groups."""
    shape = geometry(granule, layout)
    if (granule, level) in GROUPS:
        leaf = Descriptor.leaf(shape, level, 0, contiguous=True)

        assert leaf.contiguous
        assert 1 << 52 == int(leaf) ^ int(Descriptor.leaf(shape, level, 0))
        assert leaf.explain()[1] == (
            f"one of a contiguous group of {GROUPS[granule, level]}"
        )
    else:
        with pytest.raises(s2.InvalidArgument, match="has no contiguous groups"):
            Descriptor.leaf(shape, level, 0, contiguous=True)
        word = int(Descriptor.leaf(shape, level, 0)) | 1 << 52

        assert not Descriptor(word, level, granule, layout).contiguous


def test_a_contiguous_group_must_fit_the_ipa_space() -> None:
    """Sixteen 1 GiB blocks do not fit a 33-bit IPA."""
    with pytest.raises(s2.InvalidArgument, match="level 1 of this 4K geometry"):
        Descriptor.leaf(Geometry(K4, 33, 1), 1, 0, contiguous=True)


# Attributes

# Arm ARM D8.3.2: name, lowest bit, bits.
FIELDS = [
    ("memattr", 2, 4),
    ("s2ap", 6, 2),
    ("sh", 8, 2),
    ("af", 10, 1),
    ("fnxs", 11, 1),
    ("nt", 16, 1),
    ("dbm", 51, 1),
    ("xn", 53, 2),
    ("ns", 55, 1),
    ("software", 56, 3),
    ("pbha", 59, 4),
    ("amec", 63, 1),
]
CLEAR: dict[str, Any] = {
    name: bool(0) if width == 1 else 0 for name, _, width in FIELDS
}


@pytest.mark.parametrize(("name", "low", "width"), FIELDS)
def test_each_attribute_field_has_its_place(name: str, low: int, width: int) -> None:
    """Every value of every field is written where it is read."""
    for number in range(1 << width):
        value: Any = bool(number) if width == 1 else number
        attributes = Attributes(**{**CLEAR, name: value})

        assert number << low == int(attributes)
        assert attributes == Attributes.from_int(number << low)


@pytest.mark.parametrize(("name", "low", "width"), FIELDS)
def test_a_value_that_does_not_fit_its_field_is_refused(
    name: str, low: int, width: int
) -> None:
    """The error names the field."""
    del low
    arguments: dict[str, Any]
    if width == 1:
        for arguments in ({name: 1}, {name: None}):
            with pytest.raises(TypeError, match=f"{name} must be a bool, got"):
                Attributes(**arguments)
    else:
        for value in (-1, 1 << width):
            arguments = {name: value}
            with pytest.raises(s2.InvalidArgument, match=f"{name} must be 0.."):
                Attributes(**arguments)
        for wrong in (True, 1.0, "1"):
            arguments = {name: wrong}
            with pytest.raises(TypeError, match=f"{name} must be an integer"):
                Attributes(**arguments)


def test_default_attributes_are_normal_memory_with_all_permissions() -> None:
    """Write-back, inner shareable, read-write-execute, access flag set."""
    expected = 0b1111 << 2 | 0b11 << 6 | 0b11 << 8 | 1 << 10

    assert expected == int(Attributes())
    assert (
        "Normal memory, write-back",
        "read and write",
        "inner shareable",
        "accessed",
        "executable",
    ) == Attributes().explain(fwb=False)


@given(word=st.integers(0, (1 << 64) - 1))
def test_attributes_ignore_other_bits_of_a_word(word: int) -> None:
    """The attributes of a word are its fields, each in its bits."""
    mask = sum(((1 << width) - 1) << low for _, low, width in FIELDS)

    assert word & mask == int(Attributes.from_int(word))


@given(word=st.integers(0, (1 << 64) - 1), place=st.sampled_from(LEAVES))
def test_every_bit_of_a_leaf_is_kept(
    word: int, place: tuple[Granule, AddressLayout, int]
) -> None:
    """Word, address and attributes neither lose nor share a bit."""
    granule, layout, level = place
    word = word & ~0b11 | (0b11 if level == 3 else 0b01)
    leaf = Descriptor(word, level, granule, layout)
    attributes = leaf.attributes
    assert attributes is not None
    address = leaf.output_address
    assert address is not None

    again = Descriptor.leaf(geometry(granule, layout), level, address, attributes)

    assert word == int(leaf)
    assert again.attributes == attributes
    assert again.output_address == address
    # What is left has no meaning at this place, but for the contiguous bit.
    left = int(again) ^ word
    top = 48 if layout is BITS48 else 52
    meant = {word_bit(layout, bit) for bit in range(SHIFT[granule, level], top)}
    meant |= {low + bit for _, low, width in FIELDS for bit in range(width)} - {16}
    assert not left & sum(1 << bit for bit in meant)


def test_lpa2_descriptors_have_no_shareability() -> None:
    """Bits 9:8 are address bits; VTCR_EL2.SH0 holds for all leaves."""
    shape = geometry(K4, LPA2)
    leaf = Descriptor.leaf(shape, 3, 0x3 << 50, Attributes(sh=2))
    attributes = leaf.attributes
    assert attributes is not None

    assert leaf.output_address == 0x3 << 50
    assert attributes.sh is None
    assert "shareable as VTCR_EL2.SH0 says" in attributes.explain()
    assert int(Attributes(sh=None)) == int(Attributes(sh=0))


def test_bit_16_is_nt_in_a_block_and_an_address_bit_in_a_page() -> None:
    """Bit 16 is nT in a block and address bit 16 in a page."""
    shape = Geometry(K4, 40, 1)
    block = Descriptor.leaf(shape, 2, 0, Attributes(nt=True)).attributes
    page = Descriptor.leaf(shape, 3, 1 << 16).attributes
    assert block is not None
    assert page is not None

    assert block.nt
    assert not page.nt
    with pytest.raises(s2.InvalidArgument, match="nt is for blocks"):
        Descriptor.leaf(shape, 3, 0, Attributes(nt=True))


# Arm ARM D8.6.6: MemAttr in words.
WITHOUT_FWB = {
    0b0000: "Device-nGnRnE",
    0b0001: "Device-nGnRE",
    0b0010: "Device-nGRE",
    0b0011: "Device-GRE",
    0b0100: "NoTagAccess, or reserved",
    0b0101: "Normal memory, non-cacheable",
    0b0110: "Normal memory, outer non-cacheable, inner write-through",
    0b0111: "Normal memory, outer non-cacheable, inner write-back",
    0b1000: "reserved MemAttr",
    0b1001: "Normal memory, outer write-through, inner non-cacheable",
    0b1010: "Normal memory, write-through",
    0b1011: "Normal memory, outer write-through, inner write-back",
    0b1100: "reserved MemAttr",
    0b1101: "Normal memory, outer write-back, inner non-cacheable",
    0b1110: "Normal memory, outer write-back, inner write-through",
    0b1111: "Normal memory, write-back",
}
WITH_FWB = {
    0b000: "Device-nGnRnE",
    0b001: "Device-nGnRE",
    0b010: "Device-nGRE",
    0b011: "Device-GRE",
    0b100: "Normal memory, reserved MemAttr",
    0b101: "Normal memory, non-cacheable",
    0b110: "Normal memory, write-back whatever stage 1 says",
    0b111: "Normal memory, cacheable as stage 1 says",
}
NO_TAG_ACCESS = " (NoTagAccess with FEAT_MTE_PERM)"


def test_memory_types_in_words() -> None:
    """MemAttr has one meaning without FEAT_S2FWB and another with it."""
    for memattr in range(16):
        attributes = Attributes(memattr=memattr)

        without, with_fwb = WITHOUT_FWB[memattr], WITH_FWB[memattr & 0b111]
        if memattr in {0b1110, 0b1111}:
            with_fwb += NO_TAG_ACCESS
        both = f"without HCR_EL2.FWB: {without}; with it: {with_fwb}"

        assert without == attributes.explain(fwb=False)[0]
        assert with_fwb == attributes.explain(fwb=True)[0]
        assert (without if without == with_fwb else both) == attributes.explain()[0]


def test_explain_a_leaf() -> None:
    """It says what the leaf is and where, then what each field means."""
    attributes = Attributes(
        s2ap=1,
        memattr=1,
        sh=0,
        af=False,
        xn=3,
        dbm=True,
        fnxs=True,
        nt=True,
        ns=True,
        software=5,
        pbha=9,
        amec=True,
    )
    block = Descriptor.leaf(Geometry(K16, 40, 2), 2, 0x200_0000, attributes)

    assert (
        "block at level 2: 0x2000000 bytes at 0x2000000",
        "Device-nGnRE",
        "read-only",
        "non-shareable",
        "access flag clear: the first access faults",
        "FnXS: TLB maintenance with nXS skips it",
        "nT: a block that is about to be replaced",
        "DBM: hardware may make it writable",
        "executable at EL1",
        "bit 55 set: NS in a Realm, else software's",
        "software bits 0b101",
        "bits 62:59 are 0b1001: PBHA, or overlay index",
        "bit 63 set: AMEC in a Realm, else reserved",
    ) == block.explain()


def test_explain_tables_and_holes() -> None:
    """A table says where the next one is, and a hole how much is not mapped."""
    assert Descriptor(0x4003, 1, K4).explain() == (
        "table at level 1: the next is at 0x4000",
    )
    assert Descriptor(0, 2, K4).explain() == (
        "invalid at level 2: 0x200000 bytes are not mapped",
    )
    assert Descriptor(1, 3, K4).explain(fwb=True) == (
        "reserved at level 3: 0x1000 bytes are not mapped",
    )


# As values


def test_descriptors_are_values() -> None:
    """They are equal, hashable and picklable, and their repr can be evaluated."""
    leaf = Descriptor.leaf(geometry(K64, LPA), 2, 0xF << 48, contiguous=True)
    names = {name: getattr(s2, name) for name in ("Descriptor", "Attributes")}
    names |= {"AddressLayout": AddressLayout, "Granule": Granule}

    assert leaf == eval(repr(leaf), names)  # noqa: S307 - it is what is promised
    assert leaf.attributes == eval(repr(leaf.attributes), names)  # noqa: S307
    assert {leaf} == {pickle.loads(pickle.dumps(leaf))}  # noqa: S301
    assert {leaf.attributes} == {pickle.loads(pickle.dumps(leaf.attributes))}  # noqa: S301
    assert type(leaf).__module__ == "s2geom"


def test_numbers_are_converted_and_checked() -> None:
    """A page shift stands for its granule; a number above 64 bits is refused."""
    assert Descriptor(0, 3, Granule.K16) == Descriptor(0, 3, 14)
    for word in (-1, 1 << 64):
        with pytest.raises(s2.InvalidArgument, match=r"word must be 0.."):
            Descriptor(word, 3, K4)
        with pytest.raises(s2.InvalidArgument, match=r"word must be 0.."):
            Attributes.from_int(word)
    for level in (-2, 4):
        with pytest.raises(s2.InvalidArgument, match=r"level must be -1..3"):
            Descriptor(0, level, K4)


def test_types_are_checked() -> None:
    """The error names the value of the wrong type."""
    shape: Any = Geometry(K4, 40, 1)
    wrong: Any = "x"
    with pytest.raises(TypeError, match="layout must be an AddressLayout"):
        Descriptor(0, 3, K4, wrong)
    with pytest.raises(TypeError, match="geometry must be a Geometry"):
        Descriptor.from_int(0, wrong, 3)
    with pytest.raises(TypeError, match="lpa must be a bool"):
        Descriptor.from_int(0, shape, 3, lpa=wrong)
    with pytest.raises(TypeError, match="attributes must be Attributes"):
        Descriptor.leaf(shape, 3, 0, wrong)
    with pytest.raises(TypeError, match="contiguous must be a bool"):
        Descriptor.leaf(shape, 3, 0, contiguous=wrong)
    with pytest.raises(TypeError, match="fwb must be a bool"):
        Attributes().explain(fwb=wrong)
    with pytest.raises(TypeError, match="fwb must be a bool"):
        Descriptor(0, 3, K4).explain(fwb=wrong)


def test_the_level_must_be_in_the_tree() -> None:
    """A table descriptor cannot stand at the last level."""
    shape = Geometry(K4, 40, 1)
    with pytest.raises(s2.InvalidArgument, match=r"level must be 1..3, got 0"):
        Descriptor.from_int(0, shape, 0)
    with pytest.raises(s2.InvalidArgument, match=r"level must be 1..2, got 3"):
        Descriptor.table(shape, 3, 0)
    with pytest.raises(
        s2.InvalidArgument,
        match="level 1 has no blocks with 16K pages and 48-bit addresses",
    ):
        Descriptor.leaf(Geometry(K16, 47, 1), 1, 0)
