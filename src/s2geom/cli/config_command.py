# SPDX-License-Identifier: MIT
"""`s2geom config`: what a kernel's configuration allows."""

from argparse import Namespace

from s2geom.cli.channels import name_of, read_bytes
from s2geom.cli.kernel_question import cpu_of, missing_features, scheme_text
from s2geom.cli.report import NOT_SUPPORTED, Report
from s2geom.compare.shape_facts import geometry_data, geometry_facts
from s2geom.core.errors import UnreadableInput, Violations
from s2geom.core.geometry import Geometry
from s2geom.core.granule import Granule
from s2geom.core.units import size_text
from s2geom.core.wording import ranges
from s2geom.kconfig.ipa_sizes import IpaSizes
from s2geom.kconfig.kernel_config import KernelConfig
from s2geom.kernel.limits import KVM_PHYS_SHIFT
from s2geom.kernel.scheme import Scheme, kernel_of

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def config(args: Namespace) -> Report:
    """Return the widths that a kernel's configuration allows, and their shapes.

    With ``--ipa`` it is one width: its shape, or the limits in its way.
    """
    kernel, cpu = _config_of(args), cpu_of(args)
    release = args.kernel or kernel.release
    if release is None:
        raise UnreadableInput(
            f"{name_of(args.path)} does not name its release; give what uname -r "
            "prints on that host: --kernel 6.1"
        )
    axes = {"cpu": cpu, "release": release, "protected": args.protected}
    scheme = kernel_of(release).scheme if args.kernel else kernel.scheme
    sizes = kernel.ipa_sizes(**axes)
    report = Report(
        {
            "supported": bool(sizes.widths),
            "scheme": scheme and scheme.value,
            "release": release,
            "config": kernel.to_dict(),
            "ipa_sizes": {
                "widths": list(sizes.widths),
                "accepted": list(sizes.accepted or ()),
                "needs_parange": sizes.needs_parange,
                "needs_lpa2": sizes.needs_lpa2,
            },
        },
        list(sizes.premises),
    )
    if cpu is not None and scheme is Scheme.LPA2 and kernel.host.granule < Granule.K64:
        report.premises += missing_features("CPU", {"LPA2": args.lpa2})
    width = KVM_PHYS_SHIFT if args.ipa is None else args.ipa
    broken = kernel.check(width, **axes)
    if args.ipa is not None:
        report.data |= {"supported": not broken, "ipa_bits": args.ipa}
        if broken:
            report.refuse(broken)
    report.say(
        f"Linux {release}; {scheme_text(scheme)}" if scheme else f"Linux {release}"
    )
    facts = {name: str(origin) for name, origin in kernel.origins.items()}
    if args.kernel:
        in_file = kernel.release or "none"
        facts["release"] = f"{release} (given by --kernel; the file says {in_file})"
    report.facts(facts)
    if args.ipa is not None and not broken:
        shape = kernel.stage2(args.ipa, **axes)
        report.data["geometry"] = geometry_data(shape)
        report.say(f"a guest can have an IPA of {args.ipa} bits")
        report.facts(geometry_facts(shape))
    elif not sizes.widths:
        report.status = NOT_SUPPORTED
        report.say("no guest: " + _why_none(kernel, release, broken))
    else:
        report.say(*_widths_text(sizes))
    if args.ipa is None and sizes.widths:
        shapes = [kernel.stage2(width, **axes) for width in sizes.widths]
        report.data["shapes"] = [geometry_data(shape) for shape in shapes]
        _shape_table(report, shapes)
    return report


def _config_of(args: Namespace) -> KernelConfig:
    content = read_bytes(args.path).removeprefix(BYTE_ORDER_MARK)
    try:
        return KernelConfig.from_text(
            content, page_shift=args.page_size, va_bits=args.va
        )
    except UnreadableInput as error:
        hint = ""
        if str(error).startswith("no "):  # a savedefconfig leaves defaults out
            hint = "; or give it by hand: --page-size, --va"
        raise UnreadableInput(f"{name_of(args.path)}: {error}{hint}") from error


def _shape_table(report: Report, shapes: list[Geometry]) -> None:
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


def _widths_text(sizes: IpaSizes) -> list[str]:
    text = f"guest IPA: {ranges(sizes.widths)} bits"
    if sizes.needs_parange:
        text += ", as far as the CPU's PARange goes (give it: --pa 44)"
    if sizes.needs_lpa2:
        text += "; above 48 only on a CPU with LPA2 (--lpa2)"
    lines = [text]
    if sizes.accepted and sizes.accepted != sizes.widths:
        lines.append(
            f"KVM_CREATE_VM accepts {ranges(sizes.accepted)} bits, but a guest cannot "
            "use the others"
        )
    return lines


def _why_none(kernel: KernelConfig, release: str, broken: Violations) -> str:
    if not kernel.kvm:
        return "KVM is off in this configuration"
    return f"in Linux {release}, " + "; ".join(why.summary for why in broken)
