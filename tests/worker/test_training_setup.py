"""Warnings about the data before a training, and the identity of cached features."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from person import Person

from workbench.datasets.prepare import prepare
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.paths import Workspace
from workbench.progress import silent
from workbench.runs.events import Launched, StageStarted
from workbench.training.data import TrainingData
from workbench.training.features import make_feature_store
from workbench.worker.startup import earlier_precision
from workbench.worker.training_setup import check_monitor, data_warnings

FACTS = DataFacts((28, 28), True, 1, 2, 100, 50, user_split=False)
BYTES = 6 * 28 * 28


def warnings(
    *settings: str, validation: int = 2, leaked: int = 0, near: int = 0, memory: int = BYTES
) -> list[str]:
    spec = parse_spec(apply_settings(preset_tree("dense", "x", FACTS), settings), "dense")
    split = {"train": 2, "validation": validation, "test": 2}
    rows = {name: np.arange(count) for name, count in split.items()}
    zeros = np.zeros((6, 28, 28, 1), np.uint8)
    data = TrainingData(zeros, np.zeros(6, np.int64), np.zeros(6, np.uint64), rows, 2)
    return list(data_warnings(spec, data, {"leaked": leaked, "near_leaked": near}, memory))


def test_normal_data_gives_no_warning() -> None:
    assert warnings() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"leaked": 1}, "1 of 2 test images are training images too"),
        ({"near": 1}, "1 of 2 test images look nearly the same as training images"),
        ({"validation": 0}, "no validation images"),
        ({"memory": BYTES - 1}, "--set training.shuffle=blocks"),
    ],
)
def test_each_problem_is_a_warning(options: dict[str, int], text: str) -> None:
    [message] = warnings(**options)
    assert text in message


def test_requested_settings_give_no_warning() -> None:
    assert warnings("training.shuffle=blocks", memory=0) == []
    unvalidated = ("data.split.validation=0.0", "training.early_stopping=0", "training.keep=last")
    assert warnings(*unvalidated, validation=0) == []


def monitored(monitor: str, classes: int, *validation: int) -> None:
    settings = [f"training.monitor={monitor}"]
    spec = parse_spec(apply_settings(preset_tree("dense", "x", FACTS), settings), "dense")
    labels = np.array(validation, np.int64)
    rows = {"train": np.arange(0), "validation": np.arange(len(labels)), "test": np.arange(0)}
    zeros = np.zeros((len(labels), 28, 28, 1), np.uint8)
    contents = np.zeros(len(labels), np.uint64)
    check_monitor(spec, TrainingData(zeros, labels, contents, rows, classes))


def test_a_metric_that_cannot_be_computed_is_not_monitored() -> None:
    monitored("val_top5_accuracy", 6, 0, 1)
    monitored("val_top5_accuracy", 5)  # nothing is monitored without validation images
    with pytest.raises(UserError, match="but there are 5 labels: with 5 or fewer it is always 1"):
        monitored("val_top5_accuracy", 5, 0, 1)
    monitored("val_auc", 2, 0, 1)
    monitored("val_auc", 2)
    with pytest.raises(UserError, match="but all validation images have one label"):
        monitored("val_auc", 2, 1, 1)
    monitored("val_macro_f1", 2, 1, 1)


def identity(person: Person, weights: Path | None, *settings: str) -> dict[str, Any]:
    tree = {
        "data": {"source": str(person.workspace / "photos"), "image_size": [32, 32]},
        "base": {"name": "vgg16"},
        "model": {"strategy": "feature-extraction"},
    }
    spec: ExperimentSpec = parse_spec(apply_settings(tree, settings), "test")
    prepared = prepare(spec.data, Workspace(person.workspace))
    store = make_feature_store(
        spec, prepared.folder, weights, silent, lambda message: None, prepared.pack.name
    )
    assert store is not None
    return store.identity


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.h5"
    path.write_bytes(b"one")
    return path


def test_same_inputs_have_the_same_identity(person: Person, weights: Path) -> None:
    assert identity(person, weights) == identity(person, weights, "training.epochs=3")


def test_changed_image_changes_the_identity(person: Person, weights: Path) -> None:
    before = identity(person, weights)
    changed = person.workspace / "photos" / "dark" / "dark-3.png"
    changed.write_bytes((person.workspace / "photos" / "light" / "light-3.png").read_bytes())
    assert identity(person, weights) != before


@pytest.mark.parametrize(
    "setting",
    [
        "data.image_size=[40, 32]",
        "data.resize=crop",
        "base.preprocessing=rescale",
        "base.name=vgg19",
    ],
)
def test_settings_change_the_identity(person: Person, weights: Path, setting: str) -> None:
    assert identity(person, weights, setting) != identity(person, weights)


def test_identity_uses_content_of_weights(person: Person, weights: Path) -> None:
    before = identity(person, weights)
    moved = weights.rename(weights.with_name("moved.h5"))
    assert identity(person, moved) == before
    moved.write_bytes(b"two")
    assert identity(person, moved) != before


def test_identity_of_random_weights_is_their_seed(person: Person) -> None:
    assert identity(person, None) != identity(person, None, "training.seed=2")


def test_no_store_without_a_base() -> None:
    spec = parse_spec({"data": {"source": "x"}, "model": {"strategy": "dense"}}, "test")
    assert make_feature_store(spec, Path(), None, silent, lambda message: None) is None


def test_a_resumed_run_keeps_its_precision() -> None:
    second = StageStarted(stage=1, precision="mixed_float16")
    stages = [StageStarted(stage=0, precision="float32"), second]
    assert earlier_precision([Launched(), *stages, Launched(resume=True)]) == "mixed_float16"
    assert earlier_precision([Launched()]) == ""
