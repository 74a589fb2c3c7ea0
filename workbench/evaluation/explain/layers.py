"""Which layers a look inside may be at, and the parts of the network below and above them."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from workbench.datasets.images import ImageError, load_array
from workbench.datasets.names import known_label
from workbench.errors import UserError
from workbench.evaluation.model_file import LoadedModel
from workbench.experiment.plan import layer_rows
from workbench.text import one_of, plural, safe_text

_MOST_NAMED = 30  # names in an error; of more, those that are close


def layer_names(loaded: LoadedModel) -> list[str]:
    """Every layer behind the preprocessing, from the image up."""
    return [row.name for row in layer_rows(loaded.spec, len(loaded.labels))]


def map_layers(loaded: LoadedModel) -> list[str]:
    """The layers whose output is a map (height, width, channels)."""
    rows = layer_rows(loaded.spec, len(loaded.labels))
    return [row.name for row in rows if len(row.output_shape) == 3]


def chosen(given: str, allowed: Sequence[str], what: str) -> str:
    """The name itself, where it is allowed; blanks at its ends and composition do not count.

    Args:
        what: the kind of thing, "layer" or "label".

    Raises:
        UserError: it is not; what is allowed is listed, or the closest of it.
    """
    if (known := known_label(given, allowed)) is not None:
        return known
    if len(allowed) <= _MOST_NAMED:
        hint = f"Allowed: {one_of([safe_text(name) for name in allowed])}."
    else:
        close = difflib.get_close_matches(given, allowed, n=5, cutoff=0.3) or list(allowed[-5:])
        named = ", ".join(safe_text(name) for name in close)
        hint = f"There are {plural(len(allowed), what)}, among them {named}."
    raise UserError(f"There is no {what} {safe_text(repr(given))} to look at.", hint)


def read_image(loaded: LoadedModel, path: Path) -> np.ndarray:
    """An image file as the model's contract wants it: uint8 (height, width, channels).

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


def below(loaded: LoadedModel, layer: str) -> keras.Model:
    """The network from the raw image up to a layer's output."""
    return keras.Model(loaded.model.input, loaded.model.get_layer(layer).output)


def output_of(loaded: LoadedModel, layer: str, image: np.ndarray) -> np.ndarray:
    """What a layer answers to one raw image: float32, (height, width, channels) or (units,)."""
    answer = below(loaded, layer)(image[None].astype(np.float32), training=False)
    return keras.ops.convert_to_numpy(answer)[0].astype(np.float32)
