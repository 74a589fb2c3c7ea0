"""The frozen prefix: the network below everything that trains, run once for each image."""

from functools import cached_property
from typing import Any, Protocol

import keras
import numpy as np

from workbench.training.feature_file import CHUNK


class Prefix:
    """The network from the image to a cut; an image's features have the same bits in any batch.

    The shape of a batch decides how sums are split into parts, so every batch has CHUNK images, the
    last one filled up. If an image's place in the batch also decides about the last bits, as it can
    on a CPU (see `places_matter`), each image is a batch of its own; training would amplify the
    difference.

    Args:
        on_cpu: whether places are probed. On a GPU they never matter, and single images would take
            many times as long.

    Attributes:
        cut: name of the last layer of the prefix.
        network: from images (n, h, w, c) to features, for batches of any size.
        shape: of one image's features, (height, width, channels).
        identity: what decides about the last bits, besides the network and the kind of processor.
    """

    def __init__(self, model: keras.Model, cut: str, on_cpu: bool = True) -> None:
        output = model.get_layer(cut).output
        self.cut = cut
        self.network = keras.Model(model.input, output, name="prefix")
        self.shape = tuple(int(side) for side in output.shape[1:])
        self.identity = "" if on_cpu else f"batches of {CHUNK}"
        self._on_cpu = on_cpu

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""
        parts = [self._part(images[at : at + CHUNK]) for at in range(0, len(images), CHUNK)]
        return np.concatenate(parts)

    def _part(self, images: np.ndarray) -> np.ndarray:
        """Return features of CHUNK images at most."""
        batch = images
        if self._run is self.network and len(images) < CHUNK:
            batch = np.zeros((CHUNK, *images.shape[1:]), images.dtype)
            batch[: len(images)] = images
        return np.asarray(self._run.predict_on_batch(batch), np.float32)[: len(images)]

    @cached_property
    def _run(self) -> keras.Model:
        one_by_one = self._on_cpu and places_matter(self.network)
        return OneByOne(self.network) if one_by_one else self.network


def places_matter(network: keras.Model) -> bool:
    """Return whether an image's place in a batch of CHUNK decides about its features' last bits.

    It does with TensorFlow without oneDNN on a processor with AVX2 only, in most networks. The
    probe puts one image into all places: sums of many thousand numbers show any difference.
    """
    image = np.random.default_rng(0).integers(0, 256, (1, *network.input_shape[1:]))
    outputs = network.predict_on_batch(np.repeat(image.astype(np.float32), CHUNK, axis=0))
    outputs = np.asarray(outputs, np.float32)
    return not all(np.array_equal(output, outputs[0]) for output in outputs)


class OneByOne(keras.Model):
    """Runs a network on batches of one image, several in parallel.

    The loop is part of the compiled function: one call for each image would take up to twice as
    long.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(autocast=False, name="one_by_one")  # the network has a policy of its own
        self.network = network

    def call(self, images: Any) -> Any:
        """Return features (n, ...) of images (n, h, w, c)."""
        return keras.ops.map(lambda image: self.network(image[None], training=False)[0], images)


class FeatureExtractor(Protocol):
    """Runs the network up to a cut; attributes as of `Prefix`."""

    cut: str
    shape: tuple[int, ...]
    identity: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""
