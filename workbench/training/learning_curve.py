"""Accuracy over training images, measured: classifiers on features, fitted to fewer and fewer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.analysis.folds import Folds, stratified_folds
from workbench.training.solve import Examples, Progress, RidgePath, Standardized, predicted

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training images of each class
CLASS_SHARES = (0.25, 0.5, 1.0)  # of one class, all of the others
FOLDS, REPEATS = 5, 5
MAX_IMAGES = 5000  # more are left out, in proportion: the time grows with their square
MAX_CLASSES = 12  # that are measured one by one, those with most errors
FEWEST = 2  # images of a class that a classifier is fitted to


@dataclass(frozen=True)
class MeasuredCurve:
    """What was measured; numbers of training images rise.

    Attributes:
        images: a class on average, s numbers.
        accuracies: float (s, REPEATS).
        classes: for a label its numbers of images, and the mean recall of all classes with them,
            float (s, REPEATS).
        used: images, of all that there are.
    """

    images: tuple[float, ...]
    accuracies: np.ndarray
    classes: dict[int, tuple[tuple[int, ...], np.ndarray]]
    used: int


def measure_learning_curve(
    examples: Examples,
    groups: np.ndarray | None,
    penalty: float,
    seed: int,
    progress: Progress,
) -> MeasuredCurve:
    """Fit classifiers to parts of the images, and predict images that none of them has seen.

    The same folds test every number of images, and a larger part holds the smaller one, so that
    what differs is the number of images alone.

    Args:
        examples: one view of the images.
        groups: int (n,), images that stay together; None: each is on its own.
        penalty: for each row of the features, see `solve.VALUES`.
        seed: of the folds and of the parts.
        progress: called with the number of fits done and of all; may raise to interrupt.

    Raises:
        UserError: there are not two groups of images.
    """
    kept = _sample(examples.labels, seed)
    part = Examples(
        [examples.views[0][kept]], examples.labels[kept], examples.classes, examples.weights[kept]
    )
    fits = _Fits(part, penalty)
    labels = part.labels
    repeats = stratified_folds(
        labels, None if groups is None else groups[kept], FOLDS, REPEATS, seed
    )
    orders = [np.random.default_rng((seed, at)).permutation(len(labels)) for at in range(REPEATS)]
    totals = np.bincount(labels, minlength=part.classes)
    present = np.flatnonzero(totals > 0)

    def take(shares: np.ndarray, repeat: int, train: np.ndarray) -> np.ndarray:
        """Return the first share of the training images of each class in a random order."""
        shuffled = orders[repeat][np.isin(orders[repeat], train)]
        chosen = []
        for label in present:
            own = shuffled[labels[shuffled] == label]
            chosen.append(own[: max(FEWEST, round(shares[label] * len(own)))])
        return np.concatenate(chosen)

    every = np.ones(part.classes)
    plans: list[tuple[int | None, np.ndarray]] = [(None, share * every) for share in SHARES]
    whole = _measure(fits, repeats, take, every)
    recall = np.array([(whole.right[:, labels == label]).mean() for label in present])
    singled = present[np.argsort(recall, kind="stable")][:MAX_CLASSES].tolist()
    for label in singled:
        for share in CLASS_SHARES[:-1]:
            shares = every.copy()
            shares[label] = share
            plans.append((label, shares))
    found: dict[int | None, list[_OfShares]] = {None: []}
    for done, (label, shares) in enumerate(plans):
        progress(done, len(plans))
        same = label is None and shares[present[0]] == 1.0
        one = whole if same else _measure(fits, repeats, take, shares)
        found.setdefault(label, []).append(one)
    progress(len(plans), len(plans))
    classes = {}
    for label in singled:
        measured = [*found[label], whole]
        numbers = tuple(round(float(one.taken[label])) for one in measured)
        if len({*numbers}) == len(numbers):  # of very present images the parts are the same
            scores = np.array([one.mean_recall(labels, present) for one in measured])
            classes[label] = (numbers, scores)
    distinct = {round(float(one.taken[present].mean()), 1): one for one in found[None]}
    return MeasuredCurve(
        tuple(distinct),
        np.array([one.right.mean(axis=1) for one in distinct.values()]),
        classes,
        len(kept),
    )


@dataclass(frozen=True)
class _OfShares:
    """Of the fits to some shares: training images a fold by label; what was right (repeats, n)."""

    taken: np.ndarray
    right: np.ndarray

    def mean_recall(self, labels: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the mean recall of the classes, float (repeats,)."""
        recalls = [self.right[:, labels == label].mean(axis=1) for label in present]
        mean: np.ndarray = np.mean(recalls, axis=0)
        return mean


class _Fits:
    """Classifiers of one penalty on standardized features."""

    def __init__(self, examples: Examples, penalty: float) -> None:
        self.data = Standardized(examples)
        self.path = RidgePath(self.data)
        self.penalty = penalty

    def right(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Return which test images a classifier fitted to the others has right, bool."""
        kernel, bias = next(self.path(np.sort(train), (self.penalty,)))
        scores = self.data.rows(test) @ kernel + bias
        right: np.ndarray = predicted(scores) == self.data.examples.labels[test]
        return right


def _measure(
    fits: _Fits,
    repeats: Sequence[Folds],
    take: Callable[[np.ndarray, int, np.ndarray], np.ndarray],
    shares: np.ndarray,
) -> _OfShares:
    labels = fits.data.examples.labels
    right = np.zeros((len(repeats), len(labels)), bool)
    taken = np.zeros(len(shares))
    everything = np.arange(len(labels))
    for repeat, folds in enumerate(repeats):
        for test in folds:
            train = take(shares, repeat, np.setdiff1d(everything, test))
            taken += np.bincount(labels[train], minlength=len(shares)) / len(folds) / len(repeats)
            right[repeat, test] = fits.right(train, test)
    return _OfShares(taken, right)


def _sample(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return at most MAX_IMAGES places, in proportion to the labels, ascending."""
    if len(labels) <= MAX_IMAGES:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    by_label = order[np.argsort(labels[order], kind="stable")]
    places = np.linspace(0, len(labels) - 1, MAX_IMAGES).astype(int)
    return np.sort(by_label[places])
