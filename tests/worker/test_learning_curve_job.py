"""`workbench analyze RUN --learning-curve` by real workers."""

import json

import pytest
from person import Person

from workbench.app.label_suspects import read_suspects
from workbench.app.learning_curve import read_curve
from workbench.runs.folder import RunFolder


@pytest.mark.worker
def test_the_curve_is_measured_on_all_images_and_printed(probed: Person) -> None:
    person = probed
    run = RunFolder(person.workspace / "saved_models" / "probe")
    output = person.types("analyze", "probe", "--learning-curve", "--folds", "3", expect=2)
    assert "--learning-curve excludes --threshold and --folds" in output
    assert not run.learning_curve_path.exists()
    output = person.types("analyze", "probe", "--learning-curve")
    assert "probe: accuracy by training images of a class" in output
    assert "60 images, a fifth of them left out each time to test." in output
    assert "runs once for 60 images" in output
    assert "The base has random weights" in output
    assert "Twice as many images of every class: nothing that shows." in output
    assert "50 more images of any of dark, light: nothing that shows" in output
    report = read_curve(run)
    assert [one.images for one in report.curve.points] == [3, 6, 12, 24]
    assert (report.images, report.used, report.classes) == (60, 60, 2)
    assert (report.random_weights, report.own_base) == (True, True)
    assert report.last.accuracy == 1.0

    output = person.types("analyze", "probe", "--learning-curve", "--json")
    assert "runs once for" not in output  # the features are kept
    values = json.JSONDecoder().raw_decode(output)[0]
    assert [one["images"] for one in values["ahead"]] == [48, 96]
    assert [one["label"] for one in values["classes"]] == ["dark", "light"]
    assert not any(one["worth_it"] for one in values["classes"])

    person.types("analyze", "probe", "--folds", "3", "--repeats", "1")
    points = read_suspects(run).points
    assert points is not None
    assert points.shape == (60, 2)
    dark, light = points[:30, 0], points[30:, 0]  # in the order of their paths
    assert dark.max() < light.min() or light.max() < dark.min()
