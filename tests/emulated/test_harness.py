# SPDX-License-Identifier: MIT
"""The emulated CPUs on words made by hand: do they answer as the manual says?

Everything is written out in hexadecimal, so that nothing between the words and the
answers can be wrong in the same way twice.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from emulated import availability
from emulated.cpu import (
    RAM_BASE,
    RAM_SIZE,
    EmulatedCpu,
    Faulted,
    IdRegisters,
    Outcome,
    Probe,
    Translated,
    decode_esr,
    decode_par,
)
from emulated.qemu_cpu import MODELS, QemuCpu, QemuError, build_program, qemu_version

if TYPE_CHECKING:
    from pathlib import Path

    from emulated.unicorn_cpu import UnicornCpu

ROOT = RAM_BASE

# VTCR_EL2 for 4K pages: RES1, the CPU's largest PS, SL0, T0SZ.
START_3_IPA_39 = 0x8006_0019 | 3 << 6
START_2_IPA_30 = 0x8006_0022
START_1_IPA_39 = 0x8006_0059
START_1_IPA_40 = 0x8006_0058
START_0_IPA_48 = 0x8006_0090
DS = 1 << 32
SL2 = 1 << 33

TABLE = 0x003
PAGE = 0x7FF  # read, write, accessed, inner shareable, normal, valid
BLOCK = 0x7FD
PAGE_NOT_ACCESSED = 0x3FF
PAGE_READ_ONLY = 0x77F
PAGE_WRITE_ONLY = 0x7BF
PAGE_NO_ACCESS = 0x73F


@pytest.fixture(
    scope="session",
    params=[
        ("unicorn_cpus", "cortex-a53"),
        ("unicorn_cpus", "cortex-a57"),
        ("unicorn_cpus", "cortex-a72"),
        ("unicorn_cpus", "max"),
        ("qemu_cpus", "max"),
        ("qemu_cpus", "max,lpa2=off"),
        ("qemu_cpus", "neoverse-n1"),
        ("qemu_cpus", "cortex-a57"),
        ("qemu_cpus", "cortex-a76"),
    ],
    ids="-".join,
)
def cpu(request: pytest.FixtureRequest) -> EmulatedCpu:
    """Each emulated CPU in turn."""
    fixture, model = request.param
    found: EmulatedCpu = request.getfixturevalue(fixture)[model]
    return found


def ask(cpu: EmulatedCpu, *probes: Probe) -> list[Outcome]:
    """Run and return what a comparison reads best: the list alone."""
    return cpu.run(probes)


def chain(*words: int) -> tuple[tuple[int, int], ...]:
    """Place one descriptor at the head of each of consecutive 4K tables."""
    return tuple((ROOT + 0x1000 * n, word) for n, word in enumerate(words))


def table(n: int) -> int:
    """Point to the n-th of those tables."""
    return ROOT + 0x1000 * n | TABLE


class TestAnswers:
    """Every emulated CPU, the same words."""

    def test_one_level_walk(self, cpu: EmulatedCpu) -> None:
        """A block of 1 GiB straight from the root."""
        probe = Probe(
            START_1_IPA_39, ROOT, 0x123456, "read", ((ROOT, 4 << 30 | BLOCK),)
        )

        assert [Translated(0x1_0012_3000)] == ask(cpu, probe)

    def test_page_after_three_levels(self, cpu: EmulatedCpu) -> None:
        """Level 1 to level 3, each with an index of its own."""
        ipa = 3 << 30 | 5 << 21 | 7 << 12 | 0xABC
        descriptors = (
            (ROOT + 8 * 3, table(1)),
            (ROOT + 0x1000 + 8 * 5, table(2)),
            (ROOT + 0x2000 + 8 * 7, 0x12_3456_7000 | PAGE),
        )
        probe = Probe(START_1_IPA_39, ROOT, ipa, "read", descriptors)

        assert [Translated(0x12_3456_7000)] == ask(cpu, probe)

    @pytest.mark.parametrize(
        ("ipa", "entry"), [(0x7F_FFFF_F000, 511), (0x80_0000_0000, 512)]
    )
    def test_both_sides_of_a_seam(self, cpu: EmulatedCpu, ipa: int, entry: int) -> None:
        """With 40 bits two root tables lie side by side, indexed as one."""
        descriptors = ((ROOT + 8 * entry, 2 << 30 | BLOCK),)
        probe = Probe(START_1_IPA_40, ROOT, ipa, "read", descriptors)

        assert [Translated(2 << 30 | ipa % (1 << 30))] == ask(cpu, probe)

    def test_last_entry_of_sixteen_root_tables(self, cpu: EmulatedCpu) -> None:
        """34 bits from level 2: the last 2 MiB go through the sixteenth table."""
        ipa = (1 << 34) - 1
        descriptors = ((ROOT + 0xFFF8, 0x4000_0000 | BLOCK),)
        probe = Probe(0x8006_001E, ROOT, ipa, "read", descriptors)

        assert [Translated(0x401F_F000)] == ask(cpu, probe)

    @pytest.mark.parametrize("level", [1, 2, 3])
    def test_hole_at_each_level(self, cpu: EmulatedCpu, level: int) -> None:
        """An invalid descriptor is a translation fault at its own level."""
        descriptors = chain(table(1), table(2))[: level - 1]
        probe = Probe(START_1_IPA_39, ROOT, 0, "read", descriptors)

        assert [Faulted("translation", level)] == ask(cpu, probe)

    def test_hole_at_level_0(self, cpu: EmulatedCpu) -> None:
        """A root at level 0 needs 44 bits; without them the level is 0 as well."""
        probe = Probe(START_0_IPA_48, ROOT, 0)

        assert [Faulted("translation", 0)] == ask(cpu, probe)

    def test_access_flag(self, cpu: EmulatedCpu) -> None:
        """No access flag, no access: at the level of the leaf."""
        page = chain(table(1), 1 << 30 | PAGE_NOT_ACCESSED)
        block = chain(1 << 30 | PAGE_NOT_ACCESSED & ~2)

        assert [Faulted("access flag", 3), Faulted("access flag", 1)] == ask(
            cpu,
            Probe(START_2_IPA_30, ROOT, 0, "read", page),
            Probe(START_1_IPA_39, ROOT, 0, "read", block),
        )

    @pytest.mark.parametrize(
        ("page", "readable", "writable"),
        [
            (PAGE, True, True),
            (PAGE_READ_ONLY, True, False),
            (PAGE_WRITE_ONLY, False, True),
            (PAGE_NO_ACCESS, False, False),
        ],
    )
    def test_permission(
        self, cpu: EmulatedCpu, page: int, readable: bool, writable: bool
    ) -> None:
        """S2AP has a bit for reading and a bit for writing."""
        descriptors = chain(table(1), 0x1_2345_6000 | page)
        answer = {True: Translated(0x1_2345_6000), False: Faulted("permission", 3)}

        assert [answer[readable], answer[writable]] == ask(
            cpu,
            Probe(START_2_IPA_30, ROOT, 0, "read", descriptors),
            Probe(START_2_IPA_30, ROOT, 0, "write", descriptors),
        )

    def test_misaligned_root(self, cpu: EmulatedCpu) -> None:
        """The bits of BADDR below the root's size are as good as zero."""
        descriptors = ((ROOT + 8 * 512, 2 << 30 | BLOCK),)
        probe = Probe(START_1_IPA_40, ROOT + 0x1000, 1 << 39, "read", descriptors)

        assert [Translated(2 << 30)] == ask(cpu, probe)

    def test_ipa_beyond_the_range(self, cpu: EmulatedCpu) -> None:
        """It does not wrap around to the first entry, and the level is 0."""
        descriptors = ((ROOT, 4 << 30 | BLOCK),)
        probe = Probe(START_1_IPA_39, ROOT, 1 << 39, "read", descriptors)

        assert [Faulted("translation", 0)] == ask(cpu, probe)

    def test_nothing_leaks_between_probes(self, cpu: EmulatedCpu) -> None:
        """A descriptor is gone after its probe, and so is what the TLB made of it."""
        mapped = Probe(START_1_IPA_39, ROOT, 0, "read", ((ROOT, 4 << 30 | BLOCK),))
        moved = Probe(START_1_IPA_39, ROOT, 0, "read", ((ROOT, 5 << 30 | BLOCK),))
        empty = Probe(START_1_IPA_39, ROOT, 0)
        rounds = [Translated(4 << 30), Faulted("translation", 1), Translated(5 << 30)]

        assert rounds * 2 == ask(cpu, *[mapped, empty, moved] * 2)
        assert [Faulted("translation", 1)] == ask(cpu, empty)

    def test_descriptor_written_twice(self, cpu: EmulatedCpu) -> None:
        """The last one counts, and still nothing stays behind."""
        twice = ((ROOT, 4 << 30 | BLOCK), (ROOT, 5 << 30 | BLOCK))
        probe = Probe(START_1_IPA_39, ROOT, 0, "read", twice)
        empty = Probe(START_1_IPA_39, ROOT, 0)

        assert [Translated(5 << 30), Faulted("translation", 1)] == ask(
            cpu, probe, empty
        )

    def test_image(self, cpu: EmulatedCpu) -> None:
        """An image is there for every probe of its run, and gone after it."""
        image = {ROOT: (4 << 30 | BLOCK).to_bytes(8, "little") + bytes(0xFF8)}
        plain = Probe(START_1_IPA_39, ROOT, 0)
        covering = Probe(START_1_IPA_39, ROOT, 0, "read", ((ROOT, 5 << 30 | BLOCK),))
        answers = [Translated(4 << 30), Translated(5 << 30), Translated(4 << 30)]

        assert answers == cpu.run([plain, covering, plain], image)
        assert [Faulted("translation", 1)] == ask(cpu, plain)

    def test_image_of_a_whole_window(self, cpu: EmulatedCpu) -> None:
        """As large as memory is: the last page of it can be walked."""
        last = RAM_BASE + RAM_SIZE - 0x1000
        image = {last: bytes(0xFF8) + (6 << 30 | BLOCK).to_bytes(8, "little")}
        probe = Probe(START_1_IPA_39, last, 0x7F_C000_0000)

        assert [Translated(6 << 30)] == cpu.run([probe], image)

    def test_order_and_number(self, cpu: EmulatedCpu) -> None:
        """Five thousand questions, five thousand answers, each in its place."""
        probes = [
            Probe(START_1_IPA_39, ROOT, n << 12, "read", ((ROOT, 4 << 30 | BLOCK),))
            for n in range(5000)
        ]

        assert [Translated(4 << 30 | n << 12) for n in range(5000)] == cpu.run(probes)

    def test_no_questions(self, cpu: EmulatedCpu) -> None:
        """No answers either, and no trouble."""
        assert not cpu.run([])

    @pytest.mark.parametrize(
        "image", [{RAM_BASE - 8: bytes(8)}, {RAM_BASE + RAM_SIZE - 8: bytes(16)}]
    )
    def test_image_outside_memory(
        self, cpu: EmulatedCpu, image: dict[int, bytes]
    ) -> None:
        """Refused before anything is written."""
        with pytest.raises(ValueError, match="outside the memory for tables"):
            cpu.run([], image)

    def test_small_space_has_no_ttst(self, cpu: EmulatedCpu) -> None:
        """A root of 4K pages at level 3 exists with FEAT_TTST alone."""
        probe = Probe(0x8006_00E8, ROOT, 0, "read", ((ROOT, 1 << 30 | PAGE),))
        answer = Translated(1 << 30) if cpu.ttst else Faulted("translation", 0)

        assert [answer] == ask(cpu, probe)


class TestUnicorn:
    """What only Unicorn is asked."""

    @pytest.mark.parametrize(
        ("model", "pa_bits"),
        [("cortex-a53", 40), ("cortex-a57", 44), ("cortex-a72", 44), ("max", 44)],
    )
    def test_size(
        self, unicorn_cpus: dict[str, UnicornCpu], model: str, pa_bits: int
    ) -> None:
        """PARange as the engine itself reads it."""
        assert pa_bits == unicorn_cpus[model].pa_bits
        assert f"unicorn/{model}" == unicorn_cpus[model].name

    def test_level_0_needs_44_bits(self, unicorn_cpus: dict[str, UnicornCpu]) -> None:
        """42-bit IPA from level 0: four entries, on the CPU that is large enough."""
        descriptors = chain(table(1), 4 << 30 | BLOCK)
        probe = Probe(0x8006_0098, ROOT, 0, "read", descriptors)

        assert [Faulted("translation", 0)] == unicorn_cpus["cortex-a53"].run([probe])
        assert [Translated(4 << 30)] == unicorn_cpus["cortex-a72"].run([probe])


class TestQemu:
    """What only QEMU is asked: large addresses, and to fail well."""

    @pytest.mark.parametrize(
        ("model", "pa_bits", "lpa2", "granules"),
        [
            ("max", 52, True, frozenset({12, 14, 16})),
            ("max,lpa2=off", 52, False, frozenset({12, 14, 16})),
            ("neoverse-n1", 48, False, frozenset({12, 14, 16})),
            ("cortex-a57", 44, False, frozenset({12, 16})),
            ("cortex-a76", 40, False, frozenset({12, 14, 16})),
        ],
    )
    def test_features(
        self,
        qemu_cpus: dict[str, QemuCpu],
        model: str,
        pa_bits: int,
        lpa2: bool,
        granules: frozenset[int],
    ) -> None:
        """The ID registers, read from inside, are of the CPU that was asked for."""
        cpu = qemu_cpus[model]

        assert (pa_bits, lpa2, granules) == (cpu.pa_bits, cpu.lpa2, cpu.granules)
        assert model.startswith("max") == cpu.ttst

    @pytest.mark.parametrize("model", MODELS)
    def test_output_address_size(
        self, qemu_cpus: dict[str, QemuCpu], model: str
    ) -> None:
        """PS says 32 bits: 33 are too many, for a leaf, a table and the root."""
        vtcr = START_2_IPA_30 & ~(7 << 16)
        leaf = chain(table(1), 1 << 32 | PAGE)
        pointer = chain(1 << 32 | TABLE)

        assert [
            Faulted("address size", 3),
            Faulted("address size", 2),
            Faulted("address size", 0),
        ] == ask(
            qemu_cpus[model],
            Probe(vtcr, ROOT, 0, "read", leaf),
            Probe(vtcr, ROOT, 0, "read", pointer),
            Probe(vtcr, 1 << 32, 0),
        )

    def test_level_minus_one(self, qemu_cpu: QemuCpu) -> None:
        """52 bits with LPA2: five levels of lookup, and a hole at each of them."""
        vtcr = 0x8006_000C | DS | SL2
        ipa = 0xF_FFFF_FFFF_F000
        words = (*(table(n) for n in range(1, 5)), 0xABC_DEF0_1000 | 0x4FF)
        places = (0x78, 0xFF8, 0xFF8, 0xFF8, 0xFF8)
        descriptors = tuple(
            (ROOT + 0x1000 * n + place, word)
            for n, (place, word) in enumerate(zip(places, words, strict=True))
        )
        probes = [
            Probe(vtcr, ROOT, ipa, "read", descriptors[:depth]) for depth in range(6)
        ]
        holes = [Faulted("translation", level) for level in range(-1, 4)]

        assert [*holes, Translated(0xABC_DEF0_1000)] == ask(qemu_cpu, *probes)

    def test_large_output_addresses(self, qemu_cpu: QemuCpu) -> None:
        """All 52 bits of a leaf: LPA2 at level 0, 1 and 3, and 64K at level 1."""
        bits_51_50 = 2 << 8
        lpa2 = 0x4FD | bits_51_50  # no shareability in the leaf
        level_0 = ((ROOT, 0x1_2300_0000_0000 | lpa2),)
        level_1 = ((ROOT, 0x1_2345_4000_0000 | lpa2),)
        level_3 = (
            (ROOT, table(1)),
            (ROOT + 0x1000, 0x1_2345_6789_A000 | lpa2 | 2),
        )
        large = ((ROOT, 0x2400_0000_0000 | 9 << 12 | BLOCK),)

        assert [
            Translated(0x9_2300_0000_0000),
            Translated(0x9_2345_4000_0000),
            Translated(0x9_2345_6789_A000),
            Translated(0x9_2400_0000_0000),
        ] == ask(
            qemu_cpu,
            Probe(0x8006_008C | DS, ROOT, 0, "read", level_0),
            Probe(START_1_IPA_39 | DS, ROOT, 0, "read", level_1),
            Probe(START_2_IPA_30 | DS, ROOT, 0, "read", level_3),
            Probe(0x8006_408C, ROOT, 0, "read", large),
        )

    @pytest.mark.parametrize("level", [-1, 0, 1, 2, 3])
    def test_table_outside_memory(self, qemu_cpu: QemuCpu, level: int) -> None:
        """The CPU takes an external abort, at the level it could not read."""
        nowhere = 0x70_0000_0000
        vtcr = 0x8006_000C | DS | SL2
        words = [table(n) for n in range(1, level + 1)] + [nowhere | TABLE]
        root = nowhere if level < 0 else ROOT
        probe = Probe(vtcr, root, 0, "read", chain(*words) if level >= 0 else ())
        after = Probe(START_1_IPA_39, ROOT, 0, "read", ((ROOT, 4 << 30 | BLOCK),))

        assert [Faulted("external abort", level), Translated(4 << 30)] == ask(
            qemu_cpu, probe, after
        )

    def test_root_above_48_bits(self, qemu_cpu: QemuCpu) -> None:
        """BADDR keeps address bits 51:48 in bits 5:2; there is no memory up there."""
        probe = Probe(START_1_IPA_39 | DS, ROOT | 1 << 5, 0, "read", chain(BLOCK))

        assert [Faulted("external abort", 1)] == ask(qemu_cpu, probe)

    def test_more_descriptors_than_the_program_takes(self, qemu_cpu: QemuCpu) -> None:
        """That is what an image is for."""
        probe = Probe(START_1_IPA_39, ROOT, 0, "read", ((ROOT, 0),) * 65)

        with pytest.raises(ValueError, match="at most 64 descriptors"):
            qemu_cpu.run([probe])


class TestFailure:
    """A harness that hangs or guesses is worse than none."""

    def test_build_that_fails(self, tmp_path: Path) -> None:
        """The compiler's own words reach whoever reads the test report."""
        availability.require("qemu")
        source = tmp_path / "broken.c"
        source.write_text("int main(void) { return nonsense; }\n")

        with pytest.raises(QemuError, match="nonsense"):
            build_program(tmp_path, sources=[source])

    def test_no_compiler(self, tmp_path: Path) -> None:
        """The error names the command."""
        with pytest.raises(QemuError, match="cannot run no-such-compiler"):
            build_program(tmp_path, compiler="no-such-compiler")

    def test_no_emulator(self) -> None:
        """The error names the command."""
        with pytest.raises(QemuError, match="cannot run no-such-emulator"):
            qemu_version("no-such-emulator")

    def test_cpu_that_does_not_exist(self, qemu_program: Path) -> None:
        """What QEMU has against it is in the message."""
        with pytest.raises(QemuError, match="cortex-a999"):
            QemuCpu(qemu_program, "cortex-a999")

    def test_cpu_without_el2(self, qemu_program: Path) -> None:
        """A CPU that cannot be virtualized never greets."""
        with pytest.raises(QemuError, match="it ended with status"):
            QemuCpu(qemu_program, "cortex-m4")

    def test_program_that_never_answers(self, tmp_path: Path) -> None:
        """The deadline ends the wait, and QEMU with it."""
        availability.require("qemu")
        source = tmp_path / "mute.c"
        source.write_text("void _start(void) { for (;;) ; }\n")
        program = build_program(tmp_path, sources=[source])
        started = time.monotonic()

        with pytest.raises(QemuError, match="no answer within"):
            QemuCpu(program, timeout=1.5)
        assert time.monotonic() - started < 15

    def test_killed(self, qemu_program: Path) -> None:
        """A QEMU that dies says so, now and whenever it is asked again."""
        with QemuCpu(qemu_program, "cortex-a57") as cpu:
            os.kill(cpu.pid, signal.SIGKILL)

            with pytest.raises(QemuError, match="it ended with status -9"):
                cpu.run([Probe(START_1_IPA_39, ROOT, 0)])
            with pytest.raises(QemuError, match="cannot be used"):
                cpu.run([Probe(START_1_IPA_39, ROOT, 0)])

    def test_stopped(self, qemu_program: Path) -> None:
        """A QEMU that is alive but silent is given up on, too."""
        with QemuCpu(qemu_program, "cortex-a57", timeout=10) as cpu:
            cpu.timeout = 0.3
            os.kill(cpu.pid, signal.SIGSTOP)

            with pytest.raises(QemuError, match=r"no answer within 0\.3 seconds"):
                cpu.run([Probe(START_1_IPA_39, ROOT, 0)] * 2000)

    def test_exception_inside(self, qemu_program: Path) -> None:
        """An exception that nobody expects ends the program with its registers."""
        with QemuCpu(qemu_program, "cortex-a57") as cpu:
            nowhere = 0x70_0000_0000
            probe = Probe(START_1_IPA_39, ROOT, 0)
            object.__setattr__(probe, "descriptors", ((nowhere, 0),))

            with pytest.raises(QemuError, match="exception at EL2: ESR, ELR, FAR"):
                cpu.run([probe])

    def test_closed(self, qemu_program: Path) -> None:
        """Closing twice is fine, asking after it is not."""
        cpu = QemuCpu(qemu_program, "cortex-a57")
        cpu.close()
        cpu.close()

        with pytest.raises(QemuError, match="it was closed"):
            cpu.run([Probe(START_1_IPA_39, ROOT, 0)])


class TestValues:
    """The value classes, without any emulator."""

    @pytest.mark.parametrize(
        ("par", "outcome"),
        [
            (0x0000_0012_3456_7B80, Translated(0x12_3456_7000)),
            (0xFF0F_1234_5678_9000, Translated(0xF_1234_5678_9000)),
            (0xA01, Faulted("address size", 0)),
            (0xA07, Faulted("address size", 3)),
            (0xA0B, Faulted("translation", 1)),
            (0xA13, Faulted("access flag", 1)),
            (0xA1F, Faulted("permission", 3)),
            (0x801, Faulted("address size", 0, stage=1)),
            (0xA53, Faulted("address size", -1)),
            (0xA57, Faulted("translation", -1)),
            (0xA27, Faulted("external abort", -1)),
            (0xA2F, Faulted("external abort", 3)),
        ],
    )
    def test_par(self, par: int, outcome: Outcome) -> None:
        """PAR_EL1 as the manual lays it out, and kept whole."""
        assert outcome == decode_par(par)
        assert par == decode_par(par).par

    def test_par_of_no_walk(self) -> None:
        """A TLB conflict is nothing that a harness should pass on as an answer."""
        with pytest.raises(ValueError, match="fault status 0b110000"):
            decode_par(0xA61)

    def test_esr(self) -> None:
        """An external abort comes as an exception, which PAR_EL1 knows nothing of."""
        assert Faulted("external abort", 1) == decode_esr(0x9600_0155)

    def test_esr_of_something_else(self) -> None:
        """An undefined instruction is a mistake of the harness, not an answer."""
        with pytest.raises(ValueError, match="not of a data abort"):
            decode_esr(0x0200_0000)

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"vtcr": 1 << 64}, "vtcr must be a 64-bit word"),
            ({"vttbr": -1}, "vttbr must be a 64-bit word"),
            ({"ipa": 1 << 64}, "ipa must be a 64-bit word"),
            ({"access": "execute"}, "'access' must be in"),
            ({"descriptors": ((ROOT + 4, 0),)}, "8-byte aligned"),
            ({"descriptors": ((ROOT - 8, 0),)}, "outside the memory for tables"),
            ({"descriptors": ((ROOT, 1 << 64),)}, "a descriptor must be a 64-bit"),
        ],
    )
    def test_probe_that_cannot_be_asked(
        self, fields: dict[str, object], message: str
    ) -> None:
        """A mistake in a test shows where it is made, not inside an emulator."""
        arguments = {"vtcr": 0, "vttbr": 0, "ipa": 0, **fields}

        with pytest.raises(ValueError, match=message):
            Probe(**arguments)  # type: ignore[arg-type]

    def test_id_registers(self) -> None:
        """Stage 2 has granule fields of its own, which override those of stage 1."""
        inherited = IdRegisters(0x1020_1126, 0, 0)
        refused = IdRegisters(0x111_1020_1126, 0, 0)
        absent = IdRegisters(0xFF00_1126, 0, 0)
        given = IdRegisters(0x322_FF00_1126, 0, 1 << 28)
        everything = frozenset({12, 14, 16})

        assert (True, everything) == (inherited.lpa2, inherited.granules)
        assert (False, frozenset()) == (refused.lpa2, refused.granules)
        assert (False, frozenset()) == (absent.lpa2, absent.granules)
        assert (True, everything) == (given.lpa2, given.granules)
        assert given.ttst
        assert not absent.ttst


class TestAvailability:
    """An oracle that is missing is a skip, or a failure where all must be there."""

    @pytest.fixture(autouse=True)
    def bare_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hide all commands and packages."""
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(
            availability.importlib.util,  # type: ignore[attr-defined]
            "find_spec",
            lambda _: None,
        )

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("unicorn", "pip install unicorn"),
            ("qemu", "Debian package qemu-system-arm"),
        ],
    )
    def test_missing(
        self, monkeypatch: pytest.MonkeyPatch, name: str, hint: str
    ) -> None:
        """Either way the message says what to install."""
        monkeypatch.delenv("S2GEOM_ALL", raising=False)
        assert not availability.wanted(name)
        with pytest.raises(pytest.skip.Exception, match=hint):
            availability.require(name)

        monkeypatch.setenv("S2GEOM_ALL", "1")
        assert availability.wanted(name)
        with pytest.raises(pytest.fail.Exception, match=hint):
            availability.require(name)
