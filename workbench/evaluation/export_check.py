"""Predictions of an exported model, loaded as its user will load it.

It runs in a process without the original model, so that anything missing in the file shows.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 8  # small, since memory is not checked here

Predict = Callable[[np.ndarray], np.ndarray]


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


def load_exported(name: str, path: Path) -> Predict:
    """Load an exported model of a format of `formats.FORMATS`.

    Returns:
        A function from float32 images (n, height, width, channels), raw 0-255, to probabilities
        (n, outputs).
    """
    load = {"keras": _keras, "savedmodel": _saved_model, "onnx": _onnx, "litert": _litert}[name]
    return load(path)


def _keras(path: Path) -> Predict:
    import keras

    return keras.models.load_model(path).predict_on_batch


def _saved_model(path: Path) -> Predict:
    import keras

    return keras.layers.TFSMLayer(path, call_endpoint="serve")


def _onnx(path: Path) -> Predict:
    runtime = importlib.import_module("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _litert(path: Path) -> Predict:
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(path))
    run = interpreter.get_signature_runner("serving_default")
    return lambda images: next(iter(run(image=images).values()))
