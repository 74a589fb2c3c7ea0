"""The canvas of a plot: curves without axes as rows of cells, drawn by plotext."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import plotext
from rich.style import Style
from rich.text import Text

Values = tuple[float | None, ...]
Point = tuple[float, float]
Cell = tuple[str, Style | str]
Row = list[Cell]

# They distinguish curves without braille, and repeat after the last one.
MARKERS = "*o+x#@%"


@dataclass(frozen=True)
class Series:
    """A curve: a value for each epoch, None where there is none.

    Attributes:
        name: label beside its last point.
        color: `#rrggbb`.
        raw: the values before smoothing, drawn as dots of `raw_color` behind them.
        last: number beside the name; None for the newest value.
        marker: one character, for terminals without braille.
        low, high: edges of a band behind the curve, in `raw_color`; () for none.
    """

    name: str
    values: Values
    color: str
    raw: Values = ()
    raw_color: str = "#808080"
    last: float | None = None
    marker: str = "*"
    low: Values = ()
    high: Values = ()

    @property
    def newest(self) -> float | None:
        """The last finite value."""
        return next((v for v in reversed(self.values) if v is not None and math.isfinite(v)), None)


@dataclass(frozen=True)
class Frame:
    """The canvas: cells, and what lies at its edges.

    Attributes:
        epochs: the last epoch, at the right edge.
        low, high: values, their logarithms on a log axis.
        first: the epoch at the left edge.
    """

    columns: int
    rows: int
    epochs: int
    low: float
    high: float
    first: int = 1

    def column(self, epoch: float) -> int:
        """Return the column of an epoch, from the left."""
        share = (epoch - self.first) / max(self.epochs - self.first, 1)
        column = share * (self.columns - 1)
        return min(max(round(column), 0), self.columns - 1)

    def row(self, value: float) -> int:
        """Return the row of a value, from the top."""
        share = (value - self.low) / (self.high - self.low)
        dot = round(share * (4 * self.rows - 1))  # a braille cell has four rows of dots
        return min(max(self.rows - 1 - dot // 4, 0), self.rows - 1)


def draw_curves(series: Sequence[Series], frame: Frame, utf8: bool) -> list[Row]:
    """Draw the curves with plotext; all rows have the same width."""
    plotext.clear_figure()  # plotext has one figure for the whole process
    plotext.limit_size(False, False)
    plotext.plotsize(frame.columns, frame.rows)
    plotext.theme("clear")
    plotext.frame(False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.xlim(frame.first, frame.epochs)
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
    rows = [_cells(line, frame.columns) for line in list(drawn)[: frame.rows]]
    for one in series:
        _fill_band(rows, one, frame, "░" if utf8 else "'")
    return rows


def _fill_band(rows: list[Row], series: Series, frame: Frame, mark: str) -> None:
    """Fill what is empty between the edges of a curve's band; between epochs they are straight."""
    edges = list(zip(series.low, series.high, strict=True))
    for column in range(frame.columns) if edges else ():
        at = column / max(frame.columns - 1, 1) * (frame.epochs - frame.first) + frame.first - 1
        before, after = math.floor(at + 1e-9), math.ceil(at - 1e-9)
        ends = edges[before : after + 1]
        if len(ends) != after + 1 - before:
            continue
        lows, highs = [low for low, _ in ends], [high for _, high in ends]
        low, high = _between(lows, at - before), _between(highs, at - before)
        if low is None or high is None:
            continue
        for row in range(frame.row(high), frame.row(low) + 1):
            if rows[row][column][0] == " ":
                rows[row][column] = (mark, series.raw_color)


def _between(ends: Sequence[float | None], share: float) -> float | None:
    """Return the value on the line from the first end to the last; None if one is unknown."""
    first, last = ends[0], ends[-1]
    return None if first is None or last is None else first + (last - first) * share


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
