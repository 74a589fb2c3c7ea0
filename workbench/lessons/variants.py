"""The networks that an experiment trains, as specs: presets cut down to seconds.

Each spec is whole: `workbench learn NAME --specs DIR` writes it, `workbench train` takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.bases.catalogue import base_table
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec

Tree = dict[str, Any]

LARGEST_SIDE = 64  # pixels; larger images are shrunk to this
LEAST_POOLED_SIDE = 28  # pixels from which there are three blocks of convolutions
BASE_SIDE = 64
BASE = "mobilenetv2-0.35"
LOWER_BLOCKS = ["stem", "block_0", "block_1", "block_2", "block_3"]
UPPER_BLOCKS = ["block_14", "block_15", "block_16", "top"]
SPLIT = {"train": 0.5, "validation": 0.2, "test": 0.3}
LEAST_PER_CLASS = 5
SIZES = (50, 100, 200, 400, 800)  # training images in all
NO_STEP = 1e-12  # a learning rate at which float32 weights stay what they are


@dataclass(frozen=True)
class Variant:
    """One of the networks that an experiment holds against each other.

    Attributes:
        per_class: training images of each class; the others of the training part are not used.
    """

    name: str
    spec: ExperimentSpec
    per_class: int


@dataclass(frozen=True)
class Setting:
    """What an experiment is made for.

    Attributes:
        source: path of the images.
        weights: of the base: "imagenet", "random" or a file.
    """

    source: str
    facts: DataFacts
    weights: str = "imagenet"

    def per_class(self, images: int) -> int:
        """Training images of each class where there are to be so many in all."""
        return max(images // self.facts.classes, LEAST_PER_CLASS)


def translation(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(1000)
    measured = {"training": {"epochs": 15}, "evaluation": {"shift": 3}}
    return (
        Variant("dense", _dense(setting, measured), few),
        Variant("convnet", _convnet(setting, measured), few),
    )


def borders(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(1000)
    changes: dict[str, Tree] = {
        "valid": {"padding": "valid"},
        "same": {"padding": "same"},
        "same, stride 2": {"padding": "same", "stride": 2, "pooling": False},
    }
    return tuple(
        Variant(name, _convnet(setting, {"model": model, "training": {"epochs": 8}}), few)
        for name, model in changes.items()
    )


def pooling(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(1000)
    without = {"model": {"pooling": False}}
    return (
        Variant("pooling", _convnet(setting, {}), few),
        Variant("no pooling", _convnet(setting, without), few),
    )


def overfitting(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(200)
    long: Tree = {"training": {"epochs": 25, "batch_size": 16}}
    augmented = {
        "augmentation": preset_tree("convnet-augmented", "-", setting.facts)["augmentation"]
    }
    dropout: Tree = {"model": {"dropout": 0.5}}
    changes: dict[str, list[Tree]] = {
        "none": [],
        "dropout": [dropout],
        "augmentation": [augmented],
        "both": [dropout, augmented],
    }
    return tuple(
        Variant(name, _convnet(setting, long, *parts), few) for name, parts in changes.items()
    )


def how_much_data(setting: Setting) -> tuple[Variant, ...]:
    """As many steps for each, so that only the number of different images differs.

    Raises:
        UserError: there are too few images for two sizes.
    """
    available = _trainable_per_class(setting.facts)
    sizes = {setting.per_class(images) for images in SIZES}
    fitting = sorted(size for size in sizes if size <= available)
    if len(fitting) < 2:
        raise UserError(
            f"About {available} training images a class are too few to take parts of.",
            "Give more images with --data, or leave it out for the digits.",
        )
    spec = _convnet(setting, {"training": {"epochs": 12, "steps_per_epoch": 30}})
    return tuple(Variant(f"{size} a class", spec, size) for size in fitting)


def recompile(setting: Setting) -> tuple[Variant, ...]:
    tiny: Tree = {"model": {"filters": [4], "pooling": True, "dense_units": [8]}}
    return (Variant("network", _convnet(setting, tiny), setting.per_class(50)),)


def head_first(setting: Setting) -> tuple[Variant, ...]:
    """The blocks train for as many epochs in both; at once, the head has no others."""
    few = setting.per_class(200)
    blocks = {"learning_rate": 1e-5, "epochs": 5}
    first = {**blocks, "head_epochs": 8, "head_learning_rate": 1e-3}
    at_once = {**blocks, "head_epochs": 1, "head_learning_rate": NO_STEP}
    return (
        Variant("head first", _fine_tuning(setting, UPPER_BLOCKS, first), few),
        Variant("at once", _fine_tuning(setting, UPPER_BLOCKS, at_once), few),
    )


def depth(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(200)
    training = {"epochs": 3, "head_epochs": 8, "learning_rate": 1e-4}
    chosen = {"head alone": [], "upper blocks": UPPER_BLOCKS, "lower blocks": LOWER_BLOCKS}
    everything = {"everything": _all_blocks()}
    return tuple(
        Variant(name, _on_base(setting, blocks, training), few)
        for name, blocks in {**chosen, **everything}.items()
    )


def preprocessing(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(500)
    return tuple(
        Variant(name, _extraction(setting, {"base": {"preprocessing": way}}), few)
        for name, way in (("own", "own"), ("1/255", "rescale"))
    )


def two_ways(setting: Setting) -> tuple[Variant, ...]:
    few = setting.per_class(500)
    return tuple(
        Variant(way, _extraction(setting, {"base": {"prefix": way}}), few)
        for way in ("cached", "streamed")
    )


def _all_blocks() -> list[str]:
    return list(base_table(BASE, (BASE_SIDE, BASE_SIDE)).blocks)


def _trainable_per_class(facts: DataFacts) -> int:
    own = facts.split_images.get("train", 0)
    if facts.user_split and own:
        kept = 1.0 if facts.split_images.get("validation") else 1 - SPLIT["validation"]
        return int(own * kept) // facts.classes
    return int(facts.smallest_class * SPLIT["train"])


def _dense(setting: Setting, *changes: Tree) -> ExperimentSpec:
    model = {"dense_units": [128], "dropout": 0.0}
    return _spec(setting, "dense", _small(setting), {"model": model}, *changes)


def _convnet(setting: Setting, *changes: Tree) -> ExperimentSpec:
    deep = min(_small(setting)["data"]["image_size"]) >= LEAST_POOLED_SIDE
    model = {
        "filters": [16, 32, 32] if deep else [16, 32],
        "pooling": [True, True, False] if deep else [True, False],
        "dense_units": [64],
        "dropout": 0.0,
    }
    return _spec(setting, "convnet", _small(setting), {"model": model}, *changes)


def _small(setting: Setting) -> Tree:
    """Small images at their own size, others shrunk; the last epoch's weights are kept."""
    size, facts = setting.facts.image_size, setting.facts
    if not facts.uniform or min(size) < 8 or max(size) > LARGEST_SIDE:
        size = (LARGEST_SIDE, LARGEST_SIDE)
    return {"data": {"image_size": list(size)}, "training": _training(epochs=10)}


def _extraction(setting: Setting, *changes: Tree) -> ExperimentSpec:
    base = {
        "data": {"image_size": [BASE_SIDE, BASE_SIDE]},
        "base": {"name": BASE, "weights": setting.weights},
        "training": _training(epochs=10),
    }
    return _spec(setting, "feature-extraction", base, *changes)


def _fine_tuning(setting: Setting, blocks: list[str], training: Tree) -> ExperimentSpec:
    base = {
        "data": {"image_size": [BASE_SIDE, BASE_SIDE]},
        "base": {"name": BASE, "weights": setting.weights, "trainable": blocks},
        "training": {**_training(epochs=5), "batch_size": 16, **training},
    }
    return _spec(setting, "fine-tuning", base)


def _on_base(setting: Setting, blocks: list[str], training: Tree) -> ExperimentSpec:
    """Fine-tuning of the blocks; without any, feature extraction for as many epochs."""
    if blocks:
        return _fine_tuning(setting, blocks, training)
    epochs = training["head_epochs"] + training["epochs"]
    return _extraction(setting, {"training": {"epochs": epochs, "batch_size": 16}})


def _training(epochs: int) -> Tree:
    return {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "batch_size": 32,
        "epochs": epochs,
        "early_stopping": 0,
        "keep": "last",
    }


def _spec(setting: Setting, preset: str, *changes: Tree) -> ExperimentSpec:
    tree = preset_tree(preset, setting.source, setting.facts)
    for change in ({"data": {"split": SPLIT}}, *changes):
        tree = _merged(tree, change)
    return parse_spec(tree, "learn")


def _merged(tree: Mapping[str, Any], change: Mapping[str, Any]) -> Tree:
    """The tree with the keys of `change` in place of its own, table by table."""
    merged = dict(tree)
    for key, value in change.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
