"""Which pixels of the image a value of a layer can see, in plain arithmetic.

The place i of a layer, counted from 0, sees the pixels start + i * jump to
start + i * jump + size - 1. A window of k places and stride s over such a layer sees
size + (k - 1) * jump pixels, and its places lie s * jump pixels apart; padding before the first
place moves the start to the left (Araujo et al., distill.pub/2019/computing-receptive-fields).
"""

import math
from dataclasses import dataclass

from workbench.bases.catalogue import base_table
from workbench.bases.table import IMAGE, BaseLayer
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import LayerRow, window_output
from workbench.text import human_size

WHOLE = "the whole image"
# Kinds of which each place reads the same place below.
_IN_PLACE = frozenset({"batch normalization", "activation", "add"})
_POOL = 2  # window and stride of every max pooling here


@dataclass(frozen=True)
class Field:
    """What the places of a layer see of the image.

    Attributes:
        size: pixels of a side of the receptive field.
        jump: pixels between the fields of neighbouring places: the product of all strides.
        start: (down, right) of the first place's first pixel; below 0 it lies in the padding.
    """

    size: int = 1
    jump: int = 1
    start: tuple[int, int] = (0, 0)

    def in_words(self, places: tuple[int, ...], image: tuple[int, int]) -> str:
        """Size and jump for people.

        Args:
            places: (down, right) of the layer's map.
            image: (height, width) in pixels.
        """
        of = ""
        if self.size >= max(image):
            size = human_size(image)
            of = f" ({WHOLE} of {size})" if self._sees_all(places, image) else f" (image: {size})"
        return f"a value sees {self.size}x{self.size} pixels{of}; neighbours {self.jump} apart"

    def _sees_all(self, places: tuple[int, ...], image: tuple[int, int]) -> bool:
        """True where every place, in a corner too, sees every pixel."""
        return all(
            start + (count - 1) * self.jump <= 0 and start + self.size >= side
            for start, count, side in zip(self.start, places, image, strict=True)
        )


@dataclass(frozen=True)
class LayerSight:
    """A layer and what it sees.

    Attributes:
        field: None where there are no places any more, or where it cannot be told.
        why: why there is no field; "" where there is one.
    """

    row: LayerRow
    field: Field | None
    why: str = ""


@dataclass(frozen=True)
class Window:
    """A window that slides over a map: its side, stride, and padding before (top, left)."""

    side: int
    stride: int
    padding: tuple[int, int] = (0, 0)


def layer_sights(spec: ExperimentSpec, classes: int) -> list[LayerSight]:
    """What every layer of a network sees, from the image up."""
    rows = layer_rows(spec, classes)
    fields: dict[str, Field | None] = {IMAGE: Field()}
    windows = _base_windows(spec) if spec.base else _own_windows(spec, rows)
    reads = {layer.name: layer.inputs for layer in spec.base_table.layers} if spec.base else {}
    found, last = [], IMAGE
    for row in rows:
        if len(row.output_shape) < 3:  # every unit reads the whole map, however it came about
            found.append(LayerSight(row, None, WHOLE))
            continue
        below = [fields[name] for name in reads.get(row.name, (last,))]
        field = _above(below, windows.get(row.name))
        fields[row.name], last = field, row.name
        why = "" if field else f"cannot be told: the window of a layer of kind {row.kind!r}"
        if field is None and None in below:
            why = "cannot be told: nor can that of a layer below"
        found.append(LayerSight(row, field, why))
    return found


def _above(below: list[Field | None], window: Window | None) -> Field | None:
    """The field of a layer that reads these with a window; several are added up."""
    known = [field for field in below if field is not None]
    if window is None or len(known) < len(below) or len({field.jump for field in known}) > 1:
        return None
    jump = known[0].jump
    start = _corner(known)
    end = max(axis + field.size for field in known for axis in _from(field, start))
    down, right = (
        first - before * jump for first, before in zip(start, window.padding, strict=True)
    )
    return Field(end + (window.side - 1) * jump, jump * window.stride, (down, right))


def _corner(fields: list[Field]) -> tuple[int, int]:
    return min(field.start[0] for field in fields), min(field.start[1] for field in fields)


def _from(field: Field, corner: tuple[int, int]) -> tuple[int, int]:
    """How far a field's start lies behind a corner."""
    return field.start[0] - corner[0], field.start[1] - corner[1]


def _own_windows(spec: ExperimentSpec, rows: list[LayerRow]) -> dict[str, Window]:
    """The windows of a convnet, which its spec names."""
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
    """The windows of a base, as its table lets them be told: from shapes and multiply-adds."""
    assert spec.base is not None
    table, usual = spec.base_table, base_table(spec.base.name)
    shapes = {IMAGE: table.input_shape} | {one.name: one.output_shape for one in table.layers}
    usual_shapes = {IMAGE: usual.input_shape} | {one.name: one.output_shape for one in usual.layers}
    windows = {}
    for layer in table.layers:
        if layer.kind in _IN_PLACE:
            windows[layer.name] = Window(1, 1)
            continue
        # At the usual size maps are large enough that a stride cannot hide in rounding.
        stride = round(usual_shapes[layer.inputs[0]][0] / usual_shapes[layer.name][0])
        window = _window(layer, shapes[layer.inputs[0]], stride)
        if window:
            windows[layer.name] = window
    return windows


def _window(layer: BaseLayer, below: tuple[int, int, int], stride: int) -> Window | None:
    """The window of a base's layer; None where its kind and shapes do not tell it.

    A zero padding is a window of 1 that begins before the image.
    """
    height, width = below[:2]
    if layer.kind == "zero padding":
        # Before a window of stride 2 Keras pads odd sides on both ends, even ones behind alone.
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
    """The side of a square window: each output value takes side x side (x channels) products."""
    products = layer.multiply_adds // math.prod(layer.output_shape)
    return math.isqrt(products if layer.kind.startswith("depthwise") else products // channels)


def _same_padding(size: tuple[int, int], side: int, stride: int) -> tuple[int, int]:
    """What padding "same" puts before a map; where the sum is odd, one more comes behind."""
    totals = [max((math.ceil(n / stride) - 1) * stride + side - n, 0) for n in size]
    return totals[0] // 2, totals[1] // 2
