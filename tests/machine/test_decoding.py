"""The speed of decoding photographs, measured on images as training prepares them."""

import io
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from workbench.experiment.sections import DataSpec
from workbench.machine import decoding as module
from workbench.machine.decoding import measure_decoding, synthetic_photograph


def test_the_photograph_is_like_one() -> None:
    photograph = synthetic_photograph()
    assert 25_000 < len(photograph) < 40_000
    assert photograph == synthetic_photograph()
    with Image.open(io.BytesIO(photograph)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (500, 375))
        pixels = np.asarray(image)
    assert pixels.std() > 40


def test_images_are_counted_in_the_shape_that_is_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = set()
    load = module.load_array

    def noted(source: bytes, data: DataSpec) -> np.ndarray:
        array = load(source, data)
        shapes.add((array.shape, array.dtype))
        return array

    monkeypatch.setattr(module, "load_array", noted)
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    # It begins at 0 s, takes an image each second until 8 are over, and is ready at 10.
    clock = itertools.chain([0.0], range(1, 9), itertools.repeat(10.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = measure_decoding(seconds=8.0)
    assert shapes == {((150, 150, 3), np.dtype("uint8"))}
    assert found.images_per_second == 7 / 10
    assert 0 <= found.busy <= 1
