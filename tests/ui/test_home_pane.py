"""The pane beside the table of runs: the curve and the facts of the run under the cursor."""

from pathlib import Path

import pytest
from fake_runs import CONVNET, FakeRun, finished
from rich.text import Text

from workbench.paths import Workspace
from workbench.runs.watch import RunFeed, RunView
from workbench.ui.home.detail import cut_start, describe, draw_curve


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
    lines = describe(found, 40, utf8=True).plain.split("\n")
    assert "data     …/the/digits/source, 28x28" in [line.rstrip() for line in lines]


def test_the_keys_of_a_finished_run_are_named(view: RunView) -> None:
    told = " ".join(describe(view, 200, utf8=True).plain.split())
    assert told.endswith("enter shows its curves and enter again the results; e there exports")
