"""What "auto" comes to on each kind of device."""

import pytest

from workbench.training.backend import Device, prepare_device, resolve_jit, resolve_precision

CPU = Device("cpu", "CPU")
OLD_GPU = Device("gpu", "GTX 1080", tensor_cores=False)
NEW_GPU = Device("gpu", "H200", tensor_cores=True)


@pytest.mark.parametrize(
    ("device", "precision"),
    [(CPU, "float32"), (OLD_GPU, "float32"), (NEW_GPU, "mixed_float16")],
)
def test_half_precision_where_it_pays(device: Device, precision: str) -> None:
    assert resolve_precision("auto", device) == precision
    assert resolve_precision("mixed_bfloat16", device) == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("device", "deterministic", "jit"),
    [(CPU, False, False), (NEW_GPU, False, True), (NEW_GPU, True, False)],
)
def test_jit_where_it_pays(device: Device, deterministic: bool, jit: bool) -> None:
    assert resolve_jit("auto", device, deterministic) is jit
    assert resolve_jit("on", device, deterministic) is True
    assert resolve_jit("off", device, deterministic) is False


def test_jax_is_never_run_operation_by_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert resolve_jit("auto", CPU, deterministic=False) is True


def test_this_machine_has_a_device() -> None:
    device = prepare_device(deterministic=False)
    assert device.kind in ("cpu", "gpu")
    assert device.name
