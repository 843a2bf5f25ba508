# SPDX-License-Identifier: MIT
"""What is wrong with a word is found, and nothing is found that is right."""

from typing import Any

import pytest

from s2geom import (
    VTCR_EL2,
    VTTBR_EL2,
    Cpu,
    Geometry,
    Granule,
    InvalidArgument,
    UnsupportedCombination,
)

K4, K16, K64 = Granule.K4, Granule.K16, Granule.K64

EVERYTHING = Cpu(52, lpa2=True, ttst=True)
CPUS = [
    EVERYTHING,
    Cpu(52),
    Cpu(48),
    Cpu(44),
    Cpu(40),
    Cpu(36, aarch32_el1=True),
    Cpu(48, granules={K4, K64}, ttst=True),
    Cpu(52, lpa2={K16}),
]

FIELDS = {
    "t0sz": 64,
    "sl0": 4,
    "irgn0": 4,
    "orgn0": 4,
    "sh0": 4,
    "tg0": 4,
    "ps": 8,
    "vs": 2,
    "ha": 2,
    "hd": 2,
    "hwu59": 2,
    "hwu60": 2,
    "hwu61": 2,
    "hwu62": 2,
    "nsw": 2,
    "nsa": 2,
    "res1": 2,
    "ds": 2,
    "sl2": 2,
    "assured_only": 2,
    "tl1": 2,
    "s2pie": 2,
    "s2poe": 2,
    "d128": 2,
    "gcsh": 2,
    "tl0": 2,
    "haft": 2,
    "hdbss": 2,
}

ALWAYS_LEGAL = {
    # What walks and leaves are like, and never which shape they have.
    "irgn0",
    "orgn0",
    "sh0",
    "ps",
    "vs",
    "ha",
    "hd",
    "hwu59",
    "hwu60",
    "hwu61",
    "hwu62",
    "nsw",
    "nsa",
    "assured_only",
    "tl1",
    "s2pie",
    "s2poe",
    "gcsh",
    "tl0",
    "haft",
    "hdbss",
}


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


# Good words


@pytest.mark.parametrize("cpu", CPUS, ids=range(len(CPUS)))
def test_a_legal_word_has_no_violation(cpu: Cpu) -> None:
    """The word of each legal shape is right on its CPU and without a CPU."""
    shapes = legal_shapes(cpu)

    assert shapes
    for shape in shapes:
        word = VTCR_EL2.for_geometry(shape, pa_bits=cpu.pa_bits)
        assert () == word.lint(cpu)
        assert () == word.lint()


def test_lint_says_of_a_shape_what_cpu_check_says() -> None:
    """For any word that names a shape, both find the same violations."""
    for t0sz in range(64):
        for sl0 in range(3):
            for tg0 in range(3):
                word = VTCR_EL2(t0sz=t0sz, sl0=sl0, tg0=tg0)
                for cpu in (CPUS[3], CPUS[5], CPUS[6]):
                    broken = [*word.lint(cpu)]
                    if (t0sz < 8, tg0) == (True, 0):
                        assert "vtcr-of-aarch32" == broken.pop(0).rule
                    assert cpu.check(word.geometry()) == tuple(broken)


def test_without_a_cpu_only_what_every_cpu_refuses_is_found() -> None:
    """A word is right if some CPU accepts it."""
    for t0sz in range(64):
        for sl0 in range(3):
            for tg0 in range(3):
                word = VTCR_EL2(t0sz=t0sz, sl0=sl0, tg0=tg0)
                found = word.lint()

                assert bool(EVERYTHING.check(word.geometry())) is bool(found)
                assert {"architecture"} >= {broken.limited_by for broken in found}


@pytest.mark.parametrize("pa_bits", [32, 36, 40, 42, 44, 48, 52, 56])
@pytest.mark.parametrize("cpu", [None, *CPUS[:5]])
def test_ps_is_never_a_violation(pa_bits: int, cpu: Cpu | None) -> None:
    """PS bounds output addresses; it may be below the IPA or above the CPU."""
    word = VTCR_EL2.for_geometry(Geometry(K4, 40, 1), pa_bits)

    assert () == word.lint(cpu)


# Corrupted words


def test_each_corrupted_field_is_found() -> None:
    """Change one field of a good word to any other value, and it shows.

    The word was made for a geometry and a CPU. Then (a) it names no shape or another
    one, or (b) lint has something to say, or (c) the field is one whose values are all
    legal and say nothing about the shape, and its sentence of `explain` is another one.
    """
    cpu = EVERYTHING
    for shape in legal_shapes(cpu):
        good = VTCR_EL2.for_geometry(shape, pa_bits=52)
        values = {name: getattr(good, name) for name in FIELDS}
        for name, count in FIELDS.items():
            for value in set(range(count)) - {values[name]}:
                bad = VTCR_EL2(**{**values, name: value})
                try:
                    is_other = shape != bad.geometry()
                except UnsupportedCombination:
                    is_other = True
                if is_other or bad.lint(cpu):
                    continue
                assert name in ALWAYS_LEGAL, (shape, name, value)


@pytest.mark.parametrize("name", sorted(ALWAYS_LEGAL))
def test_a_legal_change_changes_what_the_word_says(name: str) -> None:
    """Every value of a field has a sentence of its own."""
    values = dict.fromkeys(FIELDS, 0) | {"res1": 1, "ha": 1, "hd": 1, "ds": 1}
    said = [
        set(VTCR_EL2(**{**values, name: value}).explain())
        for value in range(FIELDS[name])
    ]

    for value, sentences in enumerate(said):
        for other in said[value + 1 :]:
            assert sentences - other


@pytest.mark.parametrize("place", [20, 23, 24, 39, 42, 43, *range(46, 64)])
def test_every_reserved_bit_is_found(place: int) -> None:
    """RES0 bits are found one by one, and the fix clears them."""
    (broken,) = VTCR_EL2.from_int(0x80023558 | 1 << place).lint()

    assert "vtcr-res0-set" == broken.rule
    assert (f"{1 << place:#x}", 0) == (broken.given, broken.limit)
    assert f"bits {1 << place:#x} of VTCR_EL2 are RES0, but they are set" == (
        broken.message
    )
    assert "use 0x80023558" == broken.fix
    without_res1 = VTCR_EL2.from_int(0x23558 | 1 << place).lint()
    assert "use 0x80023558" == without_res1[-1].fix


# One word for each rule


@pytest.mark.parametrize(
    ("rule", "data", "message", "fix", "fields"),
    [
        (
            "vtcr-res1-clear",
            (0, 1),
            "bit 31 of VTCR_EL2 is RES1, but it is 0",
            "use 0x80000058",
            {"res1": 0},
        ),
        (
            "sh0-reserved",
            (1, "0, 2, 3"),
            (
                "SH0 = 1 is reserved, with unpredictable effect; 0 is non-shareable, 2 "
                "outer and 3 inner shareable"
            ),
            "set SH0 to 0, 2 or 3",
            {"sh0": 1},
        ),
        (
            "tg0-reserved",
            (3, "0, 1, 2"),
            (
                "TG0 = 3 is reserved, and each CPU takes a page size of its own for "
                "it; 0 is 4K, 1 is 64K and 2 is 16K"
            ),
            "set TG0 to 0, 1 or 2",
            {"tg0": 3},
        ),
        (
            "sl0-reserved",
            (3, 2),
            (
                "SL0 = 3 with 16K pages is start level 0, which needs DS = 1; an "
                "access gives a Translation fault, level 0"
            ),
            "set SL0 to 0, 1 or 2, or set DS",
            {"tg0": 2, "sl0": 3},
        ),
        (
            "sl0-reserved",
            (3, 2),
            (
                "64K pages have no start level 0, which SL0 = 3 would be; an access "
                "gives a Translation fault, level 0"
            ),
            "set SL0 to 0, 1 or 2",
            {"tg0": 1, "sl0": 3},
        ),
        (
            "sl0-reserved",
            (1, 0),
            (
                "SL2 = 1 is for start level -1, which is SL0 = 0, not SL0 = 1; an "
                "access gives a Translation fault, level 0"
            ),
            "clear SL2, or set SL0 to 0",
            {"ds": 1, "sl2": 1},
        ),
        (
            "ds-with-64k",
            (1, 0),
            (
                "DS = 1 is reserved with 64K pages, whose descriptors have 52-bit "
                "addresses without it"
            ),
            "clear DS",
            {"tg0": 1, "ds": 1},
        ),
        (
            "sl2-without-ds",
            (1, 0),
            "SL2 = 1 is reserved, since it takes DS = 1 and 4K pages",
            "clear SL2",
            {"sl2": 1},
        ),
        (
            "sl2-without-ds",
            (1, 0),
            "SL2 = 1 is reserved, since it takes DS = 1 and 4K pages",
            "clear SL2",
            {"tg0": 2, "ds": 1, "sl2": 1},
        ),
        (
            "hd-without-ha",
            (1, 0),
            "HD = 1 has no effect with HA = 0",
            "set HA, or clear HD",
            {"hd": 1},
        ),
        (
            "hdbss-without-hd",
            (1, 0),
            "HDBSS = 1 has no effect with HA = 1 and HD = 0",
            "set HA and HD, or clear HDBSS",
            {"ha": 1, "hdbss": 1},
        ),
    ],
)
def test_each_rule_has_its_message_and_fix(
    rule: str,
    data: tuple[object, object],
    message: str,
    fix: str,
    fields: dict[str, int],
) -> None:
    """Each rule by the word that breaks it alone."""
    word = VTCR_EL2(**{"t0sz": 24, "sl0": 1, **fields})
    (broken,) = word.lint()

    assert (rule, message, fix) == (broken.rule, broken.message, broken.fix)
    assert data == (broken.given, broken.limit)
    assert "architecture" == broken.limited_by
    assert broken.source.startswith("Arm ARM D24, VTCR_EL2")


def test_a_mismatch_of_t0sz_and_sl0_is_found() -> None:
    """40 bits leave level 2 with 1024 tables, where 16 is the most."""
    word = VTCR_EL2(t0sz=24, sl0=0)

    assert ["ipa-too-large-for-start-level"] == rules(word.lint())
    assert ["ipa-too-small-for-start-level"] == rules(VTCR_EL2(t0sz=34, sl0=1).lint())


def test_a_smaller_cpu_refuses_more() -> None:
    """Start level 0 takes 44 bits of physical address, and DS takes LPA2."""
    assert ["start-level-needs-pa"] == rules(VTCR_EL2(t0sz=24, sl0=2).lint(Cpu(40)))
    assert ["lpa2-not-implemented"] == rules(
        VTCR_EL2(t0sz=24, sl0=1, ds=1).lint(Cpu(48))
    )


@pytest.mark.parametrize("fields", [{"sl0": 3}, {"ds": 1}, {"sl2": 1}, {"t0sz": 63}])
def test_vmsav9_128_is_not_judged_by_vmsav8_64(fields: dict[str, int]) -> None:
    """For VMSAv9-128 tables only findings that hold for both formats are reported."""
    word = VTCR_EL2(d128=1, tg0=1, **fields)

    assert ["d128-not-modelled"] == rules(word.lint())
    assert ["vtcr-res1-clear"] == rules(VTCR_EL2(d128=1, res1=0).lint())[1:]


def test_a_cpu_must_be_a_cpu() -> None:
    """A number is refused, and the message names the call that was meant."""
    wrong: Any = 48
    message = r"^cpu must be a Cpu or None, got 48; Cpu\(48\) is a CPU with 48-bit "
    with pytest.raises(TypeError, match=message):
        VTCR_EL2().lint(wrong)
    with pytest.raises(TypeError, match=message):
        VTCR_EL2(tg0=3).lint(wrong)
    with pytest.raises(TypeError, match=message):
        VTTBR_EL2().lint(wrong)


# VTTBR_EL2


@pytest.mark.parametrize("pa_bits", [48, 52])
def test_a_legal_base_has_no_violation(pa_bits: int) -> None:
    """An aligned base of each legal shape is right, and an odd one is not."""
    cpu = EVERYTHING
    for shape in legal_shapes(cpu):
        step = max(shape.pgd_size, 64)
        word = VTTBR_EL2.for_geometry(shape, 3 * step, vmid=7, pa_bits=pa_bits)

        assert () == word.lint(cpu, geometry=shape, pa_bits=pa_bits)
        for place in range(1, step.bit_length() - 1):
            bad = VTTBR_EL2.from_int(int(word) ^ 1 << place)
            found = bad.lint(cpu, geometry=shape, pa_bits=pa_bits)
            is_other = bad.root(shape, pa_bits=pa_bits) != 3 * step
            assert found or is_other


def test_a_misaligned_base_is_found_with_the_nearest_that_fit() -> None:
    """Two concatenated 4K tables are aligned as one of 8K."""
    word = VTTBR_EL2.from_int(0x4000_1000)
    (broken,) = word.lint(geometry=Geometry(K4, 40, 1))

    assert ("root-misaligned", "0x40001000", 0x2000) == (
        broken.rule,
        broken.given,
        broken.limit,
    )
    assert "use 0x40000000, or align to 0x2000 bytes" == broken.fix
    assert broken.message == (
        "a root at 0x40001000 is not a multiple of 0x2000 bytes, the size of its 2 "
        "concatenated tables; the nearest that fit are 0x40000000 and 0x40002000"
    )


def test_a_base_above_the_cpu_is_found() -> None:
    """PS beyond the CPU acts as the CPU's own size."""
    word = VTTBR_EL2.from_int(1 << 44)
    shape = Geometry(K4, 40, 1)
    (broken,) = word.lint(Cpu(44), geometry=shape)

    assert "root-above-output-size" == broken.rule
    assert "0xfffffffffff" == broken.limit
    assert "put the root below 0x100000000000" == broken.fix
    assert () == word.lint(Cpu(48), geometry=shape)


def test_the_form_of_the_base_depends_on_the_cpu_too() -> None:
    """Bits 5:2 are address bits only where the CPU has 52-bit addresses."""
    word = VTTBR_EL2.from_int(0x4000_0004)
    wide_64k, lpa2 = Geometry(K64, 48, 1), Geometry(K4, 40, 1, lpa2=True)

    assert () == word.lint(Cpu(52), geometry=wide_64k, pa_bits=52)
    assert ["root-misaligned"] == rules(
        word.lint(Cpu(48), geometry=wide_64k, pa_bits=52)
    )
    assert ["root-above-output-size"] == rules(word.lint(geometry=lpa2, pa_bits=48))
    assert () == word.lint(geometry=lpa2)
    assert ["root-misaligned"] == rules(word.lint(Cpu(48), geometry=lpa2))


def test_bit_1_is_never_part_of_a_base() -> None:
    """Bit 1 is RES0 in both forms, so it is judged without a geometry."""
    word = VTTBR_EL2.from_int(0x4000_2002)
    (broken,) = word.lint()

    assert ("vttbr-bit-1-set", 1, 0) == (broken.rule, broken.given, broken.limit)
    assert "bit 1 of VTTBR_EL2 is RES0, but it is set" == broken.message
    assert "use 0x40002000" == broken.fix
    assert (broken,) == word.lint(geometry=Geometry(K4, 40, 1))
    assert () == VTTBR_EL2.from_int(0x4000_2FFC).lint()


def test_a_wide_vmid_needs_vs() -> None:
    """Without VTCR_EL2.VS, two VMIDs that differ above bit 7 share TLB entries."""
    word = VTTBR_EL2(vmid=0x203)
    (broken,) = word.lint(vmid_bits=VTCR_EL2().vmid_bits)

    assert ("vmid-above-8-bits", 515, 255) == (broken.rule, broken.given, broken.limit)
    assert broken.message == (
        "VMID 515 has more than 8 bits, but VTCR_EL2.VS is clear, so it acts as VMID 3"
    )
    assert "use a VMID up to 255, or set VTCR_EL2.VS" == broken.fix
    assert () == word.lint(vmid_bits=VTCR_EL2(vs=1).vmid_bits)
    assert () == word.lint()


@pytest.mark.parametrize("vmid_bits", [0, 9, 32])
def test_a_vmid_has_8_or_16_bits(vmid_bits: int) -> None:
    """Any other number of VMID bits is refused."""
    with pytest.raises(InvalidArgument) as caught:
        VTTBR_EL2().lint(vmid_bits=vmid_bits)

    assert f"vmid_bits must be 8 or 16, got {vmid_bits}" == str(caught.value)


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        (
            0x8_0008_0F22,
            "use 0x80080f22 if bit 35 is a zero too many, or else 0x880080f22",
        ),
        (
            0x8_0002_3558,
            "use 0x80023558 if bit 35 is a zero too many, or else 0x880023558",
        ),
        (
            0x80_0002_3558,
            "use 0x80023558 if bit 39 is a zero too many, or else 0x8080023558",
        ),
        (
            0x802_3558,
            "use 0x80023558 if bit 27 is a zero too few, or else 0x88023558",
        ),
        (
            0x18_0002_358C,
            "use 0x18002358c if bits 36:35 are a zero too many, or else 0x188002358c",
        ),
        (
            0x1802_358C,
            "use 0x18002358c if bits 28:27 are a zero too few, or else 0x9802358c",
        ),
        (0x2_3558, "use 0x80023558"),
        (0x1_0002_3558, "use 0x180023558"),
        (0x38_0002_3558, "use 0x3880023558"),
        (0x1002_3558, "use 0x90023558"),
        (0x9_0002_3558, "use 0x980023558"),
        (0x4_0002_3558, "use 0x480023558"),
    ],
)
def test_a_shifted_bit_31_is_recognised(word: int, fix: str) -> None:
    """A zero too many or too few moves bit 31, and DS, by a digit: two words may do."""
    broken = {why.rule: why for why in VTCR_EL2.from_int(word).lint()}

    assert fix == broken["vtcr-res1-clear"].fix


def test_the_vtcr_of_aarch32_is_recognised() -> None:
    """T0SZ of AArch32 counts from 32 bits, so VTCR_EL2 would have nearly 64 bits."""
    why = VTCR_EL2.from_int(0x8000_3540).lint()[0]

    assert ("vtcr-of-aarch32", "0x80003540") == (why.rule, why.given)
    assert why.message == (
        "T0SZ = 0 would be an IPA of 64 bits in VTCR_EL2; the word looks like the VTCR "
        "of AArch32, where it is an IPA of 32 bits"
    )
    assert "AArch32" in why.fix
    assert "T0SZ of 12 or more" == why.limit


@pytest.mark.parametrize(
    "word",
    [
        0x8002_3540,  # PS is no field of AArch32's
        0x8000_3548,  # T0SZ = 8 would be negative without S
        0x0000_3540,  # RES1 is clear
        0x8000_7540,  # TG0 is no field of AArch32's
        0x8000_3558,  # an IPA of 40 bits in both
    ],
)
def test_a_word_with_bits_that_aarch32_lacks_is_not_its_vtcr(word: int) -> None:
    """Only words with fields of both registers are taken for AArch32's."""
    assert "vtcr-of-aarch32" not in rules(VTCR_EL2.from_int(word).lint())


def test_a_vttbr_is_judged_with_the_vtcr_beside_it() -> None:
    """VTCR_EL2 gives the shape, PS and VS, and is judged itself."""
    vttbr = VTTBR_EL2.from_int(0x0100_0000_4000_1000)
    vtcr = VTCR_EL2.from_int(0x8002_3558)

    assert ["vmid-above-8-bits", "root-misaligned"] == rules(vttbr.lint(vtcr=vtcr))
    assert vttbr.lint(vtcr=vtcr) == vttbr.lint(vtcr=0x8002_3558)
    assert vttbr.lint(vtcr=vtcr) == vttbr.lint(
        geometry=vtcr.geometry(), pa_bits=40, vmid_bits=8
    )


def test_a_wrong_vtcr_beside_a_vttbr_is_found() -> None:
    """A root of 4096 tables, and a VTCR_EL2 that names no shape, are found."""
    vttbr = VTTBR_EL2.from_int(0x0001_0000_4000_0000)

    assert ["ipa-too-large-for-start-level"] == rules(vttbr.lint(vtcr=0x8002_3519))
    assert ["tg0-reserved"] == rules(vttbr.lint(vtcr=VTCR_EL2(t0sz=24, tg0=3)))
    assert ["start-level-needs-pa"] == rules(
        vttbr.lint(Cpu(40), vtcr=VTCR_EL2(t0sz=24, sl0=2))
    )


def test_a_shape_is_given_once() -> None:
    """Giving both a geometry and a VTCR_EL2 is refused: they might differ."""
    with pytest.raises(InvalidArgument, match=r"^give geometry or vtcr"):
        VTTBR_EL2().lint(geometry=Geometry(K4, 40, 1), vtcr=0x8002_3558)
