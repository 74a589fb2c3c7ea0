"""The history of a run as curves, for its plots and for the coach. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from workbench.analysis.curves import BOOK_FACTOR, TrainingCurves, smooth
from workbench.experiment.metrics import SHORT_TITLES, VALIDATION, monitored_score
from workbench.messages import tr
from workbench.render.canvas import Series, Values
from workbench.render.marks import best_name, epoch_name
from workbench.render.plot import PlotOptions
from workbench.render.runs import planned_epochs
from workbench.runs.events import CrossValidated
from workbench.runs.fields import whole
from workbench.runs.history import History, monitored_scores
from workbench.runs.watch import RunView

Metric = Literal["loss", "accuracy"]
MIN_AXIS = 10  # epochs; an axis up to here is shown in full
AXIS_STRETCH = 2  # a longer one has room for this many times the finished epochs
OVERLAY = tr("other")  # name of another run's curve beside its last point


@dataclass(frozen=True)
class CurveColors:
    """Colours of the curves as `#rrggbb`."""

    train: str
    validation: str
    train_raw: str
    validation_raw: str
    other: str
    score: str


@dataclass(frozen=True)
class PlotStyle:
    """Options of the plots.

    Attributes:
        smoothing: whether curves are smoothed, by `factor`.
        log: logarithmic y axis.
    """

    smoothing: bool = False
    factor: float = BOOK_FACTOR
    log: bool = False
    utf8: bool = True


def stage_starts(history: History) -> tuple[int, ...]:
    """Return the index of each stage's first epoch, also of a stage that has just started."""
    starts, newest = [], -1
    for index, row in enumerate(history.curve):
        if row.stage != newest:
            starts.append(index)
            newest = row.stage
    if any(index > newest for index in history.stages):
        starts.append(len(history.curve))
    return tuple(starts)


def epochs_shown(view: RunView) -> int:
    """Return the last epoch of the x axis.

    A long plan is shown in part, so that the first epochs have room.
    """
    history = view.history
    done = max(len(history.curve), 1)
    if not view.running or view.summary.state.phase == "evaluating":
        return done
    plan = planned_epochs(view)
    counts = [0] * len(plan)
    for row in history.curve:
        counts += [0] * (row.stage + 1 - len(counts))
        counts[row.stage] += 1
    before = {row.stage for row in history.curve if row.epoch == 0}
    planned = 0
    for index, epochs in enumerate(plan):
        stage = history.stages.get(index)
        is_done = history.is_solved(index) or (stage and stage.end)
        planned += counts[index] if is_done else max(epochs + (index in before), counts[index])
    return min(max(planned, done), max(MIN_AXIS, AXIS_STRETCH * done))


def training_curves(view: RunView) -> TrainingCurves:
    """Return the input of the coach."""
    history, table = view.history, view.table("training")
    rows, best = history.curve, history.best
    planned = dict(enumerate(planned_epochs(view)))
    starts = stage_starts(history)
    newest = starts[-1] if starts else 0
    index = next((i for i in range(len(rows) - 1, -1, -1) if rows[i] is best), None)
    changes = view.table("augmentation")
    monitor = str(table.get("monitor", "val_loss"))
    score = monitored_score(monitor)
    return TrainingCurves(
        loss=tuple(row.loss for row in rows),
        accuracy=tuple(row.accuracy for row in rows),
        val_loss=tuple(row.val_loss for row in rows),
        val_accuracy=tuple(row.val_accuracy for row in rows),
        stage_starts=starts or (0,),
        first_epoch=rows[newest].epoch if newest < len(rows) else 1,
        best=index if index is not None and index >= newest else None,
        monitor=monitor,
        val_score=tuple(row.scores.get(score) for row in rows) if score else (),
        patience=whole(table.get("early_stopping")) or 0,
        planned=planned.get(rows[-1].stage, 0) if rows else 0,
        classes=len(history.labels),
        validation_images=history.images.get("validation", 0),
        pretrained=isinstance(view.spec.get("base"), dict),
        working=view.running,
        augmented=any(value for key, value in changes.items() if key != "fill"),
    )


def plot_series(
    view: RunView,
    metric: Metric,
    style: PlotStyle,
    colors: CurveColors,
    other: RunView | None = None,
    band: bool = False,
) -> tuple[Series, ...]:
    """Return the curves of a plot: another run's validation, training, and validation on top.

    A score that is monitored is drawn with the accuracy.

    Args:
        view: the run.
        metric: of the plot.
        style: of the plots.
        colors: of the curves.
        other: another run.
        band: whether the training loss has the spread of its steps behind it.
    """
    history = view.history
    low, high = step_band(history) if band and metric == "loss" else ((), ())
    training = Series(
        tr("train"), (), colors.train, raw_color=colors.train_raw, marker=".", low=low, high=high
    )
    validation = Series(tr("val"), (), colors.validation, marker="o")
    series = [
        _series(history, metric, style, training, colors.train_raw),
        _series(history, f"val_{metric}", style, validation, colors.validation_raw),
    ]
    for name in monitored_scores(history) if metric == "accuracy" else ():
        score = Series(SHORT_TITLES[name], (), colors.score, marker="x")
        series.append(_series(history, f"{VALIDATION}{name}", style, score, colors.validation_raw))
    if other is not None:
        behind = Series(OVERLAY, (), colors.other, marker="~")
        series.insert(0, replace(_series(other.history, f"val_{metric}", style, behind), raw=()))
    return tuple(one for one in series if one.newest is not None)


def step_band(history: History) -> tuple[Values, Values]:
    """Return the edges of the spread of step losses; ((), ()) if no epoch has one."""
    spreads = [row.step_losses for row in history.curve]
    if not any(spreads):
        return (), ()
    low = tuple(one.low if one else None for one in spreads)
    return low, tuple(one.high if one else None for one in spreads)


def plot_options(
    view: RunView,
    style: PlotStyle,
    other: RunView | None = None,
    window: tuple[int, int] | None = None,
) -> PlotOptions:
    """Return axis, stage borders and best epoch; epochs are numbered within their stage.

    The axis also has room for all epochs of another run.

    Args:
        view: the run.
        style: of the plots.
        other: another run.
        window: first and last epoch to draw, both finished; None for all.
    """
    options = _whole_axis(view, style, other)
    if window is None:
        return options
    first, last = window
    rows = view.history.curve
    borders = tuple(one for one in options.borders if first < one[0] <= last)
    name = epoch_name(rows[first - 1].epoch)
    return replace(
        options,
        epochs=last,
        borders=((first, name), *borders),
        end_name=str(rows[last - 1].epoch),
        window=window,
    )


def _whole_axis(view: RunView, style: PlotStyle, other: RunView | None) -> PlotOptions:
    """Return the options of a plot of all epochs."""
    history = view.history
    rows, starts, best = history.curve, stage_starts(history), history.best
    shown = epochs_shown(view)
    if other is not None:
        shown = max(shown, len(other.history.curve))
    newest = max(history.stages, default=0)
    of_start = [rows[start].stage if start < len(rows) else newest for start in starts]
    borders = tuple(
        (start + 1, tr("stage {number}", number=stage + 1))
        for start, stage in zip(starts, of_start, strict=True)
        if len(starts) > 1
    )
    before = starts[-1] if starts and newest == len(planned_epochs(view)) - 1 else 0
    before += before < len(rows) and rows[before].epoch == 0
    end = str(max(shown - before, 1))
    first = epoch_name(rows[0].epoch if rows else 1)
    # By identity: comparing epochs would read the confusion of each from the log.
    at = next((number for number, row in enumerate(rows, 1) if row is best), None)
    return PlotOptions(
        epochs=shown,
        borders=borders or ((1, first),),
        best=at,
        best_name=best_name(best.epoch) if best and at else "",
        end_name=end,
        log=style.log,
        utf8=style.utf8,
        empty=tr("no finished epoch yet") if view.running else tr("no finished epoch"),
    )


def _series(
    history: History, name: str, style: PlotStyle, series: Series, raw_color: str = ""
) -> Series:
    """Return the series with the values of a column of the history, smoothed if wanted."""
    plain = replace(series, values=tuple(getattr(row, name) for row in history.curve))
    raw_color = raw_color or series.raw_color
    if not style.smoothing:
        return plain
    smoothed = smooth(plain.values, style.factor, stage_starts(history))
    return replace(plain, values=smoothed, raw=plain.values, raw_color=raw_color, last=plain.newest)


def probe_series(probe: CrossValidated, metric: Metric, colors: CurveColors) -> tuple[Series, ...]:
    """Return a metric over the regularization that was tried; accuracy with its noise around it."""
    if metric == "loss":
        values = tuple(one.loss for one in probe.tried)
        return (
            Series(
                tr("chosen"), values, colors.validation, last=_of_chosen(probe, values), marker="o"
            ),
        )
    values = tuple(one.accuracy for one in probe.tried)
    noise = [
        tuple(
            None if one.accuracy is None or one.error is None else one.accuracy + sign * one.error
            for one in probe.tried
        )
        for sign in (-1, 1)
    ]
    bounds = [
        Series(name, bound, colors.validation_raw, last=_of_chosen(probe, bound), marker="-")
        for name, bound in zip((tr("low"), tr("high")), noise, strict=True)
    ]
    accuracy = Series(
        tr("chosen"), values, colors.validation, last=_of_chosen(probe, values), marker="o"
    )
    return (*bounds, accuracy)


def probe_options(probe: CrossValidated, style: PlotStyle) -> PlotOptions:
    """Return an axis from the weakest regularization to the strongest, the chosen one marked."""
    values = [one.value for one in probe.tried if one.value is not None] or [0.0]
    at = values.index(probe.chosen) if probe.chosen in values else None
    return PlotOptions(
        epochs=len(values),
        borders=((1, f"{values[0]:g}"),),
        best=None if at is None else at + 1,
        best_name="" if at is None else tr("chosen {value}", value=f"{values[at]:.2g}"),
        end_name=f"{values[-1]:g}",
        log=style.log,
        utf8=style.utf8,
    )


def _of_chosen(probe: CrossValidated, values: Values) -> float | None:
    pairs = zip(probe.tried, values, strict=True)
    return next((value for one, value in pairs if one.value == probe.chosen), None)
