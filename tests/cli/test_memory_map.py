# SPDX-License-Identifier: MIT
"""Regions of a guest's memory as text."""

from pathlib import Path

import pytest
from cli.running import Run

from s2geom import UnreadableInput
from s2geom.cli.memory_map import mapped_regions, parse_memory_map

SHAPE = "--page-size 4K --ipa 40"


def test_a_map_that_is_no_text(run: Run, files: dict[str, str]) -> None:
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
        "80000000,4K,rw_data,a\n0x90000000,4K,code,b\n1G,4K,RO_DATA,c"
    )

    assert [0x8000_0000, 0x9000_0000, 0x4000_0000] == [region.ipa for region in regions]
    assert [(3, 2), (1, 0), (1, 2)] == [
        (region.attributes.s2ap, region.attributes.xn) for region in regions
    ]


IOMEM = """\
09000000-09000fff : pl011
40000000-7fffffff : System RAM
  40210000-4184ffff : Kernel code

2080000000-237fffffff : System RAM
"""
LOG = """\
[    0.000000] Early memory node ranges
[    0.000000]   node   0: [mem 0x0000000040000000-0x000000007fffffff]
[    0.000000]   node   1: [mem 0x0000002080000000-0x000000237fffffff]
[    0.000000] Initmem setup node 0 [mem 0x0000000040000000-0x000000007fffffff]
"""
TREE = """\
/ {
        #address-cells = <0x02>;
        #size-cells = <0x02>;
        cpus {
                #address-cells = <0x01>;
                cpu@0 { reg = <0x00>; };
        };
        memory@40000000 {
                device_type = "memory";
                reg = <0x00 0x40000000 0x00 0x40000000>,
                      <0x20 0x80000000 0x3 0x0>;
        };
        reserved-memory {
                memory@50000000 { reg = <0x00 0x50000000 0x00 0x1000>; };
        };
        uart@9000000 {
                reg = <0x00 0x9000000 0x00 0x1000>;
        };
};
"""
RAM = [(0x4000_0000, 1 << 30), (0x20_8000_0000, 12 << 30)]


@pytest.mark.parametrize(
    ("skipped", "lines", "text"),
    [(1, [1, 2, 5], IOMEM), (0, [2, 3], LOG), (0, [10, 10], TREE)],
    ids=["iomem", "log", "tree"],
)
def test_memory_is_read_from_what_a_kernel_prints(
    skipped: int, lines: list[int], text: str
) -> None:
    """The outermost ranges of /proc/iomem, and the nodes of a log or a device tree."""
    regions = parse_memory_map(text)

    assert lines == [region.line for region in regions]
    assert RAM == [(region.ipa, region.size) for region in regions[skipped:]]
    assert RAM == [(region.ipa, region.size) for region in mapped_regions(regions)]


def test_cells_of_a_device_tree_have_32_bits_each() -> None:
    """A fragment without braces has two for an address, a root may say one."""
    fragment = parse_memory_map("reg = <0 0x40000000 0 0x100000>;")
    narrow = parse_memory_map(
        "/ {\n#address-cells = <1>;\n#size-cells = <1>;\n};\n"
        "memory {\nreg = <0x40000000 0x100000>;\n};\n"
    )

    assert [(0x4000_0000, 1 << 20)] == [(each.ipa, each.size) for each in fragment]
    assert [(0x4000_0000, 1 << 20)] == [(each.ipa, each.size) for each in narrow]


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("line 2: /proc/iomem has FIRST-LAST : NAME, got 'x'", "0-fff : RAM\nx"),
        ("line 1: its addresses are hidden", "00000000-00000000 : System RAM"),
        ("line 1: the range ends at 0x1, before it begins, at 0x2", "2-1 : RAM"),
        ("line 1: reg has 3 cells of 32 bits", "reg = <0 0 1>"),
        ("line 1: reg has 0 cells of 32 bits", "reg = <>"),
        ("line 1: reg has 4 cells", "reg = <0 0x100000000 0 1>"),
        ("line 1: a size or address is written like", "reg = <0 a 0 1>"),
        ("the memory map has no region", "uart {\nreg = <0 0 0 1>;\n};"),
        (
            "line 3 (b): 0x1000 to 0x2fff overlaps line 1 (a), 0x0 to 0x1fff",
            "0, 8K, CODE, a\n\n0x1000, 8K, CODE, b",
        ),
        ("line 1 (a): a region has at least 1 byte", "0x0, 0, CODE, a"),
    ],
)
def test_a_line_that_is_wrong_is_named(why: str, text: str) -> None:
    """Whatever the text is."""
    with pytest.raises(UnreadableInput) as caught:
        parse_memory_map(text)

    assert str(caught.value).startswith(why)
