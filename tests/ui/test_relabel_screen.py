"""Relabelling in the app, and the run that follows."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import DataTable, OptionList, Static
from ui_pilot import driven, until

from workbench.analysis.errors import TopLoss
from workbench.datasets.label_fixes import read_label_fixes
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.ui import relabel
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import PickName
from workbench.ui.keys import KeyLine
from workbench.ui.relabel import COLUMNS, RelabelScreen, loss_cells
from workbench.ui.results.screen import ResultsScreen


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


def rows(app: WorkbenchApp) -> list[list[str]]:
    table = app.screen.query_one("#losses", DataTable)
    return [[cell.plain for cell in table.get_row_at(row)] for row in range(table.row_count)]


def marks(app: WorkbenchApp) -> list[str]:
    return [row[3] for row in rows(app)]


async def open_relabel(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
    await app.push_screen(RelabelScreen("pets-1"))
    await until(pilot, lambda: rows(app), "the losses")


@pytest.mark.usefixtures("run")
async def test_errors_lead_to_relabel(tmp_path: Path) -> None:
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("pets-1"), "the run is seen")
        results = ResultsScreen("pets-1")
        await app.push_screen(results)
        summary = results.query_one("#summary", Static)
        await until(pilot, lambda: "test 0.0000" in " ".join(str(summary.render()).split()), "it")
        keys = results.query_one(KeyLine)
        await pilot.press("enter")
        assert app.screen is results
        assert "Relabel" not in keys.keys.plain
        await pilot.press("v", "v")
        await until(pilot, lambda: "Relabel" in keys.keys.plain, "the key")
        assert keys.keys.cell_len <= 80
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RelabelScreen), "the screen")
        assert app.screen.query_one(KeyLine).keys.cell_len <= 80
        await until(pilot, lambda: rows(app), "the losses")
        await pilot.press("escape")
        assert app.screen is results


@pytest.mark.usefixtures("run")
async def test_images_are_relabelled_excluded_and_restored(tmp_path: Path) -> None:
    path = tmp_path / "data" / "pets" / "corrections.csv"

    async with driven(tmp_path) as (app, pilot):
        await open_relabel(app, pilot)
        assert rows(app) == [["2.30", "cat", "dog", ""], ["1.61", "dog", "cat", ""]]
        picture, of = (app.screen.query_one(name, Static) for name in ("#picture", "#of"))
        await until(pilot, lambda: "▀" in str(picture.render()), "the picture")
        assert str(of.render()) == "cat/1.png"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        assert app.screen.query_one(OptionList).highlighted == 1  # the prediction
        await pilot.press("enter")
        await until(pilot, lambda: rows(app)[0][3] == "dog", "the new label")
        await pilot.press("down", "d")
        await until(pilot, lambda: marks(app) == ["dog", "excluded"], "it is left out")
        assert str(of.render()) == "dog/0.png"  # the cursor stays
        assert [(one.path, one.label) for one in read_label_fixes(path)] == [
            ("cat/1.png", "dog"),
            ("dog/0.png", ""),
        ]
        await pilot.press("up", "u")
        await until(pilot, lambda: marks(app) == ["", "excluded"], "the fix is removed")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickName), "the labels")
        await pilot.press("escape")
        assert marks(app) == ["", "excluded"]


async def test_a_run_on_the_relabelled_data_starts(
    tmp_path: Path, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[ExperimentSpec, str]] = []

    def start(workspace: Workspace, spec: ExperimentSpec, stem: str, *_: Any, **__: Any) -> Any:
        started.append((spec, stem))
        if len(started) == 1:
            raise UserError("The disk is full.")
        return create_run(workspace, dump_spec(spec), None, stem)

    monkeypatch.setattr(relabel, "start_run", start)
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(WorkbenchApp, "open_instead", lambda app, *route: opened.append(route))
    path = tmp_path / "data" / "pets" / "corrections.csv"

    async with driven(tmp_path) as (app, pilot):
        await open_relabel(app, pilot)
        screen = app.screen
        await pilot.press("t")
        assert app.screen is screen  # there are no label fixes yet
        await pilot.press("d")
        await until(pilot, lambda: marks(app)[0] == "excluded", "it is left out")
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
        await app.push_screen(RelabelScreen("pets-1"))
        await until(pilot, lambda: app._notifications, "the error")
        assert "is damaged at line 1" in next(iter(app._notifications)).message
        await pilot.press("enter", "d", "u", "t")
        assert isinstance(app.screen, RelabelScreen)


def test_a_row_is_safe_and_fits() -> None:
    odd = TopLoss("a.png", "\x1b[31m" + "x" * 50, "dog", 14.5086, 1.0)
    cells = loss_cells(odd, {"a.png": ""})
    assert cells[0] == "14.51"
    assert "\x1b" not in "".join(cells)
    assert all(len(cell) < width for cell, width in zip(cells, COLUMNS.values(), strict=True))
    assert cells[3] == "excluded"
    assert loss_cells(odd, {})[3] == ""
