"""Confusions among the figures of a run: a matrix of few labels, the worst pairs of many."""

import json
from pathlib import Path
from typing import Any

import pytest
from many_labels import many

from workbench.errors import UserError
from workbench.runs.confusion import (
    MOST_PAIRS,
    ClassFigures,
    Confused,
    bounded,
    parse_confusion,
    worst_classes,
)
from workbench.runs.results import read_results


def test_up_to_sixty_labels_the_matrix_is_kept() -> None:
    told = many(60)
    found = parse_confusion(told, told["labels"])
    assert found.matrix[5] == (0, 0, 0, 0, 0, 0, 3, *[0] * 53)
    assert found.file == ""
    assert found.pairs[:3] == (
        Confused("l5", "l6", 3, 1.0),
        Confused("l0", "l1", 2, 2 / 3),
        Confused("l10", "l11", 2, 2 / 3),
    )
    assert len(found.pairs) == 12
    assert bounded(told) == told


def test_of_more_labels_the_pairs_are_kept_and_the_file_is_named() -> None:
    told = many(61)
    found = parse_confusion(told, told["labels"])
    assert found.matrix == ()
    assert found.file == "results.json"  # which has all of it in a run of that time
    assert found.pairs[0] == Confused("l5", "l6", 3, 1.0)
    short = bounded(told)
    assert "confusion" not in short
    assert short["matrix"] == "results.json"
    assert parse_confusion(short, told["labels"]) == found


def test_pairs_are_a_hundred_at_most() -> None:
    assert MOST_PAIRS == 100
    assert len(parse_confusion(many(502), many(502)["labels"]).pairs) == 100


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
def test_damaged_confusions_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    told: dict[str, Any] = {
        "split": "test", "images": 4, "accuracy": 0.5, "interval": [0.1, 0.9],
        "labels": ["a", "b"], "classes": [], "worst": [],
    }  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps({**told, **changes}))
    with pytest.raises(UserError, match="is damaged"):
        read_results(path)


def test_the_worst_labels_are_those_found_least() -> None:
    def one(label: str, images: int, recall: float | None) -> ClassFigures:
        return ClassFigures(label, images, None, recall)

    classes = [one("a", 3, 1.0), one("b", 3, 0.5), one("c", 9, 0.5), one("d", 0, None)]
    assert [found.label for found in worst_classes(classes, 3)] == ["c", "b", "a"]
    assert [found.label for found in worst_classes(classes, 9)] == ["c", "b", "a", "d"]
