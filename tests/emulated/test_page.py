# SPDX-License-Identifier: MIT
"""docs/explanation/emulators.md says what limits.py says, and how much is asked."""

from emulated import page
from emulated.availability import require
from emulated.cpu import EmulatedCpu


def text() -> str:
    """Return the page."""
    return page.PAGE.read_text(encoding="utf-8")


def test_limits() -> None:
    """Every row, in the order in which they apply."""
    assert page.limits() in text()
    assert page.stand_ins() in text()


def test_cpus(emulated_cpus: list[EmulatedCpu]) -> None:
    """Every CPU, with the number of questions of the two families."""
    require("unicorn")
    require("qemu")
    asked = [cpu for cpu in emulated_cpus if cpu.name != "unicorn/cortex-a57"]

    assert page.cpus(asked) in text()
