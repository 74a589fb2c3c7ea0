"""The curves of several runs in one plot."""

from pathlib import Path
from typing import Any

import pytest
from event_lines import event
from fake_runs import CONVNET, FakeRun
from textual.pilot import Pilot
from textual.widgets import Static
from ui_pilot import drive, until

from workbench.paths import Workspace
from workbench.render.compare_curves import curve_options, legend, run_series
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.watch import RunView
from workbench.ui.app import WorkbenchApp
from workbench.ui.compare import COLORS, CompareCurvesScreen, CompareScreen, run_colors
from workbench.ui.terminal import DARK
from workbench.ui.widgets.lines import LinePlot

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
    colors = run_colors(3, THEME)
    first, second = run_series(views, "accuracy", colors)
    assert (first.name, first.values, first.color) == ("a", (0.5, 0.7), "#5FAFD7")
    assert (second.name, second.values, second.color) == ("b", (0.6, 0.8, 0.9), "#87D787")
    assert first.marker != second.marker
    assert curve_options(views, utf8=True).epochs == 3
    assert curve_options({"gone": None}, utf8=True).epochs == 1


def test_curves_of_other_data_are_marked() -> None:
    views = {
        "a": a_view(0.5, source="birds"), "b": a_view(0.5, source="cats"),
        "c": a_view(0.5, source="birds"), "d": a_view(source="cats"),
    }  # fmt: skip
    text = legend(views, run_colors(4, THEME), 78, 2, utf8=False).plain
    assert text == "* a   o b other data   + c   x d no epoch yet other data"


def test_colors_repeat_after_the_last() -> None:
    colors = run_colors(8, THEME)
    assert len(set(colors[:7])) == 7
    assert colors[7] == colors[0]


def test_the_legend_gives_the_reason_for_a_missing_curve() -> None:
    views = {"a": a_view(0.5), "b": None, "c": a_view(), "d": a_view(None)}
    text = legend(views, run_colors(4, THEME), 78, 2, utf8=False).plain
    assert text == "* a   o b is gone   + c no epoch yet   x d no validation"


@pytest.mark.parametrize(("runs", "last"), [(8, "* run-7"), (9, "and 3 more")])
def test_the_legend_has_so_many_rows_and_counts_the_others(runs: int, last: str) -> None:
    views = {f"run-{at}": a_view(0.5) for at in range(runs)}
    lines = legend(views, run_colors(runs, THEME), 38, 2, utf8=False).plain.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 38
    assert lines[-1].endswith(last)


def shown(app: WorkbenchApp, widget: str) -> str:
    return str(app.screen.query_one(widget, Static).content)


@pytest.mark.parametrize("runs", [2, 9])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_curves_of_all_runs_are_drawn(tmp_path: Path, runs: int, size: tuple[int, int]) -> None:
    names = [f"run-{at}" for at in range(runs - 1)] + [LONG]
    made = [FakeRun(Workspace(tmp_path), name, CONVNET.format(epochs=5)) for name in names]
    for run in made:
        run.epochs(0, 5)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = True
        await until(pilot, lambda: len(app.runs) == runs, "the runs")
        await app.push_screen(CompareScreen(names))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, CompareCurvesScreen), "the curves")
        words = "a-name-that-is-…t-is-cut"
        await until(pilot, lambda: words in shown(app, "#legend"), "the legend")
        assert all(name in shown(app, "#legend") for name in names[:-1])
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

    drive(tmp_path, play, size)
