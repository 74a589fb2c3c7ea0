"""Builds a pretrained network from its table, in plain Keras layers under Keras's own names.

No layer is of a class of its own, so that a saved model opens wherever Keras is.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from workbench.bases.architectures import PREPROCESSING
from workbench.bases.kinds import zero_padding
from workbench.bases.table import IMAGE, BaseLayer, BaseTable

_MERGES = {"add": layers.Add, "multiply": layers.Multiply, "concatenate": layers.Concatenate}
_POOLS = {"max pooling": layers.MaxPooling2D, "average pooling": layers.AveragePooling2D}


def apply_base(table: BaseTable, image: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Append the layers of a base with fresh weights; return their outputs by their names.

    Args:
        table: of the base, at the size of the image.
        image: preprocessed.
    """
    outputs = {IMAGE: image}
    for layer in table.layers:
        inputs = [outputs[name] for name in layer.inputs]
        made = make_layer(layer, inputs[0].shape[1:])
        outputs[layer.name] = made(inputs if layer.kind in _MERGES else inputs[0])
    return outputs


def preprocess(name: str, image: keras.KerasTensor) -> keras.KerasTensor:
    """Preprocess raw 0-255 RGB as the weights of a base expect it.

    Args:
        name: a key of `PREPROCESSING`.
        image: (batch, height, width, 3).
    """
    how = PREPROCESSING[name]
    if how.bgr:
        offset = [-mean for mean in how.means]
        return layers.Rescaling(1.0, offset=offset, name="subtract_means")(image[..., ::-1])
    pairs = list(zip(how.means, how.spreads, strict=True))
    if len(set(pairs)) == 1:
        mean, spread = pairs[0]
        return layers.Rescaling(1 / spread, offset=-mean / spread, name="rescale")(image)
    scale = [1 / spread for _, spread in pairs]
    offset = [-mean / spread for mean, spread in pairs]
    return layers.Rescaling(scale, offset=offset, name="rescale")(image)


def make_layer(layer: BaseLayer, shape: tuple[int, ...]) -> keras.Layer:
    """Return a layer of a table.

    Args:
        layer: of the table.
        shape: of its first input, without the batch.

    Raises:
        ValueError: its kind is unknown.
    """
    config, name = layer.config, layer.name
    match layer.kind:
        case "convolution":
            return layers.Conv2D(config["filters"], **_window(config), **_ends(config), name=name)
        case "separable convolution":
            return layers.SeparableConv2D(
                config["filters"], **_window(config), **_ends(config), name=name
            )
        case "depthwise convolution":
            return layers.DepthwiseConv2D(**_window(config), **_ends(config), name=name)
        case "dense":
            return layers.Dense(config["units"], **_ends(config), name=name)
        case "batch normalization":
            return layers.BatchNormalization(
                epsilon=config["epsilon"], momentum=config["momentum"], name=name
            )
        case "layer normalization":
            return layers.LayerNormalization(epsilon=config["epsilon"], name=name)
        case "layer scale":  # a number a channel: a depthwise window of one pixel
            initial = keras.initializers.Constant(config["initial"])
            return layers.DepthwiseConv2D(
                1, use_bias=False, depthwise_initializer=initial, name=name
            )
        case "activation":
            if config["function"] == "relu6":
                return layers.ReLU(6.0, name=name)
            return layers.Activation(config["function"], name=name)
        case "max pooling" | "average pooling":
            return _POOLS[layer.kind](
                config["window"],
                strides=config["stride"],
                padding=config.get("padding", "valid"),
                name=name,
            )
        case "global pooling":
            return layers.GlobalAveragePooling2D(keepdims=config.get("keep", False), name=name)
        case "zero padding":
            return layers.ZeroPadding2D(zero_padding(config, shape), name=name)
        case "reshape":
            return layers.Reshape(config["shape"], name=name)
        case "stochastic depth":  # leaves out the whole map of some images, only in training
            return layers.Dropout(config["rate"], noise_shape=(None, 1, 1, 1), seed=0, name=name)
        case "add" | "multiply" | "concatenate":
            return _MERGES[layer.kind](name=name)
    raise ValueError(f"unknown kind of layer: {layer.kind!r}")


def _window(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kernel_size": config["kernel"],
        "strides": config.get("stride", 1),
        "padding": config.get("padding", "valid"),
    }


def _ends(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"use_bias": config.get("bias", True), "activation": config.get("activation")}
