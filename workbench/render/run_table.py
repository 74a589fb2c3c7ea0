"""The table of runs: which columns it has, how wide they are, and a run's cells."""

import time
from collections.abc import Callable, Mapping, Sequence

from rich.text import Text

from workbench.experiment.metrics import ACCURACY
from workbench.messages import tr
from workbench.render.marks import STATE_COLORS, sparkline, state_symbol
from workbench.runs.summary import RunSummary
from workbench.runs.watch import RunView
from workbench.text import cell_width, cut_cells, format_age, pad_cells, safe_text
from workbench.words import shown

# Columns and their minimum width in cells; "acc" is that of the metric, whichever it is.
METRIC = "acc"
_WHEN = max(6, cell_width(tr("{age}", age=format_age(23 * 3600))))  # "23 h", in Korean with "ago"
COLUMNS = {"state": 13, "run": 17, "strategy": 8, METRIC: 7, "curve": 5, "when": _WHEN}
# Those that a person may show or hide, in their order; "run" and the metric are always there.
OPTIONAL = {
    "state": 13, "strategy": 8, "data": 12, "base": 16, "tags": 12, "epochs": 7, "time": 9,
    "curve": 5, "when": _WHEN,
}  # fmt: skip
USUAL = ("state", "strategy", "curve", "when")
_ORDER = ("state", "run", "strategy", "data", "base", "tags", METRIC, "epochs", "time", "curve",
          "when")  # fmt: skip
_FIRST_TO_GO = ("curve", "base", "tags", "data", "time", "epochs", "when", "strategy", "state")
MACHINE = "machine"  # a column before the curve, which it replaces in a narrow terminal
MACHINE_CELLS = 13  # for a name and an age; five more in a wide terminal
WIDE = 110  # cells, from which on there is room for machine and curve
STRATEGY = 14  # its cells beside names that do not fit
STALE_SECONDS = 60.0  # after which it is shown how old the answer of a machine is
PADDING = 2  # cells around a column


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
    positions = (cell_width(_epoch_count(view)) for view in runs if view.running)
    least = {**OPTIONAL, METRIC: COLUMNS[METRIC], "run": COLUMNS["run"]}
    least["when"] = max(least["when"], *positions, 0)
    shown = [name for name in _ORDER if name in columns or name in ("run", METRIC)]
    strategy = STRATEGY if "strategy" in shown else 0
    machine = MACHINE_CELLS + (5 if room >= WIDE else 0) if several else 0
    if several:
        strategy = min(strategy, STRATEGY if room >= WIDE else STRATEGY - 4)
        if room < WIDE and "curve" in shown:
            shown.remove("curve")
    widths = {name: least[name] for name in shown}
    if several:
        before = "curve" if "curve" in widths else "when"
        widths = _insert(widths, MACHINE, machine, before)

    def needed() -> int:
        fixed = sum(widths[name] for name in widths if name not in ("run", "strategy"))
        return fixed + COLUMNS["run"] + strategy + PADDING * len(widths) + 2

    for name in _FIRST_TO_GO:
        if needed() > room and name in widths and name not in USUAL:
            del widths[name]
    fixed = sum(widths[name] for name in widths if name not in ("run", "strategy"))
    left = max(room - 2 - PADDING * len(widths) - fixed, COLUMNS["run"] + strategy)
    widths["run"], wide = name_widths(left, runs, strategy)
    if strategy:
        widths["strategy"] = wide
    spare = next((name for name in ("curve", MACHINE) if name in widths), "run")
    widths[spare] += max(left - widths["run"] - (wide if strategy else 0), 0)
    return widths


def _insert(widths: dict[str, int], name: str, cells: int, before: str) -> dict[str, int]:
    """Return the widths with one more column before another, or last."""
    at = list(widths).index(before) if before in widths else len(widths)
    items = list(widths.items())
    return dict([*items[:at], (name, cells), *items[at:]])


def name_widths(
    room: int, runs: Sequence[RunView], strategy_cells: int = STRATEGY
) -> tuple[int, int]:
    """Return the cells for the names of runs, which have priority, and for their strategies."""
    names = [len(view.name) for view in runs]  # of letters of one cell alone
    if not strategy_cells:
        return min(max([COLUMNS["run"], *names]), room), 0
    recipes = {view.summary.recipe for view in runs}
    strategy = max([COLUMNS["strategy"], *(cell_width(safe_text(one)) for one in recipes)])
    name = min(max([COLUMNS["run"], *names]), room - min(strategy, strategy_cells))
    return name, min(strategy, room - name)


def run_cells(
    view: RunView,
    widths: Mapping[str, int],
    utf8: bool,
    theme: Mapping[str, str],
    metric: str = ACCURACY,
) -> tuple[Text, ...]:
    """Return a run as a row.

    Args:
        view: the run.
        widths: cells of each column that is shown.
        utf8: False for ASCII.
        theme: its variables, for the colours.
        metric: of `experiment.metrics.METRICS`.
    """
    return tuple(_CELLS[title](view, width, utf8, theme, metric) for title, width in widths.items())


def _state_cell(view: RunView, utf8: bool, theme: Mapping[str, str]) -> Text:
    word = view.summary.state.phase
    color = theme.get(STATE_COLORS.get(word, "$foreground").removeprefix("$"), "")
    return Text.assemble(pad_cells(shown(word), 11), " ", state_symbol(word, utf8), style=color)


def _curve_cell(view: RunView, width: int, utf8: bool, metric: str) -> Text:
    """Return the validation curve; of the accuracy on the scale of the plot beside the table."""
    rows = view.history.curve
    if metric != ACCURACY:
        return Text(sparkline([row.scores.get(metric) for row in rows], width, utf8))
    trained = [row.accuracy for row in rows]
    return Text(sparkline([row.val_accuracy for row in rows], width, utf8, trained))


def _text_cell(text: str, width: int) -> Text:
    return Text(safe_text(text, max(width, 8)) if cell_width(text) <= width else
                cut_cells(safe_text(text, 200), width))  # fmt: skip


def _time_cell(view: RunView) -> Text:
    seconds = view.history.seconds_worked
    return Text("-" if seconds is None else format_age(seconds))


# The cell of each column, from the run, the column's width, utf8, the theme and the metric.
_CELLS: dict[str, Callable[[RunView, int, bool, Mapping[str, str], str], Text]] = {
    "state": lambda view, width, utf8, theme, metric: _state_cell(view, utf8, theme),
    "run": lambda view, width, utf8, theme, metric: Text(safe_text(view.name, width)),
    "strategy": lambda view, width, utf8, theme, metric: Text(
        safe_text(view.summary.recipe, width)
    ),
    "data": lambda view, width, utf8, theme, metric: _text_cell(view.summary.data, width),
    "base": lambda view, width, utf8, theme, metric: _text_cell(
        str(view.table("base").get("name") or "-"), width
    ),
    "tags": lambda view, width, utf8, theme, metric: _text_cell(" ".join(view.tags), width),
    METRIC: lambda view, width, utf8, theme, metric: _metric_cell(view.summary, metric),
    "epochs": lambda view, width, utf8, theme, metric: Text(_epoch_count(view)),
    "time": lambda view, width, utf8, theme, metric: _time_cell(view),
    MACHINE: lambda view, width, utf8, theme, metric: _machine_cell(view, width),
    "curve": lambda view, width, utf8, theme, metric: _curve_cell(view, width, utf8, metric),
    "when": lambda view, width, utf8, theme, metric: Text(_when(view)),
}


def _machine_cell(view: RunView, width: int) -> Text:
    """Return the machine of a run, dim with its age if what is known of it is not new."""
    if not view.host:
        return Text(tr("here"))
    if age := stale_age(view):
        return Text(f"{safe_text(view.host)[: width - len(age) - 1]} {age}", style="dim")
    return Text(safe_text(view.host, width))


def stale_age(view: RunView) -> str:
    """Return how old what is known of another machine's run is, "12 min"; "" if it is new."""
    age = time.time() - view.seen if view.seen is not None else 0.0
    return format_age(age) if age > STALE_SECONDS else ""


def _metric_cell(summary: RunSummary, metric: str) -> Text:
    """Return the metric on test images, else on validation images, which is marked."""
    reached, validation = summary.on_test(metric), summary.on_validation(metric)
    if reached is not None:
        return Text(f"{reached:.3f}")
    if validation is None:
        return Text("-")
    return Text(f"{validation:.3f} {summary.validation_mark}", style="dim")


def _when(view: RunView) -> str:
    """Return the position of a running run; the age of another's last event."""
    if view.running:
        return _epoch_count(view)
    if view.summary.last_sign is None:
        return "-"
    return tr("{age}", age=format_age(max(time.time() - view.summary.last_sign, 0)))


def _epoch_count(view: RunView) -> str:
    total = view.summary.epochs_total
    return f"{view.summary.epochs_done}/{total}" if total else tr("begun")
