# SPDX-License-Identifier: MIT
"""`check_walker` and `check_builder`: whole test suites for other people's code."""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import takewhile
from operator import index, itemgetter
from typing import Any, TypeAlias, TypeVar

from attrs import evolve
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from s2geom.core.errors import MemoryReadError, S2GeomError
from s2geom.core.geometry import Geometry
from s2geom.strategies.damage import CorruptImage, corrupt_images
from s2geom.strategies.images import (
    Pasted,
    Placement,
    TableImage,
    attributes_text,
    table_images,
)
from s2geom.strategies.shapes import geometries as legal_geometries
from s2geom.tables.attributes import Attributes
from s2geom.tables.layout import AddressLayout
from s2geom.tables.memory import Memory
from s2geom.tables.scan import scan
from s2geom.tables.trace import trace

Walk: TypeAlias = Callable[
    [Geometry, int, int, Callable[[int, int], bytes]], int | None
]
Build: TypeAlias = Callable[
    [Geometry, int, tuple[Placement, ...]], Mapping[int, bytes | bytearray | memoryview]
]
Shapes: TypeAlias = SearchStrategy[Geometry] | Collection[Geometry] | None

Image = TypeVar("Image", TableImage, CorruptImage)

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
            for every legal one. Of those it is told nothing but the geometry: tables
            with 64K pages hold addresses of 52 bits where the IPA is wider than 48.
        max_examples: How many tables.

    Raises:
        AssertionError: An answer is wrong, or the walker raised something. The message
            is Python that asks the same again.

    .. versionadded:: 0.2.0
    """

    def examine(corrupt: CorruptImage) -> None:
        _ask(walk, corrupt.image, lambda ipa: (corrupt.image.output_address(ipa),))
        _ask(walk, corrupt, corrupt.output_addresses)

    name = _name(walk, "walk")
    _run(_shapes(geometries).flatmap(corrupt_images), examine, name, max_examples)


def _ask(
    walk: Walk,
    image: TableImage | CorruptImage,
    right: Callable[[int], tuple[int | None, ...]],
) -> None:
    """Hold a walker to the right answers, at each place of an image."""
    memory, name = image.memory, _name(walk, "walk")
    for ipa, place in image.places.items():
        reads = 0

        def read(address: int, size: int) -> bytes:
            nonlocal reads
            reads += 1
            if reads > READS:
                raise AssertionError(f"more than {READS} reads for one address")
            return memory.read(address, size)

        error, answer = None, None
        try:
            answer = walk(image.geometry, image.root, ipa, read)
        except MemoryReadError:
            pass
        except Exception as raised:  # noqa: BLE001 - whatever the walker raises
            error = raised
        expected = right(ipa)
        if error is not None or not any(_same(answer, one) for one in expected):
            got = _spelled(answer) if error is None else f"{error!r}"
            message = (
                f"{name} must return {_spelled(expected[0])} at {ipa:#x}, {place}, "
                f"got {got}"
            )
            call = f"{name}(image.geometry, image.root, {ipa:#x}, image.memory.read)"
            raise AssertionError(_pasted(message, image, call)) from error


def _same(answer: object, expected: int | None) -> bool:
    """Return whether they are one number, or both None."""
    if answer is None or expected is None:
        return answer is expected
    return hasattr(answer, "__index__") and index(answer) == expected


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
            message is Python that asks the same again.

    .. versionadded:: 0.2.0
    """
    name = _name(build, "build")

    def examine(image: TableImage) -> None:
        try:
            tables = build(image.geometry, image.root, image.mappings)
        except Exception as error:
            raise AssertionError(failed(image, f"{name} raised {error!r}")) from error
        wrong = _wrong_tables(image, tables, attributes=attributes)
        if wrong is not None:
            raise AssertionError(failed(image, wrong))

    def failed(image: TableImage, why: str) -> str:
        call = f"tables = {name}(image.geometry, image.root, image.mappings)"
        return _pasted(why, image, call)

    images = _shapes(geometries).flatmap(
        lambda shape: table_images(shape, attributes=attributes, blocks=blocks)
    )
    _run(images, examine, name, max_examples)


# What a builder made

State: TypeAlias = tuple[int, Attributes | None] | None
"""How far the output is above the IPA, and the attributes if they count; or nothing."""


def _wrong_tables(image: TableImage, tables: Any, *, attributes: bool) -> str | None:
    """Return what is wrong with the tables that a builder made, if anything is."""
    shape = image.geometry
    try:
        memory = Memory(tables)
        runs = [*scan(shape, image.root, memory.read)]
    except (S2GeomError, TypeError) as error:
        return f"the tables cannot be read: {error}"
    made = [(run.ipa, run.output_address, run.size, run.attributes) for run in runs]
    wanted, found = (
        _changes(shape, placements, attributes=attributes)
        for placements in (image.mappings, made)
    )
    if wanted != found:
        return _first_difference(wanted, found)
    for run in runs:
        for ipa in (run.ipa, run.ipa + run.size - 1):
            wrong = _wrong_group(shape, image.root, ipa, memory)
            if wrong is not None:
                return wrong
    return None


def _changes(
    shape: Geometry, placements: Iterable[Placement], *, attributes: bool
) -> list[tuple[int, State]]:
    """Return the addresses at which the translation changes, and to what."""
    has_sh = AddressLayout.of(shape) is not AddressLayout.LPA2
    states: dict[int, State] = {}
    for ipa, pa, size, values in sorted(placements, key=itemgetter(0)):
        heeded = values if has_sh else evolve(values, sh=None)
        states[ipa] = pa - ipa, heeded if attributes else None
        states[ipa + size] = None  # the next may begin here
    before = [None, *states.values()]
    return [
        (ipa, state)
        for (ipa, state), previous in zip(states.items(), before, strict=False)
        if state != previous
    ]


def _first_difference(
    wanted: list[tuple[int, State]], found: list[tuple[int, State]]
) -> str:
    """Return where two translations begin to differ, and how."""
    alike = sum(
        1
        for _ in takewhile(
            lambda pair: pair[0] == pair[1], zip(wanted, found, strict=False)
        )
    )
    state = wanted[alike - 1][1] if alike else None
    ends = [*wanted[alike : alike + 1], *found[alike : alike + 1]]
    ipa = min(at for at, _ in ends)
    one, other = (
        dict(changes[alike : alike + 1]).get(ipa, state) for changes in (wanted, found)
    )
    return f"{ipa:#x} must be {_mapped(ipa, one)}, but is {_mapped(ipa, other)}"


def _mapped(ipa: int, state: State) -> str:
    if state is None:
        return "unmapped"
    offset, values = state
    rest = "" if values is None else f" with {attributes_text(values)}"
    return f"mapped to {ipa + offset:#x}{rest}"


def _wrong_group(shape: Geometry, root: int, ipa: int, memory: Memory) -> str | None:
    """Return what is wrong with the contiguous group of an address, if it is in one."""
    leaf = trace(shape, root, ipa, memory.read).steps[-1].descriptor
    if leaf is None or not leaf.contiguous:
        return None
    level = shape.level(leaf.level)
    group = level.contiguous * level.entry_size
    if not group:
        return f"the contiguous bit at {ipa:#x} makes a group wider than the IPA space"
    first, output = ipa & -group, (leaf.output_address or 0) & -group
    for offset in range(0, group, level.entry_size):
        entry = trace(shape, root, first + offset, memory.read).steps[-1].descriptor
        expected = leaf.level, True, output + offset, leaf.attributes
        if entry is None or expected != (
            entry.level,
            entry.contiguous,
            entry.output_address,
            entry.attributes,
        ):
            return f"the contiguous group at {first:#x} breaks off at +{offset:#x}"
    return None


# What both need


def _run(
    images: SearchStrategy[Image],
    examine: Callable[[Image], None],
    name: str,
    max_examples: int,
) -> None:
    """Examine images until one fails, and raise what is wrong with the simplest."""

    @settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        phases=PHASES,
        report_multiple_bugs=False,
        suppress_health_check=[*HealthCheck],
    )
    @given(images)
    def run(image: Image) -> None:
        examine(image)

    try:
        run()
    except AssertionError as error:
        # Without what hypothesis adds: the message has the example, and Python for it.
        raise AssertionError(*error.args) from error.__cause__
    except Flaky as error:
        raise AssertionError(f"{name} does not always answer alike: {error}") from error


def _shapes(geometries: Shapes) -> SearchStrategy[Geometry]:
    if geometries is None:
        return legal_geometries(legal=True)
    if isinstance(geometries, SearchStrategy):
        return geometries
    return st.sampled_from([*geometries])


def _name(function: object, otherwise: str) -> str:
    name = str(getattr(function, "__name__", otherwise))
    return name if name.isidentifier() else otherwise


def _spelled(answer: object) -> str:
    return f"{answer:#x}" if isinstance(answer, int) else repr(answer)


def _pasted(wrong: str, image: Pasted, call: str) -> str:
    """Return a message that ends in Python for the example."""
    return (
        f"{wrong}\n\n"
        "from s2geom import Attributes, Geometry, Granule\n"
        "from s2geom.strategies import CorruptImage, TableImage\n"
        f"image = {image!r}\n"
        f"{call}\n"
    )
