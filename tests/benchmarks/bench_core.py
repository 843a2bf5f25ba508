# SPDX-License-Identifier: MIT
"""How quick the core is, as ratios of two things measured side by side in one run.

A time depends on the machine, a ratio much less so. Nothing here fails for being slow.
Run it as ``python tests/benchmarks/bench_core.py`` for a table of the ratios, or as
``python -m pytest tests/benchmarks/bench_core.py`` for pytest-benchmark's own.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from s2geom import Scheme, UnsupportedCombination, stage2
from s2geom.kernel import choose as kvm
from s2geom.kernel import fake, question

ROUNDS = 15

NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"
"""Where it is set, no import would ever find its module compiled."""

CONFIGURATIONS = [
    (page_shift, ipa_bits, va_bits, pa_bits, scheme)
    for page_shift, ipa_bits, va_bits, pa_bits, scheme in product(
        (12, 14, 16), range(32, 53), range(25, 53), (48, 52), Scheme
    )
]

Answer = tuple[int, int, int, int] | tuple[str, ...]


def bare_fake(page_shift: int, ipa_bits: int, host: int) -> tuple[int, list[str]]:
    """Return the levels that the fake scheme uses, and the limits that are broken."""
    stride = page_shift - 3
    prealloc = 5 - host if max(0, ipa_bits - host * stride - 3) <= 4 else 0
    levels = 4 - prealloc if prealloc else host
    index = max(0, ipa_bits - levels * stride - 3)
    limits = {
        "fake-16k": page_shift == 14,
        "fake-prealloc-level": prealloc > 2,
        "fake-root-too-large": index > stride + 4,
        "fake-root-too-small": levels > 4 or not index,
    }
    return levels, [rule for rule, is_broken in limits.items() if is_broken]


def bare(
    page_shift: int, ipa_bits: int, va_bits: int, pa_bits: int, scheme: Scheme
) -> Answer:
    """Return levels, start level, tables and PGD bytes, or the limits that are broken.

    The formulas alone: nothing is checked, no sentence can be made of it.
    """
    stride = page_shift - 3
    host = (va_bits - 4) // stride
    levels = (ipa_bits - 8) // stride
    broken: list[str] = []
    if scheme is Scheme.FAKE_PGD:
        levels, broken = bare_fake(page_shift, ipa_bits, host)
    elif scheme is Scheme.STATIC:
        if levels > host:
            broken = ["levels-exceed-host"]
    else:
        levels = max(2, levels)
    if scheme is Scheme.DYNAMIC:
        if ipa_bits > stride * host + 7 + stride:
            broken.append("ipa-above-va-limit")
        if ipa_bits > pa_bits:
            broken.append("ipa-above-kernel-pa")
    if ipa_bits > 48 and page_shift != 16 and scheme is not Scheme.LPA2:
        if scheme is Scheme.INDEPENDENT:
            broken.append("ipa-above-48")
        broken.append("ipa-above-48-without-lpa2")
    if broken:
        return tuple(broken)
    index = max(0, ipa_bits - levels * stride - 3)
    return levels, 4 - levels, 1 << max(0, index - stride), 8 << index


def ours(
    page_shift: int, ipa_bits: int, va_bits: int, pa_bits: int, scheme: Scheme
) -> Answer:
    """Return the same of the package."""
    try:
        shape = stage2(page_shift, ipa_bits, va_bits, pa_bits=pa_bits, scheme=scheme)
    except UnsupportedCombination as refusal:
        return tuple(violation.rule for violation in refusal.violations)
    return shape.levels, shape.start_level, shape.concatenation, shape.pgd_size


def forget() -> None:
    """Make the next pass a first one."""
    kvm._ANSWERS.clear()  # noqa: SLF001
    question._PLACES.clear()  # noqa: SLF001
    question._trees.cache_clear()  # noqa: SLF001
    question._tree.cache_clear()  # noqa: SLF001
    question._geometry.cache_clear()  # noqa: SLF001
    fake.fake_pgd_below.cache_clear()


SUPPORTED = [each for each in CONFIGURATIONS if isinstance(bare(*each)[0], int)]


def bare_pass() -> None:
    """Ask the formulas for every configuration."""
    for each in CONFIGURATIONS:
        bare(*each)


def package_pass() -> None:
    """Ask the package for every configuration."""
    for page_shift, ipa_bits, va_bits, pa_bits, scheme in CONFIGURATIONS:
        with suppress(UnsupportedCombination):
            stage2(page_shift, ipa_bits, va_bits, pa_bits=pa_bits, scheme=scheme)


def first_pass() -> None:
    """Ask the package for every configuration, with nothing remembered."""
    forget()
    package_pass()


def bare_call() -> None:
    """Ask the formulas for every supported configuration."""
    for each in SUPPORTED:
        bare(*each)


def repeated_call() -> None:
    """Ask the package for every supported configuration, all of them remembered."""
    for page_shift, ipa_bits, va_bits, pa_bits, scheme in SUPPORTED:
        stage2(page_shift, ipa_bits, va_bits, pa_bits=pa_bits, scheme=scheme)


def bare_default_call() -> None:
    """Ask the formulas for one host's widths."""
    for _ in range(500):
        for ipa_bits in range(32, 41):
            bare(14, ipa_bits, 36, 48, Scheme.STATIC)


def repeated_default_call() -> None:
    """Ask the package for one host's widths, as a user writes it."""
    for _ in range(500):
        for ipa_bits in range(32, 41):
            stage2(14, ipa_bits, 36)


def import_in_a_fresh_process(module: str, then: str = "") -> float:
    """Return the CPU seconds of an import, with its byte code compiled before."""
    code = (
        "from time import process_time\n"  # what else the machine does is left out
        "start = process_time()\n"
        f"import {module}\n{then}\n"
        "print(process_time() - start)\n"
    )
    kept = {key: value for key, value in os.environ.items() if key != NO_BYTE_CODE}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=kept,
    )
    return float(done.stdout)


def timed(run: Callable[[], None]) -> float:
    """Return the seconds that something takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def ratio(measured: Callable[[], float], reference: Callable[[], float]) -> float:
    """Return the median of what is measured over that of the reference, interleaved."""
    measured(), reference()  # warms the caches of both
    pairs = [(measured(), reference()) for _ in range(ROUNDS)]
    return median(each for each, _ in pairs) / median(each for _, each in pairs)


RATIOS: dict[str, tuple[Callable[[], float], Callable[[], float], float | None]] = {
    "import s2geom / import attrs, fresh processes": (
        lambda: import_in_a_fresh_process("s2geom"),
        lambda: import_in_a_fresh_process("attrs"),
        1.3,
    ),
    "import s2geom and a first answer / import attrs": (
        lambda: import_in_a_fresh_process("s2geom", "s2geom.stage2(14, 40, 36)"),
        lambda: import_in_a_fresh_process("attrs"),
        None,
    ),
    "first pass over every configuration / bare formulas": (
        lambda: timed(first_pass),
        lambda: timed(bare_pass),
        12.0,
    ),
    "repeated call, supported configurations / bare formulas": (
        lambda: timed(repeated_call),
        lambda: timed(bare_call),
        1.0,
    ),
    "repeated call, default scheme / bare formulas": (
        lambda: timed(repeated_default_call),
        lambda: timed(bare_default_call),
        1.0,
    ),
}
"""What is measured, its reference, and the ratio that it should stay below."""


@pytest.mark.parametrize("module", ["attrs", "s2geom"])
@pytest.mark.benchmark(group="import in a fresh process")
def test_import(benchmark: Any, module: str) -> None:
    """The whole process: Python's own start is in both."""
    benchmark.pedantic(
        import_in_a_fresh_process, args=(module,), rounds=ROUNDS, warmup_rounds=1
    )


@pytest.mark.parametrize("run", [bare_pass, first_pass])
@pytest.mark.benchmark(group="first pass")
def test_first_pass(benchmark: Any, run: Callable[[], None]) -> None:
    """Every configuration, with nothing remembered."""
    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("run", [bare_call, repeated_call])
@pytest.mark.benchmark(group="repeated call")
def test_repeated_call(benchmark: Any, run: Callable[[], None]) -> None:
    """Every supported configuration, all of them remembered."""
    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)


def main() -> None:
    """Print the ratios, each beside the one that it should stay below."""
    print(f"{'median of interleaved runs':56} {'ratio':>6} {'bound':>6}")  # noqa: T201
    for name, (measured, reference, bound) in RATIOS.items():
        print(f"{name:56} {ratio(measured, reference):6.2f} {bound or '-':>6}")  # noqa: T201


if __name__ == "__main__":
    main()
