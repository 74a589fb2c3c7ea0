"""Work in a thread: its outcome comes back to the screen, and its errors to the person."""

import threading
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from ui_pilot import drive, until

from workbench.errors import UserError
from workbench.ui.app import WorkbenchApp
from workbench.ui.base import in_background
from workbench.ui.concepts import ConceptsScreen


def notices(app: WorkbenchApp) -> list[tuple[str, str]]:
    return [(one.severity, one.message) for one in app._notifications]


def test_the_outcome_comes_back_to_the_event_loop(tmp_path: Path) -> None:
    outcome: list[tuple[str, bool, bool]] = []

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        loop = threading.get_ident()

        def then(worked_in: int) -> None:
            outcome.append(("done", worked_in != loop, threading.get_ident() == loop))

        in_background(app.screen, threading.get_ident, then)
        await until(pilot, lambda: outcome, "the outcome")

    drive(tmp_path, play)
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
def test_every_error_is_shown(tmp_path: Path, problem: Exception, words: str) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        def fail() -> None:
            raise problem

        in_background(app.screen, fail, lambda done: app.notify("it went well"))
        await until(pilot, lambda: notices(app), "the error")
        assert notices(app) == [("error", words)]

    drive(tmp_path, play)


def test_a_closed_screen_gets_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
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

    drive(tmp_path, play)
    assert heard == []
