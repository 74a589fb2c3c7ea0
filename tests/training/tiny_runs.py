"""Runs on tiny images, small enough to train in a test; their events are kept in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from workbench.bases.architectures import BASES, BaseInfo
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.runs.events import Event, Notice
from workbench.runs.fields import Position
from workbench.training.backends import Device
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.models import build_model
from workbench.training.trainer import Trainer
from workbench.training.trainer_state import Stopped

CPU = Device("cpu", "CPU")


BASE = "short"  # see `short_mobilenet`


def short_mobilenet() -> BaseInfo:
    """Return MobileNetV2 without its middle, a base of these tests.

    A network of 65 layers instead of 154 is built and compiled in half the time.
    """
    whole = BASES["mobilenetv2-0.35"]
    blocks = whole.stored["blocks"]
    kept = ("stem", "block_1", "block_13", "block_14", "block_15", "block_16", "top")
    short = replace(whole, name=BASE)
    short.__dict__["stored"] = {**whole.stored, "blocks": {one: blocks[one] for one in kept}}
    return short


NARROW = "narrow"  # see `narrow_vgg16`


def narrow_vgg16() -> BaseInfo:
    """Return VGG16 with an eighth of its filters: the same layers, a 64th of the weights."""
    whole = BASES["vgg16"]
    blocks = {
        block: [
            [
                name,
                kind,
                {**given, "filters": given["filters"] // 8} if "filters" in given else given,
            ]
            for name, kind, given in layers
        ]
        for block, layers in whole.stored["blocks"].items()
    }
    narrow = replace(whole, name=NARROW)
    narrow.__dict__["stored"] = {**whole.stored, "blocks": blocks}
    return narrow


SIDE = 32  # of images for a base
CONVNET = {
    "data": {"source": "x", "image_size": [8, 8], "channels": 1},
    "augmentation": {"rotation": 20.0, "horizontal_flip": True},
    "model": {"strategy": "convnet", "filters": [4], "dense_units": [8], "dropout": 0.25},
    "training": {"batch_size": 8, "epochs": 3, "learning_rate": 0.01, "schedule": "cosine"},
}
ON_BASE = {
    "data": {"source": "x", "image_size": [SIDE, SIDE]},
    "base": {"name": BASE, "weights": "random"},
    "model": {"strategy": "feature-extraction", "dense_units": [8], "dropout": 0.5},
    "training": {"batch_size": 8, "epochs": 3, "learning_rate": 0.01, "optimizer": "adam"},
}
FINE_TUNING = (
    "model.strategy=fine-tuning",
    'base.trainable=["block_16", "top"]',
    "training.head_epochs=2",
    "training.epochs=2",
)
NO_AUGMENTATION = ("augmentation.rotation=0", "augmentation.horizontal_flip=false")


def convnet_spec(*settings: str) -> ExperimentSpec:
    return parse_spec(apply_settings(CONVNET, settings), "test")


def base_spec(*settings: str) -> ExperimentSpec:
    return parse_spec(apply_settings(ON_BASE, settings), "test")


def bars(classes: int = 2) -> TrainingData:
    """60 grey images of 8x8 with a bright bar at a height that depends on the label."""
    labels = np.arange(60) % classes
    pixels = np.random.default_rng(0).integers(0, 60, (60, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[2 + 3 * label // (classes - 1)] += 190
    return _split(pixels, labels, classes, 36, 48)


def halves() -> TrainingData:
    """40 images of noise with a bright upper or lower half, depending on the label."""
    labels = np.arange(40) % 2
    pixels = np.random.default_rng(0).integers(0, 90, (40, SIDE, SIDE, 3), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[: SIDE // 2] += np.uint8(150 * label)
        image[SIDE // 2 :] += np.uint8(150 * (1 - label))
    return _split(pixels, labels, 2, 24, 32)


def _split(
    pixels: np.ndarray, labels: np.ndarray, classes: int, first: int, second: int
) -> TrainingData:
    rows = np.arange(len(labels))
    split = {"train": rows[:first], "validation": rows[first:second], "test": rows[second:]}
    return TrainingData(pixels, labels.astype(np.int64), rows.astype(np.uint64), split, classes)


def lively_model(spec: ExperimentSpec, classes: int = 2) -> keras.Model:
    """Amplify the layers of a base: signals would vanish in so many with random weights."""
    model = build_model(spec, classes)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(layer.gamma * 3.0)
        if layer.name.startswith("block") and "conv" in layer.name:  # VGG
            layer.kernel.assign(layer.kernel * 1.41)
    return model


def same_weights(a: keras.Model, b: keras.Model) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@dataclass
class TinyRun:
    """A run in a folder: checkpoints in `run`, features beside it."""

    spec: ExperimentSpec
    folder: Path
    data: TrainingData = field(default_factory=bars)
    make_model: Callable[[ExperimentSpec, int], keras.Model] = build_model
    stages: tuple[Stage, ...] = ()
    identity: dict[str, Any] = field(default_factory=lambda: {"weights": "random 1"})
    expected: dict[int, float] = field(default_factory=dict)
    device: Device = CPU
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "run"

    def run(self, stop_at: int = 0, resume: bool = False) -> keras.Model:
        """Train; stop at the given check, from 1, which comes before every batch."""
        model = self.make_model(self.spec, self.data.classes)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        files = CheckpointFolder(self.checkpoints)
        dtype = self.spec.base.prefix_dtype if self.spec.base else "float32"
        store = FeatureStore(self.folder, self.identity, dtype, lambda *done: None, self._notify)
        checks = iter(range(1, 10**9))
        trainer = Trainer(
            self.spec,
            model,
            self.data,
            self.device,
            files,
            self.emit,
            lambda: next(checks) == stop_at,
            store,
            self.expected,
        )
        stages = self.stages or plan_stages(self.spec)
        trainer.run(stages, files.load_last()[0] if resume else None)
        return model

    def run_until(self, stop_at: int, resume: bool = False) -> Position:
        """Train until a stop; return its position."""
        with pytest.raises(Stopped) as stopped:
            self.run(stop_at, resume)
        return stopped.value.position

    def emit(self, event: Event) -> None:
        self.events.append(event.as_dict())

    def _notify(self, message: str) -> None:
        self.emit(Notice(message=message))

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    def notices(self) -> list[str]:
        return [event["message"] for event in self.of_kind("notice")]

    def history(self) -> list[dict[str, Any]]:
        """Return the finished epochs without their times."""
        finished = self.of_kind("epoch_finished")
        return [{k: v for k, v in event.items() if k != "seconds"} for event in finished]

    def layers(self, stage: int) -> dict[str, dict[str, Any]]:
        """Return the last freeze check of a stage."""
        checks = [event for event in self.of_kind("layers") if event["stage"] == stage]
        return {row["name"]: row for row in checks[-1]["layers"]}


def run_on_base(spec: ExperimentSpec, folder: Path, **options: Any) -> TinyRun:
    return TinyRun(spec, folder, halves(), lively_model, **options)
