# SPDX-License-Identifier: MIT
"""`check_builder`: each bug is found, and a right builder is never complained of."""

import re
from typing import Any

import pytest
from attrs import define, evolve

import s2geom as s2
from s2geom import Attributes, Geometry
from s2geom.strategies import TableImage, check_builder, suites

Placements = tuple[tuple[int, int, int, Attributes], ...]


@define
class Builder:
    """A builder of this test's own; each field is a way to get it wrong."""

    root_mask: bool = False
    address_bits: int = 52
    page_is_block: bool = False
    ignores_output: bool = False
    misses_last_page: bool = False
    keeps_sh: bool = False
    knows_attributes: bool = True
    blocks: bool = True
    blocks_everywhere: bool = False
    sets_contiguous: bool = False
    maps_a_page_more: bool = False

    def __call__(
        self, shape: Geometry, base: int, mappings: Placements
    ) -> dict[int, bytes]:
        """Return the tables, one after the other upward from the root."""
        page = 1 << shape.granule
        shift = self.shift(shape, shape.start_level)
        root = [0] * max(page // 8, 1 << max(0, shape.ipa_bits - shift))
        tables, links = {base: root}, dict[tuple[int, int], int]()
        for ipa, pa, size, attributes in mappings:
            at, end = ipa, ipa + size
            if self.misses_last_page and end == 1 << shape.ipa_bits:
                end -= page
            if self.maps_a_page_more and end < 1 << shape.ipa_bits:
                end += page
            while at < end:
                rest = at, pa + at - ipa, end - at
                table, index, level = self.place(shape, tables, links, rest)
                leaf = self.held(rest[1], shape) | self.bits(attributes, shape)
                leaf |= 3 if level == 3 and not self.page_is_block else 1
                tables[table][index] = leaf | self.sets_contiguous << 52
                at += 1 << self.shift(shape, level)
        return {
            at: b"".join(word.to_bytes(8, "little") for word in table)
            for at, table in tables.items()
        }

    def place(
        self,
        shape: Geometry,
        tables: dict[int, list[int]],
        links: dict[tuple[int, int], int],
        rest: tuple[int, int, int],
    ) -> tuple[int, int, int]:
        """Return the table, index and level of the next leaf, and make its tables."""
        ipa, pa, size = rest
        table, entries = min(tables), 1 << shape.granule - 3
        for level in range(shape.start_level, 4):
            shift = self.shift(shape, level)
            index = ipa >> shift
            if level > shape.start_level or self.root_mask:
                index %= entries
            place = ipa if self.ignores_output else ipa | pa
            fits = size >= 1 << shift and not place % (1 << shift)
            if level == 3 or (fits and self.may_block(shape, level)):
                break
            if not tables[table][index]:
                last = max(tables)
                new = last + 8 * len(tables[last])
                tables[new] = [0] * entries
                tables[table][index] = self.held(new, shape) | 3
                links[table, index] = new
            table = links[table, index]
        return table, index, level

    @staticmethod
    def shift(shape: Geometry, level: int) -> int:
        """Return log2 of what an entry maps."""
        return shape.granule + (shape.granule - 3) * (3 - level)

    def may_block(self, shape: Geometry, level: int) -> bool:
        """Return whether a level has blocks."""
        wide = shape.ipa_bits > 48 if shape.granule == 16 else shape.lpa2
        further = {12: 0, 14: 1, 16: 1}[shape.granule]
        legal = level == 2 or (level, shape.granule) == (1, 12)
        return self.blocks and (
            self.blocks_everywhere or legal or (wide and level == further)
        )

    def held(self, address: int, shape: Geometry) -> int:
        """Return the bits of a descriptor that hold an address."""
        address %= 1 << self.address_bits
        if shape.granule == 16 and shape.ipa_bits > 48:
            return address % (1 << 48) | address >> 48 << 12
        if shape.lpa2:
            return address % (1 << 50) | address >> 50 << 8
        return address

    def bits(self, attributes: Attributes, shape: Geometry) -> int:
        """Return the bits of a descriptor that hold the attributes."""
        given = attributes if self.knows_attributes else Attributes()
        if shape.lpa2 and not self.keeps_sh:
            given = evolve(given, sh=None)
        return int(given)


BUGS = {
    "root index masked": Builder(root_mask=True),
    "addresses of 48 bits": Builder(address_bits=48),
    "page written as a block": Builder(page_is_block=True),
    "block at an output address that is not its multiple": Builder(ignores_output=True),
    "last page missed": Builder(misses_last_page=True),
    "shareability written into an LPA2 address": Builder(keeps_sh=True),
    "attributes dropped": Builder(knows_attributes=False),
    "block where there are none": Builder(blocks_everywhere=True),
    "contiguous bit without a group": Builder(sets_contiguous=True),
    "one page too many": Builder(maps_a_page_more=True),
}


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_is_found(bug: str) -> None:
    """Each of twelve runs of 100 examples finds it."""
    with pytest.raises(AssertionError, match=r"image = TableImage\("):
        check_builder(BUGS[bug])


def package_build(shape: Geometry, base: int, mappings: Placements) -> dict[int, bytes]:
    """Build as the package does, contiguous groups included."""
    return TableImage(shape, base, mappings).images


RIGHT: dict[str, tuple[suites.Build, dict[str, Any]]] = {
    "package": (package_build, {}),
    "own": (Builder(), {}),
    "pages alone": (Builder(blocks=False), {"blocks": False}),
    "no attributes": (Builder(knows_attributes=False), {"attributes": False}),
}


@pytest.mark.usefixtures("seed")
@pytest.mark.parametrize("builder", RIGHT)
def test_a_right_builder_passes(builder: str) -> None:
    """It does with and without contiguous groups, blocks and attributes."""
    build, options = RIGHT[builder]

    check_builder(build, **options)


def wrong_with(build: Any, **options: Any) -> str:
    """Return what is said of a builder."""
    with pytest.raises(AssertionError) as caught:
        check_builder(build, **options)
    return str(caught.value)


def test_the_message_ends_in_a_script() -> None:
    """It builds the simplest example again, and fails with the same words."""
    why, _, code = wrong_with(BUGS["page written as a block"]).partition("\n\n")
    names: dict[str, Any] = {"build": BUGS["page written as a block"]}
    with pytest.raises(AssertionError, match=re.escape(why)):
        exec(code, names)  # noqa: S102 - as a user would
    image = names["image"]

    assert "0x0 must be mapped to 0x0 with Attributes(), but is unmapped" == why
    assert Geometry(12, 32, 1) == image.geometry
    assert ((0, 0, 4096, Attributes()),) == image.mappings
    assert {*image.images} == {*names["tables"]}


def test_the_script_of_a_builder_without_attributes() -> None:
    """The script does not compare attributes either."""
    builder = Builder(knows_attributes=False, misses_last_page=True)
    why, _, code = wrong_with(builder, attributes=False).partition("\n\n")

    with pytest.raises(AssertionError, match=re.escape(why)):
        exec(code, {"build": builder})  # noqa: S102 - as a user would


def test_difference_of_right_and_wrong_tables() -> None:
    """It is None for right tables, else a sentence about the lowest wrong address."""
    shape = Geometry(12, 32, 1)
    one, other = (
        TableImage(shape, 0, ((0, pa, 4096, Attributes()),)) for pa in (0x5000, 0x6000)
    )

    assert one.difference(one.images) is None
    assert (
        "0x0 must be mapped to 0x5000 with Attributes(), "
        "but is mapped to 0x6000 with Attributes()"
    ) == one.difference(other.images)


def test_the_message_begins_with_the_first_difference() -> None:
    """It says what must be mapped there, and what is mapped instead."""
    plain = [Geometry(12, 32, 1)]
    attributes = wrong_with(BUGS["attributes dropped"], geometries=plain)
    group = wrong_with(BUGS["contiguous bit without a group"], geometries=plain)
    more = wrong_with(build_more, geometries=plain)

    assert re.match(
        r"0x\w+ must be mapped to 0x\w+ with Attributes\(s2ap=1\), "
        r"but is mapped to 0x\w+ with Attributes\(\)\n",
        attributes,
    )
    assert re.match(r"the contiguous group at 0x\w+ breaks off at \+0x1000\n", group)
    assert more.startswith(
        "0xfffff000 must be unmapped, but is mapped to 0x5000 with Attributes()\n"
    )


def build_more(shape: Geometry, base: int, mappings: Placements) -> dict[int, bytes]:
    """Map a page that nobody asked for, at the end of the IPA space."""
    tables = TableImage(shape, base, mappings).builder()
    tables.remap(shape.ipa_size - 4096, 0x5000, 4096)
    return tables.images()


def test_a_group_wider_than_the_ipa_space() -> None:
    """128 pages of 16K do not fit into a space of 20 bits."""
    why = wrong_with(
        BUGS["contiguous bit without a group"], geometries=[Geometry(14, 20, 3)]
    )

    assert why.startswith(
        "the contiguous bit at 0x0 makes a group wider than the IPA space\n"
    )


def test_tables_that_cannot_be_read() -> None:
    """The message says what is missing, or which value has the wrong type."""

    def missing(shape: Geometry, base: int, mappings: Placements) -> dict[int, bytes]:
        tables = package_build(shape, base, mappings)
        return {base: tables[base]}

    assert "the tables cannot be read: nothing at 0x" in wrong_with(missing)
    assert "the tables cannot be read: chunks must be a mapping" in wrong_with(
        lambda *_: None
    )


def test_a_builder_that_raises() -> None:
    """The message has the error, and the cause its traceback."""
    with pytest.raises(AssertionError, match="build raised ZeroDiv") as caught:
        check_builder(lambda *_: 1 // 0)  # type: ignore[arg-type]

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert s2.Geometry.__name__ in str(caught.value)
