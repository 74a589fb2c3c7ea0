"""What each part of the recipe costs: an epoch of steps with it, against one with plain Adam.

    python benchmarks/recipe.py [--rounds 7] [--json FILE]

Steps only, without validation and files, 32 images a step. "features": VGG16's block5 and a head,
on cached features of block4, which is where fine-tuning spends its time; "images": a convnet on
800 images of 64 x 64. Ratios are time with Adam over time with the option; 1 is no cost.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import Row, by_seconds, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import ours  # noqa: E402

from workbench.experiment.toml import apply_settings, parse_spec  # noqa: E402
from workbench.runs.fields import Position  # noqa: E402

IMAGES = {"features": 160, "images": 800}
TRAINING = {"batch_size": 32, "epochs": 1000, "learning_rate": 1e-5, "optimizer": "adam"}
SPECS: dict[str, dict[str, Any]] = {
    "features": {
        "data": {"source": "x", "image_size": [64, 64]},
        "base": {"name": "vgg16", "weights": "random", "trainable": ["block5"]},
        "model": {"strategy": "fine-tuning", "dense_units": [128]},
        "training": TRAINING,
    },
    "images": {
        "data": {"source": "x", "image_size": [64, 64]},
        "model": {"strategy": "convnet", "filters": [16, 32, 32], "dense_units": [64]},
        "training": TRAINING,
    },
}
ADAMW = ("training.optimizer=adamw", "training.weight_decay=0.05")
OPTIONS: dict[str, tuple[str, ...]] = {
    "adamw, weight decay": ADAMW,
    "sgd with momentum": ("training.optimizer=sgd", "training.momentum=0.9"),
    "clipped gradients": ("training.clip_norm=1.0",),
    "averaged weights": ("training.ema=0.99",),
    "smoothed labels": ("training.label_smoothing=0.1",),
    "mixup": ("augmentation.mixup=0.2",),
}
OWN = {
    "features": {"a rate for each block": ("training.layer_decay=0.7",)},
    "images": {"CutMix": ("augmentation.cutmix=1.0",)},
}


def epoch_of(kind: str, settings: tuple[str, ...], folder: Path) -> Any:
    """Return a way to train an epoch of the last stage, compiled and with its features at hand."""
    spec = parse_spec(apply_settings(SPECS[kind], settings), kind)
    images = np.zeros((IMAGES[kind], *spec.data.input_shape), np.uint8)
    if spec.base:
        images = images[:, :1, :1]  # features are made up
    data = ours.halves(images, len(images))
    trainer = ours.last_stage(spec, data, folder)

    def epoch() -> None:
        trainer.train_steps(Position(trainer.stage.index, 1))

    for _ in range(3):  # compiles, and the trainer learns how long its calls may be
        epoch()
    return epoch


def measure(rounds: int) -> list[Row]:
    """Measure a row for each option on each kind of input, and one for all of them together."""
    rows = []
    for kind in SPECS:
        options: Mapping[str, tuple[str, ...]] = {**OPTIONS, **OWN[kind]}
        together = [s for name, s in options.items() if "sgd" not in name]
        options = {
            **options,
            "all but sgd": tuple(one for settings in together for one in settings),
        }
        with tempfile.TemporaryDirectory() as scratch:
            ways = {
                name: epoch_of(kind, settings, Path(scratch))
                for name, settings in {"adam": (), **options}.items()
            }
            took = in_turns(
                {name: lambda way=way: seconds(way) for name, way in ways.items()}, rounds
            )
        rows += [by_seconds(f"{kind}: {name}", took["adam"], took[name]) for name in options]
    return rows


if __name__ == "__main__":
    given = parser(__doc__, rounds=7).parse_args()
    show(measure(given.rounds), given.json, ("adam", "with it"))
