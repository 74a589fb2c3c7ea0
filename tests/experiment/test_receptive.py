"""What each layer sees of the image, against sums by hand."""

from typing import Any

import pytest

from workbench.experiment import receptive
from workbench.experiment.receptive import WHOLE, Field, layer_sights
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec


def convnet(size: tuple[int, int] = (28, 28), **model: Any) -> ExperimentSpec:
    data = {"source": "x", "image_size": list(size)}
    return parse_spec({"data": data, "model": {"strategy": "convnet", **model}}, "test")


def on_base(name: str, size: tuple[int, int]) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": list(size)},
        "model": {"strategy": "feature-extraction"},
        "base": {"name": name},
    }
    return parse_spec(tree, "test")


def fields(spec: ExperimentSpec) -> dict[str, Field | None]:
    return {sight.row.name: sight.field for sight in layer_sights(spec, 2)}


def test_windows_of_three_and_poolings_of_two() -> None:
    # conv1 sees 3; pool1 one more, every 2 pixels; conv2 two places more, 2 * 2; pool2 one, 2.
    found = fields(convnet(filters=[4, 8], dense_units=[5], padding="valid"))
    assert found["conv1"] == Field(3, 1, (0, 0))
    assert found["pool1"] == Field(4, 2, (0, 0))
    assert found["conv2"] == Field(8, 2, (0, 0))
    assert found["pool2"] == Field(10, 4, (0, 0))
    assert found["dense1"] is None


def test_padding_begins_before_the_image() -> None:
    found = fields(convnet(filters=[4, 8], padding="same"))
    assert found["conv1"] == Field(3, 1, (-1, -1))
    assert found["pool1"] == Field(4, 2, (-1, -1))
    assert found["conv2"] == Field(8, 2, (-3, -3))


def test_a_stride_pads_by_the_side_of_the_image() -> None:
    # 28 at stride 2 makes 14: (14 - 1) * 2 + 3 - 28 = 1 pixel of padding, which comes behind.
    # 27 at stride 2 makes 14: (14 - 1) * 2 + 3 - 27 = 2, one before.
    found = fields(convnet((28, 27), filters=[4], padding="same", stride=2, pooling=False))
    assert found["conv1"] == Field(3, 2, (0, -1))


def test_vgg16_ends_at_212_pixels() -> None:
    found = fields(on_base("vgg16", (224, 224)))
    assert found["block1_conv2"] == Field(5, 1, (-2, -2))
    assert found["block5_conv3"] == Field(196, 16, (-90, -90))
    assert found["block5_pool"] == Field(212, 32, (-90, -90))


def test_vgg19_ends_at_268_pixels() -> None:
    # VGG16's 212, and one more convolution in blocks 3, 4 and 5: 2 * (4 + 8 + 16) = 56.
    found = fields(on_base("vgg19", (64, 64)))
    assert found["block5_pool"] == Field(268, 32, (-118, -118))


def test_mobilenet_adds_what_its_shortcuts_see() -> None:
    found = fields(on_base("mobilenetv2-1.0", (224, 224)))
    assert found["Conv1"] == Field(3, 2, (0, 0))
    assert found["expanded_conv_depthwise"] == Field(7, 2, (-2, -2))
    assert found["block_1_pad"] == Field(7, 2, (-2, -2))
    assert found["block_1_depthwise"] == Field(11, 4, (-2, -2))
    assert found["block_2_depthwise"] == Field(19, 4, (-6, -6))
    assert found["block_2_add"] == Field(19, 4, (-6, -6))
    assert found["out_relu"] is not None
    assert found["out_relu"].jump == 32
    assert found["out_relu"].size == 491


@pytest.mark.parametrize("size", [(32, 32), (33, 40), (96, 97)])
@pytest.mark.parametrize("name", ["vgg16", "vgg19", "mobilenetv2-0.35", "mobilenetv2-1.0"])
def test_every_layer_of_every_base_can_be_told(name: str, size: tuple[int, int]) -> None:
    sights = layer_sights(on_base(name, size), 3)
    assert all(sight.field or sight.why == WHOLE for sight in sights)
    assert next(s for s in sights if s.row.name == "output").why == WHOLE


def test_a_dense_network_sees_everything() -> None:
    spec = parse_spec({"data": {"source": "x"}, "model": {"strategy": "dense"}}, "test")
    assert {sight.why for sight in layer_sights(spec, 2)} == {WHOLE}


def test_what_a_table_does_not_tell_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a base had a kind of layer that nobody knows the window of."""
    known = receptive._IN_PLACE - {"activation"}
    monkeypatch.setattr(receptive, "_IN_PLACE", known)
    sights = {s.row.name: s for s in layer_sights(on_base("mobilenetv2-1.0", (64, 64)), 2)}
    assert sights["bn_Conv1"].field == Field(3, 2, (0, 0))
    assert sights["Conv1_relu"].field is None
    assert sights["Conv1_relu"].why == "cannot be told: the window of a layer of kind 'activation'"
    assert sights["expanded_conv_depthwise"].why == "cannot be told: nor can that of a layer below"
    assert sights["output"].why == WHOLE


def test_a_field_in_words() -> None:
    assert (
        Field(18, 4).in_words((6, 7), (18, 19)) == "a value sees 18x18 pixels; neighbours 4 apart"
    )
    # As large as the image, but only one of three places lies over all of it.
    assert Field(18, 4, (-4, -4)).in_words((3, 3), (18, 18)) == (
        "a value sees 18x18 pixels (image: 18x18); neighbours 4 apart"
    )
    # The first place sees the pixels up to -8 + 25, the last one those from -8 + 2 * 4.
    assert Field(26, 4, (-8, -8)).in_words((3, 3), (18, 17)) == (
        "a value sees 26x26 pixels (the whole image of 18x17); neighbours 4 apart"
    )


@pytest.mark.parametrize(
    ("field", "places"),
    [
        (Field(25, 4, (-8, -8)), (3, 3)),  # the first place misses the last row
        (Field(30, 4, (-7, -8)), (3, 3)),  # the last place misses the first row
        (Field(30, 4, (-8, -7)), (3, 3)),
        (Field(30, 4, (-8, -8)), (3, 4)),
    ],
)
def test_the_whole_image_is_said_where_every_place_sees_it(
    field: Field, places: tuple[int, int]
) -> None:
    assert "(image: 18x18)" in field.in_words(places, (18, 18))


def test_the_last_layer_of_mobilenet_sees_the_whole_image() -> None:
    sights = {s.row.name: s for s in layer_sights(on_base("mobilenetv2-1.0", (160, 160)), 2)}
    last = sights["out_relu"]
    assert last.field
    assert last.field.in_words(last.row.output_shape[:2], (160, 160)) == (
        "a value sees 491x491 pixels (the whole image of 160x160); neighbours 32 apart"
    )
