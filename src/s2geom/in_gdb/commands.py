# SPDX-License-Identifier: MIT
"""``s2 regs``, ``s2 walk`` and ``s2 dump``: the selected CPU's stage 2, in gdb.

The registers are read from gdb's target. Memory is read in QEMU's physical mode, within
the machine's RAM, and the mode is restored.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import frozen

from s2geom.core.errors import S2GeomError, UnreadableInput
from s2geom.core.geometry import Geometry
from s2geom.core.units import size_text
from s2geom.core.wording import counted
from s2geom.readers.debuggers import gdb as gdb_memory
from s2geom.readers.page_cache import cached
from s2geom.registers.vtcr import VTCR_EL2
from s2geom.registers.vttbr import VTTBR_EL2
from s2geom.tables.descriptor import WORD_MASK
from s2geom.tables.faults import Fault
from s2geom.tables.scan import Mapping, scan
from s2geom.tables.trace import trace

SCRIPT = Path(__file__).with_name("script.py")
"""The file that gdb has to ``source``."""

HCR_VM, HCR_FWB = 1 << 0, 1 << 46


@frozen
class Stage2Registers:
    """The words that control stage 2 on one CPU.

    Args:
        vtcr: VTCR_EL2.
        vttbr: VTTBR_EL2.
        hcr: HCR_EL2, 64 bits.
    """

    vtcr: VTCR_EL2
    vttbr: VTTBR_EL2
    hcr: int

    @property
    def on(self) -> bool:
        """Whether stage 2 translates at EL1 and EL0 now (HCR_EL2.VM)."""
        return bool(self.hcr & HCR_VM)

    @property
    def fwb(self) -> bool | None:
        """HCR_EL2.FWB, or None while stage 2 is off: then it is not the VM's."""
        return bool(self.hcr & HCR_FWB) if self.on else None

    @property
    def geometry(self) -> Geometry:
        """The shape that VTCR_EL2 describes."""
        return self.vtcr.geometry()

    @property
    def root(self) -> int:
        """The physical address of the root."""
        if not int(self.vttbr):
            raise UnreadableInput(
                "VTTBR_EL2 is 0: this CPU has no stage-2 tables. Stop it while the "
                "guest runs, or select another CPU (info threads, thread N)"
            )
        return self.vttbr.root(self.geometry, pa_bits=self.vtcr.pa_bits)

    def warnings(self) -> Iterator[str]:
        """Yield why the tables may not be those of the VM that is meant."""
        if not self.on:
            yield (
                "warning: HCR_EL2.VM is 0, so stage 2 is off: the host runs here. "
                "VTTBR_EL2 is that of the VM that ran last, or of none"
            )
        violations = self.vttbr.lint(vtcr=self.vtcr)  # of VTCR_EL2 too
        yield from (f"warning: {violation}" for violation in violations)


def _value(gdb: Any, expression: str) -> int:
    return int(gdb.parse_and_eval(expression)) & WORD_MASK  # gdb's registers are signed


def read_registers(gdb: Any) -> Stage2Registers:
    """Read the registers of the selected CPU.

    Raises:
        UnreadableInput: The target has none of that name.
    """
    words = {}
    for name in ("VTCR_EL2", "VTTBR_EL2", "HCR_EL2"):
        try:
            words[name] = _value(gdb, f"${name}")
        except gdb.error as error:
            raise UnreadableInput(
                f"gdb's target has no ${name} ({error}): connect gdb to a QEMU with "
                "EL2 (-machine virt,virtualization=on)"
            ) from error
    vtcr = VTCR_EL2.from_int(words["VTCR_EL2"])
    vttbr = VTTBR_EL2.from_int(words["VTTBR_EL2"])
    return Stage2Registers(vtcr, vttbr, words["HCR_EL2"])


# What the commands print

Lines = Generator[str, None, None]


def regs_lines(gdb: Any, _: str) -> Lines:
    """Yield the registers and what they say."""
    registers = read_registers(gdb)
    yield from registers.warnings()
    for name, word in (("VTCR_EL2", registers.vtcr), ("VTTBR_EL2", registers.vttbr)):
        yield f"{name:<9} {int(word):#x}"
        yield from (f"  {line}" for line in word.explain())
    yield f"HCR_EL2   {registers.hcr:#x}"
    yield f"  VM = {int(registers.on)}: stage 2 is {'on' if registers.on else 'off'}"
    forced = registers.hcr & HCR_FWB
    yield f"  FWB = {int(bool(forced))}: " + (
        "MemAttr 6 is write-back" if forced else "MemAttr 15 is write-back"
    )
    shape = registers.geometry
    yield (
        f"{shape.granule} pages, {shape.ipa_bits}-bit IPA, {shape.levels} levels from "
        f"level {shape.start_level}, "
        f"{counted(shape.concatenation, 'root table')}"
    )
    yield f"root at {registers.root:#x}"


def walk_lines(gdb: Any, argument: str) -> Lines:
    """Yield the lookups of an address and where it ends."""
    if not argument.strip():
        raise UnreadableInput("give an IPA: s2 walk 0x40000000")
    ipa = _value(gdb, argument)
    registers = read_registers(gdb)
    yield from registers.warnings()
    with gdb_memory() as memory:
        lookups = trace(
            *(registers.geometry, registers.root, ipa, cached(memory.read).read),
            vtcr=registers.vtcr,
            fwb=registers.fwb,
        )
    for step in lookups.steps:
        word = "cannot be read"
        if step.descriptor is not None:
            word = f"{step.descriptor.word:#018x} {step.descriptor.kind}"
        yield (
            f"level {step.level}: table {step.table:#x}, index {step.index}, "
            f"descriptor at {step.address:#x}: {word}"
        )
    result = lookups.result
    if isinstance(result, Fault):
        yield f"{ipa:#x}: {result.kind} fault, level {result.level}"
        return
    yield f"{ipa:#x} -> {result.output_address:#x}"
    yield from (f"  {line}" for line in result.descriptor.explain(fwb=lookups.fwb)[1:])


def dump_lines(gdb: Any, argument: str) -> Lines:
    """Yield everything that is mapped, or what is from a first to a last address."""
    registers = read_registers(gdb)
    yield from registers.warnings()
    shape = registers.geometry
    limits = [_value(gdb, text) for text in gdb.string_to_argv(argument)]
    if len(limits) > 2:
        raise UnreadableInput("give at most two addresses: s2 dump FIRST END")
    start, end = (*limits, *(0, shape.ipa_size)[len(limits) :])
    count = total = 0
    with gdb_memory() as memory:
        for mapping in scan(
            *(shape, registers.root, cached(memory.read).read, (start, end)),
            vtcr=registers.vtcr,
            fwb=registers.fwb,
        ):
            count, total = count + 1, total + mapping.size
            yield _mapping_line(mapping, registers.fwb)
    yield f"{counted(count, 'mapping')}, {size_text(total)}"


def _mapping_line(mapping: Mapping, fwb: bool | None) -> str:
    words = ", ".join(mapping.attributes.explain(fwb=fwb))
    return (
        f"{mapping.ipa:#x} to {mapping.ipa + mapping.size - 1:#x} -> "
        f"{mapping.output_address:#x}, {size_text(mapping.size)}, level "
        f"{mapping.level}: {words}"
    )


# gdb's side

GDB_COMMANDS: dict[str, tuple[Callable[[Any, str], Lines], str]] = {
    "regs": (
        regs_lines,
        "VTCR_EL2, VTTBR_EL2 and HCR_EL2 of the selected CPU, in words.",
    ),
    "walk": (walk_lines, "s2 walk ADDRESS: where an IPA lands, with every lookup."),
    "dump": (dump_lines, "s2 dump [FIRST [END]]: everything that stage 2 maps."),
}


def register_commands() -> None:
    """Make the commands known to gdb."""
    import gdb  # noqa: PLC0415 - only gdb's own Python has it

    class Prefix(gdb.Command):  # type: ignore[misc]
        """Stage-2 tables of the selected CPU, by s2geom."""

        def __init__(self) -> None:
            super().__init__("s2", gdb.COMMAND_DATA, prefix=True)

    class Stage2Command(gdb.Command):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.lines, self.__doc__ = GDB_COMMANDS[name]
            super().__init__(f"s2 {name}", gdb.COMMAND_DATA)

        def invoke(self, argument: str, _: bool) -> None:
            """Print a command's lines, or why there are none."""
            try:
                with closing(self.lines(gdb, argument)) as lines:
                    for line in lines:
                        gdb.write(f"{line}\n")
            except S2GeomError as error:
                raise gdb.GdbError(str(error)) from None

    Prefix()
    for name in GDB_COMMANDS:
        Stage2Command(name)
