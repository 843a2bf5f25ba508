# SPDX-License-Identifier: MIT
"""What a host, or a kernel's configuration, supports."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from s2geom.compare.shape_facts import heading
from s2geom.compare.survey import survey
from s2geom.core.errors import S2GeomError
from s2geom.core.wording import ranges
from s2geom.kernel.choose import Host
from s2geom.kernel.scheme import Scheme
from s2geom.show.chart import draw_chart
from s2geom.show.html import table
from s2geom.show.svg import Drawing

if TYPE_CHECKING:  # a host is drawn without loading the parser of configurations
    from s2geom.kconfig.config import KernelConfig


def _host_rows(host: Host) -> Iterable[Sequence[object]]:
    for scheme in Scheme:
        widest = host.max_ipa_bits(scheme)
        if widest is None:
            [why, *_] = host.check(40, scheme=scheme)
            shape = why.summary
        else:
            shape = heading(host.stage2(widest, scheme=scheme))
        yield scheme.value, scheme.releases, widest, shape


def host_html(host: Host) -> str:
    """Return the widest IPA of a host under each scheme as an HTML table."""
    kconfig = "" if host.kconfig_legal else "; Kconfig never offered it"
    return table(
        f"{host.granule} host, {host.va_bits}-bit VA, {host.pa_bits}-bit PA: "
        f"{host.pgtable_levels} levels of its own{kconfig}",
        ("scheme", "releases", "widest IPA", "its shape"),
        _host_rows(host),
    )


def draw_host(host: Host) -> Drawing:
    """Draw the widths that a host supports under each scheme."""
    return draw_chart(
        survey(
            granules=(host.granule,), va_bits=(host.va_bits,), pa_bits=(host.pa_bits,)
        )
    )


def draw_config(config: "KernelConfig") -> Drawing:
    """Draw the widths that a configuration's host supports under each scheme."""
    return draw_host(config.host)


def config_html(config: "KernelConfig") -> str:
    """Return what a configuration says, and what its host supports."""
    facts = table(
        f"Linux {config.release or 'of an unknown release'}: {config.host.granule} "
        f"pages, {config.host.va_bits}-bit VA, {config.host.pa_bits}-bit PA",
        ("fact", "value", "read from"),
        _config_rows(config),
    )
    return f"{facts}\n{host_html(config.host)}"


def _config_rows(config: "KernelConfig") -> Iterable[Sequence[object]]:
    for name, origin in config.origins.items():
        yield name, origin.value, origin.words
    scheme = config.scheme
    yield "scheme", None if scheme is None else scheme.value, "the release"
    try:
        widths = ranges(config.ipa_sizes().widths)
    except S2GeomError as unknown:
        yield "guest IPA bits", None, str(unknown)
    else:
        yield "guest IPA bits", widths, "the release's own rule, on the widest CPU"
