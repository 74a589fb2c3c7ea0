"""The plan: an experiment as a list of stages. One trainer runs any stage."""

import math
from dataclasses import dataclass, replace

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import (
    AVERAGE,
    LayerRow,
    head_stack,
    network_stack,
    probe_stack,
)
from workbench.experiment.stage_titles import HEAD_FIRST

TRAIN, SOLVE = "train", "solve"  # kinds of stages: by steps, or a linear classifier at once


@dataclass(frozen=True)
class Stage:
    """A part of training with one set of trainable layers, one optimizer and one compile.

    Attributes:
        index: position in the plan, from 0; part of every seed.
        trainable: names of the layers whose weights may move; None means all of them.
        prefix: the layer whose output cuts the network below all that trains; the outputs below
            cannot change and need to be computed only once. None without such a part.
        cached: True if the prefix's outputs are cached on disk, False if they are computed in
            every epoch.
        augmented: True if training images are augmented.
        views: augmented and cached: number of augmented views of each image.
        optimizer_slots: numbers that the optimizer keeps for each trained weight.
        warmup_epochs: in which the learning rate rises, at its start.
        mixup: alpha of the Beta distribution that blends pairs of a batch; 0 for never.
        cutmix: the same for pasting; 0 above a prefix, whose features are no images.
        kind: "train" or "solve"; of one that is solved, the fields from `optimizer` to `keep` have
            no meaning.
        mirrored: True if mirror images pass a cached prefix too.
        fits_validation: True if validation images are fitted too, since nothing is chosen by them.
        folds: of cross-validation, where the stage is solved.
        rates_start: True if the weights at its start compete for the best epoch, as epoch 0.
        steps_per_epoch: None if an epoch is each image once.
        early_stopping: epochs without improvement after which the stage ends; 0 for never.
        keep: whose weights the stage ends with, "best" or "last" epoch.
    """

    index: int
    name: str
    trainable: tuple[str, ...] | None
    augmented: bool
    optimizer: str
    learning_rate: float
    schedule: str
    epochs: int
    steps_per_epoch: int | None
    early_stopping: int
    monitor: str
    keep: str
    prefix: str | None = None
    cached: bool = False
    views: int = 0
    optimizer_slots: int = 0
    warmup_epochs: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    kind: str = TRAIN
    mirrored: bool = False
    fits_validation: bool = False
    folds: int = 0
    rates_start: bool = False

    @property
    def views_made(self) -> int:
        """Passes of each training image through a cached prefix: views are made when needed."""
        return max(min(self.views, self.epochs), 1)

    @property
    def passes(self) -> frozenset[tuple[str, str]]:
        """What passes a cached prefix: splits, and in which view all images of each."""
        views = range(1, self.views_made + 1) if self.views else ()
        passed = {("train", f"view {number}") for number in views} or {("train", "")}
        if self.fits_validation or not self.is_solved:
            passed.add(("validation", ""))
        if self.mirrored:
            passed |= {(split, "mirrored") for split, _ in passed}
        return frozenset(passed)

    @property
    def is_solved(self) -> bool:
        """True if it takes no steps."""
        return self.kind == SOLVE

    def trains(self, layer: str) -> bool:
        """Return whether a layer's weights may move."""
        return self.trainable is None or layer in self.trainable


def steps_per_epoch(count: int, batch_size: int, steps: int | None) -> int:
    """Return the steps of an epoch: `steps` if given, else as many as visit each image once."""
    return math.ceil(count / batch_size) if steps is None else steps


def plan_stages(spec: ExperimentSpec) -> tuple[Stage, ...]:
    """Return the stages of an experiment, in order.

    dense, convnet: everything trains. linear probe: one layer is solved on the frozen base. feature
    extraction: a head trains on the frozen base. fine-tuning: first only the head, then the head
    and the chosen blocks: an untrained head would send large errors into what the base has learned.
    Gradual: one stage more for each block of these, from the top down (Howard and Ruder, arXiv
    1801.06146); only the last has all `epochs`.
    """
    training = spec.training
    if spec.base is None:
        return (_stage(spec, 0, "train all", None, None, training.learning_rate, training.epochs),)
    head = head_layers(spec)
    if spec.model.strategy == "linear-probe":
        cut = _head_rows(spec, classes=2)[-2].name
        probe = _solve_stage(spec, "solve the linear probe", head, cut)
        return (replace(probe, mirrored=spec.probe.mirror, fits_validation=True),)
    top = top_cut(spec)
    solved: tuple[Stage, ...] = ()
    if training.head_start == "solved":
        solved = (_solve_stage(spec, "solve the head", head, top),)
    if spec.model.strategy == "feature-extraction":
        name = "head on the frozen base"
        rate, epochs = training.learning_rate, training.epochs
        return (*solved, _stage(spec, len(solved), name, head, top, rate, epochs))
    rate, epochs = training.head_learning_rate, training.head_epochs
    first = solved or (_stage(spec, 0, HEAD_FIRST, head, top, rate, epochs),)
    return first + _block_stages(spec, head)


def _block_stages(spec: ExperimentSpec, head: tuple[str, ...]) -> tuple[Stage, ...]:
    """Return the stages of fine-tuning, after that of the head, in which blocks of the base train.

    The last one trains all of them; the others are there if they unfreeze gradually.
    """
    assert spec.base is not None
    table, training = spec.base_table, spec.training
    added = trained_blocks(spec) if training.unfreeze == "gradual" else ()
    steps = []
    for count in range(1, len(added)):
        layers = tuple(name for block in reversed(added[:count]) for name in block)
        name = f"head down to {table.layer(layers[0]).block}"
        steps.append((name, layers, training.unfreeze_epochs))
    name = f"head and {', '.join(spec.base.trainable)}"
    steps.append((name, spec.base.trained_layers(table), training.epochs))
    return tuple(
        _stage(
            spec,
            index,
            name,
            layers + head,
            table.deepest_cut(set(layers)),
            training.learning_rate,
            epochs,
        )
        for index, (name, layers, epochs) in enumerate(steps, start=1)
    )


def trained_blocks(spec: ExperimentSpec) -> tuple[tuple[str, ...], ...]:
    """Return the layers that fine-tuning trains, by block, from the top of the base down."""
    assert spec.base is not None
    table = spec.base_table
    trained = set(spec.base.trained_layers(table))
    blocks = (
        tuple(layer.name for layer in table.block_layers(block) if layer.name in trained)
        for block in reversed(table.blocks)
    )
    return tuple(block for block in blocks if block)


def rate_factors(spec: ExperimentSpec) -> dict[str, float]:
    """Return the factors on the learning rate of the base's layers; those without have 1.

    The uppermost block has `layer_decay`, each one below it the factor of the one above times
    `layer_decay` (Howard and Ruder, arXiv 1801.06146, call it discriminative fine-tuning).
    """
    decay = spec.training.layer_decay
    if spec.base is None or decay == 1:
        return {}
    table = spec.base_table
    return {
        layer.name: decay**depth
        for depth, block in enumerate(reversed(table.blocks), start=1)
        for layer in table.block_layers(block)
    }


def top_cut(spec: ExperimentSpec) -> str:
    """Return the highest layer below all that trains if the whole base is frozen.

    The head's average pooling has no weights either: its output has one number a channel instead
    of a map.
    """
    if spec.model.head == AVERAGE:
        return AVERAGE
    return spec.base_table.layers[-1].name


def head_layers(spec: ExperimentSpec) -> tuple[str, ...]:
    """Return the names of the head's layers that have weights."""
    return tuple(row.name for row in _head_rows(spec, classes=2) if row.parameters)


def layer_rows(spec: ExperimentSpec, classes: int) -> list[LayerRow]:
    """Return every layer of the network from the image up, from the spec only."""
    model = spec.model
    if spec.base is None:
        return network_stack(
            spec.data.input_shape, model.convolutions, model.dense_units, model.dropout, classes
        )
    base = [
        LayerRow(
            layer.name,
            layer.kind,
            layer.output_shape,
            layer.parameters,
            layer.block,
            layer.multiply_adds,
        )
        for layer in spec.base_table.layers
    ]
    return base + _head_rows(spec, classes)


def _head_rows(spec: ExperimentSpec, classes: int) -> list[LayerRow]:
    model = spec.model
    if model.strategy == "linear-probe":
        maps = spec.base_table.widest(spec.probe.blocks)
        return probe_stack([layer.output_shape[-1] for layer in maps], classes)
    return head_stack(
        spec.base_table.output_shape, model.head, model.dense_units, model.dropout, classes
    )


def _solve_stage(spec: ExperimentSpec, name: str, head: tuple[str, ...], cut: str) -> Stage:
    return Stage(
        index=0,
        name=name,
        trainable=head,
        augmented=False,
        optimizer="",
        learning_rate=0.0,
        schedule="",
        epochs=1,
        steps_per_epoch=None,
        early_stopping=0,
        monitor="",
        keep="last",
        prefix=cut,
        cached=True,
        kind=SOLVE,
        mirrored=True,
        folds=spec.probe.folds,
    )


def _stage(
    spec: ExperimentSpec,
    index: int,
    name: str,
    trainable: tuple[str, ...] | None,
    prefix: str | None,
    learning_rate: float,
    epochs: int,
) -> Stage:
    training, base = spec.training, spec.base
    augmented = spec.augmentation.active
    views = base.views if base else 0
    cached = bool(base and prefix and base.prefix == "cached" and (views or not augmented))
    return Stage(
        index=index,
        name=name,
        trainable=trainable,
        augmented=augmented,
        optimizer=training.optimizer,
        learning_rate=learning_rate,
        schedule=training.schedule,
        epochs=epochs,
        steps_per_epoch=training.steps_per_epoch,
        early_stopping=training.early_stopping,
        monitor=training.monitor,
        keep=training.keep,
        prefix=prefix,
        cached=cached,
        views=views if augmented else 0,
        optimizer_slots=training.optimizer_slots,
        warmup_epochs=training.warmup_epochs,
        mixup=spec.augmentation.mixup,
        cutmix=0.0 if prefix else spec.augmentation.cutmix,
        rates_start=training.head_start == "solved" and training.keep == "best",
    )
