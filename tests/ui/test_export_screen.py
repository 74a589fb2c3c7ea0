"""Export in the app: what is written, where, and that nothing is overwritten."""

import shlex
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click import Context
from finished_run import make_run, open_results, results_json, shown
from textual.pilot import Pilot
from textual.widgets import Input
from ui_pilot import driven, messages, refusal, until
from waiting import GUARD

from workbench.app.export import EXPORT_ITEMS, ExportItem, Make, free_path
from workbench.cli.app import workbench
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder
from workbench.ui import export
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Prompt
from workbench.ui.export import ExportScreen
from workbench.ui.widgets.concept_notes import ConceptNotes

REPORT = ["down"] * 4  # from the first item to the report


async def open_export(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await open_results(app, pilot, "e: export")
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, ExportScreen), "the screen")


def test_an_unused_name(tmp_path: Path) -> None:
    page = tmp_path / "birds.html"
    assert free_path(page) == page
    page.write_text("mine")
    assert free_path(page).name == "birds-2.html"
    (tmp_path / "birds-2.html").symlink_to("nowhere")  # dangling: something is there all the same
    assert free_path(page).name == "birds-3.html"


@pytest.mark.parametrize("item", EXPORT_ITEMS, ids=lambda item: item.title)
def test_the_command_that_does_the_same_exists(item: ExportItem) -> None:
    name, *words = shlex.split(item.command("birds"))[1:]
    command = workbench.get_command(Context(workbench), name)
    assert command is not None
    command.make_context(name, words, resilient_parsing=True)
    options = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= options


async def test_a_report_does_not_overwrite_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, results_json())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds.html").write_text("mine")

    async with driven(tmp_path) as (app, pilot):
        await open_export(app, pilot)
        await until(pilot, lambda: "The model as Keras" in shown(app), "the first")
        await pilot.press(*REPORT)
        await until(pilot, lambda: "One HTML page" in shown(app), "what it is")
        assert "workbench report birds" in shown(app)
        assert app.screen.copyable()[0] == ("export", "workbench report birds")
        await pilot.press("enter")
        await until(pilot, lambda: "birds-2.html" in shown(app), "the file")
        await pilot.press("up")
        await until(pilot, lambda: "The model as LiteRT" in shown(app), "another one")
        await pilot.press("down")
        await until(pilot, lambda: "birds-2.html" in shown(app), "it is remembered")
    assert (tmp_path / "birds.html").read_text() == "mine"
    assert "<h1>birds</h1>" in (tmp_path / "birds-2.html").read_text()


async def test_a_failed_export_reports_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path, results_json())
    run.model_path.unlink(missing_ok=True)
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())

    async with driven(tmp_path) as (app, pilot):
        await open_export(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "has no model yet" in " ".join(messages(app)), "the error")
        await pilot.press(*REPORT, "enter")  # nothing is running any more
        await until(pilot, lambda: "birds.html" in shown(app), "the report all the same")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "birds.html"])


async def test_another_folder_is_created_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, results_json())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    async with driven(tmp_path, size=(160, 24)) as (app, pilot):
        await open_export(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        field = app.screen.query_one(Input)
        field.value = "file/below"
        await pilot.press("enter")
        why = "file/below cannot be written: Not a directory. Nothing was made."
        await until(pilot, lambda: why in refusal(app), "why not")
        field.value = "new/folder"
        await pilot.press("enter")
        await until(pilot, lambda: "into" in shown(app) and "new/folder" in shown(app), "taken")
        await pilot.press(*REPORT, "enter")
        await until(pilot, lambda: "birds.html" in shown(app), "the report")
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["birds.html"]


async def test_further_exports_are_queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, results_json())
    proceed = Event()
    made: list[str] = []

    def make(title: str) -> Make:
        def make(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
            assert proceed.wait(GUARD)
            made.append(title)
            return f"/home/ada/{title}\nmore of it"

        return make

    items = tuple(ExportItem(title, "words", make(title)) for title in ("one", "two", "three"))
    monkeypatch.setattr(export, "EXPORT_ITEMS", items)

    async with driven(tmp_path) as (app, pilot):
        await open_export(app, pilot)
        await pilot.press("enter", "down", "down", "enter", "up", "enter", "enter")
        await until(pilot, lambda: "exporting one then three, two" in shown(app), "the queue")
        proceed.set()
        await until(pilot, lambda: "/home/ada/two" in shown(app), "what the cursor is on")
        assert messages(app) == ["one is done: /home/ada/one", "three is done: /home/ada/three"]
        await until(pilot, lambda: "exporting" not in shown(app), "the end")
        await pilot.press("escape")
        assert len(messages(app)) == 2
    assert made == ["one", "three", "two"]


async def test_leaving_drops_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, results_json())
    proceed = Event()
    made: list[str] = []

    def make(workspace: Workspace, run: RunFolder, into: Path, progress: Progress) -> str:
        assert proceed.wait(GUARD)
        made.append(run.name)
        return "done"

    items = tuple(ExportItem(title, "words", make) for title in ("one", "two"))
    monkeypatch.setattr(export, "EXPORT_ITEMS", items)

    async with driven(tmp_path) as (app, pilot):
        await open_export(app, pilot)
        await pilot.press("enter", "down", "enter", "escape")
        message = "one is still being exported; not exported: two."
        await until(pilot, lambda: messages(app) == [message], "the message")
        proceed.set()
        await until(pilot, lambda: "one is done: done" in messages(app), "the first")
    assert len(made) == 1


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_failed_export_is_reported_even_after_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    make_run(tmp_path, results_json())
    proceed = Event()

    def fail(*_: Any) -> str:
        assert proceed.wait(GUARD)
        raise OSError("No room left.")

    monkeypatch.setattr(export, "EXPORT_ITEMS", (ExportItem("one", "words", fail),))

    async with driven(tmp_path) as (app, pilot):
        await open_export(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "exporting one" in shown(app), "the export")
        if leaves:
            screen = app.screen
            await pilot.press("escape")
            await until(pilot, lambda: not screen.is_attached, "the results")
        proceed.set()
        await until(pilot, lambda: "No room left." in messages(app), "why")
        assert "exporting one" not in shown(app)


def test_everything_that_the_command_exports_is_listed() -> None:
    assert [one.title for one in EXPORT_ITEMS] == [
        "Keras", "TensorFlow SavedModel", "ONNX", "LiteRT", "Report", "Keras script", "TensorBoard",
    ]  # fmt: skip


async def test_a_wide_terminal_shows_what_a_model_needs_and_how_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, results_json())
    run.model_path.write_bytes(bytes(2_500_000))
    monkeypatch.chdir(tmp_path)

    async with driven(tmp_path, size=(200, 50)) as (app, pilot):
        await open_export(app, pilot)
        await until(pilot, lambda: "this run's own has 2.5 MB" in shown(app), "its size")
        text = shown(app)
        assert "read by Keras 3 on TensorFlow, JAX or PyTorch" in text
        assert "load it import keras" in text
        assert 'model = keras.models.load_model("model.keras")' in text
        assert "From a file to numbers" in app.screen.query_one(ConceptNotes).render()
        await pilot.press(*REPORT)
        await until(pilot, lambda: "One HTML page" in shown(app), "the report")
        assert "load it" not in shown(app)
        await pilot.resize_terminal(80, 24)
        await pilot.press("home")
        await until(pilot, lambda: "The model as Keras" in shown(app), "the model again")
        assert "load it" not in shown(app)
