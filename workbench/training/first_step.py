"""The first step of a process, taken on nothing: later ones need not wait for what it sets up."""

import keras
import numpy as np
from keras import layers

from workbench.training.backend import prepare_device


def take_step() -> None:
    """One step of a small network, in training and in validation, and nothing left of it.

    None where the backend has a GPU after all, of which NVML did not tell.
    """
    if prepare_device(deterministic=False).kind != "cpu":
        return
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    images, targets = np.zeros((2, 8, 8, 3), np.uint8), np.eye(2, dtype=np.float32)
    model.train_on_batch(images, targets)
    model.test_on_batch(images, targets)
    keras.utils.clear_session()  # counters of names too: a run's own must not depend on this
