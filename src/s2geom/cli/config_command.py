# SPDX-License-Identifier: MIT
"""`s2geom config`: what a kernel's configuration allows."""

from argparse import Namespace

from s2geom.cli.channels import name_of, read_bytes
from s2geom.cli.kernel_question import cpu_asked, missing_lpa2, scheme_text, tell_shape
from s2geom.cli.options import or_else
from s2geom.cli.report import Report, picked
from s2geom.compare.shape_facts import geometry_data
from s2geom.core.errors import UnreadableInput, Violations
from s2geom.core.geometry import Geometry
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
    kernel, is_one = _config_of(args), args.ipa is not None
    release = _release_of(args, kernel)
    axes = {"cpu": cpu_asked(args), "release": release, "protected": args.protected}
    sizes = kernel.ipa_sizes(**axes)
    broken = kernel.check(or_else(args.ipa, KVM_PHYS_SHIFT), **axes)
    report = _report_on(args, kernel, release, sizes)
    if is_one:
        report.data |= {"supported": True, "ipa_bits": args.ipa}
        report.refuse(broken)
    report.say(_kernel_title(args, kernel, release))
    report.facts(_origins(args, kernel))
    if is_one and not broken:
        about_default = _about_default(sizes)
        report.say(f"a guest can have an IPA of {args.ipa} bits", *about_default)
        tell_shape(report, kernel.stage2(args.ipa, **axes))
    elif not sizes.widths:
        report.say("no guest: " + _why_none(kernel, release, broken))
    else:
        report.say(*_widths_text(sizes))
        if not is_one:
            _say_shapes(report, [kernel.stage2(ipa, **axes) for ipa in sizes.widths])
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


def _release_of(args: Namespace, kernel: KernelConfig) -> str:
    release: str | None = args.kernel or kernel.release
    if release is None:
        raise UnreadableInput(
            f"{name_of(args.path)} does not name its release; give what uname -r "
            "prints on that host: --kernel 6.1"
        )
    return release


def _scheme_of(args: Namespace, kernel: KernelConfig) -> Scheme | None:
    return kernel_of(args.kernel).scheme if args.kernel else kernel.scheme


def _report_on(
    args: Namespace, kernel: KernelConfig, release: str, sizes: IpaSizes
) -> Report:
    scheme = _scheme_of(args, kernel)
    return Report(
        {
            "supported": bool(sizes.widths),
            "scheme": scheme and scheme.value,
            "release": release,
            "config": kernel.to_dict(),
            "ipa_sizes": {
                "widths": list(sizes.widths),
                "accepted": list(sizes.accepted),
                **picked(sizes, "needs_parange", "needs_lpa2"),
            },
        },
        [*sizes.premises, *missing_lpa2(args, kernel.host.granule, scheme)],
    )


def _kernel_title(args: Namespace, kernel: KernelConfig, release: str) -> str:
    scheme = _scheme_of(args, kernel)
    return f"Linux {release}" + (f"; {scheme_text(scheme)}" if scheme else "")


def _origins(args: Namespace, kernel: KernelConfig) -> dict[str, str]:
    """Return each fact with the place in the file where it stands."""
    facts = {name: str(origin) for name, origin in kernel.origins.items()}
    if args.kernel:
        in_file = kernel.release or "none"
        facts["release"] = f"{args.kernel} (given by --kernel; the file says {in_file})"
    return facts


def _say_shapes(report: Report, shapes: list[Geometry]) -> None:
    report.data["shapes"] = [*map(geometry_data, shapes)]
    report.table(
        ("IPA bits", "levels", "start level", "root tables", "PGD size", "alignment"),
        map(_shape_row, shapes),
    )


def _shape_row(shape: Geometry) -> tuple[object, ...]:
    levels = shape.ipa_bits, shape.levels, shape.start_level, shape.concatenation
    return *levels, size_text(shape.pgd_size), size_text(shape.pgd_alignment)


def _widths_text(sizes: IpaSizes) -> list[str]:
    text = f"guest IPA: {ranges(sizes.widths)} bits"
    if sizes.needs_parange:
        text += ", as far as the CPU's PARange goes (give it: --pa 44)"
    if sizes.needs_lpa2:
        text += "; above 48 only on a CPU with LPA2 (--lpa2)"
    lines = [text, *_about_default(sizes)]
    if sizes.accepted != sizes.widths:
        lines.append(
            f"KVM_CREATE_VM accepts {ranges(sizes.accepted)} bits, but a guest cannot "
            "use the others"
        )
    return lines


def _about_default(sizes: IpaSizes) -> list[str]:
    if KVM_PHYS_SHIFT in sizes.accepted:
        return []
    return [
        f"a VMM that names no width asks for {KVM_PHYS_SHIFT} bits, which KVM refuses"
    ]


def _why_none(kernel: KernelConfig, release: str, broken: Violations) -> str:
    if not kernel.kvm:
        return "KVM is off in this configuration"
    return f"in Linux {release}, " + "; ".join(why.summary for why in broken)
