"""Curves of several runs in one plot, and its legend."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from workbench.messages import tr
from workbench.render.canvas import MARKERS, Series, Values
from workbench.render.curves import Metric
from workbench.render.plot import PlotOptions
from workbench.runs.events import EpochFinished
from workbench.runs.watch import RunView
from workbench.text import safe_text

NAME_WIDTH = 24  # characters of a run's name in the legend
GAP = 3
OTHER_DATA = tr("other data")
# The runs that are compared, by name; None for one that is gone.
Views = Mapping[str, RunView | None]


def run_series(views: Views, metric: Metric, colors: Sequence[str]) -> tuple[Series, ...]:
    """Return the validation curve of each run that has one; trained epochs count over all."""
    series = [
        Series(name, _values(view, metric), color, marker=MARKERS[at % len(MARKERS)])
        for at, ((name, view), color) in enumerate(zip(views.items(), colors, strict=True))
    ]
    return tuple(one for one in series if one.newest is not None)


def curve_options(views: Views, utf8: bool) -> PlotOptions:
    """Return an axis that is long enough for all."""
    epochs = max((len(_compared(view)) for view in views.values()), default=1)
    return PlotOptions(
        epochs=max(epochs, 1),
        borders=((1, tr("epoch 1")),),
        end_name=str(max(epochs, 1)),
        utf8=utf8,
        empty=tr("no validation yet"),
    )


def legend(views: Views, colors: Sequence[str], width: int, rows: int, utf8: bool) -> Text:
    """Return the runs with their colours, and remarks such as "no validation" or "other data".

    Entries that do not fit into `width` x `rows` cells are counted.
    """
    first = next(iter(views.values()), None)
    entries = [
        _entry(name, view, first, "━━" if utf8 else MARKERS[at % len(MARKERS)], color)
        for at, ((name, view), color) in enumerate(zip(views.items(), colors, strict=True))
    ]
    lines: list[list[Text]] = [[]]
    for entry in entries:
        if lines[-1] and _cells([*lines[-1], entry]) > width:
            lines.append([])
        lines[-1].append(entry)
    if len(lines) > rows:
        lines = _cut(lines, rows, width)
    return Text("\n").join(Text(" " * GAP).join(line) for line in lines)


def _cut(lines: list[list[Text]], rows: int, width: int) -> list[list[Text]]:
    """Return the first rows; the last one ends with the number of missing entries."""
    *whole, last = lines[:rows]
    entries = [*last, *(entry for line in lines[rows:] for entry in line)]
    kept = len(last)
    while kept and _cells([*entries[:kept], _more(len(entries) - kept)]) > width:
        kept -= 1
    return [*whole, [*entries[:kept], _more(len(entries) - kept)]]


def _more(entries: int) -> Text:
    return Text(tr("and {entries:,} more", entries=entries), "dim")


def _cells(entries: Sequence[Text]) -> int:
    return sum(entry.cell_len for entry in entries) + GAP * (len(entries) - 1)


def _entry(name: str, view: RunView | None, first: RunView | None, sign: str, color: str) -> Text:
    text = Text.assemble((sign, color), f" {safe_text(name, NAME_WIDTH)}")
    if view is None:
        text.append(tr(" is gone"), "dim")
    elif not view.history.curve:
        text.append(tr(" no epoch yet"), "dim")
    elif all(row.val_accuracy is None for row in view.history.curve):
        text.append(tr(" no validation"), "dim")
    if view and first and view.source != first.source:
        text.append(f" {OTHER_DATA}", "dim")
    return text


def _values(view: RunView | None, metric: Metric) -> Values:
    rows = _compared(view)
    return tuple(row.val_accuracy if metric == "accuracy" else row.val_loss for row in rows)


def _compared(view: RunView | None) -> Sequence[EpochFinished]:
    """Return the epochs of a run, as many as its heading counts; of a solved one what it has."""
    return (view.history.trained or view.history.epochs) if view else ()
