"""From losses at rising rates to a suggestion, or to none."""

import math
from itertools import pairwise

import pytest

from workbench.errors import UserError
from workbench.experiment.lr_find import (
    DIVERGED,
    FAINT,
    MAX_RATE,
    MIN_FALL,
    MIN_RATE,
    PLAIN,
    SMOOTHING_FACTOR,
    WARM_UP,
    format_rate,
    has_diverged,
    learning_rate_at,
    learning_rate_key,
    lr_find_stage,
    smoothed_losses,
    suggest,
)
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec

STEPS = 100


def make_spec(*settings: str) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [32, 32]},
        "model": {"strategy": "dense"},
        "training": {"schedule": "cosine", "early_stopping": 3, "epochs": 9},
    }
    return parse_spec(apply_settings(tree, settings), "test")


FINE_TUNING = (
    "model.strategy=fine-tuning",
    "base.name=mobilenetv2-0.35",
    'base.trainable=["top"]',
    "training.head_learning_rate=0.002",
)


def falling(size: float, ripple: float = 0.0, middle: float = 50) -> list[float]:
    """Losses that fall by `size` around a step, one batch above and the next below the curve."""
    return [
        1 - size / (1 + math.exp(-(step - middle) / 4)) + ripple * (-1) ** step
        for step in range(STEPS)
    ]


def test_rates_rise_by_the_same_factor_from_end_to_end() -> None:
    rates = [learning_rate_at(step, STEPS) for step in range(STEPS)]
    assert rates[0] == MIN_RATE
    assert rates[-1] == pytest.approx(MAX_RATE)
    factors = [b / a for a, b in pairwise(rates)]
    assert factors == pytest.approx([factors[0]] * 99)


def test_the_average_is_corrected_for_its_beginning() -> None:
    assert smoothed_losses([3.0] * 5) == pytest.approx([3.0] * 5)
    first, second = smoothed_losses([1.0, 2.0])
    assert first == pytest.approx(1.0)
    assert second == pytest.approx((SMOOTHING_FACTOR * 1 + 2) / (SMOOTHING_FACTOR + 1))
    assert smoothed_losses([]) == ()


def test_beyond_four_times_the_best_a_loss_has_diverged() -> None:
    assert not has_diverged([])
    assert not has_diverged([1.0, 0.5, DIVERGED * 0.5])
    assert has_diverged([1.0, 0.5, DIVERGED * 0.5 + 1e-9])
    assert not has_diverged([1.0, 0.5, 9.0, 0.6])  # it is checked after every step


def test_the_steepest_rate_is_suggested_with_a_range() -> None:
    found = suggest(falling(0.5), STEPS)
    assert found.sureness == "plain"
    assert found.rate is not None
    steepest = learning_rate_at(50, STEPS)
    assert (
        steepest <= found.rate <= learning_rate_at(50 + 5, STEPS)
    )  # the average lags by four steps
    assert found.low is not None
    assert learning_rate_at(40, STEPS) < found.low < found.rate
    assert found.high == float(format_rate(MAX_RATE))
    assert "still falling at the last rate" in found.lines[2]


def test_the_range_ends_where_the_loss_is_lowest() -> None:
    losses = falling(0.5)[:70] + [0.5 + 0.1 * step for step in range(1, 11)]
    found = suggest(losses, STEPS)
    assert found.high == float(format_rate(learning_rate_at(69, STEPS)))
    assert not any("still falling" in line for line in found.lines)
    assert f"falls most steeply at {found.rate:g}" in found.lines[0]


@pytest.mark.parametrize("losses", [[0.7] * STEPS, [0.7 + 0.001 * i for i in range(STEPS)]])
def test_of_a_flat_or_rising_curve_no_rate_stands_out(losses: list[float]) -> None:
    found = suggest(losses, STEPS)
    assert (found.sureness, found.rate, found.low, found.high) == ("none", None, None, None)
    assert found.lines[0].startswith("No rate stands out: the smoothed loss falls by")


def test_a_fall_below_a_twentieth_of_the_loss_is_none() -> None:
    assert suggest(falling(MIN_FALL * 1.01), STEPS).sureness == "plain"
    assert suggest(falling(MIN_FALL * 0.99), STEPS).sureness == "none"


@pytest.mark.parametrize(("times", "below", "above"),
                         [(FAINT, "none", "faint"), (PLAIN, "faint", "plain")])  # fmt: skip
def test_certainty_follows_from_the_noise_of_batches(times: float, below: str, above: str) -> None:
    def ratio(ripple: float) -> float:
        found = suggest(falling(0.4, ripple), STEPS)
        return found.fall / found.noise

    low, high = 0.001, 0.5  # bisected: the ripple whose fall is so many standard errors
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if ratio(middle) > times else (low, middle)
    assert suggest(falling(0.4, low * 0.999), STEPS).sureness == above
    assert suggest(falling(0.4, high * 1.001), STEPS).sureness == below


def test_uncertainty_is_reported_if_the_fall_would_be_large_enough() -> None:
    found = suggest(falling(0.2, ripple=0.3), STEPS)
    assert found.sureness == "none"
    assert "batches differ so much that it is uncertain by" in found.lines[0]


def test_a_loss_that_diverges_at_once_gives_no_rate() -> None:
    assert suggest([], STEPS).lines[0].startswith("No rate stands out: the loss blew up at 1e-06")
    window = 9  # steps: half a decade of six in a hundred
    assert "blew up" in suggest([1.0] * (WARM_UP + window - 1), STEPS).lines[0]
    assert "blew up" not in suggest([1.0] * (WARM_UP + window), STEPS).lines[0]


def test_a_fall_only_in_the_first_steps_is_no_slope() -> None:
    def until(lowest: int) -> list[float]:
        return [1 - 0.05 * max(step - WARM_UP, 0) for step in range(lowest + 1)] + [2.0] * 20

    window = 9
    short = suggest(until(WARM_UP + window - 2), STEPS)
    assert "the loss falls only in the first steps" in short.lines[0]
    assert suggest(until(WARM_UP + window - 1), STEPS).sureness == "plain"


def test_the_first_stage_becomes_one_epoch_at_rates_of_its_own() -> None:
    spec = make_spec()
    stage = lr_find_stage(spec, 1, 40)
    assert (stage.epochs, stage.steps_per_epoch, stage.early_stopping) == (1, 40, 0)
    assert stage.schedule == "constant"
    assert stage.trainable == plan_stages(spec)[0].trainable
    assert learning_rate_key(stage) == "training.learning_rate"
    head = lr_find_stage(make_spec(*FINE_TUNING), 1, 40)
    assert learning_rate_key(head) == "training.head_learning_rate"
    assert head.learning_rate == 0.002


def test_images_are_not_mixed_while_a_rate_is_looked_for() -> None:
    spec = make_spec("augmentation.mixup=0.2", "training.warmup_epochs=2")
    stage = lr_find_stage(spec, 1, 40)
    assert (stage.mixup, stage.cutmix, stage.warmup_epochs) == (0, 0, 0)


def test_a_stage_that_needs_an_earlier_one_is_refused() -> None:
    with pytest.raises(UserError, match=r"--stage 2 \(head and top\) begins with the head"):
        lr_find_stage(make_spec(*FINE_TUNING), 2, 40)
    with pytest.raises(UserError, match="--stage 3: the plan of fine-tuning has 2 stages"):
        lr_find_stage(make_spec(*FINE_TUNING), 3, 40)
    for number in (0, 2):
        with pytest.raises(UserError, match=f"--stage {number}: the plan of dense has 1 stage"):
            lr_find_stage(make_spec(), number, 40)
