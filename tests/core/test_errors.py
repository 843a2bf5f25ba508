# SPDX-License-Identifier: MIT
"""Violations are values; exceptions carry all of them."""

import base64
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from s2geom import (
    InvalidArgument,
    MemoryReadError,
    S2GeomError,
    UnreadableInput,
    UnsupportedCombination,
    Violation,
    Violations,
    check,
    stage2,
)
from s2geom.core.wording import article


def violation(
    message: str | Callable[[], str] = "too wide", **changes: Any
) -> Violation:
    """Return a violation, made by hand."""
    facts: dict[str, Any] = {
        "rule": "some-rule",
        "message": message,
        "limited_by": "cpu",
        "given": 41,
        "limit": 40,
        "fix": "use less",
        "source": "Arm ARM D8.2",
    }
    return Violation(**facts | changes)


@pytest.mark.parametrize(
    ("expected", "number"),
    [
        ("a", 0),
        ("a", 1),
        ("an", 8),
        ("a", 10),
        ("an", 11),
        ("an", 18),
        ("a", 40),
        ("a", 41),
        ("an", 80),
        ("an", 89),
        ("a", 110),
        ("a", 180),
        ("an", 800),
        ("a", 1100),
        ("an", 11000),
        ("an", 18000),
    ],
)
def test_a_number_has_the_article_that_is_spoken(expected: str, number: int) -> None:
    """A 41-bit, an 8-bit, an 11-bit, a 110-bit IPA."""
    assert expected == article(number)


def test_a_sentence_is_made_when_it_is_read() -> None:
    """Most violations are only counted, so no text is made for them."""
    made = []

    def sentence() -> str:
        made.append(1)
        return "a sentence"

    lazy = violation(sentence, fix=sentence)
    lazy.rule, lazy.given, lazy.limit  # noqa: B018

    assert [] == made
    assert "a sentence" == lazy.message
    assert "a sentence" == lazy.fix
    assert [1, 1] == made


def test_a_lazy_violation_equals_the_one_in_words() -> None:
    """How the sentence would be made is not part of the value."""
    words = violation("too wide", fix="use less")
    lazy = violation(lambda: "too wide", fix=lambda: "use less")

    assert words == lazy
    assert hash(words) == hash(lazy)
    assert repr(words) == repr(lazy)
    assert {words} == {words, lazy}


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "x"},
        {"message": "x"},
        {"limited_by": "x"},
        {"given": 1},
        {"limit": 1},
        {"fix": "x"},
        {"source": "x"},
        {"ways": (("ipa_bits", 40),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_a_violation_counts(change: dict[str, Any]) -> None:
    """Two violations are equal only if every part of them is equal."""
    assert violation() != violation(**change)
    assert violation(**change) == evolve(violation(), **change)


def test_a_violation_is_no_exception() -> None:
    """It is a fact about machines, and nothing else compares to it."""
    assert not isinstance(violation(), BaseException)
    assert violation() != object()


def test_a_violation_cannot_be_changed() -> None:
    """A violation is a frozen value."""
    with pytest.raises(AttributeError):
        violation().rule = "another"  # type: ignore[misc]


def test_a_violation_as_plain_data() -> None:
    """The keys are the names of the arguments, in their order."""
    expected = {
        "rule": "some-rule",
        "message": "too wide",
        "limited_by": "cpu",
        "given": 41,
        "limit": 40,
        "fix": "use less",
        "source": "Arm ARM D8.2",
    }

    assert expected == violation(lambda: "too wide").to_dict()
    assert list(expected) == list(violation().to_dict())
    assert violation() == Violation(**violation().to_dict())  # type: ignore[arg-type]


def test_a_violation_reads_back_from_its_repr() -> None:
    """`repr` gives the words, however they were made."""
    expected = (
        "Violation(rule='some-rule', message='too wide', limited_by='cpu', given=41, "
        "limit=40, fix='use less', source='Arm ARM D8.2')"
    )
    lazy = violation(lambda: "too wide")

    assert expected == repr(lazy)
    assert lazy == eval(repr(lazy))  # noqa: S307


def test_ways_are_part_of_the_plain_data_and_of_the_repr() -> None:
    """`ways` is left out where empty; a value of no JSON type becomes its repr."""
    ways = (("ipa_bits", 40), ("release", "5.10"), ("cpu", (1, 2)))
    lazy = violation(ways=lambda: ways)

    assert ways == lazy.ways
    assert violation(ways=ways) == lazy
    assert [["ipa_bits", 40], ["release", "5.10"], ["cpu", "(1, 2)"]] == lazy.to_dict()[
        "ways"
    ]
    assert repr(lazy).endswith(f"source='Arm ARM D8.2', ways={ways!r})")
    assert lazy == eval(repr(lazy))  # noqa: S307
    assert () == violation().ways


def test_a_violation_that_was_pickled_by_0_1_0_has_no_ways() -> None:
    """Release 0.1.0 stored seven arguments; `ways` gets its default."""
    stored = (
        b"\x80\x04\x95X\x00\x00\x00\x00\x00\x00\x00\x8c\x06s2geom\x94\x8c\t"
        b"Violation\x94\x93\x94(\x8c\tsome-rule\x94\x8c\x08too wide\x94\x8c\x03cpu"
        b"\x94K)K(\x8c\x08use less\x94\x8c\x0cArm ARM D8.2\x94t\x94R\x94."
    )

    assert violation() == pickle.loads(stored)  # noqa: S301


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_lazy_violation_can_be_pickled(protocol: int) -> None:
    """It is stored as text, since a closure cannot be pickled."""
    lazy = violation(lambda: "too wide", ways=lambda: (("ipa_bits", 40),))
    stored = pickle.dumps(lazy, protocol)

    assert lazy == pickle.loads(stored)  # noqa: S301
    assert b"kvm" not in stored


def test_a_lazy_violation_can_be_copied() -> None:
    """`copy` and `deepcopy` keep a violation equal."""
    lazy = violation(lambda: "too wide")

    assert lazy == copy.copy(lazy)
    assert lazy == copy.deepcopy(lazy)


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ("too wide", "too wide"),
        ("too wide", "too wide (Linux v4.7-v5.9; not since v5.10)"),
        ("too wide", "too wide (Linux before v4.7)"),
        ("too wide (PARange)", "too wide (PARange)"),
    ],
)
def test_the_summary_leaves_the_kernels_out(summary: str, message: str) -> None:
    """A traceback leaves out the range of releases, which is long."""
    assert summary == violation(message).summary


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (S2GeomError, ValueError),
        (InvalidArgument, S2GeomError),
        (UnsupportedCombination, S2GeomError),
        (UnreadableInput, S2GeomError),
        (MemoryReadError, UnreadableInput),
    ],
)
def test_the_family_of_errors(error: type, parent: type) -> None:
    """Every error of the package can be caught as `ValueError`."""
    assert (parent,) == error.__bases__
    assert "s2geom" == error.__module__


def test_a_refusal_carries_every_violation() -> None:
    """A refusal holds every broken limit, and `str` writes each on a line."""
    both = (violation("first (Linux before v4.7)"), violation("second"))
    error = UnsupportedCombination(list(both))

    assert both == error.violations
    assert "first\nalso: second" == str(error)


@pytest.mark.parametrize(
    ("expected", "message", "widest"),
    [
        ("too wide", "too wide", None),
        (
            "too wide\nthe widest IPA that passes every limit has 40 bits",
            "too wide",
            40,
        ),
        (
            "too wide; the largest IPA it supports is 40 bits",
            "too wide; the largest IPA it supports is 40 bits",
            40,
        ),
        (
            (
                "too wide; the largest IPA it supports is 44 bits\n"
                "the widest IPA that passes every limit has 40 bits"
            ),
            "too wide; the largest IPA it supports is 44 bits (Linux v4.7-v5.9)",
            40,
        ),
    ],
)
def test_a_refusal_ends_with_the_widest_ipa(
    expected: str, message: str, widest: int | None
) -> None:
    """The widest IPA that passes every limit is said last, and said once."""
    error = UnsupportedCombination([violation(message)], widest)

    assert expected == str(error)
    assert widest == error.widest_ipa_bits


@pytest.mark.parametrize("widest", [None, 40])
def test_a_refusal_can_be_pickled_copied_and_read_back(widest: int | None) -> None:
    """A refusal can be sent to another process with its violations."""
    error = UnsupportedCombination([violation(lambda: "too wide")], widest)

    for other in (
        pickle.loads(pickle.dumps(error)),  # noqa: S301
        copy.copy(error),
        copy.deepcopy(error),
        eval(repr(error)),  # noqa: S307
    ):
        assert type(other) is UnsupportedCombination
        assert error.violations == other.violations
        assert widest == other.widest_ipa_bits
        assert str(error) == str(other)


def test_a_real_refusal_can_be_pickled() -> None:
    """No function of a rule is stored in a pickle."""
    with pytest.raises(UnsupportedCombination) as caught:
        stage2(14, 41, 36)

    assert (
        check(14, 41, 36)
        == pickle.loads(  # noqa: S301
            pickle.dumps(caught.value)
        ).violations
    )


@pytest.mark.parametrize("error", [InvalidArgument, UnreadableInput, MemoryReadError])
def test_the_other_errors_are_plain(error: type[S2GeomError]) -> None:
    """The other errors hold a message alone."""
    other = pickle.loads(pickle.dumps(error("why")))  # noqa: S301

    assert (error, "why") == (type(other), str(other))


def test_a_violation_prints_as_its_message() -> None:
    """`str` of a violation is its message; the ``repr`` has every part."""
    [broken] = check(14, 41, 36)

    assert broken.message == str(broken)


# Violations


def test_violations_are_a_tuple_in_everything_but_their_picture() -> None:
    """Equality, hash, repr, slices and sums are a tuple's."""
    one, two = violation(), violation("too narrow")
    both = Violations((one, two))

    assert both == (one, two)
    assert hash((one, two)) == hash(both)
    assert repr((one, two)) == repr(both)
    assert tuple is type(both[:1])
    assert tuple is type(both + both)
    assert () == Violations()
    with pytest.raises(AttributeError):
        both.note = 1  # type: ignore[attr-defined]


def test_violations_pickle_by_their_public_name() -> None:
    """A pickle names `s2geom.Violations`, not the module of the class."""
    both = Violations((violation(), violation("too narrow")))
    stored = pickle.dumps(both)

    assert b"s2geom.core" not in stored
    assert both == pickle.loads(stored)  # noqa: S301 - our own
    assert Violations is type(pickle.loads(stored))  # noqa: S301 - our own


def test_violations_tell_a_notebook_their_text() -> None:
    """A notebook gets the text of a tuple, and no other form fails."""
    assert "()" == Violations()._repr_mimebundle_()["text/plain"]


OLD_PICKLE = (
    "gASVpgEAAAAAAACMBnMyZ2VvbZSMFlVuc3VwcG9ydGVkQ29tYmluYXRpb26Uk5RoAIwJVmlvbGF0aW9u"
    "lJOUKIwSbGV2ZWxzLWV4Y2VlZC1ob3N0lIyVYSA0MS1iaXQgSVBBIG5lZWRzIDMgc3RhZ2UtMiBsZXZl"
    "bHMsIGJ1dCBhIDE2SyBob3N0IHdpdGggYSAzNi1iaXQgVkEgaGFzIDI7IHRoZSBsYXJnZXN0IElQQSBp"
    "dCBzdXBwb3J0cyBpcyA0MCBiaXRzIChMaW51eCB2NC43LXY1Ljk7IG5vdCBzaW5jZSB2NS4xMCmUjAto"
    "b3N0IGtlcm5lbJRLA0sCjFl1c2UgYW4gSVBBIG9mIGF0IG1vc3QgNDAgYml0cywgb3IgYSBob3N0IGtl"
    "cm5lbCB3aXRoIGEgNDctYml0IFZBLCBvciBMaW51eCB2NS4xMCBvciBsYXRlcpSMSExpbnV4IHY0Ljcs"
    "IGt2bTogYXJtNjQ6IEdldCByaWQgb2YgZmFrZSBwYWdlIHRhYmxlIGxldmVscyAoZGEwNGZhMDRkYzkx"
    "KZR0lFKUhZSFlFKULg=="
)
"""The refusal of stage2(14, 41, 36), as 0.1.0 wrote it."""


def test_a_refusal_pickled_by_0_1_0_loads() -> None:
    """Its plain tuple becomes Violations."""
    old = pickle.loads(base64.b64decode(OLD_PICKLE))  # noqa: S301 - our own

    assert UnsupportedCombination is type(old)
    assert Violations is type(old.violations)
    assert ["levels-exceed-host"] == [broken.rule for broken in old.violations]
    assert old.widest_ipa_bits is None
