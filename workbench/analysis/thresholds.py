"""Runs of two labels: what becomes of the errors where another threshold decides.

The second label is the positive one: an image is called it where its probability is the threshold
or more.
"""

from dataclasses import dataclass

import numpy as np

from workbench.analysis.errors import Answers
from workbench.text import safe_text

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
POINTS = 101  # of a curve that is drawn


@dataclass(frozen=True)
class AtThreshold:
    """What a threshold leads to.

    Attributes:
        precision: hits / (hits + false alarms); None where nothing is called positive.
        recall: hits / positives.
        false_alarms: negatives that are called positive.
        misses: positives that are called negative.
        positives, negatives: images of each label.
    """

    threshold: float
    precision: float | None
    recall: float
    false_alarms: int
    misses: int
    positives: int
    negatives: int


@dataclass(frozen=True)
class Ranking:
    """How well the probabilities sort positives before negatives, whatever the threshold.

    Attributes:
        area: below the ROC curve: the share of all pairs of a positive and a negative in which the
            positive has the higher probability, ties counting half.
        average_precision: the sum over thresholds of (recall - recall before) * precision.
        roc: share of positives found at 0, 1, ... 100 % false alarms, `POINTS` values.
        precision: at 0, 1, ... 100 % of the positives found.
    """

    area: float
    average_precision: float
    roc: tuple[float, ...]
    precision: tuple[float, ...]


def two_labels(answers: Answers) -> bool:
    """True where there are two labels, and images of both: what this module can speak of."""
    return len(answers.names) == 2 and len(set(answers.labels.tolist())) == 2


def at_threshold(answers: Answers, threshold: float) -> AtThreshold:
    """Counts of a run of two labels with images of both."""
    positive = answers.labels == 1
    called = answers.probabilities[:, 1] >= threshold
    hits, alarms = int((called & positive).sum()), int((called & ~positive).sum())
    positives = int(positive.sum())
    return AtThreshold(
        threshold,
        hits / (hits + alarms) if hits + alarms else None,
        hits / positives,
        alarms,
        positives - hits,
        positives,
        len(positive) - positives,
    )


def ranking(answers: Answers) -> Ranking:
    """The curves of a run of two labels with images of both, and the areas below them."""
    from sklearn.metrics import (  # takes a second to import
        average_precision_score,
        precision_recall_curve,
        roc_auc_score,
        roc_curve,
    )

    truth, score = answers.labels, answers.probabilities[:, 1]
    false_alarms, found, _ = roc_curve(truth, score)
    precision, recall, _ = precision_recall_curve(truth, score)
    grid = np.linspace(0, 1, POINTS)
    # Recall falls along its curve: the last place that still reaches r is that of the highest
    # threshold. The curve's end, (0, 1), is no threshold's.
    reached = np.searchsorted(-recall, -grid, side="right") - 1
    reached = np.minimum(reached, len(recall) - 2)
    return Ranking(
        float(roc_auc_score(truth, score)),
        float(average_precision_score(truth, score)),
        tuple(np.interp(grid, false_alarms, found).tolist()),
        tuple(precision[reached].tolist()),
    )


def consequence(answers: Answers, at: AtThreshold) -> str:
    """What a threshold means for a hundred images of each label."""
    negative, positive = (safe_text(name, 60) for name in answers.names)
    missed = _of_hundred(at.misses, at.positives)
    alarms = _of_hundred(at.false_alarms, at.negatives)
    return (
        f"At {at.threshold:g}, of 100 images of {positive} {missed} missed ({at.misses:,} of "
        f"{at.positives:,} here), and of 100 images of {negative} {alarms} called {positive} "
        f"({at.false_alarms:,} of {at.negatives:,})."
    )


def _of_hundred(count: int, of: int) -> str:
    """12 are, 1 is, fewer than 1 is; never a rounded none where there are some."""
    share = round(100 * count / of)
    if count and not share:
        return "fewer than 1 is"
    return f"{share} {'is' if share == 1 else 'are'}"
