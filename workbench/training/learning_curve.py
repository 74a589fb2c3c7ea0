"""Accuracy over training images, measured: classifiers on features, fitted to fewer and fewer."""

from dataclasses import dataclass

import numpy as np

from workbench.analysis.folds import stratified_folds
from workbench.training.out_of_fold import FewImages, ManyImages, predict_out_of_fold
from workbench.training.solve import Examples, Progress, Standardized, predicted

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training images of each class
CLASS_SHARES = (0.25, 0.5, 1.0)  # of one class, all of the others
FOLDS, MAX_REPEATS = 5, 5
PREDICTED = 6000  # images in all repeats together, from which on fewer are made
MAX_IMAGES = 5000  # more are left out, in proportion: the time grows with their cube
MAX_CLASSES = 12  # that are measured one by one, those with most errors
FEWEST = 2  # images of a class that a classifier is fitted to


@dataclass(frozen=True)
class MeasuredCurve:
    """What was measured, of n images; numbers of training images rise.

    Attributes:
        images: a class on average, s numbers.
        right: float (s, n), in which share of the repeats each image was predicted rightly.
        classes: for a label its numbers of images, and the same with so many of this label and all
            others; weighted, so that the mean is the mean recall of all classes.
        groups: int (n,), from 0 on, of images that stay together.
    """

    images: tuple[float, ...]
    right: np.ndarray
    classes: dict[int, tuple[tuple[int, ...], np.ndarray]]
    groups: np.ndarray


def measure_learning_curve(
    examples: Examples, groups: np.ndarray | None, seed: int, progress: Progress
) -> MeasuredCurve:
    """Fit classifiers to parts of the images, and predict images that none of them has seen.

    The same folds test every number of images, and a larger part holds the smaller one, so that
    what differs is the number of images alone. All have the penalty for each row of the features
    that is the best one in a cross-validation of all images.

    Args:
        examples: one view of the images.
        groups: int (n,), images that stay together; None: each is on its own.
        seed: of the folds and of the parts.
        progress: called with the number of fits done and of all; may raise to interrupt.

    Raises:
        UserError: there are not two groups of images.
    """
    kept = _sample(examples.labels, seed)
    part = Examples(
        [examples.views[0][kept]], examples.labels[kept], examples.classes, examples.weights[kept]
    )
    labels, count = part.labels, len(kept)
    numbers = (
        np.arange(count) if groups is None else np.unique(groups[kept], return_inverse=True)[1]
    )
    repeated = int(np.clip(PREDICTED // count, 1, MAX_REPEATS))
    repeats = stratified_folds(labels, numbers, FOLDS, repeated, seed)
    totals = np.bincount(labels, minlength=part.classes)
    present = np.flatnonzero(totals > 0)
    plans = len(SHARES) + (len(CLASS_SHARES) - 1) * min(len(present), MAX_CLASSES)
    done, total = 0, plans * sum(map(len, repeats))
    progress(0, total)
    penalty = predict_out_of_fold(part, repeats[:1], lambda done, of: progress(0, total)).penalty
    fits = _Fits(part, penalty)

    def measure(shares: np.ndarray) -> _OfShares:
        nonlocal done
        right, taken = np.zeros(count), np.zeros(part.classes)
        for repeat, folds in enumerate(repeats):
            order = np.random.default_rng((seed, repeat)).permutation(count)
            for test in folds:
                train = _take(order, test, labels, shares)
                taken += np.bincount(labels[train], minlength=len(shares)) / len(folds)
                right[test] += fits.right(train, test)
                done += 1
                progress(done, total)
        return _OfShares(taken / len(repeats), right / len(repeats))

    every = np.ones(part.classes)
    whole = measure(every)
    found = [*(measure(share * every) for share in SHARES[:-1]), whole]
    balanced = count / len(present) / totals[labels]
    recall = np.bincount(labels, whole.right, part.classes)[present] / totals[present]
    classes = {}
    for label in present[np.argsort(recall, kind="stable")][:MAX_CLASSES].tolist():
        fewer = [np.where(np.arange(part.classes) == label, one, 1) for one in CLASS_SHARES[:-1]]
        measured = [*map(measure, fewer), whole]
        of_class = tuple(round(float(one.taken[label])) for one in measured)
        if len({*of_class}) == len(of_class):  # of very few images the parts are the same
            classes[label] = (of_class, np.array([one.right * balanced for one in measured]))
    distinct = {round(float(one.taken[present].mean()), 1): one for one in found}
    right = np.array([one.right for one in distinct.values()])
    return MeasuredCurve(tuple(distinct), right, classes, numbers)


@dataclass(frozen=True)
class _OfShares:
    """Of the fits to some shares: training images a fold by label; shares that were right (n,)."""

    taken: np.ndarray
    right: np.ndarray


def _take(
    order: np.ndarray, test: np.ndarray, labels: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """Return the first share of the images of each class in an order, without those to test."""
    left = order[~np.isin(order, test)]
    chosen = []
    for label in np.unique(labels[left]):
        own = left[labels[left] == label]
        chosen.append(own[: max(FEWEST, round(shares[label] * len(own)))])
    return np.sort(np.concatenate(chosen))


class _Fits:
    """Classifiers of one penalty; of the two forms of ridge regression the faster one is solved."""

    def __init__(self, examples: Examples, penalty: float) -> None:
        self.labels, self.penalty = examples.labels, penalty
        rows = Standardized(examples).rows(np.arange(len(self.labels)))
        self.few, self.width = FewImages(examples, rows @ rows.T), rows.shape[1]
        self.many = ManyImages(examples) if len(rows) > self.width else None

    def right(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Return which test images a classifier fitted to the others has right, bool."""
        fit = self.many if self.many and len(train) > self.width else self.few
        scores = next(fit(train, test, (self.penalty,)))
        right: np.ndarray = predicted(scores) == self.labels[test]
        return right


def _sample(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return at most MAX_IMAGES places, in proportion to the labels, ascending."""
    if len(labels) <= MAX_IMAGES:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    by_label = order[np.argsort(labels[order], kind="stable")]
    places = np.linspace(0, len(labels) - 1, MAX_IMAGES).astype(int)
    return np.sort(by_label[places])
