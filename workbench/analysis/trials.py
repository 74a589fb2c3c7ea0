"""The trials of a sweep: means over seeds, their intervals, paired differences to the best. Pure.

Trials are compared by validation images, which chose between them; the best of many is optimistic,
and its test accuracy is not. With one seed, an interval is Wilson's, of the images. With several it
is Student's (1908), of the mean over seeds: mean +- t(n-1) * s / sqrt(n). Two trials share seeds,
and with them the order of the images and the first weights of their heads, so they are compared by
the interval of the mean of their differences, seed by seed.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from workbench.analysis.significance import accuracy_interval
from workbench.experiment.metrics import ACCURACY, VALIDATION, monitored_score
from workbench.runs.history import History

Interval = tuple[float, float]


def sweep_metric(monitor: str) -> str:
    """Return the metric by which trials are compared: the monitored score, else accuracy."""
    return monitored_score(monitor) or ACCURACY


def epoch_values(history: History, metric: str) -> list[float]:
    """Return a metric on validation images after each epoch, without epochs that lack it."""
    name = f"{VALIDATION}{metric}"
    found = [getattr(row, name) for row in history.epochs if row.epoch > 0]
    return [value for value in found if value is not None]


def kept_value(history: History, metric: str) -> float | None:
    """Return a metric on validation images of the weights that a run kept.

    That of a stage that was solved is the accuracy of cross-validation. None if it is unknown.
    """
    if history.epochs:
        kept = history.kept
        return getattr(kept, f"{VALIDATION}{metric}") if kept else None
    probe = history.probe
    chosen = (
        next((one for one in probe.tried if one.value == probe.chosen), None) if probe else None
    )
    return chosen.accuracy if chosen and metric == ACCURACY else None


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of a mean (Student 1908); None with fewer than two values."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit  # the import takes a moment

    half = float(stdtrit(len(values) - 1, 0.975)) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


@dataclass(frozen=True)
class SeedResult:
    """One trial with one seed; None is unknown.

    Attributes:
        settings: values by key that it tries.
        state: of its run: planned, queued, a phase of `runs.state`, or gone.
        detail: of the state, safe to print.
        value: the metric on validation images, of the kept epoch; of a run that is not finished,
            of the best so far.
        images: on which it was measured.
        test: accuracy on test images.
        seconds: of work.
    """

    settings: Mapping[str, Any]
    seed: int | None
    run: str
    state: str
    detail: str = ""
    value: float | None = None
    images: int | None = None
    test: float | None = None
    seconds: float | None = None
    epochs_done: int = 0
    epochs_total: int | None = None

    @property
    def measured(self) -> bool:
        """True if it counts: finished, with a value."""
        return self.state == "finished" and self.value is not None


@dataclass(frozen=True)
class TrialRow:
    """A trial over all its seeds; None is unknown.

    Attributes:
        seeds: its results, in the order of the seeds.
        mean: over the seeds that are finished; `interval` is its 95 % interval.
        test: mean accuracy on test images over the same seeds.
        difference: mean over the seeds that both have finished of this trial minus the best one;
            `difference_interval` is its 95 % interval. None for the best itself.
        pairs: how many seeds those are.
    """

    settings: Mapping[str, Any]
    seeds: tuple[SeedResult, ...]
    mean: float | None = None
    interval: Interval | None = None
    test: float | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    pairs: int = 0
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """True if every seed is finished."""
        return all(one.measured for one in self.seeds)


def trial_rows(results: Sequence[SeedResult]) -> list[TrialRow]:
    """Group results by their settings, the best first.

    A trial of which a seed failed, was pruned or is still to come is below all complete ones: its
    mean is over other seeds than theirs. Of equal ones the first stays first.
    """
    groups: dict[str, list[SeedResult]] = {}
    for one in results:
        groups.setdefault(repr(sorted(one.settings.items())), []).append(one)
    rows = sorted(map(_row, groups.values()), key=_rank)
    if not rows or rows[0].mean is None:
        return rows
    return [rows[0], *(_compared(row, rows[0]) for row in rows[1:])]


def _row(seeds: Sequence[SeedResult]) -> TrialRow:
    measured = [one for one in seeds if one.measured]
    values = [one.value for one in measured if one.value is not None]
    tested = [one.test for one in measured if one.test is not None]
    interval = mean_interval(values)
    if len(values) == 1 and measured[0].images:
        interval = accuracy_interval(values[0], measured[0].images)
    return TrialRow(
        seeds[0].settings,
        tuple(seeds),
        fmean(values) if values else None,
        interval,
        fmean(tested) if tested else None,
        states=dict(Counter(one.state for one in seeds)),
    )


def _rank(row: TrialRow) -> tuple[bool, bool, float]:
    return row.mean is None, not row.complete, -(row.mean or 0.0)


def _compared(row: TrialRow, best: TrialRow) -> TrialRow:
    """Return the row with its difference to the best, over the seeds that both have finished."""
    values = {one.seed: one.value for one in best.seeds if one.measured}
    differences = [
        one.value - other
        for one in row.seeds
        if one.measured and one.value is not None and (other := values.get(one.seed)) is not None
    ]
    return TrialRow(
        row.settings, row.seeds, row.mean, row.interval, row.test,
        fmean(differences) if differences else None,
        mean_interval(differences), len(differences), row.states,
    )  # fmt: skip
