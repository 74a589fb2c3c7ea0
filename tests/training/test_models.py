"""The tables of a convnet agree with Keras; the model takes raw 0-255 images."""

import keras
import numpy as np
import pytest

from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.training.models import build_model


def make_spec(model: dict, size: tuple[int, int] = (28, 28), channels: int = 1) -> ExperimentSpec:
    return parse_spec(
        {"data": {"source": "x", "image_size": list(size), "channels": channels}, "model": model},
        "test",
    )


@pytest.mark.parametrize(
    ("model", "size", "channels", "classes"),
    [
        ({"strategy": "dense", "dense_units": [16, 8]}, (28, 28), 1, 10),
        ({"strategy": "dense", "dense_units": []}, (9, 8), 3, 2),
        ({"strategy": "convnet", "filters": [4, 8]}, (28, 30), 3, 2),
        ({"strategy": "convnet", "filters": [4, 8], "padding": "same"}, (27, 31), 1, 3),
        ({"strategy": "convnet", "filters": [4, 8], "stride": 2, "pooling": False}, (33, 20), 1, 3),
        (
            {"strategy": "convnet", "filters": [4], "stride": 2, "padding": "same",
             "kernel_size": 5, "dropout": 0.5},
            (15, 15), 1, 3,
        ),
        (
            {"strategy": "convnet", "filters": [4, 4, 4], "pooling": [True, False, True],
             "kernel_size": 2},
            (28, 28), 1, 4,
        ),
    ],
)  # fmt: skip
def test_table_agrees_with_keras(
    model: dict, size: tuple[int, int], channels: int, classes: int
) -> None:
    spec = make_spec(model, size, channels)
    built = build_model(spec, classes)
    rows = layer_rows(spec, classes)
    layers = [layer for layer in built.layers if layer.name not in ("image", "rescale")]
    assert [row.name for row in rows] == [layer.name for layer in layers]
    assert [row.output_shape for row in rows] == [tuple(x.output.shape[1:]) for x in layers]
    assert [row.parameters for row in rows] == [layer.count_params() for layer in layers]


def test_one_seed_gives_one_network() -> None:
    spec = make_spec({"strategy": "convnet", "filters": [4]})
    first, second = build_model(spec, 3), build_model(spec, 3)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_raw_images_are_rescaled_inside() -> None:
    spec = make_spec({"strategy": "dense", "dense_units": []})
    model = build_model(spec, 2)
    images = np.full((1, 28, 28, 1), 255, np.uint8)
    weights = model.get_layer("output").get_weights()
    logit = weights[0].sum() + weights[1][0]  # every pixel is 1 after rescaling
    found = model.predict(images, verbose=0)
    assert found == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-5)


def test_outputs() -> None:
    spec = make_spec({"strategy": "dense", "dense_units": []})
    assert build_model(spec, 2).output_shape == (None, 1)
    assert build_model(spec, 3).output_shape == (None, 3)
    assert build_model(spec, 2).layers[-1].activation is keras.activations.sigmoid
    assert build_model(spec, 3).layers[-1].activation is keras.activations.softmax
