# SPDX-License-Identifier: MIT
"""The calculator shows the library's answers, to everyone who comes by."""

import json
from base64 import b64decode
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree.ElementTree import canonicalize

import pytest

import s2geom as s2
from browser.chromium import Chromium

VA_BITS = {
    "4K": ("39", "48", "52"),
    "16K": ("36", "47", "48", "52"),
    "64K": ("42", "48", "52"),
}
IPA_BITS = tuple(map(str, range(32, 53)))
KERNEL_PA = ("48", "52")
KERNELS = {
    "fake-pgd": s2.Scheme.FAKE_PGD,
    "static": s2.Scheme.STATIC,
    "dynamic": s2.Scheme.DYNAMIC,
    "independent": s2.Scheme.INDEPENDENT,
    "lpa2": s2.Scheme.LPA2,
}
CPUS = {
    "any": None,
    "32": s2.Cpu(32),
    "36": s2.Cpu(36),
    "40": s2.Cpu(40),
    "42": s2.Cpu(42),
    "44": s2.Cpu(44),
    "48": s2.Cpu(48),
    "52": s2.Cpu(52),
    "52-lpa2": s2.Cpu(52, lpa2=True),
}

START = {
    "page": "4K",
    "va": "48",
    "kernel_pa": "48",
    "ipa": "40",
    "kernel": "lpa2",
    "cpu": "48",
}
"""A kernel of today."""

THE_PATCH = {
    "page": "16K",
    "va": "36",
    "kernel_pa": "48",
    "ipa": "40",
    "kernel": "static",
    "cpu": "any",
}

SOON = 150
"""Milliseconds after which the address names a choice."""

READ = """
function shown() {
  const text = (element) => element.textContent;
  const all = (at, what) => [...at.querySelectorAll(what)];
  const [verdict] = all(document, '.s2calc .verdict');
  const pictures = all(document, '.s2calc .picture svg');
  return {
    verdict: text(verdict.querySelector('strong')),
    said: all(verdict, 'p').map(text),
    tables: all(document, '.s2calc table').map((table) => [
      text(table.querySelector('caption')),
      ...all(table, 'tr').map((row) => [...row.children].map(
        (cell) => text(cell.querySelector('.value') ?? cell))),
    ]),
    picture: pictures.map((svg) => text(svg.querySelector('title'))),
  };
}
function choose(name, value) {
  const select = document.querySelector(`.s2calc select[name=${name}]`);
  select.value = value;
  if (select.value !== value) throw new Error(`${name} does not offer ${value}`);
  select.dispatchEvent(new Event('change', { bubbles: true }));
}
function offered(name) {
  const select = document.querySelector(`.s2calc select[name=${name}]`);
  return [...select.options].map((option) => option.value);
}
function chosen() {
  const selects = [...document.querySelectorAll('.s2calc select')];
  return Object.fromEntries(selects.map((select) => [select.name, select.value]));
}
function every_answer(page, va) {
  const numbers = new Map(), pictures = {}, found = [];
  choose('page', page);
  choose('va', va);
  for (const kernel_pa of offered('kernel_pa')) {
    choose('kernel_pa', kernel_pa);
    for (const ipa of offered('ipa')) {
      choose('ipa', ipa);
      for (const kernel of offered('kernel')) {
        choose('kernel', kernel);
        for (const cpu of offered('cpu')) {
          choose('cpu', cpu);
          const answer = shown();
          const [title] = answer.picture;
          if (title && !pictures[title]) {
            const svg = document.querySelector('.s2calc .picture svg');
            pictures[title] = new XMLSerializer().serializeToString(svg);
          }
          const text = JSON.stringify(answer);
          if (!numbers.has(text)) numbers.set(text, numbers.size);
          found.push([kernel_pa, ipa, kernel, cpu, numbers.get(text)]);
        }
      }
    }
  }
  return { found, pictures, answers: [...numbers.keys()] };
}
"""
"""What a reader sees and does, as functions of the page."""


def answer(browser: Chromium) -> dict[str, Any]:
    """Return what the page shows."""
    shown: dict[str, Any] = browser.run(f"{READ} shown()")
    return shown


def chosen(browser: Chromium) -> dict[str, str]:
    """Return what the page says is chosen."""
    choices: dict[str, str] = browser.run(f"{READ} chosen()")
    return choices


def fragment(browser: Chromium) -> dict[str, str]:
    """Return what the page's address names."""
    text: str = browser.run(
        f"new Promise((done) => setTimeout(() => done(location.hash), {SOON}))"
    )
    return dict(parse_qsl(text.removeprefix("#")))


def untitled(shape: s2.Geometry) -> str:
    """Return the ruler of a shape as a notebook shows it below its heading."""
    html = shape._repr_mimebundle_()["text/html"]
    return b64decode(html.partition(";base64,")[2].partition('"')[0]).decode()


# What the library says, in the words of the page


def expected(
    host: s2.Host, ipa_bits: int, scheme: s2.Scheme, cpu: s2.Cpu | None
) -> dict[str, Any]:
    """Return what the page has to show."""
    broken = host.check(ipa_bits, scheme=scheme, cpu=cpu)
    if broken:
        return {
            "verdict": "Not supported",
            "said": [why.message for why in broken],
            "tables": [
                [
                    "The reason"
                    if len(broken) == 1
                    else f"Reason {at + 1} of {len(broken)}",
                    ["whose limit", why.limited_by],
                    ["given", f"{why.given}"],
                    ["limit", f"{why.limit}"],
                    ["what to change", why.fix],
                    ["rule", why.rule],
                    ["source", why.source],
                ]
                for at, why in enumerate(broken)
            ],
            "picture": [],
        }
    g = host.stage2(ipa_bits, scheme=scheme, cpu=cpu)
    tables = f"{g.concatenation}" + " (concatenated)" * (g.concatenation > 1)
    pages = f"{g.pgd_pages} page" + "s" * (g.pgd_pages > 1)
    told = [
        ["levels", f"{g.levels}"],
        ["start level", f"{g.start_level}"],
        ["root tables", tables],
        ["PGD entries", f"{g.pgd_entries}"],
        ["PGD size", f"{size(g.pgd_size)} ({pages})"],
        ["PGD alignment", size(g.pgd_alignment)],
        ["entry maps", f"{size(g.pgdir_size)} (shift {g.pgdir_shift})"],
        ["cache pages", f"{g.levels - 1}"],
        ["T0SZ", f"{64 - ipa_bits}"],
        ["paging form", ",".join(map(str, g.paging_form))],
        ["LPA2", "yes" if g.lpa2 else "no"],
    ]
    if scheme is s2.Scheme.FAKE_PGD:
        fake = s2.fake_pgd(host.page_shift, ipa_bits, host.va_bits).fake_pgd_size
        told.append(["fake PGD", f"{fake} B above the root" if fake else "none"])
    levels = f"levels {g.start_level} to 3" if g.levels > 1 else "one level"
    root = f"{g.concatenation} table" + "s" * (g.concatenation > 1)
    lpa2 = ", LPA2" if g.lpa2 else ""
    summary = (
        f"{g.granule} pages, {ipa_bits}-bit IPA{lpa2}: {levels}, root of {root}, "
        f"{size(g.pgd_size)}"
    )
    return {
        "verdict": "Supported",
        "said": [summary],
        "tables": [
            ["The tables", *told],
            [
                "What the CPU is told",
                *register(g, host, scheme, cpu),
                *premises(host, scheme, cpu),
            ],
        ],
        "picture": [summary],
    }


def size(number: int) -> str:
    """Return bytes in the largest unit that divides them."""
    for shift, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number % (1 << shift) == 0:
            return f"{number >> shift} {unit}"
    return f"{number} B"


PS = {32: 0, 36: 1, 40: 2, 42: 3, 44: 4, 48: 5, 52: 6}

WITHOUT_PS = {
    ("4K", 32): 0x80203520,
    ("4K", 40): 0x80203558,
    ("4K", 44): 0x80203594,
    ("4K", 48): 0x80203590,
    ("16K", 32): 0x8020B560,
    ("16K", 40): 0x8020B558,
    ("16K", 42): 0x8020B596,
    ("16K", 48): 0x8020B590,
    ("64K", 32): 0x80207560,
    ("64K", 40): 0x80207558,
    ("64K", 46): 0x80207552,
    ("64K", 48): 0x80207590,
    ("64K", 52): 0x8020758C,
}
"""VTCR_EL2 as compiled kernels since v5.0 compute it, PS and DS left out, HA set."""


def register(
    g: s2.Geometry, host: s2.Host, scheme: s2.Scheme, cpu: s2.Cpu | None
) -> Iterator[list[str]]:
    """Yield the rows about VTCR_EL2."""
    reach = 52 if g.lpa2 or (host.page_shift, host.pa_bits) == (16, 52) else 48
    old = scheme is s2.Scheme.FAKE_PGD  # copied PARange as it was, and knew no HA
    ps = reach if cpu is None else cpu.pa_bits if old else min(reach, cpu.pa_bits)
    try:
        word = s2.VTCR_EL2.for_geometry(g, pa_bits=ps, ha=not old)
    except s2.UnsupportedCombination as refusal:
        yield ["VTCR_EL2", "no word says this"]
        yield ["architecture", str(refusal)]
        return
    yield ["VTCR_EL2", hex(word)]
    meant = f"PS = {ps} bits"
    if cpu is None:
        meant += ", as on a CPU with at least as much"
    yield ["in this word", f"{meant}; HA {'clear' if old else 'set'}, VS clear"]
    said = "; ".join(why.message for why in word.lint(cpu))
    yield ["architecture", said or f"legal on {'some' if cpu is None else 'this'} CPU"]


def premises(
    host: s2.Host, scheme: s2.Scheme, cpu: s2.Cpu | None
) -> Iterator[list[str]]:
    """Yield what the answer assumes: the plainest CPU, where none is chosen."""
    if cpu is None:
        text = "no CPU was named: its PARange and page sizes are taken to suffice"
        if scheme is s2.Scheme.LPA2 and host.granule is not s2.Granule.K64:
            text += ", and LPA2 to be used above 48 bits alone"
        yield ["premise", text]


# Every answer


@pytest.mark.parametrize(
    ("granule", "va_bits"),
    [(granule, va) for granule, offered in VA_BITS.items() for va in offered],
)
def test_every_combination_shows_the_answer_of_the_library(
    browser: Chromium, granule: str, va_bits: str
) -> None:
    """Choose all there is to choose, and compare what then stands on the page."""
    shown = browser.run(f"{READ} every_answer('{granule}', '{va_bits}')")
    answers = [json.loads(text) for text in shown["answers"]]
    drawn = {}
    asked = []
    for kernel_pa, ipa, kernel, cpu, number in shown["found"]:
        host = s2.Host(s2.Granule.parse(granule), int(va_bits), int(kernel_pa))
        question = host, int(ipa), KERNELS[kernel], CPUS[cpu]
        asked.append((kernel_pa, ipa, kernel, cpu))

        assert expected(*question) == answers[number], asked[-1]
        if answers[number]["picture"]:
            [title] = answers[number]["picture"]
            drawn[title] = host.stage2(int(ipa), scheme=KERNELS[kernel], cpu=CPUS[cpu])

    assert list(product(KERNEL_PA, IPA_BITS, KERNELS, CPUS)) == asked
    assert drawn.keys() == shown["pictures"].keys()
    for title, shape in drawn.items():
        picture = shown["pictures"][title]

        assert canonicalize(untitled(shape)) == canonicalize(picture)


def test_all_page_sizes_and_their_va_widths_are_on_offer(browser: Chromium) -> None:
    """What Kconfig has ever offered can be chosen, and nothing else."""
    offers = browser.run(
        f"{READ} offered('page').map((page) => "
        "(choose('page', page), [page, offered('va')]))"
    )

    assert [[page, [*widths]] for page, widths in VA_BITS.items()] == offers


@pytest.mark.parametrize(("granule", "ipa"), WITHOUT_PS)
def test_the_register_word_is_the_one_that_kernels_write(
    browser: Chromium, granule: str, ipa: int
) -> None:
    """The words of compiled kernels, with PS as each CPU has it, or as far as known."""
    choices = {"page": granule, "va": "48", "ipa": ipa, "kernel": "independent"}
    ranges = {"48": 48, "52": 52, "any": 52} if ipa <= 48 else {"52": 52, "any": 52}
    for kernel_pa, (cpu, reach) in product((48, 52), ranges.items()):
        known = 52 if granule == "64K" and kernel_pa == 52 else 48
        go(browser, **choices, cpu=cpu, kernel_pa=kernel_pa)
        _, told = answer(browser)["tables"]
        word = WITHOUT_PS[granule, ipa] | PS[min(reach, known)] << 16

        assert ["VTCR_EL2", hex(word)] == told[1]


def test_what_is_in_the_page_is_on_the_screen(browser: Chromium) -> None:
    """Nothing that the other tests read is hidden from readers."""
    for choices in (THE_PATCH, THE_PATCH | {"ipa": "41", "cpu": "40"}):
        go(browser, **choices)
        hidden = browser.run(
            "[...document.querySelectorAll('.s2calc :is(p, strong, td, th, svg, select,"
            " label, caption)')].filter((element) => !element.checkVisibility({"
            "opacityProperty: true, visibilityProperty: true}) || "
            "!element.getBoundingClientRect().width).length"
        )

        assert 0 == hidden


# Links


def go(browser: Chromium, **choices: object) -> None:
    """Follow a link to some choices."""
    follow(browser, urlencode(choices))


def follow(browser: Chromium, link: str) -> None:
    """Follow a link to the page."""
    browser.run(
        "new Promise((done) => { addEventListener('hashchange', done, {once: true});"
        f"setTimeout(done, 50); location.hash = {json.dumps(link)}; }}).then(() => 0)"
    )


def test_the_page_starts_with_a_kernel_of_today(browser: Chromium) -> None:
    """Without a fragment it shows a choice, and leaves the address alone."""
    assert START == chosen(browser)
    assert {} == fragment(browser)
    assert "Supported" == answer(browser)["verdict"]


def test_a_choice_is_in_the_address_and_the_address_is_a_choice(
    browser: Chromium, page: str
) -> None:
    """What one reader chooses, another one sees under the same address."""
    browser.run(
        f"{READ} choose('page', '64K'); choose('va', '52'); choose('ipa', '46')"
    )
    browser.run(f"{READ} choose('kernel', 'lpa2'); choose('cpu', '44')")
    named, seen = fragment(browser), answer(browser)
    wanted = {
        "page": "64K",
        "va": "52",
        "kernel_pa": "48",
        "ipa": "46",
        "kernel": "lpa2",
        "cpu": "44",
    }
    address = browser.run("location.href")
    browser.open(address)

    assert wanted == named == chosen(browser)
    assert seen == answer(browser)
    assert address.startswith(f"{page}#")
    assert ["ipa-above-parange"] == [
        row[1] for table in seen["tables"] for row in table[1:] if row[0] == "rule"
    ]


def test_choosing_leaves_no_trail_for_the_back_button(browser: Chromium) -> None:
    """A reader who tried ten widths goes back once."""
    before = browser.run("history.length")
    browser.run(f"{READ} for (const ipa of offered('ipa')) choose('ipa', ipa)")

    assert before == browser.run("history.length")


@pytest.mark.parametrize(
    ("link", "differs"),
    [
        ("page=8K", {}),
        ("va=47&page=4K", {}),
        ("page=64K&va=36", {"page": "64K", "va": "42"}),
        ("ipa=31", {"ipa": "32"}),
        ("ipa=64", {"ipa": "52"}),
        ("ipa=0x28", {}),
        ("ipa=", {}),
        ("ipa=4e1", {}),
        ("ipa=40.0&cpu=-1", {}),
        ("cpu=lots&kernel=6.1&kernel_pa=50", {}),
        ("kernel=LPA2", {}),
        ("ipa=41&ipa=42", {"ipa": "42"}),
        ("__proto__=1&constructor=2&toString=3", {}),
        ("ipa=%", {}),
        ("page=<img src=x onerror=alert(1)>", {}),
        ("calculator", {}),
        ("&&==&", {}),
    ],
)
def test_a_bad_link_shows_a_good_choice(
    browser: Chromium, page: str, link: str, differs: dict[str, str]
) -> None:
    """What is not on offer becomes what is, in the page and in its address."""
    choices = START | differs
    granule, va_bits = s2.Granule.parse(choices["page"]), int(choices["va"])
    host = s2.Host(granule, va_bits, int(choices["kernel_pa"]))
    right = expected(host, int(choices["ipa"]), s2.Scheme.LPA2, s2.Cpu(48))
    for arrival in ("followed", "opened"):
        if arrival == "followed":
            follow(browser, link)
        else:
            browser.open(f"{page}#{link}")

        assert choices == chosen(browser) == fragment(browser), arrival
        assert right == answer(browser), arrival


def test_another_page_size_keeps_what_it_can(browser: Chromium) -> None:
    """A VA width that is not on offer becomes the nearest, and all else stays."""
    browser.run(
        f"{READ} choose('ipa', '44'); choose('page', '16K'); choose('va', '47');"
        "choose('page', '4K')"
    )

    assert START | {"ipa": "44"} == chosen(browser)


# What is explained, copied and pasted


def test_every_row_is_explained(browser: Chromium) -> None:
    """What a number is stands beside it, for shapes and for refusals."""
    for choices in (START, START | {"ipa": "49"}, THE_PATCH | {"kernel": "fake-pgd"}):
        go(browser, **choices)
        meanings = browser.run(
            "[...document.querySelectorAll('.s2calc .meaning')]"
            ".map((cell) => cell.textContent)"
        )
        rows = browser.run("document.querySelectorAll('.s2calc tr').length")

        assert rows == len(meanings) > 0
        assert all(len(meaning) > 15 for meaning in meanings)


def copied(browser: Chromium, button: str) -> str:
    """Press a button, and return what it copies."""
    text: str = browser.run(
        "(() => { let text = ''; const copy = (event) => {"
        "text = document.activeElement.value; };"
        "document.addEventListener('copy', copy, { once: true });"
        "[...document.querySelectorAll('.s2calc .copying button')]"
        f".find((button) => button.textContent === {json.dumps(button)}).click();"
        "return text; })()"
    )
    return text


def test_an_answer_is_copied_as_text(browser: Chromium) -> None:
    """The choices, the verdict and every row."""
    text = copied(browser, "Copy as text")

    assert text.startswith("Page size: 4K\nGuest IPA: 40 bits\nHost VA: 48 bits\n")
    assert "\nSupported\n4K pages, 40-bit IPA: levels 1 to 3" in text
    assert "\n  PGD size: 8 KiB (2 pages)\n" in text
    assert "\n  VTCR_EL2: 0x80253558\n" in text


@pytest.mark.parametrize(
    "choices", [START, THE_PATCH, THE_PATCH | {"ipa": "41", "cpu": "52-lpa2"}]
)
def test_an_answer_is_copied_as_python_that_gives_it(
    browser: Chromium, choices: dict[str, str]
) -> None:
    """What is copied, run, is the shape or the limits of the page."""
    go(browser, **choices)
    *setup, question = copied(browser, "Copy as Python").strip().split("\n")
    names: dict[str, Any] = {}
    exec("\n".join(setup), names)  # noqa: S102 - the page's own text
    result = eval(question, names)  # noqa: S307
    shown = answer(browser)

    if isinstance(result, s2.Geometry):
        assert "Supported" == shown["verdict"]
        assert [f"{result.ipa_bits}"] == [
            bits.partition("-bit IPA")[0].split()[-1] for bits in shown["said"]
        ]
    else:
        assert [why.message for why in result] == shown["said"]


def paste(browser: Chromium, word: str) -> str:
    """Paste a word, show its shape, and return what is said of it."""
    said: str = browser.run(
        "(() => { const word = document.querySelector('#s2calc-word');"
        f"word.value = {json.dumps(word)}; word.form.requestSubmit();"
        "return document.querySelector('#s2calc-said').textContent; })()"
    )
    return said


def test_a_pasted_word_shows_its_shape(browser: Chromium) -> None:
    """Page size and width come from the word; the kernel and the CPU stay."""
    said = paste(browser, "0x8002_b558")

    assert said == (
        "The word says: 16K pages, 40-bit IPA: levels 2 to 3, root of 16 tables, "
        "256 KiB."
    )
    assert START | {"page": "16K", "va": "48"} == chosen(browser) == fragment(browser)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("0x80023598", "The kernel chosen here takes another shape for this width."),
        ("0x180023590", "The kernel chosen here takes another shape for this width."),
        ("0x18002358c", "The kernel chosen here refuses it."),
        ("0x80023527", "KVM has no such width."),
        ("0x8000f558", "s2geom decode vtcr 0x8000f558"),
        ("lots", "A word is written like 0x80023558."),
        ("", "A word is written like 0x80023558."),
        ("0x<b>", "A word is written like 0x80023558."),
    ],
)
def test_what_is_said_of_a_word(browser: Chromium, word: str, says: str) -> None:
    """Another shape than KVM's, one it refuses, none at all, and no word."""
    assert says in paste(browser, word)


def test_every_legal_word_is_known(browser: Chromium) -> None:
    """Whatever the library writes for a shape that a CPU takes, the page reads back."""
    cpu = s2.Cpu(52, lpa2=True, ttst=True)
    for granule, ipa_bits in product(s2.Granule, (25, 32, 40, 48, 52)):
        for shape in cpu.choices(granule, ipa_bits):
            said = paste(browser, f"{int(s2.VTCR_EL2.for_geometry(shape)):#x}")

            says = f"The word says: {granule} pages, {ipa_bits}-bit IPA"

            assert said.startswith(says)


# Readers


TAB, UP = 9, 38


def test_it_can_be_used_by_keyboard_alone(browser: Chromium) -> None:
    """Tab leads through the choices in their order, and an arrow chooses."""
    visited = []
    for _ in range(100):
        browser.press("Tab", TAB)
        visited.append(browser.run("document.activeElement.id"))
        if visited[-1] == "s2calc-page":
            break
    for _ in range(5):
        browser.press("Tab", TAB)
        visited.append(browser.run("document.activeElement.id"))
    outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
    browser.press("ArrowUp", UP)
    browser.press("Tab", TAB)
    reached = [browser.run("document.activeElement.id")]
    for _ in range(4):
        browser.press("Tab", TAB)
        focused = "(at => at.className || at.textContent)(document.activeElement)"
        reached.append(browser.run(focused))

    assert ["page", "ipa", "va", "kernel_pa", "cpu", "kernel"] == [
        name.removeprefix("s2calc-") for name in visited[-6:]
    ]
    assert "solid" == outline
    assert START | {"kernel": "independent"} == chosen(browser) == fragment(browser)
    # A picture can be wider than the page, and scrolls by arrows.
    copies = ["Copy as text", "Copy as Python", "picture"]
    assert ["s2calc-word", "Show its shape", *copies] == reached


def test_it_has_names_for_who_cannot_see_it(browser: Chromium) -> None:
    """Choices, picture and tables have names, and the verdict speaks for itself."""
    go(browser, **THE_PATCH)
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    names = {
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if "name" in node
    }
    bits = "16K pages, 40-bit IPA: levels 2 to 3, root of 16 tables, 256 KiB"

    assert {
        ("form", "Configuration"),
        ("combobox", "Page size"),
        ("combobox", "Guest IPA"),
        ("combobox", "Host VA"),
        ("combobox", "Kernel's PA_BITS"),
        ("combobox", "CPU's PARange"),
        ("combobox", "Kernel"),
        ("table", "The tables"),
        ("table", "What the CPU is told"),
    } <= names
    spoken = f"{bits} Bits 39:36: table, which of 16 tables"
    assert any(name.startswith(spoken) for role, name in names if role == "image")
    statuses = [node for node in tree if node["role"]["value"] == "status"]
    polite = {"name": "live", "value": {"type": "token", "value": "polite"}}
    assert 2 == len(statuses)
    assert all(polite in node["properties"] for node in statuses)


def test_the_verdict_is_the_same_element_before_and_after(browser: Chromium) -> None:
    """A screen reader follows what changes inside an element that stays."""
    kept = browser.run(
        f"{READ} const before = document.querySelector('.verdict');"
        "choose('ipa', '52'); before === document.querySelector('.verdict')"
    )

    assert kept
    assert "Not supported" == answer(browser)["verdict"]


CONTRAST = """
(() => {
  const canvas = document.createElement('canvas');
  const paint = canvas.getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgb(colour)[3] === 255) return colour;
    }
    return 'white';
  };
  const contrasts = [];
  for (const element of document.querySelectorAll('.s2calc *')) {
    if (element.closest('svg, option')) continue;
    const own = [...element.childNodes].some((node) => node.nodeType === 3);
    if (!own && element.tagName !== 'SELECT') continue;
    const pair = [light(getComputedStyle(element).color), light(ground(element))];
    contrasts.push((Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05));
  }
  return [Math.min(...contrasts), contrasts.length, light(ground(document.body))];
})()
"""
"""The least contrast of text with its ground, how many there are, and the page."""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("choices", [{}, {"ipa": 41, "cpu": 40, "kernel": "static"}])
def test_it_can_be_read_in_light_and_dark(
    browser: Chromium, choices: dict[str, object], *, dark: bool
) -> None:
    """All text stands out from its ground as WCAG 2 asks (AA, 4.5 to 1)."""
    browser.look(width=1280, height=900, dark=dark)
    go(browser, **choices)
    least, texts, ground = browser.run(CONTRAST)

    assert texts > 30
    assert least >= 4.5
    assert dark == (ground < 0.1)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_scrolls_sideways(browser: Chromium, width: int) -> None:
    """On a narrow screen the picture shrinks with the page."""
    browser.look(width=width, height=800, dark=False)
    for choices in (
        {"page": "4K", "ipa": 52, "kernel": "lpa2"},
        {"ipa": 41, "cpu": 40},
        {"page": "16K", "ipa": 52, "kernel": "dynamic", "kernel_pa": 52, "va": 52},
    ):
        go(browser, **choices)

        assert width == browser.run("document.documentElement.scrollWidth")


def test_without_its_answers_it_says_so(browser: Chromium, page: str) -> None:
    """A page that was copied without its data is not just empty."""
    blank = "Object.defineProperty(window, 'S2GEOM_CALCULATOR', {set() {}})"
    added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=blank)
    browser.open(page)
    text = browser.run("document.getElementById('s2geom-calculator').textContent")
    browser.call("Page.removeScriptToEvaluateOnNewDocument", **added)

    assert "The calculator's answers are missing: _static/calculator-data.js" == text
