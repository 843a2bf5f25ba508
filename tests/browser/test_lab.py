# SPDX-License-Identifier: MIT
"""The notebooks in a real JupyterLab: trusted and not, on its light and dark page."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.chromium import Chromium

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))

SECONDS = 120
"""Until the server or a page is given up."""

SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are there
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

PAGES = {"JupyterLab Light": "rgb(255, 255, 255)", "JupyterLab Dark": "rgb(17, 17, 17)"}
"""What stands behind the outputs in each theme."""

SEEN = """
(() => {
  const outputs = [...document.querySelectorAll('.jp-OutputArea-output')];
  const images = outputs.flatMap((output) => [...output.querySelectorAll('img')]);
  return {
    cells: document.querySelectorAll('.jp-CodeCell').length,
    images: images.map((image) => [
      image.complete && image.naturalWidth > 200,
      image.alt.length > 20,
      image.getBoundingClientRect().right <= window.innerWidth,
    ]),
    svg: document.querySelectorAll('.jp-OutputArea-output svg').length,
    page: getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor,
  };
})()
"""
"""How many code cells there are, what each picture is like, and the page behind it."""


def pictures(path: Path) -> int:
    """Return how many pictures a notebook has stored."""
    return path.read_text(encoding="utf-8").count("data:image/svg+xml;base64,")


def settings(folder: Path, theme: str) -> None:
    """Write the settings of a user who has chosen a theme."""
    chosen = SETTINGS | {"apputils-extension/themes": {"theme": theme}}
    for name, values in chosen.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start JupyterLab with two copies of the notebooks, one of which is trusted."""
    if importlib.util.find_spec("jupyterlab") is None:
        reason = "needs JupyterLab (dependency group notebooks)"
        if os.environ.get("S2GEOM_ALL") == "1":
            pytest.fail(f"S2GEOM_ALL=1 and this test {reason}", pytrace=False)
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("home")
    served = tmp_path_factory.mktemp("served")
    folders = ("CONFIG", "DATA", "RUNTIME")
    own = {f"JUPYTER_{name}_DIR": str(home / name) for name in folders}
    own |= {f"JUPYTERLAB_{name}_DIR": str(home / name) for name in ("SETTINGS",)}
    own |= {"HOME": str(home), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    environment = os.environ | own
    for trust in ("trusted", "untrusted"):
        (served / trust).mkdir()
        for path in NOTEBOOKS:
            shutil.copy(path, served / trust)
    signing = [sys.executable, "-m", "nbformat.sign"]
    signing += map(str, (served / "trusted").iterdir())
    subprocess.run(signing, env=environment, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token="),
            f"--ServerApp.root_dir={served}",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
        yield address, home / "SETTINGS"
    finally:
        # At once, and not by a signal that it waits for its kernels after: these end
        # by themselves when their server is gone.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.mark.parametrize("theme", PAGES)
@pytest.mark.parametrize("trust", ["trusted", "untrusted"])
def test_pictures_are_there_whoever_wrote_the_notebook(
    started: Chromium, lab: tuple[str, Path], trust: str, theme: str
) -> None:
    """Every stored picture is shown with its text, and no inline SVG is needed."""
    address, folder = lab
    settings(folder, theme)
    started.look(width=1400, height=1000, dark=False)
    chosen = NOTEBOOKS if (trust, theme) == ("untrusted", "JupyterLab Dark") else None
    for path in chosen or NOTEBOOKS[:1]:
        started.open(f"{address}/lab/tree/{trust}/{path.name}?reset")
        stored = pictures(path)
        until = time.monotonic() + SECONDS
        images = "document.querySelectorAll('.jp-OutputArea-output img')"
        while started.run(f"[...{images}].filter((i) => i.complete).length") < stored:
            assert time.monotonic() < until, path.name
            time.sleep(0.3)
        seen = started.run(SEEN)

        assert stored > 1
        assert [[True, True, True]] * stored == seen["images"]
        assert 0 == seen["svg"]
        assert PAGES[theme] == seen["page"]
