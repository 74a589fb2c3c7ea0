"""What a worker wrote of a learning curve and a map, read again; damaged files are named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_curves import SIZES, write_curve, write_folds

from workbench.app.label_suspects import read_suspects
from workbench.app.learning_curve import measure_curve, read_curve
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

IMAGES = [("a.png", "cat", 0.1), ("b.png", "dog", 0.4)]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_curve_is_read_as_it_was_fitted(run: RunFolder) -> None:
    write_curve(run, used=200)
    report = read_curve(run)
    assert [one.images for one in report.curve.points] == list(SIZES)
    assert report.last.accuracy == 0.8
    assert [one.images for one in report.ahead] == [192, 384]
    twice, four_times = report.ahead
    assert report.last.accuracy < twice.accuracy < four_times.accuracy
    assert four_times.low < four_times.accuracy < four_times.high
    assert (report.images, report.used, report.base) == (240, 200, "efficientnet-lite0")
    assert (report.own_base, report.random_weights) == (True, False)
    cat, dog = report.worths
    assert (cat.label, cat.is_worth_it) == ("cat", True)
    assert (dog.label, dog.is_worth_it) == ("dog", False)


def test_before_the_first_time_there_is_nothing(run: RunFolder) -> None:
    with pytest.raises(UserError, match="not measured yet"):
        read_curve(run)
    with pytest.raises(UserError, match="has no images yet"):
        measure_curve(Workspace(run.path), run)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"points": []},
        {"points": [{"images": 1, "accuracy": 0.5, "low": 0, "high": 1}]},
        {"points": [{"images": n, "accuracy": 0.5, "low": 0, "high": 1} for n in (2, 1)]},
        {"points": [{"images": n, "accuracy": 1.5, "low": 0, "high": 1} for n in (1, 2)]},
        {"points": [{"images": n, "accuracy": 0.5, "low": 0, "high": 1} for n in (0, 2)]},
        {"curves": [[0.1, 0.2]]},
        {"curves": [[0.1, float("nan"), 0.2]]},
        {"curves": []},
        {"worths": [{"label": "cat"}]},
        {"worths": 7},
        {"images": None},
    ],
)
def test_a_damaged_curve_is_named(run: RunFolder, changes: dict[str, Any]) -> None:
    write_curve(run, **changes)
    with pytest.raises(UserError, match=r"learning-curve\.json is damaged") as error:
        read_curve(run)
    assert "--learning-curve" in error.value.hint


def test_points_are_those_of_the_images(run: RunFolder) -> None:
    write_folds(run, IMAGES, ("cat", "dog"), [(0.5, -1.0), (2.0, 3.0)])
    points = read_suspects(run).points
    assert points is not None
    assert np.array_equal(points, [[0.5, -1.0], [2.0, 3.0]])


def test_reports_of_earlier_versions_have_no_points(run: RunFolder) -> None:
    write_folds(run, IMAGES, ("cat", "dog"), None)
    report = read_suspects(run)
    assert report.points is None
    assert report.suspects[0].path == "b.png"


@pytest.mark.parametrize("points", [[], [(1, 2)], [(1,), (2,)], [(1, 2), (3, float("inf"))], 3])
def test_points_of_other_images_are_damage(run: RunFolder, points: Any) -> None:
    write_folds(run, IMAGES, ("cat", "dog"), points)
    with pytest.raises(UserError, match=r"folds\.json is damaged"):
        read_suspects(run)
