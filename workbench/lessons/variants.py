"""The networks of lessons, as specs: presets reduced to seconds.

Each spec is complete: `workbench lessons NAME --specs DIR` writes it, `workbench train` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec

Tree = dict[str, Any]

LARGEST_SIDE = 64  # pixels; larger images are shrunk to this
MIN_POOLED_SIDE = 28  # pixels from which there are three blocks of convolutions
BASE_SIDE = 64
BASE = "mobilenetv2-0.35"
LOWER_BLOCKS = ["stem", "block_0", "block_1", "block_2", "block_3"]
UPPER_BLOCKS = ["block_14", "block_15", "block_16", "top"]
SPLIT = {"train": 0.5, "validation": 0.2, "test": 0.3}
MIN_PER_CLASS = 5
HEAD: Tree = {"model": {"head": "average", "dense_units": [128], "dropout": 0.5}}


@dataclass(frozen=True)
class Variant:
    """One of the networks that a lesson compares.

    Attributes:
        per_class: training images used of each class.
    """

    name: str
    spec: ExperimentSpec
    per_class: int


@dataclass(frozen=True)
class LessonInputs:
    """The images and weights that the variants of a lesson are made for.

    Attributes:
        source: path of the images.
        weights: of the base: "imagenet", "random" or a file.
    """

    source: str
    facts: DataFacts
    weights: str = "imagenet"

    def per_class(self, images: int) -> int:
        """Return the training images of each class for a total."""
        return max(images // self.facts.classes, MIN_PER_CLASS)

    @property
    def trainable_per_class(self) -> int:
        """Training images of each class that the split leaves."""
        facts = self.facts
        own = facts.split_images.get("train", 0)
        if facts.user_split and own:
            kept = 1.0 if facts.split_images.get("validation") else 1 - SPLIT["validation"]
            return int(own * kept) // facts.classes
        return int(facts.smallest_class * SPLIT["train"])


def dense(inputs: LessonInputs, *changes: Tree) -> ExperimentSpec:
    """Return the spec of a small dense network with changes."""
    model = {"dense_units": [128], "dropout": 0.0}
    return _spec(inputs, "dense", _small(inputs), {"model": model}, *changes)


def convnet(inputs: LessonInputs, *changes: Tree) -> ExperimentSpec:
    """Return the spec of a small convnet with changes; small images get two blocks."""
    deep = min(_small(inputs)["data"]["image_size"]) >= MIN_POOLED_SIDE
    model = {
        "filters": [16, 32, 32] if deep else [16, 32],
        "pooling": [True, True, False] if deep else [True, False],
        "dense_units": [64],
        "dropout": 0.0,
    }
    return _spec(inputs, "convnet", _small(inputs), {"model": model}, *changes)


def _small(inputs: LessonInputs) -> Tree:
    """Keep small images at their size, shrink others; keep the last epoch's weights."""
    size, facts = inputs.facts.image_size, inputs.facts
    if not facts.uniform or min(size) < 8 or max(size) > LARGEST_SIDE:
        size = (LARGEST_SIDE, LARGEST_SIDE)
    return {"data": {"image_size": list(size)}, "training": _training(epochs=10)}


def extraction(inputs: LessonInputs, *changes: Tree) -> ExperimentSpec:
    """Return the spec of feature extraction with changes."""
    base = {
        "data": {"image_size": [BASE_SIDE, BASE_SIDE]},
        "base": {"name": BASE, "weights": inputs.weights},
        "training": _training(epochs=10),
    }
    return _spec(inputs, "feature-extraction", HEAD, base, *changes)


def fine_tuning(inputs: LessonInputs, blocks: list[str], training: Tree) -> ExperimentSpec:
    """Return the spec of fine-tuning of these blocks of the base."""
    base = {
        "data": {"image_size": [BASE_SIDE, BASE_SIDE]},
        "base": {"name": BASE, "weights": inputs.weights, "trainable": blocks},
        "training": {**_training(epochs=5), "batch_size": 16, **training},
    }
    return _spec(inputs, "fine-tuning", HEAD, base)


def _training(epochs: int) -> Tree:
    return {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 32,
        "epochs": epochs,
        "early_stopping": 0,
        "keep": "last",
    }


def _spec(inputs: LessonInputs, preset: str, *changes: Tree) -> ExperimentSpec:
    tree = preset_tree(preset, inputs.source, inputs.facts)
    if "base" in tree:  # the chapter's way: a head that is trained, on images as they are
        tree["training"] = {}
        tree.pop("augmentation", None)
    for change in ({"data": {"split": SPLIT}}, *changes):
        tree = _merged(tree, change)
    return parse_spec(tree, "lesson")


def _merged(tree: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    """Return the tree with the keys of `change` replacing its own, table by table."""
    merged = dict(tree)
    for key, value in change.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
