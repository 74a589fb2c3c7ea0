"""Determine the state of a run from its events, its lock and its machine."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter, event

from workbench.paths import Workspace
from workbench.runs.event_text import describe_kept
from workbench.runs.events import StageFinished, WorkerStarted
from workbench.runs.fields import Position
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.history import fold
from workbench.runs.lock import SILENCE_SECONDS, may_run_elsewhere, take_lock, this_host
from workbench.runs.state import RunState, describe_early_end, describe_resume, run_state
from workbench.runs.summary import summarize

Write = Callable[..., None]


@pytest.fixture
def write(run: RunFolder) -> Write:
    return LogWriter(run.events_path).write


@pytest.fixture
def checkpoint(run: RunFolder) -> Path:
    run.checkpoints.mkdir()
    path = run.checkpoints / "last.npz"
    path.touch()
    return path


def test_live_worker_shows_its_phase(run: RunFolder, write: Write) -> None:
    lock = take_lock(run.lock_path)
    assert summarize(run).state == RunState("starting", False, "")
    write("preparing", phase="scan", done=1200, total=4000)
    assert summarize(run).state == RunState("preparing", False, "scan, 1,200 of 4,000")
    write("preparing", phase="start Keras", done=0, total=0)
    assert summarize(run).state == RunState("preparing", False, "start Keras")
    write("stage_started", stage=0, epochs=7)
    write("progress", stage=0, epoch=2, step=3, steps=9)
    assert summarize(run).state == RunState("training", False, "epoch 2 of 7")
    write("evaluating", phase="evaluate", done=0, total=0)
    assert summarize(run).state == RunState("evaluating", False, "evaluate")
    os.close(lock)


@pytest.mark.usefixtures("frozen_clock")
def test_run_without_lock_is_interrupted(run: RunFolder, write: Write, checkpoint: Path) -> None:
    def interrupted(resume: str) -> RunState:
        return RunState("interrupted", True, "killed or crashed at 10:00, epoch 2", resume)

    write("worker_started", **this_host())
    write("progress", stage=0, epoch=2, step=3, steps=9)
    assert summarize(run).state == interrupted("starts over: no checkpoint")
    write("checkpoint_saved", stage=0, epoch=3, step=0)
    assert summarize(run).state == interrupted("continues at epoch 3")
    write("checkpoint_saved", stage=0, epoch=3, step=40)
    assert summarize(run).state == interrupted("continues at epoch 3, step 40")
    checkpoint.rename(checkpoint.with_name(".last.tmp"))
    assert summarize(run).state == interrupted("starts over: no checkpoint")


def test_run_never_launched_is_resumable(run: RunFolder) -> None:
    never = RunState("interrupted", True, "it was never started", "starts over: no checkpoint")
    assert summarize(run).state == never


@pytest.mark.usefixtures("frozen_clock")
def test_final_events_decide(run: RunFolder, write: Write, checkpoint: Path) -> None:
    on = "continues at epoch 3"
    write("checkpoint_saved", stage=0, epoch=3, step=0)
    write("stopped", stage=0, epoch=3, step=0)
    stopped = summarize(run).state
    assert stopped == RunState("stopped", True, "stopped on request at 10:00, after epoch 2", on)
    assert (
        stopped.detail == "stopped on request at 10:00, after epoch 2; resume continues at epoch 3"
    )
    lock = take_lock(run.lock_path)  # its worker has not ended yet
    assert summarize(run).state == replace(stopped, resumable=False)
    os.close(lock)
    write("failed", kind="user", message="bad \x1b[31m.\nsecond line", hint="fix it")
    assert summarize(run).state == RunState("failed", True, "bad \\e[31m (at 10:00)", on)
    write("finished", seconds=3)
    assert summarize(run).state == RunState("finished", False, "")


@pytest.mark.parametrize(
    ("kind", "size", "description", "resume"),
    [
        ("memory", 32, "out of memory", "with half the batch (16)"),
        ("memory", 9, "out of memory", "with half the batch (3)"),
        ("memory", 1, "out of memory", "continues at epoch 3"),
        ("disk", 32, "the disk is full or cannot be written", "continues at epoch 3"),
        ("diverged", 32, "the training diverged", "with a lower learning rate"),
    ],
)
@pytest.mark.usefixtures("frozen_clock", "checkpoint")
def test_failure_suggests_a_change(
    run: RunFolder, write: Write, kind: str, size: int, description: str, resume: str
) -> None:
    run.spec_path.write_text(f"[training]\nbatch_size = {size}\n")
    write("stage_started", stage=0, epochs=7)
    write("checkpoint_saved", stage=0, epoch=3, step=0)
    write("progress", stage=0, epoch=4, step=2, steps=9)
    write("failed", kind=kind, message="a long one", hint="")
    assert summarize(run).state == RunState(
        "failed", True, f"{description} at 10:00, epoch 4 of 7", resume
    )


TEST_LEFT = "finishes it: only the test is left"


@pytest.mark.parametrize(
    ("strategy", "position", "expected"),
    [
        ("convnet", None, "starts over"),
        ("convnet", Position(0, 3, 0), "continues at epoch 3"),
        ("convnet", Position(0, 3, 7), "continues at epoch 3, step 7"),
        ("convnet", Position(0, 4, 0), TEST_LEFT),
        ("fine-tuning", Position(0, 3, 0), "continues at epoch 3"),
        ("fine-tuning", Position(0, 4, 0), "continues at stage 2"),
        ("fine-tuning", Position(1, 5, 0), "continues at epoch 5"),
        ("fine-tuning", Position(1, 6, 0), TEST_LEFT),
    ],
)
def test_resume_after_last_epoch_continues_with_stage_or_test(
    strategy: str, position: Position | None, expected: str
) -> None:
    history = fold(
        [
            event("stage_started", stage=0, epochs=3),
            event("stage_started", stage=1, epochs=5),
        ]
    )
    history.checkpoint = position
    assert describe_resume({"model": {"strategy": strategy}}, history) == expected


def test_only_the_test_is_left_after_early_stopping(
    run: RunFolder, write: Write, checkpoint: Path
) -> None:
    write("stage_started", stage=0, epochs=7)
    write("checkpoint_saved", stage=0, epoch=5, step=0)
    write("stopped", stage=0, epoch=5, step=0)
    assert summarize(run).state.resume == "continues at epoch 5"
    write("stage_finished", stage=0, reason="early stopping", kept_epoch=2)
    write("stopped", stage=0, epoch=5, step=0)
    assert summarize(run).state.resume == TEST_LEFT


def test_a_run_that_ran_out_of_time(run: RunFolder, write: Write, checkpoint: Path) -> None:
    write("stage_started", stage=0, epochs=7)
    for number in (1, 2):
        write("epoch_finished", stage=0, epoch=number)
    write("checkpoint_saved", stage=0, epoch=3, step=4)
    write("stage_finished", stage=0, reason="out of time", kept_epoch=2)
    write("stopped", stage=0, epoch=3, step=4)  # in the evaluation
    assert summarize(run).state.resume == "continues at epoch 3, step 4"
    write("finished")
    state = summarize(run).state
    assert (state.phase, state.detail) == ("finished", "out of time after epoch 2 of 7")


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (0, "out of time before the first epoch of stage 2"),
        (3, "out of time after stage 2, epoch 3 of 9"),
    ],
)
def test_out_of_time_in_a_later_stage(done: int, expected: str) -> None:
    events = [event("stage_started", stage=index, epochs=9) for index in (0, 1)]
    events += [event("epoch_finished", stage=1, epoch=n + 1) for n in range(done)]
    ended = event("stage_finished", stage=1, reason="out of time")
    assert describe_early_end(fold([*events, ended])) == expected
    assert describe_early_end(fold(events)) == ""
    assert describe_early_end(fold([])) == ""


@pytest.mark.parametrize(
    ("kept", "text"),
    [(4, "kept the weights of epoch 4"), (0, "kept the weights that it started with")],
)
def test_which_weights_were_kept(kept: int, text: str) -> None:
    ended = event("stage_finished", stage=1, kept_epoch=kept)
    assert isinstance(ended, StageFinished)
    assert describe_kept(ended) == text


def test_stage_of_unknown_length_continues() -> None:
    events = [event("stage_started", stage=0)]
    checkpoint = event("checkpoint_saved", stage=0, epoch=4)
    assert describe_resume({}, fold([*events, checkpoint])) == "continues at epoch 4"


def test_accuracy_is_of_the_kept_epoch(run: RunFolder, write: Write) -> None:
    write("stage_started", stage=0, epochs=7)
    write("epoch_finished", stage=0, epoch=1, val_accuracy=0.6111, best=True)
    write("epoch_finished", stage=0, epoch=2, val_accuracy=0.5889, best=True)
    write("epoch_finished", stage=0, epoch=3, val_accuracy=0.6, best=False)
    assert summarize(run).best_val_accuracy == 0.5889
    write("stage_finished", stage=0, best_epoch=2, kept_epoch=3)
    assert summarize(run).best_val_accuracy == 0.6


def test_recipe_is_preset_or_strategy(run: RunFolder) -> None:
    assert summarize(run).recipe == "convnet"
    run.spec_path.write_text('preset = "convnet-augmented"\n' + run.spec_path.read_text())
    assert summarize(run).recipe == "convnet-augmented"


def test_run_on_another_machine_may_be_alive(run: RunFolder) -> None:
    events: list[dict[str, Any]] = [
        event("worker_started", 1000.0, host="far\x1b", boot_id="other"),
        event("progress", 2000.0, stage=0, epoch=1),
    ]
    history = fold(events)
    just = 2000.0 + SILENCE_SECONDS
    assert run_state(run, {}, history, locked=False, now=2125.0) == RunState(
        "training", False, "on far\\e, last sign of life 2 min 05 s ago", "", "far\\e"
    )
    assert run_state(run, {}, history, locked=False, now=just - 0.1).phase == "training"
    assert run_state(run, {}, history, locked=True, now=just).phase == "training"
    assert run_state(run, {}, history, locked=False, now=just) == RunState(
        "interrupted",
        True,
        "on far\\e, last sign of life 10 min 00 s ago, epoch 1",
        "asks whether it has ended, and starts over: no checkpoint",
        "far\\e",
    )


def test_clock_set_back_does_not_keep_a_run_alive(run: RunFolder) -> None:
    far = event("worker_started", 2000.0, host="far", boot_id="other")
    history = fold([far])
    earliest = 2000.0 - SILENCE_SECONDS
    alive = run_state(run, {}, history, locked=False, now=earliest + 0.1)
    assert alive.phase == "starting"
    assert alive.description == "on far, last sign of life 10 min 00 s ahead of this clock"
    silent = run_state(run, {}, history, locked=False, now=earliest)
    assert (silent.phase, silent.resumable, silent.other_host) == ("interrupted", True, "far")


def test_final_event_on_another_machine_needs_no_question(run: RunFolder, write: Write) -> None:
    write("worker_started", host="far", boot_id="other")
    write("stopped", stage=0, epoch=1, step=0)
    state = summarize(run).state
    assert (state.phase, state.resumable, state.other_host) == ("stopped", True, "")


def test_host_is_identified_by_name_or_boot_id() -> None:
    here = this_host()
    far = WorkerStarted(host="far", boot_id="other")
    rebooted, container = (replace(far, **{key: here[key]}) for key in here)
    assert may_run_elsewhere(far, last_sign=100.0, now=101.0)
    assert not may_run_elsewhere(rebooted, 100.0, 101.0)
    assert not may_run_elsewhere(container, 100.0, 101.0)
    assert not may_run_elsewhere(WorkerStarted(), 100.0, 101.0)
    assert not may_run_elsewhere(None, 100.0, 101.0)
    assert not may_run_elsewhere(far, None, 101.0)
    assert may_run_elsewhere(far, 101.0, 101.0 - SILENCE_SECONDS + 0.1)  # its clock is ahead
    assert not may_run_elsewhere(far, 101.0, 101.0 - SILENCE_SECONDS)


F1 = {"value": 0.6, "interval": [0.5, 0.7]}


def test_a_summary_has_the_scores_that_were_measured(run: RunFolder, write: Write) -> None:
    write("stage_started", stage=0, epochs=5)
    write("epoch_finished", stage=0, epoch=1, val_accuracy=0.5, val_auc=0.75, best=True)
    write("epoch_finished", stage=0, epoch=2, val_accuracy=0.9, val_auc=0.5, best=False)
    before = summarize(run)
    assert (before.val_scores, before.test_scores) == ({"auc": 0.75}, {})
    assert [before.measured(name) for name in ("accuracy", "auc")] == [0.5, 0.75]
    assert before.measured("macro_f1") is None
    write("evaluated", split="test", accuracy=0.7, macro_f1=F1, auc={"value": None})
    after = summarize(run)
    assert (after.val_scores, after.test_scores) == ({"auc": 0.75}, {"macro_f1": 0.6})
    assert (after.on_test("macro_f1"), after.on_test("accuracy"), after.on_test("auc")) == (
        0.6, 0.7, None,
    )  # fmt: skip
    assert [after.measured(name) for name in ("accuracy", "macro_f1", "auc")] == [0.7, 0.6, 0.75]


def test_without_test_images_the_scores_are_those_of_the_validation(
    run: RunFolder, write: Write
) -> None:
    write("stage_started", stage=0, epochs=5)
    write("epoch_finished", stage=0, epoch=1, val_accuracy=0.5, best=True)
    write("evaluated", split="validation", accuracy=0.7, macro_f1=F1)
    found = summarize(run)
    assert (found.val_scores, found.test_scores) == ({"macro_f1": 0.6}, {})


def test_summary_as_dict(run: RunFolder, write: Write) -> None:
    write("worker_started", **this_host())
    write("data_ready", name="birds-of-may")
    write("gpu_chosen", asked="auto", gpu={"index": 3}, others=[{"index": 0}])
    write("stage_started", stage=0, epochs=5)
    for number, accuracy in enumerate((0.125, 0.5, 0.75, 0.625)):  # 0: of a head that began solved
        write("epoch_finished", stage=0, epoch=number, val_accuracy=accuracy)
    write("evaluated", split="test", accuracy=0.7)
    write("finished", seconds=3)
    fields = summarize(run).as_dict()
    assert json.loads(json.dumps(fields)) == fields
    started, last_sign = fields.pop("started"), fields.pop("last_sign")
    assert started <= last_sign
    assert fields == {
        "name": "birds",
        "state": "finished",
        "resumable": False,
        "detail": "",
        "preset": None,
        "random_weights": False,
        "strategy": "convnet",
        "data": "birds-of-may",
        "best_val_accuracy": 0.75,
        "test_accuracy": 0.7,
        "epochs_done": 3,
        "epochs_total": 5,
        "val_scores": {},
        "test_scores": {},
        "device": "GPU 3, 0",
        "cross_validated": False,
    }


def test_a_solved_head_adds_no_epoch(run: RunFolder, write: Write) -> None:
    """Before its stage trains, the plan is that of the spec; a probe's solution is its only one."""
    write("stage_started", stage=0, kind="solve", epochs=1)
    write("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    assert (summarize(run).epochs_done, summarize(run).epochs_total) == (0, 7)
    assert summarize(run).validation_mark == "c"  # no validation image was looked at so far
    write("stage_started", stage=1, epochs=5)
    write("epoch_finished", stage=1, epoch=0, val_accuracy=0.5)
    assert summarize(run).validation_mark == "v"
    write("epoch_finished", stage=1, epoch=1, val_accuracy=0.75)
    assert (summarize(run).epochs_done, summarize(run).epochs_total) == (1, 5)


def test_a_linear_probe_is_one_epoch(workspace: Workspace) -> None:
    spec = '[data]\nsource = "/photos/birds"\n[model]\nstrategy = "linear-probe"\n'
    run = create_run(workspace, spec, "probe", "")
    assert (summarize(run).epochs_done, summarize(run).epochs_total) == (0, 1)
    log = LogWriter(run.events_path)
    log.write("stage_started", stage=0, kind="solve", epochs=1)
    log.write("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    assert (summarize(run).epochs_done, summarize(run).epochs_total) == (1, 1)


def test_summary_without_events_uses_the_spec(run: RunFolder) -> None:
    summary = summarize(run)
    assert (summary.strategy, summary.data, summary.epochs_total) == ("convnet", "birds", 7)
    assert (summary.started, summary.test_accuracy, summary.epochs_done) == (None, None, 0)


def test_corrected_data_is_marked(workspace: Workspace, write: Write) -> None:
    spec = '[data]\nsource = "/photos/birds"\ncorrections = "/c.csv"\n'
    run = create_run(workspace, spec, "birds-2", "")
    assert summarize(run).data == "birds (corrected)"
    LogWriter(run.events_path).write("data_ready", name="birds-of-may")
    assert summarize(run).data == "birds-of-may (corrected)"


def test_validation_accuracy_is_no_test_accuracy(run: RunFolder, write: Write) -> None:
    write("evaluated", split="validation", accuracy=0.7)
    assert summarize(run).test_accuracy is None


@pytest.mark.parametrize("spec", [b"\xff\xfe", b"model = 5", b"[model", b"[model]\nstrategy = 3"])
def test_damaged_spec_is_summarized(run: RunFolder, spec: bytes) -> None:
    run.spec_path.write_bytes(spec)
    summary = summarize(run)
    assert summary.strategy in ("?", "3")
    assert summary.epochs_total is None


def test_damaged_folder_is_summarized(run: RunFolder) -> None:
    run.spec_path.unlink()
    run.events_path.mkdir()
    summary = summarize(run)
    assert summary.state == RunState("interrupted", False, "cannot be read: Is a directory")
    assert (summary.name, summary.strategy, summary.data) == ("birds", "?", "?")


def test_data_whose_folder_kept_no_letter_of_its_name_has_its_own(workspace: Workspace) -> None:
    run = create_run(workspace, '[data]\nsource = "/photos/꽃사진"\n', None, "꽃사진")
    LogWriter(run.events_path).write("data_ready", name="data")
    assert (run.name, summarize(run).data) == ("run-1", "꽃사진")
