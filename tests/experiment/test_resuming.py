"""Settings that may change when a run is resumed, and a smaller batch in the middle of one."""

from typing import Any

import pytest

from workbench.errors import UserError
from workbench.experiment.batch_size import halve_batch_size, set_batch_size
from workbench.experiment.resuming import (
    CHANGEABLE_KEYS,
    check_change,
    resume_settings,
    training_fingerprint,
    with_resume_settings,
)
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_keys import keys
from workbench.experiment.toml import apply_settings, parse_spec


def make(*settings: str) -> ExperimentSpec:
    tree: dict[str, Any] = {
        "data": {"source": "photos", "image_size": [32, 32]},
        "model": {"strategy": "convnet", "filters": [4]},
        "training": {"batch_size": 24},
    }
    return parse_spec(apply_settings(tree, settings), "test")


@pytest.mark.parametrize(
    ("size", "half"), [(32, 16), (24, 12), (25, 5), (15, 5), (7, 1), (2, 1), (1, None)]
)
def test_half_a_batch_is_its_largest_smaller_divisor(size: int, half: int | None) -> None:
    smaller = halve_batch_size(make(f"training.batch_size={size}"))
    assert (smaller and smaller.training.batch_size) == half


def test_an_epoch_keeps_its_images() -> None:
    smaller = halve_batch_size(make("training.steps_per_epoch=10"))
    assert smaller is not None
    assert (smaller.training.batch_size, smaller.training.steps_per_epoch) == (12, 20)
    assert set_batch_size(make(), 8).training.steps_per_epoch is None


@pytest.mark.parametrize("size", [0, 5, 48])
def test_only_a_divisor_is_allowed(size: int) -> None:
    with pytest.raises(UserError, match=f"received {size}, and the run began with 24") as caught:
        set_batch_size(make(), size)
    with pytest.raises(UserError, match="received 16, and the run began with 24"):
        check_change(make(), make("training.batch_size=16"))
    assert "24, 12, 8, 6, 4, 3, 2, 1" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        "training.epochs=99", "training.early_stopping=3", "training.keep=last",
        "training.gpu=none", "training.devices=2",
        "training.learning_rate=0.5", "training.batch_size=12", "training.out_of_memory=retry",
        "data.source=elsewhere", "evaluation.shift=2", "name=other",
    ],
)  # fmt: skip
def test_what_may_change(change: str) -> None:
    check_change(make(), make(change))


@pytest.mark.parametrize(
    "change",
    ["training.optimizer=sgd", "training.seed=2", "data.image_size=[40,40]", "model.dropout=0.5",
     "augmentation.rotation=5", "training.shuffle=blocks", "data.corrections=/c.csv",
     "training.backend=jax"],
)  # fmt: skip
def test_what_may_not(change: str) -> None:
    key = change.split("=")[0]
    with pytest.raises(UserError, match=f"{key} cannot change once a run has started") as caught:
        check_change(make(), make(change))
    assert "training.learning_rate" in caught.value.hint
    assert training_fingerprint(make()) != training_fingerprint(make(change))


def test_any_number_of_devices_goes_on() -> None:
    assert training_fingerprint(make()) == training_fingerprint(make("training.devices=4"))


def test_steps_of_an_epoch_follow_the_batch() -> None:
    began = make("training.steps_per_epoch=10")
    check_change(began, make("training.batch_size=12", "training.steps_per_epoch=20"))
    for steps in (10, 19, 21):
        with pytest.raises(UserError, match="it has to be 20"):
            check_change(began, make("training.batch_size=12", f"training.steps_per_epoch={steps}"))


def test_fingerprints_agree_once_the_settings_are_restored() -> None:
    began = make()
    resumed = make("training.batch_size=12", "training.learning_rate=0.5", "training.epochs=99")
    assert training_fingerprint(began) != training_fingerprint(resumed)
    restored = with_resume_settings(resumed, resume_settings(began))
    assert training_fingerprint(restored) == training_fingerprint(began)


def test_a_checkpoint_without_settings_changes_nothing() -> None:
    assert with_resume_settings(make(), {}) == make()
    assert (
        with_resume_settings(make(), {"seed": 5}) == make()
    )  # not a setting: never taken from a file


def test_a_newer_key_does_not_change_the_fingerprint_of_an_old_run() -> None:
    """Computed before there was data.corrections."""
    assert training_fingerprint(make()) == "a56fe4e2b2a09517"


def test_an_older_spec_may_continue_where_newer_keys_change_nothing() -> None:
    check_change(make(), make("training.ema=0", "augmentation.mixup=0.0", "training.clip_norm=0"))
    for change in ("training.ema=0.9", "training.warmup_epochs=1", "augmentation.cutmix=1"):
        with pytest.raises(UserError, match="cannot change once a run has started"):
            check_change(make(), make(change))
        assert training_fingerprint(make()) != training_fingerprint(make(change))


def test_any_number_of_processes_may_compute_the_features() -> None:
    tree = {
        "data": {"source": "/photos"},
        "base": {"name": "vgg16"},
        "model": {"strategy": "feature-extraction"},
    }
    one = parse_spec(tree, "test")
    four = parse_spec(apply_settings(tree, ("base.feature_processes=4",)), "test")
    check_change(one, four)
    assert training_fingerprint(one) == training_fingerprint(four)


def test_every_key_that_may_change_is_one() -> None:
    assert set(CHANGEABLE_KEYS) <= set(keys())
