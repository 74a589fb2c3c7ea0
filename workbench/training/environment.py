"""What can be set and told about the training software before keras is imported."""

import importlib.metadata
import importlib.util
import os

from workbench import pip_install
from workbench.errors import UserError

# What each way of running a frozen prefix without Keras needs; the extra `cpu` installs it.
ACCELERATOR_PACKAGES = {"exact": ("openvino",), "fast": ("openvino", "nncf")}


def prepare_environment(deterministic: bool = False) -> None:
    """Sets what the backends read when they are imported; a person's own setting stays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # less start-up chatter
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: memory as needed
    backend = os.environ.get("KERAS_BACKEND")
    if deterministic and backend == "torch":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if deterministic and backend == "jax":
        os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")


def check_accelerator(mode: str) -> None:
    """Looks whether `base.accelerator` can be had, without importing any of it.

    Raises:
        UserError: a package is missing, or the backend is one that it cannot read.
    """
    if mode == "none":
        return
    missing = [n for n in ACCELERATOR_PACKAGES[mode] if importlib.util.find_spec(n) is None]
    if missing:
        raise UserError(
            f"base.accelerator is {mode}, which needs {' and '.join(missing)}: not installed.",
            f"Install it: {pip_install('cpu')}. Or let Keras do it: "
            "--set base.accelerator=none",
        )
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise UserError(
            f"base.accelerator is {mode}, which reads networks of the TensorFlow backend; "
            f"this is {backend}.",
            "Let Keras do it: --set base.accelerator=none",
        )


def versions() -> dict[str, str]:
    """Versions of what decides about the last bits of a result, by package."""
    found = {"backend": os.environ.get("KERAS_BACKEND", "tensorflow")}
    for package in ("keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
