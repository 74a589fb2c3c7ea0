"""Builds a Keras model that takes raw 0-255 images from a spec."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import FEATURES, average_names
from workbench.training.backend import active_backend, resolve_precision
from workbench.training.backends import Device
from workbench.training.base_layers import apply_base, preprocess
from workbench.training.base_weights import load_base_weights


def build_model(spec: ExperimentSpec, classes: int) -> keras.Model:
    """Build the network with fresh weights drawn from the spec's seed.

    Input: (batch, height, width, channels), values 0-255 in any number type. Output: (batch, 1)
    probability of the second label for two classes, else (batch, classes) probabilities. Both ends
    are float32 in mixed precision too.
    """
    keras.utils.set_random_seed(spec.training.seed)
    inputs = keras.Input(spec.data.input_shape, name="image")
    if spec.base is None:
        x = _convolutions(spec, layers.Rescaling(1 / 255, name="rescale")(inputs))
        x = layers.Flatten(name="flatten")(x)
    else:
        base = _base(spec, inputs)
        output = base[spec.base_table.layers[-1].name]
        if spec.model.strategy == "linear-probe":
            x = _features(spec, base)
        elif spec.model.head == "average":
            x = layers.GlobalAveragePooling2D(name="average")(output)
        else:
            x = layers.Flatten(name="flatten")(output)
    return keras.Model(inputs, _head(spec, x, classes), name="workbench")


def build_network(
    spec: ExperimentSpec, classes: int, device: Device, weights: Path | None
) -> keras.Model:
    """Build the network in the precision of the spec, with the weights of its base.

    Args:
        spec: of the network.
        classes: number of labels.
        device: decides about the precision "auto".
        weights: file of the base's weights; None without a base, or for random ones.

    Raises:
        UserError: as `load_base_weights`.
    """
    keras.config.set_dtype_policy(resolve_precision(spec.training.precision, device))
    with active_backend().scope():
        model = build_model(spec, classes)
    if weights:
        load_base_weights(model, spec.base_table, weights)
    return model


def _base(spec: ExperimentSpec, image: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Append preprocessing of raw 0-255 RGB and the base's layers with fresh weights.

    Preprocessing is inside the model so that it cannot be forgotten. Returns the layers' outputs.
    """
    assert spec.base is not None
    table = spec.base_table
    if spec.base.preprocessing == "rescale":
        return apply_base(table, layers.Rescaling(1 / 255, name="rescale")(image))
    return apply_base(table, preprocess(table.preprocessing, image))


def _features(spec: ExperimentSpec, base: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
    """Return the averages of the maps that a linear probe reads, side by side."""
    maps = spec.base_table.widest(spec.probe.blocks)
    averages = [
        layers.GlobalAveragePooling2D(name=name)(base[layer.name])
        for name, layer in zip(average_names(len(maps)), maps, strict=True)
    ]
    return layers.Concatenate(name=FEATURES)(averages) if len(averages) > 1 else averages[0]


def _convolutions(spec: ExperimentSpec, x: keras.KerasTensor) -> keras.KerasTensor:
    blocks = spec.model.convolutions
    for number, (filters, pooled) in enumerate(
        zip(blocks.filters, blocks.pooling, strict=True), start=1
    ):
        x = layers.Conv2D(
            filters,
            blocks.kernel_size,
            strides=blocks.stride,
            padding=blocks.padding,
            activation="relu",
            name=f"conv{number}",
        )(x)
        if pooled:
            x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return x


def _head(spec: ExperimentSpec, x: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    model = spec.model
    dense_units = () if model.strategy == "linear-probe" else model.dense_units
    if model.dropout:
        # Its seed is set before every step (see `stage_trainer`).
        x = layers.Dropout(model.dropout, seed=0, name="dropout")(x)
    for number, units in enumerate(dense_units, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    if classes == 2:
        return layers.Dense(1, activation="sigmoid", dtype="float32", name="output")(x)
    return layers.Dense(classes, activation="softmax", dtype="float32", name="output")(x)


def loss_for(classes: int, smoothing: float = 0.0) -> keras.losses.Loss:
    """Return crossentropy over integer labels: binary for a sigmoid, categorical for a softmax.

    Args:
        classes: number of labels.
        smoothing: share of each label that is spread over all of them (Szegedy et al., arXiv
            1512.00567), so that the network gains nothing by outputs without limit.
    """
    if classes == 2:
        return keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    return (
        SmoothedCrossentropy(classes, smoothing)
        if smoothing
        else keras.losses.SparseCategoricalCrossentropy()
    )


class SmoothedCrossentropy(keras.losses.Loss):
    """Categorical crossentropy over integer labels, smoothed."""

    def __init__(self, classes: int, smoothing: float) -> None:
        super().__init__(name="smoothed_crossentropy")
        self.classes = classes
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return (b,), the loss of each image; `y_true` is int (b,)."""
        targets = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), self.classes)
        return keras.losses.categorical_crossentropy(
            targets, y_pred, label_smoothing=self.smoothing
        )


def accuracy_for(classes: int) -> keras.metrics.Metric:
    """Return accuracy, the share of correct predictions; for a sigmoid the threshold is 0.5."""
    if classes == 2:
        return keras.metrics.BinaryAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def matches(targets: Any, predicted: Any, classes: int) -> Any:
    """Return float32 (b,), 1 where a prediction is correct: what `accuracy_for` averages."""
    if classes == 2:
        return keras.metrics.binary_accuracy(targets, predicted)
    return keras.metrics.sparse_categorical_accuracy(targets, predicted)


def predicted_labels(outputs: Any) -> Any:
    """Return float32 (b,), the numbers of the labels that outputs (b, outputs) stand for.

    Floats, because TensorFlow keeps integers of a GPU's loop on the host.
    """
    if outputs.shape[-1] == 1:
        return keras.ops.cast(outputs[:, 0] > 0.5, "float32")
    return keras.ops.cast(keras.ops.argmax(outputs, axis=-1), "float32")


def as_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes) of a model's outputs: a sigmoid becomes two columns."""
    return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs
