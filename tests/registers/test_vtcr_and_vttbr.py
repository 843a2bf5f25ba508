# SPDX-License-Identifier: MIT
"""VTCR_EL2 and VTTBR_EL2: no bit is lost, and a geometry goes there and back."""

import copy
import pickle
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom
from s2geom import (
    ID_AA64MMFR0_EL1,
    STE,
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Geometry,
    Granule,
    InvalidArgument,
    UnsupportedCombination,
)

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64

KVM_WORDS = [
    # What kernels from v5.0 on compute, without PS, 8-bit VMIDs, hardware access flag.
    (0x80203520, K4, 32, 2),
    (0x80203558, K4, 40, 1),
    (0x80203594, K4, 44, 0),
    (0x80203590, K4, 48, 0),
    (0x8020358C, K4, 52, 0),
    (0x8020B560, K16, 32, 2),
    (0x8020B558, K16, 40, 2),
    (0x8020B596, K16, 42, 1),
    (0x8020B590, K16, 48, 1),
    (0x8020B5CC, K16, 52, 0),
    (0x80207560, K64, 32, 2),
    (0x80207558, K64, 40, 2),
    (0x80207552, K64, 46, 2),
    (0x80207590, K64, 48, 1),
    (0x8020758C, K64, 52, 1),
]

VTCR_BITS = {
    "t0sz": (5, 0),
    "sl0": (7, 6),
    "irgn0": (9, 8),
    "orgn0": (11, 10),
    "sh0": (13, 12),
    "tg0": (15, 14),
    "ps": (18, 16),
    "vs": (19, 19),
    "ha": (21, 21),
    "hd": (22, 22),
    "hwu59": (25, 25),
    "hwu60": (26, 26),
    "hwu61": (27, 27),
    "hwu62": (28, 28),
    "nsw": (29, 29),
    "nsa": (30, 30),
    "res1": (31, 31),
    "ds": (32, 32),
    "sl2": (33, 33),
    "assured_only": (34, 34),
    "tl1": (35, 35),
    "s2pie": (36, 36),
    "s2poe": (37, 37),
    "d128": (38, 38),
    "gcsh": (40, 40),
    "tl0": (41, 41),
    "haft": (44, 44),
    "hdbss": (45, 45),
}
VTCR_RES0 = [20, 23, 24, 39, 42, 43, *range(46, 64)]

START_LEVELS = {
    # Page size, SL0, SL2, DS; what is missing is reserved.
    **{(K4, sl0, 0, ds): 2 - sl0 for sl0 in range(3) for ds in (0, 1)},
    **{(K4, 3, 0, ds): 3 for ds in (0, 1)},
    **{(K4, sl0, 1, 0): level for sl0, level in enumerate((2, 1, 0, 3))},
    (K4, 0, 1, 1): -1,
    **{
        (K16, sl0, sl2, ds): 3 - sl0
        for sl0, sl2, ds in product(range(4), (0, 1), (0, 1))
        if sl0 < 3 or ds
    },
    **{
        (K64, sl0, sl2, ds): 3 - sl0
        for sl0, sl2, ds in product(range(3), (0, 1), (0, 1))
    },
}
TG0 = {K4: 0, K64: 1, K16: 2}
PS = {32: 0, 36: 1, 40: 2, 42: 3, 44: 4, 48: 5, 52: 6, 56: 7}

words = st.integers(0, (1 << 64) - 1)


def has_encoding(shape: Geometry) -> bool:
    """Return whether SL0, SL2 and DS can say it, by the manual's tables."""
    lowest = {K4: 0, K16: 1, K64: 1}[shape.granule]
    if shape.lpa2:
        return shape.granule is not K64 and shape.start_level >= lowest - 1
    return shape.start_level >= lowest


ALL_SHAPES = [
    Geometry(granule, ipa_bits, level, lpa2)
    for granule, ipa_bits, level, lpa2 in product(
        Granule, range(1, 65), range(-1, 4), (False, True)
    )
]


# VTCR_EL2: the word


@given(words)
def test_vtcr_keeps_every_bit(word: int) -> None:
    """A word comes back as it was, through its fields and through its repr."""
    read = VTCR_EL2.from_int(word)

    assert word == int(read)
    assert hex(word) == hex(read)
    assert read == eval(repr(read), vars(s2geom))  # noqa: S307 - our own repr


@pytest.mark.parametrize(("attribute", "high_low"), VTCR_BITS.items())
def test_each_attribute_is_its_own_bits(
    attribute: str, high_low: tuple[int, int]
) -> None:
    """One attribute a field, at the place that the manual gives it."""
    high, low = high_low
    largest = (1 << high - low + 1) - 1

    assert largest == getattr(VTCR_EL2.from_int(largest << low), attribute)
    assert 0 == getattr(VTCR_EL2.from_int(~(largest << low) % (1 << 64)), attribute)
    assert largest << low == int(VTCR_EL2(**{"res1": 0, attribute: largest}))
    with pytest.raises(InvalidArgument) as caught:
        VTCR_EL2(**{attribute: largest + 1})

    expected = f"{attribute} must be 0..{largest}, got {largest + 1}"
    assert expected == str(caught.value)


def test_reserved_bits_stay_where_they_are() -> None:
    """Bits without a field are in ``reserved``, at their place in the word."""
    mask = sum(1 << place for place in VTCR_RES0)
    read = VTCR_EL2.from_int((1 << 64) - 1)

    assert mask == read.reserved
    assert mask == int(VTCR_EL2(res1=0, reserved=mask))
    assert f"Other bits = {mask:#x}: reserved, and must be 0." == read.explain()[-1]


@pytest.mark.parametrize("value", [1, 1 << 31, 1 << 64, -1])
def test_reserved_holds_no_field(value: int) -> None:
    """``reserved`` refuses bits that belong to a field."""
    with pytest.raises(InvalidArgument) as caught:
        VTCR_EL2(reserved=value)

    assert str(caught.value) == (
        "reserved must be made of bits that no field has, 0xffffcc8001900000, "
        f"got {value:#x}"
    )


def test_res1_is_1_by_default() -> None:
    """Bit 31 is set unless ``res1=0`` is given."""
    assert 1 << 31 == int(VTCR_EL2())
    assert "VTCR_EL2(res1=0)" == repr(VTCR_EL2.from_int(0))
    assert "VTCR_EL2(res1=0, reserved=0x8000000000000000)" == repr(
        VTCR_EL2.from_int(1 << 63)
    )


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_field_is_an_integer(value: Any) -> None:
    """A bool or a float is refused, even where it equals an integer."""
    with pytest.raises(TypeError, match=r"^sl0 must be an integer, got"):
        VTCR_EL2(sl0=value)
    with pytest.raises(TypeError, match=r"^word must be an integer, got"):
        VTCR_EL2.from_int(value)
    with pytest.raises(TypeError, match=r"^reserved must be an integer, got"):
        VTCR_EL2(reserved=value)


@pytest.mark.parametrize("word", [-1, 1 << 64])
def test_a_word_has_64_bits(word: int) -> None:
    """A 65-bit number is refused."""
    with pytest.raises(InvalidArgument) as caught:
        VTCR_EL2.from_int(word)

    expected = f"word must be 0..0xffffffffffffffff, got {word:#x}"
    assert expected == str(caught.value)


def test_a_word_is_a_value() -> None:
    """A word is hashable, copies and pickles, and cannot be changed."""
    word = VTCR_EL2.from_int(0x80023558)

    assert 1 == len({word, VTCR_EL2.from_int(0x80023558)})
    assert word == pickle.loads(pickle.dumps(word))  # noqa: S301 - our own
    assert word == copy.deepcopy(word)
    assert "s2geom" == VTCR_EL2.__module__
    with pytest.raises(AttributeError):
        word.sl0 = 2  # type: ignore[misc]


def test_the_fields_are_those_of_the_manual() -> None:
    """Names, places and features, lowest field first."""
    rows = {row.name: row for row in VTCR_EL2.fields()}

    assert [low for _, low in VTCR_BITS.values()] == [row.low for row in rows.values()]
    assert "7:6" == rows["SL0"].bits
    assert "32" == rows["DS"].bits
    assert "FEAT_LPA2" == rows["DS"].feature
    assert rows["T0SZ"].feature is None
    assert {0: "4K", 1: "64K", 2: "16K"} == rows["TG0"].values


# VTCR_EL2: the geometry


@pytest.mark.parametrize(("word", "granule", "ipa_bits", "level"), KVM_WORDS)
def test_the_words_are_those_that_kvm_writes(
    word: int, granule: Granule, ipa_bits: int, level: int
) -> None:
    """Every word measured in kernels from v5.0 to v7.1, with and without LPA2."""
    shape = Geometry(granule, ipa_bits, level)
    lpa2 = Geometry(granule, ipa_bits, level, lpa2=True)
    in_word = VTCR_EL2.from_int(word).walk

    assert (shape.t0sz, TG0[granule]) == (in_word.t0sz, in_word.tg)
    if has_encoding(shape):
        assert word == int(VTCR_EL2.for_geometry(shape, pa_bits=32))
    if has_encoding(lpa2):
        assert word | 1 << 32 == int(VTCR_EL2.for_geometry(lpa2, pa_bits=32))
    assert has_encoding(shape) or has_encoding(lpa2)


@pytest.mark.parametrize(("pa_bits", "encoded"), PS.items())
def test_ps_is_an_enumeration_and_bounds_no_ipa(pa_bits: int, encoded: int) -> None:
    """PS encodes eight sizes; a PS below the IPA width is allowed."""
    shape = Geometry(K4, 48, 0)
    word = VTCR_EL2.for_geometry(shape, pa_bits)

    assert 0x80203590 | encoded << 16 == int(word)
    assert pa_bits == word.pa_bits
    assert shape == word.geometry()
    assert () == word.lint()


def test_ha_and_vs_are_arguments() -> None:
    """KVM sets HA; VS follows the size of VMIDs."""
    shape = Geometry(K16, 40, 2)
    plain = VTCR_EL2.for_geometry(shape, ha=False)
    full = VTCR_EL2.for_geometry(shape, ha=True, vs=True)

    assert 0x8005B558 == int(plain)
    assert 0x802DB558 == int(full)
    assert (8, 16) == (plain.vmid_bits, full.vmid_bits)


@pytest.mark.parametrize("granule", Granule)
def test_every_shape_with_an_encoding_comes_back(granule: Granule) -> None:
    """A word made for a shape, legal or not, names that shape."""
    shapes = [s for s in ALL_SHAPES if s.granule is granule and has_encoding(s)]

    assert {K4: 576, K16: 448, K64: 192}[granule] == len(shapes)
    for shape in shapes:
        assert shape == VTCR_EL2.for_geometry(shape).geometry()


def test_a_shape_without_an_encoding_is_refused() -> None:
    """What SL0, SL2 and DS cannot encode is an UnsupportedCombination."""
    for shape in ALL_SHAPES:
        if has_encoding(shape):
            continue
        with pytest.raises(UnsupportedCombination) as caught:
            VTCR_EL2.for_geometry(shape)

        assert {violation.rule for violation in caught.value.violations} <= {
            "lpa2-with-64k",
            "start-level-does-not-exist",
            "start-level-needs-lpa2",
        }


@pytest.mark.parametrize(
    ("expected", "shape"),
    [
        (
            (
                "16K pages start at level 0 only with LPA2 (VTCR_EL2.DS=1); the first "
                "start level without it is 1"
            ),
            Geometry(K16, 48, 0),
        ),
        (
            "64K pages have no start level 0: VTCR_EL2 encodes 1..3 for them",
            Geometry(K64, 52, 0),
        ),
        (
            (
                "64K pages have no LPA2: VTCR_EL2.DS is RES0, and 52-bit addresses "
                "come with FEAT_LPA; LPA2 is for 4K and 16K pages"
            ),
            Geometry(K64, 52, 1, lpa2=True),
        ),
    ],
)
def test_each_message_says_what_would_fit(expected: str, shape: Geometry) -> None:
    """A refusal names the limit and a value that is allowed."""
    with pytest.raises(UnsupportedCombination) as caught:
        VTCR_EL2.for_geometry(shape)

    assert expected == str(caught.value)


def test_every_encoding_of_the_start_level_is_read_or_refused() -> None:
    """TG0, SL0, SL2 and DS, all 64 ways; reserved bits are read as if clear."""
    for granule, sl0, sl2, ds in product(Granule, range(4), (0, 1), (0, 1)):
        word = VTCR_EL2(t0sz=24, sl0=sl0, tg0=TG0[granule], ds=ds, sl2=sl2)
        level = START_LEVELS.get((granule, sl0, sl2, ds))
        if level is None:
            with pytest.raises(UnsupportedCombination) as caught:
                word.geometry()

            assert ["sl0-reserved"] == [v.rule for v in caught.value.violations]
        else:
            lpa2 = bool(ds) and granule is not K64
            assert Geometry(granule, 40, level, lpa2) == word.geometry()


@pytest.mark.parametrize("t0sz", range(64))
def test_a_width_that_fits_nothing_is_still_a_shape(t0sz: int) -> None:
    """`geometry` names shapes that no CPU allows: `lint` judges them."""
    word = VTCR_EL2(t0sz=t0sz, sl0=0)

    assert Geometry(K4, 64 - t0sz, 2) == word.geometry()


def test_vmsav9_128_is_refused_by_name() -> None:
    """With D128 the same bits mean another shape, so none is named."""
    word = VTCR_EL2.from_int(0x80023558 | 1 << 38)
    with pytest.raises(UnsupportedCombination) as caught:
        word.geometry()

    [broken] = caught.value.violations
    assert ("d128-not-modelled", 1, 0) == (broken.rule, broken.given, broken.limit)
    assert str(caught.value) == (
        "VTCR_EL2.D128 = 1: the tables are VMSAv9-128, with 16-byte descriptors and a "
        "start level that T0SZ and VTTBR_EL2.SKL give; only the shapes of VMSAv8-64 "
        "are modelled here"
    )
    assert "SL0 = 1: ignored, since D128 = 1." == word.explain()[1]


def test_an_old_kernels_sign_extension_is_recognised() -> None:
    """Kernels up to v4.20 wrote ones above the word that they meant."""
    word = VTCR_EL2.from_int(0xFFFFFFFF80023558)
    with pytest.raises(UnsupportedCombination) as caught:
        word.geometry()

    (violation,) = word.lint()
    assert (violation,) == caught.value.violations
    assert "vtcr-sign-extended" == violation.rule
    assert "host kernel" == violation.limited_by
    assert ("0xffffffff80023558", "0x80023558") == (violation.given, violation.limit)
    assert "read it as 0x80023558" == violation.fix
    assert violation.message == (
        "bits 63:32 of VTCR_EL2 are all ones, as some kernels wrote them by mistake; "
        "what they meant is 0x80023558 (Linux v4.7-v4.20)"
    )


def test_a_reserved_page_size_is_refused() -> None:
    """CPUs choose different page sizes for TG0 = 3."""
    with pytest.raises(UnsupportedCombination) as caught:
        VTCR_EL2.from_int(0x8002F558).geometry()

    assert ["tg0-reserved"] == [v.rule for v in caught.value.violations]


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("geometry must be a Geometry, got 40", (40,)),
        ("pa_bits must be an integer, got 48.0 (float)", (Geometry(K4, 40, 1), 48.0)),
    ],
)
def test_for_geometry_refuses_wrong_types(message: str, arguments: Any) -> None:
    """The message names the argument."""
    with pytest.raises(TypeError) as caught:
        VTCR_EL2.for_geometry(*arguments)

    assert message == str(caught.value)


@pytest.mark.parametrize("name", ["ha", "vs"])
def test_flags_are_bools(name: str) -> None:
    """0 and 1 are refused, since they are integers."""
    flags: Any = {name: 1}
    with pytest.raises(TypeError, match=rf"^{name} must be a bool"):
        VTCR_EL2.for_geometry(Geometry(K4, 40, 1), **flags)


def test_ps_has_eight_sizes() -> None:
    """46 bits of physical address have no encoding."""
    with pytest.raises(InvalidArgument) as caught:
        VTCR_EL2.for_geometry(Geometry(K4, 40, 1), pa_bits=46)

    expected = "pa_bits must be one of 32, 36, 40, 42, 44, 48, 52, 56, got 46"
    assert expected == str(caught.value)


# VTCR_EL2: in words


def test_a_word_explains_itself() -> None:
    """`explain` gives one sentence for each field, lowest field first."""
    expected = (
        "T0SZ = 24: the IPA has 40 bits.",
        "SL0 = 1: the walk starts at level 1, in 2 concatenated tables.",
        "IRGN0 = 1: table walks are inner write-back, allocating on reads and writes.",
        "ORGN0 = 1: table walks are outer write-back, allocating on reads and writes.",
        "SH0 = 3: table walks are inner shareable.",
        "TG0 = 0: pages are 4K.",
        "PS = 2: physical addresses have 40 bits.",
        "VS = 0: a VMID has 8 bits.",
        "HA = 0: software sets the access flag.",
        "HD = 0: software tracks dirty state.",
        "HWU59 = 0: bit 59 of a leaf is not for the hardware.",
        "HWU60 = 0: bit 60 of a leaf is not for the hardware.",
        "HWU61 = 0: bit 61 of a leaf is not for the hardware.",
        "HWU62 = 0: bit 62 of a leaf is not for the hardware.",
        "NSW = 0: in Secure state, walks for Non-secure IPAs are to Secure memory.",
        "NSA = 0: in Secure state, Non-secure IPAs map to Secure memory.",
        "RES1 = 1: reserved as 1.",
        "DS = 0: descriptors hold 48-bit addresses.",
        "SL2 = 0: SL0 alone gives the start level.",
        "AssuredOnly = 0: bit 58 of a leaf does not say AssuredOnly.",
        "TL1 = 0: the TopLevel1 permission is not checked.",
        "S2PIE = 0: permissions are direct.",
        "S2POE = 0: there is no permission overlay.",
        "D128 = 0: the tables are VMSAv8-64.",
        "GCSH = 0: Guarded Control Stacks need no AssuredOnly.",
        "TL0 = 0: the TopLevel0 permission is not checked.",
        "HAFT = 0: hardware leaves the access flag of table descriptors alone.",
        "HDBSS = 0: dirty pages are not logged.",
    )

    assert expected == VTCR_EL2.from_int(0x80023558).explain()


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ("SL0 = 0: the walk starts at level 2.", {"t0sz": 34}),
        ("SL0 = 0: the walk starts at level 2.", {"t0sz": 24}),  # it does not fit
        ("SL0 = 0: the walk starts at level -1.", {"t0sz": 12, "ds": 1, "sl2": 1}),
        ("SL0 = 1: unknown, since the page size is reserved.", {"sl0": 1, "tg0": 3}),
        (
            (
                "SL0 = 3: reserved, as SL0 = 3 with 16K pages is start level 0, which "
                "needs DS = 1."
            ),
            {"sl0": 3, "tg0": 2},
        ),
        (
            (
                "SL0 = 3: reserved, as 64K pages have no start level 0, which SL0 = 3 "
                "would be."
            ),
            {"sl0": 3, "tg0": 1},
        ),
        (
            (
                "SL0 = 1: reserved, as SL2 = 1 is for start level -1, which is SL0 = "
                "0, not SL0 = 1."
            ),
            {"sl0": 1, "ds": 1, "sl2": 1},
        ),
        (
            "SH0 = 2: table walks and all mapped memory are outer shareable.",
            {"sh0": 2, "ds": 1},
        ),
        ("SH0 = 1: reserved.", {"sh0": 1}),
        ("TG0 = 3: reserved.", {"tg0": 3}),
        ("PS = 6: physical addresses have 52 bits.", {"ps": 6, "tg0": 1}),
        ("PS = 6: physical addresses have 52 bits.", {"ps": 6, "ds": 1}),
        (
            (
                "PS = 6: physical addresses have 48 bits, the most that "
                "descriptors hold, not 52."
            ),
            {"ps": 6},
        ),
        (
            (
                "PS = 7: physical addresses have 52 bits, the most that "
                "descriptors hold, not 56."
            ),
            {"ps": 7, "tg0": 1},
        ),
        ("PS = 7: physical addresses have 56 bits.", {"ps": 7, "d128": 1}),
        ("HD = 1: without effect, since HA = 0.", {"hd": 1}),
        ("HD = 1: hardware tracks dirty state.", {"hd": 1, "ha": 1}),
        ("RES1 = 0: wrong, since it is reserved as 1.", {"res1": 0}),
        ("DS = 1: descriptors hold 52-bit addresses.", {"ds": 1}),
        ("DS = 0: reserved as 0 with 64K pages.", {"tg0": 1}),
        ("DS = 1: reserved with 64K pages.", {"tg0": 1, "ds": 1}),
        ("DS = 1: ignored, since D128 = 1.", {"ds": 1, "d128": 1}),
        ("SL2 = 1: ignored, since D128 = 1.", {"sl2": 1, "d128": 1}),
        (
            "SL2 = 1: without effect, since it takes DS = 1 and 4K pages.",
            {"sl2": 1},
        ),
        ("SL2 = 1: the walk starts at level -1.", {"sl2": 1, "ds": 1}),
        ("SL2 = 1: reserved with SL0 = 2.", {"sl2": 1, "ds": 1, "sl0": 2}),
    ],
)
def test_a_sentence_depends_on_the_whole_word(
    expected: str, fields: dict[str, int]
) -> None:
    """With another page size or format, the same bits mean something else."""
    assert expected in VTCR_EL2(**fields).explain()


# VTTBR_EL2


@given(words)
def test_vttbr_keeps_every_bit(word: int) -> None:
    """Each bit is in a field: VMID, BADDR or CnP."""
    read = VTTBR_EL2.from_int(word)

    assert word == int(read)
    assert word >> 48 == read.vmid
    assert word & 0xFFFF_FFFF_FFFE == read.baddr
    assert word & 1 == read.cnp
    assert word >> 1 & 3 == read.skl
    assert read == eval(repr(read), vars(s2geom))  # noqa: S307 - our own repr


def test_baddr_is_read_in_place() -> None:
    """``baddr`` reads as an address, so it cannot hold bit 0, which is CnP's."""
    word = VTTBR_EL2(baddr=0x4004_0000, vmid=1)

    assert "VTTBR_EL2(baddr=0x40040000, vmid=1)" == repr(word)
    with pytest.raises(InvalidArgument) as caught:
        VTTBR_EL2(baddr=0x4004_0001)

    assert "baddr must be within 0xfffffffffffe, got 0x40040001" == str(caught.value)


def test_vttbr_explains_itself() -> None:
    """`explain` gives one sentence for each field."""
    assert VTTBR_EL2.from_int(0x1_0000_4004_0001).explain() == (
        "CnP = 1: the tables are common to CPUs of the inner shareable domain.",
        (
            "BADDR = 0x40040000: the base of the tables, with address bits 51:48 in "
            "bits 5:2 where addresses have 52."
        ),
        "VMID = 1: what tags the TLB entries of this VM.",
    )


@pytest.mark.parametrize(
    ("expected", "shape", "root", "options"),
    [
        (0x4000_2000, Geometry(K4, 40, 1), 0x4000_2000, {}),
        (0x0001_0000_4004_0000, Geometry(K16, 40, 2), 0x4004_0000, {"vmid": 1}),
        (0x4004_0001, Geometry(K16, 40, 2), 0x4004_0000, {"cnp": True}),
        (0xFFFF_0000_4000_0000, Geometry(K4, 48, 0), 0x4000_0000, {"vmid": 65535}),
        # 52-bit form: address bits 51:48 in bits 5:2, with LPA2 whatever PS is
        (
            0x4001_003C,
            Geometry(K4, 52, 0, lpa2=True),
            0xF_0000_4001_0000,
            {"pa_bits": 52},
        ),
        (
            0x0000_8000_0000_0040,
            Geometry(K4, 40, 1, lpa2=True),
            0x0000_8000_0000_0000 | 0x2000,
            {"pa_bits": 48, "expected": 0x0000_8000_0000_2000},
        ),
        # ... and with 64K pages where PS is 52 or more
        (0x4000_0004, Geometry(K64, 48, 1), 0x1_0000_4000_0000, {"pa_bits": 52}),
        (0x4000_0004, Geometry(K64, 48, 1), 0x1_0000_4000_0000, {"pa_bits": 56}),
        # A root of 32 bytes: a multiple of its size, but of 64 in the 52-bit form
        (0x4000_0020, Geometry(K64, 31, 2), 0x4000_0020, {}),
        (0x4000_0040, Geometry(K64, 31, 2), 0x4000_0040, {"pa_bits": 52}),
    ],
)
def test_the_base_is_written_and_read_in_both_forms(
    expected: int, shape: Geometry, root: int, options: dict[str, Any]
) -> None:
    """The word holds the root, and gives it back with the same geometry and PS."""
    options = dict(options)
    expected = options.pop("expected", expected)
    word = VTTBR_EL2.for_geometry(shape, root, **options)
    pa_bits = options.get("pa_bits", 48)

    assert expected == int(word)
    assert root == word.root(shape, pa_bits=pa_bits)
    assert () == word.lint(geometry=shape, pa_bits=pa_bits)


@pytest.mark.parametrize("shape", Cpu(52, lpa2=True, ttst=True).choices(12, 52))
def test_every_bit_of_a_wide_base_survives(shape: Geometry) -> None:
    """Each address bit above the alignment goes to the word and comes back."""
    for place in range(52):
        root = 1 << place
        if root % shape.pgd_size:
            continue
        word = VTTBR_EL2.for_geometry(shape, root, pa_bits=52)

        assert root == word.root(shape, pa_bits=52)
        assert 1 << (place if place < 48 else place - 46) == int(word)


def test_low_bits_of_a_base_do_not_count() -> None:
    """The CPU ignores bits below the root's size: here that of two 4K tables."""
    word = VTTBR_EL2.from_int(0x4000_2FFF)

    assert 0x4000_2000 == word.root(Geometry(K4, 40, 1))


@pytest.mark.parametrize(
    ("rules", "message", "shape", "root", "pa_bits"),
    [
        (
            ["root-misaligned"],
            (
                "a root at 0x40001000 is not a multiple of 0x2000 bytes, the size of "
                "its 2 concatenated tables; the nearest that fit are 0x40000000 and "
                "0x40002000"
            ),
            Geometry(K4, 40, 1),
            0x4000_1000,
            48,
        ),
        (
            ["root-misaligned"],
            (
                "a root at 0x40000008 is not a multiple of 0x10 bytes, the size of its "
                "table; the nearest that fit are 0x40000000 and 0x40000010"
            ),
            Geometry(K4, 40, 0),
            0x4000_0008,
            48,
        ),
        (
            ["root-misaligned"],
            (
                "a root at 0x40000020 is not a multiple of 0x40 bytes, the least "
                "alignment of a 52-bit base; the nearest that fit are 0x40000000 and "
                "0x40000040"
            ),
            Geometry(K64, 31, 2),
            0x4000_0020,
            52,
        ),
        (
            ["root-misaligned"],
            (
                "a root at 0xfffff000 is not a multiple of 0x2000 bytes, the size of "
                "its 2 concatenated tables; the nearest that fits is 0xffffe000"
            ),
            Geometry(K4, 40, 1),
            0xFFFF_F000,
            32,
        ),
        (
            ["root-above-output-size"],
            (
                "a root at 0x10000000000 is outside the 40-bit output addresses; an "
                "access gives an Address size fault, level 0"
            ),
            Geometry(K4, 40, 1),
            1 << 40,
            40,
        ),
        (
            ["root-above-output-size"],
            (
                "a root at 0x1000000000000 is outside the 48-bit output addresses; an "
                "access gives an Address size fault, level 0"
            ),
            Geometry(K4, 48, 0),
            1 << 48,
            52,
        ),
        (
            ["root-misaligned", "root-above-output-size"],
            (
                "a root at 0x1000000000000008 is not a multiple of 0x1000 bytes, the "
                "size of its table\nalso: a root "
                "at 0x1000000000000008 is outside the 52-bit output addresses; an "
                "access gives an Address size fault, level 0"
            ),
            Geometry(K4, 48, 0, lpa2=True),
            (1 << 60) + 8,
            52,
        ),
        (
            ["root-misaligned", "root-above-output-size"],
            (
                "a root at 0x30000000000008 is not a multiple of 0x1000 bytes, the "
                "size of its table\nalso: a root at 0x30000000000008 is outside the "
                "48-bit output addresses; an access gives an Address size fault, level "
                "0"
            ),
            Geometry(K4, 48, 0),
            (3 << 52) + 8,
            48,
        ),
    ],
)
def test_a_misaligned_or_outside_root_is_refused(
    rules: list[str], message: str, shape: Geometry, root: int, pa_bits: int
) -> None:
    """The refusal says which roots would fit."""
    with pytest.raises(UnsupportedCombination) as caught:
        VTTBR_EL2.for_geometry(shape, root, pa_bits=pa_bits)

    assert rules == [violation.rule for violation in caught.value.violations]
    assert message == str(caught.value)


@pytest.mark.parametrize("root", [-1, 1 << 64])
def test_a_root_is_an_address(root: int) -> None:
    """A negative address is an InvalidArgument."""
    with pytest.raises(InvalidArgument) as caught:
        VTTBR_EL2.for_geometry(Geometry(K4, 40, 1), root)

    assert f"root must be 0..0xffffffffffffffff, got {root:#x}" == str(caught.value)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            "geometry must be a Geometry, got None",
            lambda: VTTBR_EL2.for_geometry(None, 0),  # type: ignore[arg-type]
        ),
        (
            "root must be an integer, got 0.0 (float)",
            lambda: VTTBR_EL2.for_geometry(
                Geometry(K4, 40, 1),
                0.0,  # type: ignore[arg-type]
            ),
        ),
        (
            "vmid must be an integer, got True (bool)",
            lambda: VTTBR_EL2.for_geometry(Geometry(K4, 40, 1), 0, vmid=True),
        ),
        (
            "cnp must be a bool, got 1 (int)",
            lambda: VTTBR_EL2.for_geometry(
                Geometry(K4, 40, 1),
                0,
                cnp=1,  # type: ignore[arg-type]
            ),
        ),
        (
            "geometry must be a Geometry, got 40",
            lambda: VTTBR_EL2.from_int(0).root(40),  # type: ignore[arg-type]
        ),
    ],
)
def test_wrong_types_are_named(message: str, call: Any) -> None:
    """The message names the argument and the value."""
    with pytest.raises(TypeError) as caught:
        call()

    assert message == str(caught.value)


# Natural wrong calls


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            (
                "VTCR_EL2 takes its fields by name; VTCR_EL2.from_int(0x80023558) "
                "reads a word"
            ),
            lambda: VTCR_EL2(0x8002_3558),  # type: ignore[call-arg]
        ),
        (
            "VTTBR_EL2 takes its fields by name; VTTBR_EL2.from_int('1') reads a word",
            lambda: VTTBR_EL2("1"),  # type: ignore[call-arg, arg-type]
        ),
        (
            (
                "word must be an integer, got '0x80023558' (str); int('0x80023558', 0) "
                "reads a number"
            ),
            lambda: VTCR_EL2.from_int("0x80023558"),  # type: ignore[arg-type]
        ),
        (
            (
                f"word must be an integer, got {Geometry(K4, 40, 1)} (Geometry); "
                "VTCR_EL2.for_geometry makes a word of a geometry"
            ),
            lambda: VTCR_EL2.from_int(Geometry(K4, 40, 1)),  # type: ignore[arg-type]
        ),
        (
            "word must be an integer, got None (NoneType)",
            lambda: VTCR_EL2.from_int(None),  # type: ignore[arg-type]
        ),
        (
            (
                f"vtcr must be a VTCR_EL2 or its number, got {Geometry(K4, 40, 1)}; "
                "VTCR_EL2.for_geometry makes one of a geometry"
            ),
            lambda: VTTBR_EL2().lint(vtcr=Geometry(K4, 40, 1)),  # type: ignore[arg-type]
        ),
        (
            "geometry must be a Geometry, got VTCR_EL2(); its geometry() is one",
            lambda: VTTBR_EL2().root(VTCR_EL2()),  # type: ignore[arg-type]
        ),
        (
            "geometry must be a Geometry, got <class 's2geom.VTCR_EL2'>",
            lambda: VTTBR_EL2().root(VTCR_EL2),  # type: ignore[arg-type]
        ),
    ],
)
def test_a_natural_wrong_call_names_the_right_one(message: str, call: Any) -> None:
    """The message of a wrong call ends with the call that was meant."""
    with pytest.raises(TypeError) as caught:
        call()

    assert message == str(caught.value)


def test_a_geometry_is_no_word_of_an_id_register() -> None:
    """No call makes an ID register of a geometry, so the message names none."""
    with pytest.raises(TypeError, match=r"\(Geometry\)$"):
        ID_AA64MMFR0_EL1.from_int(Geometry(K4, 40, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "pa_bits"),
    [
        (Geometry(K4, 40, 1), 48),
        (Geometry(K64, 52, 1), 48),
        (Geometry(K4, 40, 1, lpa2=True), 52),
        (Geometry(K16, 52, 0, lpa2=True), 52),
    ],
)
def test_ps_is_52_bits_with_lpa2_and_48_without(shape: Geometry, pa_bits: int) -> None:
    """The default lets a root of LPA2 tables be above 48 bits."""
    root = 1 << pa_bits - 1

    assert pa_bits == VTCR_EL2.for_geometry(shape).pa_bits
    assert pa_bits == STE.for_geometry(shape, root).pa_bits
    assert 44 == VTCR_EL2.for_geometry(shape, 44).pa_bits
    vttbr = VTTBR_EL2.for_geometry(shape, root)
    assert root == vttbr.root(shape)
    assert () == vttbr.lint(geometry=shape)
