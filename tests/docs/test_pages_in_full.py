"""Every command of every page is typed into a shell and trains for real: PAGES=all, half an hour.

`test_page_commands.py` runs the quick ones each time. Here all are run in the order of the pages,
in one workspace of small photographs, as a reader would type them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_files import write_photo
from test_page_commands import PAGES, lines

from workbench.bases.published import weights_file
from workbench.bases.weights import present_weights

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("PAGES") != "all", reason="PAGES=all trains for half an hour"
    ),
    pytest.mark.xdist_group("page commands"),
]

# Why a command is not typed here, by how its line begins or what it contains.
ELSEWHERE = {
    r"^workbench( --lang ko)?$": "opens the app: tests/ui",
    r"^workbench label ": "asks a person, key by key: tests/ui",
    r"^workbench data get mnist": "downloads: tests/datasets",
    r" --(host|all-hosts)\b|^workbench fetch ": "asks another machine: tests/hosts",
    r"^workbench mirror .*--to (wandb|mlflow)": "needs a library of its own: tests/trackers",
    r" --slurm\b": "needs SLURM: tests/slurm",
}
BASES = re.compile(r"(?:--base |base\.name=)(\S+)")
RANDOM = (
    "mobilenetv2-1.0",
    "mobilenetv2-0.35",
)  # no published hash, so a file of any numbers will do
MAKE_WEIGHTS = """
import sys, h5py, keras
from keras.src.legacy.saving import legacy_h5_format
alpha, path = float(sys.argv[1]), sys.argv[2]
base = keras.applications.MobileNetV2((224, 224, 3), alpha, include_top=False, weights=None)
with h5py.File(path, "w") as file:
    legacy_h5_format.save_weights_to_hdf5_group(file, base)
"""
SPEC = """[data]
source = "photos"
image_size = [32, 32]
[model]
strategy = "convnet"
filters = [8]
[training]
epochs = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What a reader has before the first page: photographs, and a spec."""
    root = tmp_path_factory.mktemp("reader")
    for at, label in enumerate(("cat", "dog")):
        for number in range(16):
            write_photo(root / f"photos/{label}/{number}.jpg", seed=100 * at + number)
        write_photo(root / f"photos/{label}/patient_1.jpg", seed=100 * at + 50)
        write_photo(root / f"new/{label}.jpg", seed=100 * at + 60)
        write_photo(root / f"{label}.jpg", seed=100 * at + 70)
    (root / "spec.toml").write_text(SPEC)
    (root / "bin").mkdir()
    mail = root / "bin/mail"
    mail.write_text("#!/bin/sh\nexit 0\n")
    mail.chmod(0o755)
    for base in RANDOM:
        path = root / "keras/models" / weights_file(base, (224, 224)).name
        path.parent.mkdir(parents=True, exist_ok=True)
        alpha = base.rpartition("-")[2]
        subprocess.run([sys.executable, "-c", MAKE_WEIGHTS, alpha, path], check=True)
    yield root
    type_in(root, "workbench stop photos-1")


def type_in(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell, as somebody whose virtual environment is activated."""
    env = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    env |= {"HOME": str(folder / "home"), "KERAS_HOME": str(folder / "keras"), "LANG": "C.UTF-8"}
    env["PATH"] = f"{folder / 'bin'}:{Path(sys.executable).parent}:{env['PATH']}"
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip


TYPED = list(
    {
        line: page.name
        for page in reversed(PAGES)
        for line, in_build in reversed(lines(page))
        if not in_build and not any(re.search(one, line) for one in ELSEWHERE)
    }.items()
)[::-1]
# What has happened before a page, in its reader's workspace.
BEFORE = {
    "watch-stop-resume.md": "workbench delete photos-1 && workbench train spec.toml --detach"
    " --name photos-1 --set training.epochs=5000",
}
CODES = {"workbench check": (0, 1)}  # 1: trains, on the CPU


def missing_weights(folder: Path, line: str) -> list[str]:
    """Return the bases of a command that have no file of weights here."""
    names = [name for group in BASES.findall(line) for name in group.split(",")]
    place = {"KERAS_HOME": str(folder / "keras")}
    return [name for name in names if not present_weights(name, (224, 224), place)]


@pytest.mark.packages
@pytest.mark.parametrize(("line", "page"), TYPED)
def test_it_runs_as_typed(folder: Path, line: str, page: str) -> None:
    if missing := missing_weights(folder, line):
        pytest.skip(f"no weights here of {', '.join(missing)}")
    if before := BEFORE.pop(page, None):
        result = type_in(folder, before)
        assert result.returncode == 0, result.stdout
    result = type_in(folder, line)
    assert result.returncode in CODES.get(line, (0,)), result.stdout


def test_every_reason_is_needed() -> None:
    every = [line for page in PAGES for line, _ in lines(page)]
    assert not [one for one in ELSEWHERE if not any(re.search(one, line) for line in every)]
