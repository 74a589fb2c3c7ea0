"""Specs, plans and costs on a pretrained base, without keras."""

from dataclasses import replace
from typing import Any

import pytest
from preset_specs import trained_head_spec

from workbench.errors import UserError
from workbench.experiment.cost import stage_costs
from workbench.experiment.plan import head_layers, layer_rows, plan_stages, trained_blocks
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.resuming import training_fingerprint
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec, read_spec


def parse(*settings: str, preset: str = "book-fine-tuning", **options: Any) -> ExperimentSpec:
    return trained_head_spec(preset, *settings, **options)


def refusal(*settings: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        parse(*settings, **options)
    return caught.value.message


def test_book_fine_tuning_has_the_books_parameters() -> None:
    """Notebook 5.3: 16,812,353 in all; 9,177,089 trainable from block5 on."""
    head, both = stage_costs(parse(), classes=2)
    assert head.parameters == both.parameters == 16_812_353
    assert head.trainable == 2_097_665
    assert both.trainable == 9_177_089


def test_the_head_comes_first_and_block5_behind_block4() -> None:
    head, both = plan_stages(parse("augmentation.rotation=0"))
    assert (head.prefix, both.prefix) == ("block5_pool", "block4_pool")
    assert head.trainable == ("dense1", "output")
    assert both.trainable is not None
    assert set(both.trainable) == {
        "block5_conv1", "block5_conv2", "block5_conv3", "dense1", "output",
    }  # fmt: skip
    assert (head.epochs, head.learning_rate) == (30, 2e-5)
    assert (both.epochs, both.learning_rate) == (100, 1e-5)


def test_an_averaging_head_is_cut_above_its_averages() -> None:
    """A number for each channel is kept, not a map of them; the head's own layers come above."""
    spec = parse(preset="feature-extraction", base="vgg16")
    (stage,) = plan_stages(spec)
    (cost,) = stage_costs(spec, classes=2)
    assert stage.prefix == "average"
    assert (cost.prefix_shape, cost.prefix_bytes) == ((512,), 4 * 512)
    assert (cost.prefix_share, cost.trainable) == (1.0, 512 * 128 + 128 + 128 + 1)
    head, both = plan_stages(parse(preset="fine-tuning", base="vgg16"))
    assert (head.prefix, both.prefix) == ("average", "block4_pool")


def test_what_is_cached_follows_from_augmentation_and_views() -> None:
    def cached(*settings: str, preset: str = "feature-extraction") -> tuple[bool, int]:
        (stage,) = plan_stages(parse(*settings, preset=preset))
        return stage.cached, stage.views

    assert cached() == (True, 0)
    assert cached("base.prefix=streamed") == (False, 0)
    assert cached("augmentation.rotation=9") == (False, 0)
    assert cached("augmentation.rotation=9", "base.views=4") == (True, 4)
    assert cached(preset="book-feature-extraction-augmented") == (False, 0)


def test_batch_norm_stays_out_unless_it_adapts() -> None:
    options = {"base": "mobilenetv2-0.35", "preset": "fine-tuning"}
    frozen = plan_stages(parse('base.trainable=["top"]', **options))[1]
    adapting = plan_stages(parse('base.trainable=["top"]', "base.batch_norm=adapt", **options))[1]
    assert frozen.trainable == ("Conv_1", "dense1", "output")
    assert adapting.trainable == ("Conv_1", "Conv_1_bn", "dense1", "output")


def test_single_layers_can_train() -> None:
    stage = plan_stages(parse('base.trainable=["block5_conv3"]'))[1]
    assert stage.prefix == "block5_conv2"
    from_the_start = plan_stages(parse('base.trainable=["block1"]'))[1]
    assert from_the_start.prefix is None
    assert not from_the_start.cached


GRADUAL = ('base.trainable=["block4", "block5"]', "training.unfreeze=gradual")


def test_gradual_unfreezing_adds_a_stage_for_each_block() -> None:
    whole = plan_stages(parse(GRADUAL[0], preset="fine-tuning", base="vgg16"))
    stages = plan_stages(parse(*GRADUAL, preset="fine-tuning", base="vgg16"))
    assert [stage.index for stage in stages] == [0, 1, 2]
    assert [stage.name for stage in stages] == [
        "head first", "head down to block5", "head and block4, block5",
    ]  # fmt: skip
    assert [stage.epochs for stage in stages] == [whole[0].epochs, 2, whole[1].epochs]
    assert [stage.prefix for stage in stages] == ["average", "block4_pool", "block3_pool"]
    assert not stages[1].trains("block4_conv3")
    assert stages[1].trains("block5_conv1")
    assert replace(stages[2], index=1) == whole[1]


def test_layers_of_a_block_unfreeze_together() -> None:
    layers = '["block5_conv3", "block4_conv3", "block5_conv1"]'
    spec = parse(f"base.trainable={layers}", "training.unfreeze=gradual", base="vgg16")
    assert trained_blocks(spec) == (("block5_conv1", "block5_conv3"), ("block4_conv3",))
    assert [stage.prefix for stage in plan_stages(spec)[1:]] == ["block4_pool", "block4_conv2"]


def test_cutmix_acts_where_images_are() -> None:
    everything = 'base.trainable=["block1"]'
    spec = parse(everything, "augmentation.cutmix=1.0", "augmentation.mixup=0.2")
    assert [(s.mixup, s.cutmix) for s in plan_stages(spec)] == [(0.2, 0.0), (0.2, 1.0)]
    with pytest.raises(UserError, match="CutMix pastes parts of images"):
        parse("augmentation.cutmix=1.0")


def test_mixing_leaves_features_cached() -> None:
    (stage,) = plan_stages(parse("augmentation.mixup=0.2", preset="feature-extraction"))
    assert (stage.cached, stage.augmented, stage.mixup) == (True, False, 0.2)
    (stage,) = plan_stages(parse("augmentation.random_crop=0.4", preset="feature-extraction"))
    assert (stage.cached, stage.augmented) == (False, True)


def test_rows_go_from_the_image_to_the_output() -> None:
    rows = layer_rows(parse(), classes=2)
    assert [rows[0].name, rows[-1].name] == ["block1_conv1", "output"]
    assert rows[-2].block == "head"
    assert head_layers(parse()) == ("dense1", "output")
    average = layer_rows(parse(preset="feature-extraction"), classes=3)
    assert [row.name for row in average][-4:] == ["average", "dropout", "dense1", "output"]
    assert average[-4].output_shape == (512,)


def test_cached_bytes_are_known_before_they_are_written() -> None:
    (cost,) = stage_costs(parse(preset="book-feature-extraction"), classes=2)
    assert cost.prefix_shape == (4, 4, 512)
    assert cost.prefix_bytes == 4 * 4 * 512 * 4
    (half,) = stage_costs(
        parse("base.prefix_dtype=float16", preset="book-feature-extraction"), classes=2
    )
    assert half.prefix_bytes == 4 * 4 * 512 * 2
    assert cost.prefix_share == 1.0


SOLVED = ("training.head_start=solved", "model.dense_units=[]")


def test_features_that_a_stage_before_computed_cost_nothing() -> None:
    images = {"train": 100, "validation": 20, "test": 20}
    solve, train = stage_costs(parse(*SOLVED, preset="feature-extraction"), classes=2)
    assert solve.passes == (("train", ""), ("train", "mirrored"))
    assert train.passes == (("validation", ""),)
    assert [cost.images_passed(images) for cost in (solve, train)] == [200, 20]
    assert train.kept_bytes(images) == 20 * 512 * 4
    (probe,) = stage_costs(parse(preset="linear-probe"), classes=2)
    assert probe.images_passed(images) == 2 * (100 + 20)
    solve, views = stage_costs(
        parse(*SOLVED, "base.views=3", preset="feature-extraction-augmented"), classes=2
    )
    assert solve.images_passed(images) == 200
    assert views.images_passed(images) == 3 * 100 + 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("data.image_size=[31, 40]",), "needs images of at least 32x32 pixels, received 31x40"),
        (("data.channels=1",), "set channels = 3, and grey images become RGB"),
        (("base.name=resnet",), "base.name: received 'resnet'; allowed: vgg16, vgg19"),
        (('base.trainable=["block6"]',), '"block6"'),
        (("base.trainable=[]",), "base.trainable is empty: fine-tuning needs blocks or layers"),
        (("base.views=3", "augmentation.rotation=0", "augmentation.width_shift=0",
          "augmentation.height_shift=0", "augmentation.shear=0", "augmentation.zoom=0",
          "augmentation.horizontal_flip=false"), "augmentation is off"),
        (("model.strategy=feature-extraction",), "trainable: no effect with strategy"),
        (("model.strategy=convnet", "model.filters=[8]"), "head: no effect in a convnet"),
        (("model.filters=[8]",), "filters: no effect in fine-tuning"),
        (("base.batch_norm=maybe",), "allowed: 'frozen' or 'adapt'"),
    ],
)  # fmt: skip
def test_refusals(settings: tuple[str, ...], message: str) -> None:
    assert message in refusal(*settings)


def test_a_base_needs_a_strategy_that_uses_it() -> None:
    tree = preset_tree("convnet", "photos", BOOK_FACTS)
    with pytest.raises(UserError, match="no effect with strategy 'convnet'"):
        parse_spec({**tree, "base": {"name": "vgg16"}}, "spec.toml")
    tree = preset_tree("feature-extraction", "photos", BOOK_FACTS)
    del tree["base"]
    with pytest.raises(UserError, match=r"\[base\] is missing"):
        parse_spec(tree, "spec.toml")


@pytest.mark.parametrize("preset", ["feature-extraction", "fine-tuning", "book-fine-tuning"])
def test_they_are_written_and_read_back(preset: str, tmp_path: Any) -> None:
    spec = parse("data.image_size=[32, 32]", preset=preset)  # the smallest size
    (tmp_path / "spec.toml").write_text(dump_spec(spec))
    assert read_spec(tmp_path / "spec.toml") == spec


def test_another_base_brings_its_own_top_blocks() -> None:
    spec = parse(preset="fine-tuning", base="mobilenetv2-1.0", weights="random")
    assert spec.base is not None
    assert spec.base.trainable == ("block_14", "block_15", "block_16", "top")
    assert spec.base.weights == "random"


def test_cached_or_streamed_is_the_same_position_in_training() -> None:
    assert training_fingerprint(parse()) == training_fingerprint(parse("base.prefix=streamed"))
    assert training_fingerprint(parse()) != training_fingerprint(parse("base.preprocessing=own"))
