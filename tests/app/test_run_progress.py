"""Where a run is in its plan, the time left, and the time of a notice: exact texts."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from event_lines import event

from workbench.render.runs import format_deadline, format_position, format_time_left
from workbench.runs.events import Event, Notice
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.state import RunState
from workbench.runs.summary import make_summary
from workbench.runs.watch import RunView
from workbench.ui.train.text import format_heading, format_time_of_day, notice_line

TWO_STAGES: dict[str, Any] = {
    "model": {"strategy": "fine-tuning"},
    "training": {"head_epochs": 4, "epochs": 10, "early_stopping": 0},
}
ONE_STAGE: dict[str, Any] = {
    "model": {"strategy": "convnet"},
    "training": {"epochs": 10, "early_stopping": 0},
}
FIRST, SECOND = 0, 1


def stage(index: int, epochs: int, **more: Any) -> Event:
    return event("stage_started", stage=index, epochs=epochs, batch_size=10, **more)


def epoch(index: int, number: int, seconds: float | None) -> Event:
    return event("epoch_finished", stage=index, epoch=number, seconds=seconds)


def inside(index: int, number: int, step: int, phase: str = "train", **more: Any) -> Event:
    """Step `step` of 8."""
    return event("progress", stage=index, epoch=number, step=step, steps=8, phase=phase, **more)


def end(index: int) -> Event:
    return event("stage_finished", stage=index)


def view(
    spec: dict[str, Any], *events: Event, word: str = "training", patience: int = 0
) -> RunView:
    folder, history = RunFolder(Path("run")), fold(events)
    tables = {**spec, "training": {**spec["training"], "early_stopping": patience}}
    summary = make_summary(folder, tables, history, RunState(word, False, ""))
    return RunView(folder, summary, history, tables)


def test_epochs_left_take_as_long_as_the_last_three() -> None:
    done = [epoch(FIRST, n, seconds) for n, seconds in enumerate((90.0, 1.0, 2.0, 3.0), start=1)]
    assert format_time_left(view(ONE_STAGE, stage(FIRST, 10), *done)) == "12 s left"  # 6 x 2 s
    assert (
        format_time_left(view(ONE_STAGE, stage(FIRST, 10), *done, patience=3))
        == "at most 12 s left"
    )
    half = inside(FIRST, 5, 4)
    assert format_time_left(view(ONE_STAGE, stage(FIRST, 10), *done, half)) == "11 s left"
    validated = inside(FIRST, 5, 1, phase="validation")
    assert format_time_left(view(ONE_STAGE, stage(FIRST, 10), *done, validated)) == "10 s left"
    before = inside(FIRST, 4, 8)  # of an epoch that is finished already
    assert format_time_left(view(ONE_STAGE, stage(FIRST, 10), *done, before)) == "12 s left"


def test_the_deadline_stands_beside_the_time_left(frozen_clock: float) -> None:
    timed = {**ONE_STAGE, "training": {**ONE_STAGE["training"]}}
    timed["training"]["deadline"] = int(frozen_clock) + 7200
    one = epoch(FIRST, 1, 60.0)
    assert format_time_left(view(timed, stage(FIRST, 10), one)) == "9 min left, by 12:00"
    assert format_deadline(view(timed)) == "by 12:00"
    timed["training"]["deadline"] += 86400
    assert format_deadline(view(timed)) == "by 2026-03-03 12:00"
    for odd in (-5, 10**400, "07:00", True, None):
        timed["training"]["deadline"] = odd
        assert format_deadline(view(timed)) == ""


def test_epochs_that_make_a_view_take_longer_than_those_that_read_it() -> None:
    begin = stage(FIRST, 10, views=3, estimated_seconds=1.0)
    two = [epoch(FIRST, n, seconds) for n, seconds in enumerate((9.0, 7.0), start=1)]
    assert format_time_left(view(ONE_STAGE, begin, *two)) == "15 s left"  # 8, then 7 x 1
    # 80 images at 8 a second: two and a half epochs of 10 s, then 7 x 1.
    first = inside(FIRST, 1, 4, images_per_second=8.0)
    assert format_time_left(view(ONE_STAGE, begin, first)) == "32 s left"
    four = [*two, epoch(FIRST, 3, 8.0), epoch(FIRST, 4, 2.0)]
    assert format_time_left(view(ONE_STAGE, begin, *four)) == "12 s left"
    unknown = stage(FIRST, 10, views=3)
    assert format_time_left(view(ONE_STAGE, unknown, *two)) == "1 min left"


def test_the_first_epoch_is_measured_by_its_pace_and_before_by_the_estimate() -> None:
    begin = stage(FIRST, 10, estimated_seconds=5.0, estimates=[5.0])
    assert format_time_left(view(ONE_STAGE, begin)) == "50 s left"
    # 8 steps of 10 images at 20 a second are 4 s; half of the first of 10 epochs is done.
    assert format_time_left(
        view(ONE_STAGE, begin, inside(FIRST, 1, 4, images_per_second=20.0))
    ) == ("38 s left")
    assert format_time_left(view(ONE_STAGE, stage(FIRST, 10))) == ""
    assert format_time_left(view(ONE_STAGE, stage(FIRST, 10), epoch(FIRST, 1, None))) == ""


def test_stages_to_come_are_counted_as_they_were_estimated() -> None:
    begin = stage(FIRST, 4, estimated_seconds=1.0, estimates=[1.0, 5.0])
    measured = epoch(FIRST, 1, 2.0)
    assert format_time_left(view(TWO_STAGES, begin)) == "54 s left"  # 4 x 1 + 10 x 5
    assert format_time_left(view(TWO_STAGES, begin, measured)) == "56 s left"  # 3 x 2 + 10 x 5
    again = stage(SECOND, 10, estimated_seconds=5.0, estimates=[1.0, 5.0])
    later = (begin, measured, end(FIRST), again)
    assert format_time_left(view(TWO_STAGES, *later)) == "50 s left"
    assert format_time_left(view(TWO_STAGES, *later, epoch(SECOND, 1, 6.0))) == "54 s left"  # 9 x 6


@pytest.mark.parametrize("past", [None, [], [1.0], [1.0, None], [1.0, "long"], {"1": 5.0}])
def test_without_estimates_only_the_stage_is_counted(past: Any) -> None:
    begin = stage(FIRST, 4, estimates=past)
    assert format_time_left(view(TWO_STAGES, begin, epoch(FIRST, 1, 2.0))) == "6 s left in stage 1"
    last = stage(SECOND, 10, estimates=past)
    assert format_time_left(view(TWO_STAGES, begin, last, epoch(SECOND, 1, 2.0))) == "18 s left"


def test_between_stages_those_to_come_are_left() -> None:
    begin = stage(FIRST, 4, estimates=[1.0, 5.0])
    assert format_time_left(view(TWO_STAGES, begin, end(FIRST))) == "50 s left"
    assert format_time_left(view(TWO_STAGES, begin, end(FIRST), word="preparing")) == "50 s left"
    assert format_time_left(view(TWO_STAGES, stage(FIRST, 4), end(FIRST))) == ""
    last = stage(SECOND, 10, estimates=[1.0, 5.0])
    assert format_time_left(view(TWO_STAGES, begin, end(FIRST), last, end(SECOND))) == ""


@pytest.mark.parametrize("word", ["waiting", "evaluating", "finished", "stopped", "interrupted"])
def test_only_a_run_that_trains_has_time_left(word: str) -> None:
    events = (stage(FIRST, 10), epoch(FIRST, 1, 2.0))
    assert format_time_left(view(ONE_STAGE, *events)) == "18 s left"
    assert format_time_left(view(ONE_STAGE, *events, word=word)) == ""
    assert format_time_left(view(ONE_STAGE)) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.4, "59 s"), (60, "1 min"), (3599, "60 min"), (3600, "1 h 00 min")]
)
def test_times_are_rough(seconds: float, text: str) -> None:
    events = (stage(FIRST, 2), epoch(FIRST, 1, seconds))
    assert format_time_left(view(ONE_STAGE, *events)) == f"{text} left"


def test_the_place_in_the_plan() -> None:
    begin = stage(FIRST, 4)
    assert format_position(view(TWO_STAGES)) == ""
    assert format_position(view(TWO_STAGES, begin)) == "stage 1/2  epoch 1/4"
    assert format_position(view(TWO_STAGES, begin, inside(FIRST, 3, 1))) == "stage 1/2  epoch 3/4"
    assert format_position(view(ONE_STAGE, stage(FIRST, 10), epoch(FIRST, 1, 1.0))) == "epoch 2/10"
    done = view(ONE_STAGE, stage(FIRST, 10), epoch(FIRST, 1, 1.0), word="finished")
    assert format_position(done) == "1 epoch"


@pytest.fixture
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five hours behind UTC in February."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


MIDNIGHT = 1_772_082_000.0  # 2026-02-26 00:00:00 there, five in the morning in UTC


@pytest.mark.usefixtures("_in_new_york")
def test_times_of_day_are_those_of_this_place() -> None:
    assert format_time_of_day(MIDNIGHT + 3661.9, MIDNIGHT + 7200) == "01:01:01"
    assert format_time_of_day(MIDNIGHT, MIDNIGHT + 86399) == "00:00:00"
    assert format_time_of_day(MIDNIGHT - 1, MIDNIGHT) == "2026-02-25 23:59:59"
    assert (
        format_time_of_day(MIDNIGHT + 86400, MIDNIGHT) == "2026-02-27 00:00:00"
    )  # another clock's
    assert format_time_of_day(1e300, MIDNIGHT) == format_time_of_day(-1e15, MIDNIGHT) == ""


@pytest.mark.usefixtures("_in_new_york")
def test_a_notice_is_shown_with_its_time() -> None:
    def text(*notices: Notice, width: int = 78) -> str:
        return notice_line(notices, MIDNIGHT + 60, width, "").plain

    assert text() == ""
    assert text(Notice(message="a thing", t=MIDNIGHT)) == "notice  00:00:00  a thing"
    assert text(Notice(message="a thing")) == "notice  a thing"
    old, new = (
        Notice(message="old", t=MIDNIGHT - 60),
        Notice(message="\x1b[31m new " + "x" * 99, t=MIDNIGHT - 1),
    )
    line = text(old, new)
    assert line.startswith("notice  2026-02-25 23:59:59  \\e[31m new xxx")
    assert line.endswith("x… (newest of 2)")
    assert len(line) == 78


@pytest.mark.parametrize(("word", "text"), [("training", "training ▶"), ("failed", "failed ✗")])
def test_a_heading_shows_state_position_and_label_fixes(word: str, text: str) -> None:
    events = (stage(FIRST, 10), epoch(FIRST, 1, None))
    at = "2" if word == "training" else "1"
    shown = format_heading(view(ONE_STAGE, *events, word=word), 80, utf8=True, color="").plain
    assert shown.rstrip() == f"run  {text}  epoch {at}/10  convnet"
    corrected = {**ONE_STAGE, "data": {"source": "/photos", "corrections": "/c.csv"}}
    shown = format_heading(view(corrected, *events, word=word), 80, utf8=True, color="").plain
    assert shown.rstrip() == f"run  {text}  epoch {at}/10  convnet, corrected data"
