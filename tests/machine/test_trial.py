"""What "auto" means for XLA and precision, from the trial that was kept of a device."""

from pathlib import Path

import pytest
from machine_facts import device, framework

from workbench.machine import trial as module
from workbench.machine.facts import TrialStep
from workbench.machine.trial import (
    DeviceTrial,
    decide_jit,
    decide_precision,
    describe_auto,
    keep_trials,
    load_trial,
    trial_of,
)


def step(device: str = "gpu:0", **changes: object) -> TrialStep:
    plain = {"device": device, "jit": False, "loss": 0.7, "pace": 2e-3}
    return TrialStep.model_validate({**plain, **changes})


def xla(**changes: object) -> TrialStep:
    return step(**{"jit": True, "pace": 1e-3, **changes})


def half(**changes: object) -> TrialStep:
    return step(**{"precision": "mixed_float16", **changes})


@pytest.mark.parametrize(
    ("trial", "value", "why", "untried"),
    [
        (None, "off", "it was not tried here", True),
        (DeviceTrial(plain=step()), "off", "it was not tried here", True),
        (DeviceTrial(xla=xla()), "off", "it was not tried here", True),
        (
            DeviceTrial(plain=step(), xla=xla()),
            "on", "a step takes 1 ms with it, 2 ms without", False,
        ),
        (
            DeviceTrial(plain=step(), xla=xla(pace=2.5e-3)),
            "off", "a step takes 2.5 ms with it, 2 ms without", False,
        ),
        (
            DeviceTrial(plain=step(), xla=xla(ended=True, error="ended", loss=None)),
            "off", "XLA ends the process on this GPU", False,
        ),
        (DeviceTrial(plain=step(), xla=xla(error="no ptxas")), "off", "it fails: no ptxas", False),
        (
            DeviceTrial(plain=step(), xla=xla(loss=None)),
            "off", "the loss is another one with it", False,
        ),
        (
            DeviceTrial(plain=step(), xla=xla(loss=0.8)),
            "off", "the loss is another one with it", False,
        ),
        (
            DeviceTrial(plain=step(), xla=xla(loss=float("nan"))),
            "off", "the loss is another one with it", False,
        ),
        (DeviceTrial(plain=step(), xla=xla(loss=0.705)), "on", None, False),
        (
            DeviceTrial(plain=step(), xla=xla(pace=None)),
            "off", "its speed was not measured here", True,
        ),
    ],
)  # fmt: skip
def test_xla_is_on_where_it_ran_agreed_and_was_faster(
    trial: DeviceTrial | None, value: str, why: str | None, untried: bool
) -> None:
    decision = decide_jit("tensorflow", "gpu", False, trial)
    assert (decision.value, decision.untried) == (value, untried)
    assert why is None or decision.why == why


@pytest.mark.parametrize(
    ("backend", "kind", "deterministic", "value"),
    [
        ("jax", "cpu", False, "on"),
        ("jax", "gpu", True, "on"),
        ("torch", "gpu", False, "off"),
        ("tensorflow", "cpu", False, "off"),
        ("tensorflow", "gpu", True, "off"),
        ("tensorflow", "gpu", False, "on"),
    ],
)
def test_what_the_trial_does_not_decide(
    backend: str, kind: str, deterministic: bool, value: str
) -> None:
    good = DeviceTrial(plain=step(), xla=xla())
    assert decide_jit(backend, kind, deterministic, good).value == value


@pytest.mark.parametrize(
    ("tensor_cores", "trial", "value", "untried"),
    [
        (False, DeviceTrial(half=half()), "float32", False),
        (True, None, "float32", True),
        (True, DeviceTrial(plain=step(), xla=xla()), "float32", True),
        (True, DeviceTrial(half=half()), "mixed_float16", False),
        (True, DeviceTrial(half=half(loss=None)), "float32", False),
        (True, DeviceTrial(half=half(loss=float("inf"))), "float32", False),
        (True, DeviceTrial(half=half(error="cuDNN")), "float32", False),
        (True, DeviceTrial(half=half(error="ended", ended=True)), "float32", False),
    ],
)
def test_half_precision_where_its_loss_was_finite(
    tensor_cores: bool, trial: DeviceTrial | None, value: str, untried: bool
) -> None:
    decision = decide_precision(tensor_cores, trial)
    assert (decision.value, decision.untried) == (value, untried)


def test_both_in_one_line() -> None:
    jit, precision = decide_jit("tensorflow", "cpu", False, None), decide_precision(False, None)
    assert describe_auto(jit, precision) == (
        "XLA off (it slows down a CPU), float32 (the device has no tensor cores)"
    )
    assert describe_auto(None, precision) == "float32 (the device has no tensor cores)"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}


def tried(**changes: object) -> DeviceTrial:
    return trial_of([step(), xla(**changes), half()], "gpu:0")


def test_a_trial_is_kept_for_the_device_it_was_made_on(environment: dict[str, str]) -> None:
    steps = (step("cpu:0"), step(), xla(), half())
    keep_trials(framework(device(), steps=steps), environment)
    assert load_trial("NVIDIA H200", environment) == tried()
    assert load_trial("CPU", environment) == DeviceTrial(plain=step("cpu:0"))
    assert load_trial("NVIDIA B200", environment) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"XLA_FLAGS": "--xla_gpu_autotune_level=0"},
        {"KERAS_BACKEND": "jax"},
        {"LD_LIBRARY_PATH": "/usr/local/cudnn"},
    ],
)
def test_nothing_is_kept_for_other_variables(
    changed: dict[str, str], environment: dict[str, str]
) -> None:
    keep_trials(framework(device(), steps=(step(), xla(), half())), environment)
    assert load_trial("NVIDIA H200", {**environment, **changed}) is None
    own = {"CUDA_VISIBLE_DEVICES": "GPU-1", "TF_CPP_MIN_LOG_LEVEL": "2"}  # what a worker sets
    assert load_trial("NVIDIA H200", {**environment, **own}) == tried()


def test_nothing_is_kept_for_another_driver(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_trials(framework(device(), steps=(step(), xla(), half())), environment)
    monkeypatch.setattr(module, "driver_version", lambda: "580.65.06")
    assert load_trial("NVIDIA H200", environment) is None


def test_of_several_gpus_of_a_kind_the_first_that_trains_counts(
    environment: dict[str, str],
) -> None:
    full = step(error="RESOURCE_EXHAUSTED", loss=None)
    other = (step("gpu:1"), xla(device="gpu:1"), half(device="gpu:1"))
    devices = framework(*(device(f"gpu:{number}") for number in range(3)), steps=())
    steps = (full, *other, step("gpu:2"))
    keep_trials(devices.model_copy(update={"steps": steps}), environment)
    assert load_trial("NVIDIA H200", environment) == trial_of(other, "gpu:1")


def test_a_device_that_was_not_reached_is_forgotten(environment: dict[str, str]) -> None:
    keep_trials(framework(device(), steps=(step(), xla(), half())), environment)
    keep_trials(framework(device(), steps=(step("cpu:0"),)), environment)
    assert load_trial("NVIDIA H200", environment) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"plain": 3}', b"\xff\xfe"])
def test_a_damaged_file_counts_as_none(
    content: bytes, environment: dict[str, str], tmp_path: Path
) -> None:
    keep_trials(framework(device(), steps=(step(), xla(), half())), environment)
    for path in (tmp_path / "workbench").glob("trial-*.json"):
        path.write_bytes(content)
    assert load_trial("NVIDIA H200", environment) is None
