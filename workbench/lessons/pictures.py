"""What is drawn of a lesson: curves or bars, and a table. Only data; `render` draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from workbench.lessons.results import LessonResults

Values = tuple[float | None, ...]


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
    return variant_bars("test accuracy", results, "accuracy", lambda mean: f"{mean:.3f}")


def gap_curves(results: LessonResults) -> CurvePlot:
    """Return the gap between training and validation of each variant over the epochs."""
    series = []
    for name in results.variants:
        gaps = [[e["train"] - e["validation"] for e in run["epochs"]] for run in results.runs[name]]
        series.append((name, seed_means(gaps)))
    epochs = max(len(values) for _, values in series)
    title = "training minus validation accuracy over epochs"
    return CurvePlot(title, ("1", f"{epochs} epochs"), tuple(series))


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
