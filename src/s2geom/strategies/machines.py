# SPDX-License-Identifier: MIT
"""Strategies for kernels, CPUs, and what they say to a width."""

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from s2geom.compare.survey import DiffRow, SurveyRow, diff, survey
from s2geom.core.errors import Violation, Violations
from s2geom.core.granule import Granule
from s2geom.cpu.cpu import Cpu
from s2geom.cpu.sizes import IPA_MAXIMUM, PARANGE
from s2geom.kernel.choose import check
from s2geom.kernel.fake import FakePgd, fake_pgd
from s2geom.kernel.host import Host
from s2geom.kernel.limits import (
    IPA_MINIMUM,
    KCONFIG_VA_BITS,
    KERNEL_PA_BITS,
    VA_MAXIMUM,
    VA_MINIMUM,
)
from s2geom.kernel.scheme import Scheme
from s2geom.strategies.shapes import geometries

RELEASES = (
    "7.3",
    "6.12.0",
    "6.8.0-31-generic",
    "6.2",
    "6.1.0-18-arm64",
    "5.15.0",
    "5.14",
    "5.10.0-30-arm64",
    "5.9",
    "5.4.0",
    "4.19.0",
    "4.7.0",
    "4.4.0",
    "3.18.0",
)
"""Releases of each scheme, and some on either side of a change within one."""


def granules() -> SearchStrategy[Granule]:
    """Return a strategy for the three page sizes."""
    return st.sampled_from(Granule)


def schemes() -> SearchStrategy[Scheme]:
    """Return a strategy for the five schemes."""
    return st.sampled_from(Scheme)


def releases() -> SearchStrategy[str]:
    """Return a strategy for releases of Linux, as ``uname -r`` prints them."""
    return st.sampled_from(RELEASES)


def hosts(*, legal: bool | None = None) -> SearchStrategy[Host]:
    """Return a strategy for host kernels.

    Args:
        legal: Whether Kconfig has offered them; None for both.
    """
    offered = st.sampled_from(sorted(KCONFIG_VA_BITS)).flatmap(
        lambda size: st.builds(
            Host, st.just(size[0]), st.just(size[1]), st.sampled_from(KERNEL_PA_BITS)
        )
    )
    if legal:
        return offered.filter(lambda host: host.kconfig_legal)
    anything = st.builds(
        Host,
        granules(),
        st.integers(VA_MINIMUM, VA_MAXIMUM),
        st.sampled_from(KERNEL_PA_BITS),
    )
    if legal is None:
        return offered | anything
    return anything.filter(lambda host: not host.kconfig_legal)


def cpus() -> SearchStrategy[Cpu]:
    """Return a strategy for CPUs, from one with 32 bits to those with everything."""
    return st.builds(
        Cpu,
        st.sampled_from(PARANGE),
        granules=st.just(frozenset(Granule)) | st.frozensets(granules()),
        lpa2=st.frozensets(st.sampled_from((Granule.K4, Granule.K16))),
        ttst=st.booleans(),
        aarch32_el1=st.booleans(),
    )


def configurations(*, legal: bool | None = None) -> SearchStrategy[dict[str, Any]]:
    """Return a strategy for the arguments of `stage2` and `check`.

    Half of them name a scheme, half a release; the other one is None. Some of those
    with a CPU ask about a protected host.

    Args:
        legal: Whether KVM supports them; None for both.
    """
    questions = _configurations()
    if legal is None:
        return questions
    return questions.filter(lambda question: legal is not bool(check(**question)))


@st.composite
def _configurations(draw: DrawFn) -> dict[str, Any]:
    host, cpu = draw(hosts()), draw(st.none() | cpus())
    one_kernel = st.tuples(schemes(), st.none()) | st.tuples(st.none(), releases())
    scheme, release = draw(one_kernel)
    # Mostly widths that KVM may have, and now and then one that it never has.
    widths = st.integers(IPA_MINIMUM, IPA_MAXIMUM) | st.integers(0, 64)
    return {
        "page_shift": host.page_shift,
        "ipa_bits": draw(widths),
        "va_bits": host.va_bits,
        "pa_bits": host.pa_bits,
        "scheme": scheme,
        "release": release,
        # Without a CPU there is no answer for a protected host.
        "protected": cpu is not None and draw(st.sampled_from((False, False, True))),
        "cpu": cpu,
    }


@st.composite
def broken_limits(draw: DrawFn) -> Violations:
    """Return a strategy for what `check` and `Cpu.check` return; it may be empty."""
    if draw(st.booleans()):
        return draw(cpus()).check(draw(geometries()))
    return check(**draw(configurations()))


@st.composite
def violations(draw: DrawFn) -> Violation:
    """Return a strategy for violations of KVM's limits and the architecture's rules."""
    return draw(st.sampled_from(draw(broken_limits().filter(bool))))


def fake_pgds() -> SearchStrategy[FakePgd]:
    """Return a strategy for the design before v4.7, representable or not."""
    return st.builds(
        fake_pgd,
        granules(),
        st.integers(IPA_MINIMUM, IPA_MAXIMUM),
        st.integers(VA_MINIMUM, VA_MAXIMUM),
    )


@st.composite
def survey_rows(draw: DrawFn) -> SurveyRow:
    """Return a strategy for rows of `survey`, refused ones included."""
    host, scheme = draw(hosts(legal=True)), draw(schemes())
    [row] = survey(
        granules=[host.granule],
        ipa_bits=[draw(st.integers(IPA_MINIMUM, IPA_MAXIMUM))],
        va_bits=[host.va_bits],
        schemes=[scheme],
    )
    return row


@st.composite
def diff_rows(draw: DrawFn) -> DiffRow:
    """Return a strategy for rows of `diff`: what two schemes answer differently."""
    after = draw(st.sampled_from([*Scheme][1:]))
    host = draw(hosts(legal=True))
    rows = diff(Scheme.FAKE_PGD, after, granules=[host.granule], va_bits=[host.va_bits])
    assume(rows)
    return draw(st.sampled_from(rows))
