"""Confident learning and neighbours, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.analysis import neighbours
from workbench.analysis.errors import PredictionTable
from workbench.analysis.neighbours import nearest
from workbench.analysis.suspects import (
    WrongLabels,
    confident_joint,
    list_suspects,
    rank_by_doubt,
    wrong_labels,
)

# Thresholds: cat (0.9 + 0.8 + 0.1 + 0.6) / 4 = 0.6, dog (0.9 + 0.7 + 0.2) / 3 = 0.6.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1])
CAT = np.array([0.9, 0.8, 0.1, 0.6, 0.1, 0.3, 0.8])
PROBABILITIES = np.stack([CAT, 1 - CAT], axis=1)


def cells(
    labels: np.ndarray, probabilities: np.ndarray
) -> dict[tuple[int, int], tuple[int, float]]:
    joint = confident_joint(labels, probabilities)
    columns = (joint.given, joint.true, joint.counts, joint.images)
    return {(a, b): (n, m) for a, b, n, m in zip(*(one.tolist() for one in columns), strict=True)}


def test_an_image_counts_for_the_class_whose_threshold_it_reaches() -> None:
    """The image with 0.6 reaches the threshold of cat exactly."""
    assert cells(LABELS, PROBABILITIES) == {
        (0, 0): (3, 3.0), (0, 1): (1, 1.0), (1, 0): (1, 1.0), (1, 1): (2, 2.0)
    }  # fmt: skip
    assert confident_joint(LABELS, PROBABILITIES).wrong == 2.0


def test_an_image_that_reaches_no_threshold_is_not_counted() -> None:
    """Below 0.6 of cat: its label is estimated from the others, which count 4 / 3 each."""
    cat = CAT.copy()
    cat[3] = 0.5  # the threshold of cat is 0.575 now, of dog 0.6
    found = cells(LABELS, np.stack([cat, 1 - cat], axis=1))
    assert found[0, 0] == (2, pytest.approx(8 / 3))
    assert found[0, 1] == (1, pytest.approx(4 / 3))


def test_of_several_thresholds_the_most_likely_class_counts() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    likely = np.array(
        [[0.5, 0.3, 0.2], [0.3, 0.5, 0.2], [0.2, 0.4, 0.4], [0.1, 0.4, 0.5],
         [0.1, 0.5, 0.4], [0.2, 0.2, 0.6]]
    )  # thresholds 0.4, 0.4 and 0.5  # fmt: skip
    found = {cell: count for cell, (count, _) in cells(labels, likely).items()}
    assert found == {(0, 0): 1, (0, 1): 1, (1, 1): 1, (1, 2): 1, (2, 1): 1, (2, 2): 1}


def test_a_label_without_images_has_no_threshold() -> None:
    likely = np.array([[1.0, 0.0, 0.0], [0.3, 0.6, 0.1], [0.5, 0.5, 0.0]])
    assert cells(np.array([0, 0, 0]), likely) == {(0, 0): (1, 3.0)}


@given(st.integers(2, 6), st.integers(2, 40), st.integers(0, 9))
def test_the_calibrated_counts_are_the_images_of_each_label(k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, likely = rng.integers(0, k, n), rng.dirichlet(np.ones(k), n)
    joint = confident_joint(labels, likely)
    sums = np.bincount(joint.given, joint.images, minlength=k)
    assert sums == pytest.approx(np.bincount(labels, minlength=k))
    assert sorted(rank_by_doubt(labels, likely)) == list(range(n))


def test_pairs_and_suspects_are_named() -> None:
    names = ("cat", "dog")
    joint = confident_joint(LABELS, PROBABILITIES)
    assert wrong_labels(names, joint) == [
        WrongLabels("cat", "dog", 1.0, 0.25), WrongLabels("dog", "cat", 1.0, pytest.approx(1 / 3))
    ]  # fmt: skip
    paths = tuple(f"{n}.png" for n in range(7))
    predicted = PROBABILITIES.argmax(axis=1)
    found = list_suspects(PredictionTable(names, paths, LABELS, predicted, PROBABILITIES))
    assert [one.path for one in found] == [f"{n}.png" for n in (2, 6, 3, 5, 1, 0, 4)]
    assert [one.issue for one in found] == [True, True] + [False] * 5
    first = found[0]
    assert (first.rank, first.label, first.suggested) == (1, "cat", "dog")
    assert (first.probability, first.suggested_probability) == (0.1, 0.9)
    assert list_suspects(
        PredictionTable(names, paths, LABELS, predicted, PROBABILITIES), 2
    ) == found[:2]  # fmt: skip


def test_nearest_images_by_direction_from_the_mean() -> None:
    features = np.array([[2.0, 1], [4, 0], [0, 1], [-1, 3], [-5, -5]]) + 7  # their mean
    found = nearest(features, [0, 3], 2)
    assert found.indices.tolist() == [[1, 2], [2, 0]]
    assert found.similarities[0].tolist() == pytest.approx([2 / 5**0.5, 1 / 5**0.5], abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_find_the_same(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    features = np.random.default_rng(0).standard_normal((20, 4))
    centred = features - features.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -9)
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    found = nearest(features, range(20), 3)
    assert found.indices.tolist() == np.argsort(-cosines, axis=1)[:, :3].tolist()


def test_there_are_never_more_neighbours_than_other_images() -> None:
    assert nearest(np.eye(3), [1], 5).indices.tolist() == [[0, 2]]
    assert nearest(np.zeros((3, 2)), [1], 1).similarities.tolist() == [[0.0]]
