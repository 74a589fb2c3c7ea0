"""The checkpoints of a stage in training: what is saved when, and which weights are restored.

Variables are read and set by path, also those of the optimizer, never by their order, so that no
state can reach the wrong layer.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import keras

from workbench.errors import UserError
from workbench.experiment.plan import Stage
from workbench.experiment.resuming import resume_settings, training_fingerprint
from workbench.messages import tr
from workbench.runs.events import CheckpointSaved
from workbench.runs.fields import Position
from workbench.text import safe_text
from workbench.training.checkpoint import Arrays, Checkpoint, NotFinite
from workbench.training.context import TrainingContext
from workbench.training.optimizers import averages
from workbench.training.step_losses import StepLosses
from workbench.training.trainer_state import RunningMetrics, TrainerState, diverged

CHECKPOINT_SECONDS = 600.0  # of training lost at most when a long epoch is cut off


class StageCheckpoints:
    """Saves and restores the model that a stage trains."""

    def __init__(self, context: TrainingContext, stage: Stage, model: keras.Model) -> None:
        self.context = context
        self.files = context.checkpoints
        self.stage = stage
        self.model = model
        self.saved_at = time.monotonic()

    def save_start(self, position: Position, state: TrainerState) -> None:
        """Save the weights that the stage starts with."""
        self.files.save_start(Checkpoint(position, state, collect(self.model, "model")))

    def resume(self, checkpoint: Checkpoint) -> None:
        """Restore weights and optimizer.

        Raises:
            UserError: it belongs to another model, or other layers trained.
        """
        if checkpoint.trainable:
            check_trainable(self.model, checkpoint.trainable)
        restore(self.model, checkpoint.arrays, "model", "optimizer")

    @property
    def is_due(self) -> bool:
        """True if training lasted so long since the last checkpoint that it needs another one."""
        return time.monotonic() - self.saved_at > CHECKPOINT_SECONDS

    def save(
        self,
        position: Position,
        state: TrainerState,
        metrics: RunningMetrics,
        step_losses: StepLosses | None = None,
    ) -> None:
        """Save everything that resuming at a position needs."""
        spec = self.context.spec
        checkpoint = Checkpoint(
            position,
            state,
            collect(self.model, "model", "optimizer"),
            metrics,
            training_fingerprint(spec),
            resume_settings(spec),
            trainable_paths(self.model),
            step_losses,
        )
        try:
            self.files.save_last(checkpoint)
        except NotFinite as error:
            raise diverged(self.stage, position, str(error)) from None
        self.context.position = position
        self.saved_at = time.monotonic()
        self.context.emit(CheckpointSaved(**asdict(position)))

    def save_best(self, position: Position, state: TrainerState) -> None:
        """Save the weights of the best epoch so far, if the stage keeps the best."""
        if self.stage.keep != "best":
            return
        try:
            self.files.save_best(Checkpoint(position, state, collect_averaged(self.model)))
        except NotFinite as error:
            raise diverged(self.stage, position, str(error)) from None

    def restore_best(self, state: TrainerState) -> int | None:
        """Restore the weights of the best epoch; return it, or None where the last one is kept.

        Epoch 0 is the start of the stage. Where averages of the weights are kept, they become the
        weights.
        """
        if self.stage.keep == "last" or state.best_value is None:
            take_averages(self.model)
            return None
        if not state.best_epoch:
            restore(self.model, self.files.load_start(self.stage.index), "model")
            return 0
        best = self.files.load_best(self.stage.index, state.best_epoch)
        restore(self.model, best.arrays, "model")
        return state.best_epoch

    def restore_start(self) -> None:
        """Restore the weights that the stage started with."""
        restore(self.model, self.files.load_start(self.stage.index), "model")

    def restore_good(self, state: TrainerState) -> str:
        """Restore the last good weights after training diverged.

        Returns:
            Which these are, as text; "" if none of them have learned anything.
        """
        index = self.stage.index
        if (epoch := self.restore_best(state)) is not None:
            return tr("the weights of epoch {epoch}, the best so far", epoch=epoch)
        last, _ = self.files.load_last()
        if last and last.position.stage == index:
            restore(self.model, last.arrays, "model", "optimizer")
            take_averages(self.model)
            return tr("the weights of the last checkpoint, {position}", position=last.position)
        self.restore_start()
        return tr("the weights of stage {index}, the one before", index=index) if index else ""


def collect(model: keras.Model, *groups: str) -> Arrays:
    """Return the state of a compiled model by path, of the groups "model" and "optimizer"."""
    variables = _variables(model, groups).items()
    return {key: keras.ops.convert_to_numpy(variable) for key, variable in variables}


def collect_averaged(model: keras.Model) -> Arrays:
    """Return the weights of a compiled model by path, with the averages in place of the trained.

    BatchNorm's moving statistics are averages of their own and stay as they are.
    """
    found = collect(model, "model")
    for variable, average in zip(
        model.trainable_variables, averages(model.optimizer), strict=False
    ):
        found[f"model/{variable.path}"] = keras.ops.convert_to_numpy(average)
    return found


def take_averages(model: keras.Model) -> None:
    """Let the averages of the weights become the weights, if there are any."""
    pairs = zip(model.trainable_variables, averages(model.optimizer), strict=False)
    for variable, average in pairs:
        variable.assign(keras.ops.copy(average))


def begin_averages(model: keras.Model) -> None:
    """Let the averages of the weights begin at the weights, so that a start can be validated."""
    pairs = zip(model.trainable_variables, averages(model.optimizer), strict=False)
    for variable, average in pairs:
        average.assign(keras.ops.copy(variable))


def restore(model: keras.Model, arrays: Arrays, *groups: str) -> None:
    """Restore saved values of the given groups.

    Raises:
        UserError: paths or shapes differ from the model's own; nothing is changed then.
    """
    targets = _variables(model, groups)
    saved = {key: array for key, array in arrays.items() if key.split("/", 1)[0] in groups}
    different = sorted(saved.keys() ^ targets.keys()) or sorted(
        key for key, variable in targets.items() if saved[key].shape != tuple(variable.shape)
    )
    if different:
        raise UserError(
            tr(
                "The checkpoint does not belong to this model: {different_count} "
                "variables differ, the first is {different}.",
                different_count=len(different),
                different=safe_text(different[0]),
            ),
            tr("The spec of a run must not change between its sessions; start a new run instead."),
        )
    for key, variable in targets.items():
        variable.assign(saved[key])


def trainable_paths(model: keras.Model) -> tuple[str, ...]:
    """Return the paths of the trainable variables, in the model's order."""
    return tuple(variable.path for variable in model.trainable_variables)


def check_trainable(model: keras.Model, saved: tuple[str, ...]) -> None:
    """Check that the variables that train now are those that trained at the checkpoint.

    Raises:
        UserError: they are not. Resuming would silently freeze or unfreeze the difference.
    """
    different = sorted(set(saved) ^ set(trainable_paths(model)))
    if different:
        raise UserError(
            tr(
                "{different_count} variables trained before the checkpoint and "
                "would not now, or the other way round; the first is {different}.",
                different_count=len(different),
                different=safe_text(different[0]),
            ),
            tr(
                "The layers of a run must not change between its sessions; start a new run instead."
            ),
        )


def _variables(model: keras.Model, groups: Iterable[str]) -> dict[str, Any]:
    """Return the variables of the groups by `group/path`.

    Seeds of dropout are left out: the trainer sets them from the position at every step.
    """
    found: dict[str, Any] = {}
    for group in groups:
        variables = model.variables if group == "model" else model.optimizer.variables
        variables = [v for v in variables if "seed_generator" not in v.path]
        found |= {f"{group}/{variable.path}": variable for variable in variables}
    return found
