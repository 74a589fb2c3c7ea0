"""A run told in lines: what each event means for people. Odd or missing fields do no harm."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from workbench.cli.group import command_line
from workbench.cli.show import evaluation_report
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.history import batch_halved_words
from workbench.runs.rows import (
    WAITING_PHASE,
    EpochRow,
    Evaluation,
    Place,
    StageRow,
    StepProgress,
    Work,
    number,
)
from workbench.text import human_seconds, plural, safe_text

Event = dict[str, Any]
FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


class Screen(Protocol):
    """Where a story is told: lines that stay, and the work at hand as one bar below them.

    Both make what they print safe.
    """

    def line(self, text: str) -> None:
        """Prints a line; the bar goes away until it is shown again."""

    def bar(self, text: str, done: int, total: int) -> None:
        """Shows how far the work at hand is; a total of 0 is unknown."""


class Story:
    """Turns events into lines.

    Args:
        brief: only the accuracy of the evaluation, not the whole report.
    """

    def __init__(
        self, workspace: Workspace, folder: RunFolder, screen: Screen, brief: bool = False
    ) -> None:
        self.workspace = workspace
        self.folder = folder
        self.line, self.bar = screen.line, screen.bar
        self.brief = brief
        self.epochs = 0
        self.ahead = ""  # what is waited for

    def tell(self, event: Event) -> None:
        """Prints what an event says; kinds that say nothing to people are passed over."""
        method = getattr(self, f"_{event.get('event')}", None)
        if method:
            method(event)

    def _preparing(self, event: Event) -> None:
        work = Work.from_event(event)
        if work.phase.startswith(WAITING_PHASE) and work.phase != self.ahead:
            self.ahead = work.phase
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
        self.line(f"note   {batch_halved_words(event)}")

    def _stage_started(self, event: Event) -> None:
        stage = StageRow.from_event(event)
        self.epochs = stage.epochs if stage else 0
        self.line(
            f"stage  {event.get('name')}: {_grouped(event.get('parameters'))} parameters, "
            f"{event.get('optimizer')} {event.get('learning_rate')}, "
            f"batch {event.get('batch_size')}, {plural(self.epochs, 'epoch')}, "
            f"{event.get('device')}{_expected(event)}"
        )
        self.line(_columns("epoch", FIGURES, "time"))

    def _resumed(self, event: Event) -> None:
        place = Place.from_event(event)
        if place is None or place == Place(0, 1, 0):
            self.line("resumed from the beginning")
        elif place.step == 0 and place.epoch > 1:  # there may be no epoch after it
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
            f"epoch {progress.place.epoch} {progress.phase}  loss {_number(progress.loss)}"
            f"  accuracy {_number(progress.accuracy)}{pace}",
            progress.place.step,
            progress.steps,
        )

    def _epoch_finished(self, event: Event) -> None:
        epoch = EpochRow.from_event(event)
        if epoch is None:
            return
        figures = (epoch.loss, epoch.accuracy, epoch.val_loss, epoch.val_accuracy)
        seconds = "" if epoch.seconds is None else human_seconds(epoch.seconds)
        self.line(
            _columns(
                f"{epoch.epoch}/{self.epochs}",
                [_number(figure) for figure in figures],
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
            # Removed or damaged since; the event itself has the main figure.
            figures = Evaluation.from_event(event)
            report = f"{figures.split} accuracy {_number(figures.accuracy)}"
        self.line(report.split("\n\n", 1)[0] if self.brief else report)

    def _stopped(self, event: Event) -> None:
        again = command_line(self.workspace, "resume", self.folder.name)
        self.line(f"stopped; everything is saved. Go on: {again}")

    def _finished(self, event: Event) -> None:
        seconds = number(event.get("seconds"))
        took = "" if seconds is None else f" in {human_seconds(seconds)}"
        self.line(f"finished{took}: {self.folder.model_path}")


def _columns(epoch: str, figures: Sequence[str], time: str) -> str:
    """A line of the table of epochs, within 80 columns."""
    cells = (
        f"{figure:>{max(len(name), 7)}}" for name, figure in zip(FIGURES, figures, strict=True)
    )
    return f"{epoch:>9}  {'  '.join(cells)}  {time}"


def _expected(event: Event) -> str:
    seconds = number(event.get("estimated_seconds"))
    return "" if seconds is None else f", about {human_seconds(seconds)} an epoch"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _grouped(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
