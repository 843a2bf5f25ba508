# SPDX-License-Identifier: MIT
"""Which guests a kernel release accepts: its very rules, back-ported fixes included.

A `Scheme` models its last release, and `kvm` explains its limits. Here is what stood in
between: `LIMITS` has a row for each limit on the width of a guest's IPA, and a limit
comes and goes with a `Change`, which knows the stable branches that have it too.
"""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen

from s2geom.core.granule import Granule
from s2geom.core.wording import bits
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM, IPA_WITHOUT_LPA2
from s2geom.kernel.choose import Host
from s2geom.kernel.limits import IPA_MINIMUM
from s2geom.kernel.scheme import Scheme

KVM_PHYS_SHIFT = 40
"""The IPA width of every guest before v4.20, and since then of one that asks for 0."""

Version = tuple[int, int, int]


@frozen
class Change:
    """A commit, and where it is.

    Args:
        mainline: The first release that has it.
        source: The release and the commit's subject.
        stable: The first release of each stable branch that has it too.
    """

    mainline: Version
    source: str
    stable: tuple[Version, ...] = ()

    def is_in(self, release: Version) -> bool:
        """Return whether a release has it."""
        return release >= self.mainline or any(
            release[:2] == first[:2] and release >= first for first in self.stable
        )


FAKE_LEVELS = Change((3, 18, 0), Scheme.FAKE_PGD.source)
STATIC_LEVELS = Change((4, 7, 0), Scheme.STATIC.source)
WIDTH_PER_VM = Change((4, 20, 0), Scheme.DYNAMIC.source)
GRANULE_CHECKED = Change(
    (5, 9, 0), "Linux v5.9, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2"
)
HOST_IRRELEVANT = Change((5, 10, 0), Scheme.INDEPENDENT.source)
# The stable releases are those whose review announced the patch; of 5.10, 5.10.198
# was also read.
LPA2_GRANULES_KNOWN = Change(
    (5, 12, 0),
    "Linux v5.12, arm64/mm: Fix __enable_mmu() for new TGRAN range values "
    "(26f55386f964)",
    stable=((5, 10, 153),),
)
DEFAULT_CHECKED = Change(
    (5, 12, 0),
    "Linux v5.12, KVM: arm64: Reject VM creation when the default IPA size is "
    "unsupported (7d717558dd5e)",
    stable=((5, 4, 106), (5, 10, 24), (5, 11, 7)),
)
CAPPED_AT_48 = Change(
    (5, 15, 0),
    "Linux v5.15, KVM: arm64: Restrict IPA size to maximum 48 bits on 4K and 16K page "
    "size (5e5df9571c31)",
    stable=((5, 10, 68), (5, 14, 7)),
)
LPA2_GUESTS = Change((6, 8, 0), Scheme.LPA2.source)


@frozen
class Limit:
    """The widest IPA that a host and a CPU leave to a guest.

    Args:
        states: The limit as a sentence.
        since: The commit that brought it.
        ceiling: The width in bits, `NO_GUEST` where there is no KVM at all.
        until: The commit that took it away.
        needs_cpu: Whether it is asked only where a CPU is given.
    """

    states: str
    since: Change
    ceiling: Callable[[Host, Any], int]
    until: Change | None = None
    needs_cpu: bool = False

    def is_in(self, release: Version) -> bool:
        """Return whether a release applies it."""
        over = self.until is not None and self.until.is_in(release)
        return self.since.is_in(release) and not over


NO_GUEST = 0


def _bounded(applies: bool, ceiling: int = NO_GUEST) -> int:
    return ceiling if applies else IPA_MAXIMUM


LIMITS = (
    Limit(
        "16K pages have no KVM as long as levels are faked",
        since=FAKE_LEVELS,
        until=STATIC_LEVELS,
        ceiling=lambda host, _: _bounded(host.granule is Granule.K16),
    ),
    Limit(
        "the IPA is no wider than PARange",
        since=FAKE_LEVELS,
        needs_cpu=True,
        ceiling=lambda _, cpu: cpu.pa_bits,
    ),
    Limit(
        "the IPA fits in the host's own levels and physical addresses",
        since=WIDTH_PER_VM,
        until=HOST_IRRELEVANT,
        ceiling=lambda host, _: host.max_ipa_bits(Scheme.DYNAMIC) or IPA_MINIMUM - 1,
    ),
    Limit(
        "the CPU has the page size at stage 2",
        since=GRANULE_CHECKED,
        needs_cpu=True,
        ceiling=lambda host, cpu: _bounded(host.granule not in cpu.granules),
    ),
    Limit(
        "a page size with LPA2 is taken for an unknown one",
        since=GRANULE_CHECKED,
        until=LPA2_GRANULES_KNOWN,
        needs_cpu=True,
        ceiling=lambda host, cpu: _bounded(host.granule in cpu.lpa2),
    ),
    Limit(
        "4K and 16K pages end at 48 bits",
        since=CAPPED_AT_48,
        until=LPA2_GUESTS,
        ceiling=lambda host, _: _bounded(
            host.granule is not Granule.K64, IPA_WITHOUT_LPA2
        ),
    ),
    Limit(
        "4K and 16K pages end at 48 bits on a CPU without LPA2",
        since=LPA2_GUESTS,
        needs_cpu=True,
        ceiling=lambda host, cpu: _bounded(
            host.granule not in {Granule.K64, *cpu.lpa2}, IPA_WITHOUT_LPA2
        ),
    ),
)
"""Every limit on the width of a guest's IPA, and the releases that apply it."""


def reasons_for_none(host: Host, release: Version, cpu: Cpu | None) -> Iterator[str]:
    """Return the limits that leave a release without any guest, in words."""
    least = IPA_MINIMUM if WIDTH_PER_VM.is_in(release) else KVM_PHYS_SHIFT
    for limit in LIMITS:
        if limit.is_in(release) and not (limit.needs_cpu and cpu is None):
            ceiling = limit.ceiling(host, cpu)
            if ceiling == NO_GUEST:
                yield limit.states
            elif ceiling < least:
                few = f"{bits(ceiling)} here, and its smallest guest has {bits(least)}"
                yield f"{limit.states}: {few}"


def widths_of(host: Host, release: Version, cpu: Cpu | None) -> tuple[int, ...]:
    """Return the widths that a release with KVM accepts, ascending."""
    ceilings = [
        limit.ceiling(host, cpu)
        for limit in LIMITS
        if limit.is_in(release) and not (limit.needs_cpu and cpu is None)
    ]
    ceiling = min(ceilings, default=IPA_MAXIMUM)
    if WIDTH_PER_VM.is_in(release):
        widths = range(IPA_MINIMUM, ceiling + 1)
    else:
        widths = range(KVM_PHYS_SHIFT, min(ceiling, KVM_PHYS_SHIFT) + 1)
    # Between these two, 40 bits were given with a warning to any CPU that has KVM.
    unchecked = STATIC_LEVELS.is_in(release) and not DEFAULT_CHECKED.is_in(release)
    if unchecked and ceiling != NO_GUEST and KVM_PHYS_SHIFT not in widths:
        return *widths, KVM_PHYS_SHIFT
    return tuple(widths)
