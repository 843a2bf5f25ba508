# SPDX-License-Identifier: MIT
"""Where the emulated CPUs are known to differ from the architecture, as data.

Each row says for which emulator and which of its versions, for which cases, what it
answers instead, and why that is known. Nothing is skipped: a test asks the emulator
anyway and expects what `predict` makes of the architecture's answer, so a row that is
too narrow, too wide or no longer true fails a test.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Final

import attrs

from emulated.cpu import Faulted, Outcome, Translated, version_tuple
from emulated.layout import ENTRY_SHIFT, PS_LARGEST, TABLE_BITS, root_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulated.cpu import EmulatedCpu

PS_BITS: Final = (32, 36, 40, 42, 44, 48, 52)
REFUSED: Final = Faulted("translation", 0)
# What an emulator answers that does not survive the question.
KILLED: Final = Faulted("none: the emulator died", 0)
ANY_VERSION: Final = (sys.maxsize,)


@attrs.frozen
class Case:
    """What a row may depend on.

    Attributes:
        granule: The page shift.
        ipa_bits: 64 - T0SZ.
        start_level: As VTCR_EL2 says.
        pa_bits: Physical address bits of the CPU.
        lpa2: Whether VTCR_EL2.DS is set.
        ps: The PS field of VTCR_EL2.
        leaf_level: Where the leaf is.
        output_address: Where the descriptors lead, if one follows them.
        high: A single address bit that the root, a table or the leaf has besides those
            that lie in memory: 1 << 47, say. 0 when there is none.
        high_in: Which of them has it.
        stray: Bits of a leaf that are reserved: between its address and its attributes.
        dirty: Whether S2AP forbids the access and hardware management of the dirty
            state (HA, HD and DBM) allows it.
        wrong: What is wrong with the descriptors, in the order in which a walk gets to
            it: a name, and the fault that it is.
    """

    granule: int
    ipa_bits: int
    start_level: int
    pa_bits: int
    lpa2: bool = False
    ps: int = PS_LARGEST
    leaf_level: int = 3
    output_address: int = attrs.field(default=0, repr=hex)
    high: int = attrs.field(default=0, repr=hex)
    high_in: str | None = attrs.field(
        default=None,
        validator=attrs.validators.in_((None, "root", "table", "leaf")),
    )
    stray: int = attrs.field(default=0, repr=hex)
    dirty: bool = False
    wrong: tuple[tuple[str, Outcome], ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Granule, IPA bits and start level, as `layout` takes them."""
        return self.granule, self.ipa_bits, self.start_level

    @property
    def right(self) -> Outcome:
        """What the descriptors come to, by what is wrong with them."""
        if self.wrong:
            return self.wrong[0][1]
        return Translated(self.output_address)

    def without(self, name: str | None) -> Case:
        """Leave out one thing that is wrong."""
        rest = tuple(wrong for wrong in self.wrong if wrong[0] != name)
        return attrs.evolve(self, wrong=rest)

    @property
    def output_bits(self) -> int:
        """Address bits that the CPU lets out: the smallest of PS, PARange, format."""
        most = 52 if self.lpa2 or self.granule == 16 else 48
        return min(PS_BITS[self.ps], self.pa_bits, most)


@attrs.frozen
class Limit:
    """One way in which one emulator differs.

    Attributes:
        id: A name for messages.
        emulator: "unicorn" or "qemu".
        since: The first version that is known to do it.
        before: The first version that no longer does.
        reason: What it does, and how that is known.
        applies: Whether a case is one of those.
        answer: What it says instead, from the case and the architecture's answer.
        overlooks: Instead of an answer: which of the things in `Case.wrong` it does not
            mind, so that the next one counts.
    """

    id: str
    emulator: str
    since: tuple[int, ...]
    before: tuple[int, ...]
    reason: str
    applies: Callable[[Case], bool]
    answer: Callable[[Case, Outcome], Outcome] | None = None
    overlooks: str | None = None

    def concerns(self, cpu: EmulatedCpu) -> bool:
        """Whether this is about an emulator of that name and version."""
        version = version_tuple(cpu.version)
        return self.emulator == cpu.emulator and self.since <= version < self.before


def _refuse(_: Case, right: Outcome) -> Outcome:
    """Fault before the walk begins; only the check of stage 1 comes before that."""
    return right if isinstance(right, Faulted) and right.stage == 1 else REFUSED


def _walk_on(case: Case, right: Outcome) -> Outcome:
    """Take what should have been a fault of stage 2 for fine."""
    if isinstance(right, Faulted) and right.stage == 2:
        return Translated(case.output_address & ~case.high)
    return right


def _read_zeros(_: Case, right: Outcome) -> Outcome:
    """Fetch a descriptor from where there is no memory, and find 0."""
    if isinstance(right, Faulted) and right.kind == "external abort":
        return Faulted("translation", right.level)
    return right


def _let_out(case: Case, right: Outcome) -> Outcome:
    """Use the address of a table that is too large; stage 1 looks at the IPA first."""
    if isinstance(right, Faulted) and (right.kind, right.stage) == ("address size", 2):
        return Faulted("translation", case.start_level + (case.high_in == "table"))
    return right


def _fits(case: Case) -> bool:
    """Whether the start level resolves 1 bit up to those of 16 tables."""
    bits = case.ipa_bits - ENTRY_SHIFT[case.granule][case.start_level]
    return 1 <= bits <= TABLE_BITS[case.granule] + 4


def _level_by_size(case: Case, bits: int) -> bool:
    """Whether so many address bits are too few for the start level."""
    needed = {(12, 0): 44, (14, 1): 42, (16, 1): 44}
    return bits < needed.get((case.granule, case.start_level), 0)


def _hidden_by_ps(case: Case) -> bool:
    """Whether PS is below 52 bits and the address has a bit that only 52 bits have."""
    lowest = 50 if case.lpa2 and case.high_in != "root" else 48
    return case.output_bits < 52 and case.high >= 1 << lowest


# The first row that applies decides, so they are in the order in which a walk gets to
# them: what is refused is not walked.
LIMITS: Final = (
    Limit(
        "small-ipa-space-is-25-bits",
        "unicorn",
        (2,),
        ANY_VERSION,
        "T0SZ above 39 acts as 39, which the architecture allows (IMPLEMENTATION "
        "DEFINED without FEAT_TTST); measured",
        lambda case: (
            case.ipa_bits < 25
            and _fits(attrs.evolve(case, ipa_bits=25))
            # 25 bits from level 3 of 4K pages need FEAT_TTST.
            and (case.granule, case.start_level) != (12, 3)
        ),
        _walk_on,
    ),
    Limit(
        "ipa-wider-than-ps",
        "qemu",
        (7, 2),
        (8,),
        "VTCR_EL2.PS, not PARange alone, bounds the IPA size; measured, and gone with "
        "QEMU's commit 'target/arm: Rewrite check_s2_mmu_setup'",
        lambda case: case.ipa_bits > case.output_bits,
        _refuse,
    ),
    Limit(
        "start-level-by-ps",
        "qemu",
        (7, 2),
        (8,),
        "VTCR_EL2.PS, not PARange alone, decides about start levels that need 42 or 44 "
        "physical address bits; measured, and gone like 'ipa-wider-than-ps'",
        lambda case: _level_by_size(case, case.output_bits),
        _refuse,
    ),
    Limit(
        "4k-level-minus-one-for-52-bits-alone",
        "qemu",
        (7, 2),
        (8,),
        "4K pages start at level -1 for 52-bit IPAs and no others; measured, and gone "
        "like 'ipa-wider-than-ps'",
        lambda case: case.start_level == -1 and case.ipa_bits < 52,
        _refuse,
    ),
    Limit(
        "16k-level-0",
        "qemu",
        (7, 2),
        (8,),
        "16K pages never start at level 0, not even with DS; measured, and gone like "
        "'ipa-wider-than-ps'",
        lambda case: case.granule == 14 and case.start_level == 0,
        _refuse,
    ),
    Limit(
        "ipa-wider-than-parange",
        "qemu",
        (8,),
        ANY_VERSION,
        "IPA sizes above PARange are taken, up to 48 bits, or 52 with DS or FEAT_LVA; "
        "measured on 10.0 and 11.1, and read in the source of 8.0",
        lambda case: (
            case.pa_bits < case.ipa_bits <= (52 if case.lpa2 else 48)
            # 16K pages start at level 0 with DS alone, which is checked before.
            and (case.lpa2 or (case.granule, case.start_level) != (14, 0))
            and _fits(case)
            and not _level_by_size(case, case.pa_bits)
        ),
        _walk_on,
    ),
    Limit(
        "fault-of-a-block-at-level-minus-one",
        "qemu",
        (7, 2),
        (8, 2),
        "QEMU ends, on an assertion: there are no codes for access flag and permission "
        "faults at level -1, which has no leaves, but blocks are taken there; measured",
        lambda case: (
            case.leaf_level == -1
            and isinstance(case.without("block").right, Faulted)
            and case.without("block").wrong[0][0] != "output size"
        ),
        lambda *_: KILLED,
    ),
    Limit(
        "block-at-any-level",
        "unicorn",
        (2,),
        ANY_VERSION,
        "blocks are taken at every level above 3; measured",
        lambda _: True,
        overlooks="block",
    ),
    Limit(
        "block-at-any-level",
        "qemu",
        (7, 2),
        (8, 2),
        "blocks are taken at every level above 3; measured, and gone with QEMU's "
        "lpae_block_desc_valid()",
        lambda _: True,
        overlooks="block",
    ),
    Limit(
        "root-below-64-bytes",
        "qemu",
        (7, 2),
        (11, 1),
        "with DS and PS below 52 bits, a root of less than 64 bytes may begin at any "
        "multiple of its size, so that VTTBR_EL2 bits 5:4 move it; measured on 7.2 and "
        "10.0, and gone in 11.1 (no release between these two was run)",
        lambda case: (
            case.high_in == "root"
            and case.output_bits < 52
            # Where BADDR has that address bit: 51:48 are its bits 5:2.
            and case.high >> 46 >= root_bytes(*case.shape)
        ),
        lambda case, _: Faulted("translation", case.start_level),
    ),
    Limit(
        "ps-hides-root-bits-51-48-with-ds",
        "qemu",
        (7, 2),
        (11, 1),
        "with DS and PS below 52 bits, VTTBR_EL2 bits 5:2 are not taken for address "
        "bits 51:48; measured on 7.2 and 10.0, and gone in 11.1 (no release between "
        "these two was run)",
        lambda case: _hidden_by_ps(case) and case.lpa2 and case.high_in == "root",
        _walk_on,
    ),
    Limit(
        "ps-hides-address-bits-51-48",
        "qemu",
        (7, 2),
        ANY_VERSION,
        "with PS below 52 bits, VTTBR_EL2 bits 5:2 without DS and 64K descriptor bits "
        "15:12 are not taken for address bits 51:48, nor descriptor bits 9:8 with DS "
        "for 51:50; measured on 7.2, 10.0 and 11.1",
        lambda case: _hidden_by_ps(case) and not (case.lpa2 and case.high_in == "root"),
        _walk_on,
    ),
    Limit(
        "no-write-by-dirty-state-management",
        "qemu",
        (11, 1),
        ANY_VERSION,
        "AT S12E1W with HA, HD and DBM set reports a permission fault where S2AP alone "
        "forbids the write; measured on 11.1, and not so on 7.2 and 10.0 (no release "
        "between was run)",
        lambda case: case.dirty,
        lambda case, _: Faulted("permission", case.leaf_level),
    ),
    Limit(
        "output-size",
        "unicorn",
        (2,),
        ANY_VERSION,
        "the output address of a leaf is never too large, whatever PS and PARange; "
        "measured",
        lambda _: True,
        overlooks="output size",
    ),
    Limit(
        "table-beyond-output-size",
        "unicorn",
        (2,),
        ANY_VERSION,
        "the address of a table, the root too, is never too large; measured",
        lambda case: (
            case.high_in in ("root", "table") and case.high >= 1 << case.output_bits
        ),
        _let_out,
    ),
    Limit(
        "no-memory-is-zeros",
        "unicorn",
        (2,),
        ANY_VERSION,
        "a table where there is no memory is full of zeros instead of an external "
        "abort; measured",
        lambda case: case.high_in in ("root", "table"),
        _read_zeros,
    ),
    Limit(
        "reserved-bits-are-address-bits",
        "unicorn",
        (2,),
        ANY_VERSION,
        "bits of a block that are too low to be of its address, nT among them, are of "
        "its address all the same, down to the page size; measured",
        lambda case: bool(case.stray),
        lambda case, right: (
            Translated(case.output_address | case.stray & -1 << case.granule)
            if isinstance(right, Translated)
            else right
        ),
    ),
)


@attrs.frozen
class StandIn:
    """The page size that an emulator takes where VTCR_EL2.TG0 names none that it has.

    The architecture wants one that is implemented, and leaves it open which.

    Attributes:
        emulator: "unicorn" or "qemu".
        since: The first version that is known to do it.
        before: The first version that no longer does.
        named: The page shift that TG0 names, which the CPU does not declare; `None`
            where TG0 is reserved.
        taken: The page shift by which it walks.
        reason: How that is known.
    """

    emulator: str
    since: tuple[int, ...]
    before: tuple[int, ...]
    named: int | None
    taken: int
    reason: str

    def concerns(self, cpu: EmulatedCpu) -> bool:
        """Whether this is about an emulator of that name and version."""
        version = version_tuple(cpu.version)
        return self.emulator == cpu.emulator and self.since <= version < self.before


STAND_INS: Final = (
    StandIn(
        "unicorn",
        (2,),
        ANY_VERSION,
        14,
        14,
        "no model declares 16K pages, and the walker does them all the same; measured",
    ),
    StandIn("unicorn", (2,), ANY_VERSION, None, 16, "the largest; measured"),
    StandIn("qemu", (7, 2), ANY_VERSION, 14, 12, "the smallest there is; measured"),
    StandIn("qemu", (7, 2), ANY_VERSION, None, 12, "the smallest there is; measured"),
)


@functools.cache
def limits_of(cpu: EmulatedCpu) -> tuple[Limit, ...]:
    """List what is known about an emulator of that name and version."""
    return tuple(limit for limit in LIMITS if limit.concerns(cpu))


def predict(
    cpu: EmulatedCpu, case: Case, right: Outcome
) -> tuple[Outcome, Limit | None]:
    """Say what an emulator will answer, given what the architecture would.

    Returns:
        The answer; and the row that makes it differ from the architecture's, or `None`
        where it does not.
    """
    answer, found = right, None
    for limit in limits_of(cpu):
        if not limit.applies(case):
            continue
        before = answer
        if limit.answer is not None:
            answer = limit.answer(case, answer)
        elif case.wrong:
            case = case.without(limit.overlooks)
            answer = case.right
        if answer != before:
            found = found or limit
        if limit.answer is not None:
            break
    return answer, found
