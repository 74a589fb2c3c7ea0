"""An experiment's results as text: table, plot, conclusion. Pure."""

import textwrap

from rich.text import Text

from workbench.learn.catalogue import EXPERIMENTS, Experiment
from workbench.learn.conclusions import conclude
from workbench.learn.pictures import Bars, Curves, picture_of, table_of
from workbench.learn.results import Results
from workbench.text import human_seconds, plural, safe_text, table
from workbench.ui.marks import bar
from workbench.ui.plot_canvas import Series
from workbench.ui.plot_text import PlotOptions, plot

COLORS = ("#5fafd7", "#d7af5f", "#87d787", "#ff8787", "#8787af")
MARKERS = "*o+x#"
PLOT_ROWS = 12
BAR_WIDTH = 30


def results_text(results: Results, width: int, utf8: bool) -> Text:
    """All that an experiment has to show, in so many cells of width; the conclusion last."""
    experiment = EXPERIMENTS[results.experiment]
    return Text("\n").join(
        [
            Text(experiment.title, "bold"),
            Text(textwrap.fill(experiment.question, width)),
            Text(f"{measured_on(results)}\n"),
            Text(f"{table_text(results)}\n"),
            picture_text(picture_of(results), width, PLOT_ROWS, utf8),
            Text(""),
            conclusion_text(results, width),
        ]
    )


def sheet_text(experiment: Experiment, results: Results | None, width: int, utf8: bool) -> Text:
    """What the app shows of an experiment: the question, and the conclusion before its figures."""
    parts = [
        Text(experiment.title, "bold"),
        Text(textwrap.fill(f"{experiment.question} Section {experiment.section}.", width)),
        Text(""),
    ]
    if results is None:
        parts.append(Text("Not tried here yet: enter does, on small digits."))
        if experiment.on_base:
            parts.append(Text("It needs ImageNet weights of the base."))
    else:
        parts += [
            conclusion_text(results, width),
            Text(""),
            picture_text(picture_of(results), width, PLOT_ROWS, utf8),
            Text(f"\n{table_text(results)}\n\n{measured_on(results)}"),
        ]
    return Text("\n").join(parts)


def measured_on(results: Results) -> str:
    """On which images, with how many seeds, and how long it took."""
    return (
        f"{safe_text(results.data)}: {plural(results.images['train'], 'training image')}, "
        f"{plural(results.measured_on, 'image')} measured on; "
        f"{plural(len(results.seeds), 'seed')}; {human_seconds(results.seconds)}"
    )


def table_text(results: Results) -> str:
    """All variants side by side."""
    made = table_of(results)
    return table(made.headers, made.rows, made.right)


def picture_text(picture: Curves | Bars, width: int, height: int, utf8: bool) -> Text:
    """A plot under its title."""
    if isinstance(picture, Bars):
        return _bars(picture, utf8)
    options = PlotOptions(
        borders=((1, picture.places[0]),), end_name=picture.places[1], utf8=utf8, empty="nothing"
    )
    series = [
        Series(name, values, COLORS[i % len(COLORS)], marker=MARKERS[i % len(MARKERS)])
        for i, (name, values) in enumerate(picture.series)
    ]
    return Text("\n").join([Text(picture.title), plot(series, width, height, options)])


def _bars(picture: Bars, utf8: bool) -> Text:
    longest = max(len(name) for name, _, _ in picture.rows)
    most = max(figure for _, figure, _ in picture.rows) or 1.0
    lines = [
        f"{name:<{longest}}  {bar(figure / most, BAR_WIDTH, utf8)}  {shown}"
        for name, figure, shown in picture.rows
    ]
    return Text("\n".join([picture.title, *lines]))


def conclusion_text(results: Results, width: int) -> Text:
    """The sentences, wrapped; the first one says what was seen."""
    conclusion = conclude(results)
    seen = "Seen here." if conclusion.seen else "Not seen here."
    lines = [textwrap.fill(safe_text(line, 1000), width, break_on_hyphens=False)
             for line in conclusion.lines]  # fmt: skip
    return Text("\n").join([Text(seen, "bold"), *map(Text, lines)])
