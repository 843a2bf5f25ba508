# SPDX-License-Identifier: MIT
"""`leaf_size`: the largest stage-2 leaf that KVM uses over a page of the host.

A leaf is never larger than what backs it. From v4.20 on stage 2 has at least two
levels, so that a block as large as the host's PMD has a level to stand at. With one
level, which the formula alone gives for 64K pages at 32 or 33 bits, each such block
becomes pages.
"""

from attrs import frozen

from s2geom.core.address_form import BLOCK_LEVELS
from s2geom.core.errors import InvalidArgument
from s2geom.core.geometry import CONTIGUOUS, Geometry, geometry_of
from s2geom.core.granule import LAST_LEVEL, Granule
from s2geom.core.numbers import integer
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.kernel.host import Host
from s2geom.kernel.scheme import Scheme, scheme_of

PMD_LEVEL = 2
PUD_LEVEL = 1


@frozen
class Backing:
    """A way for the host to map guest memory.

    Args:
        name: The kernel's word for it.
        level: Level of the host's entries.
        contiguous: Whether it is a run of such entries.
    """

    name: str
    level: int
    contiguous: bool


BACKINGS = (
    Backing("page", LAST_LEVEL, contiguous=False),
    Backing("contiguous pages", LAST_LEVEL, contiguous=True),
    Backing("PMD", PMD_LEVEL, contiguous=False),
    Backing("contiguous PMDs", PMD_LEVEL, contiguous=True),
    Backing("PUD", PUD_LEVEL, contiguous=False),
)
"""From small to large: page, contiguous hugetlb, PMD, contiguous PMD, PUD."""


def backing_sizes(granule: Granule) -> dict[int, Backing]:
    """Return the sizes in bytes that a host has for its mappings, smallest first.

    A PUD huge page exists with 4K pages alone: elsewhere level 1 has no blocks.
    """
    sizes = {}
    leaf_levels = {LAST_LEVEL} | BLOCK_LEVELS[granule, False]
    for backing in BACKINGS:
        if backing.level in leaf_levels:
            run = CONTIGUOUS[granule, backing.level] if backing.contiguous else 1
            sizes[run << granule.level_shift(backing.level)] = backing
    return sizes


_LEAF_LEVEL: dict[Scheme, tuple[int, int, int, int, int]] = {
    # v3.18-v4.6: whatever hugetlb gives counts as a PMD. (For contiguous pages, which
    # are smaller than that, it was a bug: the leaf covered more than its backing.)
    Scheme.FAKE_PGD: (LAST_LEVEL, PMD_LEVEL, PMD_LEVEL, PMD_LEVEL, PMD_LEVEL),
    # v4.18 and v4.19: a block where the backing is exactly a PMD, pages otherwise.
    Scheme.STATIC: (LAST_LEVEL, LAST_LEVEL, PMD_LEVEL, LAST_LEVEL, LAST_LEVEL),
    # v5.0, "KVM: arm64: Add support for creating PUD hugepages at stage 2".
    Scheme.DYNAMIC: (LAST_LEVEL, LAST_LEVEL, PMD_LEVEL, LAST_LEVEL, PUD_LEVEL),
    # v5.10: runs are demoted to the entries that they are made of.
    Scheme.INDEPENDENT: (LAST_LEVEL, LAST_LEVEL, PMD_LEVEL, PMD_LEVEL, PUD_LEVEL),
    Scheme.LPA2: (LAST_LEVEL, LAST_LEVEL, PMD_LEVEL, PMD_LEVEL, PUD_LEVEL),
}
"""The level of the leaf for each of `BACKINGS`, in their order."""


@public
def leaf_size(
    geometry: Geometry,
    host: Host,
    backing_size: int,
    *,
    scheme: Scheme = Scheme.STATIC,
) -> int:
    """Return the bytes of the stage-2 leaf that KVM installs.

    It is the most that KVM installs: a memory slot whose ends are not aligned, or dirty
    logging, makes pages of everything.

    Args:
        geometry: The shape of stage 2.
        host: The host kernel, of the same page size.
        backing_size: Bytes that one mapping of the host has: a page, a contiguous
            run, a PMD, a contiguous run of PMDs, or with 4K pages a PUD.
        scheme: Whose kernel.

    Raises:
        InvalidArgument: The host has no mapping of that size, or another page size
            than the geometry.
        TypeError: A value has the wrong type.

    Source: Linux user_mem_abort: v4.19, v5.9 and v6.7; KVM: arm64: Add support for
    creating PUD hugepages at stage 2 (b8e0ba7c8bea, v5.0); kvm: arm64: Limit the
    minimum number of page table levels (v4.20).

    >>> host = Host(page_shift=16, va_bits=42)
    >>> leaf_size(host.stage2(40), host, 512 << 20) >> 20
    512
    """
    geometry = geometry_of(geometry)
    if not isinstance(host, Host):
        raise TypeError(f"host must be a Host, got {quoted(host)}")
    scheme = scheme_of(scheme)
    if geometry.granule is not host.granule:
        raise InvalidArgument(
            f"geometry has {geometry.granule} pages, but the host has {host.granule}"
        )
    sizes = backing_sizes(host.granule)
    backing = sizes.get(integer("backing_size", backing_size))
    if backing is None:
        known = ", ".join(f"{size} ({kind.name})" for size, kind in sizes.items())
        raise InvalidArgument(
            f"backing_size must be one that a {host.granule} host maps with, "
            f"{known}; got {backing_size}"
        )
    level = _LEAF_LEVEL[scheme][BACKINGS.index(backing)]
    if level == PUD_LEVEL and min(geometry.levels, host.pgtable_levels) < 3:
        level = PMD_LEVEL  # a tree without level 1, or a host without PUDs
    if level < geometry.start_level:  # one level has no place for a block
        level = LAST_LEVEL
    return 1 << geometry.granule.level_shift(level)
