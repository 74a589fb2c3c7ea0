"""The events of a run as lines. Odd or missing fields are tolerated."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from workbench.cli.group import command_line
from workbench.cli.output import evaluation_report
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.history import describe_batch_halved
from workbench.runs.rows import (
    WAITING_PHASE,
    EpochRow,
    EvaluationRow,
    PhaseProgress,
    Position,
    StageRow,
    StepProgress,
    number,
)
from workbench.text import format_seconds, plural, safe_text

Event = dict[str, Any]
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
        """Print an event; kinds without a method are skipped."""
        method = getattr(self, f"_{event.get('event')}", None)
        if method:
            method(event)

    def _preparing(self, event: Event) -> None:
        work = PhaseProgress.from_event(event)
        if work.phase.startswith(WAITING_PHASE) and work.phase != self.waiting_for:
            self.waiting_for = work.phase
            self.line(f"queue  {work.phase}")
        self.bar(safe_text(work.phase, 40), work.done, work.total)

    _evaluating = _preparing

    def _gpu_chosen(self, event: Event) -> None:
        gpu = _dict(event.get("gpu"))
        if gpu:
            self.line(f"gpu    {safe_text(gpu.get('name'), 60)} (GPU {gpu.get('index')})")

    def _data_ready(self, event: Event) -> None:
        splits = _dict(event.get("images")).items()
        images = ", ".join(f"{count:,} {split}" for split, count in splits if count)
        labels = plural(len(_list(event.get("labels"))), "label")
        self.line(f"data   {safe_text(event.get('name'))}: {images} images, {labels}")
        for note in _list(event.get("notes")):
            self.line(f"note   {safe_text(note, 400)}")

    def _notice(self, event: Event) -> None:
        self.line(f"note   {safe_text(event.get('message'), 400)}")

    def _batch_halved(self, event: Event) -> None:
        self.line(f"note   {describe_batch_halved(event)}")

    def _stage_started(self, event: Event) -> None:
        stage = StageRow.from_event(event)
        self.epochs = stage.epochs if stage else 0
        self.line(
            f"stage  {event.get('name')}: {_grouped(event.get('parameters'))} parameters, "
            f"{event.get('optimizer')} {event.get('learning_rate')}, "
            f"batch {event.get('batch_size')}, {plural(self.epochs, 'epoch')}, "
            f"{event.get('device')}{_expected(event)}"
        )
        self.line(_columns("epoch", METRICS, "time"))

    def _resumed(self, event: Event) -> None:
        place = Position.from_event(event)
        if place is None or place == Position(0, 1, 0):
            self.line("resumed from the start")
        elif place.step == 0 and place.epoch > 1:  # it may have been the last epoch
            self.line(f"resumed after epoch {place.epoch - 1}")
        else:
            self.line(f"resumed at {place}")

    def _progress(self, event: Event) -> None:
        progress = StepProgress.from_event(event)
        if progress is None:
            return
        speed = progress.images_per_second
        pace = f"  {speed:,.0f} images/s" if speed else ""
        self.bar(
            f"epoch {progress.position.epoch} {progress.phase}  loss {_number(progress.loss)}"
            f"  accuracy {_number(progress.accuracy)}{pace}",
            progress.position.step,
            progress.steps,
        )

    def _epoch_finished(self, event: Event) -> None:
        epoch = EpochRow.from_event(event)
        if epoch is None:
            return
        metrics = (epoch.loss, epoch.accuracy, epoch.val_loss, epoch.val_accuracy)
        seconds = "" if epoch.seconds is None else format_seconds(epoch.seconds)
        self.line(
            _columns(
                f"{epoch.epoch}/{self.epochs}",
                [_number(value) for value in metrics],
                seconds + ("  best" if epoch.best else ""),
            )
        )

    def _stage_finished(self, event: Event) -> None:
        self.line(
            f"ended  {event.get('reason')}; kept the weights of epoch {event.get('kept_epoch')}"
        )

    def _evaluated(self, event: Event) -> None:
        try:
            results = json.loads(self.folder.results_path.read_text(encoding="utf-8"))
            report = evaluation_report(results, str(self.folder.path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Removed or damaged since; the event itself has the main metric.
            evaluation = EvaluationRow.from_event(event)
            report = f"{evaluation.split} accuracy {_number(evaluation.accuracy)}"
        self.line(report.split("\n\n", 1)[0] if self.brief else report)

    def _stopped(self, event: Event) -> None:
        again = command_line(self.workspace, "resume", self.folder.name)
        self.line(f"stopped; everything is saved. Resume: {again}")

    def _finished(self, event: Event) -> None:
        seconds = number(event.get("seconds"))
        took = "" if seconds is None else f" in {format_seconds(seconds)}"
        self.line(f"finished{took}: {self.folder.model_path}")


def _columns(epoch: str, metrics: Sequence[str], time: str) -> str:
    """Format a line of the table of epochs, within 80 columns."""
    cells = (f"{value:>{max(len(name), 7)}}" for name, value in zip(METRICS, metrics, strict=True))
    return f"{epoch:>9}  {'  '.join(cells)}  {time}"


def _expected(event: Event) -> str:
    seconds = number(event.get("estimated_seconds"))
    return "" if seconds is None else f", about {format_seconds(seconds)} an epoch"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _grouped(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
