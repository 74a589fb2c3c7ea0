"""The book's way: the whole model in every epoch, images from a Python generator.

After the convnet chapter of "Deep Learning with Python" (first edition), in today's Keras; and
real or made-up photographs for both sides.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np
from keras import layers, optimizers
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from PIL import Image

SIDE, BATCH = 150, 20
DISTINCT = 20  # made-up photographs
AUGMENTATION = {
    "rotation_range": 40, "width_shift_range": 0.2, "height_shift_range": 0.2, "shear_range": 0.2,
    "zoom_range": 0.2, "horizontal_flip": True, "fill_mode": "nearest",
}  # fmt: skip


def generator(folder: Path, augmented: bool = False):
    """Yield batches of images in 0 .. 1, without end, from a folder with a folder per label."""
    changes = AUGMENTATION if augmented else {}
    return ImageDataGenerator(rescale=1 / 255, **changes).flow_from_directory(
        folder, target_size=(SIDE, SIDE), batch_size=BATCH, class_mode="binary"
    )


def vgg16() -> keras.Model:
    """Return the base as the book uses it; random weights cost as much to run."""
    return keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), name="vgg16"
    )


def on_base(base: keras.Model, trains_from: str | None = None) -> keras.Model:
    """Return the base with a dense head, frozen but for the layers from one on."""
    base.trainable = True
    trains = False
    for layer in base.layers:
        trains = trains or layer.name == trains_from
        layer.trainable = trains
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            base,
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return _compiled(model, 1e-5 if trains_from else 2e-5)


def convnet() -> keras.Model:
    """Return the small convnet for cats and dogs."""
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return _compiled(model, 1e-4)


def _compiled(model: keras.Model, learning_rate: float) -> keras.Model:
    model.compile(
        loss="binary_crossentropy",
        optimizer=optimizers.RMSprop(learning_rate),
        metrics=["accuracy"],
    )
    return model


def epoch(model: keras.Model, train, validation, images: int, validated: int) -> None:
    """Train an epoch on so many images, validation included; the generators never end."""
    model.fit(
        train, steps_per_epoch=images // BATCH, epochs=1, validation_data=validation,
        validation_steps=validated // BATCH, verbose=0,
    )  # fmt: skip


def as_folder(images: Iterable[np.ndarray], folder: Path, quality: int = 75) -> None:
    """Write images as JPEGs with two labels in turn: folder/cat, folder/dog."""
    for label in ("cat", "dog"):
        Path(folder, label).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.jpg"
        Image.fromarray(image).save(path, quality=quality)


def photographs(count: int, height: int = 375, width: int = 500) -> Iterator[np.ndarray]:
    """Yield pictures with the detail of photographs, so that their JPEGs take as long to decode.

    Random fields of four sizes, each finer one fainter, as in pictures of nature (Field, "Relations
    between the statistics of natural images", 1987); after the first twenty, these pushed sideways.
    """
    rng, first = np.random.default_rng(1), []
    for number in range(count):
        if number < DISTINCT:
            first.append(_fields(rng, height, width))
        yield np.roll(first[number % DISTINCT], 7 * (number // DISTINCT), axis=1)


def _fields(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    total = np.full((height, width, 3), 128.0)
    for step in (64, 16, 4, 1):
        coarse = rng.normal(0, 6 * step**0.5, (height // step + 2, width // step + 2, 3))
        levels = Image.fromarray((coarse.clip(-127, 127) + 128).astype(np.uint8))
        total += np.asarray(levels.resize((width, height), Image.Resampling.BICUBIC)) - 128.0
    return total.clip(0, 255).astype(np.uint8)


def random_images(count: int, side: int = SIDE) -> np.ndarray:
    """Return noise, uint8 (count, side, side, 3)."""
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), np.uint8)
