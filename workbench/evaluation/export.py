"""A model in the formats of other programs, with its labels and preprocessing inside."""

import importlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from workbench.evaluation.model_file import LoadedModel, save_model
from workbench.export.formats import FORMATS
from workbench.export.preparation import LABELS, PREPROCESSING, labels_text, preprocessing
from workbench.files import write_atomic

# Where TensorFlow's SavedModel keeps what people add and its own loader passes over.
EXTRA = "assets.extra"

Files = Mapping[str, str]  # contents by name


def companions(loaded: LoadedModel) -> Files:
    """The files that go along with the model and inside it: labels and preprocessing."""
    told = json.dumps(preprocessing(loaded.spec, loaded.labels, loaded.levels), indent=1)
    return {LABELS: labels_text(loaded.labels), PREPROCESSING: told + "\n"}


def export_model(name: str, loaded: LoadedModel, folder: Path) -> None:
    """Writes a model in one format.

    Weights are float32 in each, the optimizer's state is left out.

    Args:
        name: of `formats.FORMATS`; its packages are there.
        folder: where the format's file goes.

    Raises:
        OSError: it cannot be written.
    """
    write = {"keras": _keras, "savedmodel": _saved_model, "onnx": _onnx, "litert": _litert}[name]
    write(loaded, folder / FORMATS[name].file)


def _keras(loaded: LoadedModel, path: Path) -> None:
    save_model(
        path, loaded.model, loaded.spec, loaded.labels, loaded.levels
    )  # its contract says all of it


def _saved_model(loaded: LoadedModel, path: Path) -> None:
    loaded.model.export(path, format="tf_saved_model", verbose=False)
    (path / EXTRA).mkdir()
    for name, content in companions(loaded).items():
        write_atomic(path / EXTRA / name, content)


def _onnx(loaded: LoadedModel, path: Path) -> None:
    onnx = importlib.import_module("onnx")
    loaded.model.export(path, format="onnx", verbose=False)
    model = onnx.load(path)
    for key, value in companions(loaded).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)


def _litert(loaded: LoadedModel, path: Path) -> None:
    loaded.model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # as LiteRT's own metadata lies behind the model
        for name, content in companions(loaded).items():
            archive.writestr(name, content)
