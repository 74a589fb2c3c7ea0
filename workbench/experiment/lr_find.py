"""The learning-rate range test: from losses at rising rates to a suggestion. Pure.

Smith, "Cyclical learning rates for training neural networks", 2017: training starts at a tiny rate,
the rate rises by the same factor at every step, and the loss shows where learning starts and where
it diverges.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from workbench.errors import UserError
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stage_titles import HEAD_FIRST, stage_title
from workbench.messages import tr
from workbench.text import plural

MIN_RATE, MAX_RATE = 1e-6, 1.0
SMOOTHING_FACTOR = 0.8  # weight of the previous average
DIVERGED = 4.0  # times the best smoothed loss, after which nothing is learned any more
WARM_UP = 10  # steps; before, the average is one of a few batches and moves by chance
WINDOW = 0.5  # decades of the rate over which a slope is measured
MIN_FALL = 0.05  # share of the first loss; less does not count
# The fall in standard errors of the smoothed loss: chance makes less than the first of a flat curve
# in about 97 of 100 tests; from the second on the fall is clear.
FAINT, PLAIN = 5.0, 10.0
STARTED = 0.1  # share of the fall after which learning has started


@dataclass(frozen=True)
class Suggestion:
    """The result of the test.

    Attributes:
        sureness: "plain", "faint", or "none": then no rate stands out and the rates are None.
        rate: where the smoothed loss falls most steeply, two digits.
        low: where a tenth of its fall is over.
        high: where it is lowest.
        fall: from the loss after the warm-up to the lowest, both smoothed.
        noise: standard error of the smoothed loss, from the differences of batches.
        lines: the conclusion as text.
    """

    sureness: str
    rate: float | None
    low: float | None
    high: float | None
    fall: float
    noise: float
    lines: tuple[str, ...]


def lr_find_stage(spec: ExperimentSpec, number: int, steps: int) -> Stage:
    """Return the stage to test, as one epoch of `steps` steps.

    Args:
        spec: the experiment.
        number: of the stage in the plan, from 1.
        steps: of the test.

    Raises:
        UserError: there is no such stage, or it starts from weights that an earlier one trained.
    """
    # A test begins with fresh weights, which a solved head does not.
    training = spec.training.model_copy(update={"head_start": "random"})
    stages = plan_stages(spec.model_copy(update={"training": training}))
    if not 1 <= number <= len(stages):
        raise UserError(
            tr(
                "--stage {number}: the plan of {strategy} has {stages}.",
                number=number,
                strategy=spec.model.strategy,
                stages=plural(len(stages), "stage"),
            ),
            tr("Left out, the first is tested."),
        )
    if stages[number - 1].is_solved:
        raise UserError(
            tr(
                "{name}: this stage is solved at once and has no learning rate.",
                name=stage_title(stages[number - 1].name),
            ),
            tr("Test a strategy that trains by steps, such as --preset fine-tuning."),
        )
    if number > 1:
        raise UserError(
            tr(
                "--stage {number} ({name}) begins with the head that stage 1 has "
                "trained, and this test begins with fresh weights: its curve would "
                "be that of another training.",
                number=number,
                name=stage_title(stages[number - 1].name),
            ),
            tr(
                "Test stage 1 (leave --stage out); for the later one begin at a "
                "hundredth of its rate, as the preset fine-tuning does."
            ),
        )
    return replace(
        stages[0],
        epochs=1,
        steps_per_epoch=steps,
        schedule="constant",
        warmup_epochs=0.0,
        mixup=0.0,  # mixed labels hide where the loss falls
        cutmix=0.0,
        early_stopping=0,
        keep="last",
    )


def learning_rate_key(stage: Stage) -> str:
    """Return the key of the spec that holds a stage's rate."""
    return f"training.{'head_' if stage.name == HEAD_FIRST else ''}learning_rate"


def learning_rate_at(step: int, steps: int) -> float:
    """Return the rate of a step, counted from 0: MIN_RATE at the first, MAX_RATE at the last."""
    return MIN_RATE * (MAX_RATE / MIN_RATE) ** (step / (steps - 1))


def smoothed_losses(losses: Sequence[float]) -> tuple[float, ...]:
    """Return the exponential moving average with bias correction.

    Without the correction, the division by the weights so far, the first values would be far too
    small.
    """
    average, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = SMOOTHING_FACTOR * average + (1 - SMOOTHING_FACTOR) * loss
        found.append(average / (1 - SMOOTHING_FACTOR**count))
    return tuple(found)


def has_diverged(smoothed: Sequence[float]) -> bool:
    """Return whether the last value is beyond DIVERGED times the lowest."""
    return bool(smoothed) and smoothed[-1] > DIVERGED * min(smoothed)


def suggest(losses: Sequence[float], steps: int) -> Suggestion:
    """Suggest a rate.

    Args:
        losses: of each step's batch; fewer than `steps` if the loss diverged.
        steps: planned.
    """
    rates = [learning_rate_at(step, steps) for step in range(steps)]
    smoothed = smoothed_losses(losses)
    window = max(round(WINDOW / math.log10(rates[1] / rates[0])), 2) + 1
    if len(smoothed) < WARM_UP + window:
        return _nothing(
            0.0,
            0.0,
            tr(
                "the loss blew up at {rate} already",
                rate=format_rate(rates[min(len(losses), steps - 1)]),
            ),
        )
    lowest = min(range(WARM_UP, len(smoothed)), key=smoothed.__getitem__)
    start = smoothed[WARM_UP]
    fall, noise = start - smoothed[lowest], _noise(losses[: lowest + 1])
    if fall < MIN_FALL * start or fall < FAINT * noise:
        why = tr(
            "the smoothed loss falls by {fall:.3g} of {start:.3g} only", fall=fall, start=start
        )
        if fall >= MIN_FALL * start:
            why += tr(
                ", and batches differ so much that it is uncertain by {noise:.2g}", noise=noise
            )
        return _nothing(fall, noise, why)
    if lowest - WARM_UP + 1 < window:
        return _nothing(fall, noise, tr("the loss falls only in the first steps, before it rises"))
    steepest = _steepest(smoothed, WARM_UP, lowest, window)
    # The last crossing: batches that were easy by chance make earlier ones.
    begun = max(i for i in range(WARM_UP, lowest) if start - smoothed[i] < STARTED * fall) + 1
    rate, low, high = (_two_digits(rates[i]) for i in (steepest, begun, lowest))
    sureness = "plain" if fall >= PLAIN * noise else "faint"
    lines = [
        tr(
            "The loss falls most steeply at {rate}: begin there. It begins to fall at "
            "{low} and is lowest at {high}; from there on training breaks down sooner "
            "or later.",
            rate=format_rate(rate),
            low=format_rate(low),
            high=format_rate(high),
        ),
        tr(
            "{sureness} the smoothed loss falls by {fall:.3g} of {start:.3g}, and is "
            "uncertain by {noise:.2g} itself.",
            sureness=_sure(sureness),
            fall=fall,
            start=start,
            noise=noise,
        ),
    ]
    if lowest == steps - 1:
        lines.append(tr("It was still falling at the last rate: the upper end is not seen."))
    lines.append(
        tr(
            "One training of a few steps from fresh weights: good for the order "
            "of magnitude, no more."
        )
    )
    return Suggestion(sureness, rate, low, high, fall, noise, tuple(lines))


def format_rate(rate: float) -> str:
    """Return a rate with two digits, as --set takes it."""
    return f"{_two_digits(rate):g}"


def _two_digits(rate: float) -> float:
    return float(f"{rate:.1e}")


def _sure(sureness: str) -> str:
    return tr("Plain to see:") if sureness == "plain" else tr("Not very sure (more steps help):")


def _nothing(fall: float, noise: float, why: str) -> Suggestion:
    lines = (
        tr("No rate stands out: {why}.", why=why),
        tr("Keep the preset's rate, or try again with more steps or larger batches."),
    )
    return Suggestion("none", None, None, None, fall, noise, lines)


def _noise(losses: Sequence[float]) -> float:
    """Return the standard error of the smoothed loss.

    The standard deviation of batches comes from neighbours, sqrt(mean(difference^2) / 2), so that
    the fall itself does not count; smoothing by f multiplies it by sqrt((1 - f) / (1 + f)).
    """
    squares = [(b - a) ** 2 for a, b in pairwise(losses)]
    deviation = math.sqrt(sum(squares) / len(squares) / 2)
    return deviation * math.sqrt((1 - SMOOTHING_FACTOR) / (1 + SMOOTHING_FACTOR))


def _steepest(values: Sequence[float], first: int, last: int, window: int) -> int:
    """Return the middle of the window in first..last whose least-squares line falls most."""
    middle = (window - 1) / 2

    def slope(start: int) -> float:
        return sum((i - middle) * values[start + i] for i in range(window))

    return min(range(first, last - window + 2), key=slope) + window // 2
