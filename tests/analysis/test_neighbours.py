"""Nearest images: among themselves, and among others."""

import numpy as np
import pytest

from workbench.analysis import neighbours
from workbench.analysis.neighbours import nearest

FEATURES = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)


def cosines(of: np.ndarray, among: np.ndarray) -> np.ndarray:
    left, right = of - among.mean(axis=0), among - among.mean(axis=0)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return left @ right.T


@pytest.mark.parametrize("chunk", [7, 1024])
def test_the_nearest_of_other_images(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    others = np.random.default_rng(4).normal(size=(30, 6)).astype(np.float32)
    found = nearest(FEATURES, [5, 2, 9], 4, among=others)
    expected = cosines(FEATURES[[5, 2, 9]], others)
    order = np.argsort(-expected, axis=1)[:, :4]
    assert found.indices.tolist() == order.tolist()
    assert found.similarities == pytest.approx(
        np.take_along_axis(expected, order, axis=1), abs=1e-5
    )


def test_among_others_no_row_is_left_out() -> None:
    assert nearest(FEATURES, [3], 40, among=FEATURES).indices[0][0] == 3
    assert nearest(FEATURES, [3], 40).indices.shape == (1, 39)
    assert 3 not in nearest(FEATURES, [3], 40).indices
