"""When a difference between two variants may be called one.

Both were trained with the same seeds and measured on the same images. Two things make their figures
differ by chance: the seeds, and which images happen to be the ones measured on. A difference is
seen where its mean over the seeds is larger than twice the standard error that both make together,
and at least one point of accuracy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

# Differences by chance are smaller in about 95 of 100 cases, in fewer where two or three seeds
# disagree: their own spread is then hardly known.
STANDARD_ERRORS = 2.0
LEAST = 0.01  # a point of accuracy: less is not worth a word
LEAST_RATIO = 1.2  # times as much of seconds or movement: less is not worth a word

Values = Sequence[Sequence[float]]  # for each seed, a value for each image: 1 right, 0 wrong


@dataclass(frozen=True)
class Difference:
    """Second minus first, as a share of 1.

    Attributes:
        noise: how large a difference may be by chance alone.
    """

    mean: float
    noise: float

    @property
    def more(self) -> bool:
        """The second is larger, beyond the noise."""
        return self.mean > self.noise and self.mean >= LEAST

    @property
    def less(self) -> bool:
        """The second is smaller, beyond the noise."""
        return -self.mean > self.noise and -self.mean >= LEAST

    @property
    def seen(self) -> bool:
        """There is a difference beyond the noise, in one direction or the other."""
        return self.more or self.less

    def __str__(self) -> str:
        """In points: +3.2 points, noise 1.9."""
        return f"{100 * self.mean:+.1f} points, noise {100 * self.noise:.1f}"


@dataclass(frozen=True)
class Ratio:
    """How many times as much the second is.

    Attributes:
        noise: the factor that may be there by chance alone, 1 or more.
    """

    mean: float
    noise: float

    @property
    def more(self) -> bool:
        """The second is larger, beyond the noise."""
        return self.mean > self.noise and self.mean >= LEAST_RATIO

    @property
    def less(self) -> bool:
        """The second is smaller, beyond the noise."""
        return 1 / self.mean > self.noise and 1 / self.mean >= LEAST_RATIO

    def __str__(self) -> str:
        """As a factor: 1.75 times, noise 1.21."""
        return f"{self.mean:.2f} times, noise {self.noise:.2f}"


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """The geometric mean of second / first over the seeds, noise from how the seeds differ.

    Args:
        first, second: a figure above 0 for each seed.

    Raises:
        ValueError: they are not as many, none, or not above 0.
    """
    logs = [math.log(b) - math.log(a) for a, b in zip(first, second, strict=True)]
    noise = STANDARD_ERRORS * math.sqrt(_variance_of_mean(logs))
    return Ratio(math.exp(fmean(logs)), math.exp(noise))


def difference(first: Values, second: Values) -> Difference:
    """The difference of two variants that were measured on the same images.

    Raises:
        ValueError: seeds or images are not as many on both sides, or none.
    """
    return combined(minus(second, first))


def minus(values: Values, others: Values) -> list[list[float]]:
    """Image by image and seed by seed, so that what is hard for both does not count as noise."""
    return [
        [a - b for a, b in zip(one, other, strict=True)]
        for one, other in zip(values, others, strict=True)
    ]


def combined(*parts: Values) -> Difference:
    """The sum of the means of parts that were measured on different images.

    The seeds make a variance of s^2 / seeds over their sums; the images of each part one of
    s^2 / images over their means. The latter does not shrink with more seeds, since all of these
    are measured on the same images.
    """
    each = [sum(fmean(values) for values in of_seed) for of_seed in zip(*parts, strict=True)]
    by_images = sum(
        _variance_of_mean([fmean(values) for values in zip(*part, strict=True)]) for part in parts
    )
    return Difference(fmean(each), STANDARD_ERRORS * math.sqrt(_variance_of_mean(each) + by_images))


def _variance_of_mean(values: Sequence[float]) -> float:
    """s^2 / n; 0 for a single value, which tells nothing of how they vary."""
    if len(values) < 2:
        return 0.0
    middle = fmean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values)
