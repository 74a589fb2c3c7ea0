"""What can be set and told about the training software before keras is imported."""

import importlib.metadata
import os


def quiet_environment() -> None:
    """Keeps TensorFlow's start-up chatter out of the log; a person's own setting stays."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def versions() -> dict[str, str]:
    """Versions of what decides about the last bits of a result, by package."""
    found = {"backend": os.environ.get("KERAS_BACKEND", "tensorflow")}
    for package in ("keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
