"""What a lesson consists of: its networks, what was measured, the conclusion and what is drawn.

Pictures are only data; `render` draws them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from workbench.lessons.variants import LessonInputs, Variant
from workbench.messages import tr

SHIFT_STEPS = 6  # accuracy is measured at each, and on unshifted images
DIRECTIONS = 8  # in which images are shifted at each step
COMPARED_SHIFT = 2  # the step at which networks are compared, chosen beforehand
Values = tuple[float | None, ...]


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


@dataclass(frozen=True)
class CurvePlot:
    """Curves over the same places.

    Attributes:
        title: what is drawn, over what.
        places: labels of the first and the last place of the x axis.
        series: name and a value for each place.
    """

    title: str
    places: tuple[str, str]
    series: tuple[tuple[str, Values], ...]


@dataclass(frozen=True)
class BarPlot:
    """Values from 0 on: name, value, the value as text."""

    title: str
    rows: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True)
class ResultTable:
    """A table of all variants; `right` has the alignment of columns (see `text.table`)."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: str


def variant_table(results: LessonResults) -> ResultTable:
    """Return all variants with their measurements: means, and the range over the seeds."""
    return ResultTable(
        ("", "accuracy", "range", "training", "gap", "parameters", "seconds"),
        tuple(_row(results, name) for name in results.variants),
        "lrrrrrr",
    )


def variant_bars(
    title: str, results: LessonResults, key: str, show: Callable[[float], str]
) -> BarPlot:
    """Return the mean of a measurement for each variant."""
    means = [(name, results.mean(name, key)) for name in results.variants]
    return BarPlot(title, tuple((name, mean, show(mean)) for name, mean in means))


def accuracy_bars(results: LessonResults) -> BarPlot:
    """Return the mean accuracy of each variant."""
    return variant_bars(tr("test accuracy"), results, "accuracy", lambda mean: f"{mean:.3f}")


def gap_curves(results: LessonResults) -> CurvePlot:
    """Return the gap between training and validation of each variant over the epochs."""
    series = []
    for name in results.variants:
        gaps = [[e["train"] - e["validation"] for e in run["epochs"]] for run in results.runs[name]]
        series.append((name, seed_means(gaps)))
    epochs = max(len(values) for _, values in series)
    title = tr("training minus validation accuracy over epochs")
    return CurvePlot(title, ("1", tr("{epochs} epochs", epochs=epochs)), tuple(series))


def seed_means(each: list[list[float]]) -> Values:
    """Return means over the seeds, place by place."""
    return tuple(fmean(values) for values in zip(*each, strict=True))


def _row(results: LessonResults, name: str) -> tuple[str, ...]:
    accuracies = results.each(name, "accuracy")
    return (
        name,
        f"{fmean(accuracies):.3f}",
        f"{min(accuracies):.3f}-{max(accuracies):.3f}",
        f"{results.mean(name, 'train'):.3f}",
        f"{100 * fmean(results.gaps(name)):+.1f}",
        f"{results.facts[name]['parameters']:,}",
        f"{results.mean(name, 'seconds'):.1f}",
    )


@dataclass(frozen=True)
class Conclusion:
    """What the results show.

    Attributes:
        seen: the effect of the lesson was seen on these images.
        lines: sentences, the most important first.
    """

    seen: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """A claim of the chapter, to be tried on one's own images.

    Attributes:
        question: in one line.
        section: of "Deep Learning with Python", first edition.
        concepts: names of the app's explanations that belong to it.
        variants: makes the networks that are compared.
        conclude: states the conclusion from the results.
        picture: what is drawn of the results.
        table: all variants with their results.
        seeds: default seeds of weights, order and choice of images.
        shifts: whether accuracy is measured on shifted test images too.
        rings: whether the last convolution's map is measured ring by ring.
        needs_base: whether it needs a pretrained network.
    """

    name: str
    title: str
    question: str
    section: str
    concepts: tuple[str, ...]
    variants: Callable[[LessonInputs], tuple[Variant, ...]]
    conclude: Callable[[LessonResults], Conclusion]
    picture: Callable[[LessonResults], CurvePlot | BarPlot]
    table: Callable[[LessonResults], ResultTable] = variant_table
    seeds: tuple[int, ...] = (1, 2, 3)
    shifts: bool = False
    rings: bool = False
    needs_base: bool = False
