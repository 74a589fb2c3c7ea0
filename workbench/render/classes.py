"""How the classes fare over the epochs of a run: their accuracy, and which are confused. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.text import Text

from workbench.analysis.epoch_confusion import (
    MAX_RECALLS,
    ClassCurve,
    PairChange,
    class_curves,
    pair_changes,
)
from workbench.messages import tr
from workbench.render.canvas import MARKERS, Series, Values
from workbench.render.marks import best_name, levels
from workbench.render.runs import epoch_in_stage
from workbench.runs.events import EpochFinished
from workbench.runs.history import History
from workbench.text import cell_width, cut_cells, pad_cells, safe_text

MAX_CLASSES, MAX_PAIRS = 100, 40  # lines
MAX_LABEL = 64  # characters
MIN_NAME = 8  # cells of a label
MIN_PAIR = 12  # cells of a pair of them
NUMBER = 8  # cells of a column, at least
COUNT = 7  # cells of a column of the pairs, at least
MIN_CURVE = 10  # cells


@dataclass(frozen=True)
class ClassEpochs:
    """The epochs of a run by what they say on its classes.

    Attributes:
        rows: all finished epochs.
        labels: of the classes.
        best: place of the best epoch in `rows`; None without one.
        cursor: place of the epoch that is read off; None for the newest.
        window: first and last epoch that are drawn, from 1; None for all.
    """

    rows: Sequence[EpochFinished]
    labels: Sequence[str]
    best: int | None = None
    cursor: int | None = None
    window: tuple[int, int] | None = None

    @cached_property
    def recorded(self) -> list[int]:
        """Places of the epochs that recorded their confusion."""
        return [at for at, row in enumerate(self.rows) if row.val_confusion is not None]

    @cached_property
    def curves(self) -> tuple[ClassCurve, ...]:
        """The accuracy of each class, the lowest last one first."""
        return class_curves(self.rows, len(self.labels))

    @property
    def now(self) -> int:
        """The place of the epoch that is compared: that of the cursor, else the newest."""
        recorded = self.recorded
        return self.cursor if self.cursor in recorded and self.cursor is not None else recorded[-1]


def class_epochs(
    history: History, cursor: int | None = None, window: tuple[int, int] | None = None
) -> ClassEpochs:
    """Return the epochs of a history; the cursor counts from 1."""
    best = history.best
    place = history.curve.index(best) if best else None
    at = None if cursor is None or cursor > len(history.curve) else cursor - 1
    return ClassEpochs(history.curve, history.labels, place, at, window)


def format_classes(
    epochs: ClassEpochs, width: int, utf8: bool = True, worse: str = "", better: str = ""
) -> Text:
    """Return a line for each class, and one for each pair of labels that is confused.

    Args:
        epochs: of the run.
        width: cells.
        utf8: False for ASCII.
        worse: style of more confused images.
        better: style of fewer.
    """
    if not epochs.recorded or not epochs.labels:
        sentence = tr("How the classes fare was not recorded in this run.")
        return Text(cut_cells(sentence, width), style="dim")
    lines = [*_class_lines(epochs, width, utf8), Text("")]
    lines += _pair_lines(epochs, width, worse, better)
    text = Text("\n").join(lines)
    text.no_wrap = True
    return text


def class_series(epochs: ClassEpochs, colors: Sequence[str]) -> tuple[Series, ...]:
    """Return a curve for each class, the lowest last ones, as many as there are colours."""
    lowest = [one for one in epochs.curves if one.last is not None][: len(colors)]
    return tuple(
        Series(epochs.labels[one.label], one.values, color, marker=MARKERS[at % len(MARKERS)])
        for at, (one, color) in enumerate(zip(lowest, colors, strict=False))
    )


def _class_lines(epochs: ClassEpochs, width: int, utf8: bool) -> list[Text]:
    curves = epochs.curves
    title = Text.assemble((tr("accuracy of each class"), "bold"), no_wrap=True)
    if not curves:
        most = tr("is recorded for up to {count} classes", count=MAX_RECALLS)
        return [title.append(f"  {most}", style="dim")]
    title.append("  " + tr("in validation"), style="dim")
    names = [safe_text(label, MAX_LABEL) for label in epochs.labels]
    name = min(max(map(cell_width, names)), max(width // 4, MIN_NAME))
    columns = _columns(epochs, wide=width - name >= MIN_CURVE + 2 + 4 * NUMBER)
    heads = [pad_cells(head, NUMBER - 2, "r") for head, _ in columns]
    cells = max(width - name - 2 - sum(cell_width(head) + 2 for head in heads), 0)
    first, last = epochs.window or (1, len(epochs.rows))
    values = {one.label: thinned(one.values[first - 1 : last], cells) for one in curves}
    known = [value for found in values.values() for value in found if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    scale = tr("{low:.2f} to {high:.2f}", low=low, high=high)
    head = " " * name + "".join(f"  {head}" for head in heads)
    scale = scale if cell_width(scale) <= cells else ""
    lines = [title, Text(f"{head}  {scale}".rstrip(), "dim")]
    for one in curves[:MAX_CLASSES]:
        line = pad_cells(cut_cells(names[one.label], name), name)
        for head, (_, at) in zip(heads, columns, strict=True):
            line += "  " + pad_cells(_share(one.values[at]), cell_width(head), "r")
        line += "  " + levels(values[one.label][:cells], low, high, utf8)
        lines.append(Text(line.rstrip()))
    return [*lines, *_more(len(curves) - MAX_CLASSES)]


def _columns(epochs: ClassEpochs, wide: bool) -> list[tuple[str, int]]:
    """Return the heads of the columns with numbers, and the places of their epochs."""
    recorded, rows = epochs.recorded, epochs.rows
    columns = [(tr("first"), recorded[0])]
    if epochs.best is not None and (wide or epochs.cursor is None):
        columns.append((best_name(rows[epochs.best].epoch), epochs.best))
    columns.append((tr("last"), recorded[-1]))
    if epochs.cursor is not None:
        columns.append((_epoch_name(epochs, epochs.cursor), epochs.cursor))
    return columns


def thinned(values: Values, cells: int) -> list[float | None]:
    """Return at most so many values: the means of parts of equal size, of those that are known."""
    if len(values) <= max(cells, 1):
        return list(values)
    means: list[float | None] = []
    for part in range(cells):
        ends = part * len(values) // cells, (part + 1) * len(values) // cells
        known = [value for value in values[ends[0] : ends[1]] if value is not None]
        means.append(sum(known) / len(known) if known else None)
    return means


def _pair_lines(epochs: ClassEpochs, width: int, worse: str, better: str) -> list[Text]:
    recorded, now = epochs.recorded, epochs.now
    at = recorded.index(now)
    before = epochs.rows[recorded[at - 1]] if at else None
    first = epochs.rows[recorded[0]]
    changes = pair_changes(epochs.rows[now], before, first, len(epochs.labels))
    title = Text.assemble((tr("confused labels"), "bold"), no_wrap=True)
    if not changes:
        return [title.append("  " + tr("none"), style="dim")]
    title.append("  " + tr("change since the first epoch"), style="dim")
    title.truncate(width)
    newest = _epoch_name(epochs, now) if epochs.cursor is not None else tr("last")
    titles = (tr("first"), tr("before"), newest, tr("change"))
    heads = [pad_cells(head, COUNT - 1, "r") for head in titles]
    room = max(width - sum(cell_width(head) + 2 for head in heads), MIN_PAIR)
    names = [_pair_name(one, epochs.labels, room) for one in changes[:MAX_PAIRS]]
    name = max(map(cell_width, names))
    lines = [title, Text(" " * name + "".join(f"  {head}" for head in heads), style="dim")]
    for one, pair in zip(changes, names, strict=False):
        line = Text(pad_cells(pair, name))
        change = one.change
        counts = (one.first, one.before if before else None, one.now)
        shown = ["-" if count is None else str(count) for count in counts]
        shown.append("-" if change is None else f"{change:+d}" if change else "0")
        styles = ("", "", "", "" if not change else worse if change > 0 else better)
        for value, head, style in zip(shown, heads, styles, strict=True):
            line.append("  " + pad_cells(value, cell_width(head), "r"), style=style)
        lines.append(line)
    return [*lines, *_more(len(changes) - MAX_PAIRS)]


def _pair_name(pair: PairChange, labels: Sequence[str], width: int) -> str:
    """Return "cat as dog"; the longer label is cut first where there is no room."""
    one, other = (safe_text(labels[at], MAX_LABEL) for at in (pair.label, pair.predicted))
    missing = cell_width(tr("{label} as {predicted}", label=one, predicted=other)) - width
    if missing > 0:
        room = cell_width(one) + cell_width(other) - missing
        half = room // 2
        if cell_width(one) <= half:
            other = cut_cells(other, room - cell_width(one))
        elif cell_width(other) <= half:
            one = cut_cells(one, room - cell_width(other))
        else:
            one, other = cut_cells(one, room - half), cut_cells(other, half)
    return tr("{label} as {predicted}", label=one, predicted=other)


def _epoch_name(epochs: ClassEpochs, at: int) -> str:
    """Return the head of an epoch's column: "epoch 17", of several stages "s2 e17"."""
    return epoch_in_stage(epochs.rows, at, short=epochs.rows[0].stage != epochs.rows[-1].stage)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _more(count: int) -> list[Text]:
    return [Text(tr("and {entries:,} more", entries=count), "dim")] if count > 0 else []
