"""Metrics of a classifier on hand-made cases."""

import numpy as np
import pytest

from workbench.analysis.errors import confusion_cells
from workbench.evaluation.evaluate import (
    class_metrics,
    confusion_csv,
    confusion_matrix,
    losses,
    shifted,
    shifts,
)


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
