"""Layers grouped by block, and the findings that app and command line show."""

from typing import Any

import pytest
from event_lines import event

from workbench.cli.plan import freeze_table
from workbench.runs.freeze_check import (
    BATCH_NORM,
    Layer,
    LayerGroup,
    group_by_block,
    layers_of_stage,
)

TRAINED = {"requested": "trains", "compiled": "trains", "moved": 0.02}
UNTRAINED = {"requested": "frozen", "compiled": "frozen", "moved": 0.0}


def layer(name: str, block: str = "block1", **changes: Any) -> Layer:
    fields = {"kind": "convolution", "output_shape": (8, 8, 4), "parameters": 10}
    return Layer(name, **{**fields, "block": block, **changes})


def test_groups_keep_order_and_single_layers() -> None:
    layers = [layer("a"), layer("b", block=""), layer("c", block="block2"), layer("d")]
    assert [(one.name, len(one.layers), one.single) for one in group_by_block(layers)] == [
        ("block1", 2, False), ("b", 1, True), ("block2", 1, False),
    ]  # fmt: skip


def test_combined_layer_has_sum_and_largest_change() -> None:
    pool = layer("pool", output_shape=(4, 4, 4), parameters=0)
    combined = LayerGroup("block1", (layer("a", **TRAINED), layer("b", **UNTRAINED), pool)).combined
    assert combined == Layer(
        "block1", output_shape=(4, 4, 4), parameters=20, requested="partly", compiled="partly",
        moved=0.02,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (BATCH_NORM, "trains", "batch norm stays frozen"),
        ("convolution", "partly", "1 of 2 layers train"),
    ],
)
def test_frozen_batch_norm_keeps_a_block_trained(kind: str, status: str, message: str) -> None:
    group = LayerGroup("block1", (layer("a", **TRAINED), layer("b", kind=kind, **UNTRAINED)))
    assert group.verdict is not None
    assert (group.combined.requested, group.verdict.message) == (status, message)


def test_unknown_status_stays_unknown() -> None:
    group = LayerGroup("block1", (layer("a", requested="trains"), layer("b")))
    assert group.combined == Layer(
        "block1", output_shape=(8, 8, 4), parameters=20, requested="trains"
    )
    assert group.verdict is None


def test_command_line_prints_a_line_per_block() -> None:
    planned = [
        {"name": "conv", "block": "block1", "output_shape": [8, 8, 4], "parameters": 1234},
        {"name": "dense", "output_shape": [2], "parameters": 10},
    ]
    checked = [{"name": "conv", **UNTRAINED, "moved": 0.001}, {"name": "dense", **TRAINED}]
    groups = group_by_block(
        layers_of_stage(
            event("stage_started", stage=0, layers=planned),
            event("layers", stage=0, layers=checked),
        )
    )
    table = freeze_table((group.combined, group.verdict) for group in groups)
    assert [" ".join(line.split()) for line in table.splitlines()[1:]] == [
        "block1 8x8x4 1,234 frozen frozen 0.100 % ERROR: frozen but moved",
        "dense 2 10 trains trains 2.000 %",
    ]
