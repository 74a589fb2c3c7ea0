"""Training that has gone wrong beyond repair: a loss or weights that are no numbers any more."""

import math

from workbench.errors import UserError
from workbench.experiment.plan import HEAD_FIRST, Stage
from workbench.training.position import Place
from workbench.training.trainer_state import Running

LEAST_STEPS = 20  # of an epoch, before its mean says anything
EXPLODED = 1e5  # times the loss of guessing; from far less than this, training has come back


class Diverged(UserError):  # noqa: N818 - an outcome
    """The last good weights are back in the model.

    Attributes:
        restored: which these are, in words; "" where nothing had been learned yet.
    """

    kind = "diverged"
    restored = ""


def diverged(stage: Stage, place: Place, why: str) -> Diverged:
    """Says where, and what to try."""
    key = "head_learning_rate" if stage.name == HEAD_FIRST else "learning_rate"
    return Diverged(
        f"Training has diverged: {why} (stage {stage.index + 1}, epoch {place.epoch}, "
        f"step {place.step}). The last good checkpoint is untouched.",
        f"Go on from it with a lower learning rate: workbench resume RUN "
        f"--set training.{key}={stage.learning_rate / 10:g}; or start anew with that.",
    )


def explodes(running: Running, steps: int, classes: int) -> bool:
    """Whether the mean loss of an epoch so far is beyond all hope.

    Args:
        steps: of this epoch done.
        classes: number of labels; guessing has a cross-entropy of log(classes).
    """
    guessing = math.log(max(classes, 2))
    return steps >= LEAST_STEPS and running.loss / running.images > EXPLODED * guessing
