"""Which packages that can train are installed, without importing any of them."""

import importlib.metadata
from collections.abc import Mapping

from workbench.machine.facts import Backends
from workbench.machine.keras_settings import named_backend, read_settings

TRAINABLE = ("tensorflow", "jax", "torch")


def read_backends(environment: Mapping[str, str]) -> Backends:
    """Versions from the packages' own descriptions, and the backend that Keras will take."""
    found = {package: installed_version(package) for package in TRAINABLE}
    settings = read_settings(environment)
    chosen, named_by = named_backend(environment)
    return Backends(
        chosen=chosen,
        named_by=named_by,
        keras=installed_version("keras") or "",
        installed={package: v for package, v in found.items() if v},
        settings=str(settings.path),
        fault=settings.fault,
        passed_over=settings.passed_over,
    )


def chosen_backend(environment: Mapping[str, str]) -> str:
    """KERAS_BACKEND, else what stands in Keras's own settings file, else TensorFlow."""
    return named_backend(environment)[0]


def installed_version(package: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
