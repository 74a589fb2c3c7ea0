"""What a plan costs, in operations, numbers and bytes, before anything runs."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.bases.kinds import BATCH_NORM
from workbench.experiment.plan import Stage, layer_rows, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import LayerRow
from workbench.experiment.throughput import ComputeCost

FLOAT_BYTES = {"float32": 4, "float16": 2}
# A view of the input, or nothing outside training.
_NO_COPY = ("flatten", "reshape", "dropout", "stochastic depth")
_NORMALIZATIONS = (BATCH_NORM, "layer normalization")


@dataclass(frozen=True)
class StageCost:
    """Cost of one stage.

    Attributes:
        parameters: of the whole network.
        trainable: parameters that may move.
        above: parameters above the frozen prefix, which a checkpoint holds.
        prefix_shape: of one output of the frozen prefix, None without a prefix.
        prefix_bytes: of one cached output, 0 without a cache.
        prefix_share: share of the base's multiply-adds in the prefix, from 0 to 1.
        prefix: one image through the frozen prefix.
        forward: one image through the layers above it.
        training: forward and backward through these.
        batch_size: images a step.
        passes: splits and views of the images that pass a cached prefix, without those that passed
            it in a stage before.
        memory_bytes: a lower bound for training, on each device: weights, gradients, the
            optimizer's state, and the outputs of its part of a batch that the backward pass
            needs, in half precision unless the spec sets float32.
        devices: that share each batch.
    """

    stage: Stage
    parameters: int
    trainable: int
    above: int
    prefix_shape: tuple[int, ...] | None
    prefix_bytes: int
    prefix_share: float
    prefix: ComputeCost
    forward: ComputeCost
    training: ComputeCost
    batch_size: int
    passes: tuple[tuple[str, str], ...]
    memory_bytes: int
    devices: int = 1

    @property
    def shares_batches(self) -> bool:
        """Whether several devices have more to do than the short steps above kept features."""
        return not self.stage.is_solved and not self.stage.cached

    @property
    def part(self) -> int:
        """Images of a batch on each device."""
        return -(-self.batch_size // self.devices)

    @property
    def weights_bytes(self) -> int:
        """Bytes of the weights in a checkpoint."""
        return 4 * self.above

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of a checkpoint: its weights, and the optimizer's state of those that train."""
        return self.weights_bytes + 4 * self.trainable * self.stage.optimizer_slots

    def images_passed(self, images: Mapping[str, int]) -> int:
        """Return how often an image passes a cached prefix; `images` by split."""
        return sum(images[split] for split, _ in self.passes)

    def kept_bytes(self, images: Mapping[str, int]) -> int:
        """Return the bytes of the outputs that this stage adds to the cache; `images` by split."""
        return self.prefix_bytes * self.images_passed(images)


def stage_costs(spec: ExperimentSpec, classes: int) -> list[StageCost]:
    """Return the cost of every stage of a plan for a number of classes."""
    rows = layer_rows(spec, classes)
    passed: dict[str | None, frozenset[tuple[str, str]]] = defaultdict(frozenset)
    costs = []
    for stage in plan_stages(spec):
        passes = stage.passes if stage.cached else frozenset()
        new = tuple(sorted(passes - passed[stage.prefix]))
        costs.append(_stage_cost(spec, stage, rows, new))
        passed[stage.prefix] |= passes
    return costs


def saved_bytes(costs: Sequence[StageCost]) -> int:
    """Return the most bytes on disk that a run of these stages needs beside the data.

    Of each stage its initial weights and two bests; of the largest the last checkpoint, the one
    before, and one being written; the model, and another while it is written.
    """
    stages = sum(3 * cost.weights_bytes for cost in costs)
    largest = max(cost.checkpoint_bytes for cost in costs)
    return stages + 3 * largest + 2 * 4 * costs[0].parameters


def forward_cost(rows: Sequence[LayerRow], input_shape: tuple[int, ...] = ()) -> ComputeCost:
    """Return the cost of one image through the layers.

    Args:
        rows: the layers.
        input_shape: of the first layer's input; () to ignore it.
    """
    # Convolutions before a normalization leave bias and activation to other layers.
    normalized = any(row.kind in _NORMALIZATIONS for row in rows)
    read = math.prod(input_shape) * 4 if input_shape else 0
    sizes = {"heavy": read, "light": 0}
    for row in rows:
        if row.kind in _NO_COPY:
            continue
        heavy = row.kind in ("dense", "max pooling", "average pooling") or (
            row.kind == "convolution" and not normalized
        )
        sizes["heavy" if heavy else "light"] += math.prod(row.output_shape) * 4
    flops = 2 * sum(row.multiply_adds for row in rows)
    return ComputeCost(flops, sizes["heavy"], sizes["light"], len(rows))


def training_flops(rows: Sequence[LayerRow], stage: Stage) -> int:
    """Return the operations of one image, forward and backward.

    A layer costs its forward pass again for the gradient of its weights if it trains, and once
    more for that of its input if a layer below it trains.
    """
    flops, trains_below = 0, False
    for row in rows:
        trains = row.trainable and stage.trains(row.name)
        flops += 2 * row.multiply_adds * (1 + trains + trains_below)
        trains_below = trains_below or trains
    return flops


def _stage_cost(
    spec: ExperimentSpec,
    stage: Stage,
    rows: list[LayerRow],
    passes: tuple[tuple[str, str], ...],
) -> StageCost:
    below, above = _split(rows, stage.prefix)
    forward = forward_cost(above, below[-1].output_shape if below else spec.data.input_shape)
    training = replace(forward, flops=training_flops(above, stage))
    trainable = _trainable(spec, stage, rows)
    parameters = sum(row.parameters for row in rows)
    numbers = parameters + trainable * (1 + stage.optimizer_slots)
    batch, devices = spec.training.batch_size, spec.training.devices
    float_bytes = 1.0 if spec.training.precision == "float32" else 0.5  # of float32's size
    outputs = round(
        -(-batch // devices) * (forward.heavy_bytes + forward.light_bytes) * float_bytes
    )
    shape, size, share = _prefix(spec, stage, below)
    return StageCost(
        stage=stage,
        parameters=parameters,
        trainable=trainable,
        above=sum(row.parameters for row in above),
        prefix_shape=shape,
        prefix_bytes=size,
        prefix_share=share,
        prefix=forward_cost(below, spec.data.input_shape if below else ()),
        forward=forward,
        training=training,
        batch_size=batch,
        passes=passes,
        memory_bytes=4 * numbers + outputs,
        devices=devices,
    )


def _split(rows: list[LayerRow], cut: str | None) -> tuple[list[LayerRow], list[LayerRow]]:
    """Return the layers up to and with the cut, and those above it (all of them for None)."""
    count = 0 if cut is None else [row.name for row in rows].index(cut) + 1
    return rows[:count], rows[count:]


def _trainable(spec: ExperimentSpec, stage: Stage, rows: list[LayerRow]) -> int:
    fixed = {}
    if spec.base is not None:
        fixed = {layer.name: layer.non_trainable for layer in spec.base_table.layers}
    return sum(row.parameters - fixed.get(row.name, 0) for row in rows if stage.trains(row.name))


def _prefix(
    spec: ExperimentSpec, stage: Stage, below: list[LayerRow]
) -> tuple[tuple[int, ...] | None, int, float]:
    """Return shape and bytes of one cached output, and the prefix's share of the base."""
    if spec.base is None or not below:
        return None, 0, 0.0
    shape = below[-1].output_shape
    share = sum(row.multiply_adds for row in below) / spec.base_table.multiply_adds
    size = math.prod(shape) * FLOAT_BYTES[spec.base.prefix_dtype] if stage.cached else 0
    return shape, size, share
