"""Between the choice of a folder and the first batch its folders are listed once, by one process.

Each process that is started writes down what it lists, by an audit hook in its `sitecustomize`.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from person import REPOSITORY, Person

from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow

pytestmark = pytest.mark.worker

HOOK = """
import os, sys

def note(event, arguments):
    if event in ("os.scandir", "os.listdir") and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.abspath(os.fspath(arguments[0]))
        if path.startswith(os.environ["LISTED_ROOT"]):
            with open(os.environ["LISTED_LOG"], "a") as log:
                log.write(path + "\\n")

sys.addaudithook(note)
"""
SMALL = ("--preset", "convnet", "--set", "training.epochs=1", "--name", "once")
START_AS_THE_APP = """
import sys
from pathlib import Path
from workbench.app.run_control import start_run
from workbench.experiment.toml import read_spec
from workbench.paths import Workspace

start_run(Workspace(Path(sys.argv[1])), read_spec(Path(sys.argv[2])), "once")
"""


class Watched(Person):
    """A person whose processes write down the folders of images that they list."""

    @property
    def log(self) -> Path:
        return self.workspace / "listed.txt"

    @property
    def environment(self) -> dict[str, str]:
        hooks = self.workspace / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "sitecustomize.py").write_text(HOOK)
        return {
            **super().environment,
            "PYTHONPATH": f"{hooks}:{REPOSITORY}",
            "LISTED_ROOT": str(self.workspace / "photos"),
            "LISTED_LOG": str(self.log),
        }

    def runs(self, *words: str) -> None:
        """Run Python."""
        subprocess.run([sys.executable, *words], env=self.environment, check=True)

    def listed(self) -> Counter[str]:
        lines = self.log.read_text().splitlines()
        return Counter(str(Path(line).relative_to(self.workspace)) for line in lines)


ONCE = {"photos": 1, "photos/dark": 1, "photos/light": 1}


@pytest.fixture
def watched(person: Person) -> Watched:
    return Watched(person.workspace)


def test_by_a_command(watched: Watched) -> None:
    watched.types("train", "--data", "photos", *SMALL)
    assert watched.listed() == ONCE


def test_by_the_app(watched: Watched) -> None:
    """The step Data scans in a process, the app starts the run, the worker prepares its images."""
    spec = watched.types("presets", "convnet", "--data", "photos")
    (watched.workspace / "spec.toml").write_text(re.sub("epochs = .*", "epochs = 1", spec))
    watched.log.unlink()
    photos = str(watched.workspace / "photos")
    home = str(watched.workspace)
    watched.runs("-m", "workbench.datasets.inspect_job", photos, home, str(watched.workspace / "s"))
    watched.runs("-c", START_AS_THE_APP, home, str(watched.workspace / "spec.toml"))
    kinds = [event.event for event in follow(RunFolder(watched.workspace / "saved_models/once-1"))]
    assert "finished" in kinds
    assert watched.listed() == ONCE
