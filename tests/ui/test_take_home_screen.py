"""Taking a run home in the app: what is made, where, and what is left alone."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from patience import GUARD
from test_results_screen import figures, make_run, open_results, shown
from textual.pilot import Pilot
from textual.widgets import Input
from ui_pilot import drive, until

from workbench.app.export import KEEPSAKES, Keepsake, Make, free_path
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Ask
from workbench.ui.export import screen as screen_module
from workbench.ui.export.screen import TakeHomeScreen


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


def notices(app: WorkbenchApp) -> list[str]:
    return [note.message for note in app._notifications]


def test_another_folder_is_made_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, figures())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "t: report")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TakeHomeScreen), "the screen")
        for typed in ("file/below", "new/folder"):
            await pilot.press("i")
            await until(pilot, lambda: isinstance(app.screen, Ask), "the question")
            app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            if typed == "file/below":
                await until(pilot, lambda: notices(app), "why not")
        assert "file/below cannot be written: Not a directory. Nothing was made." in notices(app)[0]
        await until(pilot, lambda: "into" in shown(app) and "new/folder" in shown(app), "taken")
        await pilot.press("enter")
        await until(pilot, lambda: "birds.html" in shown(app), "the report")

    drive(tmp_path, play, size=(160, 24))
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["birds.html"]


def test_what_is_asked_for_meanwhile_waits_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, figures())
    goes_on = Event()
    made: list[str] = []

    def make(title: str) -> Make:
        def make(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
            assert goes_on.wait(GUARD)
            made.append(title)
            return f"/home/ada/{title}\nmore of it"

        return make

    things = tuple(Keepsake(title, "words", make(title)) for title in ("one", "two", "three"))
    monkeypatch.setattr(screen_module, "KEEPSAKES", things)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "t: report")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TakeHomeScreen), "the screen")
        await pilot.press("enter", "down", "down", "enter", "up", "enter", "enter")
        await until(pilot, lambda: "making one then three, two" in shown(app), "the queue")
        goes_on.set()
        await until(pilot, lambda: "/home/ada/two" in shown(app), "what the cursor is on")
        assert notices(app) == ["one is done: /home/ada/one", "three is done: /home/ada/three"]
        await until(pilot, lambda: "making" not in shown(app), "all is made")
        await pilot.press("escape")
        assert len(notices(app)) == 2

    drive(tmp_path, play)
    assert made == ["one", "three", "two"]


def test_leaving_tells_what_is_not_made_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, figures())
    goes_on = Event()
    made: list[str] = []

    def make(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
        assert goes_on.wait(GUARD)
        made.append(run.name)
        return "done"

    things = tuple(Keepsake(title, "words", make) for title in ("one", "two"))
    monkeypatch.setattr(screen_module, "KEEPSAKES", things)

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        await open_results(app, pilot, "t: report")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TakeHomeScreen), "the screen")
        await pilot.press("enter", "down", "enter", "escape")
        words = "one is still made; not any more: two."
        await until(pilot, lambda: notices(app) == [words], "what becomes of them")
        goes_on.set()
        await until(pilot, lambda: made, "the first")

    drive(tmp_path, play)
    assert len(made) == 1


def test_everything_that_the_command_makes_is_there() -> None:
    assert [one.title for one in KEEPSAKES] == [
        "Report", "Keras", "TensorFlow SavedModel", "ONNX", "LiteRT", "Keras script", "TensorBoard",
    ]  # fmt: skip
