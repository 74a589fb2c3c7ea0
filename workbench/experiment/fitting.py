"""A preset's own values adapt to the values that a person sets.

A preset's values fit one another and the images. When a person sets one of them, those left to the
preset are fitted again, so that a single setting is enough. What the person set is never changed;
if it does not fit, the check of the spec reports it.
"""

import math
from collections.abc import Collection, Iterable
from typing import Any

from workbench.bases.architectures import BASES, BaseInfo
from workbench.experiment.augmentation import IMAGE_CHANGES
from workbench.experiment.base_choice import default_base
from workbench.experiment.linear_probe import LAYERS, STEPS_ONLY, STREAMED
from workbench.experiment.optimizers import OPTIMIZERS, OPTION_KEYS
from workbench.experiment.presets import filters_for, pooling_for
from workbench.experiment.sections import SPLITS, SplitSpec
from workbench.experiment.stack import AVERAGE, Convolutions, StackError, convolution_stack
from workbench.experiment.training_section import FINE_TUNING_KEYS

Tree = dict[str, Any]
Given = Collection[str]

HEAD_KEYS = ("head_epochs", "head_learning_rate")
ON_BASE = ("feature-extraction", "fine-tuning")
PRETRAINED = ("linear-probe", "feature-extraction", "fine-tuning")
CONVNET_KEYS = ("filters", "kernel_size", "padding", "stride", "pooling")
DEFAULT_SPLIT = {part: SplitSpec.model_fields[part].default for part in SPLITS}


def fit_preset(preset: Tree, tree: Tree, given: Given) -> Tree:
    """Return a preset's tables, its own values fitted to the given ones.

    Args:
        preset: its own tables.
        tree: the same with the person's values.
        given: keys of these: "model.filters", "data.split.train", ...
    """
    tree = {key: dict(value) if isinstance(value, dict) else value for key, value in tree.items()}
    if not all(isinstance(tree.get(table), dict) for table in ("data", "model", "training")):
        return tree  # the check of the spec reports it
    _strategy(tree, given)
    _base(tree, given)
    _split(tree, given, {**DEFAULT_SPLIT, **preset["data"].get("split", {})})
    _without_validation(tree, given)
    _convolutions(tree, given)
    _head_start(tree, given)
    _optimizer(tree, given)
    _mixing(tree, given)
    _views(tree, given)
    return tree


def _strategy(tree: Tree, given: Given) -> None:
    """Remove what has no effect in another strategy, add what it needs."""
    model, training, strategy = tree["model"], tree["training"], tree["model"].get("strategy")
    if "model.strategy" not in given:
        return
    if strategy != "convnet":
        _drop(model, "model", CONVNET_KEYS, given)
    elif "filters" not in model and (side := _side(tree)):
        model["filters"] = filters_for(side)
    if strategy not in PRETRAINED:
        _drop(model, "model", ("head",), given)
        if not any(key.startswith("base.") for key in given):
            tree.pop("base", None)
    else:
        base = tree.setdefault("base", {})
        weights = base.get("weights")
        weights = weights if isinstance(weights, str) else None
        added = "name" not in base
        base.setdefault("name", default_base(str(tree.get("preset")), weights))
        if "data.channels" not in given:
            tree["data"]["channels"] = 3
        if added:
            _image_size(tree, given)
    if strategy == "linear-probe":
        _drop(model, "model", LAYERS, given)
        _drop(training, "training", STEPS_ONLY, given)
        _drop(tree["base"], "base", STREAMED, given)
        if not any(key.startswith("augmentation.") for key in given):
            tree.pop("augmentation", None)
    elif not any(key.startswith("probe.") for key in given):
        tree.pop("probe", None)
    if strategy != "fine-tuning":
        _drop(training, "training", FINE_TUNING_KEYS, given)
        if isinstance(tree.get("base"), dict):
            _drop(tree["base"], "base", ("trainable", "batch_norm"), given)


def _head_start(tree: Tree, given: Given) -> None:
    """Let a solved head be linear; a head that cannot be solved begins at random."""
    model, training = tree["model"], tree["training"]
    if training.get("head_start") != "solved":
        return
    other_head = model.get("dense_units") or model.get("head", AVERAGE) != AVERAGE
    trained = any(f"training.{key}" in given for key in HEAD_KEYS)
    if "training.head_start" in given:
        if "model.dense_units" not in given:
            model["dense_units"] = []
        if "model.head" not in given:
            model.pop("head", None)
        _drop(training, "training", HEAD_KEYS, given)
    elif model.get("strategy") not in ON_BASE or other_head or trained:
        del training["head_start"]


def _base(tree: Tree, given: Given) -> None:
    """Fit the size of the images, and the blocks that fine-tuning trains, to the chosen base."""
    base = tree.get("base")
    if not isinstance(base, dict):
        return
    if "base.name" in given and not str(tree.get("preset")).startswith("book-"):
        _image_size(tree, given)
    info = _info(base)
    if info and "base.trainable" not in given and tree["model"].get("strategy") == "fine-tuning":
        base["trainable"] = list(info.top)


def _image_size(tree: Tree, given: Given) -> None:
    """Give the images the size that the base is best at."""
    if (info := _info(tree["base"])) and "data.image_size" not in given:
        tree["data"]["image_size"] = list(info.recommended_size)


def _info(base: Tree) -> BaseInfo | None:
    name = base.get("name")
    return BASES.get(name) if isinstance(name, str) else None


def _split(tree: Tree, given: Given, usual: Tree) -> None:
    """Divide what the given parts leave among the others, in the preset's proportions."""
    split = tree["data"].get("split", {})
    own = [part for part in SPLITS if f"data.split.{part}" in given]
    if not own or not isinstance(split, dict):
        return
    if not all(_is_number(split[part]) and split[part] >= 0 for part in own):
        return
    left = [part for part in SPLITS if part not in own]
    counts, usual_counts = _counted(split, own), _counted(usual, SPLITS)
    fitted = {part: usual[part] for part in left}
    if counts and not usual_counts:  # counts in the same proportions
        shares = sum(usual[part] for part in own) or sum(DEFAULT_SPLIT[part] for part in own)
        total = sum(split[part] for part in own)
        fitted = {k: round(share * total / shares) for k, share in fitted.items()}
    elif not counts:
        whole = sum(usual.values()) if usual_counts else 1.0
        room = max(1.0 - sum(split[part] for part in own), 0.0)
        scale = min(1.0, room / (sum(fitted.values()) / whole)) if any(fitted.values()) else 1.0
        if usual_counts or scale < 1:
            fitted = {
                k: math.floor(1e6 * share / whole * scale + 1e-6) / 1e6
                for k, share in fitted.items()
            }
    tree["data"]["split"] = {**split, **fitted}


def _counted(split: Tree, parts: Iterable[str]) -> bool:
    """Return whether parts are images of each class, not fractions."""
    return any(isinstance(split[part], int) and split[part] > 0 for part in parts)


def _without_validation(tree: Tree, given: Given) -> None:
    """Without validation images, disable early stopping and keep the last epoch."""
    if tree["model"].get("strategy") == "linear-probe":
        return
    split, training = tree["data"].get("split", {}), tree["training"]
    share = split.get("validation") if isinstance(split, dict) else None
    if not _is_number(share) or share != 0:
        return
    if "training.early_stopping" not in given:
        training["early_stopping"] = 0
    if "training.keep" not in given:
        training["keep"] = "last"


def _convolutions(tree: Tree, given: Given) -> None:
    """Fit blocks to the image, and pooling to the blocks."""
    model, side = tree["model"], _side(tree)
    if model.get("strategy") != "convnet" or side is None:
        return
    free, pools_free = "model.filters" not in given, "model.pooling" not in given
    filters, pooling = model.get("filters"), model.get("pooling", True)
    if not _is_list(filters, int) or not (isinstance(pooling, bool) or _is_list(pooling, bool)):
        return
    if free and "data.image_size" in given and not str(tree.get("preset")).startswith("book-"):
        filters = filters_for(side)
        pooling = pooling_for(filters) if pools_free else pooling
    if free and not pools_free and isinstance(pooling, list):
        filters = (filters + filters[-1:] * len(pooling))[: len(pooling)]
    if pools_free and isinstance(pooling, list) and len(pooling) != len(filters):
        pooling = True
    if free and (pools_free or isinstance(pooling, bool)):
        while len(filters) > 1 and not _fits(tree, filters, pooling):
            filters = filters[:-1]
            pooling = pooling[:-1] if isinstance(pooling, list) else pooling
    if pools_free and not _fits(tree, filters, pooling):
        count = len(filters)
        fewer = ([True] * pooled + [False] * (count - pooled) for pooled in range(count)[::-1])
        pooling = next((one for one in fewer if _fits(tree, filters, one)), pooling)
    model["filters"] = filters
    if pools_free and ("pooling" in model or pooling is not True):
        model["pooling"] = pooling


def _optimizer(tree: Tree, given: Given) -> None:
    """Remove what has no effect with the chosen optimizer, schedule and way to unfreeze."""
    training = tree["training"]
    info = OPTIMIZERS.get(str(training.get("optimizer", "rmsprop")))
    if info and "training.optimizer" in given:
        _drop(training, "training", set(OPTION_KEYS) - set(info.options), given)
    if training.get("schedule") == "plateau":
        _drop(training, "training", ("warmup_epochs",), given)
    if training.get("unfreeze", "at once") == "at once":
        _drop(training, "training", ("unfreeze_epochs",), given)


def _mixing(tree: Tree, given: Given) -> None:
    """Without CutMix where it would have no images: above the frozen part of a base."""
    augmentation = tree.get("augmentation")
    if not {"model.strategy", "base.name", "base.trainable"} & set(given):
        return
    if isinstance(augmentation, dict) and tree["model"].get("strategy") in PRETRAINED:
        _drop(augmentation, "augmentation", ("cutmix",), given)


def _views(tree: Tree, given: Given) -> None:
    """Without augmentation, drop the views: they would all be equal."""
    base, augmentation = tree.get("base"), tree.get("augmentation", {})
    if not isinstance(base, dict) or not isinstance(augmentation, dict):
        return
    changes = [augmentation.get(key) for key in IMAGE_CHANGES]
    if "base.views" not in given and not any(changes):
        base.pop("views", None)


def _fits(tree: Tree, filters: list[int], pooling: bool | list[bool]) -> bool:
    """Return whether windows fit their maps; True also if the values are invalid."""
    model, data = tree["model"], tree["data"]
    kernel, stride = model.get("kernel_size", 3), model.get("stride", 1)
    padding, channels = model.get("padding", "valid"), data.get("channels", 3)
    if not _is_list([kernel, stride, channels], int) or padding not in ("valid", "same"):
        return True
    pools = (pooling,) * len(filters) if isinstance(pooling, bool) else tuple(pooling)
    blocks = Convolutions(tuple(filters), kernel, padding, stride, pools)
    try:
        convolution_stack((*data["image_size"], channels), blocks)
    except StackError:
        return False
    return True


def _side(tree: Tree) -> int | None:
    """Return the shorter side of the images; None if their size is invalid."""
    size = tree["data"].get("image_size")
    size = list(size) if isinstance(size, tuple) else size
    return min(size) if _is_list(size, int) and len(size) == 2 else None


def _drop(table: Tree, name: str, keys: Iterable[str], given: Given) -> None:
    for key in keys:
        if f"{name}.{key}" not in given:
            table.pop(key, None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any, kind: type) -> bool:
    """Return whether it is a non-empty list of booleans, or of whole numbers above 0."""
    if not isinstance(value, list) or not value:
        return False
    if kind is bool:
        return all(isinstance(one, bool) for one in value)
    return all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in value)
