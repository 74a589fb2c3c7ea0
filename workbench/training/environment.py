"""Environment variables and versions of the training software; keras is not imported here."""

import importlib.metadata
import os

from workbench.machine.backends import chosen_backend
from workbench.machine.preflight import check_backend


def prepare_environment(deterministic: bool = False) -> None:
    """Set what the backends read when they are imported; the user's own variables stay.

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
    """Return the versions of the packages that decide about the last bits of a result."""
    found = {"backend": chosen_backend(os.environ)}
    for package in ("keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
