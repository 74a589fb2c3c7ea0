"""Grad-CAM (Selvaraju et al., arXiv 1610.02391): where in an image the evidence for a label is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from workbench.errors import UserError
from workbench.evaluation.activations import check_name, layer_names, map_layers, output_of
from workbench.evaluation.evaluate import predict_probabilities
from workbench.evaluation.model_file import LoadedModel
from workbench.evaluation.pictures import resized, rgb, tile_images
from workbench.experiment.plan import layer_rows
from workbench.experiment.stack import average_names
from workbench.messages import tr
from workbench.text import format_shape, safe_text
from workbench.training.backend import value_and_gradient

OUTPUT = "output"  # the last layer, a dense one with a sigmoid or a softmax
_MIN_SIDE = 192  # pixels of the picture's longer side
_OPACITY = 0.65  # of the warmest position over the image
# From cold to warm, each lighter than the one before, so that they differ without hue too.
_HEAT = np.array([(0, 0, 80), (130, 20, 130), (225, 60, 50), (255, 165, 20), (255, 255, 130)])
# Thirds of an image, from the top and from the left.
PLACES = (
    (tr("at the upper left"), tr("at the top"), tr("at the upper right")),
    (tr("at the left"), tr("in the middle"), tr("at the right")),
    (tr("at the lower left"), tr("at the bottom"), tr("at the lower right")),
)


@dataclass(frozen=True)
class GradCam:
    """Where in an image the evidence for a label is.

    Attributes:
        probability: of the label.
        heat: float32 (height, width) of the layer's map, at least 0, not scaled.
        picture: uint8, the image, and beside it the heat over the image.
        summary: lines of text.
    """

    layer: str
    label: str
    probability: float
    heat: np.ndarray
    picture: np.ndarray
    summary: tuple[str, ...]


def allowed_layers(loaded: LoadedModel) -> list[str]:
    """Return the layers with maps that no connection bypasses.

    Raises:
        UserError: there is none.
    """
    allowed = map_layers(loaded)
    if loaded.spec.base is not None:
        cuts = set(loaded.spec.base_table.cuts)
        order = [layer.name for layer in loaded.spec.base_table.layers]
        highest = order.index(_read_maps(loaded)[-1])  # nothing above it leads to the output
        allowed = [name for name in allowed if name in cuts and order.index(name) <= highest]
    if not allowed:
        raise UserError(
            tr("A dense network has no maps that could show where."),
            tr("Choose a run of a convnet or a base."),
        )
    return allowed


def _read_maps(loaded: LoadedModel) -> list[str]:
    """Return the layers of the base that the head reads, from the image up."""
    spec, table = loaded.spec, loaded.spec.base_table
    if spec.model.strategy != "linear-probe":
        return [table.layers[-1].name]
    return [layer.name for layer in table.widest(spec.probe.blocks)]


def _side_inputs(loaded: LoadedModel, layer: str) -> list[str]:
    """Return the averages of the maps below a layer, which a linear probe reads beside it."""
    if loaded.spec.base is None:
        return []
    order = [one.name for one in loaded.spec.base_table.layers]
    maps = _read_maps(loaded)
    below = [order.index(name) < order.index(layer) for name in maps]
    return [name for name, side in zip(average_names(len(maps)), below, strict=True) if side]


def _why_unusable(loaded: LoadedModel, layer: str) -> str:
    """Return why Grad-CAM cannot use a layer; "" if it can, or if there is no such layer."""
    if layer not in layer_names(loaded) or layer in allowed_layers(loaded):
        return ""
    is_map = layer in map_layers(loaded)
    why = tr("connections bypass it") if is_map else tr("its output has no positions")
    return tr("Grad-CAM cannot use {layer}: {why}.", layer=layer, why=why)


def usable_layer(loaded: LoadedModel, layer: str) -> tuple[str, str]:
    """Return the layer, or `default_layer` if Grad-CAM cannot use it, and why ("" if it can).

    Raises:
        UserError: Grad-CAM can use no layer of the network.
    """
    why = _why_unusable(loaded, layer)
    if not why:
        return layer, ""
    default = default_layer(loaded)
    return default, tr("{why} This is {default}.", why=why, default=default)


def _check_layer(loaded: LoadedModel, layer: str) -> str:
    if why := _why_unusable(loaded, layer):
        raise UserError(
            why, tr("Left out, the layer is {default_layer}.", default_layer=default_layer(loaded))
        )
    return check_name(layer, allowed_layers(loaded), "layer")


def default_layer(loaded: LoadedModel) -> str:
    """Return the last map other than pooling: the most abstract one that still has positions."""
    allowed = set(allowed_layers(loaded))
    rows = layer_rows(loaded.spec, len(loaded.labels))
    return [row.name for row in rows if row.name in allowed and row.kind != "max pooling"][-1]


def grad_cam(
    loaded: LoadedModel, image: np.ndarray, label: str | None = None, layer: str | None = None
) -> GradCam:
    """Sum the channels of a layer, weighted by the gradient of the label's score.

    What a linear probe reads of maps below the layer is the image's own and stays as it is.

    The score is the input of the softmax; with a sigmoid z for the second label, -z for the first,
    whose probability is 1 - p. Evidence against the label is clipped at 0.

    Args:
        loaded: the model.
        image: uint8 (height, width, channels), from `read_image`.
        label: None for the most likely one.
        layer: None for `default_layer`.

    Raises:
        UserError: there is no such label or layer, or connections bypass the layer.
    """
    layer = _check_layer(loaded, layer or default_layer(loaded))
    probabilities = predict_probabilities(loaded.model, iter([image[None].astype(np.float32)]))[0]
    label = loaded.labels[int(probabilities.argmax())] if label is None else label
    number = loaded.labels.index(check_name(label, loaded.labels, "label"))
    maps = output_of(loaded, layer, image)
    _, gradient = value_and_gradient(_score(loaded, layer, number, image), maps[None])
    weights = gradient[0].mean(axis=(0, 1))
    heat = np.maximum(maps @ weights, 0).astype(np.float32)
    summary = (
        tr(
            "{label}: probability {probabilitie:.3f}; {layer}, {heat_shape} places",
            label=safe_text(label),
            probabilitie=probabilities[number],
            layer=layer,
            heat_shape=format_shape(heat.shape),
        ),
        _warmest(heat, image.shape[:2]),
    )
    return GradCam(layer, label, float(probabilities[number]), heat, _picture(image, heat), summary)


def _score(loaded: LoadedModel, layer: str, number: int, image: np.ndarray) -> Callable[[Any], Any]:
    """Return a function from a layer's maps (1, h, w, c) to the label's score for an image."""
    output = loaded.model.get_layer(OUTPUT)
    beside = _side_inputs(loaded, layer)
    inputs = [loaded.model.get_layer(name).output for name in (layer, *beside)]
    above = keras.Model(inputs, output.input)
    fixed = [keras.ops.convert_to_tensor(output_of(loaded, name, image)[None]) for name in beside]
    binary = len(loaded.labels) == 2
    column, sign = (0, 1 if number else -1) if binary else (number, 1)

    def score(maps: Any) -> Any:
        features = keras.ops.cast(above([maps, *fixed], training=False), "float32")
        scores = keras.ops.matmul(features, output.kernel) + output.bias
        return sign * scores[0, column]

    return score


def _warmest(heat: np.ndarray, size: tuple[int, ...]) -> str:
    if not heat.any():
        return tr("This layer has no evidence for it anywhere in the image.")
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    y = round((int(row) + 0.5) * size[0] / heat.shape[0])
    x = round((int(column) + 0.5) * size[1] / heat.shape[1])
    return tr(
        "Warmest {place}: at x {x}, y {y} of the {width}x{height} pixels that the network gets.",
        place=PLACES[min(3 * y // size[0], 2)][min(3 * x // size[1], 2)],
        x=x,
        y=y,
        width=size[1],
        height=size[0],
    )


def _picture(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    pixels = rgb(image)
    warmth = heat / heat.max() if heat.any() else heat
    spread = np.clip(resized(warmth, pixels.shape[:2]), 0, 1)[..., None]
    anchors = np.linspace(0, 1, len(_HEAT))
    colours = np.concatenate([np.interp(spread, anchors, _HEAT[:, c]) for c in range(3)], axis=2)
    share = _OPACITY * spread
    over = (pixels * (1 - share) + colours * share).round().astype(np.uint8)
    return tile_images([pixels, over], columns=2, smallest=_MIN_SIDE)
