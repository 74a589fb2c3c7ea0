"""The feed of runs: what did not change is read once, however often it is polled."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter

from workbench.paths import Workspace
from workbench.runs import event_log, watch
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.watch import RunFeed

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'
POLLS = 20
SECOND = 10**9  # nanoseconds


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often expensive functions were called."""
    counted: Counter[str] = Counter()

    def count(place: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(place, name)

        def counting(*given: Any) -> Any:
            counted[name] += 1
            return real(*given)

        monkeypatch.setattr(place, name, counting)

    for name in ("read_tables", "fold", "RunWatch"):
        count(watch, name)
    return counted


def idle(workspace: Workspace, count: int) -> list[RunFolder]:
    folders = [create_run(workspace, SPEC, f"photos-{n}", "") for n in range(count)]
    for folder in folders:
        LogWriter(folder.events_path).write("launched", job="train")
        LogWriter(folder.events_path).write("stopped", stage=0, epoch=3, step=0)
    return folders


def test_idle_runs_are_read_once(tmp_path: Path, calls: Counter[str]) -> None:
    workspace = Workspace(tmp_path)
    folders = idle(workspace, 5)
    feed = RunFeed(workspace, lambda runs: None)
    assert feed.poll()
    first = dict(calls)
    assert first["RunWatch"] == 5
    views = feed.views()
    for _ in range(POLLS):
        assert not feed.poll()
    assert calls == first
    assert all(one is other for one, other in zip(feed.views(), views, strict=True))
    LogWriter(folders[2].events_path).write("launched", job="train", resume=True)
    assert feed.poll()
    assert calls["RunWatch"] == 5
    assert calls["read_tables"] == first["read_tables"] + 1  # of the one with a new session
    assert calls["fold"] == first["fold"] + 1


def test_a_run_that_comes_or_goes_costs_only_itself(tmp_path: Path, calls: Counter[str]) -> None:
    workspace = Workspace(tmp_path)
    idle(workspace, 3)
    feed = RunFeed(workspace, lambda runs: None)
    feed.poll()
    create_run(workspace, SPEC, "new", "")
    assert feed.poll()
    assert calls["RunWatch"] == 4
    (workspace.runs / "new" / "spec.toml").unlink()
    assert feed.poll()
    assert [view.name for view in feed.views()] != []
    assert "new" not in [view.name for view in feed.views()]
    create_run(workspace, SPEC, "newer", "")
    feed.poll()
    assert calls["RunWatch"] == 5


def test_a_run_that_comes_back_returns_to_its_old_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if all started in the same millisecond: then the order is that of their creation."""
    monkeypatch.setattr(event_log.time, "time", lambda: 1_772_445_600.0)
    workspace = Workspace(tmp_path)
    for number, name in enumerate(("one", "two", "three")):
        folder = create_run(workspace, "", name, "")
        os.utime(folder.spec_path, ns=(number * SECOND, number * SECOND))
        LogWriter(folder.events_path).write("finished", seconds=1.0)
    feed = RunFeed(workspace, lambda runs: None)

    def order() -> list[str]:
        feed.poll()
        return [view.name for view in feed.views()]

    assert order() == ["three", "two", "one"]
    (workspace.runs / "two").rename(tmp_path / "away")
    assert order() == ["three", "one"]
    (tmp_path / "away").rename(workspace.runs / "two")
    assert order() == ["three", "two", "one"]
