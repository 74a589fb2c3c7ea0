"""Images whose labels may be wrong, by confident learning. Pure.

Northcutt, Jiang and Chuang, arXiv 1911.00068: an image whose probability of a class reaches what
images labelled so have on average is counted as one of that class. The counts, rescaled to the
images of each label, estimate how many labels are wrong, and which class they should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.analysis.errors import PredictionTable

_TINY = 1e-6  # probabilities are written with as many decimals


@dataclass(frozen=True)
class WrongLabels:
    """How many images of a label are estimated to be of another class.

    Attributes:
        count: estimated, not a whole number.
        share: of the images of the label.
    """

    label: str
    suggested: str
    count: float
    share: float


@dataclass(frozen=True)
class Suspect:
    """An image, and how its label compares with the most likely other one.

    Attributes:
        rank: from 1, the most suspicious.
        issue: whether it is among as many as are estimated to be wrong.
        probability: of its label, by models that never saw the image.
        suggested: the most likely other label; `suggested_probability` its own.
    """

    rank: int
    path: str
    label: str
    suggested: str
    probability: float
    suggested_probability: float
    issue: bool


@dataclass(frozen=True)
class ConfidentJoint:
    """The joint distribution of labels as given and as they should be, in images.

    Cells that are zero are left out, so that there are at most as many as images.

    Attributes:
        given, true: int64 (m,), labels of the cells.
        counts: int64 (m,), images counted with confidence.
        images: float64 (m,), the counts of each given label rescaled to all images of it.
    """

    given: np.ndarray
    true: np.ndarray
    counts: np.ndarray
    images: np.ndarray

    @property
    def wrong(self) -> float:
        """Number of images whose label is estimated to be wrong."""
        return float(self.images[self.given != self.true].sum())


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> ConfidentJoint:
    """Return the confident joint (equations 1 and 2 of the paper), and its calibration (3).

    An image that reaches the thresholds of several classes is of the most likely one; one that
    reaches none is not counted. Of every label one is: the largest of a mean reaches it.

    Args:
        labels: int (n,), as given.
        probabilities: float (n, k), by models that never saw the image.
    """
    classes = probabilities.shape[1]
    images = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(len(labels)), labels]
    sums = np.bincount(labels, own, minlength=classes)
    thresholds = np.divide(sums, images, out=np.full(classes, np.inf), where=images > 0)
    reached = np.where(probabilities >= thresholds - _TINY, probabilities, -1.0)
    true = reached.argmax(axis=1)
    counted = reached.max(axis=1) >= 0
    cells, counts = np.unique(labels[counted] * classes + true[counted], return_counts=True)
    given = cells // classes
    confident = np.bincount(given, counts, minlength=classes)[given]
    return ConfidentJoint(given, cells % classes, counts, counts / confident * images[given])


def wrong_labels(names: Sequence[str], joint: ConfidentJoint) -> list[WrongLabels]:
    """Return the pairs label -> class that are estimated to be confused, the most images first."""
    images = np.bincount(joint.given, joint.images, minlength=len(names))
    off = np.flatnonzero((joint.given != joint.true) & (joint.images > 0))
    return [
        WrongLabels(
            names[joint.given[i]],
            names[joint.true[i]],
            float(joint.images[i]),
            float(joint.images[i] / images[joint.given[i]]),
        )
        for i in off[np.argsort(-joint.images[off], kind="stable")]
    ]


def rank_by_doubt(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return all images, int64 (n,), the most suspicious label first.

    That is the one whose label has the lowest probability, its self-confidence. Ranking by the
    margin to the most likely label finds the same wrong labels of two classes, and fewer of
    several (`benchmarks/label_suspects.py`).

    Args:
        labels: int (n,).
        probabilities: float (n, k), by models that never saw the image.
    """
    own = probabilities[np.arange(len(labels)), labels]
    return np.argsort(own, kind="stable")


def other_labels(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the most likely label of each image besides its own, int64 (n,)."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    return others.argmax(axis=1)


def list_suspects(predictions: PredictionTable, most: int | None = None) -> list[Suspect]:
    """Return the images in the order of `rank_by_doubt`, at most so many."""
    labels, probabilities = predictions.labels, predictions.probabilities
    other = other_labels(labels, probabilities)
    issues = round(confident_joint(labels, probabilities).wrong)
    return [
        Suspect(
            rank,
            predictions.paths[i],
            predictions.names[labels[i]],
            predictions.names[other[i]],
            float(probabilities[i, labels[i]]),
            float(probabilities[i, other[i]]),
            rank <= issues,
        )
        for rank, i in enumerate(rank_by_doubt(labels, probabilities)[:most].tolist(), start=1)
    ]
