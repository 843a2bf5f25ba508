# SPDX-License-Identifier: MIT
"""`open_image`: which reader a file needs, by its first bytes.

To add a format, write its reader in a module of its own (in `image` if the file can be
mapped) and add its first bytes here. `UNREAD` lists formats that are recognised and not
read, with what the user can do instead.
"""

from attrs import frozen

from s2geom.core.errors import InvalidArgument, UnreadableInput
from s2geom.readers.elf_core import ELF_MAGIC
from s2geom.readers.image import FilePath, elf, first_bytes, raw, shown_path
from s2geom.readers.kdump_file import KDUMP_MAGIC, kdump
from s2geom.readers.reader import Reader


@frozen
class Unread:
    """A format that is known and not read here.

    Args:
        magic: How it begins.
        name: What it is.
        way: What to do instead.
    """

    magic: bytes
    name: str
    way: str


DUMP_GUEST_MEMORY = "take an ELF core: dump-guest-memory FILE in QEMU"
UNREAD = (
    Unread(
        b"makedumpfile\0\0\0\0",
        "a flattened kdump",
        "makedumpfile -R OUT < FILE writes it as a kdump",
    ),
    Unread(b"\x1f\x8b", "gzip", "gunzip it first"),
    Unread(b"\xfd7zXZ\0", "xz", "unxz it first"),
    Unread(b"\x28\xb5\x2f\xfd", "zstd", "unzstd it first"),
    Unread(b"QEVM", "a migration stream of QEMU", DUMP_GUEST_MEMORY),
    Unread(b"LibvirtQemudSave", "a machine saved by libvirt", DUMP_GUEST_MEMORY),
    Unread(b"QFI\xfb", "a qcow2 disk", DUMP_GUEST_MEMORY),
    Unread(b"EMiL", "a LiME dump", "take it again with format=raw, and its address"),
)
"""Files that people have where an image of memory is wanted."""

LONGEST_MAGIC = max(len(row.magic) for row in UNREAD)


def open_image(path: FilePath, load: int | None = None) -> Reader:
    """Open a file of physical memory: an ELF core, a kdump, or raw with its address.

    .. versionadded:: 0.2.0

    Args:
        path: The file. How it begins says what it is.
        load: Physical address of the first byte of raw memory. The other formats have
            their addresses in them.

    Raises:
        UnreadableInput: It cannot be read, or is of no format that is read here; raw
            memory needs ``load``.
        InvalidArgument: ``load`` was given for a file that has addresses, or is out of
            range.
        TypeError: A value has the wrong type.
    """
    name = shown_path(path)
    head = first_bytes(path, LONGEST_MAGIC)
    for magic, reader in ((ELF_MAGIC, elf), (KDUMP_MAGIC, kdump)):
        if head.startswith(magic):
            if load is not None:
                raise InvalidArgument(
                    f"{name} says at which addresses its memory is: leave load out; "
                    "readers.raw takes any file as it is"
                )
            return reader(path)
    _refuse_unread(name, head)
    if load is None:
        raise UnreadableInput(
            f"{name} is no ELF core and no kdump; if it is raw memory, say the "
            "physical address of its first byte (load)"
        )
    return raw(path, load)


def _refuse_unread(name: str, head: bytes) -> None:
    for row in UNREAD:
        if head.startswith(row.magic):
            raise UnreadableInput(f"{name} is {row.name}, not memory: {row.way}")
