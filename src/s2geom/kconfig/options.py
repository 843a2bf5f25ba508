# SPDX-License-Identifier: MIT
"""The options that give a fact: `FACTS`, a row each.

Over twelve years Kconfig has spelled the same few facts in several ways. A row has the
options of a fact in the order in which they are believed, and what their values mean.
The first one that is there gives the fact; a later one may only agree.
"""

from collections.abc import Callable, Iterable, Mapping

from attrs import frozen

from s2geom.core.granule import Granule
from s2geom.core.wording import bits


def one_of(things: Iterable[object]) -> str:
    """Return what is accepted, in words: ``"12, 14 or 16"``."""
    *some, last = map(str, things)
    return f"{', '.join(some)} or {last}"


@frozen
class OptionRow:
    """An option that gives a fact.

    Args:
        option: Its name.
        means: The values it can have, and what each says; None is nothing.
        accepted: What messages say that it can be.
    """

    option: str
    means: Mapping[str, int | None]
    accepted: str = "y or not set; arm64 has it built in or not at all"


@frozen
class ConfigFact:
    """A fact about the kernel.

    Args:
        name: The name of its `Origin`.
        words: What messages call it.
        rows: The options that give it, the most trusted first.
        last_resort: Options that count only where none of the others gives it.
        default: What it is where no option gives it; None where one must.
        derived_from: Where the default comes from, in words.
        shown: How messages write a value.
    """

    name: str
    words: str
    rows: tuple[OptionRow, ...]
    last_resort: tuple[OptionRow, ...] = ()
    default: int | None = None
    derived_from: str = ""
    shown: Callable[[int], str] = str

    def options_for(self, value: int) -> list[str]:
        """Return the options that give a value where they are y."""
        return [row.option for row in self.rows if row.means.get("y") == value]


GIVEN = "what the caller gave"
"""Where a fact without an option comes from, if the caller may give it."""


def _numeric(option: str, *values: int) -> OptionRow:
    means: dict[str, int | None] = {str(value): value for value in values}
    return OptionRow(option, {"n": None} | means, one_of(values))


def _switch(option: str, value: int) -> OptionRow:
    return OptionRow(option, {"y": value, "n": None})


PAGE_SHIFT_FACT = ConfigFact(
    "page_shift",
    "page size",
    rows=(
        _numeric("CONFIG_PAGE_SHIFT", 12, 14, 16),  # v6.9
        _numeric("CONFIG_ARM64_PAGE_SHIFT", 12, 14, 16),  # v4.7-v6.8
        _switch("CONFIG_ARM64_4K_PAGES", 12),
        _switch("CONFIG_ARM64_16K_PAGES", 14),  # v4.4
        _switch("CONFIG_ARM64_64K_PAGES", 16),
    ),
    # v6.9. A distribution merges its files for all page sizes, and strays stay behind.
    last_resort=(
        _switch("CONFIG_PAGE_SIZE_4KB", 12),
        _switch("CONFIG_PAGE_SIZE_16KB", 14),
        _switch("CONFIG_PAGE_SIZE_64KB", 16),
    ),
    derived_from=GIVEN,
    shown=lambda value: str(Granule(value)),
)

VA_BITS_FACT = ConfigFact(
    "va_bits",
    "VA width",
    rows=(
        _numeric("CONFIG_ARM64_VA_BITS", 36, 39, 42, 47, 48, 52),
        _switch("CONFIG_ARM64_VA_BITS_36", 36),
        _switch("CONFIG_ARM64_VA_BITS_39", 39),
        _switch("CONFIG_ARM64_VA_BITS_42", 42),
        _switch("CONFIG_ARM64_VA_BITS_47", 47),
        _switch("CONFIG_ARM64_VA_BITS_48", 48),
        _switch("CONFIG_ARM64_VA_BITS_52", 52),
        # v5.0-v5.3: 52 bits for user space, while the kernel's own stay 48.
        _switch("CONFIG_ARM64_USER_VA_BITS_52", 48),
    ),
    derived_from=GIVEN,
    shown=bits,
)

PA_BITS_FACT = ConfigFact(
    "pa_bits",
    "PA width",
    rows=(
        _numeric("CONFIG_ARM64_PA_BITS", 48, 52),  # v4.16
        _switch("CONFIG_ARM64_PA_BITS_48", 48),
        _switch("CONFIG_ARM64_PA_BITS_52", 52),
        _switch("CONFIG_ARM64_LPA2", 52),  # v6.9, where 4K or 16K have PA_BITS_52
    ),
    default=48,  # as in every kernel before there was an option
    derived_from="the absence of an option for it",
    shown=bits,
)

LEVELS_FACT = ConfigFact(
    "pgtable_levels",
    "level count",
    rows=(
        _numeric("CONFIG_PGTABLE_LEVELS", 2, 3, 4, 5),  # v4.2
        _numeric("CONFIG_ARM64_PGTABLE_LEVELS", 2, 3, 4, 5),  # v3.18-v4.1
    ),
    derived_from="page size and VA width",
)

KVM_FACT = ConfigFact(
    "kvm",
    "KVM",
    rows=(
        OptionRow("CONFIG_KVM", {"y": True, "n": False}),
        _switch("CONFIG_KVM_ARM_HOST", value=True),  # up to v5.7, selected by KVM
        OptionRow(
            "CONFIG_VIRTUALIZATION", {"y": None, "n": False}
        ),  # KVM depends on it
    ),
    default=False,
    derived_from="the absence of CONFIG_KVM",
    shown=lambda value: "on" if value else "off",
)

FACTS = (PAGE_SHIFT_FACT, VA_BITS_FACT, PA_BITS_FACT, LEVELS_FACT, KVM_FACT)
"""What is read from a configuration beside the release."""
