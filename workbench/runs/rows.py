"""What single events hold, as rows: the parts of a history. Odd or missing fields do no harm."""

import math
from dataclasses import dataclass
from typing import Any, Self

from workbench.runs.events import Event

# How phases of `preparing` begin that are no work: "wait for RUN" in the queue, "wait for another
# process" that builds the same pack.
WAITING_PHASE = "wait for "


@dataclass(frozen=True, order=True)
class Place:
    """A place in the plan: stage from 0, epoch from 1, steps of that epoch already done."""

    stage: int
    epoch: int
    step: int = 0

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """None where the event names no stage and epoch."""
        stage, epoch = whole(event.get("stage")), whole(event.get("epoch"))
        if stage is None or epoch is None:
            return None
        return cls(stage, epoch, whole(event.get("step")) or 0)

    def __str__(self) -> str:
        return f"epoch {self.epoch}" + (f", step {self.step}" if self.step else "")


@dataclass(frozen=True)
class Notice:
    """Something that people should know, and when it was told; None where that is not known."""

    message: str
    time: float | None = None


@dataclass(frozen=True)
class Work:
    """How far preparing or evaluating is; `total` is 0 where it is unknown."""

    phase: str
    done: int
    total: int

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """From `preparing` or `evaluating`."""
        done, total = whole(event.get("done")), whole(event.get("total"))
        return cls(text(event.get("phase")), done or 0, total or 0)


@dataclass(frozen=True)
class StepProgress:
    """The newest figures inside an epoch; `place.step` of `steps` are done."""

    place: Place
    phase: str
    steps: int
    loss: float | None
    accuracy: float | None
    images_per_second: float | None

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """From `progress`; None where it names no place."""
        place = Place.from_event(event)
        if place is None:
            return None
        return cls(
            place,
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
        epochs: planned at most.
        event: its `stage_started`: optimizer, layers, device, ...
        end: its `stage_finished`, None before.
    """

    index: int
    name: str
    epochs: int
    steps: int
    event: Event
    end: Event | None = None

    @classmethod
    def from_event(cls, event: Event) -> Self | None:
        """From `stage_started`; None where it has no index."""
        index = whole(event.get("stage"))
        if index is None:
            return None
        epochs, steps = whole(event.get("epochs")), whole(event.get("steps"))
        return cls(index, text(event.get("name")), epochs or 0, steps or 0, event)


@dataclass(frozen=True)
class EpochRow:
    """A finished epoch; a figure is None where it was not measured or is no finite number."""

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
        """From `epoch_finished`; None where it names no place."""
        place = Place.from_event(event)
        if place is None:
            return None
        return cls(
            place.stage,
            place.epoch,
            number(event.get("loss")),
            number(event.get("accuracy")),
            number(event.get("val_loss")),
            number(event.get("val_accuracy")),
            number(event.get("learning_rate")),
            number(event.get("seconds")),
            event.get("best") is True,
        )


@dataclass(frozen=True)
class Evaluation:
    """The figures of the final evaluation; `interval` is that of the accuracy."""

    split: str
    loss: float | None
    accuracy: float | None
    interval: tuple[float, float] | None
    images: int
    shifted_accuracy: float | None

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """From `evaluated`."""
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
    """A finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond every float
        return None


def whole(value: Any) -> int | None:
    """A whole number from 0, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text(value: Any) -> str:
    """The value as text, "" for None."""
    return "" if value is None else str(value)
