"""When the epochs of a run are fitted, and what its spec holds then; the clock is made up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.errors import UserError
from workbench.experiment.deadline import Deadline
from workbench.experiment.fit_epochs import END_SECONDS, MARGIN
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec, read_spec
from workbench.runs.folder import RunFolder
from workbench.worker.deadline import set_deadline

# A step takes 100 seconds, all else nothing; an epoch is one step.
SPEED = ThroughputModel(
    forward_flops=1e15, training_flops=1e15, forward_bytes=1e15, training_bytes=1e15,
    forward_step=0.0, training_step=0.0, training_fused=100.0, update=0.0,
)  # fmt: skip
TEN_O_CLOCK = 1_772_445_600.0  # 2026-03-02 UTC
SPEC = {
    "data": {"source": "photos", "image_size": [8, 8], "channels": 1},
    "model": {"strategy": "dense", "dense_units": []},
    "training": {"epochs": 40, "batch_size": 64},
}


class Job:
    """A run whose trainer is about to train.

    Attributes:
        now: seconds since ten o'clock.
    """

    def __init__(self, path: Path, *settings: str) -> None:
        self.folder = RunFolder(path)
        self.now = 0.0
        self.notices: list[str] = []
        rows = {"train": 64, "validation": 8, "test": 8}
        data = SimpleNamespace(rows={s: np.arange(n) for s, n in rows.items()}, classes=2)
        checkpoints = SimpleNamespace(has_begun=False)
        spec = parse_spec(apply_settings(SPEC, settings), "test")
        self.folder.spec_path.write_text(dump_spec(spec))
        self.trainer: Any = SimpleNamespace(
            spec=spec, data=data, checkpoints=checkpoints, deadline=Deadline()
        )

    def set(self, begun: bool = False, speed: ThroughputModel | None = SPEED) -> ExperimentSpec:
        """Set the deadline of a session whose turn came a minute ago; return the run's spec."""
        self.trainer.checkpoints.has_begun = begun
        clock = self.clock
        set_deadline(self.trainer, self.folder, speed, clock() - 60, self.notices.append, clock)
        written = read_spec(self.folder.spec_path)
        assert written == self.trainer.spec  # what is trained is what was written
        return written

    def clock(self) -> float:
        return TEN_O_CLOCK + self.now


def test_a_budget_counts_from_the_turn_of_the_run(tmp_path: Path) -> None:
    job = Job(tmp_path, "training.time_budget=1h")
    training = job.set().training
    # 59 min / (1.25 x 100 s) are 28.3 epochs, less 19 s for compiling, saving, evaluating.
    assert (training.epochs, training.deadline) == (28, int(TEN_O_CLOCK) + 3540)
    assert job.trainer.deadline.at == TEN_O_CLOCK + 3540
    assert job.trainer.deadline.reserve == pytest.approx(MARGIN * END_SECONDS, abs=0.01)
    [notice] = job.notices
    assert notice.startswith("Fitted to the deadline, ")
    assert "40 -> 28 epochs of about 1 min 40 s; 59 min 00 s are left." in notice


def test_with_enough_time_only_the_deadline_is_written(tmp_path: Path) -> None:
    job = Job(tmp_path, f"training.deadline={int(TEN_O_CLOCK) + 86400}")
    assert job.set() == job.trainer.spec
    assert job.trainer.spec.training.epochs == 40
    assert job.notices == []


def test_before_the_first_step_a_second_session_keeps_the_deadline(tmp_path: Path) -> None:
    """As after a kill between what was written and the first step."""
    job = Job(tmp_path, "training.time_budget=1h")
    first = job.set()
    assert job.set() == first
    job.now = 1800.0
    later = job.set().training
    assert (later.epochs, later.deadline) == (13, first.training.deadline)


def test_once_a_step_may_have_been_trained_the_epochs_stay(tmp_path: Path) -> None:
    job = Job(tmp_path, "training.time_budget=1h")
    job.set()
    job.now = 1800.0
    assert job.set(begun=True).training.epochs == 28
    assert job.trainer.deadline.at == TEN_O_CLOCK + 3540


def test_after_the_deadline_no_session_trains(tmp_path: Path) -> None:
    job = Job(tmp_path, "training.time_budget=1h")
    first = job.set()
    job.now = 3600.0
    with pytest.raises(UserError, match=r"The deadline of this run, .*, is over\."):
        job.set(begun=True)
    assert read_spec(job.folder.spec_path) == first


def test_too_little_time_for_one_epoch(tmp_path: Path) -> None:
    job = Job(tmp_path, "training.time_budget=3m")
    with pytest.raises(UserError) as caught:
        job.set()
    assert "2 min 00 s are left, and one epoch, with what comes before and after it, takes about " \
        "2 min 24 s." in caught.value.message  # fmt: skip
    assert read_spec(job.folder.spec_path).training.deadline is None


def test_a_device_that_cannot_be_measured(tmp_path: Path) -> None:
    job = Job(tmp_path, "training.time_budget=1h")
    assert job.set(speed=None).training.epochs == 40
    assert "The epochs could not be fitted to the deadline, " in job.notices[0]
    assert job.trainer.deadline == Deadline(
        TEN_O_CLOCK + 3540, MARGIN * END_SECONDS, job.trainer.deadline.clock
    )


def test_without_a_deadline_nothing_is_written(tmp_path: Path) -> None:
    job = Job(tmp_path)
    before = job.folder.spec_path.stat().st_mtime_ns
    job.set()
    assert job.folder.spec_path.stat().st_mtime_ns == before
    assert job.trainer.deadline.at is None
