"""Metrics on hand-made cases, and evaluation with more labels than a matrix in the results has."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.analysis.errors import confusion_cells
from workbench.analysis.scores import measure_scores
from workbench.evaluation.evaluate import (
    EvaluationResult,
    class_metrics,
    confusion_csv,
    confusion_matrix,
    evaluate,
    losses,
    predict_probabilities,
    shifted,
    shifts,
)
from workbench.experiment.metrics import SCORES
from workbench.runs.folder import RunFolder
from workbench.runs.results import read_results
from workbench.worker.evaluation import write_results


def test_losses_are_the_logarithm_of_the_true_labels_probability() -> None:
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9], [1.0, 0.0]])
    found = losses(probabilities, np.array([0, 1, 1]))
    assert found[:2] == pytest.approx([np.log(2), -np.log(0.9)])
    assert np.isfinite(found[2])


def test_confusion_has_true_labels_in_rows() -> None:
    confusion = confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    assert confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_precision_and_recall() -> None:
    labels, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    cat, dog, fox = class_metrics(labels, predicted, ("cat", "dog", "fox"))
    assert (cat.images, cat.precision, cat.recall) == (2, 1.0, 0.5)
    assert (dog.precision, dog.recall) == (pytest.approx(1 / 3), 1.0)
    assert (fox.precision, fox.recall) == (None, 0.0)


def test_a_label_without_images_has_no_recall() -> None:
    right = np.array([0, 0])
    assert class_metrics(right, right, ("cat", "dog"))[1].recall is None


def test_a_matrix_of_many_labels_is_given_by_its_non_zero_cells() -> None:
    """Even of a million labels, whose matrix would not fit any memory."""
    labels, predicted = np.array([999_999, 0, 999_999, 3]), np.array([0, 0, 0, 4])
    rows, columns, counts = confusion_cells(labels, predicted, 1_000_000)
    assert (rows.tolist(), columns.tolist(), counts.tolist()) == (
        [0, 3, 999_999],
        [0, 4, 0],
        [1, 1, 2],
    )
    table = confusion_csv(np.array([0, 0, 1]), np.array([1, 1, 1]), ["a,b", "c"])
    assert table.splitlines() == ["label,predicted,images", '"a,b",c,2', "c,c,1"]


def test_shifts_are_the_eight_directions() -> None:
    assert len(set(shifts(2))) == 8
    assert (0, 0) not in shifts(2)
    assert all(set(map(abs, shift)) <= {0, 2} for shift in shifts(2))


def test_shifted_repeats_the_edge() -> None:
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    assert shifted(image, 1, 0)[0, :, :, 0].tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert shifted(image, 0, -1)[0, :, :, 0].tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]


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


class LeftHalf:
    """Its probability of the second of two labels is the mean of an image's left half / 255."""

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        left = np.asarray(batch, np.float64)[:, :, : batch.shape[2] // 2]
        return left.mean(axis=(1, 2, 3))[:, None] / 255


def half_lit(*pairs: tuple[int, int]) -> np.ndarray:
    """Images of 2x4 with a left and a right half of one grey each."""
    rows = [[[left, left, right, right]] * 2 for left, right in pairs]
    return np.array(rows, np.uint8)[..., None]


def test_probabilities_of_an_image_and_its_mirror_image_are_averaged() -> None:
    images = half_lit((255, 0), (51, 102), (0, 0))
    model: Any = LeftHalf()
    plain = predict_probabilities(model, iter([images]))
    assert plain[:, 1].tolist() == pytest.approx([1.0, 0.2, 0.0])
    mirrored = predict_probabilities(model, iter([images]), mirror=True)
    assert mirrored[:, 1].tolist() == pytest.approx([0.5, 0.3, 0.0])
    assert mirrored.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_evaluation_with_mirror_images(tmp_path: Path) -> None:
    images, labels = half_lit((255, 0), (102, 51), (255, 204), (0, 255)), np.array([0, 0, 1, 1])
    paths, names, model = list("abcd"), ("dark", "light"), LeftHalf()
    for mirror, accuracy in ((False, 0.5), (True, 0.75)):
        given: Any = model, images, np.arange(4), labels, paths, names
        evaluation = evaluate(*given, mirror=mirror)
        write_results(RunFolder(tmp_path), "test", evaluation, paths, labels)
        results = read_results(RunFolder(tmp_path).results_path)
        assert (results.accuracy, results.mirrored) == (accuracy, mirror)


def test_scores_are_in_the_results(tmp_path: Path) -> None:
    evaluation, labels, paths = evaluated(7)
    write_results(RunFolder(tmp_path), "test", evaluation, paths, labels)
    written = json.loads(RunFolder(tmp_path).results_path.read_text())
    expected = measure_scores(labels, evaluation.probabilities)
    assert expected.keys() == set(SCORES)
    for name, score in expected.items():
        assert written[name] == {"value": score.value, "interval": list(score.interval or ())}
    assert read_results(RunFolder(tmp_path).results_path).scores == expected


def test_results_of_an_earlier_version_have_no_scores(tmp_path: Path) -> None:
    evaluation, labels, paths = evaluated(7)
    for name in SCORES:
        del evaluation.metrics[name]
    evaluation.metrics["auc"] = {"value": None, "interval": None}
    write_results(RunFolder(tmp_path), "test", evaluation, paths, labels)
    results = read_results(RunFolder(tmp_path).results_path)
    assert (results.scores, results.mirrored) == ({}, False)
