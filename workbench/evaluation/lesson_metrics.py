"""What lessons measure on a trained network: accuracy, correct images, shifts, border effects."""

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import keras
import numpy as np

from workbench.evaluation.evaluate import BATCH, predict_probabilities, shifted, shifts
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.lessons.lesson import COMPARED_SHIFT, DIRECTIONS, SHIFT_STEPS
from workbench.runs.events import CheckedLayer
from workbench.runs.freeze_check import TRAINS
from workbench.training.data import TrainingData
from workbench.training.inputs import plain_batches

SHIFTED_SIDE = 28  # pixels of a side for which one step is one pixel
MAX_RING_IMAGES = 64
GRAY = 128  # of the uniform image


def accuracies(model: keras.Model, data: TrainingData, with_shifts: bool) -> dict[str, Any]:
    """Return accuracies, and which images were predicted correctly (see `lessons.results`)."""
    split = "test" if len(data.rows["test"]) else "validation"
    correct = {
        "train": correct_images(model, data, "train"),
        "validation": correct_images(model, data, "validation"),
        "measured": correct_images(model, data, split),
    }
    metrics: dict[str, Any] = {
        "accuracy": float(correct["measured"].mean()),
        "train": float(correct["train"].mean()),
        "validation": float(correct["validation"].mean()),
    }
    if with_shifts:
        by_shift = _correct_by_shift(model, data, split)
        correct["moved"] = list(by_shift.values())[COMPARED_SHIFT]
        means = [float(counts.mean()) / DIRECTIONS for counts in by_shift.values()]
        metrics["shifts"] = {"pixels": list(by_shift), "accuracy": means}
    metrics["right"] = {part: "".join(map(str, each)) for part, each in correct.items()}
    return metrics


def correct_images(
    model: keras.Model, data: TrainingData, split: str, down: int = 0, right: int = 0
) -> np.ndarray:
    """Return int (n,): 1 for each image of a split that the model predicts correctly, else 0.

    Without dropout or augmentation; images are first shifted by `down` and `right` pixels.
    """
    rows = data.rows[split]
    batches = (batch for batch, _ in plain_batches(data.images, rows, BATCH))
    moved = (shifted(batch, down, right) if down or right else batch for batch in batches)
    predicted = predict_probabilities(model, moved).argmax(axis=1)
    return (predicted == data.labels[rows]).astype(int)


def _correct_by_shift(model: keras.Model, data: TrainingData, split: str) -> dict[int, np.ndarray]:
    """Return int (n,) by pixels of shift: in how many of eight directions an image is correct."""
    step = max(round(min(data.images.shape[1:3]) / SHIFTED_SIDE), 1)
    unmoved = {0: DIRECTIONS * correct_images(model, data, split)}
    return unmoved | {
        step * number: sum(
            (correct_images(model, data, split, *by) for by in shifts(step * number)),
            start=np.zeros(len(data.rows[split]), int),
        )
        for number in range(1, SHIFT_STEPS + 1)
    }


def moved_by_block(
    spec: ExperimentSpec, layers: Sequence[CheckedLayer], classes: int
) -> dict[str, float]:
    """Return how far blocks moved in the last stage: Euclidean mean over their trained layers."""
    block = {row.name: row.block for row in layer_rows(spec, classes)}
    moved: dict[str, list[float]] = defaultdict(list)
    for layer in layers:
        if layer.requested == TRAINS:
            moved[block[layer.name]].append(layer.moved or 0.0)
    return {name: math.sqrt(fmean(m * m for m in each)) for name, each in moved.items()}


def ring_activations(
    model: keras.Model, data: TrainingData, spec: ExperimentSpec
) -> dict[str, list[float]]:
    """Return the mean activation of the last convolution, by distance from the border.

    Returns:
        "even": of a uniform grey image, where any difference comes from the border;
        "images": of validation images, whose own content differs too.
    """
    name = f"conv{len(spec.model.filters)}"
    network = keras.Model(model.input, model.get_layer(name).output)
    uniform = np.full((1, *spec.data.input_shape), GRAY, np.uint8)
    images = np.asarray(data.images[np.sort(data.rows["validation"])[:MAX_RING_IMAGES]])
    return {
        "even": ring_means(np.asarray(network.predict_on_batch(uniform))),
        "images": ring_means(np.asarray(network.predict_on_batch(images))),
    }


def ring_means(maps: np.ndarray) -> list[float]:
    """Return means over maps (n, height, width, channels) by distance from the border, 0 first."""
    height, width = maps.shape[1:3]
    rows, columns = np.arange(height), np.arange(width)
    from_top = np.minimum(rows, height - 1 - rows)[:, None]
    from_side = np.minimum(columns, width - 1 - columns)[None, :]
    distance = np.minimum(from_top, from_side)
    plane = maps.mean(axis=(0, 3), dtype=np.float64)
    return [float(plane[distance == ring].mean()) for ring in range(int(distance.max()) + 1)]
