"""The pane beside the table of runs: the curve and the facts of the run under the cursor."""

from pathlib import Path

import pytest
from fake_runs import CONVNET, FakeRun, finished
from rich.text import Text
from screen_text import lines
from ui_pilot import driven, until

from workbench.paths import Workspace
from workbench.runs.annotations import add_note
from workbench.runs.watch import RunFeed, RunView
from workbench.ui.home.detail import CurveBelow, RunDetail, cut_start, describe, draw_curve
from workbench.ui.home.table import RunTable

KEYS = {"stop": "f9", "resume": "f5"}


def views(workspace: Workspace) -> tuple[RunView, ...]:
    feed = RunFeed(workspace, lambda runs: None)
    feed.poll()
    return tuple(feed.views())


@pytest.fixture
def view(tmp_path: Path) -> RunView:
    """A finished run."""
    workspace = Workspace(tmp_path)
    finished(workspace)
    (found,) = views(workspace)
    return found


def drawn(view: RunView, width: int, rows: int = 8) -> Text:
    return draw_curve(view, width, rows, utf8=True, color=lambda name, default: "#ffffff")


def test_there_is_no_heading_without_a_plot(view: RunView) -> None:
    assert drawn(view, 40).plain.startswith("accuracy\n")
    assert drawn(view, 11).plain == ""
    assert drawn(view, 40, rows=3).plain == ""


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, "/tmp/somewhere/else/digits/source"),
        (33, "/tmp/somewhere/else/digits/source"),
        (20, "…/else/digits/source"),
        (19, "…/digits/source"),
        (15, "…/digits/source"),
        (14, "…/source"),
        (5, "…urce"),
    ],
)
def test_a_path_is_cut_at_its_start(width: int, expected: str) -> None:
    assert cut_start("/tmp/somewhere/else/digits/source", width) == expected


def test_a_long_path_keeps_the_size_of_the_images_in_its_line(tmp_path: Path) -> None:
    long = "/home/somebody/with/many/folders/before/the/digits/source"
    spec = CONVNET.format(epochs=5).replace("/photos/cats-dogs", long)
    workspace = Workspace(tmp_path)
    FakeRun(workspace, "one", spec.replace("[model]", "image_size = [28, 28]\n[model]"))
    (found,) = views(workspace)
    lines = describe(found, 40, utf8=True, key=KEYS.__getitem__).plain.split("\n")
    assert "data     …/the/digits/source, 28x28" in [line.rstrip() for line in lines]


def test_the_keys_of_a_run_are_named_as_its_person_has_them(tmp_path: Path, view: RunView) -> None:
    workspace = Workspace(tmp_path / "others")
    FakeRun(workspace, "stopped-1", CONVNET.format(epochs=5)).emit("stopped", stage=0, epoch=1)
    (stopped,) = views(workspace)
    told = [describe(one, 200, utf8=True, key=KEYS.__getitem__).plain for one in (view, stopped)]
    assert told[0].endswith("enter shows its curves, and enter again the results")
    assert told[1].endswith("f5 resumes it, enter shows how far it came")


async def test_a_curve_takes_the_room_below_a_short_table(tmp_path: Path) -> None:
    finished(Workspace(tmp_path))
    async with driven(tmp_path, (200, 50)) as (app, pilot):
        below = app.screen.query_one(CurveBelow)
        await until(pilot, lambda: below.render().plain.startswith("loss\n"), "the curve")
        table = app.screen.query_one(RunTable)
        assert below.region.y == table.region.bottom
        assert below.region.bottom == app.screen.query_one(RunDetail).region.bottom
        assert below.region.width == table.region.width
        assert "val 0." in below.render().plain
        await pilot.resize_terminal(120, 24)
        await until(pilot, lambda: 0 < below.size.height < 22, "a lower terminal")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: below.render().plain.startswith("accuracy\n"), "the other one")
        assert below.region.bottom < 24


async def test_a_long_table_leaves_no_room_for_a_curve(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for number in range(20):
        FakeRun(workspace, f"one-{number}", CONVNET.format(epochs=3)).epochs(0, 3)
    async with driven(tmp_path, (120, 24)) as (app, pilot):
        table, below = app.screen.query_one(RunTable), app.screen.query_one(CurveBelow)
        await until(pilot, lambda: table.row_count == 20 and table.size.height > 18, "all runs")
        assert below.render().plain == ""


async def test_the_curve_of_the_pane_leaves_room_for_long_facts(tmp_path: Path) -> None:
    run = finished(Workspace(tmp_path))
    async with driven(tmp_path, (120, 34)) as (app, pilot):
        curve = app.screen.query_one("#curve")
        await until(pilot, lambda: curve.size.height > 13, "a curve with much room")
        add_note(run.folder, " ".join(f"word{number}" for number in range(40)))
        await until(pilot, lambda: "word39" in "".join(lines(app.screen)), "the whole note")
        end = "and enter again the results"
        assert end in " ".join(" ".join(line[75:].split()) for line in lines(app.screen))
        assert 8 < curve.size.height < 13
