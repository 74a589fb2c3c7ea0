"""Explaining a network: activations and Grad-CAM agree with numpy, patterns rise."""

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_models import SIDE, convolved, network, noise, on_base

from workbench.errors import UserError
from workbench.evaluation.activations import (
    Pattern,
    activations,
    choose_filters,
    network_up_to,
    output_of,
    patterns,
    read_image,
)
from workbench.evaluation.gradcam import default_layer, grad_cam, usable_layer
from workbench.evaluation.model_file import LoadedModel, save_model
from workbench.evaluation.pictures import (
    check_output_path,
    encode_png,
    save,
    tile_images,
    to_gray_levels,
)
from workbench.experiment.receptive_field import receptive_fields
from workbench.experiment.toml import parse_spec
from workbench.training.backend import value_and_gradient
from workbench.training.models import build_model
from workbench.worker import explain as job
from workbench.worker.jobs import JobEvents

THREE = ("cat", "dog", "fox")
TWO = ("cat", "dog")


def weights(loaded: LoadedModel, layer: str) -> list[np.ndarray]:
    return [np.asarray(w) for w in loaded.model.get_layer(layer).get_weights()]


# activations


def test_activations_are_the_convolutions_output() -> None:
    loaded, image = network(THREE), noise()
    expected = convolved(image, *weights(loaded, "conv1"))
    assert output_of(loaded, "conv1", image) == pytest.approx(expected, abs=1e-4)


def test_a_channel_is_dead_where_it_is_zero_everywhere() -> None:
    loaded = network(THREE)
    kernel, bias = weights(loaded, "conv1")
    kernel[..., 1], bias[:] = 0, (100, 0, 100)  # the others are active everywhere
    loaded.model.get_layer("conv1").set_weights([kernel, bias])
    found = activations(loaded, noise(), "conv1")
    assert found.dead == 1
    assert found.strongest == (0, 2)
    assert found.summary[1] == "1 of them zero everywhere in this image"
    bias[1] = 0.1
    loaded.model.get_layer("conv1").set_weights([kernel, bias])
    found = activations(loaded, noise(), "conv1")
    assert (found.dead, found.strongest) == (0, (0, 1, 2))


def test_each_channel_is_scaled_by_itself() -> None:
    # Mean 2, deviation 1: 64 levels each around 128; what lies beyond is clipped.
    assert to_gray_levels(np.array([1.0, 3.0])).tolist() == [64, 192]
    assert to_gray_levels(np.array([0.0] * 24 + [1.0]))[[0, 24]].tolist() == [114, 255]
    assert to_gray_levels(np.zeros(3)).tolist() == [0, 0, 0]
    assert to_gray_levels(np.full(3, 7.0)).tolist() == [128, 128, 128]
    loaded = network(THREE)
    own = output_of(loaded, "conv1", noise())
    tile = to_gray_levels(own[..., 0]).repeat(8, axis=0).repeat(8, axis=1)  # 6x6 becomes 48x48
    assert np.array_equal(activations(loaded, noise(), "conv1").picture[:48, :48], tile)


def test_layers_without_maps_are_drawn_too() -> None:
    found = activations(network(THREE, dense_units=[10]), noise(), "dense1")
    assert found.summary[0] == "dense1: 10 units, in rows of 4, from the top left"
    assert found.strongest == ()
    assert activations(network(THREE), noise()).layer == "conv1"


def test_a_dense_network_has_units() -> None:
    tree = {
        "data": {"source": "x", "image_size": [SIDE, SIDE], "channels": 1},
        "model": {"strategy": "dense", "dense_units": [7]},
    }
    spec = parse_spec(tree, "test")
    loaded = LoadedModel(build_model(spec, 3), THREE, spec)
    assert activations(loaded, noise()).layer == "dense1"
    with pytest.raises(UserError, match="A dense network has no maps"):
        grad_cam(loaded, noise())
    with pytest.raises(UserError, match="A dense network has no filters"):
        choose_filters(loaded, None, None)


# Grad-CAM


def heat_by_hand(loaded: LoadedModel, image: np.ndarray, column: int, sign: int = 1) -> np.ndarray:
    """From the paper's equations, for conv1, one dense layer with a ReLU, and the output."""
    maps = convolved(image, *weights(loaded, "conv1"))
    (inner, bias), (outer, _) = weights(loaded, "dense1"), weights(loaded, "output")
    alive = (maps.reshape(-1) @ inner + bias) > 0
    gradient = (inner @ (alive * sign * outer[:, column])).reshape(maps.shape)
    importance = gradient.mean(axis=(0, 1))
    return np.maximum((maps * importance).sum(axis=2), 0)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_grad_cam_of_a_softmax(number: int) -> None:
    loaded, image = network(THREE, dense_units=[6]), noise()
    found = grad_cam(loaded, image, THREE[number])
    assert found.layer == "conv1"
    assert found.heat == pytest.approx(heat_by_hand(loaded, image, number), abs=1e-4)
    probabilities = loaded.model.predict_on_batch(image[None].astype(np.float32))[0]
    assert found.probability == pytest.approx(float(probabilities[number]))


@pytest.mark.parametrize(("label", "sign"), [("cat", -1), ("dog", 1)])
def test_grad_cam_of_a_sigmoid(label: str, sign: int) -> None:
    loaded, image = network(TWO, dense_units=[6]), noise()
    found = grad_cam(loaded, image, label)
    assert found.heat == pytest.approx(heat_by_hand(loaded, image, 0, sign), abs=1e-4)
    p = float(loaded.model.predict_on_batch(image[None].astype(np.float32))[0, 0])
    assert found.probability == pytest.approx(p if label == "dog" else 1 - p)


def test_grad_cam_shows_somewhere_for_some_label() -> None:
    """The maps by hand above are not all zero, or they would prove nothing."""
    loaded = network(THREE, dense_units=[6])
    assert any(heat_by_hand(loaded, noise(), number).any() for number in range(3))
    binary = network(TWO, dense_units=[6])
    assert any(heat_by_hand(binary, noise(), 0, sign).any() for sign in (1, -1))


def test_grad_cam_takes_the_likeliest_label() -> None:
    loaded, image = network(THREE), noise()
    probabilities = loaded.model.predict_on_batch(image[None].astype(np.float32))[0]
    assert grad_cam(loaded, image).label == THREE[int(probabilities.argmax())]


def test_grad_cam_reports_the_warmest_position() -> None:
    loaded = network(TWO)
    kernel, bias = weights(loaded, "conv1")
    kernel[:], bias[:] = 0, 0
    kernel[1, 1] = 1  # each channel is the image itself
    loaded.model.get_layer("conv1").set_weights([kernel, bias])
    outer, bias = weights(loaded, "output")
    loaded.model.get_layer("output").set_weights([np.ones_like(outer), bias])
    image = np.zeros((SIDE, SIDE, 1), np.uint8)
    image[3, 1] = 255  # place (2, 0) of the 6x6 map: 2.5 / 6 * 8 = 3.3 down, 0.5 / 6 * 8 = 0.7
    warmest = "Warmest at the left: at x 1, y 3 of the 8x8 pixels that the network gets."
    assert grad_cam(loaded, image, "dog").summary[1] == warmest
    cold = grad_cam(loaded, image, "cat")
    assert not cold.heat.any()
    assert cold.summary[1] == "This layer has no evidence for it anywhere in the image."


def test_grad_cam_of_bases() -> None:
    vgg, mobile = on_base("vgg16", 32), on_base("mobilenetv2-0.35", 32)
    assert default_layer(vgg) == "block5_conv3"
    assert default_layer(mobile) == "out_relu"
    found = grad_cam(mobile, noise(32, 3), "b", "block_2_add")
    assert found.heat.shape == (8, 8)
    with pytest.raises(UserError, match="cannot use block_2_expand: connections bypass it"):
        grad_cam(mobile, noise(32, 3), "b", "block_2_expand")
    assert usable_layer(mobile, "block_2_expand") == (
        "out_relu",
        "Grad-CAM cannot use block_2_expand: connections bypass it. This is out_relu.",
    )
    assert usable_layer(mobile, "average") == (
        "out_relu",
        "Grad-CAM cannot use average: its output has no positions. This is out_relu.",
    )
    assert usable_layer(mobile, "block_2_add") == ("block_2_add", "")
    assert usable_layer(mobile, "oops") == ("oops", "")  # grad_cam lists the allowed ones
    with pytest.raises(UserError, match="average has no patterns to draw") as refused:
        choose_filters(mobile, "average", None)
    assert refused.value.hint == "Choose a layer with a map; the last one is out_relu."


def test_grad_cam_of_a_linear_probe() -> None:
    """A linear score of averages: its gradient is the weights, and lower maps do not count."""
    loaded, image = on_base("mobilenetv2-0.35", 32, "linear-probe"), noise(32, 3)
    maps = [layer.name for layer in loaded.spec.base_table.widest(loaded.spec.probe.blocks)]
    found = grad_cam(loaded, image, "b")
    assert found.layer == maps[-1] == "out_relu"
    top = output_of(loaded, "out_relu", image)
    kernel = weights(loaded, "output")[0][-top.shape[2] :, 1]
    by_hand = np.maximum(top @ kernel / top[..., 0].size, 0)
    assert found.heat == pytest.approx(by_hand, abs=1e-6)
    lower = grad_cam(loaded, image, "b", "block_2_add")
    assert lower.heat.shape == (8, 8)


# filters


def first(loaded: LoadedModel, *numbers: int, seed: int = 1, steps: int = 5) -> list[Pattern]:
    return list(patterns(loaded, "conv1", numbers, steps, seed))


def lively() -> LoadedModel:
    """All filters are active on the noise, except number 2."""
    loaded = network(THREE)
    kernel, bias = weights(loaded, "conv1")
    bias[:] = (3, 3, -100)
    loaded.model.get_layer("conv1").set_weights([kernel, bias])
    return loaded


def test_the_same_seed_draws_the_same_pattern_bit_for_bit() -> None:
    loaded = lively()
    one, two = first(loaded, 0, 1)
    again = first(loaded, 1)[0]  # drawn after another one before
    assert again.image.tobytes() == two.image.tobytes()
    assert again.image.tobytes() != one.image.tobytes()
    assert first(loaded, 1, seed=2)[0].image.tobytes() != two.image.tobytes()


def test_a_pattern_activates_more_than_the_noise() -> None:
    loaded = lively()
    few, many = first(loaded, 0, steps=1)[0], first(loaded, 0, steps=20)[0]
    assert few.start == many.start
    assert few.start < few.end < many.end
    outputs = output_of(loaded, "conv1", many.image)[..., 0]
    assert many.end == pytest.approx(float(outputs.mean()), rel=1e-5)
    assert many.image.min() >= 0
    assert many.image.max() <= 255


def test_a_step_is_one_grey_level() -> None:
    loaded = lively()
    start, moved = first(loaded, 0, steps=0)[0], first(loaded, 0, steps=1)[0]
    assert np.sqrt(np.mean((moved.image - start.image) ** 2)) == pytest.approx(1, rel=1e-4)
    assert start.image.min() >= 118
    assert start.image.max() <= 138


def test_a_silent_filter_is_reported() -> None:
    silent = first(lively(), 2)[0]
    assert (silent.start, silent.end) == (0, 0)
    assert silent.summary == "filter 2: is not active on the noise, so there is no gradient"


def test_steps_are_reported() -> None:
    steps: list[int] = []
    list(patterns(lively(), "conv1", (0, 2), 3, 1, steps.append))
    assert steps == [1, 2, 3, 4, 5, 6]


# receptive fields


@pytest.mark.parametrize(
    ("loaded", "layers"),
    [
        (lambda: network(TWO, filters=[3, 4], kernel_size=2, padding="same", stride=2), ["conv2"]),
        (lambda: on_base("mobilenetv2-0.35", 75), ["Conv1", "block_1_depthwise", "block_2_add"]),
        (lambda: on_base("mobilenetv2-0.35", 80), ["Conv1", "block_1_depthwise", "block_2_add"]),
        (lambda: on_base("vgg16", 64), ["block2_pool", "block3_conv3"]),
    ],
)
def test_a_value_depends_only_on_the_pixels_of_its_receptive_field(
    loaded: object, layers: list[str]
) -> None:
    model = loaded()  # type: ignore[operator]
    side, channels = model.spec.data.image_size[0], model.spec.data.channels
    fields = {sight.row.name: sight.field for sight in receptive_fields(model.spec, 2)}
    image = noise(side, channels)[None].astype(np.float32)
    for layer in layers:
        network_below, field = network_up_to(model, layer), fields[layer]
        assert field is not None
        place = network_below.output.shape[1] // 2
        _, gradient = value_and_gradient(
            lambda images, place=place, up_to=network_below: keras.ops.sum(
                up_to(images, training=False)[0, place, place]
            ),
            image,
        )
        rows, columns = np.nonzero(np.abs(gradient[0]).sum(axis=2))
        begins = [start + place * field.jump for start in field.start]
        ends = [begin + field.size - 1 for begin in begins]
        assert (rows.min(), columns.min()) == tuple(max(begin, 0) for begin in begins)
        assert (rows.max(), columns.max()) == tuple(min(end, side - 1) for end in ends)


# refusals


def test_unknown_names_are_refused_with_the_allowed_ones() -> None:
    loaded = network(THREE)
    with pytest.raises(UserError) as refused:
        activations(loaded, noise(), "conv2")
    assert refused.value.message == "There is no layer 'conv2'."
    assert refused.value.hint == "Allowed: conv1, flatten, dense1 or output."
    with pytest.raises(UserError) as refused:
        grad_cam(loaded, noise(), "bird")
    assert refused.value.message == "There is no label 'bird'."
    assert refused.value.hint == "Allowed: cat, dog or fox."
    with pytest.raises(UserError, match="cannot use flatten: its output has no positions"):
        grad_cam(loaded, noise(), "cat", "flatten")


def test_of_many_layers_similar_ones_are_named() -> None:
    with pytest.raises(UserError) as refused:
        activations(on_base("mobilenetv2-0.35", 32), noise(32, 3), "block3_add")
    assert "block_2_add" in refused.value.hint or "block_4_add" in refused.value.hint


def test_filters_must_exist() -> None:
    loaded = network(THREE)
    assert choose_filters(loaded, None, None) == ("conv1", [0, 1, 2], 3)
    assert choose_filters(loaded, "conv1", [2, 0]) == ("conv1", [2, 0], 3)
    for wrong in (3, -1):
        with pytest.raises(UserError, match=f"conv1 has no filter {wrong}") as refused:
            choose_filters(loaded, "conv1", [0, wrong])
        assert refused.value.hint == "Its 3 filters are 0 to 2."


def test_other_files_than_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"a\.png cannot be read: its content is not an image"):
        read_image(network(THREE), tmp_path / "a.png")


# pictures


def test_a_grid_has_thin_gaps() -> None:
    tiles = [np.full((2, 4), level, np.uint8) for level in (10, 20, 30)]
    grid = tile_images(tiles, columns=2, smallest=4)
    assert grid.shape == (5, 9)
    assert grid[0].tolist() == [10] * 4 + [0] + [20] * 4
    assert grid[3].tolist() == [30] * 4 + [0] * 5
    assert tile_images([np.zeros((300, 150), np.uint8)]).shape == (256, 128)


def test_only_our_own_pictures_are_replaced(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.png", tmp_path / "theirs.png"
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    save(ours, picture)
    save(ours, picture)
    assert np.array_equal(np.asarray(Image.open(ours)), picture)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(picture)))), picture)
    Image.fromarray(picture).save(theirs)
    before = theirs.read_bytes()
    with pytest.raises(UserError, match=r"theirs\.png exists, and it is not a picture that"):
        save(theirs, picture)
    assert theirs.read_bytes() == before
    with pytest.raises(UserError, match=r"A picture's name ends in \.png, received .*a\.jpg"):
        check_output_path(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="There is no folder"):
        check_output_path(tmp_path / "gone" / "a.png")


# the job of a worker (see tests/worker for one in a process of its own)


def test_the_job_takes_a_layer_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "claim_device", lambda: None)
    monkeypatch.setattr(job, "start_keras", lambda deterministic: None)
    loaded, image = network(THREE, dense_units=[4], pooling=True), tmp_path / "a.png"
    save_model(tmp_path / "model.keras", loaded.model, loaded.spec, THREE)
    Image.fromarray(noise()[..., 0]).save(image)

    def words(what: str, **arguments: Any) -> tuple[str, str]:
        request = {"what": what, "model": str(tmp_path / "model.keras"), "image": str(image)}
        result = job.explain(request | arguments, JobEvents(io.StringIO()))
        return result["layer"], result["words"][0]

    replaced = words("gradcam", layer="dense1", or_fitting=True)
    assert replaced == (
        "conv1", "Grad-CAM cannot use dense1: its output has no positions. This is conv1."
    )  # fmt: skip
    assert words("activations", layer="pool1") == ("pool1", "pool1: 3x3x3, 3 channels")
