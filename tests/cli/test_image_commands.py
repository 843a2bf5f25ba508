# SPDX-License-Identifier: MIT
"""The commands that read tables: walk and dump."""

import csv
import gzip
import io
import json
import struct
import tracemalloc
from pathlib import Path

import pytest
from cli.running import Run

from s2geom.cli.main import main

SHAPE = "--page-size 4K --ipa 40 --scheme static"
LOAD = "--load 0x80000000"
VTCR = "--vtcr 0x80023558"


def test_walk_finds_the_leaf(run: Run, image: str) -> None:
    """An address in the guest's memory, by the register or by the shape."""
    status, out, _ = run("walk", image, LOAD, VTCR, "0x40123456")

    assert 0 == status
    assert "0x40123456 -> 0x880123456, a block of level 1" == out.splitlines()[0]
    by_shape = run("walk", image, LOAD, SHAPE, "0x40123456").out
    assert out.partition("premise")[0] == by_shape.partition("premise")[0]


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
        "the walk stopped at the descriptor 0x80002c00 = 0x0",
    ] == out.splitlines()[:2]
    assert (
        6
        == json.loads(run("walk", image, LOAD, VTCR, "0x30000000 --json")[1])["fault"][
            "status"
        ]
    )


def test_walk_beyond_the_space_stops_at_no_descriptor(run: Run, image: str) -> None:
    """Level 0, before any look-up."""
    status, out, _ = run("walk", image, LOAD, VTCR, "1T")

    assert 1 == status
    assert out.startswith("0x10000000000: translation fault, level 0\n\npremise: ")


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
    data = run(*line, "--json").json
    assert (False, "static") == (data["supported"], data["scheme"])
    assert any("scheme static" in premise for premise in data["premises"])


def test_a_word_that_names_no_shape_is_a_refusal(run: Run, image: str) -> None:
    """TG0 = 3 is reserved."""
    ran = run("dump", image, LOAD, "--vtcr 0x8002f558 --json")

    assert (1, False) == (ran.status, ran.json["supported"])


def test_dump_prints_every_mapping(run: Run, image: str) -> None:
    """In IPA order, merged."""
    status, out, _ = run("dump", image, LOAD, VTCR)

    assert (0, 3) == (status, len(out.partition("\n\n")[0].splitlines()))


def test_dump_as_csv_and_json(run: Run, image: str) -> None:
    """The same mappings for programs, clipped to the part that was asked for."""
    part = "--from 0x50000000 --to 0x60000000"
    csv = run("dump", image, LOAD, VTCR, part, "--csv")[1]
    data = json.loads(run("dump", image, LOAD, VTCR, part, "--json")[1])

    assert (
        "ipa,output_address,size,level,attributes,invalid\n"
        "0x50000000,0x890000000,0x10000000,1,0x7fc,\n"
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

    assert (2, "ipa,output_address,size,level,attributes,invalid\n") == (status, out)
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
    premise = "the shape is that of scheme static (Linux v4.7-v4.19)"
    for command in (("walk", image, LOAD, "0x40123456"), ("dump", image, LOAD)):
        by_shape = run(*command, SHAPE, "--json").json
        by_word = run(*command, VTCR, "--json").json

        assert ("static", None) == (by_shape["scheme"], by_word["scheme"])
        assert premise in by_shape["premises"]
        assert premise not in by_word["premises"]
        assert f"premise: {premise}" in run(*command, SHAPE).out.splitlines()


def test_a_shape_without_a_kernel_is_that_of_the_newest(run: Run, image: str) -> None:
    """With the plainest format, which is what a kernel on a CPU without LPA2 wrote."""
    ran = run("dump", image, LOAD, "--page-size 4K --ipa 40 --json")

    assert "7.3" == ran.json["release"]
    assert 0x8_8000_0000 == ran.json["mappings"][1]["output_address"]
    assert any("newest known, Linux 7.3" in premise for premise in ran.json["premises"])


def test_a_device_is_no_image(run: Run) -> None:
    """/dev/zero would be read until the memory is full."""
    assert (
        2,
        "",
        "s2geom: error: cannot read /dev/zero: it is a device, not a file\n",
    ) == run("dump /dev/zero", LOAD, VTCR)


# Where the memory is


def core(path: Path, pieces: dict[int, bytes]) -> str:
    """Write an ELF core of an Arm machine."""
    header = b"\x7fELF\2\1\1" + bytes(9)
    fields = (4, 183, 1, 0, 64, 0, 0, 64, 56, len(pieces), 0, 0, 0)
    header += struct.pack("<HHIQQQIHHHHHH", *fields)
    offset, segments, body = 64 + 56 * len(pieces), b"", b""
    for address, data in pieces.items():
        place = (offset + len(body), 0, address, len(data), len(data), 0)
        segments += struct.pack("<IIQQQQQQ", 1, 7, *place)
        body += data
    path.write_bytes(header + segments + body)
    return str(path)


def test_an_elf_core_has_its_addresses_in_it(
    run: Run, image: str, tmp_path: Path
) -> None:
    """The root is VTTBR_EL2's, or an address; without either nobody knows it."""
    file = core(tmp_path / "core", {0x8000_0000: Path(image).read_bytes()})
    for root in ("--vttbr 0x1000080000000", "--root 2G"):
        ran = run("walk", file, VTCR, root, "--fwb 0x40123456 --json")

        assert 0x8_8012_3456 == ran.json["translation"]["output_address"]
        assert [] == ran.json["premises"]
    assert "give the root: --vttbr WORD, or --root" in run("walk", file, VTCR, "0").err
    assert "leave --load out\n" in run("walk", file, VTCR, LOAD, "0").err


def test_words_and_roots_that_are_wrong_are_told(run: Run, image: str) -> None:
    """The walk does what the CPU would, and a premise says what is wrong."""
    wrong = "taken as it is, though wrong: "
    root = (
        "the root is read at 0x80000000: the bits of 0x80001000 below its alignment, "
        "0x2000 bytes, do not count"
    )
    for command in (f"walk {image} 0x40123456", f"dump {image}"):
        ask = f"{command} --fwb --json {LOAD}"
        good = run(ask, VTCR).json
        assert not any(wrong in premise for premise in good["premises"])

        clear = run(ask, "--vtcr 0x23558").json
        assert f"{wrong}bit 31 of VTCR_EL2 is RES1, but it is 0" in clear["premises"]

        moved = run(ask, VTCR, "--root 0x80001000").json
        assert [root] == moved["premises"]
        by_word = run(ask, VTCR, "--vttbr 0x1000080001000").json
        assert by_word["premises"][0].startswith(
            f"{wrong}a root at 0x80001000 is not a multiple of 0x2000 bytes"
        )
        for tables in (clear, moved, by_word):
            assert good["supported"] is tables["supported"] is True

    narrow = run("walk", image, "0x40123456 --json --pa 36", LOAD, VTCR)
    assert (1, 0) == (narrow.status, narrow.json["fault"]["level"])
    assert any(
        premise.startswith(f"{wrong}a 40-bit IPA is 4 bits above the CPU's 36-bit")
        for premise in narrow.json["premises"]
    )


def test_a_root_beyond_64_bits_is_shown_as_it_was_given(run: Run, image: str) -> None:
    """Not as its aligned part, which nobody typed."""
    ran = run("walk", image, VTCR, LOAD, "--root 0x10000000000000008 0")

    assert (2, "") == (ran.status, ran.out)
    assert ran.err.endswith("got 0x10000000000000008\n")


def test_a_file_of_unknown_format_needs_its_address(run: Run, image: str) -> None:
    """It is raw memory only if somebody says so; standard input has no other name."""
    ran = run("walk", image, VTCR, "--root 2G 0")

    assert (2, "") == (ran.status, ran.out)
    assert "is no ELF core and no kdump" in ran.err
    assert "of its first byte: --load ADDRESS\n" in ran.err


def test_memory_in_pieces(run: Run, image: str, tmp_path: Path) -> None:
    """Each file with the address of its first byte."""
    data = Path(image).read_bytes()
    (tmp_path / "low").write_bytes(data[:8192])
    (tmp_path / "high").write_bytes(data[8192:])
    pieces = f"--load 2G={tmp_path / 'low'} --load 0x80002000={tmp_path / 'high'}"
    found = run("walk", pieces, "--root 2G", VTCR, "0x8000000 --json").json
    one = run(f"walk --load 2G={image}", VTCR, "0x8000000 --json").json

    assert found["translation"] == one["translation"]
    assert "the root is at 0x80000000, the address of --load" in one["premises"]
    assert "give the root" in run("walk", pieces, VTCR, "0").err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "give the memory: a file, or pieces as --load ADDRESS=FILE"),
        ("--load 2G", "give the memory: a file, or pieces as --load ADDRESS=FILE"),
        ("--load 2G= --root 0", "no file after = in '2G='"),
        ("--load far=x", "a size or address is written like"),
        ("image --load 2G --load 3G", "so it takes one --load ADDRESS at most"),
        ("image --load 2G=image", "so it takes one --load ADDRESS at most"),
        ("--load 2G=image --load 2G=image", "two pieces are loaded at 0x80000000"),
        ("--load 2G=image --load 0x80001000=image", "chunks must not overlap"),
        ("--load 2G=empty", "cannot map empty: "),
        ("--load 2G=/no/file", "cannot read /no/file: No such file"),
        ("image --load 2G --root 0 --vttbr 0", "--root has no effect beside --vttbr"),
        ("image --load 2G --fwb --hcr 1", "--fwb has no effect beside --hcr"),
        ("image --load 2G --kernel 6.12", "--kernel has no effect beside --vtcr"),
        ("image --load 2G --va 39", "--va has no effect beside --vtcr"),
        ("image --load 2G --csv --json", "--csv has no effect beside --json"),
        ("image --load 2G --csv --summary", "--csv has no effect beside --summary"),
        ("image --load 2G --to 1 --compare x", "--to has no effect beside --compare"),
        ("image --load 2G --compare /no/file", "cannot read /no/file"),
        ("image --load 2G --compare image", "image is no text"),
        ("image --load 2G --compare words", "words: line 1 is no line of"),
    ],
)
def test_memory_that_is_none_is_a_mistake(
    run: Run, image: str, monkeypatch: pytest.MonkeyPatch, words: str, why: str
) -> None:
    """A sentence each, and no answer."""
    monkeypatch.chdir(Path(image).parent)
    Path("empty").touch()
    Path("words").write_text("words")
    ran = run("dump", VTCR, words)

    assert (2, "") == (ran.status, ran.out)
    assert why in ran.err


def test_standard_input_as_an_image(
    run: Run, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe is copied to where it can be mapped; messages do not name the copy."""
    with Path(image).open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        assert 0 == run("walk -", LOAD, VTCR, "0x40123456").status
    with Path(image).open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        assert "standard input is no ELF core" in run("walk -", VTCR, "--root 0 0").err


def test_an_empty_root_is_told(run: Run, tmp_path: Path) -> None:
    """Nothing is mapped, which is seldom what was meant."""
    (tmp_path / "zeros").write_bytes(bytes(8192))
    why = "the root at 0x80000000 is empty: none of its 1024 entries is valid"
    for command in ("dump", "walk 0x40000000"):
        name, *rest = command.split()
        ran = run(name, str(tmp_path / "zeros"), *rest, LOAD, VTCR)

        assert 1 == ran.status
        assert why in ran.out.splitlines()


def test_a_vttbr_given_as_the_root_is_told(run: Run, image: str) -> None:
    """Its VMID would be a part of the address."""
    wrong = run("dump", image, LOAD, VTCR, "--root 0x1000080000000")
    far = run("dump", image, LOAD, VTCR, "--root 0x90000000")

    assert (2, 2) == (wrong.status, far.status)
    assert "looks like a VTTBR_EL2 with VMID 1 and the root at 0x80000000" in wrong.err
    assert "looks like" not in far.err


def test_fwb_says_how_a_memory_type_is_read(run: Run, image: str) -> None:
    """From HCR_EL2, by a flag, or not at all, which is a premise."""
    known = run("dump", image, LOAD, VTCR, "--hcr 0x400000000001").out
    unknown = run("dump", image, LOAD, VTCR).out
    off = run("dump", image, LOAD, VTCR, "--hcr 0").out

    assert known == run("dump", image, LOAD, VTCR, "--fwb").out
    assert "HCR_EL2.FWB is not known" in unknown
    assert "HCR_EL2.VM is 0: stage 2 was off with this word" in off
    assert "Normal memory, write-back, read and write" in off


@pytest.mark.parametrize("form", ["", "--json", "--csv", "--summary"])
def test_a_long_answer_needs_no_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    """Every other page is mapped: 8,192 rows, which would be some 8 MiB at once."""
    tables, root = 32, 0x8000_0000
    below = range(root + 0x4000, root + 0x4000 + tables * 4096, 4096)
    pgd = [address | 3 for address in below] + [0] * (2048 - tables)
    pages = [(page << 12 | 0x7FF) * (page & 1) for page in range(tables * 512)]
    (tmp_path / "image").write_bytes(
        struct.pack(f"<{2048 + len(pages)}Q", *pgd, *pages)
    )
    words = f"dump {tmp_path / 'image'} {LOAD} --page-size 4K --ipa 32 --hcr 1 {form}"
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert 0 == main([*words.split(), "--to", "4K"])  # imports are not counted
        tracemalloc.start()
        try:
            status = main(words.split())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert 0 == status
    assert peak < 3 << 20
    lines = (tmp_path / "out").read_text().count("\n")
    assert lines < 100 if form == "--summary" else lines > 8192


# Real tables

REAL = Path(__file__).parents[1] / "data" / "real_tables"


def real(name: str, folder: Path) -> list[str]:
    """Return the arguments that name the tables of a real guest."""
    told = json.loads((REAL / name / "registers.json").read_text())
    data = gzip.decompress((REAL / name / "tables.bin.gz").read_bytes())
    pieces = {}
    with (REAL / name / "tables.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            at = int(row["offset"])
            pieces[int(row["address"], 0)] = data[at : at + int(row["size"])]
    words = [f"--{name} {told[f'{name}_el2']}" for name in ("vtcr", "vttbr", "hcr")]
    return [core(folder / "core", pieces), *words]


@pytest.mark.parametrize(
    ("missing", "runs", "name"), [(False, 961, "4k-40-ptdump"), (True, 231, "64k-40")]
)
def test_compare_finds_what_a_kernel_printed(
    run: Run, tmp_path: Path, missing: bool, runs: int, name: str
) -> None:
    """Line by line; a last run that the kernel never prints is forgiven, and told."""
    tables = real(name, tmp_path)
    text = REAL / name / "stage2_page_tables.txt"
    ran = run("dump", *tables, f"--compare {text} --json")

    assert 0 == ran.status
    assert {"runs": runs, "last_run_missing": missing, "differences": []} == ran.json[
        "compare"
    ]
    told = run("dump", *tables, "--compare", str(text)).out.splitlines()
    assert f"equal: {runs} runs" == told[0]


def test_compare_shows_what_differs(run: Run, tmp_path: Path) -> None:
    """A run that became read-only, and one that is gone."""
    tables = real("64k-40", tmp_path)
    lines = (REAL / "64k-40" / "stage2_page_tables.txt").read_text().splitlines()
    at = next(at for at, line in enumerate(lines) if " R W " in line)
    changed = [*lines[:at], lines[at].replace(" R W ", " R   "), *lines[at + 2 :]]
    (tmp_path / "text").write_text("\n".join(changed))
    line = ("dump", *tables, f"--compare {tmp_path / 'text'}")
    ran, data = run(*line), run(*line, "--json").json

    assert (1, False) == (ran.status, data["supported"])
    assert ran.out.startswith("not equal: 3 runs of one side alone\n")
    assert ["kernel", "tables", "tables"] == [
        found["in"] for found in data["compare"]["differences"]
    ]


def test_compare_with_nothing(run: Run, image: str, tmp_path: Path) -> None:
    """An empty file is a kernel's text without runs."""
    (tmp_path / "text").touch()
    ran = run("dump", image, LOAD, VTCR, f"--compare {tmp_path / 'text'}")

    assert 1 == ran.status


def test_a_summary_counts_mappings_and_invalid_descriptors(
    run: Run, tmp_path: Path
) -> None:
    """A protected host annotates what it gave away."""
    tables = real("4k-48-pkvm-host", tmp_path)
    data = run("dump", *tables, "--summary --invalid --json").json
    rows = run("dump", *tables, "--invalid --json").json["mappings"]
    invalid = [row for row in rows if "invalid" in row]

    assert 2086 == sum(row["size"] for row in invalid) >> 12
    assert data["mapped"] == sum(row["size"] for row in rows if row not in invalid)
    assert [8] == [
        row["runs"]
        for row in data["summary"]
        if row["attributes"] == "invalid descriptors, 0x4"
    ]
    assert "invalid descriptors, 0x4\n" in run("dump", *tables, "--invalid").out
    assert ",,0x" in run("dump", *tables, "--invalid --csv").out
    assert "mapped\n" in run("dump", *tables, "--summary").out


# In gdb


def test_the_script_for_gdb_is_a_path_and_nothing_else(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So that a shell can hand it on; in an archive there is no such file."""
    ran = run("gdb-script")

    assert (0, "") == (ran.status, ran.err)
    assert "s2geom" in Path(ran.out.removesuffix("\n")).read_text()

    monkeypatch.setattr("s2geom.cli.image_commands.SCRIPT", tmp_path / "none.py")

    assert (2, "") == run("gdb-script")[:2]
