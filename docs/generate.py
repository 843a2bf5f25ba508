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
from s2geom.compare.shape_facts import geometry_facts, heading
from s2geom.core.units import size_text
from s2geom.kernel.limits import KCONFIG_VA_BITS, KERNEL_PA_BITS

IPA_BITS = range(32, 53)

CPUS: dict[str, tuple[str, s2.Cpu | None]] = {
    "any": ("any", None),
    **{
        str(bits): (f"{bits} bits", s2.Cpu(bits))
        for bits in (32, 36, 40, 42, 44, 48, 52)
    },
    "52-lpa2": ("52 bits, LPA2", s2.Cpu(52, lpa2=True)),
}
"""The CPUs of the calculator: what the address says, what the page says, the value."""

KERNEL_PA_MEANT = 48
"""CONFIG_ARM64_PA_BITS of most kernels, and the choice at the start."""


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
    pictures, ruler = Store(), cache(s2.bit_ruler)

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
        told = table("What the CPU is told", list(_register(shape, host, scheme, cpu)))
        said = (sentences.number(heading(shape)),)
        picture = pictures.number(ruler(shape))
        return answers.number((True, said, (made, told), picture))

    hosts = list(KCONFIG_VA_BITS)
    found = [
        answer(s2.Host(granule, va_bits, pa_bits), ipa_bits, scheme, cpu)
        for (granule, va_bits), pa_bits, ipa_bits, scheme, (_, cpu) in product(
            hosts, KERNEL_PA_BITS, IPA_BITS, s2.Scheme, CPUS.values()
        )
    ]
    return {
        "hosts": [[str(granule), str(va_bits)] for granule, va_bits in hosts],
        "kernel_pa": [str(bits) for bits in KERNEL_PA_BITS],
        "ipa": [str(bits) for bits in IPA_BITS],
        "kernels": [
            [scheme.value, f"{scheme.releases} ({scheme.value})", f"s2.{scheme!r}"]
            for scheme in s2.Scheme
        ],
        "cpus": [[name, label, _python(cpu)] for name, (label, cpu) in CPUS.items()],
        "start": {
            "page": "4K",
            "va": "48",
            "kernel_pa": str(KERNEL_PA_MEANT),
            "ipa": "40",
            "kernel": s2.Scheme.LPA2.value,
            "cpu": "any",
        },
        "sentences": sentences.values(),
        "rows": rows.values(),
        "tables": tables.values(),
        "pictures": pictures.values(),
        "answers": answers.values(),
        "found": found,
    }


def _python(cpu: s2.Cpu | None) -> str:
    """Return what makes a CPU of the calculator in Python."""
    if cpu is None:
        return "None"
    return f"s2.Cpu({cpu.pa_bits}{', lpa2=True' if cpu.lpa2 else ''})"


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
