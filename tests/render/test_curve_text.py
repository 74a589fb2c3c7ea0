"""A learning curve as a table, sentences and a plot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_curves import write_curve

from workbench.analysis.learning_curve import ClassWorth, CurveReport
from workbench.app.learning_curve import read_curve
from workbench.render.learning_curve import (
    curve_plot,
    curve_table,
    describe_curve,
    describe_worths,
)
from workbench.render.plot import plot
from workbench.runs.folder import RunFolder


@pytest.fixture
def report(tmp_path: Path) -> CurveReport:
    write_curve(RunFolder(tmp_path))
    return read_curve(RunFolder(tmp_path))


def test_the_table_has_what_was_measured_and_what_the_curve_has(report: CurveReport) -> None:
    rows = [row.split() for row in curve_table(report).splitlines()]
    assert rows[0] == ["images", "accuracy", "95", "%", "interval"]
    assert [row[:2] for row in rows[1:4]] == [["12", "0.600"], ["24", "0.700"], ["48", "0.750"]]
    assert rows[4][:3] == ["all", "96", "0.800"]
    assert [row[:3] for row in rows[5:]] == [["2", "times", "192"], ["4", "times", "384"]]
    assert rows[5][3] == f"{report.ahead[0].accuracy:.3f}"


def test_sentences_say_on_what_and_what_more_would_bring(report: CurveReport) -> None:
    measured_on, gains = describe_curve(report)
    assert measured_on.startswith(
        "Linear classifiers on features of EfficientNet-Lite0; 240 images,"
    )
    twice = report.curve.gain(96, 192)
    assert gains.startswith(
        f"Twice as many images of every class: about {100 * twice.accuracy:.1f} points "
        f"({100 * twice.low:.1f} to {100 * twice.high:.1f}). 4 times as many: about "
    )


def test_a_level_curve_promises_nothing(report: CurveReport) -> None:
    level = replace(report.curve, curves=np.array([[0.2, 0.0, 0.5], [0.2, 0.01, 0.5]]))
    _, gains = describe_curve(replace(report, curve=level))
    assert gains == (
        "Twice as many images of every class: nothing that shows. "
        "4 times as many: nothing that shows."
    )


def test_a_part_of_the_images_and_random_weights_are_named(report: CurveReport) -> None:
    measured_on, random, _ = describe_curve(
        replace(report, used=5000, images=20_000, random_weights=True, base="other\x1b[1m")
    )
    assert "features of other\\e[1m; 5,000 of 20,000 images" in measured_on
    assert "random weights" in random


def worth(label: str, gain: float) -> ClassWorth:
    return ClassWorth(label, 96, 50, gain, gain / 2, 2 * gain)


def test_classes_that_bring_nothing_share_a_line(report: CurveReport) -> None:
    cat, dog = describe_worths(report)
    assert cat.startswith("50 more images of cat: about ")
    assert dog == "50 more images of dog: nothing that shows"
    three = (worth("glass", 0.02), worth("paper", 0), worth("tin\x1b", 0))
    assert describe_worths(replace(report, worths=three, classes=3)) == [
        "50 more images of glass: about 2.0 points (1.0 to 4.0)",
        "50 more images of any of paper, tin\\e: nothing that shows",
    ]
    many = tuple(worth(f"c{number}", 0) for number in range(12))
    assert describe_worths(replace(report, worths=many, classes=40)) == [
        "50 more images of any of c0, c1, c2, c3, c4, c5, c6, c7 and 4 others: nothing that shows",
        "Measured one by one: 12 of 40 classes.",
    ]
    assert describe_worths(replace(report, worths=())) == []


@pytest.mark.parametrize("utf8", [True, False])
def test_the_plot_goes_from_the_fewest_images_to_four_times_as_many(
    report: CurveReport, utf8: bool
) -> None:
    series, options = curve_plot(report, utf8)
    assert (options.epochs, options.best) == (5 * 12 + 1, 3 * 12 + 1)  # doublings of 12
    low, high, fit = series
    assert all(a <= b <= c for a, b, c in zip(low.values, fit.values, high.values, strict=True))
    assert [at for at, one in enumerate(fit.raw) if one is not None] == [0, 12, 24, 36]
    assert fit.raw[36] == 0.8
    assert fit.newest == pytest.approx(report.ahead[-1].accuracy)
    drawn = plot(series, 60, 12, options).plain
    assert drawn.splitlines()[-1].split() == ["12", "96", "now", "384"]
    assert utf8 or drawn.isascii()
