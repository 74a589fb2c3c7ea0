"""Kinds of layers in pretrained networks: shapes, numbers and operations, in plain arithmetic.

A layer's configuration holds what differs from these defaults: stride 1, padding "valid", bias and
no activation. A new kind takes a case in `measure`, one in `window` if it has any, and one in
`training.base_layers`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
Config = Mapping[str, Any]

BATCH_NORM, GLOBAL_POOL = "batch normalization", "global pooling"
SQUARE_WINDOWS = ("convolution", "depthwise convolution", "separable convolution")
POOLS = ("max pooling", "average pooling")
# Kinds of which each position reads the same position of one map below.
_IN_PLACE = (
    BATCH_NORM,
    "layer normalization",
    "layer scale",
    "activation",
    "dense",
    "stochastic depth",
)


@dataclass(frozen=True)
class Measures:
    """What a layer of known inputs has; as in `BaseLayer`."""

    shape: Shape
    parameters: int = 0
    non_trainable: int = 0
    multiply_adds: int = 0


def measure(kind: str, config: Config, inputs: tuple[Shape, ...]) -> Measures:
    """Return shape, numbers and multiply-adds of a layer.

    Args:
        kind: of the layer.
        config: of the layer.
        inputs: shapes of its inputs without the batch, maps (height, width, channels) mostly.

    Raises:
        ValueError: the kind is unknown.
    """
    first = inputs[0]
    channels = first[-1]
    bias = config.get("bias", True)
    match kind:
        case "convolution":
            filters = config["filters"]
            shape = (*_slid(first, config), filters)
            products = config["kernel"] ** 2 * channels
            return Measures(
                shape, (products + bias) * filters, multiply_adds=math.prod(shape) * products
            )
        case "depthwise convolution":
            shape = (*_slid(first, config), channels)
            products = config["kernel"] ** 2
            return Measures(
                shape, (products + bias) * channels, multiply_adds=math.prod(shape) * products
            )
        case "separable convolution":
            filters = config["filters"]
            places = math.prod(_slid(first, config))
            weights = config["kernel"] ** 2 * channels + channels * filters
            return Measures(
                (*_slid(first, config), filters),
                weights + bias * filters,
                multiply_adds=places * weights,
            )
        case "dense":
            shape = (*first[:-1], config["units"])
            return Measures(
                shape,
                (channels + bias) * shape[-1],
                multiply_adds=math.prod(shape) * channels,
            )
        case "batch normalization":
            return Measures(first, 4 * channels, 2 * channels)
        case "layer normalization":
            return Measures(first, 2 * channels)
        case "layer scale":
            return Measures(first, channels)
        case "max pooling" | "average pooling":
            return Measures((*_slid(first, config), channels))
        case "global pooling":
            return Measures((1, 1, channels) if config.get("keep") else (channels,))
        case "zero padding":
            (top, bottom), (left, right) = zero_padding(config, first)
            return Measures((first[0] + top + bottom, first[1] + left + right, channels))
        case "reshape":
            return Measures(tuple(config["shape"]))
        case "concatenate":
            return Measures((*first[:-1], sum(shape[-1] for shape in inputs)))
        case "multiply":
            return Measures(max(inputs, key=math.prod))
        case "activation" | "stochastic depth" | "add":
            return Measures(first)
    raise ValueError(f"unknown kind of layer: {kind!r}")


def zero_padding(config: Config, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the zeros (top, bottom), (left, right) that a padding adds to a map.

    "before" in its configuration is the side of the window of stride 2 that follows: Keras pads so
    that the window's middle is on the odd pixels, one less before an even side.
    """
    if "before" in config:
        half = config["before"] // 2
        down, right = ((half - 1 + side % 2, half) for side in shape[:2])
        return down, right
    (top, bottom), (left, right) = config["zeros"]
    return (top, bottom), (left, right)


def window(kind: str, config: Config) -> tuple[int, int, str] | None:
    """Return side, stride and padding of the window of a layer; None for kinds without one."""
    if kind in SQUARE_WINDOWS:
        return config["kernel"], config.get("stride", 1), config.get("padding", "valid")
    if kind in POOLS:
        return config["window"], config["stride"], config.get("padding", "valid")
    return (1, 1, "valid") if kind in _IN_PLACE else None


def window_output(size: int, side: int, stride: int, padding: str) -> int:
    """Return the output length of a window sliding over `size` pixels; 0 if it does not fit.

    valid: floor((size - side) / stride) + 1; same: ceil(size / stride). These are the formulas
    of Keras's documentation of Conv2D and MaxPooling2D.
    """
    if padding == "same":
        return math.ceil(size / stride)
    return (size - side) // stride + 1 if size >= side else 0


def _slid(shape: Shape, config: Config) -> tuple[int, int]:
    """Return height and width of a map that a window slid over."""
    side = config.get("kernel") or config["window"]
    stride, padding = config.get("stride", 1), config.get("padding", "valid")
    height, width = (window_output(size, side, stride, padding) for size in shape[:2])
    return height, width
