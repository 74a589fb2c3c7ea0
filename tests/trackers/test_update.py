"""What is new of a run for a tracker, by its history and what was sent before."""

from typing import Any

from event_lines import event

from workbench.runs.events import Event
from workbench.runs.history import fold
from workbench.trackers.update import Point, Sent, Update, flatten, make_update, value_text


def update(events: list[Event], sent: Sent | None = None, **spec: Any) -> Update:
    return make_update(fold(events), spec, "training", sent or Sent())


def epoch(n: int, number: int, stage: int = 0, **fields: Any) -> Event:
    return event("epoch_finished", 10.0 * n, n=n, stage=stage, epoch=number, **fields)


STAGE = event("stage_started", 1.0, n=1, stage=0, epochs=3, steps=5)


def test_epochs_count_through_all_stages_and_are_sent_once() -> None:
    second = event("stage_started", 25.0, n=4, stage=1, epochs=3, steps=7)
    events = [STAGE, epoch(2, 1, loss=0.5), epoch(3, 2, loss=0.4), second, epoch(5, 1, 1, loss=0.3)]
    sent = Sent()
    first = update(events[:2], sent)
    assert first.epochs == (Point(1, 20.0, {"loss": 0.5}),)
    first.after(sent)
    assert [point.step for point in update(events, sent).epochs] == [2, 3]
    update(events, sent).after(sent)
    assert not update(events, sent).epochs
    assert sent.number == 5


def test_an_epoch_that_was_done_again_is_sent_again_and_a_superseded_one_is_not() -> None:
    resumed = event("resumed", 40.0, n=4, stage=0, epoch=2, step=0)
    again = epoch(5, 2, loss=0.45)
    events = [STAGE, epoch(2, 1, loss=0.5), epoch(3, 2, loss=0.4), resumed, again]
    assert [point.time for point in update(events).epochs] == [20.0, 50.0]
    sent = Sent(number=3)
    assert update(events, sent).epochs == (Point(2, 50.0, {"loss": 0.45}),)


def test_steps_count_through_all_epochs_and_never_go_back() -> None:
    progress = event("progress", 31.0, n=2, stage=0, epoch=2, step=3, steps=5, loss=0.4)
    events = [STAGE, epoch(2, 1), progress]
    assert update(events).step == Point(8, 31.0, {"step/loss": 0.4})
    assert update(events, Sent(step=7)).step is not None
    assert update(events, Sent(step=8)).step is None
    validating = event("progress", 31.0, n=2, stage=0, phase="validation", epoch=2, step=9, loss=1)
    assert update([STAGE, epoch(2, 1), validating]).step is None


def test_the_evaluation_has_the_ends_of_its_intervals() -> None:
    score = {"value": 0.8, "interval": [0.7, 0.9]}
    ended = event(
        "evaluated", 60.0, n=6, split="test", loss=0.3, accuracy=0.75, interval=[0.5, 0.9],
        images=12, auc=score, shifted={"pixels": 2, "accuracy": 0.5},
    )  # fmt: skip
    found = update([STAGE, epoch(2, 1), ended], Sent(number=2))
    assert found.test == Point(
        1,
        60.0,
        {
            "test/loss": 0.3,
            "test/accuracy": 0.75,
            "test/accuracy_low": 0.5,
            "test/accuracy_high": 0.9,
            "test/auc": 0.8,
            "test/auc_low": 0.7,
            "test/auc_high": 0.9,
            "test/images": 12.0,
            "test/accuracy_shifted": 0.5,
        },
    )
    assert update([STAGE, ended], Sent(number=6)).test is None


def test_parameters_and_tags_are_sent_when_they_change() -> None:
    spec = {"training": {"epochs": 3, "jit": True}, "data": {"image_size": [8, 8]}}
    sent = Sent()
    first = update([STAGE], sent, **spec)
    assert first.params == {"training.epochs": 3, "training.jit": True, "data.image_size": "[8, 8]"}
    assert first.tags == {"state": "training"}
    first.after(sent)
    assert not update([STAGE], sent, **spec)
    spec["training"]["epochs"] = 9
    assert update([STAGE], sent, **spec).params == {"training.epochs": 9}


def test_texts_from_outside_are_harmless() -> None:
    assert dict(flatten({"a": {"b": "x\x1b[2J"}, "\x1b": 1})) == {"a.b": r"x\e[2J", r"\e": 1}
    assert [value_text(one) for one in (True, 1, 0.5, "x")] == ["true", "1", "0.5", "x"]
