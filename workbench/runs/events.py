"""The events of a run: what happened, one JSON object a line in its log.

Every event has `v` (version of this schema), `n` (running number), `t` (unix seconds) and `event`
(its kind). Stages count from 0, epochs from 1; a position is (stage, epoch, finished steps of that
epoch). A number that is unknown or not finite is null. Readers ignore kinds and fields that they
do not know; a change that would mislead such a reader increments SCHEMA.

What matters only at the moment is not history: `StepProgress`, `MachineSample`, and how far
preparation and evaluation are, are kept in `status.json`. Logs of schema 1 contain them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, get_args

from workbench.experiment.metrics import SCORES, VALIDATION
from workbench.runs.fields import (
    Count,
    Counts,
    Fields,
    Flag,
    Interval,
    Matrix,
    Number,
    Numbers,
    Position,
    Required,
    Shape,
    Text,
    TextOrNone,
    Texts,
    Whole,
    later,
    part,
    parts,
    read_later,
)
from workbench.runs.score import Score

SCHEMA = 2
# Beginning of the phases of `preparing` that are not work: "wait for RUN" in the queue, "wait for
# another process" that builds the same pack.
WAITING_PHASE = "wait for "
PREFIX_PHASE = "prefix"  # of `preparing`: features of a frozen base
OUT_OF_TIME = "out of time"  # why a stage, and with it the run, ended before its epochs were done


@dataclass(frozen=True, kw_only=True)
class Event(Fields):
    """What all events have; itself an event of an unknown kind, or without what its kind requires.

    Attributes:
        v: version of the schema.
        n: running number over all sessions of the run.
        t: unix seconds.
        event: the kind.
    """

    v: Count = SCHEMA
    n: Count = 0
    t: Number = None
    event: str

    @property
    def position(self) -> Position | None:
        """Its position in the plan; None if it has none."""
        stage, epoch = getattr(self, "stage", None), getattr(self, "epoch", None)
        if stage is None or epoch is None:
            return None
        return Position(stage, epoch, getattr(self, "step", None) or 0)


@dataclass(frozen=True, kw_only=True)
class Launched(Event):
    """The launcher starts a worker; written before the worker's own events.

    Attributes:
        job: "train".
        resume: whether it continues at the last checkpoint.
        queued: whether it waits for other runs.
        argv: the command.
        host: name of the machine.
        boot_id: changes with every boot of the machine.
        log_start: byte of worker.log at which this session's output begins.
    """

    event: Literal["launched"] = "launched"
    job: Text = "train"
    resume: Flag = False
    queued: Flag = False
    argv: Texts = ()
    host: Text = ""
    boot_id: Text = ""
    log_start: Count = 0


@dataclass(frozen=True, kw_only=True)
class WorkerStarted(Event):
    """The worker runs.

    Attributes:
        pid: its process.
        host: name of the machine.
        boot_id: changes with every boot of the machine.
        python: version.
        backend: tensorflow, jax or torch.
        keras: version.
        tensorflow: version; "" if it is not installed, likewise for those below.
        jax: version.
        torch: version.
        numpy: version.
        pillow: version.
        warm: whether keras was imported before there was a run.
    """

    event: Literal["worker_started"] = "worker_started"
    pid: Whole = None
    host: Text = ""
    boot_id: Text = ""
    python: Text = ""
    backend: Text = ""
    keras: Text = ""
    tensorflow: Text = ""
    jax: Text = ""
    torch: Text = ""
    numpy: Text = ""
    pillow: Text = ""
    warm: Flag = False


@dataclass(frozen=True, kw_only=True)
class ChosenGpu(Fields):
    """The GPU that a run claimed; memory in bytes."""

    index: Whole = None
    uuid: Text = ""
    name: Text = ""
    memory_free: Whole = None
    memory_total: Whole = None


@dataclass(frozen=True, kw_only=True)
class GpuChosen(Event):
    """The run claimed its device.

    Attributes:
        asked: auto, none or a number.
        gpu: index, uuid, name, memory_free and memory_total (bytes); null for the CPU.
        others: the same of the GPUs that share each batch with it.
    """

    event: Literal["gpu_chosen"] = "gpu_chosen"
    asked: Text = ""
    gpu: Annotated[ChosenGpu | None, part(ChosenGpu)] = None
    others: Annotated[tuple[ChosenGpu, ...], parts(ChosenGpu)] = ()


@dataclass(frozen=True, kw_only=True)
class Work(Event):
    """Work other than training has reached a phase; progress within it is kept in status.json.

    Attributes:
        phase: a word or two.
        done: finished parts.
        total: of the parts; 0 if unknown.
    """

    phase: Text = ""
    done: Count = 0
    total: Count = 0

    @property
    def is_waiting(self) -> bool:
        """True if it is not work: another run or process goes first."""
        return self.phase.startswith(WAITING_PHASE)


@dataclass(frozen=True, kw_only=True)
class Preparing(Work):
    """A phase of the preparation begins; "wait for RUN" in the queue.

    Attributes:
        phase: a word or two.
        done: finished parts; the progress within a phase is kept in status.json.
        total: of the parts; 0 if unknown.
    """

    event: Literal["preparing"] = "preparing"


@dataclass(frozen=True, kw_only=True)
class Evaluating(Work):
    """A phase of the evaluation begins.

    Attributes:
        phase: a word or two.
        done: finished parts; the progress within a phase is kept in status.json.
        total: of the parts; 0 if unknown.
    """

    event: Literal["evaluating"] = "evaluating"


@dataclass(frozen=True, kw_only=True)
class DataReady(Event):
    """The images are prepared.

    Attributes:
        name: of the data set.
        folder: where it is.
        pack: name of the pack.
        images: numbers of train, validation and test.
        labels: in the order of the network's outputs.
        notes: what was noticed about the data.
    """

    event: Literal["data_ready"] = "data_ready"
    name: Text = ""
    folder: Text = ""
    pack: Text = ""
    images: Counts = field(default_factory=dict)
    labels: Texts = ()
    notes: Texts = ()


@dataclass(frozen=True, kw_only=True)
class Notice(Event):
    """A message for the user.

    Attributes:
        message: one or more sentences.
    """

    event: Literal["notice"] = "notice"
    message: Text = ""


@dataclass(frozen=True, kw_only=True)
class PlannedLayer(Fields):
    """A layer as the plan has it.

    Attributes:
        output_shape: without the batch.
        requested: "trains" or "frozen".
    """

    name: Text = ""
    kind: Text = ""
    output_shape: Shape = ()
    parameters: Count = 0
    block: Text = ""
    requested: Text = ""


@dataclass(frozen=True, kw_only=True)
class CheckedLayer(Fields):
    """A layer with weights after an epoch.

    Attributes:
        requested: "trains" or "frozen", by the plan.
        compiled: the same, by the compiled model.
        moved: change since the stage began, |w - w0| / max(|w0|, tiny), Euclidean norms over all
            of the layer's numbers, moving statistics of BatchNorm included. 0: none moved.
    """

    name: Text = ""
    requested: Text = ""
    compiled: Text = ""
    moved: Number = None


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """A stage begins.

    Attributes:
        stage: number of the stage, from 0.
        name: of the stage.
        kind: train, or solve for a linear probe, which takes no steps.
        epochs: at most.
        steps: of an epoch.
        batch_size: images a step.
        optimizer: its name; "" without steps.
        learning_rate: at the beginning.
        parameters: of the whole network.
        trainable_parameters: of them.
        layers: name, kind, output_shape, parameters, block and requested (trains or frozen) of
            each layer.
        precision: float32, mixed_float16 or mixed_bfloat16.
        jit: whether XLA compiles.
        device: name.
        prefix: last layer of the frozen prefix; null without one.
        cached: whether the prefix runs once per image.
        views: how many augmented views of each image are kept.
        weights: of the base; null without one.
        estimated_seconds: of an epoch; null if the machine was not measured.
        estimates: the same for each stage of the plan.
    """

    event: Literal["stage_started"] = "stage_started"
    stage: Required
    name: Text = ""
    kind: Text = "train"
    epochs: Count = 0
    steps: Count = 0
    batch_size: Whole = None
    optimizer: Text = ""
    learning_rate: Number = None
    parameters: Whole = None
    trainable_parameters: Whole = None
    layers: Annotated[tuple[PlannedLayer, ...], parts(PlannedLayer)] = later()
    precision: Text = ""
    jit: Flag = False
    device: Text = ""
    prefix: TextOrNone = None
    cached: Flag = False
    views: Count = 0
    weights: TextOrNone = None
    estimated_seconds: Number = None
    estimates: Numbers = ()

    @property
    def is_solved(self) -> bool:
        """True for a stage without steps."""
        return self.kind == "solve"


@dataclass(frozen=True, kw_only=True)
class StepProgress(Event):
    """Where a stage is within an epoch; is kept in status.json.

    Attributes:
        stage: number of the stage, from 0.
        phase: train or validation.
        epoch: number of the epoch, from 1.
        step: finished steps.
        steps: of the epoch.
        loss: mean of the epoch so far.
        accuracy: mean of the epoch so far.
        images_per_second: null in validation.
    """

    event: Literal["progress"] = "progress"
    stage: Required
    phase: Text = "train"
    epoch: Required
    step: Count = 0
    steps: Count = 0
    loss: Number = None
    accuracy: Number = None
    images_per_second: Number = None

    @property
    def position(self) -> Position:
        """Its position in the plan."""
        return Position(self.stage, self.epoch, self.step)


@dataclass(frozen=True, kw_only=True)
class StepSpread(Fields):
    """How the losses of the training steps of an epoch spread, each the mean of its batch.

    Of an epoch of very many steps they are those of every second step, every fourth, and so on.

    Attributes:
        low: 10th percentile.
        median: 50th percentile.
        high: 90th percentile.
    """

    low: Number = None
    median: Number = None
    high: Number = None


@dataclass(frozen=True, kw_only=True)
class ValidationConfusion(Fields):
    """How the validation images of each label were classified, after an epoch.

    Labels are numbers from 0, in the order of `labels` of `data_ready`. The size is bounded: up to
    20 labels have `counts`, more labels the other two.

    Attributes:
        counts: numbers of images, true labels in rows, predicted ones in columns.
        pairs: at most 30 of [true label, predicted one, number of images], the most images first.
        recalls: share of the images of each label that is right, null without images; [] for more
            than 500 labels.
    """

    counts: Matrix = ()
    pairs: Matrix = ()
    recalls: Numbers = ()


@dataclass(frozen=True, kw_only=True)
class EpochFinished(Event):
    """An epoch ended.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        loss: mean over the images of the epoch, while the weights changed.
        accuracy: likewise.
        val_loss: null without validation images.
        val_accuracy: null without validation images.
        val_macro_f1: null unless the stage monitors it, likewise the next three.
        val_balanced_accuracy: mean recall of the labels.
        val_top5_accuracy: how often the label is among the five most probable.
        val_auc: area under the ROC curve, of several labels the mean of each against the rest.
        val_confusion: which labels were taken for which; null without validation images, in a
            linear probe, and in older logs.
        step_losses: spread of the losses of its training steps; null if there were fewer than 5,
            if the batch became smaller on the way, and in older logs.
        learning_rate: of its first step.
        seconds: with validation.
        best: whether it is the best so far by the metric that the stage monitors.
    """

    event: Literal["epoch_finished"] = "epoch_finished"
    stage: Required
    epoch: Required
    loss: Number = None
    accuracy: Number = None
    val_loss: Number = None
    val_accuracy: Number = None
    val_macro_f1: Number = None
    val_balanced_accuracy: Number = None
    val_top5_accuracy: Number = None
    val_auc: Number = None
    val_confusion: Annotated[ValidationConfusion | None, part(ValidationConfusion)] = None
    step_losses: Annotated[StepSpread | None, part(StepSpread)] = None
    learning_rate: Number = None
    seconds: Number = None
    best: Flag = False

    @property
    def scores(self) -> dict[str, float]:
        """The scores that were measured, by their names in `experiment.metrics`."""
        found = {name: getattr(self, f"{VALIDATION}{name}") for name in SCORES}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class LayersChecked(Event):
    """The freeze check after an epoch.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        layers: name, requested, compiled (trains or frozen) and moved of each layer with weights.
    """

    event: Literal["layers"] = "layers"
    stage: Required
    epoch: Whole = None
    layers: Annotated[tuple[CheckedLayer, ...], parts(CheckedLayer)] = later()


@dataclass(frozen=True, kw_only=True)
class TriedValue(Fields):
    """A strength of regularization that cross-validation tried.

    Attributes:
        value: penalty for each row of the features.
        accuracy: from 0 to 1, on images that were left out.
        error: standard error of the accuracy over the folds.
        loss: that is minimized.
    """

    value: Number = None
    accuracy: Number = None
    error: Number = None
    loss: Number = None


@dataclass(frozen=True, kw_only=True)
class CrossValidated(Event):
    """A linear probe has chosen its regularization.

    Attributes:
        stage: number of the stage, from 0.
        solver: ridge (its loss is the mean squared error) or logistic (crossentropy).
        folds: number of parts.
        images: number of images, training and validation together.
        features: numbers that describe an image.
        chosen: the value with the lowest loss.
        tried: value, accuracy, error and loss of each, the weakest first.
    """

    event: Literal["cross_validated"] = "cross_validated"
    stage: Required
    solver: Text = ""
    folds: Count = 0
    images: Count = 0
    features: Count = 0
    chosen: Number = None
    tried: Annotated[tuple[TriedValue, ...], parts(TriedValue)] = ()


@dataclass(frozen=True, kw_only=True)
class EstimateChecked(Event):
    """An estimate beside what was measured, for the first two complete epochs of a stage.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        estimated_seconds: of an epoch.
        seconds: of this epoch without `compile_seconds`.
        compile_seconds: of this epoch.
        ratio: seconds / estimated_seconds.
    """

    event: Literal["estimate_checked"] = "estimate_checked"
    stage: Whole = None
    epoch: Whole = None
    estimated_seconds: Number = None
    seconds: Number = None
    compile_seconds: Number = None
    ratio: Number = None


@dataclass(frozen=True, kw_only=True)
class GpuUse(Fields):
    """Use of a GPU: percent, degrees Celsius, bytes."""

    utilization: Number = None
    temperature: Number = None
    memory_used: Number = None
    memory_total: Number = None


@dataclass(frozen=True, kw_only=True)
class MachineSample(Event):
    """Use of the machine, every few seconds; is kept in status.json.

    Attributes:
        cpu: percent of all cores.
        process_cpu: percent of one core.
        memory_used: bytes.
        memory_total: bytes.
        process_memory: bytes.
        disk_free: bytes.
        gpu: utilization (percent), temperature (degrees Celsius), memory_used and memory_total
            (bytes); null without a GPU.
    """

    event: Literal["machine"] = "machine"
    cpu: Number = None
    process_cpu: Number = None
    memory_used: Number = None
    memory_total: Number = None
    process_memory: Number = None
    disk_free: Number = None
    gpu: Annotated[GpuUse | None, part(GpuUse)] = None


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(Event):
    """A checkpoint was saved; a resume continues there.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        step: finished steps of the epoch.
    """

    event: Literal["checkpoint_saved"] = "checkpoint_saved"
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    """Training continues here; what was written about this epoch and later ones is superseded.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        step: finished steps of the epoch.
    """

    event: Literal["resumed"] = "resumed"
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0


@dataclass(frozen=True, kw_only=True)
class BatchHalved(Event):
    """Out of memory; a new process continues with smaller batches.

    Attributes:
        from_size: images a step until now.
        to_size: images a step from now on.
    """

    event: Literal["batch_halved"] = "batch_halved"
    from_size: Whole = None
    to_size: Whole = None


@dataclass(frozen=True, kw_only=True)
class StageFinished(Event):
    """A stage ended.

    Attributes:
        stage: number of the stage, from 0.
        reason: "all epochs", "early stopping", "solved" or "out of time".
        best_epoch: null without validation images.
        kept_epoch: the epoch whose weights are kept; 0: those that the stage started with.
        seconds: of the stage in this session.
    """

    event: Literal["stage_finished"] = "stage_finished"
    stage: Whole = None
    reason: Text = ""
    best_epoch: Whole = None
    kept_epoch: Whole = None
    seconds: Number = None


@dataclass(frozen=True, kw_only=True)
class Shifted(Fields):
    """Accuracy on images that were moved by some pixels."""

    pixels: Whole = None
    accuracy: Number = None


@dataclass(frozen=True, kw_only=True)
class Evaluated(Event):
    """The final evaluation.

    Attributes:
        split: test or validation.
        loss: mean.
        accuracy: from 0 to 1.
        interval: 95 % interval of the accuracy, [low, high].
        images: number of images evaluated.
        macro_f1: value and 95 % interval; null if undefined or not measured, likewise the next
            three.
        balanced_accuracy: mean recall of the labels.
        top5_accuracy: how often the label is among the five most probable.
        auc: area under the ROC curve, of several labels the mean of each against the rest.
        mirrored: whether the probabilities of each image and its mirror image were averaged.
        shifted: accuracy on images moved by some pixels; null if not measured.
    """

    event: Literal["evaluated"] = "evaluated"
    split: Text = ""
    loss: Number = None
    accuracy: Number = None
    interval: Interval = None
    images: Count = 0
    macro_f1: Annotated[Score | None, part(Score)] = None
    balanced_accuracy: Annotated[Score | None, part(Score)] = None
    top5_accuracy: Annotated[Score | None, part(Score)] = None
    auc: Annotated[Score | None, part(Score)] = None
    mirrored: Flag = False
    shifted: Annotated[Shifted | None, part(Shifted)] = None

    @property
    def scores(self) -> dict[str, Score]:
        """The scores that were measured, by their names in `experiment.metrics`."""
        found = {name: getattr(self, name) for name in SCORES}
        return {name: score for name, score in found.items() if score and score.value is not None}

    @property
    def shifted_accuracy(self) -> float | None:
        """Accuracy on images that were moved; None if not measured."""
        return self.shifted.accuracy if self.shifted else None


@dataclass(frozen=True, kw_only=True)
class RunStopped(Event):
    """The session ended on request, or by its sweep's rule; a resume continues here.

    Attributes:
        stage: number of the stage, from 0.
        epoch: number of the epoch, from 1.
        step: finished steps of the epoch.
        pruned: why the sweep that the run belongs to has given it up; "" on request.
    """

    event: Literal["stopped"] = "stopped"
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0
    pruned: Text = ""


@dataclass(frozen=True, kw_only=True)
class RunFailed(Event):
    """The session ended with an error.

    Attributes:
        kind: user (a person can fix it), memory (out of memory), disk (full or not writable),
            diverged (NaN or an exploding loss) or error (unexpected).
        message: what was wrong.
        hint: what to do.
        stage: in which it happened; null before the first.
        epoch: likewise.
        step: finished steps of the epoch.
    """

    event: Literal["failed"] = "failed"
    kind: Text = "error"
    message: Text = ""
    hint: Text = ""
    stage: Whole = None
    epoch: Whole = None
    step: Count = 0


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """The run is complete.

    Attributes:
        seconds: of this session, without waiting in the queue.
    """

    event: Literal["finished"] = "finished"
    seconds: Number = None


@dataclass(frozen=True, kw_only=True)
class Interrupted(Event):
    """The worker ended without a final event; never written, made for those who follow a run.

    Attributes:
        log: the last lines that it printed.
    """

    event: Literal["interrupted"] = "interrupted"
    log: Texts = ()


Session = Launched | WorkerStarted  # begins a session, which is one worker's work on the run
End = RunStopped | RunFailed | RunFinished  # ends it
LatestOnly = StepProgress | MachineSample  # each supersedes the one before it
LATEST_ONLY = ("machine", "progress")  # their kinds
Known = (
    Session
    | GpuChosen
    | Preparing
    | DataReady
    | Notice
    | StageStarted
    | StepProgress
    | EpochFinished
    | LayersChecked
    | CrossValidated
    | EstimateChecked
    | MachineSample
    | CheckpointSaved
    | Resumed
    | BatchHalved
    | StageFinished
    | Evaluating
    | Evaluated
    | End
)
KINDS: dict[str, type[Event]] = {kind.event: kind for kind in get_args(Known)}
_LAYERS = b'"layers": ['  # as the writer begins them; within a text its quotes are escaped
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)
OfStage = TypeVar("OfStage", StageStarted, LayersChecked)


def parse_event(line: bytes) -> Event | None:
    """Return the event in a line, None for a line that is not an event.

    The layers of a network are nine tenths of a log, and most readers need none of them: they are
    parsed when something asks for them. Layers that cannot be read are then none.
    """
    start, end = line.find(_LAYERS), line.rfind(b"}]") + 2
    if 0 <= start < end:
        event = _parse(line[:start] + _LAYERS + line[end - 1 :])
        if isinstance(event, StageStarted | LayersChecked):
            read_later(event, "layers", partial(_decode_list, line[start + len(_LAYERS) - 1 : end]))
            return event
    return _parse(line)


def _parse(line: bytes) -> Event | None:
    try:
        values = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return make_event(values) if isinstance(values, dict) else None


def _decode_list(text: bytes) -> Any:
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return ()


def make_event(values: Mapping[str, Any]) -> Event | None:
    """Return the event with these fields, `event` (its kind) among them; None for no event."""
    kind = values.get("event")
    if not isinstance(kind, str):
        return None
    try:
        return KINDS.get(kind, Event).read(values)
    except ValueError:
        return Event.read(values)


def newest_by_stage(events: Iterable[Event], kind: type[OfStage]) -> dict[int, OfStage]:
    """Return the last event of a kind for each stage over all sessions, in the order of stages."""
    found = {event.stage: event for event in events if isinstance(event, kind)}
    return dict(sorted(found.items()))
