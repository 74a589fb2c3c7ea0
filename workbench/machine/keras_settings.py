"""Keras's own settings file, read as Keras reads it whenever it is imported.

What it says of floats and of the order of channels is overruled (see `training.backend`); a value
that Keras refuses keeps it from being imported at all.
"""

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.runs.process import WORKING_FOLDER
from workbench.text import one_of, safe_text

DEFAULT, VARIABLE = "tensorflow", "KERAS_BACKEND"
FLOATS = ("float16", "float32", "float64")
ORDERS = ("channels_last", "channels_first")
_SHARED = "/tmp"  # where Keras goes whose home cannot be written


@dataclass(frozen=True)
class KerasSettings:
    """What the file comes to.

    Attributes:
        path: where it is, or would be.
        backend: that it names, "" for none.
        fault: why Keras cannot be imported with it, in a few words; "" where it can.
        passed_over: why Keras makes nothing of it, likewise; "" where it does or there is none.
    """

    path: Path
    backend: str = ""
    fault: str = ""
    passed_over: str = ""


def read_settings(environment: Mapping[str, str]) -> KerasSettings:
    """Read the file that a worker with these variables would find."""
    path = settings_path(environment)
    if not os.path.exists(path):  # noqa: PTH110 - never raises
        return KerasSettings(path)
    try:
        told = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        return KerasSettings(path, fault=f"it cannot be read: {safe_text(error.strerror)}")
    except ValueError as error:
        return KerasSettings(path, passed_over=f"it is no JSON: {safe_text(error, 80)}")
    except RecursionError:
        return KerasSettings(path, fault="it is nested too deep")
    if not isinstance(told, dict):
        return KerasSettings(path, fault="it holds no table of settings")
    backend = told.get("backend", "")
    fault = _fault(told, backend_counts=not environment.get(VARIABLE))
    return KerasSettings(path, backend if isinstance(backend, str) else "", fault)


def named_backend(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the backend that Keras will take, and the variable or file that names it, or ""."""
    if chosen := environment.get(VARIABLE):
        return chosen, VARIABLE
    settings = read_settings(environment)
    return (settings.backend, str(settings.path)) if settings.backend else (DEFAULT, "")


def settings_path(environment: Mapping[str, str]) -> Path:
    """Return where Keras looks: $KERAS_HOME, else ~/.keras, else a folder that all share."""
    if (folder := environment.get("KERAS_HOME")) is None:
        home = _home(environment)
        folder = f"{home if os.access(home, os.W_OK) else _SHARED}/.keras"
    elif folder == "~" or folder.startswith("~/"):
        folder = _home(environment) + folder[1:]
    return Path(WORKING_FOLDER, folder, "keras.json")


def _home(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME")
    return pwd.getpwuid(os.getuid()).pw_dir if home is None else home.rstrip("/") or "/"


def _fault(told: dict[str, Any], backend_counts: bool) -> str:
    """The first value that Keras refuses."""
    for key, allowed in (("floatx", FLOATS), ("image_data_format", ORDERS)):
        if key in told and told[key] not in allowed:
            return f"{key} is {_shown(told[key])}; allowed: {one_of(list(allowed))}"
    if not isinstance(told.get("epsilon", 1e-7), float):
        return f"epsilon is {_shown(told['epsilon'])}; allowed: a fraction such as 1e-07"
    if backend_counts and not (
        isinstance(told.get("backend", "-"), str) and told.get("backend", "-")
    ):
        return f"backend is {_shown(told['backend'])}; allowed: the name of one"
    return ""


def _shown(value: Any) -> str:
    return safe_text(json.dumps(value), 40)
