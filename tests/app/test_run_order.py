"""The order of the runs on Home."""

import os
from pathlib import Path

import pytest

from workbench.app.watch import RunFeed
from workbench.paths import Workspace
from workbench.runs import events
from workbench.runs.events import EventWriter
from workbench.runs.folder import create_run

SECOND = 10**9  # nanoseconds


def test_a_run_that_comes_back_takes_its_old_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where all began in the same millisecond: then the order is that of their making."""
    monkeypatch.setattr(events.time, "time", lambda: 1_772_445_600.0)
    workspace = Workspace(tmp_path)
    for number, name in enumerate(("one", "two", "three")):
        folder = create_run(workspace, "", name, "")
        os.utime(folder.spec_path, ns=(number * SECOND, number * SECOND))
        EventWriter(folder.events_path).write("finished", seconds=1.0)
    feed = RunFeed(workspace, lambda runs: None)

    def order() -> list[str]:
        feed.look()
        return [view.name for view in feed.views()]

    assert order() == ["three", "two", "one"]
    (workspace.runs / "two").rename(tmp_path / "away")
    assert order() == ["three", "one"]
    (tmp_path / "away").rename(workspace.runs / "two")
    assert order() == ["three", "two", "one"]
