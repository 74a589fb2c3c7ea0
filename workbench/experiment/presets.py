"""Named experiments: the chapter's own (`book-...`) and the variants we recommend.

A book preset has the figures of chapter 5 of "Deep Learning with Python" (first edition,
stored outputs of notebooks 5.1 to 5.3) and keeps the last epoch's weights, as the book does. A
recommended preset is fitted to the data, stops early and keeps the best epoch.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.text import one_of, safe_text

Tree = dict[str, Any]

# The first edition's shear is 0.2 radians; ImageDataGenerator counts degrees since keras #8868.
BOOK_SHEAR = round(math.degrees(0.2), 2)
BOOK_AUGMENTATION: Tree = {
    "rotation": 40.0,
    "width_shift": 0.2,
    "height_shift": 0.2,
    "shear": BOOK_SHEAR,
    "zoom": 0.2,
    "horizontal_flip": True,
}
BOOK_SPLIT: Tree = {"train": 1000, "validation": 500, "test": 500}
# Pixels; images of one size between these keep it, larger or mixed ones get the book's 150 x 150.
SMALLEST_OWN_SIZE, LARGEST_OWN_SIZE = 16, 160

DEFAULT_BASE = "vgg16"
BASE_SIZE = (160, 160)
# What fine-tuning trains first: the most specific part of each base.
TOP_BLOCKS = {
    "vgg16": ["block5"],
    "vgg19": ["block5"],
    "mobilenetv2-0.35": ["block_14", "block_15", "block_16", "top"],
    "mobilenetv2-1.0": ["block_14", "block_15", "block_16", "top"],
}

# The public cats and dogs: what presets are fitted to where there is no data yet.
BOOK_FACTS = DataFacts(
    image_size=(374, 499),
    uniform=False,
    channels=3,
    classes=2,
    images=25_000,
    smallest_class=12_500,
    user_split=False,
)


@dataclass(frozen=True)
class Preset:
    """A named experiment.

    Attributes:
        title: what it is, in a line.
        expect: what accuracy to expect and where that figure comes from.
        build: from the facts of the data to the tables of a spec (without `data.source`).
    """

    title: str
    expect: str
    build: Callable[[DataFacts], Tree]


def preset_tree(
    name: str, source: str, facts: DataFacts, base: str | None = None, weights: str | None = None
) -> Tree:
    """The tables of a preset's spec, fitted to the data.

    Args:
        base: the pretrained network instead of the preset's own; passed over by presets without.
        weights: "imagenet", "random" or a file, likewise.

    Raises:
        UserError: no such preset.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        raise UserError(
            f"There is no preset {safe_text(repr(name))}; allowed: {one_of(list(PRESETS))}.",
            f"Did you mean {close[0]}?" if close else "",
        )
    tree = PRESETS[name].build(facts)
    tree["data"] = {"source": source, **tree["data"]}
    if "base" in tree:
        chosen = {"name": base, "weights": weights}
        tree["base"] = {**tree["base"], **{k: v for k, v in chosen.items() if v is not None}}
        if tree["base"].get("trainable") == "top":
            tree["base"]["trainable"] = TOP_BLOCKS.get(tree["base"]["name"], [])
    return {"preset": name, **tree}


def _own_data(facts: DataFacts) -> Tree:
    size = facts.image_size
    if max(size) < SMALLEST_OWN_SIZE:
        size = (32, 32)
    elif not facts.uniform or max(size) > LARGEST_OWN_SIZE or min(size) < SMALLEST_OWN_SIZE:
        size = (150, 150)
    return {"image_size": list(size), "channels": facts.channels}


def _book_data(facts: DataFacts) -> Tree:
    """150 x 150 in colour, 1000/500/500 a class; the same proportions where images are fewer."""
    enough = facts.smallest_class >= sum(BOOK_SPLIT.values())
    fewer = {"train": 0.5, "validation": 0.25, "test": 0.25}
    split = BOOK_SPLIT if enough and not facts.user_split else fewer
    return {"image_size": [150, 150], "channels": 3, "split": dict(split)}


def blocks_for(side: int) -> list[int]:
    """The book's four blocks where they leave a map of 4 pixels or more, else fewer.

    Args:
        side: the shorter one of the images.
    """
    if side >= 94:
        return [32, 64, 128, 128]
    return [32, 64, 64] if side >= 28 else [32, 64]


def _own_training(epochs: int, patience: int, learning_rate: float) -> Tree:
    return {
        "optimizer": "adam",
        "learning_rate": learning_rate,
        "batch_size": 32,
        "epochs": epochs,
        "early_stopping": patience,
        "monitor": "val_loss",
        "keep": "best",
    }


def _dense(facts: DataFacts) -> Tree:
    return {
        "data": _own_data(facts),
        "model": {"strategy": "dense", "dense_units": [512], "dropout": 0.25},
        "training": _own_training(epochs=30, patience=5, learning_rate=1e-3),
    }


def _convnet(facts: DataFacts) -> Tree:
    filters = blocks_for(min(_own_data(facts)["image_size"]))
    # As in the book's network for MNIST: a third block on a small map goes without pooling.
    pooling: bool | list[bool] = [True, True, False] if len(filters) == 3 else True
    model = {"strategy": "convnet", "filters": filters, "pooling": pooling}
    return {
        "data": _own_data(facts),
        "model": {**model, "dense_units": [128], "dropout": 0.5},
        # At 1e-3 a few hundred photographs often stay at chance; at 5e-4 they are learned.
        "training": _own_training(epochs=40, patience=8, learning_rate=5e-4),
    }


def _convnet_augmented(facts: DataFacts) -> Tree:
    """Photographs are mirrored, turned and scaled; small grey drawings (digits) only moved."""
    drawing = facts.channels == 1
    augmentation = {
        "rotation": 10.0 if drawing else 20.0,
        "width_shift": 0.1,
        "height_shift": 0.1,
        "zoom": 0.1 if drawing else 0.2,
        "horizontal_flip": not drawing,
    }
    tree = _convnet(facts)
    return {**tree, "augmentation": augmentation, "training": _own_training(120, 15, 5e-4)}


def _base_data(facts: DataFacts) -> Tree:
    """160 x 160 in colour: a size that there are MobileNetV2 weights for, close to the book's."""
    return {"image_size": list(BASE_SIZE), "channels": 3}


def _feature_extraction(facts: DataFacts) -> Tree:
    return {
        "data": _base_data(facts),
        "base": {"name": DEFAULT_BASE},
        "model": {
            "strategy": "feature-extraction",
            "head": "average",
            "dense_units": [128],
            "dropout": 0.5,
        },
        "training": _own_training(epochs=40, patience=6, learning_rate=1e-3),
    }


def _feature_extraction_augmented(facts: DataFacts) -> Tree:
    tree = _feature_extraction(facts)
    augmentation = _convnet_augmented(facts)["augmentation"]
    return {**tree, "base": {**tree["base"], "views": 10}, "augmentation": augmentation}


def _fine_tuning(facts: DataFacts) -> Tree:
    tree = _feature_extraction(facts)
    training = {**_own_training(epochs=20, patience=5, learning_rate=1e-5), "head_epochs": 20}
    return {
        **tree,
        "base": {"name": DEFAULT_BASE, "trainable": "top"},
        "model": {**tree["model"], "strategy": "fine-tuning"},
        "training": training,
    }


def _book_feature_extraction(facts: DataFacts) -> Tree:
    return {
        "data": _book_data(facts),
        "base": {"name": "vgg16", "preprocessing": "rescale"},
        "model": {
            "strategy": "feature-extraction",
            "head": "flatten",
            "dense_units": [256],
            "dropout": 0.5,
        },
        "training": _book_training(2e-5, batch_size=20, epochs=30),
    }


def _book_feature_extraction_augmented(facts: DataFacts) -> Tree:
    tree = _book_feature_extraction(facts)
    return {
        **tree,
        "augmentation": dict(BOOK_AUGMENTATION),
        "model": {**tree["model"], "dropout": 0.0},
        "training": _book_training(2e-5, batch_size=20, epochs=30, steps=100),
    }


def _book_fine_tuning(facts: DataFacts) -> Tree:
    tree = _book_feature_extraction_augmented(facts)
    training = _book_training(1e-5, batch_size=20, epochs=100, steps=100)
    return {
        **tree,
        "base": {**tree["base"], "trainable": ["block5"]},
        "model": {**tree["model"], "strategy": "fine-tuning"},
        "training": {**training, "head_epochs": 30, "head_learning_rate": 2e-5},
    }


def _book_dense(facts: DataFacts) -> Tree:
    return {
        "data": {
            "image_size": [28, 28],
            "channels": 1,
            "split": {"train": 0.85, "validation": 0.0, "test": 0.15},
        },
        "model": {"strategy": "dense", "dense_units": [512], "dropout": 0.0},
        "training": _book_training(1e-3, batch_size=128, epochs=5),
    }


def _book_mnist(facts: DataFacts) -> Tree:
    return {
        **_book_dense(facts),
        "model": {
            "strategy": "convnet",
            "filters": [32, 64, 64],
            "pooling": [True, True, False],
            "dense_units": [64],
        },
        "training": _book_training(1e-3, batch_size=64, epochs=5),
    }


def _book_convnet(facts: DataFacts) -> Tree:
    return {
        "data": _book_data(facts),
        "model": {"strategy": "convnet", "filters": [32, 64, 128, 128], "dense_units": [512]},
        "training": _book_training(1e-4, batch_size=20, epochs=30, steps=100),
    }


def _book_convnet_augmented(facts: DataFacts) -> Tree:
    tree = _book_convnet(facts)
    return {
        **tree,
        "augmentation": dict(BOOK_AUGMENTATION),
        "model": {**tree["model"], "dropout": 0.5},
        "training": _book_training(1e-4, batch_size=32, epochs=100, steps=100),
    }


def _book_training(
    learning_rate: float, batch_size: int, epochs: int, steps: int | None = None
) -> Tree:
    tree: Tree = {
        "optimizer": "rmsprop",
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "epochs": epochs,
        "early_stopping": 0,
        "keep": "last",
    }
    return tree if steps is None else {**tree, "steps_per_epoch": steps}


PRESETS: dict[str, Preset] = {
    "dense": Preset(
        "dense layers alone: the baseline that a convnet has to beat",
        "no figure of the book: it is there for comparison",
        _dense,
    ),
    "convnet": Preset(
        "a convnet fitted to the image size, dropout, early stopping",
        "the book's convnet: 0.724 on 2,000 cats and dogs, 0.991 on MNIST",
        _convnet,
    ),
    "convnet-augmented": Preset(
        "the same with augmented training images, for small data",
        "the book's convnet with augmentation: 0.844 on 2,000 cats and dogs",
        _convnet_augmented,
    ),
    "feature-extraction": Preset(
        "a head on a pretrained base whose outputs are computed once",
        "over 0.97 on 2,000 cats and dogs with VGG16's own preprocessing (readers of the book)",
        _feature_extraction,
    ),
    "feature-extraction-augmented": Preset(
        "the same on ten cached views of each image",
        "about 0.90 with 1/255 and a base that really is frozen (readers of the book)",
        _feature_extraction_augmented,
    ),
    "fine-tuning": Preset(
        "the head first, then the base's upper blocks at a low learning rate",
        "the book's fine-tuning: 0.975 on 2,000 cats and dogs, test 0.968",
        _fine_tuning,
    ),
    "book-dense": Preset(
        "chapter 2's dense network for MNIST: 512 units, 5 epochs",
        "about 0.98 on MNIST's test images (chapter 2)",
        _book_dense,
    ),
    "book-mnist": Preset(
        "5.1: the first convnet, for MNIST, 5 epochs",
        "0.9913 on MNIST's test images (notebook 5.1)",
        _book_mnist,
    ),
    "book-convnet": Preset(
        "5.2: four blocks at 150x150, 30 epochs of 100 steps",
        "0.724 on validation images after 30 epochs (notebook 5.2)",
        _book_convnet,
    ),
    "book-convnet-augmented": Preset(
        "5.2: the same with augmentation and dropout, 100 epochs",
        "0.844 on validation images after 100 epochs (notebook 5.2)",
        _book_convnet_augmented,
    ),
    "book-feature-extraction": Preset(
        "5.3: Dense 256 on VGG16's cached features, 1/255",
        "0.903 on validation images after 30 epochs (notebook 5.3)",
        _book_feature_extraction,
    ),
    "book-feature-extraction-augmented": Preset(
        "5.3: the frozen base run in every epoch on augmented images",
        "the book says 0.951; readers whose base is really frozen get about 0.90",
        _book_feature_extraction_augmented,
    ),
    "book-fine-tuning": Preset(
        "5.3: block5 of VGG16 trains too, after the head",
        "0.975 on validation images after 100 epochs, test 0.968 (notebook 5.3)",
        _book_fine_tuning,
    ),
}
