# SPDX-License-Identifier: MIT
"""`check_walker` and `check_builder`: whole test suites for other people's code.

Frames with ``__tracebackhide__`` are left out by pytest: what it shows is the line of
the test, and the message.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from itertools import count
from operator import index
from typing import TypeAlias, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from s2geom.core.errors import InvalidArgument, MemoryReadError
from s2geom.core.geometry import Geometry
from s2geom.core.wording import quoted
from s2geom.strategies.damage import CorruptImage, corrupt_images
from s2geom.strategies.differences import Placement, placement_text
from s2geom.strategies.images import TableImage, table_images
from s2geom.strategies.shapes import geometries as legal_geometries
from s2geom.tables.memory import Memory

Walk: TypeAlias = Callable[
    [Geometry, int, int, Callable[[int, int], bytes]], int | None
]
Build: TypeAlias = Callable[
    [Geometry, int, tuple[Placement, ...]], Mapping[int, bytes | bytearray | memoryview]
]
Shapes: TypeAlias = SearchStrategy[Geometry] | Collection[Geometry] | None

AnyImage = TypeVar("AnyImage", TableImage, CorruptImage)

PHASES = (Phase.generate, Phase.shrink)
"""What hypothesis does: no example is stored, and none explained."""

READS = 10_000
"""Most reads for one address: one that needs more follows a loop of tables."""


def check_walker(
    walk: Walk, *, geometries: Shapes = None, max_examples: int = 100
) -> None:
    """Test a table walker of yours.

    Each example is tables with what they map. The walker is asked for every address
    where walkers break: `TableImage.places`. Then one entry is spoiled, as
    `CorruptImage` describes, and it is asked for the addresses there.

    Args:
        walk: ``walk(geometry, root, ipa, read)`` returns the physical address of an
            IPA, or None for a fault. ``read(address, size)`` returns bytes of memory;
            it raises `MemoryReadError` where there is none, which the walker may let
            pass, as that is a fault too.
        geometries: Shapes that the walker can read, as a strategy or a collection; None
            for every legal one. Those that no CPU can walk are left out. The walker is
            told nothing but the geometry: tables with 64K pages hold addresses of 52
            bits where the IPA is wider than 48.
        max_examples: How many tables.

    Raises:
        AssertionError: An answer is wrong, or the walker raised something. The message
            ends in a script that asks the same again.
        InvalidArgument: ``geometries`` has no shape that a CPU can walk.

    .. versionadded:: 0.2.0
    """
    __tracebackhide__ = True

    def examine(corrupt: CorruptImage) -> None:
        _ask(walk, corrupt.image, lambda ipa: (corrupt.image.output_address(ipa),))
        _ask(walk, corrupt, corrupt.output_addresses)

    images = _shapes(geometries).flatmap(corrupt_images)
    _run(images, examine, _name(walk, "walk"), max_examples)


def _ask(
    walk: Walk,
    image: TableImage | CorruptImage,
    right: Callable[[int], tuple[int | None, ...]],
) -> None:
    """Hold a walker to the right answers, at each place of an image."""
    memory, name = image.memory, _name(walk, "walk")
    for ipa, place in image.places.items():
        expected = right(ipa)
        answer, error = _answer(walk, image, ipa, memory)
        if error is None and _is_one_of(answer, expected):
            continue
        got = _spelled(answer) if error is None else quoted(error)
        must = f"must return {' or '.join(map(_spelled, expected))}"
        accepted = " or ".join(f"answer {_equals(one)}" for one in expected)
        asked = f"image.geometry, image.root, {ipa:#x}, image.memory.read"
        script = (
            f"answer = {name}({asked})\n"
            "got = hex(answer) if isinstance(answer, int) else answer\n"
            f'assert {accepted}, f"{must}, got {{got}}"\n'
        )
        why = f"{name} {must} at {ipa:#x}, {place}, got {got}"
        message = _with_script(why, image, _import_of(walk, name, "walker"), script)
        raise AssertionError(message) from error


def _answer(
    walk: Walk, image: TableImage | CorruptImage, ipa: int, memory: Memory
) -> tuple[object, Exception | None]:
    """Return what a walker answers, and what it raises instead."""
    __tracebackhide__ = True
    reads = count(1)

    def read(address: int, size: int) -> bytes:
        __tracebackhide__ = True
        if next(reads) > READS:
            raise AssertionError(f"more than {READS} reads for one address")
        return memory.read(address, size)

    try:
        return walk(image.geometry, image.root, ipa, read), None
    except MemoryReadError:
        return None, None
    except Exception as error:  # noqa: BLE001 - whatever the walker raises
        return None, error


def _is_one_of(answer: object, expected: tuple[int | None, ...]) -> bool:
    """Return whether an answer is None or an integer, and expected."""
    if answer is None:
        return None in expected
    return hasattr(answer, "__index__") and index(answer) in expected


def _equals(expected: int | None) -> str:
    return "is None" if expected is None else f"== {expected:#x}"


def _spelled(answer: object) -> str:
    return f"{answer:#x}" if isinstance(answer, int) else quoted(answer)


def check_builder(
    build: Build,
    *,
    geometries: Shapes = None,
    max_examples: int = 100,
    attributes: bool = True,
    blocks: bool = True,
) -> None:
    """Test code of yours that builds tables.

    What it builds is read by `scan`. It must map what was asked for and nothing else,
    and each contiguous group must be whole.

    Args:
        build: ``build(geometry, base, mappings)`` returns the tables as bytes by their
            physical address. The root is at ``base``. Each mapping is a tuple ``(ipa,
            pa, size, attributes)`` in bytes and `Attributes`; none overlap.
        geometries: As for `check_walker`.
        max_examples: How many tables.
        attributes: Whether the builder heeds attributes. If not, it is given the
            default ones, and what it makes of them is not looked at.
        blocks: Whether it can make blocks. If not, ranges are small enough for pages;
            otherwise they may have the size of the largest blocks, some of them TiB.

    Raises:
        AssertionError: The tables are wrong, or the builder raised something. The
            message ends in a script that asks the same again.
        InvalidArgument: As for `check_walker`.

    .. versionadded:: 0.2.0
    """
    __tracebackhide__ = True
    name = _name(build, "build")
    imported = _import_of(build, name, "builder")
    heeded = "" if attributes else ", attributes=False"
    script = (
        f"tables = {name}(image.geometry, image.root, image.mappings)\n"
        f"wrong = image.difference(tables{heeded})\n"
        "assert not wrong, wrong\n"
    )

    def examine(image: TableImage) -> None:
        __tracebackhide__ = True
        wrong, cause = None, None
        try:
            tables = build(image.geometry, image.root, image.mappings)
        except Exception as error:  # noqa: BLE001 - whatever the builder raises
            wrong, cause = f"{name} raised {quoted(error)}", error
        else:
            wrong = image.difference(tables, attributes=attributes)
        if wrong:
            message = _with_script(wrong, image, imported, script)
            raise AssertionError(message) from cause

    images = _shapes(geometries).flatmap(
        lambda shape: table_images(shape, attributes=attributes, blocks=blocks)
    )
    _run(images, examine, name, max_examples)


# What both need


def _run(
    images: SearchStrategy[AnyImage],
    examine: Callable[[AnyImage], None],
    name: str,
    max_examples: int,
) -> None:
    """Examine images until one fails, and raise what is wrong with the simplest."""
    __tracebackhide__ = True
    failures = []

    @settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        phases=PHASES,
        report_multiple_bugs=False,
        suppress_health_check=[*HealthCheck],
    )
    @given(images)
    def run(image: AnyImage) -> None:
        try:
            examine(image)
        except AssertionError as error:
            failures.append(error)
            raise

    # What hypothesis raises is not passed on: the message has the example already.
    try:
        run()
    except AssertionError as error:
        raise AssertionError(*error.args) from error.__cause__
    except Unsatisfiable:
        message = "geometries must have a shape that a CPU can walk, and has none"
        raise InvalidArgument(message) from None
    except Flaky as error:
        once = f"; once {failures[-1]}" if failures else f": {error}"
        raise AssertionError(f"{name} does not always answer alike{once}") from None


def _shapes(geometries: Shapes) -> SearchStrategy[Geometry]:
    if geometries is None:
        return legal_geometries(legal=True)
    if isinstance(geometries, SearchStrategy):
        return geometries
    return st.sampled_from([*geometries]) if geometries else st.nothing()


def _name(function: object, otherwise: str) -> str:
    """Return how a script can call a function, or what it calls one without a name."""
    name = str(getattr(function, "__name__", otherwise))
    return name if name.isidentifier() else otherwise


def _import_of(function: object, name: str, kind: str) -> str:
    """Return the line that imports a function, or that says what to write there."""
    module = str(getattr(function, "__module__", None))
    named = getattr(sys.modules.get(module), name, None)
    if named is not function or module == "__main__":
        return (
            f"# {name}: your {kind}, which cannot be imported by name; "
            "define or import it here"
        )
    return f"from {module} import {name}"


def _with_script(
    wrong: str, image: TableImage | CorruptImage, imported: str, script: str
) -> str:
    """Return a message that ends in a script that fails likewise."""
    kinds = "CorruptImage, TableImage"
    if isinstance(image, TableImage):
        kinds = "TableImage"
    return (
        f"{wrong}\n\n"
        "from s2geom import Attributes, Geometry, Granule\n"
        f"from s2geom.strategies import {kinds}\n"
        f"{imported}\n\n"
        f"{_image_text(image)}"
        f"{script}"
    )


def _image_text(image: TableImage | CorruptImage) -> str:
    """Return Python that makes an image, on lines that a terminal has room for."""
    if isinstance(image, CorruptImage):
        damage = f"{image.kind!r}, ipa={image.ipa:#x}, level={image.level}"
        return f"{_image_text(image.image)}image = CorruptImage(image, {damage})\n"
    rows = "".join(f"        {placement_text(row)},\n" for row in image.mappings)
    return (
        "image = TableImage(\n"
        f"    {image.geometry!r},\n"
        f"    {image.root:#x},\n"
        f"    (\n{rows}    ),\n"
        ")\n"
    )
