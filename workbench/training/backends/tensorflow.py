"""TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from workbench.training.backends import CPU, BackendInfo, Device, ListedDevice, first_gpu


def prepare(deterministic: bool) -> Device:
    """Let GPU memory grow as needed, and switch determinism on if requested."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return first_gpu(list_devices())


def list_devices() -> list[ListedDevice]:
    """Return the CPU, then the GPUs."""
    found = [CPU]
    for number, gpu in enumerate(tf.config.list_physical_devices("GPU")):
        details: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
        name = details.get("device_name", "GPU")
        found.append(ListedDevice(f"gpu:{number}", "gpu", name, details.get("compute_capability")))
    return found


def describe() -> BackendInfo:
    """Return TensorFlow's version and those of CUDA and cuDNN that it was built for."""
    build = tf.sysconfig.get_build_info()
    cuda, cudnn = str(build.get("cuda_version", "")), str(build.get("cudnn_version", ""))
    return BackendInfo("tensorflow", str(tf.__version__), cuda, cudnn)


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    return value, tape.gradient(value, at)
