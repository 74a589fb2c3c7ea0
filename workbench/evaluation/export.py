"""Writes a model in the formats of other programs, and loads such files as their users will.

Labels and preprocessing are written inside. A file is loaded in a process without the original
model, so that anything missing in it shows; so keras is only imported for the formats that need it.
"""

import importlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workbench.export.formats import FORMATS
from workbench.export.model_card import LABELS, PREPROCESSING, format_labels, preprocessing
from workbench.files import write_atomic

if TYPE_CHECKING:
    from workbench.evaluation.model_file import LoadedModel

# Where TensorFlow's SavedModel keeps additional files, which its own loader ignores.
EXTRA = "assets.extra"
_ONNX_FLOAT = 1  # ONNX's number of the type float32
BATCH = 8  # small, since memory is not checked here

Files = Mapping[str, str]  # contents by name
Predict = Callable[[np.ndarray], np.ndarray]


def metadata_files(loaded: "LoadedModel") -> Files:
    """Return the files written beside and into the model: labels and preprocessing."""
    content = json.dumps(preprocessing(loaded.spec, loaded.labels, loaded.levels), indent=1)
    return {LABELS: format_labels(loaded.labels), PREPROCESSING: content + "\n"}


def export_model(name: str, loaded: "LoadedModel", folder: Path) -> None:
    """Write a model in one format.

    Weights are float32 in each format, the optimizer's state is left out. If the spec says so, the
    model averages the probabilities of an image and its mirror image.

    Args:
        name: of `formats.FORMATS`; its packages are installed.
        loaded: the model.
        folder: for the format's file.

    Raises:
        OSError: it cannot be written.
    """
    if loaded.spec.evaluation.mirror:
        from workbench.evaluation.mirror import mirrored_model

        loaded = replace(loaded, model=mirrored_model(loaded.model))
    _CODE[name].write(loaded, folder / FORMATS[name].file)


def load_exported(name: str, path: Path) -> Predict:
    """Load an exported model of a format of `formats.FORMATS`.

    Returns:
        A function from float32 images (n, height, width, channels), raw 0-255, to probabilities
        (n, outputs).
    """
    return _CODE[name].load(path)


def predict_in_batches(predict: Predict, images: np.ndarray) -> np.ndarray:
    """Predict images of any number type, which are converted to float32.

    Args:
        predict: from images of a batch to its outputs.
        images: (n, height, width, channels), at least one.

    Returns:
        float32 (n, outputs).
    """
    starts = range(0, len(images), BATCH)
    outputs = [np.asarray(predict(images[at : at + BATCH].astype(np.float32))) for at in starts]
    return np.concatenate(outputs).astype(np.float32)


def _write_keras(loaded: "LoadedModel", path: Path) -> None:
    from workbench.evaluation.model_file import save_model

    # Labels and preprocessing are in its contract.
    mirrored = loaded.spec.evaluation.mirror
    save_model(path, loaded.model, loaded.spec, loaded.labels, loaded.levels, mirrored)


def _load_keras(path: Path) -> Predict:
    import keras

    return keras.models.load_model(path).predict_on_batch


def _write_saved_model(loaded: "LoadedModel", path: Path) -> None:
    loaded.model.export(path, format="tf_saved_model", verbose=False)
    (path / EXTRA).mkdir()
    for name, content in metadata_files(loaded).items():
        write_atomic(path / EXTRA / name, content)


def _load_saved_model(path: Path) -> Predict:
    import keras

    return keras.layers.TFSMLayer(path, call_endpoint="serve")


def _write_onnx(loaded: "LoadedModel", path: Path) -> None:
    onnx = importlib.import_module("onnx")
    loaded.model.export(path, format="onnx", verbose=False)
    model = onnx.load(path)
    _write_erfc_plainly(onnx.helper, model.graph)
    for key, value in metadata_files(loaded).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)


def _write_erfc_plainly(helper: Any, graph: Any) -> None:
    """Replace TensorFlow's erfc, which ONNX has not, by 1 - erf: the activation gelu has it."""
    one, nodes = "one_of_erfc", []
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        inner = f"{node.output[0]}_erf"
        nodes.append(helper.make_node("Erf", [node.input[0]], [inner]))
        nodes.append(helper.make_node("Sub", [one, inner], [node.output[0]]))
    if len(nodes) > len(graph.node):
        graph.initializer.append(helper.make_tensor(one, _ONNX_FLOAT, [], [1.0]))
        del graph.node[:]
        graph.node.extend(nodes)


def _load_onnx(path: Path) -> Predict:
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _write_litert(loaded: "LoadedModel", path: Path) -> None:
    loaded.model.export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:  # LiteRT's own metadata is appended too
        for name, content in metadata_files(loaded).items():
            archive.writestr(name, content)


def _load_litert(path: Path) -> Predict:
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(path))
    run = interpreter.get_signature_runner("serving_default")
    return lambda images: next(iter(run(image=images).values()))


class _Code(NamedTuple):
    """Writes and loads a format."""

    write: Callable[["LoadedModel", Path], None]
    load: Callable[[Path], Predict]


_CODE = {
    "keras": _Code(_write_keras, _load_keras),
    "savedmodel": _Code(_write_saved_model, _load_saved_model),
    "onnx": _Code(_write_onnx, _load_onnx),
    "litert": _Code(_write_litert, _load_litert),
}
