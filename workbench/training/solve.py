"""Solves a linear classifier on features: ridge or logistic regression.

How strongly it is regularized is found by cross-validation, then it is fitted to all images.
Features are standardized first, since those of a network differ by orders of magnitude and a
penalty treats all alike; the result has this scaling folded in.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits

from workbench.analysis.folds import stratified_folds

# Penalties for each row of the features, half a decade apart: `Ridge(alpha=value * rows)` and
# `LogisticRegression(C=1 / (value * rows))` of scikit-learn. The strongest, easiest to fit, first.
VALUES = tuple(10.0 ** (half / 2) for half in range(4, -9, -1))
CHUNK = 2048  # images at a time
FEW_ROWS = 2500  # of features
TINY = 1e-6  # added to the spread of features, which may be constant
SHARPEST = 100.0  # factor at most that turns scores of about 1 and -1 into logits

Progress = Callable[[int, int], None]
Linear = tuple[np.ndarray, np.ndarray]  # kernel (d, outputs) and bias (outputs,)


@dataclass(frozen=True)
class Examples:
    """What a classifier is fitted to.

    Attributes:
        views: features of the images, float (n, d), and of their mirror images if they are used;
            may be memory-mapped.
        labels: int (n,), from 0 to classes - 1.
        classes: number of labels.
        weights: of the images, float (n,).
        groups: int (n,): images with the same number are in the same fold; None: each is on its
            own.
    """

    views: Sequence[np.ndarray]
    labels: np.ndarray
    classes: int
    weights: np.ndarray
    groups: np.ndarray | None = None

    @property
    def targets(self) -> np.ndarray:
        """Float (n, outputs): 1 for the label, -1 for others; one column for two classes."""
        if self.classes == 2:
            return np.where(self.labels == 1, 1.0, -1.0)[:, None]
        return np.where(self.labels[:, None] == np.arange(self.classes), 1.0, -1.0)


@dataclass(frozen=True)
class Tried:
    """A strength of regularization in cross-validation.

    Attributes:
        value: the penalty for each row, see `VALUES`.
        accuracy: share of images classified correctly by a classifier that was fitted without
            them and their mirror images.
        error: standard error of the accuracy, from its spread over the folds.
        loss: what is minimized: mean squared error (ridge) or crossentropy (logistic).
    """

    value: float
    accuracy: float
    error: float
    loss: float


@dataclass(frozen=True)
class Solution:
    """A linear classifier of features that are not standardized.

    Attributes:
        kernel: float32 (d, outputs); features @ kernel + bias are logits, of a sigmoid for two
            classes, else of a softmax.
        bias: float32 (outputs,).
        tried: every strength of regularization, the weakest first.
        chosen: that with the lowest loss.
        folds: that there were.
        loss: crossentropy of the chosen one in cross-validation.
        correct: bool (n,), the images that it classified correctly there.
    """

    kernel: np.ndarray
    bias: np.ndarray
    tried: tuple[Tried, ...]
    chosen: Tried
    folds: int
    loss: float
    correct: np.ndarray


class Standardized:
    """Features minus their mean over all rows, divided by their standard deviation.

    Attributes:
        mean: float (d,).
        spread: float (d,), standard deviations.
        targets: see `Examples`.
        offset: float (outputs,), mean of the targets.
    """

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.targets = examples.targets
        self.offset = np.average(self.targets, axis=0, weights=examples.weights)
        shares = examples.weights / examples.weights.sum() / len(examples.views)
        self.mean = sum(shares @ view for view in examples.views)
        variance = sum(
            shares[at : at + CHUNK] @ np.square(view[at : at + CHUNK] - self.mean)
            for view in examples.views
            for at in range(0, len(view), CHUNK)
        )
        self.spread = np.sqrt(variance) + TINY

    def rows(self, images: np.ndarray, view: int = 0) -> np.ndarray:
        """Return the standardized features of a view of images, float32 (len(images), d)."""
        standardized = (self.examples.views[view][images] - self.mean) / self.spread
        return standardized.astype(np.float32)

    def all_views(self, images: np.ndarray) -> np.ndarray:
        """Return the rows of every view of the images, one view after the other."""
        return np.concatenate([self.rows(images, i) for i in range(len(self.examples.views))])

    def repeated(self, of_images: np.ndarray) -> np.ndarray:
        """Return values of images for the rows of `all_views`."""
        return np.concatenate([of_images] * len(self.examples.views))


def on_one_thread(examples: Examples) -> AbstractContextManager[object]:
    """Return a context in which BLAS has one thread, for few images.

    On matrices of up to 2,000 rows two threads wait for one another longer than they compute: on
    two free cores they take 1.2 to 2 times as long, on busy ones ten times.
    """
    few = len(examples.labels) * len(examples.views) <= FEW_ROWS
    return threadpool_limits(1, user_api="blas") if few else nullcontext()


def solve_classifier(
    examples: Examples, solver: str, folds: int, seed: int, progress: Progress
) -> Solution:
    """Return the classifier whose regularization has the lowest loss in cross-validation.

    An image and its mirror image are always in the same fold, and so are those of a group.

    Args:
        examples: two at least.
        solver: "ridge", whose loss is the mean squared error, or "logistic": crossentropy.
        folds: of cross-validation.
        seed: decides about the folds.
        progress: called with the number of fits done and of all; may raise to interrupt.

    Raises:
        UserError: all images are of one group.
    """
    data = Standardized(examples)
    path = _PATHS[solver](data)
    count, outputs = data.targets.shape
    parts = split_folds(examples.labels, folds, seed, examples.groups)
    total, done = len(parts) * len(VALUES) + 1, 0
    scores = np.empty((len(VALUES), count, outputs), np.float32)
    for kept, left_out in parts:
        rows = data.rows(left_out)
        for at, (kernel, bias) in enumerate(path(kept, VALUES)):
            scores[at, left_out] = rows @ kernel + bias
            done += 1
            progress(done, total)
    tried = [
        _measure(data, value, of_value, parts, solver)
        for value, of_value in zip(VALUES, scores, strict=True)
    ]
    best = int(np.argmin([one.loss for one in tried]))
    factor = sharpness(scores[best], examples) if solver == "ridge" else 1.0
    kernel, bias = next(path(np.arange(count), (VALUES[best],)))
    kernel = factor * kernel / data.spread[:, None]
    bias = factor * bias - data.mean @ kernel
    progress(total, total)
    loss = crossentropy(factor * scores[best], examples)
    return Solution(
        kernel.astype(np.float32),
        bias.astype(np.float32),
        tuple(reversed(tried)),
        tried[best],
        len(parts),
        loss,
        _right(scores[best], examples.labels, parts),
    )


def split_folds(
    labels: np.ndarray, folds: int, seed: int, groups: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each fold the images to fit and those to test, see `stratified_folds`."""
    (parts,) = stratified_folds(labels, groups, folds, 1, seed)
    return [(np.setdiff1d(np.arange(len(labels)), part), part) for part in parts]


class RidgePath:
    """Least squares: yields kernel and bias on standardized features for each penalty.

    Of two equal forms the smaller is solved: (Z'Z + a I) w = Z't for many rows Z, and for few of
    them w = Z'c with (ZZ' + a I) c = t (Hastie et al., The Elements of Statistical Learning,
    18.3.5). Products of all rows are computed once; those of a fold are a part of them.
    """

    def __init__(self, data: Standardized) -> None:
        self.data = data
        self.everything = np.arange(len(data.targets))
        self.few = len(data.targets) * len(data.examples.views) <= len(data.mean)
        if self.few:
            self.rows, self.targets = self._weighted(self.everything)
            self.products = self.rows @ self.rows.T
        else:
            self.sums = self._sums(self.everything)

    def __call__(self, images: np.ndarray, values: Sequence[float]) -> Iterator[Linear]:
        """Yield kernel (d, outputs) and bias (outputs,) fitted to images, for each value."""
        if self.few:
            of_views = self.data.repeated(images).reshape(len(self.data.examples.views), -1)
            at = (of_views + len(self.everything) * np.arange(len(of_views))[:, None]).ravel()
            left, right = self.products[np.ix_(at, at)], self.targets[at]
        else:
            left_out = np.setdiff1d(self.everything, images)
            left, right = (a - b for a, b in zip(self.sums, self._sums(left_out), strict=True))
        count = len(images) * len(self.data.examples.views)
        for value in values:
            penalized = left.astype(np.float64)
            penalized[np.diag_indices_from(penalized)] += value * count
            solved = solve(penalized, right, assume_a="pos", overwrite_a=True)
            yield (self.rows[at].T @ solved if self.few else solved), self.data.offset

    def _weighted(self, images: np.ndarray) -> Linear:
        """Return the rows of images and their targets, both times the root of their weights."""
        roots = np.sqrt(self.data.examples.weights[images])[:, None]
        targets = roots * (self.data.targets[images] - self.data.offset)
        return (
            self.data.all_views(images) * self.data.repeated(roots.astype(np.float32)),
            self.data.repeated(targets),
        )

    def _sums(self, images: np.ndarray) -> Linear:
        """Return Z'Z and Z't over the rows of images."""
        width, outputs = len(self.data.mean), self.data.targets.shape[1]
        left, right = np.zeros((width, width)), np.zeros((width, outputs))
        for at in range(0, len(images), CHUNK):
            rows, targets = self._weighted(images[at : at + CHUNK])
            left += rows.T @ rows
            right += rows.T @ targets
        return left, right


class LogisticPath:
    """Crossentropy: yields kernel and bias on standardized features for each penalty."""

    def __init__(self, data: Standardized) -> None:
        self.data = data

    def __call__(self, images: np.ndarray, values: Sequence[float]) -> Iterator[Linear]:
        """Yield kernel (d, outputs) and bias (outputs,) fitted to images, for each value."""
        data, outputs = self.data, self.data.targets.shape[1]
        rows = data.all_views(images)
        labels = data.repeated(data.examples.labels[images])
        weights = data.repeated(data.examples.weights[images])
        if len(np.unique(labels)) == 1:  # nothing to tell apart
            for _ in values:
                yield np.zeros((len(data.mean), outputs)), SHARPEST * data.targets[images[0]]
            return
        from sklearn.linear_model import LogisticRegression  # the import takes a second

        model = LogisticRegression(max_iter=1000, warm_start=True)  # each begins at the last one
        for value in values:
            model.C = 1 / (value * len(rows))
            model.fit(rows, labels, sample_weight=weights)
            kernel = np.zeros((len(data.mean), outputs))
            bias = np.full(outputs, -SHARPEST)  # of labels that are missing among these images
            seen = [0] if outputs == 1 else model.classes_
            kernel[:, seen], bias[seen] = model.coef_.T, model.intercept_
            yield kernel, bias


_PATHS: dict[str, type[RidgePath] | type[LogisticPath]] = {
    "ridge": RidgePath,
    "logistic": LogisticPath,
}


def sharpness(scores: np.ndarray, examples: Examples) -> float:
    """Return the factor that makes logits of scores with the lowest crossentropy.

    Args:
        scores: (n, outputs) of images that were not fitted.
        examples: with their labels.
    """

    def loss(exponent: float) -> float:
        return crossentropy(10.0**exponent * scores, examples)

    limit = np.log10(SHARPEST)
    return float(10.0 ** minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x)


def crossentropy(logits: np.ndarray, examples: Examples) -> float:
    """Return the mean crossentropy of logits (n, outputs): one for a sigmoid, more for a softmax.

    Args:
        logits: of all images.
        examples: with their labels and weights.
    """
    both = logits if examples.classes > 2 else np.concatenate([np.zeros_like(logits), logits], 1)
    both = both.astype(np.float64)
    largest = both.max(axis=1)
    total = largest + np.log(np.exp(both - largest[:, None]).sum(axis=1))
    losses = total - both[np.arange(len(both)), examples.labels]
    return float(np.average(losses, weights=examples.weights))


def predicted(scores: np.ndarray) -> np.ndarray:
    """Return the label, int (n,), that scores (n, outputs) are for."""
    return (scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)


def _right(
    scores: np.ndarray, labels: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return which images were given their label, bool (n,), by folds that did not fit them.

    A label whose images were all left out cannot be found. Scores would name it nevertheless: the
    features were centred with those images among them.
    """
    right = predicted(scores) == labels
    for kept, left_out in parts:
        right[left_out] &= np.isin(labels[left_out], labels[kept])
    return right


def _measure(
    data: Standardized,
    value: float,
    scores: np.ndarray,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    solver: str,
) -> Tried:
    correct = _right(scores, data.examples.labels, parts)
    of_folds = [correct[left_out].mean() for _, left_out in parts]
    if solver == "ridge":
        squares = np.square(scores - data.targets).mean(axis=1)
        loss = float(np.average(squares, weights=data.examples.weights))
    else:
        loss = crossentropy(scores, data.examples)
    return Tried(
        value=value,
        accuracy=float(correct.mean()),
        error=float(np.std(of_folds, ddof=1) / np.sqrt(len(parts))),
        loss=loss,
    )
