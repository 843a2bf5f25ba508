# SPDX-License-Identifier: MIT
"""How numbers enter: integers of any kind, and nothing that only looks like one."""

import operator
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from attrs import define

from s2geom import (
    Cpu,
    Geometry,
    Granule,
    Host,
    InvalidArgument,
    IpaIndex,
    Scheme,
    UnsupportedCombination,
    check,
    fake_pgd,
    hw_pgtable_level_shift,
    hw_pgtable_levels,
    kernel_macros,
    leaf_size,
    stage2,
)
from s2geom.core.numbers import flag, integer, integer_within
from s2geom.core.wording import quoted
from s2geom.kernel import choose as kvm


@define
class Width:
    """Something that is no `int` and can be an index: a register of a debugger."""

    bits: int

    def __index__(self) -> int:
        return self.bits


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    kvm._ANSWERS.clear()  # noqa: SLF001  (what is remembered is what is tested)
    yield
    kvm._ANSWERS.clear()  # noqa: SLF001


QUESTIONS: dict[str, Callable[..., Any]] = {
    "stage2": stage2,
    "check": check,
    "fake_pgd": fake_pgd,
    "kernel_macros": kernel_macros,
}
"""What takes a page shift, an IPA width and a VA width, in that order."""

everywhere = pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)

NOT_INTEGERS = [
    True,
    False,
    14.0,
    14.5,
    "14",
    b"14",
    None,
    [14],
    {14},
    {"bits": 14},
    (14,),
    14j,
    Decimal(14),
    Fraction(14),
    np.float64(14),
    np.bool_(True),
    np.array([14, 14]),
    Scheme.STATIC,
    object,
]


class TestInteger:
    """`integer`, through which each number goes."""

    @pytest.mark.parametrize(
        "number",
        [
            14,
            Granule.K16,
            Width(14),
            np.int8(14),
            np.int64(14),
            np.uint64(14),
            np.array(14),
        ],
        ids=repr,
    )
    def test_takes_what_has_an_index(self, number: Any) -> None:
        """Whatever it was, it is a plain `int` from here on."""
        assert (int, 14) == (type(integer("n", number)), integer("n", number))

    @pytest.mark.parametrize("value", NOT_INTEGERS, ids=repr)
    def test_refuses_what_only_looks_like_one(self, value: Any) -> None:
        """The message names the argument, the value and its type."""
        with pytest.raises(TypeError) as caught:
            integer("width", value)

        assert (
            f"width must be an integer, got {value!r} ({type(value).__name__})"
            == str(caught.value)
        )

    def test_an_index_that_fails_otherwise_says_so(self) -> None:
        """An error inside a caller's own ``__index__`` is not swallowed."""

        class Broken:
            def __index__(self) -> int:
                raise RuntimeError("no register")

        with pytest.raises(RuntimeError, match="no register"):
            integer("width", Broken())

    @pytest.mark.parametrize(
        "number", [(1 << 2048) - 1, 1 - (1 << 2048)], ids=["most", "least"]
    )
    def test_takes_the_largest_that_can_be_written_out(self, number: int) -> None:
        """Python writes out at least 640 digits, however it is configured."""
        assert number == integer("n", number)
        assert len(str(abs(number))) <= 640

    @pytest.mark.parametrize(
        ("bits", "number"),
        [(2049, 1 << 2048), (2049, -1 << 2048), (50001, 1 << 50000)],
        ids=["above", "below", "far"],
    )
    def test_refuses_what_no_message_could_name(self, bits: int, number: int) -> None:
        """A number of thousands of digits is a mistake, and a sentence says so."""
        with pytest.raises(InvalidArgument) as caught:
            integer("n", number)

        assert f"n must have at most 2048 bits, got a number of {bits} bits" == str(
            caught.value
        )


class TestIntegerWithin:
    """`integer_within`, for numbers with a range."""

    @pytest.mark.parametrize("number", [3, 5, 9])
    def test_takes_both_ends(self, number: int) -> None:
        """The range is closed."""
        assert number == integer_within("n", number, 3, 9)

    @pytest.mark.parametrize("number", [2, 10, -5])
    def test_refuses_either_side(self, number: int) -> None:
        """The message gives the range."""
        with pytest.raises(InvalidArgument) as caught:
            integer_within("n", number, 3, 9)

        assert f"n must be 3..9, got {number}" == str(caught.value)

    def test_a_bool_in_the_range_is_no_integer(self) -> None:
        """True is 1 in Python, and a mistake here."""
        with pytest.raises(TypeError, match="n must be an integer, got True"):
            integer_within("n", True, 0, 1)


class TestFlag:
    """`flag`, for yes and no."""

    @pytest.mark.parametrize("value", [False, True])
    def test_takes_a_bool(self, value: bool) -> None:
        """Nothing else is an answer to a question."""
        assert value is flag("lpa2", value)

    @pytest.mark.parametrize("value", [0, 1, None, "yes", np.bool_(True)], ids=repr)
    def test_refuses_anything_else(self, value: Any) -> None:
        """0 and 1 are numbers."""
        with pytest.raises(TypeError) as caught:
            flag("lpa2", value)

        assert f"lpa2 must be a bool, got {value!r} ({type(value).__name__})" == str(
            caught.value
        )


@everywhere
@pytest.mark.parametrize("value", NOT_INTEGERS, ids=repr)
@pytest.mark.parametrize("name", ["page_shift", "ipa_bits", "va_bits"])
def test_each_question_refuses_each_wrong_type(
    ask: Callable[..., Any], name: str, value: Any
) -> None:
    """A wrong type is a `TypeError` of ours, remembered answer or not."""
    right = {"page_shift": 14, "ipa_bits": 40, "va_bits": 36}
    for ipa_bits in (0, 1, 14, 40):
        check(14, ipa_bits, 36)
    ask(**right)

    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            ask(**right | {name: value})

        message, _, hint = str(caught.value).partition("; ")
        assert (
            f"{name} must be an integer, got {value!r} ({type(value).__name__})"
            == message
        )
        assert bool(hint) is (name == "page_shift" and isinstance(value, str))
        assert caught.value.__context__ is None or ask is not stage2


CPU_48 = "Cpu(48) is a CPU with 48-bit physical addresses"


@pytest.mark.parametrize("ask", [stage2, check])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pa_bits", 48.0, "pa_bits must be an integer, got 48.0 (float)"),
        ("pa_bits", True, "pa_bits must be an integer, got True (bool)"),
        ("pa_bits", [48], "pa_bits must be an integer, got [48] (list)"),
        (
            "scheme",
            "static",
            (
                "scheme must be a Scheme, got 'static'; Scheme.for_release('6.12') is "
                "that of a release"
            ),
        ),
        ("release", 6, "release must be text such as '6.1', got 6"),
        ("release", [], "release must be text such as '6.1', got []"),
        ("protected", 1, "protected must be a bool, got 1 (int)"),
        ("protected", None, "protected must be a bool, got None (NoneType)"),
        ("scheme", [], "scheme must be a Scheme, got []"),
        ("scheme", Scheme, "scheme must be a Scheme, got <enum 'Scheme'>"),
        ("cpu", 47, "cpu must be a Cpu or None, got 47"),
        ("cpu", 48, "cpu must be a Cpu or None, got 48; " + CPU_48),
        ("cpu", {}, "cpu must be a Cpu or None, got {}"),
        ("cpu", Cpu, "cpu must be a Cpu or None, got <class 's2geom.Cpu'>"),
    ],
)
def test_the_other_arguments_have_their_types(
    ask: Callable[..., Any], name: str, value: Any, message: str
) -> None:
    """Unhashable values of the other arguments are a `TypeError` with our message."""
    ask(14, 40, 36)

    with pytest.raises(TypeError) as caught:
        ask(14, 40, 36, **{name: value})

    assert message == str(caught.value)


@everywhere
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((13, 40, 36), "page_shift must be 12 (4K), 14 (16K) or 16 (64K), got 13"),
        ((-14, 40, 36), "page_shift must be 12 (4K), 14 (16K) or 16 (64K), got -14"),
        ((14, 40, 24), "va_bits must be 25..52, got 24"),
        ((14, 40, 53), "va_bits must be 25..52, got 53"),
        ((14, 40, -36), "va_bits must be 25..52, got -36"),
        (
            (14, 1 << 9999, 36),
            "ipa_bits must have at most 2048 bits, got a number of 10000 bits",
        ),
    ],
    ids=["13", "-14", "24", "53", "-36", "huge"],
)
def test_each_question_refuses_each_wrong_value(
    ask: Callable[..., Any], arguments: tuple[int, ...], message: str
) -> None:
    """A mistake in the call is `InvalidArgument`, and says what would be right."""
    for _ in range(2):
        with pytest.raises(InvalidArgument) as caught:
            ask(*arguments)

        assert message == str(caught.value)


@pytest.mark.parametrize("ask", [stage2, check])
@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("ipa_bits must not be negative, got -1", {"ipa_bits": -1}),
        ("pa_bits must be 48 or 52, got 50", {"pa_bits": 50}),
        ("pa_bits must be 48 or 52, got -48", {"pa_bits": -48}),
    ],
)
def test_no_width_is_negative(
    ask: Callable[..., Any], message: str, arguments: dict[str, int]
) -> None:
    """A negative width is a mistake in the call, not a limit of a machine."""
    with pytest.raises(InvalidArgument) as caught:
        ask(**{"page_shift": 14, "ipa_bits": 40, "va_bits": 36} | arguments)

    assert message == str(caught.value)


@pytest.mark.parametrize("ask", [fake_pgd, kernel_macros])
@pytest.mark.parametrize("ipa_bits", [-1, 0, 31, 53])
def test_the_macros_have_a_domain(ask: Callable[..., Any], ipa_bits: int) -> None:
    """The macros answer for every width from 32 to 52 bits, and for no other."""
    with pytest.raises(InvalidArgument) as caught:
        ask(12, ipa_bits, 48)

    assert f"ipa_bits must be 32..52, got {ipa_bits}" == str(caught.value)


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_a_width_outside_the_domain_is_a_fact_about_machines(
    page_shift: int, scheme: Scheme
) -> None:
    """0 to 31 and 53 on are refused by machines, with their reasons."""
    for ipa_bits in [*range(32), *range(53, 200), 1 << 100, 1 << 2047]:
        rule = "ipa-below-minimum" if ipa_bits < 32 else "ipa-above-maximum"
        broken = check(page_shift, ipa_bits, 48, scheme=scheme)
        with pytest.raises(UnsupportedCombination) as caught:
            stage2(page_shift, ipa_bits, 48, scheme=scheme)

        assert broken == caught.value.violations
        assert rule in {violation.rule for violation in broken}
        assert str(ipa_bits) in str(caught.value)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, Width])
def test_numbers_of_a_notebook_become_plain_ints(kind: Callable[[int], Any]) -> None:
    """Values hold plain `int`s, whatever integers they were made of."""
    expected = Geometry(Granule.K16, 40, 2)
    for remembered in (False, True):
        kvm._ANSWERS.clear()  # noqa: SLF001
        if remembered:
            stage2(14, 40, 36)
        shape = stage2(kind(14), kind(40), kind(36), pa_bits=kind(48))

        assert expected == shape
        assert int is type(shape.ipa_bits)
        assert () == check(kind(14), kind(40), kind(36), pa_bits=kind(48))

    assert all(type(part) is int for key in kvm._ANSWERS for part in key[1:4])  # noqa: SLF001
    assert 262144 == kernel_macros(kind(14), kind(40), kind(36))["S2_PGD_SIZE"]
    assert int is type(fake_pgd(kind(14), kind(40), kind(36)).geometry.ipa_bits)
    assert 2 == hw_pgtable_levels(kind(14), kind(36))
    assert 21 == hw_pgtable_level_shift(kind(12), kind(2))
    host = Host(kind(14), kind(36), kind(48))
    assert "Host(page_shift=14, va_bits=36, pa_bits=48)" == repr(host)
    assert expected == host.stage2(kind(40))
    assert 1 << 14 == leaf_size(shape, host, operator.index(kind(16)) << 10)
    assert Geometry(Granule.K16, 40, 2) == Geometry(kind(14), kind(40), kind(2))
    index = shape.split(kind(100))
    assert 100 == shape.join(IpaIndex(shape, kind(0), (kind(0), kind(0)), kind(100)))
    assert IpaIndex(shape, kind(0), (kind(0), kind(0)), kind(100)) == index


@pytest.mark.parametrize("refused", [0, 1])
def test_a_remembered_refusal_is_not_given_to_a_bool(refused: int) -> None:
    """True is refused even where the answer for 1 is remembered."""
    assert check(14, refused, 36)

    for value in (bool(refused), np.bool_(refused), float(refused)):
        with pytest.raises(TypeError, match="ipa_bits must be an integer"):
            stage2(14, value, 36)  # type: ignore[arg-type]


def test_a_remembered_answer_is_the_same_answer() -> None:
    """Remembered shapes and refusals equal the first ones, and `check` agrees."""
    for ipa_bits in (40, 41):
        first = check(14, ipa_bits, 36)
        try:
            assert stage2(14, ipa_bits, 36) == stage2(14, ipa_bits, 36)
        except UnsupportedCombination as refusal:
            again = refusal
            assert first == again.violations
        else:
            assert () == first


def test_each_refusal_is_an_exception_of_its_own() -> None:
    """Each refusal is a new exception, so tracebacks do not add up."""
    caught = []
    for _ in range(2):
        with pytest.raises(UnsupportedCombination) as info:
            stage2(14, 41, 36)
        caught.append(info.value)

    assert caught[0] is not caught[1]
    assert caught[0].violations == caught[1].violations


@pytest.mark.parametrize("kind", [float, complex, Decimal, Fraction, np.float64])
@pytest.mark.parametrize("name", ["page_shift", "ipa_bits", "va_bits", "pa_bits"])
def test_a_float_that_equals_a_cached_integer_is_refused(
    name: str, kind: Callable[[int], Any]
) -> None:
    """A float is refused, although it equals the remembered integer as a key."""
    right: dict[str, Any] = {
        "page_shift": 14,
        "ipa_bits": 40,
        "va_bits": 36,
        "pa_bits": 48,
    }
    stage2(**right)
    for ask in (stage2, check):
        with pytest.raises(TypeError, match=f"^{name} must be an integer, got "):
            ask(**right | {name: kind(right[name])})


@pytest.mark.parametrize("kind", [int, np.int64])
def test_a_question_is_worked_out_once(
    kind: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shapes and refusals of the domain are worked out once."""
    shape = stage2(14, 40, 36)
    broken = check(14, 41, 36)

    def worked_out(*question: object) -> None:
        raise AssertionError(question)

    monkeypatch.setattr(kvm, "_new_answer", worked_out)

    assert shape is stage2(kind(14), kind(40), kind(36), pa_bits=kind(48))
    with pytest.raises(UnsupportedCombination) as caught:
        stage2(kind(14), kind(41), kind(36), pa_bits=kind(48))
    assert broken == caught.value.violations
    with pytest.raises(AssertionError):
        stage2(14, 39, 47)


def test_many_cpus_keep_the_cache_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The memory is cleared at its bound, and the answers stay right."""
    monkeypatch.setattr(kvm, "_MOST_ANSWERS", 260)
    sizes = (32, 36, 40, 42, 44, 48, 52)
    for ttst in (False, True):
        for pa_bits in sizes:
            for ipa_bits in range(32, 53):
                cpu = Cpu(pa_bits, ttst=ttst)
                broken = check(16, ipa_bits, 48, scheme=Scheme.LPA2, cpu=cpu)

                assert (ipa_bits > pa_bits) == bool(broken)
                assert len(kvm._ANSWERS) <= 260  # noqa: SLF001


def test_the_bound_holds_every_configuration() -> None:
    """The whole domain without CPUs fits into the memory three times."""
    domain = 3 * len(range(32, 53)) * len(range(25, 53)) * 2 * len(Scheme)

    assert 3 * domain < kvm._MOST_ANSWERS  # noqa: SLF001


def test_widths_outside_the_domain_are_not_remembered() -> None:
    """A loop over widths outside the domain cannot fill the memory."""
    for ipa_bits in (0, 31, 53, 1000):
        check(12, ipa_bits)

    assert {} == kvm._ANSWERS  # noqa: SLF001


class Unspeakable:
    """A value whose repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        ("x" * 118, "'" + "x" * 118 + "'"),
        ("x" * 119, "'" + "x" * 116 + "..."),
        (bytearray(1 << 20), "bytearray(b'" + r"\x00" * 26 + r"\..."),
        ([0] * 100_000, "[" + "0, " * 38 + "0,..."),
        (10**5000, "<int>"),  # more digits than Python writes out
        (Unspeakable(), "<Unspeakable>"),
    ],
    ids=["None", "whole", "text", "bytes", "list", "digits", "repr"],
)
def test_a_message_quotes_a_part_of_a_large_value(value: object, expected: str) -> None:
    """A memory dump in the wrong place is not repeated, and anything has a message."""
    assert expected == quoted(value)


@pytest.mark.parametrize("value", [10**5000, Unspeakable()], ids=["digits", "repr"])
def test_a_value_without_a_repr_is_a_type_error(
    value: Any,
) -> None:
    """A value without a repr is named by its type in the message."""
    kind = type(value).__name__

    with pytest.raises(TypeError, match=f"ttst must be a bool, got <{kind}>"):
        Cpu(48, ttst=value)
    with pytest.raises(TypeError, match=f"cpu must be a Cpu or None, got <{kind}>"):
        stage2(12, 40, cpu=value)
