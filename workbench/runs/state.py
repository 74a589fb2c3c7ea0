"""The state of a run: the phase in its events, corrected by whether its worker is alive.

A spec is its TOML tables, unchecked (`read_tables`); times are unix seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from workbench.experiment.batch_size import half_batch_size
from workbench.experiment.metrics import ACCURACY
from workbench.messages import tr
from workbench.runs.event_log import EventReader, read_status
from workbench.runs.events import OUT_OF_TIME, Event, MachineSample
from workbench.runs.fields import spec_table, whole
from workbench.runs.folder import RunFolder, can_name, read_tables
from workbench.runs.history import History, describe_early_end, fold, with_status
from workbench.runs.lock import (
    Observer,
    is_locked,
    may_run_elsewhere,
    on_another_host,
    this_observer,
)
from workbench.runs.phase import RunState, describe_time
from workbench.runs.slurm_queue import JobState, find_job, job_state
from workbench.runs.slurm_state import state_by_job
from workbench.runs.work_titles import work_title
from workbench.text import format_seconds, percent, safe_text
from workbench.words import reason_of, shown

ENDED = ("finished", "stopped", "pruned", "failed")
UNKNOWN = "?"
# Marks of an accuracy on validation images, and of one by cross-validation, of a linear probe.
VALIDATION, CROSS_VALIDATION = "v", "c"
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


@dataclass(frozen=True)
class RunSummary:
    """A run in one line; what is unknown is None.

    Attributes:
        data: name of the data set; marked if a person corrected its labels.
        best_val_accuracy: of the epoch that was kept; before the end of the best epoch so far,
            by the metric that the run monitors.
        val_scores: other metrics of the same epoch, where they were measured: monitored ones, or
            all if the final evaluation was on validation images.
        test_scores: other metrics on test images.
        device: that it uses, or used last: "GPU 1", "GPU 0, 2"; "" for the CPU, or before there
            is one.
    """

    name: str
    state: RunState
    preset: str | None
    random_weights: bool
    strategy: str
    data: str
    best_val_accuracy: float | None
    test_accuracy: float | None
    epochs_done: int
    epochs_total: int | None
    started: float | None
    last_sign: float | None
    val_scores: Mapping[str, float] = field(default_factory=dict)
    test_scores: Mapping[str, float] = field(default_factory=dict)
    device: str = ""

    def on_test(self, metric: str) -> float | None:
        """Return a metric of `experiment.metrics.METRICS` on test images, if it was measured."""
        return self.test_accuracy if metric == ACCURACY else self.test_scores.get(metric)

    @property
    def validation_mark(self) -> str:
        """Which images the validation accuracy was measured on, as a letter."""
        return CROSS_VALIDATION if self.strategy == "linear-probe" else VALIDATION

    def on_validation(self, metric: str) -> float | None:
        """Return the same on validation images."""
        return self.best_val_accuracy if metric == ACCURACY else self.val_scores.get(metric)

    def measured(self, metric: str) -> float | None:
        """Return a metric on test images, else on validation images; None if it is unknown."""
        on_test = self.on_test(metric)
        return self.on_validation(metric) if on_test is None else on_test

    @property
    def recipe(self) -> str:
        """The preset, or else the strategy; from outside, so not safe to print."""
        return self.preset or self.strategy

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain data for JSON, with the parts of the state among the others."""
        fields = asdict(self)
        del fields["state"]
        return {
            "name": fields.pop("name"),
            "state": self.state.phase,
            "resumable": self.state.resumable,
            "detail": self.state.detail,
            **fields,
        }


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


def summarize(
    folder: RunFolder, now: float | None = None, keep: Callable[[Event], object] = bool
) -> RunSummary:
    """Summarize the run; of a damaged folder what can be read.

    Args:
        folder: of the run.
        now: unix seconds; None for the present.
        keep: called with every event of the log, which is not kept here: it may be long.
    """
    spec = read_tables(folder)
    try:
        locked = is_locked(folder.lock_path)  # before the first event is read
        job = None if locked else job_state(folder)
        events = EventReader(folder.events_path).drain()
        logged = fold(_each(events, keep))
        history = with_status(logged, read_status(folder.status_path))
        state = run_state(folder, spec, history, locked, now, job=job)
    except OSError as error:
        history = History()
        state = RunState(
            "interrupted",
            False,
            tr("cannot be read: {strerror}", strerror=safe_text(reason_of(error))),
        )
    return make_summary(folder, spec, history, state)


def _each(events: Iterator[Event], keep: Callable[[Event], object]) -> Iterator[Event]:
    for event in events:
        keep(event)
        yield event


def _data_name(source: str) -> str:
    """Return the name of the images before a worker knows it; a set's are in data/NAME/source."""
    path = PurePath(source)
    of_set = path.name == "source" and path.parent.parent.name == "data"
    return path.parent.name if of_set else path.name


def make_summary(
    folder: RunFolder, spec: dict[str, Any], history: History, state: RunState
) -> RunSummary:
    """Summarize a run whose events have been read."""
    kept, evaluation = history.kept, history.evaluation
    on_test = evaluation is not None and evaluation.split == "test"
    scores = {
        name: one.value or 0.0 for name, one in (evaluation.scores if evaluation else {}).items()
    }
    data = spec_table(spec, "data")
    own = _data_name(str(data.get("source", UNKNOWN)))
    # The folder in the workspace has another name where it could keep no letter of this one.
    name = str(history.data.name or own) if can_name(own) else own
    strategy = str(spec_table(spec, "model").get("strategy", UNKNOWN))
    is_probe = strategy == "linear-probe"  # solved at once, which counts as its only epoch
    planned = whole(spec_table(spec, "training").get("epochs"))
    return RunSummary(
        name=folder.name,
        state=state,
        preset=preset if isinstance(preset := spec.get("preset"), str) else None,
        random_weights=spec_table(spec, "base").get("weights") == "random",
        strategy=strategy,
        data=f"{name} (corrected)" if data.get("corrections") else name,
        best_val_accuracy=kept.val_accuracy if kept else None,
        test_accuracy=evaluation.accuracy if evaluation and on_test else None,
        epochs_done=len(history.epochs) if is_probe else history.epochs_trained,
        epochs_total=1 if is_probe else history.epochs_planned or planned,
        started=history.started,
        last_sign=history.last_sign,
        val_scores={**({} if on_test else scores), **(kept.scores if kept else {})},
        test_scores=scores if on_test else {},
        device=_describe_gpus(history),
    )


def _describe_gpus(history: History) -> str:
    gpus = (history.gpu, *history.other_gpus)
    numbers = ", ".join(str(gpu.index) for gpu in gpus if gpu and gpu.index is not None)
    return f"GPU {numbers}" if numbers else ""


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
