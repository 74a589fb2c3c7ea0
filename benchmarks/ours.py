"""The workbench's way: the worker's own engine on images that are at hand."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np

from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.training.backend import prepare_device
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.models import build_model, load_base_weights
from workbench.training.trainer import Trainer


def halves(images: np.ndarray, trained: int) -> TrainingData:
    """Made-up data: two labels in turn, so many images to train on and the rest for validation."""
    rows = np.arange(len(images))
    split = {"train": rows[:trained], "validation": rows[trained:], "test": rows[:0]}
    return TrainingData(images, rows % 2, rows.astype(np.uint64), split, 2)


def train(
    spec: ExperimentSpec,
    data: TrainingData,
    folder: Path,
    weights: Path | None = None,
    store: FeatureStore | None = None,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Trains through the plan, checkpoints, events and the look at the layers included.

    Args:
        folder: of the run, new.
        weights: file for the base; None leaves it random.
        store: where outputs of the prefix are kept; None: in the run's folder.

    Returns:
        The model with the kept weights, and the events.
    """
    keras.utils.clear_session()
    folder.mkdir(parents=True)
    log, told = folder / "events.jsonl", []

    def tell(kind: str, /, **fields: Any) -> None:
        told.append({"event": kind, **fields})
        with log.open("a") as file:
            file.write(json.dumps(told[-1], default=float) + "\n")

    model = build_model(spec, data.classes)
    if weights:
        load_base_weights(model, spec.base_table, weights)
    trainer = Trainer(
        spec, model, data, prepare_device(False), CheckpointFolder(folder), tell, lambda: False,
        store or store_in(folder),
    )  # fmt: skip
    trainer.run(plan_stages(spec))
    return model, told


def store_in(folder: Path, **identity: str) -> FeatureStore:
    """Keeps outputs of prefixes in a folder."""
    folder.mkdir(exist_ok=True)
    return FeatureStore(folder, identity, "float32", lambda *progress: None, lambda note: None)


class MadeUpFeatures(FeatureStore):
    """Outputs as if a base had been run: what training on them costs depends on no value."""

    def count_missing(self, prefix, rows, changes=None) -> int:
        return 0

    def features(self, prefix, images, rows, changes=None) -> np.ndarray:
        path = self.folder / f"{prefix.cut}-{len(rows)}.npy"
        if not path.exists():
            shape = (len(rows), *prefix.shape)
            made = np.lib.format.open_memmap(path, "w+", np.float32, shape)
            made[:] = np.random.default_rng(1).random(prefix.shape, np.float32)
        return np.load(path, mmap_mode="r")


def epoch_seconds(told: list[dict[str, Any]]) -> float:
    """Of an epoch of the last stage: the median of all but the first, which compiles."""
    epochs = [event for event in told if event["event"] == "epoch_finished"]
    last = epochs[-1]["stage"]
    return median(e["seconds"] for e in epochs if e["stage"] == last and e["epoch"] > 1)
