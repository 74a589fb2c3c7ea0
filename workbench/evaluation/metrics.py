"""Figures of a classifier from its probabilities. numpy and scipy only."""

import numpy as np
from scipy.stats import binomtest

from workbench.runs.confusion import ClassFigures

_TINY = 1e-7  # as Keras clips probabilities before the logarithm


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Crossentropy of each image, natural logarithm: (n, classes), (n,) -> (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(chosen, _TINY, 1.0))


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes), for few classes: row is the true label, column the predicted."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_figures(
    labels: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]
) -> list[ClassFigures]:
    """Precision tp / (tp + fp) and recall tp / (tp + fn) of each label.

    Args:
        labels, predicted: int (n,), places in `names`.
    """
    right, called, actual = (
        np.bincount(places, minlength=len(names))
        for places in (labels[labels == predicted], predicted, labels)
    )
    return [
        ClassFigures(
            name,
            int(actual[i]),
            float(right[i] / called[i]) if called[i] else None,
            float(right[i] / actual[i]) if actual[i] else None,
        )
        for i, name in enumerate(names)
    ]


def accuracy_interval(right: int, images: int) -> tuple[float, float]:
    """The 95 % confidence interval of an accuracy (Wilson's score interval)."""
    interval = binomtest(right, images).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def shifts(pixels: int) -> list[tuple[int, int]]:
    """The eight directions (down, right) in which images are shifted by so many pixels."""
    steps = (-pixels, 0, pixels)
    return [(y, x) for y in steps for x in steps if (y, x) != (0, 0)]


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images (n, h, w, c) moved by whole pixels, their edge repeated behind them."""
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return images[:, rows][:, :, columns]
