# SPDX-License-Identifier: MIT
"""Which kernel a command asks, what it takes for granted, and the shape it gets.

`--scheme` names a formula and `--kernel` a release; where neither is given the command
has a default, and says so as a premise.
"""

from argparse import Namespace
from collections.abc import Mapping

from attrs import frozen

from s2geom.cli.report import Report
from s2geom.core.errors import Violation
from s2geom.core.geometry import Geometry
from s2geom.cpu.cpu import Cpu
from s2geom.kernel.choose import Host
from s2geom.kernel.limits import KVM_PHYS_SHIFT
from s2geom.kernel.scheme import Scheme

VA_BITS = 48
HOST_PA_BITS = 48


def cpu_of(args: Namespace) -> Cpu | None:
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


def host_of(args: Namespace) -> Host:
    """Return the host that the options describe."""
    return Host(
        args.page_size,
        VA_BITS if args.va is None else args.va,
        HOST_PA_BITS if args.host_pa is None else args.host_pa,
    )


def scheme_text(scheme: Scheme) -> str:
    """Return a scheme with its releases."""
    return f"scheme {scheme.value} (Linux {scheme.releases})"


@frozen
class KernelQuestion:
    """A host, a CPU, and the kernel that is asked about them.

    Args:
        host: The host.
        cpu: The CPU, or None.
        scheme: How the kernel chooses.
        premises: What is taken for granted.
    """

    host: Host
    cpu: Cpu | None
    scheme: Scheme
    premises: tuple[str, ...]

    @property
    def kernel(self) -> str:
        """The kernel, in words."""
        return scheme_text(self.scheme)

    def check(self, ipa_bits: int) -> tuple[Violation, ...]:
        """Return the limits that a width breaks."""
        return self.host.check(ipa_bits, scheme=self.scheme, cpu=self.cpu)

    def stage2(self, ipa_bits: int) -> Geometry:
        """Return the shape of a width.

        Raises:
            UnsupportedCombination: It is refused.
        """
        return self.host.stage2(ipa_bits, scheme=self.scheme, cpu=self.cpu)

    def widest(self) -> int | None:
        """Return the widest IPA in bits, or None where no width fits."""
        return self.host.max_ipa_bits(self.scheme, self.cpu)

    def answer(self, ipa_bits: int) -> tuple[Report, Geometry | None]:
        """Return a report that begins with the question, and the shape.

        Where there is none, the report begins with the reasons, and the shape is None.
        """
        report = Report(
            {
                "supported": True,
                "scheme": self.scheme.value,
                "host": self.host.to_dict(),
                "ipa_bits": ipa_bits,
            },
            list(self.premises),
        )
        broken = self.check(ipa_bits)
        if broken:
            report.refuse(broken)
        report.say(
            f"{self.host.granule} pages, {ipa_bits}-bit IPA, {self.host.va_bits}-bit "
            f"host VA; {self.kernel}"
        )
        return report, None if broken else self.stage2(ipa_bits)


def question_of(args: Namespace, default: Scheme) -> KernelQuestion:
    """Return what the options ask.

    Args:
        args: Arguments with the options of a host.
        default: The scheme where none is named: STATIC, as in the library, or the
            newest where a guest of today is meant.
    """
    premises = []
    scheme = args.scheme
    if args.kernel is not None:
        scheme = Scheme.for_release(args.kernel)
    elif scheme is None:
        scheme = default
        premises.append(_default_premise(scheme))
    return KernelQuestion(host_of(args), cpu_of(args), scheme, tuple(premises))


def _default_premise(scheme: Scheme) -> str:
    if scheme is Scheme.STATIC:
        return (
            f"no kernel was named, so this is how {scheme.releases} would do it, "
            f"which had {KVM_PHYS_SHIFT} bits alone; name yours: --kernel 6.12"
        )
    return (
        f"no kernel was named, so this is the newest, {scheme_text(scheme)}; name "
        "yours: --kernel 6.12"
    )
