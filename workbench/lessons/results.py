"""What an experiment measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from workbench.lessons.catalogue import DIRECTIONS


@dataclass(frozen=True)
class Results:
    """The figures of one experiment on one set of images.

    Attributes:
        experiment: its name.
        data: the images as a person named them.
        source: their path.
        seeds: in the order of the runs.
        images: how many were used, by "train" (of the largest variant), "validation" and "test".
        weights: of the base: "imagenet", "random" or a file; "" without a base.
        seconds: that all of it took.
        made: when, ISO 8601, UTC.
        facts: what is known of each variant without training: parameters, sizes.
        runs: what was measured for each variant, a table of figures for each seed.
    """

    experiment: str
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
        """Their names, in the experiment's order."""
        return tuple(self.runs)

    @property
    def measured_on(self) -> int:
        """Images that `accuracy` was measured on: test images, else validation images."""
        return self.images["test"] or self.images["validation"]

    def each(self, variant: str, key: str) -> list[Any]:
        """A figure of a variant, one for each seed."""
        return [run[key] for run in self.runs[variant]]

    def mean(self, variant: str, key: str) -> float:
        """The mean of a figure over the seeds."""
        return fmean(self.each(variant, key))

    def right(self, variant: str, part: str) -> list[list[float]]:
        """For each seed, 1 for every image that was right and 0 for one that was wrong.

        Args:
            part: "measured" (test images, else validation images), "train", "validation", or
                "moved" (measured images moved, in how many of eight directions it was right).
        """
        most = DIRECTIONS if part == "moved" else 1
        return [[int(digit) / most for digit in run["right"][part]] for run in self.runs[variant]]

    def gaps(self, variant: str) -> list[float]:
        """Training minus validation accuracy after the last epoch, one for each seed."""
        return [run["train"] - run["validation"] for run in self.runs[variant]]
