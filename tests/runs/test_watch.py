"""Watch a run as it changes."""

import os

import pytest
from event_lines import LogWriter

from workbench.paths import Workspace
from workbench.runs import watch as watch_module
from workbench.runs.event_log import CHUNK_BYTES
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.lock import take_lock
from workbench.runs.watch import RunWatch

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'


@pytest.fixture
def folder(workspace: Workspace) -> RunFolder:
    return create_run(workspace, SPEC, "photos-1", "")


def epoch(number: int, accuracy: float) -> dict[str, object]:
    return {"stage": 0, "epoch": number, "val_accuracy": accuracy, "best": True}


def test_poll_returns_whether_anything_changed(folder: RunFolder) -> None:
    events = LogWriter(folder.events_path)
    events.write("launched", job="train")
    watch = RunWatch(folder)
    assert watch.poll()
    assert not watch.poll()
    events.write("epoch_finished", **epoch(1, 0.5))
    assert watch.poll()
    assert [row.val_accuracy for row in watch.history.epochs] == [0.5]
    events.write("epoch_finished", **epoch(2, 0.75))
    before = watch.history
    assert watch.poll()
    assert len(before.epochs) == 1  # an earlier history does not change
    assert watch.summary.best_val_accuracy == 0.75
    assert watch.summary.strategy == "convnet"


def test_new_session_may_have_another_spec(folder: RunFolder) -> None:
    events = LogWriter(folder.events_path)
    events.write("launched", job="train")
    watch = RunWatch(folder)
    watch.poll()
    folder.spec_path.write_text(SPEC + "[training]\nepochs = 3000\n")
    events.write("epoch_finished", **epoch(1, 0.5))
    watch.poll()
    assert "training" not in watch.spec
    events.write("launched", job="train", resume=True)
    watch.poll()
    assert watch.spec["training"] == {"epochs": 3000}


def test_long_log_is_read_in_one_poll(folder: RunFolder) -> None:
    long = '{"event":"notice","message":"' + "x" * CHUNK_BYTES + '"}\n'
    folder.events_path.write_text(long * 3 + '{"event":"finished","t":1}\n')
    watch = RunWatch(folder)
    assert watch.poll()
    assert (watch.state.phase, watch.more) == ("finished", False)


def test_a_stage_may_begin_with_other_epochs(folder: RunFolder) -> None:
    events = LogWriter(folder.events_path)
    events.write("launched", job="train")
    watch = RunWatch(folder)
    watch.poll()
    folder.spec_path.write_text(SPEC + "[training]\nepochs = 17\ndeadline = 99\n")
    events.write("stage_started", stage=0, epochs=17)
    assert watch.poll()
    assert watch.spec["training"] == {"epochs": 17, "deadline": 99}


def test_poll_is_bounded(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    line = '{"event":"notice","message":"%s"}\n'
    full = [line % (number * CHUNK_BYTES)[: CHUNK_BYTES - len(line % "")] for number in "1234"]
    folder.events_path.write_text("".join(full))
    monkeypatch.setattr(watch_module, "POLL_BYTES", 3 * CHUNK_BYTES)
    watch = RunWatch(folder)
    assert watch.poll()
    assert (len(watch.history.notices), watch.more) == (3, True)
    assert watch.poll()
    assert (len(watch.history.notices), watch.more) == (4, False)


def test_lock_changes_the_state(folder: RunFolder) -> None:
    LogWriter(folder.events_path).write("stage_started", stage=0, epochs=3)
    watch = RunWatch(folder)
    watch.poll()
    assert watch.state.phase == "interrupted"
    lock = take_lock(folder.lock_path)
    assert watch.poll()
    assert watch.state.phase == "training"
    os.close(lock)
    assert watch.poll()
    assert watch.state.phase == "interrupted"


def test_replaced_log_is_read_from_the_start(folder: RunFolder) -> None:
    LogWriter(folder.events_path).write("epoch_finished", **epoch(1, 0.5))
    watch = RunWatch(folder)
    watch.poll()
    folder.events_path.unlink()
    events = LogWriter(folder.events_path)
    events.write("launched", job="train")  # its first bytes differ even in the same millisecond
    events.write("epoch_finished", **epoch(7, 0.25))
    assert watch.poll()
    assert [row.epoch for row in watch.history.epochs] == [7]


def test_history_has_layers_gpu_and_machine(folder: RunFolder) -> None:
    events = LogWriter(folder.events_path)
    events.write("gpu_chosen", asked="auto", gpu={"index": 1})
    events.write("layers", stage=0, epoch=1, layers=[{"name": "conv1"}])
    events.write("machine", cpu=50.0, gpu=None)
    watch = RunWatch(folder)
    watch.poll()
    assert watch.history.gpu.index == 1
    assert [layer.name for layer in watch.history.layers[0].layers] == ["conv1"]
    assert watch.history.machine.cpu == 50.0
    events.write("finished", seconds=1.0)
    watch.poll()
    assert watch.history.machine is None  # of no use after a session's end
