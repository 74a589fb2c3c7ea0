"""Short trainings that look for settings: a random search over heads, a learning-rate range test.

See `experiment.search_space` and `experiment.lr_find`.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import keras

from workbench.experiment.lr_find import has_diverged, learning_rate_at, smoothed_losses
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.search_space import Candidate, Trial, with_candidate
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.events import EpochFinished, Event
from workbench.runs.fields import Position
from workbench.training.context import Emit, TrainingContext
from workbench.training.stage_trainer import StageTrainer
from workbench.training.trainer import Trainer
from workbench.training.trainer_state import Diverged, RunningMetrics, TrainerState

MakeTrainer = Callable[[ExperimentSpec, Path, Emit], Trainer]


def run_trials(
    spec: ExperimentSpec,
    candidates: Mapping[int, Candidate],
    make_trainer: MakeTrainer,
    scratch: Path,
) -> Iterator[Trial]:
    """Train each candidate through the whole plan; yield each trial when it is done.

    Args:
        spec: whose head and training the candidates change.
        candidates: to try, by the numbers of their trials, in this order.
        make_trainer: makes a trainer with a fresh model from a spec, a folder of checkpoints and
            a listener, every time with the same base weights and feature store.
        scratch: for the checkpoints, which are removed after each trial.

    Raises:
        UserError: as `Trainer.run`; a trial that diverges is a result.
    """
    for number, candidate in candidates.items():
        keras.utils.clear_session()
        checkpoints = scratch / "checkpoints"
        listener = _BestEpoch()
        started = time.monotonic()
        try:
            trainer = make_trainer(with_candidate(spec, candidate), checkpoints, listener)
            trainer.run(plan_stages(trainer.spec))
        except Diverged:
            listener.best = None
        finally:
            shutil.rmtree(checkpoints, ignore_errors=True)
        best, seconds = listener.best, time.monotonic() - started
        if best is None:
            yield Trial(number, candidate, 0, None, None, seconds)
        else:
            yield Trial(number, candidate, best.epoch, best.val_accuracy, best.val_loss, seconds)


class _BestEpoch:
    """Remembers the metrics of the best epoch, by the stage's own monitor."""

    def __init__(self) -> None:
        self.best: EpochFinished | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochFinished) and event.best:
            self.best = event


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

    def note_step(self, log: dict[str, float], images: int, position: Position) -> None:
        """Note a step's loss."""
        self.metrics = RunningMetrics()  # of this batch only
        super().note_step(log, images, position)
        self.losses.append(self.metrics.means()["loss"])
        if has_diverged(smoothed_losses(self.losses)):
            raise _BlownUp
