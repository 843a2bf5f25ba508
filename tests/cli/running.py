# SPDX-License-Identifier: MIT
"""A run of the command, and what it leaves behind."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Ran(NamedTuple):
    """Exit code, standard output and standard error."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> list[str]:
        """The lines of the text before the premises."""
        return self.out.partition("\n\npremise: ")[0].splitlines()

    @property
    def json(self) -> Any:
        """The output, read as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]
"""Runs the command with the words of its arguments."""
