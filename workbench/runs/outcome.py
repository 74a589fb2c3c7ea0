"""Describe in one line how a run ended: what happened, when, and at which epoch.

Times are unix seconds; a spec is given as its TOML tables, unchecked.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.experiment.batch_size import half_batch_size
from workbench.runs.events import MachineSample
from workbench.runs.fields import whole
from workbench.runs.history import History
from workbench.runs.lock import on_another_host, this_host
from workbench.text import format_seconds, safe_text

# By the kind of `failed`; of other kinds the message says more.
FAILURES = {
    "memory": "out of memory",
    "disk": "the disk is full or cannot be written",
    "diverged": "the training diverged",
}
MEMORY_SHARE = 0.9  # of the machine's memory in use, from which on it is mentioned
MAX_BATCH_SIZE = 65536  # of a spec


def describe_end(history: History, now: float) -> str:
    """Describe a run with a final event: "out of memory at 03:12, epoch 7 of 30"."""
    time, position = describe_time(history.ended, now), describe_position(history)
    if history.phase == "stopped":
        return _join("stopped on request", time, position)
    if history.failure in FAILURES:
        return _join(FAILURES[history.failure], time, position)
    details = ", ".join(part for part in (time, position) if part)
    return _first_line(history.message) + (f" ({details})" if details else "")


def describe_interruption(history: History, now: float) -> str:
    """Describe a run without a final event: "killed or crashed at 03:12, epoch 7 of 30".

    The description includes a reboot of the machine, or that hardly any memory was left.
    """
    worker = history.worker
    if not worker:
        return "it was never started"
    time, position = describe_time(history.last_sign, now), describe_position(history)
    if on_another_host(worker):
        return _join(describe_silence(history, now), "", position)
    if not worker.boot_id:
        return _join("killed, or the machine went down", time, position)
    if worker.boot_id != this_host()["boot_id"]:
        return _join("the machine was restarted; the last sign of life was", time, position)
    return _join("killed or crashed", time, position) + _describe_memory(history.machine)


def describe_silence(history: History, now: float) -> str:
    """Describe a run on another machine: the machine, and the time of its last event."""
    host, sign = safe_text(history.worker.host if history.worker else ""), history.last_sign
    if sign is None:
        return f"on {host}"
    if sign > now:  # a clock was set back, or theirs is ahead
        return f"on {host}, last sign of life {format_seconds(sign - now)} ahead of this clock"
    return f"on {host}, last sign of life {format_seconds(now - sign)} ago"


def hint_with_command(hint: str, resume: str) -> str:
    """Insert the command that resumes the run into a worker's hint; not safe to print.

    A worker does not know the workspace of its reader, so its hints contain a placeholder.
    """
    return hint.replace("workbench resume RUN", resume)


def half_batch(spec: Mapping[str, Any]) -> int | None:
    """Return the batch size to resume with after running out of memory; None if it is 1.

    `experiment.batch_size` does the same for checked specs.
    """
    training = spec.get("training")
    size = whole(training.get("batch_size")) if isinstance(training, Mapping) else None
    if size is None or size > MAX_BATCH_SIZE:
        return None
    return half_batch_size(size)


def lower_learning_rate(spec: Mapping[str, Any], history: History) -> tuple[str, float] | None:
    """Return key and a tenth of the learning rate with which the training diverged, if known."""
    if not history.stages:
        return None
    index = max(history.stages)
    rate = history.stages[index].started.learning_rate
    model = spec.get("model")
    tuned = isinstance(model, Mapping) and model.get("strategy") == "fine-tuning"
    key = "head_learning_rate" if tuned and index == 0 else "learning_rate"
    return (f"training.{key}", rate / 10) if rate else None


def describe_position(history: History) -> str:
    """Describe the newest position: "epoch 7 of 30", "after epoch 6 of 30"; "" if unknown."""
    position = history.last_position or (history.progress.position if history.progress else None)
    if position and position.step == 0 and position.epoch > 1:  # that epoch has not begun
        return _describe_epoch(history, position.stage, position.epoch - 1, after=True)
    if position:
        return _describe_epoch(history, position.stage, position.epoch)
    if history.work:
        return f"{history.phase} ({safe_text(history.work.phase)})"
    if history.epochs:
        last = history.epochs[-1]
        return _describe_epoch(history, last.stage, last.epoch, after=True)
    return ""


def describe_time(moment: float | None, now: float) -> str:
    """Format a time: "at 03:12", of another day "on 2026-02-24 at 03:12"; "" if unknown."""
    if moment is None:
        return ""
    try:
        time, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):  # outside of the calendar
        return ""
    return f"at {time:%H:%M}" if time.date() == today else f"on {time:%Y-%m-%d} at {time:%H:%M}"


def _describe_memory(machine: MachineSample | None) -> str:
    used, total = (machine.memory_used, machine.memory_total) if machine else (None, None)
    if not used or not total or used < MEMORY_SHARE * total:
        return ""
    return f", with {used / total:.0%} of the memory in use"


def _first_line(message: str) -> str:
    return safe_text(message.split("\n", 1)[0].strip()).rstrip(".") or "no reason was recorded"


def _describe_epoch(history: History, index: int, epoch: int, after: bool = False) -> str:
    stage = history.stages.get(index)
    total = stage.epochs if stage else 0
    text = ("after " if after else "") + f"epoch {epoch}" + (f" of {total}" if total else "")
    return f"stage {index + 1}, {text}" if len(history.stages) > 1 else text


def _join(what: str, time: str, position: str) -> str:
    return " ".join(part for part in (what, time) if part) + (f", {position}" if position else "")
