"""The activations of a layer for an image, channel by channel."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from workbench.datasets.images.decoding import load_array
from workbench.datasets.images.files import ImageError
from workbench.datasets.names import match_label
from workbench.errors import UserError
from workbench.evaluation.explain.pictures import tile_images, to_gray_levels
from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.plan import layer_rows
from workbench.text import format_choices, format_shape, plural, safe_text

_MAX_NAMES = 30  # in an error; of more names, only similar ones
PREVIEW, PREVIEW_COLUMNS = 15, 5  # channels that fit a terminal of 80 columns


def layer_names(loaded: LoadedModel) -> list[str]:
    """Return every layer after the preprocessing, from the image up."""
    return [row.name for row in layer_rows(loaded.spec, len(loaded.labels))]


def map_layers(loaded: LoadedModel) -> list[str]:
    """Return the layers whose output is a map (height, width, channels)."""
    rows = layer_rows(loaded.spec, len(loaded.labels))
    return [row.name for row in rows if len(row.output_shape) == 3]


def check_name(given: str, allowed: Sequence[str], what: str) -> str:
    """Return the allowed name of a "layer" or "label"; outer spaces and Unicode form are ignored.

    Raises:
        UserError: it is not allowed; the error lists the allowed names, or the most similar ones.
    """
    if (known := match_label(given, allowed)) is not None:
        return known
    if len(allowed) <= _MAX_NAMES:
        hint = f"Allowed: {format_choices([safe_text(name) for name in allowed])}."
    else:
        close = difflib.get_close_matches(given, allowed, n=5, cutoff=0.3) or list(allowed[-5:])
        named = ", ".join(safe_text(name) for name in close)
        hint = f"There are {plural(len(allowed), what)}, among them {named}."
    raise UserError(f"There is no {what} {safe_text(repr(given))}.", hint)


def read_image(loaded: LoadedModel, path: Path) -> np.ndarray:
    """Read an image file as the model's contract says: uint8 (height, width, channels).

    Raises:
        UserError: it cannot be used.
    """
    try:
        return load_array(path, loaded.spec.data, loaded.levels)
    except ImageError as error:
        raise UserError(
            f"{safe_text(path, 1000)} cannot be looked at: {error.reason}.",
            "Give the path of one image file: JPEG, PNG, WebP, BMP, GIF, TIFF or PPM.",
        ) from None


def network_up_to(loaded: LoadedModel, layer: str) -> keras.Model:
    """Return the network from the raw image up to a layer's output."""
    return keras.Model(loaded.model.input, loaded.model.get_layer(layer).output)


def output_of(loaded: LoadedModel, layer: str, image: np.ndarray) -> np.ndarray:
    """Return a layer's output for one raw image: float32, (height, width, channels) or (units,)."""
    output = network_up_to(loaded, layer)(image[None].astype(np.float32), training=False)
    return keras.ops.convert_to_numpy(output)[0].astype(np.float32)


@dataclass(frozen=True)
class Activations:
    """The activations of a layer.

    Attributes:
        picture: uint8, every channel.
        preview: uint8, only the channels `strongest`.
        strongest: those with the largest mean, in order; empty if the layer has no maps.
        dead: number of channels (or units) that are zero everywhere.
        summary: lines of text.
    """

    layer: str
    picture: np.ndarray
    preview: np.ndarray
    strongest: tuple[int, ...]
    dead: int
    summary: tuple[str, ...]


def first_convolution(loaded: LoadedModel) -> str:
    """Return the default layer: the first convolution, or the first layer of a dense network."""
    rows = layer_rows(loaded.spec, len(loaded.labels))
    found = [row.name for row in rows if row.kind == "convolution"]
    return found[0] if found else next(row.name for row in rows if row.parameters)


def activations(loaded: LoadedModel, image: np.ndarray, layer: str | None = None) -> Activations:
    """Run the network on one image, uint8 (height, width, channels), and draw a layer's output.

    Raises:
        UserError: no such layer.
    """
    layer = first_convolution(loaded) if layer is None else layer
    output = output_of(loaded, check_name(layer, layer_names(loaded), "layer"), image)
    if output.ndim == 1:
        return _of_units(layer, output)
    channels = output.shape[2]
    alive = (output != 0).max(axis=(0, 1))
    # Each channel is scaled by itself: their ranges differ a lot, and weak ones would only be grey.
    tiles = [to_gray_levels(output[..., channel]) for channel in range(channels)]
    order = np.argsort(-output.mean(axis=(0, 1)), kind="stable")
    strongest = tuple(sorted(int(channel) for channel in order[:PREVIEW] if alive[channel]))
    dead = channels - int(alive.sum())
    summary = [f"{layer}: {format_shape(output.shape)}, {plural(channels, 'channel')}"]
    summary.append(
        f"{dead} of them dead: zero everywhere in this image"
        if dead
        else "none of them dead: each is active somewhere in this image"
    )
    return Activations(
        layer,
        tile_images(tiles),
        tile_images([tiles[channel] for channel in strongest or (0,)], PREVIEW_COLUMNS),
        strongest,
        dead,
        tuple(summary),
    )


def _of_units(layer: str, output: np.ndarray) -> Activations:
    """Draw a layer without maps: its units in rows, all on one scale."""
    columns = math.ceil(math.sqrt(len(output)))
    rows = math.ceil(len(output) / columns)
    shown = np.zeros(rows * columns, np.uint8)
    shown[: len(output)] = to_gray_levels(output)
    picture = tile_images([shown.reshape(rows, columns)])
    dead = int((output == 0).sum())
    summary = (
        f"{layer}: {plural(len(output), 'unit')}, in rows of {columns}, from the top left",
        f"{dead} of them zero for this image",
    )
    return Activations(layer, picture, picture, (), dead, summary)
