"""What screens stand on: work in a thread, and a warm worker on the way to a run."""

import threading
from pathlib import Path
from typing import Any

import pytest
from ui_pilot import FakeWarmWorker, driven, until

from workbench.app.draft import Draft
from workbench.errors import UserError
from workbench.ui import guide
from workbench.ui.app import WorkbenchApp
from workbench.ui.base import in_background, notify_error
from workbench.ui.concepts import ConceptsScreen
from workbench.ui.dialogs import Prompt
from workbench.ui.home.screen import HomeScreen
from workbench.ui.machine.screen import MachineScreen


def notices(app: WorkbenchApp) -> list[tuple[str, str]]:
    return [(one.severity, one.message) for one in app._notifications]


async def test_the_outcome_comes_back_to_the_event_loop(tmp_path: Path) -> None:
    outcome: list[tuple[str, bool, bool]] = []

    async with driven(tmp_path) as (app, pilot):
        loop = threading.get_ident()

        def then(worked_in: int) -> None:
            outcome.append(("done", worked_in != loop, threading.get_ident() == loop))

        in_background(app.screen, threading.get_ident, then)
        await until(pilot, lambda: outcome, "the outcome")
    assert outcome == [("done", True, True)]


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (UserError("No [room]\x1b[2J.", "Make some."), "No [room]\\e[2J.\nMake some."),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (KeyError("stage"), "'stage'"),
        (AssertionError(), "AssertionError"),
    ],
)
async def test_every_error_is_shown(tmp_path: Path, problem: Exception, words: str) -> None:
    async with driven(tmp_path) as (app, pilot):

        def fail() -> None:
            raise problem

        in_background(app.screen, fail, lambda done: app.notify("it went well"))
        await until(pilot, lambda: notices(app), "the error")
        assert notices(app) == [("error", words)]


async def test_a_closed_screen_gets_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    async with driven(tmp_path) as (app, pilot):
        left, called = threading.Event(), threading.Event()

        def work() -> str:
            left.wait()
            return "late"

        screen = ConceptsScreen(("overfitting",))
        await app.push_screen(screen)
        real = screen.call_later

        def call_later(*arguments: Any) -> None:
            real(*arguments)
            called.set()

        monkeypatch.setattr(screen, "call_later", call_later)
        in_background(screen, work, heard.append)
        await app.pop_screen()
        left.set()
        await until(pilot, called.is_set, "the outcome is there")
        await pilot.pause()
        assert notices(app) == []
    assert heard == []


@pytest.fixture(autouse=True)
def _no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MachineScreen, "on_mount", lambda self: self.refresh_heading())


async def test_the_way_to_a_run_warms_a_worker_and_home_lets_it_go(
    tmp_path: Path, warm_workers: list[FakeWarmWorker]
) -> None:
    async with driven(tmp_path) as (app, pilot):
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
    assert [worker.is_waiting for worker in warm_workers] == [False, False]


async def test_one_that_was_used_or_died_is_replaced(
    tmp_path: Path, warm_workers: list[FakeWarmWorker]
) -> None:
    async with driven(tmp_path) as (app, pilot):
        guide.open_draft(app, Draft(app.workspace))
        await until(pilot, lambda: len(warm_workers) == 1, "a warm worker")
        guide.open_draft(app, Draft(app.workspace))
        await app.workers.wait_for_complete([w for w in app.workers if w.group == "warm"])
        assert len(warm_workers) == 1
        warm_workers[0].is_waiting = False
        guide.open_draft(app, Draft(app.workspace))
        await until(pilot, lambda: len(warm_workers) == 2, "another one")


async def test_escape_closes_a_dialog_before_it_removes_notifications(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        app._disable_notifications = False  # as they are outside tests
        home = app.screen
        app.notify("something")
        app.push_screen(Prompt("a question"))
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the dialog")
        await pilot.press("escape")
        assert app.screen is home
        assert len(notices(app)) == 1
        await pilot.press("escape")
        assert notices(app) == []


async def test_escape_removes_the_notifications_and_another_screen_all_but_errors(
    tmp_path: Path,
) -> None:
    async with driven(tmp_path) as (app, pilot):
        app._disable_notifications = False  # as they are outside tests
        home = app.screen
        app.open("settings")
        await until(pilot, lambda: app.screen is not home, "the settings")
        settings = app.screen
        app.notify("told")
        notify_error(app, "failed")
        await until(pilot, lambda: len(notices(app)) == 2, "two")
        await pilot.press("escape")
        assert notices(app) == []
        assert app.screen is settings
        app.notify("told")
        notify_error(app, "failed again")
        await until(pilot, lambda: len(notices(app)) == 2, "two")
        app.notify("of the next screen")
        app.open("lessons")
        await until(pilot, lambda: app.screen is not settings, "the lessons")
        left = [("error", "failed again"), ("information", "of the next screen")]
        await until(pilot, lambda: notices(app) == left, "the error, and what belongs there")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is settings, "back")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home, "home")
