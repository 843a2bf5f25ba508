# SPDX-License-Identifier: MIT
"""`Word`: a register as declared fields.

The body of a register's class is its table. A line such as

    sl0: int = bits("SL0", 7, 6, reads=_start_level)

declares an attribute and, with it, the row that decodes, encodes, checks and explains
that field and makes its line in the documentation. What no row claims is held in place
by one more attribute, declared with `rest`, so that ``int(Word.from_int(w)) == w`` for
every word there is.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, Self

import attrs
from attrs import frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import Geometry
from s2geom.core.numbers import integer, unsigned
from s2geom.core.wording import quoted

Reading = Callable[[Any], str]
"""Returns what a field's value means in a whole word."""


@frozen
class Field:
    """One field of a register: a row of its table.

    Args:
        name: The architecture's name.
        high: Its highest bit.
        low: Its lowest bit.
        values: What each value means; one that is missing is reserved. Empty where
            the value is a number.
        reads: What the value means, where that depends on other fields of the word.
        feature: The architecture feature that brought it; None if it was always there.
        moved: How far down the attribute moves the bits. To bit 0 it is ``low``; an
            address keeps its bits where they are, so that it reads as an address.
    """

    name: str
    high: int
    low: int
    values: Mapping[int, str]
    reads: Reading | None
    feature: str | None
    moved: int

    @property
    def mask(self) -> int:
        """The bits of the word that it holds."""
        return (1 << self.high + 1) - (1 << self.low)

    @property
    def largest(self) -> int:
        """The largest value of the attribute."""
        return self.mask >> self.moved

    @property
    def bits(self) -> str:
        """Its place, as the manual writes it: ``"7:6"`` or ``"31"``."""
        return f"{self.high}:{self.low}" if self.high > self.low else f"{self.low}"

    def take(self, word: int) -> int:
        """Return the attribute's value in a word."""
        return (word & self.mask) >> self.moved

    def place(self, value: int) -> int:
        """Return the word that has the attribute's value and no other bit."""
        return value << self.moved

    def spell(self, value: int) -> str:
        """Return a value as text: hexadecimal for an address."""
        return f"{value}" if self.moved == self.low else f"{value:#x}"

    def explain(self, word: "Word", value: int) -> str:
        """Return one sentence about the value in a word."""
        if self.reads is not None:
            meaning = self.reads(word)
        else:
            meaning = self.values.get(value, "reserved")
        return f"{self.name} = {self.spell(value)}: {meaning}."


def _entering(field: Field, attribute: str) -> Callable[[object], int]:
    """Return what checks a value on its way into the attribute."""

    def enter(value: object) -> int:
        number = integer(attribute, value)
        if 0 <= number <= field.largest and not number & ~field.largest:
            return number
        within = f"0..{field.largest}"
        if field.moved != field.low:
            within = f"within {field.largest:#x}"
        raise InvalidArgument(
            f"{attribute} must be {within}, got {field.spell(number)}"
        )

    return enter


def _declared(field: Field, attribute: str | None, default: int) -> Any:
    enter = _entering(field, attribute or field.name.lower())
    return attrs.field(default=default, converter=enter, metadata={Field: field})


def bit_range(
    name: str,
    high: int,
    low: int,
    values: Mapping[int, str] | None = None,
    *,
    reads: Reading | None = None,
    feature: str | None = None,
    moved: int | None = None,
    attribute: str | None = None,
) -> Any:
    """Declare a field; see `Field`. The attribute is the name in small letters."""
    if moved is None:
        moved = low
    field = Field(name, high, low, values or {}, reads, feature, moved)
    return _declared(field, attribute, 0)


def bit(
    name: str,
    place: int,
    clear: str,
    sets: str,
    *,
    reads: Reading | None = None,
    feature: str | None = None,
    attribute: str | None = None,
    default: int = 0,
) -> Any:
    """Declare a field of one bit by what it means when clear and when set."""
    values = {0: clear, 1: sets}
    return _declared(
        Field(name, place, place, values, reads, feature, moved=place),
        attribute,
        default,
    )


def rest(attribute: str, means: str) -> Any:
    """Declare the attribute that holds, in place, every bit no field claims."""

    def enter(value: object) -> int:
        return integer(attribute, value)  # Word checks which bits it has

    return attrs.field(default=0, converter=enter, metadata={Field: means})


@frozen
class _Layout:
    """The table of a register, as its class declares it."""

    fields: tuple[tuple[str, Field, int], ...]  # attribute, row, default
    rest: str
    rest_means: str
    rest_mask: int


_LAYOUTS: dict[type, _Layout] = {}
"""The layout of each class, so that it is collected once and not for each word."""


def _layout(register: type["Word"]) -> _Layout:
    """Collect the rows of a class."""
    layout = _LAYOUTS.get(register)
    if layout is not None:
        return layout
    fields = []
    rest_name = rest_means = ""
    unclaimed = (1 << register.WIDTH) - 1
    for attribute in attrs.fields(register):
        row = attribute.metadata[Field]
        if isinstance(row, Field):
            fields.append((attribute.name, row, attribute.default))
            unclaimed &= ~row.mask
        else:
            rest_name, rest_means = attribute.name, row
    fields.sort(key=lambda entry: entry[1].low)
    layout = _Layout(tuple(fields), rest_name, rest_means, unclaimed)
    _LAYOUTS[register] = layout
    return layout


def _meant_instead(register: type["Word"], value: object) -> str:
    """Return the call that takes a value that is no number, or nothing."""
    if isinstance(value, str):
        return f"; int({quoted(value)}, 0) reads a number"
    if isinstance(value, Geometry) and hasattr(register, "for_geometry"):
        return f"; {register.__name__}.for_geometry makes a word of a geometry"
    return ""


@frozen(repr=False)
class Word(Displayed):
    """The base of a register's class: its fields as one word."""

    WIDTH: ClassVar[int] = 64
    """Bits of the word."""

    FIRST_BIT: ClassVar[int] = 0
    """The manual's number of bit 0, where the word is a part of something larger."""

    def __init_subclass__(cls) -> None:
        """Let a word that is passed to the class name the call that reads it."""
        init = cls.__dict__.get("__init__")
        if init is None:  # attrs has not made it yet
            return

        @wraps(init)
        def by_name(self: object, *args: object, **fields: object) -> None:
            if args:
                number = args[0]
                given = f"{number:#x}" if type(number) is int else quoted(number)
                raise TypeError(
                    f"{cls.__name__} takes its fields by name; "
                    f"{cls.__name__}.from_int({given}) reads a word"
                )
            init(self, **fields)

        setattr(cls, "__init__", by_name)  # noqa: B010 - type checkers keep attrs's

    def __attrs_post_init__(self) -> None:
        layout = _layout(type(self))
        value = getattr(self, layout.rest)
        if value & ~layout.rest_mask:  # true of a negative number too
            raise InvalidArgument(
                f"{layout.rest} must be made of bits that no field has, "
                f"{layout.rest_mask:#x}, got {value:#x}"
            )

    @classmethod
    def fields(cls) -> tuple[Field, ...]:
        """Return the table of the register, lowest field first."""
        return tuple(row for _, row, _ in _layout(cls).fields)

    @classmethod
    def from_int(cls, word: int) -> Self:
        """Take a word apart; every bit of it is kept.

        Args:
            word: The register as a number of `WIDTH` bits.

        Raises:
            InvalidArgument: It is negative or has more bits.
            TypeError: It is no integer.
        """
        try:
            word = unsigned("word", word, cls.WIDTH)
        except TypeError as wrong:
            raise TypeError(f"{wrong}{_meant_instead(cls, word)}") from None
        layout = _layout(cls)
        values = {name: row.take(word) for name, row, _ in layout.fields}
        values[layout.rest] = word & layout.rest_mask
        return cls(**values)

    def __int__(self) -> int:
        layout = _layout(type(self))
        word: int = getattr(self, layout.rest)
        for name, row, _ in layout.fields:
            word |= row.place(getattr(self, name))
        return word

    __index__ = __int__

    def explain(self) -> tuple[str, ...]:
        """Return one plain sentence a field, lowest field first.

        A sentence about the bits that no field has comes last, where one is set.
        """
        layout = _layout(type(self))
        sentences = [
            row.explain(self, getattr(self, name)) for name, row, _ in layout.fields
        ]
        others = getattr(self, layout.rest)
        if others:
            sentences.append(f"Other bits = {others:#x}: {layout.rest_means}.")
        return tuple(sentences)

    def __repr__(self) -> str:
        layout = _layout(type(self))
        arguments = [
            f"{name}={row.spell(getattr(self, name))}"
            for name, row, default in layout.fields
            if getattr(self, name) != default
        ]
        others = getattr(self, layout.rest)
        if others:
            arguments.append(f"{layout.rest}={others:#x}")
        return f"{type(self).__name__}({', '.join(arguments)})"
