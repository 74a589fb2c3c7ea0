"""Tables of pretrained bases: figures, blocks, and where one tensor cuts the network."""

import pytest

from workbench.bases.architectures import BASES, base_table
from workbench.bases.table import IMAGE, BaseError, BaseLayer, BaseTable

VGG16 = base_table("vgg16", (150, 150))
MOBILE = base_table("mobilenetv2-0.35", (160, 160))


def layer(name: str, *inputs: str, parameters: int = 1) -> BaseLayer:
    return BaseLayer(name, "convolution", "b", (1, 1, 1), parameters, 0, 0, inputs)


def table(*layers: BaseLayer) -> BaseTable:
    return BaseTable("x", "X", layers, (1, 1, 3), "tf")


# --- figures ----------------------------------------------------------------------------------


def test_vgg16_at_150_pixels_is_the_books() -> None:
    assert VGG16.parameters == 14_714_688
    assert VGG16.output_shape == (4, 4, 512)
    by_block = [sum(one.parameters for one in VGG16.block_layers(b)) for b in VGG16.blocks]
    assert by_block == [38_720, 221_440, 1_475_328, 5_899_776, 7_079_424]
    assert sum(one.kind == "convolution" for one in VGG16.layers) == 13


@pytest.mark.parametrize(
    ("name", "published", "top"),
    [
        ("mobilenetv2-1.0", 300e6, 1280 * 1000),
        ("mobilenetv2-0.35", 59e6, 1280 * 1000),
        ("vgg16", 15.5e9, 25_088 * 4096 + 4096 * 4096 + 4096 * 1000),
        ("vgg19", 19.6e9, 25_088 * 4096 + 4096 * 4096 + 4096 * 1000),
    ],
)
def test_multiply_adds_are_those_published_for_224_pixels(
    name: str, published: float, top: int
) -> None:
    assert base_table(name).multiply_adds + top == pytest.approx(published, rel=0.006)


def test_the_convolutions_of_vgg16_multiply_and_add_15_billion_times() -> None:
    """Height x width x filters x inputs of each 3x3 window, added up by hand."""
    by_hand = [
        (224, 64, 3), (224, 64, 64), (112, 128, 64), (112, 128, 128),
        (56, 256, 128), (56, 256, 256), (56, 256, 256),
        (28, 512, 256), (28, 512, 512), (28, 512, 512), *3 * [(14, 512, 512)],
    ]  # fmt: skip
    total = sum(side**2 * filters * 9 * channels for side, filters, channels in by_hand)
    assert base_table("vgg16", (224, 224)).multiply_adds == total == 15_346_630_656


def test_multiply_adds_of_single_layers() -> None:
    assert VGG16.layer("block1_conv1").multiply_adds == 150 * 150 * 64 * 3 * 3 * 3
    assert VGG16.layer("block1_pool").multiply_adds == 0
    assert MOBILE.layer("expanded_conv_depthwise").multiply_adds == 80 * 80 * 16 * 3 * 3
    assert MOBILE.layer("Conv_1").multiply_adds == 5 * 5 * 1280 * 112
    assert MOBILE.layer("Conv_1_bn").multiply_adds == 0


def test_batch_norm_statistics_are_counted_apart() -> None:
    norm = MOBILE.layer("Conv_1_bn")
    assert (norm.parameters, norm.non_trainable) == (4 * 1280, 2 * 1280)
    assert VGG16.layer("block1_conv1").non_trainable == 0


def test_blocks_go_from_the_image_upwards() -> None:
    assert VGG16.blocks == ("block1", "block2", "block3", "block4", "block5")
    assert MOBILE.blocks == ("stem", *(f"block_{n}" for n in range(17)), "top")
    assert [one.name for one in MOBILE.block_layers("stem")] == ["Conv1", "bn_Conv1", "Conv1_relu"]
    assert [one.name for one in MOBILE.block_layers("top")] == ["Conv_1", "Conv_1_bn", "out_relu"]
    assert MOBILE.block_layers("block_0")[0].name == "expanded_conv_depthwise"


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASES)
def test_smaller_images_than_a_base_can_take_are_refused(name: str) -> None:
    least = BASES[name].smallest_size
    assert min(base_table(name, (least, least)).output_shape) >= 1
    for size in ((least - 1, least), (least, least - 1)):
        with pytest.raises(BaseError) as refused:
            base_table(name, size)
        assert f"at least {least}x{least} pixels" in str(refused.value)
        assert f"received {size[0]}x{size[1]}" in str(refused.value)


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(BaseError, match=r'no base "resnet\\e"; allowed are vgg16, vgg19, '):
        base_table("resnet\x1b")
    with pytest.raises(BaseError, match=r'VGG16 has no block "block6"; its blocks are block1, '):
        VGG16.block_layers("block6")
    with pytest.raises(BaseError, match=r'VGG16 has no layer "conv1"; its blocks are block1, '):
        VGG16.layer("conv1")
    with pytest.raises(BaseError, match=r'VGG16 has no layer "dense"'):
        VGG16.deepest_cut({"block5_conv1", "dense"})


# --- cuts -------------------------------------------------------------------------------------


def test_every_layer_of_a_chain_is_a_cut() -> None:
    assert VGG16.cuts == tuple(one.name for one in VGG16.layers)


def test_nothing_that_a_connection_jumps_over_is_a_cut() -> None:
    residual = table(layer("a", IMAGE), layer("b", "a"), layer("c", "b"), layer("d", "a", "c"))
    assert residual.cuts == ("a", "d")
    from_image = table(layer("a", IMAGE), layer("b", "a"), layer("c", IMAGE, "b"))
    assert from_image.cuts == ("c",)


def test_residual_blocks_have_no_cut_inside() -> None:
    inside = [one.name for one in MOBILE.block_layers("block_2")][:-1]
    assert not set(inside) & set(MOBILE.cuts)
    assert {"block_1_project_BN", "block_2_add", "block_3_expand", "out_relu"} <= set(MOBILE.cuts)
    adds = [one.name for one in MOBILE.layers if one.kind == "add"]
    assert len(adds) == 10
    assert set(adds) <= set(MOBILE.cuts)


@pytest.mark.parametrize(
    ("base", "trainable", "cut"),
    [
        (VGG16, set(), "block5_pool"),
        (VGG16, {"block5_conv1", "block5_conv3"}, "block4_pool"),
        (VGG16, {"block5_conv3"}, "block5_conv2"),
        (VGG16, {"block5_pool"}, "block5_pool"),  # holds nothing that could train
        (VGG16, {"block1_conv2"}, "block1_conv1"),
        (VGG16, {"block1_conv1"}, None),
        (MOBILE, set(), "out_relu"),
        (MOBILE, {"Conv_1"}, "block_16_project_BN"),
        (MOBILE, {"block_3_project"}, "block_3_depthwise_relu"),
        (MOBILE, {"block_2_project"}, "block_1_project_BN"),  # inside: back to where it begins
        (MOBILE, {"block_5_project_BN"}, "block_4_add"),
        (MOBILE, {"Conv1", "Conv_1"}, None),
    ],
)
def test_the_deepest_cut_lies_below_all_that_trains(
    base: BaseTable, trainable: set[str], cut: str | None
) -> None:
    assert base.deepest_cut(trainable) == cut


@pytest.mark.parametrize("name", BASES)
def test_above_a_cut_nothing_reads_below_it(name: str) -> None:
    base = base_table(name, (96, 96))
    assert base.layers[-1].name == base.cuts[-1]
    for cut in base.cuts:
        place = [one.name for one in base.layers].index(cut) + 1
        below, above = base.layers[:place], base.layers[place:]
        read = {source for one in above for source in one.inputs}
        assert read & ({IMAGE} | {one.name for one in below}) <= {cut}
