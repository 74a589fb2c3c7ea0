"""Curves over epochs as text: in braille dots or ASCII, with axes, names and marks around. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len
from rich.text import Text

from workbench.messages import tr
from workbench.render.canvas import Cell, Frame, Row, Series, Values, draw_curves
from workbench.text import safe_text

MIN_CANVAS = 16  # cells; a narrower one has no labels at its right side
MIDDLE_TICK_ROWS = 7  # from which there is a tick between the highest and the lowest
MAX_VALUE = 1e100  # beyond it, arithmetic would overflow; no training has such values
QUIET = "dim"


@dataclass(frozen=True)
class PlotOptions:
    """Axis and marks around the curves.

    Attributes:
        epochs: the last epoch of the x axis; the curves may end before it.
        borders: (number of a stage's first epoch, its name); those after epoch 1 are marked.
        best: number of the epoch marked as the best, counted over the whole run.
        best_name: label below it.
        end_name: label below the last epoch.
        log: True for a logarithmic y axis; values not above 0 are left out.
        utf8: False for ASCII.
        empty: text if there are no points.
        cursor: number of the epoch whose values are read off; None for no cursor.
        window: first and last epoch that are drawn; None for all up to `epochs`.
        limits: lowest and highest value of the y axis; None for those of the curves.
        digits: of the newest values beside the names, behind the point.
    """

    epochs: int = 1
    borders: tuple[tuple[int, str], ...] = ()
    best: int | None = None
    best_name: str = "best"
    end_name: str = ""
    log: bool = False
    utf8: bool = True
    empty: str = tr("no finished epoch yet")
    cursor: int | None = None
    window: tuple[int, int] | None = None
    limits: tuple[float, float] | None = None
    digits: int = 3


def plot(series: Sequence[Series], width: int, height: int, options: PlotOptions) -> Text:
    """Draw curves in `width` x `height` cells: canvas, x axis and a line of labels below it.

    Later curves cover earlier ones. Nothing is drawn in fewer than 12 x 4 cells.
    """
    if width < 12 or height < 4:
        return Text("")
    series = _visible(series, options)
    shown, known = _drawn(series, options)
    rows = height - 2
    if not known:
        return _join([*_empty(width, rows, options), *_below(0, width, None, options)])
    frame, left, right, ticks, names = _arrange(series, shown, known, width, rows, options)
    canvas = draw_curves(shown, frame, options.utf8)
    _mark_borders(canvas, frame, options)
    _mark_cursor(canvas, frame, options)
    side = _side(names, frame) if right else {}
    bar = "│" if options.utf8 else "|"
    lines: list[Row] = []
    for number, cells in enumerate(canvas):
        line: Row = [(f"{ticks.get(number, ''):>{left}}", QUIET), (bar, QUIET), *cells]
        if number in side:
            line += [(" ", ""), side[number]]
        lines.append(line)
    return _join([*lines, *_below(left, width, frame, options)])


def _arrange(
    series: Sequence[Series],
    shown: Sequence[Series],
    known: Sequence[float],
    width: int,
    rows: int,
    options: PlotOptions,
) -> tuple[Frame, int, int, dict[int, str], list[tuple[float | None, str, str]]]:
    """Return the canvas, the cells at its left and right, and what stands there."""
    low, high = options.limits or _limits(known, options.log)
    ticks = _ticks(low, high, rows, options.log)
    left = max(len(tick) for tick in ticks.values()) + 1
    names = [(one.newest, f"{one.name} {_last(given, options.digits)}", one.color) for one, given in
             zip(shown, series, strict=True)]  # fmt: skip
    right = max((cell_len(name) + 1 for value, name, _ in names if value is not None), default=0)
    if width - left - 1 - right < MIN_CANVAS:
        right = 0
    first, last = options.window or (1, _last_epoch(shown, options))
    frame = Frame(max(width - left - 1 - right, 2), rows, last, low, high, first)
    return frame, left, right, ticks, names


def epoch_at(
    x: int, series: Sequence[Series], width: int, height: int, options: PlotOptions
) -> int | None:
    """Return the epoch that is drawn in a column of a plot; None beside its canvas."""
    series = _visible(series, options)
    shown, known = _drawn(series, options)
    if width < 12 or height < 4 or not known:
        return None
    frame, left, *_ = _arrange(series, shown, known, width, height - 2, options)
    column = x - left - 1
    if not 0 <= column < frame.columns:
        return None
    return min(
        range(frame.first, frame.epochs + 1), key=lambda epoch: abs(frame.column(epoch) - column)
    )


def _visible(series: Sequence[Series], options: PlotOptions) -> list[Series]:
    """Return the curves without what lies outside of the window."""
    if options.window is None:
        return list(series)
    first, last = options.window

    def cut(values: Values) -> Values:
        kept = values[first - 1 : last]
        return (None,) * min(first - 1, len(values)) + kept

    found = []
    for one in series:
        values, raw, low, high = map(cut, (one.values, one.raw, one.low, one.high))
        whole = replace(one, values=values, raw=raw, low=low, high=high, last=None)
        found.append(replace(whole, last=replace(whole, values=whole.raw or whole.values).newest))
    return [one for one in found if one.newest is not None]


def _drawn(series: Sequence[Series], options: PlotOptions) -> tuple[list[Series], list[float]]:
    """Return the curves as they are drawn, and all their values that are known."""
    shown = [_scaled(one, options.log) for one in series]
    values = (v for one in shown for v in (*one.values, *one.raw, *one.low, *one.high))
    return shown, [v for v in values if v is not None]


def _scaled(series: Series, log: bool) -> Series:
    """Return the series with None for what cannot be drawn, and logarithms on a log axis."""

    def scale(value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or abs(value) > MAX_VALUE:
            return None
        if log:
            return math.log10(value) if value > 0 else None
        return value

    return replace(
        series,
        name=safe_text(series.name, 16),
        values=tuple(map(scale, series.values)),
        raw=tuple(map(scale, series.raw)),
        low=tuple(map(scale, series.low)),
        high=tuple(map(scale, series.high)),
    )


def _limits(known: Sequence[float], log: bool) -> tuple[float, float]:
    """Return the lowest and the highest value; a constant lies in the middle."""
    low, high = min(known), max(known)
    if high - low > 1e-9 * max(abs(low), abs(high), 1e-9):
        return low, high
    room = 0.5 if log else max(abs(low) * 0.1, 0.01)
    return low - room, high + room


def _last_epoch(series: Sequence[Series], options: PlotOptions) -> int:
    longest = max((max(len(one.values), len(one.raw)) for one in series), default=1)
    return max(options.epochs, longest, 2)


def _last(series: Series, digits: int) -> str:
    value = series.newest if series.last is None else series.last
    return "-" if value is None else f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.1e}"


def _ticks(low: float, high: float, rows: int, log: bool) -> dict[int, str]:
    """Return labels at the left side, by row."""
    places = {0: high, rows - 1: low}
    if rows >= MIDDLE_TICK_ROWS:
        middle = rows // 2
        places[middle] = high - (middle + 0.5) / rows * (high - low)
    if log:
        return {row: f"{10**value:.2g}" for row, value in places.items()}
    span = high - low
    digits = min(max(1 - math.floor(math.log10(span)), 0), 4)
    big = max(abs(low), abs(high)) >= 1e5
    return {row: f"{v:.1e}" if big else f"{v:.{digits}f}" for row, v in places.items()}


def _mark_borders(canvas: list[Row], frame: Frame, options: PlotOptions) -> None:
    """Draw a dotted line where a stage begins, behind the curves."""
    for first, _ in options.borders:
        if frame.first < first <= frame.epochs:
            column = frame.column(first - 0.5)
            for cells in canvas:
                if cells[column][0] == " ":
                    cells[column] = ("┆" if options.utf8 else ":", QUIET)


def _mark_cursor(canvas: list[Row], frame: Frame, options: PlotOptions) -> None:
    """Draw a line where values are read off, behind the curves."""
    if options.cursor is not None and frame.first <= options.cursor <= frame.epochs:
        column = frame.column(options.cursor)
        for cells in canvas:
            if cells[column][0] in (" ", "┆", ":"):
                cells[column] = ("│" if options.utf8 else "|", "")


def _side(names: Sequence[tuple[float | None, str, str]], frame: Frame) -> dict[int, Cell]:
    """Return names beside the last points, by row; those that would share a row move apart."""
    known = ((v, name, color) for v, name, color in names if v is not None)
    wanted = sorted(known, key=lambda one: -one[0])
    placed: dict[int, Cell] = {}
    for number, (value, name, color) in enumerate(wanted):
        row = frame.row(value)
        later = len(wanted) - number - 1  # rows needed by the ones below
        row = min(max(row, max(placed, default=-1) + 1), frame.rows - 1 - later)
        if row >= 0:
            placed[row] = (name, color)
    return placed


def _below(left: int, width: int, frame: Frame | None, options: PlotOptions) -> list[Row]:
    """Return the x axis and its labels."""
    line, corner, border, top = "─└┴▲" if options.utf8 else "-++^"
    if frame is None:
        return [[("", "")], [("", "")]]
    axis: Row = [(line, QUIET)] * frame.columns
    for first, _ in options.borders:
        if frame.first < first <= frame.epochs:
            axis[frame.column(first - 0.5)] = (border, QUIET)
    best = options.best
    if best is not None and frame.first <= best <= frame.epochs:
        axis[frame.column(best)] = (top, "bold")
    names = _names(frame, width - left - 1, options)
    return [[(" " * left + corner, QUIET), *axis], [(" " * (left + 1), ""), (names, QUIET)]]


def _names(frame: Frame, room: int, options: PlotOptions) -> str:
    """Return the labels below the axis; less important ones are left out without room."""
    line = [" "] * room
    taken = [False] * (room + 2)

    def put(name: str, start: int) -> None:
        name = safe_text(name, max(room, 8))
        width = cell_len(name)
        start = min(max(start, 0), max(room - width, 0))
        if name and width <= room and not any(taken[start : start + width + 1]):
            line[start : start + width] = [name, *[""] * (width - 1)]  # by cells, not characters
            around = range(max(start - 1, 0), start + width + 1)
            for cell in around:
                taken[cell] = True

    for first, name in options.borders:
        if options.window and first == frame.first:  # where else it begins, nothing says
            put(name, 0)
    best = options.best
    if best is not None and frame.first <= best <= frame.epochs:
        put(options.best_name, frame.column(best) - cell_len(options.best_name) // 2)
    end = frame.columns - cell_len(options.end_name)
    free = cell_len("".join(line).rstrip()) + 2
    # A little beyond the end of the axis if the best epoch's label is in the way.
    put(options.end_name, max(end, free) if free < frame.columns else end)
    for first, name in options.borders:
        if first == 1 and not options.window:
            put(name, 0)
        elif frame.first < first <= frame.epochs:
            put(name, frame.column(first - 0.5))
    return "".join(line).rstrip()


def _empty(width: int, rows: int, options: PlotOptions) -> list[Row]:
    lines: list[Row] = [[("", "")] for _ in range(rows)]
    text = safe_text(options.empty, width)
    lines[rows // 2] = [(" " * ((width - cell_len(text)) // 2) + text, QUIET)]
    return lines


def _join(lines: Sequence[Row]) -> Text:
    """Join rows of cells to a text; neighbours of one style become one span."""
    text = Text(no_wrap=True, end="")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for piece, style in _runs(line):
            text.append(piece, style)
    return text


def _runs(line: Row) -> Iterator[Cell]:
    for style, cells in groupby(line, key=lambda cell: cell[1]):
        yield "".join(character for character, _ in cells), style
