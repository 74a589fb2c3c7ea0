"""A sweep in the app: opened from Home, watched, stopped, resumed; one run of several seeds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_runs import CONVNET, FakeRun
from made_sweeps import made_ladder, made_sweep
from textual.widgets import DataTable
from ui_pilot import driven, notices, text_of, until

from workbench.paths import Workspace
from workbench.runs import sweep_queue
from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested
from workbench.runs.sweep import SweepTrial, find_sweep
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Confirm, PickName
from workbench.ui.ladder.sweep import SweepScreen
from workbench.ui.results.screen import ResultsScreen

SPEC = CONVNET.format(epochs=9).replace('"convnet"', '"convnet"\nfilters = [8]')
RATE = "training.learning_rate"


@pytest.fixture
def training(tmp_path: Path) -> Iterator[FakeRun]:
    """The sweep `rates`: 0.1 finished with both seeds; of 0.5 one trains, one is planned."""
    workspace = Workspace(tmp_path)
    for seed, value in ((1, 0.75), (2, 0.85)):
        run = FakeRun(workspace, f"rates-{seed}", SPEC)
        run.stage(0, "train all", 9)
        run.emit("epoch_finished", stage=0, epoch=1, val_accuracy=value, best=True)
        run.emit("evaluated", split="test", accuracy=0.5, interval=[0.4, 0.6], images=100)
        run.emit("finished", seconds=5)
    last = FakeRun(workspace, "rates-3", SPEC)
    last.live()
    last.stage(0, "train all", 9)
    names = ["rates-1", "rates-2", "rates-3", ""]
    made_sweep(workspace, "rates", [
        SweepTrial({RATE: 0.1 if at < 2 else 0.5}, seed=1 + at % 2, spec=SPEC, run=name)
        for at, name in enumerate(names)
    ])  # fmt: skip
    yield last
    last.die()


def table(app: WorkbenchApp) -> list[list[str]]:
    found = app.screen.query(DataTable)
    rows = range(found.first().row_count if found else 0)
    return [[str(cell).strip() for cell in found.first().get_row_at(row)] for row in rows]


async def test_a_sweep_is_opened_watched_stopped_and_resumed(
    tmp_path: Path, training: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[tuple[str, bool]] = []

    def launch(folder: RunFolder, resume: bool, **_: Any) -> None:
        launched.append((folder.name, resume))

    monkeypatch.setattr(sweep_queue, "launch", launch)
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: "1 sweep (A)" in text_of(app.screen, "#heading"), "home")
        await pilot.press("A")
        await until(pilot, lambda: len(table(app)) == 2, "the trials")
        assert isinstance(app.screen, SweepScreen)
        heading = "rates  2 of 4 runs finished, 1 running, 1 planned"
        assert heading in text_of(app.screen, "#heading")
        assert app.screen.copyable() == [("command", "workbench sweep rates")]
        # 0.8 +- 12.706 * 0.0707 / sqrt(2) = 0.635; an accuracy ends at 1.
        assert table(app) == [
            ["0.1", "2 finished ✓", "0.8000", "0.165-1.000", "-"],
            ["0.5", "0 of 2 done", "-", "-", "-"],
        ]
        assert "Ranked by accuracy on validation" in text_of(app.screen, "#note")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickName), "which seed")
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, ResultsScreen), "its results")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, SweepScreen), "the sweep")

        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        await pilot.press("y")
        await until(pilot, lambda: "Stop requested for 1 run" in notices(app), "the stop")
        assert stop_requested(training.folder)
        training.emit("stopped", stage=0, epoch=1, step=3)
        training.die()
        await pilot.press("down")
        await until(pilot, lambda: "rates-3: stopped" in text_of(app.screen, "#detail"), "the end")
        await pilot.press("r")
        await until(pilot, lambda: "2 runs queued." in notices(app), "the rest is queued")
        assert launched == [("rates-3", True), ("rates-4", False)]
        assert find_sweep(app.workspace, "rates").runs[-1] == "rates-4"
        await until(pilot, lambda: "planned" not in text_of(app.screen, "#heading"), "its run")


async def test_home_asks_which_of_ladders_and_sweeps(tmp_path: Path, training: FakeRun) -> None:
    made_ladder(Workspace(tmp_path), "pets", "p", [("dense", SPEC)])
    async with driven(tmp_path) as (app, pilot):
        await until(
            pilot, lambda: "1 ladder, 1 sweep (A)" in text_of(app.screen, "#heading"), "home"
        )
        commands = {one.title for one in app.get_system_commands(app.screen)}
        assert {"Open ladder pets", "Open sweep rates"} <= commands
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, PickName), "which")
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, SweepScreen), "the sweep")
