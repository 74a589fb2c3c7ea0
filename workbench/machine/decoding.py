"""How fast this machine decodes photographs: with the disk, the speed of the first epoch."""

import io
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

from workbench.datasets.decoding import load_array, map_in_threads
from workbench.experiment.sections import DataSpec
from workbench.machine.facts import Decoding
from workbench.machine.processor import busy_share

WIDTH, HEIGHT = 500, 375  # pixels, as most of Kaggle's cats and dogs
MEASURE_SECONDS = 0.5
BUSY_SECONDS = 0.3
_QUALITY = 90
_NOISE = 2.5  # grey levels: the file is then as large as a photograph of that size, 31 kB
_DATA = DataSpec(source="synthetic")  # the default: 150 x 150 pixels in colour


def measure_decoding(seconds: float = MEASURE_SECONDS) -> Decoding:
    """Decode a synthetic photograph repeatedly with every core, for a number of seconds."""
    busy = busy_share(BUSY_SECONDS)
    photograph = synthetic_photograph()
    load_array(photograph, _DATA)
    began = time.monotonic()
    images = sum(1 for _ in map_in_threads(_load, _again(photograph, began + seconds)))
    return Decoding(images_per_second=images / (time.monotonic() - began), busy=busy)


def synthetic_photograph() -> bytes:
    """Return a JPEG of smooth shapes with a little noise; the same at every call."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    hills = [
        np.sin(x / 90 + channel) * 50 + np.cos(y / 60 - channel) * 40 + np.hypot(x - 200, y - 150)
        for channel in range(3)
    ]
    folded = 255 - np.abs(np.stack(hills, axis=-1) % 510 - 255)  # up to 255, then down again
    grain = np.random.default_rng(1).normal(0, _NOISE, (HEIGHT, WIDTH, 1))
    pixels = np.clip(folded + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _load(photograph: bytes) -> np.ndarray:
    return load_array(photograph, _DATA)


def _again(photograph: bytes, deadline: float) -> Iterator[bytes]:
    while time.monotonic() < deadline:
        yield photograph
