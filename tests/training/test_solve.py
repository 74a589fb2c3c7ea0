"""A linear classifier, solved: the same as scikit-learn's, with the scaling folded in."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from workbench.errors import UserError
from workbench.training.solve import (
    VALUES,
    Examples,
    RidgePath,
    Standardized,
    crossentropy,
    predicted,
    sharpness,
    solve_classifier,
    split_folds,
)


def examples(
    images: int, features: int, classes: int = 3, mirrored: bool = True, seed: int = 0
) -> Examples:
    """Return features of very different sizes, of which the first ones depend on the label."""
    draw = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    sizes = 10.0 ** draw.uniform(-2, 3, features)
    views = [
        (draw.normal(size=(images, features)) + 2 * np.eye(classes, features)[labels]) * sizes
        for _ in range(2 if mirrored else 1)
    ]
    return Examples([view.astype(np.float32) for view in views], labels, classes, np.ones(images))


def solved(given: Examples, solver: str = "ridge", folds: int = 5, seed: int = 1):
    return solve_classifier(given, solver, folds, seed, lambda done, total: None)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("images", "features"), [(30, 100), (120, 20)], ids=["few", "many"])
def test_ridge_is_scikit_learns_on_standardized_features(
    images: int, features: int, classes: int
) -> None:
    """Both forms of the equations; scores agree up to the factor that makes them logits."""
    given = examples(images, features, classes)
    solution = solved(given)
    rows = np.concatenate(given.views)
    scaler = StandardScaler().fit(rows)
    targets = np.concatenate([given.targets] * 2)
    ridge = Ridge(alpha=solution.chosen.value * len(rows))
    expected = ridge.fit(scaler.transform(rows), targets).predict(scaler.transform(rows))
    logits = rows @ solution.kernel + solution.bias
    factor = np.abs(logits).sum() / np.abs(expected).sum()
    np.testing.assert_allclose(logits, factor * expected.reshape(logits.shape), atol=0.01 * factor)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_is_scikit_learns_on_standardized_features(classes: int) -> None:
    given = examples(60, 10, classes)
    solution = solved(given, "logistic")
    rows = np.concatenate(given.views)
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression(C=1 / (solution.chosen.value * len(rows)), max_iter=1000)
    model.fit(scaler.transform(rows), np.concatenate([given.labels] * 2))
    expected = model.decision_function(scaler.transform(rows)).reshape(len(rows), -1)
    np.testing.assert_allclose(rows @ solution.kernel + solution.bias, expected, atol=0.02)


def test_weights_count_like_repeated_images() -> None:
    given = examples(30, 8)
    twice = np.where(np.arange(30) < 10, 2.0, 1.0)
    weighted = Examples(given.views, given.labels, 3, twice)
    rows = np.repeat(np.arange(30), twice.astype(int))
    views = [view[rows] for view in given.views]
    repeated = Examples(views, given.labels[rows], 3, np.ones(40))
    first, second = Standardized(weighted), Standardized(repeated)
    np.testing.assert_allclose(first.mean, second.mean, rtol=1e-5)
    np.testing.assert_allclose(first.spread, second.spread, rtol=1e-4)
    # A penalty for each row: 40 rows have 40 / 30 of the penalty of 30.
    kernel, bias = next(RidgePath(first)(np.arange(30), [0.4]))
    other_kernel, other_bias = next(RidgePath(second)(np.arange(40), [0.3]))
    np.testing.assert_allclose(kernel, other_kernel, atol=1e-4)
    np.testing.assert_allclose(bias, other_bias, atol=1e-6)


def test_an_image_and_its_mirror_image_are_in_one_fold() -> None:
    """Labels by chance: only who has seen the mirror image of a test image could know better."""
    draw = np.random.default_rng(0)
    images = draw.normal(size=(60, 200)).astype(np.float32)
    labels = draw.integers(0, 2, 60)
    given = Examples([images, images + np.float32(1e-3)], labels, 2, np.ones(60))
    assert max(tried.accuracy for tried in solved(given).tried) < 0.75


def test_what_cross_validation_reports() -> None:
    given = examples(60, 10)
    calls: list[tuple[int, int]] = []
    solution = solve_classifier(given, "ridge", 4, 1, lambda *done: calls.append(done))
    assert [tried.value for tried in solution.tried] == sorted(VALUES)
    assert solution.chosen == min(solution.tried, key=lambda tried: tried.loss)
    assert solution.folds == 4
    total = 4 * len(VALUES) + 1
    assert calls == [(done, total) for done in range(1, total + 1)]
    assert solution == solution
    again = solved(given, folds=4)
    assert np.array_equal(again.kernel, solution.kernel)
    assert again.tried == solution.tried


def test_progress_may_interrupt() -> None:
    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        solve_classifier(examples(20, 4), "ridge", 5, 1, stop)


@pytest.mark.parametrize(
    ("labels", "folds", "expected"),
    [
        ([0] * 6 + [1] * 6, 5, 5),
        ([0, 0, 0, 1], 5, 4),  # as many as images
        ([0, 1, 2], 5, 3),
    ],
)
def test_few_images_make_fewer_folds(labels: list[int], folds: int, expected: int) -> None:
    parts = split_folds(np.array(labels), folds, 1)
    assert len(parts) == expected
    assert sorted(np.concatenate([left_out for _, left_out in parts])) == list(range(len(labels)))
    for kept, left_out in parts:
        assert not set(kept) & set(left_out)


def test_images_of_a_group_do_not_test_each_other() -> None:
    """Of features and labels at random only the other half of a pair tells the label."""
    draw = np.random.default_rng(0)
    views = [np.repeat(draw.normal(size=(60, 200)), 2, axis=0).astype(np.float32)]
    labels = np.repeat(draw.integers(0, 2, 60), 2)
    alone = Examples(views, labels, 2, np.ones(120))
    pairs = replace(alone, groups=np.repeat(np.arange(60), 2))
    assert max(one.accuracy for one in solved(alone).tried) > 0.85
    assert max(one.accuracy for one in solved(pairs).tried) < 0.65


def test_images_of_one_group_cannot_be_divided() -> None:
    with pytest.raises(UserError, match="two groups at least, not 1"):
        split_folds(np.array([0, 1, 0]), 5, 1, np.array([7, 7, 7]))


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 0, 0, 0, 1, 2]])
def test_a_label_with_one_image(labels: list[int], solver: str) -> None:
    draw = np.random.default_rng(0)
    views = [draw.normal(size=(len(labels), 3)).astype(np.float32)]
    given = Examples(views, np.array(labels), max(labels) + 1, np.ones(len(labels)))
    solution = solved(given, solver)
    assert np.isfinite(solution.kernel).all()
    assert np.isfinite(solution.bias).all()


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
@pytest.mark.parametrize("classes", [2, 5])
def test_a_label_that_no_fold_has_seen_is_not_found(classes: int, solver: str) -> None:
    """One image of each, all at least as far apart as random ones: nothing can be known of them."""
    given = examples(classes, 30, classes)
    solution = solved(given, solver)
    assert {one.accuracy for one in solution.tried} == {0.0}
    assert not solution.correct.any()


def test_features_that_are_constant_have_no_effect() -> None:
    given = examples(30, 5)
    views = [np.concatenate([view, np.full((30, 1), 7.0, np.float32)], 1) for view in given.views]
    solution = solved(Examples(views, given.labels, 3, given.weights))
    np.testing.assert_allclose(solution.kernel[-1], 0, atol=1e-6)
    np.testing.assert_allclose(solution.kernel[:-1], solved(given).kernel, rtol=1e-3, atol=1e-7)


def test_probabilities_are_as_sure_as_they_should_be() -> None:
    """Scores that are right three times of four: log(3) is the logit that fits."""
    labels = np.array([1, 1, 1, 0] * 25)
    given = Examples([np.zeros((100, 1), np.float32)], labels, 2, np.ones(100))
    scores = np.ones((100, 1))
    assert sharpness(scores, given) == pytest.approx(np.log(3), rel=1e-3)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert crossentropy(np.log(3) * scores, given) == pytest.approx(entropy)


def test_the_label_that_scores_are_for() -> None:
    assert predicted(np.array([[-0.1], [0.1]])).tolist() == [0, 1]
    assert predicted(np.array([[0.1, 0.3, 0.2], [3, 1, 2]])).tolist() == [1, 0]
