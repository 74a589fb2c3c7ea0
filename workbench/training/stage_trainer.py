"""One stage of a plan, step by step.

It owns the step loop, so that a place says everything. Every stage starts with a new optimizer and
a compile, because Keras ignores a change of `trainable` until then.
"""

import math
import time
from typing import TYPE_CHECKING

import keras
import numpy as np

from workbench.experiment.plan import Stage, layer_rows, steps_per_epoch
from workbench.experiment.resuming import settings_of, training_fingerprint
from workbench.experiment.seeds import fold_seed
from workbench.training.backend import resolve_jit, resolve_precision
from workbench.training.checkpoint import Checkpoint, NotFinite
from workbench.training.divergence import diverged, explodes
from workbench.training.freeze_check import FROZEN, TRAINS, FreezeWatch, as_rows, check_truth
from workbench.training.models import accuracy_for, loss_for
from workbench.training.order import epoch_order
from workbench.training.position import Place, Stopped
from workbench.training.suffix import split
from workbench.training.timing import StepTimes
from workbench.training.trainer_state import Progression, Running
from workbench.training.variables import check_trainable, collect, restore, trainable_paths

if TYPE_CHECKING:
    from workbench.training.trainer import Engine

PROGRESS_SECONDS = 0.5  # between two progress events
CHECKED_EPOCHS = 2  # whose time is held against the estimate
CHECKPOINT_SECONDS = 600.0  # of training lost at most when a long epoch is cut off


class StageRun:
    """One stage on its way: the loop over epochs and steps, and what it remembers."""

    def __init__(self, engine: "Engine", stage: Stage) -> None:
        self.engine = engine
        self.stage = stage
        self.spec = engine.spec.training
        self.model, self.inputs = split(engine, stage)
        self.data = engine.data
        self.train_rows = engine.data.rows["train"]
        self.validation_rows = engine.data.rows["validation"]
        self.steps = steps_per_epoch(
            len(self.train_rows), self.spec.batch_size, stage.steps_per_epoch
        )
        self.weights = (
            engine.data.balanced_weights() if self.spec.class_weights == "balanced" else None
        )
        self.progression = Progression()
        self.running = Running()
        self.warned = False
        self.whole_epochs = 0  # in this life
        self.times = StepTimes()
        self.last_progress = 0.0
        self.last_checkpoint = time.monotonic()

    def run(self, checkpoint: Checkpoint | None) -> None:
        started = time.monotonic()
        self._compile()
        first_epoch, first_step = 1, 0
        if checkpoint:
            if checkpoint.trainable:
                check_trainable(self.model, checkpoint.trainable)
            restore(self.model, checkpoint.arrays, "model", "optimizer")
            self.progression = checkpoint.progression
            self.running = checkpoint.running
            place = checkpoint.place_for(self.spec.batch_size)
            first_epoch, first_step = place.epoch, min(place.step, self.steps)
        else:
            place = Place(self.stage.index, 1, 0)
            start = Checkpoint(place, self.progression, collect(self.model, "model"))
            self.engine.checkpoints.save_start(start)
        began_with = self.engine.checkpoints.load_start(self.stage.index)
        self.watch = FreezeWatch(self.engine.model, self.model, self.stage, began_with)
        self._tell_start()
        epoch = first_epoch
        while epoch <= self.stage.epochs and not self.progression.stops(self.stage):
            self._epoch(epoch, first_step if epoch == first_epoch else 0)
            epoch += 1
        kept = self._hand_on()
        self.engine.tell(
            "stage_finished",
            stage=self.stage.index,
            reason="early stopping" if epoch <= self.stage.epochs else "all epochs",
            best_epoch=self.progression.best_epoch or None,
            kept_epoch=kept or epoch - 1,
            seconds=time.monotonic() - started,
        )

    def _compile(self) -> None:
        stage, spec = self.stage, self.spec
        for layer in self.engine.model.layers:
            layer.trainable = stage.trains(layer.name)
        # Named, since Keras numbers nameless ones and the paths of their state with them.
        optimizer = {
            "rmsprop": keras.optimizers.RMSprop,
            "adam": keras.optimizers.Adam,
            "sgd": keras.optimizers.SGD,
        }[stage.optimizer](stage.learning_rate, name=stage.optimizer)
        self.jit = resolve_jit(spec.jit, self.engine.device, spec.deterministic)
        classes = self.data.classes
        self.model.compile(
            optimizer=optimizer,
            loss=loss_for(classes),
            metrics=[accuracy_for(classes)],
            jit_compile=self.jit,
        )
        # Keras would do so in the first step; the state must exist to be restored.
        self.model.optimizer.build(self.model.trainable_variables)

    def _tell_start(self) -> None:
        rows = layer_rows(self.engine.spec, self.data.classes)
        self.engine.tell(
            "stage_started",
            stage=self.stage.index,
            name=self.stage.name,
            epochs=self.stage.epochs,
            steps=self.steps,
            batch_size=self.spec.batch_size,
            optimizer=self.stage.optimizer,
            learning_rate=self.stage.learning_rate,
            parameters=self.engine.model.count_params(),
            trainable_parameters=sum(math.prod(v.shape) for v in self.model.trainable_variables),
            layers=[
                {
                    "name": row.name,
                    "kind": row.kind,
                    "output_shape": list(row.output_shape),
                    "parameters": row.parameters,
                    "block": row.block,
                    "requested": TRAINS if self.stage.trains(row.name) else FROZEN,
                }
                for row in rows
            ],
            prefix=self.stage.prefix,
            cached=self.stage.cached,
            views=self.stage.views,
            weights=self.engine.spec.base.weights if self.engine.spec.base else None,
            precision=resolve_precision(self.spec.precision, self.engine.device),
            jit=self.jit,
            device=self.engine.device.name,
            estimated_seconds=self.engine.expected.get(self.stage.index),
            estimates=list(self.engine.expected.values()),
        )

    def _epoch(self, epoch: int, first_step: int) -> None:
        whole = first_step == 0 and self.stage.steps_per_epoch is None
        makes = self.inputs.prepare(epoch, whole)
        self.times = StepTimes()
        started = time.monotonic()
        self._train_steps(epoch, first_step)
        train = self.running.means()
        validation = self._validate(epoch)
        learning_rate = self.progression.learning_rate(self.stage, epoch, 0, self.steps)
        monitored = validation[self.stage.monitor] if validation else None
        progression = self.progression.after_epoch(self.stage, epoch, monitored)
        best = progression.best_epoch == epoch
        if best and self.stage.keep == "best":
            self._save_best(epoch, progression)
        self.progression = progression
        self._look_at_layers(epoch)
        seconds = time.monotonic() - started
        self.engine.tell(
            "epoch_finished",
            stage=self.stage.index,
            epoch=epoch,
            **train,
            val_loss=validation.get("val_loss"),
            val_accuracy=validation.get("val_accuracy"),
            learning_rate=learning_rate,
            seconds=seconds,
            best=best,
        )
        if first_step == 0 and not makes:
            self._check_estimate(epoch, seconds)
        self.running = Running()
        self._save(Place(self.stage.index, epoch + 1, 0))

    def _train_steps(self, epoch: int, first_step: int) -> None:
        stage, seed, batch_size = self.stage, self.spec.seed, self.spec.batch_size
        order = self.train_rows[
            epoch_order(
                len(self.train_rows),
                seed,
                stage.index,
                epoch,
                stage.steps_per_epoch,
                batch_size,
                self.spec.shuffle,
            )
        ]
        with self.inputs.train(epoch, order, batch_size, first_step) as batches:
            started, done = time.monotonic(), 0
            for step, x in enumerate(batches, start=first_step):
                self._stop_or_save(Place(stage.index, epoch, step))
                rows = order[step * batch_size : (step + 1) * batch_size]
                with self.times.training:
                    self._step(x, rows, epoch, step)
                done += len(rows)
                pace = done / (time.monotonic() - started)
                self._tell_progress(epoch, step + 1, self.steps, self.running, pace)

    def _step(self, x: np.ndarray, rows: np.ndarray, epoch: int, step: int) -> None:
        """One step of gradient descent."""
        model, stage = self.model, self.stage
        model.optimizer.learning_rate.assign(
            self.progression.learning_rate(stage, epoch, step, self.steps)
        )
        _seed_dropout(model, self.spec.seed, stage.index, epoch, step)
        weights = None if self.weights is None else self.weights[rows]
        logs = model.train_on_batch(
            x, self.data.targets(rows), sample_weight=weights, return_dict=True
        )
        if not math.isfinite(logs["loss"]):
            raise diverged(stage, Place(stage.index, epoch, step), f"the loss is {logs['loss']}")
        self.running = self.running.plus(logs, len(rows))
        if explodes(self.running, step + 1, self.data.classes):
            mean = self.running.means()["loss"]
            raise diverged(
                stage, Place(stage.index, epoch, step), f"the loss has exploded to {mean:.3g}"
            )

    def _validate(self, epoch: int) -> dict[str, float]:
        """Loss and accuracy on the validation images; empty where there are none."""
        rows, batch_size = self.validation_rows, self.spec.batch_size
        if not len(rows):
            return {}
        running = Running()
        steps = math.ceil(len(rows) / batch_size)
        for step, (x, batch) in enumerate(self.inputs.validation(batch_size), start=1):
            self._stop_or_save(Place(self.stage.index, epoch, self.steps))
            with self.times.validation:
                logs = self.model.test_on_batch(x, self.data.targets(batch), return_dict=True)
            running = running.plus(logs, len(batch))
            self._tell_progress(epoch, step, steps, running)
        return {f"val_{name}": value for name, value in running.means().items()}

    def _check_estimate(self, epoch: int, seconds: float) -> None:
        """Holds the first whole epochs against what one was expected to take.

        Two of them: in the first, what is compiling can only be told by how long steps take.
        """
        expected = self.engine.expected.get(self.stage.index)
        self.whole_epochs += 1
        if expected is None or self.whole_epochs > CHECKED_EPOCHS:
            return
        if self.whole_epochs == 1 and not self.times.telling:
            return
        compiling = self.times.compiling
        self.engine.tell(
            "estimate_checked",
            stage=self.stage.index,
            epoch=epoch,
            estimated_seconds=expected,
            seconds=seconds - compiling,
            compile_seconds=compiling,
            ratio=(seconds - compiling) / expected,
        )

    def _look_at_layers(self, epoch: int) -> None:
        """Compares the weights with those that the stage began with, and tells."""
        truth = self.watch.look()
        self.engine.tell("layers", stage=self.stage.index, epoch=epoch, layers=as_rows(truth))
        warning = check_truth(truth)
        if warning and not self.warned:
            self.warned = True
            self.engine.tell("notice", message=warning)

    def _stop_or_save(self, place: Place) -> None:
        if self.engine.stop_asked():
            self._save(place)
            raise Stopped(place)
        if time.monotonic() - self.last_checkpoint > CHECKPOINT_SECONDS:
            self._save(place)

    def _save(self, place: Place) -> None:
        checkpoint = Checkpoint(
            place,
            self.progression,
            collect(self.model, "model", "optimizer"),
            self.running,
            training_fingerprint(self.engine.spec),
            settings_of(self.engine.spec),
            trainable_paths(self.model),
        )
        try:
            self.engine.checkpoints.save_last(checkpoint)
        except NotFinite as error:
            raise diverged(self.stage, place, str(error)) from None
        self.engine.place = place
        self.last_checkpoint = time.monotonic()
        self.engine.tell("checkpoint_saved", stage=place.stage, epoch=place.epoch, step=place.step)

    def _save_best(self, epoch: int, progression: Progression) -> None:
        place = Place(self.stage.index, epoch, self.steps)
        weights = collect(self.model, "model")
        try:
            self.engine.checkpoints.save_best(Checkpoint(place, progression, weights))
        except NotFinite as error:
            raise diverged(self.stage, place, str(error)) from None

    def restore_good(self) -> str:
        """Puts the last good weights into the model.

        Returns:
            Which these are, in words; "" where there are none that have learned anything.
        """
        checkpoints, index = self.engine.checkpoints, self.stage.index
        if self.stage.keep == "best" and (epoch := self.progression.best_epoch):
            restore(self.model, checkpoints.load_best(index, epoch).arrays, "model")
            return f"the weights of epoch {epoch}, the best so far"
        last, _ = checkpoints.load_last()
        if last and last.place.stage == index:
            restore(self.model, last.arrays, "model")
            return f"the weights of the last checkpoint, {last.place}"
        restore(self.model, checkpoints.load_start(index), "model")
        return f"the weights of stage {index}, the one before" if index else ""

    def _hand_on(self) -> int | None:
        """Puts the kept weights into the model; returns their epoch, None for the last."""
        if self.stage.keep == "last" or not self.progression.best_epoch:
            return None
        best = self.engine.checkpoints.load_best(self.stage.index, self.progression.best_epoch)
        restore(self.model, best.arrays, "model")
        return self.progression.best_epoch

    def _tell_progress(
        self, epoch: int, step: int, steps: int, running: Running, pace: float | None = None
    ) -> None:
        """Tells how far the epoch is, at most twice a second; without a pace it is validation."""
        now = time.monotonic()
        if now - self.last_progress < PROGRESS_SECONDS:
            return
        self.last_progress = now
        self.engine.tell(
            "progress",
            stage=self.stage.index,
            phase="validation" if pace is None else "train",
            epoch=epoch,
            step=step,
            steps=steps,
            images_per_second=pace,
            **running.means(),
        )


def _seed_dropout(model: keras.Model, seed: int, stage: int, epoch: int, step: int) -> None:
    """Makes this step's dropout a function of the seed and the place."""
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            drawn = fold_seed(seed, stage, epoch, step, number)
            # Two halves below 2**31 fit every backend's integer type.
            generator.state.assign(np.array([drawn & 0x7FFFFFFF, (drawn >> 31) & 0x7FFFFFFF]))
