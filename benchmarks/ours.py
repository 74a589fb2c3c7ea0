"""The workbench's way: the worker's own trainer on images in memory."""

from pathlib import Path
from statistics import median

import keras
import numpy as np

from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.event_log import EventWriter, StatusWriter
from workbench.runs.events import EpochFinished, Event, StepProgress
from workbench.training.backend import prepare_device
from workbench.training.base_weights import load_base_weights
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.models import build_model
from workbench.training.stage_trainer import StageTrainer
from workbench.training.trainer import Trainer


def halves(images: np.ndarray, trained: int) -> TrainingData:
    """Return made-up data: two labels in turn, so many images to train on, the rest to validate."""
    rows = np.arange(len(images))
    split = {"train": rows[:trained], "validation": rows[trained:], "test": rows[:0]}
    return TrainingData(images, rows % 2, rows.astype(np.uint64), split, 2)


def train(
    spec: ExperimentSpec,
    data: TrainingData,
    folder: Path,
    weights: Path | None = None,
    store: FeatureStore | None = None,
) -> tuple[keras.Model, list[Event]]:
    """Train through the plan, with checkpoints, events and the freeze check.

    Args:
        folder: of the run, new.
        weights: file for the base; None leaves it random.
        store: where features are kept; None: in the run's folder.

    Returns:
        The model with the kept weights, and the events.
    """
    keras.utils.clear_session()
    folder.mkdir(parents=True)
    log = EventWriter(folder / "events.jsonl")
    status = StatusWriter(folder / "status.json", log)
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, StepProgress):
            status.update(event)
        else:
            log.write(event)

    model = build_model(spec, data.classes)
    if weights:
        load_base_weights(model, spec.base_table, weights)
    trainer = Trainer(
        spec, model, data, prepare_device(False), CheckpointFolder(folder), emit, lambda: False,
        store or store_in(folder),
    )  # fmt: skip
    trainer.run(plan_stages(spec))
    return model, events


def store_in(folder: Path, **identity: str) -> FeatureStore:
    """Return a store of features in a folder."""
    folder.mkdir(exist_ok=True)
    return FeatureStore(folder, identity, "float32", lambda *progress: None, lambda note: None)


class MadeUpFeatures(FeatureStore):
    """Features as if a base had been run: what training on them costs depends on no value."""

    def count_missing(self, prefix, rows, changes=None) -> int:
        return 0

    def features(self, prefix, images, rows, changes=None) -> np.ndarray:
        path = self.folder / f"{prefix.cut}-{len(rows)}.npy"
        if not path.exists():
            shape = (len(rows), *prefix.shape)
            made = np.lib.format.open_memmap(path, "w+", np.float32, shape)
            made[:] = np.random.default_rng(1).random(prefix.shape, np.float32)
        return np.load(path, mmap_mode="r")


def last_stage(spec: ExperimentSpec, data: TrainingData, folder: Path) -> StageTrainer:
    """Return the trainer of a plan's last stage, compiled and with its made-up features at hand."""
    store = MadeUpFeatures(folder, {}, "float32", lambda *progress: None, lambda note: None)
    context = Trainer(
        spec, build_model(spec, 2), data, prepare_device(False), CheckpointFolder(folder),
        lambda event: None, lambda: False, store,
    )  # fmt: skip
    trainer = StageTrainer(context, plan_stages(spec)[-1])
    trainer.compile()
    trainer.inputs.prepare(1, whole=True)
    return trainer


def epoch_seconds(events: list[Event]) -> float:
    """Return the median seconds of the last stage's epochs but the first, which compiles."""
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    last = epochs[-1].stage
    return median(e.seconds for e in epochs if e.stage == last and e.epoch > 1)
