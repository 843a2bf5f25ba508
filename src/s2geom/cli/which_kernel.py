# SPDX-License-Identifier: MIT
"""How a command asks: parsed arguments to the library's own values.

A command is a function from parsed arguments to a `Report`. It asks the library, lays
the answer out as text and as plain data, and prints nothing.
"""

from argparse import Namespace
from typing import Any

from s2geom.cli.report import Report
from s2geom.core.geometry import Geometry
from s2geom.kernel.changes import KVM_PHYS_SHIFT
from s2geom.kernel.choose import Host
from s2geom.kernel.scheme import Scheme


def scheme_of(asked: Namespace) -> Scheme:
    """Return the scheme that was asked for."""
    # STATIC is the library's default too: the design this project starts from.
    return Scheme.STATIC if asked.scheme is None else Scheme(asked.scheme)


def default_remark(asked: Namespace, ipa_bits: int) -> str | None:
    """Return what to know of an answer for which no kernel was named."""
    if asked.scheme is not None or ipa_bits == KVM_PHYS_SHIFT:
        return None
    return (
        f"No kernel was named, so this is how {Scheme.STATIC.releases} would do it, "
        f"which had {KVM_PHYS_SHIFT} bits alone; name yours: --kernel 6.12"
    )


def scheme_text(scheme: Scheme) -> str:
    """Return a scheme with its releases."""
    return f"scheme {scheme.value} (Linux {scheme.releases})"


def host_of(asked: Namespace) -> Host:
    """Return the host that was asked for."""
    return Host(asked.page_size, asked.va, asked.host_pa)


def question(asked: Namespace, ipa_bits: int) -> tuple[Report, Geometry | None]:
    """Ask for a shape.

    Returns:
        A report that begins with the question, and the shape; or one that ends in the
        refusal, and None.
    """
    scheme, host = scheme_of(asked), host_of(asked)
    data: dict[str, Any] = {
        "supported": True,
        "scheme": scheme.value,
        "host": host.to_dict(),
        "ipa_bits": ipa_bits,
    }
    report = Report(data)
    title = (
        f"{host.granule} pages, {ipa_bits}-bit IPA, {host.va_bits}-bit host VA; "
        f"{scheme_text(scheme)}"
    )
    broken = host.check(ipa_bits, scheme=scheme, cpu=asked.cpu)
    if broken:
        report.refuse(broken)
        report.say(title)
        return report, None
    report.say(title)
    return report, host.stage2(ipa_bits, scheme=scheme, cpu=asked.cpu)
