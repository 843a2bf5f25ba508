# SPDX-License-Identifier: MIT
"""Stage-2 tables that real kernels built: see ``data/real_tables/README.md``."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import s2geom as s2

REAL = Path(__file__).parent / "data" / "real_tables"

GUESTS = ("16k-40", "4k-40-fwb-lpa2", "4k-40-linux-7.3", "4k-40-ptdump", "64k-40")
"""Guests of KVM, with what /proc/self/pagemap said about their memory."""

PROTECTED_HOST = "4k-48-pkvm-host"
"""The stage 2 of a host that runs protected KVM."""


class RealGuest(NamedTuple):
    """Registers and tables of a machine."""

    registers: dict[str, Any]
    vtcr: s2.VTCR_EL2
    geometry: s2.Geometry
    root: int
    memory: s2.Memory

    @property
    def arguments(self) -> tuple[s2.Geometry, int, Any]:
        """What `scan` and the like take first."""
        return self.geometry, self.root, self.memory.read


def rows(name: str, file: str) -> list[dict[str, str]]:
    """Return the rows of one of a guest's tables."""
    path = REAL / name / file
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return list(csv.DictReader(content.decode().splitlines()))


def real_guest(name: str) -> RealGuest:
    """Return one of the real machines."""
    folder = REAL / name
    registers = json.loads((folder / "registers.json").read_text())
    blob = gzip.decompress((folder / "tables.bin.gz").read_bytes())
    chunks = {}
    for row in rows(name, "tables.csv"):
        at, size = int(row["offset"]), int(row["size"])
        chunks[int(row["address"], 0)] = blob[at : at + size]
    vtcr = s2.VTCR_EL2.from_int(int(registers["vtcr_el2"], 0))
    vttbr = s2.VTTBR_EL2.from_int(int(registers["vttbr_el2"], 0))
    geometry = vtcr.geometry()
    return RealGuest(registers, vtcr, geometry, vttbr.root(geometry), s2.Memory(chunks))
