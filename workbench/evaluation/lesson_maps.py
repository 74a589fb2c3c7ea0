"""What a convolution's map holds at its border and in its middle."""

import keras
import numpy as np

from workbench.experiment.spec import ExperimentSpec
from workbench.training.data import TrainingData

MOST_IMAGES = 64
GREY = 128  # of the even image


def rings_of(
    model: keras.Model, data: TrainingData, spec: ExperimentSpec
) -> dict[str, list[float]]:
    """Mean activation of the last convolution, ring by ring from the border to the middle.

    Returns:
        "even": of an even grey image, in which whatever differs comes from the border alone;
        "images": of validation images, whose own content differs too.
    """
    name = f"conv{len(spec.model.filters)}"
    network = keras.Model(model.input, model.get_layer(name).output)
    even = np.full((1, *spec.data.input_shape), GREY, np.uint8)
    images = np.asarray(data.images[np.sort(data.rows["validation"])[:MOST_IMAGES]])
    return {
        "even": ring_means(np.asarray(network.predict_on_batch(even))),
        "images": ring_means(np.asarray(network.predict_on_batch(images))),
    }


def ring_means(maps: np.ndarray) -> list[float]:
    """Means over maps (n, height, width, channels) by distance from the border, 0 first."""
    height, width = maps.shape[1:3]
    rows, columns = np.arange(height), np.arange(width)
    from_top = np.minimum(rows, height - 1 - rows)[:, None]
    from_side = np.minimum(columns, width - 1 - columns)[None, :]
    distance = np.minimum(from_top, from_side)
    plane = maps.mean(axis=(0, 3), dtype=np.float64)
    return [float(plane[distance == ring].mean()) for ring in range(int(distance.max()) + 1)]
