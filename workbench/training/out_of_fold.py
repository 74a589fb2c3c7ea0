"""Probabilities of every image by linear classifiers that were fitted without it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve

from workbench.training.solve import (
    VALUES,
    Examples,
    Progress,
    RidgePath,
    Standardized,
    sharpness,
)


@dataclass(frozen=True)
class OutOfFold:
    """What classifiers on features say of images that they were not fitted to.

    Attributes:
        probabilities: float64 (n, classes), the mean over the repeats, of classifiers to which
            images with doubted labels count less.
        plain: the same of classifiers to which all images count alike.
        penalty: for each row of the features, see `solve.VALUES`.
    """

    probabilities: np.ndarray
    plain: np.ndarray
    penalty: float


def predict_out_of_fold(
    examples: Examples, repeats: Sequence[Sequence[np.ndarray]], progress: Progress
) -> OutOfFold:
    """Solve ridge regression for every fold of every repeat, and predict the images left out.

    This is done twice. In the second pass an image counts by the probability of its label in the
    first, divided by that of the most likely label: fitted to fewer wrong labels, classifiers
    find more of them. An image is never among those that it is predicted from; its label has a
    part in how much these count.

    Args:
        examples: one view of the images, which count alike.
        repeats: for each the images of each fold, as `stratified_folds` returns them.
        progress: called with the number of folds done and of all; may raise to interrupt.
    """
    passed = sum(map(len, repeats))
    count, width = examples.views[0].shape
    rows = Standardized(examples).rows(np.arange(count)) if count <= width else None
    products = None if rows is None else rows @ rows.T
    first, penalty = _predict(
        examples, products, repeats, VALUES[::2], lambda n: progress(n, 2 * passed)
    )
    own = first[np.arange(count), examples.labels]
    doubted = replace(examples, weights=own / first.max(axis=1))
    second, _ = _predict(
        doubted, products, repeats, (penalty,), lambda n: progress(passed + n, 2 * passed)
    )
    return OutOfFold(second, first, penalty)


def _predict(
    examples: Examples,
    products: np.ndarray | None,
    repeats: Sequence[Sequence[np.ndarray]],
    values: Sequence[float],
    report: Callable[[int], None],
) -> tuple[np.ndarray, float]:
    """Return probabilities float64 (n, classes), the mean over the repeats, and the penalty.

    The penalty is that with the lowest mean squared error in the first repeat. Scores become
    probabilities by one factor for each repeat (see `solve.sharpness`): a single number, chosen
    over all images.
    """
    fit = ManyImages(examples) if products is None else FewImages(examples, products)
    targets, found, done = examples.targets, [], 0
    for folds in repeats:
        scores = np.empty((len(values), *targets.shape))
        for left_out in folds:
            kept = np.setdiff1d(np.arange(len(targets)), left_out)
            for at, of_value in enumerate(fit(kept, left_out, values)):
                scores[at, left_out] = of_value
            done += 1
            report(done)
        losses = np.square(scores - targets).mean(axis=2)
        best = int(np.argmin(np.average(losses, axis=1, weights=examples.weights)))
        values = values[best : best + 1]
        found.append(softmax(sharpness(scores[best], examples) * scores[best]))
    return np.mean(found, axis=0), values[0]


class ManyImages:
    """Ridge regression of many images."""

    def __init__(self, examples: Examples) -> None:
        self.data = Standardized(examples)
        self.path = RidgePath(self.data)

    def __call__(
        self, kept: np.ndarray, left_out: np.ndarray, values: Sequence[float]
    ) -> Iterator[np.ndarray]:
        """Yield the scores, float (m, outputs), of the images left out, for each penalty."""
        rows = self.data.rows(left_out)
        for kernel, bias in self.path(kept, values):
            yield rows @ kernel + bias


class FewImages:
    """The same from the products of images alone, for no more images than features.

    See `RidgePath`; of more images the result is equal, and slower.
    """

    def __init__(self, examples: Examples, products: np.ndarray) -> None:
        self.products, self.targets = products, examples.targets
        self.offset = np.average(self.targets, axis=0, weights=examples.weights)
        self.roots = np.sqrt(examples.weights)

    def __call__(
        self, kept: np.ndarray, left_out: np.ndarray, values: Sequence[float]
    ) -> Iterator[np.ndarray]:
        """Yield the scores, float (m, outputs), of the images left out, for each penalty."""
        roots = self.roots[kept]
        left = self.products[np.ix_(kept, kept)] * roots[:, None] * roots
        right = roots[:, None] * (self.targets[kept] - self.offset)
        across = self.products[np.ix_(left_out, kept)] * roots
        for value in values:
            penalized = left.astype(np.float64)
            penalized[np.diag_indices_from(penalized)] += value * len(kept)
            yield across @ solve(penalized, right, assume_a="pos", overwrite_a=True) + self.offset


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes) of logits: of a sigmoid (n, 1), or of a softmax."""
    both = np.concatenate([np.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    powers = np.exp(both - both.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
