"""The activations of a layer for an image, channel by channel."""

import math
from dataclasses import dataclass

import numpy as np

from workbench.evaluation.explain.layers import check_name, layer_names, output_of
from workbench.evaluation.explain.pictures import tile_images, to_gray_levels
from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.plan import layer_rows
from workbench.text import format_shape, plural

PREVIEW, PREVIEW_COLUMNS = 15, 5  # channels that fit a terminal of 80 columns


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
