# SPDX-License-Identifier: MIT
"""`FAULT_CODES`: the fault status codes of ESR_EL2, by kind of fault and level."""

from typing import Literal, get_args

from attrs import frozen

from s2geom.core.granule import LAST_LEVEL

FaultKind = Literal[
    "translation", "address size", "access flag", "permission", "external abort"
]
"""How a stage-2 walk fails; an external abort is one on the walk itself."""

KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
TRANSLATION, ADDRESS_SIZE, ACCESS_FLAG, PERMISSION, EXTERNAL_ABORT = KINDS


@frozen
class FaultCodes:
    """How a kind of fault is encoded.

    Args:
        at_zero: The status code at level 0; a level is added to it.
        at_minus_one: The code at level -1, or None if it cannot happen there.
    """

    at_zero: int
    at_minus_one: int | None


FAULT_CODES: dict[FaultKind, FaultCodes] = {
    ADDRESS_SIZE: FaultCodes(0b000000, 0b101001),
    TRANSLATION: FaultCodes(0b000100, 0b101011),
    ACCESS_FLAG: FaultCodes(0b001000, None),
    PERMISSION: FaultCodes(0b001100, None),
    EXTERNAL_ABORT: FaultCodes(0b010100, 0b010011),
}
"""Every kind of fault (Arm ARM D24, ESR_EL2.ISS; pseudocode EncodeLDFSC)."""


def status_of(kind: FaultKind, level: int) -> int:
    """Return the status code, bits 5:0 of ESR_EL2.ISS, of a fault that can happen."""
    codes = FAULT_CODES[kind]
    if level == -1 and codes.at_minus_one is not None:
        return codes.at_minus_one
    return codes.at_zero + level


_FAULTS: dict[int, tuple[FaultKind, int]] = {
    status_of(kind, level): (kind, level)
    for kind, codes in FAULT_CODES.items()
    for level in range(0 if codes.at_minus_one is None else -1, LAST_LEVEL + 1)
}


def fault_of(status: int) -> tuple[FaultKind, int] | None:
    """Return the kind and the level that a status code stands for.

    Args:
        status: Bits 5:0 of ESR_EL2.ISS.

    Returns:
        None where the code is of no fault of a VMSAv8-64 walk.
    """
    return _FAULTS.get(status)


OTHER_STATUS = {
    0b010000: "a synchronous External abort, not on a table walk",
    0b010001: "a synchronous tag check fault",
    0b010010: "an External abort on a table walk at level -2, of VMSAv9-128",
    0b100001: "an alignment fault",
    0b100010: "a granule protection fault on a table walk at level -2",
    0b100011: "a granule protection fault on a table walk at level -1",
    0b100100: "a granule protection fault on a table walk at level 0",
    0b100101: "a granule protection fault on a table walk at level 1",
    0b100110: "a granule protection fault on a table walk at level 2",
    0b100111: "a granule protection fault on a table walk at level 3",
    0b101000: "a granule protection fault, not on a table walk",
    0b101010: "a translation fault at level -2, of VMSAv9-128",
    0b101100: "an address size fault at level -2, of VMSAv9-128",
    0b110000: "a TLB conflict abort",
    0b110001: "an unsupported atomic hardware update",
}
"""Status codes of other faults, in words."""
