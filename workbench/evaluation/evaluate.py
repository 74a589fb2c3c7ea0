"""Test figures of a model: accuracy with its interval, confusions, the worst errors by name."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from workbench.analysis.errors import most_confused
from workbench.evaluation.metrics import (
    accuracy_interval,
    class_figures,
    confusion_matrix,
    losses,
    shifted,
    shifts,
)
from workbench.progress import Progress, silent
from workbench.runs.confusion import MATRIX_LABELS, MOST_PAIRS
from workbench.training.inputs import plain_batches

WORST = 20  # errors listed by name
BATCH = 64


@dataclass(frozen=True)
class Evaluation:
    """Figures over one set of images, and the probabilities they come from.

    Attributes:
        figures: plain data for results.json.
        probabilities: float32 (n, classes).
    """

    figures: dict[str, Any]
    probabilities: np.ndarray


def probabilities_of(model: keras.Model, batches: Iterator[np.ndarray]) -> np.ndarray:
    """Probabilities (n, classes) of raw images in batches; a sigmoid becomes two columns."""
    outputs = [np.asarray(model.predict_on_batch(batch)) for batch in batches]
    found = np.concatenate(outputs).astype(np.float32)
    return np.concatenate([1 - found, found], axis=1) if found.shape[1] == 1 else found


def evaluate(
    model: keras.Model,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    paths: list[str],
    names: tuple[str, ...],
    shift: int = 0,
    progress: Progress = silent,
) -> Evaluation:
    """Evaluates a model on rows of a pack.

    Args:
        images: uint8 (N, h, w, c).
        rows: positions of the n images to use, at least one.
        labels: int (n,) true labels of these rows.
        paths: their n names, for the worst errors.
        names: the labels' names.
        shift: where above 0, accuracy is measured too with images shifted by so many pixels in
            eight directions.
    """
    passes = 1 + (8 if shift else 0)
    total = passes * math.ceil(len(rows) / BATCH)
    done = 0

    def batches(down: int = 0, right: int = 0) -> Iterator[np.ndarray]:
        nonlocal done
        for batch, _ in plain_batches(images, rows, BATCH):
            yield shifted(batch, down, right) if down or right else batch
            done += 1
            progress("evaluate", done, total)

    probabilities = probabilities_of(model, batches())
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    image_losses = losses(probabilities, labels)
    figures = {
        "images": len(rows),
        "loss": float(image_losses.mean()),
        "accuracy": right / len(rows),
        "interval": accuracy_interval(right, len(rows)),
        "labels": list(names),
        **_confusion(labels, predicted, names),
        "classes": [asdict(figures) for figures in class_figures(labels, predicted, names)],
        "worst": _worst(probabilities, labels, image_losses, paths, names),
    }
    if shift:
        accuracies = [
            float((probabilities_of(model, batches(*by)).argmax(axis=1) == labels).mean())
            for by in shifts(shift)
        ]
        figures["shifted"] = {"pixels": shift, "accuracy": float(np.mean(accuracies))}
    return Evaluation(figures, probabilities)


def _confusion(labels: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """The matrix of few labels, of many the pairs that are confused most."""
    if len(names) <= MATRIX_LABELS:
        return {"confusion": confusion_matrix(labels, predicted, len(names)).tolist()}
    pairs = most_confused(names, labels, predicted, MOST_PAIRS)
    return {"confused": [asdict(pair) for pair in pairs]}


def _worst(
    probabilities: np.ndarray,
    labels: np.ndarray,
    image_losses: np.ndarray,
    paths: list[str],
    names: tuple[str, ...],
) -> list[dict[str, Any]]:
    """The wrong predictions with the largest loss, that first."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(-image_losses[wrong], kind="stable")][:WORST]
    return [
        {
            "path": paths[i],
            "label": names[labels[i]],
            "predicted": names[predicted[i]],
            "probability": float(probabilities[i, predicted[i]]),
            "loss": float(image_losses[i]),
        }
        for i in order
    ]
