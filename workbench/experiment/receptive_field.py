"""Receptive fields: which pixels of the image a value of a layer depends on, in plain arithmetic.

Position i of a layer, counted from 0, sees the pixels start + i * jump to
start + i * jump + size - 1. A window of k positions and stride s over such a layer sees
size + (k - 1) * jump pixels, and its positions are s * jump pixels apart; padding before the first
position moves the start to the left (Araujo et al.,
distill.pub/2019/computing-receptive-fields).
"""

import math
from dataclasses import dataclass

from workbench.bases.architectures import base_table
from workbench.bases.table import IMAGE, BaseLayer
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import LayerRow, window_output
from workbench.messages import tr
from workbench.text import format_shape

WHOLE_IMAGE = "the whole image"
# Kinds of layers of which each position reads the same position below.
_IN_PLACE = frozenset({"batch normalization", "activation", "add"})
_POOL = 2  # window and stride of every max pooling here


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that the positions of a layer see.

    Attributes:
        size: pixels of a side of the receptive field.
        jump: pixels between the fields of neighbours: the product of all strides.
        start: (down, right) of the first position's first pixel; negative in the padding.
    """

    size: int = 1
    jump: int = 1
    start: tuple[int, int] = (0, 0)

    def describe(self, places: tuple[int, ...], image: tuple[int, int]) -> str:
        """Return size and jump as text.

        Args:
            places: (down, right) of the layer's map.
            image: (height, width) in pixels.
        """
        note = ""
        if self.size >= max(image):
            size = format_shape(image)
            whole = self._sees_all(places, image)
            note = f" ({WHOLE_IMAGE} of {size})" if whole else f" (image: {size})"
        return tr(
            "a value sees {size}x{size} pixels{note}; neighbours {jump} apart",
            size=self.size,
            note=note,
            jump=self.jump,
        )

    def _sees_all(self, places: tuple[int, ...], image: tuple[int, int]) -> bool:
        """Return whether every position, also in a corner, sees every pixel."""
        return all(
            start + (count - 1) * self.jump <= 0 and start + self.size >= side
            for start, count, side in zip(self.start, places, image, strict=True)
        )


@dataclass(frozen=True)
class LayerField:
    """A layer and its receptive field.

    Attributes:
        row: the layer.
        field: None if the layer has no map, or if the field is unknown.
        why: why there is no field; "" if there is one.
    """

    row: LayerRow
    field: ReceptiveField | None
    why: str = ""


@dataclass(frozen=True)
class Window:
    """A window that slides over a map: its side, stride, and padding before (top, left)."""

    side: int
    stride: int
    padding: tuple[int, int] = (0, 0)


def receptive_fields(spec: ExperimentSpec, classes: int) -> list[LayerField]:
    """Return the receptive field of every layer of a network, from the image up."""
    rows = layer_rows(spec, classes)
    fields: dict[str, ReceptiveField | None] = {IMAGE: ReceptiveField()}
    windows = _base_windows(spec) if spec.base else _own_windows(spec, rows)
    reads = {layer.name: layer.inputs for layer in spec.base_table.layers} if spec.base else {}
    found, last = [], IMAGE
    for row in rows:
        if len(row.output_shape) < 3:  # every unit reads the whole map
            found.append(LayerField(row, None, WHOLE_IMAGE))
            continue
        below = [fields[name] for name in reads.get(row.name, (last,))]
        field = _above(below, windows.get(row.name))
        fields[row.name], last = field, row.name
        why = "" if field else f"unknown: the window of a layer of kind {row.kind!r}"
        if field is None and None in below:
            why = "unknown, as that of a layer below"
        found.append(LayerField(row, field, why))
    return found


def _above(below: list[ReceptiveField | None], window: Window | None) -> ReceptiveField | None:
    """Return the field of a layer that reads these with a window; several are added up."""
    known = [field for field in below if field is not None]
    if window is None or len(known) < len(below) or len({field.jump for field in known}) > 1:
        return None
    jump = known[0].jump
    start = _corner(known)
    end = max(axis + field.size for field in known for axis in _from(field, start))
    down, right = (
        first - before * jump for first, before in zip(start, window.padding, strict=True)
    )
    return ReceptiveField(end + (window.side - 1) * jump, jump * window.stride, (down, right))


def _corner(fields: list[ReceptiveField]) -> tuple[int, int]:
    return min(field.start[0] for field in fields), min(field.start[1] for field in fields)


def _from(field: ReceptiveField, corner: tuple[int, int]) -> tuple[int, int]:
    """Return the distance of a field's start from a corner."""
    return field.start[0] - corner[0], field.start[1] - corner[1]


def _own_windows(spec: ExperimentSpec, rows: list[LayerRow]) -> dict[str, Window]:
    """Return the windows of a convnet, from its spec."""
    blocks = spec.model.convolutions
    windows, size = {}, spec.data.image_size
    for row in rows:
        if row.kind == "convolution":
            same = blocks.padding == "same"
            side, stride = blocks.kernel_size, blocks.stride
            padding = _same_padding(size, side, stride) if same else (0, 0)
            windows[row.name] = Window(side, stride, padding)
        elif row.kind == "max pooling":
            windows[row.name] = Window(_POOL, _POOL)
        size = row.output_shape[:2] if len(row.output_shape) == 3 else size
    return windows


def _base_windows(spec: ExperimentSpec) -> dict[str, Window]:
    """Return the windows of a base, derived from its table: from shapes and multiply-adds."""
    assert spec.base is not None
    table, defaults = spec.base_table, base_table(spec.base.name)
    shapes = {IMAGE: table.input_shape} | {one.name: one.output_shape for one in table.layers}
    default_shapes = {IMAGE: defaults.input_shape} | {
        one.name: one.output_shape for one in defaults.layers
    }
    windows = {}
    for layer in table.layers:
        if layer.kind in _IN_PLACE:
            windows[layer.name] = Window(1, 1)
            continue
        # At the default size maps are large enough that rounding cannot hide a stride.
        stride = round(default_shapes[layer.inputs[0]][0] / default_shapes[layer.name][0])
        window = _window(layer, shapes[layer.inputs[0]], stride)
        if window:
            windows[layer.name] = window
    return windows


def _window(layer: BaseLayer, below: tuple[int, int, int], stride: int) -> Window | None:
    """Return the window of a base's layer; None if it cannot be derived.

    A zero padding is a window of 1 that starts before the image.
    """
    height, width = below[:2]
    if layer.kind == "zero padding":
        # Before a window of stride 2 Keras pads odd sides on both ends, even ones only behind.
        before = (height % 2, width % 2)
        fits = layer.output_shape[:2] == (height + 1 + before[0], width + 1 + before[1])
        return Window(1, 1, before) if fits else None
    if layer.kind == "max pooling":
        side, stride = _POOL, _POOL
    elif layer.kind in ("convolution", "depthwise convolution"):
        side = _kernel(layer, below[2])
    else:
        return None
    for padding in ("valid", "same"):
        if layer.output_shape[:2] == tuple(
            window_output(n, side, stride, padding) for n in below[:2]
        ):
            same = padding == "same"
            return Window(
                side, stride, _same_padding((height, width), side, stride) if same else (0, 0)
            )
    return None


def _kernel(layer: BaseLayer, channels: int) -> int:
    """Return the side of a square window: an output takes side x side (x channels) products."""
    products = layer.multiply_adds // math.prod(layer.output_shape)
    return math.isqrt(products if layer.kind.startswith("depthwise") else products // channels)


def _same_padding(size: tuple[int, int], side: int, stride: int) -> tuple[int, int]:
    """Return the padding "same" before a map; if the total is odd, one more comes behind."""
    totals = [max((math.ceil(n / stride) - 1) * stride + side - n, 0) for n in size]
    return totals[0] // 2, totals[1] // 2
