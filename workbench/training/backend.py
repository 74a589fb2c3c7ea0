"""What differs between Keras's backends. The only file that imports tensorflow.

Everything else speaks Keras, so that KERAS_BACKEND=jax or torch can train as well.
"""

from dataclasses import dataclass
from typing import Any

import keras

MIN_TENSOR_CORES = (7, 0)  # compute capability from which float16 has matrix units of its own


@dataclass(frozen=True)
class Device:
    """What the network runs on: "cpu" or "gpu", its name, and whether float16 pays there."""

    kind: str
    name: str
    tensor_cores: bool = False


def prepare_device(deterministic: bool) -> Device:
    """Finds the device, lets GPU memory grow as needed, switches determinism on where asked.

    Called once, before the first operation of the process: later the settings have no effect.
    """
    match keras.backend.backend():
        case "tensorflow":
            return _prepare_tensorflow(deterministic)
        case "torch":
            return _prepare_torch(deterministic)
        case _:
            return _prepare_jax()


def resolve_precision(asked: str, device: Device) -> str:
    """ "auto" is mixed_float16 where the device has tensor cores, else float32."""
    if asked != "auto":
        return asked
    return "mixed_float16" if device.tensor_cores else "float32"


def resolve_jit(asked: str, device: Device, deterministic: bool) -> bool:
    """ "auto" is on for a GPU and off on the CPU, where it costs a convnet a third of its speed.

    (benchmarks/jit.py measures it.) With determinism it is off, as in Keras: compiled kernels may
    differ between processes. JAX without jit would run every operation by itself: always on;
    for torch it is off, as in Keras.
    """
    if asked != "auto":
        return asked == "on"
    backend = keras.backend.backend()
    if backend == "jax":
        return True
    return backend == "tensorflow" and device.kind == "gpu" and not deterministic


def _prepare_tensorflow(deterministic: bool) -> Device:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if not gpus:
        return Device("cpu", "CPU")
    details: dict[str, Any] = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability", (0, 0))
    return Device("gpu", details.get("device_name", "GPU"), capability >= MIN_TENSOR_CORES)


def _prepare_torch(deterministic: bool) -> Device:
    import torch

    if deterministic:
        torch.use_deterministic_algorithms(True)
    if not torch.cuda.is_available():
        return Device("cpu", "CPU")
    capability = torch.cuda.get_device_capability(0)
    return Device("gpu", torch.cuda.get_device_name(0), capability >= MIN_TENSOR_CORES)


def _prepare_jax() -> Device:
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        return Device("cpu", "CPU")
    capability = tuple(int(n) for n in str(getattr(device, "compute_capability", "0.0")).split("."))
    return Device("gpu", device.device_kind, capability >= MIN_TENSOR_CORES)
