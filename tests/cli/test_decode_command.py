# SPDX-License-Identifier: MIT
"""What `s2geom decode` says of words, and what it refuses."""

import pytest
from cli.running import Ran, Run

import s2geom
from s2geom.cli.commands import WORD_KINDS
from s2geom.cli.decode_command import DECODED


def test_decode_explains_a_word(run: Run) -> None:
    """The word of a 4K kernel with a 40-bit guest."""
    ran = run("decode vtcr 0x80023558")

    assert 0 == ran.status
    assert ran.out.splitlines()[:3] == [
        "VTCR_EL2 = 0x80023558",
        "T0SZ = 24: the IPA has 40 bits.",
        "SL0 = 1: the walk starts at level 1, in 2 concatenated tables.",
    ]
    assert "nothing is wrong with it" == ran.out.splitlines()[-3]


def test_decode_takes_words_as_logs_print_them(run: Run) -> None:
    """With or without 0x, with underscores, in capitals."""
    expected = run("decode vtcr 0x80023558 --json").json

    for spelling in ("80023558", "0X80023558", "0x8002_3558"):
        assert expected == run(f"decode vtcr {spelling} --json").json


def test_decode_finds_a_misaligned_root(run: Run) -> None:
    """VTTBR_EL2 is judged by the VTCR_EL2 that goes with it."""
    ran = run("decode vttbr 0x1000040041000 --vtcr 0x80023558")

    assert 1 == ran.status
    assert "root at 0x40040000" in ran.out.splitlines()
    assert "the nearest that fit are 0x40040000 and 0x40042000" in ran.out


def test_decode_of_a_base_alone(run: Run) -> None:
    """Without VTCR_EL2 nobody knows the root's size."""
    ran = run("decode vttbr 0x1000040041000")

    assert 0 == ran.status
    assert "root at" not in ran.out
    assert (
        "nothing is wrong with it alone; --vtcr WORD judges the base"
        == ran.out.splitlines()[-3]
    )


def test_decode_of_a_word_without_a_shape(run: Run) -> None:
    """A reserved TG0 names no page size; the base is then judged without a shape."""
    ran = run("decode vttbr 0 --vtcr 0x8002f558")

    assert 1 == ran.status
    assert "TG0" in ran.out


def test_decode_of_a_nested_dump(run: Run) -> None:
    """KVM's debugfs names the dump after both words."""
    data = run(
        "decode nested 0x0001000040040000-0x0000000080023558-s2-enabled --json"
    ).json

    assert ["VTTBR_EL2", "VTCR_EL2"] == [word["register"] for word in data["words"]]
    assert (0x4004_0000, 40) == (data["root"], data["geometry"]["ipa_bits"])


def test_decode_of_an_smmu_entry(run: Run) -> None:
    """STE words 2 and 3; a CPU stands for the SMMU's output size."""
    good = ("0x000a555800000000", "0x40000000")
    data = run("decode ste --json", *good).json

    assert "STE" == data["words"][0]["register"]
    assert 1 == run("decode ste 0 0").status
    assert run("decode ste --pa 40 --json", *good).json["words"] == data["words"]


def test_decode_of_id_registers(run: Run) -> None:
    """They have no shape, and nothing to find fault with."""
    ran = run("decode mmfr0 0x1124")

    assert 0 == ran.status
    assert "PARange = 4: physical addresses have 44 bits." in ran.out


def test_decode_wants_the_right_number_of_words(run: Run) -> None:
    """An STE takes two."""
    ran = run("decode ste 0x0")

    assert (2, "s2geom: error: decode ste takes 2 word(s), got 1\n") == (
        ran.status,
        ran.err,
    )


def test_every_kind_of_word_is_offered() -> None:
    """The parser's list and the reader's table are the same."""
    assert WORD_KINDS == tuple(DECODED)


# Companion words and features


def test_decode_judges_the_companion_of_a_base(run: Run) -> None:
    """A VTCR_EL2 of 512 root tables is wrong, whatever is right with the base."""
    ran = run("decode vttbr 0x1000040000000 --vtcr 0x80023519 --json")

    assert 1 == ran.status
    assert ["ipa-too-large-for-start-level"] == [
        why["rule"] for why in ran.json["violations"]
    ]


STE = "decode ste 0x000af55800000000 0x40000000"
"""A 64K guest of 40 bits, with inner shareable walks."""


def test_decode_asks_the_plainest_smmu(run: Run) -> None:
    """What an SMMU must have for an entry is an option, and missing is a premise."""
    small = "decode ste 0x000a356800000000 0 --json"
    wide = "decode ste 0x000a355800000100 0 --json"

    assert 5 == len(run(STE, "--json").json["premises"])
    alone = s2geom.STE.from_words(0x000A_3568_0000_0000, 0).lint()
    assert {why.rule for why in alone} == rules(run(small))
    assert "s2t0sz-above-maximum" in rules(run(small))
    assert "s2t0sz-above-maximum" not in rules(run(small, "--stt"))
    assert "s2vmid-above-8-bits" in rules(run(wide))
    assert "s2vmid-above-8-bits" not in rules(run(wide, "--vmid16"))
    assert 1 == run(STE, "--granules 4K,16K").status
    assert 2 == run(STE, "--granules 4K,5K").status


def rules(ran: Ran) -> set[str]:
    """Return the ids of the rules that are broken."""
    return {why["rule"] for why in ran.json.get("violations", ())}


def test_decode_tells_whether_an_smmu_and_a_cpu_walk_the_same_tables(run: Run) -> None:
    """An entry beside the VTCR_EL2 that goes with the same tables."""
    word2 = (24 | 1 << 6 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1 << 19) << 32
    entry = f"decode ste {word2:#x} 0x40000000"
    same = run(entry, "--vtcr 0x80023558")
    other = run(entry, "--vtcr 0x80023559 --json")

    assert 0 == same.status
    assert "nothing is wrong with it" in same.answer
    assert 1 == other.status
    assert {"ste-shape-is-not-vtcrs"} == rules(other)


def test_decode_of_a_fault(run: Run) -> None:
    """Kind, level and IPA, as the three registers tell them."""
    ran = run("decode esr 0x92000047 --hpfar 0x400000 --far 0x1234 --vtcr 0x80023558")

    assert 0 == ran.status
    assert [
        "A translation fault, level 3, on a write.",
        "The IPA is 0x40000234.",
        "The guest used the virtual address 0x1234.",
    ] == ran.out.splitlines()[-3:]


def test_decode_of_a_fault_outside_the_space(run: Run) -> None:
    """The page that HPFAR_EL2 has is beyond what VTCR_EL2 translates."""
    ran = run("decode esr 0x92000004 --hpfar 0x100000000 --vtcr 0x80023558")

    assert 0 == ran.status
    assert "It is outside the 40-bit IPA space." in ran.out.splitlines()
    walked = run("decode esr 0x92000007 --hpfar 0x100000000 --vtcr 0x80023558 --json")
    assert (1, ["esr-ipa-outside"]) == (
        walked.status,
        [why["rule"] for why in walked.json["violations"]],
    )


def test_decode_of_no_fault_of_a_guest(run: Run) -> None:
    """The kernel's own stage 1, and a fault above the start level."""
    own = run("decode esr 0x96000047 --json")
    above = run("decode esr 0x92000045 --vtcr 0x80023518 --json")

    assert (1, ["esr-not-a-guest-abort"]) == (
        own.status,
        [why["rule"] for why in own.json["violations"]],
    )
    assert 1 == above.status
    assert "fault" not in own.json


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("decode vtcr 0x80023558 --vtcr 0", "--vtcr has no effect on decode vtcr"),
        ("decode mmfr0 0 --pa 40", "--pa has no effect on decode mmfr0"),
        ("decode vttbr 0 --stt", "--stt has no effect on decode vttbr"),
        ("decode esr 0 --pa 40", "--pa has no effect on decode esr"),
        ("decode vtcr 0 --far 0", "--far has no effect on decode vtcr"),
        ("decode vtcr 0x80023558 --lpa2", "--lpa2 has no effect without --pa"),
    ],
)
def test_decode_refuses_an_option_without_effect(run: Run, line: str, why: str) -> None:
    """It would seem to be judged."""
    ran = run(line)

    assert (2, "") == (ran.status, ran.out)
    assert why in ran.err


def test_decode_names_the_cpu_that_it_asks(run: Run) -> None:
    """None, or one without what no option gives it."""
    anyone = run("decode vtcr 0x80023558 --json").json["premises"]
    named = run("decode vtcr 0x80023558 --pa 40 --lpa2 --json").json["premises"]

    assert ["no CPU was named (--pa), so only what no CPU takes is found wrong"] == (
        anyone
    )
    assert ["the CPU has no FEAT_TTST, as no option says so"] == named


def test_decode_of_the_first_line_of_a_nested_dump(run: Run) -> None:
    """Linux 7.3 has the registers there, with blanks between them."""
    line = "decode nested VTCR: 0x80023558 VTTBR: 0x1000040040000 s2: disabled"
    ran, data = run(line), run(line, "--json").json

    assert 0 == ran.status
    assert "Stage 2 of the guest hypervisor is disabled" in ran.out
    assert (False, 40) == (data["stage2_enabled"], data["geometry"]["ipa_bits"])
