"""Measuring a device gives figures that an estimate can be made of, and leaves no trace."""

import keras

from workbench.training.backend import Device, describe, list_devices
from workbench.training.device_benchmark import measure_device, one_step
from workbench.training.probe import answer


def test_every_figure_is_above_nothing() -> None:
    policy = keras.config.dtype_policy()
    found = measure_device(Device("cpu", "CPU"))
    figures = found.speed.model_dump()
    assert {name: value > 0 for name, value in figures.items()} == dict.fromkeys(figures, True)
    # Forward and back, a figure counts all operations; neither is beyond any processor.
    assert 1e8 < found.speed.forward_flops < 1e14
    assert (found.precision, found.jit) == ("float32", False)
    assert keras.config.dtype_policy() == policy
    assert keras.layers.Dense(1).name == "dense"  # names are numbered from the start again


def test_a_step_with_and_without_xla() -> None:
    one_step(jit=False)
    one_step(jit=True)


def test_the_probe_tells_devices_then_steps_then_what_is_not_known_yet() -> None:
    lines: list[dict[str, object]] = []
    names = {device.name for device in list_devices()}
    answer(lines.append, skip=frozenset({"cpu:0"}), known=frozenset(names))
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
