# SPDX-License-Identifier: MIT
"""`Host`: a host kernel as a value, which asks `stage2` and `check` for itself."""

from attrs import field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import Violations
from s2geom.core.geometry import Geometry
from s2geom.core.granule import LAST_LEVEL, Granule, granule_of
from s2geom.core.numbers import integer_within
from s2geom.core.public import public
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kernel.choose import check, stage2
from s2geom.kernel.limits import KCONFIG_VA_BITS, VA_MAXIMUM, VA_MINIMUM
from s2geom.kernel.question import kernel_pa_bits, question
from s2geom.kernel.scheme import Scheme


def _page_shift(value: int) -> int:
    return int(granule_of(value))


def _va_bits(value: int) -> int:
    return integer_within("va_bits", value, VA_MINIMUM, VA_MAXIMUM)


@public
@frozen
class Host(Displayed):
    """A host kernel, as far as stage 2 depends on it.

    Args:
        page_shift: log2 of the page size: 12, 14 or 16.
        va_bits: Width of its virtual addresses in bits, 25..52. Any is arithmetic;
            `kconfig_legal` says whether Kconfig ever offered it.
        pa_bits: CONFIG_ARM64_PA_BITS: 48 or 52.

    Raises:
        InvalidArgument: A value is outside its range.
        TypeError: A value is no integer.

    >>> Host(page_shift=14, va_bits=36).max_ipa_bits()
    40
    """

    page_shift: int = field(converter=_page_shift)
    va_bits: int = field(converter=_va_bits)
    pa_bits: int = field(default=48, converter=kernel_pa_bits)

    @property
    def granule(self) -> Granule:
        """The page size as a granule."""
        return Granule(self.page_shift)

    @property
    def pgtable_levels(self) -> int:
        """Levels of the host's own page tables (CONFIG_PGTABLE_LEVELS)."""
        return self.granule.levels_for(self.va_bits)

    @property
    def pgdir_shift(self) -> int:
        """log2 of what one entry of the host's own PGD maps (PGDIR_SHIFT)."""
        return self.granule.level_shift(LAST_LEVEL + 1 - self.pgtable_levels)

    @property
    def kconfig_legal(self) -> bool:
        """Whether Kconfig ever offered these three together.

        52-bit physical addresses are free to choose with 64K pages; with 4K and 16K
        they come with 52-bit virtual addresses, and only with those (v6.9).
        """
        if (self.granule, self.va_bits) not in KCONFIG_VA_BITS:
            return False
        return self.granule is Granule.K64 or (self.pa_bits == 52) == (
            self.va_bits == 52
        )

    def stage2(
        self,
        ipa_bits: int,
        *,
        scheme: Scheme | None = None,
        release: str | None = None,
        protected: bool = False,
        cpu: Cpu | None = None,
    ) -> Geometry:
        """Return the shape of stage 2 that KVM uses on this host; see `stage2`."""
        return stage2(
            self.page_shift,
            ipa_bits,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        )

    def check(
        self,
        ipa_bits: int,
        *,
        scheme: Scheme | None = None,
        release: str | None = None,
        protected: bool = False,
        cpu: Cpu | None = None,
    ) -> Violations:
        """Return every limit that an IPA width breaks on this host; see `check`."""
        return check(
            self.page_shift,
            ipa_bits,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        )

    def max_ipa_bits(
        self,
        scheme: Scheme | None = None,
        cpu: Cpu | None = None,
        *,
        release: str | None = None,
        protected: bool = False,
    ) -> int | None:
        """Return the widest IPA that a guest can have on this host, in closed form.

        Args:
            scheme: A formula, with the limits of its last release.
            cpu: What bounds the answer, or None for a CPU that can do anything.
            release: A kernel by its release, in place of a scheme.

                .. versionadded:: 0.2.0
            protected: Whether the host runs with kvm-arm.mode=protected.

                .. versionadded:: 0.2.0

        Returns:
            32..52 bits, or None when no width from 32 bits on fits.

        Raises:
            UnsupportedCombination: The release is older than v3.18.
            InvalidArgument: Both a scheme and a release are given, or the release is
                none.
            TypeError: A value has the wrong type.
        """
        return question(
            self.page_shift,
            IPA_MAXIMUM,
            self.va_bits,
            pa_bits=self.pa_bits,
            scheme=scheme,
            release=release,
            protected=protected,
            cpu=cpu,
        ).widest()

    def to_dict(self) -> dict[str, int]:
        """Return the three facts as plain JSON types."""
        return {
            "page_shift": self.page_shift,
            "va_bits": self.va_bits,
            "pa_bits": self.pa_bits,
        }
