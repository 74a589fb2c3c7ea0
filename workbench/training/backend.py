"""What differs between Keras's backends. The only file that imports tensorflow.

Everything else speaks Keras, so that KERAS_BACKEND=jax or torch can train as well.

python -m workbench.training.backend --answer-fd N      tells what the backend can do here
"""

import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

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
    Models mean what they say whatever a person's keras.json sets for other programs.
    """
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
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
    """ "auto" is on for a GPU and off on the CPU, where it slows down every kind of stage.

    (benchmarks/jit.py: a whole convnet to 0.57, a head to 0.2 to 0.3, block5 of VGG16 to 0.9, the
    top of MobileNetV2 to 0.2 of the speed without.) With determinism it is off, as in Keras:
    compiled kernels may differ between processes. JAX without jit would run every operation by
    itself: always on; for torch it is off, as in Keras.
    """
    if asked != "auto":
        return asked == "on"
    backend = keras.backend.backend()
    if backend == "jax":
        return True
    return backend == "tensorflow" and device.kind == "gpu" and not deterministic


def value_and_gradient(function: Callable[[Any], Any], at: np.ndarray) -> tuple[float, np.ndarray]:
    """What a function is at a place, and how it rises there.

    Args:
        function: of one tensor, written with `keras.ops` and models; gives a single number.
        at: float32.

    Returns:
        The number, and the gradient: float32 of the shape of `at`.
    """
    place = keras.ops.convert_to_tensor(at)
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape:
                tape.watch(place)
                value = function(place)
            gradient = tape.gradient(value, place)
        case "torch":
            import torch

            place = place.detach().clone().requires_grad_()
            value = function(place)
            (gradient,) = torch.autograd.grad(value, place)
        case _:
            import jax

            value, gradient = jax.value_and_grad(function)(place)
    return float(keras.ops.convert_to_numpy(value)), keras.ops.convert_to_numpy(gradient)


@dataclass(frozen=True)
class Listed:
    """A device that the backend offers.

    Attributes:
        id: as `keras.device` takes it: "cpu:0", "gpu:1".
        capability: of an NVIDIA GPU, None where it is not known.
    """

    id: str
    kind: str
    name: str
    capability: tuple[int, int] | None = None


@dataclass(frozen=True)
class Build:
    """The backend: its version, and the CUDA and cuDNN versions it was built for, "" for none."""

    backend: str
    version: str
    cuda: str = ""
    cudnn: str = ""


def describe() -> Build:
    """What the backend tells of itself."""
    match keras.backend.backend():
        case "tensorflow":
            return _describe_tensorflow()
        case "torch":
            import torch

            return Build("torch", str(torch.__version__), torch.version.cuda or "")
        case _:
            return _describe_jax()


def _describe_tensorflow() -> Build:
    import tensorflow as tf

    built = tf.sysconfig.get_build_info()
    cuda, cudnn = str(built.get("cuda_version", "")), str(built.get("cudnn_version", ""))
    return Build("tensorflow", str(tf.__version__), cuda, cudnn)


def _describe_jax() -> Build:
    """The CUDA version is that of the plugin that is installed beside JAX."""
    import jax

    for cuda in ("13", "12"):
        try:
            importlib.metadata.version(f"jax-cuda{cuda}-plugin")
        except importlib.metadata.PackageNotFoundError:
            continue
        return Build("jax", str(jax.__version__), cuda)
    return Build("jax", str(jax.__version__))


def list_devices() -> list[Listed]:
    """The devices that training could use, CPU first; `prepare_device` comes before it."""
    match keras.backend.backend():
        case "tensorflow":
            return _list_tensorflow()
        case "torch":
            return _list_torch()
        case _:
            return _list_jax()


def _list_tensorflow() -> list[Listed]:
    import tensorflow as tf

    found = [Listed("cpu:0", "cpu", "CPU")]
    for number, gpu in enumerate(tf.config.list_physical_devices("GPU")):
        details: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
        name = details.get("device_name", "GPU")
        found.append(Listed(f"gpu:{number}", "gpu", name, details.get("compute_capability")))
    return found


def _list_torch() -> list[Listed]:
    import torch

    found = [Listed("cpu:0", "cpu", "CPU")]
    for n in range(torch.cuda.device_count()):
        capability = torch.cuda.get_device_capability(n)
        found.append(Listed(f"gpu:{n}", "gpu", torch.cuda.get_device_name(n), capability))
    return found


def _list_jax() -> list[Listed]:
    import jax

    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    return [
        Listed("cpu:0", "cpu", "CPU"),
        *(
            Listed(f"gpu:{n}", "gpu", device.device_kind, _jax_capability(device))
            for n, device in enumerate(gpus)
        ),
    ]


def _jax_capability(device: Any) -> tuple[int, int]:
    major, _, minor = str(getattr(device, "compute_capability", "0.0")).partition(".")
    return int(major), int(minor or 0)


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
    return Device("gpu", device.device_kind, _jax_capability(device) >= MIN_TENSOR_CORES)


if __name__ == "__main__":
    from workbench.training.probe import main

    sys.exit(main())
