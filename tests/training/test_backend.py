"""What "auto" resolves to on each device, gradients, the benchmark, and the probe of the check."""

from contextlib import nullcontext
from dataclasses import replace

import keras
import numpy as np
import pytest

from workbench.experiment.training_section import TrainingSpec
from workbench.machine.facts import TrialStep
from workbench.machine.trial import DeviceTrial
from workbench.training import probe
from workbench.training.backend import (
    describe,
    describe_settings,
    list_devices,
    prepare_device,
    resolve_jit,
    resolve_precision,
    value_and_gradient,
)
from workbench.training.backends import Device, ListedDevice
from workbench.training.device_benchmark import measure_device
from workbench.training.probe import run_probe_steps, try_training

CPU = Device("cpu", "CPU")
OLD_GPU = Device("gpu", "GTX 1080", tensor_cores=False)
NEW_GPU = Device("gpu", "H200", tensor_cores=True)


def step(**changes: object) -> TrialStep:
    return TrialStep.model_validate(
        {"device": "gpu:0", "jit": False, "loss": 0.7, "pace": 2e-3, **changes}
    )


GOOD = DeviceTrial(
    plain=step(), xla=step(jit=True, pace=1e-3), half=step(precision="mixed_float16")
)
TRIED = replace(NEW_GPU, trial=GOOD)


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        (CPU, "float32"),
        (replace(CPU, trial=GOOD), "float32"),
        (replace(OLD_GPU, trial=GOOD), "float32"),
        (NEW_GPU, "float32"),  # was not tried
        (TRIED, "mixed_float16"),
        (replace(TRIED, precision="float32"), "float32"),  # a run that continues in it
        (replace(CPU, precision="mixed_float16"), "mixed_float16"),
    ],
)
def test_half_precision_where_it_was_tried(device: Device, precision: str) -> None:
    assert resolve_precision("auto", device) == precision
    assert resolve_precision("mixed_bfloat16", device) == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("device", "deterministic", "jit"),
    [
        (CPU, False, False),
        (replace(CPU, trial=GOOD), False, False),
        (NEW_GPU, False, False),
        (TRIED, False, True),
        (TRIED, True, False),
    ],
)
def test_xla_on_a_gpu_where_it_was_tried(device: Device, deterministic: bool, jit: bool) -> None:
    assert resolve_jit("auto", device, deterministic) is jit
    assert resolve_jit("on", device, deterministic) is True
    assert resolve_jit("off", device, deterministic) is False


def test_jax_always_uses_jit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert resolve_jit("auto", CPU, deterministic=False) is True


def test_a_run_records_why_a_gpu_trains_as_it_does() -> None:
    assert describe_settings(TrainingSpec(), CPU) == ""
    assert describe_settings(TrainingSpec(), NEW_GPU) == (
        "On H200: XLA off (it was not tried here), float32 (half precision was not tried here). "
        "`workbench check --measure` tries it."
    )
    assert describe_settings(TrainingSpec(precision="float32"), TRIED) == (
        "On H200: XLA on (a step takes 1 ms with it, 2 ms without)."
    )
    assert describe_settings(TrainingSpec(precision="float32", jit="off"), TRIED) == ""


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


def test_a_trial_has_the_same_loss_in_every_way() -> None:
    policy = keras.config.dtype_policy()
    plain, xla = try_training(jit=False), try_training(jit=True)
    half = try_training(jit=False, precision="mixed_float16")
    assert try_training(jit=False)["loss"] == plain["loss"]
    assert xla["loss"] == pytest.approx(plain["loss"], rel=1e-3)
    assert half["loss"] == pytest.approx(plain["loss"], rel=1e-2)
    assert min(one["pace"] for one in (plain, xla, half)) > 0
    assert keras.config.dtype_policy() == policy


def test_the_probe_writes_devices_then_steps_then_unknown_speeds() -> None:
    lines: list[dict[str, object]] = []
    names = {f"{device.name}, float32, no XLA" for device in list_devices()}
    run_probe_steps(lines.append, known=frozenset(names))
    framework = lines[0]["framework"]
    assert isinstance(framework, dict)
    assert framework["backend"] == describe().backend == keras.backend.backend()
    assert framework["devices"][0] == {
        "id": "cpu:0", "kind": "cpu", "name": "CPU", "compute_capability": None,
    }  # fmt: skip
    assert lines[1] == {"begin": "cpu:0"}
    done = TrialStep.model_validate(lines[2]["step"])
    assert (done.device, done.jit, done.precision, done.error) == ("cpu:0", False, "float32", "")
    assert done.worked
    assert {"begin": "cpu:0 jit"} not in lines  # no run on a CPU uses it
    assert not any("speed" in line for line in lines)


def test_the_probe_skips_what_an_earlier_process_tried() -> None:
    lines: list[dict[str, object]] = []
    run_probe_steps(lines.append, skip=frozenset({"cpu:0", "cpu:0 speed"}))
    assert [list(line) for line in lines] == [["framework"]]


def test_one_gpu_of_a_kind_is_tried_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("H200", "H200", "GTX 1080", "H200")
    capabilities = ((9, 0), (9, 0), (6, 1), (9, 0))
    devices = [
        ListedDevice(f"gpu:{n}", "gpu", name, capability)
        for n, (name, capability) in enumerate(zip(names, capabilities, strict=True))
    ]
    monkeypatch.setattr(probe, "list_devices", lambda: devices)
    monkeypatch.setattr(probe.keras, "device", lambda name: nullcontext())
    monkeypatch.setattr(probe, "try_training", lambda *way: {"loss": 0.7, "pace": 1e-3})
    lines: list[dict[str, object]] = []
    skip = frozenset(f"gpu:{number} speed" for number in range(4))
    # The first one failed in an earlier process.
    run_probe_steps(lines.append, skip | {"gpu:0", "gpu:0 half", "gpu:0 jit"}, frozenset(), [
        TrialStep(device="gpu:0", jit=False, error="ended", ended=True)
    ])  # fmt: skip
    assert [line["begin"] for line in lines if "begin" in line] == [
        "gpu:1", "gpu:1 half", "gpu:1 jit", "gpu:2", "gpu:2 jit", "gpu:3",
    ]  # fmt: skip


def test_a_device_is_measured_as_runs_will_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    device = ListedDevice("gpu:0", "gpu", "H200", (9, 0))
    ways: list[str] = []
    monkeypatch.setattr(probe, "list_devices", lambda: [device])
    monkeypatch.setattr(probe, "_measure", lambda name, found, write: ways.append(_way(found)))
    earlier = [
        step(), step(precision="mixed_float16"), step(jit=True, error="ended", ended=True)
    ]  # fmt: skip
    skip = frozenset({"gpu:0", "gpu:0 half", "gpu:0 jit"})
    run_probe_steps(lambda line: None, skip, frozenset(), earlier)
    run_probe_steps(lambda line: None, skip, frozenset({"H200, mixed_float16, no XLA"}), earlier)
    assert ways == ["mixed_float16 False"]


def _way(device: Device) -> str:
    return f"{resolve_precision('auto', device)} {resolve_jit('auto', device, False)}"
