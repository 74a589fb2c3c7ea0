"""The events of a run as lines."""

import json
from collections.abc import Sequence
from typing import Protocol

from workbench.cli.group import command_line
from workbench.cli.output import evaluation_report
from workbench.paths import Workspace
from workbench.runs.events import (
    BatchHalved,
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
from workbench.runs.history import describe_batch_halved
from workbench.text import format_seconds, plural, safe_text

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
                if event.gpu:
                    self.line(f"gpu    {safe_text(event.gpu.name, 60)} (GPU {event.gpu.index})")
            case DataReady():
                self._data_ready(event)
            case Notice():
                self.line(f"note   {safe_text(event.message, 400)}")
            case BatchHalved():
                self.line(f"note   {describe_batch_halved(event)}")
            case StageStarted():
                self._stage_started(event)
            case Resumed():
                self._resumed(event)
            case StepProgress():
                self._progress(event)
            case EpochFinished():
                self._epoch_finished(event)
            case StageFinished():
                kept = event.kept_epoch
                self.line(f"ended  {event.reason}; kept the weights of epoch {kept}")
            case Evaluated():
                self._evaluated(event)
            case RunStopped():
                again = command_line(self.workspace, "resume", self.folder.name)
                self.line(f"stopped; everything is saved. Resume: {again}")
            case RunFinished():
                took = "" if event.seconds is None else f" in {format_seconds(event.seconds)}"
                self.line(f"finished{took}: {self.folder.model_path}")

    def _work(self, work: Work) -> None:
        if work.is_waiting and work.phase != self.waiting_for:
            self.waiting_for = work.phase
            self.line(f"queue  {work.phase}")
        self.bar(safe_text(work.phase, 40), work.done, work.total)

    def _data_ready(self, event: DataReady) -> None:
        images = ", ".join(f"{count:,} {split}" for split, count in event.images.items() if count)
        labels = plural(len(event.labels), "label")
        self.line(f"data   {safe_text(event.name)}: {images} images, {labels}")
        for note in event.notes:
            self.line(f"note   {safe_text(note, 400)}")

    def _stage_started(self, event: StageStarted) -> None:
        self.epochs = event.epochs
        self.line(
            f"stage  {event.name}: {_grouped(event.parameters)} parameters, "
            f"{event.optimizer} {event.learning_rate}, "
            f"batch {event.batch_size}, {plural(event.epochs, 'epoch')}, "
            f"{event.device}{_expected(event)}"
        )
        self.line(_columns("epoch", METRICS, "time"))

    def _resumed(self, event: Resumed) -> None:
        place = event.position
        if place is None or place == Position(0, 1, 0):
            self.line("resumed from the start")
        elif place.step == 0 and place.epoch > 1:  # it may have been the last epoch
            self.line(f"resumed after epoch {place.epoch - 1}")
        else:
            self.line(f"resumed at {place}")

    def _progress(self, event: StepProgress) -> None:
        speed = event.images_per_second
        pace = f"  {speed:,.0f} images/s" if speed else ""
        self.bar(
            f"epoch {event.epoch} {event.phase}  loss {_number(event.loss)}"
            f"  accuracy {_number(event.accuracy)}{pace}",
            event.step,
            event.steps,
        )

    def _epoch_finished(self, event: EpochFinished) -> None:
        metrics = (event.loss, event.accuracy, event.val_loss, event.val_accuracy)
        seconds = "" if event.seconds is None else format_seconds(event.seconds)
        self.line(
            _columns(
                f"{event.epoch}/{self.epochs}",
                [_number(value) for value in metrics],
                seconds + ("  best" if event.best else ""),
            )
        )

    def _evaluated(self, event: Evaluated) -> None:
        try:
            results = json.loads(self.folder.results_path.read_text(encoding="utf-8"))
            report = evaluation_report(results, str(self.folder.path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Removed or damaged since; the event itself has the main metric.
            report = f"{event.split} accuracy {_number(event.accuracy)}"
        self.line(report.split("\n\n", 1)[0] if self.brief else report)


def _columns(epoch: str, metrics: Sequence[str], time: str) -> str:
    """Format a line of the table of epochs, within 80 columns."""
    cells = (f"{value:>{max(len(name), 7)}}" for name, value in zip(METRICS, metrics, strict=True))
    return f"{epoch:>9}  {'  '.join(cells)}  {time}"


def _expected(event: StageStarted) -> str:
    seconds = event.estimated_seconds
    return "" if seconds is None else f", about {format_seconds(seconds)} an epoch"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _grouped(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
