"""The layers of a run and of a draft, and the rows they are shown in."""

from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter, event
from rich.console import Console
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Static
from ui_pilot import FIGURES, driven, until

from workbench.app.draft import Draft, newest_draft
from workbench.content.concepts import CONCEPTS
from workbench.experiment.cost import stage_costs
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import layer_rows, plan_stages
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.paths import Workspace
from workbench.render.layers import (
    describe_block,
    describe_shape_change,
    hanging_indent,
    input_shape_of,
    labelled_line,
)
from workbench.runs.folder import create_run
from workbench.runs.freeze_check import (
    Layer,
    group_by_block,
    layers_of_spec,
    layers_of_stage,
    verdict,
)
from workbench.ui.app import WorkbenchApp
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.keys import KeyLine
from workbench.ui.layers.screen import LayersScreen
from workbench.ui.layers.step import LayersStep
from workbench.ui.layers.table import LayerTable, TableRow, table_rows

FACTS = DataFacts((374, 499), False, 3, classes=2, images=4_000, smallest_class=2_000,
                  user_split=False)  # fmt: skip


def spec_of(preset: str, *settings: str, base: str | None = None) -> ExperimentSpec:
    tree = preset_tree(preset, "photos", FACTS, base=base)
    return parse_spec(apply_settings(tree, settings), "spec.toml")


class RecordedRun:
    """A run with the events that a test writes."""

    def __init__(self, folder: Path, spec: ExperimentSpec, name: str = "birds") -> None:
        self.spec = spec
        self.folder = create_run(Workspace(folder), dump_spec(spec), name, "")
        self.writer = LogWriter(self.folder.events_path)

    def start(self, index: int, rows: list[dict[str, Any]] | None = None) -> None:
        cost = stage_costs(self.spec, 2)[index]
        self.writer.write(
            "stage_started", stage=index, name=cost.stage.name, kind=cost.stage.kind,
            epochs=cost.stage.epochs,
            steps=3, optimizer="adam", learning_rate=cost.stage.learning_rate,
            parameters=cost.parameters, trainable_parameters=cost.trainable,
            layers=rows or self.rows(index), prefix=cost.stage.prefix, cached=True,
        )  # fmt: skip

    def rows(self, index: int) -> list[dict[str, Any]]:
        stage = plan_stages(self.spec)[index]
        return [
            {"name": row.name, "kind": row.kind, "output_shape": list(row.output_shape),
             "parameters": row.parameters, "block": row.block,
             "requested": "trains" if stage.trains(row.name) else "frozen"}
            for row in layer_rows(self.spec, 2)
        ]  # fmt: skip

    def check(self, index: int, epoch: int = 1, **moved: float) -> None:
        rows = [row for row in self.rows(index) if row["parameters"]]
        self.writer.write("layers", stage=index, epoch=epoch, layers=[
            {"name": row["name"], "requested": row["requested"], "compiled": row["requested"],
             "moved": moved.get(row["name"], 0.01 if row["requested"] == "trains" else 0.0)}
            for row in rows
        ])  # fmt: skip


def shown(app: WorkbenchApp) -> str:
    """All text of the screen, the table's cells included; lines and gaps become spaces."""
    table = app.screen.query_one(LayerTable)
    parts = [str(widget.render()) for widget in app.screen.query(Static)]
    for key in table.rows:
        cells = [cell.plain.partition("\n") for cell in table.get_row(key)]
        parts += [" ".join(first for first, _, _ in cells), "".join(second for *_, second in cells)]
    return " ".join(" ".join(parts).split())


def row(app: WorkbenchApp, key: str) -> list[str]:
    cells = app.screen.query_one(LayerTable).get_row(key)
    assert all(isinstance(cell, Text) for cell in cells)
    return [cell.plain.strip() for cell in cells]


def keys(app: WorkbenchApp) -> list[str]:
    return [str(key.value) for key in app.screen.query_one(LayerTable).rows]


async def open_layers(app: WorkbenchApp, pilot: Pilot[Any], name: str = "birds") -> None:
    await until(pilot, lambda: app.find_run(name), "the run is seen")
    await app.push_screen(LayersScreen(name))
    await until(pilot, lambda: app.screen.query_one(LayerTable).row_count, "layers")


async def test_a_run_shows_what_was_requested_compiled_and_moved(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, spec_of("fine-tuning"))
    run.start(0)
    run.check(0)
    run.start(1)
    run.check(1, epoch=4, block5_conv2=0.0523)

    async with driven(tmp_path) as (app, pilot):
        await open_layers(app, pilot)
        assert row(app, "block block4")[1:] == ["10x10x512", "5,899,776", "frozen", "frozen", "0"]
        assert row(app, "block block5")[3:] == ["trains", "trains", "5.23 %"]
        text = shown(app)
        assert "stage 2 of 2, after epoch 4" in text
        assert "7,079,937 of 14,715,201 (48 %) trainable, 7,635,264 frozen" in text
        assert "block1-block4 ran once, then never again" in text
        assert "1 solve the head: at once" in text
        await pilot.press("v")
        assert row(app, "block block5")[3:] == ["frozen", "frozen", "0"]
        assert "the whole base ran once" in shown(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_frozen_but_moved_is_an_error(tmp_path: Path, size: tuple[int, int]) -> None:
    run = RecordedRun(tmp_path, spec_of("fine-tuning"))
    run.start(1)
    run.check(1, block2_conv1=1e-5, block5_conv3=0.0)

    async with driven(tmp_path, size) as (app, pilot):
        await open_layers(app, pilot)
        table = app.screen.query_one(LayerTable)
        cells = table.get_row("block block2")
        second_line = "".join(cell.plain.partition("\n")[2] for cell in cells)
        text = second_line if size[0] < 200 else cells[-1].plain
        assert text.strip() == "ERROR: frozen but moved (1 of 2)"
        assert app.theme_variables["error"] in str(cells[0].style)
        assert "did not move (1 of 3)" in shown(app)


async def test_a_table_follows_the_run_and_keeps_its_place(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, spec_of("fine-tuning"))
    run.start(1)

    async with driven(tmp_path) as (app, pilot):
        await open_layers(app, pilot)
        assert row(app, "block block5")[4:] == ["-", "-"]
        await pilot.press("end", "up", "right", "down", "down")
        table = app.screen.query_one(LayerTable)
        assert table.selected == "layer block5_conv2"
        run.check(1, epoch=1, block5_conv2=0.5)
        await until(
            pilot, lambda: row(app, "layer block5_conv2")[4:] == ["trains", "50.0 %"], "moved"
        )
        run.check(1, epoch=2, block1_conv1=0.5)  # a row of two lines: the table is redrawn
        await until(pilot, lambda: "ERROR" in shown(app), "the error")
        assert table.selected == "layer block5_conv2"
        await pilot.press("left")
        assert table.selected == "block block5"
        assert "layer block5_conv2" not in keys(app)
        await pilot.press("asterisk")
        assert "layer block1_conv1" in keys(app)
        await pilot.press("asterisk")
        assert len(keys(app)) == 6
        await pilot.press("enter")
        assert "layer block5_conv2" in keys(app)


async def test_a_stage_to_come_is_shown_as_planned(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, spec_of("fine-tuning"))
    run.start(0)

    async with driven(tmp_path) as (app, pilot):
        await open_layers(app, pilot)
        await pilot.press("v")
        assert row(app, "block block5")[3:] == ["trains", "-", "-"]
        assert "stage 2 of 2, as planned: it has not started" in shown(app)
        await pilot.press("v")
        assert "stage 1 of 2" in shown(app)


async def test_a_convnet_shows_how_sizes_change(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, spec_of("convnet"))
    run.start(0)

    async with driven(tmp_path) as (app, pilot):
        await open_layers(app, pilot)
        assert row(app, "layer conv1")[1] == "148x148x32"
        assert row(app, "layer pool1")[1] == "74x74x32"
        await pilot.press("down")
        await until(pilot, lambda: "the strongest of each 2x2 is kept" in shown(app), "the words")
        assert "prefix" not in shown(app)
        offered = app.screen.query_one(KeyLine).keys.plain
        assert not any(text in offered for text in ("Expand", "All", "Stage"))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, ConceptsScreen), "why")
        title = app.screen.query_one("#title", Static)
        await until(pilot, lambda: title.content, "a concept")
        assert str(title.content) == CONCEPTS["max-pooling"].title


async def test_blocks_and_stages_that_there_are_can_be_opened(tmp_path: Path) -> None:
    RecordedRun(tmp_path, spec_of("fine-tuning")).start(0)

    async with driven(tmp_path) as (app, pilot):
        await open_layers(app, pilot)
        offered = app.screen.query_one(KeyLine)
        await until(pilot, lambda: "Expand" in offered.keys.plain, "the keys")
        assert "v Stage" in offered.keys.plain
        assert "* All" in offered.keys.plain
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, ConceptsScreen), "why")
        title = app.screen.query_one("#title", Static)
        await until(pilot, lambda: title.content, "a concept")
        assert str(title.content) == CONCEPTS["freezing"].title


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_hostile_names_and_other_versions_do_no_harm(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    run = RecordedRun(tmp_path, spec_of("fine-tuning"))
    run.folder.spec_path.write_text("[model]\nstrategy = 'of tomorrow'\n")
    hostile = "[/oops]\x1b[31m\n\udcff"
    run.writer.write("stage_started", stage=0, name=hostile, epochs=3, optimizer=hostile,
                     parameters=5, trainable_parameters=5, prefix=hostile,
                     layers=[{"name": hostile, "kind": hostile, "parameters": 5, "block": hostile,
                              "output_shape": [5], "requested": "trains"}])  # fmt: skip

    async with driven(tmp_path, size) as (app, pilot):
        await open_layers(app, pilot)
        await pilot.press("asterisk", "down")
        await pilot.pause()
        text = shown(app)
        assert "\x1b" not in text
        assert "[/oops]\\e[31m" in text


async def test_a_missing_run_is_reported(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await app.push_screen(LayersScreen("[/gone]"))
        await until(pilot, lambda: "There is no run [/gone]" in shown(app), "the words")
        await pilot.press("right", "left", "asterisk", "enter", "v")


async def open_draft(
    app: WorkbenchApp, pilot: Pilot[Any], preset: str, benchmark: BenchmarkResult | None = FIGURES
) -> list[ExperimentSpec]:
    done: list[ExperimentSpec] = []
    draft = Draft(app.workspace, draft_writer=app.draft_writer)
    draft.set_source(app.workspace.root / "photos", FACTS)
    draft.set_preset(preset)
    if preset == "fine-tuning":  # on images as they are, so that the frozen part runs once
        draft.update({"augmentation.random_crop": 0.0, "augmentation.horizontal_flip": False})
    await app.push_screen(LayersStep(draft, draft.spec(), benchmark, done.append))
    await until(pilot, lambda: app.screen.query_one(LayerTable).row_count, "layers")
    return done


def trainable(app: WorkbenchApp) -> tuple[str, ...]:
    assert isinstance(app.screen, LayersStep)
    assert app.screen.spec.base is not None
    return app.screen.spec.base.trainable


async def test_a_draft_shows_the_cost_of_a_choice(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        done = await open_draft(app, pilot, "fine-tuning")
        text = shown(app)
        assert "7,079,937 of 14,715,201 (48 %) trainable, 7,635,264 frozen" in text
        assert "block1-block4 run once: about" in text
        assert "on disk, then never again" in text
        assert "if not cached" in text
        assert "ok: the head is solved first" in text
        await pilot.press("down", "down", "down", "space")  # block4, too
        assert trainable(app) == ("block4", "block5")
        assert "block1-block3 run once" in shown(app)
        await pilot.press("space", "right", "down", "down", "space")  # one layer of it
        assert trainable(app) == ("block4_conv2", "block5")
        assert row(app, "block block4")[0].startswith("[~]")
        assert "7: train all from block4_conv2 up" in shown(app)
        await pilot.press("7")
        assert trainable(app) == ("block4_conv2", "block4_conv3", "block5")
        await pilot.press("U")
        assert trainable(app) == ("block5",)
        await pilot.press("enter")
        await until(pilot, lambda: done, "the choice")
        assert done[0].base is not None
        assert done[0].base.trainable == ("block5",)
        assert isinstance(app.screen, LayersStep)  # the next screen opens over it


async def test_an_impossible_choice_is_refused(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_draft(app, pilot, "fine-tuning", benchmark=None)
        assert "once the machine check has measured" in shown(app)
        await pilot.press("end", "space")
        assert "it always trains" in shown(app)
        await pilot.press("up", "space")
        assert "base.trainable is empty" in shown(app)
        assert trainable(app) == ("block5",)
        await pilot.press("right", "end", "up", "space")
        assert "block5_pool has no weights to train" in shown(app)


async def test_a_convnet_draft_loses_its_pooling(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_draft(app, pilot, "convnet")
        before = row(app, "layer dense1")[2]
        await pilot.press("end", "up", "up", "up")
        for _ in range(3):
            await pilot.press("space", "up", "up")
        assert "layer pool4" not in keys(app)
        assert len(row(app, "layer dense1")[2]) > len(before)
        assert "7: pooling after every block" in shown(app)
        await pilot.press("7")
        assert row(app, "layer dense1")[2] == before
        await pilot.press("home", "space")  # conv1: its block's pooling
        assert "layer pool1" not in keys(app)


@pytest.mark.parametrize("preset", ["dense", "feature-extraction"])
async def test_a_strategy_without_choice_says_why(tmp_path: Path, preset: str) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_draft(app, pilot, preset)
        assert isinstance(app.screen, LayersStep)
        spec = app.screen.draft.spec()
        await pilot.press("space", "U", "7", "v")
        assert isinstance(app.screen, LayersStep)
        assert app.screen.spec == spec
        text = "nothing pretrained" if preset == "dense" else "choose fine-tuning"
        assert text in shown(app)


async def test_a_draft_keeps_what_was_toggled(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await open_draft(app, pilot, "convnet")
        step = app.screen
        assert isinstance(step, LayersStep)
        await pilot.press("down", "down", "space", "escape")
        await until(pilot, lambda: app.screen is not step, "the screen before")
        kept = newest_draft(app.workspace, app.draft_writer)
        assert kept is not None
        assert kept.spec().model.convolutions.pooling == (True, False, True, True)
        assert kept.spec() == step.spec


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
