"""Workers that do not outlive their test."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.runs.folder import RunFolder
from workbench.runs.launch import launch


@pytest.fixture
def fake_path(monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets worker processes find the modules `fake_worker` and `workbench`."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1])])
    monkeypatch.setenv("PYTHONPATH", path)
    return path


@pytest.fixture
def start(run: RunFolder, fake_path: str) -> Callable[..., int]:
    """Launches the fake worker in a mode; gives its process id."""

    def start_fake(mode: str, resume: bool = False) -> int:
        environment = {"FAKE_WORKER": mode}
        return launch(run, resume=resume, environment=environment, module="fake_worker")

    return start_fake
