"""What was taken for what: a matrix where there are few labels, the worst of it where many.

A matrix grows with the square of the labels. Up to `MATRIX_LABELS` it is a picture; beyond them it
is neither shown nor kept in results.json, but written to a CSV file of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from workbench.runs.rows import number, whole

MATRIX_LABELS = 60  # up to which every cell is shown and kept
MOST_PAIRS = 100  # that are kept of more labels
RESULTS_NAME = "results.json"

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Confused:
    """How many images of a label were called another, and which share of the label's that is."""

    label: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class ClassFigures:
    """Of one label; precision is None where it was never predicted, recall without images."""

    label: str
    images: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Confusion:
    """Which labels were taken for which.

    Attributes:
        matrix: images, true labels in rows, predicted ones in columns; () of more labels than
            `MATRIX_LABELS`.
        pairs: at most `MOST_PAIRS`, those with the most images first.
        file: name of the file in the run's folder that has all of it; "" where there is none.
    """

    matrix: Matrix
    pairs: tuple[Confused, ...]
    file: str = ""


def parse_confusion(told: Mapping[str, Any], labels: Sequence[str]) -> Confusion:
    """The confusions among the figures of an evaluation.

    Args:
        told: has the whole matrix as "confusion", as all figures once had; else the pairs as
            "confused", and perhaps the name of a file as "matrix".

    Raises:
        ValueError, KeyError, TypeError: something is missing, or of another kind.
    """
    if "confusion" not in told:
        pairs = tuple(_pair(one) for one in told["confused"][:MOST_PAIRS])
        return Confusion((), pairs, str(told.get("matrix") or ""))
    rows = told["confusion"]
    if not labels or {len(labels)} != {len(rows), *map(len, rows)}:
        raise ValueError("the confusions do not fit the labels")
    for row in rows:  # a million numbers and more: no call for each
        if set(map(type, row)) != {int} or min(row) < 0:
            raise ValueError("the confusions are no counts")
    pairs = tuple(_most_confused(rows, labels))
    if len(labels) > MATRIX_LABELS:
        return Confusion((), pairs, RESULTS_NAME)
    return Confusion(tuple(map(tuple, rows)), pairs)


def bounded(told: Mapping[str, Any]) -> dict[str, Any]:
    """The same figures without a matrix of more labels than `MATRIX_LABELS`: its worst pairs.

    Raises:
        ValueError, KeyError, TypeError: as `parse_confusion`.
    """
    if "confusion" not in told or len(told["labels"]) <= MATRIX_LABELS:
        return dict(told)
    found = parse_confusion(told, told["labels"])
    rest = {key: value for key, value in told.items() if key != "confusion"}
    return {**rest, "confused": [vars(one) for one in found.pairs], "matrix": found.file}


def worst_classes(classes: Sequence[ClassFigures], most: int) -> list[ClassFigures]:
    """Those with the lowest recall, of equal ones the more frequent first; without images, last."""

    def worth(one: ClassFigures) -> tuple[float, int]:
        return 2.0 if one.recall is None else one.recall, -one.images

    return nsmallest(most, classes, worth)


def _most_confused(rows: Sequence[Sequence[int]], labels: Sequence[str]) -> list[Confused]:
    cells = (
        (-count, row, column)
        for row, counts in enumerate(rows)
        for column, count in enumerate(counts)
        if count and row != column
    )
    return [
        Confused(labels[row], labels[column], -less, -less / sum(rows[row]))
        for less, row, column in nsmallest(MOST_PAIRS, cells)
    ]


def _pair(one: Mapping[str, Any]) -> Confused:
    count, share = whole(one["count"]), number(one["share"])
    if count is None or share is None:
        raise ValueError("a pair has no count")
    return Confused(str(one["label"]), str(one["predicted"]), count, share)
