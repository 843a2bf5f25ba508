# SPDX-License-Identifier: MIT
"""A question for each command that has an answer, and the files that it reads."""

from pathlib import Path

from s2geom.cli.commands import COMMANDS
from s2geom.cli.main import main

NAMES = [command.name for command in COMMANDS]

CONFIG = """\
# Linux/arm64 6.12.0 Kernel Configuration
CONFIG_ARM64_4K_PAGES=y
CONFIG_ARM64_VA_BITS=48
CONFIG_KVM=y
"""
MAP = "0, 4M, NORMAL, ram\n"
SHAPE = "--page-size 4K --ipa 40"
IMAGE = f"image --load 2G {SHAPE}"
RIGHT = {
    "show": f"show {SHAPE}",
    "config": "config config",
    "split": f"split {SHAPE} 0x1234",
    "fit": "fit map --page-size 4K",
    "macros": f"macros {SHAPE}",
    "choices": f"choices {SHAPE} --pa 44",
    "compare": f"compare {SHAPE} --pa 44",
    "decode": "decode vtcr 0x80023558",
    "build": f"build map {SHAPE} --base 2G",
    "walk": f"walk {IMAGE} 0x1234",
    "dump": f"dump {IMAGE}",
    "gdb-script": "gdb-script",
    "footprint": f"footprint map {SHAPE}",
}
"""A question for each command; a test says so where a new command has none."""

FILES = {"config", "map", "image"}
"""The files among the words of `RIGHT`."""

HOSTILE = "/no/where/\x1b[31m\x07\u202e\n\udcff"
"""A file name that would recolour, ring, turn round and break a line."""


def write_files(folder: Path) -> None:
    """Write the files of the questions; the current folder is theirs already."""
    (folder / "config").write_text(CONFIG)
    (folder / "map").write_text(MAP)
    assert 0 == main(f"{RIGHT['build']} --out image".split())
