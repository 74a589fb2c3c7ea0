"""Layers as rows: merged from two events, grouped by blocks, with verdicts."""

from typing import Any

import pytest
from event_lines import event
from rich.console import Console

from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import plan_stages
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.render.layers import (
    describe_block,
    describe_shape_change,
    hanging_indent,
    input_shape_of,
    labelled_line,
)
from workbench.runs.freeze_check import (
    Layer,
    group_by_block,
    layers_of_spec,
    layers_of_stage,
    verdict,
)
from workbench.ui.layers.table import TableRow, table_rows

FACTS = DataFacts((374, 499), False, 3, classes=2, images=4_000, smallest_class=2_000,
                  user_split=False)  # fmt: skip


def spec_of(preset: str, *settings: str, base: str | None = None) -> ExperimentSpec:
    tree = preset_tree(preset, "photos", FACTS, base=base)
    return parse_spec(apply_settings(tree, settings), "spec.toml")


def layer(name: str = "conv", **changes: Any) -> Layer:
    fields = {"kind": "convolution", "block": "block1", "parameters": 10, "requested": "frozen"}
    return Layer(name, **{**fields, **changes})


def by_key(rows: list[TableRow]) -> dict[str, TableRow]:
    return {row.key: row for row in rows}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"compiled": "frozen", "moved": 0.0}, None),
        ({"compiled": "frozen", "moved": 1e-9}, "ERROR: frozen but moved"),
        ({"compiled": "trains", "moved": 0.0}, "ERROR: compiled otherwise"),
        ({"requested": "trains", "compiled": "trains", "moved": 0.0}, "did not move"),
        ({"requested": "trains", "compiled": "trains", "moved": 0.01}, None),
        ({"requested": "trains"}, None),  # not recorded yet
        ({"requested": "trains", "compiled": "frozen", "moved": 0.0}, "ERROR: compiled otherwise"),
    ],
)
def test_disagreement_has_a_verdict(changes: dict[str, Any], text: str | None) -> None:
    found = verdict(layer(**changes))
    assert (found.message if found else None) == text


def test_two_events_make_one_row() -> None:
    started = event("stage_started", stage=0, layers=[
        {"name": "conv", "kind": "convolution", "output_shape": [8, 8, 4], "parameters": 1234,
         "block": "block1", "requested": "trains"},
        {"name": "pool", "kind": "max pooling", "output_shape": [4, 4, 4], "parameters": 0,
         "block": "block1", "requested": "frozen"},
    ])  # fmt: skip
    check = event("layers", stage=0, layers=[
        {"name": "conv", "requested": "trains", "compiled": "trains", "moved": 0.0123},
    ])  # fmt: skip
    rows = by_key(table_rows(group_by_block(layers_of_stage(started, check)), {"block1"}))
    assert list(rows) == ["block block1", "layer conv", "layer pool"]
    conv, block = rows["layer conv"], rows["block block1"]
    assert (conv.output, conv.parameters, conv.compiled, conv.moved) == (
        "8x8x4", "1,234", "trains", "1.23 %",
    )  # fmt: skip
    assert (block.output, block.trains, block.moved) == ("4x4x4", "trains", "1.23 %")
    assert (rows["layer pool"].trains, rows["layer pool"].requested) == ("", "-")
    before = by_key(table_rows(group_by_block(layers_of_stage(started))))
    assert (before["block block1"].compiled, before["block block1"].moved) == ("-", "-")


def test_odd_events_do_no_harm() -> None:
    hostile = "[/oops]\x1b[31m\n\udcff"
    rows = [None, 3, {}, {"name": hostile, "parameters": -1, "output_shape": "x", "moved": "far",
                          "block": ["b"], "requested": {}, "compiled": 7}]  # fmt: skip
    layers = layers_of_stage(
        event("stage_started", stage=0, layers=rows), event("layers", stage=0, layers="none")
    )
    descriptions = table_rows(
        group_by_block(layers), {group.name for group in group_by_block(layers)}
    )
    shown = "".join(f"{row.name}{row.requested}{row.compiled}{row.output}" for row in descriptions)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "[/oops]\\e[31m\\n\\xff" in shown
    assert layers_of_stage(event("stage_started", stage=0)) == ()


@pytest.mark.parametrize(
    ("moved", "shown"),
    [(0.0, "0"), (1e-9, "<0.001 %"), (0.0031, "0.310 %"), (0.0523, "5.23 %"), (1.5, "150.0 %")],
)
def test_what_moved_is_never_shown_as_nothing(moved: float, shown: str) -> None:
    [row] = table_rows(group_by_block([layer(block="", moved=moved)]))
    assert row.moved == shown


def test_a_block_shows_its_worst_layer() -> None:
    layers = [layer("a", moved=0.0), layer("b", moved=0.2), layer("c", moved=0.0)]
    [row] = table_rows(group_by_block(layers))
    assert row.verdict is not None
    assert (row.verdict.kind, row.verdict.message) == (
        "error", "ERROR: frozen but moved (1 of 3)",
    )  # fmt: skip


def test_frozen_batch_norm_does_not_make_a_block_partly() -> None:
    spec = spec_of("fine-tuning", base="mobilenetv2-0.35")
    layers = layers_of_spec(spec, 2, plan_stages(spec)[1])
    rows = by_key(table_rows(group_by_block(layers)))
    top, lower = rows["block block_14"], rows["block block_13"]
    assert top.verdict is not None
    assert (top.trains, top.verdict.message) == ("trains", "batch norm stays frozen")
    assert (lower.trains, lower.verdict) == ("frozen", None)
    assert "batch norm stays frozen" in describe_block(layers, "block_14")


def test_part_of_a_block_is_partly() -> None:
    spec = spec_of("fine-tuning", 'base.trainable=["block5_conv3"]')
    rows = by_key(table_rows(group_by_block(layers_of_spec(spec, 2, plan_stages(spec)[1]))))
    block = rows["block block5"]
    assert block.verdict is not None
    assert (block.trains, block.requested) == ("partly", "partly")
    assert block.verdict.message == "1 of 3 layers train"
    assert rows["block head"].trains == "trains"


def test_sizes_are_described_layer_by_layer() -> None:
    """The book's convnet: 150x150 loses its border, is halved, and so on (listing 5.5)."""
    spec = spec_of("book-convnet")
    layers = layers_of_spec(spec, 2, plan_stages(spec)[0])
    descriptions = {
        one.name: describe_shape_change(
            one, input_shape_of(layers, one.name, spec.data.input_shape), spec.model.convolutions
        )
        for one in layers
    }
    assert all(len(f"{one.name}  {one.kind}, {descriptions[one.name]}") <= 76 for one in layers)
    assert descriptions["conv1"] == "150x150 becomes 148x148: 3x3 window, no padding"
    assert descriptions["pool1"] == "148x148 becomes 74x74: the strongest of each 2x2 is kept"
    assert descriptions["flatten"] == "the 7x7x128 map becomes 6,272 numbers in a row"
    assert descriptions["dense1"] == "6,272 inputs x 512 units, and a bias for each unit"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ('model.padding="same"', "150x150 is kept: zero padding for the window"),
        ("model.stride=2", "150x150 becomes 74x74: stride 2"),
    ],
)
def test_padding_and_stride_are_described(changed: str, text: str) -> None:
    spec = spec_of("convnet", changed, "model.filters=[32]", "model.pooling=true")
    layers = layers_of_spec(spec, 2, plan_stages(spec)[0])
    assert describe_shape_change(layers[0], (150, 150, 3), spec.model.convolutions) == text


def test_long_lines_are_indented() -> None:
    text = hanging_indent(
        [labelled_line("cost", "one two three four five six")], 31, Console(width=200)
    )
    assert [line.rstrip() for line in text.plain.split("\n")] == [
        "cost       one two three four",
        "           five six",
    ]
