"""What training needs, whichever stage of the plan is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras

from workbench.experiment.deadline import Deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.events import Event
from workbench.runs.fields import Position
from workbench.training.backends import Device
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.trainer_state import START

Emit = Callable[[Event], None]


@dataclass
class TrainingContext:
    """A model and everything around it that the stages of a plan share.

    Attributes:
        emit: takes what happened, for the log or the status of the run.
        stop_requested: True once a stop was requested; checked before every step.
        store: where features of a frozen prefix are kept; only plans with a prefix need one.
        expected_seconds: estimated seconds of an epoch of each stage, by the stage's index.
        position: of the newest checkpoint.
        deadline: when the run has to be finished.
    """

    spec: ExperimentSpec
    model: keras.Model
    data: TrainingData
    device: Device
    checkpoints: CheckpointFolder
    emit: Emit
    stop_requested: Callable[[], bool]
    store: FeatureStore | None = None
    expected_seconds: Mapping[int, float] = field(default_factory=dict)
    position: Position = START
    deadline: Deadline = field(default_factory=Deadline)
