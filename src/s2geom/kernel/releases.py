# SPDX-License-Identifier: MIT
"""Release numbers, and the code that they stand for.

A release number is not always its code. A distribution that writes ``5.10.0-32-arm64``
leaves out which stable release that is, and a vendor may put much later code under an
old number. `code_of` returns the upstream release whose code it is, and what had to be
assumed for that.
"""

import re
from typing import NamedTuple

from s2geom.core.errors import InvalidArgument
from s2geom.core.wording import quoted
from s2geom.kernel.changes import LATEST_STABLE, NEWEST_READ, Version

# Compiled at first use: an import pays for what it may never need.
_RELEASE = r"v?(\d{1,3})\.(\d{1,5})(?:\.(\d{1,5}))?(?!\d)"
_ABI = r"v?\d+\.\d+\.0-\d"


class VendorCode(NamedTuple):
    """Code of a vendor under another number than upstream's.

    Args:
        branch: The number it is given: ``(4, 18)``.
        marker: Text of its release names, in lower case.
        option: Or an option of Kconfig that upstream did not have under that number.
        code: The oldest upstream release whose code it is known to hold.
        source: How that is known.
    """

    branch: tuple[int, int]
    marker: str
    option: str
    code: Version
    source: str

    @property
    def premise(self) -> str:
        """What an answer assumes that follows this row."""
        number, code = (f"v{pair[0]}.{pair[1]}" for pair in (self.branch, self.code))
        return f"{number} with {self.marker or self.option} is code of {code} or later"


VENDOR_CODE = (
    VendorCode(
        branch=(4, 18),
        marker=".el8",
        option="",
        code=(4, 20, 0),
        source="an EL8-based tree and its configuration: per-VM IPA sizes and "
        "stage-2 trees of at least two levels",
    ),
    VendorCode(
        branch=(4, 18),
        marker="",
        option="CONFIG_ARM64_USER_VA_BITS_52",
        code=(5, 0, 0),
        source="Linux v5.0, arm64: Kconfig: Re-jig CONFIG options for 52-bit VA",
    ),
)
"""Every vendor whose number is known not to be its code."""


def parse_release(release: str) -> Version:
    """Return the three numbers of a kernel release; a missing third one is 0.

    Raises:
        InvalidArgument: The text does not begin with a release number.
        TypeError: It is no text.
    """
    if not isinstance(release, str):
        raise TypeError(f"release must be text such as '6.1', got {quoted(release)}")
    found = re.match(_RELEASE, release, re.ASCII)
    if found is None:
        raise InvalidArgument(f"release must begin like '6.1', got {quoted(release)}")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def code_of(release: str, *options: str) -> tuple[Version, tuple[str, ...]]:
    """Return the upstream release whose code a release has, and what that assumes.

    Args:
        release: What ``uname -r`` prints, or its beginning.
        options: Options of Kconfig that are set.

    Raises:
        InvalidArgument: The text does not begin with a release number.
        TypeError: It is no text.
    """
    version = parse_release(release)
    vendors = [
        row
        for row in VENDOR_CODE
        if row.branch == version[:2]
        and (row.option in options or (row.marker and row.marker in release.lower()))
    ]
    if vendors:
        oldest_code = max(vendors, key=lambda row: row.code)
        return oldest_code.code, (oldest_code.premise,)
    branch = f"v{version[0]}.{version[1]}"
    if version[:2] > NEWEST_READ:
        newest = f"v{NEWEST_READ[0]}.{NEWEST_READ[1]}"
        return version, (f"{branch} decides as {newest}, the newest that was read",)
    if re.match(_ABI, release, re.ASCII):
        premise = f"{release} has every stable back-port of {branch}"
        return (*version[:2], LATEST_STABLE), (premise,)
    return version, ()
