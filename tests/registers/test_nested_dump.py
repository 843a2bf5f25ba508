# SPDX-License-Identifier: MIT
"""Names and first lines of KVM's dumps of nested tables."""

import pickle

import pytest

from s2geom import (
    VTCR_EL2,
    VTTBR_EL2,
    NestedDump,
    UnreadableInput,
    parse_nested_name,
)

HEADER = "VTCR: 0x0000000080023558 VTTBR: 0x0001000040040000 s2: "


@pytest.mark.parametrize(
    "name",
    [
        "0x0001000040040000-0x0000000080023558-s2-enabled",
        "0x0001000040040000-0x0000000080023558-s2-disabled",
        "0X1000040040000-0X80023558",
        "1000040040000-80023558-s2-enabled",
        "1000040040000-80023558-something",
        HEADER + "enabled",
        HEADER + "disabled\n",
        "VTCR: 0x80023558  VTTBR: 0x1000040040000  s2: enabled",
    ],
)
def test_registers_are_read_from_name_or_first_line(name: str) -> None:
    """The name to Linux 7.2, the first line from 7.3, and shortened forms of both."""
    vttbr, vtcr = parse_nested_name(name)

    assert VTTBR_EL2.from_int(0x0001_0000_4004_0000) == vttbr
    assert VTCR_EL2.from_int(0x8002_3558) == vtcr


@pytest.mark.parametrize(
    "name",
    [
        "",
        "stage2_page_tables",
        "0x1-",
        "-0x1",
        "0x1",
        "0x1-0x2 ",
        "0x1-0x2-",
        "nested/0x1-0x2-s2-enabled",
        "0x00000000000000001-0x2",
        "0x1_0-0x2",
        "0x\u0661-0x2",
        "0x1-0x2-s2-enabled\n",
        "VTCR: 0x1 s2: enabled",
        "VTCR: 0x1 VTTBR: 0x2 s2: unknown",
        "VTCR: 0x1 VTTBR: 0x2",
    ],
)
def test_any_other_name_is_unreadable(name: str) -> None:
    """The message shows the form that is read, and the text that was given."""
    with pytest.raises(UnreadableInput) as caught:
        parse_nested_name(name)

    assert str(caught.value) == (
        "a nested dump is named like 0x0001000040040000-0x0000000080023558-s2-enabled, "
        "by VTTBR_EL2 and VTCR_EL2, or begins like VTCR: 0x0000000080023558 VTTBR: "
        f"0x0001000040040000 s2: enabled, got {name!r}"
    )


@pytest.mark.parametrize(
    ("text", "enabled", "sentence"),
    [
        (HEADER + "enabled", True, "Stage 2 of the guest hypervisor is enabled."),
        ("0x1-0x2-s2-enabled", True, "Stage 2 of the guest hypervisor is enabled."),
        ("0x1-0x2", None, "Whether stage 2 is enabled is not known."),
    ],
)
def test_a_dump_says_whether_stage_2_is_enabled(
    text: str, enabled: bool | None, sentence: str
) -> None:
    """`stage2_enabled` is None where the name does not say."""
    dump = NestedDump.parse(text)

    assert enabled is dump.stage2_enabled
    assert sentence == dump.explain()
    assert dump == pickle.loads(pickle.dumps(dump))  # noqa: S301 - our own


@pytest.mark.parametrize("text", [HEADER + "disabled", "0x1-0x2-s2-disabled"])
def test_a_disabled_stage_2_is_explained(text: str) -> None:
    """Registers of a disabled stage 2 translate nothing."""
    dump = NestedDump.parse(text)

    assert dump.stage2_enabled is False
    assert dump.explain() == (
        "Stage 2 of the guest hypervisor is disabled, so its VTCR_EL2 and VTTBR_EL2 "
        "are not in force."
    )


def test_a_name_must_be_text() -> None:
    """Bytes are refused by name."""
    with pytest.raises(TypeError, match=r"^name must be text, got b'x'$"):
        parse_nested_name(b"x")  # type: ignore[arg-type]
