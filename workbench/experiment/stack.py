"""Sizes and parameters of a convnet, layer by layer, in plain arithmetic.

A test compares them with Keras, so that they are known before anything is built.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bases.kinds import Shape, window_output
from workbench.messages import tr
from workbench.text import format_shape


@dataclass(frozen=True)
class Convolutions:
    """The convolution blocks of a network; `pooling` has one entry a block."""

    filters: tuple[int, ...]
    kernel_size: int
    padding: str
    stride: int
    pooling: tuple[bool, ...]


@dataclass(frozen=True)
class LayerRow:
    """One layer: its output shape without the batch, its parameters, its multiply-adds an image.

    Multiply-adds are counted as in `bases.table`; a dense layer has one for each of its weights.
    """

    name: str
    kind: str
    output_shape: Shape
    parameters: int = 0
    block: str = ""
    multiply_adds: int = 0

    @property
    def trainable(self) -> bool:
        """True if the layer has weights that training can move."""
        return self.parameters > 0


class StackError(ValueError):
    """The blocks do not fit the image; the message shows the sizes layer by layer."""


def convolution_stack(input_shape: tuple[int, int, int], blocks: Convolutions) -> list[LayerRow]:
    """Return the rows from the input to the last block: conv1, pool1, conv2, ...

    Args:
        input_shape: (height, width, channels).
        blocks: of the network.

    Raises:
        StackError: a window is larger than its map.
    """
    rows: list[LayerRow] = []
    height, width, channels = input_shape
    for number, (filters, pooled) in enumerate(
        zip(blocks.filters, blocks.pooling, strict=True), start=1
    ):
        kernel = blocks.kernel_size
        height, width = (
            window_output(side, kernel, blocks.stride, blocks.padding) for side in (height, width)
        )
        weights = kernel * kernel * channels * filters
        shape = (height, width, filters)
        rows.append(
            LayerRow(
                f"conv{number}",
                "convolution",
                shape,
                weights + filters,
                multiply_adds=max(height, 0) * max(width, 0) * weights,
            )
        )
        channels = filters
        if min(height, width) < 1:
            raise _does_not_fit(input_shape, blocks, rows)
        if pooled:
            height, width = (window_output(side, 2, 2, "valid") for side in (height, width))
            rows.append(LayerRow(f"pool{number}", "max pooling", (height, width, filters)))
            if min(height, width) < 1:
                raise _does_not_fit(input_shape, blocks, rows)
    return rows


def network_stack(
    input_shape: tuple[int, int, int],
    blocks: Convolutions,
    dense_units: tuple[int, ...],
    dropout: float,
    classes: int,
) -> list[LayerRow]:
    """Return the whole network from the first block to the output, one row a layer.

    The output is one sigmoid unit for two classes, else a softmax over all of them.
    """
    rows = convolution_stack(input_shape, blocks)
    below = rows[-1].output_shape if rows else input_shape
    return rows + head_stack(below, "flatten", dense_units, dropout, classes, block="")


AVERAGE = "average"  # a head that averages the map, and its first layer
FEATURES = "features"  # the layer of a linear probe that joins the averages of several maps


def head_stack(
    below: Shape,
    how: str,
    dense_units: tuple[int, ...],
    dropout: float,
    classes: int,
    block: str = "head",
) -> list[LayerRow]:
    """Return the layers from a map (height, width, channels) to the output.

    `how` is "flatten", which keeps every value of the map, or "average", one for each channel.
    """
    before = math.prod(below) if how == "flatten" else below[-1]
    rows = [LayerRow(how, how if how == "flatten" else "average pooling", (before,), 0, block)]
    if dropout:
        rows.append(LayerRow("dropout", "dropout", (before,), 0, block))
    for number, units in enumerate(dense_units, start=1):
        rows.append(_dense(f"dense{number}", before, units, block))
        before = units
    rows.append(_dense("output", before, 1 if classes == 2 else classes, block))
    return rows


def probe_stack(channels: Sequence[int], classes: int) -> list[LayerRow]:
    """Return the layers from maps of a base to a linear probe's output.

    Args:
        channels: of each map.
        classes: number of labels.
    """
    names = average_names(len(channels))
    rows = [
        LayerRow(name, "average pooling", (count,), 0, "head")
        for name, count in zip(names, channels, strict=True)
    ]
    joined = sum(channels)
    if len(channels) > 1:
        rows.append(LayerRow(FEATURES, "concatenate", (joined,), 0, "head"))
    return [*rows, _dense("output", joined, 1 if classes == 2 else classes, "head")]


def average_names(maps: int) -> tuple[str, ...]:
    """Return the names of the layers that average so many maps."""
    return (AVERAGE,) if maps == 1 else tuple(f"{AVERAGE}{i + 1}" for i in range(maps))


def _dense(name: str, inputs: int, units: int, block: str) -> LayerRow:
    weights = inputs * units
    return LayerRow(name, "dense", (units,), weights + units, block, multiply_adds=weights)


def _does_not_fit(input_shape: Shape, blocks: Convolutions, rows: list[LayerRow]) -> StackError:
    sizes = [tr("input {input_shape}", input_shape=format_shape(input_shape))]
    sizes += [f"{row.name} {format_shape(row.output_shape)}" for row in rows[:-1]]
    last = rows[-1]
    window = 2 if last.kind == "max pooling" else blocks.kernel_size
    return StackError(
        tr(
            "{filters} blocks do not fit the image: {sizes}, and the {window}x{window} "
            "window of {last} does not fit any more. Use fewer blocks, padding = "
            '"same", less pooling, or a larger image_size',
            filters=len(blocks.filters),
            sizes=" → ".join(sizes),
            window=window,
            last=last.name,
        )
    )
