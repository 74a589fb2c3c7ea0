"""Receptive fields: which pixels of the image a value of a layer depends on, in plain arithmetic.

Position i of a layer, counted from 0, sees the pixels start + i * jump to
start + i * jump + size - 1. A window of k positions and stride s over such a layer sees
size + (k - 1) * jump pixels, and its positions are s * jump pixels apart; padding before the first
position moves the start to the left (Araujo et al.,
distill.pub/2019/computing-receptive-fields).

A squeeze-and-excite gate, which multiplies a map by numbers computed from the whole image, is left
out of account: it scales channels and tells no positions apart.
"""

import math
from dataclasses import dataclass

from workbench.bases.kinds import window, zero_padding
from workbench.bases.table import IMAGE
from workbench.experiment.plan import layer_rows
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import LayerRow
from workbench.messages import tr
from workbench.text import format_shape

WHOLE_IMAGE = tr("the whole image")
_JOINED = ("add", "multiply", "concatenate")  # each position reads the same one of several maps
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
            whole = self.sees_all(places, image)
            note = (
                " " + tr("(the whole image of {size})", size=size)
                if whole
                else " " + tr("(image: {size})", size=size)
            )
        return tr(
            "a value sees {size}x{size} pixels{note}; neighbours {jump} apart",
            size=self.size,
            note=note,
            jump=self.jump,
        )

    def sees_all(self, places: tuple[int, ...], image: tuple[int, int]) -> bool:
        """Return whether every position, also in a corner, sees every pixel."""
        return all(
            start + (count - 1) * self.jump <= 0 and start + self.size >= side
            for start, count, side in zip(self.start, places, image, strict=True)
        )

    def corner(self, image: tuple[int, int]) -> tuple[int, int]:
        """Return the pixels (down, right) of the image that the first position sees."""
        down, right = (
            min(start + self.size, side) - max(start, 0)
            for start, side in zip(self.start, image, strict=True)
        )
        return down, right


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
    gates = spec.base_table.gates if spec.base else frozenset()
    for row in rows:
        inputs = reads.get(row.name, (last,))
        # A unit reads the whole map; so does all that reads only such units.
        if len(row.output_shape) < 3 or row.name in gates:
            found.append(LayerField(row, None, WHOLE_IMAGE))
            continue
        below = [fields[name] for name in inputs if name not in gates]
        field = _above(below, windows.get(row.name))
        fields[row.name], last = field, row.name
        why = (
            ""
            if field
            else tr("unknown: the window of a layer of kind {kind}", kind=repr(row.kind))
        )
        if field is None and None in below:
            why = tr("unknown, as that of a layer below")
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
    """Return the windows of a base; a zero padding is one of 1 that starts before the image."""
    table = spec.base_table
    shapes = {IMAGE: table.input_shape} | {one.name: one.output_shape for one in table.layers}
    windows = {}
    for layer in table.layers:
        below = shapes[layer.inputs[0]]
        if layer.kind == "zero padding":
            (top, _), (left, _) = zero_padding(layer.config, below)
            windows[layer.name] = Window(1, 1, (top, left))
        elif layer.kind in _JOINED:
            windows[layer.name] = Window(1, 1)
        elif sizes := window(layer.kind, layer.config):
            side, stride, padding = sizes
            before = _same_padding(below[:2], side, stride) if padding == "same" else (0, 0)
            windows[layer.name] = Window(side, stride, before)
    return windows


def _same_padding(size: tuple[int, ...], side: int, stride: int) -> tuple[int, int]:
    """Return the padding "same" before a map; if the total is odd, one more comes behind."""
    totals = [max((math.ceil(n / stride) - 1) * stride + side - n, 0) for n in size]
    return totals[0] // 2, totals[1] // 2
