"""The feed of runs: what did not change is read once, however often it is looked at."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.app import watch as feed_module
from workbench.app.watch import RunFeed
from workbench.paths import Workspace
from workbench.runs import watch
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'
LOOKS = 20


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often what is dear was done."""
    counted: Counter[str] = Counter()

    def count(place: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(place, name)

        def counting(*given: Any) -> Any:
            counted[name] += 1
            return real(*given)

        monkeypatch.setattr(place, name, counting)

    for place, name in ((watch, "read_tables"), (watch, "fold"), (feed_module, "RunWatch")):
        count(place, name)
    return counted


def idle(workspace: Workspace, count: int) -> list[RunFolder]:
    folders = [create_run(workspace, SPEC, f"photos-{n}", "") for n in range(count)]
    for folder in folders:
        EventWriter(folder.events_path).write("launched", job="train")
        EventWriter(folder.events_path).write("stopped", stage=0, epoch=3, step=0)
    return folders


def test_idle_runs_are_read_once(tmp_path: Path, calls: Counter[str]) -> None:
    workspace = Workspace(tmp_path)
    folders = idle(workspace, 5)
    feed = RunFeed(workspace, lambda runs: None)
    assert feed.look()
    first = dict(calls)
    assert first["RunWatch"] == 5
    views = feed.views()
    for _ in range(LOOKS):
        assert not feed.look()
    assert calls == first
    assert all(one is other for one, other in zip(feed.views(), views, strict=True))
    EventWriter(folders[2].events_path).write("launched", job="train", resume=True)
    assert feed.look()
    assert calls["RunWatch"] == 5
    assert calls["read_tables"] == first["read_tables"] + 1  # of the one with a new life
    assert calls["fold"] == first["fold"] + 1


def test_a_run_that_comes_or_goes_costs_itself_alone(tmp_path: Path, calls: Counter[str]) -> None:
    workspace = Workspace(tmp_path)
    idle(workspace, 3)
    feed = RunFeed(workspace, lambda runs: None)
    feed.look()
    create_run(workspace, SPEC, "new", "")
    assert feed.look()
    assert calls["RunWatch"] == 4
    (workspace.runs / "new" / "spec.toml").unlink()
    assert feed.look()
    assert [view.name for view in feed.views()] != []
    assert "new" not in [view.name for view in feed.views()]
    create_run(workspace, SPEC, "newer", "")
    feed.look()
    assert calls["RunWatch"] == 5
