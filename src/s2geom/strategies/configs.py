# SPDX-License-Identifier: MIT
"""Strategies for the text of a ``.config``, and for what is read from it."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.core.granule import Granule
from s2geom.kconfig.ipa_sizes import IpaSizes
from s2geom.kconfig.kernel_config import KernelConfig
from s2geom.kernel.host import Host
from s2geom.strategies.machines import cpus, hosts, releases

NOISE = (
    "",
    "#",
    "# General setup",
    "CONFIG_SMP=y",
    "CONFIG_HZ=250",
    "CONFIG_XEN=m",
    "# CONFIG_CPU_BIG_ENDIAN is not set",
    'CONFIG_LOCALVERSION="-16K # not a remark"',
    "CONFIG_TEXT_OFFSET=0x80000",
)
"""Lines of other options, and remarks."""


def _settings(host: Host) -> list[str]:
    """Return the lines of a host's configuration, and of options not taken."""
    lines = ["CONFIG_ARM64=y"]
    for granule in Granule:
        option = f"CONFIG_ARM64_{granule}_PAGES"
        taken = granule is host.granule
        lines.append(f"{option}=y" if taken else f"# {option} is not set")
    lines += [
        f"CONFIG_ARM64_VA_BITS_{host.va_bits}=y",
        f"CONFIG_ARM64_VA_BITS={host.va_bits}",
        f"CONFIG_ARM64_PA_BITS_{host.pa_bits}=y",
        f"CONFIG_ARM64_PA_BITS={host.pa_bits}",
        f"CONFIG_PGTABLE_LEVELS={host.pgtable_levels}",
        "CONFIG_VIRTUALIZATION=y",
    ]
    return lines


def _damaged(host: Host) -> dict[str, Callable[[str], str]]:
    """Return ways to spoil a configuration, by what is wrong then."""
    page, va = f"CONFIG_ARM64_{host.granule}_PAGES=y\n", f"VA_BITS_{host.va_bits}=y\n"
    levels = f"PGTABLE_LEVELS={host.pgtable_levels}\n"
    wrong = host.pgtable_levels % 4 + 2
    return {
        "no page size": lambda text: text.replace(page, ""),
        "levels that do not fit": lambda text: text.replace(
            levels, f"PGTABLE_LEVELS={wrong}\n"
        ),
        "two VA widths": lambda text: text.replace(va, "VA_BITS_35=y\n").replace(
            f"VA_BITS={host.va_bits}\n", "VA_BITS=35\n"
        ),
        "another architecture": lambda text: f"CONFIG_X86_64=y\n{text}",
        "a value that is none": lambda text: text + "CONFIG_KVM=maybe\n",
    }


def config_texts(
    host: Host | None = None, *, legal: bool | None = True
) -> SearchStrategy[str]:
    """Return a strategy for the text of a kernel's ``.config``.

    Args:
        host: Whose configuration; None for any that Kconfig has offered.
        legal: Whether `KernelConfig.from_text` can read it; None for both.
    """
    return _config_texts(host, legal)


@st.composite
def _config_texts(draw: DrawFn, host: Host | None, legal: bool | None) -> str:
    kernel = host or draw(hosts(legal=True))
    header = draw(
        st.just("") | releases().map("# Linux/arm64 {} Kernel Configuration\n".format)
    )
    kvm = draw(st.sampled_from(("CONFIG_KVM=y", "# CONFIG_KVM is not set")))
    lines = _settings(kernel)
    # Kconfig's order depends on the release, and the reader must not.
    for line in draw(st.lists(st.sampled_from(NOISE), max_size=5)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    text = header + "".join(f"{line}\n" for line in (*lines, kvm))
    if legal or (legal is None and draw(st.booleans())):
        return text
    ways = _damaged(kernel)
    return ways[draw(st.sampled_from(sorted(ways)))](text)


@st.composite
def kernel_configs(draw: DrawFn) -> KernelConfig:
    """Return a strategy for kernel configurations, read from text.

    To see the text of a failing example, draw one of `config_texts` and read it.
    """
    return KernelConfig.from_text(draw(config_texts()))


def ipa_sizes() -> SearchStrategy[IpaSizes]:
    """Return a strategy for the widths that a configuration gives its guests."""
    return st.builds(
        KernelConfig.ipa_sizes,
        kernel_configs(),
        st.none() | cpus(),
        release=releases(),
    )
