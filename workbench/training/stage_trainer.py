"""Trains one stage of a plan.

It has its own loop of steps instead of `fit`, so that order, augmentation and dropout depend on the
position alone, and many steps go in one call (see `fused_steps`). Every stage starts with a new
optimizer and a compile, because Keras ignores a change of `trainable` until then.
"""

import math
import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from workbench.experiment.metrics import VALIDATION, monitored_score
from workbench.experiment.plan import Stage, steps_per_epoch
from workbench.messages import tr
from workbench.runs.events import (
    OUT_OF_TIME,
    EpochFinished,
    LayersChecked,
    Notice,
    StageFinished,
)
from workbench.runs.fields import Position
from workbench.training.backend import active_backend, resolve_jit
from workbench.training.checkpoint import Checkpoint
from workbench.training.context import TrainingContext
from workbench.training.data import epoch_order
from workbench.training.freeze_check import FreezeCheck, check_layers
from workbench.training.fused_steps import CallLength, FusedSteps
from workbench.training.mixing import draw_mixes
from workbench.training.models import accuracy_for, loss_for
from workbench.training.optimizers import build_optimizer
from workbench.training.pieces import Piece, Take
from workbench.training.stage_checkpoints import StageCheckpoints, begin_averages
from workbench.training.stage_events import (
    EstimateCheck,
    ProgressReporter,
    StepTimes,
    describe_stage,
)
from workbench.training.stage_inputs import split_network
from workbench.training.step_losses import StepLosses
from workbench.training.trainer_state import (
    OutOfTime,
    RunningMetrics,
    Stopped,
    TrainerState,
    diverged,
    has_exploded,
    nothing_learned,
)
from workbench.training.validation import Predictions


class ComingSteps(NamedTuple):
    """Steps of a call: their inputs, positions, learning rates, dropout seeds and mixes."""

    piece: Piece
    positions: list[Position]
    rates: np.ndarray
    seeds: np.ndarray
    mixes: list[np.ndarray]


class StageTrainer:
    """The loop over a stage's epochs and steps.

    Attributes:
        model: what the stage trains: the network, or the part above the frozen prefix.
        inputs: pieces of inputs for this model.
        fused: takes the steps, once the model is compiled.
        steps: of an epoch.
        state: early stopping, best epoch and schedule, up to the last whole epoch.
        metrics: training metrics of the epoch so far.
        step_losses: of the epoch so far; None if some of its steps are unknown.
        epoch_seconds: of the last whole epoch, before it the estimate; 0 if unknown.
    """

    def __init__(self, context: TrainingContext, stage: Stage) -> None:
        self.context = context
        self.stage = stage
        self.training = context.spec.training
        self.data = context.data
        self.model, self.inputs = split_network(context, stage)
        self.steps = steps_per_epoch(
            len(self.data.rows["train"]), self.training.batch_size, stage.steps_per_epoch
        )
        balanced = self.training.class_weights == "balanced"
        self.image_weights = self.data.balanced_weights() if balanced else None
        self.fused: FusedSteps
        self.lengths = CallLength(), CallLength()  # of training and validation
        self.state = TrainerState()
        self.metrics = RunningMetrics()
        self.step_losses: StepLosses | None = StepLosses()
        self.times = StepTimes()
        self.checkpoints = StageCheckpoints(context, stage, self.model)
        self.report = ProgressReporter(context.emit, stage)
        expected = context.expected_seconds.get(stage.index)
        self.check_estimate = EstimateCheck(context.emit, stage, expected)
        self.epoch_seconds = expected or 0.0
        self.warned = False  # of layers that do not move

    def run(self, checkpoint: Checkpoint | None = None) -> str:
        """Train the stage from its start or from a checkpoint; keep the best or last weights.

        Returns:
            Why it ended, as of `StageFinished`.

        Raises:
            Stopped, Diverged, UserError: as `Trainer.run`.
        """
        started = time.monotonic()
        jit = self.compile()
        position = self._begin(checkpoint)
        start_weights = self.context.checkpoints.load_start(self.stage.index)
        freeze_check = FreezeCheck(self.context.model, self.model, self.stage, start_weights)
        self.context.emit(describe_stage(self.context, self.stage, self.model, self.steps, jit))
        position, reason = self._run_epochs(position, freeze_check)
        done = position.epoch - 1
        if not done:
            self.checkpoints.restore_start()
        kept_epoch = self.checkpoints.restore_best(self.state)
        self.context.emit(
            StageFinished(
                stage=self.stage.index,
                reason=reason,
                best_epoch=self.state.best_epoch or None,
                kept_epoch=done if kept_epoch is None else kept_epoch,
                seconds=time.monotonic() - started,
            )
        )
        return reason

    def _run_epochs(self, position: Position, freeze_check: FreezeCheck) -> tuple[Position, str]:
        """Train epoch after epoch; return the first position that was not reached, and why."""
        try:
            if self.stage.rates_start and position == Position(self.stage.index, 1):
                self._rate_start(position)
            while position.epoch <= self.stage.epochs:
                if self.state.stops_early(self.stage):
                    return position, "early stopping"
                position = self._run_epoch(position, freeze_check)
        except OutOfTime:
            if self.stage.index == 0 and position.epoch == 1 and self.state.best_value is None:
                raise nothing_learned() from None
            return position, OUT_OF_TIME
        return position, "all epochs"

    def _rate_start(self, position: Position) -> None:
        """Validate the weights at the start: an epoch has to be better than these to be kept."""
        self.inputs.prepare(position.epoch, whole=False)
        validation = self._validate(position)
        value = validation.get(self.stage.monitor)
        if value is None or not math.isfinite(value):
            return
        self.state = TrainerState(best_value=value)
        self.context.emit(
            EpochFinished(
                stage=self.stage.index,
                epoch=0,
                best=True,
                **validation,
            )
        )

    def _run_epoch(self, position: Position, freeze_check: FreezeCheck) -> Position:
        """Train the rest of an epoch, validate, check the layers and save; return the next one."""
        stage, epoch = self.stage, position.epoch
        from_start = position.step == 0
        makes_features = self.inputs.prepare(epoch, from_start and stage.steps_per_epoch is None)
        self.times = StepTimes()
        started = time.monotonic()
        self.train_steps(position)
        validation = self._validate(Position(stage.index, epoch, self.steps))
        learning_rate = self.state.learning_rate(stage, epoch, 0, self.steps)
        state = self.state.after_epoch(stage, epoch, validation.get(stage.monitor))
        is_best = state.best_epoch == epoch
        if is_best:
            self.checkpoints.save_best(Position(stage.index, epoch, self.steps), state)
        self.state = state
        self._check_layers(epoch, freeze_check)
        seconds, means = time.monotonic() - started, self.metrics.means()
        self.context.emit(
            EpochFinished(
                stage=stage.index,
                epoch=epoch,
                loss=means["loss"],
                accuracy=means["accuracy"],
                learning_rate=learning_rate,
                seconds=seconds,
                best=is_best,
                step_losses=self.step_losses.spread() if self.step_losses else None,
                **validation,
            )
        )
        if from_start and not makes_features:
            self.check_estimate(epoch, seconds, self.times)
        self.epoch_seconds = seconds - self.times.compile_seconds
        self.metrics, self.step_losses = RunningMetrics(), StepLosses()
        following = Position(stage.index, epoch + 1)
        self._save(following)
        return following

    def train_steps(self, position: Position) -> None:
        """Train from a position to the end of its epoch."""
        epoch, length = position.epoch, self.lengths[0]
        order = self._order(epoch)
        with self.inputs.train(epoch, order, self.training.batch_size, position.step) as take:
            started, images = time.monotonic(), 0
            coming = self._coming_steps(take, position)
            while coming:
                piece, positions = coming.piece, coming.positions
                self._stop_or_save(position)
                position = replace(position, step=position.step + len(piece))
                with self.times.training.steps(len(piece), length):
                    results = self.fused.train(piece, coming.rates, coming.seeds, coming.mixes)
                    # While the device computes:
                    coming = self._coming_steps(take, position)
                    logs = list(results)
                for log, at in zip(logs, positions, strict=True):
                    self.note_step(log, piece.rows.shape[1], at)
                images += piece.rows.size
                pace = images / (time.monotonic() - started)
                self.report(epoch, position.step, self.steps, self.metrics, pace)

    def _coming_steps(self, take: Take, first: Position) -> ComingSteps | None:
        """Return the steps of the next call with all that depends on their positions."""
        piece = take(self.lengths[0].steps)
        if piece is None:
            return None
        positions = [replace(first, step=first.step + i) for i in range(len(piece))]
        rate_of = self.state.learning_rate
        rates = [rate_of(self.stage, at.epoch, at.step, self.steps) for at in positions]
        seeds = self.fused.dropout_seeds(self.training.seed, positions)
        mixes = draw_mixes(self.stage, self.training.seed, positions, self.data.images.shape[1:3])
        return ComingSteps(piece, positions, np.array(rates), seeds, mixes)

    def note_step(self, log: dict[str, float], images: int, position: Position) -> None:
        """Add a step's loss and accuracy to the epoch's; raise Diverged if training ends here."""
        stage = self.stage
        if not math.isfinite(log["loss"]):
            raise diverged(stage, position, tr("the loss is {loss}", loss=log["loss"]))
        self.metrics = self.metrics.plus(log, images)
        if self.step_losses is not None:
            self.step_losses.add(log["loss"])
        if has_exploded(self.metrics, position.step + 1, self.data.classes):
            mean = self.metrics.means()["loss"]
            raise diverged(stage, position, tr("the loss has exploded to {mean:.3g}", mean=mean))

    def _validate(self, position: Position) -> dict[str, Any]:
        """Measure the validation images at a position.

        Returns:
            val_loss, val_accuracy, and what `Predictions` finds, by their names in
            `EpochFinished`; empty without validation images.
        """
        rows, length = self.data.rows["validation"], self.lengths[1]
        if not len(rows):
            return {}
        score, batch_size = monitored_score(self.stage.monitor), self.training.batch_size
        predictions = Predictions(self.data.labels, self.data.classes, score, batch_size)
        metrics, step, steps = RunningMetrics(), 0, math.ceil(len(rows) / batch_size)
        with self.inputs.validation(batch_size) as take:
            while piece := take(min(length.steps, predictions.most_steps)):
                self._stop_or_save(position)
                with self.times.validation.steps(len(piece), length):
                    results = predictions.start(self.fused, piece)
                    logs = list(results)
                for log in logs:
                    metrics = metrics.plus(log, piece.rows.shape[1])
                predictions.add(results, piece)
                step += len(piece)
                self.report(position.epoch, step, steps, metrics)
        found = {f"{VALIDATION}{name}": value for name, value in metrics.means().items()}
        return {**found, **predictions.measure()}

    def compile(self) -> bool:
        """Set which layers train and compile; return whether XLA compiles."""
        stage, training = self.stage, self.training
        for layer in self.context.model.layers:
            layer.trainable = stage.trains(layer.name)
        jit = resolve_jit(training.jit, self.context.device, training.deterministic)
        with active_backend().scope():
            self.model.compile(
                optimizer=build_optimizer(self.context.spec, stage, self.model),
                loss=loss_for(self.data.classes),
                metrics=[accuracy_for(self.data.classes)],
                jit_compile=jit,
            )
            # Keras would build it in the first step, but its state must exist to be restored.
            self.model.optimizer.build(self.model.trainable_variables)
        begin_averages(self.model)
        targets = self.data.targets(np.arange(len(self.data.labels)))
        self.fused = FusedSteps(
            self.model,
            self.data.classes,
            targets,
            self.image_weights,
            jit,
            self.context.spec.augmentation.fill,
            training.label_smoothing,
        )
        return jit

    def restore_good(self) -> str:
        """Restore the last good weights; see `StageCheckpoints.restore_good`."""
        return self.checkpoints.restore_good(self.state)

    def _begin(self, checkpoint: Checkpoint | None) -> Position:
        """Return the first position to train; restore the checkpoint, or save the start weights."""
        if checkpoint is None:
            position = Position(self.stage.index, 1)
            self.checkpoints.save_start(position, self.state)
            return position
        self.checkpoints.resume(checkpoint)
        self.state, self.metrics = checkpoint.state, checkpoint.metrics
        position = checkpoint.position_for(self.training.batch_size)
        if position.step:  # losses of smaller batches spread more widely
            same = checkpoint.settings.get("batch_size") == self.training.batch_size
            self.step_losses = checkpoint.step_losses if same else None
        return Position(self.stage.index, position.epoch, min(position.step, self.steps))

    def _order(self, epoch: int) -> np.ndarray:
        """Return the rows of the pack in the epoch's order."""
        rows, training, stage = self.data.rows["train"], self.training, self.stage
        return rows[
            epoch_order(
                len(rows),
                training.seed,
                stage.index,
                epoch,
                stage.steps_per_epoch,
                training.batch_size,
                training.shuffle,
            )
        ]

    def _stop_or_save(self, position: Position) -> None:
        """Stop on request or at the deadline, before which an epoch begins only if it fits."""
        needed = self.epoch_seconds if position.step == 0 else 0.0
        if self.context.stop_requested():
            self._save(position)
            raise Stopped(position)
        if self.context.deadline.is_over(needed):
            self._save(position)
            raise OutOfTime
        if self.checkpoints.is_due:
            self._save(position)

    def _save(self, position: Position) -> None:
        self.checkpoints.save(position, self.state, self.metrics, self.step_losses)

    def _check_layers(self, epoch: int, freeze_check: FreezeCheck) -> None:
        """Compare the weights with those that the stage started with."""
        layers = freeze_check.compare()
        self.context.emit(LayersChecked(stage=self.stage.index, epoch=epoch, layers=tuple(layers)))
        warning = check_layers(layers)
        if warning and not self.warned:
            self.warned = True
            self.context.emit(Notice(message=warning))
