"""Runs of two labels: errors at other thresholds.

The second label is the positive one: an image is predicted positive if its probability is the
threshold or more.
"""

from dataclasses import dataclass

import numpy as np

from workbench.analysis.errors import PredictionTable
from workbench.messages import tr
from workbench.text import safe_text

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
POINTS = 101  # of a drawn curve


@dataclass(frozen=True)
class ThresholdMetrics:
    """Metrics at a threshold.

    Attributes:
        precision: hits / (hits + false alarms); None if nothing is predicted positive.
        recall: hits / positives.
        false_alarms: negatives that are predicted positive.
        misses: positives that are predicted negative.
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
    """How well the probabilities rank positives above negatives, at any threshold.

    Attributes:
        area: under the ROC curve: the fraction of pairs of a positive and a negative in which the
            positive has the higher probability, ties counting half.
        average_precision: the sum over thresholds of (recall - recall before) * precision.
        roc: fraction of positives found at 0, 1, ... 100 % false alarms, `POINTS` values.
        precision: at 0, 1, ... 100 % of the positives found.
    """

    area: float
    average_precision: float
    roc: tuple[float, ...]
    precision: tuple[float, ...]


def is_binary(predictions: PredictionTable) -> bool:
    """Return True if there are two labels and images of both, as this module needs."""
    return len(predictions.names) == 2 and len(set(predictions.labels.tolist())) == 2


def threshold_metrics(predictions: PredictionTable, threshold: float) -> ThresholdMetrics:
    """Return the metrics of a run of two labels with images of both."""
    positive = predictions.labels == 1
    called = predictions.probabilities[:, 1] >= threshold
    hits, alarms = int((called & positive).sum()), int((called & ~positive).sum())
    positives = int(positive.sum())
    return ThresholdMetrics(
        threshold,
        hits / (hits + alarms) if hits + alarms else None,
        hits / positives,
        alarms,
        positives - hits,
        positives,
        len(positive) - positives,
    )


def ranking(predictions: PredictionTable) -> Ranking:
    """Return the curves of a run of two labels with images of both, and the areas under them."""
    from sklearn.metrics import (  # the import takes a second
        average_precision_score,
        precision_recall_curve,
        roc_auc_score,
        roc_curve,
    )

    truth, score = predictions.labels, predictions.probabilities[:, 1]
    false_alarms, found, _ = roc_curve(truth, score)
    precision, recall, _ = precision_recall_curve(truth, score)
    grid = np.linspace(0, 1, POINTS)
    # Recall falls along its curve: the last point that still reaches r has the highest threshold.
    # The end of the curve, (0, 1), belongs to no threshold.
    reached = np.searchsorted(-recall, -grid, side="right") - 1
    reached = np.minimum(reached, len(recall) - 2)
    return Ranking(
        float(roc_auc_score(truth, score)),
        float(average_precision_score(truth, score)),
        tuple(np.interp(grid, false_alarms, found).tolist()),
        tuple(precision[reached].tolist()),
    )


def describe_threshold(predictions: PredictionTable, at: ThresholdMetrics) -> str:
    """Describe what a threshold means for a hundred images of each label."""
    negative, positive = (safe_text(name, 60) for name in predictions.names)
    missed = _of_hundred(at.misses, at.positives)
    alarms = _of_hundred(at.false_alarms, at.negatives)
    return tr(
        "At {threshold:g}, of 100 images of {positive} {missed} missed "
        "({misses:,} of {positives:,} here), and of 100 images of "
        "{negative} {alarms} called {positive} ({false_alarms:,} of "
        "{negatives:,}).",
        threshold=at.threshold,
        positive=positive,
        missed=missed,
        misses=at.misses,
        positives=at.positives,
        negative=negative,
        alarms=alarms,
        false_alarms=at.false_alarms,
        negatives=at.negatives,
    )


def _of_hundred(count: int, of: int) -> str:
    """Format 12 are, 1 is, fewer than 1 is; some images are never rounded to none."""
    share = round(100 * count / of)
    if count and not share:
        return tr("fewer than 1 is")
    return tr("1 is") if share == 1 else tr("{share} are", share=share)
