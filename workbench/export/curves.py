"""The curves of a run as SVG that needs nothing else."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.export.html import shown
from workbench.runs.history import History
from workbench.runs.rows import EpochRow

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 92, 24, 34  # around the plot
_MOST_POINTS = 1000  # of a curve; a screen has no more
_FLAT = 0.01  # of the figures themselves; what differs by less looks level
_MARKED = 120  # points up to which each is a dot that tells its figure

Values = Sequence[float | None]


@dataclass(frozen=True)
class _Scale:
    """From epochs and values to the picture."""

    epochs: int
    low: float
    high: float

    def x(self, epoch: float) -> float:
        share = (epoch - 1) / (self.epochs - 1) if self.epochs > 1 else 0.5
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def curve_figure(history: History, figure: str) -> str:
    """Training and validation over all epochs; "" where nothing was measured.

    Stages follow one another; their borders and the epoch whose weights were kept are marked.

    Args:
        figure: "loss" or "accuracy".
    """
    rows = history.epochs
    curves = {"train": _values(rows, figure), "validation": _values(rows, f"val_{figure}")}
    known = [value for values in curves.values() for value in values if value is not None]
    if not known:
        return ""
    low, high, step = _bounds(known)
    scale = _Scale(len(rows), low, high)
    parts = [*_grid(scale, step), *_marks(history, scale)]
    for name, values in curves.items():
        parts += _curve(name, values, rows, scale)
    parts += _names(curves, scale)
    words = _in_words(curves, figure)
    inside = "\n".join(parts)
    return (
        f'<figure>\n<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">\n'
        f"{inside}\n</svg>\n<figcaption>{words}</figcaption>\n</figure>"
    )


def _values(rows: Sequence[EpochRow], name: str) -> Values:
    return [getattr(row, name) for row in rows]


def _bounds(known: Sequence[float]) -> tuple[float, float, float]:
    """The lowest and highest value of the axis, and the step between its lines."""
    low, high = min(known), max(known)
    spread = max(high - low, _FLAT * max(abs(low), abs(high)), 1e-6)
    power = 10.0 ** math.floor(math.log10(spread / 4))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= spread / 4)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return (bottom, top, step) if top > bottom else (bottom, bottom + step, step)


def _grid(scale: _Scale, step: float) -> Iterator[str]:
    digits = max(0, -math.floor(math.log10(step)))
    for number in range(round((scale.high - scale.low) / step) + 1):
        value = scale.low + number * step
        y = scale.y(value)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.{digits}f}</text>'
    bottom = HEIGHT - _BOTTOM + 18
    for epoch in sorted({1, scale.epochs}):
        yield f'<text x="{scale.x(epoch):.1f}" y="{bottom}" text-anchor="middle">{epoch}</text>'
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield f'<text x="{middle:.1f}" y="{bottom}" text-anchor="middle">epoch</text>'


def _marks(history: History, scale: _Scale) -> Iterator[str]:
    """Where a stage begins, and the epoch that was kept."""
    rows = history.epochs
    starts = [at for at in range(1, len(rows)) if rows[at].stage != rows[at - 1].stage]
    for at in starts:
        x = scale.x(at + 0.5)
        name = history.stages[rows[at].stage].name if rows[at].stage in history.stages else ""
        yield f'<path class="border" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>'
        yield f'<text x="{x + 4:.1f}" y="{_TOP - 8}">{shown(name or "next stage", 40)}</text>'
    kept = history.kept
    if kept is not None:
        x, y = scale.x(rows.index(kept) + 1), HEIGHT - _BOTTOM - 6
        stage = history.stages.get(kept.stage)
        word = "kept" if stage and stage.end else "best"
        yield f'<path class="kept" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>'
        yield f'<text class="kept" x="{x - 4:.1f}" y="{y}" text-anchor="end">{word}</text>'


def _curve(name: str, values: Values, rows: Sequence[EpochRow], scale: _Scale) -> Iterator[str]:
    """A line, with gaps where nothing was measured, and dots where there is room for them."""
    every = max(1, math.ceil(len(values) / _MOST_POINTS))
    points = [(at, value) for at, value in enumerate(values, 1) if (at - 1) % every == 0]
    path, drawing = [], False
    for epoch, value in points:
        if value is not None:
            path.append(f"{'L' if drawing else 'M'}{scale.x(epoch):.1f} {scale.y(value):.1f}")
        drawing = value is not None
    if len(path) > 1:
        yield f'<path class="{name}" d="{"".join(path)}"/>'
    if len(values) > _MARKED:
        return
    stages = len({row.stage for row in rows}) > 1
    for at, value in points:
        if value is not None:
            row = rows[at - 1]
            where = f"stage {row.stage + 1}, epoch {row.epoch}" if stages else f"epoch {row.epoch}"
            yield (
                f'<circle class="{name}" cx="{scale.x(at):.1f}" cy="{scale.y(value):.1f}" r="3">'
                f"<title>{name}, {where}: {value:.4f}</title></circle>"
            )


def _names(curves: dict[str, Values], scale: _Scale) -> Iterator[str]:
    """The name of each curve beside its end, one below the other where the ends are close."""
    ends = [
        (scale.y(last), name)
        for name, values in curves.items()
        if (last := _last(values)) is not None
    ]
    lowest = -math.inf
    for y, name in sorted(ends):
        lowest = max(y, lowest + 15)
        yield f'<text class="{name}" x="{WIDTH - _RIGHT + 10}" y="{lowest + 4:.1f}">{name}</text>'


def _last(values: Values) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _in_words(curves: dict[str, Values], figure: str) -> str:
    told = []
    for name, values in curves.items():
        known = [value for value in values if value is not None]
        if known:
            told.append(f"{name} from {known[0]:.4f} to {known[-1]:.4f}")
    return f"{figure.capitalize()} over {len(curves['train'])} epochs: {', '.join(told)}"
