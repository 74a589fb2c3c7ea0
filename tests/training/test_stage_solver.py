"""A linear probe as a stage: features once, one layer solved, nothing else moved."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_runs import BASE, TinyRun, base_spec, halves, lively_model, run_on_base, same_weights

from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.runs.fields import Position

Solved = tuple[TinyRun, keras.Model]
PROBE = {
    "data": {"source": "x", "image_size": [32, 32]},
    "base": {"name": BASE, "weights": "random"},
    "model": {"strategy": "linear-probe"},
    "probe": {"blocks": 2, "folds": 3},
}
FITTED = 24 + 8  # training and validation images
ALL_FITS = 3 * 13 + 1
SOLVING = 5 * 13 + 1 + 1  # checks for a stop while a head is solved, in five folds


def probe_spec(*settings: str) -> ExperimentSpec:
    return parse_spec(apply_settings(PROBE, settings), "test")


def probe_run(folder: Path, *settings: str) -> TinyRun:
    return run_on_base(probe_spec(*settings), folder)


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Solved:
    """A run to its end, and its model; nobody changes either."""
    run = probe_run(tmp_path_factory.mktemp("whole"))
    return run, run.run()


def test_what_it_reports(solved: Solved) -> None:
    run, _ = solved
    kinds = [event["event"] for event in run.events if event["event"] != "notice"]
    assert kinds == [
        "stage_started", "cross_validated", "epoch_finished", "layers", "stage_finished"
    ]  # fmt: skip
    (started,), (found,) = run.of_kind("stage_started"), run.of_kind("cross_validated")
    assert (started["kind"], started["prefix"], started["cached"]) == ("solve", "features", True)
    width = 336 + 1280  # block_16's expanded map, and the base's output
    assert started["trainable_parameters"] == width + 1
    assert (found["images"], found["features"], found["folds"]) == (FITTED, width, 3)
    (epoch,) = run.of_kind("epoch_finished")
    chosen = next(one for one in found["tried"] if one["value"] == found["chosen"])
    assert epoch["val_accuracy"] == chosen["accuracy"]
    assert run.of_kind("stage_finished")[0]["reason"] == "solved"
    assert run.notices()[0].count("64 images") == 1  # each and its mirror image


def test_only_the_output_moves(solved: Solved) -> None:
    run, _ = solved
    layers = run.layers(0)
    assert layers["output"]["moved"] > 0
    assert layers["output"]["requested"] == layers["output"]["compiled"] == "trains"
    frozen = [row for name, row in layers.items() if name != "output"]
    assert len(frozen) == 34
    assert all(row["moved"] == 0 and row["compiled"] == "frozen" for row in frozen)


def test_the_model_separates_the_images_that_it_was_fitted_to(solved: Solved) -> None:
    data, (_, model) = halves(), solved
    predicted = np.asarray(model.predict_on_batch(data.images))[:, 0] > 0.5
    assert np.mean(predicted[:FITTED] == data.labels[:FITTED]) == 1.0


def test_probabilities_come_from_the_features_that_are_kept(solved: Solved) -> None:
    data, (run, model) = halves(), solved
    files = sorted(run.folder.glob("features-*.npy"))
    assert len(files) == 2  # of images and mirror images
    kernel, bias = model.get_layer("output").get_weights()
    expected = np.asarray(model.predict_on_batch(data.images[:FITTED]))[:, 0]
    mirrored = np.asarray(model.predict_on_batch(data.images[:FITTED, :, ::-1]))[:, 0]
    found = [1 / (1 + np.exp(-(np.load(file) @ kernel + bias)))[:, 0] for file in files]
    closest = [min(np.abs(one - wanted).max() for one in found) for wanted in (expected, mirrored)]
    assert max(closest) < 1e-3


def test_one_block_is_the_average_that_other_heads_read(tmp_path: Path) -> None:
    run = probe_run(tmp_path, "probe.blocks=1", "probe.mirror=false")
    run.run()
    assert run.of_kind("stage_started")[0]["prefix"] == "average"
    assert run.of_kind("cross_validated")[0]["features"] == 1280
    assert len(list(tmp_path.glob("features-*.npy"))) == 1


@pytest.mark.parametrize("stop_at", [1, 2, ALL_FITS])
def test_stopped_and_begun_again_it_finds_the_same(
    tmp_path: Path, solved: Solved, stop_at: int
) -> None:
    whole, expected = solved
    run = probe_run(tmp_path)
    assert run.run_until(stop_at) == Position(0, 1)
    kept = {file: file.stat().st_mtime_ns for file in run.folder.glob("features-*.npy")}
    model = run.run()
    assert all(np.array_equal(a, b) for a, b in zip(model.weights, expected.weights, strict=True))
    assert run.history()[-1] == whole.history()[-1]
    assert kept == {file: file.stat().st_mtime_ns for file in run.folder.glob("features-*.npy")}


def test_groups_reach_the_folds(tmp_path: Path) -> None:
    data = halves()
    groups = np.arange(len(data.labels)) % 2  # two folds are all that they allow
    run = TinyRun(probe_spec(), tmp_path, replace(data, groups=groups), lively_model)
    run.run()
    assert run.of_kind("cross_validated")[0]["folds"] == 2


def test_rare_classes_can_count_more(tmp_path: Path) -> None:
    spec, data = probe_spec("training.class_weights=balanced"), halves()
    rare = np.concatenate([data.rows["train"][::2], data.rows["train"][1:4:2]])
    rows = {**data.rows, "train": np.sort(rare)}
    unbalanced = type(data)(data.images, data.labels, data.contents, rows, data.classes)
    models = [
        TinyRun(one, tmp_path / name, unbalanced, lively_model).run()
        for name, one in (("balanced", spec), ("plain", probe_spec()))
    ]
    biases = [float(model.get_layer("output").get_weights()[1][0]) for model in models]
    assert biases[0] != biases[1]


def test_a_saved_model_is_an_ordinary_one(tmp_path: Path, solved: Solved) -> None:
    _, model = solved
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = halves().images[:4]
    assert np.array_equal(loaded.predict_on_batch(images), model.predict_on_batch(images))


# --- a head that begins solved ------------------------------------------------------------------

SOLVED = ("training.head_start=solved", "model.dense_units=[]")
TUNED = ("model.strategy=fine-tuning", 'base.trainable=["top"]', "training.epochs=2")


def epochs_of(run: TinyRun, stage: int) -> list[dict[str, Any]]:
    return [event for event in run.of_kind("epoch_finished") if event["stage"] == stage]


@pytest.mark.parametrize("settings", [(), TUNED], ids=["head", "fine-tuning"])
def test_a_solved_head_is_fitted_to_training_images_and_then_trained(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    """Validation images choose the best epoch, so the head must not have seen them."""
    run = run_on_base(base_spec(*SOLVED, *settings), tmp_path)
    run.run()
    assert [event["kind"] for event in run.of_kind("stage_started")] == ["solve", "train"]
    assert run.of_kind("cross_validated")[0]["images"] == 24
    start, *rest = epochs_of(run, 1)
    assert (start["epoch"], start["loss"], start["best"]) == (0, None, True)
    assert [epoch["epoch"] for epoch in rest] == list(range(1, len(rest) + 1))


def test_training_that_does_harm_ends_with_the_solved_head(tmp_path: Path) -> None:
    spec = base_spec(
        *SOLVED, "training.learning_rate=10", "training.optimizer=sgd", "training.epochs=2"
    )
    run = run_on_base(spec, tmp_path / "harmed")
    model = run.run()
    assert run.of_kind("stage_finished")[-1]["kept_epoch"] == 0
    probe = run_on_base(spec, tmp_path / "solved", stages=plan_stages(spec)[:1])
    assert same_weights(model, probe.run())
    losses = [epoch["val_loss"] for epoch in epochs_of(run, 1)]
    assert losses[0] == min(losses)


def test_a_solved_start_resumes_exactly(tmp_path: Path) -> None:
    """Stopped while the head is solved, while its start is validated, and in an epoch."""
    spec = base_spec(*SOLVED, *TUNED)
    whole = run_on_base(spec, tmp_path / "whole")
    expected = whole.run()
    for stop_at in (ALL_FITS, SOLVING + 1, SOLVING + 4):
        run = run_on_base(spec, tmp_path / str(stop_at))
        run.run_until(stop_at)
        assert same_weights(run.run(resume=True), expected)
        assert run.history()[-2:] == whole.history()[-2:]
