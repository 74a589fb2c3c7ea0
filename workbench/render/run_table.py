"""The table of runs: which columns it has, how wide they are, and a run's cells."""

import time
from collections.abc import Mapping, Sequence

from rich.text import Text

from workbench.experiment.metrics import ACCURACY
from workbench.messages import tr
from workbench.render.marks import STATE_COLORS, sparkline, state_symbol
from workbench.runs.state import RunSummary
from workbench.runs.watch import RunView
from workbench.text import format_age, safe_text

# Columns and their minimum width in cells; "acc" is that of the metric, whichever it is.
METRIC = "acc"
COLUMNS = {"state": 13, "run": 17, "strategy": 8, METRIC: 7, "curve": 5, "when": 6}
MACHINE = "machine"  # a column before the curve, which it replaces in a narrow terminal
MACHINE_CELLS = 13  # for a name and an age; five more in a wide terminal
WIDE = 110  # cells, from which on there is room for machine and curve
STRATEGY = 14  # its cells beside names that do not fit
STALE_SECONDS = 60.0  # after which it is shown how old the answer of a machine is
PADDING = 2  # cells around a column
VALIDATION = "v"  # marks an accuracy on validation images


def column_widths(room: int, runs: Sequence[RunView], several: bool = False) -> dict[str, int]:
    """Return the cells of each column in `room` cells: whole names if they fit.

    Args:
        room: of the terminal.
        runs: that are shown.
        several: whether they may be of several machines.
    """
    positions = (len(_epoch_count(view)) for view in runs if view.running)
    widths = {**COLUMNS, "when": max(COLUMNS["when"], *positions, 0)}
    strategy = STRATEGY
    if several:
        curve, when = widths.pop("curve"), widths.pop("when")
        wide = {"curve": curve} if room >= WIDE else {}
        widths |= {MACHINE: MACHINE_CELLS + 5 * len(wide), **wide, "when": when}
        strategy = STRATEGY if wide else STRATEGY - 4
    fixed = sum(widths[title] for title in widths if title not in ("run", "strategy"))
    least = COLUMNS["run"] + strategy  # in a terminal that is too small
    left = max(room - 2 - PADDING * len(widths) - fixed, least)
    widths["run"], widths["strategy"] = name_widths(left, runs, strategy)
    spare = "curve" if "curve" in widths else MACHINE
    widths[spare] += max(left - widths["run"] - widths["strategy"], 0)
    return widths


def name_widths(
    room: int, runs: Sequence[RunView], strategy_cells: int = STRATEGY
) -> tuple[int, int]:
    """Return the cells for the names of runs, which have priority, and for their strategies."""
    names = [len(safe_text(view.name)) for view in runs]
    recipes = [len(safe_text(view.summary.recipe)) for view in runs]
    strategy = max([COLUMNS["strategy"], *recipes])
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
    summary = view.summary
    word = summary.state.phase
    color = theme.get(STATE_COLORS.get(word, "$foreground").removeprefix("$"), "")
    measured = [
        row.val_accuracy if metric == ACCURACY else row.scores.get(metric)
        for row in view.history.epochs
    ]
    cells = {
        "state": Text.assemble(f"{word:<11}", " ", state_symbol(word, utf8), style=color),
        "run": Text(safe_text(view.name, widths["run"])),
        "strategy": Text(safe_text(summary.recipe, widths["strategy"])),
        METRIC: _metric_cell(summary, metric),
        "when": Text(_when(view)),
    }
    if "curve" in widths:
        cells["curve"] = Text(sparkline(measured, widths["curve"], utf8))
    if MACHINE in widths:
        cells[MACHINE] = _machine_cell(view, widths[MACHINE])
    return tuple(cells[title] for title in widths)


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
    return Text("-") if validation is None else Text(f"{validation:.3f} {VALIDATION}", style="dim")


def _when(view: RunView) -> str:
    """Return the position of a running run; the age of another's last event."""
    if view.running:
        return _epoch_count(view)
    if view.summary.last_sign is None:
        return "-"
    return format_age(max(time.time() - view.summary.last_sign, 0))


def _epoch_count(view: RunView) -> str:
    total = view.summary.epochs_total
    return f"{view.summary.epochs_done}/{total}" if total else "begun"
