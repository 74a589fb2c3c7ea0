"""What to label next: unsure, new, and not the same ten times."""

import numpy as np
import pytest

from workbench.analysis.labelling import choose_batch, informativeness, uncertainty


def test_an_even_chance_is_most_uncertain() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]])
    assert uncertainty(probabilities).tolist() == pytest.approx([1.0, 0.9, 0.0])


def test_both_ranks_count_alike() -> None:
    probabilities = np.array([[0.5, 0.5], [0.6, 0.4], [0.9, 0.1]])
    assert informativeness(probabilities, np.array([0.9, 0.5, 0.1])).tolist() == [0.5, 0.5, 0.5]
    assert informativeness(probabilities, np.array([0.1, 0.5, 0.9])).tolist() == [1.0, 0.5, 0.0]
    alike = informativeness(np.full((3, 2), 0.5), np.array([0.2, 0.2, 0.1]))
    assert alike.tolist() == [0.0, 0.0, 0.5]
    assert informativeness(np.full((1, 2), 0.5), np.zeros(1)).tolist() == [0.0]


def test_a_batch_differs() -> None:
    features = np.array([[1, 0], [1, 0.01], [1, 0.02], [-1, 0], [0, 1], [0, -1]], float)
    scores = np.array([0.9, 0.89, 0.88, 0.8, 0.1, 0.0])
    # Of the three that look alike, one; the one unlike it next.
    assert choose_batch(scores, features, 2) == [0, 3]
    assert choose_batch(scores, features, 1) == [0]
    assert sorted(choose_batch(scores, features, 10)) == list(range(6))
    assert choose_batch(scores[:0], features[:0], 3) == []


def test_only_the_most_informative_are_candidates() -> None:
    features = np.eye(20)
    scores = np.linspace(1, 0, 20)
    assert max(choose_batch(scores, features, 2)) < 10


def test_a_batch_is_in_the_order_of_its_scores() -> None:
    rng = np.random.default_rng(0)
    scores, features = rng.random(100), rng.random((100, 8))
    chosen = choose_batch(scores, features, 7)
    assert len(set(chosen)) == 7
    assert scores[chosen].tolist() == sorted(scores[chosen], reverse=True)
