"""Trains the variants of an experiment with the real engine, and measures them."""

import math
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import numpy as np

from workbench.bases.weights import fingerprint
from workbench.evaluation.evaluate import BATCH, probabilities_of
from workbench.evaluation.lesson_maps import rings_of
from workbench.evaluation.metrics import shifted, shifts
from workbench.experiment.plan import layer_rows, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.lessons.catalogue import DIRECTIONS, JUDGED_SHIFT, SHIFT_STEPS, Experiment
from workbench.lessons.variants import Variant
from workbench.progress import Progress, silent
from workbench.training.backend import Device, resolve_precision
from workbench.training.checkpoint import Checkpoint, CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.inputs import plain_batches
from workbench.training.models import build_model
from workbench.training.trainer import Engine
from workbench.training.weights import load_base_weights

Run = dict[str, Any]

SHIFTED_SIDE = 28  # pixels of a side for which one step is one pixel


@dataclass(frozen=True)
class Bench:
    """What all variants share.

    Attributes:
        data: the images; every variant uses its own part of the training rows.
        scratch: an empty folder for checkpoints and cached outputs.
        weights: the file of the base's weights; None without a base, or for random ones.
    """

    data: TrainingData
    device: Device
    scratch: Path
    weights: Path | None = None
    progress: Progress = silent


def run_variants(
    experiment: Experiment, variants: Sequence[Variant], seeds: Sequence[int], bench: Bench
) -> dict[str, list[Run]]:
    """Trains every variant with every seed; the figures of each, in the order of the seeds.

    A seed decides about weights, order, dropout, augmentation, and which training images are used.

    Raises:
        Diverged, UserError: as `Engine.run`.
    """
    total = sum(stage.epochs for v in variants for stage in plan_stages(v.spec)) * len(seeds)
    counter = _Counter(bench.progress, total)
    return {
        variant.name: [_run(experiment, variant, seed, bench, counter) for seed in seeds]
        for variant in variants
    }


def part_of(data: TrainingData, per_class: int, seed: int) -> TrainingData:
    """The data with at most so many training images of each class, drawn by the seed.

    Of one seed, a smaller part lies within a larger one.
    """
    rows = data.rows["train"]
    drawn = np.random.default_rng(seed).permutation(rows)
    kept = [drawn[data.labels[drawn] == label][:per_class] for label in range(data.classes)]
    return replace(data, rows={**data.rows, "train": np.sort(np.concatenate(kept))})


class _Unkept(CheckpointFolder):
    """Keeps what a stage began with alone: nobody resumes an experiment."""

    def save_last(self, checkpoint: Checkpoint) -> None:
        pass


class _Counter:
    """Tells how many of all epochs are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self) -> None:
        self.done += 1
        self.progress("train", self.done, self.total)


class _Listener:
    """Takes the engine's events: figures of every epoch, and how far each layer moved."""

    def __init__(self, model: keras.Model, data: TrainingData, whole: bool, count: _Counter):
        self.model, self.data, self.whole, self.count = model, data, whole, count
        self.epochs: list[dict[str, float | None]] = []
        self.seconds: list[float] = []
        self.layers: list[dict[str, Any]] = []

    def __call__(self, kind: str, /, **fields: Any) -> None:
        if kind == "layers":
            self.layers = fields["layers"]
        if kind == "epoch_finished":
            self.seconds.append(fields["seconds"])
            # The engine's own is a mean over the epoch, with dropout and augmentation on.
            train = float(right_on(self.model, self.data, "train").mean()) if self.whole else None
            self.epochs.append({"train": train, "validation": fields["val_accuracy"]})
            self.count()


def _run(experiment: Experiment, variant: Variant, seed: int, bench: Bench, count: _Counter) -> Run:
    training = variant.spec.training.model_copy(update={"seed": seed})
    spec = variant.spec.model_copy(update={"training": training})
    data = part_of(bench.data, variant.per_class, seed)
    model = _fresh_model(spec, data.classes, bench)
    listener = _Listener(model, data, whole=spec.base is None, count=count)
    seconds = _train(spec, model, data, bench, listener)
    figures: Run = {
        "seed": seed,
        "images": len(data.rows["train"]),
        "epochs": listener.epochs,
        "epoch_seconds": listener.seconds,
        "seconds": seconds,
        **_measured(model, data, experiment.shifts),
    }
    if experiment.rings:
        figures["rings"] = rings_of(model, data, spec)
    if experiment.on_base:
        figures["moved"] = _moved_by_block(spec, listener.layers, data.classes)
    return figures


def _fresh_model(spec: ExperimentSpec, classes: int, bench: Bench) -> keras.Model:
    keras.utils.clear_session()
    keras.config.set_dtype_policy(resolve_precision(spec.training.precision, bench.device))
    model = build_model(spec, classes)
    if bench.weights:
        load_base_weights(model, spec.base_table, bench.weights)
    return model


def _train(
    spec: ExperimentSpec, model: keras.Model, data: TrainingData, bench: Bench, tell: _Listener
) -> float:
    """Trains through the plan; returns the seconds."""
    checkpoints = _Unkept(bench.scratch / "checkpoints")
    store = _feature_store(spec, bench)
    engine = Engine(spec, model, data, bench.device, checkpoints, tell, lambda: False, store)
    started = time.monotonic()
    try:
        engine.run(plan_stages(spec))
    finally:
        shutil.rmtree(checkpoints.folder, ignore_errors=True)
    return time.monotonic() - started


def _measured(model: keras.Model, data: TrainingData, with_shifts: bool) -> Run:
    """Accuracies, and which images were right (see `learn.results`)."""
    split = "test" if len(data.rows["test"]) else "validation"
    right = {
        "train": right_on(model, data, "train"),
        "validation": right_on(model, data, "validation"),
        "measured": right_on(model, data, split),
    }
    figures: Run = {
        "accuracy": float(right["measured"].mean()),
        "train": float(right["train"].mean()),
        "validation": float(right["validation"].mean()),
    }
    if with_shifts:
        over = _over_shifts(model, data, split)
        right["moved"] = list(over.values())[JUDGED_SHIFT]
        accuracies = [float(times.mean()) / DIRECTIONS for times in over.values()]
        figures["shifts"] = {"pixels": list(over), "accuracy": accuracies}
    figures["right"] = {part: "".join(map(str, each)) for part, each in right.items()}
    return figures


def _feature_store(spec: ExperimentSpec, bench: Bench) -> FeatureStore | None:
    if spec.base is None:
        return None
    own = fingerprint(bench.weights) if bench.weights else f"random {spec.training.seed}"
    identity = {"weights": own, "preprocessing": spec.base.preprocessing}
    return FeatureStore(
        bench.scratch, identity, spec.base.prefix_dtype, bench.progress, lambda message: None
    )


def right_on(
    model: keras.Model, data: TrainingData, split: str, down: int = 0, right: int = 0
) -> np.ndarray:
    """int (n,): 1 for each image of a split that the model gets right, else 0.

    Without dropout or augmentation.

    Args:
        down, right: by how many pixels the images are moved first.
    """
    rows = data.rows[split]
    batches = (batch for batch, _ in plain_batches(data.images, rows, BATCH))
    moved = (shifted(batch, down, right) if down or right else batch for batch in batches)
    predicted = probabilities_of(model, moved).argmax(axis=1)
    return (predicted == data.labels[rows]).astype(int)


def _over_shifts(model: keras.Model, data: TrainingData, split: str) -> dict[int, np.ndarray]:
    """By pixels of shift: int (n,), in how many of eight directions each image is right."""
    step = max(round(min(data.images.shape[1:3]) / SHIFTED_SIDE), 1)
    unmoved = {0: DIRECTIONS * right_on(model, data, split)}
    return unmoved | {
        step * number: sum(
            (right_on(model, data, split, *by) for by in shifts(step * number)),
            start=np.zeros(len(data.rows[split]), int),
        )
        for number in range(1, SHIFT_STEPS + 1)
    }


def _moved_by_block(
    spec: ExperimentSpec, layers: Sequence[dict[str, Any]], classes: int
) -> dict[str, float]:
    """How far the blocks moved in the last stage: Euclidean mean over their layers that train."""
    block = {row.name: row.block for row in layer_rows(spec, classes)}
    moved: dict[str, list[float]] = defaultdict(list)
    for layer in layers:
        if layer["requested"] == "trains":
            moved[block[layer["name"]]].append(layer["moved"])
    return {name: math.sqrt(fmean(m * m for m in each)) for name, each in moved.items()}
