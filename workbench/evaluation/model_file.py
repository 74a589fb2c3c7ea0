"""The finished model, `model.keras`: weights, and a contract that says how to use them.

A model file is never trusted to bring code: the network is built from the spec in the contract, and
only numbers are read from the file, no more of them than the network has.
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
from workbench.datasets.sixteen_bit import Levels
from workbench.errors import UserError
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, spec_tree
from workbench.files import atomic_file
from workbench.messages import tr
from workbench.text import format_bytes, safe_text
from workbench.training.hdf5 import DAMAGE, ForeignFile, stored_layers
from workbench.training.models import build_model

CONTRACT = "workbench.json"
WEIGHTS = "model.weights.h5"  # as Keras names it
FORMAT = 2
PLAIN = 1  # format of a file that holds the network itself, and not a model around it
_INNER = "layers/functional"  # where Keras stores the layers of a model inside another one
MAX_CONTRACT_BYTES = 1 << 24

_FLOAT = 4  # bytes
# The weights with two numbers of an optimizer for each, and the overhead of HDF5 for every layer.
_MAX_COPIES, _OVERHEAD = 4, 1 << 24
_MAX_RATIO = 20  # Keras does not compress at all

# What readers of zip, JSON and HDF5 raise on damaged and forged files.
_DAMAGE = (*DAMAGE, zipfile.BadZipFile, zlib.error, EOFError)


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to predict.

    Attributes:
        model: takes raw 0-255 images (n, height, width, channels).
        labels: of the output columns.
        spec: size, channels, resize and decode of its images are in `spec.data`.
        levels: the values of images with 16 bits a channel that become 0 and 255; None if no
            training image had 16 bits.
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
    mirrored: bool = False,
) -> None:
    """Write the model with its contract inside; replace an existing file only when complete.

    Args:
        path: of the file.
        model: the network, or with `mirrored` a `mirrored_model` around it.
        spec: of the network.
        labels: of its outputs.
        levels: of the manifest, see `LoadedModel`.
        mirrored: whether the model averages the predictions of mirror images by itself.

    Raises:
        OSError: it cannot be written.
    """
    contract = {
        "format": FORMAT if mirrored else PLAIN,
        "workbench": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": "raw pixel values 0-255, RGB or grey as spec.data.channels says",
        "output": f"probability of {labels[1]!r}" if len(labels) == 2 else "one per label",
        "labels": list(labels),
        "spec": spec_tree(spec),
    }
    if levels:
        contract["levels"] = str(levels)
    if mirrored:
        contract["mirrored"] = True
    with atomic_file(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(CONTRACT, json.dumps(contract, indent=1))
        with zipfile.ZipFile(temporary) as archive:
            if damaged := archive.testzip():
                raise OSError(errno.EIO, f"{damaged} in it reads back differently", str(path))
        _read_contract(temporary)


def load_model(path: Path) -> LoadedModel:
    """Build the network from the contract and read the weights.

    Of a model that averages the predictions of mirror images by itself it is the network inside.

    Raises:
        UserError: there is no such file, or the workbench did not write it.
    """
    labels, spec, levels, mirrored = _read_contract(path)
    _refuse_giant(path, image_bytes(spec, len(labels)))
    parameters = sum(row.parameters for row in layer_rows(spec, len(labels)))
    with _explain_damage(path):
        content = _read_weights(path, parameters)
    model = build_model(spec, len(labels))
    with _explain_damage(path), h5py.File(io.BytesIO(content), "r") as file:
        _set_weights(model, file, _INNER if mirrored else "")
    return LoadedModel(model, labels, spec, levels)


def image_bytes(spec: ExperimentSpec, classes: int) -> int:
    """Return the memory of one image in the network: twice the widest layer."""
    maps = [math.prod(row.output_shape) for row in layer_rows(spec, classes)]
    return 2 * _FLOAT * max(maps, default=0)


def _refuse_giant(path: Path, needed: int) -> None:
    available = psutil.virtual_memory().available
    if needed > available:
        raise UserError(
            tr(
                "{path} cannot be used: one image takes {needed} in its network, "
                "and {available} of memory are free.",
                path=safe_text(path),
                needed=format_bytes(needed),
                available=format_bytes(available),
            )
        )


def _read_weights(path: Path, parameters: int) -> bytes:
    """Return the file of weights inside, after checking its size and checksum.

    Raises:
        ForeignFile: its size does not fit so many numbers, or it is compressed too well.
    """
    least = _FLOAT * parameters
    with zipfile.ZipFile(path) as archive:
        stored = archive.getinfo(WEIGHTS)
        size = stored.file_size
        if not least <= size <= _MAX_COPIES * least + _OVERHEAD:
            raise ForeignFile(
                tr(
                    "{size} of weights, but the network of its contract has "
                    "{parameters:,} numbers, {least}",
                    size=format_bytes(size),
                    parameters=parameters,
                    least=format_bytes(least),
                )
            )
        if size > max(_OVERHEAD, _MAX_RATIO * stored.compress_size):
            raise ForeignFile(
                tr(
                    "they grow from {compress_size:,} to {size:,} bytes",
                    compress_size=stored.compress_size,
                    size=size,
                )
            )
        return archive.read(stored)


def _set_weights(model: keras.Model, file: h5py.File, inside: str) -> None:
    """Set the weights by layer name; check every shape before the first number is read.

    `inside` is the group of the file that holds the network; "" for the file itself.

    Raises:
        ForeignFile: layers or shapes differ.
    """
    expected = {layer.name: layer.weights for layer in model.layers if layer.weights}
    stored = {layer.name: layer for layer in stored_layers(file, inside)}
    if expected.keys() != stored.keys():
        odd = min(expected.keys() ^ stored.keys())
        raise ForeignFile(
            tr("the layer {odd} is only in one of contract and weights", odd=safe_text(odd))
        )
    for name, variables in expected.items():
        shapes = tuple(tuple(variable.shape) for variable in variables)
        if stored[name].shapes != shapes:
            raise ForeignFile(
                tr(
                    "the layer {name} has the shapes {shapes}, expected {expected}",
                    name=name,
                    shapes=stored[name].shapes,
                    expected=shapes,
                )
            )
    for name, variables in expected.items():
        for variable, value in zip(variables, stored[name].read(), strict=True):
            variable.assign(value)


def _read_contract(path: Path) -> tuple[tuple[str, ...], ExperimentSpec, Levels | None, bool]:
    """Return labels, spec, levels, and whether the model is around the network."""
    if not os.path.isfile(path):  # noqa: PTH113 - never raises
        raise UserError(tr("There is no model file {path}.", path=safe_text(path)))
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(CONTRACT).file_size
            if size > MAX_CONTRACT_BYTES:
                raise ValueError(f"its {CONTRACT} announces {size:,} bytes")
            contract: dict[str, Any] = json.loads(archive.read(CONTRACT))
            if contract["format"] > FORMAT:
                raise ValueError(f"it was written by a newer workbench, {contract['workbench']}")
        levels = Levels.parse(contract["levels"]) if contract.get("levels") else None
        spec = parse_spec(contract["spec"], f"{path.name}/{CONTRACT}")
        labels = _check_labels(contract["labels"])
        return labels, spec, levels, contract.get("mirrored") is True
    except (KeyError, TypeError, AttributeError):
        raise _no_model(
            path, tr("its {contract} is missing or incomplete", contract=CONTRACT)
        ) from None
    except RecursionError:
        raise _no_model(path, tr("its {contract} is nested too deep", contract=CONTRACT)) from None
    except _DAMAGE as error:
        raise _no_model(path, safe_text(error)) from None


def _check_labels(given: Any) -> tuple[str, ...]:
    """Return the labels; raise ValueError if they are not those of a classifier."""
    if not (isinstance(given, list) and len(given) >= 2):
        raise ValueError("its labels are not a list of two or more")
    for label in given:
        if not (isinstance(label, str) and label):
            raise ValueError(f"a label is {label!r}")
        label.encode(
            "utf-8", "surrogateescape"
        )  # allows bytes of a folder's name, not half characters
    return tuple(given)


@contextmanager
def _explain_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except ForeignFile as error:
        raise _no_weights(path, error.problem) from None
    except _DAMAGE as error:
        raise _no_weights(path, tr("it is damaged ({error})", error=safe_text(error))) from None


def _no_weights(path: Path, why: str) -> UserError:
    return UserError(
        tr("The weights in {path} cannot be read: {why}.", path=safe_text(path), why=why)
    )


def _no_model(path: Path, why: str) -> UserError:
    return UserError(
        tr("{path} is not a model of the workbench: {why}.", path=safe_text(path), why=why),
        tr("Give the model.keras of a finished run, or the run's name."),
    )
