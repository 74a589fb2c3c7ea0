"""Events of the training: its stages, their epochs, and what is known of the layers."""

from dataclasses import dataclass
from typing import Annotated, Literal

from workbench.experiment.metrics import SCORES, VALIDATION
from workbench.runs.events.event import Event
from workbench.runs.fields import (
    Count,
    Fields,
    Flag,
    Matrix,
    Number,
    Numbers,
    Position,
    Required,
    Shape,
    Text,
    TextOrNone,
    Whole,
    later,
    part,
    parts,
)

OUT_OF_TIME = "out of time"  # why a stage, and with it the run, ended before its epochs were done


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
    layers: Annotated[tuple[PlannedLayer, ...], parts(PlannedLayer)] = later(())
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
    val_confusion: Annotated[ValidationConfusion | None, part(ValidationConfusion)] = later(None)  # noqa: RUF009
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
    layers: Annotated[tuple[CheckedLayer, ...], parts(CheckedLayer)] = later(())


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
