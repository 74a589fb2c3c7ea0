"""The learning-rate range test, by the steps of a real stage (see `experiment.rate_test`)."""

from contextlib import suppress

import numpy as np

from workbench.experiment.lr_find import has_blown_up, rate_at, smoothed_losses
from workbench.experiment.plan import Stage
from workbench.training.divergence import Diverged
from workbench.training.stage_trainer import StageRun
from workbench.training.trainer import Engine
from workbench.training.trainer_state import Progression, Running


class _BlownUp(Exception):  # noqa: N818 - the end of a test
    """Nothing is learned at such rates."""


class _Rising(Progression):
    """Has the rate rise by the same factor from step to step."""

    def learning_rate(self, stage: Stage, epoch: int, step: int, steps: int) -> float:
        return rate_at(step, steps)


class RangeTest(StageRun):
    """One epoch of a stage whose rate rises; validates nothing, and keeps nothing of the model.

    Args:
        stage: from `range_stage`.

    Attributes:
        losses: of each step's batch, so far.
    """

    def __init__(self, engine: Engine, stage: Stage) -> None:
        super().__init__(engine, stage)
        self.progression = _Rising()
        self.losses: list[float] = []

    def measure(self) -> list[float]:
        """Trains until the loss blows up or the steps are done; returns the losses."""
        self._compile()
        self.inputs.prepare(epoch=1, whole=False)
        with suppress(_BlownUp, Diverged):
            self._train_steps(epoch=1, first_step=0)
        return self.losses

    def _step(self, x: np.ndarray, rows: np.ndarray, epoch: int, step: int) -> None:
        self.running = Running()  # of this batch alone
        super()._step(x, rows, epoch, step)
        self.losses.append(self.running.means()["loss"])
        if has_blown_up(smoothed_losses(self.losses)):
            raise _BlownUp
