"""The frozen prefix run by OpenVINO instead of Keras: the same features, faster on a CPU.

"exact" computes in float32, as Keras does; "fast" in int8, with ranges calibrated on training
images, and is approximate. The difference from Keras is measured on the user's own images before
anything is trained; if it is too large, Keras runs the prefix after all.

Images are passed one at a time, to as many requests as suit the CPU. So features never depend on
other images: cached and streamed ones have the same bits.
"""

import importlib.metadata
import json
import logging
import sys
import warnings
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import keras
import numpy as np

from workbench.machine.preflight import ACCELERATOR_PACKAGES
from workbench.messages import tr
from workbench.training.prefix import Prefix

# Largest relative error ||features - Keras's|| / ||Keras's||. float32 sums in another order stay
# below 1e-5; a head does not notice one of 0.01, but does notice twenty times that.
BOUNDS = {"exact": 1e-4, "fast": 0.05}
SAMPLE = 64  # images on which the error is measured and int8 is calibrated


class AcceleratedPrefix:
    """A prefix that is converted when first called; cached features need no conversion.

    Args:
        mode: "exact" or "fast".
        sample: raw images float32 (n, h, w, c), some of those that it will be given.
        notify: called with a sentence on the result of the conversion.

    Attributes:
        cut, shape: as of `Prefix`.
        identity: all that decides about the last bits of its features, besides the network.
    """

    def __init__(
        self, prefix: Prefix, mode: str, sample: np.ndarray, notify: Callable[[str], None]
    ) -> None:
        self.cut, self.shape = prefix.cut, prefix.shape
        self.identity = _identity(mode, sample)
        self._keras = prefix
        self._mode = mode
        self._sample = sample
        self._notify = notify
        self._run: Callable[[np.ndarray], np.ndarray] | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""
        if self._run is None:
            self._run = self._choose()
        return self._run(images)

    def _choose(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return OpenVINO's network if it is close enough to Keras's, else Keras's."""
        network = OpenVinoNetwork(convert(self._keras.network, self._mode, self._sample))
        error = relative_error(network(self._sample), self._keras(self._sample))
        bound = BOUNDS[self._mode]
        kind = tr("exact, float32") if self._mode == "exact" else tr("fast, approximate, int8")
        differs = tr(
            "its outputs differ from Keras's by {error:.2g} on {sample} images",
            error=error,
            sample=len(self._sample),
        )
        if not error <= bound:  # or is NaN
            self._notify(
                tr(
                    "OpenVINO ({kind}): {differs}, more than the {bound:g} allowed. It "
                    "is not used: Keras runs the network up to {cut}.",
                    kind=kind,
                    differs=differs,
                    bound=bound,
                    cut=self.cut,
                )
            )
            return self._keras
        self._notify(
            tr(
                "OpenVINO ({kind}) runs the network up to {cut}: {differs}; "
                "{bound:g} is allowed. The saved model and its test metrics are "
                "Keras's own.",
                kind=kind,
                cut=self.cut,
                differs=differs,
                bound=bound,
            )
        )
        return network


class OpenVinoNetwork:
    """A converted network that runs several images in parallel, each by itself."""

    def __init__(self, model: Any) -> None:
        disable_telemetry()
        import openvino

        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        self._queue = openvino.AsyncInferQueue(compiled, 0)  # as many as suit the CPU
        self._queue.set_callback(self._receive)
        self._outputs: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return outputs float32 (n, ...) of images (n, h, w, c) of any number type."""
        self._outputs = [np.empty(0)] * len(images)
        for position, image in enumerate(images.astype(np.float32, copy=False)):
            self._queue.start_async({0: image[None]}, position)
        self._queue.wait_all()
        return np.stack(self._outputs)

    def _receive(self, request: Any, position: int) -> None:
        self._outputs[position] = request.get_output_tensor(0).data[0].copy()


def convert(network: keras.Model, mode: str, sample: np.ndarray) -> Any:
    """Convert a network for one image at a time, to int8 if the mode is "fast"."""
    disable_telemetry()
    import openvino

    with warnings.catch_warnings():  # Keras warns of a list for its only input
        warnings.simplefilter("ignore", UserWarning)
        model = openvino.convert_model(network)
    model.reshape({0: [1, *sample.shape[1:]]})
    if mode == "exact":
        return model
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    images = nncf.Dataset([image[None] for image in sample])
    return nncf.quantize(model, images, subset_size=len(sample))


def disable_telemetry() -> None:
    """Hide `openvino_telemetry`, with which OpenVINO and NNCF report their use to Intel.

    They do so unless the user opted out; without the user's consent nothing is sent.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def relative_error(outputs: np.ndarray, expected: np.ndarray) -> float:
    """Return ||outputs - expected|| / ||expected||, each as one long vector."""
    return float(np.linalg.norm(outputs - expected) / max(float(np.linalg.norm(expected)), 1e-12))


def sample_images(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return up to SAMPLE of the rows' images, evenly spaced, float32."""
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(int)]
    return images[np.sort(chosen)].astype(np.float32)


def _identity(mode: str, sample: np.ndarray) -> str:
    versions = {name: importlib.metadata.version(name) for name in ACCELERATOR_PACKAGES[mode]}
    key = json.dumps([mode, versions, BOUNDS[mode]], sort_keys=True)
    return blake2b(key.encode() + sample.tobytes(), digest_size=8).hexdigest()
