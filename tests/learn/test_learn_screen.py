"""The screen of the experiments: what was kept, what a try brings, what it says when it fails."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up import EXAMPLES, results
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from ui_pilot import FakeWarmWorker, drive, until

from workbench.errors import UserError
from workbench.learn.catalogue import EXPERIMENTS
from workbench.learn.keeping import keep_results, newest_results
from workbench.paths import Workspace
from workbench.ui import app as app_module
from workbench.ui import learn_job
from workbench.ui.app import WorkbenchApp
from workbench.ui.concepts import CONCEPTS
from workbench.ui.screens import learn as learn_screen
from workbench.ui.screens.learn import LearnScreen

Answer = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The digits are a folder of small images, and no worker is started."""
    monkeypatch.setattr(app_module, "WarmWorker", FakeWarmWorker)
    monkeypatch.setattr(FakeWarmWorker, "made", [], raising=False)
    for label in range(2):
        folder = tmp_path / "digits" / str(label)
        folder.mkdir(parents=True)
        for number in range(20):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
    monkeypatch.setattr(learn_screen, "fetch", lambda *given: tmp_path / "digits")


def answers(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """The worker's answer to the request, in place of a worker."""

    def run_job(job: str, request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        assert job == "learn"
        return answer(request, on_event, on_start)

    monkeypatch.setattr(learn_job, "run_job", run_job)


def shown(app: WorkbenchApp, widget: str = "#results") -> str:
    return " ".join(str(app.screen.query_one(widget, Static).content).split())


async def open_at(app: WorkbenchApp, pilot: Pilot[Any], name: str) -> None:
    if not isinstance(app.screen, LearnScreen):
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, LearnScreen), "the screen")
    app.screen.query_one(OptionList).highlighted = list(EXPERIMENTS).index(name)
    await until(pilot, lambda: EXPERIMENTS[name].title in shown(app), name)


def test_what_was_kept_is_shown_at_once(tmp_path: Path) -> None:
    keep_results(Workspace(tmp_path), results("translation", EXAMPLES["translation"]))

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_at(app, pilot, "translation")
        assert "Seen here. Unmoved: dense 90.0 %" in shown(app)
        await open_at(app, pilot, "depth")
        assert "Not tried here yet" in shown(app)
        assert "It needs ImageNet weights" in shown(app)

    drive(tmp_path, play)


def test_enter_tries_one_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        assert request["experiment"] == "pooling"
        on_event({"event": "progress", "phase": "train", "done": 3, "total": 60})
        assert going_on.wait(30)
        runs = {name: [run] * 3 for name, run in EXAMPLES["pooling"].items()}
        return {"images": {"train": 20, "validation": 8, "test": 12}, "runs": runs}

    answers(monkeypatch, answer)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_at(app, pilot, "pooling")
        await pilot.press("enter")
        await until(pilot, lambda: "pooling: train 3 of 60" in shown(app, "#progress"), "progress")
        await pilot.press("enter")  # a second one waits for nobody
        going_on.set()
        await until(pilot, lambda: "Seen here." in shown(app), "the conclusion")
        assert shown(app, "#progress") == ""

    drive(tmp_path, play)
    kept = newest_results(Workspace(tmp_path), "pooling")
    assert kept is not None
    assert kept.seeds == (1, 2, 3)
    assert kept.data == "digits"


def test_a_failure_is_told_and_the_screen_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        raise UserError("The weights [/oops] are not there.", "Bring them.")

    answers(monkeypatch, answer)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_at(app, pilot, "depth")
        await pilot.press("enter")

        def told() -> bool:
            return any("The weights [/oops]" in note.message for note in app._notifications)

        await until(pilot, told, "the reason")
        assert "Not tried here yet" in shown(app)
        assert shown(app, "#progress") == ""

    drive(tmp_path, play)
    assert newest_results(Workspace(tmp_path), "depth") is None


def test_leaving_the_screen_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        with subprocess.Popen(["sleep", "600"]) as process:
            on_start(process)
            on_event({"event": "progress", "phase": "train", "done": 1, "total": 60})
            ended.append(process.wait(60))
        raise UserError("The worker for learn ended by signal SIGTERM.")

    answers(monkeypatch, answer)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_at(app, pilot, "pooling")
        await pilot.press("enter")
        await until(pilot, lambda: "train 1 of 60" in shown(app, "#progress"), "progress")
        await pilot.press("escape")
        await until(pilot, lambda: ended, "the end of the worker")

    drive(tmp_path, play)
    assert ended == [-15]


def test_the_palette_leads_there(tmp_path: Path) -> None:
    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        commands = {c.title: c.callback for c in app.get_system_commands(app.screen)}
        commands["Experiments"]()
        await until(pilot, lambda: isinstance(app.screen, LearnScreen), "the screen")

    drive(tmp_path, play)


def test_every_experiment_is_explained(tmp_path: Path) -> None:
    for experiment in EXPERIMENTS.values():
        assert experiment.concepts
        assert set(experiment.concepts) <= set(CONCEPTS)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_at(app, pilot, "borders")
        assert isinstance(app.screen, LearnScreen)
        assert app.screen.concepts() == EXPERIMENTS["borders"].concepts

    drive(tmp_path, play)
