"""What layers respond to: their activations for an image, and the patterns that activate a filter.

The layers that can be explained, and the network up to them, are here too. A pattern is found by
gradient ascent on the image.
"""

import difflib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from workbench.datasets.decoding import load_array
from workbench.datasets.image_files import ImageError
from workbench.datasets.names import match_label
from workbench.errors import UserError
from workbench.evaluation.model_file import LoadedModel
from workbench.evaluation.pictures import tile_images, to_gray_levels
from workbench.experiment.plan import layer_rows
from workbench.messages import tr
from workbench.text import format_choices, format_shape, plural, safe_text
from workbench.training.backend import value_and_gradient

_MAX_NAMES = 30  # in an error; of more names, only similar ones
PREVIEW, PREVIEW_COLUMNS = 15, 5  # channels that fit a terminal of 80 columns
DEFAULT_FILTERS = 12  # filters shown if none are named
STEPS, MAX_STEPS = 40, 10_000
_GRAY, _NOISE = 118.0, 20.0  # the start: 118 to 138, the middle of 0 to 255
_STEP = 1.0  # grey levels that a pixel changes in a step, root mean square


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
        choices = format_choices([safe_text(name) for name in allowed])
        hint = tr("Allowed: {choices}.", choices=choices)
    else:
        close = difflib.get_close_matches(given, allowed, n=5, cutoff=0.3) or list(allowed[-5:])
        named = ", ".join(safe_text(name) for name in close)
        count = plural(len(allowed), "label") if what == "label" else plural(len(allowed), "layer")
        hint = tr("There are {count}, among them {named}.", count=count, named=named)
    name = safe_text(repr(given))
    raise UserError(
        tr("There is no label {given}.", given=name)
        if what == "label"
        else tr("There is no layer {given}.", given=name),
        hint,
    )


def read_image(loaded: LoadedModel, path: Path) -> np.ndarray:
    """Read an image file as the model's contract says: uint8 (height, width, channels).

    Raises:
        UserError: it cannot be used.
    """
    try:
        return load_array(path, loaded.spec.data, loaded.levels)
    except ImageError as error:
        raise UserError(
            tr("{path} cannot be read: {reason}.", path=safe_text(path, 1000), reason=error.reason),
            tr("Give the path of one image file: JPEG, PNG, WebP, BMP, GIF, TIFF or PPM."),
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
        tr("{dead} of them zero everywhere in this image", dead=dead)
        if dead
        else tr("each of them is active somewhere in this image")
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
        tr(
            "{layer}: {units}, in rows of {columns}, from the top left",
            layer=layer,
            units=plural(len(output), "unit"),
            columns=columns,
        ),
        tr("{dead} of them zero for this image", dead=dead),
    )
    return Activations(layer, picture, picture, (), dead, summary)


@dataclass(frozen=True)
class Pattern:
    """The pattern of a filter.

    Attributes:
        image: float32 (height, width, channels), raw values 0 to 255.
        start: mean activation of the filter over its map for the noise.
        end: the same for the image.
    """

    filter: int
    image: np.ndarray
    start: float
    end: float

    @property
    def picture(self) -> np.ndarray:
        """The image as uint8, scaled for display."""
        return to_gray_levels(self.image)

    @property
    def summary(self) -> str:
        """A line of text."""
        if self.start == self.end:
            return tr(
                "filter {filter}: is not active on the noise, so there is no gradient",
                filter=self.filter,
            )
        return tr(
            "filter {filter}: mean activation {start:.4g} -> {end:.4g}",
            filter=self.filter,
            start=self.start,
            end=self.end,
        )


def choose_filters(
    loaded: LoadedModel, layer: str | None, given: Sequence[int] | None
) -> tuple[str, list[int], int]:
    """Return the layer, the filters to draw, and how many it has.

    Raises:
        UserError: there is no such layer or filter, or the layer has no maps.
    """
    allowed = map_layers(loaded)
    if not allowed:
        raise UserError(
            tr("A dense network has no filters."), tr("Choose a run of a convnet or a base.")
        )
    layer = layer or first_convolution(loaded)
    if layer in layer_names(loaded) and layer not in allowed:
        raise UserError(
            tr("{layer} has no patterns to draw: its output is a vector, not a map.", layer=layer),
            tr("Choose a layer with a map; the last one is {allowed}.", allowed=allowed[-1]),
        )
    layer = check_name(layer, allowed, "layer")
    count = int(loaded.model.get_layer(layer).output.shape[-1])
    numbers = list(range(min(count, DEFAULT_FILTERS))) if given is None else list(given)
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong or not numbers:
        raise UserError(
            tr("{layer} has no filter {wrong}.", layer=layer, wrong=wrong[0])
            if wrong
            else tr("No filter was named."),
            tr("Its {count} filters are 0 to {last}.", count=count, last=count - 1),
        )
    return layer, numbers, count


def patterns(
    loaded: LoadedModel,
    layer: str,
    filters: Sequence[int],
    steps: int = STEPS,
    seed: int = 1,
    on_step: Callable[[int], None] = lambda step: None,
) -> Iterator[Pattern]:
    """Yield the pattern of each filter; layer and filters are those of `choose_filters`.

    From grey noise, the image moves along the gradient of the filter's mean activation, scaled to a
    root mean square of 1: every step is equally long, even for a weak filter. It stays a possible
    image, within 0 to 255. The noise depends only on seed and filter. `on_step` is called with the
    number of steps done over all filters.
    """
    network = network_up_to(loaded, layer)
    shape = (1, *loaded.spec.data.input_shape)
    done = 0
    for number in filters:

        def mean_activation(images: object, number: int = number) -> object:
            return keras.ops.mean(network(images, training=False)[..., number])

        random = np.random.default_rng((seed, number))
        image = (random.random(shape) * _NOISE + _GRAY).astype(np.float32)
        start, gradient = value_and_gradient(mean_activation, image)
        end = start
        for _ in range(steps):
            length = np.sqrt(np.mean(np.square(gradient, dtype=np.float64)))
            if length > 0:  # else the filter is not active, and there is no direction
                image = np.clip(image + _STEP * gradient / length, 0, 255).astype(np.float32)
                end, gradient = value_and_gradient(mean_activation, image)
            done += 1
            on_step(done)
        yield Pattern(number, image[0], start, end)
