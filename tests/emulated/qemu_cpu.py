# SPDX-License-Identifier: MIT
"""QEMU as an oracle: a small program of ours, bare metal at EL2, answers the probes.

The program (folder guest/) is built when the tests run. It talks to this process over
QEMU's standard input and output, so one boot serves a whole test session and a batch
of probes costs one round trip. Knows 52-bit addresses and LPA2.
"""

from __future__ import annotations

import itertools
import platform
import re
import shutil
import struct
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NoReturn, Self

from emulated.cpu import (
    RAM_BASE,
    RAM_SIZE,
    IdRegisters,
    Outcome,
    Probe,
    check_window,
    decode_esr,
    decode_par,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# The models worth asking: one for each size of physical address that QEMU emulates, and
# at 52 bits one without LPA2. The 44-bit one lacks 16K pages.
MODELS: Final = ("max", "max,lpa2=off", "neoverse-n1", "cortex-a57", "cortex-a76")

QEMU: Final = "qemu-system-aarch64"
COMPILERS: Final = (
    "aarch64-linux-gnu-gcc",
    "aarch64-none-elf-gcc",
    "aarch64-elf-gcc",
    *(("gcc",) if platform.machine() in {"aarch64", "arm64"} else ()),
)

# 512 MiB from 1 GiB up: the program, and above it the window for tables, whole.
_MACHINE: Final = (
    # No high memory map: it puts the PCI bus where a table outside memory should not be
    # found, at 512 GiB.
    *("-machine", "virt,virtualization=on,secure=off,highmem=off"),
    *("-accel", "tcg"),
    *("-m", "512M"),
    *("-nodefaults", "-no-user-config", "-no-reboot"),
    *("-display", "none", "-serial", "none", "-monitor", "none"),
    *("-semihosting-config", "enable=on,target=native"),
)
_CFLAGS: Final = (
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-ffreestanding", "-fno-stack-protector", "-fno-pic", "-no-pie"),
    # The program has no memset() for loops to turn into, no FPU that is switched on,
    # and, as its MMU is off, no unaligned loads.
    "-fno-tree-loop-distribute-patterns",
    *("-mgeneral-regs-only", "-mstrict-align"),
    *("-nostdlib", "-static", "-Wl,--build-id=none"),
)
_GUEST: Final = Path(__file__).parent / "guest"

# The words of the protocol: see guest/probe.c.
_LOAD, _CLEAR, _PROBE = 1, 2, 3
_GREETING: Final = 0x6D6F65672D733273
_MAX_DESCRIPTORS: Final = 64
# Of the largest probes, this many fill half the buffer of the program.
_BATCH: Final = 4096


class QemuError(RuntimeError):
    """QEMU, or the program inside it, did not do its part."""


def find_compiler() -> str | None:
    """Name a compiler for bare AArch64 programs that is installed here, if any is."""
    return next((name for name in COMPILERS if shutil.which(name)), None)


def qemu_version(qemu: str = QEMU, *, timeout: float = 20) -> str:
    """Ask QEMU for its version, such as "7.2.22"."""
    text = _output([qemu, "--version"], timeout)
    found = re.search(r"version (\d+\.\d+\.\d+)", text)
    if found is None:
        message = f"{qemu} --version gives no version: {text!r}"
        raise QemuError(message)
    return found[1]


def build_program(
    folder: Path,
    *,
    compiler: str | None = None,
    sources: Sequence[Path] = (_GUEST / "start.S", _GUEST / "probe.c"),
    timeout: float = 60,
) -> Path:
    """Compile the program that runs inside QEMU, into a folder.

    Raises:
        QemuError: There is no compiler, or it refuses; the message holds its words.
    """
    compiler = compiler or find_compiler()
    if compiler is None:
        message = f"no compiler for bare AArch64: none of {', '.join(COMPILERS)}"
        raise QemuError(message)
    program = folder / "probe.elf"
    script = _GUEST / "probe.ld"
    command = [compiler, *_CFLAGS, "-T", script, "-o", program, *sources]
    _output([str(part) for part in command], timeout)
    return program


def _output(command: list[str], timeout: float) -> str:
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"cannot run {command[0]}: {error}"
        raise QemuError(message) from error
    if done.returncode:
        message = f"{command[0]} failed with status {done.returncode}:\n{done.stdout}"
        raise QemuError(message)
    return done.stdout


class QemuCpu:
    """A QEMU that runs the probe program, from its making until `close`.

    Args:
        program: What `build_program` made.
        model: QEMU's name of the CPU, with properties if need be: "max,lpa2=off".
        qemu: The command.
        timeout: Seconds that one boot, or one batch of probes, may take. Whatever
            happens, QEMU is dead and `QemuError` is raised soon after.
    """

    emulator: Final = "qemu"
    ram_base: Final = RAM_BASE
    ram_size: Final = RAM_SIZE

    def __init__(
        self,
        program: Path,
        model: str = "max",
        *,
        qemu: str = QEMU,
        timeout: float = 30,
    ) -> None:
        self._program, self._qemu = program, qemu
        self.model: Final = model
        self.name: Final = f"{self.emulator}/{model}"
        self.version: Final = qemu_version(qemu)
        self.timeout = timeout
        self._failure: str | None = None
        # A file, since a pipe that nobody reads could fill up and stop QEMU.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the CPU
        self._process = subprocess.Popen(
            [qemu, *_MACHINE, "-cpu", model, "-kernel", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )
        try:
            greeting, level, *registers = self._exchange(b"", 5)
            if (greeting, level) != (_GREETING, 2):
                self._fail(f"greeted with {greeting:#x} from EL{level}, not from EL2")
        except BaseException:
            self.close()
            raise
        self.id_registers: Final = IdRegisters(*registers)
        self.pa_bits: Final = self.id_registers.pa_bits
        self.lpa2: Final = self.id_registers.lpa2
        self.ttst: Final = self.id_registers.ttst
        self.granules: Final = self.id_registers.granules

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_killed_by(self, probe: Probe) -> bool:
        """Ask another QEMU of the same model, which may not survive the question."""
        with QemuCpu(self._program, self.model, qemu=self._qemu) as victim:
            try:
                victim.run([probe])
            except QemuError as error:
                return "Assertion" in str(error)
            return False

    @property
    def pid(self) -> int:
        """QEMU's process number."""
        return self._process.pid

    def close(self) -> None:
        """End QEMU and wait until it is gone; more than once does no harm."""
        self._failure = self._failure or "it was closed"
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def run(
        self, probes: Iterable[Probe], image: Mapping[int, bytes] | None = None
    ) -> list[Outcome]:
        """Ask every probe in turn; see `EmulatedCpu.run`.

        Raises:
            QemuError: QEMU is dead, does not answer in time, or answers nonsense.
        """
        image = image or {}
        for address, contents in image.items():
            check_window(address, len(contents))
        batches = list(_batches(probes))
        results: list[tuple[int, int]] = []
        for address, contents in image.items():
            self._exchange(_header(_LOAD, address, len(contents)) + contents, 1)
        for words, count in batches:
            request = _header(_PROBE, count, len(words)) + _pack(words)
            answer = self._exchange(request, 2 * count)
            results += zip(answer[::2], answer[1::2], strict=True)
        for address, contents in image.items():
            self._exchange(_header(_CLEAR, address, len(contents)), 1)
        return [decode_esr(esr) if esr else decode_par(par) for par, esr in results]

    def _exchange(self, request: bytes, words: int) -> tuple[int, ...]:
        """Send a request and take the words that answer it."""
        if self._failure:
            message = f"{self.name} cannot be used: {self._failure}"
            raise QemuError(message)
        # At the deadline QEMU is killed, which ends every wait on its pipes.
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        watchdog = threading.Timer(self.timeout, kill)
        watchdog.start()
        try:
            _send(self._process.stdin, request)
            answer = _receive(self._process.stdout, 8 * words)
        except (BrokenPipeError, EOFError):
            status = self._process.wait()
            if late.is_set():
                self._fail(f"no answer within {self.timeout} seconds")
            self._fail(f"it ended with status {status}")
        except BaseException:
            # What is still in the pipes would answer the wrong question.
            self._failure = "an exchange with it was interrupted"
            raise
        finally:
            watchdog.cancel()
        return struct.unpack(f"<{words}Q", answer)

    def _fail(self, reason: str) -> NoReturn:
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()
        self._failure = f"{reason}; its errors: {words or 'none'}"
        message = f"{self.name}: {self._failure}"
        raise QemuError(message)


def _pack(words: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(words)}Q", *words)


def _header(operation: int, first: int, second: int) -> bytes:
    return _pack((operation, first, second))


def _batches(probes: Iterable[Probe]) -> Iterator[tuple[list[int], int]]:
    """Spell probes as words, in portions that the program has room for."""
    todo = iter(probes)
    while batch := list(itertools.islice(todo, _BATCH)):
        words: list[int] = []
        for probe in batch:
            if len(probe.descriptors) > _MAX_DESCRIPTORS:
                message = f"at most {_MAX_DESCRIPTORS} descriptors a probe; use image"
                raise ValueError(message)
            words += (probe.vtcr, probe.vttbr, probe.ipa, probe.access == "write")
            words.append(len(probe.descriptors))
            words.extend(itertools.chain.from_iterable(probe.descriptors))
        yield words, len(batch)


def _send(pipe: IO[bytes] | None, data: bytes) -> None:
    """Write all of it: a pipe without a buffer may take less at a time."""
    if pipe is None:
        raise BrokenPipeError
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _receive(pipe: IO[bytes] | None, size: int) -> bytes:
    parts = []
    while size:
        part = pipe.read(size) if pipe else b""
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
