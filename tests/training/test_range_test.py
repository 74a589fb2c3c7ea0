"""The range test with real steps of a tiny network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.experiment.lr_find import learning_rate_at, lr_find_stage
from workbench.experiment.toml import parse_spec
from workbench.runs.events import Event, StepProgress
from workbench.training import tune
from workbench.training.backends import Device
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.models import build_model
from workbench.training.trainer import Trainer
from workbench.training.tune import RangeTest

STEPS = 30


def range_test(folder: Path, **training: Any) -> RangeTest:
    """On 24 images whose brightness depends on the label."""
    tree = {
        "data": {"source": "x", "image_size": [8, 8], "channels": 1},
        "model": {"strategy": "dense", "dense_units": [4]},
        "training": {"batch_size": 24, "optimizer": "sgd", **training},
    }
    spec = parse_spec(tree, "test")
    rows = np.arange(24)
    labels = (rows % 2).astype(np.int64)
    images = (
        np.full((24, 8, 8, 1), 60, np.uint8) + (120 * labels).astype(np.uint8)[:, None, None, None]
    )
    split = {"train": rows, "validation": rows[:0], "test": rows[:0]}
    data = TrainingData(images, labels, rows.astype(np.uint64), split, 2)

    def emit(event: Event) -> None:
        assert isinstance(event, StepProgress)  # no events of a run

    trainer = Trainer(
        spec, build_model(spec, 2), data, Device("cpu", "CPU"), CheckpointFolder(folder), emit,
        lambda: False,
    )  # fmt: skip
    return RangeTest(trainer, lr_find_stage(spec, 1, STEPS))


def test_the_rate_rises_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "has_diverged", lambda smoothed: False)
    test = range_test(tmp_path)
    losses = test.measure()
    assert len(losses) == STEPS  # passes over the images
    assert float(test.model.optimizer.learning_rate.numpy()) == pytest.approx(1.0)
    assert losses[10] == pytest.approx(losses[0], rel=0.05)  # nothing moves at 1e-4
    assert losses[-1] < 0.9 * losses[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "training",
    [
        {"momentum": 0.9, "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.1, "ema": 0.9, "clip_norm": 1.0,
         "warmup_epochs": 1, "label_smoothing": 0.1},
    ],
)  # fmt: skip
def test_the_rate_rises_whatever_the_optimizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: dict[str, Any]
) -> None:
    monkeypatch.setattr(tune, "has_diverged", lambda smoothed: False)
    test = range_test(tmp_path, **training)
    losses = test.measure()
    assert len(losses) == STEPS
    assert float(test.model.optimizer.learning_rate.numpy()) == pytest.approx(1.0)
    assert min(losses) < 0.95 * losses[0]


def test_it_ends_where_the_loss_blows_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "has_diverged", lambda smoothed: len(smoothed) == 7)
    test = range_test(tmp_path)
    assert len(test.measure()) == 7
    rate = float(test.model.optimizer.learning_rate.numpy())
    assert rate == pytest.approx(learning_rate_at(6, STEPS))


def test_it_ends_where_the_loss_is_nan(tmp_path: Path) -> None:
    test = range_test(tmp_path)
    output = test.model.get_layer("output")
    output.kernel.assign(np.full(output.kernel.shape, np.nan))
    assert test.measure() == []
