"""What became of a run that does not go on, in a line: what happened, when, and where it was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.experiment.batch_size import half
from workbench.runs.history import History
from workbench.runs.host import on_another_host, this_host
from workbench.runs.rows import number, whole
from workbench.text import human_seconds, safe_text

# What failed, by the kind of `failed`; of other kinds the message itself tells it best.
FAILURES = {
    "memory": "out of memory",
    "disk": "the disk is full or cannot be written",
    "diverged": "the training diverged",
}
MEMORY_SHARE = 0.9  # of the machine's memory in use, from which on it is worth a word
MOST_IMAGES = 65536  # in a batch that a spec may have


def ended_words(history: History, now: float) -> str:
    """Of a run that told its own end: "out of memory at 03:12, epoch 7 of 30".

    Args:
        now: unix seconds.
    """
    when, where = time_words(history.ended, now), place_words(history)
    if history.phase == "stopped":
        return _joined("asked to stop", when, where)
    if history.failure in FAILURES:
        return _joined(FAILURES[history.failure], when, where)
    told = ", ".join(part for part in (when, where) if part)
    return _first_line(history.message) + (f" ({told})" if told else "")


def interrupted_words(history: History, now: float) -> str:
    """Of a run whose worker ended without a word: "killed or crashed at 03:12, epoch 7 of 30".

    More than that is told where it can be: that the machine was restarted, or had hardly any
    memory left.

    Args:
        now: unix seconds.
    """
    worker = history.worker
    if not worker:
        return "it was never started"
    when, where = time_words(history.last_sign, now), place_words(history)
    if on_another_host(worker):
        return _joined(silent_words(history, now), "", where)
    if "boot_id" not in worker:
        return _joined("killed, or the machine went down", when, where)
    if worker["boot_id"] != this_host()["boot_id"]:
        return _joined("the machine was restarted; the last sign of life was", when, where)
    return _joined("killed or crashed", when, where) + _memory_words(history.machine)


def silent_words(history: History, now: float) -> str:
    """Of a run on another machine: the machine, and when it was heard of last.

    Args:
        now: unix seconds.
    """
    host, sign = safe_text(history.worker.get("host")), history.last_sign
    if sign is None:
        return f"on {host}"
    if sign > now:  # a clock was set back, or theirs is ahead
        return f"on {host}, last sign of life {human_seconds(sign - now)} ahead of this clock"
    return f"on {host}, last sign of life {human_seconds(now - sign)} ago"


def hint_for(hint: str, resume: str) -> str:
    """A worker's hint with the command by which this run is gone on with; not safe to print.

    Args:
        resume: the command, in the place of "workbench resume RUN": a worker cannot know where
            its reader's workspace is.
    """
    return hint.replace("workbench resume RUN", resume)


def half_batch(spec: Mapping[str, Any]) -> int | None:
    """The batch to go on with after the memory was too small; None where nothing is left to halve.

    As `experiment.batch.halved` has it, for tables that nobody has checked.
    """
    training = spec.get("training")
    size = whole(training.get("batch_size")) if isinstance(training, Mapping) else None
    if size is None or size > MOST_IMAGES:
        return None
    return half(size)


def lower_rate(spec: Mapping[str, Any], history: History) -> tuple[str, float] | None:
    """The key of the learning rate with which the training diverged, and a tenth of it.

    None where the events tell no rate.

    Args:
        spec: its tables, unchecked.
    """
    if not history.stages:
        return None
    index = max(history.stages)
    rate = number(history.stages[index].event.get("learning_rate"))
    model = spec.get("model")
    tuned = isinstance(model, Mapping) and model.get("strategy") == "fine-tuning"
    key = "head_learning_rate" if tuned and index == 0 else "learning_rate"
    return (f"training.{key}", rate / 10) if rate else None


def place_words(history: History) -> str:
    """Where the newest life was: "epoch 7 of 30", "after epoch 6 of 30"; "" if unknown."""
    place = history.reached or (history.progress.place if history.progress else None)
    if place and place.step == 0 and place.epoch > 1:  # that epoch has yet to begin
        return _epoch_words(history, place.stage, place.epoch - 1, after=True)
    if place:
        return _epoch_words(history, place.stage, place.epoch)
    if history.work:
        return f"{history.phase} ({safe_text(history.work.phase)})"
    if history.epochs:
        last = history.epochs[-1]
        return _epoch_words(history, last.stage, last.epoch, after=True)
    return ""


def time_words(moment: float | None, now: float) -> str:
    """When something was: "at 03:12", of another day "on 2026-02-24 at 03:12"; "" if unknown.

    Args:
        moment, now: unix seconds.
    """
    if moment is None:
        return ""
    try:
        told, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):  # beyond what a calendar has
        return ""
    return f"at {told:%H:%M}" if told.date() == today else f"on {told:%Y-%m-%d} at {told:%H:%M}"


def _memory_words(machine: Mapping[str, Any]) -> str:
    used, total = number(machine.get("memory_used")), number(machine.get("memory_total"))
    if not used or not total or used < MEMORY_SHARE * total:
        return ""
    return f", with {used / total:.0%} of the memory in use"


def _first_line(message: str) -> str:
    return safe_text(message.split("\n", 1)[0].strip()).rstrip(".") or "it told no reason"


def _epoch_words(history: History, index: int, epoch: int, after: bool = False) -> str:
    stage = history.stages.get(index)
    total = stage.epochs if stage else 0
    words = ("after " if after else "") + f"epoch {epoch}" + (f" of {total}" if total else "")
    return f"stage {index + 1}, {words}" if len(history.stages) > 1 else words


def _joined(what: str, when: str, where: str) -> str:
    return " ".join(part for part in (what, when) if part) + (f", {where}" if where else "")
