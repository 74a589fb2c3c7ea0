"""Which labels a network confuses as it trains: measured after an epoch, and compared over epochs.

Up to `MAX_COUNTED` labels have a matrix in each event; of more the most frequent confusions and the
accuracy of each label are kept, so that a log stays small.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.analysis.errors import confusion_cells
from workbench.runs.events import EpochFinished, ValidationConfusion

MAX_COUNTED = 20  # labels with a matrix
MAX_PAIRS = 30  # of more labels
MAX_RECALLS = 500  # labels with an accuracy of their own
DIGITS = 4  # of such an accuracy


def measure_confusion(
    labels: np.ndarray, predicted: np.ndarray, classes: int
) -> ValidationConfusion:
    """Return which images were classified how.

    Args:
        labels: int (n,), true ones.
        predicted: int (n,).
        classes: number of labels.
    """
    if classes <= MAX_COUNTED:
        cells = np.bincount(labels * classes + predicted, minlength=classes**2)
        rows = cells.reshape(classes, classes).tolist()
        return ValidationConfusion(counts=tuple(map(tuple, rows)))
    wrong = labels != predicted
    found = zip(*confusion_cells(labels[wrong], predicted[wrong], classes), strict=True)
    pairs = sorted(found, key=lambda cell: -int(cell[2]))[:MAX_PAIRS]
    recalls: tuple[float | None, ...] = ()
    if classes <= MAX_RECALLS:
        right = np.bincount(labels[~wrong], minlength=classes).tolist()
        images = np.bincount(labels, minlength=classes).tolist()
        recalls = tuple(
            round(part / whole, DIGITS) if whole else None
            for part, whole in zip(right, images, strict=True)
        )
    return ValidationConfusion(
        pairs=tuple(tuple(map(int, pair)) for pair in pairs), recalls=recalls
    )


def recalls_of(row: EpochFinished, classes: int) -> tuple[float | None, ...]:
    """Return the accuracy of each label after an epoch, None without images; () if unknown."""
    found = row.val_confusion
    if found is None:
        return ()
    if _fits(found, classes):
        return tuple(
            counts[at] / sum(counts) if sum(counts) else None
            for at, counts in enumerate(found.counts)
        )
    return found.recalls if len(found.recalls) == classes else ()


@dataclass(frozen=True)
class ClassCurve:
    """The accuracy of a label over epochs.

    Attributes:
        label: its number.
        values: of each epoch of the history; None where it is unknown.
    """

    label: int
    values: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        """The newest one that is known."""
        return next((value for value in reversed(self.values) if value is not None), None)


def class_curves(rows: Sequence[EpochFinished], classes: int) -> tuple[ClassCurve, ...]:
    """Return the curve of each label, the lowest last accuracy first; () if nothing is known.

    Labels without a validation image come last.
    """
    by_epoch = [recalls_of(row, classes) for row in rows]
    if not any(by_epoch):
        return ()
    curves = [
        ClassCurve(label, tuple(values[label] if values else None for values in by_epoch))
        for label in range(classes)
    ]
    return tuple(sorted(curves, key=lambda one: (one.last is None, one.last or 0.0, one.label)))


@dataclass(frozen=True)
class PairChange:
    """Images of a label that are taken for another one, now and earlier.

    Of very many labels only the most frequent pairs of an epoch are known: None is a number that
    is not.
    """

    label: int
    predicted: int
    now: int | None
    before: int | None
    first: int | None

    @property
    def change(self) -> int | None:
        """How many more there are now than at first; None if either is unknown."""
        return None if self.now is None or self.first is None else self.now - self.first


def pair_changes(
    now: EpochFinished, before: EpochFinished | None, first: EpochFinished, classes: int
) -> tuple[PairChange, ...]:
    """Return the pairs that are confused now or were at first, the largest changes first.

    Pairs that did not change follow, the most frequent first, then those of an unknown change.
    """
    cells = [_confused(row, classes) for row in (now, before, first)]
    pairs = {pair for found in (cells[0], cells[2]) for pair, images in found.items() if images}
    whole = [row is not None and _is_whole(row, classes) for row in (now, before, first)]

    def count(at: int, pair: tuple[int, int]) -> int | None:
        return cells[at].get(pair, 0 if whole[at] else None)

    changes = [PairChange(*pair, *(count(at, pair) for at in range(3))) for pair in pairs]

    def sort_key(one: PairChange) -> tuple[bool, int, int, int, int]:
        change = one.change
        unknown = change is None
        return unknown, -abs(change or 0), -(one.now or 0), one.label, one.predicted

    return tuple(sorted(changes, key=sort_key))


def _fits(found: ValidationConfusion, classes: int) -> bool:
    return bool(found.counts) and {classes} == {len(found.counts), *map(len, found.counts)}


def _is_whole(row: EpochFinished, classes: int) -> bool:
    return row.val_confusion is not None and _fits(row.val_confusion, classes)


def _confused(row: EpochFinished | None, classes: int) -> dict[tuple[int, int], int]:
    found = row.val_confusion if row else None
    if found is None:
        return {}
    if _fits(found, classes):
        return {
            (label, predicted): images
            for label, counts in enumerate(found.counts)
            for predicted, images in enumerate(counts)
            if label != predicted
        }
    return {
        (pair[0], pair[1]): pair[2]
        for pair in found.pairs
        if len(pair) == 3 and max(pair[:2]) < classes
    }
