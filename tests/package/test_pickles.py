# SPDX-License-Identifier: MIT
"""Pickles that 0.1.0 wrote are read, and are the values that they were.

``tests/data/pickles-0.1.0`` has one for each public value class, written by 0.1.0 with
the expressions below. A class that has gained a field since gives it its default.
"""

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

import s2geom as s2

PICKLES = Path(__file__).parents[1] / "data" / "pickles-0.1.0"

CONFIG = "CONFIG_ARM64_16K_PAGES=y\nCONFIG_ARM64_VA_BITS=36\nCONFIG_KVM=y\n"
PATCH = "s2.Geometry(s2.Granule.K16, 40, 2)"
SMALL = "s2.footprint(s2.Geometry(12, 32, 1), [(0, 1 << 21)])"
LIMIT = (
    "s2.Violation(rule='a-rule', message='a sentence', limited_by='cpu', given=1, "
    "limit=2, fix='a fix', source='a section')"
)
ROW = "s2.PolicyRow(s2.Granule.K4, 32, 40, 1, pa_bits=(40, 44))"

WRITTEN = {
    "AddressLayout": "s2.AddressLayout.LPA2",
    "Attributes": "s2.Attributes(memattr=5, xn=2)",
    "Cpu": "s2.Cpu(52, lpa2=[s2.Granule.K4], ttst=True)",
    "Descriptor": f"s2.Descriptor.from_int(0x400000000007ff, {PATCH}, 3)",
    "FakePgd": "s2.fake_pgd(12, 40, 39)",
    "Fault": "s2.Fault('translation', 2, 0x1000)",
    "Footprint": SMALL,
    "Geometry": PATCH,
    "Granule": "s2.Granule.K64",
    "Host": "s2.Host(14, 36)",
    "ID_AA64MMFR0_EL1": "s2.ID_AA64MMFR0_EL1.from_int(0x1125)",
    "ID_AA64MMFR1_EL1": "s2.ID_AA64MMFR1_EL1.from_int(0x2)",
    "ID_AA64MMFR2_EL1": "s2.ID_AA64MMFR2_EL1.from_int(0x10000)",
    "ID_AA64MMFR3_EL1": "s2.ID_AA64MMFR3_EL1.from_int(0x1)",
    "IpaIndex": f"{PATCH}.split(0xff_ffff_ffff)",
    "IpaSizes": "s2.IpaSizes((32, 33), True, False)",
    "KernelConfig": "s2.KernelConfig.from_text(CONFIG)",
    "Level": f"{PATCH}.level(2)",
    "LevelCount": f"{SMALL}.worst.levels[0]",
    "Mapping": "s2.Mapping(0, 0x1000, 0x1000, s2.Attributes(), 3)",
    "Origin": "s2.KernelConfig.from_text(CONFIG).origins['va_bits']",
    "Policy": f"s2.Policy('p', 'a summary', 'a source', rows=({ROW},))",
    "PolicyChoice": "s2.POLICIES['kvm'].choose(s2.Cpu(44), 12, 40)",
    "PolicyRow": ROW,
    "STE": "s2.STE.from_words(0x23558 << 32, 0x80000000)",
    "Scheme": "s2.Scheme.DYNAMIC",
    "TableCount": f"{SMALL}.worst",
    "Translation": (
        f"s2.Translation(0x4000, 3, s2.Descriptor.from_int(0x47ff, {PATCH}, 3))"
    ),
    "VTCR_EL2": "s2.VTCR_EL2.from_int(0x80023558)",
    "VTTBR_EL2": "s2.VTTBR_EL2.from_int(0x1000080000000)",
    "Violation": LIMIT,
}
"""An expression for each class; 0.1.0 and today's library both evaluate it."""

ERRORS = {
    "InvalidArgument": "s2.InvalidArgument('page_shift must be 12, 14 or 16')",
    "MemoryReadError": "s2.MemoryReadError('no memory at 0x1000')",
    "S2GeomError": "s2.S2GeomError('an error')",
    "UnreadableInput": "s2.UnreadableInput('no option')",
    "UnsupportedCombination": f"s2.UnsupportedCombination(({LIMIT},))",
}
"""Exceptions, which are equal where their type and arguments are."""


def made(expression: str) -> Any:
    """Return what an expression makes in today's library."""
    return eval(expression, {"s2": s2, "CONFIG": CONFIG})  # noqa: S307 - ours


def loaded(name: str) -> Any:
    """Return what 0.1.0 wrote."""
    return pickle.loads((PICKLES / f"{name}.pickle").read_bytes())  # noqa: S301 - ours


@pytest.mark.parametrize("name", WRITTEN)
def test_a_value_of_0_1_0_is_read(name: str) -> None:
    """It is of the same class and equal to the value that is made today."""
    value = loaded(name)

    assert type(value).__name__ == name
    assert made(WRITTEN[name]) == value
    assert repr(made(WRITTEN[name])) == repr(value)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_0_1_0_is_read(name: str) -> None:
    """Type, arguments and violations are the same."""
    error, expected = loaded(name), made(ERRORS[name])

    assert type(expected) is type(error)
    assert expected.args == error.args
    assert getattr(expected, "violations", ()) == getattr(error, "violations", ())
    assert str(expected) == str(error)


def test_memory_of_0_1_0_is_read() -> None:
    """It has the same bytes at the same place; two of them are never equal."""
    memory = loaded("Memory")

    assert bytes(range(16)) == memory.read(0x1000, 16)


def test_every_class_of_0_1_0_is_here() -> None:
    """Every class among the public names of 0.1.0 is tested here."""
    written = {path.stem for path in PICKLES.glob("*.pickle")}

    assert written == {*WRITTEN, *ERRORS, "Memory", "Step", "TableBuilder"}


def test_a_step_of_0_1_0_is_read() -> None:
    """The descriptors of a new level-2 table for two mappings of a builder."""
    step = loaded("Step")

    assert "write" == step.kind
    assert 0x8000_1000 == step.address


if __name__ == "__main__":  # by hand, with 0.1.0 on the path and PICKLES as argument
    for each, text in {**WRITTEN, **ERRORS}.items():
        file = Path(sys.argv[1]) / f"{each}.pickle"
        file.write_bytes(pickle.dumps(made(text), protocol=4))
