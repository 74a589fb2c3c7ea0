"""Trials of a random search: heads trained one after the other on the same cached features."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from workbench.experiment.plan import plan_stages
from workbench.experiment.search_space import Candidate, Trial, with_candidate
from workbench.experiment.spec import ExperimentSpec
from workbench.training.divergence import Diverged
from workbench.training.trainer import Engine, Tell

NOTHING: dict[str, Any] = {"epoch": 0, "val_accuracy": None, "val_loss": None}
MakeEngine = Callable[[ExperimentSpec, Path, Tell], Engine]


def run_trials(
    spec: ExperimentSpec, tried: Sequence[Candidate], make_engine: MakeEngine, scratch: Path
) -> Iterator[Trial]:
    """Trains each candidate through the whole plan; a trial comes as soon as it is done.

    Args:
        make_engine: makes an engine with a fresh model from a spec, a folder of checkpoints and
            a listener. The same base weights and feature store every time.
        scratch: for the checkpoints, which are removed after each trial.

    Raises:
        UserError: as `Engine.run`; a trial that diverges is a result.
    """
    for number, candidate in enumerate(tried, start=1):
        keras.utils.clear_session()
        checkpoints = scratch / "checkpoints"
        listener = _BestEpoch()
        started = time.monotonic()
        try:
            engine = make_engine(with_candidate(spec, candidate), checkpoints, listener)
            engine.run(plan_stages(engine.spec))
        except Diverged:
            listener.best = NOTHING
        finally:
            shutil.rmtree(checkpoints, ignore_errors=True)
        yield Trial(
            number,
            candidate,
            listener.best["epoch"],
            listener.best["val_accuracy"],
            listener.best["val_loss"],
            time.monotonic() - started,
        )


class _BestEpoch:
    """Remembers the figures of the best epoch, as the stage judges it."""

    def __init__(self) -> None:
        self.best: dict[str, Any] = NOTHING

    def __call__(self, kind: str, /, **fields: Any) -> None:
        if kind == "epoch_finished" and fields["best"]:
            self.best = fields
