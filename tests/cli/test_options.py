# SPDX-License-Identifier: MIT
"""How arguments are read, and what is said of a wrong one."""

from pathlib import Path

import pytest
from cli.running import Run


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("show --ipa 40", "the following arguments are required: --page-size"),
        ("show --page-size 13 --ipa 40", "page size must be 4K, 16K or 64K, got '13'"),
        ("show --page-size 16 --ipa 40", "page size 16 has two readings"),
        ("show --page-size 4K --ipa x", "argument --ipa: not a number: 'x'"),
        ("show --page-size 4K --ipa -1", "argument --ipa: not a number: '-1'"),
        ("show --page-size 4K --ipa 40 --va 99", "va_bits must be 25..52, got 99"),
        ("show --page-size 4K --ipa 40 --host-pa 50", "pa_bits must be 48 or 52"),
        ("show --page-size 4K --ipa 40 --pa 41", "pa_bits must be one of 32, 36"),
        (
            "show --page-size 4K --ipa 40 --lpa2",
            "--lpa2 has no effect without --pa: it is",
        ),
        ("show --page-size 4K --ipa 40 --scheme new", "scheme must be one of fake-pgd"),
        ("show --page-size 4K --ipa 40 --kernel x", "release must begin like '6.1'"),
        ("show --page-size 4K --ipa 40 --kernel 3.2", "older than the oldest scheme"),
        (
            "show --page-size 4K --ipa 40 --kernel 6.8 --scheme static",
            "--scheme has no effect beside --kernel: a release has its own limits",
        ),
        (
            "walk image --load 0 0 --scheme static --kernel 6.8",
            "--scheme has no effect beside --kernel: a release has its own limits",
        ),
        ("split --page-size 4K --ipa 40 far", "a size or address is written like"),
        ("decode vtcr what", "a register word is hexadecimal, like 0x80023558"),
        ("decode vtcr 1ffffffffffffffff", "word must be 0..0xffffffffffffffff"),
        ("config /nowhere/at/all", "/nowhere/at/all"),
        ("decode nested some-file", "a nested dump is named like"),
        (
            "decode vtcr 80023558 --vtcr 80028558",
            "--vtcr has no effect on decode vtcr",
        ),
    ],
)
def test_a_mistake_is_explained_in_our_words(run: Run, line: str, said: str) -> None:
    """Exit code 2, a sentence on standard error, nothing on standard output."""
    ran = run(line)

    assert (2, "") == (ran.status, ran.out)
    assert said in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show --page-size 4K --ipa \u0664\u0660", "not a number: '\u0664\u0660'"),
        ("decode vtcr \u0668", "a register word is hexadecimal, like 0x80023558, got"),
        ("fit --page-size 4K --ram-base 1G --ram 0", "--ram must be at least 1 byte"),
    ],
)
def test_what_only_looks_like_an_answer_is_a_usage_error(
    run: Run, line: str, said: str
) -> None:
    """Digits are 0 to 9, and no memory has no end."""
    ran = run(line)

    assert (2, "") == (ran.status, ran.out)
    assert said in ran.err


def test_options_may_stand_anywhere(run: Run) -> None:
    """Before, between and after the other arguments, which may follow ``--``."""
    right = run("split --page-size 4K --ipa 40 0x1234")

    assert right == run("split 0x1234 --page-size 4K --ipa 40")
    assert right == run("split --page-size 4K --ipa 40 -- 0x1234")


def test_a_file_may_be_named_like_an_option(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After ``--``."""
    monkeypatch.chdir(tmp_path)
    Path("--map=--").write_text("0, 4K, CODE, a\n")

    assert 0 == run("footprint --page-size 4K --ipa 40 -- --map=--").status


def test_a_usage_error_is_as_long_as_a_screen(run: Run) -> None:
    """However long the argument is that it repeats."""
    for command in ("show --page-size 4K --ipa 40", "config"):
        ran = run(command, "x" * 5000)

        assert (2, "") == (ran.status, ran.out)
        assert len(ran.err) < 1500


@pytest.mark.parametrize(
    "words",
    ["- --load 0 --compare -", "--load 0=- --load 4K=-", "--load 0=- --compare -"],
)
def test_standard_input_is_one_file(run: Run, words: str) -> None:
    """The second reader would find nothing."""
    ran = run(f"dump {words} --vtcr 0x80023558 --root 0")

    assert (2, "") == (ran.status, ran.out)
    assert "only one file can be -, standard input" in ran.err
