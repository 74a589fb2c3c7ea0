"""EfficientNet-Lite in plain Keras layers, without its top: keras.applications has none of it.

Stages as in EfficientNet (Tan and Le, arXiv 1905.11946), with ReLU6 for swish and without
squeeze-and-excite; the stem is never widened, the first and last stage are never deepened.
"""

import math
from typing import Any, NamedTuple

import keras
from keras import layers

STEM_FILTERS, TOP_FILTERS = 32, 1280
EPSILON = 1e-3


class Stage(NamedTuple):
    """Blocks of one resolution; the first block has the stride."""

    kernel: int
    stride: int
    expansion: int
    filters: int
    repeats: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


def efficientnet_lite(
    width: float, depth: float, include_top: bool, weights: None, input_tensor: Any
) -> keras.Model:
    """Build the network on preprocessed images, with fresh weights.

    Args:
        width: factor of the filters.
        depth: factor of the repeats.
        include_top: False; there is no top here.
        weights: None.
        input_tensor: of the images.
    """
    assert not include_top
    assert weights is None
    x = layers.Conv2D(STEM_FILTERS, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(
        input_tensor
    )
    x = _normalize(x, "stem_bn", "stem_activation")
    for number, stage in enumerate(STAGES, start=1):
        fixed = number in (1, len(STAGES))
        repeats = stage.repeats if fixed else math.ceil(stage.repeats * depth)
        for index in range(repeats):
            name = f"block{number}{chr(ord('a') + index)}"
            x = _block(
                x, name, stage, _divisible(stage.filters * width), 1 if index else stage.stride
            )
    x = layers.Conv2D(TOP_FILTERS, 1, padding="same", use_bias=False, name="top_conv")(x)
    x = _normalize(x, "top_bn", "top_activation")
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)


def _block(x: Any, name: str, stage: Stage, filters: int, stride: int) -> Any:
    """Expand, filter each channel, project; a shortcut where the shapes allow it."""
    start, channels = x, x.shape[-1]
    if stage.expansion != 1:
        x = layers.Conv2D(
            stage.expansion * channels,
            1,
            padding="same",
            use_bias=False,
            name=f"{name}_expand_conv",
        )(x)
        x = _normalize(x, f"{name}_expand_bn", f"{name}_expand_activation")
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_dwconv"
    )(x)
    x = _normalize(x, f"{name}_bn", f"{name}_activation")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project_conv")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_project_bn")(x)
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([start, x])
    return x


def _normalize(x: Any, norm: str, activation: str) -> Any:
    x = layers.BatchNormalization(epsilon=EPSILON, name=norm)(x)
    return layers.ReLU(6.0, name=activation)(x)


def _divisible(filters: float) -> int:
    """Return the nearest multiple of 8, at least 8, that is no more than a tenth smaller."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded
