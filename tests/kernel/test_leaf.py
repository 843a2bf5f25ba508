# SPDX-License-Identifier: MIT
"""What stage 2 maps at once, where the host maps hugely."""

from typing import Any

import pytest

from s2geom import Geometry, Granule, Host, InvalidArgument, Scheme, leaf_size

K = 1 << 10
M = 1 << 20
G = 1 << 30

HOSTS = {12: Host(12, 48), 14: Host(14, 48), 16: Host(16, 48)}
SHAPES = {
    12: Geometry(Granule.K4, 40, 1),
    14: Geometry(Granule.K16, 40, 2),
    16: Geometry(Granule.K64, 40, 2),
}

PAGES = {12: 4 * K, 14: 16 * K, 16: 64 * K}
CONTIGUOUS_PAGES = {12: 64 * K, 14: 2 * M, 16: 2 * M}
PMDS = {12: 2 * M, 14: 32 * M, 16: 512 * M}
CONTIGUOUS_PMDS = {12: 32 * M, 14: 1 * G, 16: 16 * G}


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_pages_stay_pages(page_shift: int, scheme: Scheme) -> None:
    """In every era."""
    size = PAGES[page_shift]

    assert size == leaf_size(SHAPES[page_shift], HOSTS[page_shift], size, scheme=scheme)


@pytest.mark.parametrize("scheme", list(Scheme))
@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_a_pmd_stays_a_pmd(page_shift: int, scheme: Scheme) -> None:
    """In every era: 2 MiB, 32 MiB or 512 MiB."""
    size = PMDS[page_shift]

    assert size == leaf_size(SHAPES[page_shift], HOSTS[page_shift], size, scheme=scheme)


@pytest.mark.parametrize("scheme", list(Scheme)[1:])
@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_contiguous_pages_become_pages(page_shift: int, scheme: Scheme) -> None:
    """Stage 2 never makes contiguous groups of its own."""
    assert PAGES[page_shift] == leaf_size(
        SHAPES[page_shift],
        HOSTS[page_shift],
        CONTIGUOUS_PAGES[page_shift],
        scheme=scheme,
    )


@pytest.mark.parametrize(
    ("scheme", "leaves"),
    [
        (Scheme.FAKE_PGD, PMDS),
        (Scheme.STATIC, PAGES),
        (Scheme.DYNAMIC, PAGES),
        (Scheme.INDEPENDENT, PMDS),
        (Scheme.LPA2, PMDS),
    ],
)
@pytest.mark.parametrize("page_shift", [12, 14, 16])
def test_contiguous_pmds_are_demoted(
    page_shift: int, scheme: Scheme, leaves: dict[int, int]
) -> None:
    """To PMDs by the generic walker of v5.10; to pages in the three eras before it."""
    assert leaves[page_shift] == leaf_size(
        SHAPES[page_shift],
        HOSTS[page_shift],
        CONTIGUOUS_PMDS[page_shift],
        scheme=scheme,
    )


@pytest.mark.parametrize(
    ("scheme", "leaf"),
    [
        (Scheme.FAKE_PGD, 2 * M),
        (Scheme.STATIC, 4 * K),
        (Scheme.DYNAMIC, 1 * G),
        (Scheme.INDEPENDENT, 1 * G),
        (Scheme.LPA2, 1 * G),
    ],
)
def test_a_pud_is_mapped_since_v5_0(scheme: Scheme, leaf: int) -> None:
    """1 GiB with 4K pages; before, a PUD was a PMD up to v4.12 and pages in v4.18."""
    assert leaf == leaf_size(SHAPES[12], HOSTS[12], 1 * G, scheme=scheme)


@pytest.mark.parametrize("size", [64 * K, 2 * M, 32 * M, 1 * G])
def test_any_hugetlb_page_was_a_pmd(size: int) -> None:
    """Before v4.7, contiguous pages too: a leaf above its backing, which was a bug."""
    assert 2 * M == leaf_size(SHAPES[12], HOSTS[12], size, scheme=Scheme.FAKE_PGD)


@pytest.mark.parametrize(
    "scheme", [Scheme.DYNAMIC, Scheme.INDEPENDENT, Scheme.LPA2], ids=repr
)
def test_a_pud_needs_three_levels_in_the_tree(scheme: Scheme) -> None:
    """4K at 32 to 34 bits has two: a 1 GiB request is laid down as 2 MiB entries."""
    for ipa_bits in (32, 33, 34, 35):
        shape = HOSTS[12].stage2(ipa_bits, scheme=scheme)
        expected = 1 * G if ipa_bits == 35 else 2 * M

        assert (3 if ipa_bits == 35 else 2) == shape.levels
        assert expected == leaf_size(shape, HOSTS[12], 1 * G, scheme=scheme)


def test_a_pud_needs_three_levels_in_the_host() -> None:
    """A host that folds its PMD has no PUD of its own."""
    host = Host(12, 30)

    assert 2 == host.pgtable_levels
    for scheme in (Scheme.DYNAMIC, Scheme.INDEPENDENT):
        assert 2 * M == leaf_size(SHAPES[12], host, 1 * G, scheme=scheme)


@pytest.mark.parametrize(
    ("leaf", "levels", "scheme"),
    [
        (64 * K, 1, Scheme.STATIC),
        (512 * M, 2, Scheme.DYNAMIC),
        (512 * M, 2, Scheme.INDEPENDENT),
    ],
)
@pytest.mark.parametrize("ipa_bits", [32, 33])
def test_the_floor_of_two_levels_keeps_a_pmd_whole(
    ipa_bits: int, leaf: int, levels: int, scheme: Scheme
) -> None:
    """64K at 32 and 33 bits: with one level, a PMD has to be taken apart into pages."""
    host = Host(16, 42)
    shape = host.stage2(ipa_bits, scheme=scheme)

    assert levels == shape.levels
    assert leaf == leaf_size(shape, host, 512 * M, scheme=scheme)


@pytest.mark.parametrize("scheme", list(Scheme)[1:], ids=repr)
def test_a_leaf_is_never_larger_than_its_backing(scheme: Scheme) -> None:
    """On every host of Kconfig, whatever the widths: the rule that makes it safe."""
    hosts = [(12, 39), (12, 48), (14, 36), (14, 47), (14, 48), (16, 42), (16, 48)]
    for page_shift, va_bits in hosts:
        host = Host(page_shift, va_bits)
        backings = [PAGES, CONTIGUOUS_PAGES, PMDS, CONTIGUOUS_PMDS]
        sizes = [sizes[page_shift] for sizes in backings]
        sizes += [1 * G] if page_shift == 12 else []
        for ipa_bits in range(32, (host.max_ipa_bits(scheme) or 0) + 1):
            shape = host.stage2(ipa_bits, scheme=scheme)
            levels = {level.entry_size for level in shape.table_levels if level.leaf}
            for size in sizes:
                leaf = leaf_size(shape, host, size, scheme=scheme)

                assert leaf <= size
                assert leaf in levels


def test_kvm_never_uses_the_widest_blocks() -> None:
    """Neither 512 GiB with 4K pages, nor 64 GiB with 16K, nor 4 TiB with 64K."""
    for page_shift, size in ((12, 512 * G), (14, 64 * G), (16, 4096 * G)):
        with pytest.raises(InvalidArgument, match="backing_size must be one"):
            leaf_size(SHAPES[page_shift], HOSTS[page_shift], size, scheme=Scheme.LPA2)


def test_a_backing_that_the_host_does_not_have() -> None:
    """The message lists the sizes that it has, with the kernel's words."""
    with pytest.raises(InvalidArgument) as caught:
        leaf_size(SHAPES[12], HOSTS[12], 8 * K)

    assert (
        "backing_size must be one that a 4K host maps with, 4096 (page), "
        "65536 (contiguous pages), 2097152 (PMD), 33554432 (contiguous PMDs), "
        "1073741824 (PUD); got 8192" == str(caught.value)
    )


def test_there_are_no_puds_with_larger_pages() -> None:
    """Level 1 of a 16K or 64K host has no blocks, so the list ends at the PMDs."""
    with pytest.raises(InvalidArgument) as caught:
        leaf_size(SHAPES[16], HOSTS[16], 0)

    assert (
        "backing_size must be one that a 64K host maps with, 65536 (page), "
        "2097152 (contiguous pages), 536870912 (PMD), 17179869184 (contiguous PMDs); "
        "got 0" == str(caught.value)
    )


def test_host_and_shape_have_the_same_pages() -> None:
    """KVM's stage 2 has the host's page size."""
    with pytest.raises(InvalidArgument) as caught:
        leaf_size(SHAPES[14], HOSTS[12], 4 * K)

    assert "geometry has 16K pages, but the host has 4K" == str(caught.value)


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("geometry must be a Geometry, got None", {"geometry": None}),
        ("host must be a Host, got (12, 48)", {"host": (12, 48)}),
        ("scheme must be a Scheme, got 4", {"scheme": 4}),
        (
            "backing_size must be an integer, got '4K' (str)",
            {"backing_size": "4K"},
        ),
        (
            "backing_size must be an integer, got 4096.0 (float)",
            {"backing_size": 4096.0},
        ),
    ],
    ids=["geometry", "host", "scheme", "text", "float"],
)
def test_wrong_types(message: str, change: dict[str, Any]) -> None:
    """The message names the argument."""
    right: dict[str, Any] = {
        "geometry": SHAPES[12],
        "host": HOSTS[12],
        "backing_size": 4096,
    }
    with pytest.raises(TypeError) as caught:
        leaf_size(**right | change)

    assert message == str(caught.value)
