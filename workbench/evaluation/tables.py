"""Predictions and confusion matrices as CSV."""

import csv
import io

import numpy as np

from workbench.analysis.errors import confusion_cells


def predictions_csv(
    paths: list[str], labels: list[str], probabilities: np.ndarray, names: list[str]
) -> str:
    """Return a line for each image: path, true label, predicted label, all probabilities."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["path", "label", "predicted", *names])
    for path, label, row in zip(paths, labels, probabilities, strict=True):
        writer.writerow([path, label, names[int(row.argmax())], *(f"{p:.6f}" for p in row)])
    return text.getvalue()


def confusion_csv(labels: np.ndarray, predicted: np.ndarray, names: list[str]) -> str:
    """Return a line for each non-zero cell of the matrix: true label, predicted label, images."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["label", "predicted", "images"])
    for row, column, count in zip(*confusion_cells(labels, predicted, len(names)), strict=True):
        writer.writerow([names[row], names[column], count])
    return text.getvalue()
