"""Which images to label next: those that a classifier is unsure of, unlike those it has seen.

Uncertainty alone picks the same difficult kind again and again, novelty alone the outliers; their
ranks together, and a batch whose images differ from each other, cost less labels than either
(Settles, "Active Learning Literature Survey", 2009, sections 3.1 and 5.1; farthest-first, Sener and
Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", 2018).
"""

import numpy as np

CANDIDATES = 5  # times the batch: the most informative, of which those that differ are taken


def uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 minus the margin between the two most probable labels, float (n,).

    Args:
        probabilities: float (n, classes), two classes at least.
    """
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    margins: np.ndarray = best[:, 1] - best[:, 0]
    return 1 - margins


def informativeness(probabilities: np.ndarray, similarities: np.ndarray) -> np.ndarray:
    """Return the mean rank of uncertainty and novelty, float (n,) from 0 to 1.

    Args:
        probabilities: float (n, classes).
        similarities: float (n,), of each image to the nearest labelled one.
    """
    return (_ranks(uncertainty(probabilities)) + _ranks(-similarities)) / 2


def choose_batch(scores: np.ndarray, features: np.ndarray, size: int) -> list[int]:
    """Return the images to label next, the most informative first.

    Args:
        scores: float (n,), see `informativeness`.
        features: float (n, d).
        size: how many at most.
    """
    if not len(scores):
        return []
    candidates = np.argsort(-scores, kind="stable")[: CANDIDATES * size]
    rows = np.asarray(features[candidates], np.float32)
    rows = rows - rows.mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    chosen: list[int] = []
    nearest = np.full(len(candidates), -np.inf)  # cosine to the nearest chosen one
    while len(chosen) < min(size, len(candidates)):
        at = int(np.argmin(nearest)) if chosen else 0
        chosen.append(at)
        nearest = np.maximum(nearest, rows @ rows[at])
        nearest[chosen] = np.inf
    return [int(candidates[at]) for at in sorted(chosen)]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the share of values that are smaller; equal ones have the same."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    ranks: np.ndarray = below[place] / max(len(values) - 1, 1)
    return ranks
