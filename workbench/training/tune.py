"""Trials of a random search: heads trained one after the other on the same cached features."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras

from workbench.experiment.plan import plan_stages
from workbench.experiment.search_space import Candidate, Trial, with_candidate
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.events import EpochFinished, Event
from workbench.training.context import Emit
from workbench.training.divergence import Diverged
from workbench.training.trainer import Trainer

MakeTrainer = Callable[[ExperimentSpec, Path, Emit], Trainer]


def run_trials(
    spec: ExperimentSpec, candidates: Sequence[Candidate], make_trainer: MakeTrainer, scratch: Path
) -> Iterator[Trial]:
    """Train each candidate through the whole plan; yield each trial when it is done.

    Args:
        spec: whose head and training the candidates change.
        candidates: to try, in this order.
        make_trainer: makes a trainer with a fresh model from a spec, a folder of checkpoints and
            a listener, every time with the same base weights and feature store.
        scratch: for the checkpoints, which are removed after each trial.

    Raises:
        UserError: as `Trainer.run`; a trial that diverges is a result.
    """
    for number, candidate in enumerate(candidates, start=1):
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
