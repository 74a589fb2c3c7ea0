"""Trains on one device and on two, which are halves of the CPU; prints what came out as JSON.

A process can be split into devices only once, so all checks of a framework share this one.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tiny_runs import (
    BASE,
    FINE_TUNING,
    NO_AUGMENTATION,
    TinyRun,
    bars,
    base_spec,
    convnet_spec,
    halves,
    lively_model,
    same_weights,
    short_mobilenet,
)

from workbench.bases.architectures import BASES
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.training import fused_steps, stage_trainer
from workbench.training.backend import active_backend, prepare_device
from workbench.training.fused_steps import FusedSteps
from workbench.training.models import loss_for
from workbench.training.pieces import Piece

JAX = keras.backend.backend() == "jax"
SGD = ("training.optimizer=sgd", "training.schedule=constant", "model.dropout=0")
FIVES = "training.batch_size=5"  # three images and two on each device; the last batch has fewer
RECIPE = (
    "training.optimizer=adamw", "training.weight_decay=0.1", "training.clip_norm=0.5",
    "training.ema=0.9", "training.label_smoothing=0.1", "augmentation.mixup=0.4",
    "augmentation.cutmix=1.0", "training.augment_on=device", "model.dropout=0",
)  # fmt: skip
BACKEND: Any = active_backend()
NAME = "_mesh" if JAX else "_strategy"


@contextmanager
def devices(count: int) -> Iterator[None]:
    """Train on the first device alone, or on both."""
    both = getattr(BACKEND, NAME)
    setattr(BACKEND, NAME, both if count > 1 else None)
    try:
        yield
    finally:
        setattr(BACKEND, NAME, both)


class Recorded(FusedSteps):
    """Steps that keep their losses."""

    losses: list[float] = []  # noqa: RUF012 - of the newest run

    def train(self, *given: Any) -> Any:
        results = super().train(*given)
        self.losses += [log["loss"] for log in results]
        return results


def make_model(spec: ExperimentSpec, classes: int) -> keras.Model:
    with BACKEND.scope():
        return lively_model(spec, classes)


def make_run(spec: ExperimentSpec, folder: Path) -> TinyRun:
    if spec.base:
        return TinyRun(spec, folder, halves(), make_model)
    data = bars(3)
    unbalanced = np.minimum(data.labels * (np.arange(len(data.labels)) % 2), 2)
    return TinyRun(spec, folder, replace(data, labels=unbalanced), make_model)


def train(count: int, folder: Path, *settings: str, on_base: bool = False) -> dict[str, Any]:
    """Return losses, weights, history and freeze checks of a run."""
    spec = (base_spec if on_base else convnet_spec)(FIVES, *settings)
    run = make_run(spec, folder / str(count))
    Recorded.losses.clear()
    with devices(count):
        model = run.run()
    checks = [
        [(row["name"], row["compiled"], row["moved"] > 0) for row in event["layers"]]
        for event in run.of_kind("layers")
    ]
    return {
        "losses": list(Recorded.losses),
        "weights": model.get_weights(),
        "history": run.history(),
        "checks": checks,
    }


def largest(one: list[Any], other: list[Any]) -> float:
    return max(float(np.max(np.abs(a - b), initial=0)) for a, b in zip(one, other, strict=True))


def compare(folder: Path, *settings: str, on_base: bool = False) -> dict[str, Any]:
    """Return how far a run on both devices is from one on the first."""
    one, two = (train(n, folder, *settings, on_base=on_base) for n in (1, 2))
    names = ("accuracy", "val_loss", "val_accuracy")
    pairs = zip(one["history"], two["history"], strict=True)
    return {
        "steps": len(one["losses"]),
        "losses": largest(one["losses"], two["losses"]),
        "weights": largest(one["weights"], two["weights"]),
        "history": max(abs(a[name] - b[name]) for a, b in pairs for name in names),
        "same checks": one["checks"] == two["checks"],
    }


def change_devices(folder: Path, *settings: str) -> dict[str, Any]:
    """Stop on one device and finish on two, and the other way round."""
    spec = convnet_spec(*SGD, FIVES, *settings)
    with devices(1):
        expected = make_run(spec, folder / "whole").run()
    found = {}
    for first, second in ((1, 2), (2, 1)):
        run = make_run(spec, folder / f"from {first}")
        with devices(first):
            stopped = run.run_until(4)
        with devices(second):
            model = run.run(resume=True)
        found[f"from {first} to {second}"] = [
            stopped.step,
            largest(expected.get_weights(), model.get_weights()),
        ]
    return found


def repeat(folder: Path, *settings: str) -> bool:
    """Return whether two runs on two devices have the same bits."""
    one, two = (train(2, folder / name, *settings) for name in ("first", "again"))
    return one["losses"] == two["losses"] and all(
        map(np.array_equal, one["weights"], two["weights"])
    )


def steps_of(
    layers: list[keras.Layer], width: int, optimizer: str = "sgd", jit: bool = JAX
) -> tuple[keras.Model, FusedSteps]:
    """Return a small classifier that begins with zeros, and its steps; all images have label 1."""
    with BACKEND.scope():
        x = inputs = keras.Input((width,))
        for layer in layers:
            x = layer(x)
        x = keras.layers.Dense(1, "sigmoid", kernel_initializer="zeros", dtype="float32")(x)
        model = keras.Model(inputs, x)
        model.compile(optimizer, loss_for(2))
        model.optimizer.build(model.trainable_variables)
    return model, FusedSteps(model, 2, np.ones((8, 1), np.float32), jit=jit)


def dropped(count: int) -> list[float]:
    """Return how often each number was kept, of two equal images, one on each device."""
    with devices(count):
        model, steps = steps_of([keras.layers.Dropout(0.5, seed=0)], 64, jit=True)
        seeds = np.full((1, 1, 2), 5, np.int32)
        rows = np.array([[0, 1]])
        list(steps.train(Piece(np.ones((2, 64), np.float32), rows, rows), np.ones(1), seeds))
    kernel: np.ndarray = model.get_weights()[0]
    return sorted(set(np.round(2 * kernel[:, 0], 3).tolist()))


def not_finite() -> dict[str, Any]:
    """Take steps of which the third has a number that is not finite, on the second device alone."""
    images = np.random.default_rng(0).random((8, 4), np.float32)
    images[5] = np.nan
    rows = np.arange(8).reshape(4, 2)

    def after(count: int) -> tuple[keras.Model, list[float]]:
        model, steps = steps_of([], 4, "adam")
        piece = Piece(images, rows[:count], rows[:count])
        results = steps.train(piece, np.full(count, 0.1), np.zeros((count, 0, 2), np.int32))
        return model, [log["loss"] for log in results]

    (before, two), (model, four) = after(2), after(4)
    state = zip(before.optimizer.variables, model.optimizer.variables, strict=True)
    return {
        "same weights": same_weights(before, model),
        "same state": all(np.array_equal(*map(keras.ops.convert_to_numpy, pair)) for pair in state),
        "same losses": four[:2] == two,
        "third": str(four[2]),
        "steps": int(keras.ops.convert_to_numpy(model.optimizer.iterations)),
    }


def overflow() -> list[list[float]]:
    """Return scale and movement after steps of mixed precision; the first one overflows.

    It does so on the second device alone.
    """
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, steps = steps_of([keras.layers.Dense(2, kernel_initializer="ones")], 2)
    finally:
        keras.config.set_dtype_policy("float32")
    images = np.array([[0, 0], [3e4, -3e4], [1, 1], [1, 1]], np.float32)
    found = []
    for rows in (np.array([[0, 1]]), np.array([[2, 3]])):
        model.get_layer(index=-1).kernel.assign(np.ones((2, 1), np.float32))
        before = model.get_weights()
        seeds = np.zeros((1, 0, 2), np.int32)
        list(steps.train(Piece(images, rows, rows), np.ones(1), seeds))
        scale = float(keras.ops.convert_to_numpy(model.optimizer.dynamic_scale))
        found.append([scale, largest(before, model.get_weights())])
    return found


def refusal() -> str:
    try:
        prepare_device(False, 3)
    except UserError as error:
        return error.message
    return ""


def main(folder: Path) -> None:
    found: dict[str, Any] = {"refusal": refusal()}
    found["device"] = prepare_device(False, 2).count
    fused_steps.CALL_SECONDS = 0.0
    stage_trainer.FusedSteps = Recorded  # type: ignore[misc]
    BASES[BASE] = short_mobilenet()
    few = ("training.epochs=3", "training.class_weights=balanced", *NO_AUGMENTATION)
    checks: dict[str, Callable[[], Any]] = {
        "convnet": lambda: compare(folder / "convnet", *SGD, *few),
        "fine-tuning": lambda: compare(
            folder / "fine", *FINE_TUNING, *SGD, "training.head_epochs=4", "training.epochs=4",
            on_base=True,
        ),
        "recipe": lambda: compare(folder / "recipe", *RECIPE, "training.epochs=1"),
        "change": lambda: change_devices(folder / "change", *few),
        "repeat": lambda: repeat(folder / "repeat", *few, *(SGD if JAX else ())),  # there compiled
        "dropped": lambda: [dropped(1), dropped(2)],
        "not finite": not_finite,
        "overflow": overflow,
    }  # fmt: skip
    if JAX:  # which compiles for many times as long, and shares the steps of any network alike
        checks = {n: c for n, c in checks.items() if n not in ("fine-tuning", "recipe")}
    for name, check in checks.items():
        found[name] = check()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
