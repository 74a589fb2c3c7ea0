"""A mirror continues where it was, tries again, and never touches the run."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_runs import CONVNET, FakeRun

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.trackers import mirroring
from workbench.trackers.mirroring import MAX_TRIES, TrackedRun, describe_result, mirror_runs
from workbench.trackers.tracker import Destination, find_destination, make_tracker
from workbench.trackers.update import Update


class FakeTracker:
    """Keeps what it was sent; fails as often as it is told."""

    rows: list[int]
    fails = 0
    is_gone = False

    def __init__(self, run: str, destination: Destination) -> None:
        self.place = destination.place
        self.own: dict[str, Any] = {}

    def open(self, own: Mapping[str, Any]) -> bool:
        self.own = {"kept": True}
        return own == {"kept": True} and not self.is_gone

    def send(self, update: Update, artifacts: Mapping[str, Path]) -> None:
        if type(self).fails:
            type(self).fails -= 1
            raise ConnectionError("no \x1b[1mroute\nand more")
        self.rows += [point.step for point in update.epochs]
        self.rows += [-1 for _ in artifacts]

    def close(self) -> None: ...


TO = Destination("mlflow", "http://here", "p")


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> type[FakeTracker]:
    """A tracker in place of a library's, and a clock that goes on while somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(mirroring.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        mirroring.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    monkeypatch.setattr(mirroring, "make_tracker", FakeTracker)
    monkeypatch.setattr(FakeTracker, "rows", [], raising=False)
    monkeypatch.setattr(FakeTracker, "fails", 0)
    monkeypatch.setattr(FakeTracker, "is_gone", False)
    return FakeTracker


@pytest.fixture
def made(workspace: Workspace) -> FakeRun:
    run = FakeRun(workspace, "pets", CONVNET.format(epochs=3))
    run.live()
    run.stage(0, "train all", 3)
    return run


def finish(run: FakeRun) -> None:
    run.folder.model_path.touch()
    run.emit("finished", seconds=1.0)
    run.die()


def test_a_mirror_that_is_started_again_continues(
    made: FakeRun, tracker: type[FakeTracker]
) -> None:
    made.epochs(0, 2)
    lines: list[str] = []
    for _ in range(2):
        one = TrackedRun(made.folder, TO, False, lines.append)
        assert one.step()
        one.close()
    made.emit("epoch_finished", stage=0, epoch=3)
    finish(made)
    log = made.folder.events_path.read_bytes()
    (result,) = mirror_runs(lambda: [made.folder], TO, artifacts=True)
    assert tracker.rows == [1, 2, 3, -1]
    assert (result.epochs, result.state, result.error, lines) == (1, "finished", "", [])
    assert describe_result(result) == "pets is finished; 1 epoch sent now: http://here"
    assert made.folder.events_path.read_bytes() == log
    tracker.is_gone = True
    (result,) = mirror_runs(lambda: [made.folder], TO)
    assert tracker.rows == [1, 2, 3, -1, 1, 2, 3]


def test_another_place_is_another_mirror_and_a_damaged_note_is_none(
    made: FakeRun, tracker: type[FakeTracker]
) -> None:
    made.epochs(0, 1)
    finish(made)
    for place in ("http://here", "http://there"):
        mirror_runs(lambda: [made.folder], Destination("mlflow", place, "p"))
    assert tracker.rows == [1, 1]
    for note in made.folder.mirrors.glob("*.json"):
        note.write_text("{")
    mirror_runs(lambda: [made.folder], TO)
    assert tracker.rows == [1, 1, 1]


def test_errors_are_reported_and_tried_again(made: FakeRun, tracker: type[FakeTracker]) -> None:
    made.epochs(0, 2)
    finish(made)
    tracker.fails, lines = MAX_TRIES - 1, []
    (result,) = mirror_runs(lambda: [made.folder], TO, report=lines.append)
    assert (tracker.rows, result.error) == ([1, 2], "")
    assert lines[0] == r"pets: mlflow failed: no \e[1mroute. Next try in 1.0 s."
    assert len(lines) == MAX_TRIES - 1


def test_after_the_end_of_the_run_a_tracker_that_fails_is_given_up(
    made: FakeRun, tracker: type[FakeTracker]
) -> None:
    made.epochs(0, 2)
    finish(made)
    tracker.fails = MAX_TRIES
    (result,) = mirror_runs(lambda: [made.folder], TO)
    assert (tracker.rows, result.epochs) == ([], 0)
    assert describe_result(result) == r"pets: given up. no \e[1mroute"
    mirror_runs(lambda: [made.folder], TO)  # later
    assert tracker.rows == [1, 2]


@pytest.mark.parametrize(
    ("follow", "ends_with"), [(False, []), (None, [1]), (True, [1, 2])], ids=str
)
def test_a_mirror_ends_with_what_it_follows(
    made: FakeRun,
    tracker: type[FakeTracker],
    monkeypatch: pytest.MonkeyPatch,
    follow: bool | None,
    ends_with: list[int],
) -> None:
    """The run ends an epoch, is stopped, and is resumed and finished, one at each wait."""

    def first() -> None:
        made.emit("epoch_finished", stage=0, epoch=1)
        made.emit("stopped", stage=0, epoch=2, step=0)
        made.die()

    def second() -> None:
        made.live()
        made.emit("resumed", stage=0, epoch=2, step=0)
        made.emit("epoch_finished", stage=0, epoch=2)
        finish(made)

    waits = iter([first, second])
    monkeypatch.setattr(mirroring.time, "sleep", lambda seconds: next(waits)())
    mirror_runs(lambda: [made.folder], TO, follow)
    assert tracker.rows == ends_with
    made.die()


def test_two_mirrors_of_a_run_to_one_place_are_refused(
    made: FakeRun, tracker: type[FakeTracker]
) -> None:
    first = TrackedRun(made.folder, TO, False, print)
    with pytest.raises(UserError, match="Another mirror sends pets to http://here"):
        TrackedRun(made.folder, TO, False, print)
    first.close()
    TrackedRun(made.folder, TO, False, print).close()
    made.die()


def test_a_missing_library_is_named_with_its_extra(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "workbench.trackers.wandb", raising=False)
    with pytest.raises(UserError, match="package wandb is not installed") as refused:
        make_tracker("pets", Destination("wandb", ".", "p"))
    assert refused.value.hint == "Install it: pip install 'convnet-workbench[wandb]'"


def test_where_runs_are_put(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    root = workspace.root.resolve()

    def place(to: str, at: str | None = None) -> str:
        return find_destination(workspace, to, at, "p").place

    assert place("tensorboard") == str(root / "tensorboard")
    assert place("mlflow") == (root / "mlruns").as_uri()
    assert place("wandb") == str(root)
    assert place("mlflow", "http://box:5000") == "http://box:5000"
    assert place("mlflow", str(root / "runs")) == (root / "runs").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///m.db")
    assert place("mlflow") == "sqlite:///m.db"


def test_the_note_says_what_was_sent(made: FakeRun, tracker: type[FakeTracker]) -> None:
    made.epochs(0, 1)
    finish(made)
    mirror_runs(lambda: [made.folder], TO)
    (note,) = made.folder.mirrors.glob("*.json")
    kept = json.loads(note.read_text())
    assert kept["tags"]["state"] == "finished"
    assert kept["params"]["training.epochs"] == 3
    assert kept["own"] == {"kept": True}
