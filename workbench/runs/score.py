"""A score of a run: a metric beside accuracy, with its interval."""

from dataclasses import dataclass

from workbench.runs.fields import Fields, Interval, Number


@dataclass(frozen=True, kw_only=True)
class Score(Fields):
    """A metric of `experiment.metrics.SCORES` on a set of images.

    Attributes:
        value: from 0 to 1.
        interval: 95 % interval, [low, high].
    """

    value: Number = None
    interval: Interval = None
