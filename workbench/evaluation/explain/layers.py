"""The layers that can be explained, and the network up to them."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from workbench.datasets.decoding import load_array
from workbench.datasets.image_files import ImageError
from workbench.datasets.names import match_label
from workbench.errors import UserError
from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.plan import layer_rows
from workbench.text import format_choices, plural, safe_text

_MAX_NAMES = 30  # in an error; of more names, only similar ones


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
