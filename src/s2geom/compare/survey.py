# SPDX-License-Identifier: MIT
"""`survey`: the same question over a grid, as rows for a data frame or a picture.

A row is a flat dict of plain values, and all rows have the same keys, so that
``pandas.DataFrame(rows)``, ``polars.DataFrame(rows)`` and ``json.dumps(rows)`` work as
they are; none of them is imported here.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import product
from typing import TypedDict, TypeVar, cast

from s2geom.compare.shape_facts import SHAPE_FACTS
from s2geom.core.errors import InvalidArgument, Violations
from s2geom.core.granule import Granule, granule_of
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.core.wording import counted, quoted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.limits import IPA_MINIMUM, KCONFIG_VA_BITS
from s2geom.kernel.question import Answer, Question, question
from s2geom.kernel.scheme import Kernel, Scheme, kernel_of, kernel_of_scheme

NO_CPU = "any"
"""What the ``cpu`` column says where no CPU bounds the answer."""


class AskedColumns(TypedDict):
    """The columns that rows of a survey and of a difference have in common."""

    granule: str
    page_shift: int
    ipa_bits: int
    va_bits: int
    pa_bits: int
    cpu: str


@public
class SurveyRow(AskedColumns):
    """One row of `survey`: a question, and KVM's answer.

    ``release`` is empty in the row of a scheme, and ``scheme`` in the row of a release.
    The numbers of the shape are None where KVM refuses, and ``rule``, ``limited_by``
    and ``reason`` are empty where it does not. ``premises`` has what the answer
    assumes.

    .. versionadded:: 0.2.0
    """

    scheme: str
    release: str
    supported: bool
    levels: int | None
    start_level: int | None
    concatenation: int | None
    pgd_entries: int | None
    pgd_size: int | None
    pgd_alignment: int | None
    pgd_pages: int | None
    pgdir_shift: int | None
    min_cache_pages: int | None
    t0sz: int | None
    lpa2: bool | None
    rule: str
    limited_by: str
    reason: str
    premises: str


@public
class DiffRow(AskedColumns):
    """One row of `diff`: a question to which two kernels give two answers.

    .. versionadded:: 0.2.0
    """

    scheme_before: str
    release_before: str
    scheme_after: str
    release_after: str
    change: str
    before: str
    after: str
    premises: str


def _asked(case: Question) -> AskedColumns:
    return {
        "granule": str(case.granule),
        "page_shift": int(case.granule),
        "ipa_bits": case.ipa_bits,
        "va_bits": case.va_bits,
        "pa_bits": case.pa_bits,
        "cpu": _cpu_name(case.cpu),
    }


def _names(kernel: Kernel) -> tuple[str, str]:
    """Return the scheme and the release of a kernel, of which one is empty."""
    return ("", kernel.release) if kernel.release else (kernel.scheme.value, "")


def survey_row(
    asked: AskedColumns,
    kernel: tuple[str, str],
    answer: Answer,
    premises: Iterable[str],
) -> SurveyRow:
    """Return a question and its answer as a row.

    Args:
        asked: The columns of the question.
        kernel: The scheme and the release, of which one is empty.
        answer: A shape, or every limit in its way.
        premises: What the answer assumes.
    """
    row = {
        **asked,
        "scheme": kernel[0],
        "release": kernel[1],
        **_answer_columns(answer),
        "premises": "; ".join(premises),
    }
    return cast("SurveyRow", row)


def _answer_columns(answer: Answer) -> dict[str, object]:
    # Text is never None: a column of text that begins with gaps has no type.
    if isinstance(answer, Violations):
        return {
            "supported": False,
            **dict.fromkeys(SHAPE_COLUMNS),
            "rule": answer[0].rule,
            "limited_by": answer[0].limited_by,
            "reason": "; also: ".join(violation.message for violation in answer),
        }
    shape = {name: getattr(answer, name) for name in SHAPE_COLUMNS}
    return {"supported": True, **shape, "rule": "", "limited_by": "", "reason": ""}


SHAPE_COLUMNS = tuple(fact.name for fact in SHAPE_FACTS if fact.name != "paging_form")
"""The columns of a shape: its facts, without the one that is no plain value."""


@lru_cache(maxsize=64)
def _cpu_name(cpu: Cpu | None) -> str:
    """Return a CPU in a few words, differently for every two that differ."""
    if cpu is None:
        return NO_CPU
    features = {
        f"PA {cpu.pa_bits}": True,
        f"stage 2 has {_pages(cpu.granules)}": cpu.granules != frozenset(Granule),
        "LPA": cpu.lpa and cpu.pa_bits <= 48,
        f"LPA2 for {_pages(cpu.lpa2)}": cpu.lpa2,
        f"LPA2 at both stages for {_pages(cpu.lpa2_both_stages)}": (
            cpu.lpa2_both_stages != cpu.lpa2
        ),
        "TTST": cpu.ttst,
        "AArch32 at EL1": cpu.aarch32_el1,
    }
    return ", ".join(words for words, is_told in features.items() if is_told)


def _pages(granules: Iterable[Granule]) -> str:
    return " and ".join(map(str, sorted(granules))) or "none"


Item = TypeVar("Item")


def _several(
    name: str, values: Iterable[Item] | None, default: Iterable[Item] | None = None
) -> tuple[Item, ...]:
    """Return the values of an argument in their order, without repetitions."""
    if values is None:
        values = default
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be an iterable of values, got {quoted(values)}")
    return tuple(dict.fromkeys(values))


def _questions(
    kernels: Iterable[Kernel],
    granules: Iterable[int] | None,
    ipa_bits: Iterable[int] | None,
    va_bits: Iterable[int] | None,
    pa_bits: Iterable[int],
    cpus: Iterable[Cpu | None],
) -> Iterator[Question]:
    """Lay out the grid; the IPA is its innermost axis."""
    widths = range(IPA_MINIMUM, IPA_MAXIMUM + 1)
    for (granule, va), pa, kernel, cpu, ipa in product(
        _hosts(granules, va_bits),
        _several("pa_bits", pa_bits),
        kernels,
        _several("cpus", cpus),
        _several("ipa_bits", ipa_bits, widths),
    ):
        yield question(granule, ipa, va, pa_bits=pa, kernel=kernel, cpu=cpu)


def _hosts(
    granules: Iterable[int] | None, va_bits: Iterable[int] | None
) -> list[tuple[Granule, int]]:
    """Return the page sizes and VA widths; without widths, those of Kconfig."""
    sizes = [granule_of(size) for size in _several("granules", granules, Granule)]
    if va_bits is None:
        return [(size, va) for size in sizes for va in _offered(size)]
    return [*product(sizes, _several("va_bits", va_bits))]


def _offered(granule: Granule) -> list[int]:
    """Return the VA widths that Kconfig has offered with a page size."""
    return [va for size, va in KCONFIG_VA_BITS if size is granule]


@public
def survey(
    *,
    granules: Iterable[int] | None = None,
    ipa_bits: Iterable[int] | None = None,
    va_bits: Iterable[int] | None = None,
    pa_bits: Iterable[int] = (48,),
    schemes: Iterable[Scheme] = tuple(Scheme),
    releases: Iterable[str] = (),
    cpus: Iterable[Cpu | None] = (None,),
) -> list[SurveyRow]:
    """Return what KVM makes of every combination of some values, one row each.

    Args:
        granules: Page sizes, or page shifts; None for all three.
        ipa_bits: Widths of the guest's addresses in bits; None for 32..52.
        va_bits: Widths of the host's virtual addresses in bits, 25..52; None for those
            that Kconfig has offered with the page size.
        pa_bits: CONFIG_ARM64_PA_BITS: 48, 52 or both.
        schemes: How the kernels choose.
        releases: Kernels that are asked with their own limits, beside the schemes.

            .. versionadded:: 0.2.0
        cpus: What bounds the answers; None among them asks whether some CPU gives the
            width.

    Returns:
        Flat dicts that all have the same keys, see `SurveyRow`. Supported rows come
        first, and otherwise rows are in the order of the grid: a data frame takes a
        column's type from its first values.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.
        UnsupportedCombination: A release is older than v3.18.

    >>> rows = survey(granules=[14], va_bits=[36], schemes=[Scheme.STATIC])
    >>> max(row["ipa_bits"] for row in rows if row["supported"])
    40
    >>> rows[-1]["rule"]
    'levels-exceed-host'
    """
    kernels = [*map(kernel_of_scheme, _several("schemes", schemes))]
    kernels += map(kernel_of, _several("releases", releases))
    rows = [
        survey_row(_asked(case), _names(case.kernel), case.answer(), case.premises)
        for case in _questions(kernels, granules, ipa_bits, va_bits, pa_bits, cpus)
    ]
    return sorted(rows, key=lambda row: not row["supported"])


# From one kernel to another


@public
def diff(
    before: Scheme | str,
    after: Scheme | str,
    *,
    granules: Iterable[int] | None = None,
    ipa_bits: Iterable[int] | None = None,
    va_bits: Iterable[int] | None = None,
    pa_bits: Iterable[int] = (48,),
    cpus: Iterable[Cpu | None] = (None,),
) -> list[DiffRow]:
    """Return what changes from one kernel to another, one row a configuration.

    Args:
        before: The old kernel: a scheme, or a release with its own limits.
        after: The new kernel, likewise.
        granules: Page sizes, or page shifts; None for all three.
        ipa_bits: Widths of the guest's addresses in bits; None for 32..52.
        va_bits: Widths of the host's virtual addresses in bits, 25..52; None for those
            that Kconfig has offered with the page size.
        pa_bits: CONFIG_ARM64_PA_BITS: 48, 52 or both.
        cpus: What bounds the answers; None among them asks whether some CPU gives the
            width.

    Returns:
        Flat dicts for the configurations whose answer is another one: the question,
        the two kernels, the ``change`` (``"now supported"``, ``"now refused"``,
        ``"another shape"`` or ``"another reason"``), and both answers as text,
        ``before`` and ``after``. A configuration whose answer stays has no row.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.
        UnsupportedCombination: A release is older than v3.18.

    >>> [row] = diff(Scheme.STATIC, Scheme.LPA2, granules=[14], ipa_bits=[41],
    ...              va_bits=[36])
    >>> row["change"], row["after"]
    ('now supported', '3 levels from level 1, 1 table, 256 B')
    >>> {row["change"] for row in diff("5.14", "5.15", granules=[12], cpus=[Cpu(52)])}
    {'another reason'}
    """
    first, second = map(_kernel, (before, after))
    grid = granules, ipa_bits, va_bits, pa_bits, cpus
    rows: list[DiffRow] = []
    for case in _questions([first], *grid):
        later = case._replace(kernel=second)
        old, new = case.answer(), later.answer()
        change = _change(old, new)
        if change:
            premises = dict.fromkeys((*case.premises, *later.premises))
            rows.append(
                {
                    **_asked(case),
                    "scheme_before": _names(first)[0],
                    "release_before": _names(first)[1],
                    "scheme_after": _names(second)[0],
                    "release_after": _names(second)[1],
                    "change": change,
                    "before": _answer_text(old),
                    "after": _answer_text(new),
                    "premises": "; ".join(premises),
                }
            )
    return rows


def _kernel(named: Scheme | str) -> Kernel:
    """Return the kernel of a scheme, or of a release."""
    if isinstance(named, str) and not isinstance(named, Scheme):
        return kernel_of(named)
    return kernel_of_scheme(named)


KINDS_OF_CHANGE = {
    (True, True): "another reason",
    (True, False): "now supported",
    (False, True): "now refused",
    (False, False): "another shape",
}
"""What changes, by whether the old and the new answer are refusals."""


def _change(old: Answer, new: Answer) -> str:
    """Return what kind of change there is, or nothing."""
    if _compared(old) == _compared(new):
        return ""
    return KINDS_OF_CHANGE[isinstance(old, Violations), isinstance(new, Violations)]


def _compared(answer: Answer) -> object:
    """Return what two answers are compared by: the shape, or the rules that refuse."""
    if isinstance(answer, Violations):
        return [violation.rule for violation in answer]
    return answer


def _answer_text(answer: Answer) -> str:
    columns = _answer_columns(answer)
    return str(columns["reason"]) or shape_text(columns)


def shape_text(row: Mapping[str, object]) -> str:
    """Return the shape of a supported row in a few words."""
    levels, tables, size = (
        whole(row, name) for name in ("levels", "concatenation", "pgd_size")
    )
    return (
        f"{counted(levels, 'level')} from level {4 - levels}, "
        f"{counted(tables, 'table')}, {size_text(size)}"
        + (", LPA2" if row.get("lpa2") else "")
    )


def whole(row: Mapping[str, object], name: str) -> int:
    """Return a number of a row; a data frame with gaps has made it a float."""
    value = row.get(name)
    with suppress(TypeError, ValueError, OverflowError):
        number = int(value)  # type: ignore[call-overload]
        if number == value and number >= 0:
            return int(number)
    raise InvalidArgument(f"a row's {name} must be a whole number, got {quoted(value)}")
