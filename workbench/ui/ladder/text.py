"""A ladder as text: its strategies as cells of a table, and the selected one in full. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text

from workbench.app.ladder import LadderRow, format_reference
from workbench.messages import tr
from workbench.render.marks import STATE_COLORS, sparkline, state_symbol
from workbench.text import cell_width, format_interval, plural, safe_text
from workbench.ui.base import WIDE_COLUMNS
from workbench.words import shown

BORDERS = 2  # cells beside the table
# Titles of columns and their cells, with the gap before them. A wide terminal has room for curves
# and whole names.
NARROW_COLUMNS = {
    "strategy": 19, "state": 19, "acc": 6, "95 %": 12, "seconds": 8, "book": 6, "readers": 8,
}  # fmt: skip
WIDE_TABLE_COLUMNS = {
    "strategy": 29, "state": 13, "epochs": 8, "curve": 10, "accuracy": 9, "95 % interval": 16,
    "seconds": 9, "book": 6, "readers": 8,
}  # fmt: skip
LEFT = ("strategy", "state", "curve")  # all other columns are aligned right
GAP = 2  # cells before a curve
AUGMENTED, RANDOM = "-augmented", " " + tr("random")
COLUMN_TITLES = {
    "strategy": tr("strategy"), "state": tr("state"), "epochs": tr("epochs"), "curve": tr("curve"),
    "acc": tr("acc"), "accuracy": tr("accuracy"), "95 %": tr("95 %"),
    "95 % interval": tr("95 % interval"), "seconds": tr("seconds"), "book": tr("book"),
    "readers": tr("readers"),
}  # fmt: skip
RUNNING = ("starting", "preparing", "training", "evaluating")


def columns(room: int) -> dict[str, int]:
    """Return titles and widths for a terminal's width; the curve gets the spare cells."""
    if room < WIDE_COLUMNS:
        return NARROW_COLUMNS
    spare = room - BORDERS - sum(WIDE_TABLE_COLUMNS.values())
    return {**WIDE_TABLE_COLUMNS, "curve": WIDE_TABLE_COLUMNS["curve"] + max(spare, 0)}


def title(text: str) -> Text:
    """Return the title of a column."""
    gap = " " * GAP if text == "curve" else ""
    return Text(gap + COLUMN_TITLES[text], justify="left" if text in LEFT else "right")


def cells(
    row: LadderRow,
    below: str,
    curve: Sequence[float | None],
    room: int,
    utf8: bool,
    theme: Mapping[str, str],
) -> list[Text]:
    """Return the cells of a strategy, one for each of the `columns`.

    Args:
        row: the strategy and its run.
        below: preset of the row above it in the table, "" for none.
        curve: validation accuracy of each epoch.
        room: cells of the terminal.
        utf8: whether the terminal shows more than ASCII.
        theme: its variables, for the colors.
    """
    wide, widths = room >= WIDE_COLUMNS, columns(room)
    color = theme.get(STATE_COLORS.get(row.state, "$foreground").removeprefix("$"), "")
    epochs = f"{row.epochs_done}/{row.epochs_total}" if row.epochs_total else "-"
    state = f"{shown(row.state)} {state_symbol(row.state, utf8)}"
    if not wide and row.state == "training":
        state += f" {epochs}"
    texts = {
        "strategy": _name(row, "" if wide else below, widths["strategy"] - 1),
        "state": state,
        "epochs": epochs,
        "curve": " " * GAP + sparkline(curve, widths.get("curve", GAP) - GAP, utf8),
        "acc": _share(row.accuracy),
        "accuracy": _share(row.accuracy),
        "95 %": "-".join(map(_share, row.interval)) if row.interval else "-",
        "95 % interval": format_interval(row.interval),
        "seconds": "-" if row.seconds is None else f"{row.seconds:,.0f}",
        "book": format_reference(row.book),
        "readers": format_reference(row.readers),
    }
    styles = {"state": color, "acc": "bold", "accuracy": "bold"}
    return [
        Text(texts[name], styles.get(name, ""), justify="left" if name in LEFT else "right")
        for name in widths
    ]


def _name(row: LadderRow, below: str, room: int) -> str:
    """Return the preset; only "+ augmentation" if it augments the one above it in the table."""
    name = "  " + tr("+ augmentation") if below and row.preset == below + AUGMENTED else row.preset
    if row.random_weights:
        return safe_text(name, room - cell_width(RANDOM)) + RANDOM
    return safe_text(name, room)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def format_heading(name: str, found: Sequence[str]) -> Text:
    """Return a ladder or sweep, and its progress by the states of its runs."""
    text = Text.assemble((safe_text(name, 40), "bold"))
    if not found:
        return text
    states = Counter("running" if state in RUNNING else state for state in found)
    parts = [
        tr(
            "{finished} of {runs} finished",
            finished=states["finished"],
            runs=plural(len(found), "run"),
        )
    ]
    others = {
        "running": tr("{count} running", count=states["running"]),
        "waiting": tr("{count} waiting", count=states["waiting"]),
        "planned": tr("{count} planned", count=states["planned"]),
        "pruned": tr("{count} pruned", count=states["pruned"]),
    }
    parts += [text for state, text in others.items() if states[state]]
    return text.append(f"  {', '.join(parts)}")


def format_detail(row: LadderRow, best: float | None) -> Text:
    """Return what the table has no room for, in two lines.

    Args:
        row: the strategy and its run.
        best: the validation accuracy of the best epoch so far.
    """
    parts = [f"{safe_text(row.preset, 40)}: {safe_text(row.run, 64)}"]
    if row.random_weights:
        parts.append(tr("random weights"))
    if best is not None:
        parts.append(tr("validation {best:.4f}", best=best))
    text = Text(", ".join(parts))
    return text.append(f"\n{shown(row.state)}: {row.detail}" if row.detail else "", style="dim")
