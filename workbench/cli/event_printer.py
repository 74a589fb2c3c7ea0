"""The events of a run as lines in a terminal, and the current work as one bar."""

import json
from collections.abc import Sequence
from typing import Protocol

from workbench.cli.group import command_line
from workbench.cli.output import evaluation_report
from workbench.experiment.facts import list_splits
from workbench.experiment.metrics import METRICS as METRIC_TITLES
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.event_text import (
    describe_batch_halved,
    describe_cross_validation,
    describe_kept,
)
from workbench.runs.events import (
    BatchHalved,
    CrossValidated,
    DataReady,
    EpochFinished,
    Evaluated,
    Event,
    GpuChosen,
    Notice,
    Resumed,
    RunFinished,
    RunStopped,
    StageFinished,
    StageStarted,
    StepProgress,
    Work,
)
from workbench.runs.fields import Position
from workbench.runs.folder import RunFolder
from workbench.runs.slurm import resume_arguments
from workbench.runs.work_titles import work_title
from workbench.text import cell_width, format_seconds, pad_cells, plural, safe_text
from workbench.words import shown

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


class EventOutput(Protocol):
    """Output of lines that stay, and of the current work as one bar below them.

    Both make their text safe.
    """

    def line(self, text: str) -> None:
        """Print a line; the bar is hidden until it is shown again."""

    def bar(self, text: str, done: int, total: int) -> None:
        """Show the progress of the current work; a total of 0 is unknown."""


class EventPrinter:
    """Prints events as lines; with `brief`, only the accuracy of the evaluation."""

    def __init__(
        self, workspace: Workspace, folder: RunFolder, output: EventOutput, brief: bool = False
    ) -> None:
        self.workspace = workspace
        self.folder = folder
        self.line, self.bar = output.line, output.bar
        self.brief = brief
        self.epochs = 0
        self.waiting_for = ""

    def print_event(self, event: Event) -> None:
        """Print an event; others are skipped."""
        match event:
            case Work():
                self._work(event)
            case GpuChosen():
                for gpu in [event.gpu, *event.others] if event.gpu else []:
                    self.line(
                        tr(
                            "gpu    {gpu} (GPU {index})",
                            gpu=safe_text(gpu.name, 60),
                            index=gpu.index,
                        )
                    )
            case DataReady():
                self._data_ready(event)
            case Notice():
                self.line(tr("note   {message}", message=safe_text(event.message, 400)))
            case BatchHalved():
                self.line(tr("note   {message}", message=describe_batch_halved(event)))
            case StageStarted():
                self._stage_started(event)
            case Resumed():
                self._resumed(event)
            case StepProgress():
                self._progress(event)
            case CrossValidated():
                self.line(tr("solved {event}", event=describe_cross_validation(event)))
            case EpochFinished():
                self._epoch_finished(event)
            case StageFinished():
                if self.epochs:
                    self.line(
                        tr(
                            "ended  {reason}; {kept}",
                            reason=shown(safe_text(event.reason)),
                            kept=describe_kept(event),
                        )
                    )
            case Evaluated():
                self._evaluated(event)
            case RunStopped():
                again = command_line(self.workspace, *resume_arguments(self.folder))
                why = f": {safe_text(event.pruned)}" if event.pruned else ""
                self.line(
                    tr("stopped{why}; everything is saved. Resume: {again}", why=why, again=again)
                )
            case RunFinished():
                self.line(_finished(event.seconds, str(self.folder.model_path)))

    def _work(self, work: Work) -> None:
        if work.is_waiting and work.phase != self.waiting_for:
            self.waiting_for = work.phase
            self.line(tr("queue  {phase}", phase=work_title(work.phase)))
        self.bar(safe_text(work_title(work.phase), 40), work.done, work.total)

    def _data_ready(self, event: DataReady) -> None:
        labels = plural(len(event.labels), "label")
        self.line(
            tr(
                "data   {event}: {images} images, {labels}",
                event=safe_text(event.name),
                images=list_splits(event.images),
                labels=labels,
            )
        )
        for note in event.notes:
            self.line(tr("note   {message}", message=safe_text(note, 400)))

    def _stage_started(self, event: StageStarted) -> None:
        self.epochs = 0 if event.is_solved else event.epochs
        how = tr(
            "{optimizer} {learning_rate}, batch {batch_size}, {epochs}",
            optimizer=event.optimizer,
            learning_rate=event.learning_rate,
            batch_size=event.batch_size,
            epochs=plural(event.epochs, "epoch"),
        )
        if event.is_solved:
            how = tr(
                "{trainable_parameters} of them solved",
                trainable_parameters=_grouped(event.trainable_parameters),
            )
        self.line(
            tr(
                "stage  {event}: {parameters} parameters, {how}, {device}{event_2}",
                event=stage_title(event.name),
                parameters=_grouped(event.parameters),
                how=how,
                device=event.device,
                event_2="" if event.is_solved else _expected(event),
            )
        )
        if event.is_solved:
            return
        self.line(_columns(tr("epoch"), [shown(name) for name in METRICS], tr("time")))

    def _resumed(self, event: Resumed) -> None:
        place = event.position
        if place is None or place == Position(0, 1, 0):
            self.line(tr("resumed from the start"))
        elif place.step == 0 and place.epoch > 1:  # it may have been the last epoch
            self.line(tr("resumed after epoch {epoch}", epoch=place.epoch - 1))
        else:
            self.line(tr("resumed at {place}", place=place))

    def _progress(self, event: StepProgress) -> None:
        speed = event.images_per_second
        pace = "  " + tr("{speed:,.0f} images/s", speed=speed) if speed else ""
        self.bar(
            tr(
                "epoch {epoch} {phase}  loss {loss}  accuracy {accuracy}{pace}",
                epoch=event.epoch,
                phase=shown(event.phase),
                loss=_number(event.loss),
                accuracy=_number(event.accuracy),
                pace=pace,
            ),
            event.step,
            event.steps,
        )

    def _epoch_finished(self, event: EpochFinished) -> None:
        if not self.epochs:  # of a stage that was solved, whose cross-validation was printed
            return
        metrics = (event.loss, event.accuracy, event.val_loss, event.val_accuracy)
        seconds = "-" if event.seconds is None else format_seconds(event.seconds)
        scores = "".join(
            f"  {METRIC_TITLES[name]} {_number(v)}" for name, v in event.scores.items()
        )
        self.line(
            _columns(
                f"{event.epoch}/{self.epochs}",
                [_number(value) for value in metrics],
                seconds + scores + ("  " + tr("best") if event.best else ""),
            )
        )

    def _evaluated(self, event: Evaluated) -> None:
        try:
            results = json.loads(self.folder.results_path.read_text(encoding="utf-8"))
            report = evaluation_report(results, str(self.folder.path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Removed or damaged since; the event itself has the main metric.
            report = tr(
                "{split} accuracy {accuracy}",
                split=shown(event.split),
                accuracy=_number(event.accuracy),
            )
        self.line(report.split("\n\n", 1)[0] if self.brief else report)


def _finished(seconds: float | None, model: str) -> str:
    if seconds is None:
        return tr("finished: {model}", model=model)
    return tr("finished in {seconds}: {model}", seconds=format_seconds(seconds), model=model)


def _columns(epoch: str, metrics: Sequence[str], time: str) -> str:
    """Format a line of the table of epochs, within 80 columns."""
    cells = (
        pad_cells(value, max(len(name), 7, cell_width(shown(name))), "r")
        for name, value in zip(METRICS, metrics, strict=True)
    )
    return f"{pad_cells(epoch, 9, 'r')}  {'  '.join(cells)}  {time}"


def _expected(event: StageStarted) -> str:
    seconds = event.estimated_seconds
    return (
        "" if seconds is None else tr(", about {seconds} an epoch", seconds=format_seconds(seconds))
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _grouped(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
