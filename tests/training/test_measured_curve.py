"""Learning curves on features: how many images are fitted, and what none has seen."""

import numpy as np
import pytest

from workbench.training import learning_curve
from workbench.training.learning_curve import (
    FEWEST,
    MAX_REPEATS,
    MeasuredCurve,
    measure_learning_curve,
)
from workbench.training.solve import Examples


def examples(counts: tuple[int, ...], spread: float = 0.8, seed: int = 0) -> Examples:
    """Clouds of points around the corners of a simplex."""
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(seed).normal(0, spread, (len(labels), 12))
    features = (np.eye(12)[labels] + noise).astype(np.float32)
    return Examples([features], labels, len(counts), np.ones(len(labels)))


def measured(counts: tuple[int, ...], **options: float) -> MeasuredCurve:
    return measure_learning_curve(
        examples(counts, **options), None, seed=0, progress=lambda done, total: None
    )


def test_parts_are_shares_of_the_images_of_each_class() -> None:
    curve = measured((100, 100, 100))
    assert curve.images == (10.0, 20.0, 40.0, 80.0)  # four of five folds are fitted
    assert curve.right.shape == (4, 300)
    assert {*np.unique(curve.right * MAX_REPEATS).round(9)} <= {0, 1, 2, 3, 4, 5}
    assert sorted(curve.classes) == [0, 1, 2]
    assert [numbers for numbers, _ in curve.classes.values()] == [(20, 40, 80)] * 3
    assert [right.shape for _, right in curve.classes.values()] == [(3, 300)] * 3
    assert curve.groups.tolist() == [*range(300)]


def test_more_images_are_better() -> None:
    means = measured((100, 100, 100)).right.mean(axis=1)
    assert means.tolist() == sorted(means)
    assert means[-1] - means[0] > 0.1


def test_of_a_class_the_mean_recall_of_all_classes_is_measured() -> None:
    counts = (20, 60, 220)
    curve = measured(counts, spread=0.7)
    ends = np.cumsum(counts)
    recalls = [part.mean() for part in np.split(curve.right[-1], ends[:-1])]
    for _, right in curve.classes.values():
        assert right[-1].mean() == pytest.approx(np.mean(recalls))


def test_many_images_are_predicted_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for predicted, repeats in ((60, 1), (119, 1), (120, 2), (360, MAX_REPEATS)):
        monkeypatch.setattr(learning_curve, "PREDICTED", predicted)
        totals: list[int] = []
        measure_learning_curve(
            examples((30, 30)),
            None,
            seed=0,
            progress=lambda done, total, to=totals: to.append(total),
        )
        # Four shares and two of each class, in five folds; and the search for the penalty.
        assert {*totals} == {(4 + 2 * 2) * 5 * repeats}


def test_both_forms_of_ridge_regression_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured((20, 20))  # of twelve features
    monkeypatch.setattr(learning_curve._Fits, "right", _by_products)
    again = measured((20, 20))
    assert np.array_equal(found.right, again.right)


def _by_products(fits: learning_curve._Fits, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    scores = next(fits.few(train, test, (fits.penalty,)))
    return learning_curve.predicted(scores) == fits.labels[test]


def test_a_class_with_few_images_gains_most() -> None:
    curve = measured((60, 200, 200), spread=0.6)
    gains = {
        label: scores[-1].mean() - scores[0].mean() for label, (_, scores) in curve.classes.items()
    }
    assert gains[0] > 0.02
    assert gains[0] > max(gains[1], gains[2])


def test_tiny_classes_keep_some_images() -> None:
    curve = measured((4, 4, 40))
    assert FEWEST == 2
    # All sizes of the tiny ones would be alike, so that nothing can be said of them.
    assert curve.classes[2][0] == (8, 16, 32)
    assert [sorted(numbers) == list(numbers) for numbers, _ in curve.classes.values()] == [
        True for _ in curve.classes
    ]


def test_groups_are_never_fitted_and_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examples((40, 40))
    groups = np.arange(80) // 4
    right = learning_curve._Fits.right

    def checked(fits: learning_curve._Fits, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        assert not {*groups[train].tolist()} & {*groups[test].tolist()}
        return right(fits, train, test)

    monkeypatch.setattr(learning_curve._Fits, "right", checked)
    measure_learning_curve(found, groups, seed=1, progress=lambda done, total: None)


def test_of_very_many_images_a_part_in_proportion_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_curve, "MAX_IMAGES", 60)
    curve = measured((40, 80, 120))
    assert len(curve.groups) == curve.right.shape[1] == 60
    assert curve.images[-1] == pytest.approx(0.8 * 20)
    assert {numbers[-1] for numbers, _ in curve.classes.values()} == {8, 16, 24}


def test_it_can_be_interrupted() -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:  # fits
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_learning_curve(examples((20, 20)), None, seed=0, progress=stop)
