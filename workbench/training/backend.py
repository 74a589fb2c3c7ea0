"""The backend of Keras: its device, precision and compilation, whichever of the three it is."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from workbench.experiment.training_section import TrainingSpec
from workbench.machine.trial import Decision, decide_jit, decide_precision, describe_auto
from workbench.messages import tr
from workbench.text import safe_text
from workbench.training.backends import Backend, BackendInfo, Device, ListedDevice


def active_backend() -> Backend:
    """Return the module for KERAS_BACKEND; importing another one would import its framework."""
    match keras.backend.backend():
        case "tensorflow":
            from workbench.training.backends import tensorflow

            return tensorflow
        case "torch":
            from workbench.training.backends import torch

            return torch
        case _:
            from workbench.training.backends import jax

            return jax


def prepare_device(deterministic: bool, devices: int = 1) -> Device:
    """Find the device, let GPU memory grow as needed, switch determinism on if requested.

    Call it once, before the first operation of the process: later the settings have no effect.
    The settings of a person's keras.json, made for other programs, are overruled.

    Args:
        deterministic: whether repeats are bit-identical.
        devices: number of devices that share each batch of a training step.

    Raises:
        UserError: There are fewer devices, or the backend cannot share a batch.
    """
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    return active_backend().prepare(deterministic, devices)


def list_devices() -> list[ListedDevice]:
    """Return the devices that training could use, CPU first; call `prepare_device` before."""
    return active_backend().list_devices()


def describe() -> BackendInfo:
    """Return the versions of the backend."""
    return active_backend().describe()


def value_and_gradient(function: Callable[[Any], Any], at: np.ndarray) -> tuple[float, np.ndarray]:
    """Return a function's value and gradient at a point.

    Args:
        function: from one tensor to a single number, written with `keras.ops` and models.
        at: float32.

    Returns:
        The value, and the gradient: float32 of the shape of `at`.
    """
    point = keras.ops.convert_to_tensor(at)
    value, gradient = active_backend().value_and_gradient(function, point)
    return float(keras.ops.convert_to_numpy(value)), keras.ops.convert_to_numpy(gradient)


def resolve_precision(setting: str, device: Device) -> str:
    """Resolve "auto" by what the machine check kept of the device (see `decide_precision`)."""
    return setting if setting != "auto" else precision_decision(device).value


def resolve_jit(setting: str, device: Device, deterministic: bool) -> bool:
    """Resolve "auto" by what the machine check kept of the device (see `decide_jit`).

    PyTorch is never compiled: XLA is not for it.
    """
    if keras.backend.backend() == "torch":
        return False
    return setting == "on" if setting != "auto" else jit_decision(device, deterministic).on


def jit_decision(device: Device, deterministic: bool) -> Decision:
    """Return what "auto" means for XLA, and why."""
    return decide_jit(keras.backend.backend(), device.kind, deterministic, device.trial)


def precision_decision(device: Device) -> Decision:
    """Return what "auto" means for the precision, and why.

    A resumed run keeps its own: the state of the optimizer depends on it.
    """
    if device.precision:
        return Decision(device.precision, tr("as in the earlier sessions"))
    return decide_precision(device.tensor_cores, device.trial)


def describe_settings(training: TrainingSpec, device: Device) -> str:
    """Return what "auto" means on a GPU and why, as a notice of a run; "" where nothing is open.

    On a CPU it always means the same.
    """
    jit = jit_decision(device, training.deterministic) if training.jit == "auto" else None
    precision = precision_decision(device) if training.precision == "auto" else None
    if device.kind != "gpu" or not (jit or precision):
        return ""
    untried = any(one.untried for one in (jit, precision) if one)
    return tr(
        "On {device}: {settings}.{hint}",
        device=safe_text(device.name),
        settings=describe_auto(jit, precision),
        hint=tr(" `workbench check --measure` tries it.") if untried else "",
    )
