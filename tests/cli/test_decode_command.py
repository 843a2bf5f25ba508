# SPDX-License-Identifier: MIT
"""What `s2geom decode` says of words, and what it refuses."""

from cli.running import Run

from s2geom.cli.commands import KINDS
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
    assert "nothing is wrong with it" == ran.out.splitlines()[-1]


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
        == ran.out.splitlines()[-1]
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
    assert KINDS == tuple(DECODED)
