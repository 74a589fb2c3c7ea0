"""A ladder in words: its rungs as cells of a table, and the one under the cursor in full. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text

from workbench.app.ladder_rows import RungRow, figure
from workbench.render.marks import COLORS, sign, sparkline
from workbench.text import plural, safe_text

WIDE = 110  # columns of a terminal from which there is room for curves and whole names
BORDERS = 2  # cells beside the table
# Columns and their cells, the gap before them included.
NARROW_COLUMNS = {
    "rung": 19, "state": 19, "acc": 6, "95 %": 12, "seconds": 8, "book": 6, "readers": 8,
}  # fmt: skip
WIDE_COLUMNS = {
    "rung": 29, "state": 13, "epochs": 8, "curve": 10, "accuracy": 9, "95 % interval": 16,
    "seconds": 9, "book": 6, "readers": 8,
}  # fmt: skip
LEFT = ("rung", "state", "curve")  # all other columns lean right
GAP = 2  # cells before a curve
AUGMENTED, RANDOM = "-augmented", " random"
AT_WORK = ("starting", "preparing", "training", "evaluating")


def columns(room: int) -> dict[str, int]:
    """Titles and cells in a terminal of so many; a wide one shows longer curves."""
    if room < WIDE:
        return NARROW_COLUMNS
    spare = room - BORDERS - sum(WIDE_COLUMNS.values())
    return {**WIDE_COLUMNS, "curve": WIDE_COLUMNS["curve"] + max(spare, 0)}


def title(text: str) -> Text:
    """The head of a column."""
    gap = " " * GAP if text == "curve" else ""
    return Text(gap + text, justify="left" if text in LEFT else "right")


def cells(
    row: RungRow,
    below: str,
    curve: Sequence[float | None],
    room: int,
    utf8: bool,
    theme: Mapping[str, str],
) -> list[Text]:
    """A rung, a cell for each of the `columns`.

    Args:
        below: preset of the rung below this one, "" for none.
        curve: validation accuracy, epoch by epoch.
        room: cells of the terminal.
        theme: its variables, for the colours.
    """
    wide, widths = room >= WIDE, columns(room)
    color = theme.get(COLORS.get(row.state, "$foreground").removeprefix("$"), "")
    epochs = f"{row.epochs_done}/{row.epochs_total}" if row.epochs_total else "-"
    state = f"{row.state} {sign(row.state, utf8)}"
    if not wide and row.state == "training":
        state += f" {epochs}"
    told = {
        "rung": _rung(row, "" if wide else below, widths["rung"] - 1),
        "state": state,
        "epochs": epochs,
        "curve": " " * GAP + sparkline(curve, widths.get("curve", GAP) - GAP, utf8),
        "acc": _share(row.accuracy),
        "accuracy": _share(row.accuracy),
        "95 %": _interval(row, "-"),
        "95 % interval": _interval(row, " to "),
        "seconds": "-" if row.seconds is None else f"{row.seconds:,.0f}",
        "book": figure(row.book),
        "readers": figure(row.readers),
    }
    styles = {"state": color, "acc": "bold", "accuracy": "bold"}
    return [
        Text(told[name], styles.get(name, ""), justify="left" if name in LEFT else "right")
        for name in widths
    ]


def _rung(row: RungRow, below: str, room: int) -> str:
    """Its preset; as what it adds, where it augments the rung below it."""
    name = "  + augmentation" if below and row.preset == below + AUGMENTED else row.preset
    if row.random_weights:
        return safe_text(name, room - len(RANDOM)) + RANDOM
    return safe_text(name, room)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(row: RungRow, between: str) -> str:
    return between.join(map(_share, row.interval)) if row.interval else "-"


def heading(name: str, rows: Sequence[RungRow]) -> Text:
    """The ladder, and how far it has come."""
    text = Text.assemble((safe_text(name, 40), "bold"))
    if not rows:
        return text
    states = Counter("at work" if row.state in AT_WORK else row.state for row in rows)
    told = [f"{states['finished']} of {plural(len(rows), 'rung')} finished"]
    told += [f"{states[word]} {word}" for word in ("at work", "waiting") if states[word]]
    return text.append(f"  {', '.join(told)}")


def detail(row: RungRow, best: float | None) -> Text:
    """What the table has no room for, in two lines.

    Args:
        best: the validation accuracy of the best epoch so far.
    """
    said = [f"{safe_text(row.preset, 40)}: {safe_text(row.run, 64)}"]
    if row.random_weights:
        said.append("random weights")
    if best is not None:
        said.append(f"validation {best:.4f}")
    text = Text(", ".join(said))
    return text.append(f"\n{row.state}: {row.detail}" if row.detail else "", style="dim")
