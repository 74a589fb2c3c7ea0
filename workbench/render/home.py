"""Home as text: a run as cells of the table and as two lines, and the text without runs."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text

from workbench.render.marks import STATE_COLORS, sparkline, state_symbol
from workbench.runs.state import RunSummary
from workbench.runs.watch import Runs, RunView
from workbench.text import format_age, plural, safe_text

# Columns and their minimum width in cells.
COLUMNS = {"state": 13, "run": 17, "strategy": 8, "acc": 7, "curve": 5, "when": 6}
STRATEGY = 14  # its cells beside names that do not fit
PADDING = 2  # cells around a column
VALIDATION = "v"  # marks an accuracy on validation images


def column_widths(room: int, runs: Sequence[RunView]) -> dict[str, int]:
    """Return the cells of each column in `room` cells: whole names if they fit."""
    positions = (len(_position(view)) for view in runs if view.running)
    widths = {**COLUMNS, "when": max(COLUMNS["when"], *positions, 0)}
    fixed = sum(widths[title] for title in widths if title not in ("run", "strategy"))
    least = COLUMNS["run"] + STRATEGY  # in a terminal that is too small
    left = max(room - 2 - PADDING * len(widths) - fixed, least)
    widths["run"], widths["strategy"] = name_widths(left, runs)
    widths["curve"] += max(left - widths["run"] - widths["strategy"], 0)
    return widths


def name_widths(room: int, runs: Sequence[RunView]) -> tuple[int, int]:
    """Return the cells for the names of runs, which have priority, and for their strategies."""
    names = [len(safe_text(view.name)) for view in runs]
    recipes = [len(safe_text(view.summary.recipe)) for view in runs]
    strategy = max([COLUMNS["strategy"], *recipes])
    name = min(max([COLUMNS["run"], *names]), room - min(strategy, STRATEGY))
    return name, min(strategy, room - name)


def run_cells(
    view: RunView, widths: Mapping[str, int], utf8: bool, theme: Mapping[str, str]
) -> tuple[Text, ...]:
    """Return a run as a row.

    Args:
        view: the run.
        widths: cells of each column.
        utf8: False for ASCII.
        theme: its variables, for the colours.
    """
    summary = view.summary
    word = summary.state.phase
    color = theme.get(STATE_COLORS.get(word, "$foreground").removeprefix("$"), "")
    accuracies = [row.val_accuracy for row in view.history.epochs]
    return (
        Text.assemble(f"{word:<11}", " ", state_symbol(word, utf8), style=color),
        Text(safe_text(view.name, widths["run"])),
        Text(safe_text(summary.recipe, widths["strategy"])),
        _accuracy_cell(summary),
        Text(sparkline(accuracies, widths["curve"], utf8)),
        Text(_when(view)),
    )


def accuracy_of(summary: RunSummary) -> float | None:
    """Return the accuracy on test images if it was measured, else on validation images."""
    if summary.test_accuracy is not None:
        return summary.test_accuracy
    return summary.best_val_accuracy


def _accuracy_cell(summary: RunSummary) -> Text:
    """Return the accuracy; one on validation images is marked."""
    reached = accuracy_of(summary)
    if reached is None:
        return Text("-")
    if summary.test_accuracy is None:
        return Text(f"{reached:.3f} {VALIDATION}", style="dim")
    return Text(f"{reached:.3f}")


def describe_runs(runs: Runs) -> str:
    """Return the number of runs, and of those that run or wait: "3 runs, 1 running"."""
    states = Counter(
        "waiting" if view.summary.state.phase == "waiting" else "running"
        for view in runs
        if view.running
    )
    counted = [f"{states[word]} {word}" for word in ("running", "waiting") if states[word]]
    return ", ".join([plural(len(runs), "run"), *counted])


def describe_run(view: RunView) -> Text:
    """Return a run in two lines, its summary and its state."""
    summary = view.summary
    parts = [f"{safe_text(summary.data, 40)}, {safe_text(summary.recipe, 30)}"]
    if summary.random_weights:
        parts.append("random weights")
    if summary.best_val_accuracy is not None:
        parts.append(f"validation ({VALIDATION}) {summary.best_val_accuracy:.4f}{_of_epoch(view)}")
    if summary.test_accuracy is not None:
        parts.append(f"test {summary.test_accuracy:.4f}")
    text = Text(", ".join(parts))
    if summary.state.detail:
        text.append(f"\n{summary.state.phase}: {summary.state.detail}", style="dim")
    return text


def _of_epoch(view: RunView) -> str:
    """Return the epoch of a running run's accuracy: others may have a higher one."""
    if not view.running:
        return ""
    monitor = safe_text(view.table("training").get("monitor", "val_loss"), 20)
    return f" at the best {monitor} so far"


def matches_filter(view: RunView, wanted: str) -> bool:
    """Return whether its name, preset, strategy, state or data contains the filter."""
    summary = view.summary
    parts = (view.name, summary.preset or "", summary.strategy, summary.state.phase, summary.data)
    return wanted.lower() in " ".join(parts).lower()


def empty_table_text(wanted: str, trash: bool) -> Text:
    """Return the text shown instead of an empty table.

    Args:
        wanted: the filter.
        trash: whether there is a deleted run to restore.
    """
    if wanted:
        return Text("No run matches the filter; escape clears it.")
    return Text(
        "No runs yet.\n\n"
        "n  a new experiment: from a folder of images to a trained classifier\n"
        "D  the demo: two networks learn handwritten digits, half a minute\n"
        "m  the machine: does training run on a GPU here, and how fast?\n"
        "E  lessons: ten small experiments on the claims of the chapter\n"
        "?  explanations\n"
        "ctrl+p  every command: type to search"
        + ("\nu  restore the run that was deleted last" if trash else "")
    )


def _when(view: RunView) -> str:
    """Return the position of a running run; the age of another's last event."""
    if view.running:
        return _position(view)
    if view.summary.last_sign is None:
        return "-"
    return format_age(max(time.time() - view.summary.last_sign, 0))


def _position(view: RunView) -> str:
    total = view.summary.epochs_total
    return f"{view.summary.epochs_done}/{total}" if total else "begun"
