"""What to try after a run, with the reason in its own numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.bases.weights import IMAGENET, RANDOM
from workbench.experiment.presets import PRESETS, SMALL_PICTURES
from workbench.experiment.spec_advice import FINE_TUNING_GAIN, MANY_PHOTOGRAPHS
from workbench.messages import tr
from workbench.runs.fields import spec_table, text, whole
from workbench.runs.history import History
from workbench.runs.results import Results
from workbench.text import format_shape, plural
from workbench.words import shown

OVERFITTING = 0.05  # training accuracy above validation accuracy, from which on it is mentioned
LITTLE_LEFT = 0.99  # test accuracy from which on a higher strategy can gain hardly anything
LOST_BY_SHIFT = 0.1  # accuracy, from which on positions and not objects were learned


@dataclass(frozen=True)
class NextStep:
    """What to try after a run.

    Attributes:
        text: which strategy, and why.
        preset: its name; "" for other advice.
        weights: of the base, if they should be others than the run's.
    """

    text: str
    preset: str = ""
    weights: str = ""


def suggest_next(spec: Mapping[str, Any], history: History, results: Results) -> NextStep | None:
    """Suggest what to try next, with the reason in the run's own numbers; None if unknown.

    The spec is given as its TOML tables, unchecked.
    """
    strategy = text(spec_table(spec, "model").get("strategy"))
    reached = tr(
        "{split} accuracy {accuracy:.3f}", split=shown(results.split), accuracy=results.accuracy
    )
    images = history.images.get("train")
    few = f"{plural(images, 'training image')}" if images else tr("so few images")
    if spec_table(spec, "base").get("weights") == RANDOM:
        why = tr(
            "a frozen base with random ones knows nothing, and {reached} shows it.", reached=reached
        )
        preset = text(spec.get("preset"))
        again = preset if preset in PRESETS else strategy
        return NextStep(
            tr("the same with ImageNet weights: {why}", why=why), _known(again), IMAGENET
        )
    if strategy == "dense" and results.shifted:
        pixels, shifted = results.shifted
        if results.accuracy - shifted >= LOST_BY_SHIFT:
            return _next_step(
                "convnet",
                tr(
                    "{reached} falls to {shifted:.3f} with the images moved by "
                    "{pixels}. Dense layers learn each position of the image "
                    "separately; windows that move over it find an object at any "
                    "position.",
                    reached=reached,
                    shifted=shifted,
                    pixels=plural(pixels, "pixel"),
                ),
            )
    if results.accuracy >= LITTLE_LEFT:
        return NextStep(
            tr(
                "at {reached} there is little left to gain: review the errors one by one.",
                reached=reached,
            )
        )
    if strategy == "dense":
        return _next_step(
            "convnet",
            tr(
                "dense layers learn each position of the image separately; windows "
                "that move over it find an object at any position ({reached} is the "
                "baseline).",
                reached=reached,
            ),
        )
    if strategy == "convnet":
        return _after_convnet(spec, history, few, reached)
    if strategy == "linear-probe" and images and images < MANY_PHOTOGRAPHS:
        gain, spread = FINE_TUNING_GAIN
        return NextStep(
            tr(
                "right labels before another strategy: review the errors and the labels that may "
                "be wrong, one by one. With {few}, fine-tuning is hardly worth its time: as "
                "measured by this project, it added {gain:.1f} points (+- {spread:.1f}) to a "
                "linear probe of 360 photographs. Try it on kinds of images that the base does not "
                "know.",
                few=few,
                gain=gain,
                spread=spread,
            )
        )
    if strategy == "linear-probe":
        return _next_step(
            "fine-tuning",
            tr(
                "{reached} is what the frozen base knows of your images; letting its upper blocks "
                "adapt may raise it, above all on kinds of images that it does not know.",
                reached=reached,
            ),
        )
    if strategy == "feature-extraction":
        return _next_step(
            "fine-tuning",
            tr(
                "the base has never seen your images; letting its upper block adapt "
                "may raise {reached}, above all on kinds of images that it does not "
                "know.",
                reached=reached,
            ),
        )
    if strategy == "fine-tuning":
        return NextStep(
            tr(
                "{reached} with all that there is to adapt. If a linear probe of these images has "
                "as much, keep that one: it is made sooner. What remains are "
                "more images, above all of the kinds among the errors, or another base.",
                reached=reached,
            )
        )
    return None


def _after_convnet(spec: Mapping[str, Any], history: History, few: str, reached: str) -> NextStep:
    best, small = history.kept, _small_images(spec)
    changes = spec_table(spec, "augmentation")
    augmented = any(value for key, value in changes.items() if key != "fill")
    if augmented and small:
        return NextStep(
            tr(
                "a convnet suits images of {small}, which are unlike the "
                "photographs that pretrained networks know. To improve on "
                "{reached}, add images, above all of the kinds among the errors, or "
                "train a larger convnet.",
                small=small,
                reached=reached,
            )
        )
    if augmented:
        return _next_step(
            "feature-extraction",
            tr(
                "{few} are few to learn features from ({reached}); a pretrained "
                "base has learned them from 1.2 million.",
                few=few,
                reached=reached,
            ),
        )
    if best and best.accuracy is not None and best.val_accuracy is not None:
        gap = best.accuracy - best.val_accuracy
        if gap >= OVERFITTING:
            return _next_step(
                "convnet-augmented",
                tr(
                    "training {accuracy:.3f} against validation {val_accuracy:.3f} is "
                    "overfitting, and images that change in every epoch cannot be "
                    "memorized.",
                    accuracy=best.accuracy,
                    val_accuracy=best.val_accuracy,
                ),
            )
    if small:
        return _next_step(
            "convnet-augmented",
            tr(
                "with {few} and {reached}, more variety helps: images of {small} "
                "are unlike the photographs that pretrained networks know.",
                few=few,
                reached=reached,
                small=small,
            ),
        )
    return NextStep(
        tr(
            "convnet-augmented and then feature-extraction: with {few} and "
            "{reached}, more variety helps first, and then the features of a "
            "pretrained base.",
            few=few,
            reached=reached,
        ),
        "convnet-augmented",
    )


def _small_images(spec: Mapping[str, Any]) -> str:
    """Return height x width of images that are not photographs, as `recommend` decides; else ""."""
    size = spec_table(spec, "data").get("image_size")
    sides = [whole(side) for side in size] if isinstance(size, list | tuple) else []
    known = tuple(side for side in sides if side)
    return format_shape(known) if len(known) == 2 and max(known) <= SMALL_PICTURES else ""


def _next_step(preset: str, why: str) -> NextStep:
    return NextStep(f"{preset}: {why}", preset)


def _known(preset: str) -> str:
    return preset if preset in PRESETS else ""
