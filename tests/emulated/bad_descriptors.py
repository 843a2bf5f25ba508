# SPDX-License-Identifier: MIT
"""What to ask about descriptors that are wrong, and what the architecture answers.

Each kind of fault at each level, in every granule; then several faults at once, of
which the CPU has to report the one that the walk gets to first. An instruction fetch
cannot be asked for: AT translates for reads and writes alone, so of XN all that can be
seen here is that data accesses do not mind it.
"""

import itertools
from collections.abc import Iterator

import attrs

from emulated.cpu import Access, EmulatedCpu, Faulted, Outcome
from emulated.layout import (
    ACCESSED,
    ENTRY_SHIFT,
    LEAF,
    READ,
    TABLE_BITS,
    TABLE_OR_PAGE,
    VALID,
    WRITE,
    Layout,
    address_field,
    layout,
)
from emulated.limits import PS_BITS, REFUSED, Case
from emulated.questions import (
    LOW_OUTPUT,
    Question,
    Questions,
    beyond_stage_1,
    leaf_levels,
    legal_shapes,
)

# VTCR_EL2: who sets the access flag and manages the dirty state.
HA = 1 << 21
HD = 1 << 22
MANAGED = (0, HA, HD, HA | HD)
# Descriptors.
NT = 1 << 16
DBM = 1 << 51
CONTIGUOUS = 1 << 52
XN = tuple(value << 53 for value in range(4))
# What a table descriptor has no use for: 11:2 and 63:51, but for 9:8, which hold an
# address with LPA2.
UNUSED_IN_TABLE = 0xFFF8_0000_0000_0CFC
ACCESSES: tuple[Access, ...] = ("read", "write")
# There is memory neither here nor within 4 GiB of it. 39 bits suit every CPU and PS.
NOWHERE = 0x70_0000_0000

Shape = tuple[int, int, int, bool]


def extreme_shapes(cpu: EmulatedCpu) -> list[Shape]:
    """List the narrowest and the widest legal shape of every kind of root."""
    extremes: list[Shape] = []
    legal = sorted(legal_shapes(cpu), key=lambda shape: (shape[0], *shape[2:]))
    for _, same in itertools.groupby(legal, key=lambda shape: (shape[0], *shape[2:])):
        widths = list(same)
        extremes += sorted({widths[0], widths[-1]})
    return extremes


def tight_ps(shape: Shape) -> int:
    """Return the smallest PS that no emulator holds against the shape."""
    granule, ipa_bits, start_level, _ = shape
    # What QEMU 7 wants besides: see its limits 'ipa-wider-than-ps' and
    # 'start-level-by-ps'.
    least = {(12, 0): 44, (14, 1): 42, (16, 1): 44}.get((granule, start_level), 0)
    least = max(ipa_bits, least)
    return next(ps for ps, bits in enumerate(PS_BITS) if bits >= least)


def case_of(cpu: EmulatedCpu, shape: Shape, laid: Layout, *wrong: Outcome) -> Case:
    """Describe what was laid out; name what is wrong by the kinds of the faults."""
    granule, ipa_bits, start_level, lpa2 = shape
    return Case(
        granule,
        ipa_bits,
        start_level,
        cpu.pa_bits,
        lpa2,
        leaf_level=laid.leaf_level,
        output_address=laid.output_address,
        wrong=tuple(
            (fault.kind, fault) for fault in wrong if isinstance(fault, Faulted)
        ),
    )


def leaves(cpu: EmulatedCpu) -> Iterator[tuple[Shape, int]]:
    """Every kind of root with a leaf at every level that may have one."""
    for shape in extreme_shapes(cpu):
        granule, _, start_level, lpa2 = shape
        for level in sorted(leaf_levels(cpu, granule, lpa2=lpa2)):
            if level >= start_level:
                yield shape, level


def lay(
    shape: Shape, leaf_level: int, leaf: int, *, ipa: int = 0, ps: int = 6
) -> Layout:
    """Lay out one leaf of some bits."""
    granule, ipa_bits, start_level, lpa2 = shape
    return layout(
        granule,
        ipa_bits,
        start_level,
        ipa,
        lpa2=lpa2,
        ps=ps,
        leaf=leaf,
        leaf_level=leaf_level,
    )


def replaced(laid: Layout, depth: int, word: int) -> tuple[tuple[int, int], ...]:
    """Put another word in the place of one descriptor."""
    descriptors = list(laid.descriptors)
    descriptors[depth] = descriptors[depth][0], word
    return tuple(descriptors)


# One thing wrong


def types(cpu: EmulatedCpu) -> Iterator[Question]:
    """Each way not to be valid, at each level; all other bits are as they should be."""
    for shape in extreme_shapes(cpu):
        laid = lay(shape, 3, LEAF, ipa=(1 << shape[1]) - 1)
        for depth, (_, good) in enumerate(laid.descriptors):
            level = shape[2] + depth
            # 01 above level 3 is a block: see `order`, and `blocks` of questions.
            for kind in (0b00, 0b10, *([0b01] if level == 3 else [])):
                word = good & ~(VALID | TABLE_OR_PAGE) | kind
                probe = attrs.evolve(
                    laid.probe(), descriptors=replaced(laid, depth, word)
                )
                right = Faulted("translation", level)
                case = case_of(cpu, shape, laid, right)
                yield Question(f"type {kind:02b}", case, probe, right)


def nowhere(cpu: EmulatedCpu) -> Iterator[Question]:
    """A table, or the root, in a place without memory."""
    for shape in extreme_shapes(cpu):
        granule, _, start_level, lpa2 = shape
        laid = lay(shape, 3, LEAF)
        case = attrs.evolve(case_of(cpu, shape, laid), high=NOWHERE, high_in="root")
        probe = attrs.evolve(laid.probe(), vttbr=NOWHERE)
        right = Faulted("external abort", start_level)
        yield Question("root nowhere", case, probe, right)
        case = attrs.evolve(case, high_in="table")
        pointer = address_field(granule, NOWHERE, lpa2=lpa2) | VALID | TABLE_OR_PAGE
        for depth in range(3 - start_level):
            probe = attrs.evolve(
                laid.probe(), descriptors=replaced(laid, depth, pointer)
            )
            right = Faulted("external abort", start_level + depth + 1)
            yield Question("table nowhere", case, probe, right)


def access_flag(cpu: EmulatedCpu) -> Iterator[Question]:
    """No access flag: a fault, unless VTCR_EL2.HA has the hardware set it."""
    for (shape, level), managed, access in itertools.product(
        leaves(cpu), MANAGED, ACCESSES
    ):
        laid = lay(shape, level, LEAF & ~ACCESSED)
        case = case_of(cpu, shape, laid, Faulted("access flag", level))
        if managed & HA and cpu.id_registers.hafdbs >= 1:
            case = case.without("access flag")
        probe = attrs.evolve(laid.probe(access), vtcr=laid.vtcr | managed)
        yield Question("access flag", case, probe, case.right)


def permission(cpu: EmulatedCpu) -> Iterator[Question]:
    """Each S2AP, for reads and writes; with DBM, hardware may allow the write."""
    for (shape, level), managed, access, s2ap, dbm in itertools.product(
        leaves(cpu), MANAGED, ACCESSES, (0, READ, WRITE, READ | WRITE), (0, DBM)
    ):
        laid = lay(shape, level, LEAF & ~(READ | WRITE) | s2ap | dbm)
        allowed = s2ap & (READ if access == "read" else WRITE)
        dirty = (
            (access, managed, dbm, allowed) == ("write", HA | HD, DBM, 0)
        ) and cpu.id_registers.hafdbs >= 2
        faults = [] if allowed or dirty else [Faulted("permission", level)]
        case = attrs.evolve(case_of(cpu, shape, laid, *faults), dirty=dirty)
        probe = attrs.evolve(laid.probe(access), vtcr=laid.vtcr | managed)
        yield Question(f"S2AP {s2ap >> 6:02b}", case, probe, case.right)


# Nothing wrong, though it may look so


def harmless(cpu: EmulatedCpu) -> Iterator[Question]:
    """XN for data, and one leaf that says it is of a contiguous group."""
    for (shape, level), access in itertools.product(leaves(cpu), ACCESSES):
        for what, bits in (("contiguous", CONTIGUOUS), *(("XN", xn) for xn in XN)):
            laid = lay(shape, level, LEAF | bits)
            case = case_of(cpu, shape, laid)
            yield Question(what, case, laid.probe(access), case.right)


def unused_bits(cpu: EmulatedCpu) -> Iterator[Question]:
    """Bits that mean nothing: in tables, and below the address of a leaf.

    Of the latter one is nT, which an implementation may make a Translation fault. None
    of the emulated CPUs does, nor does s2geom.
    """
    for shape in extreme_shapes(cpu):
        laid = lay(shape, 3, LEAF)
        case = case_of(cpu, shape, laid)
        for depth, (_, word) in enumerate(laid.descriptors[:-1]):
            full = replaced(laid, depth, word | UNUSED_IN_TABLE)
            probe = attrs.evolve(laid.probe(), descriptors=full)
            yield Question("unused in table", case, probe, case.right)
    for shape, level in leaves(cpu):
        granule = shape[0]
        # With FEAT_LPA bits 15:12 of 64K descriptors are of the address.
        lowest = 16 if granule == 16 and cpu.pa_bits == 52 else 12
        reserved = (1 << ENTRY_SHIFT[granule][level]) - (1 << lowest)
        groups = {"reserved in leaf": reserved}
        if level < 3:
            groups = {"nT": NT, "reserved in leaf": reserved & ~NT}
        for what, bits in groups.items():
            if bits:
                laid = lay(shape, level, LEAF | bits)
                case = attrs.evolve(case_of(cpu, shape, laid), stray=bits)
                yield Question(what, case, laid.probe(), case.right)


# Several things wrong


def order(cpu: EmulatedCpu) -> Iterator[Question]:
    """Every combination of faults of a leaf, at every level, illegal blocks too."""
    for shape in extreme_shapes(cpu):
        granule, _, start_level, lpa2 = shape
        allowed = leaf_levels(cpu, granule, lpa2=lpa2)
        for level in range(start_level, 4):
            block = [] if level in allowed else [("block", "translation")]
            leaf_faults = (
                ("output size", "address size"),
                ("access flag", "access flag"),
                ("permission", "permission"),
            )
            for number in range(len(leaf_faults) + 1):
                for some in itertools.combinations(leaf_faults, number):
                    faults = tuple(
                        (name, Faulted(kind, level)) for name, kind in (*block, *some)
                    )
                    yield from combination(cpu, shape, level, faults)


def combination(
    cpu: EmulatedCpu, shape: Shape, level: int, wrong: tuple[tuple[str, Outcome], ...]
) -> Iterator[Question]:
    """Make one leaf that has all of some faults."""
    granule, ipa_bits, start_level, lpa2 = shape
    names = {name for name, _ in wrong}
    ps = tight_ps(shape)
    case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2, ps, level)
    high = 0
    if "output size" in names:
        high = max(1 << case.output_bits, 1 << ENTRY_SHIFT[granule][level])
        if high >= 1 << 48:  # what a descriptor can say, whatever PS is
            return
    leaf = LEAF
    leaf &= ~(ACCESSED if "access flag" in names else 0)
    leaf &= ~(READ | WRITE if "permission" in names else 0)
    laid = layout(
        granule,
        ipa_bits,
        start_level,
        0,
        lpa2=lpa2,
        ps=ps,
        leaf=leaf,
        leaf_level=level,
        output=LOW_OUTPUT | high,
    )
    case = attrs.evolve(case, output_address=laid.output_address, wrong=wrong)
    for access in ACCESSES:
        what = " and ".join(name for name, _ in wrong) or "nothing wrong"
        yield Question(what, case, laid.probe(access), case.right)


def before_the_walk(cpu: EmulatedCpu) -> Iterator[Question]:
    """A root that is too large comes after the shape and the IPA, before its entry."""
    for shape in extreme_shapes(cpu):
        granule, ipa_bits, start_level, lpa2 = shape
        ps = tight_ps(shape)
        case = Case(granule, ipa_bits, start_level, cpu.pa_bits, lpa2, ps)
        if case.output_bits >= 48:
            continue
        case = attrs.evolve(case, high=1 << case.output_bits, high_in="root")
        laid = lay(shape, 3, LEAF, ps=ps)
        empty = attrs.evolve(laid.probe(depth=0), vttbr=case.high)
        yield Question("root and entry", case, empty, Faulted("address size", 0))
        beyond = attrs.evolve(empty, ipa=1 << ipa_bits)
        right = beyond_stage_1(cpu, beyond.ipa, REFUSED)
        yield Question("root and IPA", case, beyond, right)
        # Twice the IPA space of sixteen tables at the root: that never fits.
        most = ENTRY_SHIFT[granule][start_level] + TABLE_BITS[granule] + 4
        unfit = attrs.evolve(case, ipa_bits=most + 1)
        probe = attrs.evolve(empty, vtcr=laid.vtcr & ~0x3F | 64 - unfit.ipa_bits)
        yield Question("root and shape", unfit, probe, REFUSED)


BAD_DESCRIPTORS: tuple[Questions, ...] = (
    types,
    nowhere,
    access_flag,
    permission,
    harmless,
    unused_bits,
    order,
    before_the_walk,
)
