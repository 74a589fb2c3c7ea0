"""Plans, presets and the one to begin with, without keras."""

from dataclasses import replace

import pytest
from preset_specs import preset_spec

from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import plan_stages, steps_per_epoch
from workbench.experiment.presets import BOOK_FACTS, LADDER, PRESETS, preset_tree, recommend
from workbench.experiment.spec import ExperimentSpec

FEW = DataFacts((374, 499), False, 3, classes=2, images=600, smallest_class=300, user_split=False)
MNIST = DataFacts((28, 28), True, 1, classes=10, images=70_000, smallest_class=6_313,
                  user_split=True)  # fmt: skip
LINES_AT_80 = 2 * 46  # characters that two lines beside the list of presets hold
TINY = DataFacts((8, 8), True, 1, classes=10, images=100, smallest_class=10, user_split=False)


def build(name: str, facts: DataFacts) -> ExperimentSpec:
    return preset_spec(name, facts=facts)


@pytest.mark.parametrize("facts", [BOOK_FACTS, FEW, MNIST, TINY])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_spec_for_any_data(name: str, facts: DataFacts) -> None:
    spec = build(name, facts)
    assert spec.preset == name
    solved = spec.training.head_start == "solved"  # a stage of its own
    assert len(plan_stages(spec)) == (2 if solved or name == "book-fine-tuning" else 1)


def test_the_convnet_has_one_stage_that_trains_all() -> None:
    (stage,) = plan_stages(build("convnet-augmented", FEW))
    assert (stage.index, stage.name, stage.trainable) == (0, "train all", None)
    assert stage.augmented
    assert stage.keep == "best"
    assert stage.early_stopping == 15


def test_book_convnet_has_the_books_values() -> None:
    spec = build("book-convnet", BOOK_FACTS)
    assert spec.data.image_size == (150, 150)
    assert spec.data.split.parts == (1000, 500, 500)
    assert spec.model.filters == (32, 64, 128, 128)
    assert spec.model.dense_units == (512,)
    training = spec.training
    assert (training.optimizer, training.learning_rate) == ("rmsprop", 1e-4)
    assert (training.batch_size, training.steps_per_epoch, training.epochs) == (20, 100, 30)
    assert (training.early_stopping, training.keep) == (0, "last")


def test_book_augmentation_is_the_books() -> None:
    spec = build("book-convnet-augmented", BOOK_FACTS)
    change = spec.augmentation
    assert (change.rotation, change.width_shift, change.height_shift) == (40, 0.2, 0.2)
    assert (change.shear, change.zoom, change.horizontal_flip) == (11.46, 0.2, True)
    assert change.fill == "nearest"
    assert spec.model.dropout == 0.5
    assert (spec.training.batch_size, spec.training.epochs) == (32, 100)


def test_fewer_images_keep_the_books_proportions() -> None:
    assert build("book-convnet", FEW).data.split.parts == (0.5, 0.25, 0.25)


def test_book_mnist_is_notebook_5_1() -> None:
    spec = build("book-mnist", MNIST)
    assert spec.data.input_shape == (28, 28, 1)
    assert spec.model.pooling == (True, True, False)
    assert (spec.training.batch_size, spec.training.epochs) == (64, 5)
    assert spec.training.learning_rate == 1e-3


def test_recommended_presets_fit_the_images() -> None:
    assert build("convnet", MNIST).data.input_shape == (28, 28, 1)
    assert build("convnet", MNIST).model.filters == (32, 64, 64)
    assert build("convnet", BOOK_FACTS).data.input_shape == (150, 150, 3)
    assert build("convnet", TINY).data.input_shape == (32, 32, 1)
    assert build("convnet", replace(TINY, image_size=(16, 16))).model.filters == (32, 64)


def test_drawings_are_not_mirrored() -> None:
    assert build("convnet-augmented", BOOK_FACTS).augmentation.horizontal_flip
    assert not build("convnet-augmented", MNIST).augmentation.horizontal_flip


def test_unknown_preset() -> None:
    with pytest.raises(UserError, match="no preset 'vgg'; allowed: dense, convnet"):
        preset_tree("vgg", "photos", FEW)


@pytest.mark.parametrize(
    ("count", "steps", "expected"), [(63, None, 2), (64, None, 2), (65, None, 3), (65, 100, 100)]
)
def test_steps_cover_each_image_once_unless_given(
    count: int, steps: int | None, expected: int
) -> None:
    assert steps_per_epoch(count, 32, steps) == expected


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_texts_of_presets_are_short_sentences(preset):
    for text in (preset.does, preset.choose):
        assert text.endswith(".")
        assert len(text) <= LINES_AT_80


@pytest.mark.parametrize(
    ("size", "smallest", "preset"),
    [
        ((28, 28), 6000, "convnet"),
        ((374, 499), 300, "linear-probe"),
        ((374, 499), 2000, "linear-probe"),
        ((374, 499), 12_500, "fine-tuning"),
    ],
)
def test_the_strategy_to_begin_with(size, smallest, preset):
    advice = recommend(replace(BOOK_FACTS, image_size=size, smallest_class=smallest))
    assert advice.preset == preset
    assert advice.preset in LADDER
    assert advice.why.endswith(".")


def test_the_reason_gives_the_number_it_rests_on():
    assert "300 images" in recommend(replace(BOOK_FACTS, smallest_class=300)).why
