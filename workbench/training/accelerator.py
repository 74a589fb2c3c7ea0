"""The frozen prefix run by OpenVINO instead of Keras: on a CPU the same outputs, sooner.

"exact" computes in float32, as Keras does; "fast" in int8, with ranges found on training images,
and is approximate. How far both are from Keras is measured on images of the person's own before
anything is trained on them; what is too far is refused, and Keras runs the prefix after all.

Images are given one at a time, to as many requests as the CPU has use for. So an output never
depends on which images came beside it: cached and streamed outputs have the same bits.
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
from workbench.training.features import Prefix

# Largest relative error ||outputs - Keras's|| / ||Keras's||. float32 sums in another order stay
# below 1e-5; a hundredth part is what a head no longer notices, and twenty times that it does.
BOUNDS = {"exact": 1e-4, "fast": 0.05}
SAMPLE = 64  # images on which the error is measured and the ranges of int8 are found

Note = Callable[[str], None]


class AcceleratedPrefix:
    """A prefix that is converted when the first image comes; outputs kept earlier need none.

    Args:
        mode: "exact" or "fast".
        sample: raw images float32 (n, h, w, c) of those that it will be given.
        note: told what the conversion came to.

    Attributes:
        cut, shape: as of `Prefix`.
        identity: all that decides about the last bits of its outputs, beside the network.
    """

    def __init__(self, prefix: Prefix, mode: str, sample: np.ndarray, note: Note) -> None:
        self.cut, self.shape = prefix.cut, prefix.shape
        self.identity = _identity(mode, sample)
        self._keras = prefix
        self._mode = mode
        self._sample = sample
        self._note = note
        self._run: Callable[[np.ndarray], np.ndarray] | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Outputs float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""
        if self._run is None:
            self._run = self._chosen()
        return self._run(images)

    def _chosen(self) -> Callable[[np.ndarray], np.ndarray]:
        """OpenVINO's network where it is near enough to Keras's, else that."""
        network = Requests(convert(self._keras.network, self._mode, self._sample))
        error = relative_error(network(self._sample), self._keras(self._sample))
        bound = BOUNDS[self._mode]
        kind = "exact, float32" if self._mode == "exact" else "fast, approximate, int8"
        measured = f"its outputs differ from Keras's by {error:.2g} on {len(self._sample)} images"
        if not error <= bound:  # nor where it is no number
            self._note(
                f"OpenVINO ({kind}): {measured}, more than the {bound:g} allowed. It is not used: "
                f"Keras runs the network up to {self.cut}."
            )
            return self._keras
        self._note(
            f"OpenVINO ({kind}) runs the network up to {self.cut}: {measured}; {bound:g} is "
            "allowed. The saved model and its test figures are Keras's alone."
        )
        return network


class Requests:
    """A converted network that several images go through at once, each by itself."""

    def __init__(self, model: Any) -> None:
        keep_telemetry_out()
        import openvino

        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        self._queue = openvino.AsyncInferQueue(compiled, 0)  # as many as suit the CPU
        self._queue.set_callback(self._take)
        self._outputs: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Outputs float32 (n, ...) of images (n, h, w, c) of any number type."""
        self._outputs = [np.empty(0)] * len(images)
        for place, image in enumerate(images.astype(np.float32, copy=False)):
            self._queue.start_async({0: image[None]}, place)
        self._queue.wait_all()
        return np.stack(self._outputs)

    def _take(self, request: Any, place: int) -> None:
        self._outputs[place] = request.get_output_tensor(0).data[0].copy()


def convert(network: keras.Model, mode: str, sample: np.ndarray) -> Any:
    """OpenVINO's form of a network for one image at a time, in int8 where the mode is "fast"."""
    keep_telemetry_out()
    import openvino

    with warnings.catch_warnings():  # of Keras, that a list came for its one input
        warnings.simplefilter("ignore", UserWarning)
        model = openvino.convert_model(network)
    model.reshape({0: [1, *sample.shape[1:]]})
    if mode == "exact":
        return model
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    images = nncf.Dataset([image[None] for image in sample])
    return nncf.quantize(model, images, subset_size=len(sample))


def keep_telemetry_out() -> None:
    """Has OpenVINO and NNCF find no `openvino_telemetry`, by which they report their use to Intel.

    They do so unless a person has forbidden it; nobody was asked here, so nothing is sent.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def relative_error(outputs: np.ndarray, wanted: np.ndarray) -> float:
    """||outputs - wanted|| / ||wanted||, each taken as one long vector."""
    return float(np.linalg.norm(outputs - wanted) / max(float(np.linalg.norm(wanted)), 1e-12))


def sample_of(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Up to SAMPLE of the rows' images, evenly spaced, float32."""
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(int)]
    return images[np.sort(chosen)].astype(np.float32)


def _identity(mode: str, sample: np.ndarray) -> str:
    versions = {name: importlib.metadata.version(name) for name in ACCELERATOR_PACKAGES[mode]}
    told = json.dumps([mode, versions, BOUNDS[mode]], sort_keys=True)
    return blake2b(told.encode() + sample.tobytes(), digest_size=8).hexdigest()
