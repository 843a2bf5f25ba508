# SPDX-License-Identifier: MIT
"""The documentation holds together: links, tables, examples and names."""

import ast
import re
import runpy
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import reference_pages
from keeping import kept
from package.scopes import scope, scopes

import s2geom
from s2geom import readers, strategies
from s2geom.cli.main import main

BLOCK = re.MULTILINE | re.DOTALL

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if not {"_build", "_generated", "api", "notebooks"}
    & {*page.relative_to(DOCS).parts}
)

QUESTIONS = {
    "shape": "how many levels, which start level, how many concatenated tables",
    "allowed": "If not, by how much, and what is the largest IPA that is?",
    "memory-map": "How many IPA bits does this memory map need",
    "registers": "what does this VTCR word mean",
    "choices": "Which other start levels and concatenations are legal",
    "split": "Which index and which root table does this IPA use at each level",
    "walk-a-dump": "where does the IPA land, or at what level does it fault?",
    "table-memory": "How much memory will the tables of this guest take",
    "config": "what can KVM do here",
    "kernel-versions": "What changed for this configuration",
}
"""What people ask, in the order of the how-to index."""

FIELDS = {
    "fields-vtcr": "T0SZ SL0 IRGN0 ORGN0 SH0 TG0 PS VS HA HD HWU59 HWU60 HWU61 HWU62 "
    "NSW NSA DS SL2 AssuredOnly TL1 S2PIE S2POE D128 GCSH TL0 HAFT HDBSS",
    "fields-vttbr": "VMID BADDR CnP",
    "fields-ste": "S2VMID S2T0SZ S2SL0 S2IR0 S2OR0 S2SH0 S2TG S2PS S2AA64 S2ENDI "
    "S2AFFD S2PTW S2HD S2HA S2S S2R S2SL0_2 S2DS S2TTB",
    "fields-mmfr0": "PARange TGran16 TGran64 TGran4 TGran16_2 TGran64_2 TGran4_2",
}
"""The manual's fields that a reader will look for."""


def name(page: Path) -> str:
    """Return a page's path from the root of the project."""
    return page.relative_to(ROOT).as_posix()


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(r"^(`{3,})[a-z].*?^\1$", "", text, flags=BLOCK)


def links(page: Path) -> list[str]:
    """Return what the links of a page point at."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8")))


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: of headings, and of spans in what it includes."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    slugs = {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    }
    included = (generated()[Path(file).stem] for file in includes(text))
    spans = re.findall(r'id="([^"]+)"', text + "".join(included))
    assert len(spans) == len(set(spans)), "an anchor stands twice"
    return slugs | set(spans)


def includes(text: str) -> list[str]:
    """Return the generated pages that a page includes."""
    return re.findall(r"^```\{include\} (\S*_generated/\S+\.md)$", text, re.MULTILINE)


@cache
def generated() -> dict[str, str]:
    """Return the generated pages, as the build makes them."""
    pages: dict[str, str] = runpy.run_path(str(DOCS / "tables.py"))["pages"]()
    return pages


# Links


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=name)
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    """A link names a file that is there, and a heading or row that is in it."""
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page

        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_a_table_of_contents() -> None:
    """Whoever starts at the front page can come to every page."""
    listed = {"index"}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for tree in re.findall(
            r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL
        ):
            entries = [line for line in tree.split() if not line.startswith(":")]
            folder = page.relative_to(DOCS).parent
            listed |= {(folder / entry).as_posix() for entry in entries}

    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}

    assert set() == pages - listed


# How-to


def test_the_ten_questions_are_on_the_index_in_their_order() -> None:
    """Each question that people ask has its number, its words and its page."""
    index = (DOCS / "howto/index.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\d+\. \[(.*?)\]\((.*?)\.md\)$", index, re.MULTILINE | re.DOTALL
    )

    assert list(QUESTIONS) == [page for _, page in rows]
    for (text, _), question in zip(rows, QUESTIONS.values(), strict=True):
        assert question in " ".join(text.split())


@pytest.mark.parametrize("page", QUESTIONS)
def test_a_how_to_page_shows_code_that_runs(page: str) -> None:
    """A question is answered by a session and on the command line, if it has one."""
    text = (DOCS / f"howto/{page}.md").read_text(encoding="utf-8")

    assert "```pycon\n>>> import s2geom as s2\n" in text


# Generated tables


def rule_ids() -> Iterator[str]:
    """Yield the id of every rule and violation that the sources spell out."""
    for source in (ROOT / "src/s2geom").rglob("*.py"):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            if call.func.id in {"Rule", "KvmLimit", "Violation"}:
                for keyword in call.keywords:
                    if keyword.arg in {"id", "rule"} and isinstance(
                        keyword.value, ast.Constant
                    ):
                        yield str(keyword.value.value)


def test_every_rule_is_in_the_reference() -> None:
    """No limit can be added to the code and be missing on the page of rules."""
    known = set(rule_ids())

    assert len(known) > 40
    assert known <= anchors(DOCS / "reference/rules.md")


def test_the_page_of_rules_includes_every_generated_table() -> None:
    """What is generated is shown, and what is shown is generated."""
    shown = [
        Path(file).stem
        for page in PAGES
        for file in includes(page.read_text(encoding="utf-8"))
    ]

    assert sorted(generated()) == sorted(shown)


def test_every_picture_is_shown_and_every_shown_picture_made() -> None:
    """The pages include the pictures that the library draws."""
    made = runpy.run_path(str(DOCS / "tables.py"))["pictures"]()
    shown = {
        (page.parent / file).stem
        for page in PAGES
        for file in re.findall(
            r"^:file: (\S*_generated/\S+\.svg)$",
            page.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    }

    assert set(made) == shown
    assert all(picture.startswith("<svg") for picture in made.values())


@pytest.mark.parametrize("page", FIELDS)
def test_the_tables_of_fields_have_the_manuals_names(page: str) -> None:
    """Each field that a reader looks for has a row of its own."""
    text = generated()[page]

    for field in FIELDS[page].split():
        assert text.count(f"| `{field}` |") == 1, field


@pytest.mark.parametrize("page", sorted(generated()))
def test_generated_tables_are_tables(page: str) -> None:
    """Every row of a table has as many cells as its header."""
    for block in re.findall(r"(?:^\|.*\n)+", generated()[page], re.MULTILINE):
        columns = [len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()]

        assert len(columns) > 2
        assert 1 == len(set(columns))


# Names


def test_every_public_name_has_one_page_of_the_reference() -> None:
    """What can be imported is documented, and nothing else is."""
    of_module: dict[str, list[str]] = {}
    for entry in reference_pages.entries():
        of_module.setdefault(entry.module, []).append(entry.name)

    assert {
        "s2geom": sorted(s2geom.__all__),
        "s2geom.readers": sorted(readers.__all__),
        "s2geom.strategies": sorted(strategies.__all__),
    } == {module: sorted(names) for module, names in of_module.items()}


def test_pages_of_the_reference_differ_in_more_than_capitals() -> None:
    """Some file systems do not tell capitals apart."""
    pages = [entry.page.lower() for entry in reference_pages.entries()]

    assert sorted(pages) == sorted(set(pages))


def test_a_summary_is_a_sentence() -> None:
    """What the tables of the reference show beside a name."""
    for entry in reference_pages.entries():
        assert re.fullmatch(r"[A-Z].*[.)]", entry.summary), entry.full_name


def test_every_name_says_which_release_added_it() -> None:
    """0.1.0 for the first ones, by their page; the others by their docstring."""
    for entry in reference_pages.entries():
        text = entry.text() if entry.is_of_first_release else entry.docstring

        assert 1 == text.count(reference_pages.VERSION_ADDED), entry.full_name


def test_every_disagreement_names_its_test_and_every_test_its_disagreement() -> None:
    """The page and tests/compare/test_disagreements.py are about the same things."""
    page = (DOCS / "explanation/disagreements.md").read_text(encoding="utf-8")
    tests = (ROOT / "tests/compare/test_disagreements.py").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+)`", page)
    assert sorted(named) == sorted(
        re.findall(r"^def (test_\w+)\(", tests, re.MULTILINE)
    )


# The command line


def examples(page: Path) -> list[tuple[str, str]]:
    """Return command and output of every example on a page."""
    text = page.read_text(encoding="utf-8")
    return [
        example
        for block in re.findall(r"^```console\n(.*?)^```$", text, BLOCK)
        for example in re.findall(
            r"^\$ s2geom (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE
        )
    ]


WITH_EXAMPLES = [page for page in [*PAGES, ROOT / "README.md"] if examples(page)]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name)
def test_examples_print_what_their_page_shows(
    page: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run in their order in one folder, they print what is shown, to the letter."""
    for folder in ("docs", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)

    for command, output in examples(page):
        status = main(shlex.split(command))

        assert output == capsys.readouterr().out, command
        fault = re.search(r"^0x\w+: [a-z ]+ fault, level", output)
        assert status == int("not supported" in output or fault is not None), command


def test_every_command_has_an_example() -> None:
    """The page of the command line shows each command at work."""
    listed = set(re.findall(r"^### ([\w-]+)$", generated()["commands"], re.MULTILINE))
    shown = {
        command.split()[0] for command, _ in examples(DOCS / "reference/command.md")
    }

    assert listed - {"gdb-script"} == shown  # whose answer is a path of the machine


def test_every_explained_survivor_names_a_place_of_its_module() -> None:
    """Keep no line of a function or row that was renamed or removed.

    ``S2GEOM_SNAPSHOTS=write`` deletes such lines; the next run of the mutants tells
    what the new function or row needs.
    """
    path = DOCS / "explanation" / "mutants.md"
    page = path.read_text(encoding="utf-8")
    line = re.compile(r"^([a-z]\w+)\.(\w+) +(\S+) +[A-Z]\w+\n", re.MULTILINE)

    def kept_line(found: re.Match[str]) -> str:
        file = ROOT / "src" / "s2geom" / found[1] / f"{found[2]}.py"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        return found[0] if found[3] in {name for name, *_ in scopes(text)} else ""

    shown = line.sub(kept_line, page)

    assert len(line.findall(page)) > 50
    assert kept(path, shown) == shown


def test_the_place_of_a_line() -> None:
    """A method, a row of a table, a name with a value, and nothing of these."""
    source = (
        "import re\n"
        "ROWS = (\n"
        "    Row(\n"
        "        id='one',\n"
        "    ),\n"
        ")\n"
        "class Thing:\n"
        "    @property\n"
        "    def size(self):\n"
        "        return 1\n"
    )

    expected = ["module", "ROWS", "ROWS[one]", "ROWS[one]", "ROWS[one]", "ROWS"]
    expected += ["Thing", "Thing.size", "Thing.size", "Thing.size"]
    assert expected == [scope(source, line) for line in range(1, 11)]
