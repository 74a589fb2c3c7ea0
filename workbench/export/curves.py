"""The curves of a run as SVG."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.experiment.metrics import METRICS
from workbench.export.templating import render
from workbench.messages import tr
from workbench.runs.events import CrossValidated, EpochFinished
from workbench.runs.history import History
from workbench.words import shown

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 92, 24, 34  # around the plot
_MIDDLE = (_LEFT + WIDTH - _RIGHT) / 2
_MAX_POINTS = 1000  # of a curve; a screen has no more
_FLAT = 0.01  # of the values themselves; a smaller range looks level
_MAX_DOTS = 120  # epochs up to which each is a dot that shows its value

Values = Sequence[float | None]


@dataclass(frozen=True)
class _Scale:
    """From epochs and values to the picture, in tenths of a pixel."""

    epochs: int
    low: float
    high: float

    def x(self, epoch: float) -> float:
        share = (epoch - 1) / (self.epochs - 1) if self.epochs > 1 else 0.5
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def curve_figure(history: History, metric: str) -> Markup:
    """Return training and validation over all epochs as HTML; "" where nothing was measured.

    Stages follow one another; their borders and the epoch whose weights were kept are marked.

    Args:
        history: of the run.
        metric: "loss", "accuracy" or a score, which has no curve of training.
    """
    rows = history.curve
    curves = {"train": _values(rows, metric), "validation": _values(rows, f"val_{metric}")}
    known = [value for values in curves.values() for value in values if value is not None]
    if not known:
        return Markup("")
    low, high, step = _bounds(known)
    scale = _Scale(len(rows), low, high)
    epochs = [(scale.x(epoch), str(epoch)) for epoch in sorted({1, scale.epochs})]
    return _figure(
        curves,
        lambda at: _place(rows[at], rows),
        scale,
        step,
        caption=_caption(curves, metric),
        ticks=[*epochs, (_MIDDLE, tr("epoch"))],
        borders=list(_borders(history, scale)),
        kept=_kept(history, scale),
    )


def probe_figure(probe: CrossValidated, metric: str) -> Markup:
    """Return what cross-validation found over the regularization; "" where nothing was measured.

    Args:
        probe: what a linear probe tried, the weakest regularization first.
        metric: "loss" or "accuracy".
    """
    tried = [one for one in probe.tried if one.value is not None]
    values = [getattr(one, metric) for one in tried]
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    low, high, step = _bounds(known)
    scale = _Scale(len(tried), low, high)
    chosen = next((at for at, one in enumerate(tried) if one.value == probe.chosen), None)
    ends = [(scale.x(at), f"{tried[at - 1].value:g}") for at in sorted({1, len(tried)})]
    title = METRICS.get(metric, shown(metric))
    if metric == "loss" and probe.solver == "ridge":  # not the loss of the results
        title = tr("squared error")
    caption = tr(
        "{metric} by cross-validation over {count} regularizations",
        metric=title[:1].upper() + title[1:],
        count=len(tried),
    )
    if chosen is not None and values[chosen] is not None:
        best, value = values[chosen], tried[chosen].value
        caption += ": " + tr("{best:.4f} at {value:.2g}, which was chosen", best=best, value=value)
    return _figure(
        {"validation": values},
        lambda at: f"{tried[at].value:.2g}",
        scale,
        step,
        caption=caption,
        ticks=[*ends, (_MIDDLE, tr("regularization"))],
        borders=[],
        kept=[] if chosen is None else [(scale.x(chosen + 1), tr("chosen"))],
    )


def _figure(
    curves: Mapping[str, Values],
    place: Callable[[int], str],
    scale: _Scale,
    step: float,
    **around: object,
) -> Markup:
    """Draw curves by their names; `place` says where the value at an index is."""
    figure = render(
        "report/curve.svg.j2",
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        top=_TOP,
        bottom=HEIGHT - _BOTTOM,
        grid=list(_grid(scale, step)),
        curves=[_curve(name, values, place, scale) for name, values in curves.items()],
        names=list(_names(curves, scale)),
        **around,
    )
    return Markup(figure)


def _values(rows: Sequence[EpochFinished], name: str) -> Values:
    return [getattr(row, name, None) for row in rows]


def _bounds(known: Sequence[float]) -> tuple[float, float, float]:
    """Return the lowest and highest value of the axis, and the step between its lines."""
    low, high = min(known), max(known)
    spread = max(high - low, _FLAT * max(abs(low), abs(high)), 1e-6)
    power = 10.0 ** math.floor(math.log10(spread / 4))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= spread / 4)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return (bottom, top, step) if top > bottom else (bottom, bottom + step, step)


def _grid(scale: _Scale, step: float) -> Iterator[tuple[float, str]]:
    digits = max(0, -math.floor(math.log10(step)))
    for number in range(round((scale.high - scale.low) / step) + 1):
        value = scale.low + number * step
        yield scale.y(value), f"{value:.{digits}f}"


def _borders(history: History, scale: _Scale) -> Iterator[tuple[float, str]]:
    """Yield where a stage begins, and its name."""
    rows = history.curve
    for at in range(1, len(rows)):
        if rows[at].stage != rows[at - 1].stage:
            stage = history.stages.get(rows[at].stage)
            yield scale.x(at + 0.5), (stage.name if stage else "") or tr("next stage")


def _kept(history: History, scale: _Scale) -> list[tuple[float, str]]:
    """Return the place of the epoch that was kept, or is the best so far; [] without one."""
    if history.kept is None:
        return []
    stage = history.stages.get(history.kept.stage)
    x = scale.x(history.curve.index(history.kept) + 1)
    return [(x, tr("kept") if stage and stage.end else tr("best"))]


def _curve(
    name: str, values: Values, place: Callable[[int], str], scale: _Scale
) -> dict[str, object]:
    """Return a line, with gaps where nothing was measured, and dots where there is room."""
    every = max(1, math.ceil(len(values) / _MAX_POINTS))
    points = [(at, value) for at, value in enumerate(values, 1) if (at - 1) % every == 0]
    path, drawing = [], False
    for epoch, value in points:
        if value is not None:
            path.append(f"{'L' if drawing else 'M'}{scale.x(epoch)} {scale.y(value)}")
        drawing = value is not None
    dots = [
        (scale.x(at), scale.y(value), f"{shown(name)}, {place(at - 1)}: {value:.4f}")
        for at, value in points
        if value is not None and len(values) <= _MAX_DOTS
    ]
    return {"name": name, "path": "".join(path) if len(path) > 1 else "", "dots": dots}


def _place(row: EpochFinished, rows: Sequence[EpochFinished]) -> str:
    several = rows[0].stage != rows[-1].stage
    return (
        tr("stage {stage}, epoch {epoch}", stage=row.stage + 1, epoch=row.epoch)
        if several
        else tr("epoch {epoch}", epoch=row.epoch)
    )


def _names(curves: Mapping[str, Values], scale: _Scale) -> Iterator[tuple[float, str, str]]:
    """Yield name and title of each curve beside its end, one below another where ends are close."""
    ends = [
        (scale.y(last), name)
        for name, values in curves.items()
        if (last := _last(values)) is not None
    ]
    lowest = -math.inf
    for y, name in sorted(ends):
        lowest = max(y, lowest + 15)
        yield round(lowest + 4, 1), name, shown(name)


def _last(values: Values) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _caption(curves: dict[str, Values], metric: str) -> str:
    parts = []
    for name, values in curves.items():
        known = [value for value in values if value is not None]
        if known:
            parts.append(
                tr(
                    "{name} from {first:.4f} to {last:.4f}",
                    name=shown(name),
                    first=known[0],
                    last=known[-1],
                )
            )
    title = METRICS.get(metric, shown(metric))
    return tr(
        "{metric} over {curves_count} epochs: {parts}",
        metric=title[:1].upper() + title[1:],
        curves_count=len(curves["train"]),
        parts=", ".join(parts),
    )
