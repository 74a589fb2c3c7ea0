"""What the curves of a run show, and what to try next. Pure.

Every threshold is a constant here. All rules read only the newest stage, except the one that
compares fine-tuning with the stages before.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.analysis.curves import TrainingCurves
from workbench.analysis.significance import accuracy_interval
from workbench.experiment.metrics import describe_monitor
from workbench.messages import tr
from workbench.runs.events import CrossValidated
from workbench.text import plural

GUESSING_EPOCHS = 5  # epochs at guessing level before it is reported
GUESSING_MARGIN = 0.03  # accuracy above 1 / classes that still counts as guessing
JUMP_FACTOR = 1.5  # training loss against its lowest so far
JUMP_LEAST = 0.05  # and at least this much above it: 0.001 after 0.0005 is no jump
JUMP_EPOCHS = 3  # epochs for which a jump is reported
OVERFIT_EPOCHS = 3  # epochs since the best validation loss
OVERFIT_LOSS = 0.95  # training loss against that of the best epoch: it kept falling
OVERFIT_GAP = 0.03  # training accuracy above validation accuracy
STRONG_GAP = 0.10  # from which overfitting is called strong
STALLED_EPOCHS = 2  # epochs without improvement before it is reported
LEARNING_EPOCHS = 3  # epochs over which "still learning" is measured
LEARNING_GAIN = 0.01  # share by which validation loss fell in them
UNDERFIT_EPOCHS = 10
UNDERFIT_WINDOW = 5  # epochs over which training accuracy has not risen
UNDERFIT_GAIN = 0.01  # by more than this
UNDERFIT_ACCURACY = 0.85  # training accuracy below this
WORSE_EPOCHS = 3  # epochs of fine-tuning before it is judged
WORSE_ACCURACY = 0.01  # best validation accuracy below that of the stages before
NOISE = 0.05  # half the 95 % interval of the validation accuracy that is called wide


@dataclass(frozen=True)
class CurveAdvice:
    """One observation about the curves.

    Attributes:
        id: identifies the rule.
        sentence: the observation with its numbers.
        next_step: what to try; "" if there is nothing but to wait.
    """

    id: str
    sentence: str
    next_step: str = ""


def advise(curves: TrainingCurves) -> list[CurveAdvice]:
    """Return all advice, the most urgent first; [] before the first epoch."""
    if curves.epochs < 1:
        return []
    found = [advice for rule in _RULES if (advice := rule(curves)) is not None]
    ids = {advice.id for advice in found}
    return [advice for advice in found if not _SILENCED_BY.get(advice.id, frozenset()) & ids]


def advise_on_probe(probe: CrossValidated) -> list[CurveAdvice]:
    """Return what a linear probe's cross-validation means."""
    values = [one.value for one in probe.tried]
    chosen = next((one for one in probe.tried if one.value == probe.chosen), None)
    if chosen is None or chosen.accuracy is None:
        return []
    found = []
    if len(values) > 1 and probe.chosen in (values[0], values[-1]):
        which = tr("weakest") if probe.chosen == values[0] else tr("strongest")
        found.append(
            CurveAdvice(
                "probe-edge",
                tr(
                    "the {which} regularization that was tried is the best, so the features hardly "
                    "tell the labels apart or do so perfectly.",
                    which=which,
                ),
            )
        )
    found.append(
        CurveAdvice(
            "probe",
            tr(
                "{accuracy:.3f} +- {error:.3f} on images left out is what the frozen base knows. "
                "Later strategies have to beat it, by more than this +-: a smaller difference may "
                "be chance.",
                accuracy=chosen.accuracy,
                error=chosen.error or 0.0,
            ),
        )
    )
    return found


def _too_fast(curves: TrainingCurves) -> CurveAdvice | None:
    lowest = math.inf
    for index, loss in enumerate(curves.stage(curves.loss)):
        if loss is None:
            continue
        jumped = loss >= JUMP_FACTOR * lowest and loss - lowest >= JUMP_LEAST
        if jumped and index >= curves.epochs - JUMP_EPOCHS:
            return CurveAdvice(
                "learning-rate-too-high",
                tr(
                    "training loss jumped from {lowest:.3f} to {loss:.3f} at epoch {epoch}.",
                    lowest=lowest,
                    loss=loss,
                    epoch=curves.first_epoch + index,
                ),
                tr("a learning rate 3 to 10 times lower"),
            )
        lowest = min(lowest, loss)
    return None


def _not_learning(curves: TrainingCurves) -> CurveAdvice | None:
    accuracies = curves.stage(curves.accuracy)[-GUESSING_EPOCHS:]
    known = [value for value in accuracies if value is not None]
    if curves.classes < 2 or len(known) < GUESSING_EPOCHS:
        return None
    guessing = 1 / curves.classes
    if max(known) >= guessing + GUESSING_MARGIN:
        return None
    return CurveAdvice(
        "not-learning",
        tr(
            "not learning: training accuracy {known:.3f} after {epochs} epochs; "
            "guessing gives {guessing:.3f}.",
            known=known[-1],
            epochs=curves.epochs,
            guessing=guessing,
        ),
        tr("another learning rate; check whether the labels fit the images"),
    )


def _worse_than_before(curves: TrainingCurves) -> CurveAdvice | None:
    if curves.epochs < WORSE_EPOCHS:
        return None
    values = curves.stage(curves.val_accuracy)
    first = 1 if curves.first_epoch == 0 else 0  # epoch 0: the head before its first step
    before = _highest(values[:first] or curves.val_accuracy[: curves.start])
    now = _highest(values[first:])
    if before is None or now is None or before - now < WORSE_ACCURACY:
        return None
    return CurveAdvice(
        "worse-than-before",
        tr(
            "fine-tuning made it worse: best validation accuracy {now:.3f}, "
            "{before:.3f} before it.",
            now=now,
            before=before,
        ),
        tr("a lower learning rate, or fewer blocks that train"),
    )


def _overfitting(curves: TrainingCurves) -> CurveAdvice | None:
    best = _lowest_index(curves.stage(curves.val_loss))
    losses, last = curves.stage(curves.loss), curves.epochs - 1
    if best is None or last - best < OVERFIT_EPOCHS:
        return None
    at_best, now = losses[best], losses[last]
    if at_best is None or now is None or now > OVERFIT_LOSS * at_best:
        return None
    training = curves.stage(curves.accuracy)[last]
    validation = curves.stage(curves.val_accuracy)[last]
    if training is None or validation is None or training - validation < OVERFIT_GAP:
        return None
    since = curves.first_epoch + best
    if training - validation >= STRONG_GAP:
        sentence = tr(
            "strong overfitting since epoch {best}: training accuracy "
            "{training:.3f}, validation {validation:.3f}.",
            best=since,
            training=training,
            validation=validation,
        )
    else:
        sentence = tr(
            "mild overfitting since epoch {best}: training accuracy "
            "{training:.3f}, validation {validation:.3f}.",
            best=since,
            training=training,
            validation=validation,
        )
    or_else = tr("fewer weights that train") if curves.pretrained else tr("a pretrained base")
    step = tr("augmentation, more dropout, or {or_else}", or_else=or_else)
    if curves.augmented:
        step = tr("more dropout or {or_else}", or_else=or_else)
    return CurveAdvice("overfitting", sentence, step)


def _stalled(curves: TrainingCurves) -> CurveAdvice | None:
    if curves.best is None or curves.best < curves.start:
        return None
    since = len(curves.loss) - 1 - curves.best
    if since < STALLED_EPOCHS:
        return None
    known = {"val_loss": curves.val_loss, "val_accuracy": curves.val_accuracy}
    best = known.get(curves.monitor, curves.val_score)[curves.best]
    value = "" if best is None else tr("{best:.3f} at ", best=best)
    left, stops = curves.patience - since, ""
    remaining = curves.planned - curves.number(len(curves.loss) - 1)
    ends_before = curves.planned and left >= remaining
    if curves.patience and curves.working and not ends_before:
        stops = tr("; stops in {left}", left=left) if left > 0 else tr("; stops now")
    return CurveAdvice(
        "stalled",
        tr(
            "{name}: no gain for {epochs} (best {value}epoch {number}){stops}.",
            name=describe_monitor(curves.monitor),
            epochs=plural(since, "epoch"),
            value=value,
            number=curves.number(curves.best),
            stops=stops,
        ),
    )


def _underfitting(curves: TrainingCurves) -> CurveAdvice | None:
    accuracies = curves.stage(curves.accuracy)
    if curves.epochs < UNDERFIT_EPOCHS:
        return None
    recent = _highest(accuracies[-UNDERFIT_WINDOW:])
    before = _highest(accuracies[:-UNDERFIT_WINDOW])
    if recent is None or before is None:
        return None
    if recent >= UNDERFIT_ACCURACY or recent - before >= UNDERFIT_GAIN:
        return None
    return CurveAdvice(
        "underfitting",
        tr("underfitting: training accuracy rests at {recent:.3f}.", recent=recent),
        tr("a larger network, less dropout, or more blocks that train"),
    )


def _still_learning(curves: TrainingCurves) -> CurveAdvice | None:
    losses = curves.stage(curves.val_loss)
    if len(losses) <= LEARNING_EPOCHS or _lowest_index(losses) != len(losses) - 1:
        return None
    now, before = losses[-1], losses[-1 - LEARNING_EPOCHS]
    if now is None or before is None or before - now < LEARNING_GAIN * abs(before):
        return None
    return CurveAdvice(
        "still-learning",
        tr(
            "still learning: validation loss fell from {before:.3f} to "
            "{now:.3f} over the last {learning_epochs} epochs.",
            before=before,
            now=now,
            learning_epochs=LEARNING_EPOCHS,
        ),
        tr("more epochs, should it end like this") if curves.working else tr("more epochs"),
    )


def _few_images(curves: TrainingCurves) -> CurveAdvice | None:
    measured = [value for value in curves.stage(curves.val_accuracy) if value is not None]
    images = curves.validation_images
    if not measured or images < 1:
        return None
    low, high = accuracy_interval(measured[-1], images)
    half = (high - low) / 2
    if half <= NOISE:
        return None
    return CurveAdvice(
        "few-validation-images",
        tr(
            "{validation_images}: accuracies closer than {half:.2f} are not distinguishable.",
            validation_images=plural(images, "validation image"),
            half=half,
        ),
        tr("more validation images"),
    )


def _no_validation(curves: TrainingCurves) -> CurveAdvice | None:
    if any(value is not None for value in curves.stage(curves.val_loss)):
        return None
    return CurveAdvice(
        "no-validation",
        tr("without validation images, learning cannot be distinguished from memorizing."),
        tr("a validation split"),
    )


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _lowest_index(values: Sequence[float | None]) -> int | None:
    """Return the index of the lowest value, the earliest of equals."""
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    return min(known)[1] if known else None


_RULES: tuple[Callable[[TrainingCurves], CurveAdvice | None], ...] = (
    _too_fast,
    _not_learning,
    _worse_than_before,
    _stalled,
    _overfitting,
    _underfitting,
    _still_learning,
    _few_images,
    _no_validation,
)
# Advice that would only confuse beside more important advice.
_SILENCED_BY = {
    "underfitting": frozenset({"not-learning", "overfitting"}),
    "stalled": frozenset({"not-learning"}),
    "overfitting": frozenset({"learning-rate-too-high"}),
}
