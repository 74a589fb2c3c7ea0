"""Predictions for files and folders, prepared as the model's own contract says."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from workbench.datasets.decoding import load_array, map_in_threads
from workbench.datasets.image_files import IMAGE_EXTENSIONS, ImageError
from workbench.datasets.sources.listing import SkippedFiles, format_kinds, images_below
from workbench.errors import UserError
from workbench.evaluation.evaluate import BATCH, predict_probabilities
from workbench.evaluation.model_file import LoadedModel, image_bytes
from workbench.progress import Progress, silent
from workbench.text import safe_text

_BATCH_BYTES = 1 << 31  # memory for the images of a batch in the network


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
        raise UserError(f"There is no file or folder {safe_text(paths[0])}.")
    if not found:
        others = f" Not read: {format_kinds(passed.others)}." if passed.others else ""
        raise UserError(
            f"No images in {', '.join(safe_text(p) for p in paths)}.{others}",
            f"Image files end in {', '.join(sorted(IMAGE_EXTENSIONS))}.",
        )
    return found


def predict(loaded: LoadedModel, paths: list[str], progress: Progress = silent) -> list[Prediction]:
    """Predict each file; one that cannot be read gets a `problem` instead."""

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
        predictions += _predict_batch(loaded, paths[start : start + size], batch)
        progress("predict", len(predictions), len(paths))
    return predictions


def _predict_batch(
    loaded: LoadedModel, paths: list[str], images: list[np.ndarray | str]
) -> list[Prediction]:
    """Return predictions for images, and problems for strings in their place."""
    readable = [image for image in images if not isinstance(image, str)]
    rows: Iterator[np.ndarray] = iter(())
    if readable:
        rows = iter(predict_probabilities(loaded.model, iter([np.stack(readable)])))
    return [
        Prediction(path, problem=image)
        if isinstance(image, str)
        else _make_prediction(path, next(rows), loaded.labels)
        for path, image in zip(paths, images, strict=True)
    ]


def _make_prediction(path: str, row: np.ndarray, labels: tuple[str, ...]) -> Prediction:
    best = int(row.argmax())
    return Prediction(path, labels[best], float(row[best]), tuple(float(p) for p in row))
