"""Figures of a classifier from its probabilities. numpy and scipy only."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

_TINY = 1e-7  # as Keras clips probabilities before the logarithm


@dataclass(frozen=True)
class ClassFigures:
    """How one label fared. Precision is None where it was never predicted."""

    label: str
    images: int
    precision: float | None
    recall: float | None


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Crossentropy of each image, natural logarithm: (n, classes), (n,) -> (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(chosen, _TINY, 1.0))


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): row is the true label, column the predicted one."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_figures(confusion: np.ndarray, names: tuple[str, ...]) -> list[ClassFigures]:
    """Precision tp / (tp + fp) and recall tp / (tp + fn) of each label."""
    right = confusion.diagonal()
    predicted, actual = confusion.sum(axis=0), confusion.sum(axis=1)
    return [
        ClassFigures(
            name,
            int(actual[i]),
            float(right[i] / predicted[i]) if predicted[i] else None,
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
