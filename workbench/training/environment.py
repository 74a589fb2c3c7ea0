"""What can be set and told about the training software before keras is imported."""

import importlib.metadata
import os

from workbench.machine.backends import chosen_backend
from workbench.machine.preflight import check_backend


def prepare_environment(deterministic: bool = False) -> None:
    """Sets what the backends read when they are imported; a person's own setting stays.

    Raises:
        UserError: Keras cannot be imported here.
    """
    check_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # less start-up chatter
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: memory as needed
    backend = chosen_backend(os.environ)
    if deterministic and backend == "torch":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if deterministic and backend == "jax":
        os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")


def versions() -> dict[str, str]:
    """Versions of what decides about the last bits of a result, by package."""
    found = {"backend": chosen_backend(os.environ)}
    for package in ("keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
