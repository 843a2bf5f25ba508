# SPDX-License-Identifier: MIT
"""An SMMU's stage 2: the same shapes in another word, and rules of its own."""

import pickle
from itertools import product
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import s2geom
from s2geom import (
    STE,
    VTCR_EL2,
    Cpu,
    Geometry,
    Granule,
    InvalidArgument,
    UnreadableInput,
    UnsupportedCombination,
)

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64

PLACES = {
    # Bits of the whole entry, as the manual counts them.
    "s2vmid": (143, 128),
    "impdef": (159, 144),
    "s2t0sz": (165, 160),
    "s2sl0": (167, 166),
    "s2ir0": (169, 168),
    "s2or0": (171, 170),
    "s2sh0": (173, 172),
    "s2tg": (175, 174),
    "s2ps": (178, 176),
    "s2aa64": (179, 179),
    "s2endi": (180, 180),
    "s2affd": (181, 181),
    "s2ptw": (182, 182),
    "s2hd": (183, 183),
    "s2ha": (184, 184),
    "s2s": (185, 185),
    "s2r": (186, 186),
    "s2haft": (187, 187),
    "s2pie": (188, 188),
    "s2poe": (189, 189),
    "dpt_vmatch": (191, 190),
    "s2nsw": (192, 192),
    "s2nsa": (193, 193),
    "s2sl0_2": (194, 194),
    "s2ds": (195, 195),
    "s2skl": (254, 253),
}

EVERYTHING = Cpu(52, lpa2=True, ttst=True, aarch32_el1=True)

words = st.integers(0, (1 << 64) - 1)


def legal_shapes(cpu: Cpu) -> list[Geometry]:
    """Return every shape that a CPU has, with and without LPA2."""
    return [
        shape
        for granule in Granule
        for ipa_bits in range(16, 53)
        for lpa2 in ((False,) if granule is K64 else (False, True))
        for shape in cpu.choices(granule, ipa_bits, lpa2)
    ]


def rules(broken: Any) -> list[str]:
    """Return the ids of violations."""
    return [violation.rule for violation in broken]


# The words


@given(words, words)
def test_no_bit_of_the_two_words_is_lost(word2: int, word3: int) -> None:
    """Words 2 and 3 come back as they were, through fields and through repr."""
    entry = STE.from_words(word2, word3)

    assert (word2, word3) == entry.words
    assert word3 << 64 | word2 == int(entry)
    assert entry == eval(repr(entry), vars(s2geom))  # noqa: S307 - our own repr


OTHER_TABLES = "tables that are not VMSAv8-64, since S2AA64 = 0."


@pytest.mark.parametrize(("attribute", "place"), PLACES.items())
def test_each_attribute_is_its_own_bits(attribute: str, place: tuple[int, int]) -> None:
    """One attribute a field, at the place that the manual gives it."""
    high, low = place
    largest = (1 << high - low + 1) - 1
    word = largest << low - 128

    assert word == int(STE(**{attribute: largest}))
    assert largest == getattr(STE.from_int(word), attribute)
    with pytest.raises(InvalidArgument, match=rf"^{attribute} must be 0..{largest}, "):
        STE(**{attribute: largest + 1})


def test_the_base_is_an_address() -> None:
    """S2TTB holds address bits 55:4 in place, unlike VTTBR_EL2."""
    entry = STE(s2ttb=0xFF_FFFF_FFFF_FFF0)

    assert (0, 0xFF_FFFF_FFFF_FFF0) == entry.words
    assert "STE(s2ttb=0xfffffffffffff0)" == repr(entry)
    with pytest.raises(InvalidArgument) as caught:
        STE(s2ttb=0x4000_0008)

    assert str(caught.value) == (
        "s2ttb must be within 0xfffffffffffff0, got 0x40000008"
    )


def test_an_entry_is_a_value() -> None:
    """An `STE` is hashable and pickles; bits without a field are kept."""
    entry = STE.from_words(1, 0x9F00_0000_0000_0000)

    assert 0x9F00_0000_0000_0000 << 64 == entry.reserved
    assert entry == pickle.loads(pickle.dumps(entry))  # noqa: S301 - our own
    assert 1 == len({entry, STE.from_words(1, 0x9F00_0000_0000_0000)})


@pytest.mark.parametrize(
    ("message", "given_words"),
    [
        ("word2 must be 0..0xffffffffffffffff, got -0x1", (-1, 0)),
        ("word3 must be 0..0xffffffffffffffff, got 0x10000000000000000", (0, 1 << 64)),
    ],
)
def test_a_word_has_64_bits(message: str, given_words: tuple[int, int]) -> None:
    """The message names the word."""
    with pytest.raises(InvalidArgument) as caught:
        STE.from_words(*given_words)

    assert message == str(caught.value)


def test_a_whole_entry_is_read_from_memory() -> None:
    """64 bytes, little-endian, whose V and Config say that there is a stage 2."""
    shape = Geometry(K16, 40, 2)
    entry = STE.for_geometry(shape, 0x4004_0000, vmid=1)
    word2, word3 = entry.words

    for config in (0b110, 0b111):
        data = pack("<8Q", config << 1 | 1, 0, word2, word3, 0, 0, 0, 0)
        assert entry == STE.from_bytes(data)
        assert entry == STE.from_bytes(memoryview(bytearray(data)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("a stream table entry has 64 bytes, got 0", b""),
        ("a stream table entry has 64 bytes, got 65", bytes(65)),
        ("the stream table entry is not valid: V = 0", b"\x0c" + bytes(63)),
        (
            (
                "the stream table entry has no stage 2: Config = 0b101, where stage 2 "
                "is 0b110 or 0b111"
            ),
            b"\x0b" + bytes(63),
        ),
        (
            (
                "the stream table entry has no stage 2: Config = 0b010, where stage 2 "
                "is 0b110 or 0b111"
            ),
            b"\x05" + bytes(63),
        ),
    ],
)
def test_an_entry_without_stage_2_is_unreadable(message: str, data: bytes) -> None:
    """The SMMU ignores the S2 fields of such an entry."""
    with pytest.raises(UnreadableInput) as caught:
        STE.from_bytes(data)

    assert message == str(caught.value)


def test_an_entry_must_be_bytes() -> None:
    """A number is refused as a wrong type."""
    wrong: Any = 64
    with pytest.raises(TypeError, match=r"^entry must be bytes, got 64$"):
        STE.from_bytes(wrong)


# The geometry


@pytest.mark.parametrize("granule", Granule)
def test_every_legal_shape_comes_back(granule: Granule) -> None:
    """An entry made for a shape names that shape, and nothing is wrong with it."""
    shapes = [s for s in legal_shapes(EVERYTHING) if s.granule is granule]

    assert shapes
    for shape in shapes:
        root = 5 * max(shape.pgd_size, 64)
        entry = STE.for_geometry(shape, root, pa_bits=52, vmid=9)
        assert shape == entry.geometry()
        assert root == entry.root()
        assert 52 == entry.pa_bits
        assert () == entry.lint(ds=True, stt=True)


def test_the_walk_is_that_of_vtcr_el2() -> None:
    """Bits 50:32 of word 2 are VTCR_EL2's low 19 bits, as Linux copies them."""
    for shape in legal_shapes(EVERYTHING):
        word2, word3 = STE.for_geometry(shape, 0, pa_bits=48).words
        vtcr = int(VTCR_EL2.for_geometry(shape, pa_bits=48))

        assert vtcr & 0x7FFFF == word2 >> 32 & 0x7FFFF
        assert vtcr >> 32 & 3 == (word3 >> 3 & 1) | (word3 >> 2 & 1) << 1


def test_for_geometry_sets_the_fields_that_linux_sets() -> None:
    """VMSAv8-64 tables, no stage-1 tables in Device memory, faults recorded."""
    entry = STE.for_geometry(Geometry(K4, 40, 1), 0x4000_0000, pa_bits=40, vmid=3)

    assert (0x044A_3558_0000_0003, 0x4000_0000) == entry.words
    assert (
        "STE(s2vmid=3, s2t0sz=24, s2sl0=1, s2ir0=1, s2or0=1, s2sh0=3, s2ps=2, "
        "s2aa64=1, s2ptw=1, s2r=1, s2ttb=0x40000000)"
    ) == repr(entry)


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("s2aa64-clear", {"s2aa64": 0}),
        ("s2tg-reserved", {"s2tg": 3}),
        ("s2sl0-reserved", {"s2tg": 1, "s2sl0": 3}),
        ("s2sl0-reserved", {"s2tg": 2, "s2sl0": 3}),
        ("s2sl0-reserved", {"s2ds": 1, "s2sl0": 2, "s2sl0_2": 1}),
    ],
)
def test_what_names_no_shape_is_refused(rule: str, fields: dict[str, int]) -> None:
    """Tables of another format, and reserved encodings, are refused by name."""
    entry = STE(**{"s2aa64": 1, "s2t0sz": 24, "s2sl0": 1, **fields})

    for call in (entry.geometry, entry.root):
        with pytest.raises(UnsupportedCombination) as caught:
            call()

        assert [rule] == rules(caught.value.violations)
    assert [rule] == rules(entry.lint(ds=True))


@pytest.mark.parametrize(
    ("rule", "shape", "root", "pa_bits"),
    [
        ("s2ttb-misaligned", Geometry(K4, 40, 1), 0x4000_1000, 48),
        ("s2ttb-misaligned", Geometry(K4, 40, 0), 0x4000_0008, 48),
        ("s2ttb-misaligned", Geometry(K64, 31, 2), 0x4000_0020, 52),
        ("s2ttb-outside-output-size", Geometry(K4, 40, 1), 1 << 40, 40),
        ("s2ttb-outside-output-size", Geometry(K4, 40, 1), 1 << 48, 52),
        ("s2ttb-outside-output-size", Geometry(K64, 40, 2), 1 << 52, 56),
        ("s2ttb-outside-output-size", Geometry(K64, 40, 2), 1 << 60, 56),
        ("lpa2-with-64k", Geometry(K64, 40, 2, lpa2=True), 0, 48),
        ("start-level-does-not-exist", Geometry(K64, 40, 0), 0, 48),
    ],
)
def test_roots_and_levels_without_an_encoding_are_refused(
    rule: str, shape: Geometry, root: int, pa_bits: int
) -> None:
    """A root that the SMMU would align or refuse, or a level without an encoding."""
    with pytest.raises(UnsupportedCombination) as caught:
        STE.for_geometry(shape, root, pa_bits)

    assert [rule] == rules(caught.value.violations)


def test_64k_pages_have_52_bits_without_ds() -> None:
    """The 48-bit limit of the base is for 4K and 16K pages."""
    shape = Geometry(K64, 40, 2)
    root = 0xF_0000_0000_4000 & -shape.pgd_size

    assert root == STE.for_geometry(shape, root, pa_bits=52).root()
    assert 0 == STE.for_geometry(shape, 0).s2ds


def test_low_bits_of_the_base_do_not_count() -> None:
    """The SMMU ignores address bits below the alignment of the root."""
    entry = STE(s2aa64=1, s2t0sz=24, s2sl0=1, s2ps=5, s2ttb=0x4000_3FF0)

    assert 0x4000_2000 == entry.root()


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("geometry must be a Geometry, got 40", lambda ste: ste.for_geometry(40, 0)),
        (
            "root must be an integer, got 0.5 (float)",
            lambda ste: ste.for_geometry(Geometry(K4, 40, 1), 0.5),
        ),
        (
            "oas must be an integer, got True (bool)",
            lambda ste: ste().lint(oas=True),
        ),
        ("ds must be a bool, got 1 (int)", lambda ste: ste().lint(ds=1)),
        ("stt must be a bool, got 1 (int)", lambda ste: ste().lint(stt=1)),
        ("aarch32 must be a bool, got 1 (int)", lambda ste: ste().lint(aarch32=1)),
        (
            "granules must be a set of Granule, got 12",
            lambda ste: ste().lint(granules=12),
        ),
    ],
)
def test_wrong_types_are_named(message: str, call: Any) -> None:
    """The message names the argument and the value."""
    with pytest.raises(TypeError) as caught:
        call(STE)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            "root must be 0..0xffffffffffffffff, got -0x1000",
            lambda: STE.for_geometry(Geometry(K4, 40, 1), -0x1000),
        ),
        (
            "oas must be one of 32, 36, 40, 42, 44, 48, 52, 56, got 50",
            lambda: STE().lint(oas=50),
        ),
        ("vmid_bits must be 8 or 16, got 12", lambda: STE().lint(vmid_bits=12)),
    ],
)
def test_numbers_outside_their_range_are_named(message: str, call: Any) -> None:
    """The message says what would fit."""
    with pytest.raises(InvalidArgument) as caught:
        call()

    assert message == str(caught.value)


# Legality


@pytest.mark.parametrize(
    ("oas", "ds", "stt", "aarch32"),
    [
        (52, True, True, True),
        (52, False, False, False),
        (48, False, True, False),
        (44, False, False, True),
        (42, False, False, False),
        (40, True, True, False),
        (36, False, False, True),
        (32, False, False, False),
    ],
)
def test_an_smmu_accepts_the_shapes_of_a_cpu_with_the_same_features(
    oas: int, *, ds: bool, stt: bool, aarch32: bool
) -> None:
    """With IAS as large as OAS, or 40 with AArch32, both accept the same shapes."""
    cpu = Cpu(oas, lpa2=ds, ttst=stt, aarch32_el1=aarch32)
    for granule, ipa_bits, level, lpa2 in product(
        Granule, range(12, 60), range(-1, 4), (False, True)
    ):
        shape = Geometry(granule, ipa_bits, level, lpa2)
        try:
            entry = STE.for_geometry(shape, 0)
        except UnsupportedCombination:
            continue
        found = entry.lint(oas=oas, ds=ds, stt=stt, aarch32=aarch32)

        assert bool(cpu.check(shape)) is bool(found), shape


ILLEGAL = "the STE is ILLEGAL (C_BAD_STE)"


@pytest.mark.parametrize(
    ("rule", "limited_by", "data", "message", "fix", "fields", "smmu"),
    [
        (
            "s2aa64-clear",
            "architecture",
            (0, 1),
            (
                "S2AA64 = 0: the tables are VMSAv8-32, or VMSAv9-128 on an SMMU that "
                "has it; only the shapes of VMSAv8-64 are modelled here"
            ),
            "set S2AA64, or read these tables by their own rules",
            {"s2aa64": 0, "s2skl": 1, "s2poe": 1},
            {},
        ),
        (
            "s2tg-reserved",
            "architecture",
            (3, "0, 1, 2"),
            f"S2TG = 3 is reserved, so {ILLEGAL}; 0 is 4K, 1 is 64K and 2 is 16K",
            "set S2TG to 0, 1 or 2",
            {"s2tg": 3},
            {},
        ),
        (
            "s2sl0-reserved",
            "architecture",
            (3, 2),
            (
                "S2SL0 = 3 with 16K pages is start level 0, which needs S2DS = 1, so "
                f"{ILLEGAL}"
            ),
            "set S2SL0 to 0, 1 or 2, or set S2DS",
            {"s2tg": 2, "s2sl0": 3},
            {},
        ),
        (
            "s2sl0-reserved",
            "architecture",
            (1, 0),
            (
                "S2SL0_2 = 1 is for start level -1, which is S2SL0 = 0, not S2SL0 = 1, "
                f"so {ILLEGAL}"
            ),
            "clear S2SL0_2, or set S2SL0 to 0",
            {"s2ds": 1, "s2sl0_2": 1},
            {},
        ),
        (
            "s2tg-not-implemented",
            "smmu",
            ("4K", "16K, 64K"),
            f"the SMMU has no 4K pages, so {ILLEGAL}; it has 16K, 64K",
            "use 16K or 64K pages",
            {},
            {"granules": [K16, K64]},
        ),
        (
            "s2t0sz-above-maximum",
            "smmu",
            (40, 39),
            (
                f"S2T0SZ = 40, 24 bits of IPA, is above the maximum of 39, so "
                f"{ILLEGAL}; the smallest IPA has 25 bits"
            ),
            "use S2T0SZ of at most 39",
            {"s2t0sz": 40, "s2sl0": 0},
            {"stt": False},
        ),
        (
            "s2t0sz-below-minimum",
            "smmu",
            (23, 24),
            (
                "S2T0SZ = 23, 41 bits of IPA, is below the minimum of 24, so "
                f"{ILLEGAL}; the largest IPA has 40 bits"
            ),
            "use S2T0SZ of at least 24",
            {"s2t0sz": 23, "s2ps": 0},
            {"oas": 36, "aarch32": True},
        ),
        (
            "s2sl0-needs-oas",
            "smmu",
            (0, 1),
            (
                "start level 0 with 4K pages takes an output address size of 44 bits, "
                f"but the SMMU has 40, so {ILLEGAL}"
            ),
            "start at level 1, with concatenated tables if need be",
            {"s2sl0": 2, "s2ps": 2},
            {"oas": 40},
        ),
        (
            "s2sl0-needs-stt",
            "smmu",
            (3, 2),
            (
                "start level 3 with 4K pages takes small translation tables, which the "
                f"SMMU does not have (IDR3.STT), so {ILLEGAL}"
            ),
            "start at level 2",
            {"s2t0sz": 39, "s2sl0": 3},
            {"stt": False},
        ),
        (
            "s2sl0-does-not-fit",
            "architecture",
            (40, "22..34"),
            (
                f"S2T0SZ = 24, 40 bits of IPA, does not fit S2SL0 = 0, so {ILLEGAL}; "
                "start level 2 with 4K pages is for 22 to 34 bits"
            ),
            "use S2T0SZ of 30 to 42, or another start level",
            {"s2sl0": 0},
            {},
        ),
        (
            "s2ds-not-implemented",
            "smmu",
            (1, 0),
            (
                "S2DS = 1 is reserved, since the SMMU has no 52-bit addresses for 4K "
                "pages (IDR5.DS)"
            ),
            "clear S2DS",
            {"s2ds": 1},
            {"ds": False},
        ),
        (
            "s2ds-with-64k",
            "architecture",
            (1, 0),
            (
                "S2DS = 1 is reserved with 64K pages, whose descriptors have 52-bit "
                "addresses without it"
            ),
            "clear S2DS",
            {"s2tg": 1, "s2ds": 1},
            {},
        ),
        (
            "s2sl0-2-without-ds",
            "architecture",
            (1, 0),
            "S2SL0_2 = 1 has no effect, since it takes S2DS = 1 and 4K pages",
            "clear S2SL0_2",
            {"s2sl0_2": 1},
            {},
        ),
        (
            "s2ttb-outside-output-size",
            "architecture",
            ("0x100000000000", "0xfffffffffff"),
            (
                "S2TTB = 0x100000000000 is outside the 44-bit output addresses, so "
                f"{ILLEGAL}"
            ),
            "put the root below 0x100000000000",
            {"s2ttb": 1 << 44},
            {"oas": 44},
        ),
        (
            "s2ttb-misaligned",
            "architecture",
            ("0x40001000", 8192),
            (
                "a root at 0x40001000 is not a multiple of 0x2000 bytes, and the SMMU "
                "walks from 0x40000000 instead"
            ),
            "use 0x40000000, or align to 0x2000 bytes",
            {"s2ttb": 0x4000_1000},
            {},
        ),
        (
            "s2vmid-above-8-bits",
            "smmu",
            (256, 255),
            f"S2VMID = 256 has more than the 8 bits of this SMMU's VMIDs, so {ILLEGAL}",
            "use a VMID up to 255",
            {"s2vmid": 256},
            {"vmid_bits": 8},
        ),
        (
            "s2sh0-reserved",
            "architecture",
            (1, "0, 2, 3"),
            "S2SH0 = 1 is reserved, and acts as 0, non-shareable",
            "set S2SH0 to 0, 2 or 3",
            {"s2sh0": 1},
            {},
        ),
        (
            "s2hd-without-s2ha",
            "architecture",
            (1, 0),
            "S2HD = 1 is reserved with S2HA = 0, and acts as 0",
            "set S2HA, or clear S2HD",
            {"s2hd": 1},
            {},
        ),
        (
            "s2haft-without-s2ha",
            "architecture",
            (1, 0),
            f"S2HAFT = 1 with S2HA = 0, so {ILLEGAL}",
            "set S2HA, or clear S2HAFT",
            {"s2haft": 1},
            {},
        ),
        (
            "s2poe-without-s2pie",
            "architecture",
            (1, 0),
            f"S2POE = 1 with S2PIE = 0, so {ILLEGAL}",
            "set S2PIE, or clear S2POE",
            {"s2poe": 1},
            {},
        ),
        (
            "s2skl-set",
            "architecture",
            (2, 0),
            "S2SKL = 2 is reserved, since only VMSAv9-128 tables skip levels",
            "clear S2SKL",
            {"s2skl": 2},
            {},
        ),
        (
            "ste-res0-set",
            "architecture",
            ("0x8000000000000000", 0),
            "bits 0x8000000000000000 of word 3 are RES0, but they are set",
            "use 0x0 as word 3",
            {"reserved": 1 << 127},
            {},
        ),
    ],
)
def test_each_rule_has_its_message_and_fix(
    rule: str,
    limited_by: str,
    data: tuple[object, object],
    message: str,
    fix: str,
    fields: dict[str, int],
    smmu: dict[str, Any],
) -> None:
    """Each rule by an entry that breaks it alone."""
    good = {"s2aa64": 1, "s2t0sz": 24, "s2sl0": 1, "s2ps": 5}
    (broken,) = STE(**{**good, **fields}).lint(**smmu)

    assert () == STE(**good).lint()
    assert (rule, message, fix) == (broken.rule, broken.message, broken.fix)
    assert data == (broken.given, broken.limit)
    assert limited_by == broken.limited_by
    assert broken.source.startswith("SMMUv3 architecture (IHI 0070) 5.2, STE")


def test_each_corrupted_field_is_found() -> None:
    """Change one field of a good entry to any other value, and it shows.

    Then it names no shape, another one or another root, or lint has something to say,
    or it is a field whose values are all legal and say nothing about the shape.
    """
    always_legal = {
        *("s2vmid", "impdef", "s2ir0", "s2or0", "s2sh0", "s2ps", "s2endi", "s2affd"),
        *("s2ptw", "s2ha", "s2s", "s2r", "s2pie", "dpt_vmatch", "s2nsw", "s2nsa"),
    }
    for shape in legal_shapes(EVERYTHING)[::3]:
        root = 3 * max(shape.pgd_size, 64)
        good = STE.for_geometry(shape, root, pa_bits=52)
        for bit in range(128):
            bad = STE.from_int(int(good) ^ 1 << bit)
            try:
                is_other = (shape, root) != (bad.geometry(), bad.root())
            except UnsupportedCombination:
                is_other = True
            if is_other or bad.lint():
                continue
            (name,) = (
                name for name, (high, low) in PLACES.items() if low <= bit + 128 <= high
            )
            assert name in always_legal, (shape, name)
            assert good.explain() != bad.explain() or name in {"s2vmid", "impdef"}


# In words


def test_an_entry_explains_itself() -> None:
    """`explain` gives one sentence for each field, word 2 before word 3."""
    entry = STE.for_geometry(Geometry(K16, 40, 2), 0x4004_0000, vmid=1)

    assert entry.explain() == (
        "S2VMID = 1: what tags the TLB entries of this VM.",
        "IMPDEF = 0: IMPLEMENTATION DEFINED.",
        "S2T0SZ = 24: the IPA has 40 bits.",
        "S2SL0 = 1: the walk starts at level 2, in 16 concatenated tables.",
        "S2IR0 = 1: table walks are inner write-back, allocating on reads and writes.",
        "S2OR0 = 1: table walks are outer write-back, allocating on reads and writes.",
        "S2SH0 = 3: table walks are inner shareable.",
        "S2TG = 2: pages are 16K.",
        "S2PS = 5: physical addresses have 48 bits, or as many as the SMMU has.",
        "S2AA64 = 1: the tables are VMSAv8-64.",
        "S2ENDI = 0: descriptors are little-endian.",
        "S2AFFD = 0: memory with the access flag clear faults.",
        "S2PTW = 1: stage-1 tables in Device memory fault.",
        "S2HD = 0: software tracks dirty state.",
        "S2HA = 0: software sets the access flag.",
        "S2S = 0: a faulting transaction ends.",
        "S2R = 1: faults are recorded.",
        "S2HAFT = 0: the SMMU leaves the access flag of table descriptors alone.",
        "S2PIE = 0: permissions are direct.",
        "S2POE = 0: there is no permission overlay.",
        "DPT_VMATCH = 0: a device permission entry matches this VM, or allows any.",
        "S2NSW = 0: in Secure state, walks for Non-secure IPAs are to Secure memory.",
        "S2NSA = 0: in Secure state, Non-secure IPAs map to Secure memory.",
        "S2SL0_2 = 0: S2SL0 alone gives the start level.",
        "S2DS = 0: descriptors of 4K and 16K pages hold 48-bit addresses.",
        "S2TTB = 0x40040000: where the tables are.",
        "S2SKL = 0: levels to skip, for VMSAv9-128 alone.",
    )


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        (
            "S2T0SZ = 24: the width of " + OTHER_TABLES,
            {"s2t0sz": 24},
        ),
        (
            "S2SL0 = 1: the start level of " + OTHER_TABLES,
            {"s2sl0": 1},
        ),
        (
            "S2SL0 = 1: unknown, since the page size is reserved.",
            {"s2aa64": 1, "s2sl0": 1, "s2tg": 3},
        ),
        (
            (
                "S2SL0 = 3: reserved, as 64K pages have no start level 0, which S2SL0 "
                "= 3 would be."
            ),
            {"s2aa64": 1, "s2sl0": 3, "s2tg": 1},
        ),
        ("S2HD = 1: reserved with S2HA = 0.", {"s2hd": 1}),
        ("S2HD = 1: the SMMU tracks dirty state.", {"s2hd": 1, "s2ha": 1}),
        ("S2AFFD = 1: ignored, since S2HA = 1.", {"s2affd": 1, "s2ha": 1}),
        ("S2AFFD = 1: memory with the access flag clear never faults.", {"s2affd": 1}),
        (
            "Other bits = 0x80000000000000000000000000000000: reserved, and must be 0.",
            {"reserved": 1 << 127},
        ),
    ],
)
def test_a_sentence_depends_on_the_whole_entry(
    expected: str, fields: dict[str, int]
) -> None:
    """With other values in other fields, the same bits mean something else."""
    assert expected in STE(**fields).explain()


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"s2t0sz": 40, "s2sl0": 0}, "s2t0sz-above-maximum"),
        ({"s2t0sz": 24, "s2sl0": 1, "s2ds": 1}, "s2ds-not-implemented"),
        ({"s2t0sz": 24, "s2sl0": 1, "s2vmid": 256}, "s2vmid-above-8-bits"),
    ],
)
def test_features_that_are_not_given_are_missing(
    fields: dict[str, int], rule: str
) -> None:
    """The SMMU is the plainest one, whether another feature is given or none."""
    entry = STE(s2aa64=1, **fields)

    assert [rule] == rules(entry.lint())
    assert [rule] == rules(entry.lint(oas=48))
    assert () == entry.lint(oas=48, stt=True, ds=True, vmid_bits=16)


def test_the_plainest_smmu_has_no_aarch32_tables() -> None:
    """AArch32 tables would give the SMMU 40 bits of IPA, whatever its output size."""
    entry = STE(s2aa64=1, s2t0sz=26, s2sl0=1)

    assert ["s2t0sz-below-minimum"] == [why.rule for why in entry.lint(oas=36)]
    assert () == entry.lint(oas=36, aarch32=True)


SHARED = Geometry(12, 40, 1)


def test_an_entry_agrees_with_the_vtcr_of_the_same_tables() -> None:
    """VTCR_EL2 may be given as a register or as a number."""
    entry = STE.for_geometry(SHARED, 0x4000_0000)
    vtcr = VTCR_EL2.for_geometry(SHARED)

    assert () == entry.lint(vtcr=vtcr)
    assert () == entry.lint(vtcr=int(vtcr))


@pytest.mark.parametrize(
    ("other", "has"),
    [
        (Geometry(12, 41, 1), "4K pages, 41 bits of IPA, start level 1"),
        (Geometry(14, 40, 2), "16K pages, 40 bits of IPA, start level 2"),
        (Geometry(12, 40, 0), "4K pages, 40 bits of IPA, start level 0"),
        (Geometry(12, 40, 1, True), "4K pages, 40 bits of IPA, start level 1, LPA2"),
    ],
)
def test_an_entry_that_describes_other_tables_is_found(
    other: Geometry, has: str
) -> None:
    """Page size, width, start level and LPA2 must be those of the CPU."""
    entry = STE.for_geometry(SHARED, 0x4000_0000)
    [broken] = entry.lint(vtcr=VTCR_EL2.for_geometry(other))

    assert ("ste-shape-is-not-vtcrs", "architecture") == (
        broken.rule,
        broken.limited_by,
    )
    assert broken.message == (
        "the STE and VTCR_EL2 do not describe the same tables: the STE has 4K pages, "
        f"40 bits of IPA, start level 1, VTCR_EL2 has {has}"
    )
    assert has == broken.limit
    assert broken.fix


def test_a_wrong_vtcr_beside_an_entry_is_found() -> None:
    """VTCR_EL2's own faults come first; without a shape nothing is compared."""
    entry = STE.for_geometry(SHARED, 0x4000_0000)
    no_shape = VTCR_EL2(t0sz=24, tg0=3)

    assert ["tg0-reserved"] == [why.rule for why in entry.lint(vtcr=no_shape)]
    assert ["s2aa64-clear"] == [
        why.rule for why in STE().lint(vtcr=VTCR_EL2.for_geometry(SHARED))
    ]
    with pytest.raises(TypeError, match=r"^vtcr must be an integer"):
        entry.lint(vtcr="0x80023558")  # type: ignore[arg-type]
