# SPDX-License-Identifier: MIT
"""The commands that make, read and weigh tables."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from s2geom import UnreadableInput
from s2geom.cli import main as cli
from s2geom.cli import tables as ask_tables
from s2geom.cli.memory_map import parse_memory_map

MAP = """\
# a guest
0x08000000,    16M, DEVICE,  peripherals
40000000,       2G, NORMAL,  guest memory, 0x880000000
"""
SHAPE = "--page-size 4K --ipa 40"
LOAD = "--load 0x80000000"
VTCR = "--vtcr 0x80023558"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A memory map, and where an image may go."""
    (tmp_path / "map.txt").write_text(MAP)
    return {"map": str(tmp_path / "map.txt"), "image": str(tmp_path / "image")}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command in this process: exit code, output, error output."""

    def _run(*line: str) -> tuple[int, str, str]:
        words = [word for part in line for word in part.split()]
        try:
            status = cli.main(words)
        except SystemExit as left:
            status = int(str(left.code))
        out, err = capsys.readouterr()
        return status, out, err

    return _run


@pytest.fixture
def image(run: Any, files: dict[str, str]) -> str:
    """The image of the tables for the memory map."""
    status, _, _ = run(
        "build", files["map"], SHAPE, "--base 0x80000000 --out", files["image"]
    )

    assert 0 == status
    return files["image"]


def test_build_prints_the_words_and_what_is_mapped(
    run: Any, files: dict[str, str]
) -> None:
    """Root, VTCR_EL2, VTTBR_EL2, and the mappings read back from the tables."""
    status, out, _ = run("build", files["map"], SHAPE, "--base 2G --vmid 3")

    assert 0 == status
    lines = out.splitlines()
    assert "root       0x80000000" in lines
    assert "VTTBR_EL2  0x3000080000000" in lines
    assert "tables     1 and the PGD, 12 KiB" in lines
    assert [
        ["0x8000000", "0x8ffffff", "0x8000000", "16", "MiB", "2"],
        ["0x40000000", "0xbfffffff", "0x880000000", "2", "GiB", "1"],
    ] == [line.split()[:6] for line in lines[-2:]]


def test_build_of_pages_alone(run: Any, files: dict[str, str]) -> None:
    """Without blocks each page has its descriptor: 516 tables and more."""
    _, out, _ = run(
        "build", files["map"], SHAPE, "--base 2G --pages --kernel 6.8 --json"
    )
    data = json.loads(out)

    assert 8 + 1024 + 3 + 1 == len(data["tables"])
    assert {3} == {
        level["number"]
        for level in data["geometry"]["table_levels"]
        if level["leaf"] == "page"
    }


def test_build_for_lpa2_leaves_shareability_to_the_register(
    run: Any, files: dict[str, str]
) -> None:
    """An LPA2 descriptor has address bits where the shareability was."""
    status, out, _ = run(
        "build", files["map"], "--page-size 4K --ipa 52 --kernel 6.8 --base 2G"
    )

    assert 0 == status
    assert "shareable as VTCR_EL2.SH0 says" in out


def test_build_refuses_like_show(run: Any, files: dict[str, str]) -> None:
    """No shape, no tables."""
    status, out, _ = run(
        "build", files["map"], "--page-size 16K --ipa 41 --va 36 --base 2G"
    )

    assert 1 == status
    assert out.startswith("not supported: a 41-bit IPA needs 3 stage-2 levels")


def test_build_names_the_line_that_does_not_fit(
    run: Any, files: dict[str, str]
) -> None:
    """The builder's sentence, and where in the file it comes from."""
    Path(files["map"]).write_text(MAP + "0x40001000, 4K, CODE, twice\n")
    status, out, err = run("build", files["map"], SHAPE, "--base 2G")

    assert (2, "") == (status, out)
    assert "s2geom: error: line 4 (twice): " in err


def test_build_says_when_it_cannot_write(run: Any, files: dict[str, str]) -> None:
    """A folder that is not there."""
    status, _, err = run(
        "build", files["map"], SHAPE, "--base 2G --out", files["image"] + "/no/where"
    )

    assert 2 == status
    assert "cannot write" in err


def test_walk_finds_the_leaf(run: Any, image: str) -> None:
    """An address in the guest's memory, by the register or by the shape."""
    status, out, _ = run("walk", image, LOAD, VTCR, "0x40123456")

    assert 0 == status
    assert "0x40123456 -> 0x880123456, a block of level 1" == out.splitlines()[0]
    assert run("walk", image, LOAD, SHAPE, "0x40123456")[1].startswith(out)


def test_walk_in_json(run: Any, image: str) -> None:
    """The descriptor's word is in it."""
    data = json.loads(run("walk", image, LOAD, VTCR, "0x40123456 --json")[1])

    assert {
        "output_address": 0x8_8012_3456,
        "level": 1,
        "descriptor": "0x8800007fd",
    } == data["translation"]


def test_walk_tells_a_fault(run: Any, image: str) -> None:
    """Kind and level as the CPU gives them, and where the walk stopped."""
    status, out, _ = run("walk", image, LOAD, VTCR, "0x30000000")

    assert 1 == status
    assert [
        "0x30000000: translation fault, level 2",
        "",
        "the walk stopped at the descriptor 0x80002c00",
    ] == out.splitlines()
    assert (
        6
        == json.loads(run("walk", image, LOAD, VTCR, "0x30000000 --json")[1])["fault"][
            "status"
        ]
    )


def test_walk_beyond_the_space_stops_at_no_descriptor(run: Any, image: str) -> None:
    """Level 0, before any look-up."""
    status, out, _ = run("walk", image, LOAD, VTCR, "1T")

    assert (1, "0x10000000000: translation fault, level 0\n") == (status, out)


def test_walk_by_the_access(run: Any, image: str) -> None:
    """Nothing of a device is executed."""
    _, out, _ = run("walk", image, LOAD, VTCR, "--access execute 0x8000000")

    assert out.startswith("0x8000000: permission fault, level 2")


def test_walk_from_another_root(run: Any, image: str) -> None:
    """The root need not be the first byte of the file."""
    Path(image).write_bytes(bytes(0x4000) + Path(image).read_bytes())
    _, out, _ = run(
        "walk", image, "--load 0x7fffc000 --root 0x80000000", VTCR, "0x40123456"
    )

    assert out.startswith("0x40123456 -> 0x880123456, a block of level 1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--page-size 64K", "--page-size 64K contradicts --vtcr, which says 4K"),
        ("--page-size 4K --ipa 41", "--ipa 41 contradicts --vtcr, which says 40"),
    ],
)
def test_walk_believes_the_register_and_nothing_else(
    run: Any, image: str, options: str, said: str
) -> None:
    """What agrees with it may be said, and what does not is a mistake."""
    agrees = "--page-size 4K --ipa 40"
    status, out, _ = run("walk", image, LOAD, VTCR, agrees, "0x40123456")
    refused, _, err = run("walk", image, LOAD, VTCR, options, "0")

    assert 0 == status
    assert out.startswith("0x40123456 -> 0x880123456")
    assert 2 == refused
    assert said in err


def test_walk_needs_a_shape(run: Any, image: str) -> None:
    """By the register or by page size and IPA."""
    status, _, err = run("walk", image, LOAD, "0")

    assert 2 == status
    assert "give the shape: --vtcr, or --page-size and --ipa" in err


def test_a_shape_that_there_is_not_is_a_refusal(run: Any, image: str) -> None:
    """The reason stands first, as for show."""
    line = ("dump", image, LOAD, "--page-size 16K --ipa 41 --va 36")
    status, out, _ = run(*line)

    assert 1 == status
    assert out.startswith("not supported: a 41-bit IPA needs 3 stage-2 levels")
    assert False is json.loads(run(*line, "--json")[1])["supported"]


def test_dump_prints_every_mapping(run: Any, image: str) -> None:
    """In IPA order, merged."""
    status, out, _ = run("dump", image, LOAD, VTCR)

    assert (0, 3) == (status, len(out.splitlines()))


def test_dump_as_csv_and_json(run: Any, image: str) -> None:
    """The same mappings for programs, clipped to the part that was asked for."""
    part = "--from 0x50000000 --to 0x60000000"
    csv = run("dump", image, LOAD, VTCR, part, "--csv")[1]
    data = json.loads(run("dump", image, LOAD, VTCR, part, "--json")[1])

    assert (
        "ipa,output_address,size,level,attributes\n"
        "0x50000000,0x890000000,0x10000000,1,0x7fc\n"
    ) == csv
    assert [
        {
            "ipa": 0x5000_0000,
            "output_address": 0x8_9000_0000,
            "size": 0x1000_0000,
            "level": 1,
            "attributes": "0x7fc",
        }
    ] == data["mappings"]


def test_dump_of_a_torn_image_ends_in_an_error(run: Any, image: str) -> None:
    """Lines already printed stay; the rest is said on standard error."""
    Path(image).write_bytes(Path(image).read_bytes()[:8192])
    status, out, err = run("dump", image, LOAD, VTCR, "--csv")

    assert (2, "ipa,output_address,size,level,attributes\n") == (status, out)
    assert err.startswith("s2geom: error: ")


def test_an_image_that_is_not_there(run: Any, files: dict[str, str]) -> None:
    """The file is named."""
    status, _, err = run("dump", files["image"], LOAD, VTCR)

    assert 2 == status
    assert f"cannot read {files['image']}: No such file" in err


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_long_dump_draws_a_bar_on_a_terminal(
    run: Any, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grows, ends full, and leaves no trace on the line."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    run("dump", image, LOAD, VTCR)
    drawn = terminal.getvalue().split("\r")

    assert f"[{'#' * 40}]" in drawn
    assert ["", " " * 42, ""] == [drawn[0], *drawn[-2:]]
    lengths = [frame.count("#") for frame in drawn[1:-2]]
    assert sorted(set(lengths)) == lengths


def test_the_bar_is_drawn_only_when_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand reports are forty frames."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    draw = ask_tables._progress_bar()  # noqa: SLF001 - a terminal cannot be typed
    assert draw is not None
    for done in range(1000):
        draw(done, 1000)

    assert 40 == terminal.getvalue().count("[")


def test_the_bar_of_an_empty_range_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to do is done."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    draw = ask_tables._progress_bar()  # noqa: SLF001 - a terminal cannot be typed
    assert draw is not None
    draw(0, 0)

    assert f"[{'#' * 40}]" in terminal.getvalue()


def test_footprint_weighs_worst_best_and_kvm(run: Any, files: dict[str, str]) -> None:
    """Pages, largest blocks, and what KVM installs over 2 MiB huge pages."""
    status, out, _ = run("footprint", files["map"], SHAPE, "--backing 2M")

    assert 0 == status
    assert [
        "2064 MiB mapped",
        "",
        "tables for            level 1  level 2  level 3   all  bytes",
        "worst: pages                2        3     1032  1037  4148 KiB",
        "best: largest blocks        2        1        0     3  12 KiB",
        "KVM: leaves of 2 MiB        2        3        0     5  20 KiB",
    ] == out.splitlines()[2:]


def test_footprint_in_json(run: Any, files: dict[str, str]) -> None:
    """Without a backing there are two ways to map it."""
    data = json.loads(run("footprint", files["map"], SHAPE, "--json")[1])

    assert ["worst", "best"] == list(data["footprint"])
    assert 1037 == data["footprint"]["worst"]["tables"]


def test_footprint_refuses_like_show(run: Any, files: dict[str, str]) -> None:
    """No shape, no weight."""
    assert 1 == run("footprint", files["map"], "--page-size 4K --ipa 44 --va 39")[0]


def test_a_map_that_is_no_text(run: Any, files: dict[str, str]) -> None:
    """Bytes that are not UTF-8."""
    Path(files["map"]).write_bytes(b"\xff\xfe\x00")
    status, _, err = run("footprint", files["map"], SHAPE)

    assert 2 == status
    assert "is no text" in err


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("the memory map has no region", "# nothing\n\n"),
        ("line 1: a region is ADDRESS, LENGTH, TYPE, LABEL", "0x0, 4K, DEVICE"),
        ("got 6 of them", "0x0, 4K, DEVICE, a, 0x0, b"),
        ("line 2: the type must be one of NORMAL", "\n0x0, 4K, ROM, a"),
        ("line 1: a size or address is written like", "0x0, many, CODE, a"),
        ("line 1: a size or address is written like", "nowhere, 4K, CODE, a"),
        ("line 1: a size or address is written like", "0x0, 4K, CODE, a, there"),
    ],
)
def test_a_memory_map_that_is_none(said: str, text: str) -> None:
    """The message names the line."""
    with pytest.raises(UnreadableInput) as caught:
        parse_memory_map(text)

    assert said in str(caught.value)


def test_an_address_is_hexadecimal_with_or_without_its_prefix() -> None:
    """Such files are written both ways; a unit makes it a size."""
    regions = parse_memory_map(
        "80000000,4K,rw_data,a\n0x80000000,4K,code,b\n2G,4K,RO_DATA,c"
    )

    assert [0x8000_0000] * 3 == [region.ipa for region in regions]
    assert [(3, 2), (1, 0), (1, 2)] == [
        (region.attributes.s2ap, region.attributes.xn) for region in regions
    ]


def test_walk_and_dump_say_where_a_shape_without_vtcr_comes_from(
    run: Any, image: str
) -> None:
    """VTCR_EL2 is the shape itself; a page size and a width need a kernel."""
    for command in (("walk", image, LOAD, "0x40123456"), ("dump", image, LOAD)):
        _, by_shape, _ = run(*command, SHAPE)
        _, by_word, _ = run(*command, VTCR)
        _, shape_json, _ = run(*command, SHAPE, "--json")
        _, word_json, _ = run(*command, VTCR, "--json")

        last = "\n\nthe shape is that of scheme static (Linux v4.7-v4.19)\n"
        assert by_word.removesuffix("\n") + last == by_shape
        assert ("static", None) == (
            json.loads(shape_json)["scheme"],
            json.loads(word_json)["scheme"],
        )


def test_a_device_is_no_image(run: Any) -> None:
    """/dev/zero would be read until the memory is full."""
    assert (
        2,
        "",
        "s2geom: error: cannot read /dev/zero: it is a device, not a file\n",
    ) == run("dump /dev/zero", LOAD, VTCR)
