"""A run's history as curves: for the plots, and for the coach."""

from dataclasses import dataclass
from typing import Literal

from workbench.experiment.advice import Curves
from workbench.experiment.smoothing import BOOK_FACTOR, smooth
from workbench.render.plot import PlotOptions
from workbench.render.plot_canvas import Series, Values
from workbench.runs.history import History
from workbench.runs.rows import EpochRow, whole
from workbench.runs.watch import RunView

Figure = Literal["loss", "accuracy"]
LEAST_AXIS = 10  # epochs; an axis up to here is shown in full
AXIS_STRETCH = 2  # a longer one has room for so many times the finished epochs
OVERLAY = "other"  # what the curve of another run is called beside its last point


@dataclass(frozen=True)
class Palette:
    """Colours of the curves as `#rrggbb`."""

    train: str
    validation: str
    train_raw: str
    validation_raw: str
    other: str


@dataclass(frozen=True)
class Look:
    """How curves are shown.

    Attributes:
        factor: of the smoothing, where it is on.
    """

    smoothing: bool = False
    factor: float = BOOK_FACTOR
    log: bool = False
    utf8: bool = True


def stage_plan(view: RunView) -> list[int]:
    """Epochs planned for each stage, begun or not."""
    table = view.table("training")
    plan = [whole(table.get("epochs")) or 0]
    if view.summary.strategy == "fine-tuning":
        plan.insert(0, whole(table.get("head_epochs")) or 0)
    for index, stage in view.history.stages.items():
        plan += [0] * (index + 1 - len(plan))
        plan[index] = stage.epochs or plan[index]
    return plan


def stage_starts(history: History) -> tuple[int, ...]:
    """Index of each stage's first finished epoch; a stage that has just begun is among them."""
    starts, newest = [], -1
    for index, row in enumerate(history.epochs):
        if row.stage != newest:
            starts.append(index)
            newest = row.stage
    if any(index > newest for index in history.stages):
        starts.append(len(history.epochs))
    return tuple(starts)


def epochs_shown(view: RunView) -> tuple[int, int]:
    """The last epoch of the x axis, and the last one of the run: done, or planned at most.

    A long plan is shown in part, so that the first epochs are no sliver.
    """
    history = view.history
    done = max(len(history.epochs), 1)
    if not view.working or view.summary.state.word == "evaluating":
        return done, done
    plan = stage_plan(view)
    counts = [0] * len(plan)
    for row in history.epochs:
        counts += [0] * (row.stage + 1 - len(counts))
        counts[row.stage] += 1
    planned = 0
    for index, epochs in enumerate(plan):
        stage = history.stages.get(index)
        planned += counts[index] if stage and stage.end else max(epochs, counts[index])
    planned = max(planned, done)
    return min(planned, max(LEAST_AXIS, AXIS_STRETCH * done)), planned


def coach_curves(view: RunView) -> Curves:
    """What the coach looks at."""
    history, table = view.history, view.table("training")
    rows, best = history.epochs, history.best
    starts = stage_starts(history)
    newest = starts[-1] if starts else 0
    index = next((i for i in range(len(rows) - 1, -1, -1) if rows[i] is best), None)
    changes = view.table("augmentation")
    return Curves(
        loss=tuple(row.loss for row in rows),
        accuracy=tuple(row.accuracy for row in rows),
        val_loss=tuple(row.val_loss for row in rows),
        val_accuracy=tuple(row.val_accuracy for row in rows),
        stage_starts=starts or (0,),
        best=index if index is not None and index >= newest else None,
        monitor=str(table.get("monitor", "val_loss")),
        patience=whole(table.get("early_stopping")) or 0,
        classes=len(history.labels),
        validation_images=history.images.get("validation", 0),
        pretrained=isinstance(view.spec.get("base"), dict),
        working=view.working,
        augmented=any(value for key, value in changes.items() if key != "fill"),
    )


def plot_series(
    view: RunView, figure: Figure, look: Look, palette: Palette, other: RunView | None = None
) -> tuple[Series, ...]:
    """The curves of a plot: another run's validation behind training behind validation."""
    series = [
        _series(view.history, figure, False, "train", palette.train, palette.train_raw, look),
        _series(
            view.history, figure, True, "val", palette.validation, palette.validation_raw, look
        ),
    ]
    if other is not None:
        smoothed = Look(look.smoothing, look.factor)
        behind = _series(
            other.history, figure, True, OVERLAY, palette.other, palette.other, smoothed
        )
        values, last = behind.values, behind.last
        series.insert(0, Series(OVERLAY, values, palette.other, last=last, marker="~"))
    return tuple(one for one in series if one.newest is not None)


def plot_options(view: RunView, look: Look, other: RunView | None = None) -> PlotOptions:
    """Axis, stage borders and best epoch; epochs are numbered within their stage.

    The axis has room for all epochs of another run whose curve lies behind.
    """
    history = view.history
    starts, best = stage_starts(history), history.best
    shown, planned = epochs_shown(view)
    if other is not None:
        shown = max(shown, len(other.history.epochs))
    names = sorted(history.stages)
    borders = tuple(
        (start + 1, f"stage {number + 1}") for number, start in enumerate(starts) if len(names) > 1
    )
    before = starts[-1] if starts and len(stage_plan(view)) == len(starts) else 0
    end = str(max(shown - before, 1))
    if shown < planned:
        end += f" of {planned - before}"
    return PlotOptions(
        epochs=shown,
        borders=borders or ((1, "epoch 1"),),
        best=history.epochs.index(best) + 1 if best else None,
        best_name=f"best {best.epoch}" if best else "",
        end_name=end,
        log=look.log,
        utf8=look.utf8,
        empty="no finished epoch yet" if view.working else "no finished epoch",
    )


def _series(
    history: History,
    figure: Figure,
    validation: bool,
    name: str,
    color: str,
    raw_color: str,
    look: Look,
) -> Series:
    values = tuple(_value(row, figure, validation) for row in history.epochs)
    marker = "o" if validation else "."
    newest = next((value for value in reversed(values) if value is not None), None)
    if not look.smoothing:
        return Series(name, values, color, last=newest, marker=marker)
    smoothed: Values = smooth(values, look.factor, stage_starts(history))
    return Series(name, smoothed, color, values, raw_color, newest, marker)


def _value(row: EpochRow, figure: Figure, validation: bool) -> float | None:
    if figure == "loss":
        return row.val_loss if validation else row.loss
    return row.val_accuracy if validation else row.accuracy
