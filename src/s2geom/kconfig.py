# SPDX-License-Identifier: MIT
"""`KernelConfig`: what a kernel's ``.config`` says about stage 2.

Over twelve years Kconfig has spelled the same few facts in several ways. Each fact is a
row of `FACTS`: its options in the order in which they are believed, and what their
values mean. The first one that is there gives the fact; a later one may only agree.
Which guests a release then accepts is a second table, `LIMITS`, with a row for each
limit and the commits that brought it and took it away.

A damaged file must not give a wrong answer: whatever contradicts itself, belongs to
another architecture or ends too early is an `UnreadableInput` that names the option and
the line.
"""

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from s2geom._arguments import flag
from s2geom._display import Displayed
from s2geom._public import public
from s2geom.architecture import IPA_MAXIMUM, IPA_WITHOUT_LPA2, Cpu
from s2geom.errors import InvalidArgument, UnreadableInput, UnsupportedCombination
from s2geom.granule import Granule
from s2geom.kvm import IPA_MINIMUM, KCONFIG_VA_BITS, Host
from s2geom.scheme import Scheme, parse_release

MOST_BYTES = 16 << 20
"""A configuration has some 300 KiB: more than this is something else, or a bomb."""

KVM_PHYS_SHIFT = 40
"""The IPA width of every guest before v4.20, and since then of one that asks for 0."""

HEADER = "# Linux/arm64"
"""How the header line begins, which names the release."""

# What the file says


@frozen
class _Setting:
    """One option as the file has it; ``n`` is what "is not set" says.

    The header line is held as one too, with the release as its value.
    """

    option: str
    value: str
    line: int

    @property
    def text(self) -> str:
        if self.option == HEADER:
            return f"{HEADER} {_shown(self.value)} Kernel Configuration"
        if self.value == "n":
            return f"# {_shown(self.option)} is not set"
        return f"{_shown(self.option)}={_shown(self.value)}"

    def __str__(self) -> str:
        return f"{self.text} (line {self.line})"


def _shown(text: str) -> str:
    """Return what a message can show of a text from the file."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return short if short.isprintable() else ascii(short)


@frozen
class _File:
    """A file's settings by option, its header line, and how many lines it has."""

    settings: Mapping[str, _Setting]
    header: _Setting | None
    lines: int


_NAME = re.compile(r"CONFIG_\w+", re.ASCII)
# Possessive, so that a string of megabytes takes neither time nor memory.
_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"(?:[ \t]*+#.*|[ \t]*+)')
_REMARK = re.compile(r"[ \t]#")
_UNSET = re.compile(r"# (CONFIG_\w+) is not set", re.ASCII)
_HEADER_LINE = re.compile(r"# Linux/(\S+)[ \t]+(?:(\S+)[ \t]+)?Kernel Configuration")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_GZIP = b"\x1f\x8b"


def _decoded(given: str | bytes) -> str:
    """Return the text of a configuration, unpacked where it is packed.

    Raises:
        UnreadableInput: It is too much, damaged, or no text.
        TypeError: It is neither text nor bytes.
    """
    if not isinstance(given, str | bytes):
        raise TypeError(f"text must be str or bytes, got {type(given).__name__}")
    if isinstance(given, bytes) and given.startswith(_GZIP):
        given = _unpacked(given)
    if len(given) > MOST_BYTES:
        raise UnreadableInput(
            f"a kernel's .config has at most {MOST_BYTES >> 20} MiB, unpacked; "
            "this has more"
        )
    text = given if isinstance(given, str) else _text_of(given)
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise UnreadableInput(
            f"line {line} has the control character {ord(found[0]):#04x}: "
            "this is binary, not a kernel's .config"
        )
    return text


def _unpacked(packed: bytes) -> bytes:
    try:
        # One byte more than is allowed, so that a bomb is never unpacked further.
        return gzip.GzipFile(fileobj=BytesIO(packed)).read(MOST_BYTES + 1)
    except EOFError as error:
        message = f"the gzip data are cut short after {len(packed)} bytes"
        raise UnreadableInput(message) from error
    except (OSError, zlib.error) as error:
        raise UnreadableInput(f"the gzip data are damaged: {error}") from error


def _text_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableInput(
            f"byte {data[error.start]:#04x} at offset {error.start}, line {line}, is "
            "no UTF-8: this is binary, not a kernel's .config"
        ) from error


def _parsed(text: str) -> _File:
    """Read the lines of a configuration.

    Raises:
        UnreadableInput: A line is malformed or cut short, or an option or the header
            is given twice and differently.
    """
    settings: dict[str, _Setting] = {}
    header = None
    # Not splitlines: it also ends a line at characters that a value may hold.
    lines = text.split("\n")
    for number, raw in enumerate(lines, 1):
        line = raw.strip(" \t\r")
        is_last = number == len(lines)  # a whole file ends in a newline, before this
        if not line:
            continue
        if line.startswith("#"):
            found = _HEADER_LINE.fullmatch(line)
            if found:
                _refuse_other_architecture(found[1], line, number)
                setting = _Setting(HEADER, found[2] or "", number)
                header = _same(header, setting)
            unset = _UNSET.fullmatch(line)
            if unset is None:
                if is_last:
                    _refuse_cut_remark(line, number)
                continue
            setting = _Setting(unset[1], "n", number)
        else:
            setting = _assignment(line, number, is_last)
        settings[setting.option] = _same(settings.get(setting.option), setting)
    return _File(settings, header, len(lines) - (not lines[-1]))


def _assignment(line: str, number: int, is_last: bool) -> _Setting:
    """Read ``CONFIG_X=value``."""
    option, equals, value = line.partition("=")
    trouble = None
    if not equals or not _NAME.fullmatch(option):
        trouble = "is neither CONFIG_X=value nor a comment"
    elif value.startswith('"') and not _QUOTED.fullmatch(value):
        trouble = "has a quotation that does not end"
    elif not value and is_last:
        trouble = "has no value"
    if trouble:
        end = "; the text ends there and seems to be cut short" if is_last else ""
        raise UnreadableInput(f"line {number} {trouble}: {_shown(line)!r}{end}")
    if not value.startswith('"'):
        value = _REMARK.split(value, maxsplit=1)[0].rstrip(" \t")
    return _Setting(option, value, number)


def _refuse_cut_remark(line: str, number: int) -> None:
    """Refuse a last line that may have been a whole "# CONFIG_X is not set"."""
    option = re.match(r"# CONFIG_\w*", line, re.ASCII)
    if option and " is not set".startswith(line[option.end() :]):
        raise UnreadableInput(
            f"line {number} is cut short: {_shown(line)!r} is where the text ends"
        )


def _same(before: _Setting | None, now: _Setting) -> _Setting:
    """Return a setting, the earlier one where it is there twice."""
    if before is None:
        return now
    if before.value != now.value:
        raise UnreadableInput(f"{now} contradicts {before}: it is given twice")
    return before


# Whose file it is, and whether it is whole

_FOREIGN = (
    "CONFIG_ALPHA",
    "CONFIG_ARC",
    "CONFIG_ARM",
    "CONFIG_AVR32",
    "CONFIG_BLACKFIN",
    "CONFIG_C6X",
    "CONFIG_CRIS",
    "CONFIG_CSKY",
    "CONFIG_FRV",
    "CONFIG_H8300",
    "CONFIG_HEXAGON",
    "CONFIG_IA64",
    "CONFIG_LOONGARCH",
    "CONFIG_M32R",
    "CONFIG_M68K",
    "CONFIG_METAG",
    "CONFIG_MICROBLAZE",
    "CONFIG_MIPS",
    "CONFIG_MN10300",
    "CONFIG_NIOS2",
    "CONFIG_OPENRISC",
    "CONFIG_PARISC",
    "CONFIG_PPC",
    "CONFIG_PPC32",
    "CONFIG_PPC64",
    "CONFIG_RISCV",
    "CONFIG_S390",
    "CONFIG_SCORE",
    "CONFIG_SPARC",
    "CONFIG_SPARC32",
    "CONFIG_SPARC64",
    "CONFIG_SUPERH",
    "CONFIG_TILE",
    "CONFIG_UML",
    "CONFIG_UNICORE32",
    "CONFIG_X86",
    "CONFIG_X86_32",
    "CONFIG_X86_64",
    "CONFIG_XTENSA",
)
"""Options that are set in the configurations of one other architecture each."""

_GENERATED_OPTIONS = 200
"""From so many options on, a file that has the marks of Kconfig's own is its own."""


def _refuse_other_architecture(name: str, line: str, number: int) -> None:
    if name != "arm64":
        raise UnreadableInput(
            f"line {number}, {_shown(line)!r}, is for {_shown(name)}, not for arm64"
        )


def _refuse_foreign(file: _File) -> None:
    for option in _FOREIGN:
        setting = file.settings.get(option)
        if setting and setting.value == "y":
            raise UnreadableInput(
                f"{setting} is for {option.removeprefix('CONFIG_').lower()}, "
                "not for arm64"
            )
    arm64 = file.settings.get("CONFIG_ARM64")
    if arm64 and arm64.value != "y":
        raise UnreadableInput(f"{arm64}: this is for another architecture than arm64")


def _refuse_cut(file: _File) -> None:
    """Refuse a file of Kconfig's own that ends before the lines about KVM.

    Kconfig writes a line about every option that can be chosen, and on arm64
    VIRTUALIZATION always can. A defconfig or a text by hand is not held to that.
    """
    settings = file.settings
    marked = file.header is not None or "CONFIG_ARM64" in settings
    whole = len(settings) < _GENERATED_OPTIONS or not marked
    if whole or all(setting.value != "n" for setting in settings.values()):
        return
    virtualization = settings.get("CONFIG_VIRTUALIZATION")
    if virtualization is None:
        missing = "CONFIG_VIRTUALIZATION"
    elif virtualization.value == "y" and virtualization is [*settings.values()][-1]:
        missing = "CONFIG_KVM"
    else:
        return
    raise UnreadableInput(
        f"no line about {missing}, set or not, in {file.lines} lines and "
        f"{len(settings)} options: the file is cut short"
    )


# The facts


@frozen
class Row:
    """An option that gives a fact.

    Args:
        option: Its name.
        means: The values it can have, and what each says; None is nothing.
    """

    option: str
    means: Mapping[str, int | None]


@frozen
class Fact:
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
    rows: tuple[Row, ...]
    last_resort: tuple[Row, ...] = ()
    default: int | None = None
    derived_from: str = ""
    shown: Callable[[int], str] = str


def _number(option: str, *values: int) -> Row:
    return Row(option, {"n": None} | {str(value): value for value in values})


def _chosen(option: str, value: int) -> Row:
    return Row(option, {"y": value, "n": None})


def _bits(value: int) -> str:
    return f"{value} bits"


PAGE_SHIFT = Fact(
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
    shown=lambda value: str(Granule(value)),
)

VA_BITS = Fact(
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
    shown=_bits,
)

PA_BITS = Fact(
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

PGTABLE_LEVELS = Fact(
    "pgtable_levels",
    "level count",
    rows=(
        _number("CONFIG_PGTABLE_LEVELS", 2, 3, 4, 5),  # v4.2
        _number("CONFIG_ARM64_PGTABLE_LEVELS", 2, 3, 4, 5),  # v3.18-v4.1
    ),
    derived_from="page size and VA width",
)

KVM = Fact(
    "kvm",
    "KVM",
    rows=(
        Row("CONFIG_KVM", {"y": True, "n": False}),
        _chosen("CONFIG_KVM_ARM_HOST", value=True),  # up to v5.7, selected by KVM
        Row("CONFIG_VIRTUALIZATION", {"y": None, "n": False}),  # KVM depends on it
    ),
    default=False,
    derived_from="the absence of CONFIG_KVM",
    shown=lambda value: "on" if value else "off",
)

FACTS = (PAGE_SHIFT, VA_BITS, PA_BITS, PGTABLE_LEVELS, KVM)
"""What is read from a configuration beside the release."""


@frozen
class _Found:
    """A fact, and the setting that gives it; None where it is derived."""

    value: int
    setting: _Setting | None


def _read(fact: Fact, file: _File, default: int | None = None) -> _Found:
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
        found = _Found(default, None)
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


def _given(rows: Iterable[Row], file: _File) -> list[_Found]:
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


def _accepted(row: Row) -> str:
    if "y" in row.means:
        return "y or not set; arm64 has it built in or not at all"
    return _either([value for value in row.means if value != "n"])


def _either(words: Iterable[object]) -> str:
    *some, last = map(str, words)
    return f"{', '.join(some)} or {last}"


def _denial(fact: Fact, value: int, file: _File) -> _Setting | None:
    """Return an option that is said not to be set, where a value needs one that is."""
    asked = [
        file.settings[row.option]
        for row in fact.rows
        if row.means.get("y") == value and row.option in file.settings
    ]
    on = any(setting.value == "y" for setting in asked)
    return None if on or not asked else asked[0]


def _missing(fact: Fact, file: _File) -> str:
    options = _either([row.option for row in fact.rows + fact.last_resort])
    return (
        f"no {fact.words} in {file.lines} lines: {options} would give it; a defconfig "
        "leaves out what is the default, the .config made from it does not"
    )


def _refuse_impossible(file: _File, page: _Found, va: _Found) -> None:
    """Refuse what Kconfig never offered together, in any release."""
    granule = Granule(page.value)
    offered = [bits for size, bits in KCONFIG_VA_BITS if size is granule]
    if va.value not in offered:
        raise UnreadableInput(
            f"{va.setting} contradicts {page.setting}: {granule} pages come with a VA "
            f"of {_either(offered)} bits"
        )
    lpa2 = file.settings.get("CONFIG_ARM64_LPA2")
    if lpa2 and lpa2.value == "y" and granule is Granule.K64:
        raise UnreadableInput(
            f"{lpa2} contradicts {page.setting}: LPA2 is for 4K and 16K pages"
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
            shown = KVM.shown(value)
        else:
            shown = str(value)
        return f"{shown} ({self.words})"


def _origin(fact: Fact, found: _Found) -> Origin:
    setting = found.setting
    if setting is None:
        return Origin(found.value, None, None, f"derived from {fact.derived_from}")
    words = f"read from {setting.text}, line {setting.line}"
    return Origin(found.value, setting.option, setting.line, words)


def _release_origin(release: str | None, header: _Setting | None) -> Origin:
    if release is None or header is None:
        words = "derived from the absence of a header line with a release"
        return Origin(None, None, None, words)
    words = f"read from the header line, line {header.line}"
    return Origin(release, header.option, header.line, words)


def _release(header: _Setting | None) -> str | None:
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
            f"the header line (line {header.line}) has {_shown(header.value)!r} where "
            "the release belongs, such as '6.1.0'"
        )
        raise UnreadableInput(message) from error
    return header.value


# Which guests a release accepts

Version = tuple[int, int, int]


@frozen
class Change:
    """A commit, and where it is.

    Args:
        mainline: The first release that has it.
        source: The release and the commit's subject.
        stable: The first release of each stable branch that has it too.
    """

    mainline: Version
    source: str
    stable: tuple[Version, ...] = ()

    def is_in(self, release: Version) -> bool:
        """Return whether a release has it."""
        return release >= self.mainline or any(
            release[:2] == first[:2] and release >= first for first in self.stable
        )


FAKE_LEVELS = Change((3, 18, 0), Scheme.FAKE_PGD.source)
STATIC_LEVELS = Change((4, 7, 0), Scheme.STATIC.source)
WIDTH_PER_VM = Change((4, 20, 0), Scheme.DYNAMIC.source)
GRANULE_CHECKED = Change(
    (5, 9, 0), "Linux v5.9, ID_AA64MMFR0_EL1.TGran4_2, TGran16_2 and TGran64_2"
)
HOST_IRRELEVANT = Change((5, 10, 0), Scheme.INDEPENDENT.source)
# The stable releases are those whose review announced the patch; of 5.10, 5.10.198
# was also read.
LPA2_GRANULES_KNOWN = Change(
    (5, 12, 0),
    "Linux v5.12, arm64/mm: Fix __enable_mmu() for new TGRAN range values "
    "(26f55386f964)",
    stable=((5, 10, 153),),
)
DEFAULT_CHECKED = Change(
    (5, 12, 0),
    "Linux v5.12, KVM: arm64: Reject VM creation when the default IPA size is "
    "unsupported (7d717558dd5e)",
    stable=((5, 4, 106), (5, 10, 24), (5, 11, 7)),
)
CAPPED_AT_48 = Change(
    (5, 15, 0),
    "Linux v5.15, KVM: arm64: Restrict IPA size to maximum 48 bits on 4K and 16K page "
    "size (5e5df9571c31)",
    stable=((5, 10, 68), (5, 14, 7)),
)
LPA2_GUESTS = Change((6, 8, 0), Scheme.LPA2.source)


@frozen
class Limit:
    """The widest IPA that a host and a CPU leave to a guest.

    Args:
        states: The limit as a sentence.
        since: The commit that brought it.
        ceiling: The width in bits, `NO_GUEST` where there is no KVM at all.
        until: The commit that took it away.
        needs_cpu: Whether it is asked only where a CPU is given.
    """

    states: str
    since: Change
    ceiling: Callable[[Host, Any], int]
    until: Change | None = None
    needs_cpu: bool = False

    def is_in(self, release: Version) -> bool:
        """Return whether a release applies it."""
        over = self.until is not None and self.until.is_in(release)
        return self.since.is_in(release) and not over


NO_GUEST = 0


def _bounded(applies: bool, ceiling: int = NO_GUEST) -> int:
    return ceiling if applies else IPA_MAXIMUM


LIMITS = (
    Limit(
        "16K pages have no KVM as long as levels are faked",
        since=FAKE_LEVELS,
        until=STATIC_LEVELS,
        ceiling=lambda host, _: _bounded(host.granule is Granule.K16),
    ),
    Limit(
        "the IPA is no wider than PARange",
        since=FAKE_LEVELS,
        needs_cpu=True,
        ceiling=lambda _, cpu: cpu.pa_bits,
    ),
    Limit(
        "the IPA fits in the host's own levels and physical addresses",
        since=WIDTH_PER_VM,
        until=HOST_IRRELEVANT,
        ceiling=lambda host, _: host.max_ipa_bits(Scheme.DYNAMIC) or IPA_MINIMUM - 1,
    ),
    Limit(
        "the CPU has the page size at stage 2",
        since=GRANULE_CHECKED,
        needs_cpu=True,
        ceiling=lambda host, cpu: _bounded(host.granule not in cpu.granules),
    ),
    Limit(
        "a page size with LPA2 is taken for an unknown one",
        since=GRANULE_CHECKED,
        until=LPA2_GRANULES_KNOWN,
        needs_cpu=True,
        ceiling=lambda host, cpu: _bounded(host.granule in cpu.lpa2),
    ),
    Limit(
        "4K and 16K pages end at 48 bits",
        since=CAPPED_AT_48,
        until=LPA2_GUESTS,
        ceiling=lambda host, _: _bounded(
            host.granule is not Granule.K64, IPA_WITHOUT_LPA2
        ),
    ),
    Limit(
        "4K and 16K pages end at 48 bits on a CPU without LPA2",
        since=LPA2_GUESTS,
        needs_cpu=True,
        ceiling=lambda host, cpu: _bounded(
            host.granule not in {Granule.K64, *cpu.lpa2}, IPA_WITHOUT_LPA2
        ),
    ),
)
"""Every limit on the width of a guest's IPA, and the releases that apply it."""


def _widths(host: Host, release: Version, cpu: Cpu | None) -> tuple[int, ...]:
    """Return the widths that a release with KVM accepts, ascending."""
    ceilings = [
        limit.ceiling(host, cpu)
        for limit in LIMITS
        if limit.is_in(release) and not (limit.needs_cpu and cpu is None)
    ]
    ceiling = min(ceilings, default=IPA_MAXIMUM)
    if WIDTH_PER_VM.is_in(release):
        widths = range(IPA_MINIMUM, ceiling + 1)
    else:
        widths = range(KVM_PHYS_SHIFT, min(ceiling, KVM_PHYS_SHIFT) + 1)
    # Between these two, 40 bits were given with a warning to any CPU that has KVM.
    unchecked = STATIC_LEVELS.is_in(release) and not DEFAULT_CHECKED.is_in(release)
    if unchecked and ceiling != NO_GUEST and KVM_PHYS_SHIFT not in widths:
        return *widths, KVM_PHYS_SHIFT
    return tuple(widths)


@public
@frozen
class IpaSizes:
    """The guest IPA widths that a kernel release accepts.

    Args:
        widths: The widths in bits, ascending; empty where there is no guest at all.
        needs_parange: Whether the CPU's PARange would narrow the answer.
        needs_lpa2: Whether the CPU's LPA2 would narrow it too.

    >>> kernel = KernelConfig(Host(page_shift=14, va_bits=36), "5.4", kvm=True)
    >>> kernel.ipa_sizes()
    IpaSizes(widths=(32, 33, 34, 35, 36, 37, 38, 39, 40), needs_parange=True, \
needs_lpa2=False)
    """

    widths: tuple[int, ...]
    needs_parange: bool
    needs_lpa2: bool


# The configuration


def _checked_host(value: object) -> Host:
    if not isinstance(value, Host):
        raise TypeError(f"host must be a Host, got {value!r}")
    return value


def _checked_kvm(value: object) -> bool:
    return flag("kvm", value)


def _checked_release(value: str | None) -> str | None:
    if value is not None:
        parse_release(value)
    return value


def _pairs(
    origins: Mapping[str, Origin] | Iterable[tuple[str, Origin]],
) -> tuple[tuple[str, Origin], ...]:
    return tuple(dict(origins).items())


@public
@frozen(repr=False)
class KernelConfig(Displayed):
    r"""What a kernel's configuration says about stage 2.

    Args:
        host: The host's page size, VA width and PA width.
        release: The release as the header line has it, such as ``"6.1.0-18-arm64"``;
            None where there is no header line, as in a distribution's own files.
        kvm: Whether KVM is built in.
        origins: Where each fact was found, by name.

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

    @classmethod
    def from_text(cls, text: str | bytes) -> "KernelConfig":
        """Read a configuration.

        Page size and VA width are required. Where no option gives the PA width it is
        48 bits, where none gives KVM it is off, and without a header line there is no
        release; `origins` says so.

        Args:
            text: The content of a ``.config``, as text or as bytes, which may be
                gzip's. At most 16 MiB, unpacked.

        Raises:
            UnreadableInput: It is no arm64 configuration, is damaged or cut short, or
                contradicts itself, or a required fact is missing.
            TypeError: It is neither text nor bytes.

        Source: Linux v3.18 to today, arch/arm64/Kconfig; scripts/kconfig/confdata.c.
        """
        file = _parsed(_decoded(text))
        _refuse_foreign(file)
        page, va, pa = (_read(fact, file) for fact in (PAGE_SHIFT, VA_BITS, PA_BITS))
        _refuse_impossible(file, page, va)
        host = Host(page.value, va.value, pa.value)
        levels = _read(PGTABLE_LEVELS, file, host.pgtable_levels)
        if levels.value != host.pgtable_levels:
            raise UnreadableInput(
                f"{levels.setting} contradicts {page.setting} and {va.setting}: these "
                f"need {host.pgtable_levels} levels"
            )
        kvm = _read(KVM, file)
        _refuse_cut(file)
        release = _release(file.header)
        found = zip(FACTS, (page, va, pa, levels, kvm), strict=True)
        origins = {"release": _release_origin(release, file.header)} | {
            fact.name: _origin(fact, each) for fact, each in found
        }
        return cls(host, release, bool(kvm.value), origins)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> "KernelConfig":
        """Read a configuration from a file, plain or gzip.

        Args:
            path: Such as ``"/boot/config-6.1.0-18-arm64"`` or ``"/proc/config.gz"``.

        Raises:
            UnreadableInput: The file cannot be read, or `from_text` cannot read what
                is in it.
            TypeError: It is no path.
        """
        file = Path(path)
        try:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
            raise UnreadableInput(f"{_shown(str(file))}: {error}") from error
        try:
            return cls.from_text(content)
        except UnreadableInput as error:
            raise UnreadableInput(f"{_shown(str(file))}: {error}") from error

    @property
    def scheme(self) -> Scheme | None:
        """How the release chooses the shape; None without one, or before v3.18."""
        if self.release is None:
            return None
        try:
            return Scheme.for_release(self.release)
        except UnsupportedCombination:
            return None

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where each fact was found, by name.

        The names are ``release``, ``page_shift``, ``va_bits``, ``pa_bits``,
        ``pgtable_levels`` and ``kvm``. Empty where no file was read.
        """
        return MappingProxyType(dict(self._origins))

    def ipa_sizes(
        self, cpu: Cpu | None = None, *, release: str | None = None
    ) -> IpaSizes:
        """Return the guest IPA widths that this kernel accepts.

        It is the rule of the very release, where a `Scheme` is that of its last one:
        v5.10 to v5.14 take 49 to 52 bits of 4K and 16K pages, though nothing can
        translate them. A guest of 40 bits is accepted even where the CPU has fewer,
        with a warning, from v4.7 until v5.12.

        Args:
            cpu: What bounds the answer by PARange, granules and LPA2; None asks for
                the widest CPU.
            release: The release, where the configuration does not name it or names
                another, such as ``"6.1"``.

        Returns:
            The widths; none where KVM is off or cannot run.

        Raises:
            UnreadableInput: There is no release, neither in the file nor given.
            UnsupportedCombination: The release is older than v3.18.
            InvalidArgument: ``release`` does not begin with a release number.
            TypeError: A value has the wrong type.

        Source: Linux, arch/arm64/kvm/reset.c; of each limit, the commits in `LIMITS`.

        >>> kernel = KernelConfig(Host(page_shift=12, va_bits=48), "6.12", kvm=True)
        >>> kernel.ipa_sizes(Cpu(44)).widths[-1]
        44
        """
        if cpu is not None and not isinstance(cpu, Cpu):
            raise TypeError(f"cpu must be a Cpu or None, got {cpu!r}")
        name = self.release if release is None else release
        if name is None:
            raise UnreadableInput(
                "the configuration has no header line with the release, and which IPA "
                'sizes KVM accepts depends on it; give it: ipa_sizes(release="6.1")'
            )
        Scheme.for_release(name)  # refuses what is older than the first
        version = parse_release(name)
        widths = _widths(self.host, version, cpu) if self.kvm else ()
        is_open = bool(widths) and cpu is None
        return IpaSizes(
            widths,
            needs_parange=is_open and WIDTH_PER_VM.is_in(version),
            needs_lpa2=is_open
            and LPA2_GUESTS.is_in(version)
            and self.host.granule is not Granule.K64,
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
