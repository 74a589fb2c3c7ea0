"""The median stopping rule against medians by hand."""

import pytest

from workbench.analysis.median_rule import is_hopeless, median_so_far

FINISHED = [
    [0.25, 0.5, 1.0],
    [0.5, 0.75],
    [0.125, 0.125, 0.125],
]  # averages of 1, 2, 3 epochs below


@pytest.mark.parametrize(
    ("epochs", "median"),
    [
        (1, 0.25),  # of 0.25, 0.5, 0.125
        (2, 0.375),  # of 0.375, 0.625, 0.125
        (3, 1.75 / 3),  # of 1.75 / 3, 0.625 (it ended after two), 0.125
    ],
)
def test_the_median_is_of_running_averages(epochs: int, median: float) -> None:
    assert median_so_far(FINISHED, epochs) == pytest.approx(median)


def test_three_finished_trials_are_needed() -> None:
    assert median_so_far(FINISHED[:2], 1) is None
    assert median_so_far([*FINISHED[:2], []], 1) is None  # one without validation says nothing
    assert not is_hopeless([0.0], FINISHED[:2])


def test_the_best_value_so_far_must_be_strictly_below() -> None:
    assert not is_hopeless([0.25], FINISHED)
    assert is_hopeless([0.249], FINISHED)
    assert not is_hopeless([0.375, 0.0], FINISHED)  # the best counts, not the newest
    assert is_hopeless([0.374, 0.0], FINISHED)
    assert not is_hopeless([], FINISHED)
