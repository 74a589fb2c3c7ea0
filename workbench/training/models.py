"""Builds a Keras model that takes raw 0-255 images from a spec."""

from functools import partial

import keras
from keras import layers

from workbench.experiment.spec import ExperimentSpec

# Means of ImageNet's blue, green and red, as keras.applications' "caffe" mode subtracts them.
IMAGENET_MEANS = (103.939, 116.779, 123.68)


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
        x = _base(spec, _preprocess(spec, inputs))
        if spec.model.head == "average":
            x = layers.GlobalAveragePooling2D(name="average")(x)
        else:
            x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, _head(spec, x, classes), name="workbench")


def _preprocess(spec: ExperimentSpec, image: keras.KerasTensor) -> keras.KerasTensor:
    """Preprocess raw 0-255 RGB for the base, inside the model so that it cannot be forgotten."""
    assert spec.base is not None
    if spec.base.preprocessing == "rescale":
        return layers.Rescaling(1 / 255, name="rescale")(image)
    if spec.base_table.preprocessing == "caffe":
        bgr = image[..., ::-1]
        offset = [-mean for mean in IMAGENET_MEANS]
        return layers.Rescaling(1.0, offset=offset, name="subtract_means")(bgr)
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)


def _base(spec: ExperimentSpec, image: keras.KerasTensor) -> keras.KerasTensor:
    """Append the base's layers with fresh weights, under Keras's own names."""
    assert spec.base is not None
    applications = keras.applications
    make = {
        "vgg16": applications.VGG16,
        "vgg19": applications.VGG19,
        "mobilenetv2-0.35": partial(applications.MobileNetV2, alpha=0.35),
        "mobilenetv2-1.0": partial(applications.MobileNetV2, alpha=1.0),
    }[spec.base.name]
    return make(include_top=False, weights=None, input_tensor=image).output


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
    if model.dropout:
        # Its seed is set before every step (see `stage_trainer`).
        x = layers.Dropout(model.dropout, seed=0, name="dropout")(x)
    for number, units in enumerate(model.dense_units, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
    if classes == 2:
        return layers.Dense(1, activation="sigmoid", dtype="float32", name="output")(x)
    return layers.Dense(classes, activation="softmax", dtype="float32", name="output")(x)


def loss_for(classes: int) -> keras.losses.Loss:
    """Return crossentropy over integer labels: binary for a sigmoid, categorical for a softmax."""
    if classes == 2:
        return keras.losses.BinaryCrossentropy()
    return keras.losses.SparseCategoricalCrossentropy()


def accuracy_for(classes: int) -> keras.metrics.Metric:
    """Return accuracy, the share of correct predictions; for a sigmoid the threshold is 0.5."""
    if classes == 2:
        return keras.metrics.BinaryAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")
