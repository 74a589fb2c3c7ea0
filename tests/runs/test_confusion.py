"""Confused labels in the metrics of a run: a matrix of few labels, the largest cells of many."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_runs import fake_results

from workbench.errors import UserError
from workbench.runs.confusion import (
    MAX_PAIRS,
    ClassMetrics,
    ConfusedPair,
    bounded,
    parse_confusion,
    worst_classes,
)
from workbench.runs.results import read_results


def test_matrix_of_sixty_labels_is_kept() -> None:
    metrics = fake_results(60)
    found = parse_confusion(metrics, metrics["labels"])
    assert found.matrix[5] == (0, 0, 0, 0, 0, 0, 3, *[0] * 53)
    assert found.file == ""
    assert found.pairs[:3] == (
        ConfusedPair("l5", "l6", 3, 1.0),
        ConfusedPair("l0", "l1", 2, 2 / 3),
        ConfusedPair("l10", "l11", 2, 2 / 3),
    )
    assert len(found.pairs) == 12
    assert bounded(metrics) == metrics


def test_more_labels_keep_pairs_and_file_name() -> None:
    metrics = fake_results(61)
    found = parse_confusion(metrics, metrics["labels"])
    assert found.matrix == ()
    assert found.file == "results.json"  # which contains all of it in older runs
    assert found.pairs[0] == ConfusedPair("l5", "l6", 3, 1.0)
    short = bounded(metrics)
    assert "confusion" not in short
    assert short["matrix"] == "results.json"
    assert parse_confusion(short, metrics["labels"]) == found


def test_pairs_are_limited_to_a_hundred() -> None:
    assert MAX_PAIRS == 100
    assert len(parse_confusion(fake_results(502), fake_results(502)["labels"]).pairs) == 100


@pytest.mark.parametrize(
    "changes",
    [
        {"confusion": [[1]]},
        {"confusion": [[1, 2], [1]]},
        {"confusion": [[1, 2], [1, -1]]},
        {"confusion": [[1, 2], [1, True]]},
        {"confusion": [[1, 2], [1, 1.0]]},
        {"confusion": ["ab", "cd"]},
        {"confusion": None},
        {"confused": [{"label": "a", "predicted": "b", "count": -1, "share": 0.5}]},
        {"confused": [{"label": "a", "predicted": "b", "count": 1}]},
        {"confused": 3},
        {},
    ],
)
def test_damaged_confusion_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    metrics: dict[str, Any] = {
        "split": "test", "images": 4, "accuracy": 0.5, "interval": [0.1, 0.9],
        "labels": ["a", "b"], "classes": [], "worst": [],
    }  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps({**metrics, **changes}))
    with pytest.raises(UserError, match="is damaged"):
        read_results(path)


def test_worst_classes_have_lowest_recall() -> None:
    def one(label: str, images: int, recall: float | None) -> ClassMetrics:
        return ClassMetrics(label, images, None, recall)

    classes = [one("a", 3, 1.0), one("b", 3, 0.5), one("c", 9, 0.5), one("d", 0, None)]
    assert [found.label for found in worst_classes(classes, 3)] == ["c", "b", "a"]
    assert [found.label for found in worst_classes(classes, 9)] == ["c", "b", "a", "d"]
