"""Grad-CAM (Selvaraju et al., arXiv 1610.02391): where an image speaks for a label."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from workbench.errors import UserError
from workbench.evaluation.evaluate import probabilities_of
from workbench.evaluation.explain.layers import chosen, layer_names, map_layers, output_of
from workbench.evaluation.explain.pictures import resized, rgb, tiled
from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.plan import layer_rows
from workbench.text import human_size, safe_text
from workbench.training.backend import value_and_gradient

OUTPUT = "output"  # the last layer, a dense one with a sigmoid or a softmax
_SMALLEST = 192  # pixels of the picture's longer side
_OPAQUE = 0.65  # how much of the image the warmest place hides
# From cold to warm: told apart without hue too, as each is lighter than the one before.
_HEAT = np.array([(0, 0, 80), (130, 20, 130), (225, 60, 50), (255, 165, 20), (255, 255, 130)])


@dataclass(frozen=True)
class GradCam:
    """Where an image speaks for a label.

    Attributes:
        probability: of the label.
        heat: float32 (height, width) of the layer's map, at least 0, before it is scaled.
        picture: uint8, the image, and beside it the heat over the image.
        words: for people, a line each.
    """

    layer: str
    label: str
    probability: float
    heat: np.ndarray
    picture: np.ndarray
    words: tuple[str, ...]


def allowed_layers(loaded: LoadedModel) -> list[str]:
    """Layers with maps that no connection goes past: all that the output knows went through them.

    Raises:
        UserError: there is none.
    """
    allowed = map_layers(loaded)
    if loaded.spec.base is not None:
        cuts = set(loaded.spec.base_table.cuts)
        allowed = [name for name in allowed if name in cuts]
    if not allowed:
        raise UserError(
            "A dense network has no maps that could say where.",
            "Look at a run of a convnet or a base.",
        )
    return allowed


def _unfit(loaded: LoadedModel, layer: str) -> str:
    """Why Grad-CAM cannot look at a layer; "" where it can, or where there is no such layer."""
    if layer not in layer_names(loaded) or layer in allowed_layers(loaded):
        return ""
    past = layer in map_layers(loaded)
    why = "connections go past it" if past else "its output has no places"
    return f"Grad-CAM cannot look at {layer}: {why}."


def fitting_layer(loaded: LoadedModel, layer: str) -> tuple[str, str]:
    """The layer itself, or `automatic_layer` where it does not fit, and words on why ("" if not).

    Raises:
        UserError: no layer of the network fits.
    """
    why = _unfit(loaded, layer)
    if not why:
        return layer, ""
    fitting = automatic_layer(loaded)
    return fitting, f"{why} This is {fitting}."


def _checked(loaded: LoadedModel, layer: str) -> str:
    if why := _unfit(loaded, layer):
        raise UserError(why, f"Left out, the layer is {automatic_layer(loaded)}.")
    return chosen(layer, allowed_layers(loaded), "layer")


def automatic_layer(loaded: LoadedModel) -> str:
    """The last map that is no pooling: the most meaning that still has a place."""
    allowed = set(allowed_layers(loaded))
    rows = layer_rows(loaded.spec, len(loaded.labels))
    return [row.name for row in rows if row.name in allowed and row.kind != "max pooling"][-1]


def grad_cam(
    loaded: LoadedModel, image: np.ndarray, label: str | None = None, layer: str | None = None
) -> GradCam:
    """Weighs the channels of a layer by how their mean moves the label's score, and adds them up.

    The score is what goes into the softmax; of a sigmoid z for the second label, -z for the
    first, whose probability is 1 - p. What speaks against the label is cut off at 0.

    Args:
        image: uint8 (height, width, channels), as `read_image` gives it.
        label: None for the most likely one.
        layer: None for `automatic_layer`.

    Raises:
        UserError: no such label; no such layer, or one that connections go past.
    """
    layer = _checked(loaded, layer or automatic_layer(loaded))
    probabilities = probabilities_of(loaded.model, iter([image[None].astype(np.float32)]))[0]
    label = loaded.labels[int(probabilities.argmax())] if label is None else label
    number = loaded.labels.index(chosen(label, loaded.labels, "label"))
    maps = output_of(loaded, layer, image)
    _, gradient = value_and_gradient(_score(loaded, layer, number), maps[None])
    weights = gradient[0].mean(axis=(0, 1))
    heat = np.maximum(maps @ weights, 0).astype(np.float32)
    words = (
        f"{safe_text(label)}: probability {probabilities[number]:.3f}; {layer}, "
        f"{human_size(heat.shape)} places",
        _warmest(heat, image.shape[:2]),
    )
    return GradCam(layer, label, float(probabilities[number]), heat, _picture(image, heat), words)


def _score(loaded: LoadedModel, layer: str, number: int) -> Callable[[Any], Any]:
    """From a layer's maps (1, h, w, c) to the label's score, before softmax or sigmoid."""
    output = loaded.model.get_layer(OUTPUT)
    above = keras.Model(loaded.model.get_layer(layer).output, output.input)
    binary = len(loaded.labels) == 2
    column, sign = (0, 1 if number else -1) if binary else (number, 1)

    def score(maps: Any) -> Any:
        features = keras.ops.cast(above(maps, training=False), "float32")
        scores = keras.ops.matmul(features, output.kernel) + output.bias
        return sign * scores[0, column]

    return score


def _warmest(heat: np.ndarray, size: tuple[int, ...]) -> str:
    if not heat.any():
        return "No place of the image speaks for it, as this layer sees it."
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    y = round((int(row) + 0.5) * size[0] / heat.shape[0])
    x = round((int(column) + 0.5) * size[1] / heat.shape[1])
    return f"Warmest at x {x}, y {y} of the {size[1]}x{size[0]} pixels that the network gets."


def _picture(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    pixels = rgb(image)
    warmth = heat / heat.max() if heat.any() else heat
    spread = np.clip(resized(warmth, pixels.shape[:2]), 0, 1)[..., None]
    anchors = np.linspace(0, 1, len(_HEAT))
    colours = np.concatenate([np.interp(spread, anchors, _HEAT[:, c]) for c in range(3)], axis=2)
    share = _OPAQUE * spread
    over = (pixels * (1 - share) + colours * share).round().astype(np.uint8)
    return tiled([pixels, over], columns=2, smallest=_SMALLEST)
