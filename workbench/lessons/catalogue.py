"""The experiments by name: the question, what is varied, what is measured."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from workbench.errors import UserError
from workbench.lessons import variants
from workbench.lessons.variants import Setting, Variant
from workbench.text import one_of, safe_text

THREE = (1, 2, 3)
SHIFT_STEPS = 6  # accuracy is measured at each, unmoved images besides
DIRECTIONS = 8  # in which images are moved at each step
JUDGED_SHIFT = 2  # the step at which networks are held against each other, chosen beforehand


@dataclass(frozen=True)
class Experiment:
    """Something that the chapter says, to be seen on one's own images.

    Attributes:
        question: what it answers, in a line.
        section: of "Deep Learning with Python", first edition.
        concepts: names of the app's explanations that belong to it.
        variants: the networks that are held against each other.
        seeds: of weights, order and choice of images, where nobody names others.
        shifts: whether accuracy is measured on moved test images too.
        rings: whether the last convolution's map is measured ring by ring.
        on_base: whether it needs a pretrained network.
    """

    name: str
    title: str
    question: str
    section: str
    concepts: tuple[str, ...]
    variants: Callable[[Setting], tuple[Variant, ...]]
    seeds: tuple[int, ...] = THREE
    shifts: bool = False
    rings: bool = False
    on_base: bool = False


_ALL = (
    Experiment(
        "translation",
        "Dense against convolution, on moved images",
        "Which network still knows an image that was moved by some pixels?",
        "5.1.1",
        ("local-patterns",),
        variants.translation,
        shifts=True,
    ),
    Experiment(
        "borders",
        "Padding, stride and the border",
        "What do padding and stride do to a map's size, and to the values at its border?",
        "5.1.1",
        ("border-effect", "stride"),
        variants.borders,
        seeds=(1, 2),
        rings=True,
    ),
    Experiment(
        "pooling",
        "With and without max pooling",
        "What does pooling do to parameters, to the receptive field, and to overfitting?",
        "5.1.2",
        ("max-pooling", "parameters"),
        variants.pooling,
    ),
    Experiment(
        "overfitting",
        "Dropout and augmentation against overfitting",
        "Does the gap between training and validation shrink, and does accuracy gain?",
        "5.2.5",
        ("overfitting", "augmentation", "dropout"),
        variants.overfitting,
    ),
    Experiment(
        "how-much-data",
        "Accuracy over the number of images",
        "What would twice as many images bring?",
        "5.2.1",
        ("overfitting", "interval"),
        variants.how_much_data,
    ),
    Experiment(
        "recompile",
        "Freezing, and the compile that is forgotten",
        "When does a change of `trainable` take effect?",
        "5.3.1",
        ("recompiling", "freezing"),
        variants.recompile,
        seeds=(1,),
    ),
    Experiment(
        "two-ways",
        "Feature extraction: computed once, or in every epoch",
        "Are the two ways of feature extraction equally accurate, and what does each cost?",
        "5.3.1",
        ("feature-extraction",),
        variants.two_ways,
        seeds=(1,),
        on_base=True,
    ),
    Experiment(
        "preprocessing",
        "The base's own preprocessing against 1/255",
        "Does it matter how pixels are scaled for a pretrained base?",
        "5.3.1",
        ("preprocessing",),
        variants.preprocessing,
        on_base=True,
    ),
    Experiment(
        "head-first",
        "Fine-tuning with and without training the head first",
        "What does an untrained head do to the blocks below it?",
        "5.3.2",
        ("head-first",),
        variants.head_first,
        on_base=True,
    ),
    Experiment(
        "depth",
        "Upper blocks, lower blocks, everything",
        "Which part of the base is worth training?",
        "5.3.2",
        ("upper-layers", "transfer"),
        variants.depth,
        seeds=(1, 2),
        on_base=True,
    ),
)

EXPERIMENTS = {experiment.name: experiment for experiment in _ALL}


def find_experiment(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    close = difflib.get_close_matches(name, EXPERIMENTS, n=1)
    raise UserError(
        f"There is no experiment {safe_text(repr(name))}; allowed: {one_of(list(EXPERIMENTS))}.",
        f"Did you mean {close[0]}?" if close else "`workbench learn` tells what each is about.",
    )
