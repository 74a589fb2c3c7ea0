"""Which packages that can train are installed, without importing any of them."""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path

from workbench.machine.facts import Backends

DEFAULT = "tensorflow"
_PACKAGES = ("tensorflow", "jax", "torch")


def read_backends(environment: Mapping[str, str]) -> Backends:
    """Versions from the packages' own descriptions, and the backend that Keras will take."""
    found = {package: installed_version(package) for package in _PACKAGES}
    return Backends(
        chosen=chosen_backend(environment),
        keras=installed_version("keras") or "",
        installed={package: version for package, version in found.items() if version},
    )


def chosen_backend(environment: Mapping[str, str]) -> str:
    """KERAS_BACKEND, else what stands in Keras's own settings file, else TensorFlow."""
    return environment.get("KERAS_BACKEND") or _from_settings(environment) or DEFAULT


def installed_version(package: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _from_settings(environment: Mapping[str, str]) -> str:
    """The backend in keras.json, which Keras itself writes at its first import; "" for none."""
    if not (home := environment.get("KERAS_HOME")):
        home = str(Path(environment.get("HOME") or "/", ".keras"))
    try:
        settings = json.loads(Path(home, "keras.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    chosen = settings.get("backend") if isinstance(settings, dict) else ""
    return chosen if isinstance(chosen, str) else ""
