"""Metrics of a classifier from its probabilities. numpy and scipy only."""

import numpy as np
from scipy.stats import binomtest

from workbench.runs.confusion import ClassMetrics

_TINY = 1e-7  # as Keras clips probabilities before the logarithm


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the crossentropy of each image, natural logarithm: (n, classes), (n,) -> (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(chosen, _TINY, 1.0))


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts (classes, classes): row is the true label, column the predicted one."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_metrics(
    labels: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]
) -> list[ClassMetrics]:
    """Return precision tp / (tp + fp) and recall tp / (tp + fn) of each label.

    `labels` and `predicted` are int (n,), indices into `names`.
    """
    correct, positive, actual = (
        np.bincount(indices, minlength=len(names))
        for indices in (labels[labels == predicted], predicted, labels)
    )
    return [
        ClassMetrics(
            name,
            int(actual[i]),
            float(correct[i] / positive[i]) if positive[i] else None,
            float(correct[i] / actual[i]) if actual[i] else None,
        )
        for i, name in enumerate(names)
    ]


def accuracy_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy (Wilson's score interval)."""
    interval = binomtest(correct, images).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def shifts(pixels: int) -> list[tuple[int, int]]:
    """Return the eight shifts (down, right) by so many pixels."""
    steps = (-pixels, 0, pixels)
    return [(y, x) for y in steps for x in steps if (y, x) != (0, 0)]


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shift images (n, h, w, c) by whole pixels, repeating their edge."""
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return images[:, rows][:, :, columns]
