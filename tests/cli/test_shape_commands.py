# SPDX-License-Identifier: MIT
"""The commands about one shape or several: show, split, macros, choices, compare."""

import pytest
from cli.running import Run


def test_show_prints_the_shape_and_the_scheme(run: Run) -> None:
    """The seed's configuration, to the letter."""
    ran = run("show --page-size 16K --ipa 40 --va 36")

    assert (0, "") == (ran.status, ran.err)
    assert "\n".join(ran.answer) == (
        "16K pages, 40-bit IPA, 36-bit host VA; scheme static (Linux v4.7-v4.19)\n"
        "\n"
        "levels         2\n"
        "start level    2\n"
        "root tables    16 (concatenated)\n"
        "PGD entries    32768\n"
        "PGD size       256 KiB (16 pages)\n"
        "PGD alignment  256 KiB\n"
        "entry maps     32 MiB (shift 25)\n"
        "cache pages    1\n"
        "T0SZ           24\n"
        "paging form    14,11,15\n"
        "LPA2           no\n"
        "\n"
        "level  index bits  entries  tables  entry maps  leaf   contiguous\n"
        "    2          15    32768      16  32 MiB      block          32\n"
        "    3          11     2048       1  16 KiB      page          128"
    )


def test_a_refusal_begins_with_the_reason(run: Run) -> None:
    """One line first: which limit, whose, and what would fit; exit code 1."""
    ran = run("show --page-size 16K --ipa 41 --va 36")

    assert 1 == ran.status
    assert ran.out.splitlines()[:5] == [
        (
            "not supported: a 41-bit IPA needs 3 stage-2 levels, but a 16K host with a "
            "36-bit VA has 2; the largest IPA it supports is 40 bits "
            "(Linux v4.7-v5.9; not since v5.10)"
        ),
        "  limit   host kernel: 2, given 3",
        (
            "  fix     use an IPA of at most 40 bits, or a host kernel with a 47-bit "
            "VA, or Linux v5.10 or later"
        ),
        "  rule    levels-exceed-host",
        (
            "  source  Linux v4.7, kvm: arm64: Get rid of fake page table levels "
            "(da04fa04dc91)"
        ),
    ]


@pytest.mark.parametrize(
    ("scheme", "kernel"),
    [
        ("fake-pgd", "4.6"),
        ("static", "v4.7"),
        ("dynamic", "5.4.0-150-generic"),
        ("independent", "6.1.0-18-arm64"),
        ("lpa2", "6.8"),
    ],
)
def test_a_kernel_picks_its_scheme(run: Run, scheme: str, kernel: str) -> None:
    """A release has its scheme, and the shape of 40 bits is the same under both."""
    line = "show --page-size 4K --ipa 40 --json"
    by_release = run(f"{line} --kernel {kernel}").json

    by_scheme = run(f"{line} --scheme {scheme}").json

    assert (scheme, kernel) == (by_release["scheme"], by_release["release"])
    assert (scheme, None) == (by_scheme["scheme"], by_scheme["release"])
    assert by_release["geometry"] == by_scheme["geometry"]


def test_a_cpu_bounds_the_answer(run: Run) -> None:
    """``--pa`` is the CPU's PARange, ``--lpa2`` its feature."""
    narrow = run("show --page-size 4K --ipa 48 --pa 44 --kernel 6.8 --json")
    wide = run("show --page-size 4K --ipa 52 --pa 52 --lpa2 --kernel 6.8 --json")

    assert (1, ["ipa-above-parange"]) == (
        narrow.status,
        [why["rule"] for why in narrow.json["violations"]],
    )
    assert (0, True) == (wide.status, wide.json["geometry"]["lpa2"])


def test_a_default_kernel_is_a_premise(run: Run) -> None:
    """Who names no kernel is told which one was taken, and that it had 40 bits."""
    premise = (
        "no kernel was named, so this is how v4.7-v4.19 would do it, which had 40 bits "
        "alone; name yours: --kernel 6.12"
    )
    line = "show --page-size 4K --ipa 44"

    assert f"premise: {premise}" in run(line).out.splitlines()
    assert premise == run(line, "--json").json["premises"][0]
    assert "no kernel was named" not in run(line, "--kernel 6.12").out


def test_choices_of_single_tables_say_so(run: Run) -> None:
    """Where no shape concatenates, there is no choice to concatenate."""
    ran = run("choices --page-size 16K --ipa 42 --pa 48")

    assert "nothing is concatenated: every root is one table" in ran.out.splitlines()
    assert "is a choice" not in ran.out


def test_json_has_every_derived_number(run: Run) -> None:
    """A program need not parse the text."""
    data = run("show --page-size 16384 --ipa 40 --va 36 --json").json

    assert data["supported"] is True
    assert {"page_shift": 14, "va_bits": 36, "pa_bits": 48} == data["host"]
    assert (2, 2, 16, 262144, [14, 11, 15]) == tuple(
        data["geometry"][key]
        for key in (
            "levels",
            "start_level",
            "concatenation",
            "pgd_size",
            "paging_form",
        )
    )
    assert [2, 3] == [level["number"] for level in data["geometry"]["table_levels"]]


def test_split_shows_the_way_of_an_address(run: Run) -> None:
    """The last page of a concatenated space is in the last table."""
    ran = run("split --page-size 4K --ipa 40 0xff_ffff_f000")

    assert 0 == ran.status
    assert ran.answer[2:] == [
        "IPA         0xfffffff000",
        "root table  1 of 2",
        "level 1     index 511 of 512, each 1 GiB",
        "level 2     index 511 of 512, each 2 MiB",
        "level 3     index 511 of 512, each 4 KiB",
        "offset      0x0 of 0x1000",
        "PGD index   1023 of 1024",
    ]


def test_split_refuses_like_show(run: Run) -> None:
    """Where there is no shape there is no way through it."""
    assert 1 == run("split --page-size 16K --ipa 41 --va 36 0").status


def test_split_says_which_space_an_address_misses(run: Run) -> None:
    """An address outside is a mistake in the question."""
    ran = run("split --page-size 4K --ipa 40 1T")

    assert 2 == ran.status
    assert "s2geom: error: ipa must be inside the 40-bit IPA space" in ran.err


def test_macros_puts_both_designs_side_by_side(run: Run) -> None:
    """What the patch changed for 64K pages and a 48-bit host."""
    ran = run("macros --page-size 64K --ipa 40 --va 48")

    assert 0 == ran.status
    assert ran.out.splitlines()[2:19] == [
        "macro                    fake-pgd (v3.18-v4.6)  static (v4.7-v4.19)",
        "KVM_PHYS_SHIFT           40                     40",
        "CONFIG_PGTABLE_LEVELS    3                      3",
        "PGDIR_SHIFT              42                     42",
        "PTRS_PER_S2_PGD_SHIFT    0                      -",
        "PTRS_PER_S2_PGD          1                      2048",
        "KVM_PREALLOC_LEVEL       2                      -",
        "KVM_MMU_CACHE_MIN_PAGES  1                      1",
        "STAGE2_PGTABLE_LEVELS    -                      2",
        "S2_PGDIR_SHIFT           -                      29",
        "S2_PGDIR_SIZE            -                      0x20000000",
        "S2_PGDIR_MASK            -                      0xffffffffe0000000",
        "S2_PGD_SIZE              -                      0x4000",
        "",
        "what the hardware sees  fake-pgd  static",
        "levels software walks   3         2",
        "hardware start level    2         2",
    ]
    assert ran.out.splitlines()[19:21] == [
        "hardware root           64 KiB    16 KiB",
        "fake PGD                8 B       none",
    ]
    assert ran.out.splitlines()[-5:] == [
        "fake-pgd: supported",
        "",
        "static: supported",
        "",
        "premise: the answer is that of scheme static (Linux v4.7-v4.19)",
    ]


def test_macros_of_a_refused_configuration_are_shown_all_the_same(run: Run) -> None:
    """The numbers are arithmetic; the refusal is the exit code and a line."""
    ran = run("macros --page-size 16K --ipa 41 --va 36")

    assert 1 == ran.status
    assert "STAGE2_PGTABLE_LEVELS    -                      3" in ran.out
    assert "static: not supported: a 41-bit IPA needs 3 stage-2 levels" in ran.out
    assert "fake-pgd: not supported: a 16K host has no KVM" in ran.out


def test_choices_lists_every_legal_root(run: Run) -> None:
    """4K, 40 bits, a 44-bit CPU: level 0 with 2 entries, or level 1 with 2 tables."""
    ran = run("choices --page-size 4K --ipa 40 --pa 44")
    data = run("choices --page-size 4K --ipa 40 --pa 44 --json").json

    assert 0 == ran.status
    assert [(0, 1), (1, 2)] == [
        (shape["start_level"], shape["concatenation"]) for shape in data["choices"]
    ]
    assert "concatenation is a choice here" == ran.answer[-1]


def test_choices_says_where_concatenation_is_mandatory(run: Run) -> None:
    """On a 40-bit CPU the architecture forbids level 0."""
    ran = run("choices --page-size 4K --ipa 40 --pa 40")

    assert (
        "concatenation is mandatory: no single table may start this IPA here"
        == ran.answer[-1]
    )


def test_choices_without_any_gives_the_nearest_reasons(run: Run) -> None:
    """A 50-bit IPA on a 44-bit CPU."""
    ran = run("choices --page-size 64K --ipa 50 --pa 44")

    assert 1 == ran.status
    assert ran.out.startswith(
        "not supported: a 50-bit IPA is 6 bits above the CPU's 44-bit physical"
    )


def test_choices_names_the_features_of_the_cpu(run: Run) -> None:
    """What was asked stands above the answer."""
    ran = run("choices --page-size 4K --ipa 50 --pa 52 --lpa2 --ttst --aarch32")

    assert (
        "4K pages, 50-bit IPA, a CPU with 52 PA bits, LPA2, FEAT_TTST, AArch32 at EL1; "
        "whatever the scheme" == ran.out.splitlines()[0]
    )


def test_compare_shows_an_illegal_choice_with_its_reason(run: Run) -> None:
    """m1n1's rule starts at level 1, which a 40-bit CPU does not have for 16K."""
    ran = run("compare --page-size 16K --ipa 40 --pa 40")

    assert 0 == ran.status
    [line] = [row for row in ran.out.splitlines() if row.startswith("m1n1 ")]
    assert "no" == line.split()[-1]
    assert any(row.startswith("m1n1: ") for row in ran.out.splitlines())


def test_compare_where_nobody_has_a_shape(run: Run) -> None:
    """No policy has a 20-bit IPA."""
    ran = run("compare --page-size 16K --ipa 20 --pa 48")

    assert 1 == ran.status
    assert "kvm never" in ran.out or "a 20-bit IPA is 12 bits below" in ran.out


def test_compare_without_remarks(run: Run) -> None:
    """JSON carries each policy's source."""
    data = run("compare --page-size 4K --ipa 44 --pa 44 --json").json

    assert all(row["source"] for row in data["policies"])


def test_a_release_has_its_own_limits(run: Run) -> None:
    """Before v4.20 every guest has 40 bits, whatever the scheme could do."""
    ran = run("show --page-size 4K --ipa 42 --kernel 4.15.0-112-generic --json")

    assert (1, ["ipa-not-40"]) == (
        ran.status,
        [why["rule"] for why in ran.json["violations"]],
    )
    assert 0 == run("show --page-size 4K --ipa 42 --scheme static").status


def test_the_architecture_has_a_say(run: Run) -> None:
    """No CPU translates 52 bits of 4K pages without LPA2."""
    ran = run("show --page-size 4K --ipa 52 --pa 52")

    assert 1 == ran.status
    assert "  limit   architecture: 48, given 52" in ran.out.splitlines()


def test_a_feature_that_a_cpu_was_not_given_is_a_premise(run: Run) -> None:
    """LPA2 would make another format of the same shape."""
    premise = "the CPU has no LPA2, as no option says so"
    line = "show --page-size 4K --ipa 40 --kernel 6.12 --json --pa 52"

    assert premise in run(line).json["premises"]
    assert premise not in run(line, "--lpa2").json["premises"]


def test_a_protected_host_gives_its_limit(run: Run) -> None:
    """Whatever width was asked for; it needs the CPU."""
    line = "show --page-size 4K --ipa 40 --protected"
    ran = run(line, "--pa 48 --kernel 6.12 --json")

    assert 48 == ran.json["geometry"]["ipa_bits"]
    assert "host VA, protected; " in run(line, "--pa 48 --kernel 6.12").out
    assert "--protected has no effect without --pa" in run(line).err


def test_a_protected_host_is_of_today_where_no_kernel_is_named(run: Run) -> None:
    """As in the library, where protected=True means LPA2's scheme, not STATIC's."""
    line = "show --page-size 16K --ipa 36 --protected --pa 42"
    ran = run(line, "--json")

    assert (0, "lpa2") == (ran.status, ran.json["scheme"])
    assert 42 == ran.json["geometry"]["ipa_bits"]
    assert "this is the newest known, Linux 7.3" in ran.json["premises"][0]
    assert "protected-before-v6.2" in run(line, "--scheme static").out
