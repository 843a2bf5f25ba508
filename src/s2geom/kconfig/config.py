# SPDX-License-Identifier: MIT
"""`KernelConfig`: what a kernel's ``.config`` says about stage 2.

Over twelve years Kconfig has spelled the same few facts in several ways. Each fact is a
row of `FACTS`: its options in the order in which they are believed, and what their
values mean. The first one that is there gives the fact; a later one may only agree.

A damaged file must not give a wrong answer: whatever contradicts itself, belongs to
another architecture or ends too early is an `UnreadableInput` that names the option and
the line.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from attrs import field, frozen

from s2geom.core.display import Displayed
from s2geom.core.errors import (
    InvalidArgument,
    UnreadableInput,
    UnsupportedCombination,
    Violation,
    Violations,
)
from s2geom.core.geometry import Geometry
from s2geom.core.granule import Granule, granule_of
from s2geom.core.numbers import flag, integer_within
from s2geom.core.public import loads_older_pickles, public
from s2geom.core.wording import counted, quoted
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM
from s2geom.kconfig.text import (
    MOST_BYTES,
    File,
    Setting,
    decoded,
    parsed,
    refuse_cut,
    refuse_foreign,
    shortened,
    shown,
)
from s2geom.kernel.changes import FAKE_LEVELS
from s2geom.kernel.choose import Host
from s2geom.kernel.limits import KCONFIG_VA_BITS, VA_MAXIMUM, VA_MINIMUM
from s2geom.kernel.question import Question, question
from s2geom.kernel.releases import VENDOR_CODE, parse_release
from s2geom.kernel.scheme import Kernel, Scheme, kernel_of


@frozen
class OptionRow:
    """An option that gives a fact.

    Args:
        option: Its name.
        means: The values it can have, and what each says; None is nothing.
    """

    option: str
    means: Mapping[str, int | None]


@frozen
class ConfigFact:
    """A fact about the kernel.

    Args:
        name: The name of its `Origin`.
        words: What messages call it.
        rows: The options that give it, the most trusted first.
        last_resort: Options that count only where none of the others gives it.
        default: What it is where no option gives it; None where one must.
        derived_from: Where the default comes from, in words.
        shown: How messages write a value.
    """

    name: str
    words: str
    rows: tuple[OptionRow, ...]
    last_resort: tuple[OptionRow, ...] = ()
    default: int | None = None
    derived_from: str = ""
    shown: Callable[[int], str] = str


def _number(option: str, *values: int) -> OptionRow:
    return OptionRow(option, {"n": None} | {str(value): value for value in values})


def _chosen(option: str, value: int) -> OptionRow:
    return OptionRow(option, {"y": value, "n": None})


def _bits(value: int) -> str:
    return f"{value} bits"


PAGE_SHIFT_FACT = ConfigFact(
    "page_shift",
    "page size",
    rows=(
        _number("CONFIG_PAGE_SHIFT", 12, 14, 16),  # v6.9
        _number("CONFIG_ARM64_PAGE_SHIFT", 12, 14, 16),  # v4.7-v6.8
        _chosen("CONFIG_ARM64_4K_PAGES", 12),
        _chosen("CONFIG_ARM64_16K_PAGES", 14),  # v4.4
        _chosen("CONFIG_ARM64_64K_PAGES", 16),
    ),
    # v6.9. A distribution merges its files for all page sizes, and strays stay behind.
    last_resort=(
        _chosen("CONFIG_PAGE_SIZE_4KB", 12),
        _chosen("CONFIG_PAGE_SIZE_16KB", 14),
        _chosen("CONFIG_PAGE_SIZE_64KB", 16),
    ),
    derived_from="what the caller gave",
    shown=lambda value: str(Granule(value)),
)

VA_BITS_FACT = ConfigFact(
    "va_bits",
    "VA width",
    rows=(
        _number("CONFIG_ARM64_VA_BITS", 36, 39, 42, 47, 48, 52),
        _chosen("CONFIG_ARM64_VA_BITS_36", 36),
        _chosen("CONFIG_ARM64_VA_BITS_39", 39),
        _chosen("CONFIG_ARM64_VA_BITS_42", 42),
        _chosen("CONFIG_ARM64_VA_BITS_47", 47),
        _chosen("CONFIG_ARM64_VA_BITS_48", 48),
        _chosen("CONFIG_ARM64_VA_BITS_52", 52),
        # v5.0-v5.3: 52 bits for user space, while the kernel's own stay 48.
        _chosen("CONFIG_ARM64_USER_VA_BITS_52", 48),
    ),
    derived_from="what the caller gave",
    shown=_bits,
)

PA_BITS_FACT = ConfigFact(
    "pa_bits",
    "PA width",
    rows=(
        _number("CONFIG_ARM64_PA_BITS", 48, 52),  # v4.16
        _chosen("CONFIG_ARM64_PA_BITS_48", 48),
        _chosen("CONFIG_ARM64_PA_BITS_52", 52),
        _chosen("CONFIG_ARM64_LPA2", 52),  # v6.9, where 4K or 16K have PA_BITS_52
    ),
    default=48,  # as in every kernel before there was an option
    derived_from="the absence of an option for it",
    shown=_bits,
)

LEVELS_FACT = ConfigFact(
    "pgtable_levels",
    "level count",
    rows=(
        _number("CONFIG_PGTABLE_LEVELS", 2, 3, 4, 5),  # v4.2
        _number("CONFIG_ARM64_PGTABLE_LEVELS", 2, 3, 4, 5),  # v3.18-v4.1
    ),
    derived_from="page size and VA width",
)

KVM_FACT = ConfigFact(
    "kvm",
    "KVM",
    rows=(
        OptionRow("CONFIG_KVM", {"y": True, "n": False}),
        _chosen("CONFIG_KVM_ARM_HOST", value=True),  # up to v5.7, selected by KVM
        OptionRow(
            "CONFIG_VIRTUALIZATION", {"y": None, "n": False}
        ),  # KVM depends on it
    ),
    default=False,
    derived_from="the absence of CONFIG_KVM",
    shown=lambda value: "on" if value else "off",
)

FACTS = (PAGE_SHIFT_FACT, VA_BITS_FACT, PA_BITS_FACT, LEVELS_FACT, KVM_FACT)
"""What is read from a configuration beside the release."""


@frozen
class _Found:
    """A fact, and the setting that gives it; None where it is derived."""

    value: int
    setting: Setting | None
    words: str = ""

    @property
    def told(self) -> str:
        """The setting, or what the caller gave in its place."""
        return str(self.setting or f"the {self.words} that was given")


def _read(fact: ConfigFact, file: File, default: int | None = None) -> _Found:
    """Return a fact as the file gives it.

    Args:
        fact: The fact.
        file: The file.
        default: What it is where no option gives it, for a fact that has no fixed
            default.

    Raises:
        UnreadableInput: An option has a value that it cannot have, two contradict, or
            none gives a fact that has no default.
    """
    given = _given(fact.rows, file) or _given(fact.last_resort, file)
    if given:
        found = given[0]
    else:
        default = fact.default if default is None else default
        if default is None:
            raise UnreadableInput(_missing(fact, file))
        found = _Found(default, None, f"{fact.words} {fact.shown(default)}")
    for other in given[1:]:
        if other.value != found.value:
            raise UnreadableInput(
                f"{other.setting} contradicts {found.setting}: {fact.words} "
                f"{fact.shown(other.value)} against {fact.shown(found.value)}"
            )
    denial = _denial(fact, found.value, file)
    if denial:
        rest = f"contradicts {found.setting}" if given else "has nothing in its place"
        raise UnreadableInput(
            f"{denial} {rest}: {fact.words} {fact.shown(found.value)}"
        )
    return found


def _read_or_given(fact: ConfigFact, file: File, hand: int | None) -> _Found:
    """Return a fact as the file has it, or as the caller does where no option has it.

    Raises:
        UnreadableInput: Both have it and differ, or as `_read` says.
    """
    found = _read(fact, file, hand)
    if hand is not None and found.value != hand:
        raise UnreadableInput(
            f"{found.setting} contradicts the {fact.words} that was given: "
            f"{fact.shown(found.value)} against {fact.shown(hand)}"
        )
    return found


def _given(rows: Iterable[OptionRow], file: File) -> list[_Found]:
    """Return what each row says, where it says something."""
    found = []
    for row in rows:
        setting = file.settings.get(row.option)
        if setting is None:
            continue
        if setting.value not in row.means:
            raise UnreadableInput(f"{setting} must be {_accepted(row)}")
        value = row.means[setting.value]
        if value is not None:
            found.append(_Found(value, setting))
    return found


def _accepted(row: OptionRow) -> str:
    if "y" in row.means:
        return "y or not set; arm64 has it built in or not at all"
    return _either([value for value in row.means if value != "n"])


def _either(words: Iterable[object]) -> str:
    *some, last = map(str, words)
    return f"{', '.join(some)} or {last}"


def _denial(fact: ConfigFact, value: int, file: File) -> Setting | None:
    """Return an option that is said not to be set, where a value needs one that is."""
    asked = [
        file.settings[row.option]
        for row in fact.rows
        if row.means.get("y") == value and row.option in file.settings
    ]
    on = any(setting.value == "y" for setting in asked)
    return None if on or not asked else asked[0]


def _missing(fact: ConfigFact, file: File) -> str:
    release = _release(file.header)
    if release is not None and parse_release(release)[:2] < FAKE_LEVELS.mainline:
        return (
            f"Linux {release} (line {file.header and file.header.line}) is older than "
            f"{FAKE_LEVELS.first}, the oldest kernel whose configuration is read here: "
            f"its {fact.words} has no option"
        )
    options = _either([row.option for row in fact.rows + fact.last_resort])
    lines = counted(file.lines, "line")
    return (
        f"no {fact.words} in {lines}: {options} would give it; a defconfig "
        "leaves out what is the default, the .config made from it does not"
    )


def _refuse_impossible(file: File, page: _Found, va: _Found) -> None:
    """Refuse what Kconfig never offered together, in any release."""
    granule = Granule(page.value)
    offered = [bits for size, bits in KCONFIG_VA_BITS if size is granule]
    if va.value not in offered:
        raise UnreadableInput(
            f"{va.told} contradicts {page.told}: {granule} pages come with a VA "
            f"of {_either(offered)} bits"
        )
    lpa2 = file.settings.get("CONFIG_ARM64_LPA2")
    if lpa2 and lpa2.value == "y" and granule is Granule.K64:
        raise UnreadableInput(
            f"{lpa2} contradicts {page.told}: LPA2 is for 4K and 16K pages"
        )


# Where it came from


@public
@frozen
class Origin:
    r"""Where a fact about a kernel was found.

    Args:
        value: The fact: a number, on or off, the release, or None where it is unknown.
        option: The option it was read from; None where it is derived.
        line: The line of that option in the file, from 1; None where it is derived.
        words: How it was found, such as ``"read from CONFIG_KVM=y, line 718"`` or
            ``"derived from page size and VA width"``.

    >>> kernel = KernelConfig.from_text(
    ...     "CONFIG_ARM64_16K_PAGES=y\nCONFIG_ARM64_VA_BITS=36\n"
    ... )
    >>> print(kernel.origins["va_bits"])
    36 (read from CONFIG_ARM64_VA_BITS=36, line 2)
    >>> print(kernel.origins["pgtable_levels"])
    2 (derived from page size and VA width)
    """

    value: int | str | None
    option: str | None
    line: int | None
    words: str

    @property
    def derived(self) -> bool:
        """Whether the file does not say it itself."""
        return self.option is None

    def to_dict(self) -> dict[str, int | str | None]:
        """Return plain JSON types, keyed by the names of the arguments."""
        return {
            "value": self.value,
            "option": self.option,
            "line": self.line,
            "words": self.words,
        }

    def __str__(self) -> str:
        value = self.value
        if value is None:
            shown = "unknown"
        elif isinstance(value, bool):
            shown = KVM_FACT.shown(value)
        else:
            shown = str(value)
        return f"{shown} ({self.words})"


def _origin(fact: ConfigFact, found: _Found) -> Origin:
    setting = found.setting
    if setting is None:
        return Origin(found.value, None, None, f"derived from {fact.derived_from}")
    words = f"read from {setting.text}, line {setting.line}"
    return Origin(found.value, setting.option, setting.line, words)


def _release_origin(release: str | None, header: Setting | None) -> Origin:
    if release is None or header is None:
        words = "derived from the absence of a header line with a release"
        return Origin(None, None, None, words)
    words = f"read from the header line, line {header.line}"
    return Origin(release, header.option, header.line, words)


def _release(header: Setting | None) -> str | None:
    """Return the release of a header line, if it has one.

    Raises:
        UnreadableInput: What it has is no release.
    """
    if header is None or not header.value:
        return None
    try:
        parse_release(header.value)
    except InvalidArgument as error:
        message = (
            f"the header line (line {header.line}) has {shortened(header.value)!r} "
            "where the release belongs, such as '6.1.0'"
        )
        raise UnreadableInput(message) from error
    return header.value


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


# The configuration


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


def _vendor_code(release: str | None, file: File) -> Origin | None:
    """Return the option that shows a vendor's code under an older number."""
    branch = None if release is None else parse_release(release)[:2]
    for row in VENDOR_CODE:
        setting = file.settings.get(row.option)
        if branch == row.branch and setting and setting.value == "y":
            code = ".".join(map(str, row.code[:2]))
            words = f"shown by {setting.text}, line {setting.line}"
            return Origin(code, setting.option, setting.line, words)
    return None


def _pairs(
    origins: Mapping[str, Origin] | Iterable[tuple[str, Origin]],
) -> tuple[tuple[str, Origin], ...]:
    return tuple(dict(origins).items())


@public
@loads_older_pickles
@frozen(repr=False)
class KernelConfig(Displayed):
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
        default=(), alias="origins", converter=_pairs
    )
    premises: tuple[str, ...] = field(default=(), eq=False)

    def __attrs_post_init__(self) -> None:
        if self.release is not None and self.scheme is not None:
            more = self._kernel(self.release).premises
            premises = dict.fromkeys((*self.premises, *more))
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
        if page_shift is not None:
            page_shift = int(granule_of(page_shift))
        if va_bits is not None:
            va_bits = integer_within("va_bits", va_bits, VA_MINIMUM, VA_MAXIMUM)
        page = _read_or_given(PAGE_SHIFT_FACT, file, page_shift)
        va = _read_or_given(VA_BITS_FACT, file, va_bits)
        pa = _read(PA_BITS_FACT, file)
        _refuse_impossible(file, page, va)
        host = Host(page.value, va.value, pa.value)
        levels = _read(LEVELS_FACT, file, host.pgtable_levels)
        if levels.value != host.pgtable_levels:
            raise UnreadableInput(
                f"{levels.setting} contradicts {page.told} and {va.told}: these "
                f"need {host.pgtable_levels} levels"
            )
        kvm = _read(KVM_FACT, file)
        refuse_cut(file)
        release = _release(file.header)
        found = zip(FACTS, (page, va, pa, levels, kvm), strict=True)
        origins = {"release": _release_origin(release, file.header)} | {
            fact.name: _origin(fact, each) for fact, each in found
        }
        vendor = _vendor_code(release, file)
        if vendor is not None:
            origins["code"] = vendor
        premises = tuple(
            f"{fact.words} {fact.shown(found.value)} was given, not read"
            for fact, found in ((PAGE_SHIFT_FACT, page), (VA_BITS_FACT, va))
            if found.setting is None
        )
        return cls(host, release, bool(kvm.value), origins, premises)

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
        try:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
            why = getattr(error, "strerror", None) or error
            raise UnreadableInput(f"cannot read {shown(str(file))}: {why}") from error
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
        if self.release is None:
            return None
        try:
            return self._kernel(self.release).scheme
        except UnsupportedCombination:
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
        vendor's code is newer than its release. Empty where no file was read.
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
        if isinstance(answer, Geometry) and self.kvm:
            return answer
        widest = asked.widest() if self.kvm else None
        broken = () if isinstance(answer, Geometry) else answer
        raise UnsupportedCombination(self._not_built() + tuple(broken), widest)

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
        return Violations(self._not_built() + tuple(asked.violations()))

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
        asked = self._question(IPA_MAXIMUM, cpu, release, protected)
        return asked.widest() if self.kvm else None

    def _not_built(self) -> tuple[Violation, ...]:
        return () if self.kvm else (KVM_NOT_BUILT,)

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
        widths = asked.supported() if self.kvm else ()
        is_open = bool(widths) and cpu is None
        return IpaSizes(
            widths,
            needs_parange=is_open and not asked.kernel.has_one_width,
            needs_lpa2=is_open and asked.may_have_lpa2,
            accepted=asked.accepted() if self.kvm else (),
            premises=tuple(dict.fromkeys((*self.premises, *asked.premises))),
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
