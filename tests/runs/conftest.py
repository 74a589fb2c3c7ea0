"""Fixtures that start fake workers, and that make calls fail."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.runs.folder import RunFolder
from workbench.runs.launch import launch


@pytest.fixture
def fake_path(monkeypatch: pytest.MonkeyPatch) -> str:
    """Make `fake_worker` and `workbench` importable in worker processes."""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parents[1])])
    monkeypatch.setenv("PYTHONPATH", path)
    return path


@pytest.fixture
def start(run: RunFolder, fake_path: str) -> Callable[..., int]:
    """Return a function that launches the fake worker in a mode and returns its process id."""

    def start_fake(mode: str, resume: bool = False) -> int:
        environment = {"FAKE_WORKER": mode}
        return launch(run, resume=resume, environment=environment, module="fake_worker")

    return start_fake


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, Exception], None]:
    """Return a function that makes a function of a module or class raise an error."""

    def install(owner: Any, name: str, error: Exception) -> None:
        def raise_error(*args: Any, **kwargs: Any) -> None:
            raise error

        monkeypatch.setattr(owner, name, raise_error)

    return install
