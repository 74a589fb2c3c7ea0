"""What a tracker has not been sent of a run: a pure function of its history and what was sent.

Epochs count from 1 through all stages, and so do training steps. An epoch that a resumed run did
again is sent again, and one that was superseded before anybody read it is not sent at all. The log
has no losses within an epoch: they are read from the status while the run trains, so what nobody
followed has none.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from workbench.experiment.metrics import SCORES, VALIDATION
from workbench.runs.events import EpochFinished, Evaluated, WorkerStarted
from workbench.runs.history import History
from workbench.text import safe_text

# Of an epoch, by the names of its fields.
EPOCH_METRICS = (
    "loss",
    "accuracy",
    "learning_rate",
    "seconds",
    *(f"{VALIDATION}{name}" for name in ("loss", "accuracy", *SCORES)),
)
STEP = "step/"
Value = str | int | float | bool
AnyValue = TypeVar("AnyValue", bound=Value)
MAX_TEXT = 500  # of a parameter: the least of what trackers take


@dataclass(frozen=True)
class Point:
    """Metrics that were measured together.

    Attributes:
        step: number of the epoch or of the training step.
        time: unix seconds.
        values: by name.
    """

    step: int
    time: float
    values: Mapping[str, float]


@dataclass
class Sent:
    """What a tracker has been sent, and what it needs to continue.

    Attributes:
        number: of the newest event of the log that was sent.
        step: the newest training step whose loss was sent.
        params: values of the spec by key, as they were sent.
        tags: texts by name, as they were sent.
        artifacts: names of the files that were sent.
        own: what the tracker needs to continue.
    """

    number: int = 0
    step: int = 0
    params: dict[str, Value] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """What is new of a run.

    Attributes:
        params: values of the spec by key.
        tags: state, machine and versions.
        epochs: metrics of finished epochs.
        step: metrics within the current epoch; None if there is nothing new.
        test: metrics of the final evaluation, with the ends of their intervals; its step is the
            number of epochs.
        state: phase of the run.
        number: of the newest event in it.
    """

    params: Mapping[str, Value]
    tags: Mapping[str, str]
    epochs: tuple[Point, ...]
    step: Point | None
    test: Point | None
    state: str
    number: int

    def __bool__(self) -> bool:
        return bool(self.params or self.tags or self.epochs or self.step or self.test)

    def after(self, sent: Sent) -> None:
        """Note that it was sent."""
        sent.number = self.number
        sent.step = self.step.step if self.step else sent.step
        sent.params |= self.params
        sent.tags |= self.tags


def make_update(history: History, spec: Mapping[str, Any], state: str, sent: Sent) -> Update:
    """Return what a tracker has not been sent.

    Args:
        history: of the run.
        spec: its tables, unchecked.
        state: phase of the run.
        sent: what was sent before.
    """
    rows = [(n, row) for n, row in enumerate(history.epochs, 1) if row.n > sent.number]
    found = history.evaluation
    evaluated = found if found and found.n > sent.number else None
    return Update(
        params=_changed(dict(flatten(spec)), sent.params),
        tags=_changed(_tags(history, state), sent.tags),
        epochs=tuple(Point(n, row.t or 0.0, _epoch_values(row)) for n, row in rows),
        step=_step(history, sent.step),
        test=_test(evaluated, len(history.epochs)) if evaluated else None,
        state=state,
        number=max([sent.number, *(row.n for _, row in rows), evaluated.n if evaluated else 0]),
    )


def flatten(tables: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Value]]:
    """Yield the dotted keys of a spec with their values; a list is JSON."""
    for name, value in tables.items():
        key = safe_text(f"{place}{name}", 100)
        if isinstance(value, Mapping):
            yield from flatten(value, f"{key}.")
        elif isinstance(value, int | float):
            yield key, value
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield key, safe_text(text, MAX_TEXT)


def value_text(value: Value) -> str:
    """Return a value of a spec as text, as TOML has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _changed(values: Mapping[str, AnyValue], sent: Mapping[str, Any]) -> dict[str, AnyValue]:
    return {name: value for name, value in values.items() if sent.get(name) != value}


def _epoch_values(row: EpochFinished) -> dict[str, float]:
    found = {name: getattr(row, name) for name in EPOCH_METRICS}
    return {name: value for name, value in found.items() if value is not None}


def _step(history: History, sent: int) -> Point | None:
    progress = history.progress
    if progress is None or progress.phase != "train":
        return None
    steps = {index: stage.started.steps for index, stage in history.stages.items()}
    before = sum(steps.get(row.stage, 0) for row in history.epochs if row.epoch > 0)
    step = before + progress.step
    names = ("loss", "accuracy", "images_per_second")
    found = {name: getattr(progress, name) for name in names}
    values = {f"{STEP}{name}": value for name, value in found.items() if value is not None}
    return Point(step, progress.t or 0.0, values) if step > sent and values else None


def _test(event: Evaluated, epochs: int) -> Point:
    found: dict[str, float | None] = {"loss": event.loss, "accuracy": event.accuracy}
    intervals = {"accuracy": event.interval}
    for name, score in event.scores.items():
        found[name], intervals[name] = score.value, score.interval
    for name, interval in intervals.items():
        if interval:
            found[f"{name}_low"], found[f"{name}_high"] = interval
    found["images"] = float(event.images)
    found["accuracy_shifted"] = event.shifted_accuracy
    values = {f"{event.split}/{name}": value for name, value in found.items() if value is not None}
    return Point(epochs, event.t or 0.0, values)


def _tags(history: History, state: str) -> dict[str, str]:
    """Return state, data, machine and versions, as far as they are known."""
    worker, gpu = history.worker, history.gpu
    found = {
        "state": state,
        "data": history.data.name,
        "labels": str(len(history.labels) or ""),
        "host": worker.host if worker else "",
        "device": gpu.name if gpu else "",
        "message": history.message,
    }
    for split, count in history.images.items():
        found[f"images.{split}"] = str(count)
    if isinstance(worker, WorkerStarted):
        for name in ("backend", "python", "keras", "tensorflow", "jax", "torch"):
            found[name] = getattr(worker, name)
    return {name: safe_text(text, MAX_TEXT) for name, text in found.items() if text}
