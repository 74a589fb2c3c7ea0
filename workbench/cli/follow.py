"""Watching a run in a terminal: its events as lines, the work at hand as one bar."""

import json
import sys
from collections.abc import Iterator
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


class Bar(Protocol):
    """Shows the work at hand; None clears it."""

    def __call__(self, text: str | None, done: int = 0, total: int = 0) -> None: ...


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
        with _bar(hidden=as_json) as bar:
            story = Story(workspace, folder, bar, brief)
            for last in follow(folder):
                if as_json:
                    click.echo(json.dumps(last))
                else:
                    story.tell(last)
    except KeyboardInterrupt:
        click.echo(
            f"\nDetached: {folder.name} trains on. "
            f"Watch it again: {command_line(workspace, 'attach', folder.name)}   "
            f"stop it: {command_line(workspace, 'stop', folder.name)}",
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

    def __init__(self, workspace: Workspace, folder: RunFolder, bar: Bar, brief: bool) -> None:
        self.brief = brief
        self.workspace = workspace
        self.folder = folder
        self.bar = bar
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
        self.bar(None)
        images = ", ".join(f"{n:,} {split}" for split, n in event["images"].items() if n)
        click.echo(
            f"data   {safe_text(event['name'])}: {images} images, "
            f"{plural(len(event['labels']), 'label')}"
        )
        for note in event["notes"]:
            click.echo(f"note   {safe_text(note, 400)}")

    def _notice(self, event: Event) -> None:
        click.echo(f"note   {safe_text(event['message'], 400)}")

    def _stage_started(self, event: Event) -> None:
        self.bar(None)
        self.epochs = event["epochs"]
        click.echo(
            f"stage  {safe_text(event['name'])}: {event['parameters']:,} parameters, "
            f"{event['optimizer']} at {event['learning_rate']:g}, batches of "
            f"{event['batch_size']}, up to {plural(event['epochs'], 'epoch')} "
            f"on {safe_text(event['device'])}"
        )

    def _resumed(self, event: Event) -> None:
        where = f"epoch {event['epoch']}"
        if event["step"]:
            where += f", after step {event['step']}"
        click.echo(f"resumed at {where}")

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
        self.bar(None)
        width = len(str(self.epochs))
        figures = "  ".join(
            f"{name} {_number(event[name])}"
            for name in ("loss", "accuracy", "val_loss", "val_accuracy")
            if event.get(name) is not None
        )
        best = "  best" if event["best"] else ""
        click.echo(
            f"epoch {event['epoch']:>{width}}/{self.epochs}  {figures}  "
            f"{human_seconds(event['seconds'])}{best}"
        )

    def _stage_finished(self, event: Event) -> None:
        kept = f"; kept the weights of epoch {event['kept_epoch']}"
        click.echo(f"ended  {event['reason']}{kept}")

    def _evaluated(self, event: Event) -> None:
        self.bar(None)
        results = json.loads(self.folder.results_path.read_text(encoding="utf-8"))
        report = evaluation_report(results)
        click.echo(report.split("\n\n", 1)[0] if self.brief else report)

    def _stopped(self, event: Event) -> None:
        self.bar(None)
        again = command_line(self.workspace, "resume", self.folder.name)
        click.echo(f"stopped and saved at epoch {event['epoch']}. Go on: {again}")

    def _finished(self, event: Event) -> None:
        self.bar(None)
        click.echo(
            f"finished in {human_seconds(event['seconds'])}: {safe_text(self.folder.model_path)}"
        )


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "-"


@contextmanager
def _bar(hidden: bool) -> Iterator[Bar]:
    """One bar at the bottom of a terminal; nothing where there is none or it is not wanted."""
    if hidden or not sys.stdout.isatty():
        yield lambda text, done=0, total=0: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}", markup=False),
        console=Console(highlight=False),
        transient=True,
    ) as bars:
        task = bars.add_task("starting the worker", total=None)

        def show(text: str | None, done: int = 0, total: int = 0) -> None:
            bars.update(task, visible=text is not None)
            if text is not None:
                bars.update(task, description=text, completed=done, total=total or None)

        yield show
