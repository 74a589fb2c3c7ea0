"""Writes a model in the formats of other programs, with labels and preprocessing inside."""

import importlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from workbench.evaluation.model_file import LoadedModel, save_model
from workbench.export.formats import FORMATS
from workbench.export.preparation import LABELS, PREPROCESSING, format_labels, preprocessing
from workbench.files import write_atomic

# Where TensorFlow's SavedModel keeps additional files, which its own loader ignores.
EXTRA = "assets.extra"

Files = Mapping[str, str]  # contents by name


def metadata_files(loaded: LoadedModel) -> Files:
    """Return the files written beside and into the model: labels and preprocessing."""
    content = json.dumps(preprocessing(loaded.spec, loaded.labels, loaded.levels), indent=1)
    return {LABELS: format_labels(loaded.labels), PREPROCESSING: content + "\n"}


def export_model(name: str, loaded: LoadedModel, folder: Path) -> None:
    """Write a model in one format.

    Weights are float32 in each format, the optimizer's state is left out.

    Args:
        name: of `formats.FORMATS`; its packages are installed.
        loaded: the model.
        folder: for the format's file.

    Raises:
        OSError: it cannot be written.
    """
    write = {"keras": _keras, "savedmodel": _saved_model, "onnx": _onnx, "litert": _litert}[name]
    write(loaded, folder / FORMATS[name].file)


def _keras(loaded: LoadedModel, path: Path) -> None:
    # Labels and preprocessing are in its contract.
    save_model(path, loaded.model, loaded.spec, loaded.labels, loaded.levels)


def _saved_model(loaded: LoadedModel, path: Path) -> None:
    loaded.model.export(path, format="tf_saved_model", verbose=False)
    (path / EXTRA).mkdir()
    for name, content in metadata_files(loaded).items():
        write_atomic(path / EXTRA / name, content)


def _onnx(loaded: LoadedModel, path: Path) -> None:
    onnx = importlib.import_module("onnx")
    loaded.model.export(path, format="onnx", verbose=False)
    model = onnx.load(path)
    for key, value in metadata_files(loaded).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)


def _litert(loaded: LoadedModel, path: Path) -> None:
    loaded.model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # LiteRT's own metadata is appended too
        for name, content in metadata_files(loaded).items():
            archive.writestr(name, content)
