"""What there is to say of a spec before anything runs: advice, and what it will cost, in words.

Advice tells what often goes wrong, why, and how to mend it. Nothing here forbids: each piece
carries the settings that would mend it, as `toml.apply_settings` takes them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workbench.bases.table import BaseTable
from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.estimate import Speed, StageSeconds, stage_seconds
from workbench.experiment.plan import Stage, layer_rows, plan_stages
from workbench.experiment.presets import TOP_BLOCKS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import AVERAGE
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
from workbench.text import human_bytes, human_seconds, plural, safe_text

ENOUGH_HEAD_EPOCHS = 3
LOW_LEARNING_RATE = 1e-4  # from here on the step that the base's own weights take is a large one
FEW_IMAGES = 10_000  # to train a whole base on
# benchmarks/views.py, feature extraction on two sets of photographs, test accuracy: with 1 view
# lower than without augmentation, with 3 no higher, with 10 as high as with new ones every epoch.
FEW_VIEWS, ENOUGH_VIEWS = 5, 10
LARGE_FLATTEN = 10_000_000  # parameters of the dense layer behind an unpooled map


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    Attributes:
        id: what it is about: "head-first", "upper-layers", "all-unfrozen", "learning-rate",
            "views", "pooling".
        sentence: what is odd, and why it matters.
        mend: settings such as "training.learning_rate=1e-05".
        offer: what these do, in a few words.
    """

    id: str
    sentence: str
    mend: tuple[str, ...]
    offer: str


def advise(spec: ExperimentSpec, images: Mapping[str, int], classes: int = 2) -> tuple[Advice, ...]:
    """Everything there is to say of a spec, the weightiest first.

    Args:
        images: by "train" and "validation", about.
        classes: number of labels.
    """
    if spec.model.strategy == "convnet":
        found = [_pooling(spec, classes)]
    elif spec.model.strategy == "fine-tuning":
        found = [*(rule(spec, images["train"]) for rule in _RULES), _views(spec)]
    else:
        found = [_views(spec)]
    return tuple(advice for advice in found if advice)


def setting(key: str, value: object) -> str:
    """KEY=VALUE as `toml.apply_settings` reads it.

    Args:
        value: a number, true or false, text, or a list of them.
    """
    return f"{key}={json.dumps(value)}"


def top_blocks(table: BaseTable) -> list[str]:
    """The blocks that fine-tuning trains first: the most specific part of a base."""
    return list(TOP_BLOCKS.get(table.name, table.blocks[-1:]))


def trainable_names(table: BaseTable, layers: set[str], batch_norm: str) -> list[str]:
    """A value for `base.trainable`: whole blocks by their names, else single layers, in order.

    Args:
        layers: names of the layers that are to train; those that never do are passed over.
        batch_norm: "frozen" or "adapt", as in the spec.
    """
    names: list[str] = []
    for block in table.blocks:
        able = trainable_layers(table, block, batch_norm)
        chosen = [name for name in able if name in layers]
        names += [block] if chosen and chosen == able else chosen
    return names


def trainable_layers(table: BaseTable, block: str, batch_norm: str) -> list[str]:
    """Names of a block's layers that train where the block does."""
    return [
        layer.name
        for layer in table.block_layers(block)
        if layer.parameters and (batch_norm == "adapt" or layer.kind != "batch normalization")
    ]


def toggled(spec: ExperimentSpec, key: str) -> set[str]:
    """Names of the base's layers that would train after one was toggled.

    Args:
        key: "block NAME" or "layer NAME". A block is switched off where all of it trains, else on.
    """
    assert spec.base is not None
    table, batch_norm = spec.base_table, spec.base.batch_norm
    trained = set(spec.base.trained_layers(table))
    kind, _, name = key.partition(" ")
    names = {name} if kind == "layer" else set(trainable_layers(table, name, batch_norm))
    return trained - names if names <= trained else trained | names


@dataclass(frozen=True)
class Forecast:
    """What a draft comes to.

    Attributes:
        cost: of the stage that is shown.
        prefix: what lies below all that trains, "" where the network has no base.
        seconds: time and memory, in words.
    """

    cost: StageCost
    plan: tuple[Stage, ...]
    prefix: str
    seconds: str


def forecast(
    spec: ExperimentSpec,
    classes: int,
    images: Mapping[str, int],
    speed: Speed | None,
    index: int | None = None,
) -> Forecast:
    """What a draft comes to, in words.

    Args:
        images: by "train" and "validation".
        speed: of the device, None where it was not measured.
        index: of the stage that is looked at; None for the last.
    """
    costs = stage_costs(spec, classes)
    cost = costs[-1 if index is None else min(index, len(costs) - 1)]
    took = [stage_seconds(one, images, speed) for one in costs] if speed else []
    here = took[cost.stage.index] if took else None
    memory = f"memory from {human_bytes(cost.memory_bytes)}"
    if here is None:
        seconds = f"{memory}; how long is told once the machine check has measured this machine"
    else:
        epoch = f"{human_seconds(here.epoch)} an epoch"
        if speed and cost.stage.cached:
            epoch += f" ({human_seconds(_streamed(spec, classes, images, speed, cost))} without"
            epoch += " the prefix)"
        total = human_seconds(sum(one.total for one in took))
        seconds = f"about {epoch}, {total} in all; {memory}"
    plan = tuple(one.stage for one in costs)
    return Forecast(cost, plan, _prefix(spec, cost, images, here) if spec.base else "", seconds)


def prefix_in_words(
    table: BaseTable | None, cut: str | None, cached: bool, past: bool = False, told: str = ""
) -> str:
    """What lies below all that trains, and how often it runs.

    Args:
        table: None where the base is not known; then the cut itself is named.
        cut: the layer that ends the prefix; None without one.
        told: what caching it takes, ": about 4 min".
        past: of a stage that ran.
    """
    if cut is None:
        return "none: every layer runs in every epoch"
    what = f"everything up to {safe_text(cut, 40)}" if table is None else _part_in_words(table, cut)
    run = "ran" if past else "run" if "-" in what else "runs"
    if cached:
        return f"{what} {run} once{told}, then never again"
    return f"{what} {run} in every epoch"


def _streamed(
    spec: ExperimentSpec, classes: int, images: Mapping[str, int], speed: Speed, cost: StageCost
) -> float:
    """Seconds of an epoch that runs the prefix, too."""
    settings = (setting("base.prefix", "streamed"),)
    other = parse_spec(apply_settings(spec_tree(spec), settings), "")
    streamed = stage_costs(other, classes)[cost.stage.index]
    return stage_seconds(streamed, images, speed).epoch


def _prefix(
    spec: ExperimentSpec, cost: StageCost, images: Mapping[str, int], took: StageSeconds | None
) -> str:
    stage = cost.stage
    told = ""
    if stage.cached:
        views = f" in each of {plural(stage.views_made, 'view')}" if stage.views else ""
        time = f"about {human_seconds(took.prefix)}, " if took else ""
        told = f"{views}: {time}{human_bytes(cost.kept_bytes(images))} on disk"
    words = prefix_in_words(spec.base_table, stage.prefix, stage.cached, told=told)
    if stage.prefix and not stage.cached and stage.augmented:
        some = f"base.views = {ENOUGH_VIEWS} would keep some"
        words += f": augmented images are new each time ({some})"
    return words


def _part_in_words(table: BaseTable, cut: str) -> str:
    """The blocks up to a cut: the whole base, block1-block4, or the layer where none ends there."""
    if cut in (table.layers[-1].name, AVERAGE):
        return "the whole base"
    if all(cut != layer.name for layer in table.layers):
        return f"everything up to {safe_text(cut, 40)}"
    block = table.layer(cut).block
    if table.block_layers(block)[-1].name != cut:
        return f"everything up to {cut}"
    return block if block == table.blocks[0] else f"{table.blocks[0]}-{block}"


def _head_first(spec: ExperimentSpec, train: int) -> Advice | None:
    epochs = spec.training.head_epochs
    if epochs >= ENOUGH_HEAD_EPOCHS:
        return None
    count = f"{epochs} epoch{'s' if epochs > 1 else ''}"
    return Advice(
        "head-first",
        f"The head has only {count} to itself: while it is still close to random, its large "
        "errors go down into the layers you unfreeze and undo what they have learned.",
        (setting("training.head_epochs", 10),),
        "10 epochs for the head first",
    )


def _upper_layers(spec: ExperimentSpec, train: int) -> Advice | None:
    """Where a layer trains below one that stays frozen."""
    assert spec.base is not None
    table, batch_norm = spec.base_table, spec.base.batch_norm
    trained = set(spec.base.trained_layers(table))
    able = [name for block in table.blocks for name in trainable_layers(table, block, batch_norm)]
    lowest = next((i for i, name in enumerate(able) if name in trained), len(able))
    frozen_above = [name for name in able[lowest:] if name not in trained]
    if not frozen_above:
        return None
    names = trainable_names(table, set(able[lowest:]), batch_norm)
    return Advice(
        "upper-layers",
        f"{able[lowest]} trains while {frozen_above[-1]} above it stays frozen: the upper layers "
        "are the ones made for other labels, the lower ones see edges and textures that serve "
        "every picture.",
        (setting("base.trainable", names),),
        f"train all from {able[lowest]} up",
    )


def _all_unfrozen(spec: ExperimentSpec, train: int) -> Advice | None:
    assert spec.base is not None
    table, batch_norm = spec.base_table, spec.base.batch_norm
    able = {name for block in table.blocks for name in trainable_layers(table, block, batch_norm)}
    if train >= FEW_IMAGES or not able <= set(spec.base.trained_layers(table)):
        return None
    blocks = top_blocks(table)
    return Advice(
        "all-unfrozen",
        f"The whole base trains on about {train:,} images: so many parameters learn so few "
        "images by heart, and nothing is left that could be computed once.",
        (setting("base.trainable", blocks),),
        f"train {', '.join(blocks)} only",
    )


def _learning_rate(spec: ExperimentSpec, train: int) -> Advice | None:
    rate = spec.training.learning_rate
    if rate <= LOW_LEARNING_RATE:
        return None
    return Advice(
        "learning-rate",
        f"A learning rate of {rate:g} is high for layers that have learned already: large steps "
        "undo in a few batches what made them worth keeping.",
        (setting("training.learning_rate", 1e-5),),
        "learning rate 1e-05",
    )


def _views(spec: ExperimentSpec) -> Advice | None:
    """Where augmentation shows too few looks at an image to help."""
    stages = [s for s in plan_stages(spec) if s.cached and 0 < s.views < min(FEW_VIEWS, s.epochs)]
    if not stages:
        return None
    return Advice(
        "views",
        f"Each image has only {plural(stages[0].views, 'augmented view')}, which the head soon "
        "knows by heart: so few were no better than no augmentation on two sets of photographs; "
        f"{ENOUGH_VIEWS} were as good as new ones in every epoch.",
        (setting("base.views", ENOUGH_VIEWS),),
        f"{ENOUGH_VIEWS} views of each image",
    )


def _pooling(spec: ExperimentSpec, classes: int) -> Advice | None:
    """Where a map that was not pooled makes one dense layer hold nearly all there is."""
    rows = layer_rows(spec, classes)
    dense = next((row for row in rows if row.kind == "dense"), None)
    flat = next((row for row in rows if row.kind == "flatten"), None)
    if spec.model.pooling is True or not dense or not flat or dense.parameters < LARGE_FLATTEN:
        return None
    share = dense.parameters / sum(row.parameters for row in rows)
    return Advice(
        "pooling",
        f"{dense.name} holds {share:.0%} of all parameters, for {flat.output_shape[0]:,} numbers "
        "reach it: pooling halves each side of the map, and so takes three quarters of them away.",
        (setting("model.pooling", True),),
        "pooling after every block",
    )


_RULES: tuple[Callable[[ExperimentSpec, int], Advice | None], ...] = (
    _head_first,
    _all_unfrozen,
    _upper_layers,
    _learning_rate,
)
