# SPDX-License-Identifier: MIT
"""`KernelConfig`: what a kernel's ``.config`` says about stage 2."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from s2geom.core.display import Displayed, PrintedAsRepr
from s2geom.core.errors import (
    UnreadableInput,
    UnsupportedCombination,
    Violation,
    Violations,
)
from s2geom.core.geometry import Geometry
from s2geom.core.numbers import flag
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.wording import quoted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kconfig.facts import read_facts
from s2geom.kconfig.ipa_sizes import IpaSizes
from s2geom.kconfig.origins import Origin
from s2geom.kconfig.release import code_origins, release_of, release_origin
from s2geom.kconfig.text import (
    MOST_CONFIG_BYTES,
    decoded,
    parsed,
    refuse_cut,
    refuse_foreign,
    shown,
)
from s2geom.kernel.host import Host
from s2geom.kernel.question import Question, question
from s2geom.kernel.releases import parse_release
from s2geom.kernel.scheme import Kernel, Scheme, kernel_of


def _checked_host(value: object) -> Host:
    if not isinstance(value, Host):
        raise TypeError(f"host must be a Host, got {quoted(value)}")
    return value


def _checked_kvm(value: object) -> bool:
    return flag("kvm", value)


def _checked_release(value: str | None) -> str | None:
    if value is not None:
        parse_release(value)
    return value


KVM_NOT_BUILT = Violation(
    rule="kvm-not-built",
    message="KVM is not built into this kernel: CONFIG_KVM is off",
    limited_by="host kernel",
    given="off",
    limit="on",
    fix="use a kernel with CONFIG_KVM=y",
    source="Linux v3.18 to today, arch/arm64/kvm/Kconfig",
)


def _content(file: Path) -> bytes:
    """Return what is in a file, or as much of it as is too much."""
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_CONFIG_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        why = getattr(error, "strerror", None) or error
        raise UnreadableInput(f"cannot read {shown(str(file))}: {why}") from error


def _origin_pairs(
    origins: Mapping[str, Origin] | Iterable[tuple[str, Origin]],
) -> tuple[tuple[str, Origin], ...]:
    return tuple(dict(origins).items())


@public
@loads_older_pickles
@frozen(repr=False)
class KernelConfig(Displayed, PrintedAsRepr):
    r"""What a kernel's configuration says about stage 2.

    Args:
        host: The host's page size, VA width and PA width.
        release: The release as the header line has it, such as ``"6.1.0-18-arm64"``;
            None where there is no header line, as in a distribution's own files.
        kvm: Whether KVM is built in.
        origins: Where each fact was found, by name.
        premises: What was assumed beside the file, a clause each. What the release
            assumes is added.

            .. versionadded:: 0.2.0

    Raises:
        InvalidArgument: ``release`` does not begin with a release number.
        TypeError: A value has the wrong type.

    >>> kernel = KernelConfig.from_text(
    ...     "# Linux/arm64 4.19.0 Kernel Configuration\n"
    ...     "CONFIG_ARM64_64K_PAGES=y\n"
    ...     "CONFIG_ARM64_VA_BITS=42\n"
    ...     "CONFIG_KVM=y\n"
    ... )
    >>> kernel.host, kernel.scheme
    (Host(page_shift=16, va_bits=42, pa_bits=48), Scheme.STATIC)
    >>> kernel.ipa_sizes().widths
    (40,)
    """

    host: Host = field(converter=_checked_host)
    release: str | None = field(converter=_checked_release)
    kvm: bool = field(converter=_checked_kvm)
    _origins: tuple[tuple[str, Origin], ...] = field(
        default=(), alias="origins", converter=_origin_pairs
    )
    premises: tuple[str, ...] = field(default=(), eq=False)

    def __attrs_post_init__(self) -> None:
        if self.scheme is not None:
            premises = dict.fromkeys((*self.premises, *self._kernel(None).premises))
            object.__setattr__(self, "premises", tuple(premises))

    @classmethod
    def from_text(
        cls,
        text: str | bytes,
        *,
        page_shift: int | None = None,
        va_bits: int | None = None,
    ) -> "KernelConfig":
        """Read a configuration.

        Page size and VA width are required. A defconfig leaves them out where they are
        the default; then they can be given. Where no option gives the PA width it is 48
        bits, where none gives KVM it is off, and without a header line there is no
        release; `origins` says so.

        Args:
            text: The content of a ``.config``, as text or as bytes, which may be
                gzip's. At most 16 MiB, unpacked.
            page_shift: log2 of the page size, where no option says it; one that says
                another is an error.

                .. versionadded:: 0.2.0
            va_bits: Width of the kernel's virtual addresses in bits, likewise.

                .. versionadded:: 0.2.0

        Raises:
            UnreadableInput: It is no arm64 configuration, is damaged or cut short, or
                contradicts itself or what was given, or a required fact is missing.
            InvalidArgument: A given value is outside its range.
            TypeError: It is neither text nor bytes, or a given value is no integer.

        Source: Linux v3.18 to today, arch/arm64/Kconfig; scripts/kconfig/confdata.c.
        """
        file = parsed(decoded(text))
        refuse_foreign(file)
        facts = read_facts(file, page_shift, va_bits)
        refuse_cut(file)
        origins = {
            "release": release_origin(file),
            **{name: found.origin for name, found in facts.items()},
            **code_origins(file),
        }
        premises = [
            f"{found.words} was given, not read"
            for found in facts.values()
            if found.was_given
        ]
        widths = (facts[name].value for name in ("page_shift", "va_bits", "pa_bits"))
        kvm = bool(facts["kvm"].value)
        release = release_of(file.header)
        return cls(Host(*widths), release, kvm, origins, tuple(premises))

    @classmethod
    def from_path(
        cls,
        path: str | os.PathLike[str],
        *,
        page_shift: int | None = None,
        va_bits: int | None = None,
    ) -> "KernelConfig":
        """Read a configuration from a file, plain or gzip.

        Args:
            path: Such as ``"/boot/config-6.1.0-18-arm64"`` or ``"/proc/config.gz"``.
            page_shift: As for `from_text`.

                .. versionadded:: 0.2.0
            va_bits: As for `from_text`.

                .. versionadded:: 0.2.0

        Raises:
            UnreadableInput: The file cannot be read, or `from_text` cannot read what
                is in it.
            InvalidArgument: A given value is outside its range.
            TypeError: It is no path, or a given value is no integer.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be text or a path, got {quoted(path)}")
        file = Path(path)
        content = _content(file)
        try:
            return cls.from_text(content, page_shift=page_shift, va_bits=va_bits)
        except UnreadableInput as error:
            raise UnreadableInput(f"{shown(str(file))}: {error}") from error

    @property
    def scheme(self) -> Scheme | None:
        """How the release chooses the shape; None without one, or before v3.18.

        Where an option shows that a vendor's code is newer than its number, it is the
        scheme of the code.
        """
        try:
            return self._kernel(None).scheme
        except (UnreadableInput, UnsupportedCombination):
            return None

    def _kernel(self, release: str | None) -> Kernel:
        """Return the kernel of a release, or of the configuration's own.

        Raises:
            UnreadableInput: There is no release, neither in the file nor given.
            UnsupportedCombination: The release is older than v3.18.
        """
        name = self.release if release is None else release
        if name is None:
            raise UnreadableInput(
                "the configuration has no header line with the release, and which IPA "
                'sizes KVM accepts depends on it; give it: ipa_sizes(release="6.1")'
            )
        vendor = dict(self._origins).get("code")
        return kernel_of(name, *([vendor.option] if vendor and vendor.option else []))

    def _question(
        self, ipa_bits: int, cpu: Cpu | None, release: str | None, protected: bool
    ) -> Question:
        host = self.host
        return question(
            host.page_shift,
            ipa_bits,
            host.va_bits,
            pa_bits=host.pa_bits,
            kernel=self._kernel(release),
            protected=protected,
            cpu=cpu,
        )

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where each fact was found, by name.

        The names are ``release``, ``page_shift``, ``va_bits``, ``pa_bits``,
        ``pgtable_levels`` and ``kvm``, and ``code`` where an option shows that a
        vendor's code is newer than its release, or than the one that a file without
        a header line may have. Empty where no file was read.
        """
        return MappingProxyType(dict(self._origins))

    def stage2(
        self,
        ipa_bits: int,
        cpu: Cpu | None = None,
        *,
        release: str | None = None,
        protected: bool = False,
    ) -> Geometry:
        """Return the shape of stage 2 that this kernel's KVM uses.

        Args:
            ipa_bits: Width of the guest's addresses in bits.
            cpu: What bounds the answer by PARange, page sizes and LPA2; None asks
                whether some CPU gives the width.
            release: The release, where the configuration does not name it or names
                another, such as ``"6.1"``.
            protected: Whether the host runs with kvm-arm.mode=protected; see `stage2`.

        Raises:
            UnsupportedCombination: KVM is off, or the kernel, the architecture or the
                CPU refuses.
            UnreadableInput: There is no release, neither in the file nor given.
            InvalidArgument: A value is outside its range.
            TypeError: A value has the wrong type.

        .. versionadded:: 0.2.0

        >>> kernel = KernelConfig(Host(page_shift=14, va_bits=36), "5.4", kvm=True)
        >>> kernel.stage2(40).concatenation
        16
        """
        asked = self._question(ipa_bits, cpu, release, protected)
        answer = asked.answer()
        if isinstance(answer, Violations) or not self.kvm:
            raise UnsupportedCombination(self._limits(asked), self._widest(asked))
        return answer

    def check(
        self,
        ipa_bits: int,
        cpu: Cpu | None = None,
        *,
        release: str | None = None,
        protected: bool = False,
    ) -> Violations:
        """Return every limit that an IPA width breaks under this kernel.

        The arguments are those of `stage2`.

        Returns:
            The violations; ``kvm-not-built`` first where KVM is off.

        Raises:
            UnreadableInput: There is no release, neither in the file nor given.
            InvalidArgument: A value is outside its range.
            TypeError: A value has the wrong type.

        .. versionadded:: 0.2.0
        """
        try:
            asked = self._question(ipa_bits, cpu, release, protected)
        except UnsupportedCombination as refusal:  # older than the oldest scheme
            return Violations(self._not_built() + tuple(refusal.violations))
        return self._limits(asked)

    def max_ipa_bits(
        self,
        cpu: Cpu | None = None,
        *,
        release: str | None = None,
        protected: bool = False,
    ) -> int | None:
        """Return the widest IPA that a guest of this kernel can have.

        The arguments are those of `stage2`.

        Returns:
            32..52 bits, or None when no width fits or KVM is off.

        Raises:
            UnsupportedCombination: The release is older than v3.18.
            UnreadableInput: There is no release, neither in the file nor given.
            InvalidArgument: A value is outside its range.
            TypeError: A value has the wrong type.

        .. versionadded:: 0.2.0
        """
        return self._widest(self._question(IPA_MAXIMUM, cpu, release, protected))

    def _not_built(self) -> tuple[Violation, ...]:
        return () if self.kvm else (KVM_NOT_BUILT,)

    def _limits(self, asked: Question) -> Violations:
        return Violations(self._not_built() + tuple(asked.violations()))

    def _widest(self, asked: Question) -> int | None:
        return asked.widest() if self.kvm else None

    def ipa_sizes(
        self,
        cpu: Cpu | None = None,
        *,
        release: str | None = None,
        protected: bool = False,
    ) -> IpaSizes:
        """Return the guest IPA widths of this kernel.

        They are those of the very release, where a `Scheme` has the limits of its last
        one. v5.10 to v5.14 accept 49 to 52 bits of 4K and 16K pages, though nothing can
        translate them, and from v4.7 until v5.12 a guest of 40 bits is accepted even
        where the CPU has fewer.

        Args:
            cpu: What bounds the answer by PARange, page sizes and LPA2; None asks for
                what some CPU gives.
            release: The release, where the configuration does not name it or names
                another, such as ``"6.1"``.
            protected: Whether the host runs with kvm-arm.mode=protected: then KVM
                accepts any width, and every guest has the widest.

                .. versionadded:: 0.2.0

        Returns:
            The widths that a guest can run with, and those that KVM_CREATE_VM accepts;
            none where KVM is off or cannot run.

        Raises:
            UnreadableInput: There is no release, neither in the file nor given.
            UnsupportedCombination: The release is older than v3.18.
            InvalidArgument: ``release`` does not begin with a release number, or
                ``protected`` is given without ``cpu``.
            TypeError: A value has the wrong type.

        Source: Linux, arch/arm64/kvm/reset.c; the commits of each limit are in the
        ``source`` of what `check` returns.

        >>> kernel = KernelConfig(Host(page_shift=12, va_bits=48), "6.12", kvm=True)
        >>> kernel.ipa_sizes(Cpu(44)).widths[-1]
        44
        """
        asked = self._question(IPA_MAXIMUM, cpu, release, protected)
        premises = tuple(dict.fromkeys((*self.premises, *asked.premises)))
        if not self.kvm:
            return IpaSizes((), False, False, premises=premises)
        widths = asked.supported()
        is_open = bool(widths) and cpu is None
        return IpaSizes(
            widths,
            needs_parange=is_open and not asked.kernel.has_one_width,
            needs_lpa2=is_open and asked.may_have_lpa2,
            accepted=asked.accepted(),
            premises=premises,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        scheme = self.scheme
        return {
            "host": self.host.to_dict(),
            "release": self.release,
            "scheme": None if scheme is None else scheme.value,
            "kvm": self.kvm,
            "origins": {name: origin.to_dict() for name, origin in self._origins},
        }

    def __repr__(self) -> str:
        return (
            f"KernelConfig(host={self.host!r}, release={self.release!r}, "
            f"kvm={self.kvm!r}, origins={self._origins!r})"
        )
