"""The history of a run: a pure fold over its events, the only source of plots and summaries."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from workbench.runs.events import LATEST_ONLY, SESSION_ENDS, SESSION_STARTS, Event
from workbench.runs.rows import (
    WAITING_PHASE,
    EpochRow,
    EvaluationRow,
    Notice,
    PhaseProgress,
    Position,
    StageRow,
    StepProgress,
    number,
    text,
    whole,
)

PHASES = {
    "launched": "starting",
    "worker_started": "starting",
    "preparing": "preparing",
    "data_ready": "preparing",
    "resumed": "training",
    "stage_started": "training",
    "progress": "training",
    "epoch_finished": "training",
    "stage_finished": "training",
    "evaluating": "evaluating",
    "evaluated": "evaluating",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
}


@dataclass
class History:
    """A run so far, without what a resume superseded.

    Attributes:
        phase: starting, waiting, preparing, training, evaluating, finished, stopped or failed,
            according to the events; whether the worker is still alive is decided in `state`.
        started: time of the first event, in unix seconds.
        ended: time of the event that ended the newest session; None while it runs.
        last_sign: time of the newest event.
        counted: seconds worked up to the newest event that is not of LATEST_ONLY, and its time;
            None before the first worker.
        is_working: True if work follows that event.
        worker: `worker_started` of the newest session, before it `launched`.
        data: the newest `data_ready`; source of `images` (by split) and `labels`.
        work: progress of preparing or evaluating.
        stages: by index.
        epochs: finished epochs in the order of the plan.
        progress: the newest metrics within the current epoch.
        checkpoint: where a resume would continue.
        layers: the newest `layers` of each stage: which layers were frozen, and which moved.
        gpu: the newest `gpu_chosen`.
        machine: the newest `machine`, {} between sessions.
        last_position: where the newest session ended; None while it runs or if unknown.
        failure: kind of a failure; `message` and `hint` are its texts.
        resumed: how many times the run was resumed.
    """

    phase: str = "starting"
    started: float | None = None
    ended: float | None = None
    last_sign: float | None = None
    counted: tuple[float, float] | None = None
    is_working: bool = False
    worker: Event = field(default_factory=dict)
    data: Event = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    work: PhaseProgress | None = None
    stages: dict[int, StageRow] = field(default_factory=dict)
    epochs: list[EpochRow] = field(default_factory=list)
    progress: StepProgress | None = None
    checkpoint: Position | None = None
    notices: list[Notice] = field(default_factory=list)
    evaluation: EvaluationRow | None = None
    layers: dict[int, Event] = field(default_factory=dict)
    gpu: Event = field(default_factory=dict)
    machine: Event = field(default_factory=dict)
    last_position: Position | None = None
    failure: str = ""
    message: str = ""
    hint: str = ""
    resumed: int = 0

    @property
    def seconds_worked(self) -> float | None:
        """Seconds worked, without waiting in the queue; None before the first worker."""
        if self.counted is None or self.last_sign is None:
            return None
        seconds, time = self.counted
        return seconds + (max(self.last_sign - time, 0.0) if self.is_working else 0.0)

    @property
    def best(self) -> EpochRow | None:
        """The newest stage's best epoch by the metric that the stage monitors."""
        marked = [row for row in self.epochs if row.best and row.stage == self.epochs[-1].stage]
        return marked[-1] if marked else None

    @property
    def kept(self) -> EpochRow | None:
        """The epoch whose weights the newest stage kept; before its end the best so far.

        In a log that records neither, the epoch with the highest validation accuracy.
        """
        rows = [row for row in self.epochs if row.stage == self.epochs[-1].stage]
        stage = self.stages.get(rows[0].stage) if rows else None
        number = whole(stage.end.get("kept_epoch")) if stage and stage.end else None
        kept = next((row for row in rows if row.epoch == number), None) or self.best
        measured = [row for row in rows if row.val_accuracy is not None]
        return kept or max(measured, key=lambda row: row.val_accuracy or 0.0, default=None)

    @property
    def epochs_planned(self) -> int | None:
        """Planned epochs of the stages that have begun; None before the first."""
        return sum(stage.epochs for stage in self.stages.values()) if self.stages else None

    def copy(self) -> Self:
        """Return an independent history; the frozen rows are shared."""
        return replace(
            self,
            stages=dict(self.stages),
            epochs=list(self.epochs),
            notices=list(self.notices),
            layers=dict(self.layers),
        )


def fold(events: Iterable[Event], history: History | None = None) -> History:
    """Return the history after the events; the one given does not change.

    Malformed or missing fields, unknown kinds and events of a later schema are allowed.
    """
    history = history.copy() if history else History()
    for event in events:
        kind = event.get("event")
        if not isinstance(kind, str):
            continue
        time = number(event.get("t"))
        if time is not None:
            history.started = time if history.started is None else history.started
            _count_work(history, event, time)
        history.phase = PHASES.get(kind, history.phase)
        _apply(history, kind, event)
    return history


def describe_batch_halved(event: Event) -> str:
    """Describe a `batch_halved` event."""
    sizes = (whole(event.get(key)) for key in ("from_size", "to_size"))
    before, after = ("?" if size is None else f"{size:,}" for size in sizes)
    return f"Out of memory with batches of {before}; the run continues with batches of {after}."


def _count_work(history: History, event: Event, time: float) -> None:
    """Record the time of an event and the seconds worked up to it.

    An event of LATEST_ONLY counts only until another event comes, so that a history is the same
    without it.
    """
    kind = event["event"]
    before = history.seconds_worked
    history.last_sign = time
    if kind in LATEST_ONLY:
        return
    seconds = before if kind in SESSION_STARTS else history.seconds_worked
    if seconds is not None:
        history.counted = seconds, time
    elif kind == "worker_started":
        history.counted = 0.0, time
    waits = kind == "preparing" and text(event.get("phase")).startswith(WAITING_PHASE)
    history.is_working = not waits and kind != "launched" and kind not in SESSION_ENDS


def _apply(history: History, kind: str, event: Event) -> None:
    """Update the parts of the history that depend on the kind of an event."""
    index, position = whole(event.get("stage")), Position.from_event(event)
    match kind:
        case "launched" | "worker_started":
            history.worker, history.machine = event, {}
            history.ended = history.work = history.progress = history.last_position = None
            history.failure = history.message = history.hint = ""
        case "gpu_chosen":
            history.gpu = event
        case "machine":
            history.machine = event
        case "preparing" | "evaluating":
            history.work = PhaseProgress.from_event(event)
            if history.work.phase.startswith(WAITING_PHASE):
                history.phase = "waiting"
        case "data_ready":
            _apply_data(history, event)
        case "notice":
            _add_notice(history, text(event.get("message")), event)
        case "batch_halved":
            _add_notice(history, describe_batch_halved(event), event)
        case "resumed":
            history.resumed += 1
            history.work = None
            if position:
                history.checkpoint = position
                _supersede(history, position)
        case "stage_started":
            history.work = None
            if stage := StageRow.from_event(event):
                history.stages[stage.index] = stage
        case "progress":
            history.progress = StepProgress.from_event(event) or history.progress
        case "epoch_finished":
            if row := EpochRow.from_event(event):
                _supersede(history, Position(row.stage, row.epoch))  # a log without `resumed`
                history.epochs.append(row)
        case "checkpoint_saved":
            history.checkpoint = position or history.checkpoint
        case "layers":
            if index is not None and isinstance(event.get("layers"), list):
                history.layers[index] = event
        case "stage_finished":
            history.progress = None
            if index in history.stages:
                history.stages[index] = replace(history.stages[index], end=event)
        case "evaluated":
            history.work = None
            history.evaluation = EvaluationRow.from_event(event)
        case "stopped" | "failed" | "finished":
            newest = history.progress.position if history.progress else None
            history.last_position = position or newest
            history.ended, history.machine = history.last_sign, {}
            history.work = history.progress = None
            history.failure = text(event.get("kind")) if kind == "failed" else ""
            history.message, history.hint = text(event.get("message")), text(event.get("hint"))


def _apply_data(history: History, event: Event) -> None:
    images, labels = event.get("images"), event.get("labels")
    counts = images.items() if isinstance(images, dict) else ()
    history.work = None
    history.data = event
    history.images = {split: whole(count) or 0 for split, count in counts}
    history.labels = tuple(map(text, labels)) if isinstance(labels, list) else ()


def _add_notice(history: History, message: str, event: Event) -> None:
    # Sessions may repeat a notice.
    if message and all(message != notice.message for notice in history.notices):
        history.notices.append(Notice(message, number(event.get("t"))))


def _supersede(history: History, position: Position) -> None:
    """Drop the position's epoch and everything after it."""
    begin = position.stage, position.epoch
    while history.epochs and (history.epochs[-1].stage, history.epochs[-1].epoch) >= begin:
        history.epochs.pop()  # epochs are in the order of the plan
    history.stages = {i: row for i, row in history.stages.items() if i <= position.stage}
    stage = history.stages.get(position.stage)
    if stage and stage.end is not None:
        history.stages[position.stage] = replace(stage, end=None)
    history.progress = None
    history.evaluation = None
