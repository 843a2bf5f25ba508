# SPDX-License-Identifier: MIT
"""A ``.config`` as a text: its lines, its header, and whether it is whole.

What the options mean is in `options`. Here a file becomes settings with the line that
each is in, or an error that names the line: bytes that are no text, a line that Kconfig
never writes, an option given twice and differently, the options of another
architecture, and a file that ends too early.
"""

import gzip
import re
import zlib
from collections.abc import Mapping
from io import BytesIO

from attrs import frozen

from s2geom.core.errors import UnreadableInput

MOST_CONFIG_BYTES = 16 << 20
"""A configuration has some 300 KiB: more than this is something else, or a bomb."""

HEADER_START = "# Linux/arm64"
"""How the header line begins, which names the release."""


@frozen
class Setting:
    """One option as the file has it; ``n`` is what "is not set" says.

    The header line is held as one too, with the release as its value.
    """

    option: str
    value: str
    line: int

    @property
    def text(self) -> str:
        """The line, as a message can show it."""
        if self.option == HEADER_START:
            return f"{HEADER_START} {shown(self.value)} Kernel Configuration"
        if self.value == "n":
            return f"# {shown(self.option)} is not set"
        return f"{shown(self.option)}={shown(self.value)}"

    def __str__(self) -> str:
        return f"{self.text} (line {self.line})"


def shortened(text: str) -> str:
    """Return as much of a text as a message has room for."""
    return text if len(text) <= 60 else text[:57] + "..."


def shown(text: str) -> str:
    """Return what a message can show of a text from the file."""
    short = shortened(text)
    return short if short.isprintable() else ascii(short)


@frozen
class File:
    """A file's settings by option, its header line, and how many lines it has."""

    settings: Mapping[str, Setting]
    header: Setting | None
    lines: int

    def switched_on(self, option: str) -> Setting | None:
        """Return the setting of an option that is y."""
        setting = self.settings.get(option)
        return setting if setting and setting.value == "y" else None


_OPTION = re.compile(r"CONFIG_\w+=", re.ASCII)
# Possessive, so that a string of megabytes takes neither time nor memory.
_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"(?:[ \t]*+#.*|[ \t]*+)')
_REMARK = re.compile(r"[ \t]#")
_UNSET = re.compile(r"# (CONFIG_\w+) is not set", re.ASCII)
_HEADER_LINE = re.compile(r"# Linux/(\S+)[ \t]+(?:(\S+)[ \t]+)?Kernel Configuration")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_GZIP = b"\x1f\x8b"


def decoded(given: str | bytes) -> str:
    """Return the text of a configuration, unpacked where it is packed.

    Raises:
        UnreadableInput: It is too much, damaged, or no text.
        TypeError: It is neither text nor bytes.
    """
    if not isinstance(given, str | bytes):
        raise TypeError(f"text must be str or bytes, got {type(given).__name__}")
    if isinstance(given, bytes) and given.startswith(_GZIP):
        given = _unpacked(given)
    if len(given) > MOST_CONFIG_BYTES:
        raise UnreadableInput(
            f"a kernel's .config has at most {MOST_CONFIG_BYTES >> 20} MiB, unpacked; "
            "this has more"
        )
    text = given if isinstance(given, str) else _text_of(given)
    _refuse_control_characters(text)
    return text


def _refuse_control_characters(text: str) -> None:
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise UnreadableInput(
            f"line {line} has the control character {ord(found[0]):#04x}: "
            "this is binary, not a kernel's .config"
        )


def _unpacked(packed: bytes) -> bytes:
    try:
        # One byte more than is allowed, so that a bomb is never unpacked further.
        return gzip.GzipFile(fileobj=BytesIO(packed)).read(MOST_CONFIG_BYTES + 1)
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


def parsed(text: str) -> File:
    """Read the lines of a configuration.

    Raises:
        UnreadableInput: A line is malformed or cut short, or an option or the header
            is given twice and differently.
    """
    settings: dict[str, Setting] = {}
    # Not splitlines: it also ends a line at characters that a value may hold.
    lines = text.split("\n")
    for number, raw in enumerate(lines, 1):
        line = raw.strip(" \t\r")
        is_last = number == len(lines)  # a whole file ends in a newline, before this
        read = _remark if line[:1] in {"", "#"} else _assignment
        setting = read(line, number, is_last)
        if setting:
            before = settings.get(setting.option)
            settings[setting.option] = _once(before, setting)
    header = settings.pop(HEADER_START, None)
    return File(settings, header, len(lines) - (not lines[-1]))


def _remark(line: str, number: int, is_last: bool) -> Setting | None:
    """Read "# CONFIG_X is not set" or the header line; None for any other text."""
    header = _HEADER_LINE.fullmatch(line)
    if header:
        _refuse_other_architecture(header[1], line, number)
        return Setting(HEADER_START, header[2] or "", number)
    unset = _UNSET.fullmatch(line)
    if unset:
        return Setting(unset[1], "n", number)
    if is_last:
        _refuse_cut_remark(line, number)
    return None


def _assignment(line: str, number: int, is_last: bool) -> Setting:
    """Read ``CONFIG_X=value``."""
    trouble = _trouble(line, is_last)
    if trouble:
        end = "; the text ends there and seems to be cut short" if is_last else ""
        raise UnreadableInput(f"line {number} {trouble}: {shortened(line)!r}{end}")
    option, _, value = line.partition("=")
    if not value.startswith('"'):
        value = _REMARK.split(value, maxsplit=1)[0].rstrip(" \t")
    return Setting(option, value, number)


def _trouble(line: str, is_last: bool) -> str | None:
    """Return what is wrong with an assignment, if anything is."""
    if not _OPTION.match(line):
        return "is neither CONFIG_X=value nor a comment"
    value = line.partition("=")[2]
    if value.startswith('"') and not _QUOTED.fullmatch(value):
        return "has a quotation that does not end"
    return "has no value" if is_last and not value else None


def _refuse_cut_remark(line: str, number: int) -> None:
    """Refuse a last line that may have been a whole "# CONFIG_X is not set"."""
    option = re.match(r"# CONFIG_\w*", line, re.ASCII)
    if option and " is not set".startswith(line[option.end() :]):
        raise UnreadableInput(
            f"line {number} is cut short: {shortened(line)!r} is where the text ends"
        )


def _once(before: Setting | None, now: Setting) -> Setting:
    """Return a setting, the earlier one where it is there twice."""
    if before is None:
        return now
    if before.value != now.value:
        raise UnreadableInput(f"{now} contradicts {before}: it is given twice")
    return before


# Whose file it is, and whether it is whole

_OTHER_ARCHITECTURES = """
ALPHA ARC ARM AVR32 BLACKFIN C6X CRIS CSKY FRV H8300 HEXAGON IA64 LOONGARCH M32R
M68K METAG MICROBLAZE MIPS MN10300 NIOS2 OPENRISC PARISC PPC PPC32 PPC64 RISCV S390
SCORE SPARC SPARC32 SPARC64 SUPERH TILE UML UNICORE32 X86 X86_32 X86_64 XTENSA
"""
"""Each has an option of its name that is set in its own configurations alone."""

_FOREIGN = tuple(f"CONFIG_{name}" for name in _OTHER_ARCHITECTURES.split())

_GENERATED_OPTIONS = 200
"""From so many options on, a file that has the marks of Kconfig's own is its own."""


def _refuse_other_architecture(name: str, line: str, number: int) -> None:
    if name != "arm64":
        raise UnreadableInput(
            f"line {number}, {shortened(line)!r}, is for {shown(name)}, not for arm64"
        )


def refuse_foreign(file: File) -> None:
    """Refuse a file with the options of another architecture.

    Raises:
        UnreadableInput: The option and its line are named.
    """
    foreign = next(filter(None, map(file.switched_on, _FOREIGN)), None)
    if foreign:
        architecture = foreign.option.removeprefix("CONFIG_").lower()
        raise UnreadableInput(f"{foreign} is for {architecture}, not for arm64")
    arm64 = file.settings.get("CONFIG_ARM64")
    if arm64 and arm64.value != "y":
        raise UnreadableInput(f"{arm64}: this is for another architecture than arm64")


def refuse_cut(file: File) -> None:
    """Refuse a file of Kconfig's own that ends before the lines about KVM.

    Kconfig writes a line about every option that can be chosen, and on arm64
    VIRTUALIZATION always can. A defconfig or a text by hand is not held to that.

    Raises:
        UnreadableInput: The option without a line is named.
    """
    settings = file.settings
    if "CONFIG_VIRTUALIZATION" not in settings:
        missing = "CONFIG_VIRTUALIZATION"
    elif [*settings.values()][-1] is file.switched_on("CONFIG_VIRTUALIZATION"):
        missing = "CONFIG_KVM"
    else:
        return
    if _is_generated(file):
        raise UnreadableInput(
            f"no line about {missing}, set or not, in {file.lines} lines and "
            f"{len(settings)} options: the file is cut short"
        )


def _is_generated(file: File) -> bool:
    """Return whether a file has the marks of one that Kconfig wrote."""
    settings = file.settings
    return (
        len(settings) >= _GENERATED_OPTIONS
        and (file.header is not None or "CONFIG_ARM64" in settings)
        and any(setting.value == "n" for setting in settings.values())
    )
