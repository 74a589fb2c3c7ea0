"""Best epoch, patience and learning rate, as plain values; compiling shows in the time of steps."""

from dataclasses import replace

import pytest

from workbench.experiment.metrics import METRICS
from workbench.experiment.plan import Stage
from workbench.training.fused_steps import CallLength
from workbench.training.stage_events import StepTimes, compile_seconds
from workbench.training.trainer_state import RunningMetrics, TrainerState

STAGE = Stage(
    index=0,
    name="train all",
    trainable=None,
    augmented=False,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="constant",
    epochs=10,
    steps_per_epoch=None,
    early_stopping=2,
    monitor="val_loss",
    keep="best",
)


def after(stage: Stage, *values: float | None) -> TrainerState:
    state = TrainerState()
    for epoch, value in enumerate(values, start=1):
        state = state.after_epoch(stage, epoch, value)
    return state


def test_the_lowest_loss_is_best_and_an_equal_one_is_no_improvement() -> None:
    state = after(STAGE, 0.5, 0.3, 0.3)
    assert (state.best_epoch, state.best_value, state.since_best) == (2, 0.3, 1)


@pytest.mark.parametrize("name", METRICS)
def test_of_every_other_metric_the_highest_is_best(name: str) -> None:
    rising = replace(STAGE, monitor=f"val_{name}")
    state = after(rising, 0.5, 0.7, 0.7, 0.6)
    assert (state.best_epoch, state.best_value, state.since_best) == (2, 0.7, 2)
    assert state.stops_early(rising)
    plateau = replace(rising, schedule="plateau")
    falling = after(plateau, 0.7, 0.6, 0.5, 0.4)
    assert falling.learning_rate(plateau, 5, 0, 10) == 0.05
    assert after(plateau, 0.4, 0.5, 0.6, 0.7).learning_rate(plateau, 5, 0, 10) == 0.1


def test_nan_is_never_best() -> None:
    nan = float("nan")
    assert after(STAGE, nan).best_epoch == 0
    assert after(STAGE, 0.5, nan).best_epoch == 1


def test_patience_counts_epochs_without_improvement() -> None:
    assert not after(STAGE, 0.3, 0.4).stops_early(STAGE)
    assert after(STAGE, 0.3, 0.4, 0.4).stops_early(STAGE)
    assert not after(STAGE, 0.3, 0.4, 0.2).stops_early(STAGE)


def test_patience_0_never_stops() -> None:
    endless = replace(STAGE, early_stopping=0)
    assert not after(endless, 0.3, *[0.4] * 50).stops_early(endless)


def test_without_validation_the_state_is_unchanged() -> None:
    assert after(STAGE, None, None) == TrainerState()


def test_cosine_falls_from_the_rate_to_zero() -> None:
    cosine = replace(STAGE, schedule="cosine")
    at = TrainerState().learning_rate
    assert at(cosine, 1, 0, 100) == pytest.approx(0.1)
    assert at(cosine, 6, 0, 100) == pytest.approx(0.05)
    assert at(cosine, 10, 99, 100) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("warmup", [0.5, 1.0, 2.5])
def test_the_rate_rises_by_the_same_amount_in_each_step(warmup: float) -> None:
    at, steps = TrainerState().learning_rate, 8
    for schedule in ("constant", "cosine"):
        stage = replace(STAGE, schedule=schedule, warmup_epochs=warmup)
        rates = [at(stage, 1 + n // steps, n % steps, steps) for n in range(10 * steps)]
        risen = round(warmup * steps)
        assert rates[:risen] == pytest.approx([0.1 * (n + 1) / risen for n in range(risen)])
        assert rates[risen] == 0.1
        assert rates[-1] == pytest.approx(0.1 if schedule == "constant" else 0, abs=1e-3)
        half = risen + (10 * steps - risen) // 2
        assert rates[half] == pytest.approx(0.1 if schedule == "constant" else 0.05)


def test_a_warm_up_longer_than_the_stage_ends_with_it() -> None:
    stage = replace(STAGE, epochs=2, warmup_epochs=9.0, schedule="cosine")
    at = TrainerState().learning_rate
    assert at(stage, 1, 0, 4) == pytest.approx(0.1 / 8)
    assert at(stage, 2, 3, 4) == 0.1


def test_plateau_halves_after_three_epochs_without_improvement() -> None:
    plateau = replace(STAGE, schedule="plateau", early_stopping=0)
    assert after(plateau, 0.3, 0.4, 0.4).learning_rate(plateau, 4, 0, 10) == 0.1
    dropped = after(plateau, 0.3, 0.4, 0.4, 0.4)
    assert dropped.learning_rate(plateau, 5, 0, 10) == 0.05
    assert after(plateau, 0.3, *[0.4] * 5).learning_rate(plateau, 7, 0, 10) == 0.05
    assert after(plateau, 0.3, *[0.4] * 6).learning_rate(plateau, 8, 0, 10) == 0.025


def test_constant_stays() -> None:
    assert after(STAGE, 0.3, *[0.4] * 9).learning_rate(STAGE, 10, 5, 10) == 0.1


def test_running_metrics_weight_batches_by_images() -> None:
    metrics = RunningMetrics().plus({"loss": 1.0, "accuracy": 0.5}, 8)
    metrics = metrics.plus({"loss": 4.0, "accuracy": 1.0}, 4)
    assert metrics.means() == {"loss": 2.0, "accuracy": pytest.approx(8 / 12)}


@pytest.mark.parametrize(
    ("steps", "compiling"),
    [
        ([], 0.0),
        ([3.0], 0.0),  # nothing to compare with
        ([5.1, 1.0], pytest.approx(4.1)),
        ([5.0, 1.0], 0.0),
        ([9.0, 1.0, 7.0], pytest.approx(14.0)),
        ([1.0, 1.0, 1.0], 0.0),
        ([9.0, 1.0, 1.0, 1.0], 8.0),
        ([5.0, 1.0, 1.0, 1.0], 0.0),  # five times as much: may be work
        ([5.1, 1.0, 1.0, 1.0], pytest.approx(4.1)),
        ([9.0, 1.0, 1.0, 1.0, 7.0], pytest.approx(14.0)),  # the last batch has another size
    ],
)
def test_compile_seconds(steps: list[float], compiling: float) -> None:
    assert compile_seconds(steps) == compiling


@pytest.mark.parametrize(
    ("training", "validation", "enough"),
    [(2, 0, False), (3, 0, True), (3, 1, False), (3, 2, False), (3, 3, True), (0, 3, False)],
)
def test_enough_steps(training: int, validation: int, enough: bool) -> None:
    times = StepTimes()
    for watch, count in ((times.training, training), (times.validation, validation)):
        with watch.steps(count, CallLength()):
            pass
    assert times.has_enough_steps is enough
    assert len(times.training.seconds) == training
