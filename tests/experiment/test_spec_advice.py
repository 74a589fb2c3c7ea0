"""Advice on specs that helps when it is applied, and the cost of a draft."""

import re

import pytest
from preset_specs import SPEED, preset_spec, trained_head_spec

from workbench.bases.architectures import base_table
from workbench.experiment.advice import format_setting
from workbench.experiment.estimate import make_forecast
from workbench.experiment.facts import DataFacts
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import (
    advise,
    describe_cost,
    describe_prefix,
    describe_prefix_cost,
    toggle_layers,
    trainable_names,
)
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree

FACTS = DataFacts((374, 499), False, 3, classes=2, images=4_000, smallest_class=2_000,
                  user_split=False)  # fmt: skip
FEW = {"train": 2_000, "validation": 1_000}
MANY = {"train": 50_000, "validation": 1_000}
ALL = 'base.trainable=["block1", "block2", "block3", "block4", "block5"]'


def spec_of(*settings: str, preset: str = "fine-tuning", base: str | None = None) -> ExperimentSpec:
    spec = trained_head_spec if preset == "fine-tuning" else preset_spec
    return spec(preset, *settings, facts=FACTS, base=base)


def ids(spec: ExperimentSpec, images: dict[str, int] = FEW) -> list[str]:
    return [advice.id for advice in advise(spec, images)]


@pytest.mark.parametrize(
    ("preset", "base"),
    [
        ("fine-tuning", None),
        ("fine-tuning", "mobilenetv2-0.35"),
        ("book-fine-tuning", None),
        ("feature-extraction", None),
        ("convnet", None),
        ("dense", None),
    ],
)
def test_presets_need_no_advice(preset: str, base: str | None) -> None:
    assert ids(preset_spec(preset, facts=FACTS, base=base)) == []


@pytest.mark.parametrize(
    ("train", "settings", "expected"),
    [
        (999, (), ["few-photographs"]),
        (1000, (), []),
        (999, ("base.weights=random",), []),
        (999, ("training.learning_rate=0.1",), ["learning-rate", "few-photographs"]),
    ],
)
def test_fine_tuning_on_few_photographs_is_warned_of(
    train: int, settings: tuple[str, ...], expected: list[str]
) -> None:
    found = advise(spec_of(*settings), {"train": train, "validation": 100})
    assert [one.id for one in found] == expected
    assert [one.fix for one in found if one.id == "few-photographs"] in ([], [()])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("training.head_epochs=1", "head-first"),
        ("training.learning_rate=0.001", "learning-rate"),
        ('base.trainable=["block3"]', "upper-layers"),
        ('base.trainable=["block5_conv1"]', "upper-layers"),
        ("training.head_epochs=3", None),
        ("training.learning_rate=0.0001", None),
        ('base.trainable=["block4", "block5"]', None),
    ],
)
def test_each_rule(changed: str, expected: str | None) -> None:
    assert ids(spec_of(changed)) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("settings", "expected", "preset"),
    [
        (("training.optimizer=adamw",), "weight-decay", "fine-tuning"),
        (("training.optimizer=adamw", "training.weight_decay=0.1"), None, "fine-tuning"),
        (("training.warmup_epochs=30", "training.head_epochs=20"), "warm-up", "fine-tuning"),
        (("training.warmup_epochs=1.5",), None, "fine-tuning"),
        (("training.unfreeze=gradual", 'base.trainable=["block5"]'), "gradual", "fine-tuning"),
        (("training.unfreeze=gradual", 'base.trainable=["block4", "block5"]'), None, "fine-tuning"),
        (("training.layer_decay=0.0001",), "layer-rates", "fine-tuning"),
        (("training.layer_decay=0.7",), None, "fine-tuning"),
        (("augmentation.mixup=0.2", "training.epochs=5"), "mixing", "convnet"),
        (("augmentation.cutmix=0.2", "training.batch_size=1"), "mixing", "convnet"),
        (("augmentation.mixup=0.2", "training.epochs=30"), None, "convnet"),
        (("training.optimizer=sgd", "training.learning_rate=0.01"), None, "fine-tuning"),
        (("training.learning_rate=0.0002", "training.layer_decay=0.5"), None, "fine-tuning"),
    ],
)
def test_each_rule_of_the_recipe(
    settings: tuple[str, ...], expected: str | None, preset: str
) -> None:
    spec = spec_of(*settings, preset=preset)
    assert ids(spec) == ([expected] if expected else [])
    for advice in advise(spec, FEW):
        changed = parse_spec(apply_settings(spec_tree(spec), advice.fix), "fix")
        assert ids(changed) == []


def test_a_whole_base_needs_many_images() -> None:
    assert ids(spec_of(ALL)) == ["all-unfrozen"]
    assert ids(spec_of(ALL), MANY) == []


def test_maps_without_pooling_need_too_many_parameters() -> None:
    [advice] = advise(spec_of("model.pooling=false", preset="convnet"), FEW)
    assert advice.id == "pooling"
    assert "dense1 holds 1" in advice.sentence  # 100 %
    assert ids(spec_of("model.pooling=[true, true, true, false]", preset="convnet")) == []


def test_too_few_views() -> None:
    def advice_ids(*settings: str, preset: str = "feature-extraction-augmented") -> list[str]:
        return ids(spec_of(*settings, preset=preset))

    assert advice_ids("base.views=4") == ["views"]
    assert (
        advice_ids("base.views=5")
        == advice_ids("base.views=10")
        == advice_ids("base.views=0")
        == []
    )
    assert advice_ids("base.views=4", "training.epochs=4") == []  # none comes twice
    assert advice_ids("base.views=4", "training.epochs=5") == ["views"]
    tuned = ("augmentation.rotation=9.0", "base.views=1")
    assert advice_ids(*tuned, preset="fine-tuning") == ["views"]


def test_every_fix_works() -> None:
    spec = spec_of(
        'base.trainable=["block2"]', "training.head_epochs=1", "training.learning_rate=0.01"
    )
    for _ in range(4):
        if not (advice := advise(spec, FEW)):
            break
        changed = parse_spec(apply_settings(spec_tree(spec), advice[0].fix), "fix")
        assert advice[0].id not in ids(changed)
        spec = changed
    assert ids(spec) == []
    assert spec.base is not None
    assert spec.base.trainable == ("block2", "block3", "block4", "block5")


def test_whole_blocks_are_named_as_blocks() -> None:
    table = base_table("vgg16", (150, 150))
    chosen = {"block4_conv3", "block5_conv1", "block5_conv2", "block5_conv3", "block5_pool"}
    assert trainable_names(table, chosen, "frozen") == ["block4_conv3", "block5"]
    mobile = base_table("mobilenetv2-0.35", (160, 160))
    assert trainable_names(mobile, {"Conv_1"}, "frozen") == ["top"]
    assert trainable_names(mobile, {"Conv_1"}, "adapt") == ["Conv_1"]


def test_settings_are_toml() -> None:
    assert format_setting("base.trainable", ["a b", "c"]) == 'base.trainable=["a b", "c"]'
    assert format_setting("model.pooling", True) == "model.pooling=true"
    assert base_table("vgg19", (150, 150)).top_blocks == ("block5",)


def test_a_forecast_shows_the_savings_of_the_prefix() -> None:
    found = make_forecast(spec_of(), FACTS, SPEED)
    prefix = describe_prefix_cost(spec_of(), found, 1)
    assert prefix.startswith("block1-block4 run once: about ")
    assert prefix.endswith(" MB on disk, then never again")
    assert re.match(r"about .+ an epoch \(.+ if not cached\), .+ in all; ", describe_cost(found, 1))
    assert describe_prefix_cost(spec_of(), found, 0).startswith("the whole base runs once")


def test_a_head_that_is_solved_has_no_epochs() -> None:
    found = make_forecast(spec_of(preset="linear-probe"), FACTS, SPEED)
    assert re.match(r"about .+ to solve it, .+ in all; memory ", describe_cost(found, 0))


def test_without_a_benchmark_there_are_no_seconds() -> None:
    found = make_forecast(spec_of(), FACTS, None)
    assert "machine check" in describe_cost(found, 1)
    assert "about" not in describe_prefix_cost(spec_of(), found, 1)
    dense = spec_of(preset="dense")
    assert describe_prefix_cost(dense, make_forecast(dense, FACTS, SPEED), 0) == ""


def test_a_prefix_without_a_cache_has_a_reason() -> None:
    spec = spec_of(preset="book-fine-tuning")
    assert describe_prefix_cost(spec, make_forecast(spec, FACTS, SPEED), 1) == (
        "block1-block4 run in every epoch: augmented images are new each time "
        "(base.views = 10 would keep some)"
    )


@pytest.mark.parametrize(
    ("cut", "text"),
    [
        (None, "none: every layer runs in every epoch"),
        ("block5_pool", "the whole base runs once, then never again"),
        ("average", "the whole base runs once, then never again"),
        ("block1_pool", "block1 runs once, then never again"),
        ("block4_conv2", "everything up to block4_conv2 runs once, then never again"),
        ("\x1b", "everything up to \\e runs once, then never again"),
    ],
)
def test_prefixes_are_named_by_their_blocks(cut: str | None, text: str) -> None:
    assert describe_prefix(base_table("vgg16", (150, 150)), cut, cached=True) == text


def test_toggles_of_blocks_and_layers() -> None:
    spec = spec_of('base.trainable=["block5_conv1"]')
    assert toggle_layers(spec, "layer block5_conv1") == set()
    whole = {"block5_conv1", "block5_conv2", "block5_conv3"}
    assert toggle_layers(spec, "block block5") == whole
    assert toggle_layers(spec_of(), "block block5") == set()
    assert toggle_layers(spec_of(), "layer block4_conv3") == whole | {"block4_conv3"}
