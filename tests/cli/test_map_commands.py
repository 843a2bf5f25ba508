# SPDX-License-Identifier: MIT
"""The commands about a guest's memory: fit, build, footprint."""

import io
import json
from pathlib import Path

import pytest
from cli.conftest import MAP
from cli.running import Run

from s2geom.cli.main import main

SHAPE = "--page-size 4K --ipa 40"


def test_fit_measures_a_memory_map(run: Run) -> None:
    """64 GiB from 1 GiB on need 37 bits, and no level more than 36 would."""
    data = run("fit --page-size 4K --ram-base 1G --ram 64G --json").json

    assert (37, 63 << 30, [35, 43], False) == tuple(
        data["fit"][key]
        for key in ("ipa_bits", "headroom", "same_levels", "costs_a_level")
    )


def test_fit_asks_the_newest_kernels_where_none_is_named(run: Run) -> None:
    """They never have fewer than two levels, so no bit costs 64K pages one here."""
    ran = run("fit --page-size 64K --ram-base 0 --ram 10G")

    assert "Linux 7.3 (scheme lpa2)" in ran.out.splitlines()[0]
    assert (
        "costs a level    no: one bit less would not save one" in ran.out.splitlines()
    )
    assert "root             1 table, 256 B, at level 2" in ran.out.splitlines()


def test_fit_says_when_a_bit_costs_a_level(run: Run) -> None:
    """Just above 34 bits a 4K tree grows a level."""
    ran = run("fit --page-size 4K --ram-base 0 --ram 17G")

    assert "costs a level    yes: 34 bits would take 2" in ran.out.splitlines()


def test_fit_never_asks_for_less_than_kvm_has(run: Run) -> None:
    """A small guest gets 32 bits."""
    data = run("fit --page-size 4K --ram-base 1G --ram 1M --json").json

    assert (32, False) == (data["fit"]["ipa_bits"], data["fit"]["costs_a_level"])


def test_fit_refuses_what_the_host_cannot_hold(run: Run) -> None:
    """Two TiB take 41 bits, which a 16K host with 36-bit addresses lacks."""
    ran = run("fit --page-size 16K --va 36 --ram-base 0 --ram 2T --scheme STATIC")

    assert 1 == ran.status
    assert ran.out.startswith("not supported: a 41-bit IPA needs 3 stage-2 levels")
    assert "IPA needed       41 bits" in ran.out


def test_build_prints_the_words_and_what_is_mapped(
    run: Run, files: dict[str, str]
) -> None:
    """Root, VTCR_EL2, VTTBR_EL2, and the mappings read back from the tables."""
    ran = run("build", files["map"], SHAPE, "--base 2G --vmid 3")

    assert 0 == ran.status
    lines = ran.answer
    assert "root       0x80000000" in lines
    assert "VTTBR_EL2  0x3000080000000" in lines
    assert "tables     1 and the PGD, 12 KiB" in lines
    assert [
        ["0x8000000", "0x8ffffff", "0x8000000", "16", "MiB", "2"],
        ["0x40000000", "0xbfffffff", "0x880000000", "2", "GiB", "1"],
    ] == [line.split()[:6] for line in lines[-2:]]


def test_build_of_pages_alone(run: Run, files: dict[str, str]) -> None:
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
    run: Run, files: dict[str, str]
) -> None:
    """An LPA2 descriptor has address bits where the shareability was."""
    status, out, _ = run(
        "build", files["map"], "--page-size 4K --ipa 52 --kernel 6.8 --base 2G"
    )

    assert 0 == status
    assert "shareable as VTCR_EL2.SH0 says" in out


def test_build_refuses_like_show(run: Run, files: dict[str, str]) -> None:
    """No shape, no tables."""
    status, out, _ = run(
        "build",
        files["map"],
        "--page-size 16K --ipa 41 --va 36 --scheme static --base 2G",
    )

    assert 1 == status
    assert out.startswith("not supported: a 41-bit IPA needs 3 stage-2 levels")


def test_build_names_the_line_that_does_not_fit(
    run: Run, files: dict[str, str]
) -> None:
    """The builder's sentence, and where in the file it comes from."""
    Path(files["map"]).write_text("\n0, 4K, CODE, page\n0x41001, 4K, CODE, askew\n")
    status, out, err = run("build", files["map"], SHAPE, "--base 2G")

    assert (2, "") == (status, out)
    assert "s2geom: error: line 3 (askew): ipa must be a multiple of" in err


def test_build_says_when_it_cannot_write(run: Run, files: dict[str, str]) -> None:
    """A folder that is not there."""
    status, _, err = run(
        "build", files["map"], SHAPE, "--base 2G --out", files["image"] + "/no/where"
    )

    assert 2 == status
    assert "cannot write" in err


def test_footprint_weighs_worst_best_and_kvm(run: Run, files: dict[str, str]) -> None:
    """Pages, largest blocks, and what KVM installs over 2 MiB huge pages."""
    ran = run("footprint", files["map"], SHAPE, "--backing 2M")

    assert 0 == ran.status
    assert [
        "2064 MiB mapped",
        "",
        "tables for            level 1  level 2  level 3   all  bytes",
        "worst: pages                2        3     1032  1037  4148 KiB",
        "best: largest blocks        2        1        0     3  12 KiB",
        "KVM: leaves of 2 MiB        2        3        0     5  20 KiB",
    ] == ran.answer[2:]


def test_footprint_in_json(run: Run, files: dict[str, str]) -> None:
    """Without a backing there are two ways to map it."""
    data = json.loads(run("footprint", files["map"], SHAPE, "--json")[1])

    assert ["worst", "best"] == list(data["footprint"])
    assert 1037 == data["footprint"]["worst"]["tables"]


def test_footprint_refuses_like_show(run: Run, files: dict[str, str]) -> None:
    """No shape, no weight."""
    assert (
        1
        == run(
            "footprint", files["map"], "--page-size 4K --ipa 44 --va 39 --scheme static"
        )[0]
    )


VIRT = """\
0x40000000, 4G, RW_DATA, ram
0x4010000000, 256M, DEVICE, ecam
0x8000000000, 512G, DEVICE, mmio
"""
IOMEM = "09000000-09000fff : pl011\n40000000-7fffffff : System RAM\n"


def test_fit_of_a_map_names_the_region_that_costs_the_bits(
    run: Run, tmp_path: Path
) -> None:
    """A PCIe window at 512 GiB; and what would fit in the widest that there is."""
    (tmp_path / "virt.map").write_text(VIRT)
    line = f"fit {tmp_path / 'virt.map'} --page-size 4K"
    ran = run(line, "--pa 36")

    assert 1 == ran.status
    assert ran.answer[-6:] == [
        "",
        "memory           528640 MiB in 3 regions",
        "IPA needed       40 bits, for line 3 (mmio)",
        "without it       39 bits",
        "headroom         0 B to the end of the IPA space",
        "fits in 36 bits  4 GiB of 528640 MiB; beyond them: ecam, mmio",
    ]
    data = run(line, "--json").json["fit"]
    assert ("mmio", 39, 3) == (
        data["widest_region"]["label"],
        data["without_it"],
        len(data["regions"]),
    )


def test_fit_of_one_region(run: Run, tmp_path: Path) -> None:
    """Nothing else is there without it; a guest of 32 bits has no narrower one."""
    (tmp_path / "map").write_text("1G, 4G, NORMAL, ram")
    (tmp_path / "low").write_text("1G, 1G, NORMAL, ram\n0, 4K, DEVICE, rom")
    wide = run(f"fit {tmp_path / 'map'} --page-size 4K").out
    low = run(f"fit {tmp_path / 'low'} --page-size 4K").out

    assert "IPA needed       33 bits, for line 1 (ram)" in wide.splitlines()
    assert "fits in 32 bits  3 GiB of 4 GiB; beyond them: ram" in wide.splitlines()
    assert "without it" not in wide + low
    assert "fits in" not in low


def test_fit_in_less_than_the_memory_has_below_it(run: Run) -> None:
    """Memory that begins above what a CPU reaches."""
    ran = run("fit --page-size 4K --ram-base 1T --ram 1G --pa 40")

    assert "fits in 40 bits  0 B from 0x10000000000" in ran.out.splitlines()


def test_fit_of_a_host_that_has_no_guest(run: Run) -> None:
    """There is no width that anything fits in."""
    ran = run("fit --page-size 16K --ram-base 1G --ram 1G --kernel 4.4")

    assert 1 == ran.status
    assert "fits in" not in ran.out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("fit --page-size 4K", "give the memory: a map, or --ram-base and --ram"),
        ("fit --page-size 4K --ram 1G", "give the memory: a map, or --ram-base and"),
        ("fit m --page-size 4K --ram 1G", "--ram has no effect beside map"),
        ("fit /no/map --page-size 4K", "cannot read /no/map: No such file"),
    ],
)
def test_fit_wants_the_memory_once(run: Run, line: str, why: str) -> None:
    """A map, or a base and a size."""
    ran = run(line)

    assert (2, "") == (ran.status, ran.out)
    assert why in ran.err


@pytest.mark.parametrize("command", ["build", "footprint"])
def test_of_proc_iomem_the_ram_alone_is_mapped(
    run: Run, tmp_path: Path, command: str
) -> None:
    """What else is there, a guest's tables need not map; the answer says so."""
    (tmp_path / "iomem").write_text(IOMEM)
    base = "--base 2G" if command == "build" else ""
    ran = run(command, str(tmp_path / "iomem"), SHAPE, base, "--json")

    assert "of /proc/iomem only the RAM is mapped" in ran.json["premises"]
    assert 0 == ran.status


def test_footprint_names_the_line_that_is_wrong(run: Run, tmp_path: Path) -> None:
    """A region that is not made of pages."""
    (tmp_path / "map").write_text("0, 4K, CODE, a\n0x1001, 4K, CODE, b")
    ran = run(f"footprint {tmp_path / 'map'} {SHAPE}")

    assert (2, "") == (ran.status, ran.out)
    assert "s2geom: error: line 2 (b): ipa must be a multiple of" in ran.err


def test_a_map_with_a_byte_order_mark(run: Run, tmp_path: Path) -> None:
    """Editors of another system put one there."""
    (tmp_path / "map").write_bytes(b"\xef\xbb\xbf0, 4K, CODE, a\n")

    assert 0 == run(f"footprint {tmp_path / 'map'} {SHAPE}").status


def test_an_image_is_not_written_over_its_map(run: Run, tmp_path: Path) -> None:
    """By whatever name."""
    (tmp_path / "map").write_text("0, 4K, CODE, a\n")
    (tmp_path / "link").symlink_to(tmp_path / "map")
    for name in ("map", "link"):
        ran = run(f"build {tmp_path / 'map'} {SHAPE} --base 2G --out {tmp_path / name}")

        assert (2, "") == (ran.status, ran.out)
        assert "would overwrite the input" in ran.err
    assert "0, 4K, CODE, a\n" == (tmp_path / "map").read_text()


class StandardStream(io.TextIOWrapper):
    """Standard input or output with bytes below it."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")

    @property
    def written(self) -> bytes:
        """What was written to it."""
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


def test_a_map_from_standard_input_and_an_image_to_standard_output(
    run: Run,
    files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The image alone is printed, so that another command can read it."""
    build = f"build - {SHAPE} --base=2G --out"
    monkeypatch.setattr("sys.stdin", StandardStream(MAP.encode()))

    assert 0 == run(build, str(tmp_path / "image")).status

    monkeypatch.setattr("sys.stdin", StandardStream(MAP.encode()))
    with monkeypatch.context() as inside:
        output = StandardStream()
        inside.setattr("sys.stdout", output)
        assert 0 == main([*build.split(), "-"])

    assert (tmp_path / "image").read_bytes() == output.written
    monkeypatch.setattr("sys.stdout", None)

    assert 2 == main(f"build {files['map']} {SHAPE} --base 2G --out -".split())


def test_an_image_and_json_do_not_share_standard_output(
    run: Run, files: dict[str, str]
) -> None:
    """A program could not tell them apart."""
    ran = run("build", files["map"], SHAPE, "--base 2G --out - --json")

    assert (2, "") == (ran.status, ran.out)
    assert "--out - and --json both want standard output" in ran.err


def test_standard_input_that_is_closed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``s2geom ... - <&-``."""
    monkeypatch.setattr("sys.stdin", None)

    assert "cannot read standard input: it is closed" in run(f"footprint - {SHAPE}").err


def test_fit_of_a_kernel_that_has_one_width(run: Run) -> None:
    """Every guest of v4.15 has 40 bits, so 37 are enough and 42 are not there."""
    line = "fit --page-size 4K --kernel 4.15 --ram-base 1G"
    ran = run(line, "--ram 64G")

    assert 0 == ran.status
    assert "IPA needed     37 bits" in ran.answer
    assert "IPA            40 bits, the narrowest of this kernel that has room" in (
        ran.answer
    )
    assert "levels         3" in ran.answer
    assert "fits in" not in ran.out
    assert 40 == run(line, "--ram 64G --json").json["ipa_bits"]
    assert 1 == run(line, "--ram 2T").status


def test_a_line_that_is_no_region_is_named_with_its_file(
    run: Run, tmp_path: Path
) -> None:
    """Overlaps too, which `footprint` would count as one."""
    path = tmp_path / "map"
    for text, why in (
        ("0, 4K, CODE, a\nnothing\n", "line 2: a region is ADDRESS, LENGTH, TYPE"),
        ("0, 8K, CODE, a\n4K, 4K, CODE, b\n", "line 2 (b): 0x1000 to 0x1fff overlaps"),
    ):
        path.write_text(text)
        ran = run(f"footprint {path} {SHAPE}")

        assert (2, "") == (ran.status, ran.out)
        assert ran.err.startswith(f"s2geom: error: {path}: {why}")
