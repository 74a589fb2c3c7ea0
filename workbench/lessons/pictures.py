"""What is drawn of an experiment: curves or bars, and a table. Data alone; `ui` draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from workbench.lessons.results import Results
from workbench.text import human_seconds

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Curves:
    """Curves over the same places.

    Attributes:
        title: what is drawn, over what.
        places: what stands at the first and the last place of the x axis.
        series: name and a figure for each place.
    """

    title: str
    places: tuple[str, str]
    series: tuple[tuple[str, Values], ...]


@dataclass(frozen=True)
class Bars:
    """Figures from 0 on: name, figure, the figure in words."""

    title: str
    rows: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True)
class Table:
    """A table of all variants; `right` says which columns lean right (see `text.table`)."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: str


def picture_of(results: Results) -> Curves | Bars:
    """What is drawn of these results; means over the seeds."""
    return _PICTURES[results.experiment](results)


def table_of(results: Results) -> Table:
    """All variants with what was measured: means, and the range over the seeds."""
    if results.experiment == "recompile":
        rows = [
            (name, runs[0]["asked"], f"{100 * results.mean(name, 'moved'):.2f} %")
            for name, runs in results.runs.items()
        ]
        return Table(("way", "asked", "moved"), tuple(rows), "llr")
    return Table(
        ("", "accuracy", "range", "training", "gap", "parameters", "seconds"),
        tuple(_row(results, name) for name in results.variants),
        "lrrrrrr",
    )


def _row(results: Results, name: str) -> tuple[str, ...]:
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


def _shifted(results: Results) -> Curves:
    pixels = results.runs["dense"][0]["shifts"]["pixels"]
    series = [
        (name, _means([shifts["accuracy"] for shifts in results.each(name, "shifts")]))
        for name in results.variants
    ]
    places = (f"{pixels[0]}", f"{pixels[-1]} pixels")
    return Curves("test accuracy over pixels of shift", places, tuple(series))


def _rings(results: Results) -> Curves:
    """Each map of an even image relative to its middle, which a smaller map has sooner."""
    series = []
    for name in results.variants:
        means = _means([rings["even"] for rings in results.each(name, "rings")])
        middle = means[-1]
        scaled = tuple(None if v is None or not middle else v / middle for v in means)
        series.append((name, scaled))
    longest = max(len(values) for _, values in series)
    series = [(n, values + values[-1:] * (longest - len(values))) for n, values in series]
    title = "activation from border to middle, even image, middle = 1"
    return Curves(title, ("border", "middle"), tuple(series))


def _gaps(results: Results) -> Curves:
    series = [
        (name, _means([list(map(_gap, run["epochs"])) for run in results.runs[name]]))
        for name in results.variants
    ]
    epochs = max(len(values) for _, values in series)
    title = "training minus validation accuracy over epochs"
    return Curves(title, ("1", f"{epochs} epochs"), tuple(series))


def _gap(epoch: dict[str, float]) -> float:
    return epoch["train"] - epoch["validation"]


def _over_sizes(results: Results) -> Curves:
    names = results.variants
    series = tuple(
        (title, tuple(results.mean(name, key) for name in names))
        for title, key in (("training", "train"), ("test", "accuracy"))
    )
    return Curves("accuracy over training images", (names[0], names[-1]), series)


def _moved(results: Results) -> Bars:
    rows = [(name, results.mean(name, "moved")) for name in results.variants]
    shown = tuple((name, moved, f"{100 * moved:.2f} %") for name, moved in rows)
    return Bars("how far the layer moved, relative to its size", shown)


def _blocks_moved(results: Results) -> Bars:
    blocks = list(results.runs["at once"][0]["moved"])
    rows = []
    for block in blocks:
        for name in results.variants:
            moved = fmean(run["moved"][block] for run in results.runs[name])
            rows.append((f"{block}, {name}", moved, f"{100 * moved:.2f} %"))
    return Bars("how far each block moved while it trained", tuple(rows))


def _seconds(results: Results) -> Bars:
    rows = [(name, results.mean(name, "seconds")) for name in results.variants]
    return Bars("seconds in all", tuple((n, s, human_seconds(s)) for n, s in rows))


def _accuracies(results: Results) -> Bars:
    rows = [(name, results.mean(name, "accuracy")) for name in results.variants]
    return Bars("test accuracy", tuple((n, a, f"{a:.3f}") for n, a in rows))


def _means(each: list[list[float]]) -> Values:
    """Means over the seeds, place by place."""
    return tuple(fmean(values) for values in zip(*each, strict=True))


_PICTURES: dict[str, Callable[[Results], Curves | Bars]] = {
    "translation": _shifted,
    "borders": _rings,
    "pooling": _gaps,
    "overfitting": _gaps,
    "how-much-data": _over_sizes,
    "recompile": _moved,
    "two-ways": _seconds,
    "preprocessing": _accuracies,
    "head-first": _blocks_moved,
    "depth": _accuracies,
}
