"""Epochs that fit into the time there is, at a made speed: a step of training takes a second."""

import math
from dataclasses import replace

import pytest

from workbench.experiment.estimate import EPOCH_SECONDS
from workbench.experiment.facts import DataFacts
from workbench.experiment.fit_epochs import (
    END_SECONDS,
    MARGIN,
    STAGE_SECONDS,
    START_SECONDS,
    PlanTime,
    divide_time,
    fit_beforehand,
    plan_time,
)
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import apply_settings, parse_spec

# Everything but the steps takes no time; passing 32 images through a base takes a second.
SPEED = ThroughputModel(
    forward_flops=math.inf, training_flops=math.inf, forward_bytes=math.inf,
    training_bytes=math.inf, forward_step=0.0, training_step=0.0, training_fused=1.0, update=0.0,
)  # fmt: skip
IMAGES = {"train": 320, "validation": 64, "test": 64}
STEPS = 10  # of an epoch of 320 images in batches of 32
EPOCH = STEPS + EPOCH_SECONDS
FIXED = MARGIN * (STAGE_SECONDS + END_SECONDS)  # whatever the epochs are
DENSE = {
    "data": {"source": "photos", "image_size": [8, 8], "channels": 1},
    "model": {"strategy": "dense", "dense_units": []},
    "training": {"epochs": 40},
}
TUNED = {
    "data": {"source": "photos", "image_size": [32, 32]},
    "base": {"name": "mobilenetv2-0.35", "weights": "random", "trainable": ["top"]},
    "model": {"strategy": "fine-tuning", "dense_units": []},
    "training": {"head_epochs": 10, "epochs": 30, "schedule": "cosine"},
}


def dense(*settings: str) -> ExperimentSpec:
    return parse_spec(apply_settings(DENSE, settings), "test")


def tuned(*settings: str) -> ExperimentSpec:
    return parse_spec(apply_settings(TUNED, settings), "test")


def plan(spec: ExperimentSpec, speed: ThroughputModel = SPEED, **options: object) -> PlanTime:
    return replace(PlanTime(spec, IMAGES, 2, speed), **options)


def time_for(epochs: float) -> float:
    """Return the seconds in which so many epochs of the dense network fit."""
    return FIXED + MARGIN * epochs * EPOCH + 0.01  # its few weights take microseconds


def epochs(spec: ExperimentSpec | None) -> int:
    assert spec is not None
    return spec.training.epochs


def test_as_many_epochs_as_there_is_time_for() -> None:
    for count in (1, 2, 17, 39):
        assert epochs(plan(dense()).fit(time_for(count))) == count
        assert epochs(plan(dense()).fit(time_for(count + 0.99))) == count


def test_never_more_than_the_spec_has() -> None:
    assert plan(dense()).fit(time_for(40)) == dense()
    assert plan(dense()).fit(time_for(4000)) == dense()


def test_nothing_else_changes() -> None:
    assert plan(dense()).fit(time_for(17)) == dense("training.epochs=17")


def test_not_even_one_epoch_fits() -> None:
    assert plan(dense()).fit(time_for(0.99)) is None
    assert plan(dense()).fit(-5.0) is None
    assert time_for(1) - 0.01 < plan(dense()).shortest.needed <= time_for(1)


def test_stages_are_reduced_in_proportion_and_the_schedule_follows() -> None:
    whole = plan(tuned(), missing={0: 0, 1: 0})  # both train on features that are there
    fitted = whole.fit(whole.needed / 2)
    assert fitted is not None
    assert (fitted.training.head_epochs, fitted.training.epochs) == (4, 14)
    assert [(stage.epochs, stage.schedule) for stage in plan_stages(fitted)] == [
        (4, "cosine"), (14, "cosine"),
    ]  # fmt: skip
    shortest = whole.shortest.spec.training
    assert (shortest.head_epochs, shortest.epochs) == (1, 1)


def test_stages_that_each_add_a_block_are_reduced_too() -> None:
    blocks = ('base.trainable=["block_16", "top"]', "training.unfreeze=gradual")
    spec = tuned(*blocks, "training.unfreeze_epochs=6", "training.epochs=20")
    whole = plan(spec)
    fitted = whole.fit(whole.needed * 0.6)
    assert fitted is not None
    training = fitted.training
    assert training.epochs < 20
    assert training.unfreeze_epochs == max(6 * training.epochs // 20, 1)
    assert plan(fitted).needed <= whole.needed * 0.6


def test_features_that_are_missing_take_their_time() -> None:
    slow = SPEED.model_copy(update={"forward_step": 1.0, "forward_fused": 0.0})
    ready = plan(tuned(), slow, missing={0: 0, 1: 0}).needed
    half = plan(tuned(), slow, missing={0: 192, 1: 0}).needed
    every = plan(tuned(), slow).needed
    assert ready < half < every


def test_fewer_epochs_need_fewer_views() -> None:
    slow = SPEED.model_copy(update={"forward_step": 1.0, "forward_fused": 0.0})
    views = tuned("base.views=30", "augmentation.horizontal_flip=true")
    passes = [stage.prefix for stage in plan(views, slow).stages]
    fewer = [stage.prefix for stage in plan(views, slow).shortest.stages]
    # 30 or 10 views of the training images, and the validation images once.
    assert passes[1] / fewer[1] == pytest.approx((30 * 320 + 64) / (320 + 64))
    assert passes[0] / fewer[0] == pytest.approx((10 * 320 + 64) / (320 + 64))


def test_a_linear_probe_has_no_epochs_to_reduce() -> None:
    tree = {
        "data": {"source": "photos", "image_size": [32, 32]},
        "base": {"name": "mobilenetv2-0.35", "weights": "random"},
        "model": {"strategy": "linear-probe"},
        "training": {"time_budget": "1h"},
    }
    probe = plan(parse_spec(tree, "test"))
    assert probe.fit(probe.needed) == probe.spec
    assert probe.fit(probe.needed - 1) is None


def test_the_evaluation_is_kept_in_reserve() -> None:
    assert plan(dense()).reserve == MARGIN * END_SECONDS
    slow = SPEED.model_copy(update={"forward_fused": 3.0})  # seconds a batch of 32
    assert plan(dense(), slow).reserve == MARGIN * (END_SECONDS + 2 * 3.0)
    shifted = plan(dense("evaluation.shift=1"), slow)
    assert shifted.reserve == MARGIN * (END_SECONDS + 9 * 2 * 3.0)
    without_test = plan(dense(), slow, images={"train": 320, "validation": 96, "test": 0})
    assert without_test.reserve == MARGIN * (END_SECONDS + 3 * 3.0)


def test_what_was_fitted_in_a_sentence() -> None:
    fitted = plan(dense()).fit(time_for(17))
    assert fitted is not None
    assert plan(dense()).describe_fit(fitted, 7200.0) == (
        "40 -> 17 epochs of about 10 s; 2 h 00 min are left"
    )
    whole = plan(tuned(), missing={0: 0, 1: 0})
    fitted = whole.fit(whole.needed / 2)
    assert fitted is not None
    assert whole.describe_fit(fitted, 60.0) == (
        "stage 1: 10 -> 4 epochs of about 10 s, stage 2: 30 -> 14 epochs of about 10 s; "
        "1 min 00 s are left"
    )


# --- before the start -------------------------------------------------------------------------


def test_a_forecast_counts_the_start_and_the_reading_of_the_images() -> None:
    budget = math.ceil(time_for(17) + MARGIN * (START_SECONDS + 40))
    spec = dense(f"training.time_budget={budget}s")
    fitted, change = fit_beforehand(plan(spec), reading=40.0, now=0.0)
    assert (epochs(fitted), change.partition(" of ")[0]) == (17, "40 -> 17 epochs")
    until = dense(f"training.deadline={1000 + budget}")
    assert epochs(fit_beforehand(plan(until), 40.0, now=1000.0)[0]) == 17


def test_a_forecast_without_a_deadline_or_with_enough_time() -> None:
    assert fit_beforehand(plan(dense()), 0.0, 0.0) == (dense(), "")
    spec = dense("training.time_budget=9d")
    assert fit_beforehand(plan(spec), 0.0, 0.0) == (spec, "")


def test_a_forecast_of_too_little_time() -> None:
    spec = dense("training.time_budget=5s")
    assert fit_beforehand(plan(spec), 0.0, 0.0) == (
        spec,
        "too little time: 5.0 s, and one epoch, with all before and after it, takes 44 s",
    )


def test_images_are_counted_as_they_will_be_split() -> None:
    facts = DataFacts((8, 8), True, 1, 2, 100, 50, user_split=False)
    assert plan_time(dense(), facts, SPEED).images == {"train": 70, "validation": 15, "test": 15}


# --- several runs, one after the other ----------------------------------------------------------


def test_time_is_divided_in_proportion_to_what_runs_need_beyond_the_least() -> None:
    plans = [plan(dense("training.epochs=11")), plan(dense("training.epochs=31"))]
    least = sum(MARGIN * START_SECONDS + one.shortest.needed for one in plans)
    ends = divide_time(plans, now=1000.0, at=math.ceil(1000 + least + 400))
    assert ends is not None
    first, second = ends[0] - 1000 - least / 2, ends[1] - ends[0] - least / 2
    assert first == pytest.approx(100, abs=1.5)  # ten epochs more than one, of forty in all
    assert second == pytest.approx(300, abs=1.5)


def test_the_last_run_ends_at_the_deadline() -> None:
    plans = [plan(dense("training.epochs=1"))] * 3  # which need nothing beyond the least
    assert divide_time(plans, 0.0, 10_000)[-1] == 10_000  # type: ignore[index]
    assert divide_time(plans, 0.0, 3 * 43) is None
