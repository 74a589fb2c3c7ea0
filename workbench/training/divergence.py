"""Training that cannot recover: a loss or weights that are not finite, or a loss that explodes."""

import math

from workbench.errors import UserError
from workbench.experiment.plan import HEAD_FIRST, Stage
from workbench.training.position import Position
from workbench.training.trainer_state import RunningMetrics

MIN_STEPS = 20  # of an epoch, before its mean is meaningful
EXPLODED = 1e5  # times the loss of guessing; training has recovered from far less


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
        f"Training has diverged: {reason} (stage {stage.index + 1}, epoch {position.epoch}, "
        f"step {position.step}). The last good checkpoint is untouched.",
        f"Resume from it with a lower learning rate: workbench resume RUN "
        f"--set training.{key}={stage.learning_rate / 10:g}; or start a new run with that.",
    )


def has_exploded(metrics: RunningMetrics, steps: int, classes: int) -> bool:
    """Return whether the mean loss of an epoch so far cannot recover.

    Args:
        metrics: of the epoch so far.
        steps: of the epoch done.
        classes: number of labels; guessing has a cross-entropy of log(classes).
    """
    guessing = math.log(max(classes, 2))
    return steps >= MIN_STEPS and metrics.loss / metrics.images > EXPLODED * guessing
