"""Taking a run home in the app: what is made, where, and what is left alone."""

from pathlib import Path
from typing import Any

import pytest
from test_results_screen import figures, make_run, open_results, shown
from textual.pilot import Pilot
from ui_pilot import drive, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.screens.take_home import TakeHomeScreen
from workbench.ui.take_home import KEEPSAKES, free_path


def test_a_name_that_is_free(tmp_path: Path) -> None:
    page = tmp_path / "birds.html"
    assert free_path(page) == page
    page.write_text("a person's")
    assert free_path(page).name == "birds-2.html"
    (tmp_path / "birds-2.html").symlink_to("nowhere")  # dangling: something is there all the same
    assert free_path(page).name == "birds-3.html"


def test_a_report_is_made_beside_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, figures())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds.html").write_text("a person's")

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "t: report")
        assert "t: report, ONNX, script" in shown(app)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TakeHomeScreen), "the screen")
        await until(pilot, lambda: "One HTML page" in shown(app), "what it is")
        await pilot.press("enter")
        await until(pilot, lambda: "birds-2.html" in shown(app), "what was made")
        await pilot.press("down")
        await until(pilot, lambda: "The model as Keras" in shown(app), "another one")
        await pilot.press("up")
        await until(pilot, lambda: "birds-2.html" in shown(app), "it is remembered")

    drive(tmp_path, play)
    assert (tmp_path / "birds.html").read_text() == "a person's"
    assert "<h1>birds</h1>" in (tmp_path / "birds-2.html").read_text()


def test_what_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, figures())
    run.model_path.unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "t: report")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TakeHomeScreen), "the screen")
        await pilot.press("down", "enter")
        told = lambda: [note.message for note in app._notifications]  # noqa: E731
        await until(pilot, lambda: any("has no model yet" in words for words in told()), "why")
        await pilot.press("up", "enter")  # nothing is at work any more
        await until(pilot, lambda: "birds.html" in shown(app), "the report all the same")

    drive(tmp_path, play)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "birds.html"])


def test_everything_that_the_command_makes_is_there() -> None:
    assert [one.title for one in KEEPSAKES] == [
        "Report", "Keras", "TensorFlow SavedModel", "ONNX", "LiteRT", "Keras script", "TensorBoard",
    ]  # fmt: skip
