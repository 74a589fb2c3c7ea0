"""Layers put together by blocks: what the app and the command line tell of them."""

from typing import Any

import pytest

from workbench.cli.plan import truth_table
from workbench.runs.freeze_check import BATCH_NORM, Group, Layer, groups_of, layers_of_stage

TRAINED = {"requested": "trains", "compiled": "trains", "moved": 0.02}
RESTING = {"requested": "frozen", "compiled": "frozen", "moved": 0.0}


def layer(name: str, block: str = "block1", **changes: Any) -> Layer:
    fields = {"kind": "convolution", "output_shape": (8, 8, 4), "parameters": 10}
    return Layer(name, **{**fields, "block": block, **changes})


def test_blocks_keep_their_order_and_a_layer_without_a_block_stands_alone() -> None:
    layers = [layer("a"), layer("b", block=""), layer("c", block="block2"), layer("d")]
    assert [(one.name, len(one.layers), one.alone) for one in groups_of(layers)] == [
        ("block1", 2, False), ("b", 1, True), ("block2", 1, False),
    ]  # fmt: skip


def test_a_block_is_the_sum_of_its_layers_and_the_largest_of_their_moves() -> None:
    pool = layer("pool", output_shape=(4, 4, 4), parameters=0)
    together = Group("block1", (layer("a", **TRAINED), layer("b", **RESTING), pool)).together
    assert together == Layer(
        "block1", output_shape=(4, 4, 4), parameters=20, requested="partly", compiled="partly",
        moved=0.02,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "asked", "words"),
    [
        (BATCH_NORM, "trains", "batch norm stays frozen"),
        ("convolution", "partly", "1 of 2 layers train"),
    ],
)
def test_only_batch_norm_that_rests_leaves_a_block_whole(kind: str, asked: str, words: str) -> None:
    group = Group("block1", (layer("a", **TRAINED), layer("b", kind=kind, **RESTING)))
    assert group.verdict is not None
    assert (group.together.requested, group.verdict.words) == (asked, words)


def test_what_was_not_told_is_not_made_up() -> None:
    group = Group("block1", (layer("a", requested="trains"), layer("b")))
    assert group.together == Layer(
        "block1", output_shape=(8, 8, 4), parameters=20, requested="trains"
    )
    assert group.verdict is None


def test_the_command_line_tells_a_line_a_block() -> None:
    told = [
        {"name": "conv", "block": "block1", "output_shape": [8, 8, 4], "parameters": 1234},
        {"name": "dense", "output_shape": [2], "parameters": 10},
    ]
    truth = [{"name": "conv", **RESTING, "moved": 0.001}, {"name": "dense", **TRAINED}]
    groups = groups_of(layers_of_stage({"layers": told}, {"layers": truth}))
    table = truth_table((group.together, group.verdict) for group in groups)
    assert [" ".join(line.split()) for line in table.splitlines()[1:]] == [
        "block1 8x8x4 1,234 frozen frozen 0.100% ERROR: frozen but moved",
        "dense 2 10 trains trains 2.000%",
    ]
