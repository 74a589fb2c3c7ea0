"""The screen of the lessons: stored results, running one, and its errors."""

import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_lessons import EXAMPLES, results
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from ui_pilot import FakeWarmWorker, driven, messages, until
from waiting import GUARD

from workbench.app import lessons as lesson_jobs
from workbench.app.draft import Draft
from workbench.app.jobs import JobHandle
from workbench.content.concepts import CONCEPTS
from workbench.errors import UserError
from workbench.lessons.catalogue import LESSONS, lesson_picture, newest_results, save_results
from workbench.paths import Workspace
from workbench.render.lessons import format_lesson
from workbench.ui import base
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Confirm
from workbench.ui.lessons.dialogs import AskWeights, PickImages
from workbench.ui.lessons.screen import LessonsScreen

Answer = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The digits are a folder of small images, and no worker is started."""
    monkeypatch.setattr(base, "WarmWorker", FakeWarmWorker)
    monkeypatch.setattr(FakeWarmWorker, "made", [], raising=False)
    for label in range(2):
        folder = tmp_path / "digits" / str(label)
        folder.mkdir(parents=True)
        for number in range(20):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
    monkeypatch.setattr(lesson_jobs, "fetch", lambda *given: tmp_path / "digits")


def answers(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Replace the worker by a function from request to answer."""

    def run_job(job: str, request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        assert job == "lessons"
        return answer(request, on_event, on_start)

    monkeypatch.setattr(lesson_jobs, "run_job", run_job)


def shown(app: WorkbenchApp, widget: str = "#results") -> str:
    return " ".join(str(app.screen.query_one(widget, Static).content).split())


async def open_at(app: WorkbenchApp, pilot: Pilot[Any], name: str) -> None:
    if not isinstance(app.screen, LessonsScreen):
        app.open("lessons")
        await until(pilot, lambda: isinstance(app.screen, LessonsScreen), "the screen")
    app.screen.query_one(OptionList).highlighted = list(LESSONS).index(name)
    await until(pilot, lambda: LESSONS[name].title in shown(app), name)


async def test_stored_results_are_shown_at_once(tmp_path: Path) -> None:
    save_results(Workspace(tmp_path), results("translation", EXAMPLES["translation"]))

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "translation")
        assert "Seen here. On digits, seed 1: Unshifted: dense 90.0 %" in shown(app)
        await open_at(app, pilot, "depth")
        assert "Not run here yet" in shown(app)
        assert "It needs ImageNet weights" in shown(app)


async def test_enter_runs_one_and_stores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proceed = threading.Event()

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        assert request["experiment"] == "pooling"
        on_event({"event": "progress", "phase": "train", "done": 3, "total": 60})
        assert proceed.wait(GUARD)
        runs = {name: [run] * 3 for name, run in EXAMPLES["pooling"].items()}
        return {"images": {"train": 20, "validation": 8, "test": 12}, "runs": runs}

    answers(monkeypatch, answer)

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "pooling")
        await pilot.press("enter")
        await until(pilot, lambda: "pooling: train 3 of 60" in shown(app, "#progress"), "progress")
        assert "Running on digits, seeds 1, 2, 3; x stops it." in shown(app)
        assert "3 of 60" in shown(app)
        await pilot.press("enter")  # a second one is refused
        await pilot.press("down")
        assert "At work" not in shown(app)
        assert "pooling: train 3 of 60" in shown(app, "#progress")
        await pilot.press("up")
        proceed.set()
        await until(pilot, lambda: "Seen here." in shown(app), "the conclusion")
        assert shown(app, "#progress") == "enter runs pooling on digits, seeds 1, 2, 3"
        assert "At work" not in shown(app)
    kept = newest_results(Workspace(tmp_path), "pooling")
    assert kept is not None
    assert kept.seeds == (1, 2, 3)
    assert kept.data == "digits"


async def test_a_failure_is_reported_and_the_screen_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        raise UserError("The weights [/oops] are not there.", "Bring them.")

    answers(monkeypatch, answer)

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "depth")
        await pilot.press("enter")

        text = "The weights [/oops] are not there. Bring them."
        await until(pilot, lambda: text in shown(app), "the reason")
        assert shown(app, "#progress") == "enter runs depth on digits, seeds 1, 2"
        await open_at(app, pilot, "pooling")
        assert text not in shown(app)
    assert newest_results(Workspace(tmp_path), "depth") is None


@pytest.mark.parametrize("key", ["x", "escape"])
async def test_stopping_and_leaving_end_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    ended: list[int] = []

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        with subprocess.Popen(["sleep", "600"]) as process:
            on_start(process)
            on_event({"event": "progress", "phase": "train", "done": 1, "total": 60})
            ended.append(process.wait(GUARD))
        raise UserError("The worker for learn ended by signal SIGTERM.")

    answers(monkeypatch, answer)

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "pooling")
        assert not app.screen.check_action("stop", ())
        await pilot.press("enter")
        await until(pilot, lambda: "train 1 of 60" in shown(app, "#progress"), "progress")
        assert app.screen.check_action("stop", ())
        await pilot.press(key)
        if key == "escape":  # asks first
            lessons = app.screen_stack[-2]
            await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
            await pilot.press("n")
            await until(pilot, lambda: app.screen is lessons, "it goes on")
            assert not ended
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
            asked = "pooling is still running. Stop it, and leave? Its results so far are dropped."
            assert str(app.screen.query(Static).first().content) == asked
            await pilot.press("y")
        await until(pilot, lambda: ended, "the end of the worker")
        if key == "x":
            await until(pilot, lambda: app._notifications, "the message")
            assert messages(app) == ["pooling: stopped."]
            assert "Not run here yet" in shown(app)
    assert ended == [-15]
    assert newest_results(Workspace(tmp_path), "pooling") is None


def test_reading_before_the_worker_can_be_stopped() -> None:
    phases: list[str] = []
    stop = JobHandle()
    progress = stop.interruptible(lambda phase, done, total: phases.append(phase))
    progress("download", 1, 9)
    stop.cancel()
    with pytest.raises(UserError, match="Stopped"):
        progress("download", 2, 9)
    assert phases == ["download"]


def test_a_worker_that_comes_too_late_ends_at_once() -> None:
    stop = JobHandle()
    stop.cancel()
    with subprocess.Popen(["sleep", "600"]) as process:
        stop.attach(process)
        assert process.wait(GUARD) == -15


async def test_other_images_and_seeds_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, Any]] = []

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        requests.append(request)
        runs = {name: [run] * 2 for name, run in EXAMPLES["pooling"].items()}
        return {"images": {"train": 20, "validation": 8, "test": 12}, "runs": runs}

    answers(monkeypatch, answer)
    photos = tmp_path / "photos"
    shutil.copytree(tmp_path / "digits", photos)
    kept = results("pooling", EXAMPLES["pooling"])
    source = tmp_path / "data" / "digits" / "source"
    save_results(Workspace(tmp_path), replace(kept, source=str(source)))

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "pooling")
        await pilot.press("i")
        await type_path(app, pilot, f"{photos}/none")
        fault = f"There is no file or folder {photos}/none."
        await until(pilot, lambda: fault in shown(app, "#fault"), "the fault")
        await type_path(app, pilot, f"{photos}")
        await until(pilot, lambda: "photos, seeds 1, 2, 3" in shown(app, "#progress"), "taken")
        assert "On digits, seed 1:" in shown(app)  # the newest there are
        await pilot.press("s", "7", ",")
        error = app.screen.query_one("#error", Static)
        assert "Seeds are whole numbers" in str(error.content)
        await pilot.press("enter")  # not taken
        await pilot.press("8", "enter")
        await until(pilot, lambda: "photos, seeds 7, 8" in shown(app, "#progress"), "seeds")
        await pilot.press("enter")
        await until(pilot, lambda: "photos, seeds 7, 8: Without" in shown(app), "the conclusion")
        await choose_set(app, pilot, "digits")
        await until(pilot, lambda: "On digits, seed 1:" in shown(app), "what was kept of them")
        await pilot.press("s", *["backspace"] * 3, "enter")
        own = "enter runs pooling on digits, seeds 1, 2, 3"
        await until(pilot, lambda: shown(app, "#progress") == own, "its own seeds")
    assert [request["seeds"] for request in requests] == [[7, 8]]
    assert requests[0]["variants"][0]["spec"]["data"]["source"] == str(photos)


async def type_path(app: WorkbenchApp, pilot: Pilot[Any], path: str) -> None:
    await until(pilot, lambda: isinstance(app.screen, PickImages), "the question")
    field = app.screen.query_one("#path", Input)
    await until(pilot, lambda: field.has_focus, "the line for a path")
    field.value = path
    await pilot.press("enter")


async def choose_set(app: WorkbenchApp, pilot: Pilot[Any], name: str) -> None:
    await pilot.press("i")
    await until(pilot, lambda: isinstance(app.screen, PickImages), "the question")
    sets = app.screen.query_one("#known", OptionList)
    sets.focus()
    sets.highlighted = sets.get_option_index(name)
    await pilot.press("enter")


async def test_the_images_of_the_newest_experiment_are_offered(tmp_path: Path) -> None:
    draft = Draft(Workspace(tmp_path))
    draft.set_source(tmp_path / "digits", None)

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "pooling")
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, PickImages), "the question")
        assert app.screen.query_one("#path", Input).value == f"{tmp_path}/digits"
        await pilot.press("enter")
        text = "/digits, seeds 1, 2, 3"
        await until(pilot, lambda: text in shown(app, "#progress"), "taken")


async def test_unsuitable_images_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, lambda *given: pytest.fail("no worker is asked"))
    for label in range(2):
        for number in range(10, 20):
            (tmp_path / "digits" / str(label) / f"{number}.png").unlink()
    (tmp_path / "empty").mkdir()

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "how-much-data")
        await pilot.press("i")
        await type_path(app, pilot, f"{tmp_path}/empty")
        await until(pilot, lambda: "empty" in shown(app), "no images")
        assert "digits" in shown(app, "#progress")  # as before
        await choose_set(app, pilot, "digits")
        text = "Cannot run on digits: About 5 training images a class are too few"
        await until(pilot, lambda: text in shown(app), "the reason")
        assert shown(app, "#progress") == ""
        await pilot.press("enter")
        assert "At work" not in shown(app)
        await open_at(app, pilot, "pooling")
        assert "Cannot run" not in shown(app)


async def test_the_sheet_scrolls_by_pages(tmp_path: Path) -> None:
    save_results(Workspace(tmp_path), results("translation", EXAMPLES["translation"]))

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "translation")
        sheet, names = app.screen.query_one("#sheet"), app.screen.query_one(OptionList)
        await until(pilot, lambda: shown(app, "#more") == "more below: PgDn", "more")
        pages = ["pagedown", "pagedown"]
        for key in pages:
            await pilot.press(key)
        await until(pilot, lambda: shown(app, "#more") == "", "the end")
        assert sheet.scroll_offset.y == sheet.max_scroll_y > 0
        assert names.highlighted == 0
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: shown(app, "#more") == "more below: PgDn", "the top")
        await pilot.press("pagedown", "down")  # another experiment begins at its top
        await until(pilot, lambda: shown(app, "#more") == "", "a short one")
        assert (sheet.scroll_offset.y, names.highlighted) == (0, 1)
        await pilot.press("up")
        await until(pilot, lambda: shown(app, "#more") == "more below: PgDn", "more again")
        await pilot.resize_terminal(120, 50)
        await until(pilot, lambda: shown(app, "#more") == "", "room for all")


@pytest.mark.parametrize("name", LESSONS)
@pytest.mark.parametrize("rows", [19, 35])
def test_no_picture_is_cut_by_the_end_of_a_page(name: str, rows: int) -> None:
    made = results(name, EXAMPLES[name])
    lines = format_lesson(
        LESSONS[name], made, 57, rows, utf8=True, weights_key="W"
    ).plain.splitlines()
    picture = lesson_picture(made)
    first = lines.index(picture.title)
    last = next(at for at in range(first, len(lines)) if not lines[at].strip()) - 1
    assert first // rows == last // rows
    assert max(map(len, lines)) <= 57


@pytest.mark.parametrize("rows", [40, 46, 60])
def test_a_plot_takes_what_is_left_of_a_high_page(rows: int) -> None:
    made = results("translation", EXAMPLES["translation"])
    text = format_lesson(LESSONS["translation"], made, 150, rows, utf8=True, weights_key="W").plain
    assert len(text.split("\n")) == rows


async def test_every_lesson_is_explained(tmp_path: Path) -> None:
    for experiment in LESSONS.values():
        assert experiment.concepts
        assert set(experiment.concepts) <= set(CONCEPTS)

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "borders")
        assert isinstance(app.screen, LessonsScreen)
        assert app.screen.concepts() == LESSONS["borders"].concepts


def signs(app: WorkbenchApp) -> dict[str, str]:
    options = app.screen.query_one(OptionList).options
    rows = (str(option.prompt).split() for option in options)
    return {name: "".join(rest) for name, *rest in rows}


async def test_the_list_marks_what_has_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_results(Workspace(tmp_path), results("translation", EXAMPLES["translation"]))

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        runs = {name: [run] * 3 for name, run in EXAMPLES["pooling"].items()}
        return {"images": {"train": 20, "validation": 8, "test": 12}, "runs": runs}

    answers(monkeypatch, answer)

    async with driven(tmp_path) as (app, pilot):
        app.utf8 = True
        await open_at(app, pilot, "pooling")
        assert [name for name, sign in signs(app).items() if sign == "·"] == ["translation"]
        await pilot.press("enter")
        await until(pilot, lambda: signs(app)["pooling"] == "·", "the mark")


async def test_weights_come_from_a_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str] = []

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        requests.append(request["variants"][0]["spec"]["base"]["weights"])
        raise UserError("Enough.")

    answers(monkeypatch, answer)
    file = tmp_path / "mobile.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n")

    async def name_file(app: WorkbenchApp, pilot: Pilot[Any], path: str) -> None:
        app.screen.query_one(Input).value = path
        await pilot.press("enter")

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "pooling")
        assert not app.screen.check_action("weights", ())  # has no base
        await open_at(app, pilot, "depth")
        await pilot.press("W")
        await until(pilot, lambda: isinstance(app.screen, AskWeights), "the question")
        await name_file(app, pilot, f"{tmp_path}/none.h5")
        await until(pilot, lambda: "cannot be read" in shown(app, "#error"), "the fault")
        await name_file(app, pilot, str(file))
        text = "enter runs depth on digits, seeds 1, 2, weights mobile.h5"
        await until(pilot, lambda: shown(app, "#progress") == text, "taken")
        await pilot.press("enter")
        await until(pilot, lambda: "Enough." in shown(app), "the answer")
        await pilot.press("escape")
        await open_at(app, pilot, "depth")
        assert shown(app, "#progress") == text  # still
        await pilot.press("W")
        await until(pilot, lambda: isinstance(app.screen, AskWeights), "the question")
        await name_file(app, pilot, "")
        await until(pilot, lambda: "mobile" not in shown(app, "#progress"), "the published")
    assert requests == [str(file)]


async def test_images_are_remembered_and_a_start_scrolls_to_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proceed = threading.Event()

    def answer(request: Any, on_event: Any, on_start: Any) -> dict[str, Any]:
        assert proceed.wait(GUARD)
        raise UserError("Enough.")

    answers(monkeypatch, answer)
    save_results(Workspace(tmp_path), results("translation", EXAMPLES["translation"]))
    photos = tmp_path / "photos"
    shutil.copytree(tmp_path / "digits", photos)

    async with driven(tmp_path) as (app, pilot):
        await open_at(app, pilot, "translation")
        await pilot.press("i")
        await type_path(app, pilot, str(photos))
        await until(pilot, lambda: "photos, seeds" in shown(app, "#progress"), "taken")
        await pilot.press("escape")
        await open_at(app, pilot, "translation")
        assert "photos, seeds" in shown(app, "#progress")
        sheet = app.screen.query_one("#sheet")
        await until(pilot, lambda: shown(app, "#more"), "more")
        await pilot.press("pagedown")
        await until(pilot, lambda: sheet.scroll_offset.y > 0, "below")
        await pilot.press("enter")
        await until(pilot, lambda: "Running" in shown(app), "its progress")
        assert sheet.scroll_offset.y == 0
        proceed.set()
        await until(pilot, lambda: "Enough." in shown(app), "the end")
