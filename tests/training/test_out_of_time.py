"""Training that runs out of time: what is kept, and what a resume continues with.

The clock is the number of finished epochs, a day each: nothing depends on how fast they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_runs import (
    CPU,
    FINE_TUNING,
    TinyRun,
    base_spec,
    convnet_spec,
    halves,
    lively_model,
    same_weights,
)

from workbench.errors import UserError
from workbench.experiment.deadline import Deadline
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.fields import Position
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.features import FeatureStore
from workbench.training.models import build_model
from workbench.training.trainer import Trainer

DAY = 86400.0


@dataclass
class TimedRun(TinyRun):
    """A run with a deadline.

    Attributes:
        at: days, an epoch each, until the deadline.
        after: epochs, finished in all sessions, after which the clock jumps beyond it ...
        checks: ... when it is read so many times more.
    """

    at: float = 1e6
    after: int | None = None
    checks: int = 0

    def train(self, resume: bool = False, expected: dict[int, float] | None = None) -> keras.Model:
        model = self.make_model(self.spec, self.data.classes)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        files = CheckpointFolder(self.checkpoints)
        store = FeatureStore(self.folder, self.identity, "float32", lambda *_: None, self._notify)
        trainer = Trainer(
            self.spec, model, self.data, CPU, files, self.emit, lambda: False, store,
            expected or {}, deadline=Deadline(self.at * DAY, clock=self.clock()),
        )  # fmt: skip
        trainer.run(plan_stages(self.spec), files.load_last()[0] if resume else None)
        return model

    def clock(self) -> Callable[[], float]:
        checks = 0

        def read() -> float:
            nonlocal checks
            done = len(self.of_kind("epoch_finished"))
            if self.after is not None and done >= self.after:
                checks += 1
                return 2 * self.at * DAY if checks > self.checks else done * DAY
            return done * DAY

        return read


def convnet(*settings: str) -> ExperimentSpec:
    return convnet_spec("training.epochs=6", *settings)


def kept_after(spec: ExperimentSpec, folder: Path, epochs: int) -> keras.Model:
    """Return the model of the same run, stopped by hand after so many epochs."""
    run = TinyRun(spec, folder)
    model = build_model(spec, 2)
    run.run_until(epochs * 7 + 1)  # 5 training and 2 validation batches an epoch
    files = CheckpointFolder(run.checkpoints)
    best = files.load_best(0, max(e["epoch"] for e in run.history() if e["best"]))
    for variable in model.variables:
        if (key := f"model/{variable.path}") in best.arrays:
            variable.assign(best.arrays[key])
    return model


def test_the_best_so_far_is_kept(tmp_path: Path) -> None:
    run = TimedRun(convnet(), tmp_path / "timed", after=4)
    model = run.train()
    ended = run.of_kind("stage_finished")[-1]
    best = max(e["epoch"] for e in run.history() if e["best"])
    assert [e["epoch"] for e in run.history()] == [1, 2, 3, 4]
    assert (ended["reason"], ended["best_epoch"], ended["kept_epoch"]) == (
        "out of time",
        best,
        best,
    )
    assert same_weights(model, kept_after(convnet(), tmp_path / "by hand", 4))
    assert "Time is up: training ends early, and the best so far is evaluated." in run.notices()


def test_everything_before_the_end_is_the_same_as_without_a_deadline(tmp_path: Path) -> None:
    whole = TinyRun(convnet(), tmp_path / "whole")
    whole.run()
    run = TimedRun(convnet(), tmp_path / "timed", after=3)
    run.train()
    assert run.history() == whole.history()[:3]


def test_an_epoch_that_would_not_be_done_in_time_does_not_begin(tmp_path: Path) -> None:
    """The estimate says two days for the first epoch, and there are one and a half."""
    spec = base_spec(*FINE_TUNING)
    run = TimedRun(spec, tmp_path, halves(), lively_model, at=3.5)
    run.train(expected={0: 1.0, 1: 2 * DAY})
    assert [(e["stage"], e["epoch"]) for e in run.history()] == [(0, 1), (0, 2)]


def test_an_unfinished_epoch_is_dropped_and_a_resume_continues_in_it(tmp_path: Path) -> None:
    whole = TinyRun(convnet(), tmp_path / "whole")
    expected = whole.run()
    run = TimedRun(convnet(), tmp_path / "timed", after=2, checks=1)
    run.train()
    assert len(run.history()) == 2
    last = CheckpointFolder(run.checkpoints).load_last()[0]
    assert last is not None
    assert (last.position.epoch, last.position.step > 0) == (3, True)
    run.after = None
    assert same_weights(run.train(resume=True), expected)
    assert run.history() == whole.history()


def test_without_the_best_the_last_weights_are_kept(tmp_path: Path) -> None:
    run = TimedRun(convnet("training.keep=last"), tmp_path, after=2)
    model = run.train()
    last = CheckpointFolder(run.checkpoints).load_last()[0]
    assert last is not None
    assert run.of_kind("stage_finished")[-1]["kept_epoch"] == 2
    for variable in model.trainable_variables:
        assert np.array_equal(variable, last.arrays[f"model/{variable.path}"])


def test_a_stage_without_time_for_an_epoch_leaves_what_the_one_before_has_learned(
    tmp_path: Path,
) -> None:
    spec = base_spec(*FINE_TUNING)
    run = TimedRun(spec, tmp_path, halves(), lively_model, after=2, checks=1)
    model = run.train()
    first, second = run.of_kind("stage_finished")
    assert (first["reason"], first["kept_epoch"]) == ("all epochs", first["best_epoch"])
    assert (second["reason"], second["best_epoch"], second["kept_epoch"]) == (
        "out of time",
        None,
        0,
    )
    start = CheckpointFolder(run.checkpoints).load_start(1)
    for variable in model.variables:
        if (key := f"model/{variable.path}") in start:
            assert np.array_equal(variable, start[key]), key


def test_later_stages_are_left_out(tmp_path: Path) -> None:
    run = TimedRun(base_spec(*FINE_TUNING), tmp_path, halves(), lively_model, after=1)
    run.train()
    (ended,) = run.of_kind("stage_finished")
    assert (ended["stage"], ended["reason"], ended["kept_epoch"]) == (0, "out of time", 1)
    assert (
        "Time is up: training ends early and stage 2 is left out, and the best so far is evaluated."
        in run.notices()
    )


@pytest.mark.parametrize("checks", [0, 1])
def test_before_the_first_epoch_is_done_there_is_nothing_to_keep(
    tmp_path: Path, checks: int
) -> None:
    whole = TinyRun(convnet(), tmp_path / "whole")
    expected = whole.run()
    run = TimedRun(convnet(), tmp_path / "timed", after=0, checks=checks)
    with pytest.raises(UserError, match="Time ran out before anything was learned") as caught:
        run.train()
    assert "workbench resume RUN --by 07:00" in caught.value.hint
    last = CheckpointFolder(run.checkpoints).load_last()[0]
    assert last is not None
    assert (last.position.epoch, last.position.step > 0) == (1, checks > 0)
    run.after = None
    assert same_weights(run.train(resume=True), expected)


def test_a_first_step_is_recorded_before_it_is_taken(tmp_path: Path) -> None:
    files = CheckpointFolder(tmp_path / "run")
    assert not files.has_begun
    run = TinyRun(convnet_spec(), tmp_path)
    assert run.run_until(1) == Position(0, 1, 0)
    assert files.has_begun
