"""A workspace, a run in it, and workers that do not outlive their test."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import launch
from workbench.runs.lock import is_locked

SPEC = '[data]\nsource = "/photos/birds"\n[model]\nstrategy = "convnet"\n[training]\nepochs = 7\n'

Start = Callable[..., int]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def run(workspace: Workspace) -> RunFolder:
    return create_run(workspace, SPEC, name="birds", stem="birds")


@pytest.fixture
def fake_path(monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets worker processes find the module `fake_worker`."""
    path = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", path)
    return path


@pytest.fixture
def start(run: RunFolder, fake_path: str) -> Iterator[Start]:
    """Launches the fake worker in a mode; what still works at the end of the test is killed."""
    pids = []

    def start_fake(mode: str, resume: bool = False) -> int:
        pid = launch(run, resume=resume, environment={"FAKE_WORKER": mode}, module="fake_worker")
        pids.append(pid)
        return pid

    yield start_fake
    if is_locked(run.lock_path):
        os.kill(pids[-1], signal.SIGKILL)
