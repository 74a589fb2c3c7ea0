"""What became of a run, in a line: exact words for histories of every kind."""

from typing import Any

import pytest

from workbench.experiment.batch_size import halved
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
from workbench.runs.history import History, fold
from workbench.runs.host import this_host
from workbench.runs.outcome import (
    ended_words,
    half_batch,
    hint_for,
    interrupted_words,
    lower_rate,
    place_words,
    time_words,
)

DAY = 86400.0
GIB = 1 << 30

pytestmark = pytest.mark.usefixtures("ten_o_clock")


def told(now: float, *events: dict[str, Any], **worker: Any) -> History:
    """A history whose events were all told at `now`."""
    begins = {"event": "worker_started", **this_host(), **worker}
    return fold([{"t": now, **event} for event in (begins, *events)])


STAGE = {"event": "stage_started", "stage": 0, "epochs": 30}
PROGRESS = {"event": "progress", "stage": 0, "epoch": 7, "step": 3}
EPOCH = {"event": "epoch_finished", "stage": 0, "epoch": 6}


def test_a_process_that_died_alone_was_killed(ten_o_clock: float) -> None:
    history = told(ten_o_clock, STAGE, PROGRESS)
    assert interrupted_words(history, ten_o_clock) == "killed or crashed at 10:00, epoch 7 of 30"


def test_a_boot_since_then_is_told(ten_o_clock: float) -> None:
    history = told(ten_o_clock, STAGE, PROGRESS, boot_id="an earlier one")
    assert interrupted_words(history, ten_o_clock) == (
        "the machine was restarted; the last sign of life was at 10:00, epoch 7 of 30"
    )


def test_without_the_boot_both_are_possible(ten_o_clock: float) -> None:
    history = fold([{"event": "launched", "t": ten_o_clock}])
    assert interrupted_words(history, ten_o_clock) == (
        "killed, or the machine went down at 10:00"
    )  # fmt: skip


def test_another_machine_is_named(ten_o_clock: float) -> None:
    history = told(ten_o_clock, STAGE, PROGRESS, host="far", boot_id="other")
    assert interrupted_words(history, ten_o_clock + 7200) == (
        "on far, last sign of life 2 h 00 min ago, epoch 7 of 30"
    )


@pytest.mark.parametrize(
    ("used", "words"),
    [
        (90 * GIB, ", with 90% of the memory in use"),
        (90 * GIB - 1, ""),
        (None, ""),
    ],
)
def test_hardly_any_memory_left_is_worth_a_word(
    ten_o_clock: float, used: int | None, words: str
) -> None:
    machine = {"event": "machine", "memory_used": used, "memory_total": 100 * GIB}
    history = told(ten_o_clock, machine)
    assert interrupted_words(history, ten_o_clock) == f"killed or crashed at 10:00{words}"


def test_a_failure_nobody_knows_is_told_by_its_message(ten_o_clock: float) -> None:
    failed = {"event": "failed", "kind": "error", "message": "ValueError: \x1b[2J.\nmore"}
    history = told(ten_o_clock, STAGE, PROGRESS, failed)
    assert ended_words(history, ten_o_clock) == "ValueError: \\e[2J (at 10:00, epoch 7 of 30)"
    silent = told(ten_o_clock, {"event": "failed"})
    assert ended_words(silent, ten_o_clock) == "it told no reason (at 10:00)"


def test_a_new_life_knows_nothing_of_the_old_ones_end(ten_o_clock: float) -> None:
    failed = {"event": "failed", "kind": "memory", "stage": 0, "epoch": 3, "step": 1}
    history = told(ten_o_clock, failed)
    assert (history.failure, place_words(history)) == ("memory", "epoch 3")
    history = fold([{"event": "worker_started"}], history)
    assert (history.failure, history.reached, place_words(history)) == ("", None, "")


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), ""),
        (({"event": "preparing", "phase": "scan \x1b"},), "preparing (scan \\e)"),
        ((PROGRESS,), "epoch 7"),
        ((STAGE, PROGRESS), "epoch 7 of 30"),
        ((STAGE, EPOCH), "after epoch 6 of 30"),
        ((STAGE, EPOCH, {"event": "evaluating", "phase": "evaluate"}), "evaluating (evaluate)"),
        ((STAGE, {"event": "stopped", "stage": 0, "epoch": 1, "step": 0}), "epoch 1 of 30"),
        ((STAGE, {"event": "stopped", "stage": 0, "epoch": 2, "step": 0}), "after epoch 1 of 30"),
        ((STAGE, {"event": "stopped", "stage": 0, "epoch": 2, "step": 1}), "epoch 2 of 30"),
        ((STAGE, {"event": "stopped", "stage": 0, "epoch": 31}), "after epoch 30 of 30"),
        ((STAGE, {**STAGE, "stage": 1}, {**PROGRESS, "stage": 1}), "stage 2, epoch 7 of 30"),
    ],
)
def test_where_it_was(ten_o_clock: float, events: tuple[dict[str, Any], ...], words: str) -> None:
    assert place_words(told(ten_o_clock, *events)) == words


def test_times_of_other_days_have_a_date(ten_o_clock: float) -> None:
    midnight = ten_o_clock - 10 * 3600
    assert time_words(midnight, ten_o_clock) == "at 00:00"
    assert time_words(midnight - 60, ten_o_clock) == "on 2026-03-01 at 23:59"
    assert time_words(ten_o_clock + DAY, ten_o_clock) == "on 2026-03-03 at 10:00"
    assert time_words(None, ten_o_clock) == ""
    assert time_words(1e20, ten_o_clock) == ""


@pytest.mark.parametrize("size", [1, 2, 3, 9, 15, 32, 97, 65536])
def test_half_a_batch_is_what_the_experiment_says(size: int) -> None:
    tree = preset_tree("convnet", "/photos", BOOK_FACTS)
    spec = parse_spec(apply_settings(tree, (f"training.batch_size={size}",)), "")
    smaller = halved(spec)
    assert half_batch(spec_tree(spec)) == (smaller.training.batch_size if smaller else None)


@pytest.mark.parametrize("training", [None, [], {}, {"batch_size": "32"}, {"batch_size": 10**18}])
def test_tables_that_cannot_be_have_no_half(training: object) -> None:
    assert half_batch({"training": training}) is None


@pytest.mark.parametrize(
    ("strategy", "stages", "key"),
    [
        ("convnet", 1, "training.learning_rate"),
        ("fine-tuning", 1, "training.head_learning_rate"),
        ("fine-tuning", 2, "training.learning_rate"),
    ],
)
def test_a_lower_rate_is_a_tenth_of_the_stages(strategy: str, stages: int, key: str) -> None:
    events = [{**STAGE, "stage": n, "learning_rate": 0.01 / (n + 1)} for n in range(stages)]
    spec = {"model": {"strategy": strategy}}
    assert lower_rate(spec, fold(events)) == (key, 0.01 / stages / 10)
    assert lower_rate(spec, fold([])) is None
    assert lower_rate({}, fold([STAGE])) is None


def test_a_hint_names_the_run() -> None:
    hint = "Make room. Then: workbench resume RUN --half-batch."
    assert hint_for(hint, "workbench resume birds-1") == (
        "Make room. Then: workbench resume birds-1 --half-batch."
    )
    assert hint_for("Make room.", "workbench resume birds-1") == "Make room."
