"""A run in one line: its state, its data, how well it does, when it began."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from workbench.experiment.metrics import ACCURACY
from workbench.messages import tr
from workbench.runs.event_log import EventReader, read_status
from workbench.runs.events import Event
from workbench.runs.fields import spec_table, whole
from workbench.runs.folder import RunFolder, can_name, read_tables
from workbench.runs.history import History, fold, with_status
from workbench.runs.lock import is_locked
from workbench.runs.phase import RunState
from workbench.runs.slurm_queue import job_state
from workbench.runs.state import run_state
from workbench.text import safe_text
from workbench.words import reason_of

UNKNOWN = "?"
# Marks of an accuracy on validation images, and of one by cross-validation, of a linear probe.
VALIDATION, CROSS_VALIDATION = "v", "c"


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
        cross_validated: whether best_val_accuracy is that of a cross-validation: a solved stage has
            no validation images of its own.
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
    cross_validated: bool = False

    def on_test(self, metric: str) -> float | None:
        """Return a metric of `experiment.metrics.METRICS` on test images, if it was measured."""
        return self.test_accuracy if metric == ACCURACY else self.test_scores.get(metric)

    @property
    def validation_mark(self) -> str:
        """Which images the validation accuracy was measured on, as a letter."""
        return CROSS_VALIDATION if self.cross_validated else VALIDATION

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
        cross_validated=kept is not None and history.is_solved(kept.stage),
    )


def _describe_gpus(history: History) -> str:
    gpus = (history.gpu, *history.other_gpus)
    numbers = ", ".join(str(gpu.index) for gpu in gpus if gpu and gpu.index is not None)
    return f"GPU {numbers}" if numbers else ""
