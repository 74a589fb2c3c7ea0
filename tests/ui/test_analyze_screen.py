"""Calibration, and the movable threshold; the expected numbers are counted by hand."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from finished_run import is_shown, make_run, results_json, shown
from textual.pilot import Pilot
from ui_pilot import driven, keys_offered, notices, until

from workbench.analysis.errors import read_predictions
from workbench.analysis.thresholds import threshold_metrics
from workbench.render.calibration import calibration_report, format_calibration, threshold_curves
from workbench.ui.analyze import AnalyzeScreen
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
        assert "for runs with two labels" in shown(app)
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
