"""What a run's results amount to: figures that can be trusted to be there, and words on them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bases.weights import IMAGENET, RANDOM
from workbench.errors import UserError
from workbench.experiment.presets import PRESETS
from workbench.experiment.strategies import FIGURES
from workbench.experiment.strategy_texts import SMALL_PICTURES
from workbench.runs.confusion import ClassFigures, Confusion, parse_confusion
from workbench.runs.history import History
from workbench.runs.rows import number, text, whole
from workbench.text import human_size, plural, safe_text

OVERFITTING = 0.05  # training accuracy above validation accuracy from which it is worth a word
LITTLE_LEFT = 0.99  # test accuracy from which a higher rung can bring hardly anything
LOST_BY_SHIFT = 0.1  # of accuracy, from which places and not things were learned
_ON_BASE = ("feature-extraction", "fine-tuning")  # presets of the book with a base: VGG16


@dataclass(frozen=True)
class WorstError:
    """A wrong prediction; `probability` is that of the predicted label."""

    path: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Results:
    """The content of results.json.

    Attributes:
        interval: of the accuracy, with 95 % confidence.
        confusion: which labels were taken for which.
        leaked: how many of the images are training images too.
        near_leaked: how many more look nearly the same as a training image.
        shifted: (pixels, accuracy) with shifted images.
    """

    split: str
    images: int
    accuracy: float
    interval: tuple[float, float]
    loss: float | None
    labels: tuple[str, ...]
    confusion: Confusion
    classes: tuple[ClassFigures, ...]
    worst: tuple[WorstError, ...]
    random_weights: bool = False
    leaked: int = 0
    near_leaked: int = 0
    shifted: tuple[int, float] | None = None

    @property
    def wrong(self) -> int:
        """How many images were called something else."""
        return self.images - round(self.accuracy * self.images)


@dataclass(frozen=True)
class NextRung:
    """What to try after a run.

    Attributes:
        words: which rung, and why.
        preset: its name; "" where it is no rung.
        weights: of the base, where they are to be others than the run's.
    """

    words: str
    preset: str = ""
    weights: str = ""


def read_results(path: Path) -> Results:
    """The results of a run.

    Raises:
        UserError: there is no such file, it cannot be read, or it is damaged.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return parse_results(told)
    except FileNotFoundError:
        raise UserError(
            "There are no results yet.", "They are written when training has ended."
        ) from None
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"The results cannot be read: {reason}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f"{safe_text(path)} is damaged.",
            f"Measure again: workbench evaluate {safe_text(path.parent.name)} --again",
        ) from None


def parse_results(told: Mapping[str, Any]) -> Results:
    """The results in plain data.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: something is missing or of another kind.
    """
    low, high = told["interval"]
    labels = tuple(map(str, told["labels"]))
    shifted = told.get("shifted")
    return Results(
        split=str(told["split"]),
        images=_count(told["images"]),
        accuracy=_finite(told["accuracy"]),
        interval=(_finite(low), _finite(high)),
        loss=number(told.get("loss")),
        labels=labels,
        confusion=parse_confusion(told, labels),
        classes=tuple(_class(row) for row in told["classes"]),
        worst=tuple(_worst(row) for row in told["worst"]),
        random_weights=told.get("weights") == "random",
        leaked=whole(told.get("leaked")) or 0,
        near_leaked=whole(told.get("near_leaked")) or 0,
        shifted=(_count(shifted["pixels"]), _finite(shifted["accuracy"])) if shifted else None,
    )


def cautions(results: Results) -> list[str]:
    """What takes worth from the figures, a sentence each."""
    found = []
    if results.random_weights:
        found.append("The base had random weights, as asked for.")
    if results.split == "validation":
        found.append("These images chose the best epoch, so expect a little less on new ones.")
    if results.leaked:
        found.append(
            f"Mind: {results.leaked:,} of these images are training images too, so this is too "
            "good."
        )
    if results.near_leaked:
        found.append(
            f"Mind: {results.near_leaked:,} of these images look nearly the same as a training "
            "image, so this may be too good."
        )
    if guess := _guessing(results):
        found.append(guess)
    return found


def figures_beside(preset: str | None) -> str:
    """What the book or its readers got with a preset, and on what; "" where there is no figure."""
    preset = preset or ""
    figures = FIGURES.get(preset)
    if figures is None:
        return ""
    base = " with VGG16" if preset.removeprefix("book-").startswith(_ON_BASE) else ""
    told = [f"book {figures.book:.3f}"] if figures.book is not None else []
    told += [f"readers {figures.readers:.3f}"] if figures.readers is not None else []
    return f"{', '.join(told)} on {book_images(preset)}{base}"


def book_images(preset: str) -> str:
    """What the book's figures for a preset were measured on."""
    return "MNIST" if preset in ("book-dense", "book-mnist") else "cats and dogs"


def next_rung(spec: Mapping[str, Any], history: History, results: Results) -> NextRung | None:
    """Which rung to climb next, with the reason in the run's own numbers; None where none is known.

    Args:
        spec: its tables, unchecked.
    """
    strategy = text(_table(spec, "model").get("strategy"))
    reached = f"{results.split} accuracy {results.accuracy:.3f}"
    images = history.images.get("train")
    few = f"{plural(images, 'training image')}" if images else "so few images"
    if _table(spec, "base").get("weights") == RANDOM:
        why = f"a frozen base with random ones knows nothing, and {reached} shows it."
        preset = text(spec.get("preset"))
        again = preset if preset in PRESETS else strategy
        return NextRung(f"the same with ImageNet weights: {why}", _known(again), IMAGENET)
    if strategy == "dense" and results.shifted:
        pixels, shifted = results.shifted
        if results.accuracy - shifted >= LOST_BY_SHIFT:
            return _rung(
                "convnet",
                f"{reached} falls to {shifted:.3f} with the images moved by "
                f"{plural(pixels, 'pixel')}. Dense layers learn each place of the image anew; "
                "windows that move over it find a thing wherever it is.",
            )
    if results.accuracy >= LITTLE_LEFT:
        return NextRung(
            f"at {reached} there is little left to gain: look at the errors one by one."
        )
    if strategy == "dense":
        return _rung(
            "convnet",
            "dense layers learn each place of the image anew; windows that move "
            f"over it find a thing wherever it is ({reached} is the baseline).",
        )
    if strategy == "convnet":
        return _after_convnet(spec, history, few, reached)
    if strategy == "feature-extraction":
        return _rung(
            "fine-tuning",
            "the base has never seen your images; letting its upper block "
            f"adapt may lift {reached}, wherever the errors are of kinds it does not know.",
        )
    if strategy == "fine-tuning":
        return NextRung(
            f"this is the top rung, with {reached}: what is left are more images, above all of "
            "the kinds among the errors, or another base."
        )
    return None


def _after_convnet(spec: Mapping[str, Any], history: History, few: str, reached: str) -> NextRung:
    best, small = history.kept, _small_images(spec)
    augmented = any(value for key, value in _table(spec, "augmentation").items() if key != "fill")
    if augmented and small:
        return NextRung(
            f"a convnet is the rung for images of {small}, which are unlike the photographs that "
            f"pretrained networks know. Beyond {reached} lead more images, above all of the kinds "
            "among the errors, or a larger convnet."
        )
    if augmented:
        return _rung(
            "feature-extraction",
            f"{few} are few to learn seeing from ({reached}); a "
            "pretrained base has learned it from 1.2 million.",
        )
    if best and best.accuracy is not None and best.val_accuracy is not None:
        gap = best.accuracy - best.val_accuracy
        if gap >= OVERFITTING:
            return _rung(
                "convnet-augmented",
                f"training {best.accuracy:.3f} against validation {best.val_accuracy:.3f} is "
                "overfitting, and images changed anew in every epoch cannot be learned by heart.",
            )
    if small:
        return _rung(
            "convnet-augmented",
            f"with {few} and {reached}, more variety is what helps: images of {small} are unlike "
            "the photographs that pretrained networks know.",
        )
    return NextRung(
        f"convnet-augmented and then feature-extraction: with {few} and {reached}, more "
        "variety helps first, and then what a pretrained base has seen.",
        "convnet-augmented",
    )


def _small_images(spec: Mapping[str, Any]) -> str:
    """Height x width of pictures that are no photographs, as `recommend` sees it; else ""."""
    size = _table(spec, "data").get("image_size")
    sides = [whole(side) for side in size] if isinstance(size, list | tuple) else []
    known = tuple(side for side in sides if side)
    return human_size(known) if len(known) == 2 and max(known) <= SMALL_PICTURES else ""


def _rung(preset: str, why: str) -> NextRung:
    return NextRung(f"{preset}: {why}", preset)


def _known(preset: str) -> str:
    return preset if preset in PRESETS else ""


def _guessing(results: Results) -> str:
    """Said where always naming the most frequent label would do as well, within chance."""
    if not results.classes or not results.images:
        return ""
    most = max(results.classes, key=lambda one: one.images)
    share = most.images / results.images
    if results.interval[0] > share:
        return ""
    label = safe_text(most.label)
    return f"Not beyond guessing: always saying {label} would be right for {share:.4f}."


def _class(row: Mapping[str, Any]) -> ClassFigures:
    return ClassFigures(
        str(row["label"]), _count(row["images"]), number(row["precision"]), number(row["recall"])
    )


def _worst(row: Mapping[str, Any]) -> WorstError:
    return WorstError(
        str(row["path"]), str(row["label"]), str(row["predicted"]), _finite(row["probability"])
    )


def _count(value: Any) -> int:
    found = whole(value)
    if found is None:
        raise ValueError(f"{value!r} is no count")
    return found


def _finite(value: Any) -> float:
    found = number(value)
    if found is None or not math.isfinite(found):
        raise ValueError(f"{value!r} is no number")
    return found


def _table(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = spec.get(name)
    return table if isinstance(table, Mapping) else {}
