"""What the events of a run amount to: a pure fold, the only source of plots and summaries."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from workbench.runs.events import LIFE_BEGINS, LIFE_ENDS, REPLACED, Event
from workbench.runs.rows import (
    WAITING_PHASE,
    EpochRow,
    Evaluation,
    Notice,
    Place,
    StageRow,
    StepProgress,
    Work,
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
    """A run so far. What a resume superseded is not in it.

    Attributes:
        phase: starting, waiting, preparing, training, evaluating, finished, stopped or failed,
            as the events tell it; whether the worker still lives is not theirs to tell (see
            `state`).
        started: time of the first event, in unix seconds.
        ended: time of the event that ended the newest life; None while it goes on.
        last_sign: time of the newest event.
        counted: seconds worked up to the newest event that no other replaces, and its time; None
            before the first worker.
        at_work: True where work follows that event.
        worker: the newest life's `worker_started`, before that its `launched`.
        data: the newest `data_ready`; `images` (by split) and `labels` are taken from it.
        work: how far preparing or evaluating is.
        stages: by index.
        epochs: finished epochs in the order of the plan.
        progress: the newest figures inside the current epoch.
        checkpoint: where a resume would go on.
        layers: the newest `layers` of each stage: what was frozen, and what moved.
        gpu: the newest `gpu_chosen`.
        machine: the newest `machine`, {} between lives.
        reached: where the newest life was when it ended; None where it did not say, or goes on.
        failure, message, hint: of a failure; `failure` is its kind.
        resumed: how many times the run was resumed.
    """

    phase: str = "starting"
    started: float | None = None
    ended: float | None = None
    last_sign: float | None = None
    counted: tuple[float, float] | None = None
    at_work: bool = False
    worker: Event = field(default_factory=dict)
    data: Event = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    work: Work | None = None
    stages: dict[int, StageRow] = field(default_factory=dict)
    epochs: list[EpochRow] = field(default_factory=list)
    progress: StepProgress | None = None
    checkpoint: Place | None = None
    notices: list[Notice] = field(default_factory=list)
    evaluation: Evaluation | None = None
    layers: dict[int, Event] = field(default_factory=dict)
    gpu: Event = field(default_factory=dict)
    machine: Event = field(default_factory=dict)
    reached: Place | None = None
    failure: str = ""
    message: str = ""
    hint: str = ""
    resumed: int = 0

    @property
    def seconds_worked(self) -> float | None:
        """By its workers, without what they waited; None before the first of them."""
        if self.counted is None or self.last_sign is None:
            return None
        seconds, time = self.counted
        return seconds + (max(self.last_sign - time, 0.0) if self.at_work else 0.0)

    @property
    def best(self) -> EpochRow | None:
        """The newest stage's best epoch by the figure that the stage monitors."""
        marked = [row for row in self.epochs if row.best and row.stage == self.epochs[-1].stage]
        return marked[-1] if marked else None

    @property
    def kept(self) -> EpochRow | None:
        """The epoch whose weights the newest stage kept; before its end the best so far.

        In a log that marks neither, the one with the highest validation accuracy.
        """
        rows = [row for row in self.epochs if row.stage == self.epochs[-1].stage]
        stage = self.stages.get(rows[0].stage) if rows else None
        told = whole(stage.end.get("kept_epoch")) if stage and stage.end else None
        kept = next((row for row in rows if row.epoch == told), None) or self.best
        measured = [row for row in rows if row.val_accuracy is not None]
        return kept or max(measured, key=lambda row: row.val_accuracy or 0.0, default=None)

    @property
    def epochs_planned(self) -> int | None:
        """Epochs of the stages that have begun; None before the first."""
        return sum(stage.epochs for stage in self.stages.values()) if self.stages else None

    def copy(self) -> Self:
        """A history of its own; rows are frozen and shared."""
        return replace(
            self,
            stages=dict(self.stages),
            epochs=list(self.epochs),
            notices=list(self.notices),
            layers=dict(self.layers),
        )


def fold(events: Iterable[Event], history: History | None = None) -> History:
    """The history after the events; the one given is left as it is.

    Odd or missing fields, unknown kinds and events of a later schema do no harm.
    """
    told = history.copy() if history else History()
    for event in events:
        kind = event.get("event")
        if not isinstance(kind, str):
            continue
        time = number(event.get("t"))
        if time is not None:
            told.started = time if told.started is None else told.started
            _count_work(told, event, time)
        told.phase = PHASES.get(kind, told.phase)
        if kind in _HANDLERS:
            _HANDLERS[kind](told, event)
    return told


def _count_work(told: History, event: Event, time: float) -> None:
    """Makes the time the last sign of life; the seconds since the one before may have been work.

    What the next of its kind replaces counts only until another event comes: a history is the
    same without it.
    """
    kind = event["event"]
    of_lives_before = told.seconds_worked
    told.last_sign = time
    if kind in REPLACED:
        return
    seconds = of_lives_before if kind in LIFE_BEGINS else told.seconds_worked
    if seconds is not None:
        told.counted = seconds, time
    elif kind == "worker_started":
        told.counted = 0.0, time
    waits = kind == "preparing" and text(event.get("phase")).startswith(WAITING_PHASE)
    told.at_work = not waits and kind != "launched" and kind not in LIFE_ENDS


def _life_begins(told: History, event: Event) -> None:
    told.worker = event
    told.machine = {}
    told.ended = told.work = told.progress = told.reached = None
    told.failure = told.message = told.hint = ""


def _life_ends(told: History, event: Event) -> None:
    told.machine = {}
    told.ended = told.last_sign
    told.reached = Place.from_event(event) or (told.progress.place if told.progress else None)
    told.work = told.progress = None
    told.failure = text(event.get("kind")) if event["event"] == "failed" else ""
    told.message, told.hint = text(event.get("message")), text(event.get("hint"))


def _working(told: History, event: Event) -> None:
    told.work = Work.from_event(event)
    if told.work.phase.startswith(WAITING_PHASE):
        told.phase = "waiting"


def _data_ready(told: History, event: Event) -> None:
    images, labels = event.get("images"), event.get("labels")
    told.work = None
    told.data = event
    told.images = {k: whole(n) or 0 for k, n in images.items()} if isinstance(images, dict) else {}
    told.labels = tuple(map(text, labels)) if isinstance(labels, list) else ()


def batch_halved_words(event: Event) -> str:
    """What a `batch_halved` tells people."""
    sizes = (whole(event.get(key)) for key in ("from_size", "to_size"))
    before, after = ("?" if size is None else f"{size:,}" for size in sizes)
    return f"Out of memory with batches of {before}; the run goes on with batches of {after}."


def _batch_halved(told: History, event: Event) -> None:
    _notice(told, {**event, "message": batch_halved_words(event)})


def _notice(told: History, event: Event) -> None:
    message = text(event.get("message"))
    if message and all(message != one.message for one in told.notices):
        told.notices.append(Notice(message, number(event.get("t"))))  # each life may say it again


def _resumed(told: History, event: Event) -> None:
    told.resumed += 1
    told.work = None
    if place := Place.from_event(event):
        told.checkpoint = place
        _supersede(told, place)


def _supersede(told: History, place: Place) -> None:
    """Drops what was told of the place's epoch and of all that came after it."""
    while told.epochs and _place(told.epochs[-1]) >= (place.stage, place.epoch):
        told.epochs.pop()  # they stand in the order of the plan
    told.stages = {index: row for index, row in told.stages.items() if index <= place.stage}
    stage = told.stages.get(place.stage)
    if stage and stage.end is not None:
        told.stages[place.stage] = replace(stage, end=None)
    told.progress = None
    told.evaluation = None


def _place(row: EpochRow) -> tuple[int, int]:
    return row.stage, row.epoch


def _stage_started(told: History, event: Event) -> None:
    told.work = None
    if stage := StageRow.from_event(event):
        told.stages[stage.index] = stage


def _progress(told: History, event: Event) -> None:
    told.progress = StepProgress.from_event(event) or told.progress


def _epoch_finished(told: History, event: Event) -> None:
    if row := EpochRow.from_event(event):
        _supersede(told, Place(row.stage, row.epoch))  # a log without its `resumed`
        told.epochs.append(row)


def _checkpoint_saved(told: History, event: Event) -> None:
    told.checkpoint = Place.from_event(event) or told.checkpoint


def _stage_finished(told: History, event: Event) -> None:
    told.progress = None
    index = whole(event.get("stage"))
    if index in told.stages:
        told.stages[index] = replace(told.stages[index], end=event)


def _layers(told: History, event: Event) -> None:
    index = whole(event.get("stage"))
    if index is not None and isinstance(event.get("layers"), list):
        told.layers[index] = event


def _gpu_chosen(told: History, event: Event) -> None:
    told.gpu = event


def _machine(told: History, event: Event) -> None:
    told.machine = event


def _evaluated(told: History, event: Event) -> None:
    told.work = None
    told.evaluation = Evaluation.from_event(event)


_HANDLERS: dict[str, Callable[[History, Event], None]] = {
    "launched": _life_begins,
    "worker_started": _life_begins,
    "preparing": _working,
    "data_ready": _data_ready,
    "notice": _notice,
    "batch_halved": _batch_halved,
    "resumed": _resumed,
    "stage_started": _stage_started,
    "progress": _progress,
    "epoch_finished": _epoch_finished,
    "checkpoint_saved": _checkpoint_saved,
    "layers": _layers,
    "gpu_chosen": _gpu_chosen,
    "machine": _machine,
    "stage_finished": _stage_finished,
    "evaluating": _working,
    "evaluated": _evaluated,
    "stopped": _life_ends,
    "failed": _life_ends,
    "finished": _life_ends,
}
