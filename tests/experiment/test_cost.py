"""Operations, bytes and seconds of a plan, in plain arithmetic."""

from dataclasses import replace

import pytest
from preset_specs import SPEED, preset_spec, trained_head_spec

from workbench.experiment.cost import forward_cost, stage_costs
from workbench.experiment.estimate import (
    EPOCH_SECONDS,
    FREEZE_CHECK_SECONDS,
    SAVE_SECONDS,
    reading_seconds,
    stage_seconds,
)
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.plan import layer_rows
from workbench.experiment.sections import SplitSpec
from workbench.experiment.throughput import (
    LAYER_FORWARD,
    LAYER_TRAINING,
    LIGHT_FORWARD,
    LIGHT_TRAINING,
    PREFIX_BATCH,
    PREFIX_BATCH_SINGLE,
    TINY_LAYERS,
    ComputeCost,
)


def test_multiply_adds_of_the_book_s_convnet() -> None:
    rows = {row.name: row.multiply_adds for row in layer_rows(preset_spec("book-convnet"), 2)}
    assert rows["conv1"] == 148 * 148 * 32 * 9 * 3
    assert rows["conv2"] == 72 * 72 * 64 * 9 * 32
    assert rows["dense1"] == 7 * 7 * 128 * 512
    assert rows["output"] == 512
    assert rows["pool1"] == rows["flatten"] == 0


def test_training_pays_for_gradients_of_weights_and_of_inputs() -> None:
    (cost,) = stage_costs(preset_spec("book-mnist"), classes=10)
    first = 26 * 26 * 32 * 9
    above = 11 * 11 * 64 * 9 * 32 + 3 * 3 * 64 * 9 * 64 + 576 * 64 + 64 * 10
    assert cost.forward.flops == 2 * (first + above)
    # Nothing trains below the first layer, so that its input needs no gradient.
    assert cost.training.flops == 2 * (2 * first + 3 * above)


def test_a_frozen_layer_passes_gradients_only_to_layers_that_train_below() -> None:
    settings = ('base.trainable=["block4"]', "base.weights=random")
    _, both = stage_costs(trained_head_spec("fine-tuning", *settings), classes=2)
    rows = {row.name: row for row in layer_rows(trained_head_spec("fine-tuning", *settings), 2)}
    block4 = [rows[f"block4_conv{n}"].multiply_adds for n in (1, 2, 3)]
    block5 = sum(rows[f"block5_conv{n}"].multiply_adds for n in (1, 2, 3))
    head = [rows["dense1"].multiply_adds, rows["output"].multiply_adds]
    expected = 2 * block4[0] + 3 * sum(block4[1:]) + 2 * block5 + 3 * sum(head)
    assert both.stage.prefix == "block3_pool"
    assert both.training.flops == 2 * expected


def test_bytes_of_outputs() -> None:
    rows = layer_rows(preset_spec("book-mnist"), 10)
    written = 26 * 26 * 32 + 13 * 13 * 32 + 11 * 11 * 64 + 5 * 5 * 64 + 3 * 3 * 64 + 64 + 10
    assert forward_cost(rows).heavy_bytes == 4 * written  # flatten copies nothing
    work = forward_cost(rows, (28, 28, 1))
    assert (work.heavy_bytes, work.light_bytes) == (4 * (written + 28 * 28), 0)
    assert work.layers == 8


def test_convolutions_before_a_normalization_are_light() -> None:
    spec = trained_head_spec(
        "feature-extraction", "base.name=mobilenetv2-0.35", "base.weights=random"
    )
    (cost,) = stage_costs(spec, classes=2)
    # The image, and the averages of the map.
    assert cost.prefix.heavy_bytes == 4 * (160 * 160 * 3 + 1280)
    assert cost.prefix.light_bytes > 10_000_000
    assert cost.prefix.flops == 2 * spec.base_table.multiply_adds


def test_an_epoch_is_the_sum_of_its_parts() -> None:
    (cost,) = stage_costs(preset_spec("book-mnist"), classes=10)
    images = {"train": 130, "validation": 65}
    took = stage_seconds(cost, images, SPEED)
    training, forward = cost.training, cost.forward
    more = 8 - TINY_LAYERS
    expected = (
        3 * (0.002 * (1 + more * LAYER_TRAINING) + 93_322 * 1e-8)  # 130 images in batches of 64
        + 130 * (training.flops / 5e8 + training.heavy_bytes / 5e7)
        + 2 * 0.001 * (1 + more * LAYER_FORWARD)
        + 65 * (forward.flops / 1e9 + forward.heavy_bytes / 1e8)
        + EPOCH_SECONDS
        + 93_322 * (SAVE_SECONDS + FREEZE_CHECK_SECONDS)
    )
    assert took.epoch == pytest.approx(expected)
    assert took.prefix == 0
    assert took.total == pytest.approx(5 * expected)


def test_light_bytes_cost_a_share() -> None:
    work = ComputeCost(light_bytes=100_000_000)
    assert SPEED.forward(work, 2, 0) == pytest.approx(2 * LIGHT_FORWARD)
    assert SPEED.training(work, 2, 0) == pytest.approx(4 * LIGHT_TRAINING)


@pytest.mark.parametrize(("layers", "factor"), [(1, 1.0), (3, 1.0), (13, 1 + 10 * LAYER_FORWARD)])
def test_layers_beyond_a_tiny_network_add_to_a_step(layers: int, factor: float) -> None:
    assert SPEED.forward(ComputeCost(layers=layers), 0, 5) == pytest.approx(5 * 0.001 * factor)


def test_steps_that_are_cut_count_as_they_are() -> None:
    (cost,) = stage_costs(preset_spec("book-convnet"), classes=2)
    many = stage_seconds(cost, {"train": 2000, "validation": 0}, SPEED)
    few = stage_seconds(cost, {"train": 100, "validation": 0}, SPEED)
    assert few == many  # 100 steps of 20 in both


def test_a_cached_prefix_is_paid_once_and_a_streamed_one_in_every_epoch() -> None:
    images = {"train": 100, "validation": 50}
    (cached,) = stage_costs(
        trained_head_spec("feature-extraction", "base.weights=random"), classes=2
    )
    once = stage_seconds(cached, images, SPEED)
    prefix = SPEED.forward(cached.prefix, 150, 150 / PREFIX_BATCH)
    assert once.prefix == pytest.approx(prefix)
    assert once.total == pytest.approx(once.prefix + 40 * once.epoch)
    (streamed,) = stage_costs(
        trained_head_spec("feature-extraction", "base.weights=random", "base.prefix=streamed"),
        classes=2,
    )
    each = stage_seconds(streamed, images, SPEED)
    assert each.prefix == 0
    assert each.epoch == pytest.approx(once.epoch + prefix)


def test_images_that_go_one_by_one_cost_more_steps() -> None:
    (cost,) = stage_costs(trained_head_spec("feature-extraction", "base.weights=random"), classes=2)
    alone = SPEED.model_copy(update={"prefix_batch": PREFIX_BATCH_SINGLE})
    took = stage_seconds(cost, {"train": 100, "validation": 50}, alone)
    assert took.prefix == pytest.approx(SPEED.forward(cost.prefix, 150, 150 / 6))


def test_every_view_is_computed_once() -> None:
    (cost,) = stage_costs(
        trained_head_spec("feature-extraction-augmented", "base.weights=random"), classes=2
    )
    took = stage_seconds(cost, {"train": 100, "validation": 50}, SPEED)
    assert took.prefix == pytest.approx(SPEED.forward(cost.prefix, 1050, 1050 / PREFIX_BATCH))


def test_memory_holds_weights_state_and_a_batch() -> None:
    (cost,) = stage_costs(preset_spec("book-mnist", "training.precision=float32"), classes=10)
    outputs = cost.forward.heavy_bytes * 64  # the images themselves among them
    assert cost.memory_bytes == 4 * 93_322 * 3 + outputs  # rmsprop keeps one number for each
    (half,) = stage_costs(preset_spec("book-mnist"), classes=10)
    assert half.memory_bytes == 4 * 93_322 * 3 + outputs // 2
    shared = preset_spec("book-mnist", "training.precision=float32", "training.devices=3")
    (of_each,) = stage_costs(shared, classes=10)
    assert of_each.memory_bytes == 4 * 93_322 * 3 + cost.forward.heavy_bytes * 22


FACTS = DataFacts((300, 400), False, 3, 2, images=1000, smallest_class=400, user_split=False)
OWN = replace(FACTS, user_split=True, split_images={"train": 800, "test": 200})


@pytest.mark.parametrize(
    ("facts", "split", "expected"),
    [
        (FACTS, SplitSpec(), (700, 150, 150)),
        (FACTS, SplitSpec(train=100, validation=50, test=0), (200, 100, 0)),
        (OWN, SplitSpec(), (680, 120, 200)),
        (OWN, SplitSpec(train=100, validation=50, test=50), (700, 100, 200)),
        (OWN, SplitSpec(train=0.8, validation=0.0, test=0.2), (800, 0, 200)),
        # Each class by itself: twice 8, 2, 2 of 12, where 24 at once make 17, 4, 3.
        (replace(FACTS, images=24, class_images=(12, 12)), SplitSpec(), (16, 4, 4)),
        (replace(FACTS, images=24), SplitSpec(), (17, 4, 3)),
        (replace(OWN, class_images=(797, 3)), SplitSpec(), (679, 121, 200)),
        (
            replace(OWN, split_images={"train": 700, "validation": 100, "test": 200}),
            SplitSpec(),
            (700, 100, 200),
        ),
    ],
)
def test_images_of_each_split(
    facts: DataFacts, split: SplitSpec, expected: tuple[int, int, int]
) -> None:
    images = expected_images(facts, split)
    assert (images["train"], images["validation"], images["test"]) == expected


def test_reading_takes_time_by_the_pixel() -> None:
    assert reading_seconds(FACTS, images_per_second=640) == pytest.approx(2 * 1000 / 1000)
