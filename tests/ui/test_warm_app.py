"""A worker is warm while somebody is on the way to a run, and only then."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_pilot import FakeWarmWorker, drive, until

from workbench.app.draft import Draft
from workbench.ui import guide
from workbench.ui.app import WorkbenchApp
from workbench.ui.home import HomeScreen
from workbench.ui.machine.screen import MachineScreen


@pytest.fixture(autouse=True)
def _no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MachineScreen, "on_mount", lambda self: self.refresh_heading())


def test_the_way_to_a_run_warms_a_worker_and_home_lets_it_go(
    tmp_path: Path, warm_workers: list[FakeWarmWorker]
) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "home")
        assert app.warm is None
        await pilot.press("n")
        await until(pilot, lambda: app.warm, "a warm worker")
        await pilot.press("n")
        await until(pilot, lambda: type(app.screen).__name__ == "DataScreen", "the next step")
        assert [worker.is_waiting for worker in warm_workers] == [True]
        while not isinstance(app.screen, HomeScreen):
            await pilot.press("escape")
        await until(pilot, lambda: not warm_workers[0].is_waiting, "its end")
        await pilot.press("n")
        await until(pilot, lambda: len(warm_workers) == 2, "another one")

    drive(tmp_path, play)
    assert [worker.is_waiting for worker in warm_workers] == [False, False]


def test_one_that_was_used_or_died_is_replaced(
    tmp_path: Path, warm_workers: list[FakeWarmWorker]
) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        guide.open_draft(app, Draft(app.workspace))
        await until(pilot, lambda: len(warm_workers) == 1, "a warm worker")
        guide.open_draft(app, Draft(app.workspace))
        await app.workers.wait_for_complete([w for w in app.workers if w.group == "warm"])
        assert len(warm_workers) == 1
        warm_workers[0].is_waiting = False
        guide.open_draft(app, Draft(app.workspace))
        await until(pilot, lambda: len(warm_workers) == 2, "another one")

    drive(tmp_path, play)
