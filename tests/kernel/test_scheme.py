# SPDX-License-Identifier: MIT
"""The five eras of KVM/arm64."""

import copy
import pickle
from typing import Any

import pytest

from s2geom import InvalidArgument, Scheme, UnsupportedCombination
from s2geom.kernel.releases import parse_release

HISTORY = [
    ("FAKE_PGD", "fake-pgd", "v3.18", "v4.6"),
    ("STATIC", "static", "v4.7", "v4.19"),
    ("DYNAMIC", "dynamic", "v4.20", "v5.9"),
    ("INDEPENDENT", "independent", "v5.10", "v6.7"),
    ("LPA2", "lpa2", "v6.8", None),
]


def test_the_eras_follow_each_other() -> None:
    """In the order of history, with their first and last releases."""
    assert HISTORY == [
        (scheme.name, scheme.value, scheme.first_release, scheme.last_release)
        for scheme in Scheme
    ]


@pytest.mark.parametrize(
    ("name", "releases"),
    [("STATIC", "v4.7-v4.19"), ("DYNAMIC", "v4.20-v5.9"), ("LPA2", "v6.8-today")],
)
def test_the_range_of_releases_in_words(name: str, releases: str) -> None:
    """The era that is in use ends today."""
    assert releases == Scheme[name].releases


@pytest.mark.parametrize(
    ("name", "commit"),
    [
        ("FAKE_PGD", "38f791a4e499"),
        ("STATIC", "da04fa04dc91"),
        ("DYNAMIC", "233a7cb23531"),
        ("INDEPENDENT", "c9b69a0cf0b4"),
        ("LPA2", "bd412e2a310c"),
    ],
)
def test_each_era_names_the_commit_that_brought_it(name: str, commit: str) -> None:
    """By release, subject and id; and it says what it does in one sentence."""
    scheme = Scheme[name]

    assert f"({commit})" in scheme.source
    assert scheme.source.startswith(f"Linux {scheme.first_release}, ")
    assert scheme.summary
    assert "." not in scheme.summary


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("FAKE_PGD", 1),
        ("STATIC", 1),
        ("DYNAMIC", 2),
        ("INDEPENDENT", 2),
        ("LPA2", 2),
    ],
)
def test_two_levels_at_least_since_v4_20(name: str, levels: int) -> None:
    """The floor came with the sizes per VM, and stayed."""
    assert levels == Scheme[name].minimum_levels


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("FAKE_PGD", "3.18"),
        ("FAKE_PGD", "v3.18.140"),
        ("FAKE_PGD", "4.6.99"),
        ("STATIC", "v4.7"),
        ("STATIC", "4.7.0-rc1"),
        ("STATIC", "4.19.0-26-arm64"),
        ("DYNAMIC", "4.20"),
        ("DYNAMIC", "5.9.16"),
        ("INDEPENDENT", "5.10.0-30-arm64"),
        ("INDEPENDENT", "6.1.0-18-arm64"),
        ("INDEPENDENT", "6.7"),
        ("INDEPENDENT", "6.1+"),
        ("INDEPENDENT", "6.1\n"),
        ("LPA2", "6.8"),
        ("LPA2", "6.10.0"),
        ("LPA2", "6.12.117"),
        ("LPA2", "7.1.5-300.fc45.aarch64+16k"),
        ("LPA2", "100.0"),
    ],
    ids=repr,
)
def test_a_release_belongs_to_an_era(name: str, release: str) -> None:
    """What ``uname -r`` prints, or its beginning; numbers, not text, are compared."""
    assert Scheme[name] is Scheme.for_release(release)


def test_every_release_belongs_to_the_era_that_includes_it() -> None:
    """From v3.18 on there is no gap between the eras, and no overlap."""
    for major, last_minor in ((3, 30), (4, 20), (5, 19), (6, 19), (7, 9)):
        for minor in range(18 if major == 3 else 0, last_minor + 1):
            scheme = Scheme.for_release(f"{major}.{minor}")
            first = parse_release(scheme.first_release)
            last = parse_release(scheme.last_release or "999.0")

            assert first <= (major, minor, 0)
            assert (major, minor, 0) <= last or (major, minor) == (3, 30)


@pytest.mark.parametrize("release", ["3.17.8", "2.6.32-5", "v0.0"])
def test_before_v3_18_there_is_no_era(release: str) -> None:
    """A fact about kernels, with its limit and what would fit."""
    with pytest.raises(UnsupportedCombination) as caught:
        Scheme.for_release(release)

    [violation] = caught.value.violations
    assert (
        f"Linux {release} is older than the oldest scheme here, which began with v3.18"
        == str(caught.value)
    )
    assert "release-before-3.18" == violation.rule
    assert (release, "3.18") == (violation.given, violation.limit)
    assert "host kernel" == violation.limited_by
    assert "ask for a release from v3.18 on" == violation.fix
    assert Scheme.FAKE_PGD.source == violation.source


@pytest.mark.parametrize(
    "release",
    [
        "",
        "6",
        "6.",
        ".1",
        " 6.1",
        "V6.1",
        "-6.1",
        "linux-6.1",
        "6,1",
        "6 .1",
        "next",
        "\uff16.1",
        "6.\u0661",
        "6.123456",
        "1234.5",
        "9" * 100,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_odd_text_is_no_release(release: str) -> None:
    """The message shows the form and repeats what was given."""
    with pytest.raises(InvalidArgument) as caught:
        Scheme.for_release(release)

    assert f"release must begin like '6.1', got {release!r}" == str(caught.value)


@pytest.mark.parametrize("release", [None, 6.1, b"6.1", ("6", "1")], ids=repr)
def test_a_release_is_text(release: Any) -> None:
    """6.10 and 6.1 would be the same float."""
    with pytest.raises(TypeError) as caught:
        Scheme.for_release(release)

    assert f"release must be text such as '6.1', got {release!r}" == str(caught.value)


@pytest.mark.parametrize(
    ("expected", "release"),
    [
        ((6, 1, 0), "6.1"),
        ((6, 1, 0), "6.1.0-18-arm64"),
        ((4, 9, 337), "v4.9.337"),
        ((6, 1, 0), "6.1."),
        ((6, 1, 0), "6.1.y"),
        ((4, 14, 99999), "4.14.99999"),
    ],
)
def test_the_three_numbers_of_a_release(
    expected: tuple[int, int, int], release: str
) -> None:
    """A third number that is missing is 0."""
    assert expected == parse_release(release)


def test_a_value_that_no_scheme_has() -> None:
    """The error is of the package; it names the values, and what reads a release."""
    with pytest.raises(InvalidArgument) as caught:
        Scheme("6.12")

    assert str(caught.value) == (
        "a scheme is one of fake-pgd, static, dynamic, independent, lpa2, got '6.12'; "
        "Scheme.for_release('6.12') is that of a release"
    )
    none: Any = None
    with pytest.raises(TypeError, match="scheme must be a Scheme, got None"):
        Scheme(none)


@pytest.mark.parametrize("scheme", list(Scheme), ids=repr)
def test_members_survive_pickling_copying_and_reading_back(scheme: Scheme) -> None:
    """Always the same member; and a key finds it."""
    for other in (
        pickle.loads(pickle.dumps(scheme)),  # noqa: S301
        copy.deepcopy(scheme),
        eval(repr(scheme)),  # noqa: S307
        Scheme(scheme.value),
    ):
        assert scheme is other
        assert {scheme: 1} == {other: 1}
