"""Layers as rows: merged from two events, put together by blocks, judged in words."""

from typing import Any

import pytest
from rich.console import Console

from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import plan_stages
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.render.layers import (
    below_of,
    block_in_words,
    hanging,
    named_line,
    shape_in_words,
)
from workbench.runs.freeze_check import Layer, groups_of, layers_of_spec, layers_of_stage, verdict
from workbench.ui.layers.rows import TableRow, table_rows

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
    ("changes", "words"),
    [
        ({"compiled": "frozen", "moved": 0.0}, None),
        ({"compiled": "frozen", "moved": 1e-9}, "ERROR: frozen but moved"),
        ({"compiled": "trains", "moved": 0.0}, "ERROR: compiled otherwise"),
        ({"requested": "trains", "compiled": "trains", "moved": 0.0}, "did not move"),
        ({"requested": "trains", "compiled": "trains", "moved": 0.01}, None),
        ({"requested": "trains"}, None),  # not told yet
        ({"requested": "trains", "compiled": "frozen", "moved": 0.0}, "ERROR: compiled otherwise"),
    ],
)
def test_disagreement_is_said_in_words(changes: dict[str, Any], words: str | None) -> None:
    told = verdict(layer(**changes))
    assert (told.words if told else None) == words


def test_two_events_make_one_row() -> None:
    started = {"layers": [
        {"name": "conv", "kind": "convolution", "output_shape": [8, 8, 4], "parameters": 1234,
         "block": "block1", "requested": "trains"},
        {"name": "pool", "kind": "max pooling", "output_shape": [4, 4, 4], "parameters": 0,
         "block": "block1", "requested": "frozen"},
    ]}  # fmt: skip
    truth = {"layers": [
        {"name": "conv", "requested": "trains", "compiled": "trains", "moved": 0.0123},
    ]}  # fmt: skip
    rows = by_key(table_rows(groups_of(layers_of_stage(started, truth)), {"block1"}))
    assert list(rows) == ["block block1", "layer conv", "layer pool"]
    conv, block = rows["layer conv"], rows["block block1"]
    assert (conv.output, conv.parameters, conv.compiled, conv.moved) == (
        "8x8x4", "1,234", "trains", "1.23 %",
    )  # fmt: skip
    assert (block.output, block.trains, block.moved) == ("4x4x4", "trains", "1.23 %")
    assert (rows["layer pool"].trains, rows["layer pool"].requested) == ("", "-")
    before = by_key(table_rows(groups_of(layers_of_stage(started))))
    assert (before["block block1"].compiled, before["block block1"].moved) == ("-", "-")


def test_odd_events_do_no_harm() -> None:
    hostile = "[/oops]\x1b[31m\n\udcff"
    rows = [None, 3, {}, {"name": hostile, "parameters": -1, "output_shape": "x", "moved": "far",
                          "block": ["b"], "requested": {}, "compiled": 7}]  # fmt: skip
    layers = layers_of_stage({"layers": rows}, {"layers": "none"})
    told = table_rows(groups_of(layers), {group.name for group in groups_of(layers)})
    shown = "".join(f"{row.name}{row.requested}{row.compiled}{row.output}" for row in told)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "[/oops]\\e[31m\\n\\xff" in shown
    assert layers_of_stage({}, None) == ()


@pytest.mark.parametrize(
    ("moved", "shown"),
    [(0.0, "0"), (1e-9, "<0.001 %"), (0.0031, "0.310 %"), (0.0523, "5.23 %"), (1.5, "150.0 %")],
)
def test_what_moved_is_never_shown_as_nothing(moved: float, shown: str) -> None:
    [row] = table_rows(groups_of([layer(block="", moved=moved)]))
    assert row.moved == shown


def test_a_block_shows_its_worst_layer() -> None:
    layers = [layer("a", moved=0.0), layer("b", moved=0.2), layer("c", moved=0.0)]
    [row] = table_rows(groups_of(layers))
    assert row.verdict is not None
    assert (row.verdict.kind, row.verdict.words) == (
        "error", "ERROR: frozen but moved (1 of 3)",
    )  # fmt: skip


def test_resting_batch_norm_does_not_make_a_block_half() -> None:
    spec = spec_of("fine-tuning", base="mobilenetv2-0.35")
    layers = layers_of_spec(spec, 2, plan_stages(spec)[1])
    rows = by_key(table_rows(groups_of(layers)))
    top, lower = rows["block block_14"], rows["block block_13"]
    assert top.verdict is not None
    assert (top.trains, top.verdict.words) == ("trains", "batch norm stays frozen")
    assert (lower.trains, lower.verdict) == ("frozen", None)
    assert "batch norm stays frozen" in block_in_words(layers, "block_14")


def test_part_of_a_block_is_partly() -> None:
    spec = spec_of("fine-tuning", 'base.trainable=["block5_conv3"]')
    rows = by_key(table_rows(groups_of(layers_of_spec(spec, 2, plan_stages(spec)[1]))))
    block = rows["block block5"]
    assert block.verdict is not None
    assert (block.trains, block.requested) == ("partly", "partly")
    assert block.verdict.words == "1 of 3 layers train"
    assert rows["block head"].trains == "trains"


def test_sizes_are_told_layer_by_layer() -> None:
    """The book's convnet: 150x150 loses its border, is halved, and so on (listing 5.5)."""
    spec = spec_of("book-convnet")
    layers = layers_of_spec(spec, 2, plan_stages(spec)[0])
    told = {
        one.name: shape_in_words(
            one, below_of(layers, one.name, spec.data.input_shape), spec.model.convolutions
        )
        for one in layers
    }
    assert all(len(f"{one.name}  {one.kind}, {told[one.name]}") <= 76 for one in layers)
    assert told["conv1"] == "150x150 becomes 148x148: 3x3 window, no padding"
    assert told["pool1"] == "148x148 becomes 74x74: the strongest of each 2x2 is kept"
    assert told["flatten"] == "the 7x7x128 map becomes 6,272 numbers in a row"
    assert told["dense1"] == "6,272 inputs x 512 units, and a bias for each unit"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ('model.padding="same"', "150x150 is kept: zero padding for the window"),
        ("model.stride=2", "150x150 becomes 74x74: stride 2"),
    ],
)
def test_padding_and_stride_are_told(changed: str, words: str) -> None:
    spec = spec_of("convnet", changed, "model.filters=[32]", "model.pooling=true")
    layers = layers_of_spec(spec, 2, plan_stages(spec)[0])
    assert shape_in_words(layers[0], (150, 150, 3), spec.model.convolutions) == words


def test_long_lines_hang_behind_their_name() -> None:
    text = hanging([named_line("cost", "one two three four five six")], 31, Console(width=200))
    assert [line.rstrip() for line in text.plain.split("\n")] == [
        "cost       one two three four",
        "           five six",
    ]
