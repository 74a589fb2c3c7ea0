"""Fold events into a history."""

from typing import Any

from event_lines import event
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.runs.event_text import describe_batch_halved
from workbench.runs.events import BatchHalved, Event, make_event
from workbench.runs.fields import Position
from workbench.runs.history import PHASES, History, fold, with_status


def epoch(
    number: int, val_accuracy: float | None = 0.5, stage: int = 0, best: bool = True
) -> Event:
    metrics = {"loss": 1.0, "accuracy": 0.4, "val_loss": 1.1, "val_accuracy": val_accuracy}
    return event("epoch_finished", stage=stage, epoch=number, best=best, **metrics)


def stage_started(index: int = 0, epochs: int = 5) -> Event:
    return event("stage_started", stage=index, name=f"s{index}", epochs=epochs, steps=10)


def at_step(t: float) -> Event:
    return event("progress", t, stage=0, epoch=1)


WHOLE_RUN = [
    event("launched", 100.0, job="train", resume=False),
    event("worker_started", 101.0, pid=7, host="ada"),
    event("preparing", 102.0, phase="scan", done=3, total=9),
    event(
        "data_ready", 103.0, name="birds", images={"train": 6, "test": 3}, labels=["jay", "wren"]
    ),
    event("notice", 103.5, message="two files were skipped"),
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


def test_complete_run() -> None:
    history = fold(WHOLE_RUN)
    assert history.phase == "finished"
    assert (history.started, history.ended, history.last_sign) == (100.0, 109.0, 109.0)
    assert history.worker == WHOLE_RUN[1]
    assert (history.images, history.labels) == ({"train": 6, "test": 3}, ("jay", "wren"))
    assert history.notices == [WHOLE_RUN[4]]
    assert [row.epoch for row in history.epochs] == [1, 2, 3]
    assert history.epochs == [WHOLE_RUN[7], WHOLE_RUN[9], WHOLE_RUN[10]]
    assert history.kept == history.best == history.epochs[1]
    assert history.epochs_planned == 5
    assert history.stages[0].end == WHOLE_RUN[12]
    assert history.checkpoint == Position(0, 4)
    assert history.evaluation == WHOLE_RUN[14]
    assert (history.evaluation.interval, history.evaluation.shifted_accuracy) == ((0.4, 0.8), 0.3)
    assert (history.progress, history.work, history.resumed) == (None, None, 0)


def test_phases_and_progress_of_a_run() -> None:
    assert fold(WHOLE_RUN[:3]).work == WHOLE_RUN[2]
    assert fold(WHOLE_RUN[:4]).work is None
    assert fold(WHOLE_RUN[:7]).progress == WHOLE_RUN[6]
    assert WHOLE_RUN[6].position == Position(0, 1, 4)
    assert fold(WHOLE_RUN[:8]).progress is None
    phases = [fold(WHOLE_RUN[:n]).phase for n in range(len(WHOLE_RUN) + 1)]
    assert list(dict.fromkeys(phases)) == [
        "starting",
        "preparing",
        "training",
        "evaluating",
        "finished",
    ]


def test_fold_continues_without_changing_the_old_history() -> None:
    for cut in range(len(WHOLE_RUN)):
        first = fold(WHOLE_RUN[:cut])
        assert fold(WHOLE_RUN[cut:], first) == fold(WHOLE_RUN)
        assert first == fold(WHOLE_RUN[:cut])


def test_resume_supersedes_its_epoch_and_later_ones() -> None:
    resumed = event("resumed", 200.0, stage=0, epoch=3, step=4)
    history = fold([*WHOLE_RUN, event("launched", 199.0), resumed])
    assert [row.epoch for row in history.epochs] == [1, 2]
    assert history.evaluation is None
    assert history.stages[0].end is None
    assert (history.ended, history.phase, history.resumed) == (None, "training", 1)
    assert history.checkpoint == Position(0, 3, 4)
    again = fold([stage_started(), epoch(3, 0.9), epoch(4, 0.8, best=False)], history)
    assert [(row.epoch, row.val_accuracy) for row in again.epochs] == [
        (1, 0.5),
        (2, 0.7),
        (3, 0.9),
        (4, 0.8),
    ]


def test_resume_after_last_epoch_keeps_all() -> None:
    history = fold([*WHOLE_RUN, event("resumed", stage=0, epoch=4, step=0)])
    assert [row.epoch for row in history.epochs] == [1, 2, 3]


def test_resume_without_checkpoint_starts_over() -> None:
    history = fold([*WHOLE_RUN, event("resumed", stage=0, epoch=1, step=0)])
    assert history.epochs == []


def test_resume_in_second_stage_keeps_the_first() -> None:
    first = [stage_started(0, 2), epoch(1), epoch(2), event("stage_finished", stage=0)]
    second = [stage_started(1, 3), epoch(1, 0.9, stage=1)]
    history = fold([*first, *second, event("resumed", stage=1, epoch=1, step=2)])
    assert [(row.stage, row.epoch) for row in history.epochs] == [(0, 1), (0, 2)]
    assert history.stages[0].end is not None
    assert history.epochs_planned == 5
    back = fold([event("resumed", stage=0, epoch=2, step=0)], history)
    assert [(row.stage, row.epoch) for row in back.epochs] == [(0, 1)]
    assert list(back.stages) == [0]


def test_best_is_marked_epoch_of_newest_stage() -> None:
    history = fold([epoch(1, 0.9), epoch(1, 0.6, stage=1), epoch(2, 0.8, stage=1, best=False)])
    assert history.best == history.kept == history.epochs[1]
    unmeasured = fold([epoch(1, None, best=False)])
    assert unmeasured.best is None
    assert unmeasured.kept is None


def test_kept_epoch_is_the_best_until_its_stage_ends() -> None:
    running = [stage_started(), epoch(1, 0.9), epoch(2, 0.6), epoch(3, 0.7, best=False)]
    last = event("stage_finished", stage=0, best_epoch=2, kept_epoch=3)
    assert fold(running).kept == fold(running).epochs[1]
    assert fold([*running, last]).kept == fold(running).epochs[2]
    following = [*running, last, stage_started(1), epoch(1, 0.5, stage=1)]
    assert fold(following).kept == fold(following).epochs[3]


def test_kept_epoch_of_incomplete_logs() -> None:
    marked = [stage_started(), epoch(1, 0.9, best=False), epoch(2, 0.6)]
    plain = [stage_started(), epoch(1, 0.6, best=False), epoch(2, 0.9, best=False)]
    ended = event("stage_finished", stage=0)
    assert fold([*marked, ended]).kept == fold(marked).epochs[1]
    assert fold([*plain, ended]).kept == fold(plain).epochs[1]
    unknown = event("stage_finished", stage=0, kept_epoch=7)
    assert fold([*marked, unknown]).kept == fold(marked).epochs[1]


def test_seconds_worked_between_events() -> None:
    session = [
        event("launched", 9.0),
        event("worker_started", 10.0),
        event("stage_started", 12.0, stage=0),
    ]
    assert fold(session).seconds_worked == 2
    running = [*session, at_step(15.0), event("machine", 17.0)]
    assert fold(running).seconds_worked == 7
    assert fold([*running, event("checkpoint_saved", 18.0)]).seconds_worked == 8
    # Killed after the newest one: the time until then counts.
    assert fold([*running, event("launched", 90.0)]).seconds_worked == 7


def test_clock_set_back_does_not_reduce_seconds_worked() -> None:
    session = [event("worker_started", 10.0), event("notice", 20.0, message="a")]
    back = [*session, at_step(5.0)]
    assert fold(back).seconds_worked == 10
    assert fold([*back, at_step(23.0)]).seconds_worked == 13
    assert fold([*back, event("notice", 6.0, message="b")]).seconds_worked == 10
    assert fold([*session, event("notice", 6.0), event("notice", 8.0)]).seconds_worked == 12


def test_progress_and_machine_do_not_end_waiting() -> None:
    waits = event("preparing", 11.0, phase="wait for birds-1", done=0, total=0)
    waiting = [event("worker_started", 10.0), waits, event("machine", 20.0)]
    assert fold(waiting).seconds_worked == 1
    turn = [*waiting, event("preparing", 30.0, phase="scan"), at_step(34.0)]
    assert fold(turn).seconds_worked == 5


def test_failure_lasts_until_next_session() -> None:
    failed = fold([event("failed", 5.0, kind="user", message="no images", hint="add some")])
    assert (failed.phase, failed.message, failed.hint, failed.ended) == (
        "failed",
        "no images",
        "add some",
        5.0,
    )
    again = fold([event("launched", 6.0)], failed)
    assert (again.phase, again.message, again.ended) == ("starting", "", None)


def test_repeated_notice_is_kept_once() -> None:
    history = fold(
        [event("notice", 1.0, message="a"), event("launched"), event("notice", 9.0, message="a")]
    )
    assert history.notices == [event("notice", 1.0, message="a")]
    timeless = make_event({"event": "notice", "t": "soon", "message": "a"})
    assert fold([timeless]).notices == [event("notice", None, message="a")]


def test_events_without_position_change_no_rows() -> None:
    history = fold(
        [epoch(1), event("epoch_finished", epoch="2"), event("resumed"), event("progress")]
    )
    assert [row.epoch for row in history.epochs] == [1]
    assert history.progress is None
    assert history.checkpoint is None


def test_unknown_kinds_only_update_last_sign() -> None:
    history = History(started=3.0, last_sign=3.0, is_working=True)
    assert fold([event("dreamed", 3.0, of="sheep")]) == history


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
def test_malformed_fields_are_allowed(fields: list[dict[str, Any]], cut: int) -> None:
    events = [made for one in fields if (made := make_event(one))]
    complete = fold(events)
    assert fold(events[cut:], fold(events[:cut])) == complete
    assert complete.phase in {*PHASES.values()}
    assert complete.best is None or complete.best in complete.epochs
    assert complete.kept is None or complete.kept in complete.epochs


def test_waiting_is_a_phase() -> None:
    waits = event("preparing", phase="wait for birds-1", done=0, total=0)
    history = fold([event("launched"), waits])
    assert (history.phase, history.work) == ("waiting", waits)
    assert fold([event("preparing", phase="scan", done=1, total=2)], history).phase == "preparing"


def test_halved_batch_becomes_a_notice() -> None:
    history = fold([event("batch_halved", from_size=1024, to_size=512)])
    assert [notice.message for notice in history.notices] == [
        "Out of memory with batches of 1,024; the run continues with batches of 512."
    ]
    assert describe_batch_halved(BatchHalved()) == (
        "Out of memory with batches of ?; the run continues with batches of ?."
    )


def test_last_position_of_a_session_is_kept() -> None:
    progress = event("progress", stage=1, epoch=4, step=7)
    failed = event("failed", kind="memory", message="no room")
    history = fold([progress, failed])
    assert (history.last_position, history.failure, history.progress) == (
        Position(1, 4, 7),
        "memory",
        None,
    )
    assert fold([progress, event("stopped", stage=1, epoch=5, step=0)]).last_position == Position(
        1, 5
    )
    assert fold([failed]).last_position is None


def numbered(n: int, kind: str, t: float, /, **fields: Any) -> Event:
    return event(kind, t, n=n, **fields)


SESSION = [
    numbered(1, "launched", 10.0),
    numbered(2, "worker_started", 11.0),
    numbered(3, "stage_started", 12.0, stage=0, epochs=5),
]
STEP = numbered(3, "progress", 20.0, stage=0, epoch=1, step=7)
SAMPLE = numbered(3, "machine", 21.0, cpu=50.0)


def test_status_adds_progress_and_machine() -> None:
    history = with_status(fold(SESSION), [STEP, SAMPLE])
    assert (history.progress, history.machine) == (STEP, SAMPLE)
    assert (history.last_sign, history.seconds_worked) == (21.0, 10.0)


def test_progress_of_an_epoch_that_ended_is_over() -> None:
    ended = numbered(4, "epoch_finished", 22.0, stage=0, epoch=1)
    history = with_status(fold([*SESSION, ended]), [STEP, SAMPLE])
    assert history.progress is None
    assert history.machine.cpu == 50.0
    # The log has the newer time.
    assert (history.last_sign, history.seconds_worked) == (22.0, 11.0)


def test_progress_outlives_notices_and_checkpoints() -> None:
    aside = [
        numbered(4, "notice", 21.0, message="a"),
        numbered(5, "checkpoint_saved", 22.0, stage=0, epoch=1, step=7),
        numbered(6, "layers", 23.0, stage=0, epoch=1),
    ]
    history = with_status(fold([*SESSION, *aside]), [STEP])
    assert history.progress.step == 7
    assert history.seconds_worked == 12.0


def test_status_of_an_earlier_session_is_over() -> None:
    again = fold([*SESSION, numbered(4, "launched", 30.0)])
    assert with_status(again, [STEP, SAMPLE]) == again
    ended = fold([*SESSION, numbered(4, "stopped", 30.0, stage=0, epoch=1, step=8)])
    assert with_status(ended, [STEP, SAMPLE]) == ended


def test_status_of_work_keeps_its_phase() -> None:
    begun = [*SESSION[:2], numbered(3, "preparing", 12.0, phase="scan")]
    scan = numbered(3, "preparing", 15.0, phase="scan", done=5, total=9)
    history = with_status(fold(begun), [scan])
    assert (history.phase, history.work.done, history.seconds_worked) == ("preparing", 5, 4.0)


def test_a_cross_validation_that_has_ended_is_no_work_any_more() -> None:
    begun = fold([*SESSION[:2], numbered(3, "preparing", 12.0, phase="cross-validation")])
    assert begun.work.phase == "cross-validation"
    assert fold([numbered(4, "cross_validated", 13.0, stage=0)], begun).work is None


def test_the_cross_validation_of_a_solved_head_is_no_point_of_the_curve_after_it() -> None:
    solved = event("stage_started", stage=0, name="solve", kind="solve", epochs=1)
    head = fold([solved, epoch(1, 0.72)])
    assert [row.val_accuracy for row in head.curve] == [0.72]
    tuned = fold([stage_started(1), epoch(0, 0.62, stage=1), epoch(1, 0.64, stage=1)], head)
    assert [row.val_accuracy for row in tuned.curve] == [0.62, 0.64]
    assert [row.val_accuracy for row in tuned.epochs] == [0.72, 0.62, 0.64]
    assert (tuned.epochs_trained, tuned.is_solved(0), tuned.is_solved(1)) == (1, True, False)
