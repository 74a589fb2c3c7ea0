"""What a stage reports on its way: its start, progress within an epoch, and its step times."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from workbench.experiment.plan import Stage, layer_rows
from workbench.runs.events import EstimateChecked, PlannedLayer, StageStarted, StepProgress
from workbench.runs.freeze_check import FROZEN, TRAINS
from workbench.training.backend import resolve_precision
from workbench.training.context import Emit, TrainingContext
from workbench.training.fused_steps import CallLength
from workbench.training.trainer_state import RunningMetrics

PROGRESS_SECONDS = 0.5  # between two progress events
CHECKED_EPOCHS = 2  # whose time is compared with the estimate
MIN_STEPS = 3  # fewer do not show which of them compiled
OUTLIER = 5.0  # times the usual duration: only compiling takes so long


def describe_stage(
    context: TrainingContext, stage: Stage, model: keras.Model, steps: int, jit: bool
) -> StageStarted:
    """Describe a stage that starts.

    Args:
        context: with the whole network.
        stage: that starts.
        model: what the stage trains, compiled.
        steps: of an epoch.
        jit: whether XLA compiles.
    """
    spec = context.spec
    return StageStarted(
        stage=stage.index,
        name=stage.name,
        kind=stage.kind,
        epochs=stage.epochs,
        steps=steps,
        batch_size=spec.training.batch_size,
        optimizer=stage.optimizer,
        learning_rate=stage.learning_rate,
        parameters=context.model.count_params(),
        trainable_parameters=sum(math.prod(v.shape) for v in model.trainable_variables),
        layers=tuple(
            PlannedLayer(
                name=row.name,
                kind=row.kind,
                output_shape=row.output_shape,
                parameters=row.parameters,
                block=row.block,
                requested=TRAINS if stage.trains(row.name) else FROZEN,
            )
            for row in layer_rows(spec, context.data.classes)
        ),
        prefix=stage.prefix,
        cached=stage.cached,
        views=stage.views,
        weights=spec.base.weights if spec.base else None,
        precision=resolve_precision(spec.training.precision, context.device),
        jit=jit,
        device=context.device.name,
        estimated_seconds=context.expected_seconds.get(stage.index),
        estimates=tuple(context.expected_seconds.values()),
    )


class ProgressReporter:
    """Emits how far an epoch is, at most twice a second."""

    def __init__(self, emit: Emit, stage: Stage) -> None:
        self.emit = emit
        self.stage = stage
        self.reported_at = 0.0

    def __call__(
        self, epoch: int, step: int, steps: int, metrics: RunningMetrics, pace: float | None = None
    ) -> None:
        """Report that `step` of `steps` are done; without a pace (images/s) it is validation."""
        now = time.monotonic()
        if now - self.reported_at < PROGRESS_SECONDS:
            return
        self.reported_at = now
        means = metrics.means()
        self.emit(
            StepProgress(
                stage=self.stage.index,
                phase="validation" if pace is None else "train",
                epoch=epoch,
                step=step,
                steps=steps,
                loss=means["loss"],
                accuracy=means["accuracy"],
                images_per_second=pace,
            )
        )


class Stopwatch:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextmanager
    def steps(self, count: int, length: CallLength) -> Iterator[None]:
        """Time a call of some steps; the length of later calls follows from it."""
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        length.measured(count, seconds)
        self.seconds += [seconds / max(count, 1)] * count


class StepTimes:
    """The steps of an epoch, training and validation separately."""

    def __init__(self) -> None:
        self.training = Stopwatch()
        self.validation = Stopwatch()

    @property
    def has_enough_steps(self) -> bool:
        """True if there were enough steps of each kind to separate compiling from work."""
        counts = len(self.training.seconds), len(self.validation.seconds)
        return counts[0] >= MIN_STEPS and (counts[1] == 0 or counts[1] >= MIN_STEPS)

    @property
    def compile_seconds(self) -> float:
        """Seconds beyond the usual of steps that took many times as long.

        The first step compiles, and so does the first of another size, at an epoch's end.
        """
        return compile_seconds(self.training.seconds) + compile_seconds(self.validation.seconds)


def compile_seconds(steps: list[float]) -> float:
    """Return the seconds of compiling in the durations of steps; 0 for too few steps."""
    if len(steps) < 2:
        return 0.0
    usual = sorted(steps)[(len(steps) - 1) // 3]  # two of three may compile
    return sum(taken - usual for taken in steps if taken > OUTLIER * usual)


class EstimateCheck:
    """Compares the first whole epochs of a session with the estimate.

    Two of them: in the first, only the duration of steps shows which of them compiled.
    """

    def __init__(self, emit: Emit, stage: Stage, expected_seconds: float | None) -> None:
        self.emit = emit
        self.stage = stage
        self.expected_seconds = expected_seconds
        self.epochs = 0

    def __call__(self, epoch: int, seconds: float, times: StepTimes) -> None:
        """Emit `estimate_checked` for a whole epoch that took so many seconds."""
        self.epochs += 1
        if self.expected_seconds is None or self.epochs > CHECKED_EPOCHS:
            return
        if self.epochs == 1 and not times.has_enough_steps:
            return
        compiling = times.compile_seconds
        self.emit(
            EstimateChecked(
                stage=self.stage.index,
                epoch=epoch,
                estimated_seconds=self.expected_seconds,
                seconds=seconds - compiling,
                compile_seconds=compiling,
                ratio=(seconds - compiling) / self.expected_seconds,
            )
        )
