"""Runs as text: in two lines, their position and the time left."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.text import Text

from workbench.errors import UserError
from workbench.experiment.deadline import MAX_DEADLINE, format_moment
from workbench.experiment.plan import plan_stages
from workbench.experiment.toml import parse_spec
from workbench.messages import tr
from workbench.render.marks import epoch_name
from workbench.render.run_table import stale_age
from workbench.runs.events import EpochFinished
from workbench.runs.fields import whole
from workbench.runs.history import History, StageRow
from workbench.runs.summary import CROSS_VALIDATION, VALIDATION
from workbench.runs.watch import Runs, RunView
from workbench.text import format_seconds, plural, safe_text
from workbench.words import shown

RECENT_EPOCHS = 3  # whose mean predicts the next ones


def describe_runs(runs: Runs) -> str:
    """Return the number of runs, and of those that run or wait: "3 runs, 1 running"."""
    states = Counter(
        "waiting" if view.summary.state.phase == "waiting" else "running"
        for view in runs
        if view.running
    )
    counted = []
    if states["running"]:
        counted.append(tr("{count} running", count=states["running"]))
    if states["waiting"]:
        counted.append(tr("{count} waiting", count=states["waiting"]))
    return ", ".join([plural(len(runs), "run"), *counted])


def describe_run(view: RunView, tags: bool = False) -> Text:
    """Return a run in two lines, its summary, with its tags if they are wanted, and its state."""
    summary = view.summary
    parts = [f"{safe_text(summary.data, 40)}, {safe_text(summary.recipe, 30)}"]
    if summary.random_weights:
        parts.append(tr("random weights"))
    if summary.best_val_accuracy is not None:
        parts.append(_validation(view, summary.best_val_accuracy))
    if summary.test_accuracy is not None:
        parts.append(tr("test {accuracy:.4f}", accuracy=summary.test_accuracy))
    if tags and view.tags:
        parts.append(tr("tagged {tags}", tags=safe_text(" ".join(view.tags), 40)))
    text = Text(", ".join(parts))
    if view.host:
        age = stale_age(view)
        where = tr("on {host}", host=safe_text(view.host, 40))
        text.append(f", {where}" + (tr(", as it was {age} ago", age=age) if age else ""))
    if summary.state.detail:
        phase = shown(summary.state.phase)
        if view.running and summary.device:
            phase = tr("{phase} on {device}", phase=phase, device=summary.device)
        detail = summary.state.detail
        text.append(
            "\n" + (detail if detail.startswith(phase) else f"{phase}: {detail}"), style="dim"
        )
    return text


def _validation(view: RunView, accuracy: float) -> str:
    """Return the accuracy; of a running run with its epoch, since others may have a higher one."""
    if view.summary.validation_mark == CROSS_VALIDATION:
        return tr(
            "cross-validation ({mark}) {accuracy:.4f}", mark=CROSS_VALIDATION, accuracy=accuracy
        )
    if not view.running:
        return tr("validation ({mark}) {accuracy:.4f}", mark=VALIDATION, accuracy=accuracy)
    return tr(
        "validation ({mark}) {accuracy:.4f} at the best {monitor} so far",
        mark=VALIDATION,
        accuracy=accuracy,
        monitor=shown(safe_text(view.table("training").get("monitor", "val_loss"), 20)),
    )


def empty_table_text(wanted: str, trash: bool, runs: Path, key: Callable[[str], str]) -> Text:
    """Return the text shown instead of an empty table.

    Args:
        wanted: the filter.
        trash: whether there is a deleted run to restore.
        runs: the folder that was read.
        key: returns the key of a binding by its id.
    """
    if wanted:
        return Text(tr("No run matches the filter; escape clears it."))
    return Text(
        tr(
            "No runs yet in {runs}.\n"
            "Runs of another folder: start there, or workbench --workspace DIR.\n\n"
            "{new}  a new experiment: from a folder of images to a trained "
            "classifier\n"
            "{demo}  the demo: two networks learn handwritten digits, half a minute\n"
            "{machine}  the machine: does training run on a GPU here, and how fast?\n"
            "{lessons}  lessons: ten small experiments on the claims of the chapter\n"
            "{concepts}  explanations\n"
            "{palette}  every command: type to search",
            runs=safe_text(runs, 200),
            new=key("new"),
            demo=key("demo"),
            machine=key("machine"),
            lessons=key("lessons"),
            concepts=key("concepts"),
            palette=key("palette"),
        )
        + (tr("\n{undo}  restore the run that was deleted last", undo=key("undo")) if trash else "")
    )


def format_position(view: RunView) -> str:
    """Format the position in the plan, "stage 2/2  epoch 17/30", or where the run ended."""
    history = view.history
    stage = newest_stage(history)
    if stage is None:
        return ""
    if stage.started.is_solved:
        return tr("solved") if _rows_of(history, stage) else tr("solving")
    if view.summary.state.phase in ("finished", "evaluating"):
        return plural(history.epochs_trained, "epoch")
    done = _rows_of(history, stage)
    epoch = done[-1].epoch if done else 0
    if view.running:
        epoch = min(epoch + 1, stage.epochs)
    here = history.last_position or (history.progress.position if history.progress else None)
    if here and here.step and here.stage == stage.index:
        epoch = here.epoch
    stages = len(planned_epochs(view))
    first = (
        tr("stage {number}/{count}", number=stage.index + 1, count=stages) + "  "
        if stages > 1
        else ""
    )
    return first + tr("epoch {epoch}/{count}", epoch=epoch, count=stage.epochs)


def epoch_in_stage(rows: Sequence[EpochFinished], at: int, short: bool = False) -> str:
    """Return an epoch by its number, and that of its stage where epochs of several are finished.

    Args:
        rows: the finished epochs.
        at: place of the epoch in `rows`.
        short: "s2 e17" instead of "stage 2, epoch 17".
    """
    epoch, stage = rows[at].epoch, rows[at].stage + 1
    if rows[0].stage == rows[-1].stage:
        return tr("e{epoch}", epoch=epoch) if short else epoch_name(epoch)
    if short:
        return tr("s{stage} e{epoch}", stage=stage, epoch=epoch)
    return tr("stage {stage}, epoch {epoch}", stage=stage, epoch=epoch)


def newest_stage(history: History) -> StageRow | None:
    """Return the stage that is running or ran last."""
    return history.stages[max(history.stages)] if history.stages else None


def format_time_left(view: RunView) -> str:
    """Format the time left of the run, or of the stage if later ones have no estimate.

    "at most" if the run may end early; with its deadline; "" if nothing is known yet or left.
    """
    stage = newest_stage(view.history)
    if stage is None:
        return ""
    seconds, later = seconds_of_stage(view, stage), seconds_of_later_stages(view, stage)
    if seconds is None or (stage.end and not later):
        return ""
    patience = whole(view.table("training").get("early_stopping"))
    time_left = rough_time(seconds + (later or 0.0))
    left = (
        tr("at most {time} left", time=time_left) if patience else tr("{time} left", time=time_left)
    )
    if later is None:
        left = tr("{left} in stage {number}", left=left, number=stage.index + 1)
    return ", ".join(part for part in (left, format_deadline(view)) if part)


def format_deadline(view: RunView) -> str:
    """Format the deadline of a run, "by 07:00"; "" without one."""
    at = whole(view.table("training").get("deadline"))
    if not at or not 0 < at <= MAX_DEADLINE:
        return ""
    return tr("by {at}", at=format_moment(at, time.time()))


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
    done = sum(row.epoch > 0 for row in _rows_of(history, stage))  # 0: where a solved head begins
    progress = history.progress
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
        return tr("{seconds:.0f} s", seconds=seconds)
    return (
        tr("{minutes} min", minutes=round(seconds / 60))
        if seconds < 3600
        else format_seconds(seconds)
    )


def _gradual_epochs(view: RunView) -> list[int]:
    """Return the epochs of the stages that each add a block, before the last one."""
    if view.table("training").get("unfreeze") != "gradual":
        return []
    try:
        spec = parse_spec(dict(view.spec), view.name)
    except UserError:  # of another version
        return []
    return [stage.epochs for stage in plan_stages(spec)[1:-1]]


def planned_epochs(view: RunView) -> list[int]:
    """Return the planned epochs of each stage, started or not."""
    table = view.table("training")
    plan = [whole(table.get("epochs")) or 0]
    if view.summary.strategy == "fine-tuning":
        plan = [*_gradual_epochs(view), *plan]
    if table.get("head_start") == "solved":
        plan.insert(0, 1)
    elif view.summary.strategy == "fine-tuning":
        plan.insert(0, whole(table.get("head_epochs")) or 0)
    for index, stage in view.history.stages.items():
        plan += [0] * (index + 1 - len(plan))
        plan[index] = stage.epochs or plan[index]
    return plan


def describe_tried(preset: str, source: str, runs: Iterable[RunView]) -> str:
    """Return which run has tried a preset on images already; "" for none.

    Args:
        preset: that is suggested; "" for none.
        source: the images, as `RunView.source`.
        runs: the newest first.
    """
    for view in runs:
        accuracy = view.summary.test_accuracy
        if preset and view.summary.preset == preset and accuracy and view.source == source:
            return tr("{run} did that: {accuracy:.3f}.", run=view.name, accuracy=accuracy)
    return ""
