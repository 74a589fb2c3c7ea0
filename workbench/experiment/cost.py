"""What a plan costs, in operations, numbers and bytes, before anything runs."""

import math
from dataclasses import dataclass

from workbench.experiment.plan import Stage, layer_rows, plan_stages
from workbench.experiment.spec import ExperimentSpec

FLOAT_BYTES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class StageCost:
    """One stage, counted.

    Attributes:
        parameters: of the whole network.
        trainable: those that may move.
        prefix_shape: of one output of the frozen prefix, None without one.
        prefix_bytes: of one cached output, 0 where none is kept.
        prefix_share: multiply-adds of the base that lie in the prefix, from 0 to 1.
    """

    stage: Stage
    parameters: int
    trainable: int
    prefix_shape: tuple[int, ...] | None
    prefix_bytes: int
    prefix_share: float


def stage_costs(spec: ExperimentSpec, classes: int) -> list[StageCost]:
    """The costs of every stage of a plan.

    Args:
        classes: number of labels; the last layer follows from it.
    """
    rows = layer_rows(spec, classes)
    parameters = sum(row.parameters for row in rows)
    return [
        StageCost(
            stage,
            parameters,
            _trainable(spec, stage, classes),
            *_prefix(spec, stage),
        )
        for stage in plan_stages(spec)
    ]


def _trainable(spec: ExperimentSpec, stage: Stage, classes: int) -> int:
    fixed = {}
    if spec.base is not None:
        fixed = {layer.name: layer.non_trainable for layer in spec.base_table.layers}
    return sum(
        row.parameters - fixed.get(row.name, 0)
        for row in layer_rows(spec, classes)
        if stage.trains(row.name)
    )


def _prefix(spec: ExperimentSpec, stage: Stage) -> tuple[tuple[int, ...] | None, int, float]:
    if spec.base is None or stage.prefix is None:
        return None, 0, 0.0
    table = spec.base_table
    shape = table.layer(stage.prefix).output_shape
    below, _ = table.split_at(stage.prefix)
    share = sum(layer.multiply_adds for layer in below) / table.multiply_adds
    size = math.prod(shape) * FLOAT_BYTES[spec.base.prefix_dtype] if stage.cached else 0
    return shape, size, share
