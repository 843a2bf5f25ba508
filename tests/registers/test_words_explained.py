# SPDX-License-Identifier: MIT
"""What every value of every field of every register is said to mean.

It is kept in ``kept/words.txt``, to be read beside the manual: a field's name, its bits
and the feature that brought it, then a line for each value, or for the least and the
greatest where a field is a number. The other fields have their defaults, except that an
STE's tables are VMSAv8-64 and that a syndrome is of a guest's data abort.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from keeping import kept

import s2geom as s2
from s2geom.core.fields import Word

KEPT = Path(__file__).parents[1] / "kept" / "words.txt"

WORDS: tuple[type[Word], ...] = (
    s2.VTCR_EL2,
    s2.VTTBR_EL2,
    s2.STE,
    s2.ESR_EL2,
    s2.ID_AA64MMFR0_EL1,
    s2.ID_AA64MMFR1_EL1,
    s2.ID_AA64MMFR2_EL1,
    s2.ID_AA64MMFR3_EL1,
)

PLAIN: dict[type[Word], Word] = {
    s2.STE: s2.STE(s2aa64=1),
    s2.ESR_EL2: s2.ESR_EL2(ec=0x24, isv=1, il=1),
}
"""What the other fields have, where their defaults would say too little."""


def explained(register: type[Word]) -> Iterator[str]:
    """Return all that is said of a register's fields."""
    plain = int(PLAIN.get(register, register()))
    yield f"# {register.__name__}, {register.WIDTH} bits from {register.FIRST_BIT}"
    for field in register.fields():
        since = f", {field.feature}" if field.feature else ""
        yield ""
        yield f"{field.name}, {field.bits}{since}"
        most = field.mask >> field.low
        reserved = []
        for value in range(most + 1) if most < 16 else (0, 1, most):
            word = register.from_int(plain & ~field.mask | value << field.low)
            [said] = [
                line for line in word.explain() if line.startswith(f"{field.name} = ")
            ]
            if said.endswith(": reserved."):
                reserved.append(f"{value}")
            else:
                yield f"    {said}"
        if reserved:
            yield f"    reserved: {', '.join(reserved)}"


REFERRING = re.compile(
    r"\b(?:these|those|such|so it|as before|as above|likewise|the same|too|also)\b"
)
"""Words by which a sentence leans on one that stands before it."""


def test_the_text_of_a_value_stands_alone() -> None:
    """No text continues that of another value, which is not shown beside it."""
    texts = [line for register in WORDS for line in explained(register)]

    assert [] == [text for text in texts if REFERRING.search(text)]


def test_the_text_of_each_value_is_kept() -> None:
    """The kept sentences were read beside the manual once."""
    shown = "\n\n\n".join("\n".join(explained(register)) for register in WORDS) + "\n"

    assert kept(KEPT, shown) == shown
