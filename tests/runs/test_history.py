"""The fold from events to a history."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.runs.history import PHASES, History, batch_halved_words, fold
from workbench.runs.rows import EpochRow, Evaluation, Notice, Place, StepProgress, Work

Event = dict[str, Any]


def event(kind: str, t: float = 0.0, /, **fields: Any) -> Event:
    return {"v": 1, "t": t, "event": kind, **fields}


def epoch(
    number: int, val_accuracy: float | None = 0.5, stage: int = 0, best: bool = True
) -> Event:
    return event(
        "epoch_finished",
        stage=stage,
        epoch=number,
        loss=1.0,
        accuracy=0.4,
        val_loss=1.1,
        val_accuracy=val_accuracy,
        learning_rate=0.001,
        seconds=2.0,
        best=best,
    )


def stage_started(index: int = 0, epochs: int = 5) -> Event:
    return event("stage_started", stage=index, name=f"s{index}", epochs=epochs, steps=10)


WHOLE_RUN = [
    event("launched", 100.0, job="train", resume=False),
    event("worker_started", 101.0, pid=7, host="box"),
    event("preparing", 102.0, phase="scan", done=3, total=9),
    event(
        "data_ready", 103.0, name="birds", images={"train": 6, "test": 3}, labels=["jay", "wren"]
    ),
    event("notice", 103.5, message="two files were left out"),
    stage_started(),
    event("progress", 104.0, stage=0, phase="train", epoch=1, step=4, steps=10, loss=2.0),
    epoch(1, 0.5),
    event("checkpoint_saved", stage=0, epoch=2, step=0),
    epoch(2, 0.7),
    epoch(3, 0.7, best=False),
    event("checkpoint_saved", stage=0, epoch=4, step=0),
    event("stage_finished", 106.0, stage=0, reason="early stopping", best_epoch=2, kept_epoch=2),
    event("evaluating", 107.0, phase="evaluate", done=1, total=3),
    event(
        "evaluated",
        108.0,
        split="test",
        loss=0.9,
        accuracy=0.6,
        interval=[0.4, 0.8],
        images=3,
        shifted={"pixels": 2, "accuracy": 0.3},
    ),
    event("finished", 109.0, seconds=8.0),
]


def test_a_run_from_beginning_to_end() -> None:
    told = fold(WHOLE_RUN)
    assert told.phase == "finished"
    assert (told.started, told.ended, told.last_sign) == (100.0, 109.0, 109.0)
    assert told.worker["host"] == "box"
    assert (told.images, told.labels) == ({"train": 6, "test": 3}, ("jay", "wren"))
    assert told.notices == [Notice("two files were left out", 103.5)]
    assert [row.epoch for row in told.epochs] == [1, 2, 3]
    assert told.epochs[0] == EpochRow(0, 1, 1.0, 0.4, 1.1, 0.5, 0.001, 2.0, True)
    assert told.kept == told.best == told.epochs[1]
    assert told.epochs_planned == 5
    assert told.stages[0].end == WHOLE_RUN[12]
    assert told.checkpoint == Place(0, 4)
    assert told.evaluation == Evaluation("test", 0.9, 0.6, (0.4, 0.8), 3, 0.3)
    assert (told.progress, told.work, told.resumed) == (None, None, 0)


def test_what_is_at_work_on_the_way() -> None:
    assert fold(WHOLE_RUN[:3]).work == Work("scan", 3, 9)
    assert fold(WHOLE_RUN[:4]).work is None
    assert fold(WHOLE_RUN[:7]).progress == StepProgress(
        Place(0, 1, 4), "train", 10, 2.0, None, None
    )
    assert fold(WHOLE_RUN[:8]).progress is None
    phases = [fold(WHOLE_RUN[:n]).phase for n in range(len(WHOLE_RUN) + 1)]
    assert list(dict.fromkeys(phases)) == [
        "starting",
        "preparing",
        "training",
        "evaluating",
        "finished",
    ]


def test_folding_goes_on_and_leaves_the_old_history_alone() -> None:
    for cut in range(len(WHOLE_RUN)):
        first = fold(WHOLE_RUN[:cut])
        assert fold(WHOLE_RUN[cut:], first) == fold(WHOLE_RUN)
        assert first == fold(WHOLE_RUN[:cut])


def test_a_resume_supersedes_its_epoch_and_what_came_after() -> None:
    resumed = event("resumed", 200.0, stage=0, epoch=3, step=4)
    told = fold([*WHOLE_RUN, event("launched", 199.0), resumed])
    assert [row.epoch for row in told.epochs] == [1, 2]
    assert told.evaluation is None
    assert told.stages[0].end is None
    assert (told.ended, told.phase, told.resumed) == (None, "training", 1)
    assert told.checkpoint == Place(0, 3, 4)
    again = fold([stage_started(), epoch(3, 0.9), epoch(4, 0.8, best=False)], told)
    assert [(row.epoch, row.val_accuracy) for row in again.epochs] == [
        (1, 0.5),
        (2, 0.7),
        (3, 0.9),
        (4, 0.8),
    ]


def test_a_resume_after_the_last_epoch_keeps_them_all() -> None:
    told = fold([*WHOLE_RUN, event("resumed", stage=0, epoch=4, step=0)])
    assert [row.epoch for row in told.epochs] == [1, 2, 3]


def test_a_resume_without_a_checkpoint_begins_anew() -> None:
    told = fold([*WHOLE_RUN, event("resumed", stage=0, epoch=1, step=0)])
    assert told.epochs == []


def test_a_resume_in_the_second_stage_keeps_the_first() -> None:
    first = [stage_started(0, 2), epoch(1), epoch(2), event("stage_finished", stage=0)]
    second = [stage_started(1, 3), epoch(1, 0.9, stage=1)]
    told = fold([*first, *second, event("resumed", stage=1, epoch=1, step=2)])
    assert [(row.stage, row.epoch) for row in told.epochs] == [(0, 1), (0, 2)]
    assert told.stages[0].end is not None
    assert told.epochs_planned == 5
    back = fold([event("resumed", stage=0, epoch=2, step=0)], told)
    assert [(row.stage, row.epoch) for row in back.epochs] == [(0, 1)]
    assert list(back.stages) == [0]


def test_best_is_of_the_newest_stage_and_as_marked() -> None:
    told = fold([epoch(1, 0.9), epoch(1, 0.6, stage=1), epoch(2, 0.8, stage=1, best=False)])
    assert told.best == told.kept == told.epochs[1]
    unmeasured = fold([epoch(1, None, best=False)])
    assert unmeasured.best is None
    assert unmeasured.kept is None


def test_the_kept_epoch_is_told_at_the_end_of_its_stage_before_that_it_is_the_best() -> None:
    running = [stage_started(), epoch(1, 0.9), epoch(2, 0.6), epoch(3, 0.7, best=False)]
    last = event("stage_finished", stage=0, best_epoch=2, kept_epoch=3)
    assert fold(running).kept == fold(running).epochs[1]
    assert fold([*running, last]).kept == fold(running).epochs[2]
    following = [*running, last, stage_started(1), epoch(1, 0.5, stage=1)]
    assert fold(following).kept == fold(following).epochs[3]


def test_a_log_that_does_not_tell_the_kept_epoch_is_read_by_its_marks_then_by_accuracy() -> None:
    marked = [stage_started(), epoch(1, 0.9, best=False), epoch(2, 0.6)]
    plain = [stage_started(), epoch(1, 0.6, best=False), epoch(2, 0.9, best=False)]
    ended = event("stage_finished", stage=0)
    assert fold([*marked, ended]).kept == fold(marked).epochs[1]
    assert fold([*plain, ended]).kept == fold(plain).epochs[1]
    nowhere = event("stage_finished", stage=0, kept_epoch=7)
    assert fold([*marked, nowhere]).kept == fold(marked).epochs[1]


def test_work_is_counted_from_event_to_event_and_to_the_newest_progress() -> None:
    life = [event("launched", 9.0), event("worker_started", 10.0), stage_started()]
    life[2]["t"] = 12.0
    assert fold(life).seconds_worked == 2
    running = [*life, event("progress", 15.0), event("machine", 17.0)]
    assert fold(running).seconds_worked == 7
    assert fold([*running, event("checkpoint_saved", 18.0)]).seconds_worked == 8
    # Killed after the newest of them: what it worked until then stays.
    assert fold([*running, event("launched", 90.0)]).seconds_worked == 7


def test_a_clock_that_was_set_back_takes_no_work_away() -> None:
    life = [event("worker_started", 10.0), event("notice", 20.0, message="a")]
    back = [*life, event("progress", 5.0)]
    assert fold(back).seconds_worked == 10
    assert fold([*back, event("progress", 23.0)]).seconds_worked == 13
    assert fold([*back, event("notice", 6.0, message="b")]).seconds_worked == 10
    assert fold([*life, event("notice", 6.0), event("notice", 8.0)]).seconds_worked == 12


def test_neither_progress_nor_machine_begins_work_that_waits() -> None:
    waits = event("preparing", 11.0, phase="wait for birds-1", done=0, total=0)
    waiting = [event("worker_started", 10.0), waits, event("machine", 20.0)]
    assert fold(waiting).seconds_worked == 1
    turn = [*waiting, event("preparing", 30.0, phase="scan"), event("progress", 34.0)]
    assert fold(turn).seconds_worked == 5


def test_a_failure_is_told_until_the_next_life() -> None:
    failed = fold([event("failed", 5.0, kind="user", message="no images", hint="add some")])
    assert (failed.phase, failed.message, failed.hint, failed.ended) == (
        "failed",
        "no images",
        "add some",
        5.0,
    )
    again = fold([event("launched", 6.0)], failed)
    assert (again.phase, again.message, again.ended) == ("starting", "", None)


def test_a_notice_of_each_life_is_kept_once() -> None:
    told = fold(
        [event("notice", 1.0, message="a"), event("launched"), event("notice", 9.0, message="a")]
    )
    assert told.notices == [Notice("a", 1.0)]
    assert fold([{"event": "notice", "t": "soon", "message": "a"}]).notices == [Notice("a")]


def test_events_without_a_place_change_no_rows() -> None:
    told = fold([epoch(1), event("epoch_finished", epoch="2"), event("resumed"), event("progress")])
    assert [row.epoch for row in told.epochs] == [1]
    assert told.progress is None
    assert told.checkpoint is None


def test_unknown_kinds_only_give_a_sign_of_life() -> None:
    told = History(started=3.0, last_sign=3.0, at_work=True)
    assert fold([event("dreamed", 3.0, of="sheep")]) == told


odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)
FIELDS = (
    *("t", "stage", "epoch", "step", "steps", "epochs", "loss", "accuracy", "val_loss"),
    *("val_accuracy", "best", "images", "labels", "interval", "shifted", "message", "hint"),
    *("phase", "done", "total", "name", "seconds", "split", "notes", "kept_epoch"),
)
odd_events = st.fixed_dictionaries(
    {"event": st.sampled_from(sorted(PHASES)) | odd_values},
    optional=dict.fromkeys(FIELDS, odd_values),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(odd_events, max_size=8), st.integers(0, 8))
def test_odd_fields_do_no_harm(events: list[Event], cut: int) -> None:
    whole = fold(events)
    assert fold(events[cut:], fold(events[:cut])) == whole
    assert whole.phase in {*PHASES.values()}
    assert whole.best is None or whole.best in whole.epochs
    assert whole.kept is None or whole.kept in whole.epochs


def test_waiting_is_a_phase_of_its_own() -> None:
    waits = event("preparing", phase="wait for birds-1", done=0, total=0)
    told = fold([event("launched"), waits])
    assert (told.phase, told.work) == ("waiting", Work("wait for birds-1", 0, 0))
    assert fold([event("preparing", phase="scan", done=1, total=2)], told).phase == "preparing"


def test_a_smaller_batch_is_worth_a_notice() -> None:
    told = fold([event("batch_halved", from_size=1024, to_size=512)])
    assert [notice.message for notice in told.notices] == [
        "Out of memory with batches of 1,024; the run goes on with batches of 512."
    ]
    assert batch_halved_words({"from_size": "x"}) == (
        "Out of memory with batches of ?; the run goes on with batches of ?."
    )


def test_where_a_life_ended_is_kept() -> None:
    progress = event("progress", stage=1, epoch=4, step=7)
    failed = event("failed", kind="memory", message="no room")
    told = fold([progress, failed])
    assert (told.reached, told.failure, told.progress) == (Place(1, 4, 7), "memory", None)
    assert fold([progress, event("stopped", stage=1, epoch=5, step=0)]).reached == Place(1, 5)
    assert fold([failed]).reached is None
