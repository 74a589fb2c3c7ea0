"""Accuracy over the number of training images: a curve fitted to what was measured, and beyond.

The error of a classifier falls with its training images as `floor + scale * n ** -power`, for the
images that it was not fitted to (Hestness et al., "Deep Learning Scaling is Predictable,
Empirically", arXiv 1712.00409). Three numbers from a few noisy measurements leave much open: the
curve is fitted again to random draws of the images (the bootstrap, Efron 1979), so that what it
says of larger numbers comes with an interval. Every number of images is tested on the same ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.messages import tr
from workbench.text import plural, safe_text

POWERS = np.linspace(0.1, 1.0, 19)  # that are tried; less hardly falls, more is not observed
DRAWS = 200  # of the bootstrap
PERCENTILES = (2.5, 97.5)  # the 95 % interval
WORTH_NOTHING = (
    0.003  # accuracy that more images of a class bring, below which they are not asked for
)
MORE_IMAGES = 50  # of a class, whose worth is shown
AHEAD = (2, 4)  # times as many images, for which the curve is followed


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy with so many training images; `low` and `high` are its 95 % interval."""

    images: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """Error over training images, fitted.

    Attributes:
        points: What was measured, the fewest images first.
        curves: float (1 + DRAWS, 3): floor, scale and power of the fit to everything, then of
            those to random draws of the measurements.
    """

    points: tuple[CurvePoint, ...]
    curves: np.ndarray

    def at(self, images: float) -> CurvePoint:
        """Return the accuracy that the curve has with so many training images."""
        floor, scale, power = self.curves.T
        accuracy = np.clip(1 - floor - scale * images**-power, 0, 1)
        low, high = np.percentile(accuracy, PERCENTILES)
        return CurvePoint(images, float(accuracy[0]), float(low), float(high))

    def gain(self, before: float, after: float) -> CurvePoint:
        """Return how much accuracy rises between two numbers of images, as the curve has it."""
        _, scale, power = self.curves.T
        gains = scale * (before**-power - after**-power)
        low, high = np.percentile(gains, PERCENTILES)
        return CurvePoint(after, float(gains[0]), float(low), float(high))


def fit_learning_curve(
    images: Sequence[float], right: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> LearningCurve:
    """Fit a curve to how well images were predicted by classifiers not fitted to them.

    Args:
        images: s numbers of training images, rising.
        right: float (s, n), how often each of n images was predicted rightly; the mean over them is
            the accuracy.
        groups: int (n,), from 0 on, images that are drawn together; None: each is on its own.
        seed: Of the bootstrap.

    Raises:
        ValueError: There are fewer than two numbers of images.
    """
    if len(images) < 2:
        raise ValueError("a curve needs two numbers of images at least")
    sizes = np.asarray(images, float)
    groups = np.arange(right.shape[1]) if groups is None else groups
    count = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), DRAWS)[:, groups].astype(float)
    draws = drawn @ right.T / np.maximum(drawn.sum(axis=1, keepdims=True), 1)
    accuracies = right.mean(axis=1)
    points = tuple(
        CurvePoint(size, float(accuracy), *map(float, np.percentile(of_draws, PERCENTILES)))
        for size, accuracy, of_draws in zip(sizes, accuracies, draws.T, strict=True)
    )
    return LearningCurve(points, _fit(sizes, 1 - np.vstack([accuracies, draws])))


def _fit(sizes: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return float (draws, 3), for each row of errors the curve with the least squared distance.

    For one power, floor and scale are a straight line through the errors over `sizes ** -power`;
    neither may be negative. Where they would, the line is level or goes through 0.
    """
    fits, distances = [], []
    mean = errors.mean(axis=1)
    for power in POWERS:
        x = sizes**-power
        spread = x - x.mean()
        scale = np.maximum(errors @ spread / (spread @ spread), 0.0)
        floor = mean - scale * x.mean()
        through_zero = floor < 0
        scale = np.where(through_zero, errors @ x / (x @ x), scale)
        floor = np.where(through_zero, 0.0, floor)
        left = errors - floor[:, None] - scale[:, None] * x
        fits.append(np.stack([floor, scale, np.full(len(errors), power)], axis=1))
        distances.append(np.square(left).sum(axis=1))
    best = np.argmin(distances, axis=0)
    return np.stack(fits)[best, np.arange(len(errors))]


@dataclass(frozen=True)
class ClassWorth:
    """What more images of one class would bring.

    Attributes:
        label: The class.
        images: It has in training.
        more: Images in addition.
        gain: Accuracy over all classes alike; negative gains are 0.
        low, high: Its 95 % interval.
    """

    label: str
    images: int
    more: int
    gain: float
    low: float
    high: float

    @property
    def is_worth_it(self) -> bool:
        """True where the gain is beyond what chance makes, and not negligible."""
        return self.low > 0 and self.gain >= WORTH_NOTHING

    def describe(self) -> str:
        """Return a sentence for people."""
        more = plural(self.more, "more image", "more images")
        of_class = safe_text(self.label, 40)
        if not self.is_worth_it:
            return tr("{more} of {label}: nothing that shows", more=more, label=of_class)
        return tr(
            "{more} of {label}: about {points} ({low} to {high})",
            more=more,
            label=of_class,
            points=format_points(self.gain),
            low=f"{100 * self.low:.1f}",
            high=f"{100 * self.high:.1f}",
        )


def format_points(gain: float) -> str:
    """Return a share as percentage points, "1.2 points"."""
    return tr("{points} points", points=f"{100 * gain:.1f}")


def class_worths(
    measured: Mapping[str, tuple[Sequence[int], np.ndarray]],
    groups: np.ndarray | None = None,
) -> tuple[ClassWorth, ...]:
    """Return what more images of each class would bring, the most first.

    Args:
        measured: By label: numbers of its training images, rising to all that there are, and how
            often each image was predicted rightly with them, float (s, n), as
            `fit_learning_curve` takes it; of other classes all images were fitted.
        groups: As `fit_learning_curve`.
    """
    worths = []
    for label, (images, right) in measured.items():
        curve = fit_learning_curve(images, right, groups)
        gain = curve.gain(images[-1], images[-1] + MORE_IMAGES)
        worths.append(
            ClassWorth(label, images[-1], MORE_IMAGES, gain.accuracy, gain.low, gain.high)
        )
    return tuple(sorted(worths, key=lambda one: (-one.is_worth_it, -one.gain, one.label)))


@dataclass(frozen=True)
class CurveReport:
    """Accuracy over training images, by classifiers on features and images they never saw.

    Attributes:
        curve: Over the training images of a class, on average.
        worths: Of some classes, the ones most worth it first.
        images: Of the run; `used` of them were measured on.
        classes: Labels that there are.
        base: Name of the pretrained network.
        random_weights: Whether its weights are random; such features say little.
        own_base: Whether it is the run's own base.
        seconds: That it took.
    """

    curve: LearningCurve
    worths: tuple[ClassWorth, ...]
    images: int
    used: int
    classes: int
    base: str
    random_weights: bool
    own_base: bool
    seconds: float

    @property
    def last(self) -> CurvePoint:
        """The accuracy with all training images."""
        return self.curve.points[-1]

    @property
    def ahead(self) -> tuple[CurvePoint, ...]:
        """The accuracy that the curve has with `AHEAD` times as many."""
        return tuple(self.curve.at(times * self.last.images) for times in AHEAD)
