"""Tiny networks whose outputs a test can compute by hand."""

from typing import Any

import numpy as np

from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.toml import parse_spec
from workbench.training.models import build_model

SIDE = 8


def network(labels: tuple[str, ...], **model: Any) -> LoadedModel:
    """A convnet on grey images of 8x8, with weights and biases drawn by numpy."""
    tree = {
        "data": {"source": "x", "image_size": [SIDE, SIDE], "channels": 1},
        "model": {"strategy": "convnet", "filters": [3], "pooling": False, "dropout": 0.0, **model},
    }
    spec = parse_spec(tree, "test")
    built = build_model(spec, len(labels))
    random = np.random.default_rng(5)
    built.set_weights([random.normal(size=w.shape).astype(np.float32) for w in built.get_weights()])
    return LoadedModel(built, labels, spec)


def on_base(name: str, size: int, strategy: str = "feature-extraction") -> LoadedModel:
    """A frozen base with random weights."""
    tree = {
        "data": {"source": "x", "image_size": [size, size]},
        "model": {"strategy": strategy},
        "base": {"name": name, "weights": "random"},
    }
    spec = parse_spec(tree, "test")
    return LoadedModel(build_model(spec, 3), ("a", "b", "c"), spec)


def noise(side: int = SIDE, channels: int = 1) -> np.ndarray:
    """uint8 (side, side, channels)."""
    return np.random.default_rng(2).integers(0, 256, (side, side, channels), dtype=np.uint8)


def convolved(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The output of conv1, window by window: (h - k + 1, w - k + 1, filters)."""
    pixels, k = image / 255.0, kernel.shape[0]
    rows, columns = (side - k + 1 for side in pixels.shape[:2])
    output = np.zeros((rows, columns, kernel.shape[3]))
    for row in range(rows):
        for column in range(columns):
            window = pixels[row : row + k, column : column + k]
            output[row, column] = np.tensordot(window, kernel, 3) + bias
    return np.maximum(output, 0)
