# SPDX-License-Identifier: MIT
"""How the tests run: in which order, which of them, and with the same examples.

- The order is that of the wings: the core first, then what is built on it; the browser
  and the emulated CPUs come last.
- ``pytest`` alone leaves out what is marked ``slow``, and what needs a browser, an
  emulator or a debugger; its last lines say how much that was. ``S2GEOM_ALL=1`` runs
  it, and so does naming its file or folder.
- ``pytest`` alone uses all processors. A file or folder that is named runs in one
  process, where a debugger works; ``-n`` says otherwise.
- Hypothesis draws the same examples each time. ``HYPOTHESIS_PROFILE=explore`` looks for
  new ones, many of them, and prints what reproduces a failure.
"""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, max_examples=60
)
settings.register_profile(
    "explore",
    derandomize=False,
    deadline=None,
    database=None,
    max_examples=2000,
    print_blob=True,
)

ALL = os.environ.get("S2GEOM_ALL") == "1"
"""Whether nothing may be left out or skipped."""

EVERYTHING = ALL or "CI" in os.environ
"""Whether this is the gate: then nothing is random, whatever else is set."""

settings.load_profile(
    "ci" if EVERYTHING else os.environ.get("HYPOTHESIS_PROFILE", "ci")
)

TESTS = Path(__file__).parent

ORDER = (
    "core",
    "cpu",
    "registers",
    "kernel",
    "kconfig",
    "tables",
    "build",
    "readers",
    "in_gdb",
    "compare",
    "show",
    "strategies",
    "benchmarks",
    "cli",
    "package",
    "browser",
    "emulated",
)
"""The folders of the tests, in the order in which they run."""

NEED_MORE = {
    "browser": "tests in a browser",
    "emulated": "tests on emulated CPUs",
    "test_real_gdb.py": "tests with real tools",
    "test_real_tools.py": "tests with real tools",
}
"""Folders and files whose tests need more than Python packages."""

LEFT_OUT = pytest.StashKey[dict[str, int]]()


def folder_of(item: pytest.Item) -> str:
    """Return the folder below ``tests`` that a test is in."""
    return item.path.relative_to(TESTS).parts[0]


def is_named(item: pytest.Item, config: pytest.Config) -> bool:
    """Tell whether the command line names a test's file, or a folder below tests."""
    named = [
        (config.invocation_params.dir / argument.partition("::")[0]).resolve()
        for argument in arguments(config)
    ]
    return any(
        path != TESTS and path.is_relative_to(TESTS) and item.path.is_relative_to(path)
        for path in named
    )


def arguments(config: pytest.Config) -> list[str]:
    """Return the files and folders that the command line names."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return []
    return config.args


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count what is left out.

    A job in a shell's background has SIGINT ignored, and so would the processes that
    the tests interrupt.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[LEFT_OUT] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Use one process for what is named, and every processor for everything."""
    return 0 if arguments(config) else None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Put the tests in order, and leave out what takes long."""
    places = {folder: place for place, folder in enumerate(ORDER)}
    items.sort(key=lambda item: places.get(folder_of(item), len(ORDER)))
    if ALL:
        return
    kept, out, left_out = [], [], Counter[str]()
    for item in items:
        kind = NEED_MORE.get(folder_of(item)) or NEED_MORE.get(item.path.name)
        if kind is None and item.get_closest_marker("slow"):
            kind = "slow enumerations"
        if kind is None or is_named(item, config):
            kept.append(item)
        else:
            out.append(item)
            left_out[kind] += 1
    config.stash[LEFT_OUT] = left_out
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of a worker process to the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        left_out = session.config.stash[LEFT_OUT]
        output["left out"] = dict(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take the counts of a worker process: all workers collect the same tests."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    output = getattr(node, "workeroutput", {})
    config.stash[LEFT_OUT] = output.get("left out", {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was not run, and what runs it."""
    left_out = config.stash[LEFT_OUT]
    if left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in left_out.items())
        terminalreporter.write_line(
            f"left out: {kinds}; S2GEOM_ALL=1 runs them, and so does .ci/run"
        )
