"""Which packages that can train are installed, and which one Keras will use.

Nothing is imported. Keras's own settings file is read as Keras reads it at its import. Its values
for floats and the order of channels are overridden (see `training.backend`); a value that Keras
refuses prevents its import.
"""

import json
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.runs.process import WORKING_FOLDER
from workbench.text import format_choices, safe_text
from workbench.words import reason_of

if TYPE_CHECKING:  # facts take a tenth of a second to import, which `--help` does not wait for
    from workbench.machine.facts import Backends

TRAINABLE = ("tensorflow", "jax", "torch")
AUTO = "auto"  # of `training.backend`: whatever Keras chooses
SETTING = "training.backend"
DEFAULT, VARIABLE = "tensorflow", "KERAS_BACKEND"
FLOATS = ("float16", "float32", "float64")
CHANNEL_ORDERS = ("channels_last", "channels_first")
_SHARED = "/tmp"  # where Keras looks if the home folder cannot be written


@dataclass(frozen=True)
class KerasSettings:
    """Keras's settings file.

    Attributes:
        path: where it is, or would be.
        backend: that it names, "" for none.
        fault: why Keras cannot be imported with it, in a few words; "" where it can.
        ignored: why Keras ignores it, likewise; "" where it does not, or there is none.
    """

    path: Path
    backend: str = ""
    fault: str = ""
    ignored: str = ""


def read_backends(environment: Mapping[str, str]) -> "Backends":
    """Return versions from the packages' metadata, and the backend that Keras will use."""
    from workbench.machine.facts import Backends

    found = {package: installed_version(package) for package in TRAINABLE}
    settings = read_keras_settings(environment)
    chosen, named_by = named_backend(environment)
    return Backends(
        chosen=chosen,
        named_by=named_by,
        keras=installed_version("keras") or "",
        installed={package: v for package, v in found.items() if v},
        settings=str(settings.path),
        fault=settings.fault,
        ignored=settings.ignored,
    )


def backend_environment(
    setting: str, environment: Mapping[str, str] = os.environ
) -> Mapping[str, str]:
    """Return the environment in which Keras uses the backend of a spec, `training.backend`."""
    return environment if setting == AUTO else {**environment, VARIABLE: setting}


def backend_of_run(folder: RunFolder) -> str:
    """Return the backend of a run's newest worker; "" if it had none, or if that is not known."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        backend = json.loads(folder.worker_path.read_text(encoding="utf-8"))["backend"]
        return backend if backend in TRAINABLE else ""
    return ""


def chosen_backend(environment: Mapping[str, str]) -> str:
    """Return KERAS_BACKEND, else the backend of Keras's own settings file, else TensorFlow."""
    return named_backend(environment)[0]


def named_backend(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the backend that Keras will use, and the variable or file that names it, or ""."""
    if chosen := environment.get(VARIABLE):
        return chosen, VARIABLE
    settings = read_keras_settings(environment)
    return (settings.backend, str(settings.path)) if settings.backend else (DEFAULT, "")


def installed_version(package: str) -> str | None:
    """Return the version of an installed package; None where it is not installed."""
    import importlib.metadata  # a quarter of the start of a short command

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_keras_settings(environment: Mapping[str, str]) -> KerasSettings:
    """Read the settings file that a worker with these variables would find."""
    path = settings_path(environment)
    if not os.path.exists(path):  # noqa: PTH110 - never raises
        return KerasSettings(path)
    try:
        settings = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        return KerasSettings(
            path,
            fault=tr(
                "it cannot be read: {error_strerror}", error_strerror=safe_text(reason_of(error))
            ),
        )
    except ValueError as error:
        return KerasSettings(
            path, ignored=tr("it is not JSON: {error}", error=safe_text(error, 80))
        )
    except RecursionError:
        return KerasSettings(path, fault=tr("it is nested too deep"))
    if not isinstance(settings, dict):
        return KerasSettings(path, fault=tr("it is not a JSON object"))
    backend = settings.get("backend", "")
    fault = _fault(settings, backend_counts=not environment.get(VARIABLE))
    return KerasSettings(path, backend if isinstance(backend, str) else "", fault)


def settings_path(environment: Mapping[str, str]) -> Path:
    """Return where Keras looks: $KERAS_HOME, else ~/.keras, else a folder that all users share."""
    if (folder := environment.get("KERAS_HOME")) is None:
        home = _home(environment)
        folder = f"{home if os.access(home, os.W_OK) else _SHARED}/.keras"
    elif folder == "~" or folder.startswith("~/"):
        folder = _home(environment) + folder[1:]
    return Path(WORKING_FOLDER, folder, "keras.json")


def _home(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME")
    return pwd.getpwuid(os.getuid()).pw_dir if home is None else home.rstrip("/") or "/"


def _fault(settings: dict[str, Any], backend_counts: bool) -> str:
    """Describe the first value that Keras refuses."""
    for key, allowed in (("floatx", FLOATS), ("image_data_format", CHANNEL_ORDERS)):
        if key in settings and settings[key] not in allowed:
            return tr(
                "{key} is {shown}; allowed: {choices}",
                key=key,
                shown=_shown(settings[key]),
                choices=format_choices(list(allowed)),
            )
    if not isinstance(settings.get("epsilon", 1e-7), float):
        return tr(
            "epsilon is {shown}; allowed: a fraction such as 1e-07",
            shown=_shown(settings["epsilon"]),
        )
    backend = settings.get("backend", "-")
    if backend_counts and not (isinstance(backend, str) and backend):
        return tr("backend is {shown}; allowed: the name of a backend", shown=_shown(backend))
    return ""


def _shown(value: Any) -> str:
    return safe_text(json.dumps(value), 40)
