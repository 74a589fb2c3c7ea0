"""What "auto" resolves to on each kind of device, and gradients."""

import keras
import numpy as np
import pytest

from workbench.training.backend import (
    prepare_device,
    resolve_jit,
    resolve_precision,
    value_and_gradient,
)
from workbench.training.backends import Device

CPU = Device("cpu", "CPU")
OLD_GPU = Device("gpu", "GTX 1080", tensor_cores=False)
NEW_GPU = Device("gpu", "H200", tensor_cores=True)


@pytest.mark.parametrize(
    ("device", "precision"),
    [(CPU, "float32"), (OLD_GPU, "float32"), (NEW_GPU, "mixed_float16")],
)
def test_half_precision_on_tensor_cores(device: Device, precision: str) -> None:
    assert resolve_precision("auto", device) == precision
    assert resolve_precision("mixed_bfloat16", device) == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("device", "deterministic", "jit"),
    [(CPU, False, False), (NEW_GPU, False, True), (NEW_GPU, True, False)],
)
def test_jit_on_a_gpu(device: Device, deterministic: bool, jit: bool) -> None:
    assert resolve_jit("auto", device, deterministic) is jit
    assert resolve_jit("on", device, deterministic) is True
    assert resolve_jit("off", device, deterministic) is False


def test_jax_always_uses_jit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert resolve_jit("auto", CPU, deterministic=False) is True


def test_this_machine_has_a_device() -> None:
    device = prepare_device(deterministic=False)
    assert device.kind in ("cpu", "gpu")
    assert device.name


def test_a_gradient_is_the_limit_of_differences() -> None:
    random = np.random.default_rng(1)
    matrix = random.normal(size=(4, 3)).astype(np.float32)

    def function(point: object) -> object:
        return keras.ops.sum(keras.ops.tanh(keras.ops.matmul(point, matrix)) ** 2)

    def exact(point: np.ndarray) -> float:
        return float((np.tanh(point @ matrix.astype(np.float64)) ** 2).sum())

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
