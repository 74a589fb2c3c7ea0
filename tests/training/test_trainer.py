"""The trainer on tiny images: learning, early stopping, stops, and exact resume."""

import itertools
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score
from tiny_runs import NO_AUGMENTATION, TinyRun, bars, convnet_spec, same_weights

from workbench.errors import UserError
from workbench.evaluation.evaluate import confusion_matrix
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.events import CheckpointSaved, Event, StepSpread
from workbench.runs.fields import Position
from workbench.training import pieces, stage_events, stage_trainer
from workbench.training.data import TrainingData, epoch_order
from workbench.training.fused_steps import FusedSteps, StepResults
from workbench.training.models import as_probabilities, build_model
from workbench.training.pieces import Piece
from workbench.training.stage_checkpoints import collect, restore
from workbench.training.step_losses import MAX_KEPT, StepLosses
from workbench.training.trainer_state import Diverged, RunningMetrics, Stopped, has_exploded

HEAD = ("dense1", "output")
WANDERING = ("training.learning_rate=0.05", "training.schedule=constant")  # a rate far too high


@dataclass
class Whole:
    """A run without a stop, which stopped and resumed ones must equal."""

    spec: ExperimentSpec
    folder: Path
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        self.whole = TinyRun(self.spec, self.folder / "whole", stages=self.stages)
        self.model = self.whole.run()

    def assert_same_after_stop(self, stop_at: int) -> Position:
        parts = TinyRun(self.spec, self.folder / f"parts{stop_at}", stages=self.stages)
        position = parts.run_until(stop_at)
        self.assert_same(parts, parts.run(resume=True))
        return position

    def assert_same(self, parts: TinyRun, model: keras.Model) -> None:
        assert parts.history() == self.whole.history()
        assert parts.events[-1]["best_epoch"] == self.whole.events[-1]["best_epoch"]
        assert same_weights(self.model, model)


def head_only(spec: ExperimentSpec) -> Stage:
    (stage,) = plan_stages(spec)
    return replace(stage, trainable=HEAD)


@pytest.mark.parametrize("classes", [2, 3])
def test_it_learns(tmp_path: Path, classes: int) -> None:
    spec = convnet_spec(
        "training.epochs=12", "augmentation.rotation=0", "training.learning_rate=0.02"
    )
    run = TinyRun(spec, tmp_path, bars(classes))
    run.run()
    history = run.history()
    assert len(history) == 12
    assert history[-1]["val_accuracy"] > 0.9
    assert history[-1]["loss"] < history[0]["loss"]


def test_events_of_a_stage(tmp_path: Path) -> None:
    run = TinyRun(convnet_spec("training.epochs=1"), tmp_path)
    run.run()
    started = run.events[0]
    assert started["event"] == "stage_started"
    assert (started["epochs"], started["steps"], started["batch_size"]) == (1, 5, 8)
    assert started["parameters"] == started["trainable_parameters"] == 4 * 9 + 4 + 36 * 8 + 8 + 9
    assert (started["precision"], started["jit"]) == ("float32", False)
    assert [layer["name"] for layer in started["layers"]][:2] == ["conv1", "pool1"]
    assert run.events[-1]["event"] == "stage_finished"
    assert run.events[-1]["reason"] == "all epochs"
    assert run.of_kind("estimate_checked") == []  # without an estimate


def test_steps_per_epoch_cut_the_epoch(tmp_path: Path) -> None:
    run = TinyRun(convnet_spec("training.epochs=1", "training.steps_per_epoch=7"), tmp_path)
    assert int(run.run().optimizer.iterations) == 7


# --- stop and resume --------------------------------------------------------------------------


def test_resume_after_any_stop_is_exact(tmp_path: Path) -> None:
    """5 training steps and 2 validation batches an epoch: stops fall on both and between."""
    whole = Whole(convnet_spec(), tmp_path)
    for check in (1, 4, 6, 7, 8, 12, 17):
        epoch, step = divmod(check - 1, 7)
        position = whole.assert_same_after_stop(check)
        assert position == Position(0, epoch + 1, min(step, 5)), check


def test_resume_after_every_second_step_is_exact(tmp_path: Path) -> None:
    spec = convnet_spec("training.epochs=2", "training.optimizer=adam")
    whole = Whole(spec, tmp_path)
    parts = TinyRun(spec, tmp_path / "parts")
    for _ in range(40):
        try:
            model = parts.run(stop_at=3, resume=True)
            break
        except Stopped:
            continue
    whole.assert_same(parts, model)


def test_resume_in_either_of_two_stages_is_exact(tmp_path: Path) -> None:
    spec = convnet_spec()
    head = replace(head_only(spec), epochs=2)
    everything = replace(plan_stages(spec)[0], index=1, epochs=2, learning_rate=0.002)
    whole = Whole(spec, tmp_path, (head, everything))
    for check in (3, 15, 16, 20):  # in the first stage, around the border, in the second
        whole.assert_same_after_stop(check)


def test_early_stopping_survives_a_stop(tmp_path: Path) -> None:
    spec = convnet_spec("training.epochs=30", "training.early_stopping=2", *WANDERING)
    whole = Whole(spec, tmp_path)
    whole.assert_same_after_stop(7 * (len(whole.whole.history()) - 1) + 3)


def test_a_rate_that_dropped_on_a_plateau_stays_low_after_a_stop(tmp_path: Path) -> None:
    spec = convnet_spec(
        "training.epochs=14", *WANDERING, "training.schedule=plateau",
        "training.monitor=val_accuracy",
    )  # fmt: skip
    whole = Whole(spec, tmp_path)
    rates = [epoch["learning_rate"] for epoch in whole.whole.history()]
    dropped = next(i for i, rate in enumerate(rates) if rate < 0.05)
    for epoch in (dropped - 1, dropped, dropped + 1):  # before, at and after the lower rate
        whole.assert_same_after_stop(7 * epoch + 3)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_monitored_score_is_that_of_the_validation_images(tmp_path: Path, classes: int) -> None:
    """Of the epoch whose weights are kept, in batches of 8 with a smaller last one."""
    spec = convnet_spec(
        "training.epochs=3", "training.monitor=val_macro_f1", "training.keep=best", *WANDERING
    )
    run = TinyRun(spec, tmp_path, bars(classes))
    model = run.run()
    rows = run.data.rows["validation"]
    assert len(rows) % 8
    probabilities = as_probabilities(model.predict_on_batch(run.data.images[rows]))
    expected = f1_score(run.data.labels[rows], probabilities.argmax(axis=1), average="macro")
    history = run.history()
    scores = [epoch["val_macro_f1"] for epoch in history]
    assert max(scores) == pytest.approx(expected)
    assert [epoch["best"] for epoch in history] == [
        score > max(scores[:i], default=-1.0) for i, score in enumerate(scores)
    ]
    assert {epoch["val_auc"] for epoch in history} == {None}  # nobody asked for it


def test_without_a_monitored_score_no_prediction_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(StepResults, "probabilities")
    run = TinyRun(convnet_spec("training.epochs=1", "training.monitor=val_accuracy"), tmp_path)
    run.run()
    assert run.history()[0]["val_macro_f1"] is None


def test_a_run_that_monitors_a_score_resumes_exactly(tmp_path: Path) -> None:
    spec = convnet_spec(
        "training.epochs=8", *WANDERING, "training.schedule=plateau", "training.monitor=val_auc"
    )
    whole = Whole(spec, tmp_path)
    for check in (6, 7, 24):  # before either batch of the validation, and in a later epoch
        whole.assert_same_after_stop(check)


@pytest.mark.parametrize(("seconds", "saves"), [(0.0, True), (3600.0, False)])
def test_a_long_epoch_is_saved_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, saves: bool
) -> None:
    """After so much time, before a step or a batch of the validation."""
    monkeypatch.setattr("workbench.training.stage_checkpoints.CHECKPOINT_SECONDS", seconds)
    run = TinyRun(convnet_spec("training.epochs=1"), tmp_path)
    run.run()
    positions = [(event["epoch"], event["step"]) for event in run.of_kind("checkpoint_saved")]
    assert positions[-1] == (2, 0)
    within = [step for epoch, step in positions if epoch == 1]
    assert within == ([0, 1, 2, 3, 4, 5, 5] if saves else [])


def test_a_finished_run_is_only_restored(tmp_path: Path) -> None:
    run = TinyRun(convnet_spec("training.epochs=1"), tmp_path)
    expected = run.run()
    run.events.clear()
    found = run.run(resume=True)
    assert run.history() == []
    assert same_weights(expected, found)


# --- resume with changes ----------------------------------------------------------------------


def test_which_changes_of_the_spec_can_be_resumed(tmp_path: Path) -> None:
    TinyRun(convnet_spec("training.epochs=1"), tmp_path).run()
    longer = TinyRun(convnet_spec("training.epochs=2"), tmp_path)
    longer.run(resume=True)
    assert [epoch["epoch"] for epoch in longer.history()] == [2]
    other = TinyRun(convnet_spec("training.epochs=3", "training.optimizer=sgd"), tmp_path)
    with pytest.raises(UserError, match="The spec was changed") as caught:
        other.run(resume=True)
    assert "training.batch_size" in caught.value.hint
    uneven = TinyRun(convnet_spec("training.epochs=3", "training.batch_size=3"), tmp_path)
    with pytest.raises(UserError, match="received 3, and the run began with 8"):
        uneven.run(resume=True)


@pytest.mark.parametrize(
    ("check", "step"),
    [(1, 0), (3, 4), (6, 9), (7, 9)],  # the beginning, the middle, and two of the validation
)
def test_a_smaller_batch_resumes_at_the_same_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: int, step: int
) -> None:
    """36 images: 5 steps of 8, the last of them with 4, are 9 steps of 4."""
    TinyRun(convnet_spec("training.epochs=1"), tmp_path).run_until(check)
    smaller = TinyRun(convnet_spec("training.epochs=1", "training.batch_size=4"), tmp_path)
    assert smaller.run_until(1, resume=True) == Position(0, 1, step)
    trained: list[int] = []
    train = FusedSteps.train

    def noted(steps: FusedSteps, piece: Piece, *others: Any) -> StepResults:
        trained.extend(piece.rows.flatten().tolist())
        return train(steps, piece, *others)

    monkeypatch.setattr(FusedSteps, "train", noted)
    model = smaller.run(resume=True)
    assert trained == epoch_order(36, 1, 0, 1, None, 8)[step * 4 :].tolist()
    assert int(model.optimizer.iterations) == min(check - 1, 5) + 9 - step


def test_a_lower_rate_applies_from_the_resume_on(tmp_path: Path) -> None:
    TinyRun(convnet_spec("training.schedule=constant"), tmp_path).run_until(8)  # second epoch
    spec = convnet_spec("training.schedule=constant", "training.learning_rate=0.001")
    slower = TinyRun(spec, tmp_path)
    slower.run(resume=True)
    assert [epoch["learning_rate"] for epoch in slower.history()] == [0.001, 0.001]


def test_other_trainable_layers_cannot_be_resumed(tmp_path: Path) -> None:
    """Plain SGD has no state for its variables, so only their names show it."""
    spec = convnet_spec("training.optimizer=sgd")
    TinyRun(spec, tmp_path).run_until(3)
    with pytest.raises(UserError, match=r"2 variables trained before .* the first is conv1/bias"):
        TinyRun(spec, tmp_path, stages=(head_only(spec),)).run(resume=True)


# --- best weights and layers ------------------------------------------------------------------


def test_early_stopping_keeps_the_best_epochs_weights(tmp_path: Path) -> None:
    """With a rate this high, the last epoch is not the best one."""
    spec = convnet_spec("training.epochs=30", "training.early_stopping=2", *WANDERING)
    run = TinyRun(spec, tmp_path)
    model = run.run()
    losses = [epoch["val_loss"] for epoch in run.history()]
    finished = run.events[-1]
    assert finished["reason"] == "early stopping"
    assert finished["kept_epoch"] == finished["best_epoch"] == 1 + int(np.argmin(losses))
    assert len(losses) == finished["best_epoch"] + 2
    rows = run.data.rows["validation"]
    images = run.data.images[rows].astype(np.float32)
    again = model.evaluate(images, run.data.targets(rows), verbose=0, batch_size=8)
    assert again[0] == pytest.approx(min(losses), rel=1e-5)
    assert (run.checkpoints / f"best-stage1-epoch{finished['best_epoch']}.npz").exists()


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    data = bars()
    data = replace(data, rows={**data.rows, "validation": np.array([], np.int64)})
    spec = convnet_spec("data.split.validation=0", "training.keep=last", "training.epochs=2")
    run = TinyRun(spec, tmp_path, data)
    run.run()
    assert [epoch["val_loss"] for epoch in run.history()] == [None, None]
    assert run.events[-1]["best_epoch"] is None
    assert run.events[-1]["kept_epoch"] == 2


def test_a_stage_trains_only_its_layers(tmp_path: Path) -> None:
    spec = convnet_spec()
    head = replace(head_only(spec), epochs=1)
    conv = replace(head, index=1, trainable=("conv1",), keep="last")
    run = TinyRun(spec, tmp_path, stages=(head, conv))
    before = {layer.name: layer.get_weights() for layer in build_model(spec, 2).layers}
    run.run()
    parameters = [event["trainable_parameters"] for event in run.of_kind("stage_started")]
    assert parameters == [36 * 8 + 8 + 9, 40]
    first = np.load(run.checkpoints / "best-stage1-epoch1.npz")
    assert np.array_equal(first["model/conv1/kernel"], before["conv1"][0])
    assert not np.array_equal(first["model/output/kernel"], before["output"][0])
    last = np.load(run.checkpoints / "last.npz")
    assert not np.array_equal(last["model/conv1/kernel"], before["conv1"][0])
    assert np.array_equal(last["model/output/kernel"], first["model/output/kernel"])


# --- divergence -------------------------------------------------------------------------------


def with_values(value: float) -> TrainingData:
    return replace(bars(), images=np.full((60, 8, 8, 1), value, np.float32))


def test_weights_that_are_not_finite_end_the_run_and_spare_the_checkpoint(tmp_path: Path) -> None:
    good = TinyRun(convnet_spec("training.epochs=1"), tmp_path)
    good.run()
    before = (good.checkpoints / "last.npz").read_bytes()
    spec = convnet_spec(*NO_AUGMENTATION, "training.learning_rate=10")
    with pytest.raises(Diverged, match="Training has diverged") as caught:
        TinyRun(spec, tmp_path, with_values(np.inf)).run()
    assert "--set training.learning_rate=1" in caught.value.hint
    assert (good.checkpoints / "last.npz").read_bytes() == before


class Breaking(TinyRun):
    """Its images become infinite after the first epoch."""

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, CheckpointSaved) and (event.stage, event.epoch) == (0, 2):
            self.data.images[:] = np.inf


@pytest.mark.parametrize("averaged", [(), ("training.ema=0.9",)])
@pytest.mark.parametrize(
    ("keep", "restored"),
    [("best", "the weights of epoch 1, the best so far"),
     ("last", "the weights of the last checkpoint, epoch 2")],
)  # fmt: skip
def test_a_run_that_diverges_ends_with_its_last_good_weights(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keep: str,
    restored: str,
    averaged: tuple[str, ...],
) -> None:
    monkeypatch.setitem(pieces.RESIDENT_BYTES, "cpu", 0)  # images are read in every epoch

    def data() -> TrainingData:
        return replace(bars(), images=bars().images.astype(np.float32))

    settings = ("training.schedule=constant", *NO_AUGMENTATION, *averaged)
    expected = TinyRun(convnet_spec(*settings, "training.epochs=1"), tmp_path / "1", data()).run()
    spec = convnet_spec(*settings, f"training.keep={keep}")
    model = build_model(spec, 2)
    with pytest.raises(Diverged) as caught:
        Breaking(spec, tmp_path / "3", data(), lambda *_: model).run()
    assert caught.value.restored == restored
    assert same_weights(expected, model)


def test_a_run_that_diverges_at_once_keeps_nothing(tmp_path: Path) -> None:
    with pytest.raises(Diverged) as caught:
        TinyRun(convnet_spec(*NO_AUGMENTATION), tmp_path, with_values(np.nan)).run()
    assert caught.value.restored == ""


@pytest.mark.parametrize(
    ("mean", "steps", "exploded"), [(0.99e5, 20, False), (1.01e5, 19, False), (1.01e5, 20, True)]
)
def test_an_exploded_loss(mean: float, steps: int, exploded: bool) -> None:
    """Of two classes, guessing has a loss of log 2."""
    metrics = RunningMetrics(loss=mean * math.log(2) * 160, images=160)
    assert has_exploded(metrics, steps, classes=2) is exploded


# --- class weights and optimizer state --------------------------------------------------------


def test_balanced_weights_make_classes_count_equally() -> None:
    data, labels = bars(), np.array([0, 0, 0, 1])
    uneven = TrainingData(data.images[:4], labels, data.contents, {"train": np.arange(4)}, 2)
    assert uneven.balanced_weights() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])


def test_balanced_weights_enter_the_loss(tmp_path: Path) -> None:
    """With a learning rate of almost zero, an epoch's loss is that of the fresh weights."""
    data = bars()
    few = np.concatenate([np.arange(0, 36, 2), [1, 3]])
    data = replace(data, rows={**data.rows, "train": few})
    spec = convnet_spec(
        "training.class_weights=balanced", "training.epochs=1", "training.learning_rate=1e-12",
        "model.dropout=0", *NO_AUGMENTATION,
    )  # fmt: skip
    run = TinyRun(spec, tmp_path, data)
    run.run()
    p = build_model(spec, 2).predict(data.images[few].astype(np.float32), verbose=0)[:, 0]
    y = data.labels[few]
    losses = -np.where(y == 1, np.log(p), np.log(1 - p))
    expected = (losses * np.where(y == 1, 20 / (2 * 2), 20 / (2 * 18))).mean()
    assert run.history()[0]["loss"] == pytest.approx(expected, rel=1e-4)


def test_optimizer_state_is_matched_by_path(tmp_path: Path) -> None:
    model = TinyRun(convnet_spec("training.epochs=1", "training.optimizer=adam"), tmp_path).run()
    arrays = collect(model, "optimizer")
    moved = arrays.pop("optimizer/adam/conv1_kernel_velocity")
    arrays["optimizer/adam/other_kernel_velocity"] = moved
    with pytest.raises(UserError, match="does not belong to this model: 2 variables differ"):
        restore(model, arrays, "optimizer")


# --- estimates --------------------------------------------------------------------------------


def test_the_first_two_whole_epochs_are_compared_with_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of which each step takes 0.1 seconds, and the first one 2: it compiles."""
    seconds = itertools.chain([0.0], itertools.count(2.0, 0.1))
    clock = SimpleNamespace(perf_counter=lambda: next(seconds), monotonic=time.monotonic)
    monkeypatch.setattr(stage_events, "time", clock)
    elapsed = itertools.count(0.0, 0.5)
    monkeypatch.setattr(stage_trainer, "time", SimpleNamespace(monotonic=lambda: next(elapsed)))
    run = TinyRun(convnet_spec("training.batch_size=4"), tmp_path, expected={0: 2.0})
    run.run()
    check, second = run.of_kind("estimate_checked")
    first = run.of_kind("epoch_finished")[0]
    assert (check["stage"], check["epoch"], check["estimated_seconds"]) == (0, 1, 2.0)
    assert check["compile_seconds"] == pytest.approx(1.9)
    assert check["seconds"] == pytest.approx(first["seconds"] - check["compile_seconds"])
    assert check["ratio"] == pytest.approx(check["seconds"] / 2.0)
    assert (second["epoch"], second["compile_seconds"]) == (2, 0.0)
    (started,) = run.of_kind("stage_started")
    assert started["estimated_seconds"] == 2.0
    assert started["estimates"] == [2.0]


def test_a_part_of_an_epoch_is_not_compared_with_the_estimate(tmp_path: Path) -> None:
    spec = convnet_spec("training.batch_size=4")
    TinyRun(spec, tmp_path, expected={0: 2.0}).run_until(4)
    resumed = TinyRun(spec, tmp_path, expected={0: 2.0})
    resumed.run(resume=True)
    assert [event["epoch"] for event in resumed.of_kind("estimate_checked")] == [2, 3]


# --- what an epoch records --------------------------------------------------------------------


def recorded(event: dict[str, Any]) -> list[list[int]]:
    return [list(row) for row in event["val_confusion"]["counts"]]


@pytest.mark.parametrize(("classes", "monitor"), [(2, "loss"), (3, "accuracy"), (3, "macro_f1")])
def test_the_confusion_of_an_epoch_is_that_of_its_weights(
    tmp_path: Path, classes: int, monitor: str
) -> None:
    """Of the last epoch it is that of the model that is kept, image by image."""
    settings = (f"training.monitor=val_{monitor}", "training.keep=last", "training.ema=0.5")
    run = TinyRun(convnet_spec(*settings), tmp_path, bars(classes))
    model = run.run()
    rows = run.data.rows["validation"]
    predicted = as_probabilities(model.predict_on_batch(run.data.images[rows])).argmax(axis=1)
    expected = confusion_matrix(run.data.labels[rows], predicted, classes)
    epochs = run.history()
    assert recorded(epochs[-1]) == expected.tolist()
    for epoch in epochs:
        counts = np.array(recorded(epoch))
        assert counts.sum() == len(rows)
        assert counts.trace() / len(rows) == pytest.approx(epoch["val_accuracy"])


def test_the_spread_of_an_epoch_is_that_of_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    noted = stage_trainer.StageTrainer.note_step

    def note(trainer: Any, log: dict[str, float], images: int, position: Position) -> None:
        losses.append(log["loss"])
        noted(trainer, log, images, position)

    monkeypatch.setattr(stage_trainer.StageTrainer, "note_step", note)
    run = TinyRun(convnet_spec("training.epochs=2"), tmp_path)
    run.run()
    for epoch, event in enumerate(run.history()):
        low, median, high = np.percentile(losses[5 * epoch : 5 * epoch + 5], [10, 50, 90])
        assert event["step_losses"] == {"low": low, "median": median, "high": high}


def test_a_spread_of_two_batch_sizes_is_not_recorded(tmp_path: Path) -> None:
    TinyRun(convnet_spec("training.epochs=2"), tmp_path).run_until(3)
    smaller = TinyRun(convnet_spec("training.epochs=2", "training.batch_size=4"), tmp_path)
    smaller.run(resume=True)
    first, second = smaller.history()
    assert first["step_losses"] is None
    assert second["step_losses"]["low"] < second["step_losses"]["high"]


def test_many_losses_are_thinned_evenly() -> None:
    many = StepLosses()
    for step in range(MAX_KEPT + 1):
        many.add(float(step))
    assert many.values == [float(step) for step in range(0, MAX_KEPT + 1, 2)]
    cut = StepLosses.read(json.loads(json.dumps(many.as_dict())))
    assert cut is not None
    for step in range(MAX_KEPT + 1, 3 * MAX_KEPT):
        many.add(float(step))
        cut.add(float(step))
    assert cut == many
    assert many.values == [float(step) for step in range(0, 3 * MAX_KEPT, 4)]
    assert StepLosses.read(None) is None


@pytest.mark.parametrize(("steps", "known"), [(4, False), (5, True)])
def test_a_few_steps_have_no_spread(steps: int, known: bool) -> None:
    few = StepLosses()
    for step in range(steps):
        few.add(float(step))
    assert (few.spread() == StepSpread(low=0.4, median=2.0, high=3.6)) is known
