"""How a run stands: what its events tell, held against whether its worker lives."""

import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.host import may_live_elsewhere, on_another_host
from workbench.runs.lock import is_locked
from workbench.runs.outcome import ended_words, half_batch, interrupted_words, silent_words
from workbench.runs.reader import EventReader
from workbench.runs.rows import whole
from workbench.text import safe_text
from workbench.text_files import ENCODING

ENDED = ("finished", "stopped", "failed")
UNKNOWN = "?"


@dataclass(frozen=True)
class State:
    """How a run stands.

    Attributes:
        word: starting, waiting (for another run or process), preparing, training, evaluating,
            finished, stopped, failed, or interrupted: the worker ended without a word.
        resumable: True where `launch(folder, resume=True)` would go on, or start over.
        told: a few words more, safe to print: what it does, or what became of it.
        resume: what a resume would do; "" where there is nothing to resume.
        elsewhere: the other machine that the newest life was on, where it did not tell its end:
            no lock tells here whether it has ended, so that a person has to.
    """

    word: str
    resumable: bool
    told: str
    resume: str = ""
    elsewhere: str = ""

    @property
    def detail(self) -> str:
        """All of it in one line: "killed or crashed at 03:12; resume goes on at epoch 5"."""
        return "; resume ".join(part for part in (self.told, self.resume) if part)


@dataclass(frozen=True)
class RunSummary:
    """A run in a line. Times are unix seconds; None where there is nothing to tell yet.

    Attributes:
        data: its name; it tells where a person had corrected its labels.
        best_val_accuracy: of the epoch that was kept; of the best so far, by the figure that the
            run monitors, before its end.
    """

    name: str
    state: State
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
        """Of the preset; of the strategy where there is none. From outside: not safe to print."""
        return self.preset or self.strategy

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the state's parts among the others."""
        told = asdict(self)
        del told["state"]
        return {
            "name": told.pop("name"),
            "state": self.state.word,
            "resumable": self.state.resumable,
            "detail": self.state.detail,
            **told,
        }


def run_state(
    folder: RunFolder,
    spec: dict[str, Any],
    history: History,
    locked: bool,
    now: float | None = None,
) -> State:
    """How the run stands.

    Args:
        spec: its tables, as `read_tables` gives them.
        history: of all events.
        locked: what `is_locked` told BEFORE the events were read: a worker that had let go by
            then has told all it ever will.
        now: unix seconds; the present where left out.
    """
    now = time.time() if now is None else now
    if history.phase == "finished":
        return State("finished", False, "")
    if history.phase in ENDED:
        resume = _next_words(folder, spec, history)
        return State(history.phase, not locked, ended_words(history, now), resume)
    if locked:
        return State(history.phase, False, _running_detail(history))
    elsewhere = safe_text(history.worker["host"]) if on_another_host(history.worker) else ""
    if may_live_elsewhere(history.worker, history.last_sign, now):
        return State(history.phase, False, silent_words(history, now), elsewhere=elsewhere)
    resume = _next_words(folder, spec, history)
    if elsewhere:
        resume = f"asks whether it has ended, and {resume}"
    return State("interrupted", True, interrupted_words(history, now), resume, elsewhere)


def summarise(folder: RunFolder, now: float | None = None) -> RunSummary:
    """The run in a line; a damaged folder gives what can be read of it."""
    return _summarised(folder, EventReader(folder.events_path).drain(), now)


def summarise_with_events(folder: RunFolder) -> tuple[RunSummary, list[Event]]:
    """The same, and the events that it is made of, from one reading of the log."""
    events: list[Event] = []

    def kept() -> Iterator[Event]:
        for event in EventReader(folder.events_path).drain():
            events.append(event)
            yield event

    return _summarised(folder, kept(), None), events


def _summarised(folder: RunFolder, events: Iterable[Event], now: float | None) -> RunSummary:
    spec = read_tables(folder)
    try:
        locked = is_locked(folder.lock_path)  # before the first event is read
        history = fold(events)
        state = run_state(folder, spec, history, locked, now)
    except OSError as error:
        history = History()
        state = State("interrupted", False, f"cannot be read: {safe_text(error.strerror)}")
    return summary_of(folder, spec, history, state)


def summary_of(
    folder: RunFolder, spec: dict[str, Any], history: History, state: State
) -> RunSummary:
    """A run in a line from what is known of it.

    Args:
        spec: its tables, as `read_tables` gives them.
    """
    kept, evaluation = history.kept, history.evaluation
    data = _table(spec, "data")
    name = str(history.data.get("name") or PurePath(str(data.get("source", UNKNOWN))).name)
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


def _running_detail(history: History) -> str:
    if history.phase == "training" and history.progress:
        place = history.progress.place
        total = history.stages[place.stage].epochs if place.stage in history.stages else 0
        return f"epoch {place.epoch}" + (f" of {total}" if total else "")
    if history.work:
        work = history.work
        return safe_text(work.phase) + (f", {work.done:,} of {work.total:,}" if work.total else "")
    return ""


def resume_words(spec: dict[str, Any], history: History) -> str:
    """What a resume would do: "goes on at epoch 5", or what comes after a stage's last epoch.

    Args:
        spec: its tables, as `read_tables` gives them.
    """
    place = history.checkpoint
    if place is None:
        return "starts over"
    stage = history.stages.get(place.stage)
    # Early stopping ends a stage before its last epoch.
    if stage is None or not (stage.end or 0 < stage.epochs < place.epoch):
        return f"goes on at {place}"
    stages = 2 if _table(spec, "model").get("strategy") == "fine-tuning" else 1
    following = place.stage + 1
    if following < stages:
        return f"goes on at stage {following + 1}"
    return "finishes it: only the test is left"


def _next_words(folder: RunFolder, spec: dict[str, Any], history: History) -> str:
    """What a resume would do, and what has to change for it."""
    if history.failure == "memory" and (size := half_batch(spec)):
        return f"with half the batch ({size})"
    if history.failure == "diverged":
        return "with a lower learning rate"
    if history.checkpoint and _has_checkpoint(folder):
        return resume_words(spec, history)
    return "starts over: no checkpoint"


def _has_checkpoint(folder: RunFolder) -> bool:
    if not folder.checkpoints.is_dir():
        return False
    return any(not path.name.startswith(".") for path in folder.checkpoints.iterdir())


def read_tables(folder: RunFolder) -> dict[str, Any]:
    """The spec's tables unchecked: specs of other versions are told of all the same."""
    try:
        return tomllib.loads(folder.spec_path.read_text(encoding=ENCODING))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _table(spec: dict[str, Any], name: str) -> dict[str, Any]:
    table = spec.get(name)
    return table if isinstance(table, dict) else {}
