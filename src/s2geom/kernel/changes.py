# SPDX-License-Identifier: MIT
"""The commits that changed what KVM/arm64 accepts, and the releases that have them.

A commit is in every release from its mainline release on, and in a stable branch from
the release that took the back-port.
"""

from typing import NamedTuple

Version = tuple[int, int, int]
"""A kernel release as three numbers: 6.1.18 is ``(6, 1, 18)``."""

NEWEST_READ = (7, 3)
"""The newest release whose source was read for this package."""

LATEST_STABLE = 1 << 20
"""Third number of "some late release of this branch, whichever"."""


class Change(NamedTuple):
    """A commit that changed a limit.

    Args:
        mainline: The first release that has it, such as ``(5, 12)``.
        source: The release and the commit's subject.
        stable: The first release of each stable branch that has it too.
    """

    mainline: tuple[int, int]
    source: str
    stable: tuple[Version, ...] = ()

    def is_in(self, version: Version) -> bool:
        """Return whether a release has it."""
        if version[:2] >= self.mainline:
            return True
        return any(
            version[:2] == first[:2] and version >= first for first in self.stable
        )

    @property
    def number(self) -> str:
        """The number of the mainline release: ``"5.12"``."""
        return ".".join(map(str, self.mainline))

    @property
    def first(self) -> str:
        """The mainline release as the field writes it: ``"v5.12"``."""
        return f"v{self.number}"

    @property
    def before(self) -> str:
        """The mainline release before that: ``"v5.11"``."""
        return f"v{self.mainline[0]}.{self.mainline[1] - 1}"

    def back_port(self, version: Version) -> str:
        """Return the stable release that took it to a release's own branch, or ""."""
        own = [first for first in self.stable if first[:2] == version[:2]]
        return "v" + ".".join(map(str, own[0])) if own else ""


FAKE_LEVELS = Change(
    (3, 18),
    "Linux v3.18, arm64: KVM: Implement 48 VA support for KVM EL2 and Stage-2 "
    "(38f791a4e499)",
)
STATIC_LEVELS = Change(
    (4, 7), "Linux v4.7, kvm: arm64: Get rid of fake page table levels (da04fa04dc91)"
)
GRANULE_16K = Change(
    (4, 7), "Linux v4.7, the commit that allows 16K pages (02e0b7600f83)"
)
WIDTH_PER_VM = Change(
    (4, 20),
    "Linux v4.20, kvm: arm64: Allow tuning the physical address size for VM "
    "(233a7cb23531)",
)
IPA_LIMIT = Change((4, 20), "Linux v4.20, kvm: arm64: Set a limit on the IPA size")
GRANULE_CHECKED = Change(
    (5, 9), "Linux v5.9, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2"
)
HOST_IRRELEVANT = Change(
    (5, 10),
    "Linux v5.10, KVM: arm64: Don't constrain maximum IPA size based on host "
    "configuration (c9b69a0cf0b4)",
)
# The stable releases are those whose review announced the patch; of 5.10, 5.10.198
# was also read.
LPA2_GRANULES_KNOWN = Change(
    (5, 12),
    "Linux v5.12, arm64/mm: Fix __enable_mmu() for new TGRAN range values "
    "(26f55386f964)",
    stable=((5, 10, 153),),
)
DEFAULT_CHECKED = Change(
    (5, 12),
    "Linux v5.12, KVM: arm64: Reject VM creation when the default IPA size is "
    "unsupported (7d717558dd5e)",
    stable=((5, 4, 106), (5, 10, 24), (5, 11, 7)),
)
CAPPED_AT_48 = Change(
    (5, 15),
    "Linux v5.15, KVM: arm64: Restrict IPA size to maximum 48 bits on 4K and 16K page "
    "size (5e5df9571c31)",
    stable=((5, 10, 68), (5, 14, 7)),
)
PROTECTED_GUESTS = Change(
    (6, 2), "Linux v6.2, KVM: arm64: Instantiate guest stage-2 page-tables at EL2"
)
LPA2_GUESTS = Change(
    (6, 8),
    "Linux v6.8, KVM: arm64: Use LPA2 page-tables for stage2 and hyp stage1 "
    "(bd412e2a310c)",
)

CHANGES = (
    FAKE_LEVELS,
    STATIC_LEVELS,
    WIDTH_PER_VM,
    GRANULE_CHECKED,
    HOST_IRRELEVANT,
    LPA2_GRANULES_KNOWN,
    CAPPED_AT_48,
    PROTECTED_GUESTS,
    LPA2_GUESTS,
)
"""One commit for each release at which an answer can change, in their order."""
