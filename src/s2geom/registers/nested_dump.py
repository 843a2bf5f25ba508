# SPDX-License-Identifier: MIT
"""`NestedDump`: which guest hypervisor's tables a nested dump of KVM shows.

To Linux 7.2 the name of the dump in debugfs has the registers of the guest hypervisor;
from 7.3 its first line has them, and the name is ``nested_mmu%d``.
"""

import re

from attrs import frozen

from s2geom.core.errors import UnreadableInput
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2

_WORD = r"(?:0x)?([0-9a-f]{1,16})"

NESTED_NAME = re.compile(
    rf"(?P<vttbr>{_WORD})-(?P<vtcr>{_WORD})(?:-s2-(?P<s2>(?:en|dis)abled)|-[a-z0-9-]+)?",
    re.ASCII | re.IGNORECASE,
)
"""The name of a dump to Linux 7.2; CnP of VTTBR_EL2 is clear in it."""

NESTED_HEADER = re.compile(
    rf"VTCR:\s*(?P<vtcr>{_WORD})\s+VTTBR:\s*(?P<vttbr>{_WORD})\s+"
    r"s2:\s*(?P<s2>(?:en|dis)abled)",
    re.ASCII | re.IGNORECASE,
)
"""The first line of a dump from Linux 7.3 on."""


@public
@frozen
class NestedDump:
    """The registers of the guest hypervisor whose tables a nested dump shows.

    Args:
        vttbr: Its VTTBR_EL2.
        vtcr: Its VTCR_EL2.
        stage2_enabled: Whether its stage 2 was enabled (HCR_EL2.VM); None where the
            name does not say.

    .. versionadded:: 0.2.0
    """

    vttbr: VTTBR_EL2
    vtcr: VTCR_EL2
    stage2_enabled: bool | None

    @classmethod
    def parse(cls, text: str) -> "NestedDump":
        """Read the name of a dump, or the first line in it.

        Args:
            text: The file's name, without its directory, or its first line.

        Raises:
            UnreadableInput: It is neither.
            TypeError: It is no text.

        Source: Linux v7.1 and v7.3, arch/arm64/kvm/ptdump.c.

        >>> line = "VTCR: 0x80023558 VTTBR: 0x1000040040000 s2: disabled"
        >>> NestedDump.parse(line).stage2_enabled
        False
        """
        if not isinstance(text, str):
            raise TypeError(f"name must be text, got {quoted(text)}")
        match = NESTED_NAME.fullmatch(text) or NESTED_HEADER.fullmatch(text.strip())
        if match is None:
            raise UnreadableInput(
                "a nested dump is named like 0x0001000040040000-0x0000000080023558-"
                "s2-enabled, by VTTBR_EL2 and VTCR_EL2, or begins like VTCR: "
                "0x0000000080023558 VTTBR: 0x0001000040040000 s2: enabled, got "
                f"{quoted(text)}"
            )
        state = match["s2"]
        return cls(
            VTTBR_EL2.from_int(int(match["vttbr"], 16)),
            VTCR_EL2.from_int(int(match["vtcr"], 16)),
            None if state is None else state.lower() == "enabled",
        )

    def explain(self) -> str:
        """Return one sentence about whether the registers are in force."""
        if self.stage2_enabled is None:
            return "Whether stage 2 is enabled is not known."
        if self.stage2_enabled:
            return "Stage 2 of the guest hypervisor is enabled."
        return (
            "Stage 2 of the guest hypervisor is disabled, so its VTCR_EL2 and "
            "VTTBR_EL2 are not in force."
        )


@public
def parse_nested_name(name: str) -> tuple[VTTBR_EL2, VTCR_EL2]:
    """Return the registers that the name or the first line of a nested dump has.

    Args:
        name: As for `NestedDump.parse`, which also tells whether stage 2 is enabled.

    Raises:
        UnreadableInput: It is no such name.
        TypeError: It is no text.

    Source: Linux v7.1, arch/arm64/kvm/ptdump.c.

    >>> name = "0x0001000040040000-0x0000000080023558-s2-enabled"
    >>> parse_nested_name(name)[1].geometry().ipa_bits
    40
    """
    dump = NestedDump.parse(name)
    return dump.vttbr, dump.vtcr
