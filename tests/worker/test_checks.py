"""Warnings about the data before a training."""

import numpy as np
import pytest

from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import preset_tree
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.training.data import TrainingData
from workbench.worker.training_setup import data_warnings

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
