"""Runs lessons: trains their variants with the real trainer and measures them.

The lesson about freezing has no variants: it watches one layer, with and without a compile.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from workbench.evaluation.lesson_metrics import (
    accuracies,
    correct_images,
    moved_by_block,
    ring_activations,
)
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.lessons.lesson import Lesson
from workbench.lessons.variants import Variant
from workbench.progress import Progress, silent
from workbench.runs.events import CheckedLayer, EpochFinished, Event, LayersChecked
from workbench.runs.freeze_check import FROZEN, TRAINS
from workbench.training.backends import Device
from workbench.training.checkpoint import Checkpoint, CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import make_feature_store
from workbench.training.freeze_check import FreezeCheck
from workbench.training.models import build_model, build_network, loss_for
from workbench.training.trainer import Trainer

Run = dict[str, Any]
WATCHED = "conv1"  # the layer that is frozen or unfrozen
WATCHED_STEPS = 5
WATCHED_BATCH = 32


@dataclass(frozen=True)
class LessonSetup:
    """What all variants share.

    Attributes:
        data: the images; every variant uses its own part of the training rows.
        scratch: an empty folder for checkpoints and cached features.
        weights: the file of the base's weights; None without a base, or for random ones.
    """

    data: TrainingData
    device: Device
    scratch: Path
    weights: Path | None = None
    progress: Progress = silent


def run_variants(
    experiment: Lesson, variants: Sequence[Variant], seeds: Sequence[int], setup: LessonSetup
) -> dict[str, list[Run]]:
    """Train every variant with every seed; return its metrics in the order of the seeds.

    A seed determines weights, order, dropout, augmentation, and which training images are used.

    Raises:
        Diverged, UserError: as `Trainer.run`.
    """
    total = sum(stage.epochs for v in variants for stage in plan_stages(v.spec)) * len(seeds)
    counter = _EpochCounter(setup.progress, total)
    return {
        variant.name: [_run(experiment, variant, seed, setup, counter) for seed in seeds]
        for variant in variants
    }


def training_subset(data: TrainingData, per_class: int, seed: int) -> TrainingData:
    """Return the data with at most `per_class` training images of each class, drawn by the seed.

    With one seed, a smaller subset is part of a larger one.
    """
    rows = data.rows["train"]
    drawn = np.random.default_rng(seed).permutation(rows)
    kept = [drawn[data.labels[drawn] == label][:per_class] for label in range(data.classes)]
    return replace(data, rows={**data.rows, "train": np.sort(np.concatenate(kept))})


class _StartsOnly(CheckpointFolder):
    """Keeps only what a stage started with: a lesson is never resumed."""

    def save_last(self, checkpoint: Checkpoint) -> None:
        pass


class _EpochCounter:
    """Reports how many of all epochs are done."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self) -> None:
        self.done += 1
        self.progress("train", self.done, self.total)


class _Listener:
    """Takes the trainer's events: metrics of every epoch, and how far each layer moved."""

    def __init__(
        self, model: keras.Model, data: TrainingData, is_whole: bool, count: _EpochCounter
    ) -> None:
        self.model, self.data, self.is_whole, self.count = model, data, is_whole, count
        self.epochs: list[dict[str, float | None]] = []
        self.seconds: list[float] = []
        self.layers: tuple[CheckedLayer, ...] = ()

    def __call__(self, event: Event) -> None:
        if isinstance(event, LayersChecked):
            self.layers = event.layers
        if isinstance(event, EpochFinished):
            self.seconds.append(event.seconds or 0.0)
            train = None
            if self.is_whole:  # the event's own is a mean with dropout and augmentation on
                train = float(correct_images(self.model, self.data, "train").mean())
            self.epochs.append({"train": train, "validation": event.val_accuracy})
            self.count()


def _run(
    experiment: Lesson, variant: Variant, seed: int, setup: LessonSetup, count: _EpochCounter
) -> Run:
    training = variant.spec.training.model_copy(update={"seed": seed})
    spec = variant.spec.model_copy(update={"training": training})
    data = training_subset(setup.data, variant.per_class, seed)
    keras.utils.clear_session()
    model = build_network(spec, data.classes, setup.device, setup.weights)
    listener = _Listener(model, data, spec.base is None, count)
    seconds = _train(spec, model, data, setup, listener)
    metrics: Run = {
        "seed": seed,
        "images": len(data.rows["train"]),
        "epochs": listener.epochs,
        "epoch_seconds": listener.seconds,
        "seconds": seconds,
        **accuracies(model, data, experiment.shifts),
    }
    if experiment.rings:
        metrics["rings"] = ring_activations(model, data, spec)
    if experiment.needs_base:
        metrics["moved"] = moved_by_block(spec, listener.layers, data.classes)
    return metrics


def _train(
    spec: ExperimentSpec,
    model: keras.Model,
    data: TrainingData,
    setup: LessonSetup,
    emit: _Listener,
) -> float:
    """Train through the plan; return the seconds."""
    checkpoints = _StartsOnly(setup.scratch / "checkpoints")
    store = make_feature_store(
        spec, setup.scratch, setup.weights, setup.progress, notify=lambda message: None
    )
    trainer = Trainer(spec, model, data, setup.device, checkpoints, emit, lambda: False, store)
    started = time.monotonic()
    try:
        trainer.run(plan_stages(spec))
    finally:
        shutil.rmtree(checkpoints.folder, ignore_errors=True)
    return time.monotonic() - started


@dataclass(frozen=True)
class Way:
    """What happens before the steps in which the layer is watched.

    Attributes:
        frozen_first: `trainable` of the layer is False when the model is compiled.
        steps_first: steps are taken before `trainable` is set.
        frozen: whether `trainable` is set to False then.
        recompiled: whether a compile follows.
    """

    frozen_first: bool
    steps_first: bool
    frozen: bool
    recompiled: bool


WAYS = {
    "never frozen": Way(False, True, False, False),
    "frozen, compiled": Way(False, True, True, True),
    "frozen, compile forgotten": Way(False, True, True, False),
    "thawed, compiled": Way(True, True, False, True),
    "thawed, compile forgotten": Way(True, True, False, False),
    "frozen before the first step": Way(False, False, True, False),
}


def recompile_runs(
    spec: ExperimentSpec, data: TrainingData, seeds: Sequence[int]
) -> dict[str, list[dict[str, Any]]]:
    """Return for every way and seed whether the layer should train, and how far it moved."""
    return {
        name: [
            {
                "seed": seed,
                "asked": FROZEN if way.frozen else TRAINS,
                "moved": _moved(way, spec, data, seed),
            }
            for seed in seeds
        ]
        for name, way in WAYS.items()
    }


def _moved(way: Way, spec: ExperimentSpec, data: TrainingData, seed: int) -> float:
    """Return how far the layer moved, relative to its norm; 0 is not at all."""
    training = spec.training.model_copy(update={"seed": seed})
    spec = spec.model_copy(update={"training": training})
    keras.utils.clear_session()
    model = build_model(spec, data.classes)
    layer = model.get_layer(WATCHED)
    layer.trainable = not way.frozen_first
    _compile(model, data.classes)
    if way.steps_first:
        _take_steps(model, data)
    freeze_check = FreezeCheck(model, model, _stage(spec))
    layer.trainable = not way.frozen
    if way.recompiled:
        _compile(model, data.classes)
    _take_steps(model, data)
    return next(row.moved or 0.0 for row in freeze_check.compare() if row.name == WATCHED)


def _stage(spec: ExperimentSpec) -> Stage:
    return replace(plan_stages(spec)[0], trainable=None)


def _compile(model: keras.Model, classes: int) -> None:
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss_for(classes))


def _take_steps(model: keras.Model, data: TrainingData) -> None:
    rows = data.rows["train"][:WATCHED_BATCH]
    images, targets = data.images[rows], data.targets(rows)
    for _ in range(WATCHED_STEPS):
        model.train_on_batch(images, targets)
