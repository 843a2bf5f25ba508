# SPDX-License-Identifier: MIT
"""`seed`: the same test under twelve seeds of hypothesis, two of them always."""

from collections.abc import Iterator

import hypothesis.core
import pytest
from hypothesis import Phase, settings

from s2geom.strategies import suites

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))]

settings.register_profile("seeded", derandomize=False, database=None)


@pytest.fixture(params=SEEDS)
def seed(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Begin with a seed, as ``--hypothesis-seed`` does, and do not shrink."""
    monkeypatch.setattr(hypothesis.core, "global_force_seed", request.param)
    monkeypatch.setattr(suites, "PHASES", (Phase.generate,))
    settings.register_profile("before", settings.default)
    settings.load_profile("seeded")
    yield
    settings.load_profile("before")
