"""The wheel, installed where no source is near: everything is in it, and it works."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import __version__

REPOSITORY = Path(__file__).parents[1]
NOT_SHIPPED = (".pyc", ".po")


def shipped() -> set[str]:
    return {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "workbench").rglob("*")
        if path.is_file() and path.suffix not in NOT_SHIPPED
    }


def pip(*words: str | Path, python: Path | None = None) -> None:
    """Run pip without a network, for the interpreter of another environment if one is given."""
    target = ["--python", str(python)] if python else []
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            *target,
            "-q",
            "--disable-pip-version-check",
            *map(str, words),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that nothing is left in the source tree or taken from it."""
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools 77 is needed to build: pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "workbench", folder / "workbench", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", folder / "dist", folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    assert wheel.name == f"convnet_workbench-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith("workbench/")}
    assert found == shipped()
    endings = {Path(name).suffix for name in found}
    assert endings >= {".py", ".toml", ".json", ".md", ".mo", ".j2", ".tcss", ".sh"}


def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are those of these tests; the workbench beside them is not seen."""
    venv, here = tmp_path / "venv", tmp_path / "here"
    here.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip("install", "--no-deps", "--no-index", wheel, python=venv / "bin/python")
    (site,) = venv.glob("lib/python*/site-packages")
    kept = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(kept))
    kept_variables = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("WORKBENCH", "PYTHON"))
    }

    def types(*words: str) -> str:
        done = subprocess.run(
            [venv / "bin" / words[0], *words[1:]],
            cwd=here,
            env={**kept_variables, "WORKBENCH_LANG": "en", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    printed = types("python", "-c", "import workbench; print(workbench.__file__)")
    assert Path(printed.strip()) == site / "workbench/__init__.py"
    assert types("workbench", "--version").startswith(f"workbench {__version__}\n")
    for label, level in (("dark", 20), ("light", 220)):
        (here / "photos" / label).mkdir(parents=True)
        for number in range(4):
            pixels = np.full((8, 8, 3), level + number, np.uint8)
            Image.fromarray(pixels).save(here / "photos" / label / f"{number}.png")
    assert "dark" in types("workbench", "data", "scan", "photos")
    spec = types("workbench", "presets", "convnet", "--data", "photos")
    assert 'strategy = "convnet"' in spec
    assert json.loads(types("workbench", "schema", "results"))["title"] == "workbench results"
    korean = types("workbench", "--lang", "ko", "data", "scan", "photos")
    assert any("가" <= letter <= "힣" for letter in korean)
