# SPDX-License-Identifier: MIT
"""The wheel: what is in it, and that it works with attrs alone."""

import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ALONE = """
import sys
from importlib.abc import MetaPathFinder

class OnlyAttrs(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        allowed = sys.stdlib_module_names | {"attr", "attrs", "s2geom"}
        if name.partition(".")[0] not in allowed:
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, OnlyAttrs())
sys.path.insert(0, sys.argv[1])
import s2geom as s2

assert s2.__file__.startswith(sys.argv[1]), s2.__file__
for name in s2.__all__:
    getattr(s2, name)
shape = s2.stage2(14, 40, 36)
bundle = shape._repr_mimebundle_()
assert "<table" in bundle["text/html"], bundle.keys()
assert "data:image/svg+xml" in bundle["text/html"], bundle.keys()
try:
    from s2geom.strategies import hosts
except ImportError as error:
    assert "hypothesis" in str(error), error
else:
    raise AssertionError("strategies need hypothesis")
print(shape.pgd_size)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return built


def test_it_holds_python_and_the_mark_of_types_alone(wheel: Path) -> None:
    """No data, no tests, no documentation."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]

    assert {".py"} == {Path(name).suffix for name in names} - {".typed"}
    assert {"_s2geom_hypothesis.py", "s2geom"} == {
        Path(name).parts[0] for name in names
    }
    assert "s2geom/py.typed" in names


def test_it_needs_attrs_alone(wheel: Path) -> None:
    """The metadata says so, with the licence and the oldest Python."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = message_from_string(archive.read(name).decode())
        [entry] = [
            name for name in archive.namelist() if name.endswith("/entry_points.txt")
        ]
        entry_points = archive.read(entry).decode()

    needed = metadata.get_all("Requires-Dist", [])
    assert ["attrs>=22.2"] == [each for each in needed if "extra ==" not in each]
    assert ("MIT", ">=3.11") == (
        metadata["License-Expression"],
        metadata["Requires-Python"],
    )
    assert "s2geom = s2geom.cli.main:main" in entry_points
    assert "[hypothesis]" in entry_points


def test_it_imports_and_draws_with_attrs_alone(wheel: Path, tmp_path: Path) -> None:
    """Unpacked, with every other package hidden."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ("262144\n", "") == (ran.stdout, ran.stderr)
