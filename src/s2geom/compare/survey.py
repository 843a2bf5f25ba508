# SPDX-License-Identifier: MIT
"""`survey`: the same question over a grid, as rows for a data frame or a picture.

A row is a flat dict of plain values, and all rows have the same keys, so that
``pandas.DataFrame(rows)``, ``polars.DataFrame(rows)`` and ``json.dumps(rows)`` work as
they are; none of them is imported here. The columns are the table `COLUMNS`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TypeVar

from attrs import frozen

from s2geom.compare.shape_facts import SHAPE_FACTS
from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violation
from s2geom.core.granule import Granule, granule_of
from s2geom.core.public import public
from s2geom.core.units import size_text
from s2geom.core.wording import counted, quoted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.choose import stage2
from s2geom.kernel.limits import IPA_MINIMUM, KCONFIG_VA_BITS
from s2geom.kernel.question import Answer
from s2geom.kernel.scheme import Scheme

Plain = str | int | bool | None
"""What a cell of a row holds: what JSON, pandas and polars take as it is."""

NO_CPU = "any"
"""What the ``cpu`` column says where no CPU bounds the answer."""


@frozen
class _Question:
    """A configuration: one cell of the grid."""

    granule: Granule
    va_bits: int
    pa_bits: int
    scheme: Scheme
    cpu: Cpu | None
    ipa_bits: int

    def answer(self) -> Answer:
        """Return the shape that KVM uses, or every limit in its way."""
        try:
            return stage2(
                self.granule,
                self.ipa_bits,
                self.va_bits,
                pa_bits=self.pa_bits,
                scheme=self.scheme,
                cpu=self.cpu,
            )
        except UnsupportedCombination as refusal:
            return refusal.violations

    def under(self, scheme: Scheme) -> "_Question":
        """Return the same question to another kernel."""
        return _Question(
            self.granule, self.va_bits, self.pa_bits, scheme, self.cpu, self.ipa_bits
        )

    @property
    def columns(self) -> dict[str, Plain]:
        """The columns of the question, without the scheme."""
        return {
            "granule": str(self.granule),
            "page_shift": int(self.granule),
            "ipa_bits": self.ipa_bits,
            "va_bits": self.va_bits,
            "pa_bits": self.pa_bits,
            "cpu": _cpu_name(self.cpu),
        }


SHAPE_COLUMNS = tuple(fact.name for fact in SHAPE_FACTS if fact.name != "paging_form")
"""The columns of a shape: its facts, without the one that is no plain value."""


def _cpu_name(cpu: Cpu | None) -> str:
    """Return a CPU in a few words, differently for every two that differ."""
    if cpu is None:
        return NO_CPU
    features = [f"PA {cpu.pa_bits}"]
    if cpu.granules != frozenset(Granule):
        features.append(f"stage 2 has {_names(cpu.granules)}")
    if cpu.lpa and cpu.pa_bits <= 48:
        features.append("LPA")
    if cpu.lpa2:
        features.append(f"LPA2 for {_names(cpu.lpa2)}")
    features += ["TTST"] * cpu.ttst + ["AArch32 at EL1"] * cpu.aarch32_el1
    return ", ".join(features)


def _names(granules: Iterable[Granule]) -> str:
    return " and ".join(map(str, sorted(granules))) or "none"


Item = TypeVar("Item")


def _several(name: str, values: Iterable[Item]) -> tuple[Item, ...]:
    """Return the values of an argument in their order, without repetitions."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be an iterable of values, got {quoted(values)}")
    return tuple(dict.fromkeys(values))


def _questions(
    granules: Iterable[int] | None,
    ipa_bits: Iterable[int] | None,
    va_bits: Iterable[int] | None,
    pa_bits: Iterable[int],
    schemes: Iterable[Scheme],
    cpus: Iterable[Cpu | None],
) -> Iterator[_Question]:
    """Lay out the grid; the IPA is its innermost axis."""
    sizes = [
        granule_of(value)
        for value in (
            _several("granules", granules) if granules is not None else Granule
        )
    ]
    ipas = (
        range(IPA_MINIMUM, IPA_MAXIMUM + 1)
        if ipa_bits is None
        else _several("ipa_bits", ipa_bits)
    )
    vas = None if va_bits is None else _several("va_bits", va_bits)
    axes = (
        _several("pa_bits", pa_bits),
        _several("schemes", schemes),
        _several("cpus", cpus),
        ipas,
    )
    for granule in sizes:
        offered = [va for size, va in KCONFIG_VA_BITS if size is granule]
        for va, (pa, scheme, cpu, ipa) in product(
            offered if vas is None else vas, product(*axes)
        ):
            yield _Question(granule, va, pa, scheme, cpu, ipa)


@public
def survey(
    *,
    granules: Iterable[int] | None = None,
    ipa_bits: Iterable[int] | None = None,
    va_bits: Iterable[int] | None = None,
    pa_bits: Iterable[int] = (48,),
    schemes: Iterable[Scheme] = tuple(Scheme),
    cpus: Iterable[Cpu | None] = (None,),
) -> list[dict[str, Plain]]:
    """Return what KVM makes of every combination of some values, one row each.

    Args:
        granules: Page sizes, or page shifts; None for all three.
        ipa_bits: Widths of the guest's addresses in bits; None for 32..52.
        va_bits: Widths of the host's virtual addresses in bits, 25..52; None for those
            that Kconfig has offered with the page size.
        pa_bits: CONFIG_ARM64_PA_BITS: 48, 52 or both.
        schemes: How the kernels choose.
        cpus: What bounds the answers; None among them asks for the kernel's own rules.

    Returns:
        Flat dicts that all have the same keys: the question, whether it is
        ``supported``, the numbers of the shape (None where it is refused), and for a
        refusal the id of the first ``rule``, who it is ``limited_by`` and the whole
        ``reason`` (empty where it is supported). Supported rows come first, and
        otherwise rows are in the order of the grid: a data frame takes a column's
        type from its first values.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    >>> rows = survey(granules=[14], va_bits=[36], schemes=[Scheme.STATIC])
    >>> max(row["ipa_bits"] for row in rows if row["supported"])
    40
    >>> rows[-1]["rule"]
    'levels-exceed-host'
    """
    rows = [
        _row(question)
        for question in _questions(granules, ipa_bits, va_bits, pa_bits, schemes, cpus)
    ]
    return sorted(rows, key=lambda row: not row["supported"])


def _row(question: _Question) -> dict[str, Plain]:
    answer = question.answer()
    refused = isinstance(answer, tuple)
    return {
        **question.columns,
        "scheme": question.scheme.value,
        "supported": not refused,
        **{name: None if refused else getattr(answer, name) for name in SHAPE_COLUMNS},
        # Never None: a column of text that begins with gaps has no type.
        "rule": answer[0].rule if isinstance(answer, tuple) else "",
        "limited_by": answer[0].limited_by if isinstance(answer, tuple) else "",
        "reason": _reason(answer) if isinstance(answer, tuple) else "",
    }


def _reason(violations: Sequence[Violation]) -> str:
    return "; also: ".join(violation.message for violation in violations)


# From one kernel to another


@public
def diff(
    before: Scheme,
    after: Scheme,
    *,
    granules: Iterable[int] | None = None,
    ipa_bits: Iterable[int] | None = None,
    va_bits: Iterable[int] | None = None,
    pa_bits: Iterable[int] = (48,),
    cpus: Iterable[Cpu | None] = (None,),
) -> list[dict[str, Plain]]:
    """Return what changes from one kernel to another, one row a configuration.

    Args:
        before: How the old kernel chooses.
        after: How the new kernel does.
        granules: Page sizes, or page shifts; None for all three.
        ipa_bits: Widths of the guest's addresses in bits; None for 32..52.
        va_bits: Widths of the host's virtual addresses in bits, 25..52; None for those
            that Kconfig has offered with the page size.
        pa_bits: CONFIG_ARM64_PA_BITS: 48, 52 or both.
        cpus: What bounds the answers; None among them asks for the kernel's own rules.

    Returns:
        Flat dicts for the configurations whose answer is another one: the question,
        the two schemes, the ``change`` (``"now supported"``, ``"now refused"``,
        ``"another shape"`` or ``"another reason"``), and both answers as text,
        ``before`` and ``after``. A configuration whose answer stays has no row.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value has the wrong type.

    >>> [row] = diff(Scheme.STATIC, Scheme.LPA2, granules=[14], ipa_bits=[41],
    ...              va_bits=[36])
    >>> row["change"], row["after"]
    ('now supported', '3 levels from level 1, 1 table, 256 B')
    """
    rows = []
    for question in _questions(granules, ipa_bits, va_bits, pa_bits, (before,), cpus):
        old, new = question.answer(), question.under(after).answer()
        change = _change(old, new)
        if change:
            rows.append(
                {
                    **question.columns,
                    "scheme_before": before.value,
                    "scheme_after": after.value,
                    "change": change,
                    "before": _answer_text(old),
                    "after": _answer_text(new),
                }
            )
    return rows


def _change(old: Answer, new: Answer) -> str:
    """Return what kind of change there is, or nothing."""
    if isinstance(old, tuple) and isinstance(new, tuple):
        rules = ([why.rule for why in answer] for answer in (old, new))
        return "" if next(rules) == next(rules) else "another reason"
    if isinstance(old, tuple):
        return "now supported"
    if isinstance(new, tuple):
        return "now refused"
    return "" if old == new else "another shape"


def _answer_text(answer: Answer) -> str:
    if isinstance(answer, tuple):
        return _reason(answer)
    return shape_text({name: getattr(answer, name) for name in SHAPE_COLUMNS})


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
    try:
        number = int(value)  # type: ignore[call-overload]
        if number == value and number >= 0:
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidArgument(f"a row's {name} must be a whole number, got {quoted(value)}")
