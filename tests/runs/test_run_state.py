"""How a run stands: events held against the lock and the machine."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from workbench.paths import Workspace
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.history import fold
from workbench.runs.host import SILENCE_SECONDS, may_live_elsewhere, this_host
from workbench.runs.lock import take_lock
from workbench.runs.rows import Place
from workbench.runs.state import State, resume_words, run_state, summarise

Tell = Callable[..., None]


@pytest.fixture
def tell(run: RunFolder) -> Tell:
    return EventWriter(run.events_path).write


@pytest.fixture
def checkpoint(run: RunFolder) -> Path:
    run.checkpoints.mkdir()
    path = run.checkpoints / "last.npz"
    path.touch()
    return path


def test_a_live_worker_is_told_by_its_phase(run: RunFolder, tell: Tell) -> None:
    lock = take_lock(run.lock_path)
    assert summarise(run).state == State("starting", False, "")
    tell("preparing", phase="scan", done=1200, total=4000)
    assert summarise(run).state == State("preparing", False, "scan, 1,200 of 4,000")
    tell("preparing", phase="start Keras", done=0, total=0)
    assert summarise(run).state == State("preparing", False, "start Keras")
    tell("stage_started", stage=0, epochs=7)
    tell("progress", stage=0, epoch=2, step=3, steps=9)
    assert summarise(run).state == State("training", False, "epoch 2 of 7")
    tell("evaluating", phase="evaluate", done=0, total=0)
    assert summarise(run).state == State("evaluating", False, "evaluate")
    os.close(lock)


@pytest.mark.usefixtures("ten_o_clock")
def test_without_its_lock_it_was_interrupted(run: RunFolder, tell: Tell, checkpoint: Path) -> None:
    def interrupted(resume: str) -> State:
        return State("interrupted", True, "killed or crashed at 10:00, epoch 2", resume)

    tell("worker_started", **this_host())
    tell("progress", stage=0, epoch=2, step=3, steps=9)
    assert summarise(run).state == interrupted("starts over: no checkpoint")
    tell("checkpoint_saved", stage=0, epoch=3, step=0)
    assert summarise(run).state == interrupted("goes on at epoch 3")
    tell("checkpoint_saved", stage=0, epoch=3, step=40)
    assert summarise(run).state == interrupted("goes on at epoch 3, step 40")
    checkpoint.rename(checkpoint.with_name(".last.tmp"))
    assert summarise(run).state == interrupted("starts over: no checkpoint")


def test_a_run_that_was_never_launched_can_be(run: RunFolder) -> None:
    never = State("interrupted", True, "it was never started", "starts over: no checkpoint")
    assert summarise(run).state == never


@pytest.mark.usefixtures("ten_o_clock")
def test_ends_are_told_by_the_events(run: RunFolder, tell: Tell, checkpoint: Path) -> None:
    on = "goes on at epoch 3"
    tell("checkpoint_saved", stage=0, epoch=3, step=0)
    tell("stopped", stage=0, epoch=3, step=0)
    stopped = summarise(run).state
    assert stopped == State("stopped", True, "asked to stop at 10:00, after epoch 2", on)
    assert stopped.detail == "asked to stop at 10:00, after epoch 2; resume goes on at epoch 3"
    lock = take_lock(run.lock_path)  # its worker has not quite gone
    assert summarise(run).state == replace(stopped, resumable=False)
    os.close(lock)
    tell("failed", kind="user", message="bad \x1b[31m.\nsecond line", hint="mend it")
    assert summarise(run).state == State("failed", True, "bad \\e[31m (at 10:00)", on)
    tell("finished", seconds=3)
    assert summarise(run).state == State("finished", False, "")


@pytest.mark.parametrize(
    ("kind", "size", "told", "resume"),
    [
        ("memory", 32, "out of memory", "with half the batch (16)"),
        ("memory", 9, "out of memory", "with half the batch (3)"),
        ("memory", 1, "out of memory", "goes on at epoch 3"),
        ("disk", 32, "the disk is full or cannot be written", "goes on at epoch 3"),
        ("diverged", 32, "the training diverged", "with a lower learning rate"),
    ],
)
@pytest.mark.usefixtures("ten_o_clock", "checkpoint")
def test_what_a_failure_asks_for_is_told(
    run: RunFolder, tell: Tell, kind: str, size: int, told: str, resume: str
) -> None:
    run.spec_path.write_text(f"[training]\nbatch_size = {size}\n")
    tell("stage_started", stage=0, epochs=7)
    tell("checkpoint_saved", stage=0, epoch=3, step=0)
    tell("progress", stage=0, epoch=4, step=2, steps=9)
    tell("failed", kind=kind, message="a long one", hint="")
    assert summarise(run).state == State("failed", True, f"{told} at 10:00, epoch 4 of 7", resume)


TEST_LEFT = "finishes it: only the test is left"


@pytest.mark.parametrize(
    ("strategy", "place", "words"),
    [
        ("convnet", None, "starts over"),
        ("convnet", Place(0, 3, 0), "goes on at epoch 3"),
        ("convnet", Place(0, 3, 7), "goes on at epoch 3, step 7"),
        ("convnet", Place(0, 4, 0), TEST_LEFT),
        ("fine-tuning", Place(0, 3, 0), "goes on at epoch 3"),
        ("fine-tuning", Place(0, 4, 0), "goes on at stage 2"),
        ("fine-tuning", Place(1, 5, 0), "goes on at epoch 5"),
        ("fine-tuning", Place(1, 6, 0), TEST_LEFT),
    ],
)
def test_after_a_stages_last_epoch_comes_the_next_stage_or_the_test(
    strategy: str, place: Place | None, words: str
) -> None:
    history = fold(
        [
            {"event": "stage_started", "stage": 0, "epochs": 3},
            {"event": "stage_started", "stage": 1, "epochs": 5},
        ]
    )
    history.checkpoint = place
    assert resume_words({"model": {"strategy": strategy}}, history) == words


def test_early_stopping_leaves_the_test_too(run: RunFolder, tell: Tell, checkpoint: Path) -> None:
    tell("stage_started", stage=0, epochs=7)
    tell("checkpoint_saved", stage=0, epoch=5, step=0)
    tell("stopped", stage=0, epoch=5, step=0)
    assert summarise(run).state.resume == "goes on at epoch 5"
    tell("stage_finished", stage=0, reason="early stopping", kept_epoch=2)
    tell("stopped", stage=0, epoch=5, step=0)
    assert summarise(run).state.resume == TEST_LEFT


def test_a_stage_of_unknown_length_has_an_epoch_more() -> None:
    told = [{"event": "stage_started", "stage": 0}]
    checkpoint = {"event": "checkpoint_saved", "stage": 0, "epoch": 4}
    assert resume_words({}, fold([*told, checkpoint])) == "goes on at epoch 4"


def test_the_accuracy_is_that_of_the_kept_epoch(run: RunFolder, tell: Tell) -> None:
    tell("stage_started", stage=0, epochs=7)
    tell("epoch_finished", stage=0, epoch=1, val_accuracy=0.6111, best=True)
    tell("epoch_finished", stage=0, epoch=2, val_accuracy=0.5889, best=True)
    tell("epoch_finished", stage=0, epoch=3, val_accuracy=0.6, best=False)
    assert summarise(run).best_val_accuracy == 0.5889
    tell("stage_finished", stage=0, best_epoch=2, kept_epoch=3)
    assert summarise(run).best_val_accuracy == 0.6


def test_a_run_goes_by_its_preset_or_else_by_its_strategy(run: RunFolder) -> None:
    assert summarise(run).recipe == "convnet"
    run.spec_path.write_text('preset = "convnet-augmented"\n' + run.spec_path.read_text())
    assert summarise(run).recipe == "convnet-augmented"


def test_another_machine_gets_the_benefit_of_the_doubt(run: RunFolder) -> None:
    events: list[dict[str, Any]] = [
        {"event": "worker_started", "t": 1000.0, "host": "far\x1b", "boot_id": "other"},
        {"event": "progress", "t": 2000.0, "stage": 0, "epoch": 1},
    ]
    history = fold(events)
    just = 2000.0 + SILENCE_SECONDS
    assert run_state(run, {}, history, locked=False, now=2125.0) == State(
        "training", False, "on far\\e, last sign of life 2 min 05 s ago", "", "far\\e"
    )
    assert run_state(run, {}, history, locked=False, now=just - 0.1).word == "training"
    assert run_state(run, {}, history, locked=True, now=just).word == "training"
    assert run_state(run, {}, history, locked=False, now=just) == State(
        "interrupted",
        True,
        "on far\\e, last sign of life 10 min 00 s ago, epoch 1",
        "asks whether it has ended, and starts over: no checkpoint",
        "far\\e",
    )


def test_a_clock_set_back_makes_no_run_look_alive_for_ever(run: RunFolder) -> None:
    far = {"event": "worker_started", "t": 2000.0, "host": "far", "boot_id": "other"}
    history = fold([far])
    earliest = 2000.0 - SILENCE_SECONDS
    alive = run_state(run, {}, history, locked=False, now=earliest + 0.1)
    assert alive.word == "starting"
    assert alive.told == "on far, last sign of life 10 min 00 s ahead of this clock"
    silent = run_state(run, {}, history, locked=False, now=earliest)
    assert (silent.word, silent.resumable, silent.elsewhere) == ("interrupted", True, "far")


def test_what_told_its_end_on_another_machine_needs_no_question(run: RunFolder, tell: Tell) -> None:
    tell("worker_started", host="far", boot_id="other")
    tell("stopped", stage=0, epoch=1, step=0)
    state = summarise(run).state
    assert (state.word, state.resumable, state.elsewhere) == ("stopped", True, "")


def test_this_machine_is_known_by_its_name_or_its_boot() -> None:
    here = this_host()
    far = {"host": "far", "boot_id": "other"}
    assert may_live_elsewhere(far, last_sign=100.0, now=101.0)
    assert not may_live_elsewhere({**far, "host": here["host"]}, 100.0, 101.0)  # rebooted
    assert not may_live_elsewhere({**far, "boot_id": here["boot_id"]}, 100.0, 101.0)  # container
    assert not may_live_elsewhere({}, 100.0, 101.0)
    assert not may_live_elsewhere(far, None, 101.0)
    assert may_live_elsewhere(far, 101.0, 101.0 - SILENCE_SECONDS + 0.1)  # its clock is ahead
    assert not may_live_elsewhere(far, 101.0, 101.0 - SILENCE_SECONDS)


def test_a_summary_has_everything_in_a_line(run: RunFolder, tell: Tell) -> None:
    tell("worker_started", **this_host())
    tell("data_ready", name="birds-of-may")
    tell("stage_started", stage=0, epochs=5)
    for number, accuracy in enumerate((0.5, 0.75, 0.625), start=1):
        tell("epoch_finished", stage=0, epoch=number, val_accuracy=accuracy)
    tell("evaluated", split="test", accuracy=0.7)
    tell("finished", seconds=3)
    told = summarise(run).as_dict()
    assert json.loads(json.dumps(told)) == told
    started, last_sign = told.pop("started"), told.pop("last_sign")
    assert started <= last_sign
    assert told == {
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
    }


def test_before_anything_is_told_the_spec_speaks(run: RunFolder) -> None:
    summary = summarise(run)
    assert (summary.strategy, summary.data, summary.epochs_total) == ("convnet", "birds", 7)
    assert (summary.started, summary.test_accuracy, summary.epochs_done) == (None, None, 0)


def test_data_that_was_corrected_is_told_as_such(workspace: Workspace, tell: Tell) -> None:
    spec = '[data]\nsource = "/photos/birds"\ncorrections = "/c.csv"\n'
    run = create_run(workspace, spec, "birds-2", "")
    assert summarise(run).data == "birds (corrected)"
    EventWriter(run.events_path).write("data_ready", name="birds-of-may")
    assert summarise(run).data == "birds-of-may (corrected)"


def test_validation_images_are_no_test(run: RunFolder, tell: Tell) -> None:
    tell("evaluated", split="validation", accuracy=0.7)
    assert summarise(run).test_accuracy is None


@pytest.mark.parametrize("spec", [b"\xff\xfe", b"model = 5", b"[model", b"[model]\nstrategy = 3"])
def test_a_damaged_spec_is_no_reason_to_fail(run: RunFolder, spec: bytes) -> None:
    run.spec_path.write_bytes(spec)
    summary = summarise(run)
    assert summary.strategy in ("?", "3")
    assert summary.epochs_total is None


def test_a_damaged_folder_gives_what_can_be_read(run: RunFolder) -> None:
    run.spec_path.unlink()
    run.events_path.mkdir()
    summary = summarise(run)
    assert summary.state == State("interrupted", False, "cannot be read: Is a directory")
    assert (summary.name, summary.strategy, summary.data) == ("birds", "?", "?")
