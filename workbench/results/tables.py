"""Predictions as CSV."""

import csv
import io

import numpy as np


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
