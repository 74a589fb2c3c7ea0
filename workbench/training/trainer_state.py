"""The state of training: position, metrics, best epoch, patience; and how it ends early.

Plain values: nothing here needs keras.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from workbench.errors import UserError
from workbench.experiment.metrics import higher_is_better
from workbench.experiment.plan import Stage
from workbench.experiment.stage_titles import HEAD_FIRST
from workbench.messages import tr
from workbench.runs.fields import Position

START = Position(0, 1, 0)
PLATEAU_PATIENCE = 3  # epochs without improvement before the learning rate drops
PLATEAU_FACTOR = 0.5
MIN_DIVERGENCE_STEPS = 20  # of an epoch, before its mean is meaningful
EXPLODED = 1e5  # times the loss of guessing; training has recovered from far less


class Stopped(Exception):  # noqa: N818 - an outcome, not an error
    """A requested stop, after everything that had to be saved was saved."""

    def __init__(self, position: Position) -> None:
        super().__init__(f"stopped at {position}")
        self.position = position


class OutOfTime(Exception):  # noqa: N818 - an outcome, not an error
    """The deadline leaves no time for more training; what is needed to resume was saved."""


@dataclass(frozen=True)
class RunningMetrics:
    """Sums over the images of an epoch so far."""

    loss: float = 0.0
    accuracy: float = 0.0
    images: int = 0

    def plus(self, batch: Mapping[str, Any], images: int) -> Self:
        """Return the sums with a batch added, given its mean loss and accuracy."""
        return replace(
            self,
            loss=self.loss + float(batch["loss"]) * images,
            accuracy=self.accuracy + float(batch["accuracy"]) * images,
            images=self.images + images,
        )

    def means(self) -> dict[str, float]:
        """Return mean loss and accuracy of an image; at least one batch must have been added."""
        return {"loss": self.loss / self.images, "accuracy": self.accuracy / self.images}


@dataclass(frozen=True)
class TrainerState:
    """Early stopping, best epoch and schedule of a stage; saved with each checkpoint.

    Attributes:
        best_value: the monitored metric of the best epoch so far, None before the first.
        best_epoch: that epoch, from 1; 0 before the first, or if no epoch was better than the
            weights at the start, whose metric is `best_value` then.
        since_best: epochs without improvement.
        rate_scale: factor on the learning rate, from 1, which the plateau schedule lowers.
        since_drop: epochs without improvement since the learning rate last dropped.
    """

    best_value: float | None = None
    best_epoch: int = 0
    since_best: int = 0
    rate_scale: float = 1.0
    since_drop: int = 0

    def after_epoch(self, stage: Stage, epoch: int, value: float | None) -> Self:
        """Return the state after an epoch.

        `value` is the monitored metric; None, without validation images, changes nothing.
        """
        if value is None:
            return self
        if self._improves(stage, value):
            return replace(self, best_value=value, best_epoch=epoch, since_best=0, since_drop=0)
        drops = stage.schedule == "plateau" and self.since_drop + 1 >= PLATEAU_PATIENCE
        return replace(
            self,
            since_best=self.since_best + 1,
            since_drop=0 if drops else self.since_drop + 1,
            rate_scale=self.rate_scale * (PLATEAU_FACTOR if drops else 1.0),
        )

    def stops_early(self, stage: Stage) -> bool:
        """Return whether the stage's patience has run out."""
        return 0 < stage.early_stopping <= self.since_best

    def learning_rate(self, stage: Stage, epoch: int, step: int, steps: int) -> float:
        """Return the learning rate of a step: a function of position and, for plateau, this state.

        cosine: rate * (1 + cos(pi * t)) / 2, t from 0 to 1 over all epochs of the stage
        (Loshchilov and Hutter, SGDR, 2017, without restarts). In a warm-up before it the rate rises
        by the same amount in each step, up to the full rate.
        """
        done = (epoch - 1) * steps + step
        warmup = min(stage.warmup_epochs, stage.epochs) * steps
        if done < warmup:
            return stage.learning_rate * min((done + 1) / warmup, 1.0)
        if stage.schedule == "cosine":
            progress = (done - warmup) / (stage.epochs * steps - warmup)
            return stage.learning_rate * (1 + math.cos(math.pi * progress)) / 2
        return stage.learning_rate * self.rate_scale

    def _improves(self, stage: Stage, value: float) -> bool:
        if self.best_value is None:
            return math.isfinite(value)
        if higher_is_better(stage.monitor):
            return value > self.best_value
        return value < self.best_value


class Diverged(UserError):  # noqa: N818 - an outcome
    """Training diverged; the last good weights are back in the model.

    Attributes:
        restored: which weights these are, as text; "" where nothing had been learned yet.
    """

    kind = "diverged"
    restored = ""


def diverged(stage: Stage, position: Position, reason: str) -> Diverged:
    """Return an error with the position and what to try next."""
    key = "head_learning_rate" if stage.name == HEAD_FIRST else "learning_rate"
    return Diverged(
        tr(
            "Training has diverged: {reason} (stage {index}, epoch {epoch}, "
            "step {step}). The last good checkpoint is untouched.",
            reason=reason,
            index=stage.index + 1,
            epoch=position.epoch,
            step=position.step,
        ),
        tr(
            "Resume from it with a lower learning rate: workbench resume RUN "
            "--set training.{key}={learning_rate:g}; or start a new run with "
            "that.",
            key=key,
            learning_rate=stage.learning_rate / 10,
        ),
    )


def nothing_learned() -> UserError:
    """Return the error of a run whose deadline came before it had learned anything."""
    return UserError(
        tr(
            "Time ran out before anything was learned that could be evaluated. What was done so "
            "far is saved."
        ),
        tr("Continue with a new deadline: workbench resume RUN --by 07:00"),
    )


def has_exploded(metrics: RunningMetrics, steps: int, classes: int) -> bool:
    """Return whether the mean loss of an epoch so far cannot recover.

    Args:
        metrics: of the epoch so far.
        steps: of the epoch done.
        classes: number of labels; guessing has a cross-entropy of log(classes).
    """
    guessing = math.log(max(classes, 2))
    return steps >= MIN_DIVERGENCE_STEPS and metrics.loss / metrics.images > EXPLODED * guessing
