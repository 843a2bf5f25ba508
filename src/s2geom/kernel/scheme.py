# SPDX-License-Identifier: MIT
"""`Scheme`: the five ways in which KVM/arm64 has chosen the shape of stage 2.

Each is a row of data: the commit that brought it, what it does, and its fewest levels.
A scheme has the limits of its last release. `Kernel` is a scheme or one release, as the
table of limits is asked about it.
"""

from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violation
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.kernel.changes import (
    FAKE_LEVELS,
    HOST_IRRELEVANT,
    LATEST_STABLE,
    LPA2_GUESTS,
    NEWEST_READ,
    STATIC_LEVELS,
    WIDTH_PER_VM,
    Change,
    Version,
)


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
        return _FACTS[self].since.first

    @property
    def last_release(self) -> str | None:
        """The last kernel release that had it; None while it is in use."""
        following = _successor(self)
        return None if following is None else _FACTS[following].since.before

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
        """The commit that brought it, by subject."""
        return _FACTS[self].since.source

    @property
    def minimum_levels(self) -> int:
        """Fewest levels it chooses: 2 from v4.20, so that a PMD block always fits."""
        return _FACTS[self].minimum_levels

    @classmethod
    def for_release(cls, release: str) -> "Scheme":
        """Return the scheme of a kernel release.

        A vendor's release has the scheme of its code, where that is known to differ
        from its number: ``"4.18.0-305.el8.aarch64"`` has v4.20's.

        Args:
            release: What ``uname -r`` prints, or its beginning: ``"6.1"``, ``"v4.7"``,
                ``"5.10.0-30-arm64"``.

        Raises:
            InvalidArgument: The text does not begin with a release number.
            UnsupportedCombination: The release is older than v3.18.
            TypeError: It is no text.
        """
        return kernel_of(release).scheme

    @classmethod
    def _missing_(cls, value: object) -> "Scheme":
        # Enum's own message names no value that would do.
        if not isinstance(value, str):
            return scheme_of(value)  # it raises
        names = ", ".join(scheme.value for scheme in cls)
        raise InvalidArgument(
            f"a scheme is one of {names}, got {quoted(value)}; "
            "Scheme.for_release('6.12') is that of a release"
        )

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


class _Facts(NamedTuple):
    since: Change
    minimum_levels: int
    summary: str


_FACTS = {
    Scheme.FAKE_PGD: _Facts(
        FAKE_LEVELS,
        minimum_levels=1,
        summary="the host's level count, with one fake level in software where the "
        "hardware has fewer",
    ),
    Scheme.STATIC: _Facts(
        STATIC_LEVELS,
        minimum_levels=1,
        summary="the hardware's own levels for IPA bits less four, fixed at build "
        "time, never more than the host's",
    ),
    Scheme.DYNAMIC: _Facts(
        WIDTH_PER_VM,
        minimum_levels=2,
        summary="chosen for each VM, at least two levels, bounded by the CPU and by "
        "the host kernel's physical and virtual addresses",
    ),
    Scheme.INDEPENDENT: _Facts(
        HOST_IRRELEVANT,
        minimum_levels=2,
        summary="bounded by the CPU alone, whatever the host kernel's own tables; 4K "
        "and 16K end at 48 bits",
    ),
    Scheme.LPA2: _Facts(
        LPA2_GUESTS,
        minimum_levels=2,
        summary="as before, and up to 52 bits for 4K and 16K where the CPU has LPA2",
    ),
}


def _successor(scheme: Scheme) -> Scheme | None:
    return dict(pairwise(Scheme)).get(scheme)


# A kernel, named by its scheme or by its release


@frozen(eq=False, repr=False)  # `kernel_of` gives one for each release
class Kernel:
    """A kernel, as the table of limits is asked about it.

    Args:
        scheme: How it chooses the shape.
        version: The upstream release whose code it has.
        release: The release as it was given; None where a scheme was.
        premises: What had to be assumed about its code.
    """

    scheme: Scheme
    version: Version
    release: str | None = None
    premises: tuple[str, ...] = ()

    @property
    def has_one_width(self) -> bool:
        """Whether every guest has 40 bits: releases before v4.20, but no scheme."""
        return self.release is not None and not WIDTH_PER_VM.is_in(self.version)


def _of_scheme(scheme: Scheme) -> Kernel:
    following = _successor(scheme)
    if following is None:
        return Kernel(scheme, (*NEWEST_READ, LATEST_STABLE))
    major, minor = _FACTS[following].since.mainline
    return Kernel(scheme, (major, minor - 1, 0))


_OF_SCHEME = {scheme: _of_scheme(scheme) for scheme in Scheme}


def kernel_of_scheme(scheme: Scheme) -> Kernel:
    """Return the kernel that a scheme stands for: its last release.

    Raises:
        TypeError: It is no scheme.
    """
    return _OF_SCHEME[scheme_of(scheme)]


def kernel_of(release: str, *options: str) -> Kernel:
    """Return the kernel of a release.

    Args:
        release: What ``uname -r`` prints, or its beginning.
        options: Options of Kconfig that are set, for vendors' code.

    Raises:
        InvalidArgument: The text does not begin with a release number.
        UnsupportedCombination: The release is older than v3.18.
        TypeError: It is no text.
    """
    from s2geom.kernel.releases import code_of  # noqa: PLC0415 - no scheme needs it

    return _kernel_of(release, *code_of(release, *options))


@lru_cache(maxsize=1024)
def _kernel_of(release: str, version: Version, premises: tuple[str, ...]) -> Kernel:
    for scheme in reversed(Scheme):
        if _FACTS[scheme].since.is_in(version):
            return Kernel(scheme, version, release, premises)
    raise UnsupportedCombination((_too_old(release),))


def kernel_of_call(scheme: Scheme | None, release: str | None) -> Kernel:
    """Return the kernel that the arguments of a call name; by default `STATIC`'s.

    Raises:
        InvalidArgument: Both are given, or the release is none.
        UnsupportedCombination: The release is older than v3.18.
        TypeError: A value has the wrong type.
    """
    if release is None:
        return kernel_of_scheme(Scheme.STATIC if scheme is None else scheme)
    if scheme is not None:
        raise InvalidArgument(
            f"scheme and release exclude each other, got {quoted(scheme)} and "
            f"{quoted(release)}: a scheme is a formula, a release is one kernel"
        )
    return kernel_of(release)


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
