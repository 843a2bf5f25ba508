# SPDX-License-Identifier: MIT
"""`s2geom decode`: what a register's word means, and what is wrong with it.

A kind of word is a row of `DECODED`, and its name is in `commands.WORD_KINDS`. What
else tells about it (a companion word, the features of a CPU or an SMMU) is an option
that the row takes, and is judged too.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial

from attrs import frozen

from s2geom.cli.kernel_question import cpu_of, missing_features
from s2geom.cli.options import register_word
from s2geom.cli.report import Report
from s2geom.compare.shape_facts import geometry_data, geometry_facts
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


@frozen
class DecodedKind:
    """A kind of word that can be decoded.

    Args:
        words: How many words make it.
        read: The words' text to registers, in the order in which they are explained.
        takes: Options that have an effect on it.
    """

    words: int
    read: Callable[[Sequence[str]], tuple[Word, ...]]
    takes: frozenset[str] = frozenset()


def _one(kind: type[Word], texts: Sequence[str]) -> tuple[Word, ...]:
    return (kind.from_int(register_word(texts[0])),)


DECODED = {
    "vtcr": DecodedKind(1, partial(_one, VTCR_EL2), OF_A_CPU),
    "vttbr": DecodedKind(1, partial(_one, VTTBR_EL2), OF_A_CPU | {"vtcr"}),
    "ste": DecodedKind(
        2,
        lambda texts: (STE.from_words(*map(register_word, texts)),),
        OF_AN_SMMU | {"vtcr"},
    ),
    "esr": DecodedKind(1, partial(_one, ESR_EL2), OF_A_FAULT | {"vtcr"}),
    "mmfr0": DecodedKind(1, partial(_one, ID_AA64MMFR0_EL1)),
    "mmfr1": DecodedKind(1, partial(_one, ID_AA64MMFR1_EL1)),
    "mmfr2": DecodedKind(1, partial(_one, ID_AA64MMFR2_EL1)),
    "mmfr3": DecodedKind(1, partial(_one, ID_AA64MMFR3_EL1)),
    "nested": DecodedKind(1, lambda texts: parse_nested_name(texts[0]), OF_A_CPU),
}
"""What can be decoded, by the name on the command line."""


def decode(args: Namespace) -> Report:
    """Return what words mean, and what is wrong with them."""
    kind = DECODED[args.kind]
    _refuse_useless_options(args, kind)
    report = Report({"supported": True, "scheme": None, "words": []})
    judged = _explained(report, args, kind)
    first = judged[0]
    vtcr = next((word for word in judged if isinstance(word, VTCR_EL2)), None)
    shape, refused = _shape(next(filter(_has_shape, judged), None))
    broken: dict[Violation, None] = {}  # a set that keeps the order
    for word in judged:
        broken |= dict.fromkeys(_lint(word, vtcr, shape, args))
    broken |= dict.fromkeys(refused)
    if shape is not None:
        report.data["geometry"] = geometry_data(shape)
        report.facts({"IPA bits": shape.ipa_bits, **geometry_facts(shape)})
    _say_premises(report, args, kind)
    if vtcr is not None:
        _say_root(report, judged, vtcr, shape)
    if isinstance(first, ESR_EL2):
        _say_fault(report, first, shape, args)
    if broken:
        report.refuse(tuple(broken))
    elif args.kind == "vttbr" and vtcr is None:
        report.say("nothing is wrong with it alone; --vtcr WORD judges the base")
    elif args.kind != "esr":
        report.say("nothing is wrong with it")
    return report


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
        lines = word.explain()
        report.data["words"].append(
            {"register": type(word).__name__, "word": hex(word), "explain": list(lines)}
        )
        report.say(f"{type(word).__name__} = {int(word):#x}", *lines)
    if args.kind == "nested":
        dump = NestedDump.parse(texts[0])
        report.data["stage2_enabled"] = dump.stage2_enabled
        report.say(dump.explain())
    if args.vtcr is not None:
        words.append(VTCR_EL2.from_int(args.vtcr))
    return words


def _refuse_useless_options(args: Namespace, kind: DecodedKind) -> None:
    options = {"vtcr"} | OF_A_CPU | OF_AN_SMMU | OF_A_FAULT
    for name in sorted(options - kind.takes):
        value = getattr(args, name)
        if value is not None and value is not False:
            raise InvalidArgument(f"--{name} has no effect on decode {args.kind}")
    if args.lpa2 and args.pa is None and "ttst" in kind.takes:
        raise InvalidArgument("--lpa2 has no effect without --pa: it is of a CPU")


def _has_shape(word: Word) -> bool:
    return isinstance(word, VTCR_EL2 | STE)


def _shape(word: Word | None) -> tuple[Geometry | None, Sequence[Violation]]:
    """Return the shape a word names, or why it names none."""
    if not isinstance(word, VTCR_EL2 | STE):
        return None, ()
    try:
        return word.geometry(), ()
    except UnsupportedCombination as refusal:
        return None, refusal.violations


def _lint(
    word: Word, vtcr: VTCR_EL2 | None, shape: Geometry | None, args: Namespace
) -> Sequence[Violation]:
    if isinstance(word, ESR_EL2):
        return word.lint(geometry=shape)
    if isinstance(word, STE):
        return word.lint(
            oas=args.pa,
            granules=args.granules,
            ds=args.lpa2,
            stt=args.stt,
            aarch32=args.aarch32,
            vmid_bits=16 if args.vmid16 else 8,
            vtcr=vtcr,
        )
    if isinstance(word, VTTBR_EL2):
        return word.lint(cpu_of(args), vtcr=vtcr)
    return word.lint(cpu_of(args)) if isinstance(word, VTCR_EL2) else ()


def _say_premises(report: Report, args: Namespace, kind: DecodedKind) -> None:
    if "stt" in kind.takes:
        features = {
            "52-bit addresses of 4K and 16K pages (--lpa2)": args.lpa2,
            "small translation tables (--stt)": args.stt,
            "AArch32 tables (--aarch32)": args.aarch32,
            "16-bit VMIDs (--vmid16)": args.vmid16,
        }
        report.premises += missing_features("SMMU", features)
        if args.pa is None:
            report.premises.append("the SMMU's output size is not given (--pa)")
    elif "ttst" in kind.takes:
        if args.pa is None:
            report.premises.append(
                "no CPU was named (--pa), so only what no CPU takes is found wrong"
            )
        else:
            features = {"LPA2": args.lpa2, "FEAT_TTST": args.ttst}
            report.premises += missing_features("CPU", features)


def _say_root(
    report: Report, words: Sequence[Word], vtcr: VTCR_EL2, shape: Geometry | None
) -> None:
    for word in words:
        if isinstance(word, VTTBR_EL2) and shape is not None:
            root = word.root(shape, pa_bits=vtcr.pa_bits)
            report.data["root"] = root
            report.say(f"root at {root:#x}")


def _say_fault(
    report: Report, word: ESR_EL2, shape: Geometry | None, args: Namespace
) -> None:
    """Tell the fault of a guest, and where it was; any other word is refused."""
    if word.lint():
        return
    fault = word.stage2_fault(hpfar=args.hpfar, far=args.far)
    lines = list(fault.explain())
    if shape is not None and fault.ipa is not None and fault.ipa >> shape.ipa_bits:
        lines.append(f"It is outside the {shape.ipa_bits}-bit IPA space.")
    report.data["fault"] = {
        "kind": fault.kind,
        "level": fault.level,
        "access": fault.access,
        "s1ptw": fault.s1ptw,
        "ipa": fault.ipa,
        "has_offset": fault.has_offset,
        "va": fault.va,
    }
    report.say(*lines)
