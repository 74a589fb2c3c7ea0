"""Curves over epochs as text: in braille dots or ASCII, with axes, names and marks around. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import plotext
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from workbench.messages import tr
from workbench.text import safe_text

MIN_CANVAS = 16  # cells; a narrower one has no labels at its right side
MIDDLE_TICK_ROWS = 7  # from which there is a tick between the highest and the lowest
MAX_VALUE = 1e100  # beyond it, arithmetic would overflow; no training has such values
QUIET = "dim"

Values = tuple[float | None, ...]
Point = tuple[float, float]
Cell = tuple[str, Style | str]
Row = list[Cell]


@dataclass(frozen=True)
class Series:
    """A curve: a value for each epoch, None where there is none.

    Attributes:
        name: label beside its last point.
        color: `#rrggbb`.
        raw: the values before smoothing, drawn as dots of `raw_color` behind them.
        last: number beside the name; None for the newest value.
        marker: one character, for terminals without braille.
    """

    name: str
    values: Values
    color: str
    raw: Values = ()
    raw_color: str = "#808080"
    last: float | None = None
    marker: str = "*"

    @property
    def newest(self) -> float | None:
        """The last finite value."""
        return next((v for v in reversed(self.values) if v is not None and math.isfinite(v)), None)


@dataclass(frozen=True)
class Frame:
    """The canvas: cells, and the values at its edges (their logarithms on a log axis)."""

    columns: int
    rows: int
    epochs: int
    low: float
    high: float

    def column(self, epoch: float) -> int:
        """Return the column of an epoch, from the left."""
        column = (epoch - 1) / max(self.epochs - 1, 1) * (self.columns - 1)
        return min(max(round(column), 0), self.columns - 1)

    def row(self, value: float) -> int:
        """Return the row of a value, from the top."""
        share = (value - self.low) / (self.high - self.low)
        dot = round(share * (4 * self.rows - 1))  # a braille cell has four rows of dots
        return min(max(self.rows - 1 - dot // 4, 0), self.rows - 1)


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


def plot(series: Sequence[Series], width: int, height: int, options: PlotOptions) -> Text:
    """Draw curves in `width` x `height` cells: canvas, x axis and a line of labels below it.

    Later curves cover earlier ones. Nothing is drawn in fewer than 12 x 4 cells.
    """
    if width < 12 or height < 4:
        return Text("")
    shown = [_scaled(one, options.log) for one in series]
    known = [v for one in shown for v in (*one.values, *one.raw) if v is not None]
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
    low, high = _limits(known, options.log)
    ticks = _ticks(low, high, rows, options.log)
    left = max(len(tick) for tick in ticks.values()) + 1
    names = [(one.newest, f"{one.name} {_last(given)}", one.color) for one, given in
             zip(shown, series, strict=True)]  # fmt: skip
    right = max((cell_len(name) + 1 for value, name, _ in names if value is not None), default=0)
    if width - left - 1 - right < MIN_CANVAS:
        right = 0
    frame = Frame(max(width - left - 1 - right, 2), rows, _last_epoch(shown, options), low, high)
    return frame, left, right, ticks, names


def epoch_at(
    x: int, series: Sequence[Series], width: int, height: int, options: PlotOptions
) -> int | None:
    """Return the epoch that is drawn in a column of a plot; None beside its canvas."""
    shown = [_scaled(one, options.log) for one in series]
    known = [v for one in shown for v in (*one.values, *one.raw) if v is not None]
    if width < 12 or height < 4 or not known:
        return None
    frame, left, *_ = _arrange(series, shown, known, width, height - 2, options)
    column = x - left - 1
    if not 0 <= column < frame.columns:
        return None
    return min(range(1, frame.epochs + 1), key=lambda epoch: abs(frame.column(epoch) - column))


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


def _last(series: Series) -> str:
    value = series.newest if series.last is None else series.last
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.1e}"


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
        if first > 1:
            column = frame.column(first - 0.5)
            for cells in canvas:
                if cells[column][0] == " ":
                    cells[column] = ("┆" if options.utf8 else ":", QUIET)


def _mark_cursor(canvas: list[Row], frame: Frame, options: PlotOptions) -> None:
    """Draw a line where values are read off, behind the curves."""
    if options.cursor is not None and options.cursor <= frame.epochs:
        column = frame.column(options.cursor)
        for cells in canvas:
            if cells[column][0] in (" ", "┆", ":"):
                cells[column] = ("│" if options.utf8 else "|", "")


def _side(names: Sequence[tuple[float | None, str, str]], frame: Frame) -> dict[int, Cell]:
    """Return names beside the last points, by row; those that would share a row move apart."""
    wanted = sorted((frame.row(v), name, color) for v, name, color in names if v is not None)
    placed: dict[int, Cell] = {}
    for number, (row, name, color) in enumerate(wanted):
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
        if first > 1:
            axis[frame.column(first - 0.5)] = (border, QUIET)
    if options.best is not None:
        axis[frame.column(options.best)] = (top, "bold")
    names = _names(frame, width - left - 1, options)
    return [[(" " * left + corner, QUIET), *axis], [(" " * (left + 1), ""), (names, QUIET)]]


def _names(frame: Frame, room: int, options: PlotOptions) -> str:
    """Return the labels below the axis; less important ones are left out without room."""
    line = [" "] * room
    taken = [False] * (room + 2)

    def put(name: str, start: int) -> None:
        name = safe_text(name, max(room, 8))
        start = min(max(start, 0), max(room - len(name), 0))
        if name and len(name) <= room and not any(taken[start : start + len(name) + 1]):
            line[start : start + len(name)] = name
            around = range(max(start - 1, 0), start + len(name) + 1)
            for cell in around:
                taken[cell] = True

    if options.best is not None:
        put(options.best_name, frame.column(options.best) - len(options.best_name) // 2)
    end, free = frame.columns - len(options.end_name), len("".join(line).rstrip()) + 2
    # A little beyond the end of the axis if the best epoch's label is in the way.
    put(options.end_name, max(end, free) if free < frame.columns else end)
    for first, name in options.borders:
        put(name, frame.column(first - 0.5) if first > 1 else 0)
    return "".join(line).rstrip()


def _empty(width: int, rows: int, options: PlotOptions) -> list[Row]:
    lines: list[Row] = [[("", "")] for _ in range(rows)]
    lines[rows // 2] = [(safe_text(options.empty, width).center(width).rstrip(), QUIET)]
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


# The canvas: curves without axes as rows of cells, drawn by plotext


def draw_curves(series: Sequence[Series], frame: Frame, utf8: bool) -> list[Row]:
    """Draw the curves with plotext; all rows have the same width."""
    plotext.clear_figure()  # plotext has one figure for the whole process
    plotext.limit_size(False, False)
    plotext.plotsize(frame.columns, frame.rows)
    plotext.theme("clear")
    plotext.frame(False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(1, frame.epochs)
    plotext.ylim(frame.low, frame.high)
    dots = frame.columns * (2 if utf8 else 1)
    for one in series:
        if one.raw:
            points = [p for stretch in _stretches(one.raw) for p in _thinned(stretch, dots)]
            _draw(plotext.scatter, points, "braille" if utf8 else ".", one.raw_color)
        for stretch in _stretches(one.values):
            points = _thinned(stretch, dots)
            draw = plotext.plot if len(points) > 1 else plotext.scatter
            _draw(draw, points, "braille" if utf8 else one.marker, one.color)
    drawn = Text.from_ansi(plotext.build()).split("\n")
    plotext.clear_figure()
    return [_cells(line, frame.columns) for line in list(drawn)[: frame.rows]]


def _draw(draw: object, points: Sequence[Point], marker: str, color: str) -> None:
    if points:
        red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
        xs, ys = [x for x, _ in points], [y for _, y in points]
        assert callable(draw)
        draw(xs, ys, marker=marker, color=(red, green, blue))


def _stretches(values: Values) -> Iterator[list[Point]]:
    """Yield points without a gap between them; x is the number of the epoch."""
    stretch: list[Point] = []
    for number, value in enumerate(values, start=1):
        if value is not None:
            stretch.append((float(number), value))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _thinned(points: list[Point], dots: int) -> list[Point]:
    """Keep at most about two points for each of `dots` columns: their lowest and highest."""
    if len(points) <= 2 * dots:
        return points
    kept = [points[0]]
    for part in range(dots):
        bucket = points[part * len(points) // dots : (part + 1) * len(points) // dots]
        ends = {min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]


def _cells(line: Text, columns: int) -> Row:
    """Return a line as cells of one character, padded to `columns`."""
    cells: Row = [(character, "") for character in line.plain[:columns]]
    for span in line.spans:
        for at in range(span.start, min(span.end, len(cells))):
            cells[at] = (cells[at][0], span.style)
    return cells + [(" ", "")] * (columns - len(cells))
