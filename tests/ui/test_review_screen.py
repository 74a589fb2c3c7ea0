"""The review of images in the app, and the run that follows."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from ui_pilot import driven, until
from waiting import GUARD

from workbench.datasets.label_fixes import read_label_fixes
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.ui import question_screen, review
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import PickName
from workbench.ui.keys import KeyLine
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.review import ReviewScreen
from workbench.ui.widgets.picture import Picture


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run, pets-1; cat/1.png has the largest loss, dog/0.png the next."""
    for number in range(6):
        for at, label in enumerate(("cat", "dog")):
            path = tmp_path / "pets" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (20 * number, 100 * at, 7)).save(path)
    tree = {
        "data": {"source": str(tmp_path / "pets"), "image_size": [8, 8]},
        "model": {"strategy": "dense", "dense_units": [4]},
    }
    spec = parse_spec(tree, "test")
    folder = create_run(Workspace(tmp_path), dump_spec(spec), "pets-1", "")
    write_manifest(folder.manifest_path, prepare(spec.data, Workspace(tmp_path)).rows)
    content = {
        "split": "test", "images": 2, "accuracy": 0.0, "interval": [0.0, 0.9], "loss": 2.0,
        "labels": ["cat", "dog"], "confusion": [[0, 1], [1, 0]], "classes": [],
        "worst": [{"path": "cat/1.png", "label": "cat", "predicted": "dog", "probability": 0.9,
                   "loss": 2.3}],
    }  # fmt: skip
    folder.results_path.write_text(json.dumps(content))
    folder.predictions_path.write_text(
        "path,label,predicted,cat,dog\ncat/1.png,cat,dog,0.1,0.9\ndog/0.png,dog,cat,0.8,0.2\n"
    )
    return folder


def shown(app: WorkbenchApp, place: str) -> str:
    return str(app.screen.query_one(f"#{place}", Static).render())


async def open_review(app: WorkbenchApp, pilot: Pilot[Any]) -> ReviewScreen:
    await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
    screen = ReviewScreen("pets-1")
    await app.push_screen(screen)
    await until(pilot, lambda: screen.question, "the first question")
    return screen


async def until_asked(pilot: Pilot[Any], screen: ReviewScreen, path: str) -> None:
    await until(
        pilot, lambda: screen.question and screen.question.images[0].path == path, f"asks {path}"
    )


@pytest.mark.usefixtures("run")
async def test_results_lead_to_the_review(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
        results = ResultsScreen("pets-1")
        await app.push_screen(results)
        keys = results.query_one(KeyLine)
        await until(pilot, lambda: "Review" in keys.keys.plain, "the key")
        assert keys.keys.cell_len <= 80
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, ReviewScreen), "the screen")
        assert app.screen.query_one(KeyLine).keys.cell_len <= 80
        await until(pilot, lambda: app.screen.question, "the first question")
        await pilot.press("escape")
        assert app.screen is results


@pytest.mark.usefixtures("run")
async def test_images_are_relabelled_excluded_and_restored(tmp_path: Path) -> None:
    path = tmp_path / "data" / "pets" / "corrections.csv"

    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        picture = app.screen.query_one("#picture", Picture)
        await until(pilot, lambda: isinstance(picture.picture, np.ndarray), "the picture")
        assert shown(app, "of") == "cat/1.png  20x20"
        assert "errors 2 of 2" in shown(app, "lists")
        assert shown(app, "facts").splitlines()[:2] == ["label  cat", "\u2588" * 9 + "  0.90 2 dog"]
        assert shown(app, "labels") == " 1 cat 2 dog"
        await pilot.press("2")
        await until_asked(pilot, screen, "dog/0.png")
        assert shown(app, "of") == "dog/0.png  20x20"
        await pilot.press("d")
        await until(pilot, lambda: screen.question is None, "the end of the list")
        assert "Nothing is left" in shown(app, "facts")
        assert [(one.path, one.label) for one in read_label_fixes(path)] == [
            ("cat/1.png", "dog"),
            ("dog/0.png", ""),
        ]
        await pilot.press("u")
        await until_asked(pilot, screen, "dog/0.png")
        assert [one.path for one in read_label_fixes(path)] == ["cat/1.png"]
        await pilot.press("u")
        await until_asked(pilot, screen, "cat/1.png")
        assert read_label_fixes(path) == []
        await pilot.press("u")
        assert "no answer to take back" in next(iter(app._notifications)).message


@pytest.mark.usefixtures("run")
async def test_a_label_is_chosen_from_the_list(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        assert app.screen.query_one(OptionList).highlighted == 1  # the prediction
        await pilot.press("escape")
        assert screen.question.images[0].path == "cat/1.png"
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        await pilot.press("enter")
        await until_asked(pilot, screen, "dog/0.png")


@pytest.mark.usefixtures("run")
async def test_what_is_kept_or_its_own_label_changes_nothing(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        await pilot.press("n")  # put off
        await until_asked(pilot, screen, "dog/0.png")
        await pilot.press("2")  # its own label
        await until_asked(pilot, screen, "cat/1.png")
        await pilot.press("enter")
        await until(pilot, lambda: screen.question is None, "the end of the list")
        verdicts = [answer.verdict for answer in screen._review.log.answers]
        assert verdicts == ["later", "keep", "keep"]
        assert not (tmp_path / "data" / "pets" / "corrections.csv").exists()


async def test_near_copies_are_side_by_side(tmp_path: Path, run: RunFolder) -> None:
    audit = tmp_path / "data" / "pets" / "audit.json"
    tree = json.loads(audit.read_text())
    tree["findings"].append(
        {"code": "near", "severity": "note", "message": "m", "files": [],
         "groups": [["cat/2.png", "cat/3.png"], ["dog/2.png", "dog/3.png"]]}
    )  # fmt: skip
    audit.write_text(json.dumps(tree))
    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        await pilot.press("v")
        await until_asked(pilot, screen, "cat/2.png")
        other = app.screen.query_one("#other", Picture)
        await until(
            pilot, lambda: isinstance(other.picture, np.ndarray), "the picture at the right"
        )
        assert shown(app, "of") == "cat/2.png  20x20   |   cat/3.png  20x20"
        assert shown(app, "labels") == " 1 exclude the left 2 exclude the right"
        await pilot.press("3", "2")
        await until_asked(pilot, screen, "dog/2.png")
        await pilot.press("enter")
        await until(pilot, lambda: screen.question is None, "the end of the list")
        assert screen._review.relabeling.new_labels() == {"cat/3.png": ""}


async def test_a_run_on_the_relabelled_data_starts(
    tmp_path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[ExperimentSpec, str]] = []

    def start(workspace: Workspace, spec: ExperimentSpec, stem: str, *_: Any, **__: Any) -> Any:
        started.append((spec, stem))
        if len(started) == 1:
            raise UserError("The disk is full.")
        return create_run(workspace, dump_spec(spec), None, stem)

    monkeypatch.setattr(question_screen, "start_run", start)
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(WorkbenchApp, "open_instead", lambda app, *route: opened.append(route))
    path = tmp_path / "data" / "pets" / "corrections.csv"

    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        await pilot.press("t")
        assert app.screen is screen  # there are no label fixes yet
        await pilot.press("d")
        await until_asked(pilot, screen, "dog/0.png")
        await pilot.press("t")
        await until(pilot, lambda: app.screen is not screen, "the question")
        await pilot.press("n")
        assert started == []
        for tries in (1, 2):  # the first fails, and can be tried again
            await pilot.press("t")
            await until(pilot, lambda: app.screen is not screen, "the question")
            await pilot.press("y")
            await until(pilot, lambda wanted=tries: len(started) == wanted, "a start")
            await until(pilot, lambda: not screen._starting, "its end")
        await until(pilot, lambda: opened, "the run")
    assert opened == [("train", "pets-2")]
    spec, stem = started[1]
    assert stem == "pets"
    assert (spec.name, spec.data.corrections) == (None, str(path))
    assert run.spec_path.read_text().count('corrections = ""') == 1  # the old run stays


async def test_damaged_predictions_are_reported(tmp_path: Path, run: RunFolder) -> None:
    run.predictions_path.write_text("nonsense")

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
        await app.push_screen(ReviewScreen("pets-1"))
        await until(pilot, lambda: app._notifications, "the error")
        assert "is damaged at line 1" in next(iter(app._notifications)).message
        await pilot.press("enter", "d", "u", "t")
        assert isinstance(app.screen, ReviewScreen)


async def test_suspects_are_searched_for_and_asked_with_their_neighbours(
    tmp_path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = threading.Event()

    def find(workspace: Workspace, folder: RunFolder, progress: Any, handle: Any) -> None:
        progress("folds", 3, 25)
        assert allowed.wait(GUARD)
        rows = ["path,label,predicted,cat,dog", "dog/5.png,dog,cat,0.97,0.03"]
        rows += [f"{label}/{n}.png,{label},{label},{cat},{1 - cat}"
                 for n in range(5) for label, cat in (("cat", 0.75), ("dog", 0.25))]  # fmt: skip
        folder.folds_path.write_text("\n".join(rows))
        near = [[f"cat/{n}.png", 0.9] for n in range(5)]
        report = {
            "format": 1, "folds": 5, "repeats": 5, "groups": 11, "base": "efficientnet-lite0",
            "weights": "imagenet", "own_base": False, "features": 9, "penalty": 0.1,
            "accuracy": 0.9, "seconds": 1.0, "neighbours": {"dog/5.png": near},
        }  # fmt: skip
        folder.folds_report_path.write_text(json.dumps(report))

    monkeypatch.setattr(review, "find_suspects", find)
    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        assert "label suspects: a searches for them" in shown(app, "lists")
        await pilot.press("a")
        await until(pilot, lambda: "folds 3 of 25" in shown(app, "lists"), "the progress")
        await pilot.press("enter")  # the review continues meanwhile
        await until_asked(pilot, screen, "dog/0.png")
        allowed.set()
        await until_asked(pilot, screen, "dog/5.png")
        assert "label suspects 10 of 11" in shown(app, "lists")  # one was answered as an error
        assert shown(app, "facts").splitlines()[0] == "label  dog"
        assert shown(app, "near-label-3") == "cat"
        near = app.screen.query_one("#near-3", Picture)
        await until(pilot, lambda: isinstance(near.picture, np.ndarray), "the neighbour")


async def test_a_search_that_fails_is_reported(
    tmp_path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(*_: Any, **__: Any) -> None:
        raise UserError("The run has no pretrained base, and the weights of none are here.")

    monkeypatch.setattr(review, "find_suspects", find)
    async with driven(tmp_path) as (app, pilot):
        screen = await open_review(app, pilot)
        await pilot.press("a")
        await until(pilot, lambda: app._notifications or app.screen is not screen, "the error")
        assert screen.job is None
        assert screen.question.images[0].path == "cat/1.png"
