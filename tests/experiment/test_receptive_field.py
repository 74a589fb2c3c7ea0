"""Receptive fields, compared with sums by hand."""

from typing import Any

import pytest

from workbench.bases.architectures import BASES
from workbench.bases.kinds import Config, window
from workbench.experiment import receptive_field as receptive
from workbench.experiment.receptive_field import WHOLE_IMAGE, ReceptiveField, receptive_fields
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


def fields(spec: ExperimentSpec) -> dict[str, ReceptiveField | None]:
    return {layer.row.name: layer.field for layer in receptive_fields(spec, 2)}


def test_windows_of_three_and_poolings_of_two() -> None:
    # conv1 sees 3; pool1 one more, every 2 pixels; conv2 two positions more, 2 * 2; pool2 one, 2.
    found = fields(convnet(filters=[4, 8], dense_units=[5], padding="valid"))
    assert found["conv1"] == ReceptiveField(3, 1, (0, 0))
    assert found["pool1"] == ReceptiveField(4, 2, (0, 0))
    assert found["conv2"] == ReceptiveField(8, 2, (0, 0))
    assert found["pool2"] == ReceptiveField(10, 4, (0, 0))
    assert found["dense1"] is None


def test_padding_begins_before_the_image() -> None:
    found = fields(convnet(filters=[4, 8], padding="same"))
    assert found["conv1"] == ReceptiveField(3, 1, (-1, -1))
    assert found["pool1"] == ReceptiveField(4, 2, (-1, -1))
    assert found["conv2"] == ReceptiveField(8, 2, (-3, -3))


def test_a_stride_pads_by_the_side_of_the_image() -> None:
    # 28 at stride 2 makes 14: (14 - 1) * 2 + 3 - 28 = 1 pixel of padding, which comes behind.
    # 27 at stride 2 makes 14: (14 - 1) * 2 + 3 - 27 = 2, one before.
    found = fields(convnet((28, 27), filters=[4], padding="same", stride=2, pooling=False))
    assert found["conv1"] == ReceptiveField(3, 2, (0, -1))


def test_vgg16_ends_at_212_pixels() -> None:
    found = fields(on_base("vgg16", (224, 224)))
    assert found["block1_conv2"] == ReceptiveField(5, 1, (-2, -2))
    assert found["block5_conv3"] == ReceptiveField(196, 16, (-90, -90))
    assert found["block5_pool"] == ReceptiveField(212, 32, (-90, -90))


def test_vgg19_ends_at_268_pixels() -> None:
    # VGG16's 212, and one more convolution in blocks 3, 4 and 5: 2 * (4 + 8 + 16) = 56.
    found = fields(on_base("vgg19", (64, 64)))
    assert found["block5_pool"] == ReceptiveField(268, 32, (-118, -118))


def test_mobilenet_adds_what_its_shortcuts_see() -> None:
    found = fields(on_base("mobilenetv2-1.0", (224, 224)))
    assert found["Conv1"] == ReceptiveField(3, 2, (0, 0))
    assert found["expanded_conv_depthwise"] == ReceptiveField(7, 2, (-2, -2))
    assert found["block_1_pad"] == ReceptiveField(7, 2, (-2, -2))
    assert found["block_1_depthwise"] == ReceptiveField(11, 4, (-2, -2))
    assert found["block_2_depthwise"] == ReceptiveField(19, 4, (-6, -6))
    assert found["block_2_add"] == ReceptiveField(19, 4, (-6, -6))
    assert found["out_relu"] is not None
    assert found["out_relu"].jump == 32
    assert found["out_relu"].size == 491


@pytest.mark.parametrize("size", [(72, 72), (73, 80), (96, 97)])
@pytest.mark.parametrize("name", BASES)
def test_every_layer_of_every_base_is_known(name: str, size: tuple[int, int]) -> None:
    layers = receptive_fields(on_base(name, size), 3)
    assert all(layer.field or layer.why == WHOLE_IMAGE for layer in layers)
    assert next(s for s in layers if s.row.name == "output").why == WHOLE_IMAGE


def test_a_dense_network_sees_everything() -> None:
    spec = parse_spec({"data": {"source": "x"}, "model": {"strategy": "dense"}}, "test")
    assert {layer.why for layer in receptive_fields(spec, 2)} == {WHOLE_IMAGE}


def test_unknown_windows_have_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates a kind of layer with an unknown window."""

    def some(kind: str, config: Config) -> tuple[int, int, str] | None:
        return None if kind == "activation" else window(kind, config)

    monkeypatch.setattr(receptive, "window", some)
    layers = {s.row.name: s for s in receptive_fields(on_base("mobilenetv2-1.0", (64, 64)), 2)}
    assert layers["bn_Conv1"].field == ReceptiveField(3, 2, (0, 0))
    assert layers["Conv1_relu"].field is None
    assert layers["Conv1_relu"].why == "unknown: the window of a layer of kind 'activation'"
    assert layers["expanded_conv_depthwise"].why == "unknown, as that of a layer below"
    assert layers["output"].why == WHOLE_IMAGE


def test_a_gate_sees_the_whole_image_and_what_it_scales_sees_what_it_did() -> None:
    layers = {s.row.name: s for s in receptive_fields(on_base("mobilenetv3-small", (224, 224)), 2)}
    squeezed = ("avg_pool", "conv", "relu", "conv_1")
    for name in squeezed:
        assert layers[f"expanded_conv_squeeze_excite_{name}"].why == WHOLE_IMAGE
    scaled, before = layers["expanded_conv_squeeze_excite_mul"], layers["re_lu"]
    assert scaled.field == before.field == ReceptiveField(7, 4, (0, 0))


def test_resnet_and_xception_see_what_their_windows_do() -> None:
    # 7 at stride 2, three zeros before; 3 at stride 2, one zero before: 7 + 2 * 2.
    resnet = fields(on_base("resnet50v2", (224, 224)))
    assert resnet["pool1_pool"] == ReceptiveField(11, 4, (-5, -5))
    xception = fields(on_base("xception", (299, 299)))
    assert xception["block1_conv2"] == ReceptiveField(7, 2, (0, 0))
    assert xception["block2_sepconv2"] == ReceptiveField(15, 2, (-4, -4))


def test_a_field_as_text() -> None:
    assert (
        ReceptiveField(18, 4).describe((6, 7), (18, 19))
        == "a value sees 18x18 pixels; neighbours 4 apart"
    )
    # As large as the image, but only one of three positions covers all of it.
    assert ReceptiveField(18, 4, (-4, -4)).describe((3, 3), (18, 18)) == (
        "a value sees 18x18 pixels (image: 18x18); neighbours 4 apart"
    )
    # The first place sees the pixels up to -8 + 25, the last one those from -8 + 2 * 4.
    assert ReceptiveField(26, 4, (-8, -8)).describe((3, 3), (18, 17)) == (
        "a value sees 26x26 pixels (the whole image of 18x17); neighbours 4 apart"
    )


def test_the_first_position_sees_less_in_the_corner() -> None:
    # The pixels -4 to 13 down and 2 to 19 right, of which 0 to 13 and 2 to 18 are the image's.
    assert ReceptiveField(18, 4, (-4, 2)).corner((30, 19)) == (14, 17)


@pytest.mark.parametrize(
    ("field", "positions"),
    [
        (ReceptiveField(25, 4, (-8, -8)), (3, 3)),  # the first place misses the last row
        (ReceptiveField(30, 4, (-7, -8)), (3, 3)),  # the last place misses the first row
        (ReceptiveField(30, 4, (-8, -7)), (3, 3)),
        (ReceptiveField(30, 4, (-8, -8)), (3, 4)),
    ],
)
def test_the_whole_image_is_mentioned_if_every_position_sees_it(
    field: ReceptiveField, positions: tuple[int, int]
) -> None:
    assert "(image: 18x18)" in field.describe(positions, (18, 18))


def test_the_last_layer_of_mobilenet_sees_the_whole_image() -> None:
    layers = {s.row.name: s for s in receptive_fields(on_base("mobilenetv2-1.0", (160, 160)), 2)}
    last = layers["out_relu"]
    assert last.field
    assert last.field.describe(last.row.output_shape[:2], (160, 160)) == (
        "a value sees 491x491 pixels (the whole image of 160x160); neighbours 32 apart"
    )
