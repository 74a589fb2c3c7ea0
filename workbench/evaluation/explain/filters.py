"""The pattern that activates a filter most: gradient ascent on the image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from workbench.errors import UserError
from workbench.evaluation.explain.activations import (
    check_name,
    first_convolution,
    layer_names,
    map_layers,
    network_up_to,
)
from workbench.evaluation.explain.pictures import to_gray_levels
from workbench.evaluation.model_file import LoadedModel
from workbench.training.backend import value_and_gradient

DEFAULT_FILTERS = 12  # filters shown if none are named
STEPS, MAX_STEPS = 40, 10_000
_GRAY, _NOISE = 118.0, 20.0  # the start: 118 to 138, the middle of 0 to 255
_STEP = 1.0  # grey levels that a pixel changes in a step, root mean square


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
            return f"filter {self.filter}: is not active on the noise, so there is no gradient"
        return f"filter {self.filter}: mean activation {self.start:.4g} -> {self.end:.4g}"


def choose_filters(
    loaded: LoadedModel, layer: str | None, given: Sequence[int] | None
) -> tuple[str, list[int], int]:
    """Return the layer, the filters to draw, and how many it has.

    Raises:
        UserError: there is no such layer or filter, or the layer has no maps.
    """
    allowed = map_layers(loaded)
    if not allowed:
        raise UserError("A dense network has no filters.", "Choose a run of a convnet or a base.")
    layer = layer or first_convolution(loaded)
    if layer in layer_names(loaded) and layer not in allowed:
        raise UserError(
            f"{layer} has no patterns to draw: its output is a vector, not a map.",
            f"Choose a layer with a map; the last one is {allowed[-1]}.",
        )
    layer = check_name(layer, allowed, "layer")
    count = int(loaded.model.get_layer(layer).output.shape[-1])
    numbers = list(range(min(count, DEFAULT_FILTERS))) if given is None else list(given)
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong or not numbers:
        raise UserError(
            f"{layer} has no filter {wrong[0]}." if wrong else "No filter was named.",
            f"Its {count} filters are 0 to {count - 1}.",
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
