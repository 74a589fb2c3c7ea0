"""From a spec to a Keras model that takes raw 0-255 images."""

import keras
from keras import layers

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import LayerRow, network_stack


def layer_rows(spec: ExperimentSpec, classes: int) -> list[LayerRow]:
    """The network's layers as the spec alone tells them; `build_model` has the same."""
    model = spec.model
    return network_stack(
        spec.data.input_shape, model.convolutions, model.dense_units, model.dropout, classes
    )


def build_model(spec: ExperimentSpec, classes: int) -> keras.Model:
    """Builds the network with fresh weights drawn from the spec's seed.

    Input: (batch, height, width, channels), values 0-255 in any number type. Output: (batch, 1)
    probability of the second label for two classes, else (batch, classes) probabilities. Both ends
    are float32 in mixed precision too.
    """
    keras.utils.set_random_seed(spec.training.seed)
    model = spec.model
    blocks = model.convolutions
    inputs = keras.Input(spec.data.input_shape, name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(inputs)
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
    x = layers.Flatten(name="flatten")(x)
    if model.dropout:
        # Its seed is set anew before every step (see engine).
        x = layers.Dropout(model.dropout, seed=0, name="dropout")(x)
    for number, units in enumerate(model.dense_units, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    if classes == 2:
        outputs = layers.Dense(1, activation="sigmoid", dtype="float32", name="output")(x)
    else:
        outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="output")(x)
    return keras.Model(inputs, outputs, name="workbench")


def loss_for(classes: int) -> keras.losses.Loss:
    """Crossentropy over integer labels: binary for one sigmoid, categorical for a softmax."""
    if classes == 2:
        return keras.losses.BinaryCrossentropy()
    return keras.losses.SparseCategoricalCrossentropy()


def accuracy_for(classes: int) -> keras.metrics.Metric:
    """Share of images whose most likely label is right; for a sigmoid the threshold is 0.5."""
    if classes == 2:
        return keras.metrics.BinaryAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
