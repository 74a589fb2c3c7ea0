"""The results of a run: validated metrics, caveats about them, and what the book reached."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.experiment.metrics import SCORES
from workbench.experiment.presets import REFERENCE_ACCURACY
from workbench.messages import tr
from workbench.runs.confusion import ClassMetrics, Confusion, parse_confusion
from workbench.runs.fields import number, whole
from workbench.runs.score import Score
from workbench.text import safe_text
from workbench.words import reason_of

MIRRORED = tr("Probabilities of each image and its mirror image were averaged.")
_ON_MNIST = ("book-dense", "book-mnist")
_ON_BASE = ("feature-extraction", "fine-tuning")  # presets of the book with a base: VGG16


@dataclass(frozen=True)
class WorstError:
    """A wrong prediction.

    Attributes:
        probability: of the predicted label.
        of_label: probability of the true label, None if unknown.
    """

    path: str
    label: str
    predicted: str
    probability: float
    of_label: float | None = None


@dataclass(frozen=True)
class Results:
    """The content of results.json.

    Attributes:
        interval: of the accuracy, with 95 % confidence.
        leaked: number of images that are training images too.
        near_leaked: number of others that look nearly the same as a training image.
        shifted: (pixels, accuracy) with shifted images.
        scores: other metrics by their names; {} in results of an earlier version.
        mirrored: whether the probabilities of each image and its mirror image were averaged.
    """

    split: str
    images: int
    accuracy: float
    interval: tuple[float, float]
    loss: float | None
    labels: tuple[str, ...]
    confusion: Confusion
    classes: tuple[ClassMetrics, ...]
    worst: tuple[WorstError, ...]
    random_weights: bool = False
    leaked: int = 0
    near_leaked: int = 0
    shifted: tuple[int, float] | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    mirrored: bool = False

    @property
    def wrong(self) -> int:
        """Number of wrong predictions."""
        return self.images - round(self.accuracy * self.images)


def read_results(path: Path) -> Results:
    """Read the results of a run.

    Raises:
        UserError: The file does not exist, cannot be read, or is damaged.
    """
    try:
        return parse_results(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(
            tr("There are no results yet."), tr("They are written when training has ended.")
        ) from None
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(tr("The results cannot be read: {reason}.", reason=reason)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            tr("{path} is damaged.", path=safe_text(path)),
            tr(
                "Measure again: workbench evaluate {parent_name} --again",
                parent_name=safe_text(path.parent.name),
            ),
        ) from None


def parse_results(metrics: Mapping[str, Any]) -> Results:
    """Read results from plain data.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: Something is missing or of another type.
    """
    low, high = metrics["interval"]
    labels = tuple(map(str, metrics["labels"]))
    shifted = metrics.get("shifted")
    return Results(
        split=str(metrics["split"]),
        images=_count(metrics["images"]),
        accuracy=_finite(metrics["accuracy"]),
        interval=(_finite(low), _finite(high)),
        loss=number(metrics.get("loss")),
        labels=labels,
        confusion=parse_confusion(metrics, labels),
        classes=tuple(_parse_class(row) for row in metrics["classes"]),
        worst=tuple(_parse_error(row) for row in metrics["worst"]),
        random_weights=metrics.get("weights") == "random",
        leaked=whole(metrics.get("leaked")) or 0,
        near_leaked=whole(metrics.get("near_leaked")) or 0,
        shifted=(_count(shifted["pixels"]), _finite(shifted["accuracy"])) if shifted else None,
        scores=_parse_scores(metrics),
        mirrored=metrics.get("mirrored") is True,
    )


def caveats(results: Results) -> list[str]:
    """Return what reduces the value of the metrics, a sentence each."""
    found = []
    if results.random_weights:
        found.append(tr("The base had random weights, as asked for."))
    if results.split == "validation":
        found.append(tr("These images chose the best epoch, so expect a little less on new ones."))
    if results.leaked:
        found.append(
            tr(
                "Note: {leaked:,} of these images are training images too, so this is too good.",
                leaked=results.leaked,
            )
        )
    if results.near_leaked:
        found.append(
            tr(
                "Note: {near_leaked:,} of these images look nearly the same as a "
                "training image, so this may be too good.",
                near_leaked=results.near_leaked,
            )
        )
    if warning := _warn_of_guessing(results):
        found.append(warning)
    return found


def describe_reference(preset: str | None, labels: Sequence[str] | None = None) -> str:
    """Format the accuracy of the book and its readers with a preset; "" if unknown.

    Args:
        preset: of the run.
        labels: of the run; with those of other images than the book's there is nothing to compare.
            None for any.
    """
    preset = preset or ""
    reference = REFERENCE_ACCURACY.get(preset)
    if reference is None or (labels is not None and not _are_of_book(preset, labels)):
        return ""
    parts = [tr("book {book:.3f}", book=reference.book)] if reference.book is not None else []
    parts += (
        [tr("readers {readers:.3f}", readers=reference.readers)]
        if reference.readers is not None
        else []
    )
    images = reference_images(preset)
    if preset.removeprefix("book-").startswith(_ON_BASE):
        return tr("{parts} on {images} with VGG16", parts=", ".join(parts), images=images)
    return tr("{parts} on {images}", parts=", ".join(parts), images=images)


def _are_of_book(preset: str, labels: Sequence[str]) -> bool:
    """Return whether labels are those of the images on which the book measured a preset."""
    names = {label.lower().removesuffix("s") for label in labels}
    if preset in _ON_MNIST:
        return names == set("0123456789")
    return names == {"cat", "dog"}


def reference_images(preset: str) -> str:
    """Return the data on which the book measured a preset."""
    return "MNIST" if preset in _ON_MNIST else tr("cats and dogs")


def _warn_of_guessing(results: Results) -> str:
    """Warn if always predicting the most frequent label may be as good."""
    if not results.classes or not results.images:
        return ""
    most = max(results.classes, key=lambda one: one.images)
    share = most.images / results.images
    if results.interval[0] > share:
        return ""
    label = safe_text(most.label)
    return tr(
        "Not beyond guessing: always saying {label} would be right for {share:.4f}.",
        label=label,
        share=share,
    )


def _parse_class(row: Mapping[str, Any]) -> ClassMetrics:
    return ClassMetrics(
        str(row["label"]), _count(row["images"]), number(row["precision"]), number(row["recall"])
    )


def _parse_error(row: Mapping[str, Any]) -> WorstError:
    loss = number(row.get("loss"))  # the crossentropy of the image
    return WorstError(
        str(row["path"]),
        str(row["label"]),
        str(row["predicted"]),
        _finite(row["probability"]),
        None if loss is None else math.exp(-loss),
    )


def _parse_scores(metrics: Mapping[str, Any]) -> dict[str, Score]:
    found = {name: Score.read(metrics[name]) for name in SCORES if metrics.get(name)}
    return {name: score for name, score in found.items() if score.value is not None}


def _count(value: Any) -> int:
    found = whole(value)
    if found is None:
        raise ValueError(f"{value!r} is not a count")
    return found


def _finite(value: Any) -> float:
    found = number(value)
    if found is None or not math.isfinite(found):
        raise ValueError(f"{value!r} is not a number")
    return found
