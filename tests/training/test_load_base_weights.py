"""Pretrained weights: every layout Keras writes is read, and nothing is set from a bad file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from workbench.bases.architectures import base_table
from workbench.bases.table import BaseTable
from workbench.errors import UserError
from workbench.training.base_weights import load_base_weights

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
REAL = SHARED / "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
MOBILE = base_table("mobilenetv2-0.35", (32, 32))
Layers = dict[str, list[np.ndarray]]


def mobile_net(alpha: float = 0.35, size: int = 32, **options: Any) -> keras.Model:
    options = {"include_top": False, "weights": None, **options}
    return keras.applications.MobileNetV2(input_shape=(size, size, 3), alpha=alpha, **options)


@pytest.fixture(scope="module")
def source() -> keras.Model:
    """A base with random weights, BatchNorm's too."""
    keras.utils.set_random_seed(5)
    model = mobile_net()
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def target() -> keras.Model:
    return mobile_net()


def layers_of(model: keras.Model) -> Layers:
    return {layer.name: layer.get_weights() for layer in model.layers}


def publish(path: Path, layers: Layers) -> Path:
    """Write the layout of the files that Keras publishes."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.6"
        fill(file, layers)
    return path


def fill(root: h5py.Group, layers: Layers) -> None:
    for layer, arrays in layers.items():
        group = root.create_group(layer)
        names = [f"{layer}_{number}/W_1:0" for number in range(len(arrays))]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, array in zip(names, arrays, strict=True):
            group[name] = array


def outline(path: Path, shapes: Iterable[tuple[str, list[tuple[int, ...]]]]) -> Path:
    """Write the same layout with shapes only: no number is stored."""
    with h5py.File(path, "w") as file:
        shapes = list(shapes)
        file.attrs["layer_names"] = [name.encode() for name, _ in shapes]
        for layer, sizes in shapes:
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{n}:0".encode() for n in range(len(sizes))]
            for number, size in enumerate(sizes):
                group.create_dataset(f"{number}:0", shape=size, dtype=np.float32)
    return path


def outline_of(table: BaseTable) -> list[tuple[str, list[tuple[int, ...]]]]:
    """A VGG's layers and the shapes of their weights."""
    rows, channels = [], 3
    for layer in table.layers:
        filters = layer.output_shape[2]
        if layer.parameters:
            rows.append((layer.name, [(3, 3, channels, filters), (filters,)]))
        channels = filters
    return rows


def equal(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def refusal(model: keras.Model, path: Path, table: BaseTable = MOBILE) -> str:
    """Return the message of a refusal, which leaves the model unchanged."""
    before = model.get_weights()
    with pytest.raises(UserError) as refused:
        load_base_weights(model, table, path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return str(refused.value)


# --- what is read -----------------------------------------------------------------------------


def test_the_published_layout_is_read(source: keras.Model, tmp_path: Path) -> None:
    path = publish(tmp_path / "w.h5", layers_of(source))
    model = mobile_net()
    load_base_weights(model, MOBILE, path)
    assert equal(model, source)


def test_layers_are_matched_by_name_in_any_order(source: keras.Model, tmp_path: Path) -> None:
    path = publish(tmp_path / "w.h5", dict(reversed(layers_of(source).items())))
    model = mobile_net()
    load_base_weights(model, MOBILE, path)
    assert equal(model, source)


def test_older_names_are_matched_by_order(source: keras.Model, tmp_path: Path) -> None:
    """As in the published MobileNetV2 files: block_1_expand_BN is bn1_conv_1_bn_expand there."""
    named = {f"bn{n}_conv": arrays for n, arrays in enumerate(layers_of(source).values())}
    model, other = mobile_net(), mobile_net()
    path = publish(tmp_path / "w.h5", named)
    load_base_weights(model, MOBILE, path)
    other.load_weights(path)
    assert equal(model, source)
    assert equal(model, other)


def test_what_keras_3_saves_is_read(source: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "base.weights.h5"
    source.save_weights(path)
    model = mobile_net()
    load_base_weights(model, MOBILE, path)
    assert equal(model, source)


def test_a_whole_model_of_keras_2_is_read(source: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "not looked at"
        root = file.create_group("model_weights")
        named = [name.encode() for name in layers_of(source)]
        root.attrs["layer_names0"], root.attrs["layer_names1"] = named[:60], named[60:]
        fill(root, layers_of(source))
    model = mobile_net()
    load_base_weights(model, MOBILE, path)
    assert equal(model, source)


def test_any_image_size_and_layers_around_the_base(source: keras.Model, tmp_path: Path) -> None:
    path = publish(tmp_path / "w.h5", layers_of(source))
    base = mobile_net(size=48)
    head = keras.layers.Dense(1, name="output")
    outputs = head(keras.layers.Flatten()(base.layers[-1].output))
    model = keras.Model(base.inputs, outputs)
    kernel = head.get_weights()[0]
    load_base_weights(model, base_table("mobilenetv2-0.35", (48, 48)), path)
    assert equal(base, source)
    assert np.array_equal(head.get_weights()[0], kernel)


def test_frozen_layers_are_set_as_well(source: keras.Model, tmp_path: Path) -> None:
    path = publish(tmp_path / "w.h5", layers_of(source))
    model = mobile_net()
    model.trainable = False
    load_base_weights(model, MOBILE, path)
    assert equal(model, source)


def test_vgg16_is_read_from_both_layouts(tmp_path: Path) -> None:
    table = base_table("vgg16", (32, 32))
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    first = vgg.get_weights()
    saved = tmp_path / "vgg16.weights.h5"
    vgg.save_weights(saved)
    published = publish(tmp_path / "vgg16_notop.h5", layers_of(vgg))
    for path in (saved, published):
        vgg.set_weights([np.zeros_like(array) for array in first])
        load_base_weights(vgg, table, path)
        assert all(np.array_equal(a, b) for a, b in zip(first, vgg.get_weights(), strict=True))


@pytest.mark.skipif(not REAL.exists(), reason="the real weights are not here")
def test_real_weights_are_loaded_as_keras_loads_them() -> None:
    theirs = mobile_net(size=96, weights=str(REAL))
    ours = mobile_net(size=96)
    load_base_weights(ours, base_table("mobilenetv2-0.35", (96, 96)), REAL)
    assert equal(ours, theirs)


# --- what is refused --------------------------------------------------------------------------


def test_a_missing_file_and_other_kinds_are_refused(target: keras.Model, tmp_path: Path) -> None:
    assert "No such file" in refusal(target, tmp_path / "gone.h5")
    other = tmp_path / "model.keras"
    other.write_bytes(b"PK\x03\x04")
    assert "is not a weights file" in refusal(target, other)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.999])
def test_a_truncated_file_is_refused(
    source: keras.Model, target: keras.Model, tmp_path: Path, share: float
) -> None:
    path = publish(tmp_path / "w.h5", layers_of(source))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    message = refusal(target, path)
    assert "it is cut short or damaged" in message
    assert f"{int(len(content) * share):,} bytes" in message


def test_another_width_is_named(target: keras.Model, tmp_path: Path) -> None:
    path = publish(tmp_path / "w.h5", layers_of(mobile_net(alpha=1.0)))
    message = refusal(target, path)
    assert "does not hold weights of MobileNetV2 (alpha 0.35)" in message
    assert "its layer Conv1 has 3x3x3x32 where Conv1 needs 3x3x3x16" in message
    assert "It looks like MobileNetV2 (alpha 1.0)." in message


def test_another_base_is_named(target: keras.Model, tmp_path: Path) -> None:
    path = outline(tmp_path / "w.h5", outline_of(base_table("vgg16")))
    message = refusal(target, path)
    assert "its layer block1_conv1 has 3x3x3x64 and 64 where Conv1 needs 3x3x3x16" in message
    assert "It looks like VGG16." in message


def test_vgg19_is_not_mistaken_for_vgg16_though_it_has_all_its_layers(tmp_path: Path) -> None:
    table = base_table("vgg16", (32, 32))
    inputs = keras.Input((32, 32, 3))
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_tensor=inputs)
    path = outline(tmp_path / "w.h5", outline_of(base_table("vgg19")))
    message = refusal(vgg, path, table)
    assert "it has more layers (block3_conv4, block4_conv4, block5_conv4)" in message
    assert "It looks like VGG19." in message
    with_top = [*outline_of(table), ("fc1", [(512, 64), (64,)]), ("predictions", [(64, 9), (9,)])]
    message = refusal(vgg, outline(tmp_path / "top.h5", with_top), table)
    assert "it is the file with the classifying top (fc1, predictions)" in message
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in message


@pytest.mark.parametrize("names", ["today's", "older"])
def test_a_file_with_the_top_is_explained(
    source: keras.Model, target: keras.Model, tmp_path: Path, names: str
) -> None:
    layers = layers_of(source) | {"Logits": [np.zeros((1280, 10)), np.zeros(10)]}
    if names == "older":
        layers = {f"_{name}": arrays for name, arrays in layers.items()}
    message = refusal(target, publish(tmp_path / "w.h5", layers))
    assert "it is the file with the classifying top" in message
    assert "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5" in message


def test_missing_layers_are_named(source: keras.Model, target: keras.Model, tmp_path: Path) -> None:
    layers = layers_of(source)
    del layers["Conv_1_bn"]
    message = refusal(target, publish(tmp_path / "w.h5", layers))
    assert "it has 103 layers with weights where 104 are needed" in message
    assert "the first that is missing is Conv_1_bn" in message


def test_a_file_of_something_else_is_refused(target: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["measurements"] = np.zeros(5)
    assert "it has no layers as Keras stores them" in refusal(target, path)


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        (np.full((3, 3, 3, 16), np.nan, np.float32), "Conv1 holds numbers that are not finite"),
        (np.zeros((3, 3, 3, 16), np.int32), "the values of Conv1 are int32"),
        (np.zeros((3, 3, 3, 16), "S8"), "the values of Conv1 are |S8"),
    ],
)
def test_only_finite_numbers_are_accepted(
    source: keras.Model, target: keras.Model, tmp_path: Path, spoiled: np.ndarray, message: str
) -> None:
    path = publish(tmp_path / "w.h5", layers_of(source) | {"Conv1": [spoiled]})
    assert message in refusal(target, path)


@pytest.mark.parametrize("way", ["external link", "soft link", "external values", "virtual"])
def test_nothing_outside_the_file_is_read(
    source: keras.Model, target: keras.Model, tmp_path: Path, way: str
) -> None:
    kernel = layers_of(source)["Conv1"][0]
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = kernel
    path = publish(tmp_path / "w.h5", layers_of(source))
    with h5py.File(path, "r+") as file:
        group = file["Conv1/Conv1_0"]
        del group["W_1:0"]
        if way == "external link":
            group["W_1:0"] = h5py.ExternalLink(secret, "kernel")
        elif way == "soft link":
            group["W_1:0"] = h5py.SoftLink("/Conv_1")
        elif way == "external values":
            raw = tmp_path / "raw.bin"
            raw.write_bytes(kernel.tobytes())
            outside = [(str(raw), 0, kernel.nbytes)]
            group.create_dataset("W_1:0", kernel.shape, kernel.dtype, external=outside)
        else:
            layout = h5py.VirtualLayout(kernel.shape, kernel.dtype)
            layout[...] = h5py.VirtualSource(secret, "kernel", kernel.shape)
            group.create_virtual_dataset("W_1:0", layout)
    message = refusal(target, path)
    assert "links are not followed" in message or "Conv1 lie in another file" in message
