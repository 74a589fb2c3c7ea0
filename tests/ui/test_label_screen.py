"""Labelling in the app: images one after another, answered by key, ranked again meanwhile."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_ranking import ranked
from image_files import class_folders, write_photo
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from ui_pilot import driven, keys_offered, messages, until
from waiting import GUARD

from workbench.app import label_suspects
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare
from workbench.datasets.sources.opening import open_source
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.ui import question_screen
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import PickName, Prompt
from workbench.ui.label import LabelScreen
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.widgets.picture import Picture


class Worker:
    """Stands for the worker; waits where it is told to, and fails where it is told to."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.problem = ""

    def __call__(self, job: str, request: dict[str, Any], event: Any, **more: Any) -> Any:
        self.requests.append(request)
        event({"event": "progress", "phase": "solve the head", "done": 3, "total": 66})
        assert self.may_end.wait(GUARD)
        if self.problem:
            raise UserError(self.problem)
        return ranked(job, request, event, **more)


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker()
    monkeypatch.setattr(label_suspects, "run_job", made)
    return made


@pytest.fixture(autouse=True)
def new(tmp_path: Path) -> Path:
    """A run pets-1, and new/0.png to new/6.png without labels."""
    tree = {
        "data": {"source": str(class_folders(tmp_path / "pets", cat=4, dog=4)),
                 "image_size": [8, 8]},
        "model": {"strategy": "dense", "dense_units": [4]},
    }  # fmt: skip
    spec = parse_spec(tree, "test")
    folder = create_run(Workspace(tmp_path), dump_spec(spec), "pets-1", "")
    write_manifest(folder.manifest_path, prepare(spec.data, Workspace(tmp_path)).rows)
    for number in range(7):
        write_photo(tmp_path / "new" / f"{number}.png", 100 + number)
    return tmp_path / "new"


def shown(app: WorkbenchApp, place: str) -> str:
    return str(app.screen.query_one(f"#{place}", Static).render())


async def begin(app: WorkbenchApp, pilot: Pilot[Any], folder: Path, batch: int = 2) -> LabelScreen:
    await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
    screen = LabelScreen("pets-1", folder, batch)
    await app.push_screen(screen)
    await until(pilot, lambda: screen.question, "the first question")
    return screen


async def until_asked(app: WorkbenchApp, pilot: Pilot[Any], path: str) -> None:
    await until(pilot, lambda: shown(app, "of").startswith(path), f"asks {path}")


async def test_results_lead_to_it_by_the_path_of_a_folder(tmp_path: Path, new: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
        results = ResultsScreen("pets-1")
        await app.push_screen(results)
        results.action_label()
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        app.screen.query_one(Input).value = f" {new} "
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen), "the screen")
        await until_asked(app, pilot, "0.png")


async def test_images_are_labelled_while_the_head_is_solved_again(
    tmp_path: Path, new: Path, worker: Worker
) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await begin(app, pilot, new)
        picture = screen.query_one("#picture", Picture)
        await until(pilot, lambda: isinstance(picture.picture, np.ndarray), "the picture")
        near = screen.query_one("#near-3", Picture)
        await until(pilot, lambda: isinstance(near.picture, np.ndarray), "a neighbour")
        assert shown(app, "of") == "0.png  24x20"
        assert shown(app, "facts").splitlines()[:2] == ["what is it?", "█" * 7 + "▌   0.75 1 cat"]
        assert shown(app, "labels") == " 1 cat 2 dog"
        assert "0 labelled, 7 left   head of 8 images: accuracy 0.875" in shown(app, "state")
        assert {"Accept", "Label", "Exclude", "Later", "Undo"} <= keys_offered(app)
        worker.may_end.clear()
        await pilot.press("2", "enter")  # dog, then the likeliest
        await until(pilot, lambda: len(worker.requests) == 2, "the next ranking")
        await until(pilot, lambda: "solve the head 3 of 66" in shown(app, "state"), "its progress")
        assert list(worker.requests[1]["answers"].values()) == ["dog", "dog"]
        await pilot.press("d")
        await until_asked(app, pilot, "3.png")
        worker.may_end.set()
        await until(pilot, lambda: screen.job is None, "the ranking")
        await until(pilot, lambda: "2 labelled, 4 left" in shown(app, "state"), "the state")
        assert [Path(one.images[0].path).name for one in screen._labelling.queue] == [
            "3.png", "4.png", "5.png"
        ]  # fmt: skip


async def test_quick_keys_are_answered_in_order_and_the_end_is_shown(
    tmp_path: Path, new: Path
) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await begin(app, pilot, new, batch=10)
        await pilot.press("1", "n", "2", "1", "9", "2", "1", "2", "1")
        await until(pilot, lambda: "Every image has an answer" in shown(app, "facts"), "the end")
        assert list(screen._labelling.given.values()) == ["cat", "dog", "cat", "dog", "cat", "dog",
                                                          "cat"]  # fmt: skip
        await pilot.press("1", "enter", "d", "n", "L")
        assert app.screen is screen
        await pilot.press("u")
        await until_asked(app, pilot, "1.png")  # it was put off
        await pilot.press("u")
        await until_asked(app, pilot, "6.png")


async def test_a_new_label_is_typed(tmp_path: Path, new: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await begin(app, pilot, new)
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        assert app.screen.query_one(OptionList).highlighted == 0  # the likeliest
        await pilot.press("up", "enter")  # the last
        await until(pilot, lambda: isinstance(app.screen, Prompt), "the question")
        dialog = app.screen
        dialog.query_one(Input).value = "  "
        await pilot.press("enter")
        error = dialog.query_one("#error", Static)
        await until(pilot, lambda: "'  ' is no label." in str(error.content), "the reason")
        assert dialog.query_one(Input).value == "  "
        dialog.query_one(Input).value = "otter"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LabelScreen), "the screen")
        await until_asked(app, pilot, "1.png")
        assert shown(app, "labels") == " 1 cat 2 dog 3 otter"
        await pilot.press("3")
        await until_asked(app, pilot, "2.png")
        assert list(app.screen._labelling.given.values()) == ["otter", "otter"]


async def test_the_table_is_written(tmp_path: Path, new: Path) -> None:
    table = tmp_path / "data" / "new" / "labelled.csv"
    async with driven(tmp_path) as (app, pilot):
        await begin(app, pilot, new)
        await pilot.press("e")
        await until(pilot, lambda: messages(app), "the reason")
        assert "was labelled yet" in messages(app)[0]
        await pilot.press("2", "e")
        await until(pilot, table.exists, "the table")
        await until(pilot, lambda: "Written" in messages(app)[-1], "the message")
        assert [i.label for i in open_source(table).items if "new" in i.path] == ["dog"]


async def test_a_run_on_what_was_labelled_starts(
    tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[ExperimentSpec] = []

    def start(workspace: Workspace, spec: ExperimentSpec, stem: str, *_: Any, **__: Any) -> Any:
        started.append(spec)
        return create_run(workspace, dump_spec(spec), None, stem)

    monkeypatch.setattr(question_screen, "start_run", start)
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(WorkbenchApp, "open_instead", lambda app, *route: opened.append(route))
    async with driven(tmp_path) as (app, pilot):
        screen = await begin(app, pilot, new)
        await pilot.press("2", "t")
        await until(pilot, lambda: app.screen is not screen, "the question")
        await pilot.press("y")
        await until(pilot, lambda: opened, "the run")
    assert started[0].data.source == str(tmp_path / "data" / "new" / "labelled.csv")
    assert opened == [("train", "new-1")]


async def test_a_problem_is_shown_and_tried_again_on_a_key(
    tmp_path: Path, new: Path, worker: Worker
) -> None:
    worker.problem = "The weights cannot be downloaded."
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
        await app.push_screen(LabelScreen("pets-1", new))
        await until(pilot, lambda: "r tries again" in shown(app, "facts"), "the problem")
        assert "The weights cannot be downloaded." in shown(app, "facts")
        await pilot.press("1", "d", "u", "enter")
        assert len(worker.requests) == 1
        worker.problem = ""
        await pilot.press("r")
        await until_asked(app, pilot, "0.png")


async def test_a_folder_that_is_missing_is_reported(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
        await app.push_screen(LabelScreen("pets-1", tmp_path / "go\x1b[2Jne"))
        await until(pilot, lambda: "There is no folder" in shown(app, "facts"), "the problem")
        assert "\x1b" not in shown(app, "facts") + shown(app, "heading")
        await pilot.press("r", "e", "t", "u", "1")
        assert isinstance(app.screen, LabelScreen)


async def test_a_picture_that_disappears_is_explained(tmp_path: Path, new: Path) -> None:
    (new / "0.png").rename(new / "0\x1b[2J.png")
    async with driven(tmp_path) as (app, pilot):
        await begin(app, pilot, new)
        assert "\x1b" not in shown(app, "of")
        (new / "2.png").unlink()  # of which no picture was read ahead
        await pilot.press("1", "1")
        picture = app.screen.query_one("#picture", Picture)
        await until(pilot, lambda: "no such file" in str(picture.picture), "the reason")
