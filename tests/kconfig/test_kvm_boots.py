# SPDX-License-Identifier: MIT
"""What KVM_CREATE_VM of six kernels took on emulated CPUs, 84 boots, against ours."""

import csv
from pathlib import Path
from typing import Any

import pytest

from s2geom import Cpu, Host, KernelConfig

DATA = Path(__file__).parents[1] / "data" / "kvm_boots.csv"
BOOTS = [*csv.DictReader(DATA.read_text().splitlines())]


def machine(boot: dict[str, str]) -> tuple[KernelConfig, Cpu]:
    """Return the kernel and the CPU of a boot."""
    words = (int(boot[name], 16) for name in ("mmfr0", "mmfr1", "mmfr2"))
    sizes = (int(boot[name]) for name in ("page_shift", "va_bits", "pa_bits"))
    kernel = KernelConfig(Host(*sizes), boot["kernel_version"], kvm=True)
    return kernel, Cpu.from_id_registers(*words)


def taken(types: str) -> set[int]:
    """Return the widths of machine types such as ``"0 32-44"``."""
    widths = set()
    for run in types.split():
        first, _, last = run.partition("-")
        widths |= set(range(int(first), int(last or first) + 1))
    return {width or 40 for width in widths}


@pytest.mark.parametrize("boot", BOOTS, ids=range(len(BOOTS)))
def test_what_a_kernel_took_is_accepted(boot: dict[str, Any]) -> None:
    """`accepted` has exactly those widths; the CPU takes those of `widths`."""
    kernel, cpu = machine(boot)
    sizes = kernel.ipa_sizes(cpu)

    assert taken(boot["accepted_types"]) == set(sizes.accepted)
    assert set(sizes.widths) <= set(sizes.accepted)
    assert int(boot["ipa_limit"]) == kernel.max_ipa_bits(cpu)
    for width in sizes.widths:
        assert () == cpu.check(kernel.stage2(width, cpu))


def test_there_are_84_boots() -> None:
    """The table has all of them, of six kernels."""
    assert (84, 6) == (len(BOOTS), len({boot["kernel_version"] for boot in BOOTS}))
