"""Evaluation with so many labels that the confusion matrix is too large for the results."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.evaluation.evaluate import EvaluationResult, evaluate
from workbench.runs.folder import RunFolder
from workbench.runs.results import read_results
from workbench.worker.evaluation import write_results


class NextLabel:
    """Predicts the label after the one in the image's only pixel, from 1 on."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        labels = np.asarray(batch)[:, 0, 0, 0].astype(int)
        predicted = np.where(labels > 0, (labels + 1) % self.classes, 0)
        return np.eye(self.classes, dtype=np.float32)[predicted]


def evaluated(classes: int) -> tuple[EvaluationResult, np.ndarray, list[str]]:
    labels = np.array([0, 0, 1, 1, classes - 1])
    images = labels.astype(np.uint8).reshape(-1, 1, 1, 1)
    paths = [f"{number}.png" for number in range(5)]
    names = tuple(f"l{number}" for number in range(classes))
    model: Any = NextLabel(classes)
    return evaluate(model, images, np.arange(5), labels, paths, names), labels, paths


@pytest.mark.parametrize("classes", [61, 250])
def test_the_worst_pairs_are_kept_and_the_matrix_is_a_file(tmp_path: Path, classes: int) -> None:
    evaluation, labels, paths = evaluated(classes)
    folder = RunFolder(tmp_path)
    write_results(folder, "test", evaluation, paths, labels)
    results = json.loads(folder.results_path.read_text())
    assert "confusion" not in results
    assert results["confused"] == [
        {"label": "l1", "predicted": "l2", "count": 2, "share": 1.0},
        {"label": f"l{classes - 1}", "predicted": "l0", "count": 1, "share": 1.0},
    ]
    assert (tmp_path / "confusion-test.csv").read_text().splitlines() == [
        "label,predicted,images", "l0,l0,2", "l1,l2,2", f"l{classes - 1},l0,1",
    ]  # fmt: skip
    found = read_results(folder.results_path)
    assert (found.confusion.matrix, found.confusion.file) == ((), "confusion-test.csv")
    assert found.wrong == 3
    assert [one.recall for one in found.classes[:3]] == [1.0, 0.0, None]


def test_the_matrix_of_sixty_labels_is_in_the_results(tmp_path: Path) -> None:
    evaluation, labels, paths = evaluated(60)
    folder = RunFolder(tmp_path)
    write_results(folder, "test", evaluation, paths, labels)
    matrix = json.loads(folder.results_path.read_text())["confusion"]
    assert (matrix[0][0], matrix[1][2], matrix[59][0], np.sum(matrix)) == (2, 2, 1, 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions.csv", "results.json"]
