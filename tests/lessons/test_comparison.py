"""What counts as a difference: beyond the images' noise and the seeds', and at least a point."""

import math

import pytest

from workbench.lessons.comparison import (
    MIN_DIFFERENCE,
    AccuracyDifference,
    Ratio,
    difference,
    minus,
    ratio,
    sum_of_means,
)


def values(*counts: int, images: int = 100) -> list[list[int]]:
    """For each seed, so many images right, the first ones."""
    return [[1] * count + [0] * (images - count) for count in counts]


def test_the_images_make_the_noise_that_the_paired_difference_has() -> None:
    found = difference(values(60), values(70))
    # Ten images of a hundred differ by one: variance (10 - 10^2 / 100) / 99.
    variance = (10 - 100 / 100) / 99
    assert found.mean == pytest.approx(0.10)
    assert found.noise == pytest.approx(2 * math.sqrt(variance / 100))
    assert found.larger
    assert not found.smaller
    assert str(found) == "+10.0 points, noise 6.0"


def test_as_many_right_are_no_difference_if_they_are_others() -> None:
    found = difference([[1, 0] * 50], [[0, 1] * 50])
    assert found.mean == 0
    assert found.noise == pytest.approx(0.2, rel=0.01)
    assert not found.seen


def test_seeds_that_disagree_make_noise() -> None:
    agreeing = difference(values(50, 50, 50), values(60, 60, 60))
    disagreeing = difference(values(50, 50, 50), values(40, 60, 80))
    assert agreeing.mean == pytest.approx(disagreeing.mean)
    assert agreeing.larger
    assert not disagreeing.seen


def test_more_seeds_do_not_make_the_images_more() -> None:
    one, many = difference(values(60), values(70)), difference(values(*[60] * 9), values(*[70] * 9))
    assert many.noise == pytest.approx(one.noise)


@pytest.mark.parametrize(
    ("mean", "noise", "more", "less"),
    [
        (0.05, 0.049, True, False),
        (0.05, 0.05, False, False),
        (MIN_DIFFERENCE, 0.0, True, False),
        (MIN_DIFFERENCE * 0.99, 0.0, False, False),
        (-0.05, 0.049, False, True),
        (-MIN_DIFFERENCE * 0.99, 0.0, False, False),
        (0.0, 0.0, False, False),
    ],
)
def test_both_bounds(mean: float, noise: float, more: bool, less: bool) -> None:
    found = AccuracyDifference(mean, noise)
    assert (found.larger, found.smaller, found.seen) == (more, less, more or less)


def test_parts_on_other_images_add_up() -> None:
    first, second = difference(values(50), values(60)), difference(values(80), values(85))
    both = sum_of_means(minus(values(60), values(50)), minus(values(85), values(80)))
    assert both.mean == pytest.approx(first.mean + second.mean)
    assert both.noise == pytest.approx(math.hypot(first.noise, second.noise))


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        difference(values(5, 5), values(5))
    with pytest.raises(ValueError, match="zip"):
        difference(values(5), values(5, images=99))


def test_a_ratio_is_a_geometric_mean_with_the_noise_of_the_seeds() -> None:
    found = ratio([1.0, 1.0], [2.0, 8.0])
    # Logarithms of 2 and 8 differ by log 4: standard deviation log 4 / sqrt 2, error log 4 / 2.
    assert found.mean == pytest.approx(4)
    assert found.noise == pytest.approx(4)
    assert ratio([1.0], [2.0]) == Ratio(pytest.approx(2), 1.0)
    with pytest.raises(ValueError, match="math domain"):
        ratio([0.0], [1.0])


@pytest.mark.parametrize(
    ("mean", "noise", "more", "less"),
    [
        (1.2, 1.19, True, False),
        (1.2, 1.2, False, False),
        (1.19, 1.0, False, False),
        (1 / 1.25, 1.2, False, True),
        (1 / 1.19, 1.0, False, False),
    ],
)
def test_bounds_of_a_ratio(mean: float, noise: float, more: bool, less: bool) -> None:
    found = Ratio(mean, noise)
    assert (found.larger, found.smaller) == (more, less)
