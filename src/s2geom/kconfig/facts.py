# SPDX-License-Identifier: MIT
"""The facts of one file: `read_facts`.

A damaged file must not give a wrong answer. What contradicts itself, or what Kconfig
never offered, is an `UnreadableInput` that names the option and the line.
"""

from collections.abc import Iterable

from attrs import frozen

from s2geom.core.errors import UnreadableInput
from s2geom.core.granule import Granule, granule_of, hw_pgtable_levels
from s2geom.core.numbers import integer_within
from s2geom.core.wording import counted
from s2geom.kconfig.options import (
    GIVEN,
    KVM_FACT,
    LEVELS_FACT,
    PA_BITS_FACT,
    PAGE_SHIFT_FACT,
    VA_BITS_FACT,
    ConfigFact,
    OptionRow,
    one_of,
)
from s2geom.kconfig.origins import Origin
from s2geom.kconfig.release import release_origin
from s2geom.kconfig.text import File, Setting
from s2geom.kernel.changes import FAKE_LEVELS
from s2geom.kernel.limits import KCONFIG_VA_BITS, VA_MAXIMUM, VA_MINIMUM
from s2geom.kernel.releases import parse_release


@frozen
class FoundFact:
    """A fact as one file has it.

    Args:
        fact: The fact.
        value: Its value.
        setting: The setting that gives it; None where it is derived.
    """

    fact: ConfigFact
    value: int
    setting: Setting | None = None

    @property
    def words(self) -> str:
        """The fact and its value, as messages write them."""
        return f"{self.fact.words} {self.fact.shown(self.value)}"

    @property
    def was_given(self) -> bool:
        """Whether the caller gave it."""
        return self.setting is None and self.fact.derived_from == GIVEN

    @property
    def giver(self) -> str:
        """The setting, or what the caller gave in its place."""
        return str(self.setting or f"the {self.words} that was given")

    @property
    def origin(self) -> Origin:
        """Where it was found."""
        setting = self.setting
        if setting is None:
            words = f"derived from {self.fact.derived_from}"
            return Origin(self.value, None, None, words)
        words = f"read from {setting.text}, line {setting.line}"
        return Origin(self.value, setting.option, setting.line, words)


def read_facts(
    file: File, page_shift: int | None, va_bits: int | None
) -> dict[str, FoundFact]:
    """Return the facts of a file, by name, in the order of `FACTS`.

    Args:
        file: The file.
        page_shift: log2 of the page size, where no option gives it.
        va_bits: Width of the kernel's virtual addresses, likewise.

    Raises:
        UnreadableInput: An option has a value that it cannot have, two contradict each
            other or what was given, or none gives a fact that has no default.
        InvalidArgument: A given value is outside its range.
        TypeError: A given value is no integer.
    """
    if page_shift is not None:
        page_shift = int(granule_of(page_shift))
    if va_bits is not None:
        va_bits = integer_within("va_bits", va_bits, VA_MINIMUM, VA_MAXIMUM)
    page = _read_or_given(PAGE_SHIFT_FACT, file, page_shift)
    va = _read_or_given(VA_BITS_FACT, file, va_bits)
    pa = _fact_in(PA_BITS_FACT, file)
    _refuse_va_of_another_page_size(page, va)
    _refuse_lpa2_with_64k(file, page)
    needed = hw_pgtable_levels(page.value, va.value)
    levels = _fact_in(LEVELS_FACT, file, needed)
    if levels.value != needed:
        raise UnreadableInput(
            f"{levels.setting} contradicts {page.giver} and {va.giver}: these "
            f"need {needed} levels"
        )
    found = page, va, pa, levels, _fact_in(KVM_FACT, file)
    return {one.fact.name: one for one in found}


def _read_or_given(fact: ConfigFact, file: File, hand: int | None) -> FoundFact:
    """Return a fact as the file has it, or as the caller does where no option has it.

    Raises:
        UnreadableInput: Both have it and differ, or as `_fact_in` says.
    """
    found = _fact_in(fact, file, hand)
    if hand is not None and found.value != hand:
        raise UnreadableInput(
            f"{found.setting} contradicts the {fact.words} that was given: "
            f"{fact.shown(found.value)} against {fact.shown(hand)}"
        )
    return found


def _fact_in(fact: ConfigFact, file: File, default: int | None = None) -> FoundFact:
    """Return a fact as the options of a file give it.

    Args:
        fact: The fact.
        file: The file.
        default: Its value where no option gives it, if the fact has no default.

    Raises:
        UnreadableInput: An option has a value that it cannot have, two contradict, or
            none gives a fact that has no default.
    """
    given = _given(fact, fact.rows, file) or _given(fact, fact.last_resort, file)
    found = given[0] if given else _default(fact, file, default)
    for other in given:
        if other.value != found.value:
            raise UnreadableInput(
                f"{other.setting} contradicts {found.setting}: {other.words} "
                f"against {fact.shown(found.value)}"
            )
    _refuse_denied(found, file)
    return found


def _given(fact: ConfigFact, rows: Iterable[OptionRow], file: File) -> list[FoundFact]:
    """Return the fact as each row gives it, without the rows that say nothing."""
    found = []
    for row in rows:
        setting = file.settings.get(row.option)
        value = None if setting is None else _meaning(row, setting)
        if value is not None:
            found.append(FoundFact(fact, value, setting))
    return found


def _meaning(row: OptionRow, setting: Setting) -> int | None:
    if setting.value not in row.means:
        raise UnreadableInput(f"{setting} must be {row.accepted}")
    return row.means[setting.value]


def _default(fact: ConfigFact, file: File, given: int | None) -> FoundFact:
    value = fact.default if given is None else given
    if value is None:
        raise UnreadableInput(_missing(fact, file))
    return FoundFact(fact, value)


def _missing(fact: ConfigFact, file: File) -> str:
    origin = release_origin(file)
    release = origin.value
    if release and parse_release(str(release))[:2] < FAKE_LEVELS.mainline:
        return (
            f"Linux {release} (line {origin.line}) is older than "
            f"{FAKE_LEVELS.first}, the oldest kernel whose configuration is read here: "
            f"its {fact.words} has no option"
        )
    options = one_of([row.option for row in fact.rows + fact.last_resort])
    lines = counted(file.lines, "line")
    return (
        f"no {fact.words} in {lines}: {options} would give it; a defconfig "
        "leaves out what is the default, the .config made from it does not"
    )


def _refuse_denied(found: FoundFact, file: File) -> None:
    """Refuse a value whose own options are in the file, and none of them is set."""
    own = found.fact.options_for(found.value)
    denials = [file.settings[option] for option in own if option in file.settings]
    if not denials or any(map(file.switched_on, own)):
        return
    rest = "has nothing in its place"
    if found.setting:
        rest = f"contradicts {found.setting}"
    raise UnreadableInput(f"{denials[0]} {rest}: {found.words}")


def _refuse_va_of_another_page_size(page: FoundFact, va: FoundFact) -> None:
    """Refuse a VA width that no release of Kconfig offered with the page size."""
    granule = Granule(page.value)
    offered = [bits for size, bits in KCONFIG_VA_BITS if size is granule]
    if va.value not in offered:
        raise UnreadableInput(
            f"{va.giver} contradicts {page.giver}: {granule} pages come with a VA "
            f"of {one_of(offered)} bits"
        )


def _refuse_lpa2_with_64k(file: File, page: FoundFact) -> None:
    lpa2 = file.switched_on("CONFIG_ARM64_LPA2")
    if lpa2 and page.value == Granule.K64:
        raise UnreadableInput(
            f"{lpa2} contradicts {page.giver}: LPA2 is for 4K and 16K pages"
        )
