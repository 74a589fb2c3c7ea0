"""Calibration, and the movable threshold; the expected numbers are counted by hand."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from finished_run import is_shown, make_run, results_json, shown
from made_curves import write_curve
from textual.pilot import Pilot
from ui_pilot import driven, keys_offered, notices, until
from waiting import wait_until

from workbench.analysis.errors import read_predictions
from workbench.analysis.learning_curve import CurveReport
from workbench.analysis.thresholds import threshold_metrics
from workbench.app.jobs import JobHandle
from workbench.app.learning_curve import read_curve
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.render.calibration import calibration_report, format_calibration, threshold_curves
from workbench.runs.folder import RunFolder
from workbench.ui.analyze import learning_curve
from workbench.ui.analyze.screen import AnalyzeScreen
from workbench.ui.app import WorkbenchApp

# The label of each image, and the predicted probability of a dog.
PREDICTIONS = (
    ("cat", 0.10), ("cat", 0.20), ("cat", 0.45), ("cat", 0.70),
    ("dog", 0.30), ("dog", 0.55), ("dog", 0.80), ("dog", 0.90),
)  # fmt: skip


def write_binary(path: Path) -> Path:
    lines = ["path,label,predicted,cat,dog"]
    for number, (label, dog) in enumerate(PREDICTIONS):
        predicted = "dog" if dog >= 0.5 else "cat"
        lines.append(f"{number}.png,{label},{predicted},{1 - dog:.6f},{dog:.6f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_three(path: Path) -> Path:
    path.write_text("path,label,predicted,a,b,c\n1.png,a,a,0.5,0.3,0.2\n2.png,b,c,0.1,0.2,0.7\n")
    return path


@asynccontextmanager
async def on_screen(
    folder: Path, size: tuple[int, int] = (80, 24), write: Callable[[Path], Path] = write_binary
) -> AsyncIterator[tuple[WorkbenchApp, Pilot[Any]]]:
    """The analysis of a run with predictions."""
    write(make_run(folder, results_json()).predictions_path)
    async with driven(folder, size) as (app, pilot):
        await until(pilot, lambda: app.find_run("birds"), "the run is seen")
        view = app.find_run("birds")
        assert view
        await app.push_screen(AnalyzeScreen(view))
        await until(pilot, lambda: "calibration error" in shown(app), "the histogram")
        yield app, pilot


def test_the_histogram_starts_with_the_lowest_confidence(tmp_path: Path) -> None:
    found = calibration_report(read_predictions(write_binary(tmp_path / "p.csv")))
    rows = format_calibration(found, 80, utf8=False).plain.splitlines()
    table = [row.split() for row in rows if " to 0." in row or " to 1." in row]
    # Confidences: 0.9, 0.8, 0.55, 0.7 wrong; 0.7 wrong, 0.55, 0.8, 0.9.
    assert [row[:5] for row in table if row[0][0] == "0" and len(row) > 4] == [
        ["0.5", "to", "0.6", "2", "0"],
        ["0.6", "to", "0.7", "0", "0"],
        ["0.7", "to", "0.8", "0", "2"],
        ["0.8", "to", "0.9", "2", "0"],
        ["0.9", "to", "1.0", "2", "0"],
    ]
    assert table[-3][5:] == ["0.000", "x" * 36]
    assert table[-1][5:] == ["1.000", "#" * 36]


@pytest.mark.parametrize(
    ("threshold", "alarm_share", "recall"),
    [(0.5, 0.25, 0.75), (0.85, 0.0, 0.25), (0.05, 1.0, 1.0)],
)
def test_a_threshold_is_marked_on_both_curves(
    tmp_path: Path, threshold: float, alarm_share: float, recall: float
) -> None:
    answers = read_predictions(write_binary(tmp_path / "p.csv"))
    found = calibration_report(answers)
    assert found.ranking
    roc, precision = threshold_curves(found.ranking, True, threshold_metrics(answers, threshold))
    assert (roc.options.best, precision.options.best) == (1 + 100 * alarm_share, 1 + 100 * recall)
    assert roc.options.best_name == f"{threshold:g}"


async def test_a_threshold_moves_between_its_bounds(tmp_path: Path) -> None:
    async with on_screen(tmp_path) as (app, pilot):
        assert "threshold 0.5 for dog precision 0.750, recall 0.750" in shown(app)
        assert "of 100 images of dog 25 are missed (1 of 4 here)" in shown(app)
        assert "Chosen on these images" not in shown(app)  # 0.5 was not chosen
        await pilot.press("right")
        await until(pilot, lambda: "Chosen on these images, it looks better" in shown(app))
        await pilot.press("right", "right", "right")
        await until(
            pilot, lambda: "threshold 0.7 for dog precision 0.667, recall 0.500" in shown(app)
        )
        await pilot.press(*["right"] * 9)
        await until(pilot, lambda: "threshold 0.95 for dog precision -, recall 0.000" in shown(app))
        await pilot.press(*["left"] * 30)
        await until(
            pilot, lambda: "threshold 0.05 for dog precision 0.500, recall 1.000" in shown(app)
        )


async def test_a_low_terminal_shows_curves_or_histogram(tmp_path: Path) -> None:
    async with on_screen(tmp_path) as (app, pilot):
        confidence, plots = (app.screen.query_one(box) for box in ("#confidence", "#curves"))
        assert (is_shown(confidence), is_shown(plots)) == (True, False)
        assert "Zoom" in keys_offered(app)
        await pilot.press("z")
        assert (is_shown(confidence), is_shown(plots)) == (False, True)


async def test_a_tall_terminal_shows_all_of_it(tmp_path: Path) -> None:
    async with on_screen(tmp_path, (120, 32)) as (app, _pilot):
        assert all(is_shown(app.screen.query_one(box)) for box in ("#confidence", "#curves"))
        assert "Zoom" not in keys_offered(app)


async def test_three_labels_have_only_the_histogram(tmp_path: Path) -> None:
    async with on_screen(tmp_path, (120, 40), write_three) as (app, _pilot):
        assert "v shows the learning curve: whether more images would help." in shown(app)
        assert "need two labels, and images of both" in shown(app)
        assert keys_offered(app).isdisjoint({"Threshold lower", "higher", "Zoom"})
        assert not is_shown(app.screen.query_one("#curves"))


async def test_damaged_predictions_are_reported(tmp_path: Path) -> None:
    run = make_run(tmp_path, results_json())
    run.predictions_path.write_text("path,label\n")

    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.find_run("birds"), "the run is seen")
        view = app.find_run("birds")
        assert view
        await app.push_screen(AnalyzeScreen(view))
        await until(pilot, lambda: "is damaged at line 1" in notices(app), "the error")


CURVE = "Would more images help, and of which class?"


async def test_the_learning_curve_is_a_second_view(tmp_path: Path) -> None:
    async with on_screen(tmp_path) as (app, pilot):
        assert "Measure" not in keys_offered(app)
        await pilot.press("v")
        assert "learning curve on all of its images" in shown(app)
        assert CURVE in shown(app)
        assert "calibration error" not in shown(app)
        assert {"Measure", "View"} <= keys_offered(app)
        assert keys_offered(app).isdisjoint({"Threshold lower", "Zoom"})
        await pilot.press("v")
        assert "calibration error" in shown(app)
        assert CURVE not in shown(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_was_measured_before_is_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    async with on_screen(tmp_path, size) as (app, pilot):
        write_curve(RunFolder(tmp_path / "saved_models" / "birds"))
        await pilot.press("escape")
        await app.push_screen(AnalyzeScreen(app.find_run("birds")))  # type: ignore[arg-type]
        await pilot.press("v")
        await until(pilot, lambda: "Twice as many images of every class" in shown(app), "the text")
        assert "all 96 0.800" in shown(app)
        assert "50 more images of dog: nothing that shows" in shown(app)
        plot = app.screen.query_one("#plot")
        await until(pilot, lambda: plot.size.height >= 8, "its room")
        assert "96 now" in str(plot.render())


class Worker:
    """Stands for the worker that measures: goes on until it is told how to end."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def __call__(
        self, workspace: Workspace, run: RunFolder, progress: Any, handle: JobHandle
    ) -> CurveReport:
        progress("learning curve", 3, 200)
        wait_until(lambda: handle.cancelled or self.end.is_set(), "its end")
        if handle.cancelled:
            raise UserError("Stopped.")
        write_curve(run)
        return read_curve(run)


async def test_it_is_measured_on_a_key_and_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    monkeypatch.setattr(learning_curve, "measure_curve", worker)
    async with on_screen(tmp_path) as (app, pilot):
        screen = app.screen
        await pilot.press("v", "w")
        await until(pilot, lambda: "learning curve 3 of 200 esc cancels" in shown(app), "progress")
        assert "Measure" not in keys_offered(app)
        await pilot.press("escape")
        await until(pilot, lambda: "Measure" in keys_offered(app), "the key again")
        assert app.screen is screen
        assert "3 of 200" not in shown(app)
        assert notices(app) == ""
        await pilot.press("w")
        worker.end.set()
        await until(pilot, lambda: "all 96 0.800" in shown(app), "the result")
        await pilot.press("escape")
        assert app.screen is not screen
