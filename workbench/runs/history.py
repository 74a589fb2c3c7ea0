"""The history of a run: a pure fold over its events, the only source of plots and summaries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from workbench.experiment.metrics import SCORES
from workbench.runs.event_text import describe_batch_halved
from workbench.runs.events import (
    LATEST_ONLY,
    BatchHalved,
    CheckpointSaved,
    ChosenGpu,
    CrossValidated,
    DataReady,
    End,
    EpochFinished,
    EstimateChecked,
    Evaluated,
    Event,
    GpuChosen,
    LatestOnly,
    Launched,
    LayersChecked,
    MachineSample,
    Notice,
    Preparing,
    Resumed,
    RunFailed,
    RunFinished,
    RunStopped,
    Session,
    StageFinished,
    StageStarted,
    StepProgress,
    Work,
    WorkerStarted,
)
from workbench.runs.fields import Position

PHASES = {
    "launched": "starting",
    "worker_started": "starting",
    "preparing": "preparing",
    "data_ready": "preparing",
    "resumed": "training",
    "stage_started": "training",
    "progress": "training",
    "cross_validated": "training",
    "epoch_finished": "training",
    "stage_finished": "training",
    "evaluating": "evaluating",
    "evaluated": "evaluating",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
}
# After which a status that was made before is still news.
_ASIDE = GpuChosen | Notice | LayersChecked | EstimateChecked | CheckpointSaved | LatestOnly


@dataclass(frozen=True)
class StageRow:
    """A stage that has begun; `end` is None before its end."""

    started: StageStarted
    end: StageFinished | None = None

    @property
    def index(self) -> int:
        """Number of the stage, from 0."""
        return self.started.stage

    @property
    def name(self) -> str:
        """Its name."""
        return self.started.name

    @property
    def epochs(self) -> int:
        """Maximum planned."""
        return self.started.epochs


@dataclass
class History:
    """A run so far, without what a resume superseded.

    Attributes:
        phase: starting, waiting, preparing, training, evaluating, finished, stopped, pruned or
            failed, according to the events; whether the worker still lives is decided in `state`.
        started: time of the first event, in unix seconds.
        ended: time of the event that ended the newest session; None while it runs.
        last_sign: time of the newest event.
        counted: seconds worked up to the newest event that is not of LATEST_ONLY, and its time;
            None before the first worker.
        is_working: True if work follows that event.
        worker: `worker_started` of the newest session, before it `launched`.
        data: the newest `data_ready`.
        work: progress of preparing or evaluating.
        stages: by index.
        epochs: finished epochs in the order of the plan.
        progress: the newest metrics within the current epoch.
        checkpoint: where a resume would continue.
        layers: the newest freeze check of each stage.
        cross_validated: of each stage that is solved.
        gpu: the newest that was claimed.
        other_gpus: those that share each batch with it.
        machine: the newest sample, None between sessions.
        last_position: where the newest session ended; None while it runs or if unknown.
        failure: kind of a failure; `message` and `hint` are its texts. Of a pruned run the message
            is the reason.
        resumed: how many times the run was resumed.
        session: number of the event that began or ended the newest session.
        turn: number of the newest event after which earlier progress is no longer news.
    """

    phase: str = "starting"
    started: float | None = None
    ended: float | None = None
    last_sign: float | None = None
    counted: tuple[float, float] | None = None
    is_working: bool = False
    worker: Session | None = None
    data: DataReady = field(default_factory=DataReady)
    work: Work | None = None
    stages: dict[int, StageRow] = field(default_factory=dict)
    epochs: list[EpochFinished] = field(default_factory=list)
    progress: StepProgress | None = None
    checkpoint: Position | None = None
    notices: list[Notice] = field(default_factory=list)
    evaluation: Evaluated | None = None
    layers: dict[int, LayersChecked] = field(default_factory=dict)
    cross_validated: dict[int, CrossValidated] = field(default_factory=dict)
    gpu: ChosenGpu | None = None
    other_gpus: tuple[ChosenGpu, ...] = ()
    machine: MachineSample | None = None
    last_position: Position | None = None
    failure: str = ""
    message: str = ""
    hint: str = ""
    resumed: int = 0
    session: int = 0
    turn: int = 0

    @property
    def images(self) -> dict[str, int]:
        """Number of images by split; {} before the data is ready."""
        return self.data.images

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the network's outputs; () before the data is ready."""
        return self.data.labels

    @property
    def seconds_worked(self) -> float | None:
        """Seconds worked, without waiting in the queue; None before the first worker."""
        if self.counted is None or self.last_sign is None:
            return None
        seconds, time = self.counted
        return seconds + (max(self.last_sign - time, 0.0) if self.is_working else 0.0)

    @property
    def best(self) -> EpochFinished | None:
        """The newest stage's best epoch by the metric that the stage monitors."""
        marked = [row for row in self.epochs if row.best and row.stage == self.epochs[-1].stage]
        return marked[-1] if marked else None

    @property
    def kept(self) -> EpochFinished | None:
        """The epoch whose weights the newest stage kept; before its end the best so far.

        In a log that records neither, the epoch with the highest validation accuracy.
        """
        rows = [row for row in self.epochs if row.stage == self.epochs[-1].stage]
        stage = self.stages.get(rows[0].stage) if rows else None
        number = stage.end.kept_epoch if stage and stage.end else None
        kept = next((row for row in rows if row.epoch == number), None) or self.best
        measured = [row for row in rows if row.val_accuracy is not None]
        return kept or max(measured, key=lambda row: row.val_accuracy or 0.0, default=None)

    @property
    def probe(self) -> CrossValidated | None:
        """What cross-validation found, if the newest stage was solved."""
        return self.cross_validated.get(max(self.stages, default=-1))

    @property
    def trained(self) -> list[EpochFinished]:
        """The finished epochs; a stage that is solved has none, nor is 0, its result, one."""
        return [row for row in self.epochs if row.epoch > 0 and not self.is_solved(row.stage)]

    @property
    def epochs_trained(self) -> int:
        """How many epochs are finished."""
        return len(self.trained)

    @property
    def epochs_planned(self) -> int | None:
        """Planned epochs of the stages that have begun; None before the first that trains."""
        planned = [stage.epochs for stage in self.stages.values() if not stage.started.is_solved]
        return sum(planned) if planned else None

    @property
    def curve(self) -> Sequence[EpochFinished]:
        """The epochs that can be compared with one another, as points of a curve.

        The result of a solved stage is not one of them once more was trained: its metrics are
        those of cross-validation, and epoch 0 of the next stage has those on validation images.
        """
        solved = set(filter(self.is_solved, self.stages))
        if not solved:  # it is asked for at every drawing
            return self.epochs
        return [row for row in self.epochs if row.stage not in solved] or self.epochs

    def is_solved(self, stage: int) -> bool:
        """Return whether a stage that has begun is solved instead of trained."""
        return stage in self.stages and self.stages[stage].started.is_solved

    def copy(self) -> Self:
        """Return an independent history; the frozen rows are shared."""
        return replace(
            self,
            stages=dict(self.stages),
            epochs=list(self.epochs),
            notices=list(self.notices),
            layers=dict(self.layers),
            cross_validated=dict(self.cross_validated),
        )


def fold(events: Iterable[Event], history: History | None = None) -> History:
    """Return the history after the events; the one given does not change.

    Unknown kinds, missing fields and events of a later schema are allowed.
    """
    history = history.copy() if history else History()
    for event in events:
        if event.t is not None:
            history.started = event.t if history.started is None else history.started
            _count_work(history, event, event.t)
        history.phase = PHASES.get(event.event, history.phase)
        if isinstance(event, Session | End):
            history.session = event.n
        if not isinstance(event, _ASIDE):
            history.turn = event.n
        _apply(history, event)
    return history


def with_status(history: History, news: Sequence[Event]) -> History:
    """Return the history with what its status adds, see `event_log`; what is over is dropped."""
    now = history.last_sign or 0.0  # an event in the log may be newer than the status
    current = [
        replace(event, t=max(event.t or 0.0, now))
        for event in news
        if event.n >= (history.session if isinstance(event, MachineSample) else history.turn)
    ]
    return fold(current, history) if current else history


def monitored_scores(history: History) -> tuple[str, ...]:
    """Return the scores that epochs have measured: those that a stage monitored."""
    found = {name for row in history.epochs for name in row.scores}
    return tuple(name for name in SCORES if name in found)


def _count_work(history: History, event: Event, time: float) -> None:
    """Record the time of an event and the seconds worked up to it.

    One that is only the latest of its kind counts only until another event comes, so that a
    history is the same without it.
    """
    before = history.seconds_worked
    history.last_sign = time
    if event.event in LATEST_ONLY:  # damaged ones too
        return
    seconds = before if isinstance(event, Session) else history.seconds_worked
    if seconds is not None:
        history.counted = seconds, time
    elif isinstance(event, WorkerStarted):
        history.counted = 0.0, time
    waits = isinstance(event, Preparing) and event.is_waiting
    history.is_working = not waits and not isinstance(event, Launched | End)


def _apply(history: History, event: Event) -> None:
    """Update the parts of the history that depend on the kind of an event."""
    match event:
        case Launched() | WorkerStarted():
            history.worker, history.machine = event, None
            history.ended = history.work = history.progress = history.last_position = None
            history.failure = history.message = history.hint = ""
        case GpuChosen():
            history.gpu, history.other_gpus = event.gpu, event.others
        case MachineSample():
            history.machine = event
        case Work():
            history.work = event
            if event.is_waiting:
                history.phase = "waiting"
        case DataReady():
            history.work, history.data = None, event
        case Notice():
            _add_notice(history, event)
        case BatchHalved():
            _add_notice(history, Notice(t=event.t, n=event.n, message=describe_batch_halved(event)))
        case Resumed():
            history.resumed += 1
            history.work = None
            if event.position:
                history.checkpoint = event.position
                _supersede(history, event.position)
        case StageStarted():
            history.work = None
            history.stages[event.stage] = StageRow(event)
        case StepProgress():
            history.progress = event
        case EpochFinished():
            _supersede(history, Position(event.stage, event.epoch))  # a log without `resumed`
            history.epochs.append(event)
        case CheckpointSaved():
            history.checkpoint = event.position or history.checkpoint
        case LayersChecked():
            history.layers[event.stage] = event
        case CrossValidated():
            history.work = None
            history.cross_validated[event.stage] = event
        case StageFinished():
            history.progress = None
            if event.stage in history.stages:
                history.stages[event.stage] = replace(history.stages[event.stage], end=event)
        case Evaluated():
            history.work = None
            history.evaluation = event
        case RunStopped() | RunFailed() | RunFinished():
            _apply_end(history, event)


def _apply_end(history: History, event: End) -> None:
    newest = history.progress.position if history.progress else None
    history.last_position = event.position or newest
    history.ended = history.last_sign
    history.machine = history.work = history.progress = None
    if isinstance(event, RunStopped) and event.pruned:
        history.phase, history.message = "pruned", event.pruned
    if isinstance(event, RunFailed):
        history.failure, history.message, history.hint = event.kind, event.message, event.hint


def _add_notice(history: History, notice: Notice) -> None:
    # Sessions may repeat a notice.
    if notice.message and all(notice.message != other.message for other in history.notices):
        history.notices.append(notice)


def _supersede(history: History, position: Position) -> None:
    """Drop the position's epoch and everything after it."""
    begin = position.stage, position.epoch
    while history.epochs and (history.epochs[-1].stage, history.epochs[-1].epoch) >= begin:
        history.epochs.pop()  # epochs are in the order of the plan
    history.stages = {i: row for i, row in history.stages.items() if i <= position.stage}
    stage = history.stages.get(position.stage)
    if stage and stage.end is not None:
        history.stages[position.stage] = replace(stage, end=None)
    history.progress = None
    history.evaluation = None
