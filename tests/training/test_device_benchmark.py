"""The benchmark of a device, and the probe of the machine check."""

import keras

from workbench.training.backend import describe, list_devices
from workbench.training.backends import Device
from workbench.training.probe import measure_device, run_probe_steps, train_one_step


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
