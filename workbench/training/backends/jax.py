"""JAX."""

import importlib.metadata
from collections.abc import Callable
from typing import Any

import jax

from workbench.training.backends import CPU, BackendInfo, Device, ListedDevice


def prepare(deterministic: bool) -> Device:
    """Return the default device; environment variables configure JAX (see `environment`)."""
    device = jax.devices()[0]
    return CPU.as_device() if device.platform == "cpu" else _listed(0, device).as_device()


def list_devices() -> list[ListedDevice]:
    """Return the CPU, then the GPUs."""
    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    return [CPU, *(_listed(number, device) for number, device in enumerate(gpus))]


def describe() -> BackendInfo:
    """Return JAX's version, and that of CUDA from the plugin that is installed beside it."""
    for cuda in ("13", "12"):
        try:
            importlib.metadata.version(f"jax-cuda{cuda}-plugin")
        except importlib.metadata.PackageNotFoundError:
            continue
        return BackendInfo("jax", str(jax.__version__), cuda)
    return BackendInfo("jax", str(jax.__version__))


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    value, gradient = jax.value_and_grad(function)(at)
    return value, gradient


def _listed(number: int, device: Any) -> ListedDevice:
    major, _, minor = str(getattr(device, "compute_capability", "0.0")).partition(".")
    capability = int(major), int(minor or 0)
    return ListedDevice(f"gpu:{number}", "gpu", device.device_kind, capability)
