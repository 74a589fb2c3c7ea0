"""Trains the variants of a lesson with the real trainer and measures them."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from workbench.bases.weights import fingerprint
from workbench.evaluation.lesson_metrics import (
    accuracies,
    correct_images,
    moved_by_block,
    ring_activations,
)
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.lessons.catalogue import Lesson
from workbench.lessons.variants import Variant
from workbench.progress import Progress, silent
from workbench.runs.events import CheckedLayer, EpochFinished, Event, LayersChecked
from workbench.training.backend import resolve_precision
from workbench.training.backends import Device
from workbench.training.checkpoint import Checkpoint, CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.models import build_model, load_base_weights
from workbench.training.trainer import Trainer

Run = dict[str, Any]


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
    model = _build_fresh(spec, data.classes, setup)
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


def _build_fresh(spec: ExperimentSpec, classes: int, setup: LessonSetup) -> keras.Model:
    keras.utils.clear_session()
    keras.config.set_dtype_policy(resolve_precision(spec.training.precision, setup.device))
    model = build_model(spec, classes)
    if setup.weights:
        load_base_weights(model, spec.base_table, setup.weights)
    return model


def _train(
    spec: ExperimentSpec,
    model: keras.Model,
    data: TrainingData,
    setup: LessonSetup,
    emit: _Listener,
) -> float:
    """Train through the plan; return the seconds."""
    checkpoints = _StartsOnly(setup.scratch / "checkpoints")
    store = _feature_store(spec, setup)
    trainer = Trainer(spec, model, data, setup.device, checkpoints, emit, lambda: False, store)
    started = time.monotonic()
    try:
        trainer.run(plan_stages(spec))
    finally:
        shutil.rmtree(checkpoints.folder, ignore_errors=True)
    return time.monotonic() - started


def _feature_store(spec: ExperimentSpec, setup: LessonSetup) -> FeatureStore | None:
    if spec.base is None:
        return None
    weights = fingerprint(setup.weights) if setup.weights else f"random {spec.training.seed}"
    identity = {"weights": weights, "preprocessing": spec.base.preprocessing}
    return FeatureStore(
        setup.scratch, identity, spec.base.prefix_dtype, setup.progress, lambda message: None
    )
