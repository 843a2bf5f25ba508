# SPDX-License-Identifier: MIT
"""The commands that read tables: walk and dump."""

import json
from pathlib import Path

import pytest
from cli.running import Run

SHAPE = "--page-size 4K --ipa 40 --kernel 4.19"
LOAD = "--load 0x80000000"
VTCR = "--vtcr 0x80023558"


def test_walk_finds_the_leaf(run: Run, image: str) -> None:
    """An address in the guest's memory, by the register or by the shape."""
    status, out, _ = run("walk", image, LOAD, VTCR, "0x40123456")

    assert 0 == status
    assert "0x40123456 -> 0x880123456, a block of level 1" == out.splitlines()[0]
    assert run("walk", image, LOAD, SHAPE, "0x40123456")[1].startswith(out)


def test_walk_in_json(run: Run, image: str) -> None:
    """The descriptor's word is in it."""
    data = json.loads(run("walk", image, LOAD, VTCR, "0x40123456 --json")[1])

    assert {
        "output_address": 0x8_8012_3456,
        "level": 1,
        "descriptor": "0x8800007fd",
    } == data["translation"]


def test_walk_tells_a_fault(run: Run, image: str) -> None:
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


def test_walk_beyond_the_space_stops_at_no_descriptor(run: Run, image: str) -> None:
    """Level 0, before any look-up."""
    status, out, _ = run("walk", image, LOAD, VTCR, "1T")

    assert (1, "0x10000000000: translation fault, level 0\n") == (status, out)


def test_walk_by_the_access(run: Run, image: str) -> None:
    """Nothing of a device is executed."""
    _, out, _ = run("walk", image, LOAD, VTCR, "--access execute 0x8000000")

    assert out.startswith("0x8000000: permission fault, level 2")


def test_walk_from_another_root(run: Run, image: str) -> None:
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
    run: Run, image: str, options: str, said: str
) -> None:
    """What agrees with it may be said, and what does not is a mistake."""
    agrees = "--page-size 4K --ipa 40"
    status, out, _ = run("walk", image, LOAD, VTCR, agrees, "0x40123456")
    refused, _, err = run("walk", image, LOAD, VTCR, options, "0")

    assert 0 == status
    assert out.startswith("0x40123456 -> 0x880123456")
    assert 2 == refused
    assert said in err


def test_walk_needs_a_shape(run: Run, image: str) -> None:
    """By the register or by page size and IPA."""
    status, _, err = run("walk", image, LOAD, "0")

    assert 2 == status
    assert "give the shape: --vtcr, or --page-size and --ipa" in err


def test_a_shape_that_there_is_not_is_a_refusal(run: Run, image: str) -> None:
    """The reason stands first, as for show."""
    line = ("dump", image, LOAD, "--page-size 16K --ipa 41 --va 36 --scheme static")
    status, out, _ = run(*line)

    assert 1 == status
    assert out.startswith("not supported: a 41-bit IPA needs 3 stage-2 levels")
    assert False is json.loads(run(*line, "--json")[1])["supported"]


def test_dump_prints_every_mapping(run: Run, image: str) -> None:
    """In IPA order, merged."""
    status, out, _ = run("dump", image, LOAD, VTCR)

    assert (0, 3) == (status, len(out.splitlines()))


def test_dump_as_csv_and_json(run: Run, image: str) -> None:
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


def test_dump_of_a_torn_image_ends_in_an_error(run: Run, image: str) -> None:
    """Lines already printed stay; the rest is said on standard error."""
    Path(image).write_bytes(Path(image).read_bytes()[:8192])
    status, out, err = run("dump", image, LOAD, VTCR, "--csv")

    assert (2, "ipa,output_address,size,level,attributes\n") == (status, out)
    assert err.startswith("s2geom: error: ")


def test_an_image_that_is_not_there(run: Run, files: dict[str, str]) -> None:
    """The file is named."""
    status, _, err = run("dump", files["image"], LOAD, VTCR)

    assert 2 == status
    assert f"cannot read {files['image']}: No such file" in err


def test_walk_and_dump_say_where_a_shape_without_vtcr_comes_from(
    run: Run, image: str
) -> None:
    """VTCR_EL2 is the shape itself; a page size and a width need a kernel."""
    for command in (("walk", image, LOAD, "0x40123456"), ("dump", image, LOAD)):
        _, by_shape, _ = run(*command, SHAPE)
        _, by_word, _ = run(*command, VTCR)
        _, shape_json, _ = run(*command, SHAPE, "--json")
        _, word_json, _ = run(*command, VTCR, "--json")

        last = "\n\npremise: the shape is that of scheme static (Linux v4.7-v4.19)\n"
        assert by_word.removesuffix("\n") + last == by_shape
        assert ("static", None) == (
            json.loads(shape_json)["scheme"],
            json.loads(word_json)["scheme"],
        )


def test_a_device_is_no_image(run: Run) -> None:
    """/dev/zero would be read until the memory is full."""
    assert (
        2,
        "",
        "s2geom: error: cannot read /dev/zero: it is a device, not a file\n",
    ) == run("dump /dev/zero", LOAD, VTCR)
