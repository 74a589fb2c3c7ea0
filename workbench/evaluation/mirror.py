"""Predictions that average an image and its mirror image, by calls or inside a model.

Probabilities are averaged, not what comes before the softmax: as in AlexNet (Krizhevsky et al.
2012, section 4.1) and VGG (Simonyan and Zisserman 2015, section 3.2). It takes twice the time.
"""

import keras
import numpy as np


def predict_batch(model: keras.Model, batch: np.ndarray, mirror: bool) -> np.ndarray:
    """Return a model's outputs for raw images (n, h, w, c), (n, outputs)."""
    outputs = np.asarray(model.predict_on_batch(batch))
    if not mirror:
        return outputs
    mean: np.ndarray = (outputs + np.asarray(model.predict_on_batch(batch[:, :, ::-1]))) / 2
    return mean


def mirrored_model(model: keras.Model) -> keras.Model:
    """Return a model around another one, with the same weights, which averages by itself.

    Both images go through the inner model as one batch, so its layers exist once in every format.
    """
    image = keras.Input(model.input_shape[1:], name="image")
    both = keras.ops.concatenate([image, image[:, :, ::-1]], axis=0)
    pairs = keras.ops.reshape(model(both), (2, -1, model.output_shape[-1]))
    made = keras.Model(image, keras.ops.mean(pairs, axis=0), name="mirrored")
    made(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras writes no ONNX before a call
    return made
