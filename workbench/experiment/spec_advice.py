"""Advice on a spec before anything runs, and its cost as text.

Advice states what often goes wrong, why, and how to fix it. It never forbids: each piece has the
settings that would fix it, as `toml.apply_settings` takes them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from workbench.bases.kinds import BATCH_NORM
from workbench.bases.table import BaseTable
from workbench.bases.weights import RANDOM
from workbench.experiment.advice import SpecAdvice, format_setting
from workbench.experiment.estimate import Forecast, stage_seconds
from workbench.experiment.plan import layer_rows, plan_stages
from workbench.experiment.recipe_advice import advise_recipe
from workbench.experiment.several_devices import advise_devices
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import AVERAGE
from workbench.messages import tr
from workbench.text import format_bytes, format_seconds, percent, plural, safe_text

ENOUGH_HEAD_EPOCHS = 3
LOW_LEARNING_RATE = 1e-4  # above it, the base's own weights take large steps
WARM_LEARNING_RATE = 3e-4  # the same after a warm-up, above a solved head
FEW_IMAGES = 10_000  # to train a whole base on
# benchmarks/views.py, feature extraction on two sets of photographs, test accuracy: with 1 view
# lower than without augmentation, with 3 no higher, with 10 as high as with new views every epoch.
FEW_VIEWS, ENOUGH_VIEWS = 5, 10
# Points of accuracy that fine-tuning added to a linear probe, with half its 95 % interval: five
# splits of two sets, 360 training images each, MobileNetV2 0.35 (benchmarks/quality.py).
FINE_TUNING_GAIN = (0.6, 1.2)
MANY_PHOTOGRAPHS = 1000  # training images from which fine-tuning is suggested
LARGE_FLATTEN = 10_000_000  # parameters of the dense layer above an unpooled map


def advise(
    spec: ExperimentSpec, images: Mapping[str, int], classes: int = 2
) -> tuple[SpecAdvice, ...]:
    """Return all advice on a spec, the most important first.

    Args:
        spec: the experiment.
        images: by "train" and "validation", approximately.
        classes: number of labels.
    """
    if spec.model.strategy == "convnet":
        found = [_pooling(spec, classes)]
    elif spec.model.strategy == "fine-tuning":
        found = [*(rule(spec, images["train"]) for rule in _RULES), _views(spec)]
    else:
        found = [_views(spec)]
    found += [*advise_recipe(spec, images["train"]), advise_devices(spec, classes)]
    if spec.model.strategy == "fine-tuning":
        found.append(_few_photographs(spec, images["train"]))
    return tuple(advice for advice in found if advice)


def trainable_names(table: BaseTable, layers: set[str], batch_norm: str) -> list[str]:
    """Return a value for `base.trainable`: whole blocks by their names, else single layers.

    Args:
        table: of the base.
        layers: names of the layers to train; those without weights are ignored.
        batch_norm: "frozen" or "adapt", as in the spec.
    """
    names: list[str] = []
    for block in table.blocks:
        able = trainable_layers(table, block, batch_norm)
        chosen = [name for name in able if name in layers]
        names += [block] if chosen and chosen == able else chosen
    return names


def trainable_layers(table: BaseTable, block: str, batch_norm: str) -> list[str]:
    """Return the names of a block's layers that train if the block does."""
    return [
        layer.name
        for layer in table.block_layers(block)
        if layer.parameters and (batch_norm == "adapt" or layer.kind != BATCH_NORM)
    ]


def toggle_layers(spec: ExperimentSpec, key: str) -> set[str]:
    """Return the names of the base's layers that train after a toggle.

    Args:
        spec: the experiment.
        key: "block NAME" or "layer NAME". A block is turned off if all of it trains, else on.
    """
    assert spec.base is not None
    table, batch_norm = spec.base_table, spec.base.batch_norm
    trained = set(spec.base.trained_layers(table))
    kind, _, name = key.partition(" ")
    names = {name} if kind == "layer" else set(trainable_layers(table, name, batch_norm))
    return trained - names if names <= trained else trained | names


def describe_cost(forecast: Forecast, index: int) -> str:
    """Return time and memory of a stage, and the time of the whole plan."""
    cost = forecast.costs[index]
    memory = tr("memory from {memory_bytes}", memory_bytes=format_bytes(cost.memory_bytes))
    memory += tr(" on each of {count} devices", count=cost.devices) if cost.devices > 1 else ""
    if forecast.speed is None:
        return tr(
            "{memory}; time is shown once the machine check has measured this machine",
            memory=memory,
        )
    seconds = format_seconds(forecast.seconds[index].epoch)
    epoch = tr("{epoch} an epoch", epoch=seconds)
    if cost.stage.is_solved:
        epoch = tr("{seconds} to solve it", seconds=seconds)
    elif cost.stage.cached:
        streamed = replace(cost, stage=replace(cost.stage, cached=False))
        uncached = stage_seconds(streamed, forecast.images, forecast.speed).epoch
        epoch += " " + tr("({seconds} if not cached)", seconds=format_seconds(uncached))
    total = format_seconds(sum(one.total for one in forecast.seconds))
    return tr("about {epoch}, {total} in all; {memory}", epoch=epoch, total=total, memory=memory)


def describe_prefix_cost(spec: ExperimentSpec, forecast: Forecast, index: int) -> str:
    """Return the frozen prefix of a stage and what it costs, as text; "" without a base."""
    if spec.base is None:
        return ""
    cost = forecast.costs[index]
    stage, price = cost.stage, ""
    if stage.cached:
        views = (
            " " + tr("in each of {views}", views=plural(stage.views_made, "view"))
            if stage.views
            else ""
        )
        seconds = forecast.seconds[index].prefix if forecast.seconds else None
        size = format_bytes(cost.kept_bytes(forecast.images))
        price = tr("{views}: {kept_bytes} on disk", views=views, kept_bytes=size)
        if seconds is not None:
            price = tr(
                "{views}: about {time}, {kept_bytes} on disk",
                views=views,
                time=format_seconds(seconds),
                kept_bytes=size,
            )
    text = describe_prefix(spec.base_table, stage.prefix, stage.cached, cost=price)
    if stage.prefix and not stage.cached and stage.augmented:
        some = tr("base.views = {enough_views} would keep some", enough_views=ENOUGH_VIEWS)
        text += tr(": augmented images are new each time ({some})", some=some)
    return text


def describe_prefix(
    table: BaseTable | None, cut: str | None, cached: bool, past: bool = False, cost: str = ""
) -> str:
    """Return the frozen prefix and how often it runs, as text.

    Args:
        table: None if the base is unknown; then the cut itself is named.
        cut: the layer that ends the prefix; None without a prefix.
        cached: whether its outputs are cached.
        past: True for a stage that ran.
        cost: of caching, ": about 4 min".
    """
    if cut is None:
        return tr("none: every layer runs in every epoch")
    what = (
        tr("everything up to {cut}", cut=safe_text(cut, 40))
        if table is None
        else _describe_part(table, cut)
    )
    several = table is not None and _is_range(table, cut)
    if cached:
        if past:
            return tr("{what} ran once{cost}, then never again", what=what, cost=cost)
        if several:
            return tr("{what} run once{cost}, then never again", what=what, cost=cost)
        return tr("{what} runs once{cost}, then never again", what=what, cost=cost)
    if past:
        return tr("{what} ran in every epoch", what=what)
    if several:
        return tr("{what} run in every epoch", what=what)
    return tr("{what} runs in every epoch", what=what)


def _describe_part(table: BaseTable, cut: str) -> str:
    """Return the blocks up to a cut: the whole base, block1-block4, or the layer."""
    if cut in (table.layers[-1].name, AVERAGE):
        return tr("the whole base")
    if not _ends_block(table, cut):
        return tr("everything up to {cut}", cut=safe_text(cut, 40))
    block = table.layer(cut).block
    if _is_range(table, cut):
        return tr("{first}-{last}", first=table.blocks[0], last=block)
    return block


def _ends_block(table: BaseTable, cut: str) -> bool:
    if all(cut != layer.name for layer in table.layers):
        return False
    return table.block_layers(table.layer(cut).block)[-1].name == cut


def _is_range(table: BaseTable, cut: str) -> bool:
    """Return whether the part up to a cut is named as several blocks."""
    if cut in (table.layers[-1].name, AVERAGE) or not _ends_block(table, cut):
        return False
    return table.layer(cut).block != table.blocks[0]


def _head_first(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    epochs = spec.training.head_epochs
    if epochs >= ENOUGH_HEAD_EPOCHS:
        return None
    count = plural(epochs, "epoch")
    return SpecAdvice(
        "head-first",
        tr(
            "The head trains for only {count} first: while it is still close to "
            "random, its large errors go down into the layers you unfreeze and "
            "destroy what they have learned.",
            count=count,
        ),
        (format_setting("training.head_epochs", 10),),
        tr("10 epochs for the head first"),
    )


def _upper_layers(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    """Warn of a layer that trains below a frozen one."""
    assert spec.base is not None
    table, batch_norm = spec.base_table, spec.base.batch_norm
    trained = set(spec.base.trained_layers(table))
    able = [name for block in table.blocks for name in trainable_layers(table, block, batch_norm)]
    lowest = next((i for i, name in enumerate(able) if name in trained), len(able))
    frozen_above = [name for name in able[lowest:] if name not in trained]
    if not frozen_above:
        return None
    names = trainable_names(table, set(able[lowest:]), batch_norm)
    return SpecAdvice(
        "upper-layers",
        tr(
            "{able} trains while {frozen_above} above it stays frozen: the "
            "upper layers are the ones made for other labels; the lower ones "
            "find edges and textures that are useful for every picture.",
            able=able[lowest],
            frozen_above=frozen_above[-1],
        ),
        (format_setting("base.trainable", names),),
        tr("train all from {able} up", able=able[lowest]),
    )


def _all_unfrozen(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    assert spec.base is not None
    table, batch_norm = spec.base_table, spec.base.batch_norm
    able = {name for block in table.blocks for name in trainable_layers(table, block, batch_norm)}
    if train >= FEW_IMAGES or not able <= set(spec.base.trained_layers(table)):
        return None
    blocks = list(table.top_blocks)
    return SpecAdvice(
        "all-unfrozen",
        tr(
            "The whole base trains on about {train:,} images: so many "
            "parameters memorize so few images, and no part of the network can "
            "be computed once.",
            train=train,
        ),
        (format_setting("base.trainable", blocks),),
        tr("train {blocks} only", blocks=", ".join(blocks)),
    )


def _learning_rate(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    rate = spec.training.learning_rate
    # The uppermost block has layer_decay of it; plain gradients are small, so sgd needs more.
    highest = rate * spec.training.layer_decay
    gentle = spec.training.warmup_epochs and spec.training.head_start == "solved"
    if (
        highest <= (WARM_LEARNING_RATE if gentle else LOW_LEARNING_RATE)
        or spec.training.optimizer == "sgd"
    ):
        return None
    return SpecAdvice(
        "learning-rate",
        tr(
            "A learning rate of {rate:g} is high for pretrained layers: large "
            "steps destroy in a few batches what they have learned.",
            rate=rate,
        ),
        (format_setting("training.learning_rate", 1e-5),),
        tr("learning rate 1e-05"),
    )


def _views(spec: ExperimentSpec) -> SpecAdvice | None:
    """Warn of too few augmented views of an image to help."""
    stages = [s for s in plan_stages(spec) if s.cached and 0 < s.views < min(FEW_VIEWS, s.epochs)]
    if not stages:
        return None
    return SpecAdvice(
        "views",
        tr(
            "Each image has only {augmented_views}, which the head soon "
            "memorizes: so few were no better than no augmentation on two sets "
            "of photographs; {enough_views} were as good as new ones in every "
            "epoch.",
            augmented_views=plural(stages[0].views, "augmented view"),
            enough_views=ENOUGH_VIEWS,
        ),
        (format_setting("base.views", ENOUGH_VIEWS),),
        tr("{enough_views} views of each image", enough_views=ENOUGH_VIEWS),
    )


def _pooling(spec: ExperimentSpec, classes: int) -> SpecAdvice | None:
    """Warn of a dense layer with nearly all parameters, above a map without pooling."""
    rows = layer_rows(spec, classes)
    dense = next((row for row in rows if row.kind == "dense"), None)
    flat = next((row for row in rows if row.kind == "flatten"), None)
    if spec.model.pooling is True or not dense or not flat or dense.parameters < LARGE_FLATTEN:
        return None
    share = dense.parameters / sum(row.parameters for row in rows)
    return SpecAdvice(
        "pooling",
        tr(
            "{dense_name} holds {share} of all parameters, because "
            "{output_shape:,} numbers reach it: pooling halves each side of the "
            "map and removes three quarters of them.",
            dense_name=dense.name,
            share=percent(share),
            output_shape=flat.output_shape[0],
        ),
        (format_setting("model.pooling", True),),
        tr("pooling after every block"),
    )


def _few_photographs(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    assert spec.base is not None
    if train >= MANY_PHOTOGRAPHS or spec.base.weights == RANDOM:
        return None
    gain, spread = FINE_TUNING_GAIN
    return SpecAdvice(
        "few-photographs",
        tr(
            "With {few}, fine-tuning is hardly worth its time, unless the base does not know such "
            "images: it added {gain:.1f} points (+- {spread:.1f}) to a linear probe of 360 "
            "photographs.",
            few=plural(train, "training image"),
            gain=gain,
            spread=spread,
        ),
    )


_RULES: tuple[Callable[[ExperimentSpec, int], SpecAdvice | None], ...] = (
    _head_first,
    _all_unfrozen,
    _upper_layers,
    _learning_rate,
)
