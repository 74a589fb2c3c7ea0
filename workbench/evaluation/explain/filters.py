"""The pattern that a filter answers to most: gradient ascent on the image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from workbench.errors import UserError
from workbench.evaluation.explain.activations import first_convolution
from workbench.evaluation.explain.layers import below, chosen, layer_names, map_layers
from workbench.evaluation.explain.pictures import displayed
from workbench.evaluation.model_file import LoadedModel
from workbench.training.backend import value_and_gradient

MOST_UNASKED = 12  # filters shown where none are named
STEPS, MOST_STEPS = 40, 10_000
_GREY, _NOISE = 118.0, 20.0  # the start: 118 to 138, mid-grey of 0 to 255
_STEP = 1.0  # grey levels that a pixel moves in a step, root mean square


@dataclass(frozen=True)
class Pattern:
    """What a filter prefers.

    Attributes:
        image: float32 (height, width, channels), raw values 0 to 255.
        start: mean activation of the filter over its map for the noise; `end`: for the image.
    """

    filter: int
    image: np.ndarray
    start: float
    end: float

    @property
    def picture(self) -> np.ndarray:
        """uint8 of the image's shape, scaled for the eye."""
        return displayed(self.image)

    @property
    def words(self) -> str:
        """For people, in a line."""
        if self.start == self.end:
            return f"filter {self.filter}: does not answer to the noise, so nothing leads upward"
        return f"filter {self.filter}: mean activation {self.start:.4g} -> {self.end:.4g}"


def choose_filters(
    loaded: LoadedModel, layer: str | None, given: Sequence[int] | None
) -> tuple[str, list[int], int]:
    """The layer, the filters to look at, and how many it has.

    Raises:
        UserError: no such layer, one without maps, or it has no such filter.
    """
    allowed = map_layers(loaded)
    if not allowed:
        raise UserError("A dense network has no filters.", "Look at a run of a convnet or a base.")
    layer = layer or first_convolution(loaded)
    if layer in layer_names(loaded) and layer not in allowed:
        raise UserError(
            f"{layer} has no patterns to draw: its output is a row of numbers without places.",
            f"Choose a layer with a map; the last one is {allowed[-1]}.",
        )
    layer = chosen(layer, allowed, "layer")
    count = int(loaded.model.get_layer(layer).output.shape[-1])
    numbers = list(range(min(count, MOST_UNASKED))) if given is None else list(given)
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
    """The preferred pattern of each filter, one after the other.

    From grey noise, the image moves along the gradient of the filter's mean activation, whose
    root mean square is made 1: every step is equally long, however weak the filter. It stays an
    image that could be, within 0 to 255. The noise is a function of seed and filter alone.

    Args:
        layer, filters: as `choose_filters` gives them.
        on_step: told how many steps of all are done.
    """
    network = below(loaded, layer)
    shape = (1, *loaded.spec.data.input_shape)
    done = 0
    for number in filters:

        def mean_activation(images: object, number: int = number) -> object:
            return keras.ops.mean(network(images, training=False)[..., number])

        random = np.random.default_rng((seed, number))
        image = (random.random(shape) * _NOISE + _GREY).astype(np.float32)
        start, gradient = value_and_gradient(mean_activation, image)
        end = start
        for _ in range(steps):
            length = np.sqrt(np.mean(np.square(gradient, dtype=np.float64)))
            if length > 0:  # else the filter is silent, and nothing leads upward
                image = np.clip(image + _STEP * gradient / length, 0, 255).astype(np.float32)
                end, gradient = value_and_gradient(mean_activation, image)
            done += 1
            on_step(done)
        yield Pattern(number, image[0], start, end)
