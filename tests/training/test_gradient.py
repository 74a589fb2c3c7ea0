"""The gradient of any function, against differences of its values."""

import keras
import numpy as np
import pytest

from workbench.training.backend import value_and_gradient


def test_it_is_the_limit_of_differences() -> None:
    random = np.random.default_rng(1)
    matrix = random.normal(size=(4, 3)).astype(np.float32)

    def function(place: object) -> object:
        return keras.ops.sum(keras.ops.tanh(keras.ops.matmul(place, matrix)) ** 2)

    def exact(place: np.ndarray) -> float:
        return float((np.tanh(place @ matrix.astype(np.float64)) ** 2).sum())

    at = random.normal(size=(2, 4)).astype(np.float32)
    value, gradient = value_and_gradient(function, at)
    assert value == pytest.approx(exact(at.astype(np.float64)), rel=1e-5)
    assert gradient.shape == at.shape
    step = 1e-5
    for index in np.ndindex(*at.shape):
        away = np.zeros(at.shape)
        away[index] = step
        difference = (exact(at + away) - exact(at - away)) / (2 * step)
        assert gradient[index] == pytest.approx(difference, abs=1e-4)
