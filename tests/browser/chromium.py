# SPDX-License-Identifier: MIT
"""Drive a headless Chromium over its own DevTools protocol, with nothing in between.

Chromium reads commands from file descriptor 3 and answers on 4, as JSON that ends with
a zero byte. That is all there is to it, so no driver has to be installed that fits the
browser's version. The browser is alone: each start has a new profile, and no name of
any host can be resolved.
"""

import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-default-browser-check",
    "--no-first-run",
    "--remote-debugging-pipe",
)

PATIENCE: Final = 120.0
"""Seconds until an answer is given up: a loaded machine is slow, a hung one is not."""


def find_chromium() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser with one page.

    Args:
        commands: Where it reads commands.
        answers: Where it writes answers.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number = 0
        self._session: str | None = None
        self._unread = b""
        self.events: list[dict[str, Any]] = []
        """Everything the page told of, unasked, since it was opened."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> Any:
        """Send a command and return its result.

        Raises:
            RuntimeError: The browser refuses it.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def wait_for(self, method: str) -> dict[str, Any]:
        """Return the parameters of the next event of a kind."""
        until = time.monotonic() + PATIENCE
        while True:
            event = self._next(until)
            if event.get("method") == method:
                parameters: dict[str, Any] = event["params"]
                return parameters

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select(
                [self._answers], [], [], until - time.monotonic()
            )
            chunk = os.read(self._answers, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("the browser has nothing to say any more")
            self._unread += chunk
        text, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    # What the tests do with it

    def open(self, address: str) -> None:
        """Load a page from the start, and forget what others told."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Run an expression in the page, wait for its promise, and return its value.

        Raises:
            RuntimeError: It throws.
        """
        answer = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,  # without one, no page may copy
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        """Press a key and let it go."""
        press = "keyDown" if text else "rawKeyDown"
        for kind in (press, "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text=text if kind == press else "",
            )

    def look(self, *, width: int, height: int, dark: bool) -> None:
        """Set the size of the window and the reader's preference."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def requests(self) -> list[str]:
        """Return the address of everything that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[object]:
        """Return what the page wrote to the console, threw or failed to load."""
        return [
            event["params"]
            for event in self.events
            if event["method"]
            in {
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
                "Log.entryAdded",
                "Network.loadingFailed",
            }
        ]


@contextmanager
def chromium(executable: str, profile: Path) -> Iterator[Chromium]:
    """Start a browser, and end it.

    Args:
        executable: Its path.
        profile: A folder for all that it writes.
    """
    ends = [*os.pipe(), *os.pipe()]
    # Away from 3 and 4, which are the browser's names for its ends.
    high = [fcntl(end, F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    its_commands, commands, answers, its_answers = high
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    process = os.posix_spawn(
        executable,
        [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        os.environ | {"HOME": str(profile)},
        file_actions=[
            *((os.POSIX_SPAWN_DUP2, nowhere, standard) for standard in range(3)),
            (os.POSIX_SPAWN_DUP2, its_commands, 3),
            (os.POSIX_SPAWN_DUP2, its_answers, 4),
        ],
        setpgroup=0,
    )
    for end in (its_commands, its_answers, nowhere):
        os.close(end)
    try:
        yield Chromium(commands, answers)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(commands)
        os.close(answers)
