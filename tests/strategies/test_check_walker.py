# SPDX-License-Identifier: MIT
"""`check_walker`: each bug is found, and a right walker never complained of."""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import hypothesis
import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st
from strategies.drawing import drawn

import s2geom as s2
from s2geom import Geometry, Granule
from s2geom import strategies as s2st
from s2geom.strategies import CorruptImage, TableImage, check_walker, suites

ANYTHING = s2.Cpu(56, lpa2=True, ttst=True, aarch32_el1=True)
"""A CPU that refuses the least."""


@define
class Walker:
    """A walker of this test's own; each field is a way to get it wrong."""

    root_mask: bool = False
    address_bits: int = 52
    block_is_page: bool = False
    reserved_is_page: bool = False
    drops_offset: bool = False
    top_shift: int = 48
    knows_lpa2: bool = True
    maps_holes: bool = False
    misses_last_page: bool = False
    reads_tables: bool = False

    def __call__(
        self, shape: Geometry, root: int, ipa: int, read: Callable[[int, int], bytes]
    ) -> int | None:
        """Return where an IPA is, or None."""
        page_shift, table = int(shape.granule), root
        if self.misses_last_page and ipa + (1 << page_shift) >= 1 << shape.ipa_bits:
            return None
        for level in range(shape.start_level, 4):
            shift = page_shift + (page_shift - 3) * (3 - level)
            if level == -1:
                shift = self.top_shift
            index = ipa >> shift
            if level > shape.start_level or self.root_mask:
                index &= (1 << page_shift - 3) - 1
            word = self.entry(table + 8 * index, page_shift, read)
            if not word & 1 and not self.maps_holes:
                break
            table = self.address(word, shape)
            if word & 2 and level < 3:
                continue
            if not self.reserved_is_page and not self.is_leaf(word, level, shape):
                break
            bits = page_shift if self.block_is_page else shift
            table &= -(1 << bits)
            return table if self.drops_offset else table | ipa & ~(-1 << bits)
        return None

    def entry(self, at: int, page_shift: int, read: Callable[[int, int], bytes]) -> int:
        """Return a descriptor, read alone or with its whole table."""
        if not self.reads_tables:
            return int.from_bytes(read(at, 8), "little")
        first = at >> page_shift << page_shift
        table = read(first, 1 << page_shift)
        return int.from_bytes(table[at - first : at - first + 8], "little")

    def address(self, word: int, shape: Geometry) -> int:
        """Return the address in a descriptor, low bits of a block included."""
        address = word & 0xFFFF_FFFF_FFFF & -(1 << shape.granule)
        if shape.granule == 16 and shape.ipa_bits > 48:
            address |= (word >> 12 & 0xF) << 48
        elif shape.lpa2 and self.knows_lpa2:
            address |= word & 0b11 << 48 | (word >> 8 & 0b11) << 50
        return address & (1 << self.address_bits) - 1

    @staticmethod
    def is_leaf(word: int, level: int, shape: Geometry) -> bool:
        """Return whether a descriptor that points at no table is a leaf."""
        if level == 3:
            return bool(word & 2)
        wide = shape.ipa_bits > 48 if shape.granule == 16 else shape.lpa2
        further = {12: 0, 14: 1, 16: 1}[shape.granule]
        return (
            level == 2
            or (level, shape.granule) == (1, 12)
            or (wide and level == further)
        )


BUGS = {
    "root index masked": Walker(root_mask=True),
    "addresses of 47 bits": Walker(address_bits=47),
    "addresses of 48 bits": Walker(address_bits=48),
    "block taken for a page": Walker(block_is_page=True),
    "reserved taken for a page": Walker(reserved_is_page=True),
    "offset dropped": Walker(drops_offset=True),
    "wrong shift at level -1": Walker(top_shift=47),
    "bits 51:50 of LPA2 ignored": Walker(knows_lpa2=False),
    "holes mapped": Walker(maps_holes=True),
    "last page missed": Walker(misses_last_page=True),
}


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_is_found(bug: str) -> None:
    """Each of twelve runs of 100 examples finds it."""
    with pytest.raises(AssertionError, match=r"walk must return .*\n"):
        check_walker(BUGS[bug])


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize(
    "shapes",
    [
        s2st.geometries(s2.Cpu(52), legal=True),
        s2st.geometries(legal=True).filter(lambda shape: not shape.lpa2),
        s2st.geometries().filter(lambda shape: not shape.lpa2),
    ],
    ids=["a CPU without it", "legal", "all"],
)
def test_a_48_bit_mask_is_found_without_lpa2(
    shapes: st.SearchStrategy[Geometry],
) -> None:
    """Then 64K pages alone have wider addresses."""
    with pytest.raises(AssertionError, match=r"walk must return .*\n"):
        check_walker(BUGS["addresses of 48 bits"], geometries=shapes)


def cpu_walk(
    shape: Geometry, root: int, ipa: int, read: Callable[[int, int], bytes]
) -> int | None:
    """Walk as the package does."""
    answer = s2.walk(shape, root, ipa, read)
    return answer.output_address if isinstance(answer, s2.Translation) else None


RIGHT = [cpu_walk, Walker(), Walker(reads_tables=True)]


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("walk", RIGHT, ids=["cpu", "own", "whole tables"])
def test_a_right_walker_passes(walk: suites.Walk) -> None:
    """It may check the access flag or not, and read entries or whole tables."""
    check_walker(walk)


@pytest.mark.parametrize("bug", ["root index masked", "reserved taken for a page"])
def test_the_message_ends_in_a_script(bug: str) -> None:
    """It asks the simplest example again, and shows the same wrong answer."""
    with pytest.raises(AssertionError) as caught:
        check_walker(BUGS[bug])

    why, _, code = str(caught.value).partition("\n\n")
    names: dict[str, Any] = {"walk": BUGS[bug]}
    with pytest.raises(AssertionError) as again:
        exec(code, names)  # noqa: S102 - as a user would

    if hypothesis.__version_info__ >= (6, 150):  # older ones stop at 16K at times
        assert Granule.K4 is names["image"].geometry.granule
    must, _, rest = why.removeprefix("walk ").partition(" at 0x")
    got = rest.rpartition(", ")[2]
    assert re.fullmatch(r"must return (None|0x\w+)", must)
    assert f"{must}, {got}" == str(again.value)


def test_a_reserved_descriptor_is_shown_as_corrupt() -> None:
    """The message has the image before, what was spoiled, and where."""
    with pytest.raises(AssertionError, match="reserved descriptor") as caught:
        check_walker(BUGS["reserved taken for a page"])

    assert (
        "image = CorruptImage(image, 'reserved descriptor', ipa=0x0, level=3)\n"
    ) in str(caught.value)
    assert (
        "walk must return None at 0x0, "
        "under the reserved descriptor (0b01) at level 3, got 0x0\n"
    ) in str(caught.value)


SPOILED = {
    "reserved descriptor": "the reserved descriptor (0b01) at level 3",
    "truncated table": "the level 3 descriptor where memory ends",
    "table loop": "the level 2 descriptor that points at its own page",
    "table out of range": "the level 2 descriptor of a table out of memory",
    "output out of range": "the level 3 leaf with the highest output address",
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_place_names_what_is_spoiled(kind: str) -> None:
    """The words say what is there, not that an answer is wrong, and at which level."""
    image = TableImage(Geometry(12, 32, 1), 0, ((0, 0x5000, 4096, s2.Attributes()),))
    level = 2 if kind.startswith("table ") else 3

    corrupt = CorruptImage(image, kind, ipa=0, level=level)

    assert f"under {SPOILED[kind]}" == corrupt.places[0]
    assert f"CorruptImage({image}, {kind!r}, ipa=0x0, level={level})" == repr(corrupt)


@define
class Record:
    """What a walker of somebody's returns."""

    pa: int


OBJECTS: dict[str, tuple[Callable[..., Any], str]] = {
    "record": (lambda *_: Record(0x5000), "Record(pa=20480)"),
    "text": (lambda *_: "0x0", "0x0"),
    "number": (lambda *_: 0x5000, "0x5000"),
    "nothing": (lambda *_: None, "None"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_script_shows_any_answer(kind: str) -> None:
    """It ends in an assertion, whatever the walker returns."""
    walk, shown = OBJECTS[kind]
    with pytest.raises(AssertionError) as caught:
        check_walker(walk, geometries=[Geometry(12, 32, 1)])

    code = str(caught.value).partition("\n\n")[2]
    with pytest.raises(AssertionError, match=f", got {re.escape(shown)}$"):
        exec(code, {"walk": walk})  # noqa: S102 - as a user would


class Reader:
    """A class whose method is the walker."""

    def walk(self, *_: object) -> None:
        """Find nothing."""


def inner(shape: Geometry, *_: object) -> int:
    """Answer the same as ever: not the function of this name that is tested."""
    return shape.page_size


def nested() -> suites.Walk:
    """Return a function that nobody can import."""

    def inner(*_: object) -> int:
        return 0x5000

    return inner


UNNAMED: dict[str, tuple[suites.Walk, str]] = {
    "lambda": (lambda *_: 0x5000, "walk"),
    "nested function": (nested(), "inner"),
    "partial": (partial(inner, Geometry(12, 32, 1)), "walk"),
    "method": (Reader().walk, "walk"),
}


@pytest.mark.parametrize("kind", UNNAMED)
def test_the_script_says_what_cannot_be_imported(kind: str) -> None:
    """A comment stands where the import would, and the rest runs as it is."""
    walk, name = UNNAMED[kind]
    with pytest.raises(AssertionError) as caught:
        check_walker(walk, geometries=[Geometry(12, 32, 1)])

    code = str(caught.value).partition("\n\n")[2]
    assert (
        f"# {name}: your walker, which cannot be imported by name; "
        "define or import it here"
    ) == code.splitlines()[2]
    with pytest.raises(AssertionError, match=r"must return .*, got "):
        exec(code, {name: walk})  # noqa: S102 - as a user would


def test_a_loop_of_tables_ends() -> None:
    """A walker that counts no levels is stopped, and its error is the cause."""

    def walk(
        shape: Geometry, root: int, ipa: int, read: Callable[[int, int], bytes]
    ) -> int | None:
        at = root + 8 * (ipa >> 21)
        while int.from_bytes(read(at, 8), "little") == at & -4096 | 3:
            pass  # round and round
        return cpu_walk(shape, root, ipa, read)

    with pytest.raises(AssertionError, match="more than 10000 reads") as caught:
        check_walker(walk, geometries=[Geometry(12, 32, 2)])

    assert "table loop" in str(caught.value)
    assert isinstance(caught.value.__cause__, AssertionError)


def test_a_walker_that_raises() -> None:
    """The message has the error, and the cause its traceback."""
    with pytest.raises(AssertionError, match=r"got ZeroDivisionError\(") as caught:
        check_walker(lambda *_: 1 // 0)

    assert str(caught.value).startswith("walk must return ")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_answer_that_is_no_number_is_wrong() -> None:
    """`s2geom.walk` returns a Translation, so it is refused as a walker."""
    with pytest.raises(AssertionError, match=r"got Translation\(output_address=0x"):
        check_walker(s2.walk)  # type: ignore[arg-type]


def test_a_walker_that_changes_its_mind_is_wrong() -> None:
    """An answer that depends on what was asked before cannot be shown by an example."""
    asked: list[int] = []

    def walk(
        shape: Geometry, root: int, ipa: int, read: Callable[[int, int], bytes]
    ) -> int | None:
        asked.append(ipa)
        return cpu_walk(shape, root, ipa, read) if len(asked) != 50 else -1

    with pytest.raises(
        AssertionError,
        match=r"does not always answer alike; once walk must return .*, got -0x1\n",
    ):
        check_walker(walk)


def test_a_strategy_that_fails_is_not_the_walkers_fault() -> None:
    """What a strategy of the user's asserts is raised as it is."""

    def refused(shape: Geometry) -> Geometry:
        raise AssertionError(f"no {shape.granule} pages here")

    shapes = s2st.geometries(legal=True).map(refused)
    with pytest.raises(AssertionError, match="no 4K pages here"):
        check_walker(cpu_walk, geometries=shapes)


@pytest.mark.parametrize("kind", [list, st.sampled_from])
def test_the_shapes_can_be_chosen(kind: Callable[[list[Geometry]], Any]) -> None:
    """`geometries` is a collection or a strategy, for walkers of one page size."""
    shapes = [Geometry(12, 40, 1), Geometry(14, 40, 2)]
    seen = set()

    def walk(
        shape: Geometry, root: int, ipa: int, read: Callable[[int, int], bytes]
    ) -> int | None:
        seen.add(shape)
        return cpu_walk(shape, root, ipa, read)

    check_walker(walk, geometries=kind(shapes), max_examples=20)

    assert {*shapes} == seen


SHAPES: dict[str, st.SearchStrategy[Geometry]] = {
    "every shape": s2st.geometries(),
    "a CPU of 48 bits": s2st.geometries(s2.Cpu(48)),
    "no LPA2": s2st.geometries().filter(lambda shape: not shape.lpa2),
    "one of two": st.sampled_from([Geometry(12, 10, 0), Geometry(12, 40, 1)]),
}


@pytest.mark.parametrize("shapes", SHAPES)
def test_shapes_that_no_cpu_can_walk_are_left_out(shapes: str) -> None:
    """Walker and builder are tested with the others."""
    seen: set[Geometry] = set()

    def walk(
        shape: Geometry, root: int, ipa: int, read: Callable[[int, int], bytes]
    ) -> int | None:
        seen.add(shape)
        return cpu_walk(shape, root, ipa, read)

    check_walker(walk, geometries=SHAPES[shapes], max_examples=20)
    s2st.check_builder(
        lambda shape, root, rows: TableImage(shape, root, rows).images,
        geometries=SHAPES[shapes],
        max_examples=20,
    )

    assert seen
    assert [] == [shape for shape in seen if ANYTHING.check(shape)]


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [Geometry(12, 10, 0)],
        s2st.geometries(legal=False),
        s2st.geometries(s2.Cpu(48, granules=()), legal=True),
    ],
    ids=["empty", "too small", "illegal", "nothing"],
)
def test_no_shape_that_a_cpu_can_walk_is_an_error(shapes: Any) -> None:
    """It is the caller's error, and no walker passes for want of tables."""
    with pytest.raises(s2.InvalidArgument, match="shape that a CPU can walk"):
        check_walker(cpu_walk, geometries=shapes)


# What it is made of


@given(s2st.corrupt_images())
def test_the_first_answer_is_the_cpus(image: CorruptImage) -> None:
    """The first answer is that of `walk`; reserved descriptors have no other."""
    for ipa in image.places:
        answers = image.output_addresses(ipa)

        assert (
            cpu_walk(image.geometry, image.root, ipa, image.memory.read) == answers[0]
        )
        assert {None, answers[0]} >= {answers[0]}
        if image.kind in {"reserved descriptor", "table out of range"}:
            assert (None,) == answers


def test_images_are_spoiled_in_every_way() -> None:
    """Every kind and every level is drawn, reserved descriptors most often."""
    images = drawn(s2st.corrupt_images(), 300)
    kinds = Counter(image.kind for image in images)

    assert 5 == len(kinds)
    assert 100 < kinds["reserved descriptor"] < 230
    assert {-1, 0, 1, 2, 3} == {image.level for image in images}
    assert {1, 2} == {
        len(image.output_addresses(ipa)) for image in images for ipa in image.places
    }


def test_a_descriptor_that_is_not_there_cannot_be_spoiled() -> None:
    """The walk of a block has no level 3."""
    image = TableImage(Geometry(12, 40, 1), 0, ((0, 0, 2 << 20, s2.Attributes()),))

    with pytest.raises(s2.InvalidArgument, match="can become a table loop"):
        CorruptImage(image, "table loop", 0, 3)


def test_a_table_that_is_cut_off_has_two_answers_before_the_cut() -> None:
    """A walker that reads whole tables fails there; one that reads entries does not."""
    pages = ((0, 0x5000, 2 * 4096, s2.Attributes()),)
    image = CorruptImage(
        TableImage(Geometry(12, 32, 1), 0, pages), "truncated table", 4096, 3
    )

    assert (0x5000, None) == image.output_addresses(0)
    assert (None,) == image.output_addresses(4096)
    assert {0, 4096} & {*drawn(image.addresses(), 50)}
