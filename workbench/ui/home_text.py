"""Home in words: a run as cells of the table and as two lines, and what is said without any."""

import time
from collections import Counter
from collections.abc import Mapping

from rich.text import Text

from workbench.runs.state import RunSummary
from workbench.text import human_age, plural, safe_text
from workbench.ui.feed import Runs, RunView
from workbench.ui.marks import COLORS, sign, sparkline

# Column and its least width in cells; what a wider terminal has more goes by the shares.
COLUMNS = {"state": 13, "run": 17, "strategy": 14, "acc": 7, "curve": 7, "when": 8}
SHARES = {"run": 0.3, "strategy": 0.5, "curve": 0.2}
PADDING = 2  # cells around a column
VALIDATION = "v"  # marks an accuracy on validation images


def column_widths(room: int) -> dict[str, int]:
    """Cells of each column in a terminal of so many."""
    margins = 2 + PADDING * len(COLUMNS)
    spare = max(room - margins - sum(COLUMNS.values()), 0)
    return {title: n + int(SHARES.get(title, 0) * spare) for title, n in COLUMNS.items()}


def run_cells(view: RunView, room: int, utf8: bool, theme: Mapping[str, str]) -> tuple[Text, ...]:
    """A run as a row.

    Args:
        room: cells of the terminal.
        theme: its variables, for the colours.
    """
    summary, widths = view.summary, column_widths(room)
    word = summary.state.word
    color = theme.get(COLORS.get(word, "$foreground").removeprefix("$"), "")
    accuracies = [row.val_accuracy for row in view.history.epochs]
    return (
        Text.assemble(f"{word:<11}", " ", sign(word, utf8), style=color),
        Text(safe_text(view.name, widths["run"])),
        Text(safe_text(summary.recipe, widths["strategy"])),
        _accuracy_cell(summary),
        Text(sparkline(accuracies, widths["curve"], utf8)),
        Text(_when(view)),
    )


def accuracy_of(summary: RunSummary) -> float | None:
    """On test images where it was measured, else on validation images."""
    if summary.test_accuracy is not None:
        return summary.test_accuracy
    return summary.best_val_accuracy


def _accuracy_cell(summary: RunSummary) -> Text:
    """The accuracy; one on validation images is marked."""
    reached = accuracy_of(summary)
    if reached is None:
        return Text("-")
    if summary.test_accuracy is None:
        return Text(f"{reached:.3f} {VALIDATION}", style="dim")
    return Text(f"{reached:.3f}")


def runs_words(runs: Runs) -> str:
    """How many runs there are, and how many of them work or wait: "3 runs, 1 at work"."""
    states = Counter(
        "waiting" if view.summary.state.word == "waiting" else "at work"
        for view in runs
        if view.working
    )
    counted = [f"{states[word]} {word}" for word in ("at work", "waiting") if states[word]]
    return ", ".join([plural(len(runs), "run"), *counted])


def detail_of(view: RunView) -> Text:
    """A run in two lines, the second of them what it does or what became of it."""
    summary = view.summary
    parts = [f"{safe_text(summary.data, 40)}, {safe_text(summary.recipe, 30)}"]
    if summary.random_weights:
        parts.append("random weights")
    if summary.best_val_accuracy is not None:
        parts.append(f"validation ({VALIDATION}) {summary.best_val_accuracy:.4f}")
    if summary.test_accuracy is not None:
        parts.append(f"test {summary.test_accuracy:.4f}")
    text = Text(", ".join(parts))
    if summary.state.detail:
        text.append(f"\n{summary.state.word}: {summary.state.detail}", style="dim")
    return text


def fits_filter(view: RunView, wanted: str) -> bool:
    """True where a part of its name, preset, strategy, state or data is wanted."""
    summary = view.summary
    parts = (view.name, summary.preset or "", summary.strategy, summary.state.word, summary.data)
    return wanted.lower() in " ".join(parts).lower()


def nothing_yet(wanted: str, trash: bool) -> Text:
    """In the place of the table.

    Args:
        wanted: what the filter asks for.
        trash: whether there is a deleted run to bring back.
    """
    if wanted:
        return Text("No run fits the filter; escape takes it away.")
    return Text(
        "No runs yet.\n\n"
        "n  a new experiment: from a folder of images to a trained classifier\n"
        "d  the demo: two networks learn handwritten digits, half a minute\n"
        "m  the machine: does training run on a GPU here, and how fast?\n"
        "e  ten small experiments: is what the chapter says true?\n"
        "?  what all this is\n"
        "ctrl+p  all that can be done: type what you look for"
        + ("\nu  bring back the run that was deleted last" if trash else "")
    )


def _when(view: RunView) -> str:
    """How far a run at work is; how long ago another was heard of."""
    summary = view.summary
    if view.working:
        total = summary.epochs_total
        return f"{summary.epochs_done}/{total}" if total else "begun"
    if summary.last_sign is None:
        return "-"
    return human_age(max(time.time() - summary.last_sign, 0))
