# SPDX-License-Identifier: MIT
"""`Cpu`: the Arm rules of a stage-2 table's shape. It knows no kernel."""

from collections.abc import Iterable

from attrs import field, frozen

from s2geom._arguments import flag, integer
from s2geom._public import public
from s2geom.errors import InvalidArgument
from s2geom.granule import Granule

PA_BITS = (32, 36, 40, 42, 44, 48, 52, 56)
"""ID_AA64MMFR0_EL1.PARange, by its encoding."""


def _pa_bits(value: object) -> int:
    number = integer("pa_bits", value)
    if number not in PA_BITS:
        sizes = ", ".join(map(str, PA_BITS))
        raise InvalidArgument(f"pa_bits must be one of {sizes}, got {number}")
    return number


def _granules(name: str, value: object) -> frozenset[Granule]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        members = list(value)
        if all(isinstance(member, Granule) for member in members):
            return frozenset(members)
    raise TypeError(f"{name} must be a set of Granule, got {value!r}")


def _all_granules(value: object) -> frozenset[Granule]:
    return _granules("granules", value)


def _lpa2(value: object) -> frozenset[Granule]:
    if isinstance(value, bool):
        return frozenset({Granule.K4, Granule.K16}) if value else frozenset()
    granules = _granules("lpa2", value)
    if Granule.K64 in granules:
        message = "lpa2 is for 4K and 16K granules; 64K has 52 bits by lpa"
        raise InvalidArgument(message)
    return granules


@public
@frozen
class Cpu:
    """What the architecture's rules of stage 2 depend on.

    Args:
        pa_bits: Physical address size, ID_AA64MMFR0_EL1.PARange: 32, 36, 40, 42, 44,
            48, 52 or 56.
        granules: Granules that stage 2 implements.
        lpa: FEAT_LPA; None means as ``pa_bits`` says (it is there above 48).
        lpa2: FEAT_LPA2 at stage 2: a bool, or the granules (4K, 16K) that have it.
        ttst: FEAT_TTST, small translation tables.
        aarch32_el1: Whether EL1 can be AArch32.

    Raises:
        InvalidArgument: A size that no PARange encodes, or ``lpa=False`` above 48 bits.
        TypeError: A value has the wrong type.

    Source: Arm ARM D24, ID_AA64MMFR0_EL1 to ID_AA64MMFR2_EL1.
    """

    pa_bits: int = field(converter=_pa_bits)
    granules: frozenset[Granule] = field(
        default=frozenset(Granule), converter=_all_granules, kw_only=True
    )
    lpa: bool = field(default=None, kw_only=True)
    lpa2: frozenset[Granule] = field(default=False, converter=_lpa2, kw_only=True)
    ttst: bool = field(default=False, kw_only=True)
    aarch32_el1: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.lpa is None:
            object.__setattr__(self, "lpa", self.pa_bits > 48)
        elif not flag("lpa", self.lpa) and self.pa_bits > 48:
            message = f"lpa=False contradicts pa_bits={self.pa_bits}: FEAT_LPA is what "
            raise InvalidArgument(message + "gives more than 48 bits")
        flag("ttst", self.ttst)
        flag("aarch32_el1", self.aarch32_el1)
