"""The finished model, `model.keras`: weights, and a contract that says how to use them.

Whatever made it, a model file is never trusted to bring code: the network is built anew from the
spec in the contract, and only numbers are read from the file.
"""

import json
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from workbench import __version__
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, spec_tree
from workbench.files import atomic_file
from workbench.text import safe_text
from workbench.training.models import build_model

CONTRACT = "workbench.json"
FORMAT = 1


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to predict.

    Attributes:
        model: takes raw 0-255 images (n, height, width, channels).
        labels: what each output column means.
        spec: size, channels, resize and decode of its images are in `spec.data`.
    """

    model: keras.Model
    labels: tuple[str, ...]
    spec: ExperimentSpec


def save_model(
    path: Path, model: keras.Model, spec: ExperimentSpec, labels: tuple[str, ...]
) -> None:
    """Writes the model with its contract inside; an existing file is replaced only when whole.

    Raises:
        OSError: it cannot be written.
    """
    contract = {
        "format": FORMAT,
        "workbench": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": "raw pixel values 0-255, RGB or grey as spec.data.channels says",
        "output": f"probability of {labels[1]!r}" if len(labels) == 2 else "one per label",
        "labels": list(labels),
        "spec": spec_tree(spec),
    }
    with atomic_file(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(CONTRACT, json.dumps(contract, indent=1))
        _read_contract(temporary)


def load_model(path: Path) -> LoadedModel:
    """Builds the network from the contract and reads the weights.

    Raises:
        UserError: no such file, or none that the workbench wrote.
    """
    labels, spec = _read_contract(path)
    model = build_model(spec, len(labels))
    try:
        with warnings.catch_warnings():
            # Keras only warns of a layer that it finds no weights for.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (ValueError, OSError, KeyError, RuntimeError, UserWarning) as error:
        raise UserError(
            f"The weights in {safe_text(path)} cannot be read: {safe_text(error)}."
        ) from None
    return LoadedModel(model, labels, spec)


def _read_contract(path: Path) -> tuple[tuple[str, ...], ExperimentSpec]:
    if not path.is_file():
        raise UserError(f"There is no model file {safe_text(path)}.")
    try:
        with zipfile.ZipFile(path) as archive:
            contract: dict[str, Any] = json.loads(archive.read(CONTRACT))
            if contract["format"] > FORMAT:
                raise ValueError(f"it was written by a newer workbench, {contract['workbench']}")
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} in it is damaged")
        labels = tuple(str(label) for label in contract["labels"])
        return labels, parse_spec(contract["spec"], f"{path.name}/{CONTRACT}")
    except (KeyError, TypeError, AttributeError):
        raise _no_model(path, f"it holds no whole {CONTRACT}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError) as error:
        raise _no_model(path, safe_text(error)) from None


def _no_model(path: Path, why: str) -> UserError:
    return UserError(
        f"{safe_text(path)} is no model of the workbench: {why}.",
        "Give the model.keras of a finished run, or the run's name.",
    )
