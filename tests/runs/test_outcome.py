"""Describe how a run ended: exact texts for histories of every kind."""

from dataclasses import replace
from typing import Any

import pytest
from event_lines import event

from workbench.experiment.batch_size import halve_batch_size
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
from workbench.runs.events import Event
from workbench.runs.history import History, fold
from workbench.runs.lock import this_host
from workbench.runs.state import (
    describe_end,
    describe_interruption,
    describe_position,
    describe_time,
    half_batch,
    hint_with_command,
    lower_learning_rate,
)

DAY = 86400.0
GIB = 1 << 30

pytestmark = pytest.mark.usefixtures("frozen_clock")


def make_history(now: float, *events: Event, **worker: Any) -> History:
    """Make a history whose events were all written at `now`."""
    started = event("worker_started", **{**this_host(), **worker})
    return fold(replace(event, t=now) for event in (started, *events))


STAGE = event("stage_started", stage=0, epochs=30)
PROGRESS = event("progress", stage=0, epoch=7, step=3)
EPOCH = event("epoch_finished", stage=0, epoch=6)


def test_ended_process_was_killed_or_crashed(frozen_clock: float) -> None:
    history = make_history(frozen_clock, STAGE, PROGRESS)
    assert (
        describe_interruption(history, frozen_clock) == "killed or crashed at 10:00, epoch 7 of 30"
    )


def test_reboot_is_reported(frozen_clock: float) -> None:
    history = make_history(frozen_clock, STAGE, PROGRESS, boot_id="an earlier one")
    assert describe_interruption(history, frozen_clock) == (
        "the machine was restarted; the last sign of life was at 10:00, epoch 7 of 30"
    )


def test_unknown_boot_leaves_both_possible(frozen_clock: float) -> None:
    history = fold([event("launched", frozen_clock)])
    assert describe_interruption(history, frozen_clock) == (
        "killed, or the machine went down at 10:00"
    )  # fmt: skip


def test_other_machine_is_named(frozen_clock: float) -> None:
    history = make_history(frozen_clock, STAGE, PROGRESS, host="far", boot_id="other")
    assert describe_interruption(history, frozen_clock + 7200) == (
        "on far, last sign of life 2 h 00 min ago, epoch 7 of 30"
    )


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (90 * GIB, ", with 90 % of the memory in use"),
        (90 * GIB - 1, ""),
        (None, ""),
    ],
)
def test_low_memory_is_mentioned(frozen_clock: float, used: int | None, expected: str) -> None:
    machine = event("machine", memory_used=used, memory_total=100 * GIB)
    history = make_history(frozen_clock, machine)
    assert describe_interruption(history, frozen_clock) == f"killed or crashed at 10:00{expected}"


def test_unexpected_failure_shows_its_message(frozen_clock: float) -> None:
    failed = event("failed", kind="error", message="ValueError: \x1b[2J.\nmore")
    history = make_history(frozen_clock, STAGE, PROGRESS, failed)
    assert describe_end(history, frozen_clock) == "ValueError: \\e[2J (at 10:00, epoch 7 of 30)"
    empty = make_history(frozen_clock, event("failed"))
    assert describe_end(empty, frozen_clock) == "no reason was recorded (at 10:00)"


def test_new_session_resets_the_failure(frozen_clock: float) -> None:
    failed = event("failed", kind="memory", stage=0, epoch=3, step=1)
    history = make_history(frozen_clock, failed)
    assert (history.failure, describe_position(history)) == ("memory", "epoch 3")
    history = fold([event("worker_started")], history)
    assert (history.failure, history.last_position, describe_position(history)) == ("", None, "")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), ""),
        ((event("preparing", phase="scan \x1b"),), "preparing (scan \\e)"),
        ((PROGRESS,), "epoch 7"),
        ((STAGE, PROGRESS), "epoch 7 of 30"),
        ((STAGE, EPOCH), "after epoch 6 of 30"),
        ((STAGE, EPOCH, event("evaluating", phase="evaluate")), "evaluating (evaluate)"),
        ((STAGE, event("stopped", stage=0, epoch=1, step=0)), "epoch 1 of 30"),
        ((STAGE, event("stopped", stage=0, epoch=2, step=0)), "after epoch 1 of 30"),
        ((STAGE, event("stopped", stage=0, epoch=2, step=1)), "epoch 2 of 30"),
        ((STAGE, event("stopped", stage=0, epoch=31)), "after epoch 30 of 30"),
        (
            (STAGE, *(replace(one, stage=1) for one in (STAGE, PROGRESS))),
            "stage 2, epoch 7 of 30",
        ),
    ],
)
def test_position_is_described(
    frozen_clock: float, events: tuple[Event, ...], expected: str
) -> None:
    assert describe_position(make_history(frozen_clock, *events)) == expected


def test_time_of_another_day_has_a_date(frozen_clock: float) -> None:
    midnight = frozen_clock - 10 * 3600
    assert describe_time(midnight, frozen_clock) == "at 00:00"
    assert describe_time(midnight - 60, frozen_clock) == "on 2026-03-01 at 23:59"
    assert describe_time(frozen_clock + DAY, frozen_clock) == "on 2026-03-03 at 10:00"
    assert describe_time(None, frozen_clock) == ""
    assert describe_time(1e20, frozen_clock) == ""


@pytest.mark.parametrize("size", [1, 2, 3, 9, 15, 32, 97, 65536])
def test_half_batch_matches_the_experiment(size: int) -> None:
    tree = preset_tree("convnet", "/photos", BOOK_FACTS)
    spec = parse_spec(apply_settings(tree, (f"training.batch_size={size}",)), "")
    smaller = halve_batch_size(spec)
    assert half_batch(spec_tree(spec)) == (smaller.training.batch_size if smaller else None)


@pytest.mark.parametrize("training", [None, [], {}, {"batch_size": "32"}, {"batch_size": 10**18}])
def test_invalid_tables_have_no_half_batch(training: object) -> None:
    assert half_batch({"training": training}) is None


@pytest.mark.parametrize(
    ("strategy", "stages", "key"),
    [
        ("convnet", 1, "training.learning_rate"),
        ("fine-tuning", 1, "training.head_learning_rate"),
        ("fine-tuning", 2, "training.learning_rate"),
    ],
)
def test_lower_learning_rate_is_a_tenth(strategy: str, stages: int, key: str) -> None:
    events = [event("stage_started", stage=n, learning_rate=0.01 / (n + 1)) for n in range(stages)]
    spec = {"model": {"strategy": strategy}}
    assert lower_learning_rate(spec, fold(events)) == (key, 0.01 / stages / 10)
    assert lower_learning_rate(spec, fold([])) is None
    assert lower_learning_rate({}, fold([STAGE])) is None


def test_hint_contains_the_command() -> None:
    hint = "Make room. Then: workbench resume RUN --half-batch."
    assert hint_with_command(hint, "workbench resume birds-1") == (
        "Make room. Then: workbench resume birds-1 --half-batch."
    )
    assert hint_with_command("Make room.", "workbench resume birds-1") == "Make room."
