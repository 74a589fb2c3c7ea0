"""A network in numbers and in sentences."""

from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import plan_stages
from workbench.experiment.presets import preset_tree
from workbench.experiment.receptive_field import receptive_fields
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.render.network_picture import (
    NetworkPicture,
    explain_part,
    format_field,
    format_operations,
    make_picture,
)
from workbench.runs.freeze_check import group_by_block, layers_of_spec

FACTS = DataFacts((374, 499), False, 3, classes=2, images=4_000, smallest_class=2_000,
                  user_split=False)  # fmt: skip
VGG16 = ('base.name="vgg16"', "data.image_size=[224, 224]")


def picture_of(preset: str, *settings: str, fields: bool = True) -> NetworkPicture:
    spec = parse_spec(apply_settings(preset_tree(preset, "photos", FACTS), settings), "spec.toml")
    groups = group_by_block(layers_of_spec(spec, 2, plan_stages(spec)[-1]))
    known = receptive_fields(spec, 2) if fields else []
    return make_picture(groups, known, spec.data.input_shape)


def explained(picture: NetworkPicture, key: str) -> dict[str, str]:
    return dict(explain_part(picture, key))


def test_blocks_of_vgg16_add_up_to_the_network() -> None:
    picture = picture_of("fine-tuning", *VGG16)
    assert picture.blocks == (*(f"block block{n}" for n in range(1, 6)), "block head")
    parts = [picture.parts[key] for key in picture.blocks]
    assert [part.parameters for part in parts] == [
        38_720, 221_440, 1_475_328, 5_899_776, 7_079_424, 513,
    ]  # fmt: skip
    assert [part.multiply_adds for part in parts] == [
        1_936_392_192, 2_774_532_096, 4_624_220_160, 4_624_220_160, 1_387_266_048, 512,
    ]  # fmt: skip
    assert [format_field(part) for part in parts] == [
        "6 px", "16 px", "44 px", "100 px", "212 px", "all",
    ]  # fmt: skip
    assert picture.whole.multiply_adds == 15_346_630_656 + 512
    assert picture.whole.parameters == 14_714_688 + 513
    assert picture.whole.trained == 7_079_424 + 513
    assert picture.most_adds == 4_624_220_160
    assert format_operations(parts[2]) == "4.6 G"
    assert format_operations(picture.parts["layer block1_pool"]) == "-"


def test_sides_shrink_while_channels_grow() -> None:
    picture = picture_of("fine-tuning", *VGG16)
    assert picture.map_shares("layer block1_conv1") == (1, 0.125**0.5)  # 64 of 512 channels
    assert picture.map_shares("block block5") == ((7 / 224) ** 0.5, 1)
    assert picture.map_shares("block head") is None


def test_a_block_is_explained() -> None:
    picture = picture_of("fine-tuning", *VGG16)
    assert explained(picture, "block block5") == {
        "weights": "trains: all 7,079,424 parameters",
        "parameters": "7,079,424, 48 % of the network; each is used about 196 times an image",
        "operations": "1.4 G multiply-adds an image, 9 % of the network",
        "output": "14x14x512 becomes 7x7x512: 25,088 values, 17 % of those of the image",
        "field": "receptive field 212 of 224 pixels: a value sees 90 % of the image, "
        "its neighbour 32 pixels further on",
    }
    assert explained(picture, "block head") == {
        "weights": "trains: all 513 parameters",
        "parameters": "513, <1 % of the network",
        "operations": "512 multiply-adds an image, <1 % of the network",
        "output": "7x7x512 becomes 1: 1 value",
        "field": "receptive field: the whole image, since each value reads the whole map",
    }
    assert explained(picture, "layer block1_pool")["weights"] == "no weights: nothing to train"
    assert explain_part(picture, "block other") == []


def test_a_field_larger_than_the_image_is_smaller_in_a_corner() -> None:
    # The first value's field starts 90 pixels before the image and is 212 wide.
    at_160 = picture_of("fine-tuning", VGG16[0], "data.image_size=[160, 160]")
    assert explained(at_160, "block block5")["field"] == (
        "receptive field 212 of 160 pixels: sees the whole image, but in a corner only 122x122 "
        "of it"
    )
    mobile = picture_of("fine-tuning", 'base.name="mobilenetv2-1.0"', 'base.trainable=["top"]')
    assert explained(mobile, "block top")["field"].endswith("each value sees the whole image")


def test_part_of_a_block_trains() -> None:
    single = picture_of("fine-tuning", *VGG16, 'base.trainable=["block5_conv3"]')
    assert explained(single, "block block5")["weights"] == (
        "2,359,808 of 7,079,424 parameters train, the others stay as they are"
    )
    assert explained(single, "block block4")["weights"] == (
        "frozen: 5,899,776 parameters stay as they are"
    )
    mobile = ('base.name="mobilenetv2-1.0"', 'base.trainable=["top"]')
    # A 1x1 convolution of 320 to 1280 channels, and 4 numbers for each channel.
    assert explained(picture_of("fine-tuning", *mobile), "block top")["weights"] == (
        "409,600 of 414,720 parameters train; batch normalization is frozen, with its mean "
        "and variance"
    )
    adapted = picture_of("fine-tuning", *mobile, 'base.batch_norm="adapt"')
    assert explained(adapted, "block top")["weights"] == "trains: all 414,720 parameters"


def test_depthwise_layers_multiply_little() -> None:
    at_224 = ('base.name="mobilenetv2-1.0"', 'base.trainable=["top"]', "data.image_size=[224, 224]")
    parts = picture_of("fine-tuning", *at_224).parts
    assert parts["layer expanded_conv_depthwise"].multiply_adds == 112 * 112 * 32 * 3 * 3
    assert parts["layer expanded_conv_project"].multiply_adds == 112 * 112 * 16 * 32


def test_networks_without_a_base_and_without_maps() -> None:
    convnet = picture_of("book-convnet")
    assert convnet.blocks[:2] == ("layer conv1", "layer pool1")
    assert convnet.parts["layer conv1"].multiply_adds == 148 * 148 * 32 * 27
    assert convnet.parts["layer pool1"].before == (148, 148, 32)
    dense = picture_of("dense")
    assert dense.most_channels == 0
    assert {format_field(part) for part in dense.parts.values()} == {"all"}


def test_what_a_run_recorded_is_shown_without_its_spec() -> None:
    picture = picture_of("fine-tuning", *VGG16, fields=False)
    part = picture.parts["block block5"]
    assert (part.parameters, part.multiply_adds) == (7_079_424, None)
    assert (format_operations(part), format_field(part)) == ("-", "-")
    assert list(explained(picture, "block block5")) == ["weights", "parameters", "output"]
    assert NetworkPicture().whole.multiply_adds == 0
