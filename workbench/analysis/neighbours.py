"""The images whose features are nearest to those of others, by cosine similarity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CHUNK = 1024  # images compared at a time
_TINY = 1e-12  # at least the length of features, which may all be 0


@dataclass(frozen=True)
class Neighbours:
    """The nearest images of m images, the nearest first.

    Attributes:
        indices: int64 (m, count), rows of the features.
        similarities: float32 (m, count), cosines from -1 to 1.
    """

    indices: np.ndarray
    similarities: np.ndarray


def nearest(
    features: np.ndarray,
    of: Sequence[int] | np.ndarray,
    count: int,
    among: np.ndarray | None = None,
) -> Neighbours:
    """Return the nearest other images; of equally near ones the first.

    Features are centred, since the mean that all share would make all cosines alike. Memory is
    bounded by two chunks of features and one of similarities; time by images times `of`.

    Args:
        features: float (n, d), may be memory-mapped.
        of: rows whose neighbours are wanted.
        count: neighbours of each; fewer are returned where there are not as many.
        among: features of the images that are returned, float (k, d), none of which is one of
            `of`; None: the features themselves.
    """
    others = features if among is None else among
    of, total = np.asarray(of, np.int64), len(others)
    count = min(count, total - (among is None))
    mean = _mean(others)
    indices = np.zeros((len(of), count), np.int64)
    similarities = np.full((len(of), count), -np.inf, np.float32)
    for at in range(0, len(of), CHUNK):
        part = slice(at, at + CHUNK)
        wanted = of[part]
        left = _unit(features[wanted], mean)
        for start in range(0, total, CHUNK):
            right = _unit(others[start : start + CHUNK], mean)
            found = left @ right.T
            places = np.arange(start, start + len(right))
            if among is None:
                found[wanted[:, None] == places] = -np.inf
            joined = np.concatenate([similarities[part], found], axis=1)
            names = np.concatenate(
                [indices[part], np.broadcast_to(places, (len(wanted), len(places)))], axis=1
            )
            best = np.argsort(-joined, axis=1, kind="stable")[:, :count]
            similarities[part] = np.take_along_axis(joined, best, axis=1)
            indices[part] = np.take_along_axis(names, best, axis=1)
    return Neighbours(indices, similarities)


def _mean(features: np.ndarray) -> np.ndarray:
    sums = (
        features[at : at + CHUNK].sum(axis=0, dtype=np.float64)
        for at in range(0, len(features), CHUNK)
    )
    mean: np.ndarray = (sum(sums) / len(features)).astype(np.float32)
    return mean


def _unit(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return centred features of length 1, float32 (n, d)."""
    centred = np.asarray(features, np.float32) - mean
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: np.ndarray = centred / np.maximum(lengths, _TINY)
    return unit
