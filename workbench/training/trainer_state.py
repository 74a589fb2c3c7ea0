"""What a stage remembers: figures of the epoch so far, best so far, patience. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from workbench.experiment.plan import Stage

PLATEAU_PATIENCE = 3  # epochs without gain before the learning rate falls
PLATEAU_FACTOR = 0.5


@dataclass(frozen=True)
class Running:
    """Sums over the images of an epoch so far, for its mean loss and accuracy."""

    loss: float = 0.0
    accuracy: float = 0.0
    images: int = 0

    def plus(self, figures: Mapping[str, Any], images: int) -> Self:
        """With a batch's mean loss and accuracy added."""
        return replace(
            self,
            loss=self.loss + float(figures["loss"]) * images,
            accuracy=self.accuracy + float(figures["accuracy"]) * images,
            images=self.images + images,
        )

    def means(self) -> dict[str, float]:
        """Mean loss and accuracy of an image; at least one batch must have been added."""
        return {"loss": self.loss / self.images, "accuracy": self.accuracy / self.images}


@dataclass(frozen=True)
class Progression:
    """State of a stage's early stopping, best epoch and schedule; saved with each checkpoint.

    Attributes:
        best_value: the monitored figure of the best epoch so far, None before the first.
        best_epoch: that epoch, from 1; 0 before the first.
        since_best: epochs without gain.
        rate_scale: what the plateau schedule has brought the learning rate down to, from 1.
        since_drop: epochs without gain since the learning rate last fell.
    """

    best_value: float | None = None
    best_epoch: int = 0
    since_best: int = 0
    rate_scale: float = 1.0
    since_drop: int = 0

    def after_epoch(self, stage: Stage, epoch: int, value: float | None) -> Self:
        """The state after an epoch.

        Args:
            value: the monitored figure, None without validation images: nothing can then be
                told of the epoch.
        """
        if value is None:
            return self
        if self._better(stage, value):
            return replace(self, best_value=value, best_epoch=epoch, since_best=0, since_drop=0)
        dropped = stage.schedule == "plateau" and self.since_drop + 1 >= PLATEAU_PATIENCE
        return replace(
            self,
            since_best=self.since_best + 1,
            since_drop=0 if dropped else self.since_drop + 1,
            rate_scale=self.rate_scale * (PLATEAU_FACTOR if dropped else 1.0),
        )

    def stops(self, stage: Stage) -> bool:
        """True where the stage's patience is at its end."""
        return 0 < stage.early_stopping <= self.since_best

    def learning_rate(self, stage: Stage, epoch: int, step: int, steps: int) -> float:
        """The learning rate of a step: a function of the place and, for plateau, of this state.

        cosine: rate * (1 + cos(pi * t)) / 2, t from 0 to 1 over all epochs of the stage
        (Loshchilov and Hutter, SGDR, 2017, without restarts).
        """
        if stage.schedule == "cosine":
            share = ((epoch - 1) * steps + step) / (stage.epochs * steps)
            return stage.learning_rate * (1 + math.cos(math.pi * share)) / 2
        return stage.learning_rate * self.rate_scale

    def _better(self, stage: Stage, value: float) -> bool:
        if self.best_value is None:
            return math.isfinite(value)
        higher_is_better = stage.monitor == "val_accuracy"
        return value > self.best_value if higher_is_better else value < self.best_value
