"""A score of a run: a metric beside accuracy, with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.experiment.metrics import METRICS
from workbench.runs.fields import Fields, Interval, Number
from workbench.text import format_accuracy, format_interval


@dataclass(frozen=True, kw_only=True)
class Score(Fields):
    """A metric of `experiment.metrics.SCORES` on a set of images.

    Attributes:
        value: from 0 to 1.
        interval: 95 % interval, [low, high].
    """

    value: Number = None
    interval: Interval = None


def format_scores(scores: Mapping[str, Score]) -> list[tuple[str, str]]:
    """Return title and text of each score: ("macro F1", "0.9312 (0.911 to 0.948)")."""
    return [
        (METRICS[name], f"{format_accuracy(one.value)} ({format_interval(one.interval)})")
        for name, one in scores.items()
    ]
