"""Builds a Keras model that takes raw 0-255 images from a spec, and loads the weights of its base.

A file of weights is checked completely before any is set.
"""

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers

from workbench.bases.architectures import BASES, base_table
from workbench.bases.table import BaseTable
from workbench.bases.weights import check_weights_file, weights_file
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import FEATURES, average_names
from workbench.messages import tr
from workbench.text import format_shape, safe_text
from workbench.training.backend import resolve_precision
from workbench.training.backends import Device
from workbench.training.hdf5 import DAMAGE, ForeignFile, Shapes, StoredLayer, stored_layers

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
        base = _base(spec, _preprocess(spec, inputs))
        if spec.model.strategy == "linear-probe":
            x = _features(spec, base)
        elif spec.model.head == "average":
            x = layers.GlobalAveragePooling2D(name="average")(base.output)
        else:
            x = layers.Flatten(name="flatten")(base.output)
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
    model = build_model(spec, classes)
    if weights:
        load_base_weights(model, spec.base_table, weights)
    return model


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


def _features(spec: ExperimentSpec, base: keras.Model) -> keras.KerasTensor:
    """Return the averages of the maps that a linear probe reads, side by side."""
    maps = spec.base_table.widest(spec.probe.blocks)
    averages = [
        layers.GlobalAveragePooling2D(name=name)(base.get_layer(layer.name).output)
        for name, layer in zip(average_names(len(maps)), maps, strict=True)
    ]
    return layers.Concatenate(name=FEATURES)(averages) if len(averages) > 1 else averages[0]


def _base(spec: ExperimentSpec, image: keras.KerasTensor) -> keras.Model:
    """Append the base's layers with fresh weights, under Keras's own names."""
    assert spec.base is not None
    applications = keras.applications
    make = {
        "vgg16": applications.VGG16,
        "vgg19": applications.VGG19,
        "mobilenetv2-0.35": partial(applications.MobileNetV2, alpha=0.35),
        "mobilenetv2-1.0": partial(applications.MobileNetV2, alpha=1.0),
    }[spec.base.name]
    return make(include_top=False, weights=None, input_tensor=image)


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


def as_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes) of a model's outputs: a sigmoid becomes two columns."""
    return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs


def load_base_weights(model: keras.Model, table: BaseTable, path: Path) -> None:
    """Set the weights of a base's layers from a file, as Keras itself would.

    Layers are matched by name. If the file has other names (the published MobileNetV2 files are
    older than Keras's present ones), they are matched by order, as in Keras; in both cases each
    shape must fit.

    Args:
        model: holds the layers of `table` under their names; other layers are left unchanged.
        table: at any image size, since weights fit all of them.
        path: of the weights.

    Raises:
        UserError: the file is missing, cut short, damaged, or holds other layers or shapes (the
            first difference is named). The model is unchanged then.
    """
    check_weights_file(path)
    shown = safe_text(path, 2000)
    targets = {
        layer.name: model.get_layer(layer.name).weights
        for layer in table.layers
        if layer.parameters
    }
    expected = {
        name: tuple(tuple(variable.shape) for variable in variables)
        for name, variables in targets.items()
    }
    try:
        with h5py.File(path, "r") as file:
            stored = _match_layers(table, expected, stored_layers(file))
            values = [layer.values() for layer in stored]
    except ForeignFile as error:
        raise UserError(
            tr(
                "{shown} does not hold weights of {title}: {problem}.",
                shown=shown,
                title=table.title,
                problem=error.problem,
            ),
            error.hint,
        ) from None
    except DAMAGE as error:
        raise UserError(
            tr(
                "{shown} cannot be read: it is cut short or damaged ({error}).",
                shown=shown,
                error=safe_text(error),
            ),
            tr("Copy it again; its size here is {st_size:,} bytes.", st_size=path.stat().st_size),
        ) from None
    for variables, arrays in zip(targets.values(), values, strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _match_layers(
    table: BaseTable, expected: dict[str, Shapes], stored: list[StoredLayer]
) -> list[StoredLayer]:
    """Return the stored layers in the expected order; raise ForeignFile if one does not fit."""
    by_name = {layer.name: layer for layer in stored}
    if expected.keys() <= by_name.keys():
        matched = [by_name[name] for name in expected]
    else:
        matched = stored[: len(expected)]
    for (name, shapes), layer in zip(expected.items(), matched, strict=False):
        if layer.shapes != shapes:
            raise ForeignFile(
                tr(
                    "its layer {layer_name} has {shapes} where {name} needs {needed}{guess}",
                    layer_name=safe_text(layer.name),
                    shapes=_format_shapes(layer.shapes),
                    name=name,
                    needed=_format_shapes(shapes),
                    guess=_describe_guess(stored, table),
                )
            )
    if len(matched) < len(expected):
        missing = list(expected)[len(matched)]
        raise ForeignFile(
            tr(
                "it has {stored_count} layers with weights where {expected_count} "
                "are needed; the first that is missing is {missing}{guess}",
                stored_count=len(stored),
                expected_count=len(expected),
                missing=missing,
                guess=_describe_guess(stored, table),
            )
        )
    used = {layer.name for layer in matched}
    if extra := [layer for layer in stored if layer.name not in used]:
        names = ", ".join(safe_text(layer.name) for layer in extra[:4])
        if all(layer.is_dense for layer in extra):
            without = weights_file(table.name, table.input_shape[:2]).name
            raise ForeignFile(
                tr("it is the file with the classifying top ({names})", names=names),
                tr("Give the one without it, which Keras publishes as {without}.", without=without),
            )
        raise ForeignFile(
            tr(
                "it has more layers ({names}){guess}",
                names=names,
                guess=_describe_guess(stored, table),
            )
        )
    return matched


def _describe_guess(stored: list[StoredLayer], wanted: BaseTable) -> str:
    """Name another base that these layers may belong to; "" if there is none."""
    found = sorted(layer.parameters for layer in stored if not layer.is_dense)
    for name in BASES:
        table = base_table(name)
        own = sorted(layer.parameters for layer in table.layers if layer.parameters)
        if found == own and name != wanted.name:
            return tr(". It looks like {title}", title=table.title)
    return ""


def _format_shapes(shapes: Shapes) -> str:
    return " and ".join(format_shape(shape) for shape in shapes)
