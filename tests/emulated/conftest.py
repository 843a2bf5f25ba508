# SPDX-License-Identifier: MIT
"""Fixtures: the emulated CPUs, each made once for the whole session."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from emulated.availability import require, wanted
from emulated.qemu_cpu import MODELS, QemuCpu, build_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulated.cpu import EmulatedCpu
    from emulated.unicorn_cpu import UnicornCpu


# Fixture and model. Unicorn's A57 differs from its A72 in nothing asked here.
CPUS = [
    *(("unicorn_cpus", name) for name in ("cortex-a53", "cortex-a72", "max")),
    *(("qemu_cpus", name) for name in MODELS),
]


@pytest.fixture(scope="session")
def unicorn_cpus() -> dict[str, UnicornCpu]:
    """Every CPU that Unicorn emulates, by model: 40-bit and 44-bit ones."""
    require("unicorn")
    # Only now is it known that the package is there.
    from emulated import unicorn_cpu  # noqa: PLC0415

    return {name: unicorn_cpu.UnicornCpu(name) for name in unicorn_cpu.MODELS}


@pytest.fixture(scope="session")
def qemu_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that runs inside QEMU."""
    require("qemu")
    return build_program(tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="session")
def qemu_cpus(qemu_program: Path) -> Iterator[dict[str, QemuCpu]]:
    """One QEMU for each of `MODELS`."""
    with contextlib.ExitStack() as stack:
        yield {
            model: stack.enter_context(QemuCpu(qemu_program, model)) for model in MODELS
        }


@pytest.fixture(scope="session")
def qemu_cpu(qemu_cpus: dict[str, QemuCpu]) -> QemuCpu:
    """The QEMU that knows most: 52-bit addresses, LPA2, small tables."""
    return qemu_cpus["max"]


@pytest.fixture(scope="session", params=CPUS, ids="-".join)
def cpu(request: pytest.FixtureRequest) -> EmulatedCpu:
    """Each emulated CPU in turn."""
    fixture, model = request.param
    found: EmulatedCpu = request.getfixturevalue(fixture)[model]
    return found


@pytest.fixture(scope="session")
def emulated_cpus(request: pytest.FixtureRequest) -> list[EmulatedCpu]:
    """Every emulated CPU that this machine can run."""
    cpus: list[EmulatedCpu] = []
    for emulator in filter(wanted, ("unicorn", "qemu")):
        cpus += request.getfixturevalue(f"{emulator}_cpus").values()
    return cpus
