# SPDX-License-Identifier: MIT
"""`WalkFields`: the fields of a walk that VTCR_EL2 and an SMMU's STE share.

Both encode a shape in the same five fields. Here are the fields, the rules about their
values, how table walks are cached, and how wide a VMID is. Only the names of the fields
differ, which are passed in as `FieldWords`.
"""

from collections.abc import Callable
from typing import NamedTuple

from attrs import frozen

from s2geom.core.address_form import NARROW, WIDE
from s2geom.core.errors import InvalidArgument, UnsupportedCombination
from s2geom.core.geometry import Geometry
from s2geom.core.granule import Granule
from s2geom.core.numbers import integer
from s2geom.core.rules import Case, Rule
from s2geom.core.wording import bits
from s2geom.cpu.cpu import ANY_CPU
from s2geom.cpu.sizes import LPA2_START_LEVELS, address_bits

GRANULES = {0: Granule.K4, 1: Granule.K64, 2: Granule.K16}
"""VTCR_EL2.TG0; 3 is reserved. (TG1 of stage 1 counts otherwise.)"""

START_LEVELS = {
    Granule.K4: {0: 2, 1: 1, 2: 0, 3: 3, 4: -1},
    Granule.K16: {0: 3, 1: 2, 2: 1, 3: 0},
    Granule.K64: {0: 3, 1: 2, 2: 1},
}
"""The start level by SL0, with SL2 above it as bit 2. 4K does not count in order."""


ENCODINGS = {
    (granule, level): (tg, code)
    for tg, granule in GRANULES.items()
    for code, level in START_LEVELS[granule].items()
}
"""TG0, and SL0 with SL2 above it, by page size and start level."""


@frozen
class WalkFields:
    """The fields that encode a shape, from either register.

    Args:
        t0sz: 64 less the IPA bits.
        sl0: Start level, by granule.
        tg: Granule, encoded.
        ds: Whether addresses have 52 bits with 4K and 16K pages.
        sl2: A further bit of the start level, for 4K with DS.
    """

    t0sz: int
    sl0: int
    tg: int
    ds: int
    sl2: int

    @property
    def granule(self) -> Granule | None:
        """The page size; None if the encoding is reserved."""
        return GRANULES.get(self.tg)

    @property
    def lpa2(self) -> bool:
        """Whether DS takes effect: it is reserved for 64K."""
        return bool(self.ds) and self.granule is not Granule.K64

    @property
    def uses_sl2(self) -> bool:
        """Whether SL2 takes effect."""
        return self.lpa2 and self.granule is Granule.K4

    @property
    def start_level(self) -> int | None:
        """The level of the first lookup; None if an encoding is reserved."""
        if self.granule is None:
            return None
        encoded = self.sl0 | (self.sl2 << 2 if self.uses_sl2 else 0)
        level = START_LEVELS[self.granule].get(encoded)
        if (self.granule, level) in LPA2_START_LEVELS and not self.lpa2:
            return None
        return level

    @property
    def geometry(self) -> Geometry | None:
        """The shape; None if an encoding is reserved."""
        if self.start_level is None or self.granule is None:
            return None
        return Geometry(self.granule, 64 - self.t0sz, self.start_level, self.lpa2)

    @classmethod
    def of(cls, geometry: Geometry) -> "WalkFields":
        """Return the fields for a shape.

        Raises:
            UnsupportedCombination: The fields have no encoding for it.
        """
        checked = ANY_CPU.check(geometry)
        broken = [why for why in checked if why.rule in ENCODING_RULES]
        if broken:
            raise UnsupportedCombination(broken)
        tg, start = ENCODINGS[geometry.granule, geometry.start_level]
        return cls(geometry.t0sz, start & 3, tg, int(geometry.lpa2), start >> 2)

    # Phrases of the messages

    @property
    def says_width(self) -> str:
        """How wide the IPA is."""
        return f"the IPA has {bits(64 - self.t0sz)}"

    def says_start_level(self, words: "FieldWords") -> str:
        """Return where the walk starts, or why the fields do not tell."""
        shape = self.geometry
        if shape is not None:
            tables = shape.concatenation
            more = f", in {tables} concatenated tables" if 1 < tables <= 16 else ""
            return f"the walk starts at level {shape.start_level}{more}"
        if self.granule is None:
            return "unknown, since the page size is reserved"
        return f"reserved, as {self.says_reserved(words)}"

    def says_reserved(self, words: "FieldWords") -> str:
        """Return why the start level is reserved."""
        sl0 = words.sl0
        if self.granule is Granule.K16:
            return (
                f"{sl0} = 3 with 16K pages is start level 0, which needs {words.ds} = 1"
            )
        if self.granule is Granule.K64:
            return f"64K pages have no start level 0, which {sl0} = 3 would be"
        return (
            f"{words.sl2} = 1 is for start level -1, which is {sl0} = 0, not {sl0} = "
            f"{self.sl0}"
        )

    def fixes_start_level(self, words: "FieldWords") -> str:
        """Return what to change then."""
        if self.granule is Granule.K4:
            return f"clear {words.sl2}, or set {words.sl0} to 0"
        more = f", or set {words.ds}" if self.granule is Granule.K16 else ""
        return f"set {words.sl0} to 0, 1 or 2{more}"


# The rules that both have


class FieldWords(NamedTuple):
    """The names of the fields in one register, and what follows from a bad value."""

    tg: str
    sl0: str
    sl2: str
    ds: str
    source: str
    then_tg: str
    then_sl0: str
    then_sl2: str


def shapeless_rules(
    words: FieldWords,
    walk: Callable[[Case], WalkFields],
    is_modelled: Callable[[Case], bool],
) -> tuple[Rule[Case], ...]:
    """Return the rules of encodings that name no shape.

    Args:
        words: What the fields are called.
        walk: Returns the fields of a case.
        is_modelled: Whether the tables of a case are VMSAv8-64.
    """
    return (
        Rule(
            id=f"{words.tg.lower()}-reserved",
            states=f"{words.tg} is 0 (4K), 1 (64K) or 2 (16K)",
            limited_by="architecture",
            breaks=lambda case: walk(case).granule is None,
            given=lambda case: walk(case).tg,
            limit=lambda _: "0, 1, 2",
            says=lambda _: (
                f"{words.tg} = 3 is reserved, {words.then_tg}; 0 is 4K, 1 is 64K and "
                "2 is 16K"
            ),
            fix=lambda _: f"set {words.tg} to 0, 1 or 2",
            source=f"{words.source}.{words.tg}",
        ),
        Rule(
            id=f"{words.sl0.lower()}-reserved",
            states=f"{words.sl0} and {words.sl2} encode a start level that the granule "
            "has",
            limited_by="architecture",
            breaks=lambda case: (
                is_modelled(case)
                and walk(case).granule is not None
                and walk(case).start_level is None
            ),
            given=lambda case: walk(case).sl0,
            limit=lambda case: 0 if walk(case).granule is Granule.K4 else 2,
            says=lambda case: f"{walk(case).says_reserved(words)}{words.then_sl0}",
            fix=lambda case: walk(case).fixes_start_level(words),
            source=f"{words.source}.{words.sl0}; pseudocode AArch64.S2InvalidSL",
        ),
    )


def reserved_rules(
    words: FieldWords,
    walk: Callable[[Case], WalkFields],
    is_modelled: Callable[[Case], bool],
) -> tuple[Rule[Case], ...]:
    """Return the rules of fields that are set where they are reserved.

    The arguments are those of `shapeless_rules`.
    """
    return (
        Rule(
            id=f"{words.ds.lower()}-with-64k",
            states=f"{words.ds} is for 4K and 16K pages; 64K pages have 52 bits "
            "without it",
            limited_by="architecture",
            breaks=lambda case: (
                is_modelled(case)
                and bool(walk(case).ds)
                and walk(case).granule is Granule.K64
            ),
            given=lambda case: walk(case).ds,
            limit=lambda _: 0,
            says=lambda _: (
                f"{words.ds} = 1 is reserved with 64K pages, whose descriptors have "
                "52-bit addresses without it"
            ),
            fix=lambda _: f"clear {words.ds}",
            source=f"{words.source}.{words.ds}",
        ),
        Rule(
            id=f"{words.sl2.lower().replace('_', '-')}-without-ds",
            states=f"{words.sl2} is set only with {words.ds} = 1 and 4K pages",
            limited_by="architecture",
            breaks=lambda case: (
                is_modelled(case) and bool(walk(case).sl2) and not walk(case).uses_sl2
            ),
            given=lambda case: walk(case).sl2,
            limit=lambda _: 0,
            says=lambda _: (
                f"{words.sl2} = 1 {words.then_sl2}, since it takes {words.ds} = 1 and "
                "4K pages"
            ),
            fix=lambda _: f"clear {words.sl2}",
            source=f"{words.source}.{words.sl2}",
        ),
    )


ENCODING_RULES = frozenset(
    {"lpa2-with-64k", "start-level-does-not-exist", "start-level-needs-lpa2"}
)
"""The architecture's rules that leave a shape without an encoding."""


# How tables are fetched

WALK_CACHING = {
    0: "non-cacheable",
    1: "write-back, allocating on reads and writes",
    2: "write-through, allocating on reads",
    3: "write-back, allocating on reads",
}


def walks_are(where: str) -> dict[int, str]:
    """Return the values of a cacheability field."""
    return {
        code: f"table walks are {where} {how}" for code, how in WALK_CACHING.items()
    }


SHAREABILITY = {0: "non-shareable", 2: "outer shareable", 3: "inner shareable"}
"""SH0 and S2SH0; 1 is reserved."""

WALK_SHAREABILITY = {
    code: f"table walks are {name}" for code, name in SHAREABILITY.items()
}


def output_bits_of(pa_bits: int | None, shape: Geometry | None) -> int:
    """Return a size of PS in bits: for None, 52 with LPA2 and 48 without.

    Raises:
        InvalidArgument: It is none of the sizes.
        TypeError: It is no integer.
    """
    if pa_bits is None:
        return WIDE if shape is not None and shape.lpa2 else NARROW
    return address_bits("pa_bits", pa_bits)


def vmid_bits_of(value: object) -> int:
    """Return a size of VMIDs in bits.

    Raises:
        InvalidArgument: It is not 8 or 16.
        TypeError: It is no integer.
    """
    number = integer("vmid_bits", value)
    if number not in {8, 16}:
        raise InvalidArgument(f"vmid_bits must be 8 or 16, got {number}")
    return number
