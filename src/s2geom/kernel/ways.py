# SPDX-License-Identifier: MIT
"""Changes of a question that may lead out of a limit, and how a fix writes them.

`candidates` proposes values of one argument, the least change first. `question` asks
each before it is proposed to anybody. `written` makes the sentence of a fix from those
that work.
"""

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from s2geom.core.errors import Ways
from s2geom.core.granule import Granule
from s2geom.core.rules import ways_out
from s2geom.core.wording import bits
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import PARANGE, a_page_size
from s2geom.kernel.changes import CHANGES
from s2geom.kernel.limits import KCONFIG_VA_BITS, WIDTHS, KvmCase


def candidates(case: KvmCase, what: str) -> Iterator[Any]:
    """Yield values that an argument of a question may be changed to.

    Args:
        case: The question.
        what: The argument: one of the names in `Violation.ways`.
    """
    if what == "ipa_bits":
        yield from sorted(WIDTHS, key=lambda width: abs(width - case.ipa_bits))
    elif what == "va_bits":
        for (granule, va_bits), since in KCONFIG_VA_BITS.items():
            if granule is case.granule and since <= case.kernel.version[:2]:
                yield va_bits
    elif what == "page_shift":
        yield from map(int, Granule)
    elif what == "release":
        for change in CHANGES:
            if not change.is_in(case.kernel.version):
                yield change.number
    elif case.cpu is not None:
        yield from _cpus(case.cpu, case.granule)


def _cpus(cpu: Cpu, granule: Granule) -> Iterator[Cpu]:
    """Yield CPUs that differ in one feature: PARange, the page size or its LPA2."""
    for pa_bits in PARANGE:
        if pa_bits > cpu.pa_bits:
            yield evolve(cpu, pa_bits=pa_bits, lpa=cpu.lpa or pa_bits > 48)
    if granule not in cpu.granules:
        yield evolve(cpu, granules=cpu.granules | {granule})
    if granule is not Granule.K64:
        both = cpu.lpa2_both_stages
        yield evolve(cpu, lpa2=cpu.lpa2 | {granule}, lpa2_both_stages=both | {granule})
        yield evolve(cpu, lpa2=cpu.lpa2 - {granule}, lpa2_both_stages=both - {granule})


def written(case: KvmCase, ways: Ways) -> str:
    """Return the sentence of a fix."""
    words = []
    for what, value in ways:
        if what == "page_shift":
            sizes = [granule for granule in Granule if (what, granule) in ways]
            text = f"{a_page_size(sizes)} pages"
        else:
            text = _WORDS[what](case, value)
        if text not in words:
            words.append(text)
    return "use " + (ways_out(*words) or "another host, kernel or CPU")


def _width(case: KvmCase, value: int) -> str:
    if case.kernel.has_one_width:
        return f"an IPA of {bits(value)}"
    side = "at most" if value < case.ipa_bits else "at least"
    return f"an IPA of {side} {bits(value)}"


def _release(case: KvmCase, value: str) -> str:
    needs_lpa2 = case.cpu is None and case.needs_lpa2
    return f"Linux v{value} or later" + (" on a CPU with LPA2" if needs_lpa2 else "")


def _cpu(case: KvmCase, value: Cpu) -> str:
    cpu = case.known_cpu
    if value.pa_bits > cpu.pa_bits:
        return "a CPU with a larger PARange"
    if value.granules != cpu.granules:
        return f"a CPU with {case.granule} pages at stage 2"
    if case.granule in cpu.lpa2_both_stages:
        return "a CPU without LPA2"
    both = " at both stages" if case.granule in cpu.lpa2 else ""
    return f"a CPU with LPA2{both}"


_WORDS: dict[str, Any] = {
    "ipa_bits": _width,
    "va_bits": lambda _, value: f"a host kernel with a {value}-bit VA",
    "release": _release,
    "cpu": _cpu,
}
