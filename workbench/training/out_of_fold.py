"""Probabilities of every image by linear classifiers that were fitted without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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
    first, penalty = _predict(examples, repeats, VALUES, lambda n: progress(n, 2 * passed))
    own = first[np.arange(len(first)), examples.labels]
    doubted = replace(examples, weights=own / first.max(axis=1))
    second, _ = _predict(doubted, repeats, (penalty,), lambda n: progress(passed + n, 2 * passed))
    return OutOfFold(second, first, penalty)


def _predict(
    examples: Examples,
    repeats: Sequence[Sequence[np.ndarray]],
    values: Sequence[float],
    report: Callable[[int], None],
) -> tuple[np.ndarray, float]:
    """Return probabilities float64 (n, classes), the mean over the repeats, and the penalty.

    The penalty is that with the lowest mean squared error in the first repeat. Scores become
    probabilities by one factor for each repeat (see `solve.sharpness`): a single number, chosen
    over all images.
    """
    data = Standardized(examples)
    path = RidgePath(data)
    everything = np.arange(len(examples.labels))
    found, done = [], 0
    for folds in repeats:
        scores = np.empty((len(values), *data.targets.shape))
        for left_out in folds:
            rows = data.rows(left_out)
            fits = path(np.setdiff1d(everything, left_out), values)
            for at, (kernel, bias) in enumerate(fits):
                scores[at, left_out] = rows @ kernel + bias
            done += 1
            report(done)
        losses = np.square(scores - data.targets).mean(axis=2)
        best = int(np.argmin(np.average(losses, axis=1, weights=examples.weights)))
        values = values[best : best + 1]
        found.append(softmax(sharpness(scores[best], examples) * scores[best]))
    return np.mean(found, axis=0), values[0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes) of logits: of a sigmoid (n, 1), or of a softmax."""
    both = np.concatenate([np.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits
    powers = np.exp(both - both.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
