"""Reports and tables, from plain values."""

from typing import Any

import pytest

from workbench.cli.output import evaluation_report
from workbench.text import table


def metrics(**changes: Any) -> dict[str, Any]:
    output = {
        "split": "test",
        "images": 100,
        "loss": 0.3,
        "accuracy": 0.9,
        "interval": [0.83, 0.94],
        "labels": ["cat", "dog"],
        "confusion": [[45, 5], [5, 45]],
        "classes": [
            {"label": "cat", "images": 50, "precision": 0.9, "recall": 0.9},
            {"label": "dog", "images": 50, "precision": None, "recall": 0.9},
        ],
        "worst": [
            {"path": "cat.\x1b7.jpg", "label": "cat", "predicted": "dog", "probability": 0.9,
             "loss": 2.302585},
        ],
    }  # fmt: skip
    return {**output, **changes}


def test_a_report_has_the_metrics_in_order() -> None:
    report = evaluation_report(metrics())
    assert report.startswith(
        "test accuracy 0.9000 (0.8300 to 0.9400 with 95 % confidence), loss 0.3000, 100 images\n"
    )
    assert "dog        50          -  0.9000" in report
    assert "cat   45    5" in report
    assert "cat    dog           0.100  cat.\\e7.jpg" in report
    assert "guessing" not in report


@pytest.mark.parametrize(("low", "guessing"), [(0.5, True), (0.500001, False)])
def test_guessing_is_named(low: float, guessing: bool) -> None:
    report = evaluation_report(metrics(interval=[low, 0.6]))
    output = "Not beyond guessing: always saying cat would be right for 0.5000." in report
    assert output is guessing


def test_leaks_and_validation_images_are_named() -> None:
    assert "10 of these images are training images too" in evaluation_report(metrics(leaked=10))
    near = evaluation_report(metrics(near_leaked=7))
    assert "7 of these images look nearly the same as a training image" in near
    assert "expect a little less" in evaluation_report(metrics(split="validation"))


def test_tables_align_and_are_safe() -> None:
    assert table(("a", "b"), [("x\ny", 1), ("z", 22)], "lr") == "a      b\nx\\ny   1\nz     22"
