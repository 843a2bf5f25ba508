# SPDX-License-Identifier: MIT
"""`LeafRun`: leaves side by side, their addresses and their attributes.

It does not depend on how descriptors encode them: that is in `leaf_words`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from s2geom.core.geometry import Level

if TYPE_CHECKING:  # tables are counted without loading what descriptors say
    from s2geom.tables.attributes import Attributes

ONLY_COUNTED: Any = None
"""The attributes of leaves that are counted and never written."""


@frozen
class LeafRun:
    """Leaves of one level, side by side in the input and in the output addresses.

    Args:
        level: Their level of lookup.
        ipa: Input address of the first, in bytes.
        pa: Output address of the first, in bytes.
        count: How many they are.
        contiguous: Whether they are whole contiguous groups.
        attributes: What they say about the memory that they map.
    """

    level: Level
    ipa: int
    pa: int
    count: int
    contiguous: bool = False
    attributes: "Attributes" = ONLY_COUNTED

    @property
    def size(self) -> int:
        """Bytes that they map."""
        return self.count << self.level.shift

    @property
    def end(self) -> int:
        """The input address after the last."""
        return self.ipa + self.size

    @property
    def unit(self) -> int:
        """Bytes that cannot be mapped otherwise in part: a leaf, or a whole group."""
        group = self.level.contiguous if self.contiguous else 1
        return group << self.level.shift

    def goes_on_with(self, other: "LeafRun") -> bool:
        """Return whether both together are one run."""
        return (self.end, self.pa + self.size) == (other.ipa, other.pa) and (
            (self.level, self.contiguous, self.attributes)
            == (other.level, other.contiguous, other.attributes)
        )

    def part(self, start: int, end: int) -> "LeafRun":
        """Return the leaves from one input address to another, both between leaves."""
        return LeafRun(
            self.level,
            start,
            self.pa + start - self.ipa,
            (end - start) >> self.level.shift,
            self.contiguous,
            self.attributes,
        )


def joined(runs: Iterable[LeafRun]) -> list[LeafRun]:
    """Return leaves in the order of their addresses, runs that go on as one run."""
    whole: list[LeafRun] = []
    for run in runs:
        if whole and whole[-1].goes_on_with(run):
            before = whole.pop()
            whole.append(before.part(before.ipa, run.end))
        else:
            whole.append(run)
    return whole


def divided(run: LeafRun) -> LeafRun:
    """Return leaves without nT, as smaller ones that take their place have it."""
    if not run.attributes.nt:
        return run
    return evolve(run, attributes=evolve(run.attributes, nt=False))
