# SPDX-License-Identifier: MIT
"""`s2geom decode`: what a register's word means, and what is wrong with it.

A kind of word is a row of `DECODED`, and its name is in `commands.WORD_KINDS`. What
else tells about it (a companion word, the features of a CPU or an SMMU) is an option
that the row takes, and is judged too.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import frozen

from s2geom.cli.kernel_question import cpu_asked, missing_features, tell_shape
from s2geom.cli.options import is_given, parse_word
from s2geom.cli.report import Report, picked
from s2geom.core.errors import InvalidArgument, UnsupportedCombination, Violation
from s2geom.core.fields import Word
from s2geom.core.geometry import Geometry
from s2geom.cpu.id_registers import (
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64MMFR3_EL1,
)
from s2geom.registers.esr import ESR_EL2
from s2geom.registers.nested_dump import NestedDump, parse_nested_name
from s2geom.registers.ste import STE
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2

OF_A_CPU = frozenset({"pa", "lpa2", "ttst", "aarch32"})
OF_AN_SMMU = frozenset({"pa", "lpa2", "stt", "aarch32", "vmid16", "granules"})
OF_A_FAULT = frozenset({"hpfar", "far"})
WITH_VTCR = frozenset({"vtcr"})
EVERY_OPTION = OF_A_CPU | OF_AN_SMMU | OF_A_FAULT | WITH_VTCR


@frozen
class DecodedKind:
    """A kind of word that can be decoded.

    Args:
        words: How many words make it.
        read: The words' text to registers, in the order in which they are explained.
        takes: Options that have an effect on it.
        premises: What is taken for granted about a CPU or an SMMU.
    """

    words: int
    read: Callable[[Sequence[str]], tuple[Word, ...]]
    takes: frozenset[str] = frozenset()
    premises: Callable[[Namespace], list[str]] = lambda _: []


def _one(kind: type[Word], texts: Sequence[str]) -> tuple[Word, ...]:
    return (kind.from_int(parse_word(texts[0])),)


def _ste(texts: Sequence[str]) -> tuple[Word, ...]:
    return (STE.from_words(*map(parse_word, texts)),)


def _nested(texts: Sequence[str]) -> tuple[Word, ...]:
    return parse_nested_name(texts[0])


def _of_the_cpu(args: Namespace) -> list[str]:
    if args.pa is None:
        if args.lpa2:
            raise InvalidArgument("--lpa2 has no effect without --pa: it is of a CPU")
        return ["no CPU was named (--pa), so only what no CPU takes is found wrong"]
    return missing_features("CPU", {"LPA2": args.lpa2, "FEAT_TTST": args.ttst})


def _of_the_smmu(args: Namespace) -> list[str]:
    features = {
        "52-bit addresses of 4K and 16K pages (--lpa2)": args.lpa2,
        "small translation tables (--stt)": args.stt,
        "AArch32 tables (--aarch32)": args.aarch32,
        "16-bit VMIDs (--vmid16)": args.vmid16,
    }
    unknown = ["the SMMU's output size is not given (--pa)"] if args.pa is None else []
    return missing_features("SMMU", features) + unknown


DECODED = {
    "vtcr": DecodedKind(1, partial(_one, VTCR_EL2), OF_A_CPU, _of_the_cpu),
    "vttbr": DecodedKind(
        1, partial(_one, VTTBR_EL2), OF_A_CPU | WITH_VTCR, _of_the_cpu
    ),
    "ste": DecodedKind(2, _ste, OF_AN_SMMU | WITH_VTCR, _of_the_smmu),
    "esr": DecodedKind(1, partial(_one, ESR_EL2), OF_A_FAULT | WITH_VTCR),
    "mmfr0": DecodedKind(1, partial(_one, ID_AA64MMFR0_EL1)),
    "mmfr1": DecodedKind(1, partial(_one, ID_AA64MMFR1_EL1)),
    "mmfr2": DecodedKind(1, partial(_one, ID_AA64MMFR2_EL1)),
    "mmfr3": DecodedKind(1, partial(_one, ID_AA64MMFR3_EL1)),
    "nested": DecodedKind(1, _nested, OF_A_CPU, _of_the_cpu),
}
"""What can be decoded, by the name on the command line."""


AWord = TypeVar("AWord", bound=Word)


@frozen
class Companions:
    """What a word is judged beside: the options, the VTCR_EL2 and its shape."""

    args: Namespace
    vtcr: VTCR_EL2 | None
    shape: Geometry | None


def _lint_ste(word: STE, beside: Companions) -> Sequence[Violation]:
    args = beside.args
    sizes = {"oas": args.pa, "granules": args.granules}
    return word.lint(
        **{name: value for name, value in sizes.items() if value is not None},
        ds=args.lpa2,
        stt=args.stt,
        aarch32=args.aarch32,
        vmid_bits=16 if args.vmid16 else 8,
        vtcr=beside.vtcr,
    )


def _lint_nothing(_: Word, __: Companions) -> Sequence[Violation]:
    return ()


LINTS: dict[type[Word], Callable[[Any, Companions], Sequence[Violation]]] = {
    ESR_EL2: lambda word, beside: word.lint(
        geometry=beside.shape, hpfar=beside.args.hpfar
    ),
    STE: _lint_ste,
    VTTBR_EL2: lambda word, beside: word.lint(cpu_asked(beside.args), vtcr=beside.vtcr),
    VTCR_EL2: lambda word, beside: word.lint(cpu_asked(beside.args)),
}
"""What finds a word wrong; nothing is wrong with an ID register."""


def decode(args: Namespace) -> Report:
    """Return what words mean, and what is wrong with them."""
    kind = DECODED[args.kind]
    _refuse_useless_options(args, kind)
    report = Report({"supported": True, "scheme": None, "words": []})
    words = _explained(report, args, kind)
    shape, refused = _shape(words)
    beside = Companions(args, _first(VTCR_EL2, words), shape)
    broken: dict[Violation, None] = {}  # a set that keeps the order
    for word in words:
        lint = LINTS.get(type(word), _lint_nothing)
        broken |= dict.fromkeys(lint(word, beside))
    broken |= dict.fromkeys(refused)
    if shape is not None:
        tell_shape(report, shape, **{"IPA bits": shape.ipa_bits})
    report.premises += kind.premises(args)
    _say_root(report, words, beside)
    _say_guest_fault(report, words[0], beside)
    report.refuse(tuple(broken))
    if not broken:
        report.say(*_verdict(args))
    return report


def _first(kind: type[AWord], words: Sequence[Word]) -> AWord | None:
    return next((word for word in words if isinstance(word, kind)), None)


def _verdict(args: Namespace) -> tuple[str, ...]:
    if args.kind == "esr":  # it has told of a fault
        return ()
    if args.kind == "vttbr" and args.vtcr is None:
        return ("nothing is wrong with it alone; --vtcr WORD judges the base",)
    return ("nothing is wrong with it",)


def _explained(report: Report, args: Namespace, kind: DecodedKind) -> list[Word]:
    """Explain the words, and return what is judged: they and their companion."""
    texts = args.words
    if args.kind == "nested":  # the first line of a dump has blanks
        texts = [" ".join(texts)]
    if len(texts) != kind.words:
        raise InvalidArgument(
            f"decode {args.kind} takes {kind.words} word(s), got {len(texts)}"
        )
    words = list(kind.read(texts))
    for word in words:
        name, lines = type(word).__name__, word.explain()
        report.data["words"].append(
            {"register": name, "word": hex(word), "explain": list(lines)}
        )
        report.say(f"{name} = {int(word):#x}", *lines)
    if args.kind == "nested":
        dump = NestedDump.parse(texts[0])
        report.data["stage2_enabled"] = dump.stage2_enabled
        report.say(dump.explain())
    if args.vtcr is not None:
        words.append(VTCR_EL2.from_int(args.vtcr))
    return words


def _refuse_useless_options(args: Namespace, kind: DecodedKind) -> None:
    for name in sorted(EVERY_OPTION - kind.takes):
        if is_given(args, name):
            raise InvalidArgument(f"--{name} has no effect on decode {args.kind}")


def _shape(words: Sequence[Word]) -> tuple[Geometry | None, Sequence[Violation]]:
    """Return the shape that the first word with one names, or why it names none."""
    for word in words:
        if isinstance(word, VTCR_EL2 | STE):
            try:
                return word.geometry(), ()
            except UnsupportedCombination as refusal:
                return None, refusal.violations
    return None, ()


def _say_root(report: Report, words: Sequence[Word], beside: Companions) -> None:
    vttbr = _first(VTTBR_EL2, words)
    if not (vttbr is None or beside.vtcr is None or beside.shape is None):
        root = vttbr.root(beside.shape, pa_bits=beside.vtcr.pa_bits)
        report.data["root"] = root
        report.say(f"root at {root:#x}")


def _say_guest_fault(report: Report, word: Word, beside: Companions) -> None:
    """Add the fault of a guest and its address; `lint` refuses any other word."""
    if not isinstance(word, ESR_EL2) or word.lint():
        return
    fault = word.stage2_fault(hpfar=beside.args.hpfar, far=beside.args.far)
    lines, shape = list(fault.explain()), beside.shape
    if shape is not None and fault.ipa is not None and fault.ipa >> shape.ipa_bits:
        lines.append(f"It is outside the {shape.ipa_bits}-bit IPA space.")
    report.data["fault"] = picked(
        fault, "kind", "level", "access", "s1ptw", "ipa", "has_offset", "va"
    )
    report.say(*lines)
