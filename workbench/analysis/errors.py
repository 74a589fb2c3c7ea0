"""The errors of a finished run: its predictions, the largest losses, the most confused pairs.

Everything comes from `predictions.csv`, which holds the probabilities of each evaluated image to
six decimals.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.errors import UserError
from workbench.files import damaged_at, open_table
from workbench.messages import tr
from workbench.runs.confusion import ConfusedPair
from workbench.text import safe_text
from workbench.words import reason_of

SMALLEST = 5e-7  # less is written as 0.000000
LARGEST_LOSS = -math.log(SMALLEST)  # 14.5; the true loss may be larger
_FIRST = ["path", "label", "predicted"]


@dataclass(frozen=True)
class PredictionTable:
    """The predictions of a run for n images, with k labels.

    Attributes:
        names: the k labels.
        paths: n.
        labels, predicted: int64 (n,), places in `names`.
        probabilities: float64 (n, k).
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether each prediction is right, bool (n,)."""
        return self.labels == self.predicted

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted label, float64 (n,)."""
        chosen: np.ndarray = self.probabilities[np.arange(len(self.predicted)), self.predicted]
        return chosen


@dataclass(frozen=True)
class TopLoss:
    """An image and its loss; `certainty` is the probability of the predicted label."""

    path: str
    label: str
    predicted: str
    loss: float
    certainty: float


def read_predictions(path: Path) -> PredictionTable:
    """Read a `predictions.csv`.

    Raises:
        UserError: it does not exist, cannot be read, or is damaged, with the line.
    """
    number = 1
    try:
        with open_table(path) as file:
            reader = csv.reader(file, strict=True)
            names = _names(next(reader, []))
            place = {name: at for at, name in enumerate(names)}
            paths, labels, predicted, probabilities = [], [], [], []
            for cells in reader:
                number = reader.line_num
                if len(cells) != len(_FIRST) + len(names):
                    raise ValueError(f"{len(cells)} columns")
                paths.append(cells[0])
                labels.append(_place(place, cells[1]))
                predicted.append(_place(place, cells[2]))
                probabilities.append(_probabilities(cells[len(_FIRST) :]))
        if not paths:
            raise ValueError("no images")
    except FileNotFoundError:
        raise UserError(
            tr("There are no predictions yet: {path}.", path=safe_text(path)),
            tr("They are written at the end of training."),
        ) from None
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr("{path} cannot be read: {reason}.", path=safe_text(path), reason=reason)
        ) from error
    except (ValueError, csv.Error) as error:
        raise damaged_at(path, number, error) from error
    return PredictionTable(
        names,
        tuple(paths),
        np.array(labels, np.int64),
        np.array(predicted, np.int64),
        np.array(probabilities, np.float64),
    )


def image_losses(predictions: PredictionTable) -> np.ndarray:
    """Return the crossentropy of each image, -ln p(true label), p at least `SMALLEST`.

    float64 (n,).
    """
    chosen = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    losses: np.ndarray = -np.log(np.maximum(chosen, SMALLEST))
    losses[chosen < SMALLEST] = LARGEST_LOSS  # exactly, so that it can be recognized
    return losses


def top_losses(predictions: PredictionTable, most: int) -> list[TopLoss]:
    """Return the images with the largest losses, right or wrong, the largest first."""
    losses, confidence = image_losses(predictions), predictions.confidence
    return [
        TopLoss(
            predictions.paths[i],
            predictions.names[predictions.labels[i]],
            predictions.names[predictions.predicted[i]],
            float(losses[i]),
            float(confidence[i]),
        )
        for i in np.argsort(-losses, kind="stable")[:most]
    ]


def confused_pairs(predictions: PredictionTable, most: int) -> list[ConfusedPair]:
    """Return the pairs label -> predicted with the most errors, the most frequent first."""
    return most_confused(predictions.names, predictions.labels, predictions.predicted, most)


def most_confused(
    names: Sequence[str], labels: np.ndarray, predicted: np.ndarray, most: int
) -> list[ConfusedPair]:
    """Return the pairs label -> predicted with the most errors, ties in the order of labels.

    `labels` and `predicted` are int64 (n,), places in the k `names`.
    """
    images = np.bincount(labels, minlength=len(names))
    wrong = labels != predicted
    rows, columns, counts = confusion_cells(labels[wrong], predicted[wrong], len(names))
    return [
        ConfusedPair(
            names[rows[i]], names[columns[i]], int(counts[i]), float(counts[i] / images[rows[i]])
        )
        for i in np.argsort(-counts, kind="stable")[:most]
    ]


def confusion_cells(
    labels: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nonzero cells of the matrix: rows, columns and counts, each int64 (m,).

    There are at most as many as images, for any number of classes.
    """
    cells, counts = np.unique(labels.astype(np.int64) * classes + predicted, return_counts=True)
    return cells // classes, cells % classes, counts


def _names(header: list[str]) -> tuple[str, ...]:
    names = tuple(header[len(_FIRST) :])
    if header[: len(_FIRST)] != _FIRST or len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"the columns are not {','.join(_FIRST)} and one for each label")
    return names


def _place(places: dict[str, int], label: str) -> int:
    if label not in places:
        raise ValueError(f"the label {label!r} has no column")
    return places[label]


def _probabilities(cells: Sequence[str]) -> np.ndarray:
    """Return float64 (k,), in one conversion: a file has images x labels of them."""
    values = np.array(list(map(float, cells)))
    wrong = ~((values >= 0) & (values <= 1))  # NaN is neither
    if wrong.any():
        raise ValueError(f"{cells[int(wrong.argmax())]!r} is not a probability")
    return values
