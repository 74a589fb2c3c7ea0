"""The learning-rate range test: from losses at rising rates to a suggestion. Pure.

Smith, "Cyclical learning rates for training neural networks", 2017: training begins at a rate that
moves nothing, the rate rises by the same factor at every step, and the loss shows where learning
begins and where it breaks down.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from workbench.errors import UserError
from workbench.experiment.plan import HEAD_FIRST, Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.text import plural

LOWEST, HIGHEST = 1e-6, 1.0
FACTOR = 0.8  # of the moving average: what came before counts for so much
BLOWN_UP = 4.0  # times the best smoothed loss, after which nothing is learned any more
SETTLING = 10  # steps; before, the average is one of a few batches and moves by chance
WINDOW = 0.5  # decades of the rate over which a slope is measured
LEAST_FALL = 0.05  # of the loss it began with: less is not worth a word
# The fall, in standard errors of the smoothed loss: what chance alone makes of a flat curve is
# less than the first in about 97 of 100 tests; from the second on the picture is plain.
SEEN, PLAIN = 5.0, 10.0
BEGUN = 0.1  # of the fall; where it is done for good, learning has begun


@dataclass(frozen=True)
class Suggestion:
    """What the curve says.

    Attributes:
        sureness: "plain", "faint", or "none": then nothing stands out and the rates are None.
        rate: where the smoothed loss falls most steeply, two digits.
        low, high: where a tenth of its fall is done for good, and where it is lowest.
        fall: from the loss after the settling to the lowest, both smoothed.
        noise: standard error of the smoothed loss, from how batches differ.
        lines: the conclusion in words.
    """

    sureness: str
    rate: float | None
    low: float | None
    high: float | None
    fall: float
    noise: float
    lines: tuple[str, ...]


def range_stage(spec: ExperimentSpec, number: int, steps: int) -> Stage:
    """The stage that is tested, as one epoch of so many steps.

    Args:
        number: of the stage in the plan, from 1.

    Raises:
        UserError: there is no such stage, or it begins with what an earlier one has learned.
    """
    stages = plan_stages(spec)
    if not 1 <= number <= len(stages):
        raise UserError(
            f"--stage {number}: the plan of {spec.model.strategy} has "
            f"{plural(len(stages), 'stage')}.",
            "Left out, the first is tested.",
        )
    if number > 1:
        raise UserError(
            f"--stage {number} ({stages[number - 1].name}) begins with the head that stage 1 has "
            "trained, and this test begins with fresh weights: its curve would be that of another "
            "training.",
            "Test stage 1 (leave --stage out); for the later one begin at a hundredth of its "
            "rate, as the preset fine-tuning does.",
        )
    return replace(
        stages[0],
        epochs=1,
        steps_per_epoch=steps,
        schedule="constant",
        early_stopping=0,
        keep="last",
    )


def rate_key(stage: Stage) -> str:
    """The key of the spec that holds a stage's rate."""
    return f"training.{'head_' if stage.name == HEAD_FIRST else ''}learning_rate"


def rate_at(step: int, steps: int) -> float:
    """The rate of a step, from 0: LOWEST at the first, HIGHEST at the last."""
    return LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1))


def smoothed_losses(losses: Sequence[float]) -> tuple[float, ...]:
    """Exponential moving average from 0 on, each value divided by the weight it has so far.

    That division is the bias correction: without it the first values would be far too small.
    """
    average, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = FACTOR * average + (1 - FACTOR) * loss
        found.append(average / (1 - FACTOR**count))
    return tuple(found)


def has_blown_up(smoothed: Sequence[float]) -> bool:
    """Whether the last value is beyond BLOWN_UP times the lowest."""
    return bool(smoothed) and smoothed[-1] > BLOWN_UP * min(smoothed)


def suggest(losses: Sequence[float], steps: int) -> Suggestion:
    """Reads the curve.

    Args:
        losses: of each step's batch; fewer than `steps` where the loss blew up.
        steps: planned.
    """
    rates = [rate_at(step, steps) for step in range(steps)]
    smoothed = smoothed_losses(losses)
    window = max(round(WINDOW / math.log10(rates[1] / rates[0])), 2) + 1
    if len(smoothed) < SETTLING + window:
        return _nothing(
            0.0, 0.0, f"the loss blew up at {shown(rates[min(len(losses), steps - 1)])} already"
        )
    lowest = min(range(SETTLING, len(smoothed)), key=smoothed.__getitem__)
    start = smoothed[SETTLING]
    fall, noise = start - smoothed[lowest], _noise(losses[: lowest + 1])
    if fall < LEAST_FALL * start or fall < SEEN * noise:
        why = f"the smoothed loss falls by {fall:.3g} of {start:.3g} only"
        if fall >= LEAST_FALL * start:
            why += f", and batches differ so much that it is uncertain by {noise:.2g}"
        return _nothing(fall, noise, why)
    if lowest - SETTLING + 1 < window:
        return _nothing(fall, noise, "the loss falls in the first steps alone, before it rises")
    steepest = _steepest(smoothed, SETTLING, lowest, window)
    # The last crossing: batches that were easy by chance make earlier ones.
    begun = max(i for i in range(SETTLING, lowest) if start - smoothed[i] < BEGUN * fall) + 1
    rate, low, high = (_two_digits(rates[i]) for i in (steepest, begun, lowest))
    sureness = "plain" if fall >= PLAIN * noise else "faint"
    lines = [
        f"The loss falls most steeply at {shown(rate)}: begin there. It begins to fall at "
        f"{shown(low)} and is lowest at {shown(high)}; from there on training breaks down sooner "
        "or later.",
        f"{_sure(sureness)} the smoothed loss falls by {fall:.3g} of {start:.3g}, "
        f"and is uncertain by {noise:.2g} itself.",
    ]
    if lowest == steps - 1:
        lines.append("It was still falling at the last rate: the upper end is not seen.")
    lines.append(
        "One training of a few steps from fresh weights: good for the order of magnitude, no more."
    )
    return Suggestion(sureness, rate, low, high, fall, noise, tuple(lines))


def shown(rate: float) -> str:
    """A rate for people, and as --set takes it: two digits."""
    return f"{_two_digits(rate):g}"


def _two_digits(rate: float) -> float:
    return float(f"{rate:.1e}")


def _sure(sureness: str) -> str:
    return "Plain to see:" if sureness == "plain" else "Not very sure (more steps help):"


def _nothing(fall: float, noise: float, why: str) -> Suggestion:
    lines = (
        f"No rate stands out: {why}.",
        "Keep the preset's rate, or try again with more steps or larger batches.",
    )
    return Suggestion("none", None, None, None, fall, noise, lines)


def _noise(losses: Sequence[float]) -> float:
    """Standard error of the smoothed loss.

    Batches' own standard deviation comes from neighbours, sqrt(mean(difference^2) / 2), so that
    the fall itself does not count; the average of FACTOR makes sqrt((1 - f) / (1 + f)) of it.
    """
    squares = [(b - a) ** 2 for a, b in pairwise(losses)]
    deviation = math.sqrt(sum(squares) / len(squares) / 2)
    return deviation * math.sqrt((1 - FACTOR) / (1 + FACTOR))


def _steepest(values: Sequence[float], first: int, last: int, window: int) -> int:
    """The middle of the window in first..last whose least-squares line falls most."""
    middle = (window - 1) / 2

    def slope(start: int) -> float:
        return sum((i - middle) * values[start + i] for i in range(window))

    return min(range(first, last - window + 2), key=slope) + window // 2
