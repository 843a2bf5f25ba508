# SPDX-License-Identifier: MIT
"""Rows over a grid: complete, flat, and what the tools of data take as they are."""

import json
import os
from collections.abc import Callable
from itertools import combinations, product
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import s2geom as s2
from s2geom import Cpu, Granule, InvalidArgument, Scheme, diff, survey, survey_chart

ASKED = ["granule", "page_shift", "ipa_bits", "va_bits", "pa_bits", "cpu"]
ASKED += ["scheme", "release"]
SHAPE = [
    "levels",
    "start_level",
    "concatenation",
    "pgd_entries",
    "pgd_size",
    "pgd_alignment",
    "pgd_pages",
    "pgdir_shift",
    "min_cache_pages",
    "t0sz",
    "lpa2",
]
REFUSAL = ["rule", "limited_by", "reason"]

PLAINEST = "no CPU was named: its PARange and page sizes are taken to suffice"

OFFERED = {12: {39, 48, 52}, 14: {36, 47, 48, 52}, 16: {42, 48, 52}}
"""What Kconfig has had, by page shift."""

SVG = "{http://www.w3.org/2000/svg}"


def plain(rows: Any) -> list[dict[str, Any]]:
    """Return rows as dicts, whose columns may be asked for by a variable."""
    found: list[dict[str, Any]] = rows
    return found


def library(name: str) -> Any:
    """Return a library of data, which may be missing everywhere but in the gate."""
    if "S2GEOM_ALL" in os.environ:
        return __import__(name)
    return pytest.importorskip(name)


# The rows


def test_with_no_argument_it_is_all_that_kconfig_offers() -> None:
    """Every page size, VA width and scheme, and IPA widths of 32 to 52 bits."""
    rows = survey()
    found: dict[object, set[object]] = {}
    for row in rows:
        found.setdefault(row["page_shift"], set()).add(row["va_bits"])

    assert found == OFFERED
    assert len(rows) == (3 + 4 + 3) * 21 * 5
    assert {row["ipa_bits"] for row in rows} == set(range(32, 53))
    assert {row["scheme"] for row in rows} == {
        "fake-pgd",
        "static",
        "dynamic",
        "independent",
        "lpa2",
    }


def test_each_row_is_the_answer_of_stage2() -> None:
    """A row has the numbers of the shape, or every reason against it."""
    for row in plain(survey()):
        question: dict[str, Any] = {
            "page_shift": row["page_shift"],
            "ipa_bits": row["ipa_bits"],
            "va_bits": row["va_bits"],
            "pa_bits": row["pa_bits"],
            "scheme": Scheme(row["scheme"]),
        }
        broken = s2.check(**question)
        if broken:
            assert not row["supported"]
            assert {row[name] for name in SHAPE} == {None}
            assert (row["rule"], row["limited_by"]) == (
                broken[0].rule,
                broken[0].limited_by,
            )
            assert all(each.message in str(row["reason"]) for each in broken)
        else:
            shape = s2.stage2(**question)
            assert row["supported"]
            assert [row[name] for name in SHAPE] == [
                getattr(shape, name) for name in SHAPE
            ]
            assert {row[name] for name in REFUSAL} == {""}


def test_the_patch_in_two_rows() -> None:
    """16K pages and 36 bits of VA: 40 bits of IPA fit, 41 do not."""
    fits, refused = survey(
        granules=[14], va_bits=[36], ipa_bits=[40, 41], schemes=[Scheme.STATIC]
    )

    assert fits == {
        "granule": "16K",
        "page_shift": 14,
        "ipa_bits": 40,
        "va_bits": 36,
        "pa_bits": 48,
        "cpu": "any",
        "scheme": "static",
        "release": "",
        "supported": True,
        "levels": 2,
        "start_level": 2,
        "concatenation": 16,
        "pgd_entries": 32768,
        "pgd_size": 262144,
        "pgd_alignment": 262144,
        "pgd_pages": 16,
        "pgdir_shift": 25,
        "min_cache_pages": 1,
        "t0sz": 24,
        "lpa2": False,
        "rule": "",
        "limited_by": "",
        "reason": "",
        "premises": PLAINEST,
    }
    assert (refused["supported"], refused["levels"]) == (False, None)
    assert refused["rule"] == "levels-exceed-host"
    assert "needs 3 stage-2 levels" in str(refused["reason"])


def test_the_reason_has_every_limit() -> None:
    """Where two limits are broken, the reason names both."""
    [row] = survey(
        granules=[14],
        va_bits=[36],
        ipa_bits=[49],
        schemes=[Scheme.DYNAMIC],
        cpus=[Cpu(40)],
    )

    assert str(row["reason"]).count("; also: ") == 3
    assert "virtual-address limit" in str(row["reason"])
    assert "PARange" in str(row["reason"])


def test_rows_are_flat_and_alike() -> None:
    """All rows have the same keys, in one order, and plain values."""
    rows = survey(pa_bits=(48, 52), cpus=(None, Cpu(40), Cpu(52, lpa2=True)))

    assert {tuple(row) for row in rows} == {
        (*ASKED, "supported", *SHAPE, *REFUSAL, "premises"),
    }
    assert {type(value) for row in rows for value in row.values()} == {
        str,
        int,
        bool,
        type(None),
    }


def test_supported_rows_come_first_and_the_order_is_the_grids() -> None:
    """The type of a data frame's column is taken from its first values."""
    rows = survey(granules=[14, 12], schemes=[Scheme.FAKE_PGD, Scheme.LPA2])
    supported = [bool(row["supported"]) for row in rows]
    order = [row["ipa_bits"] for row in rows if row["va_bits"] == 36]

    assert supported == sorted(supported, reverse=True)
    assert order == [*range(32, 53), *range(32, 53)]


def test_any_iterable_will_do_and_each_value_counts_once() -> None:
    """Generators are accepted, and a repeated value gives one row."""
    once = survey(granules=[12], va_bits=[39, 48], ipa_bits=[40])

    assert once == survey(
        granules=(shift for shift in (12, 12)),
        va_bits=iter([39, 48, 39]),
        ipa_bits=dict.fromkeys([40]),
    )
    assert once == survey(granules=[Granule.K4], va_bits=[39, 48], ipa_bits=[40])


@pytest.mark.parametrize("name", ["granules", "ipa_bits", "va_bits", "pa_bits"])
def test_an_empty_axis_gives_no_rows(name: str) -> None:
    """A grid with an empty axis is empty."""
    anything: dict[str, Any] = {name: []}

    assert [] == survey(**anything)


@pytest.mark.parametrize(
    "wrong",
    [
        {"granules": 12},
        {"granules": "4K"},
        {"ipa_bits": 40},
        {"ipa_bits": [40.0]},
        {"va_bits": b"48"},
        {"schemes": Scheme.STATIC},
        {"schemes": ["static"]},
        {"cpus": Cpu(40)},
        {"cpus": [48]},
    ],
)
def test_a_wrong_type_is_a_type_error(wrong: dict[str, Any]) -> None:
    """An axis is no single value, and no text."""
    with pytest.raises(TypeError):
        survey(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"granules": [13]}, {"va_bits": [24]}, {"pa_bits": [40]}]
)
def test_a_value_out_of_range_is_invalid(wrong: dict[str, Any]) -> None:
    """The grid refuses the values that `stage2` refuses as invalid."""
    with pytest.raises(InvalidArgument):
        survey(**wrong)


def test_two_cpus_never_share_a_name() -> None:
    """Every feature that makes two CPUs differ is in the name."""
    lpa2_pages: list[bool | set[Granule]] = [False, {Granule.K4}, True]
    cpus = [
        None,
        *(
            Cpu(
                pa_bits,
                granules=granules,
                lpa=lpa,
                lpa2=lpa2,
                ttst=ttst,
                aarch32_el1=a32,
            )
            for pa_bits, granules, lpa2, ttst, a32 in product(
                (40, 48, 52),
                [
                    {*found}
                    for size in range(4)
                    for found in combinations(Granule, size)
                ],
                lpa2_pages,
                (False, True),
                (False, True),
            )
            for lpa in ((True, False) if pa_bits <= 48 else (None,))
        ),
        Cpu(52, lpa2=True, lpa2_both_stages={Granule.K4}),
        Cpu(52, lpa2=True, lpa2_both_stages=()),
    ]
    rows = survey(
        granules=[12], va_bits=[48], ipa_bits=[40], schemes=[Scheme.LPA2], cpus=cpus
    )

    assert len(cpus) == len({row["cpu"] for row in rows}) == len(rows)


# Releases and premises


def test_releases_are_rows_of_their_own() -> None:
    """A release has its own limits, and no scheme; a scheme's row has no release."""
    rows = survey(
        granules=[12],
        va_bits=[48],
        ipa_bits=[40, 44],
        schemes=[Scheme.STATIC],
        releases=["4.19", "5.10.0-32-arm64"],
        cpus=[Cpu(48)],
    )
    found = {(row["scheme"], row["release"], row["ipa_bits"]): row for row in rows}

    assert 6 == len(rows) == len(found)
    assert found["static", "", 44]["supported"]
    assert not found["", "4.19", 44]["supported"]
    assert found["", "4.19", 40]["supported"]
    assert found["", "5.10.0-32-arm64", 44]["supported"]
    assert "" == found["", "4.19", 40]["premises"]
    assert "back-port" in found["", "5.10.0-32-arm64", 40]["premises"]


def test_each_row_of_a_release_is_the_answer_of_stage2() -> None:
    """Supported where `check` with the release says so."""
    releases = ("4.6", "4.19", "5.9", "5.12", "5.15", "6.8", "7.3")
    for row in survey(granules=[14], schemes=(), releases=releases, cpus=[Cpu(52)]):
        question = row["page_shift"], row["ipa_bits"], row["va_bits"]
        broken = s2.check(*question, release=row["release"], cpu=Cpu(52))

        assert row["supported"] is (broken == ())


def test_nothing_is_supported_that_no_cpu_walks() -> None:
    """For each supported row there is a CPU that accepts the shape."""
    best = Cpu(52, lpa2=True)
    for row in survey(releases=("4.19", "5.9", "5.12", "6.12")):
        if row["supported"]:
            start, lpa2 = row["start_level"], row["lpa2"]
            assert start is not None
            assert lpa2 is not None
            shape = s2.Geometry(row["page_shift"], row["ipa_bits"], start, lpa2)

            assert () == best.check(shape)


def test_the_typed_rows_have_the_columns() -> None:
    """SurveyRow and DiffRow have exactly the columns of the rows."""
    [row] = survey(granules=[12], va_bits=[48], ipa_bits=[40], schemes=[Scheme.LPA2])
    [change, *_] = diff("4.19", "4.20")

    assert s2.SurveyRow.__annotations__.keys() == row.keys()
    assert s2.DiffRow.__annotations__.keys() == change.keys()


def test_two_releases_are_compared() -> None:
    """The names of both are in each row, and what either answer assumes."""
    rows = diff("4.19", Scheme.DYNAMIC, granules=[12], va_bits=[48])
    [row] = [row for row in rows if row["ipa_bits"] == 44]

    assert ("", "4.19") == (row["scheme_before"], row["release_before"])
    assert ("dynamic", "") == (row["scheme_after"], row["release_after"])
    assert "now supported" == row["change"]
    assert PLAINEST == row["premises"]
    assert [] == diff("6.12", "6.12")


@pytest.mark.parametrize("wrong", [5, 6.12, ("6.12",), None])
def test_a_kernel_is_a_scheme_or_a_release(wrong: Any) -> None:
    """Anything else is a TypeError, and so is a single release as an axis."""
    with pytest.raises(TypeError):
        diff(wrong, "6.12")
    with pytest.raises(TypeError):
        diff(Scheme.STATIC, wrong)
    with pytest.raises(TypeError):
        survey(releases=[wrong])
    with pytest.raises(TypeError):
        survey(schemes=[wrong])
    with pytest.raises(TypeError):
        survey(releases="6.12")


@pytest.mark.parametrize("axis", ["pa_bits", "cpus", "schemes", "releases"])
def test_an_axis_with_a_default_of_its_own_is_not_none(axis: str) -> None:
    """None is no empty axis: a survey without rows would look like an answer."""
    with pytest.raises(TypeError, match=f"{axis} must be an iterable of values, got N"):
        survey(**{axis: None})  # type: ignore[arg-type]


# The tools of data


def difficult() -> list[s2.SurveyRow]:
    """Return a grid that begins with more than 100 refused configurations."""
    return survey(granules=[14, 16], schemes=[Scheme.FAKE_PGD, Scheme.STATIC])


@pytest.mark.parametrize("rows", [survey, difficult])
def test_json_takes_the_rows(rows: Callable[[], list[Any]]) -> None:
    """Rows are the same after JSON and back."""
    made = rows()

    assert made == json.loads(json.dumps(made))


@pytest.mark.parametrize("rows", [survey, difficult])
def test_pandas_takes_the_rows(rows: Callable[[], list[Any]]) -> None:
    """``pandas.DataFrame(rows)`` works as it is, and its rows make a chart."""
    made = rows()
    frame = library("pandas").DataFrame(made)

    assert len(made) == len(frame)
    assert sum(row["supported"] for row in made) == int(frame.supported.sum())
    assert "int64" == str(frame.ipa_bits.dtype)
    assert survey_chart(made) == survey_chart(frame.to_dict("records"))


@pytest.mark.parametrize("rows", [survey, difficult])
def test_polars_takes_the_rows(rows: Callable[[], list[Any]]) -> None:
    """``polars.DataFrame(rows)`` works as it is, gaps and all."""
    polars = library("polars")
    made = rows()
    frame = polars.DataFrame(made)

    assert made == frame.to_dicts()
    assert polars.Int64 == frame.schema["pgd_size"]
    assert polars.String == frame.schema["reason"]


def test_a_survey_of_refusals_alone_is_a_data_frame_too() -> None:
    """With no supported row, all numbers are missing values."""
    made = survey(granules=[14], schemes=[Scheme.FAKE_PGD])

    assert made == library("polars").DataFrame(made).to_dicts()
    assert len(made) == len(library("pandas").DataFrame(made))


# From one kernel to another


@pytest.mark.parametrize(
    ("before", "after", "question", "change", "said_before", "said_after"),
    [
        (
            Scheme.STATIC,
            Scheme.DYNAMIC,
            (16, 32, 42),
            "another shape",
            "1 level from level 3, 8 tables, 512 KiB",
            "2 levels from level 2, 1 table, 64 B",
        ),
        (
            Scheme.DYNAMIC,
            Scheme.INDEPENDENT,
            (14, 41, 36),
            "now supported",
            "virtual-address limit",
            "3 levels from level 1, 1 table, 256 B",
        ),
        (
            Scheme.STATIC,
            Scheme.DYNAMIC,
            (16, 49, 48),
            "now refused",
            "3 levels from level 1, 1 table, 1 KiB",
            "CONFIG_ARM64_PA_BITS",
        ),
        (
            Scheme.STATIC,
            Scheme.DYNAMIC,
            (14, 41, 36),
            "another reason",
            "needs 3 stage-2 levels",
            "virtual-address limit",
        ),
    ],
)
def test_what_changes_from_one_kernel_to_another(
    before: Scheme,
    after: Scheme,
    question: tuple[int, int, int],
    change: str,
    said_before: str,
    said_after: str,
) -> None:
    """A row has the kind of change and both answers."""
    page_shift, ipa_bits, va_bits = question
    [row] = diff(
        before, after, granules=[page_shift], ipa_bits=[ipa_bits], va_bits=[va_bits]
    )

    assert (change, before.value, after.value) == (
        row["change"],
        row["scheme_before"],
        row["scheme_after"],
    )
    assert said_before in str(row["before"])
    assert said_after in str(row["after"])


@pytest.mark.parametrize("scheme", Scheme)
def test_nothing_changes_from_a_kernel_to_itself(scheme: Scheme) -> None:
    """A configuration whose answer stays has no row."""
    assert [] == diff(scheme, scheme)


def test_a_change_is_found_by_comparing_two_surveys() -> None:
    """Rows are there for exactly the configurations whose answers differ."""
    key = ("granule", "va_bits", "ipa_bits")
    answer = (*SHAPE, "rule")

    def answers(scheme: Scheme) -> dict[Any, Any]:
        return {
            tuple(row[name] for name in key): tuple(row[name] for name in answer)
            for row in plain(survey(schemes=[scheme]))
        }

    for before, after in product(Scheme, repeat=2):
        old, new = answers(before), answers(after)
        changed = {at for at in old if old[at] != new[at]}
        rows = plain(diff(before, after))

        assert changed <= {tuple(row[name] for name in key) for row in rows}
        # Beyond the first rule, a further one may come or go.
        assert {"another reason"} >= {
            str(row["change"])
            for row in rows
            if tuple(row[name] for name in key) not in changed
        }


def test_a_difference_is_a_data_frame_too() -> None:
    """All rows have the same keys and types."""
    rows = diff(Scheme.STATIC, Scheme.LPA2)

    assert rows == library("polars").DataFrame(rows).to_dicts()
    assert rows == json.loads(json.dumps(rows))


# The picture


def parsed(svg: str) -> ET.Element:
    """Return a picture as a tree."""
    return ET.fromstring(svg)  # noqa: S314 - our own


def tips(svg: str) -> list[str]:
    """Return what the cells say under the pointer."""
    return [
        "".join(title.itertext())
        for group in parsed(svg).iter(f"{SVG}g")
        for title in group.findall(f"{SVG}title")
    ]


def words(svg: str) -> list[str]:
    """Return every text of a picture."""
    return ["".join(text.itertext()) for text in parsed(svg).iter(f"{SVG}text")]


def test_a_cell_for_each_row() -> None:
    """The tip of a supported cell has the shape, that of a refused one the reason."""
    rows = survey(granules=[14], va_bits=[36], schemes=[Scheme.STATIC])
    found = tips(survey_chart(rows))

    assert len(rows) == len(found)
    assert "40-bit IPA: 2 levels from level 2, 16 tables, 256 KiB" in found
    assert sum("stage-2 levels" in tip for tip in found) == 52 - 40


def test_levels_and_crosses_are_written() -> None:
    """A cell has a number or a cross: its meaning does not depend on colour."""
    texts = words(survey_chart(survey(granules=[14], va_bits=[36])))
    rows = survey(granules=[14], va_bits=[36])
    counted = {
        level: sum(row["levels"] == level for row in rows) for level in (2, 3, 4)
    }

    # One sample of each stands in the legend.
    assert {2: 36, 3: 19, 4: 1} == counted
    assert [36, 19 + 1, 1] == [texts.count(str(level)) for level in (2, 3, 4)]
    assert texts.count("\u00d7") == 105 - 56 + 1


def test_the_description_has_the_whole_answer() -> None:
    """A screen reader reads which widths are supported."""
    svg = survey_chart(survey(granules=[14], va_bits=[36]))
    said = parsed(svg).findtext(f"{SVG}desc", "")

    assert "16K pages, VA 36 static: 32 to 40." in said
    assert "16K pages, VA 36 fake-pgd: none." in said
    assert "16K pages, VA 36 lpa2: 32 to 52." in said


def test_gaps_in_the_widths_are_told() -> None:
    """Widths are written as runs, and a single one as a number."""
    rows = survey(
        granules=[12], va_bits=[48], ipa_bits=[32, 40, 41], schemes=[Scheme.LPA2]
    )
    said = parsed(survey_chart(rows)).findtext(f"{SVG}desc", "")

    assert said.endswith("4K pages, VA 48 lpa2: 32, 40 to 41.")


def test_lines_are_in_order_whatever_the_rows() -> None:
    """Pages together, then hosts by width, then schemes by age."""
    rows = survey(granules=[12, 14], va_bits=[48, 39], ipa_bits=[40, 41])
    labels = [text for text in words(survey_chart(rows[::-1])) if "VA" in text]

    assert labels == 2 * [
        f"VA {va_bits} {scheme.value}" for va_bits in (39, 48) for scheme in Scheme
    ]


def test_what_differs_is_in_the_label() -> None:
    """A kernel's PA and the CPU are named where they are not the same for all."""
    rows = survey(
        granules=[16],
        va_bits=[48],
        pa_bits=[48, 52],
        schemes=[Scheme.LPA2],
        cpus=[None, Cpu(52, ttst=True)],
    )
    texts = words(survey_chart(rows))

    assert "VA 48 lpa2, kernel PA 52, CPU any" in texts
    assert "VA 48 lpa2, kernel PA 48, CPU PA 52, TTST" in texts


def test_a_release_is_named_as_such() -> None:
    """Its lines stand below those of the schemes; older rows have no such column."""
    rows = survey(
        granules=[12],
        va_bits=[48],
        ipa_bits=[40],
        schemes=[Scheme.LPA2],
        releases=["6.12", "4.19"],
    )
    labels = [text for text in words(survey_chart(rows)) if "VA" in text]
    [older] = plain(rows[:1])
    del older["release"]

    assert ["VA 48 lpa2", "VA 48 Linux 6.12", "VA 48 Linux 4.19"] == labels
    assert "VA 48 lpa2" in words(survey_chart([older]))


def test_a_missing_cell_is_empty() -> None:
    """What was not asked has neither number nor cross."""
    rows = survey(
        granules=[12], va_bits=[39], ipa_bits=[32, 33], schemes=[Scheme.STATIC]
    )
    rows += survey(granules=[12], va_bits=[48], ipa_bits=[33], schemes=[Scheme.STATIC])

    assert len(tips(survey_chart(rows))) == 3


def test_rows_from_outside_are_escaped() -> None:
    """Markup in the text of a row is not markup in the picture."""
    [row] = survey(granules=[12], va_bits=[48], ipa_bits=[40], schemes=[Scheme.LPA2])
    hostile = "</title><script>alert('&\"')</script>\x00\ud800"
    svg = survey_chart(
        [
            {**row, "scheme": hostile, "granule": hostile, "cpu": hostile},
            {**row, "supported": False, "reason": hostile, "va_bits": "9" * 5000},
            {**row, "ipa_bits": 41, "supported": False, "reason": None},
        ]
    )

    assert "<script" not in svg
    assert "alert('&\"')</script>\ufffd\ufffd" in "".join(tips(svg))
    assert "41-bit IPA: refused" in tips(svg)


@pytest.mark.parametrize(
    ("wrong", "words_of_it"),
    [
        ([], "at least one row"),
        ([{"granule": "4K"}], "cpu, ipa_bits, pa_bits, scheme, supported, va_bits"),
        ({"levels": None}, "levels must be a whole number, got None"),
        ({"levels": 2.5}, "levels must be a whole number, got 2.5"),
        ({"pgd_size": "big"}, "pgd_size must be a whole number, got 'big'"),
        ({"concatenation": float("nan")}, "concatenation must be a whole number"),
        ({"pgd_size": float("inf")}, "pgd_size must be a whole number, got inf"),
        ({"ipa_bits": -1}, "ipa_bits must be a whole number, got -1"),
    ],
)
def test_what_is_no_survey_is_refused(wrong: Any, words_of_it: str) -> None:
    """The message says what a row lacks."""
    [row] = survey(granules=[12], va_bits=[48], ipa_bits=[40], schemes=[Scheme.LPA2])
    rows = wrong if isinstance(wrong, list) else [{**row, **wrong}]
    with pytest.raises(InvalidArgument) as refusal:
        survey_chart(rows)

    assert words_of_it in str(refusal.value)


@pytest.mark.parametrize("wrong", [None, 1, {"granule": "4K"}, [1], ["row"]])
def test_what_has_no_rows_is_a_type_error(wrong: Any) -> None:
    """Rows are an iterable of mappings."""
    with pytest.raises(TypeError):
        survey_chart(wrong)
