"""Runs side by side, the grid they are drawn in, and their curves in one plot."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter, event
from fake_runs import CONVNET, FakeRun
from textual.containers import ScrollableContainer
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from ui_pilot import driven, text_of, until

from workbench.analysis.compare import Comparison, DifferenceRow, RunResult, StageMetrics
from workbench.app.run_files import compare_runs
from workbench.datasets.manifest import ImageRecord, write_manifest
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.render.compare import comparison_grid, format_comparison
from workbench.render.compared_curves import curve_options, legend, run_series
from workbench.render.layers import describe_stage
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.history import History, fold
from workbench.runs.watch import RunView
from workbench.ui.app import WorkbenchApp
from workbench.ui.compare import CompareCurvesScreen, CompareScreen
from workbench.ui.pick_run import PickRun, PickRuns
from workbench.ui.terminal import DARK
from workbench.ui.widgets.lines import COLORS, LinePlot, series_colors

HOSTILE = "[/oops]\x1b[31m\n\udcff"
ROOM = 77
A = RunResult("a", "finished", "test", 0.9, (0.85, 0.94), 100, 1_000, 61.0, 3, False)
B = RunResult("b", "finished", "test", 0.8, (0.75, 0.849), 100, 2_000, 5.0, None, True)


def make_run(
    root: Path, name: str, accuracy: float | None, epochs: int = 3, source: str = "photos"
) -> RunFolder:
    text = (
        f'[model]\nstrategy = "convnet"\nfilters = [8]\n[data]\nsource = "{source}"\n'
        f"[training]\nepochs = {epochs}\n"
    )
    run = create_run(Workspace(root), text, name, "")
    writer = LogWriter(run.events_path)
    writer.write("worker_started")
    layer = {"name": "conv", "parameters": 8, "requested": "trains" if epochs > 3 else "frozen"}
    writer.write(
        "stage_started", stage=0, name="all layers", epochs=epochs, steps=2, optimizer="adam",
        learning_rate=0.001, parameters=1234, trainable_parameters=56, layers=[layer],
    )  # fmt: skip
    writer.write("epoch_finished", stage=0, epoch=1, val_accuracy=0.7, best=True)
    if accuracy is not None:
        bounds = [accuracy - 0.02, accuracy + 0.02]
        writer.write("evaluated", split="test", accuracy=accuracy, interval=bounds, images=1)
        writer.write("finished", seconds=1.0)
    write_manifest(run.manifest_path, [ImageRecord("a.png", "cat", "test", 8, 8, 100, "0" * 32)])
    return run


def sheet(app: WorkbenchApp) -> str:
    """The comparison with single spaces."""
    return " ".join(str(app.screen.query_one("#comparison", Static).content).split())


async def open_comparison(
    app: WorkbenchApp, pilot: Pilot[Any], words: str, *names: str
) -> CompareScreen:
    screen = CompareScreen(names)
    await app.push_screen(screen)
    await until(pilot, lambda: words in sheet(app), words)
    return screen


async def test_conclusions_come_first_then_differences(tmp_path: Path) -> None:
    make_run(tmp_path, "weak", 0.8)
    make_run(tmp_path, "strong", 0.9, epochs=5)

    async with driven(tmp_path) as (app, pilot):
        screen = await open_comparison(app, pilot, "results", "weak", "strong")
        text = sheet(app)
        assert text.startswith(
            "All were measured on the same 1 test image. "
            "strong is better, beyond chance: its interval overlaps with no other. weak strong"
        )
        assert "accuracy 0.8000 0.9000" in text
        assert "settings that differ training.epochs 3 5" in text
        assert "layers not frozen alike conv frozen trains" in text
        assert "stage 1 all layers all layers epochs 1/3 1/5 best epoch 1 1" in text
        assert "optimizer adam 0.001 adam 0.001" in text
        assert screen.copyable() == [("command", "workbench compare weak strong --all")]
        assert "2 runs weak, strong" in " ".join(
            str(app.screen.query_one("#heading", Static).content).split()
        )


async def test_many_runs_scroll_both_ways(tmp_path: Path) -> None:
    names = [f"run-{number}" for number in range(6)]
    for number, name in enumerate(names):
        make_run(tmp_path, name, 0.5, epochs=number + 1)

    async with driven(tmp_path) as (app, pilot):
        await open_comparison(app, pilot, "results", *names)
        box = app.screen.query_one("#sheet", ScrollableContainer)
        await until(pilot, lambda: box.max_scroll_x and box.max_scroll_y, "room to scroll")
        await pilot.press("right", "down")
        await until(pilot, lambda: box.scroll_x > 0 and box.scroll_y > 0, "scrolled")
        await pilot.resize_terminal(120, 40)
        await pilot.press("escape")
        assert not isinstance(app.screen, CompareScreen)


async def test_a_run_that_progressed_is_read_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, "at-work", None)
    make_run(tmp_path, "done", 0.9)

    async with driven(tmp_path) as (app, pilot):
        await open_comparison(app, pilot, "accuracy interrupted 0.9000", "at-work", "done")
        writer = LogWriter(run.events_path)
        writer.write("evaluated", split="test", accuracy=0.75, interval=[0.7, 0.8], images=1)
        await until(pilot, lambda: "accuracy 0.7500 0.9000" in sheet(app), "the new figure")


async def test_a_run_that_is_gone_is_reported(tmp_path: Path) -> None:
    run = make_run(tmp_path, "gone", 0.9)
    make_run(tmp_path, "left", 0.9)

    async with driven(tmp_path) as (app, pilot):
        await open_comparison(app, pilot, "too close to call", "gone", "left")
        shutil.rmtree(run.path)
        await until(pilot, lambda: "There is no run 'gone' in" in sheet(app), "the reason")
        await pilot.resize_terminal(120, 40)
        assert "There is no run 'gone' in" in sheet(app)


async def test_runs_to_choose_from_look_as_they_do_at_home(tmp_path: Path) -> None:
    make_run(tmp_path, "begun", None)
    make_run(tmp_path, "done", 0.9)
    make_run(tmp_path, "first", 0.8)

    async with driven(tmp_path) as (app, pilot):
        app.utf8 = True
        await until(pilot, lambda: len(app.runs) == 3, "the runs")
        runs = [view for view in app.runs if view.name != "first"]
        about = app.find_run("first")
        assert about is not None
        for picker in (PickRuns("Which?", about, runs), PickRun("Which?", about, runs)):
            app.push_screen(picker)
            await until(pilot, lambda asked=picker: app.screen is asked, "the question")
            text = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
            found = {line.removeprefix("[ ] ").rstrip() for line in text}
            assert found == {
                f"{'interrupted ! begun':<32}{'convnet':<9}0.700 v",
                f"{'finished    ✓ done':<32}{'convnet':<9}0.900",
            }
            await pilot.press("escape")


async def test_runs_on_other_data_are_offered_last(tmp_path: Path) -> None:
    for name, source in (("about", "photos"), ("same", "photos"), ("other" * 12, "birds")):
        make_run(tmp_path, name, 0.9, source=source)

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: len(app.runs) == 3, "the runs")
        assert app.runs[0].name == "other" * 12  # the newest
        about = app.find_run("about")
        assert about is not None
        picker = PickRuns("Which?", about, [view for view in app.runs if view is not about])
        app.push_screen(picker)
        await until(pilot, lambda: app.screen is picker, "the question")
        options = app.screen.query_one(OptionList)
        same, other = (str(option.prompt).split() for option in options.options)
        assert (same[4], same[-1]) == ("same", "0.900")
        assert other[-3:] == ["0.900", "other", "data"]
        assert "…" in other[4]
        room = options.scrollable_content_region.width
        assert len(str(options.options[1].prompt)) <= room


async def test_hostile_and_damaged_runs_do_no_harm(tmp_path: Path) -> None:
    bad = make_run(tmp_path, "bad", 0.9)
    other = make_run(tmp_path, "other", 0.9)
    bad.spec_path.write_text('[model]\nstrategy = "[/oops]"\nwhen = 2020-01-01\nodd = nan\n')
    other.spec_path.write_text('[model]\nstrategy = "convnet"\nwhen = 2020-01-02\n')
    bad.manifest_path.write_text("nonsense")
    writer = LogWriter(bad.events_path)
    layers = [None, 3, {"name": HOSTILE, "requested": HOSTILE, "parameters": "many"}]
    writer.write("stage_started", stage=1, name=HOSTILE, epochs=-1, optimizer=[HOSTILE],
                 learning_rate="fast", layers=layers)  # fmt: skip
    other.events_path.write_bytes(other.events_path.read_bytes() + b"\xff\x00{[\n")

    async with driven(tmp_path) as (app, pilot):
        await open_comparison(app, pilot, "is unknown", "bad", "other")
        text = str(app.screen.query_one("#comparison", Static).content)
        assert "[/oops]" in text
        assert "2020-01-01" in text
        assert not {"\x1b", "\udcff"} & set(text)


def test_one_run_is_no_comparison(tmp_path: Path) -> None:
    make_run(tmp_path, "only", 0.9)
    with pytest.raises(UserError, match="at least two"):
        compare_runs(Workspace(tmp_path), ["only", "latest"])


def comparison(*results: RunResult, **changes: Any) -> Comparison:
    counts = tuple(r.images for r in results)
    text: dict[str, Any] = {"spec": [], "layers": [], "stages": [], **changes}
    return Comparison(tuple(r.run for r in results), results=list(results), test_images=counts,
                      shared_test_images=100, pairs=[], **text)  # fmt: skip


def rows(text: Comparison, room: int = ROOM) -> list[str]:
    return comparison_grid(text, room).plain.splitlines()


def test_two_runs_fit_a_narrow_terminal() -> None:
    long = DifferenceRow("a.key.that.is.rather.long.as.keys.go", ("x" * 60, [1, 2, 3]))
    lines = rows(comparison(A, B, spec=[long]))
    assert max(map(len, lines)) <= ROOM
    assert ["base", "-", "random", "weights"] in [line.split() for line in lines]


def test_an_empty_text_is_a_dash() -> None:
    spec = [DifferenceRow("data.corrections", ("", "/photos/corrections.csv"))]
    cells = [line.split() for line in rows(comparison(A, B, spec=spec))]
    assert ["data.corrections", "-", "/photos/corrections.csv"] in cells
    words = format_comparison(comparison(A, B, spec=spec)).splitlines()
    assert "data.corrections  -  /photos/corrections.csv" in words


def test_equal_specs_are_reported() -> None:
    assert "the settings are the same" in rows(comparison(A, B))


def test_a_stage_that_a_run_does_not_have_is_a_dash() -> None:
    stages = [
        StageMetrics("a", 0, "head", "adam", 0.001, 7, 3, 4, 2, 0.75),
        StageMetrics("b", 0, "head", "adam", None, None, 0, 4, None, None),
        StageMetrics("b", 1, "all", "adam", 1e-5, 9, 1, 4, 1, 0.8),
    ]
    cells = [line.split() for line in rows(comparison(A, B, stages=stages))]
    assert ["stage", "2", "-", "all"] in cells
    assert ["epochs", "-", "1/4"] in cells
    assert ["best", "validation", "0.7500", "-"] in cells


THEME = {name: getattr(DARK, name) for name in COLORS}
LONG = "a-name-that-is-long-however-it-is-cut"


def a_view(*accuracies: float | None, source: str = "birds") -> RunView:
    """A run with so many epochs."""
    events = [
        event("epoch_finished", stage=0, epoch=n, val_accuracy=a, val_loss=a)
        for n, a in enumerate(accuracies, start=1)
    ]
    history: History = fold(events)
    spec = {"data": {"source": source}}
    return RunView(RunFolder(Path()), None, history, spec)  # type: ignore[arg-type]


def test_each_run_has_a_curve_of_its_own_color() -> None:
    views = {"a": a_view(0.5, 0.7), "gone": None, "b": a_view(0.6, 0.8, 0.9)}
    colors = series_colors(3, THEME)
    first, second = run_series(views, "accuracy", colors)
    assert (first.name, first.values, first.color) == ("a", (0.5, 0.7), "#5FAFD7")
    assert (second.name, second.values, second.color) == ("b", (0.6, 0.8, 0.9), "#87D787")
    assert first.marker != second.marker
    assert curve_options(views, utf8=True).epochs == 3
    assert curve_options({"gone": None}, utf8=True).epochs == 1


def test_the_curves_have_as_many_epochs_as_a_run_has_trained() -> None:
    """A head that is solved has none, and its result is no epoch of the next stage."""
    solved = [
        event("stage_started", stage=0, kind="solve", epochs=1),
        event("epoch_finished", stage=0, epoch=1, val_accuracy=0.4),
    ]
    more = [
        event("stage_started", stage=1, epochs=2),
        *(
            event("epoch_finished", stage=1, epoch=epoch, val_accuracy=accuracy)
            for epoch, accuracy in enumerate((0.5, 0.6, 0.7))
        ),
    ]
    both = replace(a_view(), history=fold([*solved, *more]))
    (series,) = run_series({"both": both}, "accuracy", ["#ffffff"])
    assert series.values == (0.6, 0.7)
    assert curve_options({"both": both}, utf8=True).end_name == "2"
    stage = both.history.stages[1]
    assert describe_stage(stage, both.history).endswith("up to 2 epochs (2 done)")
    alone = {"head": replace(a_view(), history=fold(solved))}
    assert run_series(alone, "accuracy", ["#ffffff"])[0].values == (0.4,)


def test_curves_of_other_data_are_marked() -> None:
    views = {
        "a": a_view(0.5, source="birds"), "b": a_view(0.5, source="cats"),
        "c": a_view(0.5, source="birds"), "d": a_view(source="cats"),
    }  # fmt: skip
    text = legend(views, series_colors(4, THEME), 78, 2, utf8=False).plain
    assert text == "* a   o b other data   + c   x d no epoch yet other data"


def test_colors_repeat_after_the_last() -> None:
    colors = series_colors(8, THEME)
    assert len(set(colors[:7])) == 7
    assert colors[7] == colors[0]


def test_the_legend_gives_the_reason_for_a_missing_curve() -> None:
    views = {"a": a_view(0.5), "b": None, "c": a_view(), "d": a_view(None)}
    text = legend(views, series_colors(4, THEME), 78, 2, utf8=False).plain
    assert text == "* a   o b is gone   + c no epoch yet   x d no validation"


@pytest.mark.parametrize(("runs", "last"), [(8, "* run-7"), (9, "and 3 more")])
def test_the_legend_has_so_many_rows_and_counts_the_others(runs: int, last: str) -> None:
    views = {f"run-{at}": a_view(0.5) for at in range(runs)}
    lines = legend(views, series_colors(runs, THEME), 38, 2, utf8=False).plain.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 38
    assert lines[-1].endswith(last)


@pytest.mark.parametrize("runs", [2, 9])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_curves_of_all_runs_are_drawn(
    tmp_path: Path, runs: int, size: tuple[int, int]
) -> None:
    names = [f"run-{at}" for at in range(runs - 1)] + [LONG]
    made = [FakeRun(Workspace(tmp_path), name, CONVNET.format(epochs=5)) for name in names]
    for run in made:
        run.epochs(0, 5)

    async with driven(tmp_path, size) as (app, pilot):
        app.utf8 = True
        await until(pilot, lambda: len(app.runs) == runs, "the runs")
        await app.push_screen(CompareScreen(names))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, CompareCurvesScreen), "the curves")
        words = "a-name-that-is-…t-is-cut"
        await until(pilot, lambda: words in text_of(app.screen, "#legend"), "the legend")
        assert all(name in text_of(app.screen, "#legend") for name in names[:-1])
        accuracy, loss = app.screen.query(LinePlot)
        await until(pilot, lambda: "validation loss" in str(loss.render()), "the plots")
        assert "validation accuracy" in str(accuracy.render())
        await pilot.press("z")
        assert (accuracy.display, loss.display) == (True, False)
        await until(pilot, lambda: "run-0 0." in str(accuracy.render()), "room for its name")
        made[0].emit("epoch_finished", stage=0, epoch=6, val_accuracy=0.123, val_loss=0.1)
        await until(pilot, lambda: "run-0 0.123" in str(accuracy.render()), "another epoch")
        await pilot.press("z")
        assert (accuracy.display, loss.display) == (False, True)
        await pilot.press("z")
        assert (accuracy.display, loss.display) == (True, True)
        await pilot.press("escape")
        assert isinstance(app.screen, CompareScreen)
