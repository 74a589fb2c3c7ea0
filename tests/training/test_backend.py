"""What "auto" resolves to on each device, gradients, the benchmark, and the probe of the check."""

import keras
import numpy as np
import pytest

from workbench.training.backend import (
    describe,
    list_devices,
    prepare_device,
    resolve_jit,
    resolve_precision,
    value_and_gradient,
)
from workbench.training.backends import Device
from workbench.training.probe import measure_device, run_probe_steps, train_one_step

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


def test_every_measurement_is_positive() -> None:
    policy = keras.config.dtype_policy()
    found = measure_device(Device("cpu", "CPU"))
    measurements = found.speed.model_dump()
    assert {name: value > 0 for name, value in measurements.items()} == dict.fromkeys(
        measurements, True
    )
    # The range of any processor.
    assert 1e8 < found.speed.forward_flops < 1e14
    assert (found.precision, found.jit) == ("float32", False)
    assert keras.config.dtype_policy() == policy
    assert keras.layers.Dense(1).name == "dense"  # Keras numbers names from the start again


def test_one_step_with_and_without_xla() -> None:
    train_one_step(jit=False)
    train_one_step(jit=True)


def test_the_probe_writes_devices_then_steps_then_unknown_speeds() -> None:
    lines: list[dict[str, object]] = []
    names = {device.name for device in list_devices()}
    run_probe_steps(lines.append, skip=frozenset({"cpu:0"}), known=frozenset(names))
    framework = lines[0]["framework"]
    assert isinstance(framework, dict)
    assert framework["backend"] == describe().backend == keras.backend.backend()
    assert framework["devices"][0] == {
        "id": "cpu:0", "kind": "cpu", "name": "CPU", "compute_capability": None,
    }  # fmt: skip
    assert {"begin": "cpu:0"} not in lines
    assert lines[1] == {"begin": "cpu:0 jit"}
    (step,) = [line["step"] for line in lines[2:3] if "step" in line]
    assert isinstance(step, dict)
    assert (step["device"], step["jit"], step["error"]) == ("cpu:0", True, "")
    assert not any("speed" in line for line in lines)
