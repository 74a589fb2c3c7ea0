"""Augmentation on the device gives the images of the host, up to a grey level."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_runs import TinyRun, bars, convnet_spec, same_weights

from workbench.datasets.augment import Draw, as_numbers, augment, draw
from workbench.experiment.augmentation import AugmentationSpec
from workbench.training import pieces
from workbench.training.device_augment import augment_images

EVERYTHING = {
    "rotation": 40.0, "width_shift": 0.2, "height_shift": 0.2, "shear": 20.0, "zoom": 0.3,
    "horizontal_flip": True, "vertical_flip": True, "brightness": 0.5, "contrast": 0.5,
    "random_crop": 0.3,
}  # fmt: skip


def on_device(images: np.ndarray, draws: list[Draw], fill: str) -> np.ndarray:
    changes = np.stack([as_numbers(one, *images.shape[1:3]) for one in draws])
    return keras.ops.convert_to_numpy(augment_images(images, changes, fill))


def difference(images: np.ndarray, draws: list[Draw], spec: AugmentationSpec) -> np.ndarray:
    host = np.stack([augment(image, spec, one) for image, one in zip(images, draws, strict=True)])
    found = on_device(images, draws, spec.fill)
    assert found.dtype == np.uint8
    return np.abs(found.astype(int) - host)


@pytest.mark.parametrize("fill", ["nearest", "black"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_change_together(fill: str, channels: int) -> None:
    """Smooth images: between neighbours of noise a rounded coordinate alone is a level."""
    spec = AugmentationSpec(**EVERYTHING, fill=fill)
    rows, columns = np.mgrid[:24, :31]
    waves = [128 + 120 * np.sin(rows / (5 + k) + columns / (7 - k)) for k in range(channels)]
    images = np.repeat(np.stack(waves, axis=-1)[None].astype(np.uint8), 40, axis=0)
    draws = [draw(spec, 1, 0, view, 7) for view in range(40)]
    assert difference(images, draws, spec).max() <= 1


@pytest.mark.parametrize(
    "change",
    [
        Draw(),
        Draw(horizontal_flip=True),
        Draw(vertical_flip=True),
        Draw(rotation=90),
        Draw(height_shift=0.25),
        Draw(top=0.25, left=0.5, height=0.5, width=0.5),
        Draw(brightness=1.3),
        Draw(contrast=0.6),
    ],
    ids=lambda change: str(change)[5:40],
)
def test_one_change_of_noise(change: Draw) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    assert difference(images, [change], AugmentationSpec()).max() <= 1


def test_each_image_has_its_own_changes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    found = on_device(images, [Draw(), Draw(horizontal_flip=True)], "nearest")
    assert np.array_equal(found[0], images[0])
    assert np.array_equal(found[1], images[1, :, ::-1])


@pytest.mark.parametrize("resident", [True, False])
def test_a_run_augments_on_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: bool
) -> None:
    """With flips alone there is nothing to round: the weights are those of the host's way."""
    if not resident:
        monkeypatch.setitem(pieces.RESIDENT_BYTES, "cpu", 0)
    flips = ("augmentation.rotation=0", "training.steps_per_epoch=7")
    host = TinyRun(convnet_spec(*flips, "training.augment_on=host"), tmp_path / "host")
    device = TinyRun(convnet_spec(*flips, "training.augment_on=device"), tmp_path / "device")
    never = TinyRun(
        convnet_spec(*flips, "augmentation.horizontal_flip=false"), tmp_path / "without"
    )
    weights = host.run()
    assert same_weights(weights, device.run())
    assert not same_weights(weights, never.run())


def test_a_stopped_run_may_go_on_elsewhere(tmp_path: Path) -> None:
    flips = ("augmentation.rotation=0",)
    whole = TinyRun(convnet_spec(*flips), tmp_path / "whole").run()
    parts = TinyRun(convnet_spec(*flips, "training.augment_on=device"), tmp_path / "parts")
    parts.run_until(4)
    spec = convnet_spec(*flips, "training.augment_on=host")
    assert same_weights(whole, replace(parts, spec=spec, data=bars()).run(resume=True))
