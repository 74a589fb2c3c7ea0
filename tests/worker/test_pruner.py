"""A worker's view of the other runs of its sweep: when it gives its own run up."""

import os
from collections.abc import Iterator

import pytest
from event_lines import LogWriter
from fake_runs import CONVNET, FakeRun
from made_sweeps import made_sweep

from workbench.experiment.toml import read_spec
from workbench.paths import Workspace
from workbench.runs.event_log import read_events
from workbench.runs.summary import summarize
from workbench.runs.sweep import MEDIAN, SweepTrial
from workbench.worker import sweep as worker_sweep
from workbench.worker.sweep import Pruner, continue_sweep

SPEC = CONVNET.format(epochs=9).replace('"convnet"', '"convnet"\nfilters = [8]')


def finished(workspace: Workspace, name: str, *values: float, end: str = "finished") -> FakeRun:
    run = FakeRun(workspace, name, SPEC)
    run.stage(0, "train all", 9)
    for epoch, value in enumerate(values, start=1):
        run.emit("epoch_finished", stage=0, epoch=epoch, val_accuracy=value)
    if end == "finished":
        run.emit("finished", seconds=1.0)
    else:
        run.emit("stopped", stage=0, epoch=2)
    return run


@pytest.fixture
def own(workspace: Workspace) -> Iterator[FakeRun]:
    """A run that trains, the last of five; three have finished with a median of 0.5, then 0.625."""
    names = ["s-1", "s-2", "s-3", "s-4", "s-5"]
    finished(workspace, "s-1", 0.25, 0.25)
    finished(workspace, "s-2", 0.5, 0.75)
    finished(workspace, "s-3", 0.75, 0.75)
    finished(workspace, "s-4", 1.0, 1.0, end="stopped")  # is no finished one
    run = FakeRun(workspace, "s-5", SPEC)
    run.live()
    run.stage(0, "train all", 9)
    made_sweep(workspace, "s", [SweepTrial({}, at, run=name) for at, name in enumerate(names)],
               prune=MEDIAN)  # fmt: skip
    yield run
    run.die()


def test_a_run_below_the_median_is_given_up(own: FakeRun) -> None:
    pruner = Pruner(own.folder, read_spec(own.folder.spec_path))
    own.emit("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    pruner.after_epoch()
    assert pruner.reason == ""  # as good as the median is not worse
    own.emit("epoch_finished", stage=0, epoch=2, val_accuracy=0.25)
    pruner.after_epoch()
    assert pruner.reason == (
        "below the median of its sweep: best 0.5000 after 2 epochs, 0.6250 of 3 finished runs"
    )
    own.emit("stopped", stage=0, epoch=3, pruned=pruner.reason)
    own.die()
    state = summarize(own.folder).state
    assert (state.phase, state.resumable) == ("pruned", True)
    assert state.description == f"{pruner.reason}, after epoch 2 of 9"


def test_a_run_that_finishes_meanwhile_counts(workspace: Workspace, own: FakeRun) -> None:
    pruner = Pruner(own.folder, read_spec(own.folder.spec_path))
    own.emit("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    pruner.after_epoch()
    log = LogWriter(workspace.runs / "s-4" / "events.jsonl")
    log.write("finished", seconds=1.0)  # now 0.25, 0.5, 0.75, 1.0: the median is 0.625
    own.emit("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    pruner.after_epoch()
    assert "of 4 finished runs" in pruner.reason


def test_a_run_without_such_a_sweep_is_never_given_up(workspace: Workspace) -> None:
    alone = finished(workspace, "alone", 0.0)
    names = ["a-1", "a-2", "a-3"]
    others = [finished(workspace, name, 1.0) for name in names]
    made_sweep(workspace, "a", [SweepTrial({}, 1, run=run) for run in [*names, "alone"]])
    pruner = Pruner(alone.folder, read_spec(alone.folder.spec_path))
    pruner.after_epoch()
    assert pruner.reason == ""
    assert len(others) == 3


def test_the_next_worker_gets_the_environment_that_this_one_got(
    own: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str | None, str | None]] = []

    def continues(folder: object) -> None:
        seen.append((os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("WORKBENCH_OWN")))
        raise OSError("No space left on device")  # is no error of this run

    first = {**os.environ, "WORKBENCH_OWN": "given"}
    first.pop("CUDA_VISIBLE_DEVICES", None)
    monkeypatch.setattr(worker_sweep, "FIRST_ENVIRONMENT", first)
    monkeypatch.setattr(worker_sweep.sweep_queue, "continue_sweep", continues)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    continue_sweep(own.folder)
    assert seen == [(None, "given")]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert "WORKBENCH_OWN" not in os.environ
    assert list(read_events(own.folder.events_path))
