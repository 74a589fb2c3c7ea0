"""The median stopping rule: which run of a sweep is hopeless after so many epochs. Pure.

Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2: a
trial is stopped at a step if its best value so far is strictly worse than the median of the running
averages, up to that step, of all completed trials. The rule makes no assumption about the shape of
a curve.
"""

from collections.abc import Sequence
from statistics import fmean, median

MIN_FINISHED = 3  # trials; a median of fewer says little


def median_so_far(finished: Sequence[Sequence[float]], epochs: int) -> float | None:
    """Return the median over trials of their running average after some epochs.

    A trial that ended earlier counts with all of its epochs.

    Args:
        finished: the validation values of each finished trial, one an epoch, higher is better.
        epochs: how many to average over, 1 at least.

    Returns:
        None with fewer than MIN_FINISHED trials that have values.
    """
    averages = [fmean(values[:epochs]) for values in finished if values]
    return median(averages) if len(averages) >= MIN_FINISHED else None


def is_hopeless(values: Sequence[float], finished: Sequence[Sequence[float]]) -> bool:
    """Return True if a trial should be stopped after its newest epoch.

    Args:
        values: its validation values so far, one an epoch, higher is better.
        finished: those of the finished trials.
    """
    if not values:
        return False
    limit = median_so_far(finished, len(values))
    return limit is not None and max(values) < limit
