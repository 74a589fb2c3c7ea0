"""Freezing in Keras, with and without a compile: which layers move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.training.data import TrainingData
from workbench.training.freeze_check import FROZEN, TRAINS, FreezeCheck
from workbench.training.models import build_model, loss_for

WATCHED = "conv1"  # the layer that is frozen or unfrozen
STEPS = 5
BATCH = 32


@dataclass(frozen=True)
class Way:
    """What happens before the steps in which the layer is watched.

    Attributes:
        frozen_first: `trainable` of the layer is False when the model is compiled.
        steps_first: steps are taken before `trainable` is set.
        frozen: whether `trainable` is set to False then.
        recompiled: whether a compile follows.
    """

    frozen_first: bool
    steps_first: bool
    frozen: bool
    recompiled: bool


WAYS = {
    "never frozen": Way(False, True, False, False),
    "frozen, compiled": Way(False, True, True, True),
    "frozen, compile forgotten": Way(False, True, True, False),
    "thawed, compiled": Way(True, True, False, True),
    "thawed, compile forgotten": Way(True, True, False, False),
    "frozen before the first step": Way(False, False, True, False),
}


def recompile_runs(
    spec: ExperimentSpec, data: TrainingData, seeds: Sequence[int]
) -> dict[str, list[dict[str, Any]]]:
    """Return for every way and seed whether the layer should train, and how far it moved."""
    return {
        name: [
            {
                "seed": seed,
                "asked": FROZEN if way.frozen else TRAINS,
                "moved": _moved(way, spec, data, seed),
            }
            for seed in seeds
        ]
        for name, way in WAYS.items()
    }


def _moved(way: Way, spec: ExperimentSpec, data: TrainingData, seed: int) -> float:
    """Return how far the layer moved in STEPS steps, relative to its norm; 0 is not at all."""
    training = spec.training.model_copy(update={"seed": seed})
    spec = spec.model_copy(update={"training": training})
    keras.utils.clear_session()
    model = build_model(spec, data.classes)
    layer = model.get_layer(WATCHED)
    layer.trainable = not way.frozen_first
    _compile(model, data.classes)
    if way.steps_first:
        _take_steps(model, data)
    freeze_check = FreezeCheck(model, model, _stage(spec))
    layer.trainable = not way.frozen
    if way.recompiled:
        _compile(model, data.classes)
    _take_steps(model, data)
    return next(row.moved or 0.0 for row in freeze_check.compare() if row.name == WATCHED)


def _stage(spec: ExperimentSpec) -> Stage:
    return replace(plan_stages(spec)[0], trainable=None)


def _compile(model: keras.Model, classes: int) -> None:
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss_for(classes))


def _take_steps(model: keras.Model, data: TrainingData) -> None:
    rows = data.rows["train"][:BATCH]
    images, targets = data.images[rows], data.targets(rows)
    for _ in range(STEPS):
        model.train_on_batch(images, targets)
