"""The formats that a model can be taken home in: their files, what they need, how to load them."""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import UserError
from workbench.machine.keras_settings import DEFAULT, named_backend
from workbench.text import safe_text

# Above this the probabilities of an exported model are not those of the run's: all formats hold
# float32, and only the order of additions differs.
BOUND = 1e-4


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: as it is asked for.
        title: as people call it.
        file: of the model, in the folder of the export.
        packages: by the module that is imported, what pip calls it; beyond the workbench's own.
        labels_at: where labels and preprocessing lie inside.
        loading: Python lines to load it; `images` is float32, (n, height, width, channels).
        tensorflow: True where only Keras on TensorFlow can write it.
    """

    name: str
    title: str
    file: str
    packages: dict[str, str]
    labels_at: str
    loading: tuple[str, ...]
    tensorflow: bool = True


_KERAS = Format(
    "keras",
    "Keras",
    "model.keras",
    {},
    "`workbench.json` in the file, which is a zip",
    (
        "import keras",
        'model = keras.models.load_model("model.keras")',
        "probabilities = model.predict(images)",
    ),
    tensorflow=False,
)
_SAVED_MODEL = Format(
    "savedmodel",
    "TensorFlow SavedModel",
    "saved_model",
    {},
    "`saved_model/assets.extra/`",
    (
        "import tensorflow as tf",
        'model = tf.saved_model.load("saved_model")',
        "probabilities = model.serve(images).numpy()",
    ),
)
_ONNX = Format(
    "onnx",
    "ONNX",
    "model.onnx",
    {"onnx": "onnx", "tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"},
    "the model's `metadata_props`, as JSON",
    (
        "import onnxruntime",
        'session = onnxruntime.InferenceSession("model.onnx")',
        "(probabilities,) = session.run(None, {session.get_inputs()[0].name: images})",
        "metadata = session.get_modelmeta().custom_metadata_map",
    ),
)
_LITERT = Format(
    "litert",
    "LiteRT",
    "model.tflite",
    {"ai_edge_litert": "ai-edge-litert"},
    "files in the model, which is a zip too",
    (
        "from ai_edge_litert.interpreter import Interpreter",
        'run = Interpreter("model.tflite").get_signature_runner("serving_default")',
        "(probabilities,) = run(image=images).values()",
    ),
)
FORMATS = {one.name: one for one in (_KERAS, _SAVED_MODEL, _ONNX, _LITERT)}


def check_formats(names: Sequence[str]) -> None:
    """Looks whether formats can be written and read back here, without importing anything.

    Raises:
        UserError: a package is missing, or the backend cannot write it.
    """
    backend, named_by = named_backend(os.environ)
    for name in names:
        wanted = FORMATS[name]
        if wanted.tensorflow and backend != DEFAULT:
            is_set = f"{safe_text(named_by)} is {safe_text(backend, 40)}"
            raise UserError(
                f"{wanted.title} is written by Keras on TensorFlow; {is_set}.",
                "Give the command with KERAS_BACKEND=tensorflow: a model of the workbench opens on "
                "each.",
            )
        missing = [
            package
            for module, package in wanted.packages.items()
            if importlib.util.find_spec(module) is None
        ]
        if missing:
            are = "is" if len(missing) == 1 else "are"
            raise UserError(
                f"{wanted.title} needs {', '.join(wanted.packages.values())}, to write the model "
                f"and to look whether it still gives the same answers; "
                f"{' and '.join(missing)} {are} not installed.",
                f"Install: pip install {' '.join(missing)}",
            )
