"""Events of the work around the training: the images, and the final evaluation."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from workbench.experiment.metrics import SCORES
from workbench.runs.events.event import Event
from workbench.runs.fields import (
    Count,
    Counts,
    Fields,
    Flag,
    Interval,
    Number,
    Text,
    Texts,
    Whole,
    part,
)
from workbench.runs.score import Score

# Beginning of the phases of `preparing` that are not work: "wait for RUN" in the queue, "wait for
# another process" that builds the same pack.
WAITING_PHASE = "wait for "
PREFIX_PHASE = "prefix"  # of `preparing`: features of a frozen base


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
class Evaluating(Work):
    """A phase of the evaluation begins.

    Attributes:
        phase: a word or two.
        done: finished parts; the progress within a phase is kept in status.json.
        total: of the parts; 0 if unknown.
    """

    event: Literal["evaluating"] = "evaluating"


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
