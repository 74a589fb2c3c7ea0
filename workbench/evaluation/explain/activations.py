"""What a layer answers to an image, channel by channel."""

import math
from dataclasses import dataclass

import numpy as np

from workbench.evaluation.explain.layers import chosen, layer_names, output_of
from workbench.evaluation.explain.pictures import displayed, tiled
from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.plan import layer_rows
from workbench.text import human_size, plural

PREVIEW, PREVIEW_COLUMNS = 15, 5  # channels that a terminal of 80 columns has room for


@dataclass(frozen=True)
class Activations:
    """A layer's answer.

    Attributes:
        picture: uint8, every channel.
        preview: uint8, the channels `strongest` alone.
        strongest: those with the largest mean, by number; none where the layer has no maps.
        dead: channels (or units) that are zero everywhere.
        words: the same for people, a line each.
    """

    layer: str
    picture: np.ndarray
    preview: np.ndarray
    strongest: tuple[int, ...]
    dead: int
    words: tuple[str, ...]


def first_convolution(loaded: LoadedModel) -> str:
    """The layer that is looked at where none is named; in a dense network its first one."""
    rows = layer_rows(loaded.spec, len(loaded.labels))
    found = [row.name for row in rows if row.kind == "convolution"]
    return found[0] if found else next(row.name for row in rows if row.parameters)


def activations(loaded: LoadedModel, image: np.ndarray, layer: str | None = None) -> Activations:
    """Shows one image to the network and draws what a layer makes of it.

    Args:
        image: uint8 (height, width, channels), as `read_image` gives it.

    Raises:
        UserError: no such layer.
    """
    layer = first_convolution(loaded) if layer is None else layer
    output = output_of(loaded, chosen(layer, layer_names(loaded), "layer"), image)
    if output.ndim == 1:
        return _of_units(layer, output)
    channels = output.shape[2]
    alive = (output != 0).max(axis=(0, 1))
    # Each channel by itself: their ranges differ by far, and a weak one would only be grey.
    tiles = [displayed(output[..., channel]) for channel in range(channels)]
    order = np.argsort(-output.mean(axis=(0, 1)), kind="stable")
    strongest = tuple(sorted(int(channel) for channel in order[:PREVIEW] if alive[channel]))
    dead = channels - int(alive.sum())
    words = [f"{layer}: {human_size(output.shape)}, {plural(channels, 'channel')}"]
    words.append(
        f"{dead} of them dead: zero everywhere in this image"
        if dead
        else "none of them dead: each answers somewhere in this image"
    )
    return Activations(
        layer,
        tiled(tiles),
        tiled([tiles[channel] for channel in strongest or (0,)], PREVIEW_COLUMNS),
        strongest,
        dead,
        tuple(words),
    )


def _of_units(layer: str, output: np.ndarray) -> Activations:
    """A layer without maps: its units in rows, all on one scale."""
    columns = math.ceil(math.sqrt(len(output)))
    rows = math.ceil(len(output) / columns)
    shown = np.zeros(rows * columns, np.uint8)
    shown[: len(output)] = displayed(output)
    picture = tiled([shown.reshape(rows, columns)])
    dead = int((output == 0).sum())
    words = (
        f"{layer}: {plural(len(output), 'unit')}, in rows of {columns}, from the top left",
        f"{dead} of them zero for this image",
    )
    return Activations(layer, picture, picture, (), dead, words)
