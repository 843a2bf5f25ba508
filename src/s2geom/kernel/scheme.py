# SPDX-License-Identifier: MIT
"""`Scheme`: the five ways in which KVM/arm64 has chosen the shape of stage 2.

Each is a row of data with the releases that had it and where it comes from. A scheme
models its *last* release; what a single release or a stable back-port did otherwise is
`KernelConfig`'s knowledge.
"""

import re
from enum import Enum
from typing import TYPE_CHECKING

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violation
from s2geom.core.public import public
from s2geom.core.wording import quoted

Release = tuple[int, int]
"""A kernel release: 6.1 is ``(6, 1)``."""


def release_name(release: Release) -> str:
    """Return the usual spelling: ``v6.1``."""
    return f"v{release[0]}.{release[1]}"


@public
class Scheme(Enum):
    """How KVM/arm64 chooses the shape of stage 2.

    The members, in the order of history: ``FAKE_PGD``, ``STATIC``, ``DYNAMIC``,
    ``INDEPENDENT``, ``LPA2``. The value is the name on the command line.

    >>> Scheme.for_release("6.1.0-18-arm64")
    Scheme.INDEPENDENT
    >>> Scheme.STATIC.first_release, Scheme.STATIC.last_release
    ('v4.7', 'v4.19')
    """

    FAKE_PGD = "fake-pgd"
    STATIC = "static"
    DYNAMIC = "dynamic"
    INDEPENDENT = "independent"
    LPA2 = "lpa2"

    # Members are singletons, so identity is the right hash, and Enum's own hashes
    # the name in Python code at each use as a key.
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        __hash__ = object.__hash__

    @property
    def first_release(self) -> str:
        """The first kernel release that had it."""
        return release_name(_FACTS[self].first)

    @property
    def last_release(self) -> str | None:
        """The last kernel release that had it; None while it is in use."""
        last = _FACTS[self].last
        return None if last is None else release_name(last)

    @property
    def releases(self) -> str:
        """The range of releases in words, such as ``"v4.7-v4.19"``."""
        return f"{self.first_release}-{self.last_release or 'today'}"

    @property
    def summary(self) -> str:
        """What the scheme does, in one sentence."""
        return _FACTS[self].summary

    @property
    def source(self) -> str:
        """The commits that brought it, by subject."""
        return _FACTS[self].source

    @property
    def minimum_levels(self) -> int:
        """Fewest levels it chooses: 2 from v4.20, so that a PMD block always fits."""
        return _FACTS[self].minimum_levels

    @classmethod
    def for_release(cls, release: str) -> "Scheme":
        """Return the scheme of a kernel release.

        Args:
            release: What ``uname -r`` prints, or its beginning: ``"6.1"``, ``"v4.7"``,
                ``"5.10.0-30-arm64"``.

        Raises:
            InvalidArgument: The text does not begin with a release number.
            UnsupportedCombination: The release is older than v3.18.
            TypeError: It is no text.
        """
        number = parse_release(release)[:2]
        for scheme in reversed(cls):
            if _FACTS[scheme].first <= number:
                return scheme
        raise UnsupportedCombination((_too_old(release),))

    def __repr__(self) -> str:
        return f"Scheme.{self.name}"


def scheme_of(value: object) -> Scheme:
    """Return a scheme.

    Raises:
        TypeError: It is anything else; a name or a release is read when told to.
    """
    if type(value) is Scheme:
        return value
    message = f"scheme must be a Scheme, got {quoted(value)}"
    if isinstance(value, str):
        message += "; Scheme.for_release('6.12') is that of a release"
    raise TypeError(message)


@frozen(eq=False, repr=False)  # a row is itself; an import pays for each method
class _Facts:
    first: Release
    last: Release | None
    minimum_levels: int
    summary: str
    source: str


_FACTS = {
    Scheme.FAKE_PGD: _Facts(
        first=(3, 18),
        last=(4, 6),
        minimum_levels=1,
        summary="the host's level count, with one fake level in software where the "
        "hardware has fewer",
        source="Linux v3.18, arm64: KVM: Implement 48 VA support for KVM EL2 and "
        "Stage-2 (38f791a4e499)",
    ),
    Scheme.STATIC: _Facts(
        first=(4, 7),
        last=(4, 19),
        minimum_levels=1,
        summary="the hardware's own levels for IPA bits less four, fixed at build "
        "time, never more than the host's",
        source="Linux v4.7, kvm: arm64: Get rid of fake page table levels "
        "(da04fa04dc91)",
    ),
    Scheme.DYNAMIC: _Facts(
        first=(4, 20),
        last=(5, 9),
        minimum_levels=2,
        summary="chosen for each VM, at least two levels, bounded by the CPU and by "
        "the host kernel's physical and virtual addresses",
        source="Linux v4.20, kvm: arm64: Allow tuning the physical address size for "
        "VM (233a7cb23531)",
    ),
    Scheme.INDEPENDENT: _Facts(
        first=(5, 10),
        last=(6, 7),
        minimum_levels=2,
        summary="bounded by the CPU alone, whatever the host kernel's own tables; 4K "
        "and 16K end at 48 bits",
        source="Linux v5.10, KVM: arm64: Don't constrain maximum IPA size based on "
        "host configuration (c9b69a0cf0b4)",
    ),
    Scheme.LPA2: _Facts(
        first=(6, 8),
        last=None,
        minimum_levels=2,
        summary="as before, and up to 52 bits for 4K and 16K where the CPU has LPA2",
        source="Linux v6.8, KVM: arm64: Use LPA2 page-tables for stage2 and hyp "
        "stage1 (bd412e2a310c)",
    ),
}

_RELEASE = re.compile(r"v?(\d{1,3})\.(\d{1,5})(?:\.(\d{1,5}))?(?!\d)", re.ASCII)


def parse_release(release: str) -> tuple[int, int, int]:
    """Return the three numbers of a kernel release; a missing third one is 0.

    Raises:
        InvalidArgument: The text does not begin with a release number.
        TypeError: It is no text.
    """
    if not isinstance(release, str):
        raise TypeError(f"release must be text such as '6.1', got {quoted(release)}")
    found = _RELEASE.match(release)
    if found is None:
        raise InvalidArgument(f"release must begin like '6.1', got {quoted(release)}")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def _too_old(release: str) -> Violation:
    return Violation(
        rule="release-before-3.18",
        message=f"Linux {release} is older than the oldest scheme here, which began "
        "with v3.18",
        limited_by="host kernel",
        given=release,
        limit="3.18",
        fix="ask for a release from v3.18 on",
        source=Scheme.FAKE_PGD.source,
    )
