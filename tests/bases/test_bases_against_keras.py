"""The tables match the networks of Keras, and the files are those that Keras downloads."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.utils import file_utils

from workbench.bases.architectures import base_table
from workbench.bases.weights import weights_file

BUILD = {
    "vgg16": keras.applications.VGG16,
    "vgg19": keras.applications.VGG19,
    "mobilenetv2-0.35": lambda **options: keras.applications.MobileNetV2(alpha=0.35, **options),
    "mobilenetv2-1.0": lambda **options: keras.applications.MobileNetV2(alpha=1.0, **options),
}
PREPROCESS = {
    "vgg16": keras.applications.vgg16.preprocess_input,
    "vgg19": keras.applications.vgg19.preprocess_input,
    "mobilenetv2-0.35": keras.applications.mobilenet_v2.preprocess_input,
    "mobilenetv2-1.0": keras.applications.mobilenet_v2.preprocess_input,
}
KINDS: dict[type, str] = {
    layers.Conv2D: "convolution",
    layers.DepthwiseConv2D: "depthwise convolution",
    layers.BatchNormalization: "batch normalization",
    layers.ReLU: "activation",
    layers.MaxPooling2D: "max pooling",
    layers.ZeroPadding2D: "zero padding",
    layers.Add: "add",
}


def numbers(variables: list[Any]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def rows_of(model: keras.Model) -> list[tuple[Any, ...]]:
    """Name, kind, shape, parameters and inputs of each layer, as Keras built it."""
    first, *rest = model.layers
    makers = {id(layer.output): layer.name for layer in rest} | {id(first.output): "image"}
    rows = []
    for layer in rest:
        sources = layer.input if isinstance(layer.input, list) else [layer.input]
        rows.append(
            (
                layer.name,
                KINDS[type(layer)],
                tuple(layer.output.shape[1:]),
                numbers(layer.weights),
                numbers(layer.non_trainable_weights),
                tuple(makers[id(source)] for source in sources),
            )
        )
    return rows


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vgg16", (32, 32)),
        ("vgg16", (150, 150)),
        ("vgg16", (75, 101)),
        ("vgg19", (49, 180)),
        ("mobilenetv2-0.35", (32, 32)),
        ("mobilenetv2-0.35", (33, 47)),
        ("mobilenetv2-0.35", (160, 97)),
        ("mobilenetv2-1.0", (224, 224)),
        ("mobilenetv2-1.0", (75, 58)),
    ],
)
def test_a_table_has_the_layers_that_keras_builds(name: str, size: tuple[int, int]) -> None:
    model = BUILD[name](include_top=False, weights=None, input_shape=(*size, 3))
    table = base_table(name, size)
    assert [
        (
            layer.name,
            layer.kind,
            layer.output_shape,
            layer.parameters,
            layer.non_trainable,
            layer.inputs,
        )
        for layer in table.layers
    ] == rows_of(model)
    assert table.output_shape == tuple(model.output.shape[1:])
    assert table.parameters == model.count_params()
    assert table.input_shape == tuple(model.input.shape[1:])


@pytest.mark.parametrize("name", BUILD)
def test_keras_wants_the_same_smallest_size(name: str) -> None:
    least = base_table(name).smallest_size
    with pytest.raises(ValueError, match=f"{least}"):
        BUILD[name](include_top=False, weights=None, input_shape=(least - 1, least, 3))


@pytest.mark.parametrize("name", BUILD)
def test_preprocessing_is_the_one_keras_has_for_the_base(name: str) -> None:
    image = np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3) * 5
    red, green, blue = np.moveaxis(image.copy(), -1, 0)
    by_name = {
        "caffe": np.stack([blue - 103.939, green - 116.779, red - 123.68], axis=-1),
        "tf": image / 127.5 - 1,
    }
    expected = by_name[base_table(name).preprocessing]
    assert np.allclose(PREPROCESS[name](image.copy()), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vgg16", (150, 150)),
        ("vgg19", (224, 224)),
        *(("mobilenetv2-0.35", (side, side)) for side in (96, 128, 160, 192, 224)),
        ("mobilenetv2-1.0", (96, 96)),
        ("mobilenetv2-1.0", (150, 150)),
        ("mobilenetv2-1.0", (96, 128)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*input_shape. is undefined:UserWarning")
def test_the_file_is_the_one_that_keras_would_download(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: dict[str, Any] = {}

    class RequestedError(Exception):
        """Ends the construction once the request of Keras is known."""

    def get_file(fname: str, origin: str, **options: Any) -> str:
        requested.update(name=fname, url=origin, md5=options.get("file_hash"))
        raise RequestedError

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(RequestedError):
        BUILD[name](include_top=False, weights="imagenet", input_shape=(*size, 3))
    file = weights_file(name, size)
    digest = f"md5:{requested['md5']}" if requested["md5"] else None
    assert (file.name, file.url, file.digest) == (requested["name"], requested["url"], digest)
