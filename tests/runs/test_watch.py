"""A run watched as it changes."""

import os
from pathlib import Path

import pytest

from workbench.paths import Workspace
from workbench.runs import watch as watch_module
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock
from workbench.runs.reader import CHUNK_BYTES
from workbench.runs.watch import RunWatch

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def folder(workspace: Workspace) -> RunFolder:
    return create_run(workspace, SPEC, "photos-1", "")


def epoch(number: int, accuracy: float) -> dict[str, object]:
    return {"stage": 0, "epoch": number, "val_accuracy": accuracy, "best": True}


def test_only_what_is_new_changes_anything(folder: RunFolder) -> None:
    events = EventWriter(folder.events_path)
    events.write("launched", job="train")
    watch = RunWatch(folder)
    assert watch.look()
    assert not watch.look()
    events.write("epoch_finished", **epoch(1, 0.5))
    assert watch.look()
    assert [row.val_accuracy for row in watch.history.epochs] == [0.5]
    events.write("epoch_finished", **epoch(2, 0.75))
    before = watch.history
    assert watch.look()
    assert len(before.epochs) == 1  # who holds an earlier look keeps it as it was
    assert watch.summary.best_val_accuracy == 0.75
    assert watch.summary.strategy == "convnet"


def test_a_new_life_may_begin_with_another_experiment(folder: RunFolder) -> None:
    events = EventWriter(folder.events_path)
    events.write("launched", job="train")
    watch = RunWatch(folder)
    watch.look()
    folder.spec_path.write_text(SPEC + "[training]\nepochs = 3000\n")
    events.write("epoch_finished", **epoch(1, 0.5))
    watch.look()
    assert "training" not in watch.spec
    events.write("launched", job="train", resume=True)
    watch.look()
    assert watch.spec["training"] == {"epochs": 3000}


def test_a_long_log_is_read_in_one_look(folder: RunFolder) -> None:
    long = '{"event":"notice","message":"' + "x" * CHUNK_BYTES + '"}\n'
    folder.events_path.write_text(long * 3 + '{"event":"finished","t":1}\n')
    watch = RunWatch(folder)
    assert watch.look()
    assert (watch.state.word, watch.more) == ("finished", False)


def test_a_look_is_bounded_so_that_other_runs_have_their_turn(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = '{"event":"notice","message":"%s"}\n'
    full = [line % (number * CHUNK_BYTES)[: CHUNK_BYTES - len(line % "")] for number in "1234"]
    folder.events_path.write_text("".join(full))
    monkeypatch.setattr(watch_module, "LOOK_BYTES", 3 * CHUNK_BYTES)
    watch = RunWatch(folder)
    assert watch.look()
    assert (len(watch.history.notices), watch.more) == (3, True)
    assert watch.look()
    assert (len(watch.history.notices), watch.more) == (4, False)


def test_a_worker_that_comes_and_goes_changes_the_state(folder: RunFolder) -> None:
    EventWriter(folder.events_path).write("stage_started", stage=0, epochs=3)
    watch = RunWatch(folder)
    watch.look()
    assert watch.state.word == "interrupted"
    lock = take_lock(folder.lock_path)
    assert watch.look()
    assert watch.state.word == "training"
    os.close(lock)
    assert watch.look()
    assert watch.state.word == "interrupted"


def test_another_log_in_its_place_is_read_from_the_beginning(folder: RunFolder) -> None:
    EventWriter(folder.events_path).write("epoch_finished", **epoch(1, 0.5))
    watch = RunWatch(folder)
    watch.look()
    folder.events_path.unlink()
    events = EventWriter(folder.events_path)
    events.write("launched", job="train")  # even in the same millisecond its first bytes differ
    events.write("epoch_finished", **epoch(7, 0.25))
    assert watch.look()
    assert [row.epoch for row in watch.history.epochs] == [7]


def test_layers_gpu_and_machine_are_part_of_a_history(folder: RunFolder) -> None:
    events = EventWriter(folder.events_path)
    events.write("gpu_chosen", asked="auto", gpu={"index": 1})
    events.write("layers", stage=0, epoch=1, layers=[{"name": "conv1"}])
    events.write("machine", cpu=50.0, gpu=None)
    watch = RunWatch(folder)
    watch.look()
    assert watch.history.gpu["gpu"] == {"index": 1}
    assert watch.history.layers[0]["layers"] == [{"name": "conv1"}]
    assert watch.history.machine["cpu"] == 50.0
    events.write("finished", seconds=1.0)
    watch.look()
    assert watch.history.machine == {}  # a gauge of something that has ended says nothing
