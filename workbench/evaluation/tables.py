"""Predictions and confusions as CSV."""

import csv
import io

import numpy as np

from workbench.analysis.errors import confusion_cells


def predictions_csv(
    paths: list[str], labels: list[str], probabilities: np.ndarray, names: list[str]
) -> str:
    """A line an image: path, true label, predicted label, then the probability of each label."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["path", "label", "predicted", *names])
    for path, label, row in zip(paths, labels, probabilities, strict=True):
        writer.writerow([path, label, names[int(row.argmax())], *(f"{p:.6f}" for p in row)])
    return text.getvalue()


def confusion_csv(labels: np.ndarray, predicted: np.ndarray, names: list[str]) -> str:
    """A line a cell of the confusion matrix that holds images: true label, predicted, images."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["label", "predicted", "images"])
    for row, column, count in zip(*confusion_cells(labels, predicted, len(names)), strict=True):
        writer.writerow([names[row], names[column], count])
    return text.getvalue()
