"""Home in words: a run as cells of the table and as two lines, and what is said without any."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text

from workbench.render.marks import COLORS, sign, sparkline
from workbench.runs.state import RunSummary
from workbench.runs.watch import Runs, RunView
from workbench.text import human_age, plural, safe_text

# Column and its least width in cells.
COLUMNS = {"state": 13, "run": 17, "strategy": 8, "acc": 7, "curve": 5, "when": 6}
STRATEGY = 14  # cells that it has beside names that are longer than there is room for
PADDING = 2  # cells around a column
VALIDATION = "v"  # marks an accuracy on validation images


def column_widths(room: int, runs: Sequence[RunView]) -> dict[str, int]:
    """Cells of each column in a terminal of so many: names whole where they can be."""
    places = (len(_place(view)) for view in runs if view.working)
    widths = {**COLUMNS, "when": max(COLUMNS["when"], *places, 0)}
    fixed = sum(widths[title] for title in widths if title not in ("run", "strategy"))
    least = COLUMNS["run"] + STRATEGY  # in a terminal that is too small
    left = max(room - 2 - PADDING * len(widths) - fixed, least)
    widths["run"], widths["strategy"] = name_widths(left, runs)
    widths["curve"] += max(left - widths["run"] - widths["strategy"], 0)
    return widths


def name_widths(room: int, runs: Sequence[RunView]) -> tuple[int, int]:
    """Cells of so many for the runs' names, which come first, and for their strategies."""
    names = [len(safe_text(view.name)) for view in runs]
    recipes = [len(safe_text(view.summary.recipe)) for view in runs]
    strategy = max([COLUMNS["strategy"], *recipes])
    name = min(max([COLUMNS["run"], *names]), room - min(strategy, STRATEGY))
    return name, min(strategy, room - name)


def run_cells(
    view: RunView, widths: Mapping[str, int], utf8: bool, theme: Mapping[str, str]
) -> tuple[Text, ...]:
    """A run as a row.

    Args:
        widths: cells of each column.
        theme: its variables, for the colours.
    """
    summary = view.summary
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
        parts.append(f"validation ({VALIDATION}) {summary.best_val_accuracy:.4f}{_of_epoch(view)}")
    if summary.test_accuracy is not None:
        parts.append(f"test {summary.test_accuracy:.4f}")
    text = Text(", ".join(parts))
    if summary.state.detail:
        text.append(f"\n{summary.state.word}: {summary.state.detail}", style="dim")
    return text


def _of_epoch(view: RunView) -> str:
    """Of which epoch a run at work has its accuracy: others may have a higher one."""
    if not view.working:
        return ""
    monitor = safe_text(view.table("training").get("monitor", "val_loss"), 20)
    return f" at the best {monitor} so far"


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
    if view.working:
        return _place(view)
    if view.summary.last_sign is None:
        return "-"
    return human_age(max(time.time() - view.summary.last_sign, 0))


def _place(view: RunView) -> str:
    total = view.summary.epochs_total
    return f"{view.summary.epochs_done}/{total}" if total else "begun"
