"""PyTorch."""

from collections.abc import Callable
from typing import Any

import torch

from workbench.training.backends import CPU, BackendInfo, Device, ListedDevice, first_gpu


def prepare(deterministic: bool) -> Device:
    """Switch determinism on if requested."""
    if deterministic:
        torch.use_deterministic_algorithms(True)
    return first_gpu(list_devices())


def list_devices() -> list[ListedDevice]:
    """Return the CPU, then the GPUs."""
    found = [CPU]
    for number in range(torch.cuda.device_count()):
        capability = torch.cuda.get_device_capability(number)
        name = torch.cuda.get_device_name(number)
        found.append(ListedDevice(f"gpu:{number}", "gpu", name, capability))
    return found


def describe() -> BackendInfo:
    """Return PyTorch's version, and that of CUDA it was built for."""
    return BackendInfo("torch", str(torch.__version__), torch.version.cuda or "")


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    at = at.detach().clone().requires_grad_()
    value = function(at)
    (gradient,) = torch.autograd.grad(value, at)
    return value, gradient
