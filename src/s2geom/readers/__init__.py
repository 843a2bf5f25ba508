# SPDX-License-Identifier: MIT
"""Where the bytes of tables come from: files and debuggers.

Every reader has a ``read(physical_address, size)``, which is what `walk`, `scan` and
the like want, and is a context manager that closes what it opened. `reader` says so in
code. `image` has files that are mapped, never read whole: raw memory and ELF cores, the
headers of which `elf_core` reads. `kdump_file` goes through libkdumpfile, `debuggers`
has drgn and gdb, and `qemu_monitor` what QEMU tells gdb about its memory. `page_cache`
keeps pages of a slow reader. `formats` finds the reader for a file.

New here: another format of memory dump, another debugger.
"""

from typing import TYPE_CHECKING

from s2geom.core.public import door, homes

_ROOMS = {
    "debuggers": ("drgn", "gdb"),
    "formats": ("open_image",),
    "image": ("elf", "raw"),
    "kdump_file": ("kdump",),
    "page_cache": ("cached",),
    "reader": ("Reader",),
}
_HOMES = homes(__name__, _ROOMS)

if TYPE_CHECKING:  # the same names once more, for tools that do not run the code
    from s2geom.readers.debuggers import drgn as drgn
    from s2geom.readers.debuggers import gdb as gdb
    from s2geom.readers.formats import open_image as open_image
    from s2geom.readers.image import elf as elf
    from s2geom.readers.image import raw as raw
    from s2geom.readers.kdump_file import kdump as kdump
    from s2geom.readers.page_cache import cached as cached
    from s2geom.readers.reader import Reader as Reader

    __all__: list[str]
else:
    __all__ = sorted(_HOMES)  # noqa: PLE0605 - made from the one list
    __getattr__ = door(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(_HOMES)
