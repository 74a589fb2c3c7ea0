"""Confused labels of an evaluation: the matrix of few labels, the largest cells of many.

A matrix grows with the square of the labels. Beyond `MAX_MATRIX_LABELS` it is neither shown nor
kept in results.json, but written to a CSV file of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from workbench.runs.fields import number, whole

MAX_MATRIX_LABELS = 60  # of a matrix that is shown and kept
MAX_PAIRS = 100  # kept of more labels
RESULTS_NAME = "results.json"

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ConfusedPair:
    """How many images of a label were predicted as another, and their share of the label."""

    label: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one label; precision is None if never predicted, recall without images."""

    label: str
    images: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Confusion:
    """The confused labels of an evaluation.

    Attributes:
        matrix: numbers of images, true labels in rows, predicted ones in columns; () of more
            labels than `MAX_MATRIX_LABELS`.
        pairs: at most `MAX_PAIRS`, those with the most images first.
        file: name of the file in the run's folder with the complete matrix; "" without one.
    """

    matrix: Matrix
    pairs: tuple[ConfusedPair, ...]
    file: str = ""


def parse_confusion(metrics: Mapping[str, Any], labels: Sequence[str]) -> Confusion:
    """Read the confused labels from the metrics of an evaluation.

    Metrics contain the complete matrix as "confusion", as older runs always do; else the pairs as
    "confused", and perhaps the name of a file as "matrix".

    Raises:
        ValueError, KeyError, TypeError: Something is missing or of another type.
    """
    if "confusion" not in metrics:
        pairs = tuple(_parse_pair(pair) for pair in metrics["confused"][:MAX_PAIRS])
        return Confusion((), pairs, str(metrics.get("matrix") or ""))
    rows = metrics["confusion"]
    if not labels or {len(labels)} != {len(rows), *map(len, rows)}:
        raise ValueError("the confusions do not fit the labels")
    for row in rows:  # of up to a million numbers and more: no call for each
        if set(map(type, row)) != {int} or min(row) < 0:
            raise ValueError("the confusions are not counts")
    pairs = tuple(_most_confused(rows, labels))
    if len(labels) > MAX_MATRIX_LABELS:
        return Confusion((), pairs, RESULTS_NAME)
    return Confusion(tuple(map(tuple, rows)), pairs)


def bounded(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Replace a matrix of more labels than `MAX_MATRIX_LABELS` by its largest cells.

    Raises:
        ValueError, KeyError, TypeError: As `parse_confusion`.
    """
    if "confusion" not in metrics or len(metrics["labels"]) <= MAX_MATRIX_LABELS:
        return dict(metrics)
    found = parse_confusion(metrics, metrics["labels"])
    rest = {key: value for key, value in metrics.items() if key != "confusion"}
    return {**rest, "confused": [vars(pair) for pair in found.pairs], "matrix": found.file}


def worst_classes(classes: Sequence[ClassMetrics], most: int) -> list[ClassMetrics]:
    """Return the classes with the lowest recall, of equal ones the larger first.

    Classes without images come last.
    """

    def sort_key(one: ClassMetrics) -> tuple[float, int]:
        return 2.0 if one.recall is None else one.recall, -one.images

    return nsmallest(most, classes, sort_key)


def _most_confused(rows: Sequence[Sequence[int]], labels: Sequence[str]) -> list[ConfusedPair]:
    cells = (
        (-count, row, column)
        for row, counts in enumerate(rows)
        for column, count in enumerate(counts)
        if count and row != column
    )
    return [
        ConfusedPair(labels[row], labels[column], -negative, -negative / sum(rows[row]))
        for negative, row, column in nsmallest(MAX_PAIRS, cells)
    ]


def _parse_pair(pair: Mapping[str, Any]) -> ConfusedPair:
    count, share = whole(pair["count"]), number(pair["share"])
    if count is None or share is None:
        raise ValueError("a pair has no count")
    return ConfusedPair(str(pair["label"]), str(pair["predicted"]), count, share)
