"""The engine on tiny images: learning, early stopping, stops, and going on at the same place."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from workbench.errors import UserError
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.training import stage_trainer as stage_run
from workbench.training import timing
from workbench.training.backend import Device
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.divergence import Diverged, explodes
from workbench.training.models import build_model
from workbench.training.order import epoch_order
from workbench.training.position import Place, Stopped
from workbench.training.stage_trainer import StageRun
from workbench.training.trainer import Engine
from workbench.training.trainer_state import Running
from workbench.training.variables import collect, restore

CPU = Device("cpu", "CPU")


def make_spec(*settings: str) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [8, 8], "channels": 1},
        "augmentation": {"rotation": 20.0, "horizontal_flip": True},
        "model": {"strategy": "convnet", "filters": [4], "dense_units": [8], "dropout": 0.25},
        "training": {"batch_size": 8, "epochs": 3, "learning_rate": 0.01, "schedule": "cosine"},
    }
    return parse_spec(apply_settings(tree, settings), "test")


def bars(classes: int = 2, images: int = 60) -> TrainingData:
    """Images with a bright bar at a height that tells the label."""
    labels = np.arange(images) % classes
    pixels = np.random.default_rng(0).integers(0, 60, (images, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[2 + 3 * label // (classes - 1)] += 190
    rows = np.arange(images)
    split = {"train": rows[:36], "validation": rows[36:48], "test": rows[48:]}
    return TrainingData(pixels, labels.astype(np.int64), rows.astype(np.uint64), split, classes)


@dataclass
class Bench:
    """A run in a folder, with its events kept in memory."""

    spec: ExperimentSpec
    folder: Path
    data: TrainingData = field(default_factory=bars)
    events: list[dict[str, Any]] = field(default_factory=list)
    expected: dict[int, float] = field(default_factory=dict)

    def tell(self, kind: str, /, **fields: Any) -> None:
        self.events.append({"event": kind, **fields})

    def run(
        self, stop_asked: Callable[[], bool] = lambda: False, resume: bool = False
    ) -> keras.Model:
        model = build_model(self.spec, self.data.classes)
        checkpoints = CheckpointFolder(self.folder)
        checkpoint = checkpoints.load_last()[0] if resume else None
        engine = Engine(
            self.spec, model, self.data, CPU, checkpoints, self.tell, stop_asked,
            expected=self.expected,
        )  # fmt: skip
        engine.run(self.stages(), checkpoint)
        return model

    def stages(self) -> tuple[Stage, ...]:
        return plan_stages(self.spec)

    def history(self) -> list[dict[str, Any]]:
        """Finished epochs without their times."""
        return [
            {k: v for k, v in event.items() if k != "seconds"}
            for event in self.events
            if event["event"] == "epoch_finished"
        ]


def stop_at(count: int) -> Callable[[], bool]:
    """True from the count-th look on; the engine looks before every step."""
    looks = iter(range(1, 10_000))
    return lambda: next(looks) >= count


@pytest.mark.parametrize("classes", [2, 3])
def test_it_learns(tmp_path: Path, classes: int) -> None:
    spec = make_spec("training.epochs=12", "augmentation.rotation=0", "training.learning_rate=0.02")
    bench = Bench(spec, tmp_path, bars(classes))
    bench.run()
    history = bench.history()
    assert len(history) == 12
    assert history[-1]["val_accuracy"] > 0.9
    assert history[-1]["loss"] < history[0]["loss"]


def test_a_stage_tells_what_it_is(tmp_path: Path) -> None:
    bench = Bench(make_spec("training.epochs=1"), tmp_path)
    bench.run()
    started = bench.events[0]
    assert started["event"] == "stage_started"
    assert (started["epochs"], started["steps"], started["batch_size"]) == (1, 5, 8)
    assert started["parameters"] == started["trainable_parameters"] == 4 * 9 + 4 + 36 * 8 + 8 + 9
    assert (started["precision"], started["jit"]) == ("float32", False)
    assert [layer["name"] for layer in started["layers"]][:2] == ["conv1", "pool1"]
    assert bench.events[-1]["event"] == "stage_finished"
    assert bench.events[-1]["reason"] == "all epochs"


def test_steps_per_epoch_cut_the_epoch(tmp_path: Path) -> None:
    bench = Bench(make_spec("training.epochs=1", "training.steps_per_epoch=7"), tmp_path)
    model = bench.run()
    assert int(model.optimizer.iterations) == 7


@pytest.mark.parametrize("looks", [1, 4, 6, 7, 8, 12, 17])
def test_stopped_anywhere_and_resumed_it_ends_the_same(tmp_path: Path, looks: int) -> None:
    """5 training steps and 2 validation batches an epoch: stops fall on both and between."""
    spec = make_spec()
    whole = Bench(spec, tmp_path / "whole")
    expected = whole.run()
    parts = Bench(spec, tmp_path / "parts")
    with pytest.raises(Stopped) as stopped:
        parts.run(stop_at(looks))
    epoch, step = divmod(looks - 1, 7)
    assert stopped.value.place == Place(0, epoch + 1, min(step, 5))
    found = parts.run(resume=True)
    assert parts.history() == whole.history()
    for a, b in zip(expected.get_weights(), found.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_stopped_after_every_second_step_it_ends_the_same(tmp_path: Path) -> None:
    spec = make_spec("training.epochs=2", "training.optimizer=adam")
    whole = Bench(spec, tmp_path / "whole")
    expected = whole.run()
    parts = Bench(spec, tmp_path / "parts")
    for _ in range(40):
        try:
            found = parts.run(stop_at(3), resume=True)
            break
        except Stopped:
            continue
    assert parts.history() == whole.history()
    for a, b in zip(expected.get_weights(), found.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(("seconds", "saved"), [(0.0, True), (3600.0, False)])
def test_a_long_epoch_is_saved_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, saved: bool
) -> None:
    """Once so much time has gone by, before a step or a batch of the validation."""
    monkeypatch.setattr("workbench.training.stage_trainer.CHECKPOINT_SECONDS", seconds)
    bench = Bench(make_spec("training.epochs=1"), tmp_path)
    bench.run()
    places = [
        (event["epoch"], event["step"])
        for event in bench.events
        if event["event"] == "checkpoint_saved"
    ]
    assert places[-1] == (2, 0)
    within = [step for epoch, step in places if epoch == 1]
    assert within == [0, 1, 2, 3, 4, 5, 5][: 7 if saved else 0]


def test_early_stopping_keeps_the_best_epochs_weights(tmp_path: Path) -> None:
    # A rate this high soon wanders off; what is kept must be the best epoch all the same.
    spec = make_spec("training.epochs=30", "training.early_stopping=2",
                     "training.learning_rate=0.05", "training.schedule=constant")  # fmt: skip
    bench = Bench(spec, tmp_path)
    model = bench.run()
    history = bench.history()
    losses = [epoch["val_loss"] for epoch in history]
    finished = bench.events[-1]
    assert finished["reason"] == "early stopping"
    assert finished["kept_epoch"] == finished["best_epoch"] == 1 + int(np.argmin(losses))
    assert len(losses) == finished["best_epoch"] + 2
    rows = bench.data.rows["validation"]
    images = bench.data.images[rows].astype(np.float32)
    again = model.evaluate(images, bench.data.targets(rows), verbose=0, batch_size=8)
    assert again[0] == pytest.approx(min(losses), rel=1e-5)
    assert (tmp_path / f"best-stage1-epoch{finished['best_epoch']}.npz").exists()


def test_early_stopping_survives_a_stop(tmp_path: Path) -> None:
    settings = ("training.epochs=30", "training.early_stopping=2",
                "training.learning_rate=0.05", "training.schedule=constant")  # fmt: skip
    whole = Bench(make_spec(*settings), tmp_path / "whole")
    whole.run()
    parts = Bench(make_spec(*settings), tmp_path / "parts")
    with pytest.raises(Stopped):
        parts.run(stop_at(7 * (len(whole.history()) - 1) + 3))
    parts.run(resume=True)
    assert parts.history() == whole.history()
    assert parts.events[-1]["best_epoch"] == whole.events[-1]["best_epoch"]


def test_a_learning_rate_that_fell_on_a_plateau_stays_down(tmp_path: Path) -> None:
    settings = ("training.epochs=14", "training.learning_rate=0.05", "training.schedule=plateau",
                "training.monitor=val_accuracy")  # fmt: skip
    whole = Bench(make_spec(*settings), tmp_path / "whole")
    whole.run()
    rates = [epoch["learning_rate"] for epoch in whole.history()]
    fell = next(i for i, rate in enumerate(rates) if rate < 0.05)
    for place in (fell - 1, fell, fell + 1):  # before, at and after the epoch that begins lower
        parts = Bench(make_spec(*settings), tmp_path / f"parts{place}")
        with pytest.raises(Stopped):
            parts.run(stop_at(7 * place + 3))
        parts.run(resume=True)
        assert parts.history() == whole.history()


def test_two_stages_resume_in_either(tmp_path: Path) -> None:
    class Two(Bench):
        def stages(self) -> tuple[Stage, ...]:
            (stage,) = super().stages()
            head = replace(stage, trainable=("dense1", "output"), epochs=2)
            return (head, replace(stage, index=1, epochs=2, learning_rate=0.002))

    whole = Two(make_spec(), tmp_path / "whole")
    expected = whole.run()
    for looks in (3, 15, 16, 20):  # in the first stage, around the border, in the second
        parts = Two(make_spec(), tmp_path / f"parts{looks}")
        with pytest.raises(Stopped):
            parts.run(stop_at(looks))
        found = parts.run(resume=True)
        assert parts.history() == whole.history()
        for a, b in zip(expected.get_weights(), found.get_weights(), strict=True):
            assert np.array_equal(a, b)


def test_a_changed_spec_does_not_go_on(tmp_path: Path) -> None:
    Bench(make_spec("training.epochs=1"), tmp_path).run()
    longer = Bench(make_spec("training.epochs=2"), tmp_path)
    longer.run(resume=True)
    assert [epoch["epoch"] for epoch in longer.history()] == [2]
    other = Bench(make_spec("training.epochs=3", "training.optimizer=sgd"), tmp_path)
    with pytest.raises(UserError, match="The spec was changed") as caught:
        other.run(resume=True)
    assert "training.batch_size" in caught.value.hint
    uneven = Bench(make_spec("training.epochs=3", "training.batch_size=3"), tmp_path)
    with pytest.raises(UserError, match="received 3, and the run began with 8"):
        uneven.run(resume=True)


@pytest.mark.parametrize(
    ("looks", "step"),
    [(1, 0), (3, 4), (6, 9), (7, 9)],  # the beginning, the middle, and two of the validation
)
def test_a_smaller_batch_goes_on_at_the_same_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int, step: int
) -> None:
    """36 images: 5 steps of 8, the last of them with 4, are 9 steps of 4."""
    began = Bench(make_spec("training.epochs=1"), tmp_path)
    with pytest.raises(Stopped):
        began.run(stop_at(looks))
    smaller = Bench(make_spec("training.epochs=1", "training.batch_size=4"), tmp_path)
    with pytest.raises(Stopped) as stopped:
        smaller.run(stop_at(1), resume=True)
    assert stopped.value.place == Place(0, 1, step)
    trained: list[int] = []
    take_step = StageRun._step

    def noted(run: StageRun, x: np.ndarray, rows: np.ndarray, *place: int) -> None:
        trained.extend(rows.tolist())
        take_step(run, x, rows, *place)

    monkeypatch.setattr(StageRun, "_step", noted)
    model = smaller.run(resume=True)
    assert trained == epoch_order(36, 1, 0, 1, None, 8)[step * 4 :].tolist()
    assert int(model.optimizer.iterations) == min(looks - 1, 5) + 9 - step


def test_with_a_lower_rate_from_here_on(tmp_path: Path) -> None:
    began = Bench(make_spec("training.schedule=constant"), tmp_path)
    with pytest.raises(Stopped):
        began.run(stop_at(8))  # the second epoch
    spec = make_spec("training.schedule=constant", "training.learning_rate=0.001")
    slower = Bench(spec, tmp_path)
    slower.run(resume=True)
    assert [epoch["learning_rate"] for epoch in slower.history()] == [0.001, 0.001]


def test_other_layers_do_not_go_on(tmp_path: Path) -> None:
    """Plain SGD keeps no state of its variables, so nothing but their names could tell."""

    class HeadOnly(Bench):
        def stages(self) -> tuple[Stage, ...]:
            return tuple(replace(s, trainable=("dense1", "output")) for s in super().stages())

    settings = ("training.optimizer=sgd",)
    with pytest.raises(Stopped):
        Bench(make_spec(*settings), tmp_path).run(stop_at(3))
    with pytest.raises(UserError, match=r"2 variables trained before .* the first is conv1/bias"):
        HeadOnly(make_spec(*settings), tmp_path).run(resume=True)


def test_a_run_that_had_ended_is_only_handed_on(tmp_path: Path) -> None:
    bench = Bench(make_spec("training.epochs=1"), tmp_path)
    expected = bench.run()
    bench.events.clear()
    found = bench.run(resume=True)
    assert bench.history() == []
    for a, b in zip(expected.get_weights(), found.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path) -> None:
    data = bars()
    none = np.array([], np.int64)
    data = replace(data, rows={**data.rows, "validation": none})
    spec = make_spec("data.split.validation=0", "training.keep=last", "training.epochs=2")
    bench = Bench(spec, tmp_path, data)
    bench.run()
    assert [epoch["val_loss"] for epoch in bench.history()] == [None, None]
    assert bench.events[-1]["best_epoch"] is None
    assert bench.events[-1]["kept_epoch"] == 2


def test_a_stage_trains_only_what_it_names(tmp_path: Path) -> None:
    class HeadOnly(Bench):
        def stages(self) -> tuple[Stage, ...]:
            (stage,) = super().stages()
            return (
                replace(stage, trainable=("dense1", "output"), epochs=1),
                replace(stage, index=1, trainable=("conv1",), epochs=1, keep="last"),
            )

    bench = HeadOnly(make_spec(), tmp_path)
    before = {layer.name: layer.get_weights() for layer in build_model(bench.spec, 2).layers}
    bench.run()
    stages = [e for e in bench.events if e["event"] == "stage_started"]
    assert [s["trainable_parameters"] for s in stages] == [36 * 8 + 8 + 9, 40]
    first = np.load(tmp_path / "best-stage1-epoch1.npz")
    assert np.array_equal(first["model/conv1/kernel"], before["conv1"][0])
    assert not np.array_equal(first["model/output/kernel"], before["output"][0])
    last = np.load(tmp_path / "last.npz")
    assert not np.array_equal(last["model/conv1/kernel"], before["conv1"][0])
    assert np.array_equal(last["model/output/kernel"], first["model/output/kernel"])


def test_weights_that_are_no_numbers_end_the_run_and_spares_the_checkpoint(tmp_path: Path) -> None:
    good = Bench(make_spec("training.epochs=1"), tmp_path)
    good.run()
    before = (tmp_path / "last.npz").read_bytes()
    spec = make_spec("augmentation.rotation=0", "augmentation.horizontal_flip=false",
                     "training.learning_rate=10")  # fmt: skip
    wild = Bench(spec, tmp_path)
    wild.data = replace(wild.data, images=np.full((60, 8, 8, 1), np.inf, np.float32))
    with pytest.raises(Diverged, match="Training has diverged") as caught:
        wild.run()
    assert "--set training.learning_rate=1" in caught.value.hint
    assert (tmp_path / "last.npz").read_bytes() == before


class Breaking(Bench):
    """Its images are no numbers any more once the run has told of an epoch's end."""

    at = (0, 2)

    def tell(self, kind: str, /, **fields: Any) -> None:
        super().tell(kind, **fields)
        if kind == "checkpoint_saved" and (fields["stage"], fields["epoch"]) == self.at:
            self.data.images[:] = np.inf

    def run(self, *given: Any, **named: Any) -> keras.Model:
        images = self.data.images.astype(np.float32)
        self.data = replace(self.data, images=images)
        return super().run(*given, **named)


PLAIN = ("augmentation.rotation=0", "augmentation.horizontal_flip=false")


@pytest.mark.parametrize(
    ("keep", "words"),
    [("best", "the weights of epoch 1, the best so far"),
     ("last", "the weights of the last checkpoint, epoch 2")],
)  # fmt: skip
def test_a_run_that_diverges_ends_with_its_last_good_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, words: str
) -> None:
    one = Bench(
        make_spec("training.epochs=1", "training.schedule=constant", *PLAIN), tmp_path / "1"
    )
    one.data = replace(one.data, images=one.data.images.astype(np.float32))
    expected = one.run()
    spec = make_spec("training.schedule=constant", f"training.keep={keep}", *PLAIN)
    bench = Breaking(spec, tmp_path / "3")
    model = build_model(bench.spec, 2)
    monkeypatch.setattr("test_engine.build_model", lambda *_: model)
    with pytest.raises(Diverged) as caught:
        bench.run()
    assert caught.value.restored == words
    for a, b in zip(expected.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_one_that_diverges_before_it_has_learned_anything_keeps_nothing(tmp_path: Path) -> None:
    bench = Bench(make_spec(*PLAIN), tmp_path)
    bench.data = replace(bench.data, images=np.full((60, 8, 8, 1), np.nan, np.float32))
    with pytest.raises(Diverged) as caught:
        bench.run()
    assert caught.value.restored == ""


@pytest.mark.parametrize(("mean", "steps", "hopeless"), [
    (0.99e5, 20, False), (1.01e5, 19, False), (1.01e5, 20, True),
])  # fmt: skip
def test_a_loss_beyond_all_hope(mean: float, steps: int, hopeless: bool) -> None:
    """Of two classes, guessing has a loss of log 2."""
    running = Running(loss=mean * math.log(2) * 160, images=160)
    assert explodes(running, steps, classes=2) is hopeless


def test_balanced_weights_make_classes_count_alike() -> None:
    data = bars()
    labels = np.array([0, 0, 0, 1])
    uneven = TrainingData(data.images[:4], labels, data.contents, {"train": np.arange(4)}, 2)
    weights = uneven.balanced_weights()
    assert weights == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])


def test_balanced_weights_enter_the_loss(tmp_path: Path) -> None:
    """With a learning rate of almost nothing, an epoch's loss is that of the fresh weights."""
    data = bars()
    few = np.concatenate([np.arange(0, 36, 2), [1, 3]])
    data = replace(data, rows={**data.rows, "train": few})
    settings = ("training.epochs=1", "training.learning_rate=1e-12", "model.dropout=0",
                "augmentation.rotation=0", "augmentation.horizontal_flip=false")  # fmt: skip
    bench = Bench(make_spec("training.class_weights=balanced", *settings), tmp_path, data)
    bench.run()
    fresh = build_model(bench.spec, 2)
    p = fresh.predict(data.images[few].astype(np.float32), verbose=0)[:, 0]
    y = data.labels[few]
    losses = -np.where(y == 1, np.log(p), np.log(1 - p))
    expected = (losses * np.where(y == 1, 20 / (2 * 2), 20 / (2 * 18))).mean()
    assert bench.history()[0]["loss"] == pytest.approx(expected, rel=1e-4)


def test_optimizer_state_is_matched_by_path(tmp_path: Path) -> None:
    bench = Bench(make_spec("training.epochs=1", "training.optimizer=adam"), tmp_path)
    model = bench.run()
    keys = collect(model, "optimizer").keys()
    assert "optimizer/adam/conv1_kernel_velocity" in keys
    arrays = collect(model, "optimizer")
    arrays["optimizer/adam/other_kernel_velocity"] = arrays.pop(
        "optimizer/adam/conv1_kernel_velocity"
    )
    with pytest.raises(UserError, match="does not belong to this model: 2 variables differ"):
        restore(model, arrays, "optimizer")


def test_the_first_two_whole_epochs_are_held_against_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of which each step takes 0.1 seconds, and the first one 2: it compiles."""
    seconds = itertools.chain([0.0], itertools.count(2.0, 0.1))
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    elapsed = itertools.count(0.0, 0.5)
    monkeypatch.setattr(stage_run, "time", SimpleNamespace(monotonic=lambda: next(elapsed)))
    bench = Bench(make_spec("training.batch_size=4"), tmp_path, expected={0: 2.0})
    bench.run()
    told, again = [event for event in bench.events if event["event"] == "estimate_checked"]
    first, *_ = [event for event in bench.events if event["event"] == "epoch_finished"]
    assert (told["stage"], told["epoch"], told["estimated_seconds"]) == (0, 1, 2.0)
    assert told["compile_seconds"] == pytest.approx(1.9)
    assert told["seconds"] == pytest.approx(first["seconds"] - told["compile_seconds"])
    assert told["ratio"] == pytest.approx(told["seconds"] / 2.0)
    assert (again["epoch"], again["compile_seconds"]) == (2, 0.0)
    (started,) = [event for event in bench.events if event["event"] == "stage_started"]
    assert started["estimated_seconds"] == 2.0
    assert started["estimates"] == [2.0]


def test_without_an_estimate_nothing_is_told_of_it(tmp_path: Path) -> None:
    bench = Bench(make_spec("training.epochs=1"), tmp_path)
    bench.run()
    assert not [event for event in bench.events if event["event"] == "estimate_checked"]


def test_a_part_of_an_epoch_is_not_held_against_the_estimate(tmp_path: Path) -> None:
    looks = iter([False] * 3 + [True])
    spec = make_spec("training.batch_size=4")
    first = Bench(spec, tmp_path, expected={0: 2.0})
    with pytest.raises(Stopped):
        first.run(lambda: next(looks))
    again = Bench(spec, tmp_path, expected={0: 2.0})
    again.run(resume=True)
    told = [event for event in again.events if event["event"] == "estimate_checked"]
    assert [event["epoch"] for event in told] == [2, 3]
