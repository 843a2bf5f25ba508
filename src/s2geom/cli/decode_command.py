# SPDX-License-Identifier: MIT
"""`s2geom decode`: what a register's word means, and what is wrong with it."""

from argparse import Namespace
from collections.abc import Callable, Sequence

from attrs import frozen

from s2geom.cli.kernel_question import cpu_of
from s2geom.cli.options import register_word
from s2geom.cli.report import Report
from s2geom.compare.shape_facts import geometry_data, geometry_facts
from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violation
from s2geom.core.fields import Word
from s2geom.core.geometry import Geometry
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.id_registers import (
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
)
from s2geom.registers.nested_dump import parse_nested_name
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2


@frozen
class DecodedKind:
    """A kind of word that can be decoded.

    Args:
        words: How many words make it.
        read: The words' text to registers, in the order in which they are explained.
    """

    words: int
    read: Callable[[Sequence[str]], tuple[Word, ...]]


def _register(kind: type[Word]) -> DecodedKind:
    return DecodedKind(1, lambda texts: (kind.from_int(register_word(texts[0])),))


DECODED = {
    "vtcr": _register(VTCR_EL2),
    "vttbr": _register(VTTBR_EL2),
    "ste": DecodedKind(2, lambda texts: (STE.from_words(*map(register_word, texts)),)),
    "mmfr0": _register(ID_AA64MMFR0_EL1),
    "mmfr1": _register(ID_AA64MMFR1_EL1),
    "mmfr2": _register(ID_AA64MMFR2_EL1),
    "mmfr3": _register(ID_AA64MMFR3_EL1),
    "nested": DecodedKind(1, lambda texts: parse_nested_name(texts[0])),
}
"""What can be decoded, by the name on the command line."""


def decode(args: Namespace) -> Report:
    """Return what words mean, and what is wrong with them."""
    kind, cpu = DECODED[args.kind], cpu_of(args)
    if len(args.words) != kind.words:
        raise InvalidArgument(
            f"decode {args.kind} takes {kind.words} word(s), got {len(args.words)}"
        )
    if args.vtcr is not None and args.kind != "vttbr":
        raise InvalidArgument(f"--vtcr goes with a vttbr, and not with {args.kind}")
    words = kind.read(args.words)
    vtcr = next((word for word in words if isinstance(word, VTCR_EL2)), None)
    if args.vtcr is not None:
        vtcr = VTCR_EL2.from_int(args.vtcr)
    report = Report({"supported": True, "scheme": None, "words": []})
    found: dict[Violation, None] = {}  # a set that keeps the order
    for word in words:
        lines = word.explain()
        report.data["words"].append(
            {"register": type(word).__name__, "word": hex(word), "explain": list(lines)}
        )
        report.say(f"{type(word).__name__} = {int(word):#x}", *lines)
        found |= dict.fromkeys(_lint(word, vtcr, cpu))
    shape, refused = _shape(vtcr or words[0])
    found |= dict.fromkeys(refused)
    if shape is not None:
        report.data["geometry"] = geometry_data(shape)
        report.facts({"IPA bits": shape.ipa_bits, **geometry_facts(shape)})
        for word in words:
            if isinstance(word, VTTBR_EL2) and vtcr is not None:
                root = word.root(shape, pa_bits=vtcr.pa_bits)
                report.data["root"] = root
                report.say(f"root at {root:#x}")
    if found:
        report.refuse(tuple(found))
    elif args.kind == "vttbr" and vtcr is None:
        report.say("nothing is wrong with it alone; --vtcr WORD judges the base")
    else:
        report.say("nothing is wrong with it")
    return report


def _lint(word: Word, vtcr: VTCR_EL2 | None, cpu: Cpu | None) -> Sequence[Violation]:
    if isinstance(word, VTCR_EL2):
        return word.lint(cpu)
    if isinstance(word, VTTBR_EL2):
        if vtcr is None:
            return word.lint(cpu)
        try:
            shape = vtcr.geometry()
        except UnsupportedCombination:
            shape = None  # the reasons are told with VTCR_EL2
        return word.lint(
            cpu, geometry=shape, pa_bits=vtcr.pa_bits, vmid_bits=vtcr.vmid_bits
        )
    if isinstance(word, STE):
        if cpu is None:
            return word.lint()
        return word.lint(oas=cpu.pa_bits, ds=bool(cpu.lpa2))
    return ()


def _shape(word: Word) -> tuple[Geometry | None, Sequence[Violation]]:
    """Return the shape a word names, or why it names none."""
    if not isinstance(word, VTCR_EL2 | STE):
        return None, ()
    try:
        return word.geometry(), ()
    except UnsupportedCombination as refusal:
        return None, refusal.violations
