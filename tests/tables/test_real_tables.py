# SPDX-License-Identifier: MIT
"""Tables of real guests: where each address leads, by the guest's own /proc."""

from bisect import bisect_right

import pytest
from real_guests import GUESTS, PROTECTED_HOST, real_guest, rows

import s2geom as s2

DEVICES = ((0x801_0000, 0x804_0000, 0x1_0000), (0xB00_0000, 0x400_0000, 0x1_0000))
"""IPA, address and size of what pagemap does not have: the interrupt controller's CPU
interface and the second flash bank (the README in ``data/real_tables``)."""


@pytest.mark.parametrize("name", GUESTS)
def test_mappings_equal_pagemap(name: str) -> None:
    """Every page that is mapped, and none that user space does not know."""
    guest = real_guest(name)
    known = sorted(
        (int(row["ipa"], 0), int(row["host_physical"], 0), int(row["size"], 0))
        for row in rows(name, "pagemap.csv.gz")
    )
    known = sorted([*known, *DEVICES])
    starts = [ipa for ipa, _, _ in known]
    page, mapped = guest.geometry.page_size, 0
    for mapping in s2.scan(*guest.arguments, vtcr=guest.vtcr):
        for offset in range(0, mapping.size, page):
            ipa = mapping.ipa + offset
            first, address, size = known[bisect_right(starts, ipa) - 1]

            assert first <= ipa < first + size, hex(ipa)
            assert mapping.output_address + offset == address + ipa - first, hex(ipa)
            mapped += 1

    assert mapped > 100


@pytest.mark.parametrize("name", GUESTS)
def test_walk_and_trace_find_what_a_guest_touched(name: str) -> None:
    """They find the page, or an access flag that the kernel cleared."""
    guest = real_guest(name)
    states = {"mapped": 0, "unmapped": 0}
    for row in rows(name, "truth.csv"):
        ipa, state = int(row["ipa"], 0), row["state"]
        answer = s2.walk(guest.geometry, guest.root, ipa, guest.memory.read)
        traced = s2.trace(guest.geometry, guest.root, ipa, guest.memory.read)
        states[state] += 1

        assert answer == traced.result
        if isinstance(answer, s2.Translation):
            assert state == "mapped"
            assert int(row["host_physical"], 0) == answer.output_address
        elif state == "mapped":
            assert answer.kind == "access flag"
            leaf = answer.descriptor
            assert leaf is not None
            assert int(row["host_physical"], 0) & -(leaf.size or 1) == (
                leaf.output_address
            )
        else:
            assert answer.kind == "translation"

    assert min(states.values()) > 0


@pytest.mark.parametrize("name", [*GUESTS, PROTECTED_HOST])
def test_columns_of_real_tables_are_what_scan_yields(name: str) -> None:
    """For the whole space, and from the middle of one mapping to that of another."""
    guest = real_guest(name)
    scanned = list(s2.scan(*guest.arguments, vtcr=guest.vtcr))
    first, last = scanned[1], scanned[-2]
    middle = first.ipa + first.size // 2, last.ipa + last.size // 2

    assert scanned == list(s2.scan_columns(*guest.arguments, vtcr=guest.vtcr))
    assert list(s2.scan(*guest.arguments, middle, vtcr=guest.vtcr)) == list(
        s2.scan_columns(*guest.arguments, middle, vtcr=guest.vtcr)
    )


def test_memory_with_fwb_is_write_back() -> None:
    """KVM writes MemAttr 6 with FWB, which is another type without it."""
    guest = real_guest("4k-40-fwb-lpa2")
    scanned = list(s2.scan(*guest.arguments, fwb=guest.registers["fwb"]))
    normal = [mapping for mapping in scanned if mapping.attributes.memattr == 6]

    assert len(normal) > 100
    assert {"Normal memory, write-back whatever stage 1 says"} == {
        mapping.attributes.explain(fwb=mapping.fwb)[0] for mapping in normal
    }


def test_a_protected_host_writes_owners_into_invalid_descriptors() -> None:
    """2,086 invalid descriptors are not zero: 4 means owned by the hypervisor."""
    guest = real_guest(PROTECTED_HOST)
    annotated = [
        found
        for found in s2.scan(*guest.arguments, invalid=True)
        if isinstance(found, s2.Invalid)
    ]

    assert [
        s2.Invalid(
            int(row["ipa"], 0),
            int(row["size"], 0),
            int(row["descriptor"], 0),
            int(row["level"]),
        )
        for row in rows(PROTECTED_HOST, "invalid_nonzero.csv")
    ] == annotated
    assert sum(found.size for found in annotated) == 2086 << 12
