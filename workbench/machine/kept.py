"""What was tried on this machine, kept in the user's cache folder for the next time.

Each result has a file of its own, named by everything that it depends on: versions, driver,
devices, the variables that matter. What has changed is thus never found, and a file that cannot be
read counts as none.
"""

import json
import os
import platform
import shutil
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from workbench.files import write_atomic
from workbench.machine.backends import read_keras_settings
from workbench.paths import cache_folder

M = TypeVar("M", bound=BaseModel)

# Distributions that decide whether and how a framework trains, by the beginning of their names.
_PACKAGES = (
    "keras-", "tensorflow", "tf_", "jax", "torch-", "triton", "numpy-", "ml_dtypes-", "h5py-",
    "nvidia_",
)  # fmt: skip
_INSTALLED = (".dist-info", ".egg-info")
# Variables that frameworks and the loader of libraries read, by the beginning of their names.
_VARIABLES = (
    "CUDA_", "NVIDIA_", "TF_", "XLA_", "JAX_", "KERAS_", "ONEDNN_", "DNNL_", "OMP_", "MKL_", "KMP_",
    "TORCH_", "PYTORCH_", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME",
)  # fmt: skip
# Those that change messages alone.
_MESSAGES = frozenset({"TF_CPP_MIN_LOG_LEVEL", "TF_CPP_MAX_VLOG_LEVEL"})


def kept_path(kind: str, identity: Mapping[str, Any], environment: Mapping[str, str]) -> Path:
    """Return the file of a result, whether it exists or not.

    Args:
        kind: the beginning of its name.
        identity: everything that the result depends on, as plain values.
        environment: for the cache folder.
    """
    text = json.dumps(identity, sort_keys=True, default=str)
    fingerprint = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
    return cache_folder(environment) / f"{kind}-{fingerprint}.json"


def load_kept(path: Path, model: type[M]) -> M | None:
    """Return a kept result; None where there is none or it cannot be read."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def keep(path: Path, result: BaseModel) -> None:
    """Keep a result.

    Raises:
        OSError: the cache folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, result.model_dump_json(indent=1))


def forget(path: Path) -> None:
    """Keep a result no longer."""
    with suppress(OSError):
        path.unlink()


def software(environment: Mapping[str, str], without: Collection[str] = ()) -> dict[str, Any]:
    """Return the installed packages and the variables that a framework's behaviour depends on.

    Args:
        environment: of the process that would import it.
        without: variables that do not count.
    """
    settings = read_keras_settings(environment)
    return {
        "python": [platform.python_version(), sys.prefix],
        "packages": installed_packages(sys.path),
        "keras": [settings.backend, settings.fault],
        "ptxas": shutil.which("ptxas", path=environment.get("PATH", "")),  # XLA's compiler
        "variables": {
            name: value
            for name, value in sorted(environment.items())
            if name.startswith(_VARIABLES) and name not in {*_MESSAGES, *without}
        },
    }


def installed_packages(folders: Collection[str]) -> list[str]:
    """Return names with versions of the packages that matter, by the folders of their metadata."""
    found: set[str] = set()
    for folder in folders:
        with suppress(OSError):
            found.update(
                name
                for name in os.listdir(folder or ".")  # noqa: PTH208 - a third of the time
                if name.endswith(_INSTALLED) and name.lower().startswith(_PACKAGES)
            )
    return sorted(found)
