"""Predictions for files and folders, made as the model's own contract says."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from workbench.datasets.images import IMAGE_ENDINGS, ImageError, load_array
from workbench.datasets.threads import in_threads
from workbench.errors import UserError
from workbench.progress import Progress, silent
from workbench.results.evaluate import BATCH, probabilities_of
from workbench.results.model_file import LoadedModel
from workbench.text import safe_text


@dataclass(frozen=True)
class Prediction:
    """What the model says of one file, or why it can say nothing.

    Attributes:
        label: the most likely one; None where the file could not be read.
        probabilities: one for each label, in the model's order.
        problem: why the file could not be read.
    """

    path: str
    label: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    problem: str | None = None


def find_images(paths: list[str]) -> list[str]:
    """The files named, and every visible image below the folders named, sorted within each.

    Raises:
        UserError: no path exists, or there is no image at all.
    """
    found: list[str] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            found += sorted(str(p) for p in _images_below(path))
        elif path.exists():
            found.append(given)
        else:
            found.append(given)  # told as a problem of its own
    if not any(Path(path).exists() for path in paths):
        raise UserError(f"There is no file or folder {safe_text(paths[0])}.")
    if not found:
        raise UserError(
            f"No images in {', '.join(safe_text(p) for p in paths)}.",
            f"Image files end in {', '.join(sorted(IMAGE_ENDINGS))}.",
        )
    return found


def predict(loaded: LoadedModel, paths: list[str], progress: Progress = silent) -> list[Prediction]:
    """Predicts each file; one that cannot be read gets a `problem` instead."""

    def read(path: str) -> np.ndarray | str:
        try:
            return load_array(Path(path), loaded.spec.data)
        except ImageError as error:
            return error.reason

    predictions: list[Prediction] = []
    images = in_threads(read, paths)
    for start in range(0, len(paths), BATCH):
        batch = list(islice(images, BATCH))
        predictions += _predict_batch(loaded, paths[start : start + BATCH], batch)
        progress("predict", len(predictions), len(paths))
    return predictions


def _predict_batch(
    loaded: LoadedModel, paths: list[str], images: list[np.ndarray | str]
) -> list[Prediction]:
    """Predictions for images, and for the reasons why there is none."""
    readable = [image for image in images if not isinstance(image, str)]
    rows: Iterator[np.ndarray] = iter(())
    if readable:
        rows = iter(probabilities_of(loaded.model, iter([np.stack(readable)])))
    return [
        Prediction(path, problem=image)
        if isinstance(image, str)
        else _prediction(path, next(rows), loaded.labels)
        for path, image in zip(paths, images, strict=True)
    ]


def _prediction(path: str, row: np.ndarray, labels: tuple[str, ...]) -> Prediction:
    best = int(row.argmax())
    return Prediction(path, labels[best], float(row[best]), tuple(float(p) for p in row))


def _images_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_ENDINGS and path.is_file() and not hidden:
            yield path
