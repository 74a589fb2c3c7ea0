"""The learning-rate range test, with the steps of a real stage (see `experiment.lr_find`)."""

from contextlib import suppress

import numpy as np

from workbench.experiment.lr_find import has_diverged, learning_rate_at, smoothed_losses
from workbench.experiment.plan import Stage
from workbench.training.context import TrainingContext
from workbench.training.divergence import Diverged
from workbench.training.position import Position
from workbench.training.stage_trainer import StageTrainer
from workbench.training.trainer_state import RunningMetrics, TrainerState


class _BlownUp(Exception):  # noqa: N818 - the end of a test
    """Nothing can be learned at such rates."""


class _RisingRate(TrainerState):
    """Raises the rate by the same factor from step to step."""

    def learning_rate(self, stage: Stage, epoch: int, step: int, steps: int) -> float:
        return learning_rate_at(step, steps)


class RangeTest(StageTrainer):
    """One epoch of a stage with a rising rate, without validation or checkpoints.

    Args:
        stage: from `lr_find_stage`.

    Attributes:
        losses: of each step's batch, so far.
    """

    def __init__(self, context: TrainingContext, stage: Stage) -> None:
        super().__init__(context, stage)
        self.state = _RisingRate()
        self.losses: list[float] = []

    def measure(self) -> list[float]:
        """Train until the loss blows up or the steps are done; return the losses."""
        self.compile()
        self.inputs.prepare(epoch=1, whole=False)
        with suppress(_BlownUp, Diverged):
            self.train_steps(Position(self.stage.index, 1))
        return self.losses

    def train_step(self, x: np.ndarray, rows: np.ndarray, position: Position) -> None:
        """Take a step and note its loss."""
        self.metrics = RunningMetrics()  # of this batch only
        super().train_step(x, rows, position)
        self.losses.append(self.metrics.means()["loss"])
        if has_diverged(smoothed_losses(self.losses)):
            raise _BlownUp
