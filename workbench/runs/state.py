"""The state of a run: the phase in its events, corrected by whether its worker is alive.

A spec is given as its TOML tables, unchecked (`read_tables`); times are unix seconds.
"""

import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from workbench.runs.events import Event
from workbench.runs.fields import whole
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold, with_status
from workbench.runs.lock import is_locked, may_run_elsewhere, on_another_host
from workbench.runs.outcome import (
    describe_end,
    describe_interruption,
    describe_silence,
    half_batch,
)
from workbench.runs.reader import EventReader
from workbench.runs.status import read_status
from workbench.text import safe_text
from workbench.text_files import ENCODING

ENDED = ("finished", "stopped", "failed")
UNKNOWN = "?"


@dataclass(frozen=True)
class RunState:
    """The state of a run.

    Attributes:
        phase: starting, waiting (for another run or process), preparing, training, evaluating,
            finished, stopped, failed, or interrupted: the worker ended without a final event.
        resumable: True if `launch(folder, resume=True)` would continue it or start it over.
        description: what it does or how it ended, safe to print.
        resume: what a resume would do; "" if there is nothing to resume.
        other_host: the other machine of the newest session, if that has no final event: no lock
            here shows whether it has ended, so a person has to confirm it.
    """

    phase: str
    resumable: bool
    description: str
    resume: str = ""
    other_host: str = ""

    @property
    def detail(self) -> str:
        """Both in one line: "killed or crashed at 03:12; resume continues at epoch 5"."""
        return "; resume ".join(part for part in (self.description, self.resume) if part)


@dataclass(frozen=True)
class RunSummary:
    """A run in one line; what is unknown is None.

    Attributes:
        data: name of the data set; marked if a person corrected its labels.
        best_val_accuracy: of the epoch that was kept; before the end of the best epoch so far,
            by the metric that the run monitors.
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
) -> RunState:
    """Determine the state of a run from its history, now or at another time.

    `locked` is the result of `is_locked` BEFORE the events were read: a worker that had released
    the lock by then has written all its events.
    """
    now = time.time() if now is None else now
    if history.phase == "finished":
        return RunState("finished", False, "")
    if history.phase in ENDED:
        resume = _describe_next(folder, spec, history)
        return RunState(history.phase, not locked, describe_end(history, now), resume)
    if locked:
        return RunState(history.phase, False, _describe_progress(history))
    worker = history.worker
    other_host = safe_text(worker.host) if worker and on_another_host(worker) else ""
    if may_run_elsewhere(worker, history.last_sign, now):
        silence = describe_silence(history, now)
        return RunState(history.phase, False, silence, other_host=other_host)
    resume = _describe_next(folder, spec, history)
    if other_host:
        resume = f"asks whether it has ended, and {resume}"
    return RunState("interrupted", True, describe_interruption(history, now), resume, other_host)


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
        events = EventReader(folder.events_path).drain()
        logged = fold(_each(events, keep))
        history = with_status(logged, read_status(folder.status_path))
        state = run_state(folder, spec, history, locked, now)
    except OSError as error:
        history = History()
        state = RunState("interrupted", False, f"cannot be read: {safe_text(error.strerror)}")
    return make_summary(folder, spec, history, state)


def _each(events: Iterator[Event], keep: Callable[[Event], object]) -> Iterator[Event]:
    for event in events:
        keep(event)
        yield event


def make_summary(
    folder: RunFolder, spec: dict[str, Any], history: History, state: RunState
) -> RunSummary:
    """Summarize a run whose events have been read."""
    kept, evaluation = history.kept, history.evaluation
    data = _table(spec, "data")
    name = str(history.data.name or PurePath(str(data.get("source", UNKNOWN))).name)
    return RunSummary(
        name=folder.name,
        state=state,
        preset=preset if isinstance(preset := spec.get("preset"), str) else None,
        random_weights=_table(spec, "base").get("weights") == "random",
        strategy=str(_table(spec, "model").get("strategy", UNKNOWN)),
        data=f"{name} (corrected)" if data.get("corrections") else name,
        best_val_accuracy=kept.val_accuracy if kept else None,
        test_accuracy=evaluation.accuracy if evaluation and evaluation.split == "test" else None,
        epochs_done=len(history.epochs),
        epochs_total=history.epochs_planned or whole(_table(spec, "training").get("epochs")),
        started=history.started,
        last_sign=history.last_sign,
    )


def _describe_progress(history: History) -> str:
    if history.phase == "training" and history.progress:
        progress = history.progress
        total = history.stages[progress.stage].epochs if progress.stage in history.stages else 0
        return f"epoch {progress.epoch}" + (f" of {total}" if total else "")
    if history.work:
        work = history.work
        return safe_text(work.phase) + (f", {work.done:,} of {work.total:,}" if work.total else "")
    return ""


def describe_resume(spec: dict[str, Any], history: History) -> str:
    """Describe what a resume would do: "continues at epoch 5", or what follows a stage's end."""
    position = history.checkpoint
    if position is None:
        return "starts over"
    stage = history.stages.get(position.stage)
    # Early stopping ends a stage before its last epoch.
    if stage is None or not (stage.end or 0 < stage.epochs < position.epoch):
        return f"continues at {position}"
    stages = 2 if _table(spec, "model").get("strategy") == "fine-tuning" else 1
    following = position.stage + 1
    if following < stages:
        return f"continues at stage {following + 1}"
    return "finishes it: only the test is left"


def _describe_next(folder: RunFolder, spec: dict[str, Any], history: History) -> str:
    """Describe what a resume would do, and which setting has to change for it."""
    if history.failure == "memory" and (size := half_batch(spec)):
        return f"with half the batch ({size})"
    if history.failure == "diverged":
        return "with a lower learning rate"
    if history.checkpoint and _has_checkpoint(folder):
        return describe_resume(spec, history)
    return "starts over: no checkpoint"


def _has_checkpoint(folder: RunFolder) -> bool:
    if not folder.checkpoints.is_dir():
        return False
    return any(not path.name.startswith(".") for path in folder.checkpoints.iterdir())


def read_tables(folder: RunFolder) -> dict[str, Any]:
    """Read the spec's tables unchecked, so that specs of other versions can be shown."""
    try:
        return tomllib.loads(folder.spec_path.read_text(encoding=ENCODING))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _table(spec: dict[str, Any], name: str) -> dict[str, Any]:
    table = spec.get(name)
    return table if isinstance(table, dict) else {}
