"""Many steps in a call: where an epoch is cut into calls changes no bit of the result."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from everything import EVERYTHING, with_all
from tiny_runs import (
    FINE_TUNING,
    NARROW,
    NO_AUGMENTATION,
    TinyRun,
    base_spec,
    convnet_spec,
    run_on_base,
    same_weights,
)

from workbench.training import fused_steps, pieces
from workbench.training.backends import CALL_LENGTHS, tensorflow
from workbench.training.fused_steps import CallLength, FusedSteps
from workbench.training.models import loss_for
from workbench.training.pieces import Piece

OPTIMIZERS = {
    "rmsprop": keras.optimizers.RMSprop,
    "adam": keras.optimizers.Adam,
    "sgd": keras.optimizers.SGD,
    "averaged adamw": partial(keras.optimizers.AdamW, use_ema=True),
}
RECIPE = (
    "training.optimizer=adamw", "training.weight_decay=0.1", "training.schedule=cosine",
    "training.warmup_epochs=0.5", "training.clip_norm=0.5", "training.ema=0.9",
    "training.label_smoothing=0.1", "augmentation.mixup=0.4",
)  # fmt: skip
GRADUAL = (
    "training.layer_decay=0.5", "training.unfreeze=gradual", "training.unfreeze_epochs=1",
    "training.head_epochs=1", "training.epochs=1",
)  # fmt: skip


class Lengths(CallLength):
    """Takes calls of given lengths in turn."""

    def __init__(self, lengths: Iterator[int]) -> None:
        self.lengths = lengths

    @property
    def steps(self) -> int:
        return next(self.lengths)

    def measured(self, steps: int, seconds: float) -> None:
        pass


def cut_into_calls(monkeypatch: pytest.MonkeyPatch, *lengths: int) -> None:
    """Let calls take so many steps in turn."""
    made = "workbench.training.stage_trainer.CallLength"
    monkeypatch.setattr(made, lambda: Lengths(cycle(lengths)))


def tiny_run(kind: str, folder: Path) -> TinyRun:
    """Return a run of each kind of stage that has steps of its own."""
    few = ("training.epochs=2", "training.batch_size=5")
    if kind == "convnet":
        return TinyRun(convnet_spec(*few), folder)
    if kind == "recipe":
        own = ("augmentation.cutmix=1.0", "augmentation.random_crop=0.4")
        return TinyRun(convnet_spec(*few, *RECIPE, *own), folder)
    settings = {
        "head": (),
        "unbalanced head": ("training.class_weights=balanced",),
        "recipe on a base": (*FINE_TUNING, *RECIPE, *GRADUAL),
        "block5": (
            f"base.name={NARROW}", "model.strategy=fine-tuning", 'base.trainable=["block5"]',
            "training.head_epochs=1", "training.epochs=1", "training.keep=last",
        ),
    }[kind]  # fmt: skip
    return run_on_base(base_spec("training.batch_size=5", *settings), folder)


Trained = tuple[list[np.ndarray], list[dict[str, Any]]]  # weights and history


@pytest.fixture(scope="module")
def known() -> dict[str, Trained]:
    """Runs without cuts, by their kind: several tests compare with the same one."""
    return {}


def uncut(kind: str, folder: Path, known: dict[str, Trained]) -> Trained:
    """Return weights and history of a run with a call a step (see conftest)."""
    if kind not in known:
        run = tiny_run(kind, folder / "whole")
        known[kind] = run.run().get_weights(), run.history()
    return known[kind]


def trained(model: keras.Model, run: TinyRun) -> Trained:
    return model.get_weights(), run.history()


def same(one: Trained, other: Trained) -> bool:
    """Return whether weights and history are the same bit by bit."""
    equal = all(map(np.array_equal, one[0], other[0]))
    return equal and len(one[0]) == len(other[0]) and one[1] == other[1]


# In one process, which computes a run without cuts once for both tests.
IN_ONE_PROCESS = pytest.mark.xdist_group("cuts")


# "recipe on a base" and "block5" are fine-tuning, with batch normalization and without.
@IN_ONE_PROCESS
@pytest.mark.parametrize(
    ("kind", "resident"),
    [("head", False), ("unbalanced head", True), ("block5", True),
     ("convnet", True), ("convnet", False), ("recipe", True),
     pytest.param("recipe on a base", True, marks=with_all)],
)  # fmt: skip
def test_cuts_change_no_bit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known: dict[str, Trained],
    kind: str,
    resident: bool,
) -> None:
    """24 or 36 images in batches of 5: the last batch is smaller; pieces come in other sizes.

    Whether they stay on the device changes no bit either.
    """
    expected = uncut(kind, tmp_path, known)
    if not resident:
        monkeypatch.setitem(pieces.RESIDENT_BYTES, "cpu", 0)
    for lengths in ((512,), (3, 1)) if kind == "convnet" else ((3, 1),):
        cut_into_calls(monkeypatch, *lengths)
        run = tiny_run(kind, tmp_path / str(lengths))
        assert same(trained(run.run(), run), expected), lengths


@IN_ONE_PROCESS
@pytest.mark.parametrize(
    "kind",
    ["head", "block5", "convnet", "recipe", pytest.param("recipe on a base", marks=with_all)],
)
def test_a_stop_between_calls_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: dict[str, Trained], kind: str
) -> None:
    """In the first epoch, and again in the second where there is one."""
    expected = uncut(kind, tmp_path, known)
    cut_into_calls(monkeypatch, 3)
    parts = tiny_run(kind, tmp_path / "parts")
    stops = {"block5": (2,), "recipe on a base": (8,), "head": (2, 6)}
    first, *others = stops.get(kind, (2, 7))
    parts.run_until(first)
    for check in others:
        position = parts.run_until(check, resume=True)
        assert (position.epoch, position.step) == (2, 3)
    assert same(trained(parts.run(resume=True), parts), expected)


@pytest.mark.parametrize("select", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loss_that_is_not_finite_is_the_last_step(
    monkeypatch: pytest.MonkeyPatch, select: bool, optimizer: str
) -> None:
    """The weights and the moving means are those before it; its number is in the losses."""
    if select:
        if keras.backend.backend() != "tensorflow":
            pytest.skip("this backend has one way to update")
        monkeypatch.setattr(tensorflow, "_branch", tensorflow._select)
    images = np.random.default_rng(0).random((8, 4), np.float32)
    images[5] = np.nan
    places = np.arange(8).reshape(4, 2)  # the third step has the image that is not a number

    def after(steps: int) -> tuple[keras.Model, list[dict[str, float]]]:
        inputs = keras.Input((4,))
        x = keras.layers.BatchNormalization()(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
        model.set_weights([np.full(w.shape, 0.5, np.float32) for w in model.get_weights()])
        model.compile(OPTIMIZERS[optimizer](0.1), loss_for(2))
        model.optimizer.build(model.trainable_variables)
        fused = FusedSteps(model, 2, np.arange(8, dtype=np.float32)[:, None] % 2)
        seeds = np.zeros((steps, 0, 2), np.int32)
        piece = Piece(images, places[:steps], places[:steps])
        results = fused.train(piece, np.full(steps, 0.1), seeds)
        return model, list(results)

    before, two = after(2)
    model, four = after(4)
    assert same_weights(before, model)
    assert int(model.optimizer.iterations) == 2
    state = [
        [keras.ops.convert_to_numpy(v) for v in m.optimizer.variables] for m in (before, model)
    ]
    assert all(map(np.array_equal, *state))
    assert four[:2] == two
    assert np.isnan(four[2]["loss"])


def test_each_step_has_its_own_learning_rate() -> None:
    """Plain SGD with a rate of zero moves nothing, twice the rate twice as much."""
    images = np.ones((1, 2), np.float32)
    places = np.zeros((3, 1), int)

    def moved(*rates: float) -> np.ndarray:
        inputs = keras.Input((2,))
        dense = keras.layers.Dense(1, kernel_initializer="zeros", activation="sigmoid")
        model = keras.Model(inputs, dense(inputs))
        model.compile(keras.optimizers.SGD(9.0), loss_for(2))
        model.optimizer.build(model.trainable_variables)
        fused = FusedSteps(model, 2, np.ones((1, 1), np.float32))
        count = len(rates)
        piece = Piece(images, places[:count], places[:count])
        list(fused.train(piece, np.array(rates), np.zeros((count, 0, 2), np.int32)))
        kernel: np.ndarray = model.get_weights()[0]
        return kernel

    assert moved(0.0).tolist() == [[0.0], [0.0]]
    assert moved(0.5).tolist() == [[0.25], [0.25]]  # half a gradient of sigmoid(0) - 1
    assert moved(1.0, 0.0).tolist() == [[0.5], [0.5]]
    assert moved(0.0, 0.0, 0.5).tolist() == moved(0.5).tolist()


def test_evaluation_goes_on_after_a_loss_that_is_not_finite() -> None:
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(inputs))
    model.compile("sgd", loss_for(2))
    model.optimizer.build(model.trainable_variables)
    images = np.array([[np.nan], [1], [2]], np.float32)
    places = np.arange(3)[:, None]
    fused = FusedSteps(model, 2, np.ones((3, 1), np.float32))
    losses = [log["loss"] for log in fused.evaluate(Piece(images, places, places))]
    assert np.isnan(losses[0])
    assert np.isfinite(losses[1:]).all()


@pytest.mark.parametrize(("jit", "on_gpu"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("classes", [2, 7])
def test_predictions_come_out_where_they_are_needed(
    monkeypatch: pytest.MonkeyPatch, jit: bool, on_gpu: bool, classes: int
) -> None:
    """Of any number of steps, smaller batches too; what steps return stays the same."""
    if on_gpu:  # where JAX runs one loop
        if keras.backend.backend() != "jax":
            pytest.skip("other backends have one loop")
        from workbench.training.backends import jax

        monkeypatch.setattr(jax.jax, "default_backend", lambda: "gpu")
    outputs, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(outputs, activation=activation)(inputs))
    model.compile("sgd", loss_for(classes))
    model.optimizer.build(model.trainable_variables)
    images = np.random.default_rng(0).random((29, 4), np.float32)
    targets = np.arange(29) % classes
    fused = FusedSteps(model, classes, targets[:, None] if classes == 2 else targets, jit=jit)
    expected = model.predict_on_batch(images)
    if classes == 2:
        expected = np.concatenate([1 - expected, expected], axis=1)
    for places in (np.arange(27).reshape(9, 3), np.arange(3)[None], np.array([[27, 28]])):
        piece = Piece(images, places, places)
        plain, results = fused.evaluate(piece), fused.evaluate(piece, predict=True)
        np.testing.assert_allclose(
            results.probabilities, expected[places.ravel()], rtol=1e-5, atol=1e-6
        )
        assert list(results) == list(plain)
        assert plain.predictions is None
        classified = fused.evaluate(piece, classify=True)
        expected_labels = expected[places.ravel()].argmax(axis=1)
        assert classified.labels.tolist() == results.labels.tolist() == expected_labels.tolist()
        assert list(classified) == list(plain)


def test_mixed_precision_trains_in_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its optimizer scales the loss and skips steps whose gradients overflow."""
    settings = ("training.precision=mixed_float16", "training.epochs=2", *NO_AUGMENTATION)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        whole = TinyRun(convnet_spec(*settings), tmp_path / "whole")
        expected = whole.run()
        cut_into_calls(monkeypatch, 4)
        run = TinyRun(convnet_spec(*settings), tmp_path / "calls")
        assert same_weights(expected, run.run())
    finally:
        keras.config.set_dtype_policy("float32")


# --- how long a call is -----------------------------------------------------------------------


def test_the_length_of_a_call_follows_from_measured_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_steps, "CALL_SECONDS", 0.25)
    length = CallLength()
    assert length.steps == 1
    length.measured(1, 2.0)  # it compiled
    assert length.steps == 1
    length.measured(1, 0.001)
    assert length.steps == 8  # one after the other, though 64 would fit
    length.measured(3, 9.0)  # the end of an epoch says nothing
    assert length.steps == 8
    length.measured(8, 0.008)
    assert length.steps == 64
    length.measured(64, 0.25 / 512 * 64)
    assert length.steps == 512
    length.measured(512, 0.26)
    assert length.steps == 64
    length.measured(64, 20.0)  # the machine is busy with something else
    assert length.steps == 1


def test_pieces_never_mix_sizes_of_a_batch() -> None:
    rows = np.arange(100, 111)
    for x in (np.arange(11), "on the device"):
        with pieces.pieces(x, np.arange(11), rows, 4, start_step=1) as take:
            first, last, end = take(8), take(8), take(8)
        assert first is not None
        assert last is not None
        assert end is None
        assert first.rows.tolist() == [[104, 105, 106, 107]]
        assert last.rows.tolist() == [[108, 109, 110]]
        if isinstance(first.x, np.ndarray):
            assert first.x[first.places].tolist() == [[4, 5, 6, 7]]
        else:
            assert first.places.tolist() == [[4, 5, 6, 7]]


def test_a_piece_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 3 * 16)
    batches = iter(np.zeros((5, 2, 1), np.float64))
    take = pieces.from_batches(batches, np.arange(10), 2)
    sizes = []
    while piece := take(CALL_LENGTHS[-1]):
        sizes.append(len(piece))
    assert sizes == [3, 2]


@pytest.mark.parametrize("kind", ["head", "convnet"])
def test_one_compiled_loop_takes_the_same_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """JAX runs a loop on a GPU and single steps on a CPU; rounding alone may differ."""
    if keras.backend.backend() != "jax":
        pytest.skip("other backends have one loop")
    from workbench.training.backends import jax

    cut_into_calls(monkeypatch, 3)
    steps = tiny_run(kind, tmp_path / "steps").run()
    monkeypatch.setattr(jax.jax, "default_backend", lambda: "gpu")
    whole = tiny_run(kind, tmp_path / "whole")
    loop = whole.run()
    for one, other in zip(steps.get_weights(), loop.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    cut_into_calls(monkeypatch, 1)
    assert same_weights(loop, tiny_run(kind, tmp_path / "cut").run())


def test_jax_without_jit_takes_the_same_steps(tmp_path: Path) -> None:
    """Operation by operation; rounding alone may differ."""
    if keras.backend.backend() != "jax":
        pytest.skip("other backends take it from Keras")
    settings = ("training.epochs=1", "training.batch_size=12", *NO_AUGMENTATION)
    on = TinyRun(convnet_spec(*settings, "training.jit=on"), tmp_path / "on")
    off = TinyRun(convnet_spec(*settings, "training.jit=off"), tmp_path / "off")
    for one, other in zip(on.run().get_weights(), off.run().get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert [run.of_kind("stage_started")[0]["jit"] for run in (on, off)] == [True, False]


# --- JAX --------------------------------------------------------------------------------------

ON_JAX = (
    "own_learning_rate or without_jit or (finite and adam) or (one_compiled and head) "
    "or (between_calls and convnet) or needed[7 "
    "or smaller_steps or shrinks or nesterov or clipped or average_begins or takes_the_averages "
    "or by_their_shares[3 or next_one "
    "or two_passes or in_either_stage or frozen_layers_do_not"
)
if EVERYTHING:  # stops in a head, and two labels
    ON_JAX += " or (between_calls and head) or predictions or by_their_shares"
OTHERS = ("test_optimizers.py", "test_mixing.py", "test_prefix.py", "test_pretrained.py")


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is the run on JAX")
def test_the_same_on_jax(tmp_path: Path) -> None:
    """These tests, in a process of their own; what a former network compiled is used again.

    What the options of optimizers and mixing do to a step is tried as well; and that passes at once
    give the bits of one, a run on a base resumes exactly, and its frozen layers do not move.
    """
    pytest.importorskip("jax")
    environment = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # each network runs a few steps
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    files = [__file__, *(str(Path(__file__).with_name(name)) for name in OTHERS)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", *files, "-k", ON_JAX],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
