# SPDX-License-Identifier: MIT
"""`s2geom config`: what a kernel's configuration allows."""

from argparse import Namespace

from s2geom.cli.channels import name_of, read_bytes
from s2geom.cli.kernel_question import cpu_of, scheme_text
from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.compare.shape_facts import geometry_data
from s2geom.core.errors import UnreadableInput
from s2geom.core.units import size_text
from s2geom.cpu.cpu import Cpu
from s2geom.kconfig.config import IpaSizes, KernelConfig
from s2geom.kernel.limits import KVM_PHYS_SHIFT
from s2geom.kernel.scheme import Scheme


def config(args: Namespace) -> Report:
    """Return the widths that a kernel's configuration allows, and their shapes."""
    kernel, cpu = _config_of(args), cpu_of(args)
    release = args.kernel or kernel.release
    if release is None:
        raise UnreadableInput(
            f"{name_of(args.path)} does not name its release; give it: --kernel 6.1"
        )
    scheme = Scheme.for_release(release)
    sizes = kernel.ipa_sizes(cpu, release=release)
    report = Report(
        {
            "supported": bool(sizes.widths),
            "scheme": scheme.value,
            "release": release,
            "config": kernel.to_dict(),
            "ipa_sizes": {
                "widths": list(sizes.widths),
                "needs_parange": sizes.needs_parange,
                "needs_lpa2": sizes.needs_lpa2,
            },
        }
    )
    report.say(f"Linux {release}; {scheme_text(scheme)}")
    facts = {name: str(origin) for name, origin in kernel.origins.items()}
    if args.kernel:
        in_file = kernel.release or "none"
        facts["release"] = f"{release} (given by --kernel; the file says {in_file})"
    report.facts(facts)
    if not sizes.widths:
        report.status = NOT_SUPPORTED
        report.say("no guest: " + _why_none(kernel, release, cpu))
        return report
    report.say(_widths_text(sizes))
    shapes = [kernel.stage2(width, cpu, release=release) for width in sizes.widths]
    report.data["shapes"] = [geometry_data(shape) for shape in shapes]
    report.table(
        ("IPA bits", "levels", "start level", "root tables", "PGD size", "alignment"),
        (
            (
                shape.ipa_bits,
                shape.levels,
                shape.start_level,
                shape.concatenation,
                size_text(shape.pgd_size),
                size_text(shape.pgd_alignment),
            )
            for shape in shapes
        ),
    )
    return report


def _config_of(args: Namespace) -> KernelConfig:
    try:
        return KernelConfig.from_text(read_bytes(args.path))
    except UnreadableInput as error:
        raise UnreadableInput(f"{name_of(args.path)}: {error}") from error


def _widths_text(sizes: IpaSizes) -> str:
    first, last = sizes.widths[0], sizes.widths[-1]
    text = f"guest IPA: {first} bits"
    if first != last:
        text = f"guest IPA: {first} to {last} bits"
    if sizes.needs_parange:
        text += ", as far as the CPU's PARange goes (give it: --pa 44)"
    if sizes.needs_lpa2:
        text += "; above 48 only on a CPU with LPA2 (--lpa2)"
    return text


def _why_none(kernel: KernelConfig, release: str, cpu: Cpu | None) -> str:
    if not kernel.kvm:
        return "KVM is off in this configuration"
    broken = kernel.check(KVM_PHYS_SHIFT, cpu, release=release)
    return f"in Linux {release}, " + "; ".join(each.summary for each in broken)
