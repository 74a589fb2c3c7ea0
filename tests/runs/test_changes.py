"""What may change between two lives of a run."""

import pytest

from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.runs.changes import changed_spec


@pytest.fixture
def spec() -> ExperimentSpec:
    settings = ("training.batch_size=32", "training.steps_per_epoch=10")
    return parse_spec(apply_settings(preset_tree("convnet", "/photos", BOOK_FACTS), settings), "")


def test_nothing_asked_for_changes_nothing(spec: ExperimentSpec) -> None:
    assert changed_spec(spec) == spec


def test_half_the_batch_takes_twice_the_steps(spec: ExperimentSpec) -> None:
    training = changed_spec(spec, half_batch=True).training
    assert (training.batch_size, training.steps_per_epoch) == (16, 20)


def test_a_part_of_the_batch_can_be_set(spec: ExperimentSpec) -> None:
    training = changed_spec(spec, ("training.batch_size=8", "training.epochs=99")).training
    assert (training.batch_size, training.steps_per_epoch, training.epochs) == (8, 40, 99)


@pytest.mark.parametrize("size", [5, 64])
def test_other_batches_have_no_places_of_the_run(spec: ExperimentSpec, size: int) -> None:
    with pytest.raises(UserError, match=f"received {size}, and the run began with 32"):
        changed_spec(spec, (f"training.batch_size={size}",))


def test_one_image_cannot_be_halved(spec: ExperimentSpec) -> None:
    one = changed_spec(spec, ("training.batch_size=1",))
    with pytest.raises(UserError, match="one image already"):
        changed_spec(one, half_batch=True)


def test_the_batch_is_given_once(spec: ExperimentSpec) -> None:
    with pytest.raises(UserError, match="not both"):
        changed_spec(spec, ("training.batch_size=16",), half_batch=True)


@pytest.mark.parametrize("setting", ["training.seed=2", "model.dropout=0.1"])
def test_what_names_the_places_stays(spec: ExperimentSpec, setting: str) -> None:
    with pytest.raises(UserError, match="cannot change while a run goes on") as told:
        changed_spec(spec, (setting,))
    assert "training.learning_rate" in told.value.hint


def test_a_setting_that_cannot_be_is_refused_as_everywhere(spec: ExperimentSpec) -> None:
    with pytest.raises(UserError, match=r"--set: training.epochs: received 0"):
        changed_spec(spec, ("training.epochs=0",))
