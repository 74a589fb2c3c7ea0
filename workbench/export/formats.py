"""The formats of exported models: files, packages, how to load them.

A new format takes two places: its entry in `FORMATS` here, and the functions that write it and
load it for comparison in `evaluation/export.py`. What is exported of a run but is no model, such as
a report, is an item in `app/export.py`.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.errors import UserError
from workbench.machine.backends import DEFAULT
from workbench.messages import tr

# Largest difference of a probability between an exported model and the run's: all formats hold
# float32, and only the order of additions differs.
MAX_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class ExportFormat:
    """A format.

    Attributes:
        name: on the command line.
        title: for people.
        file: of the model, in the folder of the export.
        reader: who reads such a file.
        labels_at: where labels and preprocessing are inside.
        loading: Python lines to load it; `images` is float32, (n, height, width, channels).
        packages: pip's name by module, of packages beyond the workbench's own.
        backend: of Keras that can write it; "" for any.
    """

    name: str
    title: str
    file: str
    reader: str
    labels_at: str
    loading: tuple[str, ...]
    packages: dict[str, str] = field(default_factory=dict)
    backend: str = DEFAULT


_FORMATS = (
    ExportFormat(
        name="keras",
        title="Keras",
        file="model.keras",
        reader=tr("Keras 3 on TensorFlow, JAX or PyTorch: to predict, or to train on"),
        labels_at=tr("`workbench.json` in the file, which is a zip"),
        loading=(
            "import keras",
            'model = keras.models.load_model("model.keras")',
            "probabilities = model.predict(images)",
        ),
        backend="",
    ),
    ExportFormat(
        name="savedmodel",
        title=tr("TensorFlow SavedModel"),
        file="saved_model",
        reader=tr("TensorFlow alone, without Keras, and TensorFlow Serving: for a server"),
        labels_at="`saved_model/assets.extra/`",
        loading=(
            "import tensorflow as tf",
            'model = tf.saved_model.load("saved_model")',
            "probabilities = model.serve(images).numpy()",
        ),
    ),
    ExportFormat(
        name="onnx",
        title="ONNX",
        file="model.onnx",
        reader=tr("ONNX Runtime, and with it C++, C#, Java and JavaScript: without TensorFlow"),
        labels_at=tr("the model's `metadata_props`, as JSON"),
        loading=(
            "import onnxruntime",
            'session = onnxruntime.InferenceSession("model.onnx")',
            "(probabilities,) = session.run(None, {session.get_inputs()[0].name: images})",
            "metadata = session.get_modelmeta().custom_metadata_map",
        ),
        packages={"onnx": "onnx", "tf2onnx": "tf2onnx", "onnxruntime": "onnxruntime"},
    ),
    ExportFormat(
        name="litert",
        title="LiteRT",
        file="model.tflite",
        reader=tr("LiteRT, once TensorFlow Lite: for phones and small computers"),
        labels_at=tr("files in the model, which is also a zip"),
        loading=(
            "from ai_edge_litert.interpreter import Interpreter",
            'run = Interpreter("model.tflite").get_signature_runner("serving_default")',
            "(probabilities,) = run(image=images).values()",
        ),
        packages={"ai_edge_litert": "ai-edge-litert"},
    ),
)
FORMATS = {one.name: one for one in _FORMATS}


def check_formats(names: Sequence[str]) -> None:
    """Check that formats can be written and read back here, without importing anything.

    Raises:
        UserError: a package is missing.
    """
    for name in names:
        wanted = FORMATS[name]
        packages = dict(wanted.packages)
        if wanted.backend:  # a model opens on each backend, so that of its run does not matter
            packages[wanted.backend] = wanted.backend
        missing = [
            package
            for module, package in packages.items()
            if importlib.util.find_spec(module) is None
        ]
        if missing:
            raise UserError(
                tr(
                    "{title} needs {packages}, to write the model and to check its predictions.",
                    title=wanted.title,
                    packages=", ".join(packages.values()),
                )
                + f" {_not_installed(missing)}",
                tr("Install: pip install {missing}", missing=" ".join(missing)),
            )


def _not_installed(packages: Sequence[str]) -> str:
    if len(packages) == 1:
        return tr("{package} is not installed.", package=packages[0])
    names = tr("{first} and {last}", first=", ".join(packages[:-1]), last=packages[-1])
    return tr("{packages} are not installed.", packages=names)
