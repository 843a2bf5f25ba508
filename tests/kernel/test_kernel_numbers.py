# SPDX-License-Identifier: MIT
"""The kernel's own macros, compiled: every number of them is ours too."""

import csv
from pathlib import Path

import pytest

from s2geom import (
    Geometry,
    Granule,
    Host,
    Scheme,
    check,
    fake_pgd,
    hw_pgtable_level_shift,
    hw_pgtable_levels,
    kernel_macros,
    stage2,
)

DATA = Path(__file__).parents[1] / "data"

Row = dict[str, int | None]


def rows(name: str) -> list[Row]:
    """Return the rows of a file; blank is None."""
    with (DATA / name).open(newline="", encoding="ascii") as file:
        return [
            {key: int(value) if value else None for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


STATIC = rows("kernel_v47.csv")
FAKE = rows("kernel_fake.csv")


def configuration(row: Row) -> tuple[int, int, int]:
    """Return page shift, IPA bits and VA bits."""
    page_shift, ipa_bits, va_bits = (
        row["page_shift"],
        row["ipa_bits"],
        row["va_bits"],
    )
    assert page_shift is not None
    assert ipa_bits is not None
    assert va_bits is not None
    return page_shift, ipa_bits, va_bits


def test_the_files_hold_the_whole_grid() -> None:
    """Ten hosts and nine, each with IPA widths 32 to 52."""
    for table, hosts in ((STATIC, 10), (FAKE, 9)):
        asked = {configuration(row) for row in table}

        assert hosts * 21 == len(table) == len(asked)
        assert set(range(32, 53)) == {ipa_bits for _, ipa_bits, _ in asked}


def test_the_macros_of_v4_7() -> None:
    """Every macro of the static scheme, supported or not, blank where it is folded."""
    columns = {
        "config_pgtable_levels": "CONFIG_PGTABLE_LEVELS",
        "stage2_levels": "STAGE2_PGTABLE_LEVELS",
        "s2_pgdir_shift": "S2_PGDIR_SHIFT",
        "s2_pgdir_size": "S2_PGDIR_SIZE",
        "ptrs_per_s2_pgd": "PTRS_PER_S2_PGD",
        "s2_pgd_bytes": "S2_PGD_SIZE",
        "min_cache_pages": "KVM_MMU_CACHE_MIN_PAGES",
        "s2_pud_shift": "S2_PUD_SHIFT",
        "s2_pmd_shift": "S2_PMD_SHIFT",
    }
    for row in STATIC:
        macros = kernel_macros(*configuration(row))

        assert {column: row[column] for column in columns} == {
            column: macros.get(name) for column, name in columns.items()
        }


def test_the_error_line_of_v4_7() -> None:
    """The build stops exactly where the host has too few levels."""
    for row in STATIC:
        rules = {violation.rule for violation in check(*configuration(row))}

        assert row["supported"] == ("levels-exceed-host" not in rules)


def test_what_v4_7_builds_and_no_cpu_translates() -> None:
    """More than 48 bits of 4K and 16K pages, which take LPA2."""
    for row in STATIC:
        page_shift, ipa_bits, _ = configuration(row)
        rules = {violation.rule for violation in check(*configuration(row))}

        assert (page_shift != 16 and ipa_bits > 48) == (
            "ipa-above-48-without-lpa2" in rules
        )
        assert rules <= {"levels-exceed-host", "ipa-above-48-without-lpa2"}


def test_the_shape_of_v4_7() -> None:
    """What a guest can run with, `stage2` gives as the macros describe it."""
    supported = [row for row in STATIC if not check(*configuration(row))]
    for row in supported:
        shape = stage2(*configuration(row))

        assert (
            row["stage2_levels"],
            row["s2_pgdir_shift"],
            row["s2_pgdir_size"],
            row["ptrs_per_s2_pgd"],
            row["s2_pgd_bytes"],
            row["s2_pgd_bytes"],  # a power of two, so it is naturally aligned
            row["min_cache_pages"],
        ) == (
            shape.levels,
            shape.pgdir_shift,
            shape.pgdir_size,
            shape.pgd_entries,
            shape.pgd_size,
            shape.pgd_alignment,
            shape.min_cache_pages,
        )

    assert 0 < len(supported) < len(STATIC)


def test_the_hosts_of_v4_7() -> None:
    """CONFIG_PGTABLE_LEVELS is the formula; and Kconfig offered each of these hosts."""
    for row in STATIC:
        page_shift, _, va_bits = configuration(row)
        host = Host(page_shift, va_bits, 52 if va_bits == 52 else 48)

        assert row["config_pgtable_levels"] == hw_pgtable_levels(page_shift, va_bits)
        assert row["config_pgtable_levels"] == host.pgtable_levels
        assert host.kconfig_legal
        assert row["va_legal_in_v47"] == (va_bits != 52)


def test_the_shifts_of_v4_7() -> None:
    """The PUD is level 1 and the PMD is level 2, wherever they are not folded."""
    for row in STATIC:
        for name, level in (("s2_pud_shift", 1), ("s2_pmd_shift", 2)):
            expected = row[name]
            if expected is not None:
                assert expected == hw_pgtable_level_shift(configuration(row)[0], level)


def test_the_macros_of_v4_5() -> None:
    """Every number of the fake-level design, representable or not."""
    for row in FAKE:
        old = fake_pgd(*configuration(row))
        entry_level = old.prealloc_level or 4 - old.host_levels

        assert {
            "config_pgtable_levels": row["config_pgtable_levels"],
            "host_pgdir_shift": row["host_pgdir_shift"],
            "pgdir_above_ipa": row["pgdir_above_ipa"],
            "ptrs_per_s2_pgd_shift": row["ptrs_per_s2_pgd_shift"],
            "ptrs_per_s2_pgd": row["ptrs_per_s2_pgd"],
            "prealloc_level": row["prealloc_level"],
            "hwpgd_bytes": row["hwpgd_bytes"],
            "fake_pgd_bytes": row["fake_pgd_bytes"],
            "hw_entry_level": row["hw_entry_level"],
            "bug_on_ok": row["bug_on_ok"],
        } == {
            "config_pgtable_levels": old.host_levels,
            "host_pgdir_shift": old.host_pgdir_shift,
            "pgdir_above_ipa": old.host_pgdir_shift > old.geometry.ipa_bits,
            "ptrs_per_s2_pgd_shift": old.pgd_shift,
            "ptrs_per_s2_pgd": old.pgd_entries,
            "prealloc_level": old.prealloc_level,
            "hwpgd_bytes": old.hardware_pgd_size,
            "fake_pgd_bytes": old.fake_pgd_size,
            "hw_entry_level": entry_level,
            "bug_on_ok": old.representable,
        }
        assert row["hw_entry_level"] == old.geometry.start_level


def test_the_spellings_of_v4_5() -> None:
    """`kernel_macros` gives the same numbers under the kernel's names."""
    columns = {
        "config_pgtable_levels": "CONFIG_PGTABLE_LEVELS",
        "host_pgdir_shift": "PGDIR_SHIFT",
        "ptrs_per_s2_pgd_shift": "PTRS_PER_S2_PGD_SHIFT",
        "ptrs_per_s2_pgd": "PTRS_PER_S2_PGD",
        "prealloc_level": "KVM_PREALLOC_LEVEL",
    }
    for row in FAKE:
        macros = kernel_macros(*configuration(row), scheme=Scheme.FAKE_PGD)

        assert {column: row[column] for column in columns} == {
            column: macros[name] for column, name in columns.items()
        }


def test_the_real_kernels_of_v4_5_are_supported() -> None:
    """A 40-bit IPA with 4K or 64K pages: what could be built, `check` lets through."""
    real = [row for row in FAKE if row["kvm_selectable_in_v45"]]
    for row in real:
        assert () == check(*configuration(row), scheme=Scheme.FAKE_PGD)

    assert {(12, 39), (12, 48), (16, 42), (16, 48)} == {
        configuration(row)[::2] for row in real
    }


def test_what_would_stop_at_the_bug_is_refused() -> None:
    """A 16K host before v4.7 has no KVM, and is refused too."""
    for row in FAKE:
        page_shift, ipa_bits, va_bits = configuration(row)
        broken = check(page_shift, ipa_bits, va_bits, scheme=Scheme.FAKE_PGD)
        rules = {violation.rule for violation in broken}

        assert (row["bug_on_ok"] == 0) == ("fake-prealloc-level" in rules)
        assert (page_shift == 14) == ("fake-16k" in rules)


@pytest.mark.parametrize(
    ("page_shift", "start_level", "widths"),
    [
        (12, 2, range(32, 35)),
        (12, 1, range(35, 44)),
        (12, 0, range(44, 53)),
        (14, 2, range(32, 41)),
        (14, 1, range(41, 52)),
        (14, 0, range(52, 53)),
        (16, 2, range(32, 47)),
        (16, 1, range(47, 53)),
    ],
)
def test_the_start_levels_since_v4_20(
    page_shift: int, start_level: int, widths: range
) -> None:
    """One table for every kernel from v4.20 to v7.1: only the limits moved."""
    for ipa_bits in widths:
        asked = [
            (scheme, pa_bits)
            for scheme in (Scheme.DYNAMIC, Scheme.INDEPENDENT, Scheme.LPA2)
            for pa_bits in (48, 52)
            if not check(page_shift, ipa_bits, 52, pa_bits=pa_bits, scheme=scheme)
        ]

        assert (Scheme.LPA2, 48) in asked
        for scheme, pa_bits in asked:
            shape = stage2(page_shift, ipa_bits, 52, pa_bits=pa_bits, scheme=scheme)
            lpa2 = ipa_bits > 48 and page_shift != 16

            assert Geometry(Granule(page_shift), ipa_bits, start_level, lpa2) == shape


@pytest.mark.parametrize(
    ("page_shift", "concatenated"),
    [
        (
            12,
            {32: 4, 33: 8, 34: 16}
            | {40: 2, 41: 4, 42: 8, 43: 16}
            | {49: 2, 50: 4, 51: 8, 52: 16},
        ),
        (
            14,
            {37: 2, 38: 4, 39: 8, 40: 16} | {48: 2, 49: 4, 50: 8, 51: 16},
        ),
        (16, {43: 2, 44: 4, 45: 8, 46: 16}),
    ],
)
def test_the_concatenated_tables_since_v4_20(
    page_shift: int, concatenated: dict[int, int]
) -> None:
    """How many tables stand side by side at the start level."""
    assert concatenated == {
        ipa_bits: shape.concatenation
        for ipa_bits in range(32, 53)
        for shape in [stage2(page_shift, ipa_bits, scheme=Scheme.LPA2)]
        if shape.concatenation > 1
    }
