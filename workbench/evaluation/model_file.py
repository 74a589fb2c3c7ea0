"""The finished model, `model.keras`: weights, and a contract that says how to use them.

Whatever made it, a model file is never trusted to bring code: the network is built anew from the
spec in the contract, and only numbers are read from the file, no more of them than the network has.
"""

import errno
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import keras
import psutil

from workbench import __version__
from workbench.datasets.deep import Levels
from workbench.errors import UserError
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, spec_tree
from workbench.files import atomic_file
from workbench.text import human_bytes, safe_text
from workbench.training.hdf5 import DAMAGE, ForeignFile, stored_layers
from workbench.training.models import build_model

CONTRACT = "workbench.json"
WEIGHTS = "model.weights.h5"  # as Keras names it
FORMAT = 1
MOST_CONTRACT = 1 << 24  # bytes

_FLOAT = 4  # bytes
# The weights with two numbers of an optimizer for each, and what HDF5 adds to every layer.
_MOST_COPIES, _AROUND = 4, 1 << 24
_MOST_RATIO = 20  # Keras does not compress at all

# What readers of zip, JSON and HDF5 raise over damaged and forged files.
_DAMAGE = (*DAMAGE, zipfile.BadZipFile, zlib.error, EOFError)


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to predict.

    Attributes:
        model: takes raw 0-255 images (n, height, width, channels).
        labels: what each output column means.
        spec: size, channels, resize and decode of its images are in `spec.data`.
        levels: the values that become 0 and 255 of an image with 16 bits a channel; None where
            no training image had them.
    """

    model: keras.Model
    labels: tuple[str, ...]
    spec: ExperimentSpec
    levels: Levels | None = None


def save_model(
    path: Path,
    model: keras.Model,
    spec: ExperimentSpec,
    labels: tuple[str, ...],
    levels: Levels | None = None,
) -> None:
    """Writes the model with its contract inside; an existing file is replaced only when whole.

    Args:
        levels: as its manifest has them, see `LoadedModel`.

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
    if levels:
        contract["levels"] = str(levels)
    with atomic_file(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(CONTRACT, json.dumps(contract, indent=1))
        with zipfile.ZipFile(temporary) as archive:
            if damaged := archive.testzip():
                raise OSError(errno.EIO, f"{damaged} in it reads back differently", str(path))
        _read_contract(temporary)


def load_model(path: Path) -> LoadedModel:
    """Builds the network from the contract and reads the weights.

    Raises:
        UserError: no such file, or none that the workbench wrote.
    """
    labels, spec, levels = _read_contract(path)
    _refuse_giant(path, image_bytes(spec, len(labels)))
    parameters = sum(row.parameters for row in layer_rows(spec, len(labels)))
    with _damage_in_words(path):
        content = _weights(path, parameters)
    model = build_model(spec, len(labels))
    with _damage_in_words(path), h5py.File(io.BytesIO(content), "r") as file:
        _set_weights(model, file)
    return LoadedModel(model, labels, spec, levels)


def image_bytes(spec: ExperimentSpec, classes: int) -> int:
    """Memory that one image takes on its way through the network: the widest two layers."""
    maps = [math.prod(row.output_shape) for row in layer_rows(spec, classes)]
    return 2 * _FLOAT * max(maps, default=0)


def _refuse_giant(path: Path, needed: int) -> None:
    available = psutil.virtual_memory().available
    if needed > available:
        raise UserError(
            f"{safe_text(path)} cannot be used: one image takes {human_bytes(needed)} in its "
            f"network, and {human_bytes(available)} of memory are free."
        )


def _weights(path: Path, parameters: int) -> bytes:
    """The file of weights inside, whose size fits the network; its check sum was looked at.

    Raises:
        ForeignFile: it announces another size than so many numbers have, or hides it.
    """
    least = _FLOAT * parameters
    with zipfile.ZipFile(path) as archive:
        stored = archive.getinfo(WEIGHTS)
        size = stored.file_size
        if not least <= size <= _MOST_COPIES * least + _AROUND:
            raise ForeignFile(
                f"{human_bytes(size)} of weights, but the network of its contract has "
                f"{parameters:,} numbers, {human_bytes(least)}"
            )
        if size > max(_AROUND, _MOST_RATIO * stored.compress_size):
            raise ForeignFile(f"they grow from {stored.compress_size:,} to {size:,} bytes")
        return archive.read(stored)


def _set_weights(model: keras.Model, file: h5py.File) -> None:
    """Layers are matched by name; every shape is looked at before the first number is read.

    Raises:
        ForeignFile: layers or shapes are others.
    """
    wanted = {layer.name: layer.weights for layer in model.layers if layer.weights}
    stored = {layer.name: layer for layer in stored_layers(file)}
    if wanted.keys() != stored.keys():
        odd = min(wanted.keys() ^ stored.keys())
        raise ForeignFile(f"the layer {safe_text(odd)} is only in one of contract and weights")
    for name, variables in wanted.items():
        shapes = tuple(tuple(variable.shape) for variable in variables)
        if stored[name].shapes != shapes:
            raise ForeignFile(
                f"the layer {name} has the shapes {stored[name].shapes}, expected {shapes}"
            )
    for name, variables in wanted.items():
        for variable, value in zip(variables, stored[name].values(), strict=True):
            variable.assign(value)


def _read_contract(path: Path) -> tuple[tuple[str, ...], ExperimentSpec, Levels | None]:
    if not os.path.isfile(path):  # noqa: PTH113 - never raises
        raise UserError(f"There is no model file {safe_text(path)}.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(CONTRACT).file_size
            if size > MOST_CONTRACT:
                raise ValueError(f"its {CONTRACT} announces {size:,} bytes")
            contract: dict[str, Any] = json.loads(archive.read(CONTRACT))
            if contract["format"] > FORMAT:
                raise ValueError(f"it was written by a newer workbench, {contract['workbench']}")
        levels = Levels.parse(contract["levels"]) if contract.get("levels") else None
        spec = parse_spec(contract["spec"], f"{path.name}/{CONTRACT}")
        return _labels(contract["labels"]), spec, levels
    except (KeyError, TypeError, AttributeError):
        raise _no_model(path, f"it holds no whole {CONTRACT}") from None
    except RecursionError:
        raise _no_model(path, f"its {CONTRACT} lies too deep in itself") from None
    except _DAMAGE as error:
        raise _no_model(path, safe_text(error)) from None


def _labels(given: Any) -> tuple[str, ...]:
    """Raises ValueError where these are no labels of a classifier."""
    if not (isinstance(given, list) and len(given) >= 2):
        raise ValueError("its labels are no list of two or more")
    for label in given:
        if not (isinstance(label, str) and label):
            raise ValueError(f"a label is {label!r}")
        label.encode("utf-8", "surrogateescape")  # bytes of a folder's name pass, half text not
    return tuple(given)


@contextmanager
def _damage_in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except ForeignFile as error:
        raise _no_weights(path, error.problem) from None
    except _DAMAGE as error:
        raise _no_weights(path, f"it is damaged ({safe_text(error)})") from None


def _no_weights(path: Path, why: str) -> UserError:
    return UserError(f"The weights in {safe_text(path)} cannot be read: {why}.")


def _no_model(path: Path, why: str) -> UserError:
    return UserError(
        f"{safe_text(path)} is no model of the workbench: {why}.",
        "Give the model.keras of a finished run, or the run's name.",
    )
