"""When a difference between two variants counts as one, and how conclusions phrase it.

Both are trained with the same seeds and measured on the same images. Two things make their results
differ by chance: the seeds, and the choice of the measured images. A difference counts where its
mean over the seeds is larger than twice the standard error of both together, and at least one
point of accuracy.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from workbench import text
from workbench.lessons.lesson import LessonResults
from workbench.lessons.titles import lesson_title
from workbench.messages import tr

# Differences by chance are smaller in about 95 of 100 cases, in fewer where two or three seeds
# disagree, since their spread is then hardly known.
STANDARD_ERRORS = 2.0
MIN_DIFFERENCE = 0.01  # a point of accuracy: less does not matter
MIN_RATIO = 1.2  # of seconds or movement: less does not matter

Values = Sequence[Sequence[float]]  # for each seed, a value for each image: 1 correct, 0 wrong


@dataclass(frozen=True)
class PairedDifference(ABC):
    """The second of two compared with the first.

    Attributes:
        mean: over the seeds.
        noise: how large it may be by chance.
    """

    minimum: ClassVar[float]

    mean: float
    noise: float

    @property
    @abstractmethod
    def reverse(self) -> float:
        """The mean of the first compared with the second."""

    @property
    def larger(self) -> bool:
        """Whether the second is larger, beyond the noise."""
        return self.mean > self.noise and self.mean >= self.minimum

    @property
    def smaller(self) -> bool:
        """Whether the second is smaller, beyond the noise."""
        return self.reverse > self.noise and self.reverse >= self.minimum

    @property
    def seen(self) -> bool:
        """Whether there is a difference beyond the noise, in either direction."""
        return self.larger or self.smaller

    def choose(self, larger: str, smaller: str, neither: str = tr("no difference seen")) -> str:
        """Return the text for the outcome."""
        return larger if self.larger else smaller if self.smaller else neither


class AccuracyDifference(PairedDifference):
    """Second minus first, as a share of 1."""

    minimum = MIN_DIFFERENCE

    @property
    def reverse(self) -> float:
        """First minus second."""
        return -self.mean

    def __str__(self) -> str:
        """In points: +3.2 points, noise 1.9."""
        return tr(
            "{difference:+.1f} points, noise {noise:.1f}",
            difference=100 * self.mean,
            noise=100 * self.noise,
        )


class Ratio(PairedDifference):
    """Second divided by first; the noise is a factor, 1 or more."""

    minimum = MIN_RATIO

    @property
    def reverse(self) -> float:
        """First divided by second."""
        return 1 / self.mean

    def __str__(self) -> str:
        """As a factor: 1.75 times, noise 1.21."""
        return tr("{mean:.2f} times, noise {noise:.2f}", mean=self.mean, noise=self.noise)


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Return the geometric mean of second / first over the seeds, noise from their spread.

    Args:
        first: a value above 0 for each seed.
        second: likewise.

    Raises:
        ValueError: they differ in number, are empty, or not above 0.
    """
    logs = [math.log(b) - math.log(a) for a, b in zip(first, second, strict=True)]
    noise = STANDARD_ERRORS * math.sqrt(_variance_of_mean(logs))
    return Ratio(math.exp(fmean(logs)), math.exp(noise))


def difference(first: Values, second: Values) -> AccuracyDifference:
    """Return the difference of two variants that were measured on the same images.

    Raises:
        ValueError: seeds or images differ in number, or there are none.
    """
    return sum_of_means(minus(second, first))


def minus(values: Values, others: Values) -> list[list[float]]:
    """Subtract image by image and seed by seed, so that images hard for both add no noise."""
    return [
        [a - b for a, b in zip(one, other, strict=True)]
        for one, other in zip(values, others, strict=True)
    ]


def sum_of_means(*parts: Values) -> AccuracyDifference:
    """Return the sum of the means of parts that were measured on different images.

    The seeds make a variance of s^2 / seeds over their sums; the images of each part one of
    s^2 / images over their means. The latter does not shrink with more seeds, since all of these
    are measured on the same images.
    """
    each = [sum(fmean(values) for values in of_seed) for of_seed in zip(*parts, strict=True)]
    by_images = sum(
        _variance_of_mean([fmean(values) for values in zip(*part, strict=True)]) for part in parts
    )
    noise = STANDARD_ERRORS * math.sqrt(_variance_of_mean(each) + by_images)
    return AccuracyDifference(fmean(each), noise)


def _variance_of_mean(values: Sequence[float]) -> float:
    """Return s^2 / n; 0 for a single value, which has no spread."""
    if len(values) < 2:
        return 0.0
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)


def percent(share: float) -> str:
    """Return "95.3 %" for 0.953."""
    return text.percent(share, 1)


def points(share: float) -> str:
    """Return "13.1 points" for 0.131."""
    return tr("{share:.1f} points", share=100 * share)


def size_share(share: float) -> str:
    """Return "1.95 %" for 0.0195: a movement relative to the size of the weights."""
    return text.percent(share, 2)


def accuracy_difference(results: LessonResults, first: str, second: str) -> AccuracyDifference:
    """Return the second variant's accuracy minus the first's."""
    return difference(results.right(first, "measured"), results.right(second, "measured"))


def gap_difference(results: LessonResults, first: str, second: str) -> AccuracyDifference:
    """Return the gap between training and validation of the second minus that of the first."""
    training = minus(results.right(second, "train"), results.right(first, "train"))
    validation = minus(results.right(first, "validation"), results.right(second, "validation"))
    return sum_of_means(training, validation)


def format_gap(results: LessonResults, variant: str) -> str:
    """Return the mean gap of a variant in points."""
    return points(fmean(results.gaps(variant)))


def format_accuracy(results: LessonResults, variant: str) -> str:
    """Return the mean accuracy of a variant in percent."""
    return percent(results.mean(variant, "accuracy"))


def size_of(found: AccuracyDifference) -> str:
    """Return how large a difference is, without its direction."""
    return tr(
        "by {points} (noise {noise:.1f})",
        points=points(abs(found.mean)),
        noise=100 * found.noise,
    )


def which_is_better(found: AccuracyDifference, first: str, second: str) -> str:
    """Return which of the two is better, or that no difference was seen."""
    size = size_of(found)
    return found.choose(
        tr("{second} is better, {size}", second=lesson_title(second), size=size),
        tr("{first} is better, {size}", first=lesson_title(first), size=size),
        tr("no difference seen ({found})", found=found),
    )


def compare_accuracies(results: LessonResults, first: str, second: str) -> str:
    """Return both accuracies, and which is better."""
    each = ", ".join(
        f"{lesson_title(name)} {format_accuracy(results, name)}" for name in (first, second)
    )
    found = accuracy_difference(results, first, second)
    return f"{each}: {which_is_better(found, first, second)}."


def accuracy_sentence(results: LessonResults, first: str, second: str) -> str:
    """Return a complete sentence that compares two accuracies."""
    compared = compare_accuracies(results, first, second)
    return tr(
        "Accuracy on {measured_on:,} images: {compared}",
        measured_on=results.measured_on,
        compared=compared,
    )
