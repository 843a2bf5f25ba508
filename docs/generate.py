# SPDX-License-Identifier: MIT
"""The calculator's answers, worked out by the library when the site is built.

The page in the browser looks them up and draws them, and computes nothing: it cannot
say anything else than the library does. Most of the many questions share their answers,
and answers share their rows and pictures, so each is stored once and then referred to
by its number.
"""

import json
from collections.abc import Hashable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import s2geom as s2
from s2geom.compare.shape_facts import SHAPE_FACTS, geometry_facts, heading
from s2geom.core.units import size_text
from s2geom.cpu.cpu import ANY_CPU
from s2geom.kernel.limits import KCONFIG_VA_BITS, KERNEL_PA_BITS
from s2geom.kernel.question import question
from s2geom.show.ruler import draw_ruler

IPA_BITS = range(32, 53)

CPUS: dict[str, tuple[str, str, s2.Cpu | None]] = {
    "any": ("any", "None", None),
    **{
        str(bits): (f"{bits} bits", f"s2.Cpu({bits})", s2.Cpu(bits))
        for bits in (32, 36, 40, 42, 44, 48, 52)
    },
    "52-lpa2": ("52 bits, LPA2", "s2.Cpu(52, lpa2=True)", s2.Cpu(52, lpa2=True)),
}
"""The CPUs of the calculator, by the name in the page's address: what the page and what
Python calls it, and the value."""

START = {
    "page": "4K",
    "va": "48",
    "kernel_pa": "48",
    "ipa": "40",
    "kernel": s2.Scheme.LPA2.value,
    "cpu": "48",
}
"""The choice at the start: a kernel of today, as distributions build it."""

LIMIT_MEANINGS = {
    "whose limit": "who refuses: the architecture, this CPU or this kernel",
    "given": "what was asked for, in the limit's unit",
    "limit": "what would have been accepted, in the same unit",
    "what to change": "each of these alone lifts this limit",
    "rule": "the stable name of the limit, as in the reference",
    "source": "where the limit is written down",
}

WORD_MEANINGS = {
    "VTCR_EL2": "the word that programs stage 2, as this kernel writes it",
    "in this word": "what the word depends on beside the shape",
    "architecture": "whether Arm's rules allow the word",
    "premise": "what the answer has to assume",
}

FAKE_MEANING = "the table that software saw above the root and no CPU ever walked"

MEANINGS = {
    **{fact.label: fact.meaning for fact in SHAPE_FACTS if fact.label},
    "fake PGD": FAKE_MEANING,
    **WORD_MEANINGS,
    **LIMIT_MEANINGS,
}
"""What each row of an answer is, by the row's name."""

SHAPE_BITS = 0b11 << 32 | 0xC000 | 0xFF
"""The bits of VTCR_EL2 that say the shape: T0SZ, SL0, TG0, DS and SL2."""


class Store:
    """Values that are kept once and then known by their number."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        """Return the number of a value, a new one at its first use."""
        return self._numbers.setdefault(value, len(self._numbers))

    def values(self) -> list[Any]:
        """Return the values in the order of their numbers."""
        return list(self._numbers)


NameAndValue = tuple[str, str]


def calculator_data() -> dict[str, Any]:
    """Return every question of the calculator with its answer.

    The answers stand in the order of the axes, the last one running fastest.
    """
    sentences, rows, tables, answers = Store(), Store(), Store(), Store()
    pictures, ruler = Store(), cache(_ruler)

    def table(caption: str, lines: list[NameAndValue]) -> int:
        return tables.number((caption, tuple(map(rows.number, lines))))

    def answer(
        host: s2.Host, ipa_bits: int, scheme: s2.Scheme, cpu: s2.Cpu | None
    ) -> int:
        broken = host.check(ipa_bits, scheme=scheme, cpu=cpu)
        if broken:
            said = tuple(sentences.number(why.message) for why in broken)
            shown = tuple(
                table(_caption(at, len(broken)), _limit(why))
                for at, why in enumerate(broken, start=1)
            )
            return answers.number((False, said, shown, None))
        shape = host.stage2(ipa_bits, scheme=scheme, cpu=cpu)
        made = table("The tables", _tables(shape, host, scheme))
        kernel = {"pa_bits": host.pa_bits, "scheme": scheme, "cpu": cpu}
        asked = question(host.page_shift, ipa_bits, host.va_bits, **kernel)
        word = [*_register(shape, host, scheme, cpu)]
        word += [("premise", premise) for premise in asked.premises]
        told = table("What the CPU is told", word)
        said = (sentences.number(heading(shape)),)
        picture = pictures.number(ruler(shape))
        return answers.number((True, said, (made, told), picture))

    hosts = list(KCONFIG_VA_BITS)
    found = [
        answer(s2.Host(granule, va_bits, pa_bits), ipa_bits, scheme, cpu)
        for (granule, va_bits), pa_bits, ipa_bits, scheme, (*_, cpu) in product(
            hosts, KERNEL_PA_BITS, IPA_BITS, s2.Scheme, CPUS.values()
        )
    ]
    return {
        "hosts": [[str(granule), str(va_bits)] for granule, va_bits in hosts],
        "kernel_pa": [str(bits) for bits in KERNEL_PA_BITS],
        "ipa": [str(bits) for bits in IPA_BITS],
        "kernels": [
            [scheme.value, f"{scheme.releases} ({scheme.value})"]
            for scheme in s2.Scheme
        ],
        "cpus": [[name, label] for name, (label, *_) in CPUS.items()],
        "start": START,
        "meanings": MEANINGS,
        "python": {
            "page": {str(granule): f"s2.{granule!r}" for granule in s2.Granule},
            "kernel": {scheme.value: f"s2.{scheme}" for scheme in s2.Scheme},
            "cpu": {name: text for name, (_, text, _) in CPUS.items()},
        },
        "shape_bits": hex(SHAPE_BITS),
        "words": words(),
        "sentences": sentences.values(),
        "rows": rows.values(),
        "tables": tables.values(),
        "pictures": pictures.values(),
        "answers": answers.values(),
        "found": found,
    }


def _ruler(shape: s2.Geometry) -> str:
    """Return the ruler without its title, which is the page's verdict already."""
    return draw_ruler(shape).svg(titled=False)


def words() -> dict[str, list[str]]:
    """Return every shape that VTCR_EL2 can say and some CPU takes, by its bits.

    The keys are the words' bits under `SHAPE_BITS` as numbers; a value has page size,
    IPA bits and a sentence.
    """
    found = {}
    for granule, ipa_bits, lpa2 in product(s2.Granule, range(16, 57), (False, True)):
        for shape in ANY_CPU.choices(granule, ipa_bits, lpa2=lpa2):
            word = int(s2.VTCR_EL2.for_geometry(shape)) & SHAPE_BITS
            found[str(word)] = [str(granule), str(ipa_bits), heading(shape)]
    return found


def _caption(at: int, among: int) -> str:
    return "The reason" if among == 1 else f"Reason {at} of {among}"


def _limit(why: s2.Violation) -> list[NameAndValue]:
    return [
        ("whose limit", why.limited_by),
        ("given", str(why.given)),
        ("limit", str(why.limit)),
        ("what to change", why.fix),
        ("rule", why.rule),
        ("source", why.source),
    ]


def _tables(shape: s2.Geometry, host: s2.Host, scheme: s2.Scheme) -> list[NameAndValue]:
    found = [(name, str(value)) for name, value in geometry_facts(shape).items()]
    if scheme is s2.Scheme.FAKE_PGD:
        size = s2.fake_pgd(host.page_shift, shape.ipa_bits, host.va_bits).fake_pgd_size
        found.append(
            ("fake PGD", f"{size_text(size)} above the root" if size else "none")
        )
    return found


def _register(
    shape: s2.Geometry, host: s2.Host, scheme: s2.Scheme, cpu: s2.Cpu | None
) -> Iterator[NameAndValue]:
    """Yield the word a kernel writes, what it takes for granted, and a verdict."""
    ps = _ps(shape, host, scheme, cpu)
    ha = scheme is not s2.Scheme.FAKE_PGD
    try:
        word = s2.VTCR_EL2.for_geometry(shape, pa_bits=ps, ha=ha)
    except s2.UnsupportedCombination as refusal:
        yield "VTCR_EL2", "no word says this"
        yield "architecture", str(refusal)
        return
    yield "VTCR_EL2", f"{int(word):#x}"
    meant = f"PS = {ps} bits"
    if cpu is None:
        meant += ", as on a CPU with at least as much"
    yield "in this word", f"{meant}; HA {'set' if ha else 'clear'}, VS clear"
    broken = word.lint(cpu)
    legal = "legal on this CPU" if cpu else "legal on some CPU"
    yield "architecture", "; ".join(why.message for why in broken) or legal


def _ps(
    shape: s2.Geometry, host: s2.Host, scheme: s2.Scheme, cpu: s2.Cpu | None
) -> int:
    """Return what the kernel writes into VTCR_EL2.PS, as a size in bits.

    PARange, as far as the kernel's own physical addresses reach; before v4.16 nobody
    asked how far that was.
    """
    wide = shape.lpa2 or (shape.granule is s2.Granule.K64 and host.pa_bits == 52)
    reach = 52 if wide else 48
    if cpu is None:
        return reach
    return cpu.pa_bits if scheme is s2.Scheme.FAKE_PGD else min(cpu.pa_bits, reach)


def write(static: Path) -> None:
    """Write what the pages load into a folder of static files."""
    static.mkdir(parents=True, exist_ok=True)
    text = json.dumps(calculator_data(), separators=(",", ":"))
    (static / "calculator-data.js").write_text(
        f"window.S2GEOM_CALCULATOR={text};\n", encoding="utf-8"
    )
