"""A workspace, a run in it, and a clock that stands still, for the tests of several packages."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import request_stop

SPEC = '[data]\nsource = "/photos/birds"\n[model]\nstrategy = "convnet"\n[training]\nepochs = 7\n'


TEN_O_CLOCK = 1_772_445_600.0  # 2026-03-02 10:00 UTC


@pytest.fixture
def ten_o_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """The time of day stands still, at ten in Greenwich; gives it in unix seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        monkeypatch.setattr(time, "time", lambda: TEN_O_CLOCK)
        yield TEN_O_CLOCK
    time.tzset()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def run(workspace: Workspace) -> Iterator[RunFolder]:
    folder = create_run(workspace, SPEC, name="birds", stem="birds")
    yield folder
    request_stop(folder)  # should a failing test have left a worker
