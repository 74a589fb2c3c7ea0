"""Rows made from single events: the parts of a history. Malformed or missing fields are allowed."""

import math
from dataclasses import dataclass
from typing import Any, Self

from workbench.runs.events import Event

# Beginning of the phases of `preparing` that are no work: "wait for RUN" in the queue, "wait for
# another process" that builds the same pack.
WAITING_PHASE = "wait for "


@dataclass(frozen=True, order=True)
class Position:
    """A position in the plan: stage from 0, epoch from 1, finished steps of that epoch."""

    stage: int
    epoch: int
    step: int = 0

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """Read stage, epoch and step; None without stage or epoch."""
        stage, epoch = whole(event.get("stage")), whole(event.get("epoch"))
        if stage is None or epoch is None:
            return None
        return cls(stage, epoch, whole(event.get("step")) or 0)

    def __str__(self) -> str:
        return f"epoch {self.epoch}" + (f", step {self.step}" if self.step else "")


@dataclass(frozen=True)
class Notice:
    """A message for the user, and its time in unix seconds; None if unknown."""

    message: str
    time: float | None = None


@dataclass(frozen=True)
class PhaseProgress:
    """Progress of preparing or evaluating; `total` is 0 if unknown."""

    phase: str
    done: int
    total: int

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read `preparing` or `evaluating`."""
        done, total = whole(event.get("done")), whole(event.get("total"))
        return cls(text(event.get("phase")), done or 0, total or 0)


@dataclass(frozen=True)
class StepProgress:
    """The newest metrics within an epoch, after `position.step` of `steps` steps."""

    position: Position
    phase: str
    steps: int
    loss: float | None
    accuracy: float | None
    images_per_second: float | None

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """Read `progress`; None without a position."""
        position = Position.from_event(event)
        if position is None:
            return None
        return cls(
            position,
            text(event.get("phase")),
            whole(event.get("steps")) or 0,
            number(event.get("loss")),
            number(event.get("accuracy")),
            number(event.get("images_per_second")),
        )


@dataclass(frozen=True)
class StageRow:
    """A stage that has begun.

    Attributes:
        index: from 0.
        epochs: maximum planned.
        steps: of an epoch.
        event: its `stage_started`: optimizer, layers, device, ...
        end: its `stage_finished`; None before.
    """

    index: int
    name: str
    epochs: int
    steps: int
    event: Event
    end: Event | None = None

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """Read `stage_started`; None without an index."""
        index = whole(event.get("stage"))
        if index is None:
            return None
        epochs, steps = whole(event.get("epochs")), whole(event.get("steps"))
        return cls(index, text(event.get("name")), epochs or 0, steps or 0, event)


@dataclass(frozen=True)
class EpochRow:
    """A finished epoch; a metric is None if it was not measured or is not finite."""

    stage: int
    epoch: int
    loss: float | None
    accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float | None
    seconds: float | None
    best: bool

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """Read `epoch_finished`; None without a position."""
        position = Position.from_event(event)
        if position is None:
            return None
        return cls(
            position.stage,
            position.epoch,
            number(event.get("loss")),
            number(event.get("accuracy")),
            number(event.get("val_loss")),
            number(event.get("val_accuracy")),
            number(event.get("learning_rate")),
            number(event.get("seconds")),
            event.get("best") is True,
        )


@dataclass(frozen=True)
class EvaluationRow:
    """Metrics of the final evaluation; `interval` is that of the accuracy."""

    split: str
    loss: float | None
    accuracy: float | None
    interval: tuple[float, float] | None
    images: int
    shifted_accuracy: float | None

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read `evaluated`."""
        interval, shifted = event.get("interval"), event.get("shifted")
        ends = [number(end) for end in interval] if isinstance(interval, list) else []
        low, high = ends if len(ends) == 2 else (None, None)
        return cls(
            split=text(event.get("split")),
            loss=number(event.get("loss")),
            accuracy=number(event.get("accuracy")),
            interval=None if low is None or high is None else (low, high),
            images=whole(event.get("images")) or 0,
            shifted_accuracy=number(shifted.get("accuracy")) if isinstance(shifted, dict) else None,
        )


def number(value: Any) -> float | None:
    """Return a finite number as a float, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond the largest float
        return None


def whole(value: Any) -> int | None:
    """Return an integer of at least 0, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text(value: Any) -> str:
    """Return the value as text, "" for None."""
    return "" if value is None else str(value)
