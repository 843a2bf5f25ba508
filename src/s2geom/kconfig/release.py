# SPDX-License-Identifier: MIT
"""The release of a configuration: its header line, and options of a vendor's code."""

from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.kconfig.origins import Origin
from s2geom.kconfig.text import File, Setting, shortened
from s2geom.kernel.releases import VENDOR_CODE, parse_release


def release_of(header: Setting | None) -> str | None:
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


def release_origin(file: File) -> Origin:
    """Return where the release was found.

    Raises:
        UnreadableInput: The header line has something else than a release.
    """
    release, header = release_of(file.header), file.header
    if release is None or header is None:
        words = "derived from the absence of a header line with a release"
        return Origin(None, None, None, words)
    words = f"read from the header line, line {header.line}"
    return Origin(release, header.option, header.line, words)


def code_origins(file: File) -> dict[str, Origin]:
    """Return the option that shows a vendor's code under an older number, as ``code``.

    Without a header line the option is kept too: the release that is named later may
    be the older number.

    Raises:
        UnreadableInput: The header line has something else than a release.
    """
    release = release_of(file.header)
    branch = None if release is None else parse_release(release)[:2]
    for row in VENDOR_CODE:
        setting = file.switched_on(row.option)
        if setting and branch in {None, row.branch}:
            code = ".".join(map(str, row.code[:2]))
            words = f"shown by {setting.text}, line {setting.line}"
            return {"code": Origin(code, setting.option, setting.line, words)}
    return {}
