"""What a lesson measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

SHIFT_STEPS = 6  # accuracy is measured at each, and on unshifted images
DIRECTIONS = 8  # in which images are shifted at each step
COMPARED_SHIFT = 2  # the step at which networks are compared, chosen beforehand


@dataclass(frozen=True)
class LessonResults:
    """The results of one lesson on one set of images.

    Attributes:
        lesson: its name.
        data: the images as the user named them.
        source: their path.
        seeds: in the order of the runs.
        images: how many were used, by "train" (of the largest variant), "validation" and "test".
        weights: of the base: "imagenet", "random" or a file; "" without a base.
        seconds: that all of it took.
        made: when, ISO 8601, UTC.
        facts: what is known of each variant without training: parameters, sizes.
        runs: the measurements of each variant, a dict for each seed.
    """

    lesson: str
    data: str
    source: str
    seeds: tuple[int, ...]
    images: Mapping[str, int]
    weights: str
    seconds: float
    made: str
    facts: Mapping[str, Mapping[str, Any]]
    runs: Mapping[str, tuple[Mapping[str, Any], ...]]

    @property
    def variants(self) -> tuple[str, ...]:
        """Their names, in the lesson's order."""
        return tuple(self.runs)

    @property
    def measured_on(self) -> int:
        """Number of images behind `accuracy`: test images, else validation images."""
        return self.images["test"] or self.images["validation"]

    def each(self, variant: str, key: str) -> list[Any]:
        """Return a measurement of a variant for each seed."""
        return [run[key] for run in self.runs[variant]]

    def mean(self, variant: str, key: str) -> float:
        """Return the mean of a measurement over the seeds."""
        return fmean(self.each(variant, key))

    def right(self, variant: str, part: str) -> list[list[float]]:
        """Return, for each seed, 1 for every image classified correctly and 0 for the others.

        Args:
            variant: its name.
            part: "measured" (test images, else validation images), "train", "validation", or
                "moved" (measured images shifted: the share of eight directions).
        """
        most = DIRECTIONS if part == "moved" else 1
        return [[int(digit) / most for digit in run["right"][part]] for run in self.runs[variant]]

    def gaps(self, variant: str) -> list[float]:
        """Return training minus validation accuracy after the last epoch, for each seed."""
        return [run["train"] - run["validation"] for run in self.runs[variant]]
