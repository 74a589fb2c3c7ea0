"""The table of runs: which columns it has, how wide they are, and a run's cells."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from workbench.experiment.metrics import ACCURACY, SHORT_TITLES
from workbench.messages import tr
from workbench.render.marks import STATE_COLORS, sparkline, state_symbol
from workbench.runs.watch import RunView
from workbench.text import cell_width, cut_cells, format_age, pad_cells, safe_text
from workbench.words import shown

METRIC_COLUMN = "acc"  # name of the column of the metric, whichever it is
MACHINE = "machine"  # name of a column before the curve, which it replaces in a narrow terminal
MACHINE_CELLS = 13  # for a name and an age; five more in a wide terminal
WIDE = 110  # cells, from which on there is room for machine and curve
STRATEGY = 14  # its cells beside names that do not fit
STALE_SECONDS = 60.0  # after which it is shown how old the answer of a machine is
PADDING = 2  # cells around a column


@dataclass(frozen=True)
class RunLook:
    """How runs are shown.

    Attributes:
        utf8: False for ASCII.
        theme: its variables, for the colours.
        metric: of `experiment.metrics.METRICS`.
    """

    utf8: bool = True
    theme: Mapping[str, str] = field(default_factory=dict)
    metric: str = ACCURACY


@dataclass(frozen=True)
class Column:
    """A column of the table of runs.

    Attributes:
        title: above it; that of the metric is the metric's own.
        least: its cells, at least.
        cell: returns a run's cell in a width.
        usual: whether it is shown until a person says what is; None if it always is.
        gives_way: the higher, the earlier it is left out of a narrow table; 0 for never.
    """

    title: str
    least: int
    cell: Callable[[RunView, int, RunLook], Text]
    usual: bool | None = False
    gives_way: int = 0


def _state_cell(view: RunView, width: int, look: RunLook) -> Text:
    word = view.summary.state.phase
    color = look.theme.get(STATE_COLORS.get(word, "$foreground").removeprefix("$"), "")
    symbol = state_symbol(word, look.utf8)
    return Text.assemble(pad_cells(shown(word), 11), " ", symbol, style=color)


def _run_cell(view: RunView, width: int, look: RunLook) -> Text:
    return Text(safe_text(view.name, width))


def _strategy_cell(view: RunView, width: int, look: RunLook) -> Text:
    return Text(safe_text(view.summary.recipe, width))


def _data_cell(view: RunView, width: int, look: RunLook) -> Text:
    return _cut(view.summary.data, width)


def _base_cell(view: RunView, width: int, look: RunLook) -> Text:
    return _cut(str(view.table("base").get("name") or "-"), width)


def _tags_cell(view: RunView, width: int, look: RunLook) -> Text:
    return _cut(" ".join(view.tags), width)


def _cut(text: str, width: int) -> Text:
    fits = cell_width(text) <= width
    return Text(safe_text(text, max(width, 8)) if fits else cut_cells(safe_text(text, 200), width))


def _metric_cell(view: RunView, width: int, look: RunLook) -> Text:
    """Return the metric on test images, else on validation images, which is marked."""
    summary = view.summary
    reached, validation = summary.on_test(look.metric), summary.on_validation(look.metric)
    if reached is not None:
        return Text(f"{reached:.3f}")
    if validation is None:
        return Text("-")
    return Text(f"{validation:.3f} {summary.validation_mark}", style="dim")


def _epochs_cell(view: RunView, width: int, look: RunLook) -> Text:
    return Text(_epoch_count(view))


def _time_cell(view: RunView, width: int, look: RunLook) -> Text:
    seconds = view.history.seconds_worked
    return Text("-" if seconds is None else format_age(seconds))


def _machine_cell(view: RunView, width: int, look: RunLook) -> Text:
    """Return the machine of a run, dim with its age if what is known of it is not new."""
    if not view.host:
        return Text(tr("here"))
    if age := stale_age(view):
        return Text(f"{safe_text(view.host)[: width - len(age) - 1]} {age}", style="dim")
    return Text(safe_text(view.host, width))


def _curve_cell(view: RunView, width: int, look: RunLook) -> Text:
    """Return the validation curve; of the accuracy on the scale of the plot beside the table."""
    rows = view.history.curve
    if look.metric != ACCURACY:
        return Text(sparkline([row.scores.get(look.metric) for row in rows], width, look.utf8))
    trained = [row.accuracy for row in rows]
    return Text(sparkline([row.val_accuracy for row in rows], width, look.utf8, trained))


def _when_cell(view: RunView, width: int, look: RunLook) -> Text:
    """Return the position of a running run; the age of another's last event."""
    if view.running:
        return Text(_epoch_count(view))
    if view.summary.last_sign is None:
        return Text("-")
    return Text(tr("{age}", age=format_age(max(time.time() - view.summary.last_sign, 0))))


def _epoch_count(view: RunView) -> str:
    total = view.summary.epochs_total
    return f"{view.summary.epochs_done}/{total}" if total else tr("begun")


def stale_age(view: RunView) -> str:
    """Return how old what is known of another machine's run is, "12 min"; "" if it is new."""
    age = time.time() - view.seen if view.seen is not None else 0.0
    return format_age(age) if age > STALE_SECONDS else ""


# From the left; the names are those of the settings and of `app.run_query`.
_WHEN = max(6, cell_width(tr("{age}", age=format_age(23 * 3600))))  # "23 h", in Korean with "ago"
COLUMNS = {
    "state": Column(tr("state"), 13, _state_cell, usual=True),
    "run": Column(tr("run"), 17, _run_cell, usual=None),
    "strategy": Column(tr("strategy"), 8, _strategy_cell, usual=True),
    "data": Column(tr("data"), 12, _data_cell, gives_way=3),
    "base": Column(tr("base"), 16, _base_cell, gives_way=5),
    "tags": Column(tr("tags"), 12, _tags_cell, gives_way=4),
    METRIC_COLUMN: Column("", 7, _metric_cell, usual=None),
    "epochs": Column(tr("epochs"), 7, _epochs_cell, gives_way=1),
    "time": Column(tr("time"), 9, _time_cell, gives_way=2),
    MACHINE: Column(tr("machine"), MACHINE_CELLS, _machine_cell, usual=None),
    "curve": Column(tr("curve"), 5, _curve_cell, usual=True),
    "when": Column(tr("when"), _WHEN, _when_cell, usual=True),
}
OPTIONAL = tuple(name for name, column in COLUMNS.items() if column.usual is not None)
USUAL = tuple(name for name, column in COLUMNS.items() if column.usual)
_FIRST_TO_GO = sorted(
    (name for name, column in COLUMNS.items() if column.gives_way),
    key=lambda name: -COLUMNS[name].gives_way,
)


def column_title(name: str, metric: str = ACCURACY) -> str:
    """Return the title of a column, where runs are shown by a metric."""
    return SHORT_TITLES[metric] if name == METRIC_COLUMN else COLUMNS[name].title


def column_widths(
    room: int,
    runs: Sequence[RunView],
    several: bool = False,
    columns: Sequence[str] = USUAL,
) -> dict[str, int]:
    """Return the cells of each column in `room` cells: whole names if they fit.

    Args:
        room: of the table.
        runs: that are shown.
        several: whether they may be of several machines.
        columns: the optional ones that are wanted; those for which there is no room are left out.
    """
    strategy = STRATEGY if "strategy" in columns else 0
    wanted = {"run", METRIC_COLUMN, *columns}
    if several:
        wanted.add(MACHINE)
        strategy = min(strategy, STRATEGY if room >= WIDE else STRATEGY - 4)
        if room < WIDE:
            wanted.discard("curve")
    widths = {name: column.least for name, column in COLUMNS.items() if name in wanted}
    if several and room >= WIDE:
        widths[MACHINE] += 5
    if "when" in widths:
        positions = (cell_width(_epoch_count(view)) for view in runs if view.running)
        widths["when"] = max(widths["when"], *positions, 0)

    def needed() -> int:
        fixed = sum(widths[name] for name in widths if name not in ("run", "strategy"))
        return fixed + COLUMNS["run"].least + strategy + PADDING * len(widths) + 2

    for name in _FIRST_TO_GO:
        if needed() > room and name in widths:
            del widths[name]
    fixed = sum(widths[name] for name in widths if name not in ("run", "strategy"))
    least = COLUMNS["run"].least + (COLUMNS["strategy"].least if strategy else 0)
    left = max(room - 2 - PADDING * len(widths) - fixed, least)
    widths["run"], wide = name_widths(left, runs, strategy)
    if strategy:
        widths["strategy"] = wide
    spare = next((name for name in ("curve", MACHINE) if name in widths), "run")
    widths[spare] += max(left - widths["run"] - (wide if strategy else 0), 0)
    return widths


def name_widths(
    room: int, runs: Sequence[RunView], strategy_cells: int = STRATEGY
) -> tuple[int, int]:
    """Return the cells for the names of runs, which have priority, and for their strategies."""
    names = [len(view.name) for view in runs]  # of letters of one cell alone
    if not strategy_cells:
        return min(max([COLUMNS["run"].least, *names]), room), 0
    recipes = {view.summary.recipe for view in runs}
    strategy = max([COLUMNS["strategy"].least, *(cell_width(safe_text(one)) for one in recipes)])
    name = min(max([COLUMNS["run"].least, *names]), room - min(strategy, strategy_cells))
    return name, min(strategy, room - name)


def run_cells(view: RunView, widths: Mapping[str, int], look: RunLook) -> tuple[Text, ...]:
    """Return a run as a row.

    Args:
        view: the run.
        widths: cells of each column that is shown.
        look: of all rows.
    """
    return tuple(COLUMNS[name].cell(view, width, look) for name, width in widths.items())
