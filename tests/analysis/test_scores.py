"""Scores: their values are scikit-learn's, their intervals hold the true value."""

import math
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from workbench.analysis.scores import measure_score, measure_scores
from workbench.analysis.significance import accuracy_interval
from workbench.experiment.metrics import METRICS, SCORES, higher_is_better, monitored_score


def drawn(
    images: int, shares: list[float], skill: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a classifier that is right more often with more skill."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(shares), images, p=shares)
    x = rng.normal(size=(images, len(shares)))
    x[np.arange(images), labels] += skill
    odds = np.exp(1.5 * x) * shares
    return labels, odds / odds.sum(axis=1, keepdims=True)


def expected(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """What scikit-learn makes of them."""
    predicted, classes = probabilities.argmax(axis=1), probabilities.shape[1]
    found = {
        "macro_f1": f1_score(labels, predicted, average="macro"),
        "balanced_accuracy": balanced_accuracy_score(labels, predicted),
    }
    every = list(range(classes))
    if classes > 5:
        found["top5_accuracy"] = top_k_accuracy_score(labels, probabilities, k=5, labels=every)
    if classes == 2:
        found["auc"] = roc_auc_score(labels, probabilities[:, 1])
    else:
        found["auc"] = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.97, 0.03], [0.7, 0.2, 0.1], [0.2] * 5,
                                    [0.3, 0.3, 0.1, 0.1, 0.1, 0.1], [0.05] * 20])  # fmt: skip
@pytest.mark.parametrize("seed", [0, 1])
def test_values_are_those_of_scikit_learn(shares: list[float], seed: int) -> None:
    labels, probabilities = drawn(400, shares, 1.5, seed)
    scores = measure_scores(labels, probabilities)
    values = {name: score.value for name, score in scores.items()}
    assert values == pytest.approx(expected(labels, probabilities), abs=1e-12)
    assert values == {name: measure_score(name, labels, probabilities) for name in values}
    for score in scores.values():
        assert score.interval is not None
        assert 0 <= score.interval[0] < (score.value or 0) < score.interval[1] <= 1


def test_equal_probabilities_count_half_in_auc() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    second = np.array([0.2, 0.5, 0.5, 0.5, 0.9])
    probabilities = np.stack([1 - second, second], axis=1)
    # Of six pairs four are in order, and two are equal.
    assert measure_score("auc", labels, probabilities) == pytest.approx(5 / 6)
    assert roc_auc_score(labels, second) == pytest.approx(5 / 6)


def test_top_five_needs_more_than_five_labels() -> None:
    labels = np.array([0, 5, 5])
    rows = np.array([[6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 1, 2], [6, 5, 4, 3, 2, 1]]) / 21
    assert measure_score("top5_accuracy", labels, rows) == pytest.approx(2 / 3)
    assert measure_score("top5_accuracy", np.array([0, 4]), np.full((2, 5), 0.2)) is None
    # Of equal probabilities the first counts, as in the prediction: the sixth is not among five.
    equal = np.full((6, 6), 1 / 6)
    assert measure_score("top5_accuracy", np.arange(6), equal) == pytest.approx(5 / 6)
    interval = measure_scores(labels, rows)["top5_accuracy"].interval
    assert interval == pytest.approx(accuracy_interval(2 / 3, 3))


def test_a_class_without_images_does_not_count() -> None:
    """As in scikit-learn, unless it is predicted: then its F1 is 0."""
    labels = np.array([0, 0, 1, 1])
    right = np.eye(3)[labels]
    scores = measure_scores(labels, right)
    assert {name: score.value for name, score in scores.items()} == {
        "macro_f1": 1.0, "balanced_accuracy": 1.0, "auc": 1.0,
    }  # fmt: skip
    wrong = np.eye(3)[[0, 0, 1, 2]]
    assert measure_score("macro_f1", labels, wrong) == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert measure_score("balanced_accuracy", labels, wrong) == pytest.approx(0.75)
    # (1 + 0.75) / 2: the third class has no pair.
    assert measure_score("auc", labels, wrong) == pytest.approx(0.875)


def test_one_image_and_one_class() -> None:
    for images in (1, 3):
        labels = np.zeros(images, np.int64)
        scores = measure_scores(labels, np.tile([0.9, 0.1], (images, 1)))
        assert scores.keys() == {"macro_f1", "balanced_accuracy"}  # AUC has no pair
        for score in scores.values():
            assert score.value == 1.0
            assert score.interval == pytest.approx(accuracy_interval(1.0, images))
    wrong = measure_scores(np.zeros(1, np.int64), np.array([[0.1, 0.9]]))
    assert {score.value for score in wrong.values()} == {0.0}
    assert wrong["balanced_accuracy"].interval == pytest.approx(accuracy_interval(0.0, 1))


def test_nothing_is_defined_without_images_or_with_nan() -> None:
    labels = np.array([0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [np.nan, np.nan]])
    assert measure_scores(labels, probabilities) == {}
    assert [measure_score(name, labels, probabilities) for name in SCORES] == [None] * 4
    assert measure_scores(labels[:0], probabilities[:0]) == {}


def test_a_perfect_result_is_as_certain_as_its_smallest_classes_allow() -> None:
    """Resampling the images would give an interval without width."""
    labels = np.repeat([0, 1], [95, 5])
    scores = measure_scores(labels, np.eye(2)[labels])
    # Two classes: twice the harmonic mean of their sizes, 2 * 2 / (1/95 + 1/5) = 19.
    for name in ("macro_f1", "balanced_accuracy", "auc"):
        assert scores[name].interval == pytest.approx(accuracy_interval(1.0, 19))


def test_of_equal_classes_the_balanced_accuracy_is_the_accuracy() -> None:
    labels = np.repeat([0, 1], 50)
    predicted = labels.copy()
    predicted[[0, 1, 2, 50, 51, 52]] = 1 - labels[[0, 1, 2, 50, 51, 52]]
    score = measure_scores(labels, np.eye(2)[predicted])["balanced_accuracy"]
    assert score.value == pytest.approx(0.94)
    assert score.interval == pytest.approx(accuracy_interval(0.94, 100))


@pytest.mark.parametrize(
    ("shares", "images", "skill"),
    [
        ([0.5, 0.5], 100, 2.0),
        ([0.95, 0.05], 300, 4.0),
        ([0.4, 0.2, 0.15, 0.1, 0.1, 0.05], 150, 2.5),
    ],
)
def test_of_a_hundred_samples_the_intervals_of_ninety_hold_the_true_value(
    shares: list[float], images: int, skill: float
) -> None:
    """Where 95 of 100 percentile intervals of a bootstrap should, 65 do in the second case."""
    truth = measure_scores(*drawn(200_000, shares, skill, seed=0))
    holds: Counter[str] = Counter()
    for seed in range(1, 201):
        for name, score in measure_scores(*drawn(images, shares, skill, seed)).items():
            if name == "top5_accuracy":  # has the interval of an accuracy
                continue
            assert score.interval is not None
            low, high = score.interval
            holds[name] += low <= (truth[name].value or math.nan) <= high
    assert min(holds.values()) >= 180, holds


def test_names_of_what_is_monitored() -> None:
    assert monitored_score("val_loss") is None
    assert monitored_score("val_accuracy") is None
    assert monitored_score("val_macro_f1") == "macro_f1"
    assert not higher_is_better("val_loss")
    assert all(higher_is_better(f"val_{name}") for name in METRICS)
