# SPDX-License-Identifier: MIT
"""`parse_nested_name`: what KVM calls its dumps of nested tables."""

import re

from s2geom.core.errors import UnreadableInput
from s2geom.core.public import public
from s2geom.core.wording import quoted
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2

_NESTED_NAME = re.compile(
    r"(?:0x)?([0-9a-f]{1,16})-(?:0x)?([0-9a-f]{1,16})(?:-[a-z0-9-]+)?",
    re.ASCII | re.IGNORECASE,
)


@public
def parse_nested_name(name: str) -> tuple[VTTBR_EL2, VTCR_EL2]:
    """Read the name of a dump of nested stage-2 tables.

    In the ``nested`` directory of a VM's debugfs, KVM names each dump by the registers
    of the guest hypervisor that the tables shadow, VTTBR_EL2 (with CnP clear) before
    VTCR_EL2, and by whether its stage 2 was enabled.

    Args:
        name: The file's name, without its directory.

    Raises:
        UnreadableInput: It is no such name.
        TypeError: It is no text.

    Source: Linux v7.1, arch/arm64/kvm/ptdump.c.

    >>> name = "0x0001000040040000-0x0000000080023558-s2-enabled"
    >>> parse_nested_name(name)[1].geometry().ipa_bits
    40
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be text, got {quoted(name)}")
    found = _NESTED_NAME.fullmatch(name)
    if found is None:
        raise UnreadableInput(
            "a nested dump is named like 0x0001000040040000-0x0000000080023558-"
            f"s2-enabled, by VTTBR_EL2 and VTCR_EL2, got {quoted(name)}"
        )
    vttbr, vtcr = (int(word, 16) for word in found.groups())
    return VTTBR_EL2.from_int(vttbr), VTCR_EL2.from_int(vtcr)
