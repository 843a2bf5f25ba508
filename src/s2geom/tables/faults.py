# SPDX-License-Identifier: MIT
"""`Fault`: how a stage-2 walk fails."""

from attrs import field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import InvalidArgument
from s2geom.core.granule import LAST_LEVEL
from s2geom.core.numbers import integer_within, unsigned
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.wording import quoted
from s2geom.registers.fault_status import FAULT_CODES, FaultKind, status_of
from s2geom.tables.attributes import fwb_field, fwb_or_none
from s2geom.tables.descriptor import Descriptor


def _spell(address: int | None) -> str:
    return "None" if address is None else f"{address:#x}"


def _ipa(address: int) -> int:
    return unsigned("address", address)


def _descriptor_address(address: int | None) -> int | None:
    return None if address is None else unsigned("descriptor_address", address)


@public
@loads_older_pickles
@frozen
class Fault(Displayed):
    """Why a walk failed.

    Args:
        kind: ``"translation"``, ``"address size"``, ``"access flag"``,
            ``"permission"`` or ``"external abort"`` (on the walk).
        level: Level that the CPU reports, -1..3.
        address: The IPA that was walked.
        descriptor_address: Address of the descriptor that the walk stopped at, or None
            if it stopped before there was one. Not compared.
        descriptor: The `Descriptor` that the walk stopped at, or None if none was
            fetched. Not compared.

            .. versionadded:: 0.2.0
        fwb: HCR_EL2.FWB, as it was given to the walk. Not compared.

            .. versionadded:: 0.2.0

    Raises:
        InvalidArgument: There is no such fault.
        TypeError: A value has the wrong type.

    >>> Fault("translation", 0, 1 << 40).status
    4
    """

    kind: FaultKind
    level: int
    address: int = field(converter=_ipa, repr=hex)
    descriptor_address: int | None = field(
        default=None, converter=_descriptor_address, eq=False, repr=_spell
    )
    descriptor: Descriptor | None = field(default=None, eq=False, repr=False)
    fwb: bool | None = fwb_field()

    def __attrs_post_init__(self) -> None:
        if self.kind not in FAULT_CODES:
            kinds = ", ".join(FAULT_CODES)
            raise InvalidArgument(
                f"kind must be one of {kinds}, got {quoted(self.kind)}"
            )
        lowest = 0 if FAULT_CODES[self.kind].at_minus_one is None else -1
        level = integer_within("level", self.level, lowest, LAST_LEVEL)
        object.__setattr__(self, "level", level)
        fwb_or_none(self.fwb)
        if self.descriptor is not None and not isinstance(self.descriptor, Descriptor):
            raise TypeError(
                "descriptor must be a Descriptor or None, got "
                f"{quoted(self.descriptor)}"
            )

    @property
    def status(self) -> int:
        """The fault status code, bits 5:0 of ESR_EL2.ISS (DFSC and IFSC)."""
        return status_of(self.kind, self.level)
