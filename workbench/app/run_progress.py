"""A run's position in its plan, and the time left. Pure: no clock, no disk."""

from workbench.render.curves import planned_epochs
from workbench.runs.events import EpochFinished
from workbench.runs.fields import whole
from workbench.runs.history import History, StageRow
from workbench.runs.watch import RunView
from workbench.text import format_seconds, plural

RECENT_EPOCHS = 3  # whose mean predicts the next ones


def format_position(view: RunView) -> str:
    """Format the position in the plan, "stage 2/2  epoch 17/30", or where the run ended."""
    history = view.history
    stage = newest_stage(history)
    if stage is None:
        return ""
    if view.summary.state.phase in ("finished", "evaluating"):
        return plural(len(history.epochs), "epoch")
    done = _rows_of(history, stage)
    epoch = done[-1].epoch if done else 0
    if view.running:
        epoch = min(epoch + 1, stage.epochs)
    here = history.last_position or (history.progress.position if history.progress else None)
    if here and here.step and here.stage == stage.index:
        epoch = here.epoch
    stages = len(planned_epochs(view))
    first = f"stage {stage.index + 1}/{stages}  " if stages > 1 else ""
    return f"{first}epoch {epoch}/{stage.epochs}"


def newest_stage(history: History) -> StageRow | None:
    """Return the stage that is running or ran last."""
    return history.stages[max(history.stages)] if history.stages else None


def format_time_left(view: RunView) -> str:
    """Format the time left of the run, or of the stage if later ones have no estimate.

    "at most" if the run may end early; "" if nothing is known yet or nothing is left.
    """
    stage = newest_stage(view.history)
    if stage is None:
        return ""
    seconds, later = seconds_of_stage(view, stage), seconds_of_later_stages(view, stage)
    if seconds is None or (stage.end and not later):
        return ""
    patience = whole(view.table("training").get("early_stopping"))
    where = f" in stage {stage.index + 1}" if later is None else ""
    return f"{'at most ' if patience else ''}{rough_time(seconds + (later or 0.0))} left{where}"


def seconds_of_stage(view: RunView, stage: StageRow) -> float | None:
    """Return epochs left x seconds of an epoch; None if unknown or the stage is not running.

    Epochs that make a view of the images take longer than those that read it.
    """
    history, word = view.history, view.summary.state.phase
    if stage.end:  # the next one is being prepared
        return 0.0 if word in ("training", "preparing") else None
    done, views = _epochs_done(history, stage), stage.started.views
    rows = _rows_of(history, stage)
    first = None if rows else _first_epoch_seconds(history, stage)
    making = _pace([row for row in rows if row.epoch <= views]) or (first if views else None)
    reading = _pace([row for row in rows if row.epoch > views]) or (None if views else first)
    pace = reading or stage.started.estimated_seconds or making
    if word != "training" or pace is None:
        return None
    makes = max(min(views, stage.epochs) - done, 0.0)
    return makes * (making or pace) + max(stage.epochs - done - makes, 0.0) * pace


def seconds_of_later_stages(view: RunView, stage: StageRow) -> float | None:
    """Return the estimate for all epochs of the later stages; None if one has none."""
    estimates = stage.started.estimates
    plan = planned_epochs(view)
    seconds = 0.0
    for index in range(stage.index + 1, len(plan)):
        epoch = estimates[index] if index < len(estimates) else None
        if epoch is None:
            return None
        seconds += plan[index] * epoch
    return seconds


def _pace(rows: list[EpochFinished]) -> float | None:
    """Return the mean seconds of the last of these epochs."""
    known = [row.seconds for row in rows[-RECENT_EPOCHS:] if row.seconds is not None]
    return sum(known) / len(known) if known else None


def _first_epoch_seconds(history: History, stage: StageRow) -> float | None:
    """Return the seconds of the first epoch from its pace so far, without validation."""
    progress = history.progress
    batch = stage.started.batch_size
    if progress is None or not progress.images_per_second or not batch or not progress.steps:
        return None
    return progress.steps * batch / progress.images_per_second


def _epochs_done(history: History, stage: StageRow) -> float:
    """Return the finished epochs of the stage plus the fraction of the current one."""
    done, progress = len(_rows_of(history, stage)), history.progress
    if (
        progress is None
        or progress.position.stage != stage.index
        or progress.position.epoch <= done
    ):
        return done
    if progress.phase == "validation":
        return done + 1
    return done + (min(progress.position.step / progress.steps, 1.0) if progress.steps else 0.0)


def _rows_of(history: History, stage: StageRow) -> list[EpochFinished]:
    return [row for row in history.epochs if row.stage == stage.index]


def rough_time(seconds: float) -> str:
    """Format a duration to about two digits: 40 s, 12 min, 3 h 12 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{round(seconds / 60)} min" if seconds < 3600 else format_seconds(seconds)
