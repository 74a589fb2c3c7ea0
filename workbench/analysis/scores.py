"""Metrics for unequal and for many classes, from labels and probabilities, with intervals. Pure.

Values are those of scikit-learn: `f1_score(average="macro")`, `balanced_accuracy_score`,
`top_k_accuracy_score(k=5)` and `roc_auc_score`, of more than two classes one against the rest,
macro average over the classes that have images.

An interval is Wilson's, as that of an accuracy, for as many images as would make an accuracy as
certain: v (1 - v) / variance. The variance comes from the influence of each image on the metric
(delta method; Takahashi et al. 2022 for macro F1, DeLong et al. 1988 for AUC). A class that happens
to have no error adds nothing to it, however few its images are, so the number of images is bounded
by what it would be if errors were as frequent in every class: a harmonic mean of their sizes.
Resampling the images has no such bound, and its interval of a perfect result has no width.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from workbench.analysis.significance import accuracy_interval
from workbench.experiment.metrics import TOP
from workbench.runs.score import Score


@dataclass(frozen=True)
class _Measured:
    """A metric, and how certain it is.

    Attributes:
        variance: of the value over samples of images, estimated.
        most_images: upper bound of the images that it is worth.
    """

    value: float
    variance: float
    most_images: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval."""
        bernoulli = self.value * (1 - self.value)
        if bernoulli < self.most_images * self.variance:
            return accuracy_interval(self.value, bernoulli / self.variance)
        return accuracy_interval(self.value, self.most_images)


def measure_score(name: str, labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Return one of `experiment.metrics.SCORES`; None if it is undefined.

    Undefined are the top-5 accuracy of no more than five classes, AUC without images of at least
    two classes, and everything if there is no image or a probability is not finite.

    Args:
        name: of the score.
        labels: int (n,), columns of `probabilities`.
        probabilities: float (n, classes).
    """
    found = _measure(name, labels, probabilities)
    return found.value if found else None


def measure_scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Score]:
    """Return every score that is defined, see `measure_score`, with its interval."""
    found = {name: _measure(name, labels, probabilities) for name in _MEASURES}
    return {
        name: Score(value=one.value, interval=one.interval) for name, one in found.items() if one
    }


def _measure(name: str, labels: np.ndarray, probabilities: np.ndarray) -> _Measured | None:
    if not len(labels) or not np.isfinite(probabilities).all():
        return None
    return _MEASURES[name](labels, probabilities)


def _macro_f1(labels: np.ndarray, probabilities: np.ndarray) -> _Measured:
    """Return the mean of 2 tp / (images + predictions) over classes that have one of these."""
    counted = _Counted.of(labels, probabilities)
    total = counted.images + counted.predictions
    used = total > 0
    each = 2 * counted.correct / np.where(used, total, 1)
    classes = int(used.sum())
    labels, predicted, right = labels, counted.predicted, counted.right
    n, share = len(labels), np.where(used, total, 1) / len(labels)
    influence = 2 * right / share[labels]
    influence -= (each / share)[labels] + (each / share)[predicted]
    variance = float(np.square(influence / classes).sum()) / n**2
    return _Measured(float(each[used].mean()), variance, counted.most_images)


def _balanced_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> _Measured:
    """Return the mean recall of the classes that have images."""
    counted = _Counted.of(labels, probabilities)
    images = counted.images
    used = images > 0
    recall = counted.correct[used] / images[used]
    variance = float((recall * (1 - recall) / images[used]).sum()) / len(recall) ** 2
    return _Measured(float(recall.mean()), variance, counted.most_images)


def _top5_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> _Measured | None:
    """Return how often the label is among the five most probable; of equals the first counts."""
    n, classes = probabilities.shape
    if classes <= TOP:
        return None
    own = probabilities[np.arange(n), labels][:, None]
    earlier = np.arange(classes) < labels[:, None]
    before = (probabilities > own) | ((probabilities == own) & earlier)
    value = float((before.sum(axis=1) < TOP).mean())
    return _Measured(value, value * (1 - value) / n, n)


def _auc(labels: np.ndarray, probabilities: np.ndarray) -> _Measured | None:
    """Return the area under the ROC curve; of more than two classes the mean, each against all.

    That of a class is the fraction of pairs of an image of it and another image in which the
    first has the higher probability of the class, ties counting half.
    """
    n, classes = probabilities.shape
    images = np.bincount(labels, minlength=classes)
    used = [i for i in ([1] if classes == 2 else range(classes)) if 0 < images[i] < n]
    if not used:
        return None
    influence, areas, certainty = np.zeros(n), [], 0.0
    for i in used:
        own = labels == i
        ours, others = probabilities[own, i], probabilities[~own, i]
        above = _share_below(others, ours)  # of other images, below each image of the class
        below = 1 - _share_below(ours, others)
        area = float(above.mean())
        influence[own] += (above - area) / len(ours)
        influence[~own] += (below - area) / len(others)
        areas.append(area)
        certainty += 1 / len(ours) + 1 / len(others)
    variance = float(np.square(influence / len(used)).sum())
    return _Measured(float(np.mean(areas)), variance, 4 * len(used) ** 2 / certainty)


def _share_below(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return for each limit the fraction of values below it, equal ones counting half."""
    ordered = np.sort(values)
    ranks = [np.searchsorted(ordered, limits, side) for side in ("left", "right")]
    share: np.ndarray = (ranks[0] + ranks[1]) / (2 * len(values))
    return share


@dataclass(frozen=True)
class _Counted:
    """Predictions counted.

    Attributes:
        predicted: int (n,), most probable classes.
        right: bool (n,).
        images, predictions, correct: int (classes,).
    """

    predicted: np.ndarray
    right: np.ndarray
    images: np.ndarray
    predictions: np.ndarray
    correct: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, probabilities: np.ndarray) -> "_Counted":
        predicted = probabilities.argmax(axis=1)
        right = predicted == labels
        counts = (
            np.bincount(indices, minlength=probabilities.shape[1])
            for indices in (labels, predicted, labels[right])
        )
        return cls(predicted, right, *counts)

    @property
    def most_images(self) -> float:
        """Classes with images times the harmonic mean of their sizes."""
        sizes = self.images[self.images > 0]
        return float(len(sizes) ** 2 / (1 / sizes).sum())


_MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray], _Measured | None]] = {
    "macro_f1": _macro_f1,
    "balanced_accuracy": _balanced_accuracy,
    "top5_accuracy": _top5_accuracy,
    "auc": _auc,
}
