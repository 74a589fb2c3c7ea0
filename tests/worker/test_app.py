"""The app from an empty workspace to results, with a real worker and a disconnect."""

import signal
from pathlib import Path
from typing import Any

import pytest
from person import signal_worker
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static
from ui_pilot import drive, until

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, list_runs
from workbench.ui.app import WorkbenchApp

pytestmark = pytest.mark.worker


def screen(app: WorkbenchApp) -> str:
    return type(app.screen).__name__


def screen_text(app: WorkbenchApp) -> str:
    """Return the text of all Static widgets of the screen."""
    return "\n".join(str(widget.content) for widget in app.screen.query(Static))


async def shown(pilot: Pilot[Any], name: str) -> None:
    await until(pilot, lambda: screen(pilot.app) == name, name)  # type: ignore[arg-type]


async def choose(pilot: Pilot[Any], key: str, value: str) -> None:
    """Set an option of the strategy screen."""
    table = pilot.app.screen.query_one("#options", DataTable)
    await until(pilot, lambda: table.row_count, "the options")
    keys = [str(table.get_row_at(row)[0]) for row in range(table.row_count)]
    table.move_cursor(row=keys.index(key))
    table.focus()
    await pilot.press("enter")
    await shown(pilot, "OptionScreen")
    await pilot.press("ctrl+u", *value, "enter")
    await shown(pilot, "StrategyScreen")


def epochs_done(run: RunFolder) -> int:
    return run.events_path.exists() and run.events_path.read_bytes().count(b'"epoch_finished"')


def a_zero(folder: Path) -> Path:
    """Save one of the digits outside of the data set."""
    path = folder / "zero.png"
    (first, *_) = sorted((folder / "data" / "digits" / "source" / "0").iterdir())
    with Image.open(first) as image:
        image.save(path)
    return path


async def predict(pilot: Pilot[Any], digit: Path) -> None:
    """Type a wrong path, fix it, and wait for the prediction of a worker."""
    app: WorkbenchApp = pilot.app  # type: ignore[assignment]
    await pilot.press("p")
    line = app.screen.query_one("#path", Input)
    await until(pilot, lambda: line.has_focus, "the line for a path")
    await pilot.press(*f"{digit}x", "enter")
    await until(
        pilot, lambda: f"There is no file or folder {digit}x." in screen_text(app), "no image"
    )
    await pilot.press("backspace", "enter")
    await until(pilot, lambda: "1 predicted" in screen_text(app), "the prediction")
    answers = app.screen.query_one("#rows", DataTable)
    label, probability, path = map(str, answers.get_row_at(0))
    assert (label, Path(path).name) == ("0", digit.name)
    assert 0.5 < float(probability) <= 1.0


def test_new_experiment_to_results_with_a_disconnect(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    epochs = 12

    async def begin(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "No runs yet in" in screen_text(app), "an empty home")
        await pilot.press("n")
        await shown(pilot, "MachineStep")
        await pilot.press("n")
        await shown(pilot, "DataScreen")
        await pilot.press("tab", "enter")  # the digits, which need no network
        await until(pilot, lambda: "1,797 images in 10 classes" in screen_text(app), "the scan")
        await pilot.press("enter")
        await shown(pilot, "StrategyScreen")
        strategies = app.screen.query_one("StrategyList")
        strategies.highlighted = 1  # type: ignore[attr-defined]
        await until(pilot, lambda: "train all" in screen_text(app), "the convnet's plan")
        await choose(pilot, "training.epochs", str(epochs))
        await choose(pilot, "training.early_stopping", "0")
        strategies.focus()
        await pilot.press("enter")
        await shown(pilot, "LayersStep")
        before = screen_text(app)
        await pilot.press("space")  # the first block without pooling: many more parameters
        await until(pilot, lambda: screen_text(app) != before, "other numbers")
        await pilot.press("space", "enter")
        await shown(pilot, "StartScreen")
        await pilot.press("enter")
        await shown(pilot, "TrainScreen")
        (run,) = list_runs(workspace)
        await until(pilot, lambda: epochs_done(run) >= 2, "two epochs")
        # How slowly the app draws and closes is no matter; a fast machine may be further.
        signal_worker(run, signal.SIGSTOP)
        later = [f"epoch {number}/" for number in range(2, epochs + 1)]
        await until(pilot, lambda: any(one in screen_text(app) for one in later), "a later epoch")

    drive(tmp_path, begin)
    (run,) = list_runs(workspace)
    assert not run.model_path.exists()
    signal_worker(run, signal.SIGCONT)  # the app is closed, the worker trains on

    async def attach(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.find_run(run.name) is not None, "the run")
        await pilot.press("enter")
        await shown(pilot, "TrainScreen")
        await until(pilot, lambda: "Finished." in screen_text(app), "the end")
        view = app.find_run(run.name)
        assert view is not None
        assert [row.epoch for row in view.history.epochs] == list(range(1, epochs + 1))
        await pilot.press("enter")
        await shown(pilot, "ResultsScreen")
        await until(pilot, lambda: "95 % confidence" in screen_text(app), "the metrics")
        await predict(pilot, a_zero(tmp_path))

    drive(tmp_path, attach, size=(120, 40))
    assert run.model_path.exists()
