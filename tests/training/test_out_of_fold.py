"""Images predicted by classifiers that were fitted without them."""

import numpy as np
import pytest

from workbench.analysis.folds import stratified_folds
from workbench.training.out_of_fold import predict_out_of_fold, softmax
from workbench.training.solve import VALUES, Examples


def blobs(classes: int, images: int = 60, width: int = 100) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(images) % classes
    centres = 2 * np.random.default_rng(0).standard_normal((classes, width))
    noise = np.random.default_rng(1).standard_normal((images, width))
    return centres[labels] + noise, labels


def predict(features: np.ndarray, labels: np.ndarray, repeats: int = 2) -> np.ndarray:
    examples = Examples([features], labels, int(labels.max()) + 1, np.ones(len(labels)))
    folds = stratified_folds(labels, None, 5, repeats, 0)
    return predict_out_of_fold(examples, folds, lambda done, total: None).probabilities


@pytest.mark.parametrize("width", [20, 100])  # more images than features, and fewer
@pytest.mark.parametrize("classes", [2, 3])
def test_wrong_labels_are_found(classes: int, width: int) -> None:
    features, labels = blobs(classes, width=width)
    given = labels.copy()
    given[[4, 17, 33]] = (labels[[4, 17, 33]] + 1) % classes
    found = predict(features, given)
    assert found.shape == (60, classes)
    assert found.sum(axis=1) == pytest.approx(np.ones(60))
    assert (found.argmax(axis=1) == labels).all()
    assert set(np.argsort(found[np.arange(60), given])[:3].tolist()) == {4, 17, 33}


def test_an_image_is_never_fitted() -> None:
    """Noise is not learned: with the image among those fitted, every label would be likely."""
    features = np.random.default_rng(3).standard_normal((40, 400))
    labels = np.arange(40) % 2
    found = predict(features, labels)
    assert (found.argmax(axis=1) == labels).mean() < 0.8


def test_progress_counts_folds_of_both_passes_and_may_interrupt() -> None:
    features, labels = blobs(2)
    examples = Examples([features], labels, 2, np.ones(60))
    folds = stratified_folds(labels, None, 3, 2, 0)
    seen: list[tuple[int, int]] = []
    found = predict_out_of_fold(examples, folds, lambda done, total: seen.append((done, total)))
    assert seen == [(n, 12) for n in range(1, 13)]
    assert found.penalty in VALUES

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_out_of_fold(examples, folds, stop)


def test_logits_become_probabilities() -> None:
    assert softmax(np.array([[0.0], [np.log(3)]])).tolist() == [
        [0.5, 0.5], [pytest.approx(0.25), pytest.approx(0.75)]
    ]  # fmt: skip
    assert softmax(np.array([[1000.0, 0.0, 0.0]])).tolist() == [[1.0, 0.0, 0.0]]
