"""Every command of every page is typed into a shell and trains for real: PAGES=all, half an hour.

`test_page_commands.py` runs the quick ones each time. Here all are run in the order of the pages,
in one workspace of small photographs, as a reader would type them.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_files import write_photo
from test_page_commands import PAGES, lines

from workbench.bases.weights import present_weights

if os.environ.get("PAGES") != "all":
    pytest.skip("PAGES=all trains for half an hour", allow_module_level=True)

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
KERAS_HOME = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")  # weights of this person
SPEC = """[data]
source = "photos"
image_size = [32, 32]
[model]
strategy = "convnet"
filters = [8, 8]
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
    yield root
    type_in(root, "workbench stop photos-1")


def type_in(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell, as somebody whose virtual environment is activated."""
    env = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    env |= {"HOME": str(folder / "home"), "KERAS_HOME": KERAS_HOME, "LANG": "C.UTF-8"}
    env["PATH"] = f"{folder / 'bin'}:{Path(sys.executable).parent}:{env['PATH']}"
    shell = subprocess.Popen(
        ["bash", "-c", line], cwd=folder, env=env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    printed = ""
    with shell:
        for text in shell.stdout or ():
            printed += text
            if WATCHES.match(line) and "3/5000" in text:
                os.killpg(shell.pid, signal.SIGINT)
    return subprocess.CompletedProcess(line, shell.returncode, printed)


TYPED = list(
    {
        line: page.name
        for page in reversed(PAGES)
        for line, in_build in reversed(lines(page))
        if not in_build and not any(re.search(one, line) for one in ELSEWHERE)
    }.items()
)[::-1]
VGG16 = """import keras
vgg16 = keras.applications.VGG16(weights=None, include_top=False)
vgg16.save_weights("vgg16.weights.h5")
"""
# What has happened before a page, in its reader's workspace.
BEFORE = {
    "experiments.md": "workbench presets feature-extraction --data photos > head.toml",
    "explain.md": "workbench delete photos-1 && workbench train spec.toml --name photos-1",
    "export.md": "rm -r photos-1-keras",
    "no-internet.md": f"python -c '{VGG16}' && mv vgg16.weights.h5 vgg16.h5",
    "watch-stop-resume.md": "workbench delete photos-1 && workbench train spec.toml --detach"
    " --name photos-1 --set training.epochs=5000",
}
CODES = {"workbench check": (0, 1)}  # 1: trains, on the CPU
WATCHES = re.compile(r"workbench attach photos-1( |$)")  # a run that goes on for long: until Ctrl-C


def missing_weights(line: str) -> list[str]:
    """Return the bases of a command that have no file of weights here."""
    names = [name for group in BASES.findall(line) for name in group.split(",")]
    return [name for name in names if not present_weights(name, (224, 224))]


def with_random_weights(line: str) -> str:
    """Return a command that trains as it would where its weights could be downloaded."""
    return re.sub(r"^workbench \w+", r"\g<0> --weights random", line)


@pytest.mark.packages
@pytest.mark.parametrize(("line", "page"), TYPED)
def test_it_runs_as_typed(folder: Path, line: str, page: str) -> None:
    if before := BEFORE.pop(page, None):
        result = type_in(folder, before)
        assert result.returncode == 0, result.stdout
    typed = with_random_weights(line) if missing_weights(line) else line
    result = type_in(folder, typed)
    assert result.returncode in CODES.get(line, (0,)), result.stdout


def test_every_reason_is_needed() -> None:
    every = [line for page in PAGES for line, _ in lines(page)]
    assert not [one for one in ELSEWHERE if not any(re.search(one, line) for line in every)]
