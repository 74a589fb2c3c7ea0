"""A screen of lessons with a worker that a test plays."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from fake_lessons import EXAMPLES
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from ui_pilot import until
from waiting import GUARD

from workbench.app import lessons as learn_job
from workbench.errors import UserError
from workbench.lessons.catalogue import LESSONS
from workbench.ui.app import WorkbenchApp
from workbench.ui.lessons.screen import LessonsScreen

Reply = Callable[..., dict[str, Any]]


def fake_worker(monkeypatch: pytest.MonkeyPatch, reply: Reply) -> None:
    """Replace the worker by a function."""

    def run_job(job: str, request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        assert job == "lessons"
        return reply(request, on_event, on_start)

    monkeypatch.setattr(learn_job, "run_job", run_job)


def pooling_reply(seeds: int) -> dict[str, Any]:
    """The result of a worker for the lesson `pooling`."""
    runs = {name: [run] * seeds for name, run in EXAMPLES["pooling"].items()}
    return {"images": {"train": 20, "validation": 8, "test": 12}, "runs": runs}


def hang(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A worker that trains until it is ended; returns the list of exit codes to come."""
    ended: list[int] = []

    def reply(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        with subprocess.Popen(["sleep", "600"]) as process:
            on_start(process)
            on_event({"event": "progress", "phase": "train", "done": 1, "total": 60})
            ended.append(process.wait(GUARD))
        raise UserError("The worker for learn ended by signal SIGTERM.")

    fake_worker(monkeypatch, reply)
    return ended


def shown(app: WorkbenchApp, widget: str = "#results") -> str:
    return " ".join(str(app.screen.query_one(widget, Static).content).split())


async def open_at(app: WorkbenchApp, pilot: Pilot[Any], name: str) -> None:
    if not isinstance(app.screen, LessonsScreen):
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, LessonsScreen), "the screen")
    app.screen.query_one(OptionList).highlighted = list(LESSONS).index(name)
    await until(pilot, lambda: LESSONS[name].title in shown(app), name)
