"""Mixup and CutMix: what is drawn, what is mixed, and that the labels follow."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_runs import NO_AUGMENTATION, TinyRun, base_spec, convnet_spec, run_on_base, same_weights

from workbench.experiment.plan import Stage, plan_stages
from workbench.runs.fields import Position
from workbench.training.fused_steps import FusedSteps
from workbench.training.mixing import draw_mixes, mix_inputs
from workbench.training.models import build_model, loss_for, matches
from workbench.training.pieces import Piece

SIZE = (8, 10)
STEPS = [Position(0, epoch, step) for epoch in (1, 2) for step in range(200)]


def stage(mixup: float = 0.0, cutmix: float = 0.0) -> Stage:
    return replace(plan_stages(convnet_spec())[0], mixup=mixup, cutmix=cutmix)


def draws(mixup: float = 0.0, cutmix: float = 0.0, seed: int = 1) -> np.ndarray:
    (mixes,) = draw_mixes(stage(mixup, cutmix), seed, STEPS, SIZE)
    return mixes


def test_draws_are_a_function_of_seed_and_position() -> None:
    assert draw_mixes(stage(), 1, STEPS, SIZE) == []
    mixes = draws(mixup=0.4, cutmix=1.0)
    assert np.array_equal(mixes, draws(mixup=0.4, cutmix=1.0))
    (later,) = draw_mixes(stage(0.4, 1.0), 1, STEPS[7:9], SIZE)
    assert np.array_equal(later, mixes[7:9])
    assert not np.array_equal(mixes, draws(mixup=0.4, cutmix=1.0, seed=2))
    assert len({tuple(row) for row in mixes.tolist()}) > 300


def test_shares_come_from_the_beta_distribution() -> None:
    """Mean 1/2, variance 1 / (4 (2 alpha + 1))."""
    for alpha in (0.2, 1.0, 4.0):
        shares = draws(mixup=alpha)[:, 0].astype(np.float64)
        deviation = (4 * (2 * alpha + 1)) ** -0.5
        assert abs(shares.mean() - 0.5) < 4 * deviation / len(shares) ** 0.5
        assert shares.std() == pytest.approx(deviation, rel=0.12)
        assert (draws(mixup=alpha)[:, 1] == draws(mixup=alpha)[:, 0]).all()


def test_a_label_has_the_share_of_the_area_that_is_left() -> None:
    mixes = draws(cutmix=1.0).astype(np.float64)
    share, own, top, bottom, left, right = mixes.T
    assert (own == 0).all()
    assert ((top >= 0) & (top <= bottom) & (bottom <= SIZE[0])).all()
    assert ((left >= 0) & (left <= right) & (right <= SIZE[1])).all()
    assert share == pytest.approx(1 - (bottom - top) * (right - left) / 80, abs=1e-6)
    assert share.std() > 0.1


def test_with_both_on_each_batch_has_one_of_them() -> None:
    pasted = draws(mixup=1.0, cutmix=1.0)[:, 1] == 0
    assert 0.4 < pasted.mean() < 0.6


def test_images_are_mixed_with_the_next_one() -> None:
    images = (
        np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) * 100 * np.ones((3, 4, 4, 2), np.uint8)
    )
    blend = np.array([0.75, 0.75, 0, np.inf, 0, np.inf], np.float32)
    mixed = keras.ops.convert_to_numpy(mix_inputs(images, blend))
    assert mixed.dtype == np.float32
    assert [set(one.flatten().tolist()) for one in mixed] == [{25.0}, {125.0}, {150.0}]
    box = np.array([0.75, 0, 1, 3, 2, 4], np.float32)
    pasted = keras.ops.convert_to_numpy(mix_inputs(images, box))
    expected = np.zeros((4, 4))
    expected[1:3, 2:4] = 100
    assert np.array_equal(pasted[0, :, :, 0], expected)
    assert np.array_equal(pasted[2, :, :, 1], 200 - 2 * expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_features_without_places_are_blended(dtype: type) -> None:
    features = np.array([[1.0, 2.0], [3.0, 6.0]], dtype)
    blend = np.array([0.5, 0.5, 0, np.inf, 0, np.inf], np.float32)
    mixed = keras.ops.convert_to_numpy(mix_inputs(features, blend))
    assert mixed.tolist() == [[2.0, 4.0], [2.0, 4.0]]


@pytest.mark.parametrize("classes", [2, 3])
def test_the_loss_is_that_of_both_labels_by_their_shares(classes: int) -> None:
    """Class weights too: each image's own weight belongs to its own label."""
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    model = build_model(convnet_spec("model.dropout=0", *NO_AUGMENTATION), classes)
    model.compile("sgd", loss_for(classes))
    model.optimizer.build(model.trainable_variables)
    labels = np.array([0, 1, classes - 1])
    targets = labels[:, None].astype(np.float32) if classes == 2 else labels
    weights = np.array([1.0, 2.0, 0.5], np.float32)
    steps = FusedSteps(model, classes, targets, weights)
    rows, seeds = np.arange(3)[None], np.zeros((1, len(steps.network.dropouts), 2), np.int32)
    mix = np.array([[0.7, 0.7, 0, np.inf, 0, np.inf]], np.float32)
    (log,) = steps.train(Piece(images, rows, rows), np.zeros(1), seeds, [mix])
    predicted = model(0.7 * images + 0.3 * np.roll(images, -1, axis=0))
    pairs = [(targets, weights), (np.roll(targets, -1, axis=0), np.roll(weights, -1))]
    losses = [float(loss_for(classes)(y, predicted, w)) for y, w in pairs]
    hits = [float(keras.ops.mean(matches(y, predicted, classes))) for y, _ in pairs]
    assert log["loss"] == pytest.approx(0.7 * losses[0] + 0.3 * losses[1], rel=1e-5)
    assert log["accuracy"] == pytest.approx(0.7 * hits[0] + 0.3 * hits[1], rel=1e-5)


def test_the_host_and_the_device_augment_the_images_that_are_mixed(tmp_path: Path) -> None:
    """With flips alone there is nothing to round."""
    flips = ("augmentation.rotation=0", "augmentation.mixup=0.4", "augmentation.cutmix=1.0")
    host = TinyRun(convnet_spec(*flips, "training.augment_on=host"), tmp_path / "host").run()
    device = TinyRun(convnet_spec(*flips, "training.augment_on=device"), tmp_path / "device").run()
    assert same_weights(host, device)


def test_features_above_a_prefix_are_mixed_cached_or_streamed(tmp_path: Path) -> None:
    mixup = ("augmentation.mixup=0.4", "training.epochs=2")
    cached = run_on_base(base_spec(*mixup), tmp_path / "cached")
    streamed = run_on_base(base_spec(*mixup, "base.prefix=streamed"), tmp_path / "streamed")
    plain = run_on_base(base_spec("training.epochs=2"), tmp_path / "plain")
    model = cached.run()
    assert cached.of_kind("stage_started")[0]["cached"]
    assert same_weights(model, streamed.run())
    assert not same_weights(model, plain.run())
