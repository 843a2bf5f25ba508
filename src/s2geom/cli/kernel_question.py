# SPDX-License-Identifier: MIT
"""Which kernel a command asks, what it takes for granted, and the shape it gets.

`--scheme` names a formula and `--kernel` a release; where neither is given the command
has a default, and says so as a premise.
"""

from argparse import Namespace
from collections.abc import Mapping

from s2geom.cli.options import or_else
from s2geom.cli.report import Refused, Report
from s2geom.compare.shape_facts import geometry_data, geometry_facts
from s2geom.core.geometry import Geometry
from s2geom.core.granule import Granule
from s2geom.cpu.cpu import Cpu
from s2geom.kernel.changes import NEWEST_READ
from s2geom.kernel.host import Host
from s2geom.kernel.question import Question
from s2geom.kernel.question import question as question_about
from s2geom.kernel.scheme import Kernel, Scheme

VA_BITS = 48
HOST_PA_BITS = 48
NEWEST = ".".join(map(str, NEWEST_READ))
"""The release that is asked about a guest of today, where none is named."""

DEFAULT_KERNELS: dict[bool, tuple[Scheme | None, str | None, str]] = {
    True: (None, NEWEST, f"the newest known, Linux {NEWEST}"),
    False: (
        Scheme.STATIC,
        None,
        f"how {Scheme.STATIC.releases} would do it, which had 40 bits alone",
    ),
}
"""Scheme, release and premise where no kernel is named, by whether it is the newest."""


def cpu_asked(args: Namespace) -> Cpu | None:
    """Return the CPU that the options describe, or None where there is none."""
    if args.pa is None:
        return None
    return Cpu(
        args.pa,
        lpa2=args.lpa2,
        ttst=getattr(args, "ttst", False),
        aarch32_el1=getattr(args, "aarch32", False),
    )


def missing_features(whose: str, features: Mapping[str, bool]) -> list[str]:
    """Return a premise for each feature that no option gives a CPU or an SMMU."""
    return [
        f"the {whose} has no {name}, as no option says so"
        for name, given in features.items()
        if not given
    ]


def missing_lpa2(args: Namespace, granule: Granule, scheme: Scheme | None) -> list[str]:
    """Return the premise that a CPU has no LPA2, where a kernel would use it."""
    uses = scheme is Scheme.LPA2 and granule is not Granule.K64
    named = uses and args.pa is not None
    return missing_features("CPU", {"LPA2": args.lpa2}) if named else []


def host_of(args: Namespace) -> Host:
    """Return the host that the options describe."""
    host_pa = getattr(args, "host_pa", None)  # macros has no such option
    return Host(
        args.page_size, or_else(args.va, VA_BITS), or_else(host_pa, HOST_PA_BITS)
    )


def scheme_text(scheme: Scheme) -> str:
    """Return a scheme with its releases."""
    return f"scheme {scheme.value} (Linux {scheme.releases})"


def kernel_text(kernel: Kernel) -> str:
    """Return a kernel as it was named: a release with its scheme, or a scheme."""
    if kernel.release is None:
        return scheme_text(kernel.scheme)
    return f"Linux {kernel.release} (scheme {kernel.scheme.value})"


def question_of(
    args: Namespace, ipa_bits: int, *, newest: bool
) -> tuple[Question, list[str]]:
    """Return what the options ask about a width, and the premises of any answer.

    Args:
        args: Arguments with the options of a host.
        ipa_bits: Width of the guest's addresses in bits.
        newest: Whether the newest release is asked where no kernel is named, as a guest
            of today is meant; else it is the scheme `STATIC`, as in the library, which
            has no protected hosts: there it is the newest release too.

    Raises:
        UnsupportedCombination: The release is older than v3.18.
    """
    scheme, release, premises = args.scheme, args.kernel, []
    if scheme is None and release is None:
        scheme, release, text = DEFAULT_KERNELS[newest or args.protected]
        premises.append(
            f"no kernel was named, so this is {text}; name yours: --kernel 6.12"
        )
    host = host_of(args)
    question = question_about(
        host.page_shift,
        ipa_bits,
        host.va_bits,
        pa_bits=host.pa_bits,
        scheme=scheme,
        release=release,
        protected=args.protected,
        cpu=cpu_asked(args),
    )
    premises += question.premises
    premises += missing_lpa2(args, host.granule, question.kernel.scheme)
    return question, premises


def answer(question: Question, premises: list[str]) -> tuple[Report, Geometry | None]:
    """Return a report that begins with the question, and the shape.

    Where there is none, the report begins with the reasons, and the shape is None.
    """
    kernel = question.kernel
    host = Host(question.granule, question.va_bits, question.pa_bits)
    report = Report(
        {
            "supported": True,
            "scheme": kernel.scheme.value,
            "release": kernel.release,
            "host": host.to_dict(),
            "ipa_bits": question.ipa_bits,
        },
        premises,
    )
    shape = question.answer()
    if not isinstance(shape, Geometry):
        report.refuse(shape)
    mode = ", protected" if question.protected else ""
    report.say(
        f"{question.granule} pages, {question.ipa_bits}-bit IPA, "
        f"{question.va_bits}-bit host VA{mode}; {kernel_text(kernel)}"
    )
    return report, shape if isinstance(shape, Geometry) else None


def shape_asked(args: Namespace, *, newest: bool) -> tuple[Report, Geometry]:
    """Return a report that begins with the question about `--ipa`, and the shape.

    Raises:
        Refused: There is none.
    """
    report, shape = answer(*question_of(args, args.ipa, newest=newest))
    if shape is None:
        raise Refused(report)
    return report, shape


def tell_shape(report: Report, shape: Geometry, **facts: object) -> None:
    """Add a shape to a report; `facts` stand before its own."""
    report.data["geometry"] = geometry_data(shape)
    report.facts(facts | geometry_facts(shape))
