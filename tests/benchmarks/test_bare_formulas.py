# SPDX-License-Identifier: MIT
"""The formulas that the benchmark of the core is measured against."""

from benchmarks.bench_core import CONFIGURATIONS, bare, ours


def test_the_bare_formulas_answer_as_the_package_does() -> None:
    """A ratio of two programs with different answers would say nothing."""
    wrong = [case for case in CONFIGURATIONS if bare(*case) != ours(*case)]

    assert 17_640 == len(CONFIGURATIONS)
    assert [] == wrong
