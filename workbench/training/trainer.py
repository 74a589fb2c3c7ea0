"""Runs the stages of a plan, one after the other.

A place in the plan (stage, epoch, step) says everything: the order of images, their augmentation,
dropout and the learning rate are functions of the seed and the place. How a stage is run: see
`stage_run`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras

from workbench.errors import UserError
from workbench.experiment.plan import Stage
from workbench.experiment.resuming import (
    MAY_CHANGE,
    check_change,
    training_fingerprint,
    with_settings,
)
from workbench.experiment.spec import ExperimentSpec
from workbench.training.backend import Device
from workbench.training.checkpoint import Checkpoint, CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.divergence import Diverged
from workbench.training.features import FeatureStore
from workbench.training.position import START, Place
from workbench.training.stage_trainer import StageRun


class Tell(Protocol):
    """Writes an event."""

    def __call__(self, kind: str, /, **fields: Any) -> None: ...


@dataclass
class Engine:
    """Trains a model through a plan.

    Attributes:
        checkpoints: where the run's checkpoints lie.
        tell: writes an event.
        stop_asked: true once a stop was asked for; looked at before every step.
        store: where outputs of a frozen prefix are kept; only plans with a prefix need one.
        expected: seconds that an epoch of each stage was estimated to take, by its index.
        place: where the last checkpoint stands.
    """

    spec: ExperimentSpec
    model: keras.Model
    data: TrainingData
    device: Device
    checkpoints: CheckpointFolder
    tell: Tell
    stop_asked: Callable[[], bool]
    store: FeatureStore | None = None
    expected: Mapping[int, float] = field(default_factory=dict)
    place: Place = START

    def run(self, stages: tuple[Stage, ...], resume_from: Checkpoint | None = None) -> None:
        """Runs every stage; the model holds the last stage's kept weights at the end.

        Raises:
            Stopped: after the checkpoint of a stop that was asked for.
            Diverged: the loss or a weight is no number any more, or the loss explodes; the model
                then holds the last good weights.
            UserError: a checkpoint of another model or experiment.
        """
        first = resume_from.place.stage if resume_from else 0
        if resume_from:
            self._check(resume_from)
            self.place = resume_from.place_for(self.spec.training.batch_size)
        for stage in stages[first:]:
            here = resume_from if resume_from and stage.index == first else None
            run = StageRun(self, stage)
            try:
                run.run(here)
            except Diverged as error:
                with suppress(UserError):  # without the files that hold them there are none
                    error.restored = run.restore_good()
                raise

    def _check(self, checkpoint: Checkpoint) -> None:
        """Looks whether the checkpoint's place means the same in this experiment."""
        as_it_was = with_settings(self.spec, checkpoint.settings)
        if checkpoint.spec != training_fingerprint(as_it_was):
            raise UserError(
                "The spec was changed since the checkpoint was saved, so its place means nothing.",
                "Take the change back, or start a new run with it. What may change while a run "
                f"goes on: {', '.join(MAY_CHANGE)}.",
            )
        check_change(as_it_was, self.spec)
