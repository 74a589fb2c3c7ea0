"""Learning curves: the fit finds curves it is given, and says what it does not know."""

import numpy as np
import pytest

from workbench.analysis.learning_curve import (
    ClassWorth,
    class_worths,
    fit_learning_curve,
)

SIZES = (25, 50, 100, 200, 400)


def accuracies(floor: float, scale: float, power: float, noise: float, seed: int = 0) -> np.ndarray:
    error = floor + scale * np.array(SIZES, float) ** -power
    drawn = np.random.default_rng(seed).normal(0, noise, (len(SIZES), 5)) if noise else 0
    return 1 - error[:, None] - drawn * np.ones((1, 5))


def test_a_curve_without_noise_is_found_exactly() -> None:
    curve = fit_learning_curve(SIZES, accuracies(0.05, 1.0, 0.5, noise=0))
    np.testing.assert_allclose(curve.curves[0], (0.05, 1.0, 0.5), atol=1e-9)
    ahead = curve.at(1600)
    assert (ahead.accuracy, ahead.low, ahead.high) == pytest.approx((0.925, 0.925, 0.925))
    gain = curve.gain(400, 1600)
    assert (gain.images, gain.accuracy) == pytest.approx((1600, 0.05 - 0.025))


def test_intervals_hold_the_truth_and_are_wider_further_away() -> None:
    held = 0
    for seed in range(20):
        curve = fit_learning_curve(SIZES, accuracies(0.05, 1.0, 0.5, 0.01, seed), seed=seed)
        near, far = curve.at(800), curve.at(6400)
        assert far.high - far.low > near.high - near.low
        held += near.low <= 1 - 0.05 - 800**-0.5 <= near.high
    assert held >= 15


def test_points_are_the_means_with_their_intervals() -> None:
    given = accuracies(0.05, 1.0, 0.5, 0.01)
    points = fit_learning_curve(SIZES, given).points
    assert [point.images for point in points] == list(SIZES)
    for point, of_size in zip(points, given, strict=True):
        assert point.accuracy == pytest.approx(of_size.mean())
        assert of_size.min() <= point.low <= point.accuracy <= point.high <= of_size.max()


def test_images_of_a_group_are_drawn_together() -> None:
    right = np.repeat(np.random.default_rng(0).random((2, 20)), 10, axis=1)
    groups = np.repeat(np.arange(20), 10)
    alone = fit_learning_curve((10, 20), right).points[1]
    together = fit_learning_curve((10, 20), right, groups).points[1]
    assert together.accuracy == alone.accuracy == pytest.approx(right[1].mean())
    assert together.high - together.low > 2 * (alone.high - alone.low)
    # As of the groups alone.
    few = fit_learning_curve((10, 20), right[:, ::10]).points[1]
    assert (few.low, few.high) == pytest.approx((together.low, together.high))


def test_a_level_curve_promises_nothing() -> None:
    curve = fit_learning_curve(SIZES, np.full((5, 3), 0.8))
    assert curve.at(10_000).accuracy == pytest.approx(0.8)
    assert curve.gain(400, 10_000).accuracy == 0
    falling = fit_learning_curve((10, 20), np.array([[0.9, 0.9], [0.8, 0.8]]))
    assert falling.gain(20, 40).accuracy == 0


def test_no_error_stays_none() -> None:
    curve = fit_learning_curve((10, 20, 40), np.array([[0.9], [0.99], [1.0]]))
    assert 0.98 < curve.at(80).accuracy <= 1.0
    assert curve.at(1).accuracy >= 0.0


def test_one_size_makes_no_curve() -> None:
    with pytest.raises(ValueError, match="two numbers"):
        fit_learning_curve((10,), np.array([[0.9]]))


def test_classes_are_told_by_what_more_of_their_images_bring() -> None:
    steep = 1 - (0.1 + 1.0 * np.array([10.0, 20, 40]) ** -0.5)[:, None] * np.ones((1, 4))
    level = np.full((3, 4), 0.7)
    glass, paper = class_worths({"paper": ((10, 20, 40), level), "glass": ((10, 20, 40), steep)})
    assert (glass.label, glass.images, glass.more) == ("glass", 40, 50)
    assert glass.gain == pytest.approx(40**-0.5 - 90**-0.5)
    assert glass.describe() == "50 more images of glass: about 5.3 points (5.3 to 5.3)"
    assert paper.describe() == "50 more images of paper: nothing that shows"


def test_a_gain_is_worth_it_from_a_bound_on() -> None:
    assert ClassWorth("a", 10, 50, 0.003, 0.001, 0.1).is_worth_it
    assert not ClassWorth("a", 10, 50, 0.0029, 0.001, 0.1).is_worth_it
    assert not ClassWorth("a", 10, 50, 0.1, 0.0, 0.1).is_worth_it
