"""Predictions of a model, and its test metrics: accuracy, confusions, the worst errors by name.

Tables of predictions and of confusions are returned as CSV. Files and folders are prepared as the
model's own contract says.
"""

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np

from workbench.analysis.errors import confusion_cells, most_confused
from workbench.analysis.scores import measure_scores
from workbench.analysis.significance import accuracy_interval
from workbench.datasets.decoding import load_array, map_in_threads
from workbench.datasets.image_files import IMAGE_EXTENSIONS, ImageError
from workbench.datasets.sources.listing import SkippedFiles, format_kinds, images_below
from workbench.errors import UserError
from workbench.evaluation.mirror import predict_batch
from workbench.evaluation.model_file import LoadedModel, image_bytes
from workbench.messages import tr
from workbench.progress import Progress, silent
from workbench.runs.confusion import MAX_MATRIX_LABELS, MAX_PAIRS, ClassMetrics
from workbench.text import safe_text
from workbench.training.inputs import plain_batches
from workbench.training.models import as_probabilities

WORST = 20  # errors listed by name
BATCH = 64
_TINY = 1e-7  # as Keras clips probabilities before the logarithm
_BATCH_BYTES = 1 << 31  # memory for the images of a batch in the network


@dataclass(frozen=True)
class EvaluationResult:
    """Metrics on one set of images, and the probabilities they come from.

    Attributes:
        metrics: plain data for results.json.
        probabilities: float32 (n, classes).
    """

    metrics: dict[str, Any]
    probabilities: np.ndarray


def predict_probabilities(
    model: keras.Model, batches: Iterator[np.ndarray], mirror: bool = False
) -> np.ndarray:
    """Return probabilities (n, classes) of raw images; a sigmoid becomes two columns.

    With `mirror`, they are the mean of those of each image and its mirror image.
    """
    outputs = [predict_batch(model, batch, mirror) for batch in batches]
    return as_probabilities(np.concatenate(outputs).astype(np.float32))


def evaluate(
    model: keras.Model,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    paths: list[str],
    names: tuple[str, ...],
    shift: int = 0,
    mirror: bool = False,
    progress: Progress = silent,
) -> EvaluationResult:
    """Evaluate a model on rows of a pack.

    Args:
        model: takes raw images.
        images: uint8 (N, h, w, c).
        rows: rows of the n images to use, at least one.
        labels: int (n,) true labels of these rows.
        paths: their n names, for the worst errors.
        names: the labels' names.
        shift: if above 0, accuracy is also measured with images shifted by so many pixels in eight
            directions.
        mirror: whether predictions are those of `predict_probabilities` with mirror images.
        progress: called with "evaluate" and the number of batches.
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

    probabilities = predict_probabilities(model, batches(), mirror)
    predicted = probabilities.argmax(axis=1)
    correct = int((predicted == labels).sum())
    image_losses = losses(probabilities, labels)
    metrics = {
        "images": len(rows),
        "loss": float(image_losses.mean()),
        "accuracy": correct / len(rows),
        "interval": accuracy_interval(correct / len(rows), len(rows)),
        **{name: one.as_dict() for name, one in measure_scores(labels, probabilities).items()},
        "labels": list(names),
        **_confusion(labels, predicted, names),
        "classes": [asdict(each) for each in class_metrics(labels, predicted, names)],
        "worst": _worst(probabilities, labels, image_losses, paths, names),
    }
    if mirror:
        metrics["mirrored"] = True
    if shift:
        moved = (predict_probabilities(model, batches(*by), mirror) for by in shifts(shift))
        accuracies = [float((found.argmax(axis=1) == labels).mean()) for found in moved]
        metrics["shifted"] = {"pixels": shift, "accuracy": float(np.mean(accuracies))}
    return EvaluationResult(metrics, probabilities)


def _confusion(labels: np.ndarray, predicted: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the matrix of few labels, or the most confused pairs of many."""
    if len(names) <= MAX_MATRIX_LABELS:
        return {"confusion": confusion_matrix(labels, predicted, len(names)).tolist()}
    pairs = most_confused(names, labels, predicted, MAX_PAIRS)
    return {"confused": [asdict(pair) for pair in pairs]}


def _worst(
    probabilities: np.ndarray,
    labels: np.ndarray,
    image_losses: np.ndarray,
    paths: list[str],
    names: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Return the wrong predictions with the largest loss, largest first."""
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


@dataclass(frozen=True)
class Prediction:
    """The prediction for one file, or why there is none.

    Attributes:
        label: the most likely one; None if the file could not be read.
        probabilities: one for each label, in the model's order.
        problem: why the file could not be read.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    problem: str | None = None


def find_images(paths: list[str], passed: SkippedFiles | None = None) -> list[str]:
    """Return the given files, and every visible image below the given folders, sorted in each.

    Other files of the folders are added to `passed`.

    Raises:
        UserError: no path exists, or there is no image at all.
    """
    passed = passed or SkippedFiles()
    found: list[str] = []
    for given in paths:
        if os.path.isdir(given):  # noqa: PTH112 - never raises
            found += sorted(images_below(Path(given), f"{given.rstrip('/')}/", passed))
        else:
            found.append(given)  # a missing one is a problem of its own prediction
    if not any(os.path.exists(path) for path in paths):  # noqa: PTH110 - never raises
        raise UserError(tr("There is no file or folder {paths}.", paths=safe_text(paths[0])))
    if not found:
        others = (
            " " + tr("Not read: {others}.", others=format_kinds(passed.others))
            if passed.others
            else ""
        )
        raise UserError(
            tr(
                "No images in {paths}.{others}",
                paths=", ".join(safe_text(p) for p in paths),
                others=others,
            ),
            tr(
                "Image files end in {image_extensions}.",
                image_extensions=", ".join(sorted(IMAGE_EXTENSIONS)),
            ),
        )
    return found


def predict(
    loaded: LoadedModel, paths: list[str], progress: Progress = silent, mirror: bool = False
) -> list[Prediction]:
    """Predict each file; one that cannot be read gets a `problem` instead.

    `mirror` is that of `predict_probabilities`.
    """

    def read(path: str) -> np.ndarray | str:
        try:
            return load_array(Path(path), loaded.spec.data, loaded.levels)
        except ImageError as error:
            return error.reason

    predictions: list[Prediction] = []
    images = map_in_threads(read, paths)
    size = max(1, min(BATCH, _BATCH_BYTES // image_bytes(loaded.spec, len(loaded.labels))))
    for start in range(0, len(paths), size):
        batch = list(islice(images, size))
        predictions += _predict_batch(loaded, paths[start : start + size], batch, mirror)
        progress("predict", len(predictions), len(paths))
    return predictions


def _predict_batch(
    loaded: LoadedModel, paths: list[str], images: list[np.ndarray | str], mirror: bool
) -> list[Prediction]:
    """Return predictions for images, and problems for strings in their place."""
    readable = [image for image in images if not isinstance(image, str)]
    rows: Iterator[np.ndarray] = iter(())
    if readable:
        rows = iter(predict_probabilities(loaded.model, iter([np.stack(readable)]), mirror))
    return [
        Prediction(path, problem=image)
        if isinstance(image, str)
        else _make_prediction(path, next(rows), loaded.labels)
        for path, image in zip(paths, images, strict=True)
    ]


def _make_prediction(path: str, row: np.ndarray, labels: tuple[str, ...]) -> Prediction:
    best = int(row.argmax())
    return Prediction(path, labels[best], float(row[best]), tuple(float(p) for p in row))
