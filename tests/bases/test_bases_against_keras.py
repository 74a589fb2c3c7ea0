"""The tables match the networks of Keras: layers, figures, outputs, and the files of weights."""

from collections.abc import Iterable

import base_tables
import keras
import numpy as np
import pytest
from everything import BUILT, EVERY_KIND_OF_LAYER

from workbench.bases.architectures import BASES, PREPROCESSING, TABLES, BaseInfo, base_table
from workbench.bases.published import weights_file
from workbench.training.base_layers import apply_base, preprocess

KERAS = [name for name, base in BASES.items() if not base.package]
MODULES = {
    "VGG": keras.applications.vgg16,
    "ResNetV2": keras.applications.resnet_v2,
    "MobileNetV2": keras.applications.mobilenet_v2,
    "DenseNet": keras.applications.densenet,
    "Xception": keras.applications.xception,
}
INSIDE = {  # their preprocessing is a part of Keras's network
    "mobilenetv3-small": keras.applications.MobileNetV3Small,
    "efficientnetv2-b0": keras.applications.EfficientNetV2B0,
    "efficientnetv2-s": keras.applications.EfficientNetV2S,
    "convnext-tiny": keras.applications.ConvNeXtTiny,
}


def test_four_networks_have_every_kind_of_layer() -> None:
    """The others are built with FAULTS=all."""
    assert kinds_of(EVERY_KIND_OF_LAYER) == kinds_of(BASES)


def kinds_of(names: Iterable[str]) -> set[str]:
    tables = [base_table(name, (224, 224)) for name in names]
    return {layer.kind for table in tables for layer in table.layers}


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.filterwarnings("ignore:.*input_shape. is undefined:UserWarning")
def test_a_table_is_what_is_read_from_keras(name: str) -> None:
    """Names, order, kinds, blocks, addresses and hashes; `make bases` writes them anew."""
    stored = (TABLES / f"{name}.json").read_text("utf-8")
    size = (base_tables.SIDE, base_tables.SIDE)
    network = keras_network(name, size)
    has_the_figures_of(name, size, network)
    assert base_tables.format_table(base_tables.make_table(BASES[name], network)) == stored


def has_the_figures_of(name: str, size: tuple[int, int], network: keras.Model) -> None:
    table, built = base_table(name, size), {one.name: one for one in network.layers}
    for layer in table.layers:
        if layer.name in built:
            assert layer.output_shape == tuple(built[layer.name].output.shape[1:]), layer.name
            assert layer.parameters == numbers(built[layer.name].weights), layer.name
            fixed = numbers(built[layer.name].non_trainable_weights)
            assert layer.non_trainable == fixed, layer.name
    assert table.parameters == network.count_params()
    assert table.output_shape == tuple(network.output.shape[1:])


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_from_a_table_computes_what_kerass_network_does(name: str) -> None:
    """At an odd size that is not square, with the same random weights.

    The table has Keras's figures at that size, and no layer is of a class of its own.
    """
    size = (BASES[name].smallest_size + 1, BASES[name].smallest_size + 14)
    theirs, image = keras_network(name, size), keras.Input((*size, 3))
    has_the_figures_of(name, size, theirs)
    table = base_table(name, size)
    ours = keras.Model(image, apply_base(table, image)[table.layers[-1].name])
    for layer in base_table(name, size).layers:
        built = ours.get_layer(layer.name)
        assert getattr(keras.layers, type(built).__name__) is type(built)
        assert tuple(built.output.shape[1:]) == layer.output_shape, layer.name
        assert numbers(built.weights) == layer.parameters, layer.name
        assert numbers(built.non_trainable_weights) == layer.non_trainable, layer.name
    rng = np.random.default_rng(0)
    for their, our in zip(theirs.weights, ours.weights, strict=True):
        values = rng.normal(1 if "variance" in their.path else 0, 0.1, their.shape)
        their.assign(values)
        our.assign(values.reshape(our.shape))
    images = rng.normal(size=(1, *size, 3)).astype(np.float32)
    expected, received = (np.asarray(one(images, training=False)) for one in (theirs, ours))
    assert np.abs(received - expected).max() <= 1e-5 * np.abs(expected).max()


def keras_network(name: str, size: tuple[int, int]) -> keras.Model:
    return base_tables.build(BASES[name], 0, input_tensor=keras.Input((*size, 3), name="image"))


def numbers(variables: list[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize("name", KERAS)
def test_keras_wants_the_same_smallest_size(name: str) -> None:
    least = BASES[name].smallest_size
    make = getattr(keras.applications, BASES[name].keras)
    with pytest.raises(ValueError, match=f"{least}"):
        make(include_top=False, weights=None, input_shape=(least - 1, least, 3))


# --- preprocessing ----------------------------------------------------------------------------


def image_of_every_value() -> np.ndarray:
    values = np.arange(256, dtype=np.float32)
    return np.stack([values, values[::-1], np.roll(values, 100)], axis=-1).reshape(1, 16, 16, 3)


def preprocessed(base: BaseInfo) -> np.ndarray:
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, preprocess(base.preprocessing, image))
    return np.asarray(model(image_of_every_value()))


@pytest.mark.parametrize("name", [n for n in KERAS if BASES[n].family in MODULES])
def test_preprocessing_is_that_of_kerass_module(name: str) -> None:
    module = MODULES[BASES[name].family]
    expected = module.preprocess_input(image_of_every_value())
    assert np.allclose(preprocessed(BASES[name]), expected, atol=1e-4)


@pytest.mark.parametrize("name", INSIDE)
def test_preprocessing_is_that_inside_kerass_network(name: str) -> None:
    network = INSIDE[name](include_top=False, weights=None, input_shape=(32, 32, 3))
    inside = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
    ]
    x = image_of_every_value()
    for layer in inside:
        x = layer(x)
    assert inside
    assert np.allclose(preprocessed(BASES[name]), np.asarray(x), atol=1e-4)


def test_efficientnet_lite_centres_on_127() -> None:
    expected = (image_of_every_value() - 127) / 128
    assert np.allclose(preprocessed(BASES["efficientnet-lite0"]), expected, atol=1e-6)


def test_every_kind_of_preprocessing_is_used() -> None:
    assert {base.preprocessing for base in BASES.values()} == set(PREPROCESSING)


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "side"),
    [((96, 96), 96), ((192, 192), 192), ((95, 95), 224), ((96, 128), 224), ((300, 300), 224)],
)
def test_mobilenetv2_has_a_file_for_five_square_sizes(size: tuple[int, int], side: int) -> None:
    file = weights_file("mobilenetv2-0.35", size)
    assert file.name.endswith(f"_0.35_{side}_no_top.h5")
    assert (file.size, file.digest) == (None, None)


@pytest.mark.parametrize("name", KERAS)
def test_only_mobilenetv2_is_published_without_a_hash(name: str) -> None:
    file = weights_file(name, (224, 224))
    assert file.url.endswith(f"/{file.name}")
    assert (file.digest is None) == name.startswith("mobilenetv2")
