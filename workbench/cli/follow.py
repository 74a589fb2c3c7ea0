"""Watching a run in a terminal: its events as lines, the work at hand as one bar."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click

from workbench.cli.group import command_line
from workbench.cli.show import evaluation_report
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.text import human_seconds, plural, safe_text

Event = dict[str, Any]
FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


class Screen(Protocol):
    """Where a story is told: lines that stay, and the work at hand as one bar below them."""

    def line(self, text: str) -> None:
        """Prints a line; the bar goes away until it is shown again."""

    def bar(self, text: str, done: int, total: int) -> None:
        """Shows how far the work at hand is; a total of 0 is unknown."""


def watch(workspace: Workspace, folder: RunFolder, as_json: bool, brief: bool = False) -> str:
    """Follows a run to its end; returns the kind of the last event.

    Ctrl-C ends the watching, never the run.

    Args:
        brief: only the accuracy of the evaluation, not the whole report.

    Raises:
        UserError: the run failed for a reason that its person can mend.
    """
    last: Event = {}
    try:
        with _screen(plain=as_json) as screen:
            story = Story(workspace, folder, screen, brief)
            for last in follow(folder):
                if as_json:
                    click.echo(json.dumps(last))
                else:
                    story.tell(last)
    except KeyboardInterrupt:
        click.echo(
            f"\nDetached; {folder.name} trains on.\n"
            f"Watch it again: {command_line(workspace, 'attach', folder.name)}\n"
            f"Stop it:        {command_line(workspace, 'stop', folder.name)}",
            err=True,
        )
        return "detached"
    kind = str(last.get("event", ""))
    if kind == "failed":
        message = str(last.get("message", "unknown"))
        raise UserError(f"{folder.name} failed. {message}", str(last.get("hint") or ""))
    if kind == "interrupted":
        raise UserError(
            f"{folder.name}: its worker ended without a word. "
            f"Last lines of {folder.log_path}:\n" + "\n".join(map(str, last.get("log", []))),
            f"Go on at the last checkpoint: {command_line(workspace, 'resume', folder.name)}",
        )
    return kind


class Story:
    """Turns events into lines for people."""

    def __init__(
        self, workspace: Workspace, folder: RunFolder, screen: Screen, brief: bool
    ) -> None:
        self.brief = brief
        self.workspace = workspace
        self.folder = folder
        self.line, self.bar = screen.line, screen.bar
        self.epochs = 0

    def tell(self, event: Event) -> None:
        """Prints what an event says; kinds that say nothing to people are passed over."""
        method = getattr(self, f"_{event.get('event')}", None)
        if method:
            method(event)

    def _preparing(self, event: Event) -> None:
        self.bar(safe_text(event["phase"], 40), event["done"], event["total"])

    _evaluating = _preparing

    def _data_ready(self, event: Event) -> None:
        images = ", ".join(f"{n:,} {split}" for split, n in event["images"].items() if n)
        self.line(
            f"data   {safe_text(event['name'])}: {images} images, "
            f"{plural(len(event['labels']), 'label')}"
        )
        for note in event["notes"]:
            self.line(f"note   {safe_text(note, 400)}")

    def _notice(self, event: Event) -> None:
        self.line(f"note   {safe_text(event['message'], 400)}")

    def _stage_started(self, event: Event) -> None:
        self.epochs = event["epochs"]
        self.line(
            f"stage  {safe_text(event['name'])}: {event['parameters']:,} parameters, "
            f"{event['optimizer']} {event['learning_rate']:g}, batch {event['batch_size']}, "
            f"{plural(event['epochs'], 'epoch')}, {safe_text(event['device'])}"
        )
        self.line(_columns("epoch", FIGURES, "time"))

    def _resumed(self, event: Event) -> None:
        where = f"epoch {event['epoch']}"
        if event["step"]:
            where += f", after step {event['step']}"
        self.line(f"resumed at {where}")

    def _progress(self, event: Event) -> None:
        speed = event.get("images_per_second")
        pace = f"  {speed:,.0f} images/s" if speed else ""
        self.bar(
            f"epoch {event['epoch']} {event['phase']}  loss {_number(event['loss'])}"
            f"  accuracy {_number(event['accuracy'])}{pace}",
            event["step"],
            event["steps"],
        )

    def _epoch_finished(self, event: Event) -> None:
        self.line(
            _columns(
                f"{event['epoch']}/{self.epochs}",
                [_number(event.get(name)) for name in FIGURES],
                human_seconds(event["seconds"]) + ("  best" if event["best"] else ""),
            )
        )

    def _stage_finished(self, event: Event) -> None:
        kept = f"; kept the weights of epoch {event['kept_epoch']}"
        self.line(f"ended  {event['reason']}{kept}")

    def _evaluated(self, event: Event) -> None:
        results = json.loads(self.folder.results_path.read_text(encoding="utf-8"))
        report = evaluation_report(results)
        self.line(report.split("\n\n", 1)[0] if self.brief else report)

    def _stopped(self, event: Event) -> None:
        again = command_line(self.workspace, "resume", self.folder.name)
        self.line(f"stopped and saved at epoch {event['epoch']}. Go on: {again}")

    def _finished(self, event: Event) -> None:
        self.line(
            f"finished in {human_seconds(event['seconds'])}: {safe_text(self.folder.model_path)}"
        )


def _columns(epoch: str, figures: Sequence[str], time: str) -> str:
    """A line of the table of epochs, within 80 columns."""
    cells = (
        f"{figure:>{max(len(name), 7)}}" for name, figure in zip(FIGURES, figures, strict=True)
    )
    return f"{epoch:>9}  {'  '.join(cells)}  {time}"


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "-"


class _PlainScreen:
    """Lines alone, for files, pipes and scripts."""

    def line(self, text: str) -> None:
        click.echo(text)

    def bar(self, text: str, done: int, total: int) -> None:
        """Nothing: what is told here is told again and again."""


@contextmanager
def _screen(plain: bool) -> Iterator[Screen]:
    if plain or not sys.stdout.isatty():
        yield _PlainScreen()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    with Progress(
        BarColumn(bar_width=12),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}", markup=False),
        console=Console(highlight=False),
        transient=True,
    ) as bars:
        task = bars.add_task("starting the worker", total=None)

        class Terminal:
            def line(self, text: str) -> None:
                bars.update(task, visible=False)
                # As Text, since names from outside may look like markup.
                bars.console.print(Text(text), soft_wrap=True)

            def bar(self, text: str, done: int, total: int) -> None:
                bars.update(
                    task, visible=True, description=text, completed=done, total=total or None
                )

        yield Terminal()
