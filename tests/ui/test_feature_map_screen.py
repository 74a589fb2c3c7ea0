"""The map in the app: where the cursor goes, and what it says of the image under it."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finished_run import make_run, open_results, results_json, shown
from made_curves import write_folds
from textual.pilot import Pilot
from ui_pilot import driven, keys_offered, notices, text_of, until
from waiting import wait_until

from workbench.app.jobs import JobHandle
from workbench.app.label_suspects import SuspectReport, read_suspects
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.ui import feature_map
from workbench.ui.app import WorkbenchApp
from workbench.ui.feature_map import FeatureMapScreen
from workbench.ui.widgets.picture import Picture

# Path, label, probability of a dog; where it lies. The file of one of them exists.
IMAGES = (
    ("0.png", "cat", 0.1), ("1.png", "cat", 0.2), ("cat.7.png", "cat", 0.9),
    ("3.png", "dog", 0.95), ("4.png", "dog", 0.7), ("5.png", "dog", 0.4),
)  # fmt: skip
POINTS = ((0, 0), (0, 0), (9, 0), (9, 9), (0, 9), (9, 0))
NO_MAP = "There is no map of this run yet."


def write_map(run: RunFolder) -> None:
    write_folds(run, IMAGES, ("cat", "dog"), POINTS)


async def opened(app: WorkbenchApp, pilot: Pilot[Any]) -> FeatureMapScreen:
    await until(pilot, lambda: app.find_run("birds"), "the run is seen")
    screen = FeatureMapScreen("birds")
    await app.push_screen(screen)
    return screen


async def on_image(pilot: Pilot[Any], screen: FeatureMapScreen, path: str) -> None:
    await until(pilot, lambda: text_of(screen, "#of") == path, f"the cursor is on {path}")


async def test_the_cursor_starts_at_the_first_suspect(tmp_path: Path) -> None:
    write_map(make_run(tmp_path))
    async with driven(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        await on_image(pilot, screen, "cat.7.png")
        picture = screen.query_one("#picture", Picture)
        await until(pilot, lambda: isinstance(picture.picture, np.ndarray), "the picture")
        assert text_of(screen, "#facts").splitlines() == [
            "label  cat  0.10",
            "else   dog  0.90",
            "by doubt 1 of 6",
            "probably wrong",
            "image 1 of 2 here",
        ]
        assert text_of(screen, "#legend") == "a cat  b dog  "
        assert "birds map 6 images by their features" in shown(app)
        drawn = text_of(screen, "#map").splitlines()
        assert (drawn[0][0], drawn[0][-1], drawn[-1][0]) == ("b", "b", "A")  # two cats in a cell
        assert {len(drawn[0]), screen.query_one("#map").size.width} == {46}


async def test_keys_move_it(tmp_path: Path) -> None:
    write_map(make_run(tmp_path))
    async with driven(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        await on_image(pilot, screen, "cat.7.png")
        for key, path in (
            ("enter", "5.png"),  # in the same cell
            ("enter", "cat.7.png"),
            ("up", "3.png"),
            ("up", "3.png"),  # nothing lies above
            ("left", "4.png"),
            ("down", "1.png"),  # of two in the cell the more suspicious one
            ("enter", "0.png"),
            ("l", "0.png"),
            ("k", "4.png"),
        ):
            await pilot.press(key)
            await on_image(pilot, screen, path)
        assert "Next here" not in keys_offered(app)  # it is alone
        ranked = [one.path for one in screen._report.suspects]
        assert ranked[:2] == ["cat.7.png", "5.png"]
        for path in (*ranked[ranked.index("4.png") + 1 :], *ranked):
            await pilot.press("n")
            await on_image(pilot, screen, path)


async def test_it_is_drawn_in_the_room_that_there_is(tmp_path: Path) -> None:
    write_map(make_run(tmp_path))
    async with driven(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        await on_image(pilot, screen, "cat.7.png")
        await pilot.press("up")
        await pilot.resize_terminal(120, 40)
        wide = 120 - 2 - 2 - 44
        await until(
            pilot, lambda: len(text_of(screen, "#map").splitlines()[0]) == wide, "the new size"
        )
        await on_image(pilot, screen, "3.png")  # the cursor stayed


async def test_results_lead_to_the_map(tmp_path: Path) -> None:
    write_map(make_run(tmp_path, results_json()))
    async with driven(tmp_path) as (app, pilot):
        await open_results(app, pilot, "0.900")
        await pilot.press("M")
        await until(pilot, lambda: isinstance(app.screen, FeatureMapScreen), "the map")
        await on_image(pilot, app.screen, "cat.7.png")


class Worker:
    """Stands for the worker that predicts: goes on until it is told how to end."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def __call__(
        self, workspace: Workspace, run: RunFolder, progress: Any, handle: JobHandle
    ) -> SuspectReport:
        progress("folds", 2, 50)
        wait_until(lambda: handle.cancelled or self.end.is_set(), "its end")
        if handle.cancelled:
            raise UserError("Stopped.")
        write_map(run)
        return read_suspects(run)


@pytest.mark.parametrize("before", ["nothing", "predictions without a map"])
async def test_it_is_computed_on_a_key_and_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    run, worker = make_run(tmp_path), Worker()
    if before != "nothing":
        write_folds(run, IMAGES, ("cat", "dog"), None)
    monkeypatch.setattr(feature_map, "find_suspects", worker)
    async with driven(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        await until(pilot, lambda: NO_MAP in shown(app), "the message")
        assert {"Compute"} <= keys_offered(app)
        assert keys_offered(app).isdisjoint({"Next suspect", "Next here"})
        await pilot.press("enter", "up", "a")
        await until(pilot, lambda: "folds 2 of 50 esc cancels" in shown(app), "the progress")
        assert "Compute" not in keys_offered(app)
        await pilot.press("escape")
        await until(pilot, lambda: "Compute" in keys_offered(app), "the key again")
        assert app.screen is screen
        assert "2 of 50" not in shown(app)
        assert notices(app) == ""
        worker.end.set()
        await pilot.press("a")
        await on_image(pilot, screen, "cat.7.png")
        await pilot.press("escape")
        assert app.screen is not screen


async def test_damaged_predictions_are_reported(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    write_map(run)
    run.folds_path.write_text("nonsense")
    async with driven(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await until(pilot, lambda: "is damaged" in notices(app), "the error")
        assert NO_MAP in shown(app)
        assert "Compute" in keys_offered(app)
