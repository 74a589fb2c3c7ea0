"""The state of a run: the phase in its events, corrected by whether its worker is alive.

A spec is its TOML tables, unchecked (`read_tables`); times are unix seconds.
"""

from collections.abc import Mapping
from typing import Any

from workbench.experiment.batch_size import half_batch_size
from workbench.messages import tr
from workbench.runs.events import OUT_OF_TIME, MachineSample
from workbench.runs.fields import spec_table, whole
from workbench.runs.folder import RunFolder
from workbench.runs.history import History
from workbench.runs.lock import Observer, may_run_elsewhere, on_another_host, this_observer
from workbench.runs.phase import RunState, describe_time
from workbench.runs.slurm_queue import JobState, find_job
from workbench.runs.slurm_state import state_by_job
from workbench.runs.work_titles import work_title
from workbench.text import format_seconds, percent, safe_text
from workbench.words import shown

ENDED = ("finished", "stopped", "pruned", "failed")
# By the kind of `failed`; of other kinds the message says more.
FAILURES = {
    "memory": tr("out of memory"),
    "disk": tr("the disk is full or cannot be written"),
    "diverged": tr("the training diverged"),
}
MEMORY_SHARE = 0.9  # of the machine's memory in use, from which on it is mentioned
MAX_BATCH_SIZE = 65536  # of a spec


def describe_end(history: History, now: float) -> str:
    """Describe a run with a final event: "out of memory at 03:12, epoch 7 of 30"."""
    time, position = describe_time(history.ended, now), describe_position(history)
    if history.phase == "stopped":
        return _join(tr("stopped on request"), time, position)
    if history.phase == "pruned":
        return _join(_first_line(history.message), "", position)
    if history.failure in FAILURES:
        return _join(FAILURES[history.failure], time, position)
    details = ", ".join(part for part in (time, position) if part)
    return _first_line(history.message) + (f" ({details})" if details else "")


def describe_early_end(history: History) -> str:
    """Describe how a run ended that ran out of time: "out of time after epoch 12 of 40".

    "" for any other.
    """
    stage = history.stages[max(history.stages)] if history.stages else None
    if stage is None or stage.end is None or stage.end.reason != OUT_OF_TIME:
        return ""
    done = max((row.epoch for row in history.epochs if row.stage == stage.index), default=0)
    if not done:
        return tr(
            "out of time before the first epoch of stage {index}",
            index=stage.index + 1,
        )
    if len(history.stages) > 1:
        return tr(
            "out of time after stage {index}, epoch {done} of {epochs}",
            index=stage.index + 1,
            done=done,
            epochs=stage.epochs,
        )
    return tr("out of time after epoch {done} of {epochs}", done=done, epochs=stage.epochs)


def describe_interruption(history: History, now: float, here: Observer | None = None) -> str:
    """Describe a run without a final event: "killed or crashed at 03:12, epoch 7 of 30".

    The description includes a reboot of the machine, or that hardly any memory was left.
    """
    worker, here = history.worker, here or this_observer()
    if not worker:
        return tr("it was never started")
    time, position = describe_time(history.last_sign, now), describe_position(history)
    if on_another_host(worker, here):
        return _join(describe_silence(history, now), "", position)
    if not worker.boot_id:
        return _join(tr("killed, or the machine went down"), time, position)
    if worker.boot_id != here.boot_id:
        restarted = tr("the machine was restarted; the last sign of life was {time}", time=time)
        return _join(restarted.rstrip(), "", position)
    return _join(tr("killed or crashed"), time, position) + _describe_memory(history.machine)


def describe_silence(history: History, now: float) -> str:
    """Describe a run on another machine: the machine, and the time of its last event."""
    host, sign = safe_text(history.worker.host if history.worker else ""), history.last_sign
    if sign is None:
        return tr("on {host}", host=host)
    if sign > now:  # a clock was set back, or theirs is ahead
        return tr(
            "on {host}, last sign of life {sign} ahead of this clock",
            host=host,
            sign=format_seconds(sign - now),
        )
    return tr("on {host}, last sign of life {now} ago", host=host, now=format_seconds(now - sign))


def hint_with_command(hint: str, resume: str) -> str:
    """Insert the command that resumes the run into a worker's hint; not safe to print.

    A worker does not know the workspace of its reader, so its hints contain a placeholder.
    """
    return hint.replace("workbench resume RUN", resume)


def half_batch(spec: Mapping[str, Any]) -> int | None:
    """Return the batch size to resume with after running out of memory; None if it is 1."""
    size = whole(spec_table(spec, "training").get("batch_size"))
    if size is None or size > MAX_BATCH_SIZE:
        return None
    return half_batch_size(size)


def lower_learning_rate(spec: Mapping[str, Any], history: History) -> tuple[str, float] | None:
    """Return key and a tenth of the learning rate with which the training diverged, if known."""
    if not history.stages:
        return None
    index = max(history.stages)
    rate = history.stages[index].started.learning_rate
    tuned = spec_table(spec, "model").get("strategy") == "fine-tuning"
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
        return f"{shown(history.phase)} ({safe_text(work_title(history.work.phase))})"
    if history.epochs:
        last = history.epochs[-1]
        return _describe_epoch(history, last.stage, last.epoch, after=True)
    return ""


def _describe_memory(machine: MachineSample | None) -> str:
    used, total = (machine.memory_used, machine.memory_total) if machine else (None, None)
    if not used or not total or used < MEMORY_SHARE * total:
        return ""
    return tr(", with {used} of the memory in use", used=percent(used / total))


def _first_line(message: str) -> str:
    return safe_text(message.split("\n", 1)[0].strip()).rstrip(".") or tr("no reason was recorded")


def _describe_epoch(history: History, index: int, epoch: int, after: bool = False) -> str:
    stage = history.stages.get(index)
    total = stage.epochs if stage else 0
    text = _count_epoch(epoch, total)
    text = tr("after {epoch}", epoch=text) if after else text
    if len(history.stages) > 1:
        return tr("stage {number}, {epoch}", number=index + 1, epoch=text)
    return text


def _count_epoch(epoch: int, total: int) -> str:
    if total:
        return tr("epoch {epoch} of {total}", epoch=epoch, total=total)
    return tr("epoch {epoch}", epoch=epoch)


def _join(what: str, time: str, position: str) -> str:
    if time and position:
        return tr("{what} {time}, {position}", what=what, time=time, position=position)
    if time:
        return tr("{what} {time}", what=what, time=time)
    return tr("{what}, {position}", what=what, position=position) if position else what


def run_state(
    folder: RunFolder,
    spec: dict[str, Any],
    history: History,
    locked: bool,
    now: float | None = None,
    here: Observer | None = None,
    job: JobState | None = None,
) -> RunState:
    """Determine the state of a run from its history, now or at another time, here or elsewhere.

    `locked` is the result of `is_locked` BEFORE the events were read: a worker that had released
    the lock by then has written all its events. `job` is what a scheduler says of the run's job,
    asked before that as well.
    """
    here = here or this_observer()
    now = here.now() if now is None else now
    if history.phase == "finished":
        return RunState("finished", False, describe_early_end(history))
    if job and not locked:
        resume = _describe_next(folder, spec, history)
        progress = _describe_progress(history)
        if by_job := state_by_job(job, find_job(folder), history, progress, resume, now):
            return by_job
    if history.phase in ENDED:
        resume = _describe_next(folder, spec, history)
        return RunState(history.phase, not locked, describe_end(history, now), resume)
    if locked:
        return RunState(history.phase, False, _describe_progress(history))
    # Of a job that has ended SLURM knows that its worker has.
    worker = None if job and job.phase == "ended" else history.worker
    other_host = safe_text(worker.host) if worker and on_another_host(worker, here) else ""
    if may_run_elsewhere(worker, history.last_sign, now, here):
        silence = describe_silence(history, now)
        return RunState(history.phase, False, silence, other_host=other_host)
    resume = _describe_next(folder, spec, history)
    if other_host:
        resume = tr("asks whether it has ended, and {resume}", resume=resume)
    why = describe_interruption(history, now, here)
    return RunState("interrupted", True, why, resume, other_host)


def _describe_progress(history: History) -> str:
    if history.phase == "training" and history.progress:
        progress = history.progress
        total = history.stages[progress.stage].epochs if progress.stage in history.stages else 0
        return _count_epoch(progress.epoch, total)
    if history.work:
        work = history.work
        phase = safe_text(work_title(work.phase))
        if not work.total:
            return phase
        return tr("{phase}, {done:,} of {total:,}", phase=phase, done=work.done, total=work.total)
    return ""


def describe_resume(spec: dict[str, Any], history: History) -> str:
    """Describe what a resume would do: "continues at epoch 5", or what follows a stage's end."""
    position = history.checkpoint
    if position is None:
        return tr("starts over")
    stage = history.stages.get(position.stage)
    # Early stopping ends a stage before its last epoch; one without time may continue.
    ended = stage and stage.end and stage.end.reason != OUT_OF_TIME
    if not stage or not (ended or 0 < stage.epochs < position.epoch):
        return tr("continues at {position}", position=position)
    stages = 2 if spec_table(spec, "model").get("strategy") == "fine-tuning" else 1
    following = position.stage + 1
    if following < stages:
        return tr("continues at stage {following}", following=following + 1)
    return tr("finishes it: only the test is left")


def _describe_next(folder: RunFolder, spec: dict[str, Any], history: History) -> str:
    """Describe what a resume would do, and which setting has to change for it."""
    if history.failure == "memory" and (size := half_batch(spec)):
        return tr("with half the batch ({size})", size=size)
    if history.failure == "diverged":
        return tr("with a lower learning rate")
    if history.checkpoint and _has_checkpoint(folder):
        return describe_resume(spec, history)
    return tr("starts over: no checkpoint")


def _has_checkpoint(folder: RunFolder) -> bool:
    if not folder.checkpoints.is_dir():
        return False
    return any(not path.name.startswith(".") for path in folder.checkpoints.iterdir())
