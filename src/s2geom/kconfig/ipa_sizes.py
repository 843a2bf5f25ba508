# SPDX-License-Identifier: MIT
"""`IpaSizes`: the widths that a kernel gives its guests."""

from typing import cast

from attrs import field, frozen

from s2geom.core.public import loads_older_pickles, public


def _widths_or_none(value: tuple[int, ...] | None) -> tuple[int, ...]:
    # None stays until the widths are known, in __attrs_post_init__.
    return cast(tuple[int, ...], value)


@public
@loads_older_pickles
@frozen
class IpaSizes:
    """The IPA widths of a kernel's guests.

    Args:
        widths: The widths in bits that a guest can run with, ascending; empty where
            there is no guest at all.
        needs_parange: Whether the CPU's PARange decides how far the widths go. Before
            v4.20 they go nowhere: every guest has 40 bits.
        needs_lpa2: Whether the CPU's LPA2 decides too.
        accepted: The widths that KVM_CREATE_VM accepts, ascending. A kernel may accept
            what no CPU translates, or give 40 bits to a CPU with fewer. None means as
            ``widths``.

            .. versionadded:: 0.2.0
        premises: What the answer assumes, a clause each.

            .. versionadded:: 0.2.0

    >>> kernel = KernelConfig(Host(page_shift=14, va_bits=36), "5.4", kvm=True)
    >>> sizes = kernel.ipa_sizes()
    >>> sizes.widths, sizes.needs_parange
    ((32, 33, 34, 35, 36, 37, 38, 39, 40), True)
    >>> kernel.ipa_sizes(Cpu(36)).accepted[-2:]
    (36, 40)
    """

    widths: tuple[int, ...]
    needs_parange: bool
    needs_lpa2: bool
    accepted: tuple[int, ...] = field(default=None, converter=_widths_or_none)
    premises: tuple[str, ...] = field(default=(), eq=False)

    def __attrs_post_init__(self) -> None:
        if self.accepted is None:
            object.__setattr__(self, "accepted", self.widths)
