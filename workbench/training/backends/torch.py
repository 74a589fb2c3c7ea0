"""PyTorch."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from workbench.machine.device_group import torch_trains_on_one
from workbench.training.backends import (
    CALL_LENGTHS,
    CPU,
    Arrays,
    BackendInfo,
    Batch,
    CompiledSteps,
    Device,
    ListedDevice,
    Steps,
    first_gpu,
)


def prepare(deterministic: bool, devices: int = 1) -> Device:
    """Switch determinism on if requested; a batch is never shared among devices."""
    if devices > 1:
        raise torch_trains_on_one(devices)
    if deterministic:
        torch.use_deterministic_algorithms(True)
    return first_gpu(list_devices())


def scope() -> AbstractContextManager[Any]:
    """Return a context without effect."""
    return nullcontext()


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


def place(array: Any) -> torch.Tensor:
    """Copy an array to the device."""
    return torch.as_tensor(np.ascontiguousarray(array), device=_device())


def compile_steps(network: Any, training: bool, jit: bool) -> CompiledSteps:
    """Return a loop of one call a step, as PyTorch computes."""
    optimizer = network.optimizer

    def run(
        arrays: Arrays, steps: Steps, count: int, predictions: Sequence[np.ndarray] = ()
    ) -> Sequence[np.ndarray]:
        x = torch.as_tensor(arrays.x)
        losses, accuracies = np.zeros((2, CALL_LENGTHS[-1]), np.float32)
        for at in range(count):
            places, rows = (torch.as_tensor(part[at]).long() for part in steps[:2])
            batch = Batch(
                x[places].to(_device()),
                arrays.y[rows],
                [weights[rows] for weights in arrays.weights],
                list(torch.as_tensor(steps.seeds[at])),
                [torch.as_tensor(changes[at], device=_device()) for changes in steps.changes],
                [torch.as_tensor(mixes[at], device=_device()) for mixes in steps.mixes],
            )
            averages = () if training else zip(network.trainable, network.averages, strict=False)
            with torch.set_grad_enabled(training):
                scaled, loss, accuracy, predicted, others = network.forward(
                    averages, batch, training
                )
            losses[at], accuracies[at] = float(loss), float(accuracy)
            for one in predictions:
                one[at] = network.as_asked(predicted, one).cpu().numpy()
            if not training:
                continue
            if not math.isfinite(losses[at]):
                break
            optimizer.learning_rate.assign(steps.rates[at])
            gradients = torch.autograd.grad(scaled, [v.value for v in network.trainable])
            with torch.no_grad():
                optimizer.apply(gradients, network.trainable)
                for variable, value in zip(network.others, others, strict=True):
                    if value is not None:
                        variable.assign(value)
        return losses, accuracies, *predictions

    return run


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    at = at.detach().clone().requires_grad_()
    value = function(at)
    (gradient,) = torch.autograd.grad(value, at)
    return value, gradient
